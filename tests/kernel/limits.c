/* Segment limits and types at each access; canonical addresses; alignment;
 * the length of an instruction; LOCK. */

#include "kernel.h"
#include "tests.h"

#define GP0 EVENT(GP, 0)
#define SS0 EVENT(SS_, 0)
#define UD0 EVENT(UD, 0)

enum { SEL = SEL_TEST };

static const uint8_t seg_prefix[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
static const char *const seg_names[] = {"es", "cs", "ss", "ds", "fs", "gs"};

/* mov of `size` bytes at seg:[ebx]. */
static void set_access(unsigned seg, bool write, unsigned size)
{
    code_at(CODE_AT);
    CODE(seg_prefix[seg]);
    if (size == 2)
        CODE(0x66);
    if (size == 8)
        CODE(0x0f, 0xc7, 0x0b); /* cmpxchg8b: reads and writes */
    else
        CODE((uint8_t)((write ? 0x88 : 0x8a) | (size > 1)), 0x03);
    CODE_DONE();
}

/* --- 32-bit: limits (SDM vol. 3, 5.3) --- */

struct limit_case {
    uint32_t limit; /* field */
    bool down, big, page;
};

static bool inside(const struct limit_case *c, uint32_t off, unsigned size)
{
    uint64_t limit = c->page ? (uint64_t)c->limit << 12 | 0xfff : c->limit;
    uint64_t last = (uint64_t)off + size - 1;
    uint64_t top = c->big ? 0xffffffff : 0xffff;

    return c->down ? off > limit && last <= top : last <= limit;
}

static void check_limit(const struct limit_case *c, unsigned seg, bool write,
                        unsigned size, uint32_t off)
{
    uint32_t fault = seg == 2 ? SS0 : GP0;
    bool ok = inside(c, off, size);

    gdt_set(SEL, segment(DATA_AT - off, c->limit,
                         c->down ? T_DATA_DOWN : T_DATA_RW, seg == 2 ? 1 : 3,
                         true, (c->big ? D_B : 0) | (c->page ? D_G : 0)));
    ready(seg == 2 ? 1 : 3);
    in.gpr[BX] = off;
    switch (seg) {
    case 0: in.es = SEL; break;
    case 2: in.ss = SEL | 1; break;
    case 3: in.ds = SEL; break;
    case 4: in.fs = SEL; break;
    default: in.gs = SEL;
    }
    CHECK_RUN(ok ? OK : fault,
              "%s:[%x], %u bytes, write %u, limit %x down %u big %u G %u",
              seg_names[seg], off, size, write, c->limit, c->down, c->big,
              c->page);
    if (!ok)
        check(out.ip, CODE_AT, "limit: IP");
}

void test_limits(void)
{
    static const struct limit_case cases[] = {
        {0, false, true, false},      {0x7fff, false, true, false},
        {0xffff, false, false, false}, {0xfffff, false, true, false},
        {0, false, true, true},       {0x12, false, false, true},
        {0, true, true, false},       {0x7fff, true, false, false},
        {0x7fff, true, true, false},  {1, true, true, true},
        {0xffff, true, false, false}, {0x80000, true, true, true},
    };
    static const uint8_t segs[] = {0, 2, 3, 4, 5};
    static const uint8_t sizes[] = {1, 2, 4, 8};

    group("segment limits", "SDM vol. 3, 5.3");
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct limit_case *c = &cases[i];
        uint32_t edge = c->page ? c->limit << 12 | 0xfff : c->limit;

        for (unsigned n = 0; n < 5 * 4 * 2; n++) {
            unsigned seg = segs[n % 5], size = sizes[n / 5 % 4];

            set_access(seg, n / 20, size);
            for (int d = -9; d < 4; d++) {
                if (d < 0 && edge < (uint32_t)-d)
                    continue;
                check_limit(c, seg, n / 20, size, edge + (uint32_t)d);
            }
            if (c->down && !c->big)
                for (uint32_t off = 0xfffa; off < 0x10002; off++)
                    check_limit(c, seg, n / 20, size, off);
        }
    }
    machine_restore();
}

