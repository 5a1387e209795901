/* Task switches: by JMP, CALL, interrupt and IRET, directly and through task
 * gates, between TSSs of both sizes.  32-bit only: long mode has none. */

#include "kernel.h"
#include "tests.h"

enum {
    TASK_A = SEL_TEST, /* TSS of the task that is entered */
    GATE = SEL_TEST + 8,
    NEXT = SEL_TEST + 0x10, /* a second one, for nesting */
    CODE_SEL = SEL_TEST + 0x20,
    DATA_SEL = SEL_TEST + 0x28,
    LDT_SEL = SEL_TEST + 0x30,
    STACK_SEL = SEL_TEST + 0x38,
    VECTOR = 0x40,
    NONE = 0xffff,
};

/* Words of a 32-bit TSS (SDM vol. 3, figure 7-2). */
enum {
    LINK, ESP0, SS0, ESP1, SS1, ESP2, SS2, CR3, EIP, EFLAGS, EAX, ECX, EDX,
    EBX, ESP, EBP, ESI, EDI, ES, CS, SS, DS, FS, GS, LDT, TRAP,
};
/* Of a 16-bit one (figure 7-10). */
enum {
    W_LINK, W_SP0, W_SS0, W_SP1, W_SS1, W_SP2, W_SS2, W_IP, W_FLAGS, W_AX,
    W_CX, W_DX, W_BX, W_SP, W_BP, W_SI, W_DI, W_ES, W_CS, W_SS, W_DS, W_LDT,
};

enum how { JMP, CALL, GATE_JMP, GATE_CALL, INT, HOWS };

static const char *const how_names[] = {
    "jmp tss", "call tss", "jmp task gate", "call task gate", "int task gate",
};

static uint32_t task[32], next[32];
static uint16_t small[32];

static bool nests(enum how how)
{
    return how == CALL || how == GATE_CALL || how == INT;
}

static void clear(void *at, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ((volatile uint8_t *)at)[i] = 0;
}

/* A task that does INT 0xff at level cpl. */
static void make_task(uint32_t *t, unsigned cpl)
{
    clear(t, 128);
    t[ESP0] = inner_top(3);
    t[SS0] = SEL_DATA;
    t[EIP] = TARGET_AT;
    t[EFLAGS] = 2;
    for (unsigned i = EAX; i <= EDI; i++)
        t[i] = 0x10000001 * i;
    t[ESP] = stack_top(cpl) - 0x200;
    t[CS] = code_sel(cpl);
    t[SS] = t[DS] = t[ES] = t[FS] = t[GS] = data_sel(cpl);
    t[TRAP] = 104u << 16;
}

static void set_task(unsigned sel, uint32_t *t, unsigned type, unsigned dpl,
                     bool present)
{
    gdt_set(sel, segment((uint32_t)(word)t, 103, type, dpl, present, 0));
}

static void set_program(enum how how)
{
    if (how == INT)
        PROGRAM(0xcd, VECTOR);
    else
        PROGRAM(0xff, how == JMP || how == GATE_JMP ? 0x2b : 0x1b);
}

static unsigned length_of(enum how how)
{
    (void)how;
    return 2;
}

static void aim(enum how how, unsigned rpl)
{
    bool direct = how == JMP || how == CALL;

    in.gpr[BX] = DATA_AT;
    *at32(DATA_AT) = 0xdeadbeef; /* the offset is not used */
    *at16(DATA_AT + 4) = (uint16_t)((direct ? TASK_A : GATE) | rpl);
}

/* After a switch the kernel's own task is entered again without one. */
static void back_home(void)
{
    tss.at[LINK] = 0;
    gdt_set(SEL_TSS, segment((uint32_t)(word)&tss, 103, T_TSS32, 0, true, 0));
    load_tr(SEL_TSS);
    load_ldt(0);
    __asm__ volatile("clts");
}

/* --- who may, and what is wrong with the target --- */

struct task_case {
    enum how how;
    unsigned cpl, rpl, gate_dpl, tss_type, tss_dpl;
    bool gate_present, tss_present;
};

