/* Two 8237A: registers, and transfers to and from RAM. */
#include "devices/dma8237.h"

#include "tests/unit/devices/rig.h"

enum { LOW = 0x00, HIGH = 0xc0, PAGE = 0x80, RAM = 0x100000 };
enum { TO_MEMORY = 0x44, FROM_MEMORY = 0x48, VERIFY = 0x40 };
enum { AUTO_INIT = 0x10, DOWN = 0x20 };

struct bench {
    struct rig r;
    struct physmem pm;
    struct dma8237 d;
};

static void bench_init(struct bench *b)
{
    rig_init(&b->r);
    ck_assert(physmem_init(&b->pm, RAM));
    ck_assert(physmem_add_block(&b->pm, "ram", 0, RAM, 0, BLOCK_RAM));
    dma8237_init(&b->d, &b->r.io, LOW, HIGH, PAGE, &b->pm);
}

static void bench_destroy(struct bench *b)
{
    physmem_destroy(&b->pm);
    rig_destroy(&b->r);
}

static void put_word(struct bench *b, uint16_t port, unsigned value)
{
    rig_out(&b->r, port, (uint8_t)value);
    rig_out(&b->r, port, (uint8_t)(value >> 8));
}

/* Channel 2, as a floppy driver would. */
static void program(struct bench *b, uint8_t mode, unsigned address,
                    unsigned count)
{
    rig_out(&b->r, LOW + 0xa, 0x06);
    rig_out(&b->r, LOW + 0xc, 0);
    rig_out(&b->r, LOW + 0xb, mode | 2);
    put_word(b, LOW + 4, address & 0xffff);
    put_word(b, LOW + 5, count - 1);
    rig_out(&b->r, PAGE + 1, (uint8_t)(address >> 16));
    rig_out(&b->r, LOW + 0xa, 0x02);
}

START_TEST(the_flip_flop_steers_the_bytes)
{
    struct bench b;

    bench_init(&b);
    rig_out(&b.r, LOW + 0xc, 0);
    put_word(&b, LOW + 0, 0x1234);
    put_word(&b, LOW + 1, 0x5678);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 0), 0x34);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 0), 0x12);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 1), 0x78);
    rig_out(&b.r, LOW + 0xc, 0);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 1), 0x78);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 0), 0x12);
    put_word(&b, HIGH + 2, 0xbeef); /* channel 5's count, and an alias */
    ck_assert_uint_eq(rig_in(&b.r, HIGH + 3), 0xef);
    bench_destroy(&b);
}
END_TEST

START_TEST(masks_requests_and_master_clear)
{
    struct bench b;

    bench_init(&b);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 0xf), 0x0f);
    rig_out(&b.r, LOW + 0xe, 0);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 0xf), 0x00);
    rig_out(&b.r, LOW + 0xa, 0x07);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 0xf), 0x08);
    rig_out(&b.r, LOW + 0xf, 0x05);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 0xf), 0x05);
    rig_out(&b.r, LOW + 0x9, 0x05);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 0x8), 0x20);
    rig_out(&b.r, LOW + 0xd, 0);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 0xf), 0x0f);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 0x8), 0x00);
    bench_destroy(&b);
}
END_TEST

START_TEST(page_registers_store)
{
    struct bench b;

    bench_init(&b);
    for (uint8_t i = 0; i < 16; i++)
        rig_out(&b.r, PAGE + i, 0xa0 + i);
    for (uint8_t i = 0; i < 16; i++)
        ck_assert_uint_eq(rig_in(&b.r, PAGE + i), 0xa0 + i);
    bench_destroy(&b);
}
END_TEST

START_TEST(bytes_reach_memory_until_the_terminal_count)
{
    struct bench b;
    bool tc;

    bench_init(&b);
    program(&b, TO_MEMORY, 0x54320, 10);

    struct dma_channel c = dma8237_channel(&b.d, 2);

    ck_assert_uint_eq(dma8237_transfer(&c, (uint8_t *)"abcdef", 6, &tc), 6);
    ck_assert(!tc);
    ck_assert_uint_eq(dma8237_transfer(&c, (uint8_t *)"ghijkl", 6, &tc), 4);
    ck_assert(tc);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x54320, 8), 0x6867666564636261);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x54328, 4), 0x00006a69);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 8), 0x04);
    ck_assert_uint_eq(rig_in(&b.r, LOW + 8), 0x00);
    /* And masked itself. */
    ck_assert_uint_eq(dma8237_transfer(&c, (uint8_t *)"m", 1, &tc), 0);
    bench_destroy(&b);
}
END_TEST

