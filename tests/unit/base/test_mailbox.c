/* The mailbox: order, capacity, one wake a burst, and threads. */
#include "base/mailbox.h"

#include <time.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "tests/unit/suite.h"

struct receiver {
    struct mailbox box;
    unsigned wakes;
    unsigned count;
    uint64_t last;
    bool in_order;
};

static void on_wake(void *owner)
{
    struct receiver *r = owner;

    r->wakes++;
}

static void on_message(void *owner, uint64_t arg)
{
    struct receiver *r = owner;

    r->in_order = r->in_order && arg == r->last + 1;
    r->last = arg;
    r->count++;
}

static void receiver_init(struct receiver *r, void (*wake)(void *))
{
    *r = (struct receiver){.in_order = true};
    mailbox_init(&r->box, wake, r);
}

static bool post(struct receiver *r, uint64_t arg)
{
    struct message msg = {.run = on_message, .owner = r, .arg = arg};

    return mailbox_post(&r->box, &msg);
}

START_TEST(messages_run_in_order_and_wake_once)
{
    struct receiver r;

    receiver_init(&r, on_wake);
    ck_assert_uint_eq(mailbox_drain(&r.box), 0);
    for (uint64_t i = 1; i <= 10; i++)
        ck_assert(post(&r, i));
    ck_assert_uint_eq(r.wakes, 1);
    ck_assert_uint_eq(mailbox_drain(&r.box), 10);
    ck_assert(r.in_order && r.count == 10);
    ck_assert(post(&r, 11));
    ck_assert_uint_eq(r.wakes, 2);
    mailbox_drain(&r.box);
    mailbox_destroy(&r.box);
}
END_TEST

START_TEST(a_full_box_refuses)
{
    struct receiver r;

    receiver_init(&r, NULL);
    for (uint64_t i = 1; i <= MAILBOX_ROOM; i++)
        ck_assert(post(&r, i));
    ck_assert(!post(&r, MAILBOX_ROOM + 1));
    ck_assert_uint_eq(mailbox_drain(&r.box), MAILBOX_ROOM);
    ck_assert(post(&r, MAILBOX_ROOM + 1));
    ck_assert_uint_eq(mailbox_drain(&r.box), 1);
    ck_assert(r.in_order);
    mailbox_destroy(&r.box);
}
END_TEST

static void post_again(void *owner, uint64_t arg)
{
    struct receiver *r = owner;
    struct message msg = {.run = post_again, .owner = r, .arg = arg};

    r->count++;
    mailbox_post(&r->box, &msg);
}

/* A message that posts itself: each drain ends, and wakes for the rest. */
START_TEST(draining_ends_whatever_arrives)
{
    struct receiver r;
    struct message msg = {.run = post_again, .owner = &r};

    receiver_init(&r, on_wake);
    mailbox_post(&r.box, &msg);
    for (unsigned i = 1; i <= 5; i++) {
        unsigned wakes = r.wakes;

        ck_assert_uint_eq(mailbox_drain(&r.box), 1);
        ck_assert_uint_eq(r.count, i);
        ck_assert_uint_gt(r.wakes, wakes);
    }
    mailbox_destroy(&r.box);
}
END_TEST

static uint64_t host_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

START_TEST(waiting_ends_at_the_time_given)
{
    struct receiver r;
    uint64_t until = host_ns() + 3000000;

    receiver_init(&r, NULL);
    ck_assert(!mailbox_wait(&r.box, 0));
    ck_assert(!mailbox_wait(&r.box, until));
    ck_assert_uint_ge(host_ns(), until);
    post(&r, 1);
    ck_assert(mailbox_wait(&r.box, 0));
    mailbox_drain(&r.box);
    mailbox_destroy(&r.box);
}
END_TEST

enum { SENT = 20000 };

static void *send_many(void *arg)
{
    struct receiver *r = arg;
    uint64_t next = 1;

    while (next <= SENT)
        next += post(r, next);
    return NULL;
}

START_TEST(nothing_is_lost_between_threads)
{
    struct receiver r;
    pthread_t sender;
    unsigned drained = 0;

    receiver_init(&r, NULL);
    ck_assert_int_eq(pthread_create(&sender, NULL, send_many, &r), 0);
    while (drained < SENT) {
        ck_assert(mailbox_wait(&r.box, UINT64_MAX));
        drained += mailbox_drain(&r.box);
    }
    pthread_join(sender, NULL);
    ck_assert(r.in_order && r.count == SENT);
    mailbox_destroy(&r.box);
}
END_TEST

SUITE("mailbox", messages_run_in_order_and_wake_once, a_full_box_refuses,
      draining_ends_whatever_arrives, waiting_ends_at_the_time_given,
      nothing_is_lost_between_threads)
