/*
 * The loader on kernels made here, good and bad: what it puts where, how the
 * processor is left, and one sentence for each file that cannot be booted.
 */

#include <elf.h>
#undef PF_X /* names of mem/paging.h too */
#undef PF_W
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cpu/cpuid.h"
#include "machine/loader.h"
#include "machine/loader_core.h"
#include "mem/dma.h"
#include "tests/unit/suite.h"

enum {
    MIB = 1 << 20,
    RAM = 32 * MIB,
    FILE_MAX = 64 << 10,
    SETUP = 1024, /* bytes of a bzImage before the code */
    CODE = 4096,
    BZIMAGE = SETUP + CODE,
    ZERO_PAGE = LOADER_TABLES,
};

/* A board without devices, and the files of a test. */
struct bench {
    struct physmem pm;
    struct space io;
    struct clock clock;
    struct stats stats;
    struct cpu cpu;
    struct boot boot;
    char kernel[32], initrd[32];
    char error[256];
    uint8_t file[FILE_MAX]; /* being made */
};

static struct bench *bench_new(const char *model)
{
    struct bench *b = calloc(1, sizeof(*b));

    ck_assert(physmem_init(&b->pm, RAM));
    ck_assert(physmem_add_block(&b->pm, "low", 0, 0xa0000, 0, BLOCK_RAM));
    ck_assert(physmem_add_block(&b->pm, "rom", 0xc0000, 0x40000, 0xc0000,
                                BLOCK_ROM));
    ck_assert(physmem_add_block(&b->pm, "ram", MIB, RAM - MIB, MIB,
                                BLOCK_RAM));
    space_init(&b->io, "io", 1 << 16);
    clock_init(&b->clock, CLOCK_DETERMINISTIC);
    cpu_init(&b->cpu, cpu_model_find(model), &b->pm, &b->io, &b->clock,
             &b->stats);
    strcpy(b->kernel, "/tmp/copal-kernel-XXXXXX");
    strcpy(b->initrd, "/tmp/copal-initrd-XXXXXX");
    close(mkstemp(b->kernel));
    close(mkstemp(b->initrd));
    b->boot.kernel = b->kernel;
    return b;
}

