#include <string.h>

#include "base/compiler.h"
#include "devices/ps2.h"

enum {
    CMD_SCALE_11 = 0xe6,
    CMD_SCALE_21 = 0xe7,
    CMD_RESOLUTION = 0xe8,
    CMD_STATUS = 0xe9,
    CMD_STREAM = 0xea,
    CMD_READ_DATA = 0xeb,
    CMD_UNWRAP = 0xec,
    CMD_WRAP = 0xee,
    CMD_REMOTE = 0xf0,
    CMD_IDENTIFY = 0xf2,
    CMD_RATE = 0xf3,
    CMD_ENABLE = 0xf4,
    CMD_DISABLE = 0xf5,
    CMD_DEFAULTS = 0xf6,
    CMD_RESEND = 0xfe,
    CMD_RESET = 0xff,
    REPLY_BAT_PASSED = 0xaa,
    REPLY_ACK = 0xfa,
    REPLY_NAK = 0xfe,
};

enum {
    PACKET_ALWAYS_1 = 0x08,
    PACKET_X_SIGN = 0x10,
    PACKET_Y_SIGN = 0x20,
    STATUS_SCALE_21 = 0x10,
    STATUS_ENABLED = 0x20,
    STATUS_REMOTE = 0x40,
    BUTTONS = 0x07,
    ID_WHEEL = 3,
    RATE_DEFAULT = 100,
    RESOLUTION_DEFAULT = 2,
    MAX_PACKET = 4,
    STREAM_LIMIT = 16 * MAX_PACKET,
    /* Motion beyond this is forgotten, as in the 9-bit counters it would
     * be sooner. */
    MAX_MOTION = 1 << 16,
};

struct packet {
    uint8_t size;
    uint8_t bytes[MAX_PACKET];
};

static int clamp(int64_t v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : (int)v;
}

static int32_t add_motion(int32_t sum, int more)
{
    return clamp((int64_t)sum + more, -MAX_MOTION, MAX_MOTION);
}

static int32_t take_motion(int32_t *sum, int lo, int hi)
{
    int32_t part = clamp(*sum, lo, hi);

    *sum -= part;
    return part;
}

/* 2:1 scaling, in stream mode only: "Mouse", table of command E7. */
static int32_t scaled(const struct ps2_mouse *m, int32_t v)
{
    static const int8_t small[6] = {0, 1, 1, 3, 6, 9};
    int32_t size = v < 0 ? -v : v;

    if (!m->scale21 || m->remote)
        return v;
    size = size < 6 ? small[size] : clamp(2 * size, 0, 255);
    return v < 0 ? -size : size;
}

/* The counters are 9 bits wide; the vertical one counts upwards. */
static struct packet next_packet(struct ps2_mouse *m)
{
    int32_t x = scaled(m, take_motion(&m->dx, -255, 255));
    int32_t y = scaled(m, -take_motion(&m->dy, -255, 255));
    int32_t z = take_motion(&m->dz, -8, 7);
    struct packet p = {.size = m->id == ID_WHEEL ? 4 : 3};

    p.bytes[0] = (uint8_t)(PACKET_ALWAYS_1 | m->buttons |
                           (x < 0 ? PACKET_X_SIGN : 0) |
                           (y < 0 ? PACKET_Y_SIGN : 0));
    p.bytes[1] = (uint8_t)x;
    p.bytes[2] = (uint8_t)y;
    p.bytes[3] = (uint8_t)z;
    m->reported = m->buttons;
    if (m->id != ID_WHEEL)
        m->dz = 0;
    return p;
}

static bool has_news(const struct ps2_mouse *m)
{
    return m->dx || m->dy || m->dz || m->buttons != m->reported;
}

static bool is_streaming(const struct ps2_mouse *m)
{
    return m->enabled && !m->remote && !m->wrap;
}

