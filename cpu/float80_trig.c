/*
 * FSIN, FCOS, FPTAN, FPATAN (SDM vol. 1, 8.3.7 to 8.3.10; vol. 2 for operands
 * that are not ordinary).
 *
 * Angles are reduced by the processor's own pi, which has 66 bits (8.3.8,
 * "Approximation of Pi"): so sin(FLDPI) is not what a library gives.  What is
 * left, |r| <= pi/4, is exact.  Then
 *     sin r = r (1 - z/2.3 (1 - z/4.5 (1 - ...)))     z = r^2
 *     cos r = 1 - z/1.2 (1 - z/3.4 (1 - ...))
 * with so many terms that the next one is below 2^-127.
 *
 * atan t for 0 <= t <= 1: with c the nearest multiple of 1/8,
 *     atan t = atan c + atan u,  u = (t - c) / (1 + t c),  |u| <= 1/16
 * from a table, and the series u - u^3/3 + u^5/5 - ...
 */

#include "cpu/float80_functions.h"
#include "cpu/wide.h"

enum { SIN_TERMS = 16, COS_TERMS = 17, ATAN_TERMS = 16, ATAN_STEPS = 8 };

/* pi/2 with 66 bits, as a multiple of 2^-65. */
#define HALF_PI WIDE_CONST(0x3, 0x243f6a8885a308d3)
enum { HALF_PI_PLACE = -65 };

enum { LARGEST_EXP = 62, TINY_EXP = -64 };

static const struct softnum pi = {
    WIDE_CONST(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1), 1, false};

/* --- sine, cosine, tangent --- */

/* An angle as quadrant * pi/2 + rest. */
struct angle {
    unsigned quadrant; /* modulo 4 */
    struct softnum rest;
};

/* a: finite, not zero, |a| < 2^63. */
static struct angle reduce(struct softnum a)
{
    struct angle r = {.rest = a};
    uint128 units, rest;

    if (a.exp < -2) /* below pi/4 whatever the significand is */
        return r;
    /* A multiple of 2^-65: 64 bits, the last at 2^(exp - 63). */
    units = a.sig >> 64 << (a.exp - 63 - HALF_PI_PLACE);
    rest = units % HALF_PI;
    r.quadrant = (unsigned)(units / HALF_PI) & 3;
    r.rest = softnum_make(false, rest, HALF_PI_PLACE);
    if (rest > HALF_PI / 2) {
        r.rest = softnum_make(true, HALF_PI - rest, HALF_PI_PLACE);
        r.quadrant = (r.quadrant + 1) & 3;
    }
    if (a.sign) {
        r.rest.sign = !r.rest.sign;
        r.quadrant = -r.quadrant & 3;
    }
    return r;
}

/* 1 - z/(n(n+1)) (1 - z/((n+2)(n+3)) (1 - ...)); below 1, as the true value
 * is. */
static uint128 alternating(uint128 z, unsigned n, unsigned terms)
{
    uint128 sum = FIXED_ONE;

    for (unsigned i = terms; i-- > 0;) {
        unsigned k = n + 2 * i;

        sum = FIXED_ONE - fixed_mul(z, sum) / (k * (k + 1));
    }
    return sum == FIXED_ONE ? FIXED_ONE - 1 : sum;
}

static struct softnum sine(struct softnum r)
{
    uint128 z = fixed_of(wide_mul(r, r));

    return wide_mul(r, fixed_number(alternating(z, 2, SIN_TERMS)));
}

static struct softnum cosine(struct softnum r)
{
    uint128 z = fixed_of(wide_mul(r, r));

    return fixed_number(alternating(z, 1, COS_TERMS));
}

/* The sine of an angle, or with `ahead` 1 its cosine.  rest is zero only if
 * the angle is a multiple of the 66-bit pi/2, which no operand but 0 is: it has
 * two bits more than a significand. */
static struct softnum sine_of(struct angle a, unsigned ahead)
{
    unsigned quadrant = (a.quadrant + ahead) & 3;
    struct softnum r = quadrant & 1 ? cosine(a.rest) : sine(a.rest);

    if (quadrant & 2)
        r.sign = !r.sign;
    return r;
}

struct fpreg f80_inexact(struct f80_env *env, struct softnum n)
{
    env->digits = F80_DIGITS;
    n.sig |= 1;
    return f80_round(env, n);
}

bool f80_is_out_of_range(const struct f80 *a)
{
    return a->class == F80_NORMAL && f80_number(a).exp > LARGEST_EXP;
}

/* What all three have in common: true if *r is the result.  at_zero: of +0. */
static bool simple_angle(struct f80_env *env, const struct f80 *a,
                         struct fpreg *r)
{
    if (f80_special(env, a, NULL, r))
        return true;
    *r = a->bits;
    if (a->class == F80_INFINITY) {
        *r = f80_invalid(env);
        return true;
    }
    if (a->class == F80_ZERO)
        return true;
    f80_note_denormal(env, a, NULL);
    return f80_stopped(env);
}

struct fpreg f80_sin(struct f80_env *env, const struct f80 *a)
{
    struct fpreg r;

    if (simple_angle(env, a, &r))
        return r;
    return f80_inexact(env, sine_of(reduce(f80_number(a)), 0));
}

struct fpreg f80_cos(struct f80_env *env, const struct f80 *a)
{
    struct fpreg r;

