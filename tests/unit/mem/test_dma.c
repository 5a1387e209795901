/* DMA: RAM and nothing else, whatever address the guest programs. */
#include "mem/dma.h"

#include <string.h>

#include "tests/unit/mem/board.h"

START_TEST(transfers_cross_pages)
{
    struct board b;
    uint8_t in[3 * PAGE_SIZE], out[3 * PAGE_SIZE];

    board_init(&b);
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 7 + i / 256);
    ck_assert(dma_write(&b.pm, 0x1234, in, sizeof(in)));
    ck_assert(dma_read(&b.pm, 0x1234, out, sizeof(out)));
    ck_assert_mem_eq(in, out, sizeof(in));
    ck_assert_uint_eq(physmem_read(&b.pm, 0x1233, 1), 0);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x1234 + sizeof(in), 1), 0);
    ck_assert(dma_read(&b.pm, 0, out, 0));
    board_destroy(&b);
}
END_TEST

START_TEST(register_windows_are_out_of_reach)
{
    struct board b;
    uint8_t data[PAGE_SIZE] = {0};

    board_init(&b);
    ck_assert(!dma_write(&b.pm, BOARD_WINDOW_AT, data, sizeof(data)));
    ck_assert(!dma_read(&b.pm, BOARD_WINDOW_AT, data, sizeof(data)));
    ck_assert_uint_eq(b.window_accesses, 0);
    for (size_t i = 0; i < sizeof(data); i++)
        ck_assert_uint_eq(data[i], 0xff);
    board_destroy(&b);
}
END_TEST

START_TEST(only_the_part_that_meets_no_ram_aborts)
{
    struct board b;
    uint8_t data[16];

    board_init(&b);
    memset(data, 0x5a, sizeof(data));
    ck_assert(!dma_write(&b.pm, BOARD_WINDOW_AT - 8, data, sizeof(data)));
    memset(data, 0, sizeof(data));
    ck_assert(!dma_read(&b.pm, BOARD_WINDOW_AT - 8, data, sizeof(data)));
    for (size_t i = 0; i < sizeof(data); i++)
        ck_assert_uint_eq(data[i], i < 8 ? 0x5a : 0xff);
    board_destroy(&b);
}
END_TEST

START_TEST(rom_can_be_read_but_not_written)
{
    struct board b;
    uint32_t value = 0x12345678;

    board_init(&b);
    store32(b.pm.ram.mem.rw + BOARD_ROM_AT, 0xcafe);
    ck_assert(!dma_write(&b.pm, BOARD_ROM_AT, &value, sizeof(value)));
    ck_assert(dma_read(&b.pm, BOARD_ROM_AT, &value, sizeof(value)));
    ck_assert_uint_eq(value, 0xcafe);
    board_destroy(&b);
}
END_TEST

START_TEST(addresses_beyond_the_map_abort)
{
    struct board b;
    uint8_t data[64] = {0};

    board_init(&b);
    ck_assert(!dma_read(&b.pm, UINT64_MAX - 100, data, sizeof(data)));
    ck_assert_uint_eq(data[0], 0xff);
    ck_assert(!dma_write(&b.pm, (paddr)1 << PADDR_BITS, data, sizeof(data)));
    ck_assert(!dma_read(&b.pm, BOARD_SIZE, data, sizeof(data)));
    board_destroy(&b);
}
END_TEST

START_TEST(code_under_a_transfer_is_reported)
{
    struct board b;
    uint8_t data[2 * PAGE_SIZE] = {0};

    board_init(&b);
    physmem_mark_code(&b.pm, 0x5000, 16);
    ck_assert(dma_write(&b.pm, 0x4800, data, sizeof(data)));
    ck_assert_uint_eq(b.code_writes, 1);
    ck_assert(b.code_at == 0x5000 && b.code_size == PAGE_SIZE);
    board_destroy(&b);
}
END_TEST

SUITE("dma", transfers_cross_pages, register_windows_are_out_of_reach,
      only_the_part_that_meets_no_ram_aborts, rom_can_be_read_but_not_written,
      addresses_beyond_the_map_abort, code_under_a_transfer_is_reported)
