/*
 * PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM: what they find in texts (SDM vol.
 * 2, 4.1).  test_simd compares them with a processor.
 */

#include <string.h>

#include "cpu/simd.h"
#include "tests/unit/cpu/simd_board.h"
#include "tests/unit/suite.h"

enum { /* the immediate */
       BYTES = 0,
       WORDS = 1,
       SIGNED = 2,
       EQUAL_ANY = 0 << 2,
       RANGES = 1 << 2,
       EQUAL_EACH = 2 << 2,
       EQUAL_ORDERED = 3 << 2,
       NEGATE = 1 << 4,
       NEGATE_VALID = 3 << 4,
       LAST = 1 << 6,
       WHOLE_MASK = 1 << 6,
};

enum { ESTRM = 0x60, ESTRI, ISTRM, ISTRI };

static union vec text(const char *s)
{
    union vec v = {.u64 = {0}};

    memcpy(&v, s, strnlen(s, XMM_SIZE));
    return v;
}

/* PCMPxSTRx XMM1, XMM2, imm */
static void run(struct simd_board *b, unsigned code, unsigned imm, union vec x,
                union vec y)
{
    b->cpu.xmm[1] = x;
    b->cpu.xmm[2] = y;
    b->cpu.gpr[RCX] = UINT64_MAX;
    ck_assert_int_eq(
        EXEC(b, 0x66, 0x0f, 0x3a, (uint8_t)code, 0xca, (uint8_t)imm),
        SIMD_DONE);
}

static uint64_t index_of(struct simd_board *b, unsigned imm, const char *x,
                         const char *y)
{
    run(b, ISTRI, imm, text(x), text(y));
    return b->cpu.gpr[RCX];
}

static uint32_t flags(const struct simd_board *b)
{
    return aflags_to_eflags(b->cpu.aflags);
}

START_TEST(test_the_index_is_that_of_the_first_or_last_match)
{
    struct simd_board *b = simd_board_new();

    ck_assert_uint_eq(index_of(b, EQUAL_ANY, "aeiou", "rhythm and"), 7);
    ck_assert_uint_eq(index_of(b, EQUAL_ANY | LAST, "an", "rhythm and"), 8);
    ck_assert_uint_eq(index_of(b, RANGES, "09AF", "xyz/:GC"), 6);
    ck_assert_uint_eq(index_of(b, EQUAL_ORDERED, "needle", "hay needles"), 4);
    ck_assert_uint_eq(index_of(b, EQUAL_EACH | NEGATE, "same", "sample"), 3);
    simd_board_free(b);
}
END_TEST

START_TEST(test_without_a_match_the_index_is_the_number_of_elements)
{
    struct simd_board *b = simd_board_new();

    ck_assert_uint_eq(index_of(b, EQUAL_ANY, "xyz", "abc"), 16);
    ck_assert_uint_eq(index_of(b, EQUAL_ANY | WORDS, "xyz", "abc"), 8);
    simd_board_free(b);
}
END_TEST

/* As strlen does it: the first byte that equals one beyond the end. */
START_TEST(test_two_ends_are_equal)
{
    struct simd_board *b = simd_board_new();

    ck_assert_uint_eq(index_of(b, EQUAL_EACH, "", "seven..."), 8);
    ck_assert_uint_eq(index_of(b, EQUAL_EACH, "", "sixteen letters!"), 16);
    simd_board_free(b);
}
END_TEST

START_TEST(test_a_pattern_may_begin_at_the_end_of_the_register)
{
    struct simd_board *b = simd_board_new();

    ck_assert_uint_eq(index_of(b, EQUAL_ORDERED, "end", "0123456789abcden"),
                      14);
    ck_assert_uint_eq(index_of(b, EQUAL_ORDERED, "", "empty is anywhere"), 0);
    simd_board_free(b);
}
END_TEST

START_TEST(test_flags_tell_of_a_match_and_of_ends)
{
    struct simd_board *b = simd_board_new();

    index_of(b, EQUAL_ANY, "0123456789abcdef", "no end of this!?");
    ck_assert_uint_eq(flags(b), FLAG_CF);
    index_of(b, EQUAL_ANY, "x", "not in here, but");
    ck_assert_uint_eq(flags(b), FLAG_SF);
    index_of(b, EQUAL_ANY, "0123456789abcdef", "bed");
    ck_assert_uint_eq(flags(b), FLAG_CF | FLAG_ZF | FLAG_OF);
    simd_board_free(b);
}
END_TEST

