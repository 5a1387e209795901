/* Far JMP and CALL: to code segments, through call gates, to inner levels. */

#include "kernel.h"
#include "tests.h"

enum { GATE = SEL_TEST, TO = SEL_TEST + 0x20, STACK = SEL_TEST + 0x30 };
enum far_kind { JMP, CALL };

static const char *const kind_names[] = {"jmp", "call"};

/* far [ebx]: a selector and a 32-bit offset. */
static void set_program(enum far_kind kind)
{
    PROGRAM(0xff, kind == JMP ? 0x2b : 0x1b);
}

static void aim(unsigned sel, uint32_t offset)
{
    in.gpr[BX] = DATA_AT;
    *at32(DATA_AT) = offset;
    *at16(DATA_AT + 4) = (uint16_t)sel;
}

/* SDM vol. 2, JMP and CALL: CONFORMING-CODE-SEGMENT and NONCONFORMING-CODE-
 * SEGMENT; other types lead nowhere, but for gates and TSSs. */
static uint32_t expect_direct(unsigned type, unsigned dpl, unsigned cpl,
                              unsigned rpl, bool present)
{
    unsigned sel = TO;

    if (!is_code(type))
        return EVENT(GP, sel);
    if (is_conforming(type) ? dpl > cpl : rpl > cpl || dpl != cpl)
        return EVENT(GP, sel);
    return present ? OK : EVENT(NP, sel);
}

/* What CALL leaves on the stack, from the top: old IP, then CS. */
static void check_pushed(enum far_kind kind, unsigned size,
                         const char *what)
{
    word sp = in.gpr[SP] - (kind == CALL ? 2 * size : 0);

    if (!check(out.gpr[SP], sp, "%s %s: SP", kind_names[kind], what) ||
        kind == JMP)
        return;
    check(*at32(sp), CODE_AT + 2, "%s: return address", what);
    check(*at32(sp + size) & 0xffff, in.cs, "%s: return CS", what);
}

static bool is_special(unsigned type)
{
    return type == T_CALL32 || type == T_CALL16 || type == T_TASK ||
           type == T_TSS16 || type == T_TSS32;
}

static void check_direct(enum far_kind kind, unsigned n)
{
    unsigned type = n & 31, present = n >> 5 & 1, dpl = n >> 6 & 3;
    unsigned cpl = n >> 8 & 3, rpl = n >> 10 & 3;
    uint32_t want = expect_direct(type, dpl, cpl, rpl, present);

    if (is_special(type))
        return;
    gdt_set(TO, flat(type, dpl, present));
    gdt_set(TO + 8, 0);
    ready(cpl);
    aim(TO | rpl, TARGET_AT);
    CHECK_RUN(want, "%s type %x dpl %u cpl %u rpl %u p %u", kind_names[kind],
              type, dpl, cpl, rpl, present);
    check(out.cs, want == OK ? TO | cpl : in.cs, "%s type %x: CS",
          kind_names[kind], type);
    check(raw_type(gdt[TO / 8]), want == OK ? type | 1 : type,
          "%s type %x: accessed bit", kind_names[kind], type);
    if (want == OK)
        check_pushed(kind, 4, "direct");
    else
        check(out.gpr[SP], in.gpr[SP], "%s: SP after fault", kind_names[kind]);
}

/* Null, and outside the table. */
static void direct_outside(enum far_kind kind)
{
    static const uint16_t sels[] = {0, 1, 2, 3, GDT_ENTRIES * 8, 0xfffb, 4,
                                    0xffff};

    for (unsigned i = 0; i < sizeof(sels) / 2; i++) {
        unsigned error = sels[i] & ~3u;

        ready(0);
        aim(sels[i], TARGET_AT);
        CHECK_RUN(EVENT(GP, error), "%s to selector %x", kind_names[kind],
                  sels[i]);
    }
}

/* The new IP must be within the limit: #GP(0) of the old code; nothing has
 * been pushed. */
static void direct_limit(enum far_kind kind)
{
    for (unsigned limit = 0; limit < 6; limit++) {
        uint32_t bytes = TARGET_AT - 3 + limit;

        gdt_set(TO, segment(0, bytes & 0xfffff, T_CODE_RA, 0, true, D_B));
        gdt_set(TO, segment(ARENA, 0x2000 - 3 + limit, T_CODE_RA, 0, true,
                            D_B));
        ready(0);
        aim(TO, TARGET_AT - ARENA);
        /* INT 0xff is two bytes long and both must be inside. */
        CHECK_RUN(limit >= 4 ? OK : EVENT(GP, 0), "%s, limit %d bytes more",
                  kind_names[kind], (int)limit - 3);
        if (limit < 3) {
            check(out.ip, CODE_AT, "%s beyond the limit: IP",
                  kind_names[kind]);
            check(out.gpr[SP], in.gpr[SP], "%s beyond the limit: SP",
                  kind_names[kind]);
        }
    }
}

