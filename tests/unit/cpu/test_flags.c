/*
 * Every kind of flags of cpu/flags.h against the processor of this computer:
 * all pairs of bytes, and the corners of the wider sizes.  Flags that the
 * manual leaves undefined are compared with the table in cpu/flags.h instead.
 */

#include "cpu/flags.h"

#include <stdio.h>

#include "base/compiler.h"
#include "tests/unit/suite.h"

/* What one operation left: result, high half of a product, EFLAGS. */
struct outcome {
    uint64_t r, high;
    uint32_t eflags;
};

/* A kind as it is tested: how the host does it, the flags that the manual
 * defines for these operands, and what flags.h wants as r, a, b. */
struct probe {
    const char *name;
    enum flag_kind kind;
    void (*host)(unsigned n, uint64_t a, uint64_t b, struct outcome *o);
    uint32_t (*defined)(unsigned n, uint64_t a, uint64_t b);
};

#if defined(__x86_64__)

/* The operation between a load and a store of the flags.  Below the red zone,
 * where the compiler may keep locals. */
#define WITH_FLAGS(op)                                                \
    "lea -128(%%rsp), %%rsp\n\t"                                      \
    "push %q[f]\n\tpopfq\n\t" op "\n\tpushfq\n\tpop %q[f]\n\t"        \
    "lea 128(%%rsp), %%rsp"

#define HOST_SIZE(type, op, a_, b_, o)                                      \
    do {                                                                    \
        type r_ = (type)(a_);                                               \
        uint64_t f_ = (o)->eflags;                                          \
                                                                            \
        __asm__ volatile(WITH_FLAGS(op) : [r] "+r"(r_), [f] "+r"(f_)        \
                         : [b] "c"((type)(b_)) : "cc", "memory");           \
        (o)->r = r_;                                                        \
        (o)->eflags = (uint32_t)f_;                                         \
    } while (0)

/* r is operand 0, b is rcx of the same size, CL for shifts. */
#define HOST(name, op8, op16, op32, op64)                                   \
    static void host_##name(unsigned n, uint64_t a, uint64_t b,             \
                            struct outcome *o)                              \
    {                                                                       \
        switch (n) {                                                        \
        case 1: HOST_SIZE(uint8_t, op8, a, b, o); break;                    \
        case 2: HOST_SIZE(uint16_t, op16, a, b, o); break;                  \
        case 4: HOST_SIZE(uint32_t, op32, a, b, o); break;                  \
        default: HOST_SIZE(uint64_t, op64, a, b, o); break;                 \
        }                                                                   \
    }

#define HOST_BINARY(name, insn)                                             \
    HOST(name, insn "b %b[b], %b[r]", insn "w %w[b], %w[r]",                \
         insn "l %k[b], %k[r]", insn "q %q[b], %q[r]")
#define HOST_UNARY(name, insn)                                              \
    HOST(name, insn "b %b[r]", insn "w %w[r]", insn "l %k[r]",              \
         insn "q %q[r]")
#define HOST_SHIFT(name, insn)                                              \
    HOST(name, insn "b %%cl, %b[r]", insn "w %%cl, %w[r]",                  \
         insn "l %%cl, %k[r]", insn "q %%cl, %q[r]")
/* No form for bytes. */
#define HOST_WIDE(name, insn)                                               \
    HOST(name, "nop", insn "w %w[b], %w[r]", insn "l %k[b], %k[r]",         \
         insn "q %q[b], %q[r]")
/* Bits come in from rax, which holds the destination's complement. */
#define HOST_DOUBLE(name, insn)                                             \
    HOST(name, "nop", insn "w %%cl, %w[r], %w[r]",                          \
         insn "l %%cl, %k[r], %k[r]", insn "q %%cl, %q[r], %q[r]")

HOST_BINARY(add, "add")
HOST_BINARY(adc, "adc")
HOST_BINARY(sub, "sub")
HOST_BINARY(sbb, "sbb")
HOST_BINARY(logic, "xor")
HOST_UNARY(inc, "inc")
HOST_UNARY(dec, "dec")
HOST_SHIFT(shl, "shl")
HOST_SHIFT(shr, "shr")
HOST_SHIFT(sar, "sar")
HOST_SHIFT(rol, "rol")
HOST_SHIFT(ror, "ror")
HOST_WIDE(bt, "bt")
HOST_WIDE(bsf, "bsf")
HOST_DOUBLE(shld, "shld")
HOST_DOUBLE(shrd, "shrd")

