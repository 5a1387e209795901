/*
 * AES (FIPS 197; SDM vol. 2, AESENC and its kin).  A block is the state, column
 * by column: byte i is in row i % 4 and column i / 4.
 */

#include "cpu/gf256.h"
#include "cpu/ops.h"
#include "cpu/simd_lanes.h"

/* The S-box: the inverse, then a transformation of bits (FIPS 197, 5.1.1); and
 * its inverse (5.3.2). */
#define SBOX_MATRIX 0xf1e3c78f1f3e7cf8
#define INV_SBOX_MATRIX 0xa44992254a942952
enum { SBOX_CONSTANT = 0x63, INV_SBOX_CONSTANT = 0x05 };

static uint8_t substitute(uint8_t x)
{
    return gf_transform(SBOX_MATRIX, gf_inverse[x]) ^ SBOX_CONSTANT;
}

static uint8_t inv_substitute(uint8_t x)
{
    return gf_inverse[gf_transform(INV_SBOX_MATRIX, x) ^ INV_SBOX_CONSTANT];
}

/* ShiftRows and SubBytes: row r comes from r columns further on. */
static void shift_and_substitute(struct block *k)
{
    for (unsigned i = 0; i < XMM_SIZE; i++)
        k->r.u8[i] = substitute(k->a.u8[(i + 4 * (i % 4)) % XMM_SIZE]);
}

static void inv_shift_and_substitute(struct block *k)
{
    for (unsigned i = 0; i < XMM_SIZE; i++)
        k->r.u8[i] = inv_substitute(k->a.u8[(i + 12 * (i % 4)) % XMM_SIZE]);
}

/* Each column by a polynomial: row r of the product has factor[j] of row
 * r + j. */
static void mix_columns(union vec *v, const uint8_t factor[4])
{
    union vec r = {.u64 = {0}};

    for (unsigned i = 0; i < XMM_SIZE; i++)
        for (unsigned j = 0; j < 4; j++)
            r.u8[i] ^= gf_multiply(factor[j], v->u8[(i & ~3u) | ((i + j) & 3)]);
    *v = r;
}

static const uint8_t mix[4] = {2, 3, 1, 1};        /* FIPS 197, 5.1.3 */
static const uint8_t inv_mix[4] = {14, 11, 13, 9}; /* 5.3.3 */

static void add_round_key(struct block *k)
{
    k->r.u64[0] ^= k->b.u64[0];
    k->r.u64[1] ^= k->b.u64[1];
}

static void aesenc(struct block *k)
{
    shift_and_substitute(k);
    mix_columns(&k->r, mix);
    add_round_key(k);
}

static void aesenclast(struct block *k)
{
    shift_and_substitute(k);
    add_round_key(k);
}

static void aesdec(struct block *k)
{
    inv_shift_and_substitute(k);
    mix_columns(&k->r, inv_mix);
    add_round_key(k);
}

static void aesdeclast(struct block *k)
{
    inv_shift_and_substitute(k);
    add_round_key(k);
}

static void aesimc(struct block *k)
{
    mix_columns(&k->r, inv_mix);
}

/* Words 1 and 3, substituted; then the same rotated, with the round constant
 * (FIPS 197, 5.2). */
static void aeskeygenassist(struct block *k)
{
    for (unsigned word = 0; word < 4; word += 2) {
        for (unsigned i = 0; i < 4; i++) {
            uint8_t s = substitute(k->a.u8[4 * word + 4 + i]);

            k->r.u8[4 * word + i] = s;
            k->r.u8[4 * word + 4 + (i + 3) % 4] = s;
        }
        k->r.u8[4 * word + 4] ^= (uint8_t)k->imm;
    }
}

BLOCKS(aesenc)
BLOCKS(aesenclast)
BLOCKS(aesdec)
BLOCKS(aesdeclast)
UNARY_BLOCKS(aesimc)
UNARY_BLOCKS(aeskeygenassist)
