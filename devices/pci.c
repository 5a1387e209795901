/*
 * PCI bus 0.  Whatever the guest writes, the windows in w.io and w.pm follow
 * from configuration space alone: after each write that can matter, all BARs
 * on the bus are compared with where they should be (bar_target), first all
 * departures, then all arrivals.  So a BAR that found its place taken appears
 * as soon as the other one leaves, and a loaded state maps like a written one.
 */
#include "devices/pci.h"

#include <assert.h>
#include <string.h>

#include "base/bits.h"
#include "base/log.h"

enum {
    PORT_BASE = 0xcf8,
    PORT_COUNT = 8,
    CONFADD = 0,
    RC = 1,
    CONFDATA = 4,
    RC_SRST = 1 << 1,
    RC_RCPU = 1 << 2,
};

#define CONFADD_ENABLE 0x80000000u
#define CONFADD_BUS 0x00ff0000u
#define CONFADD_KEPT 0x80fffffcu
#define ALL_ONES 0xffffffffu

enum { BAR_IO_FLAG = 1, BAR_PREFETCH_FLAG = 8, ROM_ENABLE = 1 };

/* Bytes of configuration space. */

uint32_t pci_get(const struct pci_device *pd, unsigned reg, unsigned size)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < size; i++)
        v |= (uint32_t)pd->config[(reg + i) % PCI_CONFIG_SIZE] << (8 * i);
    return v;
}

static void put(uint8_t *space, unsigned reg, uint32_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        space[(reg + i) % PCI_CONFIG_SIZE] = (uint8_t)(value >> (8 * i));
}

static void add_bits(uint8_t *space, unsigned reg, uint32_t mask,
                     unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        space[(reg + i) % PCI_CONFIG_SIZE] |= (uint8_t)(mask >> (8 * i));
}

void pci_set(struct pci_device *pd, unsigned reg, uint32_t value,
             unsigned size)
{
    put(pd->config, reg, value, size);
}

void pci_preset(struct pci_device *pd, unsigned reg, uint32_t value,
                unsigned size)
{
    put(pd->initial, reg, value, size);
}

void pci_writable(struct pci_device *pd, unsigned reg, uint32_t mask,
                  unsigned size)
{
    add_bits(pd->writable, reg, mask, size);
}

void pci_clears(struct pci_device *pd, unsigned reg, uint32_t mask,
                unsigned size)
{
    add_bits(pd->clears, reg, mask, size);
}

/* BARs. */

static unsigned bar_register(unsigned n)
{
    return n == PCI_BAR_ROM_INDEX ? PCI_ROM : PCI_BAR0 + 4 * n;
}

static bool bar_decodes(const struct pci_device *pd, unsigned n)
{
    uint32_t command = pci_get(pd, PCI_COMMAND, 2);

    switch (pd->bars[n].kind) {
    case PCI_BAR_IO: return command & PCI_COMMAND_IO;
    case PCI_BAR_MEM:
    case PCI_BAR_MEM_PREFETCH: return command & PCI_COMMAND_MEMORY;
    case PCI_BAR_ROM:
        return command & PCI_COMMAND_MEMORY &&
               pd->config[PCI_ROM] & ROM_ENABLE;
    default: return false;
    }
}

/* Where the guest's registers put the BAR, PCI_NOWHERE if it is off or no
 * address there reaches the bus. */
static uint64_t bar_target(const struct pci_device *pd, unsigned n)
{
    const struct pci_bar *bar = &pd->bars[n];
    const struct pci_wiring *w = &pd->bus->w;

    if (!bar_decodes(pd, n))
        return PCI_NOWHERE;

    uint64_t base = bits_align_down(pci_get(pd, bar_register(n), 4), bar->size);
    uint64_t end = base + bar->size;

    if (!base)
        return PCI_NOWHERE;
    if (bar->kind == PCI_BAR_IO)
        return end <= w->io->size ? base : PCI_NOWHERE;
    return base >= w->hole_start && end <= w->hole_end ? base : PCI_NOWHERE;
}

