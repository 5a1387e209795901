/* Delivery of interrupts and exceptions: SDM vol. 3, chapter 6 and 20.3; vol.
 * 2, INT n. */

#include "tests/unit/cpu/system_board.h"

#define U(x) ((uint64_t)(x))

static int soft_int(struct board *b, unsigned vector)
{
    struct insn in = board_insn(4);

    in.op[0] = (struct operand){OPND_IMM, 0, 1, ACC_R};
    in.imm = vector;
    return board_run(b, op_int, &in);
}

/* An INTR with this vector, acknowledged by the board. */
static int ack_33(void *owner)
{
    (void)owner;
    return 33;
}

static int external(struct board *b)
{
    enum stop_reason reason;

    b->cpu.bus.intr_ack = ack_33;
    cpu_set_intr(&b->cpu, 0, true);
    if (setjmp(b->unwind))
        return b->cpu.exc.vector;
    ck_assert(!cpu_service(&b->cpu, &reason));
    return DONE;
}

/* --- real mode --- */

static void real_mode(struct board *b)
{
    control_set_cr0(&b->cpu, CR0_ET);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        b->cpu.seg[i].attr &= ~(uint32_t)ATTR_DB;
        b->cpu.seg[i].limit = 0xffff;
        segment_set_real(&b->cpu, i, 0x3000);
    }
    b->cpu.idtr = (struct table_reg){0, 0x3ff};
    b->cpu.rip = 0x100;
    b->cpu.gpr[RSP] = 0x1000;
    cpu_update_mode(&b->cpu);
    store32(board_at(b, 0x21 * 4), 0x20000123); /* 2000:0123 */
}

START_TEST(real_mode_pushes_three_words_through_the_vector_table)
{
    struct board *b = board_new();

    real_mode(b);
    cpu_set_eflags(&b->cpu, FLAG_IF | FLAG_TF | FLAG_CF);
    ck_assert_int_eq(soft_int(b, 0x21), DONE);
    ck_assert_uint_eq(b->cpu.seg[CS].base, 0x20000);
    ck_assert_uint_eq(b->cpu.rip, 0x123);
    ck_assert_uint_eq(b->cpu.gpr[RSP], 0x1000 - 6);
    ck_assert_uint_eq(board_item(b, 0x30ffa, 0, 2), 0x102);
    ck_assert_uint_eq(board_item(b, 0x30ffa, 1, 2), 0x3000);
    ck_assert_uint_eq(board_item(b, 0x30ffa, 2, 2), 0x303);
    ck_assert_uint_eq(cpu_eflags(&b->cpu) & (FLAG_IF | FLAG_TF), 0);
    board_free(b);
}
END_TEST

START_TEST(real_mode_stack_may_wrap_between_words_not_inside_one)
{
    struct board *b = board_new();

    real_mode(b);
    b->cpu.gpr[RSP] = 2;
    ck_assert_int_eq(soft_int(b, 0x21), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], 0xfffc);
    ck_assert_uint_eq(board_item(b, 0x3fffc, 1, 2), 0x3000);
    real_mode(b);
    b->cpu.gpr[RSP] = 1;
    ck_assert_int_eq(soft_int(b, 0x21), EXC_SS);
    board_free(b);
}
END_TEST

START_TEST(real_mode_vector_beyond_the_table_is_gp)
{
    struct board *b = board_new();

    real_mode(b);
    b->cpu.idtr.limit = 0x21 * 4 + 2;
    ck_assert_int_eq(soft_int(b, 0x21), EXC_GP);
    board_free(b);
}
END_TEST

/* --- protected mode, same level --- */

