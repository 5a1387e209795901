#ifndef DEVICES_LAPIC_TIMER_H
#define DEVICES_LAPIC_TIMER_H

/*
 * The timer of a local APIC (Intel SDM volume 3, "APIC timer").
 *
 * One-shot and periodic: counts down at bus_hz / divide from the initial
 * count.  Expiries are whole bus ticks, from which their times are computed
 * afresh, so a periodic timer does not drift.  Expiries that are closer than
 * LAPIC_MIN_PERIOD_NS, or that passed while nobody looked, are coalesced: the
 * count runs on at the guest's rate, the interrupts come less often.
 *
 * TSC-deadline: expires when the TSC, clock ns * tsc_hz / 1e9 + offset, has
 * reached the deadline.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum { LAPIC_MIN_PERIOD_NS = 20000 };

/* Timer mode of the LVT entry. */
enum lapic_timer_mode {
    LAPIC_ONE_SHOT,
    LAPIC_PERIODIC,
    LAPIC_TSC_DEADLINE,
    LAPIC_TIMER_RESERVED, /* never expires */
};

struct lapic_timer {
    struct clock *clock;
    uint32_t bus_hz, tsc_hz;
    void (*expired)(void *owner);
    void *owner;
    struct timer timer;

    uint8_t mode;           /* enum lapic_timer_mode */
    uint8_t divide_config;  /* as written: bits 3, 1, 0 */
    bool counting;          /* an initial count was written, not run out */
    uint32_t initial_count;
    uint64_t next_tick;     /* bus tick of the next expiry, if counting */
    uint64_t tsc_deadline;  /* 0: disarmed */
    uint64_t tsc_offset;
};

/* The rows for the owner's field table. */
#define LAPIC_TIMER_FIELDS(type, member)                                 \
    FIELD(type, member.mode), FIELD(type, member.divide_config),         \
        FIELD(type, member.counting), FIELD(type, member.initial_count), \
        FIELD(type, member.next_tick), FIELD(type, member.tsc_deadline), \
        FIELD(type, member.tsc_offset), FIELD_TIME(type, member.timer)

void lapic_timer_init(struct lapic_timer *t, struct clock *clock,
                      uint32_t bus_hz, uint32_t tsc_hz,
                      void (*expired)(void *owner), void *owner);
void lapic_timer_reset(struct lapic_timer *t); /* keeps tsc_offset */
void lapic_timer_loaded(struct lapic_timer *t);

/* To or from TSC-deadline mode disarms. */
void lapic_timer_set_mode(struct lapic_timer *t, enum lapic_timer_mode mode);
void lapic_timer_set_divide(struct lapic_timer *t, uint8_t config);
/* Starts, or stops with 0; ignored in TSC-deadline mode. */
void lapic_timer_set_count(struct lapic_timer *t, uint32_t count);
uint32_t lapic_timer_current(const struct lapic_timer *t);
/* Ignored outside TSC-deadline mode. */
void lapic_timer_set_deadline(struct lapic_timer *t, uint64_t tsc);
void lapic_timer_set_offset(struct lapic_timer *t, uint64_t offset);

#endif