/* SDM vol. 2, JMP, CALL, INT n: TASK-GATE, TASK-STATE-SEGMENT. */
static uint32_t expect_task(const struct task_case *c)
{
    unsigned sel = TASK_A, gate_sel = GATE, idt_error = VECTOR << 3 | 2;

    switch (c->how) {
    case JMP:
    case CALL:
        if (c->tss_dpl < c->cpl || c->tss_dpl < c->rpl)
            return EVENT(GP, sel);
        break;
    case INT:
        if (c->gate_dpl < c->cpl)
            return EVENT(GP, idt_error);
        if (!c->gate_present)
            return EVENT(NP, idt_error);
        break;
    default:
        if (c->gate_dpl < c->cpl || c->gate_dpl < c->rpl)
            return EVENT(GP, gate_sel);
        if (!c->gate_present)
            return EVENT(NP, gate_sel);
    }
    if (c->tss_type != T_TSS32)
        return EVENT(GP, sel);
    return c->tss_present ? OK : EVENT(NP, sel);
}

static void prepare(const struct task_case *c)
{
    make_task(task, 3);
    set_task(TASK_A, task, c->tss_type, c->tss_dpl, c->tss_present);
    gdt_set(GATE, gate(TASK_A, 0, T_TASK, c->gate_dpl, c->gate_present, 0));
    idt_set(VECTOR, TASK_A, 0, T_TASK, c->gate_dpl, c->gate_present, 0);
    ready(c->cpl);
    aim(c->how, c->rpl);
}

static void check_access(const struct task_case *c)
{
    uint32_t want = expect_task(c);

    prepare(c);
    CHECK_RUN(want,
              "%s cpl %u rpl %u gate dpl %u p %u tss type %x dpl %u p %u",
              how_names[c->how], c->cpl, c->rpl, c->gate_dpl,
              c->gate_present, c->tss_type, c->tss_dpl, c->tss_present);
    check(get_tr() & ~3u, want == OK ? TASK_A : SEL_TSS, "%s: TR",
          how_names[c->how]);
    if (want != OK)
        check(raw_type(gdt[TASK_A / 8]), c->tss_type, "%s: TSS type",
              how_names[c->how]);
    back_home();
}

/* One that every level may name, and that leads to a good task. */
static struct task_case allowed_case(enum how how)
{
    return (struct task_case){
        .how = how, .gate_dpl = 3, .tss_type = T_TSS32, .tss_dpl = 3,
        .gate_present = true, .tss_present = true,
    };
}

static void all_access(enum how how)
{
    bool direct = how == JMP || how == CALL;

    for (unsigned n = 0; n < 64; n++) {
        struct task_case c = {
            .how = how, .cpl = n & 3, .rpl = n >> 2 & 3, .gate_dpl = n >> 4,
            .tss_dpl = direct ? n >> 4 : 0, .tss_type = T_TSS32,
            .gate_present = true, .tss_present = true,
        };

        check_access(&c);
        c.gate_present = false;
        if (!direct)
            check_access(&c);
        c.gate_present = true;
        c.tss_present = false;
        check_access(&c);
    }
    /* Call gates, task gates, code are others' tests when named directly. */
    for (unsigned type = 0; type < 32; type++) {
        struct task_case c = allowed_case(how);

        c.tss_type = type;
        if (type != T_TSS16 && (!direct || !(is_code(type) ||
                                             type == T_CALL16 ||
                                             type == T_CALL32 ||
                                             type == T_TASK)))
            check_access(&c);
    }
}

/* A TSS lies in the GDT, and a null or a far selector names none. */
static void bad_gate_selectors(enum how how)
{
    static const uint16_t sels[] = {0, 3, TASK_A | 4, GDT_ENTRIES * 8, 0xfffb};

    for (unsigned i = 0; i < sizeof(sels) / 2; i++) {
        struct task_case c = allowed_case(how);
        unsigned error = sels[i] & ~3u;

        prepare(&c);
        load_ldt(SEL_LDT);
        ldt[TASK_A / 8 % LDT_ENTRIES] = gdt[TASK_A / 8];
        gdt_set(GATE, gate(sels[i], 0, T_TASK, 3, true, 0));
        idt_set(VECTOR, sels[i], 0, T_TASK, 3, true, 0);
        CHECK_RUN(EVENT(GP, error), "%s with selector %x", how_names[how],
                  sels[i]);
        back_home();
    }
}

