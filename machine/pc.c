/*
 * Chips are made before the chips that drive them, as far as wires allow;
 * a wire back goes through a function of the board.
 */
#include "machine/pc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "cpu/fpu.h"
#include "machine/bios.h"
#include "machine/engines.h"
#include "machine/loader.h"
#include "machine/post.h"

printf_check(2, 3) static bool fail(char error[PC_ERROR], const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(error, PC_ERROR, fmt, args);
    va_end(args);
    return false;
}

/* --- wishes --- */

void pc_wish(struct pc *pc, enum pc_wish wish)
{
    pc->wishes |= wish;
    cpu_kick(&pc->cpu);
}

static void wish_line(void *owner, unsigned pin, bool level)
{
    if (level)
        pc_wish(owner, (enum pc_wish)pin);
}

static struct line wish(struct pc *pc, enum pc_wish what)
{
    return (struct line){wish_line, pc, what};
}

static void take_power_off(void *owner, uint64_t arg)
{
    (void)arg;
    pc_wish(owner, PC_POWER_OFF);
}

bool pc_post_power_off(struct pc *pc)
{
    struct message msg = {.run = take_power_off, .owner = pc};

    return mailbox_post(&pc->mailbox, &msg);
}

static void debug_exit(void *owner, uint32_t value)
{
    struct pc *pc = owner;

    pc->exit_code = (int)((value << 1 | 1) & 0xff);
    pc_wish(pc, PC_EXIT);
}

/* --- wires of the board --- */

/* An ISA interrupt reaches both controllers; the guest masks one. */
static void drive_irq(struct pc *pc, unsigned irq)
{
    bool level = (pc->irqs[PC_IRQ_ISA] | pc->irqs[PC_IRQ_PCI]) >> irq & 1;
    struct line pic = pic_line(&pc->pic, irq);
    struct line apic =
        ioapic_line(&pc->ioapic, irq == IRQ_TIMER ? IOAPIC_PIN_TIMER : irq);

    line_set(&pic, level);
    line_set(&apic, level);
}

/* pin is the interrupt plus BOARD_IRQS times the source. */
static void set_irq(void *owner, unsigned pin, bool level)
{
    struct pc *pc = owner;
    unsigned irq = pin % BOARD_IRQS;
    uint16_t *levels = &pc->irqs[pin / BOARD_IRQS];
    uint16_t bit = (uint16_t)(1u << irq);

    *levels = (uint16_t)(level ? *levels | bit : *levels & ~bit);
    drive_irq(pc, irq);
}

static struct line irq_from(struct pc *pc, unsigned irq,
                            enum pc_irq_source source)
{
    return (struct line){set_irq, pc, irq + BOARD_IRQS * source};
}

static struct line isa_irq(struct pc *pc, unsigned irq)
{
    return irq_from(pc, irq, PC_IRQ_ISA);
}

static void set_a20(void *owner, unsigned pin, bool level)
{
    struct pc *pc = owner;

    pc->a20 = (uint8_t)(level ? pc->a20 | pin : pc->a20 & ~pin);
    physmem_set_a20(&pc->mem, pc->a20 != 0);
}

static struct line a20(struct pc *pc, enum pc_a20_source source)
{
    return (struct line){set_a20, pc, source};
}

/* PIRQs go to the bridge, which is made after the bus. */
static void set_pirq(void *owner, unsigned pin, bool level)
{
    struct pc *pc = owner;
    struct line pirq = piix3_line(&pc->piix3, (enum piix3_pin)pin);

    line_set(&pirq, level);
}

/* AT Technical Reference, "Coprocessor": any write to port f0 clears the
 * interrupt that an x87 error has latched, and has the processor ignore the
 * error for as long as it lasts (SDM vol. 1, D.2.1.2). */
static void ferr_clear(void *owner, uint64_t offset, uint64_t value,
                       unsigned size)
{
    struct pc *pc = owner;

    (void)offset;
    (void)value;
    (void)size;
    set_irq(owner, IRQ_FERR, false);
    fpu_ignore_error(&pc->cpu);
}

static const struct region_ops ferr_ops = {.write = ferr_clear, .max_size = 1};

/* --- memory --- */

static void map_changed(void *owner)
{
    struct pc *pc = owner;

    mmu_flush_all(&pc->cpu.mmu);
    pc->engine->flush(pc->engine);
}

static void code_written(void *owner, uint64_t ram_at, unsigned size)
{
    struct pc *pc = owner;

    pc->engine->invalidate(pc->engine, ram_at, size);
}

static bool add_rom_area(struct physmem *pm)
{
    for (unsigned i = 0; i < I440FX_PAM_BLOCKS; i++) {
        const struct i440fx_pam_block *b = &i440fx_pam[i];

        if (!physmem_add_block(pm, "rom area", b->base, b->size, b->base,
                               BLOCK_RAM))
            return false;
    }
    return true;
}

