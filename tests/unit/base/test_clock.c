/* Virtual time: timers fire in order, once, and can not stall the machine. */
#include "base/clock.h"

#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "tests/unit/suite.h"

enum { TIMERS = 8 };

/* A clock with timers that write down their names as they fire. */
struct bench {
    struct clock clock;
    struct alarm {
        struct bench *bench;
        struct timer timer;
        char name;
        vtime period; /* 0: fires once */
    } alarm[TIMERS];
    char fired[256];
    size_t count;
};

static void fire(void *owner)
{
    struct alarm *a = owner;
    struct bench *b = a->bench;

    ck_assert(!timer_armed(&a->timer));
    ck_assert_uint_lt(b->count, sizeof(b->fired) - 1);
    b->fired[b->count++] = a->name;
    if (a->period)
        timer_set(&b->clock, &a->timer, clock_now(&b->clock) - 1);
}

static void bench_init(struct bench *b, enum clock_mode mode)
{
    memset(b, 0, sizeof(*b));
    clock_init(&b->clock, mode);
    for (int i = 0; i < TIMERS; i++) {
        b->alarm[i].bench = b;
        b->alarm[i].name = (char)('a' + i);
        timer_init(&b->alarm[i].timer, fire, &b->alarm[i]);
    }
}

static void arm(struct bench *b, int i, vtime when)
{
    timer_set(&b->clock, &b->alarm[i].timer, when);
}

START_TEST(time_moves_only_by_hand)
{
    struct bench b;

    bench_init(&b, CLOCK_DETERMINISTIC);
    ck_assert_uint_eq(clock_now(&b.clock), 0);
    clock_advance(&b.clock, 1000);
    clock_advance(&b.clock, 1);
    ck_assert_uint_eq(clock_now(&b.clock), 1001);
    clock_advance(&b.clock, VTIME_NEVER);
    ck_assert_uint_eq(clock_now(&b.clock), VTIME_NEVER - 1);
    clock_destroy(&b.clock);
}
END_TEST

START_TEST(timers_fire_by_time_then_by_arming)
{
    struct bench b;

    bench_init(&b, CLOCK_DETERMINISTIC);
    arm(&b, 0, 30);
    arm(&b, 1, 10);
    arm(&b, 2, 30);
    arm(&b, 3, 20);
    arm(&b, 4, 31);
    ck_assert_uint_eq(clock_next(&b.clock), 10);
    ck_assert_uint_eq(clock_run(&b.clock), 0);
    clock_advance(&b.clock, 30);
    ck_assert_uint_eq(clock_run(&b.clock), 4);
    ck_assert_str_eq(b.fired, "bdac");
    ck_assert_uint_eq(clock_next(&b.clock), 31);
    clock_destroy(&b.clock);
}
END_TEST

START_TEST(rearming_moves_and_cancelling_removes)
{
    struct bench b;

    bench_init(&b, CLOCK_DETERMINISTIC);
    arm(&b, 0, 10);
    arm(&b, 1, 20);
    arm(&b, 0, 30);
    timer_cancel(&b.clock, &b.alarm[2].timer);
    ck_assert(!timer_armed(&b.alarm[2].timer));
    arm(&b, 3, 25);
    timer_cancel(&b.clock, &b.alarm[3].timer);
    arm(&b, 1, VTIME_NEVER);
    clock_advance(&b.clock, 100);
    clock_run(&b.clock);
    ck_assert_str_eq(b.fired, "a");
    ck_assert_uint_eq(clock_next(&b.clock), VTIME_NEVER);
    clock_destroy(&b.clock);
}
END_TEST

START_TEST(a_timer_that_is_always_due_cannot_stall)
{
    struct bench b;

    bench_init(&b, CLOCK_DETERMINISTIC);
    clock_advance(&b.clock, 10);
    b.alarm[0].period = 1;
    arm(&b, 0, 0);
    ck_assert_uint_eq(clock_run(&b.clock), CLOCK_RUN_MAX);
    ck_assert_uint_eq(clock_run(&b.clock), CLOCK_RUN_MAX);
    clock_destroy(&b.clock);
}
END_TEST

