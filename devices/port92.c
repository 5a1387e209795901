#include "devices/port92.h"

#include "devices/ports.h"

enum { FAST_RESET = 0x01, A20 = 0x02 };

static uint64_t port92_read(void *dev, uint64_t offset, unsigned size)
{
    const struct port92 *p = dev;

    (void)offset;
    (void)size;
    return p->value;
}

static void port92_write(void *dev, uint64_t offset, uint64_t value,
                         unsigned size)
{
    struct port92 *p = dev;
    bool rises = (value & ~(uint64_t)p->value) & FAST_RESET;

    (void)offset;
    (void)size;
    p->value = value & (FAST_RESET | A20);
    line_set(&p->a20, value & A20);
    if (!rises)
        return;
    line_set(&p->reset, true);
    line_set(&p->reset, false);
}

static void port92_reset(void *dev)
{
    struct port92 *p = dev;

    p->value = 0;
    line_set(&p->a20, false);
}

static void port92_after_load(void *dev)
{
    struct port92 *p = dev;

    line_set(&p->a20, p->value & A20);
}

static const struct field port92_state[] = {
    FIELD(struct port92, value),
    FIELD_END,
};

static const struct device_class port92_class = {
    .name = "port92",
    .reset = port92_reset,
    .after_load = port92_after_load,
    .state = port92_state,
};

static const struct region_ops port92_ops = {
    .read = port92_read,
    .write = port92_write,
    .max_size = 1,
};

void port92_init(struct port92 *p, struct space *io, uint16_t base,
                 struct line a20, struct line reset)
{
    *p = (struct port92){
        .dev = {&port92_class, "port92"}, .a20 = a20, .reset = reset};
    ports_map(io, (struct region){"port92", base, 1, &port92_ops, p});
    port92_reset(p);
}