/* In the order of memmap.h. */
static bool add_blocks(struct physmem *pm, uint64_t ram, uint64_t bios)
{
    uint64_t low = ram < BOARD_HOLE_START ? ram : BOARD_HOLE_START;
    uint64_t start = BOARD_HIGH_START;

    if (!physmem_add_block(pm, "low ram", 0, BOARD_LOW_END, 0, BLOCK_RAM) ||
        !add_rom_area(pm) ||
        !physmem_add_block(pm, "ram", start, low - start, start, BLOCK_RAM))
        return false;
    if (ram > low &&
        !physmem_add_block(pm, "high ram", BOARD_4G, ram - low, low, BLOCK_RAM))
        return false;
    return !bios || physmem_add_block(pm, "firmware", BOARD_4G - bios, bios,
                                      ram, BLOCK_ROM);
}

static bool make_memory(struct pc *pc, char error[PC_ERROR])
{
    uint64_t ram = pc->cfg->ram_size;

    if (!physmem_init(&pc->mem, ram + pc->bios_size))
        return fail(error,
                    "The host refuses %llu MiB of memory; give less "
                    "with -m.",
                    (unsigned long long)(ram >> 20));
    if (add_blocks(&pc->mem, ram, pc->bios_size))
        return true;
    physmem_destroy(&pc->mem);
    return fail(error,
                "The board has no place for %llu MiB of memory; give "
                "less with -m.",
                (unsigned long long)(ram >> 20));
}

/* --- the processor --- */

static int cpu_ack(void *owner)
{
    struct pc *pc = owner;

    return lapic_ack(&pc->lapic);
}

static unsigned cpu_tpr_get(void *owner)
{
    struct pc *pc = owner;

    return lapic_tpr_get(&pc->lapic);
}

static void cpu_tpr_set(void *owner, unsigned tpr)
{
    struct pc *pc = owner;

    lapic_tpr_set(&pc->lapic, (uint8_t)tpr);
}

static bool cpu_apic_base_set(void *owner, uint64_t value)
{
    struct pc *pc = owner;

    return lapic_set_base(&pc->lapic, value);
}

static void cpu_tsc_deadline_set(void *owner, uint64_t tsc)
{
    struct pc *pc = owner;

    lapic_set_tsc_deadline(&pc->lapic, tsc);
}

static uint64_t cpu_tsc_deadline_get(void *owner)
{
    struct pc *pc = owner;

    return lapic_get_tsc_deadline(&pc->lapic);
}

static void cpu_ferr(void *owner, bool level)
{
    set_irq(owner, IRQ_FERR, level);
}

static bool make_processor(struct pc *pc)
{
    const struct config *cfg = pc->cfg;
    const struct engine_options options = {
        .count = cfg->time == CLOCK_DETERMINISTIC || log_on(LOG_STATS),
        .stats = log_on(LOG_STATS),
        .perf_map = cfg->perf_map,
    };

    cpu_init(&pc->cpu, cfg->model, &pc->mem, &pc->io, &pc->clock, &pc->stats);
    pc->cpu.tsc_hz = BOARD_TSC_HZ;
    pc->cpu.bus = (struct cpu_bus){
        .owner = pc,
        .intr_ack = cpu_ack,
        .tpr_get = cpu_tpr_get,
        .tpr_set = cpu_tpr_set,
        .apic_base_set = cpu_apic_base_set,
        .tsc_deadline_set = cpu_tsc_deadline_set,
        .tsc_deadline_get = cpu_tsc_deadline_get,
        .ferr = cpu_ferr,
    };
    pc->engine = cfg->engine->make(&pc->cpu, &options);
    if (!pc->engine)
        return false;
    pc->mem.on_change = map_changed;
    pc->mem.on_code_write = code_written;
    pc->mem.owner = pc;
    return true;
}

/* --- the schematic --- */

static void add_part(struct pc *pc, void *dev)
{
    if (pc->part_count < PC_PARTS)
        pc->parts[pc->part_count++] = dev;
}

static bool make_apics(struct pc *pc)
{
    struct lapic_wiring w = {
        .id = "lapic0",
        .pm = &pc->mem,
        .clock = &pc->clock,
        .bus = &pc->apic_bus,
        .bsp = true,
        .bus_hz = BOARD_APIC_HZ,
        .tsc_hz = BOARD_TSC_HZ,
        .intr = {cpu_set_intr, &pc->cpu, 0},
        .nmi = {cpu_set_nmi, &pc->cpu, 0},
        .init = wish(pc, PC_RESET),
        .pic_ack = pic_ack,
        .pic = &pc->pic,
    };

    apic_bus_init(&pc->apic_bus);
    apic_bus_on_eoi(&pc->apic_bus, ioapic_eoi, &pc->ioapic);
    if (!lapic_init(&pc->lapic, &w) ||
        !ioapic_init(&pc->ioapic, &pc->mem, IOAPIC_BASE, apic_bus_deliver,
                     &pc->apic_bus))
        return false;
    add_part(pc, &pc->lapic);
    add_part(pc, &pc->ioapic);
    return true;
}