static void stream_packet(struct ps2_mouse *m)
{
    struct packet p;

    if (!is_streaming(m) || !has_news(m))
        return;
    if (ring_count(&m->port.stream) + MAX_PACKET > STREAM_LIMIT)
        return;
    p = next_packet(m);
    ps2_report(&m->port, p.bytes, p.size, STREAM_LIMIT);
}

static void mouse_drained(struct ps2_port *p)
{
    stream_packet(container_of(p, struct ps2_mouse, port));
}

/* Motion waits until the last report has been taken, and adds up. */
void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz)
{
    if (!m->enabled && !m->remote)
        return;
    m->dx = add_motion(m->dx, dx);
    m->dy = add_motion(m->dy, dy);
    m->dz = m->id == ID_WHEEL ? add_motion(m->dz, dz) : 0;
    if (!ring_count(&m->port.stream))
        stream_packet(m);
}

/* Each change is reported, or a quick click would be lost. */
void ps2_mouse_buttons(struct ps2_mouse *m, unsigned buttons)
{
    m->buttons = buttons & BUTTONS;
    stream_packet(m);
}

static void forget_motion(struct ps2_mouse *m)
{
    m->dx = m->dy = m->dz = 0;
    m->reported = m->buttons;
}

static void set_defaults(struct ps2_mouse *m)
{
    m->rate = RATE_DEFAULT;
    m->resolution = RESOLUTION_DEFAULT;
    m->scale21 = false;
    m->remote = false;
    m->enabled = false;
    m->knock = 0;
    forget_motion(m);
}

/* The sample rates 200, 100, 80 in a row turn the wheel on. */
static void set_rate(struct ps2_mouse *m, uint8_t rate)
{
    static const uint8_t secret[3] = {200, 100, 80};

    m->rate = rate;
    if (m->knock < sizeof(secret) && rate == secret[m->knock])
        m->knock++;
    else
        m->knock = rate == secret[0];
    if (m->knock < sizeof(secret))
        return;
    m->knock = 0;
    m->id = ID_WHEEL;
}

static void answer_status(struct ps2_mouse *m)
{
    uint8_t buttons = (uint8_t)((m->buttons & PS2_BUTTON_LEFT ? 4 : 0) |
                                (m->buttons & PS2_BUTTON_MIDDLE ? 2 : 0) |
                                (m->buttons & PS2_BUTTON_RIGHT ? 1 : 0));

    ps2_answer(&m->port,
               (uint8_t)(buttons | (m->scale21 ? STATUS_SCALE_21 : 0) |
                         (m->enabled ? STATUS_ENABLED : 0) |
                         (m->remote ? STATUS_REMOTE : 0)));
    ps2_answer(&m->port, m->resolution);
    ps2_answer(&m->port, m->rate);
}

static void answer_data(struct ps2_mouse *m)
{
    struct packet p = next_packet(m);

    for (unsigned i = 0; i < p.size; i++)
        ps2_answer(&m->port, p.bytes[i]);
}

static void answer_reset(struct ps2_mouse *m)
{
    m->id = 0;
    m->wrap = false;
    set_defaults(m);
    ps2_answer(&m->port, REPLY_BAT_PASSED);
    ps2_answer(&m->port, m->id);
}

/* False if there is no such command. */
static bool execute(struct ps2_mouse *m, uint8_t command)
{
    switch (command) {
    case CMD_SCALE_11:
    case CMD_SCALE_21: m->scale21 = command == CMD_SCALE_21; break;
    case CMD_RESOLUTION:
    case CMD_RATE: m->port.command = command; break;
    case CMD_STATUS: answer_status(m); break;
    case CMD_STREAM:
    case CMD_REMOTE:
        m->remote = command == CMD_REMOTE;
        forget_motion(m);
        break;
    case CMD_READ_DATA: answer_data(m); break;
    case CMD_UNWRAP: break;
    case CMD_WRAP: m->wrap = true; break;
    case CMD_IDENTIFY: ps2_answer(&m->port, m->id); break;
    case CMD_ENABLE:
    case CMD_DISABLE:
        m->enabled = command == CMD_ENABLE;
        forget_motion(m);
        break;
    case CMD_DEFAULTS: set_defaults(m); break;
    case CMD_RESET: answer_reset(m); break;
    default: return false;
    }
    return true;
}

