/* 8254: the six modes, reading while counting, edges that do not drift. */
#include "devices/pit.h"

#include "tests/unit/devices/rig.h"

enum { BASE = 0x40, CONTROL = 0x43, LATCH = 0x00 };

/* Control words: counter, both bytes, mode. */
enum { C0 = 0x30, C2 = 0xb0, BCD = 1 };

struct bench {
    struct rig r;
    struct pit pit;
    struct wire out0;
    struct line gate2;
    struct sense out2;
};

static void bench_init(struct bench *b)
{
    *b = (struct bench){.out0 = {false, 0}};
    rig_init(&b->r);
    pit_init(&b->pit, &b->r.io, BASE, &b->r.clk, wire_line(&b->out0));
    b->gate2 = pit_gate2(&b->pit);
    b->out2 = pit_out2(&b->pit);
    line_set(&b->gate2, true);
}

/* Moves to the start of a tick: ticks from the clock's zero. */
static void run_to_tick(struct bench *b, uint64_t tick)
{
    vtime t = (tick * NS_PER_S + PIT_HZ - 1) / PIT_HZ;

    rig_run(&b->r, t - clock_now(&b->r.clk));
}

static void start(struct bench *b, uint8_t control, uint16_t count)
{
    uint16_t port = (uint16_t)(BASE + (control >> 6));

    rig_out(&b->r, CONTROL, control);
    rig_out(&b->r, port, (uint8_t)count);
    rig_out(&b->r, port, (uint8_t)(count >> 8));
}

static unsigned read_word(struct bench *b, unsigned counter)
{
    uint16_t port = (uint16_t)(BASE + counter);
    unsigned low = rig_in(&b->r, port);

    return low | (unsigned)rig_in(&b->r, port) << 8;
}

static bool out2(const struct bench *b)
{
    return sense_get(&b->out2);
}

START_TEST(mode_0_rises_after_the_count_and_one_tick_for_loading)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 0, 100);
    ck_assert(!out2(&b));
    run_to_tick(&b, 100);
    ck_assert(!out2(&b));
    ck_assert_uint_eq(read_word(&b, 2), 1);
    run_to_tick(&b, 101);
    ck_assert(out2(&b));
    run_to_tick(&b, 103);
    ck_assert_uint_eq(read_word(&b, 2), 0xfffe);
    ck_assert(out2(&b));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(mode_0_waits_while_the_gate_is_low)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 0, 100);
    run_to_tick(&b, 41);
    line_set(&b.gate2, false);
    run_to_tick(&b, 1000);
    ck_assert_uint_eq(read_word(&b, 2), 60);
    line_set(&b.gate2, true);
    run_to_tick(&b, 1059);
    ck_assert(!out2(&b));
    run_to_tick(&b, 1060);
    ck_assert(out2(&b));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(mode_1_is_started_by_the_gate)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 2, 50);
    run_to_tick(&b, 500);
    ck_assert(out2(&b));
    line_set(&b.gate2, false);
    line_set(&b.gate2, true);
    run_to_tick(&b, 502);
    ck_assert(!out2(&b));
    run_to_tick(&b, 530);
    line_set(&b.gate2, false);
    line_set(&b.gate2, true); /* again, before it ends */
    run_to_tick(&b, 580);
    ck_assert(!out2(&b));
    run_to_tick(&b, 581);
    ck_assert(out2(&b));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(mode_2_is_low_for_the_last_tick_of_each_period)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 4, 10);
    for (unsigned tick = 1; tick < 40; tick++) {
        run_to_tick(&b, tick);
        ck_assert_uint_eq(out2(&b), (tick - 1) % 10 != 9);
        ck_assert_uint_eq(read_word(&b, 2), 10 - (tick - 1) % 10);
    }
    rig_destroy(&b.r);
}
END_TEST

