/* The benchmark's rows: small loops, each of which loads one part of an
 * emulator.  A row does the same work every time it runs and returns a
 * checksum of it, which must not depend on who ran it. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u
#define ARENA_BYTES (16u << 20)

/* The count is fixed: natively most rows take 0.05 to 0.3 s, those that
 * emulators find hard less. */
struct row {
    const char *name;
    void (*prepare)(unsigned char *arena); /* not timed; may be NULL */
    uint64_t (*run)(unsigned char *arena, unsigned count);
    unsigned count;
};

/* Each table ends with a row without a name. */
extern const struct row integer_rows[];
extern const struct row memory_rows[];
extern const struct row float_rows[];
extern const struct row system_rows[];
extern const struct row extension_rows[];
extern const struct row sha256_rows[];

/* Pseudo-random numbers: xorshift64, never 0 for a state that is not 0. */
static inline uint64_t xorshift(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

static inline uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * UINT64_C(0x9e3779b97f4a7c15);
}

#endif
