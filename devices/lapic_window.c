/*
 * Local APIC: the register window, and the ICR's interrupts to other
 * processors.  Section names are those of the Intel SDM volume 3, chapter
 * "Advanced Programmable Interrupt Controller".
 */
#include "devices/lapic_core.h"

#include "base/bits.h"
#include "base/log.h"

/* Registers by offset / 16. */
enum {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR_LOW = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32,
    REG_LVT_LAST = 0x37,
    REG_INITIAL_COUNT = 0x38,
    REG_CURRENT_COUNT = 0x39,
    REG_DIVIDE = 0x3e,
};

/* Interrupt command register, low half. */
enum {
    ICR_LOGICAL = 1 << 11,
    ICR_ASSERT = 1 << 14,
    ICR_LEVEL = 1 << 15,
    ICR_WRITABLE = 0xccfff,
};

#define DESTINATION_BITS 0xff000000u /* of ID, LDR and ICR high */

uint32_t lapic_lvt_writable(enum lvt n)
{
    static const uint32_t writable[LAPIC_LVTS] = {
        [LVT_TIMER] = 0x700ff,
        [LVT_THERMAL] = 0x107ff,
        [LVT_PERF] = 0x107ff,
        [LVT_LINT0] = 0x1a7ff,
        [LVT_LINT1] = 0x1a7ff,
        [LVT_ERROR] = 0x100ff,
    };

    return writable[n];
}

/* Table "valid combinations for the Pentium 4 local APIC": a shorthand that
 * includes the sender goes with fixed delivery only. */
static bool ipi_is_valid(const struct apic_msg *msg, unsigned shorthand)
{
    if (msg->delivery == 3 || msg->delivery == APIC_EXTINT)
        return false;
    if (shorthand == APIC_TO_SELF || shorthand == APIC_TO_ALL)
        return msg->delivery == APIC_FIXED;
    return true;
}

static void send_ipi(struct lapic *l)
{
    uint32_t icr = l->icr_low;
    unsigned shorthand = (unsigned)bits_get(icr, 18, 2);
    const struct apic_msg msg = {
        .dest = (uint8_t)(l->icr_high >> 24),
        .dest_mode = icr & ICR_LOGICAL ? APIC_LOGICAL : APIC_PHYSICAL,
        .delivery = (uint8_t)lapic_delivery(icr),
        .vector = (uint8_t)icr,
    };

    /* INIT level de-assert: nothing since the Pentium 4. */
    if (msg.delivery == APIC_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT))
        return;
    if (!ipi_is_valid(&msg, shorthand)) {
        log_guest("lapic: invalid ICR 0x%x", icr);
        return;
    }
    if (msg.delivery <= APIC_LOWEST && msg.vector < FIRST_VECTOR) {
        lapic_raise_error(l, ESR_SEND_VECTOR);
        return;
    }
    apic_bus_send(l->w.bus, l, &msg, (enum apic_shorthand)shorthand);
}

/* While software disabled, mask bits stay set. */
void lapic_write_lvt(struct lapic *l, enum lvt n, uint32_t value)
{
    uint32_t keep = l->lvt[n] & LVT_REMOTE_IRR;

    value &= lapic_lvt_writable(n);
    if (!(l->svr & SVR_ENABLE))
        value |= LVT_MASKED;
    l->lvt[n] = value | keep;
    if (n == LVT_TIMER)
        lapic_timer_set_mode(
            &l->timer,
            (enum lapic_timer_mode)bits_get(value, LVT_MODE_SHIFT, 2));
    lapic_lint0_changed(l);
    lapic_update(l);
}

void lapic_write_svr(struct lapic *l, uint32_t value)
{
    l->svr = value & SVR_WRITABLE;
    for (unsigned n = 0; n < LAPIC_LVTS; n++)
        if (!(l->svr & SVR_ENABLE))
            l->lvt[n] |= LVT_MASKED;
    lapic_update(l);
}

static void write_tpr(struct lapic *l, uint8_t value)
{
    l->tpr = value;
    lapic_update(l);
}

