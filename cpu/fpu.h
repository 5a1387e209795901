#ifndef CPU_FPU_H
#define CPU_FPU_H

/*
 * What x87, MMX and SSE instructions have in common: may they run at all, and
 * the state that x87 and MMX share (SDM vol. 1, 8.1 and 9.2; vol. 3, 12.5).
 */

#include "cpu/cpu.h"
#include "cpu/insn.h"

/* x87 status word. */
enum {
    FPU_SW_EXC = 0x3f,  /* exception flags, as in the control word's masks */
    FPU_SW_ES = 1 << 7, /* an unmasked exception is pending */
    FPU_SW_TOP_SHIFT = 11,
    FPU_SW_TOP = 7 << 11,
    FPU_SW_BUSY = 1 << 15, /* a copy of ES */
};

/* Engines call this before the body of a row with A_FPU, A_MMX, A_SSE or A_AVX,
 * with rip at the instruction: raises #UD, #NM or #MF as due.  MODE_NO_FPU,
 * MODE_NO_SSE, MODE_NO_AVX and fpu.sw say beforehand that it would do
 * nothing. */
void cpu_check_fpu(struct cpu *cpu, const struct insn *in);

/* A pending x87 exception: #MF, or without CR0.NE the FERR# line, and a wait
 * for an interrupt. */
void fpu_check_pending(struct cpu *cpu);

/* The board's answer to FERR#: IGNNE#, until the exception is gone. */
void fpu_ignore_error(struct cpu *cpu);

/* ES and B follow from flags and masks, whenever one of them was loaded. */
static inline void fpu_update_summary(struct fpu *fpu)
{
    unsigned sw = fpu->sw & ~(unsigned)(FPU_SW_ES | FPU_SW_BUSY);

    if (sw & ~(unsigned)fpu->cw & FPU_SW_EXC)
        sw |= FPU_SW_ES | FPU_SW_BUSY;
    fpu->sw = (uint16_t)sw;
}

/* Every MMX instruction but EMMS does this (SDM vol. 3, table 12-1).  MM(i) is
 * then ST(i), and always the physical register i. */
static inline void fpu_enter_mmx(struct fpu *fpu)
{
    fpu->sw &= (uint16_t)~FPU_SW_TOP;
    fpu->tags = 0xff;
}

#endif
