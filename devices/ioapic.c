/*
 * A pin sends when `service` finds reason: an edge that has just come, or a
 * level that is asserted and not yet in service (remote IRR).  An edge whose
 * message nobody accepts stays in delivery status until somebody does.
 */
#include "devices/ioapic.h"

#include "base/bits.h"

enum {
    IOREGSEL = 0x00,
    IOWIN = 0x10,
    REG_ID = 0,
    REG_VER = 1,
    REG_ARB = 2,
    REG_REDIR = 0x10,
    VERSION = 0x11,
    ID_SHIFT = 24,
    ID_BITS = 4,
};

/* Redirection entry (data sheet 3.2.4). */
#define REDIR_LOGICAL ((uint64_t)1 << 11)
#define REDIR_PENDING ((uint64_t)1 << 12)
#define REDIR_REMOTE_IRR ((uint64_t)1 << 14)
#define REDIR_LEVEL ((uint64_t)1 << 15)
#define REDIR_MASKED ((uint64_t)1 << 16)
#define REDIR_WRITABLE 0xff0000000001afffu

static unsigned delivery_mode(uint64_t redir)
{
    return (unsigned)bits_get(redir, 8, 3);
}

/* Only interrupts have a trigger mode: SMI, NMI, INIT and ExtINT are edges
 * whatever the entry says (data sheet 3.2.4, delivery mode). */
static bool is_level(uint64_t redir)
{
    unsigned mode = delivery_mode(redir);

    return redir & REDIR_LEVEL && (mode == APIC_FIXED || mode == APIC_LOWEST);
}

static bool send(const struct ioapic *io, uint64_t redir)
{
    const struct apic_msg msg = {
        .dest = (uint8_t)(redir >> 56),
        .dest_mode = redir & REDIR_LOGICAL ? APIC_LOGICAL : APIC_PHYSICAL,
        .delivery = (uint8_t)delivery_mode(redir),
        .vector = (uint8_t)redir,
        .level = is_level(redir),
    };

    return io->deliver(io->owner, &msg);
}

static void service(struct ioapic *io, unsigned pin)
{
    uint64_t *redir = &io->redir[pin];

    if (is_level(*redir)) {
        *redir &= ~REDIR_PENDING;
        if (bits_test(io->lines, pin) && !(*redir & REDIR_REMOTE_IRR) &&
            !(*redir & REDIR_MASKED))
            *redir |= REDIR_PENDING;
    }
    if (!(*redir & REDIR_PENDING))
        return;
    if (!send(io, *redir))
        return;
    *redir &= ~REDIR_PENDING;
    if (is_level(*redir))
        *redir |= REDIR_REMOTE_IRR;
}

static void set_line(void *owner, unsigned pin, bool level)
{
    struct ioapic *io = owner;
    uint32_t bit = (uint32_t)1 << pin;
    uint64_t *redir = &io->redir[pin];
    bool rises = level && !(io->lines & bit);

    io->lines = level ? io->lines | bit : io->lines & ~bit;
    if (rises && !is_level(*redir) && !(*redir & REDIR_MASKED))
        *redir |= REDIR_PENDING;
    service(io, pin);
}

struct line ioapic_line(struct ioapic *io, unsigned pin)
{
    if (pin >= IOAPIC_PINS)
        return LINE_NONE;
    return (struct line){set_line, io, pin};
}

void ioapic_eoi(void *ioapic, uint8_t vector)
{
    struct ioapic *io = ioapic;

    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        if (!(io->redir[pin] & REDIR_REMOTE_IRR) ||
            (uint8_t)io->redir[pin] != vector)
            continue;
        io->redir[pin] &= ~REDIR_REMOTE_IRR;
        service(io, pin);
    }
}

