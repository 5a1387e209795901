#ifndef TESTS_UNIT_CPU_FPU_OPERANDS_H
#define TESTS_UNIT_CPU_FPU_OPERANDS_H

/*
 * Random operands of x87 instructions: corners of the formats, numbers close to
 * each other, noise.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/compiler.h"

struct random {
    uint64_t state; /* not 0 */
};

static inline uint64_t next_random(struct random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state * 0x2545f4914f6cdd1d;
}

static inline unsigned pick(struct random *r, unsigned n)
{
    return (unsigned)(next_random(r) >> 32) % n;
}

/* COPAL_TEST_SEED, or always the same. */
static inline uint64_t test_seed(void)
{
    const char *text = getenv("COPAL_TEST_SEED");

    return text ? strtoull(text, NULL, 0) | 1 : 0x9e3779b97f4a7c15;
}

/* --- 80 bits --- */

static const uint64_t extended_fracs[] = {
    0x0000000000000000, 0x0000000000000001, 0x3fffffffffffffff,
    0x4000000000000000, 0x7fffffffffffffff, 0x8000000000000000,
    0x8000000000000001, 0x8000008000000000, 0x80000000000003ff,
    0x8000000000000400, 0x8000000000000401, 0x8000000000000800,
    0xa000000000000000, 0xbfffffffffffffff, 0xc000000000000000,
    0xc000000000000001, 0xfffffeffffffffff, 0xffffff0000000000,
    0xffffff7fffffffff, 0xffffff8000000000, 0xfffffffffffff800,
    0xfffffffffffffbff, 0xfffffffffffffc00, 0xffffffffffffffff,
};

static const uint16_t extended_exps[] = {
    0x0000, 0x0001, 0x0002, 0x0020, 0x0040, 0x1fff, 0x2000, 0x3bcc, 0x3bcd,
    0x3bf0, 0x3c00, 0x3c01, 0x3f69, 0x3f6a, 0x3f7f, 0x3f80, 0x3f81, 0x3fbf,
    0x3fc0, 0x3ffd, 0x3ffe, 0x3fff, 0x4000, 0x400d, 0x400e, 0x400f, 0x401d,
    0x401e, 0x401f, 0x403a, 0x403d, 0x403e, 0x403f, 0x407d, 0x407e, 0x407f,
    0x43fd, 0x43fe, 0x43ff, 0x5ffe, 0x6000, 0x7ffd, 0x7ffe, 0x7fff,
};

static inline uint64_t random_frac(struct random *r)
{
    switch (pick(r, 8)) {
    case 0: return next_random(r);
    case 1: return extended_fracs[pick(r, array_len(extended_fracs))];
    case 2: return next_random(r) >> pick(r, 64);
    case 3: return 1ull << 63 | next_random(r) << pick(r, 64);
    case 4: return 1ull << 63 | next_random(r) >> pick(r, 64);
    default: return 1ull << 63 | next_random(r);
    }
}

static inline uint16_t random_exp(struct random *r)
{
    unsigned sign = pick(r, 2) << 15;

    switch (pick(r, 8)) {
    case 0: return (uint16_t)(sign | pick(r, 0x8000));
    case 1: return (uint16_t)(sign | (0x4000 - 80 + pick(r, 160)));
    case 2: return (uint16_t)(sign | pick(r, 80));
    case 3: return (uint16_t)(sign | (0x7fff - pick(r, 80)));
    case 4: return (uint16_t)(sign | (0x3ff0 + pick(r, 0x50)));
    case 5: return (uint16_t)(sign | (0x3ffe + pick(r, 4)));
    default:
        return (uint16_t)(sign |
                          extended_exps[pick(r, array_len(extended_exps))]);
    }
}

static inline void random_extended(struct random *r, uint8_t *p)
{
    uint64_t frac = random_frac(r);
    uint16_t exp = random_exp(r);

    /* Numbers in the format that they should have, most of the time. */
    if (pick(r, 8)) {
        if (exp & 0x7fff)
            frac |= 1ull << 63;
        else
            frac &= ~0ull >> 1;
    }
    store64(p, frac);
    store16(p + 8, exp);
}

/* Eight registers of an FXSAVE image; often near the one before. */
static inline void random_stack(struct random *r, uint8_t *p)
{
    for (unsigned i = 0; i < 8; i++, p += 16) {
        random_extended(r, p);
        if (i == 0 || pick(r, 3))
            continue;
        store16(p + 8, (uint16_t)(load16(p - 8) + pick(r, 7) - 3));
        if (pick(r, 2))
            store64(p, load64(p - 16) + pick(r, 3) - 1);
    }
}

/* --- memory --- */

static inline uint32_t random_single(struct random *r)
{
    static const uint32_t corners[] = {
        0x00000000, 0x00000001, 0x007fffff, 0x00800000, 0x3f7fffff, 0x3f800000,
        0x40000000, 0x4f000000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000,
        0x7fabcdef, 0x7fffffff, 0x00008000, 0x00007fff};
    uint32_t v = (uint32_t)next_random(r);

    if (pick(r, 2))
        return v;
    return corners[pick(r, array_len(corners))] | pick(r, 2) << 31;
}

static inline uint64_t random_double(struct random *r)
{
    static const uint64_t corners[] = {
        0x0000000000000000, 0x0000000000000001, 0x000fffffffffffff,
        0x0010000000000000, 0x3fefffffffffffff, 0x3ff0000000000000,
        0x4000000000000000, 0x43e0000000000000, 0x7fefffffffffffff,
        0x7ff0000000000000, 0x7ff0000000000001, 0x7ff8000000000000,
        0x7ffabcdef0123456, 0x7fffffffffffffff};
    uint64_t v = next_random(r);

    switch (pick(r, 4)) {
    case 0: return v;
    case 1: return v >> pick(r, 64);
    case 2: return (v & 0x800fffffffffffff) | (0x3f0ull + pick(r, 32)) << 52;
    default:
        return corners[pick(r, array_len(corners))] | (uint64_t)pick(r, 2)
                                                          << 63;
    }
}

#endif
