/*
 * RETF and IRET (SDM vol. 2): back to the same level, to an outer one, to
 * virtual-8086 mode, to another task.
 */

#include "base/bits.h"
#include "cpu/debugreg.h"
#include "cpu/guest.h"
#include "cpu/ops.h"
#include "cpu/stack.h"
#include "cpu/task.h"
#include "cpu/transfer.h"

/* --- shared by both --- */

void return_check_code(struct cpu *cpu, struct far_return *r)
{
    unsigned rpl = r->cs & SEL_RPL, dpl;
    uint32_t both = ATTR_L | ATTR_DB;

    descriptor_need(cpu, r->cs, EXC_GP, &r->code);
    dpl = descriptor_dpl(&r->code);
    if (!descriptor_is_code(&r->code) || rpl < cpu->cpl)
        segment_fault(cpu, EXC_GP, r->cs);
    if (descriptor_is_conforming(&r->code) ? dpl > rpl : dpl != rpl)
        segment_fault(cpu, EXC_GP, r->cs);
    if (cpu_long(cpu) && (r->code.attr & both) == both)
        segment_fault(cpu, EXC_GP, r->cs);
    if (!(r->code.attr & ATTR_P))
        segment_fault(cpu, EXC_NP, r->cs);
}

/* A null SS is for 64-bit code of inner levels. */
static void check_stack(struct cpu *cpu, struct far_return *r)
{
    unsigned level = r->cs & SEL_RPL;
    bool to64 = cpu_long(cpu) && (r->code.attr & ATTR_L);

    r->stack.attr = 0;
    if (selector_is_null(r->ss)) {
        if (!to64 || level == 3 || (unsigned)(r->ss & SEL_RPL) != level)
            segment_fault(cpu, EXC_GP, 0);
        return;
    }
    segment_need_stack(cpu, r->ss, level, EXC_GP, &r->stack);
}

void return_check_rest(struct cpu *cpu, struct far_return *r)
{
    if (r->pops_stack)
        check_stack(cpu, r);
    if (!segment_holds_ip(cpu, &r->code, r->rip))
        segment_fault(cpu, EXC_GP, 0);
    descriptor_touch(cpu, &r->code);
    if (r->pops_stack && (r->stack.attr & ATTR_P))
        descriptor_touch(cpu, &r->stack);
}

void return_commit(struct cpu *cpu, const struct far_return *r)
{
    unsigned level = r->cs & SEL_RPL;
    bool outward = level > cpu->cpl;

    transfer_commit(cpu, &r->code, level, r->rip);
    if (r->pops_stack && (r->stack.attr & ATTR_P))
        segment_set(&cpu->seg[SS], r->ss, &r->stack);
    else if (r->pops_stack)
        segment_set_null(&cpu->seg[SS], r->ss);
    cpu_update_mode(cpu);
    if (r->pops_stack)
        guest_set_sp(cpu, r->sp);
    if (outward) {
        segment_drop_privileged(cpu);
        cpu_update_mode(cpu);
    }
}

/* --- RETF --- */

static void ret_real(struct cpu *cpu, unsigned size, uint64_t release)
{
    uint64_t ip = stack_peek(cpu, 0, size);
    uint16_t sel = (uint16_t)stack_peek(cpu, 1, size);

    transfer_check_real(cpu, ip);
    stack_drop(cpu, 2 * size + release);
    transfer_commit_real(cpu, sel, ip);
}

/* Item i above the released bytes. */
static uint64_t peek_above(struct cpu *cpu, unsigned i, unsigned size,
                           uint64_t release)
{
    uint64_t sp = cpu->gpr[RSP], v;

    stack_drop(cpu, release);
    v = stack_peek(cpu, i, size);
    cpu->gpr[RSP] = sp;
    return v;
}