START_TEST(mode_3_is_high_for_the_longer_half)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 6, 7);
    for (unsigned tick = 1; tick < 40; tick++) {
        static const uint8_t counts[7] = {6, 4, 2, 0, 6, 4, 2};

        run_to_tick(&b, tick);
        ck_assert_uint_eq(out2(&b), (tick - 1) % 7 < 4);
        ck_assert_uint_eq(read_word(&b, 2), counts[(tick - 1) % 7]);
    }
    ck_assert_uint_eq(pit_tone(&b.pit), 7);
    line_set(&b.gate2, false);
    ck_assert(out2(&b));
    ck_assert_uint_eq(pit_tone(&b.pit), 0);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(mode_4_strobes_once)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 8, 20);
    run_to_tick(&b, 20);
    ck_assert(out2(&b));
    run_to_tick(&b, 21);
    ck_assert(!out2(&b));
    run_to_tick(&b, 22);
    ck_assert(out2(&b));
    run_to_tick(&b, 21 + 65536);
    ck_assert(out2(&b));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(mode_5_strobes_after_the_gate)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 10, 20);
    run_to_tick(&b, 100);
    ck_assert(out2(&b));
    line_set(&b.gate2, false);
    line_set(&b.gate2, true);
    run_to_tick(&b, 121);
    ck_assert(!out2(&b));
    run_to_tick(&b, 122);
    ck_assert(out2(&b));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(a_new_count_waits_for_the_end_of_the_period)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 4, 100);
    run_to_tick(&b, 51);
    rig_out(&b.r, BASE + 2, 30);
    rig_out(&b.r, BASE + 2, 0);
    run_to_tick(&b, 100);
    ck_assert_uint_eq(read_word(&b, 2), 1);
    run_to_tick(&b, 101);
    ck_assert_uint_eq(read_word(&b, 2), 30);
    run_to_tick(&b, 130);
    ck_assert(!out2(&b));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(a_new_count_in_mode_3_waits_for_the_end_of_the_half)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 6, 100);
    run_to_tick(&b, 11);
    rig_out(&b.r, BASE + 2, 20);
    rig_out(&b.r, BASE + 2, 0);
    run_to_tick(&b, 50);
    ck_assert(out2(&b));
    run_to_tick(&b, 51);
    ck_assert(!out2(&b));
    run_to_tick(&b, 60);
    ck_assert(!out2(&b));
    run_to_tick(&b, 61);
    ck_assert(out2(&b));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(bcd_counts_decimal)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | BCD, 0x1000);
    run_to_tick(&b, 2);
    ck_assert_uint_eq(read_word(&b, 2), 0x0999);
    start(&b, C2 | BCD, 0);
    run_to_tick(&b, 4);
    ck_assert_uint_eq(read_word(&b, 2), 0x9999);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(a_latched_count_stands_still_until_it_is_read)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 4, 1000);
    run_to_tick(&b, 101);
    rig_out(&b.r, CONTROL, 0x80 | LATCH);
    run_to_tick(&b, 301);
    rig_out(&b.r, CONTROL, 0x80 | LATCH); /* ignored */
    ck_assert_uint_eq(read_word(&b, 2), 900);
    ck_assert_uint_eq(read_word(&b, 2), 700);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(read_back_latches_status_before_count)
{
    struct bench b;

    bench_init(&b);
    start(&b, C2 | 0, 100);
    rig_out(&b.r, CONTROL, 0xe8); /* status: not loaded yet, OUT low */
    ck_assert_uint_eq(rig_in(&b.r, BASE + 2), 0x40 | 0x30);
    run_to_tick(&b, 200);
    rig_out(&b.r, CONTROL, 0xc8); /* both */
    ck_assert_uint_eq(rig_in(&b.r, BASE + 2), 0x80 | 0x30);
    ck_assert_uint_eq(read_word(&b, 2), 0x10000 - 99);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(one_byte_access_reads_and_writes_that_byte)
{
    struct bench b;

    bench_init(&b);
    rig_out(&b.r, CONTROL, 0xa0); /* high byte, mode 0 */
    rig_out(&b.r, BASE + 2, 0x12);
    run_to_tick(&b, 1);
    ck_assert_uint_eq(rig_in(&b.r, BASE + 2), 0x12);
    ck_assert_uint_eq(rig_in(&b.r, BASE + 2), 0x12);
    rig_out(&b.r, CONTROL, 0x90); /* low byte */
    rig_out(&b.r, BASE + 2, 0x34);
    run_to_tick(&b, 3);
    ck_assert_uint_eq(rig_in(&b.r, BASE + 2), 0x33);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_first_byte_stops_mode_0)
{
    struct bench b;

    bench_init(&b);
    start(&b, C0 | 0, 10);
    run_to_tick(&b, 20);
    ck_assert(b.out0.level);
    rig_out(&b.r, BASE, 10);
    ck_assert(!b.out0.level);
    run_to_tick(&b, 1000);
    ck_assert(!b.out0.level);
    rig_out(&b.r, BASE, 0);
    run_to_tick(&b, 1012);
    ck_assert(b.out0.level);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_tick_interrupt_does_not_drift)
{
    struct bench b;

    bench_init(&b);
    start(&b, C0 | 4, 11932);
    b.out0.rises = 0;
    rig_run(&b.r, 1000 * SECONDS);
    ck_assert_uint_eq(b.out0.rises, (1000ull * PIT_HZ - 1) / 11932);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(both_periodic_modes_rise_once_a_period)
{
    struct bench b;

    for (uint8_t mode = 4; mode <= 6; mode += 2) {
        bench_init(&b);
        start(&b, C0 | mode, 0);
        b.out0.rises = 0;
        run_to_tick(&b, 1 + 10 * 65536 - 1);
        ck_assert_uint_eq(b.out0.rises, 9);
        run_to_tick(&b, 1 + 10 * 65536);
        ck_assert_uint_eq(b.out0.rises, 10);
        rig_destroy(&b.r);
    }
}
END_TEST

START_TEST(a_count_of_1_interrupts_at_a_bounded_rate)
{
    struct bench b;

    bench_init(&b);
    start(&b, C0 | 4, 1);
    b.out0.rises = 0;
    rig_run(&b.r, 10 * MS);
    ck_assert_uint_ge(b.out0.rises, 900);
    ck_assert_uint_le(b.out0.rises, 10 * (PIT_HZ / 1000) / PIT_MIN_TICKS + 1);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(edges_missed_while_standing_still_become_one)
{
    struct bench b;

    bench_init(&b);
    start(&b, C0 | 4, 1000);
    b.out0.rises = 0;
    clock_advance(&b.r.clk, NS_PER_S);
    ck_assert_uint_eq(clock_run(&b.r.clk), 1);
    ck_assert_uint_eq(b.out0.rises, 1);
    ck_assert_uint_gt(clock_next(&b.r.clk), clock_now(&b.r.clk));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(mode_0_on_counter_0_interrupts_once)
{
    struct bench b;

    bench_init(&b);
    start(&b, C0 | 0, 1000);
    run_to_tick(&b, 1000);
    ck_assert(!b.out0.level);
    run_to_tick(&b, 300000);
    ck_assert(b.out0.level);
    ck_assert_uint_eq(b.out0.rises, 1);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(state_survives_a_round_trip)
{
    struct bench a, b;

    bench_init(&a);
    start(&a, C0 | 6, 5000);
    start(&a, C2 | 4, 300);
    run_to_tick(&a, 7777);
    bench_init(&b);
    clock_advance(&b.r.clk, clock_now(&a.r.clk));
    carry_state(&a.pit, &b.pit);
    ck_assert_uint_eq(clock_next(&a.r.clk), clock_next(&b.r.clk));
    run_to_tick(&a, 20000);
    run_to_tick(&b, 20000);
    ck_assert_uint_eq(read_word(&a, 2), read_word(&b, 2));
    ck_assert_ptr_null(state_compare(a.pit.dev.cls->state, &a.pit, &b.pit));
    rig_destroy(&a.r);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(any_loaded_bytes_are_harmless)
{
    struct bench b;

    for (unsigned i = 0; i < 256; i++) {
        bench_init(&b);
        load_garbage(&b.pit, (uint8_t)i);
        for (unsigned step = 0; step < 100; step++) {
            clock_advance(&b.r.clk, 100 * US);
            clock_run(&b.r.clk);
            read_word(&b, step % 3);
        }
        start(&b, C0 | 4, 1000);
        out2(&b);
        rig_destroy(&b.r);
    }
}
END_TEST

SUITE("pit", mode_0_rises_after_the_count_and_one_tick_for_loading,
      mode_0_waits_while_the_gate_is_low, mode_1_is_started_by_the_gate,
      mode_2_is_low_for_the_last_tick_of_each_period,
      mode_3_is_high_for_the_longer_half, mode_4_strobes_once,
      mode_5_strobes_after_the_gate,
      a_new_count_waits_for_the_end_of_the_period,
      a_new_count_in_mode_3_waits_for_the_end_of_the_half, bcd_counts_decimal,
      a_latched_count_stands_still_until_it_is_read,
      read_back_latches_status_before_count,
      one_byte_access_reads_and_writes_that_byte, the_first_byte_stops_mode_0,
      the_tick_interrupt_does_not_drift, both_periodic_modes_rise_once_a_period,
      a_count_of_1_interrupts_at_a_bounded_rate,
      edges_missed_while_standing_still_become_one,
      mode_0_on_counter_0_interrupts_once, state_survives_a_round_trip,
      any_loaded_bytes_are_harmless)
