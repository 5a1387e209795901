#ifndef TESTS_VECTORS_RULES_H
#define TESTS_VECTORS_RULES_H

/*
 * Where Copal, a 386 and later, must differ from the processor that was
 * recorded.  Every such difference is a rule with a name, and what it leaves
 * out is counted under it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/insn.h"
#include "tests/vectors/moo.h"

enum recorded_cpu { CPU_8086 = 1, CPU_80286 = 2 };

/* A case and its first instruction as Copal decodes it; `known` is false if it
 * is none. */
struct subject {
    const struct moo_case *c;
    enum recorded_cpu cpu;
    bool known;
    struct insn in;
};

struct rule {
    const char *name, *why;
    unsigned cpus; /* set of enum recorded_cpu */
    bool (*applies)(const struct subject *s);
};

/* Ends with a NULL name. */
extern const struct rule rules[];

/* The first rule that says not to run the case; NULL if it is to be run. */
const struct rule *rules_skip(const struct subject *s);

/* True for a segment overrun.  In real mode the 80286 raised 13 for all
 * segments; the stack segment's is 12 since the 80386, so the case is run with
 * the handler of 13 at both. */
bool rules_same_handler(const struct subject *s);

/* Bits of FLAGS that the case settles: not those that the manual calls
 * undefined after this instruction, nor bits 12-15, which were not there. */
uint16_t rules_flags(const struct subject *s);

/* True if the case pushed FLAGS, which then lie at *at in memory. */
bool rules_pushed_flags(const struct subject *s, uint32_t *at);

#endif
