/*
 * Time is counted in bus ticks since virtual time 0.  While a count runs, all
 * expiries are next_tick plus or minus whole periods, so the current count
 * follows from next_tick and the clock alone, coalesced or not.
 */
#include "devices/lapic_timer.h"

#include "base/bits.h"
#include "base/log.h"

enum { DIVIDE_BITS = 0x0b };

/* A deadline this many seconds ahead is never: 34 years. */
enum { NEVER_S = 1 << 30 };

static uint64_t ticks_at(vtime ns, uint32_t hz)
{
    return clock_scale(ns, hz, NS_PER_S);
}

/* The first ns at which ticks_at is at least tick. */
static vtime time_of(uint64_t tick, uint32_t hz)
{
    vtime ns = clock_scale(tick, NS_PER_S, hz);

    return ticks_at(ns, hz) < tick ? ns + 1 : ns;
}

static uint64_t bus_now(const struct lapic_timer *t)
{
    return ticks_at(clock_now(t->clock), t->bus_hz);
}

static uint64_t tsc_now(const struct lapic_timer *t)
{
    return ticks_at(clock_now(t->clock), t->tsc_hz) + t->tsc_offset;
}

/* SDM figure "divide configuration register": 0 is 2, ... 6 is 128, 7 is 1. */
static unsigned divide_shift(const struct lapic_timer *t)
{
    unsigned code = (t->divide_config & 3u) | (t->divide_config >> 1 & 4u);

    return (code + 1) & 7;
}

static uint64_t period(const struct lapic_timer *t)
{
    return (uint64_t)t->initial_count << divide_shift(t);
}

/* Bus ticks until the count is next 0; 0 if it has run out. */
static uint64_t ticks_left(const struct lapic_timer *t, uint64_t now)
{
    uint64_t p = period(t);

    if (!t->counting || !p)
        return 0;
    if (t->mode == LAPIC_PERIODIC && now >= t->next_tick)
        return p - (now - t->next_tick) % p;
    if (now >= t->next_tick)
        return 0;
    if (t->mode == LAPIC_PERIODIC)
        return (t->next_tick - now - 1) % p + 1;
    return t->next_tick - now;
}

static void arm_deadline(struct lapic_timer *t)
{
    uint64_t now = tsc_now(t);
    uint64_t ahead = t->tsc_deadline > now ? t->tsc_deadline - now : 0;

    if (!t->tsc_deadline || ahead > (uint64_t)t->tsc_hz * NEVER_S) {
        timer_cancel(t->clock, &t->timer);
        return;
    }
    timer_set(t->clock, &t->timer,
              time_of(now - t->tsc_offset + ahead, t->tsc_hz));
}

static void arm(struct lapic_timer *t)
{
    if (t->mode == LAPIC_TSC_DEADLINE)
        arm_deadline(t);
    else if (t->counting && t->mode != LAPIC_TIMER_RESERVED)
        timer_set(t->clock, &t->timer, time_of(t->next_tick, t->bus_hz));
    else
        timer_cancel(t->clock, &t->timer);
}

/* The first expiry after now that is not too soon. */
static void next_period(struct lapic_timer *t, uint64_t now)
{
    uint64_t p = period(t);
    uint64_t gap = ticks_at(LAPIC_MIN_PERIOD_NS, t->bus_hz);
    uint64_t earliest = p < gap ? now + gap : now + 1;

    if (p < gap)
        log_guest("lapic: timer period of %u counts coalesced",
                  t->initial_count);
    t->next_tick += (earliest - t->next_tick + p - 1) / p * p;
}

static bool is_due(const struct lapic_timer *t)
{
    if (t->mode == LAPIC_TSC_DEADLINE)
        return t->tsc_deadline && tsc_now(t) >= t->tsc_deadline;
    return t->counting && bus_now(t) >= t->next_tick;
}

static void fire(void *owner)
{
    struct lapic_timer *t = owner;
    bool due = is_due(t);

    if (due && t->mode == LAPIC_TSC_DEADLINE)
        t->tsc_deadline = 0;
    else if (due && t->mode == LAPIC_PERIODIC)
        next_period(t, bus_now(t));
    else if (due)
        t->counting = false;
    arm(t);
    if (due)
        t->expired(t->owner);
}

void lapic_timer_init(struct lapic_timer *t, struct clock *clock,
                      uint32_t bus_hz, uint32_t tsc_hz,
                      void (*expired)(void *owner), void *owner)
{
    *t = (struct lapic_timer){
        .clock = clock,
        .bus_hz = bus_hz,
        .tsc_hz = tsc_hz,
        .expired = expired,
        .owner = owner,
    };
    timer_init(&t->timer, fire, t);
}

void lapic_timer_reset(struct lapic_timer *t)
{
    t->mode = LAPIC_ONE_SHOT;
    t->divide_config = 0;
    t->counting = false;
    t->initial_count = 0;
    t->next_tick = 0;
    t->tsc_deadline = 0;
    arm(t);
}

void lapic_timer_loaded(struct lapic_timer *t)
{
    uint64_t now = bus_now(t);
    uint64_t gap = ticks_at(LAPIC_MIN_PERIOD_NS, t->bus_hz);

    t->mode &= LAPIC_TIMER_RESERVED;
    t->divide_config &= DIVIDE_BITS;
    t->counting = t->counting && t->initial_count;
    /* No history leads further ahead than this. */
    if (t->next_tick > now && t->next_tick - now > period(t) + gap)
        t->next_tick = now + period(t);
    arm(t);
}

void lapic_timer_set_mode(struct lapic_timer *t, enum lapic_timer_mode mode)
{
    uint64_t now = bus_now(t);

    if (mode == t->mode)
        return;
    /* Leave coalescing behind: next_tick may be some periods away. */
    if (t->counting && now < t->next_tick)
        t->next_tick = now + ticks_left(t, now);
    if (mode == LAPIC_TSC_DEADLINE || t->mode == LAPIC_TSC_DEADLINE) {
        t->counting = false;
        t->tsc_deadline = 0;
    }
    t->mode = (uint8_t)mode;
    arm(t);
}

void lapic_timer_set_divide(struct lapic_timer *t, uint8_t config)
{
    uint64_t now = bus_now(t);
    uint32_t count = lapic_timer_current(t);

    t->divide_config = config & DIVIDE_BITS;
    if (count)
        t->next_tick = now + ((uint64_t)count << divide_shift(t));
    arm(t);
}

void lapic_timer_set_count(struct lapic_timer *t, uint32_t count)
{
    if (t->mode == LAPIC_TSC_DEADLINE)
        return;
    t->initial_count = count;
    t->counting = count != 0;
    t->next_tick = bus_now(t) + period(t);
    arm(t);
}

uint32_t lapic_timer_current(const struct lapic_timer *t)
{
    uint64_t left = ticks_left(t, bus_now(t));
    unsigned shift = divide_shift(t);

    return (uint32_t)((left + bits_mask(shift)) >> shift);
}

void lapic_timer_set_deadline(struct lapic_timer *t, uint64_t tsc)
{
    if (t->mode != LAPIC_TSC_DEADLINE)
        return;
    t->tsc_deadline = tsc;
    arm(t);
}

void lapic_timer_set_offset(struct lapic_timer *t, uint64_t offset)
{
    t->tsc_offset = offset;
    if (t->mode == LAPIC_TSC_DEADLINE)
        arm(t);
}
