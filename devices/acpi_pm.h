#ifndef DEVICES_ACPI_PM_H
#define DEVICES_ACPI_PM_H

/*
 * Power management of the PIIX4, 82371AB function 3 (data sheet 290562),
 * 8086:7113, as far as ACPI (specification 1.0b, chapter 4) needs it.
 *
 * Configuration space:
 *   40  PMBASE     bits 15:6 I/O base of the block below; bit 0 reads 1
 *   5b  DEVACTB    bit 1 APMC_EN: a write to port b2 raises SMI.  Reads 1 from
 *                  reset on if no SMI line is connected, which is how firmware
 *                  sees that there is nothing to set up
 *   80  PMREGMISC  bit 0 PMIOSE: the block answers
 *   90  SMBBASE    kept only
 *
 * Block at PMBASE, 64 ports:
 *   00  PMSTS    w1c  0 TMR, 4 BM, 5 GBL, 8 PWRBTN, 10 RTC, 15 WAK
 *   02  PMEN          0 TMR, 5 GBL, 8 PWRBTN, 10 RTC
 *   04  PMCNTRL       0 SCI_EN, 12:10 SLP_TYP, 13 SLP_EN (write only)
 *   08  PMTMR    ro   24 bits at 3.579545 MHz
 *   0c  GPSTS    w1c  16 general purpose events
 *   0e  GPEN
 * The rest of the block reads 0.  GPSTS and GPEN also answer at gpe0_base, 4
 * ports, where SeaBIOS's tables say the GPE0 block is.
 *
 * Ports b2 APMC and b3 APMS: APMC = ACPI_ENABLE sets SCI_EN, ACPI_DISABLE
 * clears it (the work of a BIOS's SMI handler); both read back.
 *
 * SLP_EN with SLP_TYP 0 (soft off) pulses `power_off`.  Other sleep types are
 * not implemented: the guest wakes at once (WAK_STS).
 *
 * SCI is high while SCI_EN is set and an enabled event is pending.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "devices/device.h"
#include "devices/line.h"
#include "devices/pci.h"
#include "mem/space.h"

enum {
    ACPI_PM_BASE = 0xb000,      /* preset for a machine without a BIOS */
    ACPI_GPE0_BASE = 0xafe0,
    ACPI_PM_SIZE = 64,
    ACPI_PM_TIMER_HZ = 3579545,
    ACPI_SMI_CMD = 0xb2,
    ACPI_ENABLE = 0xf1,         /* values for SMI_CMD */
    ACPI_DISABLE = 0xf0,
    ACPI_SLP_TYP_OFF = 0,       /* for the \_S5 package */
    ACPI_SCI_IRQ = 9,
    ACPI_GPES = 16,
};

/* Offsets from PMBASE, for the FADT. */
enum {
    ACPI_PM1_EVENT = 0x00,
    ACPI_PM1_CONTROL = 0x04,
    ACPI_PM_TIMER = 0x08,
    ACPI_PM_GPE0 = 0x0c,
};

/* Everything it is connected to. */
struct acpi_pm_wiring {
    struct pci *bus;
    unsigned slot, function;
    struct space *io;
    struct clock *clock;
    uint16_t pm_base;      /* PMBASE after reset, enabled; 0: firmware sets it*/
    uint16_t gpe0_base;    /* second home of GPE0; 0: none */
    struct line sci;       /* level */
    /* Pulses, in the middle of a port write. */
    struct line power_off; /* the guest switched itself off */
    struct line smi;       /* LINE_NONE on a board without SMM */
};

struct acpi_pm {
    struct device dev;
    struct pci_device pci;
    struct acpi_pm_wiring w;
    uint16_t mapped_at;         /* where the block answers now; 0: nowhere */
    struct timer overflow;      /* armed while TMR_EN: bit 23 will change */
    uint16_t pm_status, pm_enable, pm_control;
    uint16_t gpe_status, gpe_enable, gpe_lines;
    uint64_t overflow_tick;     /* PM tick from which TMR_STS is set */
    uint8_t apm_control, apm_status;
};

/* Attaches to the bus and maps the ports.  False if a place is taken. */
bool acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_wiring *w);

/* Somebody pressed the power button: sets PWRBTN_STS.  False if the guest
 * does not listen (no ACPI, or the event not enabled). */
bool acpi_pm_press_power(struct acpi_pm *pm);

/* General purpose event 0..15: a rising level sets its status bit. */
struct line acpi_pm_gpe_line(struct acpi_pm *pm, unsigned event);

#endif
