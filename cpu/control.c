#include "cpu/control.h"

#include "base/bits.h"
#include "cpu/fault.h"
#include "cpu/guest.h"
#include "cpu/insn.h"
#include "cpu/ops.h"
#include "cpu/segment.h"

enum { CR0_LOW = CR0_PE | CR0_MP | CR0_EM | CR0_TS, CR3_PCID_BITS = 0xfff };

#define CR0_VALID                                                     \
    (CR0_PG | CR0_LOW | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD)
#define CR3_NO_FLUSH ((uint64_t)1 << 63)

void control_need_cpl0(struct cpu *cpu)
{
    if (cpu->cpl != 0)
        cpu_raise_error(cpu, EXC_GP, 0);
}

void control_need_umip(struct cpu *cpu)
{
    if ((cpu->cr4 & CR4_UMIP) && cpu->cpl != 0)
        cpu_raise_error(cpu, EXC_GP, 0);
}

/* --- what the MMU hears --- */

/* PAE paging loads its four top entries when it is switched on or changed; a
 * reserved bit in one stops the MOV (SDM vol. 3, 4.4.1). */
static bool pdptes_fit(struct cpu *cpu, uint64_t cr0, uint64_t cr4,
                       uint64_t efer)
{
    struct paging_regs regs = cpu->mmu.regs;

    if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE) || (efer & EFER_LMA))
        return true;
    return paging_load_pdptes(cpu->mmu.pm, &regs, cpu->cr3);
}

static void commit(struct cpu *cpu, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    cpu->cr0 = cr0;
    cpu->cr4 = cr4;
    cpu->efer = efer;
    mmu_set_control(&cpu->mmu, cr0, cr4, efer);
    cpu_update_mode(cpu);
}

/* --- CR0 --- */

/* Paging goes on with EFER.LME set: into long mode (SDM vol. 3, 9.8.5). */
static bool may_enter_long(const struct cpu *cpu)
{
    bool tss16 = (cpu->tr.attr & (ATTR_TYPE & ~SYS_TSS_BUSY)) == SYS_TSS16;

    return (cpu->cr4 & CR4_PAE) && !(cpu->seg[CS].attr & ATTR_L) && !tss16;
}

static bool cr0_is_legal(const struct cpu *cpu, uint64_t v)
{
    bool pg = v & CR0_PG, was_pg = cpu->cr0 & CR0_PG;

    if (v >> 32)
        return false;
    if ((pg && !(v & CR0_PE)) || ((v & CR0_NW) && !(v & CR0_CD)))
        return false;
    if (pg && !was_pg && (cpu->efer & EFER_LME))
        return may_enter_long(cpu);
    if (!pg && was_pg)
        return !cpu_code64(cpu) && !(cpu->cr4 & CR4_PCIDE);
    return true;
}

bool control_set_cr0(struct cpu *cpu, uint64_t v)
{
    uint64_t paging = CR0_PG | CR0_CD | CR0_NW, efer = cpu->efer;

    if (!cr0_is_legal(cpu, v))
        return false;
    v = (v & CR0_VALID) | CR0_ET;
    efer &= ~(uint64_t)EFER_LMA;
    if ((v & CR0_PG) && (efer & EFER_LME))
        efer |= EFER_LMA;
    if (((v ^ cpu->cr0) & paging) && !pdptes_fit(cpu, v, cpu->cr4, efer))
        return false;
    if (!(v & CR0_PE))
        cpu->cpl = 0;
    commit(cpu, v, cpu->cr4, efer);
    return true;
}

/* --- CR3 --- */

bool control_set_cr3(struct cpu *cpu, uint64_t v)
{
    bool keep = false;

    if (cpu->cr4 & CR4_PCIDE) {
        keep = v & CR3_NO_FLUSH;
        v &= ~CR3_NO_FLUSH;
    }
    if (cpu_long(cpu) && v >> PADDR_BITS)
        return false;
    if (!mmu_set_cr3(&cpu->mmu, v, keep))
        return false;
    cpu->cr3 = v;
    return true;
}

/* --- CR4 --- */

/* The features that bring each bit. */
static const struct {
    uint32_t bits;
    uint8_t feature;
} cr4_rows[] = {
    {CR4_VME | CR4_PVI, FEAT_VME},
    {CR4_TSD, FEAT_TSC},
    {CR4_DE, FEAT_DE},
    {CR4_PSE, FEAT_PSE},
    {CR4_PAE, FEAT_PAE},
    {CR4_MCE, FEAT_MCE},
    {CR4_PGE, FEAT_PGE},
    {CR4_PCE, FEAT_CMOV},
    {CR4_OSFXSR, FEAT_FXSR},
    {CR4_OSXMMEXCPT, FEAT_SSE},
    {CR4_UMIP, FEAT_UMIP},
    {CR4_FSGSBASE, FEAT_FSGSBASE},
    {CR4_PCIDE, FEAT_PCID},
    {CR4_OSXSAVE, FEAT_XSAVE},
    {CR4_SMEP, FEAT_SMEP},
    {CR4_SMAP, FEAT_SMAP},
};

