#include "devices/debugcon.h"

static uint64_t debugcon_read(void *dev, uint64_t offset, unsigned size)
{
    (void)dev;
    (void)offset;
    (void)size;
    return DEBUGCON_READBACK;
}

static void debugcon_write(void *dev, uint64_t offset, uint64_t value,
                           unsigned size)
{
    struct debugcon *d = dev;
    uint8_t byte = (uint8_t)value;

    (void)offset;
    (void)size;
    chardev_write(d->host, &byte, 1);
}

static void debugcon_reset(void *dev)
{
    (void)dev;
}

static const struct field debugcon_state[] = {
    FIELD_END,
};

static const struct device_class debugcon_class = {
    .name = "isa-debugcon",
    .reset = debugcon_reset,
    .state = debugcon_state,
};

static const struct region_ops debugcon_ops = {
    .read = debugcon_read,
    .write = debugcon_write,
    .max_size = 1,
};

bool debugcon_init(struct debugcon *d, struct space *io, uint16_t iobase,
                   struct chardev *host)
{
    struct region port = {"isa-debugcon", iobase, 1, &debugcon_ops, d};

    *d = (struct debugcon){.dev = {&debugcon_class, "isa-debugcon"},
                           .host = host};
    return space_map(io, &port);
}
