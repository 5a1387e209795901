/*
 * AES, SHA, GFNI and PCLMULQDQ against published results: whole ciphers and
 * digests are computed with the instructions, one by one.
 */

#include <stdio.h>
#include <string.h>

#include "cpu/gf256.h"
#include "tests/unit/cpu/simd_board.h"
#include "tests/unit/suite.h"

/* From digits as the standards print them: the first byte is the lowest. */
static union vec from_bytes(const char *digits)
{
    union vec v = {.u64 = {0}};

    for (unsigned i = 0; i < 16; i++)
        ck_assert_int_eq(sscanf(digits + 2 * i, "%2hhx", &v.u8[i]), 1);
    return v;
}

static void assert_equal(union vec got, union vec expected)
{
    ck_assert_mem_eq(got.u8, expected.u8, 16);
}

/* XMM1 after [66] 0F map code XMM1, XMM2 [, imm]; pfx 0: none. */
static union vec run(struct simd_board *b, unsigned pfx, unsigned map,
                     unsigned code, union vec x, union vec y, unsigned imm)
{
    uint8_t bytes[7] = {(uint8_t)pfx,  0x0f, (uint8_t)map,
                        (uint8_t)code, 0xca, (uint8_t)imm};
    unsigned skip = pfx ? 0 : 1;

    b->cpu.xmm[1] = x;
    b->cpu.xmm[2] = y;
    ck_assert_int_eq(simd_exec(b, bytes + skip, sizeof(bytes) - skip),
                     SIMD_DONE);
    return b->cpu.xmm[1];
}

/* --- AES-128: FIPS 197, appendix C.1 --- */

enum { AES_ROUNDS = 10 };

#define AES_KEY "000102030405060708090a0b0c0d0e0f"
#define AES_PLAIN "00112233445566778899aabbccddeeff"
#define AES_CIPHER "69c4e0d86a7b0430d8cdb78070b4c55a"

static union vec aes(struct simd_board *b, unsigned code, union vec state,
                     union vec key)
{
    return run(b, 0x66, 0x38, code, state, key, 0);
}

static union vec xor
    (union vec a, union vec b) {
        a.u64[0] ^= b.u64[0];
        a.u64[1] ^= b.u64[1];
        return a;
    }

    /* FIPS 197, 5.2. */
    static void expand_key(struct simd_board *b, union vec key[AES_ROUNDS + 1])
{
    unsigned rcon = 1;

    key[0] = from_bytes(AES_KEY);
    for (unsigned i = 1; i <= AES_ROUNDS; i++) {
        union vec help = run(b, 0x66, 0x3a, 0xdf, key[0], key[i - 1], rcon);
        uint32_t word = help.u32[3];

        key[i] = key[i - 1];
        for (unsigned j = 0; j < 4; j++)
            word = key[i].u32[j] ^= word;
        rcon = gf_multiply((uint8_t)rcon, 2);
    }
}

START_TEST(test_aes_encrypts_as_the_standard_says)
{
    struct simd_board *b = simd_board_new();
    union vec key[AES_ROUNDS + 1], state;

    expand_key(b, key);
    assert_equal(key[AES_ROUNDS],
                 from_bytes("13111d7fe3944a17f307a78b4d2b30c5"));
    state = xor(from_bytes(AES_PLAIN), key[0]);
    for (unsigned i = 1; i < AES_ROUNDS; i++)
        state = aes(b, 0xdc, state, key[i]);
    state = aes(b, 0xdd, state, key[AES_ROUNDS]);
    assert_equal(state, from_bytes(AES_CIPHER));
    simd_board_free(b);
}
END_TEST

START_TEST(test_aes_decrypts_with_inverted_keys)
{
    struct simd_board *b = simd_board_new();
    union vec key[AES_ROUNDS + 1], state;

    expand_key(b, key);
    state = xor(from_bytes(AES_CIPHER), key[AES_ROUNDS]);
    for (unsigned i = AES_ROUNDS - 1; i > 0; i--)
        state = aes(b, 0xde, state, aes(b, 0xdb, key[0], key[i]));
    state = aes(b, 0xdf, state, key[0]);
    assert_equal(state, from_bytes(AES_PLAIN));
    simd_board_free(b);
}
END_TEST

/* --- SHA: FIPS 180-4; the digests are of "abc" --- */

static const uint32_t message[16] = {0x61626380, [15] = 24};

static union vec add(union vec a, union vec b)
{
    for (unsigned i = 0; i < 4; i++)
        a.u32[i] += b.u32[i];
    return a;
}

static union vec sha(struct simd_board *b, unsigned code, union vec x,
                     union vec y)
{
    return run(b, 0, 0x38, code, x, y, 0);
}

/* Words from `at` on, the first in the highest lane. */
static union vec sha1_words(const uint32_t *at)
{
    return (union vec){.u32 = {at[3], at[2], at[1], at[0]}};
}

START_TEST(test_sha1_of_abc)
{
    static const uint32_t start[4] = {0x67452301, 0xefcdab89, 0x98badcfe,
                                      0x10325476};
    struct simd_board *b = simd_board_new();
    union vec abcd = sha1_words(start), before = abcd;
    union vec e0 = {.u32 = {0, 0, 0, 0xc3d2e1f0}}, m[20], e;

    for (unsigned i = 0; i < 20; i++) {
        if (i < 4)
            m[i] = sha1_words(message + 4 * i);
        else
            m[i] = sha(b, 0xca, xor(sha(b, 0xc9, m[i - 4], m[i - 3]), m[i - 2]),
                       m[i - 1]);
        e = i ? sha(b, 0xc8, before, m[i]) : add(e0, m[0]);
        before = abcd;
        abcd = run(b, 0, 0x3a, 0xcc, abcd, e, i / 5);
    }
    abcd = add(abcd, sha1_words(start));
    e = sha(b, 0xc8, before, e0);
    ck_assert_uint_eq(abcd.u32[3], 0xa9993e36);
    ck_assert_uint_eq(abcd.u32[2], 0x4706816a);
    ck_assert_uint_eq(abcd.u32[1], 0xba3e2571);
    ck_assert_uint_eq(abcd.u32[0], 0x7850c26c);
    ck_assert_uint_eq(e.u32[3], 0x9cd0d89d);
    simd_board_free(b);
}
END_TEST

