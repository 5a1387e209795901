#include "base/bits.h"
#include "mem/mmu_private.h"

/*
 * Runs: memory that is contiguous for the guest and on the host, and plain.
 *
 * A run for a string operation grows page by page over entries that are
 * there.  A run for an L0 slot is the large page around an address, or without
 * paging all of memory, cut to what is contiguous on the host and, for stores,
 * free of code.
 */

/* The entry of la, filled if need be; NULL if the page is not plain or the
 * access would fault. */
static const struct tlb_entry *plain_entry(struct mmu *m, laddr la,
                                           enum access access)
{
    struct tlb_entry *e = mmu_entry(m->bank, la, access);
    uint32_t error;

    if (!mmu_is_hit(e, la))
        (void)mmu_fill(m, m->who, la, access, &error);
    else if (access == ACCESS_WRITE && mmu_kind(e, la) == TLB_CARE)
        mmu_relieve(m, e, la);
    return mmu_kind(e, la) == TLB_PLAIN ? e : NULL;
}

/* The same for the page behind the one of la, which is not going to be accessed
 * for sure: no walk, so that no A or D is set for nothing. */
static const struct tlb_entry *next_entry(struct mmu *m, laddr la,
                                          enum access access)
{
    laddr next = mmu_next_page(m, la);
    bool marks = m->regs.cr0 & CR0_PG;

    if (marks && !mmu_is_hit(mmu_entry(m->bank, next, access), next) &&
        !mmu_known_large(m->bank, next, access))
        return NULL;
    return plain_entry(m, next, access);
}

uint8_t *mmu_run(struct mmu *m, laddr la, uint64_t size, enum access access,
                 uint64_t *n)
{
    const struct tlb_entry *first = size ? plain_entry(m, la, access) : NULL;

    *n = 0;
    if (!first)
        return NULL;

    uint64_t addend = first->addend;
    uint64_t got = PAGE_SIZE - la % PAGE_SIZE;

    while (got < size) {
        const struct tlb_entry *next = next_entry(m, la + got - 1, access);

        if (!next || next->addend != addend)
            break;
        got += PAGE_SIZE;
    }
    *n = got < size ? got : size;
    return (uint8_t *)(uintptr_t)(la + addend);
}

/* Linear addresses that lie in one run of RAM. */
struct stretch {
    laddr start;
    uint64_t size;
    uint64_t ram_at; /* of start */
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The large page around la, or without paging all there is. */
static bool whole_page(const struct mmu *m, laddr la, enum access access,
                       struct tlb_page *page)
{
    const struct tlb_page *large = mmu_known_large(m->bank, la, access);

    if (large)
        *page = *large;
    else
        *page = (struct tlb_page){.size = (uint64_t)1 << 32};
    return large || !(m->regs.cr0 & CR0_PG);
}

/* The memory around s, one 4 KiB page, that is contiguous with it for the guest
 * and on the host.  A large page may be stale where its entry is not, or the
 * reverse: only if both agree does one say something about the other. */
static void widen(struct mmu *m, struct stretch *s, enum access access)
{
    struct phys_run *run = &m->pages;
    struct tlb_page page;

    if (!whole_page(m, s->start, access, &page) ||
        mmu_watches(m, page.start, page.size))
        return;

    uint64_t below = s->start - page.start;
    paddr pa = page.pa + below;

    if (!phys_run_find(run, pa) || phys_run_at(run, pa) != s->ram_at)
        return;

    uint64_t above = least(page.size - below, run->start + run->size - pa);

    below = least(below, pa - run->start);
    *s = (struct stretch){s->start - below, below + above, s->ram_at - below};
}

/* How far from a page to look for code: to look at 512 pages takes as long as
 * four refills. */
enum { DATA_WINDOW = 2 << 20 };

/* Leaves the pages around la that hold no code; its own holds none. */
static void keep_data(const struct mmu *m, struct stretch *s, laddr la)
{
    const uint64_t *code = &m->pm->ram.code_bits[s->ram_at / PAGE_SIZE];
    uint64_t at = (la - s->start) / PAGE_SIZE;
    uint64_t window = (la - bits_align_down(la, DATA_WINDOW)) / PAGE_SIZE;
    uint64_t first = at > window ? at - window : 0;
    uint64_t end =
        least(at - window + DATA_WINDOW / PAGE_SIZE, s->size / PAGE_SIZE);
    uint64_t lo = at, hi = at + 1;

    while (lo > first && !code[lo - 1])
        lo--;
    while (hi < end && !code[hi])
        hi++;
    *s = (struct stretch){s->start + lo * PAGE_SIZE, (hi - lo) * PAGE_SIZE,
                          s->ram_at + lo * PAGE_SIZE};
}

void mmu_fill_l0(struct mmu *m, unsigned slot, laddr la, enum access access)
{
    const struct tlb_entry *e = plain_entry(m, la, access);

    if (!e)
        return;

    struct stretch s = {mmu_page_of(la), PAGE_SIZE, mmu_entry_ram(m, e, la)};

    widen(m, &s, access);
    if (access == ACCESS_WRITE) {
        keep_data(m, &s, la);
        mmu_note_written(m, s.ram_at, s.size);
    }
    m->stats->l0_fill++;

    uint64_t host = (uintptr_t)(m->pm->ram.mem.rw + s.ram_at);
    struct tlb_l0 run = {s.start, s.size - TLB_L0_MARGIN, host - s.start};

    if (access == ACCESS_WRITE)
        tlb_set_l0_write(m->bank, slot, run);
    else
        tlb_set_l0_read(m->bank, slot, run);
}

bool mmu_debug_translate(struct mmu *m, laddr la, paddr *pa)
{
    struct paging_who who = {.ac = true};
    struct paging_result r =
        paging_walk(m->pm, &m->regs, la, ACCESS_READ, who, false);

    *pa = r.pa;
    return r.ok;
}
