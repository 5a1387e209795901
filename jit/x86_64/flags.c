/*
 * Guest flags on an x86 host.
 *
 * host_flags says which guest flags the host's EFLAGS hold now, env_flags
 * which cpu->aflags holds.  Flags are brought to cpu->aflags as late as
 * possible: before the host's are clobbered if somebody still wants them, and
 * before anything that observes all of them (a fault, a helper, an exit).
 * MOV, LEA, LAHF, SETcc and BMI2 shifts change no flags, so they may stand in
 * between.
 */

#include "jit/x86_64/emit.h"

#include "cpu/flags.h"

static const struct ir_ins *flags_def(const struct emit *e)
{
    return e->flags_def == IR_NONE ? NULL : &e->b->ins[e->flags_def];
}

/* aflags is what LAHF and SETO AL leave in AX. */
static void store_all(struct emit *e)
{
    as_byte(&e->as, 0x9f); /* LAHF */
    as_setcc(&e->as, CC_O, rm_reg(HRAX));
    as_mov_to(&e->as, 2, ENV(aflags), HRAX);
}

/* In aflags form, the bits of an EFLAGS mask. */
static uint32_t aflags_mask(uint32_t eflags)
{
    return (eflags & 0xff) << AFLAGS_SHIFT | (eflags & FLAG_OF ? AFLAGS_OF : 0);
}

/* Some flags from the host's, the others from aflags as it was. */
static void store_some(struct emit *e)
{
    int32_t mask = (int32_t)aflags_mask(e->host_flags);
    unsigned old = temp_new(e);

    as_byte(&e->as, 0x9f);
    as_setcc(&e->as, CC_O, rm_reg(HRAX));
    as_movzx(&e->as, 2, old, ENV(aflags));
    as_alu_imm(&e->as, ALU_AND, 4, rm_reg(HRAX), mask);
    as_alu_imm(&e->as, ALU_AND, 4, rm_reg(old), ~mask);
    as_alu(&e->as, ALU_OR, 4, HRAX, rm_reg(old));
    as_mov_to(&e->as, 2, ENV(aflags), HRAX);
    temp_free(e, old);
}

static void conds_settle(struct emit *e);

void flags_to_env(struct emit *e)
{
    const struct ir_ins *f = flags_def(e);
    uint32_t elsewhere = f ? f->pass & ~e->host_flags : 0;

    if (!e->host_flags || e->env_flags == FLAGS_ARITH)
        return;
    if (!elsewhere) {
        store_all(e);
    } else {
        conds_settle(e);
        store_some(e);
        e->host_flags = 0;
    }
    e->env_flags = FLAGS_ARITH;
}

static bool flags_wanted_after(const struct emit *e, unsigned at)
{
    const struct ir_ins *f = flags_def(e);

    return f && f->last > at;
}

/* Conditions that live in the host's flags become values. */
static void conds_settle(struct emit *e)
{
    for (unsigned k = 0; k < e->cond_count; k++) {
        ir_ref v = e->conds[k];

        if (e->loc[v].kind == LOC_COND && e->b->ins[v].last >= e->at)
            value_reg(e, v, 1);
    }
    e->cond_count = 0;
}

void flags_clobber(struct emit *e)
{
    conds_settle(e);
    if (flags_wanted_after(e, e->at))
        flags_to_env(e);
    e->host_flags = 0;
}

void flags_sync(struct emit *e)
{
    const struct ir_ins *f = flags_def(e);

    if (f && f->last >= e->at)
        flags_to_env(e);
}

void flags_restore(struct emit *e)
{
    if (e->host_flags == FLAGS_ARITH)
        return;
    flags_to_env(e);
    conds_settle(e);
    as_movzx(&e->as, 2, HRAX, ENV(aflags));
    as_alu_imm(&e->as, ALU_ADD, 1, rm_reg(HRAX), 127); /* AL = 1: OF */
    as_byte(&e->as, 0x9e); /* SAHF */
    e->host_flags = FLAGS_ARITH;
}

void flags_need_cf(struct emit *e)
{
    if (e->host_flags & FLAG_CF)
        return;
    flags_clobber(e);
    as_op(&e->as, 0x0fba, 2, 4, ENV(aflags)); /* BT aflags, 8 */
    as_byte(&e->as, AFLAGS_SHIFT);
}

