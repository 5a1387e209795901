#ifndef DEVICES_LAPIC_CORE_H
#define DEVICES_LAPIC_CORE_H

/*
 * What the two halves of the local APIC share: lapic.c, which accepts and
 * delivers interrupts, and lapic_window.c, the registers as the guest sees
 * them.  For no one else; the device's own manual is lapic.h.
 */

#include "devices/lapic.h"

/* Local vector table, in register order. */
enum lvt {
    LVT_TIMER,
    LVT_THERMAL,
    LVT_PERF,
    LVT_LINT0,
    LVT_LINT1,
    LVT_ERROR,
};

enum {
    LVT_REMOTE_IRR = 1 << 14,
    LVT_LEVEL = 1 << 15,
    LVT_MASKED = 1 << 16,
    LVT_MODE_SHIFT = 17,
    SVR_ENABLE = 1 << 8,
    SVR_WRITABLE = 0x3ff,
    SVR_RESET = 0xff,
    ESR_SEND_VECTOR = 1 << 5,
    ESR_RECEIVE_VECTOR = 1 << 6,
    ESR_REGISTER = 1 << 7,
    VECTOR_WORDS = 8,  /* ISR, TMR, IRR */
    FIRST_VECTOR = 16, /* lower ones are illegal */
};

/* Delivery mode of an LVT entry or the ICR: enum apic_delivery. */
static inline unsigned lapic_delivery(uint32_t entry)
{
    return entry >> 8 & 7;
}

/* lapic.c */

/* Drives intr; after any change of what it depends on. */
void lapic_update(struct lapic *l);
uint8_t lapic_ppr(const struct lapic *l);
uint8_t lapic_apr(const struct lapic *l);
/* Notes bits for ESR, and sends the error interrupt. */
void lapic_raise_error(struct lapic *l, uint32_t bits);
/* LINT0 as a level-triggered input: its LVT entry changed. */
void lapic_lint0_changed(struct lapic *l);
void lapic_end_of_interrupt(struct lapic *l);

/* lapic_window.c */

/* Bits of LVT entry n that software can write. */
uint32_t lapic_lvt_writable(enum lvt n);
void lapic_write_lvt(struct lapic *l, enum lvt n, uint32_t value);
void lapic_write_svr(struct lapic *l, uint32_t value);

#endif
