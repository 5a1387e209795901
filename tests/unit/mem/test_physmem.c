/* Guest-physical memory: blocks below, windows on top, A20, ROM, code bits. */
#include "mem/physmem.h"

#include <string.h>

#include "tests/unit/mem/board.h"

START_TEST(ram_keeps_what_is_written)
{
    struct board b;

    board_init(&b);
    physmem_write(&b.pm, 0x1000, 0x1122334455667788, 8);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x1000, 8), 0x1122334455667788);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x1003, 2), 0x4455);
    physmem_write(&b.pm, 0x1001, 0xffffff00, 1);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x1000, 4), 0x55660088);
    board_destroy(&b);
}
END_TEST

START_TEST(accesses_may_cross_pages_and_blocks)
{
    struct board b;

    board_init(&b);
    physmem_write(&b.pm, 0x1ffd, 0x1122334455667788, 8);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x1ffd, 8), 0x1122334455667788);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x2000, 4), 0x22334455);
    physmem_write(&b.pm, MIB - 2, 0xaabbccdd, 4);
    ck_assert_uint_eq(physmem_read(&b.pm, MIB, 2), 0xaabb);
    ck_assert_uint_eq(physmem_read(&b.pm, BOARD_SIZE - 1, 2), 0xff00);
    board_destroy(&b);
}
END_TEST

START_TEST(nothing_reads_as_ones_and_drops_writes)
{
    struct board b;

    board_init(&b);
    for (unsigned size = 1; size <= 8; size *= 2) {
        uint64_t ones = size == 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;

        ck_assert_uint_eq(physmem_read(&b.pm, 0x80000000, size), ones);
        ck_assert_uint_eq(physmem_read(&b.pm, UINT64_MAX - 7, size), ones);
        physmem_write(&b.pm, 0x80000000, 0, size);
    }
    ck_assert_ptr_null(physmem_page(&b.pm, 0x80000000).host);
    ck_assert_uint_eq(physmem_read(&b.pm, UINT64_MAX, 2), 0x00ff);
    board_destroy(&b);
}
END_TEST

START_TEST(rom_drops_writes_until_it_is_shadowed)
{
    struct board b;

    board_init(&b);
    physmem_write(&b.pm, BOARD_ROM_AT, 0x55, 1);
    ck_assert_uint_eq(physmem_read(&b.pm, BOARD_ROM_AT, 1), 0);
    ck_assert(!physmem_page(&b.pm, BOARD_ROM_AT).writable);
    ck_assert(physmem_set_kind(&b.pm, BOARD_ROM_AT, BLOCK_RAM));
    physmem_write(&b.pm, BOARD_ROM_AT, 0x55, 1);
    ck_assert(physmem_page(&b.pm, BOARD_ROM_AT).writable);
    ck_assert(physmem_set_kind(&b.pm, BOARD_ROM_AT, BLOCK_ROM));
    physmem_write(&b.pm, BOARD_ROM_AT, 0xaa, 1);
    ck_assert_uint_eq(physmem_read(&b.pm, BOARD_ROM_AT, 1), 0x55);
    ck_assert_uint_eq(physmem_read(&b.pm, BOARD_ALIAS_AT, 1), 0x55);
    ck_assert(!physmem_set_kind(&b.pm, BOARD_ROM_AT + 1, BLOCK_RAM));
    board_destroy(&b);
}
END_TEST

START_TEST(windows_lie_on_top)
{
    struct board b;

    board_init(&b);
    ck_assert_ptr_null(physmem_page(&b.pm, BOARD_WINDOW_AT).host);
    ck_assert_uint_eq(physmem_read(&b.pm, BOARD_WINDOW_AT + 0x34, 4), 0x34);
    physmem_write(&b.pm, BOARD_WINDOW_AT, 0, 2);
    ck_assert_uint_eq(b.window_accesses, 2);
    board_destroy(&b);
}
END_TEST

