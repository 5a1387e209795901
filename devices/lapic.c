/*
 * Local APIC.  Section names are those of the Intel SDM volume 3, chapter
 * "Advanced Programmable Interrupt Controller".
 *
 * What must always be true: `intr` equals is_deliverable(); whoever changes
 * IRR, ISR, TPR, the base, LINT0 or its LVT entry calls lapic_update().  IRR
 * and ISR never hold a vector below 16.
 */
#include "devices/lapic_core.h"

#include "base/bits.h"
#include "base/log.h"

static void pulse(const struct line *l)
{
    line_set(l, true);
    line_set(l, false);
}

/* 256-bit registers. */

static void vector_set(uint32_t reg[VECTOR_WORDS], uint8_t v, bool on)
{
    uint32_t bit = (uint32_t)1 << (v & 31);

    reg[v >> 5] = on ? reg[v >> 5] | bit : reg[v >> 5] & ~bit;
}

static bool vector_test(const uint32_t reg[VECTOR_WORDS], uint8_t v)
{
    return bits_test(reg[v >> 5], v & 31);
}

/* The highest vector, 0 if there is none. */
static uint8_t vector_highest(const uint32_t reg[VECTOR_WORDS])
{
    for (unsigned i = VECTOR_WORDS; i-- > 0;)
        if (reg[i])
            return (uint8_t)(i * 32 + bits_high(reg[i]));
    return 0;
}

/* Task and processor priorities. */

uint8_t lapic_ppr(const struct lapic *l)
{
    uint8_t in_service = vector_highest(l->isr);

    if (l->tpr >> 4 >= in_service >> 4)
        return l->tpr;
    return in_service & 0xf0;
}

/* Arbitration priority, for lowest priority delivery. */
uint8_t lapic_apr(const struct lapic *l)
{
    unsigned task = l->tpr >> 4;
    unsigned requested = vector_highest(l->irr) >> 4;
    unsigned in_service = vector_highest(l->isr) >> 4;

    if (task >= requested && task > in_service)
        return l->tpr;
    task &= in_service;
    return (uint8_t)((task > requested ? task : requested) << 4);
}

/* The vector that IRR would deliver now, 0 if none. */
static uint8_t ready_vector(const struct lapic *l)
{
    uint8_t v = vector_highest(l->irr);

    return v >> 4 > lapic_ppr(l) >> 4 ? v : 0;
}

static bool pin_is_extint(const struct lapic *l, enum lapic_pin pin,
                          enum lvt n)
{
    return bits_test(l->pins, pin) && !(l->lvt[n] & LVT_MASKED) &&
           lapic_delivery(l->lvt[n]) == APIC_EXTINT;
}

/* Does the PIC ask, through whichever way is open? */
static bool is_extint_ready(const struct lapic *l)
{
    if (!lapic_enabled(l))
        return bits_test(l->pins, LAPIC_LINT0);
    return l->extint || pin_is_extint(l, LAPIC_LINT0, LVT_LINT0) ||
           pin_is_extint(l, LAPIC_LINT1, LVT_LINT1);
}

static bool is_deliverable(const struct lapic *l)
{
    return is_extint_ready(l) || (lapic_enabled(l) && ready_vector(l));
}

void lapic_update(struct lapic *l)
{
    line_set(&l->w.intr, is_deliverable(l));
}

/* Acceptance. */

static void local_event(struct lapic *l, enum lvt n);

/* "Error handling": the error interrupt is sent once, and again only after a
 * write to ESR. */
void lapic_raise_error(struct lapic *l, uint32_t bits)
{
    bool first = !l->esr_pending;

    l->esr_pending |= bits;
    if (first)
        local_event(l, LVT_ERROR);
}

static bool accept_vector(struct lapic *l, uint8_t v, bool level)
{
    if (v < FIRST_VECTOR) {
        lapic_raise_error(l, ESR_RECEIVE_VECTOR);
        return false;
    }
    vector_set(l->irr, v, true);
    vector_set(l->tmr, v, level);
    lapic_update(l);
    return true;
}

static void accept_init(struct lapic *l)
{
    lapic_soft_reset(l);
    pulse(&l->w.init);
}

