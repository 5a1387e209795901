#include "cpu/softfloat.h"

#include "base/bits.h"
#include "cpu/softfloat_parts.h"

/* RCPSS and RSQRTSS: relative error at most 2^-12, where the SDM allows
 * 1.5 * 2^-12. */
enum { APPROX_BITS = 12 };

const struct sf_format sf_half = {.exp_bits = 5, .frac_bits = 10};
const struct sf_format sf_single = {.exp_bits = 8, .frac_bits = 23};
const struct sf_format sf_double = {.exp_bits = 11, .frac_bits = 52};

static int32_t bias(const struct sf_format *f)
{
    return (1 << (f->exp_bits - 1)) - 1;
}

struct sf_value sf_unpack(const struct sf_env *env, const struct sf_format *f,
                          uint64_t a)
{
    uint64_t frac = bits_get(a, 0, f->frac_bits);
    int32_t exp = (int32_t)bits_get(a, f->frac_bits, f->exp_bits);
    bool sign = bits_test(a, f->exp_bits + f->frac_bits);
    struct sf_value v = {.class = CLASS_FINITE, .n.sign = sign};

    if (exp == (int32_t)bits_mask(f->exp_bits)) {
        if (frac == 0)
            v.class = CLASS_INF;
        else
            v.class = frac & sf_quiet_bit(f) ? CLASS_QNAN : CLASS_SNAN;
    } else if (exp != 0) {
        v.n.sig = (uint128)((uint64_t)1 << 63 | frac << (63 - f->frac_bits))
                  << 64;
        v.n.exp = exp - bias(f);
    } else if (frac != 0 && !env->daz) {
        v.denormal = true;
        v.n = softnum_make(sign, frac, 1 - bias(f) - f->frac_bits);
    }
    return v;
}

static void note_denormals(struct sf_env *env, const struct sf_value *a,
                           const struct sf_value *b)
{
    if (a->denormal || b->denormal)
        env->flags |= SF_DENORMAL;
}

static uint64_t propagate_nan(struct sf_env *env, const struct sf_format *f,
                              uint64_t a, uint64_t b, const struct sf_value *x,
                              const struct sf_value *y)
{
    if (x->class == CLASS_SNAN || y->class == CLASS_SNAN)
        env->flags |= SF_INVALID;
    return (sf_is_nan(x) ? a : b) | sf_quiet_bit(f);
}

static uint64_t overflow(struct sf_env *env, const struct sf_format *f,
                         bool sign, bool inexact)
{
    enum softnum_round away = sign ? ROUND_DOWN : ROUND_UP;

    env->flags |= SF_OVERFLOW;
    if (inexact || !(env->unmasked & SF_OVERFLOW))
        env->flags |= SF_INEXACT;
    if (env->round == ROUND_NEAREST || env->round == away)
        return sf_infinity(f, sign);
    return sf_infinity(f, sign) - 1; /* the largest finite number */
}

/* n is below the normal numbers, even when rounded; inexact: as a number of
 * unbounded exponent. */
static uint64_t underflow(struct sf_env *env, const struct sf_format *f,
                          struct softnum n, bool inexact)
{
    unsigned drop = SOFTNUM_BITS - 1u - f->frac_bits +
                    (unsigned)(1 - bias(f) - n.exp);
    struct softnum_rounded r;

    if (env->unmasked & SF_UNDERFLOW) {
        env->flags |= (uint8_t)(SF_UNDERFLOW | (inexact ? SF_INEXACT : 0));
        return 0;
    }
    if (env->ftz) {
        env->flags |= SF_UNDERFLOW | SF_INEXACT;
        return sf_with_sign(f, n.sign, 0);
    }
    r = softnum_round(n.sign, n.sig, drop, env->round);
    if (r.inexact)
        env->flags |= SF_UNDERFLOW | SF_INEXACT;
    return sf_with_sign(f, n.sign, (uint64_t)r.sig);
}

/* Rounds a number that is not zero.  The leading 1 of the significand is added
 * to the exponent field rather than masked off: a carry out of rounding then
 * moves to the next binade by itself. */
uint64_t sf_pack(struct sf_env *env, const struct sf_format *f,
                 struct softnum n)
{
    struct softnum_rounded r = softnum_round(
        n.sign, n.sig, SOFTNUM_BITS - 1u - f->frac_bits, env->round);
    int32_t exp = n.exp + (int32_t)(r.sig >> (f->frac_bits + 1));

    if (exp > bias(f))
        return overflow(env, f, n.sign, r.inexact);
    if (exp < 1 - bias(f))
        return underflow(env, f, n, r.inexact);
    if (r.inexact)
        env->flags |= SF_INEXACT;
    return sf_with_sign(f, n.sign,
                        ((uint64_t)(n.exp + bias(f) - 1) << f->frac_bits) +
                            (uint64_t)r.sig);
}

