/* Local APIC: two processors on a bus, with an I/O APIC and a PIC. */
#include "devices/lapic.h"

#include "devices/ioapic.h"
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

static uint8_t pic_ack(void *owner)
{
    struct setup *s = owner;
    struct line intr = lapic_line(&s->lapic[0], LAPIC_LINT0);

    s->pic_acks++;
    line_set(&intr, false);
    return PIC_VECTOR;
}

static void startup(void *owner, uint8_t vector)
{
    struct cpu *cpu = owner;

    cpu->startups++;
    cpu->startup_vector = vector;
}

static void attach(struct setup *s, unsigned n)
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

static uint32_t get(struct setup *s, unsigned n, unsigned reg)
{
    return (uint32_t)lapic_ops.read(&s->lapic[n], reg, 4);
}

static void set(struct setup *s, unsigned n, unsigned reg, uint32_t value)
{
    lapic_ops.write(&s->lapic[n], reg, value, 4);
}

/* As after power on. */
static void setup_cold(struct setup *s)
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
static void setup_init(struct setup *s)
{
    setup_cold(s);
    for (unsigned n = 0; n < CPUS; n++)
        set(s, n, SVR, ENABLED);
}

static void setup_end(struct setup *s)
{
    clock_destroy(&s->clock);
    board_destroy(&s->board);
}

static void pass(struct setup *s, vtime ns)
{
    clock_advance(&s->clock, ns);
    clock_run(&s->clock);
}

/* A fixed interrupt from the bus to processor 0. */
static void interrupt(struct setup *s, uint8_t vector)
{
    const struct apic_msg msg = {.dest = 0, .vector = vector};

    apic_bus_deliver(&s->bus, &msg);
}

static void drive(struct setup *s, unsigned n, enum lapic_pin pin, bool level)
{
    struct line l = lapic_line(&s->lapic[n], pin);

    line_set(&l, level);
}

static bool intr(const struct setup *s, unsigned n)
{
    return s->cpu[n].intr.level;
}

START_TEST(registers_after_reset)
{
    struct setup s;

    setup_cold(&s);
    ck_assert_uint_eq(get(&s, 1, ID), 0x01000000);
    ck_assert_uint_eq(get(&s, 0, VERSION), 0x00050014);
    ck_assert_uint_eq(get(&s, 0, SVR), 0xff);
    ck_assert_uint_eq(get(&s, 0, DFR), 0xffffffff);
    ck_assert_uint_eq(get(&s, 0, LDR), 0);
    for (unsigned reg = LVT_TIMER; reg <= LVT_ERROR; reg += 16)
        ck_assert_uint_eq(get(&s, 0, reg), MASKED);
    ck_assert(lapic_get_base(&s.lapic[0]) == 0xfee00900);
    ck_assert(lapic_get_base(&s.lapic[1]) == 0xfee00800);
    setup_end(&s);
}
END_TEST

START_TEST(window_answers_in_memory)
{
    struct setup s;

    setup_cold(&s);
    physmem_write(&s.board.pm, LAPIC_BASE + TPR, 0x30, 4);
    ck_assert_uint_eq(physmem_read(&s.board.pm, LAPIC_BASE + TPR, 4), 0x30);
    ck_assert_uint_eq(physmem_read(&s.board.pm, LAPIC_BASE + VERSION, 1),
                      0x14);
    ck_assert_uint_eq(physmem_read(&s.board.pm, LAPIC_BASE + TPR + 4, 4), 0);
    physmem_write(&s.board.pm, LAPIC_BASE + TPR, 0xff, 1);
    physmem_write(&s.board.pm, LAPIC_BASE + TPR + 4, 0xff, 4);
    ck_assert_uint_eq(get(&s, 0, TPR), 0x30);
    setup_end(&s);
}
END_TEST

