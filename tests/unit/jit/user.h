#ifndef TESTS_UNIT_JIT_USER_H
#define TESTS_UNIT_JIT_USER_H

/*
 * A program at CPL 3 on paging, in 64, 32 or 16-bit code, with live registers.
 * Every exception handler is HLT, which gives the test the CPU, then IRET.
 */

#include "tests/unit/jit/engines.h"

enum code { CODE_16, CODE_32, CODE_64, CODES };

enum {
    USER_GDT = 0x3000, USER_IDT = 0x4000, USER_TSS = 0x6000,
    HANDLERS = 0x7000,
    STACK0 = 0xf000,
    DATA = 0x200000, DATA_SIZE = 0x180000,
    FS_LIMIT = DATA - 1, /* outside 64-bit mode */
    DONE = 0x80,            /* INT 80h ends a program */
    CACHE = 1 << 20,
};

enum { SEL_CODE0 = 8, SEL_DATA0 = 16, SEL_CODE3 = 0x1b, SEL_DATA3 = 0x23,
       SEL_TSS = 0x28, SEL_FS = 0x3b };

/* --- the machine --- */

static inline void descriptor(struct box *b, unsigned sel,
                              const struct segment *s)
{
    uint32_t limit = s->attr & ATTR_G ? s->limit >> 12 : s->limit;

    store32(box_at(b, USER_GDT + (sel & ~7u)),
            (uint32_t)s->base << 16 | (limit & 0xffff));
    store32(box_at(b, USER_GDT + (sel & ~7u) + 4),
            (uint32_t)(s->base & 0xff000000) | (s->attr & 0xf0ff) << 8 |
                (limit & 0xf0000) | (uint32_t)(s->base >> 16 & 0xff));
}

static inline struct segment make_segment(uint16_t sel, uint32_t attr)
{
    return (struct segment){
        .sel = sel,
        .limit = 0xffffffff,
        .attr = attr | ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED | ATTR_G |
                (uint32_t)(sel & 3) << ATTR_DPL_SHIFT,
    };
}

static inline void load_segment(struct box *b, enum seg seg, struct segment s)
{
    descriptor(b, s.sel, &s);
    b->cpu.seg[seg] = s;
}

static inline void map_for_user(struct box *b, enum code code)
{
    box_map(b);
    for (unsigned at = 0; at < 5 * PAGE_SIZE; at += 8)
        if (load64(box_at(b, BOX_PML4 + at)))
            *box_at(b, BOX_PML4 + at) |= 4;
    b->cpu.cr3 = BOX_PML4;
    if (code == CODE_64)
        return;
    store64(box_at(b, BOX_PML4), (BOX_PML4 + 2 * PAGE_SIZE) | 1);
    b->cpu.mmu.regs.pdpte[0] = (BOX_PML4 + 2 * PAGE_SIZE) | 1;
}

static inline bool has_error(unsigned vector)
{
    return vector == EXC_DF || (vector >= EXC_TS && vector <= EXC_PF) ||
           vector == EXC_AC;
}

/* HLT; drop the error code; IRET. */
static inline void handler(struct box *b, enum code code, unsigned vector)
{
    struct pen p = {b, HANDLERS + 16 * vector};
    bool wide = code == CODE_64;
    uint8_t *gate = box_at(b, USER_IDT + vector * (wide ? 16u : 8u));
    uint32_t attr = vector == DONE ? 0xee00 : 0x8e00;

    store32(gate, SEL_CODE0 << 16 | (uint32_t)p.at);
    store32(gate + 4, attr);
    PEN(&p, 0xf4);
    if (has_error(vector) && wide)
        PEN(&p, 0x48, 0x83, 0xc4, 8);
    else if (has_error(vector))
        PEN(&p, 0x83, 0xc4, 4);
    if (wide)
        PEN(&p, 0x48, 0xcf);
    else
        PEN(&p, 0xcf);
}

static inline void system_tables(struct box *b, enum code code)
{
    struct cpu *cpu = &b->cpu;
    uint32_t bits = code == CODE_64 ? ATTR_L : ATTR_DB;
    struct segment s = make_segment(SEL_CODE0, ATTR_CODE | bits);

    descriptor(b, SEL_CODE0, &s);
    s = make_segment(SEL_DATA0, ATTR_DB);
    descriptor(b, SEL_DATA0, &s);
    for (unsigned v = 0; v < 32; v++)
        handler(b, code, v);
    handler(b, code, DONE);
    store32(box_at(b, USER_TSS + 4), STACK0);
    store32(box_at(b, USER_TSS + 8), code == CODE_64 ? 0 : SEL_DATA0);
    store16(box_at(b, USER_TSS + 0x66), 0x68); /* no I/O permission map */
    cpu->gdtr = (struct table_reg){USER_GDT, 0x3f};
    cpu->idtr = (struct table_reg){USER_IDT, 0xfff};
    cpu->tr = (struct segment){.sel = SEL_TSS, .base = USER_TSS,
                               .limit = 0x67, .attr = ATTR_P | 11};
}

static inline uint64_t cs_base(enum code code)
{
    return code == CODE_16 ? BOX_CODE : 0;
}

