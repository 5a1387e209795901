/*
 * Linux on x86, as Documentation/arch/x86/boot.rst of the kernel describes the
 * boot protocol: the protected-mode part of a bzImage goes to its address, the
 * zero page (struct boot_params) tells it everything else.
 *
 * The real-mode part is not run: it would ask a BIOS.
 */

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "cpu/cpuid.h"
#include "cpu/insn.h"
#include "machine/loader_core.h"

/* Offsets in the setup header, which is at the same place in the file and in
 * the zero page. */
enum {
    HDR_START = 0x1f1,
    HDR_SETUP_SECTS = 0x1f1,
    HDR_VID_MODE = 0x1fa,
    HDR_BOOT_FLAG = 0x1fe,
    HDR_JUMP = 0x200, /* its second byte: where the header ends, less 0x202 */
    HDR_MAGIC = 0x202,
    HDR_VERSION = 0x206,
    HDR_LOADER = 0x210,
    HDR_LOADFLAGS = 0x211,
    HDR_CODE32_START = 0x214,
    HDR_RAMDISK_IMAGE = 0x218,
    HDR_RAMDISK_SIZE = 0x21c,
    HDR_CMD_LINE_PTR = 0x228,
    HDR_INITRD_ADDR_MAX = 0x22c, /* from 2.03 */
    HDR_RELOCATABLE = 0x234,     /* from 2.05 */
    HDR_XLOADFLAGS = 0x236,      /* from 2.12 */
    HDR_CMDLINE_SIZE = 0x238,    /* from 2.06 */
    HDR_PREF_ADDRESS = 0x258,    /* from 2.10 */
    HDR_INIT_SIZE = 0x260,       /* from 2.10 */
    HDR_LIMIT = 0x290,           /* the zero page has the EDD area there */
};

/* Offsets in the zero page. */
enum {
    ZP_VIDEO_MODE = 0x006,
    ZP_VIDEO_COLUMNS = 0x007,
    ZP_VIDEO_LINES = 0x00e,
    ZP_VIDEO_IS_VGA = 0x00f,
    ZP_VIDEO_POINTS = 0x010,
    ZP_EXT_MEM_K = 0x002,
    ZP_ACPI_RSDP = 0x070,
    ZP_ALT_MEM_K = 0x1e0,
    ZP_E820_ENTRIES = 0x1e8,
    ZP_E820_TABLE = 0x2d0,
    E820_ENTRY = 20,
};

enum {
    SECTOR = 512,
    MAGIC = 0x53726448, /* "HdrS" */
    BOOT_FLAG = 0xaa55,
    LOADED_HIGH = 1 << 0,
    XLF_KERNEL_64 = 1 << 0,
    ENTRY_64 = 0x200,
    LOADER_UNKNOWN = 0xff,
    VIDEO_NORMAL = 0xffff,
    VERSION_MIN = 0x202,
    HIGH_ADDRESS = 0x100000,
    CMDLINE_OLD = 255,
    CMDLINE_MAX = LOADER_STRINGS_END - LOADER_STRINGS - 1,
};

#define INITRD_MAX_OLD ((uint32_t)0x37ffffff)

/* What the header says, defaults of older versions filled in. */
struct linux_kernel {
    uint8_t *page; /* becomes the zero page */
    unsigned version;
    uint64_t setup_size, code_size;
    uint64_t address;   /* of the protected-mode part */
    uint64_t run_start, run_end; /* what it needs until it looks at the map */
    uint32_t initrd_max; /* highest address of the last byte */
    uint32_t cmdline_max;
    bool is_64;
};

bool loader_is_linux(const uint8_t *start, size_t size)
{
    return size >= 2 * SECTOR && load16(start + HDR_BOOT_FLAG) == BOOT_FLAG &&
           load32(start + HDR_MAGIC) == MAGIC;
}

/* --- the header --- */

static bool read_header(struct load *l, const struct image *im,
                        struct linux_kernel *k)
{
    uint8_t head[2 * SECTOR];
    uint8_t sectors;
    size_t end;

