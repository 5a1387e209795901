/*
 * Instructions whose results are the processor's own, so that the comparison
 * with the host CPU (tests/diff) cannot show that they are right.
 */

#include "tests/unit/cpu/box.h"
#include "tests/unit/suite.h"

enum { TSC_AUX = 0x12345678 };

/* 64-bit mode with OSXSAVE, RAX = RCX = RDX = RBX all ones. */
static struct box *board(void)
{
    struct box *b = box_new_long();

    b->cpu.cr4 |= CR4_OSXSAVE | CR4_OSFXSR;
    b->cpu.xcr0 = 7;
    b->cpu.msr.tsc_aux = TSC_AUX;
    for (unsigned r = RAX; r <= RBX; r++)
        b->cpu.gpr[r] = UINT64_MAX;
    ck_assert(cpu_state_loaded(&b->cpu));
    return b;
}

/* SDM vol. 2, RDRAND: CF = 1 if the number is good; OF SF ZF AF PF = 0. */
static uint64_t draw(const uint8_t *code, unsigned size)
{
    struct box *b = board();
    uint64_t v;

    memcpy(box_at(b, BOX_CODE), code, size);
    *box_at(b, BOX_CODE + size) = 0xf4;
    cpu_set_eflags(&b->cpu, FLAGS_ARITH);
    box_run(b);
    ck_assert_uint_eq(cpu_eflags(&b->cpu) & FLAGS_ARITH, FLAG_CF);
    v = b->cpu.gpr[RAX];
    box_free(b);
    return v;
}

#define DRAW(...)                          \
    draw((const uint8_t[]){__VA_ARGS__},   \
         sizeof((const uint8_t[]){__VA_ARGS__}))

START_TEST(test_random_numbers_have_the_operand_size_and_set_carry)
{
    unsigned high = 0;

    ck_assert_uint_eq(DRAW(0x66, 0x0f, 0xc7, 0xf0) >> 16, UINT64_MAX >> 16);
    ck_assert_uint_eq(DRAW(0x0f, 0xc7, 0xf0) >> 32, 0);
    ck_assert_uint_eq(DRAW(0x66, 0x0f, 0xc7, 0xf8) >> 16, UINT64_MAX >> 16);
    ck_assert_uint_eq(DRAW(0x0f, 0xc7, 0xf8) >> 32, 0);
    for (unsigned i = 0; i < 16; i++)
        high += DRAW(0x48, 0x0f, 0xc7, 0xf0) >> 32 != 0;
    ck_assert_uint_gt(high, 0);
}
END_TEST

/* rdrand rax; rdrand rcx; rdseed rdx; rdseed rbx; hlt */
START_TEST(test_random_numbers_differ)
{
    struct box *b = board();

    BOX_LOAD(b, 0x48, 0x0f, 0xc7, 0xf0, 0x48, 0x0f, 0xc7, 0xf1, 0x48, 0x0f,
             0xc7, 0xfa, 0x48, 0x0f, 0xc7, 0xfb, 0xf4);
    box_run(b);
    ck_assert_uint_ne(b->cpu.gpr[RAX], b->cpu.gpr[RCX]);
    ck_assert_uint_ne(b->cpu.gpr[RDX], b->cpu.gpr[RBX]);
    box_free(b);
}
END_TEST

/* rdpid rax; hlt */
START_TEST(test_rdpid_reads_tsc_aux)
{
    struct box *b = board();

    BOX_LOAD(b, 0xf3, 0x0f, 0xc7, 0xf8, 0xf4);
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RAX], TSC_AUX);
    box_free(b);
}
END_TEST

/* rdtscp; mov rbx, rcx; rdtsc; hlt.  The clock of the box stands still. */
START_TEST(test_time_stamp_is_split_in_two_halves)
{
    const uint64_t tsc = 0x1122334455667788;
    struct box *b = board();

    cpu_set_tsc(&b->cpu, tsc);
    BOX_LOAD(b, 0x0f, 0x01, 0xf9, 0x48, 0x89, 0xcb, 0x0f, 0x31, 0xf4);
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RBX], TSC_AUX);
    ck_assert_uint_eq(b->cpu.gpr[RAX], (uint32_t)tsc);
    ck_assert_uint_eq(b->cpu.gpr[RDX], tsc >> 32);
    box_free(b);
}
END_TEST

/* SDM vol. 2, RDPMC: #GP(0) outside CPL 0 without CR4.PCE. */
START_TEST(test_counters_are_not_for_programs)
{
    struct box *b = board();

    BOX_LOAD(b, 0x0f, 0x33, 0xf4);
    b->cpu.cpl = 3;
    b->cpu.gpr[RCX] = 0;
    for (unsigned at = 0; at < 5 * PAGE_SIZE; at += 8)
        if (load64(box_at(b, BOX_PML4 + at)))
            *box_at(b, BOX_PML4 + at) |= 4;
    ck_assert(cpu_state_loaded(&b->cpu));
    ck_assert_int_eq(box_fault(b), EXC_GP);
    box_free(b);
}
END_TEST

/* xor ecx, ecx; xgetbv; hlt */
START_TEST(test_xgetbv_reads_xcr0)
{
    struct box *b = board();

    BOX_LOAD(b, 0x31, 0xc9, 0x0f, 0x01, 0xd0, 0xf4);
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 7);
    ck_assert_uint_eq(b->cpu.gpr[RDX], 0);
    box_free(b);
}
END_TEST

/* xor eax, eax; cpuid; hlt */
START_TEST(test_cpuid_names_the_vendor_of_the_model)
{
    struct box *b = board();
    char vendor[13] = "";

    BOX_LOAD(b, 0x31, 0xc0, 0x0f, 0xa2, 0xf4);
    box_run(b);
    store32((uint8_t *)vendor, (uint32_t)b->cpu.gpr[RBX]);
    store32((uint8_t *)vendor + 4, (uint32_t)b->cpu.gpr[RDX]);
    store32((uint8_t *)vendor + 8, (uint32_t)b->cpu.gpr[RCX]);
    ck_assert_str_eq(vendor, b->cpu.model->vendor);
    ck_assert_uint_eq(b->cpu.gpr[RAX], b->cpu.model->max_leaf);
    box_free(b);
}
END_TEST

/* wbinvd; wbnoinvd; invd; serialize; inc eax; hlt: at CPL 0 there is nothing to
 * be seen of them. */
START_TEST(test_caches_and_order_have_no_visible_effect)
{
    struct box *b = board();

    BOX_LOAD(b, 0x0f, 0x09, 0xf3, 0x0f, 0x09, 0x0f, 0x08, 0x0f, 0x01, 0xe8,
             0xff, 0xc0, 0xf4);
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0);
    ck_assert_uint_eq(b->cpu.gpr[RCX], UINT64_MAX);
    ck_assert_uint_eq(b->cpu.rip, BOX_CODE + 13);
    box_free(b);
}
END_TEST

SUITE("not native", test_random_numbers_have_the_operand_size_and_set_carry,
      test_random_numbers_differ, test_rdpid_reads_tsc_aux,
      test_time_stamp_is_split_in_two_halves,
      test_counters_are_not_for_programs, test_xgetbv_reads_xcr0,
      test_cpuid_names_the_vendor_of_the_model,
      test_caches_and_order_have_no_visible_effect)
