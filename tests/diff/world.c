#include "tests/diff/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "cpu/cpuid.h"

/* Physical addresses: the arena lies at 0. */
enum {
    RAM_SIZE = 4 << 20,
    TABLES = 0x100000, /* PML4; then PDPT, PD and PT of the arena, then those
                        * of the system */
    SYSTEM = 0x200000,
    GDT = 0, IDT = PAGE, TSS = 2 * PAGE, LDT = 3 * PAGE, HANDLERS = 4 * PAGE,
    STACK0 = 6 * PAGE, /* grows down from here */
    SYSTEM_PAGES = 6,
    BUDGET = 1000000,
};

/* Where a kernel is. */
#define SYSTEM_LA 0xffffffff81000000

enum { SEL_KERNEL = 0x10, SEL_TSS = 0x40, SEL_LDT = 0x50 };

enum { ENTRY_P = 1, ENTRY_RW = 2, ENTRY_U = 4, ENTRY_AD = 0x60 };
#define ENTRY_NX ((uint64_t)1 << 63)

static uint8_t *ram(struct world *w, uint64_t pa)
{
    return w->mem.ram.mem.rw + pa;
}

/* --- paging --- */

static void put_entry(struct world *w, unsigned table, unsigned i, uint64_t e)
{
    store64(ram(w, TABLES + table * PAGE + 8 * i), e | ENTRY_AD);
}

static void put_table(struct world *w, unsigned table, unsigned i, unsigned to)
{
    put_entry(w, table, i,
              (TABLES + to * PAGE) | ENTRY_P | ENTRY_RW | ENTRY_U);
}

static void map_user(struct world *w, uint32_t la, uint64_t rights)
{
    put_entry(w, 3, (la - ARENA) / PAGE, (la - ARENA) | ENTRY_P | ENTRY_U |
                                             rights);
}

static void make_tables(struct world *w)
{
    put_table(w, 0, 0, 1);
    put_table(w, 1, 0, 2);
    put_table(w, 2, ARENA >> 21, 3);
    put_table(w, 0, 511, 4);
    put_table(w, 4, 510, 5);
    put_table(w, 5, 8, 6);
    for (unsigned at = 0; at < CODE_SIZE; at += PAGE)
        map_user(w, CODE + at, 0);
    map_user(w, EXIT_PAGE, 0);
    for (unsigned p = 0; p < RW_PAGES; p++)
        map_user(w, page_address(p), ENTRY_RW | ENTRY_NX);
    map_user(w, DATA_RO, ENTRY_NX);
    for (unsigned p = 0; p < SYSTEM_PAGES; p++)
        put_entry(w, 6, p, (SYSTEM + p * PAGE) | ENTRY_P | ENTRY_RW);
}

/* --- descriptors --- */

static struct segment make_segment(uint16_t sel, uint32_t base, uint32_t limit,
                                   uint32_t attr)
{
    return (struct segment){.sel = sel, .base = base, .limit = limit,
                            .attr = attr};
}

enum {
    USER = ATTR_P | ATTR_S | ATTR_ACCESSED | 3 << ATTR_DPL_SHIFT,
    FLAT_CODE = ATTR_CODE | ATTR_RW | ATTR_G,
    FLAT_DATA = ATTR_RW | ATTR_G | ATTR_DB,
};

/* As modify_ldt makes it. */
static struct segment ldt_segment(uint16_t sel)
{
    struct ldt_entry e = ldt_entry(sel >> 3);
    uint32_t attr = ATTR_S | ATTR_ACCESSED | 3 << ATTR_DPL_SHIFT |
                    (uint32_t)e.contents << 2;

    attr |= (e.read_only ? 0 : ATTR_RW) | (e.wide ? ATTR_DB : 0) |
            (e.pages ? ATTR_G : 0) | (e.absent ? 0 : ATTR_P);
    return make_segment(sel, e.base,
                        e.pages ? e.limit << 12 | 0xfff : e.limit, attr);
}

static struct segment known_segment(uint16_t sel)
{
    if (sel & 4)
        return ldt_segment(sel);
    switch (sel) {
    case USER_CS32:
        return make_segment(sel, 0, UINT32_MAX, USER | FLAT_CODE | ATTR_DB);
    case USER_CS64:
        return make_segment(sel, 0, UINT32_MAX, USER | FLAT_CODE | ATTR_L);
    case USER_DS: return make_segment(sel, 0, UINT32_MAX, USER | FLAT_DATA);
    default: return make_segment(sel, 0, 0, 0);
    }
}

