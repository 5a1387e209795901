/* Debug exceptions: single steps, breakpoints of all kinds, what DR6 tells,
 * and what holds them back. */

#include "kernel.h"
#include "tests.h"

enum {
    B0 = 1, BD = 0x2000, BS = 0x4000, BT = 0x8000, DB0 = EVENT(DB, 0),
    CODE_BREAK = 0, WRITE_BREAK = 1, IO_BREAK = 2, DATA_BREAK = 3,
};

static uint32_t run_debug(word dr7)
{
    uint32_t got;

    set_dr6(0xffff0ff0);
    set_dr7(dr7 | 0x400);
    got = run();
    set_dr7(0x400);
    return got;
}

static word dr6_bits(void)
{
    return get_dr6() & 0xe00f;
}

static void check_step(uint32_t got, word ip, word dr6, const char *what)
{
    check_event(got, DB0, "%s", what);
    check(out.ip, ip, "%s: IP", what);
    check(dr6_bits(), dr6, "%s: DR6", what);
}

/* --- TF (SDM vol. 3, 17.3.1.4) --- */

static void steps(unsigned cpl)
{
    PROGRAM(0x90, 0x40 | (LONG ? 0x50 : 0), 0x90);
    ready(cpl);
    in.flags |= F_TF;
    check_step(run_debug(0), CODE_AT + 1, BS, "step over nop");
    check(out.flags & F_TF, F_TF, "step: pushed TF");
    check(out.flags & F_RF, 0, "step: pushed RF");
    /* A fault comes instead of the step. */
    PROGRAM(0x0f, 0x0b);
    ready(cpl);
    in.flags |= F_TF;
    check_event(run_debug(0), EVENT(UD, 0), "step into a fault");
    check(dr6_bits(), 0, "step into a fault: DR6");
    /* INT n clears TF: no step is seen in the handler. */
    PROGRAM(0x90);
    ready(cpl);
    in.ip = CODE_AT + 1;
    in.flags |= F_TF;
    check_event(run_debug(0), OK, "step over int n");
    check(out.flags & F_TF, F_TF, "step over int n: pushed TF");
    /* After an iteration of a repeated string instruction. */
    PROGRAM(0xf3, 0xaa);
    ready(cpl);
    in.gpr[CX] = 3;
    in.gpr[DI] = DATA_AT;
    in.flags |= F_TF;
    check_step(run_debug(0), CODE_AT, BS, "step in rep stosb");
    check(out.gpr[CX], 2, "step in rep stosb: count");
    in.gpr[CX] = 1;
    check_step(run_debug(0), CODE_AT + 2, BS, "step after rep stosb");
    /* POPF that sets TF: the instruction after it is the first one. */
    PROGRAM(0x9d, 0x90, 0x90);
    ready(cpl);
    in.gpr[SP] -= sizeof(word);
    *(word *)in.gpr[SP] = 2 | F_TF;
    check_step(run_debug(0), CODE_AT + 2, BS, "popf sets TF");
    /* MOV SS holds the trap until after the next instruction (6.8.3). */
    PROGRAM(0x8e, 0xd0, 0x90, 0x90);
    ready(cpl);
    in.gpr[AX] = data_sel(cpl);
    in.flags |= F_TF;
    check_step(run_debug(0), CODE_AT + 3, BS, "step over mov ss");
    PROGRAM(0x8e, 0xd8, 0x90, 0x90);
    ready(cpl);
    in.gpr[AX] = data_sel(cpl);
    in.flags |= F_TF;
    check_step(run_debug(0), CODE_AT + 2, BS, "step over mov ds");
}

static void taken_branches(void)
{
    PROGRAM(0xeb, 0x02, 0x90, 0x90, 0x90);
    ready(3);
    in.flags |= F_TF;
    check_step(run_debug(0), CODE_AT + 4, BS, "step over jmp");
    code_at(CODE_AT);
    CODE(0xe8, 2, 0, 0, 0);
    ready(3);
    in.flags |= F_TF;
    check_step(run_debug(0), CODE_AT + 7, BS, "step over call");
}

/* --- breakpoints on code: faults, held off by RF (17.3.1.1) --- */

static void set_dr(unsigned n, word v)
{
    switch (n) {
    case 0: set_dr0(v); break;
    case 1: set_dr1(v); break;
    case 2: set_dr2(v); break;
    default: set_dr3(v);
    }
}

