/* Loads, stores and fetches through the MMU: what they find and what they may
 * not miss. */
#include "mem/mmu.h"

#include "tests/unit/mem/rig.h"

/* --- accesses --- */

START_TEST(every_size_reads_what_was_written)
{
    for (unsigned mode = 0; mode < MODES; mode++) {
        struct rig *r = rig_new((enum page_mode)mode);

        guest_map(&r->g, AT, PLACE, PAGE_SIZE, PWU);
        ck_assert(mmu_set_cr3(&r->m, r->g.root, false));
        for (unsigned size = 1; size <= 8; size *= 2) {
            uint64_t v, mask = UINT64_MAX >> (64 - size * 8);

            ck_assert(
                mmu_write(&r->m, AT + 16 + size, size, 0x1122334455667788));
            ck_assert_uint_eq(peek(&r->g, PLACE + 16 + size, size),
                              0x1122334455667788 & mask);
            ck_assert(mmu_read(&r->m, AT + 16 + size, size, &v));
            ck_assert_uint_eq(v, 0x1122334455667788 & mask);
        }
        rig_free(r);
    }
}
END_TEST

START_TEST(the_second_access_to_a_page_does_not_walk)
{
    struct rig *r = rig_with_page(PWU | D);
    uint64_t walks;

    rig_read(r, AT);
    walks = r->stats.tlb_walk;
    rig_read(r, AT + 100);
    rig_write(r, AT + 200, 1);
    ck_assert_uint_eq(r->stats.tlb_walk, walks);
    ck_assert_uint_eq(r->stats.tlb_fill, 1);
    rig_free(r);
}
END_TEST

START_TEST(the_first_write_sets_dirty)
{
    struct rig *r = rig_with_page(PWU);

    rig_read(r, AT);
    ck_assert_uint_eq(rig_leaf(r, AT) & (A | D), A);
    rig_write(r, AT, 1);
    ck_assert_uint_eq(rig_leaf(r, AT) & (A | D), A | D);
    rig_free(r);
}
END_TEST

START_TEST(a_guest_that_clears_dirty_sees_it_set_again)
{
    struct rig *r = rig_with_page(PWU);

    rig_write(r, AT, 1);
    rig_set_leaf(r, AT, PLACE | PWU);
    mmu_invlpg(&r->m, AT);
    rig_write(r, AT, 2);
    ck_assert_uint_eq(rig_leaf(r, AT) & (A | D), A | D);
    rig_free(r);
}
END_TEST

START_TEST(a_fault_tells_address_and_reason)
{
    struct rig *r = rig_with_page(P);
    uint64_t v;

    ck_assert(!mmu_write(&r->m, AT + 0x123, 4, 0));
    ck_assert_uint_eq(r->m.fault_la, AT + 0x123);
    ck_assert_uint_eq(r->m.fault_error, PF_P | PF_W);
    mmu_set_who(&r->m, MMU_USER);
    ck_assert(!mmu_read(&r->m, AT, 8, &v));
    ck_assert_uint_eq(r->m.fault_error, PF_P | PF_U);
    ck_assert(!mmu_read(&r->m, AT + PAGE_SIZE, 8, &v));
    ck_assert_uint_eq(r->m.fault_la, AT + PAGE_SIZE);
    ck_assert_uint_eq(r->m.fault_error, PF_U);
    rig_free(r);
}
END_TEST

/* Two pages of one index of the tables, copied from one to the other. */
START_TEST(a_page_that_is_read_and_one_that_is_written_share_an_index)
{
    struct rig *r = rig_with_page(PWU | D);
    laddr other = AT + (laddr)TLB_ENTRIES * PAGE_SIZE;
    uint64_t fills;

    guest_map(&r->g, other, OTHER, PAGE_SIZE, PWU | D);
    rig_read(r, AT);
    rig_write(r, other, 1);
    rig_read(r, AT);
    fills = r->stats.tlb_fill;
    for (unsigned i = 0; i < 100; i++)
        rig_write(r, other + i, rig_read(r, AT + i));
    ck_assert_uint_eq(r->stats.tlb_fill, fills);
    rig_free(r);
}
END_TEST

START_TEST(two_mappings_of_one_page_are_one_memory)
{
    struct rig *r = rig_with_page(PWU);

    guest_map(&r->g, KERNEL, PLACE, PAGE_SIZE, P | W);
    rig_write(r, AT + 8, 0x1234);
    ck_assert_uint_eq(rig_read(r, KERNEL + 8), 0x1234);
    rig_write(r, KERNEL + 8, 0x5678);
    ck_assert_uint_eq(rig_read(r, AT + 8), 0x5678);
    rig_free(r);
}
END_TEST

