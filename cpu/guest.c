#include "cpu/guest.h"

#include <string.h>

#include "cpu/fault.h"
#include "cpu/segment.h"

/*
 * Segment checks follow SDM vol. 3, 5.3 to 5.4.1 (outside 64-bit mode) and
 * 3.3.7.1 and 3.4.4 (in it); alignment checks 6.15, "Interrupt 17".
 */

#define LA_4G ((uint64_t)1 << 32)

/* #SS for the stack segment, #GP for the others. */
static noreturn void raise_segment(struct cpu *cpu, unsigned seg)
{
    cpu_raise_error(cpu, seg == SS ? EXC_SS : EXC_GP, 0);
}

/* Is [off, off+size) inside the segment?  Expand-down segments (SDM vol. 3,
 * 5.3) hold what an ordinary one of that limit does not. */
static bool within_limit(const struct segment *s, uint64_t off, unsigned size)
{
    uint64_t last = off + size - 1;

    if (likely((s->attr & (ATTR_CODE | ATTR_DC)) != ATTR_DC))
        return last <= s->limit;
    return off > s->limit && last <= (s->attr & ATTR_DB ? 0xffffffff : 0xffff);
}

/* In real and virtual-8086 mode any segment may be read and written. */
static bool type_allows(const struct cpu *cpu, const struct segment *s,
                        enum access access)
{
    if (!(s->attr & ATTR_P))
        return false;
    if (!(cpu->mode & MODE_PE))
        return true;
    if (access == ACCESS_WRITE)
        return (s->attr & (ATTR_CODE | ATTR_RW)) == ATTR_RW;
    return (s->attr & (ATTR_CODE | ATTR_RW)) != ATTR_CODE;
}

/* In 64-bit mode only FS and GS have a base. */
static bool linear64(const struct cpu *cpu, unsigned seg, uint64_t off,
                     unsigned size, laddr *la)
{
    *la = off;
    if (seg == FS || seg == GS)
        *la += cpu->seg[seg].base;
    return laddr_is_canonical(*la) && laddr_is_canonical(*la + size - 1);
}

static inline bool linear_of(const struct cpu *cpu, unsigned seg, uint64_t off,
                             unsigned size, enum access access, laddr *la)
{
    const struct segment *s = &cpu->seg[seg];

    if (cpu_code64(cpu))
        return linear64(cpu, seg, off, size, la);
    *la = (uint32_t)(s->base + off);
    return type_allows(cpu, s, access) && within_limit(s, off, size);
}

static bool misaligned(const struct cpu *cpu, laddr la, unsigned size)
{
    return unlikely(cpu->eflags & FLAG_AC) && cpu->cpl == 3 &&
           (cpu->cr0 & CR0_AM) && (la & (size - 1)) && bits_is_pow2(size) &&
           size <= 8;
}

bool guest_linear_try(struct cpu *cpu, unsigned seg, uint64_t off,
                      unsigned size, enum access access, laddr *la)
{
    return linear_of(cpu, seg, off, size, access, la);
}

laddr guest_linear(struct cpu *cpu, unsigned seg, uint64_t off, unsigned size,
                   enum access access)
{
    laddr la;

    if (unlikely(!linear_of(cpu, seg, off, size, access, &la)))
        raise_segment(cpu, seg);
    if (misaligned(cpu, la, size))
        cpu_raise_error(cpu, EXC_AC, 0);
    return la;
}

/* Outside 64-bit mode linear addresses wrap at 4 GiB: how many of size bytes
 * lie before. */
static unsigned before_wrap(const struct cpu *cpu, laddr la, unsigned size)
{
    if (likely(la + size <= LA_4G) || cpu_code64(cpu))
        return size;
    return (unsigned)(LA_4G - la);
}

static void read_bytes(struct cpu *cpu, laddr la, void *dst, unsigned size)
{
    unsigned n = before_wrap(cpu, la, size);
    bool ok = mmu_read_bytes(&cpu->mmu, la, dst, n);

    if (ok && n < size)
        ok = mmu_read_bytes(&cpu->mmu, 0, (uint8_t *)dst + n, size - n);
    if (!ok)
        cpu_raise_page_fault(cpu);
}

static void probe_bytes(struct cpu *cpu, laddr la, unsigned size)
{
    unsigned n = before_wrap(cpu, la, size);
    bool ok = mmu_probe(&cpu->mmu, la, n, ACCESS_WRITE);

    if (ok && n < size)
        ok = mmu_probe(&cpu->mmu, 0, size - n, ACCESS_WRITE);
    if (!ok)
        cpu_raise_page_fault(cpu);
}

static void write_bytes(struct cpu *cpu, laddr la, const void *src,
                        unsigned size)
{
    unsigned n = before_wrap(cpu, la, size);
    bool ok;

    if (unlikely(n < size))
        probe_bytes(cpu, la, size);
    ok = mmu_write_bytes(&cpu->mmu, la, src, n);
    if (ok && n < size)
        ok = mmu_write_bytes(&cpu->mmu, 0, (const uint8_t *)src + n, size - n);
    if (!ok)
        cpu_raise_page_fault(cpu);
}

uint64_t guest_load(struct cpu *cpu, unsigned seg, uint64_t off, unsigned size)
{
    laddr la = guest_linear(cpu, seg, off, size, ACCESS_READ);
    uint64_t v = 0;

    if (unlikely(before_wrap(cpu, la, size) < size)) {
        read_bytes(cpu, la, &v, size);
        return v;
    }
    if (unlikely(!mmu_read(&cpu->mmu, la, size, &v)))
        cpu_raise_page_fault(cpu);
    return v;
}

