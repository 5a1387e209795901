/* MONITOR and MWAIT (SDM vol. 2). */

#include "cpu/insn.h"
#include "tests/unit/cpu/box.h"
#include "tests/unit/suite.h"

enum { DATA = 0x20000 };

static struct box *box_with_monitor(void)
{
    struct box *b = box_new_long();

    feature_set_put(&b->cpu.features, FEAT_MONITOR, true);
    b->cpu.gpr[RAX] = DATA;
    b->cpu.gpr[RCX] = 0;
    return b;
}

START_TEST(test_monitor_loads_what_it_names)
{
    struct box *b = box_with_monitor();

    BOX_LOAD(b, 0x0f, 0x01, 0xc8, 0xf4); /* monitor; hlt */
    ck_assert_int_eq(box_fault(b), -1);
    b->cpu.halted = false;
    b->cpu.rip = BOX_CODE;
    box_forbid(b, DATA, 1);
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.cr2, DATA);
    box_free(b);
}
END_TEST

START_TEST(test_mwait_waits_for_an_interrupt_that_may_come)
{
    struct box *b = box_with_monitor();

    BOX_LOAD(b, 0x0f, 0x01, 0xc9, 0x90); /* mwait; nop */
    b->cpu.eflags |= FLAG_IF;
    ck_assert_int_eq(box_fault(b), -1);
    ck_assert(b->cpu.halted);
    ck_assert_uint_eq(b->cpu.rip, BOX_CODE + 3);
    box_free(b);
}
END_TEST

START_TEST(test_mwait_goes_on_where_nothing_could_wake_it)
{
    struct box *b = box_with_monitor();

    BOX_LOAD(b, 0x0f, 0x01, 0xc9, 0x90, 0xf4); /* mwait; nop; hlt */
    b->cpu.gpr[RCX] = 1; /* masked interrupts would end it, too */
    box_run(b);
    ck_assert_uint_eq(b->cpu.rip, BOX_CODE + 5);
    box_free(b);
}
END_TEST

START_TEST(test_extensions_that_there_are_not_are_refused)
{
    struct box *b = box_with_monitor();

    BOX_LOAD(b, 0x0f, 0x01, 0xc8);
    b->cpu.gpr[RCX] = 1;
    ck_assert_int_eq(box_fault(b), EXC_GP);
    BOX_LOAD(b, 0x0f, 0x01, 0xc9);
    b->cpu.gpr[RCX] = 2;
    ck_assert_int_eq(box_fault(b), EXC_GP);
    box_free(b);
}
END_TEST

/* All pages become a user's. */
static void enter_ring_3(struct box *b)
{
    enum { USER = 4 };

    for (unsigned at = BOX_PML4; at < BOX_PT + 2 * PAGE_SIZE; at += 8)
        *box_at(b, at) |= USER;
    b->cpu.cpl = 3;
    cpu_update_mode(&b->cpu);
}

START_TEST(test_both_do_not_exist_outside_ring_0)
{
    struct box *b = box_with_monitor();

    enter_ring_3(b);
    BOX_LOAD(b, 0x0f, 0x01, 0xc8);
    ck_assert_int_eq(box_fault(b), EXC_UD);
    BOX_LOAD(b, 0x0f, 0x01, 0xc9);
    ck_assert_int_eq(box_fault(b), EXC_UD);
    box_free(b);
}
END_TEST

SUITE("monitor", test_monitor_loads_what_it_names,
      test_mwait_waits_for_an_interrupt_that_may_come,
      test_mwait_goes_on_where_nothing_could_wake_it,
      test_extensions_that_there_are_not_are_refused,
      test_both_do_not_exist_outside_ring_0)