/* --- crossing pages --- */

START_TEST(an_access_across_pages_finds_both_halves)
{
    struct rig *r = rig_with_page(PWU);

    guest_map(&r->g, AT + PAGE_SIZE, OTHER, PAGE_SIZE, PWU);
    for (unsigned n = 1; n < 8; n++) {
        laddr la = AT + PAGE_SIZE - n;

        rig_write(r, la, 0x1122334455667788 + n);
        ck_assert_uint_eq(rig_read(r, la), 0x1122334455667788 + n);
        ck_assert_uint_eq(peek(&r->g, PLACE + PAGE_SIZE - n, 1), 0x88 + n);
        ck_assert_uint_eq(peek(&r->g, OTHER + 7 - n, 1), 0x11);
    }
    rig_free(r);
}
END_TEST

START_TEST(a_fault_on_the_second_page_leaves_the_first_alone)
{
    struct rig *r = rig_with_page(PWU);
    uint64_t v;

    poke(&r->g, PLACE + PAGE_SIZE - 8, 0x1111111111111111, 8);
    ck_assert(!mmu_write(&r->m, AT + PAGE_SIZE - 3, 8, UINT64_MAX));
    ck_assert_uint_eq(r->m.fault_la, AT + PAGE_SIZE);
    ck_assert_uint_eq(r->m.fault_error, PF_W);
    ck_assert(!mmu_read(&r->m, AT + PAGE_SIZE - 3, 8, &v));
    ck_assert_uint_eq(peek(&r->g, PLACE + PAGE_SIZE - 8, 8),
                      0x1111111111111111);
    ck_assert_uint_eq(rig_leaf(r, AT) & (A | D), 0);
    rig_free(r);
}
END_TEST

START_TEST(a_fault_on_the_first_page_comes_first)
{
    struct rig *r = rig_new(MODE_LONG);

    guest_map(&r->g, AT + PAGE_SIZE, PLACE, PAGE_SIZE, PWU);
    ck_assert(!mmu_write(&r->m, AT + PAGE_SIZE - 3, 8, UINT64_MAX));
    ck_assert_uint_eq(r->m.fault_la, AT + PAGE_SIZE - 3);
    ck_assert_uint_eq(rig_leaf(r, AT + PAGE_SIZE) & (A | D), 0);
    rig_free(r);
}
END_TEST

START_TEST(outside_long_mode_linear_addresses_wrap)
{
    struct rig *r = rig_new(MODE_32);

    guest_map(&r->g, 0xfffff000, PLACE, PAGE_SIZE, PWU);
    guest_map(&r->g, 0, OTHER, PAGE_SIZE, PWU);
    ck_assert(mmu_write(&r->m, 0xfffffffe, 4, 0x11223344));
    ck_assert_uint_eq(peek(&r->g, PLACE + 0xffe, 2), 0x3344);
    ck_assert_uint_eq(peek(&r->g, OTHER, 2), 0x1122);
    rig_free(r);
}
END_TEST

START_TEST(bytes_of_any_number_move_across_pages)
{
    struct rig *r = rig_with_page(PWU);
    uint8_t out[PAGE_SIZE], in[PAGE_SIZE];

    guest_map(&r->g, AT + PAGE_SIZE, OTHER, PAGE_SIZE, PWU);
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        out[i] = (uint8_t)(i * 7 + i / 256);
    for (unsigned at = 0; at <= PAGE_SIZE; at += 512) {
        ck_assert(mmu_write_bytes(&r->m, AT + at, out, PAGE_SIZE));
        ck_assert(mmu_read_bytes(&r->m, AT + at, in, PAGE_SIZE));
        ck_assert_mem_eq(in, out, PAGE_SIZE);
    }
    ck_assert(!mmu_write_bytes(&r->m, AT + PAGE_SIZE + 1, out, PAGE_SIZE));
    ck_assert_uint_eq(peek(&r->g, OTHER + 1, 1), out[1]);
    rig_free(r);
}
END_TEST

START_TEST(a_probe_writes_nothing_and_faults_as_a_write)
{
    struct rig *r = rig_with_page(PWU);

    ck_assert(mmu_probe(&r->m, AT + PAGE_SIZE - 4, 4, ACCESS_WRITE));
    ck_assert_uint_eq(rig_leaf(r, AT) & D, D);
    ck_assert(!mmu_probe(&r->m, AT + PAGE_SIZE - 4, 8, ACCESS_WRITE));
    ck_assert_uint_eq(r->m.fault_la, AT + PAGE_SIZE);
    ck_assert_uint_eq(r->m.fault_error, PF_W);
    ck_assert_uint_eq(peek(&r->g, PLACE + PAGE_SIZE - 8, 8), 0);
    rig_free(r);
}
END_TEST

