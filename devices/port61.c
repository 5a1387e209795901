#include "devices/port61.h"

#include "devices/ports.h"

enum {
    GATE2 = 0x01,
    SPEAKER = 0x02,
    CONTROL_BITS = 0x0f,
    REFRESH = 0x10,
    OUT2 = 0x20,
};

/* Counter 1 of the timer asks for a refresh every 18 of its ticks. */
enum { TICK_HZ = 1193182, REFRESH_TICKS = 18 };

static uint64_t port61_read(void *dev, uint64_t offset, unsigned size)
{
    const struct port61 *p = dev;
    uint64_t tick = clock_scale(clock_now(p->clk), TICK_HZ, NS_PER_S);
    uint8_t value = p->control;

    (void)offset;
    (void)size;
    if (tick / REFRESH_TICKS & 1)
        value |= REFRESH;
    if (sense_get(&p->out2))
        value |= OUT2;
    return value;
}

static void set_control(struct port61 *p, uint8_t value)
{
    p->control = value & CONTROL_BITS;
    line_set(&p->gate2, value & GATE2);
}

static void port61_write(void *dev, uint64_t offset, uint64_t value,
                         unsigned size)
{
    (void)offset;
    (void)size;
    set_control(dev, (uint8_t)value);
}

bool port61_speaker_on(const struct port61 *p)
{
    return p->control & SPEAKER;
}

static void port61_reset(void *dev)
{
    set_control(dev, 0);
}

static void port61_after_load(void *dev)
{
    struct port61 *p = dev;

    p->control &= CONTROL_BITS;
}

static const struct field port61_state[] = {
    FIELD(struct port61, control),
    FIELD_END,
};

/* The gate is part of the timer's state: loading must not make an edge. */
static const struct device_class port61_class = {
    .name = "port61",
    .reset = port61_reset,
    .after_load = port61_after_load,
    .state = port61_state,
};

static const struct region_ops port61_ops = {
    .read = port61_read,
    .write = port61_write,
    .max_size = 1,
};

void port61_init(struct port61 *p, struct space *io, uint16_t base,
                 struct clock *clk, struct line gate2, struct sense out2)
{
    *p = (struct port61){.dev = {&port61_class, "port61"},
                         .clk = clk,
                         .gate2 = gate2,
                         .out2 = out2};
    ports_map(io, (struct region){"port61", base, 1, &port61_ops, p});
    port61_reset(p);
}
