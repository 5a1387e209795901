/*
 * The status and enable registers are plain numbers; all outputs follow from
 * them in `update`, which is called after every change.  The one status bit
 * that time sets, TMR_STS, is not stored: it is "the PM timer has passed
 * overflow_tick".
 */
#include "devices/acpi_pm.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "base/log.h"

/* Configuration registers, function 3. */
enum {
    PMBASE = 0x40,
    DEVACTB_HIGH = 0x5b,
    APMC_EN = 1 << 1,
    PMREGMISC = 0x80,
    PMIOSE = 1 << 0,
    SMBBASE = 0x90,
    SMBHSTCFG = 0xd2,
};

/* 16-bit registers of the block, by offset. */
enum {
    PMSTS = ACPI_PM1_EVENT,
    PMEN = ACPI_PM1_EVENT + 2,
    PMCNTRL = ACPI_PM1_CONTROL,
    PMTMR = ACPI_PM_TIMER,
    GPSTS = ACPI_PM_GPE0,
    GPEN = ACPI_PM_GPE0 + 2,
    GPE_PORTS = 4,
};

/* ACPI 1.0b, 4.7.3: PM1 status and enable, control. */
enum {
    TMR = 1 << 0,
    BM_STS = 1 << 4,
    GBL = 1 << 5,
    PWRBTN = 1 << 8,
    RTC = 1 << 10,
    WAK_STS = 1 << 15,
    ENABLES = TMR | GBL | PWRBTN | RTC,
    SCI_EN = 1 << 0,
    SLP_TYP_SHIFT = 10,
    SLP_TYP_BITS = 3,
    SLP_EN = 1 << 13,
    CONTROL_KEPT = 0x1c03, /* SLP_TYP, BM_RLD, SCI_EN */
};

/* TMR_STS is set when bit 23 of the timer changes. */
enum { TMR_MASK = 0xffffff, TMR_CHANGE = 1 << 23 };

static uint64_t tick_now(const struct acpi_pm *pm)
{
    return clock_scale(clock_now(pm->w.clock), ACPI_PM_TIMER_HZ, NS_PER_S);
}

static uint64_t next_change(uint64_t tick)
{
    return bits_align_down(tick, TMR_CHANGE) + TMR_CHANGE;
}

static uint16_t status(const struct acpi_pm *pm)
{
    unsigned timer = tick_now(pm) >= pm->overflow_tick ? TMR : 0;

    return (uint16_t)(pm->pm_status | timer);
}

static void update(struct acpi_pm *pm)
{
    bool pending = status(pm) & pm->pm_enable & ENABLES ||
                   pm->gpe_status & pm->gpe_enable;

    line_set(&pm->w.sci, pending && pm->pm_control & SCI_EN);
    if (!(pm->pm_enable & TMR) || status(pm) & TMR) {
        timer_cancel(pm->w.clock, &pm->overflow);
        return;
    }
    /* One ns more: the scaled time rounds down. */
    timer_set(pm->w.clock, &pm->overflow,
              clock_scale(pm->overflow_tick, NS_PER_S, ACPI_PM_TIMER_HZ) + 1);
}

static void overflow_fired(void *owner)
{
    update(owner);
}

static void pulse(const struct line *l)
{
    line_set(l, true);
    line_set(l, false);
}

static void sleep_now(struct acpi_pm *pm)
{
    unsigned type =
        (unsigned)bits_get(pm->pm_control, SLP_TYP_SHIFT, SLP_TYP_BITS);

    if (type == ACPI_SLP_TYP_OFF) {
        pulse(&pm->w.power_off);
        return;
    }
    log_unimp("acpi: sleep type %u", type);
    pm->pm_status |= WAK_STS;
}

static uint16_t merge(uint16_t old, uint16_t value, uint16_t mask)
{
    return (uint16_t)((old & ~mask) | (value & mask));
}

static void clear_status(struct acpi_pm *pm, uint16_t ones)
{
    if (ones & TMR)
        pm->overflow_tick = next_change(tick_now(pm));
    pm->pm_status &= (uint16_t)~ones;
}

static void write_control(struct acpi_pm *pm, uint16_t value, uint16_t mask)
{
    pm->pm_control = merge(pm->pm_control, value, mask) & CONTROL_KEPT;
    if (value & mask & SLP_EN)
        sleep_now(pm);
}

/* mask: the bits of the register that the access covers. */
static void write_register(struct acpi_pm *pm, unsigned reg, uint16_t value,
                           uint16_t mask)
{
    switch (reg) {
    case PMSTS: clear_status(pm, value & mask); break;
    case PMEN: pm->pm_enable = merge(pm->pm_enable, value, mask); break;
    case PMCNTRL: write_control(pm, value, mask); break;
    case GPSTS: pm->gpe_status &= (uint16_t)~(value & mask); break;
    case GPEN: pm->gpe_enable = merge(pm->gpe_enable, value, mask); break;
    default: break;
    }
}

