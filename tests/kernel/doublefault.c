/* Exceptions while an exception is delivered (SDM vol. 3, table 6-5). */

#include "kernel.h"
#include "tests.h"

enum { ABSENT = 0x50000000, TO = SEL_TEST, STACK = SEL_TEST + 0x10 };

/* Ways to raise a first exception from level 3. */
struct first {
    const char *name;
    uint8_t vector, n, bytes[4];
    uint32_t error;
    bool contributory;
};

static const struct first firsts[] = {
    {"#DE", DE, 2, {0xf7, 0xf1}, 0, true},        /* div ecx */
    {"#UD", UD, 2, {0x0f, 0x0b}, 0, false},
    {"#GP", GP, 1, {0xf4}, 0, true},              /* hlt */
    {"#NP", NP, 2, {0x8e, 0xd8}, STACK, true},    /* mov ds, ax */
    {"#NM", NM, 2, {0x9b, 0x90}, 0, false},       /* wait */
    {"#PF", PF, 2, {0x8a, 0x03}, 4, true},        /* mov al, [ebx] */
    {"#DB", DB, 1, {0xf1}, 0, false},             /* icebp */
    {"#AC", AC, 2, {0x8b, 0x16}, 0, false},       /* mov edx, [esi] */
};

enum { FIRSTS = sizeof(firsts) / sizeof(firsts[0]) };

static word start_cr0;

static void set_first(const struct first *f)
{
    code_at(CODE_AT);
    code_bytes(f->bytes, f->n);
    CODE_DONE();
    gdt_set(STACK, flat(T_DATA_RW, 3, false));
    ready(3);
    in.gpr[AX] = STACK;
    in.gpr[BX] = ABSENT;
    in.gpr[CX] = 0;
    in.gpr[SI] = DATA_AT + 1;
    in.flags |= f->vector == AC ? F_AC : 0;
    set_cr0(start_cr0 | CR0_AM |
            (f->vector == NM ? CR0_TS | CR0_MP : 0));
}

/* The 32-bit kernel has no paging here, so no page fault either. */
static bool can(const struct first *f)
{
    return LONG || f->vector != PF;
}

/* A second contributory exception: #DF after a contributory one or a page
 * fault, else the second is delivered on its own. */
static void bad_gates(void)
{
    for (unsigned i = 0; i < FIRSTS; i++) {
        const struct first *f = &firsts[i];
        unsigned gate_error = (unsigned)f->vector << 3 | 3, to = TO | 1;

        if (!can(f) || f->vector == GP || f->vector == NP)
            continue;
        idt_set(f->vector, SEL_CODE, TARGET_AT, T_INT32, 3, false, 0);
        set_first(f);
        CHECK_RUN(f->contributory ? EVENT(DF, 0) : EVENT(NP, gate_error),
                  "%s, its gate not present", f->name);
        idt_set(f->vector, SEL_CODE, TARGET_AT, T_LDT, 3, true, 0);
        set_first(f);
        CHECK_RUN(f->contributory ? EVENT(DF, 0) : EVENT(GP, gate_error),
                  "%s, its gate no gate", f->name);
        idt_set(f->vector, TO, TARGET_AT, T_INT32, 3, true, 0);
        gdt_set(TO, flat(T_CODE_R, 0, false));
        set_first(f);
        CHECK_RUN(f->contributory ? EVENT(DF, 0) : EVENT(NP, to),
                  "%s, its handler not present", f->name);
        idt_set(f->vector, 0, TARGET_AT, T_INT32, 3, true, 0);
        set_first(f);
        CHECK_RUN(f->contributory ? EVENT(DF, 0) : EVENT(GP, 1),
                  "%s, its handler null", f->name);
        idt_restore(f->vector);
    }
    for (unsigned i = 0; i < FIRSTS; i++) {
        const struct first *f = &firsts[i];

        if (f->vector != GP && f->vector != NP)
            continue;
        idt_set(f->vector, SEL_CODE, TARGET_AT, T_INT32, 3, false, 0);
        set_first(f);
        CHECK_RUN(EVENT(DF, 0), "%s, its gate not present", f->name);
        idt_restore(f->vector);
    }
}

/* A page fault while the frame is pushed: #DF after a page fault, else it is
 * delivered on its own, with the stack's address. */
static void bad_stacks(void)
{
    for (unsigned i = 0; LONG && i < FIRSTS; i++) {
        const struct first *f = &firsts[i];
        bool twice = f->vector == PF;

        idt_set(f->vector, SEL_CODE, TARGET_AT, T_INT32, 3, true, 3);
        tss.at[13] = ABSENT + 0x1000;
        tss.at[14] = 0;
        set_first(f);
        CHECK_RUN(twice ? EVENT(DF, 0) : EVENT(PF, 2),
                  "%s, its stack has no page", f->name);
        check(out.cr2, ABSENT + 0x1000 - (f->error || f->vector == GP ||
                                          f->vector == AC ? 0x30 : 0x28),
              "%s, its stack has no page: CR2", f->name);
        /* A stack that is not canonical: #SS, contributory. */
        tss.at[13] = 0;
        tss.at[14] = 0x12345678;
        set_first(f);
        CHECK_RUN(f->contributory ? EVENT(DF, 0) : EVENT(SS_, 1),
                  "%s, its stack not canonical", f->name);
        idt_restore(f->vector);
    }
}

/* SS:ESP of level 0 of another type: #TS, contributory. */
static void bad_inner_stacks(void)
{
    for (unsigned i = 0; !LONG && i < FIRSTS; i++) {
        const struct first *f = &firsts[i];

        if (!can(f))
            continue;
        idt_set(f->vector, TO, TARGET_AT, T_INT32, 3, true, 0);
        gdt_set(TO, flat(T_CODE_R, 1, true));
        set_tss_stack(1, inner_top(1), data_sel(2));
        set_first(f);
        CHECK_RUN(f->contributory ? EVENT(DF, 0)
                                  : EVENT(TS, (SEL_DATA + 32) | 1),
                  "%s, stack of another level", f->name);
        set_tss_stack(1, 2, data_sel(1));
        idt_restore(f->vector);
        set_tss_stack(1, inner_top(1), data_sel(1));
    }
}

void test_double_faults(void)
{
    group("double faults", "SDM vol. 3, 6.15, interrupt 8, table 6-5");
    start_cr0 = get_cr0();
    bad_gates();
    bad_stacks();
    bad_inner_stacks();
    set_cr0(start_cr0);
    machine_restore();
}

/* Only on demand: the machine goes down. */
void triple_fault(void)
{
    idt_set(DF, SEL_CODE, TARGET_AT, T_INT32, 0, false, 0);
    idt_set(GP, SEL_CODE, TARGET_AT, T_INT32, 0, false, 0);
    PROGRAM(0xf4);
    ready(3);
    run();
    print("survived a triple fault\n");
}
