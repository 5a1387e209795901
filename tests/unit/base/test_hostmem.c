/* Host pages: guarded data, and code that is never writable where it runs. */
#include "base/hostmem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/suite.h"

/* The rights of the page at p, "rwxp" as the kernel lists them; "" if no
 * mapping has it. */
static void page_rights(const void *p, char rights[5])
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];

    rights[0] = 0;
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof(line), maps)) {
        unsigned long first, end;
        char r[5];

        if (sscanf(line, "%lx-%lx %4s", &first, &end, r) == 3 &&
            (uintptr_t)p >= first && (uintptr_t)p < end)
            memcpy(rights, r, sizeof(r));
    }
    fclose(maps);
}

static void expect_rights(const void *p, const char *expected)
{
    char rights[5];

    page_rights(p, rights);
    ck_assert_msg(!strncmp(rights, expected, 3), "%s, not %s", rights,
                  expected);
}

START_TEST(data_is_zeroed_and_rounded_to_pages)
{
    struct hostmem m;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    ck_assert(hostmem_map(&m, page * 3 - 5));
    ck_assert_uint_eq(m.size, page * 3);
    ck_assert_ptr_null(m.rx);
    for (size_t i = 0; i < m.size; i++)
        ck_assert_uint_eq(m.rw[i], 0);
    m.rw[m.size - 1] = 1;
    hostmem_unmap(&m);
    ck_assert_ptr_null(m.rw);
}
END_TEST

START_TEST(guards_stand_before_and_after)
{
    for (size_t size = 4096; size <= 16 << 20; size *= 8) {
        struct hostmem m;

        ck_assert(hostmem_map(&m, size));
        expect_rights(m.rw, "rw-");
        expect_rights(m.rw - 1, "---");
        expect_rights(m.rw + m.size, "---");
        hostmem_unmap(&m);
    }
}
END_TEST

START_TEST(unmap_leaves_nothing)
{
    for (int i = 0; i < 2; i++) {
        struct hostmem m;

        ck_assert(i ? hostmem_map_wx(&m, 1 << 16) : hostmem_map(&m, 1 << 16));

        uint8_t *was = m.rw;

        hostmem_unmap(&m);
        expect_rights(was, "");
        hostmem_unmap(&m); /* of nothing: no harm */
    }
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
    struct hostmem m;

    errno = 0;
    ck_assert(!hostmem_map(&m, 0) && errno == EINVAL);
    ck_assert(!hostmem_map(&m, SIZE_MAX) && errno == EINVAL);
    ck_assert(!hostmem_map_wx(&m, 0) && errno == EINVAL);
    errno = 0;
    ck_assert(!hostmem_map(&m, SIZE_MAX / 4) && errno == ENOMEM);
    ck_assert_ptr_null(m.rw);
}
END_TEST

START_TEST(no_view_of_code_is_both_writable_and_executable)
{
    struct hostmem m;

    ck_assert(hostmem_map_wx(&m, 1 << 20));
    expect_rights(m.rw, "rw-");
    expect_rights(m.rx, "r-x");
    m.rw[12345] = 0x5a;
    ck_assert_uint_eq(m.rx[12345], 0x5a);
    hostmem_unmap(&m);
}
END_TEST

/* A function that returns `value`, in the host's machine code; its size, 0 if
 * the host is neither of the two that Copal generates code for. */
static size_t make_function(uint8_t *at, uint8_t value)
{
#if defined(__x86_64__)
    const uint8_t code[] = {0xb8, value, 0, 0, 0, 0xc3}; /* mov eax, v; ret */
#elif defined(__aarch64__)
    const uint32_t code[] = {0x52800000u | (uint32_t)value << 5, /* mov w0 */
                             0xd65f03c0u};                       /* ret */
#else
    const uint8_t code[] = {value};

    return 0;
#endif
    memcpy(at, code, sizeof(code));
    return sizeof(code);
}

/* Writes a function through one view and calls it through the other. */
static void expect_call(const struct hostmem *m, size_t at, uint8_t value)
{
    size_t size = make_function(m->rw + at, value);
    const uint8_t *entry = m->rx + at;
    int (*f)(void);

    if (size == 0)
        return;
    hostmem_sync_code(m, at, size);
    memcpy(&f, &entry, sizeof(f));
    ck_assert_int_eq(f(), value);
}

START_TEST(code_written_in_one_view_runs_in_the_other)
{
    struct hostmem m;

    ck_assert(hostmem_map_wx(&m, 1 << 16));
    for (unsigned i = 0; i < 256; i++)
        expect_call(&m, i * 64, (uint8_t)i);
    hostmem_unmap(&m);
}
END_TEST

/* qemu-user 7.2 notices new code only by writes through the view that runs:
 * it has nothing to say about this on an emulated host. */
START_TEST(code_can_be_rewritten_in_place)
{
    struct hostmem m;

    if (getenv("COPAL_EMULATED_HOST")) {
        puts("skipped: rewriting code, on an emulated host");
        return;
    }
    ck_assert(hostmem_map_wx(&m, 1 << 16));
    for (unsigned i = 0; i < 256; i++)
        expect_call(&m, 0, (uint8_t)i);
    hostmem_unmap(&m);
}
END_TEST

START_TEST(advice_is_only_a_hint)
{
    struct hostmem m;

    ck_assert(hostmem_map(&m, 4 << 20));
    errno = 0;
    hostmem_advise_huge(m.rw, m.size);
    hostmem_advise_huge(m.rw + 1, 2);
    ck_assert_int_eq(errno, 0);
    ck_assert_uint_eq((uintptr_t)m.rw % (2 << 20), 0);
    hostmem_unmap(&m);
}
END_TEST

SUITE("hostmem", data_is_zeroed_and_rounded_to_pages,
      guards_stand_before_and_after, unmap_leaves_nothing,
      impossible_sizes_are_refused,
      no_view_of_code_is_both_writable_and_executable,
      code_written_in_one_view_runs_in_the_other,
      code_can_be_rewritten_in_place, advice_is_only_a_hint)
