#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

/*
 * The only door from another thread into the machine's thread.
 *
 * Any thread posts a small message; the machine's thread takes them in order.
 * Posting calls `wake` (once per empty-to-full change), which must make the
 * receiving thread look soon: set the vCPU's stop word, signal its condition.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAILBOX_ROOM = 256 };

struct message {
    void (*run)(void *owner, uint64_t arg); /* called by the receiver */
    void *owner;
    uint64_t arg;
};

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct message slot[MAILBOX_ROOM];
    unsigned head, count;
    void (*wake)(void *owner);
    void *wake_owner;
};

void mailbox_init(struct mailbox *m, void (*wake)(void *), void *owner);
void mailbox_destroy(struct mailbox *m);

/* False if the box is full: the sender tries again later. */
bool mailbox_post(struct mailbox *m, const struct message *msg);

/* Runs every message that is waiting; returns how many. */
unsigned mailbox_drain(struct mailbox *m);

/* Sleeps until a message waits or until host monotonic time `until_ns`
 * (UINT64_MAX: for ever).  True if a message waits. */
bool mailbox_wait(struct mailbox *m, uint64_t until_ns);

#endif
