#include "tests/x87/world.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/cpuid.h"

enum {
    RAM = 4 << 20,
    TABLES = 0x100000, /* PML4, PDPT, PD with large pages */
    IDT = 0x108000,
    HANDLER = 0x30000, /* of #MF: HLT */
    STACK = 0x80000,
    FRAME = STACK - 40, /* what the exception pushed; RIP is the lowest */
    BUDGET = 1000,
    CODE_SELECTOR = 0x33,
    GATE = 16, /* bytes */
    GDT_BYTES = 0x40,
};

uint8_t *world_ram(struct world *w, uint64_t at)
{
    return w->mem.ram.mem.rw + at;
}

static void make_tables(struct world *w)
{
    const uint64_t rights = 3, large = 0x80;

    store64(world_ram(w, TABLES), (TABLES + PAGE_SIZE) | rights);
    store64(world_ram(w, TABLES + PAGE_SIZE),
            (TABLES + 2 * PAGE_SIZE) | rights);
    for (unsigned i = 0; i < RAM >> 21; i++)
        store64(world_ram(w, TABLES + 2 * PAGE_SIZE + 8 * i),
                (uint64_t)i << 21 | rights | large);
}

/* #MF, and the descriptor of the code segment that its gate names. */
static void make_gate(struct world *w)
{
    uint8_t *gate = world_ram(w, IDT + GATE * EXC_MF);
    const uint64_t code64 = 0x00af9b000000ffff;

    store16(gate, HANDLER & 0xffff);
    store16(gate + 2, CODE_SELECTOR & ~3);
    store16(gate + 4, 0x8e00);
    store16(gate + 6, HANDLER >> 16);
    store64(world_ram(w, IDT + PAGE_SIZE + (CODE_SELECTOR & ~7)), code64);
    *world_ram(w, HANDLER) = 0xf4;
}

static void flat_segment(struct cpu *cpu, enum seg s, uint32_t attr)
{
    cpu->seg[s] = (struct segment){
        .limit = UINT32_MAX,
        .attr = attr | ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED | ATTR_G,
    };
}

static void make_cpu(struct world *w)
{
    struct cpu *cpu = &w->cpu;
    const struct cpu_model *model = cpu_models;

    while (model[1].name)
        model++;
    cpu_init(cpu, model, &w->mem, &w->io, &w->clock, &w->stats);
    cpu->features = FEATURE_SET_ALL;
    cpu->cr3 = TABLES;
    cpu->cr4 |= CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu->efer |= EFER_LME | EFER_LMA;
    cpu->cr0 |= CR0_PE | CR0_PG | CR0_WP | CR0_NE;
    cpu->cr0 &= ~(uint64_t)(CR0_EM | CR0_TS);
    for (unsigned s = ES; s <= GS; s++)
        flat_segment(cpu, s, s == CS ? ATTR_CODE | ATTR_L : ATTR_DB);
    cpu->idtr = (struct table_reg){IDT, GATE * 32 - 1};
    cpu->gdtr = (struct table_reg){IDT + PAGE_SIZE, GDT_BYTES - 1};
}

static void code_written(void *owner, uint64_t at, unsigned size)
{
    struct world *w = owner;

    w->engine->invalidate(w->engine, at, size);
}

struct world *world_new(world_engine *make)
{
    struct world *w = calloc(1, sizeof(*w));

    if (!w || !physmem_init(&w->mem, RAM) ||
        !physmem_add_block(&w->mem, "ram", 0, RAM, 0, BLOCK_RAM))
        return NULL;
    space_init(&w->io, "ports", 0x10000);
    clock_init(&w->clock, CLOCK_DETERMINISTIC);
    make_tables(w);
    make_gate(w);
    make_cpu(w);
    w->engine = make(&w->cpu);
    if (!w->engine || !cpu_state_loaded(&w->cpu))
        return NULL;
    w->mem.owner = w;
    w->mem.on_code_write = code_written;
    return w;
}

void world_free(struct world *w)
{
    if (!w)
        return;
    w->engine->destroy(w->engine);
    cpu_destroy(&w->cpu);
    clock_destroy(&w->clock);
    physmem_destroy(&w->mem);
    free(w);
}

void world_put_code(struct world *w, uint64_t at, const uint8_t *code,
                    unsigned size)
{
    w->engine->invalidate(w->engine, at, size);
    memcpy(world_ram(w, at), code, size);
}

uint64_t world_run(struct world *w, uint64_t at)
{
    struct cpu *cpu = &w->cpu;

    cpu->rip = at;
    cpu->gpr[RSP] = STACK;
    cpu->halted = false;
    cpu->seg[CS].sel = CODE_SELECTOR;
    cpu_update_mode(cpu);
    cpu_update_stop(cpu);
    if (w->engine->run(w->engine, cpu, BUDGET) != STOP_HALT)
        return WORLD_LOST;
    if (cpu->rip != HANDLER + 1)
        return 0;
    return load64(world_ram(w, FRAME));
}