START_TEST(a_small_window_takes_its_whole_page)
{
    static const struct region_ops ops = {board_window_read, board_window_write,
                                          0, 0};
    struct board b;
    struct region r = {"bar", 0x200800, 0x100, &ops, &b};

    board_init(&b);
    physmem_write(&b.pm, 0x200000, 0x1234, 2);
    ck_assert(physmem_map_window(&b.pm, &r));
    ck_assert_ptr_null(physmem_page(&b.pm, 0x200000).host);
    ck_assert_ptr_null(physmem_page(&b.pm, 0x200fff).host);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x200000, 2), 0xffff);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x200810, 2), 0x10);
    ck_assert_ptr_nonnull(physmem_page(&b.pm, 0x201000).host);
    ck_assert(physmem_unmap_window(&b.pm, 0x200800, &b));
    ck_assert_uint_eq(physmem_read(&b.pm, 0x200000, 2), 0x1234);
    board_destroy(&b);
}
END_TEST

START_TEST(blocks_must_be_whole_disjoint_and_backed)
{
    struct board b;
    struct physmem *pm = &b.pm;

    board_init(&b);
    b.changes = 0;
    ck_assert(!physmem_add_block(pm, "x", 0x9f000, 0x2000, 0, BLOCK_RAM));
    ck_assert(!physmem_add_block(pm, "x", 0, 8 * MIB, 0, BLOCK_RAM));
    ck_assert(!physmem_add_block(pm, "x", 0x800001, 0x1000, 0, BLOCK_RAM));
    ck_assert(!physmem_add_block(pm, "x", 0x800000, 0x1001, 0, BLOCK_RAM));
    ck_assert(!physmem_add_block(pm, "x", 0x800000, 0, 0, BLOCK_RAM));
    ck_assert(!physmem_add_block(pm, "x", 0x800000, 0x1000, 1, BLOCK_RAM));
    ck_assert(!physmem_add_block(pm, "x", 0x800000, 0x2000, BOARD_SIZE - 0x1000,
                                 BLOCK_RAM));
    ck_assert(!physmem_add_block(pm, "x", 0x800000, 0x2000, UINT64_MAX - 0xfff,
                                 BLOCK_RAM));
    ck_assert(!physmem_add_block(pm, "x", (paddr)1 << PADDR_BITS, 0x1000, 0,
                                 BLOCK_RAM));
    ck_assert_uint_eq(b.changes, 0);
    ck_assert(physmem_add_block(pm, "x", ((paddr)1 << PADDR_BITS) - 0x1000,
                                0x1000, 0, BLOCK_RAM));
    ck_assert_uint_eq(b.changes, 1);
    board_destroy(&b);
}
END_TEST

START_TEST(a_full_map_refuses)
{
    struct board b;
    unsigned added = 0;

    board_init(&b);
    while (physmem_add_block(&b.pm, "x", 0x800000 + added * 0x1000u, 0x1000, 0,
                             BLOCK_RAM))
        added++;
    ck_assert_uint_eq(b.pm.block_count, PHYSMEM_MAX_BLOCKS);
    ck_assert_ptr_nonnull(physmem_page(&b.pm, 0x800000).host);
    board_destroy(&b);
}
END_TEST

START_TEST(every_change_of_the_map_is_reported)
{
    struct board b;
    struct region r = {"bar", 0xfebc0000, 0x1000, NULL, NULL};
    uint64_t generation;

    board_init(&b);
    generation = b.pm.generation;
    physmem_set_a20(&b.pm, true);
    physmem_set_kind(&b.pm, 0, BLOCK_RAM);
    ck_assert_uint_eq(b.changes, 0);
    physmem_set_a20(&b.pm, false);
    physmem_set_kind(&b.pm, 0, BLOCK_ROM);
    physmem_map_window(&b.pm, &r);
    ck_assert(!physmem_map_window(&b.pm, &r));
    physmem_unmap_window(&b.pm, r.base, NULL);
    ck_assert(!physmem_unmap_window(&b.pm, r.base, NULL));
    ck_assert_uint_eq(b.changes, 4);
    ck_assert_uint_eq(b.pm.generation, generation + 4);
    board_destroy(&b);
}
END_TEST

