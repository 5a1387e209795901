/* Interrupt, trap and task gates: who may use them, what they push, what is
 * wrong with them. */

#include "kernel.h"
#include "tests.h"

enum { VECTOR = 0x40, TO = SEL_TEST + 0x20, STACK = SEL_TEST + 0x30 };
enum { IDT_ERROR = VECTOR << 3 | 2 };
enum source { INT_N, EXCEPTION }; /* #UD has no code, #NP has one */

struct int_case {
    unsigned gate_type, gate_dpl, code_type, code_dpl, code_flags, cpl;
    bool gate_present, code_present;
};

static bool is_gate(unsigned type)
{
    if (LONG)
        return type == T_INT32 || type == T_TRAP32;
    return type == T_INT16 || type == T_TRAP16 || type == T_INT32 ||
           type == T_TRAP32;
}

static unsigned level_after(const struct int_case *c)
{
    return is_conforming(c->code_type) ? c->cpl : c->code_dpl;
}

/* SDM vol. 2, INT n; vol. 3, 6.12. */
static uint32_t expect_int(const struct int_case *c)
{
    unsigned to = TO;

    if (!is_gate(c->gate_type) || c->gate_dpl < c->cpl)
        return EVENT(GP, IDT_ERROR);
    if (!c->gate_present)
        return EVENT(NP, IDT_ERROR);
    if (!is_code(c->code_type) || c->code_dpl > c->cpl)
        return EVENT(GP, to);
    if (LONG && (c->code_flags & (D_L | D_B)) != D_L)
        return EVENT(GP, to);
    return c->code_present ? OK : EVENT(NP, to);
}

static word frame_item(unsigned i, unsigned size)
{
    word at = out.gpr[SP] + i * size;

    return size == 8 ? *(word *)at : size == 4 ? *at32(at) : *at16(at);
}

/* The frame from the top: [error] IP CS FLAGS [SP SS]. */
static void check_frame(const struct int_case *c, word flags, word ip)
{
    unsigned size = LONG ? 8 : c->gate_type & 8 ? 4 : 2;
    bool inner = level_after(c) < c->cpl;
    word top = inner ? inner_top(level_after(c)) : in.gpr[SP] & ~(word)(LONG ? 15 : 0);
    unsigned items = inner || LONG ? 5 : 3;
    word mask = size == 2 ? 0xffff : ~(word)0;

    if (!check(out.gpr[SP], top - items * size, "frame: SP (%u items of %u)",
               items, size))
        return;
    check(frame_item(0, size), ip & mask, "frame: IP");
    check(frame_item(1, size) & 0xffff, in.cs, "frame: CS");
    check(frame_item(2, size), flags & mask, "frame: flags");
    if (items == 5) {
        check(frame_item(3, size), in.gpr[SP] & mask, "frame: SP");
        check(frame_item(4, size) & 0xffff, data_sel(c->cpl), "frame: SS");
    }
}

/* Interrupt gates clear IF; both clear TF, NT, RF (SDM vol. 3, 6.12.1.3). */
static void check_flags_after(const struct int_case *c, word flags)
{
    word clear = F_TF | F_NT | F_RF | (c->gate_type & 1 ? 0 : F_IF);

    check(out.flags, flags & ~clear, "gate type %x: flags after",
          c->gate_type);
}

static void check_int(const struct int_case *c)
{
    uint32_t want = expect_int(c);
    word flags = 2 | F_IF | F_NT | F_CF | F_AC | F_ID;

    idt_set(VECTOR, TO | 2, TARGET_AT, c->gate_type, c->gate_dpl,
            c->gate_present, 0);
    gdt_set(TO, segment(0, 0xfffff, c->code_type, c->code_dpl,
                        c->code_present, c->code_flags));
    gdt_set(TO + 8, 0);
    if (c->gate_type == T_INT16 || c->gate_type == T_TRAP16)
        gdt_set(TO, segment(TARGET_AT & 0xffff0000, 0xfffff, c->code_type,
                            c->code_dpl, c->code_present, c->code_flags));
    ready(c->cpl);
    in.flags = flags;
    CHECK_RUN(want, "int n, gate %x dpl %u p %u, cpl %u, code %x dpl %u p %u",
              c->gate_type, c->gate_dpl, c->gate_present, c->cpl,
              c->code_type, c->code_dpl, c->code_present);
    if (want != OK) {
        check(out.ip, in.ip, "int n fault: IP");
        check(out.gpr[SP], in.gpr[SP], "int n fault: SP");
        return;
    }
    check(out.cs, TO | level_after(c), "int n: CS");
    check_frame(c, flags, in.ip + 2);
    check_flags_after(c, flags);
}

