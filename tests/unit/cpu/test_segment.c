/* Loading and examining segments: SDM vol. 2, MOV, LxS, POP, LLDT, LTR, LAR,
 * LSL, VERR, VERW, ARPL; vol. 3, chapter 5. */

#include "tests/unit/cpu/system_board.h"

struct load_case {
    uint16_t cs, ss; /* the privilege that loads */
    unsigned seg;
    uint16_t sel;
    int fault; /* DONE or a vector, whose error code is sel or 0 */
};

static void check_load(const struct load_case *c)
{
    struct board *b = board_new();
    uint16_t before;

    board_level(b, c->cs, c->ss);
    before = b->cpu.seg[c->seg].sel;
    ck_assert_msg(board_load(b, c->seg, c->sel) == c->fault,
                  "segment %u selector %x from CPL %u", c->seg, c->sel,
                  c->cs & 3);
    if (c->fault == DONE) {
        ck_assert_uint_eq(b->cpu.seg[c->seg].sel, c->sel);
    } else {
        ck_assert_uint_eq(board_error(b), c->sel & 0xfffc);
        ck_assert_uint_eq(b->cpu.seg[c->seg].sel, before);
    }
    board_free(b);
}

START_TEST(data_segments_check_type_privilege_and_presence)
{
    static const struct load_case cases[] = {
        {CODE0, DATA0, DS, DATA0, DONE},
        {CODE0, DATA0, DS, DATA3, DONE},
        {CODE0, DATA0, ES, DATA0 | 3, EXC_GP}, /* RPL above DPL */
        {CODE3, DATA3, DS, DATA0, EXC_GP},     /* CPL above DPL */
        {CODE3, DATA3, DS, DATA3, DONE},
        {CODE3, DATA3, FS, CONFORMING | 3, DONE}, /* open to every level */
        {CODE0, DATA0, GS, CODE0, DONE},
        {CODE0, DATA0, GS, EXEC_ONLY, EXC_GP},
        {CODE0, DATA0, DS, READ_ONLY, DONE},
        {CODE0, DATA0, DS, ABSENT, EXC_NP},
        {CODE0, DATA0, DS, TSS_SEL, EXC_GP},
        {CODE0, DATA0, DS, GDT_LIMIT + 1, EXC_GP},
        {CODE0, DATA0, DS, 0x100 | SEL_TI, EXC_GP}, /* LDT has 0x100 bytes */
        {CODE0, DATA0, DS, 0, DONE},
        {CODE0, DATA0, FS, 3, DONE}, /* null with an RPL */
    };

    for (unsigned i = 0; i < array_len(cases); i++)
        check_load(&cases[i]);
}
END_TEST

START_TEST(stack_segment_must_be_writable_data_of_this_level)
{
    static const struct load_case cases[] = {
        {CODE0, DATA0, SS, DATA0, DONE},
        {CODE0, DATA0, SS, DATA0 | 3, EXC_GP},
        {CODE0, DATA0, SS, DATA3, EXC_GP},
        {CODE3, DATA3, SS, DATA3, DONE},
        {CODE3, DATA3, SS, DATA0, EXC_GP},
        {CODE0, DATA0, SS, READ_ONLY, EXC_GP},
        {CODE0, DATA0, SS, CODE0, EXC_GP},
        {CODE0, DATA0, SS, 0, EXC_GP},
        {CODE0, DATA0, SS, ABSENT, EXC_SS}, /* not #NP */
    };

    for (unsigned i = 0; i < array_len(cases); i++)
        check_load(&cases[i]);
}
END_TEST

START_TEST(load_sets_the_accessed_bit_and_scales_the_limit)
{
    struct board *b = board_new();

    board_gdt(b, 0xa0, 0x12345678, 0x54321, A_DATA | ATTR_G);
    board_gdt(b, 0xa8, 0x12345678, 0x54321, A_DATA);
    ck_assert_int_eq(board_load(b, ES, 0xa0), DONE);
    ck_assert_uint_eq(board_attr(b, 0xa0) & ATTR_ACCESSED, ATTR_ACCESSED);
    ck_assert_uint_eq(b->cpu.seg[ES].base, 0x12345678);
    ck_assert_uint_eq(b->cpu.seg[ES].limit, 0x54321fff);
    ck_assert_int_eq(board_load(b, ES, 0xa8), DONE);
    ck_assert_uint_eq(b->cpu.seg[ES].limit, 0x54321);
    board_free(b);
}
END_TEST

