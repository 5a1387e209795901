/*
 * What x87 instructions do besides numbers: when they trap, what pointers they
 * record, and the images of FSTENV and FSAVE in every format.
 */

#include "base/bytes.h"
#include "tests/unit/cpu/fpu_board.h"
#include "tests/unit/suite.h"

enum { AT = 0x2000, CW_ALL_MASKED = 0x37f };

static struct simd_board *board_new(void)
{
    struct simd_board *b = simd_board_new();

    ck_assert_int_eq(RUN(b, 0xdb, 0xe3), SIMD_DONE); /* FNINIT */
    b->cpu.gpr[RSI] = AT;
    return b;
}

static void set_cw(struct simd_board *b, uint16_t cw)
{
    store16(simd_ram(b, AT), cw);
    ck_assert_int_eq(RUN(b, 0xd9, 0x2e), SIMD_DONE); /* FLDCW [RSI] */
}

/* 1 / 0 with that exception unmasked: pending, not yet reported. */
static void divide_by_zero(struct simd_board *b)
{
    set_cw(b, CW_ALL_MASKED & ~SF_DIVZERO);
    ck_assert_int_eq(RUN(b, 0xd9, 0xe8), SIMD_DONE); /* FLD1 */
    ck_assert_int_eq(RUN(b, 0xd9, 0xee), SIMD_DONE); /* FLDZ */
    ck_assert_int_eq(RUN(b, 0xde, 0xf9), SIMD_DONE); /* FDIVP ST(1), ST(0) */
    ck_assert_uint_eq(b->cpu.fpu.sw & 0xff, FPU_SW_ES | SF_DIVZERO);
}

/* --- exceptions --- */

START_TEST(an_unmasked_exception_leaves_the_operands)
{
    struct simd_board *b = board_new();

    divide_by_zero(b);
    ck_assert_uint_eq(fpu_get(&b->cpu.fpu, 0).frac, 0);
    ck_assert_uint_eq(fpu_get(&b->cpu.fpu, 1).exp, 0x3fff);
    ck_assert(!fpu_is_empty(&b->cpu.fpu, 0));
    simd_board_free(b);
}
END_TEST

START_TEST(the_next_waiting_instruction_reports_it)
{
    struct simd_board *b = board_new();

    divide_by_zero(b);
    ck_assert_int_eq(RUN(b, 0xdf, 0xe0), SIMD_DONE); /* FNSTSW AX */
    ck_assert_uint_eq(b->cpu.gpr[RAX] & 0xffff, b->cpu.fpu.sw);
    ck_assert_int_eq(RUN(b, 0xd9, 0xe8), EXC_MF); /* FLD1 */
    ck_assert_int_eq(RUN(b, 0x9b), EXC_MF);
    ck_assert_int_eq(RUN(b, 0xdb, 0xe2), SIMD_DONE); /* FNCLEX */
    ck_assert_int_eq(RUN(b, 0x9b), SIMD_DONE);
    ck_assert_int_eq(RUN(b, 0xd9, 0xe8), SIMD_DONE);
    simd_board_free(b);
}
END_TEST

static void note_ferr(void *owner, bool level)
{
    *(int *)owner = level;
}

START_TEST(without_ne_it_is_a_line_to_the_board)
{
    struct simd_board *b = board_new();
    int ferr = -1;

    b->cpu.cr0 &= ~(uint64_t)CR0_NE;
    b->cpu.bus.owner = &ferr;
    b->cpu.bus.ferr = note_ferr;
    divide_by_zero(b);
    ck_assert_int_eq(ferr, -1);
    ck_assert_int_ne(RUN(b, 0x9b), SIMD_DONE); /* it waits for the interrupt */
    ck_assert(b->cpu.exc.freezes);
    ck_assert_int_eq(ferr, 1);
    fpu_ignore_error(&b->cpu); /* the board's answer */
    ck_assert_int_eq(RUN(b, 0x9b), SIMD_DONE);
    ck_assert_int_eq(RUN(b, 0xdb, 0xe2), SIMD_DONE); /* FNCLEX */
    ck_assert_int_eq(ferr, 0);
    ck_assert(!b->cpu.ignne);
    simd_board_free(b);
}
END_TEST

