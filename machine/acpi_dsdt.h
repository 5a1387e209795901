#ifndef MACHINE_ACPI_DSDT_H
#define MACHINE_ACPI_DSDT_H

/*
 * The board as ACPI machine language: the body of the DSDT.
 *
 *   \_S5      how to switch off
 *   \_SB.PCI0 the PCI bus: its windows, and which link each pin goes to
 *     ISA     the PIIX3, whose registers route the links; RTC, keyboard,
 *             mouse and COM1 behind it
 *   \_SB.LNKA..D  PIRQA..D
 */

#include "machine/acpi_aml.h"

void acpi_dsdt_build(struct aml *a);

#endif