/* Reading needs data or readable code, writing writable data; a null selector
 * serves for neither (SDM vol. 3, 5.4.1, 5.5.1). */
void test_access_types(void)
{
    group("access by type", "SDM vol. 3, 5.4.1, 5.5.1");
    for (unsigned n = 0; n < 16 * 2 * 2; n++) {
        unsigned type = T_S | (n & 15);
        bool write = n & 16, in_cs = n & 32, ok;

        if (in_cs && !is_code(type))
            continue;
        if (!in_cs && !is_readable(type))
            continue; /* it cannot be loaded */
        ok = write ? is_writable(type) : is_readable(type);
        gdt_set(SEL, flat(type, 3, true));
        set_access(in_cs ? 1 : 3, write, 4);
        ready(3);
        in.gpr[BX] = DATA_AT;
        if (in_cs)
            in.cs = SEL | 3;
        else
            in.ds = SEL;
        CHECK_RUN(ok ? OK : GP0, "%s type %x, in CS %u",
                  write ? "write" : "read", type, in_cs);
    }
    for (unsigned seg = 0; seg < 6; seg++) {
        if (seg == 1 || seg == 2)
            continue;
        set_access(seg, false, 1);
        ready(3);
        in.gpr[BX] = DATA_AT;
        in.ds = in.es = in.fs = in.gs = 0;
        CHECK_RUN(GP0, "read by null %s", seg_names[seg]);
    }
}

/* --- instructions across the limit of CS --- */

void test_code_limits(void)
{
    group("limit of the code segment", "SDM vol. 3, 5.3");
    for (unsigned room = 1; room < 12; room++) {
        gdt_set(SEL, segment(CODE_AT, room + 0xfff, T_CODE_R, 3, true, D_B));
        code_at(CODE_AT + 0x1000);
        CODE(0xb8, 1, 2, 3, 4); /* mov eax, ... */
        CODE(0x90);
        CODE_DONE();
        ready(3);
        in.cs = SEL | 3;
        in.ip = 0x1000;
        CHECK_RUN(room >= 8 ? OK : GP0, "code, %u bytes to the limit", room);
        check(out.ip, room < 5 ? 0x1000 : room < 6 ? 0x1005
                                    : room < 8 ? 0x1006 : 0x1008,
              "code, %u bytes to the limit: IP", room);
    }
    /* Branches are checked before they are done. */
    for (unsigned kind = 0; kind < 3; kind++) {
        gdt_set(SEL, segment(CODE_AT, 0xfff, T_CODE_R, 3, true, D_B));
        if (kind == 0)
            PROGRAM(0xe9, 0xfb, 0x0f, 0, 0); /* jmp 1000 */
        else if (kind == 1)
            PROGRAM(0xe8, 0xfb, 0x0f, 0, 0); /* call 1000 */
        else
            PROGRAM(0x58, 0xc3); /* pop eax; ret */
        ready(3);
        in.cs = SEL | 3;
        in.ip = 0;
        in.gpr[SP] -= 8;
        *at32(in.gpr[SP]) = 0;
        *at32(in.gpr[SP] + 4) = 0x1000;
        CHECK_RUN(GP0, "branch %u beyond the limit", kind);
        check(out.ip, kind == 2, "branch %u beyond the limit: IP", kind);
        check(out.gpr[SP], in.gpr[SP] + (kind == 2 ? 4 : 0),
              "branch %u beyond the limit: SP", kind);
    }
}

/* --- stacks: 16-bit SP wraps, 32-bit ESP has its limit --- */

/* A push or pop of AX or EAX at SP. */
static void ready_stack_program(uint8_t opcode, bool wide, word sp)
{
    if (wide)
        PROGRAM(opcode);
    else
        PROGRAM(0x66, opcode);
    ready(3);
    in.ss = SEL | 3;
    in.gpr[SP] = sp;
}

