/*
 * Extended numbers to and from integers, decimals, single and double numbers
 * (SDM vol. 1, 4.2, 4.7, 8.1.2 and 8.3.1).
 */

#include "base/bits.h"
#include "base/bytes.h"
#include "cpu/float80.h"

/* A single or double number. */
struct format {
    uint8_t exp_bits, frac_bits;
};
static const struct format single = {8, 23}, double_ = {11, 52};

static int32_t bias(const struct format *f)
{
    return (1 << (f->exp_bits - 1)) - 1;
}

/* --- to 80 bits: always exact --- */

static struct f80 from_number(struct softnum n, enum f80_class class)
{
    unsigned exp = (unsigned)(n.exp + F80_BIAS) | (n.sign ? 0x8000 : 0);

    return (struct f80){{(uint64_t)(n.sig >> 64), (uint16_t)exp}, class};
}

static struct f80 from_format(const struct format *f, uint64_t v)
{
    uint64_t frac = bits_get(v, 0, f->frac_bits);
    int32_t exp = (int32_t)bits_get(v, f->frac_bits, f->exp_bits);
    bool sign = bits_test(v, f->exp_bits + f->frac_bits);
    uint64_t left = F80_INTEGER_BIT | frac << (63 - f->frac_bits);
    unsigned top = F80_EXP_MAX | (sign ? 0x8000 : 0);

    if (exp == (int32_t)bits_mask(f->exp_bits))
        return f80_of((struct fpreg){left, (uint16_t)top});
    if (exp != 0)
        return from_number(
            (struct softnum){(uint128)left << 64, exp - bias(f), sign},
            F80_NORMAL);
    if (frac == 0)
        return f80_of(f80_zero(sign));
    return from_number(softnum_make(sign, frac, 1 - bias(f) - f->frac_bits),
                       F80_DENORMAL);
}

struct f80 f80_from_single(uint32_t v)
{
    return from_format(&single, v);
}

struct f80 f80_from_double(uint64_t v)
{
    return from_format(&double_, v);
}

struct f80 f80_from_int(int64_t v)
{
    uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;

    if (v == 0)
        return f80_of(f80_zero(false));
    return from_number(softnum_make(v < 0, magnitude, 0), F80_NORMAL);
}

/* What a digit above 9 means is undefined: here it counts as its value. */
struct f80 f80_from_bcd(const uint8_t bcd[F80_BCD_SIZE])
{
    bool sign = bcd[F80_BCD_SIZE - 1] >> 7;
    uint64_t v = 0;

    for (int i = F80_BCD_SIZE - 2; i >= 0; i--)
        v = v * 100 + 10u * (bcd[i] >> 4) + (bcd[i] & 15u);
    if (v == 0)
        return f80_of(f80_zero(sign));
    return from_number(softnum_make(sign, v, 0), F80_NORMAL);
}

/* --- to single and double --- */

static uint64_t pack(const struct format *f, bool sign, uint64_t bits)
{
    return bits | (uint64_t)sign << (f->exp_bits + f->frac_bits);
}

static uint64_t infinity(const struct format *f, bool sign)
{
    return pack(f, sign, bits_mask(f->exp_bits) << f->frac_bits);
}

/* Unmasked, nothing is stored, and so nothing is rounded. */
static uint64_t overflow(struct f80_env *env, const struct format *f, bool sign)
{
    enum softnum_round away = sign ? ROUND_DOWN : ROUND_UP;

    env->flags |= SF_OVERFLOW;
    env->up = false;
    if (env->unmasked & SF_OVERFLOW)
        return 0;
    env->flags |= SF_INEXACT;
    env->up = env->round == ROUND_NEAREST || env->round == away;
    return infinity(f, sign) - !env->up;
}

static uint64_t underflow(struct f80_env *env, const struct format *f,
                          struct softnum n)
{
    unsigned drop = SOFTNUM_BITS - 1u - f->frac_bits +
                    (unsigned)(1 - bias(f) - n.exp);
    struct softnum_rounded r;

    env->up = false;
    if (env->unmasked & SF_UNDERFLOW) {
        env->flags |= SF_UNDERFLOW;
        return 0;
    }
    r = softnum_round(n.sign, n.sig, drop, env->round);
    if (r.inexact)
        env->flags |= SF_UNDERFLOW | SF_INEXACT;
    env->up = r.up;
    return pack(f, n.sign, (uint64_t)r.sig);
}

/* The leading 1 of the significand is added to the exponent field rather than
 * masked off: a carry out of rounding then moves to the next binade. */
static uint64_t number_to_format(struct f80_env *env, const struct format *f,
                                 struct softnum n)
{
    struct softnum_rounded r = softnum_round(
        n.sign, n.sig, SOFTNUM_BITS - 1u - f->frac_bits, env->round);
    int32_t exp = n.exp + bias(f) + (int32_t)(r.sig >> f->frac_bits >> 1);

