/*
 * The processor as a boot loader leaves it: interrupts off, flat segments from
 * a GDT, memory types as a BIOS sets them; with or without long mode.
 */

#include <string.h>

#include "cpu/insn.h"
#include "machine/loader_core.h"

enum {
    SEL_CODE = 0x10, /* the selectors that Linux's boot protocol names */
    SEL_DATA = 0x18,
    GDT_ENTRIES = 4,
};

/* Attributes as struct segment keeps them; present, ring 0, accessed. */
enum {
    ATTR_COMMON = ATTR_P | ATTR_S | ATTR_ACCESSED | ATTR_RW | ATTR_G,
    ATTR_CODE32 = ATTR_COMMON | ATTR_CODE | ATTR_DB,
    ATTR_CODE64 = ATTR_COMMON | ATTR_CODE | ATTR_L,
    ATTR_DATA32 = ATTR_COMMON | ATTR_DB,
};

/* Page table entries (SDM vol. 3, 4.5). */
enum {
    PTE_PRESENT = 1 << 0,
    PTE_WRITE = 1 << 1,
    PTE_LARGE = 1 << 7,
    PTES = 512,
    LARGE_PAGE_BITS = 21,
    MAPPED_GIB = 4,
};

/* MTRRs (SDM vol. 3, 11.11): all is write-back but display memory and the
 * hole of the PCI bus. */
enum { MTRR_ENABLE = 3 << 10, MTRR_VALID = 1 << 11, TYPE_WB = 6 };
#define FIXED_WB ((uint64_t)0x0606060606060606)
#define FIXED_WP ((uint64_t)0x0505050505050505)

static void set_memory_types(struct cpu *cpu)
{
    uint64_t address = ((uint64_t)1 << PADDR_BITS) - 1;

    if (!cpu_has(cpu, FEAT_MTRR))
        return;
    cpu->msr.mtrr_fix[0] = cpu->msr.mtrr_fix[1] = FIXED_WB;
    cpu->msr.mtrr_fix[2] = 0; /* a0000-bffff */
    for (unsigned i = 3; i < array_len(cpu->msr.mtrr_fix); i++)
        cpu->msr.mtrr_fix[i] = FIXED_WP;
    cpu->msr.mtrr_var[0] = BOARD_HOLE_START;
    cpu->msr.mtrr_var[1] =
        (address & ~(BOARD_4G - BOARD_HOLE_START - 1)) | MTRR_VALID;
    cpu->msr.mtrr_def_type = MTRR_ENABLE | TYPE_WB;
}

static uint64_t flat_descriptor(uint32_t attr)
{
    return (uint64_t)attr << 40 | (uint64_t)0xf << 48 | 0xffff;
}

static bool load_gdt(struct load *l, uint32_t code_attr)
{
    uint64_t gdt[GDT_ENTRIES] = {0};

    gdt[SEL_CODE / 8] = flat_descriptor(code_attr);
    gdt[SEL_DATA / 8] = flat_descriptor(ATTR_DATA32);
    l->cpu->gdtr = (struct table_reg){LOADER_GDT, sizeof(gdt) - 1};
    l->cpu->idtr = (struct table_reg){0, 0};
    return load_bytes(l, LOADER_GDT, gdt, sizeof(gdt));
}

static bool set_segments(struct load *l, uint32_t code_attr)
{
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        l->cpu->seg[i] =
            (struct segment){SEL_DATA, ATTR_DATA32, UINT32_MAX, 0};
    }
    l->cpu->seg[CS] = (struct segment){SEL_CODE, code_attr, UINT32_MAX, 0};
    return load_gdt(l, code_attr);
}

static void set_control(struct cpu *cpu, uint64_t cr0, uint64_t cr4,
                        uint64_t efer)
{
    cpu->cr0 = cr0 | CR0_PE | CR0_ET;
    cpu->cr4 = cr4;
    cpu->efer = efer;
    mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr4, cpu->efer);
}

static void set_entry(struct cpu *cpu, uint64_t entry)
{
    memset(cpu->gpr, 0, sizeof(cpu->gpr));
    cpu->rip = cpu->next_rip = entry;
    cpu->insn_rsp = 0;
    cpu_set_eflags(cpu, FLAG_1);
    set_memory_types(cpu);
    cpu_update_mode(cpu);
    cpu_update_stop(cpu);
}

bool load_enter_flat(struct load *l, uint32_t entry)
{
    if (!set_segments(l, ATTR_CODE32))
        return false;
    set_control(l->cpu, 0, 0, 0);
    set_entry(l->cpu, entry);
    return true;
}

/* A table of `count` entries: the first is `first`, each `step` further. */
static bool load_table(struct load *l, paddr at, unsigned count,
                       uint64_t first, uint64_t step)
{
    if (!load_zeros(l, at, PAGE_SIZE))
        return false;
    for (unsigned i = 0; i < count; i++) {
        uint64_t entry = first + i * step;

        if (!load_bytes(l, at + i * sizeof(entry), &entry, sizeof(entry)))
            return false;
    }
    return true;
}

static bool load_large_pages(struct load *l, paddr pd, uint64_t flags)
{
    const uint64_t page = (uint64_t)1 << LARGE_PAGE_BITS;
    bool ok = true;

    for (unsigned i = 0; ok && i < MAPPED_GIB; i++) {
        ok = load_table(l, pd + (uint64_t)i * PAGE_SIZE, PTES,
                        flags + i * PTES * page, page);
    }
    return ok;
}

/* One PML4, one PDPT, and a page directory a GiB. */
static bool load_page_tables(struct load *l)
{
    const uint64_t flags = PTE_PRESENT | PTE_WRITE;
    paddr pml4 = LOADER_PAGE_TABLES, pdpt = pml4 + PAGE_SIZE;
    paddr pd = pdpt + PAGE_SIZE;

    return load_table(l, pml4, 1, pdpt | flags, 0) &&
           load_table(l, pdpt, MAPPED_GIB, pd | flags, PAGE_SIZE) &&
           load_large_pages(l, pd, flags | PTE_LARGE);
}

bool load_enter_long(struct load *l, uint64_t entry)
{
    if (!set_segments(l, ATTR_CODE64) || !load_page_tables(l))
        return false;
    l->cpu->cr3 = LOADER_PAGE_TABLES;
    mmu_set_cr3(&l->cpu->mmu, l->cpu->cr3, false);
    set_control(l->cpu, CR0_PG, CR4_PAE, EFER_LME | EFER_LMA);
    set_entry(l->cpu, entry);
    return true;
}
