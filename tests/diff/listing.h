#ifndef TESTS_DIFF_LISTING_H
#define TESTS_DIFF_LISTING_H

/* A case as a person reads it. */

#include "tests/diff/case.h"

/* The program, disassembled by Capstone, with its bytes. */
void listing_program(const struct test_case *c);

/* Registers and memory before that are not 0. */
void listing_state(const struct test_case *c);

#endif
