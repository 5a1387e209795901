/*
 * Arithmetic on the stack (SDM vol. 1, 8.3.5 and 8.3.6).  Operand 0 of the
 * two-operand instructions is the destination, operand 1 the other operand.
 */

#include "base/bits.h"
#include "cpu/fpu_run.h"
#include "cpu/guest.h"
#include "cpu/ops.h"

/* --- two operands --- */

/* A pending result of ST(in->op[0].reg). */
static void binary(struct cpu *cpu, const struct insn *in, f80_binary *op,
                   const struct f80 *source, bool reversed, bool pop)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    unsigned to = in->op[0].reg;
    struct f80 a = fpu_operand(&cpu->fpu, to, &env), b;
    struct fpreg r = f80_default_nan();

    b = source ? *source : fpu_operand(&cpu->fpu, in->op[1].reg, &env);
    if (!fpu_stack_fault(&env))
        r = reversed ? op(&env, &b, &a) : op(&env, &a, &b);
    if (!fpu_commit(cpu, in, &env, FPU_CC_KEEP))
        return;
    fpu_set(&cpu->fpu, to, r);
    if (pop)
        fpu_pop(&cpu->fpu);
}

/* With a register, or a single or double number. */
static void real(struct cpu *cpu, const struct insn *in, f80_binary *op,
                 bool reversed)
{
    struct f80 source;
    uint64_t v;

    if (in->op[1].kind == OPND_ST) {
        binary(cpu, in, op, NULL, reversed, false);
        return;
    }
    v = guest_read(cpu, in, 1);
    source = in->op[1].size == 4 ? f80_from_single((uint32_t)v)
                                 : f80_from_double(v);
    binary(cpu, in, op, &source, reversed, false);
}

static void integer(struct cpu *cpu, const struct insn *in, f80_binary *op,
                    bool reversed)
{
    uint64_t v = bits_sext(guest_read(cpu, in, 1), 8u * in->op[1].size);
    struct f80 source = f80_from_int((int64_t)v);

    binary(cpu, in, op, &source, reversed, false);
}

static void popping(struct cpu *cpu, const struct insn *in, f80_binary *op,
                    bool reversed)
{
    binary(cpu, in, op, NULL, reversed, true);
}

#define BINARY(name, how, op, reversed)                    \
    void op_##name(struct cpu *cpu, const struct insn *in) \
    {                                                      \
        how(cpu, in, op, reversed);                        \
    }

BINARY(fadd, real, f80_add, false)
BINARY(fmul, real, f80_mul, false)
BINARY(fsub, real, f80_sub, false)
BINARY(fsubr, real, f80_sub, true)
BINARY(fdiv, real, f80_div, false)
BINARY(fdivr, real, f80_div, true)
BINARY(fiadd, integer, f80_add, false)
BINARY(fimul, integer, f80_mul, false)
BINARY(fisub, integer, f80_sub, false)
BINARY(fisubr, integer, f80_sub, true)
BINARY(fidiv, integer, f80_div, false)
BINARY(fidivr, integer, f80_div, true)
BINARY(faddp, popping, f80_add, false)
BINARY(fmulp, popping, f80_mul, false)
BINARY(fsubp, popping, f80_sub, false)
BINARY(fsubrp, popping, f80_sub, true)
BINARY(fdivp, popping, f80_div, false)
BINARY(fdivrp, popping, f80_div, true)

/* --- ST(0) alone --- */

static void unary(struct cpu *cpu, const struct insn *in, f80_unary *op)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    struct fpreg r = a.bits;

    if (!fpu_stack_fault(&env))
        r = op(&env, &a);
    if (fpu_commit(cpu, in, &env, FPU_CC_KEEP))
        fpu_set(&cpu->fpu, 0, r);
}

/* Sign bits are changed whatever the register holds. */
static struct fpreg change_sign(struct f80_env *env, const struct f80 *a)
{
    (void)env;
    return (struct fpreg){a->bits.frac, a->bits.exp ^ 0x8000};
}

static struct fpreg clear_sign(struct f80_env *env, const struct f80 *a)
{
    (void)env;
    return (struct fpreg){a->bits.frac, a->bits.exp & F80_EXP_MAX};
}

void op_fchs(struct cpu *cpu, const struct insn *in)
{
    unary(cpu, in, change_sign);
}

void op_fabs(struct cpu *cpu, const struct insn *in)
{
    unary(cpu, in, clear_sign);
}

void op_fsqrt(struct cpu *cpu, const struct insn *in)
{
    unary(cpu, in, f80_sqrt);
}

void op_frndint(struct cpu *cpu, const struct insn *in)
{
    unary(cpu, in, f80_round_int);
}

/* --- ST(0) by ST(1) --- */

void op_fscale(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    struct f80 b = fpu_operand(&cpu->fpu, 1, &env);
    struct fpreg r = f80_default_nan();

    if (!fpu_stack_fault(&env))
        r = f80_scale(&env, &a, &b);
    if (fpu_commit(cpu, in, &env, FPU_CC_KEEP))
        fpu_set(&cpu->fpu, 0, r);
}

/* The quotient's three low bits in C0, C3, C1.  Without a quotient C0 and C3
 * stay. */
static int quotient_code(const struct fpu *fpu, const struct f80_remainder *r)
{
    if (r->none)
        return fpu->sw & (FPU_SW_C0 | FPU_SW_C3);
    if (r->partial)
        return FPU_SW_C2;
    return (r->quotient & 4 ? FPU_SW_C0 : 0) |
           (r->quotient & 2 ? FPU_SW_C3 : 0) |
           (r->quotient & 1 ? FPU_SW_C1 : 0);
}

static void remainder_of(struct cpu *cpu, const struct insn *in,
                         enum softnum_round round)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    struct f80 b = fpu_operand(&cpu->fpu, 1, &env);
    struct f80_remainder r = {.value = f80_default_nan(), .none = true};

    if (!fpu_stack_fault(&env))
        r = f80_rem(&env, &a, &b, round);
    if (fpu_commit(cpu, in, &env, quotient_code(&cpu->fpu, &r)))
        fpu_set(&cpu->fpu, 0, r.value);
}

void op_fprem(struct cpu *cpu, const struct insn *in)
{
    remainder_of(cpu, in, ROUND_ZERO);
}

void op_fprem1(struct cpu *cpu, const struct insn *in)
{
    remainder_of(cpu, in, ROUND_NEAREST);
}

/* Exponent to ST(0), then the significand is pushed. */
void op_fxtract(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    struct fpreg exponent = a.bits, significand = a.bits;

    if (fpu_stack_fault(&env))
        exponent = significand = f80_default_nan();
    else if (!fpu_is_empty(&cpu->fpu, 7))
        exponent = significand = fpu_overflow(&env);
    else
        exponent = f80_extract(&env, &a, &significand);
    if (!fpu_commit(cpu, in, &env, FPU_CC_KEEP))
        return;
    fpu_set(&cpu->fpu, 0, exponent);
    fpu_push(&cpu->fpu, significand);
}