/* Smaller than 104 bytes: #TS (SDM vol. 3, table 7-1). */
static void limits(enum how how)
{
    static const uint8_t limit[] = {0, 0x2a, 0x2b, 0x66, 0x67, 0x68};

    for (unsigned i = 0; i < sizeof(limit); i++) {
        struct task_case c = allowed_case(how);
        unsigned sel = TASK_A;

        prepare(&c);
        gdt_set(TASK_A, segment((uint32_t)(word)task, limit[i], T_TSS32, 3, true,
                                0));
        CHECK_RUN(limit[i] >= 0x67 ? OK : EVENT(TS, sel), "%s, TSS limit %x",
                  how_names[how], limit[i]);
        back_home();
    }
}

void test_task_access(void)
{
    group("task switch: access", "SDM vol. 3, 7.2-7.3, table 7-1");
    for (enum how how = 0; how < HOWS; how++) {
        set_program(how);
        all_access(how);
        if (how > CALL)
            bad_gate_selectors(how);
        limits(how);
    }
}

/* --- what is saved and loaded --- */

static void check_loaded(const char *name, unsigned cpl)
{
    static const uint8_t order[] = {EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI};

    for (unsigned i = 0; i < 8; i++)
        check(out.gpr[i], task[order[i]], "%s: register %u loaded", name, i);
    check(out.cs, code_sel(cpl), "%s: CS", name);
    check(out.ip, TARGET_AT + 2, "%s: IP", name);
    check(out.ss, data_sel(cpl), "%s: SS", name);
    check(out.ds, data_sel(cpl), "%s: DS", name);
    check(out.es, data_sel(cpl), "%s: ES", name);
    check(out.fs, data_sel(cpl), "%s: FS", name);
    check(out.gs, data_sel(cpl), "%s: GS", name);
}

static void check_saved(const char *name, unsigned cpl, word ip)
{
    static const uint8_t order[] = {EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI};

    for (unsigned i = 0; i < 8; i++)
        check(tss.at[order[i]], in.gpr[i], "%s: register %u saved", name, i);
    check(tss.at[EIP], ip, "%s: saved IP", name);
    check(tss.at[EFLAGS], in.flags, "%s: saved flags", name);
    check(tss.at[CS] & 0xffff, code_sel(cpl), "%s: saved CS", name);
    check(tss.at[SS] & 0xffff, data_sel(cpl), "%s: saved SS", name);
    check(tss.at[DS] & 0xffff, data_sel(cpl), "%s: saved DS", name);
    check(tss.at[ES] & 0xffff, data_sel(cpl), "%s: saved ES", name);
    check(tss.at[FS] & 0xffff, data_sel(cpl), "%s: saved FS", name);
    check(tss.at[GS] & 0xffff, data_sel(cpl), "%s: saved GS", name);
    check(tss.at[ESP0], (word)tss.at[ESP0], "%s: ESP0 untouched", name);
}

/* SDM vol. 3, 7.3 and table 7-2: busy bits, NT, back link, TS. */
static void check_links(enum how how)
{
    const char *name = how_names[how];

    check(get_tr(), TASK_A, "%s: TR", name);
    check(raw_type(gdt[TASK_A / 8]), T_TSS32_BUSY, "%s: new task busy", name);
    check(raw_type(gdt[SEL_TSS / 8]), nests(how) ? T_TSS32_BUSY : T_TSS32,
          "%s: old task busy", name);
    check(task[LINK] & 0xffff, nests(how) ? SEL_TSS : 0, "%s: back link",
          name);
    check(out.flags & F_NT, nests(how) ? F_NT : 0, "%s: NT", name);
    check(get_cr0() & CR0_TS, CR0_TS, "%s: TS", name);
}

