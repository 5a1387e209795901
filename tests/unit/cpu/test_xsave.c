/*
 * XSAVE and its family, XCR0 and what CPUID says about them (SDM vol. 1,
 * chapter 13).  What the stores write and leave alone was compared with a
 * processor.
 */
#include "cpu/xsave.h"

#include "cpu/cpuid.h"
#include "cpu/fxsave.h"
#include "tests/unit/cpu/box.h"
#include "tests/unit/suite.h"

enum {
    AREA = 0x20000,
    SIZE = 832,
    BV = 512,
    COMP_BV = 520,
    RESERVED = 528,
    AVX = 576,
    ALL = XCR0_X87 | XCR0_SSE | XCR0_AVX,
    NO_FAULT = -1,
};

#define XGETBV 0x0f, 0x01, 0xd0
#define XSETBV 0x0f, 0x01, 0xd1
#define XSAVE64 0x48, 0x0f, 0xae, 0x27 /* [rdi] */
#define XSAVEOPT64 0x48, 0x0f, 0xae, 0x37
#define XSAVEC64 0x48, 0x0f, 0xc7, 0x27
#define XSAVES64 0x48, 0x0f, 0xc7, 0x2f
#define XRSTOR64 0x48, 0x0f, 0xae, 0x2f
#define XRSTORS64 0x48, 0x0f, 0xc7, 0x1f

/* 64-bit mode, all enabled, RFBM all, RDI at an area of ones. */
static struct box *xbox(void)
{
    struct box *b = box_new_long();

    b->cpu.features = FEATURE_SET_ALL;
    b->cpu.cr4 |= CR4_OSFXSR | CR4_OSXSAVE;
    b->cpu.xcr0 = ALL;
    ck_assert(cpu_state_loaded(&b->cpu));
    memset(&b->cpu.fpu, 0, sizeof(b->cpu.fpu));
    b->cpu.fpu.cw = 0x37f;
    b->cpu.gpr[RDI] = AREA;
    b->cpu.gpr[RAX] = ALL;
    b->cpu.gpr[RDX] = 0;
    memset(box_at(b, AREA), 0xff, PAGE_SIZE);
    return b;
}

/* The vector of the fault, or NO_FAULT. */
static int run(struct box *b, const uint8_t *code, size_t size)
{
    uint8_t *at = box_at(b, BOX_CODE);

    memcpy(at, code, size);
    at[size] = 0xf4;
    b->engine->flush(b->engine);
    b->cpu.rip = BOX_CODE;
    b->cpu.halted = false;
    return box_fault(b);
}

#define RUN(b, ...)                        \
    run(b, (const uint8_t[]){__VA_ARGS__}, \
        sizeof((const uint8_t[]){__VA_ARGS__}))

static uint64_t at(struct box *b, unsigned offset)
{
    return load64(box_at(b, AREA + offset));
}

static void use_everything(struct cpu *cpu)
{
    cpu->fpu.tags = 1;
    cpu->fpu.r[0].frac = 0x123456789abcdef0;
    cpu->fpu.r[0].exp = 0x3fff;
    for (unsigned i = 0; i < 16; i++)
        for (unsigned k = 0; k < 4; k++)
            cpu->xmm[i].u64[k] = 0x1000 * i + k + 1;
}

static void clear_header(struct box *b)
{
    memset(box_at(b, AREA + BV), 0, AVX - BV);
}

START_TEST(nothing_works_before_osxsave_or_with_ts)
{
    struct box *b = xbox();

    b->cpu.cr4 &= ~(uint64_t)CR4_OSXSAVE;
    ck_assert_int_eq(RUN(b, XGETBV), EXC_UD);
    ck_assert_int_eq(RUN(b, XSETBV), EXC_UD);
    ck_assert_int_eq(RUN(b, XSAVE64), EXC_UD);
    ck_assert_int_eq(RUN(b, XRSTOR64), EXC_UD);
    b->cpu.cr4 |= CR4_OSXSAVE;
    b->cpu.cr0 |= CR0_TS;
    ck_assert_int_eq(RUN(b, XSAVE64), EXC_NM);
    ck_assert_int_eq(RUN(b, XSAVEC64), EXC_NM);
    ck_assert_int_eq(RUN(b, XRSTOR64), EXC_NM);
    ck_assert_int_eq(RUN(b, 0x66, XSAVE64), EXC_UD);
    ck_assert_int_eq(RUN(b, 0xf0, XSAVE64), EXC_UD);
    b->cpu.gpr[RCX] = 0;
    ck_assert_int_eq(RUN(b, XGETBV), NO_FAULT);
    box_free(b);
}
END_TEST

