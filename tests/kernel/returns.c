/* RETF and IRET to the same level and outward. */

#include "kernel.h"
#include "tests.h"

enum { TO = SEL_TEST + 0x20, STACK = SEL_TEST + 0x30, GATES = SEL_TEST };
enum how { RETF, IRET };

static const char *const how_names[] = {"retf", "iret"};

/* In long mode with REX.W: items of 8 bytes, as the kernel itself would. */
static void set_program(enum how how)
{
    if (LONG)
        PROGRAM(0x48, how == RETF ? 0xcb : 0xcf);
    else
        PROGRAM(how == RETF ? 0xcb : 0xcf);
}

static void push(word v)
{
    in.gpr[SP] -= sizeof(word);
    *(word *)in.gpr[SP] = v;
}

static bool pops_stack(enum how how, unsigned cpl, unsigned rpl)
{
    return rpl > cpl || (LONG && how == IRET);
}

static void push_frame(enum how how, unsigned cs, unsigned ss, word sp)
{
    push(ss);
    push(sp);
    if (how == IRET)
        push(2);
    push(cs);
    push(TARGET_AT);
}

/* SDM vol. 2, RET and IRET. */
static uint32_t expect_code(unsigned type, unsigned dpl, unsigned cpl,
                            unsigned rpl, bool present)
{
    unsigned sel = TO;

    if (!is_code(type) || rpl < cpl)
        return EVENT(GP, sel);
    if (is_conforming(type) ? dpl > rpl : dpl != rpl)
        return EVENT(GP, sel);
    return present ? OK : EVENT(NP, sel);
}

static void check_code(enum how how, unsigned n)
{
    unsigned type = n & 31, present = n >> 5 & 1, dpl = n >> 6 & 3;
    unsigned cpl = n >> 8 & 3, rpl = n >> 10 & 3;
    uint32_t want = expect_code(type, dpl, cpl, rpl, present);
    bool outward = pops_stack(how, cpl, rpl);

    gdt_set(TO, flat(type, dpl, present));
    ready(cpl);
    push_frame(how, TO | rpl, data_sel(rpl), stack_top(3) - 0x100);
    CHECK_RUN(want, "%s type %x dpl %u cpl %u rpl %u p %u", how_names[how],
              type, dpl, cpl, rpl, present);
    check(raw_type(gdt[TO / 8]), want == OK ? type | 1 : type,
          "%s type %x: accessed bit", how_names[how], type);
    if (want != OK) {
        check(out.gpr[SP], in.gpr[SP], "%s: SP after fault", how_names[how]);
        return;
    }
    check(out.cs, TO | rpl, "%s: CS", how_names[how]);
    check(out.ss, data_sel(outward ? rpl : cpl), "%s: SS", how_names[how]);
    check(out.gpr[SP],
          outward ? stack_top(3) - 0x100
                  : in.gpr[SP] + (how == IRET ? 3 : 2) * sizeof(word),
          "%s: SP", how_names[how]);
}

static void code_outside(enum how how)
{
    static const uint16_t sels[] = {0, 1, 3, GDT_ENTRIES * 8, 0xfffb, 4, 7};

    for (unsigned i = 0; i < sizeof(sels) / 2; i++) {
        unsigned error = sels[i] & ~3u;

        ready(0);
        push_frame(how, sels[i], data_sel(3), stack_top(3));
        CHECK_RUN(EVENT(GP, error), "%s to CS %x", how_names[how], sels[i]);
    }
}

/* The stack of the outer level: #GP for a wrong one, #SS for one that is not
 * present (SDM vol. 2, RETURN-TO-OUTER-PRIVILEGE-LEVEL in the operation of
 * both; vol. 3, 6.15, interrupt 12). */
static void check_stack(enum how how, unsigned n)
{
    unsigned type = n & 31, present = n >> 5 & 1, dpl = n >> 6 & 3;
    unsigned rpl = n >> 8 & 3, level = 1 + (n >> 10);
    bool good = is_writable(type) && dpl == level && rpl == level;
    unsigned sel = STACK;
    uint32_t want = !good ? EVENT(GP, sel) : present ? OK : EVENT(SS_, sel);

    gdt_set(STACK, flat(type, dpl, present));
    ready(0);
    push_frame(how, code_sel(level), STACK | rpl, stack_top(level) - 0x100);
    CHECK_RUN(want, "%s to level %u, SS type %x dpl %u rpl %u p %u",
              how_names[how], level, type, dpl, rpl, present);
    check(out.ss, want == OK ? STACK | rpl : SEL_DATA, "%s: SS",
          how_names[how]);
    check(raw_type(gdt[STACK / 8]), want == OK ? type | 1 : type,
          "%s: SS accessed bit", how_names[how]);
}

/* Null is for 64-bit code of levels 0 to 2 with the RPL of CS. */
static void null_stacks(enum how how)
{
    for (unsigned level = 1; level < 4; level++) {
        for (unsigned rpl = 0; rpl < 4; rpl++) {
            bool ok = LONG && level != 3 && rpl == level;

            ready(0);
            push_frame(how, code_sel(level), rpl, stack_top(level));
            CHECK_RUN(ok ? OK : EVENT(GP, 0), "%s to level %u, SS null %u",
                      how_names[how], level, rpl);
            if (LONG) {
                ready(0);
                push_frame(how, code32_sel(level), rpl, stack_top(level));
                CHECK_RUN(EVENT(GP, 0), "%s to level %u, 32-bit, SS null %u",
                          how_names[how], level, rpl);
            }
        }
    }
}

