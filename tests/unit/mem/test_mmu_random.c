/*
 * A guest that does anything in any order: edits its tables and says so with
 * the invalidation that the manual asks for, changes spaces, control bits and
 * privilege, has code translated, watches pages, moves A20.
 *
 * The oracle is a page walk that remembers nothing.  Each access is predicted
 * by it, and after each step everything that is cached must be what it says.
 *
 * A failure prints the seed.  COPAL_SEED=n runs that seed alone.
 */
#include "mem/mmu.h"

#include <stdlib.h>

#include "mem/mmu_private.h"
#include "tests/unit/mem/world.h"

enum { STEPS = 12000, SEEDS = 4 };

/* --- what is cached must be what a walk finds --- */

/* An address space as some bank sees it. */
struct view {
    struct world *w;
    struct paging_regs regs;
    struct tlb_bank *bank;
    struct paging_who who;
};

static struct paging_result look(const struct view *v, laddr la,
                                 enum access access)
{
    return paging_walk(&v->w->r->g.pm, &v->regs, la, access, v->who, false);
}

static bool is_watched(const struct mmu *m, laddr la)
{
    for (unsigned i = 0; i < m->watch_count; i++)
        if (m->watch_page[i] == (la & ~0xfffull))
            return true;
    return false;
}

/* Does la lie at `host`, as memory that needs no care? */
static bool is_plain(const struct view *v, laddr la, enum access access,
                     uint64_t host)
{
    struct paging_result r = look(v, la, access);
    struct phys_page p = physmem_page(&v->w->r->g.pm, r.pa);
    bool write = access == ACCESS_WRITE;

    return r.ok && (uintptr_t)p.host == host && !is_watched(&v->w->r->m, la) &&
           !(write && (!r.dirty || !p.writable || p.has_code));
}

/* An entry that says "not plain" must be right about where, too. */
static bool is_special(const struct view *v, laddr la, enum access access,
                       uint64_t kind, uint64_t to)
{
    struct paging_result r = look(v, la, access);
    struct phys_page p = physmem_page(&v->w->r->g.pm, r.pa);

    if (!r.ok || (access == ACCESS_WRITE && !r.dirty))
        return false;
    if (kind == TLB_CARE)
        return (uintptr_t)p.host == to &&
               (access == ACCESS_WRITE || is_watched(&v->w->r->m, la));
    return r.pa == to && (!p.host || (access == ACCESS_WRITE && !p.writable));
}

static void check_entry(const struct view *v, laddr la, enum access access)
{
    const struct tlb_entry *e = mmu_entry(v->bank, la, access);
    uint64_t kind = mmu_kind(e, la);

    if (kind == TLB_PLAIN)
        CHECK(v->w, is_plain(v, la, access, la + e->addend));
    else if (mmu_is_hit(e, la))
        CHECK(v->w, is_special(v, la, access, kind, la + e->addend));
}

/* Where in its page a jump to la goes: elsewhere for each page. */
static laddr jump_target(laddr la)
{
    return (la & ~0xfffull) | (la >> PAGE_BITS) * 37 % PAGE_SIZE;
}

static void check_fetch(const struct view *v, laddr la)
{
    struct paging_result r = look(v, la, ACCESS_FETCH);
    struct physmem *pm = &v->w->r->g.pm;
    struct phys_page p = physmem_page(pm, r.pa);
    const struct tlb_fetch *f = &v->bank->fetch[tlb_fetch_index(la)];
    const struct tlb_jump *j = &v->bank->jump[tlb_jump_index(jump_target(la))];

    if (f->link == tlb_link(la, f->ram_at))
        CHECK(v->w, r.ok && p.host && p.ram_at == f->ram_at);
    if (j->la == jump_target(la))
        CHECK(v->w, r.ok && p.host && j->code == p.host);
}

static void check_run(const struct view *v, const struct tlb_l0 *l0,
                      enum access access)
{
    laddr end = l0->start + l0->limit + TLB_L0_MARGIN;

