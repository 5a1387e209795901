/*
 * While the clock of the chip runs, its time registers are computed from
 * `seconds`, `origin` and the machine's clock.  While it stands still (SET, or
 * the divider chain held in reset) they are plain bytes in ram.  Whatever
 * changes one of the conditions writes the time to ram first (stop_time) and
 * reads it back afterwards if the chip still or again runs (start_time).
 */
#include "devices/cmos.h"

#include <assert.h>

#include "devices/calendar.h"
#include "devices/ports.h"

enum {
    REG_SECONDS = 0x00,
    REG_SECONDS_ALARM = 0x01,
    REG_MINUTES = 0x02,
    REG_MINUTES_ALARM = 0x03,
    REG_HOURS = 0x04,
    REG_HOURS_ALARM = 0x05,
    REG_WEEKDAY = 0x06,
    REG_DAY = 0x07,
    REG_MONTH = 0x08,
    REG_YEAR = 0x09,
    REG_A = 0x0a,
    REG_B = 0x0b,
    REG_C = 0x0c,
    REG_D = 0x0d,
};

enum {
    A_UIP = 0x80,
    A_DIVIDER_RESET = 0x60, /* both bits set: the chain is held */
    A_RATE = 0x0f,
    A_DEFAULT = 0x26, /* 32.768 kHz, 1024 Hz */
    B_SET = 0x80,
    B_PIE = 0x40,
    B_AIE = 0x20,
    B_UIE = 0x10,
    B_SQWE = 0x08,
    B_BINARY = 0x04,
    B_24H = 0x02,
    C_IRQF = 0x80,
    C_PF = 0x40,
    C_AF = 0x20,
    C_UF = 0x10,
    D_VRT = 0x80,
    HOURS_PM = 0x80,
    ALARM_ANY = 0xc0, /* an alarm byte with both bits set always matches */
    NMI_MASK = 0x80,
};

enum {
    CHAIN_HZ = 32768,
    /* UIP rises 244 us before an update cycle of 1984 us (table 5). */
    UIP_NS = 244000 + 1984000,
    /* First update after the divider reset is lifted: section "DV". */
    FIRST_UPDATE_NS = NS_PER_S / 2,
    SECONDS_PER_DAY = 86400,
};

/* No date of four digits is further from 1970, even when each byte holds its
 * greatest value. */
static const int64_t seconds_limit = (int64_t)1 << 40;

static bool chain_runs(const struct cmos *c)
{
    return (c->ram[REG_A] & A_DIVIDER_RESET) != A_DIVIDER_RESET;
}

static bool time_runs(const struct cmos *c)
{
    return chain_runs(c) && !(c->ram[REG_B] & B_SET);
}

static bool is_time(unsigned index)
{
    return (index <= REG_YEAR && index != REG_SECONDS_ALARM &&
            index != REG_MINUTES_ALARM && index != REG_HOURS_ALARM) ||
           index == CMOS_CENTURY;
}

static vtime since_origin(const struct cmos *c)
{
    return clock_now(c->clk) - c->origin;
}

static int64_t current_second(const struct cmos *c)
{
    return c->seconds + (int64_t)(since_origin(c) / NS_PER_S);
}

