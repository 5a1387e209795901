#ifndef CPU_XSAVE_H
#define CPU_XSAVE_H

/*
 * Extended states: which of them a processor has, and where XSAVE puts them
 * (SDM vol. 1, chapter 13).
 */

#include "cpu/cpu.h"

/* Bits that XCR0 can have: x87 always, SSE and AVX as the model says. */
uint64_t xsave_supported(const struct cpu *cpu);

/* May XCR0 be this? */
bool xsave_xcr0_is_legal(const struct cpu *cpu, uint64_t v);

/* Bytes of an area for the components in set: standard or compacted. */
unsigned xsave_size(uint64_t set, bool compacted);

/* Component i of 2 or more: bytes, and offset in the standard form; 0 if
 * there is no such component. */
unsigned xsave_component_size(unsigned i);
unsigned xsave_component_offset(unsigned i);

#endif
