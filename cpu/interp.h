#ifndef CPU_INTERP_H
#define CPU_INTERP_H

/*
 * The interpreter: the portable engine, the reference, the single-stepper.
 *
 * It runs decoded blocks kept by physical address and mode, so a hot loop is
 * decoded once; a store to code drops the blocks it touches.
 */

#include "cpu/cpu.h"
#include "cpu/engine.h"
#include "cpu/insn.h"

/* The engine; one per CPU.  Never fails. */
struct engine *interp_new(struct cpu *cpu);

/* Executes one decoded instruction at cpu->rip: sets next_rip, runs the body,
 * and on return rip = next_rip.  Faults long-jump to cpu->unwind. */
void interp_exec(struct cpu *cpu, const struct insn *in);

/* The body of in alone: the caller has set next_rip and insn_rsp. */
void interp_body(struct cpu *cpu, const struct insn *in);

/* Fetches, decodes and executes the instruction at cpu->rip, with all traps
 * and breakpoints (TF, DR0-3) it may cause.  Faults long-jump. */
void interp_step(struct cpu *cpu);

/* Fetches and decodes at cpu->rip.  Raises #UD, #GP, #PF as due. */
void interp_fetch(struct cpu *cpu, struct insn *in);

#endif
