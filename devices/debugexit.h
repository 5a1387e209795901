#ifndef DEVICES_DEBUGEXIT_H
#define DEVICES_DEBUGEXIT_H

/*
 * isa-debug-exit: a port through which a test guest ends the run.
 *
 * A write of any size calls `exit` with the value; what becomes of it is the
 * machine's business.  Reads give 0.
 */

#include <stdbool.h>
#include <stdint.h>

#include "devices/device.h"
#include "mem/space.h"

struct debugexit {
    struct device dev;
    void (*exit)(void *owner, uint32_t value);
    void *owner;
};

/* Ports iobase .. iobase+iosize-1; false if one is taken or iosize is 0. */
bool debugexit_init(struct debugexit *d, struct space *io, uint16_t iobase,
                    uint16_t iosize, void (*exit)(void *owner, uint32_t value),
                    void *owner);

#endif
