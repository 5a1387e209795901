#ifndef MEM_MMU_H
#define MEM_MMU_H

/*
 * The MMU of one CPU: page walks, TLB contexts, and guest loads and stores.
 *
 * Contexts.  An address space that was used lately keeps its TLB banks: with
 * CR4.PCIDE a context belongs to a PCID, and MOV CR3 with bit 63 set is a
 * change of pointer.  Without PCIDE, MOV CR3 empties the current context but
 * for global pages; the cost is that of the entries filled since.
 *
 * Banks.  Each context has one bank for user code and one or two for the
 * supervisor (with SMAP: EFLAGS.AC clear and set).  mmu_set_who picks.
 *
 * Large pages are entries: a context remembers the last ones walked, fills
 * 4 KiB entries and L0 runs from them without a walk, and INVLPG drops exactly
 * what came from the page it names.
 *
 * Faults.  Functions that return bool return false on a page fault and leave
 * fault_la and fault_error; the CPU raises #PF.  Nothing of the access has
 * been done then: stores that cross a page check both pages before writing.
 *
 * Accesses that cross a page, MMIO, code pages and watched pages take the slow
 * path; the inline functions below are the hit path for C code.
 *
 * The caller's part.  Linear addresses are canonical, and below 4 GiB outside
 * long mode: the CPU has raised #GP or cut them.  When the physical map or A20
 * changes (physmem.on_change), the machine calls mmu_flush_all.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/stats.h"
#include "base/types.h"
#include "mem/paging.h"
#include "mem/phys_run.h"
#include "mem/physmem.h"
#include "mem/tlb.h"

enum { MMU_CONTEXTS = 8 };

enum mmu_bank { MMU_USER, MMU_SUPERVISOR, MMU_SUPERVISOR_AC, MMU_BANKS };

struct mmu_context; /* private to mmu.c */

struct mmu {
    struct tlb_bank *bank; /* current; generated code keeps it in a register */
    struct physmem *pm;
    struct stats *stats;
    struct paging_regs regs;
    enum mmu_bank who;
    laddr fault_la;
    uint32_t fault_error;
    struct mmu_context *context; /* current */
    struct mmu_context *contexts; /* MMU_CONTEXTS of them */
    uint64_t use_count; /* for choosing which context to reuse */
    struct paging_near near;
    struct phys_run pages; /* where the last walk led */
    /* A bit a page of RAM: may be in a write table or a write run. */
    uint64_t *written;
    /* By page of RAM: 1 + the index that all its plain write entries have, in
     * whatever bank, or TLB_SEVERAL; 0: it has none. */
    uint16_t *write_index;
    /* Pages with data breakpoints: called on each access to one, before it.
     * NULL: none. */
    void (*on_watch)(void *owner, laddr la, unsigned size, enum access);
    void *watch_owner;
    unsigned watch_count;
    laddr watch_page[4];
};

/* pm and stats outlive the MMU.  Starts as after reset: no paging. */
void mmu_init(struct mmu *m, struct physmem *pm, struct stats *stats);
void mmu_destroy(struct mmu *m);
void mmu_reset(struct mmu *m);

/* The control registers that paging depends on have changed (MOV CR0/CR4,
 * EFER, reset, snapshot): takes the new values, empties what may be stale.
 * efer has LMA as it is after the change.  Where SDM 4.4.1 says so, the PAE
 * PDPTEs are loaded; a CPU that is to raise #GP for reserved ones tries
 * paging_load_pdptes on a copy of regs first. */
void mmu_set_control(struct mmu *m, uint64_t cr0, uint64_t cr4, uint64_t efer);

/* MOV CR3.  With PCIDE, `keep` is bit 63 of the source: do not flush.  False
 * (nothing done) if PAE PDPTEs are reserved: #GP. */
bool mmu_set_cr3(struct mmu *m, uint64_t cr3, bool keep);

/* The bank for code at cpl; ac is EFLAGS.AC, which matters with SMAP. */
static inline enum mmu_bank mmu_bank_for(const struct mmu *m, unsigned cpl,
                                         bool ac)
{
    if (cpl == 3)
        return MMU_USER;
    return ac && (m->regs.cr4 & (uint64_t)1 << 21) ? MMU_SUPERVISOR_AC
                                                   : MMU_SUPERVISOR;
}

/* CPL or EFLAGS.AC changed: switches bank.  Cheap. */
void mmu_set_who(struct mmu *m, enum mmu_bank who);

