/*
 * Multiboot 1 (specification 0.6.96): ELF kernels and those that say in their
 * header where they go.  Numbers in parentheses are its sections.
 */

#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "machine/loader_core.h"

enum {
    HEADER_MAGIC = 0x1badb002,
    BOOT_MAGIC = 0x2badb002,
    HEADER_UNKNOWN = 0xfff8, /* requirements that 0.6.96 does not have */
    HEADER_ADDRESSES = 1 << 16,
    HEADER_SEARCH = 8192,
};

/* The information structure (3.3), and what else is in our tables. */
enum {
    INFO_MEMORY = 1 << 0, /* bits of its flags */
    INFO_CMDLINE = 1 << 2,
    INFO_MODULES = 1 << 3,
    INFO_MAP = 1 << 6,
    INFO_NAME = 1 << 9,
    INFO_MEM_LOWER = 4, /* offsets */
    INFO_MEM_UPPER = 8,
    INFO_CMDLINE_AT = 16,
    INFO_MODULE_COUNT = 20,
    INFO_MODULES_AT = 24,
    INFO_MAP_LENGTH = 44,
    INFO_MAP_AT = 48,
    INFO_NAME_AT = 64,
    MODULES = 128,
    MODULES_MAX = 16,
    MODULE_ENTRY = 16,
    MAP = MODULES + MODULES_MAX * MODULE_ENTRY,
    MAP_ENTRY = 24,
    TABLES_SIZE = MAP + MEMORY_RANGES_MAX * MAP_ENTRY,
    MODULE_LINE_MAX = 1024,
};

/* The part of the header that HEADER_ADDRESSES announces (3.1.3). */
struct addresses {
    uint32_t header, load, load_end, bss_end, entry;
};

bool loader_find_multiboot(const uint8_t *start, size_t size, size_t *at)
{
    if (size > HEADER_SEARCH)
        size = HEADER_SEARCH;
    for (size_t i = 0; i + 12 <= size; i += 4) {
        uint32_t magic = load32(start + i), flags = load32(start + i + 4);

        if (magic == HEADER_MAGIC &&
            (uint32_t)(magic + flags + load32(start + i + 8)) == 0) {
            *at = i;
            return true;
        }
    }
    return false;
}

/* --- the kernel --- */

static bool bad_addresses(struct load *l, const struct image *im)
{
    return load_fail(l, "The multiboot header of '%s' has addresses where "
                        "there is no RAM.", im->path);
}

static bool load_by_addresses(struct load *l, const struct image *im,
                              size_t header, struct elf_layout *layout)
{
    struct addresses a;

    if (!image_read(l, im, header + 12, &a, sizeof(a)))
        return false;
    if (a.load > a.header || a.header - a.load > header)
        return bad_addresses(l, im);

    uint64_t from = header - (a.header - a.load);
    uint64_t size = a.load_end ? (uint64_t)a.load_end - a.load
                               : im->size - from;
    uint64_t total = a.bss_end ? (uint64_t)a.bss_end - a.load : size;

    if ((a.load_end && a.load_end < a.load) ||
        (a.bss_end && a.bss_end < a.load))
        return bad_addresses(l, im);
    if (total < size)
        total = size;
    if (!load_is_free(l, a.load, total))
        return bad_addresses(l, im);
    layout->entry = a.entry;
    layout->end = a.load + total;
    return image_copy(l, im, from, size, a.load) &&
           load_zeros(l, a.load + size, total - size);
}

static bool load_multiboot_kernel(struct load *l, const struct image *im,
                                  size_t header, struct elf_layout *layout)
{
    uint8_t flags[4];

    if (!image_read(l, im, header + 4, flags, sizeof(flags)))
        return false;
    if (load32(flags) & HEADER_UNKNOWN) {
        return load_fail(l, "'%s' asks for multiboot features that nobody has "
                            "heard of.", im->path);
    }
    if (load32(flags) & HEADER_ADDRESSES)
        return load_by_addresses(l, im, header, layout);
    return loader_elf_segments(l, im, layout);
}

/* --- modules --- */

