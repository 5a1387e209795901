/* Far JMP, CALL, RETF, IRET, SYSCALL and SYSENTER: SDM vol. 2. */

#include "tests/unit/cpu/system_board.h"

static int far(struct board *b, cpu_op *op, uint16_t sel, uint32_t offset)
{
    struct insn in = board_insn_far(4, sel, offset);

    return board_run(b, op, &in);
}

static int plain(struct board *b, cpu_op *op, unsigned opsize)
{
    struct insn in = board_insn(opsize);

    return board_run(b, op, &in);
}

static void call_gate(struct board *b, uint16_t code, unsigned count,
                      uint32_t attr)
{
    store64(board_at(b, GDT + CALL_GATE),
            board_gate(code, HANDLER, count, attr | ATTR_P));
}

/* --- direct --- */

struct far_case {
    uint16_t cs, ss, sel;
    int fault;
};

START_TEST(far_jump_checks_type_privilege_and_presence)
{
    static const struct far_case cases[] = {
        {CODE0, DATA0, CODE0, DONE},
        {CODE0, DATA0, CODE0 | 3, EXC_GP},      /* RPL above CPL */
        {CODE0, DATA0, CODE3, EXC_GP},          /* outward */
        {CODE3, DATA3, CODE0, EXC_GP},          /* inward */
        {CODE3, DATA3, CODE3 & ~3, DONE},       /* RPL 0 is fine */
        {CODE3, DATA3, CONFORMING | 3, DONE},
        {CODE1, DATA1, CONFORMING, DONE},
        {CODE0, DATA0, DATA0, EXC_GP},
        {CODE0, DATA0, LDT_SEL, EXC_GP},
        {CODE0, DATA0, 0, EXC_GP},
        {CODE0, DATA0, GDT_LIMIT + 1, EXC_GP},
        {CODE0, DATA0, 0xa0, EXC_NP},
        {CODE0, DATA0, 0xa8, EXC_GP}, /* conforming, more outward */
    };

    for (unsigned i = 0; i < array_len(cases); i++) {
        const struct far_case *c = &cases[i];
        struct board *b = board_new();

        board_gdt(b, 0xa0, 0, 0xfffff, (A_CODE & ~ATTR_P) | A_FLAT);
        board_gdt(b, 0xa8, 0, 0xfffff, A_CODE | A_FLAT | ATTR_DC | A_DPL3);
        board_level(b, c->cs, c->ss);
        ck_assert_msg(far(b, op_jmp_far, c->sel, HANDLER) == c->fault,
                      "CPL %u to %x", c->cs & 3, c->sel);
        if (c->fault == DONE)
            ck_assert_uint_eq(b->cpu.seg[CS].sel,
                              (c->sel & 0xfffc) | (c->cs & 3u));
        else
            ck_assert_uint_eq(board_error(b), c->sel & 0xfffc);
        board_free(b);
    }
}
END_TEST

START_TEST(jump_beyond_the_limit_is_gp_0)
{
    struct board *b = board_new();

    ck_assert_int_eq(far(b, op_jmp_far, CODE16, 0x10000), EXC_GP);
    ck_assert_uint_eq(board_error(b), 0);
    ck_assert_int_eq(far(b, op_jmp_far, CODE16, 0xffff), DONE);
    ck_assert_uint_eq(b->cpu.mode & MODE_CODE32, 0);
    board_free(b);
}
END_TEST

START_TEST(far_call_pushes_cs_and_the_next_instruction)
{
    struct board *b = board_new();

    ck_assert_int_eq(far(b, op_call_far, CODE0, HANDLER), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK - 8);
    ck_assert_uint_eq(board_item(b, STACK - 8, 0, 4), CODE + 7);
    ck_assert_uint_eq(board_item(b, STACK - 8, 1, 4), CODE0);
    board_free(b);
}
END_TEST

START_TEST(far_call_without_room_changes_nothing)
{
    struct board *b = board_new();

    b->cpu.seg[SS].limit = 0xfff;
    b->cpu.gpr[RSP] = 4;
    ck_assert_int_eq(far(b, op_call_far, CODE0, HANDLER), EXC_SS);
    ck_assert_uint_eq(board_error(b), 0);
    ck_assert_uint_eq(b->cpu.gpr[RSP], 4);
    ck_assert_uint_eq(b->cpu.rip, CODE);
    board_free(b);
}
END_TEST

