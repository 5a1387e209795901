/* PCI: configuration cycles, BARs that move, shared interrupt lines. */
#include "devices/pci.h"

#include "tests/unit/devices/chipset.h"

enum { SLOT = 3, BAR_MEM = 0, BAR_IO = 1, MEM_SIZE = 0x2000, IO_SIZE = 0x20 };

/* A function with a memory BAR, an I/O BAR, a ROM and INTA#. */
struct card {
    struct device dev;
    struct pci_device pci;
    uint64_t last_offset;
    uint64_t moved_to;
    unsigned writes_seen;
};

static uint64_t card_read(void *dev, uint64_t offset, unsigned size)
{
    struct card *c = dev;

    (void)size;
    c->last_offset = offset;
    return 0xca;
}

static void card_moved(void *owner, unsigned bar, uint64_t base)
{
    struct card *c = owner;

    (void)bar;
    c->moved_to = base;
}

static void card_written(void *owner, unsigned reg, unsigned size)
{
    struct card *c = owner;

    (void)reg, (void)size;
    c->writes_seen++;
}

static void card_reset(void *dev)
{
    pci_device_reset(&((struct card *)dev)->pci);
}

static void card_after_load(void *dev)
{
    pci_device_loaded(&((struct card *)dev)->pci);
}

static const struct field card_state[] = {
    PCI_FIELDS(struct card, pci),
    FIELD_END,
};

static const struct device_class card_class = {
    .name = "card",
    .reset = card_reset,
    .after_load = card_after_load,
    .state = card_state,
};

static const struct region_ops card_ops = {card_read, NULL, 1, 4};

static void card_init(struct card *c)
{
    static const struct pci_ident ident = {
        .vendor = 0x1234,
        .device = 0x5678,
        .class_code = 0x020000,
        .revision = 7,
        .interrupt_pin = 1,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
    };

    *c = (struct card){.dev = {&card_class, "card"}, .moved_to = 1};
    pci_device_init(&c->pci, c, &ident);
    pci_bar_init(&c->pci, BAR_MEM,
                 &(struct pci_bar){"card-mem", PCI_BAR_MEM, MEM_SIZE,
                                   &card_ops, card_moved});
    pci_bar_init(&c->pci, BAR_IO,
                 &(struct pci_bar){"card-io", PCI_BAR_IO, IO_SIZE, &card_ops,
                                   NULL});
    pci_bar_init(&c->pci, PCI_BAR_ROM_INDEX,
                 &(struct pci_bar){"card-rom", PCI_BAR_ROM, 0x10000,
                                   &card_ops, NULL});
    c->pci.config_written = card_written;
}

/* A board with one card in slot 3. */
struct setup {
    struct board board;
    struct card card;
};

static void setup_init(struct setup *s)
{
    board_init(&s->board);
    card_init(&s->card);
    ck_assert(pci_attach(&s->board.bus, &s->card.pci, SLOT, 0));
}

static uint32_t get(struct setup *s, unsigned reg, unsigned size)
{
    return config_read(&s->board, SLOT, 0, reg, size);
}

static void set(struct setup *s, unsigned reg, uint32_t value, unsigned size)
{
    config_write(&s->board, SLOT, 0, reg, value, size);
}

static bool answers_in_memory(struct setup *s, uint64_t pa)
{
    return physmem_read(&s->board.pm, pa, 1) == 0xca;
}

static bool answers_at_port(struct setup *s, uint16_t port)
{
    return space_read(&s->board.io, port, 1) == 0xca;
}

START_TEST(header_reads_at_every_size)
{
    struct setup s;

    setup_init(&s);
    ck_assert_uint_eq(get(&s, PCI_VENDOR, 4), 0x56781234);
    ck_assert_uint_eq(get(&s, PCI_DEVICE, 2), 0x5678);
    ck_assert_uint_eq(get(&s, 1, 1), 0x12);
    ck_assert_uint_eq(get(&s, PCI_REVISION, 4), 0x02000007);
    ck_assert_uint_eq(get(&s, PCI_SUBSYSTEM, 4), 0x11001af4);
    ck_assert_uint_eq(get(&s, PCI_IRQ_PIN, 1), 1);
    board_destroy(&s.board);
}
END_TEST