uint64_t sf_add(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b)
{
    struct sf_value x = sf_unpack(env, f, a), y = sf_unpack(env, f, b);
    struct softnum sum;

    if (sf_is_nan(&x) || sf_is_nan(&y))
        return propagate_nan(env, f, a, b, &x, &y);
    if (x.class == CLASS_INF && y.class == CLASS_INF && x.n.sign != y.n.sign)
        return sf_invalid(env, f);
    note_denormals(env, &x, &y);
    if (x.class == CLASS_INF)
        return a;
    if (y.class == CLASS_INF)
        return b;
    sum = softnum_add(x.n, y.n);
    if (sum.sig)
        return sf_pack(env, f, sum);
    /* Zeros of unlike signs, or x - x. */
    if (x.n.sign != y.n.sign)
        sum.sign = env->round == ROUND_DOWN;
    return sf_with_sign(f, sum.sign, 0);
}

/* A NaN keeps its sign: only a number may be negated. */
uint64_t sf_sub(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b)
{
    struct sf_value y = sf_unpack(env, f, b);

    return sf_add(env, f, a, sf_is_nan(&y) ? b : b ^ sf_with_sign(f, true, 0));
}

uint64_t sf_mul(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b)
{
    struct sf_value x = sf_unpack(env, f, a), y = sf_unpack(env, f, b);
    bool sign = x.n.sign != y.n.sign;

    if (sf_is_nan(&x) || sf_is_nan(&y))
        return propagate_nan(env, f, a, b, &x, &y);
    if ((x.class == CLASS_INF && sf_is_zero(&y)) ||
        (y.class == CLASS_INF && sf_is_zero(&x)))
        return sf_invalid(env, f);
    note_denormals(env, &x, &y);
    if (x.class == CLASS_INF || y.class == CLASS_INF)
        return sf_infinity(f, sign);
    if (sf_is_zero(&x) || sf_is_zero(&y))
        return sf_with_sign(f, sign, 0);
    return sf_pack(env, f, softnum_mul(x.n, y.n));
}

uint64_t sf_div(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b)
{
    struct sf_value x = sf_unpack(env, f, a), y = sf_unpack(env, f, b);
    bool sign = x.n.sign != y.n.sign;

    if (sf_is_nan(&x) || sf_is_nan(&y))
        return propagate_nan(env, f, a, b, &x, &y);
    if ((x.class == CLASS_INF && y.class == CLASS_INF) ||
        (sf_is_zero(&x) && sf_is_zero(&y)))
        return sf_invalid(env, f);
    if (sf_is_zero(&y) && x.class == CLASS_FINITE) {
        env->flags |= SF_DIVZERO;
        return sf_infinity(f, sign);
    }
    note_denormals(env, &x, &y);
    if (x.class == CLASS_INF)
        return sf_infinity(f, sign);
    if (y.class == CLASS_INF || sf_is_zero(&x))
        return sf_with_sign(f, sign, 0);
    return sf_pack(env, f, softnum_div(x.n, y.n));
}

uint64_t sf_sqrt(struct sf_env *env, const struct sf_format *f, uint64_t a)
{
    struct sf_value x = sf_unpack(env, f, a);

    if (sf_is_nan(&x))
        return propagate_nan(env, f, a, a, &x, &x);
    if (sf_is_zero(&x))
        return sf_with_sign(f, x.n.sign, 0);
    if (x.n.sign)
        return sf_invalid(env, f);
    note_denormals(env, &x, &x);
    if (x.class == CLASS_INF)
        return a;
    return sf_pack(env, f, softnum_sqrt(x.n, f->frac_bits + 3u));
}

/* Neither is a NaN. */
static enum sf_order order(const struct sf_value *x, const struct sf_value *y)
{
    int rank_x = x->class == CLASS_INF ? (x->n.sign ? -1 : 1) : 0;
    int rank_y = y->class == CLASS_INF ? (y->n.sign ? -1 : 1) : 0;

    if (rank_x != rank_y)
        return rank_x < rank_y ? SF_LESS : SF_GREATER;
    if (rank_x != 0)
        return SF_EQUAL;
    return (enum sf_order)softnum_compare(x->n, y->n);
}

enum sf_order sf_compare(struct sf_env *env, const struct sf_format *f,
                         uint64_t a, uint64_t b, bool signals)
{
    struct sf_value x = sf_unpack(env, f, a), y = sf_unpack(env, f, b);

    if (sf_is_nan(&x) || sf_is_nan(&y)) {
        if (signals || x.class == CLASS_SNAN || y.class == CLASS_SNAN)
            env->flags |= SF_INVALID;
        return SF_UNORDERED;
    }
    note_denormals(env, &x, &y);
    return order(&x, &y);
}