static void bench_free(struct bench *b)
{
    unlink(b->kernel);
    unlink(b->initrd);
    cpu_destroy(&b->cpu);
    clock_destroy(&b->clock);
    physmem_destroy(&b->pm);
    free(b);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

/* Boots the first `size` bytes of b->file. */
static bool boot(struct bench *b, size_t size)
{
    write_file(b->kernel, b->file, size);
    b->error[0] = '\0';
    cpu_reset(&b->cpu);
    return loader_boot(&b->boot, &b->pm, RAM, &b->cpu, b->error,
                       sizeof(b->error));
}

/* Refused, in one sentence that has these words. */
static void refused(struct bench *b, size_t size, const char *words)
{
    ck_assert(!boot(b, size));
    ck_assert_msg(strstr(b->error, words), "said: %s", b->error);
    ck_assert_int_eq(b->error[strlen(b->error) - 1], '.');
}

static uint32_t ram32(struct bench *b, paddr pa)
{
    return (uint32_t)physmem_read(&b->pm, pa, 4);
}

static uint64_t ram64(struct bench *b, paddr pa)
{
    return physmem_read(&b->pm, pa, 8);
}

/* --- Linux --- */

/* Protocol 2.15: relocatable, prefers 16 MiB, needs 1 MiB there. */
static void make_linux(struct bench *b)
{
    uint8_t *f = b->file;

    memset(f, 0, SETUP);
    memset(f + SETUP, 0x90, CODE);
    f[0x1f1] = 1;
    store16(f + 0x1fe, 0xaa55);
    f[0x201] = 0x6a;
    memcpy(f + 0x202, "HdrS", 4);
    store16(f + 0x206, 0x20f);
    f[0x211] = 1;
    store32(f + 0x22c, 0x7fffffff);
    f[0x234] = 1;
    store16(f + 0x236, 1); /* it has a 64-bit entry */
    store32(f + 0x238, 100);
    store64(f + 0x258, 16 * MIB);
    store32(f + 0x260, MIB);
}

START_TEST(linux_64_bit_entry_is_in_long_mode_with_the_zero_page_in_rsi)
{
    struct bench *b = bench_new("max");

    make_linux(b);
    ck_assert_msg(boot(b, BZIMAGE), "said: %s", b->error);
    ck_assert(cpu_code64(&b->cpu));
    ck_assert_uint_eq(b->cpu.rip, 16 * MIB + 0x200);
    ck_assert_uint_eq(b->cpu.gpr[RSI], ZERO_PAGE);
    ck_assert_uint_eq(b->cpu.seg[CS].sel, 0x10);
    ck_assert_uint_eq(b->cpu.seg[DS].sel, 0x18);
    ck_assert_uint_eq(cpu_eflags(&b->cpu) & FLAG_IF, 0);
    ck_assert_uint_eq(ram32(b, 16 * MIB), 0x90909090);
    bench_free(b);
}
END_TEST

START_TEST(long_mode_maps_four_gib_one_to_one)
{
    static const uint64_t places[] = {0, 0x9fc40, 16 * MIB, 0xfee00000,
                                      0xfffffff8};
    struct bench *b = bench_new("max");
    paddr pa;

    make_linux(b);
    ck_assert(boot(b, BZIMAGE));
    for (unsigned i = 0; i < array_len(places); i++) {
        ck_assert(mmu_debug_translate(&b->cpu.mmu, places[i], &pa));
        ck_assert_uint_eq(pa, places[i]);
    }
    ck_assert(!mmu_debug_translate(&b->cpu.mmu, (laddr)1 << 32, &pa));
    bench_free(b);
}
END_TEST

START_TEST(linux_32_bit_entry_is_flat_without_paging)
{
    struct bench *b = bench_new("pentium");

    make_linux(b);
    store16(b->file + 0x236, 0);
    ck_assert_msg(boot(b, BZIMAGE), "said: %s", b->error);
    ck_assert_uint_eq(b->cpu.cr0 & (CR0_PE | CR0_PG), CR0_PE);
    ck_assert_uint_eq(b->cpu.rip, 16 * MIB);
    ck_assert_uint_eq(b->cpu.seg[CS].limit, UINT32_MAX);
    ck_assert(b->cpu.mode & MODE_CODE32);
    ck_assert_uint_eq(b->cpu.gpr[RSI], ZERO_PAGE);
    bench_free(b);
}
END_TEST

/* The descriptor is what the segment register says it is. */
START_TEST(gdt_holds_the_loaded_segments)
{
    struct bench *b = bench_new("pentium");

    make_linux(b);
    store16(b->file + 0x236, 0);
    ck_assert(boot(b, BZIMAGE));
    ck_assert_uint_eq(ram64(b, b->cpu.gdtr.base + 0x10), 0x00cf9b000000ffff);
    ck_assert_uint_eq(ram64(b, b->cpu.gdtr.base + 0x18), 0x00cf93000000ffff);
    ck_assert_uint_eq(b->cpu.gdtr.limit, 0x1f);
    bench_free(b);
}
END_TEST

START_TEST(zero_page_has_map_command_line_and_acpi)
{
    struct bench *b = bench_new("max");
    uint64_t usable = 0;
    char line[8];

    make_linux(b);
    b->boot.append = "quiet";
    ck_assert(boot(b, BZIMAGE));
    dma_read(&b->pm, ram32(b, ZERO_PAGE + 0x228), line, sizeof(line));
    ck_assert_str_eq(line, "quiet");
    for (unsigned i = 0; i < (ram32(b, ZERO_PAGE + 0x1e8) & 0xff); i++) {
        paddr entry = ZERO_PAGE + 0x2d0 + i * 20;

        if (ram32(b, entry + 16) == 1)
            usable += ram64(b, entry + 8);
    }
    ck_assert_uint_eq(usable, RAM - MIB + 0x9fc00);
    ck_assert_uint_eq(ram64(b, ram64(b, ZERO_PAGE + 0x70)),
                      load64("RSD PTR "));
    bench_free(b);
}
END_TEST

START_TEST(initrd_is_as_high_as_the_kernel_allows)
{
    struct bench *b = bench_new("max");

    make_linux(b);
    store32(b->file + 0x22c, 24 * MIB - 1);
    write_file(b->initrd, "initrd", 6);
    b->boot.initrd = b->initrd;
    ck_assert_msg(boot(b, BZIMAGE), "said: %s", b->error);
    ck_assert_uint_eq(ram32(b, ZERO_PAGE + 0x218), 24 * MIB - PAGE_SIZE);
    ck_assert_uint_eq(ram32(b, ZERO_PAGE + 0x21c), 6);
    ck_assert_uint_eq(ram32(b, 24 * MIB - PAGE_SIZE), load32("init"));
    bench_free(b);
}
END_TEST

START_TEST(initrd_never_lies_where_the_kernel_runs)
{
    struct bench *b = bench_new("max");

    make_linux(b);
    store32(b->file + 0x22c, 16 * MIB + CODE);
    write_file(b->initrd, "initrd", 6);
    b->boot.initrd = b->initrd;
    refused(b, BZIMAGE, "not enough RAM");
    bench_free(b);
}
END_TEST

START_TEST(kernel_that_is_not_relocatable_goes_to_one_mib)
{
    struct bench *b = bench_new("max");

    make_linux(b);
    b->file[0x234] = 0;
    ck_assert(boot(b, BZIMAGE));
    ck_assert_uint_eq(b->cpu.rip, MIB + 0x200);
    bench_free(b);
}
END_TEST

START_TEST(linux_that_cannot_be_booted_says_why)
{
    struct bench *b = bench_new("pentium");

    make_linux(b);
    refused(b, BZIMAGE, "no long mode");
    make_linux(b);
    store16(b->file + 0x236, 0);
    store32(b->file + 0x260, 17 * MIB);
    refused(b, BZIMAGE, "at least 33 MiB");
    store32(b->file + 0x260, UINT32_MAX);
    refused(b, BZIMAGE, "MiB of RAM");
    make_linux(b);
    store64(b->file + 0x258, UINT64_MAX);
    store16(b->file + 0x236, 0);
    refused(b, BZIMAGE, "damaged");
    make_linux(b);
    store16(b->file + 0x206, 0x201);
    refused(b, BZIMAGE, "needs a BIOS");
    bench_free(b);
}
END_TEST

START_TEST(linux_that_ends_early_is_refused)
{
    struct bench *b = bench_new("max");

    make_linux(b);
    refused(b, SETUP, "ends too early");
    b->file[0x1f1] = 255;
    refused(b, BZIMAGE, "ends too early");
    refused(b, 600, "no kernel");
    refused(b, 0, "no kernel");
    bench_free(b);
}
END_TEST

START_TEST(command_line_is_as_long_as_the_kernel_takes)
{
    struct bench *b = bench_new("max");
    char line[102];

    memset(line, 'a', sizeof(line));
    line[100] = '\0';
    make_linux(b);
    b->boot.append = line;
    ck_assert(boot(b, BZIMAGE));
    line[100] = 'a';
    line[101] = '\0';
    refused(b, BZIMAGE, "at most 100");
    bench_free(b);
}
END_TEST

START_TEST(missing_files_are_named)
{
    struct bench *b = bench_new("max");

    make_linux(b);
    b->boot.initrd = "/nowhere/initrd";
    refused(b, BZIMAGE, "/nowhere/initrd");
    b->boot.initrd = "/";
    refused(b, BZIMAGE, "not a file");
    b->boot.kernel = "/nowhere/kernel";
    refused(b, BZIMAGE, "/nowhere/kernel");
    bench_free(b);
}
END_TEST

/* --- multiboot --- */

enum { MB_LOAD = 2 * MIB, MB_SIZE = 64 };

/* A flat file with addresses in its header, 16 bytes into it. */
static void make_multiboot(struct bench *b)
{
    uint8_t *h = b->file + 16;
    const uint32_t flags = 1 << 16;

    memset(b->file, 0xf4, MB_SIZE);
    store32(h, 0x1badb002);
    store32(h + 4, flags);
    store32(h + 8, 0u - 0x1badb002 - flags);
    store32(h + 12, MB_LOAD + 16);
    store32(h + 16, MB_LOAD);
    store32(h + 20, MB_LOAD + MB_SIZE);
    store32(h + 24, MB_LOAD + 4096); /* bss ends */
    store32(h + 28, MB_LOAD + 48);
}

START_TEST(multiboot_kernel_gets_its_registers_and_its_bss_is_zero)
{
    struct bench *b = bench_new("pentium");

    make_multiboot(b);
    physmem_write(&b->pm, MB_LOAD + 100, UINT64_MAX, 8);
    ck_assert_msg(boot(b, MB_SIZE), "said: %s", b->error);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0x2badb002);
    ck_assert_uint_eq(b->cpu.rip, MB_LOAD + 48);
    ck_assert_uint_eq(ram32(b, MB_LOAD + 60), 0xf4f4f4f4);
    ck_assert_uint_eq(ram64(b, MB_LOAD + 100), 0);
    bench_free(b);
}
END_TEST

