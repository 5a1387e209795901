#ifndef DEVICES_CALENDAR_H
#define DEVICES_CALENDAR_H

/*
 * Seconds since 1970-01-01 00:00 to a Gregorian date and back, for years 1 to
 * 9999.  The C library's functions will not do: they read the host's time
 * zone files.
 */

#include <stdint.h>

struct calendar {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second;
    int weekday; /* 0 Sunday; not looked at by calendar_seconds */
};

/* Seconds before year 1 or after 9999 give the nearest second inside. */
struct calendar calendar_split(int64_t seconds);

/* Days, hours, minutes and seconds may have any value and carry over; months
 * are taken modulo 12. */
int64_t calendar_seconds(const struct calendar *at);

#endif