/* Something happened that an LVT entry turns into an interrupt.  ExtINT is
 * not an event but a level: is_extint_ready. */
static void local_event(struct lapic *l, enum lvt n)
{
    uint32_t lvt = l->lvt[n];

    if (lvt & LVT_MASKED)
        return;
    if (n == LVT_PERF)
        l->lvt[n] |= LVT_MASKED;
    switch (lapic_delivery(lvt)) {
    case APIC_FIXED: accept_vector(l, (uint8_t)lvt, false); break;
    case APIC_SMI: pulse(&l->w.smi); break;
    case APIC_NMI: pulse(&l->w.nmi); break;
    case APIC_INIT: accept_init(l); break;
    default: break;
    }
}

/* Only LINT0 with fixed delivery can be level triggered ("local vector
 * table", trigger mode). */
static bool lint0_is_level(const struct lapic *l)
{
    uint32_t lvt = l->lvt[LVT_LINT0];

    return lvt & LVT_LEVEL && lapic_delivery(lvt) == APIC_FIXED;
}

static void service_lint0(struct lapic *l)
{
    uint32_t *lvt = &l->lvt[LVT_LINT0];

    if (!lint0_is_level(l) || !bits_test(l->pins, LAPIC_LINT0))
        return;
    if (*lvt & (LVT_MASKED | LVT_REMOTE_IRR))
        return;
    if (accept_vector(l, (uint8_t)*lvt, true))
        *lvt |= LVT_REMOTE_IRR;
}

void lapic_lint0_changed(struct lapic *l)
{
    if (!lint0_is_level(l))
        l->lvt[LVT_LINT0] &= ~(uint32_t)LVT_REMOTE_IRR;
    service_lint0(l);
}

static void pin_rises(struct lapic *l, enum lapic_pin pin)
{
    static const enum lvt lvt_of[] = {
        [LAPIC_LINT0] = LVT_LINT0,
        [LAPIC_LINT1] = LVT_LINT1,
        [LAPIC_PERF] = LVT_PERF,
        [LAPIC_THERMAL] = LVT_THERMAL,
    };

    if (lapic_enabled(l) && pin == LAPIC_LINT0 && lint0_is_level(l))
        service_lint0(l);
    else if (lapic_enabled(l))
        local_event(l, lvt_of[pin]);
    else if (pin == LAPIC_LINT1)
        pulse(&l->w.nmi);
}

static void set_pin(void *owner, unsigned pin, bool level)
{
    struct lapic *l = owner;
    uint8_t bit = (uint8_t)(1u << pin);
    bool rises = level && !(l->pins & bit);

    l->pins = level ? l->pins | bit : l->pins & (uint8_t)~bit;
    if (rises)
        pin_rises(l, (enum lapic_pin)pin);
    lapic_update(l);
}

struct line lapic_line(struct lapic *l, enum lapic_pin pin)
{
    return (struct line){set_pin, l, pin};
}

static void timer_expired(void *owner)
{
    local_event(owner, LVT_TIMER);
}

/* The agent on the APIC bus. */

static bool agent_matches(const void *dev, const struct apic_msg *msg)
{
    const struct lapic *l = dev;
    uint8_t id = (uint8_t)(l->id >> 24);
    uint8_t logical = (uint8_t)(l->ldr >> 24);

    if (msg->dest == APIC_BROADCAST)
        return true;
    if (msg->dest_mode == APIC_PHYSICAL)
        return msg->dest == id;
    switch (l->dfr >> 28) {
    case 0xf: return msg->dest & logical; /* flat */
    case 0x0: /* cluster in the upper, members in the lower half */
        return (msg->dest >> 4 == logical >> 4 || msg->dest >> 4 == 0xf) &&
               msg->dest & logical & 0xf;
    default: return false;
    }
}

static unsigned agent_priority(const void *dev)
{
    return lapic_apr(dev);
}

static bool accept_interrupt(struct lapic *l, const struct apic_msg *msg)
{
    return l->svr & SVR_ENABLE && accept_vector(l, msg->vector, msg->level);
}

