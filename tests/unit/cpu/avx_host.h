#ifndef TESTS_UNIT_CPU_AVX_HOST_H
#define TESTS_UNIT_CPU_AVX_HOST_H

/*
 * Runs one VEX instruction on the processor of the host (x86-64 with AVX).
 * All state goes in and comes out in one struct; an unmasked exception is
 * noted as simd_host.h says.
 */

#include <cpuid.h>

#include "cpu/features.h"
#include "tests/unit/cpu/simd_host.h"

struct avx_state { /* as struct host_state; the rest is known to avx_run */
    uint8_t before[16][32], after[16][32];
    uint64_t gpr[HOST_GPRS];
    uint64_t pointer; /* RSI and RDI */
    uint64_t flags;
    uint32_t mxcsr, mxcsr_after; /* 1088 */
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct avx_state, mxcsr) == 1088, "avx_run knows it");

#define AVX_LOAD(n) "vmovdqa " #n "*32(%[s]), %%ymm" #n "\n\t"
#define AVX_STORE(n) "vmovdqa %%ymm" #n ", 512+" #n "*32(%[s])\n\t"
#define AVX_ALL(do)                                                      \
    do                                                                   \
    (0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do( \
        11) do(12) do(13) do(14) do(15)

/* code: the instruction and a RET. */
static inline void avx_run(struct avx_state *state, const uint8_t *code)
{
    host_trapped = 0;
    HOST_RUN(state, code, AVX_ALL(AVX_LOAD) "ldmxcsr 1088(%[s])\n\t",
             "stmxcsr 1092(%[s])\n\t" AVX_ALL(AVX_STORE) "vzeroupper\n\t");
}

static inline bool host_cpuid_bit(uint32_t leaf, uint32_t subleaf, unsigned reg,
                                  unsigned bit)
{
    uint32_t r[4];

    if (!leaf)
        return true;
    if (!__get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]))
        return false;
    return r[reg] >> bit & 1;
}

/* Features of the host, by the rows of features.def; XCR0 is the C library's
 * to look at. */
static inline struct feature_set host_features(void)
{
    struct feature_set set = {{0}};

#define FEATURE(name, leaf, subleaf, reg, bit, option) \
    feature_set_put(&set, FEAT_##name, host_cpuid_bit(leaf, subleaf, reg, bit));
#include "cpu/isa/features.def"
#undef FEATURE
    return set;
}

#endif