void test_stack_limits(void)
{
    group("stack limits", "SDM vol. 2, PUSH, POP; vol. 3, 5.3");
    for (unsigned sp = 0; sp < 8; sp++) {
        gdt_set(SEL, segment(DATA_AT, 0xffff, T_DATA_RW, 3, true, 0));
        for (unsigned wide = 0; wide < 2; wide++) {
            unsigned size = wide ? 4 : 2;
            bool ok = sp == 0 || sp >= size;

            ready_stack_program(0x50, wide, sp);
            CHECK_RUN(ok ? OK : SS0, "push of %u at SP %u", size, sp);
            /* IRET to a 16-bit stack leaves the upper half of ESP. */
            check(out.gpr[SP] & 0xffff, ok ? (sp - size) & 0xffff : sp,
                  "push of %u at SP %u: SP", size, sp);
            ready_stack_program(0x58, wide, 0xffff - sp);
            ok = sp + 1 >= size;
            CHECK_RUN(ok ? OK : SS0, "pop of %u at SP %x", size,
                      0xffff - sp);
            check(out.gpr[SP] & 0xffff,
                  (0xffff - sp + (ok ? size : 0)) & 0xffff,
                  "pop of %u at SP %x: SP", size, 0xffff - sp);
        }
    }
}

/* --- 64-bit: canonical addresses (SDM vol. 1, 3.3.7.1) --- */

void test_canonical(void)
{
    static const struct {
        const char *name;
        uint8_t n, bytes[6];
        uint32_t want;
    } cases[] = {
        {"mov al, [rbx]", 2, {0x8a, 0x03}, GP0},
        {"mov [rbx], al", 2, {0x88, 0x03}, GP0},
        {"mov al, [rsp]", 3, {0x8a, 0x04, 0x24}, SS0},
        {"mov al, [rbp+0]", 3, {0x8a, 0x45, 0x00}, SS0},
        {"mov al, fs:[rbp+0]", 4, {0x64, 0x8a, 0x45, 0x00}, GP0},
        {"mov al, gs:[rbx]", 3, {0x65, 0x8a, 0x03}, GP0},
        {"mov al, ss:[rbx]", 3, {0x36, 0x8a, 0x03}, GP0},
        {"push rax", 1, {0x50}, SS0},
        {"pop rax", 1, {0x58}, SS0},
        {"call +0", 5, {0xe8, 0, 0, 0, 0}, SS0},
        {"ret", 1, {0xc3}, SS0},
        {"jmp rbx", 2, {0xff, 0xe3}, GP0},
        {"jmp [rbx]", 2, {0xff, 0x23}, GP0},
        {"lodsb", 1, {0xac}, GP0},
        {"stosb", 1, {0xaa}, GP0},
        {"lock inc byte [rbx]", 3, {0xf0, 0xfe, 0x03}, GP0},
        {"fld dword [rbx]", 2, {0xd9, 0x03}, GP0},
        {"xlat", 1, {0xd7}, GP0},
    };
    static const uint64_t addresses[] = {
        0x800000000000, 0xffff7fffffffffff, 0x8000000000000000,
        0x123456789abcdef0,
    };

    if (!LONG)
        return;
    group("non-canonical addresses", "SDM vol. 1, 3.3.7.1; vol. 3, 6.15");
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        code_at(CODE_AT);
        code_bytes(cases[i].bytes, cases[i].n);
        CODE_DONE();
        for (unsigned a = 0; a < 4; a++) {
            word bad = (word)addresses[a];

            for (unsigned cpl = 0; cpl < 4; cpl += 3) {
                ready(cpl);
                in.gpr[BX] = in.gpr[BP] = in.gpr[SI] = in.gpr[DI] = bad;
                if (cases[i].want == SS0)
                    in.gpr[SP] = bad + (cases[i].bytes[0] == 0x50 ||
                                        cases[i].bytes[0] == 0xe8 ? 8 : 0);
                CHECK_RUN(cases[i].want, "%s, address %u, cpl %u",
                          cases[i].name, a, cpl);
                check(out.ip, CODE_AT, "%s, address %u: IP", cases[i].name,
                      a);
            }
        }
    }
    /* The last byte counts too; canonical ones without a page are #PF. */
    for (unsigned size = 1; size <= 4; size *= 2) {
        for (unsigned back = 1; back < 5; back++) {
            word la = (word)0x800000000000 - back;

            set_access(3, false, size);
            ready(3);
            in.gpr[BX] = la;
            CHECK_RUN(back >= size ? EVENT(PF, 4) : GP0,
                      "%u bytes, %u before the hole", size, back);
            if (back >= size)
                check(out.cr2, la, "before the hole: CR2");
        }
    }
}

