#include "devices/debugexit.h"

static uint64_t debugexit_read(void *dev, uint64_t offset, unsigned size)
{
    (void)dev;
    (void)offset;
    (void)size;
    return 0;
}

static void debugexit_write(void *dev, uint64_t offset, uint64_t value,
                            unsigned size)
{
    struct debugexit *d = dev;

    (void)offset;
    (void)size;
    d->exit(d->owner, (uint32_t)value);
}

static void debugexit_reset(void *dev)
{
    (void)dev;
}

static const struct field debugexit_state[] = {
    FIELD_END,
};

static const struct device_class debugexit_class = {
    .name = "isa-debug-exit",
    .reset = debugexit_reset,
    .state = debugexit_state,
};

static const struct region_ops debugexit_ops = {
    .read = debugexit_read,
    .write = debugexit_write,
    .max_size = 4,
};

bool debugexit_init(struct debugexit *d, struct space *io, uint16_t iobase,
                    uint16_t iosize, void (*exit)(void *owner, uint32_t value),
                    void *owner)
{
    struct region ports = {"isa-debug-exit", iobase, iosize, &debugexit_ops, d};

    *d = (struct debugexit){.dev = {&debugexit_class, "isa-debug-exit"},
                            .exit = exit,
                            .owner = owner};
    return space_map(io, &ports);
}
