#include "mem/tlb.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "mem/tlb_private.h"

/*
 * Records.  There is one for read and write entries together, one for fetch and
 * one for `jump`.  Each has, per 64 entries, a word that tells which are in use,
 * and which of these may be local (not global) or part of a large page; `words`
 * has a bit for each word in use.  So flushing walks set bits, and filling an
 * entry twice records it once.  "May be", because the other entry of that index
 * or an earlier one may have been; a bit too many costs a refill.
 *
 * INVLPG and large pages.  The parts of a large page are scattered over its
 * own stretch of each table (512 entries for 2 MiB).  Dropping them is looking
 * at the large bits of that stretch: 8 words.  For this one must know how
 * large a page to expect around an address, also when TLB_LARGE_PAGES has
 * forgotten it: large_bits is the size of pages other than 1 GiB (all alike in
 * a paging mode), and a filter of 64 bits says whether a 1 GiB page may have
 * been used there.  A false alarm costs time and some entries.
 *
 * Jumps.  `jump` may hold code for any page that was fetched since it was last
 * emptied.  Most of these still have their fetch entry, and dropping that
 * entry empties `jump`.  An entry that was replaced by another page's leaves a
 * bit in `lost`: dropping a page with that index empties `jump` as well.  (If it
 * was local, its bit in the record stays until then.)
 */

enum table { TABLE_DATA, TABLE_FETCH, TABLE_JUMP, TABLES };

struct tlb_word {
    uint64_t used, local, large;
};

enum { WORD_BITS = 64, MAX_WORDS = TLB_ENTRIES / WORD_BITS };

_Static_assert(MAX_WORDS <= 64, "words has a bit for each word");
_Static_assert(TLB_JUMP_ENTRIES <= TLB_ENTRIES, "records are large enough");
_Static_assert(TLB_L0_SLOTS <= 32, "a mask of slots has 32 bits");
_Static_assert(TLB_LARGE_PAGES <= 64, "a mask of large pages has 64 bits");

struct tlb_record {
    uint64_t words;
    struct tlb_word word[MAX_WORDS];
};

enum { BITS_2M = 21, BITS_1G = 30 };

struct tlb_used {
    struct tlb_record record[TABLES];
    uint32_t l0_read, l0_write; /* slots in use */
    uint64_t lost[TLB_FETCH_ENTRIES / WORD_BITS];
    bool lost_large;
    bool any_large; /* since the last flush of all */
    uint8_t large_bits;
    uint64_t filter_1g;
    laddr global_first, global_last; /* all global pages lie in between */
    uint64_t large_used;
    struct tlb_page large[TLB_LARGE_PAGES];
};

static unsigned take_bit(uint64_t *bits)
{
    unsigned i = bits_low(*bits);

    *bits &= *bits - 1;
    return i;
}

static uint64_t bit(unsigned i)
{
    return (uint64_t)1 << (i % 64);
}

/* Two addresses in one naturally aligned region.  A link has 48 bits of the
 * linear address, as many as count. */
static bool same_region(laddr a, laddr b, unsigned region_bits)
{
    return (a ^ b) << 16 >> (16 + region_bits) == 0;
}

static laddr fetch_page(const struct tlb_fetch *f)
{
    return f->link >> 28 << PAGE_BITS;
}

/* --- records --- */

static void note_global(struct tlb_used *u, const struct tlb_page *page)
{
    laddr last = page->start + (page->size - 1);

    if (u->global_first > page->start)
        u->global_first = page->start;
    if (u->global_last < last)
        u->global_last = last;
}

static void record_entry(struct tlb_bank *b, enum table table, unsigned i,
                         const struct tlb_page *from)
{
    struct tlb_record *r = &b->used->record[table];
    struct tlb_word *w = &r->word[i / WORD_BITS];

    r->words |= bit(i / WORD_BITS);
    w->used |= bit(i);
    if (from->global)
        note_global(b->used, from);
    else
        w->local |= bit(i);
    if (from->size > PAGE_SIZE)
        w->large |= bit(i);
}

static bool is_recorded(const struct tlb_bank *b, enum table table, unsigned i)
{
    return b->used->record[table].word[i / WORD_BITS].used & bit(i);
}

