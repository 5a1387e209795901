#ifndef MACHINE_PC_H
#define MACHINE_PC_H

/*
 * The board: every part of the PC, and every wire between them.  pc.c read top
 * to bottom is the schematic.
 *
 * A machine belongs to the thread that made it; another thread reaches it
 * through `mailbox` only.  Several can live in one process.
 *
 * There is no firmware unless -bios gives one: after each reset the board does
 * what a BIOS would have done to the chips, and loader_boot does the rest.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/stats.h"
#include "cpu/cpu.h"
#include "cpu/engine.h"
#include "devices/acpi_pm.h"
#include "devices/apic.h"
#include "devices/cmos.h"
#include "devices/debugcon.h"
#include "devices/debugexit.h"
#include "devices/device.h"
#include "devices/dma8237.h"
#include "devices/host/chardev.h"
#include "devices/i440fx.h"
#include "devices/ioapic.h"
#include "devices/kbc.h"
#include "devices/lapic.h"
#include "devices/pci.h"
#include "devices/pic.h"
#include "devices/piix3.h"
#include "devices/pit.h"
#include "devices/port61.h"
#include "devices/port92.h"
#include "devices/ps2.h"
#include "devices/uart.h"
#include "machine/alarm.h"
#include "machine/config.h"
#include "machine/memmap.h"
#include "mem/physmem.h"
#include "mem/space.h"

enum { PC_PARTS = 32, PC_ERROR = CONFIG_ERROR };

/* Wishes of the guest or the host, dealt with between two runs of the CPU. */
enum pc_wish {
    PC_RESET = 1 << 0,
    PC_POWER_OFF = 1 << 1, /* the guest's, or Ctrl-A x */
    PC_EXIT = 1 << 2,      /* isa-debug-exit: with exit_code */
};

/* Who drives an ISA interrupt; the wire is the OR of them. */
enum pc_irq_source { PC_IRQ_ISA, PC_IRQ_PCI, PC_IRQ_SOURCES };

/* Who wants A20 to pass; it does if one of them says so. */
enum pc_a20_source { PC_A20_KBC = 1 << 0, PC_A20_PORT92 = 1 << 1 };

/* The host's ends of the machine's wires; NULL: nothing is connected. */
struct pc_host {
    struct chardev *com1;
    struct chardev *debugcon[CONFIG_DEBUGCONS];
};

struct pc {
    const struct config *cfg;

    struct physmem mem;
    struct space io;
    struct clock clock;
    struct stats stats;
    struct mailbox mailbox;
    struct cpu cpu;
    struct engine *engine;

    struct pic pic;
    struct pit pit;
    struct cmos cmos;
    struct kbc kbc;
    struct ps2_kbd kbd;
    struct ps2_mouse mouse;
    struct port61 port61;
    struct port92 port92;
    struct dma8237 dma;
    struct uart com1;
    struct pci pci;
    struct i440fx i440fx;
    struct piix3 piix3;
    struct acpi_pm pm;
    struct apic_bus apic_bus;
    struct lapic lapic;
    struct ioapic ioapic;
    struct debugexit debugexit;
    struct debugcon debugcon[CONFIG_DEBUGCONS];

    /* All of them, in order of reset. */
    struct device *parts[PC_PARTS];
    unsigned part_count;

    uint8_t *bios; /* a copy of the image: reset brings it back */
    uint64_t bios_size;

    uint16_t irqs[PC_IRQ_SOURCES]; /* levels, a bit an interrupt */
    uint8_t a20;                   /* enum pc_a20_source */
    unsigned wishes;               /* enum pc_wish */
    int exit_code;

    /* Between the machine's thread and its alarm. */
    struct alarm alarm;
    bool is_timed; /* the alarm follows the clock: the guest is running */
};

/* cfg and what host names outlive the machine.  On failure, false and one
 * sentence in error, and nothing to destroy. */
bool pc_init(struct pc *pc, const struct config *cfg,
             const struct pc_host *host, char error[PC_ERROR]);
void pc_destroy(struct pc *pc);

/* Hardware reset, and then what starts the guest: the firmware, or the
 * loader.  False with a sentence if the loader fails. */
bool pc_reset(struct pc *pc, char error[PC_ERROR]);

/* The machine's thread: asks for something as soon as the CPU stops. */
void pc_wish(struct pc *pc, enum pc_wish wish);

/* Any thread: asks the machine to power off.  False: try again later. */
bool pc_post_power_off(struct pc *pc);

#endif
