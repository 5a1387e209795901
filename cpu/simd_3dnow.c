/*
 * 3DNow! (AMD 21928, "3DNow! Technology Manual"; APM vol. 1, 5.5.6; vol. 5).
 *
 * Single numbers without infinities, NaNs and denormals: a denormal counts as
 * zero, a result below 2^-126 is zero, one that is too large is the largest
 * normal number.  Operands with an exponent of all ones are "unsupported" and
 * their results undefined: here they are the numbers that the other exponents
 * would lead to expect, 2^128 and more.  Results are rounded to nearest,
 * conversions truncate; there are no flags.
 *
 * Reciprocals come in steps, of which only the last has a documented result:
 *
 *     X0 = PFRCP(b)                    1/b to 14 bits or more
 *     X1 = PFRCPIT1(b, X0)             2 - b X0
 *     1/b = PFRCPIT2(X1, X0)           X0 X1
 *     X0 = PFRSQRT(b)                  1/sqrt b to 15 bits or more
 *     X1 = PFRSQIT1(b, PFMUL(X0, X0))  (3 - b X0^2) / 2
 *     1/sqrt b = PFRCPIT2(X1, X0)
 *
 * X1 is so near to 1 that a single number cannot hold enough of it.  So X1 = 1
 * + e is kept with the 24 bits from 2^-9 to 2^-32 of e, added to the image of
 * 1.0: 1.0 stands for itself, and so does 2.0.  1/b is then the nearest single
 * number for nearly all b, 1/sqrt b for most, as in the Athlon (22007, chapter
 * 8), and no more than one in the last place away for the rest.
 */

#include "base/bits.h"
#include "cpu/ops.h"
#include "cpu/simd.h"
#include "cpu/softnum.h"

enum {
    FRAC_BITS = 23,
    DIGITS = 24,
    EXP_BIAS = 127,
    EXP_FIELD = 0xff,
    EXP_LARGEST = 127,
    EXP_SMALLEST = -126,
    RCP_DIGITS = 15, /* of PFRCP: an error of 2^-15 */
    RSQRT_DIGITS = 16,
    ROOT_DIGITS = 64,
    STEP_PLACE = 32, /* of the last bit of e */
};

#define SIGN_BIT 0x80000000u
#define LARGEST 0x7f7fffffu
#define ONE 0x3f800000u
#define TWO 0x40000000u
#define FRAC_MASK (((uint32_t)1 << FRAC_BITS) - 1)

/* --- numbers --- */

static bool is_zero(uint32_t v)
{
    return !(v >> FRAC_BITS & EXP_FIELD);
}

static struct softnum number_of(uint32_t v)
{
    struct softnum n = {.sign = v >> 31};
    uint32_t sig = (v & FRAC_MASK) | 1u << FRAC_BITS;

    if (is_zero(v))
        return n;
    n.sig = (uint128)sig << (SOFTNUM_BITS - DIGITS);
    n.exp = (int32_t)(v >> FRAC_BITS & EXP_FIELD) - EXP_BIAS;
    return n;
}

/* With so many digits. */
static uint32_t round_to(struct softnum n, unsigned digits,
                         enum softnum_round mode)
{
    uint32_t sign = n.sign ? SIGN_BIT : 0, sig;
    struct softnum_rounded r;

    if (n.sig == 0)
        return sign;
    r = softnum_round(n.sign, n.sig, SOFTNUM_BITS - digits, mode);
    sig = (uint32_t)r.sig << (DIGITS - digits);
    if (sig >> DIGITS) {
        sig >>= 1;
        n.exp++;
    }
    if (n.exp < EXP_SMALLEST)
        return sign;
    if (n.exp > EXP_LARGEST)
        return sign | LARGEST;
    return sign | (uint32_t)(n.exp + EXP_BIAS) << FRAC_BITS | (sig & FRAC_MASK);
}

static uint32_t nearest(struct softnum n)
{
    return round_to(n, DIGITS, ROUND_NEAREST);
}

static struct softnum negated(struct softnum n)
{
    n.sign = !n.sign;
    return n;
}

/* Of two zeros the sum is -0 only if both are; a difference of zero, or one
 * too small, has the sign of the larger, or else of the first. */
static uint32_t sum(struct softnum a, struct softnum b)
{
    struct softnum r = softnum_add(a, b);

    if (a.sig == 0 && b.sig == 0)
        r.sign = a.sign && b.sign;
    return nearest(r);
}

