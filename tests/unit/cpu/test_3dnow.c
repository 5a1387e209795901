/*
 * 3DNow! (AMD 21928; APM vol. 5): no processor that is still made has it, so
 * expectations are those of the manuals' text.
 */

#include <math.h>
#include <stdio.h>

#include "base/bytes.h"
#include "tests/unit/cpu/simd_board.h"

enum { AT = 0x1000, RANDOM_CASES = 50000 };

static cpu_op *const bodies[INSN_COUNT] = {
#define INSN(id, map, code, ext, pfx, name, o0, o1, o2, o3, flags, attrs, \
             feature, body)                                               \
    [I_##id] = op_##body,
#include "cpu/isa/3dnow.def"
#undef INSN
};

#define PACK(high, low) ((uint64_t)(uint32_t)(high) << 32 | (uint32_t)(low))

#define ZERO 0x00000000u
#define MINUS_ZERO 0x80000000u
#define ONE 0x3f800000u
#define MINUS_ONE 0xbf800000u
#define TWO 0x40000000u
#define THREE 0x40400000u
#define LARGEST 0x7f7fffffu  /* 2^127 (2 - 2^-23) */
#define SMALLEST 0x00800000u /* 2^-126 */
#define DENORMAL 0x007fffffu

/* --- running --- */

static int run(struct simd_board *b, const uint8_t *bytes, size_t size)
{
    struct cpu *cpu = &b->cpu;
    struct insn in;

    if (decode(bytes, size, cpu->mode, cpu->features, &in) != DECODE_OK ||
        !bodies[in.id])
        return SIMD_NO_INSN;
    ck_assert_uint_eq(in.len, size);
    cpu->unwind = &b->unwind;
    cpu->insn_rsp = cpu->gpr[RSP];
    cpu->next_rip = cpu->rip + in.len;
    if (setjmp(b->unwind))
        return b->cpu.exc.vector;
    cpu_check_fpu(cpu, &in);
    bodies[in.id](cpu, &in);
    return SIMD_DONE;
}

/* suffix MM0, MM1 */
static uint64_t apply(struct simd_board *b, uint8_t suffix, uint64_t mm0,
                      uint64_t mm1)
{
    const uint8_t bytes[] = {0x0f, 0x0f, 0xc1, suffix};

    b->cpu.fpu.r[0].frac = mm0;
    b->cpu.fpu.r[1].frac = mm1;
    ck_assert_int_eq(run(b, bytes, sizeof(bytes)), SIMD_DONE);
    return b->cpu.fpu.r[0].frac;
}

enum suffix {
    PI2FW = 0x0c,
    PI2FD = 0x0d,
    PF2IW = 0x1c,
    PF2ID = 0x1d,
    PFNACC = 0x8a,
    PFPNACC = 0x8e,
    PFCMPGE = 0x90,
    PFMIN = 0x94,
    PFRCP = 0x96,
    PFRSQRT = 0x97,
    PFSUB = 0x9a,
    PFADD = 0x9e,
    PFCMPGT = 0xa0,
    PFMAX = 0xa4,
    PFRCPIT1 = 0xa6,
    PFRSQIT1 = 0xa7,
    PFSUBR = 0xaa,
    PFACC = 0xae,
    PFCMPEQ = 0xb0,
    PFMUL = 0xb4,
    PFRCPIT2 = 0xb6,
    PMULHRW = 0xb7,
    PSWAPD = 0xbb,
    PAVGUSB = 0xbf,
};

/* --- one number by another --- */