/* One module: "file arguments", `length` bytes of the list. */
static bool load_module(struct load *l, const char *text, size_t length,
                        paddr *next, uint8_t *entry)
{
    char line[MODULE_LINE_MAX];
    char path[MODULE_LINE_MAX];
    struct image im;
    paddr cmdline, at = bits_align_up(*next, PAGE_SIZE);
    bool ok;

    if (length >= sizeof(line))
        return load_fail(l, "The list of modules is too long.");
    memcpy(line, text, length);
    line[length] = '\0';
    memcpy(path, line, length + 1);
    path[strcspn(path, " ")] = '\0';
    if (!load_string(l, line, SIZE_MAX, &cmdline) ||
        !image_open(l, &im, path))
        return false;
    ok = load_is_free(l, at, im.size) && at < l->low_end
             ? image_copy(l, &im, 0, im.size, at)
             : load_fail(l, "There is not enough RAM for the module '%s'.",
                         path);
    *next = at + im.size;
    store32(entry, (uint32_t)at);
    store32(entry + 4, (uint32_t)*next);
    store32(entry + 8, (uint32_t)cmdline);
    image_close(&im);
    return ok;
}

/* Behind the kernel, each from a page of its own. */
static bool load_modules(struct load *l, paddr kernel_end, uint8_t *tables,
                         uint32_t *count)
{
    const char *list = l->boot->initrd;
    paddr next = kernel_end > BOARD_HIGH_START ? kernel_end : BOARD_HIGH_START;

    *count = 0;
    while (list && *list) {
        size_t length = strcspn(list, ",");

        if (*count == MODULES_MAX)
            return load_fail(l, "There may be at most 16 modules.");
        if (!load_module(l, list, length, &next,
                         tables + MODULES + *count * MODULE_ENTRY))
            return false;
        ++*count;
        list += length + (list[length] == ',');
    }
    return true;
}

/* --- the information structure --- */

static uint32_t put_map(const struct load *l, uint8_t *tables)
{
    struct memory_range map[MEMORY_RANGES_MAX];
    unsigned count = load_memory_map(l, map);

    for (unsigned i = 0; i < count; i++) {
        uint8_t *entry = tables + MAP + (size_t)i * MAP_ENTRY;

        store32(entry, MAP_ENTRY - 4); /* its size does not count itself */
        store64(entry + 4, map[i].base);
        store64(entry + 12, map[i].size);
        store32(entry + 20, map[i].type);
    }
    return count * MAP_ENTRY;
}

static bool put_strings(struct load *l, const struct image *im,
                        uint8_t *tables)
{
    const char *append = l->boot->append ? l->boot->append : "";
    paddr path, name, at;

    /* One string: the path, a blank, the arguments. */
    if (!load_string(l, im->path, SIZE_MAX, &path) ||
        !load_string(l, append, SIZE_MAX, &at) ||
        !load_string(l, "Copal", SIZE_MAX, &name) ||
        !load_bytes(l, at - 1, " ", 1))
        return false;
    store32(tables + INFO_CMDLINE_AT, (uint32_t)path);
    store32(tables + INFO_NAME_AT, (uint32_t)name);
    return true;
}

bool loader_multiboot(struct load *l, const struct image *im, size_t header)
{
    uint8_t tables[TABLES_SIZE] = {0};
    struct elf_layout layout = {0};
    uint32_t modules;

    if (!load_multiboot_kernel(l, im, header, &layout) ||
        !put_strings(l, im, tables) ||
        !load_modules(l, layout.end, tables, &modules))
        return false;
    if (layout.entry > UINT32_MAX)
        return load_fail(l, "'%s' starts above 4 GiB.", im->path);
    store32(tables, INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MAP |
                        INFO_NAME);
    store32(tables + INFO_MEM_LOWER, LOADER_EBDA >> 10);
    store32(tables + INFO_MEM_UPPER,
            (uint32_t)((l->low_end - BOARD_HIGH_START) >> 10));
    store32(tables + INFO_MODULE_COUNT, modules);
    store32(tables + INFO_MODULES_AT, LOADER_TABLES + MODULES);
    store32(tables + INFO_MAP_LENGTH, put_map(l, tables));
    store32(tables + INFO_MAP_AT, LOADER_TABLES + MAP);
    if (!load_bytes(l, LOADER_TABLES, tables, sizeof(tables)) ||
        !load_enter_flat(l, (uint32_t)layout.entry))
        return false;
    l->cpu->gpr[RAX] = BOOT_MAGIC;
    l->cpu->gpr[RBX] = LOADER_TABLES;
    return true;
}