const struct ir_ins *flags_next(const struct emit *e)
{
    const struct ir_ins *f = &e->b->ins[e->at + 1];

    if (e->at + 1 >= e->b->count || f->op != IR_FLAGS || f->dead || !f->fused ||
        f->recipe != RECIPE_NONE)
        return NULL;
    return f;
}

static uint32_t flags_written(const struct ir_ins *f)
{
    static const uint32_t written[FLAGKIND_COUNT] = {
#define X(kind, written, tested) [FLAGKIND_##kind] = written,
        FLAG_KINDS(X)
#undef X
    };

    return written[f->reg];
}

/* The host's flags now are those of f; the other ones are still there if the
 * instruction keeps_rest. */
void flags_made(struct emit *e, const struct ir_ins *f, bool keeps_rest)
{
    uint32_t written = flags_written(f);

    e->host_flags = written | (keeps_rest ? e->host_flags : 0);
    e->env_flags &= ~written;
    e->flags_def = (ir_ref)(f - e->b->ins);
}

void cond_add(struct emit *e, unsigned cc)
{
    if (e->cond_count == CONDS)
        conds_settle(e);
    e->loc[e->at] = (struct loc){LOC_COND, (uint8_t)cc};
    e->conds[e->cond_count++] = (uint16_t)e->at;
}

unsigned cond_of(struct emit *e, ir_ref v)
{
    unsigned r;

    if (e->loc[v].kind == LOC_COND)
        return e->loc[v].reg;
    r = value_reg(e, v, 1);
    flags_clobber(e);
    as_test(&e->as, 1, rm_reg(r), r);
    return CC_NE;
}

/* BT and BSF families change one flag and keep the rest. */
static void set_one(struct emit *e, unsigned r, unsigned eflags_bit)
{
    unsigned t = temp_new(e);
    size_t byte = offsetof(struct cpu, aflags) + 1;

    flags_to_env(e);
    flags_clobber(e);
    as_movzx(&e->as, 1, t, rm_reg(r));
    if (eflags_bit)
        as_shift_imm(&e->as, 4, 4, rm_reg(t), eflags_bit);
    as_alu_imm(&e->as, ALU_AND, 1, env(byte), (int32_t)~(1u << eflags_bit));
    as_op(&e->as, 0x08, 1, t, env(byte)); /* OR [byte], t */
    e->env_flags |= 1u << eflags_bit;
    e->flags_def = IR_NONE;
    temp_free(e, t);
}

static void flag_operand(struct emit *e, ir_ref v, unsigned n, unsigned k)
{
    unsigned r;

    if (v == IR_NONE)
        return;
    r = value_reg(e, v, n);
    if (n < 4) {
        unsigned t = temp_new(e);

        as_movzx(&e->as, n, t, rm_reg(r));
        r = t;
    } else if (n == 4) {
        unsigned t = temp_new(e);

        as_mov(&e->as, 4, t, rm_reg(r));
        r = t;
    }
    as_mov_to(&e->as, 8,
              env(offsetof(struct cpu, scratch) +
                  offsetof(struct jit_frame, flag) + 8 * k),
              r);
    temp_free(e, r);
}

/* Any kind, by C. */
static void flags_by_c(struct emit *e, const struct ir_ins *i)
{
    flags_to_env(e);
    flags_clobber(e);
    for (unsigned k = 0; k < 3; k++)
        flag_operand(e, i->arg[k], i->size, k);
    as_mov_imm_to(&e->as, 4, FRAME(flag_op),
                  (int32_t)((unsigned)i->reg | (unsigned)i->size << 8));
    call_thunk(e, e->out->thunks->flags);
    e->env_flags = FLAGS_ARITH;
    e->flags_def = IR_NONE;
}

/* SF, ZF and PF by low; CF by c, which is 0 or 1 and changes, and OF too if
 * both. */