static void bar_leave(struct pci_device *pd, unsigned n)
{
    const struct pci_bar *bar = &pd->bars[n];
    const struct pci_wiring *w = &pd->bus->w;

    if (bar->ops && bar->kind == PCI_BAR_IO)
        space_unmap(w->io, pd->bar_at[n], pd->owner);
    else if (bar->ops)
        physmem_unmap_window(w->pm, pd->bar_at[n], pd->owner);
    pd->bar_at[n] = PCI_NOWHERE;
    if (bar->moved)
        bar->moved(pd->owner, n, PCI_NOWHERE);
}

static bool bar_map(const struct pci_device *pd, unsigned n, uint64_t base)
{
    const struct pci_bar *bar = &pd->bars[n];
    const struct region r = {
        .name = bar->name,
        .base = base,
        .size = bar->size,
        .ops = bar->ops,
        .dev = pd->owner,
    };

    if (!bar->ops)
        return true;
    if (bar->kind == PCI_BAR_IO)
        return space_map(pd->bus->w.io, &r);
    return physmem_map_window(pd->bus->w.pm, &r);
}

static void bar_arrive(struct pci_device *pd, unsigned n, uint64_t base)
{
    const struct pci_bar *bar = &pd->bars[n];

    if (!bar_map(pd, n, base)) {
        log_guest("pci: BAR %s at 0x%llx lies on another window", bar->name,
                  (unsigned long long)base);
        return;
    }
    pd->bar_at[n] = base;
    if (bar->moved)
        bar->moved(pd->owner, n, base);
}

static void bus_decode(struct pci *bus)
{
    for (unsigned i = 0; i < bus->count; i++) {
        struct pci_device *pd = bus->functions[i];

        for (unsigned n = 0; n < PCI_BARS; n++)
            if (pd->bar_at[n] != PCI_NOWHERE &&
                pd->bar_at[n] != bar_target(pd, n))
                bar_leave(pd, n);
    }
    for (unsigned i = 0; i < bus->count; i++) {
        struct pci_device *pd = bus->functions[i];

        for (unsigned n = 0; n < PCI_BARS; n++) {
            uint64_t base = bar_target(pd, n);

            if (base != PCI_NOWHERE && pd->bar_at[n] == PCI_NOWHERE)
                bar_arrive(pd, n, base);
        }
    }
}

/* INTx. */

static unsigned pirq_of(const struct pci_device *pd)
{
    unsigned pin = pd->config[PCI_IRQ_PIN];

    unsigned slot = pd->devfn >> 3;

    return (slot + pin + PCI_PIRQS - 2) % PCI_PIRQS;
}

static bool drives_pirq(const struct pci_device *pd, unsigned pirq)
{
    return pd->intx && pirq_of(pd) == pirq &&
           !(pci_get(pd, PCI_COMMAND, 2) & PCI_COMMAND_NO_INTX);
}

static void drive_pirq(const struct pci_device *pd)
{
    const struct pci *bus = pd->bus;
    unsigned pirq = pirq_of(pd);
    bool level = false;

    if (!pd->config[PCI_IRQ_PIN])
        return;
    for (unsigned i = 0; i < bus->count; i++)
        level |= drives_pirq(bus->functions[i], pirq);
    line_set(&bus->w.pirq[pirq], level);
}

void pci_intx(struct pci_device *pd, bool level)
{
    if (!pd->config[PCI_IRQ_PIN])
        return;
    pd->intx = level;
    pd->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    if (level)
        pd->config[PCI_STATUS] |= PCI_STATUS_INTX;
    drive_pirq(pd);
}

/* Access by the guest. */

uint32_t pci_config_read(const struct pci_device *pd, unsigned reg,
                         unsigned size)
{
    return pci_get(pd, reg, size);
}

static bool touches(unsigned reg, unsigned size, unsigned first, unsigned last)
{
    return reg <= last && reg + size > first;
}

void pci_config_write(struct pci_device *pd, unsigned reg, uint32_t value,
                      unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        unsigned at = (reg + i) % PCI_CONFIG_SIZE;
        uint8_t v = (uint8_t)(value >> (8 * i));
        uint8_t mask = pd->writable[at];
        uint8_t kept = (uint8_t)(pd->config[at] & ~mask);

        pd->config[at] = (uint8_t)((kept | (v & mask)) & ~(v & pd->clears[at]));
    }
    if (touches(reg, size, PCI_COMMAND, PCI_COMMAND + 1) ||
        touches(reg, size, PCI_BAR0, PCI_BAR0 + 23) ||
        touches(reg, size, PCI_ROM, PCI_ROM + 3))
        bus_decode(pd->bus);
    if (touches(reg, size, PCI_COMMAND, PCI_COMMAND + 1))
        drive_pirq(pd);
    if (pd->config_written)
        pd->config_written(pd->owner, reg, size);
}