START_TEST(auto_init_starts_again)
{
    struct bench b;
    uint8_t byte = 0;
    bool tc;

    bench_init(&b);
    program(&b, FROM_MEMORY | AUTO_INIT, 0x100, 2);
    physmem_write(&b.pm, 0x100, 0xbbaa, 2);

    struct dma_channel c = dma8237_channel(&b.d, 2);

    for (unsigned i = 0; i < 6; i++) {
        ck_assert_uint_eq(dma8237_transfer(&c, &byte, 1, &tc), 1);
        ck_assert_uint_eq(byte, i & 1 ? 0xbb : 0xaa);
        ck_assert_uint_eq(tc, i & 1);
    }
    bench_destroy(&b);
}
END_TEST

START_TEST(the_address_wraps_within_its_page_and_may_count_down)
{
    struct bench b;
    uint8_t bytes[4] = {1, 2, 3, 4};
    bool tc;

    bench_init(&b);
    program(&b, TO_MEMORY, 0x3fffe, 4);

    struct dma_channel c = dma8237_channel(&b.d, 2);

    dma8237_transfer(&c, bytes, 4, &tc);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x3fffe, 2), 0x0201);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x30000, 2), 0x0403);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x40000, 2), 0);
    program(&b, TO_MEMORY | DOWN, 0x1003, 4);
    dma8237_transfer(&c, bytes, 4, &tc);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x1000, 4), 0x01020304);
    bench_destroy(&b);
}
END_TEST

START_TEST(verify_moves_nothing_but_counts)
{
    struct bench b;
    uint8_t bytes[4] = {1, 2, 3, 4};
    bool tc;

    bench_init(&b);
    program(&b, VERIFY, 0x1000, 4);

    struct dma_channel c = dma8237_channel(&b.d, 2);

    ck_assert_uint_eq(dma8237_transfer(&c, bytes, 4, &tc), 4);
    ck_assert(tc);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x1000, 4), 0);
    bench_destroy(&b);
}
END_TEST

START_TEST(the_high_channels_move_words)
{
    struct bench b;
    uint8_t bytes[6] = {1, 2, 3, 4, 5, 6};
    bool tc;

    bench_init(&b);
    rig_out(&b.r, HIGH + 0x16, TO_MEMORY | 1);
    put_word(&b, HIGH + 4, 0x1000);
    put_word(&b, HIGH + 6, 2 - 1);
    rig_out(&b.r, PAGE + 0xb, 0x03); /* bit 16 comes from the address */
    rig_out(&b.r, HIGH + 0x14, 0x01);

    struct dma_channel c = dma8237_channel(&b.d, 5);

    ck_assert_uint_eq(dma8237_transfer(&c, bytes, 6, &tc), 4);
    ck_assert(tc);
    ck_assert_uint_eq(physmem_read(&b.pm, 0x22000, 8), 0x04030201);
    bench_destroy(&b);
}
END_TEST

START_TEST(state_survives_a_round_trip)
{
    struct bench a, b;
    uint8_t bytes[64] = {0};
    bool tc;

    bench_init(&a);
    bench_init(&b);
    program(&a, TO_MEMORY, 0x1000, 4);
    carry_state(&a.d, &b.d);

    struct dma_channel c = dma8237_channel(&b.d, 2);

    ck_assert_uint_eq(dma8237_transfer(&c, bytes, 4, &tc), 4);
    for (unsigned i = 0; i < 256; i++) {
        load_garbage(&b.d, (uint8_t)i);
        for (unsigned ch = 0; ch < 8; ch++) {
            c.number = ch == 4 ? 0 : ch;
            dma8237_transfer(&c, bytes, sizeof(bytes), &tc);
        }
    }
    bench_destroy(&a);
    bench_destroy(&b);
}
END_TEST

SUITE("dma8237", the_flip_flop_steers_the_bytes,
      masks_requests_and_master_clear, page_registers_store,
      bytes_reach_memory_until_the_terminal_count, auto_init_starts_again,
      the_address_wraps_within_its_page_and_may_count_down,
      verify_moves_nothing_but_counts, the_high_channels_move_words,
      state_survives_a_round_trip)
