#include "jit/x86_64/asm.h"

#include "base/bytes.h"

enum { INSN_ROOM = 16 };

void as_byte(struct as *a, unsigned b)
{
    if (a->p < a->end)
        *a->p++ = (uint8_t)b;
    else
        a->full = true;
}

void as_u32(struct as *a, uint32_t v)
{
    for (unsigned k = 0; k < 4; k++)
        as_byte(a, v >> (8 * k) & 0xff);
}

void as_u64(struct as *a, uint64_t v)
{
    as_u32(a, (uint32_t)v);
    as_u32(a, (uint32_t)(v >> 32));
}

static bool fits8(int32_t v)
{
    return v == (int8_t)v;
}

/* ModRM, SIB and displacement.  RSP and R12 as base need a SIB byte, RBP and
 * R13 a displacement (SDM vol. 2, 2.1.5). */
static void modrm(struct as *a, unsigned reg, struct rm rm)
{
    unsigned r = (reg & 7) << 3, base = rm.reg & 7, mod;

    if (!rm.mem) {
        as_byte(a, 0xc0 | r | base);
        return;
    }
    if (rm.reg == HNONE) {
        as_byte(a, r | 4);
        as_byte(a, (unsigned)(rm.scale << 6) |
                       (rm.index == HNONE ? 4u : rm.index & 7u) << 3 | 5);
        as_u32(a, (uint32_t)rm.disp);
        return;
    }
    mod = rm.disp == 0 && base != 5 ? 0 : fits8(rm.disp) ? 1 : 2;
    if (rm.index != HNONE || base == 4) {
        unsigned index = rm.index == HNONE ? 4u : rm.index & 7u;

        as_byte(a, mod << 6 | r | 4);
        as_byte(a, (unsigned)(rm.scale << 6) | index << 3 | base);
    } else {
        as_byte(a, mod << 6 | r | base);
    }
    if (mod == 1)
        as_byte(a, (uint8_t)rm.disp);
    else if (mod == 2)
        as_u32(a, (uint32_t)rm.disp);
}

static unsigned rex_bits(unsigned reg, struct rm rm)
{
    unsigned rex = (reg & 8) >> 1;

    if (rm.mem && rm.index != HNONE)
        rex |= (rm.index & 8u) >> 2;
    if (!rm.mem || rm.reg != HNONE)
        rex |= (rm.reg & 8u) >> 3;
    return rex;
}

static void opcode_bytes(struct as *a, unsigned opcode)
{
    if (opcode > 0xffff)
        as_byte(a, opcode >> 16);
    if (opcode > 0xff)
        as_byte(a, opcode >> 8 & 0xff);
    as_byte(a, opcode & 0xff);
}

void as_op_prefix(struct as *a, unsigned prefix, unsigned opcode, bool rex_w,
                  unsigned reg, struct rm rm)
{
    unsigned rex = rex_bits(reg, rm) | (rex_w ? 8u : 0);

    if (a->end - a->p < INSN_ROOM) {
        a->full = true;
        return;
    }
    if (prefix)
        as_byte(a, prefix);
    if (rex)
        as_byte(a, 0x40 | rex);
    opcode_bytes(a, opcode);
    modrm(a, reg, rm);
}

void as_op(struct as *a, unsigned opcode, unsigned size, unsigned reg,
           struct rm rm)
{
    unsigned rex = rex_bits(reg, rm) | (size == 8 ? 8u : 0);
    /* SPL, BPL, SIL, DIL exist only with REX. */
    bool low = size == 1 && ((reg >= 4 && reg < 8) ||
                             (!rm.mem && rm.reg >= 4 && rm.reg < 8));

    if (a->end - a->p < INSN_ROOM) {
        a->full = true;
        return;
    }
    if (size == 2)
        as_byte(a, 0x66);
    if (rex || low)
        as_byte(a, 0x40 | rex);
    opcode_bytes(a, opcode);
    modrm(a, reg, rm);
}

/* VEX (SDM vol. 2, 2.3.5): R, X, B and vvvv are inverted. */
void as_vex_op(struct as *a, struct vex v, unsigned reg, struct rm rm)
{
    unsigned rex = rex_bits(reg, rm);
    unsigned last = (~v.vvvv & 15u) << 3 | (v.wide ? 4u : 0) | v.pp;

    if (a->end - a->p < INSN_ROOM) {
        a->full = true;
        return;
    }
    if (v.map == 1 && !v.w && !(rex & 3)) {
        as_byte(a, 0xc5);
        as_byte(a, (~rex & 4) << 5 | last);
    } else {
        as_byte(a, 0xc4);
        as_byte(a, (~rex & 7) << 5 | v.map);
        as_byte(a, (v.w ? 0x80u : 0) | last);
    }
    as_byte(a, v.opcode);
    modrm(a, reg, rm);
}

void as_vex(struct as *a, unsigned map, unsigned pp, bool w, unsigned opcode,
            unsigned reg, unsigned vvvv, struct rm rm)
{
    struct vex v = {.map = (uint8_t)map,
                    .pp = (uint8_t)pp,
                    .w = w,
                    .opcode = (uint8_t)opcode,
                    .vvvv = (uint8_t)vvvv};

    as_vex_op(a, v, reg, rm);
}

