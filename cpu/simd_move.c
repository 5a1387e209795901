/*
 * Moves between registers and memory (SDM vol. 1, 9.4.1, 10.4.1.1, 11.4.1.1,
 * 12.3).  Non-temporal stores are stores: caches are not modelled.
 */

#include "base/bits.h"
#include "cpu/fpu.h"
#include "cpu/guest.h"
#include "cpu/ops.h"
#include "cpu/simd.h"

/* MOVAPS, MOVDQU, MOVNTQ, ...: as many bytes as the destination has. */
void op_vmov(struct cpu *cpu, const struct insn *in)
{
    union vec v;

    simd_read(cpu, in, simd_source(in), &v);
    simd_write(cpu, in, &v);
}

/* MOVD, MOVQ, MOVSS and MOVSD from memory: the rest of an XMM register becomes
 * zero. */
void op_vmov_zero(struct cpu *cpu, const struct insn *in)
{
    union vec v, r = {.u64 = {0}};

    simd_read(cpu, in, 1, &v);
    r.u64[0] = in->op[1].size <= 4 ? v.u32[0] : v.u64[0];
    simd_write_whole(cpu, in, &r);
}

/* MOVHLPS: high half of the source to the low half. */
void op_vmov_hl(struct cpu *cpu, const struct insn *in)
{
    union vec v;

    simd_read(cpu, in, simd_source(in), &v);
    v.u64[0] = v.u64[1];
    simd_write(cpu, in, &v);
}

/* MOVLHPS, and MOVHPS and MOVHPD from memory: low half of the source to the
 * high half. */
void op_vmov_lh(struct cpu *cpu, const struct insn *in)
{
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    a.u64[1] = b.u64[0];
    simd_write(cpu, in, &a);
}

/* DUPLICATE: lane i of the result is lane `from` of the source. */
#define DUPLICATE(name, bits, from)                               \
    void op_##name(struct cpu *cpu, const struct insn *in)        \
    {                                                             \
        union vec v, r;                                           \
                                                                  \
        simd_read(cpu, in, 1, &v);                                \
        for (unsigned i = 0; i < simd_size(in) * 8 / (bits); i++) \
            r.u##bits[i] = v.u##bits[from];                       \
        simd_write(cpu, in, &r);                                  \
    }

DUPLICATE(movddup, 64, i & ~1u)
DUPLICATE(movsldup, 32, i & ~1u)
DUPLICATE(movshdup, 32, i | 1u)

/* One bit a lane, its highest. */
#define MOVE_MASK(name, bits)                                           \
    void op_##name(struct cpu *cpu, const struct insn *in)              \
    {                                                                   \
        union vec v, mask = {.u64 = {0}};                               \
                                                                        \
        simd_read(cpu, in, 1, &v);                                      \
        for (unsigned i = 0; i < in->op[1].size * 8u / (bits); i++)     \
            mask.u32[0] |= (uint32_t)(v.u##bits[i] >> (bits - 1)) << i; \
        simd_write(cpu, in, &mask);                                     \
    }

MOVE_MASK(pmovmskb, 8)
MOVE_MASK(movmskps, 32)
MOVE_MASK(movmskpd, 64)

/* MASKMOVQ, MASKMOVDQU: bytes of operand 0 whose mask byte in operand 1 has
 * its top bit set go to [rDI].  All of them may be written, or none is. */
void op_maskmov(struct cpu *cpu, const struct insn *in)
{
    uint64_t at = cpu->gpr[RDI], cut = bits_mask(8u * in->addrsize);
    union vec v, mask;

    simd_read_pair(cpu, in, &v, &mask);
    for (unsigned i = 0; i < in->op[0].size; i++)
        if (mask.u8[i] & 0x80)
            guest_probe_store(cpu, in->seg, (at + i) & cut, 1);
    for (unsigned i = 0; i < in->op[0].size; i++)
        if (mask.u8[i] & 0x80)
            guest_store(cpu, in->seg, (at + i) & cut, 1, v.u8[i]);
    if (in->op[0].kind == OPND_MM)
        fpu_enter_mmx(&cpu->fpu);
}
