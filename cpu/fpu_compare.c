/*
 * Comparisons, to the condition codes or to EFLAGS, and FXAM (SDM vol. 1,
 * 8.3.6 and tables 8-6, 8-7).
 */

#include "base/bits.h"
#include "cpu/fpu_host.h"
#include "cpu/fpu_run.h"
#include "cpu/guest.h"
#include "cpu/ops.h"

enum { UNORDERED_CODE = FPU_SW_C3 | FPU_SW_C2 | FPU_SW_C0 };

static int code_of(enum sf_order order)
{
    switch (order) {
    case SF_LESS: return FPU_SW_C0;
    case SF_EQUAL: return FPU_SW_C3;
    case SF_GREATER: return 0;
    case SF_UNORDERED: break;
    }
    return UNORDERED_CODE;
}

/* How an instruction compares. */
enum manner {
    SIGNALS = 1 << 0, /* a quiet NaN is invalid */
    POP = 1 << 1,
    POP_TWICE = 1 << 2,
};

static enum sf_order order_of(struct cpu *cpu, struct f80_env *env,
                              const struct f80 *source, unsigned reg,
                              unsigned manner)
{
    struct f80 a = fpu_operand(&cpu->fpu, 0, env), b;

    b = source ? *source : fpu_operand(&cpu->fpu, reg, env);
    if (fpu_stack_fault(env))
        return SF_UNORDERED;
    return f80_compare(env, &a, &b, manner & SIGNALS);
}

static void pop_after(struct fpu *fpu, unsigned manner)
{
    if (manner & (POP | POP_TWICE))
        fpu_pop(fpu);
    if (manner & POP_TWICE)
        fpu_pop(fpu);
}

/* ST(0) with *source, or if that is NULL with ST(reg). */
static void compare(struct cpu *cpu, const struct insn *in,
                    const struct f80 *source, unsigned reg, unsigned manner)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    enum sf_order order = order_of(cpu, &env, source, reg, manner);

    if (fpu_commit(cpu, in, &env, code_of(order)))
        pop_after(&cpu->fpu, manner);
}

/* --- to the condition codes --- */

static void compare_real(struct cpu *cpu, const struct insn *in,
                         unsigned manner)
{
    struct f80 source;
    uint64_t v;

    if (in->op[1].kind == OPND_ST) {
        compare(cpu, in, NULL, in->op[1].reg, manner);
        return;
    }
    v = guest_read(cpu, in, 1);
    source = in->op[1].size == 4 ? f80_from_single((uint32_t)v)
                                 : f80_from_double(v);
    compare(cpu, in, &source, 0, manner);
}

static void compare_integer(struct cpu *cpu, const struct insn *in,
                            unsigned manner)
{
    uint64_t v = bits_sext(guest_read(cpu, in, 1), 8u * in->op[1].size);
    struct f80 source = f80_from_int((int64_t)v);

    compare(cpu, in, &source, 0, manner);
}

static void compare_next(struct cpu *cpu, const struct insn *in,
                         unsigned manner)
{
    compare(cpu, in, NULL, 1, manner);
}

static void compare_zero(struct cpu *cpu, const struct insn *in,
                         unsigned manner)
{
    struct f80 zero = f80_of(f80_zero(false));

    compare(cpu, in, &zero, 0, manner);
}

/* --- to EFLAGS --- */

/* OF, SF and AF become 0. */
static void set_flags(struct cpu *cpu, enum sf_order order)
{
    uint32_t flags = 0;

    if (order == SF_LESS || order == SF_UNORDERED)
        flags |= FLAG_CF;
    if (order == SF_EQUAL || order == SF_UNORDERED)
        flags |= FLAG_ZF;
    if (order == SF_UNORDERED)
        flags |= FLAG_PF;
    cpu->aflags = aflags_from_eflags(flags);
}

/* C1 becomes 0 (SDM vol. 2, FCOMI), but AMD's processors leave it alone unless
 * there is a stack fault. */
static void compare_flags(struct cpu *cpu, const struct insn *in,
                          unsigned manner)
{
    struct f80_env env = fpu_env(&cpu->fpu);
    enum sf_order order = order_of(cpu, &env, NULL, in->op[1].reg, manner);

    if (!fpu_stack_fault(&env) && fpu_host_comi_keeps_c1())
        env.up = cpu->fpu.sw & FPU_SW_C1;
    set_flags(cpu, order);
    if (fpu_commit(cpu, in, &env, FPU_CC_KEEP))
        pop_after(&cpu->fpu, manner);
}

#define COMPARE(name, how, manner)                         \
    void op_##name(struct cpu *cpu, const struct insn *in) \
    {                                                      \
        how(cpu, in, manner);                              \
    }

COMPARE(fcom, compare_real, SIGNALS)
COMPARE(fcomp, compare_real, SIGNALS | POP)
COMPARE(fcompp, compare_next, SIGNALS | POP_TWICE)
COMPARE(ficom, compare_integer, SIGNALS)
COMPARE(ficomp, compare_integer, SIGNALS | POP)
COMPARE(fucom, compare_real, 0)
COMPARE(fucomp, compare_real, POP)
COMPARE(fucompp, compare_next, POP_TWICE)
COMPARE(ftst, compare_zero, SIGNALS)
COMPARE(fcomi, compare_flags, SIGNALS)
COMPARE(fcomip, compare_flags, SIGNALS | POP)
COMPARE(fucomi, compare_flags, 0)
COMPARE(fucomip, compare_flags, POP)

/* --- FXAM --- */

/* Table 8-6, by class. */
static const uint16_t class_codes[] = {
    [F80_UNSUPPORTED] = 0,
    [F80_ZERO] = FPU_SW_C3,
    [F80_DENORMAL] = FPU_SW_C3 | FPU_SW_C2,
    [F80_NORMAL] = FPU_SW_C2,
    [F80_INFINITY] = FPU_SW_C2 | FPU_SW_C0,
    [F80_QNAN] = FPU_SW_C0,
    [F80_SNAN] = FPU_SW_C0,
};

/* C1 is the sign, of an empty register too. */
void op_fxam(struct cpu *cpu, const struct insn *in)
{
    struct f80 a = f80_of(fpu_get(&cpu->fpu, 0));
    struct f80_env env = {0};
    int code = class_codes[a.class];

    if (fpu_is_empty(&cpu->fpu, 0))
        code = FPU_SW_C3 | FPU_SW_C0;
    fpu_commit(cpu, in, &env, code | (f80_sign(&a) ? FPU_SW_C1 : 0));
}