static const struct {
    uint8_t suffix;
    uint32_t a, b, result;
} numbers[] = {
    {PFADD, ONE, TWO, THREE},
    {PFADD, ZERO, MINUS_ZERO, ZERO}, /* the AND of the signs */
    {PFADD, MINUS_ZERO, MINUS_ZERO, MINUS_ZERO},
    {PFADD, MINUS_ZERO, THREE, THREE},
    {PFADD, ONE, MINUS_ONE, ZERO}, /* the sign of the first */
    {PFADD, MINUS_ONE, ONE, MINUS_ZERO},
    {PFADD, LARGEST, LARGEST, LARGEST}, /* saturation */
    {PFADD, LARGEST | MINUS_ZERO, LARGEST | MINUS_ZERO, LARGEST | MINUS_ZERO},
    {PFADD, ONE, 0x33800000, ONE}, /* 2^-24: to the even one */
    {PFADD, 0x3f800001, 0x33800000, 0x3f800002},
    {PFADD, ONE, 0x33800001, 0x3f800001},
    {PFADD, DENORMAL, ONE, ONE}, /* denormals are zeros */
    {PFADD, DENORMAL, DENORMAL, ZERO},
    {PFADD, 0x00800001, SMALLEST | MINUS_ZERO, ZERO}, /* underflow */
    {PFADD, SMALLEST, 0x80800001, MINUS_ZERO}, /* the sign of the larger */
    {PFSUB, THREE, TWO, ONE},
    {PFSUB, ZERO, ZERO, ZERO},
    {PFSUB, MINUS_ZERO, ZERO, MINUS_ZERO},
    {PFSUB, ZERO, ONE, MINUS_ONE},
    {PFSUB, MINUS_ONE, MINUS_ONE, MINUS_ZERO},
    {PFSUBR, TWO, THREE, ONE},
    {PFSUBR, ONE, ZERO, MINUS_ONE},
    {PFMUL, THREE, MINUS_ONE, 0xc0400000},
    {PFMUL, MINUS_ZERO, THREE, MINUS_ZERO},
    {PFMUL, MINUS_ZERO, MINUS_ONE, ZERO},
    {PFMUL, LARGEST, TWO, LARGEST},
    {PFMUL, LARGEST, 0xc0000000, LARGEST | MINUS_ZERO},
    {PFMUL, SMALLEST, 0xbf000000, MINUS_ZERO},
    {PFMUL, 0x3f800001, 0x3f800001, 0x3f800002},
    {PFCMPEQ, ZERO, MINUS_ZERO, UINT32_MAX},
    {PFCMPEQ, ONE, ONE, UINT32_MAX},
    {PFCMPEQ, ONE, MINUS_ONE, 0},
    {PFCMPGE, MINUS_ZERO, ZERO, UINT32_MAX},
    {PFCMPGE, MINUS_ONE, ONE, 0},
    {PFCMPGE, TWO, ONE, UINT32_MAX},
    {PFCMPGT, ZERO, MINUS_ZERO, 0},
    {PFCMPGT, ONE, MINUS_ONE, UINT32_MAX},
    {PFCMPGT, ONE, ONE, 0},
    {PFMAX, MINUS_ZERO, MINUS_ONE, ZERO}, /* any zero is +0 */
    {PFMAX, MINUS_ZERO, MINUS_ZERO, ZERO},
    {PFMAX, MINUS_ONE, TWO, TWO},
    {PFMIN, MINUS_ZERO, ONE, ZERO},
    {PFMIN, ZERO, MINUS_ONE, MINUS_ONE},
    {PFMIN, THREE, TWO, TWO},
    {PFRCP, 0, ZERO, LARGEST},
    {PFRCP, 0, MINUS_ZERO, LARGEST | MINUS_ZERO},
    {PFRCP, 0, 0xc0000000, 0xbf000000},
    {PFRCP, 0, 0x7e800000, ZERO}, /* 2^126 */
    {PFRCP, 0, SMALLEST, 0x7e800000},
    {PFRSQRT, 0, 0x40800000, 0x3f000000},
    {PFRSQRT, 0, 0xc0800000, 0xbf000000}, /* of the magnitude */
    {PFRSQRT, 0, MINUS_ZERO, LARGEST | MINUS_ZERO},
    {PF2ID, 0, 0xbfffffff, (uint32_t)-1}, /* truncation */
    {PF2ID, 0, 0x4f000000, 0x7fffffff},
    {PF2ID, 0, 0x4effffff, 0x7fffff80},
    {PF2ID, 0, 0xcf000001, 0x80000000},
    {PF2ID, 0, DENORMAL, 0},
    {PF2IW, 0, 0x47000000, 0x7fff},
    {PF2IW, 0, 0xc7000000, 0xffff8000}, /* sign-extended */
    {PF2IW, 0, 0xc2f70000, (uint32_t)-123},
    {PI2FD, 0, 3, THREE},
    {PI2FD, 0, 0x7fffffff, 0x4effffff}, /* truncation */
    {PI2FD, 0, 0x80000001, 0xceffffff},
    {PI2FD, 0, 0x80000000, 0xcf000000},
    {PI2FD, 0, 0, 0},
    {PI2FW, 0, 0x1234ffff, MINUS_ONE}, /* the low word */
    {PI2FW, 0, 0xffff0002, TWO},
    {PAVGUSB, 0x00ff0102, 0x00fe0202, 0x00ff0202},
    {PMULHRW, 0x00010100, 0x80000080, 0x00000001}, /* + 8000h */
    {PMULHRW, 0x7fffc000, 0x7fff0002, 0x3fff0000},
};

