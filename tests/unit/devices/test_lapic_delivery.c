/* Local APIC: messages between processors, and interrupts by its pins. */
#include "devices/lapic.h"

#include "tests/unit/devices/lapic_rig.h"

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

SUITE("lapic_delivery", ipi_by_physical_destination,
      ipi_by_logical_destination, ipi_by_cluster, ipi_by_shorthand,
      lowest_priority_avoids_the_busy,
      init_and_startup_reach_the_other_processor, nmi_and_smi_are_pulses,
      invalid_ipis_are_dropped, disabled_apic_passes_the_pins_through,
      pic_is_not_heard_before_firmware_says_so, extint_ignores_priorities,
      extint_message_asks_the_pic, lint_edge_is_fixed_interrupt,
      lint0_level_has_remote_irr, performance_interrupt_masks_itself,
      level_interrupt_through_the_ioapic)
