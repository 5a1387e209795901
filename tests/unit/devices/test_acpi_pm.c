/* ACPI: the PM timer, events and SCI, soft off, and where the ports are. */
#include "devices/acpi_pm.h"

#include "tests/unit/devices/chipset.h"

enum { SLOT = 1, FUNCTION = 3, PM = ACPI_PM_BASE };

/* PM1 status, enable and control bits. */
enum { TMR = 1, GBL = 1 << 5, PWRBTN = 1 << 8, WAK = 1 << 15, SCI_EN = 1 };

struct setup {
    struct board board;
    struct clock clock;
    struct acpi_pm pm;
    struct wire sci, power_off, smi;
};

static void setup_with(struct setup *s, uint16_t pm_base, bool has_smi)
{
    board_init(&s->board);
    clock_init(&s->clock, CLOCK_DETERMINISTIC);
    s->sci = s->power_off = s->smi = (struct wire){false, 0};

    const struct acpi_pm_wiring w = {
        .bus = &s->board.bus,
        .slot = SLOT,
        .function = FUNCTION,
        .io = &s->board.io,
        .clock = &s->clock,
        .pm_base = pm_base,
        .gpe0_base = ACPI_GPE0_BASE,
        .sci = wire_line(&s->sci),
        .power_off = wire_line(&s->power_off),
        .smi = has_smi ? wire_line(&s->smi) : LINE_NONE,
    };

    ck_assert(acpi_pm_init(&s->pm, &w));
}

static void setup_init(struct setup *s)
{
    setup_with(s, ACPI_PM_BASE, false);
}

static void setup_end(struct setup *s)
{
    clock_destroy(&s->clock);
    board_destroy(&s->board);
}

static uint32_t in(struct setup *s, unsigned port, unsigned size)
{
    return (uint32_t)space_read(&s->board.io, port, size);
}

static void out(struct setup *s, unsigned port, uint32_t value, unsigned size)
{
    space_write(&s->board.io, port, value, size);
}

static void pass(struct setup *s, vtime ns)
{
    clock_advance(&s->clock, ns);
    clock_run(&s->clock);
}

START_TEST(identity_and_preset_base)
{
    struct setup s;

    setup_init(&s);
    ck_assert_uint_eq(config_read(&s.board, SLOT, FUNCTION, 0, 4), 0x71138086);
    ck_assert_uint_eq(config_read(&s.board, SLOT, FUNCTION, 8, 4), 0x06800003);
    ck_assert_uint_eq(config_read(&s.board, SLOT, FUNCTION, 0x40, 4),
                      ACPI_PM_BASE | 1);
    ck_assert_uint_eq(config_read(&s.board, SLOT, FUNCTION, 0x80, 1), 1);
    ck_assert_uint_eq(in(&s, PM, 4), 0);
    setup_end(&s);
}
END_TEST

START_TEST(firmware_places_the_block)
{
    struct setup s;

    setup_with(&s, 0, false);
    ck_assert_uint_eq(in(&s, 0x608, 4), 0xffffffff);
    config_write(&s.board, SLOT, FUNCTION, 0x40, 0x601, 4);
    ck_assert_uint_eq(in(&s, 0x608, 4), 0xffffffff);
    config_write(&s.board, SLOT, FUNCTION, 0x80, 1, 1);
    ck_assert_uint_eq(in(&s, 0x608, 4), 0);
    config_write(&s.board, SLOT, FUNCTION, 0x40, 0x701, 4);
    ck_assert_uint_eq(in(&s, 0x608, 4), 0xffffffff);
    ck_assert_uint_eq(in(&s, 0x708, 4), 0);
    setup_end(&s);
}
END_TEST

START_TEST(block_cannot_cover_other_ports)
{
    struct setup s;

    setup_init(&s);
    config_write(&s.board, SLOT, FUNCTION, 0x40, 0xcc1, 4);
    ck_assert_uint_eq(in(&s, 0xcc0, 1), 0xff);
    ck_assert_uint_eq(in(&s, PM, 1), 0xff);
    config_write(&s.board, SLOT, FUNCTION, 0x40, PM | 1, 4);
    ck_assert_uint_eq(in(&s, PM, 1), 0);
    setup_end(&s);
}
END_TEST

START_TEST(timer_counts_at_its_rate_in_24_bits)
{
    struct setup s;

    setup_init(&s);
    clock_advance(&s.clock, NS_PER_S);
    ck_assert_uint_eq(in(&s, PM + ACPI_PM_TIMER, 4), ACPI_PM_TIMER_HZ);
    clock_advance(&s.clock, 9 * (vtime)NS_PER_S);
    ck_assert_uint_eq(in(&s, PM + ACPI_PM_TIMER, 4),
                      10ull * ACPI_PM_TIMER_HZ & 0xffffff);
    ck_assert_uint_eq(in(&s, PM + ACPI_PM_TIMER + 3, 1), 0);
    setup_end(&s);
}
END_TEST