static uint32_t read_register(struct lapic *l, unsigned reg)
{
    if (reg >= REG_LVT && reg <= REG_LVT_LAST)
        return l->lvt[reg - REG_LVT];
    if (reg >= REG_ISR && reg < REG_ISR + VECTOR_WORDS)
        return l->isr[reg - REG_ISR];
    if (reg >= REG_TMR && reg < REG_TMR + VECTOR_WORDS)
        return l->tmr[reg - REG_TMR];
    if (reg >= REG_IRR && reg < REG_IRR + VECTOR_WORDS)
        return l->irr[reg - REG_IRR];
    switch (reg) {
    case REG_ID: return l->id;
    case REG_VERSION: return (LAPIC_LVTS - 1) << 16 | LAPIC_VERSION;
    case REG_TPR: return l->tpr;
    case REG_APR: return lapic_apr(l);
    case REG_PPR: return lapic_ppr(l);
    case REG_EOI: return 0;
    case REG_LDR: return l->ldr;
    case REG_DFR: return l->dfr;
    case REG_SVR: return l->svr;
    case REG_ESR: return l->esr;
    case REG_ICR_LOW: return l->icr_low;
    case REG_ICR_HIGH: return l->icr_high;
    case REG_INITIAL_COUNT: return l->timer.initial_count;
    case REG_CURRENT_COUNT: return lapic_timer_current(&l->timer);
    case REG_DIVIDE: return l->timer.divide_config;
    default: lapic_raise_error(l, ESR_REGISTER); return 0;
    }
}

static void write_register(struct lapic *l, unsigned reg, uint32_t value)
{
    if (reg >= REG_LVT && reg <= REG_LVT_LAST) {
        lapic_write_lvt(l, (enum lvt)(reg - REG_LVT), value);
        return;
    }
    switch (reg) {
    case REG_ID: l->id = value & DESTINATION_BITS; break;
    case REG_TPR: write_tpr(l, (uint8_t)value); break;
    case REG_EOI: lapic_end_of_interrupt(l); break;
    case REG_LDR: l->ldr = value & DESTINATION_BITS; break;
    case REG_DFR: l->dfr = value | 0x0fffffff; break;
    case REG_SVR: lapic_write_svr(l, value); break;
    case REG_ESR:
        l->esr = l->esr_pending;
        l->esr_pending = 0;
        break;
    case REG_ICR_LOW:
        l->icr_low = value & ICR_WRITABLE;
        send_ipi(l);
        break;
    case REG_ICR_HIGH: l->icr_high = value & DESTINATION_BITS; break;
    case REG_INITIAL_COUNT: lapic_timer_set_count(&l->timer, value); break;
    case REG_DIVIDE: lapic_timer_set_divide(&l->timer, (uint8_t)value); break;
    case REG_VERSION:
    case REG_APR:
    case REG_PPR:
    case REG_CURRENT_COUNT: break; /* read only */
    default:
        if (reg < REG_ISR || reg >= REG_IRR + VECTOR_WORDS)
            lapic_raise_error(l, ESR_REGISTER);
        break;
    }
}

/* "Accessing the local APIC registers": 32 bits at multiples of 16; the bytes
 * between read 0 here, where the manual leaves them undefined. */
static uint64_t lapic_read(void *dev, uint64_t offset, unsigned size)
{
    (void)size;
    return offset % 16 ? 0 : read_register(dev, (unsigned)(offset / 16));
}

static void lapic_write(void *dev, uint64_t offset, uint64_t value,
                        unsigned size)
{
    if (offset % 16 || size != 4) {
        log_guest("lapic: %u-byte write at 0x%x", size, (unsigned)offset);
        return;
    }
    write_register(dev, (unsigned)(offset / 16), (uint32_t)value);
}

const struct region_ops lapic_ops = {
    .read = lapic_read,
    .write = lapic_write,
    .min_size = 4,
    .max_size = 4,
};

uint8_t lapic_tpr_get(const struct lapic *l)
{
    return l->tpr >> 4;
}

void lapic_tpr_set(struct lapic *l, uint8_t cr8)
{
    write_tpr(l, (uint8_t)(cr8 << 4));
}