START_TEST(base_moves_the_window)
{
    struct setup s;
    struct lapic *l = &s.lapic[0];

    setup_cold(&s);
    ck_assert(lapic_set_base(l, 0xd0000800));
    ck_assert(lapic_get_base(l) == 0xd0000900);
    ck_assert_uint_eq(physmem_read(&s.board.pm, LAPIC_BASE + VERSION, 4),
                      0xffffffff);
    ck_assert_uint_eq(physmem_read(&s.board.pm, 0xd0000000 + VERSION, 4),
                      0x00050014);
    ck_assert(lapic_set_base(l, 0xd0000000));
    ck_assert(!lapic_enabled(l));
    ck_assert_uint_eq(physmem_read(&s.board.pm, 0xd0000000 + VERSION, 4),
                      0xffffffff);
    setup_end(&s);
}
END_TEST

START_TEST(base_refuses_reserved_bits)
{
    struct setup s;
    struct lapic *l = &s.lapic[0];

    setup_cold(&s);
    for (unsigned bit = 0; bit < 64; bit++) {
        bool reserved = bit < 8 || bit == 9 || bit == 10 || bit >= PADDR_BITS;

        ck_assert(lapic_set_base(l, 0xfee00800 ^ (uint64_t)1 << bit) !=
                  reserved);
    }
    setup_end(&s);
}
END_TEST

/* The I/O APIC keeps its place; the local APIC's registers are out of reach
 * until it moves on. */
START_TEST(base_on_another_window_is_harmless)
{
    struct setup s;

    setup_cold(&s);
    ck_assert(lapic_set_base(&s.lapic[0], IOAPIC_BASE | LAPIC_BASE_ENABLE));
    ck_assert_uint_eq(physmem_read(&s.board.pm, LAPIC_BASE + VERSION, 4),
                      0xffffffff);
    ck_assert(lapic_set_base(&s.lapic[0], LAPIC_BASE | LAPIC_BASE_ENABLE));
    ck_assert_uint_eq(physmem_read(&s.board.pm, LAPIC_BASE + VERSION, 4),
                      0x00050014);
    setup_end(&s);
}
END_TEST

START_TEST(interrupt_goes_from_irr_to_isr_to_eoi)
{
    struct setup s;

    setup_init(&s);
    interrupt(&s, 0x41);
    ck_assert(intr(&s, 0));
    ck_assert_uint_eq(get(&s, 0, IRR + 0x20), 1 << 1);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x41);
    ck_assert(!intr(&s, 0));
    ck_assert_uint_eq(get(&s, 0, IRR + 0x20), 0);
    ck_assert_uint_eq(get(&s, 0, ISR + 0x20), 1 << 1);
    ck_assert_uint_eq(get(&s, 0, PPR), 0x40);
    set(&s, 0, EOI, 0);
    ck_assert_uint_eq(get(&s, 0, ISR + 0x20), 0);
    ck_assert_uint_eq(get(&s, 0, PPR), 0);
    setup_end(&s);
}
END_TEST

START_TEST(higher_class_nests_and_the_same_waits)
{
    struct setup s;

    setup_init(&s);
    interrupt(&s, 0x41);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x41);
    interrupt(&s, 0x4f);
    ck_assert(!intr(&s, 0));
    interrupt(&s, 0x50);
    ck_assert(intr(&s, 0));
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x50);
    set(&s, 0, EOI, 0);
    ck_assert(!intr(&s, 0));
    set(&s, 0, EOI, 0);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x4f);
    setup_end(&s);
}
END_TEST

START_TEST(task_priority_holds_back)
{
    struct setup s;

    setup_init(&s);
    lapic_tpr_set(&s.lapic[0], 5);
    ck_assert_uint_eq(get(&s, 0, TPR), 0x50);
    interrupt(&s, 0x5f);
    ck_assert(!intr(&s, 0));
    set(&s, 0, TPR, 0x4f);
    ck_assert(intr(&s, 0));
    ck_assert_uint_eq(lapic_tpr_get(&s.lapic[0]), 4);
    ck_assert_uint_eq(get(&s, 0, PPR), 0x4f);
    setup_end(&s);
}
END_TEST

/* The interrupt is withdrawn between INTR and its acknowledge. */
START_TEST(nothing_left_gives_the_spurious_vector)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, SVR, 0x1ef);
    interrupt(&s, 0x31);
    set(&s, 0, TPR, 0xff);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0xef);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(get(&s, 0, ISR + i * 16), 0);
    setup_end(&s);
}
END_TEST

