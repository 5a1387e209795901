/*
 * Interpreter and JIT boot one guest in lock-step.
 *
 * After each slice the processors must be equal; every --check slices, and at
 * the end, so must all RAM, all devices and what was said on the serial port.
 *
 * A difference is hunted down by running the guest again from the start, which
 * gives the same run: first for the slice; then for the fewest instructions of
 * it after which the machines differ, which is the end of a translated block
 * (the JIT steps what its budget cuts off); then for the latest instruction
 * from which a block up to that end still differs.
 *
 * Exit code: 0 no difference, 1 a difference, 2 cannot run, 77 no such guest.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "machine/run.h"
#include "tests/lockstep/pair.h"
#include "tests/lockstep/report.h"

enum {
    EXIT_SAME = 0,
    EXIT_DIFFERS = 1,
    EXIT_CANNOT = 2,
    EXIT_SKIPPED = 77,
    PATH_ROOM = 4096,
    TRAIL = 40, /* instructions shown before the one that differs */
};

static const uint64_t PROGRESS = 10000000;

struct settings {
    struct pair_options pair;
    uint64_t insns;
    uint64_t check; /* slices from one full comparison to the next */
    char kernel[PATH_ROOM], initrd[PATH_ROOM];
};

/* --- the command line --- */

static const char usage[] =
    "usage: lockstep --kernel FILE | --guest amd64|i386-pae|i386 [option...]\n"
    "\n"
    "  --guest NAME   a guest that tools/guest.sh has prepared\n"
    "  --kernel FILE  --initrd FILE  --append TEXT  --memory SIZE (256M)\n"
    "  --insns N      stop after so many instructions (200000000)\n"
    "  --slice N      instructions between comparisons of registers (2000)\n"
    "  --check N      slices between comparisons of everything (1000)\n"
    "  --fine         slices of 1 to 32 instructions, by --seed N\n";

enum { OPT_GUEST, OPT_KERNEL, OPT_INITRD, OPT_APPEND, OPT_MEMORY, OPT_INSNS,
       OPT_SLICE, OPT_CHECK, OPT_FINE, OPT_SEED };

static const struct option options[] = {
    {"guest", required_argument, NULL, OPT_GUEST},
    {"kernel", required_argument, NULL, OPT_KERNEL},
    {"initrd", required_argument, NULL, OPT_INITRD},
    {"append", required_argument, NULL, OPT_APPEND},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"insns", required_argument, NULL, OPT_INSNS},
    {"slice", required_argument, NULL, OPT_SLICE},
    {"check", required_argument, NULL, OPT_CHECK},
    {"fine", no_argument, NULL, OPT_FINE},
    {"seed", required_argument, NULL, OPT_SEED},
    {NULL, 0, NULL, 0},
};

/* Where tools/guest.sh puts it. */
static void use_guest(struct settings *s, const char *name)
{
    const char *copal = getenv("COPAL_CACHE"), *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char folder[PATH_ROOM / 2];

    if (copal)
        snprintf(folder, sizeof(folder), "%s/guests/%s", copal, name);
    else if (xdg)
        snprintf(folder, sizeof(folder), "%s/copal/guests/%s", xdg, name);
    else
        snprintf(folder, sizeof(folder), "%s/.cache/copal/guests/%s",
                 home ? home : "", name);
    snprintf(s->kernel, sizeof(s->kernel), "%s/vmlinuz", folder);
    snprintf(s->initrd, sizeof(s->initrd), "%s/initrd", folder);
    if (access(s->kernel, R_OK) || access(s->initrd, R_OK)) {
        printf("skipped: no guest %s; tools/guest.sh %s prepares it\n", name,
               name);
        exit(EXIT_SKIPPED);
    }
    s->pair.kernel = s->kernel;
    s->pair.initrd = s->initrd;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t v = strtoull(text, &end, 0);

    if (*end || v == 0) {
        fprintf(stderr, "lockstep: '%s' is not a number above 0\n", text);
        exit(EXIT_CANNOT);
    }
    return v;
}

static void take_option(struct settings *s, int option)
{
    switch (option) {
    case OPT_GUEST: use_guest(s, optarg); break;
    case OPT_KERNEL: s->pair.kernel = optarg; break;
    case OPT_INITRD: s->pair.initrd = optarg; break;
    case OPT_APPEND: s->pair.append = optarg; break;
    case OPT_MEMORY: s->pair.memory = optarg; break;
    case OPT_INSNS: s->insns = number(optarg); break;
    case OPT_SLICE: s->pair.slice = number(optarg); break;
    case OPT_CHECK: s->check = number(optarg); break;
    case OPT_FINE: s->pair.fine = true; break;
    case OPT_SEED: s->pair.seed = number(optarg); break;
    default: fputs(usage, stderr); exit(EXIT_CANNOT);
    }
}

static void read_options(struct settings *s, int argc, char *argv[])
{
    int option;

    *s = (struct settings){
        .pair = {.append = "console=ttyS0", .memory = "256M", .slice = 2000,
                 .seed = 20261121},
        .insns = 200000000,
        .check = 1000,
    };
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        take_option(s, option);
    if (optind < argc || !s->pair.kernel) {
        fputs(usage, stderr);
        exit(EXIT_CANNOT);
    }
}

/* --- running --- */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct pair *new_pair(const struct settings *s)
{
    char error[PC_ERROR] = "";
    struct pair *p = pair_new(&s->pair, error);

    if (!p) {
        fprintf(stderr, "lockstep: %s\n", error);
        exit(EXIT_CANNOT);
    }
    return p;
}

