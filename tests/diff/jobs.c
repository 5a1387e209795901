#include "tests/diff/jobs.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void *jobs_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static bool start(void (*work)(void *arg, unsigned index), void *arg,
                  unsigned index)
{
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid)
        return pid > 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    work(arg, index);
    fflush(stdout);
    _exit(0);
}

static bool wait_for_all(void)
{
    bool ok = true;
    int status;

    while (wait(&status) > 0) {
        if (WIFEXITED(status) && !WEXITSTATUS(status))
            continue;
        printf("diff: a process ended with status %#x\n", (unsigned)status);
        ok = false;
    }
    return ok;
}

bool jobs_run(unsigned n, void (*work)(void *arg, unsigned index), void *arg)
{
    bool ok = true;

    for (unsigned i = 0; i < n; i++)
        ok &= start(work, arg, i);
    return wait_for_all() && ok;
}
