#ifndef TESTS_UNIT_MEM_WORLD_H
#define TESTS_UNIT_MEM_WORLD_H

/*
 * A guest with several address spaces for random tests: they share the upper
 * part, as under an operating system, and their pages collide in the TLB.
 */

#include "base/compiler.h"
#include "tests/unit/mem/rig.h"

enum { SPACES = 10, MAX_PAGES = 64 };

/* A stretch of linear addresses that the guest uses.  The bases collide in the
 * TLB's index on purpose. */
struct stretch {
    laddr base[MODES]; /* 0: not in this mode */
    unsigned pages;
    bool large; /* may be one large page */
};

#define HIGH 0xffff888000000000

static const struct stretch stretches[] = {
    {{0x400000, 0x400000, 0x400000}, 8, false},
    {{0x1400000, 0x1400000, 0x1400000}, 4, false},
    {{0x2400000, 0x2400000, 0x7f0002400000}, 4, false},
    {{0x40000000, 0x40000000, 0x40000000}, 6, true},
    {{0, 0x40200000, 0x40200000}, 3, true},
    {{0, 0, 0x80000000}, 6, true}, /* 1 GiB */
    {{0xc0400000, 0xc0400000, HIGH + 0x400000}, 4, false},
    {{0xd0000000, 0xd0000000, HIGH + 0x40000000}, 5, true},
};

struct page {
    laddr la;
    const struct stretch *in;
};

struct world {
    struct rig *r;
    unsigned seed, step;
    uint64_t random;
    unsigned page_count;
    struct page page[MAX_PAGES];
    paddr root[SPACES];
    unsigned space; /* current */
    unsigned watch_calls;
};

/* --- chance --- */

static inline unsigned any(struct world *w, unsigned below)
{
    w->random = w->random * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(w->random >> 33) % below;
}

static inline bool one_in(struct world *w, unsigned n)
{
    return any(w, n) == 0;
}

/* ck_assert_msg would report each success, and there are millions. */
#define CHECK(w, what)                                                   \
    do {                                                                 \
        if (!(what))                                                     \
            ck_abort_msg("COPAL_SEED=%u mode %u step %u: %s", (w)->seed, \
                         (unsigned)(w)->r->g.mode, (w)->step, #what);    \
    } while (0)

/* --- the guest --- */

static inline struct mmu *mmu(struct world *w)
{
    return &w->r->m;
}

static inline bool is_shared(struct world *w, laddr la)
{
    return la >= (w->r->g.mode == MODE_LONG ? HIGH : 0xc0000000);
}

static inline bool has_pcids(struct world *w)
{
    return mmu(w)->regs.cr4 & PCIDE;
}

static inline paddr random_frame(struct world *w, uint64_t size)
{
    if (size > 4 * MIB)
        return 0;
    if (size > PAGE_SIZE)
        return size * any(w, 3);
    switch (any(w, 8)) {
    case 0: return ROM_AT + any(w, 4) * PAGE_SIZE;
    case 1: return WINDOW_AT + any(w, 4) * PAGE_SIZE;
    case 2: return 0x20000000;
    default: return 0x200000 + any(w, 16) * PAGE_SIZE;
    }
}

/* Bits for an entry of the path to la.  Where roots have copies of an entry
 * (32-bit tables), A and D of one say nothing about the other. */
static inline uint64_t random_bits(struct world *w, laddr la, unsigned shift,
                                   bool leaf)
{
    bool in_root = shift == page_shifts(w->r->g.mode)[0] && is_shared(w, la);
    uint64_t bits = any(w, 64) & (A | D);

    bits |= one_in(w, 8) ? 0 : P;
    bits |= one_in(w, 4) ? 0 : W;
    bits |= one_in(w, 4) ? 0 : U;
    if (leaf && is_shared(w, la) && one_in(w, 2))
        bits |= G;
    if (w->r->g.mode != MODE_32)
        return one_in(w, 4) ? bits | XD : bits;
    return in_root ? (bits | A) & ~(uint64_t)G : bits;
}

static inline void add_pages(struct world *w, const struct stretch *s)
{
    enum page_mode mode = w->r->g.mode;
    uint64_t span = s->base[mode] == 0x80000000 ? GIB : large_size(mode);

    for (unsigned i = 0; i < s->pages; i++) {
        laddr la = s->base[mode] + i * PAGE_SIZE;

        if (s->large && i >= 2) /* the start, and places far from it */
            la = s->base[mode] + span / (i + 1) / PAGE_SIZE * PAGE_SIZE;
        if (s->large && i + 1 == s->pages)
            la = s->base[mode] + span - PAGE_SIZE;
        w->page[w->page_count++] = (struct page){la, s};
    }
}

/* All tables of a space; the shared part is that of space 0.  Its entries in the
 * roots have A from the start: a global page sets it in one root only. */
static inline void build_space(struct world *w, unsigned space)
{
    struct guest *g = &w->r->g;
    unsigned width = entry_size(g->mode);
    uint64_t marks = g->mode == MODE_PAE ? 0 : A; /* PDPTEs have none */

    g->root = w->root[space];
    if (space)
        for (unsigned i = 0; i < PAGE_SIZE; i += width) {
            laddr la = (laddr)(i / width) << page_shifts(g->mode)[0];

            la |= g->mode == MODE_LONG && la >> 47 ? UINT64_MAX << 48 : 0;
            if (is_shared(w, la))
                poke(g, g->root + i, peek(g, w->root[0] + i, width) | marks,
                     width);
        }
    for (unsigned i = 0; i < w->page_count; i++)
        if (!space || !is_shared(w, w->page[i].la))
            guest_map(g, w->page[i].la, random_frame(w, PAGE_SIZE), PAGE_SIZE,
                      PWU);
}

static inline void world_on_watch(void *owner, laddr la, unsigned size,
                                  enum access access)
{
    struct world *w = owner;

    (void)la, (void)size, (void)access;
    w->watch_calls++;
}

static inline void world_on_change(void *owner)
{
    mmu_flush_all(&container_of((struct guest *)owner, struct rig, g)->m);
}

static inline void world_init(struct world *w, enum page_mode mode,
                              unsigned seed)
{
    *w = (struct world){.r = rig_new(mode), .seed = seed, .random = seed};
    for (unsigned i = 0; i < array_len(stretches); i++)
        if (stretches[i].base[mode])
            add_pages(w, &stretches[i]);
    w->root[0] = w->r->g.root;
    for (unsigned i = 0; i < SPACES; i++) {
        w->root[i] = i ? guest_new_table(&w->r->g) : w->root[0];
        build_space(w, i);
    }
    w->r->g.root = w->root[0];
    w->r->g.pm.on_change = world_on_change;
    mmu(w)->on_watch = world_on_watch;
    mmu(w)->watch_owner = w;
    ck_assert(mmu_set_cr3(mmu(w), w->root[0], false));
}

#endif