static uint32_t add(uint32_t a, uint32_t b)
{
    return sum(number_of(a), number_of(b));
}

static uint32_t sub(uint32_t a, uint32_t b)
{
    return sum(number_of(a), negated(number_of(b)));
}

static uint32_t subr(uint32_t a, uint32_t b)
{
    return sub(b, a);
}

static uint32_t mul(uint32_t a, uint32_t b)
{
    struct softnum x = number_of(a), y = number_of(b);

    if (x.sig == 0 || y.sig == 0)
        return (a ^ b) & SIGN_BIT;
    return nearest(softnum_mul(x, y));
}

/* --- comparison --- */

static int order(uint32_t a, uint32_t b)
{
    return softnum_compare(number_of(a), number_of(b));
}

static uint32_t cmpeq(uint32_t a, uint32_t b)
{
    return order(a, b) == 0 ? UINT32_MAX : 0;
}

static uint32_t cmpge(uint32_t a, uint32_t b)
{
    return order(a, b) >= 0 ? UINT32_MAX : 0;
}

static uint32_t cmpgt(uint32_t a, uint32_t b)
{
    return order(a, b) > 0 ? UINT32_MAX : 0;
}

/* A zero is given as +0. */
static uint32_t max(uint32_t a, uint32_t b)
{
    uint32_t r = order(a, b) > 0 ? a : b;

    return is_zero(r) ? 0 : r;
}

static uint32_t min(uint32_t a, uint32_t b)
{
    uint32_t r = order(a, b) < 0 ? a : b;

    return is_zero(r) ? 0 : r;
}

/* --- reciprocals --- */

/* 0 gives the largest number, 2^126 and more gives 0; with the sign of v. */
static uint32_t rcp(uint32_t v)
{
    const struct softnum one = number_of(ONE);
    struct softnum n = number_of(v);

    if (n.sig == 0)
        return (v & SIGN_BIT) | LARGEST;
    if (n.exp >= -EXP_SMALLEST)
        return v & SIGN_BIT;
    return round_to(softnum_div(one, n), RCP_DIGITS, ROUND_NEAREST);
}

/* Of the magnitude, with the sign of v. */
static uint32_t rsqrt(uint32_t v)
{
    const struct softnum one = number_of(ONE);
    struct softnum n = number_of(v & ~SIGN_BIT), root;

    if (n.sig == 0)
        return (v & SIGN_BIT) | LARGEST;
    root = softnum_sqrt(n, ROOT_DIGITS);
    root.sig &= ~(uint128)UINT64_MAX;
    return (v & SIGN_BIT) |
           round_to(softnum_div(one, root), RSQRT_DIGITS, ROUND_NEAREST);
}

/* 1 + (1 - product) / 2^halvings. */
static uint32_t step(struct softnum product, int32_t halvings)
{
    const uint32_t limit = TWO - ONE;
    struct softnum e = softnum_add(number_of(ONE), negated(product));
    struct softnum_rounded r;
    int32_t last = e.exp - halvings + STEP_PLACE; /* its place in e */

    if (e.sig == 0 || last < -1)
        return ONE;
    if (last >= FRAC_BITS)
        return e.sign ? ONE - limit : TWO;
    r = softnum_round(e.sign, e.sig, (unsigned)(127 - last), ROUND_NEAREST);
    return e.sign ? ONE - (uint32_t)r.sig : ONE + (uint32_t)r.sig;
}

static uint32_t rcpit1(uint32_t a, uint32_t b)
{
    return step(softnum_mul(number_of(a), number_of(b)), 0);
}

/* The sign of the operand is that of X0, which stays out of it. */
static uint32_t rsqit1(uint32_t a, uint32_t b)
{
    struct softnum product = softnum_mul(number_of(a), number_of(b));

    product.sign = false;
    return step(product, 1);
}

/* What no first step gives is an ordinary factor. */
static uint32_t rcpit2(uint32_t a, uint32_t b)
{
    const uint32_t limit = TWO - ONE;
    int32_t e = (int32_t)(a - ONE);
    struct softnum factor;

    if (a > TWO || a < ONE - limit || is_zero(b))
        return mul(a, b);
    factor = softnum_make(false, ((uint64_t)1 << STEP_PLACE) + (uint64_t)e,
                          -STEP_PLACE);
    return nearest(softnum_mul(factor, number_of(b)));
}

/* --- conversions --- */