START_TEST(same_level_exception_pushes_error_code_and_sets_rf)
{
    struct board *b = board_new();

    cpu_set_eflags(&b->cpu, FLAG_IF | FLAG_NT | FLAG_TF);
    ck_assert_int_eq(board_raise(b, EXC_GP, 0x55), DONE);
    ck_assert_uint_eq(b->cpu.rip, HANDLER + EXC_GP * 16);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK - 16);
    ck_assert_uint_eq(board_item(b, STACK - 16, 0, 4), 0x55);
    ck_assert_uint_eq(board_item(b, STACK - 16, 1, 4), CODE);
    ck_assert_uint_eq(board_item(b, STACK - 16, 2, 4), CODE0);
    ck_assert_uint_eq(board_item(b, STACK - 16, 3, 4),
                      FLAG_1 | FLAG_IF | FLAG_NT | FLAG_TF | FLAG_RF);
    ck_assert_uint_eq(cpu_eflags(&b->cpu), FLAG_1);
    board_free(b);
}
END_TEST

START_TEST(trap_gate_leaves_if_interrupt_gate_clears_it)
{
    struct board *b = board_new();

    board_idt(b, 0x30, CODE0, SYS_TRAP32);
    cpu_set_eflags(&b->cpu, FLAG_IF);
    ck_assert_int_eq(soft_int(b, 0x30), DONE);
    ck_assert(b->cpu.eflags & FLAG_IF);
    ck_assert_int_eq(soft_int(b, 0x31), DONE);
    ck_assert(!(b->cpu.eflags & FLAG_IF));
    board_free(b);
}
END_TEST

START_TEST(sixteen_bit_gate_pushes_words)
{
    struct board *b = board_new();

    board_idt(b, EXC_GP, CODE0, SYS_INTR16);
    ck_assert_int_eq(board_raise(b, EXC_GP, 0x55), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK - 8);
    ck_assert_uint_eq(board_item(b, STACK - 8, 0, 2), 0x55);
    ck_assert_uint_eq(b->cpu.rip, (HANDLER + EXC_GP * 16) & 0xffff);
    board_free(b);
}
END_TEST

START_TEST(sixteen_bit_stack_moves_sp_only)
{
    struct board *b = board_new();

    board_set(b, SS, DATA16);
    b->cpu.gpr[RSP] = 0x12348000;
    cpu_update_mode(&b->cpu);
    ck_assert_int_eq(soft_int(b, 0x30), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], 0x12347ff4);
    board_free(b);
}
END_TEST

/* --- privilege --- */

START_TEST(inner_level_takes_its_stack_from_the_tss)
{
    struct board *b = board_new();

    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(board_raise(b, EXC_PF, 4), DONE);
    ck_assert_uint_eq(b->cpu.cpl, 0);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, CODE0);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, DATA0);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK0 - 24);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 0, 4), 4);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 1, 4), CODE);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 2, 4), CODE3);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 4, 4), STACK);
    ck_assert_uint_eq(board_item(b, STACK0 - 24, 5, 4), DATA3);
    board_free(b);
}
END_TEST

START_TEST(conforming_handler_runs_at_the_level_of_the_program)
{
    struct board *b = board_new();

    board_idt(b, EXC_GP, CONFORMING, SYS_INTR32);
    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(board_raise(b, EXC_GP, 0), DONE);
    ck_assert_uint_eq(b->cpu.cpl, 3);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, CONFORMING | 3);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK - 16);
    board_free(b);
}
END_TEST

START_TEST(software_interrupt_needs_the_gates_dpl)
{
    struct board *b = board_new();

    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(soft_int(b, 0x30), EXC_GP);
    ck_assert_uint_eq(board_error(b), 0x30 * 8 + 2); /* IDT, no EXT */
    board_idt(b, 0x30, CODE0, SYS_INTR32 | A_DPL3);
    ck_assert_int_eq(soft_int(b, 0x30), DONE);
    ck_assert_uint_eq(board_item(b, STACK0 - 20, 0, 4), CODE + 2);
    board_free(b);
}
END_TEST