static int set_xcr0(struct box *b, uint32_t index, uint64_t v)
{
    b->cpu.gpr[RCX] = index;
    b->cpu.gpr[RAX] = (uint32_t)v;
    b->cpu.gpr[RDX] = v >> 32;
    return RUN(b, XSETBV);
}

START_TEST(xcr0_takes_only_what_makes_sense)
{
    struct box *b = xbox();

    ck_assert_int_eq(set_xcr0(b, 0, 1), NO_FAULT);
    ck_assert(b->cpu.mode & MODE_NO_AVX);
    ck_assert_int_eq(set_xcr0(b, 0, 3), NO_FAULT);
    ck_assert_int_eq(set_xcr0(b, 0, 7), NO_FAULT);
    ck_assert(!(b->cpu.mode & MODE_NO_AVX));
    ck_assert_int_eq(set_xcr0(b, 0, 0), EXC_GP);
    ck_assert_int_eq(set_xcr0(b, 0, 2), EXC_GP);
    ck_assert_int_eq(set_xcr0(b, 0, 5), EXC_GP); /* AVX without SSE */
    ck_assert_int_eq(set_xcr0(b, 0, 15), EXC_GP);
    ck_assert_int_eq(set_xcr0(b, 0, 7 | (uint64_t)1 << 62), EXC_GP);
    ck_assert_int_eq(set_xcr0(b, 1, 7), EXC_GP);
    ck_assert_uint_eq(b->cpu.xcr0, 7);
    b->cpu.cpl = 3;
    ck_assert_int_eq(set_xcr0(b, 0, 7), EXC_GP);
    box_free(b);
}
END_TEST

START_TEST(xgetbv_1_says_what_is_in_use)
{
    struct box *b = xbox();

    b->cpu.gpr[RCX] = 1;
    ck_assert_int_eq(RUN(b, XGETBV), NO_FAULT);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0);
    b->cpu.mxcsr = 0x1fa0;
    ck_assert_int_eq(RUN(b, XGETBV), NO_FAULT);
    ck_assert_uint_eq(b->cpu.gpr[RAX], XCR0_SSE);
    use_everything(&b->cpu);
    ck_assert_int_eq(RUN(b, XGETBV), NO_FAULT);
    ck_assert_uint_eq(b->cpu.gpr[RAX], ALL);
    b->cpu.gpr[RCX] = 2;
    ck_assert_int_eq(RUN(b, XGETBV), EXC_GP);
    box_free(b);
}
END_TEST

START_TEST(xsave_writes_requested_components_and_their_bits)
{
    struct box *b = xbox();

    use_everything(&b->cpu);
    b->cpu.gpr[RAX] = XCR0_X87;
    ck_assert_int_eq(RUN(b, XSAVE64), NO_FAULT);
    ck_assert_uint_eq(at(b, FX_CW) & 0xffff, 0x37f);
    ck_assert_uint_eq(at(b, FX_ST), 0x123456789abcdef0);
    ck_assert_uint_eq(at(b, FX_MXCSR), UINT64_MAX);
    ck_assert_uint_eq(at(b, FX_XMM), UINT64_MAX);
    ck_assert_uint_eq(at(b, BV), UINT64_MAX);
    memset(box_at(b, AREA), 0xff, SIZE);
    memset(&b->cpu.xmm, 0, sizeof(b->cpu.xmm));
    b->cpu.xmm[15].u64[3] = 5;
    b->cpu.gpr[RAX] = XCR0_SSE | XCR0_AVX;
    ck_assert_int_eq(RUN(b, XSAVE64), NO_FAULT);
    ck_assert_uint_eq(at(b, FX_CW), UINT64_MAX);
    ck_assert_uint_eq((uint32_t)at(b, FX_MXCSR), 0x1f80);
    ck_assert_uint_eq(at(b, FX_XMM), 0);
    ck_assert_uint_eq(at(b, FX_XMM + 256), UINT64_MAX); /* software's */
    ck_assert_uint_eq(at(b, BV), ~(uint64_t)XCR0_SSE);  /* initial */
    ck_assert_uint_eq(at(b, COMP_BV), UINT64_MAX);
    ck_assert_uint_eq(at(b, RESERVED), UINT64_MAX);
    ck_assert_uint_eq(at(b, AVX + 15 * 16 + 8), 5);
    ck_assert_uint_eq(at(b, SIZE), UINT64_MAX);
    box_free(b);
}
END_TEST