/* A denormal operand that is chosen under DAZ comes out as zero. */
static uint64_t chosen(const struct sf_env *env, const struct sf_format *f,
                       uint64_t a)
{
    struct sf_value v = sf_unpack(env, f, a);

    return sf_is_zero(&v) ? sf_with_sign(f, v.n.sign, 0) : a;
}

uint64_t sf_min(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b)
{
    enum sf_order o = sf_compare(env, f, a, b, true);

    return chosen(env, f, o == SF_LESS ? a : b);
}

uint64_t sf_max(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b)
{
    enum sf_order o = sf_compare(env, f, a, b, true);

    return chosen(env, f, o == SF_GREATER ? a : b);
}

/* The payload of a NaN keeps its top bits. */
static uint64_t convert_nan(const struct sf_format *from,
                            const struct sf_format *to, uint64_t a, bool sign)
{
    uint64_t payload = bits_get(a, 0, from->frac_bits)
                       << (63 - from->frac_bits);

    return sf_infinity(to, sign) | sf_quiet_bit(to) |
           payload >> (63 - to->frac_bits);
}

uint64_t sf_convert(struct sf_env *env, const struct sf_format *from,
                    const struct sf_format *to, uint64_t a)
{
    struct sf_value x = sf_unpack(env, from, a);

    if (x.class == CLASS_SNAN)
        env->flags |= SF_INVALID;
    if (sf_is_nan(&x))
        return convert_nan(from, to, a, x.n.sign);
    note_denormals(env, &x, &x);
    if (x.class == CLASS_INF)
        return sf_infinity(to, x.n.sign);
    if (sf_is_zero(&x))
        return sf_with_sign(to, x.n.sign, 0);
    return sf_pack(env, to, x.n);
}

uint64_t sf_from_int(struct sf_env *env, const struct sf_format *f, int64_t v)
{
    uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;

    if (v == 0)
        return 0;
    return sf_pack(env, f, softnum_make(v < 0, magnitude, 0));
}

uint64_t sf_to_int(struct sf_env *env, const struct sf_format *f, uint64_t a,
                   unsigned n, enum softnum_round round)
{
    struct sf_value x = sf_unpack(env, f, a);
    uint64_t lowest = (uint64_t)INT64_MIN >> (64 - 8 * n);
    struct softnum_rounded r = {0};

    if (x.class == CLASS_FINITE && x.n.exp < 64 && x.n.sig != 0)
        r = softnum_round(x.n.sign, x.n.sig, (unsigned)(127 - x.n.exp), round);
    if (x.class != CLASS_FINITE || x.n.exp >= 64 ||
        r.sig > lowest - !x.n.sign) {
        env->flags |= SF_INVALID;
        return -lowest;
    }
    if (r.inexact)
        env->flags |= SF_INEXACT;
    return x.n.sign ? -(uint64_t)r.sig : (uint64_t)r.sig;
}

/* n to APPROX_BITS bits, tiny results to zero. */
static uint64_t pack_approximate(const struct sf_format *f, struct softnum n)
{
    struct sf_env env = {.round = ROUND_NEAREST, .ftz = true};
    unsigned drop = SOFTNUM_BITS - APPROX_BITS;
    struct softnum_rounded r =
        softnum_round(n.sign, n.sig, drop, ROUND_NEAREST);

    return sf_pack(&env, f,
                   softnum_make(n.sign, r.sig, n.exp + 1 - APPROX_BITS));
}

static const struct softnum one = {.sig = (uint128)1 << 127};

uint64_t sf_rcp12(const struct sf_format *f, uint64_t a)
{
    struct sf_env env = {.daz = true};
    struct sf_value x = sf_unpack(&env, f, a);

    if (sf_is_nan(&x))
        return a | sf_quiet_bit(f);
    if (x.class == CLASS_INF)
        return sf_with_sign(f, x.n.sign, 0);
    if (sf_is_zero(&x))
        return sf_infinity(f, x.n.sign);
    return pack_approximate(f, softnum_div(one, x.n));
}

uint64_t sf_rsqrt12(const struct sf_format *f, uint64_t a)
{
    struct sf_env env = {.daz = true};
    struct sf_value x = sf_unpack(&env, f, a);
    struct softnum root;

    if (sf_is_nan(&x))
        return a | sf_quiet_bit(f);
    if (sf_is_zero(&x))
        return sf_infinity(f, x.n.sign);
    if (x.n.sign)
        return sf_default_nan(f);
    if (x.class == CLASS_INF)
        return 0;
    /* A divisor has 64 bits.  Cutting there cannot move the quotient past a
     * tie t: x * t * t, of 24 and twice 13 bits, is not 1 but by 2^-50. */
    root = softnum_sqrt(x.n, 64);
    root.sig = root.sig >> 64 << 64;
    return pack_approximate(f, softnum_div(one, root));
}
