/*
 * Descriptor-table registers, TLB and cache control, HLT, clocks and counters,
 * RDMSR and WRMSR (SDM vol. 2).
 */

#include "base/bits.h"
#include "base/bytes.h"
#include "cpu/control.h"
#include "cpu/fault.h"
#include "cpu/guest.h"
#include "cpu/msr.h"
#include "cpu/ops.h"
#include "cpu/segment.h"

/* --- GDTR, IDTR --- */

/* Limit and base at in's memory operand.  A 16-bit operand holds 24 bits of
 * base. */
static struct table_reg load_table(struct cpu *cpu, const struct insn *in)
{
    uint64_t at = guest_address(cpu, in), mask = bits_mask(8u * in->addrsize);
    unsigned size = cpu_code64(cpu) ? 8 : 4;
    struct table_reg t;

    t.limit = (uint16_t)guest_load(cpu, in->seg, at, 2);
    t.base = guest_load(cpu, in->seg, (at + 2) & mask, size);
    if (size == 4 && in->opsize == 2)
        t.base &= 0xffffff;
    if (!laddr_is_canonical(t.base))
        cpu_raise_error(cpu, EXC_GP, 0);
    return t;
}

void op_lgdt(struct cpu *cpu, const struct insn *in)
{
    control_need_cpl0(cpu);
    cpu->gdtr = load_table(cpu, in);
}

void op_lidt(struct cpu *cpu, const struct insn *in)
{
    control_need_cpl0(cpu);
    cpu->idtr = load_table(cpu, in);
}

/* All 32 bits of the base, whatever the operand size: so do processors since
 * the 386. */
static void store_table(struct cpu *cpu, const struct insn *in,
                        const struct table_reg *t)
{
    unsigned size = cpu_code64(cpu) ? 8 : 4;
    uint8_t bytes[10];

    control_need_umip(cpu);
    store16(bytes, t->limit);
    store_sized(bytes + 2, t->base, size);
    guest_store_bytes(cpu, in->seg, guest_address(cpu, in), bytes, 2 + size);
}

void op_sgdt(struct cpu *cpu, const struct insn *in)
{
    store_table(cpu, in, &cpu->gdtr);
}

void op_sidt(struct cpu *cpu, const struct insn *in)
{
    store_table(cpu, in, &cpu->idtr);
}

/* --- TLB and caches --- */

/* No limit is checked; an address that is not canonical does nothing. */
void op_invlpg(struct cpu *cpu, const struct insn *in)
{
    laddr la = guest_address(cpu, in);

    control_need_cpl0(cpu);
    if (!cpu_code64(cpu))
        la = (uint32_t)(la + cpu->seg[in->seg].base);
    else if (in->seg == FS || in->seg == GS)
        la += cpu->seg[in->seg].base;
    if (laddr_is_canonical(la))
        mmu_invlpg(&cpu->mmu, la);
}

void op_invpcid(struct cpu *cpu, const struct insn *in)
{
    uint64_t type = cpu->gpr[in->op[0].reg], pcid;
    uint8_t desc[16];
    laddr la;

    control_need_cpl0(cpu);
    if (in->op[0].size != 8)
        type = (uint32_t)type;
    if (type > 3)
        cpu_raise_error(cpu, EXC_GP, 0);
    guest_load_bytes(cpu, in->seg, guest_address(cpu, in), desc, sizeof(desc));
    pcid = load64(desc);
    la = load64(desc + 8);
    if (pcid >> 12 || (type == 0 && !laddr_is_canonical(la)))
        cpu_raise_error(cpu, EXC_GP, 0);
    if (type < 2 && pcid && !(cpu->cr4 & CR4_PCIDE))
        cpu_raise_error(cpu, EXC_GP, 0);
    mmu_invpcid(&cpu->mmu, (unsigned)type, (unsigned)pcid, la);
}

/* There are no caches to empty. */
void op_invd(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    control_need_cpl0(cpu);
}

void op_wbinvd(struct cpu *cpu, const struct insn *in)
{
    op_invd(cpu, in);
}

/* --- HLT --- */

void op_hlt(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    control_need_cpl0(cpu);
    cpu->halted = true;
}

/* --- time stamps and counters --- */

static void set_edx_eax(struct cpu *cpu, uint64_t v)
{
    cpu->gpr[RAX] = (uint32_t)v;
    cpu->gpr[RDX] = v >> 32;
}

static void need_tsc(struct cpu *cpu)
{
    if ((cpu->cr4 & CR4_TSD) && cpu->cpl != 0)
        cpu_raise_error(cpu, EXC_GP, 0);
}

void op_rdtsc(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    need_tsc(cpu);
    set_edx_eax(cpu, cpu_tsc(cpu));
}

void op_rdtscp(struct cpu *cpu, const struct insn *in)
{
    op_rdtsc(cpu, in);
    cpu->gpr[RCX] = (uint32_t)cpu->msr.tsc_aux;
}

/* No event is ever counted: CPUID reports no counters. */
void op_rdpmc(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    if (!(cpu->cr4 & CR4_PCE) && cpu->cpl != 0)
        cpu_raise_error(cpu, EXC_GP, 0);
    if ((uint32_t)cpu->gpr[RCX] > 1)
        cpu_raise_error(cpu, EXC_GP, 0);
    set_edx_eax(cpu, 0);
}

/* --- MSRs --- */

void op_rdmsr(struct cpu *cpu, const struct insn *in)
{
    uint64_t v = 0;

    (void)in;
    control_need_cpl0(cpu);
    if (!msr_read(cpu, (uint32_t)cpu->gpr[RCX], &v))
        cpu_raise_error(cpu, EXC_GP, 0);
    set_edx_eax(cpu, v);
}

void op_wrmsr(struct cpu *cpu, const struct insn *in)
{
    uint64_t v = (uint32_t)cpu->gpr[RAX] | cpu->gpr[RDX] << 32;

    (void)in;
    control_need_cpl0(cpu);
    if (!msr_write(cpu, (uint32_t)cpu->gpr[RCX], v))
        cpu_raise_error(cpu, EXC_GP, 0);
}
