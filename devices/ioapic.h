#ifndef DEVICES_IOAPIC_H
#define DEVICES_IOAPIC_H

/*
 * I/O APIC, Intel 82093AA (data sheet 290566): 24 input lines, each with a
 * redirection entry that says which message a line sends on the APIC bus.
 *
 * Window, IOAPIC_WINDOW bytes, 32-bit registers:
 *   0x00  IOREGSEL  index of the register seen in IOWIN (low 8 bits)
 *   0x10  IOWIN
 * Registers behind IOWIN:
 *   0x00  ID        bits 27:24, read/write
 *   0x01  VER       0x00170011: version 0x11, 24 entries; read only
 *   0x02  ARB       bits 27:24, a copy of ID; read only
 *   0x10 + 2n       redirection entry n, low half:
 *         7:0 vector, 10:8 delivery mode, 11 destination mode, 12 delivery
 *         status (read only: a message nobody has accepted yet), 13 polarity,
 *         14 remote IRR (read only), 15 trigger (1 level), 16 mask
 *   0x11 + 2n       high half: 31:24 destination
 * Version 0x11 has no EOI register: software clears a stuck remote IRR by
 * switching the entry to edge and back.
 *
 * A struct line carries "asserted", not volts, so polarity is kept and read
 * back but has no effect: an asserted line is active whatever the entry says.
 * Edges on a masked pin are lost, as the data sheet demands.
 *
 * A level-triggered message that nobody accepts does not set remote IRR; it is
 * tried again whenever the entry, the line or an EOI gives occasion.
 */

#include <stdbool.h>
#include <stdint.h>

#include "devices/apic.h"
#include "devices/device.h"
#include "devices/line.h"
#include "mem/physmem.h"

/* Where a PC has it. */
#define IOAPIC_BASE 0xfec00000u

enum {
    IOAPIC_WINDOW = PAGE_SIZE,
    IOAPIC_PINS = 24,
};

struct ioapic {
    struct device dev;
    bool (*deliver)(void *owner, const struct apic_msg *msg);
    void *owner;
    uint8_t select;              /* IOREGSEL */
    uint8_t id;                  /* 4 bits */
    uint32_t lines;              /* level of each pin */
    uint64_t redir[IOAPIC_PINS]; /* redirection table */
};

/*
 * Maps the window at base in pm, and sends messages through deliver(owner,
 * msg), usually apic_bus_deliver and the bus.  The board also passes
 * ioapic_eoi and the ioapic to apic_bus_on_eoi.  False if the window does not
 * fit.
 */
bool ioapic_init(struct ioapic *io, struct physmem *pm, paddr base,
                 bool (*deliver)(void *owner, const struct apic_msg *msg),
                 void *owner);

/* The input of pin 0..23; a higher pin gives an unconnected line. */
struct line ioapic_line(struct ioapic *io, unsigned pin);

/* Some local APIC finished a level-triggered vector: clears the remote IRR of
 * the entries that sent it, and sends again what is still asserted. */
void ioapic_eoi(void *ioapic, uint8_t vector);

#endif
