/*
 * Loads, stores, constants and moves within the stack (SDM vol. 1, 8.3.2 to
 * 8.3.4).
 */

#include "base/bits.h"
#include "base/bytes.h"
#include "cpu/fpu_run.h"
#include "cpu/guest.h"
#include "cpu/ops.h"

enum { TENBYTE = F80_BCD_SIZE }; /* and of an extended number */

/* --- loads --- */

/* Pushes v, unless the stack is full.  A denormal is loaded even if that
 * exception is unmasked: processors do so. */
static void load(struct cpu *cpu, const struct insn *in, struct f80_env *env,
                 struct fpreg v)
{
    if (!fpu_is_empty(&cpu->fpu, 7) && !fpu_stack_fault(env))
        v = fpu_overflow(env);
    fpu_commit(cpu, in, env, FPU_CC_KEEP);
    if (!(env->flags & env->unmasked & SF_INVALID))
        fpu_push(&cpu->fpu, v);
}

/* Ten bytes are to be aligned as eight (SDM vol. 3, table 6-7). */
static uint64_t tenbyte_address(struct cpu *cpu, const struct insn *in,
                                enum access access)
{
    uint64_t off = guest_address(cpu, in);

    if (unlikely(cpu->mode & MODE_ALIGN)) {
        guest_linear(cpu, in->seg, off, TENBYTE, access);
        guest_linear(cpu, in->seg, off, 8, access);
    }
    return off;
}

static void load_tenbyte(struct cpu *cpu, const struct insn *in,
                         uint8_t bytes[TENBYTE])
{
    uint64_t off = tenbyte_address(cpu, in, ACCESS_READ);

    guest_load_bytes(cpu, in->seg, off, bytes, TENBYTE);
}

static struct fpreg load_extended(struct cpu *cpu, const struct insn *in)
{
    uint8_t bytes[TENBYTE];

    load_tenbyte(cpu, in, bytes);
    return (struct fpreg){load64(bytes), load16(bytes + 8)};
}

/* A single or double number, which is converted. */
static struct fpreg load_number(struct cpu *cpu, const struct insn *in,
                                struct f80_env *env)
{
    uint64_t v = guest_read(cpu, in, 0);
    struct f80 a = in->op[0].size == 4 ? f80_from_single((uint32_t)v)
                                       : f80_from_double(v);
    struct fpreg r;

    if (!fpu_is_empty(&cpu->fpu, 7))
        return a.bits;
    if (f80_special(env, &a, NULL, &r))
        return r;
    f80_note_denormal(env, &a, NULL);
    return a.bits;
}

void op_fld(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    const struct operand *o = &in->op[0];
    struct fpreg v;

    if (o->kind == OPND_ST)
        v = fpu_operand(&cpu->fpu, o->reg, &env).bits;
    else if (o->size == 10)
        v = load_extended(cpu, in);
    else
        v = load_number(cpu, in, &env);
    load(cpu, in, &env, v);
}

void op_fild(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    uint64_t v = bits_sext(guest_read(cpu, in, 0), 8u * in->op[0].size);

    load(cpu, in, &env, f80_from_int((int64_t)v).bits);
}

void op_fbld(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    uint8_t bcd[F80_BCD_SIZE];

    load_tenbyte(cpu, in, bcd);
    load(cpu, in, &env, f80_from_bcd(bcd).bits);
}

/* --- constants (8.3.4): 66 bits and more, rounded as RC says --- */

/* high * 2^exp + something: `low` are the next 64 bits. */
struct constant {
    uint64_t high, low;
    int32_t exp; /* of the value, which is in [2^exp, 2^(exp+1)) */
};

static void load_constant(struct cpu *cpu, const struct insn *in,
                          struct constant c)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80_env rounding = env;
    struct softnum n = {(uint128)c.high << 64 | c.low, c.exp, false};

    rounding.digits = F80_DIGITS;
    load(cpu, in, &env, f80_round(&rounding, n));
}

#define CONSTANT(name, high, low, exp)                                 \
    void op_##name(struct cpu *cpu, const struct insn *in)             \
    {                                                                  \
        load_constant(cpu, in, (struct constant){(high), (low), exp}); \
    }

CONSTANT(fld1, F80_INTEGER_BIT, 0, 0)
CONSTANT(fldz, 0, 0, 0)
CONSTANT(fldpi, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1, 1)
CONSTANT(fldl2t, 0xd49a784bcd1b8afe, 0x492bf6ff4dafdb4c, 1)
CONSTANT(fldl2e, 0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88, 0)
CONSTANT(fldlg2, 0x9a209a84fbcff798, 0x8f8959ac0b7c9178, -2)
CONSTANT(fldln2, 0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af, -1)

/* --- stores --- */

/* An unmasked overflow or underflow leaves memory and stack alone (8.5.4,
 * 8.5.5). */
static bool is_stored(const struct f80_env *env)
{
    return !(env->flags & env->unmasked &
             (SF_PRE | SF_OVERFLOW | SF_UNDERFLOW));
}

/* What is not stored must be possible to store: a fault comes first. */
static void put_number(struct cpu *cpu, const struct insn *in,
                       const struct f80_env *env, uint64_t v)
{
    if (is_stored(env))
        guest_write(cpu, in, 0, v);
    else
        guest_probe_store(cpu, in->seg, guest_address(cpu, in), in->op[0].size);
}

static void put_tenbyte(struct cpu *cpu, const struct insn *in,
                        const struct f80_env *env, const uint8_t bytes[TENBYTE])
{
    uint64_t off = tenbyte_address(cpu, in, ACCESS_WRITE);

    if (is_stored(env))
        guest_store_bytes(cpu, in->seg, off, bytes, TENBYTE);
    else
        guest_probe_store(cpu, in->seg, off, TENBYTE);
}

