/*
 * The program: command line, machine, exit code.  Nobody else ends the
 * process.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/stats.h"
#include "frontend/ends.h"
#include "frontend/term.h"
#include "machine/config.h"
#include "machine/pc.h"
#include "machine/run.h"

/* For the handlers below, which are given no argument. */
static const struct term *running_term;

static int complain(const char *error)
{
    fprintf(stderr, "copal: %s\n", error);
    return RUN_SET_UP;
}

/* --- leaving the terminal as it was, whatever happens --- */

static void restore_at_exit(void)
{
    if (running_term)
        term_restore(running_term);
}

static void restore_and_die(int signal_number)
{
    restore_at_exit();
    raise(signal_number); /* the default again: SA_RESETHAND */
}

static void prepare_signals(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS,  SIGILL, SIGFPE,
                                SIGABRT, SIGQUIT, SIGSYS};
    struct sigaction act = {.sa_handler = restore_and_die,
                            .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < array_len(fatal); i++)
        sigaction(fatal[i], &act, NULL);
    act = (struct sigaction){.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &act, NULL);
    atexit(restore_at_exit);
}

/* --- standard streams and the log --- */

/* A file opened later must not become standard output. */
static bool fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    return true;
}

static bool open_log(const struct config *cfg, char error[CONFIG_ERROR])
{
    FILE *f;

    log_level = cfg->log_mask;
    if (!cfg->log_path)
        return true;
    f = fopen(cfg->log_path, "we");
    if (!f) {
        snprintf(error, CONFIG_ERROR, "Cannot write the log '%.300s': %s.",
                 cfg->log_path, strerror(errno));
        return false;
    }
    setvbuf(f, NULL, _IOLBF, 0);
    log_set_file(f);
    return true;
}

/* The name is perf's choice.  Whoever else can write to /tmp must not have us
 * write somewhere else: what is there is not followed. */
static bool open_perf_map(struct config *cfg, char error[CONFIG_ERROR])
{
    char path[64];
    int fd;

    if (!cfg->wants_perf_map)
        return true;
    snprintf(path, sizeof(path), "/tmp/perf-%ld.map", (long)getpid());
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
              0644);
    cfg->perf_map = fd < 0 ? NULL : fdopen(fd, "w");
    if (!cfg->perf_map) {
        snprintf(error, CONFIG_ERROR, "Cannot write '%s': %s.", path,
                 strerror(errno));
        return false;
    }
    setvbuf(cfg->perf_map, NULL, _IOLBF, 0);
    return true;
}

/* --- running --- */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_stats(const struct pc *pc, double wall)
{
    uint64_t insns = pc->stats.insn_interp + pc->stats.insn_jit;

    if (!log_on(LOG_STATS))
        return;
    fprintf(log_file(), "%.3f seconds, %.1f million instructions a second\n",
            wall, (double)insns / 1e6 / wall);
    stats_print(&pc->stats, log_file());
}

static bool quit(void *pc)
{
    return pc_post_power_off(pc);
}

static int run(struct pc *pc, struct ends *ends, char error[CONFIG_ERROR])
{
    const struct config *cfg = pc->cfg;
    struct term_client client = {
        .mailbox = &pc->mailbox,
        .quit = quit,
        .owner = pc,
        .takes_interrupt = cfg->nographic,
    };
    double start = seconds();
    int exit_code;

    if (!term_start(&ends->term, &client)) {
        snprintf(error, CONFIG_ERROR, "The host refuses a thread: %s.",
                 strerror(errno));
        return RUN_SET_UP;
    }
    running_term = &ends->term;
    exit_code = run_machine(pc, error);
    term_stop(&ends->term);
    running_term = NULL;
    print_stats(pc, seconds() - start);
    return exit_code;
}

/* As if the signal had not been caught: the parent sees what happened. */
static void die_by(int signal_number)
{
    sigset_t set;

    signal(signal_number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    raise(signal_number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static int run_config(const struct config *cfg, char error[CONFIG_ERROR])
{
    struct ends *ends = xnew(struct ends);
    struct pc *pc = xnew(struct pc);
    struct pc_host host;
    int exit_code = RUN_SET_UP, ended_by = 0;

    if (ends_open(ends, cfg, &host, error)) {
        if (pc_init(pc, cfg, &host, error)) {
            exit_code = run(pc, ends, error);
            ended_by = ends->term.ended_by;
            pc_destroy(pc);
        }
        ends_close(ends);
    }
    free(pc);
    free(ends);
    if (ended_by)
        die_by(ended_by);
    return exit_code;
}

int main(int argc, char *argv[])
{
    char error[CONFIG_ERROR] = "";
    struct config cfg;
    int exit_code;

    if (!fill_standard_streams())
        return RUN_SET_UP;
    prepare_signals();
    switch (config_parse(&cfg, argc, argv, stdout, error)) {
    case CONFIG_WRONG: return complain(error);
    case CONFIG_DONE:
        return fflush(stdout) ? complain("Cannot write to standard output.")
                              : RUN_OFF;
    case CONFIG_RUN: break;
    }
    if (!open_log(&cfg, error) || !open_perf_map(&cfg, error))
        return complain(error);
    exit_code = run_config(&cfg, error);
    if (error[0])
        complain(error);
    return exit_code;
}
