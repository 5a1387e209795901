#include "devices/dma8237.h"

#include <assert.h>

#include "devices/ports.h"
#include "mem/dma.h"

enum {
    REG_STATUS = 0x8, /* write: command */
    REG_REQUEST = 0x9,
    REG_MASK_ONE = 0xa,
    REG_MODE = 0xb,
    REG_CLEAR_FLIP_FLOP = 0xc,
    REG_MASTER_CLEAR = 0xd, /* read: temporary register */
    REG_CLEAR_MASK = 0xe,
    REG_MASK_ALL = 0xf,
    CHIP_REGISTERS = 16,
};

enum {
    COMMAND_DISABLE = 0x04,
    SELECT_CHANNEL = 0x03,
    SELECT_SET = 0x04,
    MASK_BITS = 0x0f,
    MODE_TRANSFER = 0x0c,
    MODE_VERIFY = 0x00,
    MODE_WRITE = 0x04,
    MODE_READ = 0x08,
    MODE_AUTO_INIT = 0x10,
    MODE_DOWN = 0x20,
    MODE_SELECT = 0xc0,
    MODE_CASCADE = 0xc0,
};

/* The page register of each channel: AT Technical Reference. */
static const uint8_t page_of_channel[8] = {0x7, 0x3, 0x1, 0x2,
                                           0xf, 0xb, 0x9, 0xa};

static void set_byte(uint16_t *word, bool high, uint8_t value)
{
    *word = (uint16_t)(high ? (*word & 0x00ff) | value << 8
                            : (*word & 0xff00) | value);
}

/* Says which byte of a word is next. */
static bool flip(struct dma8237_chip *c)
{
    c->high_byte ^= 1;
    return !c->high_byte;
}

static void write_word(struct dma8237_chip *c, unsigned reg, uint8_t value)
{
    unsigned ch = reg >> 1 & 3;
    bool high = flip(c);

    if (reg & 1) {
        set_byte(&c->base_count[ch], high, value);
        set_byte(&c->count[ch], high, value);
    } else {
        set_byte(&c->base_address[ch], high, value);
        set_byte(&c->address[ch], high, value);
    }
}

static uint8_t read_word(struct dma8237_chip *c, unsigned reg)
{
    unsigned ch = reg >> 1 & 3;
    uint16_t word = reg & 1 ? c->count[ch] : c->address[ch];

    return (uint8_t)(flip(c) ? word >> 8 : word);
}

static void master_clear(struct dma8237_chip *c)
{
    c->command = c->status = c->request = c->high_byte = 0;
    c->mask = MASK_BITS;
}

static void set_one(uint8_t *bits, uint8_t value)
{
    uint8_t bit = (uint8_t)(1u << (value & SELECT_CHANNEL));

    if (value & SELECT_SET)
        *bits |= bit;
    else
        *bits &= (uint8_t)~bit;
}

static void chip_write(struct dma8237_chip *c, unsigned reg, uint8_t value)
{
    switch (reg) {
    case REG_STATUS: c->command = value; break;
    case REG_REQUEST: set_one(&c->request, value); break;
    case REG_MASK_ONE: set_one(&c->mask, value); break;
    case REG_MODE: c->mode[value & SELECT_CHANNEL] = value; break;
    case REG_CLEAR_FLIP_FLOP: c->high_byte = 0; break;
    case REG_MASTER_CLEAR: master_clear(c); break;
    case REG_CLEAR_MASK: c->mask = 0; break;
    case REG_MASK_ALL: c->mask = value & MASK_BITS; break;
    default: write_word(c, reg, value); break;
    }
}

static uint8_t chip_read(struct dma8237_chip *c, unsigned reg)
{
    uint8_t status = (uint8_t)(c->status | (c->request & MASK_BITS) << 4);

    if (reg < REG_STATUS)
        return read_word(c, reg);
    if (reg == REG_MASK_ALL)
        return c->mask;
    if (reg != REG_STATUS)
        return 0;
    c->status = 0;
    return status;
}

static uint64_t low_read(void *dev, uint64_t offset, unsigned size)
{
    struct dma8237 *d = dev;

    (void)size;
    return chip_read(&d->chip[0], offset & 15);
}

static void low_write(void *dev, uint64_t offset, uint64_t value, unsigned size)
{
    struct dma8237 *d = dev;

    (void)size;
    chip_write(&d->chip[0], offset & 15, (uint8_t)value);
}

/* Address line 0 does not reach the second controller. */
static uint64_t high_read(void *dev, uint64_t offset, unsigned size)
{
    struct dma8237 *d = dev;

    (void)size;
    return chip_read(&d->chip[1], offset >> 1 & 15);
}

static void high_write(void *dev, uint64_t offset, uint64_t value,
                       unsigned size)
{
    struct dma8237 *d = dev;

    (void)size;
    chip_write(&d->chip[1], offset >> 1 & 15, (uint8_t)value);
}

static uint64_t page_read(void *dev, uint64_t offset, unsigned size)
{
    const struct dma8237 *d = dev;

    (void)size;
    return d->page[offset & (DMA_PAGES - 1)];
}