START_TEST(far_jump_through_memory_reads_offset_then_selector)
{
    struct board *b = board_new();
    struct insn in = board_insn_mem(4, 6);

    store32(board_at(b, DATA), HANDLER);
    store16(board_at(b, DATA + 4), CODE0);
    ck_assert_int_eq(board_run(b, op_jmp_far, &in), DONE);
    ck_assert_uint_eq(b->cpu.rip, HANDLER);
    board_free(b);
}
END_TEST

START_TEST(jump_into_64_bit_code_changes_the_mode)
{
    struct board *b = board_new();

    board_long(b);
    board_level(b, CODE0, DATA0);
    ck_assert(!cpu_code64(&b->cpu));
    ck_assert_int_eq(far(b, op_jmp_far, CODE64_SEL, HANDLER), DONE);
    ck_assert(cpu_code64(&b->cpu));
    board_gdt(b, 0xa0, 0, 0xfffff, A_CODE | ATTR_L | ATTR_DB);
    ck_assert_int_eq(far(b, op_jmp_far, 0xa0, HANDLER), EXC_GP);
    board_free(b);
}
END_TEST

START_TEST(real_mode_transfers_load_cs_times_16)
{
    struct board *b = board_new();
    struct insn in = board_insn_far(2, 0x2000, 0x123);

    board_v86(b, 0); /* the same rules */
    in.len = 5;
    ck_assert_int_eq(board_run(b, op_call_far, &in), DONE);
    ck_assert_uint_eq(b->cpu.seg[CS].base, 0x20000);
    ck_assert_uint_eq(b->cpu.rip, 0x123);
    ck_assert_uint_eq(b->cpu.gpr[RSP], 0x1000 - 4);
    ck_assert_int_eq(plain(b, op_ret_far, 2), DONE);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, CODE >> 4);
    ck_assert_uint_eq(b->cpu.rip, 5);
    board_free(b);
}
END_TEST

/* --- call gates --- */

START_TEST(call_gate_switches_stacks_and_copies_parameters)
{
    struct board *b = board_new();

    call_gate(b, CODE0, 2, SYS_CALL32 | A_DPL3);
    board_level(b, CODE3, DATA3);
    POKE_STACK(b, 4, 0x1111, 0x2222);
    ck_assert_int_eq(far(b, op_call_far, CALL_GATE | 3, 0xffff), DONE);
    ck_assert_uint_eq(b->cpu.cpl, 0);
    ck_assert_uint_eq(b->cpu.rip, HANDLER);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK0 - 24);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 0, 4), CODE + 7);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 1, 4), CODE3);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 2, 4), 0x1111);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 3, 4), 0x2222);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 4, 4), STACK);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 5, 4), DATA3);
    board_free(b);
}
END_TEST

START_TEST(return_from_a_call_gate_releases_parameters_on_both_stacks)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);

    call_gate(b, CODE0, 2, SYS_CALL32 | A_DPL3);
    board_level(b, CODE3, DATA3);
    far(b, op_call_far, CALL_GATE | 3, 0);
    in.op[0] = (struct operand){OPND_IMM, 0, 2, ACC_R};
    in.imm = 8;
    ck_assert_int_eq(board_run(b, op_ret_far, &in), DONE);
    ck_assert_uint_eq(b->cpu.cpl, 3);
    ck_assert_uint_eq(b->cpu.rip, CODE + 7);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK + 8);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, DATA3);
    ck_assert_uint_eq(b->cpu.seg[DS].sel, 0); /* was of level 0 */
    board_free(b);
}
END_TEST

START_TEST(sixteen_bit_call_gate_works_in_words)
{
    struct board *b = board_new();

    call_gate(b, CODE0, 1, SYS_CALL16 | A_DPL3);
    board_level(b, CODE3, DATA3);
    POKE_STACK(b, 2, 0x1111);
    ck_assert_int_eq(far(b, op_call_far, CALL_GATE | 3, 0), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK0 - 10);
    ck_assert_uint_eq(board_item(b, STACK0 - 10, 2, 2), 0x1111);
    ck_assert_uint_eq(board_item(b, STACK0 - 10, 3, 2), STACK & 0xffff);
    board_free(b);
}
END_TEST

