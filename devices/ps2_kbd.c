#include <string.h>

#include "base/compiler.h"
#include "devices/ps2.h"

enum {
    CMD_LEDS = 0xed,
    CMD_ECHO = 0xee,
    CMD_SCAN_SET = 0xf0,
    CMD_IDENTIFY = 0xf2,
    CMD_TYPEMATIC = 0xf3,
    CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5,
    CMD_DEFAULTS = 0xf6,
    CMD_ALL_TYPEMATIC = 0xf7, /* F7-FA choose key types of set 3 */
    CMD_ALL_MAKE_TYPEMATIC = 0xfa,
    CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,
    REPLY_BAT_PASSED = 0xaa,
    REPLY_ACK = 0xfa,
    REPLY_RESEND = 0xfe,
};

enum {
    TYPEMATIC_DEFAULT = 0x2b, /* 500 ms, 10.9 a second */
    LED_BITS = 0x07,
    MAX_SEQUENCE = 8,
    /* Releases have room of their own, so that no key is left pressed. */
    PRESS_LIMIT = 128,
    RELEASE_LIMIT = 512,
};

struct sequence {
    uint8_t size;
    uint8_t bytes[MAX_SEQUENCE];
};

static const struct sequence print_press = {4, {0xe0, 0x12, 0xe0, 0x7c}};
static const struct sequence print_release = {
    6, {0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12}};
static const struct sequence pause_press = {
    8, {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77}};

static void append(struct sequence *s, uint8_t byte)
{
    s->bytes[s->size++] = byte;
}

static struct sequence key_sequence(uint16_t key, bool is_release)
{
    struct sequence s = {0};

    if ((key & 0xff00) == PS2_E0)
        append(&s, PS2_E0 >> 8);
    if (is_release)
        append(&s, PS2_BREAK);
    append(&s, (uint8_t)key);
    return s;
}

/* A keyboard in set 1 sends what a translating controller would make. */
static struct sequence in_set1(const struct sequence *set2)
{
    struct sequence s = {0};
    uint8_t release = 0;

    for (unsigned i = 0; i < set2->size; i++) {
        if (set2->bytes[i] == PS2_BREAK) {
            release = 0x80;
            continue;
        }
        append(&s, ps2_translate(set2->bytes[i]) | release);
        release = 0;
    }
    return s;
}

static void report(struct ps2_kbd *k, struct sequence s, size_t limit)
{
    if (!k->enabled)
        return;
    if (k->scan_set == 1)
        s = in_set1(&s);
    ps2_report(&k->port, s.bytes, s.size, limit);
}

void ps2_kbd_press(struct ps2_kbd *k, uint16_t key)
{
    struct sequence s = key_sequence(key, false);

    if (key == PS2_KEY_PRINT)
        s = print_press;
    if (key == PS2_KEY_PAUSE)
        s = pause_press;
    report(k, s, PRESS_LIMIT);
}

void ps2_kbd_release(struct ps2_kbd *k, uint16_t key)
{
    struct sequence s = key_sequence(key, true);

    if (key == PS2_KEY_PAUSE) /* sends nothing more */
        return;
    if (key == PS2_KEY_PRINT)
        s = print_release;
    report(k, s, RELEASE_LIMIT);
}

static void set_defaults(struct ps2_kbd *k)
{
    ps2_forget(&k->port);
    k->scan_set = 2;
    k->typematic = TYPEMATIC_DEFAULT;
}

static void parameter(struct ps2_kbd *k, uint8_t command, uint8_t value)
{
    ps2_answer(&k->port, REPLY_ACK);
    switch (command) {
    case CMD_LEDS: k->leds = value & LED_BITS; break;
    case CMD_TYPEMATIC: k->typematic = value; break;
    default: /* CMD_SCAN_SET */
        if (value == 0)
            ps2_answer(&k->port, k->scan_set);
        else if (value <= 2)
            k->scan_set = value;
    }
}

/* The commands without a parameter that change something. */
static void execute(struct ps2_kbd *k, uint8_t command)
{
    switch (command) {
    case CMD_RESET:
        k->leds = 0;
        k->enabled = true;
        set_defaults(k);
        break;
    case CMD_ENABLE:
        ps2_forget(&k->port);
        k->enabled = true;
        break;
    case CMD_DISABLE:
        set_defaults(k);
        k->enabled = false;
        break;
    case CMD_DEFAULTS: set_defaults(k); break;
    default: break;
    }
}

static bool is_known(uint8_t command)
{
    return (command >= CMD_IDENTIFY && command <= CMD_ALL_MAKE_TYPEMATIC) ||
           command == CMD_LEDS || command == CMD_SCAN_SET ||
           command == CMD_RESET;
}

static void command(struct ps2_kbd *k, uint8_t command)
{
    struct ps2_port *p = &k->port;

    if (command == CMD_ECHO || command == CMD_RESEND || !is_known(command)) {
        ps2_answer(p, command == CMD_ECHO     ? CMD_ECHO
                      : command == CMD_RESEND ? p->last
                                              : REPLY_RESEND);
        return;
    }
    execute(k, command);
    ps2_answer(p, REPLY_ACK);
    if (command == CMD_LEDS || command == CMD_SCAN_SET ||
        command == CMD_TYPEMATIC)
        p->command = command;
    if (command == CMD_RESET)
        ps2_answer(p, REPLY_BAT_PASSED);
    if (command == CMD_IDENTIFY) {
        ps2_answer(p, 0xab);
        ps2_answer(p, 0x83);
    }
}

/* A command where a parameter should be is taken as a command. */
static void kbd_receive(struct ps2_port *p, uint8_t byte)
{
    struct ps2_kbd *k = container_of(p, struct ps2_kbd, port);
    uint8_t waiting = p->command;

    p->command = 0;
    ring_reset(&p->reply);
    if (waiting && byte < CMD_LEDS)
        parameter(k, waiting, byte);
    else
        command(k, byte);
}

static void kbd_reset(void *dev)
{
    struct ps2_kbd *k = dev;

    k->port.command = 0;
    execute(k, CMD_RESET);
}

static void kbd_after_load(void *dev)
{
    struct ps2_kbd *k = dev;

    line_set(&k->port.ready, ps2_has_byte(&k->port));
}

static const struct field kbd_state[] = {
    FIELD(struct ps2_kbd, scan_set),
    FIELD(struct ps2_kbd, leds),
    FIELD(struct ps2_kbd, typematic),
    FIELD(struct ps2_kbd, enabled),
    FIELD(struct ps2_kbd, port.last),
    FIELD(struct ps2_kbd, port.command),
    FIELD(struct ps2_kbd, port.reply.head),
    FIELD(struct ps2_kbd, port.reply.tail),
    FIELD_BUFFER(struct ps2_kbd, port.reply.data),
    FIELD(struct ps2_kbd, port.stream.head),
    FIELD(struct ps2_kbd, port.stream.tail),
    FIELD_BUFFER(struct ps2_kbd, port.stream.data),
    FIELD_END,
};

static const struct device_class kbd_class = {
    .name = "ps2-kbd",
    .reset = kbd_reset,
    .after_load = kbd_after_load,
    .state = kbd_state,
};

void ps2_kbd_init(struct ps2_kbd *k)
{
    memset(k, 0, sizeof(*k));
    k->dev = (struct device){&kbd_class, "ps2-kbd"};
    k->port.receive = kbd_receive;
    kbd_reset(k);
}