START_TEST(multiboot_command_line_is_path_and_arguments)
{
    struct bench *b = bench_new("pentium");
    char line[40], want[40];

    make_multiboot(b);
    b->boot.append = "a=1";
    ck_assert(boot(b, MB_SIZE));
    dma_read(&b->pm, ram32(b, b->cpu.gpr[RBX] + 16), line, sizeof(line));
    snprintf(want, sizeof(want), "%s a=1", b->kernel);
    ck_assert_str_eq(line, want);
    bench_free(b);
}
END_TEST

START_TEST(multiboot_modules_follow_the_kernel_page_by_page)
{
    struct bench *b = bench_new("pentium");
    char list[100];
    paddr info, modules;

    make_multiboot(b);
    write_file(b->initrd, "module", 6);
    snprintf(list, sizeof(list), "%s one,%s two", b->initrd, b->initrd);
    b->boot.initrd = list;
    ck_assert_msg(boot(b, MB_SIZE), "said: %s", b->error);
    info = b->cpu.gpr[RBX];
    modules = ram32(b, info + 24);
    ck_assert_uint_eq(ram32(b, info + 20), 2);
    ck_assert_uint_eq(ram32(b, modules), MB_LOAD + 4096);
    ck_assert_uint_eq(ram32(b, modules + 4), MB_LOAD + 4096 + 6);
    ck_assert_uint_eq(ram32(b, modules + 16), MB_LOAD + 8192);
    ck_assert_uint_eq(ram32(b, MB_LOAD + 8192), load32("modu"));
    bench_free(b);
}
END_TEST