static void all_gates(void)
{
    for (unsigned n = 0; n < 32 * 4 * 4 * 2; n++) {
        struct int_case c = {
            .gate_type = n & 31, .gate_dpl = n >> 5 & 3, .cpl = n >> 7 & 3,
            .gate_present = n >> 9, .code_type = T_CODE_R,
            .code_flags = FLAT_CODE, .code_present = true,
        };

        if (c.gate_type != T_TASK || LONG)
            check_int(&c);
    }
}

static void all_targets(unsigned gate_type)
{
    for (unsigned n = 0; n < 32 * 4 * 4 * 2; n++) {
        struct int_case c = {
            .gate_type = gate_type, .gate_dpl = 3, .cpl = n >> 7 & 3,
            .gate_present = true, .code_type = n & 31, .code_dpl = n >> 5 & 3,
            .code_flags = FLAT_CODE, .code_present = n >> 9,
        };

        check_int(&c);
    }
}

static void target_sizes(void)
{
    for (unsigned n = 0; LONG && n < 4; n++) {
        struct int_case c = {
            .gate_type = T_INT32, .gate_dpl = 3, .cpl = 3,
            .gate_present = true, .code_type = T_CODE_R, .code_present = true,
            .code_flags = D_G | (n & 1 ? D_B : 0) | (n & 2 ? D_L : 0),
        };

        check_int(&c);
    }
}

static void bad_selectors(void)
{
    static const uint16_t sels[] = {0, 3, GDT_ENTRIES * 8, 0xfffb, 7};

    for (unsigned i = 0; i < sizeof(sels) / 2; i++) {
        unsigned error = sels[i] & ~3u;

        idt_set(VECTOR, sels[i], TARGET_AT, T_INT32, 3, true, 0);
        ready(3);
        CHECK_RUN(EVENT(GP, error), "int n, gate to selector %x", sels[i]);
    }
}

void test_int_gates(void)
{
    group("INT n through gates", "SDM vol. 3, 6.12; vol. 2, INT n");
    set_tss_stack(0, inner_top(0), data_sel(0));
    PROGRAM(0xcd, VECTOR);
    all_gates();
    all_targets(T_INT32);
    all_targets(T_TRAP32);
    if (!LONG) {
        all_targets(T_INT16);
        all_targets(T_TRAP16);
    }
    target_sizes();
    bad_selectors();
    idt_restore(VECTOR);
}

void test_int_gates_other_sizes(void)
{
    for (code_size = CODE16; code_size <= COMPATIBILITY; code_size++) {
        if (code_size == CODE16 || LONG)
            test_int_gates();
    }
    code_size = OWN;
}

/* --- the IDT's limit --- */

static void set_idt_limit(unsigned limit)
{
    struct {
        uint16_t limit;
        word base;
    } __attribute__((packed)) r = {(uint16_t)limit, (word)idt};

    __asm__ volatile("lidt %0" : : "m"(r));
}

static void idt_limit(void)
{
    unsigned size = LONG ? 16 : 8;

    for (unsigned n = 0x30; n < 0x34; n++) {
        idt_set(n, SEL_CODE, TARGET_AT, T_INT32, 3, true, 0);
        for (unsigned less = 0; less < 3; less++) {
            unsigned error = n << 3 | 2;

            PROGRAM(0xcd, n);
            /* INT 0xff would be outside too: wait for #GP there. */
            set_idt_limit((n + 1) * size - 1 - less);
            ready(3);
            CHECK_RUN(EVENT(GP, less ? error : 0xff << 3 | 2),
                      "int %x, last byte of the gate missing: %u", n, less);
        }
        idt_restore(n);
    }
}

/* --- INT3, INTO, INT1, BOUND, and DPL --- */

struct one_byte {
    const char *name;
    uint8_t vector, n, bytes[3];
    bool checks_dpl, is_fault;
};

