#ifndef MEM_RAM_H
#define MEM_RAM_H

/*
 * Guest RAM and ROM: one contiguous host mapping for the whole machine, so
 * that translating guest-physical to host is one addition per block.
 *
 * Per page, RAM remembers whether translated code came from it, and per
 * granule of 64 bytes which.  `code_bits` holds one bit a granule (64 granules
 * a page, so one uint64_t a page): a store tests it before it may skip
 * invalidation.  A page whose word is not zero is a *code page*; TLBs must not
 * hold a plain write entry for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hostmem.h"
#include "base/types.h"

enum { CODE_GRANULE_BITS = 6, CODE_GRANULE = 1 << CODE_GRANULE_BITS };

struct ram {
    struct hostmem mem;
    uint64_t size;       /* bytes, a multiple of PAGE_SIZE */
    uint64_t *code_bits; /* one word a page of mem */
};

/* Reserves size bytes of zeroed memory.  False if the host refuses. */
bool ram_init(struct ram *r, uint64_t size);
void ram_destroy(struct ram *r);

/* The granules that [at, at+size) touches within its first page, as a mask
 * for code_bits; size at most PAGE_SIZE - (at % PAGE_SIZE). */
static inline uint64_t ram_granules(uint64_t at, unsigned size)
{
    unsigned lo = (unsigned)(at >> CODE_GRANULE_BITS) & 63;
    unsigned hi = (unsigned)((at + size - 1) >> CODE_GRANULE_BITS) & 63;

    return (~(uint64_t)0 >> (63 - (hi - lo))) << lo;
}

#endif
