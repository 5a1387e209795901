#ifndef CPU_ENGINE_H
#define CPU_ENGINE_H

/*
 * What can run a CPU.  The interpreter and the JIT implement it; machine picks
 * one and never asks which it is.
 */

#include <stdint.h>

#include "base/types.h"

struct cpu;

enum stop_reason {
    STOP_BUDGET,   /* the budget of instructions is used up */
    STOP_REQUEST,  /* cpu_kick was called */
    STOP_HALT,     /* HLT: nothing to do until an interrupt */
    STOP_SHUTDOWN, /* triple fault */
    STOP_DEBUG,    /* breakpoint, watchpoint or step for the debugger */
};

struct engine {
    const char *name;

    /* Runs until one of the reasons.  budget is in instructions, an
     * instruction that faults included. */
    enum stop_reason (*run)(struct engine *e, struct cpu *cpu, uint64_t budget);

    /* Bytes [ram_at, ram_at+size) of RAM, which hold translated code, are
     * about to change.  Within one page.  Clears the code bits of the granules
     * that hold code no longer.  May be called from inside run. */
    void (*invalidate)(struct engine *e, uint64_t ram_at, unsigned size);

    /* Forgets all code (memory map changed, snapshot loaded). */
    void (*flush)(struct engine *e);

    void (*destroy)(struct engine *e);
};

#endif
