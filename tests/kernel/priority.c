/* Two exceptions apply to one instruction: which comes. */

#include "kernel.h"
#include "tests.h"

enum { ABSENT = 0x50000000 }; /* no page there in long mode */

static const struct {
    const char *name;
    uint8_t n, bytes[6];
    uint8_t cpl, off;
    bool ts;
    uint32_t want;
} cases[] = {
    {"lock hlt: LOCK before level", 2, {0xf0, 0xf4}, 3, 0, false,
     EVENT(UD, 0)},
    {"lock cli: LOCK before IOPL", 2, {0xf0, 0xfa}, 3, 0, false,
     EVENT(UD, 0)},
    {"lock ltr: LOCK before level", 4, {0xf0, 0x0f, 0x00, 0xd8}, 3, 0, false,
     EVENT(UD, 0)},
#ifdef __x86_64__
    {"lgdt: level before page", 3, {0x0f, 0x01, 0x13}, 3, 0, false,
     EVENT(GP, 0)},
    {"lidt: level before page", 3, {0x0f, 0x01, 0x1b}, 3, 0, false,
     EVENT(GP, 0)},
    {"lmsw: level before page", 3, {0x0f, 0x01, 0x33}, 3, 0, false,
     EVENT(GP, 0)},
    {"ltr: level before page", 3, {0x0f, 0x00, 0x1b}, 3, 0, false,
     EVENT(GP, 0)},
    {"lldt: level before page", 3, {0x0f, 0x00, 0x13}, 3, 0, false,
     EVENT(GP, 0)},
    {"lgdt: page at level 0", 3, {0x0f, 0x01, 0x13}, 0, 0, false,
     EVENT(PF, 0)},
    {"insb: port before page", 1, {0x6c}, 3, 0, false, EVENT(GP, 0)},
    {"outsb: port before page", 1, {0x6e}, 3, 0, false, EVENT(GP, 0)},
    {"fld: #NM before page", 2, {0xd9, 0x03}, 3, 0, true, EVENT(NM, 0)},
    {"movups: #NM before page", 3, {0x0f, 0x10, 0x03}, 3, 0, true,
     EVENT(NM, 0)},
    {"movaps: alignment before page", 3, {0x0f, 0x28, 0x03}, 3, 1, false,
     EVENT(GP, 0)},
    {"movaps: page", 3, {0x0f, 0x28, 0x03}, 3, 0, false, EVENT(PF, 4)},
    {"fxsave: alignment before page", 3, {0x0f, 0xae, 0x03}, 3, 8, false,
     EVENT(GP, 0)},
    {"div: page before #DE", 2, {0xf7, 0x33}, 3, 0, false, EVENT(PF, 4)},
    {"mov ds: page before selector", 2, {0x8e, 0x1b}, 3, 0, false,
     EVENT(PF, 4)},
    {"far jmp: page before selector", 2, {0xff, 0x2b}, 3, 0, false,
     EVENT(PF, 4)},
    {"mov cs: #UD before page", 2, {0x8e, 0x0b}, 3, 0, false, EVENT(UD, 0)},
    {"lock mov: #UD before page", 3, {0xf0, 0x88, 0x03}, 3, 0, false,
     EVENT(UD, 0)},
#endif
};

static void pairs(void)
{
    word cr0 = get_cr0(), cr4 = get_cr4();

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        code_at(CODE_AT);
        code_bytes(cases[i].bytes, cases[i].n);
        CODE_DONE();
        ready(cases[i].cpl);
        in.gpr[BX] = in.gpr[SI] = in.gpr[DI] = ABSENT + cases[i].off;
        in.gpr[DX] = 0xf100;
        in.gpr[CX] = 0;
        set_cr4(cr4 | CR4_OSFXSR);
        set_cr0((cr0 & ~(word)(CR0_EM | CR0_TS)) |
                (cases[i].ts ? CR0_TS : 0));
        CHECK_RUN(cases[i].want, "%s", cases[i].name);
        check(out.ip, CODE_AT, "%s: IP", cases[i].name);
        set_cr0(cr0);
        set_cr4(cr4);
    }
}

/* A breakpoint on code comes before all that the instruction does. */
static void breakpoints(void)
{
    static const uint8_t codes[][2] = {{0x0f, 0x0b}, {0xf4, 0x90},
                                       {0xf0, 0x90}, {0x0f, 0xff}};

    for (unsigned i = 0; i < 4; i++) {
        PROGRAM(codes[i][0], codes[i][1]);
        ready(3);
        set_dr0(CODE_AT);
        set_dr7(0x401);
        CHECK_RUN(EVENT(DB, 0), "breakpoint on a fault, %u", i);
        set_dr7(0x400);
        check(get_dr6() & 0xf, 1, "breakpoint on a fault, %u: DR6", i);
        set_dr6(0xffff0ff0);
    }
}

/* An unmasked x87 error is reported before the operand is read. */
static void pending_error(void)
{
    word cr0 = get_cr0();

    *at16(DATA_AT) = 0x037b;
    code_at(CODE_AT);
    CODE(0xdb, 0xe3, 0xd9, 0x2b, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9);
    CODE(0xd9, 0x06); /* fld dword [esi] */
    CODE_DONE();
    ready(3);
    in.gpr[BX] = DATA_AT;
    in.gpr[SI] = LONG ? ABSENT : DATA_AT;
    set_cr0((cr0 & ~(word)(CR0_EM | CR0_TS)) | CR0_NE);
    CHECK_RUN(EVENT(MF, 0), "#MF before the page of the operand");
    __asm__ volatile("fninit");
    set_cr0(cr0);
}

void test_priorities(void)
{
    group("priorities", "SDM vol. 3, 6.9, table 6-2; vol. 2");
    pairs();
    breakpoints();
    pending_error();
    machine_restore();
}
