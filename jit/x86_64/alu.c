/*
 * Integer operations.  Each makes its value in the register that flags_next
 * and the hint of the IR suggest, so that ADD EAX, EBX of the guest becomes
 * one instruction of the host.
 */

#include "jit/x86_64/emit.h"

#include "base/bits.h"
#include "cpu/flags.h"

void emit_const(struct emit *e, const struct ir_ins *i)
{
    (void)i;
    e->loc[e->at] = (struct loc){LOC_CONST, 0};
}

void emit_get(struct emit *e, const struct ir_ins *i)
{
    if (e->alias_count[i->reg] < ALIASES) {
        e->loc[e->at] = (struct loc){LOC_GUEST, i->reg};
        alias_add(e, i->reg, (ir_ref)e->at);
        return;
    }

    unsigned r = temp_new(e), host = host_of(i->reg);

    as_mov(&e->as, 8, r, host == HNONE ? guest_home(i->reg) : rm_reg(host));
    if (i->size < 8)
        as_movzx(&e->as, i->size, r, rm_reg(r));
    value_set_temp(e, e->at, r);
}

/* Through memory: temporaries cannot be combined with AH in one instruction. */
void emit_geth(struct emit *e, const struct ir_ins *i)
{
    unsigned r = temp_new(e);
    size_t home = offsetof(struct cpu, gpr) + 8 * i->reg;

    as_mov_to(&e->as, 8, env(home), host_of(i->reg));
    as_movzx(&e->as, 1, r, env(home + 1));
    value_set_temp(e, e->at, r);
    e->clean[e->at] = true;
}

void emit_puth(struct emit *e, const struct ir_ins *i)
{
    unsigned host = host_of(i->reg), r = value_reg(e, i->arg[0], 1);
    size_t home = offsetof(struct cpu, gpr) + 8 * i->reg;

    guest_overwrite(e, i->reg);
    if (r < 4 && host < 4) {
        as_byte(&e->as, 0x88); /* MOV host:8..15, r */
        as_byte(&e->as, 0xc0 | r << 3 | (host + 4));
        return;
    }
    as_mov_to(&e->as, 8, env(home), host);
    as_mov_to(&e->as, 1, env(home + 1), r);
    as_mov(&e->as, 8, host, env(home));
}

static void put_home(struct emit *e, const struct ir_ins *i)
{
    unsigned n = i->size, r;
    struct rm home = guest_home(i->reg);
    int32_t imm;

    if (value_imm(e, i->arg[0], 8, &imm) && (n != 4 || imm >= 0)) {
        as_mov_imm_to(&e->as, n == 4 ? 8 : n, home, imm);
        return;
    }
    if (n == 4 && e->b->ins[i->arg[0]].size == 8) {
        unsigned t = temp_new(e);

        as_mov(&e->as, 4, t, value_rm(e, i->arg[0], 4));
        as_mov_to(&e->as, 8, home, t);
        return;
    }
    r = value_reg(e, i->arg[0], n == 4 ? 8 : n);
    as_mov_to(&e->as, n == 4 ? 8 : n, home, r);
}

void emit_put(struct emit *e, const struct ir_ins *i)
{
    ir_ref v = i->arg[0];
    unsigned host = host_of(i->reg), n = i->size, from = e->b->ins[v].size;
    struct rm src;

    if (value_is_guest(e, v, i->reg) && e->b->ins[v].hint == i->reg) {
        /* Made here; the old value has no readers left. */
        e->alias_count[i->reg] = 0;
        alias_add(e, i->reg, v);
        return;
    }
    if (e->loc[v].kind == LOC_COND)
        value_reg(e, v, 1);
    guest_overwrite(e, i->reg);
    if (host == HNONE) {
        put_home(e, i);
        return;
    }
    if (e->loc[v].kind == LOC_CONST) {
        uint64_t c = (uint64_t)e->b->ins[v].imm;

        if (n >= 4)
            as_mov_imm(&e->as, host, n == 4 ? (uint32_t)c : c);
        else if (n == 2)
            as_mov_imm_to(&e->as, 2, rm_reg(host), (int16_t)c);
        else
            as_mov_imm_to(&e->as, 1, rm_reg(host), (int8_t)c);
        return;
    }
    if (n > from && n >= 4) {
        src = value_rm(e, v, from);
        as_movzx(&e->as, from, host, src);
        return;
    }
    src = n > from ? rm_reg(value_reg(e, v, n)) : value_rm(e, v, n);
    as_mov(&e->as, n, host, src);
}

