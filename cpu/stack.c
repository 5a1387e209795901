#include "cpu/stack.h"

#include <assert.h>

#include "base/bytes.h"
#include "cpu/guest.h"
#include "cpu/segment.h"

static uint64_t mask_of(const struct segment *ss, bool wide)
{
    if (wide)
        return ~(uint64_t)0;
    return ss->attr & ATTR_DB ? 0xffffffff : 0xffff;
}

void stack_begin(struct stack *st, const struct cpu *cpu, unsigned size)
{
    st->ss = cpu->seg[SS];
    st->wide = cpu_code64(cpu);
    st->top = cpu->gpr[RSP];
    st->mask = mask_of(&st->ss, st->wide);
    st->cpl = cpu->cpl;
    st->error = cpu->delivering_ext;
    st->size = size;
    st->count = 0;
}

void stack_begin_new(struct stack *st, const struct cpu *cpu,
                     const struct descriptor *ss, uint64_t sp, unsigned cpl,
                     unsigned size)
{
    segment_set(&st->ss, ss->sel, ss);
    st->wide = !(ss->attr & ATTR_P);
    st->top = sp;
    st->mask = mask_of(&st->ss, st->wide);
    st->cpl = cpl;
    st->error = selector_error(cpu, ss->sel);
    st->size = size;
    st->count = 0;
}

void stack_push(struct stack *st, uint64_t value)
{
    assert(st->count < STACK_FRAME_MAX);
    st->item[st->count++] = value;
}

/* Offset in the segment of item i. */
static uint64_t offset_of(const struct stack *st, unsigned i)
{
    return (st->top - (uint64_t)(i + 1) * st->size) & st->mask;
}

static bool has_room(const struct stack *st, uint64_t off)
{
    uint64_t last = off + st->size - 1;

    if (st->wide)
        return laddr_is_canonical(off) && laddr_is_canonical(last);
    if (!(st->ss.attr & ATTR_DC))
        return last <= st->ss.limit;
    return off > st->ss.limit && last <= st->mask;
}

void stack_check(struct cpu *cpu, const struct stack *st)
{
    for (unsigned i = 0; i < st->count; i++) {
        if (!has_room(st, offset_of(st, i)))
            cpu_raise_error(cpu, EXC_SS, st->error);
    }
}

static laddr linear_of(const struct stack *st, uint64_t off)
{
    return st->wide ? off : (uint32_t)(st->ss.base + off);
}

/* The usual case: one run of bytes that does not wrap. */
static bool write_run(struct cpu *cpu, const struct stack *st)
{
    uint8_t bytes[STACK_FRAME_MAX * 8];
    unsigned n = st->count * st->size;

    for (unsigned i = 0; i < st->count; i++)
        store_sized(bytes + n - (i + 1) * st->size, st->item[i], st->size);
    return mmu_write_bytes(&cpu->mmu, linear_of(st, offset_of(st, st->count - 1)),
                           bytes, n);
}

/* SP wraps inside the frame: each push has an address of its own. */
static bool write_items(struct cpu *cpu, const struct stack *st)
{
    for (unsigned i = 0; i < st->count; i++) {
        if (!mmu_probe(&cpu->mmu, linear_of(st, offset_of(st, i)), st->size,
                       ACCESS_WRITE))
            return false;
    }
    for (unsigned i = 0; i < st->count; i++) {
        if (!mmu_write(&cpu->mmu, linear_of(st, offset_of(st, i)), st->size,
                       st->item[i]))
            return false;
    }
    return true;
}

static bool wraps(const struct stack *st)
{
    uint64_t low = offset_of(st, st->count - 1), high = offset_of(st, 0);

    return high < low || linear_of(st, high) < linear_of(st, low);
}

static void check_alignment(struct cpu *cpu, const struct stack *st)
{
    if (st->cpl == 3 && (cpu->eflags & FLAG_AC) && (cpu->cr0 & CR0_AM) &&
        (linear_of(st, offset_of(st, 0)) & (st->size - 1)))
        cpu_raise_error(cpu, EXC_AC, cpu->delivering_ext);
}

void stack_write(struct cpu *cpu, const struct stack *st)
{
    enum mmu_bank who = cpu->mmu.who;
    bool ok;

    if (st->count == 0)
        return;
    check_alignment(cpu, st);
    mmu_set_who(&cpu->mmu, mmu_bank_for(&cpu->mmu, st->cpl,
                                        cpu->eflags & FLAG_AC));
    ok = wraps(st) ? write_items(cpu, st) : write_run(cpu, st);
    mmu_set_who(&cpu->mmu, who);
    if (!ok)
        cpu_raise_page_fault(cpu);
}

void stack_commit(struct cpu *cpu, const struct stack *st)
{
    uint64_t sp = st->top - (uint64_t)st->count * st->size;

    if (st->mask == 0xffff)
        cpu->gpr[RSP] = (st->top & ~st->mask) | (sp & st->mask);
    else
        cpu->gpr[RSP] = sp & st->mask;
}

uint64_t stack_peek(struct cpu *cpu, unsigned i, unsigned size)
{
    uint64_t mask = mask_of(&cpu->seg[SS], cpu_code64(cpu));

    return guest_load(cpu, SS, (cpu->gpr[RSP] + (uint64_t)i * size) & mask,
                      size);
}

void stack_drop(struct cpu *cpu, uint64_t n)
{
    guest_set_sp(cpu, guest_sp(cpu) + n);
}
