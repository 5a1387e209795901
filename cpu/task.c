#include "cpu/task.h"

#include "cpu/debugreg.h"
#include "cpu/guest.h"

/* Where things are in a TSS (SDM vol. 3, figures 7-2 and 7-10). */
struct tss_layout {
    unsigned size; /* of a word: 2 or 4 */
    unsigned limit; /* the smallest allowed */
    unsigned ip, flags, gpr, seg, segs, ldt;
};

static const struct tss_layout layouts[2] = {
    {2, 0x2b, 0x0e, 0x10, 0x12, 0x22, 4, 0x2a},
    {4, 0x67, 0x20, 0x24, 0x28, 0x48, 6, 0x60},
};

enum { TSS_LINK = 0, TSS32_CR3 = 0x1c, TSS32_TRAP = 0x64 };

/* What is loaded from the new TSS. */
struct task_image {
    uint64_t ip, cr3;
    uint32_t flags;
    uint32_t gpr[8];
    uint16_t seg[SEG_COUNT], ldt;
    bool trap;
};

static const struct tss_layout *layout_of(uint32_t attr)
{
    return &layouts[attr >> 3 & 1];
}

/* --- first half: in the old task --- */

static void need_limit(struct cpu *cpu, const struct descriptor *tss)
{
    if (tss->limit < layout_of(tss->attr)->limit)
        segment_fault(cpu, EXC_TS, tss->sel);
}

static void probe(struct cpu *cpu, laddr la, unsigned size, enum access access)
{
    if (!mmu_sys_probe(&cpu->mmu, (uint32_t)la, size, access))
        cpu_raise_page_fault(cpu);
}

/* Everything that the switch touches is there (SDM 7.3, step 5). */
static void probe_all(struct cpu *cpu, const struct descriptor *tss,
                      enum task_reason reason)
{
    const struct tss_layout *old = layout_of(cpu->tr.attr);
    unsigned end = old->seg + old->segs * old->size;
    struct descriptor d;

    if (cpu->tr.limit < end - 1)
        segment_fault(cpu, EXC_TS, cpu->tr.sel);
    probe(cpu, cpu->tr.base + old->ip, end - old->ip, ACCESS_WRITE);
    probe(cpu, tss->base, layout_of(tss->attr)->limit + 1, ACCESS_READ);
    if (reason == TASK_CALL || reason == TASK_EVENT)
        probe(cpu, tss->base + TSS_LINK, 2, ACCESS_WRITE);
    probe(cpu, tss->at, 8, ACCESS_WRITE);
    if (descriptor_fetch(cpu, cpu->tr.sel, &d))
        probe(cpu, d.at, 8, ACCESS_WRITE);
}

static void store(struct cpu *cpu, laddr la, unsigned size, uint64_t v)
{
    guest_sys_store(cpu, la, size, v);
}

static void save_old(struct cpu *cpu, uint64_t rip, uint32_t eflags)
{
    const struct tss_layout *t = layout_of(cpu->tr.attr);
    laddr base = cpu->tr.base;

    store(cpu, base + t->ip, t->size, rip);
    store(cpu, base + t->flags, t->size, eflags);
    for (unsigned i = 0; i < 8; i++)
        store(cpu, base + t->gpr + i * t->size, t->size, cpu->gpr[i]);
    for (unsigned i = 0; i < t->segs; i++)
        store(cpu, base + t->seg + i * t->size, 2, cpu->seg[i].sel);
}

static void clear_old_busy(struct cpu *cpu)
{
    struct descriptor d;

    if (descriptor_fetch(cpu, cpu->tr.sel, &d))
        descriptor_set_busy(cpu, &d, false);
}

static uint64_t load(struct cpu *cpu, laddr la, unsigned size)
{
    return guest_sys_load(cpu, la, size);
}

static void read_image(struct cpu *cpu, const struct descriptor *tss,
                       struct task_image *n)
{
    const struct tss_layout *t = layout_of(tss->attr);
    laddr base = tss->base;
    bool is32 = t->size == 4;

