/*
 * Later additions to the integer instructions that are loops or touch state:
 * bit deposit and extract, CRC32, random numbers, segment bases, cache lines.
 */

#include <sys/random.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "cpu/fault.h"
#include "cpu/guest.h"
#include "cpu/ops.h"
#include "cpu/segment.h"

/* --- BMI2: PDEP, PEXT (SDM vol. 2) --- */

static uint64_t deposit(uint64_t src, uint64_t mask)
{
    uint64_t r = 0;

    for (; mask; mask &= mask - 1, src >>= 1)
        if (src & 1)
            r |= mask & -mask;
    return r;
}

static uint64_t extract(uint64_t src, uint64_t mask)
{
    uint64_t r = 0;

    for (unsigned at = 0; mask; mask &= mask - 1, at++)
        if (src & mask & -mask)
            r |= (uint64_t)1 << at;
    return r;
}

void op_pdep(struct cpu *cpu, const struct insn *in)
{
    uint64_t mask = guest_read(cpu, in, 2), src = guest_read(cpu, in, 1);

    guest_write(cpu, in, 0, deposit(src, mask));
}

void op_pext(struct cpu *cpu, const struct insn *in)
{
    uint64_t mask = guest_read(cpu, in, 2), src = guest_read(cpu, in, 1);

    guest_write(cpu, in, 0, extract(src, mask));
}

/* --- CRC32: polynomial 11EDC6F41 in reflected order (SDM vol. 2) --- */

void op_crc32(struct cpu *cpu, const struct insn *in)
{
    const uint32_t polynomial = 0x82f63b78;
    uint64_t src = guest_read(cpu, in, 1);
    uint32_t crc = (uint32_t)guest_read(cpu, in, 0);

    for (unsigned i = 0; i < in->op[1].size; i++, src >>= 8) {
        crc ^= (uint8_t)src;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    }
    guest_write(cpu, in, 0, crc);
}

/* --- RDRAND, RDSEED --- */

/* A deterministic machine has numbers of its own: splitmix64. */
static uint64_t next_number(struct cpu *cpu)
{
    uint64_t z = cpu->random += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static bool random_number(struct cpu *cpu, uint64_t *v)
{
    if (!cpu->clock || cpu->clock->mode == CLOCK_DETERMINISTIC) {
        *v = next_number(cpu);
        return true;
    }
    return getrandom(v, sizeof(*v), GRND_NONBLOCK) == sizeof(*v);
}

/* CF says whether there is a number; 0 if not.  The other flags are cleared. */
void op_rdrand(struct cpu *cpu, const struct insn *in)
{
    uint64_t v = 0;
    bool good = random_number(cpu, &v);

    guest_write(cpu, in, 0, good ? v & bits_mask(8u * in->opsize) : 0);
    cpu->aflags = aflags_from_eflags(good ? FLAG_CF : 0);
}

/* --- FS and GS bases without MSRs --- */

static struct segment *fs_or_gs(struct cpu *cpu, const struct insn *in)
{
    enum { RDGSBASE = 1, WRGSBASE = 3 };
    unsigned digit = in->modrm >> 3 & 7;

    if (!(cpu->cr4 & CR4_FSGSBASE))
        cpu_raise(cpu, EXC_UD);
    return &cpu->seg[digit == RDGSBASE || digit == WRGSBASE ? GS : FS];
}

void op_read_base(struct cpu *cpu, const struct insn *in)
{
    uint64_t base = fs_or_gs(cpu, in)->base;

    guest_write(cpu, in, 0, base & bits_mask(8u * in->op[0].size));
}

void op_write_base(struct cpu *cpu, const struct insn *in)
{
    struct segment *s = fs_or_gs(cpu, in);
    uint64_t base = guest_read(cpu, in, 0);

    if (!laddr_is_canonical(base))
        cpu_raise_error(cpu, EXC_GP, 0);
    s->base = base;
    cpu_update_mode(cpu);
}

void op_rdpid(struct cpu *cpu, const struct insn *in)
{
    guest_write(cpu, in, 0, (uint32_t)cpu->msr.tsc_aux);
}

/* --- cache lines --- */

/* CLFLUSH, CLFLUSHOPT, CLWB: a line is checked like a load of one byte, and
 * there is no cache. */
void op_clflush(struct cpu *cpu, const struct insn *in)
{
    laddr la =
        guest_linear(cpu, in->seg, guest_address(cpu, in), 1, ACCESS_READ);

    if (!mmu_probe(&cpu->mmu, la, 1, ACCESS_READ))
        cpu_raise_page_fault(cpu);
}

/* MOVDIR64B: to ES:register, which must be a multiple of 64. */
void op_movdir64b(struct cpu *cpu, const struct insn *in)
{
    enum { LINE = 64 };
    uint64_t to = guest_read(cpu, in, 0);
    uint8_t line[LINE];
    laddr la;

    guest_load_bytes(cpu, in->seg, guest_address(cpu, in), line, LINE);
    la = guest_linear(cpu, ES, to, LINE, ACCESS_WRITE);
    if (la & (LINE - 1))
        cpu_raise_error(cpu, EXC_GP, 0);
    guest_store_bytes(cpu, ES, to, line, LINE);
}
