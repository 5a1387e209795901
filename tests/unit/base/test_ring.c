/* The ring: order is kept, and no index can leave its storage. */
#include "base/ring.h"

#include <string.h>

#include "tests/unit/suite.h"

START_TEST(bytes_come_out_in_order)
{
    struct ring r = {0};
    uint8_t byte = 0;

    for (int round = 0; round < 3 * RING_SIZE; round++) {
        ck_assert(ring_push(&r, (uint8_t)round));
        ck_assert(ring_push(&r, (uint8_t)(round + 1)));
        ck_assert(ring_peek(&r, &byte) && byte == (uint8_t)round);
        ck_assert(ring_pop(&r, &byte) && byte == (uint8_t)round);
        ck_assert(ring_pop(&r, &byte) && byte == (uint8_t)(round + 1));
    }
    ck_assert(!ring_pop(&r, &byte) && !ring_peek(&r, &byte));
}
END_TEST

START_TEST(a_full_ring_takes_no_more)
{
    struct ring r = {0};
    uint8_t byte = 0;

    for (int i = 0; i < RING_SIZE; i++)
        ck_assert(ring_push(&r, (uint8_t)i));
    ck_assert_uint_eq(ring_room(&r), 0);
    ck_assert(!ring_push(&r, 0xee));
    ck_assert(ring_pop(&r, &byte) && byte == 0);
    ck_assert(ring_push(&r, 0xee));
    ring_reset(&r);
    ck_assert_uint_eq(ring_room(&r), RING_SIZE);
}
END_TEST

START_TEST(blocks_wrap_and_stop_at_the_end)
{
    struct ring r = {.head = UINT32_MAX - 100, .tail = UINT32_MAX - 100};
    uint8_t in[RING_SIZE + 10], out[RING_SIZE + 10];

    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 7);
    ck_assert_uint_eq(ring_push_block(&r, in, sizeof(in)), RING_SIZE);
    ck_assert_uint_eq(ring_count(&r), RING_SIZE);
    ck_assert_uint_eq(ring_pop_block(&r, out, 100), 100);
    ck_assert_uint_eq(ring_pop_block(&r, out + 100, sizeof(out)),
                      RING_SIZE - 100);
    ck_assert_mem_eq(in, out, RING_SIZE);
    ck_assert_uint_eq(ring_pop_block(&r, out, 1), 0);
}
END_TEST

/* What a damaged saved state could hold. */
START_TEST(nonsense_indices_stay_inside)
{
    uint8_t out[RING_SIZE];

    for (uint32_t i = 0; i < 32; i++) {
        struct ring r = {.head = 0x9e3779b9u * i, .tail = 0x85ebca6bu * i};

        ck_assert_uint_le(ring_count(&r), RING_SIZE);
        ring_push_block(&r, out, sizeof(out));
        ck_assert_uint_le(ring_pop_block(&r, out, sizeof(out)), RING_SIZE);
    }
}
END_TEST

SUITE("ring", bytes_come_out_in_order, a_full_ring_takes_no_more,
      blocks_wrap_and_stop_at_the_end, nonsense_indices_stay_inside)
