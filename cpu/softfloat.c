#include "cpu/softfloat.h"

#include "base/bits.h"

/* RCPSS and RSQRTSS: relative error at most 2^-12, where the SDM allows
 * 1.5 * 2^-12. */
enum { APPROX_BITS = 12 };

const struct sf_format sf_single = {.exp_bits = 8, .frac_bits = 23};
const struct sf_format sf_double = {.exp_bits = 11, .frac_bits = 52};

enum sf_class { CLASS_FINITE, CLASS_INF, CLASS_QNAN, CLASS_SNAN };

/* An operand taken apart. */
struct sf_value {
    enum sf_class class;
    bool denormal;
    struct softnum n; /* the number, if finite; its sign always */
};

static int32_t bias(const struct sf_format *f)
{
    return (1 << (f->exp_bits - 1)) - 1;
}

static uint64_t quiet_bit(const struct sf_format *f)
{
    return (uint64_t)1 << (f->frac_bits - 1);
}

static uint64_t with_sign(const struct sf_format *f, bool sign, uint64_t bits)
{
    return bits | (uint64_t)sign << (f->exp_bits + f->frac_bits);
}

static uint64_t infinity(const struct sf_format *f, bool sign)
{
    return with_sign(f, sign, bits_mask(f->exp_bits) << f->frac_bits);
}

static uint64_t default_nan(const struct sf_format *f)
{
    return infinity(f, true) | quiet_bit(f);
}

static uint64_t invalid(struct sf_env *env, const struct sf_format *f)
{
    env->flags |= SF_INVALID;
    return default_nan(f);
}

static bool is_nan(const struct sf_value *v)
{
    return v->class >= CLASS_QNAN;
}

static bool is_zero(const struct sf_value *v)
{
    return v->class == CLASS_FINITE && v->n.sig == 0;
}

static struct sf_value unpack(const struct sf_env *env,
                              const struct sf_format *f, uint64_t a)
{
    uint64_t frac = bits_get(a, 0, f->frac_bits);
    int32_t exp = (int32_t)bits_get(a, f->frac_bits, f->exp_bits);
    bool sign = bits_test(a, f->exp_bits + f->frac_bits);
    struct sf_value v = {.class = CLASS_FINITE, .n.sign = sign};

    if (exp == (int32_t)bits_mask(f->exp_bits)) {
        if (frac == 0)
            v.class = CLASS_INF;
        else
            v.class = frac & quiet_bit(f) ? CLASS_QNAN : CLASS_SNAN;
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
    return (is_nan(x) ? a : b) | quiet_bit(f);
}

static uint64_t overflow(struct sf_env *env, const struct sf_format *f,
                         bool sign, bool inexact)
{
    enum softnum_round away = sign ? ROUND_DOWN : ROUND_UP;

    env->flags |= SF_OVERFLOW;
    if (inexact || !(env->unmasked & SF_OVERFLOW))
        env->flags |= SF_INEXACT;
    if (env->round == ROUND_NEAREST || env->round == away)
        return infinity(f, sign);
    return infinity(f, sign) - 1; /* the largest finite number */
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
        return with_sign(f, n.sign, 0);
    }
    r = softnum_round(n.sign, n.sig, drop, env->round);
    if (r.inexact)
        env->flags |= SF_UNDERFLOW | SF_INEXACT;
    return with_sign(f, n.sign, (uint64_t)r.sig);
}

/* Rounds a number that is not zero.  The leading 1 of the significand is added
 * to the exponent field rather than masked off: a carry out of rounding then
 * moves to the next binade by itself. */
static uint64_t pack(struct sf_env *env, const struct sf_format *f,
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
    return with_sign(f, n.sign,
                     ((uint64_t)(n.exp + bias(f) - 1) << f->frac_bits) +
                         (uint64_t)r.sig);
}

uint64_t sf_add(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b)
{
    struct sf_value x = unpack(env, f, a), y = unpack(env, f, b);
    struct softnum sum;

    if (is_nan(&x) || is_nan(&y))
        return propagate_nan(env, f, a, b, &x, &y);
    if (x.class == CLASS_INF && y.class == CLASS_INF && x.n.sign != y.n.sign)
        return invalid(env, f);
    note_denormals(env, &x, &y);
    if (x.class == CLASS_INF)
        return a;
    if (y.class == CLASS_INF)
        return b;
    sum = softnum_add(x.n, y.n);
    if (sum.sig)
        return pack(env, f, sum);
    /* Zeros of unlike signs, or x - x. */
    if (x.n.sign != y.n.sign)
        sum.sign = env->round == ROUND_DOWN;
    return with_sign(f, sum.sign, 0);
}

/* A NaN keeps its sign: only a number may be negated. */
uint64_t sf_sub(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b)
{
    struct sf_value y = unpack(env, f, b);

    return sf_add(env, f, a, is_nan(&y) ? b : b ^ with_sign(f, true, 0));
}