/* Offsets in the header, and what makes each address wrong. */
START_TEST(multiboot_addresses_outside_ram_are_refused)
{
    static const struct {
        unsigned at;
        uint32_t value;
    } bad[] = {
        {12, MB_LOAD - 1},      /* the header before the start */
        {12, UINT32_MAX},       /* the start before the file */
        {16, 0xa0000},          /* display memory */
        {20, MB_LOAD - 1},      /* ends before it starts */
        {24, RAM + 1},          /* bss beyond RAM */
        {24, 1},
    };
    struct bench *b = bench_new("pentium");

    for (unsigned i = 0; i < array_len(bad); i++) {
        make_multiboot(b);
        store32(b->file + 16 + bad[i].at, bad[i].value);
        refused(b, MB_SIZE, "where there is no RAM");
    }
    make_multiboot(b);
    store32(b->file + 36, MB_LOAD + MB_SIZE + 1);
    refused(b, MB_SIZE, "ends too early");
    bench_free(b);
}
END_TEST

START_TEST(unknown_multiboot_requirements_are_refused)
{
    struct bench *b = bench_new("pentium");
    const uint32_t flags = 1 << 16 | 1 << 5;

    make_multiboot(b);
    store32(b->file + 20, flags);
    store32(b->file + 24, 0u - 0x1badb002 - flags);
    refused(b, MB_SIZE, "multiboot features");
    bench_free(b);
}
END_TEST

