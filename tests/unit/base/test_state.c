/* Field tables: what is saved comes back, and only that. */
#include "base/state.h"

#include <string.h>

#include "base/clock.h"
#include "tests/unit/suite.h"

struct part {
    uint8_t byte;
    bool on;
    uint16_t words[3];
    uint64_t wide;
    struct timer timer;
    char buffer[40];
    const char *not_state;
};

static const struct field fields[] = {
    FIELD(struct part, byte),
    FIELD(struct part, on),
    FIELD_ARRAY(struct part, words),
    FIELD(struct part, wide),
    FIELD_TIME(struct part, timer),
    FIELD_BUFFER(struct part, buffer),
    FIELD_END,
};

enum { PACKED = 1 + 1 + 6 + 8 + 8 + 40 };

static struct part make_part(void)
{
    return (struct part){
        .byte = 0x12,
        .on = true,
        .words = {0x3456, 2, 3},
        .wide = 0x1122334455667788,
        .timer = {.when = 1000},
        .buffer = "hello",
        .not_state = "mine",
    };
}

START_TEST(packed_in_table_order_little_endian)
{
    struct part p = make_part();
    uint8_t out[PACKED];

    ck_assert_uint_eq(state_size(fields), PACKED);
    state_save(fields, &p, out);
    ck_assert_mem_eq(out, "\x12\x01\x56\x34\x02\0\x03\0\x88\x77", 10);
    ck_assert_mem_eq(out + 16, "\xe8\x03\0\0\0\0\0\0hello", 13);
}
END_TEST

START_TEST(loading_restores_every_field_and_nothing_else)
{
    struct part p = make_part();
    struct part q = {.not_state = "its own", .timer = {.seq = 9}};
    uint8_t out[PACKED];

    state_save(fields, &p, out);
    ck_assert(state_load(fields, &q, out, PACKED));
    ck_assert_ptr_null(state_compare(fields, &p, &q));
    ck_assert_uint_eq(q.wide, p.wide);
    ck_assert_uint_eq(q.timer.when, 1000);
    ck_assert_uint_eq(q.timer.seq, 9);
    ck_assert_str_eq(q.not_state, "its own");
}
END_TEST

START_TEST(a_wrong_size_changes_nothing)
{
    struct part p = make_part(), q = make_part();
    uint8_t in[PACKED + 1] = {0};

    ck_assert(!state_load(fields, &q, in, PACKED - 1));
    ck_assert(!state_load(fields, &q, in, PACKED + 1));
    ck_assert_ptr_null(state_compare(fields, &p, &q));
}
END_TEST

/* A bool that holds 0xff is undefined behaviour in whoever reads it. */
START_TEST(hostile_bools_become_0_or_1)
{
    struct part q = {0};
    uint8_t in[PACKED], out[PACKED];

    memset(in, 0xff, sizeof(in));
    ck_assert(state_load(fields, &q, in, PACKED));
    state_save(fields, &q, out);
    ck_assert_uint_eq(out[1], 1);
}
END_TEST

START_TEST(comparing_names_the_first_difference)
{
    struct part p = make_part(), q = make_part();

    q.buffer[39] = 1;
    ck_assert_str_eq(state_compare(fields, &p, &q), "buffer");
    q.words[2] = 4;
    ck_assert_str_eq(state_compare(fields, &p, &q), "words");
    p = make_part();
    q = make_part();
    q.timer.index = 5;
    ck_assert_ptr_null(state_compare(fields, &p, &q));
}
END_TEST

START_TEST(a_dump_has_a_line_a_field)
{
    struct part p = make_part();
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    state_dump(fields, &p, f);
    fclose(f);
    ck_assert_ptr_nonnull(strstr(text, "byte = 0x12\non = 0x1\n"));
    ck_assert_ptr_nonnull(strstr(text, "words = 0x3456 0x2 0x3\n"));
    ck_assert_ptr_nonnull(strstr(text, "timer = 1000 ns\n"));
    ck_assert_ptr_nonnull(strstr(text, "buffer = 68 65 6c 6c 6f 00"));
    ck_assert_ptr_nonnull(strstr(text, "... (40 bytes)\n"));
    free(text);
}
END_TEST

SUITE("state", packed_in_table_order_little_endian,
      loading_restores_every_field_and_nothing_else,
      a_wrong_size_changes_nothing, hostile_bools_become_0_or_1,
      comparing_names_the_first_difference, a_dump_has_a_line_a_field)
