/* Bits and bytes: the total functions that everything else is built from. */
#include "base/bits.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "tests/unit/suite.h"

START_TEST(mask_covers_0_to_64_bits)
{
    ck_assert_uint_eq(bits_mask(0), 0);
    ck_assert_uint_eq(bits_mask(1), 1);
    ck_assert_uint_eq(bits_mask(63), UINT64_MAX >> 1);
    ck_assert_uint_eq(bits_mask(64), UINT64_MAX);
}
END_TEST

START_TEST(get_and_sign_extend)
{
    ck_assert_uint_eq(bits_get(0xabcd, 4, 8), 0xbc);
    ck_assert_uint_eq(bits_sext(0x80, 8), 0xffffffffffffff80u);
    ck_assert_uint_eq(bits_sext(0xff7f, 8), 0x7f);
    ck_assert_uint_eq(bits_sext(UINT64_MAX, 64), UINT64_MAX);
}
END_TEST

START_TEST(highest_and_lowest_bit)
{
    ck_assert_uint_eq(bits_high(1), 0);
    ck_assert_uint_eq(bits_high(UINT64_MAX), 63);
    ck_assert_uint_eq(bits_low(0x8000), 15);
}
END_TEST

START_TEST(align_to_powers_of_two)
{
    ck_assert_uint_eq(bits_align_down(0x1fff, 0x1000), 0x1000);
    ck_assert_uint_eq(bits_align_up(0x1001, 0x1000), 0x2000);
    ck_assert_uint_eq(bits_align_up(0x1000, 0x1000), 0x1000);
    ck_assert(bits_is_pow2(0x1000) && !bits_is_pow2(0) && !bits_is_pow2(3));
}
END_TEST

START_TEST(bytes_are_little_endian_at_any_alignment)
{
    uint8_t b[9] = {0xff, 1, 2, 3, 4, 5, 6, 7, 8};

    ck_assert_uint_eq(load16(b + 1), 0x0201);
    ck_assert_uint_eq(load32(b + 1), 0x04030201);
    ck_assert_uint_eq(load64(b + 1), 0x0807060504030201u);
    store32(b + 3, 0xaabbccdd);
    ck_assert_uint_eq(load64(b + 1), 0x0807aabbccdd0201u);
}
END_TEST

START_TEST(sized_access_touches_only_its_size)
{
    for (unsigned size = 1; size <= 8; size *= 2) {
        uint8_t b[10] = {0};

        store_sized(b + 1, UINT64_MAX, size);
        ck_assert_uint_eq(b[0], 0);
        ck_assert_uint_eq(b[size + 1], 0);
        ck_assert_uint_eq(load_sized(b + 1, size), bits_mask(size * 8));
    }
}
END_TEST

START_TEST(scaling_does_not_overflow)
{
    ck_assert_uint_eq(clock_scale(UINT64_MAX, 3, 3), UINT64_MAX);
    ck_assert_uint_eq(clock_scale(NS_PER_S, 1193182, NS_PER_S), 1193182);
}
END_TEST

SUITE("bits", mask_covers_0_to_64_bits, get_and_sign_extend,
      highest_and_lowest_bit, align_to_powers_of_two,
      bytes_are_little_endian_at_any_alignment,
      sized_access_touches_only_its_size, scaling_does_not_overflow)