static uint32_t from_int(int32_t v)
{
    uint64_t magnitude = v < 0 ? -(uint64_t)v : (uint64_t)v;

    return round_to(softnum_make(v < 0, magnitude, 0), DIGITS, ROUND_ZERO);
}

/* To a signed integer of so many bits. */
static uint32_t to_int(uint32_t v, unsigned bits)
{
    struct softnum n = number_of(v);
    uint32_t largest = ((uint32_t)1 << (bits - 1)) - 1, magnitude;

    if (n.sig == 0 || n.exp < 0)
        return 0;
    if (n.exp >= (int32_t)bits - 1)
        return n.sign ? ~largest : largest;
    magnitude = (uint32_t)(n.sig >> (127 - n.exp));
    return n.sign ? -magnitude : magnitude;
}

static uint32_t pi2fd(uint32_t v)
{
    return from_int((int32_t)v);
}

/* The low word of each. */
static uint32_t pi2fw(uint32_t v)
{
    return from_int((int16_t)v);
}

static uint32_t pf2id(uint32_t v)
{
    return to_int(v, 32);
}

static uint32_t pf2iw(uint32_t v)
{
    return to_int(v, 16);
}

/* --- shapes --- */

typedef uint32_t binary_fn(uint32_t a, uint32_t b);
typedef uint32_t unary_fn(uint32_t a);

static void vertical(struct cpu *cpu, const struct insn *in, binary_fn *op)
{
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < 2; i++)
        a.u32[i] = op(a.u32[i], b.u32[i]);
    simd_write(cpu, in, &a);
}

/* The two of operand 0, then the two of operand 1. */
static void horizontal(struct cpu *cpu, const struct insn *in, binary_fn *low,
                       binary_fn *high)
{
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    a.u32[0] = low(a.u32[0], a.u32[1]);
    a.u32[1] = high(b.u32[0], b.u32[1]);
    simd_write(cpu, in, &a);
}

static void each(struct cpu *cpu, const struct insn *in, unary_fn *op)
{
    union vec a;

    simd_read(cpu, in, 1, &a);
    for (unsigned i = 0; i < 2; i++)
        a.u32[i] = op(a.u32[i]);
    simd_write(cpu, in, &a);
}

/* Of the low half, to both. */
static void scalar(struct cpu *cpu, const struct insn *in, unary_fn *op)
{
    union vec a;

    simd_read(cpu, in, 1, &a);
    a.u32[0] = a.u32[1] = op(a.u32[0]);
    simd_write(cpu, in, &a);
}

#define NOW3D(name, shape, ...)                            \
    void op_##name(struct cpu *cpu, const struct insn *in) \
    {                                                      \
        shape(cpu, in, __VA_ARGS__);                       \
    }

NOW3D(pfadd, vertical, add)
NOW3D(pfsub, vertical, sub)
NOW3D(pfsubr, vertical, subr)
NOW3D(pfmul, vertical, mul)
NOW3D(pfcmpeq, vertical, cmpeq)
NOW3D(pfcmpge, vertical, cmpge)
NOW3D(pfcmpgt, vertical, cmpgt)
NOW3D(pfmin, vertical, min)
NOW3D(pfmax, vertical, max)
NOW3D(pfrcpit1, vertical, rcpit1)
NOW3D(pfrcpit2, vertical, rcpit2)
NOW3D(pfrsqit1, vertical, rsqit1)
NOW3D(pfacc, horizontal, add, add)
NOW3D(pfnacc, horizontal, sub, sub)
NOW3D(pfpnacc, horizontal, sub, add)
NOW3D(pfrcp, scalar, rcp)
NOW3D(pfrsqrt, scalar, rsqrt)
NOW3D(pi2fd, each, pi2fd)
NOW3D(pi2fw, each, pi2fw)
NOW3D(pf2id, each, pf2id)
NOW3D(pf2iw, each, pf2iw)

/* --- integers and moves --- */

/* Rounds where PMULHW truncates. */
void op_pmulhrw(struct cpu *cpu, const struct insn *in)
{
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < 4; i++) {
        int32_t product = (int16_t)a.u16[i] * (int16_t)b.u16[i];

        a.u16[i] = (uint16_t)((product + 0x8000) >> 16);
    }
    simd_write(cpu, in, &a);
}

void op_pswapd(struct cpu *cpu, const struct insn *in)
{
    union vec a;
    uint32_t low;

    simd_read(cpu, in, 1, &a);
    low = a.u32[0];
    a.u32[0] = a.u32[1];
    a.u32[1] = low;
    simd_write(cpu, in, &a);
}
