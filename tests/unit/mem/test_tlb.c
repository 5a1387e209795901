/* A bank: what hits, and what each way of emptying takes away. */
#include "mem/tlb.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "mem/tlb_private.h"
#include "tests/unit/suite.h"

enum { MIB = 1 << 20, ADDEND = 0x7000 };

#define KERNEL 0xffff888000000000ull

static struct tlb_bank *new_bank(void)
{
    struct tlb_bank *b = xnew(struct tlb_bank);

    tlb_bank_init(b);
    return b;
}

static void free_bank(struct tlb_bank *b)
{
    tlb_bank_destroy(b);
    free(b);
}

static struct tlb_page page(laddr start, uint64_t size, bool global)
{
    return (struct tlb_page){
        .start = start, .size = size, .rights = 7, .global = global};
}

/* As the MMU fills the read and write entries of la. */
static void fill(struct tlb_bank *b, laddr la, struct tlb_page from)
{
    struct tlb_entry e = {la & ~0xfffull, ADDEND};

    tlb_note(b, la, &from);
    if (from.size > PAGE_SIZE)
        tlb_add_large(b, la, &from);
    b->read[tlb_index(la)] = b->write[tlb_index(la)] = e;
}

static void fill_small(struct tlb_bank *b, laddr la, bool global)
{
    fill(b, la, page(la & ~0xfffull, PAGE_SIZE, global));
}

static void fetch(struct tlb_bank *b, laddr la, bool global)
{
    struct tlb_page from = page(la & ~0xfffull, PAGE_SIZE, global);

    tlb_set_fetch(b, la, 0x5000, &from);
}

static bool hits(const struct tlb_entry *table, laddr la, unsigned size)
{
    return la - table[tlb_index(la)].tag <= PAGE_SIZE - size;
}

static bool reads(const struct tlb_bank *b, laddr la)
{
    return hits(b->read, la, 1);
}

static bool writes(const struct tlb_bank *b, laddr la)
{
    return hits(b->write, la, 1);
}

static bool fetches(const struct tlb_bank *b, laddr la)
{
    return b->fetch[tlb_fetch_index(la)].link == tlb_link(la, 0x5000);
}

static bool jumps(const struct tlb_bank *b, laddr la)
{
    return b->jump[tlb_jump_index(la)].la == la;
}

static bool l0_reads(const struct tlb_bank *b, unsigned slot, laddr la)
{
    return la - b->l0_read[slot].start < b->l0_read[slot].limit;
}

static const char code;

/* --- what hits --- */

START_TEST(an_entry_hits_inside_its_page_only)
{
    struct tlb_bank *b = new_bank();

    fill_small(b, KERNEL, false);
    for (unsigned size = 1; size <= 8; size *= 2) {
        ck_assert(hits(b->read, KERNEL, size));
        ck_assert(hits(b->read, KERNEL + PAGE_SIZE - size, size));
        if (size > 1)
            ck_assert(!hits(b->read, KERNEL + PAGE_SIZE - size + 1, size));
        ck_assert(!hits(b->read, KERNEL - 1, size));
        ck_assert(!hits(b->read, KERNEL + PAGE_SIZE, size));
        ck_assert(!hits(b->read, KERNEL + 16 * MIB, size));
    }
    free_bank(b);
}
END_TEST

/* Generated code does not check for canonical addresses before it compares. */
START_TEST(nothing_at_all_hits_an_empty_bank)
{
    static const laddr high[] = {0, (laddr)1 << 62, (laddr)1 << 63,
                                 UINT64_MAX << 47, UINT64_MAX << 24};
    struct tlb_bank *b = new_bank();

    for (unsigned k = 0; k < sizeof(high) / sizeof(high[0]); k++)
        for (unsigned i = 0; i < TLB_ENTRIES; i++) {
            laddr la = high[k] + (laddr)i * PAGE_SIZE;

            ck_assert(!reads(b, la) && !writes(b, la));
            ck_assert(!jumps(b, high[k] + i));
            ck_assert_uint_ne(b->fetch[tlb_fetch_index(la)].link,
                              tlb_link(la, 0));
            ck_assert(!l0_reads(b, i % TLB_L0_SLOTS, la));
        }
    free_bank(b);
}
END_TEST

