/* MC146818: time in every format, the update cycle, the three interrupts. */
#include "devices/cmos.h"

#include "tests/unit/devices/rig.h"

enum { BASE = 0x70 };
enum { A = 0x0a, B = 0x0b, C = 0x0c, D = 0x0d };
enum { SET = 0x80, PIE = 0x40, AIE = 0x20, UIE = 0x10, BINARY = 4, H24 = 2 };

/* 2024-02-29 23:59:58, a Thursday. */
static const int64_t leap_day = 1709251198;

struct bench {
    struct rig r;
    struct cmos c;
    struct wire irq;
};

static void bench_init(struct bench *b, int64_t seconds)
{
    *b = (struct bench){.irq = {false, 0}};
    rig_init(&b->r);
    cmos_init(&b->c, &b->r.io, BASE, &b->r.clk, wire_line(&b->irq), seconds);
}

static uint8_t get(struct bench *b, uint8_t index)
{
    rig_out(&b->r, BASE, index);
    return rig_in(&b->r, BASE + 1);
}

static void put(struct bench *b, uint8_t index, uint8_t value)
{
    rig_out(&b->r, BASE, index);
    rig_out(&b->r, BASE + 1, value);
}

/* Hours, minutes, seconds as three bytes of a number. */
static unsigned clock_time(struct bench *b)
{
    return (unsigned)get(b, 4) << 16 | (unsigned)get(b, 2) << 8 | get(b, 0);
}

static unsigned date(struct bench *b)
{
    return (unsigned)get(b, 0x32) << 24 | (unsigned)get(b, 9) << 16 |
           (unsigned)get(b, 8) << 8 | get(b, 7);
}

