/*
 * Far JMP and CALL (SDM vol. 2, those instructions; vol. 3, 5.8).
 */

#include "cpu/transfer.h"

#include "base/bits.h"
#include "cpu/guest.h"
#include "cpu/ops.h"
#include "cpu/stack.h"
#include "cpu/task.h"

enum far_kind { FAR_JMP, FAR_CALL };

/* Where to: a far pointer of the instruction, or what a gate says. */
struct far_target {
    uint16_t sel;
    uint64_t offset;
    unsigned size; /* of what CALL pushes */
};

/* --- shared --- */

void transfer_commit(struct cpu *cpu, const struct descriptor *d, unsigned cpl,
                     uint64_t rip)
{
    uint16_t sel = (uint16_t)((d->sel & ~(unsigned)SEL_RPL) | cpl);

    segment_set(&cpu->seg[CS], sel, d);
    cpu->cpl = (uint8_t)cpl;
    cpu->rip = cpu->next_rip = rip;
}

void transfer_check_real(struct cpu *cpu, uint64_t ip)
{
    if (ip > cpu->seg[CS].limit)
        cpu_raise_error(cpu, EXC_GP, 0);
}

void transfer_commit_real(struct cpu *cpu, uint16_t sel, uint64_t ip)
{
    segment_set_real(cpu, CS, sel);
    cpu->rip = cpu->next_rip = ip;
    cpu_update_mode(cpu);
}

static void need_ip(struct cpu *cpu, const struct descriptor *code,
                    uint64_t ip)
{
    if (!segment_holds_ip(cpu, code, ip))
        segment_fault(cpu, EXC_GP, 0);
}

static void push_return(const struct cpu *cpu, struct stack *st)
{
    stack_push(st, cpu->seg[CS].sel);
    stack_push(st, cpu->next_rip);
}

/* --- real and virtual-8086 mode --- */

static void far_real(struct cpu *cpu, const struct far_target *t,
                     enum far_kind kind)
{
    struct stack st;

    stack_begin(&st, cpu, t->size);
    if (kind == FAR_CALL)
        push_return(cpu, &st);
    stack_check(cpu, &st);
    transfer_check_real(cpu, t->offset);
    stack_write(cpu, &st);
    stack_commit(cpu, &st);
    transfer_commit_real(cpu, t->sel, t->offset);
}

/* --- code segments --- */

/* At the same privilege, whatever names it. */
static void enter_same(struct cpu *cpu, const struct far_target *t,
                       struct descriptor *code, enum far_kind kind)
{
    struct stack st;

    stack_begin(&st, cpu, t->size);
    if (kind == FAR_CALL)
        push_return(cpu, &st);
    stack_check(cpu, &st);
    need_ip(cpu, code, t->offset);
    descriptor_touch(cpu, code);
    stack_write(cpu, &st);
    stack_commit(cpu, &st);
    transfer_commit(cpu, code, cpu->cpl, t->offset);
    cpu_update_mode(cpu);
}

static void far_code(struct cpu *cpu, const struct far_target *t,
                     struct descriptor *code, enum far_kind kind)
{
    unsigned dpl = descriptor_dpl(code), rpl = t->sel & SEL_RPL;
    uint32_t both = ATTR_L | ATTR_DB;
    bool allowed = descriptor_is_conforming(code)
                       ? dpl <= cpu->cpl
                       : rpl <= cpu->cpl && dpl == cpu->cpl;

    if (!allowed || (cpu_long(cpu) && (code->attr & both) == both))
        segment_fault(cpu, EXC_GP, t->sel);
    if (!(code->attr & ATTR_P))
        segment_fault(cpu, EXC_NP, t->sel);
    enter_same(cpu, t, code, kind);
}

/* --- call gates --- */

static void push_parameters(struct cpu *cpu, struct stack *st, unsigned count)
{
    for (unsigned i = count; i-- > 0;)
        stack_push(st, stack_peek(cpu, i, st->size));
}

/* CALL to a more privileged level: old SS:ESP, parameters, CS:EIP. */
static void enter_inner(struct cpu *cpu, const struct far_target *t,
                        struct descriptor *code, unsigned parameters)
{
    unsigned level = descriptor_dpl(code);
    struct descriptor ss = {.sel = (uint16_t)level};
    struct stack st;
    uint64_t sp;

    if (cpu_long(cpu))
        sp = tss_rsp(cpu, level);
    else
        tss_inner_stack(cpu, level, &ss, &sp);
    stack_begin_new(&st, cpu, &ss, sp, level, t->size);
    stack_push(&st, cpu->seg[SS].sel);
    stack_push(&st, cpu->gpr[RSP]);
    push_parameters(cpu, &st, parameters);
    push_return(cpu, &st);
    stack_check(cpu, &st);
    need_ip(cpu, code, t->offset);
    descriptor_touch(cpu, code);
    if (!selector_is_null(ss.sel))
        descriptor_touch(cpu, &ss);
    stack_write(cpu, &st);
    stack_commit(cpu, &st);
    segment_set(&cpu->seg[SS], ss.sel, &ss);
    transfer_commit(cpu, code, level, t->offset);
    cpu_update_mode(cpu);
}