START_TEST(tags_of_care_hit_nothing_and_are_told_apart)
{
    struct tlb_bank *b = new_bank();

    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        laddr la = KERNEL + (laddr)i * PAGE_SIZE;

        for (unsigned kind = TLB_CARE; kind <= TLB_IO; kind += TLB_CARE) {
            b->read[i].tag = la ^ kind;
            ck_assert(!reads(b, la) && !reads(b, la + PAGE_SIZE - 1));
            ck_assert_uint_ne(tlb_never(i) ^ (la ^ (laddr)1 << 63), kind);
            ck_assert_uint_ne(
                tlb_never(i) ^ ((laddr)1 << 63 | (laddr)i << PAGE_BITS), kind);
        }
    }
    free_bank(b);
}
END_TEST

START_TEST(an_l0_run_covers_16_bytes_up_to_its_end)
{
    struct tlb_bank *b = new_bank();

    tlb_set_l0_read(b, 5,
                    (struct tlb_l0){KERNEL, 2 * MIB - TLB_L0_MARGIN, ADDEND});
    ck_assert(l0_reads(b, 5, KERNEL));
    ck_assert(l0_reads(b, 5, KERNEL + 2 * MIB - 16));
    ck_assert(!l0_reads(b, 5, KERNEL + 2 * MIB - 15));
    ck_assert(!l0_reads(b, 5, KERNEL - 1));
    ck_assert(!l0_reads(b, 4, KERNEL));
    free_bank(b);
}
END_TEST

/* --- flushing --- */

START_TEST(a_flush_takes_everything)
{
    struct tlb_bank *b = new_bank();

    for (unsigned i = 0; i < 3 * TLB_ENTRIES; i += 7) {
        fill_small(b, KERNEL + (laddr)i * PAGE_SIZE, i % 2);
        fetch(b, KERNEL + (laddr)i * PAGE_SIZE, i % 2);
        tlb_jump_set(b, KERNEL + (laddr)i * 33, &code);
    }
    fill(b, 6 * MIB, page(6 * MIB, 2 * MIB, true));
    tlb_set_l0_read(b, 1, (struct tlb_l0){KERNEL, 100, 0});
    tlb_flush(b);
    for (unsigned i = 0; i < 3 * TLB_ENTRIES; i++) {
        laddr la = KERNEL + (laddr)i * PAGE_SIZE;

        ck_assert(!reads(b, la) && !writes(b, la) && !fetches(b, la));
        ck_assert(!jumps(b, KERNEL + (laddr)i * 33));
    }
    ck_assert_ptr_null(tlb_find_large(b, 6 * MIB));
    ck_assert(!l0_reads(b, 1, KERNEL));
    free_bank(b);
}
END_TEST

START_TEST(a_local_flush_leaves_global_pages)
{
    struct tlb_bank *b = new_bank();

    fill_small(b, KERNEL, true);
    fill_small(b, 0x400000, false);
    fetch(b, KERNEL, true);
    fetch(b, 0x401000, false);
    fill(b, 6 * MIB, page(6 * MIB, 2 * MIB, false));
    fill(b, KERNEL + 8 * MIB, page(KERNEL + 8 * MIB, 2 * MIB, true));
    tlb_set_l0_read(b, 1, (struct tlb_l0){KERNEL, 100, 0});
    tlb_flush_local(b);
    ck_assert(reads(b, KERNEL) && fetches(b, KERNEL));
    ck_assert_ptr_nonnull(tlb_find_large(b, KERNEL + 9 * MIB));
    ck_assert(!reads(b, 0x400000) && !fetches(b, 0x401000));
    ck_assert_ptr_null(tlb_find_large(b, 6 * MIB));
    ck_assert(!l0_reads(b, 1, KERNEL));
    free_bank(b);
}
END_TEST