static void full_switch(enum how how, unsigned from, unsigned to)
{
    struct task_case c = allowed_case(how);

    c.cpl = from;
    prepare(&c);
    make_task(task, to);
    task[EFLAGS] = 2 | F_CF | F_ZF | F_DF | F_AC | F_ID;
    in.flags = 2 | F_OF | F_IOPL | F_ID;
    for (unsigned i = 0; i < 8; i++)
        if (i != SP && i != BX)
            in.gpr[i] = 0xabcd0000 + i;
    CHECK_RUN(OK, "%s from %u to %u", how_names[how], from, to);
    check_loaded(how_names[how], to);
    check(out.flags & ~(word)F_NT, task[EFLAGS], "%s: flags loaded",
          how_names[how]);
    check_saved(how_names[how], from, CODE_AT + length_of(how));
    check_links(how);
    back_home();
}

/* An exception through a task gate: the error code is on the new task's
 * stack, and the saved IP is the fault's (SDM vol. 3, 6.12.2). */
static void exception_switch(unsigned from, unsigned to)
{
    unsigned sel = SEL_TEST + 0x40;

    make_task(task, to);
    set_task(TASK_A, task, T_TSS32, 0, true);
    idt_set(NP, TASK_A, 0, T_TASK, 0, true, 0);
    gdt_set(sel, flat(T_DATA_RW, 3, false));
    PROGRAM(0x8e, 0xd8); /* mov ds, ax */
    ready(from);
    in.gpr[AX] = sel;
    CHECK_RUN(OK, "#NP through a task gate from %u to %u", from, to);
    check(out.gpr[SP], task[ESP] - 4, "#NP task: SP");
    check(*at32(out.gpr[SP]), sel, "#NP task: error code");
    check(tss.at[EIP], CODE_AT, "#NP task: saved IP");
    check(tss.at[EFLAGS], 2 | F_RF, "#NP task: saved flags");
    check(task[LINK] & 0xffff, SEL_TSS, "#NP task: back link");
    back_home();
    idt_restore(NP);
}

void test_task_state(void)
{
    group("task switch: state", "SDM vol. 3, 7.3, table 7-2");
    for (enum how how = 0; how < HOWS; how++) {
        set_program(how);
        for (unsigned n = 0; n < 16; n++)
            full_switch(how, n & 3, n >> 2);
    }
    for (unsigned n = 0; n < 16; n++)
        exception_switch(n & 3, n >> 2);
}

/* --- nested tasks and IRET --- */

/* The kernel calls A, which calls NEXT; each returns by IRET, and the last
 * instruction is in the first task again. */
static void nesting(unsigned level)
{
    word at = CODE_AT + 0x100;

    make_task(task, level);
    make_task(next, level);
    set_task(TASK_A, task, T_TSS32, 3, true);
    set_task(NEXT, next, T_TSS32, 3, true);
    PROGRAM(0xff, 0x1b); /* call far [ebx] */
    code_at(at);
    CODE(0xff, 0x1b, 0xcf); /* call far [ebx]; iret */
    CODE_DONE();
    code_at(at + 0x100);
    CODE(0xcf);
    CODE_DONE();
    ready(level);
    aim(CALL, level);
    *at32(DATA_AT + 8) = 0;
    *at16(DATA_AT + 12) = NEXT;
    task[EIP] = (uint32_t)at;
    task[EBX] = DATA_AT + 8;
    next[EIP] = (uint32_t)at + 0x100;
    CHECK_RUN(OK, "nested tasks at level %u", level);
    check(out.ip, CODE_AT + 4, "nesting: IP");
    check(get_tr(), SEL_TSS, "nesting: TR");
    check(raw_type(gdt[SEL_TSS / 8]), T_TSS32_BUSY, "nesting: first is busy");
    check(raw_type(gdt[TASK_A / 8]), T_TSS32, "nesting: second is not");
    check(raw_type(gdt[NEXT / 8]), T_TSS32, "nesting: third is not");
    check(task[LINK] & 0xffff, SEL_TSS, "nesting: link of the second");
    check(next[LINK] & 0xfffc, TASK_A, "nesting: link of the third");
    check(out.flags & F_NT, 0, "nesting: NT");
    /* IRET clears NT in the image that it saves (table 7-2). */
    check(task[EFLAGS] & F_NT, 0, "nesting: saved NT of the second");
    check(next[EFLAGS] & F_NT, 0, "nesting: saved NT of the third");
    check(task[EIP], at + 3, "nesting: saved IP of the second");
    check(next[EIP], at + 0x101, "nesting: saved IP of the third");
    check(out.gpr[BX], DATA_AT, "nesting: EBX is back");
    back_home();
}