/* --- alignment (SDM vol. 3, 6.15, interrupt 17, table 6-7) --- */

static const struct {
    const char *name;
    uint8_t n, bytes[4], align;
} aligned[] = {
    {"mov al, [ebx]", 2, {0x8a, 0x03}, 1},
    {"mov ax, [ebx]", 3, {0x66, 0x8b, 0x03}, 2},
    {"mov eax, [ebx]", 2, {0x8b, 0x03}, 4},
    {"mov [ebx], ax", 3, {0x66, 0x89, 0x03}, 2},
    {"mov [ebx], eax", 2, {0x89, 0x03}, 4},
    {"add [ebx], eax", 2, {0x01, 0x03}, 4},
    {"fld dword [ebx]", 2, {0xd9, 0x03}, 4},
    {"fld qword [ebx]", 2, {0xdd, 0x03}, 8},
    {"fld tword [ebx]", 2, {0xdb, 0x2b}, 8},
    {"fild word [ebx]", 2, {0xdf, 0x03}, 2},
    {"lodsd", 1, {0xad}, 4},
    {"stosw", 2, {0x66, 0xab}, 2},
    {"movsd", 1, {0xa5}, 4},
    {"cmpxchg8b [ebx]", 3, {0x0f, 0xc7, 0x0b}, 8},
};

void test_alignment(void)
{
    group("alignment check", "SDM vol. 3, 6.15, table 6-7");
    for (unsigned i = 0; i < sizeof(aligned) / sizeof(aligned[0]); i++) {
        code_at(CODE_AT);
        CODE(0xdb, 0xe3); /* fninit */
        code_bytes(aligned[i].bytes, aligned[i].n);
        CODE_DONE();
        for (unsigned n = 0; n < 8 * 2 * 2 * 4; n++) {
            unsigned off = n & 7, cpl = n >> 5;
            bool am = n & 8, ac = n & 16;
            bool fault = am && ac && cpl == 3 && off % aligned[i].align;
            word cr0 = get_cr0();

            ready(cpl);
            in.gpr[BX] = in.gpr[SI] = in.gpr[DI] = DATA_AT + 64 + off;
            in.flags |= ac ? F_AC : 0;
            set_cr0(am ? cr0 | CR0_AM : cr0 & ~(word)CR0_AM);
            memset(at8(DATA_AT), 0, 256);
            CHECK_RUN(fault ? EVENT(AC, 0) : OK,
                      "%s at +%u, AM %u AC %u cpl %u", aligned[i].name, off,
                      am, ac, cpl);
            set_cr0(cr0);
        }
    }
}

/* --- instructions longer than 15 bytes (SDM vol. 2, 2.3.11; vol. 3, 6.15,
 * interrupt 13) --- */

