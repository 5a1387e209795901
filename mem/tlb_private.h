#ifndef MEM_TLB_PRIVATE_H
#define MEM_TLB_PRIVATE_H

/*
 * How the MMU fills and empties a bank (mem/tlb.h).
 *
 * What must always be true:
 * - whatever a bank holds is recorded, so that emptying costs what was filled;
 * - an entry that came from a large page is marked so, and INVLPG anywhere in
 *   that page drops it;
 * - L0 slots and `jump` hold nothing that the entries of this bank, present or
 *   replaced since the last flush, did not allow.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/types.h"
#include "mem/paging.h"
#include "mem/tlb.h"

/* A page as it was walked, for one bank.  Large ones are remembered as such. */
struct tlb_page {
    laddr start;
    uint64_t size;
    paddr pa;       /* of start */
    uint8_t rights; /* 1 << access: what needs no further walk */
    bool global;
};

enum { TLB_LARGE_PAGES = 64 };

void tlb_bank_init(struct tlb_bank *b);
void tlb_bank_destroy(struct tlb_bank *b);

/* To be called before the read or write entry of la's page is filled, or both;
 * `from` is the page it is a part of. */
void tlb_note(struct tlb_bank *b, laddr la, const struct tlb_page *from);

void tlb_set_fetch(struct tlb_bank *b, laddr la, uint64_t ram_at,
                   const struct tlb_page *from);

/* Runs of host memory for L0 slots. */
void tlb_set_l0_read(struct tlb_bank *b, unsigned slot, struct tlb_l0 run);
void tlb_set_l0_write(struct tlb_bank *b, unsigned slot, struct tlb_l0 run);

/* Large pages: from 2 MiB up; la is in the page.  find gives one that contains
 * la, or NULL. */
void tlb_add_large(struct tlb_bank *b, laddr la, const struct tlb_page *page);
const struct tlb_page *tlb_find_large(const struct tlb_bank *b, laddr la);

void tlb_flush(struct tlb_bank *b);
void tlb_flush_local(struct tlb_bank *b); /* all but global pages */

/* INVLPG. */
void tlb_drop(struct tlb_bank *b, laddr la);
/* INVLPG for another address space: only if the page may be global. */
void tlb_drop_global(struct tlb_bank *b, laddr la);

/* The page at `host` holds code now: plain write entries need care, write
 * runs go.  `where` is 1 + the index that such an entry has, 0 if there is
 * none, or TLB_SEVERAL: then all entries are looked at. */
enum { TLB_SEVERAL = TLB_ENTRIES + 1 };
void tlb_protect(struct tlb_bank *b, const uint8_t *host, unsigned where);

#endif
