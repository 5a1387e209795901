/* The APIC bus: who gets a message. */
#include "devices/apic.h"

#include "tests/unit/suite.h"

/* An agent that is named by one destination. */
struct agent {
    uint8_t id;
    unsigned priority;
    bool refuses;
    unsigned accepted;
};

static bool matches(const void *dev, const struct apic_msg *msg)
{
    const struct agent *a = dev;

    return msg->dest == a->id || msg->dest == APIC_BROADCAST;
}

static unsigned priority(const void *dev)
{
    return ((const struct agent *)dev)->priority;
}

static bool accept(void *dev, const struct apic_msg *msg)
{
    struct agent *a = dev;

    (void)msg;
    if (a->refuses)
        return false;
    a->accepted++;
    return true;
}

enum { AGENTS = 3 };

struct setup {
    struct apic_bus bus;
    struct agent agent[AGENTS];
};

static void setup_init(struct setup *s)
{
    apic_bus_init(&s->bus);
    for (unsigned i = 0; i < AGENTS; i++) {
        s->agent[i] = (struct agent){.id = (uint8_t)i, .priority = i};
        ck_assert(apic_bus_attach(
            &s->bus, &(struct apic_agent){&s->agent[i], matches, priority,
                                          accept}));
    }
}

/* Who accepted since the last call, one digit each. */
static unsigned accepted(struct setup *s)
{
    unsigned digits = 0;

    for (unsigned i = 0; i < AGENTS; i++) {
        digits = digits * 10 + s->agent[i].accepted;
        s->agent[i].accepted = 0;
    }
    return digits;
}

static struct apic_msg fixed_to(uint8_t dest)
{
    return (struct apic_msg){.dest = dest, .delivery = APIC_FIXED,
                             .vector = 0x40};
}

START_TEST(fixed_goes_to_all_it_names)
{
    struct setup s;
    struct apic_msg one = fixed_to(1), all = fixed_to(APIC_BROADCAST);

    setup_init(&s);
    ck_assert(apic_bus_deliver(&s.bus, &one));
    ck_assert_uint_eq(accepted(&s), 10);
    ck_assert(apic_bus_deliver(&s.bus, &all));
    ck_assert_uint_eq(accepted(&s), 111);
}
END_TEST

START_TEST(nobody_named_is_not_accepted)
{
    struct setup s;
    struct apic_msg msg = fixed_to(9);

    setup_init(&s);
    ck_assert(!apic_bus_deliver(&s.bus, &msg));
    msg.delivery = APIC_LOWEST;
    ck_assert(!apic_bus_deliver(&s.bus, &msg));
    ck_assert_uint_eq(accepted(&s), 0);
}
END_TEST

START_TEST(one_acceptor_is_enough)
{
    struct setup s;
    struct apic_msg msg = fixed_to(APIC_BROADCAST);

    setup_init(&s);
    s.agent[0].refuses = s.agent[2].refuses = true;
    ck_assert(apic_bus_deliver(&s.bus, &msg));
    ck_assert_uint_eq(accepted(&s), 10);
    s.agent[1].refuses = true;
    ck_assert(!apic_bus_deliver(&s.bus, &msg));
}
END_TEST

START_TEST(lowest_priority_goes_to_one)
{
    struct setup s;
    struct apic_msg msg = fixed_to(APIC_BROADCAST);

    setup_init(&s);
    msg.delivery = APIC_LOWEST;
    s.agent[0].priority = 0x50;
    s.agent[1].priority = 0x30;
    s.agent[2].priority = 0x40;
    ck_assert(apic_bus_deliver(&s.bus, &msg));
    ck_assert_uint_eq(accepted(&s), 10);
    s.agent[1].refuses = true;
    ck_assert(apic_bus_deliver(&s.bus, &msg));
    ck_assert_uint_eq(accepted(&s), 1);
    s.agent[0].refuses = s.agent[2].refuses = true;
    ck_assert(!apic_bus_deliver(&s.bus, &msg));
}
END_TEST

START_TEST(shorthands_overrule_the_destination)
{
    struct setup s;
    struct apic_msg msg = fixed_to(0);
    const struct agent *from = &s.agent[1];

    setup_init(&s);
    ck_assert(apic_bus_send(&s.bus, from, &msg, APIC_TO_SELF));
    ck_assert_uint_eq(accepted(&s), 10);
    ck_assert(apic_bus_send(&s.bus, from, &msg, APIC_TO_ALL));
    ck_assert_uint_eq(accepted(&s), 111);
    ck_assert(apic_bus_send(&s.bus, from, &msg, APIC_TO_OTHERS));
    ck_assert_uint_eq(accepted(&s), 101);
    ck_assert(apic_bus_send(&s.bus, from, &msg, APIC_NO_SHORTHAND));
    ck_assert_uint_eq(accepted(&s), 100);
}
END_TEST

START_TEST(places_on_the_bus_are_limited)
{
    struct apic_bus bus;
    struct agent a = {.id = 0};
    const struct apic_agent agent = {&a, matches, priority, accept};

    apic_bus_init(&bus);
    for (unsigned i = 0; i < APIC_BUS_AGENTS; i++)
        ck_assert(apic_bus_attach(&bus, &agent));
    ck_assert(!apic_bus_attach(&bus, &agent));
}
END_TEST

static void note_eoi(void *owner, uint8_t vector)
{
    *(uint8_t *)owner = vector;
}

START_TEST(eoi_reaches_its_listener)
{
    struct apic_bus bus;
    uint8_t heard = 0;

    apic_bus_init(&bus);
    apic_bus_eoi(&bus, 0x31);
    apic_bus_on_eoi(&bus, note_eoi, &heard);
    apic_bus_eoi(&bus, 0x31);
    ck_assert_uint_eq(heard, 0x31);
}
END_TEST

SUITE("apic", fixed_goes_to_all_it_names, nobody_named_is_not_accepted,
      one_acceptor_is_enough, lowest_priority_goes_to_one,
      shorthands_overrule_the_destination, places_on_the_bus_are_limited,
      eoi_reaches_its_listener)
