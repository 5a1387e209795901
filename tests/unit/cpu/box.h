#ifndef TESTS_UNIT_CPU_BOX_H
#define TESTS_UNIT_CPU_BOX_H

/*
 * A made-up machine for tests of the CPU: 4 MiB of flat RAM, ports where
 * nothing answers, a clock that stands still, one processor and the
 * interpreter.
 *
 * Real mode runs at BOX_CODE with all other segments 0.  64-bit mode has flat
 * segments and maps the 4 MiB one to one, page by page; a test may take pages
 * away.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/control.h"
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/fault.h"
#include "cpu/interp.h"

enum {
    BOX_RAM = 4 << 20,
    BOX_PML4 = 0x100000, /* PDPT, PD and two page tables follow */
    BOX_PT = BOX_PML4 + 3 * PAGE_SIZE,
    BOX_CODE = 0x10000,
    BOX_STACK = 0x80000,
};

struct box {
    struct physmem mem;
    struct space io;
    struct clock clock;
    struct stats stats;
    struct cpu cpu;
    struct engine *engine;
};

static inline void box_code_written(void *owner, uint64_t at, unsigned size)
{
    struct box *b = owner;

    b->engine->invalidate(b->engine, at, size);
}

/* In real mode, at BOX_CODE, with SP at BOX_STACK's low half. */
static inline struct box *box_new(void)
{
    struct box *b = calloc(1, sizeof(*b));
    const struct cpu_model *model = cpu_models;

    while (model[1].name)
        model++;
    ck_assert(physmem_init(&b->mem, BOX_RAM));
    ck_assert(physmem_add_block(&b->mem, "ram", 0, BOX_RAM, 0, BLOCK_RAM));
    space_init(&b->io, "ports", 0x10000);
    clock_init(&b->clock, CLOCK_DETERMINISTIC);
    cpu_init(&b->cpu, model, &b->mem, &b->io, &b->clock, &b->stats);
    b->engine = interp_new(&b->cpu);
    b->mem.owner = b;
    b->mem.on_code_write = box_code_written;
    b->cpu.seg[CS].sel = BOX_CODE >> 4;
    b->cpu.seg[CS].base = BOX_CODE;
    b->cpu.rip = 0;
    b->cpu.gpr[RSP] = 0x8000;
    cpu_update_mode(&b->cpu);
    return b;
}

static inline void box_free(struct box *b)
{
    b->engine->destroy(b->engine);
    cpu_destroy(&b->cpu);
    clock_destroy(&b->clock);
    physmem_destroy(&b->mem);
    free(b);
}

static inline uint8_t *box_at(struct box *b, paddr pa)
{
    return b->mem.ram.mem.rw + pa;
}

static inline void box_flat_segment(struct cpu *cpu, enum seg s, uint32_t attr)
{
    cpu->seg[s] = (struct segment){
        .sel = 8, .limit = 0xffffffff,
        .attr = attr | ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED | ATTR_G,
    };
}

/* A present, writable page of the supervisor. */
static inline uint64_t box_entry(paddr pa)
{
    return pa | 3;
}

static inline void box_map(struct box *b)
{
    uint8_t *pml4 = box_at(b, BOX_PML4);

    store64(pml4, box_entry(BOX_PML4 + PAGE_SIZE));
    store64(pml4 + PAGE_SIZE, box_entry(BOX_PML4 + 2 * PAGE_SIZE));
    for (unsigned i = 0; i < 2; i++)
        store64(pml4 + 2 * PAGE_SIZE + 8 * i,
                box_entry(BOX_PT + i * PAGE_SIZE));
    for (unsigned i = 0; i < BOX_RAM / PAGE_SIZE; i++)
        store64(box_at(b, BOX_PT) + 8 * i, box_entry(i * PAGE_SIZE));
}

/* Takes rights of the page of la away: 1 all, 2 writing. */
static inline void box_forbid(struct box *b, laddr la, uint64_t bits)
{
    uint8_t *entry = box_at(b, BOX_PT) + la / PAGE_SIZE * 8;

    store64(entry, load64(entry) & ~bits);
    mmu_invlpg(&b->cpu.mmu, la);
}

static inline struct box *box_new_long(void)
{
    struct box *b = box_new();
    struct cpu *cpu = &b->cpu;

    box_map(b);
    cpu->cr3 = BOX_PML4;
    cpu->cr4 |= CR4_PAE;
    cpu->efer |= EFER_LME | EFER_LMA;
    cpu->cr0 |= CR0_PE | CR0_PG | CR0_WP;
    box_flat_segment(cpu, CS, ATTR_CODE | ATTR_L);
    for (unsigned s = ES; s <= GS; s++)
        if (s != CS)
            box_flat_segment(cpu, s, ATTR_DB);
    cpu->rip = BOX_CODE;
    cpu->gpr[RSP] = BOX_STACK;
    ck_assert(cpu_state_loaded(cpu));
    ck_assert(cpu_code64(cpu));
    return b;
}

/* 32-bit protected mode without paging. */
static inline struct box *box_new_32(void)
{
    struct box *b = box_new();
    struct cpu *cpu = &b->cpu;

    cpu->cr0 |= CR0_PE;
    box_flat_segment(cpu, CS, ATTR_CODE | ATTR_DB);
    for (unsigned s = ES; s <= GS; s++)
        if (s != CS)
            box_flat_segment(cpu, s, ATTR_DB);
    cpu->rip = BOX_CODE;
    cpu->gpr[RSP] = BOX_STACK;
    ck_assert(cpu_state_loaded(cpu));
    return b;
}

#define BOX_LOAD(b, ...)                                              \
    memcpy(box_at((b), BOX_CODE), (const uint8_t[]){__VA_ARGS__},     \
           sizeof((const uint8_t[]){__VA_ARGS__}))

enum { BOX_BUDGET = 100000 };

/* Runs to HLT. */
static inline void box_run(struct box *b)
{
    ck_assert_int_eq(b->engine->run(b->engine, &b->cpu, BOX_BUDGET),
                     STOP_HALT);
}

/* Runs until a fault and returns its vector, with the state as it is before
 * delivery; -1 if there is none. */
static inline int box_fault(struct box *b)
{
    jmp_buf unwind;
    volatile unsigned steps = 0;

    b->cpu.unwind = &unwind;
    if (setjmp(unwind))
        return b->cpu.exc.vector;
    while (!b->cpu.halted && ++steps < BOX_BUDGET)
        interp_step(&b->cpu);
    return -1;
}

#endif
