#ifndef TESTS_UNIT_MEM_RIG_H
#define TESTS_UNIT_MEM_RIG_H

/* A guest's memory and tables with an MMU in front of them. */

#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "mem/mmu.h"
#include "tests/unit/mem/pages.h"

/* Where tests put a page, and two frames. */
enum { AT = 0x400000, PLACE = 0x123000, OTHER = 0x155000 };

#define KERNEL 0xffff888000000000ull

struct rig {
    struct guest g;
    struct stats stats;
    struct mmu m;
};

/* Paging is on, with write protection and global pages, and at CPL 0. */
static inline struct rig *rig_new(enum page_mode mode)
{
    struct rig *r = xnew(struct rig);
    struct paging_regs regs;

    guest_init(&r->g, mode);
    regs = guest_regs(&r->g);
    mmu_init(&r->m, &r->g.pm, &r->stats);
    mmu_set_control(&r->m, regs.cr0 | WP, regs.cr4 | PGE,
                    regs.efer | (mode == MODE_32 ? 0 : NXE));
    ck_assert(mmu_set_cr3(&r->m, regs.cr3, false));
    return r;
}

static inline void rig_free(struct rig *r)
{
    mmu_destroy(&r->m);
    guest_destroy(&r->g);
    free(r);
}

/* Adds bits to CR4, or takes them away. */
static inline void rig_cr4(struct rig *r, uint64_t bits, bool on)
{
    const struct paging_regs *regs = &r->m.regs;
    uint64_t cr4 = on ? regs->cr4 | bits : regs->cr4 & ~bits;

    mmu_set_control(&r->m, regs->cr0, cr4, regs->efer);
}

/* 8 bytes through the MMU; the access must succeed. */
static inline uint64_t rig_read(struct rig *r, laddr la)
{
    uint64_t v = 0;

    ck_assert(mmu_read(&r->m, la, 8, &v));
    return v;
}

static inline void rig_write(struct rig *r, laddr la, uint64_t v)
{
    ck_assert(mmu_write(&r->m, la, 8, v));
}

/* The entry that maps la, with its place. */
static inline paddr rig_leaf_at(struct rig *r, laddr la)
{
    paddr path[4];

    return path[guest_path(&r->g, la, path) - 1];
}

static inline uint64_t rig_leaf(struct rig *r, laddr la)
{
    return peek(&r->g, rig_leaf_at(r, la), entry_size(r->g.mode));
}

static inline void rig_set_leaf(struct rig *r, laddr la, uint64_t entry)
{
    poke(&r->g, rig_leaf_at(r, la), entry, entry_size(r->g.mode));
}

/* With 4-level tables and one page at AT. */
static inline struct rig *rig_with_page(uint64_t bits)
{
    struct rig *r = rig_new(MODE_LONG);

    guest_map(&r->g, AT, PLACE, PAGE_SIZE, bits);
    return r;
}

/* As an engine does when it translates code from there. */
static inline void rig_mark_code(struct rig *r, uint64_t ram_at, unsigned size)
{
    if (physmem_mark_code(&r->g.pm, ram_at, size))
        mmu_protect_code(&r->m, ram_at);
}

#endif
