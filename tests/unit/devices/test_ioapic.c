/* I/O APIC: when a pin sends a message, and which. */
#include "devices/ioapic.h"

#include "tests/unit/devices/chipset.h"

enum { PIN = 5 };
enum {
    LOGICAL = 1 << 11,
    PENDING = 1 << 12,
    LOW_ACTIVE = 1 << 13,
    REMOTE_IRR = 1 << 14,
    LEVEL = 1 << 15,
    MASKED = 1 << 16,
};

struct setup {
    struct board board;
    struct ioapic io;
    struct line pin;
    bool refuses; /* nobody on the bus accepts */
    unsigned sent;
    struct apic_msg last;
};

static bool deliver(void *owner, const struct apic_msg *msg)
{
    struct setup *s = owner;

    s->sent++;
    s->last = *msg;
    return !s->refuses;
}

static void setup_init(struct setup *s)
{
    board_init(&s->board);
    s->refuses = false;
    s->sent = 0;
    ck_assert(ioapic_init(&s->io, &s->board.pm, IOAPIC_BASE, deliver, s));
    s->pin = ioapic_line(&s->io, PIN);
}

static uint32_t get(struct setup *s, unsigned reg)
{
    physmem_write(&s->board.pm, IOAPIC_BASE, reg, 4);
    return (uint32_t)physmem_read(&s->board.pm, IOAPIC_BASE + 0x10, 4);
}

static void set(struct setup *s, unsigned reg, uint32_t value)
{
    physmem_write(&s->board.pm, IOAPIC_BASE, reg, 4);
    physmem_write(&s->board.pm, IOAPIC_BASE + 0x10, value, 4);
}

static uint32_t entry(struct setup *s)
{
    return get(s, 0x10 + 2 * PIN);
}

static void set_entry(struct setup *s, uint32_t value)
{
    set(s, 0x10 + 2 * PIN, value);
}

START_TEST(registers_after_reset)
{
    struct setup s;

    setup_init(&s);
    ck_assert_uint_eq(get(&s, 0), 0);
    ck_assert_uint_eq(get(&s, 1), 0x00170011);
    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        ck_assert_uint_eq(get(&s, 0x10 + 2 * n), MASKED);
        ck_assert_uint_eq(get(&s, 0x11 + 2 * n), 0);
    }
    ck_assert_uint_eq(get(&s, 0x40), 0);
    ck_assert_uint_eq(get(&s, 0xff), 0);
    board_destroy(&s.board);
}
END_TEST

START_TEST(only_writable_bits_are_kept)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0, 0xffffffff);
    set(&s, 1, 0xffffffff);
    set_entry(&s, 0xffffffff);
    set(&s, 0x11 + 2 * PIN, 0xffffffff);
    set(&s, 0x40, 0xffffffff);
    ck_assert_uint_eq(get(&s, 0), 0x0f000000);
    ck_assert_uint_eq(get(&s, 2), 0x0f000000);
    ck_assert_uint_eq(get(&s, 1), 0x00170011);
    ck_assert_uint_eq(entry(&s), 0x0001afff);
    ck_assert_uint_eq(get(&s, 0x11 + 2 * PIN), 0xff000000);
    board_destroy(&s.board);
}
END_TEST

START_TEST(narrow_access)
{
    struct setup s;

    setup_init(&s);
    physmem_write(&s.board.pm, IOAPIC_BASE, 1, 1);
    ck_assert_uint_eq(physmem_read(&s.board.pm, IOAPIC_BASE + 0x10, 1), 0x11);
    ck_assert_uint_eq(physmem_read(&s.board.pm, IOAPIC_BASE + 0x12, 1), 0x17);
    physmem_write(&s.board.pm, IOAPIC_BASE, 0, 1);
    physmem_write(&s.board.pm, IOAPIC_BASE + 0x13, 0xff, 1);
    physmem_write(&s.board.pm, IOAPIC_BASE + 0x10, 0xff, 1);
    ck_assert_uint_eq(get(&s, 0), 0);
    board_destroy(&s.board);
}
END_TEST