START_TEST(test_negation_may_spare_what_is_beyond_the_end)
{
    struct simd_board *b = simd_board_new();

    run(b, ISTRM, EQUAL_ANY | NEGATE, text("ab"), text("abcab"));
    ck_assert_uint_eq(b->cpu.xmm[0].u64[0], 0xffe4);
    run(b, ISTRM, EQUAL_ANY | NEGATE_VALID, text("ab"), text("abcab"));
    ck_assert_uint_eq(b->cpu.xmm[0].u64[0], 0x0004);
    simd_board_free(b);
}
END_TEST

START_TEST(test_a_mask_has_a_bit_or_a_whole_element)
{
    static const union vec set = {.u16 = {7}}, in = {.u16 = {5, 7, 7, 1}};
    struct simd_board *b = simd_board_new();

    b->cpu.xmm[0] = text("was there before");
    run(b, ISTRM, EQUAL_ANY | WORDS, set, in);
    ck_assert_uint_eq(b->cpu.xmm[0].u64[0], 6);
    ck_assert_uint_eq(b->cpu.xmm[0].u64[1], 0);
    run(b, ISTRM, EQUAL_ANY | WORDS | WHOLE_MASK, set, in);
    ck_assert_uint_eq(b->cpu.xmm[0].u64[0], 0x0000ffffffff0000);
    simd_board_free(b);
}
END_TEST

START_TEST(test_ranges_are_of_signed_or_unsigned_numbers)
{
    static const union vec range = {.u8 = {0xf0, 0x10}};
    static const union vec in = {.u8 = {0x80, 0x7f, 0xff}};
    struct simd_board *b = simd_board_new();

    run(b, ISTRI, RANGES | SIGNED, range, in);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 2);
    run(b, ISTRI, RANGES, range, in);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 16);
    simd_board_free(b);
}
END_TEST

/* Zeros are elements like others; of a negative length the magnitude counts,
 * and no more than the register holds. */
START_TEST(test_explicit_lengths)
{
    struct simd_board *b = simd_board_new();

    b->cpu.gpr[RAX] = 1;
    b->cpu.gpr[RDX] = 100;
    run(b, ESTRI, EQUAL_ANY, text(""), text("zero"));
    ck_assert_uint_eq(b->cpu.gpr[RCX], 4);
    ck_assert_uint_eq(flags(b), FLAG_CF | FLAG_SF);
    b->cpu.gpr[RDX] = (uint32_t)-4;
    run(b, ESTRI, EQUAL_ANY, text(""), text("zero"));
    ck_assert_uint_eq(b->cpu.gpr[RCX], 16);
    ck_assert_uint_eq(flags(b), FLAG_ZF | FLAG_SF);
    simd_board_free(b);
}
END_TEST

/* RDX counts with REX.W: its low half alone is 4. */
START_TEST(test_explicit_lengths_have_64_bits_with_rex_w)
{
    struct simd_board *b = simd_board_new();

    b->cpu.gpr[RAX] = 1;
    b->cpu.gpr[RDX] = 0x100000004;
    b->cpu.xmm[1] = text("e");
    b->cpu.xmm[2] = text("12345e");
    EXEC(b, 0x66, 0x48, 0x0f, 0x3a, ESTRI, 0xca, EQUAL_ANY);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 5);
    EXEC(b, 0x66, 0x0f, 0x3a, ESTRI, 0xca, EQUAL_ANY);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 16);
    simd_board_free(b);
}
END_TEST

SUITE("simd string", test_the_index_is_that_of_the_first_or_last_match,
      test_without_a_match_the_index_is_the_number_of_elements,
      test_two_ends_are_equal,
      test_a_pattern_may_begin_at_the_end_of_the_register,
      test_flags_tell_of_a_match_and_of_ends,
      test_negation_may_spare_what_is_beyond_the_end,
      test_a_mask_has_a_bit_or_a_whole_element,
      test_ranges_are_of_signed_or_unsigned_numbers, test_explicit_lengths,
      test_explicit_lengths_have_64_bits_with_rex_w)
