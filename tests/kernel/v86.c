/* Virtual-8086 mode, with and without CR4.VME.  32-bit only.  Its programs end
 * with INT3, which does not depend on IOPL. */

#include "kernel.h"
#include "tests.h"

enum {
    CS16 = CODE16_AT >> 4, SS16 = STACK16_AT >> 4, DS16 = 0x1c00,
    HANDLER = 0x800, /* offset in CS16 of a handler of the program's own */
    VECTOR = 0x40, TOP16 = 0x1000, STAY = EVENT(BP_, 0),
};

static void ready_v86(unsigned iopl)
{
    ready(0);
    in.flags = 2 | F_VM | iopl << 12;
    in.cs = CS16;
    in.ip = 0;
    in.ss = SS16;
    in.gpr[SP] = TOP16;
    in.ds = DS16;
    in.es = 0x1c10;
    in.fs = 0x1c20;
    in.gs = 0x1c30;
}

#define PROGRAM16(...)        \
    do {                      \
        code_at(CODE16_AT);   \
        CODE(__VA_ARGS__);    \
        CODE(0xcc);           \
    } while (0)

static unsigned top16(unsigned i)
{
    return *at16(STACK16_AT + (out.gpr[SP] & 0xffff) + 2 * i);
}

static void set_vme(bool on)
{
    set_cr4(on ? get_cr4() | CR4_VME : get_cr4() & ~(word)CR4_VME);
}

/* --- entry and state (SDM vol. 3, 20.2) --- */

static void entry(void)
{
    PROGRAM16(0x90);
    for (unsigned iopl = 0; iopl < 4; iopl++) {
        ready_v86(iopl);
        CHECK_RUN(STAY, "enter, IOPL %u", iopl);
        check(out.flags, in.flags, "enter: flags");
        check(out.cs, CS16, "enter: CS");
        check(out.ss, SS16, "enter: SS");
        check(out.ds, DS16, "enter: DS");
        check(out.es, 0x1c10, "enter: ES");
        check(out.fs, 0x1c20, "enter: FS");
        check(out.gs, 0x1c30, "enter: GS");
        check(out.gpr[SP], TOP16, "enter: SP");
    }
    ready_v86(3);
    in.ip = 0x10000;
    code_at(CODE16_AT + 0x10000);
    CODE(0xcc);
    CHECK_RUN(EVENT(GP, 0), "enter at an IP beyond 64 KiB");
}

/* Loading a segment register shifts by four, whatever the value. */
static void loads(void)
{
    static const uint16_t sels[] = {0, 1, 7, 0x1234, 0x8000, 0xffff};

    for (unsigned i = 0; i < 6; i++) {
        PROGRAM16(0x8e, 0xd8, 0x67, 0x8b, 0x0d, 0, 0, 0, 0);
        ready_v86(0);
        in.gpr[AX] = sels[i];
        CHECK_RUN(STAY, "mov ds, %x", sels[i]);
        check(out.ds, sels[i], "mov ds, %x: DS", sels[i]);
        check(out.gpr[CX] & 0xffff, *at16((word)sels[i] << 4),
              "mov ds, %x: read at its base", sels[i]);
    }
}

