#ifndef BASE_BITS_H
#define BASE_BITS_H

/* Bit fields, sign extension, rotation and counting; all total functions. */

#include <stdbool.h>
#include <stdint.h>

/* n low bits set; n is 0..64. */
static inline uint64_t bits_mask(unsigned n)
{
    return n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

/* Bits lo .. lo+n-1 of v, moved down to bit 0. */
static inline uint64_t bits_get(uint64_t v, unsigned lo, unsigned n)
{
    return (v >> lo) & bits_mask(n);
}

static inline bool bits_test(uint64_t v, unsigned bit)
{
    return (v >> bit) & 1;
}

/* v with its low n bits read as a signed number; n is 1..64. */
static inline uint64_t bits_sext(uint64_t v, unsigned n)
{
    return (uint64_t)((int64_t)(v << (64 - n)) >> (64 - n));
}

static inline bool bits_is_pow2(uint64_t v)
{
    return v && !(v & (v - 1));
}

static inline uint64_t bits_align_down(uint64_t v, uint64_t pow2)
{
    return v & ~(pow2 - 1);
}

static inline uint64_t bits_align_up(uint64_t v, uint64_t pow2)
{
    return (v + pow2 - 1) & ~(pow2 - 1);
}

/* Index of the highest / lowest set bit; v must not be 0. */
static inline unsigned bits_high(uint64_t v)
{
    return 63u - (unsigned)__builtin_clzll(v);
}

static inline unsigned bits_low(uint64_t v)
{
    return (unsigned)__builtin_ctzll(v);
}

#endif
