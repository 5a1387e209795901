#ifndef JIT_X86_64_ASM_H
#define JIT_X86_64_ASM_H

/*
 * An encoder of x86-64 instructions: one function per shape, not per mnemonic.
 *
 * Opcodes are given as in the SDM: 0x01, 0x0faf, 0x0f38f5.  A mandatory prefix
 * (66, F2, F3) is passed apart because REX goes between it and the opcode.
 * Running out of room sets `full` and writes nothing more.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum host_reg { HRAX, HRCX, HRDX, HRBX, HRSP, HRBP, HRSI, HRDI,
                HR8, HR9, HR10, HR11, HR12, HR13, HR14, HR15, HNONE = 0xff };

/* Host condition codes, as in Jcc. */
enum host_cc { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A,
               CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G };

struct as {
    uint8_t *start, *p, *end;
    bool full;
};

/* A register or memory operand (ModRM.rm). */
struct rm {
    bool mem;
    uint8_t reg;   /* register, or base (HNONE: absolute disp32) */
    uint8_t index; /* HNONE or register, not RSP */
    uint8_t scale;
    int32_t disp;
};

static inline struct rm rm_reg(unsigned r)
{
    return (struct rm){.reg = (uint8_t)r, .index = HNONE};
}

static inline struct rm rm_mem(unsigned base, int32_t disp)
{
    return (struct rm){.mem = true, .reg = (uint8_t)base, .index = HNONE,
                       .disp = disp};
}

static inline struct rm rm_index(unsigned base, unsigned index, unsigned scale,
                                 int32_t disp)
{
    return (struct rm){.mem = true, .reg = (uint8_t)base,
                       .index = (uint8_t)index, .scale = (uint8_t)scale,
                       .disp = disp};
}

static inline size_t as_at(const struct as *a)
{
    return (size_t)(a->p - a->start);
}

void as_byte(struct as *a, unsigned b);
void as_u32(struct as *a, uint32_t v);
void as_u64(struct as *a, uint64_t v);

/* opcode reg, rm at operand size 1 (byte registers), 2, 4 or 8.  The opcode is
 * that of the size given (the byte form differs by its low bit). */
void as_op(struct as *a, unsigned opcode, unsigned size, unsigned reg,
           struct rm rm);
/* The same with a mandatory prefix (0 for none) and REX.W as told; imm_size
 * bytes follow (they matter for nothing but room). */
void as_op_prefix(struct as *a, unsigned prefix, unsigned opcode, bool rex_w,
                  unsigned reg, struct rm rm);
/* VEX-encoded (map 1: 0F, 2: 0F38, 3: 0F3A; pp 0: none, 1: 66, 2: F3, 3: F2);
 * 128 bit. */
struct vex {
    uint8_t map, pp;
    bool w, wide; /* wide: 256 bit */
    uint8_t opcode, vvvv;
};
void as_vex_op(struct as *a, struct vex v, unsigned reg, struct rm rm);
void as_vex(struct as *a, unsigned map, unsigned pp, bool w, unsigned opcode,
            unsigned reg, unsigned vvvv, struct rm rm);

/* Arithmetic group 0..7 (ADD OR ADC SBB AND SUB XOR CMP). */
enum alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR,
           ALU_CMP };
void as_alu(struct as *a, enum alu op, unsigned size, unsigned reg,
            struct rm src);
/* imm must be a sign-extended 32-bit number (or fit the size). */
void as_alu_imm(struct as *a, enum alu op, unsigned size, struct rm dst,
                int32_t imm);
void as_test(struct as *a, unsigned size, struct rm dst, unsigned reg);
void as_test_imm(struct as *a, unsigned size, struct rm dst, uint32_t imm);

void as_mov(struct as *a, unsigned size, unsigned dst, struct rm src); /* load */
void as_mov_to(struct as *a, unsigned size, struct rm dst, unsigned src);
/* Shortest MOV of a 64-bit constant; touches no flags. */
void as_mov_imm(struct as *a, unsigned dst, uint64_t v);
void as_mov_imm_to(struct as *a, unsigned size, struct rm dst, int32_t imm);
void as_movzx(struct as *a, unsigned from, unsigned dst, struct rm src);
void as_movsx(struct as *a, unsigned from, unsigned to, unsigned dst,
              struct rm src);
void as_lea(struct as *a, unsigned size, unsigned dst, struct rm src);
/* Group 2 by immediate or CL: digit 0 ROL 1 ROR 4 SHL 5 SHR 7 SAR. */
void as_shift_imm(struct as *a, unsigned digit, unsigned size, struct rm dst,
                  unsigned count);
void as_shift_cl(struct as *a, unsigned digit, unsigned size, struct rm dst);
void as_setcc(struct as *a, unsigned cc, struct rm dst);

/* Jumps with 32-bit displacements; they return the offset of the displacement,
 * to be set by as_patch.  target NULL: leave it 0. */
size_t as_jmp(struct as *a);
size_t as_jcc(struct as *a, unsigned cc);
size_t as_call(struct as *a);
/* Makes the displacement at `at` lead to offset `target` of this buffer. */
void as_patch(struct as *a, size_t at, size_t target);

#endif