/* MOV for a copy of at least n bytes: whole registers are cheaper. */
static void copy(struct emit *e, unsigned n, unsigned dst, struct rm src,
                 bool into_guest)
{
    if (!src.mem && src.reg == dst)
        return;
    if (into_guest)
        as_mov(&e->as, n, dst, src);
    else if (src.mem && n < 4)
        as_movzx(&e->as, n, dst, src);
    else
        as_mov(&e->as, n == 8 ? 8 : 4, dst, src);
}

static bool dst_is_guest(const struct emit *e, unsigned dst)
{
    const struct ir_ins *i = &e->b->ins[e->at];

    return i->hint != IR_NO_HINT && host_of(i->hint) == dst;
}

static void load_const(struct emit *e, unsigned n, unsigned dst, uint64_t c)
{
    if (dst_is_guest(e, dst) && n < 4)
        as_mov_imm_to(&e->as, n, rm_reg(dst), (int32_t)c);
    else
        as_mov_imm(&e->as, dst, n == 4 ? (uint32_t)c : c);
}

/* dst = a, at size n. */
static void move_value(struct emit *e, unsigned n, unsigned dst, ir_ref a)
{
    if (e->loc[a].kind == LOC_CONST)
        load_const(e, n, dst, (uint64_t)e->b->ins[a].imm);
    else
        copy(e, n, dst, value_rm(e, a, n), dst_is_guest(e, dst));
}

static void alu_src(struct emit *e, enum alu op, unsigned n, unsigned dst,
                    ir_ref b)
{
    int32_t imm;

    if (value_imm(e, b, n, &imm))
        as_alu_imm(&e->as, op, n, rm_reg(dst), imm);
    else
        as_alu(&e->as, op, n, dst, value_rm(e, b, n));
}

/* CMP and TEST: only the flags are wanted. */
static void compare_only(struct emit *e, const struct ir_ins *i)
{
    ir_ref a = i->arg[0], b = i->arg[1];
    int32_t imm;
    struct rm ra;

    if (i->op == IR_AND && e->loc[a].kind == LOC_CONST)
        a = i->arg[1], b = i->arg[0];
    ra = value_rm(e, a, i->size);
    if (value_imm(e, b, i->size, &imm)) {
        if (i->op == IR_SUB)
            as_alu_imm(&e->as, ALU_CMP, i->size, ra, imm);
        else
            as_test_imm(&e->as, i->size, ra, (uint32_t)imm);
        return;
    }
    if (i->op == IR_SUB && !ra.mem) {
        as_alu(&e->as, ALU_CMP, i->size, ra.reg, value_rm(e, b, i->size));
        return;
    }

    unsigned rb = value_reg(e, b, i->size);

    if (i->op == IR_SUB)
        as_op(&e->as, i->size == 1 ? 0x38 : 0x39, i->size, rb, ra);
    else
        as_test(&e->as, i->size, ra, rb);
}

/* a + b without touching flags. */
static void add_by_lea(struct emit *e, const struct ir_ins *i)
{
    ir_ref a = i->arg[0], b = i->arg[1];
    unsigned n = i->size, ra, dst;
    int32_t imm;
    struct rm sum;

    if (e->loc[a].kind == LOC_CONST)
        a = i->arg[1], b = i->arg[0];
    ra = value_reg(e, a, n);
    if (value_imm(e, b, n, &imm))
        sum = rm_mem(ra, imm);
    else
        sum = rm_index(ra, value_reg(e, b, n), 0, 0);
    dst = value_dst(e, a, IR_NONE);
    as_lea(&e->as, n, dst, sum);
    value_is_in(e, dst);
}

static enum alu alu_of(enum ir_op op)
{
    switch (op) {
    case IR_ADD: return ALU_ADD;
    case IR_SUB: return ALU_SUB;
    case IR_AND: return ALU_AND;
    case IR_OR: return ALU_OR;
    case IR_ADC: return ALU_ADC;
    case IR_SBB: return ALU_SBB;
    default: return ALU_XOR;
    }
}

/* INC and DEC keep CF: it must be in the host's flags if it is wanted. */
static bool step(struct emit *e, const struct ir_ins *i,
                 const struct ir_ins *f, unsigned dst)
{
    if (!f || (f->reg != FLAGKIND_inc && f->reg != FLAGKIND_dec))
        return false;
    as_op(&e->as, i->size == 1 ? 0xfe : 0xff, i->size, i->op == IR_SUB,
          rm_reg(dst));
    return true;
}

