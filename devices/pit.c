/*
 * Time is counted in ticks of PIT_HZ since the clock's zero.  A counter's
 * position is the number of ticks it has run since its count was loaded;
 * output, count and next edge are functions of position, mode and period.
 */
#include "devices/pit.h"

#include "devices/ports.h"

enum {
    CONTROL_PORT = 3,
    CONTROL_BCD = 0x01,
    CONTROL_RW = 0x30,
    CONTROL_BITS = 0x3f,
    RW_LATCH = 0x00,
    RW_LOW = 0x10,
    RW_HIGH = 0x20,
    RW_BOTH = 0x30,
    SELECT_READ_BACK = 3,
    READ_BACK_NO_COUNT = 0x20,
    READ_BACK_NO_STATUS = 0x10,
    STATUS_OUT = 0x80,
    STATUS_NULL = 0x40,
};

enum pit_mode {
    MODE_TERMINAL_COUNT = 0,
    MODE_ONE_SHOT = 1,
    MODE_RATE = 2,
    MODE_SQUARE = 3,
    MODE_SOFT_STROBE = 4,
    MODE_HARD_STROBE = 5,
};

#define TICK_NEVER UINT64_MAX

enum { MAX_PERIOD = 0x10000, BCD_PERIOD = 10000 };

static uint64_t now_tick(const struct pit *pit)
{
    return clock_scale(clock_now(pit->clk), PIT_HZ, NS_PER_S);
}

/* The first nanosecond that belongs to a tick. */
static vtime tick_time(uint64_t tick)
{
    vtime t = clock_scale(tick, NS_PER_S, PIT_HZ);

    return clock_scale(t, PIT_HZ, NS_PER_S) < tick ? t + 1 : t;
}

/* Modes 6 and 7 are 2 and 3: data sheet, figure 7. */
static enum pit_mode mode_of(const struct pit_counter *c)
{
    unsigned mode = (c->control >> 1) & 7;

    return (enum pit_mode)(mode > 5 ? mode - 4 : mode);
}

static bool is_periodic(const struct pit_counter *c)
{
    return mode_of(c) == MODE_RATE || mode_of(c) == MODE_SQUARE;
}

/* Loading the counting element at the gate only. */
static bool is_triggered(const struct pit_counter *c)
{
    return mode_of(c) == MODE_ONE_SHOT || mode_of(c) == MODE_HARD_STROBE;
}

static uint32_t modulus(const struct pit_counter *c)
{
    return c->control & CONTROL_BCD ? BCD_PERIOD : MAX_PERIOD;
}

static uint32_t from_bcd(uint16_t v)
{
    return (v >> 12) * 1000u + (v >> 8 & 15) * 100u + (v >> 4 & 15) * 10u +
           (v & 15);
}

static uint16_t to_bcd(uint32_t v)
{
    return (uint16_t)(v / 1000 % 10 << 12 | v / 100 % 10 << 8 |
                      v / 10 % 10 << 4 | v % 10);
}

static uint64_t position(const struct pit_counter *c, uint64_t now)
{
    if (!c->counting || now < c->start)
        return c->elapsed;
    return c->elapsed + (now - c->start);
}

/* Mode 3: ticks of a period with OUT high. */
static uint32_t high_half(uint32_t period)
{
    return (period + 1) / 2;
}

/* A count written during a period or half-cycle is used from its end on. */
static void settle(struct pit_counter *c, uint64_t now)
{
    if (c->switch_at > now)
        return;

    bool is_falling = position(c, c->switch_at) % c->period != 0;

    c->period = c->reload;
    c->elapsed = is_falling ? high_half(c->period) : 0;
    c->start = c->switch_at;
    c->switch_at = TICK_NEVER;
}

static bool output(const struct pit_counter *c, uint64_t now)
{
    uint64_t pos = position(c, now);
    uint32_t n = c->period;

    switch (mode_of(c)) {
    case MODE_TERMINAL_COUNT: return c->written && pos >= n;
    case MODE_ONE_SHOT: return !c->counting || pos >= n;
    case MODE_RATE: return !c->counting || pos % n != n - 1;
    case MODE_SQUARE: return !c->counting || pos % n < high_half(n);
    case MODE_SOFT_STROBE: return !c->written || pos != n;
    default: return !c->counting || pos != n;
    }
}

