#ifndef TESTS_DIFF_OPTIONS_H
#define TESTS_DIFF_OPTIONS_H

/* The command line of diff. */

#include <stdbool.h>
#include <stdint.h>

#include "tests/diff/case.h"

struct options {
    bool help;
    double seconds;        /* 0: no end */
    uint64_t seed, first, cases, limit;
    unsigned jobs;
    int row;               /* only this one, or -1 */
    bool kinds[CODE_KINDS];
    bool interp, jit, singles;
    bool coverage;
    const char *rows;      /* file for the table, or NULL */
    const char *record;    /* file, or NULL */
};

/* False: help was asked for, or a sentence about a mistake was printed. */
bool options_parse(struct options *o, int argc, char **argv);

#endif