static void flags_before(struct emit *e, const struct ir_ins *f)
{
    bool step_cf = f && (f->reg == FLAGKIND_inc || f->reg == FLAGKIND_dec) &&
                   (f->pass & FLAG_CF);

    if (!step_cf) {
        flags_clobber(e);
        return;
    }
    flags_need_cf(e);
    e->host_flags = FLAG_CF;
}

/* ADD EAX, EAX: the sum may replace both. */
static bool both_are(const struct emit *e, ir_ref a, ir_ref b, unsigned guest)
{
    return guest != IR_NO_HINT && value_is_guest(e, a, guest) &&
           value_is_guest(e, b, guest);
}

void emit_binary(struct emit *e, const struct ir_ins *i)
{
    const struct ir_ins *f = flags_next(e);
    ir_ref a = i->arg[0], b = i->arg[1];
    unsigned n = i->size, dst;
    bool commutes = i->op != IR_SUB, cf;

    if (i->op == IR_ADD && !f && n >= 4) {
        int32_t imm;

        if (e->loc[b].kind != LOC_CONST || value_imm(e, b, n, &imm)) {
            add_by_lea(e, i);
            return;
        }
    }
    flags_before(e, f);
    cf = e->host_flags & FLAG_CF;
    if (f && i->uses == 1 && (i->op == IR_SUB || i->op == IR_AND) &&
        f->reg != FLAGKIND_dec) {
        compare_only(e, i);
        flags_made(e, f, false);
        return;
    }
    if (commutes && e->loc[a].kind == LOC_CONST)
        a = i->arg[1], b = i->arg[0];
    if (commutes && i->hint != IR_NO_HINT && value_is_guest(e, b, i->hint)) {
        ir_ref t = a;

        a = b, b = t;
    }
    dst = value_dst(e, a, both_are(e, a, b, i->hint) ? IR_NONE : b);
    move_value(e, n, dst, a);
    if (!step(e, i, f, dst))
        alu_src(e, alu_of((enum ir_op)i->op), n, dst, b);
    value_is_in(e, dst);
    if (f)
        flags_made(e, f, cf);
}

void emit_carry(struct emit *e, const struct ir_ins *i)
{
    const struct ir_ins *f = flags_next(e);
    ir_ref a = i->arg[0], b = i->arg[1];
    const struct ir_ins *def =
        e->flags_def == IR_NONE ? NULL : &e->b->ins[e->flags_def];
    unsigned dst;

    /* What follows overwrites all flags: save them if others want them. */
    if (def && def->last > e->at)
        flags_to_env(e);
    flags_need_cf(e);
    dst = value_dst(e, a, b);
    move_value(e, i->size, dst, a);
    alu_src(e, alu_of((enum ir_op)i->op), i->size, dst, b);
    value_is_in(e, dst);
    e->host_flags = 0;
    if (f)
        flags_made(e, f, false);
}

void emit_not(struct emit *e, const struct ir_ins *i)
{
    unsigned dst = value_dst(e, i->arg[0], IR_NONE);

    move_value(e, i->size, dst, i->arg[0]);
    as_op(&e->as, i->size == 1 ? 0xf6 : 0xf7, i->size, 2, rm_reg(dst));
    value_is_in(e, dst);
}

/* --- shifts --- */

static unsigned shift_digit(enum ir_op op)
{
    switch (op) {
    case IR_ROL: return 0;
    case IR_ROR: return 1;
    case IR_SHL: return 4;
    case IR_SHR: return 5;
    default: return 7;
    }
}

/* A count past the width of a byte or word shifts everything out, as the
 * host does for counts up to 31; rotates are taken modulo the width. */
static void shift_const(struct emit *e, const struct ir_ins *i, unsigned count,
                        const struct ir_ins *f)
{
    unsigned dst;

    flags_clobber(e);
    dst = value_dst(e, i->arg[0], IR_NONE);
    move_value(e, i->size, dst, i->arg[0]);
    as_shift_imm(&e->as, shift_digit((enum ir_op)i->op), i->size, rm_reg(dst),
                 count);
    value_is_in(e, dst);
    if (f)
        flags_made(e, f, false);
}

