#include "devices/pic.h"

#include <assert.h>

#include "base/log.h"
#include "devices/ports.h"

enum { MASTER, SLAVE };

/* An input number that means "none". */
enum { NO_INPUT = 8 };

/* What an acknowledge without a request looks like. */
enum { SPURIOUS_INPUT = 7 };

enum {
    ICW1_IC4 = 0x01,
    ICW1_SNGL = 0x02,
    ICW1_SELECT = 0x10,
    ICW4_UPM = 0x01,
    ICW4_AEOI = 0x02,
    ICW4_SFNM = 0x10,
    OCW3_RIS = 0x01,
    OCW3_RR = 0x02,
    OCW3_POLL = 0x04,
    OCW3_SELECT = 0x08,
    OCW3_SMM = 0x20,
    OCW3_ESMM = 0x40,
    POLL_REQUEST = 0x80,
};

/* OCW2 bits 7-5: R, SL, EOI. */
enum {
    OCW2_ROTATE_AEOI_CLEAR = 0,
    OCW2_EOI = 1,
    OCW2_NOP = 2,
    OCW2_SPECIFIC_EOI = 3,
    OCW2_ROTATE_AEOI_SET = 4,
    OCW2_ROTATE_EOI = 5,
    OCW2_SET_PRIORITY = 6,
    OCW2_ROTATE_SPECIFIC_EOI = 7,
};

/* ELCR bits that can be set: PIIX3, 2.5.10 and 2.5.11. */
static const uint8_t elcr_writable[2] = {0xf8, 0xde};

static uint8_t bit(unsigned input)
{
    return (uint8_t)(1u << (input & 7));
}

static uint8_t chip_irr(const struct pic_chip *c)
{
    return (uint8_t)((c->edges & ~c->elcr) | (c->pins & c->elcr));
}

/* In-service levels that hold others back, and that a non-specific EOI ends:
 * special mask mode leaves the masked ones out. */
static uint8_t chip_isr(const struct pic_chip *c)
{
    return c->special_mask ? (uint8_t)(c->isr & ~c->imr) : c->isr;
}

/* 0 for the input with the highest priority, 7 for the lowest. */
static unsigned rank(const struct pic_chip *c, unsigned input)
{
    return (input - c->lowest - 1u) & 7;
}

static unsigned first_by_rank(const struct pic_chip *c, uint8_t set)
{
    for (unsigned i = 1; i <= 8; i++)
        if (set & bit(c->lowest + i))
            return (c->lowest + i) & 7;
    return NO_INPUT;
}

static bool is_cascade(const struct pic *pic, unsigned which, unsigned input)
{
    const struct pic_chip *c = &pic->chip[MASTER];

    return which == MASTER && input == PIC_CASCADE && !c->single &&
           (c->icw3 & bit(PIC_CASCADE));
}

/* The input whose request passes mask and priority; NO_INPUT if none does or
 * if the initialisation sequence is not complete. */
static unsigned chip_request(const struct pic *pic, unsigned which)
{
    const struct pic_chip *c = &pic->chip[which];
    unsigned input = first_by_rank(c, (uint8_t)(chip_irr(c) & ~c->imr));
    unsigned serving = first_by_rank(c, chip_isr(c));

    if (c->expects || input == NO_INPUT)
        return NO_INPUT;
    if (serving == NO_INPUT || rank(c, input) < rank(c, serving))
        return input;
    /* Special fully nested mode: a slave is not locked out by itself. */
    if (input == serving && (c->icw4 & ICW4_SFNM) &&
        is_cascade(pic, which, input))
        return input;
    return NO_INPUT;
}

static void chip_set_pin(struct pic_chip *c, unsigned input, bool level)
{
    if (!level) {
        c->pins &= (uint8_t)~bit(input);
        c->edges &= (uint8_t)~bit(input);
        return;
    }
    if (!((c->pins | c->elcr) & bit(input)))
        c->edges |= bit(input);
    c->pins |= bit(input);
}

bool pic_pending(const struct pic *pic)
{
    return chip_request(pic, MASTER) != NO_INPUT;
}

