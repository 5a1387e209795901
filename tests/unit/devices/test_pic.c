/* Two 8259A: priorities, ends of interrupt, triggering, cascade. */
#include "devices/pic.h"

#include "tests/unit/devices/rig.h"

enum { BASE = 0x20, SLAVE_BASE = 0xa0, ELCR = 0x4d0 };
enum { EOI = 0x20, READ_IRR = 0x0a, READ_ISR = 0x0b, POLL = 0x0c };

struct bench {
    struct rig r;
    struct pic pic;
    struct wire intr;
};

static void set_irq(struct bench *b, unsigned irq, bool level)
{
    struct line l = pic_line(&b->pic, irq);

    line_set(&l, level);
}

static void program(struct bench *b, uint16_t base, uint8_t vector,
                    uint8_t icw3, uint8_t icw4)
{
    rig_out(&b->r, base, 0x11);
    rig_out(&b->r, base + 1, vector);
    rig_out(&b->r, base + 1, icw3);
    rig_out(&b->r, base + 1, icw4);
}

/* As a PC's firmware does: vectors 08-0f and 70-77, nothing masked. */
static void bench_init(struct bench *b, uint8_t icw4)
{
    *b = (struct bench){.intr = {false, 0}};
    rig_init(&b->r);
    pic_init(&b->pic, &b->r.io, BASE, SLAVE_BASE, ELCR, wire_line(&b->intr));
    program(b, BASE, 0x08, 0x04, icw4);
    program(b, SLAVE_BASE, 0x70, 0x02, icw4);
}

static uint8_t read_by(struct bench *b, uint16_t base, uint8_t ocw3)
{
    rig_out(&b->r, base, ocw3);
    return rig_in(&b->r, base);
}

