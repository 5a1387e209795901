#ifndef TESTS_UNIT_DEVICES_RIG_H
#define TESTS_UNIT_DEVICES_RIG_H

/*
 * A bench for one device of the AT: ports, and a clock that the test moves.
 */

#include <string.h>

#include "base/clock.h"
#include "devices/host/chardev.h"
#include "tests/unit/devices/chipset.h"

#define US ((vtime)1000)
#define MS ((vtime)1000000)
#define SECONDS ((vtime)NS_PER_S)

struct rig {
    struct space io;
    struct clock clk;
};

static inline void rig_init(struct rig *r)
{
    space_init(&r->io, "io", 1 << 16);
    clock_init(&r->clk, CLOCK_DETERMINISTIC);
}

static inline void rig_destroy(struct rig *r)
{
    clock_destroy(&r->clk);
}

static inline uint8_t rig_in(struct rig *r, uint16_t port)
{
    return (uint8_t)space_read(&r->io, port, 1);
}

static inline void rig_out(struct rig *r, uint16_t port, uint8_t value)
{
    space_write(&r->io, port, value, 1);
}

/* Lets time pass; each timer fires when it is due. */
static inline void rig_run(struct rig *r, vtime ns)
{
    vtime end = clock_now(&r->clk) + ns;

    while (clock_next(&r->clk) <= end) {
        vtime next = clock_next(&r->clk), now = clock_now(&r->clk);

        clock_advance(&r->clk, next > now ? next - now : 0);
        clock_run(&r->clk);
    }
    clock_advance(&r->clk, end - clock_now(&r->clk));
}

/* The host's end of a stream: keeps what the guest sent, and has bytes to
 * give until they are taken. */
struct terminal {
    struct chardev chr;
    uint8_t out[64];
    size_t out_size;
    const uint8_t *in;
    size_t in_size;
};

static inline void terminal_write(struct chardev *c, const uint8_t *data,
                                  size_t size)
{
    struct terminal *t = (struct terminal *)c;

    for (size_t i = 0; i < size && t->out_size < sizeof(t->out); i++)
        t->out[t->out_size++] = data[i];
}

static inline void terminal_ready(struct chardev *c)
{
    struct terminal *t = (struct terminal *)c;
    size_t taken = t->in_size ? c->receive(c->dev, t->in, t->in_size) : 0;

    t->in += taken;
    t->in_size -= taken;
}

static inline void terminal_init(struct terminal *t)
{
    *t = (struct terminal){.chr = {.name = "terminal",
                                   .write = terminal_write,
                                   .ready = terminal_ready}};
}

static inline void terminal_type(struct terminal *t, const void *bytes,
                                 size_t size)
{
    t->in = bytes;
    t->in_size = size;
    terminal_ready(&t->chr);
}

#endif
