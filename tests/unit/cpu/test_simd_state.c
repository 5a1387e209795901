/*
 * When MMX and SSE instructions fault, and what they leave then; MXCSR, EMMS
 * and the image of FXSAVE.  Instructions are given as bytes.
 */

#include "base/bytes.h"
#include "cpu/simd_fp.h"
#include "tests/unit/cpu/simd_board.h"

enum {
    AT = 0x1000, /* a page of RAM, in RSI and RDI */
    FX_SIZE = 512,
};

static const uint64_t not_canonical = 0x800000000000;

#define ADDPS_X0_X1 0x0f, 0x58, 0xc1
#define ADDPS_X0_M 0x0f, 0x58, 0x06
#define DIVPS_X0_X1 0x0f, 0x5e, 0xc1
#define MOVUPS_X0_M 0x0f, 0x10, 0x06
#define MOVAPS_M_X0 0x0f, 0x29, 0x06
#define MOVDQU_M_X0 0xf3, 0x0f, 0x7f, 0x06
#define PADDB_M0_M1 0x0f, 0xfc, 0xc1
#define PADDB_M0_M 0x0f, 0xfc, 0x06
#define PAVGB_M0_M1 0x0f, 0xe0, 0xc1
#define CVTPI2PS_X0_M0 0x0f, 0x2a, 0xc0
#define CVTPI2PS_X0_M 0x0f, 0x2a, 0x06
#define EMMS 0x0f, 0x77
#define FXSAVE_M 0x0f, 0xae, 0x06
#define FXSAVE64_M 0x48, 0x0f, 0xae, 0x06
#define FXRSTOR_M 0x0f, 0xae, 0x0e
#define FXRSTOR64_M 0x48, 0x0f, 0xae, 0x0e
#define LDMXCSR_M 0x0f, 0xae, 0x16
#define STMXCSR_M 0x0f, 0xae, 0x1e
#define MASKMOVDQU_X0_X1 0x66, 0x0f, 0xf7, 0xc1

static struct simd_board *board(void)
{
    struct simd_board *b = simd_board_new();

    b->cpu.gpr[RSI] = b->cpu.gpr[RDI] = AT;
    return b;
}

START_TEST(control_bits_forbid_instructions)
{
    struct simd_board *b = board();

    ck_assert_int_eq(EXEC(b, ADDPS_X0_X1), SIMD_DONE);
    ck_assert_int_eq(EXEC(b, PADDB_M0_M1), SIMD_DONE);
    b->cpu.cr0 |= CR0_TS;
    ck_assert_int_eq(EXEC(b, ADDPS_X0_X1), EXC_NM);
    ck_assert_int_eq(EXEC(b, PADDB_M0_M1), EXC_NM);
    ck_assert_int_eq(EXEC(b, FXSAVE_M), EXC_NM);
    b->cpu.cr0 |= CR0_EM; /* stronger than TS */
    ck_assert_int_eq(EXEC(b, ADDPS_X0_X1), EXC_UD);
    ck_assert_int_eq(EXEC(b, PADDB_M0_M1), EXC_UD);
    ck_assert_int_eq(EXEC(b, FXSAVE_M), EXC_NM);
    simd_board_free(b);
}
END_TEST

START_TEST(without_osfxsr_only_mmx_registers_may_be_used)
{
    struct simd_board *b = board();

    b->cpu.cr4 = 0;
    b->cpu.cr0 |= CR0_TS;
    ck_assert_int_eq(EXEC(b, ADDPS_X0_X1), EXC_UD);
    b->cpu.cr0 &= ~(uint64_t)CR0_TS;
    ck_assert_int_eq(EXEC(b, ADDPS_X0_X1), EXC_UD);
    ck_assert_int_eq(EXEC(b, CVTPI2PS_X0_M0), EXC_UD);
    ck_assert_int_eq(EXEC(b, LDMXCSR_M), EXC_UD);
    ck_assert_int_eq(EXEC(b, PADDB_M0_M1), SIMD_DONE);
    ck_assert_int_eq(EXEC(b, PAVGB_M0_M1), SIMD_DONE);
    ck_assert_int_eq(EXEC(b, FXSAVE_M), SIMD_DONE);
    simd_board_free(b);
}
END_TEST

