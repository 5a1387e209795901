#ifndef TESTS_UNIT_MEM_PAGES_H
#define TESTS_UNIT_MEM_PAGES_H

/*
 * Page tables for tests, and a PC's memory with room for them that no test
 * maps: 640 KiB of RAM, a window over A0000, ROM at F0000, RAM from 1 to 4 MiB,
 * and 2 MiB for tables at TABLES_AT.
 */

#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "mem/paging.h"
#include "mem/physmem.h"
#include "tests/unit/suite.h"

enum {
    KIB = 1 << 10,
    MIB = 1 << 20,
    GIB = 1 << 30,
    WINDOW_AT = 0xa0000,
    ROM_AT = 0xf0000,
    RAM_END = 4 * MIB,
    TABLES_AT = 0x60000000,
    TABLES_SIZE = 2 * MIB,
};

/* An entry's bits (SDM vol. 3, table 4-20), and control bits. */
enum {
    P = 1 << 0,
    W = 1 << 1,
    U = 1 << 2,
    A = 1 << 5,
    D = 1 << 6,
    PS = 1 << 7,
    G = 1 << 8,
    PWU = P | W | U,
};
#define XD ((uint64_t)1 << 63)

#define PG ((uint64_t)1 << 31)
#define WP ((uint64_t)1 << 16)
#define PSE ((uint64_t)1 << 4)
#define PAE ((uint64_t)1 << 5)
#define PGE ((uint64_t)1 << 7)
#define PCIDE ((uint64_t)1 << 17)
#define SMEP ((uint64_t)1 << 20)
#define SMAP ((uint64_t)1 << 21)
#define LMA ((uint64_t)1 << 10)
#define NXE ((uint64_t)1 << 11)

enum page_mode { MODE_32, MODE_PAE, MODE_LONG, MODES };

/* --- memory --- */

struct guest {
    struct physmem pm;
    enum page_mode mode;
    paddr root;
    paddr next; /* free memory for tables */
    unsigned window_reads, window_writes;
    uint64_t window_value;
    unsigned code_writes;
};

static inline uint64_t guest_window_read(void *dev, uint64_t offset,
                                         unsigned size)
{
    struct guest *g = dev;

    (void)size;
    g->window_reads++;
    return offset * 0x0101010101010101;
}

static inline void guest_window_write(void *dev, uint64_t offset,
                                      uint64_t value, unsigned size)
{
    struct guest *g = dev;

    (void)offset, (void)size;
    g->window_writes++;
    g->window_value = value;
}

static inline void guest_code_write(void *owner, uint64_t ram_at, unsigned size)
{
    struct guest *g = owner;

    g->code_writes++;
    g->pm.ram.code_bits[ram_at / PAGE_SIZE] &= ~ram_granules(ram_at, size);
}

static inline paddr guest_new_table(struct guest *g)
{
    paddr at = g->next;

    ck_assert_uint_lt(at, TABLES_AT + TABLES_SIZE);
    g->next += PAGE_SIZE;
    return at;
}

static inline void guest_init(struct guest *g, enum page_mode mode)
{
    static const struct region_ops ops = {guest_window_read, guest_window_write,
                                          0, 0};
    const struct region window = {"vga", WINDOW_AT, 128 * KIB, &ops, g};

    *g = (struct guest){.mode = mode, .next = TABLES_AT};
    ck_assert(physmem_init(&g->pm, RAM_END + TABLES_SIZE));
    ck_assert(physmem_add_block(&g->pm, "low", 0, 640 * KIB, 0, BLOCK_RAM));
    ck_assert(
        physmem_add_block(&g->pm, "rom", ROM_AT, 64 * KIB, ROM_AT, BLOCK_ROM));
    ck_assert(
        physmem_add_block(&g->pm, "high", MIB, RAM_END - MIB, MIB, BLOCK_RAM));
    ck_assert(physmem_add_block(&g->pm, "tables", TABLES_AT, TABLES_SIZE,
                                RAM_END, BLOCK_RAM));
    ck_assert(physmem_map_window(&g->pm, &window));
    g->pm.on_code_write = guest_code_write;
    g->pm.owner = g;
    g->root = guest_new_table(g);
}

static inline void guest_destroy(struct guest *g)
{
    physmem_destroy(&g->pm);
}

static inline uint64_t peek(struct guest *g, paddr pa, unsigned size)
{
    return physmem_read(&g->pm, pa, size);
}

static inline void poke(struct guest *g, paddr pa, uint64_t v, unsigned size)
{
    physmem_write(&g->pm, pa, v, size);
}

/* --- tables --- */

/* Shifts of the indices, from the root; 0 ends. */
static inline const unsigned *page_shifts(enum page_mode mode)
{
    static const unsigned shifts[MODES][5] = {
        [MODE_32] = {22, 12},
        [MODE_PAE] = {30, 21, 12},
        [MODE_LONG] = {39, 30, 21, 12},
    };

    return shifts[mode];
}

static inline unsigned entry_size(enum page_mode mode)
{
    return mode == MODE_32 ? 4 : 8;
}

static inline paddr entry_at(enum page_mode mode, paddr table, laddr la,
                             unsigned shift)
{
    unsigned count = mode == MODE_32 ? 1024 : 512;

    return table + (la >> shift) % count * entry_size(mode);
}

/* The entries that lead to la, root first; stops at a page or at one that is
 * not present.  Returns how many. */
static inline unsigned guest_path(struct guest *g, laddr la, paddr path[4])
{
    const unsigned *shift = page_shifts(g->mode);
    paddr table = g->root;
    unsigned n = 0;

    while (shift[n]) {
        paddr at = entry_at(g->mode, table, la, shift[n]);
        uint64_t e = peek(g, at, entry_size(g->mode));

        path[n++] = at;
        if (!(e & P) || ((e & PS) && shift[n - 1] <= 30))
            break;
        table = e & 0x3ffffffff000;
    }
    return n;
}

/* Maps the page of `size` bytes at la to pa.  Tables on the way permit
 * everything. */
static inline void guest_map(struct guest *g, laddr la, paddr pa, uint64_t size,
                             uint64_t bits)
{
    const unsigned *shift = page_shifts(g->mode);
    unsigned width = entry_size(g->mode);
    paddr table = g->root;
    unsigned n = 0;

    for (; (uint64_t)1 << shift[n] > size; n++) {
        paddr at = entry_at(g->mode, table, la, shift[n]);
        bool pdpte = g->mode == MODE_PAE && n == 0;

        if (!(peek(g, at, width) & P))
            poke(g, at, guest_new_table(g) | (pdpte ? P : PWU), width);
        table = peek(g, at, width) & 0x3ffffffff000;
    }
    poke(g, entry_at(g->mode, table, la, shift[n]),
         pa | bits | (size > PAGE_SIZE ? PS : 0), width);
}

/* Registers with paging on and everything else off. */
static inline struct paging_regs guest_regs(struct guest *g)
{
    struct paging_regs r = {.cr0 = PG, .cr3 = g->root};

    if (g->mode == MODE_32)
        r.cr4 = PSE;
    if (g->mode == MODE_LONG)
        r.efer = LMA;
    if (g->mode != MODE_32)
        r.cr4 |= PAE;
    if (g->mode == MODE_PAE)
        ck_assert(paging_load_pdptes(&g->pm, &r, g->root));
    return r;
}

static inline uint64_t large_size(enum page_mode mode)
{
    return mode == MODE_32 ? 4 * MIB : 2 * MIB;
}

#endif
