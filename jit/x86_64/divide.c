/*
 * DIV and IDIV (SDM vol. 2) by the host's.
 *
 * The host must not raise #DE.  What would is the interpreter's, and so is a
 * dividend of IDIV that is wider than the divisor, or a divisor of -1:
 * compilers extend the sign first, and then only the least number divided by -1
 * has too large a quotient.
 */

#include "jit/x86_64/emit.h"

#include "cpu/flags.h"

static bool is_signed(const struct insn *in)
{
    return in->id == I_IDIV_Eb || in->id == I_IDIV_Ev;
}

bool divide_native(const struct insn *in)
{
    return in->op[0].kind != OPND_GPRH;
}

static unsigned divisor(struct emit *e, const struct ir_ins *i,
                        const struct insn *in)
{
    const struct operand *o = &in->op[0];
    struct stub use = {.use_kind = USE_LOADZX, .reg = HNONE,
                       .reg_size = o->size};
    unsigned r;

    if (o->kind == OPND_MEM)
        return memory_use(e, i, o->size, 0, use);
    r = host_of(o->reg);
    if (r != HNONE)
        return r;
    r = temp_new(e);
    as_mov(&e->as, 8, r, guest_home(o->reg));
    return r;
}

/* The quotient has room if the upper half is below the divisor, which is then
 * not 0.  For bytes the upper half is AH. */
static void check_unsigned(struct emit *e, unsigned n, unsigned by)
{
    unsigned upper = host_of(RDX);

    if (n == 1) {
        upper = HSCRATCH;
        as_movzx(&e->as, 2, upper, rm_reg(host_of(RAX)));
        as_shift_imm(&e->as, 5, 4, rm_reg(upper), 8);
    }
    as_alu(&e->as, ALU_CMP, n, upper, rm_reg(by));
    bail_if(e, CC_AE);
}

static void check_signed(struct emit *e, unsigned n, unsigned by)
{
    unsigned lower = host_of(RAX);

    if (n == 1) { /* all of AX by its lower byte */
        as_movsx(&e->as, 1, 4, HSCRATCH, rm_reg(lower));
        as_alu(&e->as, ALU_CMP, 2, HSCRATCH, rm_reg(lower));
    } else {
        as_mov(&e->as, n == 8 ? 8 : 4, HSCRATCH, rm_reg(lower));
        as_shift_imm(&e->as, 7, n, rm_reg(HSCRATCH), 8 * n - 1);
        as_alu(&e->as, ALU_CMP, n, HSCRATCH, rm_reg(host_of(RDX)));
    }
    bail_if(e, CC_NE);
    as_lea(&e->as, 8, HSCRATCH, rm_mem(by, 1)); /* from 0 and -1: 1 and 0 */
    as_alu_imm(&e->as, ALU_CMP, n, rm_reg(HSCRATCH), 1);
    bail_if(e, CC_BE);
}

/* Undefined; as op_div leaves them. */
static void set_flags(struct emit *e, const struct ir_ins *i)
{
    if (i->last > e->at)
        as_mov_imm_to(&e->as, 2, ENV(aflags), AFLAGS_DIVIDED);
    e->host_flags = 0;
    e->env_flags = FLAGS_ARITH;
    e->flags_def = IR_NONE;
}

void emit_divide(struct emit *e, const struct ir_ins *i, const struct insn *in)
{
    unsigned n = in->op[0].size, by;

    flags_sync(e);
    flags_clobber(e);
    by = divisor(e, i, in);
    if (is_signed(in))
        check_signed(e, n, by);
    else
        check_unsigned(e, n, by);
    guest_overwrite(e, RAX);
    if (n > 1)
        guest_overwrite(e, RDX);
    as_mov(&e->as, 8, HSCRATCH, rm_reg(host_of(RAX)));
    as_op(&e->as, n == 1 ? 0xf6 : 0xf7, n, is_signed(in) ? 7 : 6, rm_reg(by));
    as_mov(&e->as, n < 4 ? 2 : 8, host_of(RAX), rm_reg(HSCRATCH));
    set_flags(e, i);
}