static void ret_protected(struct cpu *cpu, unsigned size, uint64_t release)
{
    struct far_return r = {0};

    r.rip = stack_peek(cpu, 0, size);
    r.cs = (uint16_t)stack_peek(cpu, 1, size);
    return_check_code(cpu, &r);
    r.pops_stack = (r.cs & SEL_RPL) > cpu->cpl;
    if (r.pops_stack) {
        r.sp = peek_above(cpu, 2, size, release);
        r.ss = (uint16_t)peek_above(cpu, 3, size, release);
    }
    return_check_rest(cpu, &r);
    if (!r.pops_stack)
        stack_drop(cpu, 2 * size);
    return_commit(cpu, &r);
    /* Parameters lie on both stacks; here it is the outer one, or the only. */
    stack_drop(cpu, release);
    cpu->insn_rsp = cpu->gpr[RSP];
}

void op_ret_far(struct cpu *cpu, const struct insn *in)
{
    uint64_t release = in->op[0].kind == OPND_IMM ? in->imm & 0xffff : 0;

    if (cpu_protected(cpu))
        ret_protected(cpu, in->opsize, release);
    else
        ret_real(cpu, in->opsize, release);
}

/* --- IRET --- */

enum {
    FLAGS_ALWAYS = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT,
    FLAGS_WIDE = FLAG_RF | FLAG_AC | FLAG_ID, /* with 32- and 64-bit operands */
    FLAGS_VIRTUAL = FLAG_VIF | FLAG_VIP,
};

/* RF lasts for one instruction and only breakpoints look at it: without any,
 * it need not be kept, and the next instruction not be stepped. */
static void set_flags(struct cpu *cpu, uint32_t image, uint32_t mask)
{
    uint32_t flags = (cpu_eflags(cpu) & ~mask) | (image & mask);

    flags &= ~(uint32_t)(debug_armed(cpu) ? 0 : FLAG_RF);
    cpu_set_eflags(cpu, flags);
    cpu_update_mode(cpu);
    cpu_update_stop(cpu);
}

static unsigned iopl(const struct cpu *cpu)
{
    return (cpu->eflags & FLAG_IOPL) >> 12;
}

static void iret_real(struct cpu *cpu, unsigned size)
{
    uint64_t ip = stack_peek(cpu, 0, size);
    uint16_t sel = (uint16_t)stack_peek(cpu, 1, size);
    uint32_t image = (uint32_t)stack_peek(cpu, 2, size);

    transfer_check_real(cpu, ip);
    stack_drop(cpu, 3 * size);
    transfer_commit_real(cpu, sel, ip);
    set_flags(cpu, image, FLAGS_ALWAYS | FLAG_IF | FLAG_IOPL |
                              (size > 2 ? (uint32_t)FLAGS_WIDE : 0));
}

/* Virtual-8086 mode with IOPL 3: IOPL itself stays. */
static void iret_v86(struct cpu *cpu, unsigned size)
{
    uint32_t image = (uint32_t)stack_peek(cpu, 2, size);
    uint64_t ip = stack_peek(cpu, 0, size);
    uint16_t sel = (uint16_t)stack_peek(cpu, 1, size);

    transfer_check_real(cpu, ip);
    stack_drop(cpu, 3 * size);
    transfer_commit_real(cpu, sel, ip);
    set_flags(cpu, image, FLAGS_ALWAYS | FLAG_IF |
                              (size > 2 ? (uint32_t)FLAGS_WIDE : 0));
}

/* With VME and IOPL below 3 the program's IF is VIF. */
static void iret_vme(struct cpu *cpu)
{
    uint32_t image = (uint32_t)stack_peek(cpu, 2, 2);
    uint64_t ip = stack_peek(cpu, 0, 2);
    uint16_t sel = (uint16_t)stack_peek(cpu, 1, 2);

    if ((image & FLAG_TF) ||
        ((image & FLAG_IF) && (cpu->eflags & FLAG_VIP)))
        cpu_raise_error(cpu, EXC_GP, 0);
    transfer_check_real(cpu, ip);
    stack_drop(cpu, 6);
    transfer_commit_real(cpu, sel, ip);
    image |= image & FLAG_IF ? FLAG_VIF : 0;
    set_flags(cpu, image, FLAGS_ALWAYS | FLAG_VIF);
}

