/*
 * The models, and that CPUID says of each what the decoder makes of it.  Words
 * of old processors are those of their data sheets.
 */
#include "cpu/cpuid.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/cpu.h"
#include "cpu/decode.h"
#include "tests/unit/suite.h"

enum { EAX, EBX, ECX, EDX };

static struct cpu *cpu_of(const struct cpu_model *m)
{
    struct cpu *cpu = aligned_alloc(__alignof__(struct cpu), sizeof(*cpu));

    ck_assert_ptr_nonnull(m);
    ck_assert_ptr_nonnull(cpu);
    memset(cpu, 0, sizeof(*cpu));
    cpu->model = m;
    cpu->features = m->features;
    cpu->xcr0 = XCR0_X87;
    cpu->msr.apic_base = 0xfee00900;
    return cpu;
}

static uint32_t word(const char *model, uint32_t leaf, unsigned reg)
{
    struct cpu *cpu = cpu_of(cpu_model_find(model));
    struct cpuid_leaf l = cpuid_query(cpu, leaf, 0);

    free(cpu);
    return l.r[reg];
}

struct known_word {
    const char *model;
    uint32_t leaf;
    unsigned reg;
    uint32_t value;
};

static void check_words(const struct known_word *words, size_t count)
{
    for (const struct known_word *w = words; w < words + count; w++) {
        uint32_t value = word(w->model, w->leaf, w->reg);

        ck_assert_msg(value == w->value,
                      "%s, leaf %#x, register %u: %#x, not %#x", w->model,
                      w->leaf, w->reg, value, w->value);
    }
}

START_TEST(models_have_all_that_their_features_need)
{
    for (const struct cpu_model *m = cpu_models; m->name; m++) {
        struct cpu_model fit = *m;
        unsigned dropped, missing;

        ck_assert_msg(!cpu_model_drop(&fit, &dropped, &missing),
                      "%s: %s needs %s", m->name, cpu_feature_name(dropped),
                      cpu_feature_name(missing));
        cpu_model_fit(&fit);
        ck_assert_uint_eq(fit.max_leaf, m->max_leaf);
        ck_assert_uint_eq(fit.max_ext_leaf, m->max_ext_leaf);
        ck_assert_uint_eq(fit.linear_bits, m->linear_bits);
        ck_assert_mem_eq(&fit.features, &m->features, sizeof(m->features));
        for (unsigned f = 0; f < FEAT_COUNT; f++)
            if (feature_set_has(&m->features, f))
                ck_assert_msg(feature_set_has(cpu_all_features(), f),
                              "%s: %s is not in the last model", m->name,
                              cpu_feature_name(f));
    }
}
END_TEST

START_TEST(cpuid_reports_exactly_the_features)
{
    static const struct {
        uint32_t leaf, sub, reg, bit;
    } places[FEAT_COUNT] = {
#define FEATURE(name, leaf, sub, reg, bit, option) {leaf, sub, reg, bit},
#include "cpu/isa/features.def"
#undef FEATURE
    };

    for (const struct cpu_model *m = cpu_models; m->name; m++) {
        struct cpu *cpu = cpu_of(m);

        for (unsigned f = 0; f < FEAT_COUNT; f++) {
            struct cpuid_leaf l =
                cpuid_query(cpu, places[f].leaf, places[f].sub);
            bool has = feature_set_has(&m->features, f);

            if (!places[f].leaf || places[f].leaf > m->max_ext_leaf ||
                (places[f].leaf < 0x80000000 && places[f].leaf > m->max_leaf) ||
                (f == FEAT_MMXEXT && !cpu_model_is_amd(m)))
                continue;
            ck_assert_msg((l.r[places[f].reg] >> places[f].bit & 1) == has,
                          "%s: %s", m->name, cpu_feature_name(f));
        }
        free(cpu);
    }
}
END_TEST

