/* Counters: a line for each that counted, in the order of stats.def,
 * and the rates. */
#include "base/stats.h"

#include <string.h>

#include "tests/unit/suite.h"

enum { TEXT_SIZE = 1024 };

static void print(const struct stats *s, char text[TEXT_SIZE])
{
    FILE *f = fmemopen(text, TEXT_SIZE, "w");

    text[0] = 0;
    stats_print(s, f);
    fclose(f);
}

START_TEST(zeros_are_not_printed)
{
    struct stats s = {0};
    char text[TEXT_SIZE];

    print(&s, text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(value_name_and_meaning_in_order)
{
    struct stats s = {.tlb_fill = 7, .insn_jit = UINT64_MAX};
    char text[TEXT_SIZE];

    print(&s, text);

    const char *first = strstr(text, "18446744073709551615  insn_jit");
    const char *second = strstr(text, "7  tlb_fill");

    ck_assert(first && second && first < second);
    ck_assert_ptr_nonnull(strstr(second, "TLB fills\n"));
}
END_TEST

START_TEST(rates_follow_the_counters)
{
    struct stats s = {.insn_jit = 3, .insn_interp = 1, .tlb_access = 8,
                      .tlb_miss = 2, .host_bytes = 9, .guest_bytes = 2,
                      .jc_lookup = 10, .jc_hit = 9};
    char text[TEXT_SIZE];

    print(&s, text);
    ck_assert_ptr_nonnull(strstr(text, " 75.00000%  translated"));
    ck_assert_ptr_nonnull(strstr(text, " 75.00000%  tlb_hit_rate"));
    ck_assert_ptr_nonnull(strstr(text, " 90.00000%  jc_hit_rate"));
    ck_assert_ptr_nonnull(strstr(text, " 4.50  expansion"));
}
END_TEST

START_TEST(there_is_no_rate_of_what_was_not_counted)
{
    struct stats s = {.tlb_miss = 5, .chain_miss = 7};
    char text[TEXT_SIZE];

    print(&s, text);
    ck_assert_ptr_null(strstr(text, "%"));
}
END_TEST

SUITE("stats", zeros_are_not_printed, value_name_and_meaning_in_order,
      rates_follow_the_counters, there_is_no_rate_of_what_was_not_counted)
