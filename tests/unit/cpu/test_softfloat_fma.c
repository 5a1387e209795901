/*
 * Fused multiply-add: one rounding, and the rules for NaNs, infinities, zeros
 * and denormal numbers.  Values are those of an x86 processor with FMA;
 * test_avx_host.c has many more where there is one.
 */

#include "cpu/softfloat.h"
#include "tests/unit/suite.h"

enum {
    ONE = 0x3f800000,
    INF = 0x7f800000,
    DENORMAL = 0x00000001,
    MINUS = (int)0x80000000,
    NAN_A = 0x7fc0000a,
    NAN_B = 0x7fc0000b,
    NAN_C = 0x7fc0000c,
    SNAN_C = 0x7f80000c,
    DEFAULT_NAN = (int)0xffc00000,
};

static struct sf_env env;

static uint32_t fma32(uint32_t a, uint32_t b, uint32_t c, unsigned negate)
{
    env.flags = 0;
    return (uint32_t)sf_fma(&env, &sf_single, a, b, c, negate);
}

START_TEST(the_product_is_not_rounded)
{
    /* (1 + 2^-23)^2 - (1 + 2^-22) = 2^-46 */
    ck_assert_uint_eq(fma32(0x3f800001, 0x3f800001, 0xbf800002, 0), 0x28800000);
    ck_assert_uint_eq(env.flags, 0);
}
END_TEST

START_TEST(what_is_far_below_still_counts)
{
    /* 1 * 1 and the least denormal number, up and down */
    env.round = ROUND_UP;
    ck_assert_uint_eq(fma32(ONE, ONE, DENORMAL, 0), 0x3f800001);
    env.round = ROUND_DOWN;
    ck_assert_uint_eq(fma32(ONE, ONE, DENORMAL, SF_NEGATE_ADDEND), 0x3f7fffff);
    ck_assert_uint_eq(env.flags, SF_INEXACT | SF_DENORMAL);
    env.round = ROUND_NEAREST;
}
END_TEST

START_TEST(the_first_nan_wins)
{
    ck_assert_uint_eq(fma32(NAN_A, NAN_B, NAN_C, 0), NAN_A);
    ck_assert_uint_eq(fma32(ONE, NAN_B, NAN_C, 0), NAN_B);
    ck_assert_uint_eq(env.flags, 0);
    ck_assert_uint_eq(fma32(NAN_A, ONE, SNAN_C, 0), NAN_A);
    ck_assert_uint_eq(env.flags, SF_INVALID);
    ck_assert_uint_eq(fma32(ONE, ONE, SNAN_C, 0), NAN_C);
}
END_TEST

START_TEST(a_nan_is_not_negated)
{
    ck_assert_uint_eq(fma32(ONE, NAN_B, ONE, SF_NEGATE_PRODUCT), NAN_B);
    ck_assert_uint_eq(fma32(ONE, ONE, NAN_C, SF_NEGATE_ADDEND), NAN_C);
}
END_TEST

START_TEST(infinity_times_zero_is_invalid_but_for_a_nan_to_add)
{
    ck_assert_uint_eq(fma32(INF, 0, ONE, 0), (uint32_t)DEFAULT_NAN);
    ck_assert_uint_eq(env.flags, SF_INVALID);
    ck_assert_uint_eq(fma32(INF, 0, NAN_C, 0), NAN_C);
    ck_assert_uint_eq(env.flags, 0);
}
END_TEST

START_TEST(infinities_of_unlike_signs_are_invalid)
{
    ck_assert_uint_eq(fma32(INF, ONE, INF, SF_NEGATE_ADDEND),
                      (uint32_t)DEFAULT_NAN);
    ck_assert_uint_eq(env.flags, SF_INVALID);
    ck_assert_uint_eq(fma32(INF, ONE, INF, 0), INF);
    ck_assert_uint_eq(env.flags, 0);
    ck_assert_uint_eq(fma32(DENORMAL, INF, ONE, 0), INF);
    ck_assert_uint_eq(env.flags, SF_DENORMAL);
}
END_TEST

START_TEST(zeros_of_unlike_signs_add_as_the_rounding_mode_says)
{
    ck_assert_uint_eq(fma32(ONE, ONE, ONE, SF_NEGATE_ADDEND), 0);
    ck_assert_uint_eq(fma32(0, ONE, 0, SF_NEGATE_PRODUCT), 0);
    ck_assert_uint_eq(fma32(0, ONE, (uint32_t)MINUS, SF_NEGATE_PRODUCT),
                      (uint32_t)MINUS);
    env.round = ROUND_DOWN;
    ck_assert_uint_eq(fma32(ONE, ONE, ONE, SF_NEGATE_ADDEND), (uint32_t)MINUS);
    env.round = ROUND_NEAREST;
}
END_TEST

START_TEST(denormal_numbers_are_zeros_if_so_wished)
{
    ck_assert_uint_eq(fma32(DENORMAL, ONE, 0, 0), DENORMAL);
    ck_assert_uint_eq(env.flags, SF_DENORMAL);
    env.daz = true;
    ck_assert_uint_eq(fma32(DENORMAL, ONE, 0, 0), 0);
    ck_assert_uint_eq(env.flags, 0);
    env.daz = false;
    env.ftz = true;
    /* half of the least normal number */
    ck_assert_uint_eq(fma32(0x00800000, 0x3f000000, 0, 0), 0);
    ck_assert_uint_eq(env.flags, SF_UNDERFLOW | SF_INEXACT);
    env.ftz = false;
}
END_TEST

SUITE("fused multiply-add", the_product_is_not_rounded,
      what_is_far_below_still_counts, the_first_nan_wins, a_nan_is_not_negated,
      infinity_times_zero_is_invalid_but_for_a_nan_to_add,
      infinities_of_unlike_signs_are_invalid,
      zeros_of_unlike_signs_add_as_the_rounding_mode_says,
      denormal_numbers_are_zeros_if_so_wished)
