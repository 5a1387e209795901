/*
 * The queue is a binary heap of pointers; heap[i]->index == i for each timer
 * in it.  Membership is judged by that and not by `when`, because a loaded
 * state gives a timer its `when` before its owner arms it.
 */
#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"

static uint64_t host_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void clock_init(struct clock *c, enum clock_mode mode)
{
    *c = (struct clock){.mode = mode};
    c->host_base = host_ns();
}

static void forget_timers(struct clock *c)
{
    for (size_t i = 0; i < c->count; i++)
        c->heap[i]->when = VTIME_NEVER;
    c->count = 0;
}

void clock_destroy(struct clock *c)
{
    forget_timers(c);
    free(c->heap);
    *c = (struct clock){0};
}

void clock_restart(struct clock *c, vtime now)
{
    forget_timers(c);
    c->now = now;
    c->host_base = host_ns() - now;
}

vtime clock_now(const struct clock *c)
{
    if (c->mode == CLOCK_DETERMINISTIC || c->stopped)
        return c->now;
    return host_ns() - c->host_base;
}

void clock_advance(struct clock *c, vtime ns)
{
    assert(c->mode == CLOCK_DETERMINISTIC);
    if (ns >= VTIME_NEVER - c->now)
        ns = VTIME_NEVER - 1 - c->now;
    c->now += ns;
}

void clock_stop(struct clock *c)
{
    if (c->mode == CLOCK_DETERMINISTIC || c->stopped)
        return;
    c->now = clock_now(c);
    c->stopped = true;
}

void clock_start(struct clock *c)
{
    if (!c->stopped)
        return;
    c->host_base = host_ns() - c->now;
    c->stopped = false;
}

static bool is_before(const struct timer *a, const struct timer *b)
{
    return a->when < b->when || (a->when == b->when && a->seq < b->seq);
}

static void put_at(struct clock *c, size_t i, struct timer *t)
{
    c->heap[i] = t;
    t->index = i;
}

static void sift_up(struct clock *c, size_t i)
{
    struct timer *t = c->heap[i];

    while (i > 0 && is_before(t, c->heap[(i - 1) / 2])) {
        put_at(c, i, c->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put_at(c, i, t);
}

static void sift_down(struct clock *c, size_t i)
{
    struct timer *t = c->heap[i];

    for (;;) {
        size_t child = i * 2 + 1;

        if (child >= c->count)
            break;
        if (child + 1 < c->count &&
            is_before(c->heap[child + 1], c->heap[child]))
            child++;
        if (!is_before(c->heap[child], t))
            break;
        put_at(c, i, c->heap[child]);
        i = child;
    }
    put_at(c, i, t);
}

static bool is_queued(const struct clock *c, const struct timer *t)
{
    return t->index < c->count && c->heap[t->index] == t;
}

static void append(struct clock *c, struct timer *t)
{
    if (c->count == c->room) {
        c->room = c->room ? c->room * 2 : 16;
        c->heap = xrealloc(c->heap, c->room * sizeof(struct timer *));
    }
    put_at(c, c->count++, t);
}

static void take_out(struct clock *c, struct timer *t)
{
    size_t hole = t->index;
    struct timer *last = c->heap[--c->count];

    if (last == t)
        return;
    put_at(c, hole, last);
    sift_up(c, hole);
    sift_down(c, last->index);
}

void timer_init(struct timer *t, void (*fire)(void *), void *owner)
{
    *t = (struct timer){.fire = fire, .owner = owner, .when = VTIME_NEVER};
}

void timer_set(struct clock *c, struct timer *t, vtime when)
{
    timer_cancel(c, t);
    if (when == VTIME_NEVER)
        return;
    t->when = when;
    t->seq = c->seq++;
    append(c, t);
    sift_up(c, t->index);
    if (t->index == 0 && c->on_next)
        c->on_next(c->owner);
}

void timer_cancel(struct clock *c, struct timer *t)
{
    if (is_queued(c, t))
        take_out(c, t);
    t->when = VTIME_NEVER;
}

vtime clock_next(const struct clock *c)
{
    return c->count ? c->heap[0]->when : VTIME_NEVER;
}

unsigned clock_run(struct clock *c)
{
    vtime now = clock_now(c);
    unsigned fired = 0;

    while (fired < CLOCK_RUN_MAX && clock_next(c) <= now) {
        if (!c->count)
            break;

        struct timer *t = c->heap[0];

        timer_cancel(c, t);
        t->fire(t->owner);
        fired++;
    }
    return fired;
}