/* A count of 0 changes no flags; 4 bytes are extended all the same. */
static void shift_none(struct emit *e, const struct ir_ins *i)
{
    unsigned dst = value_dst(e, i->arg[0], IR_NONE);

    move_value(e, i->size, dst, i->arg[0]);
    if (i->size == 4)
        as_mov(&e->as, 4, dst, rm_reg(dst));
    value_is_in(e, dst);
}

/* By CL, which is the guest's: the count changes places with it.  dst must be
 * another register. */
static void shift_by_cl(struct emit *e, const struct ir_ins *i)
{
    unsigned n = i->size, count = value_reg(e, i->arg[1], 1);
    unsigned dst = temp_new(e), saved = HNONE;

    move_value(e, n, dst, i->arg[0]);
    if (count != HRCX) {
        saved = temp_new(e);
        as_mov(&e->as, 8, saved, rm_reg(HRCX));
        as_mov(&e->as, 4, HRCX, rm_reg(count));
    }
    as_shift_cl(&e->as, shift_digit((enum ir_op)i->op), n, rm_reg(dst));
    if (saved != HNONE)
        as_mov(&e->as, 8, HRCX, rm_reg(saved));
    value_set_temp(e, e->at, dst);
}

/* SHLX and its kin change no flags. */
static bool shift_bmi(struct emit *e, const struct ir_ins *i)
{
    unsigned pp = i->op == IR_SHL ? 1 : i->op == IR_SHR ? 3 : 2;
    unsigned count, dst;
    struct rm src;

    if (i->size < 4 || i->op == IR_ROL || i->op == IR_ROR ||
        !__builtin_cpu_supports("bmi2"))
        return false;
    count = value_reg(e, i->arg[1], 1);
    src = e->loc[i->arg[0]].kind == LOC_CONST
              ? rm_reg(value_reg(e, i->arg[0], i->size))
              : value_rm(e, i->arg[0], i->size);
    dst = value_dst(e, IR_NONE, IR_NONE);
    as_vex(&e->as, 2, pp, i->size == 8, 0xf7, dst, count, src);
    value_is_in(e, dst);
    return true;
}

void emit_shift(struct emit *e, const struct ir_ins *i)
{
    const struct ir_ins *f = flags_next(e);
    const struct ir_ins *c = &e->b->ins[i->arg[1]];

    if (c->op == IR_CONST) {
        if (c->imm)
            shift_const(e, i, (unsigned)c->imm, f);
        else
            shift_none(e, i);
        return;
    }
    if (!f && shift_bmi(e, i))
        return;
    if (f) {
        /* A count of 0 leaves them all. */
        flags_restore(e);
        if (e->flags_def != IR_NONE && e->b->ins[e->flags_def].last > e->at + 1)
            flags_to_env(e);
    } else {
        flags_clobber(e);
    }
    shift_by_cl(e, i);
    if (f)
        flags_made(e, f, true);
}

void emit_shift_double(struct emit *e, const struct ir_ins *i)
{
    unsigned n = i->size, b, count, dst, saved = HNONE;
    unsigned op = i->op == IR_SHLD ? 0x0fa4 : 0x0fac;
    const struct ir_ins *c = &e->b->ins[i->arg[2]];

    flags_clobber(e);
    b = value_reg(e, i->arg[1], n);
    if (c->op == IR_CONST) {
        dst = value_dst(e, i->arg[0], i->arg[1]);
        move_value(e, n, dst, i->arg[0]);
        as_op(&e->as, op, n, b, rm_reg(dst));
        as_byte(&e->as, (unsigned)c->imm & 0xff);
        value_is_in(e, dst);
        return;
    }
    count = value_reg(e, i->arg[2], 1);
    dst = temp_new(e);
    move_value(e, n, dst, i->arg[0]);
    if (count != HRCX) {
        saved = temp_new(e);
        as_mov(&e->as, 8, saved, rm_reg(HRCX));
        if (b == HRCX)
            b = saved;
        as_mov(&e->as, 4, HRCX, rm_reg(count));
    }
    as_op(&e->as, op + 1, n, b, rm_reg(dst));
    if (saved != HNONE)
        as_mov(&e->as, 8, HRCX, rm_reg(saved));
    value_set_temp(e, e->at, dst);
}

/* --- products --- */

