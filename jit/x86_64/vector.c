/*
 * MMX, SSE and AVX instructions, re-encoded on the host's registers: guest XMMn
 * and YMMn are the host's, and MXCSR is the guest's while frame.xmm_live says
 * so; MMX registers are in the host's x87 as its stack is (x87.c).  And a few
 * on general registers.
 */

#include "jit/x86_64/emit.h"

#include "cpu/flags.h"
#include "cpu/simd_fp.h"

enum { MXCSR_MASKS = 0x3f << MXCSR_MASK_SHIFT };

/* The shape of a row with a vector operand. */
struct shape {
    bool mmx, xmm; /* of these kinds, even where the operand is memory */
    bool mem;
    bool gpr;  /* has an operand of general registers */
    bool high; /* names AH, CH, DH or BH */
    bool home; /* names a general register that is at home in struct cpu */
};

static struct shape shape_of(const struct insn *in)
{
    struct shape s = {0};

    for (unsigned k = 0; k < INSN_OPERANDS; k++) {
        const struct operand *o = &in->op[k];

        switch (operand_info[insn_info[in->id].operand[k]].how) {
        case HOW_MM_RM:
        case HOW_MM_RMREG:
        case HOW_MM_REG: s.mmx = true; break;
        case HOW_XMM_RM:
        case HOW_XMM_RMREG:
        case HOW_XMM_REG:
        case HOW_XMM_V:
        case HOW_XMM_IMM: s.xmm = true; break;
        case HOW_RM:
        case HOW_RM_MW:
        case HOW_RM_MB:
        case HOW_RM_REG:
        case HOW_REG: s.gpr = true; break;
        default: break;
        }
        s.mem |= o->kind == OPND_MEM;
        s.high |= o->kind == OPND_GPRH;
        s.home |= o->kind == OPND_GPR && host_of(o->reg) == HNONE;
    }
    return s;
}

static bool is_vex(const struct insn *in)
{
    return in->vex_len != 0;
}

/* On general registers, and of more work than the IR has words for. */
static bool is_general(const struct insn *in)
{
    switch (in->id) {
    case I_PDEP_GyByEy:
    case I_PEXT_GyByEy:
    case I_CRC32_GyEb:
    case I_CRC32_GyEv:
    case I_ADCX_GyEy:
    case I_ADOX_GyEy: return true;
    default: return false;
    }
}

/* They change CF or OF, and leave the other flags as they were. */
static bool is_carry_chain(const struct insn *in)
{
    return in->id == I_ADCX_GyEy || in->id == I_ADOX_GyEy;
}

/* VMASKMOVPS and its kin. */
static bool is_masked_move(const struct insn *in)
{
    return is_vex(in) && in->map == 0x38 &&
           ((in->code & 0xfc) == 0x2c || in->code == 0x8c || in->code == 0x8e);
}

/* Instructions whose memory operand is implied; gathers that are #UD;
 * 3DNow!. */
static bool is_excluded(const struct insn *in)
{
    switch (in->map) {
    case 2: return in->code == 0xf7; /* MASKMOVQ, MASKMOVDQU */
    case 0x38: return in->vsib && !gather_is_valid(in);
    case 0x3a: return false;
    default: return true;
    }
}

/* Without operands that tell what they are. */
static bool is_state(const struct insn *in)
{
    if (in->map != 2)
        return false;
    return in->code == 0x77 ||
           (in->code == 0xae && in->op[0].kind == OPND_MEM &&
            in->op[0].size == 4);
}

/* Code that changes no flags, or all. */
static bool flags_are_simple(const struct insn *in)
{
    uint32_t written = flag_effects[insn_info[in->id].flags].written;

    return !written || written == FLAGS_ARITH || is_carry_chain(in);
}

/* May it raise an SSE exception (SDM vol. 2, the tables of each)? */
static bool may_raise(const struct insn *in)
{
    unsigned c = in->code;

    switch (in->map) {
    case 2:
        return (c >= 0x2a && c <= 0x2f && c != 0x2b) || c == 0x51 ||
               (c >= 0x58 && c <= 0x5f) || c == 0x7c || c == 0x7d ||
               c == 0xc2 || c == 0xd0 || c == 0xe6;
    case 0x38: /* VCVTPH2PS, FMA */
        return is_vex(in) &&
               (c == 0x13 || (c >= 0x96 && c <= 0xbf && (c & 15) >= 6));
    case 0x3a: /* ROUNDPS.., VCVTPS2PH, DPPS, DPPD */
        return (c >= 0x08 && c <= 0x0b) || c == 0x1d || c == 0x40 || c == 0x41;
    default: return false;
    }
}