static void put_descriptor(struct world *w, unsigned at, struct segment s)
{
    uint32_t limit = s.attr & ATTR_G ? s.limit >> 12 : s.limit;
    uint8_t *d = ram(w, SYSTEM + at);

    store32(d, (uint32_t)s.base << 16 | (limit & 0xffff));
    store32(d + 4, (uint32_t)(s.base & 0xff000000) | (s.attr & 0xf0ff) << 8 |
                       (limit & 0xf0000) | (uint32_t)(s.base >> 16 & 0xff));
}

/* Programs may end by INT3 and INTO only. */
static void put_gate(struct world *w, unsigned v)
{
    uint64_t to = SYSTEM_LA + HANDLERS + v;
    uint8_t *gate = ram(w, SYSTEM + IDT + 16 * v);
    uint32_t attr = v == EXC_BP || v == EXC_OF ? 0xee00 : 0x8e00;

    store32(gate, SEL_KERNEL << 16 | (uint32_t)(to & 0xffff));
    store32(gate + 4, (uint32_t)(to & 0xffff0000) | attr);
    store32(gate + 8, (uint32_t)(to >> 32));
}

static void make_descriptors(struct world *w)
{
    static const uint16_t user[] = {USER_CS32, USER_DS, USER_CS64};

    put_descriptor(w, GDT + SEL_KERNEL,
                   make_segment(0, 0, UINT32_MAX,
                                ATTR_P | ATTR_S | ATTR_ACCESSED | FLAT_CODE |
                                    ATTR_L));
    for (unsigned i = 0; i < sizeof(user) / sizeof(user[0]); i++)
        put_descriptor(w, GDT + (user[i] & ~7u), known_segment(user[i]));
    for (unsigned i = 0; i < LDT_COUNT; i++)
        put_descriptor(w, LDT + 8 * i, ldt_segment((uint16_t)(8 * i + 7)));
    for (unsigned v = 0; v < 256; v++)
        put_gate(w, v);
    memset(ram(w, SYSTEM + HANDLERS), 0xf4, PAGE);
    store64(ram(w, SYSTEM + TSS + 4), SYSTEM_LA + STACK0);
    store16(ram(w, SYSTEM + TSS + 0x66), 0x68);
    w->cpu.gdtr = (struct table_reg){SYSTEM_LA + GDT, 0x7f};
    w->cpu.idtr = (struct table_reg){SYSTEM_LA + IDT, 0xfff};
    w->cpu.tr = (struct segment){.sel = SEL_TSS, .base = SYSTEM_LA + TSS,
                                 .limit = 0x67, .attr = ATTR_P | 11};
    w->cpu.ldtr = (struct segment){.sel = SEL_LDT, .base = SYSTEM_LA + LDT,
                                   .limit = 8 * LDT_COUNT - 1,
                                   .attr = ATTR_P | 2};
}

/* --- the processor --- */

static void code_written(void *owner, uint64_t at, unsigned size)
{
    struct world *w = owner;

    w->engine->invalidate(w->engine, at, size);
}

static const struct cpu_model *richest_model(void)
{
    const struct cpu_model *m = cpu_models;

    while (m[1].name)
        m++;
    return m;
}

struct feature_set world_features(void)
{
    return richest_model()->features;
}

static void set_control(struct cpu *cpu)
{
    cpu->cr0 |= CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_AM | CR0_MP;
    cpu->cr0 &= ~(uint64_t)(CR0_EM | CR0_TS | CR0_CD | CR0_NW);
    cpu->cr3 = TABLES;
    cpu->cr4 |= CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE |
                CR4_OSXSAVE | CR4_UMIP | CR4_PGE | CR4_DE;
    cpu->xcr0 = 7;
    cpu->efer |= EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
}

static void fill_exit_page(struct world *w)
{
    memset(ram(w, CODE - ARENA), CODE_FILL, CODE_SIZE);
    layout_exit_page(ram(w, EXIT_PAGE - ARENA));
}

uint8_t *world_page(struct world *w, unsigned page)
{
    return ram(w, page_address(page) - ARENA);
}

