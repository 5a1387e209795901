/*
 * Where values are: guest registers, temporaries, spill slots.
 */

#include "jit/x86_64/emit.h"

static const uint8_t host_regs[GPR_COUNT] = {
    [RAX] = HR14, [RCX] = HRCX, [RDX] = HRDX, [RBX] = HRBX,
    [RSP] = HR12, [RBP] = HR13, [RSI] = HRSI, [RDI] = HRDI,
    [R8] = HR8, [R9] = HNONE, [R10] = HNONE, [R11] = HNONE,
    [R12] = HNONE, [R13] = HNONE, [R14] = HNONE, [R15] = HNONE,
};

struct rm env(size_t offset)
{
    return rm_mem(HENV, (int32_t)offset);
}

struct rm guest_home(unsigned reg)
{
    return env(offsetof(struct cpu, gpr) + 8 * reg);
}

unsigned host_of(unsigned guest)
{
    return host_regs[guest];
}

static struct rm spill_slot(unsigned slot)
{
    return env(offsetof(struct cpu, scratch) +
               offsetof(struct jit_frame, spill) + 8 * slot);
}

static unsigned last_use(const struct emit *e, unsigned v)
{
    return v == VALUE_RMW ? IR_MAX : e->b->ins[v].last;
}

/* Frees the register whose value is wanted last.  MOV keeps the flags. */
static unsigned spill_one(struct emit *e)
{
    unsigned victim = HNONE, slot = 0;

    for (unsigned r = 0; r < 16; r++) {
        if (!((e->temps & ~e->pinned) >> r & 1) || e->owner[r] >= VALUE_USED)
            continue;
        if (victim == HNONE ||
            last_use(e, e->owner[r]) > last_use(e, e->owner[victim]))
            victim = r;
    }
    while (slot < SPILLS && e->spill_owner[slot] != VALUE_FREE)
        slot++;
    if (victim == HNONE || slot == SPILLS) {
        e->failed = true;
        return HR10;
    }
    as_mov_to(&e->as, 8, spill_slot(slot), victim);
    e->spill_owner[slot] = e->owner[victim];
    e->loc[e->owner[victim]] = (struct loc){LOC_SPILL, (uint8_t)slot};
    return victim;
}

unsigned temp_new(struct emit *e)
{
    for (unsigned r = 0; r < 16; r++) {
        if ((e->temps >> r & 1) && e->owner[r] == VALUE_FREE) {
            e->owner[r] = VALUE_USED;
            return r;
        }
    }

    unsigned r = spill_one(e);

    e->owner[r] = VALUE_USED;
    return r;
}

void temp_free(struct emit *e, unsigned r)
{
    if (e->owner[r] == VALUE_USED)
        e->owner[r] = VALUE_FREE;
}

void op_end(struct emit *e)
{
    e->pinned = 0;
    for (unsigned r = 0; r < 16; r++) {
        uint16_t v = e->owner[r];

        if (!(e->temps >> r & 1) || v == VALUE_FREE)
            continue;
        if (v == VALUE_USED || last_use(e, v) <= e->at)
            e->owner[r] = VALUE_FREE;
    }
    for (unsigned s = 0; s < FRAME_SPILLS; s++) {
        uint16_t v = e->spill_owner[s];

        if (v != VALUE_FREE && last_use(e, v) <= e->at)
            e->spill_owner[s] = VALUE_FREE;
    }
}

void value_set_temp(struct emit *e, unsigned v, unsigned host)
{
    e->owner[host] = (uint16_t)v;
    e->loc[v] = (struct loc){LOC_TEMP, (uint8_t)host};
}

static unsigned value_size(const struct emit *e, ir_ref v)
{
    if (v == VALUE_RMW || e->b->ins[v].op == IR_CONST)
        return 8;
    return e->b->ins[v].size;
}

/* Brings a spilled value or a condition into a register. */
static unsigned value_load(struct emit *e, ir_ref v)
{
    struct loc l = e->loc[v];
    unsigned r = temp_new(e);

    if (l.kind == LOC_SPILL) {
        as_mov(&e->as, 8, r, spill_slot(l.reg));
        e->spill_owner[l.reg] = VALUE_FREE;
    } else {
        as_setcc(&e->as, l.reg, rm_reg(r));
    }
    value_set_temp(e, v, r);
    return r;
}