START_TEST(faulting_load_leaves_the_accessed_bit_alone)
{
    struct board *b = board_new();

    ck_assert_int_eq(board_load(b, DS, ABSENT), EXC_NP);
    ck_assert_uint_eq(board_attr(b, ABSENT) & ATTR_ACCESSED, 0);
    board_free(b);
}
END_TEST

START_TEST(null_data_segment_is_unusable)
{
    struct board *b = board_new();

    ck_assert_int_eq(board_load(b, ES, 0), DONE);
    ck_assert_uint_eq(b->cpu.seg[ES].attr & ATTR_P, 0);
    board_free(b);
}
END_TEST

START_TEST(null_stack_is_for_inner_64_bit_code_only)
{
    struct board *b = board_new();

    board_long(b);
    ck_assert_int_eq(board_load(b, SS, 0), DONE);
    ck_assert_int_eq(board_load(b, SS, 3), EXC_GP); /* RPL is not CPL */
    b->cpu.cpl = 3;
    cpu_update_mode(&b->cpu);
    ck_assert_int_eq(board_load(b, SS, 3), EXC_GP);
    board_free(b);
}
END_TEST

START_TEST(real_mode_load_keeps_limit_and_attributes)
{
    struct board *b = board_new();

    control_set_cr0(&b->cpu, CR0_ET);
    ck_assert_int_eq(board_load(b, DS, 0x1234), DONE);
    ck_assert_uint_eq(b->cpu.seg[DS].base, 0x12340);
    ck_assert_uint_eq(b->cpu.seg[DS].limit, 0xffffffff);
    board_free(b);
}
END_TEST

START_TEST(v86_load_fixes_limit_and_attributes)
{
    struct board *b = board_new();

    board_v86(b, 3);
    b->cpu.seg[DS].limit = 0xfffff;
    ck_assert_int_eq(board_load(b, DS, 0x2345), DONE);
    ck_assert_uint_eq(b->cpu.seg[DS].base, 0x23450);
    ck_assert_uint_eq(b->cpu.seg[DS].limit, 0xffff);
    board_free(b);
}
END_TEST

START_TEST(mov_ss_holds_interrupts_for_one_instruction)
{
    struct board *b = board_new();
    enum stop_reason reason;

    cpu_set_eflags(&b->cpu, FLAG_IF);
    ck_assert_int_eq(board_load(b, SS, DATA0), DONE);
    cpu_set_nmi(&b->cpu, 0, true);
    ck_assert(!cpu_service(&b->cpu, &reason));
    ck_assert_uint_eq(b->cpu.rip, CODE + 2);
    b->cpu.rip += 1; /* the instruction after it */
    ck_assert(!cpu_service(&b->cpu, &reason));
    ck_assert_uint_eq(b->cpu.rip, HANDLER + 2 * 16);
    board_free(b);
}
END_TEST

START_TEST(second_mov_ss_in_a_row_does_not_hold_on)
{
    struct board *b = board_new();

    board_load(b, SS, DATA0);
    board_load(b, SS, DATA0);
    ck_assert(b->cpu.shadow_rip != b->cpu.rip);
    board_free(b);
}
END_TEST

START_TEST(pop_segment_moves_the_stack_only_if_the_load_is_good)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);

    in.op[0] = (struct operand){OPND_SEG, ES, 2, ACC_W};
    POKE_STACK(b, 4, ABSENT);
    ck_assert_int_eq(board_run(b, op_pop_seg, &in), EXC_NP);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK);
    POKE_STACK(b, 4, DATA3);
    ck_assert_int_eq(board_run(b, op_pop_seg, &in), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK + 4);
    board_free(b);
}
END_TEST

START_TEST(lds_loads_both_or_nothing)
{
    struct board *b = board_new();
    struct insn in = board_insn_mem(4, 6);

    in.op[1] = in.op[0];
    in.op[0] = board_gpr(4);
    in.code = 0xc4; /* LES */
    b->cpu.gpr[RAX] = 0x55;
    store32(board_at(b, DATA), 0xabcd);
    store16(board_at(b, DATA + 4), TSS_SEL);
    ck_assert_int_eq(board_run(b, op_load_far, &in), EXC_GP);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0x55);
    store16(board_at(b, DATA + 4), DATA3);
    ck_assert_int_eq(board_run(b, op_load_far, &in), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0xabcd);
    ck_assert_uint_eq(b->cpu.seg[ES].sel, DATA3);
    board_free(b);
}
END_TEST

/* --- LDTR, TR --- */

static int load_system(struct board *b, cpu_op *op, uint16_t sel)
{
    struct insn in = board_insn(2);

    in.op[0] = board_gpr(2);
    b->cpu.gpr[RAX] = sel;
    return board_run(b, op, &in);
}