    n->ip = load(cpu, base + t->ip, t->size);
    n->flags = (uint32_t)load(cpu, base + t->flags, t->size);
    /* The manual leaves the upper halves open for a 16-bit TSS: they stay. */
    for (unsigned i = 0; i < 8; i++)
        n->gpr[i] = (uint32_t)load(cpu, base + t->gpr + i * t->size, t->size) |
                    (is32 ? 0 : (uint32_t)cpu->gpr[i] & 0xffff0000);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        n->seg[i] = i < t->segs ? (uint16_t)load(cpu, base + t->seg +
                                                          i * t->size, 2)
                                : 0;
    n->ldt = (uint16_t)load(cpu, base + t->ldt, 2);
    n->cr3 = is32 ? load(cpu, base + TSS32_CR3, 4) : cpu->cr3;
    n->trap = is32 && (load(cpu, base + TSS32_TRAP, 1) & 1);
}

/* --- second half: in the new task --- */

static void set_registers(struct cpu *cpu, const struct task_image *n)
{
    for (unsigned i = 0; i < 8; i++)
        cpu->gpr[i] = n->gpr[i];
    cpu->rip = cpu->next_rip = n->ip;
    cpu->insn_rsp = cpu->gpr[RSP];
    cpu_set_eflags(cpu, n->flags);
    cpu->cpl = n->flags & FLAG_VM ? 3 : n->seg[CS] & SEL_RPL;
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        segment_set_null(&cpu->seg[i], n->seg[i]);
        if (n->flags & FLAG_VM)
            segment_set_real(cpu, i, n->seg[i]);
    }
    segment_set_null(&cpu->ldtr, n->ldt);
}

static void set_cr3(struct cpu *cpu, uint64_t cr3, uint16_t tss)
{
    if (!(cpu->cr0 & CR0_PG))
        return;
    if (!mmu_set_cr3(&cpu->mmu, cr3, false))
        segment_fault(cpu, EXC_TS, tss);
    cpu->cr3 = cr3;
}

static void load_ldt(struct cpu *cpu, uint16_t sel)
{
    struct descriptor d;

    if (selector_is_null(sel))
        return;
    if ((sel & SEL_TI) || !descriptor_fetch(cpu, sel, &d) ||
        (d.attr & (ATTR_TYPE | ATTR_S)) != SYS_LDT || !(d.attr & ATTR_P))
        segment_fault(cpu, EXC_TS, sel);
    segment_set(&cpu->ldtr, sel, &d);
}

static void load_code(struct cpu *cpu, uint16_t sel)
{
    unsigned rpl = sel & SEL_RPL, dpl;
    struct descriptor d;

    descriptor_need(cpu, sel, EXC_TS, &d);
    dpl = descriptor_dpl(&d);
    if (!descriptor_is_code(&d) ||
        (descriptor_is_conforming(&d) ? dpl > rpl : dpl != rpl))
        segment_fault(cpu, EXC_TS, sel);
    if (!(d.attr & ATTR_P))
        segment_fault(cpu, EXC_NP, sel);
    descriptor_touch(cpu, &d);
    segment_set(&cpu->seg[CS], sel, &d);
}

static void load_stack(struct cpu *cpu, uint16_t sel)
{
    struct descriptor d;

    segment_need_stack(cpu, sel, cpu->cpl, EXC_TS, &d);
    descriptor_touch(cpu, &d);
    segment_set(&cpu->seg[SS], sel, &d);
}

static void load_data(struct cpu *cpu, unsigned seg, uint16_t sel)
{
    unsigned rpl = sel & SEL_RPL;
    struct descriptor d;
    bool readable, open;

    if (selector_is_null(sel))
        return;
    descriptor_need(cpu, sel, EXC_TS, &d);
    readable = (d.attr & ATTR_S) &&
               (d.attr & (ATTR_CODE | ATTR_RW)) != ATTR_CODE;
    open = (descriptor_is_code(&d) && descriptor_is_conforming(&d)) ||
           (descriptor_dpl(&d) >= cpu->cpl && descriptor_dpl(&d) >= rpl);
    if (!readable || !open)
        segment_fault(cpu, EXC_TS, sel);
    if (!(d.attr & ATTR_P))
        segment_fault(cpu, EXC_NP, sel);
    descriptor_touch(cpu, &d);
    segment_set(&cpu->seg[seg], sel, &d);
}