static void update(struct pic *pic)
{
    bool slave_int = chip_request(pic, SLAVE) != NO_INPUT;

    chip_set_pin(&pic->chip[MASTER], PIC_CASCADE, slave_int);
    line_set(&pic->intr, pic_pending(pic));
}

static void pic_set(void *owner, unsigned pin, bool level)
{
    struct pic *pic = owner;

    chip_set_pin(&pic->chip[pin >> 3], pin & 7, level);
    update(pic);
}

struct line pic_line(struct pic *pic, unsigned irq)
{
    assert(irq < PIC_IRQS && irq != PIC_CASCADE);
    return (struct line){pic_set, pic, irq};
}

/* What the first INTA pulse does to one chip.  The INT output falls during
 * the cycle, so that a request which still stands makes a new edge. */
static unsigned accept(struct pic *pic, unsigned which)
{
    struct pic_chip *c = &pic->chip[which];
    unsigned input = chip_request(pic, which);

    if (which == SLAVE)
        chip_set_pin(&pic->chip[MASTER], PIC_CASCADE, false);
    if (input == NO_INPUT)
        return NO_INPUT;
    c->edges &= (uint8_t)~bit(input);
    if (!(c->icw4 & ICW4_AEOI))
        c->isr |= bit(input);
    else if (c->rotate_aeoi)
        c->lowest = (uint8_t)input;
    return input;
}

static uint8_t vector(const struct pic_chip *c, unsigned input)
{
    return (uint8_t)(c->icw2 | (input == NO_INPUT ? SPURIOUS_INPUT : input));
}

uint8_t pic_ack(void *owner)
{
    struct pic *pic = owner;
    unsigned input = accept(pic, MASTER);
    uint8_t result = vector(&pic->chip[MASTER], input);

    if (is_cascade(pic, MASTER, input))
        result = vector(&pic->chip[SLAVE], accept(pic, SLAVE));
    update(pic);
    return result;
}

static uint8_t poll(struct pic *pic, unsigned which)
{
    unsigned input = accept(pic, which);

    pic->chip[which].poll = 0;
    update(pic);
    return input == NO_INPUT ? 0 : (uint8_t)(POLL_REQUEST | input);
}

static uint8_t chip_read(struct pic *pic, unsigned which, uint64_t offset)
{
    const struct pic_chip *c = &pic->chip[which];

    if (c->poll)
        return poll(pic, which);
    if (offset == 1)
        return c->imr;
    return c->read_isr ? c->isr : chip_irr(c);
}

static void write_icw1(struct pic_chip *c, uint8_t value)
{
    *c = (struct pic_chip){
        .pins = c->pins,
        .elcr = c->elcr,
        .icw2 = c->icw2,
        .icw3 = c->icw3,
        .single = (value & ICW1_SNGL) != 0,
        .needs_icw4 = (value & ICW1_IC4) != 0,
        .expects = 2,
        .lowest = 7,
    };
    if (!(value & ICW1_IC4))
        log_guest("pic: ICW1 asks for the MCS-80 mode, which is missing");
}

static void write_icw(struct pic_chip *c, uint8_t value)
{
    unsigned icw = c->expects;

    c->expects = 0;
    if (icw == 2) {
        c->icw2 = value & 0xf8;
        c->expects = c->single ? 0 : 3;
        if (c->single && c->needs_icw4)
            c->expects = 4;
    } else if (icw == 3) {
        c->icw3 = value;
        c->expects = c->needs_icw4 ? 4 : 0;
    } else {
        c->icw4 = value;
        if (!(value & ICW4_UPM))
            log_guest("pic: ICW4 asks for the MCS-80 mode, which is missing");
    }
}

static void write_ocw2(struct pic_chip *c, uint8_t value)
{
    unsigned command = value >> 5;
    unsigned serving = first_by_rank(c, chip_isr(c));
    unsigned level = value & 7;

    if (command == OCW2_EOI || command == OCW2_ROTATE_EOI)
        level = serving;
    switch (command) {
    case OCW2_ROTATE_AEOI_CLEAR:
    case OCW2_ROTATE_AEOI_SET:
        c->rotate_aeoi = command == OCW2_ROTATE_AEOI_SET;
        return;
    case OCW2_SET_PRIORITY: c->lowest = (uint8_t)level; return;
    case OCW2_NOP: return;
    default: break;
    }
    if (level == NO_INPUT)
        return;
    c->isr &= (uint8_t)~bit(level);
    if (command == OCW2_ROTATE_EOI || command == OCW2_ROTATE_SPECIFIC_EOI)
        c->lowest = (uint8_t)level;
}

