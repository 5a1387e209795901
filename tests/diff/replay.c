/*
 * Recorded answers of an x86 processor (diff --record), compared with the
 * interpreter of this host, whatever it is.
 */

#include <stdio.h>
#include <stdlib.h>

#include "cpu/interp.h"
#include "tests/diff/record.h"
#include "tests/diff/trial.h"

static struct engine *make_interp(struct cpu *cpu)
{
    return interp_new(cpu);
}

struct replay {
    struct generator g;
    struct trial trial;
    struct test_case c;
    struct mismatch m;
    uint64_t cases[CODE_KINDS], mismatches;
};

enum { SHOWN = 10 };

static void replay_case(struct replay *r)
{
    const uint8_t *pages[RW_PAGES];

    for (unsigned p = 0; p < RW_PAGES; p++)
        pages[p] = r->trial.pages[p];
    r->cases[r->c.kind]++;
    if (trial_engine(&r->trial, r->trial.interp, &r->c, pages, 1, &r->m))
        return;
    if (r->mismatches++ < SHOWN)
        printf("MISMATCH seed %llu case %llu row %s: %s differs\n%s",
               (unsigned long long)r->c.seed, (unsigned long long)r->c.number,
               insn_info[r->c.row].id, r->m.what, r->m.text);
}

static bool replay_file(struct replay *r, const char *path)
{
    FILE *f = record_open(path, &r->g);
    bool bad;

    if (!f)
        return false;
    r->trial.interp = world_new("interp", make_interp, r->g.features);
    while (record_next(f, &r->g, &r->c, &r->m.host, r->trial.pages, &bad))
        replay_case(r);
    fclose(f);
    if (bad)
        fprintf(stderr, "%s: cut off\n", path);
    return !bad;
}

int main(int argc, char **argv)
{
    struct replay *r = calloc(1, sizeof(*r));
    uint64_t all = 0;

    if (argc != 2 || !r) {
        fprintf(stderr, "usage: replay FILE\n");
        return 2;
    }
    if (!replay_file(r, argv[1]))
        return 2;
    for (unsigned k = 0; k < CODE_KINDS; k++) {
        printf("%-12s %12llu cases\n", case_kind_name((enum code_kind)k),
               (unsigned long long)r->cases[k]);
        all += r->cases[k];
    }
    for (unsigned i = 0; i < RULES; i++)
        if (r->trial.rules.used[i])
            printf("  %10llu %-16s %s\n",
                   (unsigned long long)r->trial.rules.used[i],
                   rule_name((enum rule)i), rule_reason((enum rule)i));
    printf("replay: %llu cases, %llu mismatches\n", (unsigned long long)all,
           (unsigned long long)r->mismatches);
    return all && !r->mismatches ? 0 : 1;
}
