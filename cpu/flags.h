#ifndef CPU_FLAGS_H
#define CPU_FLAGS_H

/*
 * The six arithmetic flags: how they are kept, and how each kind of operation
 * sets them.
 *
 * Kept form ("aflags", 16 bits).  Bits 15..8 are bits 7..0 of EFLAGS (SF ZF 0
 * AF 0 PF 1 CF), bit 0 is OF, the rest are 0.  This is what LAHF + SETO
 * produce on an x86 host in three instructions; on any host both directions
 * are two shifts.  aflags_from_eflags and aflags_to_eflags convert.
 *
 * Each FLAGS(kind, n, r, a, b) of the dialect is a function here:
 *     uint16_t flags_<kind>(unsigned n, uint64_t r, uint64_t a, uint64_t b,
 *                           uint16_t old)
 * with n the operand size in bytes, r the result, a and b the operands, all
 * zero-extended, and old the flags before.  Flags that the manual calls
 * undefined get the value named in the table below, in every engine.
 *
 *  kind    sets          r, a, b                       undefined flags get
 *  add     all           r = a + b
 *  adc     all           r = a + b + CF
 *  sub     all           r = a - b (CMP, NEG with a=0)
 *  sbb     all           r = a - b - CF
 *  logic   all           r (CF = OF = 0)               AF = 0
 *  inc     all but CF    r = a + 1
 *  dec     all but CF    r = a - 1
 *  shl     all if b!=0   r = a << b (b masked to 31/63) AF = 1; OF = MSB(r) ^ CF
 *  shr     likewise      r = a >> b, unsigned          AF = 1; OF = MSB(a)
 *                                                       for b=1, else 0
 *  sar     likewise      r = a >> b, signed            AF = 1; OF = 0
 *  rol     CF OF if b!=0 r = a rotated left by b       OF = MSB(r) ^ CF
 *  ror     CF OF if b!=0 r = a rotated right           OF = two top bits of r
 *  mul     all           r = low half, a = high half   SF ZF PF by r, AF = 0
 *                        CF = OF = (a != 0)
 *  imul    all           r = low half, a = high half   likewise
 *                        CF = OF = (a != sign of r)
 *  bt      CF            r = the bit (0 or 1)          others unchanged
 *  bsf     ZF            a = source; ZF = (a == 0)     others unchanged
 *  tzcnt   CF ZF         r = count, a = source         others as logic(r)
 *  popcnt  all           a = source; ZF = (a == 0), others 0
 *  shld    all if b!=0   r, a = destination, b = count  AF = 1; OF = as shl's
 *  shrd    likewise      likewise                       AF = 1; OF = as ror's
 *
 * For shifts of 8 and 16 bit operands by more than their width, CF is the last
 * bit shifted out (0 for shl/shr beyond the width; the sign for sar).
 *
 * Header only: used by the interpreter's hot path and by tests.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "cpu/regs.h"

/* X(kind, flags always written, tested) in EFLAGS bits; a kind that may leave
 * flags unchanged (count 0) has them in both columns. */
#define FLAG_KINDS(X)                                            \
    X(add, FLAGS_ARITH, 0)                                       \
    X(adc, FLAGS_ARITH, FLAG_CF)                                 \
    X(sub, FLAGS_ARITH, 0)                                       \
    X(sbb, FLAGS_ARITH, FLAG_CF)                                 \
    X(logic, FLAGS_ARITH, 0)                                     \
    X(inc, FLAGS_ARITH & ~FLAG_CF, 0)                            \
    X(dec, FLAGS_ARITH & ~FLAG_CF, 0)                            \
    X(shl, FLAGS_ARITH, FLAGS_ARITH)                             \
    X(shr, FLAGS_ARITH, FLAGS_ARITH)                             \
    X(sar, FLAGS_ARITH, FLAGS_ARITH)                             \
    X(rol, FLAG_CF | FLAG_OF, FLAG_CF | FLAG_OF)                 \
    X(ror, FLAG_CF | FLAG_OF, FLAG_CF | FLAG_OF)                 \
    X(mul, FLAGS_ARITH, 0)                                       \
    X(imul, FLAGS_ARITH, 0)                                      \
    X(bt, FLAG_CF, 0)                                            \
    X(bsf, FLAG_ZF, 0)                                           \
    X(tzcnt, FLAGS_ARITH, 0)                                     \
    X(logic_carry, FLAGS_ARITH, 0)                               \
    X(popcnt, FLAGS_ARITH, 0)                                    \
    X(shld, FLAGS_ARITH, FLAGS_ARITH)                            \
    X(shrd, FLAGS_ARITH, FLAGS_ARITH)

enum flag_kind {
#define X(kind, written, tested) FLAGKIND_##kind,
    FLAG_KINDS(X)
#undef X
    FLAGKIND_COUNT
};