/* --- windows, ROM, nothing --- */

START_TEST(a_window_answers_each_access_without_a_new_walk)
{
    struct rig *r = rig_new(MODE_LONG);
    uint64_t v;

    guest_map(&r->g, AT, WINDOW_AT, PAGE_SIZE, PWU | D);
    for (unsigned i = 1; i <= 10; i++) {
        ck_assert(mmu_read(&r->m, AT + 0x10, 2, &v));
        ck_assert_uint_eq(v, 0x1010);
        ck_assert(mmu_write(&r->m, AT + 0x10, 4, i));
        ck_assert_uint_eq(r->g.window_value, i);
        ck_assert_uint_eq(r->g.window_reads, i);
        ck_assert_uint_eq(r->g.window_writes, i);
    }
    ck_assert_uint_eq(r->stats.tlb_walk, 1);
    ck_assert_uint_eq(r->stats.mmio_read, 10);
    ck_assert_uint_eq(r->stats.mmio_write, 10);
    rig_free(r);
}
END_TEST

START_TEST(long_accesses_reach_a_window_in_aligned_pieces)
{
    struct rig *r = rig_new(MODE_LONG);
    uint8_t bytes[16];

    guest_map(&r->g, AT, WINDOW_AT, PAGE_SIZE, PWU);
    ck_assert(mmu_read_bytes(&r->m, AT + 0x20, bytes, 16));
    ck_assert_uint_eq(r->g.window_reads, 2);
    ck_assert(mmu_write_bytes(&r->m, AT + 0x21, bytes, 7));
    ck_assert_uint_eq(r->g.window_writes, 3); /* 1, 2 and 4 */
    rig_free(r);
}
END_TEST

START_TEST(an_access_may_begin_in_ram_and_end_in_a_window)
{
    struct rig *r = rig_with_page(PWU);
    uint64_t v;

    guest_map(&r->g, AT + PAGE_SIZE, WINDOW_AT, PAGE_SIZE, PWU);
    poke(&r->g, PLACE + 0xffe, 0xabcd, 2);
    ck_assert(mmu_read(&r->m, AT + 0xffe, 4, &v));
    ck_assert_uint_eq(v, 0x0000abcd);
    ck_assert_uint_eq(r->g.window_reads, 1);
    ck_assert(!mmu_read(&r->m, AT + 0x1ffe, 4, &v));
    ck_assert_uint_eq(r->g.window_reads, 1); /* the fault came first */
    rig_free(r);
}
END_TEST

START_TEST(nothing_reads_as_ones_and_rom_drops_writes)
{
    struct rig *r = rig_new(MODE_LONG);
    uint64_t v;

    guest_map(&r->g, AT, 0x200000000000, PAGE_SIZE, PWU);
    guest_map(&r->g, AT + PAGE_SIZE, ROM_AT, PAGE_SIZE, PWU);
    rig_write(r, AT, 0);
    ck_assert_uint_eq(rig_read(r, AT), UINT64_MAX);
    ck_assert(mmu_read(&r->m, AT + 1, 2, &v));
    ck_assert_uint_eq(v, 0xffff);
    rig_write(r, AT + PAGE_SIZE, 0x1234);
    rig_write(r, AT + PAGE_SIZE, 0x1234);
    ck_assert_uint_eq(rig_read(r, AT + PAGE_SIZE), 0);
    rig_free(r);
}
END_TEST

START_TEST(a_changed_map_counts_after_a_flush)
{
    struct rig *r = rig_with_page(PWU);

    rig_write(r, AT, 0x55);
    physmem_set_a20(&r->g.pm, false);
    mmu_flush_all(&r->m);
    ck_assert_uint_eq(rig_read(r, AT), 0); /* a MiB below */
    poke(&r->g, 0x23000, 0x66, 8);
    ck_assert_uint_eq(rig_read(r, AT), 0x66);
    rig_free(r);
}
END_TEST

/* --- code pages --- */

START_TEST(stores_to_code_are_reported_through_every_mapping)
{
    struct rig *r = rig_with_page(PWU);

    guest_map(&r->g, KERNEL, PLACE, PAGE_SIZE, PWU);
    rig_write(r, AT, 1);
    rig_write(r, KERNEL, 1);
    rig_mark_code(r, PLACE + 0x80, 64);
    rig_write(r, AT + 0x40, 2); /* beside the code */
    ck_assert_uint_eq(r->g.code_writes, 0);
    rig_write(r, KERNEL + 0x7c, 3); /* 4 bytes of it inside */
    ck_assert_uint_eq(r->g.code_writes, 1);
    rig_mark_code(r, PLACE + 0x80, 64);
    ck_assert(mmu_write_bytes(&r->m, AT, (const uint8_t[256]){0}, 256));
    ck_assert_uint_eq(r->g.code_writes, 2);
    ck_assert_uint_eq(r->stats.code_write, 3);
    rig_free(r);
}
END_TEST

