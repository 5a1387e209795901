/* SSE2 and the x87.  All values stay finite and normal, so that a checksum of
 * their bits is one of the arithmetic alone. */
#include <emmintrin.h>
#include <string.h>

#include "bench.h"

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* An iteration of Henon's map and a polynomial: add, subtract, multiply. */
static uint64_t run_scalar(unsigned char *arena, unsigned count)
{
    double x = 0.1, y = 0.1, sum = 0;

    (void)arena;
    for (unsigned i = 0; i < count; i++) {
        double next = 1.0 - 1.4 * x * x + y;

        y = 0.3 * x;
        x = next;
        sum += ((0.25 * x + 0.5) * x - 0.75) * y;
    }
    return mix(mix(bits_of(x), bits_of(y)), bits_of(sum));
}

/* What is slower or leaves the register file: divide, square root, conversion
 * to and from integers, comparison. */
static uint64_t run_scalar_mixed(unsigned char *arena, unsigned count)
{
    __m128d x = _mm_set_sd(2.5);
    uint64_t sum = 0;

    (void)arena;
    for (unsigned i = 0; i < count; i++) {
        __m128d value = _mm_cvtsi32_sd(x, (int)(i & 1023) + 1);

        x = _mm_sqrt_sd(x, _mm_div_sd(_mm_add_sd(x, value), x));
        if (_mm_comigt_sd(x, _mm_set_sd(8.0)))
            sum += 3;
        sum += (uint64_t)_mm_cvttsd_si64(_mm_mul_sd(x, _mm_set_sd(1000.0)));
    }
    return mix(sum, bits_of(_mm_cvtsd_f64(x)));
}

static uint64_t lanes_of(__m128i value)
{
    return mix((uint64_t)_mm_cvtsi128_si64(value),
               (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(value, value)));
}

static uint64_t run_packed_float(unsigned char *arena, unsigned count)
{
    __m128 x = _mm_setr_ps(0.1f, 0.2f, 0.3f, 0.4f), sum = _mm_setzero_ps();

    (void)arena;
    for (unsigned i = 0; i < count; i++) {
        __m128 turned = _mm_shuffle_ps(x, x, _MM_SHUFFLE(0, 3, 2, 1));

        x = _mm_mul_ps(_mm_mul_ps(_mm_set1_ps(3.7f), x),
                       _mm_sub_ps(_mm_set1_ps(1.0f), x));
        sum = _mm_add_ps(sum, _mm_mul_ps(turned, x));
        sum = _mm_min_ps(sum, _mm_set1_ps(1e6f));
    }
    return lanes_of(_mm_castps_si128(_mm_add_ps(sum, x)));
}

/* A checksum over 4 KB in the arena: loads, adds, shifts, compares, shuffles,
 * products. */
static uint64_t run_packed_integer(unsigned char *arena, unsigned count)
{
    __m128i sum = _mm_set1_epi32(1);

    for (unsigned i = 0; i < count; i++)
        for (size_t at = 0; at < 4096; at += 16) {
            __m128i v = _mm_loadu_si128((__m128i *)(arena + at));

            sum = _mm_add_epi32(sum, v);
            sum = _mm_xor_si128(sum, _mm_slli_epi32(sum, 5));
            v = _mm_and_si128(v, _mm_cmpgt_epi16(v, sum));
            v = _mm_unpacklo_epi8(v, _mm_shuffle_epi32(sum, 0x4e));
            sum = _mm_sub_epi64(sum, _mm_madd_epi16(v, sum));
        }
    return lanes_of(sum);
}

static void fill_vectors(unsigned char *arena)
{
    for (size_t at = 0; at < 4096; at++)
        arena[at] = (unsigned char)(at * at >> 4);
}

static uint64_t sum_of(long double value)
{
    unsigned char bytes[16] = {0};
    uint64_t low, high;

    memcpy(bytes, &value, 10);
    memcpy(&low, bytes, 8);
    memcpy(&high, bytes + 8, 8);
    return mix(low, high);
}

static uint64_t run_x87(unsigned char *arena, unsigned count)
{
    long double x = 0.1L, y = 0.1L, sum = 0;

    (void)arena;
    for (unsigned i = 0; i < count; i++) {
        long double next = 1.0L - 1.4L * x * x + y;

        y = 0.3L * x;
        x = next;
        sum += ((0.25L * x + 0.5L) * x - 0.75L) * y;
    }
    return mix(mix(sum_of(x), sum_of(y)), sum_of(sum));
}

/* As programs without SSE2 use it: doubles in memory, divide, square root,
 * comparison, conversion. */
static uint64_t run_x87_mixed(unsigned char *arena, unsigned count)
{
    volatile double *cell = (volatile double *)arena;
    volatile int32_t *number = (volatile int32_t *)(arena + 64);
    uint64_t sum = 0;

    cell[0] = 2.5;
    for (unsigned i = 0; i < count; i++) {
        long double x = cell[0], root;

        *number = (int32_t)(i & 1023) + 1;
        root = (x + *number) / x;
        __asm__("fsqrt" : "+t"(root));
        cell[0] = (double)root;
        if (root > 8.0L)
            sum += 3;
        __asm__ volatile("fistl %0" : "=m"(*number) : "t"(root * 1000.0L));
        sum += (uint64_t)(uint32_t)*number;
    }
    return mix(sum, bits_of(cell[0]));
}

const struct row float_rows[] = {
    {"sse-scalar", NULL, run_scalar, 15000000},
    {"sse-scalar-mixed", NULL, run_scalar_mixed, 4000000},
    {"sse-packed-float", NULL, run_packed_float, 15000000},
    {"sse-packed-integer", fill_vectors, run_packed_integer, 60000},
    {"x87", NULL, run_x87, 2000000},
    {"x87-mixed", NULL, run_x87_mixed, 1000000},
    {NULL, NULL, NULL, 0},
};