static unsigned pin(struct emit *e, unsigned r)
{
    e->pinned |= 1u << r;
    return r;
}

unsigned value_reg(struct emit *e, ir_ref v, unsigned n)
{
    unsigned size = value_size(e, v), r;
    struct loc l = e->loc[v];

    switch ((enum loc_kind)l.kind) {
    case LOC_CONST:
        r = temp_new(e);
        as_mov_imm(&e->as, r, (uint64_t)e->b->ins[v].imm);
        return r;
    case LOC_GUEST:
        r = host_of(l.reg);
        if (r != HNONE &&
            (n <= size || (size == 4 && !(e->b->mode & MODE_CODE64))))
            return r;
        {
            struct rm src = r == HNONE ? guest_home(l.reg) : rm_reg(r);

            r = temp_new(e);
            if (size == 8)
                as_mov(&e->as, 8, r, src);
            else
                as_movzx(&e->as, size, r, src);
        }
        return r;
    case LOC_TEMP: r = l.reg; break;
    default: r = value_load(e, v); break;
    }
    if (n > size && size < 4 && !e->clean[v]) {
        as_movzx(&e->as, size, r, rm_reg(r));
        e->clean[v] = true;
    }
    return pin(e, r);
}

struct rm value_rm(struct emit *e, ir_ref v, unsigned n)
{
    struct loc l = e->loc[v];

    if (n <= value_size(e, v)) {
        if (l.kind == LOC_GUEST && host_of(l.reg) == HNONE)
            return guest_home(l.reg);
        if (l.kind == LOC_SPILL)
            return spill_slot(l.reg);
    }
    return rm_reg(value_reg(e, v, n));
}

bool value_imm(const struct emit *e, ir_ref v, unsigned n, int32_t *imm)
{
    int64_t c = e->b->ins[v].imm;

    if (v == IR_NONE || e->loc[v].kind != LOC_CONST)
        return false;
    *imm = (int32_t)c;
    if (n == 8)
        return c == (int32_t)c;
    if (n == 1)
        *imm = (int8_t)c;
    else if (n == 2)
        *imm = (int16_t)c;
    return true;
}

bool value_is_guest(const struct emit *e, ir_ref v, unsigned guest)
{
    return e->loc[v].kind == LOC_GUEST && e->loc[v].reg == guest;
}

void value_is_in(struct emit *e, unsigned host)
{
    const struct ir_ins *i = &e->b->ins[e->at];

    if (i->hint != IR_NO_HINT && host == host_of(i->hint)) {
        e->loc[e->at] = (struct loc){LOC_GUEST, i->hint};
        alias_add(e, i->hint, (ir_ref)e->at);
    } else {
        value_set_temp(e, e->at, host);
    }
}

unsigned value_dst(struct emit *e, ir_ref from, ir_ref avoid)
{
    const struct ir_ins *i = &e->b->ins[e->at];

    if (i->hint != IR_NO_HINT && host_of(i->hint) != HNONE &&
        (avoid == IR_NONE || !value_is_guest(e, avoid, i->hint)))
        return host_of(i->hint);
    if (from != IR_NONE && e->loc[from].kind == LOC_TEMP &&
        e->b->ins[from].last <= e->at && from != avoid)
        return pin(e, e->loc[from].reg);
    return temp_new(e);
}

void alias_add(struct emit *e, unsigned guest, ir_ref v)
{
    if (e->alias_count[guest] == ALIASES) {
        e->failed = true;
        return;
    }
    e->alias[guest][e->alias_count[guest]++] = v;
}

void guest_overwrite(struct emit *e, unsigned guest)
{
    for (unsigned k = 0; k < e->alias_count[guest]; k++) {
        ir_ref v = e->alias[guest][k];
        unsigned size = value_size(e, v), r;

        if (!value_is_guest(e, v, guest) || e->b->ins[v].last <= e->at)
            continue;
        r = temp_new(e);
        if (size == 8 || host_of(guest) != HNONE)
            as_mov(&e->as, size == 4 ? 4 : 8, r,
                   host_of(guest) == HNONE ? guest_home(guest)
                                           : rm_reg(host_of(guest)));
        else
            as_movzx(&e->as, size, r, guest_home(guest));
        value_set_temp(e, v, r);
    }
    e->alias_count[guest] = 0;
}