START_TEST(pending_x87_exception_is_reported_by_mmx)
{
    struct simd_board *b = board();

    b->cpu.fpu.cw = 0x340;
    b->cpu.fpu.sw = 1;
    fpu_update_summary(&b->cpu.fpu);
    ck_assert_uint_eq(b->cpu.fpu.sw, 0x8081);
    ck_assert_int_eq(EXEC(b, PADDB_M0_M1), EXC_MF);
    ck_assert_int_eq(EXEC(b, EMMS), EXC_MF);
    ck_assert_int_eq(EXEC(b, CVTPI2PS_X0_M0), EXC_MF);
    ck_assert_int_eq(EXEC(b, CVTPI2PS_X0_M), SIMD_DONE);
    ck_assert_int_eq(EXEC(b, ADDPS_X0_X1), SIMD_DONE);
    ck_assert_int_eq(EXEC(b, FXSAVE_M), SIMD_DONE);
    simd_board_free(b);
}
END_TEST

static void note_ferr(void *owner, bool level)
{
    *(bool *)owner = level;
}

START_TEST(without_ne_a_pending_exception_raises_ferr)
{
    struct simd_board *b = board();
    bool ferr = false;

    b->cpu.bus.owner = &ferr;
    b->cpu.bus.ferr = note_ferr;
    b->cpu.cr0 &= ~(uint64_t)CR0_NE;
    b->cpu.fpu.cw = 0x340;
    b->cpu.fpu.sw = 0x8081;
    ck_assert_int_ne(EXEC(b, PADDB_M0_M1), SIMD_DONE);
    ck_assert(b->cpu.exc.freezes);
    ck_assert(ferr);
    simd_board_free(b);
}
END_TEST

START_TEST(misaligned_operands_fault_where_alignment_is_asked)
{
    struct simd_board *b = board();

    b->cpu.gpr[RSI] = AT + 8;
    ck_assert_int_eq(EXEC(b, ADDPS_X0_M), EXC_GP);
    ck_assert_uint_eq(b->cpu.exc.error, 0);
    ck_assert_int_eq(EXEC(b, MOVAPS_M_X0), EXC_GP);
    ck_assert_int_eq(EXEC(b, FXSAVE_M), EXC_GP);
    ck_assert_int_eq(EXEC(b, FXRSTOR_M), EXC_GP);
    ck_assert_int_eq(EXEC(b, MOVUPS_X0_M), SIMD_DONE);
    ck_assert_int_eq(EXEC(b, PADDB_M0_M), SIMD_DONE);
    ck_assert_int_eq(EXEC(b, LDMXCSR_M), SIMD_DONE);
    simd_board_free(b);
}
END_TEST

/* Arithmetic, that is; what is there to be aligned stays so. */
START_TEST(mm_lets_operands_be_misaligned)
{
    struct simd_board *b = board();

    store32(simd_ram(b, AT), 0x1f80 | MXCSR_MM);
    ck_assert_int_eq(EXEC(b, LDMXCSR_M), SIMD_DONE);
    b->cpu.gpr[RSI] = AT + 8;
    ck_assert_int_eq(EXEC(b, ADDPS_X0_M), SIMD_DONE);
    ck_assert_int_eq(EXEC(b, MOVAPS_M_X0), EXC_GP);
    ck_assert_int_eq(EXEC(b, FXSAVE_M), EXC_GP);
    simd_board_free(b);
}
END_TEST

START_TEST(mm_is_not_on_every_model)
{
    struct simd_board *b = board();

    feature_set_put(&b->cpu.features, FEAT_MISALIGNSSE, false);
    store32(simd_ram(b, AT), 0x1f80 | MXCSR_MM);
    ck_assert_int_eq(EXEC(b, LDMXCSR_M), EXC_GP);
    ck_assert_int_eq(EXEC(b, FXSAVE_M), SIMD_DONE);
    ck_assert_uint_eq(load32(simd_ram(b, AT) + 28), 0xffff);
    simd_board_free(b);
}
END_TEST

START_TEST(unaligned_accesses_may_cross_pages)
{
    struct simd_board *b = board();

    b->cpu.gpr[RSI] = AT + PAGE_SIZE - 5;
    for (unsigned i = 0; i < XMM_SIZE; i++)
        simd_ram(b, AT + PAGE_SIZE - 5)[i] = (uint8_t)(i + 1);
    ck_assert_int_eq(EXEC(b, MOVUPS_X0_M), SIMD_DONE);
    for (unsigned i = 0; i < XMM_SIZE; i++)
        ck_assert_uint_eq(b->cpu.xmm[0].u8[i]++, i + 1);
    ck_assert_int_eq(EXEC(b, MOVDQU_M_X0), SIMD_DONE);
    for (unsigned i = 0; i < XMM_SIZE; i++)
        ck_assert_uint_eq(simd_ram(b, AT + PAGE_SIZE - 5)[i], i + 2);
    simd_board_free(b);
}
END_TEST

