/*
 * Loads and stores of some elements (SDM vol. 2, VMASKMOV, VPMASKMOV, VGATHER,
 * VPGATHER).  An element is chosen by the top bit of the mask's element; the
 * others are not accessed at all: no fault, no accessed or dirty bit.
 * Alignment is not checked.
 */

#include <string.h>

#include "base/bits.h"
#include "cpu/fault.h"
#include "cpu/guest.h"
#include "cpu/ops.h"
#include "cpu/simd_fp.h"

static bool chosen(const union vec *mask, unsigned n, unsigned i)
{
    return mask->u8[n * i + n - 1] & 0x80;
}

/* Element of n bytes at `off`: by bytes if guest_load would check its
 * alignment. */
static uint64_t load_element(struct cpu *cpu, const struct insn *in,
                             uint64_t off, unsigned n)
{
    uint64_t cut = bits_mask(8u * in->addrsize), v = 0;

    if (likely(!(cpu->mode & MODE_ALIGN)))
        return guest_load(cpu, in->seg, off & cut, n);
    for (unsigned i = 0; i < n; i++)
        v |= guest_load(cpu, in->seg, (off + i) & cut, 1) << 8 * i;
    return v;
}

static void probe_element(struct cpu *cpu, const struct insn *in, uint64_t off,
                          unsigned n)
{
    uint64_t cut = bits_mask(8u * in->addrsize);

    if (likely(!(cpu->mode & MODE_ALIGN))) {
        guest_probe_store(cpu, in->seg, off & cut, n);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        guest_probe_store(cpu, in->seg, (off + i) & cut, 1);
}

static void store_element(struct cpu *cpu, const struct insn *in, uint64_t off,
                          unsigned n, uint64_t v)
{
    uint64_t cut = bits_mask(8u * in->addrsize);

    if (likely(!(cpu->mode & MODE_ALIGN))) {
        guest_store(cpu, in->seg, off & cut, n, v);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        guest_store(cpu, in->seg, (off + i) & cut, 1, v >> 8 * i);
}

/* --- VMASKMOV, VPMASKMOV --- */

static void masked_load(struct cpu *cpu, const struct insn *in, unsigned n)
{
    uint64_t off = guest_address(cpu, in);
    union vec mask, r = {.u64 = {0}};

    simd_read(cpu, in, 1, &mask);
    for (unsigned i = 0; i < in->vex_len / n; i++)
        if (chosen(&mask, n, i))
            lane_set(&r, n, i, load_element(cpu, in, off + n * i, n));
    simd_write(cpu, in, &r);
}

/* All of the elements are stored, or none is. */
static void masked_store(struct cpu *cpu, const struct insn *in, unsigned n)
{
    uint64_t off = guest_address(cpu, in);
    union vec mask, v;

    simd_read(cpu, in, 1, &mask);
    simd_read(cpu, in, 2, &v);
    for (unsigned i = 0; i < in->vex_len / n; i++)
        if (chosen(&mask, n, i))
            probe_element(cpu, in, off + n * i, n);
    for (unsigned i = 0; i < in->vex_len / n; i++)
        if (chosen(&mask, n, i))
            store_element(cpu, in, off + n * i, n, lane_get(&v, n, i));
}

void op_vmaskload32(struct cpu *cpu, const struct insn *in)
{
    masked_load(cpu, in, 4);
}

void op_vmaskload64(struct cpu *cpu, const struct insn *in)
{
    masked_load(cpu, in, 8);
}

void op_vmaskstore32(struct cpu *cpu, const struct insn *in)
{
    masked_store(cpu, in, 4);
}

void op_vmaskstore64(struct cpu *cpu, const struct insn *in)
{
    masked_store(cpu, in, 8);
}

/* --- gathers --- */

/* Destination, index and mask must be three registers. */
static void check_gather(struct cpu *cpu, const struct insn *in)
{
    unsigned dst = in->op[0].reg, mask = in->op[2].reg;

    if (dst == mask || dst == in->index || mask == in->index)
        cpu_raise(cpu, EXC_UD);
}

/* The address without its index. */
static uint64_t gather_base(const struct cpu *cpu, const struct insn *in)
{
    struct insn plain = *in;

    plain.index = REG_NONE;
    return guest_address(cpu, &plain);
}

/*
 * Elements are loaded from the lowest up.  Each goes to the register at once,
 * and its mask is cleared: if a later one faults, the instruction starts again
 * where it was.
 */
static void gather(struct cpu *cpu, const struct insn *in, unsigned index_size,
                   unsigned n)
{
    union vec *dst = &cpu->xmm[in->op[0].reg & 15];
    union vec *mask = &cpu->xmm[in->op[2].reg & 15];
    const union vec *index = &cpu->xmm[in->index & 15];
    unsigned count = in->vex_len / (index_size > n ? index_size : n);
    uint64_t base = gather_base(cpu, in);

    check_gather(cpu, in);
    for (unsigned i = 0; i < count; i++) {
        if (chosen(mask, n, i)) {
            uint64_t at =
                bits_sext(lane_get(index, index_size, i), 8 * index_size);

            lane_set(dst, n, i,
                     load_element(cpu, in, base + (at << in->scale), n));
        }
        lane_set(mask, n, i, 0);
    }
    memset(&dst->u8[n * count], 0, sizeof(*dst) - n * count);
    memset(mask, 0, sizeof(*mask));
}

/* VGATHERDPS, VPGATHERDD */
void op_vgather_d32(struct cpu *cpu, const struct insn *in)
{
    gather(cpu, in, 4, 4);
}

/* VGATHERDPD, VPGATHERDQ */
void op_vgather_d64(struct cpu *cpu, const struct insn *in)
{
    gather(cpu, in, 4, 8);
}

/* VGATHERQPS, VPGATHERQD */
void op_vgather_q32(struct cpu *cpu, const struct insn *in)
{
    gather(cpu, in, 8, 4);
}

/* VGATHERQPD, VPGATHERQQ */
void op_vgather_q64(struct cpu *cpu, const struct insn *in)
{
    gather(cpu, in, 8, 8);
}
