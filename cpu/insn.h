#ifndef CPU_INSN_H
#define CPU_INSN_H

/*
 * A decoded instruction, and the table of encodings it comes from.
 *
 * The .def files of cpu/isa hold one row per encoding.  Everything that must
 * know all instructions -- the decoder, both engines, tests, coverage --
 * expands these rows; nothing lists instructions a second time.
 *
 * Row:  INSN(id, map, code, ext, pfx, NAME, op0, op1, op2, op3,
 *            FLAGS, ATTRS, FEATURE, body)
 *   id       unique name of the row; enum insn_id has I_<id>
 *   map      1 (one-byte), 2 (0F), 38, 3A; V2, V38, V3A with VEX; 3D for
 *            3DNow! (0F 0F); for x87 rows D8..DF
 *   code     opcode byte; a row with a Zb or Zv operand covers eight.
 *            3DNow!: the suffix
 *            x87: the /digit 0..7 of memory forms, the whole ModRM byte
 *            0xC0..0xFF of register forms; with an STi operand, eight of them
 *   ext      X or the /digit 0..7 of ModRM.reg, or a whole ModRM byte
 *            0xC0..0xFF as in 0F 01
 *   pfx      _ (any), NP, 66, F3, F2: mandatory prefix.  F2 and F3 win over
 *            66, the last of F2 and F3 over the other.  VEX: its pp field
 *   NAME     mnemonic in capitals
 *   opN      operand in the letters of the SDM's opcode map (operands.def),
 *            wrapped in r(), w() or rw(): how the body uses it; n(): named but
 *            not accessed (LEA); `_` for none
 *   FLAGS    name of a row of isa/flags.def: tested, written, undefined
 *   ATTRS    or of A_*; 0 for none
 *   FEATURE  CPUID feature that must be present (FEAT_*), FEAT_BASE otherwise
 *   body     a SEM() in cpu/sem
 *
 * Rows of one (map, code) stand together within onebyte.def + twobyte.def,
 * within x87.def + vector.def, and within each of the other files.  Where
 * several match, the last one wins: so the
 * general row comes first (NOP before PAUSE).  A row whose feature is missing
 * does not match.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/features.h"

enum { INSN_MAX_LEN = 15, INSN_OPERANDS = 4 };

enum insn_attr {
    A_LOCK = 1 << 0,     /* LOCK allowed when operand 0 is memory */
    A_NO64 = 1 << 1,     /* #UD in 64-bit mode */
    A_ONLY64 = 1 << 2,   /* #UD outside 64-bit mode */
    A_DEF64 = 1 << 3,    /* 64-bit operands by default in 64-bit mode */
    A_FORCE64 = 1 << 4,  /* 64-bit operands in 64-bit mode, 66h ignored */
    A_ENDS = 1 << 5,     /* last of a block: jumps, changes mode or traps */
    A_CPL0 = 1 << 6,     /* #GP unless CPL 0; the body checks */
    A_PROT = 1 << 7,     /* #UD in real and virtual-8086 mode */
    A_FPU = 1 << 8,      /* x87: needs CR0.EM = TS = 0, else #NM */
    A_SSE = 1 << 9,      /* needs CR0.EM = 0, CR4.OSFXSR = 1 else #UD; TS */
    A_MMX = 1 << 10,     /* needs CR0.EM = 0 else #UD; TS: #NM */
    A_REP = 1 << 11,     /* string instruction: F2/F3 are REP prefixes */
    A_MEM = 1 << 12,     /* ModRM must name memory, else #UD */
    A_REG = 1 << 13,     /* ModRM must name a register, else #UD */
    /* The memory operand must be aligned, else #GP: 16 bytes; with VEX, all
     * of it. */
    A_XMM_ALIGN = 1 << 14,
    A_VEX = 1 << 15,     /* VEX encoded; #UD if VEX.vvvv is not 1111b and no
                          * operand is in it */
    A_WAIT = 1 << 16,    /* x87: does not report pending exceptions (FNxx) */
    A_W = 1 << 17,       /* REX.W, VEX.W must be 1 */
    A_NOB = 1 << 18,     /* REX.B must be 0: NOP is XCHG rAX,rAX */
    A_L0 = 1 << 19,      /* VEX.L must be 0 */
    A_L1 = 1 << 20,      /* VEX.L must be 1 */
    A_W0 = 1 << 21,      /* VEX.W must be 0 */
    A_AVX = 1 << 22,     /* needs CR4.OSXSAVE, XCR0[2:1] = 3 else #UD; TS */
};

/* Where an operand is; cpu/isa/operands.def explains. */
enum operand_how {
    HOW_NONE,
    HOW_RM, HOW_RM_MW, HOW_MEM, HOW_RM_REG, HOW_RM_ANY, HOW_REG,
    HOW_MM_RM, HOW_MM_RMREG, HOW_MM_REG, HOW_XMM_RM, HOW_XMM_RMREG,
    HOW_XMM_REG, HOW_VSIB, HOW_RM_MB, HOW_SEG, HOW_CR, HOW_DR, HOW_ST_0,
    HOW_ST_I,
    HOW_LAST_MODRM = HOW_ST_I,
    HOW_ZREG, HOW_FIXED, HOW_FIXSEG,
    HOW_IMM_U8, HOW_IMM_S8, HOW_IMM_16, HOW_IMM_Z, HOW_IMM_V, HOW_ONE,
    HOW_REL_8, HOW_REL_Z, HOW_FAR, HOW_MOFFS, HOW_SRC, HOW_DST,
    HOW_XMM_V, HOW_GPR_V, HOW_XMM_IMM,
};

