#include "cpu/cpuid.h"

#include <string.h>

#include "base/bytes.h"
#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/ops.h"

/* --- models --- */

#define F(name) ((uint64_t)1 << FEAT_##name)

#define FEATURES_486 (F(BASE) | F(I486) | F(CPUID) | F(FPU) | F(VME))
#define FEATURES_P5 \
    (FEATURES_486 | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(MCE) | F(CX8))
#define FEATURES_P6                                                       \
    (FEATURES_P5 | F(PAE) | F(APIC) | F(SEP) | F(MTRR) | F(PGE) | F(MCA) | \
     F(CMOV) | F(PAT) | F(PSE36) | F(MMX) | F(FXSR) | F(SSE))
#define FEATURES_X64                                                     \
    (FEATURES_P6 | F(CLFSH) | F(SSE2) | F(CX16) | F(HYPERVISOR) |         \
     F(SYSCALL) | F(NX) | F(LM) | F(LAHF64))
#define FEATURES_MAX                                                   \
    (FEATURES_X64 | F(PCID) | F(TSC_DEADLINE) | F(TSC_ADJUST) | F(SMEP) | \
     F(INVPCID) | F(SMAP) | F(UMIP) | F(ARCH_CAP) | F(PDPE1GB) |         \
     F(RDTSCP) | F(INVTSC))

/* Columns: name, what, vendor, brand, family, model, stepping, features, last
 * leaf, last extended leaf, address bits. */
const struct cpu_model cpu_models[] = {
    {"486", "Intel 486 DX4", "GenuineIntel", NULL, 4, 8, 0, FEATURES_486, 1, 0,
     32, 32},
    {"pentium", "Intel Pentium", "GenuineIntel", NULL, 5, 2, 12, FEATURES_P5,
     1, 0, 32, 32},
    {"pentium3", "Intel Pentium III", "GenuineIntel", NULL, 6, 8, 3,
     FEATURES_P6, 2, 0, 36, 32},
    {"x86-64", "AMD64 with SSE2, NX, CMPXCHG16B", "AuthenticAMD",
     "Copal x86-64 processor", 15, 107, 1, FEATURES_X64, 1, 0x80000008,
     PADDR_BITS, 48},
    {"max", "everything that Copal has", "GenuineIntel",
     "Copal processor with all features", 6, 60, 1, FEATURES_MAX, 7,
     0x80000008, PADDR_BITS, 48},
    {.name = NULL},
};

#undef F

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

/* --- the instruction --- */

enum { EAX, EBX, ECX, EDX };

struct leaf {
    uint32_t r[4];
};

