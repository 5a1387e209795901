#include "cpu/float80.h"

#define QUIET_BIT ((uint64_t)1 << 62)

/* An unmasked overflow or underflow moves the exponent into range by this (SDM
 * vol. 1, 4.9.1.4, 4.9.1.5). */
enum { EXP_ADJUST = 24576 };

/* --- operands and special results --- */

static enum f80_class classify(uint64_t frac, unsigned exp)
{
    if (exp == 0) {
        if (frac == 0)
            return F80_ZERO;
        return F80_DENORMAL;
    }
    if (!(frac & F80_INTEGER_BIT))
        return F80_UNSUPPORTED;
    if (exp < F80_EXP_MAX)
        return F80_NORMAL;
    if (frac == F80_INTEGER_BIT)
        return F80_INFINITY;
    return frac & QUIET_BIT ? F80_QNAN : F80_SNAN;
}

struct f80 f80_of(struct fpreg bits)
{
    return (struct f80){bits, classify(bits.frac, bits.exp & F80_EXP_MAX)};
}

static struct fpreg make(bool sign, unsigned exp, uint64_t frac)
{
    return (struct fpreg){frac, (uint16_t)((unsigned)sign << 15 | exp)};
}

struct fpreg f80_zero(bool sign)
{
    return make(sign, 0, 0);
}

struct fpreg f80_infinity(bool sign)
{
    return make(sign, F80_EXP_MAX, F80_INTEGER_BIT);
}

struct fpreg f80_default_nan(void)
{
    return make(true, F80_EXP_MAX, F80_INTEGER_BIT | QUIET_BIT);
}

/* The exponent field 0 means the same power of two as 1. */
struct softnum f80_number(const struct f80 *a)
{
    int32_t exp = a->bits.exp & F80_EXP_MAX;
    struct softnum n = {.sign = f80_sign(a)};

    if (exp == 0)
        exp = 1;
    if (a->class == F80_NORMAL) {
        n.sig = (uint128)a->bits.frac << 64;
        n.exp = exp - F80_BIAS;
        return n;
    }
    return softnum_make(n.sign, a->bits.frac, exp - F80_BIAS - 63);
}

struct fpreg f80_invalid(struct f80_env *env)
{
    env->flags |= SF_INVALID;
    return f80_default_nan();
}

/* Of two NaNs the one with the larger significand, or if equal the positive
 * one; but a quiet one wins over a signalling one (SDM vol. 1, table 4-7). */
static struct fpreg choose_nan(const struct f80 *a, const struct f80 *b)
{
    struct fpreg r = a->bits;

    if (!f80_is_nan(a))
        r = b->bits;
    else if (!f80_is_nan(b))
        r = a->bits;
    else if (a->class != b->class)
        r = a->class == F80_QNAN ? a->bits : b->bits;
    else if (a->bits.frac != b->bits.frac)
        r = a->bits.frac > b->bits.frac ? a->bits : b->bits;
    else
        r = f80_sign(a) ? b->bits : a->bits;
    r.frac |= QUIET_BIT;
    return r;
}

bool f80_special(struct f80_env *env, const struct f80 *a, const struct f80 *b,
                 struct fpreg *r)
{
    if (!b)
        b = a;
    if (a->class == F80_UNSUPPORTED || b->class == F80_UNSUPPORTED) {
        *r = f80_invalid(env);
        return true;
    }
    if (!f80_is_nan(a) && !f80_is_nan(b))
        return false;
    if (a->class == F80_SNAN || b->class == F80_SNAN)
        env->flags |= SF_INVALID;
    *r = choose_nan(a, b);
    return true;
}

void f80_note_denormal(struct f80_env *env, const struct f80 *a,
                       const struct f80 *b)
{
    if (a->class == F80_DENORMAL || (b && b->class == F80_DENORMAL))
        env->flags |= SF_DENORMAL;
}

/* --- rounding --- */

/* env->digits of n; the exponent as a field of the format, not yet in range. */
struct rounded {
    uint64_t sig; /* left-aligned */
    int32_t exp;
    bool inexact;
};

