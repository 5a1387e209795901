/* System control port B, wired to a timer as on the board. */
#include "devices/port61.h"

#include "devices/pit.h"
#include "tests/unit/devices/rig.h"

enum { PORT = 0x61, GATE = 1, SPEAKER = 2, REFRESH = 0x10, OUT2 = 0x20 };

struct bench {
    struct rig r;
    struct pit pit;
    struct port61 p;
};

static void bench_init(struct bench *b)
{
    rig_init(&b->r);
    pit_init(&b->pit, &b->r.io, 0x40, &b->r.clk, LINE_NONE);
    port61_init(&b->p, &b->r.io, PORT, &b->r.clk, pit_gate2(&b->pit),
                pit_out2(&b->pit));
}

START_TEST(the_gate_starts_counter_2_and_its_output_can_be_polled)
{
    struct bench b;

    bench_init(&b);
    rig_out(&b.r, 0x43, 0xb0);
    rig_out(&b.r, 0x42, 0xa9);
    rig_out(&b.r, 0x42, 0x04); /* 1193 ticks: 1 ms */
    rig_run(&b.r, 5 * MS);
    ck_assert(!(rig_in(&b.r, PORT) & OUT2));
    rig_out(&b.r, PORT, GATE);
    rig_run(&b.r, 990 * US);
    ck_assert(!(rig_in(&b.r, PORT) & OUT2));
    rig_run(&b.r, 20 * US);
    ck_assert(rig_in(&b.r, PORT) & OUT2);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_refresh_bit_changes_every_15_us)
{
    struct bench b;
    unsigned changes = 0, last = 0;

    bench_init(&b);
    for (unsigned us = 0; us < 30170; us++) {
        unsigned now = rig_in(&b.r, PORT) & REFRESH;

        changes += now != last;
        last = now;
        rig_run(&b.r, 1 * US);
    }
    ck_assert_uint_ge(changes, 1999);
    ck_assert_uint_le(changes, 2000);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_low_four_bits_read_back_and_reset_clears_them)
{
    struct bench b;

    bench_init(&b);
    rig_out(&b.r, PORT, 0xff);
    ck_assert_uint_eq(rig_in(&b.r, PORT) & 0xcf, 0x0f);
    ck_assert(port61_speaker_on(&b.p));
    device_reset(&b.p);
    ck_assert_uint_eq(rig_in(&b.r, PORT) & 0xcf, 0);
    ck_assert(!port61_speaker_on(&b.p));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(state_survives_a_round_trip)
{
    struct bench a, b;

    bench_init(&a);
    bench_init(&b);
    rig_out(&a.r, PORT, GATE | SPEAKER);
    carry_state(&a.pit, &b.pit);
    carry_state(&a.p, &b.p);
    ck_assert_uint_eq(rig_in(&b.r, PORT), rig_in(&a.r, PORT));
    load_garbage(&b.p, 0xff);
    ck_assert_uint_eq(rig_in(&b.r, PORT) & 0xc0, 0);
    rig_destroy(&a.r);
    rig_destroy(&b.r);
}
END_TEST

SUITE("port61", the_gate_starts_counter_2_and_its_output_can_be_polled,
      the_refresh_bit_changes_every_15_us,
      the_low_four_bits_read_back_and_reset_clears_them,
      state_survives_a_round_trip)
