#include "devices/kbc.h"

#include "base/log.h"
#include "devices/ports.h"

/* Commands, with their parameter's place in brackets. */
enum {
    CMD_READ_RAM = 0x20,  /* 20-3f */
    CMD_WRITE_RAM = 0x60, /* 60-7f [data] */
    CMD_TEST_PASSWORD = 0xa4,
    CMD_DISABLE_AUX = 0xa7,
    CMD_ENABLE_AUX = 0xa8,
    CMD_TEST_AUX = 0xa9,
    CMD_SELF_TEST = 0xaa,
    CMD_TEST_KBD = 0xab,
    CMD_DISABLE_KBD = 0xad,
    CMD_ENABLE_KBD = 0xae,
    CMD_READ_INPUT = 0xc0,
    CMD_READ_OUTPUT = 0xd0,
    CMD_WRITE_OUTPUT = 0xd1, /* [data] */
    CMD_FAKE_KBD = 0xd2,     /* [data]: as if the keyboard had sent it */
    CMD_FAKE_AUX = 0xd3,     /* [data] */
    CMD_SEND_AUX = 0xd4,     /* [data] */
    CMD_A20_OFF = 0xdd,
    CMD_A20_ON = 0xdf,
    CMD_READ_TEST = 0xe0,
    CMD_PULSE = 0xf0, /* f0-ff: low bits of the output port, when 0 */
};

enum {
    STATUS_OBF = 0x01,
    STATUS_SYS = 0x04,
    STATUS_CMD = 0x08,      /* the last write was a command */
    STATUS_UNLOCKED = 0x10, /* key lock */
    STATUS_AUX = 0x20,
    CTR_IRQ_KBD = 0x01,
    CTR_IRQ_AUX = 0x02,
    CTR_SYS = 0x04,
    CTR_NO_KBD = 0x10,
    CTR_NO_AUX = 0x20,
    CTR_TRANSLATE = 0x40,
    /* What a BIOS leaves, for kernels that are started without one. */
    CTR_RESET = CTR_IRQ_KBD | CTR_IRQ_AUX | CTR_TRANSLATE,
    OUT_NOT_RESET = 0x01,
    OUT_A20 = 0x02,
    OUT_IRQ_KBD = 0x10,
    OUT_IRQ_AUX = 0x20,
    INPUT_PORT = 0xa0, /* not locked, manufacturing jumper not there */
    ANSWER_SELF_TEST = 0x55,
    ANSWER_TEST_OK = 0x00,
    ANSWER_NO_PASSWORD = 0xf1,
    ANSWER_NO_DEVICE = 0xfe,
    BREAK_BIT = 0x80,
    MAX_ANSWERS = 16,
};

static bool is_full(const struct kbc *k)
{
    return k->status & STATUS_OBF;
}

static bool is_irq(const struct kbc *k, bool aux)
{
    uint8_t enable = aux ? CTR_IRQ_AUX : CTR_IRQ_KBD;
    bool from_aux = k->status & STATUS_AUX;

    return is_full(k) && from_aux == aux && (k->ram[0] & enable);
}

static void update_irqs(struct kbc *k)
{
    line_set(&k->wires.irq_kbd, is_irq(k, false));
    line_set(&k->wires.irq_aux, is_irq(k, true));
}

static void fill(struct kbc *k, uint8_t byte, uint8_t source)
{
    k->data = byte;
    k->status = (uint8_t)((k->status & ~STATUS_AUX) | source | STATUS_OBF);
    update_irqs(k);
}

static bool can_take(const struct kbc *k, const struct ps2_port *p,
                     uint8_t disabled)
{
    return p && !(k->ram[0] & disabled) && ps2_has_byte(p);
}

/* Lets the next byte of a device start on its way. */
static void kick(struct kbc *k)
{
    if (is_full(k) || timer_armed(&k->arrival))
        return;
    if (can_take(k, k->wires.kbd, CTR_NO_KBD) ||
        can_take(k, k->wires.aux, CTR_NO_AUX))
        timer_set(k->clk, &k->arrival, clock_now(k->clk) + KBC_BYTE_NS);
}

static void device_ready(void *owner, unsigned pin, bool level)
{
    (void)pin;
    if (level)
        kick(owner);
}

/* The break prefix of set 2 becomes the high bit of the next code. */
static void from_keyboard(struct kbc *k, uint8_t byte)
{
    uint8_t release = k->break_prefix ? BREAK_BIT : 0;

    k->break_prefix = (k->ram[0] & CTR_TRANSLATE) && byte == PS2_BREAK;
    if (k->break_prefix)
        kick(k);
    else if (k->ram[0] & CTR_TRANSLATE)
        fill(k, ps2_translate(byte) | release, 0);
    else
        fill(k, byte, 0);
}