    if (!image_read(l, im, 0, head, sizeof(head)))
        return false;
    end = HDR_MAGIC + (size_t)head[HDR_JUMP + 1];
    if (end > HDR_LIMIT)
        end = HDR_LIMIT;
    memcpy(k->page + HDR_START, head + HDR_START, end - HDR_START);
    k->version = load16(head + HDR_VERSION);
    sectors = head[HDR_SETUP_SECTS];
    k->setup_size = SECTOR * ((sectors ? (uint64_t)sectors : 4) + 1);
    if (k->version < VERSION_MIN || !(head[HDR_LOADFLAGS] & LOADED_HIGH)) {
        return load_fail(l, "'%s' needs a BIOS: boot protocol %u.%02u, and "
                            "Copal boots bzImages from 2.02 on.", im->path,
                         k->version >> 8, k->version & 0xff);
    }
    if (k->setup_size >= im->size)
        return load_fail(l, "'%s' ends too early: it is damaged.", im->path);
    k->code_size = im->size - k->setup_size;
    return true;
}

static void read_options(struct linux_kernel *k)
{
    const uint8_t *page = k->page;

    k->initrd_max = k->version >= 0x203 ? load32(page + HDR_INITRD_ADDR_MAX)
                                        : INITRD_MAX_OLD;
    k->cmdline_max = k->version >= 0x206 ? load32(page + HDR_CMDLINE_SIZE)
                                         : CMDLINE_OLD;
    if (k->cmdline_max > CMDLINE_MAX)
        k->cmdline_max = CMDLINE_MAX;
    k->is_64 = k->version >= 0x20c &&
               (load16(page + HDR_XLOADFLAGS) & XLF_KERNEL_64);
}

static bool too_little_ram(struct load *l, const struct image *im,
                           uint64_t end)
{
    return load_fail(l, "'%s' needs at least %llu MiB of RAM.", im->path,
                     (unsigned long long)((end + (1 << 20) - 1) >> 20));
}

/* A relocatable kernel goes where it would move itself to; the others
 * decompress from 1 MiB to that place. */
static bool choose_address(struct load *l, const struct image *im,
                           struct linux_kernel *k)
{
    bool relocatable = k->version >= 0x205 && k->page[HDR_RELOCATABLE];
    uint64_t preferred = HIGH_ADDRESS, need = k->code_size;

    if (k->version >= 0x20a) {
        uint64_t init_size = load32(k->page + HDR_INIT_SIZE);

        preferred = load64(k->page + HDR_PREF_ADDRESS);
        need = init_size > need ? init_size : need;
    }
    if (preferred < HIGH_ADDRESS || preferred > BOARD_4G) {
        return load_fail(l, "'%s' wants to be at address %llx: it is damaged.",
                         im->path, (unsigned long long)preferred);
    }
    k->address = relocatable ? preferred : HIGH_ADDRESS;
    k->run_start = k->address;
    k->run_end = preferred + need;
    if (k->run_end < k->address + k->code_size)
        k->run_end = k->address + k->code_size;
    return load_is_free(l, k->run_start, k->run_end - k->run_start) ||
           too_little_ram(l, im, k->run_end);
}

static bool check_processor(struct load *l, const struct image *im,
                            const struct linux_kernel *k)
{
    if (!k->is_64 || cpu_has(l->cpu, FEAT_LM))
        return true;
    return load_fail(l, "'%s' is a 64-bit kernel, and a processor of model %s "
                        "has no long mode.", im->path, l->cpu->model->name);
}

/* --- what goes with the kernel --- */