static void empty_entry(struct tlb_bank *b, enum table table, unsigned i)
{
    switch (table) {
    case TABLE_DATA:
        b->read[i].tag = tlb_never(i);
        b->write[i].tag = tlb_never(i);
        return;
    case TABLE_FETCH:
        b->fetch[i] = (struct tlb_fetch){.link = TLB_NO_LINK};
        return;
    default: b->jump[i] = (struct tlb_jump){.la = tlb_no_jump(i)}; return;
    }
}

/* Empties the entries of word n that `which` names. */
static void drop_bits(struct tlb_bank *b, enum table table, unsigned n,
                      uint64_t which)
{
    struct tlb_record *r = &b->used->record[table];
    struct tlb_word *w = &r->word[n];

    w->used &= ~which;
    w->local &= ~which;
    w->large &= ~which;
    if (!w->used)
        r->words &= ~bit(n);
    while (which)
        empty_entry(b, table, n * WORD_BITS + take_bit(&which));
}

static void drop_entry(struct tlb_bank *b, enum table table, unsigned i)
{
    if (is_recorded(b, table, i))
        drop_bits(b, table, i / WORD_BITS, bit(i));
}

static void drop_all(struct tlb_bank *b, enum table table)
{
    const struct tlb_record *r = &b->used->record[table];

    for (uint64_t words = r->words; words;) {
        unsigned n = take_bit(&words);

        drop_bits(b, table, n, r->word[n].used);
    }
}

/* True if there was anything to drop. */
static bool drop_local(struct tlb_bank *b, enum table table)
{
    const struct tlb_record *r = &b->used->record[table];
    bool dropped = false;

    for (uint64_t words = r->words; words;) {
        unsigned n = take_bit(&words);
        uint64_t which = r->word[n].local;

        if (which) {
            drop_bits(b, table, n, which);
            dropped = true;
        }
    }
    return dropped;
}

/* --- filling --- */

void tlb_note(struct tlb_bank *b, laddr la, const struct tlb_page *from)
{
    record_entry(b, TABLE_DATA, tlb_index(la), from);
}

/* Whoever is replaced may have left code in `jump`. */
static void note_lost(struct tlb_bank *b, unsigned i, laddr la)
{
    struct tlb_used *u = b->used;
    const struct tlb_word *w = &u->record[TABLE_FETCH].word[i / WORD_BITS];

    if (!(w->used & bit(i)) ||
        same_region(fetch_page(&b->fetch[i]), la, PAGE_BITS))
        return;
    u->lost[i / WORD_BITS] |= bit(i);
    if (w->large & bit(i))
        u->lost_large = true;
}

void tlb_set_fetch(struct tlb_bank *b, laddr la, uint64_t ram_at,
                   const struct tlb_page *from)
{
    unsigned i = tlb_fetch_index(la);

    note_lost(b, i, la);
    record_entry(b, TABLE_FETCH, i, from);
    b->fetch[i] = (struct tlb_fetch){tlb_link(la, ram_at), ram_at};
}

void tlb_jump_set(struct tlb_bank *b, laddr la, const void *code)
{
    unsigned i = tlb_jump_index(la);
    struct tlb_record *r = &b->used->record[TABLE_JUMP];

    r->words |= bit(i / WORD_BITS);
    r->word[i / WORD_BITS].used |= bit(i);
    b->jump[i] = (struct tlb_jump){la, code};
}

void tlb_set_l0_read(struct tlb_bank *b, unsigned slot, struct tlb_l0 run)
{
    assert(slot < TLB_L0_SLOTS);
    b->used->l0_read |= (uint32_t)1 << slot;
    b->l0_read[slot] = run;
}

void tlb_set_l0_write(struct tlb_bank *b, unsigned slot, struct tlb_l0 run)
{
    assert(slot < TLB_L0_SLOTS);
    b->used->l0_write |= (uint32_t)1 << slot;
    b->l0_write[slot] = run;
}

static unsigned large_index(laddr la)
{
    return (unsigned)(la >> BITS_2M) % TLB_LARGE_PAGES;
}

