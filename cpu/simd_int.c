/*
 * Integer arithmetic, comparison, logic and shifts on lanes (SDM vol. 1, 9.4,
 * 10.4.4, 11.4.2, 12.10), each for MMX, XMM and YMM registers alike.
 */

#include "cpu/ops.h"
#include "cpu/simd_lanes.h"

/* Products of the two pairs of signed words, added; wraps for the one case of
 * four times -32768. */
static uint32_t multiply_add(uint32_t x, uint32_t y)
{
    int32_t low = (int16_t)x * (int16_t)y;
    int32_t high = (int16_t)(x >> 16) * (int16_t)(y >> 16);

    return (uint32_t)low + (uint32_t)high;
}

static uint64_t sum_of_differences(uint64_t x, uint64_t y)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t a = x >> i & 0xff, b = y >> i & 0xff;

        sum += a > b ? a - b : b - a;
    }
    return sum;
}

/* It would take x & y for a declaration. */
/* clang-format off */
LANES(8, paddb, x + y)
LANES(16, paddw, x + y)
LANES(32, paddd, x + y)
LANES(64, paddq, x + y)
LANES(8, psubb, x - y)
LANES(16, psubw, x - y)
LANES(32, psubd, x - y)
LANES(64, psubq, x - y)
LANES(8, paddsb, sat_s8(sx + sy))
LANES(16, paddsw, sat_s16(sx + sy))
LANES(8, psubsb, sat_s8(sx - sy))
LANES(16, psubsw, sat_s16(sx - sy))
LANES(8, paddusb, sat_u8(x + y))
LANES(16, paddusw, sat_u16(x + y))
LANES(8, psubusb, sat_u8(x - y))
LANES(16, psubusw, sat_u16(x - y))
LANES(8, pavgb, (x + y + 1) >> 1)
LANES(16, pavgw, (x + y + 1) >> 1)
LANES(8, pminub, x < y ? x : y)
LANES(8, pmaxub, x > y ? x : y)
LANES(16, pminuw, x < y ? x : y)
LANES(16, pmaxuw, x > y ? x : y)
LANES(32, pminud, x < y ? x : y)
LANES(32, pmaxud, x > y ? x : y)
LANES(8, pminsb, sx < sy ? x : y)
LANES(8, pmaxsb, sx > sy ? x : y)
LANES(16, pminsw, sx < sy ? x : y)
LANES(16, pmaxsw, sx > sy ? x : y)
LANES(32, pminsd, sx < sy ? x : y)
LANES(32, pmaxsd, sx > sy ? x : y)
LANES(16, pmullw, (uint32_t)x * y)
LANES(16, pmulhw, (sx * sy) >> 16)
LANES(16, pmulhuw, (uint32_t)x * y >> 16)
LANES(32, pmulld, x * y)
LANES(64, pmuludq, (x & 0xffffffff) * (y & 0xffffffff))
LANES(64, pmuldq, (int64_t)(int32_t)x * (int32_t)y)
LANES(32, pmaddwd, multiply_add(x, y))
LANES(64, psadbw, sum_of_differences(x, y))
LANES(8, pcmpeqb, x == y ? 0xff : 0)
LANES(16, pcmpeqw, x == y ? 0xffff : 0)
LANES(32, pcmpeqd, x == y ? 0xffffffff : 0)
LANES(64, pcmpeqq, x == y ? UINT64_MAX : 0)
LANES(8, pcmpgtb, sx > sy ? 0xff : 0)
LANES(16, pcmpgtw, sx > sy ? 0xffff : 0)
LANES(32, pcmpgtd, sx > sy ? 0xffffffff : 0)
LANES(64, pcmpgtq, sx > sy ? UINT64_MAX : 0)
LANES(64, pand, x & y)
LANES(64, pandn, ~x & y)
LANES(64, por, x | y)
LANES(64, pxor, x ^ y)
/* clang-format on */

/* SHIFT: as LANES, with the count that is the low quadword of the second
 * source; past the width, a lane becomes zero, or all sign. */
#define SHIFT(bits, name, expression)                               \
    void op_##name(struct cpu *cpu, const struct insn *in)          \
    {                                                               \
        union vec a, b;                                             \
        uint64_t count;                                             \
                                                                    \
        simd_read_pair(cpu, in, &a, &b);                            \
        count = b.u64[0];                                           \
        for (unsigned i = 0; i < simd_size(in) * 8 / (bits); i++) { \
            uint##bits##_t x = a.u##bits[i];                        \
                                                                    \
            a.u##bits[i] = (uint##bits##_t)(expression);            \
        }                                                           \
        simd_write(cpu, in, &a);                                    \
    }

SHIFT(16, psllw, count < 16 ? (uint32_t)x << count : 0)
SHIFT(32, pslld, count < 32 ? x << count : 0)
SHIFT(64, psllq, count < 64 ? x << count : 0)
SHIFT(16, psrlw, count < 16 ? x >> count : 0)
SHIFT(32, psrld, count < 32 ? x >> count : 0)
SHIFT(64, psrlq, count < 64 ? x >> count : 0)
SHIFT(16, psraw, (int16_t)x >> (count < 16 ? count : 15))
SHIFT(32, psrad, (int32_t)x >> (count < 32 ? count : 31))

/* Whole blocks, by bytes. */
static void pslldq(struct block *k)
{
    for (unsigned i = 0; i < XMM_SIZE; i++)
        k->r.u8[i] = i < k->imm ? 0 : k->a.u8[i - k->imm];
}

static void psrldq(struct block *k)
{
    for (unsigned i = 0; i < XMM_SIZE; i++)
        k->r.u8[i] = i + k->imm < XMM_SIZE ? k->a.u8[i + k->imm] : 0;
}

BLOCKS(pslldq)
BLOCKS(psrldq)
