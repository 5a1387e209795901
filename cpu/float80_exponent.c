/*
 * FSCALE, FXTRACT, FPREM and FPREM1: operations on exponents, which are exact
 * but for FSCALE's range (SDM vol. 2; vol. 1, 8.3.3 and 8.3.9).
 */

#include "cpu/float80.h"

/* Larger than any difference of exponents, with room for a sum. */
enum { HUGE_SCALE = 1 << 17 };

/* --- FSCALE --- */

/* b, rounded to zero, or as large as matters. */
static int32_t scale_of(const struct f80 *b)
{
    struct softnum n = f80_number(b);
    int32_t v;

    if (n.sig == 0 || n.exp < 0)
        return 0;
    if (n.exp >= 17)
        return n.sign ? -HUGE_SCALE : HUGE_SCALE;
    v = (int32_t)(n.sig >> (127 - n.exp));
    return n.sign ? -v : v;
}

/* By infinity: a zero or infinity, if a is not the opposite of it. */
static struct fpreg scale_infinity(struct f80_env *env, const struct f80 *a,
                                   const struct f80 *b)
{
    if (a->class == (f80_sign(b) ? F80_INFINITY : F80_ZERO))
        return f80_invalid(env);
    f80_note_denormal(env, a, NULL);
    return f80_sign(b) ? f80_zero(f80_sign(a)) : f80_infinity(f80_sign(a));
}

struct fpreg f80_scale(struct f80_env *env, const struct f80 *a,
                       const struct f80 *b)
{
    struct softnum n;
    struct fpreg r;

    if (f80_special(env, a, b, &r))
        return r;
    if (b->class == F80_INFINITY)
        return scale_infinity(env, a, b);
    f80_note_denormal(env, a, b);
    if (f80_stopped(env) || a->class == F80_INFINITY || a->class == F80_ZERO)
        return a->bits;
    n = f80_number(a);
    n.exp += scale_of(b);
    env->digits = F80_DIGITS;
    return f80_round(env, n);
}

/* --- FXTRACT --- */

struct fpreg f80_extract(struct f80_env *env, const struct f80 *a,
                         struct fpreg *significand)
{
    struct softnum n;
    struct fpreg r;

    *significand = a->bits;
    if (f80_special(env, a, NULL, &r)) {
        *significand = r;
        return r;
    }
    if (a->class == F80_INFINITY)
        return f80_infinity(false);
    if (a->class == F80_ZERO) {
        env->flags |= SF_DIVZERO;
        return f80_infinity(true);
    }
    f80_note_denormal(env, a, NULL);
    n = f80_number(a);
    significand->frac = (uint64_t)(n.sig >> 64);
    significand->exp = (uint16_t)(F80_BIAS | (n.sign ? 0x8000 : 0));
    return f80_from_int(n.exp).bits;
}

/* --- FPREM, FPREM1 --- */

/* Bits of the quotient that a partial step finds when the exponents are
 * `apart`, 64 or more: between 32 and 63, the processor's choice, and such that
 * what remains is a multiple of 32. */
static unsigned partial_step(unsigned apart)
{
    return 32 + apart % 32;
}

/* Moves the remainder to the nearer side; the quotient's last bit decides in
 * the middle (FPREM1). */
static void to_nearest(struct softnum *rest, uint64_t *quotient,
                       struct softnum b)
{
    struct softnum twice = *rest, magnitude = b;
    int order;

    twice.sign = magnitude.sign = false;
    twice.exp++;
    order = softnum_compare(twice, magnitude);
    if (order < 0 || (order == 0 && !(*quotient & 1)))
        return;
    magnitude.sign = !rest->sign;
    *rest = softnum_add(*rest, magnitude);
    ++*quotient;
}

static void reduce(struct f80_remainder *r, struct f80_env *env,
                   struct softnum a, struct softnum b, enum softnum_round round)
{
    int32_t apart = a.exp - b.exp;
    unsigned step = apart < 0 ? 0 : (unsigned)apart;
    uint128 dividend = a.sig >> 64, divisor = b.sig >> 64;
    uint64_t quotient = 0;
    struct softnum rest = a;

    r->partial = apart >= 64;
    if (r->partial)
        step = partial_step((unsigned)apart);
    if (apart >= 0) {
        dividend <<= step;
        quotient = (uint64_t)(dividend / divisor);
        rest = softnum_make(a.sign, dividend % divisor,
                            a.exp - 63 - (int32_t)step);
    }
    if (round == ROUND_NEAREST && !r->partial && apart >= -1)
        to_nearest(&rest, &quotient, b);
    if (rest.sig == 0)
        rest.sign = a.sign;
    r->quotient = (uint8_t)quotient;
    r->value = f80_round(env, rest);
}

struct f80_remainder f80_rem(struct f80_env *env, const struct f80 *a,
                             const struct f80 *b, enum softnum_round round)
{
    struct f80_remainder r = {.value = a->bits, .none = true};

    if (f80_special(env, a, b, &r.value))
        return r;
    if (a->class == F80_INFINITY || b->class == F80_ZERO) {
        r.value = f80_invalid(env);
        return r;
    }
    f80_note_denormal(env, a, b);
    if (f80_stopped(env))
        return r;
    r.none = false;
    env->digits = F80_DIGITS;
    if (a->class == F80_ZERO)
        return r;
    if (b->class == F80_INFINITY)
        r.value = f80_round(env, f80_number(a));
    else
        reduce(&r, env, f80_number(a), f80_number(b), round);
    return r;
}
