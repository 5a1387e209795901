#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H

/*
 * PCI bus 0, its functions, and the host bridge's configuration ports (PCI
 * Local Bus Specification 2.3, configuration mechanism #1; PIIX3 data sheet
 * 290550 for the reset control register).
 *
 * Ports, 8 from 0xcf8:
 *   0xcf8  CONFADD   32-bit accesses only; any other size reads ones and does
 *                    not latch
 *          31 enable, 23:16 bus, 15:11 device, 10:8 function, 7:2 register
 *   0xcf9  RC        8-bit accesses: reset control
 *          bit 1 SRST  1 hard reset, 0 soft reset (INIT)
 *          bit 2 RCPU  0 to 1: reset now
 *   0xcfc  CONFDATA  8, 16 or 32 bits
 * A bus other than 0, and a function that is not there, reads all ones.
 *
 * A device that is a PCI function embeds a struct pci_device.  In its own
 * x_init it calls pci_device_init, describes configuration space with
 * pci_preset and pci_writable, its BARs with pci_bar_init, and attaches; in
 * its reset pci_device_reset; in its after_load pci_device_loaded; and its
 * field table has PCI_FIELDS.  Nothing else: decoding, sizing and moving of
 * BARs is done here.
 *
 * BARs.  A BAR answers while its decode bit in the command register is set
 * (and, for the ROM, its own enable bit) and its range lies in the I/O space
 * or within the board's PCI hole.  Elsewhere the host bridge claims the
 * address first, so the BAR is simply not there; the same if another window
 * has the place.  Address 0 counts as not programmed.
 *
 * INTx.  Function pin INTA..INTD of slot s reaches PIRQ (s - 1 + pin) mod 4,
 * pin 0 being INTA; a PIRQ is the OR of its functions.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/state.h"
#include "devices/device.h"
#include "devices/line.h"
#include "mem/physmem.h"
#include "mem/space.h"

enum {
    PCI_CONFIG_SIZE = 256,
    PCI_MAX_FUNCTIONS = 32, /* on the bus */
    PCI_PIRQS = 4,
    PCI_BARS = 7,           /* six and the expansion ROM */
    PCI_BAR_ROM_INDEX = 6,
};

/* Offsets in the configuration header (PCI 2.3, 6.1). */
enum {
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_CLASS = 0x09, /* interface, subclass, class */
    PCI_LATENCY = 0x0d,
    PCI_HEADER = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM = 0x2c,
    PCI_ROM = 0x30,
    PCI_IRQ_LINE = 0x3c,
    PCI_IRQ_PIN = 0x3d,
};

enum {
    PCI_COMMAND_IO = 1 << 0,
    PCI_COMMAND_MEMORY = 1 << 1,
    PCI_COMMAND_MASTER = 1 << 2,
    PCI_COMMAND_NO_INTX = 1 << 10,
    PCI_STATUS_INTX = 1 << 3,
};

enum pci_bar_kind {
    PCI_BAR_NONE,
    PCI_BAR_IO,
    PCI_BAR_MEM,
    PCI_BAR_MEM_PREFETCH,
    PCI_BAR_ROM,
};

/* BAR not decoded anywhere. */
#define PCI_NOWHERE UINT64_MAX

struct pci_bar {
    const char *name;
    enum pci_bar_kind kind;
    uint32_t size; /* power of two: I/O 4..256, memory 16 and up (a window
                      over part of a page makes the page MMIO), ROM 2048 and
                      up */
    /* What answers there; NULL if `moved` does it all. */
    const struct region_ops *ops;
    /* Called after the bus has (un)mapped the window: the base, or
     * PCI_NOWHERE.  May be NULL. */
    void (*moved)(void *owner, unsigned bar, uint64_t base);
};

/* One function. */
struct pci_device {
    struct pci *bus;
    void *owner; /* passed to ops, moved, config_written */
    uint8_t devfn;
    uint8_t config[PCI_CONFIG_SIZE];
    bool intx; /* level the function drives */
    /* After a write by the guest that touched [reg, reg+size).  May be NULL.*/
    void (*config_written)(void *owner, unsigned reg, unsigned size);

