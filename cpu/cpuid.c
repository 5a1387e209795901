#include "cpu/cpuid.h"

#include <string.h>

#include "base/bytes.h"
#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/ops.h"
#include "cpu/xsave.h"

enum { EAX, EBX, ECX, EDX };

enum { LEAF_XSAVE = 0xd };
#define LEAF_SIZES 0x80000008 /* of addresses */

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

/* Intel does not name the part of SSE that AMD had before. */
static bool is_reported(const struct cpu_model *m, unsigned feature)
{
    return feature != FEAT_MMXEXT || cpu_model_is_amd(m);
}

static void report_features(const struct cpu *cpu, uint32_t leaf,
                            uint32_t subleaf, struct cpuid_leaf *l)
{
    for (unsigned i = 0; i < FEAT_COUNT; i++) {
        if (places[i].leaf == leaf && leaf != 0 &&
            places[i].subleaf == subleaf && cpu_has(cpu, i) &&
            is_reported(cpu->model, i))
            l->r[places[i].reg] |= (uint32_t)1 << places[i].bit;
    }
}

/* Twelve characters in EBX, EDX, ECX. */
static void report_vendor(const struct cpu_model *m, struct cpuid_leaf *l)
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

void cpu_model_fit(struct cpu_model *m)
{
    if (feature_set_has(&m->features, FEAT_SSE))
        feature_set_put(&m->features, FEAT_MMXEXT, true);
    for (unsigned i = 0; i < FEAT_COUNT; i++) {
        uint32_t leaf = places[i].leaf;
        uint32_t *last = leaf >> 31 ? &m->max_ext_leaf : &m->max_leaf;

        if (!feature_set_has(&m->features, i) || leaf <= *last ||
            !is_reported(m, i))
            continue;
        *last = leaf;
    }
    if (feature_set_has(&m->features, FEAT_XSAVE) && m->max_leaf < LEAF_XSAVE)
        m->max_leaf = LEAF_XSAVE;
    if (!feature_set_has(&m->features, FEAT_LM))
        m->linear_bits = 32;
    else if (m->max_ext_leaf < LEAF_SIZES)
        m->max_ext_leaf = LEAF_SIZES;
}

/* APIC and OSXSAVE follow what the guest switched on; lines of CLFLUSH in units
 * of 8 bytes; one processor. */
static void leaf_1(const struct cpu *cpu, struct cpuid_leaf *l)
{
    enum { APIC_ENABLED = 1 << 11, APIC_BIT = 1 << 9, OSXSAVE_BIT = 1 << 27 };

    l->r[EAX] = signature(cpu->model);
    if (cpu_has(cpu, FEAT_CLFSH))
        l->r[EBX] = cpu->model->line / 8u << 8;
    if (!(cpu->msr.apic_base & APIC_ENABLED))
        l->r[EDX] &= ~(uint32_t)APIC_BIT;
    if (cpu->cr4 & CR4_OSXSAVE)
        l->r[ECX] |= OSXSAVE_BIT;
}

/* Newer processors say "see leaf 4". */
static void leaf_2(const struct cpu *cpu, struct cpuid_leaf *l)
{
    for (unsigned i = 0; i < 4; i++)
        l->r[i] = cpu->model->leaf2[i];
    if (cpu->model->max_leaf >= 4 && !l->r[EAX])
        l->r[EAX] = 0x00ff0001;
}

/* One cache for each subleaf. */
static void leaf_4(const struct cpu_model *m, uint32_t subleaf,
                   struct cpuid_leaf *l)
{
    static const uint8_t kinds[CACHES][2] = {{1, 1}, {2, 1}, {3, 2}, {3, 3}};
    enum { SELF_INIT = 1 << 8, LEVEL_SHIFT = 5, WAYS_SHIFT = 22 };
    const struct cpu_cache *c;

    if (subleaf >= CACHES || !m->cache[subleaf].kib)
        return;
    c = &m->cache[subleaf];
    l->r[EAX] = kinds[subleaf][0] | (uint32_t)kinds[subleaf][1] << LEVEL_SHIFT |
                SELF_INIT;
    l->r[EBX] = (c->ways - 1u) << WAYS_SHIFT | (m->line - 1u);
    l->r[ECX] = c->kib * 1024u / c->ways / m->line - 1;
}

/* XSAVE: 0 what XCR0 may be and how much is saved, 1 the variants, from 2 on
 * one component each. */
static void leaf_d(const struct cpu *cpu, uint32_t subleaf,
                   struct cpuid_leaf *l)
{
    uint64_t all = xsave_supported(cpu);

    if (!cpu_has(cpu, FEAT_XSAVE))
        return;
    if (subleaf == 0) {
        l->r[EAX] = (uint32_t)all;
        l->r[EBX] = xsave_size(cpu->xcr0, false);
        l->r[ECX] = xsave_size(all, false);
        l->r[EDX] = (uint32_t)(all >> 32);
    } else if (subleaf == 1) {
        if (cpu_has(cpu, FEAT_XSAVEC))
            l->r[EBX] = xsave_size(cpu->xcr0 | cpu->msr.xss, true);
    } else if (subleaf < 64 && all >> subleaf & 1) {
        l->r[EAX] = xsave_component_size(subleaf);
        l->r[EBX] = xsave_component_offset(subleaf);
    }
}