START_TEST(int3_and_into_check_dpl_int1_does_not)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);

    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(board_run(b, op_int3, &in), EXC_GP);
    ck_assert_uint_eq(board_error(b), EXC_BP * 8 + 2);
    ck_assert_int_eq(board_run(b, op_into, &in), DONE); /* OF is clear */
    ck_assert_uint_eq(b->cpu.cpl, 3);
    cpu_set_eflags(&b->cpu, FLAG_OF);
    ck_assert_int_eq(board_run(b, op_into, &in), EXC_GP);
    ck_assert_int_eq(board_run(b, op_int1, &in), DONE);
    ck_assert_uint_eq(b->cpu.rip, HANDLER + EXC_DB * 16);
    board_free(b);
}
END_TEST

/* --- faults of delivery; each leaves everything as it was --- */

struct fault_case {
    const char *what;
    uint16_t handler;   /* selector in the gate */
    uint32_t gate;      /* attributes but P */
    uint16_t ss0;       /* in the TSS */
    int fault;
    uint32_t error;     /* EXT comes on top */
};

static void check_fault(const struct fault_case *c)
{
    struct board *b = board_new();

    store64(board_at(b, IDT + 8 * 33),
            board_gate(c->handler, HANDLER, 0, c->gate));
    store16(board_at(b, TSS + 8), c->ss0);
    board_level(b, CODE3, DATA3);
    cpu_set_eflags(&b->cpu, FLAG_IF);
    ck_assert_msg(external(b) == c->fault, "%s", c->what);
    ck_assert_msg(board_error(b) == (c->error | 1), "%s: error %x", c->what,
                  board_error(b));
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK);
    ck_assert_uint_eq(b->cpu.rip, CODE);
    ck_assert_uint_eq(b->cpu.cpl, 3);
    ck_assert(b->cpu.eflags & FLAG_IF);
    board_free(b);
}

START_TEST(bad_gates_handlers_and_stacks_fault_with_ext)
{
    enum { P = ATTR_P, G = ATTR_P | SYS_INTR32, IDT33 = 33 * 8 + 2 };
    static const struct fault_case cases[] = {
        {"not a gate", CODE0, P | SYS_CALL32, DATA0, EXC_GP, IDT33},
        {"code descriptor", CODE0, A_CODE, DATA0, EXC_GP, IDT33},
        {"absent gate", CODE0, SYS_INTR32, DATA0, EXC_NP, IDT33},
        {"null handler", 0, G, DATA0, EXC_GP, 0},
        {"handler outside", GDT_LIMIT + 1, G, DATA0, EXC_GP, GDT_LIMIT + 1},
        {"data as handler", DATA0, G, DATA0, EXC_GP, DATA0},
        {"null stack", CODE0, G, 0, EXC_TS, 0},
        {"stack of another level", CODE0, G, DATA3, EXC_TS, DATA3 & ~3},
        {"stack with wrong RPL", CODE0, G, DATA0 | 1, EXC_TS, DATA0},
        {"read-only stack", CODE0, G, READ_ONLY, EXC_TS, READ_ONLY},
        {"absent stack", CODE0, G, ABSENT, EXC_SS, ABSENT},
        {"stack outside", CODE0, G, GDT_LIMIT + 1, EXC_TS, GDT_LIMIT + 1},
        {"task gate to a data segment", DATA0, P | SYS_TASK_GATE, DATA0,
         EXC_GP, DATA0},
        {"task gate to a busy TSS", TSS_SEL, P | SYS_TASK_GATE, DATA0, EXC_GP,
         TSS_SEL},
    };

    for (unsigned i = 0; i < array_len(cases); i++)
        check_fault(&cases[i]);
}
END_TEST

START_TEST(handler_less_privileged_than_the_program_is_gp)
{
    struct board *b = board_new();

    board_idt(b, EXC_UD, CODE3, SYS_INTR32);
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_GP);
    ck_assert_uint_eq(board_error(b), (CODE3 & 0xfffc) | 1);
    board_free(b);
}
END_TEST

