/*
 * SSE4.1 and SSE4.2 but for arithmetic on lanes (simd_int.c), numbers
 * (simd_fp_sse.c) and strings (simd_string.c): blending, widening, searching
 * (SDM vol. 1, 12.10 to 12.12).
 */

#include "cpu/ops.h"
#include "cpu/simd_lanes.h"

/* Lane i of the second source where bit i of the immediate is set; PBLENDW on
 * YMM uses the eight bits again. */
#define BLEND(name, bits)                                           \
    void op_##name(struct cpu *cpu, const struct insn *in)          \
    {                                                               \
        union vec a, b;                                             \
                                                                    \
        simd_read_pair(cpu, in, &a, &b);                            \
        for (unsigned i = 0; i < simd_size(in) * 8 / (bits); i++) { \
            if (in->imm >> (i & 7) & 1)                             \
                a.u##bits[i] = b.u##bits[i];                        \
        }                                                           \
        simd_write(cpu, in, &a);                                    \
    }

BLEND(blendps, 32)
BLEND(blendpd, 64)
BLEND(pblendw, 16)

/* Lanes of the second source where XMM0 has its top bit set. */
#define BLEND_BY_XMM0(name, bits)                          \
    void op_##name(struct cpu *cpu, const struct insn *in) \
    {                                                      \
        union vec a, b;                                    \
                                                           \
        simd_read_pair(cpu, in, &a, &b);                   \
        for (unsigned i = 0; i < 128 / (bits); i++) {      \
            if (cpu->xmm[0].u##bits[i] >> ((bits)-1))      \
                a.u##bits[i] = b.u##bits[i];               \
        }                                                  \
        simd_write(cpu, in, &a);                           \
    }

BLEND_BY_XMM0(pblendvb, 8)
BLEND_BY_XMM0(blendvps, 32)
BLEND_BY_XMM0(blendvpd, 64)

/* The lowest lanes of the source, by sign or by zeros, to full width. */
#define WIDEN(name, from, type, to)                                  \
    void op_##name(struct cpu *cpu, const struct insn *in)           \
    {                                                                \
        union vec v, r;                                              \
                                                                     \
        simd_read(cpu, in, 1, &v);                                   \
        for (unsigned i = 0; i < simd_size(in) * 8 / (to); i++)      \
            r.u##to[i] = (uint##to##_t)(type##from##_t)v.u##from[i]; \
        simd_write(cpu, in, &r);                                     \
    }

WIDEN(pmovsxbw, 8, int, 16)
WIDEN(pmovsxbd, 8, int, 32)
WIDEN(pmovsxbq, 8, int, 64)
WIDEN(pmovsxwd, 16, int, 32)
WIDEN(pmovsxwq, 16, int, 64)
WIDEN(pmovsxdq, 32, int, 64)
WIDEN(pmovzxbw, 8, uint, 16)
WIDEN(pmovzxbd, 8, uint, 32)
WIDEN(pmovzxbq, 8, uint, 64)
WIDEN(pmovzxwd, 16, uint, 32)
WIDEN(pmovzxwq, 16, uint, 64)
WIDEN(pmovzxdq, 32, uint, 64)

/* Four bytes of b against those of a at eight places.  Three bits of the
 * immediate a block say where: two for b, one for a, in steps of four. */
static void mpsadbw(struct block *k)
{
    unsigned bits = k->imm >> (3 * k->number);
    unsigned of_b = 4 * (bits & 3), of_a = bits & 4;

    for (unsigned i = 0; i < 8; i++) {
        unsigned sum = 0;

        for (unsigned j = 0; j < 4; j++) {
            unsigned a = k->a.u8[of_a + i + j], b = k->b.u8[of_b + j];

            sum += a > b ? a - b : b - a;
        }
        k->r.u16[i] = (uint16_t)sum;
    }
}

BLOCKS(mpsadbw)

/* The least word, and which it is: the first of equals. */
static void phminposuw(struct block *k)
{
    unsigned least = 0;

    for (unsigned i = 1; i < 8; i++)
        if (k->a.u16[i] < k->a.u16[least])
            least = i;
    k->r = (union vec){.u16 = {k->a.u16[least], (uint16_t)least}};
}

UNARY_BLOCKS(phminposuw)

/* ZF: no bit in common.  CF: the second has none that the first lacks. */
void op_ptest(struct cpu *cpu, const struct insn *in)
{
    uint64_t both = 0, only_b = 0;
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < simd_size(in) / 8; i++) {
        both |= a.u64[i] & b.u64[i];
        only_b |= ~a.u64[i] & b.u64[i];
    }
    cpu->aflags =
        aflags_from_eflags((both ? 0 : FLAG_ZF) | (only_b ? 0 : FLAG_CF));
}

/* Bits 7:6 choose a lane of a source register, 5:4 where it goes, 3:0 which
 * lanes become zero after that. */
void op_insertps(struct cpu *cpu, const struct insn *in)
{
    bool memory = in->op[simd_source(in)].kind == OPND_MEM;
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    a.u32[in->imm >> 4 & 3] = b.u32[memory ? 0 : in->imm >> 6 & 3];
    for (unsigned i = 0; i < 4; i++)
        if (in->imm >> i & 1)
            a.u32[i] = 0;
    simd_write(cpu, in, &a);
}