static struct rounded round_digits(struct f80_env *env, struct softnum n)
{
    struct softnum_rounded s = softnum_round(
        n.sign, n.sig, SOFTNUM_BITS - (unsigned)env->digits, env->round);
    struct rounded r = {.exp = n.exp + F80_BIAS, .inexact = s.inexact};

    if (s.sig >> env->digits) { /* a carry out: a power of two */
        s.sig >>= 1;
        r.exp++;
    }
    r.sig = (uint64_t)s.sig << (F80_DIGITS - env->digits);
    env->up = s.up;
    return r;
}

/* Only FSCALE goes so far that the moved exponent is still out of range: the
 * result is then infinity or zero in every rounding mode. */
static struct fpreg overflow(struct f80_env *env, bool sign, struct rounded r)
{
    enum softnum_round away = sign ? ROUND_DOWN : ROUND_UP;
    uint64_t ones = ~(uint64_t)0 << (F80_DIGITS - env->digits);

    env->flags |= SF_OVERFLOW;
    if (env->unmasked & SF_OVERFLOW && r.exp - EXP_ADJUST < F80_EXP_MAX) {
        env->flags |= r.inexact ? SF_INEXACT : 0;
        return make(sign, (unsigned)(r.exp - EXP_ADJUST), r.sig);
    }
    env->flags |= SF_INEXACT;
    env->up = env->round == ROUND_NEAREST || env->round == away ||
              env->unmasked & SF_OVERFLOW;
    if (env->up)
        return f80_infinity(sign);
    return make(sign, F80_EXP_MAX - 1, ones);
}

static struct fpreg unmasked_underflow(struct f80_env *env, bool sign,
                                       struct rounded r)
{
    int32_t exp = r.exp + EXP_ADJUST;

    env->flags |= SF_UNDERFLOW;
    if (exp <= 0) {
        env->flags |= SF_INEXACT;
        env->up = false;
        return f80_zero(sign);
    }
    env->flags |= r.inexact ? SF_INEXACT : 0;
    return make(sign, (unsigned)exp, r.sig);
}

/* The last digit of a denormal has the place value that it has in the smallest
 * normal number of the precision. */
static struct fpreg underflow(struct f80_env *env, struct softnum n,
                              struct rounded r)
{
    unsigned lack = (unsigned)(1 - F80_BIAS - n.exp);
    struct softnum_rounded s;
    uint64_t frac;

    if (env->unmasked & SF_UNDERFLOW)
        return unmasked_underflow(env, n.sign, r);
    s = softnum_round(n.sign, n.sig, SOFTNUM_BITS - env->digits + lack,
                      env->round);
    if (s.inexact)
        env->flags |= SF_UNDERFLOW | SF_INEXACT;
    env->up = s.up;
    frac = (uint64_t)s.sig << (F80_DIGITS - env->digits);
    return make(n.sign, frac & F80_INTEGER_BIT ? 1 : 0, frac);
}

struct fpreg f80_round(struct f80_env *env, struct softnum n)
{
    struct rounded r;

    if (n.sig == 0)
        return f80_zero(n.sign);
    r = round_digits(env, n);
    if (r.exp >= F80_EXP_MAX)
        return overflow(env, n.sign, r);
    if (r.exp <= 0)
        return underflow(env, n, r);
    env->flags |= r.inexact ? SF_INEXACT : 0;
    return make(n.sign, (unsigned)r.exp, r.sig);
}

/* --- arithmetic --- */

static struct fpreg add_infinity(struct f80_env *env, const struct f80 *a,
                                 const struct f80 *b)
{
    if (a->class == b->class && f80_sign(a) != f80_sign(b))
        return f80_invalid(env);
    f80_note_denormal(env, a, b);
    return a->class == F80_INFINITY ? a->bits : b->bits;
}