static void flags_of_result(struct emit *e, unsigned n, unsigned low,
                            unsigned c, bool both)
{
    as_test(&e->as, n, rm_reg(low), low);
    as_byte(&e->as, 0x9f); /* LAHF */
    as_alu_imm(&e->as, ALU_AND, 4, rm_reg(HRAX), 0xff00);
    if (both)
        as_alu(&e->as, ALU_OR, 4, HRAX, rm_reg(c));
    as_shift_imm(&e->as, 4, 4, rm_reg(c), AFLAGS_SHIFT);
    as_alu(&e->as, ALU_OR, 4, HRAX, rm_reg(c));
    as_mov_to(&e->as, 2, ENV(aflags), HRAX);
    e->env_flags = FLAGS_ARITH;
    e->flags_def = IR_NONE;
}

static void flags_with_carry(struct emit *e, const struct ir_ins *i)
{
    unsigned low = value_reg(e, i->arg[0], i->size);
    unsigned carry = value_reg(e, i->arg[1], 1), c;

    flags_clobber(e);
    c = temp_new(e);
    as_movzx(&e->as, 1, c, rm_reg(carry));
    flags_of_result(e, i->size, low, c, false);
}

/* CF = OF = the product does not fit its low half; SF, ZF and PF by that half,
 * AF = 0: what TEST makes. */
static void flags_of_product(struct emit *e, const struct ir_ins *i)
{
    unsigned n = i->size, low = value_reg(e, i->arg[0], n);
    unsigned high = value_reg(e, i->arg[1], n), over;

    flags_clobber(e);
    over = temp_new(e);
    if (i->reg == FLAGKIND_imul) {
        as_mov(&e->as, 8, HRAX, rm_reg(low));
        as_shift_imm(&e->as, 7, n, rm_reg(HRAX), 8 * n - 1);
        as_alu(&e->as, ALU_CMP, n, HRAX, rm_reg(high));
    } else {
        as_test(&e->as, n, rm_reg(high), high);
    }
    as_setcc(&e->as, CC_NE, rm_reg(over));
    as_movzx(&e->as, 1, over, rm_reg(over));
    flags_of_result(e, n, low, over, true);
}

static void save_operand(struct emit *e, unsigned f)
{
    ir_ref v = recipe_saves(e->b, f);
    unsigned r;

    if (v == IR_NONE)
        return;
    r = value_reg(e, v, e->b->ins[f].size);
    as_mov_to(&e->as, 8, FRAME(saved), r);
    temp_free(e, r);
}

void flags_save_operand(struct emit *e)
{
    for (unsigned k = e->at + 1; k <= e->at + 2 && k < e->b->count; k++)
        if (e->b->ins[k].op == IR_FLAGS && e->b->ins[k].arg[0] == e->at)
            save_operand(e, k);
}

/* Nowhere: a fault makes them.  What i leaves alone must be in place. */
static void flags_by_recipe(struct emit *e, const struct ir_ins *i)
{
    if (i->pass)
        flags_to_env(e);
    if (e->b->ins[i->arg[0]].dead)
        save_operand(e, (unsigned)e->at);
    e->env_flags &= ~flags_written(i);
    e->host_flags = 0;
    e->flags_def = (ir_ref)e->at;
}

unsigned flags_recipe(const struct emit *e)
{
    const struct ir_ins *f = flags_def(e);

    return f ? f->recipe : RECIPE_NONE;
}

void emit_flags(struct emit *e, const struct ir_ins *i)
{
    unsigned r;

    if (i->recipe != RECIPE_NONE) {
        flags_by_recipe(e, i);
        return;
    }
    if (i->fused)
        return;
    switch (i->reg) {
    case FLAGKIND_bt:
        set_one(e, value_reg(e, i->arg[0], 1), 0);
        break;
    case FLAGKIND_bsf:
        r = value_reg(e, i->arg[1], i->size);
        flags_to_env(e);
        flags_clobber(e);
        as_test(&e->as, i->size, rm_reg(r), r);
        r = temp_new(e);
        as_setcc(&e->as, CC_E, rm_reg(r));
        set_one(e, r, 6);
        break;
    case FLAGKIND_mul:
    case FLAGKIND_imul: flags_of_product(e, i); break;
    case FLAGKIND_logic_carry: flags_with_carry(e, i); break;
    default: flags_by_c(e, i); break;
    }
}

