#ifndef TESTS_DIFF_JOBS_H
#define TESTS_DIFF_JOBS_H

/* Work in several processes. */

#include <stdbool.h>
#include <stddef.h>

/* Memory, zeroed, that all of them see; NULL: there is none. */
void *jobs_shared(size_t size);

/* Calls work(arg, i) for each i below n in a process of its own and waits for
 * all.  False if one could not be started or died. */
bool jobs_run(unsigned n, void (*work)(void *arg, unsigned index), void *arg);

#endif
