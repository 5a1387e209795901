#ifndef TESTS_UNIT_CPU_SIMD_IMAGE_H
#define TESTS_UNIT_CPU_SIMD_IMAGE_H

/* The state that an x87, MMX or SSE instruction works on, before and after. */

#include <stdint.h>

enum { HOST_GPRS = 6, HOST_MEMORY = 64 };

/* Registers that an instruction under test may name: the rest hold the harness
 * together. */
static const uint8_t host_gpr_number[HOST_GPRS] = {0, 1, 2, 8, 9, 10};

struct host_state {                  /* offsets are known to HOST_RUN */
    uint8_t before[512], after[512]; /* FXSAVE images */
    uint64_t gpr[HOST_GPRS];
    uint64_t pointer; /* RSI and RDI: the memory operand */
    uint64_t flags;   /* after */
} __attribute__((aligned(64)));

#endif
