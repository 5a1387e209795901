/*
 * SHA-1 and SHA-256 (FIPS 180-4; SDM vol. 2, SHA1RNDS4 and its kin).  Words of
 * SHA-1 are in a register from the highest lane down, those of SHA-256's
 * schedule from the lowest up.
 */

#include "cpu/ops.h"
#include "cpu/simd_lanes.h"

static uint32_t rotate_left(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static uint32_t rotate_right(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

/* FIPS 180-4, 4.1.1 and 4.1.2. */
static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (~x & z);
}

static uint32_t parity(uint32_t x, uint32_t y, uint32_t z)
{
    return x ^ y ^ z;
}

static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (x & z) ^ (y & z);
}

/* --- SHA-1 --- */

/* Twenty rounds each (4.1.1, 4.2.1). */
static const struct {
    uint32_t (*f)(uint32_t x, uint32_t y, uint32_t z);
    uint32_t constant;
} sha1_rounds[4] = {
    {choose, 0x5a827999},
    {parity, 0x6ed9eba1},
    {majority, 0x8f1bbcdc},
    {parity, 0xca62c1d6},
};

/* Four rounds.  E of the first is in the words already (SHA1NEXTE). */
static void sha1rnds4(struct block *k)
{
    uint32_t a = k->a.u32[3], b = k->a.u32[2], c = k->a.u32[1];
    uint32_t d = k->a.u32[0], e = 0;
    unsigned part = k->imm & 3;

    for (unsigned i = 0; i < 4; i++) {
        uint32_t sum = rotate_left(a, 5) + sha1_rounds[part].f(b, c, d) + e +
                       sha1_rounds[part].constant + k->b.u32[3 - i];

        e = d;
        d = c;
        c = rotate_left(b, 30);
        b = a;
        a = sum;
    }
    k->r = (union vec){.u32 = {d, c, b, a}};
}

/* E after four rounds is A of now, rotated. */
static void sha1nexte(struct block *k)
{
    k->r = k->b;
    k->r.u32[3] += rotate_left(k->a.u32[3], 30);
}

static void sha1msg1(struct block *k)
{
    k->r.u32[3] = k->a.u32[1] ^ k->a.u32[3];
    k->r.u32[2] = k->a.u32[0] ^ k->a.u32[2];
    k->r.u32[1] = k->b.u32[3] ^ k->a.u32[1];
    k->r.u32[0] = k->b.u32[2] ^ k->a.u32[0];
}

/* The last word needs the first of the four. */
static void sha1msg2(struct block *k)
{
    for (unsigned i = 3; i > 0; i--)
        k->r.u32[i] = rotate_left(k->a.u32[i] ^ k->b.u32[i - 1], 1);
    k->r.u32[0] = rotate_left(k->a.u32[0] ^ k->r.u32[3], 1);
}

BLOCKS(sha1rnds4)
BLOCKS(sha1nexte)
BLOCKS(sha1msg1)
BLOCKS(sha1msg2)

/* --- SHA-256: the sigmas of 4.1.2 --- */

static uint32_t big_sigma0(uint32_t x)
{
    return rotate_right(x, 2) ^ rotate_right(x, 13) ^ rotate_right(x, 22);
}

static uint32_t big_sigma1(uint32_t x)
{
    return rotate_right(x, 6) ^ rotate_right(x, 11) ^ rotate_right(x, 25);
}

static uint32_t sigma0(uint32_t x)
{
    return rotate_right(x, 7) ^ rotate_right(x, 18) ^ x >> 3;
}

static uint32_t sigma1(uint32_t x)
{
    return rotate_right(x, 17) ^ rotate_right(x, 19) ^ x >> 10;
}

/* Two rounds: ABEF is operand 1, CDGH operand 0, words plus constants are in
 * XMM0.  The result is the new ABEF; the old one is the new CDGH. */
void op_sha256rnds2(struct cpu *cpu, const struct insn *in)
{
    union vec cdgh, abef;
    uint32_t a, b, c, d, e, f, g, h;

    simd_read_pair(cpu, in, &cdgh, &abef);
    a = abef.u32[3], b = abef.u32[2], c = cdgh.u32[3], d = cdgh.u32[2];
    e = abef.u32[1], f = abef.u32[0], g = cdgh.u32[1], h = cdgh.u32[0];
    for (unsigned i = 0; i < 2; i++) {
        uint32_t sum = h + big_sigma1(e) + choose(e, f, g) + cpu->xmm[0].u32[i];
        uint32_t more = big_sigma0(a) + majority(a, b, c);

        h = g, g = f, f = e, e = d + sum;
        d = c, c = b, b = a, a = sum + more;
    }
    cdgh = (union vec){.u32 = {f, e, b, a}};
    simd_write(cpu, in, &cdgh);
}

static void sha256msg1(struct block *k)
{
    for (unsigned i = 0; i < 4; i++)
        k->r.u32[i] = k->a.u32[i] +
                      sigma0(i < 3 ? k->a.u32[i + 1] : k->b.u32[0]);
}

/* The last two words need the first two. */
static void sha256msg2(struct block *k)
{
    for (unsigned i = 0; i < 4; i++)
        k->r.u32[i] = k->a.u32[i] +
                      sigma1(i < 2 ? k->b.u32[i + 2] : k->r.u32[i - 2]);
}

BLOCKS(sha256msg1)
BLOCKS(sha256msg2)