    if (!l0->limit)
        return;
    CHECK(v->w, is_plain(v, l0->start, access, l0->start + l0->addend));
    CHECK(v->w,
          is_plain(v, end - PAGE_SIZE, access, end - PAGE_SIZE + l0->addend));
    for (unsigned i = 0; i < v->w->page_count; i++) {
        laddr la = v->w->page[i].la;

        if (la - l0->start < l0->limit)
            CHECK(v->w, is_plain(v, la, access, la + l0->addend));
    }
}

static void check_bank(const struct view *v)
{
    for (unsigned i = 0; i < v->w->page_count; i++) {
        laddr la = v->w->page[i].la;

        check_entry(v, la, ACCESS_READ);
        check_entry(v, la, ACCESS_WRITE);
        check_fetch(v, la);
    }
    for (unsigned i = 0; i < TLB_L0_SLOTS; i++) {
        check_run(v, &v->bank->l0_read[i], ACCESS_READ);
        check_run(v, &v->bank->l0_write[i], ACCESS_WRITE);
    }
}

static const struct paging_who askers[MMU_BANKS] = {
    {true, false}, {false, false}, {false, true}};

static void check_context(struct world *w, const struct mmu_context *c,
                          unsigned space)
{
    struct view v = {.w = w, .regs = mmu(w)->regs};

    v.regs.cr3 = w->root[space];
    for (unsigned i = 0; i < MMU_BANKS; i++) {
        v.bank = &c->bank[i];
        v.who = askers[i];
        check_bank(&v);
    }
}

static void check_all(struct world *w)
{
    for (unsigned i = 0; i < MMU_CONTEXTS; i++) {
        const struct mmu_context *c = &mmu(w)->contexts[i];

        if (c == mmu(w)->context)
            check_context(w, c, w->space);
        else if (c->valid && one_in(w, 8))
            check_context(w, c, c->pcid);
    }
}

/* --- accesses --- */

static struct view current_view(struct world *w)
{
    return (struct view){w, mmu(w)->regs, mmu(w)->bank, askers[mmu(w)->who]};
}

static laddr random_address(struct world *w)
{
    laddr la = w->page[any(w, w->page_count)].la;

    return one_in(w, 4) ? la + PAGE_SIZE - 1 - any(w, 8) : la + any(w, 4096);
}

/* The parts of an access, as a walk sees them. */
struct prediction {
    unsigned parts;
    laddr la[2];
    unsigned size[2];
    struct paging_result r[2];
    laddr fault_la;
    uint32_t error;
    bool ok;
};

static struct prediction predict(struct world *w, laddr la, unsigned size,
                                 enum access access)
{
    struct view v = current_view(w);
    unsigned room = PAGE_SIZE - (unsigned)(la % PAGE_SIZE);
    struct prediction p = {.parts = size > room ? 2 : 1, .ok = true};

    p.la[0] = la;
    p.size[0] = size > room ? room : size;
    p.la[1] = la + room;
    p.size[1] = size - p.size[0];
    for (unsigned i = p.parts; i--;) {
        p.r[i] = look(&v, p.la[i], access);
        if (!p.r[i].ok) {
            p.ok = false;
            p.fault_la = p.la[i];
            p.error = p.r[i].error;
        }
    }
    return p;
}

/* What an access that is going to fault must not change. */
static uint64_t sum_of_tables(struct world *w, const struct prediction *p)
{
    const uint8_t *at = w->r->g.pm.ram.mem.rw + RAM_END;
    uint64_t sum = 0;

    for (paddr i = 0; !p->ok && i < w->r->g.next - TABLES_AT; i += 8)
        sum += load64(at + i) * (i + 1);
    return sum;
}

/* After an access: the fault is the predicted one and left no trace, or
 * the tables show the access. */
static void check_outcome(struct world *w, const struct prediction *p, bool ok,
                          enum access access, uint64_t tables)
{
    uint64_t want = access == ACCESS_WRITE ? A | D : A;