/* Condition cc of guest flags that are in cpu->aflags. */
static unsigned cond_from_env(struct emit *e, unsigned cc)
{
    uint32_t tests = flags_cond_tests(cc);

    if ((tests & FLAG_OF) && tests != FLAG_OF) {
        flags_restore(e);
        return cc;
    }
    flags_to_env(e); /* some may still be in the host's only */
    flags_clobber(e);
    if (tests == FLAG_OF)
        as_test_imm(&e->as, 1, ENV(aflags), AFLAGS_OF);
    else
        as_test_imm(&e->as, 1, env(offsetof(struct cpu, aflags) + 1), tests);
    return cc & 1 ? CC_E : CC_NE;
}

void emit_cond(struct emit *e, const struct ir_ins *i)
{
    unsigned cc = i->reg;

    if (flags_cond_tests(cc) & ~e->host_flags)
        cc = cond_from_env(e, cc);
    cond_add(e, cc);
}

void emit_flag(struct emit *e, const struct ir_ins *i)
{
    static const struct {
        uint32_t flag;
        uint8_t cc;
    } conds[] = {{FLAG_CF, CC_B}, {FLAG_ZF, CC_E}, {FLAG_SF, CC_S},
                 {FLAG_PF, CC_P}, {FLAG_OF, CC_O}};
    uint32_t flag = (uint32_t)i->imm;

    for (unsigned k = 0; k < array_len(conds); k++) {
        if (flag != conds[k].flag)
            continue;
        cond_add(e, flag & ~e->host_flags ? cond_from_env(e, conds[k].cc)
                                          : conds[k].cc);
        return;
    }
    if (flag & FLAGS_ARITH)
        flags_to_env(e);
    flags_clobber(e);
    if (flag & FLAGS_ARITH)
        as_test_imm(&e->as, 1, env(offsetof(struct cpu, aflags) + 1), flag);
    else
        as_test_imm(&e->as, 4, ENV(eflags), flag);
    cond_add(e, CC_NE);
}

static void set_eflags_bit(struct emit *e, const struct ir_ins *i,
                           struct rm where, uint32_t bit)
{
    int32_t c;
    unsigned r, t;

    if (value_imm(e, i->arg[0], 4, &c)) {
        flags_clobber(e);
        as_alu_imm(&e->as, c ? ALU_OR : ALU_AND, 4, where,
                   (int32_t)(c ? bit : ~bit));
        return;
    }
    r = value_reg(e, i->arg[0], 4);
    t = temp_new(e);
    flags_clobber(e);
    as_mov(&e->as, 4, t, rm_reg(r));
    as_shift_imm(&e->as, 4, 4, rm_reg(t), (unsigned)__builtin_ctz(bit));
    as_alu_imm(&e->as, ALU_AND, 4, where, (int32_t)~bit);
    as_op(&e->as, 0x09, 4, t, where);
}

void emit_set_flag(struct emit *e, const struct ir_ins *i)
{
    uint32_t flag = (uint32_t)i->imm;

    if (!(flag & FLAGS_ARITH)) {
        set_eflags_bit(e, i, ENV(eflags), flag);
        return;
    }
    flags_to_env(e);
    e->flags_def = IR_NONE;
    /* aflags has 16 bits, with padding after it. */
    set_eflags_bit(e, i, ENV(aflags), aflags_mask(flag));
    e->env_flags |= flag;
}

void emit_get_aflags(struct emit *e, const struct ir_ins *i)
{
    unsigned r;

    (void)i;
    flags_to_env(e);
    r = temp_new(e);
    as_movzx(&e->as, 1, r, env(offsetof(struct cpu, aflags) + 1));
    value_set_temp(e, e->at, r);
    e->clean[e->at] = true;
}

/* The bits that SAHF has; bit 1 is always set. */
void emit_set_aflags(struct emit *e, const struct ir_ins *i)
{
    unsigned r = value_reg(e, i->arg[0], 1), t = temp_new(e);

    flags_to_env(e);
    flags_clobber(e);
    as_movzx(&e->as, 1, t, rm_reg(r));
    as_alu_imm(&e->as, ALU_AND, 4, rm_reg(t), 0xd5);
    as_alu_imm(&e->as, ALU_OR, 4, rm_reg(t), 2);
    as_mov_to(&e->as, 1, env(offsetof(struct cpu, aflags) + 1), t);
    e->env_flags = FLAGS_ARITH;
    e->flags_def = IR_NONE;
}