START_TEST(software_disable_masks_and_refuses)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, LVT_TIMER, 0x30);
    set(&s, 0, SVR, 0xff);
    ck_assert_uint_eq(get(&s, 0, LVT_TIMER), MASKED | 0x30);
    set(&s, 0, LVT_TIMER, 0x31);
    ck_assert_uint_eq(get(&s, 0, LVT_TIMER), MASKED | 0x31);
    interrupt(&s, 0x41);
    ck_assert(!intr(&s, 0));

    const struct apic_msg nmi = {.dest = 0, .delivery = APIC_NMI};

    apic_bus_deliver(&s.bus, &nmi);
    ck_assert_uint_eq(s.cpu[0].nmi.rises, 1);
    setup_end(&s);
}
END_TEST

START_TEST(illegal_vectors_go_to_the_error_register)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, LVT_ERROR, 0xe0);
    interrupt(&s, 0x0f);
    ck_assert_uint_eq(get(&s, 0, ESR), 0);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0xe0);
    set(&s, 0, ICR_LOW, 0x05);
    ck_assert(!intr(&s, 0));
    set(&s, 0, ESR, 0);
    ck_assert_uint_eq(get(&s, 0, ESR), 1 << 6 | 1 << 5);
    set(&s, 0, ESR, 0);
    ck_assert_uint_eq(get(&s, 0, ESR), 0);

    set(&s, 0, EOI, 0);
    get(&s, 0, 0x3f0);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0xe0);
    set(&s, 0, ESR, 0);
    ck_assert_uint_eq(get(&s, 0, ESR), 1 << 7);
    setup_end(&s);
}
END_TEST

START_TEST(error_interrupt_with_illegal_vector_ends)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, LVT_ERROR, 0x01);
    interrupt(&s, 0x02);
    ck_assert(!intr(&s, 0));
    set(&s, 0, ESR, 0);
    ck_assert_uint_eq(get(&s, 0, ESR), 1 << 6);
    setup_end(&s);
}
END_TEST

START_TEST(ipi_by_physical_destination)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, ICR_HIGH, 0x01000000);
    set(&s, 0, ICR_LOW, 0x61 | ASSERT);
    ck_assert(intr(&s, 1) && !intr(&s, 0));
    ck_assert_uint_eq(get(&s, 0, ICR_LOW), 0x61 | ASSERT);
    ck_assert_uint_eq(get(&s, 0, ICR_HIGH), 0x01000000);
    ck_assert_int_eq(lapic_ack(&s.lapic[1]), 0x61);
    setup_end(&s);
}
END_TEST

START_TEST(ipi_by_logical_destination)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, LDR, 0x01000000);
    set(&s, 1, LDR, 0x02000000);
    set(&s, 0, ICR_HIGH, 0x02000000);
    set(&s, 0, ICR_LOW, 0x61 | LOGICAL);
    ck_assert(intr(&s, 1) && !intr(&s, 0));
    set(&s, 0, ICR_HIGH, 0x03000000);
    set(&s, 0, ICR_LOW, 0x62 | LOGICAL);
    ck_assert(intr(&s, 1) && intr(&s, 0));
    setup_end(&s);
}
END_TEST

START_TEST(ipi_by_cluster)
{
    struct setup s;

    setup_init(&s);
    for (unsigned n = 0; n < CPUS; n++) {
        set(&s, n, DFR, 0x0fffffff);
        set(&s, n, LDR, n ? 0x21000000 : 0x11000000);
    }
    set(&s, 0, ICR_HIGH, 0x21000000);
    set(&s, 0, ICR_LOW, 0x61 | LOGICAL);
    ck_assert(intr(&s, 1) && !intr(&s, 0));
    set(&s, 0, ICR_HIGH, 0xf1000000);
    set(&s, 0, ICR_LOW, 0x62 | LOGICAL);
    ck_assert(intr(&s, 0));
    setup_end(&s);
}
END_TEST