enum { AFLAGS_OF = 1, AFLAGS_SHIFT = 8 };

/* What DIV and IDIV leave; all of it is undefined.  AMD's processors set AF and
 * clear SF, ZF and PF; CF and OF, which they keep, are cleared. */
enum { AFLAGS_DIVIDED = (FLAG_AF | FLAG_1) << AFLAGS_SHIFT };

static inline uint16_t aflags_from_eflags(uint32_t e)
{
    return (uint16_t)((e & (FLAGS_ARITH & ~FLAG_OF) & 0xff) << AFLAGS_SHIFT |
                      FLAG_1 << AFLAGS_SHIFT | (e >> 11 & AFLAGS_OF));
}

static inline uint32_t aflags_to_eflags(uint16_t f)
{
    return (uint32_t)(f >> AFLAGS_SHIFT & (FLAGS_ARITH & 0xff)) |
           (uint32_t)(f & AFLAGS_OF) << 11;
}

/* PF, ZF and SF by the result; every kind below adds its own. */
static inline uint16_t flags_pzs(unsigned n, uint64_t r)
{
    unsigned even = !__builtin_parity((unsigned)(r & 0xff));
    unsigned sign = (unsigned)(r >> (8 * n - 1)) & 1;
    unsigned f = FLAG_1 | even << 2 | (unsigned)(r == 0) << 6 | sign << 7;

    return (uint16_t)(f << AFLAGS_SHIFT);
}

/* Shifts set AF, as the processors do that were measured. */
enum { AFLAGS_SHIFTED = FLAG_AF << AFLAGS_SHIFT };

static inline uint16_t flags_carry(uint64_t cf)
{
    return (uint16_t)(cf << AFLAGS_SHIFT);
}

static inline uint16_t flags_adjust(uint64_t r, uint64_t a, uint64_t b)
{
    return (uint16_t)(((r ^ a ^ b) & FLAG_AF) << AFLAGS_SHIFT);
}

static inline uint64_t flags_msb(unsigned n, uint64_t v)
{
    return v >> (8 * n - 1) & 1;
}

#define FLAGS_FN(kind)                                                    \
    static inline uint16_t flags_##kind(unsigned n, uint64_t r, uint64_t a, \
                                        uint64_t b, uint16_t old)

FLAGS_FN(add)
{
    (void)old;
    return flags_pzs(n, r) | flags_adjust(r, a, b) | flags_carry(r < a) |
           (uint16_t)flags_msb(n, (r ^ a) & (r ^ b));
}

FLAGS_FN(adc)
{
    uint64_t cf = old >> AFLAGS_SHIFT & 1;

    return flags_pzs(n, r) | flags_adjust(r, a, b) |
           flags_carry(r < a || (cf && r == a)) |
           (uint16_t)flags_msb(n, (r ^ a) & (r ^ b));
}

FLAGS_FN(sub)
{
    (void)old;
    return flags_pzs(n, r) | flags_adjust(r, a, b) | flags_carry(a < b) |
           (uint16_t)flags_msb(n, (a ^ b) & (r ^ a));
}

FLAGS_FN(sbb)
{
    uint64_t cf = old >> AFLAGS_SHIFT & 1;

    return flags_pzs(n, r) | flags_adjust(r, a, b) |
           flags_carry(a < b || (cf && a == b)) |
           (uint16_t)flags_msb(n, (a ^ b) & (r ^ a));
}

FLAGS_FN(logic)
{
    (void)a, (void)b, (void)old;
    return flags_pzs(n, r);
}

FLAGS_FN(inc)
{
    uint64_t of = r == (uint64_t)1 << (8 * n - 1);

    (void)b;
    return flags_pzs(n, r) | flags_adjust(r, a, 1) | (uint16_t)of |
           (old & FLAG_CF << AFLAGS_SHIFT);
}

FLAGS_FN(dec)
{
    uint64_t of = a == (uint64_t)1 << (8 * n - 1);

    (void)b;
    return flags_pzs(n, r) | flags_adjust(r, a, 1) | (uint16_t)of |
           (old & FLAG_CF << AFLAGS_SHIFT);
}

FLAGS_FN(shl)
{
    uint64_t cf;

    if (b == 0)
        return old;
    cf = b > 8 * n ? 0 : a >> (8 * n - b) & 1;
    return flags_pzs(n, r) | AFLAGS_SHIFTED | flags_carry(cf) |
           (uint16_t)(flags_msb(n, r) ^ cf);
}

FLAGS_FN(shr)
{
    uint64_t of;

    if (b == 0)
        return old;
    of = b == 1 ? flags_msb(n, a) : 0;
    return flags_pzs(n, r) | AFLAGS_SHIFTED | flags_carry(a >> (b - 1) & 1) | (uint16_t)of;
}