/* Limits are 64 KiB: #GP(0), #SS(0) for the stack. */
static void limits16(void)
{
    static const struct {
        const char *name;
        uint8_t bytes[8], n;
        uint32_t bx, want;
    } cases[] = {
        {"mov al, [fffe]", {0x8a, 0x07}, 2, 0xfffe, STAY},
        {"mov al, [ffff]", {0x8a, 0x07}, 2, 0xffff, STAY},
        {"mov ax, [fffe]", {0x8b, 0x07}, 2, 0xfffe, STAY},
        {"mov ax, [ffff]", {0x8b, 0x07}, 2, 0xffff, EVENT(GP, 0)},
        {"mov eax, [fffc]", {0x66, 0x8b, 0x07}, 3, 0xfffc, STAY},
        {"mov eax, [fffd]", {0x66, 0x8b, 0x07}, 3, 0xfffd, EVENT(GP, 0)},
        {"mov [ffff], ax", {0x89, 0x07}, 2, 0xffff, EVENT(GP, 0)},
        {"ss: [ffff]", {0x36, 0x8b, 0x07}, 3, 0xffff, EVENT(SS_, 0)},
        {"cs: [ffff]", {0x2e, 0x8b, 0x07}, 3, 0xffff, EVENT(GP, 0)},
        {"a32 [10000]", {0x67, 0x8a, 0x03}, 3, 0x10000, EVENT(GP, 0)},
        {"a32 [ffff]", {0x67, 0x8a, 0x03}, 3, 0xffff, STAY},
        {"cs: write", {0x2e, 0x88, 0x07}, 3, 0x900, STAY},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        code_at(CODE16_AT);
        code_bytes(cases[i].bytes, cases[i].n);
        CODE(0xcc);
        ready_v86(0);
        in.gpr[BX] = cases[i].bx;
        CHECK_RUN(cases[i].want, "%s", cases[i].name);
    }
}

/* SP wraps from 0 to FFFE; a push at 1 does not fit (SDM vol. 2, PUSH). */
static void stack_wraps(void)
{
    PROGRAM16(0x50);
    for (unsigned sp = 0; sp < 4; sp++) {
        ready_v86(3);
        in.gpr[SP] = sp;
        CHECK_RUN(sp == 1 ? EVENT(SS_, 0) : STAY, "push ax at SP %u", sp);
        check(out.gpr[SP], sp == 1 ? 1 : (sp - 2) & 0xffff,
              "push ax at SP %u: SP", sp);
    }
}

void test_v86_state(void)
{
    group("V86: state", "SDM vol. 3, 20.1, 20.2");
    entry();
    loads();
    limits16();
    stack_wraps();
    memset(at8(0), 0, 1024);
}

/* --- what a program may not do (SDM vol. 3, 20.2.7; vol. 2) --- */

static void check_instruction(const char *name, const uint8_t *bytes,
                              unsigned n, uint32_t want)
{
    for (unsigned iopl = 0; iopl < 4; iopl += 3) {
        code_at(CODE16_AT);
        code_bytes(bytes, n);
        CODE(0xcc);
        ready_v86(iopl);
        in.gpr[BX] = 0x40;
        CHECK_RUN(want, "%s, IOPL %u", name, iopl);
    }
}

#define INSTRUCTION(name, want, ...)                                \
    check_instruction(name, (const uint8_t[]){__VA_ARGS__},         \
                      sizeof((const uint8_t[]){__VA_ARGS__}), want)

void test_v86_instructions(void)
{
    uint32_t gp = EVENT(GP, 0), ud = EVENT(UD, 0);

    group("V86: instructions", "SDM vol. 3, 20.2.7; vol. 2");
    INSTRUCTION("sldt", ud, 0x0f, 0x00, 0xc0);
    INSTRUCTION("str", ud, 0x0f, 0x00, 0xc8);
    INSTRUCTION("lldt", ud, 0x0f, 0x00, 0xd0);
    INSTRUCTION("ltr", ud, 0x0f, 0x00, 0xd8);
    INSTRUCTION("verr", ud, 0x0f, 0x00, 0xe0);
    INSTRUCTION("verw", ud, 0x0f, 0x00, 0xe8);
    INSTRUCTION("lar", ud, 0x0f, 0x02, 0xc0);
    INSTRUCTION("lsl", ud, 0x0f, 0x03, 0xc0);
    INSTRUCTION("arpl", ud, 0x63, 0xc0);
    INSTRUCTION("sgdt", STAY, 0x0f, 0x01, 0x07);
    INSTRUCTION("sidt", STAY, 0x0f, 0x01, 0x0f);
    INSTRUCTION("lgdt", gp, 0x0f, 0x01, 0x17);
    INSTRUCTION("lidt", gp, 0x0f, 0x01, 0x1f);
    INSTRUCTION("smsw", STAY, 0x0f, 0x01, 0xe0);
    INSTRUCTION("lmsw", gp, 0x0f, 0x01, 0xf0);
    INSTRUCTION("invlpg", gp, 0x0f, 0x01, 0x3f);
    INSTRUCTION("clts", gp, 0x0f, 0x06);
    INSTRUCTION("invd", gp, 0x0f, 0x08);
    INSTRUCTION("wbinvd", gp, 0x0f, 0x09);
    INSTRUCTION("mov from cr0", gp, 0x0f, 0x20, 0xc0);
    INSTRUCTION("mov to cr0", gp, 0x0f, 0x22, 0xc0);
    INSTRUCTION("mov from dr0", gp, 0x0f, 0x21, 0xc0);
    INSTRUCTION("mov to dr0", gp, 0x0f, 0x23, 0xc0);
    INSTRUCTION("rdmsr", gp, 0x0f, 0x32);
    INSTRUCTION("wrmsr", gp, 0x0f, 0x30);
    INSTRUCTION("hlt", gp, 0xf4);
    INSTRUCTION("sysexit", gp, 0x0f, 0x35);
    INSTRUCTION("ud2", ud, 0x0f, 0x0b);
    INSTRUCTION("lock nop", ud, 0xf0, 0x90);
    INSTRUCTION("rdtsc", STAY, 0x0f, 0x31);
    INSTRUCTION("cpuid", STAY, 0x0f, 0xa2);
}

