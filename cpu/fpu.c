#include "cpu/fpu_run.h"

#include "cpu/guest.h"

/* SDM vol. 1, table 8-2; 01 is reserved. */
static const uint8_t digits_of_pc[4] = {24, 64, 53, 64};

struct f80_env fpu_env(const struct fpu *fpu)
{
    struct f80_env env = {
        .round = fpu->cw >> FPU_CW_RC_SHIFT & 3,
        .digits = digits_of_pc[fpu->cw >> FPU_CW_PC_SHIFT & 3],
        .unmasked = (uint8_t)(~fpu->cw & FPU_SW_EXC),
    };

    return env;
}

/* C1 tells them apart (8.5.1.1). */
struct fpreg fpu_underflow(struct f80_env *env)
{
    env->flags |= FPU_SW_SF;
    env->up = false;
    return f80_invalid(env);
}

struct fpreg fpu_overflow(struct f80_env *env)
{
    env->flags |= FPU_SW_SF;
    env->up = true;
    return f80_invalid(env);
}

struct f80 fpu_operand(const struct fpu *fpu, unsigned i, struct f80_env *env)
{
    if (unlikely(fpu_is_empty(fpu, i)))
        return f80_of(fpu_underflow(env));
    return f80_of(fpu_get(fpu, i));
}

void fpu_note_pointers(struct cpu *cpu, const struct insn *in)
{
    struct fpu *fpu = &cpu->fpu;

    fpu->ip = cpu->rip;
    fpu->cs = cpu->seg[CS].sel;
    fpu->opcode = (uint16_t)((in->map & 7u) << 8 | in->modrm);
    if (in->modrm < 0xc0) {
        fpu->dp = guest_address(cpu, in);
        fpu->ds = cpu->seg[in->seg].sel;
    }
}

bool fpu_commit(struct cpu *cpu, const struct insn *in,
                const struct f80_env *env, int cc)
{
    struct fpu *fpu = &cpu->fpu;
    unsigned sw = fpu->sw & ~(unsigned)FPU_SW_C1;

    fpu_note_pointers(cpu, in);
    if (cc != FPU_CC_KEEP)
        sw = (sw & ~(unsigned)FPU_SW_CC) | (unsigned)cc;
    fpu->sw = (uint16_t)(sw | env->flags | (env->up ? FPU_SW_C1 : 0));
    if (unlikely(env->flags & env->unmasked))
        fpu_update_summary(fpu);
    return !f80_stopped(env);
}

void fpu_control_changed(struct cpu *cpu, uint16_t old_cw)
{
    bool pending = cpu->fpu.sw & FPU_SW_ES;

    fpu_update_summary(&cpu->fpu);
    if ((cpu->fpu.cw ^ old_cw) & FPU_SW_EXC)
        cpu_update_mode(cpu); /* MODE_FPU_EXC */
    if (!pending || (cpu->fpu.sw & FPU_SW_ES))
        return;
    cpu->ignne = false;
    if (cpu->bus.ferr)
        cpu->bus.ferr(cpu->bus.owner, false);
}
