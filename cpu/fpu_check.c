#include "cpu/fpu.h"

#include "cpu/fault.h"

void fpu_check_pending(struct cpu *cpu)
{
    if (likely(!(cpu->fpu.sw & FPU_SW_ES)))
        return;
    if (cpu->cr0 & CR0_NE)
        cpu_raise(cpu, EXC_MF);
    if (cpu->bus.ferr)
        cpu->bus.ferr(cpu->bus.owner, true);
}

/* CVTPI2PS and CVTPI2PD have an MMX source; from memory, they leave the x87
 * alone. */
static bool touches_x87(const struct insn *in, uint32_t attrs)
{
    if (attrs & A_MMX)
        return in->op[0].kind != OPND_XMM || in->op[1].kind == OPND_MM;
    return (attrs & (A_FPU | A_WAIT)) == A_FPU;
}

/* SDM vol. 3, tables 2-2 (CR0.EM, MP, TS), 12-1 and 13-1. */
void cpu_check_fpu(struct cpu *cpu, const struct insn *in)
{
    uint32_t attrs = insn_info[in->id].attrs;

    if ((attrs & (A_MMX | A_SSE)) && (cpu->cr0 & CR0_EM))
        cpu_raise(cpu, EXC_UD);
    if ((attrs & A_SSE) && !(cpu->cr4 & CR4_OSFXSR))
        cpu_raise(cpu, EXC_UD);
    if (cpu->cr0 & (CR0_EM | CR0_TS))
        cpu_raise(cpu, EXC_NM);
    if (touches_x87(in, attrs))
        fpu_check_pending(cpu);
}
