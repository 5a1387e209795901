#include "cpu/simd.h"

#include <string.h>

#include "cpu/fault.h"
#include "cpu/fpu.h"
#include "cpu/guest.h"

enum { MMX_EXPONENT = 0xffff }; /* of a register that MMX wrote */

static void check_alignment(struct cpu *cpu, const struct insn *in, laddr la)
{
    if (unlikely(la & (XMM_SIZE - 1)) &&
        (insn_info[in->id].attrs & A_XMM_ALIGN))
        cpu_raise_error(cpu, EXC_GP, 0);
}

/* Two accesses are as good as one where both are in one page: if the first
 * does not fault, the second does not. */
static bool in_one_page(laddr la)
{
    return (la & (PAGE_SIZE - 1)) <= PAGE_SIZE - XMM_SIZE;
}

static void read_xmm_memory(struct cpu *cpu, const struct insn *in,
                            union vec *out)
{
    uint64_t off = guest_address(cpu, in);
    laddr la = guest_linear(cpu, in->seg, off, XMM_SIZE, ACCESS_READ);

    check_alignment(cpu, in, la);
    if (unlikely(!in_one_page(la)))
        guest_load_bytes(cpu, in->seg, off, out, XMM_SIZE);
    else if (unlikely(!mmu_read(&cpu->mmu, la, 8, &out->u64[0]) ||
                      !mmu_read(&cpu->mmu, la + 8, 8, &out->u64[1])))
        cpu_raise_page_fault(cpu);
}

static void write_xmm_memory(struct cpu *cpu, const struct insn *in,
                             const union vec *v)
{
    uint64_t off = guest_address(cpu, in);
    laddr la = guest_linear(cpu, in->seg, off, XMM_SIZE, ACCESS_WRITE);

    check_alignment(cpu, in, la);
    if (unlikely(!in_one_page(la)))
        guest_store_bytes(cpu, in->seg, off, v, XMM_SIZE);
    else if (unlikely(!mmu_write(&cpu->mmu, la, 8, v->u64[0]) ||
                      !mmu_write(&cpu->mmu, la + 8, 8, v->u64[1])))
        cpu_raise_page_fault(cpu);
}

void simd_read(struct cpu *cpu, const struct insn *in, unsigned i,
               union vec *out)
{
    const struct operand *o = &in->op[i];
    const union vec *xmm;

    switch (o->kind) {
    case OPND_XMM:
        xmm = &cpu->xmm[o->reg & 15];
        out->u64[0] = xmm->u64[0];
        out->u64[1] = xmm->u64[1];
        return;
    case OPND_MM:
        out->u64[0] = cpu->fpu.r[o->reg & 7].frac;
        out->u64[1] = 0;
        return;
    case OPND_MEM:
        if (o->size == XMM_SIZE) {
            read_xmm_memory(cpu, in, out);
            return;
        }
        break;
    }
    out->u64[0] = guest_read(cpu, in, i);
    out->u64[1] = 0;
}

static void write_mm(struct fpu *fpu, unsigned reg, uint64_t v)
{
    fpu->r[reg & 7].frac = v;
    fpu->r[reg & 7].exp = MMX_EXPONENT;
}

static void write_operand(struct cpu *cpu, const struct insn *in,
                          const union vec *v, unsigned xmm_bytes)
{
    const struct operand *o = &in->op[0];

    if (o->kind == OPND_XMM)
        memcpy(&cpu->xmm[o->reg & 15], v, xmm_bytes);
    else if (o->kind == OPND_MM)
        write_mm(&cpu->fpu, o->reg, v->u64[0]);
    else if (o->size == XMM_SIZE)
        write_xmm_memory(cpu, in, v);
    else
        guest_write(cpu, in, 0, v->u64[0]);
    if (o->kind == OPND_MM || in->op[1].kind == OPND_MM)
        fpu_enter_mmx(&cpu->fpu);
}

void simd_write(struct cpu *cpu, const struct insn *in, const union vec *v)
{
    write_operand(cpu, in, v, in->op[0].size);
}

void simd_write_whole(struct cpu *cpu, const struct insn *in,
                      const union vec *v)
{
    write_operand(cpu, in, v, XMM_SIZE);
}
