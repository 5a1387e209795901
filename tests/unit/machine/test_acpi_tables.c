/* The ACPI tables as a kernel finds them: by signature, length, checksum. */

#include <string.h>

#include "base/bytes.h"
#include "devices/acpi_pm.h"
#include "machine/acpi_aml.h"
#include "machine/acpi_dsdt.h"
#include "machine/acpi_tables.h"
#include "mem/dma.h"
#include "tests/unit/suite.h"

enum { RAM = 2 << 20, FACS = 0x9fc40, HEADER = 36, TABLE_MAX = 0x8000 };

/* Memory with the tables in it; the area of the BIOS is write-protected. */
struct memory {
    struct physmem pm;
    paddr rsdp;
    uint8_t table[TABLE_MAX]; /* the last one read */
};

static struct memory *memory_new(void)
{
    struct memory *m = calloc(1, sizeof(*m));

    ck_assert(physmem_init(&m->pm, RAM));
    ck_assert(physmem_add_block(&m->pm, "low", 0, 0xf0000, 0, BLOCK_RAM));
    ck_assert(physmem_add_block(&m->pm, "bios", 0xf0000, 0x10000, 0xf0000,
                                BLOCK_ROM));
    ck_assert(acpi_tables_install(&m->pm, FACS, &m->rsdp));
    return m;
}

static void memory_free(struct memory *m)
{
    physmem_destroy(&m->pm);
    free(m);
}

static uint8_t sum(const uint8_t *p, size_t size)
{
    uint8_t total = 0;

    while (size--)
        total = (uint8_t)(total + *p++);
    return total;
}

/* Reads a table and checks what every table has. */
static const uint8_t *read_table(struct memory *m, uint64_t at,
                                 const char *signature)
{
    uint32_t size;

    ck_assert(dma_read(&m->pm, at, m->table, HEADER));
    size = load32(m->table + 4);
    ck_assert_mem_eq(m->table, signature, 4);
    ck_assert_uint_ge(size, HEADER);
    ck_assert_uint_le(size, TABLE_MAX);
    ck_assert(dma_read(&m->pm, at, m->table, size));
    ck_assert_uint_eq(sum(m->table, size), 0);
    return m->table;
}

static const uint8_t *read_rsdp(struct memory *m)
{
    ck_assert(dma_read(&m->pm, m->rsdp, m->table, HEADER));
    return m->table;
}

/* Entry n of the RSDT. */
static uint32_t root_entry(struct memory *m, unsigned n)
{
    uint32_t rsdt = load32(read_rsdp(m) + 16);

    return load32(read_table(m, rsdt, "RSDT") + HEADER + n * 4);
}

START_TEST(rsdp_is_where_kernels_search_and_both_checksums_hold)
{
    struct memory *m = memory_new();
    const uint8_t *rsdp = read_rsdp(m);

    ck_assert_uint_ge(m->rsdp, 0xe0000);
    ck_assert_uint_lt(m->rsdp, 0x100000);
    ck_assert_uint_eq(m->rsdp % 16, 0);
    ck_assert_mem_eq(rsdp, "RSD PTR ", 8);
    ck_assert_uint_eq(sum(rsdp, 20), 0);
    ck_assert_uint_eq(sum(rsdp, load32(rsdp + 20)), 0);
    memory_free(m);
}
END_TEST

START_TEST(both_roots_name_the_same_tables)
{
    struct memory *m = memory_new();
    uint32_t fadt = root_entry(m, 0), madt = root_entry(m, 1);
    uint64_t xsdt = load64(read_rsdp(m) + 24);
    const uint8_t *root = read_table(m, xsdt, "XSDT");

    ck_assert_uint_eq(load32(root + 4), HEADER + 2 * 8);
    ck_assert_uint_eq(load64(root + HEADER), fadt);
    ck_assert_uint_eq(load64(root + HEADER + 8), madt);
    read_table(m, fadt, "FACP");
    read_table(m, madt, "APIC");
    memory_free(m);
}
END_TEST

START_TEST(fadt_names_the_ports_of_power_management)
{
    struct memory *m = memory_new();
    const uint8_t *fadt = read_table(m, root_entry(m, 0), "FACP");

    ck_assert_uint_eq(load32(fadt + 56), ACPI_PM_BASE + ACPI_PM1_EVENT);
    ck_assert_uint_eq(load32(fadt + 64), ACPI_PM_BASE + ACPI_PM1_CONTROL);
    ck_assert_uint_eq(load32(fadt + 76), ACPI_PM_BASE + ACPI_PM_TIMER);
    ck_assert_uint_eq(load32(fadt + 80), ACPI_GPE0_BASE);
    ck_assert_uint_eq(load32(fadt + 48), ACPI_SMI_CMD);
    ck_assert_uint_eq(fadt[52], ACPI_ENABLE);
    ck_assert_uint_eq(load64(fadt + 120), 0xcf9);
    ck_assert_uint_eq(fadt[128], 6);
    memory_free(m);
}
END_TEST