/* Bit 23 changes every 2^23 / 3.579545 MHz = 2.343484 s. */
START_TEST(timer_overflow_interrupts)
{
    struct setup s;

    setup_init(&s);
    out(&s, PM + 2, TMR, 2);
    out(&s, PM + 4, SCI_EN, 2);
    pass(&s, 2343484000);
    ck_assert(!s.sci.level);
    pass(&s, 1000000);
    ck_assert(s.sci.level);
    ck_assert_uint_eq(in(&s, PM, 2), TMR);
    out(&s, PM, TMR, 2);
    ck_assert(!s.sci.level);
    ck_assert_uint_eq(in(&s, PM, 2), 0);
    pass(&s, 2342000000);
    ck_assert(!s.sci.level);
    pass(&s, 1000000);
    ck_assert_uint_eq(s.sci.rises, 2);
    setup_end(&s);
}
END_TEST

START_TEST(overflow_is_seen_without_interrupt)
{
    struct setup s;

    setup_init(&s);
    pass(&s, 3 * (vtime)NS_PER_S);
    ck_assert_uint_eq(in(&s, PM, 2), TMR);
    ck_assert(!timer_armed(&s.pm.overflow));
    out(&s, PM, TMR, 1);
    ck_assert_uint_eq(in(&s, PM, 2), 0);
    setup_end(&s);
}
END_TEST

START_TEST(smi_cmd_hands_over_to_acpi)
{
    struct setup s;

    setup_init(&s);
    ck_assert_uint_eq(in(&s, PM + 4, 2) & SCI_EN, 0);
    out(&s, ACPI_SMI_CMD, ACPI_ENABLE, 1);
    ck_assert_uint_eq(in(&s, PM + 4, 2) & SCI_EN, SCI_EN);
    ck_assert_uint_eq(in(&s, ACPI_SMI_CMD, 1), ACPI_ENABLE);
    out(&s, ACPI_SMI_CMD, ACPI_DISABLE, 1);
    ck_assert_uint_eq(in(&s, PM + 4, 2) & SCI_EN, 0);
    out(&s, ACPI_SMI_CMD + 1, 0x5a, 1);
    ck_assert_uint_eq(in(&s, ACPI_SMI_CMD, 2), 0x5a00 | ACPI_DISABLE);
    setup_end(&s);
}
END_TEST

START_TEST(smi_is_raised_where_there_is_smm)
{
    struct setup s;

    setup_with(&s, ACPI_PM_BASE, true);
    ck_assert_uint_eq(config_read(&s.board, SLOT, FUNCTION, 0x5b, 1), 0);
    out(&s, ACPI_SMI_CMD, 1, 1);
    ck_assert_uint_eq(s.smi.rises, 0);
    config_write(&s.board, SLOT, FUNCTION, 0x58, 1u << 25, 4);
    out(&s, ACPI_SMI_CMD, 1, 1);
    ck_assert_uint_eq(s.smi.rises, 1);
    setup_end(&s);

    setup_init(&s);
    ck_assert_uint_eq(config_read(&s.board, SLOT, FUNCTION, 0x5b, 1), 2);
    setup_end(&s);
}
END_TEST

START_TEST(power_button_waits_for_the_guest)
{
    struct setup s;

    setup_init(&s);
    ck_assert(!acpi_pm_press_power(&s.pm));
    ck_assert(!s.sci.level);
    out(&s, PM + 2, PWRBTN, 2);
    ck_assert(!s.sci.level);
    out(&s, PM + 4, SCI_EN, 2);
    ck_assert(s.sci.level);
    out(&s, PM, PWRBTN, 2);
    ck_assert(!s.sci.level);
    ck_assert(acpi_pm_press_power(&s.pm));
    ck_assert(s.sci.level);
    setup_end(&s);
}
END_TEST

START_TEST(soft_off_pulses_power_off)
{
    struct setup s;

    setup_init(&s);
    out(&s, PM + 4, 0x0000, 2);
    ck_assert_uint_eq(s.power_off.rises, 0);
    out(&s, PM + 4, 0x2000, 2);
    ck_assert_uint_eq(s.power_off.rises, 1);
    ck_assert_uint_eq(in(&s, PM + 4, 2), 0);
    out(&s, PM + 5, 0x20, 1);
    ck_assert_uint_eq(s.power_off.rises, 2);
    setup_end(&s);
}
END_TEST