static struct pci_device *find(const struct pci *bus, unsigned devfn)
{
    for (unsigned i = 0; i < bus->count; i++)
        if (bus->functions[i]->devfn == devfn)
            return bus->functions[i];
    return NULL;
}

/* The function that CONFADD selects, or NULL. */
static struct pci_device *selected(const struct pci *bus)
{
    if (!(bus->address & CONFADD_ENABLE) || bus->address & CONFADD_BUS)
        return NULL;
    return find(bus, bits_get(bus->address, 8, 8) & 0xff);
}

static uint64_t port_read(void *dev, uint64_t offset, unsigned size)
{
    const struct pci *bus = dev;

    if (offset >= CONFDATA) {
        const struct pci_device *pd = selected(bus);
        unsigned reg = (bus->address & 0xfc) + (unsigned)(offset - CONFDATA);

        return pd ? pci_config_read(pd, reg, size) : ALL_ONES;
    }
    if (offset == CONFADD && size == 4)
        return bus->address;
    if (offset == RC && size == 1)
        return bus->reset_control;
    return ALL_ONES;
}

static void pulse(const struct line *l)
{
    line_set(l, true);
    line_set(l, false);
}

/* The board may reset this device before `pulse` returns, so nothing is
 * touched after it. */
static void write_reset_control(struct pci *bus, uint8_t value)
{
    bool starts = value & RC_RCPU && !(bus->reset_control & RC_RCPU);

    bus->reset_control = value & (RC_SRST | RC_RCPU);
    if (starts)
        pulse(value & RC_SRST ? &bus->w.reset : &bus->w.init);
}

static void port_write(void *dev, uint64_t offset, uint64_t value,
                       unsigned size)
{
    struct pci *bus = dev;

    if (offset >= CONFDATA) {
        struct pci_device *pd = selected(bus);
        unsigned reg = (bus->address & 0xfc) + (unsigned)(offset - CONFDATA);

        if (pd)
            pci_config_write(pd, reg, (uint32_t)value, size);
        return;
    }
    if (offset == CONFADD && size == 4)
        bus->address = (uint32_t)value & CONFADD_KEPT;
    else if (offset == RC && size == 1)
        write_reset_control(bus, (uint8_t)value);
}

/* Building a function. */

void pci_device_init(struct pci_device *pd, void *owner,
                     const struct pci_ident *ident)
{
    *pd = (struct pci_device){.owner = owner};
    for (unsigned n = 0; n < PCI_BARS; n++)
        pd->bar_at[n] = PCI_NOWHERE;
    pci_preset(pd, PCI_VENDOR, ident->vendor, 2);
    pci_preset(pd, PCI_DEVICE, ident->device, 2);
    pci_preset(pd, PCI_REVISION, ident->revision, 1);
    pci_preset(pd, PCI_CLASS, ident->class_code, 3);
    pci_preset(pd, PCI_SUBSYSTEM, ident->subsystem_vendor, 2);
    pci_preset(pd, PCI_SUBSYSTEM + 2, ident->subsystem, 2);
    pci_preset(pd, PCI_IRQ_PIN, ident->interrupt_pin, 1);

    /* Command: bus master, parity response, SERR#, INTx disable. */
    pci_writable(pd, PCI_COMMAND, 0x0544, 2);
    /* Status: the error bits 15:11 and 8. */
    pci_clears(pd, PCI_STATUS, 0xf900, 2);
    pci_writable(pd, 0x0c, 0xffff, 2); /* cache line size, latency timer */
    pci_writable(pd, PCI_IRQ_LINE, 0xff, 1);
}

