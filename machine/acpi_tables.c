#include "machine/acpi_tables.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "devices/acpi_pm.h"
#include "devices/cmos.h"
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "machine/acpi_dsdt.h"
#include "machine/memmap.h"

enum {
    HEADER_SIZE = 36,
    RSDP_SIZE = 36,
    RSDP_1_SIZE = 20, /* what the checksum of version 1 covers */
    FADT_SIZE = 244,
    FACS_SIZE = 64,
    TABLE_ALIGN = 16,
};

/* Fixed hardware description (5.2.8). */
enum {
    NO_C_STATE = 0xfff, /* a latency of C2, C3 that says "not there" */
    SPACE_IO = 1,
    RESET_PORT = 0xcf9,
    RESET_VALUE = 6,
    BOOT_LEGACY = 1 << 0,
    BOOT_8042 = 1 << 1,
    FADT_WBINVD = 1 << 0,
    FADT_C1 = 1 << 2,
    FADT_NO_SLEEP_BUTTON = 1 << 5,
    FADT_RESET = 1 << 10,
};

/* Interrupt controllers (5.2.10.4 and on). */
enum {
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_NMI = 4,
    MADT_HAS_PIC = 1,
    MADT_ALL_PROCESSORS = 0xff,
    LEVEL_HIGH = 0x0d, /* polarity in bits 1:0, trigger in bits 3:2 */
};

/* All tables, as they will be from ACPI_TABLES_BASE on. */
struct tables {
    uint8_t *bytes;
    size_t size;
};

static uint8_t sum(const uint8_t *p, size_t size)
{
    uint8_t total = 0;

    while (size--)
        total = (uint8_t)(total + *p++);
    return total;
}

/* Makes the bytes add up to 0 by setting the one at p + at. */
static void set_checksum(uint8_t *p, size_t size, size_t at)
{
    p[at] = 0;
    p[at] = (uint8_t)-sum(p, size);
}

/* Everything here is of known size, far below what there is room for. */
static uint8_t *take(struct tables *t, size_t size)
{
    uint8_t *p = t->bytes + t->size;

    t->size = bits_align_up(t->size + size, TABLE_ALIGN);
    return p;
}

static uint32_t address_of(const struct tables *t, const uint8_t *p)
{
    return ACPI_TABLES_BASE + (uint32_t)(p - t->bytes);
}

/* The header that every table but RSDP and FACS has (5.2.5). */
static void finish(uint8_t *p, const char *signature, unsigned revision,
                   size_t size)
{
    memcpy(p, signature, 4);
    store32(p + 4, (uint32_t)size);
    p[8] = (uint8_t)revision;
    memcpy(p + 10, "COPAL ", 6);
    memcpy(p + 16, "COPALPC ", 8);
    store32(p + 24, 1);
    memcpy(p + 28, "COPL", 4);
    store32(p + 32, 1);
    set_checksum(p, size, 9);
}

/* --- DSDT --- */

static uint32_t put_dsdt(struct tables *t)
{
    uint8_t *p = t->bytes + t->size;
    struct aml aml = {
        .bytes = p,
        .size = HEADER_SIZE,
        .room = ACPI_TABLES_SIZE / 2,
    };

    acpi_dsdt_build(&aml);
    take(t, aml.size);
    finish(p, "DSDT", 1, aml.size); /* 1: integers have 32 bits */
    return address_of(t, p);
}

/* --- FADT --- */

/* A register, by port and, in the later form, as a generic address. */
static void put_register(uint8_t *fadt, size_t old_at, size_t new_at,
                         unsigned port, unsigned bytes)
{
    if (old_at)
        store32(fadt + old_at, port);
    fadt[new_at] = SPACE_IO;
    fadt[new_at + 1] = (uint8_t)(bytes * 8);
    store64(fadt + new_at + 4, port);
}

static void put_registers(uint8_t *p)
{
    put_register(p, 56, 148, ACPI_PM_BASE + ACPI_PM1_EVENT, 4);
    put_register(p, 64, 172, ACPI_PM_BASE + ACPI_PM1_CONTROL, 2);
    put_register(p, 76, 208, ACPI_PM_BASE + ACPI_PM_TIMER, 4);
    put_register(p, 80, 220, ACPI_GPE0_BASE, 4);
    put_register(p, 0, 116, RESET_PORT, 1);
    p[88] = 4; /* lengths of the first four */
    p[89] = 2;
    p[91] = 4;
    p[92] = 4;
    p[128] = RESET_VALUE;
}

static uint32_t put_fadt(struct tables *t, uint32_t dsdt, uint32_t facs)
{
    uint8_t *p = take(t, FADT_SIZE);

    store32(p + 36, facs);
    store32(p + 40, dsdt);
    store64(p + 132, facs);
    store64(p + 140, dsdt);
    store16(p + 46, ACPI_SCI_IRQ);
    store32(p + 48, ACPI_SMI_CMD);
    p[52] = ACPI_ENABLE;
    p[53] = ACPI_DISABLE;
    put_registers(p);
    store16(p + 96, NO_C_STATE);
    store16(p + 98, NO_C_STATE);
    p[108] = CMOS_CENTURY;
    store16(p + 109, BOOT_LEGACY | BOOT_8042);
    store32(p + 112,
            FADT_WBINVD | FADT_C1 | FADT_NO_SLEEP_BUTTON | FADT_RESET);
    finish(p, "FACP", 3, FADT_SIZE);
    return address_of(t, p);
}

