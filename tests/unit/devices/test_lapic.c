/* Local APIC: registers, priorities, errors, timer, saved state. */
#include "devices/lapic.h"

#include "tests/unit/devices/lapic_rig.h"

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
      error_interrupt_with_illegal_vector_ends, arbitration_priority,
      timer_interrupts_through_its_entry, tsc_deadline_interrupts,
      init_keeps_id_and_base, state_carries_over_and_rearms,
      loaded_state_has_no_illegal_vectors, random_accesses_do_no_harm)
