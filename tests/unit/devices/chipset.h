#ifndef TESTS_UNIT_DEVICES_CHIPSET_H
#define TESTS_UNIT_DEVICES_CHIPSET_H

/*
 * What the tests of chipset and APICs share: a line that remembers, a board
 * with ports and memory, configuration cycles through the ports, and a saved
 * state carried from one device to another.
 */

#include <stdlib.h>

#include "base/state.h"
#include "devices/device.h"
#include "devices/line.h"
#include "devices/pci.h"
#include "mem/physmem.h"
#include "mem/space.h"
#include "tests/unit/suite.h"

/* The far end of a line. */
struct wire {
    bool level;
    unsigned rises;
};

static inline void wire_set(void *owner, unsigned pin, bool level)
{
    struct wire *w = (struct wire *)owner + pin;

    w->rises += level && !w->level;
    w->level = level;
}

static inline struct line wire_line(struct wire *w)
{
    return (struct line){wire_set, w, 0};
}

enum { BOARD_RAM = 1 << 20, BOARD_HOLE = 0x40000000 };
#define BOARD_HOLE_END 0xfec00000u

/* Ports, memory and a PCI bus. */
struct board {
    struct space io;
    struct physmem pm;
    struct pci bus;
    struct wire pirq[PCI_PIRQS];
    struct wire reset, init;
};

static inline void board_init(struct board *b)
{
    *b = (struct board){.reset = {false, 0}};
    space_init(&b->io, "io", 1 << 16);
    ck_assert(physmem_init(&b->pm, BOARD_RAM));

    struct pci_wiring w = {
        .io = &b->io,
        .pm = &b->pm,
        .hole_start = BOARD_HOLE,
        .hole_end = BOARD_HOLE_END,
        .reset = wire_line(&b->reset),
        .init = wire_line(&b->init),
    };

    for (unsigned i = 0; i < PCI_PIRQS; i++)
        w.pirq[i] = (struct line){wire_set, b->pirq, i};
    ck_assert(pci_init(&b->bus, &w));
}

static inline void board_destroy(struct board *b)
{
    physmem_destroy(&b->pm);
}

/* Selects a register of slot.function and returns the port to use. */
static inline uint16_t config_select(const struct board *b, unsigned slot,
                                     unsigned function, unsigned reg)
{
    uint32_t address =
        0x80000000u | slot << 11 | function << 8 | (reg & 0xfc);

    space_write(&b->io, 0xcf8, address, 4);
    return (uint16_t)(0xcfc + (reg & 3));
}

static inline uint32_t config_read(const struct board *b, unsigned slot,
                                   unsigned function, unsigned reg,
                                   unsigned size)
{
    uint16_t port = config_select(b, slot, function, reg);

    return (uint32_t)space_read(&b->io, port, size);
}

static inline void config_write(const struct board *b, unsigned slot,
                                unsigned function, unsigned reg,
                                uint32_t value, unsigned size)
{
    uint16_t port = config_select(b, slot, function, reg);

    space_write(&b->io, port, value, size);
}

/* Saves `from` and loads it into `to`, a device of the same class. */
static inline void carry_state(void *from, void *to)
{
    const struct device_class *cls = ((struct device *)from)->cls;
    size_t size = state_size(cls->state);
    uint8_t *saved = malloc(size);

    ck_assert_ptr_nonnull(saved);
    state_save(cls->state, from, saved);
    ck_assert(state_load(cls->state, to, saved, size));
    if (cls->after_load)
        cls->after_load(to);
    ck_assert_ptr_null(state_compare(cls->state, from, to));
    free(saved);
}

/* Loads a state whose bytes are all `byte`: it must be made harmless. */
static inline void load_garbage(void *dev, uint8_t byte)
{
    const struct device_class *cls = ((struct device *)dev)->cls;
    size_t size = state_size(cls->state);
    uint8_t *saved = malloc(size);

    ck_assert_ptr_nonnull(saved);
    for (size_t i = 0; i < size; i++)
        saved[i] = byte;
    ck_assert(state_load(cls->state, dev, saved, size));
    if (cls->after_load)
        cls->after_load(dev);
    free(saved);
}

#endif