/* Each in turn becomes the only plain entry, or is one of two of one index. */
START_TEST(code_is_protected_whichever_mapping_was_written)
{
    const laddr place[] = {AT, KERNEL, AT + TLB_ENTRIES * PAGE_SIZE};
    struct rig *r = rig_with_page(PWU);
    unsigned writes = 0;

    guest_map(&r->g, place[1], PLACE, PAGE_SIZE, PWU);
    guest_map(&r->g, place[2], PLACE, PAGE_SIZE, PWU);
    for (unsigned k = 0; k < 27; k++) {
        rig_write(r, place[k % 3], k);
        if (k % 2)
            rig_write(r, place[k / 3 % 3], k);
        rig_mark_code(r, PLACE, 64);
        rig_write(r, place[k / 9], k); /* takes the code away */
        ck_assert_uint_eq(r->g.code_writes, ++writes);
        rig_write(r, place[k / 9], k);
        ck_assert_uint_eq(r->g.code_writes, writes);
    }
    rig_free(r);
}
END_TEST

START_TEST(a_page_without_code_again_becomes_plain)
{
    struct rig *r = rig_with_page(PWU);
    const struct tlb_entry *e = &r->m.bank->write[tlb_index(AT)];

    rig_mark_code(r, PLACE, 64);
    rig_write(r, AT + 0x800, 1);
    ck_assert_uint_ne(e->tag, AT);
    rig_write(r, AT, 1); /* takes the code away */
    rig_write(r, AT, 2);
    ck_assert_uint_eq(e->tag, AT);
    rig_mark_code(r, PLACE, 64);
    rig_write(r, AT, 3);
    ck_assert_uint_eq(r->g.code_writes, 2);
    rig_free(r);
}
END_TEST

START_TEST(code_is_protected_in_contexts_that_are_not_current)
{
    struct rig *r = rig_with_page(PWU);

    rig_cr4(r, PCIDE, true);
    rig_write(r, AT, 1);
    mmu_set_cr3(&r->m, r->g.root | 7, false);
    rig_mark_code(r, PLACE, 64);
    mmu_set_cr3(&r->m, r->g.root, true);
    rig_write(r, AT, 2);
    ck_assert_uint_eq(r->g.code_writes, 1);
    rig_free(r);
}
END_TEST

/* --- privilege --- */

START_TEST(system_accesses_are_the_supervisors)
{
    struct rig *r = rig_with_page(P | W);
    uint64_t v;

    guest_map(&r->g, AT + PAGE_SIZE, OTHER, PAGE_SIZE, PWU);
    mmu_set_who(&r->m, MMU_USER);
    ck_assert(!mmu_read(&r->m, AT, 8, &v));
    ck_assert(mmu_sys_write(&r->m, AT + 8, &(uint64_t){0x77}, 8));
    ck_assert(mmu_sys_read(&r->m, AT + 8, &v, 8));
    ck_assert_uint_eq(v, 0x77);
    ck_assert(!mmu_read(&r->m, AT, 8, &v));
    rig_cr4(r, SMAP, true);
    mmu_set_who(&r->m, MMU_SUPERVISOR_AC);
    ck_assert(mmu_read(&r->m, AT + PAGE_SIZE, 8, &v));
    ck_assert(!mmu_sys_read(&r->m, AT + PAGE_SIZE, &v, 8));
    ck_assert_uint_eq(r->m.fault_error, PF_P);
    ck_assert(!mmu_sys_probe(&r->m, AT + PAGE_SIZE, 8, ACCESS_WRITE));
    ck_assert_uint_eq(r->m.fault_error, PF_P | PF_W);
    rig_free(r);
}
END_TEST

START_TEST(the_bank_follows_cpl_and_ac)
{
    struct rig *r = rig_new(MODE_LONG);

    ck_assert_uint_eq(mmu_bank_for(&r->m, 3, true), MMU_USER);
    ck_assert_uint_eq(mmu_bank_for(&r->m, 0, true), MMU_SUPERVISOR);
    rig_cr4(r, SMAP, true);
    ck_assert_uint_eq(mmu_bank_for(&r->m, 0, true), MMU_SUPERVISOR_AC);
    ck_assert_uint_eq(mmu_bank_for(&r->m, 0, false), MMU_SUPERVISOR);
    rig_free(r);
}
END_TEST

