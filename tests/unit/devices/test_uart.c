/* 16550A: what drivers probe for, interrupts and their order, both FIFOs. */
#include "devices/uart.h"

#include "tests/unit/devices/rig.h"

enum { BASE = 0x3f8 };
enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
enum { FCR = IIR };
enum { RDA = 1, THRE = 2, RLS = 4, MODEM = 8 };
enum { DTR = 1, RTS = 2, OUT1 = 4, OUT2 = 8, LOOP = 0x10, DLAB = 0x80 };

struct bench {
    struct rig r;
    struct uart u;
    struct wire irq;
    struct terminal t;
};

static void bench_init(struct bench *b)
{
    *b = (struct bench){.irq = {false, 0}};
    rig_init(&b->r);
    terminal_init(&b->t);
    ck_assert(uart_init(&b->u, "com1", &b->r.io, BASE, &b->r.clk,
                        wire_line(&b->irq)));
    uart_connect(&b->u, &b->t.chr);
}

static uint8_t get(struct bench *b, unsigned reg)
{
    return rig_in(&b->r, (uint16_t)(BASE + reg));
}

static void put(struct bench *b, unsigned reg, uint8_t value)
{
    rig_out(&b->r, (uint16_t)(BASE + reg), value);
}

START_TEST(two_ports_cannot_share_an_address)
{
    struct bench b;
    struct uart second;

    bench_init(&b);
    ck_assert(
        !uart_init(&second, "com2", &b.r.io, BASE + 4, &b.r.clk, LINE_NONE));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(bytes_go_out_at_once_and_the_transmitter_stays_empty)
{
    struct bench b;

    bench_init(&b);
    ck_assert_uint_eq(get(&b, LSR), 0x60);
    put(&b, DATA, 'o');
    ck_assert_uint_eq(get(&b, LSR), 0x60);
    put(&b, DATA, 'k');
    ck_assert_uint_eq(b.t.out_size, 2);
    ck_assert_mem_eq(b.t.out, "ok", 2);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_divisor_hides_behind_dlab)
{
    struct bench b;

    bench_init(&b);
    put(&b, LCR, DLAB | 3);
    put(&b, DATA, 0x34);
    put(&b, IER, 0x12);
    ck_assert_uint_eq(get(&b, DATA), 0x34);
    ck_assert_uint_eq(get(&b, IER), 0x12);
    put(&b, LCR, 3);
    ck_assert_uint_eq(get(&b, IER), 0);
    ck_assert_uint_eq(b.u.divisor, 0x1234);
    ck_assert_uint_eq(b.t.out_size, 0);
    rig_destroy(&b.r);
}
END_TEST

/* Linux, autoconfig(): the registers that tell the family members apart. */
START_TEST(probing_finds_a_16550a_and_nothing_later)
{
    struct bench b;

    bench_init(&b);
    put(&b, IER, 0);
    put(&b, IER, 0x0f);
    ck_assert_uint_eq(get(&b, IER), 0x0f);
    put(&b, IER, 0xff);
    ck_assert_uint_eq(get(&b, IER), 0x0f);
    put(&b, IER, 0);
    put(&b, MCR, LOOP | OUT2 | RTS);
    ck_assert_uint_eq(get(&b, MSR) & 0xf0, 0x90);
    put(&b, MCR, 0);
    put(&b, LCR, 0xbf);
    put(&b, FCR, 0);
    put(&b, LCR, 0);
    put(&b, FCR, 1);
    ck_assert_uint_eq(get(&b, IIR) & 0xc0, 0xc0);
    put(&b, LCR, DLAB);
    ck_assert_uint_ne(get(&b, FCR), 0); /* 16650: 0 */
    put(&b, FCR, 0x21);
    ck_assert_uint_eq(get(&b, IIR) >> 5, 6); /* 16750: 7 */
    put(&b, LCR, 0);
    put(&b, SCR, 0xa5);
    ck_assert_uint_eq(get(&b, SCR), 0xa5);
    rig_destroy(&b.r);
}
END_TEST

/* Linux, serial8250_do_startup(): tests for chips with broken THRE. */
START_TEST(enabling_thre_raises_it_each_time)
{
    struct bench b;

    bench_init(&b);
    put(&b, MCR, OUT2);
    for (unsigned i = 0; i < 2; i++) {
        put(&b, IER, THRE);
        ck_assert(b.irq.level);
        ck_assert_uint_eq(get(&b, IIR), 0x02);
        ck_assert(!b.irq.level);
        ck_assert_uint_eq(get(&b, IIR), 0x01);
        put(&b, IER, 0);
    }
    rig_destroy(&b.r);
}
END_TEST

START_TEST(each_byte_sent_makes_a_new_edge)
{
    struct bench b;

    bench_init(&b);
    put(&b, MCR, OUT2);
    put(&b, IER, THRE);
    for (unsigned i = 0; i < 5; i++)
        put(&b, DATA, 'x'); /* a driver that never reads the IIR */
    ck_assert_uint_eq(b.irq.rises, 6);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(out2_connects_the_interrupt)
{
    struct bench b;

    bench_init(&b);
    put(&b, IER, THRE);
    ck_assert(!b.irq.level);
    put(&b, MCR, OUT2);
    ck_assert(b.irq.level);
    put(&b, MCR, 0);
    ck_assert(!b.irq.level);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(without_fifo_one_byte_at_a_time_each_with_an_edge)
{
    struct bench b;

    bench_init(&b);
    put(&b, MCR, OUT2);
    put(&b, IER, RDA);
    terminal_type(&b.t, "abc", 3);
    ck_assert_uint_eq(b.t.in_size, 2);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(b.irq.level);
        ck_assert_uint_eq(get(&b, IIR), 0x04);
        ck_assert_uint_eq(get(&b, LSR), 0x61);
        ck_assert_uint_eq(get(&b, DATA), 'a' + i);
    }
    ck_assert_uint_eq(b.irq.rises, 3);
    ck_assert(!b.irq.level);
    ck_assert_uint_eq(get(&b, LSR), 0x60);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_fifo_takes_16_bytes_and_the_rest_waits)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";
    struct bench b;

    bench_init(&b);
    put(&b, FCR, 1);
    terminal_type(&b.t, text, 26);
    ck_assert_uint_eq(b.t.in_size, 10);
    for (unsigned i = 0; i < 26; i++) {
        ck_assert_uint_eq(get(&b, LSR), 0x61);
        ck_assert_uint_eq(get(&b, DATA), 'a' + i);
    }
    ck_assert_uint_eq(get(&b, LSR), 0x60);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_trigger_level_and_the_timeout_below_it)
{
    struct bench b;

    bench_init(&b);
    put(&b, LCR, DLAB | 3);
    put(&b, DATA, 1);
    put(&b, LCR, 3);
    put(&b, FCR, 0x81); /* 8 bytes */
    put(&b, MCR, OUT2);
    put(&b, IER, RDA);
    terminal_type(&b.t, "1234567", 7);
    ck_assert(!b.irq.level);
    rig_run(&b.r, 347 * US); /* 4 * 10 bits at 115200 */
    ck_assert(!b.irq.level);
    rig_run(&b.r, 1 * US);
    ck_assert(b.irq.level);
    ck_assert_uint_eq(get(&b, IIR), 0xcc);
    get(&b, DATA);
    ck_assert(!b.irq.level);
    terminal_type(&b.t, "89", 2);
    ck_assert_uint_eq(get(&b, IIR), 0xc4);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(clearing_the_fifo_drops_its_bytes)
{
    struct bench b;

    bench_init(&b);
    put(&b, FCR, 1);
    terminal_type(&b.t, "abc", 3);
    put(&b, FCR, 3);
    ck_assert_uint_eq(get(&b, LSR), 0x60);
    rig_run(&b.r, 100 * MS);
    ck_assert_uint_eq(get(&b, IIR), 0xc1);
    terminal_type(&b.t, "d", 1);
    put(&b, FCR, 0); /* so does switching it off */
    ck_assert_uint_eq(get(&b, LSR), 0x60);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(loopback_feeds_the_receiver_and_keeps_the_host_out)
{
    struct bench b;

    bench_init(&b);
    put(&b, FCR, 1);
    put(&b, MCR, LOOP);
    terminal_type(&b.t, "host", 4);
    put(&b, DATA, 0x5a);
    ck_assert_uint_eq(b.t.out_size, 0);
    ck_assert_uint_eq(get(&b, DATA), 0x5a);
    ck_assert_uint_eq(get(&b, LSR), 0x60);
    put(&b, MCR, 0);
    ck_assert_uint_eq(get(&b, DATA), 'h');
    rig_destroy(&b.r);
}
END_TEST

START_TEST(loopback_overruns_like_the_wire)
{
    struct bench b;

    bench_init(&b);
    put(&b, FCR, 1);
    put(&b, MCR, LOOP | OUT2);
    put(&b, IER, RLS | RDA);
    for (uint8_t i = 0; i < 17; i++)
        put(&b, DATA, i);
    ck_assert_uint_eq(get(&b, IIR), 0xc6);
    ck_assert_uint_eq(get(&b, LSR), 0x63);
    ck_assert_uint_eq(get(&b, IIR), 0xc4);
    for (uint8_t i = 0; i < 16; i++)
        ck_assert_uint_eq(get(&b, DATA), i);
    put(&b, FCR, 0);
    put(&b, DATA, 1);
    put(&b, DATA, 2);
    ck_assert_uint_eq(get(&b, LSR), 0x63);
    ck_assert_uint_eq(get(&b, DATA), 2);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(modem_status_reports_changes_once)
{
    struct bench b;

    bench_init(&b);
    get(&b, MSR);
    ck_assert_uint_eq(get(&b, MSR), 0xb0);
    put(&b, IER, MODEM);
    put(&b, MCR, LOOP | OUT2 | OUT1);
    ck_assert(b.irq.level);
    ck_assert_uint_eq(get(&b, IIR), 0x00);
    ck_assert_uint_eq(get(&b, MSR), 0xc3); /* CTS, DSR fell; RI rose: no TERI */
    ck_assert(!b.irq.level);
    put(&b, MCR, LOOP | OUT2);
    ck_assert_uint_eq(get(&b, MSR), 0x84); /* TERI */
    put(&b, MCR, LOOP | OUT2 | DTR | RTS);
    ck_assert_uint_eq(get(&b, MSR), 0xb3);
    uart_connect(&b.u, NULL);
    put(&b, MCR, 0);
    ck_assert_uint_eq(get(&b, MSR) & 0xf0, 0);
    put(&b, DATA, 'x'); /* to nobody */
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_highest_source_is_reported_first)
{
    struct bench b;

    bench_init(&b);
    put(&b, FCR, 1);
    put(&b, MCR, LOOP);
    get(&b, MSR);
    put(&b, MCR, LOOP | RTS);
    put(&b, IER, 0x0f);
    for (unsigned i = 0; i < 17; i++)
        put(&b, DATA, 0);
    ck_assert_uint_eq(get(&b, IIR), 0xc6);
    get(&b, LSR);
    ck_assert_uint_eq(get(&b, IIR), 0xc4);
    put(&b, FCR, 3);
    ck_assert_uint_eq(get(&b, IIR), 0xc2);
    ck_assert_uint_eq(get(&b, IIR), 0xc0);
    get(&b, MSR);
    ck_assert_uint_eq(get(&b, IIR), 0xc1);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(state_survives_a_round_trip)
{
    struct bench a, b;

    bench_init(&a);
    put(&a, FCR, 0x81);
    put(&a, MCR, OUT2);
    put(&a, IER, RDA);
    terminal_type(&a.t, "xyz", 3);
    bench_init(&b);
    carry_state(&a.u, &b.u);
    rig_run(&b.r, 10 * MS);
    ck_assert(b.irq.level);
    ck_assert_uint_eq(get(&b, DATA), 'x');
    ck_assert_uint_eq(get(&b, DATA), 'y');
    for (unsigned i = 0; i < 256; i++) {
        load_garbage(&b.u, (uint8_t)i);
        terminal_type(&b.t, "abc", 3);
        for (unsigned reg = 0; reg < 8; reg++)
            get(&b, reg);
        put(&b, FCR, 3);
        put(&b, DATA, 0);
        rig_run(&b.r, 100 * MS);
    }
    rig_destroy(&a.r);
    rig_destroy(&b.r);
}
END_TEST

SUITE("uart", two_ports_cannot_share_an_address,
      bytes_go_out_at_once_and_the_transmitter_stays_empty,
      the_divisor_hides_behind_dlab, probing_finds_a_16550a_and_nothing_later,
      enabling_thre_raises_it_each_time, each_byte_sent_makes_a_new_edge,
      out2_connects_the_interrupt,
      without_fifo_one_byte_at_a_time_each_with_an_edge,
      the_fifo_takes_16_bytes_and_the_rest_waits,
      the_trigger_level_and_the_timeout_below_it,
      clearing_the_fifo_drops_its_bytes,
      loopback_feeds_the_receiver_and_keeps_the_host_out,
      loopback_overruns_like_the_wire, modem_status_reports_changes_once,
      the_highest_source_is_reported_first, state_survives_a_round_trip)
