/*
 * Instructions that load, store and examine segment registers, LDTR and TR
 * (SDM vol. 2).
 */

#include "base/bits.h"
#include "cpu/control.h"
#include "cpu/guest.h"
#include "cpu/ops.h"
#include "cpu/segment.h"
#include "cpu/stack.h"

/* --- segment registers --- */

void op_mov_from_seg(struct cpu *cpu, const struct insn *in)
{
    guest_write(cpu, in, 0, cpu->seg[in->op[1].reg & 7].sel);
}

static void load(struct cpu *cpu, unsigned seg, uint16_t sel)
{
    if (seg == CS || seg >= SEG_COUNT)
        cpu_raise(cpu, EXC_UD);
    segment_load(cpu, seg, sel);
}

void op_mov_to_seg(struct cpu *cpu, const struct insn *in)
{
    unsigned seg = in->op[0].reg;

    load(cpu, seg, (uint16_t)guest_read(cpu, in, 1));
    if (seg == SS)
        cpu_hold_interrupts(cpu, true);
}

void op_push_seg(struct cpu *cpu, const struct insn *in)
{
    guest_push(cpu, in->opsize, cpu->seg[in->op[0].reg & 7].sel);
}

void op_pop_seg(struct cpu *cpu, const struct insn *in)
{
    unsigned seg = in->op[0].reg;
    uint64_t sp = guest_sp(cpu);
    uint16_t sel = (uint16_t)stack_peek(cpu, 0, in->opsize);

    /* The width of RSP's step is that of the stack before the load. */
    guest_set_sp(cpu, sp + in->opsize);
    load(cpu, seg, sel);
    if (seg == SS)
        cpu_hold_interrupts(cpu, true);
}

/* LES and LDS are one byte long; LSS, LFS and LGS follow 0F. */
static unsigned far_segment(const struct insn *in)
{
    switch (in->code) {
    case 0xc4: return ES;
    case 0xc5: return DS;
    case 0xb2: return SS;
    case 0xb4: return FS;
    default: return GS;
    }
}

void op_load_far(struct cpu *cpu, const struct insn *in)
{
    uint64_t at = guest_address(cpu, in);
    uint64_t sel_at = (at + in->opsize) & bits_mask(8u * in->addrsize);
    uint64_t off = guest_load(cpu, in->seg, at, in->opsize);

    load(cpu, far_segment(in), (uint16_t)guest_load(cpu, in->seg, sel_at, 2));
    guest_write(cpu, in, 0, off);
}

void op_swapgs(struct cpu *cpu, const struct insn *in)
{
    uint64_t base = cpu->seg[GS].base;

    (void)in;
    control_need_cpl0(cpu);
    cpu->seg[GS].base = cpu->msr.kernel_gs_base;
    cpu->msr.kernel_gs_base = base;
}

/* --- LDTR and TR --- */

/* A descriptor of the GDT; in long mode all its 16 bytes. */
static void need_global(struct cpu *cpu, uint16_t sel, struct descriptor *d)
{
    if (sel & SEL_TI)
        segment_fault(cpu, EXC_GP, sel);
    descriptor_need(cpu, sel, EXC_GP, d);
}

void op_lldt(struct cpu *cpu, const struct insn *in)
{
    struct descriptor d;
    uint16_t sel;

    control_need_cpl0(cpu);
    sel = (uint16_t)guest_read(cpu, in, 0);
    if (selector_is_null(sel)) {
        segment_set_null(&cpu->ldtr, sel);
        return;
    }
    need_global(cpu, sel, &d);
    if ((d.attr & (ATTR_TYPE | ATTR_S)) != SYS_LDT)
        segment_fault(cpu, EXC_GP, sel);
    if (!(d.attr & ATTR_P))
        segment_fault(cpu, EXC_NP, sel);
    if (cpu_long(cpu))
        descriptor_wide(cpu, &d, EXC_GP);
    segment_set(&cpu->ldtr, sel, &d);
}

void op_ltr(struct cpu *cpu, const struct insn *in)
{
    struct descriptor d;
    uint16_t sel;

    control_need_cpl0(cpu);
    sel = (uint16_t)guest_read(cpu, in, 0);
    need_global(cpu, sel, &d);
    if (!descriptor_is_tss(cpu, &d) || (d.attr & SYS_TSS_BUSY))
        segment_fault(cpu, EXC_GP, sel);
    if (!(d.attr & ATTR_P))
        segment_fault(cpu, EXC_NP, sel);
    if (cpu_long(cpu))
        descriptor_wide(cpu, &d, EXC_GP);
    descriptor_set_busy(cpu, &d, true);
    segment_set(&cpu->tr, sel, &d);
}