/* A busy task cannot be entered, so none calls itself. */
static void recursion(enum how how)
{
    unsigned sel = SEL_TSS;

    gdt_set(GATE, gate(SEL_TSS, 0, T_TASK, 3, true, 0));
    idt_set(VECTOR, SEL_TSS, 0, T_TASK, 3, true, 0);
    set_program(how);
    ready(0);
    aim(how, 0);
    if (how == JMP || how == CALL)
        *at16(DATA_AT + 4) = SEL_TSS;
    CHECK_RUN(EVENT(GP, sel), "%s to the running task", how_names[how]);
    back_home();
}

/* IRET with NT: the back link must name a busy TSS in the GDT, else #TS; one
 * that is not present #NP (SDM vol. 2, IRET: TASK-RETURN). */
static void return_links(void)
{
    static const uint16_t outside[] = {0, 3, TASK_A | 4, GDT_ENTRIES * 8,
                                       0xfffb};

    PROGRAM(0xcf);
    for (unsigned n = 0; n < 32 * 2; n++) {
        unsigned type = n & 31, present = n >> 5, sel = TASK_A;
        bool good = type == T_TSS32_BUSY;
        uint32_t want = !good ? EVENT(TS, sel)
                              : present ? OK : EVENT(NP, sel);

        if (type == T_TSS16_BUSY)
            continue;
        make_task(task, 0);
        set_task(TASK_A, task, type, 0, present);
        ready(3);
        in.flags |= F_NT;
        tss.at[LINK] = TASK_A;
        CHECK_RUN(want, "iret to link of type %x p %u", type, present);
        if (want == OK) {
            check(raw_type(gdt[TASK_A / 8]), T_TSS32_BUSY,
                  "iret: new task stays busy");
            check(raw_type(gdt[SEL_TSS / 8]), T_TSS32,
                  "iret: old task is free");
        }
        back_home();
    }
    for (unsigned i = 0; i < sizeof(outside) / 2; i++) {
        unsigned error = outside[i] & ~3u;

        ready(0);
        in.flags |= F_NT;
        tss.at[LINK] = outside[i];
        CHECK_RUN(EVENT(TS, error), "iret to link %x", outside[i]);
        back_home();
    }
}

void test_task_nesting(void)
{
    group("nested tasks", "SDM vol. 3, 7.4; vol. 2, IRET");
    for (unsigned level = 0; level < 4; level++)
        nesting(level);
    for (enum how how = 0; how < HOWS; how++)
        recursion(how);
    return_links();
}

/* --- faults in the new task --- */

/* The switch is done before segments are checked: the fault finds the new
 * task's IP and TR (SDM vol. 3, 7.3, table 7-1). */
static void check_bad(uint32_t want, const char *what, unsigned a, unsigned b)
{
    ready(0);
    aim(JMP, 0);
    set_task(TASK_A, task, T_TSS32, 0, true);
    CHECK_RUN(want, "%s %x %x", what, a, b);
    check(get_tr(), TASK_A, "%s: TR", what);
    check(out.ip, task[EIP] + (want == OK ? 2 : 0), "%s: IP", what);
    back_home();
}

