/*
 * What is special about AVX: masked and gathered memory, faults in the middle
 * of them, alignment, the upper halves of registers.  What each row computes is
 * compared with the host in test_avx_host.c.
 */

#include "tests/unit/cpu/box.h"
#include "tests/unit/suite.h"

enum {
    DATA = 0x20000,
    NEXT_PAGE = DATA + PAGE_SIZE,
    PRESENT = 1,
    WRITABLE = 2,
    ACCESSED = 1 << 5,
    DIRTY = 1 << 6,
    MXCSR_MASKED = 0x1f80,
};

static const uint32_t all = 0xffffffff;

static void enable_avx(struct box *b)
{
    b->cpu.features = FEATURE_SET_ALL;
    b->cpu.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    b->cpu.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    cpu_update_mode(&b->cpu);
}

static struct box *box_new_avx(void)
{
    struct box *b = box_new_long();

    enable_avx(b);
    for (unsigned i = 0; i < 1024; i++)
        store32(box_at(b, DATA) + 4 * i, 0x1000 + i);
    return b;
}

static uint64_t entry_of(struct box *b, laddr la)
{
    return load64(box_at(b, BOX_PT) + la / PAGE_SIZE * 8);
}

static void set_lanes(union vec *v, const uint32_t lanes[8])
{
    memset(v, 0, sizeof(*v));
    memcpy(v, lanes, 32);
}

static void assert_lanes(const union vec *v, const uint32_t lanes[8])
{
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(v->u32[i], lanes[i]);
}

/* vpmaskmovd ymm0, ymm1, [rdi] */
#define MASKED_LOAD 0xc4, 0xe2, 0x75, 0x8c, 0x07, 0xf4
/* vpmaskmovd [rdi], ymm1, ymm2 */
#define MASKED_STORE 0xc4, 0xe2, 0x75, 0x8e, 0x17, 0xf4
/* vpgatherdd ymm3, [rsi+ymm1*4], ymm2 */
#define GATHER 0xc4, 0xe2, 0x6d, 0x90, 0x1c, 0x8e, 0xf4

START_TEST(masked_load_does_not_touch_what_it_leaves_out)
{
    struct box *b = box_new_avx();

    BOX_LOAD(b, MASKED_LOAD);
    box_forbid(b, NEXT_PAGE, PRESENT);
    b->cpu.gpr[RDI] = NEXT_PAGE - 8;
    set_lanes(&b->cpu.xmm[0], (uint32_t[8]){9, 9, 9, 9, 9, 9, 9, 9});
    set_lanes(&b->cpu.xmm[1], (uint32_t[8]){0x7fffffff, 0x80000000, 1});
    box_run(b);
    assert_lanes(&b->cpu.xmm[0], (uint32_t[8]){0, 0x1000 + 1023});
    box_free(b);
}
END_TEST

START_TEST(masked_load_faults_where_a_chosen_element_is)
{
    struct box *b = box_new_avx();

    BOX_LOAD(b, MASKED_LOAD);
    box_forbid(b, NEXT_PAGE, PRESENT);
    b->cpu.gpr[RDI] = NEXT_PAGE - 8;
    set_lanes(&b->cpu.xmm[1], (uint32_t[8]){all, 0, 0, all});
    b->cpu.xmm[0].u64[0] = 5;
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.cr2, NEXT_PAGE + 4);
    ck_assert_uint_eq(b->cpu.xmm[0].u64[0], 5);
    box_free(b);
}
END_TEST

START_TEST(masked_store_is_all_or_nothing)
{
    struct box *b = box_new_avx();

    BOX_LOAD(b, MASKED_STORE);
    box_forbid(b, NEXT_PAGE, WRITABLE);
    b->cpu.gpr[RDI] = NEXT_PAGE - 8;
    set_lanes(&b->cpu.xmm[1], (uint32_t[8]){all, all, all});
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.cr2, NEXT_PAGE);
    ck_assert_uint_eq(load32(box_at(b, NEXT_PAGE - 8)), 0x1000 + 1022);
    ck_assert_uint_eq(load32(box_at(b, NEXT_PAGE - 4)), 0x1000 + 1023);
    box_free(b);
}
END_TEST