/* --- ELF --- */

enum { ELF_CODE = 0x200, ELF_SIZE = 0x300, ELF_AT = 3 * MIB };

struct elf_file {
    Elf64_Ehdr eh;
    Elf64_Phdr load, note;
    uint8_t notes[24];
};

/* A PVH kernel with one segment: 0x100 bytes of the file, a page of RAM. */
static struct elf_file *make_elf(struct bench *b)
{
    struct elf_file *e = (void *)b->file;

    memset(b->file, 0, ELF_SIZE);
    memcpy(e->eh.e_ident, ELFMAG, SELFMAG);
    e->eh.e_ident[EI_CLASS] = ELFCLASS64;
    e->eh.e_ident[EI_DATA] = ELFDATA2LSB;
    e->eh.e_ident[EI_VERSION] = EV_CURRENT;
    e->eh.e_version = EV_CURRENT;
    e->eh.e_type = ET_EXEC;
    e->eh.e_machine = EM_X86_64;
    e->eh.e_ehsize = sizeof(e->eh);
    e->eh.e_phentsize = sizeof(e->load);
    e->eh.e_phnum = 2;
    e->eh.e_phoff = offsetof(struct elf_file, load);
    e->load = (Elf64_Phdr){.p_type = PT_LOAD, .p_offset = ELF_CODE,
                           .p_filesz = ELF_SIZE - ELF_CODE,
                           .p_memsz = 4096, .p_paddr = ELF_AT};
    e->note = (Elf64_Phdr){.p_type = PT_NOTE, .p_filesz = 20,
                           .p_offset = offsetof(struct elf_file, notes)};
    store32(e->notes, 4);
    store32(e->notes + 4, 4);
    store32(e->notes + 8, 18);
    memcpy(e->notes + 12, "Xen", 4);
    store32(e->notes + 16, ELF_AT + 8);
    memset(b->file + ELF_CODE, 0xf4, ELF_SIZE - ELF_CODE);
    return e;
}

START_TEST(pvh_kernel_gets_start_info_in_ebx)
{
    struct bench *b = bench_new("max");
    paddr info;

    make_elf(b);
    write_file(b->initrd, "initrd", 6);
    b->boot.initrd = b->initrd;
    physmem_write(&b->pm, ELF_AT + 0x100, UINT64_MAX, 8);
    ck_assert_msg(boot(b, ELF_SIZE), "said: %s", b->error);
    info = b->cpu.gpr[RBX];
    ck_assert_uint_eq(b->cpu.rip, ELF_AT + 8);
    ck_assert_uint_eq(ram32(b, info), 0x336ec578);
    ck_assert_uint_eq(ram32(b, info + 12), 1);
    ck_assert_uint_eq(ram32(b, ram64(b, ram64(b, info + 16))),
                      load32("init"));
    ck_assert_uint_eq(ram64(b, ram64(b, info + 32)), load64("RSD PTR "));
    ck_assert_uint_eq(ram32(b, ELF_AT + 0xfc), 0xf4f4f4f4);
    ck_assert_uint_eq(ram64(b, ELF_AT + 0x100), 0);
    bench_free(b);
}
END_TEST