START_TEST(lldt_wants_an_ldt_descriptor_of_the_gdt)
{
    struct board *b = board_new();

    ck_assert_int_eq(load_system(b, op_lldt, LDT_SEL), DONE);
    ck_assert_int_eq(load_system(b, op_lldt, DATA0), EXC_GP);
    ck_assert_int_eq(load_system(b, op_lldt, LDT_SEL | SEL_TI), EXC_GP);
    ck_assert_uint_eq(board_error(b), LDT_SEL | SEL_TI);
    board_gdt(b, LDT_SEL, LDT, 0xff, SYS_LDT);
    ck_assert_int_eq(load_system(b, op_lldt, LDT_SEL), EXC_NP);
    ck_assert_int_eq(load_system(b, op_lldt, 0), DONE);
    ck_assert_int_eq(board_load(b, DS, 8 | SEL_TI), EXC_GP);
    board_free(b);
}
END_TEST

START_TEST(ltr_marks_the_tss_busy_and_refuses_a_busy_one)
{
    struct board *b = board_new();

    ck_assert_int_eq(load_system(b, op_ltr, OTHER_SEL), DONE);
    ck_assert_uint_eq(board_attr(b, OTHER_SEL), ATTR_P | SYS_TSS32_BUSY);
    ck_assert_uint_eq(b->cpu.tr.base, TSS_OTHER);
    ck_assert_int_eq(load_system(b, op_ltr, OTHER_SEL), EXC_GP);
    ck_assert_int_eq(load_system(b, op_ltr, 0), EXC_GP);
    ck_assert_uint_eq(board_error(b), 0);
    ck_assert_int_eq(load_system(b, op_ltr, DATA0), EXC_GP);
    board_free(b);
}
END_TEST

START_TEST(long_mode_system_descriptors_have_16_bytes)
{
    struct board *b = board_new();

    board_long(b);
    board_gdt(b, 0xa0, TSS_OTHER, 0x67, ATTR_P | SYS_TSS32);
    store64(board_at(b, GDT + 0xa8), 0x1234);
    ck_assert_int_eq(load_system(b, op_ltr, 0xa0), DONE);
    ck_assert_uint_eq(b->cpu.tr.base, 0x123400000000 | TSS_OTHER);
    board_gdt(b, 0xb0, LDT, 0xff, ATTR_P | SYS_LDT);
    store64(board_at(b, GDT + 0xb8), (uint64_t)2 << 40); /* a type: bad */
    ck_assert_int_eq(load_system(b, op_lldt, 0xb0), EXC_GP);
    ck_assert_uint_eq(board_error(b), 0xb0);
    board_free(b);
}
END_TEST

START_TEST(outer_levels_may_not_load_ldtr_and_tr)
{
    struct board *b = board_new();

    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(load_system(b, op_lldt, LDT_SEL), EXC_GP);
    ck_assert_int_eq(load_system(b, op_ltr, OTHER_SEL), EXC_GP);
    ck_assert_uint_eq(board_error(b), 0);
    board_free(b);
}
END_TEST

/* --- LAR, LSL, VERR, VERW, ARPL --- */

static bool examine(struct board *b, cpu_op *op, uint16_t sel, uint64_t *result)
{
    struct insn in = board_insn(4);

    in.op[0] = board_gpr(4);
    in.op[1] = (struct operand){OPND_GPR, RCX, 2, ACC_R};
    if (op == op_verr || op == op_verw)
        in.op[0] = in.op[1];
    b->cpu.gpr[RCX] = sel;
    b->cpu.gpr[RAX] = 0xdead;
    ck_assert_int_eq(board_run(b, op, &in), DONE);
    *result = b->cpu.gpr[RAX];
    return cpu_eflags(&b->cpu) & FLAG_ZF;
}

START_TEST(lar_and_lsl_answer_in_zf)
{
    struct board *b = board_new();
    uint64_t v;

    ck_assert(examine(b, op_lar, CODE0, &v));
    ck_assert_uint_eq(v, 0xcf9a00);
    ck_assert(examine(b, op_lsl, CODE0, &v));
    ck_assert_uint_eq(v, 0xffffffff);
    ck_assert(examine(b, op_lsl, TSS_SEL, &v));
    ck_assert_uint_eq(v, 0x67);
    ck_assert(!examine(b, op_lar, 0, &v));
    ck_assert_uint_eq(v, 0xdead);
    ck_assert(!examine(b, op_lar, GDT_LIMIT + 1, &v));
    ck_assert(examine(b, op_lar, ABSENT, &v)); /* presence does not matter */
    board_free(b);
}
END_TEST