/* Where CPUID reports a feature. */
static const struct {
    uint32_t leaf;
    uint8_t subleaf, reg, bit;
} places[FEAT_COUNT] = {
#define FEATURE(name, leaf, sub, reg, bit, option) \
    [FEAT_##name] = {leaf, sub, reg, bit},
#include "cpu/isa/features.def"
#undef FEATURE
};

static void report_features(const struct cpu *cpu, uint32_t leaf,
                            uint32_t subleaf, struct leaf *l)
{
    for (unsigned i = 0; i < FEAT_COUNT; i++) {
        if (places[i].leaf == leaf && leaf != 0 &&
            places[i].subleaf == subleaf && cpu_has(cpu, i))
            l->r[places[i].reg] |= (uint32_t)1 << places[i].bit;
    }
}

/* Twelve characters in EBX, EDX, ECX. */
static void report_vendor(const struct cpu_model *m, struct leaf *l)
{
    l->r[EBX] = load32(m->vendor);
    l->r[EDX] = load32(m->vendor + 4);
    l->r[ECX] = load32(m->vendor + 8);
}

/* Extended family and model are for families 6 and 15 and up. */
static uint32_t signature(const struct cpu_model *m)
{
    uint32_t family = m->family < 15 ? m->family : 15;

    return (uint32_t)(m->family - family) << 20 |
           (uint32_t)(m->model >> 4) << 16 | family << 8 |
           (uint32_t)(m->model & 15) << 4 | m->stepping;
}

/* APIC follows IA32_APIC_BASE; CLFLUSH lines of 64 bytes; one processor. */
static void leaf_1(const struct cpu *cpu, struct leaf *l)
{
    enum { APIC_ENABLED = 1 << 11, APIC_BIT = 1 << 9 };

    l->r[EAX] = signature(cpu->model);
    if (cpu_has(cpu, FEAT_CLFSH))
        l->r[EBX] = 8 << 8;
    if (!(cpu->msr.apic_base & APIC_ENABLED))
        l->r[EDX] &= ~(uint32_t)APIC_BIT;
}

/* Descriptors of a Pentium III: TLBs, 16 KiB of L1 each, 256 KiB of L2; newer
 * ones say "see leaf 4". */
static void leaf_2(const struct cpu *cpu, struct leaf *l)
{
    if (cpu->model->max_leaf >= 4) {
        l->r[EAX] = 0x00ff0001;
        return;
    }
    l->r[EAX] = 0x03020101;
    l->r[EDX] = 0x0c040882;
}

/* Data, instruction, unified: 32 KiB, 32 KiB, 2 MiB of 8 ways. */
static void leaf_4(uint32_t subleaf, struct leaf *l)
{
    static const struct {
        uint8_t type, level;
        uint16_t sets;
    } cache[] = {{1, 1, 64}, {2, 1, 64}, {3, 2, 4096}};
    enum { WAYS = 8, LINE = 64, SELF_INIT = 1 << 8 };

    if (subleaf >= array_len(cache))
        return;
    l->r[EAX] = cache[subleaf].type | (uint32_t)cache[subleaf].level << 5 |
                SELF_INIT;
    l->r[EBX] = (WAYS - 1) << 22 | (LINE - 1);
    l->r[ECX] = cache[subleaf].sets - 1u;
}

static void basic_leaf(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf,
                       struct leaf *l)
{
    switch (leaf) {
    case 0:
        l->r[EAX] = cpu->model->max_leaf;
        report_vendor(cpu->model, l);
        break;
    case 1: leaf_1(cpu, l); break;
    case 2: leaf_2(cpu, l); break;
    case 4: leaf_4(subleaf, l); break;
    case 6: l->r[EAX] = 1 << 2; break; /* the APIC timer never stops */
    default: break;
    }
}

/* Sixteen characters of the 48 of the brand string. */
static void report_brand(const struct cpu_model *m, unsigned part,
                         struct leaf *l)
{
    char brand[48] = {0};

    if (m->brand)
        strncpy(brand, m->brand, sizeof(brand) - 1);
    for (unsigned i = 0; i < 4; i++)
        l->r[i] = load32(brand + 16 * part + 4 * i);
}

static void extended_leaf(const struct cpu *cpu, uint32_t leaf, struct leaf *l)
{
    const struct cpu_model *m = cpu->model;

    switch (leaf) {
    case 0x80000000:
        l->r[EAX] = m->max_ext_leaf;
        if (cpu_model_is_amd(m))
            report_vendor(m, l);
        break;
    case 0x80000001:
        /* AMD repeats the features of leaf 1 that both have. */
        if (cpu_model_is_amd(m)) {
            struct leaf one = {{0}};

            report_features(cpu, 1, 0, &one);
            l->r[EAX] = signature(m);
            l->r[EDX] |= one.r[EDX] & 0x0183f3ff;
        }
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: report_brand(m, leaf - 0x80000002, l); break;
    case 0x80000005: /* L1: 64 KiB, 2 ways, lines of 64 bytes */
        if (cpu_model_is_amd(m))
            l->r[ECX] = l->r[EDX] = 0x40020140;
        break;
    case 0x80000006: l->r[ECX] = 0x02006140; break; /* L2: 512 KiB, 8 ways */
    case 0x80000008:
        l->r[EAX] = (uint32_t)m->linear_bits << 8 | m->phys_bits;
        break;
    default: break;
    }
}

/* Past the last leaf: Intel answers as for the last basic one, AMD zero. */
static uint32_t known_leaf(const struct cpu_model *m, uint32_t leaf)
{
    bool extended = leaf >> 31;

    if (leaf <= (extended ? m->max_ext_leaf : m->max_leaf))
        return leaf;
    return m->max_leaf;
}

static struct leaf query(const struct cpu *cpu, uint32_t leaf,
                         uint32_t subleaf)
{
    const struct cpu_model *m = cpu->model;
    uint32_t known = known_leaf(m, leaf);
    struct leaf l = {{0}};

    if (known != leaf && cpu_model_is_amd(m))
        return l;
    report_features(cpu, known, subleaf, &l);
    if (known >> 31)
        extended_leaf(cpu, known, &l);
    else
        basic_leaf(cpu, known, subleaf, &l);
    return l;
}

void op_cpuid(struct cpu *cpu, const struct insn *in)
{
    uint32_t leaf = (uint32_t)cpu->gpr[RAX];
    /* Only leaf 7's features are told apart by subleaf. */
    struct leaf l = query(cpu, leaf,
                          leaf == 4 || leaf == 7 ? (uint32_t)cpu->gpr[RCX] : 0);

    (void)in;
    cpu->gpr[RAX] = l.r[EAX];
    cpu->gpr[RBX] = l.r[EBX];
    cpu->gpr[RCX] = l.r[ECX];
    cpu->gpr[RDX] = l.r[EDX];
}