START_TEST(gate_refuses_outer_callers_and_bad_targets)
{
    struct board *b = board_new();

    board_level(b, CODE3, DATA3);
    call_gate(b, CODE0, 0, SYS_CALL32);
    ck_assert_int_eq(far(b, op_call_far, CALL_GATE, 0), EXC_GP);
    ck_assert_uint_eq(board_error(b), CALL_GATE);
    call_gate(b, DATA0, 0, SYS_CALL32 | A_DPL3);
    ck_assert_int_eq(far(b, op_call_far, CALL_GATE, 0), EXC_GP);
    ck_assert_uint_eq(board_error(b), DATA0);
    call_gate(b, 0, 0, SYS_CALL32 | A_DPL3);
    ck_assert_int_eq(far(b, op_call_far, CALL_GATE, 0), EXC_GP);
    ck_assert_uint_eq(board_error(b), 0);
    call_gate(b, CODE0, 0, SYS_CALL32 | A_DPL3);
    ck_assert_int_eq(far(b, op_jmp_far, CALL_GATE, 0), EXC_GP); /* inward */
    ck_assert_uint_eq(board_error(b), CODE0);
    store64(board_at(b, GDT + CALL_GATE),
            board_gate(CODE0, HANDLER, 0, SYS_CALL32 | A_DPL3));
    ck_assert_int_eq(far(b, op_call_far, CALL_GATE, 0), EXC_NP);
    ck_assert_uint_eq(board_error(b), CALL_GATE);
    board_free(b);
}
END_TEST

START_TEST(bad_inner_stack_of_a_call_is_ts_without_ext)
{
    struct board *b = board_new();

    call_gate(b, CODE0, 0, SYS_CALL32 | A_DPL3);
    store16(board_at(b, TSS + 8), DATA3);
    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(far(b, op_call_far, CALL_GATE, 0), EXC_TS);
    ck_assert_uint_eq(board_error(b), DATA3 & 0xfffc);
    board_free(b);
}
END_TEST

START_TEST(long_mode_gate_has_16_bytes_and_no_parameters)
{
    struct board *b = board_new();

    board_long(b);
    board_gdt(b, CALL_GATE + 8, 0, 0, 0); /* its upper half */
    call_gate(b, CODE64_SEL, 5, SYS_CALL32 | A_DPL3);
    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(far(b, op_call_far, CALL_GATE, 0), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK0 - 32);
    ck_assert_uint_eq(board_item(b, STACK0 - 32, 0, 8), CODE + 7);
    ck_assert_uint_eq(board_item(b, STACK0 - 32, 2, 8), STACK);
    ck_assert_uint_eq(board_item(b, STACK0 - 32, 3, 8), DATA3);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, 0);
    board_free(b);
}
END_TEST

/* --- RETF and IRET --- */

START_TEST(far_return_refuses_to_go_inward)
{
    struct board *b = board_new();

    board_level(b, CODE3, DATA3);
    POKE_STACK(b, 4, HANDLER, CODE0);
    ck_assert_int_eq(plain(b, op_ret_far, 4), EXC_GP);
    ck_assert_uint_eq(board_error(b), CODE0);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK);
    board_free(b);
}
END_TEST

START_TEST(outward_return_checks_the_stack_segment)
{
    static const struct {
        uint16_t ss;
        int fault;
    } cases[] = {
        {DATA3, DONE}, {0, EXC_GP}, {DATA0, EXC_GP}, {CODE3, EXC_GP},
        {ABSENT, EXC_GP}, {0xa3, EXC_SS},
    };

    for (unsigned i = 0; i < array_len(cases); i++) {
        struct board *b = board_new();

        board_gdt(b, 0xa0, 0, 0xfffff, (A_DATA & ~ATTR_P) | A_DPL3);
        POKE_STACK(b, 4, HANDLER, CODE3, 0x5000, cases[i].ss);
        ck_assert_int_eq(plain(b, op_ret_far, 4), cases[i].fault);
        if (cases[i].fault == DONE)
            ck_assert_uint_eq(b->cpu.gpr[RSP], 0x5000);
        else
            ck_assert_uint_eq(board_error(b), cases[i].ss & 0xfffc);
        board_free(b);
    }
}
END_TEST

START_TEST(outward_return_drops_privileged_data_segments)
{
    struct board *b = board_new();

    board_set(b, ES, DATA3);
    board_set(b, FS, CONFORMING);
    POKE_STACK(b, 4, HANDLER, CODE3, FLAG_1, 0x5000, DATA3);
    ck_assert_int_eq(plain(b, op_iret, 4), DONE);
    ck_assert_uint_eq(b->cpu.seg[DS].sel, 0);
    ck_assert_uint_eq(b->cpu.seg[ES].sel, DATA3);
    ck_assert_uint_eq(b->cpu.seg[FS].sel, CONFORMING);
    board_free(b);
}
END_TEST