START_TEST(absent_handler_is_np_and_offset_beyond_limit_is_gp)
{
    struct board *b = board_new();

    board_gdt(b, 0xa0, 0, 0xfffff, A_CODE & ~ATTR_P);
    board_idt(b, EXC_UD, 0xa0, SYS_INTR32);
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_NP);
    ck_assert_uint_eq(board_error(b), 0xa1);
    b->cpu.delivering = -1;
    board_gdt(b, 0xa0, 0, 0xfff, A_CODE);
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_GP);
    ck_assert_uint_eq(board_error(b), 1);
    board_free(b);
}
END_TEST

START_TEST(no_room_on_the_stack_is_ss)
{
    struct board *b = board_new();

    b->cpu.seg[SS].limit = 0xfff;
    b->cpu.gpr[RSP] = 8;
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_SS);
    ck_assert_uint_eq(board_error(b), 1);
    ck_assert_uint_eq(b->cpu.gpr[RSP], 8);
    board_free(b);
}
END_TEST

START_TEST(no_room_on_the_inner_stack_names_it)
{
    struct board *b = board_new();

    board_gdt(b, 0xa0, 0, 0xf, A_DATA | ATTR_DB);
    store16(board_at(b, TSS + 8), 0xa0);
    store32(board_at(b, TSS + 4), 16);
    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_SS);
    ck_assert_uint_eq(board_error(b), 0xa1);
    board_free(b);
}
END_TEST

START_TEST(short_tss_is_ts)
{
    struct board *b = board_new();

    b->cpu.tr.limit = 8;
    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_TS);
    ck_assert_uint_eq(board_error(b), TSS_SEL | 1);
    board_free(b);
}
END_TEST

/* --- double and triple faults --- */

START_TEST(contributory_faults_make_a_double_fault)
{
    struct board *b = board_new();

    memset(board_at(b, IDT + 8 * EXC_GP), 0, 8); /* #GP -> #NP */
    ck_assert_int_eq(board_raise(b, EXC_GP, 0), EXC_GP);
    ck_assert_int_eq(board_deliver(b), DONE);
    ck_assert_uint_eq(b->cpu.rip, HANDLER + EXC_DF * 16);
    ck_assert_uint_eq(board_item(b, STACK - 16, 0, 4), 0);
    ck_assert_int_eq(b->cpu.delivering, -1);
    board_free(b);
}
END_TEST

START_TEST(fault_after_a_benign_exception_is_delivered_itself)
{
    struct board *b = board_new();

    memset(board_at(b, IDT + 8 * EXC_UD), 0, 8);
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_GP);
    ck_assert_int_eq(board_deliver(b), DONE);
    ck_assert_uint_eq(b->cpu.rip, HANDLER + EXC_GP * 16);
    ck_assert_uint_eq(board_item(b, STACK - 16, 0, 4), EXC_UD * 8 + 3);
    board_free(b);
}
END_TEST

START_TEST(fault_of_the_double_fault_shuts_down)
{
    struct board *b = board_new();
    enum stop_reason reason;

    memset(board_at(b, IDT), 0, 0x800);
    ck_assert_int_eq(board_raise(b, EXC_GP, 0), EXC_GP);
    ck_assert_int_eq(board_deliver(b), EXC_GP);
    ck_assert_int_eq(board_deliver(b), DONE);
    ck_assert(b->cpu.shutdown);
    ck_assert(cpu_service(&b->cpu, &reason));
    ck_assert_int_eq(reason, STOP_SHUTDOWN);
    board_free(b);
}
END_TEST

/* --- INTR, NMI, HLT --- */

START_TEST(interrupt_waits_for_if_and_wakes_hlt)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);
    enum stop_reason reason;

    b->cpu.bus.intr_ack = ack_33;
    ck_assert_int_eq(board_run(b, op_hlt, &in), DONE);
    cpu_set_intr(&b->cpu, 0, true);
    ck_assert(cpu_service(&b->cpu, &reason));
    ck_assert_int_eq(reason, STOP_HALT);
    cpu_set_eflags(&b->cpu, FLAG_IF);
    ck_assert(!cpu_service(&b->cpu, &reason));
    ck_assert(!b->cpu.halted);
    ck_assert_uint_eq(b->cpu.rip, HANDLER + 33 * 16);
    board_free(b);
}
END_TEST

