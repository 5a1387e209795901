/*
 * Packing, unpacking, shuffling, and single words in and out (SDM vol. 1,
 * 9.4.4, 9.4.5, 10.4.1.2, 10.4.4, 11.4.1.4, 11.4.2.2, 12.10.10).
 */

#include "cpu/ops.h"
#include "cpu/simd_lanes.h"

/* Lanes of both sources in turn, from byte `from` of each on. */
static inline void unpack(struct block *k, unsigned lane, unsigned from)
{
    for (unsigned i = 0; i < k->size / 2; i += lane) {
        memcpy(&k->r.u8[2 * i], &k->a.u8[from + i], lane);
        memcpy(&k->r.u8[2 * i + lane], &k->b.u8[from + i], lane);
    }
}

#define UNPACK(suffix, lane)                     \
    static void punpckl##suffix(struct block *k) \
    {                                            \
        unpack(k, lane, 0);                      \
    }                                            \
    static void punpckh##suffix(struct block *k) \
    {                                            \
        unpack(k, lane, k->size / 2);            \
    }                                            \
    BLOCKS(punpckl##suffix)                      \
    BLOCKS(punpckh##suffix)

UNPACK(bw, 1)
UNPACK(wd, 2)
UNPACK(dq, 4)
UNPACK(qdq, 8)

/* Lanes of the first source, then those of the second, as signed numbers, each
 * cut to [low, high] and to half its width. */
#define PACK(name, bits, half, low, high)                                     \
    static void name(struct block *k)                                         \
    {                                                                         \
        unsigned n = k->size * 8 / (bits);                                    \
                                                                              \
        for (unsigned i = 0; i < 2 * n; i++) {                                \
            uint##bits##_t x = i < n ? k->a.u##bits[i] : k->b.u##bits[i - n]; \
            int##bits##_t v = (int##bits##_t)x;                               \
                                                                              \
            v = v < (low) ? (low) : v;                                        \
            k->r.u##half[i] = (uint##half##_t)(v > (high) ? (high) : v);      \
        }                                                                     \
    }                                                                         \
    BLOCKS(name)

PACK(packsswb, 16, 8, INT8_MIN, INT8_MAX)
PACK(packuswb, 16, 8, 0, UINT8_MAX)
PACK(packssdw, 32, 16, INT16_MIN, INT16_MAX)
PACK(packusdw, 32, 16, 0, UINT16_MAX)

/* Field i of the immediate: which of four. */
static unsigned choice(const struct block *k, unsigned i)
{
    return k->imm >> (2 * i) & 3;
}

static void pshufd(struct block *k)
{
    for (unsigned i = 0; i < 4; i++)
        k->r.u32[i] = k->a.u32[choice(k, i)];
}

UNARY_BLOCKS(pshufd)

/* Shuffles the four words from word `from` on. */
static void shuffle_words(struct block *k, unsigned from)
{
    for (unsigned i = 0; i < 4; i++)
        k->r.u16[from + i] = k->a.u16[from + choice(k, i)];
}

static void pshuflw(struct block *k) /* PSHUFW too */
{
    shuffle_words(k, 0);
}

static void pshufhw(struct block *k)
{
    shuffle_words(k, 4);
}

UNARY_BLOCKS(pshuflw)
UNARY_BLOCKS(pshufhw)

static void shufps(struct block *k)
{
    for (unsigned i = 0; i < 4; i++)
        k->r.u32[i] = i < 2 ? k->a.u32[choice(k, i)] : k->b.u32[choice(k, i)];
}

/* Two bits of the immediate a block. */
static void shufpd(struct block *k)
{
    unsigned bits = k->imm >> (2 * k->number);

    k->r.u64[0] = k->a.u64[bits & 1];
    k->r.u64[1] = k->b.u64[bits >> 1 & 1];
}

BLOCKS(shufps)
BLOCKS(shufpd)

/* PINSRx: lanes have numbers modulo those that the register holds. */
#define INSERT(name, bits)                                                    \
    void op_##name(struct cpu *cpu, const struct insn *in)                    \
    {                                                                         \
        unsigned lane = (unsigned)in->imm & (in->op[0].size * 8u / (bits)-1); \
        union vec a, b;                                                       \
                                                                              \
        simd_read_pair(cpu, in, &a, &b);                                      \
        a.u##bits[lane] = b.u##bits[0];                                       \
        simd_write(cpu, in, &a);                                              \
    }

/* PEXTRx: the rest of a general register becomes zero. */
#define EXTRACT(name, bits)                                                   \
    void op_##name(struct cpu *cpu, const struct insn *in)                    \
    {                                                                         \
        unsigned lane = (unsigned)in->imm & (in->op[1].size * 8u / (bits)-1); \
        union vec v, r = {.u64 = {0}};                                        \
                                                                              \
        simd_read(cpu, in, 1, &v);                                            \
        r.u##bits[0] = v.u##bits[lane];                                       \
        simd_write(cpu, in, &r);                                              \
    }

INSERT(pinsrb, 8)
INSERT(pinsrw, 16)
INSERT(pinsrd, 32)
INSERT(pinsrq, 64)
EXTRACT(pextrb, 8)
EXTRACT(pextrw, 16)
EXTRACT(pextrd, 32) /* EXTRACTPS too */
EXTRACT(pextrq, 64)