static word dr7_of(unsigned n, unsigned kind, unsigned length, bool global)
{
    unsigned code = length == 1 ? 0 : length == 2 ? 1 : length == 4 ? 3 : 2;

    return (word)(1u << (2 * n + global)) | (word)kind << (16 + 4 * n) |
           (word)code << (18 + 4 * n);
}

static void code_breaks(unsigned n, unsigned cpl, bool global)
{
    word dr7 = dr7_of(n, CODE_BREAK, 1, global);

    PROGRAM(0x90, 0x90, 0x90);
    set_dr(n, CODE_AT + 1);
    ready(cpl);
    check_step(run_debug(dr7), CODE_AT + 1, (word)1 << n, "code breakpoint");
    check(out.flags & F_RF, 0, "code breakpoint: pushed RF");
    ready(cpl);
    in.ip = CODE_AT + 1;
    in.flags |= F_RF;
    check_event(run_debug(dr7), OK, "code breakpoint with RF");
    check(dr6_bits(), 0, "code breakpoint with RF: DR6");
    /* RF lasts for one instruction. */
    set_dr(n, CODE_AT + 2);
    ready(cpl);
    in.ip = CODE_AT + 1;
    in.flags |= F_RF;
    check_step(run_debug(dr7), CODE_AT + 2, (word)1 << n,
               "code breakpoint after RF");
    ready(cpl);
    check_event(run_debug(0), OK, "breakpoint not enabled");
    /* Only the first byte of an instruction. */
    PROGRAM(0xb8, 1, 2, 3, 4);
    ready(cpl);
    check_event(run_debug(dr7), OK, "code breakpoint inside");
    /* Both a step and a breakpoint: the step of the one before comes first,
     * and both may be told (17.3.1.4); then the fault. */
    set_dr(n, 0);
}

/* --- breakpoints on data: traps (17.2.5, 17.3.1.2) --- */

struct touch {
    const char *name;
    uint8_t n, bytes[3], size;
    bool writes;
};

static const struct touch touches[] = {
    {"mov al, [ebx]", 2, {0x8a, 0x03}, 1, false},
    {"mov [ebx], al", 2, {0x88, 0x03}, 1, true},
    {"mov ax, [ebx]", 3, {0x66, 0x8b, 0x03}, 2, false},
    {"mov [ebx], eax", 2, {0x89, 0x03}, 4, true},
    {"mov eax, [ebx]", 2, {0x8b, 0x03}, 4, false},
    {"inc byte [ebx]", 2, {0xfe, 0x03}, 1, true},
};

static void data_break(const struct touch *t, unsigned n, unsigned kind,
                       unsigned length)
{
    word base = DATA_AT + 64;

    code_at(CODE_AT);
    code_bytes(t->bytes, t->n);
    CODE(0x90);
    CODE_DONE();
    set_dr(n, base);
    for (int d = -5; d < (int)length + 2; d++) {
        bool overlaps = d + t->size > 0 && d < (int)length;
        bool hit = overlaps && (kind == DATA_BREAK || t->writes);
        uint32_t got;

        ready(3);
        in.gpr[BX] = base + (word)d;
        got = run_debug(dr7_of(n, kind, length, true));
        check_event(got, hit ? DB0 : OK, "%s at %d, break %u of %u", t->name,
                    d, kind, length);
        if (hit) {
            check(out.ip, (word)CODE_AT + t->n, "%s: IP of the trap",
                  t->name);
            check(dr6_bits(), (word)1 << n, "%s: DR6", t->name);
        }
    }
    set_dr(n, 0);
}

static void data_breaks(void)
{
    static const uint8_t lengths[] = {1, 2, 4};

    for (unsigned i = 0; i < sizeof(touches) / sizeof(touches[0]); i++) {
        for (unsigned n = 0; n < 4; n++) {
            for (unsigned l = 0; l < 3; l++) {
                data_break(&touches[i], n, WRITE_BREAK, lengths[l]);
                data_break(&touches[i], n, DATA_BREAK, lengths[l]);
            }
            if (LONG) /* 8 bytes are for 64-bit processors */
                data_break(&touches[i], n, DATA_BREAK, 8);
        }
    }
    /* Step and data together. */
    PROGRAM(0x88, 0x03, 0x90);
    set_dr0(DATA_AT);
    ready(3);
    in.gpr[BX] = DATA_AT;
    in.flags |= F_TF;
    check_step(run_debug(dr7_of(0, WRITE_BREAK, 1, true)), CODE_AT + 2,
               BS | B0, "step and data");
    set_dr0(0);
}

