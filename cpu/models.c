/*
 * The processors that can be named (SDM vol. 2, CPUID; AMD's CPUID
 * specification; data sheets for what each one has).
 */

#include <string.h>

#include "base/compiler.h"
#include "cpu/cpuid.h"
#include "mem/physmem.h"

/* --- features --- */

/* Word w of a set: a list of names is a function of the word. */
#define F(w, name) \
    (FEAT_##name / 64 == (w) ? (uint64_t)1 << FEAT_##name % 64 : 0)
#define SET(list) {{list(0), list(1)}}

#define IS_486(w)                                                      \
    (F(w, BASE) | F(w, I486) | F(w, CPUID) | F(w, FPU) | F(w, VME))
#define IS_P5(w)                                                       \
    (IS_486(w) | F(w, DE) | F(w, PSE) | F(w, TSC) | F(w, MSR) |        \
     F(w, MCE) | F(w, CX8))
#define IS_P55C(w) (IS_P5(w) | F(w, MMX))
#define IS_K6_2(w) (IS_P55C(w) | F(w, PGE) | F(w, SYSCALL) | F(w, NOW3D))
#define IS_P2(w)                                                       \
    (IS_P55C(w) | F(w, PAE) | F(w, APIC) | F(w, SEP) | F(w, MTRR) |    \
     F(w, PGE) | F(w, MCA) | F(w, CMOV) | F(w, PAT) | F(w, PSE36) |    \
     F(w, FXSR))
#define IS_P3(w) (IS_P2(w) | F(w, SSE) | F(w, MMXEXT))
#define IS_ATHLON(w)                                                   \
    (IS_P2(w) | F(w, SYSCALL) | F(w, MMXEXT) | F(w, NOW3D) |           \
     F(w, NOW3DEXT))

#define IS_V1(w)                                                       \
    (IS_P3(w) | F(w, CLFSH) | F(w, SSE2) | F(w, HYPERVISOR) |          \
     F(w, SYSCALL) | F(w, NX) | F(w, LM))
#define IS_V2(w)                                                       \
    (IS_V1(w) | F(w, CX16) | F(w, LAHF64) | F(w, POPCNT) |             \
     F(w, SSE3) | F(w, SSSE3) | F(w, SSE41) | F(w, SSE42))
#define IS_V3(w)                                                       \
    (IS_V2(w) | F(w, AVX) | F(w, AVX2) | F(w, BMI1) | F(w, BMI2) |     \
     F(w, F16C) | F(w, FMA) | F(w, ABM) | F(w, MOVBE) | F(w, XSAVE))

#define IS_CORE2(w)                                                    \
    (IS_V1(w) | F(w, CX16) | F(w, LAHF64) | F(w, SSE3) | F(w, SSSE3))
#define IS_NEHALEM(w) (IS_V2(w) | F(w, RDTSCP) | F(w, INVTSC))
#define IS_HASWELL(w)                                                  \
    (IS_NEHALEM(w) | IS_V3(w) | F(w, PCLMUL) | F(w, AES) |             \
     F(w, RDRAND) | F(w, FSGSBASE) | F(w, TSC_ADJUST) | F(w, SMEP) |   \
     F(w, ERMS) | F(w, INVPCID) | F(w, PCID) | F(w, TSC_DEADLINE) |    \
     F(w, PDPE1GB) | F(w, XSAVEOPT))
#define IS_EPYC(w)                                                     \
    (IS_V3(w) | F(w, PCLMUL) | F(w, AES) | F(w, RDRAND) |              \
     F(w, FSGSBASE) | F(w, SMEP) | F(w, RDSEED) | F(w, ADX) |          \
     F(w, SMAP) | F(w, CLFLUSHOPT) | F(w, SHA) | F(w, PDPE1GB) |       \
     F(w, RDTSCP) | F(w, SSE4A) | F(w, MISALIGNSSE) | F(w, PREFETCHW) | \
     F(w, MISALIGNSSE) |                                               \
     F(w, XSAVEOPT) | F(w, XSAVEC) | F(w, XGETBV1) | F(w, XSAVES) |    \
     F(w, INVTSC))
#define IS_MAX(w)                                                      \
    (IS_HASWELL(w) | IS_EPYC(w) | F(w, UMIP) | F(w, ARCH_CAP) |        \
     F(w, RDPID) | F(w, CLWB) | F(w, WBNOINVD) | F(w, SERIALIZE) |     \
     F(w, MOVDIRI) | F(w, MOVDIR64B) | F(w, FSRM) | F(w, GFNI) |       \
     F(w, VAES) | F(w, VPCLMUL) | F(w, AVXVNNI) | F(w, NOW3D) |        \
     F(w, NOW3DEXT))

/* --- models --- */

#define INTEL .vendor = "GenuineIntel"
#define AMD .vendor = "AuthenticAMD"
#define VERSION(f, m, s) .family = (f), .model = (m), .stepping = (s)
#define LEAVES(last, last_extended) \
    .max_leaf = (last), .max_ext_leaf = (last_extended)
#define ADDRESS(physical, linear) \
    .phys_bits = (physical), .linear_bits = (linear)
/* Size in KiB and ways of L1 data, L1 code, L2, L3. */
#define CACHES(d, dw, i, iw, l2, l2w, l3, l3w) \
    .cache = {{d, dw}, {i, iw}, {l2, l2w}, {l3, l3w}}

const struct cpu_model cpu_models[] = {
    {.name = "486", .what = "Intel 486 DX4", INTEL, VERSION(4, 8, 0),
     .features = SET(IS_486), LEAVES(1, 0), ADDRESS(32, 32),
     .line = 16},
    {.name = "pentium", .what = "Intel Pentium", INTEL, VERSION(5, 2, 12),
     .features = SET(IS_P5), LEAVES(1, 0), ADDRESS(32, 32), .line = 32},
    {.name = "pentium-mmx", .what = "Intel Pentium MMX", INTEL,
     VERSION(5, 4, 3), .features = SET(IS_P55C), LEAVES(1, 0),
     ADDRESS(32, 32), .line = 32},
    {.name = "pentium2", .what = "Intel Pentium II", INTEL, VERSION(6, 5, 2),
     .features = SET(IS_P2), LEAVES(2, 0), ADDRESS(36, 32), .line = 32,
     .leaf2 = {0x03020101, 0, 0, 0x0c040843}},
    {.name = "pentium3", .what = "Intel Pentium III", INTEL,
     VERSION(6, 8, 3), .features = SET(IS_P3), LEAVES(2, 0),
     ADDRESS(36, 32), .line = 32, .leaf2 = {0x03020101, 0, 0, 0x0c040882}},
    {.name = "k6-2", .what = "AMD K6-2: 3DNow!", AMD, VERSION(5, 8, 12),
     .brand = "AMD-K6(tm) 3D processor", .features = SET(IS_K6_2),
     LEAVES(1, 0x80000005), ADDRESS(32, 32), .line = 32,
     CACHES(32, 2, 32, 2, 0, 0, 0, 0)},
    {.name = "athlon", .what = "AMD Athlon: extended 3DNow!", AMD,
     VERSION(6, 4, 2), .brand = "AMD Athlon(tm) Processor",
     .features = SET(IS_ATHLON), LEAVES(1, 0x80000008), ADDRESS(36, 32),
     .line = 64, CACHES(64, 2, 64, 2, 256, 16, 0, 0)},
    {.name = "core2", .what = "Intel Core 2 Duo: 64 bits, SSSE3", INTEL,
     VERSION(6, 15, 11),
     .brand = "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz",
     .features = SET(IS_CORE2), LEAVES(10, 0x80000008), ADDRESS(36, 48),
     .line = 64, CACHES(32, 8, 32, 8, 4096, 16, 0, 0)},
    {.name = "nehalem", .what = "Intel Core i7 of 2008: SSE4.2", INTEL,
     VERSION(6, 26, 3), .brand = "Intel Core i7 9xx (Nehalem Class Core i7)",
     .features = SET(IS_NEHALEM), LEAVES(11, 0x80000008), ADDRESS(40, 48),
     .line = 64, CACHES(32, 8, 32, 4, 256, 8, 8192, 16)},
    {.name = "haswell", .what = "Intel Core of 2013: AVX2, FMA, BMI2", INTEL,
     VERSION(6, 60, 4), .brand = "Intel Core Processor (Haswell, no TSX)",
     .features = SET(IS_HASWELL), LEAVES(13, 0x80000008), ADDRESS(40, 48),
     .line = 64, CACHES(32, 8, 32, 8, 256, 8, 8192, 16)},
    {.name = "epyc", .what = "AMD EPYC of 2017: AVX2, SHA, SSE4a", AMD,
     VERSION(23, 1, 2), .brand = "AMD EPYC Processor",
     .features = SET(IS_EPYC), LEAVES(13, 0x80000008), ADDRESS(40, 48),
     .line = 64, CACHES(32, 8, 64, 4, 512, 8, 8192, 16)},
    {.name = "x86-64", .what = "x86-64-v1: 64 bits, SSE2", AMD,
     VERSION(15, 107, 1), .brand = "Copal x86-64 processor",
     .features = SET(IS_V1), LEAVES(1, 0x80000008),
     ADDRESS(PADDR_BITS, 48), .line = 64,
     CACHES(64, 2, 64, 2, 512, 16, 0, 0)},
    {.name = "x86-64-v2", .what = "SSE4.2, POPCNT, CMPXCHG16B", AMD,
     VERSION(15, 107, 1), .brand = "Copal x86-64-v2 processor",
     .features = SET(IS_V2), LEAVES(1, 0x80000008),
     ADDRESS(PADDR_BITS, 48), .line = 64,
     CACHES(64, 2, 64, 2, 512, 16, 0, 0)},
    {.name = "x86-64-v3", .what = "AVX2, FMA, BMI1, BMI2", AMD,
     VERSION(15, 107, 1), .brand = "Copal x86-64-v3 processor",
     .features = SET(IS_V3), LEAVES(13, 0x80000008),
     ADDRESS(PADDR_BITS, 48), .line = 64,
     CACHES(64, 2, 64, 2, 512, 16, 0, 0)},
    {.name = "max", .what = "everything that Copal has", INTEL,
     VERSION(6, 60, 1), .brand = "Copal processor with all features",
     .features = SET(IS_MAX), LEAVES(13, 0x80000008),
     ADDRESS(PADDR_BITS, 48), .line = 64,
     CACHES(32, 8, 32, 8, 2048, 8, 0, 0)},
    {.name = NULL},
};

const struct cpu_model *cpu_model_find(const char *name)
{
    for (const struct cpu_model *m = cpu_models; m->name; m++) {
        if (strcmp(m->name, name) == 0)
            return m;
    }
    return NULL;
}

bool cpu_model_is_amd(const struct cpu_model *model)
{
    return model->vendor[0] == 'A';
}

/* The last model's. */
const struct feature_set *cpu_all_features(void)
{
    return &cpu_models[array_len(cpu_models) - 2].features;
}

/* --- features by name --- */

const char *cpu_feature_name(unsigned feature)
{
    static const char *const names[FEAT_COUNT] = {
#define FEATURE(name, leaf, sub, reg, bit, option) [FEAT_##name] = option,
#include "cpu/isa/features.def"
#undef FEATURE
    };

    return feature < FEAT_COUNT ? names[feature] : "";
}

/* sse4.1 is also known as sse4-1 and sse4_1, and so on. */
static char plain(char c)
{
    return c == '_' || c == '.' ? '-' : c;
}

static bool is_name(const char *known, const char *name, size_t length)
{
    if (strlen(known) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (plain(known[i]) != plain(name[i]))
            return false;
    return true;
}

/* Other names: what manuals and compilers call them, and Linux. */
static const struct {
    const char *name;
    uint8_t feature;
} aliases[] = {
    {"sha", FEAT_SHA},
    {"lzcnt", FEAT_ABM},
    {"pclmul", FEAT_PCLMUL},
    {"pni", FEAT_SSE3},
    {"cmpxchg16b", FEAT_CX16},
    {"prfchw", FEAT_PREFETCHW},
};

int cpu_feature_find(const char *name, size_t length)
{
    for (unsigned f = 0; f < FEAT_COUNT; f++)
        if (length && is_name(cpu_feature_name(f), name, length))
            return (int)f;
    for (size_t k = 0; k < array_len(aliases); k++)
        if (is_name(aliases[k].name, name, length))
            return aliases[k].feature;
    return -1;
}

/* --- what needs what --- */

/* {feature, what it cannot be without}: registers, or a promise of the manual.
 * VEX encoded integer instructions need nothing. */
static const struct {
    uint8_t feature, needs;
} needs[] = {
#define NEEDS(feature, what) {FEAT_##feature, FEAT_##what},
    NEEDS(CPUID, I486)
    NEEDS(PSE36, PSE)
    NEEDS(MMX, FPU)
    NEEDS(FXSR, FPU)
    NEEDS(SSE, FXSR)
    NEEDS(SSE, MMXEXT)
    NEEDS(SSE2, SSE)
    NEEDS(SSE3, SSE2)
    NEEDS(SSSE3, SSE3)
    NEEDS(SSE41, SSSE3)
    NEEDS(SSE42, SSE41)
    NEEDS(SSE4A, SSE3)
    NEEDS(MISALIGNSSE, SSE)
    NEEDS(PCLMUL, SSE2)
    NEEDS(AES, SSE2)
    NEEDS(SHA, SSE2)
    NEEDS(GFNI, SSE2)
    NEEDS(XSAVE, FXSR)
    NEEDS(XSAVEOPT, XSAVE)
    NEEDS(XSAVEC, XSAVE)
    NEEDS(XGETBV1, XSAVE)
    NEEDS(XSAVES, XSAVEC)
    NEEDS(AVX, XSAVE)
    NEEDS(AVX, SSE42)
    NEEDS(AVX2, AVX)
    NEEDS(FMA, AVX)
    NEEDS(F16C, AVX)
    NEEDS(VAES, AVX)
    NEEDS(VAES, AES)
    NEEDS(VPCLMUL, AVX)
    NEEDS(VPCLMUL, PCLMUL)
    NEEDS(AVXVNNI, AVX2)
    NEEDS(MMXEXT, MMX)
    NEEDS(NOW3D, MMX)
    NEEDS(NOW3DEXT, NOW3D)
    NEEDS(SYSCALL, MSR)
    NEEDS(NX, PAE)
    NEEDS(NX, MSR)
    NEEDS(LM, PAE)
    NEEDS(LM, MSR)
    NEEDS(LM, SSE2)
    NEEDS(LM, SYSCALL)
    NEEDS(LM, NX)
    NEEDS(LAHF64, LM)
    NEEDS(PDPE1GB, LM)
    NEEDS(CX16, CX8)
    NEEDS(CX16, LM)
    NEEDS(PCID, LM)
    NEEDS(FSGSBASE, LM)
    NEEDS(TSC_DEADLINE, APIC)
    NEEDS(TSC_DEADLINE, TSC)
    NEEDS(TSC_ADJUST, TSC)
    NEEDS(INVTSC, TSC)
    NEEDS(RDTSCP, TSC)
    NEEDS(RDPID, RDTSCP) /* both read IA32_TSC_AUX */
    NEEDS(APIC, MSR)
    NEEDS(MTRR, MSR)
    NEEDS(MCA, MCE)
#undef NEEDS
};

bool cpu_model_drop(struct cpu_model *m, unsigned *dropped, unsigned *missing)
{
    for (size_t i = 0; i < array_len(needs); i++) {
        if (!feature_set_has(&m->features, needs[i].feature) ||
            feature_set_has(&m->features, needs[i].needs))
            continue;
        feature_set_put(&m->features, needs[i].feature, false);
        *dropped = needs[i].feature;
        *missing = needs[i].needs;
        return true;
    }
    return false;
}
