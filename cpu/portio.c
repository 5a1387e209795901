/*
 * IN, OUT, INS, OUTS, and who may use which port (SDM vol. 1, chapter 19;
 * vol. 2).
 *
 * A repeated string of ports does at most PORT_STRING_MAX elements in one
 * call, stops early when something waits for the engine, and then starts
 * again.  Registers are up to date after each element, so a fault in the
 * middle leaves the rest to be done.
 */

#include "base/bits.h"
#include "cpu/debugreg.h"
#include "cpu/fault.h"
#include "cpu/guest.h"
#include "cpu/ops.h"
#include "mem/space.h"

enum { PORT_STRING_MAX = 1024, TSS_IO_MAP = 102 };

/* Two bytes are read whatever the port, so the map ends in a byte of ones. */
static bool map_allows(struct cpu *cpu, uint16_t port, unsigned size)
{
    const struct segment *tr = &cpu->tr;
    unsigned at;
    uint64_t bits;

    if (!(tr->attr & ATTR_P) || !(tr->attr & 8) || tr->limit < TSS_IO_MAP + 1)
        return false;
    at = (unsigned)guest_sys_load(cpu, tr->base + TSS_IO_MAP, 2) + port / 8u;
    if (at + 1 > tr->limit)
        return false;
    bits = guest_sys_load(cpu, tr->base + at, 2);
    return (bits >> (port & 7) & bits_mask(size)) == 0;
}

static void need_port(struct cpu *cpu, uint16_t port, unsigned size)
{
    unsigned iopl = (cpu->eflags & FLAG_IOPL) >> 12;

    if (!(cpu->cr0 & CR0_PE))
        return;
    if (cpu->cpl <= iopl && !(cpu->eflags & FLAG_VM))
        return;
    if (!map_allows(cpu, port, size))
        cpu_raise_error(cpu, EXC_GP, 0);
}

static uint64_t port_in(struct cpu *cpu, uint16_t port, unsigned size)
{
    cpu->stats->port_read++;
    debug_on_port(cpu, port, size);
    return space_read(cpu->io, port, size);
}

static void port_out(struct cpu *cpu, uint16_t port, unsigned size, uint64_t v)
{
    cpu->stats->port_write++;
    debug_on_port(cpu, port, size);
    space_write(cpu->io, port, v, size);
}

void op_in(struct cpu *cpu, const struct insn *in)
{
    uint16_t port = (uint16_t)guest_read(cpu, in, 1);
    unsigned size = in->op[0].size;

    need_port(cpu, port, size);
    guest_write(cpu, in, 0, port_in(cpu, port, size));
}

void op_out(struct cpu *cpu, const struct insn *in)
{
    uint16_t port = (uint16_t)guest_read(cpu, in, 0);
    unsigned size = in->op[1].size;

    need_port(cpu, port, size);
    port_out(cpu, port, size, guest_read(cpu, in, 1));
}

/* --- strings --- */

struct port_string {
    struct cpu *cpu;
    const struct insn *in;
    unsigned size;
    uint64_t mask; /* of the address size */
};

static uint64_t masked(const struct port_string *s, unsigned reg)
{
    return s->cpu->gpr[reg] & s->mask;
}

static void add(const struct port_string *s, unsigned reg, uint64_t by)
{
    uint64_t *r = &s->cpu->gpr[reg], sum = (*r + by) & s->mask;

    *r = s->in->addrsize == 2 ? (*r & ~s->mask) | sum : sum;
}

static void step_index(const struct port_string *s, unsigned reg)
{
    uint64_t size = s->size;

    add(s, reg, s->cpu->eflags & FLAG_DF ? -size : size);
}

/* The store is probed first: what a port has given cannot be read again. */
static void ins_one(const struct port_string *s)
{
    struct cpu *cpu = s->cpu;
    uint64_t di = masked(s, RDI);

    guest_probe_store(cpu, ES, di, s->size);
    guest_store(cpu, ES, di, s->size,
                port_in(cpu, (uint16_t)cpu->gpr[RDX], s->size));
    step_index(s, RDI);
}

static void outs_one(const struct port_string *s)
{
    struct cpu *cpu = s->cpu;
    uint64_t v = guest_load(cpu, s->in->seg, masked(s, RSI), s->size);

    port_out(cpu, (uint16_t)cpu->gpr[RDX], s->size, v);
    step_index(s, RSI);
}

static bool engine_wanted(const struct cpu *cpu)
{
    return atomic_load_explicit(&cpu->stop, memory_order_relaxed) != 0;
}

static void repeat(const struct port_string *s,
                   void (*one)(const struct port_string *s))
{
    struct cpu *cpu = s->cpu;

    for (unsigned i = 0; masked(s, RCX) != 0; i++) {
        if (i == PORT_STRING_MAX || (i > 0 && engine_wanted(cpu))) {
            cpu->next_rip = cpu->rip;
            return;
        }
        one(s);
        add(s, RCX, ~(uint64_t)0);
    }
}

static void port_string(struct cpu *cpu, const struct insn *in, unsigned size,
                        void (*one)(const struct port_string *s))
{
    struct port_string s = {
        .cpu = cpu, .in = in, .size = size,
        .mask = bits_mask(8u * in->addrsize),
    };

    need_port(cpu, (uint16_t)cpu->gpr[RDX], size);
    if (in->prefixes & (PREFIX_REP | PREFIX_REPNE))
        repeat(&s, one);
    else
        one(&s);
}

void op_ins(struct cpu *cpu, const struct insn *in)
{
    port_string(cpu, in, in->op[0].size, ins_one);
}

void op_outs(struct cpu *cpu, const struct insn *in)
{
    port_string(cpu, in, in->op[1].size, outs_one);
}