/* A software-disabled APIC still takes SMI, NMI, INIT and STARTUP ("local
 * APIC state after it has been software disabled"). */
static bool agent_accept(void *dev, const struct apic_msg *msg)
{
    struct lapic *l = dev;

    if (!lapic_enabled(l))
        return false;
    switch (msg->delivery) {
    case APIC_FIXED:
    case APIC_LOWEST: return accept_interrupt(l, msg);
    case APIC_SMI: pulse(&l->w.smi); return true;
    case APIC_NMI: pulse(&l->w.nmi); return true;
    case APIC_INIT: accept_init(l); return true;
    case APIC_STARTUP:
        if (l->w.startup)
            l->w.startup(l->w.startup_owner, msg->vector);
        return true;
    case APIC_EXTINT:
        l->extint = true;
        lapic_update(l);
        return true;
    default: return false;
    }
}

/* Signalling interrupt servicing completion. */
void lapic_end_of_interrupt(struct lapic *l)
{
    uint8_t v = vector_highest(l->isr);

    if (!v)
        return;
    vector_set(l->isr, v, false);
    if (vector_test(l->tmr, v)) {
        if ((uint8_t)l->lvt[LVT_LINT0] == v)
            l->lvt[LVT_LINT0] &= ~(uint32_t)LVT_REMOTE_IRR;
        service_lint0(l);
        apic_bus_eoi(l->w.bus, v);
    }
    lapic_update(l);
}

static uint8_t acknowledge_pic(struct lapic *l)
{
    l->extint = false;

    uint8_t v = l->w.pic_ack(l->w.pic);

    lapic_update(l);
    return v;
}

/* ExtINT is outside the priorities and goes first. */
int lapic_ack(void *lapic)
{
    struct lapic *l = lapic;
    uint8_t v = ready_vector(l);

    if (l->w.pic_ack && (is_extint_ready(l) || !lapic_enabled(l)))
        return acknowledge_pic(l);
    if (!lapic_enabled(l) || !v)
        return (uint8_t)l->svr;
    vector_set(l->irr, v, false);
    vector_set(l->isr, v, true);
    lapic_update(l);
    return v;
}

/* What the processor sees besides the window. */

void lapic_set_tsc_deadline(struct lapic *l, uint64_t tsc)
{
    lapic_timer_set_deadline(&l->timer, tsc);
}

uint64_t lapic_get_tsc_deadline(const struct lapic *l)
{
    return l->timer.tsc_deadline;
}

void lapic_set_tsc_offset(struct lapic *l, uint64_t offset)
{
    lapic_timer_set_offset(&l->timer, offset);
}

/* Puts the window where the base register says.  The board's fixed windows
 * come first: a base on one of them leaves the registers out of reach. */
static void place_window(struct lapic *l)
{
    const struct region window = {
        .name = l->w.id,
        .base = l->base & LAPIC_BASE_ADDRESS,
        .size = LAPIC_WINDOW,
        .ops = &lapic_ops,
        .dev = l,
    };
    bool wanted = l->w.pm && lapic_enabled(l);

    if (l->mapped && wanted && l->mapped_at == window.base)
        return;
    if (l->mapped)
        physmem_unmap_window(l->w.pm, l->mapped_at, l);
    l->mapped = wanted && physmem_map_window(l->w.pm, &window);
    l->mapped_at = window.base;
    if (wanted && !l->mapped)
        log_guest("lapic: base 0x%llx lies on another window",
                  (unsigned long long)window.base);
}

/* x2APIC enable (bit 10) is reserved here. */
static bool base_is_valid(uint64_t msr)
{
    return !(msr &
             ~(LAPIC_BASE_ADDRESS | LAPIC_BASE_ENABLE | LAPIC_BASE_BSP));
}

static uint64_t bsp_flag(const struct lapic *l)
{
    return l->w.bsp ? LAPIC_BASE_BSP : 0;
}

/* "Enabling or disabling the local APIC": disabling may lose its state; here
 * it does. */