START_TEST(absent_function_reads_all_ones)
{
    struct setup s;

    setup_init(&s);
    ck_assert_uint_eq(config_read(&s.board, SLOT, 1, 0, 4), 0xffffffff);
    ck_assert_uint_eq(config_read(&s.board, 9, 0, 0, 2), 0xffff);
    config_write(&s.board, 9, 0, 4, 7, 2);

    /* Another bus; the enable bit missing. */
    space_write(&s.board.io, 0xcf8, 0x80010000u | SLOT << 11, 4);
    ck_assert_uint_eq(space_read(&s.board.io, 0xcfc, 4), 0xffffffff);
    space_write(&s.board.io, 0xcf8, SLOT << 11, 4);
    ck_assert_uint_eq(space_read(&s.board.io, 0xcfc, 4), 0xffffffff);
    board_destroy(&s.board);
}
END_TEST

START_TEST(address_latches_only_as_dword)
{
    struct setup s;

    setup_init(&s);
    space_write(&s.board.io, 0xcf8, 0xffffffff, 4);
    ck_assert_uint_eq(space_read(&s.board.io, 0xcf8, 4), 0x80fffffc);
    space_write(&s.board.io, 0xcf8, 0x11, 1);
    space_write(&s.board.io, 0xcf8, 0x2222, 2);
    space_write(&s.board.io, 0xcfa, 0x33, 1);
    ck_assert_uint_eq(space_read(&s.board.io, 0xcf8, 4), 0x80fffffc);
    ck_assert_uint_eq(space_read(&s.board.io, 0xcf8, 1), 0xff);
    board_destroy(&s.board);
}
END_TEST

START_TEST(reset_control_pulses_on_the_rising_bit)
{
    struct setup s;

    setup_init(&s);
    space_write(&s.board.io, 0xcf9, 0x02, 1);
    ck_assert_uint_eq(s.board.reset.rises, 0);
    space_write(&s.board.io, 0xcf9, 0x06, 1);
    ck_assert_uint_eq(s.board.reset.rises, 1);
    space_write(&s.board.io, 0xcf9, 0x06, 1);
    ck_assert_uint_eq(s.board.reset.rises, 1);
    ck_assert_uint_eq(space_read(&s.board.io, 0xcf9, 1), 0x06);

    space_write(&s.board.io, 0xcf9, 0x00, 1);
    space_write(&s.board.io, 0xcf9, 0x04, 1);
    ck_assert_uint_eq(s.board.init.rises, 1);
    ck_assert_uint_eq(s.board.reset.rises, 1);
    ck_assert(!s.board.init.level && !s.board.reset.level);
    board_destroy(&s.board);
}
END_TEST

START_TEST(writes_touch_only_writable_bits)
{
    struct setup s;

    setup_init(&s);
    set(&s, PCI_VENDOR, 0, 4);
    set(&s, PCI_COMMAND, 0xffff, 2);
    set(&s, PCI_IRQ_LINE, 0xffff, 2);
    ck_assert_uint_eq(get(&s, PCI_VENDOR, 4), 0x56781234);
    ck_assert_uint_eq(get(&s, PCI_COMMAND, 2), 0x0547);
    ck_assert_uint_eq(get(&s, PCI_IRQ_LINE, 2), 0x01ff);
    ck_assert_uint_eq(s.card.writes_seen, 3);
    board_destroy(&s.board);
}
END_TEST

