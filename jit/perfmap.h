#ifndef JIT_PERFMAP_H
#define JIT_PERFMAP_H

/*
 * Names for generated code, for `perf report`: lines "address size name" in
 * the file that perf looks for, /tmp/perf-PID.map (perf-record(1), JIT map
 * files).  Lines are appended as code is made; where a place in the buffer was
 * used again, the last line about it holds.  All do nothing if f is NULL.
 */

#include <stdint.h>
#include <stdio.h>

#include "jit/backend.h"
#include "jit/block.h"

void perfmap_thunks(FILE *f, const uint8_t *rx, const struct jit_thunks *t);
void perfmap_block(FILE *f, const uint8_t *rx, const struct block *b);

#endif
