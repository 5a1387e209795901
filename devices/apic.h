#ifndef DEVICES_APIC_H
#define DEVICES_APIC_H

/*
 * The APIC bus: how interrupt messages travel from I/O APICs and local APICs
 * to local APICs.
 *
 * A message is posted with a function call, never written through memory, so
 * no transfer of a device can forge one.  Local APICs attach as agents when
 * the board is made; the bus never changes afterwards and has no state.
 *
 * Manual: Intel SDM volume 3, "Advanced Programmable Interrupt Controller",
 * sections on interrupt command register, determining IPI destination and
 * lowest priority arbitration.
 */

#include <stdbool.h>
#include <stdint.h>

enum { APIC_BUS_AGENTS = 16 };

/* Delivery modes as encoded in ICR, LVT and redirection entries. */
enum apic_delivery {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_STARTUP = 6,
    APIC_EXTINT = 7,
};

enum apic_dest_mode { APIC_PHYSICAL = 0, APIC_LOGICAL = 1 };

/* Destination shorthands of the ICR. */
enum apic_shorthand {
    APIC_NO_SHORTHAND = 0,
    APIC_TO_SELF = 1,
    APIC_TO_ALL = 2,
    APIC_TO_OTHERS = 3,
};

/* Physical destination that every local APIC answers to. */
enum { APIC_BROADCAST = 0xff };

struct apic_msg {
    uint8_t dest;      /* 8-bit xAPIC destination */
    uint8_t dest_mode; /* enum apic_dest_mode */
    uint8_t delivery;  /* enum apic_delivery; 3 is reserved and dropped */
    uint8_t vector;
    bool level;        /* level triggered: the acceptor's TMR bit is set */
};

/* One local APIC as the bus sees it. */
struct apic_agent {
    void *dev;
    /* Does dest in this dest_mode name the agent? */
    bool (*matches)(const void *dev, const struct apic_msg *msg);
    /* Arbitration priority, lower wins APIC_LOWEST. */
    unsigned (*priority)(const void *dev);
    /* False if the agent refuses it (software disabled, illegal vector).
     * Must not post messages of its own. */
    bool (*accept)(void *dev, const struct apic_msg *msg);
};

struct apic_bus {
    struct apic_agent agents[APIC_BUS_AGENTS];
    unsigned count;
    /* Who hears EOI of level-triggered vectors: the I/O APIC. */
    void (*eoi)(void *owner, uint8_t vector);
    void *eoi_owner;
};

void apic_bus_init(struct apic_bus *bus);
/* False, changing nothing, if all places are taken. */
bool apic_bus_attach(struct apic_bus *bus, const struct apic_agent *agent);
void apic_bus_on_eoi(struct apic_bus *bus, void (*eoi)(void *owner, uint8_t),
                     void *owner);

/* Posts a message to whom it names; true if somebody accepted it.  The
 * signature is that of ioapic_init's `deliver`: bus is a struct apic_bus. */
bool apic_bus_deliver(void *bus, const struct apic_msg *msg);

/* The same from a local APIC, whose ICR may hold a shorthand; `from` is the
 * agent's dev. */
bool apic_bus_send(struct apic_bus *bus, const void *from,
                   const struct apic_msg *msg, enum apic_shorthand to);

/* A local APIC finished a level-triggered vector. */
void apic_bus_eoi(struct apic_bus *bus, uint8_t vector);

#endif
