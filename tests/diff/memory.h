#ifndef TESTS_DIFF_MEMORY_H
#define TESTS_DIFF_MEMORY_H

/* What is in memory when a program starts: patches on the base image. */

#include "tests/diff/build.h"

/* Linear address of the memory operand, with the registers of the start. */
uint64_t memory_operand(const struct test_case *c, const struct insn *in);

uint64_t memory_stack_base(const struct test_case *c);

/* Adds a patch of 64 bytes around `at`, of corner operands.  False if there is
 * no room or nothing may be written there. */
bool memory_spot(struct plan *p, uint32_t at);

/* Bytes that programs may write; elsewhere they are dropped. */
void memory_put(struct plan *p, uint64_t at, const uint8_t *bytes, unsigned n);

/* False if not all of it is patched. */
bool memory_get(const struct test_case *c, uint64_t at, uint8_t *bytes,
                unsigned n);

#endif
