/*
 * ELF kernels: their segments, and the PVH entry (Xen's x86 HVM direct boot
 * ABI: 32-bit flat mode, EBX points at struct hvm_start_info).
 *
 * Every number in the file is checked against the file and RAM before use.
 */

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "machine/loader_core.h"

/* Last: its macros PF_W and so on are names elsewhere. */
#include <gelf.h>

enum {
    SEGMENTS_MAX = 64,
    NOTES_MAX = 64 << 10, /* bytes of a segment of notes */
    NOTE_HEADER = 12,
    NOTE_PHYS32_ENTRY = 18, /* XEN_ELFNOTE_PHYS32_ENTRY */
};

/* struct hvm_start_info, version 1, and what it points at. */
enum {
    PVH_MAGIC = 0x336ec578,
    PVH_VERSION = 1,
    PVH_MODULES = 12, /* offsets */
    PVH_MODULE_LIST = 16,
    PVH_CMDLINE = 24,
    PVH_RSDP = 32,
    PVH_MAP = 40,
    PVH_MAP_ENTRIES = 48,
    PVH_MODULE_AT = 64, /* from the start of our tables */
    PVH_MODULE_SIZE = 32,
    PVH_MAP_AT = 128,
    PVH_MAP_ENTRY = 24,
    PVH_ALL = PVH_MAP_AT + MEMORY_RANGES_MAX * PVH_MAP_ENTRY,
};

/* --- notes --- */

/* The value of an entry note, 4 or 8 bytes. */
static void take_entry(struct elf_layout *layout, const uint8_t *value,
                       size_t size)
{
    if (size != 4 && size != 8)
        return;
    layout->has_pvh = true;
    layout->pvh_entry = load_sized(value, (unsigned)size);
}

static void scan_notes(struct elf_layout *layout, const uint8_t *p,
                       size_t size)
{
    while (size >= NOTE_HEADER) {
        size_t name = load32(p), value = load32(p + 4);
        size_t value_at = NOTE_HEADER + bits_align_up(name, 4);

        if (value_at > size || value > size - value_at)
            return;
        if (load32(p + 8) == NOTE_PHYS32_ENTRY && name == 4 &&
            memcmp(p + NOTE_HEADER, "Xen", 4) == 0)
            take_entry(layout, p + value_at, value);

        size_t next = value_at + bits_align_up(value, 4);

        if (next > size)
            return;
        p += next;
        size -= next;
    }
}

static bool read_notes(struct load *l, const struct image *im,
                       const GElf_Phdr *ph, struct elf_layout *layout)
{
    if (ph->p_filesz > NOTES_MAX)
        return true;

    uint8_t *notes = xalloc(NOTES_MAX);
    bool ok = image_read(l, im, ph->p_offset, notes, (size_t)ph->p_filesz);

    if (ok)
        scan_notes(layout, notes, (size_t)ph->p_filesz);
    free(notes);
    return ok;
}

/* --- segments --- */

static bool load_segment(struct load *l, const struct image *im,
                         const GElf_Phdr *ph, struct elf_layout *layout)
{
    if (ph->p_filesz > ph->p_memsz || !ph->p_memsz ||
        !load_is_free(l, ph->p_paddr, ph->p_memsz)) {
        return load_fail(l, "'%s' has a segment of %llu bytes at %llx, where "
                            "there is no RAM for it.", im->path,
                         (unsigned long long)ph->p_memsz,
                         (unsigned long long)ph->p_paddr);
    }
    if (ph->p_paddr + ph->p_memsz > layout->end)
        layout->end = ph->p_paddr + ph->p_memsz;
    return image_copy(l, im, ph->p_offset, ph->p_filesz, ph->p_paddr) &&
           load_zeros(l, ph->p_paddr + ph->p_filesz,
                      ph->p_memsz - ph->p_filesz);
}

/* Kernels linked high name a virtual address. */
static void find_entry(const GElf_Ehdr *eh, const GElf_Phdr *ph,
                       struct elf_layout *layout)
{
    if (eh->e_entry >= ph->p_vaddr && eh->e_entry - ph->p_vaddr < ph->p_memsz)
        layout->entry = eh->e_entry - ph->p_vaddr + ph->p_paddr;
}

static bool load_segments(struct load *l, const struct image *im, Elf *elf,
                          struct elf_layout *layout)
{
    GElf_Ehdr eh;
    GElf_Phdr ph;
    size_t count;