/* --- instructions on IF (SDM vol. 3, 20.2.7, 20.3, 20.4; vol. 2) --- */

enum if_op { CLI, STI, PUSHF, PUSHFD, POPF, POPFD, IRET, IRETD, IF_OPS };

static const char *const if_names[] = {"cli", "sti", "pushf", "pushfd",
                                       "popf", "popfd", "iret", "iretd"};

static void set_if_program(enum if_op op)
{
    static const uint8_t bytes[] = {0xfa, 0xfb, 0x9c, 0x9c, 0x9d, 0x9d, 0xcf,
                                    0xcf};

    code_at(CODE16_AT);
    if (op == PUSHFD || op == POPFD || op == IRETD)
        CODE(0x66);
    CODE(bytes[op]);
    CODE(0xcc);
    code_at(CODE16_AT + HANDLER);
    CODE(0xcc);
}

static bool is_wide(enum if_op op)
{
    return op == PUSHFD || op == POPFD || op == IRETD;
}

static bool takes_image(enum if_op op)
{
    return op >= POPF;
}

/* Is it a fault, and if not, what are the flags after? */
static bool expect_if(enum if_op op, word old, word image, bool vme,
                      word *flags)
{
    unsigned iopl = old >> 12 & 3;
    word low = 0xcd5 | F_NT; /* CF PF AF ZF SF DF OF NT */
    bool virtual = vme && iopl < 3;
    word flag = virtual ? F_VIF : F_IF;

    *flags = old;
    if (iopl < 3 && (!vme || is_wide(op)))
        return false;
    if (op == CLI)
        *flags = old & ~flag;
    if (op == STI) {
        if (virtual && (old & F_VIP))
            return false;
        *flags = old | flag;
    }
    if (!takes_image(op))
        return true;
    if (virtual && ((image & F_TF) || ((image & F_IF) && (old & F_VIP))))
        return false;
    if (is_wide(op))
        low |= F_AC | F_ID;
    *flags = (old & ~(low | flag)) | (image & low) | (image & F_IF ? flag : 0);
    return true;
}

/* What PUSHF shows: with VME the program's IF is VIF, its IOPL 3. */
static word shown(word flags, bool vme)
{
    unsigned iopl = flags >> 12 & 3;

    if (vme && iopl < 3) {
        flags &= ~(word)F_IF;
        flags |= F_IOPL | (flags & F_VIF ? F_IF : 0);
    }
    return flags & ~(word)(F_VM | F_RF);
}

