/*
 * Floating-point instructions of SSE3 and SSE4.1: sums of neighbours, dot
 * products, rounding to integers (SDM vol. 1, 12.3, 12.10.5, 12.10.6).
 */

#include "cpu/ops.h"
#include "cpu/simd_fp.h"

/* Odd lanes are added, even ones subtracted. */
static void add_subtract(struct cpu *cpu, const struct insn *in,
                         const struct sf_format *f)
{
    struct sf_env env = simd_fp_env(cpu);
    unsigned n = lane_size(f);
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < simd_size(in) / n; i++) {
        sf_binary *op = i & 1 ? sf_add : sf_sub;

        lane_set(&a, n, i, op(&env, f, lane_get(&a, n, i), lane_get(&b, n, i)));
    }
    simd_fp_finish(cpu, &env);
    simd_write(cpu, in, &a);
}

void op_addsubps(struct cpu *cpu, const struct insn *in)
{
    add_subtract(cpu, in, &sf_single);
}

void op_addsubpd(struct cpu *cpu, const struct insn *in)
{
    add_subtract(cpu, in, &sf_double);
}

/* In each block of 16 bytes: neighbours of the first source, then those of the
 * second. */
static void horizontal(struct cpu *cpu, const struct insn *in,
                       const struct sf_format *f, sf_binary *op)
{
    struct sf_env env = simd_fp_env(cpu);
    unsigned n = lane_size(f), lanes = XMM_SIZE / n;
    union vec a, b, r;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < simd_size(in) / n; i++) {
        unsigned block = i & ~(lanes - 1), in_block = i & (lanes - 1);
        const union vec *from = in_block < lanes / 2 ? &a : &b;
        unsigned pair = block + 2 * (in_block & (lanes / 2 - 1));

        lane_set(
            &r, n, i,
            op(&env, f, lane_get(from, n, pair), lane_get(from, n, pair + 1)));
    }
    simd_fp_finish(cpu, &env);
    simd_write(cpu, in, &r);
}

void op_haddps(struct cpu *cpu, const struct insn *in)
{
    horizontal(cpu, in, &sf_single, sf_add);
}

void op_haddpd(struct cpu *cpu, const struct insn *in)
{
    horizontal(cpu, in, &sf_double, sf_add);
}

void op_hsubps(struct cpu *cpu, const struct insn *in)
{
    horizontal(cpu, in, &sf_single, sf_sub);
}

void op_hsubpd(struct cpu *cpu, const struct insn *in)
{
    horizontal(cpu, in, &sf_double, sf_sub);
}

/*
 * Bits 7:4 of the immediate choose the products of a block, the others count
 * as +0; bits 3:0 choose where the sum goes.  Products are added in pairs, then
 * the pairs.  Each step, which both blocks of a YMM register take together,
 * ends the instruction if it has an unmasked exception, so later ones do not
 * set their flags (SDM vol. 2, DPPS).
 */
static void dot_products(struct cpu *cpu, const struct insn *in,
                         const struct sf_format *f)
{
    struct sf_env env = simd_fp_env(cpu);
    unsigned n = lane_size(f), lanes = XMM_SIZE / n, count = simd_size(in) / n;
    union vec a, b, r;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < count; i++) {
        bool chosen = in->imm >> (4 + i % lanes) & 1;

        lane_set(&a, n, i,
                 chosen
                     ? sf_mul(&env, f, lane_get(&a, n, i), lane_get(&b, n, i))
                     : 0);
    }
    simd_fp_finish(cpu, &env);
    for (unsigned pairs = lanes / 2; pairs > 0; pairs /= 2) {
        for (unsigned i = 0; i < count; i++) {
            unsigned pair = i + i % lanes;

            if (i % lanes < pairs)
                lane_set(&a, n, i,
                         sf_add(&env, f, lane_get(&a, n, pair),
                                lane_get(&a, n, pair + 1)));
        }
        simd_fp_finish(cpu, &env);
    }
    for (unsigned i = 0; i < count; i++)
        lane_set(&r, n, i,
                 in->imm >> i % lanes & 1 ? lane_get(&a, n, i - i % lanes) : 0);
    simd_write(cpu, in, &r);
}

void op_dpps(struct cpu *cpu, const struct insn *in)
{
    dot_products(cpu, in, &sf_single);
}

void op_dppd(struct cpu *cpu, const struct insn *in)
{
    dot_products(cpu, in, &sf_double);
}

/* The immediate of ROUNDPS: bits 1:0 are the mode, unless bit 2 takes MXCSR's;
 * bit 3 keeps inexact results quiet. */
enum { ROUND_BY_MXCSR = 1 << 2, ROUND_QUIET = 1 << 3 };

static void round_lanes(struct cpu *cpu, const struct insn *in,
                        const struct sf_format *f)
{
    struct sf_env env = simd_fp_env(cpu);
    enum softnum_round mode = in->imm & ROUND_BY_MXCSR
                                  ? env.round
                                  : (enum softnum_round)(in->imm & 3);
    unsigned n = lane_size(f);
    union vec v;

    simd_read(cpu, in, simd_source(in), &v);
    for (unsigned i = 0; i < in->op[0].size / n; i++)
        lane_set(&v, n, i, sf_round_to_int(&env, f, lane_get(&v, n, i), mode));
    if (in->imm & ROUND_QUIET)
        env.flags &= (uint8_t)~SF_INEXACT;
    simd_fp_finish(cpu, &env);
    simd_write(cpu, in, &v);
}

/* ROUNDSS too */
void op_roundps(struct cpu *cpu, const struct insn *in)
{
    round_lanes(cpu, in, &sf_single);
}

/* ROUNDSD too */
void op_roundpd(struct cpu *cpu, const struct insn *in)
{
    round_lanes(cpu, in, &sf_double);
}
