/*
 * Our floating point against the processor that the test runs on: the same
 * operation on the same operands under the same MXCSR must give the same bits
 * and the same exception flags.
 *
 * Operands: every pair of corner values (zeros, denormals, limits, infinities,
 * NaNs, edges of the integers) and random ones with exponents drawn close, so
 * that operations meet.  MXCSR: 4 rounding modes x DAZ x FTZ, with everything
 * masked, and with each exception unmasked alone, for which a signal handler
 * picks up the flags.
 */

#include "cpu/softfloat.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "tests/unit/suite.h"

#ifdef __x86_64__

#include <ucontext.h>

enum {
    MXCSR_DAZ = 1 << 6,
    MXCSR_MASK_SHIFT = 7,
    MXCSR_RC_SHIFT = 13,
    MXCSR_FTZ = 1 << 15,
    MXCSR_DEFAULT = SF_ALL << MXCSR_MASK_SHIFT,
    RANDOM_ROUNDS = 150000,
};

/* One operation: ours, the host's; what it takes. */
struct operation {
    const char *name;
    uint64_t (*ours)(struct sf_env *env, uint64_t a, uint64_t b);
    uint64_t (*host)(uint32_t *mxcsr, uint64_t a, uint64_t b);
    const struct sf_format *from;
    bool unary, integer;
};

static volatile uint32_t trapped; /* MXCSR as the handler saw it, or 0 */

/* Notes MXCSR and lets the instruction run again with all masked. */
static void on_fpe(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)sig, (void)info;
    trapped = uc->uc_mcontext.fpregs->mxcsr;
    uc->uc_mcontext.fpregs->mxcsr = MXCSR_DEFAULT;
}

static const uint32_t default_mxcsr = MXCSR_DEFAULT;

#define HOST(name, text)                                                 \
    static uint64_t host_##name(uint32_t *mxcsr, uint64_t a, uint64_t b) \
    {                                                                    \
        uint64_t r;                                                      \
                                                                         \
        __asm__ volatile("movq %2, %%xmm0\n\t"                           \
                         "movq %3, %%xmm1\n\t"                           \
                         "ldmxcsr %1\n\t" text "\n\t"                    \
                         "stmxcsr %1\n\t"                                \
                         "ldmxcsr %4\n\t"                                \
                         "movq %%xmm0, %0"                               \
                         : "=&r"(r), "+m"(*mxcsr)                        \
                         : "r"(a), "r"(b), "m"(default_mxcsr)            \
                         : "xmm0", "xmm1", "rax");                       \
        return r;                                                        \
    }

