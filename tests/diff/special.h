#ifndef TESTS_DIFF_SPECIAL_H
#define TESTS_DIFF_SPECIAL_H

/*
 * Instructions that want something of the registers or of memory to be more
 * than a fault: string instructions, far jumps, loads of state ...
 */

#include "tests/diff/build.h"

enum special_use {
    USE_ANYWHERE, /* in blocks, too */
    USE_ALONE,    /* a program of this one instruction */
    USE_ENGINES,  /* alone, and not natively: tests/diff/not_native.def */
    USE_NEVER,    /* nor in the engines */
};

struct special {
    enum special_use use;
    /* Arranges the state before, in p->c.  NULL: nothing to do. */
    void (*prepare)(struct plan *p, const struct insn *in);
};

/* For a row. */
const struct special *special_of(unsigned row);

#endif