START_TEST(ipi_by_shorthand)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, ICR_LOW, 0x61 | TO_SELF);
    ck_assert(intr(&s, 0) && !intr(&s, 1));
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x61);
    set(&s, 0, ICR_LOW, 0x71 | TO_OTHERS);
    ck_assert(!intr(&s, 0) && intr(&s, 1));
    ck_assert_int_eq(lapic_ack(&s.lapic[1]), 0x71);
    set(&s, 0, ICR_LOW, 0x81 | TO_ALL);
    ck_assert(intr(&s, 0) && intr(&s, 1));
    setup_end(&s);
}
END_TEST

START_TEST(lowest_priority_avoids_the_busy)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, TPR, 0x80);
    set(&s, 0, ICR_HIGH, 0xff000000);
    set(&s, 0, ICR_LOW, 0x91 | APIC_LOWEST << 8);
    ck_assert(intr(&s, 1) && !intr(&s, 0));
    ck_assert_uint_eq(get(&s, 1, APR), 0x90);
    setup_end(&s);
}
END_TEST

/* SDM "arbitration priority": the task's, unless something is requested or in
 * service above it. */
START_TEST(arbitration_priority)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, TPR, 0x35);
    ck_assert_uint_eq(get(&s, 0, APR), 0x35);
    interrupt(&s, 0x91);
    ck_assert_uint_eq(get(&s, 0, APR), 0x90);
    lapic_ack(&s.lapic[0]);
    ck_assert_uint_eq(get(&s, 0, APR), (0x30 & 0x90));
    set(&s, 0, TPR, 0xb2);
    ck_assert_uint_eq(get(&s, 0, APR), 0xb2);
    setup_end(&s);
}
END_TEST

START_TEST(init_and_startup_reach_the_other_processor)
{
    struct setup s;

    setup_init(&s);
    set(&s, 1, TPR, 0x20);
    set(&s, 0, ICR_HIGH, 0x01000000);
    set(&s, 0, ICR_LOW, APIC_INIT << 8 | LEVEL | ASSERT);
    ck_assert_uint_eq(s.cpu[1].init.rises, 1);
    ck_assert_uint_eq(get(&s, 1, TPR), 0);
    ck_assert_uint_eq(get(&s, 1, ID), 0x01000000);
    set(&s, 0, ICR_LOW, APIC_INIT << 8 | LEVEL);
    ck_assert_uint_eq(s.cpu[1].init.rises, 1);
    set(&s, 0, ICR_LOW, APIC_STARTUP << 8 | 0x9a);
    ck_assert_uint_eq(s.cpu[1].startups, 1);
    ck_assert_uint_eq(s.cpu[1].startup_vector, 0x9a);
    ck_assert_uint_eq(s.cpu[0].startups + s.cpu[0].init.rises, 0);
    setup_end(&s);
}
END_TEST

START_TEST(nmi_and_smi_are_pulses)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, ICR_HIGH, 0x01000000);
    set(&s, 0, ICR_LOW, APIC_NMI << 8);
    set(&s, 0, ICR_LOW, APIC_NMI << 8);
    set(&s, 0, ICR_LOW, APIC_SMI << 8);
    ck_assert_uint_eq(s.cpu[1].nmi.rises, 2);
    ck_assert_uint_eq(s.cpu[1].smi.rises, 1);
    ck_assert(!s.cpu[1].nmi.level);
    setup_end(&s);
}
END_TEST

START_TEST(invalid_ipis_are_dropped)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, ICR_LOW, APIC_NMI << 8 | TO_SELF);
    set(&s, 0, ICR_LOW, APIC_INIT << 8 | TO_ALL);
    set(&s, 0, ICR_LOW, 3 << 8 | 0x40);
    set(&s, 0, ICR_LOW, APIC_EXTINT << 8 | 0x40);
    for (unsigned n = 0; n < CPUS; n++)
        ck_assert(!intr(&s, n) && !s.cpu[n].nmi.rises &&
                  !s.cpu[n].init.rises);
    setup_end(&s);
}
END_TEST

