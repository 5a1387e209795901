#ifndef CPU_DELIVER_H
#define CPU_DELIVER_H

/*
 * Delivery of interrupts and exceptions through the real-mode table or the
 * IDT (SDM vol. 3, chapter 6; vol. 2, INT n).
 *
 * Everything is checked, and the room on the stack probed, before anything
 * changes.  A fault on the way unwinds with the state of the interrupted
 * program intact -- but for a task switch, which is past its point of no
 * return when it loads the new segments (task.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"

enum event_kind {
    EVENT_EXTERNAL,  /* INTR, NMI */
    EVENT_EXCEPTION, /* raised by the processor, INT1 too: no DPL check */
    EVENT_INT_N,     /* CD ib: DPL; IOPL and redirection in virtual-8086 */
    EVENT_INT3_INTO, /* CC, CE: DPL only */
};

struct event {
    uint8_t vector;
    uint8_t kind; /* enum event_kind */
    bool has_error;
    bool set_rf;  /* fault: RF is set in the flags that are pushed */
    uint32_t error;
    uint64_t rip; /* to return to */
};

/* Sets rip and next_rip to the handler's first instruction.  cpu->insn_rsp
 * must be current; cpu->delivering_ext says whether faults get EXT. */
void deliver(struct cpu *cpu, const struct event *e);

/* Virtual-8086 extensions (SDM 20.3): true if INT n was handled by the
 * program's own vector table.  Raises #GP(0) if IOPL forbids it. */
bool deliver_v86_int(struct cpu *cpu, const struct event *e);

#endif