static void page_write(void *dev, uint64_t offset, uint64_t value,
                       unsigned size)
{
    struct dma8237 *d = dev;

    (void)size;
    d->page[offset & (DMA_PAGES - 1)] = (uint8_t)value;
}

struct dma_channel dma8237_channel(struct dma8237 *d, unsigned number)
{
    assert(number < 8 && number != 4);
    return (struct dma_channel){d, number};
}

/* Channels 5-7 count words, and their page has no bit 16. */
static paddr memory_address(const struct dma_channel *c)
{
    const struct dma8237 *d = c->ctl;
    paddr page = d->page[page_of_channel[c->number]];
    paddr at = d->chip[c->number >> 2].address[c->number & 3];

    return c->number < 4 ? page << 16 | at : (page & 0xfe) << 16 | at << 1;
}

static void move(const struct dma_channel *c, uint8_t *data, size_t size)
{
    uint8_t mode = c->ctl->chip[c->number >> 2].mode[c->number & 3];

    if ((mode & MODE_TRANSFER) == MODE_WRITE)
        dma_write(c->ctl->pm, memory_address(c), data, size);
    if ((mode & MODE_TRANSFER) == MODE_READ)
        dma_read(c->ctl->pm, memory_address(c), data, size);
}

/* Units that can move in one piece: downwards one, upwards those before the
 * 16-bit address wraps. */
static size_t run_length(const struct dma8237_chip *chip, unsigned ch,
                         size_t units)
{
    size_t before_wrap = 0x10000u - chip->address[ch];

    if (chip->mode[ch] & MODE_DOWN)
        return 1;
    return units < before_wrap ? units : before_wrap;
}

static void terminal_count(struct dma8237_chip *chip, unsigned ch)
{
    uint8_t bit = (uint8_t)(1u << ch);

    chip->status |= bit;
    chip->request &= (uint8_t)~bit;
    if (chip->mode[ch] & MODE_AUTO_INIT) {
        chip->address[ch] = chip->base_address[ch];
        chip->count[ch] = chip->base_count[ch];
    } else {
        chip->mask |= bit;
    }
}

static bool can_transfer(const struct dma8237_chip *chip, unsigned ch)
{
    return !(chip->command & COMMAND_DISABLE) && !(chip->mask >> ch & 1) &&
           (chip->mode[ch] & MODE_SELECT) != MODE_CASCADE;
}

size_t dma8237_transfer(const struct dma_channel *c, uint8_t *data, size_t size,
                        bool *tc)
{
    struct dma8237_chip *chip = &c->ctl->chip[c->number >> 2];
    unsigned ch = c->number & 3, unit = c->number < 4 ? 1 : 2;
    size_t left = chip->count[ch] + 1u;
    size_t units = size / unit < left ? size / unit : left;
    size_t done = 0;

    *tc = false;
    if (!can_transfer(chip, ch))
        return 0;
    while (done < units) {
        size_t run = run_length(chip, ch, units - done);

        move(c, data + done * unit, run * unit);
        chip->address[ch] = (uint16_t)(chip->mode[ch] & MODE_DOWN
                                           ? chip->address[ch] - 1u
                                           : chip->address[ch] + run);
        done += run;
    }
    chip->count[ch] = (uint16_t)(chip->count[ch] - units);
    *tc = units == left;
    if (*tc)
        terminal_count(chip, ch);
    return units * unit;
}

static void dma8237_reset(void *dev)
{
    struct dma8237 *d = dev;

    for (unsigned i = 0; i < DMA_CONTROLLERS; i++)
        master_clear(&d->chip[i]);
}

_Static_assert(sizeof(struct dma8237_chip) == 16 * 2 + 4 + 8,
               "the chips are saved as a buffer: no padding");

static const struct field dma8237_state[] = {
    FIELD_BUFFER(struct dma8237, chip),
    FIELD_BUFFER(struct dma8237, page),
    FIELD_END,
};

static const struct device_class dma8237_class = {
    .name = "dma8237",
    .reset = dma8237_reset,
    .state = dma8237_state,
};

static const struct region_ops low_ops = {
    .read = low_read,
    .write = low_write,
    .max_size = 1,
};

static const struct region_ops high_ops = {
    .read = high_read,
    .write = high_write,
    .max_size = 1,
};

static const struct region_ops page_ops = {
    .read = page_read,
    .write = page_write,
    .max_size = 1,
};

void dma8237_init(struct dma8237 *d, struct space *io, uint16_t low,
                  uint16_t high, uint16_t page, struct physmem *pm)
{
    *d = (struct dma8237){.dev = {&dma8237_class, "dma8237"}, .pm = pm};
    ports_map(io, (struct region){"dma-low", low, CHIP_REGISTERS, &low_ops, d});
    ports_map(io, (struct region){"dma-high", high, 2 * CHIP_REGISTERS,
                                  &high_ops, d});
    ports_map(io, (struct region){"dma-page", page, DMA_PAGES, &page_ops, d});
    dma8237_reset(d);
}
