#ifndef FRONTEND_TERM_H
#define FRONTEND_TERM_H

/*
 * The host's terminal, or whatever standard input and output are, as the end
 * of a serial line.
 *
 * A thread of its own reads and writes, so a slow or closed output never holds
 * up the machine: what does not fit into the buffer is dropped.  Input reaches
 * the guest through the machine's mailbox.  A terminal is in raw mode between
 * term_start and term_stop.
 *
 * Keys: Ctrl-A x ends the machine, Ctrl-A h shows help, Ctrl-A Ctrl-A is one
 * Ctrl-A for the guest.  SIGTERM and SIGHUP end the machine too; SIGINT does,
 * unless it belongs to the guest, who gets Ctrl-C.
 */

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#include "base/mailbox.h"
#include "base/ring.h"
#include "devices/host/chardev.h"

enum { TERM_OUTPUT = 1 << 20, TERM_BATCH = 256 };

/* Whom the terminal serves. */
struct term_client {
    struct mailbox *mailbox;
    /* Any thread: ends the machine.  False: try again later. */
    bool (*quit)(void *owner);
    void *owner;
    bool takes_interrupt; /* Ctrl-C is the guest's */
};

struct term {
    struct chardev chr;
    struct term_client client;
    int in, out; /* -1: closed */
    int wake, signals;
    bool owns_out; /* out is a description of our own */
    bool is_tty;   /* and ours to change */
    struct termios before;

    /* The machine's thread: taken from `input`, not yet by the guest. */
    uint8_t held[TERM_BATCH];
    size_t held_at, held_count;

    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    bool is_running, is_stopping, wants_quit;
    int ended_by; /* the signal that asked for the end, or 0 */
    bool has_prefix;   /* Ctrl-A was typed */
    struct ring input; /* typed, not yet taken by the machine */
    bool is_announced; /* a message about input is in the mailbox */
    uint8_t *output;   /* TERM_OUTPUT bytes, from `head` */
    size_t head, count;
};

/* Blocks the signals it handles, for threads made later too.  False, with
 * errno set, if the host refuses. */
bool term_init(struct term *t);
void term_destroy(struct term *t);

/* From here on the client is served.  False as above. */
bool term_start(struct term *t, const struct term_client *client);
/* Writes what is left, unless that takes too long, and restores the
 * terminal. */
void term_stop(struct term *t);

/* Restores the terminal's mode; safe in a signal handler. */
void term_restore(const struct term *t);

#endif
