/* The page walk: what is permitted, what faults and how, and which bits of the
 * guest's tables change. */
#include "mem/paging.h"

#include <pthread.h>

#include "tests/unit/mem/pages.h"

static const struct paging_who supervisor = {false, false};
static const struct paging_who user = {true, false};

/* One way to map a page. */
struct shape {
    const char *name;
    enum page_mode mode;
    uint64_t size;
    unsigned levels; /* entries with rights: a PAE PDPTE has none */
};

static const struct shape shapes[] = {
    {"32-bit 4K", MODE_32, 4 * KIB, 2},
    {"32-bit 4M", MODE_32, 4 * MIB, 1},
    {"PAE 4K", MODE_PAE, 4 * KIB, 2},
    {"PAE 2M", MODE_PAE, 2 * MIB, 1},
    {"4-level 4K", MODE_LONG, 4 * KIB, 4},
    {"4-level 2M", MODE_LONG, 2 * MIB, 3},
    {"4-level 1G", MODE_LONG, GIB, 2},
};

enum { LA = 0x40c05678 };

static laddr start_of(const struct shape *s)
{
    return LA & ~(s->size - 1);
}

static void map_shape(struct guest *g, const struct shape *s)
{
    guest_init(g, s->mode);
    guest_map(g, start_of(s), 0, s->size, PWU);
}

/* The entries with rights on the way to LA. */
static const paddr *rights_path(struct guest *g, paddr path[4])
{
    guest_path(g, LA, path);
    return g->mode == MODE_PAE ? path + 1 : path;
}

/* --- the truth table --- */

/* A question, in the words of the manual. */
struct question {
    bool has_xd;    /* the format knows XD */
    bool user_page; /* U/S set in every entry */
    bool writable;  /* R/W set in every entry */
    bool xd;        /* XD set in some entry */
    bool wp, nxe, smep, smap, pae;
    enum access access;
    struct paging_who who;
};

/* SDM vol. 3, 4.6.1, rule by rule. */
static bool is_permitted(const struct question *q)
{
    bool supervisor_mode = !q->who.user;

    if (q->access == ACCESS_FETCH) {
        if (q->nxe && q->xd)
            return false;
        if (supervisor_mode)
            return !(q->smep && q->user_page);
        return q->user_page;
    }
    if (supervisor_mode && q->user_page && q->smap && !q->who.ac)
        return false;
    if (!supervisor_mode && !q->user_page)
        return false;
    if (q->access == ACCESS_READ)
        return true;
    return q->writable || (supervisor_mode && !q->wp);
}

/* SDM vol. 3, 4.7; 0 for no fault. */
static uint32_t expected_error(const struct question *q)
{
    bool reserved = q->has_xd && q->xd && !q->nxe;
    uint32_t error = 1;

    if (!reserved && is_permitted(q))
        return 0;
    if (reserved)
        error += 8;
    if (q->access == ACCESS_WRITE)
        error += 2;
    if (q->who.user)
        error += 4;
    if (q->access == ACCESS_FETCH && (q->smep || (q->pae && q->nxe)))
        error += 16;
    return error;
}

/* Takes U/S or R/W from, or gives XD to, entry number `level`; level beyond the
 * last: to none. */
static void set_rights(struct guest *g, const struct shape *s, unsigned no_u,
                       unsigned no_w, unsigned xd)
{
    paddr path[4];
    const paddr *at = rights_path(g, path);
    unsigned width = entry_size(s->mode);

    for (unsigned i = 0; i < s->levels; i++) {
        uint64_t e = peek(g, at[i], width) | U | W;

        e &= ~(i == no_u ? U : 0u) & ~(i == no_w ? (uint64_t)W : 0) & ~XD;
        poke(g, at[i], i == xd ? e | XD : e, width);
    }
}

static void ask_all(struct guest *g, const struct shape *s, struct question *q)
{
    for (unsigned bits = 0; bits < 16; bits++) {
        struct paging_regs regs = guest_regs(g);

        q->wp = bits & 1;
        q->nxe = bits & 2;
        q->smep = bits & 4;
        q->smap = bits & 8;
        regs.cr0 |= q->wp ? WP : 0;
        regs.efer |= q->nxe ? NXE : 0;
        regs.cr4 |= (q->smep ? SMEP : 0) | (q->smap ? SMAP : 0);
        for (unsigned i = 0; i < 9; i++) {
            q->access = (enum access)(i % 3);
            q->who = (struct paging_who){.user = i / 3 == 2, .ac = i / 3 == 1};

            struct paging_result r =
                paging_walk(&g->pm, &regs, LA, q->access, q->who, false);
            uint32_t error = expected_error(q);

            ck_assert_msg(r.ok == !error && r.error == error,
                          "%s u%d w%d xd%d bits %x ask %u: %x, not %x", s->name,
                          q->user_page, q->writable, q->xd, bits, i, r.error,
                          error);
        }
    }
}

