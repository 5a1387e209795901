/*
 * Integer instructions that are not a few primitives of the dialect: division,
 * rotates through carry, decimal arithmetic, stack frames.
 *
 * Undefined flags get what processors give: SF, ZF and PF by the result and
 * zero in CF, AF and OF unless something else is said.
 */

#include "cpu/ops.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "cpu/fault.h"
#include "cpu/guest.h"

static void set_reg(struct cpu *cpu, unsigned r, unsigned n, uint64_t v)
{
    uint64_t m = bits_mask(8 * n);

    cpu->gpr[r] = n == 4 ? (uint32_t)v : (cpu->gpr[r] & ~m) | (v & m);
}

static void set_flag(struct cpu *cpu, uint16_t flag, bool v)
{
    cpu->aflags = (uint16_t)(v ? cpu->aflags | flag : cpu->aflags & ~flag);
}

/* In the form of aflags. */
enum {
    AF_CF = FLAG_CF << AFLAGS_SHIFT,
    AF_AF = FLAG_AF << AFLAGS_SHIFT,
    AF_ZF = FLAG_ZF << AFLAGS_SHIFT,
};

/* --- division (SDM vol. 2, DIV and IDIV) --- */

/* AX for bytes, else (R/E)DX:(R/E)AX. */
static uint128 dividend(const struct cpu *cpu, unsigned n)
{
    uint64_t m = bits_mask(8 * n);

    if (n == 1)
        return cpu->gpr[RAX] & 0xffff;
    return (uint128)(cpu->gpr[RDX] & m) << (8 * n) | (cpu->gpr[RAX] & m);
}

static void set_quotient(struct cpu *cpu, unsigned n, uint64_t q, uint64_t r)
{
    cpu->aflags = AFLAGS_DIVIDED;
    if (n == 1) {
        set_reg(cpu, RAX, 2, (q & 0xff) | (r & 0xff) << 8);
        return;
    }
    set_reg(cpu, RAX, n, q);
    set_reg(cpu, RDX, n, r);
}

/* Narrow operands are most of them, and the host divides those at once. */
static void divide(uint128 a, uint64_t b, uint128 *q, uint64_t *r)
{
    if (likely(a >> 64 == 0)) {
        *q = (uint64_t)a / b;
        *r = (uint64_t)a % b;
        return;
    }
    *q = a / b;
    *r = (uint64_t)(a % b);
}

void op_div(struct cpu *cpu, const struct insn *in)
{
    unsigned n = in->op[0].size;
    uint64_t b = guest_read(cpu, in, 0), r;
    uint128 q;

    if (b == 0)
        cpu_raise(cpu, EXC_DE);
    divide(dividend(cpu, n), b, &q, &r);
    if (q > bits_mask(8 * n))
        cpu_raise(cpu, EXC_DE);
    set_quotient(cpu, n, (uint64_t)q, r);
}

/* By magnitudes, so that nothing overflows in C; the remainder has the sign of
 * the dividend. */
void op_idiv(struct cpu *cpu, const struct insn *in)
{
    unsigned n = in->op[0].size, bits = 8 * n;
    uint64_t b = guest_read(cpu, in, 0), r;
    uint128 a = dividend(cpu, n), q;
    bool a_neg = a >> (2 * bits - 1) & 1, b_neg = b >> (bits - 1) & 1;
    bool q_neg = a_neg != b_neg;

    if (b == 0)
        cpu_raise(cpu, EXC_DE);
    if (a_neg)
        a = n == 8 ? -a : -a & bits_mask(2 * bits);
    if (b_neg)
        b = -b & bits_mask(bits);
    divide(a, b, &q, &r);
    if (q > ((uint64_t)1 << (bits - 1)) - !q_neg)
        cpu_raise(cpu, EXC_DE);
    set_quotient(cpu, n, q_neg ? -(uint64_t)q : (uint64_t)q, a_neg ? -r : r);
}

/* --- rotates through CF (SDM vol. 2, RCL/RCR) --- */

/* As masked by the processor.  It rotates by this modulo the width with CF in
 * it; OF is set even if that is 0. */
static unsigned rotate_count(struct cpu *cpu, const struct insn *in)
{
    return (unsigned)guest_read(cpu, in, 1) & (in->op[0].size == 8 ? 63 : 31);
}

static uint64_t carry(const struct cpu *cpu)
{
    return cpu->aflags >> AFLAGS_SHIFT & 1;
}