static void bad_code(void)
{
    for (unsigned n = 0; n < 32 * 2 * 4; n++) {
        unsigned type = n & 31, present = n >> 5 & 1, dpl = n >> 6;
        unsigned rpl = 2, sel = CODE_SEL;
        bool good = is_code(type) &&
                    (is_conforming(type) ? dpl <= rpl : dpl == rpl);
        uint32_t want = !good ? EVENT(TS, sel)
                              : present ? OK : EVENT(NP, sel);

        make_task(task, rpl);
        gdt_set(CODE_SEL, flat(type, dpl, present));
        task[CS] = CODE_SEL | rpl;
        check_bad(want, "new CS", type, n);
    }
}

static void bad_stack(void)
{
    for (unsigned n = 0; n < 32 * 2 * 4 * 4; n++) {
        unsigned type = n & 31, present = n >> 5 & 1, dpl = n >> 6 & 3;
        unsigned rpl = n >> 8, level = 1, sel = DATA_SEL;
        bool good = is_writable(type) && dpl == level && rpl == level;
        uint32_t want = !good ? EVENT(TS, sel)
                              : present ? OK : EVENT(SS_, sel);

        make_task(task, level);
        gdt_set(DATA_SEL, flat(type, dpl, present));
        task[SS] = DATA_SEL | rpl;
        check_bad(want, "new SS", type, n);
    }
}

static void bad_data(unsigned field)
{
    for (unsigned n = 0; n < 32 * 2 * 4 * 4; n++) {
        unsigned type = n & 31, present = n >> 5 & 1, dpl = n >> 6 & 3;
        unsigned rpl = n >> 8, level = 1, sel = DATA_SEL;
        bool good = is_readable(type) &&
                    (is_conforming(type) || (dpl >= rpl && dpl >= level));
        uint32_t want = !good ? EVENT(TS, sel)
                              : present ? OK : EVENT(NP, sel);

        make_task(task, level);
        gdt_set(DATA_SEL, flat(type, dpl, present));
        task[field] = DATA_SEL | rpl;
        check_bad(want, field == DS ? "new DS" : "new GS", type, n);
    }
}

static void bad_ldt(void)
{
    for (unsigned n = 0; n < 32 * 2; n++) {
        unsigned type = n & 31, present = n >> 5, sel = LDT_SEL;
        bool good = type == T_LDT && present;

        make_task(task, 3); /* the fault needs a stack: of level 0 */
        gdt_set(LDT_SEL, segment((uint32_t)(word)ldt, sizeof(ldt) - 1, type,
                                 0, present, 0));
        task[LDT] = LDT_SEL;
        check_bad(good ? OK : EVENT(TS, sel), "new LDT", type, present);
    }
}

static void bad_selectors(void)
{
    static const uint16_t sels[] = {0, 3, GDT_ENTRIES * 8 + 3, 0xfffb, 7};
    static const uint8_t fields[] = {CS, SS, DS, ES, FS, GS, LDT};

    for (unsigned i = 0; i < sizeof(sels) / 2; i++) {
        for (unsigned f = 0; f < sizeof(fields); f++) {
            unsigned error = sels[i] & ~3u;
            bool null_ok = error == 0 && fields[f] != CS && fields[f] != SS;

            if (fields[f] == CS && sels[i] == 0)
                continue; /* level 0, without a stack yet */
            make_task(task, 3);
            task[fields[f]] = sels[i];
            check_bad(null_ok ? OK : EVENT(TS, error), "new selector",
                      sels[i], fields[f]);
        }
    }
}

/* EIP beyond the new code segment: #GP(0) in the new task. */
static void bad_ip(void)
{
    for (int d = -2; d < 3; d++) {
        make_task(task, 0);
        gdt_set(CODE_SEL, segment(0, TARGET_AT >> 12, T_CODE_R, 0, true,
                                  D_G | D_B));
        task[CS] = CODE_SEL;
        task[EIP] = TARGET_AT + 0x1000 + (uint32_t)d - 1;
        code_at(task[EIP]);
        CODE_DONE();
        check_bad(d < 0 ? OK : EVENT(GP, 0), "new EIP", task[EIP], 0);
    }
}