START_TEST(numbers_are_as_the_manual_says)
{
    struct simd_board *b = simd_board_new();

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint32_t x = numbers[i].a, y = numbers[i].b;
        uint64_t r = apply(b, numbers[i].suffix, PACK(x, x), PACK(y, y));

        ck_assert_msg(r == PACK(numbers[i].result, numbers[i].result),
                      "suffix %02x of %08x, %08x: %016llx, not %08x",
                      numbers[i].suffix, x, y, (unsigned long long)r,
                      numbers[i].result);
    }
    simd_board_free(b);
}
END_TEST

/* --- halves --- */

START_TEST(accumulation_takes_the_halves_of_each_operand)
{
    struct simd_board *b = simd_board_new();
    uint64_t a = PACK(TWO, THREE), c = PACK(ONE, TWO);

    ck_assert_uint_eq(apply(b, PFACC, a, c), PACK(THREE, 0x40a00000));
    ck_assert_uint_eq(apply(b, PFNACC, a, c), PACK(ONE, ONE));
    ck_assert_uint_eq(apply(b, PFPNACC, a, c), PACK(THREE, ONE));
    simd_board_free(b);
}
END_TEST

START_TEST(approximations_are_of_the_low_half_and_go_to_both)
{
    struct simd_board *b = simd_board_new();

    ck_assert_uint_eq(apply(b, PFRCP, 0, PACK(THREE, TWO)),
                      PACK(0x3f000000, 0x3f000000));
    ck_assert_uint_eq(apply(b, PFRSQRT, 0, PACK(THREE, ONE)), PACK(ONE, ONE));
    ck_assert_uint_eq(apply(b, PSWAPD, 0, PACK(ONE, TWO)), PACK(TWO, ONE));
    simd_board_free(b);
}
END_TEST

/* --- reciprocals --- */

static float float_of(uint32_t v)
{
    union {
        uint32_t u;
        float f;
    } pun = {.u = v};

    return pun.f;
}

static uint32_t bits_of(double v)
{
    union {
        uint32_t u;
        float f;
    } pun = {.f = (float)v};

    return pun.u;
}

/* A positive number whose reciprocal is in range. */
static uint32_t next_number(uint64_t *state)
{
    *state = *state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(1 + (*state >> 40) % 250) << 23 |
           (uint32_t)(*state >> 17 & 0x7fffff);
}

struct quality {
    unsigned long exact, near;
    double worst; /* of the first approximation */
};

static void judge(struct quality *q, uint32_t first, uint32_t last,
                  double wanted)
{
    uint32_t best = bits_of(wanted);
    double error = fabs(float_of(first) / wanted - 1);

    if (error > q->worst)
        q->worst = error;
    q->exact += last == best;
    q->near += last == best || last == best + 1 || last == best - 1;
}

START_TEST(reciprocals_become_exact_to_the_last_place)
{
    struct simd_board *b = simd_board_new();
    struct quality q = {0};
    uint64_t state = 1;

    for (unsigned i = 0; i < RANDOM_CASES; i++) {
        uint32_t v = next_number(&state);
        uint64_t x0 = apply(b, PFRCP, 0, v);
        uint64_t x1 = apply(b, PFRCPIT1, PACK(v, v), x0);
        uint64_t x2 = apply(b, PFRCPIT2, x1, x0);

        judge(&q, (uint32_t)x0, (uint32_t)x2, 1 / (double)float_of(v));
    }
    printf("PFRCP: error at most 2^%.2f; after PFRCPIT2 %.3f %% exact\n",
           log2(q.worst), 100.0 * (double)q.exact / RANDOM_CASES);
    ck_assert_double_le(q.worst, 0x1p-14);
    ck_assert_uint_eq(q.near, RANDOM_CASES);
    ck_assert_uint_ge(q.exact, RANDOM_CASES / 100 * 99);
    simd_board_free(b);
}
END_TEST