void op_rcl(struct cpu *cpu, const struct insn *in)
{
    unsigned n = in->op[0].size, bits = 8 * n;
    unsigned count = rotate_count(cpu, in), c = count % (bits + 1);
    uint64_t a = guest_read(cpu, in, 0), r = a, cf = carry(cpu);

    if (c != 0) {
        /* c bits go up; CF and the top c - 1 bits come in below. */
        r = (c == 64 ? 0 : a << c) | cf << (c - 1);
        if (c > 1)
            r |= a >> (bits + 1 - c);
        r &= bits_mask(bits);
        cf = a >> (bits - c) & 1;
    }
    guest_write(cpu, in, 0, r);
    if (count == 0)
        return;
    set_flag(cpu, AF_CF, cf);
    set_flag(cpu, AFLAGS_OF, flags_msb(n, r) ^ cf);
}

void op_rcr(struct cpu *cpu, const struct insn *in)
{
    unsigned n = in->op[0].size, bits = 8 * n;
    unsigned count = rotate_count(cpu, in), c = count % (bits + 1);
    uint64_t a = guest_read(cpu, in, 0), r = a, cf = carry(cpu);

    if (c != 0) {
        r = (c == 64 ? 0 : a >> c) | cf << (bits - c);
        if (c > 1)
            r |= a << (bits + 1 - c);
        r &= bits_mask(bits);
        cf = a >> (c - 1) & 1;
    }
    guest_write(cpu, in, 0, r);
    if (count == 0)
        return;
    set_flag(cpu, AF_CF, cf);
    set_flag(cpu, AFLAGS_OF, flags_msb(n, r ^ r << 1));
}

/* --- decimal arithmetic (SDM vol. 1, 7.3.2.3) --- */

/* AAA and AAS: AX plus or minus 106h if AL's digit overflowed. */
static void ascii_adjust(struct cpu *cpu, bool subtract)
{
    uint64_t ax = cpu->gpr[RAX] & 0xffff;
    bool adjust = (ax & 0xf) > 9 || (cpu->aflags & AF_AF);

    if (adjust)
        ax = subtract ? ax - 0x106 : ax + 0x106;
    ax &= 0xff0f;
    set_reg(cpu, RAX, 2, ax);
    cpu->aflags = flags_pzs(1, ax & 0xff);
    set_flag(cpu, AF_CF | AF_AF, adjust);
}

void op_aaa(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    ascii_adjust(cpu, false);
}

void op_aas(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    ascii_adjust(cpu, true);
}

void op_aam(struct cpu *cpu, const struct insn *in)
{
    unsigned base = (unsigned)in->imm & 0xff;
    unsigned al = (unsigned)cpu->gpr[RAX] & 0xff;

    if (base == 0)
        cpu_raise(cpu, EXC_DE);
    set_reg(cpu, RAX, 2, al / base << 8 | al % base);
    cpu->aflags = flags_pzs(1, al % base);
}

void op_aad(struct cpu *cpu, const struct insn *in)
{
    unsigned ax = (unsigned)cpu->gpr[RAX];
    unsigned al = (ax + (ax >> 8 & 0xff) * ((unsigned)in->imm & 0xff)) & 0xff;

    set_reg(cpu, RAX, 2, al);
    cpu->aflags = flags_pzs(1, al);
}

/* DAA and DAS: first the low digit, by 6, then the high one, by 60h. */
static void decimal_adjust(struct cpu *cpu, bool subtract)
{
    unsigned old = (unsigned)cpu->gpr[RAX] & 0xff;
    bool low = (old & 0xf) > 9 || (cpu->aflags & AF_AF);
    bool high = old > 0x99 || carry(cpu);
    bool borrow = subtract && low && old < 6;
    unsigned fix = (low ? 6u : 0) + (high ? 0x60u : 0);
    unsigned al = (subtract ? old - fix : old + fix) & 0xff;
    set_reg(cpu, RAX, 1, al);
    cpu->aflags = flags_pzs(1, al);
    set_flag(cpu, AF_AF, low);
    set_flag(cpu, AF_CF, high || borrow);
}

void op_daa(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    decimal_adjust(cpu, false);
}

void op_das(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    decimal_adjust(cpu, true);
}

/* --- compare and exchange of a pair (SDM vol. 2, CMPXCHG8B/16B) --- */

