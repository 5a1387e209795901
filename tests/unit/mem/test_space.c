/* Address spaces: who answers where, and with which sizes. */
#include "mem/space.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/unit/suite.h"

/* A device of 16 bytes that notes the accesses that reach it. */
struct probe {
    uint8_t bytes[16];
    char log[256];
};

static void note(struct probe *p, char what, uint64_t offset, unsigned size)
{
    size_t used = strlen(p->log);

    ck_assert_uint_le(offset + size, sizeof(p->bytes));
    snprintf(p->log + used, sizeof(p->log) - used, "%c%u@%u ", what, size,
             (unsigned)offset);
}

static uint64_t probe_read(void *dev, uint64_t offset, unsigned size)
{
    struct probe *p = dev;

    note(p, 'r', offset, size);
    return load_sized(p->bytes + offset, size);
}

static void probe_write(void *dev, uint64_t offset, uint64_t value,
                        unsigned size)
{
    struct probe *p = dev;

    note(p, 'w', offset, size);
    store_sized(p->bytes + offset, value, size);
}

static const struct region_ops any_size = {probe_read, probe_write, 0, 0};
static const struct region_ops bytes_only = {probe_read, probe_write, 1, 1};
static const struct region_ops dwords_only = {probe_read, probe_write, 4, 4};
static const struct region_ops mute = {NULL, NULL, 0, 0};

static struct probe probe_make(void)
{
    struct probe p = {.log = ""};

    for (uint8_t i = 0; i < sizeof(p.bytes); i++)
        p.bytes[i] = (uint8_t)(0x10 + i);
    return p;
}

static bool map(struct space *s, uint64_t base, uint64_t size,
                const struct region_ops *ops, void *dev)
{
    return space_map(s, &(struct region){"probe", base, size, ops, dev});
}

START_TEST(nothing_reads_as_ones)
{
    struct space s;

    space_init(&s, "io", 0x10000);
    ck_assert_uint_eq(space_read(&s, 0x80, 1), 0xff);
    ck_assert_uint_eq(space_read(&s, 0xffff, 4), 0xffffffff);
    ck_assert_uint_eq(space_read(&s, 0x80, 8), UINT64_MAX);
    space_write(&s, 0x80, 1, 4);
}
END_TEST

START_TEST(windows_never_overlap)
{
    struct space s;

    space_init(&s, "io", 0x10000);
    ck_assert(map(&s, 0x100, 0x10, &any_size, NULL));
    ck_assert(!map(&s, 0x100, 0x10, &any_size, NULL));
    ck_assert(!map(&s, 0x10f, 1, &any_size, NULL));
    ck_assert(!map(&s, 0xff, 2, &any_size, NULL));
    ck_assert(!map(&s, 0x0, 0x1000, &any_size, NULL));
    ck_assert(map(&s, 0x110, 1, &any_size, NULL));
    ck_assert(map(&s, 0xff, 1, &any_size, NULL));
    ck_assert_uint_eq(s.count, 3);
}
END_TEST

START_TEST(windows_must_fit_the_space)
{
    struct space s;

    space_init(&s, "io", 0x10000);
    ck_assert(!map(&s, 0x100, 0, &any_size, NULL));
    ck_assert(!map(&s, 0xffff, 2, &any_size, NULL));
    ck_assert(!map(&s, UINT64_MAX, 2, &any_size, NULL));
    ck_assert(map(&s, 0xffff, 1, &any_size, NULL));
    space_init(&s, "memory", 0);
    ck_assert(!map(&s, UINT64_MAX, 2, &any_size, NULL));
    ck_assert(map(&s, UINT64_MAX, 1, &any_size, NULL));
    ck_assert_ptr_nonnull(space_find(&s, UINT64_MAX));
}
END_TEST

