#ifndef CPU_TRACE_H
#define CPU_TRACE_H

/*
 * What the processor executes, into the log: -d exec has a line for each
 * block, -d cpu the registers before it.  Engines call trace_block before they
 * run the block, or the single instruction, at cpu->rip, and while tracing_on
 * they let no block go to the next without that.
 */

#include <stdbool.h>

#include "base/log.h"

struct cpu;

static inline bool tracing_on(void)
{
    return log_on(LOG_EXEC | LOG_CPU);
}

void trace_write(const struct cpu *cpu);

static inline void trace_block(const struct cpu *cpu)
{
    if (tracing_on())
        trace_write(cpu);
}

#endif