/* Sizes that are no plain number; cpu/isa/operands.def explains. */
enum operand_size {
    SIZE_0 = 0, SIZE_1 = 1, SIZE_2 = 2, SIZE_4 = 4, SIZE_8 = 8, SIZE_10 = 10,
    SIZE_16 = 16, SIZE_32 = 32, SIZE_64 = 64,
    SIZE_RULES = 0x80, /* the rest depends on operand size and mode */
    SIZE_V = SIZE_RULES, SIZE_Z, SIZE_Y, SIZE_N, SIZE_P, SIZE_A, SIZE_S,
    SIZE_E, SIZE_F, SIZE_I, SIZE_END,
    SIZE_X = SIZE_END, SIZE_XH, SIZE_XQ, SIZE_XO, /* of the vector length */
};

/* The letters. */
enum operand_spec {
    SPEC_NONE,
#define OPERAND(name, ...) SPEC_##name,
#include "cpu/isa/operands.def"
#undef OPERAND
    SPEC_COUNT
};

struct operand_info {
    char name[6];
    uint8_t how;   /* enum operand_how */
    uint8_t size;  /* enum operand_size */
    uint8_t fixed; /* register number */
};
extern const struct operand_info operand_info[SPEC_COUNT];

/* What an operand turned out to be. */
enum operand_kind {
    OPND_NONE,
    OPND_GPR,  /* reg 0..15, low `size` bytes */
    OPND_GPRH, /* reg 0..3: AH, CH, DH, BH */
    OPND_MEM,  /* the instruction's one memory operand */
    OPND_IMM,  /* insn.imm */
    OPND_IMM2, /* insn.imm2: ENTER's second, far pointers' selector */
    OPND_REL,  /* insn.imm: displacement from the next instruction */
    OPND_SEG,
    OPND_CR,
    OPND_DR,
    OPND_MM,
    OPND_XMM,  /* also YMM: size 32 */
    OPND_ST,   /* ST(reg) */
};

enum operand_access { ACC_NONE, ACC_R = 1, ACC_W = 2, ACC_RW = 3 };

struct operand {
    uint8_t kind; /* enum operand_kind */
    uint8_t reg;
    uint8_t size;   /* bytes: 1..64; 10 for tbyte; 0 for LEA, INVLPG */
    uint8_t access; /* enum operand_access */
};

/* Prefixes seen. */
enum insn_prefix {
    PREFIX_LOCK = 1 << 0,
    PREFIX_REP = 1 << 1,   /* F3, the last of F2/F3 */
    PREFIX_REPNE = 1 << 2, /* F2 */
    PREFIX_OPSIZE = 1 << 3,
    PREFIX_ADDRSIZE = 1 << 4,
    PREFIX_REX = 1 << 5,
    PREFIX_REX_W = 1 << 6,
};

enum { REG_NONE = 0xff, REG_RIP = 0x10 };

struct insn {
    uint16_t id;      /* enum insn_id */
    uint8_t len;      /* bytes, 1..15 */
    uint8_t prefixes; /* enum insn_prefix */
    uint8_t opsize;   /* operand size: 2, 4 or 8 bytes */
    uint8_t addrsize; /* address size: 2, 4 or 8 bytes */
    uint8_t modrm;    /* the byte; 0 if none */
    uint8_t vex_len;  /* 16 or 32; 0 without VEX */
    struct operand op[INSN_OPERANDS];
    /* Memory operand: seg:[base + (index << scale) + disp] */
    uint8_t seg;   /* effective segment, override included */
    uint8_t base;  /* gpr, REG_RIP, or REG_NONE */
    uint8_t index; /* gpr or REG_NONE; with vsib, a vector register */
    uint8_t scale; /* 0..3 */
    uint8_t cc;    /* low 4 bits of the opcode: condition of Jcc, SETcc, CMOVcc */
    uint8_t code;  /* opcode byte, last one */
    uint8_t map;   /* 1, 2, 0x38, 0x3a, also with VEX; 0x0f: 3DNow!; 0xd8.. */
    uint8_t opcode_at; /* offset of the opcode's last byte before ModRM */
    uint8_t vsib;  /* bytes of the index if a vector register, 16 or 32; or 0 */
    int64_t disp;  /* sign-extended */
    uint64_t imm;  /* sign-extended as the instruction says */
    uint64_t imm2;
    uint8_t bytes[INSN_MAX_LEN + 1]; /* as fetched */
};

enum insn_id {
#define INSN(id, ...) I_##id,
#include "cpu/isa/all.def"
#undef INSN
    INSN_COUNT
};

/* What the row says. */
struct insn_info {
    const char *id, *mnemonic, *body;
    uint8_t map, code, ext, pfx;
    uint8_t operand[INSN_OPERANDS]; /* enum operand_spec */
    uint8_t access[INSN_OPERANDS];  /* enum operand_access */
    uint8_t feature;
    uint8_t flags;                  /* enum flag_row */
    uint32_t attrs;
};

/* Values of insn_info.ext and .pfx beside those of the rows. */
enum { EXT_X = 0x80, PFX__ = 0xff, PFX_NP = 0, PFX_66, PFX_F3, PFX_F2 };

extern const struct insn_info insn_info[INSN_COUNT];

/* Effects on EFLAGS of a row of isa/flags.def, as masks. */
enum flag_row {
#define FLAGS_ROW(name, ...) FLAGROW_##name,
#include "cpu/isa/flags.def"
#undef FLAGS_ROW
    FLAG_ROWS
};

struct flag_effect {
    const char *name;
    uint32_t tested, written, undefined;
};
extern const struct flag_effect flag_effects[FLAG_ROWS];

#endif