START_TEST(facs_and_dsdt_are_where_the_fadt_says)
{
    struct memory *m = memory_new();
    const uint8_t *fadt = read_table(m, root_entry(m, 0), "FACP");
    uint32_t facs = load32(fadt + 36), dsdt = load32(fadt + 40);
    uint8_t lock[64];

    ck_assert_uint_eq(load64(fadt + 132), facs);
    ck_assert_uint_eq(load64(fadt + 140), dsdt);
    ck_assert_uint_eq(facs % 64, 0);
    ck_assert(dma_read(&m->pm, facs, lock, sizeof(lock)));
    ck_assert_mem_eq(lock, "FACS", 4);
    ck_assert_uint_eq(load32(lock + 4), sizeof(lock));
    read_table(m, dsdt, "DSDT");
    memory_free(m);
}
END_TEST

/* Every entry's length leads to the next, and the last ends the table. */
START_TEST(madt_entries_fill_it_exactly)
{
    struct memory *m = memory_new();
    const uint8_t *madt = read_table(m, root_entry(m, 1), "APIC");
    uint32_t size = load32(madt + 4), at = HEADER + 8;
    unsigned seen[5] = {0};

    while (at < size) {
        ck_assert_uint_lt(madt[at], 5);
        ck_assert_uint_ge(madt[at + 1], 6);
        seen[madt[at]]++;
        at += madt[at + 1];
    }
    ck_assert_uint_eq(at, size);
    ck_assert_uint_eq(seen[0], 1); /* local APIC */
    ck_assert_uint_eq(seen[1], 1); /* I/O APIC */
    ck_assert_uint_ge(seen[2], 2); /* overrides: timer, SCI */
    ck_assert_uint_eq(seen[4], 1); /* NMI */
    memory_free(m);
}
END_TEST

START_TEST(without_memory_there_nothing_is_installed)
{
    struct physmem pm;
    paddr rsdp;

    ck_assert(physmem_init(&pm, RAM));
    ck_assert(physmem_add_block(&pm, "low", 0, 0xa0000, 0, BLOCK_RAM));
    ck_assert(!acpi_tables_install(&pm, FACS, &rsdp));
    physmem_destroy(&pm);
}
END_TEST

/* --- the language --- */

START_TEST(eisa_id_has_its_bytes_in_the_order_of_the_specification)
{
    static const uint8_t want[] = {0x0c, 0x41, 0xd0, 0x0a, 0x03};
    uint8_t bytes[8];
    struct aml aml = {.bytes = bytes, .room = sizeof(bytes)};

    aml_eisa_id(&aml, "PNP0A03");
    ck_assert_uint_eq(aml.size, sizeof(want));
    ck_assert_mem_eq(bytes, want, sizeof(want));
}
END_TEST

START_TEST(length_counts_itself_and_what_is_inside)
{
    static const uint8_t want[] = {0x10, 0x88, 0x00, 0x00,
                                   '\\', '_', 'S', 'B', '_'};
    uint8_t bytes[16];
    struct aml aml = {.bytes = bytes, .room = sizeof(bytes)};

    aml_close(&aml, aml_scope(&aml, "\\_SB_"));
    ck_assert_uint_eq(aml.size, sizeof(want));
    ck_assert_mem_eq(bytes, want, sizeof(want));
}
END_TEST

START_TEST(resources_end_with_a_tag_and_know_their_size)
{
    uint8_t bytes[32];
    struct aml aml = {.bytes = bytes, .room = sizeof(bytes)};
    size_t at = aml_resources(&aml);

    aml_irq(&aml, 4);
    aml_close_resources(&aml, at);
    ck_assert_uint_eq(load16(bytes + 5), 5); /* 3 of the IRQ, 2 of the tag */
    ck_assert_uint_eq(load16(bytes + 8), 1 << 4);
    ck_assert_uint_eq(bytes[10], 0x79);
    ck_assert_uint_eq(aml.size, 12);
}
END_TEST

START_TEST(full_buffer_is_never_passed)
{
    uint8_t bytes[300];
    struct aml aml = {.bytes = bytes, .room = 200};

    memset(bytes, 0xee, sizeof(bytes));
    acpi_dsdt_build(&aml);
    ck_assert(aml.full);
    ck_assert_uint_le(aml.size, 200);
    for (size_t i = 200; i < sizeof(bytes); i++)
        ck_assert_uint_eq(bytes[i], 0xee);
}
END_TEST

SUITE("acpi_tables", rsdp_is_where_kernels_search_and_both_checksums_hold,
      both_roots_name_the_same_tables,
      fadt_names_the_ports_of_power_management,
      facs_and_dsdt_are_where_the_fadt_says, madt_entries_fill_it_exactly,
      without_memory_there_nothing_is_installed,
      eisa_id_has_its_bytes_in_the_order_of_the_specification,
      length_counts_itself_and_what_is_inside,
      resources_end_with_a_tag_and_know_their_size,
      full_buffer_is_never_passed)
