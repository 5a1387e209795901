#ifndef JIT_JIT_H
#define JIT_JIT_H

/*
 * The JIT engine: translates guest blocks to host code and runs them.
 *
 * What it cannot translate -- single-stepping, code outside RAM -- it hands to
 * the interpreter, one instruction at a time, and counts by reason in
 * struct stats.
 */

#include <stdbool.h>
#include <stdio.h>

#include "cpu/cpu.h"
#include "cpu/engine.h"

struct jit_options {
    /* Count instructions exactly and stop by budget: for -d stats, -icount and
     * lock-step.  Otherwise run ignores its budget and only cpu_kick stops
     * it. */
    bool count;
    /* Translated code counts, for struct stats, what C cannot see: hits of the
     * TLB and of the jump cache, linked jumps. */
    bool stats;
    /* So many times a block is interpreted before it is translated, 0..254:
     * much of a guest's code runs once, and to translate an instruction costs
     * as much as to interpret it a hundred times. */
    unsigned warm_up;
    /* Gets a line for each piece of code (jit/perfmap.h); or NULL. */
    FILE *perf_map;
    /* Bytes of the buffer for generated code, at least 128 KiB; 0: as many as
     * are good for a machine.  When it is full the oldest blocks go. */
    uint32_t code_size;
};

/* NULL if this host has no backend or refuses executable memory. */
struct engine *jit_new(struct cpu *cpu, const struct jit_options *options);

#endif