START_TEST(signatures_are_those_of_the_processors)
{
    static const struct known_word words[] = {
        {"486", 1, EAX, 0x480},
        {"pentium", 1, EAX, 0x52c},
        {"pentium-mmx", 1, EAX, 0x543},
        {"pentium2", 1, EAX, 0x652},
        {"pentium3", 1, EAX, 0x683},
        {"k6-2", 1, EAX, 0x58c},
        {"athlon", 1, EAX, 0x642},
        {"core2", 1, EAX, 0x6fb},
        {"nehalem", 1, EAX, 0x106a3},
        {"haswell", 1, EAX, 0x306c4},
        {"epyc", 1, EAX, 0x800f12},
    };

    check_words(words, array_len(words));
}
END_TEST

START_TEST(feature_words_are_those_of_the_processors)
{
    static const struct known_word words[] = {
        {"486", 1, EDX, 0x3},
        {"pentium", 1, EDX, 0x1bf},
        {"pentium-mmx", 1, EDX, 0x8001bf},
        {"pentium2", 1, EDX, 0x183fbff},
        {"pentium3", 1, EDX, 0x383fbff},
        {"k6-2", 1, EDX, 0x8021bf},
        {"k6-2", 0x80000001, EDX, 0x808029bf},
        {"athlon", 1, EDX, 0x183fbff},
        {"athlon", 0x80000001, EDX, 0xc1c3fbff},
        {"athlon", 1, ECX, 0},
    };

    check_words(words, array_len(words));
}
END_TEST

START_TEST(caches_are_described_in_each_vendors_way)
{
    struct cpu *cpu = cpu_of(cpu_model_find("haswell"));
    struct cpuid_leaf l = cpuid_query(cpu, 4, 3);

    ck_assert_uint_eq(l.r[EAX] & 0xff, 0x63); /* unified, level 3 */
    ck_assert_uint_eq(l.r[EBX], 15u << 22 | 63);
    ck_assert_uint_eq(l.r[ECX], 8191);
    ck_assert_uint_eq(cpuid_query(cpu, 4, 4).r[EAX], 0);
    ck_assert_uint_eq(cpuid_query(cpu, 2, 0).r[EAX], 0x00ff0001);
    free(cpu);
    ck_assert_uint_eq(word("pentium3", 2, EDX), 0x0c040882);
    ck_assert_uint_eq(word("athlon", 0x80000005, ECX), 0x40020140);
    ck_assert_uint_eq(word("athlon", 0x80000006, ECX), 0x01008140);
    ck_assert_uint_eq(word("epyc", 0x80000006, EDX), 0x00408140);
}
END_TEST

START_TEST(leaves_past_the_end_differ_by_vendor)
{
    static const struct known_word words[] = {
        {"epyc", 0x40000000, EAX, 0},
        {"pentium3", 0x80000000, EDX, 0x0c040882},
        {"max", 0x80000000, EAX, 0x80000008},
        {"max", 7, EAX, 1},
        {"haswell", 7, EAX, 0},
    };

    check_words(words, array_len(words));
}
END_TEST

START_TEST(a_change_of_features_brings_its_leaves)
{
    struct cpu_model m = *cpu_model_find("pentium");
    unsigned dropped, missing;

    feature_set_put(&m.features, FEAT_XSAVE, true);
    ck_assert(cpu_model_drop(&m, &dropped, &missing));
    ck_assert_uint_eq(dropped, FEAT_XSAVE);
    ck_assert_uint_eq(missing, FEAT_FXSR);
    feature_set_put(&m.features, FEAT_BMI1, true);
    cpu_model_fit(&m);
    ck_assert_uint_eq(m.max_leaf, 7);
    m = *cpu_model_find("max");
    feature_set_put(&m.features, FEAT_AVX, false);
    while (cpu_model_drop(&m, &dropped, &missing))
        ;
    ck_assert(!feature_set_has(&m.features, FEAT_AVX2));
    ck_assert(!feature_set_has(&m.features, FEAT_FMA));
    ck_assert(!feature_set_has(&m.features, FEAT_F16C));
    ck_assert(!feature_set_has(&m.features, FEAT_VAES));
    ck_assert(!feature_set_has(&m.features, FEAT_AVXVNNI));
    ck_assert(feature_set_has(&m.features, FEAT_AES));
    ck_assert(feature_set_has(&m.features, FEAT_BMI2));
}
END_TEST

