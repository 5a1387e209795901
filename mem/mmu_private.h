#ifndef MEM_MMU_PRIVATE_H
#define MEM_MMU_PRIVATE_H

/*
 * What the parts of the MMU share:
 *
 *     mmu.c         contexts, control registers, emptying
 *     mmu_fill.c    from a miss to an entry
 *     mmu_access.c  loads, stores and fetches that miss
 *     mmu_run.c     runs for string operations and L0 slots
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "mem/control_bits.h"
#include "mem/mmu.h"
#include "mem/tlb_private.h"

struct mmu_context {
    bool valid; /* belongs to pcid */
    uint16_t pcid;
    uint64_t used_at;
    struct tlb_bank *bank; /* MMU_BANKS of them; NULL: never used */
};

static inline laddr mmu_page_of(laddr la)
{
    return bits_align_down(la, PAGE_SIZE);
}

/* The page behind la's.  Outside long mode linear addresses wrap at 4 GiB. */
static inline laddr mmu_next_page(const struct mmu *m, laddr la)
{
    laddr next = mmu_page_of(la) + PAGE_SIZE;

    return m->regs.efer & EFER_LMA ? next : (uint32_t)next;
}

/* The entry for a load or a store. */
static inline struct tlb_entry *mmu_entry(struct tlb_bank *b, laddr la,
                                          enum access access)
{
    return access == ACCESS_WRITE ? &b->write[tlb_index(la)]
                                  : &b->read[tlb_index(la)];
}

/* TLB_PLAIN, TLB_CARE, TLB_IO, or anything else for a miss. */
static inline uint64_t mmu_kind(const struct tlb_entry *e, laddr la)
{
    return e->tag ^ mmu_page_of(la);
}

static inline bool mmu_is_hit(const struct tlb_entry *e, laddr la)
{
    uint64_t kind = mmu_kind(e, la);

    return kind == TLB_PLAIN || kind == TLB_CARE || kind == TLB_IO;
}

/* Where the page of la begins in RAM, by a plain entry or one of care. */
static inline uint64_t mmu_entry_ram(const struct mmu *m,
                                     const struct tlb_entry *e, laddr la)
{
    return mmu_page_of(la) + e->addend - (uintptr_t)m->pm->ram.mem.rw;
}

static inline uint64_t mmu_code_in(const struct mmu *m, uint64_t ram_at)
{
    return m->pm->ram.code_bits[ram_at / PAGE_SIZE];
}

/* INVLPG in one context, global translations included. */
void mmu_drop(struct mmu *m, struct mmu_context *c, laddr la);

/* Is a page of [start, +size) watched? */
bool mmu_watches(const struct mmu *m, laddr start, uint64_t size);

/* Marks the pages of [ram_at, +size) as possibly written without notice: by a
 * run, or one page by the plain entry of la. */
void mmu_note_written(struct mmu *m, uint64_t ram_at, uint64_t size);
void mmu_note_entry(struct mmu *m, uint64_t ram_at, laddr la);

/* A large page that was walked before and grants the access, or NULL. */
const struct tlb_page *mmu_known_large(const struct tlb_bank *b, laddr la,
                                       enum access access);

/* A walk that changes nothing. */
struct paging_result mmu_try_walk(struct mmu *m, enum mmu_bank who, laddr la,
                                  enum access access);

/* Finds the page of la and marks it used in the guest's tables.  The result is
 * in *space or in the bank; NULL, with the error code for #PF, if the access is
 * forbidden. */
const struct tlb_page *mmu_find_page(struct mmu *m, enum mmu_bank who, laddr la,
                                     enum access access, struct tlb_page *space,
                                     uint32_t *error);

/* Makes a hit of the entry for a load or store at la.  False as above. */
bool mmu_fill(struct mmu *m, enum mmu_bank who, laddr la, enum access access,
              uint32_t *error);

/* A write entry of care becomes plain if the code it was for is gone. */
void mmu_relieve(struct mmu *m, struct tlb_entry *e, laddr la);

#endif
