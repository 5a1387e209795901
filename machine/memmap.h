#ifndef MACHINE_MEMMAP_H
#define MACHINE_MEMMAP_H

/*
 * The addresses of the board: a PC with a 440FX, PIIX3 and one processor.
 *
 *   00000000 - 0009ffff  RAM
 *   000a0000 - 000bffff  display memory (nothing without a display)
 *   000c0000 - 000fffff  ROM area, 13 blocks that PAM makes writable
 *   00100000 - bfffffff  RAM, as much as there is
 *   c0000000 - febfffff  PCI
 *   fec00000             I/O APIC
 *   fee00000             local APIC
 *            - ffffffff  firmware, if any, ends here
 *   100000000 -          the rest of RAM
 *
 * Backing store: RAM below the hole at its own address, the rest of RAM behind
 * it, then the firmware.
 */

#include "base/types.h"

enum {
    BOARD_LOW_END = 0xa0000,
    BOARD_ROM_AREA = 0xc0000,
    BOARD_HIGH_START = 0x100000,
    BOARD_ROM_AREA_BIOS = 0x20000, /* of the firmware, below 1 MiB */
};

#define BOARD_HOLE_START ((paddr)0xc0000000)
#define BOARD_HOLE_END ((paddr)0xfec00000)
#define BOARD_4G ((paddr)1 << 32)

/* What may be asked for. */
#define BOARD_RAM_MIN ((uint64_t)2 << 20)
#define BOARD_RAM_MAX ((uint64_t)64 << 30)
#define BOARD_BIOS_MAX ((uint64_t)8 << 20)
#define BOARD_BIOS_UNIT ((uint64_t)64 << 10)

/* I/O ports. */
enum {
    PORT_DMA_LOW = 0x00,
    PORT_PIC_MASTER = 0x20,
    PORT_PIT = 0x40,
    PORT_KBC_DATA = 0x60,
    PORT_SYSTEM_B = 0x61,
    PORT_KBC_COMMAND = 0x64,
    PORT_CMOS = 0x70,
    PORT_DMA_PAGE = 0x80,
    PORT_SYSTEM_A = 0x92,
    PORT_PIC_SLAVE = 0xa0,
    PORT_DMA_HIGH = 0xc0,
    PORT_FERR_CLEAR = 0xf0,
    PORT_COM1 = 0x3f8,
    PORT_ELCR = 0x4d0,
};

/* ISA interrupts. */
enum {
    IRQ_TIMER = 0,
    IRQ_KEYBOARD = 1,
    IRQ_COM1 = 4,
    IRQ_RTC = 8,
    IRQ_SCI = 9,
    IRQ_PCI_A = 10, /* where PIRQs go without firmware */
    IRQ_PCI_B = 11,
    IRQ_MOUSE = 12,
    IRQ_FERR = 13,
    BOARD_IRQS = 16,
};

/* ISA interrupt 0 is on pin 2 of the I/O APIC: pin 0 is the PIC's there. */
enum { IOAPIC_PIN_TIMER = 2 };

/* Places on the PCI bus: slot, function. */
enum {
    PCI_SLOT_PIIX3 = 1,
    PCI_FUNCTION_PM = 3,
};

/* Clocks of the processor, in Hz. */
enum { BOARD_TSC_HZ = 1000000000, BOARD_APIC_HZ = 1000000000 };

#endif