/* Keyboard, mouse, and the three ports that share their history with them. */
static void make_keyboard(struct pc *pc)
{
    struct kbc_wires wires = {
        .irq_kbd = isa_irq(pc, IRQ_KEYBOARD),
        .irq_aux = isa_irq(pc, IRQ_MOUSE),
        .a20 = a20(pc, PC_A20_KBC),
        .reset = wish(pc, PC_RESET),
        .kbd = &pc->kbd.port,
        .aux = &pc->mouse.port,
    };

    ps2_kbd_init(&pc->kbd);
    ps2_mouse_init(&pc->mouse);
    kbc_init(&pc->kbc, &pc->io, PORT_KBC_DATA, PORT_KBC_COMMAND, &pc->clock,
             &wires);
    port61_init(&pc->port61, &pc->io, PORT_SYSTEM_B, &pc->clock,
                pit_gate2(&pc->pit), pit_out2(&pc->pit));
    port92_init(&pc->port92, &pc->io, PORT_SYSTEM_A, a20(pc, PC_A20_PORT92),
                wish(pc, PC_RESET));
    add_part(pc, &pc->kbd);
    add_part(pc, &pc->mouse);
    add_part(pc, &pc->kbc);
    add_part(pc, &pc->port61);
    add_part(pc, &pc->port92);
}

/* What every AT has, and com1. */
static bool make_isa(struct pc *pc, const struct pc_host *host)
{
    struct region ferr = {"ferr", PORT_FERR_CLEAR, 1, &ferr_ops, pc};

    pic_init(&pc->pic, &pc->io, PORT_PIC_MASTER, PORT_PIC_SLAVE, PORT_ELCR,
             lapic_line(&pc->lapic, LAPIC_LINT0));
    pit_init(&pc->pit, &pc->io, PORT_PIT, &pc->clock, isa_irq(pc, IRQ_TIMER));
    cmos_init(&pc->cmos, &pc->io, PORT_CMOS, &pc->clock, isa_irq(pc, IRQ_RTC),
              pc->cfg->rtc_seconds);
    dma8237_init(&pc->dma, &pc->io, PORT_DMA_LOW, PORT_DMA_HIGH, PORT_DMA_PAGE,
                 &pc->mem);
    add_part(pc, &pc->pic);
    add_part(pc, &pc->pit);
    add_part(pc, &pc->cmos);
    add_part(pc, &pc->dma);
    make_keyboard(pc);
    if (!space_map(&pc->io, &ferr) ||
        !uart_init(&pc->com1, "com1", &pc->io, PORT_COM1, &pc->clock,
                   isa_irq(pc, IRQ_COM1)))
        return false;
    uart_connect(&pc->com1, host->com1);
    add_part(pc, &pc->com1);
    return true;
}

static bool make_bus(struct pc *pc)
{
    struct pci_wiring w = {
        .io = &pc->io,
        .pm = &pc->mem,
        .hole_start = BOARD_HOLE_START,
        .hole_end = BOARD_HOLE_END,
        .reset = wish(pc, PC_RESET),
        .init = wish(pc, PC_RESET),
    };

    for (unsigned i = 0; i < PCI_PIRQS; i++)
        w.pirq[i] = (struct line){set_pirq, pc, i};
    if (!pci_init(&pc->pci, &w))
        return false;
    add_part(pc, &pc->pci);
    return true;
}

static bool make_bridges(struct pc *pc)
{
    struct line irqs[PIIX3_IRQS];

    for (unsigned i = 0; i < PIIX3_IRQS; i++)
        irqs[i] = irq_from(pc, i, PC_IRQ_PCI);
    if (!i440fx_init(&pc->i440fx, &pc->pci, &pc->mem) ||
        !piix3_init(&pc->piix3, &pc->pci, PCI_SLOT_PIIX3, irqs))
        return false;
    add_part(pc, &pc->i440fx);
    add_part(pc, &pc->piix3);
    return true;
}

static bool make_power(struct pc *pc)
{
    struct acpi_pm_wiring w = {
        .bus = &pc->pci,
        .slot = PCI_SLOT_PIIX3,
        .function = PCI_FUNCTION_PM,
        .io = &pc->io,
        .clock = &pc->clock,
        .pm_base = pc->bios ? 0 : ACPI_PM_BASE,
        .gpe0_base = ACPI_GPE0_BASE,
        .sci = piix3_line(&pc->piix3, PIIX3_SCI),
        .power_off = wish(pc, PC_POWER_OFF),
        .smi = LINE_NONE,
    };

    if (!acpi_pm_init(&pc->pm, &w))
        return false;
    add_part(pc, &pc->pm);
    return true;
}