START_TEST(disabled_apic_passes_the_pins_through)
{
    struct setup s;

    setup_init(&s);
    interrupt(&s, 0x41);
    ck_assert(lapic_set_base(&s.lapic[0], LAPIC_BASE));
    ck_assert(!intr(&s, 0));
    drive(&s, 0, LAPIC_LINT0, true);
    ck_assert(intr(&s, 0));
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), PIC_VECTOR);
    ck_assert(!intr(&s, 0));
    drive(&s, 0, LAPIC_LINT1, true);
    ck_assert_uint_eq(s.cpu[0].nmi.rises, 1);
    interrupt(&s, 0x41);
    ck_assert(!intr(&s, 0));
    ck_assert(lapic_set_base(&s.lapic[0], LAPIC_BASE | LAPIC_BASE_ENABLE));
    ck_assert(!intr(&s, 0));
    ck_assert_uint_eq(get(&s, 0, SVR), 0xff);
    setup_end(&s);
}
END_TEST

START_TEST(pic_is_not_heard_before_firmware_says_so)
{
    struct setup s;

    setup_cold(&s);
    drive(&s, 0, LAPIC_LINT0, true);
    ck_assert(!intr(&s, 0));
    lapic_virtual_wire(&s.lapic[0]);
    ck_assert(intr(&s, 0));
    drive(&s, 0, LAPIC_LINT0, false);
    ck_assert(!intr(&s, 0));
    drive(&s, 0, LAPIC_LINT0, true);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), PIC_VECTOR);
    ck_assert_uint_eq(s.pic_acks, 1);
    ck_assert_uint_eq(get(&s, 0, ISR), 0);
    drive(&s, 0, LAPIC_LINT1, true);
    ck_assert_uint_eq(s.cpu[0].nmi.rises, 1);
    setup_end(&s);
}
END_TEST

START_TEST(extint_ignores_priorities)
{
    struct setup s;

    setup_init(&s);
    lapic_virtual_wire(&s.lapic[0]);
    set(&s, 0, TPR, 0xff);
    interrupt(&s, 0xf1);
    drive(&s, 0, LAPIC_LINT0, true);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), PIC_VECTOR);
    ck_assert(!intr(&s, 0));
    set(&s, 0, TPR, 0);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0xf1);
    setup_end(&s);
}
END_TEST

/* Virtual wire through the I/O APIC: an ExtINT message instead of a pin. */
START_TEST(extint_message_asks_the_pic)
{
    struct setup s;
    const struct apic_msg msg = {.dest = 0, .delivery = APIC_EXTINT};

    setup_init(&s);
    ck_assert(apic_bus_deliver(&s.bus, &msg));
    ck_assert(intr(&s, 0));
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), PIC_VECTOR);
    ck_assert(!intr(&s, 0));
    setup_end(&s);
}
END_TEST

START_TEST(lint_edge_is_fixed_interrupt)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, LVT_LINT1, 0x71);
    drive(&s, 0, LAPIC_LINT1, true);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x71);
    set(&s, 0, EOI, 0);
    drive(&s, 0, LAPIC_LINT1, true);
    ck_assert(!intr(&s, 0));
    drive(&s, 0, LAPIC_LINT1, false);
    drive(&s, 0, LAPIC_LINT1, true);
    ck_assert(intr(&s, 0));
    setup_end(&s);
}
END_TEST

START_TEST(lint0_level_has_remote_irr)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, LVT_LINT0, 0x71 | LEVEL);
    drive(&s, 0, LAPIC_LINT0, true);
    ck_assert_uint_eq(get(&s, 0, LVT_LINT0), 0x71 | LEVEL | REMOTE_IRR);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x71);
    ck_assert_uint_eq(get(&s, 0, TMR + 0x30), 1 << 17);
    set(&s, 0, EOI, 0);
    ck_assert(intr(&s, 0));
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x71);
    drive(&s, 0, LAPIC_LINT0, false);
    set(&s, 0, EOI, 0);
    ck_assert(!intr(&s, 0));
    ck_assert_uint_eq(get(&s, 0, LVT_LINT0), 0x71 | LEVEL);
    setup_end(&s);
}
END_TEST