static void check_if(enum if_op op, word flags, word image, bool vme)
{
    unsigned size = is_wide(op) ? 4 : 2;
    bool iret = op == IRET || op == IRETD;
    word want;
    bool ok = expect_if(op, flags, image, vme, &want);
    word where = CODE16_AT >> 4;

    ready_v86(0);
    in.flags = flags;
    if (takes_image(op)) {
        in.gpr[SP] -= size;
        if (size == 4)
            *at32(STACK16_AT + in.gpr[SP]) = (uint32_t)image;
        else
            *at16(STACK16_AT + in.gpr[SP]) = (uint16_t)image;
    }
    if (iret) {
        in.gpr[SP] -= 2 * size;
        *at32(STACK16_AT + in.gpr[SP] + size) =
            (uint32_t)where | (size == 2 ? (uint32_t)image << 16 : 0);
        if (size == 4)
            *at32(STACK16_AT + in.gpr[SP]) = HANDLER;
        else
            *at16(STACK16_AT + in.gpr[SP]) = HANDLER;
    }
    if (!CHECK_RUN(ok ? STAY : EVENT(GP, 0), "%s flags %lx image %lx vme %u",
                   if_names[op], flags, image, vme))
        return;
    check(out.flags & ~(word)F_RF, ok ? want : flags & ~(word)F_RF,
          "%s flags %lx image %lx vme %u: flags", if_names[op], flags, image,
          vme);
    if (!ok)
        check(out.gpr[SP], in.gpr[SP], "%s: SP after fault", if_names[op]);
    if (ok && op == PUSHF)
        check(top16(0), shown(flags, vme) & 0xffff, "pushf %lx vme %u: image",
              flags, vme);
    if (ok && op == PUSHFD)
        check(top16(0) | (word)top16(1) << 16, shown(flags, vme),
              "pushfd %lx vme %u: image", flags, vme);
}

static void all_if(enum if_op op, bool vme)
{
    static const word images[] = {
        2, 2 | F_IF, 2 | F_NT, 2 | F_IOPL, 0xcd7, 2 | F_IF | F_CF,
        2 | F_TF, 2 | F_TF | F_IF, 2 | F_AC, 2 | F_ID | F_IF,
        2 | F_VIF | F_VIP,
    };

    for (unsigned n = 0; n < 4 * 8; n++) {
        word flags = 2 | F_VM | (word)(n & 3) << 12 | (n & 4 ? F_IF : 0) |
                     (n & 8 ? F_VIF : 0) | (n & 16 ? F_VIP : 0);

        /* Both set is a pending interrupt: a test of its own. */
        if ((n & 24) == 24)
            continue;
        for (unsigned i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
            word after;

            /* A trap would follow; tests of debug traps have it. */
            if ((images[i] & F_TF) &&
                expect_if(op, flags, images[i], vme, &after))
                continue;
            if (i == 0 || takes_image(op))
                check_if(op, flags, images[i], vme);
        }
    }
}

void test_v86_interrupt_flag(void)
{
    for (unsigned vme = 0; vme < 2; vme++) {
        group(vme ? "V86: IF with VME" : "V86: IF without VME",
              vme ? "SDM vol. 3, 20.3.3" : "SDM vol. 3, 20.2.7");
        set_vme(vme);
        for (enum if_op op = 0; op < IF_OPS; op++) {
            set_if_program(op);
            all_if(op, vme);
        }
    }
    set_vme(false);
}

/* VIF and VIP both set: #GP before the next instruction, with VME and IOPL
 * below 3 (SDM vol. 3, 2.3, VIP; 20.3.3). */
void test_v86_pending(void)
{
    group("V86: VIP", "SDM vol. 3, 20.3.3");
    for (unsigned vme = 0; vme < 2; vme++) {
        set_vme(vme);
        for (unsigned iopl = 0; iopl < 4; iopl++) {
            PROGRAM16(0x40); /* inc ax */
            ready_v86(iopl);
            in.flags |= F_VIF | F_VIP;
            bool due = vme && iopl < 3;

            CHECK_RUN(due ? EVENT(GP, 0) : STAY, "VIF and VIP, VME %u", vme);
            check(out.gpr[AX], !due, "VIF and VIP: nothing was done");
            ready_v86(iopl);
            in.flags |= F_VIP;
            CHECK_RUN(STAY, "VIP alone, VME %u", vme);
        }
    }
    set_vme(false);
}