START_TEST(message_comes_from_the_entry)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0x11 + 2 * PIN, 0x81000000);
    set_entry(&s, 0x55 | APIC_LOWEST << 8 | LOGICAL);
    line_set(&s.pin, true);
    ck_assert_uint_eq(s.sent, 1);
    ck_assert_uint_eq(s.last.dest, 0x81);
    ck_assert_uint_eq(s.last.dest_mode, APIC_LOGICAL);
    ck_assert_uint_eq(s.last.delivery, APIC_LOWEST);
    ck_assert_uint_eq(s.last.vector, 0x55);
    ck_assert(!s.last.level);
    board_destroy(&s.board);
}
END_TEST

START_TEST(edge_sends_once_a_rise)
{
    struct setup s;

    setup_init(&s);
    set_entry(&s, 0x55);
    line_set(&s.pin, true);
    line_set(&s.pin, true);
    ck_assert_uint_eq(s.sent, 1);
    line_set(&s.pin, false);
    line_set(&s.pin, true);
    ck_assert_uint_eq(s.sent, 2);
    ck_assert_uint_eq(entry(&s), 0x55);
    board_destroy(&s.board);
}
END_TEST

START_TEST(masked_edge_is_lost)
{
    struct setup s;

    setup_init(&s);
    set_entry(&s, 0x55 | MASKED);
    line_set(&s.pin, true);
    set_entry(&s, 0x55);
    ck_assert_uint_eq(s.sent, 0);
    board_destroy(&s.board);
}
END_TEST

START_TEST(level_waits_for_eoi)
{
    struct setup s;

    setup_init(&s);
    set_entry(&s, 0x55 | LEVEL);
    line_set(&s.pin, true);
    ck_assert_uint_eq(s.sent, 1);
    ck_assert(s.last.level);
    ck_assert_uint_eq(entry(&s), 0x55 | LEVEL | REMOTE_IRR);
    line_set(&s.pin, false);
    line_set(&s.pin, true);
    ck_assert_uint_eq(s.sent, 1);

    ioapic_eoi(&s.io, 0x54);
    ck_assert_uint_eq(s.sent, 1);
    ioapic_eoi(&s.io, 0x55);
    ck_assert_uint_eq(s.sent, 2);
    line_set(&s.pin, false);
    ioapic_eoi(&s.io, 0x55);
    ck_assert_uint_eq(s.sent, 2);
    ck_assert_uint_eq(entry(&s), 0x55 | LEVEL);
    board_destroy(&s.board);
}
END_TEST

START_TEST(masked_level_comes_when_unmasked)
{
    struct setup s;

    setup_init(&s);
    set_entry(&s, 0x55 | LEVEL | MASKED);
    line_set(&s.pin, true);
    ck_assert_uint_eq(s.sent, 0);
    ck_assert_uint_eq(entry(&s), 0x55 | LEVEL | MASKED);
    set_entry(&s, 0x55 | LEVEL);
    ck_assert_uint_eq(s.sent, 1);
    board_destroy(&s.board);
}
END_TEST

START_TEST(switching_to_edge_clears_remote_irr)
{
    struct setup s;

    setup_init(&s);
    set_entry(&s, 0x55 | LEVEL);
    line_set(&s.pin, true);
    set_entry(&s, 0x55 | MASKED);
    ck_assert_uint_eq(entry(&s), 0x55 | MASKED);
    set_entry(&s, 0x55 | LEVEL);
    ck_assert_uint_eq(s.sent, 2);
    board_destroy(&s.board);
}
END_TEST

START_TEST(polarity_is_kept_without_effect)
{
    struct setup s;

    setup_init(&s);
    set_entry(&s, 0x55 | LEVEL | LOW_ACTIVE);
    ck_assert_uint_eq(s.sent, 0);
    line_set(&s.pin, true);
    ck_assert_uint_eq(s.sent, 1);
    ck_assert_uint_eq(entry(&s) & LOW_ACTIVE, LOW_ACTIVE);
    board_destroy(&s.board);
}
END_TEST

