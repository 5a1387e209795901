/* Counters: a line for each that counted, in the order of stats.def. */
#include "base/stats.h"

#include <string.h>

#include "tests/unit/suite.h"

enum { TEXT_SIZE = 512 };

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

SUITE("stats", zeros_are_not_printed, value_name_and_meaning_in_order)
