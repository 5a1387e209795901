#include "mem/mmu.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "mem/mmu_private.h"

/*
 * Contexts.
 *
 * A context holds translations of its PCID and global ones, which hold for
 * every PCID (SDM vol. 3, 4.10.2.4).  Giving it to another PCID therefore
 * drops the first kind only, and INVLPG looks for the second kind everywhere.
 * A context that belongs to no PCID may hold global translations too.
 *
 * A context has banks from its first use on.  Guests without PCIDs use one.
 */

typedef void flush_function(struct tlb_bank *b);

static void for_banks(struct mmu_context *c, flush_function *flush)
{
    for (unsigned i = 0; i < MMU_BANKS; i++)
        flush(&c->bank[i]);
}

static void for_all_banks(struct mmu *m, flush_function *flush)
{
    for (unsigned i = 0; i < MMU_CONTEXTS; i++)
        if (m->contexts[i].bank)
            for_banks(&m->contexts[i], flush);
}

static void use(struct mmu *m, struct mmu_context *c)
{
    if (!c->bank) {
        c->bank = xcalloc(MMU_BANKS, sizeof(struct tlb_bank));
        for_banks(c, tlb_bank_init);
    }
    paging_forget(&m->near);
    c->used_at = ++m->use_count;
    m->context = c;
    m->bank = &c->bank[m->who];
}

static struct mmu_context *find_context(struct mmu *m, unsigned pcid)
{
    for (unsigned i = 0; i < MMU_CONTEXTS; i++)
        if (m->contexts[i].valid && m->contexts[i].pcid == pcid)
            return &m->contexts[i];
    return NULL;
}

/* Contexts that belong to nobody have not been used for longest. */
static struct mmu_context *oldest_context(struct mmu *m)
{
    struct mmu_context *oldest = &m->contexts[0];

    for (unsigned i = 1; i < MMU_CONTEXTS; i++)
        if (m->contexts[i].used_at < oldest->used_at)
            oldest = &m->contexts[i];
    return oldest;
}

static void flush_local(struct mmu *m, struct mmu_context *c)
{
    if (!c->bank)
        return;
    paging_forget(&m->near);
    for_banks(c, tlb_flush_local);
    m->stats->tlb_flush++;
}

/* Without CR4.PCIDE everything belongs to PCID 0. */
static unsigned current_pcid(const struct mmu *m)
{
    return m->regs.cr4 & CR4_PCIDE ? m->regs.cr3 & CR3_PCID : 0;
}

/* Empties everything and begins with one context. */
static void forget_contexts(struct mmu *m)
{
    mmu_flush_all(m);
    for (unsigned i = 0; i < MMU_CONTEXTS; i++) {
        m->contexts[i].valid = false;
        m->contexts[i].used_at = 0;
    }
    m->contexts[0].valid = true;
    m->contexts[0].pcid = (uint16_t)current_pcid(m);
    use(m, &m->contexts[0]);
}

void mmu_init(struct mmu *m, struct physmem *pm, struct stats *stats)
{
    uint64_t pages = pm->ram.size / PAGE_SIZE;

    memset(m, 0, sizeof(*m));
    m->pm = pm;
    m->stats = stats;
    m->near = paging_near_make(pm);
    m->pages = phys_run_make(pm);
    m->written = xcalloc((size_t)(pages / 64 + 1), sizeof(uint64_t));
    m->write_index = xcalloc((size_t)pages + 1, sizeof(uint16_t));
    m->contexts = xcalloc(MMU_CONTEXTS, sizeof(struct mmu_context));
    mmu_reset(m);
}

void mmu_destroy(struct mmu *m)
{
    for_all_banks(m, tlb_bank_destroy);
    for (unsigned i = 0; i < MMU_CONTEXTS; i++)
        free(m->contexts[i].bank);
    free(m->contexts);
    free(m->written);
    free(m->write_index);
    memset(m, 0, sizeof(*m));
}

void mmu_reset(struct mmu *m)
{
    memset(&m->regs, 0, sizeof(m->regs));
    m->who = MMU_SUPERVISOR;
    m->fault_la = 0;
    m->fault_error = 0;
    forget_contexts(m);
}

/* --- control registers --- */

static bool uses_pae(const struct paging_regs *r)
{
    return (r->cr0 & CR0_PG) && (r->cr4 & CR4_PAE) && !(r->efer & EFER_LMA);
}

/* Bits in which both sets of registers differ. */
struct change {
    uint64_t cr0, cr4, efer;
};

static bool differs_in(struct change differ, struct change mask)
{
    return (differ.cr0 & mask.cr0) || (differ.cr4 & mask.cr4) ||
           (differ.efer & mask.efer);
}