/* One of 64 bits for the GiB of la, spread so that the usual bases of a
 * kernel's regions, which end in many zeros, differ. */
static uint64_t filter_bit(laddr la)
{
    return bit((unsigned)((la >> BITS_1G) * 0x9e3779b97f4a7c15 >> 58));
}

/* A page that spans several stretches of 2 MiB is entered once for each that
 * is used. */
void tlb_add_large(struct tlb_bank *b, laddr la, const struct tlb_page *page)
{
    struct tlb_used *u = b->used;
    unsigned i = large_index(la);
    unsigned page_bits = bits_high(page->size);

    u->large[i] = *page;
    u->large_used |= bit(i);
    u->any_large = true;
    if (page_bits >= BITS_1G)
        u->filter_1g |= filter_bit(la);
    else
        u->large_bits = (uint8_t)page_bits;
    if (page->global)
        note_global(u, page);
}

const struct tlb_page *tlb_find_large(const struct tlb_bank *b, laddr la)
{
    const struct tlb_used *u = b->used;
    unsigned i = large_index(la);
    const struct tlb_page *page = &u->large[i];

    if (!(u->large_used & bit(i)) || la - page->start >= page->size)
        return NULL;
    return page;
}

/* --- emptying --- */

static void clear_l0(struct tlb_bank *b)
{
    struct tlb_used *u = b->used;

    for (uint64_t slots = u->l0_read; slots;)
        b->l0_read[take_bit(&slots)].limit = 0;
    for (uint64_t slots = u->l0_write; slots;)
        b->l0_write[take_bit(&slots)].limit = 0;
    u->l0_read = u->l0_write = 0;
}

void tlb_flush_jumps(struct tlb_bank *b)
{
    struct tlb_used *u = b->used;

    drop_all(b, TABLE_JUMP);
    memset(u->lost, 0, sizeof(u->lost));
    u->lost_large = false;
}

void tlb_flush(struct tlb_bank *b)
{
    struct tlb_used *u = b->used;

    drop_all(b, TABLE_DATA);
    drop_all(b, TABLE_FETCH);
    tlb_flush_jumps(b);
    clear_l0(b);
    u->any_large = false;
    u->large_used = 0;
    u->filter_1g = 0;
    u->global_first = UINT64_MAX;
    u->global_last = 0;
}

static void drop_local_large(struct tlb_used *u)
{
    for (uint64_t left = u->large_used; left;) {
        unsigned i = take_bit(&left);

        if (!u->large[i].global)
            u->large_used &= ~bit(i);
    }
}

void tlb_flush_local(struct tlb_bank *b)
{
    drop_local(b, TABLE_DATA);
    if (drop_local(b, TABLE_FETCH))
        tlb_flush_jumps(b);
    drop_local_large(b->used);
    clear_l0(b);
}

/* Tags that tell of care differ from their page only inside a region. */
static bool is_in_region(const struct tlb_bank *b, enum table table, unsigned i,
                         laddr la, unsigned region_bits)
{
    if (table == TABLE_FETCH)
        return same_region(fetch_page(&b->fetch[i]), la, region_bits);
    return same_region(b->read[i].tag, la, region_bits) ||
           same_region(b->write[i].tag, la, region_bits);
}

/* Of word n, the entries that are part of a large page in the region of la. */
static uint64_t parts_in(const struct tlb_bank *b, enum table table, unsigned n,
                         laddr la, unsigned region_bits)
{
    const struct tlb_word *w = &b->used->record[table].word[n];
    uint64_t parts = 0;

    for (uint64_t left = w->used & w->large; left;) {
        unsigned i = n * WORD_BITS + take_bit(&left);

        if (is_in_region(b, table, i, la, region_bits))
            parts |= bit(i);
    }
    return parts;
}

/* Drops the parts of large pages in a region.  True if there was one. */
static bool drop_parts(struct tlb_bank *b, enum table table, laddr la,
                       unsigned region_bits)
{
    uint64_t entries = table == TABLE_FETCH ? TLB_FETCH_ENTRIES : TLB_ENTRIES;
    uint64_t pages = (uint64_t)1 << (region_bits - PAGE_BITS);
    uint64_t count = pages < entries ? pages : entries;
    uint64_t first = bits_align_down(la >> PAGE_BITS, count) & (entries - 1);
    unsigned word = (unsigned)(first / WORD_BITS);
    bool dropped = false;

    for (unsigned n = word; n < word + count / WORD_BITS; n++) {
        uint64_t parts = parts_in(b, table, n, la, region_bits);

        if (parts) {
            drop_bits(b, table, n, parts);
            dropped = true;
        }
    }
    return dropped;
}

