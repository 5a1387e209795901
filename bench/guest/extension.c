/* AVX2, FMA, AES and carry-less multiplication: instructions that a processor
 * has beyond x86-64's first. */
#include <immintrin.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define SMALL (16u << 10)

/* Without it the row fails, which the harness reports. */
static int lacks(const char *what, int has)
{
    if (!has)
        printf("FAIL: this processor has no %s\n", what);
    return !has;
}

static void fill(unsigned char *arena)
{
    uint64_t x = 1;

    for (size_t at = 0; at < SMALL; at += sizeof(x)) {
        x = xorshift(x);
        memcpy(arena + at, &x, sizeof(x));
    }
}

static void fill_floats(unsigned char *arena)
{
    float *f = (float *)(void *)arena;

    for (unsigned i = 0; i < SMALL / sizeof(*f); i++)
        f[i] = 1.0f / (float)(i + 1);
}

static uint64_t sum_bytes(const void *p, size_t size)
{
    const unsigned char *at = p;
    uint64_t sum = 0;

    while (size--)
        sum = mix(sum, *at++);
    return sum;
}

__attribute__((target("avx2"))) static uint64_t
run_avx2_integer(unsigned char *arena, unsigned count)
{
    __m256i a = _mm256_setzero_si256(), b = _mm256_set1_epi32(0x10001);

    if (lacks("AVX2", __builtin_cpu_supports("avx2")))
        return 0;
    for (unsigned i = 0; i < count; i++)
        for (unsigned at = 0; at < SMALL; at += 32) {
            __m256i v = _mm256_loadu_si256((const void *)(arena + at));

            a = _mm256_add_epi32(_mm256_mullo_epi32(a, b), v);
            b = _mm256_shuffle_epi8(_mm256_xor_si256(b, v), v);
            a = _mm256_xor_si256(_mm256_srli_epi64(a, 7),
                                 _mm256_permute4x64_epi64(b, 0x39));
        }
    return sum_bytes(&a, sizeof(a)) ^ sum_bytes(&b, sizeof(b));
}

__attribute__((target("avx2,fma"))) static uint64_t
run_avx2_float(unsigned char *arena, unsigned count)
{
    __m256 a = _mm256_set1_ps(1.5f), c = _mm256_set1_ps(0.25f);

    if (lacks("FMA", __builtin_cpu_supports("fma")))
        return 0;
    for (unsigned i = 0; i < count; i++)
        for (unsigned at = 0; at < SMALL; at += 32) {
            __m256 v = _mm256_loadu_ps((const float *)(void *)(arena + at));

            a = _mm256_fmadd_ps(a, v, c);
            c = _mm256_max_ps(_mm256_mul_ps(c, v), _mm256_sub_ps(a, c));
            c = _mm256_min_ps(c, _mm256_set1_ps(2.0f));
        }
    return sum_bytes(&a, sizeof(a)) ^ sum_bytes(&c, sizeof(c));
}

__attribute__((target("aes"))) static uint64_t run_aes(unsigned char *arena,
                                                       unsigned count)
{
    __m128i key = _mm_set1_epi8(0x5a), sum = _mm_setzero_si128();

    if (lacks("AES", __builtin_cpu_supports("aes")))
        return 0;
    for (unsigned i = 0; i < count; i++)
        for (unsigned at = 0; at < SMALL; at += 16) {
            __m128i v = _mm_loadu_si128((const void *)(arena + at));

            for (unsigned round = 0; round < 9; round++)
                v = _mm_aesenc_si128(v, key);
            sum = _mm_xor_si128(sum, _mm_aesenclast_si128(v, key));
            key = _mm_add_epi32(key, sum);
        }
    return sum_bytes(&sum, sizeof(sum));
}

__attribute__((target("pclmul"))) static uint64_t
run_pclmul(unsigned char *arena, unsigned count)
{
    __m128i sum = _mm_setzero_si128();

    if (lacks("PCLMULQDQ", __builtin_cpu_supports("pclmul")))
        return 0;
    for (unsigned i = 0; i < count; i++)
        for (unsigned at = 0; at < SMALL; at += 16) {
            __m128i v = _mm_loadu_si128((const void *)(arena + at));

            sum = _mm_xor_si128(sum, v);
            sum = _mm_xor_si128(_mm_clmulepi64_si128(sum, v, 0x01),
                                _mm_clmulepi64_si128(sum, v, 0x10));
        }
    return sum_bytes(&sum, sizeof(sum));
}

/* What is in memory, looked up in a table that is there as well. */
__attribute__((target("avx2"))) static uint64_t
run_avx2_gather(unsigned char *arena, unsigned count)
{
    const __m256i last = _mm256_set1_epi32(SMALL / 4 - 1);
    const int *table = (const int *)(const void *)arena;
    __m256i sum = _mm256_setzero_si256();

    if (lacks("AVX2", __builtin_cpu_supports("avx2")))
        return 0;
    for (unsigned i = 0; i < count; i++)
        for (unsigned at = 0; at < SMALL; at += 32) {
            __m256i v = _mm256_loadu_si256((const void *)(arena + at));

            v = _mm256_add_epi32(v, _mm256_set1_epi32((int)i));
            v = _mm256_i32gather_epi32(table, _mm256_and_si256(v, last), 4);
            sum = _mm256_add_epi32(sum, v);
        }
    return sum_bytes(&sum, sizeof(sum));
}

const struct row extension_rows[] = {
    {"avx2-integer", fill, run_avx2_integer, 100000},
    {"avx2-float", fill_floats, run_avx2_float, 60000},
    {"avx2-gather", fill, run_avx2_gather, 10000},
    {"aes", fill, run_aes, 10000},
    {"pclmul", fill, run_pclmul, 40000},
    {NULL, NULL, NULL, 0},
};
