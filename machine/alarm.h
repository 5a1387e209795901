#ifndef MACHINE_ALARM_H
#define MACHINE_ALARM_H

/*
 * An alarm clock on the host: calls `ring` on a thread of its own when the
 * host's monotonic clock reaches a time.  It lets a busy guest run without
 * polling until its next timer is due.
 *
 * alarm_set is called by one thread, the machine's; the last call counts.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ALARM_NEVER UINT64_MAX

struct alarm {
    int fd; /* timerfd */
    pthread_t thread;
    atomic_bool quit;
    void (*ring)(void *owner);
    void *owner;
};

/* False, with errno set, if the host refuses. */
bool alarm_init(struct alarm *a, void (*ring)(void *owner), void *owner);
void alarm_destroy(struct alarm *a);

/* Rings at host_ns, at once if that has passed, or not with ALARM_NEVER. */
void alarm_set(struct alarm *a, uint64_t host_ns);

#endif