/* Against the plainest possible queue: an array that is searched. */
START_TEST(random_arming_keeps_the_order)
{
    struct bench b;
    uint32_t seed = 1;

    bench_init(&b, CLOCK_DETERMINISTIC);
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1664525 + 1013904223;

        int i = (int)(seed >> 29);
        vtime when = clock_now(&b.clock) + (seed >> 8) % 64;
        vtime first = VTIME_NEVER;

        arm(&b, i, seed >> 16 & 7 ? when : VTIME_NEVER);
        for (i = 0; i < TIMERS; i++)
            if (b.alarm[i].timer.when < first)
                first = b.alarm[i].timer.when;
        ck_assert_uint_eq(clock_next(&b.clock), first);
        clock_advance(&b.clock, seed >> 12 & 15);
        b.count = 0;
        clock_run(&b.clock);
        ck_assert_uint_gt(clock_next(&b.clock), clock_now(&b.clock));
    }
    clock_destroy(&b.clock);
}
END_TEST

START_TEST(destroying_forgets_the_timers)
{
    struct bench b;

    bench_init(&b, CLOCK_DETERMINISTIC);
    arm(&b, 0, 10);
    clock_destroy(&b.clock);
    ck_assert(!timer_armed(&b.alarm[0].timer));
}
END_TEST

/* Loading a state sets `when` behind the clock's back; arming must cope. */
START_TEST(restart_then_load_then_arm)
{
    struct bench b;

    bench_init(&b, CLOCK_DETERMINISTIC);
    arm(&b, 0, 10);
    arm(&b, 1, 20);
    clock_restart(&b.clock, 5000);
    ck_assert_uint_eq(clock_now(&b.clock), 5000);
    ck_assert_uint_eq(clock_next(&b.clock), VTIME_NEVER);
    b.alarm[0].timer.when = 6000;
    b.alarm[1].timer.when = 5500;
    arm(&b, 0, b.alarm[0].timer.when);
    arm(&b, 1, b.alarm[1].timer.when);
    clock_advance(&b.clock, 1000);
    clock_run(&b.clock);
    ck_assert_str_eq(b.fired, "ba");
    clock_destroy(&b.clock);
}
END_TEST

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

START_TEST(host_time_stands_still_while_stopped)
{
    struct bench b;

    bench_init(&b, CLOCK_HOST);
    sleep_ms(2);
    ck_assert_uint_ge(clock_now(&b.clock), 2000000);
    clock_stop(&b.clock);

    vtime stopped = clock_now(&b.clock);

    sleep_ms(2);
    clock_stop(&b.clock);
    ck_assert_uint_eq(clock_now(&b.clock), stopped);
    clock_start(&b.clock);
    arm(&b, 0, stopped + 1000000);
    sleep_ms(2);
    ck_assert_uint_ge(clock_now(&b.clock), stopped + 2000000);
    ck_assert_uint_eq(clock_run(&b.clock), 1);
    clock_destroy(&b.clock);
}
END_TEST

static void count_call(void *owner)
{
    (*(unsigned *)owner)++;
}

START_TEST(who_waits_is_told_of_another_next_timer)
{
    struct clock c;
    struct timer early, late;
    unsigned calls = 0;

    clock_init(&c, CLOCK_DETERMINISTIC);
    c.on_next = count_call;
    c.owner = &calls;
    timer_init(&early, count_call, &calls);
    timer_init(&late, count_call, &calls);
    timer_set(&c, &late, 20);
    ck_assert_uint_eq(calls, 1);
    timer_set(&c, &early, 10);
    ck_assert_uint_eq(calls, 2);
    timer_set(&c, &late, 30); /* the next one is still `early` */
    ck_assert_uint_eq(calls, 2);
    clock_destroy(&c);
}
END_TEST

SUITE("clock", time_moves_only_by_hand, timers_fire_by_time_then_by_arming,
      rearming_moves_and_cancelling_removes,
      a_timer_that_is_always_due_cannot_stall, random_arming_keeps_the_order,
      destroying_forgets_the_timers, restart_then_load_then_arm,
      host_time_stands_still_while_stopped,
      who_waits_is_told_of_another_next_timer)
