#ifndef TESTS_X87_HOST_H
#define TESTS_X87_HOST_H

/*
 * Runs code with the registers given on the processor of the host (x86-64).
 *
 * An exception of the x87 that is pending and unmasked makes the next waiting
 * instruction #MF, which the kernel turns into a signal; the code ends there.
 */

#include <stdint.h>

enum { HOST_GPRS = 6 };

/* RAX RCX RDX R8 R9 R10: the rest hold the harness together. */
extern const uint8_t host_gpr_number[HOST_GPRS];

struct host_state {                  /* offsets are known to host_run */
    uint8_t before[512], after[512]; /* FXSAVE images */
    uint64_t gpr[HOST_GPRS];
    uint64_t pointer; /* RSI and RDI: the memory operand */
    uint64_t flags;   /* after */
} __attribute__((aligned(64)));

/* Once, before anything is run. */
void host_catch_exceptions(void);

/* code ends with the RET at `end`.  Returns the address of the instruction that
 * took #MF, or 0. */
uintptr_t host_run(struct host_state *state, const uint8_t *code,
                   const uint8_t *end);

#endif
