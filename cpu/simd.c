#include "cpu/simd.h"

#include <string.h>

#include "cpu/fault.h"
#include "cpu/fpu.h"
#include "cpu/guest.h"
#include "cpu/simd_fp.h"

enum { MMX_EXPONENT = 0xffff }; /* of a register that MMX wrote */

/* MXCSR.MM lets all be misaligned but moves that are there to be aligned (tried
 * on a processor). */
static bool may_be_misaligned(const struct cpu *cpu, const struct insn *in)
{
    return cpu->mxcsr & MXCSR_MM && strcmp(insn_info[in->id].body, "vmov") != 0;
}

/* Legacy SSE aligns to 16 bytes; VMOVAPS and its like to the whole operand. */
static void check_alignment(struct cpu *cpu, const struct insn *in, laddr la,
                            unsigned size)
{
    if (unlikely(la & (size - 1)) &&
        (insn_info[in->id].attrs & A_XMM_ALIGN) && !may_be_misaligned(cpu, in))
        cpu_raise_error(cpu, EXC_GP, 0);
}

/* Several accesses are as good as one where all are in one page: if the first
 * does not fault, the others do not. */
static bool in_one_page(laddr la, unsigned size)
{
    return (la & (PAGE_SIZE - 1)) <= PAGE_SIZE - size;
}

/* size: 16 or 32. */
static void read_memory(struct cpu *cpu, const struct insn *in,
                        union vec *out, unsigned size)
{
    uint64_t off = guest_address(cpu, in);
    laddr la = guest_linear(cpu, in->seg, off, size, ACCESS_READ);

    check_alignment(cpu, in, la, size);
    if (unlikely(!in_one_page(la, size))) {
        guest_load_bytes(cpu, in->seg, off, out, size);
        return;
    }
    for (unsigned i = 0; i < size / 8; i++)
        if (unlikely(!mmu_read(&cpu->mmu, la + 8 * i, 8, &out->u64[i])))
            cpu_raise_page_fault(cpu);
}

static void write_memory(struct cpu *cpu, const struct insn *in,
                         const union vec *v, unsigned size)
{
    uint64_t off = guest_address(cpu, in);
    laddr la = guest_linear(cpu, in->seg, off, size, ACCESS_WRITE);

    check_alignment(cpu, in, la, size);
    if (unlikely(!in_one_page(la, size))) {
        guest_store_bytes(cpu, in->seg, off, v, size);
        return;
    }
    for (unsigned i = 0; i < size / 8; i++)
        if (unlikely(!mmu_write(&cpu->mmu, la + 8 * i, 8, v->u64[i])))
            cpu_raise_page_fault(cpu);
}

void simd_read(struct cpu *cpu, const struct insn *in, unsigned i,
               union vec *out)
{
    const struct operand *o = &in->op[i];

    memset(out, 0, YMM_SIZE);
    switch (o->kind) {
    case OPND_XMM:
        memcpy(out, &cpu->xmm[o->reg & 15],
               o->size == YMM_SIZE ? YMM_SIZE : XMM_SIZE);
        return;
    case OPND_MM: out->u64[0] = cpu->fpu.r[o->reg & 7].frac; return;
    case OPND_MEM:
        if (o->size == XMM_SIZE || o->size == YMM_SIZE) {
            read_memory(cpu, in, out, o->size);
            return;
        }
        break;
    }
    out->u64[0] = guest_read(cpu, in, i);
}

static void write_mm(struct fpu *fpu, unsigned reg, uint64_t v)
{
    fpu->r[reg & 7].frac = v;
    fpu->r[reg & 7].exp = MMX_EXPONENT;
}

static bool is_vector_source(const struct operand *o)
{
    return o->kind != OPND_NONE && o->kind != OPND_IMM;
}

/* What a scalar of size bytes leaves of the register's low 16 bytes: those of
 * the first of two sources; of the destination if it is a source itself (FMA);
 * zeros for a move (SDM vol. 2, 2.3.10 and VMOVSS, VADDSS). */
static void fill_scalar(const struct cpu *cpu, const struct insn *in,
                        union vec *v, unsigned size)
{
    const struct operand *from = &in->op[0];

    if (from->access == ACC_W) {
        from = &in->op[1];
        if (from->kind != OPND_XMM || !is_vector_source(&in->op[2]))
            return;
    }
    memcpy(v->u8 + size, cpu->xmm[from->reg & 15].u8 + size, XMM_SIZE - size);
}

/* VEX clears all above what it writes. */
static void write_vex(struct cpu *cpu, const struct insn *in,
                      const union vec *v, unsigned size)
{
    union vec full = {.u64 = {0}};

    memcpy(&full, v, size);
    if (size < XMM_SIZE)
        fill_scalar(cpu, in, &full, size);
    cpu->xmm[in->op[0].reg & 15] = full;
}

static void write_operand(struct cpu *cpu, const struct insn *in,
                          const union vec *v, unsigned xmm_bytes)
{
    const struct operand *o = &in->op[0];

    if (o->kind == OPND_XMM && in->vex_len)
        write_vex(cpu, in, v, xmm_bytes);
    else if (o->kind == OPND_XMM)
        memcpy(&cpu->xmm[o->reg & 15], v, xmm_bytes);
    else if (o->kind == OPND_MM)
        write_mm(&cpu->fpu, o->reg, v->u64[0]);
    else if (o->size == XMM_SIZE || o->size == YMM_SIZE)
        write_memory(cpu, in, v, o->size);
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
    write_operand(cpu, in, v,
                  in->op[0].size == YMM_SIZE ? YMM_SIZE : XMM_SIZE);
}

void simd_read_pair(struct cpu *cpu, const struct insn *in, union vec *a,
                    union vec *b)
{
    bool three = in->vex_len && in->op[0].access == ACC_W &&
                 in->op[2].kind != OPND_NONE;

    simd_read(cpu, in, three ? 2 : 1, b);
    simd_read(cpu, in, three ? 1 : 0, a);
}