void test_length(void)
{
    static const struct {
        const char *name;
        uint8_t n, bytes[8];
        uint32_t want; /* when it is short enough */
    } cases[] = {
        {"nop", 1, {0x90}, OK},
        {"mov eax, [ebx+4]", 3, {0x8b, 0x43, 0x04}, OK},
        {"cpuid", 2, {0x0f, 0xa2}, OK},
        {"ud2", 2, {0x0f, 0x0b}, UD0},
        {"add eax, imm", 2, {0x83, 0xc0}, OK},
        {"jmp +0", 2, {0xeb, 0x00}, OK},
    };
    static const uint8_t prefixes[] = {0x66, 0x3e, 0xf2, 0x67};

    group("length of instructions", "SDM vol. 2, 2.3.11");
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned n = cases[i].n + (cases[i].bytes[0] == 0x83);

        for (unsigned total = 12; total < 20; total++) {
            for (unsigned p = 0; p < 4; p++) {
                uint32_t want = total > 15 ? GP0 : cases[i].want;

                /* These would go to another address. */
                if (cases[i].bytes[0] == (prefixes[p] == 0x67 ? 0x8b : 0xeb) &&
                    (prefixes[p] == 0x67 || prefixes[p] == 0x66))
                    continue;
                code_at(CODE_AT);
                for (unsigned k = n; k < total; k++)
                    CODE(prefixes[p]);
                code_bytes(cases[i].bytes, n);
                CODE_DONE();
                ready(3);
                in.gpr[BX] = DATA_AT;
                CHECK_RUN(want, "%s of %u bytes by prefix %x", cases[i].name,
                          total, prefixes[p]);
            }
        }
    }
}

/* --- LOCK (SDM vol. 2, LOCK: #UD) --- */

static bool lock_legal_one(unsigned op, unsigned reg)
{
    if (op < 0x38) /* ADD OR ADC SBB AND SUB XOR to memory */
        return (op & 7) < 2;
    switch (op) {
    case 0x80:
    case 0x81:
    case 0x83: return reg != 7;
    case 0x82: return !LONG && reg != 7;
    case 0x86:
    case 0x87: return true; /* XCHG */
    case 0xf6:
    case 0xf7: return reg == 2 || reg == 3;
    case 0xfe:
    case 0xff: return reg < 2;
    default: return false;
    }
}

static bool lock_legal_two(unsigned op, unsigned reg)
{
    switch (op) {
    case 0xab:
    case 0xb3:
    case 0xbb:
    case 0xb0:
    case 0xb1:
    case 0xc0:
    case 0xc1: return true; /* BTS BTR BTC CMPXCHG XADD */
    case 0xba: return reg >= 5;
    case 0xc7: return reg == 1;
    default: return false;
    }
}

static bool is_prefix(unsigned op)
{
    if ((op & 0xe7) == 0x26 || (op >= 0x64 && op <= 0x67) || op == 0xf0 ||
        op == 0xf2 || op == 0xf3 || op == 0x0f)
        return true;
    return LONG && (op & 0xf0) == 0x40;
}

static void check_lock(unsigned op, bool two, unsigned reg, bool memory)
{
    bool legal = memory && (two ? lock_legal_two(op, reg)
                                : lock_legal_one(op, reg));

    code_at(CODE_AT);
    CODE(0xf0);
    if (two)
        CODE(0x0f);
    CODE((uint8_t)op, (uint8_t)((memory ? 0x03 : 0xc3) | reg << 3));
    if (legal && !two && (op == 0x80 || op == 0x82 || op == 0x83))
        CODE(1);
    if (legal && !two && op == 0x81)
        CODE(1, 0, 0, 0);
    if (legal && two && op == 0xba)
        CODE(1);
    CODE_DONE();
    ready(3);
    in.gpr[BX] = DATA_AT;
    memset(at8(DATA_AT), 0, 64);
    CHECK_RUN(legal ? OK : UD0, "lock %s%x /%u %s", two ? "0f " : "", op, reg,
              memory ? "memory" : "register");
}

void test_lock(void)
{
    group("LOCK", "SDM vol. 2, LOCK");
    for (unsigned op = 0; op < 256; op++) {
        for (unsigned n = 0; n < 16; n++) {
            /* 0F 20, 22: AMD has LOCK name CR8; 38, 3A: more opcode. */
            if (op != 0x20 && op != 0x22 && op != 0x38 && op != 0x3a)
                check_lock(op, true, n & 7, n & 8);
            if (!is_prefix(op))
                check_lock(op, false, n & 7, n & 8);
        }
    }
}