static uint64_t block_read(void *dev, uint64_t offset, unsigned size)
{
    const struct acpi_pm *pm = dev;
    uint8_t block[ACPI_PM_SIZE] = {0};

    store16(block + PMSTS, status(pm));
    store16(block + PMEN, pm->pm_enable);
    store16(block + PMCNTRL, pm->pm_control);
    store32(block + PMTMR, tick_now(pm) & TMR_MASK);
    store16(block + GPSTS, pm->gpe_status);
    store16(block + GPEN, pm->gpe_enable);
    return load_sized(block + offset, size);
}

/* An access of any size at any offset, as one write to each 16-bit register
 * that it covers, fully or by half. */
static void block_write(void *dev, uint64_t offset, uint64_t value,
                        unsigned size)
{
    struct acpi_pm *pm = dev;
    unsigned odd = offset & 1;
    unsigned first = (unsigned)offset - odd;
    uint64_t bits = value << (8 * odd);
    uint64_t mask = bits_mask(8 * size) << (8 * odd);

    for (unsigned at = 0; mask >> (8 * at); at += 2)
        write_register(pm, first + at, (uint16_t)(bits >> (8 * at)),
                       (uint16_t)(mask >> (8 * at)));
    update(pm);
}

static uint64_t gpe_read(void *dev, uint64_t offset, unsigned size)
{
    return block_read(dev, offset + ACPI_PM_GPE0, size);
}

static void gpe_write(void *dev, uint64_t offset, uint64_t value,
                      unsigned size)
{
    block_write(dev, offset + ACPI_PM_GPE0, value, size);
}

/* Advanced power management ports: 0 control, 1 status. */
static uint64_t apm_read(void *dev, uint64_t offset, unsigned size)
{
    const struct acpi_pm *pm = dev;

    (void)size;
    return offset ? pm->apm_status : pm->apm_control;
}

static void apm_write(void *dev, uint64_t offset, uint64_t value,
                      unsigned size)
{
    struct acpi_pm *pm = dev;

    (void)size;
    if (offset) {
        pm->apm_status = (uint8_t)value;
        return;
    }
    pm->apm_control = (uint8_t)value;
    if (pm->apm_control == ACPI_ENABLE)
        pm->pm_control |= SCI_EN;
    else if (pm->apm_control == ACPI_DISABLE)
        pm->pm_control &= (uint16_t)~SCI_EN;
    update(pm);
    if (pm->pci.config[DEVACTB_HIGH] & APMC_EN)
        pulse(&pm->w.smi);
}

static const struct region_ops block_ops = {block_read, block_write, 1, 4};
static const struct region_ops gpe_ops = {gpe_read, gpe_write, 1, 4};
static const struct region_ops apm_ops = {apm_read, apm_write, 1, 1};

/* Moves the block to where configuration space says.  A place that is taken
 * leaves it nowhere until the guest tries again. */
static void place_block(struct acpi_pm *pm)
{
    uint16_t base = pci_get(&pm->pci, PMBASE, 2) & 0xffc0;
    const struct region r = {
        .name = "acpi-pm",
        .base = base,
        .size = ACPI_PM_SIZE,
        .ops = &block_ops,
        .dev = pm,
    };

    if (!(pm->pci.config[PMREGMISC] & PMIOSE))
        base = 0;
    if (base == pm->mapped_at)
        return;
    if (pm->mapped_at)
        space_unmap(pm->w.io, pm->mapped_at, pm);
    pm->mapped_at = 0;
    if (!base)
        return;
    if (space_map(pm->w.io, &r))
        pm->mapped_at = base;
    else
        log_guest("acpi: PMBASE 0x%x is another device's", base);
}

static void config_written(void *owner, unsigned reg, unsigned size)
{
    (void)reg;
    (void)size;
    place_block(owner);
}

bool acpi_pm_press_power(struct acpi_pm *pm)
{
    pm->pm_status |= PWRBTN;
    update(pm);
    return pm->pm_enable & PWRBTN && pm->pm_control & SCI_EN;
}

static void set_gpe(void *owner, unsigned event, bool level)
{
    struct acpi_pm *pm = owner;
    uint16_t bit = (uint16_t)(1u << event);

    if (level && !(pm->gpe_lines & bit))
        pm->gpe_status |= bit;
    pm->gpe_lines = level ? pm->gpe_lines | bit : pm->gpe_lines & ~bit & 0xffff;
    update(pm);
}