static void parameter(struct ps2_mouse *m, uint8_t command, uint8_t value)
{
    ps2_answer(&m->port, REPLY_ACK);
    if (command == CMD_RATE)
        set_rate(m, value);
    else
        m->resolution = value & 3;
}

static void command(struct ps2_mouse *m, uint8_t command)
{
    if (command == CMD_RESEND) {
        ps2_answer(&m->port, m->port.last);
        return;
    }
    ps2_answer(&m->port, REPLY_ACK);
    if (execute(m, command))
        return;
    ring_reset(&m->port.reply);
    ps2_answer(&m->port, REPLY_NAK);
}

/* In wrap mode all but two commands come back.  A report that the host has
 * begun to take is given up, or its rest would follow the answer. */
static void mouse_receive(struct ps2_port *p, uint8_t byte)
{
    struct ps2_mouse *m = container_of(p, struct ps2_mouse, port);
    uint8_t waiting = p->command;

    p->command = 0;
    ps2_forget(p);
    if (m->wrap && byte != CMD_RESET && byte != CMD_UNWRAP) {
        ps2_answer(p, byte);
        return;
    }
    m->wrap = false;
    if (waiting)
        parameter(m, waiting, byte);
    else
        command(m, byte);
}

static void mouse_reset(void *dev)
{
    struct ps2_mouse *m = dev;

    m->port.command = 0;
    m->wrap = false;
    m->id = 0;
    set_defaults(m);
    ps2_forget(&m->port);
}

static void mouse_after_load(void *dev)
{
    struct ps2_mouse *m = dev;

    m->dx = add_motion(m->dx, 0);
    m->dy = add_motion(m->dy, 0);
    m->dz = add_motion(m->dz, 0);
    m->buttons &= BUTTONS;
    line_set(&m->port.ready, ps2_has_byte(&m->port));
}

static const struct field mouse_state[] = {
    FIELD(struct ps2_mouse, dx),
    FIELD(struct ps2_mouse, dy),
    FIELD(struct ps2_mouse, dz),
    FIELD(struct ps2_mouse, buttons),
    FIELD(struct ps2_mouse, reported),
    FIELD(struct ps2_mouse, id),
    FIELD(struct ps2_mouse, rate),
    FIELD(struct ps2_mouse, resolution),
    FIELD(struct ps2_mouse, knock),
    FIELD(struct ps2_mouse, enabled),
    FIELD(struct ps2_mouse, remote),
    FIELD(struct ps2_mouse, wrap),
    FIELD(struct ps2_mouse, scale21),
    FIELD(struct ps2_mouse, port.last),
    FIELD(struct ps2_mouse, port.command),
    FIELD(struct ps2_mouse, port.reply.head),
    FIELD(struct ps2_mouse, port.reply.tail),
    FIELD_BUFFER(struct ps2_mouse, port.reply.data),
    FIELD(struct ps2_mouse, port.stream.head),
    FIELD(struct ps2_mouse, port.stream.tail),
    FIELD_BUFFER(struct ps2_mouse, port.stream.data),
    FIELD_END,
};

static const struct device_class mouse_class = {
    .name = "ps2-mouse",
    .reset = mouse_reset,
    .after_load = mouse_after_load,
    .state = mouse_state,
};

void ps2_mouse_init(struct ps2_mouse *m)
{
    memset(m, 0, sizeof(*m));
    m->dev = (struct device){&mouse_class, "ps2-mouse"};
    m->port.receive = mouse_receive;
    m->port.drained = mouse_drained;
    mouse_reset(m);
}