START_TEST(xsaveopt_leaves_out_what_is_initial)
{
    struct box *b = xbox();

    b->cpu.xmm[3].u64[0] = 7;
    b->cpu.gpr[RDX] = 0xffffffff; /* not in XCR0 */
    ck_assert_int_eq(RUN(b, XSAVEOPT64), NO_FAULT);
    ck_assert_uint_eq(at(b, FX_CW), UINT64_MAX);
    ck_assert_uint_eq(at(b, FX_XMM + 48), 7);
    ck_assert_uint_eq((uint32_t)at(b, FX_MXCSR), 0x1f80);
    ck_assert_uint_eq(at(b, AVX), UINT64_MAX);
    ck_assert_uint_eq(at(b, BV), ~(uint64_t)(XCR0_X87 | XCR0_AVX));
    box_free(b);
}
END_TEST

START_TEST(xsavec_writes_its_own_header_and_counts_mxcsr_as_sse)
{
    struct box *b = xbox();

    ck_assert_int_eq(RUN(b, XSAVEC64), NO_FAULT);
    ck_assert_uint_eq(at(b, BV), 0);
    ck_assert_uint_eq(at(b, COMP_BV), (uint64_t)1 << 63 | ALL);
    ck_assert_uint_eq(at(b, RESERVED), UINT64_MAX);
    ck_assert_uint_eq(at(b, FX_MXCSR), UINT64_MAX);
    b->cpu.mxcsr = 0x1fa0;
    ck_assert_int_eq(RUN(b, XSAVEC64), NO_FAULT);
    ck_assert_uint_eq(at(b, BV), XCR0_SSE);
    ck_assert_uint_eq((uint32_t)at(b, FX_MXCSR), 0x1fa0);
    ck_assert_uint_eq(at(b, FX_XMM), 0);
    ck_assert_uint_eq(at(b, AVX), UINT64_MAX);
    b->cpu.cpl = 3;
    ck_assert_int_eq(RUN(b, XSAVES64), EXC_GP);
    ck_assert_int_eq(RUN(b, XRSTORS64), EXC_GP);
    box_free(b);
}
END_TEST

/* What the instruction saves comes back, and the rest becomes initial. */
static void round_trip(const uint8_t *save, const uint8_t *restore)
{
    struct box *b = xbox();
    union vec saved[16];

    use_everything(&b->cpu);
    memcpy(saved, b->cpu.xmm, sizeof(saved));
    b->cpu.mxcsr = 0x1fa0;
    clear_header(b);
    ck_assert_int_eq(run(b, save, 4), NO_FAULT);
    memset(b->cpu.xmm, 0xee, sizeof(b->cpu.xmm));
    memset(&b->cpu.fpu, 0xee, sizeof(b->cpu.fpu));
    b->cpu.mxcsr = 0x1f80;
    ck_assert_int_eq(run(b, restore, 4), NO_FAULT);
    for (unsigned i = 0; i < 16; i++)
        ck_assert_mem_eq(&b->cpu.xmm[i], &saved[i], 32);
    ck_assert_uint_eq(b->cpu.mxcsr, 0x1fa0);
    ck_assert_uint_eq(b->cpu.fpu.cw, 0x37f);
    ck_assert_uint_eq(b->cpu.fpu.tags, 1);
    ck_assert_uint_eq(b->cpu.fpu.r[0].frac, 0x123456789abcdef0);
    store64(box_at(b, AREA + BV), 0);
    ck_assert_int_eq(run(b, restore, 4), NO_FAULT);
    ck_assert_uint_eq(b->cpu.fpu.tags, 0);
    for (unsigned i = 0; i < 16; i++)
        for (unsigned k = 0; k < 4; k++)
            ck_assert_uint_eq(b->cpu.xmm[i].u64[k], 0);
    box_free(b);
}

