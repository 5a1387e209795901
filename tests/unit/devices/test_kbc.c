/* 8042: what operating systems probe, bytes in both directions, A20, reset. */
#include "devices/kbc.h"

#include "tests/unit/devices/rig.h"

enum { DATA = 0x60, COMMAND = 0x64 };
enum { OBF = 0x01, SYS = 0x04, AUX = 0x20 };
enum { KEY_A = 0x1c, KEY_UP = PS2_E0 | 0x75 };

struct bench {
    struct rig r;
    struct ps2_kbd kbd;
    struct ps2_mouse mouse;
    struct kbc k;
    struct wire irq_kbd, irq_aux, a20, reset;
};

static void bench_init(struct bench *b)
{
    struct kbc_wires wires = {
        .irq_kbd = wire_line(&b->irq_kbd),
        .irq_aux = wire_line(&b->irq_aux),
        .a20 = wire_line(&b->a20),
        .reset = wire_line(&b->reset),
        .kbd = &b->kbd.port,
        .aux = &b->mouse.port,
    };

    memset(b, 0, sizeof(*b));
    rig_init(&b->r);
    ps2_kbd_init(&b->kbd);
    ps2_mouse_init(&b->mouse);
    kbc_init(&b->k, &b->r.io, DATA, COMMAND, &b->r.clk, &wires);
}

static void bench_destroy(struct bench *b)
{
    rig_destroy(&b->r);
}

static uint8_t status(struct bench *b)
{
    return rig_in(&b->r, COMMAND);
}

static void command(struct bench *b, uint8_t byte)
{
    rig_out(&b->r, COMMAND, byte);
}

static void data(struct bench *b, uint8_t byte)
{
    rig_out(&b->r, DATA, byte);
}

/* Waits for a byte as a driver does, and takes it. */
static uint8_t next(struct bench *b)
{
    for (unsigned ms = 0; ms < 10 && !(status(b) & OBF); ms++)
        rig_run(&b->r, 1 * MS);
    ck_assert(status(b) & OBF);
    return rig_in(&b->r, DATA);
}

static void nothing_more(struct bench *b)
{
    rig_run(&b->r, 10 * MS);
    ck_assert(!(status(b) & OBF));
}

static uint8_t ask(struct bench *b, uint8_t byte)
{
    command(b, byte);
    ck_assert(status(b) & OBF);
    return rig_in(&b->r, DATA);
}

static void write_ctr(struct bench *b, uint8_t value)
{
    command(b, 0x60);
    data(b, value);
}

START_TEST(self_tests_pass)
{
    struct bench b;

    bench_init(&b);
    ck_assert(!(status(&b) & SYS));
    ck_assert_uint_eq(ask(&b, 0xaa), 0x55);
    ck_assert(status(&b) & SYS);
    ck_assert_uint_eq(ask(&b, 0xab), 0x00);
    ck_assert_uint_eq(ask(&b, 0xa9), 0x00);
    ck_assert_uint_eq(ask(&b, 0xa4), 0xf1);
    bench_destroy(&b);
}
END_TEST

START_TEST(the_command_byte_and_the_ram_read_back)
{
    struct bench b;

    bench_init(&b);
    write_ctr(&b, 0x65);
    ck_assert_uint_eq(ask(&b, 0x20), 0x65);
    command(&b, 0x7f);
    data(&b, 0x99);
    ck_assert_uint_eq(ask(&b, 0x3f), 0x99);
    command(&b, 0xad);
    ck_assert_uint_eq(ask(&b, 0x20), 0x75);
    command(&b, 0xae);
    ck_assert_uint_eq(ask(&b, 0x20), 0x65);
    bench_destroy(&b);
}
END_TEST

/* Linux, i8042_check_aux(): loopback, and the port's bit in the CTR. */
START_TEST(the_aux_port_is_found)
{
    struct bench b;

    bench_init(&b);
    write_ctr(&b, 0x70); /* both interfaces off, no interrupts */
    command(&b, 0xd3);
    data(&b, 0x5a);
    ck_assert_uint_eq(status(&b) & (OBF | AUX), OBF | AUX);
    ck_assert_uint_eq(rig_in(&b.r, DATA), 0x5a);
    command(&b, 0xa8);
    ck_assert_uint_eq(ask(&b, 0x20) & 0x20, 0);
    command(&b, 0xa7);
    ck_assert_uint_eq(ask(&b, 0x20) & 0x20, 0x20);
    write_ctr(&b, 0x52); /* test of the interrupt's delivery */
    command(&b, 0xd3);
    data(&b, 0xa5);
    ck_assert(b.irq_aux.level);
    ck_assert(!b.irq_kbd.level);
    ck_assert_uint_eq(rig_in(&b.r, DATA), 0xa5);
    ck_assert(!b.irq_aux.level);
    bench_destroy(&b);
}
END_TEST