void mmu_set_control(struct mmu *m, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    /* All that changes what a translation is or permits: more than SDM vol. 3,
     * 4.10.4.1 asks for. */
    static const struct change stale = {
        .cr0 = CR0_PG | CR0_WP,
        .cr4 = CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP,
        .efer = EFER_LMA | EFER_NXE,
    };
    /* Loads PDPTEs (SDM vol. 3, 4.4.1). */
    static const struct change reload = {
        .cr0 = CR0_CD | CR0_NW | CR0_PG,
        .cr4 = CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP,
        .efer = EFER_LMA,
    };
    struct change differ = {m->regs.cr0 ^ cr0, m->regs.cr4 ^ cr4,
                            m->regs.efer ^ efer};

    m->regs.cr0 = cr0;
    m->regs.cr4 = cr4;
    m->regs.efer = efer;
    if (differs_in(differ, stale))
        forget_contexts(m);
    if (differs_in(differ, reload) && uses_pae(&m->regs))
        paging_load_pdptes(m->pm, &m->regs, m->regs.cr3);
}

bool mmu_set_cr3(struct mmu *m, uint64_t cr3, bool keep)
{
    cr3 &= CR3_KEEP - 1;
    if (uses_pae(&m->regs) && !paging_load_pdptes(m->pm, &m->regs, cr3))
        return false;
    m->regs.cr3 = cr3;
    if (!(m->regs.cr0 & CR0_PG))
        return true;

    unsigned pcid = current_pcid(m);
    struct mmu_context *c = find_context(m, pcid);

    if (c && keep && (m->regs.cr4 & CR4_PCIDE)) {
        m->stats->tlb_switch++;
    } else {
        c = c ? c : oldest_context(m);
        c->valid = true;
        c->pcid = (uint16_t)pcid;
        flush_local(m, c);
    }
    use(m, c);
    return true;
}

void mmu_set_who(struct mmu *m, enum mmu_bank who)
{
    m->who = who;
    m->bank = &m->context->bank[who];
}

/* --- emptying --- */

void mmu_drop(struct mmu *m, struct mmu_context *c, laddr la)
{
    paging_forget(&m->near);
    for (unsigned i = 0; i < MMU_BANKS; i++)
        tlb_drop(&c->bank[i], la);
}

void mmu_invlpg(struct mmu *m, laddr la)
{
    mmu_drop(m, m->context, la);
    for (unsigned i = 0; i < MMU_CONTEXTS; i++) {
        struct mmu_context *c = &m->contexts[i];

        if (c == m->context || !c->bank)
            continue;
        for (unsigned k = 0; k < MMU_BANKS; k++)
            tlb_drop_global(&c->bank[k], la);
    }
}

void mmu_invpcid(struct mmu *m, unsigned type, unsigned pcid, laddr la)
{
    struct mmu_context *c = find_context(m, pcid);

    switch (type) {
    case 0:
        if (c)
            mmu_drop(m, c, la);
        return;
    case 1:
        if (c)
            flush_local(m, c);
        return;
    case 2: mmu_flush_all(m); return;
    default:
        for (unsigned i = 0; i < MMU_CONTEXTS; i++)
            flush_local(m, &m->contexts[i]);
        return;
    }
}

void mmu_flush_all(struct mmu *m)
{
    paging_forget(&m->near);
    for_all_banks(m, tlb_flush);
    m->stats->tlb_flush++;
}

void mmu_flush_jumps(struct mmu *m)
{
    for_all_banks(m, tlb_flush_jumps);
}

void mmu_protect_code(struct mmu *m, uint64_t ram_at)
{
    uint64_t page = ram_at / PAGE_SIZE;
    uint64_t *word = &m->written[page / 64];
    uint64_t mask = (uint64_t)1 << page % 64;
    const uint8_t *host = m->pm->ram.mem.rw + page * PAGE_SIZE;
    unsigned where = m->write_index[page];

    if (!(*word & mask))
        return;
    *word &= ~mask;
    m->write_index[page] = 0;
    for (unsigned i = 0; i < MMU_CONTEXTS; i++) {
        struct mmu_context *c = &m->contexts[i];

        for (unsigned k = 0; c->bank && k < MMU_BANKS; k++)
            tlb_protect(&c->bank[k], host, where);
    }
}

void mmu_set_watch(struct mmu *m, const laddr *pages, unsigned count)
{
    laddr aligned[array_len(m->watch_page)] = {0};

    if (count > array_len(m->watch_page))
        count = array_len(m->watch_page);
    for (unsigned i = 0; i < count; i++)
        aligned[i] = bits_align_down(pages[i], PAGE_SIZE);
    if (count == m->watch_count &&
        !memcmp(aligned, m->watch_page, count * sizeof(laddr)))
        return;
    memcpy(m->watch_page, aligned, sizeof(aligned));
    m->watch_count = count;
    mmu_flush_all(m);
}
