#include "tests/diff/coverage.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/diff/special.h"

/* --- counting --- */

static bool may_be_skipped(const struct test_case *c, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (c->item[k].target != ITEM_NO_TARGET && c->item[k].target > i)
            return true;
    return false;
}

static unsigned last_item(const struct test_case *c, const struct outcome *host)
{
    uint64_t at = host->state.rip + case_cs_base(c->kind) - c->code_at;

    if (host->vector == END_NORMAL || at >= c->code_size)
        return c->count;
    return case_item_at(c, at) + 1;
}

void tally_case(struct tally *t, const struct test_case *c,
                const struct outcome *host, bool interp, bool jit)
{
    unsigned end = last_item(c, host);

    t->cases[c->kind]++;
    t->mutants += c->mutant;
    if (c->mutant)
        return;
    for (unsigned i = 0; i < end && i < c->count; i++) {
        unsigned row = c->item[i].row;

        if (may_be_skipped(c, i))
            continue;
        t->decoded[row]++;
        t->native[row] += c->native;
        t->interp[row] += interp;
        t->jit[row] += jit;
    }
}

static void add(uint64_t *sum, const uint64_t *part, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sum[i] += part[i];
}

void tally_add(struct tally *sum, const struct tally *part)
{
    add(sum->cases, part->cases, CODE_KINDS);
    add(sum->native, part->native, INSN_COUNT);
    add(sum->interp, part->interp, INSN_COUNT);
    add(sum->jit, part->jit, INSN_COUNT);
    add(sum->decoded, part->decoded, INSN_COUNT);
    add(sum->rules.used, part->rules.used, RULES);
    sum->none += part->none;
    sum->mutants += part->mutants;
    sum->lost += part->lost;
    sum->mismatches += part->mismatches;
}

void tally_print(const struct tally *t)
{
    uint64_t all = 0;

    for (unsigned k = 0; k < CODE_KINDS; k++) {
        printf("%-12s %12llu cases\n", case_kind_name((enum code_kind)k),
               (unsigned long long)t->cases[k]);
        all += t->cases[k];
    }
    printf("%-12s %12llu cases, %llu mismatches\n", "all",
           (unsigned long long)all, (unsigned long long)t->mismatches);
    printf("%llu of these were encodings that must be #UD\n",
           (unsigned long long)t->mutants);
    if (t->lost)
        printf("%llu programs left by a system call or did not end\n",
               (unsigned long long)t->lost);
    printf("Rules that were used:\n");
    for (unsigned i = 0; i < RULES; i++)
        if (t->rules.used[i])
            printf("  %10llu %-16s %s\n",
                   (unsigned long long)t->rules.used[i],
                   rule_name((enum rule)i), rule_reason((enum rule)i));
}

/* --- who covers what is not native --- */

enum why { WHY_BODY, WHY_PRIVILEGED, WHY_HOST, WHY_ROW };

struct listed {
    enum why why;
    const char *body;
    unsigned what; /* feature, or row */
    const char *reason, *test;
};