/* --- INT n: by the IDT, by the program's own table (table 20-2) --- */

static void set_redirection(unsigned vector, bool to_idt)
{
    unsigned at = vector / 8;

    memset(tss.map, 0, 32);
    tss.map[at] = to_idt ? (uint8_t)(1u << vector % 8) : 0;
    if (!to_idt) { /* all others the other way: only this bit counts */
        memset(tss.map, 0xff, 32);
        tss.map[at] = (uint8_t)~(1u << vector % 8);
    }
    tss.at[25] = (104u + 32) << 16;
    gdt_set(SEL_TSS, segment((uint32_t)(word)&tss, 104 + 32 + 8, T_TSS32, 0,
                             true, 0));
    load_tr(SEL_TSS);
}

static void by_own_table(unsigned vector, word flags)
{
    bool trusted = (flags & F_IOPL) == F_IOPL;
    word clear = trusted ? F_IF : F_VIF;

    check(out.ip, HANDLER + 1, "int %x: IP in the program's handler", vector);
    check(out.cs, CS16, "int %x: CS", vector);
    check(out.gpr[SP], in.gpr[SP] - 6, "int %x: SP", vector);
    check(top16(0), 2, "int %x: pushed IP", vector);
    check(top16(1), CS16, "int %x: pushed CS", vector);
    check(top16(2), shown(flags, true) & 0xffff, "int %x: pushed flags",
          vector);
    check(out.flags, flags & ~(clear | F_TF), "int %x: flags", vector);
}

/* Nine words: IP CS FLAGS SP SS ES DS FS GS; segments null in the handler. */
static void by_idt(unsigned vector, word flags)
{
    word sp = inner_top(0) - 36;
    const uint32_t *frame = at32(sp);

    check(out.cs, SEL_CODE, "int %x: CS", vector);
    check(out.gpr[SP], sp, "int %x: SP", vector);
    check(out.ds | out.es | out.fs | out.gs, 0, "int %x: segments", vector);
    check(frame[0], 2, "int %x: frame IP", vector);
    check(frame[1] & 0xffff, CS16, "int %x: frame CS", vector);
    check(frame[2], flags, "int %x: frame flags", vector);
    check(frame[3], in.gpr[SP], "int %x: frame SP", vector);
    check(frame[4] & 0xffff, SS16, "int %x: frame SS", vector);
    check(frame[5] & 0xffff, 0x1c10, "int %x: frame ES", vector);
    check(frame[6] & 0xffff, DS16, "int %x: frame DS", vector);
    check(frame[7] & 0xffff, 0x1c20, "int %x: frame FS", vector);
    check(frame[8] & 0xffff, 0x1c30, "int %x: frame GS", vector);
    check(out.flags & (F_VM | F_IF | F_TF | F_NT), 0, "int %x: flags",
          vector);
}

static void check_int(unsigned vector, unsigned n)
{
    bool vme = n & 1, to_idt = n & 2, vif = n & 4, own;
    unsigned iopl = n >> 3 & 3, dpl = n >> 5 & 1 ? 3 : 0;
    unsigned error = vector << 3 | 2;
    word flags = 2 | F_VM | F_IF | F_CF | (word)iopl << 12 |
                 (vif ? F_VIF : 0);
    uint32_t want;

    own = vme && !to_idt;
    if (own)
        want = STAY;
    else if (iopl < 3)
        want = EVENT(GP, 0);
    else
        want = dpl == 3 ? OK : EVENT(GP, error);
    set_vme(vme);
    set_redirection(vector, to_idt);
    set_tss_stack(0, inner_top(0), SEL_DATA);
    idt_set(vector, SEL_CODE, TARGET_AT, T_INT32, dpl, true, 0);
    *at32(vector * 4) = (uint32_t)CS16 << 16 | HANDLER;
    code_at(CODE16_AT + HANDLER);
    CODE(0xcc);
    PROGRAM16(0xcd, (uint8_t)vector);
    ready_v86(0);
    in.flags = flags;
    if (CHECK_RUN(want, "int %x, VME %u, bit %u, IOPL %u, gate dpl %u", vector,
                  vme, to_idt, iopl, dpl)) {
        if (own)
            by_own_table(vector, flags);
        else if (want == OK)
            by_idt(vector, flags);
        else
            check(out.flags & ~(word)F_RF, flags, "int %x: flags of the fault",
                  vector);
    }
    idt_restore(vector);
    memset(at8(0), 0, 1024);
}

