/*
 * Integer instructions that only VEX has: shifts by a count for each lane
 * (AVX2; SDM vol. 1, 14.7), sums of products (AVX-VNNI); and tests of signs,
 * and the clearing of registers (AVX; SDM vol. 2, VTESTPS, VZEROALL).
 */

#include <string.h>

#include "cpu/ops.h"
#include "cpu/simd.h"

/* --- shifts: past the width, a lane becomes zero, or all sign --- */

#define SHIFT_EACH(name, bits, expression)                         \
    void op_##name(struct cpu *cpu, const struct insn *in)         \
    {                                                              \
        union vec a, b;                                            \
                                                                   \
        simd_read_pair(cpu, in, &a, &b);                           \
        for (unsigned i = 0; i < in->vex_len * 8u / (bits); i++) { \
            uint##bits##_t x = a.u##bits[i], count = b.u##bits[i]; \
                                                                   \
            a.u##bits[i] = (uint##bits##_t)(expression);           \
        }                                                          \
        simd_write(cpu, in, &a);                                   \
    }

SHIFT_EACH(vpsllvd, 32, count < 32 ? x << count : 0)
SHIFT_EACH(vpsllvq, 64, count < 64 ? x << count : 0)
SHIFT_EACH(vpsrlvd, 32, count < 32 ? x >> count : 0)
SHIFT_EACH(vpsrlvq, 64, count < 64 ? x >> count : 0)
SHIFT_EACH(vpsravd, 32, (int32_t)x >> (count < 32 ? count : 31))

/* --- sums of products, added to operand 0 --- */

/* Unsigned bytes of x by signed ones of y. */
static int64_t dot_bytes(uint32_t x, uint32_t y)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < 32; i += 8)
        sum += (int64_t)(uint8_t)(x >> i) * (int8_t)(y >> i);
    return sum;
}

/* Signed words. */
static int64_t dot_words(uint32_t x, uint32_t y)
{
    return (int64_t)(int16_t)x * (int16_t)y +
           (int64_t)(int16_t)(x >> 16) * (int16_t)(y >> 16);
}

static int64_t wrap(int64_t v)
{
    return v;
}

static int64_t saturate(int64_t v)
{
    if (v < INT32_MIN)
        return INT32_MIN;
    return v > INT32_MAX ? INT32_MAX : v;
}

#define DOT_PRODUCT(name, dot, limit)                              \
    void op_##name(struct cpu *cpu, const struct insn *in)         \
    {                                                              \
        union vec sum, a, b;                                       \
                                                                   \
        simd_read(cpu, in, 2, &b);                                 \
        simd_read(cpu, in, 1, &a);                                 \
        simd_read(cpu, in, 0, &sum);                               \
        for (unsigned i = 0; i < in->vex_len / 4u; i++)            \
            sum.u32[i] = (uint32_t)limit((int32_t)sum.u32[i] +     \
                                         dot(a.u32[i], b.u32[i])); \
        simd_write(cpu, in, &sum);                                 \
    }

DOT_PRODUCT(vpdpbusd, dot_bytes, wrap)
DOT_PRODUCT(vpdpbusds, dot_bytes, saturate)
DOT_PRODUCT(vpdpwssd, dot_words, wrap)
DOT_PRODUCT(vpdpwssds, dot_words, saturate)

/* --- VTESTPS, VTESTPD: ZF: no sign of a & b is set; CF: none of ~a & b --- */

static void test_signs(struct cpu *cpu, const struct insn *in, uint64_t signs)
{
    uint64_t both = 0, only_b = 0;
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < in->vex_len / 8u; i++) {
        both |= a.u64[i] & b.u64[i] & signs;
        only_b |= ~a.u64[i] & b.u64[i] & signs;
    }
    cpu->aflags =
        aflags_from_eflags((both ? 0 : FLAG_ZF) | (only_b ? 0 : FLAG_CF));
}

void op_vtestps(struct cpu *cpu, const struct insn *in)
{
    test_signs(cpu, in, 0x8000000080000000);
}

void op_vtestpd(struct cpu *cpu, const struct insn *in)
{
    test_signs(cpu, in, 0x8000000000000000);
}

/* --- registers cleared: those that the mode can name --- */

static void clear_from(struct cpu *cpu, unsigned byte)
{
    unsigned registers = cpu_code64(cpu) ? 16 : 8;

    for (unsigned i = 0; i < registers; i++)
        memset(&cpu->xmm[i].u8[byte], 0, sizeof(cpu->xmm[i]) - byte);
}

void op_vzeroall(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    clear_from(cpu, 0);
}

void op_vzeroupper(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    clear_from(cpu, XMM_SIZE);
}