bool lapic_set_base(struct lapic *l, uint64_t msr)
{
    if (!base_is_valid(msr))
        return false;
    l->base = (msr & ~LAPIC_BASE_BSP) | bsp_flag(l);
    place_window(l);
    if (!lapic_enabled(l))
        lapic_soft_reset(l);
    lapic_update(l);
    return true;
}

static void clear_vectors(struct lapic *l)
{
    for (unsigned i = 0; i < VECTOR_WORDS; i++)
        l->isr[i] = l->tmr[i] = l->irr[i] = 0;
}

void lapic_soft_reset(struct lapic *l)
{
    clear_vectors(l);
    l->ldr = 0;
    l->dfr = 0xffffffff;
    l->svr = SVR_RESET;
    l->esr = l->esr_pending = 0;
    l->icr_low = l->icr_high = 0;
    l->tpr = 0;
    l->extint = false;
    for (unsigned n = 0; n < LAPIC_LVTS; n++)
        l->lvt[n] = LVT_MASKED;
    lapic_timer_reset(&l->timer);
    lapic_update(l);
}

void lapic_virtual_wire(struct lapic *l)
{
    lapic_set_base(l, l->base | LAPIC_BASE_ENABLE);
    lapic_write_svr(l, SVR_ENABLE | SVR_RESET);
    lapic_write_lvt(l, LVT_LINT0, APIC_EXTINT << 8);
    lapic_write_lvt(l, LVT_LINT1, APIC_NMI << 8);
}

static void lapic_reset(void *dev)
{
    struct lapic *l = dev;

    l->id = (uint32_t)l->w.apic_id << 24;
    l->base = LAPIC_BASE | LAPIC_BASE_ENABLE | bsp_flag(l);
    lapic_soft_reset(l);
    place_window(l);
}

/* Bits that no history sets are taken out: a saved state is not trusted. */
static void lapic_after_load(void *dev)
{
    struct lapic *l = dev;

    if (!base_is_valid(l->base))
        l->base = LAPIC_BASE | LAPIC_BASE_ENABLE;
    l->base = (l->base & ~LAPIC_BASE_BSP) | bsp_flag(l);
    l->svr &= SVR_WRITABLE;
    l->isr[0] &= ~(uint32_t)0xffff;
    l->irr[0] &= ~(uint32_t)0xffff;
    for (unsigned n = 0; n < LAPIC_LVTS; n++)
        l->lvt[n] &= lapic_lvt_writable(n) |
                     (n == LVT_LINT0 ? LVT_REMOTE_IRR : 0);
    lapic_timer_loaded(&l->timer);
    place_window(l);
    lapic_update(l);
}

static const struct field lapic_state[] = {
    FIELD(struct lapic, base),
    FIELD(struct lapic, id),
    FIELD(struct lapic, ldr),
    FIELD(struct lapic, dfr),
    FIELD(struct lapic, svr),
    FIELD_ARRAY(struct lapic, isr),
    FIELD_ARRAY(struct lapic, tmr),
    FIELD_ARRAY(struct lapic, irr),
    FIELD(struct lapic, esr),
    FIELD(struct lapic, esr_pending),
    FIELD(struct lapic, icr_low),
    FIELD(struct lapic, icr_high),
    FIELD_ARRAY(struct lapic, lvt),
    FIELD(struct lapic, tpr),
    FIELD(struct lapic, extint),
    FIELD(struct lapic, pins),
    LAPIC_TIMER_FIELDS(struct lapic, timer),
    FIELD_END,
};

static const struct device_class lapic_class = {
    .name = "lapic",
    .reset = lapic_reset,
    .after_load = lapic_after_load,
    .state = lapic_state,
};

bool lapic_init(struct lapic *l, const struct lapic_wiring *w)
{
    const struct apic_agent agent = {
        .dev = l,
        .matches = agent_matches,
        .priority = agent_priority,
        .accept = agent_accept,
    };

    *l = (struct lapic){.dev = {&lapic_class, w->id}, .w = *w};
    lapic_timer_init(&l->timer, w->clock, w->bus_hz, w->tsc_hz, timer_expired,
                     l);
    if (!apic_bus_attach(w->bus, &agent))
        return false;
    lapic_reset(l);
    return !w->pm || l->mapped;
}