/* The trap bit: #DB before the first instruction, DR6.BT (7.2.1, 17.3.1.5). */
static void trap_bit(void)
{
    make_task(task, 3);
    task[TRAP] |= 1;
    check_bad(EVENT(DB, 0), "trap bit", 0, 0);
    check(get_dr6() & 0xe000, 0x8000, "trap bit: DR6");
    set_dr6(0);
    make_task(task, 3);
    check_bad(OK, "no trap bit", 0, 0);
    check(get_dr6() & 0xe000, 0, "no trap bit: DR6");
}

/* Local breakpoints end with the task (SDM vol. 3, 17.2.4). */
static void local_breakpoints(void)
{
    set_dr0(DATA_AT + 0x800);
    set_dr7(0x703);
    make_task(task, 3);
    check_bad(OK, "breakpoints", 0, 0);
    check(get_dr7(), 0x602, "DR7 after a task switch");
    set_dr7(0x400);
}

void test_task_faults(void)
{
    group("task switch: the new task", "SDM vol. 3, table 7-1, 17.3.1.5");
    set_program(JMP);
    bad_code();
    bad_stack();
    bad_data(DS);
    bad_data(GS);
    bad_ldt();
    bad_selectors();
    bad_ip();
    trap_bit();
    local_breakpoints();
}

/* --- 16-bit TSS --- */

static void to_small(enum how how)
{
    clear(small, sizeof(small));
    gdt_set(TASK_A, segment((uint32_t)(word)small, 0x2b, T_TSS16, 3, true, 0));
    gdt_set(GATE, gate(TASK_A, 0, T_TASK, 3, true, 0));
    idt_set(VECTOR, TASK_A, 0, T_TASK, 3, true, 0);
    /* Its IP and SP have 16 bits: segments that begin in the arena. */
    gdt_set(CODE_SEL, segment(ARENA, 0xffff, T_CODE_R, 3, true, D_B));
    gdt_set(DATA_SEL, segment(ARENA, 0xffff, T_DATA_RW, 3, true, 0));
    gdt_set(STACK_SEL, segment(INNER_AT, 0xffff, T_DATA_RW, 0, true, D_B));
    small[W_SP0] = 0x4000;
    small[W_SS0] = STACK_SEL;
    small[W_IP] = TARGET_AT - ARENA;
    small[W_FLAGS] = 2 | F_CF;
    for (unsigned i = W_AX; i <= W_DI; i++)
        small[i] = (uint16_t)(0x1111 * (i - W_AX + 1));
    small[W_SP] = 0xf000;
    small[W_CS] = CODE_SEL | 3;
    small[W_SS] = small[W_DS] = small[W_ES] = DATA_SEL | 3;
    set_program(how);
    ready(0);
    aim(how, 0);
    in.flags = 2 | F_OF;
    CHECK_RUN(OK, "%s, 16-bit", how_names[how]);
    for (unsigned i = 0; i < 8; i++)
        check(out.gpr[i] & 0xffff, small[W_AX + i], "%s, 16-bit: register %u",
              how_names[how], i);
    check(out.cs, CODE_SEL | 3, "16-bit TSS: CS");
    check(out.ss, DATA_SEL | 3, "16-bit TSS: SS");
    check(out.ds, DATA_SEL | 3, "16-bit TSS: DS");
    check(out.es, DATA_SEL | 3, "16-bit TSS: ES");
    check(out.flags & 0xffff, 2 | F_CF | (nests(how) ? F_NT : 0),
          "16-bit TSS: flags");
    check(small[W_LINK], nests(how) ? SEL_TSS : 0, "16-bit TSS: back link");
    check(raw_type(gdt[TASK_A / 8]), T_TSS16_BUSY, "16-bit TSS: busy");
    back_home();
}

