#ifndef CPU_FPU_RUN_H
#define CPU_FPU_RUN_H

/*
 * The register stack, and how an x87 instruction runs (SDM vol. 1, 8.1, 8.4 to
 * 8.7).  For the fpu files.
 *
 * An instruction reads its operands (an empty register raises a stack fault in
 * the environment and stands for the default NaN), computes, stores to memory,
 * and only then calls fpu_commit: nothing has changed when a guest access
 * faults.  If fpu_commit says so, it writes its register and moves the stack.
 *
 * FIP, FCS, FOP, and with a memory operand FDP and FDS are recorded by every
 * instruction but those of control, exceptions or not: as the 80387 to the
 * Pentium Pro do it, and AMD's processors.  (Later ones of Intel record some of
 * it only for unmasked exceptions and tell so by CPUID, which no model here
 * does: SDM vol. 1, 8.1.8 and 8.1.9.)  FXSAVE stores them always, as Intel's
 * do; AMD's store zeros unless an exception is pending.
 */

#include <stdbool.h>

#include "cpu/cpu.h"
#include "cpu/float80.h"
#include "cpu/fpu.h"
#include "cpu/insn.h"

/* Control word. */
enum {
    FPU_CW_INIT = 0x37f,
    FPU_CW_BITS = 0x1f3f, /* those that can be written */
    FPU_CW_ONE = 0x40,    /* reads as 1 */
    FPU_CW_PC_SHIFT = 8,
    FPU_CW_RC_SHIFT = 10,
};

/* More of the status word. */
enum {
    FPU_SW_SF = 1 << 6, /* stack fault; IE is set too */
    FPU_SW_C0 = 1 << 8,
    FPU_SW_C1 = 1 << 9,
    FPU_SW_C2 = 1 << 10,
    FPU_SW_C3 = 1 << 14,
    FPU_SW_CC = FPU_SW_C0 | FPU_SW_C1 | FPU_SW_C2 | FPU_SW_C3,
};

/* --- the stack --- */

static inline unsigned fpu_physical(const struct fpu *fpu, unsigned i)
{
    return ((fpu->sw >> FPU_SW_TOP_SHIFT) + i) & 7;
}

static inline struct fpreg fpu_get(const struct fpu *fpu, unsigned i)
{
    return fpu->r[fpu_physical(fpu, i)];
}

static inline bool fpu_is_empty(const struct fpu *fpu, unsigned i)
{
    return !(fpu->tags >> fpu_physical(fpu, i) & 1);
}

static inline void fpu_free(struct fpu *fpu, unsigned i)
{
    fpu->tags &= (uint8_t) ~(1u << fpu_physical(fpu, i));
}

/* Writes ST(i), which is then not empty. */
static inline void fpu_set(struct fpu *fpu, unsigned i, struct fpreg v)
{
    unsigned r = fpu_physical(fpu, i);

    fpu->r[r] = v;
    fpu->tags |= (uint8_t)(1u << r);
}

static inline void fpu_move_top(struct fpu *fpu, unsigned by)
{
    unsigned top = (fpu->sw + (by << FPU_SW_TOP_SHIFT)) & FPU_SW_TOP;

    fpu->sw = (uint16_t)((fpu->sw & ~(unsigned)FPU_SW_TOP) | top);
}

static inline void fpu_pop(struct fpu *fpu)
{
    fpu_free(fpu, 0);
    fpu_move_top(fpu, 1);
}

static inline void fpu_push(struct fpu *fpu, struct fpreg v)
{
    fpu_move_top(fpu, 7);
    fpu_set(fpu, 0, v);
}

/* --- an instruction --- */

/* As the control word says. */
struct f80_env fpu_env(const struct fpu *fpu);

/* Raises a stack fault, invalid; gives the default NaN. */
struct fpreg fpu_underflow(struct f80_env *env);
struct fpreg fpu_overflow(struct f80_env *env);
static inline bool fpu_stack_fault(const struct f80_env *env)
{
    return env->flags & FPU_SW_SF;
}

/* ST(i); if it is empty, a stack fault. */
struct f80 fpu_operand(const struct fpu *fpu, unsigned i, struct f80_env *env);

/* Notes instruction and data pointers, flags, condition codes (which are as
 * before if cc is FPU_CC_KEEP) and C1.  False if an unmasked exception stopped
 * the operation: the instruction then writes nothing. */
enum { FPU_CC_KEEP = -1 };
bool fpu_commit(struct cpu *cpu, const struct insn *in,
                const struct f80_env *env, int cc);

/* Where the instruction and its memory operand are. */
void fpu_note_pointers(struct cpu *cpu, const struct insn *in);

/* A transcendental instruction without help of the host's x87. */
void fpu_portable_function(struct cpu *cpu, const struct insn *in);

/* After a change of flags or masks by an instruction of control; old_cw: the
 * control word before. */
void fpu_control_changed(struct cpu *cpu, uint16_t old_cw);

#endif
