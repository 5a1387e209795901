#ifndef DEVICES_LAPIC_H
#define DEVICES_LAPIC_H

/*
 * Local APIC, one per processor (Intel SDM volume 3, "Advanced Programmable
 * Interrupt Controller"): xAPIC mode, version 0x14, 6 LVT entries, no EOI
 * broadcast suppression, no x2APIC.
 *
 * Window, LAPIC_WINDOW bytes at the address in IA32_APIC_BASE; each register
 * is 32 bits at a multiple of 16:
 *   020 ID         080 TPR   0b0 EOI   0f0 SVR        280 ESR
 *   030 version    090 APR   0d0 LDR   100-170 ISR    300, 310 ICR
 *   320 LVT timer      0a0 PPR   0e0 DFR   180-1f0 TMR
 *   330 LVT thermal                        200-270 IRR
 *   340 LVT performance   350 LVT LINT0   360 LVT LINT1   370 LVT error
 *   380 initial count     390 current count   3e0 divide configuration
 * Any other offset sets "illegal register address" in ESR and reads 0.
 *
 * Wires.  Out: `intr` is a level, true while lapic_ack would return something
 * better than the spurious vector.  nmi, smi and init are pulses.  In: the
 * local lines LAPIC_LINT0 (the PIC's INTR), LAPIC_LINT1 (NMI), LAPIC_PERF,
 * LAPIC_THERMAL.  While the APIC is disabled in IA32_APIC_BASE, LINT0 passes
 * to intr and LINT1 to nmi, as on a processor without one.  A line carries
 * "asserted": the LVT polarity bit is kept but has no effect.
 *
 * Reset leaves every LVT entry masked, as the manual says, so the PIC is not
 * heard until firmware programs LINT0.  lapic_virtual_wire does that for a
 * machine that starts without such firmware.
 *
 * Timer: devices/lapic_timer.h.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "devices/apic.h"
#include "devices/device.h"
#include "devices/lapic_timer.h"
#include "devices/line.h"
#include "mem/physmem.h"

/* Where the window is after reset. */
#define LAPIC_BASE 0xfee00000u

enum {
    LAPIC_WINDOW = PAGE_SIZE,
    LAPIC_VERSION = 0x14,
};

/* IA32_APIC_BASE (MSR 0x1b). */
#define LAPIC_BASE_BSP ((uint64_t)1 << 8)
#define LAPIC_BASE_ENABLE ((uint64_t)1 << 11)
#define LAPIC_BASE_ADDRESS (((uint64_t)1 << PADDR_BITS) - PAGE_SIZE)

/* Local interrupt inputs, for lapic_line. */
enum lapic_pin { LAPIC_LINT0, LAPIC_LINT1, LAPIC_PERF, LAPIC_THERMAL };

enum { LAPIC_LVTS = 6 };

/* Everything a local APIC is connected to. */
struct lapic_wiring {
    const char *id;       /* device id: "lapic0" */
    struct physmem *pm;   /* where the window appears; NULL if the machine
                             routes accesses itself, to lapic_ops */
    struct clock *clock;
    struct apic_bus *bus;
    uint8_t apic_id;
    bool bsp;             /* the bootstrap processor's */
    uint32_t bus_hz;      /* timer clock before the divider, Hz; not 0 */
    uint32_t tsc_hz;      /* Hz; not 0 */
    struct line intr, nmi, smi, init;
    /* STARTUP message: begin at vector << 12.  May be NULL. */
    void (*startup)(void *owner, uint8_t vector);
    void *startup_owner;
    /* Interrupt acknowledge cycle to the 8259A: its vector.  NULL if the
     * board has none. */
    uint8_t (*pic_ack)(void *owner);
    void *pic;
};

struct lapic {
    struct device dev;
    struct lapic_wiring w;
    struct lapic_timer timer;
    bool mapped;               /* the window is in w.pm, at mapped_at */
    paddr mapped_at;

    uint64_t base;             /* IA32_APIC_BASE */
    uint32_t id, ldr, dfr, svr;
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t esr, esr_pending; /* as read; gathered since the last write */
    uint32_t icr_low, icr_high;
    uint32_t lvt[LAPIC_LVTS];  /* timer, thermal, perf, LINT0, LINT1, error */
    uint8_t tpr;
    bool extint;               /* an ExtINT message waits */
    uint8_t pins;              /* level of each lapic_pin, bit n */
};

/* Attaches to the bus and, when w->pm is given, maps the window.  Copies *w.
 * False if the bus is full or the window does not fit. */
bool lapic_init(struct lapic *l, const struct lapic_wiring *w);

/* INIT: as reset, but ID and IA32_APIC_BASE stay.  For an INIT that does not
 * come as an APIC message (port 92h, keyboard controller, triple fault). */
void lapic_soft_reset(struct lapic *l);

/* What a PC's firmware leaves on the bootstrap processor: APIC enabled, LINT0
 * ExtINT, LINT1 NMI ("virtual wire mode", MP specification 3.6.2.2). */
void lapic_virtual_wire(struct lapic *l);

struct line lapic_line(struct lapic *l, enum lapic_pin pin);

/* The vector to deliver now, moving it from IRR to ISR; asks the PIC if an
 * ExtINT wins; the spurious vector if there is nothing after all. */
int lapic_ack(void *lapic);

/* WRMSR of IA32_APIC_BASE.  False, changing nothing, for a value that must
 * raise #GP: a reserved bit or the x2APIC bit set. */
bool lapic_set_base(struct lapic *l, uint64_t msr);
static inline uint64_t lapic_get_base(const struct lapic *l)
{
    return l->base;
}
/* What CPUID.1:EDX.APIC reports. */
static inline bool lapic_enabled(const struct lapic *l)
{
    return l->base & LAPIC_BASE_ENABLE;
}

/* CR8: the upper four bits of TPR. */
uint8_t lapic_tpr_get(const struct lapic *l);
void lapic_tpr_set(struct lapic *l, uint8_t cr8);

/* MSR 0x6e0.  Reads 0 after it has fired; writes outside TSC-deadline mode
 * are ignored. */
void lapic_set_tsc_deadline(struct lapic *l, uint64_t tsc);
uint64_t lapic_get_tsc_deadline(const struct lapic *l);
/* The guest wrote the TSC: it is clock ns * tsc_hz / 1e9 + offset, modulo
 * 2^64.  No reset changes the offset. */
void lapic_set_tsc_offset(struct lapic *l, uint64_t offset);

/* The register window, for a machine with several processors. */
extern const struct region_ops lapic_ops;

#endif