    if (!gelf_getehdr(elf, &eh) || elf_getphdrnum(elf, &count) != 0 ||
        (eh.e_machine != EM_386 && eh.e_machine != EM_X86_64))
        return load_fail(l, "'%s' is no ELF program for x86.", im->path);
    if (count > SEGMENTS_MAX)
        return load_fail(l, "'%s' has too many segments.", im->path);
    layout->entry = eh.e_entry;
    for (int i = 0; i < (int)count; i++) {
        if (!gelf_getphdr(elf, i, &ph))
            return load_fail(l, "'%s' has a damaged header.", im->path);
        if (ph.p_type == PT_NOTE && !read_notes(l, im, &ph, layout))
            return false;
        if (ph.p_type != PT_LOAD || !ph.p_memsz)
            continue;
        if (!load_segment(l, im, &ph, layout))
            return false;
        find_entry(&eh, &ph, layout);
    }
    return layout->end ||
           load_fail(l, "'%s' has nothing to load.", im->path);
}

bool loader_elf_segments(struct load *l, const struct image *im,
                         struct elf_layout *layout)
{
    Elf *elf;
    bool ok;

    memset(layout, 0, sizeof(*layout));
    if (elf_version(EV_CURRENT) == EV_NONE)
        return load_fail(l, "The ELF library is too old.");
    elf = elf_begin(im->fd, ELF_C_READ, NULL);
    if (!elf || elf_kind(elf) != ELF_K_ELF)
        ok = load_fail(l, "'%s' is no ELF file.", im->path);
    else
        ok = load_segments(l, im, elf, layout);
    elf_end(elf);
    return ok;
}

/* --- PVH --- */

/* As high as it can be below the hole. */
static bool load_pvh_initrd(struct load *l, const struct elf_layout *layout,
                            uint8_t *tables)
{
    uint8_t *module = tables + PVH_MODULE_AT;
    struct image im;
    bool ok;

    if (!l->boot->initrd)
        return true;
    if (!image_open(l, &im, l->boot->initrd))
        return false;

    uint64_t room = l->low_end > layout->end ? l->low_end - layout->end : 0;
    paddr at = bits_align_down(l->low_end - im.size, PAGE_SIZE);

    ok = room >= im.size + PAGE_SIZE && load_is_free(l, at, im.size)
             ? image_copy(l, &im, 0, im.size, at)
             : load_fail(l, "There is not enough RAM for the kernel and the "
                            "initrd '%s'.", im.path);
    store32(tables + PVH_MODULES, 1);
    store64(tables + PVH_MODULE_LIST, LOADER_TABLES + PVH_MODULE_AT);
    store64(module, at);
    store64(module + 8, im.size);
    image_close(&im);
    return ok;
}

static void put_pvh_map(const struct load *l, uint8_t *tables)
{
    struct memory_range map[MEMORY_RANGES_MAX];
    unsigned count = load_memory_map(l, map);

    for (unsigned i = 0; i < count; i++) {
        uint8_t *entry = tables + PVH_MAP_AT + (size_t)i * PVH_MAP_ENTRY;

        store64(entry, map[i].base);
        store64(entry + 8, map[i].size);
        store32(entry + 16, map[i].type);
    }
    store64(tables + PVH_MAP, LOADER_TABLES + PVH_MAP_AT);
    store32(tables + PVH_MAP_ENTRIES, count);
}

static bool boot_pvh(struct load *l, const struct elf_layout *layout)
{
    const char *append = l->boot->append ? l->boot->append : "";
    uint8_t tables[PVH_ALL] = {0};
    paddr cmdline;

    store32(tables, PVH_MAGIC);
    store32(tables + 4, PVH_VERSION);
    store64(tables + PVH_RSDP, l->rsdp);
    put_pvh_map(l, tables);
    if (!load_pvh_initrd(l, layout, tables) ||
        !load_string(l, append, SIZE_MAX, &cmdline))
        return false;
    store64(tables + PVH_CMDLINE, cmdline);
    if (!load_bytes(l, LOADER_TABLES, tables, sizeof(tables)) ||
        !load_enter_flat(l, (uint32_t)layout->pvh_entry))
        return false;
    l->cpu->gpr[RBX] = LOADER_TABLES;
    return true;
}

bool loader_elf(struct load *l, const struct image *im)
{
    struct elf_layout layout;

    if (!loader_elf_segments(l, im, &layout))
        return false;
    if (!layout.has_pvh) {
        return load_fail(l, "'%s' has neither a multiboot header nor a PVH "
                            "entry: I do not know how to start it.", im->path);
    }
    if (layout.pvh_entry > UINT32_MAX)
        return load_fail(l, "'%s' has a PVH entry above 4 GiB.", im->path);
    return boot_pvh(l, &layout);
}