START_TEST(nmi_and_extint_are_edges)
{
    struct setup s;

    setup_init(&s);
    set_entry(&s, APIC_NMI << 8 | LEVEL);
    line_set(&s.pin, true);
    ck_assert_uint_eq(s.sent, 1);
    ck_assert(!s.last.level);
    ck_assert_uint_eq(entry(&s) & REMOTE_IRR, 0);
    board_destroy(&s.board);
}
END_TEST

START_TEST(refused_level_is_tried_again)
{
    struct setup s;

    setup_init(&s);
    s.refuses = true;
    set_entry(&s, 0x55 | LEVEL);
    line_set(&s.pin, true);
    ck_assert_uint_eq(entry(&s), 0x55 | LEVEL | PENDING);
    s.refuses = false;
    set_entry(&s, 0x66 | LEVEL);
    ck_assert_uint_eq(entry(&s), 0x66 | LEVEL | REMOTE_IRR);
    board_destroy(&s.board);
}
END_TEST

START_TEST(refused_level_ends_with_the_line)
{
    struct setup s;

    setup_init(&s);
    s.refuses = true;
    set_entry(&s, 0x55 | LEVEL);
    line_set(&s.pin, true);
    s.refuses = false;
    line_set(&s.pin, false);
    ck_assert_uint_eq(entry(&s), 0x55 | LEVEL);
    ck_assert_uint_eq(s.sent, 1);
    board_destroy(&s.board);
}
END_TEST

START_TEST(refused_edge_is_not_lost)
{
    struct setup s;

    setup_init(&s);
    s.refuses = true;
    set_entry(&s, 0x55);
    line_set(&s.pin, true);
    ck_assert_uint_eq(entry(&s), 0x55 | PENDING);
    s.refuses = false;
    line_set(&s.pin, false);
    ck_assert_uint_eq(entry(&s), 0x55);
    ck_assert_uint_eq(s.sent, 2);
    board_destroy(&s.board);
}
END_TEST

START_TEST(pins_beyond_the_last_are_unconnected)
{
    struct setup s;

    setup_init(&s);
    ck_assert(!ioapic_line(&s.io, IOAPIC_PINS).set);
    board_destroy(&s.board);
}
END_TEST

START_TEST(state_carries_entries_and_lines)
{
    struct setup from, to;

    setup_init(&from);
    setup_init(&to);
    set(&from, 0, 0x03000000);
    set_entry(&from, 0x55 | LEVEL);
    line_set(&from.pin, true);
    carry_state(&from.io, &to.io);
    ck_assert_uint_eq(entry(&to), 0x55 | LEVEL | REMOTE_IRR);
    ck_assert_uint_eq(get(&to, 0), 0x03000000);
    ck_assert_uint_eq(to.sent, 0);
    ioapic_eoi(&to.io, 0x55);
    ck_assert_uint_eq(to.sent, 1);

    device_reset(&to.io);
    ck_assert_uint_eq(entry(&to), MASKED);
    load_garbage(&to.io, 0xff);
    ck_assert_uint_eq(entry(&to) >> 17, 0);
    ioapic_eoi(&to.io, 0xff);
    board_destroy(&from.board);
    board_destroy(&to.board);
}
END_TEST

SUITE("ioapic", registers_after_reset, only_writable_bits_are_kept,
      narrow_access, message_comes_from_the_entry, edge_sends_once_a_rise,
      masked_edge_is_lost, level_waits_for_eoi,
      masked_level_comes_when_unmasked, switching_to_edge_clears_remote_irr,
      polarity_is_kept_without_effect, nmi_and_extint_are_edges,
      refused_level_is_tried_again, refused_level_ends_with_the_line,
      refused_edge_is_not_lost, pins_beyond_the_last_are_unconnected,
      state_carries_entries_and_lines)
