#include "machine/acpi_dsdt.h"

#include "base/compiler.h"
#include "devices/acpi_pm.h"
#include "devices/pci.h"
#include "devices/piix3.h"
#include "machine/memmap.h"

enum {
    SLOTS = 32,
    PINS = 4,
    PCI_CONFIG_PORT = 0xcf8,
    PCI_CONFIG_PORTS = 8,
    DISPLAY_START = BOARD_LOW_END,
    DISPLAY_END = BOARD_ROM_AREA - 1,
    PIRQ_OFF = 0x80, /* bit 7 of a PIRQRC register */
    PIRQ_IRQ = 0x0f,
    /* _STA (6.3.7): bit 0 there, 1 enabled, 3 works */
    STATUS_ON = 0x0b,
    STATUS_OFF = 0x09,
    INTERRUPT_AT = 5, /* of the number in an interrupt descriptor */
};

/* One PIRQ: its link device and the field that is its routing register. */
static const struct pirq_link {
    const char *name, *path, *field, *route;
} links[PCI_PIRQS] = {
    {"LNKA", "\\_SB_.LNKA", "PRQ0", "\\_SB_.PCI0.ISA_.PRQ0"},
    {"LNKB", "\\_SB_.LNKB", "PRQ1", "\\_SB_.PCI0.ISA_.PRQ1"},
    {"LNKC", "\\_SB_.LNKC", "PRQ2", "\\_SB_.PCI0.ISA_.PRQ2"},
    {"LNKD", "\\_SB_.LNKD", "PRQ3", "\\_SB_.PCI0.ISA_.PRQ3"},
};

/* What sits behind the ISA bridge. */
static const struct isa_part {
    const char *name, *hid;
    uint16_t ports[2]; /* 0: none */
    uint8_t port_count; /* of each */
    uint8_t irq;
} isa_parts[] = {
    {"RTC_", "PNP0B00", {PORT_CMOS, 0}, 2, IRQ_RTC},
    {"KBD_", "PNP0303", {PORT_KBC_DATA, PORT_KBC_COMMAND}, 1, IRQ_KEYBOARD},
    {"MOU_", "PNP0F13", {0, 0}, 0, IRQ_MOUSE},
    {"COM1", "PNP0501", {PORT_COM1, 0}, 8, IRQ_COM1},
};

static void put_id(struct aml *a, const char *hid, unsigned uid)
{
    aml_name(a, "_HID");
    aml_eisa_id(a, hid);
    aml_name(a, "_UID");
    aml_integer(a, uid);
}

/* --- links --- */

static void link_status(struct aml *a, const struct pirq_link *link)
{
    size_t method = aml_method(a, "_STA", 0);
    size_t off = aml_if_set(a, link->route, PIRQ_OFF);

    aml_return(a);
    aml_integer(a, STATUS_OFF);
    aml_close(a, off);
    aml_return(a);
    aml_integer(a, STATUS_ON);
    aml_close(a, method);
}

static void link_disable(struct aml *a, const struct pirq_link *link)
{
    size_t method = aml_method(a, "_DIS", 0);

    aml_store_or(a, link->route, PIRQ_OFF, link->route);
    aml_close(a, method);
}

/* The template CRS_ gets the number of the interrupt, 0 if there is none. */
static void link_current(struct aml *a, const struct pirq_link *link)
{
    static const uint8_t none = 0;

    aml_name(a, "CRS_");

    size_t resources = aml_resources(a);

    aml_interrupts(a, &none, 1);
    aml_close_resources(a, resources);
    aml_dword_of(a, "CRS_", INTERRUPT_AT, "CIRQ");

    size_t method = aml_method(a, "_CRS", 0);
    size_t off = aml_if_set(a, link->route, PIRQ_OFF);

    aml_store_and(a, "CIRQ", 0, "CIRQ");
    aml_return(a);
    aml_path(a, "CRS_");
    aml_close(a, off);
    aml_store_and(a, link->route, PIRQ_IRQ, "CIRQ");
    aml_return(a);
    aml_path(a, "CRS_");
    aml_close(a, method);
}

static void link_set(struct aml *a, const struct pirq_link *link)
{
    size_t method = aml_method(a, "_SRS", 1);

    aml_dword_of_arg(a, INTERRUPT_AT, "SIRQ");
    aml_store(a, "SIRQ", link->route);
    aml_close(a, method);
}