    env->up = r.up;
    if (exp >= (int32_t)bits_mask(f->exp_bits))
        return overflow(env, f, n.sign);
    if (exp <= 0)
        return underflow(env, f, n);
    env->flags |= r.inexact ? SF_INEXACT : 0;
    return pack(f, n.sign,
                ((uint64_t)(n.exp + bias(f) - 1) << f->frac_bits) +
                    (uint64_t)r.sig);
}

/* A NaN keeps the upper bits of its significand, and becomes quiet. */
static uint64_t nan_to_format(const struct format *f, struct fpreg nan)
{
    uint64_t payload = nan.frac << 1 >> (64 - f->frac_bits);

    return infinity(f, nan.exp >> 15) | payload;
}

static uint64_t to_format(struct f80_env *env, const struct format *f,
                          const struct f80 *a)
{
    struct fpreg nan;

    if (f80_special(env, a, NULL, &nan))
        return nan_to_format(f, nan);
    if (a->class == F80_INFINITY)
        return infinity(f, f80_sign(a));
    if (a->class == F80_ZERO)
        return pack(f, f80_sign(a), 0);
    return number_to_format(env, f, f80_number(a));
}

uint32_t f80_to_single(struct f80_env *env, const struct f80 *a)
{
    return (uint32_t)to_format(env, &single, a);
}

uint64_t f80_to_double(struct f80_env *env, const struct f80 *a)
{
    return to_format(env, &double_, a);
}

/* --- to integers --- */

/* |a| as an integer, rounded; false if it has more than 64 bits. */
static bool magnitude(struct f80_env *env, const struct f80 *a, uint64_t *v)
{
    struct softnum n = f80_number(a);
    struct softnum_rounded r = {0};

    *v = 0;
    if (n.sig == 0)
        return true;
    if (n.exp >= 64)
        return false;
    r = softnum_round(n.sign, n.sig, (unsigned)(127 - n.exp), env->round);
    if (r.sig >> 64)
        return false;
    env->flags |= r.inexact ? SF_INEXACT : 0;
    env->up = r.up;
    *v = (uint64_t)r.sig;
    return true;
}

/* |a| if it is at most limit; else invalid and nothing else. */
static bool magnitude_within(struct f80_env *env, const struct f80 *a,
                             uint64_t limit, uint64_t *v)
{
    struct f80_env before = *env;

    if (a->class != F80_UNSUPPORTED && a->class < F80_INFINITY &&
        magnitude(env, a, v) && *v <= limit)
        return true;
    *env = before;
    env->flags |= SF_INVALID;
    return false;
}

int64_t f80_to_int(struct f80_env *env, const struct f80 *a, unsigned n)
{
    uint64_t half = (uint64_t)1 << (8 * n - 1), v;
    bool sign = f80_sign(a);

    if (!magnitude_within(env, a, sign ? half : half - 1, &v))
        return (int64_t)-half;
    return (int64_t)(sign ? -v : v);
}

/* The upper bits of the first of these bytes are the sign, the rest unused. */
static const uint8_t bcd_indefinite[F80_BCD_SIZE] = {[7] = 0xc0, 0xff, 0xff};

void f80_to_bcd(struct f80_env *env, const struct f80 *a,
                uint8_t bcd[F80_BCD_SIZE])
{
    const uint64_t largest = 999999999999999999;
    uint64_t v;

    if (!magnitude_within(env, a, largest, &v)) {
        memcpy(bcd, bcd_indefinite, F80_BCD_SIZE);
        return;
    }
    for (unsigned i = 0; i < F80_BCD_SIZE - 1; i++, v /= 100)
        bcd[i] = (uint8_t)(v % 10 | v / 10 % 10 << 4);
    bcd[F80_BCD_SIZE - 1] = f80_sign(a) ? 0x80 : 0;
}

/* --- to an integer in 80 bits: FRNDINT --- */

struct fpreg f80_round_int(struct f80_env *env, const struct f80 *a)
{
    struct f80_env exact = *env;
    struct fpreg r;
    uint64_t v;

    if (f80_special(env, a, NULL, &r))
        return r;
    if (a->class == F80_INFINITY || a->class == F80_ZERO)
        return a->bits;
    f80_note_denormal(env, a, NULL);
    /* From 2^63 on every number is an integer. */
    if (f80_stopped(env) || f80_number(a).exp >= 63)
        return a->bits;
    magnitude(env, a, &v);
    exact.digits = F80_DIGITS;
    return f80_round(&exact, softnum_make(f80_sign(a), v, 0));
}
