/*
 * Floating-point arithmetic and comparison (SDM vol. 1, 10.4.1, 10.4.2, 11.4.1,
 * 14.2).  Packed and scalar instructions share bodies: the size of the operands
 * says how many lanes there are.
 */

#include "cpu/simd_fp.h"

#include "cpu/fault.h"
#include "cpu/ops.h"
#include "cpu/simd_host.h"

struct sf_env simd_fp_env(const struct cpu *cpu)
{
    uint32_t m = cpu->mxcsr;

    return (struct sf_env){
        .round = m >> MXCSR_RC_SHIFT & 3,
        .daz = m & MXCSR_DAZ,
        .ftz = m & MXCSR_FTZ,
        .unmasked = (uint8_t)(~(m >> MXCSR_MASK_SHIFT) & SF_ALL),
    };
}

/* What is found before the operation, in any lane, keeps all lanes from being
 * computed (SDM vol. 1, 11.5.3.2): flags of results are not set then. */
void simd_fp_finish(struct cpu *cpu, const struct sf_env *env)
{
    unsigned flags = env->flags;

    if (flags & env->unmasked & SF_PRE)
        flags &= SF_PRE;
    cpu->mxcsr |= flags;
    if (likely(!(flags & env->unmasked)))
        return;
    cpu_raise(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
}

void simd_set_mxcsr(struct cpu *cpu, uint32_t v)
{
    uint32_t masks = (uint32_t)SF_ALL << MXCSR_MASK_SHIFT | MXCSR_MM;
    bool changed = (cpu->mxcsr ^ v) & masks;

    cpu->mxcsr = v;
    if (changed)
        cpu_update_mode(cpu); /* MODE_SSE_EXC, MODE_SSE_ODD */
}

static void binary(struct cpu *cpu, const struct insn *in,
                   const struct sf_format *f, sf_binary *op)
{
    struct sf_env env = simd_fp_env(cpu);
    unsigned n = lane_size(f);
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < in->op[0].size / n; i++)
        lane_set(&a, n, i, op(&env, f, lane_get(&a, n, i), lane_get(&b, n, i)));
    simd_fp_finish(cpu, &env);
    simd_write(cpu, in, &a);
}