/* With an exception unmasked: what can be taken back, and does not show the
 * MXCSR that the host has. */
static bool is_undoable(const struct insn *in)
{
    if (is_state(in))
        return in->code == 0x77;
    return !may_raise(in) || (!shape_of(in).mmx && in->op[0].kind != OPND_MEM);
}

bool vector_native(const struct insn *in, uint32_t mode,
                   const struct feature_set *host)
{
    const struct insn_info *info = &insn_info[in->id];
    struct shape s = shape_of(in);

    if (is_excluded(in) || !feature_set_has(host, info->feature) ||
        !flags_are_simple(in) ||
        (is_vex(in) && !feature_set_has(host, FEAT_AVX)))
        return false;
    if (s.high || (s.mem && s.home))
        return false;
    if (mode & MODE_SSE_EXC && !is_undoable(in))
        return false;
    return info->attrs & (A_MMX | A_SSE | A_AVX)
               ? s.mmx || s.xmm || is_state(in)
               : is_general(in);
}

/* --- encoding --- */

/* What an instruction becomes. */
struct code {
    unsigned prefix; /* PFX_* */
    unsigned map, opcode;
    unsigned reg, vvvv;
    struct rm rm;
    unsigned imms;           /* immediate bytes: the instruction's last ones */
    unsigned imm_reg;        /* instead of them: a register number, or HNONE */
    unsigned home, home_reg; /* written, and then stored there; or HNONE */
};

/* Operand k as a register number of the host; a guest register that lives in
 * struct cpu passes through a temporary. */
static unsigned operand_reg(struct emit *e, const struct insn *in, unsigned k,
                            struct code *c)
{
    const struct operand *o = &in->op[k];
    unsigned r, host;

    if (o->kind != OPND_GPR)
        return o->reg;
    host = host_of(o->reg);
    if (o->access & ACC_W)
        guest_overwrite(e, o->reg);
    if (host != HNONE)
        return host;
    r = temp_new(e);
    if (o->access & ACC_R)
        as_mov(&e->as, 8, r, guest_home(o->reg));
    if (o->access & ACC_W)
        c->home = r, c->home_reg = o->reg;
    return r;
}

static void add_operand(struct emit *e, const struct insn *in, unsigned k,
                        struct code *c)
{
    const struct operand *o = &in->op[k];
    unsigned r;

    switch (o->kind) {
    case OPND_IMM:
    case OPND_IMM2: c->imms++; return;
    case OPND_XMM:
    case OPND_MM:
    case OPND_GPR: break;
    default: return;
    }
    r = operand_reg(e, in, k, c);
    switch (operand_info[insn_info[in->id].operand[k]].how) {
    case HOW_MM_REG:
    case HOW_XMM_REG:
    case HOW_REG: c->reg = r; break;
    case HOW_XMM_V:
    case HOW_GPR_V: c->vvvv = r; break;
    case HOW_XMM_IMM: c->imm_reg = r; break;
    default: c->rm = rm_reg(r); break;
    }
}

/* Alignment was checked already; frame.value is aligned to 16 bytes only. */
static void forget_alignment(struct code *c)
{
    if (c->map == 0x38) { /* VMOVNTDQA */
        c->map = 2, c->opcode = 0x6f, c->prefix = PFX_F3;
        return;
    }
    switch (c->opcode) {
    case 0x28: c->opcode = 0x10; break; /* VMOVAPS, VMOVAPD */
    case 0x29:
    case 0x2b: c->opcode = 0x11; break; /* and VMOVNTPS, VMOVNTPD */
    case 0xe7:
        c->opcode = 0x7f; /* VMOVNTDQ */
        /* fall through */
    default: c->prefix = PFX_F3; break; /* VMOVDQA */
    }
}

static void encode_legacy(struct emit *e, const struct insn *in,
                          const struct code *c)
{
    static const uint8_t prefix[] = {
        [PFX_NP] = 0,
        [PFX_66] = 0x66,
        [PFX_F3] = 0xf3,
        [PFX_F2] = 0xf2,
    };
    unsigned opcode = 0x0f00u | c->opcode;

    if (c->map != 2)
        opcode = 0x0f0000u | c->map << 8 | c->opcode;
    as_op_prefix(&e->as, prefix[c->prefix], opcode, in->prefixes & PREFIX_REX_W,
                 c->reg, c->rm);
}