static void die(const char *what)
{
    fprintf(stderr, "diff: %s\n", what);
    exit(2);
}

struct world *world_new(const char *name, engine_maker *make,
                        struct feature_set features)
{
    struct world *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);

    if (!w)
        die("no memory");
    memset(w, 0, sizeof(*w));
    w->name = name;
    if (!physmem_init(&w->mem, RAM_SIZE) ||
        !physmem_add_block(&w->mem, "ram", 0, RAM_SIZE, 0, BLOCK_RAM))
        die("no memory for the guest");
    space_init(&w->io, "ports", 0x10000);
    clock_init(&w->clock, CLOCK_DETERMINISTIC);
    cpu_init(&w->cpu, richest_model(), &w->mem, &w->io, &w->clock, &w->stats);
    w->cpu.features = features;
    w->mem.owner = w;
    w->mem.on_code_write = code_written;
    make_tables(w);
    make_descriptors(w);
    fill_exit_page(w);
    case_base_image(w->base);
    for (unsigned p = 0; p < DATA_PAGES; p++)
        memcpy(world_page(w, p), w->base[p], PAGE);
    set_control(&w->cpu);
    w->cpu.seg[CS] = known_segment(USER_CS64);
    w->cpu.cpl = 3;
    if (!cpu_state_loaded(&w->cpu))
        die("Copal refuses the state");
    w->engine = make(&w->cpu);
    if (w->engine)
        return w;
    world_free(w);
    return NULL;
}

void world_free(struct world *w)
{
    if (w->engine)
        w->engine->destroy(w->engine);
    cpu_destroy(&w->cpu);
    clock_destroy(&w->clock);
    physmem_destroy(&w->mem);
    free(w);
}

/* --- state in and out --- */

static void load_fpu(struct cpu *cpu, const struct xarea *x)
{
    const uint8_t *l = x->legacy;
    struct fpu *f = &cpu->fpu;
    unsigned top;

    f->cw = load16(l + X_FCW);
    f->sw = load16(l + X_FSW);
    f->tags = l[X_FTW];
    f->opcode = load16(l + X_FOP);
    f->ip = load64(l + X_FIP);
    f->dp = load64(l + X_FDP);
    f->cs = f->ds = 0;
    top = f->sw >> 11 & 7;
    for (unsigned i = 0; i < 8; i++) {
        struct fpreg *r = &f->r[(top + i) & 7];

        r->frac = load64(l + X_ST + 16 * i);
        r->exp = load16(l + X_ST + 16 * i + 8);
    }
    cpu->mxcsr = load32(l + X_MXCSR);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(cpu->xmm[i].u8, l + X_XMM + 16 * i, 16);
        memcpy(cpu->xmm[i].u8 + 16, x->ymm_high[i], 16);
        memset(cpu->xmm[i].u8 + 32, 0, 32);
    }
}

static void save_fpu(const struct cpu *cpu, struct xarea *x)
{
    uint8_t *l = x->legacy;
    const struct fpu *f = &cpu->fpu;
    unsigned top = f->sw >> 11 & 7;

    store16(l + X_FCW, f->cw);
    store16(l + X_FSW, f->sw);
    l[X_FTW] = f->tags;
    store16(l + X_FOP, f->opcode);
    store64(l + X_FIP, f->ip);
    store64(l + X_FDP, f->dp);
    for (unsigned i = 0; i < 8; i++) {
        const struct fpreg *r = &f->r[(top + i) & 7];

        store64(l + X_ST + 16 * i, r->frac);
        store16(l + X_ST + 16 * i + 8, r->exp);
    }
    store32(l + X_MXCSR, cpu->mxcsr);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(l + X_XMM + 16 * i, cpu->xmm[i].u8, 16);
        memcpy(x->ymm_high[i], cpu->xmm[i].u8 + 16, 16);
    }
}

static void load_state(struct cpu *cpu, const struct test_case *c)
{
    const struct state *s = &c->in;

    cpu->halted = cpu->shadow = cpu->shadow_db = false;
    cpu->pending_db = 0;
    cpu->dr[6] = 0xffff0ff0;
    cpu->cr2 = 0;
    for (unsigned i = ES; i <= GS; i++)
        cpu->seg[i] = known_segment(s->sel[i]);
    if (c->kind == CODE_64) {
        cpu->seg[FS].base = s->fs_base;
        cpu->seg[GS].base = s->gs_base;
    }
    cpu->cpl = 3;
    load_fpu(cpu, &s->x);
    cpu_set_eflags(cpu, s->eflags);
    cpu_update_mode(cpu);
    cpu_update_stop(cpu);
    memcpy(cpu->gpr, s->gpr, sizeof(cpu->gpr));
    cpu->rip = cpu->next_rip = s->rip;
    cpu->insn_rsp = cpu->gpr[RSP];
}

