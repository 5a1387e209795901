#ifndef MEM_TLB_H
#define MEM_TLB_H

/*
 * The software TLB as generated code sees it.
 *
 * A *bank* belongs to one address space and one privilege.  It holds separate
 * read, write and fetch tables, so one compare decides tag, permission and
 * page crossing:
 *
 *     i = (la >> 12) & (TLB_ENTRIES - 1)
 *     hit if la - read[i].tag <= PAGE_SIZE - size        (unsigned)
 *     host address = la + read[i].addend
 *
 * An entry that needs care -- invalid, MMIO, dirty bit not yet set, page with
 * translated code (write table only), watchpoint on the page -- holds a tag
 * that no address with its index can match (TLB_NEVER), so care costs nothing
 * elsewhere.
 *
 * L0 slots cache, per base register of the instruction, a whole run of bytes
 * that is contiguous in both linear and host addresses.  The slot's place does
 * not depend on the data address, so the check is off the critical path:
 *
 *     hit if la - slot.start < slot.limit    (accesses of up to 16 bytes)
 *     host address = la + slot.addend
 *
 * An empty slot has limit 0.  The compare is strict because la may be any
 * number, also one that is not canonical: no start would be safe with <=.
 *
 * The fetch table gives `link`, an exact packing of (linear page, RAM page),
 * so a jump to another page is guarded by comparing one word; ram_at is the
 * offset of the page in struct ram, the physical key of translated code.
 *
 * `jump` caches entry points of translated code by linear address; the engine
 * fills it, the MMU empties it together with the fetch table.
 */

#include <stdint.h>

#include "base/types.h"

enum {
    TLB_BITS = 12,
    TLB_ENTRIES = 1 << TLB_BITS,
    TLB_FETCH_BITS = 11,
    TLB_FETCH_ENTRIES = 1 << TLB_FETCH_BITS,
    TLB_JUMP_BITS = 12,
    TLB_JUMP_ENTRIES = 1 << TLB_JUMP_BITS,
    TLB_L0_SLOTS = 16,     /* one a guest base register */
    TLB_L0_MARGIN = 15,    /* limit = bytes in the run - margin */
};

struct tlb_entry {
    uint64_t tag;    /* linear address of the page, or TLB_NEVER(i) */
    uint64_t addend; /* host address - linear address */
};

struct tlb_fetch {
    uint64_t link;   /* tlb_link(la, ram_at), or TLB_NO_LINK */
    uint64_t ram_at; /* of the page's first byte */
};

struct tlb_l0 {
    uint64_t start, limit, addend;
};

struct tlb_jump {
    uint64_t la;      /* tlb_no_jump(i) when empty */
    const void *code;
};

/* A tag for entry i that (la >> 12) % TLB_ENTRIES == i never matches. */
static inline uint64_t tlb_never(unsigned i)
{
    return (uint64_t)1 << 63 | (uint64_t)(i ^ 1) << PAGE_BITS;
}

/*
 * Entries that need care remember what they stand for.  The tag is the page
 * with one bit of its index turned over, so that it never matches, and tag ^
 * page tells why:
 *
 *     TLB_CARE  RAM that is watched or, in the write table, holds code; the
 *               addend is that of a plain entry.  physmem_store does the rest
 *     TLB_IO    no plain memory: a window, nothing, or a write to ROM; la +
 *               addend is the physical address
 *
 * Anything else is a miss.  tlb_never differs in bit 0 of the index, these in
 * bits 1 and 2, so neither is mistaken for the other, whatever la is.
 */
enum { TLB_PLAIN = 0, TLB_CARE = 2 * PAGE_SIZE, TLB_IO = 4 * PAGE_SIZE };

#define TLB_NO_LINK UINT64_MAX

/* An address for entry i of `jump` that la % TLB_JUMP_ENTRIES == i never
 * equals. */
static inline uint64_t tlb_no_jump(unsigned i)
{
    return (uint64_t)1 << 63 | (i ^ 1);
}

/* 36 bits of linear page and 28 bits of RAM page (1 TiB): exact. */
static inline uint64_t tlb_link(laddr la, uint64_t ram_at)
{
    return (la >> PAGE_BITS) << 28 | ram_at >> PAGE_BITS;
}

static inline unsigned tlb_index(laddr la)
{
    return (unsigned)(la >> PAGE_BITS) & (TLB_ENTRIES - 1);
}

static inline unsigned tlb_fetch_index(laddr la)
{
    return (unsigned)(la >> PAGE_BITS) & (TLB_FETCH_ENTRIES - 1);
}

static inline unsigned tlb_jump_index(laddr la)
{
    return (unsigned)la & (TLB_JUMP_ENTRIES - 1);
}

struct tlb_bank {
    struct tlb_l0 l0_read[TLB_L0_SLOTS];
    struct tlb_l0 l0_write[TLB_L0_SLOTS];
    struct tlb_entry read[TLB_ENTRIES];
    struct tlb_entry write[TLB_ENTRIES];
    struct tlb_fetch fetch[TLB_FETCH_ENTRIES];
    struct tlb_jump jump[TLB_JUMP_ENTRIES];
    uint64_t jump_mode; /* mode key of the code in `jump`; engine's */
    /* Lists of what was filled, so that a flush costs what was used. */
    struct tlb_used *used; /* private to tlb.c */
};

/* Enters code for la.  The page of la has been fetched through this bank. */
void tlb_jump_set(struct tlb_bank *b, laddr la, const void *code);

/* Forgets them all. */
void tlb_flush_jumps(struct tlb_bank *b);

#endif
