#ifndef MEM_PHYSMEM_H
#define MEM_PHYSMEM_H

/*
 * The guest-physical address space of a PC, in two layers.
 *
 * Below: blocks of RAM or ROM, each a run of pages backed by `struct ram`.
 * On top: register windows (VGA, BARs, APICs), a `struct space`.  A page with
 * a window on top is MMIO; otherwise it is its block; otherwise nothing: reads
 * give all ones, writes are dropped.  Overlap within a layer is an error.
 *
 * A20, SMRAM and ROM shadowing are operations here, not priorities: A20 masks
 * bit 20 of every address; a block can be made read-only or writable again.
 *
 * Whenever the map changes, `generation` grows and on_change is called, so
 * that TLBs and translated code can be dropped.
 *
 * Devices go through mem/dma.h and never reach windows from there.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/types.h"
#include "mem/ram.h"
#include "mem/space.h"

enum { PHYSMEM_MAX_BLOCKS = 32 };

enum block_kind {
    BLOCK_RAM,
    BLOCK_ROM, /* writes are dropped */
};

struct phys_block {
    const char *name;
    paddr base;
    uint64_t size;     /* multiple of PAGE_SIZE */
    uint64_t ram_at;   /* offset of the block's bytes in ram */
    enum block_kind kind;
};

struct physmem {
    struct ram ram;
    struct space windows;
    struct phys_block blocks[PHYSMEM_MAX_BLOCKS]; /* sorted by base */
    unsigned block_count;
    paddr a20_mask; /* ANDed to every address */
    uint64_t generation;
    /* Called after a change of map or A20.  May be NULL. */
    void (*on_change)(void *owner);
    /* Called before bytes of translated code change: [ram_at, ram_at+size)
     * overlaps granules set in code_bits; never crosses a page.  The callee
     * clears the bits it has dealt with.  May be NULL. */
    void (*on_code_write)(void *owner, uint64_t ram_at, unsigned size);
    void *owner;
};

/* One page as a TLB wants it. */
struct phys_page {
    uint8_t *host;   /* first byte of the page, NULL if MMIO or nothing */
    uint64_t ram_at; /* its offset in ram */
    bool writable;   /* plain stores allowed (RAM, not ROM) */
    bool has_code;   /* stores must test code_bits */
    /* The run of addresses around pa, as the caller counts them, over which
     * host stays contiguous and no window lies on top. */
    paddr run_start;
    uint64_t run_size;
};

/* ram_size: bytes of backing store for all blocks together.  False if the
 * host refuses. */
bool physmem_init(struct physmem *pm, uint64_t ram_size);
void physmem_destroy(struct physmem *pm);

/* Adds a block of backing store [ram_at, ram_at+size) at base.  False,
 * changing nothing, on overlap or misalignment or when full. */
bool physmem_add_block(struct physmem *pm, const char *name, paddr base,
                       uint64_t size, uint64_t ram_at, enum block_kind kind);
/* Makes an existing block read-only or writable (PAM shadowing). */
bool physmem_set_kind(struct physmem *pm, paddr base, enum block_kind kind);
bool physmem_map_window(struct physmem *pm, const struct region *r);
bool physmem_unmap_window(struct physmem *pm, paddr base, const void *dev);
void physmem_set_a20(struct physmem *pm, bool enabled);

/* What lies at the page of pa (A20 applied). */
struct phys_page physmem_page(struct physmem *pm, paddr pa);

/* The CPU's uncached way: 1, 2, 4 or 8 bytes at any address, windows
 * included, code writes reported.  May cross pages. */
uint64_t physmem_read(struct physmem *pm, paddr pa, unsigned size);
void physmem_write(struct physmem *pm, paddr pa, uint64_t v, unsigned size);

/* Stores to a RAM page found earlier: reports overlap with code, then
 * copies.  [ram_at, +size) within one page. */
void physmem_store(struct physmem *pm, uint64_t ram_at, const void *src,
                   unsigned size);

/* Sets the code bits of [ram_at, +size), within one page.  True if the page
 * had none before: the caller must drop plain write entries for it. */
bool physmem_mark_code(struct physmem *pm, uint64_t ram_at, unsigned size);

#endif
