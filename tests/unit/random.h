#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

/* Random numbers that are the same on every host (xorshift64*). */

#include <stdint.h>
#include <stdlib.h>

/* state: not 0 */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1d;
}

/* A number that the environment may set: a seed, a count of rounds. */
static inline uint64_t random_setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

#endif