START_TEST(iret_changes_flags_as_far_as_the_level_may)
{
    enum { ALL = FLAG_IF | FLAG_IOPL | FLAG_ID | FLAG_VIF | FLAG_VIP };
    static const struct {
        unsigned cs, iopl;
        uint32_t set;
    } cases[] = {
        {CODE0, 0, ALL},
        {CODE1, 0, FLAG_ID},
        {CODE1, 1, FLAG_ID | FLAG_IF | 1 << 12},
        {CODE3, 2, FLAG_ID | 2 << 12},
    };

    for (unsigned i = 0; i < array_len(cases); i++) {
        struct board *b = board_new();
        unsigned cs = cases[i].cs;

        board_level(b, (uint16_t)cs,
                    cs == CODE0 ? DATA0 : cs == CODE1 ? DATA1 : DATA3);
        cpu_set_eflags(&b->cpu, cases[i].iopl << 12);
        POKE_STACK(b, 4, HANDLER, cs, ALL);
        ck_assert_int_eq(plain(b, op_iret, 4), DONE);
        ck_assert_uint_eq(cpu_eflags(&b->cpu), cases[i].set | FLAG_1);
        board_free(b);
    }
}
END_TEST

START_TEST(sixteen_bit_iret_keeps_the_upper_flags)
{
    struct board *b = board_new();

    cpu_set_eflags(&b->cpu, FLAG_ID);
    POKE_STACK(b, 2, 0x1234, CODE0, FLAG_CF | FLAG_IF);
    ck_assert_int_eq(plain(b, op_iret, 2), DONE);
    ck_assert_uint_eq(cpu_eflags(&b->cpu),
                      FLAG_ID | FLAG_CF | FLAG_IF | FLAG_1);
    ck_assert_uint_eq(b->cpu.rip, 0x1234);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK + 6);
    board_free(b);
}
END_TEST

START_TEST(iret_to_a_16_bit_stack_keeps_the_upper_half_of_esp)
{
    struct board *b = board_new();

    board_gdt(b, DATA16, 0, 0xffff, A_DATA | A_DPL3);
    POKE_STACK(b, 4, HANDLER, CODE3, FLAG_1, 0x7778, DATA16 | 3);
    ck_assert_int_eq(plain(b, op_iret, 4), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], (STACK & 0xffff0000) | 0x7778);
    board_free(b);
}
END_TEST

START_TEST(iret_enters_v86_mode_from_level_0)
{
    struct board *b = board_new();

    POKE_STACK(b, 4, 0x123, 0x1000, FLAG_VM | FLAG_1 | FLAG_IOPL, 0x777,
               0x3000, 0x11, 0x22, 0x33, 0x44);
    ck_assert_int_eq(plain(b, op_iret, 4), DONE);
    ck_assert_uint_eq(b->cpu.cpl, 3);
    ck_assert_uint_eq(b->cpu.seg[CS].base, 0x10000);
    ck_assert_uint_eq(b->cpu.seg[CS].limit, 0xffff);
    ck_assert_uint_eq(b->cpu.seg[SS].base, 0x30000);
    ck_assert_uint_eq(b->cpu.seg[ES].sel, 0x11);
    ck_assert_uint_eq(b->cpu.seg[GS].sel, 0x44);
    ck_assert_uint_eq(b->cpu.gpr[RSP], 0x777);
    ck_assert_uint_eq(b->cpu.mode & (MODE_PE | MODE_CODE32), 0);
    board_free(b);
}
END_TEST

START_TEST(v86_iret_needs_iopl_3_or_vme)
{
    struct board *b = board_new();

    board_v86(b, 0);
    POKE_STACK(b, 2, 0x55, 0x2000, FLAG_IF);
    ck_assert_int_eq(plain(b, op_iret, 2), EXC_GP);
    control_set_cr4(&b->cpu, CR4_VME);
    ck_assert_int_eq(plain(b, op_iret, 4), EXC_GP);
    b->cpu.eflags &= ~(uint32_t)FLAG_IF;
    ck_assert_int_eq(plain(b, op_iret, 2), DONE);
    ck_assert_uint_eq(b->cpu.eflags & (FLAG_VIF | FLAG_IF), FLAG_VIF);
    b->cpu.eflags |= FLAG_VIP;
    POKE_STACK(b, 2, 0x55, 0x2000, FLAG_IF);
    ck_assert_int_eq(plain(b, op_iret, 2), EXC_GP);
    board_free(b);
}
END_TEST

