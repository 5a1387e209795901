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

struct avx_state { /* offsets are known to avx_run */
    uint8_t before[16][32], after[16][32];
    uint64_t gpr[HOST_GPRS];     /* 1024 */
    uint64_t pointer;            /* 1072: RSI and RDI */
    uint64_t flags;              /* 1080 */
    uint32_t mxcsr, mxcsr_after; /* 1088 */
} __attribute__((aligned(64)));

#define AVX_LOAD(n) "vmovdqa " #n "*32(%[s]), %%ymm" #n "\n\t"
#define AVX_STORE(n) "vmovdqa %%ymm" #n ", 512+" #n "*32(%[s])\n\t"
#define AVX_ALL(do)                                                      \
    do                                                                   \
    (0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do( \
        11) do(12) do(13) do(14) do(15)

/* code: the instruction and a RET. */
static inline void avx_run(struct avx_state *state, const uint8_t *code)
{
    static const uint32_t mxcsr = 0x1f80;
    register struct avx_state *s __asm__("rbx") = state;
    register const uint8_t *at __asm__("r11") = code;

    host_trapped = 0;
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t" /* the red zone is C's */
                     AVX_ALL(AVX_LOAD) "ldmxcsr 1088(%[s])\n\t"
                                       "movq 1024(%[s]), %%rax\n\t"
                                       "movq 1032(%[s]), %%rcx\n\t"
                                       "movq 1040(%[s]), %%rdx\n\t"
                                       "movq 1048(%[s]), %%r8\n\t"
                                       "movq 1056(%[s]), %%r9\n\t"
                                       "movq 1064(%[s]), %%r10\n\t"
                                       "movq 1072(%[s]), %%rsi\n\t"
                                       "movq 1072(%[s]), %%rdi\n\t"
                                       "call *%[at]\n\t"
                                       "pushfq\n\t"
                                       "popq 1080(%[s])\n\t"
                                       "stmxcsr 1092(%[s])\n\t"
                                       "movq %%rax, 1024(%[s])\n\t"
                                       "movq %%rcx, 1032(%[s])\n\t"
                                       "movq %%rdx, 1040(%[s])\n\t"
                                       "movq %%r8, 1048(%[s])\n\t"
                                       "movq %%r9, 1056(%[s])\n\t"
                                       "movq %%r10, 1064(%[s])\n\t" AVX_ALL(
                                           AVX_STORE) "vzeroupper\n\t"
                                                      "ldmxcsr %[mxcsr]\n\t"
                                                      "leaq 128(%%rsp), %%rsp"
                     : [s] "+r"(s), [at] "+r"(at)
                     : [mxcsr] "m"(mxcsr)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                       "xmm13", "xmm14", "xmm15", "memory", "cc");
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