START_TEST(windows_end_where_physical_addresses_end)
{
    struct board b;
    struct region r = {"bar", ((paddr)1 << PADDR_BITS) - 0x1000, 0x2000, NULL,
                       NULL};

    board_init(&b);
    ck_assert(!physmem_map_window(&b.pm, &r));
    r.size = 0x1000;
    ck_assert(physmem_map_window(&b.pm, &r));
    r.base = UINT64_MAX - 0xfff;
    ck_assert(!physmem_map_window(&b.pm, &r));
    board_destroy(&b);
}
END_TEST

START_TEST(a20_masks_bit_20_everywhere)
{
    struct board b;

    board_init(&b);
    physmem_write(&b.pm, 0x1000, 0x11, 1);
    physmem_write(&b.pm, MIB + 0x1000, 0x22, 1);
    physmem_set_a20(&b.pm, false);
    ck_assert_uint_eq(physmem_read(&b.pm, MIB + 0x1000, 1), 0x11);
    ck_assert_uint_eq(physmem_read(&b.pm, MIB + BOARD_WINDOW_AT + 4, 1), 4);
    physmem_write(&b.pm, MIB + 0x1000, 0x33, 1);
    physmem_write(&b.pm, MIB - 1, 0x4455, 2);
    physmem_set_a20(&b.pm, true);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x1000, 1), 0x33);
    ck_assert_uint_eq(physmem_read(&b.pm, MIB + 0x1000, 1), 0x22);
    ck_assert_uint_eq(physmem_read(&b.pm, 0, 1), 0x44);
    board_destroy(&b);
}
END_TEST

/* Each run as physmem_page reports it must be what the pages in it say. */
static void check_runs(struct physmem *pm, paddr end)
{
    for (paddr pa = 0; pa < end; pa += PAGE_SIZE) {
        struct phys_page p = physmem_page(pm, pa);

        ck_assert(p.run_start <= pa && pa - p.run_start < p.run_size);
        ck_assert_uint_eq((p.run_start | p.run_size) % PAGE_SIZE, 0);
        if (!p.host)
            continue;
        ck_assert_ptr_eq(p.host, pm->ram.mem.rw + p.ram_at);

        paddr last = p.run_start + p.run_size - PAGE_SIZE;
        struct phys_page a = physmem_page(pm, p.run_start);
        struct phys_page z = physmem_page(pm, last);

        ck_assert_ptr_eq(a.host + (pa - p.run_start), p.host);
        ck_assert_ptr_eq(p.host + (last - pa), z.host);
        ck_assert(a.run_size == p.run_size && z.run_size == p.run_size);
        ck_assert(a.writable == p.writable && z.writable == p.writable);
    }
}

START_TEST(runs_are_contiguous_and_maximal)
{
    static const struct region_ops ops = {board_window_read, board_window_write,
                                          0, 0};
    struct board b;
    struct region r = {"bar", 0x200800, 0x900, &ops, &b};
    struct phys_page p;

    board_init(&b);
    p = physmem_page(&b.pm, 0x300000);
    ck_assert(p.run_start == MIB && p.run_size == 3 * MIB);
    check_runs(&b.pm, 5 * MIB);
    ck_assert(physmem_map_window(&b.pm, &r));
    p = physmem_page(&b.pm, 0x300000);
    ck_assert(p.run_start == 0x202000 && p.run_size == 0x1fe000);
    p = physmem_page(&b.pm, 0x180000);
    ck_assert(p.run_start == MIB && p.run_size == MIB);
    check_runs(&b.pm, 5 * MIB);
    physmem_set_a20(&b.pm, false);
    p = physmem_page(&b.pm, 0x100000);
    ck_assert(p.run_start == MIB && p.run_size == 640 * KIB);
    check_runs(&b.pm, 5 * MIB);
    board_destroy(&b);
}
END_TEST

