#ifndef CPU_TRANSFER_H
#define CPU_TRANSFER_H

/* What far transfers, returns and event delivery share. */

#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/segment.h"

/* Makes d the code segment at privilege cpl, to continue at rip.  The caller
 * has checked all and calls cpu_update_mode when SS is right too. */
void transfer_commit(struct cpu *cpu, const struct descriptor *d, unsigned cpl,
                     uint64_t rip);

/* Real and virtual-8086 mode: CS:IP, #GP(0) past the limit of CS. */
void transfer_check_real(struct cpu *cpu, uint64_t ip);
void transfer_commit_real(struct cpu *cpu, uint16_t sel, uint64_t ip);

/* A far return, RETF or IRET, as read from the stack. */
struct far_return {
    uint16_t cs, ss;
    uint64_t rip, sp;
    bool pops_stack; /* ss and sp are there: outward, or IRET of 64-bit code */
    struct descriptor code, stack;
};

/* Checks cs and fills code: RPL not inward, DPL, present. */
void return_check_code(struct cpu *cpu, struct far_return *r);
/* With pops_stack: checks ss and fills stack.  Always: rip. */
void return_check_rest(struct cpu *cpu, struct far_return *r);
/* Loads CS, and SS:SP and the new privilege with pops_stack. */
void return_commit(struct cpu *cpu, const struct far_return *r);

#endif
