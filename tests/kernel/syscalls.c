/* SYSENTER, SYSEXIT, SYSCALL, SYSRET, SWAPGS. */

#include "kernel.h"
#include "tests.h"

#define GP0 EVENT(GP, 0)
#define UD0 EVENT(UD, 0)

enum { BASE = SEL_TEST, ALL_FLAGS = 0x254cd5 & ~F_RF };

static bool is_amd(void)
{
    uint32_t r[4];

    cpuid(0, 0, r);
    return r[1] == 0x68747541; /* "Auth" */
}

static bool feature(unsigned leaf, unsigned bit)
{
    uint32_t r[4];

    cpuid(leaf, 0, r);
    return r[3] >> bit & 1;
}

/* A program in 64-bit (or, in this build, 32-bit) or compatibility code. */
static void ready_in(unsigned cpl, bool compat)
{
    ready(cpl);
    if (compat)
        in.cs = code32_sel(cpl);
}

/* SYSEXIT or SYSRET, with REX.W if wide. */
static void set_exit_program(uint8_t opcode, bool wide)
{
    if (wide)
        PROGRAM(0x48, 0x0f, opcode);
    else
        PROGRAM(0x0f, opcode);
}

/* --- SYSENTER (SDM vol. 2) --- */

static void set_sysenter(unsigned cs)
{
    wrmsr(MSR_SYSENTER_CS, cs);
    wrmsr(MSR_SYSENTER_EIP, TARGET_AT);
    wrmsr(MSR_SYSENTER_ESP, inner_top(3));
}

static void check_sysenter(unsigned cpl, unsigned msr, bool compat)
{
    uint32_t want = LONG && is_amd() ? UD0 : msr & 0xfffc ? OK : GP0;
    word flags = 2 | F_CF | F_DF | F_AC | F_ID | F_NT;

    set_sysenter(msr);
    PROGRAM(0x0f, 0x34);
    ready_in(cpl, compat);
    in.flags = flags | (cpl == 0 ? F_IF : F_IF | F_IOPL);
    if (!CHECK_RUN(want, "sysenter, CS MSR %x, cpl %u, compat %u", msr, cpl,
                   compat) || want != OK)
        return;
    check(out.cs, msr & 0xfffc, "sysenter: CS");
    check(out.ss, (msr & 0xfffc) + 8, "sysenter: SS");
    check(out.ip, TARGET_AT + 2, "sysenter: IP");
    check(out.gpr[SP], inner_top(3), "sysenter: SP");
    check(out.flags, in.flags & ~(word)F_IF, "sysenter: flags");
}

static void check_sysexit(unsigned cpl, unsigned msr, bool wide)
{
    bool amd = LONG && is_amd();
    uint32_t want = amd ? UD0 : (msr & 0xfffc) && cpl == 0 ? OK : GP0;
    unsigned cs = (msr & 0xfffc) + (wide ? 32 : 16);

    set_sysenter(msr);
    set_exit_program(0x35, wide);
    ready(cpl);
    in.gpr[DX] = TARGET_AT;
    in.gpr[CX] = stack_top(3) - 0x40;
    if (!CHECK_RUN(want, "sysexit, CS MSR %x, cpl %u, wide %u", msr, cpl,
                   wide) || want != OK)
        return;
    check(out.cs, cs | 3, "sysexit: CS");
    check(out.ss, (cs + 8) | 3, "sysexit: SS");
    check(out.ip, TARGET_AT + 2, "sysexit: IP");
    check(out.gpr[SP], stack_top(3) - 0x40, "sysexit: SP");
    check(out.flags, in.flags, "sysexit: flags");
}

static void sysexit_canonical(void)
{
    uint64_t bad = 0x800000000000;

    if (!LONG || is_amd())
        return;
    set_sysenter(BASE);
    PROGRAM(0x48, 0x0f, 0x35);
    for (unsigned n = 0; n < 4; n++) {
        ready(0);
        in.gpr[DX] = n & 1 ? (word)bad : TARGET_AT;
        in.gpr[CX] = n & 2 ? (word)bad : stack_top(3);
        CHECK_RUN(n ? GP0 : OK, "sysexit, RIP bad %u, RSP bad %u", n & 1,
                  n >> 1);
    }
}

void test_sysenter(void)
{
    static const uint16_t msrs[] = {BASE, BASE | 3, 0, 1, 3};

    if (!feature(1, 11))
        return;
    group("SYSENTER, SYSEXIT", "SDM vol. 2");
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned cpl = 0; cpl < 4; cpl++) {
            check_sysenter(cpl, msrs[i], false);
            if (LONG)
                check_sysenter(cpl, msrs[i], true);
            check_sysexit(cpl, msrs[i], false);
            if (LONG)
                check_sysexit(cpl, msrs[i], true);
        }
    }
    sysexit_canonical();
    wrmsr(MSR_SYSENTER_CS, 0);
}

/* --- SYSCALL --- */

static void set_sce(bool on)
{
    uint64_t efer = rdmsr(MSR_EFER);

    wrmsr(MSR_EFER, on ? efer | EFER_SCE : efer & ~(uint64_t)EFER_SCE);
}