static void need_gate_open(struct cpu *cpu, uint16_t sel,
                           const struct descriptor *d)
{
    unsigned dpl = descriptor_dpl(d);

    if (dpl < cpu->cpl || dpl < (unsigned)(sel & SEL_RPL))
        segment_fault(cpu, EXC_GP, sel);
}

static void need_gate_target(struct cpu *cpu, uint16_t sel,
                             struct descriptor *code, enum far_kind kind)
{
    bool same_only;

    descriptor_need(cpu, sel, EXC_GP, code);
    same_only = kind == FAR_JMP && !descriptor_is_conforming(code);
    if (!descriptor_is_code(code) || descriptor_dpl(code) > cpu->cpl ||
        (same_only && descriptor_dpl(code) != cpu->cpl))
        segment_fault(cpu, EXC_GP, sel);
    if (cpu_long(cpu) && (code->attr & (ATTR_L | ATTR_DB)) != ATTR_L)
        segment_fault(cpu, EXC_GP, sel);
    if (!(code->attr & ATTR_P))
        segment_fault(cpu, EXC_NP, sel);
}

static void far_call_gate(struct cpu *cpu, struct descriptor *d,
                          enum far_kind kind)
{
    struct descriptor code;
    struct far_target t;
    struct gate g;

    need_gate_open(cpu, d->sel, d);
    if (cpu_long(cpu))
        descriptor_wide(cpu, d, EXC_GP);
    if (!(d->attr & ATTR_P))
        segment_fault(cpu, EXC_NP, d->sel);
    g = descriptor_gate(d, cpu_long(cpu));
    need_gate_target(cpu, g.sel, &code, kind);
    t.sel = g.sel;
    t.offset = g.offset;
    t.size = cpu_long(cpu) ? 8 : g.type == SYS_CALL32 ? 4 : 2;
    if (descriptor_is_conforming(&code) || descriptor_dpl(&code) == cpu->cpl)
        enter_same(cpu, &t, &code, kind);
    else
        enter_inner(cpu, &t, &code, cpu_long(cpu) ? 0 : g.count);
}

/* --- tasks --- */

static void far_task(struct cpu *cpu, struct descriptor *tss,
                     enum far_kind kind)
{
    task_switch(cpu, tss, kind == FAR_CALL ? TASK_CALL : TASK_JMP,
                cpu->next_rip, cpu_eflags(cpu));
}

static void far_task_gate(struct cpu *cpu, struct descriptor *d,
                          enum far_kind kind)
{
    struct descriptor tss;

    need_gate_open(cpu, d->sel, d);
    if (!(d->attr & ATTR_P))
        segment_fault(cpu, EXC_NP, d->sel);
    task_from_gate(cpu, descriptor_gate(d, false).sel, &tss);
    far_task(cpu, &tss, kind);
}

static void far_tss(struct cpu *cpu, struct descriptor *tss,
                    enum far_kind kind)
{
    need_gate_open(cpu, tss->sel, tss);
    if (tss->sel & SEL_TI)
        segment_fault(cpu, EXC_GP, tss->sel);
    task_need_available(cpu, tss);
    far_task(cpu, tss, kind);
}

/* --- what the selector names --- */

static void far_system(struct cpu *cpu, struct descriptor *d,
                       enum far_kind kind)
{
    unsigned type = d->attr & (ATTR_TYPE | ATTR_S);

    if (type == SYS_CALL32 || (type == SYS_CALL16 && !cpu_long(cpu)))
        far_call_gate(cpu, d, kind);
    else if (type == SYS_TASK_GATE && !cpu_long(cpu))
        far_task_gate(cpu, d, kind);
    else if ((type == SYS_TSS16 || type == SYS_TSS32) && !cpu_long(cpu))
        far_tss(cpu, d, kind);
    else
        segment_fault(cpu, EXC_GP, d->sel);
}

static void far_protected(struct cpu *cpu, const struct far_target *t,
                          enum far_kind kind)
{
    struct descriptor d;

    descriptor_need(cpu, t->sel, EXC_GP, &d);
    if (descriptor_is_code(&d))
        far_code(cpu, t, &d, kind);
    else
        far_system(cpu, &d, kind);
}

/* m16:16, m16:32, m16:64: offset first; or both in the instruction. */
static struct far_target read_target(struct cpu *cpu, const struct insn *in)
{
    struct far_target t = {.size = in->opsize};
    uint64_t at, sel_at;

    if (in->op[0].kind != OPND_MEM) {
        t.offset = in->imm & bits_mask(8u * in->opsize);
        t.sel = (uint16_t)in->imm2;
        return t;
    }
    at = guest_address(cpu, in);
    sel_at = (at + in->opsize) & bits_mask(8u * in->addrsize);
    t.offset = guest_load(cpu, in->seg, at, in->opsize);
    t.sel = (uint16_t)guest_load(cpu, in->seg, sel_at, 2);
    return t;
}

static void far_transfer(struct cpu *cpu, const struct insn *in,
                         enum far_kind kind)
{
    struct far_target t = read_target(cpu, in);

    if (cpu_protected(cpu))
        far_protected(cpu, &t, kind);
    else
        far_real(cpu, &t, kind);
}

void op_jmp_far(struct cpu *cpu, const struct insn *in)
{
    far_transfer(cpu, in, FAR_JMP);
}

void op_call_far(struct cpu *cpu, const struct insn *in)
{
    far_transfer(cpu, in, FAR_CALL);
}
