#ifndef MEM_PHYS_RUN_H
#define MEM_PHYS_RUN_H

/*
 * The last run of RAM or ROM that a reader of guest-physical memory met.
 *
 * physmem_page searches blocks and windows.  Who asks again and again for
 * addresses that lie in the same block -- page walks, TLB fills -- keeps a run
 * and asks here: two compares.  A run goes stale by itself when the map
 * changes, because it remembers physmem.generation.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/types.h"
#include "mem/physmem.h"

struct phys_run {
    struct physmem *pm;
    uint64_t generation;
    paddr start;
    uint64_t size;   /* 0: none yet */
    uint64_t ram_at; /* of start */
    bool writable;
};

static inline struct phys_run phys_run_make(struct physmem *pm)
{
    return (struct phys_run){.pm = pm};
}

bool phys_run_load(struct phys_run *r, paddr pa);

/* Moves the run to where pa lies.  False, changing nothing, if that is not RAM
 * or ROM. */
static inline bool phys_run_find(struct phys_run *r, paddr pa)
{
    return likely(pa - r->start < r->size &&
                  r->generation == r->pm->generation) ||
           phys_run_load(r, pa);
}

/* Of a byte in the run. */
static inline uint64_t phys_run_at(const struct phys_run *r, paddr pa)
{
    return r->ram_at + (pa - r->start);
}

#endif