static void print_progress(const struct pair *p, double start)
{
    const struct stats *st = &p->jit.pc.stats;

    printf("%4" PRIu64 " M instructions, %5.1f s, %4.1f%% translated, %" PRIu64
           " interrupts | %s\n",
           p->insns / 1000000, seconds() - start,
           100.0 * (double)st->insn_jit / (double)(p->insns ? p->insns : 1),
           st->interrupts, p->jit.console.last);
    fflush(stdout);
}

/* One slice.  Compares everything if `all`. */
static const char *run_one(struct pair *p, bool all)
{
    const char *what;

    if (!pair_run(p, pair_next_length(p)))
        return "number of instructions";
    what = all ? pair_compare_all(p) : pair_compare_cpu(p);
    if (!what)
        pair_finish(p);
    return what;
}

/* Runs until something differs; returns what, or NULL at the end.  *good is
 * the last slice after which everything was equal. */
static const char *run_pair(const struct settings *s, struct pair *p,
                            uint64_t *good)
{
    double start = seconds();
    uint64_t next = PROGRESS;
    const char *what;

    *good = 0;
    while (p->insns < s->insns && !p->ended) {
        bool all = (p->slices + 1) % s->check == 0;

        what = run_one(p, all);
        if (what)
            return what;
        if (all)
            *good = p->slices;
        if (p->insns >= next) {
            print_progress(p, start);
            next += PROGRESS;
        }
    }
    what = pair_compare_all(p);
    print_progress(p, start);
    return what;
}

/* --- hunting a difference --- */

/* The first slice after `good` at whose end anything differs. */
static uint64_t find_slice(const struct settings *s, uint64_t good,
                           uint64_t bad)
{
    struct pair *p = new_pair(s);

    pair_replay(p, good);
    while (p->slices < bad && !run_one(p, true))
        continue;
    bad = p->slices;
    pair_free(p);
    return bad;
}

/* A pair that has run so many instructions of slice number `slice`, the JIT
 * beginning a block after the first part. */
static struct pair *pair_within(const struct settings *s, uint64_t slice,
                                uint64_t first, uint64_t then)
{
    struct pair *p = new_pair(s);

    pair_replay(p, slice - 1);
    pair_next_length(p);
    pair_run(p, first);
    pair_run(p, then);
    return p;
}

static bool differs_after(const struct settings *s, uint64_t slice,
                          uint64_t first, uint64_t then)
{
    struct pair *p = pair_within(s, slice, first, then);
    bool differs = pair_compare_all(p) != NULL;

    pair_free(p);
    return differs;
}

static uint64_t slice_length(const struct settings *s, uint64_t slice)
{
    struct pair *p = new_pair(s);
    uint64_t before;

    pair_replay(p, slice - 1);
    before = p->insns;
    pair_run(p, pair_next_length(p));
    before = p->insns - before;
    pair_free(p);
    return before;
}

static uint64_t find_length(const struct settings *s, uint64_t slice)
{
    uint64_t same = 0, differing = slice_length(s, slice);

    while (differing - same > 1) {
        uint64_t middle = same + (differing - same) / 2;

        if (differs_after(s, slice, 0, middle))
            differing = middle;
        else
            same = middle;
    }
    return differing;
}

/* Of the n instructions that end with a difference, how many come before the
 * one that makes it. */
static uint64_t find_insn(const struct settings *s, uint64_t slice, uint64_t n)
{
    uint64_t differing = n > PAIR_BLOCK ? n - PAIR_BLOCK : 0, same = n;

    while (same - differing > 1) {
        uint64_t middle = differing + (same - differing) / 2;

        if (differs_after(s, slice, middle, n - middle))
            differing = middle;
        else
            same = middle;
    }
    return differing;
}

/* What the interpreter executes up to the difference. */
static void print_trail(const struct settings *s, uint64_t slice,
                        uint64_t culprit, uint64_t n)
{
    uint64_t skipped = n > TRAIL ? n - TRAIL : 0;
    struct pair *p = pair_within(s, slice, skipped, 0);

    for (uint64_t i = skipped; i < n; i++) {
        printf("%s", i == culprit ? "->" : "  ");
        report_insn(&p->interp.pc);
        run_slice(&p->interp.pc, 1);
    }
    pair_free(p);
}

static void hunt(const struct settings *s, uint64_t good, uint64_t bad)
{
    uint64_t slice = find_slice(s, good, bad);
    uint64_t n = find_length(s, slice);
    uint64_t culprit = find_insn(s, slice, n);
    struct pair *p = pair_within(s, slice, 0, n);
    const char *what = pair_compare_all(p);

    printf("slice %" PRIu64 ", after %" PRIu64 " instructions of it: %s\n",
           slice, n, what ? what : "equal when run again");
    printf("what ran up to there, the differing instruction marked:\n");
    print_trail(s, slice, culprit, n);
    report_states(p);
    pair_free(p);
}

int main(int argc, char *argv[])
{
    static struct settings s;
    struct pair *p;
    const char *what;
    uint64_t good, bad;

    read_options(&s, argc, argv);
    p = new_pair(&s);
    what = run_pair(&s, p, &good);
    bad = p->slices;
    printf("%" PRIu64 " instructions in %" PRIu64 " slices: %s%s%s\n", p->insns,
           bad, what ? "a difference in " : "no difference", what ? what : "",
           p->ended ? " when the guest ended" : "");
    if (p->why[0])
        printf("%s\n", p->why);
    fflush(stdout);
    pair_free(p);
    if (what)
        hunt(&s, good, bad);
    return what ? EXIT_DIFFERS : EXIT_SAME;
}
