/* Loading DS, ES, FS, GS and SS; LAR, LSL, VERR, VERW: every type of
 * descriptor with every combination of levels. */

#include "kernel.h"
#include "tests.h"

enum { SEL = SEL_TEST, ALIGNED = LONG ? 8 : 4 };

static const char *const seg_names[] = {"es", "cs", "ss", "ds", "fs", "gs"};

static word *seg_of(struct regs *r, unsigned seg)
{
    word *const fields[] = {&r->es, &r->cs, &r->ss, &r->ds, &r->fs, &r->gs};

    return fields[seg];
}

/* SDM vol. 3, 5.5: DPL at least as far out as CPL and RPL, unless the segment
 * is conforming code.  Vol. 2, MOV. */
static uint32_t expect_data(unsigned type, unsigned dpl, unsigned cpl,
                            unsigned rpl, bool present)
{
    unsigned sel = SEL;

    if (!is_readable(type))
        return EVENT(GP, sel);
    if (!is_conforming(type) && (rpl > dpl || cpl > dpl))
        return EVENT(GP, sel);
    return present ? OK : EVENT(NP, sel);
}

/* SDM vol. 3, 5.7: RPL = CPL = DPL. */
static uint32_t expect_stack(unsigned type, unsigned dpl, unsigned cpl,
                             unsigned rpl, bool present)
{
    unsigned sel = SEL;

    if (rpl != cpl || dpl != cpl || !is_writable(type))
        return EVENT(GP, sel);
    return present ? OK : EVENT(SS_, sel);
}

static void check_load(unsigned seg, unsigned type, unsigned dpl, unsigned cpl,
                       unsigned rpl, bool present, const char *how)
{
    uint32_t want = seg == 2 ? expect_stack(type, dpl, cpl, rpl, present)
                             : expect_data(type, dpl, cpl, rpl, present);
    unsigned sel = SEL | rpl;
    word before;

    gdt_set(SEL, flat(type, dpl, present));
    ready(cpl);
    before = *seg_of(&in, seg);
    in.gpr[AX] = sel;
    in.gpr[BX] = DATA_AT;
    *at32(DATA_AT) = 0x12345678;
    *at16(DATA_AT + 4) = (uint16_t)sel;
    if (how[0] == 'p') {
        in.gpr[SP] -= sizeof(word);
        *(word *)in.gpr[SP] = sel;
    }
    if (!CHECK_RUN(want, "%s %s type %x dpl %u cpl %u rpl %u p %u", how,
                   seg_names[seg], type, dpl, cpl, rpl, present))
        return;
    check(*seg_of(&out, seg) & 0xffff, want == OK ? sel : before,
          "%s %s type %x: selector after", how, seg_names[seg], type);
    check(raw_type(gdt[SEL / 8]), want == OK ? type | 1 : type,
          "%s %s type %x dpl %u: accessed bit", how, seg_names[seg], type, dpl);
}

static void all_loads(unsigned seg, const char *how, bool all_rpl)
{
    for (unsigned n = 0; n < 32 * 2 * 4 * 4 * 4; n++) {
        unsigned type = n & 31, present = n >> 5 & 1, dpl = n >> 6 & 3;
        unsigned cpl = n >> 8 & 3, rpl = n >> 10 & 3;

        if (all_rpl || rpl == cpl)
            check_load(seg, type, dpl, cpl, rpl, present, how);
    }
}

/* A null selector may be loaded, but not into SS; 64-bit code of inner levels
 * may there too, if RPL = CPL (SDM vol. 2, MOV). */
static void null_loads(unsigned seg)
{
    for (unsigned n = 0; n < 16; n++) {
        unsigned cpl = n & 3, rpl = n >> 2;
        bool ok = seg != 2 || (LONG && code_size == OWN && cpl != 3 &&
                               rpl == cpl);

        ready(cpl);
        in.gpr[AX] = rpl;
        CHECK_RUN(ok ? OK : EVENT(GP, 0), "null to %s cpl %u rpl %u",
                  seg_names[seg], cpl, rpl);
    }
}