    CHECK(w, ok == p->ok);
    if (!ok) {
        CHECK(w, mmu(w)->fault_la == p->fault_la);
        CHECK(w, mmu(w)->fault_error == p->error);
        CHECK(w, sum_of_tables(w, p) == tables);
        return;
    }
    for (unsigned i = 0; i < p->parts; i++) {
        paddr path[4];
        unsigned n = guest_path(&w->r->g, p->la[i], path);

        for (unsigned k = w->r->g.mode == MODE_PAE; k < n; k++)
            CHECK(w, peek(&w->r->g, path[k], 4) & A);
        CHECK(w, (peek(&w->r->g, path[n - 1], 4) & want) == want);
    }
}

static bool is_window(paddr pa)
{
    return pa >= WINDOW_AT && pa < WINDOW_AT + 128 * KIB;
}

static bool in_window(struct world *w, const struct prediction *p)
{
    paddr mask = w->r->g.pm.a20_mask;

    return is_window(p->r[0].pa & mask) ||
           (p->parts == 2 && is_window(p->r[1].pa & mask));
}

static uint64_t predicted_value(struct world *w, const struct prediction *p)
{
    uint64_t v = 0;

    for (unsigned i = 0, at = 0; i < p->parts; i++)
        for (unsigned k = 0; k < p->size[i]; k++, at++)
            v |= peek(&w->r->g, p->r[i].pa + k, 1) << (at * 8);
    return v;
}

static unsigned watched_parts(struct world *w, const struct prediction *p)
{
    unsigned n = 0;

    for (unsigned i = 0; p->ok && i < p->parts; i++)
        n += is_watched(mmu(w), p->la[i]);
    return n;
}

static void do_read(struct world *w)
{
    laddr la = random_address(w);
    unsigned size = 1u << any(w, 4), calls = w->watch_calls;
    struct prediction p = predict(w, la, size, ACCESS_READ);
    bool compare = p.ok && !in_window(w, &p);
    uint64_t tables = sum_of_tables(w, &p), v = 0;
    uint64_t want = compare ? predicted_value(w, &p) : 0;
    bool ok = one_in(w, 4) ? mmu_read_bytes(mmu(w), la, &v, size)
                           : mmu_read(mmu(w), la, size, &v);

    check_outcome(w, &p, ok, ACCESS_READ, tables);
    CHECK(w, !compare || v == want);
    CHECK(w, w->watch_calls - calls == watched_parts(w, &p));
}

/* No code is left where something was written. */
static void check_code(struct world *w, const struct prediction *p)
{
    for (unsigned i = 0; i < p->parts; i++) {
        struct phys_page page = physmem_page(&w->r->g.pm, p->r[i].pa);
        uint64_t at = page.ram_at + p->r[i].pa % PAGE_SIZE;

        if (page.writable)
            CHECK(w, !(w->r->g.pm.ram.code_bits[at / PAGE_SIZE] &
                       ram_granules(at, p->size[i])));
    }
}

static bool is_all_ram(struct world *w, const struct prediction *p)
{
    for (unsigned i = 0; i < p->parts; i++)
        if (!physmem_page(&w->r->g.pm, p->r[i].pa).writable)
            return false;
    /* Two parts of one page may overlap. */
    return p->parts == 1 || (p->r[0].pa ^ p->r[1].pa) / PAGE_SIZE;
}