void emit_mul(struct emit *e, const struct ir_ins *i)
{
    ir_ref a = i->arg[0], b = i->arg[1];
    unsigned n = i->size < 4 ? 4 : i->size, dst;
    int32_t imm;

    flags_clobber(e);
    if (e->loc[a].kind == LOC_CONST)
        a = i->arg[1], b = i->arg[0];
    if (i->size >= 4 && value_imm(e, b, n, &imm)) {
        struct rm src = value_rm(e, a, n);

        dst = value_dst(e, IR_NONE, IR_NONE);
        as_op(&e->as, 0x69, n, dst, src); /* IMUL dst, src, imm32 */
        as_u32(&e->as, (uint32_t)imm);
        value_is_in(e, dst);
        return;
    }
    if (e->loc[b].kind == LOC_CONST || i->size < 4) {
        unsigned rb = value_reg(e, b, i->size);

        dst = temp_new(e);
        as_mov(&e->as, n, dst, rm_reg(value_reg(e, a, i->size)));
        as_op(&e->as, 0x0faf, n, dst, rm_reg(rb));
        value_set_temp(e, e->at, dst);
        return;
    }
    dst = value_dst(e, a, b);
    move_value(e, n, dst, a);
    as_op(&e->as, 0x0faf, n, dst, value_rm(e, b, n));
    value_is_in(e, dst);
}

/* Halves of up to 32 bits come from one product of 64. */
static void mul_high_narrow(struct emit *e, const struct ir_ins *i,
                            bool is_signed)
{
    unsigned n = i->size, ra = value_reg(e, i->arg[0], n);
    unsigned rb = value_reg(e, i->arg[1], n);
    unsigned t = temp_new(e), dst = temp_new(e);

    if (is_signed) {
        as_movsx(&e->as, n, 8, dst, rm_reg(ra));
        as_movsx(&e->as, n, 8, t, rm_reg(rb));
    } else {
        as_movzx(&e->as, n, dst, rm_reg(ra));
        as_movzx(&e->as, n, t, rm_reg(rb));
    }
    as_op(&e->as, 0x0faf, 8, dst, rm_reg(t));
    as_shift_imm(&e->as, 5, 8, rm_reg(dst), 8 * n);
    if (n == 4)
        as_mov(&e->as, 4, dst, rm_reg(dst));
    temp_free(e, t);
    value_set_temp(e, e->at, dst);
}

/* MUL and IMUL of 64 bits use RDX, which is the guest's. */
void emit_mul_high(struct emit *e, const struct ir_ins *i)
{
    bool is_signed = i->op == IR_MULHS;
    unsigned rb, dst;

    flags_clobber(e);
    if (i->size < 8) {
        mul_high_narrow(e, i, is_signed);
        return;
    }
    /* Through the frame: it may be RDX. */
    rb = value_reg(e, i->arg[1], 8);
    as_mov_to(&e->as, 8, FRAME(value), rb);
    dst = temp_new(e);
    as_mov(&e->as, 8, HRAX, value_rm(e, i->arg[0], 8));
    as_mov(&e->as, 8, dst, rm_reg(HRDX));
    as_op(&e->as, 0xf7, 8, is_signed ? 5 : 4, FRAME(value));
    as_op(&e->as, 0x87, 8, dst, rm_reg(HRDX)); /* XCHG */
    value_set_temp(e, e->at, dst);
}

/* --- extensions and bit counts --- */

void emit_zext(struct emit *e, const struct ir_ins *i)
{
    struct rm src = value_rm(e, i->arg[0], i->size);
    unsigned dst = temp_new(e);

    if (i->size == 8)
        as_mov(&e->as, 8, dst, src);
    else
        as_movzx(&e->as, i->size, dst, src);
    value_set_temp(e, e->at, dst);
    e->clean[e->at] = true;
}

void emit_sext(struct emit *e, const struct ir_ins *i)
{
    unsigned from = i->reg, to = i->size, dst;
    struct rm src;

    if (e->b->ins[i->arg[0]].size < from)
        src = rm_reg(value_reg(e, i->arg[0], from));
    else
        src = value_rm(e, i->arg[0], from);
    dst = to < 4 ? temp_new(e) : value_dst(e, IR_NONE, IR_NONE);
    as_movsx(&e->as, from, to, dst, src);
    if (to < 4)
        value_set_temp(e, e->at, dst);
    else
        value_is_in(e, dst);
}