static bool bar_is_sound(unsigned n, const struct pci_bar *bar)
{
    static const uint32_t least[] = {
        [PCI_BAR_IO] = 4,
        [PCI_BAR_MEM] = 16,
        [PCI_BAR_MEM_PREFETCH] = 16,
        [PCI_BAR_ROM] = 2048,
    };

    return n < PCI_BARS && bar->kind != PCI_BAR_NONE &&
           (bar->kind == PCI_BAR_ROM) == (n == PCI_BAR_ROM_INDEX) &&
           bits_is_pow2(bar->size) && bar->size >= least[bar->kind];
}

void pci_bar_init(struct pci_device *pd, unsigned n, const struct pci_bar *bar)
{
    unsigned reg = bar_register(n);

    assert(bar_is_sound(n, bar));
    pd->bars[n] = *bar;
    pci_writable(pd, reg, ~(bar->size - 1), 4);
    switch (bar->kind) {
    case PCI_BAR_IO:
        pci_preset(pd, reg, BAR_IO_FLAG, 4);
        pci_writable(pd, PCI_COMMAND, PCI_COMMAND_IO, 2);
        return;
    case PCI_BAR_MEM_PREFETCH:
        pci_preset(pd, reg, BAR_PREFETCH_FLAG, 4);
        break;
    case PCI_BAR_ROM:
        pci_writable(pd, reg, ROM_ENABLE, 4);
        break;
    default:
        break;
    }
    pci_writable(pd, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
}

/* PCI 2.3, 6.2.1: header type bit 7 of function 0 announces the others. */
static void mark_multifunction(struct pci *bus, unsigned slot)
{
    struct pci_device *first = find(bus, slot << 3);
    unsigned functions = 0;

    for (unsigned i = 0; i < bus->count; i++)
        functions += bus->functions[i]->devfn >> 3 == slot;
    if (!first || functions < 2)
        return;
    first->initial[PCI_HEADER] |= 0x80;
    first->config[PCI_HEADER] |= 0x80;
}

bool pci_attach(struct pci *bus, struct pci_device *pd, unsigned slot,
                unsigned function)
{
    if (slot >= 32 || function >= 8 || bus->count == PCI_MAX_FUNCTIONS)
        return false;
    if (find(bus, slot << 3 | function))
        return false;
    pd->bus = bus;
    pd->devfn = (uint8_t)(slot << 3 | function);
    bus->functions[bus->count++] = pd;
    mark_multifunction(bus, slot);
    pci_device_reset(pd);
    return true;
}

void pci_device_reset(struct pci_device *pd)
{
    memcpy(pd->config, pd->initial, PCI_CONFIG_SIZE);
    pd->intx = false;
    bus_decode(pd->bus);
    drive_pirq(pd);
}

/* A saved state is as untrusted as the guest: bits that no write could have
 * set come from this function's own description. */
void pci_device_loaded(struct pci_device *pd)
{
    for (unsigned i = 0; i < PCI_BAR0 + 4 * PCI_BAR_ROM_INDEX; i++) {
        uint8_t mask = pd->writable[i];

        if (i >= PCI_STATUS && i < PCI_STATUS + 2)
            continue;
        pd->config[i] = (uint8_t)((pd->config[i] & mask) |
                                  (pd->initial[i] & ~mask));
    }
    pd->config[PCI_IRQ_PIN] = pd->initial[PCI_IRQ_PIN];
    bus_decode(pd->bus);
    pci_intx(pd, pd->intx);
}

static void pci_reset(void *dev)
{
    struct pci *bus = dev;

    bus->address = 0;
    bus->reset_control = 0;
}

static const struct field pci_state[] = {
    FIELD(struct pci, address),
    FIELD(struct pci, reset_control),
    FIELD_END,
};

static const struct device_class pci_class = {
    .name = "pci",
    .reset = pci_reset,
    .state = pci_state,
};

static const struct region_ops port_ops = {
    .read = port_read,
    .write = port_write,
    .min_size = 1,
    .max_size = 4,
};

bool pci_init(struct pci *bus, const struct pci_wiring *w)
{
    const struct region ports = {
        .name = "pci-config",
        .base = PORT_BASE,
        .size = PORT_COUNT,
        .ops = &port_ops,
        .dev = bus,
    };

    *bus = (struct pci){.dev = {&pci_class, "pci"}, .w = *w};
    return space_map(bus->w.io, &ports);
}