START_TEST(a_memory_fault_leaves_the_x87_alone)
{
    struct simd_board *b = board();

    b->cpu.gpr[RSI] = not_canonical;
    b->cpu.fpu.sw = 3 << 11;
    b->cpu.fpu.r[0] = (struct fpreg){.frac = 5, .exp = 7};
    ck_assert_int_eq(EXEC(b, PADDB_M0_M), EXC_GP);
    ck_assert_uint_eq(b->cpu.fpu.sw, 3 << 11);
    ck_assert_uint_eq(b->cpu.fpu.tags, 0);
    ck_assert_uint_eq(b->cpu.fpu.r[0].exp, 7);
    simd_board_free(b);
}
END_TEST

START_TEST(mmx_writes_mark_registers_and_emms_empties_them)
{
    struct simd_board *b = board();

    b->cpu.fpu.sw = 3 << 11;
    b->cpu.fpu.r[0] = (struct fpreg){.frac = 5, .exp = 7};
    b->cpu.fpu.r[1] = (struct fpreg){.frac = 6, .exp = 8};
    ck_assert_int_eq(EXEC(b, PADDB_M0_M1), SIMD_DONE);
    ck_assert_uint_eq(b->cpu.fpu.sw, 0);
    ck_assert_uint_eq(b->cpu.fpu.tags, 0xff);
    ck_assert_uint_eq(b->cpu.fpu.r[0].frac, 11);
    ck_assert_uint_eq(b->cpu.fpu.r[0].exp, 0xffff);
    ck_assert_uint_eq(b->cpu.fpu.r[1].exp, 8);
    ck_assert_int_eq(EXEC(b, EMMS), SIMD_DONE);
    ck_assert_uint_eq(b->cpu.fpu.tags, 0);
    simd_board_free(b);
}
END_TEST

/* Lane 0: 1 / 3, inexact.  Lane 3: 1 / 0. */
static void load_quotients(struct cpu *cpu)
{
    for (unsigned i = 0; i < 4; i++) {
        cpu->xmm[0].u32[i] = 0x3f800000;
        cpu->xmm[1].u32[i] = i == 3 ? 0 : 0x40400000;
    }
}

START_TEST(an_unmasked_exception_in_one_lane_stops_all)
{
    struct simd_board *b = board();

    load_quotients(&b->cpu);
    b->cpu.mxcsr = 0x1f80 & ~(uint32_t)(SF_DIVZERO << MXCSR_MASK_SHIFT);
    ck_assert_int_eq(EXEC(b, DIVPS_X0_X1), EXC_XM);
    ck_assert_uint_eq(b->cpu.mxcsr & MXCSR_FLAGS, SF_DIVZERO);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(b->cpu.xmm[0].u32[i], 0x3f800000);
    b->cpu.cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
    ck_assert_int_eq(EXEC(b, DIVPS_X0_X1), EXC_UD);
    b->cpu.mxcsr = 0x1f80;
    ck_assert_int_eq(EXEC(b, DIVPS_X0_X1), SIMD_DONE);
    ck_assert_uint_eq(b->cpu.mxcsr & MXCSR_FLAGS, SF_DIVZERO | SF_INEXACT);
    simd_board_free(b);
}
END_TEST

START_TEST(mxcsr_has_sixteen_bits)
{
    struct simd_board *b = board();

    store32(simd_ram(b, AT), 0x10000);
    ck_assert_int_eq(EXEC(b, LDMXCSR_M), EXC_GP);
    ck_assert_uint_eq(b->cpu.mxcsr, 0x1f80);
    store32(simd_ram(b, AT), 0xffff);
    ck_assert_int_eq(EXEC(b, LDMXCSR_M), SIMD_DONE);
    store32(simd_ram(b, AT), 0);
    ck_assert_int_eq(EXEC(b, STMXCSR_M), SIMD_DONE);
    ck_assert_uint_eq(load32(simd_ram(b, AT)), 0xffff);
    simd_board_free(b);
}
END_TEST

