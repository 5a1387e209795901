#ifndef CPU_SOFTFLOAT_H
#define CPU_SOFTFLOAT_H

/*
 * IEEE 754 arithmetic on the bits of single and double numbers, as SSE does it
 * (SDM vol. 1, 4.8, 11.5 and appendix E): rounding mode, DAZ and FTZ in, six
 * exception flags out.  Integer arithmetic only: the same bits on any host.
 *
 * NaN operands: a result is the first operand that is a NaN, made quiet; an
 * invalid operation gives the default NaN, which is negative.  Tininess is
 * detected after rounding.
 *
 * A flag that is unmasked changes what is reported: a tiny result underflows
 * even if exact, and FTZ is without effect.  The result is then without
 * meaning, as the instruction will not write it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/softnum.h"

/* Exceptions, in the order of the bits of MXCSR and of the x87 status word. */
enum {
    SF_INVALID = 1 << 0,
    SF_DENORMAL = 1 << 1,
    SF_DIVZERO = 1 << 2,
    SF_OVERFLOW = 1 << 3,
    SF_UNDERFLOW = 1 << 4,
    SF_INEXACT = 1 << 5,
    SF_ALL = 0x3f,
    /* Found before the operation; the rest after it. */
    SF_PRE = SF_INVALID | SF_DENORMAL | SF_DIVZERO,
};

struct sf_env {
    enum softnum_round round;
    bool daz;         /* denormal operands are zeros */
    bool ftz;         /* tiny results become zeros */
    uint8_t unmasked; /* exceptions that trap */
    uint8_t flags;    /* out: ORed together */
};

/* Widths of the fields; a sign bit is above them. */
struct sf_format {
    uint8_t exp_bits, frac_bits;
};

extern const struct sf_format sf_half, sf_single, sf_double;

typedef uint64_t sf_binary(struct sf_env *env, const struct sf_format *f,
                           uint64_t a, uint64_t b);

sf_binary sf_add, sf_sub, sf_mul, sf_div;
/* As MINPS and MAXPS: b if either is a NaN (invalid) or both are zeros. */
sf_binary sf_min, sf_max;

uint64_t sf_sqrt(struct sf_env *env, const struct sf_format *f, uint64_t a);

/* a * b + c, rounded once.  `negate` turns the sign of what is not a NaN. */
enum { SF_NEGATE_PRODUCT = 1 << 0, SF_NEGATE_ADDEND = 1 << 1 };
uint64_t sf_fma(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b, uint64_t c, unsigned negate);

enum sf_order { SF_LESS = -1, SF_EQUAL = 0, SF_GREATER = 1, SF_UNORDERED = 2 };

/* A signalling NaN is invalid; with `signals`, a quiet one too. */
enum sf_order sf_compare(struct sf_env *env, const struct sf_format *f,
                         uint64_t a, uint64_t b, bool signals);

/* Between formats. */
uint64_t sf_convert(struct sf_env *env, const struct sf_format *from,
                    const struct sf_format *to, uint64_t a);

uint64_t sf_from_int(struct sf_env *env, const struct sf_format *f, int64_t v);
/* To a signed integer of n bytes (4 or 8), sign-extended; what does not fit is
 * invalid and gives the most negative one. */
uint64_t sf_to_int(struct sf_env *env, const struct sf_format *f, uint64_t a,
                   unsigned n, enum softnum_round round);

/* To an integer of the same format.  Denormal operands are no exception. */
uint64_t sf_round_to_int(struct sf_env *env, const struct sf_format *f,
                         uint64_t a, enum softnum_round round);

/* RCPSS and RSQRTSS: the exact value rounded to 12 bits.  Raise nothing and
 * ignore the environment: denormals are zeros on both sides. */
uint64_t sf_rcp12(const struct sf_format *f, uint64_t a);
uint64_t sf_rsqrt12(const struct sf_format *f, uint64_t a);

#endif
