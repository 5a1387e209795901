#ifndef TESTS_DIFF_TRIAL_H
#define TESTS_DIFF_TRIAL_H

/* One case on the host CPU and in both engines. */

#include "tests/diff/compare.h"
#include "tests/diff/world.h"

struct trial {
    struct world *interp, *jit; /* NULL: not this one */
    struct rule_counts rules;
    uint64_t lost;              /* cases that did not end natively */
    bool record;                /* keep the host's memory in `pages` */
    uint8_t pages[RW_PAGES][PAGE];
};

/* What is known of a mismatch. */
struct mismatch {
    const char *engine, *what;
    struct outcome host, copal;
    char text[COMPARE_TEXT];
};

/* False: a mismatch, in *m.  The host's outcome is in m->host anyway. */
bool trial_run(struct trial *t, const struct test_case *c, struct mismatch *m);

/* Likewise, with the host's outcome and memory given (a recording). */
bool trial_engine(struct trial *t, struct world *w, const struct test_case *c,
                  const uint8_t *const pages[RW_PAGES], unsigned times,
                  struct mismatch *m);

#endif