START_TEST(status_bits_clear_by_writing_one)
{
    struct setup s;

    setup_init(&s);
    pci_set(&s.card.pci, PCI_STATUS, 0xa200, 2);
    set(&s, PCI_STATUS, 0x2000, 2);
    ck_assert_uint_eq(get(&s, PCI_STATUS, 2), 0x8200);
    board_destroy(&s.board);
}
END_TEST

START_TEST(bars_tell_their_size)
{
    struct setup s;

    setup_init(&s);
    for (unsigned reg = PCI_BAR0; reg < PCI_BAR0 + 24; reg += 4)
        set(&s, reg, 0xffffffff, 4);
    set(&s, PCI_ROM, 0xfffffffe, 4);
    ck_assert_uint_eq(get(&s, PCI_BAR0, 4), 0xffffe000);
    ck_assert_uint_eq(get(&s, PCI_BAR0 + 4, 4), 0xffffffe1);
    ck_assert_uint_eq(get(&s, PCI_BAR0 + 8, 4), 0);
    ck_assert_uint_eq(get(&s, PCI_ROM, 4), 0xffff0000);
    board_destroy(&s.board);
}
END_TEST

START_TEST(memory_bar_follows_the_guest)
{
    struct setup s;

    setup_init(&s);
    set(&s, PCI_BAR0, 0x50000000, 4);
    ck_assert(!answers_in_memory(&s, 0x50000000));
    set(&s, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    ck_assert(answers_in_memory(&s, 0x50001234));
    ck_assert_uint_eq(s.card.last_offset, 0x1234);
    ck_assert_uint_eq(s.card.moved_to, 0x50000000);

    set(&s, PCI_BAR0 + 3, 0x60, 1);
    ck_assert(!answers_in_memory(&s, 0x50000000));
    ck_assert(answers_in_memory(&s, 0x60000000));

    set(&s, PCI_COMMAND, 0, 2);
    ck_assert(!answers_in_memory(&s, 0x60000000));
    ck_assert(s.card.moved_to == PCI_NOWHERE);
    board_destroy(&s.board);
}
END_TEST

START_TEST(io_bar_follows_the_guest)
{
    struct setup s;

    setup_init(&s);
    set(&s, PCI_COMMAND, PCI_COMMAND_IO, 2);
    ck_assert(!answers_at_port(&s, 0));
    set(&s, PCI_BAR0 + 4, 0xc021, 4);
    ck_assert(answers_at_port(&s, 0xc03f));
    ck_assert_uint_eq(s.card.last_offset, 0x1f);
    set(&s, PCI_BAR0 + 4, 0x1c021, 4);
    ck_assert(!answers_at_port(&s, 0xc021));
    board_destroy(&s.board);
}
END_TEST

START_TEST(rom_needs_both_enables)
{
    struct setup s;

    setup_init(&s);
    set(&s, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    set(&s, PCI_ROM, 0x70000000, 4);
    ck_assert(!answers_in_memory(&s, 0x70000000));
    set(&s, PCI_ROM, 0x70000001, 4);
    ck_assert(answers_in_memory(&s, 0x7000ffff));
    set(&s, PCI_COMMAND, 0, 2);
    ck_assert(!answers_in_memory(&s, 0x70000000));
    board_destroy(&s.board);
}
END_TEST

START_TEST(bar_outside_the_hole_is_not_there)
{
    struct setup s;
    const uint32_t outside[] = {0, 0x100000, BOARD_HOLE - MEM_SIZE,
                                BOARD_HOLE_END, 0xffffe000};

    setup_init(&s);
    set(&s, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        set(&s, PCI_BAR0, outside[i], 4);
        ck_assert_uint_eq(s.board.pm.windows.count, 0);
    }
    set(&s, PCI_BAR0, BOARD_HOLE_END - MEM_SIZE, 4);
    ck_assert_uint_eq(s.board.pm.windows.count, 1);
    board_destroy(&s.board);
}
END_TEST

START_TEST(blocked_bar_appears_when_its_place_is_free)
{
    struct setup s;
    struct card other;

    setup_init(&s);
    card_init(&other);
    ck_assert(pci_attach(&s.board.bus, &other.pci, 4, 0));
    set(&s, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    config_write(&s.board, 4, 0, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    set(&s, PCI_BAR0, 0x50000000, 4);
    config_write(&s.board, 4, 0, PCI_BAR0, 0x50000000, 4);
    ck_assert(other.moved_to == 1);

    set(&s, PCI_BAR0, 0x60000000, 4);
    ck_assert_uint_eq(other.moved_to, 0x50000000);
    ck_assert(answers_in_memory(&s, 0x50000000));
    ck_assert(answers_in_memory(&s, 0x60000000));
    board_destroy(&s.board);
}
END_TEST

START_TEST(places_on_the_bus_are_limited)
{
    struct setup s;
    struct card cards[PCI_MAX_FUNCTIONS];

    setup_init(&s);
    for (unsigned i = 0; i < PCI_MAX_FUNCTIONS; i++)
        card_init(&cards[i]);
    ck_assert(!pci_attach(&s.board.bus, &cards[0].pci, SLOT, 0));
    ck_assert(!pci_attach(&s.board.bus, &cards[0].pci, 32, 0));
    ck_assert(!pci_attach(&s.board.bus, &cards[0].pci, 1, 8));
    for (unsigned i = 0; i < PCI_MAX_FUNCTIONS - 1; i++)
        ck_assert(pci_attach(&s.board.bus, &cards[i].pci, 8 + i / 8, i % 8));
    ck_assert(!pci_attach(&s.board.bus,
                          &cards[PCI_MAX_FUNCTIONS - 1].pci, 20, 0));
    board_destroy(&s.board);
}
END_TEST

START_TEST(function_0_announces_the_others)
{
    struct setup s;
    struct card second;

    setup_init(&s);
    card_init(&second);
    ck_assert_uint_eq(get(&s, PCI_HEADER, 1), 0);
    ck_assert(pci_attach(&s.board.bus, &second.pci, SLOT, 2));
    ck_assert_uint_eq(get(&s, PCI_HEADER, 1), 0x80);
    ck_assert_uint_eq(config_read(&s.board, SLOT, 2, PCI_HEADER, 1), 0);
    device_reset(&s.card);
    ck_assert_uint_eq(get(&s, PCI_HEADER, 1), 0x80);
    board_destroy(&s.board);
}
END_TEST

/* INTA# of slots 3 and 7 is PIRQ (slot - 1) mod 4 = C: a wired OR. */
START_TEST(functions_share_a_pirq)
{
    struct setup s;
    struct card other;

    setup_init(&s);
    card_init(&other);
    ck_assert(pci_attach(&s.board.bus, &other.pci, 7, 0));
    pci_intx(&s.card.pci, true);
    pci_intx(&other.pci, true);
    ck_assert(s.board.pirq[2].level);
    ck_assert(get(&s, PCI_STATUS, 2) & PCI_STATUS_INTX);
    pci_intx(&s.card.pci, false);
    ck_assert(s.board.pirq[2].level);
    pci_intx(&other.pci, false);
    ck_assert(!s.board.pirq[2].level);
    ck_assert_uint_eq(s.board.pirq[2].rises, 1);
    ck_assert_uint_eq(s.board.pirq[0].rises + s.board.pirq[1].rises +
                          s.board.pirq[3].rises,
                      0);
    board_destroy(&s.board);
}
END_TEST

START_TEST(intx_disable_silences_the_pin)
{
    struct setup s;

    setup_init(&s);
    pci_intx(&s.card.pci, true);
    set(&s, PCI_COMMAND, PCI_COMMAND_NO_INTX, 2);
    ck_assert(!s.board.pirq[2].level);
    ck_assert(get(&s, PCI_STATUS, 2) & PCI_STATUS_INTX);
    set(&s, PCI_COMMAND, 0, 2);
    ck_assert(s.board.pirq[2].level);
    device_reset(&s.card);
    ck_assert(!s.board.pirq[2].level);
    board_destroy(&s.board);
}
END_TEST

START_TEST(reset_takes_bars_away)
{
    struct setup s;

    setup_init(&s);
    set(&s, PCI_BAR0, 0x50000000, 4);
    set(&s, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    ck_assert(pci_is_master(&s.card.pci));
    device_reset(&s.card);
    ck_assert(!answers_in_memory(&s, 0x50000000));
    ck_assert_uint_eq(get(&s, PCI_BAR0, 4), 0);
    ck_assert(!pci_is_master(&s.card.pci));
    board_destroy(&s.board);
}
END_TEST

START_TEST(loaded_state_maps_like_a_written_one)
{
    struct setup from, to;

    setup_init(&from);
    setup_init(&to);
    set(&from, PCI_BAR0, 0x50000000, 4);
    set(&from, PCI_BAR0 + 4, 0xc020, 4);
    set(&from, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
    pci_intx(&from.card.pci, true);
    set(&to, PCI_BAR0, 0x60000000, 4);
    set(&to, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);

    carry_state(&from.card, &to.card);
    carry_state(&from.board.bus, &to.board.bus);
    ck_assert(answers_in_memory(&to, 0x50000000));
    ck_assert(!answers_in_memory(&to, 0x60000000));
    ck_assert(answers_at_port(&to, 0xc020));
    ck_assert(to.board.pirq[2].level);
    board_destroy(&from.board);
    board_destroy(&to.board);
}
END_TEST

START_TEST(garbage_state_changes_no_identity)
{
    struct setup s;

    setup_init(&s);
    load_garbage(&s.card, 0xff);
    ck_assert_uint_eq(get(&s, PCI_VENDOR, 4), 0x56781234);
    ck_assert_uint_eq(get(&s, PCI_BAR0 + 8, 4), 0);
    ck_assert_uint_eq(get(&s, PCI_IRQ_PIN, 1), 1);
    load_garbage(&s.card, 0);
    ck_assert_uint_eq(get(&s, PCI_VENDOR, 4), 0x56781234);
    board_destroy(&s.board);
}
END_TEST

/* 200,000 random port accesses: nothing breaks, and what is mapped stays
 * inside hole and ports. */
START_TEST(random_accesses_do_no_harm)
{
    struct setup s;
    uint64_t x = 88172645463325252u;

    setup_init(&s);
    for (unsigned i = 0; i < 200000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;

        uint16_t port = (uint16_t)(0xcf6 + (x & 15));
        unsigned size = 1u << (x >> 4 & 3);
        uint32_t value = (uint32_t)(x >> 32);

        if (port == 0xcf8 && size == 4)
            value = 0x80000000u | SLOT << 11 | (value & 0xfc);
        if (x >> 6 & 1)
            space_read(&s.board.io, port, size);
        else
            space_write(&s.board.io, port, value, size);
    }
    ck_assert_uint_le(s.board.pm.windows.count, 2);
    ck_assert_uint_le(s.board.io.count, 2);
    board_destroy(&s.board);
}
END_TEST

SUITE("pci", header_reads_at_every_size, absent_function_reads_all_ones,
      address_latches_only_as_dword, reset_control_pulses_on_the_rising_bit,
      writes_touch_only_writable_bits, status_bits_clear_by_writing_one,
      bars_tell_their_size, memory_bar_follows_the_guest,
      io_bar_follows_the_guest, rom_needs_both_enables,
      bar_outside_the_hole_is_not_there,
      blocked_bar_appears_when_its_place_is_free,
      places_on_the_bus_are_limited, function_0_announces_the_others,
      functions_share_a_pirq, intx_disable_silences_the_pin,
      reset_takes_bars_away, loaded_state_maps_like_a_written_one,
      garbage_state_changes_no_identity, random_accesses_do_no_harm)
