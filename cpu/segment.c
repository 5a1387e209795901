#include "cpu/segment.h"

#include <string.h>

#include "base/bits.h"
#include "cpu/guest.h"

enum { REAL_ATTR = ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED };

noreturn void segment_fault(struct cpu *cpu, enum vector vector, uint16_t sel)
{
    cpu_raise_error(cpu, vector, selector_error(cpu, sel));
}

/* --- descriptors --- */

/* Bytes [off, off+n) of the table that sel names lie at *la. */
static bool table_address(const struct cpu *cpu, uint16_t sel, unsigned off,
                          unsigned n, laddr *la)
{
    uint32_t at = (uint32_t)(sel & ~(SEL_TI | SEL_RPL)) + off;
    bool local = sel & SEL_TI;

    if (local && !(cpu->ldtr.attr & ATTR_P))
        return false;
    *la = (local ? cpu->ldtr.base : cpu->gdtr.base) + at;
    return at + n - 1 <= (local ? cpu->ldtr.limit : cpu->gdtr.limit);
}

/* Figure 3-8 of SDM vol. 3; bits 8-11 of attr hold the upper limit there. */
static void descriptor_unpack(struct descriptor *d)
{
    uint64_t v = d->raw;

    d->attr = (uint32_t)bits_get(v, 40, 16) & ~(uint32_t)0xf00;
    d->base = bits_get(v, 16, 24) | bits_get(v, 56, 8) << 24;
    d->limit = (uint32_t)(bits_get(v, 0, 16) | bits_get(v, 48, 4) << 16);
    if (d->attr & ATTR_G)
        d->limit = d->limit << 12 | 0xfff;
}

bool descriptor_fetch(struct cpu *cpu, uint16_t sel, struct descriptor *d)
{
    memset(d, 0, sizeof(*d));
    d->sel = sel;
    if (selector_is_null(sel) || !table_address(cpu, sel, 0, 8, &d->at))
        return false;
    d->raw = guest_sys_load(cpu, d->at, 8);
    descriptor_unpack(d);
    return true;
}

void descriptor_need(struct cpu *cpu, uint16_t sel, enum vector vector,
                     struct descriptor *d)
{
    if (!descriptor_fetch(cpu, sel, d))
        segment_fault(cpu, vector, sel);
}

void descriptor_wide(struct cpu *cpu, struct descriptor *d, enum vector vector)
{
    laddr la;

    if (!table_address(cpu, d->sel, 8, 8, &la))
        segment_fault(cpu, vector, d->sel);
    d->raw2 = guest_sys_load(cpu, la, 8);
    if (bits_get(d->raw2, 40, 5) != 0)
        segment_fault(cpu, vector, d->sel);
    d->base = (uint32_t)d->base | d->raw2 << 32;
}

struct gate descriptor_gate(const struct descriptor *d, bool wide)
{
    struct gate g = {
        .sel = (uint16_t)bits_get(d->raw, 16, 16),
        .type = (uint8_t)bits_get(d->raw, 40, 5),
        .dpl = (uint8_t)descriptor_dpl(d),
        .present = d->attr & ATTR_P,
        .count = (uint8_t)bits_get(d->raw, 32, 5),
        .offset = bits_get(d->raw, 0, 16) | bits_get(d->raw, 48, 16) << 16,
    };

    if (wide)
        g.offset |= d->raw2 << 32;
    else if (!(g.type & 8))
        g.offset &= 0xffff;
    return g;
}

/* Byte 5 of the descriptor holds type, S, DPL and P. */
static void write_type(struct cpu *cpu, struct descriptor *d)
{
    d->raw = (d->raw & ~((uint64_t)0xff << 40)) |
             (uint64_t)(d->attr & 0xff) << 40;
    guest_sys_store(cpu, d->at + 5, 1, d->attr & 0xff);
}

void descriptor_touch(struct cpu *cpu, struct descriptor *d)
{
    if (d->attr & ATTR_ACCESSED)
        return;
    d->attr |= ATTR_ACCESSED;
    write_type(cpu, d);
}

void descriptor_set_busy(struct cpu *cpu, struct descriptor *d, bool busy)
{
    if (busy)
        d->attr |= SYS_TSS_BUSY;
    else
        d->attr &= ~(uint32_t)SYS_TSS_BUSY;
    write_type(cpu, d);
}

bool descriptor_is_tss(const struct cpu *cpu, const struct descriptor *d)
{
    unsigned type = d->attr & (ATTR_TYPE | ATTR_S);

    type &= ~(unsigned)SYS_TSS_BUSY;
    return type == SYS_TSS32 || (type == SYS_TSS16 && !cpu_long(cpu));
}

/* --- hidden parts --- */

void segment_set(struct segment *s, uint16_t sel, const struct descriptor *d)
{
    s->sel = sel;
    s->attr = d->attr;
    s->limit = d->limit;
    s->base = d->base;
}