static void byte_arrived(void *owner)
{
    struct kbc *k = owner;
    uint8_t byte;

    if (is_full(k))
        return;
    if (can_take(k, k->wires.kbd, CTR_NO_KBD)) {
        ps2_take(k->wires.kbd, &byte);
        from_keyboard(k, byte);
    } else if (can_take(k, k->wires.aux, CTR_NO_AUX)) {
        ps2_take(k->wires.aux, &byte);
        fill(k, byte, STATUS_AUX);
    }
}

/* An answer that finds the buffer full waits; only the keyboard's side of the
 * status bit can be queued, which is where the controller's answers go. */
static void answer(struct kbc *k, uint8_t byte)
{
    if (!is_full(k))
        fill(k, byte, 0);
    else if (ring_count(&k->answers) < MAX_ANSWERS)
        ring_push(&k->answers, byte);
}

static uint8_t read_data(struct kbc *k)
{
    uint8_t value = k->data;
    uint8_t next;

    k->status &= (uint8_t) ~(STATUS_OBF | STATUS_AUX);
    update_irqs(k);
    if (ring_pop(&k->answers, &next))
        fill(k, next, 0);
    kick(k);
    return value;
}

static void set_command_byte(struct kbc *k, uint8_t value)
{
    k->ram[0] = value;
    k->status = (uint8_t)((k->status & ~STATUS_SYS) |
                          (value & CTR_SYS ? STATUS_SYS : 0));
    update_irqs(k);
    kick(k);
}

static void pulse_reset(struct kbc *k)
{
    line_set(&k->wires.reset, true);
    line_set(&k->wires.reset, false);
}

/* A low reset bit would hold the CPU for ever: it is given as a pulse. */
static void write_outport(struct kbc *k, uint8_t value)
{
    k->outport = (value & OUT_A20) | OUT_NOT_RESET;
    line_set(&k->wires.a20, value & OUT_A20);
    if (!(value & OUT_NOT_RESET))
        pulse_reset(k);
}

static uint8_t read_outport(const struct kbc *k)
{
    return (uint8_t)(k->outport | (is_irq(k, false) ? OUT_IRQ_KBD : 0) |
                     (is_irq(k, true) ? OUT_IRQ_AUX : 0));
}

static void send(struct kbc *k, struct ps2_port *p, uint8_t byte)
{
    if (p)
        ps2_send(p, byte);
    else
        answer(k, ANSWER_NO_DEVICE);
}

/* A byte for the keyboard turns its interface on. */
static void send_to_keyboard(struct kbc *k, uint8_t byte)
{
    k->ram[0] &= (uint8_t)~CTR_NO_KBD;
    k->break_prefix = false;
    send(k, k->wires.kbd, byte);
}

/* In place of a device, whatever the buffer held. */
static void fake(struct kbc *k, uint8_t byte, uint8_t source)
{
    k->status &= (uint8_t)~STATUS_OBF;
    update_irqs(k);
    fill(k, byte, source);
}

static void parameter(struct kbc *k, uint8_t command, uint8_t value)
{
    switch (command) {
    case CMD_WRITE_RAM: set_command_byte(k, value); break;
    case CMD_WRITE_OUTPUT: write_outport(k, value); break;
    case CMD_FAKE_KBD: fake(k, value, 0); break;
    case CMD_FAKE_AUX: fake(k, value, STATUS_AUX); break;
    case CMD_SEND_AUX: send(k, k->wires.aux, value); break;
    default: k->ram[command & (KBC_RAM - 1)] = value; break;
    }
}

static bool has_parameter(uint8_t command)
{
    return (command & 0xe0) == CMD_WRITE_RAM ||
           (command >= CMD_WRITE_OUTPUT && command <= CMD_SEND_AUX);
}

static void self_test(struct kbc *k)
{
    set_command_byte(k, k->ram[0] | CTR_SYS);
    answer(k, ANSWER_SELF_TEST);
}