START_TEST(time_runs_over_midnight_of_a_leap_day)
{
    struct bench b;

    bench_init(&b, leap_day);
    ck_assert_uint_eq(clock_time(&b), 0x235958);
    ck_assert_uint_eq(date(&b), 0x20240229);
    ck_assert_uint_eq(get(&b, 6), 5);
    rig_run(&b.r, 2 * SECONDS);
    ck_assert_uint_eq(clock_time(&b), 0x000000);
    ck_assert_uint_eq(date(&b), 0x20240301);
    ck_assert_uint_eq(get(&b, 6), 6);
    ck_assert_uint_eq(get(&b, D), 0x80);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(binary_and_12_hour_formats)
{
    struct bench b;

    bench_init(&b, leap_day);
    put(&b, B, BINARY | H24);
    ck_assert_uint_eq(clock_time(&b), 23 << 16 | 59 << 8 | 58);
    put(&b, B, 0);
    ck_assert_uint_eq(get(&b, 4), 0x91); /* 11 pm */
    rig_run(&b.r, 2 * SECONDS);
    ck_assert_uint_eq(get(&b, 4), 0x12); /* 12 am */
    rig_run(&b.r, 12 * 3600 * SECONDS);
    ck_assert_uint_eq(get(&b, 4), 0x92);
    put(&b, B, BINARY);
    ck_assert_uint_eq(get(&b, 4), 0x8c);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(set_stops_the_time_and_the_new_one_counts_afterwards)
{
    struct bench b;

    bench_init(&b, leap_day);
    put(&b, B, SET | H24);
    rig_run(&b.r, 10 * SECONDS);
    ck_assert_uint_eq(clock_time(&b), 0x235958);
    put(&b, 0x32, 0x19);
    put(&b, 9, 0x99);
    put(&b, 8, 0x12);
    put(&b, 7, 0x31);
    put(&b, 6, 0x06);
    ck_assert_uint_eq(date(&b), 0x19991231);
    put(&b, B, H24);
    ck_assert_uint_eq(clock_time(&b), 0x235958);
    rig_run(&b.r, 2 * SECONDS);
    ck_assert_uint_eq(date(&b), 0x20000101);
    ck_assert_uint_eq(get(&b, 6), 7);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(a_time_written_while_running_counts_at_once)
{
    struct bench b;

    bench_init(&b, leap_day);
    rig_run(&b.r, 300 * MS);
    put(&b, 4, 0x10);
    ck_assert_uint_eq(clock_time(&b), 0x105958);
    rig_run(&b.r, 699 * MS);
    ck_assert_uint_eq(clock_time(&b), 0x105958);
    rig_run(&b.r, 1 * MS);
    ck_assert_uint_eq(clock_time(&b), 0x105959);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_weekday_is_what_the_guest_says)
{
    struct bench b;

    bench_init(&b, leap_day);
    put(&b, 6, 2);
    ck_assert_uint_eq(get(&b, 6), 2);
    ck_assert_uint_eq(date(&b), 0x20240229);
    rig_run(&b.r, 2 * SECONDS);
    ck_assert_uint_eq(get(&b, 6), 3);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(lifting_the_divider_reset_updates_half_a_second_later)
{
    struct bench b;

    bench_init(&b, leap_day);
    put(&b, A, 0x76);
    rig_run(&b.r, 5 * SECONDS);
    ck_assert_uint_eq(clock_time(&b), 0x235958);
    put(&b, A, 0x26);
    rig_run(&b.r, 499 * MS);
    ck_assert_uint_eq(clock_time(&b), 0x235958);
    rig_run(&b.r, 1 * MS);
    ck_assert_uint_eq(clock_time(&b), 0x235959);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(update_in_progress_precedes_each_update)
{
    struct bench b;

    bench_init(&b, leap_day);
    rig_run(&b.r, 997 * MS);
    ck_assert_uint_eq(get(&b, A), 0x26);
    rig_run(&b.r, 1 * MS);
    ck_assert_uint_eq(get(&b, A), 0xa6);
    rig_run(&b.r, 2 * MS);
    ck_assert_uint_eq(get(&b, A), 0x26);
    ck_assert_uint_eq(clock_time(&b), 0x235959);
    put(&b, B, SET | H24);
    rig_run(&b.r, 999 * MS);
    ck_assert_uint_eq(get(&b, A), 0x26);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_update_interrupt_comes_each_second_until_read)
{
    struct bench b;

    bench_init(&b, leap_day);
    put(&b, B, H24 | UIE);
    get(&b, C);
    rig_run(&b.r, 1 * SECONDS);
    ck_assert(b.irq.level);
    ck_assert_uint_eq(get(&b, C) & 0x90, 0x90);
    ck_assert(!b.irq.level);
    ck_assert_uint_eq(get(&b, C) & 0x90, 0);
    rig_run(&b.r, 1 * SECONDS);
    ck_assert_uint_eq(b.irq.rises, 2);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(flags_are_set_without_their_interrupts)
{
    struct bench b;

    bench_init(&b, leap_day);
    rig_run(&b.r, 1 * SECONDS);
    ck_assert_uint_eq(get(&b, C), 0x50); /* no IRQF */
    ck_assert_uint_eq(b.irq.rises, 0);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_alarm_matches_with_and_without_wildcards)
{
    struct bench b;

    bench_init(&b, leap_day);
    put(&b, 5, 0x00);
    put(&b, 3, 0x00);
    put(&b, 1, 0x01);
    put(&b, B, H24 | AIE);
    rig_run(&b.r, 2999 * MS);
    ck_assert(!b.irq.level);
    rig_run(&b.r, 1 * MS);
    ck_assert(b.irq.level);
    ck_assert_uint_eq(get(&b, C) & 0xa0, 0xa0);
    put(&b, 5, 0xff);
    put(&b, 3, 0xc0);
    rig_run(&b.r, 180 * SECONDS); /* each minute; nobody reads C */
    ck_assert_uint_eq(b.irq.rises, 2);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(an_alarm_is_not_lost_when_the_machine_was_late)
{
    struct bench b;

    bench_init(&b, leap_day);
    put(&b, 5, 0x03);
    put(&b, 3, 0x00);
    put(&b, 1, 0x00);
    put(&b, B, H24 | AIE);
    clock_advance(&b.r.clk, 6 * 3600 * SECONDS);
    clock_run(&b.r.clk);
    ck_assert(b.irq.level);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_periodic_interrupt_keeps_its_rate)
{
    static const unsigned hz[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                    256, 128, 64,  32,   16,   8,    4,    2};

    for (uint8_t rate = 0; rate < 16; rate++) {
        struct bench b;
        unsigned seen = 0;

        bench_init(&b, leap_day);
        put(&b, A, 0x20 | rate);
        put(&b, B, H24 | PIE);
        get(&b, C);
        for (unsigned i = 0; i < 20000; i++) {
            rig_run(&b.r, 50 * US);
            seen += b.irq.level;
            if (b.irq.level)
                get(&b, C);
        }
        ck_assert_uint_eq(seen, hz[rate]);
        rig_destroy(&b.r);
    }
}
END_TEST

START_TEST(an_unread_periodic_interrupt_costs_no_timers)
{
    struct bench b;

    bench_init(&b, leap_day);
    put(&b, A, 0x23);
    put(&b, B, H24 | PIE);
    rig_run(&b.r, 1 * MS);
    ck_assert(b.irq.level);
    ck_assert_uint_eq(clock_next(&b.r.clk), 1 * SECONDS);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_index_port_keeps_the_nmi_mask)
{
    struct bench b;

    bench_init(&b, leap_day);
    ck_assert(!cmos_nmi_masked(&b.c));
    rig_out(&b.r, BASE, 0x80 | 0x10);
    ck_assert(cmos_nmi_masked(&b.c));
    rig_out(&b.r, BASE + 1, 0x42);
    ck_assert_uint_eq(cmos_get(&b.c, 0x10), 0x42);
    rig_out(&b.r, BASE, 0x10);
    ck_assert(!cmos_nmi_masked(&b.c));
    ck_assert_uint_eq(rig_in(&b.r, BASE), 0xff);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(reset_keeps_time_and_ram_and_clears_enables)
{
    struct bench b;

    bench_init(&b, leap_day);
    cmos_set(&b.c, 0x5b, 0x77);
    put(&b, B, H24 | UIE | PIE);
    rig_run(&b.r, 1 * SECONDS);
    ck_assert(b.irq.level);
    device_reset(&b.c);
    ck_assert(!b.irq.level);
    ck_assert_uint_eq(get(&b, B), H24);
    ck_assert_uint_eq(get(&b, 0x5b), 0x77);
    ck_assert_uint_eq(clock_time(&b), 0x235959);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(nonsense_dates_carry_over)
{
    struct bench b;

    bench_init(&b, leap_day);
    for (unsigned v = 0; v < 256; v++)
        for (uint8_t index = 0; index < 10; index++)
            put(&b, index, (uint8_t)v);
    rig_run(&b.r, 5 * SECONDS);
    ck_assert_uint_le(get(&b, 0), 0x59);
    ck_assert_uint_le(get(&b, 8), 0x12);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(state_survives_a_round_trip)
{
    struct bench a, b;

    bench_init(&a, leap_day);
    put(&a, B, H24 | UIE | PIE);
    rig_run(&a.r, 12345 * US);
    get(&a, C);
    bench_init(&b, 0);
    clock_advance(&b.r.clk, clock_now(&a.r.clk));
    carry_state(&a.c, &b.c);
    ck_assert_uint_eq(clock_next(&a.r.clk), clock_next(&b.r.clk));
    rig_run(&a.r, 1 * SECONDS);
    rig_run(&b.r, 1 * SECONDS);
    ck_assert_uint_eq(clock_time(&a), clock_time(&b));
    ck_assert(b.irq.level);
    for (unsigned i = 0; i < 256; i++) {
        load_garbage(&b.c, (uint8_t)i);
        clock_advance(&b.r.clk, 1 * SECONDS);
        clock_run(&b.r.clk);
        clock_time(&b);
        put(&b, B, H24);
        put(&b, 0, 0);
        get(&b, C);
    }
    rig_destroy(&a.r);
    rig_destroy(&b.r);
}
END_TEST

SUITE("cmos", time_runs_over_midnight_of_a_leap_day, binary_and_12_hour_formats,
      set_stops_the_time_and_the_new_one_counts_afterwards,
      a_time_written_while_running_counts_at_once,
      the_weekday_is_what_the_guest_says,
      lifting_the_divider_reset_updates_half_a_second_later,
      update_in_progress_precedes_each_update,
      the_update_interrupt_comes_each_second_until_read,
      flags_are_set_without_their_interrupts,
      the_alarm_matches_with_and_without_wildcards,
      an_alarm_is_not_lost_when_the_machine_was_late,
      the_periodic_interrupt_keeps_its_rate,
      an_unread_periodic_interrupt_costs_no_timers,
      the_index_port_keeps_the_nmi_mask,
      reset_keeps_time_and_ram_and_clears_enables, nonsense_dates_carry_over,
      state_survives_a_round_trip)
