#ifndef CPU_WIDE_H
#define CPU_WIDE_H

/*
 * Inexact arithmetic for the transcendental x87 instructions: 128 significant
 * bits, of which all but the last few are right, so that a result rounded to
 * 64 bits is nearly always the right one.
 *
 * Two forms: struct softnum, here with operands of all 128 bits; and fixed
 * point for power series, numbers in [0, 2) as multiples of 2^-127.
 */

#include "base/compiler.h"
#include "cpu/softnum.h"

#define WIDE_CONST(high, low) ((uint128)(high) << 64 | (low))
#define FIXED_ONE ((uint128)1 << 127)

/* --- struct softnum --- */

struct softnum wide_mul(struct softnum a, struct softnum b);
struct softnum wide_div(struct softnum a, struct softnum b); /* b != 0 */
struct softnum wide_add(struct softnum a, struct softnum b);
struct softnum wide_from_int(int64_t v);

static inline struct softnum wide_negated(struct softnum a)
{
    a.sign = !a.sign;
    return a;
}

static inline struct softnum wide_magnitude(struct softnum a)
{
    a.sign = false;
    return a;
}

/* --- fixed point --- */

uint128 fixed_mul(uint128 a, uint128 b); /* the product is below 2 */
uint128 fixed_of(struct softnum a);      /* |a|, which is below 2 */
struct softnum fixed_number(uint128 a);

/* 1/1, 1/3, 1/5, ... */
enum { FIXED_ODD_COUNT = 26 };
extern const uint128 fixed_odd_reciprocal[FIXED_ODD_COUNT];

#endif