START_TEST(an_index_used_by_a_local_page_first_stays_flushable)
{
    struct tlb_bank *b = new_bank();

    fill_small(b, KERNEL, true);
    fill_small(b, KERNEL + 16 * MIB, false); /* same index */
    tlb_flush_local(b);
    ck_assert(!reads(b, KERNEL + 16 * MIB));
    fill_small(b, KERNEL, true);
    tlb_flush_local(b);
    ck_assert(reads(b, KERNEL));
    free_bank(b);
}
END_TEST

/* --- INVLPG --- */

START_TEST(dropping_a_small_page_leaves_its_neighbours)
{
    struct tlb_bank *b = new_bank();

    for (unsigned i = 0; i < 3; i++) {
        fill_small(b, KERNEL + i * PAGE_SIZE, false);
        fetch(b, KERNEL + i * PAGE_SIZE, false);
    }
    tlb_set_l0_read(b, 1, (struct tlb_l0){KERNEL, 100, 0});
    tlb_drop(b, KERNEL + PAGE_SIZE + 0x123);
    for (unsigned i = 0; i < 3; i++) {
        laddr la = KERNEL + i * PAGE_SIZE;

        ck_assert(reads(b, la) == (i != 1) && writes(b, la) == (i != 1) &&
                  fetches(b, la) == (i != 1));
    }
    ck_assert(!l0_reads(b, 1, KERNEL));
    free_bank(b);
}
END_TEST

/* By the time it is dropped, tlb_find_large has forgotten the page. */
static void check_large(uint64_t size)
{
    struct tlb_bank *b = new_bank();
    struct tlb_page large = page(KERNEL + size, size, false);
    laddr last = large.start + size - PAGE_SIZE;
    laddr behind = large.start + size + 5 * PAGE_SIZE;
    laddr before = large.start - 7 * PAGE_SIZE;

    fill(b, large.start, large);
    fill(b, last, large);
    b->write[tlb_index(last)].tag ^= TLB_CARE;
    tlb_set_fetch(b, large.start + PAGE_SIZE, 0x5000, &large);
    fill_small(b, behind, false);
    fill_small(b, before, false);
    for (unsigned i = 0; i < TLB_LARGE_PAGES; i++) {
        struct tlb_page other = page((laddr)i * size, size, false);

        tlb_add_large(b, other.start, &other);
    }
    tlb_drop(b, large.start + size / 2);
    ck_assert(!reads(b, large.start) && !writes(b, large.start));
    ck_assert(!reads(b, last));
    ck_assert_uint_eq(b->write[tlb_index(last)].tag,
                      tlb_never(tlb_index(last)));
    ck_assert(!fetches(b, large.start + PAGE_SIZE));
    ck_assert_ptr_null(tlb_find_large(b, last));
    ck_assert(reads(b, behind) && reads(b, before));
    free_bank(b);
}

START_TEST(dropping_a_large_page_takes_all_its_parts)
{
    check_large(2 * MIB);
    check_large(4 * MIB);
    check_large(1024ull * MIB);
}
END_TEST

START_TEST(dropping_a_small_page_leaves_large_ones)
{
    struct tlb_bank *b = new_bank();

    fill(b, KERNEL, page(KERNEL, 1024ull * MIB, false));
    fill(b, 6 * MIB, page(6 * MIB, 2 * MIB, false));
    fill_small(b, 4 * MIB, false);
    tlb_drop(b, 4 * MIB);
    tlb_drop(b, KERNEL - PAGE_SIZE);
    ck_assert(reads(b, KERNEL) && reads(b, 6 * MIB) && !reads(b, 4 * MIB));
    ck_assert_ptr_nonnull(tlb_find_large(b, KERNEL + 5));
    ck_assert_ptr_nonnull(tlb_find_large(b, 7 * MIB));
    free_bank(b);
}
END_TEST