static uint32_t remaining(const struct pit_counter *c, uint64_t now)
{
    uint64_t pos = position(c, now);
    uint32_t n = c->period;

    if (mode_of(c) == MODE_RATE)
        return n - (uint32_t)(pos % n);
    if (mode_of(c) == MODE_SQUARE) {
        uint32_t at = (uint32_t)(pos % n);

        /* Counts by two through each half-cycle, from an even number. */
        if (at >= high_half(n))
            at -= high_half(n);
        return (n & ~1u) - 2 * at;
    }
    return (uint32_t)((n + modulus(c) - pos % modulus(c)) % modulus(c));
}

static uint16_t count_word(const struct pit_counter *c, uint64_t now)
{
    uint32_t value = remaining(c, now);

    return c->control & CONTROL_BCD ? to_bcd(value) : (uint16_t)value;
}

/* First tick after `now` at which OUT rises, if the period stays. */
static uint64_t plain_rise_after(const struct pit_counter *c, uint64_t now)
{
    uint64_t from = now > c->start ? now : c->start;
    uint64_t pos = position(c, from);
    uint64_t edge = c->period;

    if (!c->counting)
        return TICK_NEVER;
    if (is_periodic(c))
        return from + c->period - pos % c->period;
    if (mode_of(c) == MODE_SOFT_STROBE || mode_of(c) == MODE_HARD_STROBE)
        edge++;
    return pos < edge ? from + (edge - pos) : TICK_NEVER;
}

static uint64_t rise_after(const struct pit_counter *c, uint64_t now)
{
    uint64_t rise = plain_rise_after(c, now);
    struct pit_counter next = *c;

    if (c->switch_at >= rise)
        return rise;
    settle(&next, c->switch_at);
    return plain_rise_after(&next, now > next.start ? now : next.start);
}

static void drive_out0(struct pit *pit, bool level)
{
    pit->out0_level = level;
    line_set(&pit->out0, level);
}

/* Arms for the first rise after tick `after`. */
static void arm(struct pit *pit, uint64_t after)
{
    uint64_t rise = rise_after(&pit->counter[0], after);

    if (rise == TICK_NEVER)
        timer_cancel(pit->clk, &pit->edge);
    else
        timer_set(pit->clk, &pit->edge, tick_time(rise));
}

static void edge_due(void *owner)
{
    struct pit *pit = owner;
    uint64_t now = now_tick(pit);

    settle(&pit->counter[0], now);
    if (mode_of(&pit->counter[0]) != MODE_TERMINAL_COUNT)
        drive_out0(pit, false);
    drive_out0(pit, true);
    arm(pit, now + PIT_MIN_TICKS - 1);
}

/* After a write to counter 0.  The low part of a period is left out: it
 * belongs to the edge that ends it. */
static void counter0_changed(struct pit *pit)
{
    const struct pit_counter *c = &pit->counter[0];
    uint64_t now = now_tick(pit);

    drive_out0(pit, mode_of(c) != MODE_TERMINAL_COUNT || output(c, now));
    arm(pit, now);
}

static void load(struct pit_counter *c, uint64_t now)
{
    c->period = c->reload;
    c->start = now + 1;
    c->elapsed = 0;
    c->switch_at = TICK_NEVER;
    c->null_count = 0;
}

static uint64_t period_end(const struct pit_counter *c, uint64_t now)
{
    uint64_t from = now > c->start ? now : c->start;
    uint64_t at = position(c, from) % c->period;
    uint32_t half = high_half(c->period);

    if (mode_of(c) == MODE_SQUARE && at < half)
        return from + (half - at);
    return from + (c->period - at);
}

static void write_count(struct pit_counter *c, uint16_t value, uint64_t now)
{
    uint32_t ticks = c->control & CONTROL_BCD ? from_bcd(value) : value;
    bool is_first = !c->written;

    c->reload = ticks ? ticks : modulus(c);
    c->written = 1;
    c->null_count = 1;
    if (is_triggered(c))
        return;
    if (!is_periodic(c) || (is_first && c->gate)) {
        load(c, now);
        c->counting = c->gate;
    } else if (c->counting) {
        c->switch_at = period_end(c, now);
        c->null_count = 0;
    }
}

