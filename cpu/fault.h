#ifndef CPU_FAULT_H
#define CPU_FAULT_H

/*
 * Raising exceptions: the one long jump of the project.
 *
 * A fault is reported with the state of the instruction's start; only RSP is
 * restored here, so whoever raises must not have changed anything else.  A
 * trap is reported with the state after the instruction.
 */

#include <stdint.h>

#include "base/compiler.h"
#include "base/types.h"
#include "cpu/cpu.h"

/* A fault without an error code: #UD, #DE, #NM, #BR, #MF, #XM. */
noreturn void cpu_raise(struct cpu *cpu, enum vector vector);
/* A fault with one: #GP, #SS, #NP, #TS, #AC, #DF. */
noreturn void cpu_raise_error(struct cpu *cpu, enum vector vector,
                              uint32_t error);
/* #PF from mmu.fault_la and mmu.fault_error; sets CR2. */
noreturn void cpu_raise_page_fault(struct cpu *cpu);
/* #DB as a trap (next_rip is pushed) or as a fault; dr6: bits to set. */
noreturn void cpu_raise_debug(struct cpu *cpu, uint64_t dr6, bool trap);
/* The instruction is not done: the processor stands still before it until an
 * interrupt comes, and then it is tried again. */
noreturn void cpu_freeze(struct cpu *cpu);

/* Called by the engine after the long jump, with state consistent: delivers
 * cpu->exc through IVT or IDT.  May raise again (double fault), in which case
 * the engine calls it again; sets cpu->shutdown on a triple fault. */
void cpu_deliver_exception(struct cpu *cpu);

#endif
