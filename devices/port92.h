#ifndef DEVICES_PORT92_H
#define DEVICES_PORT92_H

/*
 * System control port A of the PS/2, port 92.  PIIX3 data sheet (290550),
 * "Port 92 register".
 *
 *   bit 0  rw  fast reset: a change from 0 to 1 resets the CPU
 *       1  rw  A20 passes; ored with the keyboard controller's by the board
 *     7-2  r   0
 */

#include <stdint.h>

#include "devices/device.h"
#include "devices/line.h"
#include "mem/space.h"

struct port92 {
    struct device dev;
    struct line a20, reset; /* each rise of reset asks for a CPU reset */
    uint8_t value;
};

void port92_init(struct port92 *p, struct space *io, uint16_t base,
                 struct line a20, struct line reset);

#endif