/* --- fetches --- */

START_TEST(fetches_find_ram_and_rom_but_not_windows)
{
    struct rig *r = rig_with_page(PWU);
    uint64_t at, walks;

    guest_map(&r->g, AT + 0x1000, ROM_AT, PAGE_SIZE, PWU);
    guest_map(&r->g, AT + 0x2000, WINDOW_AT, PAGE_SIZE, PWU);
    guest_map(&r->g, AT + 0x3000, OTHER, PAGE_SIZE, PWU | XD);
    ck_assert(mmu_fetch_page(&r->m, AT + 0x123, &at));
    ck_assert_uint_eq(at, PLACE + 0x123);
    walks = r->stats.tlb_walk;
    ck_assert(mmu_fetch_page(&r->m, AT + 0x456, &at));
    ck_assert_uint_eq(at, PLACE + 0x456);
    ck_assert_uint_eq(r->stats.tlb_walk, walks);
    ck_assert(mmu_fetch_page(&r->m, AT + 0x1fff, &at));
    ck_assert_uint_eq(at, ROM_AT + 0xfff);
    ck_assert(mmu_fetch_page(&r->m, AT + 0x2000, &at));
    ck_assert_uint_eq(at, UINT64_MAX);
    ck_assert(!mmu_fetch_page(&r->m, AT + 0x3010, &at));
    ck_assert_uint_eq(r->m.fault_la, AT + 0x3010);
    ck_assert_uint_eq(r->m.fault_error, PF_P | PF_I);
    rig_free(r);
}
END_TEST

START_TEST(jumps_go_with_their_page)
{
    struct rig *r = rig_with_page(PWU);
    uint64_t at;

    ck_assert(mmu_fetch_page(&r->m, AT, &at));
    tlb_jump_set(r->m.bank, AT + 5, r);
    mmu_invlpg(&r->m, AT + PAGE_SIZE);
    ck_assert_ptr_eq(r->m.bank->jump[5].code, r);
    mmu_invlpg(&r->m, AT);
    ck_assert_ptr_null(r->m.bank->jump[5].code);
    ck_assert(mmu_fetch_page(&r->m, AT, &at));
    tlb_jump_set(r->m.bank, AT + 5, r);
    mmu_flush_jumps(&r->m);
    ck_assert_uint_ne(r->m.bank->jump[5].la, AT + 5);
    rig_free(r);
}
END_TEST

/* --- the debugger --- */

START_TEST(a_debugger_translates_without_a_trace)
{
    struct rig *r = rig_with_page(PWU);
    paddr pa;

    rig_cr4(r, SMAP, true);
    ck_assert(mmu_debug_translate(&r->m, AT + 0x123, &pa));
    ck_assert_uint_eq(pa, PLACE + 0x123);
    ck_assert(!mmu_debug_translate(&r->m, AT + PAGE_SIZE, &pa));
    ck_assert_uint_eq(rig_leaf(r, AT) & (A | D), 0);
    ck_assert_uint_eq(r->m.fault_la, 0);
    rig_free(r);
}
END_TEST

SUITE("mmu", every_size_reads_what_was_written,
      the_second_access_to_a_page_does_not_walk, the_first_write_sets_dirty,
      a_guest_that_clears_dirty_sees_it_set_again,
      a_fault_tells_address_and_reason,
      a_page_that_is_read_and_one_that_is_written_share_an_index,
      two_mappings_of_one_page_are_one_memory,
      an_access_across_pages_finds_both_halves,
      a_fault_on_the_second_page_leaves_the_first_alone,
      a_fault_on_the_first_page_comes_first,
      outside_long_mode_linear_addresses_wrap,
      bytes_of_any_number_move_across_pages,
      a_probe_writes_nothing_and_faults_as_a_write,
      a_window_answers_each_access_without_a_new_walk,
      long_accesses_reach_a_window_in_aligned_pieces,
      an_access_may_begin_in_ram_and_end_in_a_window,
      nothing_reads_as_ones_and_rom_drops_writes,
      a_changed_map_counts_after_a_flush,
      stores_to_code_are_reported_through_every_mapping,
      code_is_protected_whichever_mapping_was_written,
      a_page_without_code_again_becomes_plain,
      code_is_protected_in_contexts_that_are_not_current,
      system_accesses_are_the_supervisors, the_bank_follows_cpl_and_ac,
      fetches_find_ram_and_rom_but_not_windows, jumps_go_with_their_page,
      a_debugger_translates_without_a_trace)
