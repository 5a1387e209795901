#ifndef MACHINE_LOADER_CORE_H
#define MACHINE_LOADER_CORE_H

/*
 * What the formats of the loader share: files, copying into RAM with every
 * range checked, the map of memory that kernels are told, and the state in
 * which they find the processor.
 *
 * Functions that return bool have put a sentence into load.error when false.
 *
 * Below 1 MiB, free for kernels but for:
 *   90000  GDT
 *   91000  page tables, 6 pages
 *   98000  strings
 *   9c000  the format's own tables
 *   9fc00  what a BIOS keeps (EBDA): its size, FACS
 *   f0000  ACPI tables
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/types.h"
#include "machine/loader.h"
#include "machine/memmap.h"

enum {
    LOADER_GDT = 0x90000,
    LOADER_PAGE_TABLES = 0x91000,
    LOADER_STRINGS = 0x98000,
    LOADER_STRINGS_END = 0x9c000,
    LOADER_TABLES = 0x9c000,
    LOADER_EBDA = 0x9fc00,
    LOADER_FACS = LOADER_EBDA + 64,
};

struct load {
    const struct boot *boot;
    struct physmem *pm;
    struct cpu *cpu;
    paddr low_end;   /* RAM below the hole ends here */
    paddr high_end;  /* RAM above 4 GiB ends here; 4 GiB: there is none */
    paddr rsdp;      /* ACPI's root */
    paddr strings;   /* where the next one goes */
    char *error;
    size_t error_size;
};

/* A file that is being loaded. */
struct image {
    const char *path;
    int fd;
    uint64_t size;
};

/* Always false. */
bool load_fail(struct load *l, const char *fmt, ...) printf_check(2, 3);

bool image_open(struct load *l, struct image *im, const char *path);
void image_close(struct image *im);
/* Bytes [at, at+size) of the file, all of them. */
bool image_read(struct load *l, const struct image *im, uint64_t at,
                void *to, size_t size);
/* The same into RAM. */
bool image_copy(struct load *l, const struct image *im, uint64_t at,
                uint64_t size, paddr to);

/* Is [pa, pa+size) RAM that a kernel's parts may be put into? */
bool load_is_free(const struct load *l, paddr pa, uint64_t size);

/* Into RAM: bytes, zeros, and a string of at most `limit` characters with its
 * end, which goes where the strings are. */
bool load_bytes(struct load *l, paddr to, const void *from, size_t size);
bool load_zeros(struct load *l, paddr to, uint64_t size);
bool load_string(struct load *l, const char *s, size_t limit, paddr *at);

/* The map of memory as INT 15, E820 gives it. */
enum { MEMORY_RANGES_MAX = 6 };
enum memory_type { MEMORY_RAM = 1, MEMORY_RESERVED = 2 };

struct memory_range {
    uint64_t base, size;
    enum memory_type type;
};

unsigned load_memory_map(const struct load *l,
                         struct memory_range map[MEMORY_RANGES_MAX]);

/* The processor at entry: interrupts off, flat segments through a GDT with
 * code at selector 10 and data at 18. */
bool load_enter_flat(struct load *l, uint32_t entry);
/* In long mode, the first 4 GiB mapped one to one. */
bool load_enter_long(struct load *l, uint64_t entry);

/* --- the formats; im is the kernel --- */

bool loader_is_linux(const uint8_t *start, size_t size);
bool loader_linux(struct load *l, const struct image *im);
bool loader_elf(struct load *l, const struct image *im);
/* A multiboot header in the file's first 8 KiB, 4-aligned (3.1.1). */
bool loader_find_multiboot(const uint8_t *start, size_t size, size_t *at);
bool loader_multiboot(struct load *l, const struct image *im, size_t header);

/* Copies the loadable segments of an ELF file to their physical addresses.
 * *entry is the physical address of its entry point, *end the end of the
 * highest segment. */
struct elf_layout {
    uint64_t entry, end;
    bool has_pvh;
    uint64_t pvh_entry;
};

bool loader_elf_segments(struct load *l, const struct image *im,
                         struct elf_layout *layout);

#endif