static void fill_state(struct cpu *cpu)
{
    cpu->mxcsr = 0x7fa1;
    cpu->fpu = (struct fpu){
        .cw = 0x27f,
        .sw = 5 << 11 | 0x4100,
        .tags = 0x5a,
        .opcode = 0x123,
        .cs = 0x33,
        .ds = 0x2b,
        .ip = 0x1122334455667788,
        .dp = 0x8877665544332211,
    };
    for (unsigned i = 0; i < 8; i++)
        cpu->fpu.r[i] = (struct fpreg){.frac = 0x1111 * (i + 1ull),
                                       .exp = (uint16_t)(0x8000 + i)};
    for (unsigned i = 0; i < 16; i++)
        cpu->xmm[i].u64[0] = cpu->xmm[i].u64[1] = 0x0101010101010101 * i;
}

START_TEST(fxsave_writes_the_documented_image)
{
    struct simd_board *b = board();
    const uint8_t *p = simd_ram(b, AT);

    fill_state(&b->cpu);
    memset(simd_ram(b, AT), 0xa5, FX_SIZE);
    ck_assert_int_eq(EXEC(b, FXSAVE64_M), SIMD_DONE);
    ck_assert_uint_eq(load16(p), 0x27f);
    ck_assert_uint_eq(load16(p + 2), 5 << 11 | 0x4100);
    ck_assert_uint_eq(load16(p + 4), 0x5a);
    ck_assert_uint_eq(load16(p + 6), 0x123);
    ck_assert_uint_eq(load64(p + 8), 0x1122334455667788);
    ck_assert_uint_eq(load64(p + 16), 0x8877665544332211);
    ck_assert_uint_eq(load32(p + 24), 0x7fa1);
    ck_assert_uint_eq(load32(p + 28), 0xffff | MXCSR_MM);
    ck_assert_uint_eq(load64(p + 32), 0x6666); /* ST(0) is register 5 */
    ck_assert_uint_eq(load64(p + 40), 0x8005);
    ck_assert_uint_eq(load64(p + 32 + 7 * 16), 0x5555);
    ck_assert_uint_eq(load64(p + 160 + 15 * 16 + 8), 0x0f0f0f0f0f0f0f0f);
    ck_assert_uint_eq(p[416], 0xa5);
    ck_assert_uint_eq(p[511], 0xa5);
    ck_assert_int_eq(EXEC(b, FXSAVE_M), SIMD_DONE);
    ck_assert_uint_eq(load64(p + 8), 0x3355667788);
    ck_assert_uint_eq(load64(p + 16), 0x2b44332211);
    simd_board_free(b);
}
END_TEST

START_TEST(fxrstor_takes_back_what_fxsave_gave)
{
    struct simd_board *b = board();
    union vec xmm[16];
    struct fpu fpu;

    fill_state(&b->cpu);
    memcpy(xmm, b->cpu.xmm, sizeof(xmm));
    fpu = b->cpu.fpu;
    ck_assert_int_eq(EXEC(b, FXSAVE_M), SIMD_DONE);
    memset(b->cpu.xmm, 0, sizeof(xmm));
    memset(&b->cpu.fpu, 0, sizeof(fpu));
    b->cpu.mxcsr = 0x1f80;
    ck_assert_int_eq(EXEC(b, FXRSTOR_M), SIMD_DONE);
    ck_assert_uint_eq(b->cpu.mxcsr, 0x7fa1);
    ck_assert_mem_eq(b->cpu.fpu.r, fpu.r, sizeof(fpu.r));
    ck_assert_uint_eq(b->cpu.fpu.sw, fpu.sw);
    ck_assert_uint_eq(b->cpu.fpu.cw, fpu.cw);
    ck_assert_uint_eq(b->cpu.fpu.tags, fpu.tags);
    ck_assert_uint_eq(b->cpu.fpu.opcode, fpu.opcode);
    ck_assert_uint_eq(b->cpu.fpu.ip, (uint32_t)fpu.ip);
    ck_assert_uint_eq(b->cpu.fpu.cs, fpu.cs);
    for (unsigned i = 0; i < 16; i++)
        ck_assert_mem_eq(&b->cpu.xmm[i], &xmm[i], XMM_SIZE);
    simd_board_free(b);
}
END_TEST

