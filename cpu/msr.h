#ifndef CPU_MSR_H
#define CPU_MSR_H

/*
 * Model-specific registers; the rows are in msr.def.
 *
 * An index without a row, or whose feature the CPU model lacks, is #GP(0) on
 * both instructions, as on hardware, and is logged with -d unimp.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"

/* False: the guest gets #GP(0). */
bool msr_read(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write(struct cpu *cpu, uint32_t index, uint64_t value);

/* Values after RESET. */
void msr_reset(struct cpu *cpu);

#endif
