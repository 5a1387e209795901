#ifndef DEVICES_PIT_H
#define DEVICES_PIT_H

/*
 * 8254 programmable interval timer: three 16-bit counters at 1.193182 MHz.
 * Intel 8254 data sheet (231164).
 *
 *   offset 0-2  counter 0-2: write a count, read count or latched status
 *          3    write a control word, counter latch or read-back command
 *
 * A counter holds the tick at which it was loaded, never a running count: what
 * it reads and drives is computed from the clock, so nothing drifts.  Counts
 * are loaded one tick after they are written, as in the chip.
 *
 * out0 carries the rising edges of counter 0's output; in the periodic modes it
 * falls only just before it rises again.  Edges closer than PIT_MIN_TICKS, and
 * edges that are due while the machine does not run, become one.
 *
 * The gates of counters 0 and 1 are tied high.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "devices/device.h"
#include "devices/line.h"
#include "devices/sense.h"
#include "mem/space.h"

enum {
    PIT_HZ = 1193182,
    PIT_COUNTERS = 3,
    PIT_MIN_TICKS = 12, /* about 10 us between two edges of out0 */
};

struct pit_counter {
    uint64_t start;     /* tick at which the counting element was loaded */
    uint64_t elapsed;   /* ticks it had run before that */
    uint64_t switch_at; /* tick at which `reload` replaces `period`, or never */
    uint32_t period;    /* ticks, 1-65536: the count being used */
    uint32_t reload;    /* ticks, 1-65536: the count last written */
    uint16_t latch;     /* counter latch command */
    uint8_t latched;    /* bytes of `latch` still to be read, 0-2 */
    uint8_t status;     /* read-back command */
    uint8_t status_latched;
    uint8_t control;  /* RW, mode and BCD as written: status bits 5-0 */
    uint8_t low_byte; /* first of two bytes written */
    uint8_t wrote_low, read_low;
    uint8_t gate;
    uint8_t written;    /* a count has been written since the control word */
    uint8_t null_count; /* the counting element does not have it yet */
    uint8_t counting;   /* the counting element runs */
    uint8_t reserved[3];
};

struct pit {
    struct device dev;
    struct clock *clk;
    struct line out0;
    struct timer edge; /* next rising edge of out0 */
    bool out0_level;
    struct pit_counter counter[PIT_COUNTERS];
};

void pit_init(struct pit *pit, struct space *io, uint16_t base,
              struct clock *clk, struct line out0);

/* The gate of counter 2, driven by port 61. */
struct line pit_gate2(struct pit *pit);
/* The output of counter 2, sampled by port 61. */
struct sense pit_out2(struct pit *pit);

/* Period of counter 2 in ticks while it makes a tone (mode 3, gate high), else
 * 0: what a speaker should play. */
uint32_t pit_tone(struct pit *pit);

#endif