/* What the handler found on its stack (SDM vol. 3, 6.14.2). */
static void save_frame(struct world *w, struct outcome *out)
{
    uint64_t at = w->cpu.gpr[RSP] - SYSTEM_LA;
    const uint8_t *frame = ram(w, SYSTEM + at);
    struct state *s = &out->state;

    out->error = 0;
    if (STACK0 - at == 48) {
        out->error = load32(frame);
        frame += 8;
    }
    s->rip = load64(frame);
    s->sel[CS] = load16(frame + 8);
    s->eflags = load32(frame + 16);
    s->gpr[RSP] = load64(frame + 24);
    s->sel[SS] = load16(frame + 32);
}

static void save_state(struct world *w, struct outcome *out)
{
    const struct cpu *cpu = &w->cpu;
    struct state *s = &out->state;

    memcpy(s->gpr, cpu->gpr, sizeof(s->gpr));
    for (unsigned i = ES; i <= GS; i++)
        s->sel[i] = cpu->seg[i].sel;
    s->fs_base = cpu->seg[FS].base;
    s->gs_base = cpu->seg[GS].base;
    save_fpu(cpu, &s->x);
    out->vector = (int)(cpu->rip - 1 - SYSTEM_LA - HANDLERS);
    out->cr2 = cpu->cr2;
    save_frame(w, out);
    if (out->vector != EXC_PF || s->rip != EXIT_STOP ||
        out->cr2 != EXIT_OUT || s->sel[CS] != USER_CS64)
        return;
    out->vector = END_NORMAL;
    out->error = 0;
    out->cr2 = 0;
}

/* --- running --- */

static void put_patches(struct world *w, const struct test_case *c)
{
    for (unsigned i = 0; i < c->patch_count; i++)
        memcpy(ram(w, c->patch[i].at - ARENA), c->patch[i].bytes, PATCH_SIZE);
}

/* In the place of the code that is loaded. */
static void put_code(struct world *w, const uint8_t *bytes)
{
    uint64_t at = w->code_at - ARENA;
    unsigned room = PAGE - (unsigned)(at & (PAGE - 1));
    unsigned n = w->code_size < room ? w->code_size : room;

    if (n)
        physmem_store(&w->mem, at, bytes, n);
    if (n < w->code_size)
        physmem_store(&w->mem, at + n, bytes + n, w->code_size - n);
}

static void change_code(struct world *w, const struct test_case *c)
{
    uint8_t fill[CODE_ROOM];

    memset(fill, CODE_FILL, sizeof(fill));
    put_code(w, fill);
    w->code_id = c->code_id;
    w->code_at = c->code_at;
    w->code_size = c->code_size;
    put_code(w, c->code);
}

void world_load(struct world *w, const struct test_case *c)
{
    if (!c->code_id || w->code_id != c->code_id)
        change_code(w, c);
    put_patches(w, c);
}

/* Most programs write little: only what differs is put back. */
static void restore_data(struct world *w)
{
    for (unsigned p = 0; p < RW_PAGES; p++) {
        uint8_t *page = world_page(w, p);

        for (unsigned at = 0; at < PAGE; at += 256) {
            if (memcmp(page + at, w->base[p] + at, 256))
                memcpy(page + at, w->base[p] + at, 256);
        }
    }
}

void world_reload(struct world *w, const struct test_case *c)
{
    restore_data(w);
    put_patches(w, c);
}

void world_unload(struct world *w)
{
    restore_data(w);
}

void world_run(struct world *w, const struct test_case *c, struct outcome *out)
{
    load_state(&w->cpu, c);
    w->engine->run(w->engine, &w->cpu, BUDGET);
    if (w->cpu.halted && !w->cpu.shutdown) {
        save_state(w, out);
        return;
    }
    out->vector = END_LOST;
    w->cpu.shutdown = false;
    w->cpu.delivering = -1;
}