START_TEST(granules_are_64_bytes)
{
    ck_assert_uint_eq(ram_granules(0, 1), 1);
    ck_assert_uint_eq(ram_granules(0x103f, 2), 3);
    ck_assert_uint_eq(ram_granules(0xfc0, 64), 1ull << 63);
    ck_assert_uint_eq(ram_granules(0, PAGE_SIZE), UINT64_MAX);
}
END_TEST

START_TEST(stores_to_code_are_reported_once)
{
    struct board b;

    board_init(&b);
    ck_assert(!physmem_page(&b.pm, 0x5000).has_code);
    ck_assert(physmem_mark_code(&b.pm, 0x5010, 0x40));
    ck_assert(!physmem_mark_code(&b.pm, 0x5800, 1));
    ck_assert(physmem_page(&b.pm, 0x5000).has_code);
    physmem_write(&b.pm, 0x5080, 1, 4);
    ck_assert_uint_eq(b.code_writes, 0);
    physmem_write(&b.pm, 0x507e, 1, 4);
    ck_assert_uint_eq(b.code_writes, 1);
    ck_assert(b.code_at == 0x507e && b.code_size == 4);
    physmem_write(&b.pm, 0x507e, 1, 4);
    ck_assert_uint_eq(b.code_writes, 1);
    physmem_store(&b.pm, 0x5000, "0123456789abcdef", 16);
    ck_assert_uint_eq(b.code_writes, 2);
    ck_assert_mem_eq(b.pm.ram.mem.rw + 0x5000, "0123456789abcdef", 16);
    board_destroy(&b);
}
END_TEST

START_TEST(a_store_across_pages_reports_in_each)
{
    struct board b;

    board_init(&b);
    physmem_mark_code(&b.pm, 0x5000, PAGE_SIZE);
    physmem_mark_code(&b.pm, 0x6000, PAGE_SIZE);
    physmem_write(&b.pm, 0x5ffe, 0x12345678, 4);
    ck_assert_uint_eq(b.code_writes, 2);
    ck_assert_uint_eq(b.pm.ram.code_bits[5], UINT64_MAX >> 1);
    ck_assert_uint_eq(b.pm.ram.code_bits[6], UINT64_MAX << 1);
    board_destroy(&b);
}
END_TEST

START_TEST(rom_that_holds_code_is_not_disturbed)
{
    struct board b;

    board_init(&b);
    physmem_mark_code(&b.pm, BOARD_ROM_AT, 16);
    physmem_write(&b.pm, BOARD_ALIAS_AT, 1, 4);
    ck_assert_uint_eq(b.code_writes, 0);
    ck_assert(physmem_page(&b.pm, BOARD_ALIAS_AT).has_code);
    board_destroy(&b);
}
END_TEST

START_TEST(impossible_ram_is_refused)
{
    struct physmem pm;

    ck_assert(!physmem_init(&pm, 0));
    physmem_destroy(&pm);
    ck_assert(!physmem_init(&pm, 0x1001));
    physmem_destroy(&pm);
    ck_assert(!physmem_init(&pm, (uint64_t)1 << 62));
    physmem_destroy(&pm);
}
END_TEST

SUITE("physmem", ram_keeps_what_is_written, accesses_may_cross_pages_and_blocks,
      nothing_reads_as_ones_and_drops_writes,
      rom_drops_writes_until_it_is_shadowed, windows_lie_on_top,
      a_small_window_takes_its_whole_page,
      blocks_must_be_whole_disjoint_and_backed, a_full_map_refuses,
      every_change_of_the_map_is_reported,
      windows_end_where_physical_addresses_end, a20_masks_bit_20_everywhere,
      runs_are_contiguous_and_maximal, granules_are_64_bytes,
      stores_to_code_are_reported_once, a_store_across_pages_reports_in_each,
      rom_that_holds_code_is_not_disturbed, impossible_ram_is_refused)