START_TEST(rights_follow_the_manual)
{
    for (unsigned i = 0; i < array_len(shapes); i++) {
        const struct shape *s = &shapes[i];
        unsigned n = s->levels + 1;
        struct question q = {.has_xd = s->mode != MODE_32,
                             .pae = s->mode != MODE_32};
        struct guest g;

        map_shape(&g, s);
        for (unsigned k = 0; k < n * n * n; k++) {
            unsigned no_u = k % n, no_w = k / n % n, xd = k / n / n;

            set_rights(&g, s, no_u, no_w, xd);
            q.user_page = no_u == s->levels;
            q.writable = no_w == s->levels;
            q.xd = q.has_xd && xd < s->levels;
            ask_all(&g, s, &q);
        }
        guest_destroy(&g);
    }
}
END_TEST

START_TEST(rights_for_caching_are_those_of_the_asker)
{
    struct guest g;
    struct paging_regs regs;
    struct paging_result r;

    guest_init(&g, MODE_LONG);
    guest_map(&g, LA & ~0xfffull, 0x5000, PAGE_SIZE, P | U | XD | G);
    regs = guest_regs(&g);
    regs.efer |= NXE;
    r = paging_walk(&g.pm, &regs, LA, ACCESS_READ, supervisor, true);
    ck_assert(r.ok && r.may_write && !r.may_fetch && !r.dirty && !r.global);
    r = paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, true);
    ck_assert(r.ok && !r.may_write);
    regs.cr4 |= PGE;
    regs.cr0 |= WP;
    r = paging_walk(&g.pm, &regs, LA, ACCESS_READ, supervisor, true);
    ck_assert(r.ok && !r.may_write && r.global);
    guest_destroy(&g);
}
END_TEST

/* --- where it leads --- */

START_TEST(every_shape_translates_to_its_frame)
{
    for (unsigned i = 0; i < array_len(shapes); i++) {
        const struct shape *s = &shapes[i];
        uint64_t frame = s->mode == MODE_32 ? 0xffc00000 : 0x2aaac0000000;
        struct guest g;

        guest_init(&g, s->mode);
        guest_map(&g, start_of(s), frame, s->size, PWU);

        struct paging_regs regs = guest_regs(&g);
        struct paging_result r =
            paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, false);

        ck_assert_msg(r.ok, "%s", s->name);
        ck_assert_uint_eq(r.pa, frame | (LA & (s->size - 1)));
        ck_assert_uint_eq(r.page_size, s->size);
        guest_destroy(&g);
    }
}
END_TEST

START_TEST(pse36_pages_lie_above_4g)
{
    struct guest g;
    struct paging_regs regs;
    struct paging_result r;

    guest_init(&g, MODE_32);
    guest_map(&g, start_of(&shapes[1]), 0x00c00000 | 0xa5 << 13, 4 * MIB, PWU);
    regs = guest_regs(&g);
    r = paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, false);
    ck_assert(r.ok);
    ck_assert_uint_eq(r.pa, 0xa500c00000 | (LA & (4 * MIB - 1)));
    guest_destroy(&g);
}
END_TEST

START_TEST(without_pse_bit_7_of_a_pde_means_nothing)
{
    struct guest g;
    paddr path[4];
    struct paging_regs regs;
    struct paging_result r;

    guest_init(&g, MODE_32);
    guest_map(&g, LA & ~0xfffu, 0x7000, PAGE_SIZE, PWU);
    guest_path(&g, LA, path);
    poke(&g, path[0], peek(&g, path[0], 4) | PS, 4);
    regs = guest_regs(&g);
    regs.cr4 = 0;
    r = paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, false);
    ck_assert(r.ok);
    ck_assert_uint_eq(r.pa, 0x7678);
    guest_destroy(&g);
}
END_TEST