START_TEST(reciprocal_roots_become_exact_to_the_last_place)
{
    struct simd_board *b = simd_board_new();
    struct quality q = {0};
    uint64_t state = 2;

    for (unsigned i = 0; i < RANDOM_CASES; i++) {
        uint32_t v = next_number(&state);
        uint64_t x0 = apply(b, PFRSQRT, 0, v);
        uint64_t x1 = apply(b, PFMUL, x0, x0);
        uint64_t x2 = apply(b, PFRSQIT1, PACK(v, v), x1);
        uint64_t x3 = apply(b, PFRCPIT2, x2, x0);

        judge(&q, (uint32_t)x0, (uint32_t)x3, 1 / sqrt((double)float_of(v)));
    }
    printf("PFRSQRT: error at most 2^%.2f; after PFRCPIT2 %.3f %% exact\n",
           log2(q.worst), 100.0 * (double)q.exact / RANDOM_CASES);
    ck_assert_double_le(q.worst, 0x1p-15);
    ck_assert_uint_eq(q.near, RANDOM_CASES);
    ck_assert_uint_ge(q.exact, RANDOM_CASES / 100 * 85);
    simd_board_free(b);
}
END_TEST

/* --- encoding and state --- */

#define RUN(b, ...)                        \
    run(b, (const uint8_t[]){__VA_ARGS__}, \
        sizeof((const uint8_t[]){__VA_ARGS__}))

START_TEST(the_suffix_follows_the_memory_operand)
{
    struct simd_board *b = simd_board_new();
    struct cpu *cpu = &b->cpu;

    cpu->gpr[RSI] = AT;
    store64(simd_ram(b, AT + 0x20), PACK(ONE, TWO));
    cpu->fpu.r[3].frac = PACK(TWO, ONE);
    ck_assert_int_eq(RUN(b, 0x0f, 0x0f, 0x5e, 0x20, PFADD), SIMD_DONE);
    ck_assert_uint_eq(cpu->fpu.r[3].frac, PACK(THREE, THREE));
    simd_board_free(b);
}
END_TEST

START_TEST(other_suffixes_are_no_instruction)
{
    struct simd_board *b = simd_board_new();
    struct feature_set *features = &b->cpu.features;

    ck_assert_int_eq(RUN(b, 0x0f, 0x0f, 0xc1, 0x00), SIMD_NO_INSN);
    feature_set_put(features, FEAT_NOW3DEXT, false);
    ck_assert_int_eq(RUN(b, 0x0f, 0x0f, 0xc1, PSWAPD), SIMD_NO_INSN);
    ck_assert_int_eq(RUN(b, 0x0f, 0x0f, 0xc1, PFADD), SIMD_DONE);
    feature_set_put(features, FEAT_NOW3D, false);
    ck_assert_int_eq(RUN(b, 0x0f, 0x0f, 0xc1, PFADD), SIMD_NO_INSN);
    simd_board_free(b);
}
END_TEST

START_TEST(the_x87_goes_into_mmx_state_until_femms)
{
    struct simd_board *b = simd_board_new();
    struct cpu *cpu = &b->cpu;

    cpu->fpu.sw = 5 << FPU_SW_TOP_SHIFT;
    ck_assert_int_eq(RUN(b, 0x0f, 0x0f, 0xd1, PFADD), SIMD_DONE);
    ck_assert_uint_eq(cpu->fpu.tags, 0xff);
    ck_assert_uint_eq(cpu->fpu.sw, 0);
    ck_assert_uint_eq(cpu->fpu.r[2].exp, 0xffff);
    ck_assert_int_eq(RUN(b, 0x0f, 0x0e), SIMD_DONE);
    ck_assert_uint_eq(cpu->fpu.tags, 0);
    simd_board_free(b);
}
END_TEST

START_TEST(control_bits_forbid_it_as_they_do_mmx)
{
    struct simd_board *b = simd_board_new();
    struct cpu *cpu = &b->cpu;

    cpu->fpu.sw = FPU_SW_ES;
    ck_assert_int_eq(RUN(b, 0x0f, 0x0f, 0xc1, PFADD), EXC_MF);
    cpu->cr0 |= CR0_TS;
    ck_assert_int_eq(RUN(b, 0x0f, 0x0f, 0xc1, PFADD), EXC_NM);
    cpu->cr0 |= CR0_EM;
    ck_assert_int_eq(RUN(b, 0x0f, 0x0f, 0xc1, PFADD), EXC_UD);
    ck_assert_int_eq(RUN(b, 0x0f, 0x0e), EXC_UD);
    simd_board_free(b);
}
END_TEST

SUITE("3dnow", numbers_are_as_the_manual_says,
      accumulation_takes_the_halves_of_each_operand,
      approximations_are_of_the_low_half_and_go_to_both,
      reciprocals_become_exact_to_the_last_place,
      reciprocal_roots_become_exact_to_the_last_place,
      the_suffix_follows_the_memory_operand, other_suffixes_are_no_instruction,
      the_x87_goes_into_mmx_state_until_femms,
      control_bits_forbid_it_as_they_do_mmx)