START_TEST(performance_interrupt_masks_itself)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, LVT_PERF, APIC_NMI << 8);
    drive(&s, 0, LAPIC_PERF, true);
    ck_assert_uint_eq(s.cpu[0].nmi.rises, 1);
    ck_assert_uint_eq(get(&s, 0, LVT_PERF), MASKED | APIC_NMI << 8);
    set(&s, 0, LVT_THERMAL, 0x72);
    drive(&s, 0, LAPIC_THERMAL, true);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x72);
    ck_assert_uint_eq(get(&s, 0, LVT_THERMAL), 0x72);
    setup_end(&s);
}
END_TEST

START_TEST(timer_interrupts_through_its_entry)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, DIVIDE, 0xb);
    set(&s, 0, LVT_TIMER, 0x30 | PERIODIC);
    set(&s, 0, INITIAL_COUNT, 100000);
    pass(&s, 40000);
    ck_assert_uint_eq(get(&s, 0, CURRENT_COUNT), 60000);
    pass(&s, 60000);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x30);
    set(&s, 0, EOI, 0);
    set(&s, 0, LVT_TIMER, 0x30 | PERIODIC | MASKED);
    pass(&s, 100000);
    ck_assert(!intr(&s, 0));
    ck_assert_uint_eq(get(&s, 0, CURRENT_COUNT), 100000);
    setup_end(&s);
}
END_TEST

START_TEST(tsc_deadline_interrupts)
{
    struct setup s;

    setup_init(&s);
    lapic_set_tsc_deadline(&s.lapic[0], 1000);
    ck_assert_uint_eq(lapic_get_tsc_deadline(&s.lapic[0]), 0);
    set(&s, 0, LVT_TIMER, 0x30 | DEADLINE);
    lapic_set_tsc_offset(&s.lapic[0], 500);
    lapic_set_tsc_deadline(&s.lapic[0], 1000);
    pass(&s, 499);
    ck_assert(!intr(&s, 0));
    pass(&s, 1);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x30);
    ck_assert_uint_eq(lapic_get_tsc_deadline(&s.lapic[0]), 0);
    setup_end(&s);
}
END_TEST

/* The whole way of a level interrupt: pin, I/O APIC, bus, local APIC, EOI
 * broadcast, and again while the pin stays. */
START_TEST(level_interrupt_through_the_ioapic)
{
    struct setup s;
    const uint64_t select = IOAPIC_BASE, data = IOAPIC_BASE + 0x10;

    setup_init(&s);

    struct line pin = ioapic_line(&s.ioapic, 10);

    physmem_write(&s.board.pm, select, 0x10 + 20, 4);
    physmem_write(&s.board.pm, data, 0x59 | LEVEL, 4);
    line_set(&pin, true);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x59);
    ck_assert_uint_eq(physmem_read(&s.board.pm, data, 4),
                      0x59 | LEVEL | REMOTE_IRR);
    set(&s, 0, EOI, 0);
    ck_assert_int_eq(lapic_ack(&s.lapic[0]), 0x59);
    line_set(&pin, false);
    set(&s, 0, EOI, 0);
    ck_assert(!intr(&s, 0));
    ck_assert_uint_eq(physmem_read(&s.board.pm, data, 4), 0x59 | LEVEL);
    setup_end(&s);
}
END_TEST

START_TEST(init_keeps_id_and_base)
{
    struct setup s;
    struct lapic *l = &s.lapic[0];

    setup_init(&s);
    lapic_set_base(l, 0xd0000800);
    set(&s, 0, ID, 0x05000000);
    interrupt(&s, 0x41);
    lapic_soft_reset(l);
    ck_assert(!intr(&s, 0));
    ck_assert(lapic_get_base(l) == 0xd0000900);
    ck_assert_uint_eq(get(&s, 0, ID), 0x05000000);
    device_reset(l);
    ck_assert(lapic_get_base(l) == 0xfee00900);
    ck_assert_uint_eq(get(&s, 0, ID), 0);
    setup_end(&s);
}
END_TEST

