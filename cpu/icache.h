#ifndef CPU_ICACHE_H
#define CPU_ICACHE_H

/*
 * Decoded blocks, by where their bytes lie in RAM and the mode that gives
 * those bytes their meaning.
 *
 * A block is a run of instructions in one page.  It ends with the first one
 * that may change what is executed next, so only its last instruction may
 * change next_rip.
 *
 * Blocks live in a ring of fixed size: a new one replaces the oldest.  A block
 * whose bytes change is dropped: it cannot be found any more, and if it is
 * running, its `end` moved so that the loop over it stops.  Its memory is used
 * again only when another block is built.
 */

#include <stdint.h>

#include "base/stats.h"
#include "base/types.h"
#include "cpu/cpu.h"
#include "cpu/insn.h"

enum {
    ICACHE_BLOCK_MAX = 32, /* instructions */
    ICACHE_HASH_BITS = 15,
    ICACHE_PAGE_BITS = 13,
    ICACHE_BYTES = 32 << 20,
    /* What the decoder looks at. */
    ICACHE_MODE = MODE_CODE32 | MODE_CODE64 | MODE_PE,
};

struct icache_block {
    struct icache_block *next;      /* of the same hash */
    struct icache_block *page_next; /* of the same hash of the page */
    struct icache_block *newer;     /* in order of age */
    uint64_t ram_at;
    uint32_t mode;
    uint32_t bytes;         /* of guest code */
    const struct insn *end; /* behind the last; insn itself when dropped */
    struct insn insn[];
};

struct icache {
    struct physmem *pm;
    struct stats *stats;
    uint8_t *ring;
    size_t head; /* where the next block goes */
    struct icache_block *oldest, *newest;
    struct icache_block **hash, **page_hash;
    struct insn scratch[ICACHE_BLOCK_MAX]; /* a block being built */
};

void icache_init(struct icache *c, struct physmem *pm, struct stats *stats);
void icache_destroy(struct icache *c);

static inline unsigned icache_hash(uint64_t ram_at, uint32_t mode)
{
    uint64_t h = (ram_at ^ (uint64_t)mode << 40) * 0x9e3779b97f4a7c15;

    return (unsigned)(h >> (64 - ICACHE_HASH_BITS));
}

/* mode: of ICACHE_MODE.  NULL if there is none. */
static inline struct icache_block *icache_find(const struct icache *c,
                                               uint64_t ram_at, uint32_t mode)
{
    struct icache_block *b = c->hash[icache_hash(ram_at, mode)];

    while (b && (b->ram_at != ram_at || b->mode != mode))
        b = b->next;
    return b;
}

/* Decodes the bytes at ram_at.  NULL if the first instruction does not end in
 * this page or is none. */
struct icache_block *icache_build(struct icache *c, struct cpu *cpu,
                                  uint64_t ram_at, uint32_t mode);

/* Drops the blocks that overlap [ram_at, +size), within one page, and clears
 * the page's code bits of granules without code. */
void icache_invalidate(struct icache *c, uint64_t ram_at, unsigned size);
void icache_flush(struct icache *c); /* drops all */

#endif