START_TEST(a_request_gives_its_vector_once)
{
    struct bench b;

    bench_init(&b, 0x01);
    set_irq(&b, 4, true);
    ck_assert(b.intr.level);
    ck_assert_uint_eq(read_by(&b, BASE, READ_IRR), 0x10);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0c);
    ck_assert(!b.intr.level);
    ck_assert_uint_eq(read_by(&b, BASE, READ_IRR), 0);
    ck_assert_uint_eq(read_by(&b, BASE, READ_ISR), 0x10);
    rig_out(&b.r, BASE, EOI);
    ck_assert_uint_eq(rig_in(&b.r, BASE), 0);
    ck_assert(!b.intr.level);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_lower_input_goes_first_and_holds_back_the_higher)
{
    struct bench b;

    bench_init(&b, 0x01);
    set_irq(&b, 5, true);
    set_irq(&b, 3, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0b);
    ck_assert(!pic_pending(&b.pic));
    set_irq(&b, 1, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x09);
    rig_out(&b.r, BASE, EOI); /* of 1 */
    ck_assert(!pic_pending(&b.pic));
    rig_out(&b.r, BASE, EOI); /* of 3 */
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0d);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_mask_holds_a_request_back_but_keeps_it)
{
    struct bench b;

    bench_init(&b, 0x01);
    rig_out(&b.r, BASE + 1, 0x10);
    set_irq(&b, 4, true);
    ck_assert(!b.intr.level);
    ck_assert_uint_eq(rig_in(&b.r, BASE + 1), 0x10);
    rig_out(&b.r, BASE + 1, 0x00);
    ck_assert(b.intr.level);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(an_input_that_falls_withdraws_its_request)
{
    struct bench b;

    bench_init(&b, 0x01);
    set_irq(&b, 4, true);
    set_irq(&b, 4, false);
    ck_assert(!b.intr.level);
    /* The CPU was too quick: spurious, nothing in service. */
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0f);
    ck_assert_uint_eq(read_by(&b, BASE, READ_ISR), 0);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(an_edge_input_that_stays_high_asks_once)
{
    struct bench b;

    bench_init(&b, 0x01);
    set_irq(&b, 4, true);
    pic_ack(&b.pic);
    rig_out(&b.r, BASE, EOI);
    set_irq(&b, 4, true);
    ck_assert(!pic_pending(&b.pic));
    set_irq(&b, 4, false);
    set_irq(&b, 4, true);
    ck_assert(pic_pending(&b.pic));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(a_level_input_asks_until_it_falls)
{
    struct bench b;

    bench_init(&b, 0x01);
    rig_out(&b.r, ELCR + 1, 0x08); /* IRQ 11 */
    set_irq(&b, 11, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x73);
    rig_out(&b.r, SLAVE_BASE, EOI);
    rig_out(&b.r, BASE, EOI);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x73);
    set_irq(&b, 11, false);
    rig_out(&b.r, SLAVE_BASE, EOI);
    rig_out(&b.r, BASE, EOI);
    ck_assert(!pic_pending(&b.pic));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(elcr_leaves_the_isa_only_inputs_edge_triggered)
{
    struct bench b;

    bench_init(&b, 0x01);
    rig_out(&b.r, ELCR, 0xff);
    rig_out(&b.r, ELCR + 1, 0xff);
    ck_assert_uint_eq(rig_in(&b.r, ELCR), 0xf8);
    ck_assert_uint_eq(rig_in(&b.r, ELCR + 1), 0xde);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(the_slave_answers_through_input_2)
{
    struct bench b;

    bench_init(&b, 0x01);
    set_irq(&b, 12, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x74);
    ck_assert_uint_eq(read_by(&b, BASE, READ_ISR), 0x04);
    ck_assert_uint_eq(read_by(&b, SLAVE_BASE, READ_ISR), 0x10);
    /* The second of two requests makes an edge of its own. */
    set_irq(&b, 14, true);
    rig_out(&b.r, SLAVE_BASE, EOI);
    rig_out(&b.r, BASE, EOI);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x76);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(a_spurious_request_of_the_slave_is_irq_15)
{
    struct bench b;

    bench_init(&b, 0x01);
    set_irq(&b, 12, true);
    b.pic.chip[1].edges = 0; /* gone, while the CPU was on its way */
    ck_assert_uint_eq(pic_ack(&b.pic), 0x77);
    ck_assert_uint_eq(read_by(&b, SLAVE_BASE, READ_ISR), 0);
    ck_assert_uint_eq(read_by(&b, BASE, READ_ISR), 0x04);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(automatic_eoi_leaves_nothing_in_service)
{
    struct bench b;

    bench_init(&b, 0x03);
    set_irq(&b, 9, true);
    set_irq(&b, 10, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x71);
    ck_assert_uint_eq(read_by(&b, BASE, READ_ISR), 0);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x72);
    ck_assert(!pic_pending(&b.pic));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(rotating_gives_the_served_input_the_lowest_priority)
{
    struct bench b;

    bench_init(&b, 0x01);
    set_irq(&b, 3, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0b);
    rig_out(&b.r, BASE, 0xa0); /* rotate on non-specific EOI */
    set_irq(&b, 3, false);
    set_irq(&b, 3, true);
    set_irq(&b, 7, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0f);
    rig_out(&b.r, BASE, EOI);
    rig_out(&b.r, BASE, 0xc6); /* 6 is the lowest: 7 the highest */
    set_irq(&b, 7, false);
    set_irq(&b, 7, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0f);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(rotation_in_automatic_eoi_can_be_switched)
{
    struct bench b;

    bench_init(&b, 0x03);
    rig_out(&b.r, BASE, 0x80);
    set_irq(&b, 3, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0b);
    set_irq(&b, 3, false);
    set_irq(&b, 3, true);
    set_irq(&b, 6, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0e);
    rig_out(&b.r, BASE, 0x00);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0b);
    ck_assert_uint_eq(b.pic.chip[0].lowest, 6);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(a_specific_eoi_ends_the_level_it_names)
{
    struct bench b;

    bench_init(&b, 0x01);
    set_irq(&b, 5, true);
    pic_ack(&b.pic);
    set_irq(&b, 1, true);
    pic_ack(&b.pic);
    rig_out(&b.r, BASE, 0x65);
    ck_assert_uint_eq(read_by(&b, BASE, READ_ISR), 0x02);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(special_mask_mode_lets_lower_priorities_in)
{
    struct bench b;

    bench_init(&b, 0x01);
    set_irq(&b, 3, true);
    pic_ack(&b.pic);
    rig_out(&b.r, BASE + 1, 0x08);
    set_irq(&b, 6, true);
    ck_assert(!pic_pending(&b.pic));
    rig_out(&b.r, BASE, 0x68);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x0e);
    /* A non-specific EOI passes the masked level by. */
    rig_out(&b.r, BASE, EOI);
    ck_assert_uint_eq(read_by(&b, BASE, READ_ISR), 0x08);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(special_fully_nested_mode_lets_the_slave_interrupt_itself)
{
    struct bench b;

    bench_init(&b, 0x01);
    program(&b, BASE, 0x08, 0x04, 0x11);
    set_irq(&b, 12, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x74);
    set_irq(&b, 8, true);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x70);
    set_irq(&b, 5, true);
    ck_assert(!pic_pending(&b.pic));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(a_poll_is_an_acknowledge)
{
    struct bench b;

    bench_init(&b, 0x01);
    ck_assert_uint_eq(read_by(&b, BASE, POLL), 0);
    set_irq(&b, 6, true);
    ck_assert_uint_eq(read_by(&b, BASE, POLL), 0x86);
    ck_assert_uint_eq(read_by(&b, BASE, READ_ISR), 0x40);
    ck_assert(!b.intr.level);
    rig_destroy(&b.r);
}
END_TEST

START_TEST(initialising_forgets_edges_and_asks_nothing_until_it_ends)
{
    struct bench b;

    bench_init(&b, 0x01);
    set_irq(&b, 4, true);
    rig_out(&b.r, BASE + 1, 0xff);
    rig_out(&b.r, BASE, 0x11);
    ck_assert(!b.intr.level);
    rig_out(&b.r, BASE + 1, 0x20);
    set_irq(&b, 3, true);
    ck_assert(!b.intr.level);
    rig_out(&b.r, BASE + 1, 0x04);
    rig_out(&b.r, BASE + 1, 0x01);
    ck_assert_uint_eq(rig_in(&b.r, BASE + 1), 0); /* mask */
    ck_assert_uint_eq(pic_ack(&b.pic), 0x23);
    rig_out(&b.r, BASE, EOI);
    ck_assert(!pic_pending(&b.pic));
    rig_destroy(&b.r);
}
END_TEST

START_TEST(state_survives_a_round_trip)
{
    struct bench a, b;

    bench_init(&a, 0x01);
    set_irq(&a, 12, true);
    pic_ack(&a.pic);
    set_irq(&a, 1, true);
    bench_init(&b, 0x01);
    carry_state(&a.pic, &b.pic);
    ck_assert(b.intr.level);
    ck_assert_uint_eq(pic_ack(&b.pic), 0x09);
    for (unsigned i = 0; i < 256; i++) {
        load_garbage(&b.pic, (uint8_t)i);
        pic_ack(&b.pic);
        rig_out(&b.r, BASE, EOI);
    }
    rig_destroy(&a.r);
    rig_destroy(&b.r);
}
END_TEST

SUITE("pic", a_request_gives_its_vector_once,
      the_lower_input_goes_first_and_holds_back_the_higher,
      the_mask_holds_a_request_back_but_keeps_it,
      an_input_that_falls_withdraws_its_request,
      an_edge_input_that_stays_high_asks_once,
      a_level_input_asks_until_it_falls,
      elcr_leaves_the_isa_only_inputs_edge_triggered,
      the_slave_answers_through_input_2,
      a_spurious_request_of_the_slave_is_irq_15,
      automatic_eoi_leaves_nothing_in_service,
      rotating_gives_the_served_input_the_lowest_priority,
      rotation_in_automatic_eoi_can_be_switched,
      a_specific_eoi_ends_the_level_it_names,
      special_mask_mode_lets_lower_priorities_in,
      special_fully_nested_mode_lets_the_slave_interrupt_itself,
      a_poll_is_an_acknowledge,
      initialising_forgets_edges_and_asks_nothing_until_it_ends,
      state_survives_a_round_trip)
