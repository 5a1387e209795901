/*
 * GFNI, and the multiplication of polynomials, PCLMULQDQ (SDM vol. 2,
 * GF2P8AFFINEINVQB, GF2P8AFFINEQB, GF2P8MULB, PCLMULQDQ).
 */

#include "cpu/gf256.h"
#include "cpu/ops.h"
#include "cpu/simd_lanes.h"

LANES(8, gf2p8mulb, gf_multiply(x, y))

/* Each quadword of the second source is the matrix for eight bytes. */
static void gf2p8affineqb(struct block *k)
{
    for (unsigned i = 0; i < XMM_SIZE; i++)
        k->r.u8[i] =
            (uint8_t)(gf_transform(k->b.u64[i / 8], k->a.u8[i]) ^ k->imm);
}

static void gf2p8affineinvqb(struct block *k)
{
    for (unsigned i = 0; i < XMM_SIZE; i++)
        k->a.u8[i] = gf_inverse[k->a.u8[i]];
    gf2p8affineqb(k);
}

BLOCKS(gf2p8affineqb)
BLOCKS(gf2p8affineinvqb)

/* Bits 0 and 4 of the immediate choose a quadword of each. */
static void pclmulqdq(struct block *k)
{
    uint64_t a = k->a.u64[k->imm & 1], b = k->b.u64[k->imm >> 4 & 1];
    uint64_t low = 0, high = 0;

    for (unsigned i = 0; i < 64; i++) {
        if (!(b >> i & 1))
            continue;
        low ^= a << i;
        high ^= i ? a >> (64 - i) : 0;
    }
    k->r.u64[0] = low;
    k->r.u64[1] = high;
}

BLOCKS(pclmulqdq)