static void loads_outside(unsigned seg)
{
    static const uint16_t selectors[] = {
        GDT_ENTRIES * 8, GDT_ENTRIES * 8 + 3, 0xfff8, 0xffff, 0x0c, 4, 7,
        0xfffc,
    };

    for (unsigned i = 0; i < sizeof(selectors) / 2; i++) {
        ready(0);
        in.gpr[AX] = selectors[i];
        CHECK_RUN(EVENT(GP, selectors[i] & ~3),
                  "%s: selector %x outside, or no LDT", seg_names[seg],
                  selectors[i]);
    }
}

/* The limit counts bytes: all eight must be inside. */
static void table_limits(unsigned seg)
{
    for (unsigned limit = 7; limit <= 24; limit++) {
        unsigned sel = 2 * 8 + 4;

        gdt_set(SEL_LDT, segment((uint32_t)(word)ldt, limit, T_LDT, 0, true,
                                 0));
        load_ldt(SEL_LDT);
        ldt[2] = flat(T_DATA_RW, 0, true);
        ready(0);
        in.gpr[AX] = sel;
        CHECK_RUN(limit >= 23 ? OK : EVENT(GP, sel), "%s: LDT limit %x",
                  seg_names[seg], limit);
    }
    load_ldt(0);
}

void test_segment_loads(void)
{
    static const uint8_t segs[] = {0, 2, 3, 4, 5};

    for (unsigned i = 0; i < sizeof(segs); i++) {
        unsigned seg = segs[i];

        group(seg == 2 ? "load SS" : "load data segment",
              seg == 2 ? "SDM vol. 3, 5.7" : "SDM vol. 3, 5.5");
        PROGRAM(0x8e, 0xc0 | seg << 3); /* mov seg, ax */
        all_loads(seg, "mov", true);
        null_loads(seg);
        loads_outside(seg);
        table_limits(seg);
    }
}

/* The same in 16-bit and compatibility code. */
void test_segment_loads_other_sizes(void)
{
    for (code_size = CODE16; code_size <= COMPATIBILITY; code_size++) {
        if (code_size == COMPATIBILITY && !LONG)
            continue;
        test_segment_loads();
    }
    code_size = OWN;
}

void test_segment_pops(void)
{
    group("POP segment", "SDM vol. 2, POP");
    PROGRAM(0x0f, 0xa1); /* pop fs */
    all_loads(4, "pop", false);
    PROGRAM(0x0f, 0xa9); /* pop gs */
    all_loads(5, "pop", false);
    if (!LONG) {
        PROGRAM(0x07); /* pop es */
        all_loads(0, "pop", false);
        PROGRAM(0x17); /* pop ss */
        all_loads(2, "pop", false);
        PROGRAM(0x1f); /* pop ds */
        all_loads(3, "pop", false);
    }
}

void test_segment_far_pointers(void)
{
    group("load far pointer", "SDM vol. 2, LDS/LES/LFS/LGS/LSS");
    PROGRAM(0x0f, 0xb4, 0x0b); /* lfs ecx, [ebx] */
    all_loads(4, "lfs", false);
    PROGRAM(0x0f, 0xb5, 0x0b);
    all_loads(5, "lgs", false);
    PROGRAM(0x0f, 0xb2, 0x0b); /* lss */
    all_loads(2, "lss", false);
    if (!LONG) {
        PROGRAM(0xc4, 0x0b); /* les */
        all_loads(0, "les", false);
        PROGRAM(0xc5, 0x0b); /* lds */
        all_loads(3, "lds", false);
    }
}

/* CS is not a destination; two encodings name no register (SDM vol. 2, MOV). */
void test_segment_numbers(void)
{
    group("segment register numbers", "SDM vol. 2, MOV: #UD");
    for (unsigned reg = 0; reg < 8; reg++) {
        bool bad = reg == 1 || reg > 5;

        PROGRAM(0x8e, 0xc0 | reg << 3);
        ready(0);
        in.gpr[AX] = SEL_DATA;
        CHECK_RUN(bad ? EVENT(UD, 0) : OK, "mov to segment %u", reg);
        PROGRAM(0x8c, 0xc0 | reg << 3);
        ready(0);
        CHECK_RUN(reg > 5 ? EVENT(UD, 0) : OK, "mov from segment %u", reg);
    }
}

