/* isa-debug-exit and isa-debugcon. */
#include "devices/debugcon.h"
#include "devices/debugexit.h"

#include "tests/unit/devices/rig.h"

struct exits {
    unsigned count;
    uint32_t value;
};

static void on_exit_write(void *owner, uint32_t value)
{
    struct exits *e = owner;

    e->count++;
    e->value = value;
}

START_TEST(a_write_of_any_size_to_any_port_exits_with_its_value)
{
    struct rig r;
    struct debugexit d;
    struct exits e = {0};

    rig_init(&r);
    ck_assert(debugexit_init(&d, &r.io, 0xf4, 4, on_exit_write, &e));
    rig_out(&r, 0xf7, 0x10);
    ck_assert_uint_eq(e.value, 0x10);
    space_write(&r.io, 0xf4, 0x12345678, 4);
    ck_assert_uint_eq(e.value, 0x12345678);
    ck_assert_uint_eq(e.count, 2);
    ck_assert_uint_eq(rig_in(&r, 0xf4), 0);
    device_reset(&d);
    ck_assert(!debugexit_init(&d, &r.io, 0xf6, 4, on_exit_write, &e));
    ck_assert(!debugexit_init(&d, &r.io, 0x501, 0, on_exit_write, &e));
}
END_TEST

START_TEST(the_console_prints_and_says_that_it_is_there)
{
    struct rig r;
    struct debugcon d, silent;
    struct terminal t;

    rig_init(&r);
    terminal_init(&t);
    ck_assert(debugcon_init(&d, &r.io, 0x402, &t.chr));
    rig_out(&r, 0x402, 'h');
    rig_out(&r, 0x402, 'i');
    ck_assert_uint_eq(t.out_size, 2);
    ck_assert_mem_eq(t.out, "hi", 2);
    ck_assert_uint_eq(rig_in(&r, 0x402), 0xe9);
    ck_assert(!debugcon_init(&silent, &r.io, 0x402, NULL));
    ck_assert(debugcon_init(&silent, &r.io, 0xe9, NULL));
    rig_out(&r, 0xe9, 'x');
    device_reset(&silent);
}
END_TEST

SUITE("debug ports", a_write_of_any_size_to_any_port_exits_with_its_value,
      the_console_prints_and_says_that_it_is_there)
