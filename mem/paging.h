#ifndef MEM_PAGING_H
#define MEM_PAGING_H

/*
 * The x86 page walk (Intel SDM vol. 3, chapter 4): a function of the control
 * registers, the tables in physical memory and one linear address.
 *
 * It is the only code that knows the table formats: 32-bit with PSE (and
 * PSE-36), PAE, and 4-level.  Without CR0.PG it is the identity.
 *
 * The walk reads tables through physmem and, when asked to, sets A in every
 * entry used and D in the last one for a write, exactly when hardware would:
 * never on the way to a fault.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/types.h"
#include "mem/phys_run.h"
#include "mem/physmem.h"

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };

/* Bits of the #PF error code (SDM vol. 3, 4.7). */
enum {
    PF_P = 1 << 0,    /* 0: not present, 1: protection */
    PF_W = 1 << 1,
    PF_U = 1 << 2,
    PF_RSVD = 1 << 3,
    PF_I = 1 << 4,
};

/* What the walk depends on; the CPU keeps it up to date (mem/mmu.h). */
struct paging_regs {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t pdpte[4]; /* PAE: loaded by MOV CR3 (SDM 4.4.1) */
};

/* Who asks. */
struct paging_who {
    bool user; /* CPL 3 and not an implicit system access */
    bool ac;   /* supervisor access with EFLAGS.AC set (SMAP off for it) */
};

struct paging_result {
    bool ok;
    uint32_t error;     /* #PF error code when !ok */
    paddr pa;           /* of the byte asked for */
    uint64_t page_size; /* 4K, 2M, 4M or 1G; 4K without paging */
    /* Rights of the page for the asker, for caching. */
    bool may_write;     /* by permission (R/W, WP, user) */
    bool may_fetch;
    bool dirty;         /* D is set (after the walk) */
    bool global;
};

/* Walks; with commit, sets A/D.  `access` is what is being done. */
struct paging_result paging_walk(struct physmem *pm,
                                 const struct paging_regs *regs, laddr la,
                                 enum access access, struct paging_who who,
                                 bool commit);

/*
 * What is known from earlier walks, so that the next one is short: where tables
 * lie, and the last table for each of some regions with the rights on the way
 * to it (a processor's paging-structure cache: SDM vol. 3, 4.10.3).
 */
enum { PAGING_TABLES = 16 };

struct paging_table {
    laddr region; /* number of the region it maps */
    paddr at;
    uint8_t all; /* U and W, if all entries above have them */
    bool xd;     /* some entry above has it */
};

struct paging_near {
    struct phys_run run;
    uint32_t known; /* a bit a table */
    struct paging_table table[PAGING_TABLES];
};

struct paging_near paging_near_make(struct physmem *pm);

/* To be called when anything else but the physical map changes: registers, or
 * what INVLPG and its like announce. */
static inline void paging_forget(struct paging_near *near)
{
    near->known = 0;
}

struct paging_result paging_walk_near(struct paging_near *near,
                                      const struct paging_regs *regs, laddr la,
                                      enum access access,
                                      struct paging_who who, bool commit);

/* PAE without long mode: loads the four PDPTEs that cr3 points to.  False if
 * a present one has reserved bits set (the MOV then raises #GP). */
bool paging_load_pdptes(struct physmem *pm, struct paging_regs *regs,
                        uint64_t cr3);

#endif