void segment_set_null(struct segment *s, uint16_t sel)
{
    s->sel = sel;
    s->attr = (uint32_t)(sel & SEL_RPL) << ATTR_DPL_SHIFT;
    s->limit = 0;
    s->base = 0;
}

/* In real mode limit and attributes stay as protected mode left them, so a
 * segment can be made larger than 64 KiB; an unusable one starts afresh. */
void segment_set_real(struct cpu *cpu, unsigned seg, uint16_t sel)
{
    struct segment *s = &cpu->seg[seg];

    s->sel = sel;
    s->base = (uint32_t)sel << 4;
    if (cpu->eflags & FLAG_VM) {
        s->attr = REAL_ATTR | ATTR_DPL;
        s->limit = 0xffff;
    } else if (!(s->attr & ATTR_P)) {
        s->attr = REAL_ATTR;
        s->limit = 0xffff;
    }
}

bool segment_holds_ip(const struct cpu *cpu, const struct descriptor *d,
                      uint64_t offset)
{
    if (cpu_long(cpu) && (d->attr & ATTR_L))
        return laddr_is_canonical(offset);
    return offset <= d->limit;
}

/* --- loads --- */

void segment_need_stack(struct cpu *cpu, uint16_t sel, unsigned cpl,
                        enum vector fault, struct descriptor *d)
{
    descriptor_need(cpu, sel, fault, d);
    if ((sel & SEL_RPL) != cpl || descriptor_dpl(d) != cpl ||
        !descriptor_is_writable_data(d))
        segment_fault(cpu, fault, sel);
    if (!(d->attr & ATTR_P))
        segment_fault(cpu, EXC_SS, sel);
}

/* Null is for 64-bit code of inner levels only (SDM vol. 2, MOV). */
static void load_stack(struct cpu *cpu, uint16_t sel)
{
    struct descriptor d;

    if (selector_is_null(sel)) {
        if (!cpu_code64(cpu) || cpu->cpl == 3 || sel != cpu->cpl)
            segment_fault(cpu, EXC_GP, 0);
        segment_set_null(&cpu->seg[SS], sel);
        return;
    }
    segment_need_stack(cpu, sel, cpu->cpl, EXC_GP, &d);
    descriptor_touch(cpu, &d);
    segment_set(&cpu->seg[SS], sel, &d);
}

/* Data, or code that may be read. */
static bool is_readable(const struct descriptor *d)
{
    return (d->attr & ATTR_S) && (d->attr & (ATTR_CODE | ATTR_RW)) != ATTR_CODE;
}

static bool is_conforming_code(const struct descriptor *d)
{
    return descriptor_is_code(d) && descriptor_is_conforming(d);
}

static void load_data(struct cpu *cpu, unsigned seg, uint16_t sel)
{
    struct descriptor d;

    if (selector_is_null(sel)) {
        segment_set_null(&cpu->seg[seg], sel);
        return;
    }
    descriptor_need(cpu, sel, EXC_GP, &d);
    if (!is_readable(&d))
        segment_fault(cpu, EXC_GP, sel);
    if (!is_conforming_code(&d) && ((sel & SEL_RPL) > descriptor_dpl(&d) ||
                                    cpu->cpl > descriptor_dpl(&d)))
        segment_fault(cpu, EXC_GP, sel);
    if (!(d.attr & ATTR_P))
        segment_fault(cpu, EXC_NP, sel);
    descriptor_touch(cpu, &d);
    segment_set(&cpu->seg[seg], sel, &d);
}

void segment_load(struct cpu *cpu, unsigned seg, uint16_t sel)
{
    if (!cpu_protected(cpu))
        segment_set_real(cpu, seg, sel);
    else if (seg == SS)
        load_stack(cpu, sel);
    else
        load_data(cpu, seg, sel);
    cpu_update_mode(cpu);
}

void segment_drop_privileged(struct cpu *cpu)
{
    static const uint8_t data[] = {ES, DS, FS, GS};

    for (unsigned i = 0; i < array_len(data); i++) {
        struct segment *s = &cpu->seg[data[i]];
        uint32_t conforming = ATTR_CODE | ATTR_DC;
        unsigned dpl = (s->attr & ATTR_DPL) >> ATTR_DPL_SHIFT;

        if ((s->attr & ATTR_P) && (s->attr & conforming) != conforming &&
            dpl < cpu->cpl)
            segment_set_null(s, 0);
    }
}

/* Of several such instructions in a row only the first one counts (SDM vol.
 * 3, 6.8.3), so a guest cannot hold interrupts off for ever. */
void cpu_hold_interrupts(struct cpu *cpu, bool debug_too)
{
    if (cpu->shadow && cpu->shadow_rip == cpu->rip)
        return;
    cpu->shadow = true;
    cpu->shadow_db = debug_too;
    cpu->shadow_rip = cpu->next_rip;
}