static void link_possible(struct aml *a)
{
    static const uint8_t possible[] = {IRQ_PCI_A, IRQ_PCI_B};

    aml_name(a, "_PRS");

    size_t resources = aml_resources(a);

    aml_interrupts(a, possible, array_len(possible));
    aml_close_resources(a, resources);
}

static void put_link(struct aml *a, unsigned n)
{
    const struct pirq_link *link = &links[n];
    size_t device = aml_device(a, link->name);

    put_id(a, "PNP0C0F", n + 1);
    link_possible(a);
    link_status(a, link);
    link_disable(a, link);
    link_current(a, link);
    link_set(a, link);
    aml_close(a, device);
}

/* --- the PCI bus --- */

static void put_windows(struct aml *a)
{
    aml_name(a, "_CRS");

    size_t resources = aml_resources(a);

    aml_bus_numbers(a, 0, 0xff);
    aml_io(a, PCI_CONFIG_PORT, PCI_CONFIG_PORTS);
    aml_io_window(a, 0, PCI_CONFIG_PORT - 1);
    aml_io_window(a, PCI_CONFIG_PORT + PCI_CONFIG_PORTS, 0xffff);
    aml_memory_window(a, DISPLAY_START, DISPLAY_END);
    aml_memory_window(a, (uint32_t)BOARD_HOLE_START,
                      (uint32_t)BOARD_HOLE_END - 1);
    aml_close_resources(a, resources);
}

/* Pin p of slot s goes to PIRQ (s - 1 + p) mod 4, as devices/pci.h wires it. */
static void put_route(struct aml *a, unsigned slot, unsigned pin)
{
    size_t row = aml_package(a, 4);

    aml_integer(a, slot << 16 | 0xffff); /* any function */
    aml_integer(a, pin);
    aml_path(a, links[(slot + pin + PCI_PIRQS - 1) % PCI_PIRQS].path);
    aml_integer(a, 0);
    aml_close(a, row);
}

static void put_routes(struct aml *a)
{
    aml_name(a, "_PRT");

    size_t rows = aml_package(a, SLOTS * PINS);

    for (unsigned i = 0; i < SLOTS * PINS; i++)
        put_route(a, i / PINS, i % PINS);
    aml_close(a, rows);
}

static void put_isa_part(struct aml *a, const struct isa_part *part)
{
    size_t device = aml_device(a, part->name);

    aml_name(a, "_HID");
    aml_eisa_id(a, part->hid);
    aml_name(a, "_CRS");

    size_t resources = aml_resources(a);

    for (unsigned i = 0; i < array_len(part->ports); i++) {
        if (part->ports[i])
            aml_io(a, part->ports[i], part->port_count);
    }
    aml_irq(a, part->irq);
    aml_close_resources(a, resources);
    aml_close(a, device);
}

static void put_isa(struct aml *a)
{
    const char *fields[PCI_PIRQS];
    size_t device = aml_device(a, "ISA_");

    for (unsigned i = 0; i < PCI_PIRQS; i++)
        fields[i] = links[i].field;
    aml_name(a, "_ADR");
    aml_integer(a, PCI_SLOT_PIIX3 << 16);
    aml_config_bytes(a, "PIRQ", PIIX3_PIRQRC, fields);
    for (unsigned i = 0; i < array_len(isa_parts); i++)
        put_isa_part(a, &isa_parts[i]);
    aml_close(a, device);
}

static void put_pci(struct aml *a)
{
    size_t device = aml_device(a, "PCI0");

    put_id(a, "PNP0A03", 0);
    put_windows(a);
    put_isa(a);
    put_routes(a);
    aml_close(a, device);
}

/* SLP_TYP for both PM1 blocks, and two that are reserved (7.3.4). */
static void put_sleep(struct aml *a)
{
    aml_name(a, "\\_S5_");

    size_t values = aml_package(a, 4);

    aml_integer(a, ACPI_SLP_TYP_OFF);
    aml_integer(a, ACPI_SLP_TYP_OFF);
    aml_integer(a, 0);
    aml_integer(a, 0);
    aml_close(a, values);
}

void acpi_dsdt_build(struct aml *a)
{
    put_sleep(a);

    size_t scope = aml_scope(a, "\\_SB_");

    put_pci(a);
    for (unsigned i = 0; i < PCI_PIRQS; i++)
        put_link(a, i);
    aml_close(a, scope);
}