static void one_byte_gates(void)
{
    static const struct one_byte cases[] = {
        {"int3", BP_, 1, {0xcc}, true, false},
        {"int 3", BP_, 2, {0xcd, 3}, true, false},
        {"into", OF, 1, {0xce}, true, false},
        {"icebp", DB, 1, {0xf1}, false, false},
        {"ud2", UD, 2, {0x0f, 0x0b}, false, true},
        {"div", DE, 2, {0xf7, 0xf1}, false, true},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct one_byte *t = &cases[i];

        if (LONG && t->bytes[0] == 0xce)
            continue;
        code_at(CODE_AT);
        code_bytes(t->bytes, t->n);
        CODE_DONE();
        for (unsigned n = 0; n < 16; n++) {
            unsigned dpl = n & 3, cpl = n >> 2;
            unsigned error = (unsigned)t->vector << 3 | 2;
            bool ok = !t->checks_dpl || dpl >= cpl;

            idt_set(t->vector, SEL_CODE, TARGET_AT, T_INT32, dpl, true, 0);
            ready(cpl);
            in.flags |= F_OF;
            in.gpr[CX] = 0;
            CHECK_RUN(ok ? OK : EVENT(GP, error), "%s, gate dpl %u, cpl %u",
                      t->name, dpl, cpl);
            if (ok)
                check(frame_item(0, sizeof(word)),
                      CODE_AT + (t->is_fault ? 0 : t->n), "%s: pushed IP",
                      t->name);
        }
        idt_restore(t->vector);
    }
}

/* An exception's gate that is bad: the code has the EXT bit, INT n's has not
 * (SDM vol. 3, 6.13). Contributory after benign is not a double fault. */
static void external_bit(void)
{
    static const struct {
        const char *name;
        uint8_t vector, n, bytes[2];
        bool ext;
    } cases[] = {
        {"ud2", UD, 2, {0x0f, 0x0b}, true},
        {"int 6", UD, 2, {0xcd, 6}, false},
        {"int3", BP_, 1, {0xcc}, false},
        {"icebp", DB, 1, {0xf1}, true},
        {"int 1", DB, 2, {0xcd, 1}, false},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned v = cases[i].vector, ext = cases[i].ext;
        unsigned idt_error = v << 3 | 2 | ext, to_error = TO | ext;

        code_at(CODE_AT);
        code_bytes(cases[i].bytes, cases[i].n);
        CODE_DONE();
        idt_set(v, SEL_CODE, TARGET_AT, T_INT32, 3, false, 0);
        ready(0);
        CHECK_RUN(EVENT(NP, idt_error), "%s, gate not present",
                  cases[i].name);
        check(out.ip, CODE_AT, "%s, gate not present: IP", cases[i].name);
        idt_set(v, SEL_CODE, TARGET_AT, T_LDT, 3, true, 0);
        ready(0);
        CHECK_RUN(EVENT(GP, idt_error), "%s, not a gate", cases[i].name);
        idt_set(v, TO, TARGET_AT, T_INT32, 3, true, 0);
        gdt_set(TO, flat(T_CODE_R, 0, false));
        ready(0);
        CHECK_RUN(EVENT(NP, to_error), "%s, code not present", cases[i].name);
        gdt_set(TO, flat(T_DATA_RW, 0, true));
        ready(0);
        CHECK_RUN(EVENT(GP, to_error), "%s, code is data", cases[i].name);
        idt_set(v, 0, TARGET_AT, T_INT32, 3, true, 0);
        ready(0);
        CHECK_RUN(EVENT(GP, ext), "%s, null selector", cases[i].name);
        idt_restore(v);
    }
}

/* --- exceptions with error codes, from every level --- */

static void pushed_errors(unsigned gate_type)
{
    unsigned size = LONG ? 8 : gate_type & 8 ? 4 : 2;

    PROGRAM(0x8e, 0xd8); /* mov ds, ax: #NP(STACK) */
    for (unsigned cpl = 0; cpl < 4; cpl++) {
        gdt_set(STACK, flat(T_DATA_RW, 3, false));
        gdt_set(TO, segment(size == 2 ? TARGET_AT & 0xffff0000 : 0, 0xfffff,
                            T_CODE_R, 0, true, FLAT_CODE));
        idt_set(NP, TO, TARGET_AT, gate_type, 0, true, 0);
        ready(cpl);
        in.flags |= F_CF;
        in.gpr[AX] = STACK;
        CHECK_RUN(OK, "#NP through gate %x from cpl %u", gate_type, cpl);
        check(frame_item(0, size), STACK, "gate %x: error code", gate_type);
        check(frame_item(1, size),
              size == 2 ? CODE_AT & 0xffff : (word)CODE_AT, "gate %x: IP",
              gate_type);
        check(frame_item(2, size) & 0xffff, code_sel(cpl), "gate %x: CS",
              gate_type);
        /* Faults push RF set (SDM vol. 3, 17.3.1.1). */
        check(frame_item(3, size), 2 | F_CF | (size == 2 ? 0 : F_RF),
              "gate %x: flags", gate_type);
        idt_restore(NP);
    }
}