START_TEST(masked_store_marks_only_pages_that_it_writes)
{
    struct box *b = box_new_avx();

    BOX_LOAD(b, MASKED_STORE);
    b->cpu.gpr[RDI] = NEXT_PAGE - 8;
    set_lanes(&b->cpu.xmm[1], (uint32_t[8]){0, all});
    set_lanes(&b->cpu.xmm[2], (uint32_t[8]){1, 2, 3, 4});
    box_run(b);
    ck_assert_uint_eq(load32(box_at(b, NEXT_PAGE - 8)), 0x1000 + 1022);
    ck_assert_uint_eq(load32(box_at(b, NEXT_PAGE - 4)), 2);
    ck_assert_uint_ne(entry_of(b, DATA) & DIRTY, 0);
    ck_assert_uint_eq(entry_of(b, NEXT_PAGE) & (ACCESSED | DIRTY), 0);
    box_free(b);
}
END_TEST

START_TEST(gather_keeps_what_it_has_when_an_element_faults)
{
    struct box *b = box_new_avx();
    struct cpu *cpu = &b->cpu;

    BOX_LOAD(b, GATHER);
    box_forbid(b, NEXT_PAGE, PRESENT);
    cpu->gpr[RSI] = DATA;
    set_lanes(&cpu->xmm[1], (uint32_t[8]){7, 1, 1024, 3, 4, 1025, 6, 7});
    set_lanes(&cpu->xmm[2], (uint32_t[8]){all, 1, 0x80000000, all, all, all});
    set_lanes(&cpu->xmm[3], (uint32_t[8]){9, 9, 9, 9, 9, 9, 9, 9});
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(cpu->cr2, NEXT_PAGE);
    ck_assert_uint_eq(cpu->rip, BOX_CODE);
    assert_lanes(&cpu->xmm[2], (uint32_t[8]){0, 0, 0x80000000, all, all, all});
    assert_lanes(&cpu->xmm[3], (uint32_t[8]){0x1007, 9, 9, 9, 9, 9, 9, 9});
    box_free(b);
}
END_TEST

START_TEST(gather_goes_on_where_it_was)
{
    struct box *b = box_new_avx();
    struct cpu *cpu = &b->cpu;

    BOX_LOAD(b, GATHER);
    cpu->gpr[RSI] = DATA + 4;
    set_lanes(&cpu->xmm[1], (uint32_t[8]){0, 1, 2, all, 4, 5, 6, 7});
    set_lanes(&cpu->xmm[2], (uint32_t[8]){0, 0, all, all, 0, 0, 0, all});
    set_lanes(&cpu->xmm[3], (uint32_t[8]){9, 9, 9, 9, 9, 9, 9, 9});
    box_run(b);
    assert_lanes(&cpu->xmm[2], (uint32_t[8]){0});
    assert_lanes(&cpu->xmm[3],
                 (uint32_t[8]){9, 9, 0x1003, 0x1000, 9, 9, 9, 0x1008});
    box_free(b);
}
END_TEST

START_TEST(gather_wants_three_registers)
{
    struct box *b = box_new_avx();

    /* vpgatherdd ymm3, [rsi+ymm3*4], ymm2 */
    BOX_LOAD(b, 0xc4, 0xe2, 0x6d, 0x90, 0x1c, 0x9e);
    ck_assert_int_eq(box_fault(b), EXC_UD);
    /* vpgatherdd ymm2, [rsi+ymm1*4], ymm2 */
    BOX_LOAD(b, 0xc4, 0xe2, 0x6d, 0x90, 0x14, 0x8e);
    ck_assert_int_eq(box_fault(b), EXC_UD);
    /* vpgatherdd ymm3, [rsi+ymm2*4], ymm2 */
    BOX_LOAD(b, 0xc4, 0xe2, 0x6d, 0x90, 0x1c, 0x96);
    ck_assert_int_eq(box_fault(b), EXC_UD);
    box_free(b);
}
END_TEST

