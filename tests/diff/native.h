#ifndef TESTS_DIFF_NATIVE_H
#define TESTS_DIFF_NATIVE_H

/*
 * Runs test programs on the host CPU, in this process: registers are swapped,
 * the program jumps back at its end, and a signal that it raises is caught and
 * kept as the exception it was.  A system call that it makes by accident is
 * refused by a seccomp filter; one that does not end is stopped by a timer.
 */

#include <stdbool.h>

#include "cpu/features.h"
#include "tests/diff/case.h"

/* Makes the address space.  False with a sentence printed if this host cannot
 * run 64-bit cases. */
bool native_init(void);

/* Can it run such code?  If not, *why says why. */
bool native_can(enum code_kind kind, const char **why);

/* CPUID of the host: features as in the tables. */
struct feature_set native_features(void);

/* Loads code and memory.  The code stays until another is loaded. */
void native_load(const struct test_case *c);
/* Runs what was loaded. */
void native_run(const struct test_case *c, struct outcome *out);
/* The data page as the program left it. */
const uint8_t *native_page(unsigned page);
/* Brings memory back to the base image. */
void native_unload(void);

#endif
