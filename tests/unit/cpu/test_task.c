/* Task switches: SDM vol. 3, chapter 7. */

#include "tests/unit/cpu/system_board.h"

enum { OTHER_CODE = 0x50000, OTHER_STACK = 0x60000 };

/* A 32-bit TSS at TSS_OTHER that is ready to run at level 0. */
static void fill_other(struct board *b)
{
    static const uint16_t seg[] = {DATA0, CODE0, DATA0, DATA0, 0, 0};

    store32(board_at(b, TSS_OTHER + 0x20), OTHER_CODE);
    store32(board_at(b, TSS_OTHER + 0x24), FLAG_1 | FLAG_CF);
    for (unsigned i = 0; i < 8; i++)
        store32(board_at(b, TSS_OTHER + 0x28 + 4 * i), 0x100 + i);
    store32(board_at(b, TSS_OTHER + 0x28 + 4 * RSP), OTHER_STACK);
    for (unsigned i = 0; i < 6; i++)
        store16(board_at(b, TSS_OTHER + 0x48 + 4 * i), seg[i]);
    store16(board_at(b, TSS_OTHER + 0x60), 0); /* LDT */
    store16(board_at(b, TSS_OTHER + 0x64), 0);
}

static struct board *task_board(void)
{
    struct board *b = board_new();

    fill_other(b);
    for (unsigned i = 0; i < 8; i++)
        if (i != RSP)
            b->cpu.gpr[i] = 0x200 + i;
    store64(board_at(b, GDT + TASK_GATE),
            board_gate(OTHER_SEL, 0, 0, ATTR_P | SYS_TASK_GATE | A_DPL3));
    return b;
}

static int far(struct board *b, cpu_op *op, uint16_t sel)
{
    struct insn in = board_insn_far(4, sel, 0x1234);

    return board_run(b, op, &in);
}

static int iret(struct board *b)
{
    struct insn in = board_insn(4);

    return board_run(b, op_iret, &in);
}

START_TEST(jump_saves_the_old_task_and_loads_the_new_one)
{
    struct board *b = task_board();

    cpu_set_eflags(&b->cpu, FLAG_ZF);
    ck_assert_int_eq(far(b, op_jmp_far, OTHER_SEL), DONE);
    ck_assert_uint_eq(load32(board_at(b, TSS + 0x20)), CODE + 7);
    ck_assert_uint_eq(load32(board_at(b, TSS + 0x24)), FLAG_1 | FLAG_ZF);
    ck_assert_uint_eq(load32(board_at(b, TSS + 0x28)), 0x200);
    ck_assert_uint_eq(load32(board_at(b, TSS + 0x38)), STACK);
    ck_assert_uint_eq(load16(board_at(b, TSS + 0x4c)), CODE0);
    ck_assert_uint_eq(b->cpu.rip, OTHER_CODE);
    ck_assert_uint_eq(b->cpu.gpr[RDI], 0x107);
    ck_assert_uint_eq(b->cpu.gpr[RSP], OTHER_STACK);
    ck_assert_uint_eq(cpu_eflags(&b->cpu), FLAG_1 | FLAG_CF);
    ck_assert_uint_eq(b->cpu.seg[FS].attr & ATTR_P, 0);
    ck_assert(b->cpu.cr0 & CR0_TS);
    board_free(b);
}
END_TEST

START_TEST(jump_moves_the_busy_bit)
{
    struct board *b = task_board();

    ck_assert_int_eq(far(b, op_jmp_far, OTHER_SEL), DONE);
    ck_assert_uint_eq(board_attr(b, TSS_SEL), ATTR_P | SYS_TSS32);
    ck_assert_uint_eq(board_attr(b, OTHER_SEL), ATTR_P | SYS_TSS32_BUSY);
    ck_assert_uint_eq(b->cpu.tr.sel, OTHER_SEL);
    ck_assert_uint_eq(b->cpu.tr.attr, ATTR_P | SYS_TSS32_BUSY);
    board_free(b);
}
END_TEST

