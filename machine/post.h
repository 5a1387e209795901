#ifndef MACHINE_POST_H
#define MACHINE_POST_H

/* What a BIOS's power-on self test leaves in the chips. */

#include "machine/pc.h"

/* The memory sizes in the clock chip: a BIOS reads them too. */
void post_cmos(struct pc *pc);

/* For a machine without a BIOS: RAM instead of ROM below 1 MiB, PCI interrupts
 * routed and level triggered, the PIC heard by the processor. */
void post_chips(struct pc *pc);

#endif