/* The order of SDM vol. 3, table 7-1. */
static void load_segments(struct cpu *cpu, const struct task_image *n)
{
    load_ldt(cpu, n->ldt);
    if (!(n->flags & FLAG_VM)) {
        load_code(cpu, n->seg[CS]);
        load_stack(cpu, n->seg[SS]);
        load_data(cpu, ES, n->seg[ES]);
        load_data(cpu, DS, n->seg[DS]);
        load_data(cpu, FS, n->seg[FS]);
        load_data(cpu, GS, n->seg[GS]);
    }
    if (n->ip > cpu->seg[CS].limit)
        segment_fault(cpu, EXC_GP, 0);
}

/* A fault in load_segments finds the mode of the new task's selectors; what
 * the trap bit asks for comes before its first instruction. */
static void enter_new(struct cpu *cpu, const struct task_image *n,
                      uint16_t tss)
{
    set_registers(cpu, n);
    cpu->cr0 |= CR0_TS;
    cpu->dr[7] &= ~(uint64_t)DR7_LOCAL;
    debug_update(cpu);
    cpu->shadow = false;
    cpu->step_trap = false;
    set_cr3(cpu, n->cr3, tss);
    cpu_update_mode(cpu);
    load_segments(cpu, n);
    cpu_update_mode(cpu);
    cpu->pending_db = n->trap ? DR6_BT : 0;
    cpu_update_stop(cpu);
}

void task_switch(struct cpu *cpu, struct descriptor *tss,
                 enum task_reason reason, uint64_t rip, uint32_t eflags)
{
    bool nested = reason == TASK_CALL || reason == TASK_EVENT;
    struct task_image n;

    need_limit(cpu, tss);
    probe_all(cpu, tss, reason);
    if (reason == TASK_IRET)
        eflags &= ~(uint32_t)FLAG_NT;
    save_old(cpu, rip, eflags);
    if (!nested)
        clear_old_busy(cpu);
    read_image(cpu, tss, &n);
    if (nested) {
        store(cpu, tss->base + TSS_LINK, 2, cpu->tr.sel);
        n.flags |= FLAG_NT;
    }
    descriptor_set_busy(cpu, tss, true);
    segment_set(&cpu->tr, tss->sel, tss);
    enter_new(cpu, &n, tss->sel);
}

/* --- which task --- */

void task_need_available(struct cpu *cpu, const struct descriptor *tss)
{
    if (cpu_long(cpu) || !descriptor_is_tss(cpu, tss) ||
        (tss->attr & SYS_TSS_BUSY))
        segment_fault(cpu, EXC_GP, tss->sel);
    if (!(tss->attr & ATTR_P))
        segment_fault(cpu, EXC_NP, tss->sel);
}

void task_from_gate(struct cpu *cpu, uint16_t sel, struct descriptor *tss)
{
    if (sel & SEL_TI)
        segment_fault(cpu, EXC_GP, sel);
    descriptor_need(cpu, sel, EXC_GP, tss);
    task_need_available(cpu, tss);
}

void task_return(struct cpu *cpu)
{
    uint16_t link = (uint16_t)load(cpu, cpu->tr.base + TSS_LINK, 2);
    struct descriptor d;

    if ((link & SEL_TI) || !descriptor_fetch(cpu, link, &d) ||
        !descriptor_is_tss(cpu, &d) || !(d.attr & SYS_TSS_BUSY))
        segment_fault(cpu, EXC_TS, link);
    if (!(d.attr & ATTR_P))
        segment_fault(cpu, EXC_NP, link);
    task_switch(cpu, &d, TASK_IRET, cpu->next_rip, cpu_eflags(cpu));
}
