#include "devices/calendar.h"

#include <stdbool.h>

enum {
    DAY_SECONDS = 86400,
    DAYS_TO_1970 = 719162, /* from 0001-01-01, a Monday */
};

static const int64_t first_second = -62135596800; /* 0001-01-01 00:00:00 */
static const int64_t last_second = 253402300799;  /* 9999-12-31 23:59:59 */

static const uint16_t days_before_month[13] = {
    0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365,
};

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 0001-01-01 to the first of January of a year. */
static int days_before_year(int year)
{
    int past = year - 1;

    return past * 365 + past / 4 - past / 100 + past / 400;
}

/* month from 0, up to 12 for the end of the year. */
static int days_into_year(int year, int month)
{
    return days_before_month[month] + (month > 1 && is_leap(year));
}

static int year_of(int days)
{
    int year = days / 366 + 1;

    /* The first guess is low by at most 21 years, in the year 9999. */
    while (days_before_year(year + 1) <= days)
        year++;
    return year;
}

struct calendar calendar_split(int64_t seconds)
{
    struct calendar at = {0};

    if (seconds < first_second)
        seconds = first_second;
    if (seconds > last_second)
        seconds = last_second;

    int days = (int)((seconds - first_second) / DAY_SECONDS);
    int in_day = (int)((seconds - first_second) % DAY_SECONDS);

    at.year = year_of(days);
    at.weekday = (days + 1) % 7;
    at.hour = in_day / 3600;
    at.minute = in_day / 60 % 60;
    at.second = in_day % 60;
    days -= days_before_year(at.year);
    while (days_into_year(at.year, at.month + 1) <= days)
        at.month++;
    at.day = days - days_into_year(at.year, at.month) + 1;
    at.month++;
    return at;
}

int64_t calendar_seconds(const struct calendar *at)
{
    int month = ((at->month - 1) % 12 + 12) % 12;
    int64_t days = days_before_year(at->year) +
                   days_into_year(at->year, month) - DAYS_TO_1970;

    return (days + at->day - 1) * DAY_SECONDS + at->hour * 3600 +
           at->minute * 60 + at->second;
}