START_TEST(what_was_saved_comes_back)
{
    static const uint8_t save[][4] = {
        {XSAVE64}, {XSAVEOPT64}, {XSAVEC64}, {XSAVES64}};
    static const uint8_t restore[] = {XRSTOR64}, restores[] = {XRSTORS64};

    for (unsigned i = 0; i < 4; i++)
        round_trip(save[i], restore);
    round_trip(save[2], restores);
    round_trip(save[3], restores);
}
END_TEST

START_TEST(mxcsr_is_loaded_by_form)
{
    struct box *b = xbox();

    memset(box_at(b, AREA), 0, SIZE);
    store32(box_at(b, AREA + FX_MXCSR), 0x1fa0);
    b->cpu.gpr[RAX] = XCR0_X87;
    ck_assert_int_eq(RUN(b, XRSTOR64), NO_FAULT);
    ck_assert_uint_eq(b->cpu.mxcsr, 0x1f80);
    b->cpu.gpr[RAX] = XCR0_AVX;
    ck_assert_int_eq(RUN(b, XRSTOR64), NO_FAULT);
    ck_assert_uint_eq(b->cpu.mxcsr, 0x1fa0);
    b->cpu.gpr[RAX] = XCR0_SSE;
    store64(box_at(b, AREA + COMP_BV), (uint64_t)1 << 63 | ALL);
    ck_assert_int_eq(RUN(b, XRSTOR64), NO_FAULT);
    ck_assert_uint_eq(b->cpu.mxcsr, 0x1f80); /* initial: XSTATE_BV is 0 */
    store64(box_at(b, AREA + BV), XCR0_SSE);
    store32(box_at(b, AREA + FX_MXCSR), 0x10000);
    ck_assert_int_eq(RUN(b, XRSTOR64), EXC_GP);
    box_free(b);
}
END_TEST

START_TEST(a_bad_header_is_a_fault)
{
    static const struct {
        unsigned offset;
        uint64_t bv, comp, extra;
    } bad[] = {
        {RESERVED, 8, 0, 0},                      /* not in XCR0 */
        {RESERVED, 7, 7, 0},                      /* XCOMP_BV without bit 63 */
        {RESERVED, 7, 0, 1},                      /* bytes 16 to 23 */
        {RESERVED, 0, (uint64_t)1 << 63 | 15, 0}, /* not in XCR0 */
        {RESERVED, 7, (uint64_t)1 << 63 | 3, 0},  /* not in XCOMP_BV */
        {RESERVED, 1, (uint64_t)1 << 63 | 7, 1},
        {RESERVED + 40, 1, (uint64_t)1 << 63 | 7, 1},
    };
    struct box *b = xbox();

    memset(box_at(b, AREA), 0, SIZE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        clear_header(b);
        store64(box_at(b, AREA + BV), bad[i].bv);
        store64(box_at(b, AREA + COMP_BV), bad[i].comp);
        store64(box_at(b, AREA + bad[i].offset), bad[i].extra);
        ck_assert_int_eq(RUN(b, XRSTOR64), EXC_GP);
    }
    clear_header(b); /* bytes 24 on do not matter in the standard form */
    store64(box_at(b, AREA + RESERVED + 8), 1);
    ck_assert_int_eq(RUN(b, XRSTOR64), NO_FAULT);
    ck_assert_int_eq(RUN(b, XRSTORS64), EXC_GP); /* must be compacted */
    b->cpu.gpr[RDI] += 32;
    ck_assert_int_eq(RUN(b, XSAVE64), EXC_GP);
    ck_assert_int_eq(RUN(b, XRSTOR64), EXC_GP);
    box_free(b);
}
END_TEST