/* And back by IRET, which saves into it. */
static void from_small(void)
{
    to_small(CALL);
    gdt_set(TASK_A, segment((uint32_t)(word)small, 0x2b, T_TSS16, 3, true, 0));
    code_at(DATA_AT + 0x100);
    CODE(0x40, 0xcf); /* inc eax; iret */
    small[W_IP] = DATA_AT + 0x100 - ARENA;
    small[W_LINK] = 0;
    small[W_FLAGS] = 2;
    ready(0);
    aim(CALL, 0);
    in.gpr[AX] = 0x12345678;
    CHECK_RUN(OK, "call a 16-bit task that returns");
    check(out.ip, CODE_AT + 4, "16-bit task returned: IP");
    check(out.gpr[AX], 0x12345678, "16-bit task returned: EAX");
    check(small[W_AX], 0x1112, "16-bit task: saved AX");
    check(small[W_IP], DATA_AT + 0x102 - ARENA, "16-bit task: saved IP");
    check(small[W_FLAGS] & F_NT, 0, "16-bit task: saved NT");
    check(small[W_CS], CODE_SEL | 3, "16-bit task: saved CS");
    check(raw_type(gdt[TASK_A / 8]), T_TSS16, "16-bit task: free");
    back_home();
}

static void small_limit(void)
{
    for (unsigned limit = 0x28; limit < 0x2e; limit++) {
        unsigned sel = TASK_A;

        to_small(JMP);
        gdt_set(TASK_A, segment((uint32_t)(word)small, limit, T_TSS16, 3, true, 0));
        set_program(JMP);
        ready(0);
        aim(JMP, 0);
        CHECK_RUN(limit >= 0x2b ? OK : EVENT(TS, sel), "16-bit TSS limit %x",
                  limit);
        back_home();
    }
}

void test_task_small(void)
{
    group("16-bit TSS", "SDM vol. 3, 7.6");
    for (enum how how = 0; how < HOWS; how++)
        to_small(how);
    from_small();
    small_limit();
}

/* --- a new address space, LTR, LLDT --- */

/* SDM vol. 2, LTR: GDT only, available, present; then busy. */
void test_ltr_lldt(void)
{
    group("LTR and LLDT", "SDM vol. 2, LTR, LLDT");
    for (unsigned n = 0; n < 32 * 2 * 2; n++) {
        unsigned type = n & 31, present = n >> 5 & 1, sel = TASK_A;
        bool ltr = n >> 6;
        bool good = ltr ? type == T_TSS32 || (!LONG && type == T_TSS16)
                        : type == T_LDT;
        uint32_t want = !good ? EVENT(GP, sel)
                              : present ? OK : EVENT(NP, sel);

        PROGRAM(0x0f, 0x00, ltr ? 0xd8 : 0xd0);
        gdt_set(sel, segment((uint32_t)(word)&tss, 103, type, 0, present, 0));
        gdt_set(sel + 8, 0);
        ready(0);
        in.gpr[AX] = sel;
        CHECK_RUN(want, "%s type %x p %u", ltr ? "ltr" : "lldt", type,
                  present);
        if (ltr)
            check(raw_type(gdt[sel / 8]), want == OK ? type | 2 : type,
                  "ltr: busy");
        machine_restore();
    }
    for (unsigned ltr = 0; ltr < 2; ltr++) {
        static const uint16_t sels[] = {0, 3, 4, GDT_ENTRIES * 8, 0xfffc};

        for (unsigned i = 0; i < sizeof(sels) / 2; i++) {
            unsigned error = sels[i] & ~3u;

            PROGRAM(0x0f, 0x00, ltr ? 0xd8 : 0xd0);
            ready(0);
            in.gpr[AX] = sels[i];
            CHECK_RUN(!ltr && sels[i] < 4 ? OK : EVENT(GP, error), "%s of %x",
                      ltr ? "ltr" : "lldt", sels[i]);
            machine_restore();
        }
    }
    for (unsigned cpl = 1; cpl < 4; cpl++) {
        PROGRAM(0x0f, 0x00, 0xd8);
        ready(cpl);
        CHECK_RUN(EVENT(GP, 0), "ltr at level %u", cpl);
        PROGRAM(0x0f, 0x00, 0xd0);
        ready(cpl);
        CHECK_RUN(EVENT(GP, 0), "lldt at level %u", cpl);
    }
}
