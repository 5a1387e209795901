#include "tests/x87/host.h"

#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

const uint8_t host_gpr_number[HOST_GPRS] = {0, 1, 2, 8, 9, 10};

static volatile uintptr_t resume_at, trapped_at;

static void on_fpe(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)sig, (void)info;
    trapped_at = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
    uc->uc_mcontext.gregs[REG_RIP] = (greg_t)resume_at;
}

void host_catch_exceptions(void)
{
    struct sigaction action = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO};

    sigaction(SIGFPE, &action, NULL);
}

uintptr_t host_run(struct host_state *state, const uint8_t *code,
                   const uint8_t *end)
{
    static const uint32_t mxcsr = 0x1f80;
    register struct host_state *s __asm__("rbx") = state;
    register const uint8_t *at __asm__("r11") = code;

    trapped_at = 0;
    resume_at = (uintptr_t)end;
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* the red zone is C's */
                     "fxrstor64 (%[s])\n\t"
                     "movq 1024(%[s]), %%rax\n\t"
                     "movq 1032(%[s]), %%rcx\n\t"
                     "movq 1040(%[s]), %%rdx\n\t"
                     "movq 1048(%[s]), %%r8\n\t"
                     "movq 1056(%[s]), %%r9\n\t"
                     "movq 1064(%[s]), %%r10\n\t"
                     "movq 1072(%[s]), %%rsi\n\t"
                     "movq %%rsi, %%rdi\n\t"
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
    return trapped_at;
}