static uint32_t read_register(const struct ioapic *io)
{
    unsigned pin = (io->select - (unsigned)REG_REDIR) / 2;

    switch (io->select) {
    case REG_ID:
    case REG_ARB: return (uint32_t)io->id << ID_SHIFT;
    case REG_VER: return (IOAPIC_PINS - 1) << 16 | VERSION;
    default: break;
    }
    if (io->select < REG_REDIR || pin >= IOAPIC_PINS)
        return 0;
    return (uint32_t)(io->redir[pin] >> (io->select & 1 ? 32 : 0));
}

/* Becoming an edge entry drops remote IRR: software clears stuck entries by
 * this.  Masking an edge that waits for acceptance drops the edge. */
static void write_redir(struct ioapic *io, unsigned pin, uint64_t value,
                        uint64_t mask)
{
    uint64_t *redir = &io->redir[pin];

    mask &= REDIR_WRITABLE;
    *redir = (*redir & ~mask) | (value & mask);
    if (!is_level(*redir)) {
        *redir &= ~REDIR_REMOTE_IRR;
        if (*redir & REDIR_MASKED)
            *redir &= ~REDIR_PENDING;
    }
    service(io, pin);
}

static void write_register(struct ioapic *io, uint32_t value)
{
    unsigned pin = (io->select - (unsigned)REG_REDIR) / 2;

    if (io->select == REG_ID)
        io->id = (uint8_t)bits_get(value, ID_SHIFT, ID_BITS);
    if (io->select < REG_REDIR || pin >= IOAPIC_PINS)
        return;
    if (io->select & 1)
        write_redir(io, pin, (uint64_t)value << 32, bits_mask(32) << 32);
    else
        write_redir(io, pin, value, bits_mask(32));
}

/* The space widens narrow reads to the whole register. */
static uint64_t ioapic_read(void *dev, uint64_t offset, unsigned size)
{
    const struct ioapic *io = dev;

    (void)size;
    switch (offset) {
    case IOREGSEL: return io->select;
    case IOWIN: return read_register(io);
    default: return 0;
    }
}

/* IOREGSEL's upper 24 bits are reserved, so a byte will do for it. */
static void ioapic_write(void *dev, uint64_t offset, uint64_t value,
                         unsigned size)
{
    struct ioapic *io = dev;

    if (offset == IOREGSEL)
        io->select = (uint8_t)value;
    else if (offset == IOWIN && size == 4)
        write_register(io, (uint32_t)value);
}

static void ioapic_reset(void *dev)
{
    struct ioapic *io = dev;

    io->select = 0;
    io->id = 0;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        io->redir[pin] = REDIR_MASKED;
}

static void ioapic_after_load(void *dev)
{
    struct ioapic *io = dev;

    io->id &= (1 << ID_BITS) - 1;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        io->redir[pin] &= REDIR_WRITABLE | REDIR_PENDING | REDIR_REMOTE_IRR;
}

static const struct field ioapic_state[] = {
    FIELD(struct ioapic, select),
    FIELD(struct ioapic, id),
    FIELD(struct ioapic, lines),
    FIELD_ARRAY(struct ioapic, redir),
    FIELD_END,
};

static const struct device_class ioapic_class = {
    .name = "ioapic",
    .reset = ioapic_reset,
    .after_load = ioapic_after_load,
    .state = ioapic_state,
};

static const struct region_ops ioapic_ops = {
    .read = ioapic_read,
    .write = ioapic_write,
    .min_size = 4,
    .max_size = 4,
};

bool ioapic_init(struct ioapic *io, struct physmem *pm, paddr base,
                 bool (*deliver)(void *owner, const struct apic_msg *msg),
                 void *owner)
{
    const struct region window = {
        .name = "ioapic",
        .base = base,
        .size = IOAPIC_WINDOW,
        .ops = &ioapic_ops,
        .dev = io,
    };

    *io = (struct ioapic){
        .dev = {&ioapic_class, "ioapic"},
        .deliver = deliver,
        .owner = owner,
    };
    ioapic_reset(io);
    return physmem_map_window(pm, &window);
}
