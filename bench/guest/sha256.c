/* SHA-256 (FIPS 180-4, 6.2) as a library does it: with the SHA instructions
 * (SDM vol. 2, SHA256RNDS2) where the processor has them, otherwise in C. */
#include <cpuid.h>
#include <immintrin.h>

#include "bench.h"

#define SMALL (16u << 10)
#define BLOCK 64u

static const uint32_t round_constants[64] = {
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

static int has_sha(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}

/* --- in C --- */

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void schedule(uint32_t w[64], const unsigned char *block)
{
    for (unsigned i = 0; i < 16; i++)
        w[i] = big_endian(block + 4 * i);
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];

        w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

static void compress_in_c(uint32_t state[8], const unsigned char *block)
{
    uint32_t w[64], s[8];

    schedule(w, block);
    for (unsigned i = 0; i < 8; i++)
        s[i] = state[i];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t a = s[0], e = s[4], t;

        t = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
            (s[6] ^ (e & (s[5] ^ s[6]))) + round_constants[i] + w[i];
        for (unsigned k = 7; k; k--)
            s[k] = s[k - 1];
        s[4] += t;
        s[0] = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
               ((a & s[2]) | (s[3] & (a | s[2])));
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += s[i];
}

/* --- with the SHA instructions --- */

/* Four rounds: the instruction does two, with the two sums at the bottom. */
__attribute__((target("sha,sse4.1"))) static inline void four_rounds(
    __m128i *abef, __m128i *cdgh, __m128i w, unsigned round)
{
    __m128i sum = _mm_add_epi32(
        w, _mm_loadu_si128((const void *)(round_constants + round)));

    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

/* W[t] to W[t+3] from the sixteen words before. */
__attribute__((target("sha,sse4.1"))) static inline __m128i next_words(
    __m128i w16, __m128i w12, __m128i w8, __m128i w4)
{
    __m128i w = _mm_add_epi32(_mm_sha256msg1_epu32(w16, w12),
                              _mm_alignr_epi8(w4, w8, 4));

    return _mm_sha256msg2_epu32(w, w4);
}

__attribute__((target("sha,sse4.1"))) static void compress_with_sha(
    uint32_t state[8], const unsigned char *block)
{
    const __m128i swap =
        _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    __m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4],
                                 (int)state[5]);
    __m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6],
                                 (int)state[7]);
    __m128i first = abef, second = cdgh, w[4];
    uint32_t out[8];

    for (unsigned i = 0; i < 4; i++) {
        w[i] = _mm_loadu_si128((const void *)(block + 16 * i));
        w[i] = _mm_shuffle_epi8(w[i], swap);
        four_rounds(&abef, &cdgh, w[i], 4 * i);
    }
    for (unsigned round = 16; round < 64; round += 16)
        for (unsigned i = 0; i < 4; i++) {
            w[i] = next_words(w[i], w[(i + 1) % 4], w[(i + 2) % 4],
                              w[(i + 3) % 4]);
            four_rounds(&abef, &cdgh, w[i], round + 4 * i);
        }
    _mm_storeu_si128((void *)out, _mm_add_epi32(abef, first));
    _mm_storeu_si128((void *)(out + 4), _mm_add_epi32(cdgh, second));
    state[0] = out[3], state[1] = out[2], state[4] = out[1], state[5] = out[0];
    state[2] = out[7], state[3] = out[6], state[6] = out[5], state[7] = out[4];
}

/* --- the row --- */

static void fill(unsigned char *arena)
{
    for (unsigned i = 0; i < SMALL; i++)
        arena[i] = (unsigned char)(i * 167 >> 3);
}

static uint64_t run_sha256(unsigned char *arena, unsigned count)
{
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    void (*compress)(uint32_t *, const unsigned char *) =
        has_sha() ? compress_with_sha : compress_in_c;
    uint64_t sum = 0;

    for (unsigned i = 0; i < count; i++)
        for (unsigned at = 0; at < SMALL; at += BLOCK)
            compress(state, arena + at);
    for (unsigned i = 0; i < 8; i++)
        sum = mix(sum, state[i]);
    return sum;
}

const struct row sha256_rows[] = {
    {"sha256", fill, run_sha256, 15000},
    {NULL, NULL, NULL, 0},
};
