/* Dates: against known days, and there and back over ten thousand years. */
#include "devices/calendar.h"

#include <stdbool.h>

#include "tests/unit/suite.h"

START_TEST(known_days)
{
    static const struct {
        int64_t seconds;
        int year, month, day, weekday;
    } known[] = {
        {0, 1970, 1, 1, 4},          {951782400, 2000, 2, 29, 2},
        {951868800, 2000, 3, 1, 3},  {1709164800, 2024, 2, 29, 4},
        {4107542400, 2100, 3, 1, 1}, {-2203977600, 1900, 2, 28, 3},
        {-62135596800, 1, 1, 1, 1},  {253402300799, 9999, 12, 31, 5},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct calendar at = calendar_split(known[i].seconds);

        ck_assert_int_eq(at.year, known[i].year);
        ck_assert_int_eq(at.month, known[i].month);
        ck_assert_int_eq(at.day, known[i].day);
        ck_assert_int_eq(at.weekday, known[i].weekday);
        ck_assert_int_eq(calendar_seconds(&at), known[i].seconds);
    }
}
END_TEST

START_TEST(every_day_comes_back_and_follows_the_one_before)
{
    struct calendar before = calendar_split(-62135596800);
    unsigned wrong = 0;

    for (int64_t s = -62135596800 + 86400 + 45296; s < 253402300800;
         s += 86400) {
        struct calendar at = calendar_split(s);
        bool follows = at.day == before.day + 1 ||
                       (at.day == 1 && at.month == before.month + 1) ||
                       (at.day == 1 && at.month == 1 && before.month == 12);

        wrong += !follows || at.weekday != (before.weekday + 1) % 7;
        wrong += calendar_seconds(&at) != s;
        before = at;
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(fields_carry_over)
{
    struct calendar at = {.year = 2023,
                          .month = 12,
                          .day = 31,
                          .hour = 23,
                          .minute = 59,
                          .second = 60};

    ck_assert_int_eq(calendar_seconds(&at), 1704067200);
    at.day = 60;
    at = calendar_split(calendar_seconds(&at));
    ck_assert_int_eq(at.year, 2024);
    ck_assert_int_eq(at.month, 1);
    ck_assert_int_eq(at.day, 30);
}
END_TEST

START_TEST(seconds_outside_give_the_nearest_end)
{
    ck_assert_int_eq(calendar_split(INT64_MAX).year, 9999);
    ck_assert_int_eq(calendar_split(INT64_MIN).year, 1);
}
END_TEST

SUITE("calendar", known_days, every_day_comes_back_and_follows_the_one_before,
      fields_carry_over, seconds_outside_give_the_nearest_end)