START_TEST(state_carries_over_and_rearms)
{
    struct setup from, to;

    setup_init(&from);
    setup_cold(&to);
    lapic_set_base(&from.lapic[0], 0xd0000800);
    set(&from, 0, DIVIDE, 0xb);
    set(&from, 0, LVT_TIMER, 0x30);
    set(&from, 0, INITIAL_COUNT, 100000);
    interrupt(&from, 0x21);
    pass(&from, 30000);
    pass(&to, 30000);
    carry_state(&from.lapic[0], &to.lapic[0]);
    ck_assert_int_eq(lapic_ack(&to.lapic[0]), 0x21);
    ck_assert_uint_eq(physmem_read(&to.board.pm, 0xd0000000 + VERSION, 4),
                      0x00050014);
    ck_assert_uint_eq(get(&to, 0, CURRENT_COUNT), 70000);
    pass(&to, 69999);
    ck_assert(!intr(&to, 0));
    pass(&to, 1);
    ck_assert_int_eq(lapic_ack(&to.lapic[0]), 0x30);
    setup_end(&from);
    setup_end(&to);
}
END_TEST

START_TEST(loaded_state_has_no_illegal_vectors)
{
    struct setup s;

    setup_init(&s);
    load_garbage(&s.lapic[0], 0xff);
    ck_assert_uint_eq(get(&s, 0, IRR), 0xffff0000);
    ck_assert_uint_eq(get(&s, 0, ISR), 0xffff0000);
    ck_assert_uint_eq(get(&s, 0, LVT_LINT1), 0x1a7ff);
    ck_assert(lapic_set_base(&s.lapic[0], lapic_get_base(&s.lapic[0])));
    setup_end(&s);
}
END_TEST

/* Random register traffic, IPIs among it, and garbage states. */
START_TEST(random_accesses_do_no_harm)
{
    struct setup s;
    uint64_t x = 88172645463325252u;

    setup_init(&s);
    for (unsigned i = 0; i < 200000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;

        unsigned n = x & 1, reg = (unsigned)(x >> 1 & 0x3f) << 4;

        set(&s, n, reg, (uint32_t)(x >> 32) & (x & 2 ? ~0u : 0xffff));
        get(&s, n, reg);
        if (intr(&s, n)) {
            unsigned v = (unsigned)lapic_ack(&s.lapic[n]);

            ck_assert(v >= 16 || v == PIC_VECTOR ||
                      v == (get(&s, n, SVR) & 0xff));
        }
        pass(&s, x >> 50);
        if (i % 5000 == 0)
            load_garbage(&s.lapic[n], (uint8_t)(x >> 8));
    }
    setup_end(&s);
}
END_TEST

SUITE("lapic", registers_after_reset, window_answers_in_memory,
      base_moves_the_window, base_refuses_reserved_bits,
      base_on_another_window_is_harmless,
      interrupt_goes_from_irr_to_isr_to_eoi,
      higher_class_nests_and_the_same_waits, task_priority_holds_back,
      nothing_left_gives_the_spurious_vector,
      software_disable_masks_and_refuses,
      illegal_vectors_go_to_the_error_register,
      error_interrupt_with_illegal_vector_ends, ipi_by_physical_destination,
      ipi_by_logical_destination, ipi_by_cluster, ipi_by_shorthand,
      lowest_priority_avoids_the_busy, arbitration_priority,
      init_and_startup_reach_the_other_processor, nmi_and_smi_are_pulses,
      invalid_ipis_are_dropped, disabled_apic_passes_the_pins_through,
      pic_is_not_heard_before_firmware_says_so, extint_ignores_priorities,
      extint_message_asks_the_pic, lint_edge_is_fixed_interrupt,
      lint0_level_has_remote_irr, performance_interrupt_masks_itself,
      timer_interrupts_through_its_entry, tsc_deadline_interrupts,
      level_interrupt_through_the_ioapic, init_keeps_id_and_base,
      state_carries_over_and_rearms, loaded_state_has_no_illegal_vectors,
      random_accesses_do_no_harm)