    if (simple_angle(env, a, &r))
        return a->class == F80_ZERO ? f80_from_int(1).bits : r;
    return f80_inexact(env, sine_of(reduce(f80_number(a)), 1));
}

struct fpreg f80_tan(struct f80_env *env, const struct f80 *a)
{
    struct angle angle;
    struct fpreg r;

    if (simple_angle(env, a, &r))
        return r;
    angle = reduce(f80_number(a));
    /* tan r = r + r^3/3 + ...: more than r, by less than the last bit. */
    if (!(angle.quadrant & 1) && angle.rest.exp < TINY_EXP)
        return f80_inexact(env, angle.rest);
    return f80_inexact(env, wide_div(sine_of(angle, 0), sine_of(angle, 1)));
}

/* --- arc tangent --- */

static const uint128 atan_of_eighths[ATAN_STEPS + 1] = {
    WIDE_CONST(0x0000000000000000, 0x0000000000000000),
    WIDE_CONST(0x0feadd4d5617b6e3, 0x2c897989f3e888ef),
    WIDE_CONST(0x1f5b75f92c80dd62, 0xadb8f3debef442fd),
    WIDE_CONST(0x2dec3283c9bde11c, 0xe2a8c848b73f9121),
    WIDE_CONST(0x3b58ce0ac3769ed1, 0x5bf9117b2f0ea341),
    WIDE_CONST(0x47802eaf7bfacfcd, 0xae41af0b32e21ba4),
    WIDE_CONST(0x525e3e8c9a7b8492, 0x0cd43f9522bed64f),
    WIDE_CONST(0x5c029f15e118cf39, 0xe596d2a90852221f),
    WIDE_CONST(0x6487ed5110b4611a, 0x62633145c06e0e69),
};

/* Round to nearest of 8 t, for 0 <= t <= 1. */
static unsigned nearest_eighth(struct softnum t)
{
    uint128 fixed = fixed_of(t);

    return (unsigned)((fixed + (FIXED_ONE >> 4)) >> 124);
}

/* atan u = u (1 - z/3 + z^2/5 - ...), z = u^2. */
static struct softnum atan_series(struct softnum u)
{
    uint128 z = fixed_of(wide_mul(u, u)), sum = 0;

    for (unsigned i = ATAN_TERMS; i-- > 0;)
        sum = fixed_odd_reciprocal[i] - fixed_mul(z, sum);
    if (sum == FIXED_ONE)
        sum--;
    return wide_mul(u, fixed_number(sum));
}

/* atan(y/x), 0 < y <= x. */
static struct softnum atan_quotient(struct softnum y, struct softnum x)
{
    unsigned c = nearest_eighth(wide_div(y, x));
    struct softnum step = softnum_make(false, c, -3), u;

    if (c == 0)
        return atan_series(wide_div(y, x));
    u = wide_div(wide_add(y, wide_negated(wide_mul(step, x))),
                 wide_add(x, wide_mul(step, y)));
    if (u.sig == 0)
        return fixed_number(atan_of_eighths[c]);
    return wide_add(fixed_number(atan_of_eighths[c]), atan_series(u));
}

/* Of the angle in the plane, 0 to pi; y and x are not zero. */
static struct softnum angle_of(struct softnum y, struct softnum x)
{
    struct softnum ay = wide_magnitude(y), ax = wide_magnitude(x), r;

    if (softnum_compare(ay, ax) <= 0) {
        r = atan_quotient(ay, ax);
    } else {
        r = pi;
        r.exp--;
        r = wide_add(r, wide_negated(atan_quotient(ax, ay)));
    }
    return x.sign ? wide_add(pi, wide_negated(r)) : r;
}

/* quarters * pi/4 with a sign. */
static struct fpreg quarters_of_pi(struct f80_env *env, unsigned quarters,
                                   bool sign)
{
    struct softnum r = pi;

    r = wide_mul(r, wide_from_int((int64_t)quarters));
    r.exp -= 2;
    r.sign = sign;
    return f80_inexact(env, r);
}

/* SDM vol. 2, FPATAN: y or x is zero or infinity. */
static struct fpreg axis(struct f80_env *env, const struct f80 *y,
                         const struct f80 *x)
{
    bool back = f80_sign(x), sign = f80_sign(y);

    if (y->class == F80_INFINITY && x->class == F80_INFINITY)
        return quarters_of_pi(env, back ? 3 : 1, sign);
    if (y->class == F80_INFINITY ||
        (x->class == F80_ZERO && y->class != F80_ZERO))
        return quarters_of_pi(env, 2, sign);
    if (back)
        return quarters_of_pi(env, 4, sign);
    return f80_zero(sign);
}

static bool is_ordinary(const struct f80 *a)
{
    return a->class == F80_NORMAL || a->class == F80_DENORMAL;
}

struct fpreg f80_atan2(struct f80_env *env, const struct f80 *y,
                       const struct f80 *x)
{
    struct softnum n;
    struct fpreg r;

    if (f80_special(env, y, x, &r))
        return r;
    f80_note_denormal(env, y, x);
    if (f80_stopped(env))
        return y->bits;
    if (!is_ordinary(y) || !is_ordinary(x))
        return axis(env, y, x);
    n = angle_of(f80_number(y), f80_number(x));
    n.sign = f80_sign(y);
    return f80_inexact(env, n);
}