START_TEST(wild_elf_segments_are_refused)
{
    static const uint64_t places[] = {
        0,       0x9f000,         0xa0000,         0xfffff,
        RAM,     RAM - 4095,      0xfec00000,      (uint64_t)1 << 32,
        0x80000000, UINT64_MAX - 10, UINT64_MAX - 4095,
    };
    struct bench *b = bench_new("max");

    for (unsigned i = 0; i < array_len(places); i++) {
        make_elf(b)->load.p_paddr = places[i];
        refused(b, ELF_SIZE, "there is no RAM for it");
    }
    make_elf(b)->load.p_memsz = UINT64_MAX;
    refused(b, ELF_SIZE, "there is no RAM for it");
    make_elf(b)->load.p_memsz = 1;
    refused(b, ELF_SIZE, "there is no RAM for it");
    bench_free(b);
}
END_TEST

START_TEST(elf_that_points_outside_itself_is_refused)
{
    struct bench *b = bench_new("max");

    make_elf(b)->load.p_offset = UINT64_MAX - 0x80;
    refused(b, ELF_SIZE, "ends too early");
    make_elf(b)->note.p_offset = ELF_SIZE;
    refused(b, ELF_SIZE, "ends too early");
    make_elf(b)->eh.e_phoff = UINT64_MAX - 8;
    refused(b, ELF_SIZE, "'");
    make_elf(b)->eh.e_phnum = 0xfff0;
    refused(b, ELF_SIZE, "'");
    make_elf(b);
    refused(b, 30, "'");
    bench_free(b);
}
END_TEST

START_TEST(elf_without_an_entry_that_is_known_is_refused)
{
    struct bench *b = bench_new("max");

    store32(make_elf(b)->notes + 8, 17);
    refused(b, ELF_SIZE, "neither a multiboot header nor a PVH");
    store32(make_elf(b)->notes, UINT32_MAX);
    refused(b, ELF_SIZE, "neither a multiboot header nor a PVH");
    store32(make_elf(b)->notes + 4, UINT32_MAX);
    refused(b, ELF_SIZE, "neither a multiboot header nor a PVH");
    make_elf(b)->eh.e_machine = EM_ARM;
    refused(b, ELF_SIZE, "no ELF program for x86");
    bench_free(b);
}
END_TEST

/* Every bit of the headers flipped: booted or refused, never more. */
START_TEST(flipped_bits_do_no_harm)
{
    struct bench *b = bench_new("max");

    for (size_t bit = 0; bit < sizeof(struct elf_file) * 8; bit++) {
        make_elf(b);
        b->file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert(boot(b, ELF_SIZE) || b->error[0]);
    }
    for (size_t bit = 0; bit < 0x80 * 8; bit++) {
        make_linux(b);
        b->file[0x1f0 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert(boot(b, BZIMAGE) || b->error[0]);
    }
    bench_free(b);
}
END_TEST

SUITE("loader",
      linux_64_bit_entry_is_in_long_mode_with_the_zero_page_in_rsi,
      long_mode_maps_four_gib_one_to_one,
      linux_32_bit_entry_is_flat_without_paging,
      gdt_holds_the_loaded_segments, zero_page_has_map_command_line_and_acpi,
      initrd_is_as_high_as_the_kernel_allows,
      initrd_never_lies_where_the_kernel_runs,
      kernel_that_is_not_relocatable_goes_to_one_mib,
      linux_that_cannot_be_booted_says_why, linux_that_ends_early_is_refused,
      command_line_is_as_long_as_the_kernel_takes, missing_files_are_named,
      multiboot_kernel_gets_its_registers_and_its_bss_is_zero,
      multiboot_command_line_is_path_and_arguments,
      multiboot_modules_follow_the_kernel_page_by_page,
      multiboot_addresses_outside_ram_are_refused,
      unknown_multiboot_requirements_are_refused,
      pvh_kernel_gets_start_info_in_ebx, wild_elf_segments_are_refused,
      elf_that_points_outside_itself_is_refused,
      elf_without_an_entry_that_is_known_is_refused, flipped_bits_do_no_harm)
