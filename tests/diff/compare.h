#ifndef TESTS_DIFF_COMPARE_H
#define TESTS_DIFF_COMPARE_H

/*
 * Two outcomes of one case.  What differs between makers, or because a Linux
 * kernel stands between the host CPU and the test, is settled by a named rule
 * (tests/diff/rules.def); each use of one is counted.
 */

#include <stdbool.h>
#include <stddef.h>

#include "tests/diff/case.h"

enum rule {
#define RULE(name, why) RULE_##name,
#include "tests/diff/rules.def"
#undef RULE
    RULES
};

struct rule_counts {
    uint64_t used[RULES];
};

enum { COMPARE_TEXT = 4096 };

/* NULL if they agree; else the name of the first thing that differs.  `text`,
 * if not NULL, gets a line for each.  a: the host's, b: Copal's.  excused: a
 * rule says that they need not agree at all, nor need memory. */
const char *compare(const struct test_case *c, const struct outcome *a,
                    const struct outcome *b, struct rule_counts *rules,
                    char text[COMPARE_TEXT], bool *excused);

/* Memory differs, and nothing else: is that excused, too? */
bool compare_memory_excused(const struct test_case *c,
                            const struct outcome *a, const struct outcome *b,
                            struct rule_counts *rules);

const char *rule_name(enum rule r);
const char *rule_reason(enum rule r);

#endif
