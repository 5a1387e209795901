#ifndef CPU_SOFTNUM_H
#define CPU_SOFTNUM_H

/*
 * Numbers between operands and result of a floating-point operation: exact, or
 * with a sticky bit, and not yet rounded to any format.  Integer arithmetic
 * only, so the bits are the same on every host.
 *
 * A number is sig / 2^127 * 2^exp with bit 127 of sig set; sig 0 is zero.
 * Operands have at most 64 significant bits (the upper half of sig), which is
 * what the widest x86 format needs.  Results have 128, the lowest of which is
 * sticky: it is also set if anything below was lost.  Rounding to 65 bits or
 * fewer then gives what rounding the exact result would.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

enum { SOFTNUM_BITS = 128 };

struct softnum {
    uint128 sig;
    int32_t exp;
    bool sign;
};

/* In the order of MXCSR.RC and of the x87 control word's RC. */
enum softnum_round { ROUND_NEAREST, ROUND_DOWN, ROUND_UP, ROUND_ZERO };

/* sign * sig * 2^exp (sig any integer) in normal form. */
struct softnum softnum_make(bool sign, uint128 sig, int32_t exp);

/* Here operands may have 126 bits (products do).  A sum of zero has the sign of
 * a; the caller knows the rule for zeros. */
struct softnum softnum_add(struct softnum a, struct softnum b);
struct softnum softnum_mul(struct softnum a, struct softnum b);
struct softnum softnum_div(struct softnum a, struct softnum b); /* b != 0 */
/* Of a positive number; `digits` bits of the root are exact, <= 66. */
struct softnum softnum_sqrt(struct softnum a, unsigned digits);

/* -1, 0, 1: a < b, a == b, a > b; zeros are equal whatever their signs. */
int softnum_compare(struct softnum a, struct softnum b);

/* sig without its low `drop` bits (1 or more), rounded; the result may have
 * one more bit than were kept.  Tells whether that is inexact, and whether it
 * was rounded away from zero. */
struct softnum_rounded {
    uint128 sig;
    bool inexact, up;
};
struct softnum_rounded softnum_round(bool sign, uint128 sig, unsigned drop,
                                     enum softnum_round mode);

#endif