struct line acpi_pm_gpe_line(struct acpi_pm *pm, unsigned event)
{
    if (event >= ACPI_GPES)
        return LINE_NONE;
    return (struct line){set_gpe, pm, event};
}

static void acpi_pm_reset(void *dev)
{
    struct acpi_pm *pm = dev;

    pci_device_reset(&pm->pci);
    place_block(pm);
    pm->pm_status = pm->pm_enable = pm->pm_control = 0;
    pm->gpe_status = pm->gpe_enable = 0;
    pm->apm_control = pm->apm_status = 0;
    pm->overflow_tick = next_change(tick_now(pm));
    update(pm);
}

static void acpi_pm_after_load(void *dev)
{
    struct acpi_pm *pm = dev;
    uint64_t latest = next_change(tick_now(pm));

    pci_device_loaded(&pm->pci);
    place_block(pm);
    pm->pm_control &= CONTROL_KEPT;
    /* No history gives a later one; it would make the timer's time overflow. */
    if (pm->overflow_tick > latest)
        pm->overflow_tick = latest;
    update(pm);
}

static const struct field acpi_pm_state[] = {
    PCI_FIELDS(struct acpi_pm, pci),
    FIELD(struct acpi_pm, pm_status),
    FIELD(struct acpi_pm, pm_enable),
    FIELD(struct acpi_pm, pm_control),
    FIELD(struct acpi_pm, gpe_status),
    FIELD(struct acpi_pm, gpe_enable),
    FIELD(struct acpi_pm, gpe_lines),
    FIELD(struct acpi_pm, overflow_tick),
    FIELD(struct acpi_pm, apm_control),
    FIELD(struct acpi_pm, apm_status),
    FIELD_TIME(struct acpi_pm, overflow),
    FIELD_END,
};

static const struct device_class acpi_pm_class = {
    .name = "acpi_pm",
    .reset = acpi_pm_reset,
    .after_load = acpi_pm_after_load,
    .state = acpi_pm_state,
};

static void describe(struct acpi_pm *pm)
{
    struct pci_device *pd = &pm->pci;

    pci_preset(pd, PCI_STATUS, 0x0280, 2);
    pci_preset(pd, PCI_IRQ_LINE, ACPI_SCI_IRQ, 1);
    pci_preset(pd, PMBASE, pm->w.pm_base | 1u, 4);
    pci_preset(pd, PMREGMISC, pm->w.pm_base ? PMIOSE : 0, 1);
    pci_preset(pd, SMBBASE, 1, 4);
    if (!pm->w.smi.set)
        pci_preset(pd, DEVACTB_HIGH, APMC_EN, 1);

    pci_writable(pd, PCI_COMMAND, PCI_COMMAND_IO, 2);
    pci_writable(pd, PMBASE, 0xffc0, 4);
    for (unsigned reg = 0x44; reg < 0x80; reg += 4) /* CNTA .. DEVRESJ */
        pci_writable(pd, reg, 0xffffffff, 4);
    pci_writable(pd, PMREGMISC, PMIOSE, 1);
    pci_writable(pd, SMBBASE, 0xfff0, 4);
    pci_writable(pd, SMBHSTCFG, 0x0f, 1);
}

static bool map_fixed_ports(struct acpi_pm *pm)
{
    const struct region apm = {
        .name = "acpi-smi-cmd",
        .base = ACPI_SMI_CMD,
        .size = 2,
        .ops = &apm_ops,
        .dev = pm,
    };
    const struct region gpe = {
        .name = "acpi-gpe0",
        .base = pm->w.gpe0_base,
        .size = GPE_PORTS,
        .ops = &gpe_ops,
        .dev = pm,
    };

    if (pm->w.gpe0_base && !space_map(pm->w.io, &gpe))
        return false;
    return space_map(pm->w.io, &apm);
}

bool acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_wiring *w)
{
    static const struct pci_ident ident = {
        .vendor = 0x8086,
        .device = 0x7113,
        .class_code = 0x068000,
        .revision = 0x03,
        .interrupt_pin = 1,
    };

    *pm = (struct acpi_pm){.dev = {&acpi_pm_class, "acpi_pm"}, .w = *w};
    timer_init(&pm->overflow, overflow_fired, pm);
    pci_device_init(&pm->pci, pm, &ident);
    pm->pci.config_written = config_written;
    describe(pm);
    if (!pci_attach(w->bus, &pm->pci, w->slot, w->function))
        return false;
    if (!map_fixed_ports(pm))
        return false;
    acpi_pm_reset(pm);
    return !w->pm_base || pm->mapped_at == (w->pm_base & 0xffc0);
}