/* --- LAR, LSL, VERR, VERW --- */

enum { LAR, LSL, VERR, VERW };

static const char *const examine_names[] = {"lar", "lsl", "verr", "verw"};

/* SDM vol. 2, tables of LAR (3-51) and LSL (3-58). */
static bool is_known_system(unsigned op, unsigned type)
{
    switch (type) {
    case T_TSS16:
    case T_TSS16_BUSY: return !LONG;
    case T_LDT:
    case T_TSS32:
    case T_TSS32_BUSY: return true;
    case T_CALL16:
    case T_TASK: return op == LAR && !LONG;
    case T_CALL32: return op == LAR;
    default: return false;
    }
}

static bool expect_examined(unsigned op, unsigned type, unsigned dpl,
                            unsigned cpl, unsigned rpl)
{
    if (!is_conforming(type) && (cpl > dpl || rpl > dpl))
        return false;
    switch (op) {
    case VERR: return is_readable(type);
    case VERW: return is_writable(type);
    default: return type & T_S ? true : is_known_system(op, type);
    }
}

static void check_examine(unsigned op, unsigned n)
{
    unsigned type = n & 31, present = n >> 5 & 1, dpl = n >> 6 & 3;
    unsigned cpl = n >> 8 & 3, rpl = n >> 10 & 3, sel = SEL;
    bool want = expect_examined(op, type, dpl, cpl, rpl);
    bool scaled = n & 1;
    word value = 0x11111111;

    gdt_set(sel, segment(0x12345678, 0x54321, type, dpl, present,
                         scaled ? D_G | 1 : D_B));
    gdt_set(sel + 8, 0);
    ready(cpl);
    in.gpr[AX] = sel | rpl;
    in.gpr[CX] = value;
    in.flags = 2 | (want ? 0 : F_ZF);
    CHECK_RUN(OK, "%s", examine_names[op]);
    check(out.flags & F_ZF, want ? F_ZF : 0,
          "%s type %x dpl %u cpl %u rpl %u p %u: ZF", examine_names[op], type,
          dpl, cpl, rpl, present);
    if (want && op == LAR)
        value = gdt[sel / 8] >> 32 & 0x00f0ff00;
    if (want && op == LSL)
        value = scaled ? 0x54321fff : 0x54321;
    if (op == LAR) /* bits 19:16 are undefined */
        out.gpr[CX] &= want ? 0xfff0ffff : 0xffffffff;
    check(out.gpr[CX], value, "%s type %x: result", examine_names[op], type);
    check(gdt[sel / 8] >> 40 & 0x1f, type, "%s leaves the accessed bit",
          examine_names[op]);
}

static void set_examine(unsigned op)
{
    if (op == LAR)
        PROGRAM(0x0f, 0x02, 0xc8); /* lar ecx, ax */
    else if (op == LSL)
        PROGRAM(0x0f, 0x03, 0xc8);
    else if (op == VERR)
        PROGRAM(0x0f, 0x00, 0xe0);
    else
        PROGRAM(0x0f, 0x00, 0xe8);
}

void test_examine(void)
{
    static const uint16_t outside[] = {0, 1, 3, GDT_ENTRIES * 8, 0xfff8, 4,
                                       0xfffc};

    for (unsigned op = LAR; op <= VERW; op++) {
        group(examine_names[op], "SDM vol. 2, LAR, LSL, VERR/VERW");
        set_examine(op);
        for (unsigned n = 0; n < 32 * 2 * 4 * 4 * 4; n++)
            check_examine(op, n);
        for (unsigned i = 0; i < sizeof(outside) / 2; i++) {
            ready(3);
            in.flags |= F_ZF;
            in.gpr[AX] = outside[i];
            CHECK_RUN(OK, "%s", examine_names[op]);
            check(out.flags & F_ZF, 0, "%s of %x: ZF", examine_names[op],
                  outside[i]);
        }
    }
}