START_TEST(lar_knows_gates_lsl_does_not)
{
    struct board *b = board_new();
    uint64_t v;

    store64(board_at(b, GDT + CALL_GATE),
            board_gate(CODE0, HANDLER, 0, ATTR_P | SYS_CALL32));
    store64(board_at(b, GDT + 0xa0),
            board_gate(CODE0, HANDLER, 0, ATTR_P | SYS_INTR32));
    ck_assert(examine(b, op_lar, CALL_GATE, &v));
    ck_assert(!examine(b, op_lsl, CALL_GATE, &v));
    ck_assert(!examine(b, op_lar, 0xa0, &v));
    board_free(b);
}
END_TEST

START_TEST(lar_hides_what_is_more_privileged)
{
    struct board *b = board_new();
    uint64_t v;

    ck_assert(!examine(b, op_lar, DATA0 | 3, &v)); /* RPL counts */
    board_level(b, CODE3, DATA3);
    ck_assert(!examine(b, op_lar, DATA0, &v));
    ck_assert(examine(b, op_lar, CONFORMING, &v));
    board_free(b);
}
END_TEST

START_TEST(verr_and_verw_tell_what_may_be_done)
{
    struct board *b = board_new();
    uint64_t v;

    ck_assert(examine(b, op_verr, DATA0, &v));
    ck_assert(examine(b, op_verw, DATA0, &v));
    ck_assert(examine(b, op_verr, READ_ONLY, &v));
    ck_assert(!examine(b, op_verw, READ_ONLY, &v));
    ck_assert(!examine(b, op_verr, EXEC_ONLY, &v));
    ck_assert(examine(b, op_verr, CODE0, &v));
    ck_assert(!examine(b, op_verw, CODE0, &v));
    ck_assert(!examine(b, op_verr, TSS_SEL, &v));
    board_free(b);
}
END_TEST

START_TEST(arpl_raises_rpl_and_says_so)
{
    struct board *b = board_new();
    struct insn in = board_insn(2);

    in.op[0] = board_gpr(2);
    in.op[1] = (struct operand){OPND_GPR, RCX, 2, ACC_R};
    b->cpu.gpr[RAX] = 0x11;
    b->cpu.gpr[RCX] = 0x0b;
    board_run(b, op_arpl, &in);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0x13);
    ck_assert(cpu_eflags(&b->cpu) & FLAG_ZF);
    board_run(b, op_arpl, &in);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0x13);
    ck_assert(!(cpu_eflags(&b->cpu) & FLAG_ZF));
    board_free(b);
}
END_TEST

START_TEST(swapgs_exchanges_the_base)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);

    board_long(b);
    b->cpu.seg[GS].base = 0x1111;
    b->cpu.msr.kernel_gs_base = 0x2222;
    ck_assert_int_eq(board_run(b, op_swapgs, &in), DONE);
    ck_assert_uint_eq(b->cpu.seg[GS].base, 0x2222);
    ck_assert_uint_eq(b->cpu.msr.kernel_gs_base, 0x1111);
    b->cpu.cpl = 3;
    ck_assert_int_eq(board_run(b, op_swapgs, &in), EXC_GP);
    board_free(b);
}
END_TEST

SUITE("segments", data_segments_check_type_privilege_and_presence,
      stack_segment_must_be_writable_data_of_this_level,
      load_sets_the_accessed_bit_and_scales_the_limit,
      faulting_load_leaves_the_accessed_bit_alone,
      null_data_segment_is_unusable, null_stack_is_for_inner_64_bit_code_only,
      real_mode_load_keeps_limit_and_attributes,
      v86_load_fixes_limit_and_attributes,
      mov_ss_holds_interrupts_for_one_instruction,
      second_mov_ss_in_a_row_does_not_hold_on,
      pop_segment_moves_the_stack_only_if_the_load_is_good,
      lds_loads_both_or_nothing, lldt_wants_an_ldt_descriptor_of_the_gdt,
      ltr_marks_the_tss_busy_and_refuses_a_busy_one,
      long_mode_system_descriptors_have_16_bytes,
      outer_levels_may_not_load_ldtr_and_tr, lar_and_lsl_answer_in_zf,
      lar_knows_gates_lsl_does_not, lar_hides_what_is_more_privileged,
      verr_and_verw_tell_what_may_be_done, arpl_raises_rpl_and_says_so,
      swapgs_exchanges_the_base)