START_TEST(gather_cuts_addresses_to_the_address_size)
{
    struct box *b = box_new_avx();
    struct cpu *cpu = &b->cpu;

    /* vpgatherdd xmm3, [esi+xmm1*8], xmm2 */
    BOX_LOAD(b, 0x67, 0xc4, 0xe2, 0x69, 0x90, 0x1c, 0xce, 0xf4);
    cpu->gpr[RSI] = 0xffffffff00000000 | DATA;
    set_lanes(&cpu->xmm[1], (uint32_t[8]){0x20000001, 2});
    set_lanes(&cpu->xmm[2], (uint32_t[8]){all, all});
    box_run(b);
    assert_lanes(&cpu->xmm[3], (uint32_t[8]){0x1002, 0x1004});
    box_free(b);
}
END_TEST

START_TEST(masked_and_gathered_elements_are_not_checked_for_alignment)
{
    struct box *b = box_new_avx();
    struct cpu *cpu = &b->cpu;

    BOX_LOAD(b, GATHER);
    for (laddr la = 0; la < BOX_RAM; la += PAGE_SIZE)
        store64(box_at(b, BOX_PT) + la / PAGE_SIZE * 8, box_entry(la) | 4);
    for (unsigned i = 0; i < 3; i++)
        *box_at(b, BOX_PML4 + i * PAGE_SIZE) |= 4;
    cpu->cpl = 3;
    cpu->cr0 |= CR0_AM;
    cpu->eflags |= FLAG_AC;
    cpu_update_mode(cpu);
    ck_assert(cpu->mode & MODE_ALIGN);
    cpu->gpr[RSI] = DATA + 1;
    set_lanes(&cpu->xmm[2], (uint32_t[8]){all});
    ck_assert_int_eq(box_fault(b), EXC_GP); /* HLT at CPL 3 */
    ck_assert_uint_eq(cpu->xmm[3].u32[0], 0x01000010);
    box_free(b);
}
END_TEST

START_TEST(only_aligned_moves_want_alignment)
{
    struct box *b = box_new_avx();

    b->cpu.gpr[RDI] = DATA + 16;
    BOX_LOAD(b, 0xc5, 0xfc, 0x28, 0x07); /* vmovaps ymm0, [rdi] */
    ck_assert_int_eq(box_fault(b), EXC_GP);
    BOX_LOAD(b, 0xc5, 0xfd, 0xe7, 0x07); /* vmovntdq [rdi], ymm0 */
    ck_assert_int_eq(box_fault(b), EXC_GP);
    BOX_LOAD(b, 0xc5, 0xf8, 0x28, 0x07, 0xf4); /* vmovaps xmm0, [rdi] */
    box_run(b);
    b->cpu.halted = false;
    b->cpu.rip = BOX_CODE;
    b->cpu.gpr[RDI] = DATA + 1;
    BOX_LOAD(b, 0xc5, 0xf4, 0x58, 0x07, 0xf4); /* vaddps ymm0, ymm1, [rdi] */
    ck_assert_int_eq(box_fault(b), -1);
    box_free(b);
}
END_TEST

START_TEST(clearing_all_clears_what_the_mode_can_name)
{
    struct box *b = box_new_32();

    enable_avx(b);
    memset(b->cpu.xmm, 0x5a, sizeof(b->cpu.xmm));
    BOX_LOAD(b, 0xc5, 0xfc, 0x77, 0xf4); /* vzeroall */
    box_run(b);
    ck_assert_uint_eq(b->cpu.xmm[7].u64[0] | b->cpu.xmm[7].u64[3], 0);
    ck_assert_uint_ne(b->cpu.xmm[8].u64[0], 0);
    box_free(b);

    b = box_new_avx();
    memset(b->cpu.xmm, 0x5a, sizeof(b->cpu.xmm));
    BOX_LOAD(b, 0xc5, 0xf8, 0x77, 0xf4); /* vzeroupper */
    box_run(b);
    ck_assert_uint_ne(b->cpu.xmm[15].u64[1], 0);
    ck_assert_uint_eq(b->cpu.xmm[15].u64[2] | b->cpu.xmm[15].u64[3], 0);
    box_free(b);
}
END_TEST

