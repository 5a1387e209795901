#ifndef DEVICES_DEBUGCON_H
#define DEVICES_DEBUGCON_H

/*
 * isa-debugcon: a port that prints.  Bytes written go to the host; reads give
 * DEBUGCON_READBACK, by which firmware detects it.  Usually at 0xe9 or 0x402.
 */

#include <stdbool.h>
#include <stdint.h>

#include "devices/device.h"
#include "devices/host/chardev.h"
#include "mem/space.h"

enum { DEBUGCON_READBACK = 0xe9 };

struct debugcon {
    struct device dev;
    struct chardev *host;
};

/* False if the port is taken.  host may be NULL. */
bool debugcon_init(struct debugcon *d, struct space *io, uint16_t iobase,
                   struct chardev *host);

#endif