/* Both L and D set is reserved in long mode (SDM vol. 3, 5.2.1). */
static void direct_sizes(enum far_kind kind)
{
    for (unsigned n = 0; n < 4; n++) {
        unsigned flags = D_G | (n & 1 ? D_B : 0) | (n & 2 ? D_L : 0);
        bool bad = LONG && n == 3;

        if (!LONG && n == 0)
            continue; /* 16-bit code cannot be at these addresses */
        gdt_set(TO, segment(0, 0xfffff, T_CODE_RA, 0, true, flags));
        ready(0);
        aim(TO, TARGET_AT);
        CHECK_RUN(bad ? EVENT(GP, TO) : OK, "%s to code with L %u D %u",
                  kind_names[kind], n >> 1, n & 1);
    }
}

void test_far_direct(void)
{
    for (enum far_kind kind = JMP; kind <= CALL; kind++) {
        group(kind == JMP ? "far JMP" : "far CALL", "SDM vol. 2, JMP, CALL");
        set_program(kind);
        for (unsigned n = 0; n < 32 * 2 * 4 * 4 * 4; n++)
            check_direct(kind, n);
        direct_outside(kind);
        direct_limit(kind);
        direct_sizes(kind);
    }
}

/* --- call gates --- */

struct gate_case {
    enum far_kind kind;
    unsigned cpl, rpl, gate_dpl, gate_type;
    unsigned code_type, code_dpl, code_flags;
    bool gate_present, code_present;
};

/* SDM vol. 3, 5.8.4, table 5-1; vol. 2, CALL: CALL-GATE. */
static uint32_t expect_gate(const struct gate_case *c)
{
    bool same = is_conforming(c->code_type);
    unsigned sel = GATE, to = TO;

    if (LONG && c->gate_type == T_CALL16)
        return EVENT(GP, sel);
    if (c->gate_dpl < c->cpl || c->gate_dpl < c->rpl)
        return EVENT(GP, sel);
    if (!c->gate_present)
        return EVENT(NP, sel);
    if (!is_code(c->code_type) || c->code_dpl > c->cpl)
        return EVENT(GP, to);
    if (c->kind == JMP && !same && c->code_dpl != c->cpl)
        return EVENT(GP, to);
    if (LONG && (c->code_flags & (D_L | D_B)) != D_L)
        return EVENT(GP, to);
    return c->code_present ? OK : EVENT(NP, to);
}

static unsigned level_after(const struct gate_case *c)
{
    return is_conforming(c->code_type) ? c->cpl : c->code_dpl;
}

static void set_gate(const struct gate_case *c, unsigned parameters)
{
    word offset = TARGET_AT;

    gdt_set(GATE, gate(TO | 3, offset, c->gate_type, c->gate_dpl,
                       c->gate_present, parameters));
    gdt_set(GATE + 8, LONG ? (uint64_t)offset >> 32 : 0);
    gdt_set(TO, segment(0, 0xfffff, c->code_type, c->code_dpl,
                        c->code_present, c->code_flags));
    gdt_set(TO + 8, 0);
}

/* Inner stack, from the top: IP, CS, SP, SS of the caller. */
static void check_inner_frame(const struct gate_case *c, unsigned size)
{
    unsigned level = level_after(c);
    word sp = inner_top(level) - 4 * size;

    check(out.gpr[SP], sp, "inner call: SP");
    check(out.ss, LONG ? level : data_sel(level), "inner call: SS");
    check(*at32(sp), CODE_AT + 2, "inner call: return address");
    check(*at16(sp + size), in.cs, "inner call: return CS");
    check(*at32(sp + 2 * size), in.gpr[SP] & 0xffffffff,
          "inner call: return SP");
    check(*at16(sp + 3 * size), data_sel(c->cpl), "inner call: return SS");
}

static void check_gate(const struct gate_case *c)
{
    uint32_t want = expect_gate(c);
    unsigned size = LONG ? 8 : 4;

    set_gate(c, 0);
    ready(c->cpl);
    aim(GATE | c->rpl, 0xdeadbeef);
    CHECK_RUN(want,
              "%s gate %x dpl %u p %u cpl %u rpl %u code %x dpl %u p %u fl %x",
              kind_names[c->kind], c->gate_type, c->gate_dpl, c->gate_present,
              c->cpl, c->rpl, c->code_type, c->code_dpl, c->code_present,
              c->code_flags);
    if (want != OK)
        return;
    check(out.cs, TO | level_after(c), "%s gate: CS", kind_names[c->kind]);
    if (level_after(c) == c->cpl)
        check_pushed(c->kind, size, "gate");
    else
        check_inner_frame(c, size);
}