static bool make_debugging(struct pc *pc, const struct pc_host *host,
                           char error[PC_ERROR])
{
    const struct config *cfg = pc->cfg;
    const struct debugexit_spec *e = &cfg->debugexit;

    if (e->iosize) {
        if (!debugexit_init(&pc->debugexit, &pc->io, e->iobase, e->iosize,
                            debug_exit, pc))
            return fail(error,
                        "Ports from 0x%x for isa-debug-exit are not "
                        "free; choose another iobase.",
                        e->iobase);
        add_part(pc, &pc->debugexit);
    }
    for (unsigned i = 0; i < cfg->debugcon_count; i++) {
        if (!debugcon_init(&pc->debugcon[i], &pc->io, cfg->debugcon[i].iobase,
                           host->debugcon[i]))
            return fail(error,
                        "Port 0x%x for isa-debugcon is not free; choose "
                        "another iobase.",
                        cfg->debugcon[i].iobase);
        add_part(pc, &pc->debugcon[i]);
    }
    return true;
}

static bool make_parts(struct pc *pc, const struct pc_host *host,
                       char error[PC_ERROR])
{
    if (!make_apics(pc) || !make_isa(pc, host) || !make_bus(pc) ||
        !make_bridges(pc) || !make_power(pc))
        return fail(error, "Two parts of the board claim the same address; "
                           "this is a fault of Copal.");
    return make_debugging(pc, host, error);
}

/* --- life --- */

static void reset_parts(struct pc *pc)
{
    pc->wishes &= ~(unsigned)PC_RESET;
    for (unsigned i = 0; i < pc->part_count; i++)
        device_reset(pc->parts[i]);
    cpu_reset(&pc->cpu);
    post_cmos(pc);
    /* Reset lines pulse while chips are reset. */
    pc->wishes &= ~(unsigned)PC_RESET;
}

bool pc_reset(struct pc *pc, char error[PC_ERROR])
{
    const struct config *cfg = pc->cfg;
    struct boot boot = {cfg->kernel, cfg->initrd, cfg->append};
    bool ok = true;

    reset_parts(pc);
    if (pc->bios) {
        bios_place(pc);
    } else {
        post_chips(pc);
        if (boot.kernel)
            ok = loader_boot(&boot, &pc->mem, cfg->ram_size, &pc->cpu, error,
                             PC_ERROR);
    }
    mmu_flush_all(&pc->cpu.mmu);
    pc->engine->flush(pc->engine);
    return ok;
}

static void wake(void *owner)
{
    struct pc *pc = owner;

    cpu_kick(&pc->cpu);
}

static bool make_rest(struct pc *pc, const struct pc_host *host,
                      char error[PC_ERROR])
{
    space_init(&pc->io, "io", 1 << 16);
    clock_init(&pc->clock, pc->cfg->time);
    mailbox_init(&pc->mailbox, wake, pc);
    if (!make_processor(pc))
        return fail(error,
                    "This host cannot run code by '%s'; use -accel "
                    "interp.",
                    pc->cfg->engine->name);
    if (!alarm_init(&pc->alarm, wake, pc))
        return fail(error, "The host refuses a timer or a thread; end some "
                           "other programs.");
    if (make_parts(pc, host, error))
        return true;
    alarm_destroy(&pc->alarm);
    return false;
}

static void destroy_rest(struct pc *pc)
{
    for (unsigned i = 0; i < pc->part_count; i++)
        if (pc->parts[i]->cls->destroy)
            pc->parts[i]->cls->destroy(pc->parts[i]);
    if (pc->engine)
        pc->engine->destroy(pc->engine);
    pc->mem.on_change = NULL;
    cpu_destroy(&pc->cpu);
    mailbox_destroy(&pc->mailbox);
    clock_destroy(&pc->clock);
    physmem_destroy(&pc->mem);
    free(pc->bios);
}

bool pc_init(struct pc *pc, const struct config *cfg,
             const struct pc_host *host, char error[PC_ERROR])
{
    memset(pc, 0, sizeof(*pc));
    pc->cfg = cfg;
    if (cfg->bios && !bios_read(pc, cfg->bios, error))
        return false;
    if (!make_memory(pc, error)) {
        free(pc->bios);
        return false;
    }
    if (make_rest(pc, host, error))
        return true;
    destroy_rest(pc);
    return false;
}

void pc_destroy(struct pc *pc)
{
    alarm_destroy(&pc->alarm);
    destroy_rest(pc);
}
