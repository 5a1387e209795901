/*
 * Floating point that only VEX has: fused multiply-add (FMA; SDM vol. 1, 14.5)
 * and half-precision numbers (F16C; 14.4).
 */

#include "cpu/guest.h"
#include "cpu/ops.h"
#include "cpu/simd_fp.h"

/* --- fused multiply-add --- */

/* What is negated in even and in odd lanes. */
struct fma_signs {
    uint8_t lane[2];
};

/* The name says which operand is which: VFMADD132 is op1 * op3 + op2, counted
 * from 1; VFMADD213 and VFMADD231 the same.  High digits of the opcode are 9,
 * A and B. */
static const uint8_t *fma_order(const struct insn *in)
{
    static const uint8_t orders[3][3] = {{0, 2, 1}, {1, 0, 2}, {1, 2, 0}};

    return orders[(in->code >> 4) - 9];
}

static void fused(struct cpu *cpu, const struct insn *in,
                  const struct sf_format *f, struct fma_signs negate)
{
    const uint8_t *o = fma_order(in);
    struct sf_env env = simd_fp_env(cpu);
    unsigned n = lane_size(f);
    union vec v[3], r;

    for (unsigned i = 3; i-- > 0;)
        simd_read(cpu, in, i, &v[i]);
    for (unsigned i = 0; i < in->op[0].size / n; i++)
        lane_set(&r, n, i,
                 sf_fma(&env, f, lane_get(&v[o[0]], n, i),
                        lane_get(&v[o[1]], n, i), lane_get(&v[o[2]], n, i),
                        negate.lane[i & 1]));
    simd_fp_finish(cpu, &env);
    simd_write(cpu, in, &r);
}

#define FUSED(name, even, odd)                                       \
    void op_##name##f32(struct cpu *cpu, const struct insn *in)      \
    {                                                                \
        fused(cpu, in, &sf_single, (struct fma_signs){{even, odd}}); \
    }                                                                \
    void op_##name##f64(struct cpu *cpu, const struct insn *in)      \
    {                                                                \
        fused(cpu, in, &sf_double, (struct fma_signs){{even, odd}}); \
    }

FUSED(vfmadd, 0, 0)
FUSED(vfmsub, SF_NEGATE_ADDEND, SF_NEGATE_ADDEND)
FUSED(vfnmadd, SF_NEGATE_PRODUCT, SF_NEGATE_PRODUCT)
FUSED(vfnmsub, SF_NEGATE_PRODUCT | SF_NEGATE_ADDEND,
      SF_NEGATE_PRODUCT | SF_NEGATE_ADDEND)
FUSED(vfmaddsub, SF_NEGATE_ADDEND, 0)
FUSED(vfmsubadd, 0, SF_NEGATE_ADDEND)

/* --- half precision --- */

/* DAZ does not apply to denormal halves, nor are they reported. */
void op_vcvtph2ps(struct cpu *cpu, const struct insn *in)
{
    struct sf_env env = simd_fp_env(cpu);
    union vec v, r;

    simd_read(cpu, in, 1, &v);
    env.daz = false;
    for (unsigned i = 0; i < in->vex_len / 4u; i++)
        r.u32[i] = (uint32_t)sf_convert(&env, &sf_half, &sf_single, v.u16[i]);
    env.flags &= (uint8_t)~SF_DENORMAL;
    simd_fp_finish(cpu, &env);
    simd_write(cpu, in, &r);
}

/* Bit 2 of the immediate: round as MXCSR says, else as bits 0..1 say.  FTZ
 * does not apply.  What may fault comes before flags are set. */
void op_vcvtps2ph(struct cpu *cpu, const struct insn *in)
{
    struct sf_env env = simd_fp_env(cpu);
    union vec v, r = {.u64 = {0}};

    if (in->op[0].kind == OPND_MEM)
        guest_probe_store(cpu, in->seg, guest_address(cpu, in), in->op[0].size);
    simd_read(cpu, in, 1, &v);
    env.ftz = false;
    if (!(in->imm & 4))
        env.round = in->imm & 3;
    for (unsigned i = 0; i < in->vex_len / 4u; i++)
        r.u16[i] = (uint16_t)sf_convert(&env, &sf_single, &sf_half, v.u32[i]);
    simd_fp_finish(cpu, &env);
    simd_write_whole(cpu, in, &r);
}
