/* Allocation: zeroed, never NULL, and one way out when the host is full. */
#include "base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suite.h"

START_TEST(memory_is_zeroed)
{
    char zero[64] = {0};

    for (int i = 0; i < 100; i++) {
        char *a = xalloc(64), *b = xcalloc(8, 8);

        ck_assert_mem_eq(a, zero, 64);
        ck_assert_mem_eq(b, zero, 64);
        memset(a, 0xff, 64);
        memset(b, 0xff, 64);
        free(a);
        free(b);
    }
}
END_TEST

START_TEST(nothing_is_not_a_failure)
{
    void *p = xalloc(0), *q = xcalloc(0, 8), *r = xrealloc(NULL, 0);

    ck_assert(p && q && r);
    free(p);
    free(q);
    free(r);
}
END_TEST

START_TEST(realloc_keeps_what_was_there)
{
    char *p = xstrdup("copal");

    p = xrealloc(p, 1 << 16);
    ck_assert_str_eq(p, "copal");
    free(p);
}
END_TEST

/* In a child, because it ends the process.  A product that overflows is
 * refused by the C library on any host. */
START_TEST(a_full_host_ends_the_process_with_3)
{
    pid_t child = fork();
    volatile size_t many = SIZE_MAX / 2;
    int status = 0;

    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        xcalloc(many, 4);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 3);
}
END_TEST

SUITE("alloc", memory_is_zeroed, nothing_is_not_a_failure,
      realloc_keeps_what_was_there, a_full_host_ends_the_process_with_3)
