/*
 * -cpu NAME,+FEATURE,-FEATURE,FEATURE=on|off.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpuid.h"
#include "machine/config.h"
#include "tests/unit/suite.h"

struct command {
    struct config cfg;
    char error[CONFIG_ERROR];
    char *out;
};

static enum config_result parse(struct command *c, const char *cpu)
{
    char *argv[] = {"copal", "-kernel", "k", "-cpu", (char *)cpu, NULL};
    size_t size = 0;
    FILE *out = open_memstream(&c->out, &size);
    enum config_result result;

    ck_assert_ptr_nonnull(out);
    result = config_parse(&c->cfg, 5, argv, out, c->error);
    fclose(out);
    return result;
}

static bool has(const struct command *c, enum feature feature)
{
    return feature_set_has(&c->cfg.model->features, feature);
}

static void accept(struct command *c, const char *cpu)
{
    ck_assert_msg(parse(c, cpu) == CONFIG_RUN, "%s: %s", cpu, c->error);
    free(c->out);
}

static void refuse(const char *cpu, const char *part)
{
    struct command c;

    ck_assert_int_eq(parse(&c, cpu), CONFIG_WRONG);
    ck_assert_msg(strstr(c.error, part) != NULL, "%s: %s", cpu, c.error);
    free(c.out);
}

START_TEST(a_bare_name_is_the_model_itself)
{
    struct command c;

    accept(&c, "haswell");
    ck_assert_ptr_eq(c.cfg.model, cpu_model_find("haswell"));
    accept(&c, "haswell,");
    ck_assert_str_eq(c.cfg.model->name, "haswell");
    refuse("haswel", "'haswell'");
    refuse(",+avx", "see copal -cpu help");
}
END_TEST

START_TEST(features_go_on_and_off_in_every_spelling)
{
    struct command c;

    accept(&c, "core2,+popcnt,sse4.1,bmi1=on,-ssse3,cx16=off");
    ck_assert_str_eq(c.cfg.model->name, "core2");
    ck_assert(has(&c, FEAT_POPCNT));
    ck_assert(has(&c, FEAT_BMI1));
    ck_assert(!has(&c, FEAT_SSSE3));
    ck_assert(!has(&c, FEAT_SSE41)); /* needs SSSE3 */
    ck_assert(!has(&c, FEAT_CX16));
    ck_assert(feature_set_has(&cpu_model_find("core2")->features, FEAT_CX16));
    accept(&c, "haswell,-avx2,+sha");
    ck_assert(has(&c, FEAT_SHA));
    ck_assert(!has(&c, FEAT_AVX2));
    accept(&c, "nehalem,-sse4_2,+lzcnt,-lahf_lm");
    ck_assert(!has(&c, FEAT_SSE42));
    ck_assert(has(&c, FEAT_ABM));
    ck_assert(!has(&c, FEAT_LAHF64));
    accept(&c, "max,-avx,+avx");
    ck_assert(has(&c, FEAT_AVX2));
}
END_TEST

START_TEST(what_needs_a_missing_feature_goes_too)
{
    struct command c;

    accept(&c, "max,-avx");
    ck_assert(!has(&c, FEAT_AVX2));
    ck_assert(!has(&c, FEAT_FMA));
    ck_assert(has(&c, FEAT_SSE42));
    accept(&c, "pentium3,+sse2");
    ck_assert(has(&c, FEAT_SSE2));
    accept(&c, "pentium,+avx2");
    ck_assert(!has(&c, FEAT_AVX2));
    accept(&c, "haswell,-lm");
    ck_assert(!has(&c, FEAT_LAHF64));
    ck_assert_uint_eq(c.cfg.model->linear_bits, 32);
    accept(&c, "pentium3,+bmi2");
    ck_assert_uint_eq(c.cfg.model->max_leaf, 7);
}
END_TEST

START_TEST(mistakes_are_named)
{
    refuse("max,+avx512f", "'avx512f'");
    refuse("max,+avx3", "did you mean 'avx");
    refuse("max,avx=yes", "on or off, not 'yes'");
    refuse("max,avx=", "on or off");
    refuse("max,+", "Unknown processor feature ''");
    refuse("max,=on", "Unknown processor feature ''");
}
END_TEST

START_TEST(help_lists_models_and_features)
{
    struct command c;

    ck_assert_int_eq(parse(&c, "help"), CONFIG_DONE);
    for (const struct cpu_model *m = cpu_models; m->name; m++)
        ck_assert_ptr_nonnull(strstr(c.out, m->name));
    ck_assert_ptr_nonnull(strstr(c.out, "pclmulqdq"));
    free(c.out);
}
END_TEST

SUITE("config_cpu", a_bare_name_is_the_model_itself,
      features_go_on_and_off_in_every_spelling,
      what_needs_a_missing_feature_goes_too, mistakes_are_named,
      help_lists_models_and_features)
