/*
 * The lock is held only to move a message in or out, never while a message
 * runs or `wake` is called: both may post again.
 */
#include "base/mailbox.h"

#include <time.h>

#include "base/clock.h"

void mailbox_init(struct mailbox *m, void (*wake)(void *), void *owner)
{
    pthread_condattr_t attr;

    *m = (struct mailbox){.wake = wake, .wake_owner = owner};
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&m->arrived, &attr);
    pthread_condattr_destroy(&attr);
}

void mailbox_destroy(struct mailbox *m)
{
    pthread_cond_destroy(&m->arrived);
    pthread_mutex_destroy(&m->lock);
}

static void call_wake(struct mailbox *m)
{
    if (m->wake)
        m->wake(m->wake_owner);
}

bool mailbox_post(struct mailbox *m, const struct message *msg)
{
    pthread_mutex_lock(&m->lock);

    bool was_empty = m->count == 0;
    bool has_room = m->count < MAILBOX_ROOM;

    if (has_room)
        m->slot[(m->head + m->count++) % MAILBOX_ROOM] = *msg;
    if (was_empty)
        pthread_cond_signal(&m->arrived);
    pthread_mutex_unlock(&m->lock);
    if (was_empty)
        call_wake(m);
    return has_room;
}

static bool take(struct mailbox *m, struct message *msg)
{
    pthread_mutex_lock(&m->lock);

    bool found = m->count > 0;

    if (found) {
        *msg = m->slot[m->head];
        m->head = (m->head + 1) % MAILBOX_ROOM;
        m->count--;
    }
    pthread_mutex_unlock(&m->lock);
    return found;
}

static unsigned waiting(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);

    unsigned count = m->count;

    pthread_mutex_unlock(&m->lock);
    return count;
}

/* Senders that never pause must not keep the receiver here: what arrives
 * meanwhile is left for the next call.  Its sender found the box in use and
 * woke nobody, so that is made up for here. */
unsigned mailbox_drain(struct mailbox *m)
{
    unsigned count = waiting(m);
    struct message msg;

    for (unsigned i = 0; i < count && take(m, &msg); i++)
        msg.run(msg.owner, msg.arg);
    if (count && waiting(m))
        call_wake(m);
    return count;
}

bool mailbox_wait(struct mailbox *m, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S),
                             .tv_nsec = (long)(until_ns % NS_PER_S)};
    int error = 0;

    pthread_mutex_lock(&m->lock);
    while (m->count == 0 && !error) {
        if (until_ns == UINT64_MAX)
            error = pthread_cond_wait(&m->arrived, &m->lock);
        else
            error = pthread_cond_timedwait(&m->arrived, &m->lock, &until);
    }

    bool found = m->count > 0;

    pthread_mutex_unlock(&m->lock);
    return found;
}