/* One-operand multiplication: the product lies in rdx:rax, or ax. */
#define HOST_PRODUCT(name, insn, sfx, mod)                                  \
    static void name(uint64_t a, uint64_t b, struct outcome *o)             \
    {                                                                       \
        uint64_t f = o->eflags, lo = a, hi = 0;                             \
                                                                            \
        __asm__ volatile(WITH_FLAGS(insn sfx " %" mod "[b]")                \
                         : [f] "+r"(f), "+a"(lo), "+d"(hi)                  \
                         : [b] "c"(b) : "cc", "memory");                    \
        o->r = lo;                                                          \
        o->high = hi;                                                       \
        o->eflags = (uint32_t)f;                                            \
    }
HOST_PRODUCT(mul1, "mul", "b", "b")
HOST_PRODUCT(mul2, "mul", "w", "w")
HOST_PRODUCT(mul4, "mul", "l", "k")
HOST_PRODUCT(mul8, "mul", "q", "q")
HOST_PRODUCT(imul1, "imul", "b", "b")
HOST_PRODUCT(imul2, "imul", "w", "w")
HOST_PRODUCT(imul4, "imul", "l", "k")
HOST_PRODUCT(imul8, "imul", "q", "q")

typedef void product_fn(uint64_t a, uint64_t b, struct outcome *o);

static void host_product(product_fn *const by_size[4], unsigned n, uint64_t a,
                         uint64_t b, struct outcome *o)
{
    by_size[bits_low(n)](a, b, o);
    if (n == 1)
        o->high = o->r >> 8;
    o->r &= bits_mask(8 * n);
    o->high &= bits_mask(8 * n);
}

static void host_mul(unsigned n, uint64_t a, uint64_t b, struct outcome *o)
{
    static product_fn *const fn[4] = {mul1, mul2, mul4, mul8};

    host_product(fn, n, a, b, o);
}

static void host_imul(unsigned n, uint64_t a, uint64_t b, struct outcome *o)
{
    static product_fn *const fn[4] = {imul1, imul2, imul4, imul8};

    host_product(fn, n, a, b, o);
}

/* --- flags that the manual defines, SDM vol. 1, appendix A and vol. 2 --- */

static uint32_t all(unsigned n, uint64_t a, uint64_t b)
{
    (void)n, (void)a, (void)b;
    return FLAGS_ARITH;
}

static uint32_t all_but_af(unsigned n, uint64_t a, uint64_t b)
{
    (void)n, (void)a, (void)b;
    return FLAGS_ARITH & ~FLAG_AF;
}

static uint32_t cf_of(unsigned n, uint64_t a, uint64_t b)
{
    (void)n, (void)a, (void)b;
    return FLAG_CF | FLAG_OF;
}

static uint32_t only_cf_zf(unsigned n, uint64_t a, uint64_t b)
{
    (void)n, (void)a, (void)b;
    return FLAG_CF | FLAG_ZF;
}

static uint32_t only_zf(unsigned n, uint64_t a, uint64_t b)
{
    (void)n, (void)a, (void)b;
    return FLAG_ZF;
}

/* A count of 0 changes nothing; OF belongs to a count of 1; CF is undefined
 * when an unsigned shift goes beyond the width. */
static uint32_t shift_defined(unsigned n, uint64_t a, uint64_t b)
{
    (void)a;
    if (b == 0)
        return FLAGS_ARITH;
    if (b == 1)
        return FLAGS_ARITH & ~FLAG_AF;
    return FLAGS_ARITH & ~(FLAG_AF | FLAG_OF | (b >= 8 * n ? FLAG_CF : 0));
}

static uint32_t sar_defined(unsigned n, uint64_t a, uint64_t b)
{
    return shift_defined(n, a, b) | FLAG_CF;
}

static uint32_t rotate_defined(unsigned n, uint64_t a, uint64_t b)
{
    (void)n, (void)a;
    return b <= 1 ? FLAGS_ARITH : FLAGS_ARITH & ~FLAG_OF;
}

/* All is undefined beyond the width. */
static uint32_t double_defined(unsigned n, uint64_t a, uint64_t b)
{
    return b > 8 * n ? 0 : shift_defined(n, a, b) | (b ? FLAG_CF : 0);
}

#define PROBE(kind, defined) {#kind, FLAGKIND_##kind, host_##kind, defined}
static const struct probe probes[] = {
    PROBE(add, all),
    PROBE(adc, all),
    PROBE(sub, all),
    PROBE(sbb, all),
    PROBE(logic, all_but_af),
    PROBE(inc, all),
    PROBE(dec, all),
    PROBE(shl, shift_defined),
    PROBE(shr, shift_defined),
    PROBE(sar, sar_defined),
    PROBE(rol, rotate_defined),
    PROBE(ror, rotate_defined),
    PROBE(mul, cf_of),
    PROBE(imul, cf_of),
    PROBE(bt, only_cf_zf),
    PROBE(bsf, only_zf),
    PROBE(shld, double_defined),
    PROBE(shrd, double_defined),
};

