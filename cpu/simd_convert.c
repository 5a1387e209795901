/*
 * Conversions between integers, single and double numbers (SDM vol. 1, 11.4.1.5
 * and 11.4.2.3; exceptions: 11.5.2).  The size of the source says how many
 * lanes there are; what they do not fill of the destination becomes zero.
 */

#include "base/bits.h"
#include "cpu/fpu.h"
#include "cpu/ops.h"
#include "cpu/simd_fp.h"

/* An instruction with an MMX register enters MMX state even if it raises #XM
 * (tried on AMD's). */
static void finish(struct cpu *cpu, const struct insn *in,
                   const struct sf_env *env)
{
    if (in->op[0].kind == OPND_MM || in->op[1].kind == OPND_MM)
        fpu_enter_mmx(&cpu->fpu);
    simd_fp_finish(cpu, env);
}

/* From integers of n bytes. */
static void from_int(struct cpu *cpu, const struct insn *in, unsigned n,
                     const struct sf_format *f)
{
    struct sf_env env = simd_fp_env(cpu);
    unsigned source = simd_source(in);
    union vec v, r = {.u64 = {0}};

    simd_read(cpu, in, source, &v);
    for (unsigned i = 0; i < in->op[source].size / n; i++) {
        uint64_t x = bits_sext(lane_get(&v, n, i), 8 * n);

        lane_set(&r, lane_size(f), i, sf_from_int(&env, f, (int64_t)x));
    }
    finish(cpu, in, &env);
    simd_write(cpu, in, &r);
}

/* CVTDQ2PS, CVTPI2PS */
void op_cvt_i32f32(struct cpu *cpu, const struct insn *in)
{
    from_int(cpu, in, 4, &sf_single);
}

/* CVTDQ2PD, CVTPI2PD */
void op_cvt_i32f64(struct cpu *cpu, const struct insn *in)
{
    from_int(cpu, in, 4, &sf_double);
}

/* CVTSI2SS, CVTSI2SD: one integer of either size. */
void op_cvt_si_f32(struct cpu *cpu, const struct insn *in)
{
    from_int(cpu, in, in->op[simd_source(in)].size, &sf_single);
}

void op_cvt_si_f64(struct cpu *cpu, const struct insn *in)
{
    from_int(cpu, in, in->op[simd_source(in)].size, &sf_double);
}

/* To a general register of either size, or to lanes of 4 bytes. */
static void to_int(struct cpu *cpu, const struct insn *in,
                   const struct sf_format *f, struct sf_env env)
{
    unsigned n = in->op[0].kind == OPND_GPR ? in->op[0].size : 4;
    union vec v, r = {.u64 = {0}};

    simd_read(cpu, in, 1, &v);
    for (unsigned i = 0; i < in->op[1].size / lane_size(f); i++) {
        uint64_t x = lane_get(&v, lane_size(f), i);

        lane_set(&r, n, i, sf_to_int(&env, f, x, n, env.round));
    }
    finish(cpu, in, &env);
    simd_write(cpu, in, &r);
}

static struct sf_env truncating(const struct cpu *cpu)
{
    struct sf_env env = simd_fp_env(cpu);

    env.round = ROUND_ZERO;
    return env;
}

/* CVTPS2DQ, CVTPS2PI, CVTSS2SI */
void op_cvt_f32i(struct cpu *cpu, const struct insn *in)
{
    to_int(cpu, in, &sf_single, simd_fp_env(cpu));
}

/* CVTPD2DQ, CVTPD2PI, CVTSD2SI */
void op_cvt_f64i(struct cpu *cpu, const struct insn *in)
{
    to_int(cpu, in, &sf_double, simd_fp_env(cpu));
}

/* The same with truncation: CVTTPS2DQ, ... */
void op_cvtt_f32i(struct cpu *cpu, const struct insn *in)
{
    to_int(cpu, in, &sf_single, truncating(cpu));
}

void op_cvtt_f64i(struct cpu *cpu, const struct insn *in)
{
    to_int(cpu, in, &sf_double, truncating(cpu));
}

static void between(struct cpu *cpu, const struct insn *in,
                    const struct sf_format *from, const struct sf_format *to)
{
    struct sf_env env = simd_fp_env(cpu);
    unsigned n = lane_size(from), source = simd_source(in);
    union vec v, r = {.u64 = {0}};

    simd_read(cpu, in, source, &v);
    for (unsigned i = 0; i < in->op[source].size / n; i++)
        lane_set(&r, lane_size(to), i,
                 sf_convert(&env, from, to, lane_get(&v, n, i)));
    finish(cpu, in, &env);
    simd_write(cpu, in, &r);
}

/* CVTPS2PD, CVTSS2SD */
void op_cvt_f32f64(struct cpu *cpu, const struct insn *in)
{
    between(cpu, in, &sf_single, &sf_double);
}

/* CVTPD2PS, CVTSD2SS */
void op_cvt_f64f32(struct cpu *cpu, const struct insn *in)
{
    between(cpu, in, &sf_double, &sf_single);
}