static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The next four words of the schedule. */
static union vec sha256_words(struct simd_board *b, const union vec *m)
{
    union vec w7 = {
        .u32 = {m[2].u32[1], m[2].u32[2], m[2].u32[3], m[3].u32[0]}};

    return sha(b, 0xcd, add(sha(b, 0xcc, m[0], m[1]), w7), m[3]);
}

START_TEST(test_sha256_of_abc)
{
    static const union vec abef0 = {
        .u32 = {0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667}};
    static const union vec cdgh0 = {
        .u32 = {0x5be0cd19, 0x1f83d9ab, 0xa54ff53a, 0x3c6ef372}};
    struct simd_board *b = simd_board_new();
    union vec abef = abef0, cdgh = cdgh0, m[16], k;

    for (unsigned i = 0; i < 16; i++) {
        if (i < 4)
            memcpy(&m[i], message + 4 * i, 16);
        else
            m[i] = sha256_words(b, &m[i - 4]);
        memcpy(&k, sha256_constants + 4 * i, 16);
        k = b->cpu.xmm[0] = add(m[i], k);
        cdgh = sha(b, 0xcb, cdgh, abef);
        b->cpu.xmm[0].u64[0] = k.u64[1];
        abef = sha(b, 0xcb, abef, cdgh);
    }
    abef = add(abef, abef0);
    cdgh = add(cdgh, cdgh0);
    ck_assert_uint_eq(abef.u64[1], 0xba7816bf8f01cfea);
    ck_assert_uint_eq(cdgh.u64[1], 0x414140de5dae2223);
    ck_assert_uint_eq(abef.u64[0], 0xb00361a396177a9c);
    ck_assert_uint_eq(cdgh.u64[0], 0xb410ff61f20015ad);
    simd_board_free(b);
}
END_TEST

/* --- polynomials --- */

START_TEST(test_every_byte_but_zero_has_an_inverse)
{
    ck_assert_uint_eq(gf_inverse[0], 0);
    for (unsigned i = 1; i < 256; i++)
        ck_assert_uint_eq(gf_multiply((uint8_t)i, gf_inverse[i]), 1);
}
END_TEST

/* FIPS 197, 4.2: {57} * {83} = {c1}, {57} * {13} = {fe}. */
START_TEST(test_bytes_multiply_as_in_aes)
{
    struct simd_board *b = simd_board_new();
    union vec x = {.u8 = {0x57, 0x57}}, y = {.u8 = {0x83, 0x13}};
    union vec r = run(b, 0x66, 0x38, 0xcf, x, y, 0);

    ck_assert_uint_eq(r.u64[0], 0xfec1);
    simd_board_free(b);
}
END_TEST

/* FIPS 197, figure 7: row 0 of the S-box, whose matrix is in 5.1.1. */
START_TEST(test_the_s_box_is_an_inverse_and_a_matrix)
{
    static const uint64_t matrix = 0xf1e3c78f1f3e7cf8;
    struct simd_board *b = simd_board_new();
    union vec x, y = {.u64 = {matrix, matrix}}, r;

    for (unsigned i = 0; i < 16; i++)
        x.u8[i] = (uint8_t)i;
    r = run(b, 0x66, 0x3a, 0xcf, x, y, 0x63);
    assert_equal(r, from_bytes("637c777bf26b6fc53001672bfed7ab76"));
    simd_board_free(b);
}
END_TEST

/* The operands and products of Intel's paper on GCM: "Carry-Less
 * Multiplication and Its Usage for Computing the GCM Mode". */
START_TEST(test_carry_less_products_are_those_of_the_gcm_paper)
{
    static const struct {
        unsigned imm;
        uint64_t high, low;
    } cases[] = {
        {0x00, 0x1d4d84c85c3440c0, 0x929633d5d36f0451},
        {0x10, 0x1bd17c8d556ab5a1, 0x7fa540ac2a281315},
        {0x01, 0x1a2bf6db3a30862f, 0xbabf262df4b7d5c9},
        {0x11, 0x1d1e1f2c592e7c45, 0xd66ee03e410fd4ed},
    };
    static const union vec x = {
        .u64 = {0x63746f725d53475d, 0x7b5b546573745665}};
    static const union vec y = {
        .u64 = {0x5b477565726f6e5d, 0x4869285368617929}};
    struct simd_board *b = simd_board_new();

    for (unsigned i = 0; i < array_len(cases); i++) {
        union vec r = run(b, 0x66, 0x3a, 0x44, x, y, cases[i].imm);

        ck_assert_uint_eq(r.u64[0], cases[i].low);
        ck_assert_uint_eq(r.u64[1], cases[i].high);
    }
    simd_board_free(b);
}
END_TEST

SUITE("crypto", test_aes_encrypts_as_the_standard_says,
      test_aes_decrypts_with_inverted_keys, test_sha1_of_abc,
      test_sha256_of_abc, test_every_byte_but_zero_has_an_inverse,
      test_bytes_multiply_as_in_aes, test_the_s_box_is_an_inverse_and_a_matrix,
      test_carry_less_products_are_those_of_the_gcm_paper)
