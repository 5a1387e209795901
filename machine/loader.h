#ifndef MACHINE_LOADER_H
#define MACHINE_LOADER_H

/*
 * Boots a kernel without firmware: puts files and tables into guest RAM and
 * the processor at the kernel's entry, as a boot loader would leave it.
 *
 * Formats, told apart by what is in the file:
 *   Linux bzImage   boot protocol 2.02 and later, by its 32-bit entry, or its
 *                   64-bit entry if kernel and processor have one
 *   multiboot 1     ELF or with addresses in the header; -initrd is a list
 *                   of modules, "file arguments,file arguments"
 *   ELF with a PVH entry note
 *
 * RAM is laid out as machine/memmap.h says.  Page 0, 90000-9ffff and
 * f0000-fffff are the loader's: tables that the kernel is told of.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "mem/physmem.h"

struct boot {
    const char *kernel;
    const char *initrd; /* NULL: none */
    const char *append; /* NULL: empty */
};

/* After each reset of the board.  False with one sentence in error if the
 * files cannot be booted; guest RAM may have changed then. */
bool loader_boot(const struct boot *boot, struct physmem *pm,
                 uint64_t ram_size, struct cpu *cpu, char *error,
                 size_t error_size);

#endif
