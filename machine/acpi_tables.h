#ifndef MACHINE_ACPI_TABLES_H
#define MACHINE_ACPI_TABLES_H

/*
 * The ACPI tables that a kernel booted without firmware finds (ACPI
 * specification 2.0, the first with a reset register): RSDP, RSDT, XSDT, FADT,
 * FACS, MADT, and a DSDT made by machine/acpi_dsdt.c.
 *
 * All lie in the 64 KiB below 1 MiB, but for the FACS: its lock is written.
 */

#include <stdbool.h>

#include "base/types.h"
#include "mem/physmem.h"

enum { ACPI_TABLES_BASE = 0xf0000, ACPI_TABLES_SIZE = 0x10000 };

/* Writes the tables, past the write protection of the ROM area too; the FACS
 * into RAM at `facs`, which is 64-aligned.  *rsdp is where the root is.  False
 * if there is no memory at these addresses. */
bool acpi_tables_install(struct physmem *pm, paddr facs, paddr *rsdp);

#endif
