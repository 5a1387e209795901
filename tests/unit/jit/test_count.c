/*
 * Both engines count alike, also where the JIT steps an instruction by the
 * interpreter: deterministic time is made of these counts.
 */

#include "tests/unit/jit/engines.h"
#include "tests/unit/suite.h"

static uint64_t counted(const struct box *b)
{
    return b->stats.insn_interp + b->stats.insn_jit;
}

/* DIV by 0 with two NOPs behind it, so that the block has no room in a budget
 * of 1; the handler of #DE is HLT. */
static struct box *dividing_box(enum engine_kind kind)
{
    struct box *b = engines_box(box_new(), kind);
    struct pen code = {b, BOX_CODE}, handler = {b, 0x600};

    PEN(&code, 0xf7, 0xf1, 0x90, 0x90, 0xf4); /* div cx; nop; nop; hlt */
    PEN(&handler, 0xf4);                      /* hlt */
    store32(box_at(b, EXC_DE * 4), 0x600);    /* 0000:0600 */
    b->cpu.gpr[RCX] = 0;
    return b;
}

START_TEST(test_a_fault_is_one_instruction_of_the_budget)
{
    for (enum engine_kind kind = 0; kind < ENGINE_KINDS; kind++) {
        struct box *b = dividing_box(kind);

        b->engine->run(b->engine, &b->cpu, 1);
        ck_assert_msg(b->cpu.rip == 0x600 && b->cpu.seg[CS].sel == 0,
                      "%s: not in the handler", engines_name(kind));
        ck_assert_msg(counted(b) == 1, "%s: counted %llu", engines_name(kind),
                      (unsigned long long)counted(b));
        box_free(b);
    }
}
END_TEST

START_TEST(test_a_fault_counts_the_same_by_any_budget)
{
    for (uint64_t budget = 1; budget < 8; budget++) {
        struct box *by_interp = dividing_box(BY_INTERP);
        struct box *by_jit = dividing_box(BY_JIT);

        by_interp->engine->run(by_interp->engine, &by_interp->cpu, budget);
        by_jit->engine->run(by_jit->engine, &by_jit->cpu, budget);
        ck_assert_uint_eq(counted(by_interp), counted(by_jit));
        ck_assert_uint_eq(by_interp->cpu.rip, by_jit->cpu.rip);
        box_free(by_interp);
        box_free(by_jit);
    }
}
END_TEST

SUITE("counts of instructions", test_a_fault_is_one_instruction_of_the_budget,
      test_a_fault_counts_the_same_by_any_budget)
