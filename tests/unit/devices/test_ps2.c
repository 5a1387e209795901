/* Keyboard and mouse at the end of their cables. */
#include "devices/ps2.h"

#include "tests/unit/devices/rig.h"

enum { ACK = 0xfa, KEY_A = 0x1c, KEY_UP = PS2_E0 | 0x75 };

/* All the bytes the device has, against those expected. */
#define EXPECT(port, ...)                           \
    do {                                            \
        const uint8_t expected_[] = {__VA_ARGS__};  \
                                                    \
        expect(port, expected_, sizeof(expected_)); \
    } while (0)

static void expect(struct ps2_port *p, const uint8_t *bytes, size_t size)
{
    uint8_t byte;

    for (size_t i = 0; i < size; i++) {
        ck_assert(ps2_take(p, &byte));
        ck_assert_uint_eq(byte, bytes[i]);
    }
    ck_assert(!ps2_has_byte(p));
}

static void drain(struct ps2_port *p)
{
    uint8_t byte;

    for (unsigned i = 0; i < RING_SIZE && ps2_take(p, &byte); i++)
        continue;
    ck_assert(!ps2_has_byte(p));
}

START_TEST(keys_send_set_2_sequences)
{
    struct ps2_kbd k;

    ps2_kbd_init(&k);
    ps2_kbd_press(&k, KEY_A);
    ps2_kbd_press(&k, KEY_A);
    ps2_kbd_release(&k, KEY_A);
    EXPECT(&k.port, 0x1c, 0x1c, 0xf0, 0x1c);
    ps2_kbd_press(&k, KEY_UP);
    ps2_kbd_release(&k, KEY_UP);
    EXPECT(&k.port, 0xe0, 0x75, 0xe0, 0xf0, 0x75);
    ps2_kbd_press(&k, PS2_KEY_PRINT);
    ps2_kbd_release(&k, PS2_KEY_PRINT);
    EXPECT(&k.port, 0xe0, 0x12, 0xe0, 0x7c, 0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12);
    ps2_kbd_press(&k, PS2_KEY_PAUSE);
    ps2_kbd_release(&k, PS2_KEY_PAUSE);
    EXPECT(&k.port, 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77);
}
END_TEST