static void gate_levels(enum far_kind kind)
{
    static const uint8_t types[] = {T_CODE, T_CODE_R, T_CONF_R, T_CODE + 4};

    for (unsigned n = 0; n < 4 * 4 * 4 * 4 * 4; n++) {
        struct gate_case c = {
            .kind = kind, .cpl = n & 3, .rpl = n >> 2 & 3,
            .gate_dpl = n >> 4 & 3, .gate_type = T_CALL32,
            .code_type = types[n >> 8], .code_dpl = n >> 6 & 3,
            .code_flags = FLAT_CODE, .gate_present = true,
            .code_present = true,
        };

        check_gate(&c);
        c.gate_present = false;
        check_gate(&c);
        c.gate_present = true;
        c.code_present = false;
        check_gate(&c);
    }
}

/* What the gate points to: every type, both gates. */
static void gate_targets(enum far_kind kind)
{
    for (unsigned type = 0; type < 32; type++) {
        for (unsigned flags = 0; flags < 4; flags++) {
            struct gate_case c = {
                .kind = kind, .cpl = 0, .gate_dpl = 0, .gate_type = T_CALL32,
                .code_type = type, .code_flags = D_G | (flags & 1 ? D_B : 0) |
                                                 (flags & 2 ? D_L : 0),
                .gate_present = true, .code_present = true,
            };

            if (LONG || flags == 1)
                check_gate(&c);
            if (LONG) {
                c.gate_type = T_CALL16;
                check_gate(&c);
            }
        }
    }
}

/* Selectors in a gate: null is #GP(0), outside #GP(selector). */
static void gate_bad_selectors(enum far_kind kind)
{
    static const uint16_t sels[] = {0, 3, GDT_ENTRIES * 8, 0xfffb, 7};

    for (unsigned i = 0; i < sizeof(sels) / 2; i++) {
        unsigned error = sels[i] & ~3u;

        gdt_set(GATE, gate(sels[i], TARGET_AT, T_CALL32, 3, true, 0));
        gdt_set(GATE + 8, 0);
        ready(3);
        aim(GATE, 0);
        CHECK_RUN(EVENT(GP, error), "%s gate to selector %x",
                  kind_names[kind], sels[i]);
    }
}

void test_call_gates(void)
{
    set_tss_stack(0, inner_top(0), data_sel(0));
    for (enum far_kind kind = JMP; kind <= CALL; kind++) {
        group(kind == JMP ? "JMP call gate" : "CALL call gate",
              "SDM vol. 3, 5.8.4");
        set_program(kind);
        gate_levels(kind);
        gate_targets(kind);
        gate_bad_selectors(kind);
    }
}

/* From compatibility code, to both kinds of code (SDM vol. 3, 5.8.3.1). */
void test_far_compatibility(void)
{
    if (!LONG)
        return;
    code_size = COMPATIBILITY;
    test_far_direct();
    test_call_gates();
    code_size = OWN;
}

/* --- parameters, 16-bit gates --- */

static void check_parameters(unsigned cpl, unsigned level, unsigned count,
                             unsigned size)
{
    struct gate_case c = {
        .kind = CALL, .cpl = cpl, .gate_dpl = 3,
        .gate_type = size == 4 ? T_CALL32 : T_CALL16, .code_type = T_CODE_R,
        .code_dpl = level, .code_flags = D_G | D_B, .gate_present = true,
        .code_present = true,
    };
    word sp = inner_top(level) - (4 + count) * size;
    bool right = true;

    set_gate(&c, count);
    if (size == 2) { /* the offset has 16 bits */
        gdt_set(TO, segment(TARGET_AT - 0x100, 0xffff, T_CODE_R, level, true,
                            D_B));
        gdt_set(GATE, gate(TO, 0x100, T_CALL16, 3, true, count));
    }
    ready(cpl);
    in.gpr[SP] -= count * size;
    for (unsigned i = 0; i < count * size; i++)
        *at8(in.gpr[SP] + i) = (uint8_t)(i * 7 + 1);
    aim(GATE, 0);
    if (!CHECK_RUN(OK, "gate with %u parameters of %u", count, size))
        return;
    check(out.gpr[SP], sp, "%u parameters of %u: SP", count, size);
    for (unsigned i = 0; i < count * size; i++)
        right &= *at8(sp + 2 * size + i) == (uint8_t)(i * 7 + 1);
    check(right, true, "%u parameters of %u: copied", count, size);
    check(*at16(sp + size), code_sel(cpl), "parameters: CS");
    check(*at16(sp + (2 + count) * size), in.gpr[SP] & 0xffff,
          "parameters: SP");
    check(*at16(sp + (3 + count) * size), data_sel(cpl), "parameters: SS");
}