static void stack_outside(enum how how)
{
    static const uint16_t sels[] = {GDT_ENTRIES * 8 + 3, 0xfffb, 7, 0xffff};

    for (unsigned i = 0; i < sizeof(sels) / 2; i++) {
        unsigned error = sels[i] & ~3u;

        ready(0);
        push_frame(how, code_sel(3), sels[i], stack_top(3));
        CHECK_RUN(EVENT(GP, error), "%s to SS %x", how_names[how], sels[i]);
    }
}

/* Registers that the outer level could not have loaded become null. */
static void dropped_segments(enum how how)
{
    for (unsigned n = 0; n < 16 * 4 * 3; n++) {
        unsigned type = T_S | (n & 15), dpl = n >> 4 & 3, level = 1 + (n >> 6);
        bool keeps = is_conforming(type) || dpl >= level;
        word want = keeps ? SEL_TEST : 0;

        if (!is_readable(type))
            continue;
        gdt_set(SEL_TEST, flat(type, dpl, true));
        ready(0);
        in.ds = in.es = in.fs = in.gs = SEL_TEST;
        push_frame(how, code_sel(level), data_sel(level), stack_top(level));
        CHECK_RUN(OK, "%s outward", how_names[how]);
        check(out.ds, want, "%s to %u, type %x dpl %u: DS", how_names[how],
              level, type, dpl);
        check(out.es, want, "%s to %u, type %x dpl %u: ES", how_names[how],
              level, type, dpl);
        check(out.fs, want, "%s to %u, type %x dpl %u: FS", how_names[how],
              level, type, dpl);
        check(out.gs, want, "%s to %u, type %x dpl %u: GS", how_names[how],
              level, type, dpl);
    }
}

/* RET n releases on both stacks. */
static void releases(void)
{
    for (unsigned level = 0; level < 4; level++) {
        for (unsigned n = 0; n < 64; n += 12) {
            word sp = stack_top(level) - 0x400, same;

            if (LONG)
                PROGRAM(0x48, 0xca, (uint8_t)n, 0);
            else
                PROGRAM(0xca, (uint8_t)n, 0);
            ready(0);
            push(data_sel(level));
            push(sp);
            in.gpr[SP] -= n;
            push(code_sel(level));
            push(TARGET_AT);
            same = in.gpr[SP] + 2 * sizeof(word) + n;
            CHECK_RUN(OK, "retf %u to level %u", n, level);
            check(out.gpr[SP], level ? sp + n : same,
                  "retf %u to level %u: SP", n, level);
        }
    }
}

void test_returns(void)
{
    for (enum how how = RETF; how <= IRET; how++) {
        group(how == RETF ? "RETF" : "IRET", "SDM vol. 2, RET, IRET");
        set_program(how);
        for (unsigned n = 0; n < 32 * 2 * 4 * 4 * 4; n++)
            check_code(how, n);
        code_outside(how);
        for (unsigned n = 0; n < 32 * 2 * 4 * 4 * 3; n++)
            check_stack(how, n);
        null_stacks(how);
        stack_outside(how);
        dropped_segments(how);
    }
    releases();
}

/* --- flags --- */

/* What IRET may change at a level and IOPL (SDM vol. 2, IRET). */
static word iret_mask(unsigned cpl, unsigned iopl)
{
    word mask = 0x244dd5; /* CF PF AF ZF SF TF DF OF NT AC ID */

    /* RF is set too, and cleared again by INT 0xff, which pushes 0 for it
     * (SDM vol. 3, 17.3.1.1). */

    mask &= ~(word)F_TF; /* not tested here */
    if (cpl <= iopl)
        mask |= F_IF;
    if (cpl == 0)
        mask |= F_IOPL | F_VIF | F_VIP;
    return mask;
}

static void check_flags(unsigned cpl, unsigned iopl, word image)
{
    word old = 2 | iopl << 12, mask = iret_mask(cpl, iopl);

    ready(cpl);
    in.flags = old;
    if (LONG) {
        push(data_sel(cpl));
        push(stack_top(cpl));
    }
    push(image);
    push(code_sel(cpl));
    push(TARGET_AT);
    if (LONG)
        PROGRAM(0x48, 0xcf);
    else
        PROGRAM(0xcf);
    CHECK_RUN(OK, "iret flags %lx cpl %u iopl %u", image, cpl, iopl);
    check(out.flags, (old & ~mask) | (image & mask) | 2,
          "iret flags %lx cpl %u iopl %u: result", image, cpl, iopl);
}

/* PUSHF, then POPF: IF needs CPL <= IOPL, IOPL needs CPL 0 (SDM vol. 2). */
static void check_popf(unsigned cpl, unsigned iopl, word image)
{
    word mask = 0x244cd5 | (cpl <= iopl ? F_IF : 0) | (cpl ? 0 : F_IOPL);
    word old = 2 | iopl << 12;

    ready(cpl);
    in.flags = old;
    push(image);
    PROGRAM(0x9d, 0x9c);
    CHECK_RUN(OK, "popf %lx cpl %u iopl %u", image, cpl, iopl);
    check(*(word *)out.gpr[SP], (old & ~mask) | (image & mask) | 2,
          "popf %lx cpl %u iopl %u: result", image, cpl, iopl);
}

void test_flags(void)
{
    group("IRET and POPF: flags", "SDM vol. 2, IRET, POPF, table 4-15");
    for (unsigned cpl = 0; cpl < 4; cpl++) {
        for (unsigned iopl = 0; iopl < 4; iopl++) {
            for (unsigned bit = 0; bit < 22; bit++) {
                word image = (word)1 << bit;

                if (image == F_TF || image == F_VM)
                    continue;
                check_flags(cpl, iopl, image);
                check_popf(cpl, iopl, image);
            }
            check_flags(cpl, iopl, 0x3dfeff & ~(word)F_VM);
            check_popf(cpl, iopl, 0x3dfeff & ~(word)F_VM);
        }
    }
}