/* PCMPESTRx and PCMPISTRx, with VEX or without. */
static bool is_string_compare(const struct insn *in)
{
    return in->map == 0x3a && (in->code & 0xfc) == 0x60;
}

/* Outside 64-bit mode general registers have 32 bits (SDM vol. 2, 2.3.5.3). */
static bool is_w_ignored(const struct emit *e, const struct insn *in)
{
    return !(e->b->mode & MODE_CODE64) &&
           (shape_of(in).gpr || is_string_compare(in));
}

static void encode_vex(struct emit *e, const struct insn *in,
                       const struct code *c)
{
    struct vex v = {
        .map = c->map == 2      ? 1
               : c->map == 0x38 ? 2
                                : 3,
        .pp = (uint8_t)c->prefix,
        .w = in->prefixes & PREFIX_REX_W && !is_w_ignored(e, in),
        .wide = in->vex_len == YMM_SIZE,
        .opcode = (uint8_t)c->opcode,
        .vvvv = (uint8_t)c->vvvv,
    };

    as_vex_op(&e->as, v, c->reg, c->rm);
}

/* CRC32 of a word has a prefix more; of a byte it would need REX for guest RSI
 * and RDI. */
static void crc_operand(struct emit *e, const struct insn *in, struct code *c)
{
    if (in->op[1].size == 2)
        as_byte(&e->as, 0x66);
    if (in->op[1].size == 1 && !c->rm.mem) {
        as_movzx(&e->as, 1, HSCRATCH, c->rm);
        c->rm = rm_reg(HSCRATCH);
    }
}

/* Their lengths are in guest RAX and RDX, their index goes to RCX.  Host RAX
 * may be part of the address. */
static void string_operands(struct emit *e, const struct insn *in,
                            struct code *c, unsigned scratch)
{
    if (in->code & 1)
        guest_overwrite(e, RCX);
    if (in->code & 2)
        return;
    if (c->rm.mem && c->rm.reg != HENV) {
        as_lea(&e->as, 8, scratch, c->rm);
        c->rm = rm_mem(scratch, 0);
    }
    as_mov(&e->as, 8, HRAX, rm_reg(host_of(RAX)));
}

/* The instruction on registers, or on memory operand *m of the host. */
void vector_encode(struct emit *e, const struct insn *in, const struct rm *m,
                   unsigned scratch)
{
    const struct insn_info *info = &insn_info[in->id];
    struct code c = {
        .prefix = info->pfx == PFX__ ? PFX_NP : info->pfx,
        .map = in->map,
        .opcode = in->code,
        .reg = in->modrm >> 3 & 7,
        .rm = m ? *m : rm_reg(0),
        .imm_reg = HNONE,
        .home = HNONE,
    };

    for (unsigned k = 0; k < INSN_OPERANDS; k++)
        add_operand(e, in, k, &c);
    if (is_string_compare(in))
        string_operands(e, in, &c, scratch);
    if (in->id == I_CRC32_GyEb || in->id == I_CRC32_GyEv)
        crc_operand(e, in, &c);
    if (!is_vex(in)) {
        encode_legacy(e, in, &c);
    } else {
        if (m && info->attrs & A_XMM_ALIGN)
            forget_alignment(&c);
        encode_vex(e, in, &c);
    }
    for (unsigned k = c.imms; k > 0; k--)
        as_byte(&e->as, in->bytes[in->len - k]);
    if (c.imm_reg != HNONE)
        as_byte(&e->as, c.imm_reg << 4);
    if (c.home != HNONE)
        as_mov_to(&e->as, 8, guest_home(c.home_reg), c.home);
}

/* --- what must be in the host's registers --- */

/* The guest's XMM registers, or all of its YMM registers. */
static void need_xmm(struct emit *e, unsigned level)
{
    struct stub *s;

    if (e->xmm_known >= level)
        return;
    flags_sync(e);
    flags_clobber(e);
    as_alu_imm(&e->as, ALU_CMP, 4, FRAME(xmm_live), (int32_t)level);
    s = stub_new(e, STUB_XMM);
    s->op = level;
    s->jump[0] = as_jcc(&e->as, CC_B);
    s->back = as_at(&e->as);
    e->xmm_known = (uint8_t)level;
}