START_TEST(a_full_space_refuses)
{
    struct space s;

    space_init(&s, "io", 0x10000);
    for (unsigned i = 0; i < SPACE_MAX_REGIONS; i++)
        ck_assert(map(&s, i * 2, 1, &any_size, NULL));
    ck_assert(!map(&s, 0x8000, 1, &any_size, NULL));
    ck_assert(space_unmap(&s, 10, NULL));
    ck_assert(map(&s, 0x8000, 1, &any_size, NULL));
}
END_TEST

START_TEST(only_the_owner_unmaps)
{
    struct space s;
    int a, b;

    space_init(&s, "io", 0x10000);
    ck_assert(!space_unmap(&s, 0x100, &a));
    ck_assert(map(&s, 0x100, 0x10, &any_size, &a));
    ck_assert(!space_unmap(&s, 0x100, &b));
    ck_assert(!space_unmap(&s, 0x101, &a));
    ck_assert(space_unmap(&s, 0x100, &a));
    ck_assert_ptr_null(space_find(&s, 0x100));
}
END_TEST

START_TEST(find_and_gap_agree_with_a_search)
{
    struct space s;

    space_init(&s, "io", 0x1000);
    for (unsigned i = 0; i < 60; i++)
        ck_assert(map(&s, (i * 37) % 64 * 64, 1 + i % 64, &any_size, NULL));
    for (unsigned a = 0; a < 0x1000; a++) {
        const struct region *r = space_find(&s, a);
        uint64_t first = 0, last = 0;

        if (r) {
            ck_assert(a >= r->base && a - r->base < r->size);
            ck_assert(!space_gap(&s, a, &first, &last));
            continue;
        }
        ck_assert(space_gap(&s, a, &first, &last));
        ck_assert(first <= a && a <= last);
        for (uint64_t i = first; i <= last; i++)
            ck_assert_ptr_null(space_find(&s, i));
        ck_assert(first == 0 || space_find(&s, first - 1));
        ck_assert(last == 0xfff || space_find(&s, last + 1));
    }
}
END_TEST

START_TEST(a_device_sees_offsets)
{
    struct space s;
    struct probe p = probe_make();

    space_init(&s, "io", 0x10000);
    map(&s, 0x3f8, 16, &any_size, &p);
    ck_assert_uint_eq(space_read(&s, 0x3fa, 2), 0x1312);
    space_write(&s, 0x3ff, 0xffffffaa, 1);
    ck_assert_uint_eq(p.bytes[7], 0xaa);
    ck_assert_str_eq(p.log, "r2@2 w1@7 ");
}
END_TEST

START_TEST(addresses_wrap_at_the_end_of_the_space)
{
    struct space s;
    struct probe p = probe_make();

    space_init(&s, "io", 0x10000);
    map(&s, 0, 16, &any_size, &p);
    ck_assert_uint_eq(space_read(&s, 0x10001, 1), 0x11);
    ck_assert_uint_eq(space_read(&s, 0xffff, 4), 0x121110ff);
}
END_TEST

START_TEST(wide_accesses_are_split_upwards)
{
    struct space s;
    struct probe p = probe_make();

    space_init(&s, "io", 0x10000);
    map(&s, 0x100, 16, &bytes_only, &p);
    ck_assert_uint_eq(space_read(&s, 0x101, 4), 0x14131211);
    space_write(&s, 0x100, 0xbbaa, 2);
    ck_assert_uint_eq(load16(p.bytes), 0xbbaa);
    ck_assert_str_eq(p.log, "r1@1 r1@2 r1@3 r1@4 w1@0 w1@1 ");
}
END_TEST

START_TEST(narrow_reads_are_widened)
{
    struct space s;
    struct probe p = probe_make();

    space_init(&s, "io", 0x10000);
    map(&s, 0x100, 16, &dwords_only, &p);
    ck_assert_uint_eq(space_read(&s, 0x102, 2), 0x1312);
    ck_assert_uint_eq(space_read(&s, 0x103, 2), 0x1413);
    ck_assert_uint_eq(space_read(&s, 0x108, 8), 0x1f1e1d1c1b1a1918);
    ck_assert_str_eq(p.log, "r4@0 r4@0 r4@4 r4@8 r4@12 ");
}
END_TEST