/* If la may be in a large page, drops all of it.  True if `jump` may hold code
 * from there. */
static bool drop_large(struct tlb_bank *b, laddr la)
{
    struct tlb_used *u = b->used;
    unsigned region_bits = u->filter_1g & filter_bit(la) ? BITS_1G
                                                         : u->large_bits;

    if (!u->any_large || !region_bits)
        return false;
    for (uint64_t left = u->large_used; left;) {
        unsigned i = take_bit(&left);

        if (la - u->large[i].start < u->large[i].size)
            u->large_used &= ~bit(i);
    }
    drop_parts(b, TABLE_DATA, la, region_bits);
    return drop_parts(b, TABLE_FETCH, la, region_bits) || u->lost_large;
}

/* True if `jump` may hold code from the page of la. */
static bool drop_fetch(struct tlb_bank *b, laddr la)
{
    unsigned i = tlb_fetch_index(la);

    if (is_recorded(b, TABLE_FETCH, i) &&
        same_region(fetch_page(&b->fetch[i]), la, PAGE_BITS)) {
        drop_entry(b, TABLE_FETCH, i);
        return true;
    }
    return b->used->lost[i / WORD_BITS] & bit(i);
}

void tlb_drop(struct tlb_bank *b, laddr la)
{
    drop_entry(b, TABLE_DATA, tlb_index(la));

    bool code = drop_fetch(b, la);

    if (drop_large(b, la) || code)
        tlb_flush_jumps(b);
    clear_l0(b);
}

void tlb_drop_global(struct tlb_bank *b, laddr la)
{
    const struct tlb_used *u = b->used;

    if (la >= u->global_first && la <= u->global_last)
        tlb_drop(b, la);
}

static void protect_entry(struct tlb_bank *b, unsigned i, const uint8_t *host)
{
    struct tlb_entry *e = &b->write[i];

    if (tlb_index(e->tag) == i && e->tag + e->addend == (uintptr_t)host)
        e->tag ^= TLB_CARE;
}

static void protect_entries(struct tlb_bank *b, const uint8_t *host)
{
    const struct tlb_record *r = &b->used->record[TABLE_DATA];

    for (uint64_t words = r->words; words;) {
        unsigned n = take_bit(&words);

        for (uint64_t left = r->word[n].used; left;)
            protect_entry(b, n * WORD_BITS + take_bit(&left), host);
    }
}

void tlb_protect(struct tlb_bank *b, const uint8_t *host, unsigned where)
{
    struct tlb_used *u = b->used;

    if (where == TLB_SEVERAL)
        protect_entries(b, host);
    else if (where)
        protect_entry(b, where - 1, host);
    for (uint64_t left = u->l0_write; left;) {
        unsigned slot = take_bit(&left);
        struct tlb_l0 *l0 = &b->l0_write[slot];
        uint64_t at = (uintptr_t)host - (l0->start + l0->addend);

        if (at < l0->limit) { /* both are whole pages, less the margin */
            l0->limit = 0;
            u->l0_write &= ~((uint32_t)1 << slot);
        }
    }
}

/* --- making --- */

void tlb_bank_init(struct tlb_bank *b)
{
    b->used = xnew(struct tlb_used);
    b->used->global_first = UINT64_MAX;
    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        empty_entry(b, TABLE_DATA, i);
    }
    for (unsigned i = 0; i < TLB_FETCH_ENTRIES; i++)
        empty_entry(b, TABLE_FETCH, i);
    for (unsigned i = 0; i < TLB_JUMP_ENTRIES; i++)
        empty_entry(b, TABLE_JUMP, i);
}

void tlb_bank_destroy(struct tlb_bank *b)
{
    free(b->used);
    b->used = NULL;
}