#define HOST_BINARY(op)                                                     \
    HOST(op##ss, #op "ss %%xmm1, %%xmm0")                                   \
    HOST(op##sd, #op "sd %%xmm1, %%xmm0")                                   \
    static uint64_t ours_##op##ss(struct sf_env *e, uint64_t a, uint64_t b) \
    {                                                                       \
        return sf_##op(e, &sf_single, a, b);                                \
    }                                                                       \
    static uint64_t ours_##op##sd(struct sf_env *e, uint64_t a, uint64_t b) \
    {                                                                       \
        return sf_##op(e, &sf_double, a, b);                                \
    }

HOST_BINARY(add)
HOST_BINARY(sub)
HOST_BINARY(mul)
HOST_BINARY(div)
HOST_BINARY(min)
HOST_BINARY(max)

#define UNARY(name, text, expression)                                     \
    HOST(name, text)                                                      \
    static uint64_t ours_##name(struct sf_env *e, uint64_t a, uint64_t b) \
    {                                                                     \
        (void)b;                                                          \
        return expression;                                                \
    }

UNARY(sqrtss, "movaps %%xmm0, %%xmm1; sqrtss %%xmm1, %%xmm0",
      sf_sqrt(e, &sf_single, a))
UNARY(sqrtsd, "sqrtsd %%xmm0, %%xmm0", sf_sqrt(e, &sf_double, a))
UNARY(cvtss2sd, "cvtss2sd %%xmm0, %%xmm0",
      sf_convert(e, &sf_single, &sf_double, a))
UNARY(cvtsd2ss, "cvtsd2ss %%xmm0, %%xmm1; movss %%xmm1, %%xmm0",
      bits_get(sf_convert(e, &sf_double, &sf_single, a), 0, 32) |
          (a >> 32 << 32))

#define TO_INT(name, format, bytes, mode, result)                \
    UNARY(name, #name " %%xmm0, " result "; movq %%rax, %%xmm0", \
          sf_to_int(e, format, a, bytes, mode) & bits_mask(8 * bytes))

TO_INT(cvtss2si, &sf_single, 4, e->round, "%%eax")
TO_INT(cvttss2si, &sf_single, 4, ROUND_ZERO, "%%eax")
TO_INT(cvtsd2si, &sf_double, 4, e->round, "%%eax")
TO_INT(cvttsd2si, &sf_double, 4, ROUND_ZERO, "%%eax")
TO_INT(cvtss2siq, &sf_single, 8, e->round, "%%rax")
TO_INT(cvttss2siq, &sf_single, 8, ROUND_ZERO, "%%rax")
TO_INT(cvtsd2siq, &sf_double, 8, e->round, "%%rax")
TO_INT(cvttsd2siq, &sf_double, 8, ROUND_ZERO, "%%rax")

UNARY(cvtsi2sd, "movl %k2, %%eax; cvtsi2sdl %%eax, %%xmm0",
      sf_from_int(e, &sf_double, (int32_t)a))
UNARY(cvtsi2ss, "pxor %%xmm0, %%xmm0; cvtsi2ssl %k2, %%xmm0",
      sf_from_int(e, &sf_single, (int32_t)a))
UNARY(cvtsi2sdq, "cvtsi2sdq %2, %%xmm0", sf_from_int(e, &sf_double, (int64_t)a))
UNARY(cvtsi2ssq, "pxor %%xmm0, %%xmm0; cvtsi2ssq %2, %%xmm0",
      sf_from_int(e, &sf_single, (int64_t)a))

/* ZF, PF, CF of (U)COMISx as the order. */
static uint64_t order_code(enum sf_order o)
{
    switch (o) {
    case SF_LESS: return 1;
    case SF_EQUAL: return 0x40;
    case SF_GREATER: return 0;
    case SF_UNORDERED: break;
    }
    return 0x45;
}

#define COMPARE(name, format, signals)                                    \
    HOST(name, #name " %%xmm1, %%xmm0; lahf; movzbl %%ah, %%eax;"         \
                     " andl $0x45, %%eax; movq %%rax, %%xmm0")            \
    static uint64_t ours_##name(struct sf_env *e, uint64_t a, uint64_t b) \
    {                                                                     \
        return order_code(sf_compare(e, format, a, b, signals));          \
    }

COMPARE(comiss, &sf_single, true)
COMPARE(ucomiss, &sf_single, false)
COMPARE(comisd, &sf_double, true)
COMPARE(ucomisd, &sf_double, false)

#define ROW(name, format, unary, integer)                       \
    {                                                           \
#name, ours_##name, host_##name, format, unary, integer \
    }

static const struct operation operations[] = {
    ROW(addss, &sf_single, false, false),
    ROW(addsd, &sf_double, false, false),
    ROW(subss, &sf_single, false, false),
    ROW(subsd, &sf_double, false, false),
    ROW(mulss, &sf_single, false, false),
    ROW(mulsd, &sf_double, false, false),
    ROW(divss, &sf_single, false, false),
    ROW(divsd, &sf_double, false, false),
    ROW(minss, &sf_single, false, false),
    ROW(minsd, &sf_double, false, false),
    ROW(maxss, &sf_single, false, false),
    ROW(maxsd, &sf_double, false, false),
    ROW(comiss, &sf_single, false, false),
    ROW(comisd, &sf_double, false, false),
    ROW(ucomiss, &sf_single, false, false),
    ROW(ucomisd, &sf_double, false, false),
    ROW(sqrtss, &sf_single, true, false),
    ROW(sqrtsd, &sf_double, true, false),
    ROW(cvtss2sd, &sf_single, true, false),
    ROW(cvtsd2ss, &sf_double, true, false),
    ROW(cvtss2si, &sf_single, true, false),
    ROW(cvttss2si, &sf_single, true, false),
    ROW(cvtsd2si, &sf_double, true, false),
    ROW(cvttsd2si, &sf_double, true, false),
    ROW(cvtss2siq, &sf_single, true, false),
    ROW(cvttss2siq, &sf_single, true, false),
    ROW(cvtsd2siq, &sf_double, true, false),
    ROW(cvttsd2siq, &sf_double, true, false),
    ROW(cvtsi2ss, &sf_single, true, true),
    ROW(cvtsi2sd, &sf_double, true, true),
    ROW(cvtsi2ssq, &sf_single, true, true),
    ROW(cvtsi2sdq, &sf_double, true, true),
};

static const uint32_t corners_single[] = {
    0x00000000,                                                 /* 0 */
    0x00000001, 0x00000003, 0x00200000, 0x00400001, 0x007fffff, /* denormal */
    0x00800000, 0x00800001, 0x00ffffff, 0x01000000, 0x20000000, 0x3f000000,
    0x3effffff, 0x3f000001, 0x3f7fffff, 0x3f800000, 0x3f800001, 0x3fc00000,
    0x40000000, 0x40200000, 0x40400000, 0x4b7fffff, 0x4b800001, 0x4effffff,
    0x4f000000, 0x5effffff, 0x5f000000, 0x5f800000, /* integers */
    0x7e000000, 0x7f000000, 0x7f7ffffe, 0x7f7fffff, 0x7f800000, 0x7f800001,
    0x7fa5a5a5, 0x7fbfffff, 0x7fc00000, 0x7fdeadbe, /* NaNs */
};

static const uint64_t corners_double[] = {
    0x0000000000000000, 0x0000000000000001, 0x0000000000000003,
    0x0008000000000000, 0x000fffffffffffff, 0x0010000000000000,
    0x0010000000000001, 0x001fffffffffffff, 0x2000000000000000,
    0x3690000000000000, 0x36a0000000000001, 0x380fffffefffffff,
    0x380ffffff0000000, 0x380fffffffffffff, 0x3810000000000000,
    0x3fdfffffffffffff, 0x3fe0000000000000, 0x3fe0000000000001,
    0x3fefffffffffffff, 0x3ff0000000000000, 0x3ff0000000000001,
    0x3ff8000000000000, 0x4000000000000000, 0x4004000000000000,
    0x41dfffffffbfffff, 0x41dfffffffc00000, 0x41dfffffffe00000,
    0x41dfffffffffffff, 0x41e0000000000000, 0x41e0000000100000,
    0x41e0000000200000, 0x43dfffffffffffff, 0x43e0000000000000,
    0x43e0000000000001, 0x4340000000000001, 0x47efffffe0000000,
    0x47efffffefffffff, 0x47effffff0000000, 0x47f0000000000000,
    0x7fe0000000000000, 0x7fefffffffffffff, 0x7ff0000000000000,
    0x7ff0000000000001, 0x7ff4a5a5a5a5a5a5, 0x7ff8000000000000,
    0x7ffdeadbeefcafe1,
};

enum {
    CORNERS_SINGLE = sizeof(corners_single) / sizeof(*corners_single),
    CORNERS_DOUBLE = sizeof(corners_double) / sizeof(*corners_double),
};

/* The i-th of twice as many: with the sign as lowest bit of i. */
static uint64_t corner(const struct sf_format *f, unsigned i)
{
    if (f == &sf_single)
        return corners_single[i / 2] | (uint64_t)(i & 1) << 31;
    return corners_double[i / 2] | (uint64_t)(i & 1) << 63;
}

static unsigned corner_count(const struct sf_format *f)
{
    return 2 * (f == &sf_single ? CORNERS_SINGLE : CORNERS_DOUBLE);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1d;
}

/* Compares one case; returns what differs as text, or NULL. */
static const char *compare(const struct operation *op, uint32_t mxcsr,
                           uint64_t a, uint64_t b)
{
    struct sf_env env = {
        .round = mxcsr >> MXCSR_RC_SHIFT & 3,
        .daz = mxcsr & MXCSR_DAZ,
        .ftz = mxcsr & MXCSR_FTZ,
        .unmasked = (uint8_t)(~mxcsr >> MXCSR_MASK_SHIFT & SF_ALL),
    };
    uint32_t after = mxcsr;
    uint64_t theirs, ours = op->ours(&env, a, b);

    trapped = 0;
    theirs = op->host(&after, a, b);
    if (trapped)
        after = trapped;
    /* What is found before an operation keeps it from being done. */
    if (env.flags & env.unmasked & SF_PRE)
        env.flags &= SF_PRE;
    if (!(env.flags & env.unmasked) != !trapped)
        return "trap";
    if (env.flags != (after & SF_ALL))
        return "flags";
    return trapped || ours == theirs ? NULL : "result";
}

static unsigned report(const struct operation *op, uint32_t mxcsr, uint64_t a,
                       uint64_t b)
{
    struct sf_env env = {
        .round = mxcsr >> MXCSR_RC_SHIFT & 3,
        .daz = mxcsr & MXCSR_DAZ,
        .ftz = mxcsr & MXCSR_FTZ,
        .unmasked = (uint8_t)(~mxcsr >> MXCSR_MASK_SHIFT & SF_ALL),
    };
    const char *what = compare(op, mxcsr, a, b);
    uint32_t after = mxcsr;
    uint64_t ours, theirs;

    if (!what)
        return 0;
    trapped = 0;
    theirs = op->host(&after, a, b);
    if (trapped)
        after = trapped;
    ours = op->ours(&env, a, b);
    printf("%s(%llx, %llx) mxcsr %04x: %s: %llx flags %02x, host %llx %02x\n",
           op->name, (unsigned long long)a, (unsigned long long)b, mxcsr, what,
           (unsigned long long)ours, env.flags, (unsigned long long)theirs,
           after & SF_ALL);
    return 1;
}

static uint32_t mxcsr_of(unsigned mode, uint32_t unmasked)
{
    return (SF_ALL & ~unmasked) << MXCSR_MASK_SHIFT |
           (mode & 3) << MXCSR_RC_SHIFT | (mode & 4 ? MXCSR_DAZ : 0u) |
           (mode & 8 ? MXCSR_FTZ : 0u);
}

enum { MODES = 16, FAILURES_SHOWN = 20 };

/* Every pair of corners, each mode; with each of `unmasked` alone. */
static unsigned long run_corners(const struct operation *op, uint32_t unmasked,
                                 unsigned *failures)
{
    unsigned n = corner_count(op->from), second = op->unary ? 1 : n;
    unsigned long count = 0;

    for (unsigned mode = 0; mode < MODES; mode++) {
        uint32_t mxcsr = mxcsr_of(mode, unmasked);

        for (unsigned i = 0; i < n; i++)
            for (unsigned j = 0; j < second && *failures < FAILURES_SHOWN;
                 j++, count++)
                *failures +=
                    report(op, mxcsr, corner(op->from, i), corner(op->from, j));
    }
    return count;
}

/* Exponents of a pair differ by a few, or are anything. */
static uint64_t random_operand(const struct operation *op, uint64_t *state,
                               uint64_t near)
{
    uint64_t r = next_random(state), width = op->from->frac_bits;
    uint64_t exp = near >> width & bits_mask(op->from->exp_bits);

    if (op->integer)
        return r >> (next_random(state) & 63);
    if (r & 1) {
        exp += (next_random(state) & 31) - 16;
        exp &= bits_mask(op->from->exp_bits);
        r = (r & ~(bits_mask(op->from->exp_bits) << width)) | exp << width;
    }
    if (next_random(state) & 1)
        r &= ~bits_mask((unsigned)(next_random(state) % width));
    return op->from == &sf_single ? (uint32_t)r : r;
}

static unsigned long run_random(const struct operation *op, unsigned *failures)
{
    uint64_t state = 0x9e3779b97f4a7c15;
    unsigned long count = 0;

    for (; count < RANDOM_ROUNDS && *failures < FAILURES_SHOWN; count++) {
        uint64_t a = random_operand(op, &state, next_random(&state));
        uint64_t b = random_operand(op, &state, a);

        *failures += report(op, mxcsr_of((unsigned)count % MODES, 0), a, b);
    }
    return count;
}

START_TEST(operations_give_the_hosts_bits_and_flags)
{
    unsigned long corners = 0, random = 0;
    unsigned failures = 0;

    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        corners += run_corners(&operations[i], 0, &failures);
        random += run_random(&operations[i], &failures);
    }
    printf("softfloat: %lu corner and %lu random cases\n", corners, random);
    ck_assert_uint_eq(failures, 0);
    ck_assert_uint_gt(corners, 0);
}
END_TEST

START_TEST(unmasked_exceptions_leave_the_hosts_flags)
{
    struct sigaction action = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO};
    struct sigaction before;
    unsigned long count = 0;
    unsigned failures = 0;

    sigaction(SIGFPE, &action, &before);
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
        for (uint32_t bit = 1; bit < SF_ALL; bit <<= 1)
            count += run_corners(&operations[i], bit, &failures);
    sigaction(SIGFPE, &before, NULL);
    printf("softfloat: %lu cases with an exception unmasked\n", count);
    ck_assert_uint_eq(failures, 0);
}
END_TEST