START_TEST(the_decoder_follows_the_model)
{
    static const struct {
        const char *model;
        uint8_t bytes[6];
        bool known;
    } cases[] = {
        {"pentium2", {0x0f, 0xdb, 0xc1}, true},       /* PAND */
        {"pentium2", {0x0f, 0x70, 0xc1, 0}, false},   /* PSHUFW */
        {"athlon", {0x0f, 0x70, 0xc1, 0}, true},      /* PSHUFW */
        {"athlon", {0x0f, 0x58, 0xc1}, false},        /* ADDPS */
        {"k6-2", {0x0f, 0x0f, 0xc1, 0x9e}, true},     /* PFADD */
        {"k6-2", {0x0f, 0x0f, 0xc1, 0xbb}, false},    /* PSWAPD */
        {"k6-2", {0x0f, 0x44, 0xc1}, false},          /* CMOVZ */
        {"core2", {0x0f, 0x38, 0x00, 0xc1}, true},    /* PSHUFB */
        {"core2", {0xf3, 0x0f, 0xb8, 0xc1}, false},   /* POPCNT */
        {"nehalem", {0xf3, 0x0f, 0xb8, 0xc1}, true},  /* POPCNT */
        {"nehalem", {0xc5, 0xf0, 0x58, 0xc1}, false}, /* VADDPS */
        {"haswell", {0xc5, 0xf0, 0x58, 0xc1}, true},  /* VADDPS */
        {"haswell", {0x0f, 0x38, 0xc8, 0xc1}, false}, /* SHA1NEXTE */
        {"epyc", {0x0f, 0x38, 0xc8, 0xc1}, true},     /* SHA1NEXTE */
        {"pentium3", {0x0f, 0x05}, false},            /* SYSCALL */
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        uint8_t bytes[INSN_MAX_LEN] = {0};
        struct insn in;

        memcpy(bytes, cases[i].bytes, sizeof(cases[i].bytes));
        ck_assert_msg((decode(bytes, sizeof(bytes), MODE_CODE32 | MODE_PE,
                              cpu_model_find(cases[i].model)->features,
                              &in) == DECODE_OK) == cases[i].known,
                      "case %zu, %s", i, cases[i].model);
    }
}
END_TEST

START_TEST(features_are_found_by_name)
{
    ck_assert_int_eq(cpu_feature_find("avx2", 4), FEAT_AVX2);
    ck_assert_int_eq(cpu_feature_find("avx2,+fma", 4), FEAT_AVX2);
    ck_assert_int_eq(cpu_feature_find("sse4.2", 6), FEAT_SSE42);
    ck_assert_int_eq(cpu_feature_find("sse4_2", 6), FEAT_SSE42);
    ck_assert_int_eq(cpu_feature_find("lahf_lm", 7), FEAT_LAHF64);
    ck_assert_int_eq(cpu_feature_find("avx3", 4), -1);
    ck_assert_int_eq(cpu_feature_find("", 0), -1);
    for (unsigned f = 1; f < FEAT_COUNT; f++)
        ck_assert_int_eq(
            cpu_feature_find(cpu_feature_name(f), strlen(cpu_feature_name(f))),
            (int)f);
}
END_TEST

SUITE("cpuid", models_have_all_that_their_features_need,
      cpuid_reports_exactly_the_features,
      signatures_are_those_of_the_processors,
      feature_words_are_those_of_the_processors,
      caches_are_described_in_each_vendors_way,
      leaves_past_the_end_differ_by_vendor,
      a_change_of_features_brings_its_leaves, the_decoder_follows_the_model,
      features_are_found_by_name)
