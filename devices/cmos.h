#ifndef DEVICES_CMOS_H
#define DEVICES_CMOS_H

/*
 * MC146818 real-time clock with 128 bytes of battery-backed RAM.
 * Motorola MC146818A data sheet; IBM AT Technical Reference for the port.
 *
 *   offset 0  write: index in bits 6-0, NMI mask in bit 7
 *          1  read or write the byte at that index
 *
 *   00 seconds  01 alarm  02 minutes  03 alarm  04 hours  05 alarm
 *   06 day of week (1 Sunday)  07 day of month  08 month  09 year
 *   0a-0d registers A-D        32 century       others: RAM
 *
 * Time is the clock plus a base that the guest moves by writing the time
 * registers.  Reset clears the interrupt enables and flags only: time and RAM
 * are on the battery.  Daylight saving is not applied.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "devices/device.h"
#include "devices/line.h"
#include "mem/space.h"

enum {
    CMOS_SIZE = 128,
    CMOS_CENTURY = 0x32,
};

struct cmos {
    struct device dev;
    struct clock *clk;
    struct line irq;        /* IRQ 8, high while any enabled flag is set */
    uint8_t ram[CMOS_SIZE]; /* time registers hold the time only while SET */
    uint8_t index;
    bool nmi_masked;
    int64_t seconds;       /* since 1970-01-01, at clock time `origin` */
    vtime origin;          /* a second of the divider chain began here */
    int64_t updated;       /* the second of the last update cycle */
    uint8_t weekday_shift; /* what the guest set less what the date says */
    vtime pf_due;          /* when flag PF is set next */
    struct timer update;   /* end of the next update cycle */
    struct timer periodic; /* next periodic interrupt, if enabled */
};

/* seconds since 1970-01-01 00:00, in the guest's time zone, now. */
void cmos_init(struct cmos *c, struct space *io, uint16_t base,
               struct clock *clk, struct line irq, int64_t seconds);

/* The board's configuration bytes; index 0x0e-0x7f except CMOS_CENTURY. */
void cmos_set(struct cmos *c, unsigned index, uint8_t value);
uint8_t cmos_get(const struct cmos *c, unsigned index);

/* Bit 7 of the index port: true while NMI must not reach the CPU. */
bool cmos_nmi_masked(const struct cmos *c);

#endif
