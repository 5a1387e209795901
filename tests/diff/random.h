#ifndef TESTS_DIFF_RANDOM_H
#define TESTS_DIFF_RANDOM_H

/* Random numbers that are the same on every host. */

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline uint64_t rng_mix_in(uint64_t sum, uint64_t v)
{
    return rng_mix(sum + 0x9e3779b97f4a7c15) ^ rng_mix(v + 1);
}

static inline uint64_t rng_next(struct rng *r)
{
    r->state += 0x9e3779b97f4a7c15;
    return rng_mix(r->state);
}

/* 0 .. n - 1 */
static inline unsigned rng_below(struct rng *r, unsigned n)
{
    return (unsigned)((rng_next(r) >> 32) * n >> 32);
}

static inline bool rng_chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

#endif
