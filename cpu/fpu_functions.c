/*
 * Transcendental instructions (SDM vol. 1, 8.3.7 to 8.3.11): by the host's x87
 * if it has one (fpu_host.h), else as follows.
 */

#include "cpu/float80_functions.h"
#include "cpu/fpu_host.h"
#include "cpu/fpu_run.h"
#include "cpu/ops.h"

/* Of the condition codes, these change C2 and C1 only. */
static bool commit_c2(struct cpu *cpu, const struct insn *in,
                      const struct f80_env *env, bool c2)
{
    int kept = cpu->fpu.sw & (FPU_SW_C0 | FPU_SW_C3);

    return fpu_commit(cpu, in, env, kept | (c2 ? FPU_SW_C2 : 0));
}

/* FSIN, FCOS: C2 tells that ST(0) was out of range and is as before. */
static void angle(struct cpu *cpu, const struct insn *in, f80_unary *function)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    bool out = f80_is_out_of_range(&a);
    struct fpreg r = a.bits;

    if (!out && !fpu_stack_fault(&env))
        r = function(&env, &a);
    if (commit_c2(cpu, in, &env, out))
        fpu_set(&cpu->fpu, 0, r);
}

static void fsin(struct cpu *cpu, const struct insn *in)
{
    angle(cpu, in, f80_sin);
}

static void fcos(struct cpu *cpu, const struct insn *in)
{
    angle(cpu, in, f80_cos);
}

/* FPTAN, FSINCOS: `first` replaces ST(0), `second` is pushed. */
static void angle_push(struct cpu *cpu, const struct insn *in, f80_unary *first,
                       f80_unary *second)
{
    struct f80_env env = fpu_env(&cpu->fpu), other;
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    bool out = f80_is_out_of_range(&a);
    struct fpreg r = a.bits, pushed = a.bits;

    if (!fpu_stack_fault(&env) && !fpu_is_empty(&cpu->fpu, 7)) {
        r = pushed = fpu_overflow(&env);
        out = false;
    } else if (!out && !fpu_stack_fault(&env)) {
        other = env;
        r = first(&env, &a);
        pushed = second(&other, &a);
        env.flags |= other.flags;
    }
    if (!commit_c2(cpu, in, &env, out) || out)
        return;
    fpu_set(&cpu->fpu, 0, r);
    fpu_push(&cpu->fpu, pushed);
}

/* 1, unless the tangent is a NaN: then that. */
static struct fpreg one_beside(struct f80_env *env, const struct f80 *a)
{
    struct fpreg r;

    if (f80_special(env, a, NULL, &r))
        return r;
    return a->class == F80_INFINITY ? f80_invalid(env) : f80_from_int(1).bits;
}

static void fptan(struct cpu *cpu, const struct insn *in)
{
    angle_push(cpu, in, f80_tan, one_beside);
}

static void fsincos(struct cpu *cpu, const struct insn *in)
{
    angle_push(cpu, in, f80_sin, f80_cos);
}

static void f2xm1(struct cpu *cpu, const struct insn *in)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80 a = fpu_operand(&cpu->fpu, 0, &env);
    struct fpreg r = a.bits;

    if (!fpu_stack_fault(&env))
        r = f80_exp2m1(&env, &a);
    if (fpu_commit(cpu, in, &env, FPU_CC_KEEP))
        fpu_set(&cpu->fpu, 0, r);
}

/* Of ST(1) and ST(0), to ST(1); then ST(0) is popped. */
static void pair(struct cpu *cpu, const struct insn *in, f80_binary *function)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    struct f80 x = fpu_operand(&cpu->fpu, 0, &env);
    struct f80 y = fpu_operand(&cpu->fpu, 1, &env);
    struct fpreg r = f80_default_nan();

    if (!fpu_stack_fault(&env))
        r = function(&env, &y, &x);
    if (!fpu_commit(cpu, in, &env, FPU_CC_KEEP))
        return;
    fpu_set(&cpu->fpu, 1, r);
    fpu_pop(&cpu->fpu);
}

static void fpatan(struct cpu *cpu, const struct insn *in)
{
    pair(cpu, in, f80_atan2);
}

static void fyl2x(struct cpu *cpu, const struct insn *in)
{
    pair(cpu, in, f80_ylog2x);
}

static void fyl2xp1(struct cpu *cpu, const struct insn *in)
{
    pair(cpu, in, f80_ylog2xp1);
}

/* --- the choice --- */

void fpu_portable_function(struct cpu *cpu, const struct insn *in)
{
    /* By the low four bits of ModRM. */
    static cpu_op *const functions[16] = {
        f2xm1,         fyl2x,          fptan,       fpatan,
        [9] = fyl2xp1, [11] = fsincos, [14] = fsin, [15] = fcos,
    };

    functions[in->modrm & 15](cpu, in);
}

static void run(struct cpu *cpu, const struct insn *in)
{
    if (fpu_host_run(&cpu->fpu, in->modrm))
        fpu_note_pointers(cpu, in);
    else
        fpu_portable_function(cpu, in);
}

#define FUNCTION(name)                                     \
    void op_##name(struct cpu *cpu, const struct insn *in) \
    {                                                      \
        run(cpu, in);                                      \
    }

FUNCTION(f2xm1)
FUNCTION(fyl2x)
FUNCTION(fptan)
FUNCTION(fpatan)
FUNCTION(fyl2xp1)
FUNCTION(fsincos)
FUNCTION(fsin)
FUNCTION(fcos)
