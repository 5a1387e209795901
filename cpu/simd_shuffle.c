/*
 * Packing, unpacking, shuffling, and single words in and out (SDM vol. 1,
 * 9.4.4, 9.4.5, 10.4.1.2, 10.4.4, 11.4.1.4, 11.4.2.2).
 */

#include <string.h>

#include "cpu/ops.h"
#include "cpu/simd.h"

/* Lanes of operands 0 and 1 in turn, from byte `from` of each on. */
static inline void unpack(struct cpu *cpu, const struct insn *in, unsigned lane,
                          unsigned from)
{
    union vec a, b, r;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < in->op[0].size / 2u; i += lane) {
        memcpy(&r.u8[2 * i], &a.u8[from + i], lane);
        memcpy(&r.u8[2 * i + lane], &b.u8[from + i], lane);
    }
    simd_write(cpu, in, &r);
}

#define UNPACK(suffix, lane)                                        \
    void op_punpckl##suffix(struct cpu *cpu, const struct insn *in) \
    {                                                               \
        unpack(cpu, in, lane, 0);                                   \
    }                                                               \
    void op_punpckh##suffix(struct cpu *cpu, const struct insn *in) \
    {                                                               \
        unpack(cpu, in, lane, in->op[0].size / 2);                  \
    }

UNPACK(bw, 1)
UNPACK(wd, 2)
UNPACK(dq, 4)
UNPACK(qdq, 8)

/* Lanes of operand 0, then those of operand 1, as signed numbers, each cut to
 * [low, high] and to half its width. */
#define PACK(name, bits, half, low, high)                                 \
    void op_##name(struct cpu *cpu, const struct insn *in)                \
    {                                                                     \
        unsigned n = in->op[0].size * 8u / (bits);                        \
        union vec a, b, r;                                                \
                                                                          \
        simd_read_pair(cpu, in, &a, &b);                                  \
        for (unsigned i = 0; i < 2 * n; i++) {                            \
            int##bits##_t v =                                             \
                (int##bits##_t)(i < n ? a.u##bits[i] : b.u##bits[i - n]); \
                                                                          \
            v = v < (low) ? (low) : v;                                    \
            r.u##half[i] = (uint##half##_t)(v > (high) ? (high) : v);     \
        }                                                                 \
        simd_write(cpu, in, &r);                                          \
    }

PACK(packsswb, 16, 8, INT8_MIN, INT8_MAX)
PACK(packuswb, 16, 8, 0, UINT8_MAX)
PACK(packssdw, 32, 16, INT16_MIN, INT16_MAX)

/* Field i of the immediate: which of four. */
static unsigned choice(const struct insn *in, unsigned i)
{
    return (unsigned)(in->imm >> (2 * i)) & 3;
}

void op_pshufd(struct cpu *cpu, const struct insn *in)
{
    union vec v, r;

    simd_read(cpu, in, 1, &v);
    for (unsigned i = 0; i < 4; i++)
        r.u32[i] = v.u32[choice(in, i)];
    simd_write(cpu, in, &r);
}

/* Shuffles the four words from word `from` on. */
static void shuffle_words(struct cpu *cpu, const struct insn *in, unsigned from)
{
    union vec v, r;

    simd_read(cpu, in, 1, &v);
    r = v;
    for (unsigned i = 0; i < 4; i++)
        r.u16[from + i] = v.u16[from + choice(in, i)];
    simd_write(cpu, in, &r);
}

void op_pshuflw(struct cpu *cpu, const struct insn *in) /* PSHUFW too */
{
    shuffle_words(cpu, in, 0);
}

void op_pshufhw(struct cpu *cpu, const struct insn *in)
{
    shuffle_words(cpu, in, 4);
}

void op_shufps(struct cpu *cpu, const struct insn *in)
{
    union vec a, b, r;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < 4; i++)
        r.u32[i] = i < 2 ? a.u32[choice(in, i)] : b.u32[choice(in, i)];
    simd_write(cpu, in, &r);
}

void op_shufpd(struct cpu *cpu, const struct insn *in)
{
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    a.u64[0] = a.u64[in->imm & 1];
    a.u64[1] = b.u64[in->imm >> 1 & 1];
    simd_write(cpu, in, &a);
}

/* Words have numbers modulo the words that the register holds. */
static unsigned word_index(const struct insn *in, unsigned i)
{
    return (unsigned)in->imm & (in->op[i].size / 2u - 1);
}

void op_pinsrw(struct cpu *cpu, const struct insn *in)
{
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    a.u16[word_index(in, 0)] = b.u16[0];
    simd_write(cpu, in, &a);
}

void op_pextrw(struct cpu *cpu, const struct insn *in)
{
    union vec v, word = {.u64 = {0}};

    simd_read(cpu, in, 1, &v);
    word.u16[0] = v.u16[word_index(in, 1)];
    simd_write(cpu, in, &word);
}