static void counter_write(struct pit_counter *c, uint8_t value, uint64_t now)
{
    switch (c->control & CONTROL_RW) {
    case RW_LOW: write_count(c, value, now); return;
    case RW_HIGH: write_count(c, (uint16_t)(value << 8), now); return;
    default: break;
    }
    c->wrote_low ^= 1;
    if (!c->wrote_low) {
        write_count(c, (uint16_t)(value << 8 | c->low_byte), now);
        return;
    }
    c->low_byte = value;
    /* Mode 0: the first byte stops the count and lowers OUT. */
    if (mode_of(c) == MODE_TERMINAL_COUNT) {
        c->written = 0;
        c->counting = 0;
        c->elapsed = 0;
    }
}

static void latch_count(struct pit_counter *c, uint64_t now)
{
    if (c->latched)
        return;
    c->latch = count_word(c, now);
    c->latched = (c->control & CONTROL_RW) == RW_LOW ||
                         (c->control & CONTROL_RW) == RW_HIGH
                     ? 1
                     : 2;
}

static void latch_status(struct pit_counter *c, uint64_t now)
{
    bool is_null = c->null_count || c->switch_at != TICK_NEVER ||
                   (c->counting && now < c->start);

    if (c->status_latched)
        return;
    c->status = (uint8_t)((output(c, now) ? STATUS_OUT : 0) |
                          (is_null ? STATUS_NULL : 0) | c->control);
    c->status_latched = 1;
}

static uint8_t counter_read(struct pit_counter *c, uint64_t now)
{
    unsigned rw = c->control & CONTROL_RW;
    uint16_t value = c->latched ? c->latch : count_word(c, now);
    bool high = rw == RW_HIGH;

    if (c->status_latched) {
        c->status_latched = 0;
        return c->status;
    }
    if (c->latched) {
        high = high || (rw != RW_LOW && c->latched == 1);
        c->latched--;
    } else if (rw != RW_LOW && rw != RW_HIGH) {
        high = c->read_low;
        c->read_low ^= 1;
    }
    return (uint8_t)(high ? value >> 8 : value);
}

static void set_control(struct pit_counter *c, uint8_t value)
{
    c->control = value & CONTROL_BITS;
    c->switch_at = TICK_NEVER;
    c->elapsed = 0;
    c->wrote_low = c->read_low = 0;
    c->latched = c->status_latched = 0;
    c->written = c->counting = 0;
    c->null_count = 1;
}

static void read_back(struct pit *pit, uint8_t value, uint64_t now)
{
    for (unsigned i = 0; i < PIT_COUNTERS; i++) {
        struct pit_counter *c = &pit->counter[i];

        if (!(value & 2u << i))
            continue;
        if (!(value & READ_BACK_NO_COUNT))
            latch_count(c, now);
        if (!(value & READ_BACK_NO_STATUS))
            latch_status(c, now);
    }
}

static void control_write(struct pit *pit, uint8_t value, uint64_t now)
{
    unsigned select = value >> 6;

    if (select == SELECT_READ_BACK) {
        read_back(pit, value, now);
        return;
    }
    if ((value & CONTROL_RW) == RW_LATCH) {
        latch_count(&pit->counter[select], now);
        return;
    }
    set_control(&pit->counter[select], value);
    if (select == 0)
        counter0_changed(pit);
}

static void settle_all(struct pit *pit, uint64_t now)
{
    for (unsigned i = 0; i < PIT_COUNTERS; i++)
        settle(&pit->counter[i], now);
}

static uint64_t pit_read(void *dev, uint64_t offset, unsigned size)
{
    struct pit *pit = dev;
    uint64_t now = now_tick(pit);

    (void)size;
    if (offset >= CONTROL_PORT)
        return 0xff;
    settle_all(pit, now);
    return counter_read(&pit->counter[offset], now);
}