START_TEST(scan_set_1_can_be_chosen_and_asked_for)
{
    struct ps2_kbd k;

    ps2_kbd_init(&k);
    ps2_send(&k.port, 0xf0);
    ps2_send(&k.port, 0x01);
    drain(&k.port);
    ps2_kbd_press(&k, KEY_UP);
    ps2_kbd_release(&k, KEY_UP);
    ps2_kbd_press(&k, PS2_KEY_PAUSE);
    EXPECT(&k.port, 0xe0, 0x48, 0xe0, 0xc8, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
    ps2_send(&k.port, 0xf0);
    EXPECT(&k.port, ACK);
    ps2_send(&k.port, 0x00);
    EXPECT(&k.port, ACK, 0x01);
}
END_TEST

START_TEST(keyboard_commands_answer)
{
    struct ps2_kbd k;

    ps2_kbd_init(&k);
    ps2_send(&k.port, 0xff);
    EXPECT(&k.port, ACK, 0xaa);
    ps2_send(&k.port, 0xf2);
    EXPECT(&k.port, ACK, 0xab, 0x83);
    ps2_send(&k.port, 0xfe);
    EXPECT(&k.port, 0x83);
    ps2_send(&k.port, 0xee);
    EXPECT(&k.port, 0xee);
    ps2_send(&k.port, 0xed);
    EXPECT(&k.port, ACK);
    ps2_send(&k.port, 0x05);
    EXPECT(&k.port, ACK);
    ck_assert_uint_eq(k.leds, 5);
    ps2_send(&k.port, 0xf3);
    ps2_send(&k.port, 0x00);
    EXPECT(&k.port, ACK);
    ck_assert_uint_eq(k.typematic, 0);
    ps2_send(&k.port, 0xf6);
    EXPECT(&k.port, ACK);
    ck_assert_uint_eq(k.typematic, 0x2b);
    ps2_send(&k.port, 0x12);
    EXPECT(&k.port, 0xfe);
}
END_TEST

START_TEST(a_command_instead_of_a_parameter_is_a_command)
{
    struct ps2_kbd k;

    ps2_kbd_init(&k);
    ps2_send(&k.port, 0xed);
    ps2_send(&k.port, 0xf2);
    EXPECT(&k.port, ACK, 0xab, 0x83);
    ps2_send(&k.port, 0x07);
    EXPECT(&k.port, 0xfe);
    ck_assert_uint_eq(k.leds, 0);
}
END_TEST

START_TEST(a_disabled_keyboard_is_silent)
{
    struct ps2_kbd k;

    ps2_kbd_init(&k);
    ps2_kbd_press(&k, KEY_A);
    ps2_send(&k.port, 0xf5);
    ps2_kbd_press(&k, KEY_A);
    EXPECT(&k.port, ACK);
    ps2_send(&k.port, 0xf4);
    ps2_kbd_press(&k, KEY_A);
    EXPECT(&k.port, ACK, KEY_A);
}
END_TEST

START_TEST(a_full_keyboard_drops_whole_presses_and_keeps_releases)
{
    struct ps2_kbd k;
    unsigned makes = 0, breaks = 0;
    uint8_t byte;

    ps2_kbd_init(&k);
    for (unsigned i = 0; i < 100; i++)
        ps2_kbd_press(&k, KEY_UP);
    ps2_kbd_release(&k, KEY_UP);
    while (ps2_take(&k.port, &byte)) {
        ck_assert_uint_eq(byte, 0xe0);
        ck_assert(ps2_take(&k.port, &byte));
        breaks += byte == 0xf0;
        makes += byte != 0xf0;
        if (byte == 0xf0)
            ck_assert(ps2_take(&k.port, &byte));
        ck_assert_uint_eq(byte, 0x75);
    }
    ck_assert_uint_eq(makes, 64);
    ck_assert_uint_eq(breaks, 1);
}
END_TEST

START_TEST(answers_come_before_keys)
{
    struct ps2_kbd k;

    ps2_kbd_init(&k);
    ps2_kbd_press(&k, KEY_A);
    ps2_send(&k.port, 0xee);
    EXPECT(&k.port, 0xee, KEY_A);
}
END_TEST

static void mouse_command(struct ps2_mouse *m, uint8_t byte)
{
    ps2_send(&m->port, byte);
    EXPECT(&m->port, ACK);
}

static void mouse_rate(struct ps2_mouse *m, uint8_t rate)
{
    mouse_command(m, 0xf3);
    mouse_command(m, rate);
}

START_TEST(a_mouse_reports_after_it_is_enabled)
{
    struct ps2_mouse m;

    ps2_mouse_init(&m);
    ps2_mouse_move(&m, 5, 5, 0);
    ck_assert(!ps2_has_byte(&m.port));
    mouse_command(&m, 0xf4);
    ps2_mouse_move(&m, 5, 3, 7);
    EXPECT(&m.port, 0x28, 5, 0xfd);
    ps2_mouse_move(&m, -1, -2, 0);
    EXPECT(&m.port, 0x18, 0xff, 2);
    ps2_mouse_buttons(&m, PS2_BUTTON_LEFT | PS2_BUTTON_MIDDLE);
    ps2_mouse_buttons(&m, 0);
    EXPECT(&m.port, 0x0d, 0, 0, 0x08, 0, 0);
}
END_TEST

START_TEST(motion_adds_up_until_it_can_be_reported)
{
    struct ps2_mouse m;

    ps2_mouse_init(&m);
    mouse_command(&m, 0xf4);
    ps2_mouse_move(&m, 1, 0, 0);
    for (unsigned i = 0; i < 100; i++)
        ps2_mouse_move(&m, 6, 0, 0);
    EXPECT(&m.port, 0x08, 1, 0, 0x08, 255, 0, 0x08, 255, 0, 0x08, 90, 0);
}
END_TEST

START_TEST(absurd_motion_is_bounded)
{
    struct ps2_mouse m;

    ps2_mouse_init(&m);
    mouse_command(&m, 0xf4);
    for (unsigned i = 0; i < 100; i++)
        ps2_mouse_move(&m, INT32_MAX, INT32_MIN, INT32_MIN);
    drain(&m.port);
    for (unsigned i = 0; i < 1000; i++)
        ps2_mouse_buttons(&m, i & 1);
    ck_assert_uint_le(ring_count(&m.port.stream), 64);
    drain(&m.port);
}
END_TEST

START_TEST(the_knock_turns_the_wheel_on)
{
    struct ps2_mouse m;

    ps2_mouse_init(&m);
    ps2_send(&m.port, 0xf2);
    EXPECT(&m.port, ACK, 0);
    mouse_rate(&m, 200);
    mouse_rate(&m, 200);
    mouse_rate(&m, 100);
    mouse_rate(&m, 80);
    ps2_send(&m.port, 0xf2);
    EXPECT(&m.port, ACK, 3);
    mouse_command(&m, 0xf4);
    ps2_mouse_move(&m, 0, 0, -1);
    EXPECT(&m.port, 0x08, 0, 0, 0xff);
    ps2_send(&m.port, 0xff);
    EXPECT(&m.port, ACK, 0xaa, 0x00);
    ps2_send(&m.port, 0xf2);
    EXPECT(&m.port, ACK, 0);
}
END_TEST

START_TEST(mouse_status_remote_mode_and_wrap_mode)
{
    struct ps2_mouse m;

    ps2_mouse_init(&m);
    mouse_command(&m, 0xe8);
    mouse_command(&m, 3);
    mouse_command(&m, 0xe7);
    mouse_command(&m, 0xf0);
    ps2_mouse_buttons(&m, PS2_BUTTON_LEFT);
    ps2_send(&m.port, 0xe9);
    EXPECT(&m.port, ACK, 0x54, 3, 100);
    ps2_mouse_move(&m, 2, 0, 0);
    ps2_send(&m.port, 0xeb);
    EXPECT(&m.port, ACK, 0x09, 2, 0);
    mouse_command(&m, 0xee);
    ps2_send(&m.port, 0xf4);
    EXPECT(&m.port, 0xf4);
    mouse_command(&m, 0xec);
    ps2_send(&m.port, 0x55);
    EXPECT(&m.port, 0xfe);
}
END_TEST

START_TEST(scaling_2_to_1_follows_the_table)
{
    static const uint8_t table[8] = {0, 1, 1, 3, 6, 9, 12, 14};
    struct ps2_mouse m;

    ps2_mouse_init(&m);
    mouse_command(&m, 0xf4);
    mouse_command(&m, 0xe7);
    for (uint8_t v = 1; v < 8; v++) {
        ps2_mouse_move(&m, v, v, 0);
        EXPECT(&m.port, 0x28, table[v], (uint8_t)-table[v]);
    }
}
END_TEST

START_TEST(a_command_ends_a_report_half_way)
{
    struct ps2_mouse m;
    uint8_t byte;

    ps2_mouse_init(&m);
    mouse_command(&m, 0xf4);
    ps2_mouse_move(&m, 1, 1, 0);
    ck_assert(ps2_take(&m.port, &byte));
    mouse_command(&m, 0xf5);
}
END_TEST

START_TEST(state_survives_a_round_trip)
{
    struct ps2_kbd k, k2;
    struct ps2_mouse m, m2;

    ps2_kbd_init(&k);
    ps2_kbd_init(&k2);
    ps2_kbd_press(&k, KEY_A);
    ps2_send(&k.port, 0xed);
    carry_state(&k, &k2);
    EXPECT(&k2.port, ACK, KEY_A);
    ps2_send(&k2.port, 0x02);
    ck_assert_uint_eq(k2.leds, 2);
    ps2_mouse_init(&m);
    ps2_mouse_init(&m2);
    mouse_command(&m, 0xf4);
    ps2_mouse_move(&m, 1, 0, 0);
    ps2_mouse_move(&m, 300, 0, 0);
    carry_state(&m, &m2);
    EXPECT(&m2.port, 0x08, 1, 0, 0x08, 255, 0, 0x08, 45, 0);
}
END_TEST

START_TEST(any_loaded_bytes_are_harmless)
{
    struct ps2_kbd k;
    struct ps2_mouse m;

    ps2_kbd_init(&k);
    ps2_mouse_init(&m);
    for (unsigned i = 0; i < 256; i++) {
        load_garbage(&k, (uint8_t)i);
        load_garbage(&m, (uint8_t)i);
        ps2_kbd_press(&k, KEY_A);
        ps2_mouse_move(&m, 1000, 1000, 1000);
        for (unsigned byte = 0; byte < 256; byte++) {
            ps2_send(&k.port, (uint8_t)byte);
            ps2_send(&m.port, (uint8_t)byte);
        }
        drain(&k.port);
        drain(&m.port);
    }
}
END_TEST

SUITE("ps2", keys_send_set_2_sequences, scan_set_1_can_be_chosen_and_asked_for,
      keyboard_commands_answer, a_command_instead_of_a_parameter_is_a_command,
      a_disabled_keyboard_is_silent,
      a_full_keyboard_drops_whole_presses_and_keeps_releases,
      answers_come_before_keys, a_mouse_reports_after_it_is_enabled,
      motion_adds_up_until_it_can_be_reported, absurd_motion_is_bounded,
      the_knock_turns_the_wheel_on, mouse_status_remote_mode_and_wrap_mode,
      scaling_2_to_1_follows_the_table, a_command_ends_a_report_half_way,
      state_survives_a_round_trip, any_loaded_bytes_are_harmless)
