#include "tests/diff/values.h"

#include <string.h>

#include "base/bytes.h"

uint64_t value_int(struct rng *r)
{
    uint64_t v = rng_next(r);
    unsigned bit = (unsigned)(v >> 8) & 63;

    switch (v & 15) {
    case 0: return 0;
    case 1: return 1;
    case 2: return ~(uint64_t)0;
    case 3: return (uint64_t)1 << bit;
    case 4: return ((uint64_t)1 << bit) - 1;
    case 5: return ~(uint64_t)0 << bit;
    case 6: return 0x8000000080008080;
    case 7: return 0x7fffffff7fff7f7f;
    case 8: return v >> 8 & 0xff;
    case 9: return (v >> 16 & 0xff) * 0x0101010101010101;
    case 10: return v >> bit;
    default: return rng_next(r);
    }
}

/* Fractions with few bits set, or all. */
static uint64_t fraction(struct rng *r, unsigned bits)
{
    uint64_t mask = ((uint64_t)1 << bits) - 1, v = rng_next(r);

    switch (v >> 60) {
    case 0:
    case 1: return 0;
    case 2: return 1;
    case 3: return mask;
    case 4: return mask & ~(uint64_t)1;
    case 5: return (uint64_t)1 << (bits - 1);
    case 6: return (uint64_t)1 << (v % bits);
    case 7: return mask << (v % bits) & mask;
    default: return v & mask;
    }
}

/* Exponents: special ones, near 1, near the border of integers, any. */
static unsigned exponent(struct rng *r, unsigned bits)
{
    unsigned max = (1u << bits) - 1, bias = max >> 1;
    unsigned v = (unsigned)(rng_next(r) >> 32);

    switch (v >> 28) {
    case 0:
    case 1: return 0;
    case 2: return 1;
    case 3:
    case 4: return max;
    case 5: return max - 1;
    case 6:
    case 7:
    case 8: return bias - 4 + (v & 7);
    case 9:
    case 10: return bias + (v & 63);
    case 11: return bias - (v & 63);
    default: return v & max;
    }
}

uint32_t value_f32(struct rng *r)
{
    uint32_t sign = (uint32_t)(rng_next(r) >> 63) << 31;

    return sign | exponent(r, 8) << 23 | (uint32_t)fraction(r, 23);
}

uint64_t value_f64(struct rng *r)
{
    uint64_t sign = rng_next(r) >> 63 << 63;

    return sign | (uint64_t)exponent(r, 11) << 52 | fraction(r, 52);
}

static void decimal(struct rng *r, uint8_t out[10])
{
    unsigned digits = rng_below(r, 19);

    memset(out, 0, 10);
    for (unsigned i = 0; i < digits; i++)
        out[i / 2] = (uint8_t)(out[i / 2] | rng_below(r, 10) << 4 * (i & 1));
    out[9] = rng_chance(r, 50) ? 0x80 : 0;
}

void value_f80(struct rng *r, uint8_t out[10])
{
    unsigned e = exponent(r, 15);
    uint64_t sign = rng_next(r) >> 63, f = fraction(r, 63);

    if (rng_chance(r, 5)) {
        decimal(r, out);
        return;
    }
    /* The integer bit is wrong at times. */
    if ((e != 0) != rng_chance(r, 6))
        f |= (uint64_t)1 << 63;
    store64(out, f);
    store16(out + 8, (uint16_t)(sign << 15 | e));
}

void value_fill(struct rng *r, enum value_kind kind, uint8_t *out, unsigned n)
{
    uint8_t one[16];
    unsigned size;

    for (unsigned at = 0; at < n; at += size) {
        size = kind == VALUE_F32 ? 4 : 8;
        memset(one, 0, sizeof(one));
        switch (kind) {
        case VALUE_F32: store32(one, value_f32(r)); break;
        case VALUE_F64: store64(one, value_f64(r)); break;
        case VALUE_F80:
            value_f80(r, one);
            size = 16;
            break;
        default: store64(one, value_int(r)); break;
        }
        memcpy(out + at, one, n - at < size ? n - at : size);
    }
}
