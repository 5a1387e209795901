/* The processor as a field table (base/state.h), and what a load implies. */

#include "base/state.h"
#include "cpu/cpu.h"
#include "cpu/debugreg.h"
#include "cpu/segment.h"
#include "cpu/xsave.h"

#define SEGMENT(member)                                                   \
    FIELD(struct cpu, member.sel), FIELD(struct cpu, member.attr),        \
        FIELD(struct cpu, member.limit), FIELD(struct cpu, member.base)
#define TABLE_REG(member) \
    FIELD(struct cpu, member.base), FIELD(struct cpu, member.limit)
#define FPREG(i) \
    FIELD(struct cpu, fpu.r[i].frac), FIELD(struct cpu, fpu.r[i].exp)
#define MSR_FIELD(name) FIELD(struct cpu, msr.name)

const struct field cpu_state[] = {
    FIELD_ARRAY(struct cpu, gpr),
    FIELD(struct cpu, rip),
    FIELD(struct cpu, aflags),
    FIELD(struct cpu, eflags),
    SEGMENT(seg[ES]), SEGMENT(seg[CS]), SEGMENT(seg[SS]),
    SEGMENT(seg[DS]), SEGMENT(seg[FS]), SEGMENT(seg[GS]),
    FIELD_BUFFER(struct cpu, xmm),
    FIELD(struct cpu, mxcsr),
    FPREG(0), FPREG(1), FPREG(2), FPREG(3),
    FPREG(4), FPREG(5), FPREG(6), FPREG(7),
    FIELD(struct cpu, fpu.cw),
    FIELD(struct cpu, fpu.sw),
    FIELD(struct cpu, fpu.tags),
    FIELD(struct cpu, fpu.opcode),
    FIELD(struct cpu, fpu.ds),
    FIELD(struct cpu, fpu.cs),
    FIELD(struct cpu, fpu.ip),
    FIELD(struct cpu, fpu.dp),
    FIELD(struct cpu, cpl),
    FIELD(struct cpu, halted),
    FIELD(struct cpu, nmi_masked),
    FIELD(struct cpu, nmi_pending),
    FIELD(struct cpu, intr_line),
    FIELD(struct cpu, ignne),
    FIELD(struct cpu, shadow_rip),
    FIELD(struct cpu, shadow),
    FIELD(struct cpu, shadow_db),
    FIELD(struct cpu, shutdown),
    FIELD(struct cpu, pending_db),
    SEGMENT(ldtr), SEGMENT(tr),
    TABLE_REG(gdtr), TABLE_REG(idtr),
    FIELD(struct cpu, cr0),
    FIELD(struct cpu, cr2),
    FIELD(struct cpu, cr3),
    FIELD(struct cpu, cr4),
    FIELD(struct cpu, efer),
    FIELD(struct cpu, xcr0),
    FIELD_ARRAY(struct cpu, mmu.regs.pdpte),
    FIELD_ARRAY(struct cpu, dr),
    MSR_FIELD(star), MSR_FIELD(lstar), MSR_FIELD(cstar), MSR_FIELD(fmask),
    MSR_FIELD(kernel_gs_base), MSR_FIELD(tsc_aux), MSR_FIELD(sysenter_cs),
    MSR_FIELD(sysenter_esp), MSR_FIELD(sysenter_eip), MSR_FIELD(apic_base),
    MSR_FIELD(pat), MSR_FIELD(mtrr_def_type), MSR_FIELD(misc_enable),
    MSR_FIELD(tsc_adjust), MSR_FIELD(xss),
    FIELD_ARRAY(struct cpu, msr.mtrr_var),
    FIELD_ARRAY(struct cpu, msr.mtrr_fix),
    MSR_FIELD(mcg_status),
    FIELD_ARRAY(struct cpu, msr.mci),
    FIELD(struct cpu, tsc_hz),
    FIELD(struct cpu, tsc_offset),
    FIELD(struct cpu, random),
    FIELD_END,
};

/* Combinations that no instruction can make (SDM vol. 3, 2.5, 2.6, 4.1.1). */
static bool is_possible(const struct cpu *cpu)
{
    bool paging = cpu->cr0 & CR0_PG, pe = cpu->cr0 & CR0_PE;
    bool lma = cpu->efer & EFER_LMA;

    if (cpu->cpl > 3 || cpu->tsc_hz == 0 || (paging && !pe))
        return false;
    if (lma != (paging && (cpu->efer & EFER_LME)))
        return false;
    if (lma && (!(cpu->cr4 & CR4_PAE) || (cpu->eflags & FLAG_VM)))
        return false;
    if (!xsave_xcr0_is_legal(cpu, cpu->xcr0))
        return false;
    return !(cpu->eflags & FLAGS_ARITH);
}

bool cpu_state_loaded(struct cpu *cpu)
{
    uint64_t pdpte[4];

    if (!is_possible(cpu))
        return false;
    for (unsigned i = 0; i < 4; i++)
        pdpte[i] = cpu->mmu.regs.pdpte[i];
    /* The PDPTEs in memory may be others by now: the saved ones count. */
    mmu_reset(&cpu->mmu);
    mmu_set_cr3(&cpu->mmu, cpu->cr3, false);
    mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr4, cpu->efer);
    for (unsigned i = 0; i < 4; i++)
        cpu->mmu.regs.pdpte[i] = pdpte[i];
    cpu->delivering = -1;
    cpu->delivering_ext = false;
    cpu->step_trap = false;
    cpu->next_rip = cpu->rip;
    cpu->insn_rsp = cpu->gpr[RSP];
    debug_update(cpu);
    cpu_update_mode(cpu);
    cpu_update_stop(cpu);
    return true;
}
