#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/*
 * Virtual time and its event queue.
 *
 * A machine has one clock.  Devices read time from it and nowhere else.
 *
 * CLOCK_HOST           time follows the host's monotonic clock, less the time
 *                      the machine was paused
 * CLOCK_DETERMINISTIC  time moves only when clock_advance is called: by the
 *                      machine, from the number of instructions executed; and
 *                      by tests, by hand
 *
 * A timer fires once, inside clock_run, on the thread that calls it, in order
 * of time and then of arming.  It may arm itself again from its own callback;
 * clock_run bounds the number it fires per call, so a guest that programs a
 * 1 ns timer cannot stall the machine.
 *
 * Not thread safe: one owner.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/types.h"

enum clock_mode { CLOCK_HOST, CLOCK_DETERMINISTIC };

enum { NS_PER_S = 1000000000, CLOCK_RUN_MAX = 64 };

/* No timer armed. */
#define VTIME_NEVER UINT64_MAX

struct timer {
    void (*fire)(void *owner);
    void *owner;
    vtime when;    /* VTIME_NEVER when not armed */
    uint64_t seq;  /* order of arming, breaks ties */
    size_t index;  /* place in the heap */
};

struct clock {
    enum clock_mode mode;
    vtime now;         /* deterministic mode: the time */
    uint64_t host_base; /* host mode: host ns at virtual time 0 */
    bool stopped;
    uint64_t seq;
    struct timer **heap; /* binary heap by (when, seq) */
    size_t count, room;
    /* Called by timer_set when clock_next has changed: whoever waits for the
     * next timer waits for another one now.  May be NULL. */
    void (*on_next)(void *owner);
    void *owner;
};

void clock_init(struct clock *c, enum clock_mode mode); /* at time 0, running */
void clock_destroy(struct clock *c); /* timers still armed are forgotten */

/* Sets the time and forgets the timers, before a saved state is loaded. */
void clock_restart(struct clock *c, vtime now);

vtime clock_now(const struct clock *c);

/* Deterministic mode only: moves time forward by ns; fires nothing. */
void clock_advance(struct clock *c, vtime ns);

/* Host mode: virtual time stands still between stop and start. */
void clock_stop(struct clock *c);
void clock_start(struct clock *c);

/* When the earliest timer is due; VTIME_NEVER if none is armed. */
vtime clock_next(const struct clock *c);

/* Fires what is due, at most CLOCK_RUN_MAX timers; returns how many. */
unsigned clock_run(struct clock *c);

void timer_init(struct timer *t, void (*fire)(void *), void *owner);
/* Arms, or re-arms, for absolute time `when`; a past time fires at the next
 * clock_run. */
void timer_set(struct clock *c, struct timer *t, vtime when);
void timer_cancel(struct clock *c, struct timer *t); /* no-op if not armed */
static inline bool timer_armed(const struct timer *t)
{
    return t->when != VTIME_NEVER;
}

/* value * mul / div without overflow for any 64-bit value and 32-bit-sized
 * ratio: how devices turn nanoseconds into ticks (mul/div in Hz or ns). */
static inline uint64_t clock_scale(uint64_t value, uint32_t mul, uint32_t div)
{
    return (uint64_t)((uint128)value * mul / div);
}

#endif
