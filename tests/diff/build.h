#ifndef TESTS_DIFF_BUILD_H
#define TESTS_DIFF_BUILD_H

/*
 * Encodes instructions from the rows of the tables: prefixes, REX or VEX,
 * opcode, ModRM, SIB, displacement and immediates, chosen at random among what
 * the row allows.  The decoder only confirms the result.
 */

#include <stdbool.h>

#include "cpu/decode.h"
#include "tests/diff/case.h"
#include "tests/diff/random.h"

enum { POINTERS = 4 };

/* What the instructions of one program have in common. */
struct plan {
    struct rng *rng;
    struct test_case *c;
    uint32_t mode; /* enum cpu_mode, for the decoder */
    struct feature_set features;
    /* Registers that hold addresses of data, and an index of small value: no
     * instruction writes them, but for a few. */
    uint8_t pointer[POINTERS];
    uint8_t index;
    bool daring; /* operands may be where they should not */
    uint32_t spot[PATCHES]; /* addresses of patches */
    unsigned spots;
};

/* Makes an instruction of this row.  in: as decoded.  False: not possible here,
 * or bad luck. */
bool build_insn(const struct plan *p, unsigned row, struct item *it,
                struct insn *in);

/* Changes a bit of the encoding, or puts LOCK before it, so that it is none.
 * False: it still is, or processors newer than the tables know it. */
bool build_mutant(const struct plan *p, struct item *it, const struct insn *in);

/* The linear base of a segment at the start of the program. */
uint64_t build_segment_base(const struct test_case *c, unsigned seg);

/* An address for an operand of n bytes. */
uint64_t build_aim(const struct plan *p, unsigned n, bool aligned);

/* Mode bits for the decoder. */
uint32_t build_mode(enum code_kind kind);

#endif
