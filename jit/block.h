#ifndef JIT_BLOCK_H
#define JIT_BLOCK_H

/*
 * Translated blocks: where their code is, how they are found, linked, and
 * dropped.
 *
 * A block is known by the place of its first byte in RAM, the CPU mode, and
 * the code segment it was translated for; its code also has its linear address
 * in it, so that is part of the key.  The code buffer is a ring of segments;
 * when a segment is needed again its blocks are evicted, oldest first.
 *
 * Linking.  An exit of a block that has been taken is patched to jump to its
 * target; a block remembers who jumps to it, and when it goes, they are
 * patched back.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/hostmem.h"
#include "base/stats.h"
#include "jit/backend.h"
#include "mem/mmu.h"

enum {
    CODE_SIZE = 128 << 20, /* unless the caller wants another */
    CODE_SEGMENTS = 64,    /* at most */
    CODE_SEGMENT_MIN = 64 << 10,
    BLOCK_HASH = 1 << 16,
};

struct block_key {
    uint64_t ram_at;
    uint64_t ip; /* offset in CS */
    uint32_t mode, cs_base, cs_limit;
};

struct block;

struct block_exit {
    struct jit_exit_site site;
    struct block *from, *to; /* to NULL: not linked */
    struct block_exit *next, **prev; /* in to->incoming */
};

struct block_call {
    uint32_t at;
    uint16_t insn, ip_delta;
    uint16_t recipe; /* index, or RECIPE_NONE */
};

struct block {
    struct block_key key;
    struct block *hash_next;
    struct block *page_next[2]; /* in the list of each page it lies on */
    struct block **page_prev[2];
    uint64_t ram_at2;  /* page of the part behind a page end; or UINT64_MAX */
    uint64_t link2;    /* tlb_link that its entry checks, or 0 */
    uint32_t code_at, code_size;
    uint16_t bytes;    /* of guest code, bytes1 of them on the first page */
    uint16_t bytes1;
    uint16_t insn_count, exit_count, call_count;
    struct insn *insn; /* for helpers; NULL if none */
    struct ir_recipe *recipe; /* of flags at calls; NULL if none */
    struct block_exit *exit;
    struct block_call *call;
    struct block_exit *incoming;
    bool gone; /* not findable any more; its code is still there */
};

struct code_segment {
    uint32_t start, end;
    struct block **block; /* in order of address */
    unsigned count, room;
};

struct block_table {
    const struct jit_backend *backend;
    struct hostmem mem;
    struct jit_thunks thunks;
    struct mmu *mmu;
    struct stats *stats;
    struct block *hash[BLOCK_HASH];
    struct block **page; /* by RAM page */
    struct code_segment segment[CODE_SEGMENTS];
    unsigned segments;     /* in use */
    uint32_t segment_size; /* of each */
    unsigned current;      /* segment being filled */
    uint32_t at;           /* next free byte in it */
    uint64_t freed;        /* grows when blocks are freed */
};

/* code_size: of the buffer, 0: CODE_SIZE.  False if the host refuses
 * executable memory. */
bool blocks_init(struct block_table *t, const struct jit_backend *backend,
                 struct mmu *mmu, struct stats *stats, uint32_t code_size);
void blocks_destroy(struct block_table *t);

struct block *blocks_find(const struct block_table *t,
                          const struct block_key *key);

/* Room for the next block's code, at least `need` bytes, evicting what is in
 * the way.  Fills at and end. */
void blocks_room(struct block_table *t, size_t need, struct jit_out *out);

/* Enters a block whose code is at out->at; takes over insn (may be NULL). */
struct block *blocks_add(struct block_table *t, const struct block *proto,
                         const struct jit_out *out, const uint64_t *ip);

/* The block that holds the call that returns to code_at, or NULL.  The call
 * may be its last instruction. */
struct block *blocks_at(const struct block_table *t, uint32_t code_at);

/* Lets exit x jump to b, which starts at linear address la. */
void blocks_link(struct block_table *t, struct block_exit *x, struct block *b,
                 laddr la);

void blocks_remove(struct block_table *t, struct block *b);

/* Is there a block on [ram_at, +size), within one page? */
bool blocks_hit(const struct block_table *t, uint64_t ram_at, unsigned size);

/* Drops what overlaps [ram_at, +size) in one page and renews the page's code
 * bits.  True if anything was dropped. */
bool blocks_invalidate(struct block_table *t, uint64_t ram_at, unsigned size);
/* Drops all.  Their memory stays until the buffer is needed again: the caller
 * may have been called from one of them. */
void blocks_flush(struct block_table *t);

#endif
