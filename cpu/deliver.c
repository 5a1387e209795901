#include "cpu/deliver.h"

#include "base/bits.h"
#include "cpu/guest.h"
#include "cpu/segment.h"
#include "cpu/stack.h"
#include "cpu/task.h"
#include "cpu/transfer.h"

/* Error codes about the IDT: vector, IDT bit, EXT (SDM vol. 3, 6.13). */
static noreturn void idt_fault(struct cpu *cpu, enum vector fault,
                               unsigned vector)
{
    cpu_raise_error(cpu, fault, vector << 3 | 2 | cpu->delivering_ext);
}

static uint32_t pushed_flags(const struct cpu *cpu, const struct event *e)
{
    return cpu_eflags(cpu) | (e->set_rf ? FLAG_RF : 0);
}

/* What every delivery ends with. */
static void finish(struct cpu *cpu, uint32_t clear_flags)
{
    cpu->eflags &= ~clear_flags;
    cpu->halted = false;
    cpu->shadow = false;
    cpu->step_trap = false;
    cpu->insn_rsp = cpu->gpr[RSP];
    cpu_update_mode(cpu);
    cpu_update_stop(cpu);
}

/* --- real mode, and virtual-8086 mode by its own table --- */

static void through_vector_table(struct cpu *cpu, const struct event *e,
                                 laddr table, uint32_t flags)
{
    uint32_t entry = (uint32_t)guest_sys_load(cpu, table + e->vector * 4u, 4);
    struct stack st;

    stack_begin(&st, cpu, 2);
    stack_push(&st, flags);
    stack_push(&st, cpu->seg[CS].sel);
    stack_push(&st, e->rip);
    stack_check(cpu, &st);
    transfer_check_real(cpu, entry & 0xffff);
    stack_write(cpu, &st);
    stack_commit(cpu, &st);
    transfer_commit_real(cpu, (uint16_t)(entry >> 16), entry & 0xffff);
}