static uint8_t encode(const struct cmos *c, int value)
{
    if (c->ram[REG_B] & B_BINARY)
        return (uint8_t)value;
    return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

static int decode(const struct cmos *c, uint8_t value)
{
    if (c->ram[REG_B] & B_BINARY)
        return value;
    return (value >> 4) * 10 + (value & 15);
}

static uint8_t encode_hour(const struct cmos *c, int hour)
{
    uint8_t pm = hour >= 12 ? HOURS_PM : 0;

    if (c->ram[REG_B] & B_24H)
        return encode(c, hour);
    return encode(c, hour % 12 ? hour % 12 : 12) | pm;
}

static int decode_hour(const struct cmos *c, uint8_t value)
{
    int pm = value & HOURS_PM ? 12 : 0;

    if (c->ram[REG_B] & B_24H)
        return decode(c, value);
    return decode(c, value & (uint8_t)~HOURS_PM) % 12 + pm;
}

/* Writes the time registers for a second. */
static void put_time(const struct cmos *c, int64_t seconds, uint8_t *ram)
{
    struct calendar at = calendar_split(seconds);

    ram[REG_SECONDS] = encode(c, at.second);
    ram[REG_MINUTES] = encode(c, at.minute);
    ram[REG_HOURS] = encode_hour(c, at.hour);
    ram[REG_WEEKDAY] = encode(c, (at.weekday + c->weekday_shift) % 7 + 1);
    ram[REG_DAY] = encode(c, at.day);
    ram[REG_MONTH] = encode(c, at.month);
    ram[REG_YEAR] = encode(c, at.year % 100);
    ram[CMOS_CENTURY] = encode(c, at.year / 100);
}

static void stop_time(struct cmos *c)
{
    if (time_runs(c))
        put_time(c, current_second(c), c->ram);
}

/* The registers are what the guest left: any numbers. */
static void start_time(struct cmos *c)
{
    const uint8_t *ram = c->ram;
    struct calendar at = {
        .year = decode(c, ram[CMOS_CENTURY]) * 100 + decode(c, ram[REG_YEAR]),
        .month = decode(c, ram[REG_MONTH]),
        .day = decode(c, ram[REG_DAY]),
        .hour = decode_hour(c, ram[REG_HOURS]),
        .minute = decode(c, ram[REG_MINUTES]),
        .second = decode(c, ram[REG_SECONDS]),
    };
    int weekday = decode(c, ram[REG_WEEKDAY]) + 6;

    if (!time_runs(c))
        return;
    c->seconds = calendar_seconds(&at);
    c->updated = c->seconds;
    c->origin += since_origin(c) / NS_PER_S * NS_PER_S;
    at = calendar_split(c->seconds);
    c->weekday_shift = (uint8_t)((weekday - at.weekday + 7) % 7);
}

/* Data sheet, table 5: 0 for "none". */
static uint32_t chain_ticks_per_period(const struct cmos *c)
{
    unsigned rate = c->ram[REG_A] & A_RATE;

    if (rate == 0)
        return 0;
    return 1u << (rate < 3 ? rate + 6 : rate - 1);
}

static vtime next_pf(const struct cmos *c)
{
    uint32_t period = chain_ticks_per_period(c);

    if (!period || !chain_runs(c))
        return VTIME_NEVER;

    uint64_t tick = clock_scale(since_origin(c), CHAIN_HZ, NS_PER_S);
    uint64_t edge = (tick / period + 1) * period;
    vtime t = clock_scale(edge, NS_PER_S, CHAIN_HZ);

    if (clock_scale(t, CHAIN_HZ, NS_PER_S) < edge)
        t++;
    return c->origin + t;
}

static bool alarm_byte_matches(uint8_t alarm, uint8_t now)
{
    return (alarm & ALARM_ANY) == ALARM_ANY || alarm == now;
}

static bool alarm_matches(const struct cmos *c, int64_t second)
{
    uint8_t now[CMOS_SIZE];

    put_time(c, second, now);
    return alarm_byte_matches(c->ram[REG_SECONDS_ALARM], now[REG_SECONDS]) &&
           alarm_byte_matches(c->ram[REG_MINUTES_ALARM], now[REG_MINUTES]) &&
           alarm_byte_matches(c->ram[REG_HOURS_ALARM], now[REG_HOURS]);
}

/* One update cycle for each second that has begun; alarms repeat daily, so
 * more than a day of them adds nothing. */
static void run_updates(struct cmos *c)
{
    int64_t now = current_second(c);

    if (!time_runs(c) || now <= c->updated)
        return;
    if (now - c->updated > SECONDS_PER_DAY)
        c->updated = now - SECONDS_PER_DAY;
    c->ram[REG_C] |= C_UF;
    while (c->updated < now && !(c->ram[REG_C] & C_AF))
        if (alarm_matches(c, ++c->updated))
            c->ram[REG_C] |= C_AF;
    c->updated = now;
}

/* Sets the flags that time has set since the last look. */
static void catch_up(struct cmos *c)
{
    if (clock_now(c->clk) >= c->pf_due) {
        c->ram[REG_C] |= C_PF;
        c->pf_due = next_pf(c);
    }
    run_updates(c);
}

static bool is_requesting(const struct cmos *c)
{
    return c->ram[REG_C] & c->ram[REG_B] & (C_PF | C_AF | C_UF);
}

/* A flag that is set already asks for no timer. */
static void arm(struct cmos *c)
{
    bool wants_pf = (c->ram[REG_B] & B_PIE) && !(c->ram[REG_C] & C_PF);
    vtime second = since_origin(c) / NS_PER_S + 1;

    timer_set(c->clk, &c->periodic, wants_pf ? c->pf_due : VTIME_NEVER);
    timer_set(c->clk, &c->update,
              time_runs(c) ? c->origin + second * NS_PER_S : VTIME_NEVER);
    line_set(&c->irq, is_requesting(c));
}

static void timer_due(void *owner)
{
    struct cmos *c = owner;

    catch_up(c);
    arm(c);
}

static void write_a(struct cmos *c, uint8_t value)
{
    bool held = !chain_runs(c);

    stop_time(c);
    c->ram[REG_A] = value & (uint8_t)~A_UIP;
    if (held && chain_runs(c))
        c->origin = clock_now(c->clk) - FIRST_UPDATE_NS;
    start_time(c);
    c->pf_due = next_pf(c);
}

/* A new format takes the running time along.  The chip would misread its
 * bytes until they are set again, which no guest relies on.  SET clears UIE:
 * data sheet, register B. */
static void write_b(struct cmos *c, uint8_t value)
{
    bool stood_still = !time_runs(c);

    if (value & B_SET) {
        stop_time(c);
        value &= (uint8_t)~B_UIE;
    }
    c->ram[REG_B] = value;
    if (stood_still)
        start_time(c);
}

static void write_time(struct cmos *c, unsigned index, uint8_t value)
{
    stop_time(c);
    c->ram[index] = value;
    start_time(c);
}

static void write_byte(struct cmos *c, unsigned index, uint8_t value)
{
    if (index == REG_C || index == REG_D)
        return;
    catch_up(c);
    if (index == REG_A)
        write_a(c, value);
    else if (index == REG_B)
        write_b(c, value);
    else if (is_time(index))
        write_time(c, index, value);
    else
        c->ram[index] = value;
    arm(c);
}

static uint8_t read_a(const struct cmos *c)
{
    vtime in_second = since_origin(c) % NS_PER_S;

    if (time_runs(c) && in_second >= NS_PER_S - UIP_NS)
        return c->ram[REG_A] | A_UIP;
    return c->ram[REG_A];
}

static uint8_t read_c(struct cmos *c)
{
    uint8_t flags;

    catch_up(c);
    flags = c->ram[REG_C] | (is_requesting(c) ? C_IRQF : 0);
    c->ram[REG_C] = 0;
    arm(c);
    return flags;
}

static uint8_t read_byte(struct cmos *c, unsigned index)
{
    if (is_time(index))
        stop_time(c);
    if (index == REG_A)
        return read_a(c);
    if (index == REG_C)
        return read_c(c);
    return c->ram[index];
}

static uint64_t cmos_read(void *dev, uint64_t offset, unsigned size)
{
    struct cmos *c = dev;

    (void)size;
    return offset == 0 ? 0xff : read_byte(c, c->index);
}

static void cmos_write(void *dev, uint64_t offset, uint64_t value,
                       unsigned size)
{
    struct cmos *c = dev;

    (void)size;
    if (offset == 0) {
        c->index = value & (CMOS_SIZE - 1);
        c->nmi_masked = (value & NMI_MASK) != 0;
        return;
    }
    write_byte(c, c->index, (uint8_t)value);
}

void cmos_set(struct cmos *c, unsigned index, uint8_t value)
{
    assert(index > REG_D && index < CMOS_SIZE && index != CMOS_CENTURY);
    c->ram[index] = value;
}

uint8_t cmos_get(const struct cmos *c, unsigned index)
{
    assert(index < CMOS_SIZE);
    return c->ram[index];
}

bool cmos_nmi_masked(const struct cmos *c)
{
    return c->nmi_masked;
}

static void cmos_reset(void *dev)
{
    struct cmos *c = dev;

    c->ram[REG_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    c->ram[REG_C] = 0;
    c->index = 0;
    c->nmi_masked = false;
    arm(c);
}

static void cmos_after_load(void *dev)
{
    struct cmos *c = dev;

    c->index &= CMOS_SIZE - 1;
    c->weekday_shift %= 7;
    if (c->seconds > seconds_limit || c->seconds < -seconds_limit)
        c->seconds = 0;
    if (c->updated > current_second(c) || c->updated < -seconds_limit)
        c->updated = current_second(c);
    if (c->pf_due > next_pf(c))
        c->pf_due = next_pf(c);
    timer_set(c->clk, &c->update, c->update.when);
    timer_set(c->clk, &c->periodic, c->periodic.when);
    line_set(&c->irq, is_requesting(c));
}

static const struct field cmos_state[] = {
    FIELD_BUFFER(struct cmos, ram),
    FIELD(struct cmos, index),
    FIELD(struct cmos, nmi_masked),
    FIELD(struct cmos, seconds),
    FIELD(struct cmos, origin),
    FIELD(struct cmos, updated),
    FIELD(struct cmos, weekday_shift),
    FIELD(struct cmos, pf_due),
    FIELD_TIME(struct cmos, update),
    FIELD_TIME(struct cmos, periodic),
    FIELD_END,
};

static const struct device_class cmos_class = {
    .name = "cmos",
    .reset = cmos_reset,
    .after_load = cmos_after_load,
    .state = cmos_state,
};

static const struct region_ops cmos_ops = {
    .read = cmos_read,
    .write = cmos_write,
    .max_size = 1,
};

void cmos_init(struct cmos *c, struct space *io, uint16_t base,
               struct clock *clk, struct line irq, int64_t seconds)
{
    *c = (struct cmos){.dev = {&cmos_class, "cmos"},
                       .clk = clk,
                       .irq = irq,
                       .seconds = seconds,
                       .updated = seconds,
                       .origin = clock_now(clk)};
    c->ram[REG_A] = A_DEFAULT;
    c->ram[REG_B] = B_24H;
    c->ram[REG_D] = D_VRT;
    timer_init(&c->update, timer_due, c);
    timer_init(&c->periodic, timer_due, c);
    ports_map(io, (struct region){"cmos", base, 2, &cmos_ops, c});
    c->pf_due = next_pf(c);
    cmos_reset(c);
}