START_TEST(sti_holds_interrupts_until_the_next_instruction_is_done)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);
    enum stop_reason reason;

    b->cpu.bus.intr_ack = ack_33;
    cpu_set_intr(&b->cpu, 0, true);
    ck_assert_int_eq(board_run(b, op_sti, &in), DONE);
    ck_assert_uint_eq(b->cpu.stop, CPU_STOP_INTR);
    ck_assert(!cpu_service(&b->cpu, &reason));
    ck_assert_uint_eq(b->cpu.rip, CODE + 2);
    ck_assert_int_eq(board_run(b, op_hlt, &in), DONE);
    ck_assert(!cpu_service(&b->cpu, &reason));
    ck_assert_uint_eq(b->cpu.rip, HANDLER + 33 * 16);
    board_free(b);
}
END_TEST

START_TEST(nmi_is_masked_until_iret)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);
    enum stop_reason reason;

    cpu_set_nmi(&b->cpu, 0, true);
    ck_assert(!cpu_service(&b->cpu, &reason));
    ck_assert_uint_eq(b->cpu.rip, HANDLER + EXC_NMI * 16);
    cpu_set_nmi(&b->cpu, 0, true);
    ck_assert_uint_eq(b->cpu.stop, 0);
    ck_assert_int_eq(board_run(b, op_iret, &in), DONE);
    ck_assert_uint_eq(b->cpu.rip, CODE);
    ck_assert_uint_eq(b->cpu.stop, CPU_STOP_NMI);
    board_free(b);
}
END_TEST

/* --- long mode --- */

START_TEST(long_mode_pushes_ss_rsp_on_an_aligned_stack)
{
    struct board *b = board_new();

    board_long(b);
    b->cpu.gpr[RSP] = STACK + 5;
    ck_assert_int_eq(board_raise(b, EXC_GP, 7), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK - 48);
    ck_assert_uint_eq(board_item(b, STACK - 48, 0, 8), 7);
    ck_assert_uint_eq(board_item(b, STACK - 48, 1, 8), CODE);
    ck_assert_uint_eq(board_item(b, STACK - 48, 4, 8), STACK + 5);
    ck_assert_uint_eq(board_item(b, STACK - 48, 5, 8), DATA0);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, DATA0);
    board_free(b);
}
END_TEST

START_TEST(long_mode_inner_level_has_a_null_stack_segment)
{
    struct board *b = board_new();

    board_long(b);
    board_level(b, CODE3, DATA3); /* compatibility mode */
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), DONE);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, 0);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK0 - 40);
    ck_assert(cpu_code64(&b->cpu));
    ck_assert_uint_eq(board_item(b, STACK0 - 40, 1, 8), CODE3);
    board_free(b);
}
END_TEST

START_TEST(ist_replaces_the_stack_at_any_level)
{
    struct board *b = board_new();

    board_long(b);
    store64(board_at(b, IDT + 16 * EXC_DF),
            board_gate(CODE64_SEL, HANDLER, 1, ATTR_P | SYS_INTR32));
    ck_assert_int_eq(board_raise(b, EXC_DF, 0), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK0 + 0x1000 - 48);
    ck_assert_uint_eq(b->cpu.seg[SS].sel, DATA0);
    board_free(b);
}
END_TEST

START_TEST(long_mode_takes_no_other_gates_and_only_64_bit_code)
{
    struct board *b = board_new();

    board_long(b);
    board_idt(b, EXC_UD, CODE64_SEL, SYS_INTR16);
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_GP);
    ck_assert_uint_eq(board_error(b), EXC_UD * 8 + 3);
    b->cpu.delivering = -1;
    board_idt(b, EXC_UD, CODE0, SYS_INTR32);
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_GP);
    ck_assert_uint_eq(board_error(b), CODE0 | 1);
    board_free(b);
}
END_TEST