/* A call from level 3 through a gate to nonconforming code at `level`. */
static struct gate_case inner_call(unsigned level)
{
    return (struct gate_case){
        .kind = CALL, .cpl = 3, .gate_dpl = 3, .gate_type = T_CALL32,
        .code_type = T_CODE_R, .code_dpl = level, .code_flags = FLAT_CODE,
        .gate_present = true, .code_present = true,
    };
}

/* The stack of the inner level comes from the TSS: a bad one is #TS, one that
 * is not present #SS, both with its selector (SDM vol. 2, CALL: MORE-
 * PRIVILEGE). */
static void inner_stacks(void)
{
    for (unsigned n = 0; n < 32 * 2 * 4 * 4; n++) {
        unsigned type = n & 31, present = n >> 5 & 1, dpl = n >> 6 & 3;
        unsigned rpl = n >> 8 & 3, level = 1;
        bool good = is_writable(type) && dpl == level && rpl == level;
        unsigned sel = STACK;
        uint32_t want = !good ? EVENT(TS, sel)
                              : present ? OK : EVENT(SS_, sel);
        struct gate_case c = inner_call(level);

        set_gate(&c, 0);
        gdt_set(STACK, flat(type, dpl, present));
        set_tss_stack(level, inner_top(level), STACK | rpl);
        ready(3);
        aim(GATE, 0);
        CHECK_RUN(want, "inner stack type %x dpl %u rpl %u p %u", type, dpl,
                  rpl, present);
        if (want == OK)
            check(out.ss, STACK | rpl, "inner stack: SS");
        else
            check(out.ip, CODE_AT, "inner stack: IP of the fault");
    }
    set_tss_stack(1, inner_top(1), data_sel(1));
}

static void inner_stack_selectors(void)
{
    static const uint16_t sels[] = {0, 1, GDT_ENTRIES * 8 + 1, 0xfff9, 5};
    struct gate_case c = inner_call(1);

    set_gate(&c, 0);
    for (unsigned i = 0; i < sizeof(sels) / 2; i++) {
        unsigned error = sels[i] & ~3u;

        set_tss_stack(1, inner_top(1), sels[i]);
        ready(3);
        aim(GATE, 0);
        CHECK_RUN(EVENT(TS, error), "inner stack selector %x", sels[i]);
    }
    set_tss_stack(1, inner_top(1), data_sel(1));
}

/* A TSS too short for the stack of the level: #TS with TR. */
static void short_tss(void)
{
    struct gate_case c = inner_call(2);

    /* SS of level 2 ends at byte 25 (SDM vol. 3, figure 7-2). */
    for (unsigned limit = 16; limit < 30; limit++) {
        uint32_t want = limit >= 25 ? OK : EVENT(TS, SEL_TSS);

        set_gate(&c, 0);
        gdt_set(SEL_TSS, segment((uint32_t)(word)&tss, limit, T_TSS32, 0, true,
                                 0));
        load_tr(SEL_TSS);
        ready(3);
        aim(GATE, 0);
        CHECK_RUN(want, "inner stack beyond a TSS of limit %u", limit);
    }
    machine_restore();
}

/* The frame must fit on the new stack: #SS with its selector. */
static void inner_stack_room(void)
{
    struct gate_case c = inner_call(1);

    for (unsigned parameters = 0; parameters < 4; parameters++) {
        for (unsigned room = 0; room < 36; room += 2) {
            bool fits = room >= 16 + 4 * parameters;
            uint32_t want = fits ? OK : EVENT(SS_, STACK);

            set_gate(&c, parameters);
            /* Expand-down: offsets above 0xfff are valid. */
            gdt_set(STACK, segment(ARENA, 0, T_DATA_DOWN, 1, true,
                                   D_G | D_B));
            set_tss_stack(1, 0x1000 + room, STACK | 1);
            ready(3);
            aim(GATE, 0);
            in.gpr[SP] -= 64;
            if (!fits)
                CHECK_RUN(want, "room for %u bytes, %u parameters", room,
                          parameters);
        }
    }
    set_tss_stack(1, inner_top(1), data_sel(1));
}

void test_call_gate_stacks(void)
{
    set_tss_stack(0, inner_top(0), data_sel(0));
    set_program(CALL);
    group("call gate parameters", "SDM vol. 3, 5.8.5");
    for (unsigned count = 0; count < 32; count++) {
        check_parameters(3, 0, count, 4);
        check_parameters(2, 1, count, 4);
        check_parameters(3, 1, count, 2);
    }
    group("call gate stacks", "SDM vol. 2, CALL");
    inner_stacks();
    inner_stack_selectors();
    inner_stack_room();
    short_tss();
}
