/*
 * SSE4a: fields of bits in the low quadword (APM vol. 4, EXTRQ and INSERTQ).
 * The high quadword of the result is undefined: zero, as on the processors that
 * have them.  A length of 0 means 64.
 */

#include "base/bits.h"
#include "cpu/ops.h"
#include "cpu/simd.h"

/* A field of 64 or more bits in all is undefined: what is above bit 63 is cut
 * off. */
static uint64_t field_mask(unsigned length)
{
    length &= 63;
    return bits_mask(length ? length : 64);
}

static uint64_t extract(uint64_t v, unsigned length, unsigned index)
{
    return v >> (index & 63) & field_mask(length);
}

static uint64_t insert(uint64_t to, uint64_t v, unsigned length, unsigned index)
{
    uint64_t mask = field_mask(length) << (index & 63);

    return (to & ~mask) | (v << (index & 63) & mask);
}

static void write_low(struct cpu *cpu, const struct insn *in, uint64_t v)
{
    union vec r = {.u64 = {v}};

    simd_write(cpu, in, &r);
}

/* Length and index are the immediates. */
void op_extrq_i(struct cpu *cpu, const struct insn *in)
{
    union vec v;

    simd_read(cpu, in, 0, &v);
    write_low(cpu, in,
              extract(v.u64[0], (unsigned)in->imm, (unsigned)in->imm2));
}

/* Length and index are the lowest bytes of the second operand. */
void op_extrq(struct cpu *cpu, const struct insn *in)
{
    union vec v, field;

    simd_read_pair(cpu, in, &v, &field);
    write_low(cpu, in, extract(v.u64[0], field.u8[0], field.u8[1]));
}

void op_insertq_i(struct cpu *cpu, const struct insn *in)
{
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    write_low(
        cpu, in,
        insert(a.u64[0], b.u64[0], (unsigned)in->imm, (unsigned)in->imm2));
}

/* Length and index are in the high quadword of the second operand. */
void op_insertq(struct cpu *cpu, const struct insn *in)
{
    union vec a, b;

    simd_read_pair(cpu, in, &a, &b);
    write_low(cpu, in, insert(a.u64[0], b.u64[0], b.u8[8], b.u8[9]));
}