void op_sldt(struct cpu *cpu, const struct insn *in)
{
    control_need_umip(cpu);
    guest_write(cpu, in, 0, cpu->ldtr.sel);
}

void op_str(struct cpu *cpu, const struct insn *in)
{
    control_need_umip(cpu);
    guest_write(cpu, in, 0, cpu->tr.sel);
}

/* --- LAR, LSL, VERR, VERW, ARPL: no faults, an answer in ZF --- */

static void set_zf(struct cpu *cpu, bool zf)
{
    uint16_t bit = (uint16_t)(FLAG_ZF << AFLAGS_SHIFT);

    cpu->aflags = (uint16_t)(zf ? cpu->aflags | bit : cpu->aflags & ~bit);
}

/* Conforming code is open to all levels. */
static bool is_visible(const struct cpu *cpu, const struct descriptor *d)
{
    unsigned dpl = descriptor_dpl(d);

    if (descriptor_is_code(d) && descriptor_is_conforming(d))
        return true;
    return cpu->cpl <= dpl && (d->sel & SEL_RPL) <= dpl;
}

/* Bit t set: type t of a system descriptor is valid (SDM vol. 2, tables of
 * LAR and LSL). */
enum {
    LAR_TYPES = 1 << SYS_TSS16 | 1 << SYS_LDT | 1 << SYS_TSS16_BUSY |
                1 << SYS_CALL16 | 1 << SYS_TASK_GATE | 1 << SYS_TSS32 |
                1 << SYS_TSS32_BUSY | 1 << SYS_CALL32,
    LAR_TYPES_LONG = 1 << SYS_LDT | 1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY |
                     1 << SYS_CALL32,
    LSL_TYPES = 1 << SYS_TSS16 | 1 << SYS_LDT | 1 << SYS_TSS16_BUSY |
                1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY,
    LSL_TYPES_LONG = 1 << SYS_LDT | 1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY,
};

static bool examine(struct cpu *cpu, uint16_t sel, unsigned types,
                    struct descriptor *d)
{
    if (!descriptor_fetch(cpu, sel, d) || !is_visible(cpu, d))
        return false;
    return (d->attr & ATTR_S) || bits_test(types, d->attr & ATTR_TYPE);
}

static uint16_t examined_selector(struct cpu *cpu, const struct insn *in)
{
    return (uint16_t)guest_read(cpu, in, 1);
}

/* Bits 16-19 are "undefined" in the manual; processors return the limit's. */
void op_lar(struct cpu *cpu, const struct insn *in)
{
    uint16_t sel = examined_selector(cpu, in);
    struct descriptor d;
    bool ok = examine(cpu, sel, cpu_long(cpu) ? LAR_TYPES_LONG : LAR_TYPES, &d);

    if (ok)
        guest_write(cpu, in, 0, d.raw >> 32 & 0xffff00);
    set_zf(cpu, ok);
}

void op_lsl(struct cpu *cpu, const struct insn *in)
{
    uint16_t sel = examined_selector(cpu, in);
    struct descriptor d;
    bool ok = examine(cpu, sel, cpu_long(cpu) ? LSL_TYPES_LONG : LSL_TYPES, &d);

    if (ok)
        guest_write(cpu, in, 0, d.limit);
    set_zf(cpu, ok);
}

void op_verr(struct cpu *cpu, const struct insn *in)
{
    uint16_t sel = (uint16_t)guest_read(cpu, in, 0);
    struct descriptor d;

    set_zf(cpu, examine(cpu, sel, 0, &d) &&
                    (d.attr & (ATTR_CODE | ATTR_RW)) != ATTR_CODE);
}

void op_verw(struct cpu *cpu, const struct insn *in)
{
    uint16_t sel = (uint16_t)guest_read(cpu, in, 0);
    struct descriptor d;

    set_zf(cpu, examine(cpu, sel, 0, &d) && descriptor_is_writable_data(&d));
}

void op_arpl(struct cpu *cpu, const struct insn *in)
{
    uint64_t dst = guest_read(cpu, in, 0), src = guest_read(cpu, in, 1);
    bool raise = (dst & SEL_RPL) < (src & SEL_RPL);

    if (raise)
        guest_write(cpu, in, 0, (dst & ~(uint64_t)SEL_RPL) | (src & SEL_RPL));
    set_zf(cpu, raise);
}
