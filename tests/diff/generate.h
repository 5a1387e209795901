#ifndef TESTS_DIFF_GENERATE_H
#define TESTS_DIFF_GENERATE_H

/*
 * Case number k of a seed: program k / VARIATIONS, with another state before
 * for each of the VARIATIONS.  Kinds of code come in the ratio 10 : 3 : 1 : 1,
 * and within a kind all rows equally often.
 */

#include <stdbool.h>

#include "cpu/insn.h"
#include "tests/diff/case.h"

enum { VARIATIONS = 4 };

struct special;

struct generator {
    uint64_t seed;
    struct feature_set features; /* of the programs' processor */
    struct feature_set host;     /* those that the host CPU has */
    bool kinds[CODE_KINDS]; /* wanted */
    const struct special *special[INSN_COUNT];
    int only;               /* this row, or -1 */
    bool singles;           /* no blocks */
    uint16_t rows[CODE_KINDS][2 * INSN_COUNT];
    unsigned row_count[CODE_KINDS];
    /* Rows that may accompany others in a block. */
    uint16_t company[CODE_KINDS][INSN_COUNT];
    unsigned company_count[CODE_KINDS];
};

/* Fills the lists from seed, features, kinds and only. */
void generator_init(struct generator *g);

/* False: no program was found for this number. */
bool generate(const struct generator *g, uint64_t number, struct test_case *c);

/* Its two steps: the program with the first state, and state `number`. */
bool generate_program(const struct generator *g, uint64_t program,
                      struct test_case *c);
void generate_state(const struct generator *g, uint64_t number,
                    struct test_case *c);

/* Works out anew which flags are unsure where.  False: an instruction reads one
 * that is. */
bool generate_check(const struct generator *g, struct test_case *c);

/* Flags that the row reads or computes with, given its condition. */
uint32_t generate_reads(const struct insn *in);

#endif