START_TEST(unmasking_a_flag_makes_it_pending)
{
    struct simd_board *b = board_new();

    b->cpu.fpu.sw = SF_INEXACT;
    ck_assert(!(b->cpu.mode & MODE_FPU_EXC));
    set_cw(b, CW_ALL_MASKED & ~SF_INEXACT);
    ck_assert_uint_eq(b->cpu.fpu.sw, FPU_SW_ES | FPU_SW_BUSY | SF_INEXACT);
    ck_assert(b->cpu.mode & MODE_FPU_EXC);
    ck_assert_int_eq(RUN(b, 0xdb, 0xe3), SIMD_DONE); /* FNINIT */
    ck_assert_uint_eq(b->cpu.fpu.sw, 0);
    ck_assert(!(b->cpu.mode & MODE_FPU_EXC));
    simd_board_free(b);
}
END_TEST

/* SDM vol. 3, table 2-2. */
START_TEST(em_and_ts_trap_but_fwait_needs_mp_and_ts)
{
    static const struct {
        uint32_t cr0;
        int insn, fwait;
    } cases[] = {
        {0, SIMD_DONE, SIMD_DONE},
        {CR0_MP, SIMD_DONE, SIMD_DONE},
        {CR0_TS, EXC_NM, SIMD_DONE},
        {CR0_MP | CR0_TS, EXC_NM, EXC_NM},
        {CR0_EM, EXC_NM, SIMD_DONE},
        {CR0_EM | CR0_MP, EXC_NM, SIMD_DONE},
        {CR0_EM | CR0_TS | CR0_MP, EXC_NM, EXC_NM},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct simd_board *b = board_new();

        b->cpu.cr0 |= cases[i].cr0;
        ck_assert_int_eq(RUN(b, 0xd9, 0xe8), cases[i].insn);
        ck_assert_int_eq(RUN(b, 0xdb, 0xe3), cases[i].insn); /* FNINIT */
        ck_assert_int_eq(RUN(b, 0x9b), cases[i].fwait);
        simd_board_free(b);
    }
}
END_TEST

START_TEST(a_store_that_faults_changes_nothing)
{
    struct simd_board *b = board_new();
    struct fpu before;

    ck_assert_int_eq(RUN(b, 0xd9, 0xeb), SIMD_DONE); /* FLDPI */
    before = b->cpu.fpu;
    b->cpu.gpr[RSI] = (uint64_t)1 << 62;          /* not canonical */
    ck_assert_int_eq(RUN(b, 0xd9, 0x1e), EXC_GP); /* FSTP m32 */
    ck_assert_int_eq(RUN(b, 0xdb, 0x3e), EXC_GP); /* FSTP m80 */
    ck_assert_int_eq(RUN(b, 0xdf, 0x36), EXC_GP); /* FBSTP */
    ck_assert_int_eq(RUN(b, 0xdd, 0x36), EXC_GP); /* FNSAVE */
    ck_assert_int_eq(RUN(b, 0xd8, 0x06), EXC_GP); /* FADD m32 */
    ck_assert_mem_eq(&before, &b->cpu.fpu, sizeof(before));
    simd_board_free(b);
}
END_TEST

/* --- pointers --- */

START_TEST(instructions_record_where_they_were)
{
    struct simd_board *b = board_new();
    const struct fpu *fpu = &b->cpu.fpu;

    b->cpu.seg[CS].sel = 0x10;
    b->cpu.seg[DS].sel = 0x18;
    b->cpu.rip = 0x123456;
    ck_assert_int_eq(RUN(b, 0xd9, 0x46, 8), SIMD_DONE); /* FLD m32 [RSI+8] */
    ck_assert_uint_eq(fpu->ip, 0x123456);
    ck_assert_uint_eq(fpu->cs, 0x10);
    ck_assert_uint_eq(fpu->opcode, 0x146);
    ck_assert_uint_eq(fpu->dp, AT + 8);
    ck_assert_uint_eq(fpu->ds, 0x18);
    b->cpu.rip = 0x777;
    ck_assert_int_eq(RUN(b, 0xd9, 0xe1), SIMD_DONE); /* FABS */
    ck_assert_uint_eq(fpu->ip, 0x777);
    ck_assert_uint_eq(fpu->opcode, 0x1e1);
    ck_assert_uint_eq(fpu->dp, AT + 8);
    simd_board_free(b);
}
END_TEST