/* The host's flags are now those that the instruction makes. */
void flags_by_host(struct emit *e, const struct insn *in)
{
    if (!flag_effects[insn_info[in->id].flags].written)
        return;
    e->host_flags = FLAGS_ARITH;
    e->env_flags = 0;
    e->flags_def = (ir_ref)e->at;
}

/* --- instructions --- */

/* VZEROUPPER and VZEROALL; outside 64-bit mode of eight registers. */
static void zero(struct emit *e, const struct insn *in)
{
    bool all = in->vex_len == YMM_SIZE;
    struct vex v = {.map = 1, .opcode = 0x28};

    if (e->b->mode & MODE_CODE64) {
        as_byte(&e->as, 0xc5);
        as_byte(&e->as, all ? 0xfc : 0xf8);
        as_byte(&e->as, 0x77);
        return;
    }
    for (unsigned n = 0; n < 8; n++) {
        if (all) /* VXORPS */
            v.opcode = 0x57, v.vvvv = (uint8_t)n;
        as_vex_op(&e->as, v, n, rm_reg(n)); /* VMOVAPS */
    }
}

/* LDMXCSR: what unmasks an exception, or faults, is the interpreter's. */
static void load_mxcsr(struct emit *e, const struct ir_ins *i)
{
    struct stub use = {.use_kind = USE_LOADZX, .reg = HNONE, .reg_size = 4};
    unsigned r = memory_use(e, i, 4, 0, use);
    struct rm m = FRAME(value);

    as_mov_to(&e->as, 4, m, r);
    as_alu_imm(&e->as, ALU_AND, 4, rm_reg(r),
               (int32_t)(MXCSR_MASKS | ~MXCSR_VALID));
    as_alu_imm(&e->as, ALU_CMP, 4, rm_reg(r), MXCSR_MASKS);
    bail_if(e, CC_NE);
    as_op_prefix(&e->as, 0, 0x0fae, false, 2, m);
    as_mov(&e->as, 4, HSCRATCH, m);
    as_mov_to(&e->as, 4, ENV(mxcsr), HSCRATCH);
}

/* A store that changes more than memory must not begin before it is known to
 * succeed: MMX sets the x87's tags, VCVTPS2PH flags. */
static bool has_side_effect(const struct insn *in)
{
    return shape_of(in).mmx || (in->map == 0x3a && in->code == 0x1d);
}

static void by_pointer(struct emit *e, const struct ir_ins *i,
                       const struct insn *in)
{
    struct stub use = {.use_kind = USE_POINTER, .reg = HNONE};
    struct rm m = rm_mem(memory_use(e, i, i->size, FRAME_RMW, use), 0);

    vector_encode(e, in, &m, HNONE);
}

/* What does not hit the TLB is the interpreter's: it accesses the chosen lanes
 * only. */
static void masked_move(struct emit *e, const struct ir_ins *i,
                        const struct insn *in)
{
    struct stub use = {.use_kind = USE_VECTOR, .in = in};
    unsigned stub = e->stub_count;

    memory_use(e, i, i->size, i->reg & ACC_W ? FRAME_WRITE : 0, use);
    e->stub[stub].kind = STUB_BAIL;
}

static void on_memory(struct emit *e, const struct ir_ins *i,
                      const struct insn *in)
{
    struct stub use = {.use_kind = USE_VECTOR, .in = in};
    bool aligned = insn_info[in->id].attrs & A_XMM_ALIGN && i->size >= XMM_SIZE;
    uint32_t op = (i->reg & ACC_W ? FRAME_WRITE : 0) |
                  (aligned ? FRAME_ALIGN : 0);

    if (is_masked_move(in)) {
        masked_move(e, i, in);
        return;
    }
    if (i->reg & ACC_W && has_side_effect(in)) {
        by_pointer(e, i, in);
        return;
    }
    if (is_string_compare(in))
        use.reg = HNONE;
    memory_use(e, i, i->size, op, use);
}

/* EMMS, VZEROUPPER, VZEROALL. */
static void emit_empty(struct emit *e, const struct insn *in)
{
    if (is_vex(in)) {
        need_xmm(e, XMM_LIVE_AVX);
        zero(e, in);
    } else {
        need_x87(e);
        as_byte(&e->as, 0x0f);
        as_byte(&e->as, 0x77);
    }
}