START_TEST(without_paging_everything_is_itself)
{
    struct guest g;
    struct paging_regs regs = {.cr4 = SMEP | SMAP};

    guest_init(&g, MODE_32);
    for (unsigned i = 0; i < 3; i++) {
        struct paging_result r =
            paging_walk(&g.pm, &regs, LA, (enum access)i, user, true);

        ck_assert(r.ok && r.may_write && r.may_fetch && r.dirty && !r.global);
        ck_assert_uint_eq(r.pa, LA);
        ck_assert_uint_eq(r.page_size, PAGE_SIZE);
    }
    guest_destroy(&g);
}
END_TEST

START_TEST(tables_behind_a_masked_a20_are_those_a_mib_below)
{
    struct guest g;
    struct paging_regs regs;

    guest_init(&g, MODE_32);
    poke(&g, 2 * MIB + (LA >> 22) * 4, 0x3000 | PWU, 4);
    poke(&g, 0x3000 + (LA >> 12) % 1024 * 4, 0x7000 | PWU, 4);
    regs = guest_regs(&g);
    regs.cr3 = 3 * MIB;
    ck_assert(!paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, false).ok);
    physmem_set_a20(&g.pm, false);
    ck_assert(paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, false).ok);
    guest_destroy(&g);
}
END_TEST

/* --- not present, reserved --- */

START_TEST(an_absent_entry_is_not_a_protection_fault)
{
    for (unsigned i = 0; i < array_len(shapes); i++) {
        const struct shape *s = &shapes[i];
        struct guest g;
        paddr path[4];

        map_shape(&g, s);
        for (unsigned n = guest_path(&g, LA, path); n--;) {
            struct paging_regs regs;

            poke(&g, path[n], UINT64_MAX - P, entry_size(s->mode));
            regs = guest_regs(&g);
            regs.efer |= NXE;
            ck_assert_uint_eq(
                paging_walk(&g.pm, &regs, LA, ACCESS_WRITE, user, true).error,
                PF_W | PF_U);
        }
        guest_destroy(&g);
    }
}
END_TEST

/* Reserved bits of a present entry, read off the manual's figures with 46 bits
 * of physical address; as lists of ranges. */
static bool is_reserved(const struct shape *s, bool is_page, unsigned shift,
                        unsigned bit)
{
    if (s->mode == MODE_32)
        return is_page && shift == 22 && bit == 21;
    if (bit >= 46 && bit <= (s->mode == MODE_PAE ? 62u : 51u))
        return true;
    if (bit == 63)
        return true; /* without NXE */
    if (is_page && shift == 21)
        return bit >= 13 && bit <= 20;
    if (is_page && shift == 30)
        return bit >= 13 && bit <= 29;
    return shift == 39 && bit == 7;
}

/* Setting this bit changes what the entry is, not whether it is valid. */
static bool changes_meaning(unsigned shift, bool is_page, unsigned bit)
{
    return bit == 0 || (bit == 7 && (is_page || shift != 39) && shift != 12);
}

static void try_bits(struct guest *g, const struct shape *s, paddr at,
                     unsigned shift, bool is_page)
{
    unsigned width = entry_size(s->mode);
    uint64_t old = peek(g, at, width);
    struct paging_regs regs = guest_regs(g);

    for (unsigned bit = 0; bit < width * 8; bit++) {
        if (changes_meaning(shift, is_page, bit))
            continue;
        poke(g, at, old | (uint64_t)1 << bit, width);

        struct paging_result r =
            paging_walk(&g->pm, &regs, LA, ACCESS_READ, user, false);
        bool bad = r.error == (PF_P | PF_U | PF_RSVD);
        bool table_moved = !is_page && bit >= 12;

        if (is_reserved(s, is_page, shift, bit))
            ck_assert_msg(bad, "%s: bit %u of the %u entry", s->name, bit,
                          shift);
        else if (!table_moved)
            ck_assert_msg(r.ok, "%s: bit %u of the %u entry", s->name, bit,
                          shift);
    }
    poke(g, at, old, width);
}

START_TEST(reserved_bits_fault)
{
    for (unsigned i = 0; i < array_len(shapes); i++) {
        const struct shape *s = &shapes[i];
        const unsigned *shift = page_shifts(s->mode);
        struct guest g;
        paddr path[4];

        map_shape(&g, s);

        unsigned n = guest_path(&g, LA, path);

        for (unsigned k = s->mode == MODE_PAE; k < n; k++)
            try_bits(&g, s, path[k], shift[k], k + 1 == n);
        guest_destroy(&g);
    }
}
END_TEST

