/*
 * Delivery of one message: find whom it names, let them accept.
 */
#include "devices/apic.h"

#include <stddef.h>

void apic_bus_init(struct apic_bus *bus)
{
    *bus = (struct apic_bus){.count = 0};
}

bool apic_bus_attach(struct apic_bus *bus, const struct apic_agent *agent)
{
    if (bus->count == APIC_BUS_AGENTS)
        return false;
    bus->agents[bus->count++] = *agent;
    return true;
}

void apic_bus_on_eoi(struct apic_bus *bus, void (*eoi)(void *owner, uint8_t),
                     void *owner)
{
    bus->eoi = eoi;
    bus->eoi_owner = owner;
}

/* Which agents a message goes to before arbitration. */
struct target {
    const void *from;
    enum apic_shorthand to;
};

static bool is_target(const struct apic_agent *a, const struct apic_msg *msg,
                      const struct target *t)
{
    switch (t->to) {
    case APIC_TO_SELF: return a->dev == t->from;
    case APIC_TO_ALL: return true;
    case APIC_TO_OTHERS: return a->dev != t->from;
    default: return a->matches(a->dev, msg);
    }
}

static bool deliver_to_all(const struct apic_bus *bus,
                           const struct apic_msg *msg, const struct target *t)
{
    bool accepted = false;

    for (unsigned i = 0; i < bus->count; i++) {
        const struct apic_agent *a = &bus->agents[i];

        if (is_target(a, msg, t) && a->accept(a->dev, msg))
            accepted = true;
    }
    return accepted;
}

/* The target of lowest priority that is not in `refused`, NULL if none. */
static const struct apic_agent *arbitrate(const struct apic_bus *bus,
                                          const struct apic_msg *msg,
                                          const struct target *t,
                                          uint32_t refused)
{
    const struct apic_agent *best = NULL;
    unsigned best_priority = 0;

    for (unsigned i = 0; i < bus->count; i++) {
        const struct apic_agent *a = &bus->agents[i];

        if (refused >> i & 1 || !is_target(a, msg, t))
            continue;

        unsigned priority = a->priority(a->dev);

        if (!best || priority < best_priority) {
            best = a;
            best_priority = priority;
        }
    }
    return best;
}

/* One agent takes the message.  Who refuses (software disabled) drops out, so
 * there are at most as many rounds as agents. */
static bool deliver_to_lowest(const struct apic_bus *bus,
                              const struct apic_msg *msg,
                              const struct target *t)
{
    uint32_t refused = 0;

    _Static_assert(APIC_BUS_AGENTS <= 32, "refused has a bit for each agent");
    for (unsigned round = 0; round < bus->count; round++) {
        const struct apic_agent *a = arbitrate(bus, msg, t, refused);

        if (!a)
            return false;
        if (a->accept(a->dev, msg))
            return true;
        refused |= (uint32_t)1 << (a - bus->agents);
    }
    return false;
}

static bool deliver(const struct apic_bus *bus, const struct apic_msg *msg,
                    const struct target *t)
{
    if (msg->delivery == APIC_LOWEST)
        return deliver_to_lowest(bus, msg, t);
    return deliver_to_all(bus, msg, t);
}

bool apic_bus_deliver(void *bus, const struct apic_msg *msg)
{
    return deliver(bus, msg,
                   &(struct target){.from = NULL, .to = APIC_NO_SHORTHAND});
}

bool apic_bus_send(struct apic_bus *bus, const void *from,
                   const struct apic_msg *msg, enum apic_shorthand to)
{
    return deliver(bus, msg, &(struct target){.from = from, .to = to});
}

void apic_bus_eoi(struct apic_bus *bus, uint8_t vector)
{
    if (bus->eoi)
        bus->eoi(bus->eoi_owner, vector);
}
