#include "cpu/fpu.h"

#include "cpu/fault.h"

/* With NE clear the board is told, and the processor stops until an interrupt
 * comes, unless the board has it ignore errors (SDM vol. 1, 8.7.2, D.2). */
void fpu_check_pending(struct cpu *cpu)
{
    if (likely(!(cpu->fpu.sw & FPU_SW_ES)))
        return;
    if (cpu->cr0 & CR0_NE)
        cpu_raise(cpu, EXC_MF);
    if (cpu->ignne || !cpu->bus.ferr)
        return;
    cpu->bus.ferr(cpu->bus.owner, true);
    cpu_freeze(cpu);
}

void fpu_ignore_error(struct cpu *cpu)
{
    cpu->ignne = cpu->fpu.sw & FPU_SW_ES;
}

/* CVTPI2PS and CVTPI2PD have an MMX source; from memory, they leave the x87
 * alone. */
static bool touches_x87(const struct insn *in, uint32_t attrs)
{
    if (attrs & A_MMX)
        return in->op[0].kind != OPND_XMM || in->op[1].kind == OPND_MM;
    return (attrs & (A_FPU | A_WAIT)) == A_FPU;
}

/* SDM vol. 1, 14.3; vol. 2, 2.4: CR0.EM does not concern AVX. */
static void check_avx(struct cpu *cpu)
{
    const unsigned avx = XCR0_SSE | XCR0_AVX;

    if (!(cpu->cr4 & CR4_OSXSAVE) || (cpu->xcr0 & avx) != avx)
        cpu_raise(cpu, EXC_UD);
    if (cpu->cr0 & CR0_TS)
        cpu_raise(cpu, EXC_NM);
}

/* SDM vol. 3, tables 2-2 (CR0.EM, MP, TS), 12-1 and 13-1. */
void cpu_check_fpu(struct cpu *cpu, const struct insn *in)
{
    uint32_t attrs = insn_info[in->id].attrs;

    if (attrs & A_AVX) {
        check_avx(cpu);
        return;
    }
    if ((attrs & (A_MMX | A_SSE)) && (cpu->cr0 & CR0_EM))
        cpu_raise(cpu, EXC_UD);
    if ((attrs & A_SSE) && !(cpu->cr4 & CR4_OSFXSR))
        cpu_raise(cpu, EXC_UD);
    if (cpu->cr0 & (CR0_EM | CR0_TS))
        cpu_raise(cpu, EXC_NM);
    if (touches_x87(in, attrs))
        fpu_check_pending(cpu);
}