/* Linux, i8042_set_mux_mode(): a multiplexer would answer its version. */
START_TEST(there_is_no_multiplexer)
{
    static const uint8_t knock[3] = {0xf0, 0x56, 0xa4};
    struct bench b;

    bench_init(&b);
    for (unsigned i = 0; i < 3; i++) {
        command(&b, 0xd3);
        data(&b, knock[i]);
        ck_assert_uint_eq(next(&b), knock[i]);
    }
    nothing_more(&b);
    bench_destroy(&b);
}
END_TEST

START_TEST(keys_arrive_translated_with_an_interrupt_each)
{
    struct bench b;

    bench_init(&b);
    ps2_kbd_press(&b.kbd, KEY_UP);
    ps2_kbd_release(&b.kbd, KEY_UP);
    ck_assert_uint_eq(next(&b), 0xe0);
    ck_assert_uint_eq(next(&b), 0x48);
    ck_assert_uint_eq(next(&b), 0xe0);
    ck_assert_uint_eq(next(&b), 0xc8);
    ck_assert_uint_eq(b.irq_kbd.rises, 4);
    ck_assert_uint_eq(b.irq_aux.rises, 0);
    write_ctr(&b, 0x01);
    ps2_kbd_release(&b.kbd, KEY_A);
    ck_assert_uint_eq(next(&b), 0xf0);
    ck_assert_uint_eq(next(&b), 0x1c);
    nothing_more(&b);
    bench_destroy(&b);
}
END_TEST

START_TEST(a_byte_can_be_read_twice_by_chained_handlers)
{
    struct bench b;

    bench_init(&b);
    ps2_kbd_press(&b.kbd, KEY_A);
    ps2_kbd_press(&b.kbd, KEY_UP);
    ck_assert_uint_eq(next(&b), 0x1e);
    rig_run(&b.r, 100 * US);
    ck_assert_uint_eq(rig_in(&b.r, DATA), 0x1e);
    ck_assert_uint_eq(next(&b), 0xe0);
    bench_destroy(&b);
}
END_TEST

START_TEST(the_keyboard_is_reset_and_identified_through_the_controller)
{
    struct bench b;

    bench_init(&b);
    data(&b, 0xff);
    ck_assert(!(status(&b) & OBF)); /* takes its time */
    ck_assert_uint_eq(next(&b), 0xfa);
    ck_assert_uint_eq(next(&b), 0xaa);
    data(&b, 0xf2);
    ck_assert_uint_eq(next(&b), 0xfa);
    ck_assert_uint_eq(next(&b), 0xab);
    ck_assert_uint_eq(next(&b), 0x41); /* 83, translated */
    nothing_more(&b);
    bench_destroy(&b);
}
END_TEST

START_TEST(the_mouse_is_marked_in_the_status)
{
    struct bench b;

    bench_init(&b);
    command(&b, 0xd4);
    data(&b, 0xf4);
    rig_run(&b.r, 1 * MS);
    ck_assert_uint_eq(status(&b) & (OBF | AUX), OBF | AUX);
    ck_assert(b.irq_aux.level);
    ck_assert_uint_eq(next(&b), 0xfa);
    ps2_mouse_move(&b.mouse, 1, 0, 0);
    ck_assert_uint_eq(next(&b), 0x08);
    ck_assert_uint_eq(next(&b), 0x01);
    ck_assert_uint_eq(next(&b), 0x00);
    ck_assert_uint_eq(b.irq_kbd.rises, 0);
    bench_destroy(&b);
}
END_TEST

START_TEST(a_disabled_port_holds_its_bytes)
{
    struct bench b;

    bench_init(&b);
    command(&b, 0xad);
    ps2_kbd_press(&b.kbd, KEY_A);
    nothing_more(&b);
    command(&b, 0xae);
    ck_assert_uint_eq(next(&b), 0x1e);
    command(&b, 0xad);
    data(&b, 0xee); /* a byte for the keyboard enables it */
    ck_assert_uint_eq(next(&b), 0xee);
    bench_destroy(&b);
}
END_TEST

