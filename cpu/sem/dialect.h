/*
 * The dialect in which instruction meanings are written, once.
 *
 * An engine defines three names and includes this file:
 *     CX    its context type
 *     VAL   its value type: uint64_t, or a reference to a node of IR
 *     P(x)  its prefix, e.g. exec_##x
 * and supplies the functions P(...) below.  A missing primitive is a compile
 * error, so engines cannot drift apart.
 *
 * Rules for bodies (cpu/sem/X.sem):
 *  - `in`, the decoded instruction, is a constant: C control flow on it is
 *    fine.  C control flow on a VAL is not: choose with SELECT, leave with
 *    JUMP_IF.
 *  - A value of n bytes is kept zero-extended to 64 bits.  n (1, 2, 4, 8) is
 *    always a plain number, never a VAL.
 *  - All accesses that can fault come before the first WRITE, SET_REG, FLAGS or
 *    SET_FLAG -- except that READ of an rw memory operand, and LOAD_RW, have
 *    probed the write, and PUSH/POP may change RSP at once: a fault restores
 *    it.
 *  - Big operations are C functions, listed in cpu/ops.def: HELPER(name).
 *
 * No include guard: each engine includes this once, in one .c file.
 */

/* A meaning. */
#define SEM(name) static void P(sem_##name)(CX * cx, const struct insn *in)

/* --- operands --- */
#define SIZE(i) ((unsigned)in->op[i].size)
#define READ(i) P(read)(cx, in, i)        /* zero-extended from SIZE(i) */
#define WRITE(i, v) P(write)(cx, in, i, v)
#define ADDRESS() P(address)(cx, in)      /* offset of the memory operand */

/* --- registers: r is enum gpr, n bytes; a write of 4 clears the upper half,
 *     of 1 or 2 keeps the rest --- */
#define REG(r, n) P(reg)(cx, r, n)
#define SET_REG(r, n, v) P(set_reg)(cx, r, n, v)
#define REG_AH() P(reg_ah)(cx)
#define SET_REG_AH(v) P(set_reg_ah)(cx, v)

/* --- values --- */
#define CONST(c) P(constant)(cx, (uint64_t)(c))
#define ADD(n, a, b) P(add)(cx, n, a, b)
#define SUB(n, a, b) P(sub)(cx, n, a, b)
#define AND(n, a, b) P(and)(cx, n, a, b)
#define OR(n, a, b) P(or)(cx, n, a, b)
#define XOR(n, a, b) P(xor)(cx, n, a, b)
#define NOT(n, a) P(not)(cx, n, a)
#define ADC(n, a, b) P(adc)(cx, n, a, b)  /* a + b + CF */
#define SBB(n, a, b) P(sbb)(cx, n, a, b)  /* a - b - CF */
/* Shift counts are 0..63 as masked by the body; past the width: 0, or the sign
 * for SAR.  Rotates take the count modulo the width. */
#define SHL(n, a, c) P(shl)(cx, n, a, c)
#define SHR(n, a, c) P(shr)(cx, n, a, c)
#define SAR(n, a, c) P(sar)(cx, n, a, c)
#define ROL(n, a, c) P(rol)(cx, n, a, c)
#define ROR(n, a, c) P(ror)(cx, n, a, c)
/* Double shifts: a shifted by c with bits of b coming in. */
#define SHLD_(n, a, b, c) P(shld)(cx, n, a, b, c)
#define SHRD_(n, a, b, c) P(shrd)(cx, n, a, b, c)
/* Low and high halves of the product of two n-byte numbers. */
#define MUL(n, a, b) P(mul)(cx, n, a, b)
#define MULHU(n, a, b) P(mulhu)(cx, n, a, b)
#define MULHS(n, a, b) P(mulhs)(cx, n, a, b)
#define ZEXT(from, v) P(zext)(cx, from, v)          /* low bytes of v */
#define SEXT(from, to, v) P(sext)(cx, from, to, v)  /* to n bytes */
#define BSWAP_(n, v) P(bswap)(cx, n, v)
#define CTZ(n, v) P(ctz)(cx, n, v)    /* index of lowest set bit; v != 0 or 8n */
#define CLZ(n, v) P(clz)(cx, n, v)    /* leading zeros in n bytes; 8n for 0 */
#define POPCOUNT(n, v) P(popcount)(cx, n, v)
#define EQ(n, a, b) P(eq)(cx, n, a, b)              /* 0 or 1 */
#define LTU(n, a, b) P(ltu)(cx, n, a, b)
#define SELECT(c, a, b) P(select)(cx, c, a, b)      /* c (0/1) ? a : b */

/* --- flags --- */
#define FLAGS(kind, n, r, a, b) P(flags)(cx, FLAGKIND_##kind, n, r, a, b)
#define FLAG(name) P(flag)(cx, FLAG_##name)         /* arithmetic or DF: 0/1 */
#define SET_FLAG(name, v) P(set_flag)(cx, FLAG_##name, v)
#define COND() P(cond)(cx, in->cc)                  /* condition in->cc: 0/1 */
#define GET_AFLAGS() P(get_aflags)(cx)  /* EFLAGS bits 0..7 as LAHF has them */
#define SET_AFLAGS(v) P(set_aflags)(cx, v)          /* SAHF: OF kept */

/* --- memory and stack --- */
#define LOAD(seg, off, n) P(load)(cx, in, seg, off, n)
#define STORE(seg, off, n, v) P(store)(cx, in, seg, off, n, v)
/* Memory that is read and then written: LOAD_RW probes the STORE_RW. */
#define LOAD_RW(seg, off, n) P(load_rw)(cx, in, seg, off, n)
#define STORE_RW(seg, off, n, v) P(store_rw)(cx, in, seg, off, n, v)
#define PUSH(n, v) P(push)(cx, in, n, v)
#define POP(n) P(pop)(cx, in, n)
#define SP_SIZE() P(sp_size)(cx)  /* bytes of the stack pointer: a number */

/* --- control: a jump checks its target at once, and takes effect when the
 *     body ends --- */
#define NEXT_IP() P(next_ip)(cx, in)    /* offset of the next instruction */
#define JUMP(v) P(jump)(cx, in, v)      /* near; cut to operand size, checked */
#define JUMP_IF(c, v) P(jump_if)(cx, in, c, v)      /* v: REL_TARGET() */
#define REL_TARGET() P(rel_target)(cx, in)          /* NEXT_IP + displacement */

/* --- C, written once for both engines --- */
#define HELPER(name) P(helper)(cx, in, op_##name)
/* Vector and x87 instructions: op_<name> is the portable meaning; a backend
 * that can re-encode the instruction on its own registers does so. */
#define VECTOR(name) P(vector)(cx, in, op_##name)
#define X87(name) P(x87)(cx, in, op_##name)

#include "cpu/sem/alu.sem"
#include "cpu/sem/shift.sem"
#include "cpu/sem/bits.sem"
#include "cpu/sem/move.sem"
#include "cpu/sem/branch.sem"
#include "cpu/sem/string.sem"
#include "cpu/sem/system.sem"
#include "cpu/sem/x87.sem"
#include "cpu/sem/vector.sem"

static void (*const P(table)[INSN_COUNT])(CX *, const struct insn *) = {
#define INSN(id, map, code, ext, pfx, name, o0, o1, o2, o3, fl, at, ft, body) \
    [I_##id] = P(sem_##body),
#include "cpu/isa/all.def"
#undef INSN
};
