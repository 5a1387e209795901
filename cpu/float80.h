#ifndef CPU_FLOAT80_H
#define CPU_FLOAT80_H

/*
 * Arithmetic on 80-bit extended numbers as the x87 does it (SDM vol. 1, 4.8,
 * 8.2 to 8.5): rounding and precision control, C1, every exception with its
 * masked and unmasked response.  Integer arithmetic only: the same bits on any
 * host.
 *
 * Operands come with their class, because a conversion to 80 bits hides that a
 * single or double number was denormal.  Exceptions are those of softfloat.h
 * (SF_*), in the order of the status word.
 *
 * Flags are ORed into the environment.  If one of SF_PRE is unmasked, the
 * operation has stopped there and the result has no meaning.  An unmasked
 * overflow or underflow gives a result with its exponent moved by 24576
 * (4.9.1.5).
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/softfloat.h"
#include "cpu/softnum.h"

/* Finite numbers stand before infinity, NaNs last. */
enum f80_class {
    F80_UNSUPPORTED, /* unnormals, pseudo-infinity, pseudo-NaNs (8.2.2) */
    F80_ZERO,
    F80_DENORMAL, /* and pseudo-denormals */
    F80_NORMAL,
    F80_INFINITY,
    F80_QNAN,
    F80_SNAN,
};

struct f80 {
    struct fpreg bits;
    enum f80_class class;
};

struct f80_env {
    enum softnum_round round;
    uint8_t digits;   /* bits of a significand after rounding: 24, 53, 64 */
    uint8_t unmasked; /* exceptions that trap */
    uint8_t flags;    /* out: ORed together */
    bool up;          /* out: the last rounding was away from zero (C1) */
};

enum { F80_BIAS = 16383, F80_EXP_MAX = 0x7fff, F80_DIGITS = 64 };
#define F80_INTEGER_BIT ((uint64_t)1 << 63)

/* Packed decimal (8.1.2, "Packed BCD"): 18 digits, sign in the top bit. */
enum { F80_BCD_SIZE = 10 };

/* --- operands --- */

struct f80 f80_of(struct fpreg bits);
struct f80 f80_from_single(uint32_t v);
struct f80 f80_from_double(uint64_t v);
struct f80 f80_from_int(int64_t v);
struct f80 f80_from_bcd(const uint8_t bcd[F80_BCD_SIZE]);

static inline bool f80_sign(const struct f80 *a)
{
    return a->bits.exp >> 15;
}

static inline bool f80_is_nan(const struct f80 *a)
{
    return a->class >= F80_QNAN;
}

/* Of a finite number. */
struct softnum f80_number(const struct f80 *a);

struct fpreg f80_zero(bool sign);
struct fpreg f80_infinity(bool sign);
struct fpreg f80_default_nan(void); /* "real indefinite" */

/* --- what operations begin and end with --- */

/* Has an unmasked exception stopped the operation? */
static inline bool f80_stopped(const struct f80_env *env)
{
    return env->flags & env->unmasked & SF_PRE;
}

/* Raises invalid. */
struct fpreg f80_invalid(struct f80_env *env);
/* True if an operand is a NaN or unsupported: *r is the result.  b may be
 * NULL. */
bool f80_special(struct f80_env *env, const struct f80 *a, const struct f80 *b,
                 struct fpreg *r);
/* Raises denormal if an operand is.  b may be NULL. */
void f80_note_denormal(struct f80_env *env, const struct f80 *a,
                       const struct f80 *b);
/* Rounds to env->digits, and to the range of exponents. */
struct fpreg f80_round(struct f80_env *env, struct softnum n);

/* --- operations --- */

typedef struct fpreg f80_binary(struct f80_env *env, const struct f80 *a,
                                const struct f80 *b);
typedef struct fpreg f80_unary(struct f80_env *env, const struct f80 *a);

f80_binary f80_add, f80_sub, f80_mul, f80_div;
f80_unary f80_sqrt;
f80_unary f80_round_int; /* FRNDINT */
f80_binary f80_scale;    /* a * 2^b, b rounded to zero */

/* FXTRACT: exponent and significand of a. */
struct fpreg f80_extract(struct f80_env *env, const struct f80 *a,
                         struct fpreg *significand);

/* FPREM, FPREM1: a - b * q.  The quotient is rounded to zero or to nearest;
 * only its low bits are kept.  A step reduces the exponent by less than 64: if
 * `partial`, more of them are needed.  `none`: there is no quotient, as the
 * operation was invalid or has stopped, or an operand is a NaN. */
struct f80_remainder {
    struct fpreg value;
    uint8_t quotient;
    bool partial, none;
};
struct f80_remainder f80_rem(struct f80_env *env, const struct f80 *a,
                             const struct f80 *b, enum softnum_round round);

/* A signalling NaN or what is unsupported is invalid; with `signals`, a quiet
 * NaN too. */
enum sf_order f80_compare(struct f80_env *env, const struct f80 *a,
                          const struct f80 *b, bool signals);

/* --- results in other formats --- */

uint32_t f80_to_single(struct f80_env *env, const struct f80 *a);
uint64_t f80_to_double(struct f80_env *env, const struct f80 *a);
/* To n bytes (2, 4, 8), sign-extended; what does not fit is invalid and gives
 * the most negative integer. */
int64_t f80_to_int(struct f80_env *env, const struct f80 *a, unsigned n);
void f80_to_bcd(struct f80_env *env, const struct f80 *a,
                uint8_t bcd[F80_BCD_SIZE]);

#endif
