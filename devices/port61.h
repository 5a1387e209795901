#ifndef DEVICES_PORT61_H
#define DEVICES_PORT61_H

/*
 * System control port B of the AT, port 61.  IBM AT Technical Reference,
 * "System board I/O"; PIIX3 data sheet (290550), NMI status and control.
 *
 *   bit 0  rw  gate of timer counter 2
 *       1  rw  speaker on
 *       2  rw  parity errors do not make NMI
 *       3  rw  channel check does not make NMI
 *       4  r   refresh: changes every 18 timer ticks (15.085 us)
 *       5  r   output of timer counter 2
 *       6  r   channel check, always 0
 *       7  r   parity error, always 0
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "devices/device.h"
#include "devices/line.h"
#include "devices/sense.h"
#include "mem/space.h"

struct port61 {
    struct device dev;
    struct clock *clk;
    struct line gate2;
    struct sense out2;
    uint8_t control; /* bits 3-0 */
};

/* Drives gate2 low at once: the timer must have been made before. */
void port61_init(struct port61 *p, struct space *io, uint16_t base,
                 struct clock *clk, struct line gate2, struct sense out2);

/* Bit 1: the speaker follows the timer's counter 2. */
bool port61_speaker_on(const struct port61 *p);

#endif