/* Exceptions push no error code here. */
static void deliver_real(struct cpu *cpu, const struct event *e)
{
    if (e->vector * 4u + 3 > cpu->idtr.limit)
        idt_fault(cpu, EXC_GP, e->vector);
    through_vector_table(cpu, e, cpu->idtr.base, pushed_flags(cpu, e));
    finish(cpu, FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
}

/* Bit `vector` of the map below the I/O map: 0 sends INT n to the program's
 * own handler. */
static bool is_redirected(struct cpu *cpu, unsigned vector)
{
    unsigned map, at;

    if (!(cpu->cr4 & CR4_VME))
        return false;
    if (!(cpu->tr.attr & 8) || cpu->tr.limit < 103)
        cpu_raise_error(cpu, EXC_GP, 0);
    map = (unsigned)guest_sys_load(cpu, cpu->tr.base + 102, 2);
    at = map - 32 + vector / 8;
    if (map < 32 || at > cpu->tr.limit)
        cpu_raise_error(cpu, EXC_GP, 0);
    return !bits_test(guest_sys_load(cpu, cpu->tr.base + at, 1), vector % 8);
}

bool deliver_v86_int(struct cpu *cpu, const struct event *e)
{
    uint32_t flags = cpu_eflags(cpu);
    bool trusted = (flags & FLAG_IOPL) == FLAG_IOPL;

    if (!is_redirected(cpu, e->vector)) {
        if (!trusted)
            cpu_raise_error(cpu, EXC_GP, 0);
        return false;
    }
    /* The program sees VIF as its IF, and IOPL 3 (SDM vol. 3, 20.3.3.3). */
    if (!trusted) {
        flags |= FLAG_IOPL | FLAG_IF;
        if (!(flags & FLAG_VIF))
            flags &= ~(uint32_t)FLAG_IF;
    }
    through_vector_table(cpu, e, 0, flags);
    finish(cpu, FLAG_TF | FLAG_RF | (trusted ? FLAG_IF : FLAG_VIF));
    return true;
}

/* --- protected and long mode --- */

static struct gate read_gate(struct cpu *cpu, const struct event *e)
{
    bool wide = cpu_long(cpu);
    unsigned size = wide ? 16 : 8, at = e->vector * size;
    struct descriptor d = {0};

    if (at + size - 1 > cpu->idtr.limit)
        idt_fault(cpu, EXC_GP, e->vector);
    d.raw = guest_sys_load(cpu, cpu->idtr.base + at, 8);
    if (wide)
        d.raw2 = guest_sys_load(cpu, cpu->idtr.base + at + 8, 8);
    d.attr = (uint32_t)bits_get(d.raw, 40, 16);
    return descriptor_gate(&d, wide);
}

static bool is_gate_type(const struct cpu *cpu, unsigned type)
{
    if (type == SYS_INTR32 || type == SYS_TRAP32)
        return true;
    return !cpu_long(cpu) && (type == SYS_TASK_GATE || type == SYS_INTR16 ||
                              type == SYS_TRAP16);
}

static struct gate need_gate(struct cpu *cpu, const struct event *e)
{
    bool software = e->kind == EVENT_INT_N || e->kind == EVENT_INT3_INTO;
    struct gate g = read_gate(cpu, e);

    if (!is_gate_type(cpu, g.type))
        idt_fault(cpu, EXC_GP, e->vector);
    if (software && g.dpl < cpu->cpl)
        idt_fault(cpu, EXC_GP, e->vector);
    if (!g.present)
        idt_fault(cpu, EXC_NP, e->vector);
    return g;
}

static void need_handler(struct cpu *cpu, uint16_t sel, struct descriptor *cs)
{
    descriptor_need(cpu, sel, EXC_GP, cs);
    if (!descriptor_is_code(cs) || descriptor_dpl(cs) > cpu->cpl)
        segment_fault(cpu, EXC_GP, sel);
    if (cpu_long(cpu) && (cs->attr & (ATTR_L | ATTR_DB)) != ATTR_L)
        segment_fault(cpu, EXC_GP, sel);
    if (!(cs->attr & ATTR_P))
        segment_fault(cpu, EXC_NP, sel);
}

static unsigned handler_level(const struct cpu *cpu,
                              const struct descriptor *cs)
{
    return descriptor_is_conforming(cs) ? cpu->cpl : descriptor_dpl(cs);
}

static void deliver_task(struct cpu *cpu, const struct event *e,
                         const struct gate *g)
{
    struct descriptor tss;
    struct stack st;

    task_from_gate(cpu, g->sel, &tss);
    task_switch(cpu, &tss, TASK_EVENT, e->rip, pushed_flags(cpu, e));
    if (e->has_error) {
        stack_begin(&st, cpu, cpu->tr.attr & 8 ? 4 : 2);
        stack_push(&st, e->error);
        stack_check(cpu, &st);
        stack_write(cpu, &st);
        stack_commit(cpu, &st);
    }
    finish(cpu, 0);
}

static void push_return(const struct cpu *cpu, struct stack *st,
                        const struct event *e)
{
    stack_push(st, pushed_flags(cpu, e));
    stack_push(st, cpu->seg[CS].sel);
    stack_push(st, e->rip);
    if (e->has_error)
        stack_push(st, e->error);
}

static void push_v86_segments(const struct cpu *cpu, struct stack *st)
{
    stack_push(st, cpu->seg[GS].sel);
    stack_push(st, cpu->seg[FS].sel);
    stack_push(st, cpu->seg[DS].sel);
    stack_push(st, cpu->seg[ES].sel);
}

/* The part after all checks of selectors: may still fault on the stack, on
 * the instruction pointer, and on paging.  ss: NULL if it stays. */
static void enter_handler(struct cpu *cpu, const struct stack *st,
                          struct descriptor *cs, struct descriptor *ss,
                          const struct gate *g)
{
    stack_check(cpu, st);
    if (!segment_holds_ip(cpu, cs, g->offset))
        segment_fault(cpu, EXC_GP, 0);
    descriptor_touch(cpu, cs);
    if (ss)
        descriptor_touch(cpu, ss);
    stack_write(cpu, st);
    stack_commit(cpu, st);
}

static uint32_t flags_to_clear(const struct gate *g)
{
    uint32_t clear = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM;

    return g->type & 1 ? clear : clear | FLAG_IF;
}

static void leave_v86(struct cpu *cpu)
{
    segment_set_null(&cpu->seg[GS], 0);
    segment_set_null(&cpu->seg[FS], 0);
    segment_set_null(&cpu->seg[DS], 0);
    segment_set_null(&cpu->seg[ES], 0);
}

/* To a more privileged level, from virtual-8086 mode too (SDM vol. 2, INT n:
 * INTER-PRIVILEGE-LEVEL-INTERRUPT, INTERRUPT-FROM-VIRTUAL-8086-MODE). */
static void deliver_inner(struct cpu *cpu, const struct event *e,
                          const struct gate *g, struct descriptor *cs)
{
    unsigned level = descriptor_dpl(cs);
    bool v86 = cpu->eflags & FLAG_VM;
    struct descriptor ss;
    struct stack st;
    uint64_t esp;

    tss_inner_stack(cpu, level, &ss, &esp);
    stack_begin_new(&st, cpu, &ss, esp, level, g->type & 8 ? 4 : 2);
    if (v86)
        push_v86_segments(cpu, &st);
    stack_push(&st, cpu->seg[SS].sel);
    stack_push(&st, cpu->gpr[RSP]);
    push_return(cpu, &st, e);
    enter_handler(cpu, &st, cs, &ss, g);
    segment_set(&cpu->seg[SS], ss.sel, &ss);
    if (v86)
        leave_v86(cpu);
    transfer_commit(cpu, cs, level, g->offset);
    finish(cpu, flags_to_clear(g));
}

static void deliver_same(struct cpu *cpu, const struct event *e,
                         const struct gate *g, struct descriptor *cs)
{
    struct stack st;

    stack_begin(&st, cpu, g->type & 8 ? 4 : 2);
    push_return(cpu, &st, e);
    enter_handler(cpu, &st, cs, NULL, g);
    transfer_commit(cpu, cs, cpu->cpl, g->offset);
    finish(cpu, flags_to_clear(g));
}

static void deliver_legacy(struct cpu *cpu, const struct event *e,
                           const struct gate *g, struct descriptor *cs)
{
    unsigned level = handler_level(cpu, cs);

    if ((cpu->eflags & FLAG_VM) && level != 0)
        segment_fault(cpu, EXC_GP, g->sel);
    if (level < cpu->cpl)
        deliver_inner(cpu, e, g, cs);
    else
        deliver_same(cpu, e, g, cs);
}

/* SDM vol. 3, 6.14: SS:RSP is always pushed, on a 16-byte boundary; IST
 * replaces the stack whatever the level. */
static void deliver_long(struct cpu *cpu, const struct event *e,
                         const struct gate *g, struct descriptor *cs)
{
    unsigned level = handler_level(cpu, cs), ist = g->count & 7;
    struct descriptor ss = {0};
    uint64_t rsp = cpu->gpr[RSP];
    struct stack st;

    if (ist)
        rsp = tss_ist(cpu, ist);
    else if (level < cpu->cpl)
        rsp = tss_rsp(cpu, level);
    stack_begin_new(&st, cpu, &ss, rsp & ~(uint64_t)15, level, 8);
    stack_push(&st, cpu->seg[SS].sel);
    stack_push(&st, cpu->gpr[RSP]);
    push_return(cpu, &st, e);
    enter_handler(cpu, &st, cs, NULL, g);
    if (level < cpu->cpl)
        segment_set_null(&cpu->seg[SS], (uint16_t)level);
    transfer_commit(cpu, cs, level, g->offset);
    finish(cpu, flags_to_clear(g));
}

void deliver(struct cpu *cpu, const struct event *e)
{
    struct descriptor cs;
    struct gate g;

    if (!(cpu->cr0 & CR0_PE)) {
        deliver_real(cpu, e);
        return;
    }
    g = need_gate(cpu, e);
    if (g.type == SYS_TASK_GATE) {
        deliver_task(cpu, e, &g);
        return;
    }
    need_handler(cpu, g.sel, &cs);
    if (cpu_long(cpu))
        deliver_long(cpu, e, &g, &cs);
    else
        deliver_legacy(cpu, e, &g, &cs);
}