START_TEST(other_sleep_wakes_at_once)
{
    struct setup s;

    setup_init(&s);
    out(&s, PM + 4, 0x2401, 2);
    ck_assert_uint_eq(s.power_off.rises, 0);
    ck_assert_uint_eq(in(&s, PM, 2), WAK);
    ck_assert_uint_eq(in(&s, PM + 4, 2), 0x0401);
    setup_end(&s);
}
END_TEST

START_TEST(gpe_latches_rising_levels)
{
    struct setup s;

    setup_init(&s);

    struct line event = acpi_pm_gpe_line(&s.pm, 4);

    out(&s, PM + 4, SCI_EN, 2);
    out(&s, PM + ACPI_PM_GPE0 + 2, 1 << 4, 2);
    line_set(&event, true);
    ck_assert(s.sci.level);
    ck_assert_uint_eq(in(&s, ACPI_GPE0_BASE, 4), 0x00100010);
    out(&s, ACPI_GPE0_BASE, 1 << 4, 1);
    ck_assert(!s.sci.level);
    line_set(&event, true);
    ck_assert(!s.sci.level);
    line_set(&event, false);
    line_set(&event, true);
    ck_assert(s.sci.level);
    ck_assert(!acpi_pm_gpe_line(&s.pm, ACPI_GPES).set);
    setup_end(&s);
}
END_TEST

START_TEST(wide_access_reaches_both_registers)
{
    struct setup s;

    setup_init(&s);
    acpi_pm_press_power(&s.pm);
    out(&s, PM, (GBL | PWRBTN) << 16 | PWRBTN, 4);
    ck_assert_uint_eq(in(&s, PM, 4), (GBL | PWRBTN) << 16);
    out(&s, PM + 1, 0x00ff, 2);
    ck_assert_uint_eq(in(&s, PM, 4), PWRBTN << 16);
    ck_assert_uint_eq(in(&s, PM + ACPI_PM_SIZE - 2, 2), 0);
    setup_end(&s);
}
END_TEST

START_TEST(reset_takes_everything_back)
{
    struct setup s;

    setup_init(&s);
    out(&s, PM + 2, TMR | PWRBTN, 2);
    out(&s, PM + 4, SCI_EN, 2);
    acpi_pm_press_power(&s.pm);
    device_reset(&s.pm);
    ck_assert(!s.sci.level);
    ck_assert(!timer_armed(&s.pm.overflow));
    ck_assert_uint_eq(in(&s, PM, 4), 0);
    setup_end(&s);
}
END_TEST

START_TEST(state_carries_over_and_rearms)
{
    struct setup from, to;

    setup_init(&from);
    setup_init(&to);
    out(&from, PM + 2, TMR, 2);
    out(&from, PM + 4, SCI_EN, 2);
    config_write(&from.board, SLOT, FUNCTION, 0x40, 0x601, 4);
    pass(&from, NS_PER_S);
    pass(&to, NS_PER_S);
    carry_state(&from.pm, &to.pm);
    ck_assert_uint_eq(in(&to, PM, 4), 0xffffffff);
    ck_assert_uint_eq(in(&to, 0x602, 2), TMR);
    ck_assert(!to.sci.level);
    pass(&to, 1400000000);
    ck_assert(to.sci.level);
    setup_end(&from);
    setup_end(&to);
}
END_TEST

START_TEST(garbage_state_is_survived)
{
    struct setup s;

    setup_init(&s);
    for (unsigned byte = 0; byte < 256; byte += 51) {
        load_garbage(&s.pm, (uint8_t)byte);
        ck_assert_uint_le(s.pm.overflow_tick >> 23,
                          (clock_now(&s.clock) / 279 >> 23) + 1);
        pass(&s, 3 * (vtime)NS_PER_S);
        ck_assert_uint_eq(in(&s, ACPI_SMI_CMD, 1), byte);
    }
    setup_end(&s);
}
END_TEST

SUITE("acpi_pm", identity_and_preset_base, firmware_places_the_block,
      block_cannot_cover_other_ports, timer_counts_at_its_rate_in_24_bits,
      timer_overflow_interrupts, overflow_is_seen_without_interrupt,
      smi_cmd_hands_over_to_acpi, smi_is_raised_where_there_is_smm,
      power_button_waits_for_the_guest, soft_off_pulses_power_off,
      other_sleep_wakes_at_once, gpe_latches_rising_levels,
      wide_access_reaches_both_registers, reset_takes_everything_back,
      state_carries_over_and_rearms, garbage_state_is_survived)