START_TEST(call_nests_and_iret_comes_back)
{
    struct board *b = task_board();

    ck_assert_int_eq(far(b, op_call_far, OTHER_SEL), DONE);
    ck_assert(b->cpu.eflags & FLAG_NT);
    ck_assert_uint_eq(load16(board_at(b, TSS_OTHER)), TSS_SEL);
    ck_assert_uint_eq(board_attr(b, TSS_SEL), ATTR_P | SYS_TSS32_BUSY);
    b->cpu.gpr[RAX] = 0x999;
    ck_assert_int_eq(iret(b), DONE);
    ck_assert_uint_eq(b->cpu.rip, CODE + 7);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0x200);
    ck_assert_uint_eq(b->cpu.tr.sel, TSS_SEL);
    ck_assert_uint_eq(board_attr(b, OTHER_SEL), ATTR_P | SYS_TSS32);
    ck_assert_uint_eq(load32(board_at(b, TSS_OTHER + 0x28)), 0x999);
    ck_assert_uint_eq(load32(board_at(b, TSS_OTHER + 0x24)) & FLAG_NT, 0);
    board_free(b);
}
END_TEST

START_TEST(task_gate_leads_to_its_tss_from_any_level)
{
    struct board *b = task_board();

    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(far(b, op_call_far, OTHER_SEL), EXC_GP); /* DPL 0 */
    ck_assert_uint_eq(board_error(b), OTHER_SEL);
    ck_assert_int_eq(far(b, op_call_far, TASK_GATE | 3), DONE);
    ck_assert_uint_eq(b->cpu.cpl, 0);
    ck_assert_uint_eq(b->cpu.rip, OTHER_CODE);
    board_free(b);
}
END_TEST

START_TEST(exception_through_a_task_gate_pushes_its_error_there)
{
    struct board *b = task_board();

    store64(board_at(b, IDT + 8 * EXC_TS),
            board_gate(OTHER_SEL, 0, 0, ATTR_P | SYS_TASK_GATE));
    ck_assert_int_eq(board_raise(b, EXC_TS, 0x77), DONE);
    ck_assert_uint_eq(b->cpu.rip, OTHER_CODE);
    ck_assert_uint_eq(b->cpu.gpr[RSP], OTHER_STACK - 4);
    ck_assert_uint_eq(board_item(b, OTHER_STACK - 4, 0, 4), 0x77);
    ck_assert_uint_eq(load32(board_at(b, TSS + 0x20)), CODE); /* a fault */
    ck_assert(b->cpu.eflags & FLAG_NT);
    board_free(b);
}
END_TEST

START_TEST(jump_to_a_busy_or_short_tss_faults_in_the_old_task)
{
    struct board *b = task_board();

    ck_assert_int_eq(far(b, op_jmp_far, TSS_SEL), EXC_GP);
    ck_assert_uint_eq(board_error(b), TSS_SEL);
    board_gdt(b, OTHER_SEL, TSS_OTHER, 0x66, ATTR_P | SYS_TSS32);
    ck_assert_int_eq(far(b, op_jmp_far, OTHER_SEL), EXC_TS);
    ck_assert_uint_eq(board_error(b), OTHER_SEL);
    board_gdt(b, OTHER_SEL, TSS_OTHER, 0x67, SYS_TSS32);
    ck_assert_int_eq(far(b, op_jmp_far, OTHER_SEL), EXC_NP);
    ck_assert_uint_eq(b->cpu.tr.sel, TSS_SEL);
    ck_assert_uint_eq(b->cpu.rip, CODE);
    board_free(b);
}
END_TEST

START_TEST(iret_to_a_tss_that_is_not_busy_is_ts)
{
    struct board *b = task_board();

    b->cpu.eflags |= FLAG_NT;
    store16(board_at(b, TSS), OTHER_SEL);
    ck_assert_int_eq(iret(b), EXC_TS);
    ck_assert_uint_eq(board_error(b), OTHER_SEL);
    store16(board_at(b, TSS), 0);
    ck_assert_int_eq(iret(b), EXC_TS);
    ck_assert_uint_eq(board_error(b), 0);
    board_free(b);
}
END_TEST

/* --- faults of the second half: the new task has them --- */

