#include "machine/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "machine/acpi_tables.h"
#include "machine/loader_core.h"
#include "mem/dma.h"

enum { COPY_UNIT = 64 << 10, HEAD_SIZE = 8 << 10 };

bool load_fail(struct load *l, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(l->error, l->error_size, fmt, args);
    va_end(args);
    return false;
}

/* --- files --- */

bool image_open(struct load *l, struct image *im, const char *path)
{
    struct stat st;

    im->path = path;
    im->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (im->fd < 0)
        return load_fail(l, "Could not open '%s': %s.", path, strerror(errno));
    if (fstat(im->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        image_close(im);
        return load_fail(l, "'%s' is not a file.", path);
    }
    im->size = (uint64_t)st.st_size;
    return true;
}

void image_close(struct image *im)
{
    if (im->fd >= 0)
        close(im->fd);
    im->fd = -1;
}

bool image_read(struct load *l, const struct image *im, uint64_t at,
                void *to, size_t size)
{
    uint8_t *p = to;

    if (at > im->size || size > im->size - at)
        return load_fail(l, "'%s' ends too early: it is damaged.", im->path);
    while (size) {
        ssize_t got = pread(im->fd, p, size, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            return load_fail(l, "Could not read '%s': %s.", im->path,
                             got < 0 ? strerror(errno) : "it has shrunk");
        }
        p += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

bool image_copy(struct load *l, const struct image *im, uint64_t at,
                uint64_t size, paddr to)
{
    uint8_t *unit = xalloc(COPY_UNIT);
    bool ok = true;

    while (ok && size) {
        size_t part = size < COPY_UNIT ? (size_t)size : COPY_UNIT;

        ok = image_read(l, im, at, unit, part) &&
             load_bytes(l, to, unit, part);
        at += part;
        to += part;
        size -= part;
    }
    free(unit);
    return ok;
}

/* --- RAM --- */

static bool lies_in(paddr pa, uint64_t size, paddr start, paddr end)
{
    return pa >= start && pa <= end && size <= end - pa;
}

bool load_is_free(const struct load *l, paddr pa, uint64_t size)
{
    return lies_in(pa, size, PAGE_SIZE, LOADER_GDT) ||
           lies_in(pa, size, BOARD_HIGH_START, l->low_end) ||
           lies_in(pa, size, BOARD_4G, l->high_end);
}

bool load_bytes(struct load *l, paddr to, const void *from, size_t size)
{
    if (dma_write(l->pm, to, from, size))
        return true;
    return load_fail(l, "There is no RAM at %llx for the kernel.",
                     (unsigned long long)to);
}

bool load_zeros(struct load *l, paddr to, uint64_t size)
{
    static const uint8_t zeros[PAGE_SIZE];
    bool ok = true;

    while (ok && size) {
        size_t part = size < PAGE_SIZE ? (size_t)size : PAGE_SIZE;

        ok = load_bytes(l, to, zeros, part);
        to += part;
        size -= part;
    }
    return ok;
}

bool load_string(struct load *l, const char *s, size_t limit, paddr *at)
{
    size_t length = strlen(s);

    if (length > limit) {
        return load_fail(l, "The kernel takes a command line of at most %zu "
                            "characters; this one has %zu.", limit, length);
    }
    if (length >= LOADER_STRINGS_END - l->strings)
        return load_fail(l, "The command lines are too long.");
    *at = l->strings;
    l->strings += length + 1;
    return load_bytes(l, *at, s, length + 1);
}

unsigned load_memory_map(const struct load *l,
                         struct memory_range map[MEMORY_RANGES_MAX])
{
    const struct memory_range all[] = {
        {0, LOADER_EBDA, MEMORY_RAM},
        {LOADER_EBDA, BOARD_LOW_END - LOADER_EBDA, MEMORY_RESERVED},
        {ACPI_TABLES_BASE, BOARD_HIGH_START - ACPI_TABLES_BASE,
         MEMORY_RESERVED},
        {BOARD_HIGH_START, l->low_end - BOARD_HIGH_START, MEMORY_RAM},
        {BOARD_4G, l->high_end - BOARD_4G, MEMORY_RAM},
    };
    unsigned count = 0;

    for (unsigned i = 0; i < array_len(all); i++) {
        if (all[i].size)
            map[count++] = all[i];
    }
    return count;
}

/* --- what a BIOS would have left --- */

/* The BIOS data area, as far as kernels look into it: COM1, the EBDA's
 * segment, and KiB of memory below it.  The EBDA starts with its size. */
static bool load_bios_data(struct load *l)
{
    uint8_t bda[256] = {0}, ebda_kib = 1;

    store16(bda + 0x00, PORT_COM1);
    store16(bda + 0x0e, LOADER_EBDA >> 4);
    store16(bda + 0x13, LOADER_EBDA >> 10);
    return load_zeros(l, 0, PAGE_SIZE) &&
           load_zeros(l, LOADER_EBDA, BOARD_LOW_END - LOADER_EBDA) &&
           load_bytes(l, LOADER_EBDA, &ebda_kib, 1) &&
           load_bytes(l, 0x400, bda, sizeof(bda));
}

static bool load_firmware_tables(struct load *l)
{
    if (!load_bios_data(l))
        return false;
    if (!acpi_tables_install(l->pm, LOADER_FACS, &l->rsdp))
        return load_fail(l, "There is no memory for the ACPI tables.");
    return true;
}

/* --- which format --- */

static bool load_by_format(struct load *l, const struct image *im,
                           const uint8_t *head, size_t size)
{
    size_t header;

    if (loader_is_linux(head, size))
        return loader_linux(l, im);
    if (loader_find_multiboot(head, size, &header))
        return loader_multiboot(l, im, header);
    if (size >= 4 && memcmp(head, "\177ELF", 4) == 0)
        return loader_elf(l, im);
    return load_fail(l, "'%s' is no kernel that Copal can boot: neither a "
                        "Linux bzImage nor multiboot nor ELF.", im->path);
}

static bool load_kernel(struct load *l, const struct image *im)
{
    size_t size = im->size < HEAD_SIZE ? (size_t)im->size : HEAD_SIZE;
    uint8_t *head = xalloc(HEAD_SIZE);
    bool ok = image_read(l, im, 0, head, size) &&
              load_by_format(l, im, head, size);

    free(head);
    return ok;
}

bool loader_boot(const struct boot *boot, struct physmem *pm,
                 uint64_t ram_size, struct cpu *cpu, char *error,
                 size_t error_size)
{
    uint64_t low = ram_size < BOARD_HOLE_START ? ram_size : BOARD_HOLE_START;
    struct load l = {
        .boot = boot,
        .pm = pm,
        .cpu = cpu,
        .low_end = bits_align_down(low, PAGE_SIZE),
        .high_end = BOARD_4G + bits_align_down(ram_size - low, PAGE_SIZE),
        .strings = LOADER_STRINGS,
        .error = error,
        .error_size = error_size,
    };
    struct image im;

    if (ram_size < BOARD_RAM_MIN)
        return load_fail(&l, "Booting a kernel takes at least 2 MiB of RAM.");
    if (!load_firmware_tables(&l) || !image_open(&l, &im, boot->kernel))
        return false;

    bool ok = load_kernel(&l, &im);

    image_close(&im);
    return ok;
}
