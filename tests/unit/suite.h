#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

/*
 * The main of a unit test: runs the tests in this process, so that sanitizers
 * and debuggers see them, and fails if one fails or if there are none.
 */

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

static inline int suite_main(const char *name, const TTest *const *tests,
                             size_t count)
{
    Suite *suite = suite_create(name);
    TCase *all = tcase_create("all");

    for (size_t i = 0; i < count; i++)
        tcase_add_test(all, tests[i]);
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);

    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);

    int bad = srunner_ntests_failed(runner) || !srunner_ntests_run(runner);

    srunner_free(runner);
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SUITE("name", test, ...) at the end of the file is its main. */
#define SUITE(name, ...)                                                  \
    int main(void)                                                        \
    {                                                                     \
        const TTest *const tests[] = {__VA_ARGS__};                       \
                                                                          \
        return suite_main(name, tests, sizeof(tests) / sizeof(tests[0])); \
    }

#endif
