/* PIIX3: which ISA line a PIRQ reaches. */
#include "devices/piix3.h"

#include "tests/unit/devices/chipset.h"

enum { SLOT = 1 };

struct setup {
    struct board board;
    struct piix3 px;
    struct wire irq[PIIX3_IRQS];
    struct line pin[PIIX3_PINS];
};

static void setup_init(struct setup *s)
{
    struct line irq[PIIX3_IRQS];

    board_init(&s->board);
    for (unsigned i = 0; i < PIIX3_IRQS; i++) {
        s->irq[i] = (struct wire){false, 0};
        irq[i] = wire_line(&s->irq[i]);
    }
    ck_assert(piix3_init(&s->px, &s->board.bus, SLOT, irq));
    for (unsigned i = 0; i < PIIX3_PINS; i++)
        s->pin[i] = piix3_line(&s->px, (enum piix3_pin)i);
}

static void route(struct setup *s, enum piix3_pin pirq, uint8_t value)
{
    config_write(&s->board, SLOT, 0, PIIX3_PIRQRC + pirq, value, 1);
}

/* Bit n: ISA line n is asserted. */
static unsigned levels(const struct setup *s)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < PIIX3_IRQS; i++)
        mask |= (unsigned)s->irq[i].level << i;
    return mask;
}

START_TEST(reset_registers)
{
    struct setup s;

    setup_init(&s);
    ck_assert_uint_eq(config_read(&s.board, SLOT, 0, PCI_VENDOR, 4),
                      0x70008086);
    ck_assert_uint_eq(config_read(&s.board, SLOT, 0, PCI_COMMAND, 4),
                      0x02000007);
    ck_assert_uint_eq(config_read(&s.board, SLOT, 0, PCI_REVISION, 4),
                      0x06010000);
    ck_assert_uint_eq(config_read(&s.board, SLOT, 0, PIIX3_PIRQRC, 4),
                      0x80808080);
    board_destroy(&s.board);
}
END_TEST

START_TEST(unrouted_pirq_reaches_nothing)
{
    struct setup s;

    setup_init(&s);
    for (unsigned i = PIIX3_PIRQA; i <= PIIX3_PIRQD; i++)
        line_set(&s.pin[i], true);
    ck_assert_uint_eq(levels(&s), 0);
    board_destroy(&s.board);
}
END_TEST

START_TEST(each_pirq_follows_its_route)
{
    struct setup s;

    setup_init(&s);
    for (unsigned i = PIIX3_PIRQA; i <= PIIX3_PIRQD; i++) {
        route(&s, (enum piix3_pin)i, 11);
        line_set(&s.pin[i], true);
        ck_assert_uint_eq(levels(&s), 1 << 11);
        line_set(&s.pin[i], false);
        ck_assert_uint_eq(levels(&s), 0);
        route(&s, (enum piix3_pin)i, 0x80);
    }
    board_destroy(&s.board);
}
END_TEST

START_TEST(reserved_irqs_cannot_be_routed)
{
    struct setup s;

    setup_init(&s);
    line_set(&s.pin[PIIX3_PIRQA], true);
    for (unsigned irq = 0; irq < PIIX3_IRQS; irq++) {
        bool reserved = irq < 3 || irq == 8 || irq == 13;

        route(&s, PIIX3_PIRQA, (uint8_t)irq);
        ck_assert_uint_eq(levels(&s), reserved ? 0 : 1u << irq);
    }
    board_destroy(&s.board);
}
END_TEST

START_TEST(a_moved_route_lets_go_of_the_old_line)
{
    struct setup s;

    setup_init(&s);
    route(&s, PIIX3_PIRQB, 10);
    line_set(&s.pin[PIIX3_PIRQB], true);
    route(&s, PIIX3_PIRQB, 5);
    ck_assert_uint_eq(levels(&s), 1 << 5);
    route(&s, PIIX3_PIRQB, 0x80);
    ck_assert_uint_eq(levels(&s), 0);
    board_destroy(&s.board);
}
END_TEST

START_TEST(pirqs_and_sci_share_a_line)
{
    struct setup s;

    setup_init(&s);
    route(&s, PIIX3_PIRQC, 9);
    route(&s, PIIX3_PIRQD, 9);
    line_set(&s.pin[PIIX3_PIRQC], true);
    line_set(&s.pin[PIIX3_PIRQD], true);
    line_set(&s.pin[PIIX3_SCI], true);
    line_set(&s.pin[PIIX3_PIRQC], false);
    line_set(&s.pin[PIIX3_PIRQD], false);
    ck_assert_uint_eq(levels(&s), 1 << 9);
    line_set(&s.pin[PIIX3_SCI], false);
    ck_assert_uint_eq(levels(&s), 0);
    ck_assert_uint_eq(s.irq[9].rises, 1);
    board_destroy(&s.board);
}
END_TEST

/* A UART on IRQ 4 must not lose its level when a PIRQ moves. */
START_TEST(lines_of_others_are_left_alone)
{
    struct setup s;

    setup_init(&s);
    s.irq[4].level = true;
    route(&s, PIIX3_PIRQA, 11);
    line_set(&s.pin[PIIX3_PIRQA], true);
    line_set(&s.pin[PIIX3_PIRQA], false);
    ck_assert(s.irq[4].level);
    board_destroy(&s.board);
}
END_TEST

START_TEST(reset_unroutes_and_keeps_inputs)
{
    struct setup s;

    setup_init(&s);
    route(&s, PIIX3_PIRQA, 11);
    line_set(&s.pin[PIIX3_PIRQA], true);
    device_reset(&s.px);
    ck_assert_uint_eq(levels(&s), 0);
    route(&s, PIIX3_PIRQA, 11);
    ck_assert_uint_eq(levels(&s), 1 << 11);
    board_destroy(&s.board);
}
END_TEST

START_TEST(state_carries_routes_and_levels)
{
    struct setup from, to;

    setup_init(&from);
    setup_init(&to);
    route(&from, PIIX3_PIRQA, 11);
    line_set(&from.pin[PIIX3_PIRQA], true);
    carry_state(&from.px, &to.px);
    ck_assert_uint_eq(levels(&to), 1 << 11);
    line_set(&to.pin[PIIX3_PIRQA], false);
    ck_assert_uint_eq(levels(&to), 0);
    load_garbage(&to.px, 0xff);
    load_garbage(&to.px, 0x55);
    board_destroy(&from.board);
    board_destroy(&to.board);
}
END_TEST

SUITE("piix3", reset_registers, unrouted_pirq_reaches_nothing,
      each_pirq_follows_its_route, reserved_irqs_cannot_be_routed,
      a_moved_route_lets_go_of_the_old_line, pirqs_and_sci_share_a_line,
      lines_of_others_are_left_alone, reset_unroutes_and_keeps_inputs,
      state_carries_routes_and_levels)
