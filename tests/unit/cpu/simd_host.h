#ifndef TESTS_UNIT_CPU_SIMD_HOST_H
#define TESTS_UNIT_CPU_SIMD_HOST_H

/*
 * Runs one MMX or SSE instruction on the processor of the host (x86-64 only).
 *
 * An unmasked exception is caught by a signal handler: it notes MXCSR, masks
 * everything, and lets the instruction run again.
 */

#include <ucontext.h>

#include "tests/unit/cpu/host_code.h"

static volatile uint32_t host_trapped; /* MXCSR as it trapped; 0: it did not */

static inline void host_on_fpe(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)sig, (void)info;
    host_trapped = uc->uc_mcontext.fpregs->mxcsr;
    uc->uc_mcontext.fpregs->mxcsr = 0x1f80;
}

static inline void host_catch_exceptions(void)
{
    host_catch(host_on_fpe);
}

/* code: the instruction and a RET. */
static inline void host_run(struct host_state *state, const uint8_t *code)
{
    host_trapped = 0;
    host_run_image(state, code);
}

#endif
