#ifndef MACHINE_BIOS_H
#define MACHINE_BIOS_H

/*
 * A firmware image in ROM: the whole of it ends at 4 GiB, where the processor
 * starts, and its last 128 KiB at most are seen below 1 MiB too.
 */

#include <stdbool.h>

#include "machine/pc.h"

/* Reads the image into pc->bios.  False with one sentence in error. */
bool bios_read(struct pc *pc, const char *path, char error[PC_ERROR]);

/* At reset: both copies as they were. */
void bios_place(struct pc *pc);

#endif