struct image_case {
    unsigned at;   /* offset in the new TSS */
    uint16_t sel;
    int fault;
    uint32_t error;
};

START_TEST(bad_selectors_fault_in_the_new_task)
{
    static const struct image_case cases[] = {
        {0x60, DATA0, EXC_TS, DATA0},      /* LDT: not one */
        {0x60, LDT_SEL | 4, EXC_TS, LDT_SEL | 4},
        {0x4c, 0, EXC_TS, 0},              /* CS */
        {0x4c, DATA0, EXC_TS, DATA0},
        {0x4c, CODE3 & 0xfffc, EXC_TS, CODE3 & 0xfffc},
        {0x4c, 0xa0, EXC_NP, 0xa0},
        {0x50, 0, EXC_TS, 0},              /* SS */
        {0x50, DATA3, EXC_TS, DATA3 & 0xfffc},
        {0x50, READ_ONLY, EXC_TS, READ_ONLY},
        {0x50, ABSENT, EXC_SS, ABSENT},
        {0x54, EXEC_ONLY, EXC_TS, EXEC_ONLY}, /* DS */
        {0x54, ABSENT, EXC_NP, ABSENT},
        {0x54, GDT_LIMIT + 1, EXC_TS, GDT_LIMIT + 1},
    };

    for (unsigned i = 0; i < array_len(cases); i++) {
        const struct image_case *c = &cases[i];
        struct board *b = task_board();

        board_gdt(b, 0xa0, 0, 0xfffff, (A_CODE & ~ATTR_P) | A_FLAT);
        store16(board_at(b, TSS_OTHER + c->at), c->sel);
        ck_assert_msg(far(b, op_jmp_far, OTHER_SEL) == c->fault,
                      "selector %x at %x", c->sel, c->at);
        ck_assert_uint_eq(board_error(b), c->error);
        ck_assert_uint_eq(b->cpu.tr.sel, OTHER_SEL);
        ck_assert_uint_eq(b->cpu.rip, OTHER_CODE);
        ck_assert_uint_eq(b->cpu.gpr[RSP], OTHER_STACK);
        board_free(b);
    }
}
END_TEST

START_TEST(entry_beyond_the_limit_is_gp_in_the_new_task)
{
    struct board *b = task_board();

    store16(board_at(b, TSS_OTHER + 0x4c), CODE16);
    ck_assert_int_eq(far(b, op_jmp_far, OTHER_SEL), EXC_GP);
    ck_assert_uint_eq(board_error(b), 0);
    ck_assert_uint_eq(b->cpu.tr.sel, OTHER_SEL);
    board_free(b);
}
END_TEST

START_TEST(trap_bit_raises_a_debug_trap_before_the_first_instruction)
{
    struct board *b = task_board();

    store16(board_at(b, TSS_OTHER + 0x64), 1);
    ck_assert_int_eq(far(b, op_jmp_far, OTHER_SEL), DONE);
    ck_assert_uint_eq(b->cpu.pending_db, 1 << 15);
    ck_assert_uint_eq(b->cpu.stop, CPU_STOP_TRAP);
    board_free(b);
}
END_TEST

START_TEST(switch_clears_local_breakpoints)
{
    struct board *b = task_board();

    b->cpu.dr[7] = 0x403 | 0x155;
    ck_assert_int_eq(far(b, op_jmp_far, OTHER_SEL), DONE);
    ck_assert_uint_eq(b->cpu.dr[7], 0x402);
    board_free(b);
}
END_TEST

START_TEST(task_can_be_a_v86_program)
{
    struct board *b = task_board();

    store32(board_at(b, TSS_OTHER + 0x20), 0x123);
    store32(board_at(b, TSS_OTHER + 0x24), FLAG_1 | FLAG_VM);
    for (unsigned i = 0; i < 6; i++)
        store16(board_at(b, TSS_OTHER + 0x48 + 4 * i), 0x2000);
    ck_assert_int_eq(far(b, op_jmp_far, OTHER_SEL), DONE);
    ck_assert_uint_eq(b->cpu.cpl, 3);
    ck_assert_uint_eq(b->cpu.seg[CS].base, 0x20000);
    ck_assert_uint_eq(b->cpu.seg[SS].limit, 0xffff);
    board_free(b);
}
END_TEST

