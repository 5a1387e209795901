#ifndef CPU_SIMD_LANES_H
#define CPU_SIMD_LANES_H

/*
 * The shapes of vector instructions on integers: every lane for itself, or
 * blocks of 16 bytes (8 of MMX) that have nothing to do with each other.  A
 * YMM register is two blocks (SDM vol. 1, 14.1.3): what shuffles, packs or adds
 * horizontally does so within each.
 *
 * One body serves MMX, SSE and VEX: simd_read_pair and simd_source find the
 * sources of each form.
 */

#include <string.h>

#include "base/bits.h"
#include "cpu/simd.h"

/*
 * LANES(bits, name, expression): each lane becomes the expression of x and y,
 * the lanes of the two sources; sx and sy are the same, signed.
 */
#define LANES(bits, name, expression)                                   \
    void op_##name(struct cpu *cpu, const struct insn *in)              \
    {                                                                   \
        union vec a, b;                                                 \
                                                                        \
        simd_read_pair(cpu, in, &a, &b);                                \
        for (unsigned i = 0; i < simd_size(in) * 8 / (bits); i++) {     \
            uint##bits##_t x = a.u##bits[i], y = b.u##bits[i];          \
            int##bits##_t sx = (int##bits##_t)x, sy = (int##bits##_t)y; \
                                                                        \
            (void)sx, (void)sy;                                         \
            a.u##bits[i] = (uint##bits##_t)(expression);                \
        }                                                               \
        simd_write(cpu, in, &a);                                        \
    }

/* UNARY_LANES: the same with one source. */
#define UNARY_LANES(bits, name, expression)                         \
    void op_##name(struct cpu *cpu, const struct insn *in)          \
    {                                                               \
        union vec a;                                                \
                                                                    \
        simd_read(cpu, in, simd_source(in), &a);                    \
        for (unsigned i = 0; i < simd_size(in) * 8 / (bits); i++) { \
            uint##bits##_t x = a.u##bits[i];                        \
            int##bits##_t sx = (int##bits##_t)x;                    \
                                                                    \
            (void)sx;                                               \
            a.u##bits[i] = (uint##bits##_t)(expression);            \
        }                                                           \
        simd_write(cpu, in, &a);                                    \
    }

/* One block of the two sources and of the result. */
struct block {
    union vec a, b, r;
    unsigned size;   /* bytes: 16, or 8 of MMX */
    unsigned number; /* 0, or 1: the upper half of YMM */
    unsigned imm;    /* the immediate */
};

typedef void block_op(struct block *k);

static inline void simd_run_blocks(struct cpu *cpu, const struct insn *in,
                                   union vec *a, const union vec *b,
                                   block_op *op)
{
    struct block k = {
        .size = in->op[0].kind == OPND_MM ? 8 : XMM_SIZE,
        .imm = (unsigned)in->imm & 0xff,
    };

    for (; k.number * XMM_SIZE < simd_size(in); k.number++) {
        unsigned at = k.number * XMM_SIZE;

        memcpy(&k.a, &a->u8[at], XMM_SIZE);
        memcpy(&k.b, &b->u8[at], XMM_SIZE);
        k.r = k.a;
        op(&k);
        memcpy(&a->u8[at], &k.r, XMM_SIZE);
    }
    simd_write(cpu, in, a);
}

/* Both sources; the result starts as the first. */
static inline void simd_blocks(struct cpu *cpu, const struct insn *in,
                               block_op *op)
{
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    simd_run_blocks(cpu, in, &a, &b, op);
}

/* One source: a and b are the same. */
static inline void simd_unary_blocks(struct cpu *cpu, const struct insn *in,
                                     block_op *op)
{
    union vec a;

    simd_read(cpu, in, simd_source(in), &a);
    simd_run_blocks(cpu, in, &a, &a, op);
}

/* op_<name> from `static void name(struct block *)`. */
#define BLOCKS(name)                                       \
    void op_##name(struct cpu *cpu, const struct insn *in) \
    {                                                      \
        simd_blocks(cpu, in, name);                        \
    }
#define UNARY_BLOCKS(name)                                 \
    void op_##name(struct cpu *cpu, const struct insn *in) \
    {                                                      \
        simd_unary_blocks(cpu, in, name);                  \
    }

/* Saturation. */
static inline int32_t clamp(int32_t v, int32_t low, int32_t high)
{
    if (v < low)
        return low;
    return v > high ? high : v;
}

static inline int32_t sat_s8(int32_t v)
{
    return clamp(v, INT8_MIN, INT8_MAX);
}

static inline int32_t sat_s16(int32_t v)
{
    return clamp(v, INT16_MIN, INT16_MAX);
}

static inline int32_t sat_u8(int32_t v)
{
    return clamp(v, 0, UINT8_MAX);
}

static inline int32_t sat_u16(int32_t v)
{
    return clamp(v, 0, UINT16_MAX);
}

#endif
