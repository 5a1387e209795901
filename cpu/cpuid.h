#ifndef CPU_CPUID_H
#define CPU_CPUID_H

/*
 * CPU models as data: what CPUID reports and which instructions, MSRs and
 * control bits exist (SDM vol. 2, CPUID; features: cpu/isa/features.def).
 */

#include <stdbool.h>
#include <stdint.h>

struct cpu_model {
    const char *name; /* as in -cpu name; NULL ends the table */
    const char *what; /* one line for --help */
    const char *vendor; /* 12 characters */
    const char *brand;  /* at most 47 characters, or NULL: none reported */
    uint16_t family, model, stepping;
    uint64_t features;  /* bit FEAT_x */
    uint32_t max_leaf, max_ext_leaf; /* max_ext_leaf 0: no extended leaves */
    uint8_t phys_bits, linear_bits;  /* linear_bits 32: no long mode */
};

/* Ends with a NULL name.  The last one has every feature that Copal has. */
extern const struct cpu_model cpu_models[];

/* NULL if there is none of that name. */
const struct cpu_model *cpu_model_find(const char *name);

/* AMD documents other rules than Intel for SYSCALL and SYSENTER. */
bool cpu_model_is_amd(const struct cpu_model *model);

#endif