static bool is_count(enum flag_kind k)
{
    return k == FLAGKIND_shl || k == FLAGKIND_shr || k == FLAGKIND_sar ||
           k == FLAGKIND_rol || k == FLAGKIND_ror || k == FLAGKIND_shld ||
           k == FLAGKIND_shrd;
}

/* Has the instruction no form for bytes? */
static bool is_wide(enum flag_kind k)
{
    return k == FLAGKIND_bt || k == FLAGKIND_bsf || k == FLAGKIND_shld ||
           k == FLAGKIND_shrd;
}

/* What flags.h says, with operands in the form that the kind asks for. */
static uint32_t our_flags(const struct probe *p, unsigned n, uint64_t a,
                          uint64_t b, const struct outcome *o, uint32_t before)
{
    uint64_t r = o->r & bits_mask(8 * n);
    uint16_t old = aflags_from_eflags(before), now;

    if (p->kind == FLAGKIND_bt)
        r = a >> (b & (8 * n - 1)) & 1;
    if (p->kind == FLAGKIND_mul || p->kind == FLAGKIND_imul)
        now = flags_compute(p->kind, n, r, o->high, b, old);
    else if (p->kind == FLAGKIND_bsf)
        now = flags_compute(p->kind, n, r, b, b, old);
    else
        now = flags_compute(p->kind, n, r, a, b, old);
    return aflags_to_eflags(now);
}

static void compare(const struct probe *p, unsigned n, uint64_t a, uint64_t b)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t before = FLAG_1 | (i ? FLAGS_ARITH : 0), ours;
        struct outcome o = {.eflags = before};

        p->host(n, a, b, &o);
        ours = our_flags(p, n, a, b, &o, before);
        ck_assert_msg(((ours ^ o.eflags) & p->defined(n, a, b)) == 0,
                      "%s, %u bytes, %#llx, %#llx, flags %#x: %#x, not %#x",
                      p->name, n, (unsigned long long)a, (unsigned long long)b,
                      before, ours, o.eflags & FLAGS_ARITH);
    }
}

static const uint64_t corners[] = {
    0, 1, 2, 3, 0xf, 0x10, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x7fff, 0x8000,
    0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
    0x123456789abcdef0, 0x7fffffffffffffff, 0x8000000000000000,
    0xfffffffffffffffe, 0xffffffffffffffff,
};

static unsigned compare_bytes(const struct probe *p)
{
    unsigned limit = is_count(p->kind) ? 32 : 256;

    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < limit; b++)
            compare(p, 1, a, b);
    return 256 * limit;
}

static unsigned compare_corners(const struct probe *p, unsigned n)
{
    uint64_t mask = bits_mask(8 * n);
    unsigned count = 0;

    for (size_t i = 0; i < array_len(corners); i++) {
        if (is_count(p->kind)) {
            for (unsigned c = 0; c < (n == 8 ? 64 : 32); c++, count++)
                compare(p, n, corners[i] & mask, c);
            continue;
        }
        for (size_t j = 0; j < array_len(corners); j++, count++)
            compare(p, n, corners[i] & mask, corners[j] & mask);
    }
    return count;
}

START_TEST(test_each_kind_sets_the_flags_of_the_host)
{
    unsigned count = 0;

    for (size_t i = 0; i < array_len(probes); i++) {
        if (!is_wide(probes[i].kind))
            count += compare_bytes(&probes[i]);
        for (unsigned n = 2; n <= 8; n *= 2)
            count += compare_corners(&probes[i], n);
    }
    printf("flags: %u pairs of operands compared with the host\n", count);
}
END_TEST