START_TEST(iret_of_64_bit_code_always_pops_the_stack)
{
    struct board *b = board_new();

    board_long(b);
    POKE_STACK(b, 8, HANDLER, CODE64_SEL, FLAG_1, 0x5000, 0);
    ck_assert_int_eq(plain(b, op_iret, 8), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], 0x5000);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, 0);
    POKE_STACK(b, 8, HANDLER, CODE3, FLAG_1, 0x6000, DATA3);
    ck_assert_int_eq(plain(b, op_iret, 8), DONE);
    ck_assert(!cpu_code64(&b->cpu)); /* compatibility mode */
    ck_assert_uint_eq(b->cpu.cpl, 3);
    board_free(b);
}
END_TEST

START_TEST(long_mode_iret_faults)
{
    struct board *b = board_new();

    board_long(b);
    POKE_STACK(b, 8, (uint64_t)1 << 60, CODE64_SEL, FLAG_1, 0x5000, 0);
    ck_assert_int_eq(plain(b, op_iret, 8), EXC_GP);
    ck_assert_uint_eq(board_error(b), 0);
    POKE_STACK(b, 8, HANDLER, CODE3, FLAG_1, 0x5000, 0); /* null for level 3 */
    ck_assert_int_eq(plain(b, op_iret, 8), EXC_GP);
    b->cpu.eflags |= FLAG_NT;
    ck_assert_int_eq(plain(b, op_iret, 8), EXC_GP);
    board_free(b);
}
END_TEST

/* --- SYSCALL and SYSENTER --- */

static struct board *syscall_board(void)
{
    struct board *b = board_new();

    board_long(b);
    b->cpu.msr.star = (uint64_t)0x0023 << 48 | (uint64_t)0x0008 << 32;
    b->cpu.msr.lstar = HANDLER;
    b->cpu.msr.fmask = FLAG_IF | FLAG_DF;
    return b;
}

START_TEST(syscall_and_sysret_are_a_round_trip)
{
    struct board *b = syscall_board();
    uint32_t flags = FLAG_1 | FLAG_IF | FLAG_DF | FLAG_CF;

    b->cpu.cpl = 3;
    cpu_set_eflags(&b->cpu, flags);
    cpu_update_mode(&b->cpu);
    ck_assert_int_eq(plain(b, op_syscall, 4), DONE);
    ck_assert_uint_eq(b->cpu.rip, HANDLER);
    ck_assert_uint_eq(b->cpu.gpr[RCX], CODE + 2);
    ck_assert_uint_eq(b->cpu.gpr[R11], flags);
    ck_assert_uint_eq(cpu_eflags(&b->cpu), FLAG_1 | FLAG_CF);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, 8);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, 16);
    ck_assert_uint_eq(b->cpu.cpl, 0);
    ck_assert_int_eq(plain(b, op_sysret, 8), DONE);
    ck_assert_uint_eq(b->cpu.rip, CODE + 2);
    ck_assert_uint_eq(cpu_eflags(&b->cpu), flags);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, 0x33);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, 0x2b);
    ck_assert_uint_eq(b->cpu.cpl, 3);
    ck_assert(cpu_code64(&b->cpu));
    board_free(b);
}
END_TEST

START_TEST(sysret_to_32_bit_code_is_compatibility_mode)
{
    struct board *b = syscall_board();

    b->cpu.gpr[RCX] = 0x123456789;
    ck_assert_int_eq(plain(b, op_sysret, 4), DONE);
    ck_assert_uint_eq(b->cpu.rip, 0x23456789);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, 0x23);
    ck_assert_uint_eq(b->cpu.mode & (MODE_CODE64 | MODE_CODE32), MODE_CODE32);
    board_free(b);
}
END_TEST

START_TEST(syscall_and_sysret_fault)
{
    struct board *b = syscall_board();

    b->cpu.gpr[RCX] = (uint64_t)1 << 60;
    ck_assert_int_eq(plain(b, op_sysret, 8), EXC_GP);
    b->cpu.cpl = 3;
    ck_assert_int_eq(plain(b, op_sysret, 8), EXC_GP);
    b->cpu.efer &= ~(uint64_t)EFER_SCE;
    ck_assert_int_eq(plain(b, op_syscall, 4), EXC_UD);
    board_free(b);
}
END_TEST