START_TEST(half_precision_store_that_faults_leaves_mxcsr)
{
    struct box *b = box_new_avx();

    BOX_LOAD(b, 0xc4, 0xe3, 0x79, 0x1d, 0x0f, 4); /* vcvtps2ph [rdi], xmm1 */
    box_forbid(b, NEXT_PAGE, WRITABLE);
    b->cpu.gpr[RDI] = NEXT_PAGE;
    b->cpu.mxcsr = MXCSR_MASKED;
    b->cpu.xmm[1].u32[0] = 0x3f800001; /* inexact */
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.mxcsr, MXCSR_MASKED);
    box_free(b);
}
END_TEST

START_TEST(fused_multiply_add_rounds_once)
{
    struct box *b = box_new_avx();
    struct cpu *cpu = &b->cpu;

    /* vfmadd213sd xmm0, xmm1, xmm2: (1 + 2^-52)^2 - (1 + 2^-51) = 2^-104 */
    BOX_LOAD(b, 0xc4, 0xe2, 0xf1, 0xa9, 0xc2, 0xf4);
    cpu->mxcsr = MXCSR_MASKED;
    cpu->xmm[0].u64[0] = cpu->xmm[1].u64[0] = 0x3ff0000000000001;
    cpu->xmm[0].u64[1] = 0x1234;
    cpu->xmm[2].u64[0] = 0xbff0000000000002;
    box_run(b);
    ck_assert_uint_eq(cpu->xmm[0].u64[0], 0x3970000000000000);
    ck_assert_uint_eq(cpu->xmm[0].u64[1], 0x1234);
    ck_assert_uint_eq(cpu->mxcsr, MXCSR_MASKED);
    box_free(b);
}
END_TEST

static void compare_with_nan(struct box *b, uint8_t predicate)
{
    /* vcmpsd xmm0, xmm1, xmm2, predicate */
    BOX_LOAD(b, 0xc5, 0xf3, 0xc2, 0xc2, predicate, 0xf4);
    b->cpu.rip = BOX_CODE;
    b->cpu.halted = false;
    b->cpu.mxcsr = MXCSR_MASKED;
    b->cpu.xmm[1].u64[0] = 0x7ff8000000000000;
    ck_assert_int_eq(box_fault(b), -1);
}

START_TEST(predicates_from_16_on_swap_what_a_quiet_nan_does)
{
    struct box *b = box_new_avx();
    struct cpu *cpu = &b->cpu;

    compare_with_nan(b, 0); /* EQ_OQ */
    ck_assert_uint_eq(cpu->xmm[0].u64[0], 0);
    ck_assert_uint_eq(cpu->mxcsr, MXCSR_MASKED);
    compare_with_nan(b, 16); /* EQ_OS */
    ck_assert_uint_eq(cpu->xmm[0].u64[0], 0);
    ck_assert_uint_eq(cpu->mxcsr, MXCSR_MASKED | 1);
    compare_with_nan(b, 1); /* LT_OS */
    ck_assert_uint_eq(cpu->mxcsr, MXCSR_MASKED | 1);
    compare_with_nan(b, 17); /* LT_OQ */
    ck_assert_uint_eq(cpu->mxcsr, MXCSR_MASKED);
    compare_with_nan(b, 31); /* TRUE_US */
    ck_assert_uint_eq(cpu->xmm[0].u64[0], UINT64_MAX);
    ck_assert_uint_eq(cpu->mxcsr, MXCSR_MASKED | 1);
    box_free(b);
}
END_TEST

SUITE("avx", masked_load_does_not_touch_what_it_leaves_out,
      masked_load_faults_where_a_chosen_element_is,
      masked_store_is_all_or_nothing,
      masked_store_marks_only_pages_that_it_writes,
      gather_keeps_what_it_has_when_an_element_faults,
      gather_goes_on_where_it_was, gather_wants_three_registers,
      gather_cuts_addresses_to_the_address_size,
      masked_and_gathered_elements_are_not_checked_for_alignment,
      only_aligned_moves_want_alignment,
      clearing_all_clears_what_the_mode_can_name,
      half_precision_store_that_faults_leaves_mxcsr,
      fused_multiply_add_rounds_once,
      predicates_from_16_on_swap_what_a_quiet_nan_does)
