#ifndef TESTS_DIFF_COVERAGE_H
#define TESTS_DIFF_COVERAGE_H

/* How often each row of the tables was executed, and by whom. */

#include <stdbool.h>

#include "cpu/insn.h"
#include "tests/diff/compare.h"
#include "tests/diff/generate.h"

struct tally {
    uint64_t cases[CODE_KINDS];
    uint64_t none, lost, mismatches, mutants;
    uint64_t native[INSN_COUNT]; /* programs in which the row was executed */
    uint64_t interp[INSN_COUNT], jit[INSN_COUNT], decoded[INSN_COUNT];
    struct rule_counts rules;
};

/* After a case that the host ended with `host`.  Instructions that a jump may
 * have passed over are not counted. */
void tally_case(struct tally *t, const struct test_case *c,
                const struct outcome *host, bool interp, bool jit);

void tally_add(struct tally *sum, const struct tally *part);

/* Cases, rules and their counts. */
void tally_print(const struct tally *t);

/* A summary, and rows that not all have executed.  False: there is a row that
 * nobody executed, or tests/diff/not_native.def is not complete. */
bool coverage_print(const struct tally *t, const struct generator *g);

/* A line for each row.  False: the file cannot be written. */
bool coverage_write(const struct tally *t, const struct generator *g,
                    const char *path);

#endif
