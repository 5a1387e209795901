/*
 * Instructions on the interrupt flag and on all of EFLAGS: CLI, STI, PUSHF,
 * POPF, CLAC, STAC, with the virtual interrupt flag of virtual-8086 (VME) and
 * protected mode (PVI) (SDM vol. 2; vol. 3, 20.3 and 20.4).
 */

#include "cpu/control.h"
#include "cpu/fault.h"
#include "cpu/guest.h"
#include "cpu/ops.h"
#include "cpu/segment.h"

enum {
    FLAGS_ANY_LEVEL = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT,
    FLAGS_UPPER = FLAG_AC | FLAG_ID,
};

/* Which flag CLI and STI act on here. */
enum if_owner { IF_REAL, IF_VIRTUAL, IF_NOT_ALLOWED };

static unsigned iopl(const struct cpu *cpu)
{
    return (cpu->eflags & FLAG_IOPL) >> 12;
}

static enum if_owner if_owner(const struct cpu *cpu)
{
    bool v86 = cpu->eflags & FLAG_VM;
    uint64_t virtual = v86 ? CR4_VME : CR4_PVI;

    if (!(cpu->cr0 & CR0_PE) || iopl(cpu) >= cpu->cpl)
        return IF_REAL;
    if (cpu->cpl == 3 && (cpu->cr4 & virtual))
        return IF_VIRTUAL;
    return IF_NOT_ALLOWED;
}

void op_cli(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    switch (if_owner(cpu)) {
    case IF_REAL: cpu->eflags &= ~(uint32_t)FLAG_IF; break;
    case IF_VIRTUAL: cpu->eflags &= ~(uint32_t)FLAG_VIF; break;
    case IF_NOT_ALLOWED: cpu_raise_error(cpu, EXC_GP, 0);
    }
    cpu_update_stop(cpu);
}

static void set_real_if(struct cpu *cpu)
{
    if (cpu->eflags & FLAG_IF)
        return;
    cpu->eflags |= FLAG_IF;
    cpu_hold_interrupts(cpu, false);
    cpu_update_stop(cpu);
}

void op_sti(struct cpu *cpu, const struct insn *in)
{
    enum if_owner owner = if_owner(cpu);

    (void)in;
    if (owner == IF_NOT_ALLOWED ||
        (owner == IF_VIRTUAL && (cpu->eflags & FLAG_VIP)))
        cpu_raise_error(cpu, EXC_GP, 0);
    if (owner == IF_VIRTUAL)
        cpu->eflags |= FLAG_VIF;
    else
        set_real_if(cpu);
}

/* Virtual-8086 code with IOPL below 3 needs VME, and 16-bit operands. */
static bool uses_virtual_flags(struct cpu *cpu, const struct insn *in)
{
    if (!(cpu->eflags & FLAG_VM) || iopl(cpu) == 3)
        return false;
    if (!(cpu->cr4 & CR4_VME) || in->opsize != 2)
        cpu_raise_error(cpu, EXC_GP, 0);
    return true;
}

void op_pushf(struct cpu *cpu, const struct insn *in)
{
    uint32_t flags = cpu_eflags(cpu) & ~(uint32_t)(FLAG_VM | FLAG_RF);

    if (uses_virtual_flags(cpu, in)) {
        flags = (flags & ~(uint32_t)FLAG_IF) | FLAG_IOPL;
        if (flags & FLAG_VIF)
            flags |= FLAG_IF;
    }
    guest_push(cpu, in->opsize, flags);
}

/* VM, VIF and VIP are out of reach; RF becomes 0. */
static uint32_t popf_mask(const struct cpu *cpu, unsigned size)
{
    uint32_t mask = FLAGS_ANY_LEVEL | FLAG_RF;

    if (size > 2)
        mask |= FLAGS_UPPER;
    if (cpu->cpl == 0)
        mask |= FLAG_IOPL;
    if (cpu->cpl <= iopl(cpu))
        mask |= FLAG_IF;
    return mask;
}

static void set_flags(struct cpu *cpu, uint32_t image, uint32_t mask)
{
    image &= ~(uint32_t)FLAG_RF;
    cpu_set_eflags(cpu, (cpu_eflags(cpu) & ~mask) | (image & mask));
    cpu_update_mode(cpu);
    cpu_update_stop(cpu);
}

void op_popf(struct cpu *cpu, const struct insn *in)
{
    bool virtual = uses_virtual_flags(cpu, in);
    uint32_t image = (uint32_t)guest_pop(cpu, in->opsize);

    if (!virtual) {
        set_flags(cpu, image, popf_mask(cpu, in->opsize));
        return;
    }
    if ((image & FLAG_TF) || ((image & FLAG_IF) && (cpu->eflags & FLAG_VIP)))
        cpu_raise_error(cpu, EXC_GP, 0);
    image = (image & 0xffff) | (image & FLAG_IF ? FLAG_VIF : 0);
    set_flags(cpu, image, FLAGS_ANY_LEVEL | FLAG_RF | FLAG_VIF);
}

/* --- AC, for SMAP: #UD outside CPL 0 --- */

static void set_ac(struct cpu *cpu, uint32_t ac)
{
    if (cpu->cpl != 0)
        cpu_raise(cpu, EXC_UD);
    cpu->eflags = (cpu->eflags & ~(uint32_t)FLAG_AC) | ac;
    cpu_update_mode(cpu);
}

void op_clac(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    set_ac(cpu, 0);
}

void op_stac(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    set_ac(cpu, FLAG_AC);
}
