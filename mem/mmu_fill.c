#include "base/compiler.h"
#include "mem/mmu_private.h"

/*
 * Filling: a miss is answered by a large page that was walked before or by a
 * walk, and every entry that its rights allow is filled at once.
 *
 * A write entry is plain only if the page may be written, its D bit is set, it
 * is RAM, holds no code and is not watched; `written` is set for it.  Without
 * D there is no write entry, so that the first store walks and sets it.
 */

static const struct paging_who askers[MMU_BANKS] = {
    [MMU_USER] = {.user = true},
    [MMU_SUPERVISOR] = {.ac = false},
    [MMU_SUPERVISOR_AC] = {.ac = true},
};

bool mmu_watches(const struct mmu *m, laddr start, uint64_t size)
{
    for (unsigned i = 0; i < m->watch_count; i++)
        if (m->watch_page[i] - start < size)
            return true;
    return false;
}

void mmu_note_written(struct mmu *m, uint64_t ram_at, uint64_t size)
{
    uint64_t page = ram_at / PAGE_SIZE;
    uint64_t end = page + size / PAGE_SIZE;

    for (; page < end && page % 64; page++)
        m->written[page / 64] |= (uint64_t)1 << page % 64;
    for (; page + 64 <= end; page += 64)
        m->written[page / 64] = UINT64_MAX;
    for (; page < end; page++)
        m->written[page / 64] |= (uint64_t)1 << page % 64;
}

void mmu_note_entry(struct mmu *m, uint64_t ram_at, laddr la)
{
    uint64_t page = ram_at / PAGE_SIZE;
    uint16_t *where = &m->write_index[page];
    unsigned here = tlb_index(la) + 1;

    m->written[page / 64] |= (uint64_t)1 << page % 64;
    *where = (uint16_t)(*where && *where != here ? TLB_SEVERAL : here);
}

/* May `from` fill the entry of la's page in the table for `access`?  If it was
 * not asked for, only when it is free: two pages of one index, one read and one
 * written in turn, shall not throw each other out. */
static bool fills(struct tlb_bank *b, laddr la, enum access access,
                  enum access asked, const struct tlb_page *from)
{
    const struct tlb_entry *e = mmu_entry(b, la, access);

    if (!(from->rights & 1 << access))
        return false;
    return access == asked || e->tag == tlb_never(tlb_index(la)) ||
           mmu_is_hit(e, la);
}

/* What the entry for `access` to a page of RAM or ROM has to be. */
static unsigned kind_for(struct mmu *m, laddr page, uint64_t ram_at,
                         enum access access)
{
    if (access == ACCESS_WRITE && !m->pages.writable)
        return TLB_IO;
    if (m->watch_count && mmu_watches(m, page, PAGE_SIZE))
        return TLB_CARE;
    if (access == ACCESS_READ)
        return TLB_PLAIN;
    if (mmu_code_in(m, ram_at))
        return TLB_CARE;
    mmu_note_entry(m, ram_at, page);
    return TLB_PLAIN;
}

static struct tlb_entry entry_for(struct mmu *m, laddr page, paddr pa,
                                  enum access access)
{
    if (!phys_run_find(&m->pages, pa))
        return (struct tlb_entry){page ^ TLB_IO, pa - page};

    uint64_t ram_at = phys_run_at(&m->pages, pa);
    uint64_t host = (uintptr_t)(m->pm->ram.mem.rw + ram_at);
    unsigned kind = kind_for(m, page, ram_at, access);

    return (struct tlb_entry){page ^ kind, (kind == TLB_IO ? pa : host) - page};
}

/* What the result of a walk allows without another walk: what was asked, and
 * more.  A fetch says nothing about reading (SMAP). */
static struct tlb_page page_from(const struct paging_result *r, laddr la,
                                 enum access access)
{
    uint64_t offset = la & (r->page_size - 1);
    unsigned rights = 1u << access;

    if (r->may_fetch)
        rights |= 1u << ACCESS_FETCH;
    if (access != ACCESS_FETCH) {
        rights |= 1u << ACCESS_READ;
        if (r->may_write && r->dirty)
            rights |= 1u << ACCESS_WRITE;
    }
    return (struct tlb_page){.start = la - offset,
                             .size = r->page_size,
                             .pa = r->pa - offset,
                             .rights = (uint8_t)rights,
                             .global = r->global};
}

const struct tlb_page *mmu_known_large(const struct tlb_bank *b, laddr la,
                                       enum access access)
{
    const struct tlb_page *page = tlb_find_large(b, la);

    return page && (page->rights & 1 << access) ? page : NULL;
}

static struct paging_result walk(struct mmu *m, enum mmu_bank who, laddr la,
                                 enum access access, bool commit)
{
    if (m->regs.cr0 & CR0_PG)
        m->stats->tlb_walk++;
    return paging_walk_near(&m->near, &m->regs, la, access, askers[who],
                            commit);
}

struct paging_result mmu_try_walk(struct mmu *m, enum mmu_bank who, laddr la,
                                  enum access access)
{
    return walk(m, who, la, access, false);
}

const struct tlb_page *mmu_find_page(struct mmu *m, enum mmu_bank who, laddr la,
                                     enum access access, struct tlb_page *space,
                                     uint32_t *error)
{
    struct tlb_bank *b = &m->context->bank[who];
    const struct tlb_page *large = mmu_known_large(b, la, access);

    m->stats->tlb_fill++;
    if (large) {
        m->stats->tlb_large_hit++;
        return large;
    }

    struct paging_result r = walk(m, who, la, access, true);

    if (!r.ok) {
        *error = r.error;
        return NULL;
    }
    *space = page_from(&r, la, access);
    if (r.page_size > PAGE_SIZE)
        tlb_add_large(b, la, space);
    return space;
}

bool mmu_fill(struct mmu *m, enum mmu_bank who, laddr la, enum access access,
              uint32_t *error)
{
    struct tlb_bank *b = &m->context->bank[who];
    struct tlb_page space;
    const struct tlb_page *from =
        mmu_find_page(m, who, la, access, &space, error);

    if (!from)
        return false;

    laddr page = mmu_page_of(la);
    paddr pa = from->pa + (page - from->start);

    tlb_note(b, la, from);
    if (fills(b, la, ACCESS_READ, access, from))
        b->read[tlb_index(la)] = entry_for(m, page, pa, ACCESS_READ);
    if (fills(b, la, ACCESS_WRITE, access, from))
        b->write[tlb_index(la)] = entry_for(m, page, pa, ACCESS_WRITE);
    return true;
}

void mmu_relieve(struct mmu *m, struct tlb_entry *e, laddr la)
{
    laddr page = mmu_page_of(la);
    uint64_t ram_at = mmu_entry_ram(m, e, la);

    if (mmu_code_in(m, ram_at) || mmu_watches(m, page, PAGE_SIZE))
        return;
    mmu_note_entry(m, ram_at, page);
    e->tag = page;
}
