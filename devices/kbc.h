#ifndef DEVICES_KBC_H
#define DEVICES_KBC_H

/*
 * 8042 keyboard controller of the PS/2 type, with an auxiliary port.
 * IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary
 * Device Controller".
 *
 *   data port     read: output buffer; write: byte for the keyboard, or the
 *                 parameter of a command
 *   command port  read: status; write: command
 *
 * Answers of the controller itself are there at once.  A byte from a device
 * takes KBC_BYTE_NS to arrive after the output buffer was emptied, because
 * interrupt handlers that chain read the same byte twice.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/ring.h"
#include "devices/device.h"
#include "devices/line.h"
#include "devices/ps2.h"
#include "mem/space.h"

enum { KBC_BYTE_NS = 500000, KBC_RAM = 32 };

/* The controller's pins.  `a20` carries output port bit 1.  `reset` is high
 * when bit 0 is low: a pulse, each rise asks for a CPU reset. */
struct kbc_wires {
    struct line irq_kbd, irq_aux, a20, reset;
    struct ps2_port *kbd, *aux; /* what is plugged in, or NULL */
};

struct kbc {
    struct device dev;
    struct clock *clk;
    struct kbc_wires wires;
    struct timer arrival; /* the next byte of a device is there */
    struct ring answers;  /* of the controller, waiting for the buffer */
    uint8_t ram[KBC_RAM]; /* byte 0 is the command byte */
    uint8_t status, data; /* status and output buffer */
    uint8_t command;      /* command that waits for its parameter, or 0 */
    uint8_t outport;      /* output port bits 1-0: A20 and not-reset */
    bool break_prefix;    /* F0 came before, while translating */
};

/* Ports `data` and `command`, usually 0x60 and 0x64.  The devices in `wires`
 * must have been made before. */
void kbc_init(struct kbc *k, struct space *io, uint16_t data, uint16_t command,
              struct clock *clk, const struct kbc_wires *wires);

#endif