/* --- accessed and dirty --- */

START_TEST(a_walk_marks_what_it_used)
{
    for (unsigned i = 0; i < array_len(shapes) * 3; i++) {
        const struct shape *s = &shapes[i / 3];
        enum access access = (enum access)(i % 3);
        struct guest g;
        paddr path[4];

        map_shape(&g, s);

        const paddr *at = rights_path(&g, path);
        struct paging_regs regs = guest_regs(&g);
        struct paging_result r =
            paging_walk(&g.pm, &regs, LA, access, user, true);

        ck_assert_uint_eq(r.dirty, access == ACCESS_WRITE);
        for (unsigned k = 0; k < s->levels; k++) {
            bool last = k + 1 == s->levels;
            uint64_t marks = peek(&g, at[k], 4) & (A | D);

            ck_assert_uint_eq(marks, A | (last && r.dirty ? (unsigned)D : 0));
        }
        guest_destroy(&g);
    }
}
END_TEST

/* All of the guest's tables, to see whether something changed. */
static uint64_t sum_of_tables(struct guest *g)
{
    uint64_t sum = 0;

    for (paddr at = TABLES_AT; at < g->next; at += 8)
        sum = sum * 31 + peek(g, at, 8);
    return sum;
}

START_TEST(a_walk_that_faults_or_only_looks_marks_nothing)
{
    struct guest g;
    struct paging_regs regs;
    uint64_t before;

    guest_init(&g, MODE_LONG);
    guest_map(&g, LA & ~0xfffull, 0x5000, PAGE_SIZE, P | U);
    regs = guest_regs(&g);
    before = sum_of_tables(&g);
    ck_assert(!paging_walk(&g.pm, &regs, LA, ACCESS_WRITE, user, true).ok);
    ck_assert(
        !paging_walk(&g.pm, &regs, LA + 0x1000, ACCESS_READ, user, true).ok);
    ck_assert(paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, false).ok);
    ck_assert_uint_eq(sum_of_tables(&g), before);
    guest_destroy(&g);
}
END_TEST

START_TEST(marking_a_table_among_code_is_reported)
{
    struct guest g;
    struct paging_regs regs;
    paddr path[4];

    guest_init(&g, MODE_LONG);
    guest_map(&g, LA & ~0xfffull, 0x5000, PAGE_SIZE, PWU);
    guest_path(&g, LA, path);
    physmem_mark_code(&g.pm, RAM_END + (path[3] - TABLES_AT), 8);
    regs = guest_regs(&g);
    paging_walk(&g.pm, &regs, LA, ACCESS_WRITE, user, true);
    ck_assert_uint_eq(g.code_writes, 1);
    ck_assert_uint_eq(peek(&g, path[3], 8) & (A | D), A | D);
    guest_destroy(&g);
}
END_TEST

START_TEST(tables_in_rom_or_nowhere_are_walked_without_harm)
{
    struct guest g;
    struct paging_regs regs;

    guest_init(&g, MODE_32);
    regs = guest_regs(&g);
    store32(g.pm.ram.mem.rw + ROM_AT + (LA >> 22) * 4,
            (LA & 0xffc00000) | PWU | PS);
    regs.cr3 = ROM_AT;
    ck_assert(paging_walk(&g.pm, &regs, LA, ACCESS_WRITE, user, true).ok);
    ck_assert_uint_eq(peek(&g, ROM_AT + (LA >> 22) * 4, 4) & (A | D), 0);
    regs.cr3 = 0x70000000; /* nothing reads as ones: bit 21 is reserved */
    ck_assert_uint_eq(
        paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, true).error,
        PF_P | PF_U | PF_RSVD);
    regs.cr3 = WINDOW_AT;
    (void)paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, true);
    ck_assert_uint_gt(g.window_reads, 0);
    guest_destroy(&g);
}
END_TEST

/* Another CPU takes a page away and puts it back, as a locked exchange. */
enum { SWAPS = 200000, GONE = 0x123400 };