START_TEST(narrow_writes_keep_their_size)
{
    struct space s;
    struct probe p = probe_make();

    space_init(&s, "io", 0x10000);
    map(&s, 0x100, 16, &dwords_only, &p);
    space_write(&s, 0x102, 0xffff, 1);
    ck_assert_uint_eq(load32(p.bytes), 0x13ff1110);
    ck_assert_str_eq(p.log, "w1@2 ");
}
END_TEST

START_TEST(a_unit_cut_by_the_end_answers_nothing)
{
    struct space s;
    struct probe p = probe_make();

    space_init(&s, "io", 0x10000);
    map(&s, 0x100, 6, &dwords_only, &p);
    ck_assert_uint_eq(space_read(&s, 0x104, 1), 0xff);
    ck_assert_uint_eq(space_read(&s, 0x103, 2), 0xff13);
    space_init(&s, "io", 0x10000);
    map(&s, 0x100, 2, &dwords_only, &p);
    ck_assert_uint_eq(space_read(&s, 0x100, 2), 0xffff);
}
END_TEST

START_TEST(past_the_end_goes_byte_by_byte)
{
    struct space s;
    struct probe a = probe_make(), b = probe_make();

    space_init(&s, "io", 0x10000);
    map(&s, 0x100, 16, &any_size, &a);
    map(&s, 0x110, 16, &any_size, &b);
    ck_assert_uint_eq(space_read(&s, 0x10e, 4), 0x11101f1e);
    ck_assert_uint_eq(space_read(&s, 0x11e, 4), 0xffff1f1e);
    ck_assert_uint_eq(space_read(&s, 0xfe, 4), 0x1110ffff);
    space_write(&s, 0x11f, 0x4321, 2);
    ck_assert_uint_eq(b.bytes[15], 0x21);
    ck_assert_str_eq(a.log, "r1@14 r1@15 r1@0 r1@1 ");
}
END_TEST

START_TEST(absent_handlers_are_harmless)
{
    struct space s;

    space_init(&s, "io", 0x10000);
    map(&s, 0x100, 16, &mute, NULL);
    ck_assert_uint_eq(space_read(&s, 0x100, 4), 0xffffffff);
    space_write(&s, 0x100, 0, 4);
}
END_TEST

/* What a BAR does when it is written through its own window. */
struct mover {
    struct space *space;
    uint64_t base;
    unsigned writes;
};

static void move_away(void *dev, uint64_t offset, uint64_t value, unsigned size)
{
    struct mover *m = dev;

    (void)offset, (void)value, (void)size;
    m->writes++;
    space_unmap(m->space, m->base, m);
}

START_TEST(a_window_may_unmap_itself)
{
    static const struct region_ops ops = {NULL, move_away, 1, 1};
    struct space s;
    struct mover m = {&s, 0x100, 0};

    space_init(&s, "io", 0x10000);
    map(&s, 0x100, 16, &ops, &m);
    space_write(&s, 0x100, 0, 4);
    ck_assert_uint_eq(s.count, 0);
    ck_assert_uint_eq(m.writes, 4);
}
END_TEST

SUITE("space", nothing_reads_as_ones, windows_never_overlap,
      windows_must_fit_the_space, a_full_space_refuses, only_the_owner_unmaps,
      find_and_gap_agree_with_a_search, a_device_sees_offsets,
      addresses_wrap_at_the_end_of_the_space, wide_accesses_are_split_upwards,
      narrow_reads_are_widened, narrow_writes_keep_their_size,
      a_unit_cut_by_the_end_answers_nothing, past_the_end_goes_byte_by_byte,
      absent_handlers_are_harmless, a_window_may_unmap_itself)
