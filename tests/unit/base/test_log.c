/* The log: channels by name, and no guest can fill a disk with it. */
#include "base/log.h"

#include <string.h>

#include "tests/unit/suite.h"

struct capture {
    FILE *file;
    char *text;
    size_t size;
};

static void capture_start(struct capture *c)
{
    c->file = open_memstream(&c->text, &c->size);
    log_set_file(c->file);
}

/* The text is the caller's to free. */
static char *capture_end(struct capture *c)
{
    log_set_file(NULL);
    log_level = 0;
    fclose(c->file);
    return c->text;
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

START_TEST(names_make_a_mask)
{
    uint32_t mask = 0;
    const char *bad = NULL;

    ck_assert(log_parse("int,in_asm", &mask, &bad));
    ck_assert_uint_eq(mask, LOG_INT | LOG_IN_ASM);
}
END_TEST

START_TEST(unknown_name_is_pointed_at)
{
    uint32_t mask = 7;
    const char *bad = NULL;

    ck_assert(!log_parse("int,in_as,cpu", &mask, &bad));
    ck_assert_str_eq(bad, "in_as,cpu");
    ck_assert(!log_parse("", &mask, &bad));
    ck_assert(!log_parse("int,", &mask, &bad));
    ck_assert_uint_eq(mask, 7);
}
END_TEST

START_TEST(every_channel_has_one_bit_of_its_own)
{
    uint32_t seen = 0;

    for (const struct log_item *i = log_items; i->name; i++) {
        ck_assert_uint_eq(i->mask & (i->mask - 1), 0);
        ck_assert_uint_eq(seen & i->mask, 0);
        seen |= i->mask;
    }
    ck_assert_uint_eq(seen, LOG_STATS * 2 - 1);
}
END_TEST

START_TEST(guest_messages_are_off_unless_asked_for)
{
    struct capture c;

    capture_start(&c);
    log_guest("port %d", 5);
    log_level = LOG_UNIMP;
    log_guest("port %d", 6);

    char *text = capture_end(&c);

    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(guest_messages_are_limited_per_site)
{
    struct capture c;

    capture_start(&c);
    log_level = LOG_GUEST_ERRORS;
    for (int i = 0; i < 1000; i++)
        log_guest("write %d", i);
    log_guest("another site");

    char *text = capture_end(&c);

    ck_assert_uint_eq(count_lines(text), LOG_GUEST_PER_SITE + 1);
    ck_assert_ptr_nonnull(strstr(text, "guest: write 0\n"));
    ck_assert_ptr_nonnull(strstr(text, "guest: another site\n"));
    free(text);
}
END_TEST

START_TEST(trace_writes_exactly_its_text)
{
    struct capture c;

    capture_start(&c);
    for (int i = 0; i < 3; i++)
        log_trace("%d,", i);

    char *text = capture_end(&c);

    ck_assert_str_eq(text, "0,1,2,");
    free(text);
}
END_TEST

SUITE("log", names_make_a_mask, unknown_name_is_pointed_at,
      every_channel_has_one_bit_of_its_own,
      guest_messages_are_off_unless_asked_for,
      guest_messages_are_limited_per_site, trace_writes_exactly_its_text)
