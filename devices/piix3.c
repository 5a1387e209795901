/*
 * Interrupt steering.  The levels of the ISA lines follow from the route
 * registers and the inputs alone; they are worked out anew after each change,
 * so a route that moves while its PIRQ is asserted lets go of the old line.
 */
#include "devices/piix3.h"

#include "base/bits.h"

enum {
    ROUTE_OFF = 0x80,
    ROUTE_IRQ = 0x0f,
    /* Reserved encodings of PIRQRC: IRQ 0, 1, 2, 8, 13. */
    NOT_ROUTABLE = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 8 | 1 << 13,
};

static unsigned route_mask(const struct piix3 *px, unsigned pirq)
{
    uint8_t route = px->pci.config[PIIX3_PIRQRC + pirq];

    if (route & ROUTE_OFF)
        return 0;
    return (1u << (route & ROUTE_IRQ)) & ~(unsigned)NOT_ROUTABLE;
}

/* Bit n: ISA IRQ n is asserted from here. */
static uint16_t asserted(const struct piix3 *px)
{
    unsigned irqs = 0;

    for (unsigned pin = PIIX3_PIRQA; pin <= PIIX3_PIRQD; pin++)
        if (bits_test(px->pins, pin))
            irqs |= route_mask(px, pin);
    if (bits_test(px->pins, PIIX3_SCI))
        irqs |= 1u << PIIX3_SCI_IRQ;
    return (uint16_t)irqs;
}

static void drive(struct piix3 *px)
{
    uint16_t now = asserted(px);
    uint16_t changed = now ^ px->driven;

    px->driven = now;
    for (unsigned irq = 0; irq < PIIX3_IRQS; irq++)
        if (bits_test(changed, irq))
            line_set(&px->irq[irq], bits_test(now, irq));
}

static void set_pin(void *owner, unsigned pin, bool level)
{
    struct piix3 *px = owner;
    uint8_t bit = (uint8_t)(1u << pin);

    px->pins = level ? px->pins | bit : px->pins & (uint8_t)~bit;
    drive(px);
}

struct line piix3_line(struct piix3 *px, enum piix3_pin pin)
{
    return (struct line){set_pin, px, pin};
}

static void config_written(void *owner, unsigned reg, unsigned size)
{
    if (reg + size > PIIX3_PIRQRC && reg < PIIX3_PIRQRC + PCI_PIRQS)
        drive(owner);
}

/* The inputs are other parts' outputs and keep their level. */
static void piix3_reset(void *dev)
{
    struct piix3 *px = dev;

    pci_device_reset(&px->pci);
    drive(px);
}

static void piix3_after_load(void *dev)
{
    struct piix3 *px = dev;

    pci_device_loaded(&px->pci);
    px->driven = 0;
    drive(px);
}

/* Registers after reset, and what of them can be written (data sheet, "PCI
 * configuration registers, function 0"). */
static void describe(struct pci_device *pd)
{
    pci_preset(pd, PCI_COMMAND,
               PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    pci_preset(pd, PCI_STATUS, 0x0200, 2);
    pci_preset(pd, 0x4c, 0x4d, 1);   /* IORT */
    pci_preset(pd, 0x4e, 0x0003, 2); /* XBCS */
    pci_preset(pd, PIIX3_PIRQRC, 0x80808080, 4);
    pci_preset(pd, 0x69, 0x02, 1);   /* TOM */
    pci_preset(pd, 0x70, 0x80, 1);   /* MBIRQ0 */
    pci_preset(pd, 0x76, 0x0c0c, 2); /* MBDMA0, 1 */
    pci_preset(pd, 0x78, 0x0002, 2); /* PCSC */
    pci_preset(pd, 0xa0, 0x08, 1);   /* SMICNTL */
    pci_preset(pd, 0xa8, 0x0f, 1);   /* FTMR */

    pci_writable(pd, 0x4c, 0xffff00ff, 4);         /* IORT, XBCS */
    pci_writable(pd, PIIX3_PIRQRC, 0x8f8f8f8f, 4);
    pci_writable(pd, 0x69, 0xfe, 1);               /* TOM */
    pci_writable(pd, 0x6a, 0xffff, 2);             /* MSTAT */
    pci_writable(pd, 0x70, 0xef, 1);               /* MBIRQ0 */
    pci_writable(pd, 0x76, 0xffff8f8f, 4);         /* MBDMA, PCSC */
    pci_writable(pd, 0x80, 0x7f, 1);               /* APICBASE */
    pci_writable(pd, 0x82, 0x0f, 1);               /* DLC */
    pci_writable(pd, 0xa0, 0x1f, 1);               /* SMICNTL */
    pci_writable(pd, 0xa2, 0xffff, 2);             /* SMIEN */
    pci_writable(pd, 0xa4, 0xffffffff, 4);         /* SEE */
    pci_writable(pd, 0xa8, 0xff, 1);               /* FTMR */
    pci_clears(pd, 0xaa, 0xffff, 2);               /* SMIREQ */
    pci_writable(pd, 0xac, 0xff, 1);               /* CTLTMR */
    pci_writable(pd, 0xae, 0xff, 1);               /* CTHTMR */
}

static const struct field piix3_state[] = {
    PCI_FIELDS(struct piix3, pci),
    FIELD(struct piix3, pins),
    FIELD(struct piix3, driven),
    FIELD_END,
};

static const struct device_class piix3_class = {
    .name = "piix3",
    .reset = piix3_reset,
    .after_load = piix3_after_load,
    .state = piix3_state,
};

bool piix3_init(struct piix3 *px, struct pci *bus, unsigned slot,
                const struct line irq[PIIX3_IRQS])
{
    static const struct pci_ident ident = {
        .vendor = 0x8086,
        .device = 0x7000,
        .class_code = 0x060100,
    };

    *px = (struct piix3){.dev = {&piix3_class, "piix3"}};
    for (unsigned i = 0; i < PIIX3_IRQS; i++)
        px->irq[i] = irq[i];
    pci_device_init(&px->pci, px, &ident);
    px->pci.config_written = config_written;
    describe(&px->pci);
    return pci_attach(bus, &px->pci, slot, 0);
}
