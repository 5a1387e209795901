#ifndef TESTS_X87_HOST_H
#define TESTS_X87_HOST_H

/*
 * Runs code with the registers given on the processor of the host (x86-64).
 *
 * An exception of the x87 that is pending and unmasked makes the next waiting
 * instruction #MF, which the kernel turns into a signal; the code ends there.
 */

#include <stdint.h>

#include "tests/unit/cpu/simd_image.h"

/* Once, before anything is run. */
void host_catch_exceptions(void);

/* code ends with the RET at `end`.  Returns the address of the instruction that
 * took #MF, or 0. */
uintptr_t host_run(struct host_state *state, const uint8_t *code,
                   const uint8_t *end);

#endif