void mmu_invlpg(struct mmu *m, laddr la);
/* INVPCID by type 0..3 (SDM vol. 2); operands were checked by the CPU. */
void mmu_invpcid(struct mmu *m, unsigned type, unsigned pcid, laddr la);
void mmu_flush_all(struct mmu *m); /* global pages too, all contexts */

/* The RAM page at ram_at became a code page: no bank may keep a plain write
 * entry or L0 write run for it. */
void mmu_protect_code(struct mmu *m, uint64_t ram_at);

/* Sets the pages whose accesses go to on_watch. */
void mmu_set_watch(struct mmu *m, const laddr *pages, unsigned count);

/* Empties every `jump` table (translated code went away). */
void mmu_flush_jumps(struct mmu *m);

/* --- guest accesses; size is 1, 2, 4 or 8 --- */

bool mmu_read_slow(struct mmu *m, laddr la, unsigned size, uint64_t *v);
bool mmu_write_slow(struct mmu *m, laddr la, unsigned size, uint64_t v);

static inline bool mmu_read(struct mmu *m, laddr la, unsigned size, uint64_t *v)
{
    const struct tlb_entry *e = &m->bank->read[tlb_index(la)];

    if (likely(la - e->tag <= PAGE_SIZE - size)) {
        *v = load_sized((const void *)(uintptr_t)(la + e->addend), size);
        return true;
    }
    return mmu_read_slow(m, la, size, v);
}

static inline bool mmu_write(struct mmu *m, laddr la, unsigned size, uint64_t v)
{
    const struct tlb_entry *e = &m->bank->write[tlb_index(la)];

    if (likely(la - e->tag <= PAGE_SIZE - size)) {
        store_sized((void *)(uintptr_t)(la + e->addend), v, size);
        return true;
    }
    return mmu_write_slow(m, la, size, v);
}

/* Any number of bytes up to 4096 (FXSAVE, descriptors, 16-byte vectors).  A
 * write checks every page before it writes. */
bool mmu_read_bytes(struct mmu *m, laddr la, void *dst, unsigned size);
bool mmu_write_bytes(struct mmu *m, laddr la, const void *src, unsigned size);

/* As a write would, but writes nothing: for read-modify-write and for pushes
 * that must be all or nothing. */
bool mmu_probe(struct mmu *m, laddr la, unsigned size, enum access access);

/* Implicit supervisor accesses: descriptor tables, TSS, IDT (SDM 4.6.1). */
bool mmu_sys_read(struct mmu *m, laddr la, void *dst, unsigned size);
bool mmu_sys_write(struct mmu *m, laddr la, const void *src, unsigned size);
bool mmu_sys_probe(struct mmu *m, laddr la, unsigned size, enum access access);

/* Instruction fetch: where the page of la lies in RAM.  *ram_at is the offset
 * of byte la itself.  False with fault_* set on #PF.  True with *ram_at =
 * UINT64_MAX if the page is not RAM or ROM (code in MMIO). */
bool mmu_fetch_page_slow(struct mmu *m, laddr la, uint64_t *ram_at);

static inline bool mmu_fetch_page(struct mmu *m, laddr la, uint64_t *ram_at)
{
    const struct tlb_fetch *f = &m->bank->fetch[tlb_fetch_index(la)];

    if (likely(f->link == tlb_link(la, f->ram_at))) {
        *ram_at = f->ram_at | (la & (PAGE_SIZE - 1));
        return true;
    }
    return mmu_fetch_page_slow(m, la, ram_at);
}

/* A run of host memory for bulk string operations: n <= size such that
 * [la, la+n) may be accessed as asked and lies contiguous on the host in plain
 * RAM (no MMIO, no code for writes, no watch).  It goes beyond the page of la
 * only over pages that have been accessed like that before: no page is marked
 * accessed or dirty that the caller may not come to.  So callers loop, and the
 * work is that of n.  Returns NULL with *n = 0 if the first byte is not such
 * memory or would fault (the caller then goes element by element). */
uint8_t *mmu_run(struct mmu *m, laddr la, uint64_t size, enum access access,
                 uint64_t *n);

/* Fills the L0 slot of base register `slot` around la after a miss, if the
 * page is plain; with read, write tells which table.  No fault is reported. */
void mmu_fill_l0(struct mmu *m, unsigned slot, laddr la, enum access access);

/* Walks without side effects on the guest (debugger, lockstep): false if not
 * mapped.  Supervisor rights. */
bool mmu_debug_translate(struct mmu *m, laddr la, paddr *pa);

#endif