void emit_bswap(struct emit *e, const struct ir_ins *i)
{
    unsigned dst = value_dst(e, i->arg[0], IR_NONE);

    move_value(e, i->size, dst, i->arg[0]);
    as_byte(&e->as, 0x40 | (i->size == 8 ? 8u : 0) | dst >> 3);
    as_byte(&e->as, 0x0f);
    as_byte(&e->as, 0xc8 | (dst & 7));
    value_is_in(e, dst);
}

/* Index of the lowest set bit, or leading zeros; 8n for 0. */
void emit_scan(struct emit *e, const struct ir_ins *i)
{
    bool low = i->op == IR_CTZ;
    unsigned n = i->size, src, t, dst;

    flags_clobber(e);
    src = value_reg(e, i->arg[0], n);
    dst = temp_new(e);
    t = temp_new(e);
    as_movzx(&e->as, n == 8 ? 4 : n, t, rm_reg(src));
    if (n == 8)
        as_mov(&e->as, 8, t, rm_reg(src));
    as_op(&e->as, low ? 0x0fbc : 0x0fbd, n == 8 ? 8 : 4, dst, rm_reg(t));
    as_mov_imm(&e->as, t, low ? 8 * n : 16 * n - 1);
    as_op(&e->as, 0x0f44, 4, dst, rm_reg(t)); /* CMOVE */
    if (!low)
        as_alu_imm(&e->as, ALU_XOR, 4, rm_reg(dst), (int32_t)(8 * n - 1));
    temp_free(e, t);
    value_set_temp(e, e->at, dst);
}

void emit_popcount(struct emit *e, const struct ir_ins *i)
{
    unsigned src = value_reg(e, i->arg[0], 8), dst;

    flags_clobber(e);
    dst = temp_new(e);
    as_op_prefix(&e->as, 0xf3, 0x0fb8, true, dst, rm_reg(src));
    value_set_temp(e, e->at, dst);
}

/* --- comparison and choice --- */

void emit_compare(struct emit *e, const struct ir_ins *i)
{
    unsigned ra;
    int32_t imm;

    ra = value_reg(e, i->arg[0], i->size);
    flags_clobber(e);
    if (value_imm(e, i->arg[1], i->size, &imm))
        as_alu_imm(&e->as, ALU_CMP, i->size, rm_reg(ra), imm);
    else
        as_alu(&e->as, ALU_CMP, i->size, ra,
               value_rm(e, i->arg[1], i->size));
    cond_add(e, i->op == IR_EQ ? CC_E : CC_B);
}

void emit_select(struct emit *e, const struct ir_ins *i)
{
    unsigned n = i->size < 4 ? 4 : i->size, dst, yes, no;
    ir_ref a = i->arg[1], b = i->arg[2];
    unsigned cc = cond_of(e, i->arg[0]);

    yes = value_reg(e, a, i->size);
    no = value_reg(e, b, i->size);
    dst = i->size < 4 ? temp_new(e) : value_dst(e, IR_NONE, IR_NONE);
    if (dst == yes) {
        as_op(&e->as, 0x0f40 | (cc ^ 1), n, dst, rm_reg(no));
    } else {
        if (dst != no)
            as_mov(&e->as, n, dst, rm_reg(no));
        as_op(&e->as, 0x0f40 | cc, n, dst, rm_reg(yes));
    }
    if (i->size < 4)
        value_set_temp(e, e->at, dst);
    else
        value_is_in(e, dst);
}

void emit_lea(struct emit *e, const struct ir_ins *i)
{
    unsigned n = i->size < 4 ? 4 : i->size, dst;
    struct rm m = {.mem = true, .reg = HNONE, .index = HNONE,
                   .scale = i->scale, .disp = (int32_t)i->imm};

    if (i->arg[0] != IR_NONE)
        m.reg = (uint8_t)value_reg(e, i->arg[0], i->size);
    if (i->arg[1] != IR_NONE)
        m.index = (uint8_t)value_reg(e, i->arg[1], i->size);
    dst = i->size < 4 ? temp_new(e) : value_dst(e, IR_NONE, IR_NONE);
    if (i->imm != (int32_t)i->imm) {
        /* Only with wrapped 32-bit numbers: the low half is right. */
        m.disp = (int32_t)(uint32_t)i->imm;
    }
    as_lea(&e->as, n, dst, m);
    if (i->size < 4) {
        as_movzx(&e->as, i->size, dst, rm_reg(dst));
        value_set_temp(e, e->at, dst);
        e->clean[e->at] = true;
    } else {
        value_is_in(e, dst);
    }
}
