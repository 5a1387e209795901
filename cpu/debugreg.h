#ifndef CPU_DEBUGREG_H
#define CPU_DEBUGREG_H

/*
 * Hardware breakpoints and single step (SDM vol. 3, chapter 17).
 *
 * While anything of the kind is armed, CPU_STOP_TRAP is set and engines run
 * by interp_step, which frames every instruction with debug_step_begin and
 * debug_step_end.  Data and I/O breakpoints only note the trap in pending_db
 * where the access happens; debug_step_end raises it after the instruction, or
 * debug_step_begin before the next one where MOV SS held it or where it came
 * from a task switch or from the delivery of an event.
 *
 * RF means "no code breakpoint on the next instruction".  debug_step_begin
 * consumes it, so an instruction that sets it (IRET) need not be told apart.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/insn.h"

/* DR6. */
enum {
    DR6_B = 0xf,
    DR6_BD = 1 << 13,
    DR6_BS = 1 << 14,
    DR6_BT = 1 << 15,
};
#define DR6_FIXED ((uint64_t)0xffff0ff0)

/* DR7. */
enum {
    DR7_LOCAL = 0x155, /* L0-L3, LE: cleared by a task switch */
    DR7_ENABLES = 0xff,
    DR7_FIXED = 1 << 10,
    DR7_GD = 1 << 13,
};

/* Before the instruction at rip is fetched: raises the trap that is due, the
 * fault of a virtual interrupt, then code breakpoints. */
void debug_step_begin(struct cpu *cpu);
/* After it: rip is the next instruction, start was its own.  Raises the traps
 * it caused and ends the interrupt shadow. */
void debug_step_end(struct cpu *cpu, const struct insn *in, uint64_t start);

static inline bool debug_armed(const struct cpu *cpu)
{
    return cpu->dr[7] & DR7_ENABLES;
}

/* VIF and VIP both set where the processor heeds them: the next instruction
 * is a #GP (SDM vol. 3, 20.3.2 and 20.4). */
static inline bool debug_virtual_interrupt(const struct cpu *cpu)
{
    const uint32_t both = FLAG_VIF | FLAG_VIP;
    uint64_t enable = cpu->eflags & FLAG_VM ? CR4_VME : CR4_PVI;

    return (cpu->eflags & both) == both && cpu->cpl == 3 &&
           (cpu->cr4 & enable) && (cpu->eflags & FLAG_IOPL) != FLAG_IOPL;
}

/* DR0-3 or DR7 changed: tells the MMU which pages to watch. */
void debug_update(struct cpu *cpu);

/* For mmu.on_watch; owner is the CPU. */
void debug_on_watch(void *owner, laddr la, unsigned size, enum access access);
/* A port is accessed. */
void debug_on_port(struct cpu *cpu, uint16_t port, unsigned size);

#endif
