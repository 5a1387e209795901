#include "cpu/softnum.h"

#include "base/bits.h"

static unsigned leading_zeros(uint128 v)
{
    uint64_t high = (uint64_t)(v >> 64);

    return high ? 63 - bits_high(high) : 127 - bits_high((uint64_t)v);
}

/* v >> n with what falls out ORed into the lowest bit. */
static uint128 shift_sticky(uint128 v, unsigned n)
{
    if (n == 0)
        return v;
    if (n >= SOFTNUM_BITS)
        return v != 0;
    return v >> n | (v << (SOFTNUM_BITS - n) != 0);
}

struct softnum softnum_make(bool sign, uint128 sig, int32_t exp)
{
    struct softnum r = {.sig = sig, .exp = 0, .sign = sign};

    if (sig) {
        unsigned zeros = leading_zeros(sig);

        r.sig = sig << zeros;
        r.exp = exp + 127 - (int32_t)zeros;
    }
    return r;
}

/* Both are shifted right once, so that a sum has room.  With 126 bits that
 * loses nothing, and the lowest bit of x is 0: only there can y have its sticky
 * bit, which so comes out as the sticky bit of the result.  If y lost bits, it
 * was shifted by 2 or more, and a difference has at most one leading zero. */
struct softnum softnum_add(struct softnum a, struct softnum b)
{
    struct softnum big = a, small = b;
    uint128 sig, x, y;

    if (a.sig == 0 || b.sig == 0)
        return a.sig == 0 && b.sig != 0 ? b : a;
    if (b.exp > a.exp || (b.exp == a.exp && b.sig > a.sig)) {
        big = b;
        small = a;
    }
    x = big.sig >> 1;
    y = shift_sticky(small.sig >> 1, (unsigned)(big.exp - small.exp));
    sig = a.sign == b.sign ? x + y : x - y;
    if (sig == 0)
        return (struct softnum){.sign = a.sign};
    return softnum_make(big.sign, sig, big.exp - 126);
}

struct softnum softnum_mul(struct softnum a, struct softnum b)
{
    uint128 product = (uint128)(uint64_t)(a.sig >> 64) *
                      (uint64_t)(b.sig >> 64);

    return softnum_make(a.sign != b.sign, product, a.exp + b.exp - 126);
}

/* Two digits of base 2^64: the first has its top bit set because the dividend
 * is brought to at least the divisor before. */
struct softnum softnum_div(struct softnum a, struct softnum b)
{
    uint128 dividend = a.sig >> 64, divisor = b.sig >> 64, high, low;
    struct softnum r = {.exp = a.exp - b.exp, .sign = a.sign != b.sign};

    if (a.sig == 0)
        return (struct softnum){.sign = r.sign};
    if (dividend < divisor) {
        dividend <<= 1;
        r.exp--;
    }
    high = (dividend << 63) / divisor;
    dividend = (dividend << 63) % divisor << 64;
    low = dividend / divisor;
    r.sig = high << 64 | low | (dividend % divisor != 0);
    return r;
}

/* Digit by digit, as by hand: two bits of the radicand give one of the root.
 * The radicand is in [1, 4), so the first digit is 1. */
struct softnum softnum_sqrt(struct softnum a, unsigned digits)
{
    uint128 radicand = a.exp & 1 ? a.sig : a.sig >> 1, root = 0, rest = 0;
    struct softnum r = {.exp = a.exp >> 1};

    if (a.sig == 0)
        return r;
    for (unsigned i = 0; i < digits; i++) {
        uint128 trial = root << 2 | 1;

        rest = rest << 2 | radicand >> 126;
        radicand <<= 2;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    r.sig = root << (SOFTNUM_BITS - digits) | (rest != 0 || radicand != 0);
    return r;
}

static int compare_magnitude(struct softnum a, struct softnum b)
{
    if (a.sig == 0 || b.sig == 0)
        return (a.sig != 0) - (b.sig != 0);
    if (a.exp != b.exp)
        return a.exp < b.exp ? -1 : 1;
    return (a.sig > b.sig) - (a.sig < b.sig);
}

int softnum_compare(struct softnum a, struct softnum b)
{
    if (a.sig == 0 && b.sig == 0)
        return 0;
    if (a.sign != b.sign)
        return a.sign ? -1 : 1;
    return a.sign ? compare_magnitude(b, a) : compare_magnitude(a, b);
}

static bool rounds_up(bool sign, bool odd, int against_half,
                      enum softnum_round mode)
{
    switch (mode) {
    case ROUND_NEAREST: return against_half > 0 || (against_half == 0 && odd);
    case ROUND_DOWN: return sign;
    case ROUND_UP: return !sign;
    case ROUND_ZERO: break;
    }
    return false;
}

struct softnum_rounded softnum_round(bool sign, uint128 sig, unsigned drop,
                                     enum softnum_round mode)
{
    struct softnum_rounded r;
    uint128 lost, half;
    int against_half;

    /* All goes, with a bit to spare above: what is left is the sticky bit. */
    if (drop >= SOFTNUM_BITS) {
        sig = shift_sticky(sig, drop - (SOFTNUM_BITS - 1));
        drop = SOFTNUM_BITS - 1;
    }
    half = (uint128)1 << (drop - 1);
    lost = sig & (half + (half - 1));
    r.sig = sig >> drop;
    r.inexact = lost != 0;
    against_half = (lost > half) - (lost < half);
    r.up = r.inexact && rounds_up(sign, r.sig & 1, against_half, mode);
    r.sig += r.up;
    return r;
}