#else

START_TEST(operations_give_the_hosts_bits_and_flags)
{
    printf("skipped %s: the host is not an x86\n", __func__);
}
END_TEST

START_TEST(unmasked_exceptions_leave_the_hosts_flags)
{
    printf("skipped %s: the host is not an x86\n", __func__);
}
END_TEST

#endif

static double as_double(uint64_t bits)
{
    float f;
    uint32_t low = (uint32_t)bits;

    memcpy(&f, &low, sizeof(f));
    return (double)f;
}

/* Over [1, 4), in steps that reach each of the 12 bits kept and beyond. */
START_TEST(approximations_keep_intels_bound)
{
    const double bound = 1.5 / 4096;

    for (uint32_t a = 0x3f800000; a < 0x40800000; a += 97) {
        double x = as_double(a), rcp = as_double(sf_rcp12(&sf_single, a));
        double rsqrt = as_double(sf_rsqrt12(&sf_single, a));
        double error = rsqrt * rsqrt * x - 1; /* twice that of rsqrt */

        ck_assert(rcp * x - 1 <= bound && rcp * x - 1 >= -bound);
        ck_assert(error <= 2 * bound && error >= -2 * bound);
    }
}
END_TEST

START_TEST(approximations_of_special_values)
{
    static const struct {
        uint32_t x, rcp, rsqrt;
    } rows[] = {
        {0x00000000, 0x7f800000, 0x7f800000}, /* 0: infinity */
        {0x80000000, 0xff800000, 0xff800000},
        {0x007fffff, 0x7f800000, 0x7f800000}, /* denormal: as 0 */
        {0x807fffff, 0xff800000, 0xff800000},
        {0x7f800000, 0x00000000, 0x00000000}, /* infinity: 0 */
        {0xff800000, 0x80000000, 0xffc00000},
        {0x7f000001, 0x00000000, 0x1fb50000}, /* tiny result: 0 */
        {0xbf800000, 0xbf800000, 0xffc00000}, /* -1 has no root */
        {0x7f800001, 0x7fc00001, 0x7fc00001}, /* NaNs become quiet */
        {0xffc12345, 0xffc12345, 0xffc12345},
        {0x40800000, 0x3e800000, 0x3f000000}, /* 4 */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t rcp = sf_rcp12(&sf_single, rows[i].x);
        uint64_t rsqrt = sf_rsqrt12(&sf_single, rows[i].x);

        ck_assert_msg(rcp == rows[i].rcp, "rcp(%x) = %llx", rows[i].x,
                      (unsigned long long)rcp);
        ck_assert_msg(rsqrt == rows[i].rsqrt, "rsqrt(%x) = %llx", rows[i].x,
                      (unsigned long long)rsqrt);
    }
}
END_TEST