void as_alu(struct as *a, enum alu op, unsigned size, unsigned reg,
            struct rm src)
{
    as_op(a, (unsigned)op << 3 | (size == 1 ? 2 : 3), size, reg, src);
}

static void imm_bytes(struct as *a, unsigned size, uint32_t imm)
{
    if (size == 1)
        as_byte(a, imm & 0xff);
    else if (size == 2)
        as_byte(a, imm & 0xff), as_byte(a, imm >> 8 & 0xff);
    else
        as_u32(a, imm);
}

void as_alu_imm(struct as *a, enum alu op, unsigned size, struct rm dst,
                int32_t imm)
{
    if (size == 1) {
        as_op(a, 0x80, 1, op, dst);
        imm_bytes(a, 1, (uint32_t)imm);
    } else if (fits8(imm)) {
        as_op(a, 0x83, size, op, dst);
        imm_bytes(a, 1, (uint32_t)imm);
    } else {
        as_op(a, 0x81, size, op, dst);
        imm_bytes(a, size, (uint32_t)imm);
    }
}

void as_test(struct as *a, unsigned size, struct rm dst, unsigned reg)
{
    as_op(a, size == 1 ? 0x84 : 0x85, size, reg, dst);
}

void as_test_imm(struct as *a, unsigned size, struct rm dst, uint32_t imm)
{
    as_op(a, size == 1 ? 0xf6 : 0xf7, size, 0, dst);
    imm_bytes(a, size, imm);
}

void as_mov(struct as *a, unsigned size, unsigned dst, struct rm src)
{
    as_op(a, size == 1 ? 0x8a : 0x8b, size, dst, src);
}

void as_mov_to(struct as *a, unsigned size, struct rm dst, unsigned src)
{
    as_op(a, size == 1 ? 0x88 : 0x89, size, src, dst);
}

void as_mov_imm(struct as *a, unsigned dst, uint64_t v)
{
    if (a->end - a->p < INSN_ROOM) {
        a->full = true;
        return;
    }
    if (v <= UINT32_MAX) {
        if (dst >= 8)
            as_byte(a, 0x41);
        as_byte(a, 0xb8 | (dst & 7));
        as_u32(a, (uint32_t)v);
    } else if ((int64_t)v == (int32_t)v) {
        as_op(a, 0xc7, 8, 0, rm_reg(dst));
        as_u32(a, (uint32_t)v);
    } else {
        as_byte(a, 0x48 | dst >> 3);
        as_byte(a, 0xb8 | (dst & 7));
        as_u64(a, v);
    }
}

void as_mov_imm_to(struct as *a, unsigned size, struct rm dst, int32_t imm)
{
    as_op(a, size == 1 ? 0xc6 : 0xc7, size, 0, dst);
    imm_bytes(a, size, (uint32_t)imm);
}

void as_movzx(struct as *a, unsigned from, unsigned dst, struct rm src)
{
    if (from == 4) {
        as_mov(a, 4, dst, src);
        return;
    }
    /* A byte source in SIL.. needs REX even when dst does not ask for it. */
    if (from == 1 && !src.mem && src.reg >= 4 && src.reg < 8 && dst < 8) {
        as_byte(a, 0x40);
        opcode_bytes(a, 0x0fb6);
        modrm(a, dst, src);
        return;
    }
    as_op(a, from == 1 ? 0x0fb6 : 0x0fb7, 4, dst, src);
}

void as_movsx(struct as *a, unsigned from, unsigned to, unsigned dst,
              struct rm src)
{
    unsigned size = to == 8 ? 8 : 4;

    if (from == 4) {
        as_op(a, 0x63, 8, dst, src);
        return;
    }
    if (from == 1 && !src.mem && src.reg >= 4 && src.reg < 8 && dst < 8 &&
        size == 4) {
        as_byte(a, 0x40);
        opcode_bytes(a, 0x0fbe);
        modrm(a, dst, src);
        return;
    }
    as_op(a, from == 1 ? 0x0fbe : 0x0fbf, size, dst, src);
}

void as_lea(struct as *a, unsigned size, unsigned dst, struct rm src)
{
    as_op(a, 0x8d, size, dst, src);
}

void as_shift_imm(struct as *a, unsigned digit, unsigned size, struct rm dst,
                  unsigned count)
{
    as_op(a, size == 1 ? 0xc0 : 0xc1, size, digit, dst);
    as_byte(a, count);
}

void as_shift_cl(struct as *a, unsigned digit, unsigned size, struct rm dst)
{
    as_op(a, size == 1 ? 0xd2 : 0xd3, size, digit, dst);
}

void as_setcc(struct as *a, unsigned cc, struct rm dst)
{
    as_op(a, 0x0f90 | cc, 1, 0, dst);
}

size_t as_jmp(struct as *a)
{
    as_byte(a, 0xe9);
    as_u32(a, 0);
    return as_at(a) - 4;
}

size_t as_jcc(struct as *a, unsigned cc)
{
    as_byte(a, 0x0f);
    as_byte(a, 0x80 | cc);
    as_u32(a, 0);
    return as_at(a) - 4;
}

size_t as_call(struct as *a)
{
    as_byte(a, 0xe8);
    as_u32(a, 0);
    return as_at(a) - 4;
}

void as_patch(struct as *a, size_t at, size_t target)
{
    if (!a->full)
        store32(a->start + at, (uint32_t)(target - (at + 4)));
}