START_TEST(syscall_outside_64_bit_mode_depends_on_the_vendor)
{
    struct board *b = syscall_board();

    b->cpu.msr.cstar = HANDLER + 0x100;
    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(plain(b, op_syscall, 4), EXC_UD); /* Intel */
    b->cpu.model = cpu_model_find("x86-64");
    ck_assert_int_eq(plain(b, op_syscall, 4), DONE);
    ck_assert_uint_eq(b->cpu.rip, HANDLER + 0x100);
    ck_assert(cpu_code64(&b->cpu));
    ck_assert_int_eq(plain(b, op_sysenter, 4), EXC_UD); /* AMD, long mode */
    board_free(b);
}
END_TEST

START_TEST(sysenter_and_sysexit_in_32_bit_mode)
{
    struct board *b = board_new();

    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(plain(b, op_sysenter, 4), EXC_GP); /* CS MSR is 0 */
    b->cpu.msr.sysenter_cs = 8;
    b->cpu.msr.sysenter_esp = STACK0;
    b->cpu.msr.sysenter_eip = HANDLER;
    cpu_set_eflags(&b->cpu, FLAG_IF);
    ck_assert_int_eq(plain(b, op_sysenter, 4), DONE);
    ck_assert_uint_eq(b->cpu.rip, HANDLER);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK0);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, 16);
    ck_assert_uint_eq(b->cpu.eflags & FLAG_IF, 0);
    b->cpu.gpr[RCX] = STACK;
    b->cpu.gpr[RDX] = CODE;
    ck_assert_int_eq(plain(b, op_sysexit, 4), DONE);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, 0x1b);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, 0x23);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK);
    ck_assert_int_eq(plain(b, op_sysexit, 4), EXC_GP); /* CPL 3 */
    board_free(b);
}
END_TEST

START_TEST(sysenter_from_compatibility_mode_enters_64_bit_code)
{
    struct board *b = syscall_board();

    board_level(b, CODE3, DATA3);
    b->cpu.msr.sysenter_cs = 8;
    b->cpu.msr.sysenter_esp = 0xffffffff80000000;
    b->cpu.msr.sysenter_eip = 0xffffffff81000000;
    ck_assert_int_eq(plain(b, op_sysenter, 4), DONE);
    ck_assert(cpu_code64(&b->cpu));
    ck_assert_uint_eq(b->cpu.rip, 0xffffffff81000000);
    ck_assert_int_eq(plain(b, op_sysexit, 8), DONE);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, 0x2b);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, 0x33);
    board_free(b);
}
END_TEST

SUITE("transfers", far_jump_checks_type_privilege_and_presence,
      jump_beyond_the_limit_is_gp_0,
      far_call_pushes_cs_and_the_next_instruction,
      far_call_without_room_changes_nothing,
      far_jump_through_memory_reads_offset_then_selector,
      jump_into_64_bit_code_changes_the_mode,
      real_mode_transfers_load_cs_times_16,
      call_gate_switches_stacks_and_copies_parameters,
      return_from_a_call_gate_releases_parameters_on_both_stacks,
      sixteen_bit_call_gate_works_in_words,
      gate_refuses_outer_callers_and_bad_targets,
      bad_inner_stack_of_a_call_is_ts_without_ext,
      long_mode_gate_has_16_bytes_and_no_parameters,
      far_return_refuses_to_go_inward,
      outward_return_checks_the_stack_segment,
      outward_return_drops_privileged_data_segments,
      iret_changes_flags_as_far_as_the_level_may,
      sixteen_bit_iret_keeps_the_upper_flags,
      iret_to_a_16_bit_stack_keeps_the_upper_half_of_esp,
      iret_enters_v86_mode_from_level_0, v86_iret_needs_iopl_3_or_vme,
      iret_of_64_bit_code_always_pops_the_stack, long_mode_iret_faults,
      syscall_and_sysret_are_a_round_trip,
      sysret_to_32_bit_code_is_compatibility_mode, syscall_and_sysret_fault,
      syscall_outside_64_bit_mode_depends_on_the_vendor,
      sysenter_and_sysexit_in_32_bit_mode,
      sysenter_from_compatibility_mode_enters_64_bit_code)
