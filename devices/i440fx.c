/*
 * All of the memory controller that a guest can notice: the PAM table.
 * Register numbers and reset values: data sheet 290549, "PCI configuration
 * space mapped registers".
 */
#include "devices/i440fx.h"

const struct i440fx_pam_block i440fx_pam[I440FX_PAM_BLOCKS] = {
    {0xc0000, 0x4000, 0x5a, 0}, {0xc4000, 0x4000, 0x5a, 4},
    {0xc8000, 0x4000, 0x5b, 0}, {0xcc000, 0x4000, 0x5b, 4},
    {0xd0000, 0x4000, 0x5c, 0}, {0xd4000, 0x4000, 0x5c, 4},
    {0xd8000, 0x4000, 0x5d, 0}, {0xdc000, 0x4000, 0x5d, 4},
    {0xe0000, 0x4000, 0x5e, 0}, {0xe4000, 0x4000, 0x5e, 4},
    {0xe8000, 0x4000, 0x5f, 0}, {0xec000, 0x4000, 0x5f, 4},
    {0xf0000, 0x10000, 0x59, 4},
};

enum {
    PAM6 = 0x5f,
    PAM_WE = 1 << 1,
    SMRAM_C_BASE_SEG = 2, /* the only value: a0000 */
    SMRAM_G_SMRAME = 1 << 3,
    SMRAM_D_LCK = 1 << 4,
    SMRAM_D_CLS = 1 << 5,
    SMRAM_D_OPEN = 1 << 6,
};

static void apply_pam(struct i440fx *fx)
{
    for (unsigned i = 0; i < I440FX_PAM_BLOCKS; i++) {
        const struct i440fx_pam_block *b = &i440fx_pam[i];
        unsigned field = (unsigned)fx->pci.config[b->reg] >> b->shift;

        physmem_set_kind(fx->pm, b->base,
                         field & PAM_WE ? BLOCK_RAM : BLOCK_ROM);
    }
}

/* SMRAMC register.  What can be written follows from its value: the lock is
 * a change of the mask that pci_config_write applies. */
static void apply_smram_lock(struct i440fx *fx)
{
    uint8_t free = SMRAM_D_OPEN | SMRAM_D_CLS | SMRAM_D_LCK | SMRAM_G_SMRAME;

    if (fx->pci.config[I440FX_SMRAM] & SMRAM_D_LCK) {
        fx->pci.config[I440FX_SMRAM] &= (uint8_t)~SMRAM_D_OPEN;
        free = SMRAM_D_CLS;
    }
    fx->pci.writable[I440FX_SMRAM] = free;
}

static void config_written(void *owner, unsigned reg, unsigned size)
{
    struct i440fx *fx = owner;

    if (reg + size > I440FX_PAM0 && reg <= PAM6)
        apply_pam(fx);
    if (reg <= I440FX_SMRAM && reg + size > I440FX_SMRAM)
        apply_smram_lock(fx);
}

static void i440fx_reset(void *dev)
{
    struct i440fx *fx = dev;

    pci_device_reset(&fx->pci);
    apply_pam(fx);
    apply_smram_lock(fx);
}

static void i440fx_after_load(void *dev)
{
    struct i440fx *fx = dev;

    pci_device_loaded(&fx->pci);
    apply_pam(fx);
    apply_smram_lock(fx);
}

/* Registers after reset, and what of them can be written.  PAM bits other
 * than RE and WE are reserved. */
static void describe(struct pci_device *pd)
{
    pci_preset(pd, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    pci_preset(pd, PCI_STATUS, 0x0280, 2);
    pci_preset(pd, 0x53, 0x80, 1); /* DBC */
    pci_preset(pd, 0x57, 0x01, 1); /* DRAMC */
    pci_preset(pd, 0x58, 0x10, 1); /* DRAMT */
    pci_preset(pd, 0x60, 0x01010101, 4); /* DRB0-3 */
    pci_preset(pd, 0x64, 0x01010101, 4); /* DRB4-7 */
    pci_preset(pd, 0x71, 0x10, 1); /* CLT */
    pci_preset(pd, I440FX_SMRAM, SMRAM_C_BASE_SEG, 1);

    pci_writable(pd, 0x50, 0xffffffff, 4); /* PMCCFG, DETURBO, DBC */
    pci_writable(pd, 0x54, 0xffffffff, 4); /* AXC, DRT, DRAMC */
    pci_writable(pd, 0x58, 0x000030ff, 2); /* DRAMT, PAM0 */
    pci_writable(pd, 0x5a, 0x3333, 2);
    pci_writable(pd, 0x5c, 0x33333333, 4);
    pci_writable(pd, 0x60, 0xffffffff, 4);
    pci_writable(pd, 0x64, 0xffffffff, 4);
    pci_writable(pd, 0x68, 0xc0, 1);   /* FDHC */
    pci_writable(pd, 0x70, 0xffff, 2); /* MTT, CLT */
    pci_writable(pd, 0x90, 0xff, 1);   /* ERRCMD */
}

static const struct field i440fx_state[] = {
    PCI_FIELDS(struct i440fx, pci),
    FIELD_END,
};

static const struct device_class i440fx_class = {
    .name = "i440fx",
    .reset = i440fx_reset,
    .after_load = i440fx_after_load,
    .state = i440fx_state,
};

bool i440fx_init(struct i440fx *fx, struct pci *bus, struct physmem *pm)
{
    static const struct pci_ident ident = {
        .vendor = 0x8086,
        .device = 0x1237,
        .class_code = 0x060000,
        .revision = 0x02,
    };

    *fx = (struct i440fx){.dev = {&i440fx_class, "i440fx"}, .pm = pm};
    pci_device_init(&fx->pci, fx, &ident);
    fx->pci.config_written = config_written;
    describe(&fx->pci);
    if (!pci_attach(bus, &fx->pci, 0, 0))
        return false;
    i440fx_reset(fx);
    return true;
}
