/*
 * What AVX and AVX2 add to moving lanes about (SDM vol. 1, 14.1.3 and 14.7):
 * broadcasts, permutations, blends, and 128-bit halves in and out.  What they
 * share with SSE is in simd_shuffle.c.
 */

#include <string.h>

#include "cpu/ops.h"
#include "cpu/simd.h"

enum { LANE = 16, LANE_WORDS = LANE / 4, LANE_QUADS = LANE / 8 };

/* --- broadcasts: the low n bytes of operand 1, all over --- */

static void broadcast(struct cpu *cpu, const struct insn *in, unsigned n)
{
    union vec v, r;

    simd_read(cpu, in, 1, &v);
    for (unsigned i = 0; i < in->vex_len; i += n)
        memcpy(&r.u8[i], v.u8, n);
    simd_write(cpu, in, &r);
}

void op_vbroadcast8(struct cpu *cpu, const struct insn *in)
{
    broadcast(cpu, in, 1);
}

void op_vbroadcast16(struct cpu *cpu, const struct insn *in)
{
    broadcast(cpu, in, 2);
}

void op_vbroadcast32(struct cpu *cpu, const struct insn *in)
{
    broadcast(cpu, in, 4);
}

void op_vbroadcast64(struct cpu *cpu, const struct insn *in)
{
    broadcast(cpu, in, 8);
}

void op_vbroadcast128(struct cpu *cpu, const struct insn *in)
{
    broadcast(cpu, in, LANE);
}

/* --- 128-bit halves --- */

/* VINSERTF128, VINSERTI128 */
void op_vinsert128(struct cpu *cpu, const struct insn *in)
{
    union vec a, b;

    simd_read(cpu, in, 2, &b);
    simd_read(cpu, in, 1, &a);
    memcpy(&a.u8[LANE * (in->imm & 1)], b.u8, LANE);
    simd_write(cpu, in, &a);
}

/* VEXTRACTF128, VEXTRACTI128 */
void op_vextract128(struct cpu *cpu, const struct insn *in)
{
    union vec v;

    simd_read(cpu, in, 1, &v);
    memmove(v.u8, &v.u8[LANE * (in->imm & 1)], LANE);
    simd_write_whole(cpu, in, &v);
}

/* VPERM2F128, VPERM2I128: bits 0..1 and 4..5 choose, bits 3 and 7 clear. */
void op_vperm2x128(struct cpu *cpu, const struct insn *in)
{
    union vec s[2], r = {.u64 = {0}};

    simd_read(cpu, in, 2, &s[1]);
    simd_read(cpu, in, 1, &s[0]);
    for (unsigned i = 0; i < 2; i++) {
        unsigned field = (unsigned)(in->imm >> (4 * i));

        if (!(field & 8))
            memcpy(&r.u8[LANE * i], &s[field >> 1 & 1].u8[LANE * (field & 1)],
                   LANE);
    }
    simd_write(cpu, in, &r);
}

/* --- within each lane --- */

void op_vpermilps_i(struct cpu *cpu, const struct insn *in)
{
    union vec v, r;

    simd_read(cpu, in, 1, &v);
    for (unsigned i = 0; i < in->vex_len / 4u; i++) {
        unsigned at = i % LANE_WORDS;

        r.u32[i] = v.u32[i - at + (in->imm >> (2 * at) & 3)];
    }
    simd_write(cpu, in, &r);
}

void op_vpermilpd_i(struct cpu *cpu, const struct insn *in)
{
    union vec v, r;

    simd_read(cpu, in, 1, &v);
    for (unsigned i = 0; i < in->vex_len / 8u; i++)
        r.u64[i] = v.u64[i - i % LANE_QUADS + (in->imm >> i & 1)];
    simd_write(cpu, in, &r);
}

void op_vpermilps(struct cpu *cpu, const struct insn *in)
{
    union vec v, control, r;

    simd_read_pair(cpu, in, &v, &control);
    for (unsigned i = 0; i < in->vex_len / 4u; i++)
        r.u32[i] = v.u32[i - i % LANE_WORDS + (control.u32[i] & 3)];
    simd_write(cpu, in, &r);
}

/* Here it is bit 1 of the control that counts. */
void op_vpermilpd(struct cpu *cpu, const struct insn *in)
{
    union vec v, control, r;

    simd_read_pair(cpu, in, &v, &control);
    for (unsigned i = 0; i < in->vex_len / 8u; i++)
        r.u64[i] = v.u64[i - i % LANE_QUADS + (control.u64[i] >> 1 & 1)];
    simd_write(cpu, in, &r);
}

/* --- across lanes --- */

/* VPERMQ, VPERMPD */
void op_vpermq_i(struct cpu *cpu, const struct insn *in)
{
    union vec v, r;

    simd_read(cpu, in, 1, &v);
    for (unsigned i = 0; i < 4; i++)
        r.u64[i] = v.u64[in->imm >> (2 * i) & 3];
    simd_write(cpu, in, &r);
}

/* VPERMD, VPERMPS: the first source is the control. */
void op_vpermd(struct cpu *cpu, const struct insn *in)
{
    union vec v, control, r;

    simd_read_pair(cpu, in, &control, &v);
    for (unsigned i = 0; i < 8; i++)
        r.u32[i] = v.u32[control.u32[i] & 7];
    simd_write(cpu, in, &r);
}

/* --- blends by a register; others are in simd_sse4.c --- */

/* Elements of n bytes: the top bit of operand 3's chooses. */
static void blend_by_sign(struct cpu *cpu, const struct insn *in, unsigned n)
{
    union vec a, b, mask;

    simd_read_pair(cpu, in, &a, &b);
    simd_read(cpu, in, 3, &mask);
    for (unsigned i = 0; i < in->vex_len; i += n)
        if (mask.u8[i + n - 1] & 0x80)
            memcpy(&a.u8[i], &b.u8[i], n);
    simd_write(cpu, in, &a);
}

void op_vpblendvb(struct cpu *cpu, const struct insn *in)
{
    blend_by_sign(cpu, in, 1);
}

void op_vblendvps(struct cpu *cpu, const struct insn *in)
{
    blend_by_sign(cpu, in, 4);
}

void op_vblendvpd(struct cpu *cpu, const struct insn *in)
{
    blend_by_sign(cpu, in, 8);
}
