#ifndef DEVICES_UART_H
#define DEVICES_UART_H

/*
 * 16550A serial port.  National Semiconductor PC16550D data sheet.
 *
 *   offset  read                   write                  with LCR.DLAB
 *   0       receive buffer         transmit holding       divisor, low byte
 *   1       interrupt enable       interrupt enable       divisor, high byte
 *   2       interrupt identity     FIFO control
 *   3       line control           line control
 *   4       modem control          modem control
 *   5       line status
 *   6       modem status
 *   7       scratch                scratch
 *
 * A byte is sent the moment it is written: the transmitter is always empty.
 * Receiving never overruns: what does not fit stays at the host until there is
 * room.  As on a PC, OUT2 opens the way from the interrupt to the bus.  While
 * a chardev is connected CTS, DSR and DCD are on.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/ring.h"
#include "devices/device.h"
#include "devices/host/chardev.h"
#include "devices/line.h"
#include "mem/space.h"

enum { UART_FIFO = 16, UART_HZ = 1843200 };

struct uart {
    struct device dev;
    struct clock *clk;
    struct line irq;
    struct chardev *host; /* NULL: nothing is connected */
    struct timer timeout; /* the receiver has been idle for 4 characters */
    struct ring rx;       /* never more than UART_FIFO bytes */
    uint16_t divisor;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scratch;
    bool thre_pending; /* transmitter empty, not yet read from the IIR */
    bool timeout_pending;
};

/* False if the ports are taken. */
bool uart_init(struct uart *u, const char *id, struct space *io, uint16_t base,
               struct clock *clk, struct line irq);

/* Plugs in the host's end; NULL unplugs. */
void uart_connect(struct uart *u, struct chardev *host);

#endif
