#ifndef TESTS_UNIT_DEVICES_LAPIC_RIG_H
#define TESTS_UNIT_DEVICES_LAPIC_RIG_H

/*
 * Two processors' local APICs on a bus, with an I/O APIC and a PIC, and the
 * processors' ends of their lines.
 */

#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "tests/unit/devices/chipset.h"

enum {
    ID = 0x020,
    VERSION = 0x030,
    TPR = 0x080,
    APR = 0x090,
    PPR = 0x0a0,
    EOI = 0x0b0,
    LDR = 0x0d0,
    DFR = 0x0e0,
    SVR = 0x0f0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    ICR_LOW = 0x300,
    ICR_HIGH = 0x310,
    LVT_TIMER = 0x320,
    LVT_THERMAL = 0x330,
    LVT_PERF = 0x340,
    LVT_LINT0 = 0x350,
    LVT_LINT1 = 0x360,
    LVT_ERROR = 0x370,
    INITIAL_COUNT = 0x380,
    CURRENT_COUNT = 0x390,
    DIVIDE = 0x3e0,
};

enum {
    MASKED = 1 << 16,
    LEVEL = 1 << 15,
    REMOTE_IRR = 1 << 14,
    PERIODIC = 1 << 17,
    DEADLINE = 2 << 17,
    TO_SELF = 1 << 18,
    TO_ALL = 2 << 18,
    TO_OTHERS = 3 << 18,
    LOGICAL = 1 << 11,
    ASSERT = 1 << 14,
    ENABLED = 0x1ff, /* SVR, spurious vector ff */
    PIC_VECTOR = 0x08,
    CPUS = 2,
};

/* One processor's side of its APIC. */
struct cpu {
    struct wire intr, nmi, smi, init;
    unsigned startups;
    uint8_t startup_vector;
};

struct setup {
    struct board board;
    struct clock clock;
    struct apic_bus bus;
    struct lapic lapic[CPUS];
    struct cpu cpu[CPUS];
    struct ioapic ioapic;
    unsigned pic_acks;
};

static inline uint8_t pic_ack(void *owner)
{
    struct setup *s = owner;
    struct line intr = lapic_line(&s->lapic[0], LAPIC_LINT0);

    s->pic_acks++;
    line_set(&intr, false);
    return PIC_VECTOR;
}

static inline void startup(void *owner, uint8_t vector)
{
    struct cpu *cpu = owner;

    cpu->startups++;
    cpu->startup_vector = vector;
}

static inline void attach(struct setup *s, unsigned n)
{
    struct cpu *cpu = &s->cpu[n];
    const struct lapic_wiring w = {
        .id = n ? "lapic1" : "lapic0",
        .pm = n ? NULL : &s->board.pm,
        .clock = &s->clock,
        .bus = &s->bus,
        .apic_id = (uint8_t)n,
        .bsp = n == 0,
        .bus_hz = 1000000000,
        .tsc_hz = 1000000000,
        .intr = wire_line(&cpu->intr),
        .nmi = wire_line(&cpu->nmi),
        .smi = wire_line(&cpu->smi),
        .init = wire_line(&cpu->init),
        .startup = startup,
        .startup_owner = cpu,
        .pic_ack = n ? NULL : pic_ack,
        .pic = s,
    };

    ck_assert(lapic_init(&s->lapic[n], &w));
}

static inline uint32_t get(struct setup *s, unsigned n, unsigned reg)
{
    return (uint32_t)lapic_ops.read(&s->lapic[n], reg, 4);
}

static inline void set(struct setup *s, unsigned n, unsigned reg,
                       uint32_t value)
{
    lapic_ops.write(&s->lapic[n], reg, value, 4);
}

/* As after power on. */
static inline void setup_cold(struct setup *s)
{
    board_init(&s->board);
    clock_init(&s->clock, CLOCK_DETERMINISTIC);
    apic_bus_init(&s->bus);
    s->pic_acks = 0;
    for (unsigned n = 0; n < CPUS; n++) {
        s->cpu[n] = (struct cpu){.startups = 0};
        attach(s, n);
    }
    ck_assert(ioapic_init(&s->ioapic, &s->board.pm, IOAPIC_BASE,
                          apic_bus_deliver, &s->bus));
    apic_bus_on_eoi(&s->bus, ioapic_eoi, &s->ioapic);
}

/* Both APICs enabled by software. */
static inline void setup_init(struct setup *s)
{
    setup_cold(s);
    for (unsigned n = 0; n < CPUS; n++)
        set(s, n, SVR, ENABLED);
}

static inline void setup_end(struct setup *s)
{
    clock_destroy(&s->clock);
    board_destroy(&s->board);
}

static inline void pass(struct setup *s, vtime ns)
{
    clock_advance(&s->clock, ns);
    clock_run(&s->clock);
}

/* A fixed interrupt from the bus to processor 0. */
static inline void interrupt(struct setup *s, uint8_t vector)
{
    const struct apic_msg msg = {.dest = 0, .vector = vector};

    apic_bus_deliver(&s->bus, &msg);
}

static inline void drive(struct setup *s, unsigned n, enum lapic_pin pin,
                         bool level)
{
    struct line l = lapic_line(&s->lapic[n], pin);

    line_set(&l, level);
}

static inline bool intr(const struct setup *s, unsigned n)
{
    return s->cpu[n].intr.level;
}

#endif