static void *swap_out_and_in(void *entry)
{
    uint64_t *e = entry;
    uintptr_t marked_while_gone = 0;

    for (unsigned i = 0; i < SWAPS; i++) {
        __atomic_exchange_n(e, (uint64_t)GONE, __ATOMIC_SEQ_CST);
        marked_while_gone += __atomic_exchange_n(e, (uint64_t)(0x5000 | PWU),
                                                 __ATOMIC_SEQ_CST) != GONE;
    }
    return (void *)marked_while_gone;
}

START_TEST(an_entry_changed_by_another_cpu_is_not_overwritten)
{
    struct guest g;
    struct paging_regs regs;
    paddr path[4];
    pthread_t other;
    void *marked_while_gone;

    guest_init(&g, MODE_LONG);
    guest_map(&g, LA & ~0xfffull, 0x5000, PAGE_SIZE, PWU);
    guest_path(&g, LA, path);
    regs = guest_regs(&g);
    ck_assert(
        !pthread_create(&other, NULL, swap_out_and_in,
                        g.pm.ram.mem.rw + RAM_END + (path[3] - TABLES_AT)));
    for (unsigned i = 0; i < SWAPS; i++)
        (void)paging_walk(&g.pm, &regs, LA, ACCESS_WRITE, user, true);
    pthread_join(other, &marked_while_gone);
    ck_assert_uint_eq((uintptr_t)marked_while_gone, 0);
    guest_destroy(&g);
}
END_TEST

/* --- PAE's registers --- */

START_TEST(pdptes_are_read_once)
{
    struct guest g;
    struct paging_regs regs;
    paddr path[4];

    guest_init(&g, MODE_PAE);
    guest_map(&g, LA & ~0xfffu, 0x5000, PAGE_SIZE, PWU);
    regs = guest_regs(&g);
    guest_path(&g, LA, path);
    poke(&g, path[0], 0, 8);
    ck_assert(paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, false).ok);
    ck_assert(paging_load_pdptes(&g.pm, &regs, regs.cr3));
    ck_assert_uint_eq(
        paging_walk(&g.pm, &regs, LA, ACCESS_READ, user, false).error, PF_U);
    guest_destroy(&g);
}
END_TEST

START_TEST(pdptes_with_reserved_bits_are_refused)
{
    static const uint64_t reserved = 0xffffc00000000000 | 0x1e0 |
                                     6; /* 63:46, 8:5, 2:1 */
    struct guest g;

    guest_init(&g, MODE_PAE);
    for (unsigned bit = 1; bit < 64; bit++) {
        struct paging_regs regs = {.pdpte = {1, 2, 3, 4}};
        bool bad = reserved >> bit & 1;

        poke(&g, g.root + 24, (uint64_t)1 << bit, 8); /* not present */
        ck_assert(paging_load_pdptes(&g.pm, &regs, g.root));
        poke(&g, g.root + 24, (uint64_t)1 << bit | P, 8);
        regs.pdpte[3] = 4;
        ck_assert_uint_eq(paging_load_pdptes(&g.pm, &regs, g.root), !bad);
        if (bad)
            ck_assert_uint_eq(regs.pdpte[3], 4);
    }
    guest_destroy(&g);
}
END_TEST

START_TEST(pdptes_may_begin_at_any_multiple_of_32)
{
    struct guest g;
    struct paging_regs regs = {0};

    guest_init(&g, MODE_PAE);
    poke(&g, 0x1fe0 + 8, 0x4000 | P, 8);
    ck_assert(paging_load_pdptes(&g.pm, &regs, 0x1fe0 | 0x18)); /* PWT, PCD */
    ck_assert_uint_eq(regs.pdpte[1], 0x4000 | P);
    guest_destroy(&g);
}
END_TEST

SUITE("paging", rights_follow_the_manual,
      rights_for_caching_are_those_of_the_asker,
      every_shape_translates_to_its_frame, pse36_pages_lie_above_4g,
      without_pse_bit_7_of_a_pde_means_nothing,
      without_paging_everything_is_itself,
      tables_behind_a_masked_a20_are_those_a_mib_below,
      an_absent_entry_is_not_a_protection_fault, reserved_bits_fault,
      a_walk_marks_what_it_used, a_walk_that_faults_or_only_looks_marks_nothing,
      marking_a_table_among_code_is_reported,
      tables_in_rom_or_nowhere_are_walked_without_harm,
      an_entry_changed_by_another_cpu_is_not_overwritten, pdptes_are_read_once,
      pdptes_with_reserved_bits_are_refused,
      pdptes_may_begin_at_any_multiple_of_32)