/* As high as it may be, so that the kernel has room to decompress. */
static bool load_initrd(struct load *l, struct linux_kernel *k)
{
    struct image im;
    uint64_t top = (uint64_t)k->initrd_max + 1, at;
    bool ok;

    if (!l->boot->initrd)
        return true;
    if (!image_open(l, &im, l->boot->initrd))
        return false;
    if (top > l->low_end)
        top = l->low_end;
    if (top < im.size || im.size > UINT32_MAX) {
        ok = load_fail(l, "The initrd '%s' does not fit into RAM.", im.path);
    } else {
        at = bits_align_down(top - im.size, PAGE_SIZE);
        ok = at >= k->run_end
                 ? image_copy(l, &im, 0, im.size, at)
                 : load_fail(l, "There is not enough RAM for the kernel and "
                                "the initrd '%s'.", im.path);
        store32(k->page + HDR_RAMDISK_IMAGE, (uint32_t)at);
        store32(k->page + HDR_RAMDISK_SIZE, (uint32_t)im.size);
    }
    image_close(&im);
    return ok;
}

static bool load_command_line(struct load *l, struct linux_kernel *k)
{
    const char *append = l->boot->append ? l->boot->append : "";
    paddr at;

    if (!load_string(l, append, k->cmdline_max, &at))
        return false;
    store32(k->page + HDR_CMD_LINE_PTR, (uint32_t)at);
    return true;
}

/* --- the zero page --- */

static uint32_t extended_kib(const struct load *l)
{
    return (uint32_t)((l->low_end - BOARD_HIGH_START) >> 10);
}

/* Old kernels read these two numbers instead of the map. */
static void put_memory(const struct load *l, uint8_t *page)
{
    struct memory_range map[MEMORY_RANGES_MAX];
    unsigned count = load_memory_map(l, map);
    uint32_t kib = extended_kib(l);

    page[ZP_E820_ENTRIES] = (uint8_t)count;
    for (unsigned i = 0; i < count; i++) {
        uint8_t *entry = page + ZP_E820_TABLE + (size_t)i * E820_ENTRY;

        store64(entry, map[i].base);
        store64(entry + 8, map[i].size);
        store32(entry + 16, map[i].type);
    }
    store16(page + ZP_EXT_MEM_K, kib > 0xffff ? 0xffff : (uint16_t)kib);
    store32(page + ZP_ALT_MEM_K, kib);
}

/* Text mode 3 of a VGA; the kernel finds out if there is one. */
static void put_screen(uint8_t *page)
{
    page[ZP_VIDEO_MODE] = 3;
    page[ZP_VIDEO_COLUMNS] = 80;
    page[ZP_VIDEO_LINES] = 25;
    page[ZP_VIDEO_IS_VGA] = 1;
    page[ZP_VIDEO_POINTS] = 16;
}

static bool load_zero_page(struct load *l, struct linux_kernel *k)
{
    uint8_t *page = k->page;

    put_screen(page);
    put_memory(l, page);
    store64(page + ZP_ACPI_RSDP, l->rsdp);
    store16(page + HDR_VID_MODE, VIDEO_NORMAL);
    page[HDR_LOADER] = LOADER_UNKNOWN;
    store32(page + HDR_CODE32_START, (uint32_t)k->address);
    return load_bytes(l, LOADER_TABLES, page, PAGE_SIZE);
}

static bool enter(struct load *l, const struct linux_kernel *k)
{
    bool ok = k->is_64 ? load_enter_long(l, k->address + ENTRY_64)
                       : load_enter_flat(l, (uint32_t)k->address);

    l->cpu->gpr[RSI] = LOADER_TABLES;
    return ok;
}

static bool load_parts(struct load *l, const struct image *im,
                       struct linux_kernel *k)
{
    if (!read_header(l, im, k))
        return false;
    read_options(k);
    return check_processor(l, im, k) && choose_address(l, im, k) &&
           image_copy(l, im, k->setup_size, k->code_size, k->address) &&
           load_initrd(l, k) && load_command_line(l, k) &&
           load_zero_page(l, k) && enter(l, k);
}

bool loader_linux(struct load *l, const struct image *im)
{
    struct linux_kernel k = {.page = xalloc(PAGE_SIZE)};
    bool ok = load_parts(l, im, &k);

    free(k.page);
    return ok;
}