static void pit_write(void *dev, uint64_t offset, uint64_t value, unsigned size)
{
    struct pit *pit = dev;
    uint64_t now = now_tick(pit);

    (void)size;
    settle_all(pit, now);
    if (offset >= CONTROL_PORT) {
        control_write(pit, (uint8_t)value, now);
        return;
    }
    counter_write(&pit->counter[offset], (uint8_t)value, now);
    if (offset == 0)
        counter0_changed(pit);
}

/* Data sheet, "Gate pin operations summary". */
static void gate_rises(struct pit_counter *c, uint64_t now)
{
    if (!c->written)
        return;
    if (is_triggered(c) || is_periodic(c))
        load(c, now);
    else
        c->start = now;
    c->counting = 1;
}

static void gate_falls(struct pit_counter *c, uint64_t now)
{
    if (is_triggered(c))
        return;
    c->elapsed = position(c, now);
    c->counting = 0;
    if (c->switch_at != TICK_NEVER)
        c->null_count = 1;
    c->switch_at = TICK_NEVER;
}

static void set_gate2(void *owner, unsigned pin, bool level)
{
    struct pit *pit = owner;
    struct pit_counter *c = &pit->counter[pin];
    uint64_t now = now_tick(pit);

    if (c->gate == level)
        return;
    settle(c, now);
    c->gate = level;
    if (level)
        gate_rises(c, now);
    else
        gate_falls(c, now);
}

struct line pit_gate2(struct pit *pit)
{
    return (struct line){set_gate2, pit, 2};
}

static bool get_out2(void *owner, unsigned pin)
{
    struct pit *pit = owner;
    uint64_t now = now_tick(pit);

    settle(&pit->counter[pin], now);
    return output(&pit->counter[pin], now);
}

struct sense pit_out2(struct pit *pit)
{
    return (struct sense){get_out2, pit, 2};
}

uint32_t pit_tone(struct pit *pit)
{
    struct pit_counter *c = &pit->counter[2];

    settle(c, now_tick(pit));
    return c->counting && mode_of(c) == MODE_SQUARE ? c->period : 0;
}

static void pit_reset(void *dev)
{
    struct pit *pit = dev;

    for (unsigned i = 0; i < PIT_COUNTERS; i++) {
        struct pit_counter *c = &pit->counter[i];

        *c = (struct pit_counter){.period = MAX_PERIOD,
                                  .reload = MAX_PERIOD,
                                  .gate = i < 2 ? 1 : c->gate};
        set_control(c, RW_BOTH);
    }
    counter0_changed(pit);
}

static bool is_period(uint32_t ticks)
{
    return ticks - 1 < MAX_PERIOD;
}

static void pit_after_load(void *dev)
{
    struct pit *pit = dev;
    uint64_t now = now_tick(pit);

    for (unsigned i = 0; i < PIT_COUNTERS; i++) {
        struct pit_counter *c = &pit->counter[i];

        c->period = is_period(c->period) ? c->period : MAX_PERIOD;
        c->reload = is_period(c->reload) ? c->reload : MAX_PERIOD;
        c->start = c->start > now + 1 ? now + 1 : c->start;
        c->gate = i < 2 || c->gate;
    }
    drive_out0(pit, pit->out0_level);
    timer_set(pit->clk, &pit->edge, pit->edge.when);
}

_Static_assert(sizeof(struct pit_counter) == 3 * 8 + 2 * 4 + 16,
               "the counters are saved as a buffer: no padding");

static const struct field pit_state[] = {
    FIELD_BUFFER(struct pit, counter),
    FIELD(struct pit, out0_level),
    FIELD_TIME(struct pit, edge),
    FIELD_END,
};

static const struct device_class pit_class = {
    .name = "pit",
    .reset = pit_reset,
    .after_load = pit_after_load,
    .state = pit_state,
};

static const struct region_ops pit_ops = {
    .read = pit_read,
    .write = pit_write,
    .max_size = 1,
};

void pit_init(struct pit *pit, struct space *io, uint16_t base,
              struct clock *clk, struct line out0)
{
    *pit = (struct pit){.dev = {&pit_class, "pit"}, .clk = clk, .out0 = out0};
    timer_init(&pit->edge, edge_due, pit);
    ports_map(io, (struct region){"pit", base, 4, &pit_ops, pit});
    pit_reset(pit);
}
