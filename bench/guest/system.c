/* What a program asks the kernel for, and code that changes itself. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define AREA (256 * PAGE)

static uint64_t run_syscalls(unsigned char *arena, unsigned count)
{
    uint64_t sum = 0;

    (void)arena;
    for (unsigned i = 0; i < count; i++)
        sum += syscall(SYS_getppid) >= 0;
    return sum;
}

/* The guests have one processor; so that native runs switch between the two
 * processes too, they stay on one. */
static void use_one_processor(cpu_set_t *before)
{
    cpu_set_t one;

    sched_getaffinity(0, sizeof(*before), before);
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof(one), &one);
}

static void answer(int from, int to)
{
    uint64_t x;

    while (read(from, &x, sizeof(x)) == sizeof(x)) {
        x = xorshift(x);
        if (write(to, &x, sizeof(x)) != sizeof(x))
            break;
    }
    _exit(0);
}

static uint64_t run_pipes(unsigned char *arena, unsigned count)
{
    int there[2], back[2];
    uint64_t x = 88172645463325252u;
    cpu_set_t before;

    (void)arena;
    if (pipe(there) || pipe(back))
        return 0;
    use_one_processor(&before);
    if (fork() == 0) {
        close(there[1]);
        answer(there[0], back[1]);
    }
    for (unsigned i = 0; i < count; i++)
        if (write(there[1], &x, sizeof(x)) != sizeof(x) ||
            read(back[0], &x, sizeof(x)) != sizeof(x))
            return 0;
    close(there[0]), close(there[1]);
    close(back[0]), close(back[1]);
    wait(NULL);
    sched_setaffinity(0, sizeof(before), &before);
    return x;
}

static uint64_t run_faults(unsigned char *arena, unsigned count)
{
    uint64_t sum = 0;

    (void)arena;
    for (unsigned i = 0; i < count; i++) {
        unsigned char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (area == MAP_FAILED)
            return 0;
        madvise(area, AREA, MADV_NOHUGEPAGE);
        for (size_t at = 0; at < AREA; at += PAGE)
            sum += ++area[at];
        munmap(area, AREA);
    }
    return sum;
}

/* Forks, and the child becomes the program that BENCH_TINY names. */
static uint64_t run_exec(unsigned char *arena, unsigned count)
{
    char *const path = getenv("BENCH_TINY");
    char *const arguments[] = {path, NULL};
    uint64_t sum = 0;

    (void)arena;
    for (unsigned i = 0; path && i < count; i++) {
        int status = 0;

        if (fork() == 0) {
            execv(path, arguments);
            _exit(1);
        }
        wait(&status);
        sum += WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 0;
    }
    return sum;
}

/* mov $imm, %eax; ret -- with another immediate before each call. */
static uint64_t run_self_modifying(unsigned char *arena, unsigned count)
{
    static const unsigned char code[] = {0xb8, 0, 0, 0, 0, 0xc3};
    unsigned (*call)(void);
    unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t sum = 0;

    (void)arena;
    if (page == MAP_FAILED)
        return 0;
    memcpy(page, code, sizeof(code));
    memcpy(&call, &page, sizeof(call));
    for (uint32_t i = 0; i < count; i++) {
        memcpy(page + 1, &i, sizeof(i));
        __asm__ volatile("" ::: "memory");
        sum = mix(sum, call());
    }
    munmap(page, PAGE);
    return sum;
}

const struct row system_rows[] = {
    {"syscalls", NULL, run_syscalls, 500000},
    {"pipes", NULL, run_pipes, 20000},
    {"page-faults", NULL, run_faults, 200},
    {"fork-exec", NULL, run_exec, 300},
    {"self-modifying", NULL, run_self_modifying, 100000},
    {NULL, NULL, NULL, 0},
};
