/*
 * SSE instructions, re-encoded on the host's registers: guest XMMn is host
 * XMMn, and MXCSR is the guest's while frame.xmm_live is set.
 */

#include "jit/x86_64/emit.h"

#include "cpu/flags.h"

/* Instructions whose result no two makers' processors agree on, or whose
 * memory operand is implied. */
static bool is_excluded(const struct insn *in)
{
    return in->map == 2 &&
           (in->code == 0x52 || in->code == 0x53 || in->code == 0xf7);
}

bool vector_native(const struct insn *in)
{
    bool xmm = false, mem = false, home = false;

    for (unsigned k = 0; k < INSN_OPERANDS; k++) {
        const struct operand *o = &in->op[k];

        xmm |= o->kind == OPND_XMM;
        mem |= o->kind == OPND_MEM;
        home |= o->kind == OPND_GPR && host_of(o->reg) == HNONE;
        if (o->kind == OPND_MM)
            return false;
    }
    return xmm && !(mem && home) && in->map <= 0x3a && !in->vex_len && !is_excluded(in);
}

static bool is_rm(const struct insn *in, unsigned k)
{
    switch (operand_info[insn_info[in->id].operand[k]].how) {
    case HOW_RM:
    case HOW_RM_MW:
    case HOW_MEM:
    case HOW_RM_REG:
    case HOW_RM_ANY:
    case HOW_MM_RM:
    case HOW_MM_RMREG:
    case HOW_XMM_RM:
    case HOW_XMM_RMREG: return true;
    default: return false;
    }
}

/* Operand k as a register number of the host; a guest register that lives in
 * struct cpu passes through a temporary. */
static unsigned operand_reg(struct emit *e, const struct insn *in, unsigned k)
{
    unsigned r, host;

    if (in->op[k].kind != OPND_GPR)
        return in->op[k].reg;
    host = host_of(in->op[k].reg);
    if (host != HNONE)
        return host;
    r = temp_new(e);
    if (in->op[k].access & ACC_R)
        as_mov(&e->as, 8, r, guest_home(in->op[k].reg));
    return r;
}

/* The instruction on registers, or on memory operand *m of the host. */
void vector_encode(struct emit *e, const struct insn *in, const struct rm *m)
{
    static const uint8_t prefix[] = {
        [PFX_NP] = 0, [PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2,
    };
    const struct insn_info *info = &insn_info[in->id];
    unsigned reg = in->modrm >> 3 & 7, opcode = 0x0f00u | in->code;
    unsigned home = HNONE, home_reg = 0;
    bool imm = false;
    struct rm rm = m ? *m : rm_reg(0);

    for (unsigned k = 0; k < INSN_OPERANDS; k++) {
        enum operand_kind kind = (enum operand_kind)in->op[k].kind;

        imm |= kind == OPND_IMM;
        if (kind != OPND_XMM && kind != OPND_GPR)
            continue;

        unsigned r = operand_reg(e, in, k);

        if (kind == OPND_GPR && host_of(in->op[k].reg) == HNONE &&
            (in->op[k].access & ACC_W))
            home = r, home_reg = in->op[k].reg;
        if (is_rm(in, k))
            rm = rm_reg(r);
        else
            reg = r;
    }
    if (in->map != 2)
        opcode = 0x0f0000u | (unsigned)in->map << 8 | in->code;
    as_op_prefix(&e->as, info->pfx == PFX__ ? 0 : prefix[info->pfx], opcode,
                 in->prefixes & PREFIX_REX_W, reg, rm);
    if (imm)
        as_byte(&e->as, (unsigned)in->imm & 0xff);
    if (home != HNONE)
        as_mov_to(&e->as, 8, guest_home(home_reg), home);
}

/* The guest's XMM registers must be in the host's. */
static void need_xmm(struct emit *e)
{
    struct stub *s;

    if (e->xmm_known)
        return;
    flags_sync(e);
    flags_clobber(e);
    as_alu_imm(&e->as, ALU_CMP, 4, FRAME(xmm_live), 0);
    s = stub_new(e, STUB_XMM);
    s->jump[0] = as_jcc(&e->as, CC_E);
    s->back = as_at(&e->as);
    e->xmm_known = true;
}

void emit_vector(struct emit *e, const struct ir_ins *i)
{
    const struct insn *in = &e->out->insn[i->insn];
    const struct insn_info *info = &insn_info[in->id];

    need_xmm(e);
    if (i->size == 0) {
        flags_sync(e);
        if (flag_effects[info->flags].written)
            flags_clobber(e);
        vector_encode(e, in, NULL);
    } else {
        struct stub use = {.use_kind = USE_VECTOR, .in = in};
        bool write = i->reg & ACC_W;

        memory_use(e, i, i->size,
                   (write ? FRAME_WRITE : 0) |
                       (info->attrs & A_XMM_ALIGN && i->size == 16 ? FRAME_ALIGN
                                                                   : 0),
                   use);
    }
    if (flag_effects[info->flags].written) {
        /* COMISS and its kin set all six. */
        e->host_flags = FLAGS_ARITH;
        e->env_flags = 0;
        e->flags_def = IR_NONE;
        flags_to_env(e);
    }
}
