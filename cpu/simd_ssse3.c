/*
 * SSSE3: horizontal sums, signs, and the byte shuffles (SDM vol. 1, 12.6), for
 * MMX, XMM and YMM registers alike.
 */

#include "cpu/ops.h"
#include "cpu/simd_lanes.h"

/* Unsigned bytes of x times signed bytes of y, neighbours added. */
static int32_t multiply_add_bytes(uint16_t x, uint16_t y)
{
    int32_t low = (x & 0xff) * (int8_t)(y & 0xff);
    int32_t high = (x >> 8) * (int8_t)(y >> 8);

    return sat_s16(low + high);
}

LANES(16, pmaddubsw, multiply_add_bytes(x, y))
LANES(16, pmulhrsw, (((sx * sy) >> 14) + 1) >> 1)
LANES(8, psignb, sy < 0 ? -x : sy ? x : 0)
LANES(16, psignw, sy < 0 ? -x : sy ? x : 0)
LANES(32, psignd, sy < 0 ? -x : sy ? x : 0)
UNARY_LANES(8, pabsb, sx < 0 ? -x : x)
UNARY_LANES(16, pabsw, sx < 0 ? -x : x)
UNARY_LANES(32, pabsd, sx < 0 ? -x : x)

/* HORIZONTAL(bits, name, expression): of x and y, an even lane and its odd
 * neighbour; first those of a, then those of b. */
#define HORIZONTAL(bits, name, expression)                              \
    static void name(struct block *k)                                   \
    {                                                                   \
        unsigned n = k->size * 8 / (bits) / 2;                          \
                                                                        \
        for (unsigned i = 0; i < 2 * n; i++) {                          \
            const union vec *v = i < n ? &k->a : &k->b;                 \
            uint##bits##_t x = v->u##bits[2 * (i % n)];                 \
            uint##bits##_t y = v->u##bits[2 * (i % n) + 1];             \
            int##bits##_t sx = (int##bits##_t)x, sy = (int##bits##_t)y; \
                                                                        \
            (void)sx, (void)sy;                                         \
            k->r.u##bits[i] = (uint##bits##_t)(expression);             \
        }                                                               \
    }                                                                   \
    BLOCKS(name)

HORIZONTAL(16, phaddw, x + y)
HORIZONTAL(32, phaddd, x + y)
HORIZONTAL(16, phaddsw, sat_s16(sx + sy))
HORIZONTAL(16, phsubw, x - y)
HORIZONTAL(32, phsubd, x - y)
HORIZONTAL(16, phsubsw, sat_s16(sx - sy))

/* A choice with its top bit set gives zero. */
static void pshufb(struct block *k)
{
    for (unsigned i = 0; i < k->size; i++) {
        uint8_t choice = k->b.u8[i];

        k->r.u8[i] = choice & 0x80 ? 0 : k->a.u8[choice & (k->size - 1)];
    }
}

BLOCKS(pshufb)

/* Bytes from `imm` on of b and, above it, a. */
static void palignr(struct block *k)
{
    for (unsigned i = 0; i < k->size; i++) {
        unsigned from = k->imm + i;

        if (from < k->size)
            k->r.u8[i] = k->b.u8[from];
        else
            k->r.u8[i] = from < 2 * k->size ? k->a.u8[from - k->size] : 0;
    }
}

BLOCKS(palignr)