/* LDMXCSR and STMXCSR. */
static void emit_mxcsr(struct emit *e, const struct ir_ins *i,
                       const struct insn *in)
{
    need_xmm(e, is_vex(in) ? XMM_LIVE_AVX : XMM_LIVE_SSE);
    if (i->reg & ACC_W)
        on_memory(e, i, in);
    else
        load_mxcsr(e, i);
}

/* All of the guest's flags are in the host's when it runs. */
static void carry_chain(struct emit *e, const struct ir_ins *i,
                        const struct insn *in)
{
    struct stub use = {.use_kind = USE_LOADZX, .reg = HNONE,
                       .reg_size = i->size};
    struct rm loaded;

    if (i->size)
        loaded = rm_reg(memory_use(e, i, i->size, 0, use));
    flags_restore(e);
    vector_encode(e, in, i->size ? &loaded : NULL, HNONE);
}

static void operate(struct emit *e, const struct ir_ins *i,
                    const struct insn *in)
{
    if (is_carry_chain(in)) {
        carry_chain(e, i, in);
        return;
    }
    if (in->vsib) {
        emit_gather(e, i, in);
        return;
    }
    if (i->size) {
        on_memory(e, i, in);
        return;
    }
    if (flag_effects[insn_info[in->id].flags].written) {
        flags_sync(e);
        flags_clobber(e);
    }
    vector_encode(e, in, NULL, HNONE);
}

/* --- with an exception unmasked --- */

/* Operand 0 to frame.undo, or back. */
static void move_old(struct emit *e, const struct insn *in, bool back)
{
    const struct operand *o = &in->op[0];
    struct rm undo = FRAME(undo), where;
    struct vex v = {.map = 1, .wide = true, .opcode = back ? 0x10 : 0x11};

    if (!(o->access & ACC_W))
        return;
    if (o->kind == OPND_XMM) {
        if (is_vex(in))
            as_vex_op(&e->as, v, o->reg, undo);
        else
            as_op_prefix(&e->as, 0, 0x0f00u | v.opcode, false, o->reg, undo);
        return;
    }
    where = host_of(o->reg) == HNONE ? guest_home(o->reg)
                                     : rm_reg(host_of(o->reg));
    as_mov(&e->as, 8, HSCRATCH, back ? undo : where);
    as_mov_to(&e->as, 8, back ? where : undo, HSCRATCH);
}

void vector_undo(struct emit *e, const struct insn *in)
{
    move_old(e, in, true);
    as_op_prefix(&e->as, 0, 0x0fae, false, 2, FRAME(mxcsr_now));
}

/* The host has all exceptions masked: flags tell afterwards whether one of
 * those that the guest has not happened.  Then nothing has, and the interpreter
 * does the instruction.  One that makes EFLAGS is executed once more, as
 * looking costs them. */
static void checked(struct emit *e, const struct ir_ins *i,
                    const struct insn *in)
{
    struct stub *s;

    flags_sync(e);
    flags_clobber(e);
    move_old(e, in, false);
    operate(e, i, in);
    as_op_prefix(&e->as, 0, 0x0fae, false, 3, FRAME(mxcsr_new));
    as_mov(&e->as, 4, HSCRATCH, FRAME(mxcsr_new));
    as_test(&e->as, 4, FRAME(unmasked), HSCRATCH);
    s = stub_new(e, STUB_UNDO);
    s->in = in;
    s->jump[0] = as_jcc(&e->as, CC_NE);
    as_mov_to(&e->as, 4, FRAME(mxcsr_now), HSCRATCH);
    if (flag_effects[insn_info[in->id].flags].written)
        operate(e, i, in);
}

void emit_vector(struct emit *e, const struct ir_ins *i)
{
    const struct insn *in = &e->out->insn[i->insn];
    struct shape s = shape_of(in);

    if (ir_divides(in)) {
        emit_divide(e, i, in);
        return;
    }
    if (is_state(in)) {
        if (in->code == 0x77)
            emit_empty(e, in);
        else
            emit_mxcsr(e, i, in);
        return;
    }
    if (s.mmx)
        need_x87(e);
    if (s.xmm)
        need_xmm(e, is_vex(in) ? XMM_LIVE_AVX : XMM_LIVE_SSE);
    if (e->b->mode & MODE_SSE_EXC && may_raise(in))
        checked(e, i, in);
    else
        operate(e, i, in);
    flags_by_host(e, in);
}