/* The commands that have one code and no parameter. */
static void execute(struct kbc *k, uint8_t command)
{
    uint8_t ctr = k->ram[0];

    switch (command) {
    case CMD_TEST_PASSWORD: answer(k, ANSWER_NO_PASSWORD); break;
    case CMD_DISABLE_AUX: set_command_byte(k, ctr | CTR_NO_AUX); break;
    case CMD_ENABLE_AUX: set_command_byte(k, ctr & ~CTR_NO_AUX & 0xff); break;
    case CMD_TEST_AUX:
    case CMD_TEST_KBD: answer(k, ANSWER_TEST_OK); break;
    case CMD_SELF_TEST: self_test(k); break;
    case CMD_DISABLE_KBD: set_command_byte(k, ctr | CTR_NO_KBD); break;
    case CMD_ENABLE_KBD: set_command_byte(k, ctr & ~CTR_NO_KBD & 0xff); break;
    case CMD_READ_INPUT: answer(k, INPUT_PORT); break;
    case CMD_READ_OUTPUT: answer(k, read_outport(k)); break;
    case CMD_A20_OFF: write_outport(k, OUT_NOT_RESET); break;
    case CMD_A20_ON: write_outport(k, OUT_NOT_RESET | OUT_A20); break;
    case CMD_READ_TEST: answer(k, 0); break;
    default: log_guest("kbc: no command %02x", command);
    }
}

static void write_command(struct kbc *k, uint8_t command)
{
    k->command = 0;
    if (has_parameter(command))
        k->command = command;
    else if ((command & 0xe0) == CMD_READ_RAM)
        answer(k, k->ram[command & (KBC_RAM - 1)]);
    else if (command < CMD_PULSE)
        execute(k, command);
    else if (!(command & OUT_NOT_RESET))
        pulse_reset(k);
}

static void write_data(struct kbc *k, uint8_t value)
{
    uint8_t command = k->command;

    k->command = 0;
    if (has_parameter(command))
        parameter(k, command, value);
    else
        send_to_keyboard(k, value);
    kick(k);
}

static uint64_t data_read(void *dev, uint64_t offset, unsigned size)
{
    (void)offset;
    (void)size;
    return read_data(dev);
}

static void data_write(void *dev, uint64_t offset, uint64_t value,
                       unsigned size)
{
    struct kbc *k = dev;

    (void)offset;
    (void)size;
    k->status &= (uint8_t)~STATUS_CMD;
    write_data(k, (uint8_t)value);
}

static uint64_t status_read(void *dev, uint64_t offset, unsigned size)
{
    const struct kbc *k = dev;

    (void)offset;
    (void)size;
    return k->status;
}

static void command_write(void *dev, uint64_t offset, uint64_t value,
                          unsigned size)
{
    struct kbc *k = dev;

    (void)offset;
    (void)size;
    k->status |= STATUS_CMD;
    write_command(k, (uint8_t)value);
}

static void kbc_reset(void *dev)
{
    struct kbc *k = dev;

    timer_cancel(k->clk, &k->arrival);
    ring_reset(&k->answers);
    k->status = STATUS_UNLOCKED | STATUS_CMD;
    k->data = 0;
    k->command = 0;
    k->break_prefix = false;
    set_command_byte(k, CTR_RESET);
    write_outport(k, OUT_NOT_RESET | OUT_A20);
}

static void kbc_after_load(void *dev)
{
    struct kbc *k = dev;

    timer_set(k->clk, &k->arrival, k->arrival.when);
    line_set(&k->wires.a20, k->outport & OUT_A20);
    update_irqs(k);
    kick(k);
}

static const struct field kbc_state[] = {
    FIELD_BUFFER(struct kbc, ram),
    FIELD(struct kbc, status),
    FIELD(struct kbc, data),
    FIELD(struct kbc, command),
    FIELD(struct kbc, outport),
    FIELD(struct kbc, break_prefix),
    FIELD(struct kbc, answers.head),
    FIELD(struct kbc, answers.tail),
    FIELD_BUFFER(struct kbc, answers.data),
    FIELD_TIME(struct kbc, arrival),
    FIELD_END,
};

static const struct device_class kbc_class = {
    .name = "kbc",
    .reset = kbc_reset,
    .after_load = kbc_after_load,
    .state = kbc_state,
};

static const struct region_ops data_ops = {
    .read = data_read,
    .write = data_write,
    .max_size = 1,
};

static const struct region_ops command_ops = {
    .read = status_read,
    .write = command_write,
    .max_size = 1,
};

void kbc_init(struct kbc *k, struct space *io, uint16_t data, uint16_t command,
              struct clock *clk, const struct kbc_wires *wires)
{
    struct line ready = {device_ready, k, 0};

    *k = (struct kbc){.dev = {&kbc_class, "kbc"}, .clk = clk, .wires = *wires};
    timer_init(&k->arrival, byte_arrived, k);
    ports_map(io, (struct region){"kbc-data", data, 1, &data_ops, k});
    ports_map(io, (struct region){"kbc-command", command, 1, &command_ops, k});
    if (wires->kbd)
        ps2_listen(wires->kbd, ready);
    if (wires->aux)
        ps2_listen(wires->aux, ready);
    kbc_reset(k);
}