static void put_extended(struct cpu *cpu, const struct insn *in,
                         const struct f80_env *env, struct fpreg v)
{
    uint8_t bytes[TENBYTE];

    store64(bytes, v.frac);
    store16(bytes + 8, v.exp);
    put_tenbyte(cpu, in, env, bytes);
}

static void finish_store(struct cpu *cpu, const struct insn *in,
                         const struct f80_env *env, bool pop)
{
    fpu_commit(cpu, in, env, FPU_CC_KEEP);
    if (pop && is_stored(env))
        fpu_pop(&cpu->fpu);
}

/* To single or double. */
static void store_number(struct cpu *cpu, const struct insn *in,
                         struct f80_env *env, const struct f80 *a)
{
    uint64_t v = in->op[0].size == 4 ? f80_to_single(env, a)
                                     : f80_to_double(env, a);

    put_number(cpu, in, env, v);
}

static void store(struct cpu *cpu, const struct insn *in, bool pop)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    const struct operand *o = &in->op[0];

    if (o->kind == OPND_ST) {
        if (!fpu_commit(cpu, in, &env, FPU_CC_KEEP))
            return;
        fpu_set(&cpu->fpu, o->reg, a.bits);
        if (pop)
            fpu_pop(&cpu->fpu);
        return;
    }
    if (o->size != 10)
        store_number(cpu, in, &env, &a);
    else
        put_extended(cpu, in, &env, a.bits);
    finish_store(cpu, in, &env, pop);
}

void op_fst(struct cpu *cpu, const struct insn *in)
{
    store(cpu, in, false);
}

void op_fstp(struct cpu *cpu, const struct insn *in)
{
    store(cpu, in, true);
}

/* D9 /3: pops an empty register without a fault, and then writes nothing. */
void op_fstp1(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = {0};

    if (!fpu_is_empty(&cpu->fpu, 0)) {
        store(cpu, in, true);
        return;
    }
    fpu_commit(cpu, in, &env, FPU_CC_KEEP);
    fpu_pop(&cpu->fpu);
}

static void store_int(struct cpu *cpu, const struct insn *in,
                      struct f80_env env, bool pop)
{
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    int64_t v = f80_to_int(&env, &a, in->op[0].size);

    put_number(cpu, in, &env, (uint64_t)v);
    finish_store(cpu, in, &env, pop);
}

void op_fist(struct cpu *cpu, const struct insn *in)
{
    store_int(cpu, in, fpu_env(&cpu->fpu), false);
}

void op_fistp(struct cpu *cpu, const struct insn *in)
{
    store_int(cpu, in, fpu_env(&cpu->fpu), true);
}

void op_fisttp(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = fpu_env(&cpu->fpu);

    env.round = ROUND_ZERO;
    store_int(cpu, in, env, true);
}

void op_fbstp(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    uint8_t bcd[F80_BCD_SIZE];

    f80_to_bcd(&env, &a, bcd);
    put_tenbyte(cpu, in, &env, bcd);
    finish_store(cpu, in, &env, true);
}

/* --- within the stack --- */

void op_fxch(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    unsigned i = in->op[1].reg;
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    struct f80 b = fpu_operand(&cpu->fpu, i, &env);

    if (!fpu_commit(cpu, in, &env, FPU_CC_KEEP))
        return;
    fpu_set(&cpu->fpu, i, a.bits);
    fpu_set(&cpu->fpu, 0, b.bits);
}

/* Bit 0 and 1 of the row's ModRM.reg choose among B, E, BE, U; map DB negates
 * (SDM vol. 2, FCMOVcc). */
static bool fcmov_condition(const struct cpu *cpu, const struct insn *in)
{
    static const uint8_t conditions[4] = {2, 4, 6, 10}; /* B E BE P */
    unsigned cc = conditions[in->modrm >> 3 & 3];

    return flags_cond(in->map == 0xdb ? cc ^ 1 : cc, cpu->aflags);
}

void op_fcmov(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    struct f80 b = fpu_operand(&cpu->fpu, in->op[1].reg, &env);
    bool holds = fcmov_condition(cpu, in);

    if (!fpu_stack_fault(&env))
        env.up = cpu->fpu.sw & FPU_SW_C1; /* stays */
    if (!fpu_commit(cpu, in, &env, FPU_CC_KEEP))
        return;
    if (fpu_stack_fault(&env))
        fpu_set(&cpu->fpu, 0, f80_default_nan());
    else
        fpu_set(&cpu->fpu, 0, holds ? b.bits : a.bits);
}

/* FFREE, FFREEP, FINCSTP and FDECSTP look at no register, so they have no
 * stack fault. */
static void touch(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = {0};

    fpu_commit(cpu, in, &env, FPU_CC_KEEP);
}

void op_ffree(struct cpu *cpu, const struct insn *in)
{
    touch(cpu, in);
    fpu_free(&cpu->fpu, in->op[0].reg);
}

void op_ffreep(struct cpu *cpu, const struct insn *in)
{
    touch(cpu, in);
    fpu_free(&cpu->fpu, in->op[0].reg);
    fpu_pop(&cpu->fpu);
}

void op_fincstp(struct cpu *cpu, const struct insn *in)
{
    touch(cpu, in);
    fpu_move_top(&cpu->fpu, 1);
}

void op_fdecstp(struct cpu *cpu, const struct insn *in)
{
    touch(cpu, in);
    fpu_move_top(&cpu->fpu, 7);
}