static void do_write(struct world *w)
{
    laddr la = random_address(w);
    unsigned size = 1u << any(w, 4), calls = w->watch_calls;
    struct prediction p = predict(w, la, size, ACCESS_WRITE);
    uint64_t tables = sum_of_tables(w, &p);
    uint64_t v = w->random & (UINT64_MAX >> (64 - size * 8));
    bool ok;

    switch (any(w, 4)) {
    case 0: ok = mmu_write_bytes(mmu(w), la, &v, size); break;
    case 1:
        ok = mmu_probe(mmu(w), la, size, ACCESS_WRITE) &&
             mmu_write(mmu(w), la, size, v);
        break;
    default: ok = mmu_write(mmu(w), la, size, v); break;
    }
    check_outcome(w, &p, ok, ACCESS_WRITE, tables);
    CHECK(w, w->watch_calls - calls == watched_parts(w, &p));
    if (!ok)
        return;
    check_code(w, &p);
    CHECK(w, !is_all_ram(w, &p) || predicted_value(w, &p) == v);
}

static void do_fetch(struct world *w)
{
    laddr la = random_address(w);
    struct prediction p = predict(w, la, 1, ACCESS_FETCH);
    struct phys_page page = physmem_page(&w->r->g.pm, p.r[0].pa);
    uint64_t tables = sum_of_tables(w, &p), at;
    bool ok = mmu_fetch_page(mmu(w), la, &at);

    check_outcome(w, &p, ok, ACCESS_FETCH, tables);
    if (!ok)
        return;
    CHECK(w, at == (page.host ? page.ram_at + la % PAGE_SIZE : UINT64_MAX));
    if (page.host)
        tlb_jump_set(mmu(w)->bank, jump_target(la), page.host);
}

static void do_run(struct world *w)
{
    laddr la = random_address(w);
    enum access access = one_in(w, 2) ? ACCESS_READ : ACCESS_WRITE;
    struct view v = current_view(w);
    struct prediction p = predict(w, la, 1, access);
    struct phys_page page = physmem_page(&w->r->g.pm, p.r[0].pa);
    uint64_t size = 1 + any(w, 64 * KIB), n;
    uint8_t *host = mmu_run(mmu(w), la, size, access, &n);
    bool plain = p.ok && page.host && !is_watched(mmu(w), la) &&
                 (access == ACCESS_READ || (page.writable && !page.has_code));

    CHECK(w, (host != NULL) == plain);
    CHECK(w, n <= size && (n > 0) == plain);
    for (uint64_t i = 0; i < n; i += PAGE_SIZE) {
        laddr at = (la + i) & ~0xfffull;

        CHECK(w, is_plain(&v, at, access, at + ((uintptr_t)host - la)));
    }
}

static void do_l0(struct world *w)
{
    enum access access = one_in(w, 2) ? ACCESS_READ : ACCESS_WRITE;

    mmu_fill_l0(mmu(w), any(w, TLB_L0_SLOTS), random_address(w), access);
}

/* Implicit supervisor accesses see the same memory. */
static void do_system(struct world *w)
{
    enum mmu_bank who = mmu(w)->who;
    laddr la = random_address(w);
    uint64_t v;

    mmu_set_who(mmu(w), MMU_SUPERVISOR);

    struct prediction p = predict(w, la, 4, ACCESS_READ);
    uint64_t tables = sum_of_tables(w, &p);

    mmu_set_who(mmu(w), who);
    check_outcome(w, &p, mmu_sys_read(mmu(w), la, &v, 4), ACCESS_READ, tables);
}

/* --- changes --- */

/* INVLPG, and for entries that other PCIDs have copies of, INVPCID.  INVLPG alone
 * is enough for what was global. */
static void announce_page(struct world *w, laddr la, bool was_global)
{
    mmu_invlpg(mmu(w), la);
    if (!has_pcids(w) || !is_shared(w, la) || was_global)
        return;
    for (unsigned k = 0; k < SPACES; k++)
        if (k != w->space)
            mmu_invpcid(mmu(w), 0, k, la);
}

/* Announces that the entry that maps [la, +size) has changed from `old`. */
static void announce(struct world *w, laddr la, uint64_t size, uint64_t old)
{
    bool was_page = size == PAGE_SIZE || (old & PS);
    bool was_global = was_page && (old & G) && (mmu(w)->regs.cr4 & PGE);

    if (was_page && one_in(w, 2)) {
        announce_page(w, la + w->random % size, was_global);
        return;
    }
    for (unsigned i = 0; i < w->page_count; i++)
        if (w->page[i].la - la < size)
            announce_page(w, w->page[i].la, was_global);
}