uint64_t sf_mul(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b)
{
    struct sf_value x = unpack(env, f, a), y = unpack(env, f, b);
    bool sign = x.n.sign != y.n.sign;

    if (is_nan(&x) || is_nan(&y))
        return propagate_nan(env, f, a, b, &x, &y);
    if ((x.class == CLASS_INF && is_zero(&y)) ||
        (y.class == CLASS_INF && is_zero(&x)))
        return invalid(env, f);
    note_denormals(env, &x, &y);
    if (x.class == CLASS_INF || y.class == CLASS_INF)
        return infinity(f, sign);
    if (is_zero(&x) || is_zero(&y))
        return with_sign(f, sign, 0);
    return pack(env, f, softnum_mul(x.n, y.n));
}

uint64_t sf_div(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b)
{
    struct sf_value x = unpack(env, f, a), y = unpack(env, f, b);
    bool sign = x.n.sign != y.n.sign;

    if (is_nan(&x) || is_nan(&y))
        return propagate_nan(env, f, a, b, &x, &y);
    if ((x.class == CLASS_INF && y.class == CLASS_INF) ||
        (is_zero(&x) && is_zero(&y)))
        return invalid(env, f);
    if (is_zero(&y) && x.class == CLASS_FINITE) {
        env->flags |= SF_DIVZERO;
        return infinity(f, sign);
    }
    note_denormals(env, &x, &y);
    if (x.class == CLASS_INF)
        return infinity(f, sign);
    if (y.class == CLASS_INF || is_zero(&x))
        return with_sign(f, sign, 0);
    return pack(env, f, softnum_div(x.n, y.n));
}

uint64_t sf_sqrt(struct sf_env *env, const struct sf_format *f, uint64_t a)
{
    struct sf_value x = unpack(env, f, a);

    if (is_nan(&x))
        return propagate_nan(env, f, a, a, &x, &x);
    if (is_zero(&x))
        return with_sign(f, x.n.sign, 0);
    if (x.n.sign)
        return invalid(env, f);
    note_denormals(env, &x, &x);
    if (x.class == CLASS_INF)
        return a;
    return pack(env, f, softnum_sqrt(x.n, f->frac_bits + 3u));
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
    struct sf_value x = unpack(env, f, a), y = unpack(env, f, b);

    if (is_nan(&x) || is_nan(&y)) {
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
    struct sf_value v = unpack(env, f, a);

    return is_zero(&v) ? with_sign(f, v.n.sign, 0) : a;
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

    return infinity(to, sign) | quiet_bit(to) | payload >> (63 - to->frac_bits);
}

uint64_t sf_convert(struct sf_env *env, const struct sf_format *from,
                    const struct sf_format *to, uint64_t a)
{
    struct sf_value x = unpack(env, from, a);

    if (x.class == CLASS_SNAN)
        env->flags |= SF_INVALID;
    if (is_nan(&x))
        return convert_nan(from, to, a, x.n.sign);
    note_denormals(env, &x, &x);
    if (x.class == CLASS_INF)
        return infinity(to, x.n.sign);
    if (is_zero(&x))
        return with_sign(to, x.n.sign, 0);
    return pack(env, to, x.n);
}

uint64_t sf_from_int(struct sf_env *env, const struct sf_format *f, int64_t v)
{
    uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;

    if (v == 0)
        return 0;
    return pack(env, f, softnum_make(v < 0, magnitude, 0));
}

uint64_t sf_to_int(struct sf_env *env, const struct sf_format *f, uint64_t a,
                   unsigned n, enum softnum_round round)
{
    struct sf_value x = unpack(env, f, a);
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

    return pack(&env, f, softnum_make(n.sign, r.sig, n.exp + 1 - APPROX_BITS));
}

static const struct softnum one = {.sig = (uint128)1 << 127};

uint64_t sf_rcp12(const struct sf_format *f, uint64_t a)
{
    struct sf_env env = {.daz = true};
    struct sf_value x = unpack(&env, f, a);

    if (is_nan(&x))
        return a | quiet_bit(f);
    if (x.class == CLASS_INF)
        return with_sign(f, x.n.sign, 0);
    if (is_zero(&x))
        return infinity(f, x.n.sign);
    return pack_approximate(f, softnum_div(one, x.n));
}

uint64_t sf_rsqrt12(const struct sf_format *f, uint64_t a)
{
    struct sf_env env = {.daz = true};
    struct sf_value x = unpack(&env, f, a);
    struct softnum root;

    if (is_nan(&x))
        return a | quiet_bit(f);
    if (is_zero(&x))
        return infinity(f, x.n.sign);
    if (x.n.sign)
        return default_nan(f);
    if (x.class == CLASS_INF)
        return 0;
    /* A divisor has 64 bits.  Cutting there cannot move the quotient past a
     * tie t: x * t * t, of 24 and twice 13 bits, is not 1 but by 2^-50. */
    root = softnum_sqrt(x.n, 64);
    root.sig = root.sig >> 64 << 64;
    return pack_approximate(f, softnum_div(one, root));
}