static const struct listed list[] = {
#define NOT_NATIVE(body, use, why, test) {WHY_BODY, #body, 0, why, test},
#define PRIVILEGED(body, test) {WHY_PRIVILEGED, #body, 0, "privileged", test},
#define NOT_ON_HOST(feat, test) \
    {WHY_HOST, NULL, FEAT_##feat, "this host lacks it", test},
#define SHADOWED(row, why, test) {WHY_ROW, NULL, I_##row, why, test},
#include "tests/diff/not_native.def"
#undef SHADOWED
#undef NOT_NATIVE
#undef PRIVILEGED
#undef NOT_ON_HOST
};

enum { LISTED = sizeof(list) / sizeof(list[0]) };

/* What the list says of a row; NULL: nothing. */
static const struct listed *listed(const struct generator *g, unsigned row)
{
    const struct insn_info *info = &insn_info[row];

    for (unsigned i = 0; i < LISTED; i++) {
        const struct listed *l = &list[i];

        if (l->body && !strcmp(l->body, info->body))
            return l;
        if (l->why == WHY_ROW && l->what == row)
            return l;
        if (l->why == WHY_HOST && l->what == info->feature &&
            !feature_set_has(&g->host, info->feature))
            return l;
    }
    return NULL;
}

/* "unit/cpu/fpu" is tests/unit/cpu/test_fpu.c, "kernel" is a folder. */
static bool test_exists(const char *name)
{
    char path[512];
    const char *base = strrchr(name, '/');

    if (base)
        snprintf(path, sizeof(path), "%s/tests/%.*s/test_%s.c",
                 COPAL_SOURCE_DIR, (int)(base - name), name, base + 1);
    else
        snprintf(path, sizeof(path), "%s/tests/%s", COPAL_SOURCE_DIR, name);
    return access(path, R_OK) == 0;
}

static bool list_is_right(const struct generator *g)
{
    bool ok = true;

    for (unsigned i = 0; i < LISTED; i++) {
        if (test_exists(list[i].test))
            continue;
        printf("not_native.def: there is no test %s\n", list[i].test);
        ok = false;
    }
    for (unsigned row = 0; row < INSN_COUNT; row++) {
        if (!(insn_info[row].attrs & A_CPL0) || listed(g, row))
            continue;
        printf("not_native.def: %s is privileged and not listed\n",
               insn_info[row].id);
        ok = false;
    }
    return ok;
}

/* --- the table --- */

static void write_row(FILE *f, const struct tally *t, const struct generator *g,
                      unsigned row)
{
    const struct listed *l = listed(g, row);

    fprintf(f, "  %-28s %10llu %10llu %10llu %10llu", insn_info[row].id,
            (unsigned long long)t->decoded[row],
            (unsigned long long)t->interp[row],
            (unsigned long long)t->jit[row],
            (unsigned long long)t->native[row]);
    if (l)
        fprintf(f, "  %s: %s", l->reason, l->test);
    fputc('\n', f);
}

static void write_head(FILE *f)
{
    fprintf(f, "  %-28s %10s %10s %10s %10s\n", "row", "decoder", "interp",
            "jit", "native");
}

bool coverage_write(const struct tally *t, const struct generator *g,
                    const char *path)
{
    FILE *f = fopen(path, "w");

    if (!f) {
        perror(path);
        return false;
    }
    write_head(f);
    for (unsigned row = 0; row < INSN_COUNT; row++)
        write_row(f, t, g, row);
    return fclose(f) == 0;
}

static bool by_all(const struct tally *t, unsigned row)
{
    return t->decoded[row] && t->interp[row] && t->jit[row] && t->native[row];
}

static void print_others(const struct tally *t, const struct generator *g)
{
    printf("Rows that not all have executed, and the test that covers them "
           "instead:\n");
    write_head(stdout);
    for (unsigned row = 0; row < INSN_COUNT; row++)
        if (!by_all(t, row))
            write_row(stdout, t, g, row);
}

/* The row that was compared with the host most seldom. */
static unsigned rarest(const struct tally *t)
{
    unsigned best = 0;
    uint64_t least = UINT64_MAX;

    for (unsigned row = 0; row < INSN_COUNT; row++) {
        if (t->native[row] && t->native[row] < least) {
            least = t->native[row];
            best = row;
        }
    }
    return best;
}

/* Some rounds over all rows, even of those that only 32-bit code has. */
static bool is_long_enough(const struct tally *t, const struct generator *g)
{
    return t->cases[CODE_32] >= 4 * VARIATIONS * g->row_count[CODE_32];
}

bool coverage_print(const struct tally *t, const struct generator *g)
{
    unsigned native = 0, missed = 0, least = rarest(t);

    if (!is_long_enough(t, g)) {
        printf("Too few cases to say which rows nobody executes.\n");
        return list_is_right(g);
    }

    print_others(t, g);
    for (unsigned row = 0; row < INSN_COUNT; row++) {
        native += t->native[row] != 0;
        if (t->native[row] || listed(g, row))
            continue;
        printf("row %s: executed by nobody\n", insn_info[row].id);
        missed++;
    }
    printf("Rows: %u; %u compared with the host CPU, %s least often: %llu "
           "times; %u listed with another test, %u executed by nobody\n",
           (unsigned)INSN_COUNT, native, insn_info[least].id,
           (unsigned long long)t->native[least], INSN_COUNT - native - missed,
           missed);
    return list_is_right(g) && !missed;
}
