#ifndef TESTS_DIFF_VALUES_H
#define TESTS_DIFF_VALUES_H

/* Operands that are likely to go wrong: borders of integers, all classes of
 * floating-point numbers. */

#include <stdint.h>

#include "tests/diff/random.h"

enum value_kind { VALUE_INT, VALUE_F32, VALUE_F64, VALUE_F80, VALUE_KINDS };

uint64_t value_int(struct rng *r);
uint32_t value_f32(struct rng *r);
uint64_t value_f64(struct rng *r);
/* Ten bytes: pseudo-denormals, unnormals and decimals too. */
void value_f80(struct rng *r, uint8_t out[10]);

/* n bytes of one kind. */
void value_fill(struct rng *r, enum value_kind kind, uint8_t *out, unsigned n);

#endif
