#ifndef CPU_FXSAVE_H
#define CPU_FXSAVE_H

/*
 * The 512-byte image that FXSAVE and XSAVE share (SDM vol. 1, 10.5.1 and
 * 13.5.1).  Its last 96 bytes are software's.
 */

#include "cpu/cpu.h"
#include "cpu/insn.h"

/* Offsets in the image. */
enum {
    FX_CW = 0,
    FX_SW = 2,
    FX_TAGS = 4,
    FX_OPCODE = 6,
    FX_IP = 8, /* 4 bytes, then CS; or 8 bytes with REX.W */
    FX_CS = 12,
    FX_DP = 16,
    FX_DS = 20,
    FX_MXCSR = 24,
    FX_MXCSR_MASK = 28,
    FX_ST = 32, /* 16 bytes for each of 8 */
    FX_XMM = 160,
    FX_STATE_SIZE = 416,
    FX_SIZE = 512,
};

/* The x87 part: bytes 0 to 23 and 32 to 159. */
void fxsave_x87(struct cpu *cpu, const struct insn *in, uint8_t *image);
void fxrstor_x87(struct cpu *cpu, const struct insn *in, const uint8_t *image);

/* Vector registers that instructions can name in this mode: 8 or 16. */
static inline unsigned vector_count(const struct cpu *cpu)
{
    return cpu_code64(cpu) ? 16 : 8;
}

#endif
