#include "machine/post.h"

static void set_cmos16(struct pc *pc, unsigned at, uint64_t value)
{
    cmos_set(&pc->cmos, at, (uint8_t)value);
    cmos_set(&pc->cmos, at + 1, (uint8_t)(value >> 8));
}

static uint64_t at_most(uint64_t v, uint64_t limit)
{
    return v < limit ? v : limit;
}

/* AT Technical Reference for 14-18, 30; the others are what PC emulators and
 * their firmware agreed upon: 34 memory above 16 MiB and 5b memory above
 * 4 GiB, in units of 64 KiB. */
void post_cmos(struct pc *pc)
{
    enum { KB = 1024, UNIT = 64 * KB, MB16 = 16 * KB * KB };
    uint64_t ram = pc->cfg->ram_size;
    uint64_t low = at_most(ram, BOARD_HOLE_START);
    uint64_t extended = at_most((low - BOARD_HIGH_START) / KB, 0xfc00);
    uint64_t above16 = low > MB16 ? (low - MB16) / UNIT : 0;
    uint64_t above4g = (ram - low) / UNIT;

    cmos_set(&pc->cmos, 0x14, 0x06); /* x87, PS/2 mouse */
    set_cmos16(pc, 0x15, BOARD_LOW_END / KB);
    set_cmos16(pc, 0x17, extended);
    set_cmos16(pc, 0x30, extended);
    set_cmos16(pc, 0x34, at_most(above16, 0xffff));
    set_cmos16(pc, 0x5b, above4g);
    cmos_set(&pc->cmos, 0x5d, (uint8_t)(above4g >> 16));
    cmos_set(&pc->cmos, 0x5f, 0); /* processors but the first */
}

static unsigned pirq_irq(unsigned pirq)
{
    return pirq & 1 ? IRQ_PCI_B : IRQ_PCI_A;
}

/* The function's interrupt line register says where its pin ends up. */
static void set_irq_line(struct pci_device *pd)
{
    uint8_t pin = pd->config[PCI_IRQ_PIN];
    unsigned slot = pd->devfn >> 3;

    if (pin)
        pci_config_write(pd, PCI_IRQ_LINE,
                         pirq_irq((slot - 1 + pin - 1) % PCI_PIRQS), 1);
}

/* Routes, triggers and virtual wire: PIIX3 data sheet 290550, PIRQRC, ELCR;
 * MP specification 3.6.2.2. */
static void set_interrupts(struct pc *pc)
{
    const unsigned level = 1u << IRQ_SCI | 1u << IRQ_PCI_A | 1u << IRQ_PCI_B;

    for (unsigned i = 0; i < PCI_PIRQS; i++)
        pci_config_write(&pc->piix3.pci, PIIX3_PIRQRC + i, pirq_irq(i), 1);
    for (unsigned i = 0; i < pc->pci.count; i++)
        set_irq_line(pc->pci.functions[i]);
    space_write(&pc->io, PORT_ELCR, level & 0xff, 1);
    space_write(&pc->io, PORT_ELCR + 1, level >> 8, 1);
    lapic_virtual_wire(&pc->lapic);
}

void post_chips(struct pc *pc)
{
    for (unsigned i = 0; i < I440FX_PAM_BLOCKS; i++)
        physmem_set_kind(&pc->mem, i440fx_pam[i].base, BLOCK_RAM);
    set_interrupts(pc);
}