START_TEST(another_context_drops_only_what_may_be_global)
{
    struct tlb_bank *b = new_bank();

    fill_small(b, 0x400000, false);
    fill(b, KERNEL, page(KERNEL, 2 * MIB, true));
    tlb_drop_global(b, 0x400000);
    ck_assert(reads(b, 0x400000));
    tlb_drop_global(b, KERNEL + 2 * MIB - 1);
    ck_assert(!reads(b, KERNEL));
    free_bank(b);
}
END_TEST

/* --- jumps --- */

START_TEST(dropping_a_fetched_page_empties_jump)
{
    struct tlb_bank *b = new_bank();

    fetch(b, KERNEL, false);
    fetch(b, KERNEL + PAGE_SIZE, false);
    tlb_jump_set(b, KERNEL + 5, &code);
    tlb_drop(b, KERNEL + 2 * PAGE_SIZE); /* data */
    ck_assert(jumps(b, KERNEL + 5));
    tlb_drop(b, KERNEL);
    ck_assert(!jumps(b, KERNEL + 5));
    free_bank(b);
}
END_TEST

START_TEST(jump_outlives_a_replaced_fetch_entry_but_not_its_page)
{
    struct tlb_bank *b = new_bank();
    laddr other = KERNEL + (laddr)TLB_FETCH_ENTRIES * PAGE_SIZE;

    fetch(b, KERNEL, false);
    tlb_jump_set(b, KERNEL + 5, &code);
    fetch(b, other, false);
    ck_assert(!fetches(b, KERNEL) && jumps(b, KERNEL + 5));
    tlb_drop(b, KERNEL + PAGE_SIZE);
    ck_assert(jumps(b, KERNEL + 5));
    tlb_drop(b, KERNEL);
    ck_assert(!jumps(b, KERNEL + 5));
    free_bank(b);
}
END_TEST

START_TEST(jump_goes_with_a_replaced_part_of_a_large_page)
{
    struct tlb_bank *b = new_bank();
    struct tlb_page large = page(KERNEL, 2 * MIB, false);

    tlb_add_large(b, KERNEL, &large);
    tlb_set_fetch(b, KERNEL + PAGE_SIZE, 0x5000, &large);
    tlb_jump_set(b, KERNEL + PAGE_SIZE + 5, &code);
    fetch(b, KERNEL + 2 * MIB + PAGE_SIZE, false);
    tlb_drop(b, KERNEL + MIB);
    ck_assert(!jumps(b, KERNEL + PAGE_SIZE + 5));
    free_bank(b);
}
END_TEST

START_TEST(a_local_flush_empties_jump_if_a_local_page_was_fetched)
{
    struct tlb_bank *b = new_bank();
    laddr other = KERNEL + (laddr)TLB_FETCH_ENTRIES * PAGE_SIZE;

    fetch(b, KERNEL, true);
    tlb_jump_set(b, KERNEL + 5, &code);
    tlb_flush_local(b);
    ck_assert(jumps(b, KERNEL + 5));
    fetch(b, 0x400000 + PAGE_SIZE, false);
    tlb_jump_set(b, 0x400000 + PAGE_SIZE + 9, &code);
    tlb_flush_local(b);
    ck_assert(!jumps(b, 0x400000 + PAGE_SIZE + 9));
    fetch(b, KERNEL, false); /* local, and then replaced by a global one */
    tlb_jump_set(b, KERNEL + 5, &code);
    fetch(b, other, true);
    tlb_flush_local(b);
    ck_assert(!jumps(b, KERNEL + 5));
    free_bank(b);
}
END_TEST

START_TEST(jumps_can_be_emptied_alone)
{
    struct tlb_bank *b = new_bank();

    fetch(b, KERNEL, false);
    for (unsigned i = 0; i < 2 * TLB_JUMP_ENTRIES; i += 3)
        tlb_jump_set(b, KERNEL + i, &code);
    tlb_flush_jumps(b);
    for (unsigned i = 0; i < 2 * TLB_JUMP_ENTRIES; i++)
        ck_assert(!jumps(b, KERNEL + i));
    ck_assert(fetches(b, KERNEL));
    free_bank(b);
}
END_TEST

