#ifndef CPU_SIMD_FP_H
#define CPU_SIMD_FP_H

/*
 * From MXCSR to softfloat and back (SDM vol. 1, 10.2.3 and 11.5).
 *
 * A body works on all lanes with one environment, which gathers their
 * exceptions, then calls simd_fp_finish, then writes.  So nothing is written
 * if any lane has an unmasked exception.
 */

#include "cpu/cpu.h"
#include "cpu/simd.h"
#include "cpu/softfloat.h"

enum {
    MXCSR_FLAGS = 0x3f,
    MXCSR_DAZ = 1 << 6,
    MXCSR_UM = 1 << 11,   /* underflow masked */
    MXCSR_MASK_SHIFT = 7, /* masks are in the order of the flags */
    MXCSR_RC_SHIFT = 13,
    MXCSR_FTZ = 1 << 15,
    MXCSR_VALID = 0xffff, /* bits that every model has */
    MXCSR_MM = 1 << 17,   /* misaligned exception mask (APM vol. 1, 4.2.2) */
};

/* MXCSR_MASK: other bits must be 0. */
static inline uint32_t simd_mxcsr_mask(const struct cpu *cpu)
{
    return cpu_has(cpu, FEAT_MISALIGNSSE) ? MXCSR_VALID | MXCSR_MM
                                          : MXCSR_VALID;
}

struct sf_env simd_fp_env(const struct cpu *cpu);

/* Sets the flags; raises #XM (#UD without CR4.OSXMMEXCPT) if one of them is
 * unmasked. */
void simd_fp_finish(struct cpu *cpu, const struct sf_env *env);

/* A new value of MXCSR, already checked. */
void simd_set_mxcsr(struct cpu *cpu, uint32_t v);

static inline unsigned lane_size(const struct sf_format *f)
{
    return f == &sf_single ? 4 : 8;
}

/* Lane i of n bytes, 4 or 8. */
static inline uint64_t lane_get(const union vec *v, unsigned n, unsigned i)
{
    return n == 4 ? v->u32[i] : v->u64[i];
}

static inline void lane_set(union vec *v, unsigned n, unsigned i, uint64_t x)
{
    if (n == 4)
        v->u32[i] = (uint32_t)x;
    else
        v->u64[i] = x;
}

#endif