/* SETcc of the host with each combination of flags. */
#define HOST_CC(cc)                                                         \
    case 0x##cc:                                                            \
        __asm__ volatile(                                                   \
            WITH_FLAGS(".byte 0x0f, 0x9" #cc ", 0xc0") : [f] "+r"(f),       \
            "=a"(v) : : "cc", "memory");                                    \
        break;

static bool host_cond(unsigned cc, uint32_t eflags)
{
    uint64_t f = eflags;
    uint8_t v = 0;

    switch (cc) {
        HOST_CC(0) HOST_CC(1) HOST_CC(2) HOST_CC(3) HOST_CC(4) HOST_CC(5)
        HOST_CC(6) HOST_CC(7) HOST_CC(8) HOST_CC(9) HOST_CC(a) HOST_CC(b)
        HOST_CC(c) HOST_CC(d) HOST_CC(e) HOST_CC(f)
    }
    return v;
}

START_TEST(test_each_condition_is_that_of_the_host)
{
    for (unsigned cc = 0; cc < 16; cc++) {
        for (unsigned set = 0; set < 64; set++) {
            uint32_t e = FLAG_1 | (set & 1 ? FLAG_CF : 0) |
                         (set & 2 ? FLAG_PF : 0) | (set & 4 ? FLAG_AF : 0) |
                         (set & 8 ? FLAG_ZF : 0) | (set & 16 ? FLAG_SF : 0) |
                         (set & 32 ? FLAG_OF : 0);

            ck_assert_int_eq(flags_cond(cc, aflags_from_eflags(e)),
                             host_cond(cc, e));
        }
    }
}
END_TEST

#else

START_TEST(test_each_kind_sets_the_flags_of_the_host)
{
    printf("skipped: flags against the host, which is not x86-64\n");
}
END_TEST

START_TEST(test_each_condition_is_that_of_the_host)
{
    printf("skipped: conditions against the host, which is not x86-64\n");
}
END_TEST

#endif

START_TEST(test_kept_form_holds_all_six_flags)
{
    for (uint32_t e = 0; e < 0x1000; e++) {
        uint32_t arith = e & FLAGS_ARITH;

        ck_assert_uint_eq(aflags_to_eflags(aflags_from_eflags(e)), arith);
    }
    /* As LAHF and SETO produce it: bit 1 of EFLAGS is always 1. */
    ck_assert_uint_eq(aflags_from_eflags(FLAG_OF | FLAG_ZF), 0x4201);
}
END_TEST

static uint32_t after(enum flag_kind k, unsigned n, uint64_t r, uint64_t a,
                      uint64_t b)
{
    uint16_t old = aflags_from_eflags(FLAGS_ARITH);

    return aflags_to_eflags(flags_compute(k, n, r, a, b, old));
}

START_TEST(test_undefined_flags_have_the_value_of_the_table)
{
    uint32_t f;

    f = after(FLAGKIND_logic, 4, 5, 5, 5);
    ck_assert_uint_eq(f & FLAG_AF, 0);
    f = after(FLAGKIND_shl, 4, 0x80000000, 0x20000000, 2);
    ck_assert_uint_eq(f & (FLAG_AF | FLAG_OF), FLAG_AF | FLAG_OF);
    f = after(FLAGKIND_shr, 4, 0x20000000, 0x80000000, 2);
    ck_assert_uint_eq(f & (FLAG_AF | FLAG_OF), FLAG_AF);
    f = after(FLAGKIND_sar, 4, 0xe0000000, 0x80000000, 2);
    ck_assert_uint_eq(f & (FLAG_AF | FLAG_OF), FLAG_AF);
    f = after(FLAGKIND_shl, 1, 0, 0xff, 9);
    ck_assert_uint_eq(f & FLAG_CF, 0);
    f = after(FLAGKIND_mul, 4, 0, 0, 0);
    ck_assert_uint_eq(f, FLAG_ZF | FLAG_PF);
    f = after(FLAGKIND_bsf, 4, 0, 0, 0);
    ck_assert_uint_eq(f, FLAGS_ARITH); /* others unchanged */
}
END_TEST

START_TEST(test_count_of_zero_leaves_flags_alone)
{
    static const enum flag_kind kinds[] = {
        FLAGKIND_shl, FLAGKIND_shr, FLAGKIND_sar, FLAGKIND_rol,
        FLAGKIND_ror, FLAGKIND_shld, FLAGKIND_shrd,
    };

    for (size_t i = 0; i < array_len(kinds); i++)
        ck_assert_uint_eq(after(kinds[i], 4, 7, 7, 0), FLAGS_ARITH);
}
END_TEST

START_TEST(test_counting_kinds)
{
    ck_assert_uint_eq(after(FLAGKIND_tzcnt, 4, 32, 0, 0) &
                          (FLAG_CF | FLAG_ZF), FLAG_CF);
    ck_assert_uint_eq(after(FLAGKIND_tzcnt, 4, 0, 1, 1) &
                          (FLAG_CF | FLAG_ZF), FLAG_ZF);
    ck_assert_uint_eq(after(FLAGKIND_popcnt, 4, 0, 0, 0), FLAG_ZF);
    ck_assert_uint_eq(after(FLAGKIND_popcnt, 4, 3, 7, 7), 0);
}
END_TEST

SUITE("flags", test_kept_form_holds_all_six_flags,
      test_each_kind_sets_the_flags_of_the_host,
      test_each_condition_is_that_of_the_host,
      test_undefined_flags_have_the_value_of_the_table,
      test_count_of_zero_leaves_flags_alone, test_counting_kinds)