/* --- code pages --- */

START_TEST(protecting_takes_plain_writes_of_one_host_page)
{
    struct tlb_bank *b = new_bank();
    const uint8_t *host = (const uint8_t *)(uintptr_t)(0x400000 + ADDEND);

    fill_small(b, 0x400000, false);
    fill_small(b, 0x401000, false);
    tlb_protect(b, host, TLB_SEVERAL);
    ck_assert(reads(b, 0x400000) && !writes(b, 0x400000));
    ck_assert_uint_eq(b->write[tlb_index(0x400000)].tag, 0x400000 ^ TLB_CARE);
    ck_assert(writes(b, 0x401000));
    tlb_protect(b, host, TLB_SEVERAL); /* again: the entry is one of care already */
    ck_assert_uint_eq(b->write[tlb_index(0x400000)].tag, 0x400000 ^ TLB_CARE);
    free_bank(b);
}
END_TEST

START_TEST(protecting_by_index_takes_the_entry_only_if_it_is_of_that_page)
{
    struct tlb_bank *b = new_bank();
    const uint8_t *host = (const uint8_t *)(uintptr_t)(0x400000 + ADDEND);

    fill_small(b, 0x400000, false);
    fill_small(b, 0x401000, false);
    tlb_protect(b, host, 0);
    tlb_protect(b, host, tlb_index(0x401000) + 1);
    tlb_protect(b, host, tlb_index(0x402000) + 1);
    ck_assert(writes(b, 0x400000) && writes(b, 0x401000));
    tlb_protect(b, host, tlb_index(0x400000) + 1);
    ck_assert(!writes(b, 0x400000) && writes(b, 0x401000));
    free_bank(b);
}
END_TEST

START_TEST(protecting_ends_write_runs_over_the_page)
{
    const uint64_t limit = 4 * PAGE_SIZE - TLB_L0_MARGIN;
    struct tlb_bank *b = new_bank();

    for (unsigned k = 0; k < 6; k++) {
        laddr at = 0x3ff000 + k * PAGE_SIZE + ADDEND;
        bool inside = k >= 1 && k <= 4;

        tlb_set_l0_write(b, 2, (struct tlb_l0){0x400000, limit, ADDEND});
        tlb_set_l0_read(b, 2, (struct tlb_l0){0x400000, limit, ADDEND});
        tlb_protect(b, (const uint8_t *)(uintptr_t)at, 0);
        ck_assert_uint_eq(b->l0_write[2].limit, inside ? 0 : limit);
        ck_assert_uint_eq(b->l0_read[2].limit, limit);
    }
    free_bank(b);
}
END_TEST

SUITE("tlb", an_entry_hits_inside_its_page_only,
      nothing_at_all_hits_an_empty_bank,
      tags_of_care_hit_nothing_and_are_told_apart,
      an_l0_run_covers_16_bytes_up_to_its_end, a_flush_takes_everything,
      a_local_flush_leaves_global_pages,
      an_index_used_by_a_local_page_first_stays_flushable,
      dropping_a_small_page_leaves_its_neighbours,
      dropping_a_large_page_takes_all_its_parts,
      dropping_a_small_page_leaves_large_ones,
      another_context_drops_only_what_may_be_global,
      dropping_a_fetched_page_empties_jump,
      jump_outlives_a_replaced_fetch_entry_but_not_its_page,
      jump_goes_with_a_replaced_part_of_a_large_page,
      a_local_flush_empties_jump_if_a_local_page_was_fetched,
      jumps_can_be_emptied_alone,
      protecting_takes_plain_writes_of_one_host_page,
      protecting_by_index_takes_the_entry_only_if_it_is_of_that_page,
      protecting_ends_write_runs_over_the_page)