/* Memory is written in any case, as on the bus. */
void op_cmpxchg8b(struct cpu *cpu, const struct insn *in)
{
    uint64_t off = guest_address(cpu, in), old, want, with;
    bool same;

    guest_probe_store(cpu, in->seg, off, 8);
    old = guest_load(cpu, in->seg, off, 8);
    want = cpu->gpr[RDX] << 32 | (uint32_t)cpu->gpr[RAX];
    with = cpu->gpr[RCX] << 32 | (uint32_t)cpu->gpr[RBX];
    same = old == want;
    guest_store(cpu, in->seg, off, 8, same ? with : old);
    if (!same) {
        cpu->gpr[RAX] = (uint32_t)old;
        cpu->gpr[RDX] = old >> 32;
    }
    set_flag(cpu, AF_ZF, same);
}

void op_cmpxchg16b(struct cpu *cpu, const struct insn *in)
{
    uint64_t off = guest_address(cpu, in), old[2], with[2];
    laddr la = guest_linear(cpu, in->seg, off, 16, ACCESS_WRITE);
    bool same;

    if (la & 15)
        cpu_raise_error(cpu, EXC_GP, 0);
    guest_probe_store(cpu, in->seg, off, 16);
    guest_load_bytes(cpu, in->seg, off, old, 16);
    same = old[0] == cpu->gpr[RAX] && old[1] == cpu->gpr[RDX];
    with[0] = same ? cpu->gpr[RBX] : old[0];
    with[1] = same ? cpu->gpr[RCX] : old[1];
    guest_store_bytes(cpu, in->seg, off, with, 16);
    if (!same) {
        cpu->gpr[RAX] = old[0];
        cpu->gpr[RDX] = old[1];
    }
    set_flag(cpu, AF_ZF, same);
}

/* --- stack frames (SDM vol. 2) --- */

/* The address of the destination is formed with ESP after the pop. */
void op_pop_mem(struct cpu *cpu, const struct insn *in)
{
    uint64_t v = guest_pop(cpu, in->opsize);

    guest_store(cpu, in->seg, guest_address(cpu, in), in->opsize, v);
}

void op_pusha(struct cpu *cpu, const struct insn *in)
{
    for (unsigned r = RAX; r <= RDI; r++)
        guest_push(cpu, in->opsize, r == RSP ? cpu->insn_rsp : cpu->gpr[r]);
}

/* The place of ESP is skipped. */
void op_popa(struct cpu *cpu, const struct insn *in)
{
    uint64_t v[8];

    for (unsigned r = 8; r-- > 0;)
        v[r] = guest_pop(cpu, in->opsize);
    for (unsigned r = 0; r < 8; r++)
        if (r != RSP)
            set_reg(cpu, r, in->opsize, v[r]);
}

/* Copies level - 1 frame pointers of the caller, found below its own. */
static void push_display(struct cpu *cpu, unsigned n, unsigned level)
{
    uint64_t mask = bits_mask(8 * (cpu_code64(cpu)            ? 8u
                                   : cpu->mode & MODE_STACK32 ? 4u
                                                              : 2u));
    uint64_t bp = cpu->gpr[RBP];

    for (unsigned i = 1; i < level; i++) {
        bp -= n;
        guest_push(cpu, n, guest_load(cpu, SS, bp & mask, n));
    }
}

/*
 * ENTER allocates imm bytes in nesting level imm2.  It faults if a write at
 * the final stack pointer would, so that a frame is whole or not there.
 */
void op_enter(struct cpu *cpu, const struct insn *in)
{
    unsigned n = in->opsize, level = (unsigned)in->imm2 & 31;
    uint64_t frame;

    guest_push(cpu, n, cpu->gpr[RBP]);
    frame = cpu->gpr[RSP];
    if (level > 0) {
        push_display(cpu, n, level);
        guest_push(cpu, n, frame);
    }
    guest_set_sp(cpu, guest_sp(cpu) - (in->imm & 0xffff));
    guest_probe_store(cpu, SS, guest_sp(cpu), n);
    set_reg(cpu, RBP, cpu_code64(cpu) ? 8 : n, frame);
}

void op_bound(struct cpu *cpu, const struct insn *in)
{
    unsigned n = in->opsize, bits = 8 * n;
    uint64_t off = guest_address(cpu, in);
    uint64_t upper_at = (off + n) & bits_mask(8u * in->addrsize);
    int64_t i = (int64_t)bits_sext(guest_read(cpu, in, 0), bits);
    int64_t lower = (int64_t)bits_sext(guest_load(cpu, in->seg, off, n), bits);
    int64_t upper =
        (int64_t)bits_sext(guest_load(cpu, in->seg, upper_at, n), bits);

    if (i < lower || i > upper)
        cpu_raise(cpu, EXC_BR);
}
