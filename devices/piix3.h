#ifndef DEVICES_PIIX3_H
#define DEVICES_PIIX3_H

/*
 * PIIX3 PCI-to-ISA bridge, 82371SB function 0 (data sheet 290550), 8086:7000.
 *
 * What it does here:
 *   60-63  PIRQRCA..D  bit 7 set: PIRQ not routed; else bits 3:0 are the ISA
 *                      IRQ, of which 0, 1, 2, 8 and 13 are reserved and route
 *                      nowhere
 * An ISA IRQ driven from here is the OR of the PIRQs routed to it and, on
 * IRQ 9, of the SCI, which the bridge forwards from the power management
 * function.  A line is set only when its level changes, so IRQs that nobody
 * routes here are left to their ISA device; an IRQ that has both is the last
 * one to speak, unless the board joins the two.
 *
 * ELCR (4d0, 4d1) belongs to the PIC, reset control (cf9) to the bus: pci.h.
 * Other registers are kept and read back.
 */

#include <stdbool.h>
#include <stdint.h>

#include "devices/device.h"
#include "devices/line.h"
#include "devices/pci.h"

enum {
    PIIX3_PIRQRC = 0x60,
    PIIX3_IRQS = 16,
    PIIX3_SCI_IRQ = 9,
};

/* Inputs, for piix3_line. */
enum piix3_pin {
    PIIX3_PIRQA,
    PIIX3_PIRQB,
    PIIX3_PIRQC,
    PIIX3_PIRQD,
    PIIX3_SCI,
    PIIX3_PINS,
};

struct piix3 {
    struct device dev;
    struct pci_device pci;
    struct line irq[PIIX3_IRQS];
    uint8_t pins;    /* level of each input, bit n */
    uint16_t driven; /* level of each output, bit n */
};

/* Attaches at slot.0.  irq: the ISA interrupt lines, copied.  False if the
 * place is taken. */
bool piix3_init(struct piix3 *px, struct pci *bus, unsigned slot,
                const struct line irq[PIIX3_IRQS]);

struct line piix3_line(struct piix3 *px, enum piix3_pin pin);

#endif