/* At CPL 3 with live registers, at the start of the program. */
static inline struct box *machine(enum code code, enum engine_kind kind)
{
    static const uint32_t bits[CODES] = {0, ATTR_DB, ATTR_L};
    struct box *b = box_new();
    struct cpu *cpu = &b->cpu;
    struct segment cs = make_segment(SEL_CODE3, ATTR_CODE | bits[code]);

    if (kind == BY_JIT)
        engines_jit(b, CACHE);
    map_for_user(b, code);
    system_tables(b, code);
    cs.base = cs_base(code);
    load_segment(b, CS, cs);
    for (unsigned s = ES; s <= GS; s++)
        if (s != CS && s != FS)
            load_segment(b, (enum seg)s, make_segment(SEL_DATA3, ATTR_DB));
    load_segment(b, FS, make_segment(SEL_FS, ATTR_DB));
    if (code != CODE_64)
        cpu->seg[FS].limit = FS_LIMIT;
    cpu->cpl = 3;
    cpu->cr0 |= CR0_PE | CR0_PG | CR0_WP;
    cpu->cr4 |= CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    cpu->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    if (code == CODE_64)
        cpu->efer |= EFER_LME | EFER_LMA;
    for (unsigned r = 0; r < GPR_COUNT; r++)
        cpu->gpr[r] = (0x1122334455667788u * (r + 3)) >>
                      (code == CODE_64 ? 0 : 32);
    for (unsigned x = 0; x < 16; x++)
        for (unsigned k = 0; k < 4; k++)
            cpu->xmm[x].u64[k] = 0x3fe123456789abcdu + 77 * x + k;
    cpu->gpr[RBX] = DATA;
    cpu->gpr[R8] = (uint64_t)1 << 63 | 0x1000; /* not canonical */
    cpu->rip = BOX_CODE - cs_base(code);
    ck_assert(cpu_state_loaded(cpu));
    for (unsigned k = 0; k < DATA_SIZE; k += 8)
        store64(box_at(b, DATA + k), 0x3ff0000000000001u + 0x1234567u * k);
    return b;
}

static inline void set_rights(struct box *b, laddr la, uint64_t set,
                              uint64_t clear)
{
    uint8_t *entry = box_at(b, BOX_PT) + la / PAGE_SIZE * 8;

    store64(entry, (load64(entry) & ~clear) | set);
    mmu_invlpg(&b->cpu.mmu, la);
}

/* --- what is compared --- */

struct snapshot {
    uint64_t gpr[GPR_COUNT];
    uint64_t rip;
    uint32_t eflags, mxcsr;
    uint64_t xmm[16][4];
    struct fpu fpu;
};

static inline struct snapshot snap(const struct cpu *cpu)
{
    struct snapshot s;

    memset(&s, 0, sizeof(s));
    memcpy(s.gpr, cpu->gpr, sizeof(s.gpr));
    s.rip = cpu->rip;
    s.eflags = cpu_eflags(cpu);
    s.mxcsr = cpu->mxcsr;
    for (unsigned x = 0; x < 16; x++)
        memcpy(s.xmm[x], &cpu->xmm[x], 32);
    memcpy(&s.fpu, &cpu->fpu, sizeof(s.fpu));
    return s;
}

/* The frame that a handler finds on the stack of CPL 0. */
static inline uint64_t frame(struct box *b, enum code code, unsigned word)
{
    uint64_t size = code == CODE_64 ? 8 : 4;

    return load_sized(box_at(b, b->cpu.gpr[RSP] + word * size),
                      (unsigned)size);
}

/* The program as the handler of `vector` sees it: its frame taken back. */
static inline struct snapshot in_handler(struct box *b, enum code code,
                                  unsigned vector, uint64_t *error)
{
    struct snapshot s = snap(&b->cpu);
    unsigned w = has_error(vector) ? 1 : 0;

    *error = w ? frame(b, code, 0) : 0;
    s.rip = frame(b, code, w);
    s.eflags = (uint32_t)frame(b, code, w + 2);
    s.gpr[RSP] = frame(b, code, w + 3);
    return s;
}

static inline const char *unlike(const struct snapshot *a,
                                 const struct snapshot *b)
{
    if (a->rip != b->rip)
        return "rip";
    if (memcmp(a->gpr, b->gpr, sizeof(a->gpr)))
        return "general registers";
    if (a->eflags != b->eflags)
        return "flags";
    if (memcmp(a->xmm, b->xmm, sizeof(a->xmm)) || a->mxcsr != b->mxcsr)
        return "xmm";
    if (memcmp(&a->fpu, &b->fpu, sizeof(a->fpu)))
        return "x87";
    return NULL;
}

/* Runs on until the HLT of this handler. */
static inline void run_to_handler(struct box *b, unsigned vector)
{
    b->cpu.halted = false;
    box_run(b);
    ck_assert_msg(b->cpu.rip == HANDLERS + 16 * vector + 1,
                  "vector %d came, not %u; cr2 %#llx",
                  (int)(b->cpu.rip - HANDLERS) / 16, vector,
                  (unsigned long long)b->cpu.cr2);
}

#endif