static void set_syscall(uint32_t mask)
{
    wrmsr(MSR_STAR, (uint64_t)(BASE + 0x20) << 48 | (uint64_t)BASE << 32 |
                        TARGET_AT);
    wrmsr(MSR_LSTAR, TARGET_AT);
    wrmsr(MSR_CSTAR, TARGET_AT);
    wrmsr(MSR_FMASK, mask);
}

static void check_syscall(unsigned cpl, uint32_t mask, bool compat, bool sce)
{
    bool allowed = sce && ((LONG && !compat) || is_amd());

    set_syscall(mask);
    set_sce(sce);
    PROGRAM(0x0f, 0x05);
    ready_in(cpl, compat);
    in.flags = 2 | F_IF | F_IOPL | F_CF | F_DF | F_AC | F_ID;
    if (!CHECK_RUN(allowed ? OK : UD0, "syscall cpl %u compat %u SCE %u", cpl,
                   compat, sce) || !allowed)
        return;
    check(out.cs, BASE, "syscall: CS");
    check(out.ss, BASE + 8, "syscall: SS");
    check(out.ip, TARGET_AT + 2, "syscall: IP");
    check(out.gpr[SP], in.gpr[SP], "syscall: SP");
    check(out.gpr[CX], CODE_AT + 2, "syscall: RCX");
    if (!LONG) {
        check(out.flags, in.flags & ~(word)F_IF, "syscall: flags");
        return;
    }
#ifdef __x86_64__
    check(out.gpr[11], in.flags, "syscall: R11");
#endif
    check(out.flags, (in.flags & ~(word)mask) | 2, "syscall: flags, mask %x",
          mask);
}

static void check_sysret(unsigned cpl, bool wide, bool sce)
{
    bool allowed = sce && (LONG || is_amd());
    uint32_t want = !allowed ? UD0 : cpl ? GP0 : OK;
    unsigned base = BASE + 0x20;

    set_syscall(0);
    set_sce(sce);
    set_exit_program(0x07, wide);
    ready(cpl);
    in.gpr[CX] = TARGET_AT;
#ifdef __x86_64__
    in.gpr[11] = 0x3ffffd | F_NT;
    in.gpr[11] &= ~(word)F_TF;
#endif
    if (!CHECK_RUN(want, "sysret cpl %u wide %u SCE %u", cpl, wide, sce) ||
        want != OK)
        return;
    check(out.cs, base + (wide ? 16 : 0) + 3, "sysret: CS");
    check(out.ss, base + 8 + 3, "sysret: SS");
    check(out.ip, TARGET_AT + 2, "sysret: IP");
    check(out.gpr[SP], in.gpr[SP], "sysret: SP");
#ifdef __x86_64__
    check(out.flags, (in.gpr[11] & 0x3c7fd7) | 2, "sysret: flags");
#endif
}

static void sysret_canonical(void)
{
    static const uint64_t rips[] = {0x800000000000, 0xffff7fffffffffff,
                                    (uint64_t)1 << 63};

    if (!LONG || is_amd())
        return;
    for (unsigned i = 0; i < 3; i++) {
        set_syscall(0);
        PROGRAM(0x48, 0x0f, 0x07);
        ready(0);
        in.gpr[CX] = (word)rips[i];
        CHECK_RUN(GP0, "sysret to a non-canonical RIP %u", i);
        check(out.cs, SEL_CODE, "sysret to a non-canonical RIP: CS");
        check(out.ip, CODE_AT, "sysret to a non-canonical RIP: RIP");
    }
}

void test_syscall(void)
{
    if (!feature(0x80000001, 11))
        return;
    group("SYSCALL, SYSRET", "SDM vol. 2; APM vol. 3");
    for (unsigned n = 0; n < 4 * 2 * 2; n++) {
        unsigned cpl = n & 3;
        bool compat = n & 4, sce = n & 8;

        if (compat && !LONG)
            continue;
        check_syscall(cpl, 0, compat, sce);
        check_syscall(cpl, F_IF, compat, sce);
        check_syscall(cpl, ALL_FLAGS, compat, sce);
        check_syscall(cpl, 0xffffffff, compat, sce);
        check_sysret(cpl, LONG && compat, sce);
    }
    set_sce(true);
    sysret_canonical();
    set_sce(false);
}

/* --- SWAPGS --- */

void test_swapgs(void)
{
    if (!LONG)
        return;
    group("SWAPGS", "SDM vol. 2");
    wrmsr(MSR_KERNEL_GS, 0x123456789000);
    PROGRAM(0x0f, 0x01, 0xf8);
    ready(0);
    CHECK_RUN(OK, "swapgs");
    check((word)rdmsr(MSR_GS_BASE), (word)0x123456789000, "swapgs: GS base");
    check((word)rdmsr(MSR_KERNEL_GS), 0, "swapgs: the other");
    ready_in(0, true);
    CHECK_RUN(UD0, "swapgs in compatibility mode");
    for (unsigned cpl = 1; cpl < 4; cpl++) {
        ready(cpl);
        CHECK_RUN(GP0, "swapgs at level %u", cpl);
    }
    wrmsr(MSR_GS_BASE, 0);
    wrmsr(MSR_KERNEL_GS, 0);
}