START_TEST(handler_or_stack_that_is_not_canonical_faults)
{
    struct board *b = board_new();

    board_long(b);
    store64(board_at(b, IDT + 16 * EXC_UD + 8), 0x8000);
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_GP);
    ck_assert_uint_eq(board_error(b), 1);
    b->cpu.delivering = -1;
    b->cpu.gpr[RSP] = U(1) << 60;
    ck_assert_int_eq(board_raise(b, EXC_DB, -1), EXC_SS);
    ck_assert_uint_eq(board_error(b), 1);
    board_free(b);
}
END_TEST

START_TEST(page_fault_on_the_stack_changes_nothing)
{
    struct board *b = board_new();

    board_long(b);
    b->cpu.gpr[RSP] = 0x40000010; /* the frame would cross into nothing */
    ck_assert_int_eq(board_raise(b, EXC_UD, -1), EXC_PF);
    ck_assert_uint_eq(b->cpu.gpr[RSP], 0x40000010);
    ck_assert_uint_eq(b->cpu.rip, CODE);
    ck_assert_uint_eq(board_error(b), PF_W);
    board_free(b);
}
END_TEST

/* --- virtual-8086 mode --- */

START_TEST(v86_exception_saves_all_segments_and_clears_them)
{
    struct board *b = board_new();

    board_v86(b, 0);
    ck_assert_int_eq(board_raise(b, EXC_GP, 0), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], STACK0 - 40);
    ck_assert_uint_eq(board_item(b, STACK0 - 40, 1, 4), 0);
    ck_assert_uint_eq(board_item(b, STACK0 - 40, 2, 4), CODE >> 4);
    ck_assert_uint_eq(board_item(b, STACK0 - 40, 3, 4),
                      FLAG_1 | FLAG_VM | FLAG_IF | FLAG_RF);
    ck_assert_uint_eq(board_item(b, STACK0 - 40, 5, 4), STACK >> 4);
    ck_assert_uint_eq(board_item(b, STACK0 - 40, 9, 4), 0x4000);
    ck_assert_uint_eq(b->cpu.seg[DS].sel | b->cpu.seg[GS].sel, 0);
    ck_assert_uint_eq(b->cpu.eflags & FLAG_VM, 0);
    ck_assert_uint_eq(b->cpu.cpl, 0);
    board_free(b);
}
END_TEST

START_TEST(v86_handler_must_be_at_level_0)
{
    struct board *b = board_new();

    board_idt(b, EXC_GP, CODE1, SYS_INTR32);
    board_v86(b, 0);
    ck_assert_int_eq(board_raise(b, EXC_GP, 0), EXC_GP);
    ck_assert_uint_eq(board_error(b), (CODE1 & 0xfffc) | 1);
    board_free(b);
}
END_TEST

START_TEST(v86_int_n_depends_on_iopl)
{
    struct board *b = board_new();

    board_idt(b, 0x21, CODE0, SYS_INTR32 | A_DPL3);
    board_v86(b, 0);
    ck_assert_int_eq(soft_int(b, 0x21), EXC_GP);
    ck_assert_uint_eq(board_error(b), 0);
    board_v86(b, 3);
    ck_assert_int_eq(soft_int(b, 0x21), DONE);
    ck_assert_uint_eq(b->cpu.rip, HANDLER + 0x21 * 16);
    board_free(b);
}
END_TEST

/* VME with a map whose bit for vector is `bit`. */
static struct board *vme_board(unsigned iopl, unsigned vector, bool bit)
{
    struct board *b = board_new();