/* Announces it by something stronger. */
static void announce_loudly(struct world *w)
{
    switch (any(w, 3)) {
    case 0: mmu_invpcid(mmu(w), 2, 0, 0); return;
    case 1:
        rig_cr4(w->r, PGE, false);
        rig_cr4(w->r, PGE, true);
        return;
    default: mmu_flush_all(mmu(w)); return;
    }
}

static uint64_t new_entry(struct world *w, const struct page *page,
                          uint64_t old, unsigned shift)
{
    uint64_t size = (uint64_t)1 << shift;
    bool is_page = shift == 12 || (old & PS);
    bool table_or_page = page->in->large && size > PAGE_SIZE &&
                         size == (page->in->base[w->r->g.mode] == 0x80000000
                                      ? GIB
                                      : large_size(w->r->g.mode));
    uint64_t address = old & 0x3ffffffff000;

    if (shift == 12 || (table_or_page && is_page && one_in(w, 2)))
        return random_frame(w, size) | random_bits(w, page->la, shift, true) |
               (shift > 12 ? PS : 0);
    if (is_page)
        return (old & ~(uint64_t)PWU) |
               (random_bits(w, page->la, shift, true) & PWU);
    return address | random_bits(w, page->la, shift, false);
}

/* A large page takes the place of a table, or gives it back. */
static uint64_t exchange(struct world *w, const struct page *page, uint64_t old,
                         unsigned shift)
{
    struct guest *g = &w->r->g;
    unsigned width = entry_size(g->mode);
    paddr table;

    if (!(old & PS))
        return random_frame(w, (uint64_t)1 << shift) | PS |
               random_bits(w, page->la, shift, true);
    if (g->next >= TABLES_AT + MIB - PAGE_SIZE)
        return new_entry(w, page, old, shift);
    table = guest_new_table(g);
    for (unsigned i = 0; i < PAGE_SIZE; i += width)
        poke(g, table + i,
             shift == 30 ? random_frame(w, 2 * MIB) | PS | PWU
                         : random_frame(w, PAGE_SIZE) | PWU,
             width);
    return table | random_bits(w, page->la, shift, false);
}

static bool may_exchange(struct world *w, const struct page *page,
                         unsigned shift)
{
    enum page_mode mode = w->r->g.mode;
    laddr base = page->in->base[mode];
    uint64_t size = base == 0x80000000 ? GIB : large_size(mode);

    return page->in->large && (uint64_t)1 << shift == size;
}

static void do_edit(struct world *w)
{
    struct guest *g = &w->r->g;
    const struct page *page = &w->page[any(w, w->page_count)];
    const unsigned *shifts = page_shifts(g->mode);
    unsigned first = g->mode != MODE_32, width = entry_size(g->mode);
    paddr path[4];
    unsigned n = guest_path(g, page->la, path);
    unsigned k = one_in(w, 2) ? n - 1 : first + any(w, n - first);
    unsigned shift = shifts[k];
    uint64_t old = peek(g, path[k], width);
    bool exchanges = may_exchange(w, page, shift) && one_in(w, 3);
    uint64_t e = exchanges ? exchange(w, page, old, shift)
                           : new_entry(w, page, old, shift);

    poke(g, path[k], e, width);
    for (unsigned i = 0; g->mode == MODE_32 && k == 0 && i < SPACES; i++)
        if (is_shared(w, page->la))
            poke(g, w->root[i] + path[k] % PAGE_SIZE, e, width);
    if (one_in(w, 8))
        announce_loudly(w);
    else
        announce(w, page->la >> shift << shift, (uint64_t)1 << shift, old);
}

