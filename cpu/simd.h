#ifndef CPU_SIMD_H
#define CPU_SIMD_H

/*
 * Operands of MMX, SSE and AVX instructions, for the portable bodies (op_<name>
 * in the simd files).
 *
 * A body reads all of its operands, computes, and calls simd_write once, last:
 * nothing has changed when a read or the write faults.  Most bodies serve MMX,
 * SSE and AVX alike: they compute simd_size bytes, and the write takes as many
 * as the operand has.
 */

#include "cpu/cpu.h"
#include "cpu/insn.h"

enum { XMM_SIZE = 16, YMM_SIZE = 32 };

/* Bytes that a body has to compute: 32 for VEX.256, else 16, for MMX too. */
static inline unsigned simd_size(const struct insn *in)
{
    return in->vex_len == YMM_SIZE ? YMM_SIZE : XMM_SIZE;
}

/* The last source: operand 2 of what has three but for an immediate, else 1. */
static inline unsigned simd_source(const struct insn *in)
{
    unsigned kind = in->op[2].kind;

    return kind == OPND_NONE || kind == OPND_IMM ? 1 : 2;
}

/* Operand i: MM, XMM or YMM register, general register, immediate, or memory of
 * the operand's size.  Sets the low 32 bytes of *out, zero-extended; of an XMM
 * register 16 bytes also where the operand is narrower.  A misaligned memory
 * operand of 16 or 32 bytes of a row with A_XMM_ALIGN is #GP(0). */
void simd_read(struct cpu *cpu, const struct insn *in, unsigned i,
               union vec *out);

/* The low bytes of *v, as many as operand 0 has.  The rest of an XMM register
 * stays; of a general register it is cleared.  If the instruction has an MMX
 * register, the x87 goes into MMX state.
 *
 * VEX: all of the register above what is written becomes zero; but where
 * operand 0 has less than 16 bytes and there are two sources, the bytes up to
 * 16 are those of operand 1, or of operand 0 itself if it is rw. */
void simd_write(struct cpu *cpu, const struct insn *in, const union vec *v);

/* As simd_write; an XMM register gets all 16 bytes, or 32 if the operand has
 * them. */
void simd_write_whole(struct cpu *cpu, const struct insn *in,
                      const union vec *v);

/* The two sources.  Operands 0 and 1; or 1 and 2 of a row with VEX whose
 * operand 0 is only written and that has three or more. */
void simd_read_pair(struct cpu *cpu, const struct insn *in, union vec *a,
                    union vec *b);

#endif
