#include "jit/recipe.h"

#include "base/bits.h"
#include "cpu/flags.h"
#include "jit/ir.h"

enum { RECIPE_REACH = 2 };

static bool is_put_to(const struct ir_ins *i, unsigned reg)
{
    return !i->dead && (i->op == IR_PUT || i->op == IR_PUTH) && i->reg == reg;
}

/* Does an instruction that the host runs as it is change reg? */
static bool is_native_to(const struct ir_block *b, const struct ir_ins *i,
                         unsigned reg)
{
    const struct insn *in = &b->insn[i->insn];

    if (i->op != IR_VECTOR && i->op != IR_X87)
        return false;
    for (unsigned k = 0; k < INSN_OPERANDS; k++)
        if (in->op[k].kind == OPND_GPR && in->op[k].reg == reg &&
            in->op[k].access & ACC_W)
            return true;
    if (ir_divides(in))
        return reg == RAX || reg == RDX;
    /* PCMPESTRI and PCMPISTRI do not name it. */
    return reg == RCX && in->map == 0x3a && (in->code & 0xfd) == 0x61;
}

/* Does guest register reg keep its value from after `from` until `last`? */
static bool reg_stays(const struct ir_block *b, unsigned reg, unsigned from,
                      unsigned last)
{
    for (unsigned k = from + 1; k < last; k++)
        if (is_put_to(&b->ins[k], reg) || is_native_to(b, &b->ins[k], reg))
            return false;
    return true;
}

/* Where the instruction's result v of n bytes goes and stays. */
static uint8_t find_result(const struct ir_block *b, ir_ref v, unsigned at,
                           unsigned n, unsigned last)
{
    for (unsigned k = at + 1; k < last && b->ins[k].insn == b->ins[at].insn;
         k++) {
        const struct ir_ins *p = &b->ins[k];

        if (p->op == IR_PUT && p->arg[0] == v && p->size == n)
            return reg_stays(b, p->reg, k, last) ? p->reg : RECIPE_DERIVE;
    }
    return RECIPE_DERIVE;
}

static uint8_t find_operand(const struct ir_block *b, ir_ref v, unsigned n,
                            unsigned last, int64_t *imm)
{
    const struct ir_ins *i = &b->ins[v];

    if (v == IR_NONE)
        return RECIPE_DERIVE;
    if (i->op == IR_CONST) {
        *imm = i->imm;
        return RECIPE_IMM;
    }
    if (i->op == IR_GET && i->size == n && reg_stays(b, i->reg, v, last))
        return i->reg;
    return RECIPE_DERIVE;
}

static bool is_lost(uint8_t where)
{
    return where == RECIPE_DERIVE;
}

/* Can v be saved?  By the operation right before its FLAGS, if v is one of its
 * operands (MULHU and MULHS may stand between); by the FLAGS itself if nobody
 * wants that operation's result. */
static bool can_save(const struct ir_block *b, unsigned at, ir_ref v)
{
    const struct ir_ins *op = &b->ins[b->ins[at].arg[0]];

    if (op->uses == 0)
        return true;
    return at - b->ins[at].arg[0] <= RECIPE_REACH &&
           (op->arg[0] == v || op->arg[1] == v);
}

/* Operands x and y; at most one is a constant. */
static void find_operands(const struct ir_block *b, ir_ref x, ir_ref y,
                          unsigned last, struct ir_recipe *r)
{
    r->a = find_operand(b, x, r->size, last, &r->imm);
    if (r->a == RECIPE_IMM && b->ins[y].op == IR_CONST)
        r->b = RECIPE_DERIVE;
    else
        r->b = find_operand(b, y, r->size, last, &r->imm);
}

/* Two of three make the third. */
static bool find_sum(const struct ir_block *b, unsigned at, unsigned last,
                     struct ir_recipe *r)
{
    const struct ir_ins *f = &b->ins[at];

    find_operands(b, f->arg[1], f->arg[2], last, r);
    if (is_lost(r->a) && is_lost(r->b)) {
        if (is_lost(r->result))
            return false;
        r->b = RECIPE_SAVED;
        return can_save(b, at, f->arg[2]);
    } else if (is_lost(r->result) && is_lost(r->b)) {
        r->b = RECIPE_SAVED;
        return can_save(b, at, f->arg[2]);
    } else if (is_lost(r->result) && is_lost(r->a)) {
        r->a = RECIPE_SAVED;
        return can_save(b, at, f->arg[1]);
    }
    return true;
}

/* Shifts by a constant are done again on the old value. */
static bool find_shift(const struct ir_block *b, unsigned at, unsigned last,
                       struct ir_recipe *r)
{
    const struct ir_ins *f = &b->ins[at];