    ck_assert(control_set_cr4(&b->cpu, CR4_VME));
    b->cpu.tr.limit = 0x67 + 64;
    store16(board_at(b, TSS + 102), 0x68 + 32);
    *board_at(b, TSS + 0x68 + vector / 8) =
        (uint8_t)(bit ? 1 << vector % 8 : 0);
    store32(board_at(b, vector * 4u), 0x20000123);
    board_idt(b, vector, CODE0, SYS_INTR32 | A_DPL3);
    board_v86(b, iopl);
    return b;
}

START_TEST(vme_redirects_int_n_to_the_programs_own_table)
{
    struct board *b = vme_board(0, 0x21, false);

    b->cpu.eflags |= FLAG_VIF;
    ck_assert_int_eq(soft_int(b, 0x21), DONE);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, 0x2000);
    ck_assert_uint_eq(b->cpu.rip, 0x123);
    ck_assert_uint_eq(b->cpu.gpr[RSP], 0x1000 - 6);
    /* VIF shows as IF, and IOPL as 3. */
    ck_assert_uint_eq(board_item(b, STACK + 0xffa, 2, 2),
                      FLAG_1 | FLAG_IF | FLAG_IOPL);
    ck_assert_uint_eq(b->cpu.eflags & (FLAG_VIF | FLAG_IF), FLAG_IF);
    board_free(b);
}
END_TEST

START_TEST(vme_with_iopl_3_clears_the_real_if)
{
    struct board *b = vme_board(3, 0x21, false);

    ck_assert_int_eq(soft_int(b, 0x21), DONE);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, 0x2000);
    ck_assert_uint_eq(b->cpu.eflags & FLAG_IF, 0);
    board_free(b);
}
END_TEST

START_TEST(vme_map_bit_set_means_as_without_vme)
{
    struct board *b = vme_board(0, 0x21, true);

    ck_assert_int_eq(soft_int(b, 0x21), EXC_GP);
    board_free(b);
    b = vme_board(3, 0x21, true);
    ck_assert_int_eq(soft_int(b, 0x21), DONE);
    ck_assert_uint_eq(b->cpu.cpl, 0);
    board_free(b);
}
END_TEST

SUITE("delivery", real_mode_pushes_three_words_through_the_vector_table,
      real_mode_stack_may_wrap_between_words_not_inside_one,
      real_mode_vector_beyond_the_table_is_gp,
      same_level_exception_pushes_error_code_and_sets_rf,
      trap_gate_leaves_if_interrupt_gate_clears_it,
      sixteen_bit_gate_pushes_words, sixteen_bit_stack_moves_sp_only,
      inner_level_takes_its_stack_from_the_tss,
      conforming_handler_runs_at_the_level_of_the_program,
      software_interrupt_needs_the_gates_dpl,
      int3_and_into_check_dpl_int1_does_not,
      bad_gates_handlers_and_stacks_fault_with_ext,
      handler_less_privileged_than_the_program_is_gp,
      absent_handler_is_np_and_offset_beyond_limit_is_gp,
      no_room_on_the_stack_is_ss, no_room_on_the_inner_stack_names_it,
      short_tss_is_ts, contributory_faults_make_a_double_fault,
      fault_after_a_benign_exception_is_delivered_itself,
      fault_of_the_double_fault_shuts_down,
      interrupt_waits_for_if_and_wakes_hlt,
      sti_holds_interrupts_until_the_next_instruction_is_done,
      nmi_is_masked_until_iret, long_mode_pushes_ss_rsp_on_an_aligned_stack,
      long_mode_inner_level_has_a_null_stack_segment,
      ist_replaces_the_stack_at_any_level,
      long_mode_takes_no_other_gates_and_only_64_bit_code,
      handler_or_stack_that_is_not_canonical_faults,
      page_fault_on_the_stack_changes_nothing,
      v86_exception_saves_all_segments_and_clears_them,
      v86_handler_must_be_at_level_0, v86_int_n_depends_on_iopl,
      vme_redirects_int_n_to_the_programs_own_table,
      vme_with_iopl_3_clears_the_real_if, vme_map_bit_set_means_as_without_vme)