START_TEST(an_answer_waits_until_the_buffer_is_read)
{
    struct bench b;

    bench_init(&b);
    ps2_kbd_press(&b.kbd, KEY_A);
    rig_run(&b.r, 1 * MS);
    command(&b, 0xaa);
    ck_assert_uint_eq(rig_in(&b.r, DATA), 0x1e);
    ck_assert_uint_eq(status(&b) & OBF, OBF);
    ck_assert_uint_eq(rig_in(&b.r, DATA), 0x55);
    ck_assert_uint_eq(b.irq_kbd.rises, 2);
    bench_destroy(&b);
}
END_TEST

START_TEST(the_output_port_drives_a20_and_reset)
{
    struct bench b;

    bench_init(&b);
    ck_assert(b.a20.level);
    command(&b, 0xd1);
    data(&b, 0xdd);
    ck_assert(!b.a20.level);
    ck_assert_uint_eq(ask(&b, 0xd0) & 0x03, 0x01);
    command(&b, 0xd1);
    data(&b, 0xdf);
    ck_assert(b.a20.level);
    command(&b, 0xdd);
    ck_assert(!b.a20.level);
    command(&b, 0xdf);
    ck_assert(b.a20.level);
    ck_assert_uint_eq(b.reset.rises, 0);
    command(&b, 0xff);
    ck_assert_uint_eq(b.reset.rises, 0);
    command(&b, 0xfe);
    ck_assert_uint_eq(b.reset.rises, 1);
    command(&b, 0xd1);
    data(&b, 0xde);
    ck_assert_uint_eq(b.reset.rises, 2);
    bench_destroy(&b);
}
END_TEST

START_TEST(a_socket_may_be_empty)
{
    struct bench b;
    struct kbc_wires none = {.irq_kbd = LINE_NONE};

    bench_init(&b);
    rig_destroy(&b.r);
    rig_init(&b.r);
    kbc_init(&b.k, &b.r.io, DATA, COMMAND, &b.r.clk, &none);
    data(&b, 0xff);
    ck_assert_uint_eq(next(&b), 0xfe);
    command(&b, 0xd4);
    data(&b, 0xff);
    ck_assert_uint_eq(next(&b), 0xfe);
    bench_destroy(&b);
}
END_TEST

START_TEST(state_survives_a_round_trip)
{
    struct bench a, b;

    bench_init(&a);
    ps2_kbd_press(&a.kbd, KEY_UP);
    rig_run(&a.r, 600 * US); /* E0 is there, 75 on its way */
    command(&a, 0xd4);
    bench_init(&b);
    carry_state(&a.kbd, &b.kbd);
    carry_state(&a.mouse, &b.mouse);
    carry_state(&a.k, &b.k);
    ck_assert(b.irq_kbd.level);
    data(&b, 0xf2);
    ck_assert_uint_eq(next(&b), 0xe0);
    ck_assert_uint_eq(next(&b), 0x48);
    ck_assert_uint_eq(next(&b), 0xfa);
    ck_assert_uint_eq(next(&b), 0x00);
    bench_destroy(&a);
    bench_destroy(&b);
}
END_TEST

START_TEST(any_bytes_and_any_state_are_harmless)
{
    struct bench b;
    uint32_t random = 1;

    bench_init(&b);
    for (unsigned i = 0; i < 256; i++) {
        load_garbage(&b.k, (uint8_t)i);
        for (unsigned step = 0; step < 200; step++) {
            random = random * 1664525 + 1013904223;
            rig_out(&b.r, random & 1 << 20 ? DATA : COMMAND,
                    (uint8_t)(random >> 24));
            ps2_kbd_press(&b.kbd, KEY_UP);
            ps2_mouse_move(&b.mouse, 1, 1, 1);
            clock_advance(&b.r.clk, 300 * US);
            clock_run(&b.r.clk);
            if (random & 1 << 21)
                rig_in(&b.r, DATA);
        }
    }
    bench_destroy(&b);
}
END_TEST

SUITE("kbc", self_tests_pass, the_command_byte_and_the_ram_read_back,
      the_aux_port_is_found, there_is_no_multiplexer,
      keys_arrive_translated_with_an_interrupt_each,
      a_byte_can_be_read_twice_by_chained_handlers,
      the_keyboard_is_reset_and_identified_through_the_controller,
      the_mouse_is_marked_in_the_status, a_disabled_port_holds_its_bytes,
      an_answer_waits_until_the_buffer_is_read,
      the_output_port_drives_a20_and_reset, a_socket_may_be_empty,
      state_survives_a_round_trip, any_bytes_and_any_state_are_harmless)