static void basic_leaf(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf,
                       struct cpuid_leaf *l)
{
    switch (leaf) {
    case 0:
        l->r[EAX] = cpu->model->max_leaf;
        report_vendor(cpu->model, l);
        break;
    case 1: leaf_1(cpu, l); break;
    case 2: leaf_2(cpu, l); break;
    case 4:
        if (!cpu_model_is_amd(cpu->model))
            leaf_4(cpu->model, subleaf, l);
        break;
    case 6: l->r[EAX] = 1 << 2; break; /* the APIC timer never stops */
    case 7:                            /* the last subleaf */
        if (subleaf == 0)
            l->r[EAX] = cpu_has(cpu, FEAT_AVXVNNI);
        break;
    case LEAF_XSAVE: leaf_d(cpu, subleaf, l); break;
    default: break;
    }
}

/* Sixteen characters of the 48 of the brand string. */
static void report_brand(const struct cpu_model *m, unsigned part,
                         struct cpuid_leaf *l)
{
    char brand[48] = {0};

    if (m->brand)
        strncpy(brand, m->brand, sizeof(brand) - 1);
    for (unsigned i = 0; i < 4; i++)
        l->r[i] = load32(brand + 16 * part + 4 * i);
}

/* Ways as the leaf for L2 and L3 has them. */
static uint32_t ways_code(unsigned ways)
{
    return ways < 8 ? ways : ways == 8 ? 6 : ways == 16 ? 8 : 10;
}

static uint32_t l1_code(const struct cpu_model *m, const struct cpu_cache *c)
{
    return (uint32_t)c->kib << 24 | (uint32_t)c->ways << 16 | 1 << 8 | m->line;
}

/* unit: KiB of what the size is counted in. */
static uint32_t l2_code(const struct cpu_model *m, const struct cpu_cache *c,
                        unsigned unit, unsigned shift)
{
    if (!c->kib)
        return 0;
    return (uint32_t)c->kib / unit << shift | ways_code(c->ways) << 12 |
           1 << 8 | m->line;
}

/* AMD repeats the features of leaf 1 that both have. */
static void leaf_80000001(const struct cpu *cpu, struct cpuid_leaf *l)
{
    const uint32_t repeated = 0x0183f3ff;
    struct cpuid_leaf one = {{0}};

    if (!cpu_model_is_amd(cpu->model))
        return;
    report_features(cpu, 1, 0, &one);
    l->r[EAX] = signature(cpu->model);
    l->r[EDX] |= one.r[EDX] & repeated;
}

static void extended_leaf(const struct cpu *cpu, uint32_t leaf,
                          struct cpuid_leaf *l)
{
    const struct cpu_model *m = cpu->model;

    switch (leaf) {
    case 0x80000000:
        l->r[EAX] = m->max_ext_leaf;
        if (cpu_model_is_amd(m))
            report_vendor(m, l);
        break;
    case 0x80000001: leaf_80000001(cpu, l); break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: report_brand(m, leaf - 0x80000002, l); break;
    case 0x80000005:
        if (cpu_model_is_amd(m)) {
            l->r[ECX] = l1_code(m, &m->cache[CACHE_L1D]);
            l->r[EDX] = l1_code(m, &m->cache[CACHE_L1I]);
        }
        break;
    case 0x80000006:
        l->r[ECX] = l2_code(m, &m->cache[CACHE_L2], 1, 16);
        if (cpu_model_is_amd(m))
            l->r[EDX] = l2_code(m, &m->cache[CACHE_L3], 512, 18);
        break;
    case LEAF_SIZES:
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

struct cpuid_leaf cpuid_query(const struct cpu *cpu, uint32_t leaf,
                              uint32_t subleaf)
{
    const struct cpu_model *m = cpu->model;
    uint32_t known = known_leaf(m, leaf);
    struct cpuid_leaf l = {{0}};

    if (known != leaf && cpu_model_is_amd(m))
        return l;
    if (known != 4 && known != 7 && known != LEAF_XSAVE)
        subleaf = 0;
    report_features(cpu, known, subleaf, &l);
    if (known >> 31)
        extended_leaf(cpu, known, &l);
    else
        basic_leaf(cpu, known, subleaf, &l);
    return l;
}

void op_cpuid(struct cpu *cpu, const struct insn *in)
{
    struct cpuid_leaf l =
        cpuid_query(cpu, (uint32_t)cpu->gpr[RAX], (uint32_t)cpu->gpr[RCX]);

    (void)in;
    cpu->gpr[RAX] = l.r[EAX];
    cpu->gpr[RBX] = l.r[EBX];
    cpu->gpr[RCX] = l.r[ECX];
    cpu->gpr[RDX] = l.r[EDX];
}