static uint64_t cr4_valid(const struct cpu *cpu)
{
    uint64_t valid = 0;

    for (unsigned i = 0; i < array_len(cr4_rows); i++) {
        if (cpu_has(cpu, cr4_rows[i].feature))
            valid |= cr4_rows[i].bits;
    }
    return valid;
}

static bool cr4_is_legal(const struct cpu *cpu, uint64_t v)
{
    bool new_pcide = (v & CR4_PCIDE) && !(cpu->cr4 & CR4_PCIDE);

    if (v & ~cr4_valid(cpu))
        return false;
    if (cpu_long(cpu) && !(v & CR4_PAE))
        return false;
    return !new_pcide || (cpu_long(cpu) && !(cpu->cr3 & CR3_PCID_BITS));
}

bool control_set_cr4(struct cpu *cpu, uint64_t v)
{
    uint64_t paging = CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP;

    if (!cr4_is_legal(cpu, v))
        return false;
    if (((v ^ cpu->cr4) & paging) && !pdptes_fit(cpu, cpu->cr0, v, cpu->efer))
        return false;
    commit(cpu, cpu->cr0, v, cpu->efer);
    return true;
}

/* --- EFER --- */

bool control_set_efer(struct cpu *cpu, uint64_t v)
{
    uint64_t valid = EFER_LMA;

    if (cpu_has(cpu, FEAT_SYSCALL))
        valid |= EFER_SCE;
    if (cpu_has(cpu, FEAT_LM))
        valid |= EFER_LME;
    if (cpu_has(cpu, FEAT_NX))
        valid |= EFER_NXE;
    if (v & ~valid)
        return false;
    if (((v ^ cpu->efer) & EFER_LME) && (cpu->cr0 & CR0_PG))
        return false;
    v = (v & ~(uint64_t)EFER_LMA) | (cpu->efer & EFER_LMA);
    commit(cpu, cpu->cr0, cpu->cr4, v);
    return true;
}

/* --- MOV CRn --- */

static bool set_cr8(struct cpu *cpu, uint64_t v)
{
    if (v > 15)
        return false;
    if (cpu->bus.tpr_set)
        cpu->bus.tpr_set(cpu->bus.owner, (unsigned)v);
    return true;
}

static bool write_cr(struct cpu *cpu, unsigned n, uint64_t v)
{
    switch (n) {
    case 0: return control_set_cr0(cpu, v);
    case 2: cpu->cr2 = v; return true;
    case 3: return control_set_cr3(cpu, v);
    case 4: return control_set_cr4(cpu, v);
    default: return set_cr8(cpu, v);
    }
}

static uint64_t read_cr(struct cpu *cpu, unsigned n)
{
    switch (n) {
    case 0: return cpu->cr0;
    case 2: return cpu->cr2;
    case 3: return cpu->cr3;
    case 4: return cpu->cr4;
    default:
        return cpu->bus.tpr_get ? cpu->bus.tpr_get(cpu->bus.owner) & 15 : 0;
    }
}

static void need_cr(struct cpu *cpu, unsigned n)
{
    bool exists = n == 0 || (n >= 2 && n <= 4) || (n == 8 && cpu_code64(cpu));

    if (!exists)
        cpu_raise(cpu, EXC_UD);
    control_need_cpl0(cpu);
}

void op_mov_from_cr(struct cpu *cpu, const struct insn *in)
{
    uint64_t v;

    need_cr(cpu, in->op[1].reg);
    v = read_cr(cpu, in->op[1].reg);
    cpu->gpr[in->op[0].reg] = in->op[0].size == 8 ? v : (uint32_t)v;
}

void op_mov_to_cr(struct cpu *cpu, const struct insn *in)
{
    uint64_t v = cpu->gpr[in->op[1].reg];

    need_cr(cpu, in->op[0].reg);
    if (in->op[1].size != 8)
        v = (uint32_t)v;
    if (!write_cr(cpu, in->op[0].reg, v))
        cpu_raise_error(cpu, EXC_GP, 0);
}

/* --- the machine status word, CLTS --- */

/* PE can be set this way, not cleared. */
void op_lmsw(struct cpu *cpu, const struct insn *in)
{
    uint64_t v;

    control_need_cpl0(cpu);
    v = guest_read(cpu, in, 0) & CR0_LOW;
    v |= cpu->cr0 & ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS);
    if (!control_set_cr0(cpu, v))
        cpu_raise_error(cpu, EXC_GP, 0);
}

void op_smsw(struct cpu *cpu, const struct insn *in)
{
    control_need_umip(cpu);
    guest_write(cpu, in, 0, cpu->cr0);
}

void op_clts(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    control_need_cpl0(cpu);
    cpu->cr0 &= ~(uint64_t)CR0_TS;
    cpu_update_mode(cpu);
}
