/* System control port A: A20 and the fast reset. */
#include "devices/port92.h"

#include "tests/unit/devices/rig.h"

enum { PORT = 0x92 };

START_TEST(bit_1_is_a20_and_a_rise_of_bit_0_resets)
{
    struct rig r;
    struct port92 p;
    struct wire a20 = {false, 0}, reset = {false, 0};

    rig_init(&r);
    port92_init(&p, &r.io, PORT, wire_line(&a20), wire_line(&reset));
    rig_out(&r, PORT, 0x02);
    ck_assert(a20.level);
    ck_assert_uint_eq(rig_in(&r, PORT), 0x02);
    ck_assert_uint_eq(reset.rises, 0);
    rig_out(&r, PORT, 0xff);
    rig_out(&r, PORT, 0xff);
    ck_assert_uint_eq(reset.rises, 1);
    ck_assert(!reset.level);
    ck_assert_uint_eq(rig_in(&r, PORT), 0x03);
    device_reset(&p);
    ck_assert(!a20.level);
    rig_out(&r, PORT, 0x01);
    ck_assert_uint_eq(reset.rises, 2);
}
END_TEST

START_TEST(loading_drives_a20_and_does_not_reset)
{
    struct rig r, r2;
    struct port92 p, p2;
    struct wire a20 = {false, 0}, reset = {false, 0};

    rig_init(&r);
    rig_init(&r2);
    port92_init(&p, &r.io, PORT, LINE_NONE, LINE_NONE);
    port92_init(&p2, &r2.io, PORT, wire_line(&a20), wire_line(&reset));
    rig_out(&r, PORT, 0x03);
    carry_state(&p, &p2);
    ck_assert(a20.level);
    ck_assert_uint_eq(reset.rises, 0);
}
END_TEST

SUITE("port92", bit_1_is_a20_and_a_rise_of_bit_0_resets,
      loading_drives_a20_and_does_not_reset)
