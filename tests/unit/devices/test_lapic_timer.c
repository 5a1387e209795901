/* The local APIC's timer: rates, modes, no drift, no storm. */
#include "devices/lapic_timer.h"

#include "tests/unit/suite.h"

enum {
    BUS_HZ = 1000000000, /* one tick is 1 ns */
    TSC_HZ = 2000000000,
    DIVIDE_1 = 0x0b,
    DIVIDE_2 = 0x00,
};

struct setup {
    struct clock clock;
    struct lapic_timer t;
    unsigned fired;
};

static void expired(void *owner)
{
    ((struct setup *)owner)->fired++;
}

static void setup_at(struct setup *s, uint32_t bus_hz, uint32_t tsc_hz)
{
    clock_init(&s->clock, CLOCK_DETERMINISTIC);
    s->fired = 0;
    lapic_timer_init(&s->t, &s->clock, bus_hz, tsc_hz, expired, s);
    lapic_timer_set_divide(&s->t, DIVIDE_1);
}

static void setup_init(struct setup *s)
{
    setup_at(s, BUS_HZ, TSC_HZ);
}

static void pass(struct setup *s, vtime ns)
{
    clock_advance(&s->clock, ns);
    clock_run(&s->clock);
}

START_TEST(one_shot_runs_out_once)
{
    struct setup s;

    setup_init(&s);
    lapic_timer_set_count(&s.t, 100000);
    ck_assert_uint_eq(lapic_timer_current(&s.t), 100000);
    pass(&s, 99999);
    ck_assert_uint_eq(lapic_timer_current(&s.t), 1);
    ck_assert_uint_eq(s.fired, 0);
    pass(&s, 1);
    ck_assert_uint_eq(lapic_timer_current(&s.t), 0);
    ck_assert_uint_eq(s.fired, 1);
    pass(&s, 1000000);
    ck_assert_uint_eq(s.fired, 1);
    ck_assert_uint_eq(clock_next(&s.clock), VTIME_NEVER);
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(divide_values)
{
    static const struct {
        uint8_t config;
        unsigned divide;
    } rows[] = {{0x0, 2},  {0x1, 4},  {0x2, 8},   {0x3, 16},
                {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};
    struct setup s;

    setup_init(&s);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        lapic_timer_set_divide(&s.t, rows[i].config);
        lapic_timer_set_count(&s.t, 1000);
        pass(&s, 500 * rows[i].divide);
        ck_assert_uint_eq(lapic_timer_current(&s.t), 500);
    }
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(new_divider_keeps_the_count)
{
    struct setup s;

    setup_init(&s);
    lapic_timer_set_count(&s.t, 100000);
    pass(&s, 40000);
    lapic_timer_set_divide(&s.t, DIVIDE_2);
    ck_assert_uint_eq(lapic_timer_current(&s.t), 60000);
    pass(&s, 119999);
    ck_assert_uint_eq(s.fired, 0);
    pass(&s, 1);
    ck_assert_uint_eq(s.fired, 1);
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(periodic_reloads)
{
    struct setup s;

    setup_init(&s);
    lapic_timer_set_mode(&s.t, LAPIC_PERIODIC);
    lapic_timer_set_count(&s.t, 50000);
    for (unsigned i = 1; i <= 10; i++) {
        pass(&s, 49999);
        ck_assert_uint_eq(s.fired, i - 1);
        ck_assert_uint_eq(lapic_timer_current(&s.t), 1);
        pass(&s, 1);
        ck_assert_uint_eq(s.fired, i);
        ck_assert_uint_eq(lapic_timer_current(&s.t), 50000);
    }
    lapic_timer_set_count(&s.t, 0);
    pass(&s, 1000000);
    ck_assert_uint_eq(s.fired, 10);
    clock_destroy(&s.clock);
}
END_TEST

/* 3,579 ticks of a 3.579545 MHz clock are no whole number of ns: after an
 * hour the count of interrupts is still exact. */
START_TEST(periodic_does_not_drift)
{
    const uint32_t hz = 3579545, period = 3579;
    const uint64_t seconds = 3600;
    struct setup s;

    setup_at(&s, hz, TSC_HZ);
    lapic_timer_set_mode(&s.t, LAPIC_PERIODIC);
    lapic_timer_set_count(&s.t, period);
    while (clock_next(&s.clock) <= seconds * NS_PER_S)
        pass(&s, clock_next(&s.clock) - clock_now(&s.clock));
    ck_assert_uint_eq(s.fired, seconds * hz / period);
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(late_periods_are_coalesced)
{
    struct setup s;

    setup_init(&s);
    lapic_timer_set_mode(&s.t, LAPIC_PERIODIC);
    lapic_timer_set_count(&s.t, 50000);
    pass(&s, 510000);
    ck_assert_uint_eq(s.fired, 1);
    ck_assert_uint_eq(lapic_timer_current(&s.t), 40000);
    pass(&s, 40000);
    ck_assert_uint_eq(s.fired, 2);
    clock_destroy(&s.clock);
}
END_TEST

/* A period of 1 ns for 1 ms: the guest gets one interrupt each 20 us. */
START_TEST(tiny_period_is_no_storm)
{
    struct setup s;

    setup_init(&s);
    lapic_timer_set_mode(&s.t, LAPIC_PERIODIC);
    lapic_timer_set_count(&s.t, 1);
    for (unsigned i = 0; i < 1000000; i += 100)
        pass(&s, 100);
    ck_assert_uint_ge(s.fired, 45);
    ck_assert_uint_le(s.fired, 51);
    lapic_timer_set_count(&s.t, 3000);
    pass(&s, 3000);
    pass(&s, 1000);
    ck_assert_uint_eq(lapic_timer_current(&s.t), 2000);
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(mode_change_keeps_a_running_count)
{
    struct setup s;

    setup_init(&s);
    lapic_timer_set_mode(&s.t, LAPIC_PERIODIC);
    lapic_timer_set_count(&s.t, 3000);
    pass(&s, 3000);
    lapic_timer_set_mode(&s.t, LAPIC_ONE_SHOT);
    ck_assert_uint_eq(lapic_timer_current(&s.t), 3000);
    pass(&s, 3000);
    ck_assert_uint_eq(s.fired, 2);
    pass(&s, 1000000);
    ck_assert_uint_eq(s.fired, 2);
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(reserved_mode_never_fires)
{
    struct setup s;

    setup_init(&s);
    lapic_timer_set_mode(&s.t, LAPIC_TIMER_RESERVED);
    lapic_timer_set_count(&s.t, 1000);
    pass(&s, 1000000);
    ck_assert_uint_eq(s.fired, 0);
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(deadline_fires_when_the_tsc_gets_there)
{
    struct setup s;

    setup_init(&s);
    lapic_timer_set_deadline(&s.t, 5);
    ck_assert_uint_eq(s.t.tsc_deadline, 0);
    lapic_timer_set_mode(&s.t, LAPIC_TSC_DEADLINE);
    lapic_timer_set_count(&s.t, 1000);
    lapic_timer_set_deadline(&s.t, 200001);
    ck_assert_uint_eq(lapic_timer_current(&s.t), 0);
    pass(&s, 100000);
    ck_assert_uint_eq(s.fired, 0);
    pass(&s, 1);
    ck_assert_uint_eq(s.fired, 1);
    ck_assert_uint_eq(s.t.tsc_deadline, 0);
    lapic_timer_set_deadline(&s.t, 1);
    pass(&s, 0);
    ck_assert_uint_eq(s.fired, 2);
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(deadline_can_be_withdrawn)
{
    struct setup s;

    setup_init(&s);
    lapic_timer_set_mode(&s.t, LAPIC_TSC_DEADLINE);
    lapic_timer_set_deadline(&s.t, 200000);
    lapic_timer_set_deadline(&s.t, 0);
    pass(&s, 200000);
    lapic_timer_set_deadline(&s.t, 800000);
    lapic_timer_set_mode(&s.t, LAPIC_ONE_SHOT);
    pass(&s, 400000);
    ck_assert_uint_eq(s.fired, 0);
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(written_tsc_moves_the_deadline)
{
    struct setup s;

    setup_init(&s);
    lapic_timer_set_mode(&s.t, LAPIC_TSC_DEADLINE);
    lapic_timer_set_deadline(&s.t, 200000);
    lapic_timer_set_offset(&s.t, (uint64_t)-200000);
    pass(&s, 100000);
    ck_assert_uint_eq(s.fired, 0);
    lapic_timer_set_offset(&s.t, 0);
    pass(&s, 0);
    ck_assert_uint_eq(s.fired, 1);
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(deadlines_at_the_end_of_time)
{
    struct setup s;

    setup_at(&s, BUS_HZ, 1);
    lapic_timer_set_mode(&s.t, LAPIC_TSC_DEADLINE);
    lapic_timer_set_deadline(&s.t, UINT64_MAX);
    ck_assert_uint_eq(clock_next(&s.clock), VTIME_NEVER);
    lapic_timer_set_deadline(&s.t, 3);
    ck_assert_uint_eq(clock_next(&s.clock), 3 * (vtime)NS_PER_S);
    clock_destroy(&s.clock);
}
END_TEST

START_TEST(garbage_state_is_survived)
{
    struct setup s;

    setup_init(&s);
    for (unsigned mode = 0; mode < 256; mode += 5) {
        s.t.mode = (uint8_t)mode;
        s.t.divide_config = (uint8_t)~mode;
        s.t.counting = true;
        s.t.initial_count = mode & 8 ? 0 : (uint32_t)(mode * mode);
        s.t.next_tick = mode & 16 ? UINT64_MAX - mode : mode;
        s.t.tsc_deadline = UINT64_MAX / (mode + 1);
        s.t.tsc_offset = mode & 32 ? UINT64_MAX : 0;
        lapic_timer_loaded(&s.t);
        for (unsigned i = 0; i < 10; i++)
            pass(&s, NS_PER_S);
    }
    ck_assert_uint_le(s.fired, 52 * 10);
    clock_destroy(&s.clock);
}
END_TEST

SUITE("lapic_timer", one_shot_runs_out_once, divide_values,
      new_divider_keeps_the_count, periodic_reloads, periodic_does_not_drift,
      late_periods_are_coalesced, tiny_period_is_no_storm,
      mode_change_keeps_a_running_count, reserved_mode_never_fires,
      deadline_fires_when_the_tsc_gets_there, deadline_can_be_withdrawn,
      written_tsc_moves_the_deadline, deadlines_at_the_end_of_time,
      garbage_state_is_survived)
