#ifndef CPU_SIMD_H
#define CPU_SIMD_H

/*
 * Operands of MMX and SSE instructions, for the portable bodies (op_<name> in
 * the simd files).
 *
 * A body reads all of its operands, computes, and calls simd_write once, last:
 * nothing has changed when a read or the write faults.  Most bodies serve MMX
 * and SSE alike: they compute all 16 bytes, and the write takes as many as the
 * operand has.
 */

#include "cpu/cpu.h"
#include "cpu/insn.h"

enum { XMM_SIZE = 16 };

/* Operand i: MM or XMM register, general register, immediate, or memory of the
 * operand's size.  Sets the low 16 bytes of *out, zero-extended.  A 16-byte
 * memory operand of a row with A_XMM_ALIGN that is misaligned is #GP(0). */
void simd_read(struct cpu *cpu, const struct insn *in, unsigned i,
               union vec *out);

/* The low bytes of *v, as many as operand 0 has.  The rest of an XMM register
 * stays; of a general register it is cleared.  If the instruction has an MMX
 * register, the x87 goes into MMX state. */
void simd_write(struct cpu *cpu, const struct insn *in, const union vec *v);

/* As simd_write; an XMM register gets all 16 bytes. */
void simd_write_whole(struct cpu *cpu, const struct insn *in,
                      const union vec *v);

/* Operands 0 and 1.  Only 1 can be memory. */
static inline void simd_read_pair(struct cpu *cpu, const struct insn *in,
                                  union vec *a, union vec *b)
{
    simd_read(cpu, in, 1, b);
    simd_read(cpu, in, 0, a);
}

#endif