    uint8_t initial[PCI_CONFIG_SIZE];  /* config after reset */
    uint8_t writable[PCI_CONFIG_SIZE]; /* bits the guest can write */
    uint8_t clears[PCI_CONFIG_SIZE];   /* bits that writing 1 clears */
    struct pci_bar bars[PCI_BARS];
    uint64_t bar_at[PCI_BARS];         /* where each answers now */
};

/* The rows for an owner's field table. */
#define PCI_FIELDS(type, member)                                         \
    FIELD_ARRAY(type, member.config), FIELD(type, member.intx)

struct pci_ident {
    uint16_t vendor, device;
    uint32_t class_code;   /* 24 bits: class << 16 | subclass << 8 | prog-if */
    uint8_t revision;
    uint8_t interrupt_pin; /* 0 none, 1 INTA .. 4 INTD */
    uint16_t subsystem_vendor, subsystem;
};

/* Everything the bus is connected to. */
struct pci_wiring {
    struct space *io;
    struct physmem *pm;
    paddr hole_start, hole_end;   /* physical addresses that reach the bus */
    struct line pirq[PCI_PIRQS];  /* PIRQA..D, levels */
    /* Pulses, in the middle of a port write: hard reset, processor INIT. */
    struct line reset, init;
};

struct pci {
    struct device dev;
    struct pci_wiring w;
    struct pci_device *functions[PCI_MAX_FUNCTIONS];
    unsigned count;
    uint32_t address;      /* CONFADD */
    uint8_t reset_control; /* RC */
};

/* Maps ports 0xcf8..0xcff.  False if they are taken. */
bool pci_init(struct pci *bus, const struct pci_wiring *w);

/* Fills the header and the standard write masks: command bits for the BARs
 * that exist, bus master and INTx disable; cache line size and latency timer;
 * interrupt line; the error bits of status clear by writing 1. */
void pci_device_init(struct pci_device *pd, void *owner,
                     const struct pci_ident *ident);
/* Value after reset of `size` (1, 2, 4) bytes. */
void pci_preset(struct pci_device *pd, unsigned reg, uint32_t value,
                unsigned size);
/* Adds bits that the guest can write. */
void pci_writable(struct pci_device *pd, unsigned reg, uint32_t mask,
                  unsigned size);
/* Adds bits that the guest clears by writing 1. */
void pci_clears(struct pci_device *pd, unsigned reg, uint32_t mask,
                unsigned size);
/* Describes BAR n (PCI_BAR_ROM_INDEX: the ROM). */
void pci_bar_init(struct pci_device *pd, unsigned n,
                  const struct pci_bar *bar);
/* Puts the function on the bus, in its reset state.  False, changing nothing,
 * if the place is taken or the bus full.  Function 0 of a slot with several
 * says so in its header type. */
bool pci_attach(struct pci *bus, struct pci_device *pd, unsigned slot,
                unsigned function);

/* Configuration space back to its initial values; BARs gone; INTx low. */
void pci_device_reset(struct pci_device *pd);
/* After state_load: BARs to where config says, INTx driven. */
void pci_device_loaded(struct pci_device *pd);

/* Drives the function's interrupt pin; nothing if it has none. */
void pci_intx(struct pci_device *pd, bool level);

/* The function's own view of its registers. */
uint32_t pci_get(const struct pci_device *pd, unsigned reg, unsigned size);
void pci_set(struct pci_device *pd, unsigned reg, uint32_t value,
             unsigned size);
/* May the function do DMA? */
static inline bool pci_is_master(const struct pci_device *pd)
{
    return pd->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

/* A guest's access, and the board's own (a machine without firmware programs
 * BARs this way): masks and callbacks apply.  [reg, reg+size) in one dword. */
uint32_t pci_config_read(const struct pci_device *pd, unsigned reg,
                         unsigned size);
void pci_config_write(struct pci_device *pd, unsigned reg, uint32_t value,
                      unsigned size);

#endif