    if (b->ins[f->arg[2]].op != IR_CONST || b->ins[f->arg[1]].op == IR_CONST)
        return false;
    find_operands(b, f->arg[1], f->arg[2], last, r);
    if (!is_lost(r->a))
        return true;
    r->a = RECIPE_SAVED;
    return can_save(b, at, f->arg[1]);
}

/* A product is made again from its factors. */
static bool find_product(const struct ir_block *b, unsigned at, unsigned last,
                         struct ir_recipe *r)
{
    const struct ir_ins *f = &b->ins[at], *mul = &b->ins[f->arg[0]];

    if (mul->op != IR_MUL || mul->size != f->size ||
        !can_save(b, at, mul->arg[0]))
        return false;
    find_operands(b, mul->arg[0], mul->arg[1], last, r);
    if (is_lost(r->a) && is_lost(r->b))
        return false;
    if (is_lost(r->a))
        r->a = RECIPE_SAVED;
    else if (is_lost(r->b))
        r->b = RECIPE_SAVED;
    return true;
}

bool recipe_find(const struct ir_block *b, unsigned at, unsigned last,
                 struct ir_recipe *r)
{
    const struct ir_ins *f = &b->ins[at];

    *r = (struct ir_recipe){.kind = f->reg, .size = f->size};
    r->a = r->b = RECIPE_DERIVE;
    r->result = find_result(b, f->arg[0], at, f->size, last);
    switch (f->reg) {
    case FLAGKIND_logic:
    case FLAGKIND_inc:
    case FLAGKIND_dec: return !is_lost(r->result);
    case FLAGKIND_add:
    case FLAGKIND_sub: return find_sum(b, at, last, r);
    case FLAGKIND_shl:
    case FLAGKIND_shr:
    case FLAGKIND_sar: return find_shift(b, at, last, r);
    case FLAGKIND_mul:
    case FLAGKIND_imul: return find_product(b, at, last, r);
    default: return false;
    }
}

uint16_t recipe_saves(const struct ir_block *b, unsigned f)
{
    const struct ir_ins *i = &b->ins[f];
    const struct ir_recipe *r;
    bool product;

    if (i->op != IR_FLAGS || i->dead || i->recipe == RECIPE_NONE)
        return IR_NONE;
    r = &b->recipe[i->recipe];
    product = r->kind == FLAGKIND_mul || r->kind == FLAGKIND_imul;
    if (product)
        i = &b->ins[i->arg[0]];
    if (r->a == RECIPE_SAVED)
        return i->arg[product ? 0 : 1];
    if (r->b == RECIPE_SAVED)
        return i->arg[product ? 1 : 2];
    return IR_NONE;
}

static uint64_t operand(const struct cpu *cpu, const struct ir_recipe *r,
                        uint8_t where, uint64_t saved)
{
    uint64_t mask = bits_mask(8u * r->size);

    switch (where) {
    case RECIPE_IMM: return (uint64_t)r->imm & mask;
    case RECIPE_SAVED: return saved & mask;
    case RECIPE_DERIVE: return 0;
    default: return cpu->gpr[where] & mask;
    }
}

static uint64_t high_half(unsigned n, uint64_t x, uint64_t y, bool is_signed)
{
    int128 product = is_signed ? (int128)(int64_t)bits_sext(x, 8 * n) *
                                     (int64_t)bits_sext(y, 8 * n)
                               : (int128)((uint128)x * y);

    return (uint64_t)(product >> 8 * n);
}

void recipe_apply(struct cpu *cpu, const struct ir_recipe *r, uint64_t saved)
{
    uint64_t mask = bits_mask(8u * r->size);
    uint64_t result = operand(cpu, r, r->result, saved);
    uint64_t a = operand(cpu, r, r->a, saved);
    uint64_t b = operand(cpu, r, r->b, saved);

    switch (r->kind) {
    case FLAGKIND_inc: a = result - 1; break;
    case FLAGKIND_dec: a = result + 1; break;
    case FLAGKIND_add:
        if (is_lost(r->result))
            result = a + b;
        else if (is_lost(r->a))
            a = result - b;
        else
            b = result - a;
        break;
    case FLAGKIND_sub:
        if (is_lost(r->result))
            result = a - b;
        else if (is_lost(r->a))
            a = result + b;
        else
            b = a - result;
        break;
    case FLAGKIND_shl: result = b < 64 ? a << b : 0; break;
    case FLAGKIND_shr: result = b < 64 ? a >> b : 0; break;
    case FLAGKIND_sar:
        result = (uint64_t)((int64_t)bits_sext(a, 8u * r->size) >>
                            (b < 63 ? b : 63));
        break;
    case FLAGKIND_mul:
    case FLAGKIND_imul:
        result = a * b;
        a = high_half(r->size, a, b, r->kind == FLAGKIND_imul);
        break;
    default: break;
    }
    cpu->aflags = flags_compute((enum flag_kind)r->kind, r->size,
                                result & mask, a & mask, b & mask,
                                cpu->aflags);
}
