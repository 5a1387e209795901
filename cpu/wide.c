#include "cpu/wide.h"

const uint128 fixed_odd_reciprocal[FIXED_ODD_COUNT] = {
    WIDE_CONST(0x8000000000000000, 0x0000000000000000), /* 1 */
    WIDE_CONST(0x2aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaab), /* 1/3 */
    WIDE_CONST(0x1999999999999999, 0x999999999999999a),
    WIDE_CONST(0x1249249249249249, 0x2492492492492492),
    WIDE_CONST(0x0e38e38e38e38e38, 0xe38e38e38e38e38e),
    WIDE_CONST(0x0ba2e8ba2e8ba2e8, 0xba2e8ba2e8ba2e8c),
    WIDE_CONST(0x09d89d89d89d89d8, 0x9d89d89d89d89d8a),
    WIDE_CONST(0x0888888888888888, 0x8888888888888889),
    WIDE_CONST(0x0787878787878787, 0x8787878787878788),
    WIDE_CONST(0x06bca1af286bca1a, 0xf286bca1af286bca),
    WIDE_CONST(0x0618618618618618, 0x6186186186186186),
    WIDE_CONST(0x0590b21642c8590b, 0x21642c8590b21643),
    WIDE_CONST(0x051eb851eb851eb8, 0x51eb851eb851eb85),
    WIDE_CONST(0x04bda12f684bda12, 0xf684bda12f684bda),
    WIDE_CONST(0x0469ee58469ee584, 0x69ee58469ee5846a),
    WIDE_CONST(0x0421084210842108, 0x4210842108421084),
    WIDE_CONST(0x03e0f83e0f83e0f8, 0x3e0f83e0f83e0f84),
    WIDE_CONST(0x03a83a83a83a83a8, 0x3a83a83a83a83a84),
    WIDE_CONST(0x03759f22983759f2, 0x2983759f2298375a),
    WIDE_CONST(0x0348348348348348, 0x3483483483483483),
    WIDE_CONST(0x031f3831f3831f38, 0x31f3831f3831f383),
    WIDE_CONST(0x02fa0be82fa0be82, 0xfa0be82fa0be82fa),
    WIDE_CONST(0x02d82d82d82d82d8, 0x2d82d82d82d82d83),
    WIDE_CONST(0x02b9310572620ae4, 0xc415c9882b931057),
    WIDE_CONST(0x029cbc14e5e0a72f, 0x05397829cbc14e5e),
    WIDE_CONST(0x0282828282828282, 0x8282828282828283), /* 1/51 */
};

/* The upper 128 of 256 bits. */
static uint128 multiply_high(uint128 a, uint128 b)
{
    uint64_t ah = (uint64_t)(a >> 64), al = (uint64_t)a;
    uint64_t bh = (uint64_t)(b >> 64), bl = (uint64_t)b;
    uint128 mid1 = (uint128)ah * bl, mid2 = (uint128)al * bh;
    uint128 low = (uint128)al * bl;
    uint128 carry = (low >> 64) + (uint64_t)mid1 + (uint64_t)mid2;

    return (uint128)ah * bh + (mid1 >> 64) + (mid2 >> 64) + (carry >> 64);
}

/* --- struct softnum --- */

struct softnum wide_mul(struct softnum a, struct softnum b)
{
    bool sign = a.sign != b.sign;

    return softnum_make(sign, multiply_high(a.sig, b.sig), a.exp + b.exp - 126);
}

/* Bit by bit: the divisor has 128 bits, so one that falls out of the rest above
 * counts as larger. */
struct softnum wide_div(struct softnum a, struct softnum b)
{
    uint128 rest = a.sig, quotient = 0;
    int32_t exp = a.exp - b.exp;
    bool out = false;

    if (rest < b.sig) {
        out = rest >> 127;
        rest <<= 1;
        exp--;
    }
    for (unsigned i = 0; i < SOFTNUM_BITS; i++) {
        bool fits = out || rest >= b.sig;

        if (fits)
            rest -= b.sig;
        quotient = quotient << 1 | fits;
        out = rest >> 127;
        rest <<= 1;
    }
    return softnum_make(a.sign != b.sign, quotient, exp - 127);
}

struct softnum wide_add(struct softnum a, struct softnum b)
{
    struct softnum big = a, small = b;
    uint128 x, y;

    if (b.sig != 0 &&
        (a.sig == 0 || b.exp > a.exp || (b.exp == a.exp && b.sig > a.sig))) {
        big = b;
        small = a;
    }
    if (small.sig == 0 || big.exp - small.exp >= SOFTNUM_BITS)
        return big;
    if (a.sign != b.sign)
        return softnum_make(big.sign,
                            big.sig - (small.sig >> (big.exp - small.exp)),
                            big.exp - 127);
    x = big.sig >> 1;
    y = small.sig >> 1 >> (big.exp - small.exp);
    return softnum_make(big.sign, x + y, big.exp - 126);
}

struct softnum wide_from_int(int64_t v)
{
    uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;

    return softnum_make(v < 0, magnitude, 0);
}

/* --- fixed point --- */

uint128 fixed_mul(uint128 a, uint128 b)
{
    return multiply_high(a, b) << 1;
}

uint128 fixed_of(struct softnum a)
{
    if (a.exp <= -SOFTNUM_BITS)
        return 0;
    return a.sig >> -a.exp;
}

struct softnum fixed_number(uint128 a)
{
    return softnum_make(false, a, -127);
}