static void do_space(struct world *w)
{
    w->space = any(w, SPACES);
    w->r->g.root = w->root[w->space];
    ck_assert(mmu_set_cr3(mmu(w),
                          w->root[w->space] | (has_pcids(w) ? w->space : 0),
                          !one_in(w, 4)));
}

static void do_control(struct world *w)
{
    const struct paging_regs *regs = &mmu(w)->regs;

    switch (any(w, 6)) {
    case 0:
        mmu_set_control(mmu(w), regs->cr0 ^ WP, regs->cr4, regs->efer);
        break;
    case 1: rig_cr4(w->r, SMEP, one_in(w, 2)); break;
    case 2: rig_cr4(w->r, SMAP, one_in(w, 2)); break;
    case 3:
        if (w->r->g.mode != MODE_32)
            mmu_set_control(mmu(w), regs->cr0, regs->cr4, regs->efer ^ NXE);
        break;
    case 4:
        if (w->r->g.mode == MODE_LONG && !w->space) /* PCID 0 */
            rig_cr4(w->r, PCIDE, !one_in(w, 4));
        break;
    default: rig_cr4(w->r, PGE, !one_in(w, 4)); break;
    }
}

static void do_who(struct world *w)
{
    bool smap = mmu(w)->regs.cr4 & SMAP;

    mmu_set_who(mmu(w), (enum mmu_bank)any(w, smap ? 3 : 2));
}

static void do_code(struct world *w)
{
    uint64_t at = 0x200000 + any(w, 16 * PAGE_SIZE) / 64 * 64;

    if (physmem_mark_code(&w->r->g.pm, at, 64))
        mmu_protect_code(mmu(w), at);
}

static void do_watch(struct world *w)
{
    laddr pages[4];
    unsigned n = any(w, 3);

    for (unsigned i = 0; i < n; i++)
        pages[i] = w->page[any(w, w->page_count)].la;
    mmu_set_watch(mmu(w), pages, n);
}

static void do_flush(struct world *w)
{
    switch (any(w, 4)) {
    case 0: mmu_flush_jumps(mmu(w)); return;
    case 1:
        mmu_invpcid(mmu(w), 1, has_pcids(w) ? any(w, SPACES) : 0, 0);
        return;
    case 2: mmu_invpcid(mmu(w), 3, 0, 0); return;
    default: physmem_set_a20(&w->r->g.pm, one_in(w, 2)); return;
    }
}

/* What happens, and how often in a hundred. */
static const struct {
    void (*act)(struct world *w);
    unsigned share;
} deeds[] = {{do_read, 22},   {do_write, 22}, {do_fetch, 10}, {do_run, 6},
             {do_l0, 10},     {do_system, 3}, {do_edit, 12},  {do_space, 4},
             {do_control, 1}, {do_who, 5},    {do_code, 3},   {do_watch, 1},
             {do_flush, 1}};

static void live(enum page_mode mode, unsigned seed)
{
    struct world w;

    world_init(&w, mode, seed);
    for (w.step = 0; w.step < STEPS; w.step++) {
        unsigned i = 0, lot = any(&w, 100);

        while (lot >= deeds[i].share)
            lot -= deeds[i++].share;
        deeds[i].act(&w);
        check_all(&w);
    }
    rig_free(w.r);
}

static void live_all(enum page_mode mode)
{
    const char *seed = getenv("COPAL_SEED");

    if (seed) {
        live(mode, (unsigned)strtoul(seed, NULL, 10));
        return;
    }
    for (unsigned i = 1; i <= SEEDS; i++)
        live(mode, i);
}

START_TEST(with_32_bit_tables)
{
    live_all(MODE_32);
}
END_TEST

START_TEST(with_pae_tables)
{
    live_all(MODE_PAE);
}
END_TEST

START_TEST(with_4_level_tables)
{
    live_all(MODE_LONG);
}
END_TEST

SUITE("mmu, anything in any order", with_32_bit_tables, with_pae_tables,
      with_4_level_tables)
