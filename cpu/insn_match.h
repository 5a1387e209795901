#ifndef CPU_INSN_MATCH_H
#define CPU_INSN_MATCH_H

/*
 * From an opcode to its row, for the decoder alone.
 *
 * Everything that chooses among the rows of one opcode is one number, the
 * selector; a row matches if (selector & mask) == value.
 *
 *   bits 0..7   ModRM              10  ModRM names memory
 *        8..9   mandatory prefix   11  64-bit mode     12  REX.B
 *               (PFX_*)            13  register in opcode, not its first row
 *                                  14  REX.W, VEX.W    15  protected mode
 *                                  16  VEX.L           17  VEX.vvvv = 1111b
 *
 * insn_last finds the last of an opcode's rows, plus 1; the others are before
 * it, as long as `key` stays the same.  There are two lists for an opcode, as
 * 0F AE has rows in two files.  Maps with VEX and 3DNow! are maps of their own.
 */

#include "cpu/insn.h"

enum {
    SEL_PFX_SHIFT = 8,
    SEL_MEM = 1 << 10,
    SEL_CODE64 = 1 << 11,
    SEL_REX_B = 1 << 12,
    SEL_EIGHT = 1 << 13, /* found by the opcode with its low 3 bits cleared */
    SEL_REX_W = 1 << 14,
    SEL_PE = 1 << 15,
    SEL_L = 1 << 16,
    SEL_NO_V = 1 << 17,
};

/* insn_match.shape */
enum {
    SHAPE_MODRM = 1 << 0,
    SHAPE_ANY_MOD = 1 << 1, /* ModRM.mod is ignored: always a register */
    SHAPE_VSIB = 1 << 2,    /* the index is a vector register */
};

struct insn_match {
    uint32_t mask, value;
    uint16_t key; /* map_index << 8 | code */
    uint8_t feature;
    uint8_t shape;
};

enum map_index {
    MAPX_1,
    MAPX_2,
    MAPX_38,
    MAPX_3A,
    MAPX_3D,
    MAPX_V2, /* VEX.mmmmm = 1, 2, 3 */
    MAPX_V38,
    MAPX_V3A,
    MAPX_D8,
    MAPX_D9,
    MAPX_DA,
    MAPX_DB,
    MAPX_DC,
    MAPX_DD,
    MAPX_DE,
    MAPX_DF,
    MAPX_COUNT
};

enum { INSN_LISTS = 2 };

extern const struct insn_match insn_match[INSN_COUNT];
extern const uint16_t insn_last[INSN_LISTS][MAPX_COUNT][256];

#endif