/* By the four modes in the order of MXCSR.RC; no denormal exception. */
START_TEST(rounding_to_an_integer_of_the_format)
{
    static const struct {
        uint32_t x, rounded[4];
        unsigned flags;
    } rows[] = {
        {0x40200000,
         {0x40000000, 0x40000000, 0x40400000, 0x40000000},
         SF_INEXACT}, /* 2.5: a tie, to even */
        {0xc0600000,
         {0xc0800000, 0xc0800000, 0xc0400000, 0xc0400000},
         SF_INEXACT}, /* -3.5 */
        {0xbe99999a,
         {0x80000000, 0xbf800000, 0x80000000, 0x80000000},
         SF_INEXACT}, /* -0.3: zero keeps the sign */
        {0x00000001,
         {0x00000000, 0x00000000, 0x3f800000, 0x00000000},
         SF_INEXACT}, /* denormal */
        {0x4affffff,
         {0x4b000000, 0x4afffffe, 0x4b000000, 0x4afffffe},
         SF_INEXACT}, /* 8388607.5 */
        {0x4b000001, {0x4b000001, 0x4b000001, 0x4b000001, 0x4b000001}, 0},
        {0xff800000, {0xff800000, 0xff800000, 0xff800000, 0xff800000}, 0},
        {0x7f800001,
         {0x7fc00001, 0x7fc00001, 0x7fc00001, 0x7fc00001},
         SF_INVALID},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (unsigned mode = ROUND_NEAREST; mode <= ROUND_ZERO; mode++) {
            struct sf_env env = {0};
            uint64_t r = sf_round_to_int(&env, &sf_single, rows[i].x,
                                         (enum softnum_round)mode);

            ck_assert_uint_eq(r, rows[i].rounded[mode]);
            ck_assert_uint_eq(env.flags, rows[i].flags);
        }
    }
}
END_TEST

SUITE("softfloat", operations_give_the_hosts_bits_and_flags,
      unmasked_exceptions_leave_the_hosts_flags,
      approximations_keep_intels_bound, approximations_of_special_values,
      rounding_to_an_integer_of_the_format)