START_TEST(outside_64_bit_mode_the_image_has_eight_xmm_registers)
{
    struct simd_board *b = board();

    fill_state(&b->cpu);
    b->cpu.mode = MODE_CODE32 | MODE_PE;
    b->cpu.efer = 0;
    b->cpu.seg[DS] = (struct segment){.attr = ATTR_P | ATTR_S | ATTR_RW,
                                      .limit = 0xffffffff};
    memset(simd_ram(b, AT), 0xa5, FX_SIZE);
    ck_assert_int_eq(EXEC(b, FXSAVE_M), SIMD_DONE);
    ck_assert_uint_eq(simd_ram(b, AT)[160 + 7 * 16], 7);
    ck_assert_uint_eq(simd_ram(b, AT)[160 + 8 * 16], 0xa5);
    ck_assert_int_eq(EXEC(b, FXRSTOR_M), SIMD_DONE);
    ck_assert_uint_eq(b->cpu.xmm[8].u8[0], 8);
    simd_board_free(b);
}
END_TEST

START_TEST(fxrstor_sanitises_the_image)
{
    struct simd_board *b = board();
    uint8_t *p = simd_ram(b, AT);

    memset(p, 0xff, 24);
    store32(p + 24, 0x10000);
    ck_assert_int_eq(EXEC(b, FXRSTOR_M), EXC_GP);
    ck_assert_uint_eq(b->cpu.fpu.cw, 0x37f);
    store32(p + 24, 0x1f80);
    ck_assert_int_eq(EXEC(b, FXRSTOR_M), SIMD_DONE);
    ck_assert_uint_eq(b->cpu.fpu.cw, 0x1f7f);
    ck_assert_uint_eq(b->cpu.fpu.sw, 0x7f7f); /* all masked: ES is clear */
    ck_assert_uint_eq(b->cpu.fpu.opcode, 0x7ff);
    store16(p, 0x340);
    ck_assert_int_eq(EXEC(b, FXRSTOR64_M), SIMD_DONE);
    ck_assert_uint_eq(b->cpu.fpu.sw, 0xffff);
    simd_board_free(b);
}
END_TEST

START_TEST(maskmov_writes_all_selected_bytes_or_none)
{
    struct simd_board *b = board();
    uint8_t *end = simd_ram(b, SIMD_RAM - 8);

    for (unsigned i = 0; i < XMM_SIZE; i++) {
        b->cpu.xmm[0].u8[i] = (uint8_t)(i + 1);
        b->cpu.xmm[1].u8[i] = i & 1 ? 0x80 : 0x7f;
    }
    ck_assert_int_eq(EXEC(b, MASKMOVDQU_X0_X1), SIMD_DONE);
    for (unsigned i = 0; i < XMM_SIZE; i++)
        ck_assert_uint_eq(simd_ram(b, AT)[i], i & 1 ? i + 1 : 0);
    b->cpu.gpr[RDI] = not_canonical - 8; /* the upper half faults */
    ck_assert_int_eq(EXEC(b, MASKMOVDQU_X0_X1), EXC_GP);
    b->cpu.xmm[1].u64[1] = 0; /* ... but is not selected */
    b->cpu.gpr[RDI] = SIMD_RAM - 8;
    ck_assert_int_eq(EXEC(b, MASKMOVDQU_X0_X1), SIMD_DONE);
    ck_assert_uint_eq(end[0], 0);
    ck_assert_uint_eq(end[7], 8);
    simd_board_free(b);
}
END_TEST

SUITE("simd_state", control_bits_forbid_instructions,
      without_osfxsr_only_mmx_registers_may_be_used,
      pending_x87_exception_is_reported_by_mmx,
      without_ne_a_pending_exception_raises_ferr,
      misaligned_operands_fault_where_alignment_is_asked,
      mm_lets_operands_be_misaligned, mm_is_not_on_every_model,
      unaligned_accesses_may_cross_pages, a_memory_fault_leaves_the_x87_alone,
      mmx_writes_mark_registers_and_emms_empties_them,
      an_unmasked_exception_in_one_lane_stops_all, mxcsr_has_sixteen_bits,
      fxsave_writes_the_documented_image, fxrstor_takes_back_what_fxsave_gave,
      outside_64_bit_mode_the_image_has_eight_xmm_registers,
      fxrstor_sanitises_the_image, maskmov_writes_all_selected_bytes_or_none)
