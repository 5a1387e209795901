#include "machine/alarm.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

static void *alarm_thread(void *arg)
{
    struct alarm *a = arg;
    uint64_t count;

    for (;;) {
        ssize_t got = read(a->fd, &count, sizeof(count));

        if (atomic_load(&a->quit))
            return NULL;
        if (got == (ssize_t)sizeof(count))
            a->ring(a->owner);
    }
}

bool alarm_init(struct alarm *a, void (*ring)(void *owner), void *owner)
{
    int error;

    *a = (struct alarm){.ring = ring, .owner = owner};
    a->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (a->fd < 0)
        return false;
    error = pthread_create(&a->thread, NULL, alarm_thread, a);
    if (error) {
        close(a->fd);
        errno = error;
    }
    return !error;
}

/* An absolute time of 0 would disarm. */
void alarm_set(struct alarm *a, uint64_t host_ns)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(host_ns / NS_PER_S),
                     .tv_nsec = (long)(host_ns % NS_PER_S)},
    };

    if (host_ns == ALARM_NEVER)
        at.it_value = (struct timespec){0, 0};
    else if (host_ns == 0)
        at.it_value.tv_nsec = 1;
    timerfd_settime(a->fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void alarm_destroy(struct alarm *a)
{
    atomic_store(&a->quit, true);
    alarm_set(a, 0);
    pthread_join(a->thread, NULL);
    close(a->fd);
}