#define BINARY(op)                                            \
    void op_##op##f32(struct cpu *cpu, const struct insn *in) \
    {                                                         \
        binary(cpu, in, &sf_single, sf_##op);                 \
    }                                                         \
    void op_##op##f64(struct cpu *cpu, const struct insn *in) \
    {                                                         \
        binary(cpu, in, &sf_double, sf_##op);                 \
    }

BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(min)
BINARY(max)

static void square_root(struct cpu *cpu, const struct insn *in,
                        const struct sf_format *f)
{
    struct sf_env env = simd_fp_env(cpu);
    unsigned n = lane_size(f);
    union vec v;

    simd_read(cpu, in, simd_source(in), &v);
    for (unsigned i = 0; i < in->op[0].size / n; i++)
        lane_set(&v, n, i, sf_sqrt(&env, f, lane_get(&v, n, i)));
    simd_fp_finish(cpu, &env);
    simd_write(cpu, in, &v);
}

void op_sqrtf32(struct cpu *cpu, const struct insn *in)
{
    square_root(cpu, in, &sf_single);
}

void op_sqrtf64(struct cpu *cpu, const struct insn *in)
{
    square_root(cpu, in, &sf_double);
}

static void approximate(struct cpu *cpu, const struct insn *in,
                        bool (*by_host)(uint32_t *v),
                        uint64_t (*by_us)(const struct sf_format *f,
                                          uint64_t a))
{
    union vec v;

    simd_read(cpu, in, simd_source(in), &v);
    for (unsigned i = 0; i < in->op[0].size / 4; i++)
        if (!by_host(&v.u32[i]))
            v.u32[i] = (uint32_t)by_us(&sf_single, v.u32[i]);
    simd_write(cpu, in, &v);
}

void op_rcpf32(struct cpu *cpu, const struct insn *in)
{
    approximate(cpu, in, simd_host_rcp, sf_rcp12);
}

void op_rsqrtf32(struct cpu *cpu, const struct insn *in)
{
    approximate(cpu, in, simd_host_rsqrt, sf_rsqrt12);
}

/* Predicates of CMPPS by the low four bits of the immediate (SDM vol. 2, table
 * 3-1): for which orders they hold, and whether a quiet NaN is invalid. */
#define HOLDS(order) (1 << ((order) + 1)) /* SF_LESS is -1 */
enum {
    LT = HOLDS(SF_LESS),
    EQ = HOLDS(SF_EQUAL),
    GT = HOLDS(SF_GREATER),
    UN = HOLDS(SF_UNORDERED),
};
static const struct predicate {
    uint8_t holds;
    bool signals;
} predicates[16] = {
    {EQ, false},                /* EQ_OQ */
    {LT, true},                 /* LT_OS */
    {LT | EQ, true},            /* LE_OS */
    {UN, false},                /* UNORD_Q */
    {LT | GT | UN, false},      /* NEQ_UQ */
    {EQ | GT | UN, true},       /* NLT_US */
    {GT | UN, true},            /* NLE_US */
    {LT | EQ | GT, false},      /* ORD_Q */
    {EQ | UN, false},           /* EQ_UQ; this one and the rest: VEX only */
    {LT | UN, true},            /* NGE_US */
    {LT | EQ | UN, true},       /* NGT_US */
    {0, false},                 /* FALSE_OQ */
    {LT | GT, false},           /* NEQ_OQ */
    {EQ | GT, true},            /* GE_OS */
    {GT, true},                 /* GT_OS */
    {LT | EQ | GT | UN, false}, /* TRUE_UQ */
};

/* Bit 4 swaps the signalling and the quiet kind. */
static struct predicate predicate(const struct insn *in)
{
    struct predicate p = predicates[in->imm & (in->vex_len ? 15 : 7)];

    if (in->vex_len && in->imm & 16)
        p.signals = !p.signals;
    return p;
}

static void compare(struct cpu *cpu, const struct insn *in,
                    const struct sf_format *f)
{
    struct predicate p = predicate(in);
    struct sf_env env = simd_fp_env(cpu);
    unsigned n = lane_size(f);
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    for (unsigned i = 0; i < in->op[0].size / n; i++) {
        enum sf_order order = sf_compare(&env, f, lane_get(&a, n, i),
                                         lane_get(&b, n, i), p.signals);

        lane_set(&a, n, i, p.holds & HOLDS(order) ? UINT64_MAX : 0);
    }
    simd_fp_finish(cpu, &env);
    simd_write(cpu, in, &a);
}

void op_cmpf32(struct cpu *cpu, const struct insn *in)
{
    compare(cpu, in, &sf_single);
}

void op_cmpf64(struct cpu *cpu, const struct insn *in)
{
    compare(cpu, in, &sf_double);
}

/* ZF, PF and CF say how the scalars compare (SDM vol. 2, COMISS). */
static uint32_t order_flags(enum sf_order order)
{
    switch (order) {
    case SF_LESS: return FLAG_CF;
    case SF_EQUAL: return FLAG_ZF;
    case SF_GREATER: return 0;
    case SF_UNORDERED: break;
    }
    return FLAG_ZF | FLAG_PF | FLAG_CF;
}

static void compare_to_flags(struct cpu *cpu, const struct insn *in,
                             const struct sf_format *f, bool signals)
{
    struct sf_env env = simd_fp_env(cpu);
    enum sf_order order;
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    order = sf_compare(&env, f, lane_get(&a, lane_size(f), 0),
                       lane_get(&b, lane_size(f), 0), signals);
    simd_fp_finish(cpu, &env);
    cpu->aflags = aflags_from_eflags(order_flags(order));
}

void op_comif32(struct cpu *cpu, const struct insn *in)
{
    compare_to_flags(cpu, in, &sf_single, true);
}

void op_comif64(struct cpu *cpu, const struct insn *in)
{
    compare_to_flags(cpu, in, &sf_double, true);
}

void op_ucomif32(struct cpu *cpu, const struct insn *in)
{
    compare_to_flags(cpu, in, &sf_single, false);
}

void op_ucomif64(struct cpu *cpu, const struct insn *in)
{
    compare_to_flags(cpu, in, &sf_double, false);
}
