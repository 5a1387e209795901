/*
 * MONITOR and MWAIT (SDM vol. 2).
 *
 * No store is watched for.  MWAIT may end without a cause, so it need not wait
 * at all; it does where an interrupt can end it.  Software must look at what it
 * waits for again in any case.
 */

#include "base/bits.h"
#include "cpu/fault.h"
#include "cpu/guest.h"
#include "cpu/ops.h"

enum { MWAIT_BREAK_ON_INTERRUPT = 1 << 0 };

/* #UD outside CPL 0; #GP(0) for extensions in rCX that there are not. */
static void check(struct cpu *cpu, uint64_t extensions)
{
    uint64_t asked = cpu->gpr[RCX];

    if (cpu->cpl != 0)
        cpu_raise(cpu, EXC_UD);
    if (!cpu_code64(cpu))
        asked = (uint32_t)asked;
    if (asked & ~extensions)
        cpu_raise_error(cpu, EXC_GP, 0);
}

/* Faults as a load of one byte. */
void op_monitor(struct cpu *cpu, const struct insn *in)
{
    check(cpu, 0);
    guest_load(cpu, in->seg, cpu->gpr[RAX] & bits_mask(8u * in->addrsize), 1);
}

void op_mwait(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    check(cpu, MWAIT_BREAK_ON_INTERRUPT);
    if (cpu->eflags & FLAG_IF)
        cpu->halted = true;
}