static void iret_to_v86(struct cpu *cpu, uint64_t ip, uint32_t image)
{
    static const uint8_t order[] = {SS, ES, DS, FS, GS};
    uint16_t cs = (uint16_t)stack_peek(cpu, 1, 4), sel[array_len(order)];
    uint64_t sp = stack_peek(cpu, 3, 4);

    for (unsigned i = 0; i < array_len(order); i++)
        sel[i] = (uint16_t)stack_peek(cpu, 4 + i, 4);
    if (ip > 0xffff)
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu_set_eflags(cpu, image);
    cpu->cpl = 3;
    for (unsigned i = 0; i < array_len(order); i++)
        segment_set_real(cpu, order[i], sel[i]);
    cpu->gpr[RSP] = sp;
    transfer_commit_real(cpu, cs, ip);
    set_flags(cpu, image, ~(uint32_t)0);
}

/* What an IRET at this level may change. */
static uint32_t iret_mask(const struct cpu *cpu, unsigned size)
{
    uint32_t mask = FLAGS_ALWAYS;

    if (size > 2)
        mask |= FLAGS_WIDE;
    if (cpu->cpl <= iopl(cpu))
        mask |= FLAG_IF;
    if (cpu->cpl == 0)
        mask |= FLAG_IOPL | (size > 2 ? (uint32_t)FLAGS_VIRTUAL : 0);
    return mask;
}

/* 64-bit code always has SS:RSP on its stack. */
static void iret_protected(struct cpu *cpu, unsigned size)
{
    uint64_t ip = stack_peek(cpu, 0, size);
    uint16_t cs = (uint16_t)stack_peek(cpu, 1, size);
    uint32_t image = (uint32_t)stack_peek(cpu, 2, size), mask;
    struct far_return r = {.rip = ip, .cs = cs};

    if (size == 4 && (image & FLAG_VM) && cpu->cpl == 0 && !cpu_long(cpu)) {
        iret_to_v86(cpu, ip, image);
        return;
    }
    return_check_code(cpu, &r);
    r.pops_stack = cpu_code64(cpu) || (cs & SEL_RPL) > cpu->cpl;
    if (r.pops_stack) {
        r.sp = stack_peek(cpu, 3, size);
        r.ss = (uint16_t)stack_peek(cpu, 4, size);
    }
    return_check_rest(cpu, &r);
    mask = iret_mask(cpu, size);
    if (!r.pops_stack)
        stack_drop(cpu, 3 * size);
    return_commit(cpu, &r);
    set_flags(cpu, image, mask);
}

static void iret_v86_any(struct cpu *cpu, unsigned size)
{
    if (iopl(cpu) == 3)
        iret_v86(cpu, size);
    else if ((cpu->cr4 & CR4_VME) && size == 2)
        iret_vme(cpu);
    else
        cpu_raise_error(cpu, EXC_GP, 0);
}

/* NMIs are let in again even if the IRET faults (SDM vol. 3, 6.7.1). */
static void unmask_nmi(struct cpu *cpu)
{
    if (!cpu->nmi_masked)
        return;
    cpu->nmi_masked = false;
    cpu_update_stop(cpu);
}

void op_iret(struct cpu *cpu, const struct insn *in)
{
    unmask_nmi(cpu);
    if (!(cpu->cr0 & CR0_PE)) {
        iret_real(cpu, in->opsize);
    } else if (cpu->eflags & FLAG_VM) {
        iret_v86_any(cpu, in->opsize);
    } else if (!(cpu->eflags & FLAG_NT)) {
        iret_protected(cpu, in->opsize);
    } else {
        if (cpu_long(cpu))
            cpu_raise_error(cpu, EXC_GP, 0);
        task_return(cpu);
    }
}