void test_int_others(void)
{
    set_tss_stack(0, inner_top(0), data_sel(0));
    group("INT3, INTO, INT1", "SDM vol. 2, INT n");
    one_byte_gates();
    group("error code of gates", "SDM vol. 3, 6.13");
    external_bit();
    group("error codes pushed", "SDM vol. 3, 6.13, 6.12.1");
    pushed_errors(T_INT32);
    pushed_errors(T_TRAP32);
    if (!LONG) {
        pushed_errors(T_INT16);
        pushed_errors(T_TRAP16);
    }
    machine_restore();
    group("IDT limit", "SDM vol. 3, 6.10");
    idt_limit();
    machine_restore();
}

/* --- stacks of inner levels --- */

static void stack_types(void)
{
    for (unsigned n = 0; n < 32 * 2 * 4 * 4; n++) {
        unsigned type = n & 31, present = n >> 5 & 1, dpl = n >> 6 & 3;
        unsigned rpl = n >> 8 & 3, level = 2, sel = STACK;
        bool good = is_writable(type) && dpl == level && rpl == level;
        uint32_t want = !good ? EVENT(TS, sel)
                              : present ? OK : EVENT(SS_, sel);

        idt_set(VECTOR, TO, TARGET_AT, T_INT32, 3, true, 0);
        gdt_set(TO, flat(T_CODE_R, level, true));
        gdt_set(STACK, flat(type, dpl, present));
        set_tss_stack(level, inner_top(level), STACK | rpl);
        ready(3);
        CHECK_RUN(want, "int n to level 2, SS type %x dpl %u rpl %u p %u",
                  type, dpl, rpl, present);
    }
}

/* The same as exceptions: EXT is set. */
static void stack_external(void)
{
    unsigned sel = STACK | 1;

    idt_set(UD, TO, TARGET_AT, T_INT32, 0, true, 0);
    gdt_set(TO, flat(T_CODE_R, 2, true));
    PROGRAM(0x0f, 0x0b);
    set_tss_stack(2, inner_top(2), STACK | 2);
    gdt_set(STACK, flat(T_DATA_RW, 2, false));
    ready(3);
    CHECK_RUN(EVENT(SS_, sel), "#UD to level 2, SS not present");
    gdt_set(STACK, flat(T_DATA_RW, 1, true));
    ready(3);
    CHECK_RUN(EVENT(TS, sel), "#UD to level 2, SS of another level");
    set_tss_stack(2, inner_top(2), 0);
    ready(3);
    CHECK_RUN(EVENT(TS, 1), "#UD to level 2, SS null");
    idt_restore(UD);
}

void test_int_stacks(void)
{
    group("inner stacks of interrupts", "SDM vol. 2, INT n: INTER-PRIVILEGE");
    PROGRAM(0xcd, VECTOR);
    stack_types();
    stack_external();
    machine_restore();
}

/* --- IST (SDM vol. 3, 6.14.5) --- */

void test_ist(void)
{
    if (!LONG)
        return;
    group("IST", "SDM vol. 3, 6.14.5");
    for (unsigned ist = 0; ist < 8; ist++) {
        for (unsigned cpl = 0; cpl < 4; cpl++) {
            word top = ist ? DATA_AT + 0x1000 * ist + 8 : inner_top(0) - 3;

            set_tss_stack(0, inner_top(0) - 3, 0);
            if (ist) {
                tss.at[7 + 2 * ist] = (uint32_t)top;
                tss.at[8 + 2 * ist] = 0;
            } else if (cpl == 0) {
                top = stack_top(0) - 5;
            }
            idt_set(VECTOR, SEL_CODE, TARGET_AT, T_INT32, 3, true, ist);
            PROGRAM(0xcd, VECTOR);
            ready(cpl);
            in.gpr[SP] -= 5;
            /* INT 0xff on another stack than the one looked at. */
            tss.at[7 + 2 * (ist == 6 ? 5 : 6)] = inner_top(3);
            idt[2 * DONE] = (idt[2 * DONE] & ~((uint64_t)7 << 32)) |
                            (uint64_t)(ist == 6 ? 5 : 6) << 32;
            CHECK_RUN(OK, "IST %u from cpl %u", ist, cpl);
            check(out.gpr[SP], (top & ~(word)15) - 40,
                  "IST %u from cpl %u: RSP", ist, cpl);
            check(out.ss, cpl ? 0 : SEL_DATA, "IST %u from cpl %u: SS", ist,
                  cpl);
            check(frame_item(3, 8), stack_top(cpl) - 5, "IST %u: pushed RSP",
                  ist);
        }
        machine_restore();
    }
}
