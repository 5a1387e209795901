#ifndef CPU_CPUID_H
#define CPU_CPUID_H

/*
 * CPU models as data: what CPUID reports and which instructions, MSRs and
 * control bits exist (SDM vol. 2, CPUID; features: cpu/isa/features.def).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/features.h"

struct cpu_cache {
    uint16_t kib; /* 0: there is none */
    uint8_t ways;
};

enum { CACHE_L1D, CACHE_L1I, CACHE_L2, CACHE_L3, CACHES };

struct cpu_model {
    const char *name;   /* as in -cpu name; NULL ends the table */
    const char *what;   /* one line for --help */
    const char *vendor; /* 12 characters */
    const char *brand;  /* at most 47 characters, or NULL: none reported */
    uint16_t family, model, stepping;
    struct feature_set features;
    uint32_t max_leaf, max_ext_leaf; /* max_ext_leaf 0: no extended leaves */
    uint8_t phys_bits, linear_bits;  /* linear_bits 32: no long mode */
    uint8_t line;                    /* bytes of a cache line */
    struct cpu_cache cache[CACHES];
    uint32_t leaf2[4]; /* cache descriptors of processors without leaf 4 */
};

/* Ends with a NULL name.  The last one has every feature that Copal has. */
extern const struct cpu_model cpu_models[];

/* NULL if there is none of that name. */
const struct cpu_model *cpu_model_find(const char *name);

/* AMD documents other rules than Intel for SYSCALL and SYSENTER. */
bool cpu_model_is_amd(const struct cpu_model *model);

/* What the decoder and CPUID know all of. */
const struct feature_set *cpu_all_features(void);

/* A feature by the name that -cpu and /proc/cpuinfo have for it, more or less;
 * -1: unknown.  And the name, "" if it has none. */
int cpu_feature_find(const char *name, size_t length);
const char *cpu_feature_name(unsigned feature);

/* Takes away one feature that needs another which is missing, and says which;
 * false if there is none such. */
bool cpu_model_drop(struct cpu_model *m, unsigned *dropped, unsigned *missing);

/* After a change of features: what follows from them, leaves for all of them,
 * address bits. */
void cpu_model_fit(struct cpu_model *m);

/* Registers EAX, EBX, ECX, EDX of a leaf. */
struct cpu;
struct cpuid_leaf {
    uint32_t r[4];
};
struct cpuid_leaf cpuid_query(const struct cpu *cpu, uint32_t leaf,
                              uint32_t subleaf);

#endif