/* --- ports, with CR4.DE (17.2.4) --- */

static void port_breaks(void)
{
    for (unsigned de = 0; de < 2; de++) {
        for (unsigned port = 0xf0fe; port < 0xf104; port++) {
            bool hit = de && port >= 0xf100 && port < 0xf102;
            uint32_t got;

            set_cr4(de ? get_cr4() | CR4_DE : get_cr4() & ~(word)CR4_DE);
            PROGRAM(0xec, 0x90);
            set_dr2(0xf100);
            ready(0);
            in.gpr[DX] = port;
            /* Without DE this type is undefined: it is not set then. */
            got = run_debug(de ? dr7_of(2, IO_BREAK, 2, true) : 0);
            check_event(got, hit ? DB0 : OK, "in from %x, DE %u", port, de);
            if (hit)
                check(dr6_bits(), 4, "in from %x: DR6", port);
        }
    }
    set_cr4(get_cr4() & ~(word)CR4_DE);
    set_dr2(0);
}

/* --- DR7.GD: any access is a fault, which clears GD (17.2.4) --- */

static void general_detect(void)
{
    for (unsigned n = 0; n < 16; n++) {
        unsigned reg = n & 7;

        PROGRAM(0x0f, n & 8 ? 0x23 : 0x21, 0xc0 | reg << 3);
        ready(0);
        set_dr6(0xffff0ff0);
        set_dr7(0x2400);
        check_event(run(), DB0, "access to dr%u with GD", reg);
        check(out.ip, CODE_AT, "GD: IP");
        check(get_dr7(), 0x400, "GD: DR7");
        check(dr6_bits(), BD, "GD: DR6");
        set_dr7(0x400);
        ready(3);
        set_dr7(0x2400);
        check_event(run(), EVENT(GP, 0), "access to dr%u at level 3", reg);
        PROGRAM(0x0f, 0x21, 0xc0);
        ready(0);
        run(); /* clears GD */
        set_dr7(0x400);
    }
}

/* Bits that are fixed, and other names (17.2). */
static void fixed_bits(void)
{
    set_dr6(0);
    check(get_dr6(), 0xffff0ff0, "DR6 with all bits clear");
    set_dr6(0xffffffff);
    check(get_dr6() & 0xffff0fff, 0xffff0fff, "DR6 with all bits set");
    check(get_dr6() & 0x1000, 0, "DR6 bit 12");
    set_dr7(0);
    check(get_dr7(), 0x400, "DR7 with all bits clear");
    set_dr6(0xffff0ff0);
    PROGRAM(0x0f, 0x21, 0xe0); /* mov eax, dr4 */
    ready(0);
    CHECK_RUN(OK, "dr4");
    check(out.gpr[AX], get_dr6(), "dr4 is dr6");
    PROGRAM(0x0f, 0x21, 0xe8);
    ready(0);
    CHECK_RUN(OK, "dr5");
    check(out.gpr[AX], get_dr7(), "dr5 is dr7");
    for (unsigned bit = 32; LONG && bit < 64; bit++) {
        for (unsigned reg = 6; reg < 8; reg++) {
            PROGRAM(0x0f, 0x23, 0xc0 | reg << 3);
            ready(0);
            in.gpr[AX] = (word)((uint64_t)1 << bit | 0x400);
            CHECK_RUN(EVENT(GP, 0), "dr%u bit %u", reg, bit);
        }
    }
}

/* INT1 leaves DR6 alone (vol. 2, INT1). */
static void int1(void)
{
    PROGRAM(0xf1);
    ready(3);
    check_event(run_debug(0), DB0, "int1");
    check(out.ip, CODE_AT + 1, "int1: IP");
    check(dr6_bits(), 0, "int1: DR6");
}

void test_debug(void)
{
    group("single step", "SDM vol. 3, 17.3.1.4, 6.8.3");
    for (unsigned cpl = 0; cpl < 4; cpl++)
        steps(cpl);
    taken_branches();
    group("breakpoints on code", "SDM vol. 3, 17.3.1.1");
    for (unsigned n = 0; n < 32; n++)
        code_breaks(n & 3, n >> 2 & 3, n >> 4);
    group("breakpoints on data", "SDM vol. 3, 17.2.5, 17.3.1.2");
    data_breaks();
    group("breakpoints on ports, GD, DR6, DR7", "SDM vol. 3, 17.2");
    port_breaks();
    general_detect();
    fixed_bits();
    int1();
    machine_restore();
}
