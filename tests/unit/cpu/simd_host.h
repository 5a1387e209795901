#ifndef TESTS_UNIT_CPU_SIMD_HOST_H
#define TESTS_UNIT_CPU_SIMD_HOST_H

/*
 * Runs one MMX or SSE instruction on the processor of the host (x86-64 only).
 *
 * All state goes in and comes out in one struct.  An unmasked exception is
 * caught by a signal handler: it notes MXCSR, masks everything, and lets the
 * instruction run again.
 */

#include <signal.h>
#include <ucontext.h>

#include "tests/unit/cpu/simd_image.h"

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
    struct sigaction action = {.sa_sigaction = host_on_fpe,
                               .sa_flags = SA_SIGINFO};

    sigaction(SIGFPE, &action, NULL);
}

/* code: the instruction and a RET. */
static inline void host_run(struct host_state *state, const uint8_t *code)
{
    static const uint32_t mxcsr = 0x1f80;
    register struct host_state *s __asm__("rbx") = state;
    register const uint8_t *at __asm__("r11") = code;

    host_trapped = 0;
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* the red zone is C's */
                     "fxrstor64 (%[s])\n\t"
                     "movq 1024(%[s]), %%rax\n\t"
                     "movq 1032(%[s]), %%rcx\n\t"
                     "movq 1040(%[s]), %%rdx\n\t"
                     "movq 1048(%[s]), %%r8\n\t"
                     "movq 1056(%[s]), %%r9\n\t"
                     "movq 1064(%[s]), %%r10\n\t"
                     "movq 1072(%[s]), %%rsi\n\t"
                     "movq 1072(%[s]), %%rdi\n\t"
                     "call *%[at]\n\t"
                     "pushfq\n\t"
                     "popq 1080(%[s])\n\t"
                     "movq %%rax, 1024(%[s])\n\t"
                     "movq %%rcx, 1032(%[s])\n\t"
                     "movq %%rdx, 1040(%[s])\n\t"
                     "movq %%r8, 1048(%[s])\n\t"
                     "movq %%r9, 1056(%[s])\n\t"
                     "movq %%r10, 1064(%[s])\n\t"
                     "fxsave64 512(%[s])\n\t"
                     "fninit\n\t"
                     "ldmxcsr %[mxcsr]\n\t"
                     "leaq 128(%%rsp), %%rsp"
                     : [s] "+r"(s), [at] "+r"(at)
                     : [mxcsr] "m"(mxcsr)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                       "xmm13", "xmm14", "xmm15", "memory", "cc");
}

#endif
