#ifndef TESTS_DIFF_SHRINK_H
#define TESTS_DIFF_SHRINK_H

#include "tests/diff/generate.h"
#include "tests/diff/trial.h"

/* Makes c as small as it can be while the engines still differ from the host,
 * and *m tell how.  False: it does not fail when run again. */
bool shrink(struct trial *t, const struct generator *g, struct test_case *c,
            struct mismatch *m);

#endif