START_TEST(a_fault_in_the_second_page_leaves_the_first)
{
    struct box *b = xbox();

    use_everything(&b->cpu);
    memset(box_at(b, AREA), 0xff, 2 * PAGE_SIZE);
    b->cpu.gpr[RDI] = AREA + PAGE_SIZE - 576;
    box_forbid(b, AREA + PAGE_SIZE, 2);
    ck_assert_int_eq(RUN(b, XSAVE64), EXC_PF);
    ck_assert_uint_eq(at(b, PAGE_SIZE - 576), UINT64_MAX);
    ck_assert_int_eq(RUN(b, XSAVEC64), EXC_PF);
    ck_assert_uint_eq(at(b, PAGE_SIZE - 576 + BV), UINT64_MAX);
    b->cpu.gpr[RAX] = XCR0_X87 | XCR0_SSE;
    ck_assert_int_eq(RUN(b, XSAVE64), NO_FAULT);
    box_free(b);
}
END_TEST

START_TEST(thirty_two_bit_code_has_eight_registers)
{
    struct box *b = box_new_32();

    b->cpu.features = FEATURE_SET_ALL;
    b->cpu.cr4 |= CR4_OSFXSR | CR4_OSXSAVE;
    b->cpu.xcr0 = ALL;
    b->cpu.gpr[RDI] = AREA;
    b->cpu.gpr[RAX] = ALL;
    use_everything(&b->cpu);
    memset(box_at(b, AREA), 0xff, PAGE_SIZE);
    clear_header(b);
    ck_assert_int_eq(RUN(b, 0x0f, 0xae, 0x27), NO_FAULT); /* XSAVE [edi] */
    ck_assert_uint_eq(at(b, FX_XMM + 7 * 16), 0x7001);
    ck_assert_uint_eq(at(b, FX_XMM + 8 * 16), UINT64_MAX);
    ck_assert_uint_eq(at(b, AVX + 7 * 16), 0x7003);
    ck_assert_uint_eq(at(b, AVX + 8 * 16), UINT64_MAX);
    clear_header(b);
    ck_assert_int_eq(RUN(b, 0x0f, 0xae, 0x2f), NO_FAULT); /* XRSTOR */
    ck_assert_uint_eq(b->cpu.xmm[7].u64[3], 0);
    ck_assert_uint_eq(b->cpu.xmm[8].u64[3], 0x8004);
    box_free(b);
}
END_TEST

START_TEST(cpuid_describes_the_area)
{
    struct box *b = xbox();
    struct cpu *cpu = &b->cpu;

    ck_assert_uint_eq(cpuid_query(cpu, 13, 0).r[0], ALL);
    ck_assert_uint_eq(cpuid_query(cpu, 13, 0).r[1], SIZE);
    ck_assert_uint_eq(cpuid_query(cpu, 13, 0).r[2], SIZE);
    ck_assert_uint_eq(cpuid_query(cpu, 13, 1).r[0], 15);
    ck_assert_uint_eq(cpuid_query(cpu, 13, 1).r[1], SIZE);
    ck_assert_uint_eq(cpuid_query(cpu, 13, 2).r[0], 256);
    ck_assert_uint_eq(cpuid_query(cpu, 13, 2).r[1], AVX);
    ck_assert_uint_eq(cpuid_query(cpu, 13, 3).r[0], 0);
    cpu->xcr0 = XCR0_X87 | XCR0_SSE;
    ck_assert_uint_eq(cpuid_query(cpu, 13, 0).r[1], AVX);
    ck_assert_uint_eq(cpuid_query(cpu, 13, 0).r[2], SIZE);
    ck_assert_uint_eq(cpuid_query(cpu, 1, 0).r[2] >> 27 & 1, 1);
    cpu->cr4 &= ~(uint64_t)CR4_OSXSAVE;
    ck_assert_uint_eq(cpuid_query(cpu, 1, 0).r[2] >> 27 & 1, 0);
    box_free(b);
}
END_TEST

SUITE("xsave", nothing_works_before_osxsave_or_with_ts,
      xcr0_takes_only_what_makes_sense, xgetbv_1_says_what_is_in_use,
      xsave_writes_requested_components_and_their_bits,
      xsaveopt_leaves_out_what_is_initial,
      xsavec_writes_its_own_header_and_counts_mxcsr_as_sse,
      what_was_saved_comes_back, mxcsr_is_loaded_by_form,
      a_bad_header_is_a_fault, a_fault_in_the_second_page_leaves_the_first,
      thirty_two_bit_code_has_eight_registers, cpuid_describes_the_area)