static void write_ocw3(struct pic_chip *c, uint8_t value)
{
    if (value & OCW3_ESMM)
        c->special_mask = (value & OCW3_SMM) != 0;
    if (value & OCW3_RR)
        c->read_isr = value & OCW3_RIS;
    c->poll = (value & OCW3_POLL) != 0;
}

static void chip_write(struct pic *pic, unsigned which, uint64_t offset,
                       uint8_t value)
{
    struct pic_chip *c = &pic->chip[which];

    if (offset == 0 && (value & ICW1_SELECT))
        write_icw1(c, value);
    else if (offset == 0 && (value & OCW3_SELECT))
        write_ocw3(c, value);
    else if (offset == 0)
        write_ocw2(c, value);
    else if (c->expects)
        write_icw(c, value);
    else
        c->imr = value;
    update(pic);
}

static uint64_t master_read(void *dev, uint64_t offset, unsigned size)
{
    (void)size;
    return chip_read(dev, MASTER, offset);
}

static void master_write(void *dev, uint64_t offset, uint64_t value,
                         unsigned size)
{
    (void)size;
    chip_write(dev, MASTER, offset, (uint8_t)value);
}

static uint64_t slave_read(void *dev, uint64_t offset, unsigned size)
{
    (void)size;
    return chip_read(dev, SLAVE, offset);
}

static void slave_write(void *dev, uint64_t offset, uint64_t value,
                        unsigned size)
{
    (void)size;
    chip_write(dev, SLAVE, offset, (uint8_t)value);
}

static uint64_t elcr_read(void *dev, uint64_t offset, unsigned size)
{
    const struct pic *pic = dev;

    (void)size;
    return pic->chip[offset & 1].elcr;
}

static void elcr_write(void *dev, uint64_t offset, uint64_t value,
                       unsigned size)
{
    struct pic *pic = dev;
    struct pic_chip *c = &pic->chip[offset & 1];

    (void)size;
    c->elcr = (uint8_t)(value & elcr_writable[offset & 1]);
    c->edges &= (uint8_t)~c->elcr;
    update(pic);
}

/* The inputs keep the levels that their drivers hold. */
static void pic_reset(void *dev)
{
    struct pic *pic = dev;

    for (unsigned i = 0; i < 2; i++)
        pic->chip[i] =
            (struct pic_chip){.pins = pic->chip[i].pins, .lowest = 7};
    pic->chip[MASTER].icw3 = bit(PIC_CASCADE);
    update(pic);
}

static void pic_after_load(void *dev)
{
    update(dev);
}

static const struct field pic_state[] = {
    FIELD_BUFFER(struct pic, chip),
    FIELD_END,
};

static const struct device_class pic_class = {
    .name = "pic",
    .reset = pic_reset,
    .after_load = pic_after_load,
    .state = pic_state,
};

static const struct region_ops master_ops = {
    .read = master_read,
    .write = master_write,
    .max_size = 1,
};

static const struct region_ops slave_ops = {
    .read = slave_read,
    .write = slave_write,
    .max_size = 1,
};

static const struct region_ops elcr_ops = {
    .read = elcr_read,
    .write = elcr_write,
    .max_size = 1,
};

void pic_init(struct pic *pic, struct space *io, uint16_t master,
              uint16_t slave, uint16_t elcr, struct line intr)
{
    *pic = (struct pic){.dev = {&pic_class, "pic"}, .intr = intr};
    ports_map(io, (struct region){"pic-master", master, 2, &master_ops, pic});
    ports_map(io, (struct region){"pic-slave", slave, 2, &slave_ops, pic});
    ports_map(io, (struct region){"pic-elcr", elcr, 2, &elcr_ops, pic});
    pic_reset(pic);
}