/* --- MADT --- */

static uint8_t *put_entry(struct tables *t, unsigned type, unsigned size)
{
    uint8_t *p = t->bytes + t->size;

    t->size += size;
    p[0] = (uint8_t)type;
    p[1] = (uint8_t)size;
    return p;
}

static void put_override(struct tables *t, unsigned irq, unsigned pin,
                         unsigned flags)
{
    uint8_t *p = put_entry(t, MADT_OVERRIDE, 10);

    p[3] = (uint8_t)irq; /* of the ISA bus, 0 */
    store32(p + 4, pin);
    store16(p + 8, (uint16_t)flags);
}

static void put_controllers(struct tables *t)
{
    uint8_t *lapic = put_entry(t, MADT_LAPIC, 8);
    uint8_t *ioapic = put_entry(t, MADT_IOAPIC, 12);

    store32(lapic + 4, 1); /* processor 0, APIC 0, usable */
    store32(ioapic + 4, IOAPIC_BASE);
    put_override(t, IRQ_TIMER, IOAPIC_PIN_TIMER, 0);
    put_override(t, IRQ_SCI, IRQ_SCI, LEVEL_HIGH);
    put_override(t, IRQ_PCI_A, IRQ_PCI_A, LEVEL_HIGH);
    put_override(t, IRQ_PCI_B, IRQ_PCI_B, LEVEL_HIGH);

    uint8_t *nmi = put_entry(t, MADT_NMI, 6);

    nmi[2] = MADT_ALL_PROCESSORS;
    nmi[5] = 1; /* LINT1 */
}

static uint32_t put_madt(struct tables *t)
{
    uint8_t *p = t->bytes + t->size;

    t->size += HEADER_SIZE + 8;
    store32(p + 36, LAPIC_BASE);
    store32(p + 40, MADT_HAS_PIC);
    put_controllers(t);

    size_t size = (size_t)(t->bytes + t->size - p);

    t->size = bits_align_up(t->size, TABLE_ALIGN);
    finish(p, "APIC", 1, size);
    return address_of(t, p);
}

/* --- roots --- */

static uint32_t put_root(struct tables *t, const char *signature,
                         unsigned entry_size, const uint32_t *of,
                         unsigned count)
{
    size_t size = HEADER_SIZE + (size_t)count * entry_size;
    uint8_t *p = take(t, size);

    for (unsigned i = 0; i < count; i++)
        store32(p + HEADER_SIZE + (size_t)i * entry_size, of[i]);
    finish(p, signature, 1, size);
    return address_of(t, p);
}

static void put_rsdp(uint8_t *p, uint32_t rsdt, uint32_t xsdt)
{
    memcpy(p, "RSD PTR ", 8);
    memcpy(p + 9, "COPAL ", 6);
    p[15] = 2; /* revision: there is an XSDT */
    store32(p + 16, rsdt);
    store32(p + 20, RSDP_SIZE);
    store64(p + 24, xsdt);
    set_checksum(p, RSDP_1_SIZE, 8);
    set_checksum(p, RSDP_SIZE, 32);
}

static void build(struct tables *t, uint32_t facs)
{
    uint8_t *rsdp = take(t, RSDP_SIZE); /* first, so at a round address */
    uint32_t of[2];

    of[0] = put_fadt(t, put_dsdt(t), facs);
    of[1] = put_madt(t);

    uint32_t rsdt = put_root(t, "RSDT", 4, of, 2);

    put_rsdp(rsdp, rsdt, put_root(t, "XSDT", 8, of, 2));
}

/* --- into memory --- */

/* As the chipset lets a BIOS do: RAM under the write-protected area. */
static bool write_protected(struct physmem *pm, paddr to,
                            const uint8_t *from, size_t size)
{
    while (size) {
        struct phys_page page = physmem_page(pm, to);
        unsigned room = PAGE_SIZE - (unsigned)(to % PAGE_SIZE);
        unsigned part = size < room ? (unsigned)size : room;

        if (!page.host)
            return false;
        physmem_store(pm, page.ram_at + to % PAGE_SIZE, from, part);
        to += part;
        from += part;
        size -= part;
    }
    return true;
}

static bool install_facs(struct physmem *pm, paddr at)
{
    uint8_t facs[FACS_SIZE] = {'F', 'A', 'C', 'S', FACS_SIZE};

    facs[32] = 1; /* version */
    return write_protected(pm, at, facs, sizeof(facs));
}

bool acpi_tables_install(struct physmem *pm, paddr facs, paddr *rsdp)
{
    struct tables t = {.bytes = xalloc(ACPI_TABLES_SIZE)};

    build(&t, (uint32_t)facs);

    bool ok = write_protected(pm, ACPI_TABLES_BASE, t.bytes,
                              ACPI_TABLES_SIZE) &&
              install_facs(pm, facs);

    free(t.bytes);
    *rsdp = ACPI_TABLES_BASE;
    return ok;
}