START_TEST(control_instructions_do_not)
{
    struct simd_board *b = board_new();

    b->cpu.rip = 0x123456;
    ck_assert_int_eq(RUN(b, 0xd9, 0xe8), SIMD_DONE); /* FLD1 */
    b->cpu.rip = 0x777;
    set_cw(b, CW_ALL_MASKED);
    ck_assert_int_eq(RUN(b, 0xd9, 0x3e), SIMD_DONE); /* FNSTCW */
    ck_assert_int_eq(RUN(b, 0xdd, 0x3e), SIMD_DONE); /* FNSTSW */
    ck_assert_int_eq(RUN(b, 0xd9, 0x36), SIMD_DONE); /* FNSTENV */
    ck_assert_uint_eq(b->cpu.fpu.ip, 0x123456);
    ck_assert_uint_eq(b->cpu.fpu.opcode, 0x1e8);
    simd_board_free(b);
}
END_TEST

/* --- images --- */

enum { REAL, PROTECTED };

/* A processor that runs 16-bit code, with flat data segments. */
static void enter_16bit(struct simd_board *b, int protected_mode)
{
    struct cpu *cpu = &b->cpu;

    cpu->efer = 0;
    cpu->cr0 = CR0_NE | (protected_mode ? CR0_PE : 0);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        cpu->seg[i] = (struct segment){.attr = ATTR_P | ATTR_S | ATTR_RW |
                                               (i == CS ? ATTR_CODE : 0),
                                       .limit = 0xffff};
    cpu_update_mode(cpu);
}

/* Known values in every field. */
static void fill(struct simd_board *b, int protected_mode)
{
    struct fpu *fpu = &b->cpu.fpu;

    RUN(b, 0xdb, 0xe3); /* FNINIT */
    RUN(b, 0xd9, 0xe8); /* FLD1: register 7 */
    RUN(b, 0xd9, 0xee); /* FLDZ: register 6 */
    fpu->cw = 0x27f;
    fpu->opcode = 0x5a5;
    fpu->ip = protected_mode ? 0x89abcdef : 0xcdef;
    fpu->cs = 0x1230;
    fpu->dp = protected_mode ? 0x76543210 : 0x3210;
    fpu->ds = 0x4560;
}

/* The environment that FNSTENV stored.  With [SI]: 0x66 makes it 32 bits. */
static void check_image(int protected_mode, bool wide, const void *expected,
                        size_t size)
{
    struct simd_board *b = board_new();
    struct fpu before;

    enter_16bit(b, protected_mode);
    fill(b, protected_mode);
    before = b->cpu.fpu;
    ck_assert_int_eq(wide ? RUN(b, 0x66, 0xd9, 0x34) : RUN(b, 0xd9, 0x34),
                     SIMD_DONE);
    ck_assert_mem_eq(simd_ram(b, AT), expected, size);
    ck_assert_uint_eq(simd_ram(b, AT)[size], 0);
    ck_assert_uint_eq(b->cpu.fpu.cw, before.cw | FPU_SW_EXC);
    RUN(b, 0xdb, 0xe3); /* FNINIT */
    ck_assert_int_eq(wide ? RUN(b, 0x66, 0xd9, 0x24) : RUN(b, 0xd9, 0x24),
                     SIMD_DONE); /* FLDENV */
    ck_assert_uint_eq(b->cpu.fpu.cw, before.cw);
    ck_assert_uint_eq(b->cpu.fpu.sw, before.sw);
    ck_assert_uint_eq(b->cpu.fpu.tags, before.tags);
    simd_board_free(b);
}

START_TEST(the_32bit_protected_environment)
{
    static const uint32_t expected[7] = {0xffff027f, 0xffff3000, 0xffff1fff,
                                         0x89abcdef, 0x05a51230, 0x76543210,
                                         0xffff4560};

    check_image(PROTECTED, true, expected, sizeof(expected));
}
END_TEST