struct fpreg f80_add(struct f80_env *env, const struct f80 *a,
                     const struct f80 *b)
{
    struct softnum sum;
    struct fpreg r;

    if (f80_special(env, a, b, &r))
        return r;
    if (a->class == F80_INFINITY || b->class == F80_INFINITY)
        return add_infinity(env, a, b);
    f80_note_denormal(env, a, b);
    if (f80_stopped(env))
        return a->bits;
    sum = softnum_add(f80_number(a), f80_number(b));
    /* SDM vol. 1, 4.8.3.1. */
    if (sum.sig == 0 && f80_sign(a) != f80_sign(b))
        sum.sign = env->round == ROUND_DOWN;
    return f80_round(env, sum);
}

struct fpreg f80_sub(struct f80_env *env, const struct f80 *a,
                     const struct f80 *b)
{
    struct f80 negated = *b;

    if (!f80_is_nan(b))
        negated.bits.exp ^= 0x8000;
    return f80_add(env, a, &negated);
}

struct fpreg f80_mul(struct f80_env *env, const struct f80 *a,
                     const struct f80 *b)
{
    bool sign = f80_sign(a) != f80_sign(b);
    struct fpreg r;

    if (f80_special(env, a, b, &r))
        return r;
    if (a->class == F80_INFINITY || b->class == F80_INFINITY) {
        if (a->class == F80_ZERO || b->class == F80_ZERO)
            return f80_invalid(env);
        f80_note_denormal(env, a, b);
        return f80_infinity(sign);
    }
    f80_note_denormal(env, a, b);
    if (f80_stopped(env))
        return a->bits;
    return f80_round(env, softnum_mul(f80_number(a), f80_number(b)));
}

static struct fpreg divide_by_zero(struct f80_env *env, const struct f80 *a,
                                   bool sign)
{
    if (a->class == F80_ZERO)
        return f80_invalid(env);
    if (a->class != F80_INFINITY)
        env->flags |= SF_DIVZERO;
    return f80_infinity(sign);
}

struct fpreg f80_div(struct f80_env *env, const struct f80 *a,
                     const struct f80 *b)
{
    bool sign = f80_sign(a) != f80_sign(b);
    struct fpreg r;

    if (f80_special(env, a, b, &r))
        return r;
    if (b->class == F80_ZERO)
        return divide_by_zero(env, a, sign);
    if (a->class == F80_INFINITY && b->class == F80_INFINITY)
        return f80_invalid(env);
    f80_note_denormal(env, a, b);
    if (f80_stopped(env))
        return a->bits;
    if (a->class == F80_INFINITY)
        return f80_infinity(sign);
    if (b->class == F80_INFINITY)
        return f80_zero(sign);
    return f80_round(env, softnum_div(f80_number(a), f80_number(b)));
}

struct fpreg f80_sqrt(struct f80_env *env, const struct f80 *a)
{
    struct fpreg r;

    if (f80_special(env, a, NULL, &r))
        return r;
    if (a->class == F80_ZERO)
        return a->bits;
    if (f80_sign(a))
        return f80_invalid(env);
    if (a->class == F80_INFINITY)
        return a->bits;
    f80_note_denormal(env, a, NULL);
    if (f80_stopped(env))
        return a->bits;
    return f80_round(env, softnum_sqrt(f80_number(a), F80_DIGITS + 2));
}

/* --- comparison --- */

static enum sf_order order_of(int order)
{
    return order < 0 ? SF_LESS : order ? SF_GREATER : SF_EQUAL;
}

/* As a number, infinity is larger than any. */
static struct softnum number_or_infinity(const struct f80 *a)
{
    if (a->class == F80_INFINITY)
        return softnum_make(f80_sign(a), 1, INT16_MAX);
    return f80_number(a);
}

enum sf_order f80_compare(struct f80_env *env, const struct f80 *a,
                          const struct f80 *b, bool signals)
{
    struct fpreg unused;

    if (f80_special(env, a, b, &unused)) {
        if (signals)
            env->flags |= SF_INVALID;
        return SF_UNORDERED;
    }
    f80_note_denormal(env, a, b);
    return order_of(
        softnum_compare(number_or_infinity(a), number_or_infinity(b)));
}