void guest_store(struct cpu *cpu, unsigned seg, uint64_t off, unsigned size,
                 uint64_t v)
{
    laddr la = guest_linear(cpu, seg, off, size, ACCESS_WRITE);

    if (unlikely(before_wrap(cpu, la, size) < size)) {
        write_bytes(cpu, la, &v, size);
        return;
    }
    if (unlikely(!mmu_write(&cpu->mmu, la, size, v)))
        cpu_raise_page_fault(cpu);
}

void guest_probe_store(struct cpu *cpu, unsigned seg, uint64_t off,
                       unsigned size)
{
    probe_bytes(cpu, guest_linear(cpu, seg, off, size, ACCESS_WRITE), size);
}

void guest_load_bytes(struct cpu *cpu, unsigned seg, uint64_t off, void *dst,
                      unsigned size)
{
    read_bytes(cpu, guest_linear(cpu, seg, off, size, ACCESS_READ), dst, size);
}

void guest_store_bytes(struct cpu *cpu, unsigned seg, uint64_t off,
                       const void *src, unsigned size)
{
    write_bytes(cpu, guest_linear(cpu, seg, off, size, ACCESS_WRITE), src,
                size);
}

/* Outside IA-32e mode a linear address has 32 bits. */
static laddr system_linear(const struct cpu *cpu, laddr la)
{
    return cpu_long(cpu) ? la : (uint32_t)la;
}

uint64_t guest_sys_load(struct cpu *cpu, laddr la, unsigned size)
{
    uint64_t v = 0;

    if (!mmu_sys_read(&cpu->mmu, system_linear(cpu, la), &v, size))
        cpu_raise_page_fault(cpu);
    return v;
}

void guest_sys_store(struct cpu *cpu, laddr la, unsigned size, uint64_t v)
{
    if (!mmu_sys_write(&cpu->mmu, system_linear(cpu, la), &v, size))
        cpu_raise_page_fault(cpu);
}

/* Cuts a stack pointer to the stack's width. */
static uint64_t cut_sp(const struct cpu *cpu, uint64_t sp)
{
    if (cpu_code64(cpu))
        return sp;
    return cpu->mode & MODE_STACK32 ? (uint32_t)sp : (uint16_t)sp;
}

uint64_t guest_sp(const struct cpu *cpu)
{
    return cut_sp(cpu, cpu->gpr[RSP]);
}

void guest_set_sp(struct cpu *cpu, uint64_t sp)
{
    uint64_t kept = 0;

    if (!(cpu->mode & (MODE_CODE64 | MODE_STACK32)))
        kept = cpu->gpr[RSP] & ~(uint64_t)0xffff;
    cpu->gpr[RSP] = kept | cut_sp(cpu, sp);
}

void guest_push(struct cpu *cpu, unsigned size, uint64_t v)
{
    uint64_t sp = cut_sp(cpu, cpu->gpr[RSP] - size);

    guest_store(cpu, SS, sp, size, v);
    guest_set_sp(cpu, sp);
}

uint64_t guest_pop(struct cpu *cpu, unsigned size)
{
    uint64_t sp = guest_sp(cpu);
    uint64_t v = guest_load(cpu, SS, sp, size);

    guest_set_sp(cpu, sp + size);
    return v;
}

uint64_t guest_address(const struct cpu *cpu, const struct insn *in)
{
    uint64_t off = (uint64_t)in->disp;

    if (in->base == REG_RIP)
        off += cpu->rip + in->len;
    else if (in->base != REG_NONE)
        off += cpu->gpr[in->base];
    if (in->index != REG_NONE)
        off += cpu->gpr[in->index] << in->scale;
    return off & bits_mask(8u * in->addrsize);
}

static uint64_t read_memory(struct cpu *cpu, const struct insn *in,
                            const struct operand *o)
{
    uint64_t off = guest_address(cpu, in);

    if (o->access == ACC_RW)
        guest_probe_store(cpu, in->seg, off, o->size);
    return guest_load(cpu, in->seg, off, o->size);
}

uint64_t guest_read(struct cpu *cpu, const struct insn *in, unsigned i)
{
    const struct operand *o = &in->op[i];
    uint64_t mask = bits_mask(8u * o->size);

    switch (o->kind) {
    case OPND_GPR: return cpu->gpr[o->reg] & mask;
    case OPND_GPRH: return cpu->gpr[o->reg] >> 8 & 0xff;
    case OPND_MEM: return read_memory(cpu, in, o);
    case OPND_IMM2: return in->imm2 & mask;
    case OPND_SEG: return cpu->seg[o->reg].sel;
    default: return in->imm & mask;
    }
}

void guest_write(struct cpu *cpu, const struct insn *in, unsigned i, uint64_t v)
{
    const struct operand *o = &in->op[i];
    uint64_t mask = bits_mask(8u * o->size), *r;

    if (o->kind == OPND_MEM) {
        guest_store(cpu, in->seg, guest_address(cpu, in), o->size, v);
        return;
    }
    r = &cpu->gpr[o->reg & (GPR_COUNT - 1)];
    if (o->kind == OPND_GPRH)
        *r = (*r & ~(uint64_t)0xff00) | (v & 0xff) << 8;
    else if (o->size == 4)
        *r = (uint32_t)v;
    else
        *r = (*r & ~mask) | (v & mask);
}

/* SDM vol. 2, JMP and Jcc: EIP after a 16-bit jump has its upper half clear;
 * beyond the limit, or not canonical: #GP(0). */
void guest_jump(struct cpu *cpu, const struct insn *in, uint64_t target)
{
    target &= bits_mask(8u * in->opsize);
    if (cpu_code64(cpu) ? !laddr_is_canonical(target)
                        : target > cpu->seg[CS].limit)
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu->next_rip = target;
}
