#ifndef TESTS_UNIT_CPU_HOST_CODE_H
#define TESTS_UNIT_CPU_HOST_CODE_H

/*
 * Runs code with the registers given on the processor of the host (x86-64
 * only).  All state goes in and comes out in one struct.
 */

#include <signal.h>
#include <stddef.h>

#include "tests/unit/cpu/simd_image.h"

/* An exception of an x87 or SSE instruction is a signal. */
static inline void host_catch(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

    sigaction(SIGFPE, &action, NULL);
}

/*
 * state: has general registers, pointer and flags where struct host_state has
 * them.  code: ends with RET.  load and store: assembly that moves the other
 * registers from and to %[s], the state; store leaves the x87 and the upper
 * halves of YMM registers as C wants them.
 */
#define HOST_RUN(state, code, load, store)                                    \
    do {                                                                      \
        _Static_assert(offsetof(__typeof__(*(state)), gpr) == 1024 &&         \
                           offsetof(__typeof__(*(state)), pointer) == 1072 && \
                           offsetof(__typeof__(*(state)), flags) == 1080,     \
                       "the assembly knows them");                            \
        static const uint32_t mxcsr_of_c = 0x1f80;                            \
        register void *s_ __asm__("rbx") = (state);                           \
        register const uint8_t *at_ __asm__("r11") = (code);                  \
                                                                              \
        __asm__ volatile(                                                     \
            "leaq -128(%%rsp), %%rsp\n\t" /* the red zone is C's */           \
            load                                                              \
            "movq 1024(%[s]), %%rax\n\t"                                      \
            "movq 1032(%[s]), %%rcx\n\t"                                      \
            "movq 1040(%[s]), %%rdx\n\t"                                      \
            "movq 1048(%[s]), %%r8\n\t"                                       \
            "movq 1056(%[s]), %%r9\n\t"                                       \
            "movq 1064(%[s]), %%r10\n\t"                                      \
            "movq 1072(%[s]), %%rsi\n\t"                                      \
            "movq 1072(%[s]), %%rdi\n\t"                                      \
            "call *%[at]\n\t"                                                 \
            "pushfq\n\t"                                                      \
            "popq 1080(%[s])\n\t"                                             \
            "movq %%rax, 1024(%[s])\n\t"                                      \
            "movq %%rcx, 1032(%[s])\n\t"                                      \
            "movq %%rdx, 1040(%[s])\n\t"                                      \
            "movq %%r8, 1048(%[s])\n\t"                                       \
            "movq %%r9, 1056(%[s])\n\t"                                       \
            "movq %%r10, 1064(%[s])\n\t"                                      \
            store                                                             \
            "ldmxcsr %[mxcsr]\n\t"                                            \
            "leaq 128(%%rsp), %%rsp"                                          \
            : [s] "+r"(s_), [at] "+r"(at_)                                    \
            : [mxcsr] "m"(mxcsr_of_c)                                         \
            : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "xmm0",   \
              "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
              "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",   \
              "memory", "cc");                                                \
    } while (0)

/* With x87, MMX and XMM registers and MXCSR by their image. */
static inline void host_run_image(struct host_state *state, const uint8_t *code)
{
    HOST_RUN(state, code, "fxrstor64 (%[s])\n\t",
             "fxsave64 512(%[s])\n\t"
             "fninit\n\t");
}

#endif
