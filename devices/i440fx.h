#ifndef DEVICES_I440FX_H
#define DEVICES_I440FX_H

/*
 * 440FX PCI and memory controller, 82441FX (data sheet 290549), function 00.0
 * of the PCI bus, 8086:1237.
 *
 * What it does here:
 *   59-5f  PAM0..6   two fields of {bit 0 RE, bit 1 WE} each, one a block of
 *                    the area c0000-fffff.  A block with WE set is RAM, one
 *                    without is read-only.  RAM and ROM of a block are the
 *                    same bytes: the board loads the BIOS into them at power
 *                    on and again at reset, so "read ROM, write RAM" is RAM.
 *   72     SMRAM     kept, with its lock: D_LCK clears and freezes D_OPEN,
 *                    G_SMRAME and itself until reset.  No SMRAM behind it.
 * DRAM timing and row registers are kept and read back, no more.
 */

#include <stdbool.h>
#include <stdint.h>

#include "devices/device.h"
#include "devices/pci.h"
#include "mem/physmem.h"

enum {
    I440FX_PAM_BLOCKS = 13,
    I440FX_PAM0 = 0x59,
    I440FX_SMRAM = 0x72,
};

/* The block that one PAM field governs. */
struct i440fx_pam_block {
    uint32_t base, size;
    uint8_t reg, shift; /* configuration register, lowest bit of the field */
};

/* In order of address, c0000 to fffff without a gap.  The board adds one
 * physmem block for each before i440fx_init. */
extern const struct i440fx_pam_block i440fx_pam[I440FX_PAM_BLOCKS];

struct i440fx {
    struct device dev;
    struct pci_device pci;
    struct physmem *pm;
};

/* Attaches at 00.0 and makes all PAM blocks read-only.  False if the place is
 * taken. */
bool i440fx_init(struct i440fx *fx, struct pci *bus, struct physmem *pm);

#endif
