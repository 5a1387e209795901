#include "tests/x87/host.h"

#include <ucontext.h>

#include "tests/unit/cpu/host_code.h"

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
    host_catch(on_fpe);
}

uintptr_t host_run(struct host_state *state, const uint8_t *code,
                   const uint8_t *end)
{
    trapped_at = 0;
    resume_at = (uintptr_t)end;
    host_run_image(state, code);
    return trapped_at;
}
