/*
 * Random programs from the instruction tables: on the host CPU, in the
 * interpreter and in the JIT.  diff --help lists the options.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/interp.h"
#include "jit/jit.h"
#include "tests/diff/coverage.h"
#include "tests/diff/generate.h"
#include "tests/diff/jobs.h"
#include "tests/diff/listing.h"
#include "tests/diff/native.h"
#include "tests/diff/options.h"
#include "tests/diff/record.h"
#include "tests/diff/shrink.h"
#include "tests/diff/trial.h"

/* --- engines --- */

static struct engine *make_interp(struct cpu *cpu)
{
    return interp_new(cpu);
}

/* As in a machine, but for the size of the cache: nothing is counted, nothing
 * stops a block. */
static struct engine *make_jit(struct cpu *cpu)
{
    const struct jit_options options = {.code_size = 1 << 20};

    return jit_new(cpu, &options);
}

/* What Copal has: features of its richest model, and those that the host
 * lacks. */
static void choose_features(struct generator *g)
{
    g->host = native_features();
    g->features = world_features();
}

/* --- one process --- */

struct runner {
    const struct options *o;
    struct generator g;
    struct trial trial;
    struct tally *tally;
    struct test_case program, c;
    uint64_t program_number;
    bool has_program; /* if one was found for that number */
    struct mismatch m;
    unsigned shown[INSN_COUNT];
    FILE *record;
};

enum { SHOWN_PER_ROW = 2 };

static void report(struct runner *r)
{
    unsigned row = r->c.row;

    r->tally->mismatches++;
    if (r->shown[row]++ >= SHOWN_PER_ROW)
        return;
    printf("MISMATCH %s: repeat with --seed %llu --case %llu%s\n",
           insn_info[row].id, (unsigned long long)r->g.seed,
           (unsigned long long)r->c.number,
           r->g.singles ? " --single" : "");
    if (r->g.only >= 0)
        printf("  with --row %s\n", insn_info[r->g.only].id);
    if (!shrink(&r->trial, &r->g, &r->c, &r->m))
        printf("  not when run again: it depends on earlier programs\n");
    printf("  %s differs in %s:\n", r->m.what, r->m.engine);
    listing_program(&r->c);
    listing_state(&r->c);
    printf("  after:\n%s", r->m.text);
    fflush(stdout);
}

/* Programs are made once for all their states. */
static bool make_case(struct runner *r, uint64_t number)
{
    uint64_t program = number / VARIATIONS;

    if (!r->program.seed || program != r->program_number) {
        r->has_program = generate_program(&r->g, program, &r->program);
        r->program_number = program;
    }
    if (!r->has_program)
        return false;
    r->c = r->program;
    generate_state(&r->g, number, &r->c);
    return true;
}

static void run_case(struct runner *r, uint64_t number)
{
    uint64_t lost = r->trial.lost;
    bool ok;

    if (!make_case(r, number)) {
        r->tally->none++;
        return;
    }
    ok = trial_run(&r->trial, &r->c, &r->m);
    if (lost != r->trial.lost)
        return;
    tally_case(r->tally, &r->c, &r->m.host, r->trial.interp, r->trial.jit);
    if (r->record && ok && r->c.native)
        record_case(r->record, &r->c, &r->m.host, r->trial.pages);
    if (!ok)
        report(r);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run_cases(struct runner *r)
{
    const struct options *o = r->o;
    double end = now() + o->seconds;
    uint64_t k = o->first;

    while (k - o->first < o->cases && r->tally->mismatches < o->limit) {
        if (!(k & 63) && o->seconds > 0 && now() > end)
            break;
        run_case(r, k++);
    }
    r->tally->rules = r->trial.rules;
    r->tally->lost = r->trial.lost;
}

/* What the host cannot run is named once. */
static void choose_kinds(struct runner *r, bool say)
{
    for (unsigned k = 0; k < CODE_KINDS; k++) {
        const char *why;

        r->g.kinds[k] = r->o->kinds[k];
        if (!r->g.kinds[k] || native_can((enum code_kind)k, &why))
            continue;
        r->g.kinds[k] = false;
        if (say)
            printf("skipped: %s code: %s\n",
                   case_kind_name((enum code_kind)k), why);
    }
}

static bool start_engines(struct runner *r)
{
    const struct feature_set f = r->g.features;

    if (r->o->interp)
        r->trial.interp = world_new("interp", make_interp, f);
    if (r->o->jit)
        r->trial.jit = world_new("jit", make_jit, f);
    return r->trial.interp || r->trial.jit;
}

/* False: nothing could be run. */
static bool run_process(const struct options *o, unsigned index,
                        struct tally *tally, struct generator *g)
{
    struct runner *r = calloc(1, sizeof(*r));
    bool ok;

    if (!r || !native_init())
        return false;
    r->o = o;
    r->tally = tally;
    r->g.seed = o->seed + index;
    r->g.only = o->row;
    r->g.singles = o->singles;
    choose_features(&r->g);
    choose_kinds(r, index == 0);
    generator_init(&r->g);
    r->trial.record = o->record != NULL;
    if (o->record)
        r->record = record_create(o->record, &r->g, o->first);
    ok = start_engines(r) && (!o->record || r->record);
    if (ok)
        run_cases(r);
    if (r->record && fclose(r->record))
        ok = false;
    *g = r->g;
    free(r);
    return ok;
}

/* --- several --- */

struct shared {
    bool ran;
    struct tally tally;
    struct generator g;
};

struct work {
    const struct options *o;
    struct shared *shared;
};

static void work(void *arg, unsigned index)
{
    const struct work *w = arg;
    struct shared *s = &w->shared[index];

    s->ran = run_process(w->o, index, &s->tally, &s->g);
}

int main(int argc, char **argv)
{
    struct options o;
    struct tally *sum = calloc(1, sizeof(*sum));
    struct work w = {.o = &o};
    bool ok;

    if (!options_parse(&o, argc, argv))
        return o.help ? 0 : 2;
    printf("diff: --seed %llu --jobs %u\n", (unsigned long long)o.seed, o.jobs);
    w.shared = jobs_shared(o.jobs * sizeof(*w.shared));
    if (!sum || !w.shared)
        return 2;
    ok = jobs_run(o.jobs, work, &w);
    for (unsigned i = 0; i < o.jobs; i++) {
        ok &= w.shared[i].ran;
        tally_add(sum, &w.shared[i].tally);
    }
    tally_print(sum);
    if (o.coverage)
        ok &= coverage_print(sum, &w.shared[0].g);
    if (o.rows)
        ok &= coverage_write(sum, &w.shared[0].g, o.rows);
    ok &= !sum->mismatches;
    printf("diff: %s\n", ok ? "ok" : "FAILED");
    return ok ? 0 : 1;
}