START_TEST(sixteen_bit_tss)
{
    struct board *b = task_board();

    board_gdt(b, OTHER_SEL, TSS_OTHER, 0x2b, ATTR_P | SYS_TSS16);
    memset(board_at(b, TSS_OTHER), 0, 0x68);
    store16(board_at(b, TSS_OTHER + 0x0e), 0x4321);
    store16(board_at(b, TSS_OTHER + 0x10), FLAG_1 | FLAG_CF);
    store16(board_at(b, TSS_OTHER + 0x12), 0x1111); /* AX */
    store16(board_at(b, TSS_OTHER + 0x24), CODE0);
    store16(board_at(b, TSS_OTHER + 0x26), DATA0);
    store16(board_at(b, TSS_OTHER + 0x28), DATA0);
    ck_assert_int_eq(far(b, op_call_far, OTHER_SEL), DONE);
    ck_assert_uint_eq(b->cpu.rip, 0x4321);
    ck_assert_uint_eq(b->cpu.gpr[RAX] & 0xffff, 0x1111);
    ck_assert_uint_eq(b->cpu.seg[FS].sel, 0);
    ck_assert_uint_eq(board_attr(b, OTHER_SEL), ATTR_P | SYS_TSS16_BUSY);
    ck_assert_int_eq(iret(b), DONE);
    ck_assert_uint_eq(b->cpu.rip, CODE + 7);
    ck_assert_uint_eq(load16(board_at(b, TSS_OTHER + 0x12)), 0x1111);
    board_free(b);
}
END_TEST

START_TEST(long_mode_has_no_tasks)
{
    struct board *b = task_board();

    board_long(b);
    board_level(b, CODE0, DATA0);
    ck_assert_int_eq(far(b, op_jmp_far, OTHER_SEL), EXC_GP);
    ck_assert_uint_eq(board_error(b), OTHER_SEL);
    ck_assert_int_eq(far(b, op_jmp_far, TASK_GATE), EXC_GP);
    board_free(b);
}
END_TEST

START_TEST(page_fault_on_the_new_tss_leaves_the_old_task)
{
    struct board *b = task_board();
    uint8_t *tables = board_at(b, 0x80000);

    store32(tables, 0x81007); /* 32-bit paging of the first megabyte */
    for (unsigned i = 0; i < 256; i++)
        store32(tables + 0x1000 + 4 * i, i << 12 | 7);
    store32(tables + 0x1000 + 4 * (TSS_OTHER >> 12), 0);
    ck_assert(control_set_cr3(&b->cpu, 0x80000));
    ck_assert(control_set_cr0(&b->cpu, b->cpu.cr0 | CR0_PG));
    ck_assert_int_eq(far(b, op_jmp_far, OTHER_SEL), EXC_PF);
    ck_assert_uint_eq(b->cpu.tr.sel, TSS_SEL);
    ck_assert_uint_eq(board_attr(b, TSS_SEL), ATTR_P | SYS_TSS32_BUSY);
    ck_assert_uint_eq(load32(board_at(b, TSS + 0x20)), 0);
    board_free(b);
}
END_TEST

SUITE("tasks", jump_saves_the_old_task_and_loads_the_new_one,
      jump_moves_the_busy_bit, call_nests_and_iret_comes_back,
      task_gate_leads_to_its_tss_from_any_level,
      exception_through_a_task_gate_pushes_its_error_there,
      jump_to_a_busy_or_short_tss_faults_in_the_old_task,
      iret_to_a_tss_that_is_not_busy_is_ts,
      bad_selectors_fault_in_the_new_task,
      entry_beyond_the_limit_is_gp_in_the_new_task,
      trap_bit_raises_a_debug_trap_before_the_first_instruction,
      switch_clears_local_breakpoints, task_can_be_a_v86_program,
      sixteen_bit_tss, long_mode_has_no_tasks,
      page_fault_on_the_new_tss_leaves_the_old_task)
