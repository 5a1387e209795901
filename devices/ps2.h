#ifndef DEVICES_PS2_H
#define DEVICES_PS2_H

/*
 * PS/2 keyboard and mouse, and the wire that joins them to their controller.
 * IBM PS/2 Hardware Interface Technical Reference, "Keyboard" and "Mouse";
 * Microsoft's IntelliMouse extension for the wheel.
 *
 * The front end presses keys and moves the mouse; the controller takes bytes
 * from `ps2_take` when it is ready for them and sends commands with ps2_send.
 * A device that cannot store an event drops the whole event, never part of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ring.h"
#include "devices/device.h"
#include "devices/line.h"

/* The device's side of the cable. */
struct ps2_port {
    void (*receive)(struct ps2_port *p, uint8_t byte); /* from the host */
    void (*drained)(struct ps2_port *p); /* stream is empty; may be NULL */
    struct line ready;  /* high while there is a byte to take */
    struct ring reply;  /* answers to commands, taken first */
    struct ring stream; /* key and motion reports */
    uint8_t last;       /* byte last taken, for "resend" */
    uint8_t command;    /* command that waits for its parameter, or 0 */
};

/* The controller's operations on it. */
void ps2_listen(struct ps2_port *p, struct line ready);
bool ps2_has_byte(const struct ps2_port *p);
bool ps2_take(struct ps2_port *p, uint8_t *byte); /* false if none */
void ps2_send(struct ps2_port *p, uint8_t byte);

/* Operations of the keyboard and the mouse on it.  The stream holds at most
 * `limit` bytes afterwards; false, storing nothing, if that is too few. */
void ps2_answer(struct ps2_port *p, uint8_t byte);
bool ps2_report(struct ps2_port *p, const uint8_t *bytes, size_t size,
                size_t limit);
void ps2_forget(struct ps2_port *p); /* drops all that was not yet taken */

/* The scan code of set 1 for one of set 2, as the controller and a keyboard
 * in set 1 have it; bytes that are no scan codes stay as they are. */
uint8_t ps2_translate(uint8_t set2);
enum { PS2_BREAK = 0xf0 }; /* set 2: the next code is of a key released */

/*
 * A key is its scan code of set 2, with PS2_E0 added where the code has the
 * prefix E0: A is 0x1c, right Ctrl is PS2_E0 | 0x14.  Two keys send sequences
 * of their own and have names.
 */
enum ps2_key {
    PS2_E0 = 0xe000,
    PS2_KEY_PRINT = PS2_E0 | 0x7c, /* Print Screen */
    PS2_KEY_PAUSE = 0xe177,
};

struct ps2_kbd {
    struct device dev;
    struct ps2_port port;
    uint8_t scan_set;  /* 1 or 2 */
    uint8_t leds;      /* bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock */
    uint8_t typematic; /* as set by command F3; the front end repeats keys */
    bool enabled;      /* scanning */
};

void ps2_kbd_init(struct ps2_kbd *k);
/* A press of a key that is down already is a typematic repeat. */
void ps2_kbd_press(struct ps2_kbd *k, uint16_t key);
void ps2_kbd_release(struct ps2_kbd *k, uint16_t key);

enum {
    PS2_BUTTON_LEFT = 1,
    PS2_BUTTON_RIGHT = 2,
    PS2_BUTTON_MIDDLE = 4,
};

struct ps2_mouse {
    struct device dev;
    struct ps2_port port;
    int32_t dx, dy, dz; /* motion not yet reported */
    uint8_t buttons;    /* PS2_BUTTON_x that are down */
    uint8_t reported;   /* those of the last report */
    uint8_t id;         /* 0 standard, 3 with a wheel */
    uint8_t rate;       /* samples a second */
    uint8_t resolution; /* 0-3: 1, 2, 4, 8 counts a millimetre */
    uint8_t knock;      /* how much of 200, 100, 80 has been heard */
    bool enabled, remote, wrap, scale21;
};

void ps2_mouse_init(struct ps2_mouse *m);
/* Counts to the right, down, and of the wheel towards the user. */
void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz);
/* PS2_BUTTON_x that are down from now on. */
void ps2_mouse_buttons(struct ps2_mouse *m, unsigned buttons);

#endif
