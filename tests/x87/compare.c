/*
 * Every x87 instruction against the processor that the test runs on.
 *
 *     x87_compare [--cases N] [--blocks N] [--seconds S] [--seed N] [--row ID]
 *                 [--engines]
 *
 * N cases of each row of isa/x87.def and EMMS: random encodings and states
 * (rig.h says what is compared), corners of the formats, all rounding and
 * precision modes, full and empty registers, exceptions masked, unmasked and
 * pending.  The transcendental ones a second time without the host's help: not
 * only numbers, where functions.c says more, but all that is special.  Then N
 * blocks of a few instructions, of MMX too: what x87 and MMX share.  With S,
 * rounds of it all until the time is over.  --engines: the interpreter and the
 * JIT run each case too and must agree with the bodies.
 */

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cpu/interp.h"
#include "jit/jit.h"
#include "tests/x87/rig.h"
#include "tests/x87/world.h"

enum { DEFAULT_CASES = 10000, DEFAULT_BLOCKS = 200000, MAX_SHOWN = 5 };

struct options {
    unsigned long cases, blocks;
    double seconds;
    uint64_t seed;
    const char *row;
    bool engines;
};

struct totals {
    unsigned long rows, cases, blocks, failures;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool is_wanted(const struct options *o, unsigned id)
{
    const struct insn_info *info = &insn_info[id];

    if (!rig_body(id) || (info->attrs & A_MMX && id != I_EMMS))
        return false;
    return !o->row || !strcmp(o->row, info->id);
}

/* Counts what failed; shows the first of a row. */
static void note(struct rig *r, struct totals *t, const char *what,
                 unsigned long *failed)
{
    if (!what)
        return;
    if (++*failed <= MAX_SHOWN)
        rig_print(r, what);
    t->failures++;
}

static void run_row(struct rig *r, const struct options *o, unsigned id,
                    struct totals *t)
{
    unsigned long failed = 0;

    for (unsigned long i = 0; i < o->cases; i++) {
        rig_make(r, id);
        note(r, t, rig_run(r), &failed);
    }
    if (failed)
        printf("%s%s: %lu of %lu cases differ\n", insn_info[id].id,
               r->portable ? ", portable" : "", failed, o->cases);
    t->cases += o->cases;
}

static void run_blocks(struct rig *r, const struct options *o, struct totals *t)
{
    unsigned long failed = 0;

    for (unsigned long i = 0; i < o->blocks; i++) {
        rig_make_block(r);
        note(r, t, rig_run(r), &failed);
    }
    t->blocks += o->blocks;
}

static void run_round(struct rig *r, const struct options *o, struct totals *t)
{
    t->rows = 0;
    for (unsigned id = 0; id < INSN_COUNT; id++) {
        if (!is_wanted(o, id))
            continue;
        run_row(r, o, id, t);
        t->rows++;
        r->portable = rig_is_function(id);
        if (r->portable)
            run_row(r, o, id, t);
        r->portable = false;
    }
    if (!o->row)
        run_blocks(r, o, t);
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        {"cases", required_argument, NULL, 'c'},
        {"blocks", required_argument, NULL, 'b'},
        {"seconds", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'e'},
        {"row", required_argument, NULL, 'r'},
        {"engines", no_argument, NULL, 'g'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 'c': o->cases = strtoul(optarg, NULL, 0); break;
        case 'b': o->blocks = strtoul(optarg, NULL, 0); break;
        case 's': o->seconds = strtod(optarg, NULL); break;
        case 'e': o->seed = strtoull(optarg, NULL, 0); break;
        case 'r': o->row = optarg; break;
        case 'g': o->engines = true; break;
        default: return false;
        }
    return optind == argc;
}

static struct engine *new_jit(struct cpu *cpu)
{
    const struct jit_options options = {.count = true};

    return jit_new(cpu, &options);
}

static void add_engines(struct rig *r)
{
    r->engine[0].name = "the interpreter";
    r->engine[0].world = world_new(interp_new);
    r->engine[1].name = "the JIT";
    r->engine[1].world = world_new(new_jit);
    for (unsigned i = 0; i < RIG_ENGINES; i++)
        rig_require(r->engine[i].world, r->engine[i].name);
}

int main(int argc, char **argv)
{
    struct options o = {.cases = DEFAULT_CASES,
                        .blocks = DEFAULT_BLOCKS,
                        .seed = (uint64_t)time(NULL)};
    struct totals t = {0};
    double start = now();
    struct rig *r;

    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: x87_compare [--cases N] [--blocks N] "
                        "[--seconds S] [--seed N] [--row ID] [--engines]\n");
        return 2;
    }
    r = rig_new(o.seed);
    if (o.engines)
        add_engines(r);
    do {
        run_round(r, &o, &t);
    } while (now() - start < o.seconds);
    printf("x87: %lu rows, %lu cases and %lu blocks, of which %lu ended with "
           "an exception pending and %lu took #MF; %lu differ; seed %llu\n",
           t.rows, t.cases, t.blocks, r->faults, r->traps, t.failures,
           (unsigned long long)o.seed);
    rig_free(r);
    return t.failures || !t.cases;
}
