#ifndef TESTS_DIFF_RECORD_H
#define TESTS_DIFF_RECORD_H

/*
 * Answers of a host CPU in a file, for other hosts.
 *
 * A case is not stored: it is generated again from seed, number and features,
 * which are in the file.  Of an outcome, only the bytes that differ from the
 * state before are stored: some 60 bytes a case.  A checksum of the tables
 * refuses a file that was made by another version.
 */

#include <stdbool.h>
#include <stdio.h>

#include "tests/diff/generate.h"
#include "tests/diff/layout.h"

/* NULL, with a sentence printed, if the file cannot be written. */
FILE *record_create(const char *path, const struct generator *g,
                    uint64_t first);
void record_case(FILE *f, const struct test_case *c, const struct outcome *host,
                 uint8_t pages[RW_PAGES][PAGE]);

/* Fills g (seed, features, host) and calls generator_init. */
FILE *record_open(const char *path, struct generator *g);

/* The next case with its outcome and memory.  False at the end; *bad if the
 * file is not right. */
bool record_next(FILE *f, const struct generator *g, struct test_case *c,
                 struct outcome *host, uint8_t pages[RW_PAGES][PAGE],
                 bool *bad);

#endif
