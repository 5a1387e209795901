/*
 * F2XM1, FYL2X, FYL2XP1 (SDM vol. 1, 8.3.9 and 8.3.11; vol. 2 for operands that
 * are not ordinary).
 *
 *     2^x - 1 = w (1 + w/2 (1 + w/3 (1 + ...)))       w = x ln 2
 *
 * log2 x for x = 2^k m with m between 1/sqrt 2 and sqrt 2:
 *     log2 x = k + 2/ln 2 (s + s^3/3 + s^5/5 + ...)   s = (m - 1) / (m + 1)
 */

#include "cpu/float80_functions.h"
#include "cpu/wide.h"

enum { EXP_TERMS = 32, LOG_TERMS = 25 };

static const struct softnum ln2 = {
    WIDE_CONST(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af), -1, false};
static const struct softnum two_by_ln2 = {
    WIDE_CONST(0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88), 1, false};

/* sqrt 2, near enough to choose k by. */
#define SQRT2_FRAC WIDE_CONST(0xb504f333f9de6484, 0)

/* --- F2XM1 --- */

static struct softnum exp2m1(struct softnum x)
{
    struct softnum w = wide_mul(x, ln2);
    uint128 z = fixed_of(w), sum = FIXED_ONE;

    for (unsigned n = EXP_TERMS; n > 1; n--) {
        uint128 term = fixed_mul(z, sum) / n;

        sum = w.sign ? FIXED_ONE - term : FIXED_ONE + term;
    }
    return wide_mul(w, fixed_number(sum));
}

struct fpreg f80_exp2m1(struct f80_env *env, const struct f80 *a)
{
    struct softnum n;
    struct fpreg r;

    if (f80_special(env, a, NULL, &r))
        return r;
    if (a->class == F80_ZERO)
        return a->bits;
    if (a->class == F80_INFINITY)
        return f80_sign(a) ? f80_from_int(-1).bits : a->bits;
    f80_note_denormal(env, a, NULL);
    if (f80_stopped(env))
        return a->bits;
    n = f80_number(a);
    if (n.exp < 0)
        return f80_inexact(env, exp2m1(n));
    /* 1 gives 1, -1 gives -1/2; what is larger is undefined. */
    env->flags |= SF_INEXACT;
    r = a->bits;
    if (n.sign && n.exp == 0 && n.sig == FIXED_ONE)
        r.exp--;
    return r;
}

/* --- logarithms --- */

/* 2/ln 2 atanh s. */
static struct softnum log_series(struct softnum s)
{
    uint128 z = fixed_of(wide_mul(s, s)), sum = 0;

    for (unsigned i = LOG_TERMS; i-- > 0;)
        sum = fixed_odd_reciprocal[i] + fixed_mul(z, sum);
    return wide_mul(two_by_ln2, wide_mul(s, fixed_number(sum)));
}

/* x > 0, and no power of 2. */
static struct softnum log2_of(struct softnum x)
{
    const struct softnum one = {FIXED_ONE, 0, false};
    struct softnum m = {x.sig, 0, false}, fraction;
    int32_t k = x.exp;

    if (x.sig > SQRT2_FRAC) {
        m.exp = -1;
        k++;
    }
    fraction =
        log_series(wide_div(wide_add(m, wide_negated(one)), wide_add(m, one)));
    return wide_add(wide_from_int(k), fraction);
}

/* log2(1 + x), x > -1 and not zero. */
static struct softnum log2p1_of(struct softnum x)
{
    const struct softnum one = {FIXED_ONE, 0, false};
    const struct softnum two = {FIXED_ONE, 1, false};

    if (x.exp < -2)
        return log_series(wide_div(x, wide_add(two, x)));
    return log2_of(wide_add(one, x));
}

static bool is_power_of_2(struct softnum n)
{
    return n.sig == FIXED_ONE;
}

/* A product whose factor is infinite, of the sign of the factor. */
static struct fpreg times_infinity(struct f80_env *env, const struct f80 *y,
                                   bool sign)
{
    if (y->class == F80_ZERO)
        return f80_invalid(env);
    f80_note_denormal(env, y, NULL);
    return f80_infinity(f80_sign(y) != sign);
}

/* y * k, y finite: only 0 counts as exact, for the processor too. */
static struct fpreg times_integer(struct f80_env *env, const struct f80 *y,
                                  int32_t k)
{
    struct softnum n = f80_number(y);
    struct fpreg r;

    env->digits = F80_DIGITS;
    if (n.sig == 0 || k == 0)
        return f80_zero(n.sign != (k < 0));
    r = f80_round(env, softnum_mul(n, wide_from_int(k)));
    env->flags |= SF_INEXACT;
    if (!(r.exp & F80_EXP_MAX))
        env->flags |= SF_UNDERFLOW;
    return r;
}

/* y * log, where log is neither zero nor exact. */
static struct fpreg times(struct f80_env *env, const struct f80 *y,
                          struct softnum log)
{
    if (y->class == F80_INFINITY)
        return f80_infinity(f80_sign(y) != log.sign);
    if (y->class == F80_ZERO)
        return f80_zero(f80_sign(y) != log.sign);
    return f80_inexact(env, wide_mul(f80_number(y), log));
}

/* log 0 is minus infinity: a division by zero, if y is finite. */
static struct fpreg log_of_zero(struct f80_env *env, const struct f80 *y)
{
    if (y->class == F80_ZERO)
        return f80_invalid(env);
    if (y->class != F80_INFINITY)
        env->flags |= SF_DIVZERO;
    return f80_infinity(!f80_sign(y));
}

struct fpreg f80_ylog2x(struct f80_env *env, const struct f80 *y,
                        const struct f80 *x)
{
    struct softnum n;
    struct fpreg r;

    if (f80_special(env, y, x, &r))
        return r;
    if (x->class == F80_ZERO)
        return log_of_zero(env, y);
    if (f80_sign(x))
        return f80_invalid(env);
    if (x->class == F80_INFINITY)
        return times_infinity(env, y, false);
    n = f80_number(x);
    if (is_power_of_2(n) && n.exp == 0 && y->class == F80_INFINITY)
        return f80_invalid(env);
    f80_note_denormal(env, y, x);
    if (f80_stopped(env))
        return y->bits;
    if (is_power_of_2(n) && y->class != F80_INFINITY)
        return times_integer(env, y, n.exp);
    return times(env, y, log2_of(n));
}

/* x is infinity or zero. */
static struct fpreg log_of_end(struct f80_env *env, const struct f80 *y,
                               const struct f80 *x)
{
    if (x->class == F80_INFINITY) {
        if (f80_sign(x))
            return f80_invalid(env);
        return times_infinity(env, y, false);
    }
    if (y->class == F80_INFINITY)
        return f80_invalid(env);
    f80_note_denormal(env, y, NULL);
    return f80_zero(f80_sign(y) != f80_sign(x));
}

struct fpreg f80_ylog2xp1(struct f80_env *env, const struct f80 *y,
                          const struct f80 *x)
{
    struct softnum n;
    struct fpreg r;

    if (f80_special(env, y, x, &r))
        return r;
    if (x->class == F80_INFINITY || x->class == F80_ZERO)
        return log_of_end(env, y, x);
    f80_note_denormal(env, y, x);
    if (f80_stopped(env))
        return y->bits;
    n = f80_number(x);
    if (y->class == F80_INFINITY || y->class == F80_ZERO)
        return times(env, y, n);
    /* Undefined; a processor gives x back. */
    if (n.sign && n.exp >= 0) {
        env->flags |= SF_INEXACT;
        return x->bits;
    }
    return times(env, y, log2p1_of(n));
}