/* A map that lies beyond the TSS, or has no room before it: #GP. */
static void short_maps(void)
{
    set_vme(true);
    PROGRAM16(0xcd, VECTOR);
    for (unsigned base = 0; base < 3; base++) {
        set_redirection(VECTOR, false);
        *at32(VECTOR * 4) = (uint32_t)CS16 << 16 | HANDLER;
        if (base == 0)
            tss.at[25] = 31u << 16;
        if (base == 1)
            tss.at[25] = 0xfff0u << 16;
        ready_v86(3);
        CHECK_RUN(base == 2 ? STAY : EVENT(GP, 0),
                  "redirection map at %x", tss.at[25] >> 16);
    }
    set_vme(false);
    machine_restore();
}

/* Handlers of virtual-8086 programs run at level 0 (SDM vol. 2, INT n: #GP
 * with the selector of the handler's code segment). */
static void handler_levels(void)
{
    unsigned to = SEL_TEST;

    PROGRAM16(0xcd, VECTOR);
    for (unsigned n = 0; n < 8; n++) {
        unsigned dpl = n & 3, type = n & 4 ? T_CONF_R : T_CODE_R;
        bool ok = dpl == 0 && type == T_CODE_R;

        idt_set(VECTOR, to, TARGET_AT, T_INT32, 3, true, 0);
        gdt_set(to, flat(type, dpl, true));
        ready_v86(3);
        CHECK_RUN(ok ? OK : EVENT(GP, to), "handler type %x dpl %u", type,
                  dpl);
    }
    idt_restore(VECTOR);
}

void test_v86_int(void)
{
    group("V86: INT n", "SDM vol. 3, 20.3.3, table 20-2");
    for (unsigned n = 0; n < 64; n++) {
        check_int(VECTOR, n);
        check_int(0x47, n);
        check_int(0xf8, n);
    }
    short_maps();
    handler_levels();
    machine_restore();
}

/* --- PVI: the same flag for level 3 in protected mode (20.4) --- */

void test_pvi(void)
{
    group("PVI", "SDM vol. 3, 20.4; vol. 2, CLI, STI");
    for (unsigned n = 0; n < 4 * 4 * 2 * 2 * 2; n++) {
        unsigned cpl = n & 3, iopl = n >> 2 & 3;
        bool pvi = n & 16, sti = n & 32, vip = n & 64;
        bool real = cpl <= iopl, virtual = !real && pvi && cpl == 3;
        word flags = 2 | (word)iopl << 12 | (vip ? F_VIP : 0), want = flags;
        bool ok = real || virtual;

        if (virtual && sti && vip)
            ok = false;
        if (ok && sti)
            want |= real ? F_IF : F_VIF;
        set_cr4(pvi ? get_cr4() | CR4_PVI : get_cr4() & ~(word)CR4_PVI);
        PROGRAM(sti ? 0xfb : 0xfa);
        ready(cpl);
        in.flags = flags | (sti ? 0 : real ? F_IF : vip ? 0 : F_VIF);
        if (!sti && !ok)
            want = in.flags;
        if (!sti && ok && !real)
            want = flags;
        CHECK_RUN(ok ? OK : EVENT(GP, 0), "%s cpl %u iopl %u pvi %u vip %u",
                  sti ? "sti" : "cli", cpl, iopl, pvi, vip);
        check(out.flags & ~(word)F_RF, want,
              "%s cpl %u iopl %u pvi %u vip %u: flags", sti ? "sti" : "cli",
              cpl, iopl, pvi, vip);
    }
    set_cr4(get_cr4() & ~(word)CR4_PVI);
}