FLAGS_FN(sar)
{
    if (b == 0)
        return old;
    return flags_pzs(n, r) | AFLAGS_SHIFTED |
           flags_carry((uint64_t)((int64_t)bits_sext(a, 8 * n) >> (b - 1)) & 1);
}

/* CF and OF replaced, the rest of old kept. */
static inline uint16_t flags_cf_of(uint16_t old, uint64_t cf, uint64_t of)
{
    unsigned kept = old & ~(unsigned)(FLAG_CF << AFLAGS_SHIFT | AFLAGS_OF);

    return (uint16_t)(kept | cf << AFLAGS_SHIFT | of);
}

FLAGS_FN(rol)
{
    (void)a;
    if (b == 0)
        return old;
    return flags_cf_of(old, r & 1, flags_msb(n, r) ^ (r & 1));
}

FLAGS_FN(ror)
{
    (void)a;
    if (b == 0)
        return old;
    return flags_cf_of(old, flags_msb(n, r), flags_msb(n, r ^ r << 1));
}

FLAGS_FN(mul)
{
    uint64_t over = a != 0;

    (void)b, (void)old;
    return flags_pzs(n, r) | flags_carry(over) | (uint16_t)over;
}

FLAGS_FN(imul)
{
    uint64_t over = a != (flags_msb(n, r) ? bits_mask(8 * n) : 0);

    (void)b, (void)old;
    return flags_pzs(n, r) | flags_carry(over) | (uint16_t)over;
}

FLAGS_FN(bt)
{
    (void)n, (void)a, (void)b;
    return (uint16_t)((old & ~(unsigned)(FLAG_CF << AFLAGS_SHIFT)) |
                      (r & 1) << AFLAGS_SHIFT);
}

FLAGS_FN(bsf)
{
    (void)n, (void)r, (void)b;
    return (uint16_t)((old & ~(unsigned)(FLAG_ZF << AFLAGS_SHIFT)) |
                      (unsigned)(a == 0) << (AFLAGS_SHIFT + 6));
}

FLAGS_FN(tzcnt)
{
    (void)b, (void)old;
    return flags_pzs(n, r) | flags_carry(a == 0);
}

FLAGS_FN(logic_carry)
{
    (void)b, (void)old;
    return flags_pzs(n, r) | flags_carry(a);
}

FLAGS_FN(popcnt)
{
    (void)n, (void)r, (void)b, (void)old;
    return (uint16_t)((FLAG_1 | (unsigned)(a == 0) << 6) << AFLAGS_SHIFT);
}

FLAGS_FN(shld)
{
    uint64_t cf;

    if (b == 0)
        return old;
    cf = b > 8 * n ? 0 : a >> (8 * n - b) & 1;
    return flags_pzs(n, r) | AFLAGS_SHIFTED | flags_carry(cf) |
           (uint16_t)(b > 8 * n ? 0 : flags_msb(n, r) ^ cf);
}

FLAGS_FN(shrd)
{
    if (b == 0)
        return old;
    return flags_pzs(n, r) | AFLAGS_SHIFTED | flags_carry(a >> (b - 1) & 1) |
           (uint16_t)flags_msb(n, r ^ r << 1);
}

/* By number: for code that has the kind as data. */
static inline uint16_t flags_compute(enum flag_kind kind, unsigned n,
                                     uint64_t r, uint64_t a, uint64_t b,
                                     uint16_t old)
{
    switch (kind) {
#define X(kind, written, tested) \
    case FLAGKIND_##kind: return flags_##kind(n, r, a, b, old);
        FLAG_KINDS(X)
#undef X
    case FLAGKIND_COUNT: break;
    }
    return old;
}

/* Condition codes 0..15 in the order of Jcc opcodes (SDM vol. 1, app. B). */
static inline bool flags_cond(unsigned cc, uint16_t f)
{
    unsigned e = f >> AFLAGS_SHIFT;
    bool of = f & AFLAGS_OF, sf = e & FLAG_SF, v = false;

    switch (cc >> 1) {
    case 0: v = of; break;
    case 1: v = e & FLAG_CF; break;
    case 2: v = e & FLAG_ZF; break;
    case 3: v = e & (FLAG_CF | FLAG_ZF); break;
    case 4: v = sf; break;
    case 5: v = e & FLAG_PF; break;
    case 6: v = sf != of; break;
    case 7: v = (e & FLAG_ZF) || sf != of; break;
    }
    return v != (cc & 1);
}

/* EFLAGS bits that condition cc tests. */
static inline uint32_t flags_cond_tests(unsigned cc)
{
    static const uint16_t tests[8] = {
        FLAG_OF, FLAG_CF, FLAG_ZF, FLAG_CF | FLAG_ZF,
        FLAG_SF, FLAG_PF, FLAG_SF | FLAG_OF, FLAG_ZF | FLAG_SF | FLAG_OF,
    };

    return tests[cc >> 1 & 7];
}

#undef FLAGS_FN

#endif