START_TEST(the_16bit_protected_environment)
{
    static const uint16_t expected[7] = {0x027f, 0x3000, 0x1fff, 0xcdef,
                                         0x1230, 0x3210, 0x4560};

    check_image(PROTECTED, false, expected, sizeof(expected));
}
END_TEST

/* 1230:cdef is 1f0ef, 4560:3210 is 48810. */
START_TEST(the_32bit_real_environment)
{
    static const uint32_t expected[7] = {0xffff027f, 0xffff3000, 0xffff1fff,
                                         0x0000f0ef, 0x000015a5, 0x00008810,
                                         0x00004000};

    check_image(REAL, true, expected, sizeof(expected));
}
END_TEST

START_TEST(the_16bit_real_environment)
{
    static const uint16_t expected[7] = {0x027f, 0x3000, 0x1fff, 0xf0ef,
                                         0x15a5, 0x8810, 0x4000};

    check_image(REAL, false, expected, sizeof(expected));
}
END_TEST

/* As virtual-8086 mode does, too. */
START_TEST(real_mode_pointers_come_back_as_linear_addresses)
{
    struct simd_board *b = board_new();

    enter_16bit(b, REAL);
    fill(b, REAL);
    RUN(b, 0xd9, 0x34); /* FNSTENV [SI] */
    RUN(b, 0xdb, 0xe3); /* FNINIT */
    RUN(b, 0xd9, 0x24); /* FLDENV [SI] */
    ck_assert_uint_eq(b->cpu.fpu.ip, 0x1f0ef);
    ck_assert_uint_eq(b->cpu.fpu.dp, 0x48810);
    ck_assert_uint_eq(b->cpu.fpu.opcode, 0x5a5);
    simd_board_free(b);
}
END_TEST

START_TEST(fsave_initialises_and_frstor_brings_all_back)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        struct simd_board *b = board_new();
        unsigned env = wide ? 28 : 14;
        struct fpu before;

        enter_16bit(b, PROTECTED);
        fill(b, PROTECTED);
        before = b->cpu.fpu;
        ck_assert_int_eq(wide ? RUN(b, 0x66, 0xdd, 0x34) : RUN(b, 0xdd, 0x34),
                         SIMD_DONE);
        ck_assert_uint_eq(b->cpu.fpu.cw, CW_ALL_MASKED);
        ck_assert_uint_eq(b->cpu.fpu.sw, 0);
        ck_assert_uint_eq(b->cpu.fpu.tags, 0);
        /* ST(1), 1.0, is the second register of the image. */
        ck_assert_uint_eq(load16(simd_ram(b, AT + env + 18)), 0x3fff);
        memset(b->cpu.fpu.r, 0, sizeof(b->cpu.fpu.r));
        ck_assert_int_eq(wide ? RUN(b, 0x66, 0xdd, 0x24) : RUN(b, 0xdd, 0x24),
                         SIMD_DONE);
        ck_assert_uint_eq(b->cpu.fpu.cw, before.cw);
        ck_assert_uint_eq(b->cpu.fpu.sw, before.sw);
        ck_assert_uint_eq(b->cpu.fpu.tags, before.tags);
        ck_assert_uint_eq(b->cpu.fpu.cs, before.cs);
        for (unsigned i = 0; i < 8; i++) {
            ck_assert_uint_eq(b->cpu.fpu.r[i].frac, before.r[i].frac);
            ck_assert_uint_eq(b->cpu.fpu.r[i].exp, before.r[i].exp);
        }
        simd_board_free(b);
    }
}
END_TEST

SUITE("fpu_state", an_unmasked_exception_leaves_the_operands,
      the_next_waiting_instruction_reports_it,
      without_ne_it_is_a_line_to_the_board, unmasking_a_flag_makes_it_pending,
      em_and_ts_trap_but_fwait_needs_mp_and_ts,
      a_store_that_faults_changes_nothing, instructions_record_where_they_were,
      control_instructions_do_not, the_32bit_protected_environment,
      the_16bit_protected_environment, the_32bit_real_environment,
      the_16bit_real_environment,
      real_mode_pointers_come_back_as_linear_addresses,
      fsave_initialises_and_frstor_brings_all_back)
