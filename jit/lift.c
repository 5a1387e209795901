/*
 * The translator: the dialect of cpu/sem with nodes of IR for values.
 *
 * Writes of registers are held back until the end of the instruction, so that
 * every operation that may fault sees the registers of the instruction's
 * start.  A read of a register with a held-back write gets the new value.
 */

#include "jit/lift.h"

#include "base/bits.h"
#include "cpu/cpu.h"
#include "cpu/ops.h"

enum { PENDING_MAX = 12 };

/* A register write that waits for the end of the instruction. */
struct pending {
    uint8_t op; /* IR_PUT or IR_PUTH */
    uint8_t reg, size;
    ir_ref value;
};

/* A memory operand as LOAD and STORE take it. */
struct mem {
    ir_ref base, index;
    uint8_t scale, slot;
    int64_t disp;
};

struct lift {
    struct ir_block *b;
    const struct lift_options *opt;
    struct pending pending[PENDING_MAX];
    unsigned pending_count;
    ir_ref jump;      /* target of an unconditional jump, or IR_NONE */
    ir_ref condition; /* of a jump to `target`, or IR_NONE */
    uint64_t target;
    bool helper_ends; /* a helper has set next_rip */
    bool stays;       /* changes no mode as it is emitted, in spite of A_ENDS */
    struct mem rmw;   /* where the last LOAD_RMW points */
};

typedef struct lift CX;
typedef ir_ref VAL;
#define P(x) lift_##x
/* Engines supply every primitive; not every body set uses them all. */
#define PRIM static __attribute__((unused))

static ir_ref emit(CX *cx, struct ir_ins i)
{
    struct ir_block *b = cx->b;

    i.insn = (uint8_t)(b->insn_count - 1);
    b->ins[b->count] = i;
    return (ir_ref)b->count++;
}

static ir_ref emit_op(CX *cx, enum ir_op op, unsigned size, ir_ref a0,
                      ir_ref a1, ir_ref a2)
{
    return emit(cx, (struct ir_ins){.op = (uint8_t)op,
                                    .size = (uint8_t)size,
                                    .arg = {a0, a1, a2}});
}

PRIM VAL lift_constant(CX *cx, uint64_t c)
{
    return emit(cx, (struct ir_ins){.op = IR_CONST,
                                    .size = 8,
                                    .arg = {IR_NONE, IR_NONE, IR_NONE},
                                    .imm = (int64_t)c});
}

/* The constant that v is, if it is one. */
static bool is_const(const CX *cx, VAL v, uint64_t *c)
{
    const struct ir_ins *i = &cx->b->ins[v];

    if (i->op != IR_CONST)
        return false;
    *c = (uint64_t)i->imm;
    return true;
}

/* --- registers --- */

static void flush_pending(CX *cx)
{
    for (unsigned k = 0; k < cx->pending_count; k++) {
        const struct pending *p = &cx->pending[k];

        emit(cx, (struct ir_ins){.op = p->op,
                                 .size = p->size,
                                 .reg = p->reg,
                                 .arg = {p->value, IR_NONE, IR_NONE}});
    }
    cx->pending_count = 0;
}

static bool pending_overlaps(const struct pending *p, unsigned reg)
{
    return p->reg == reg;
}

PRIM VAL lift_reg(CX *cx, unsigned reg, unsigned n)
{
    for (unsigned k = cx->pending_count; k-- > 0;) {
        const struct pending *p = &cx->pending[k];

        if (!pending_overlaps(p, reg))
            continue;
        if (p->op == IR_PUT && (p->size == n || (p->size == 4 && n == 8)))
            return p->value;
        flush_pending(cx);
        break;
    }
    return emit(cx, (struct ir_ins){.op = IR_GET,
                                    .size = (uint8_t)n,
                                    .reg = (uint8_t)reg,
                                    .arg = {IR_NONE, IR_NONE, IR_NONE}});
}

static void put_later(CX *cx, enum ir_op op, unsigned reg, unsigned n, VAL v)
{
    if (cx->pending_count == PENDING_MAX)
        flush_pending(cx);
    cx->pending[cx->pending_count++] =
        (struct pending){(uint8_t)op, (uint8_t)reg, (uint8_t)n, v};
}

PRIM void lift_set_reg(CX *cx, unsigned reg, unsigned n, VAL v)
{
    put_later(cx, IR_PUT, reg, n, v);
}

static VAL get_high(CX *cx, unsigned reg)
{
    for (unsigned k = 0; k < cx->pending_count; k++)
        if (pending_overlaps(&cx->pending[k], reg))
            flush_pending(cx);
    return emit(cx, (struct ir_ins){.op = IR_GETH,
                                    .size = 1,
                                    .reg = (uint8_t)reg,
                                    .arg = {IR_NONE, IR_NONE, IR_NONE}});
}

PRIM VAL lift_reg_ah(CX *cx)
{
    return get_high(cx, RAX);
}

PRIM void lift_set_reg_ah(CX *cx, VAL v)
{
    put_later(cx, IR_PUTH, RAX, 1, v);
}

/* --- values --- */

static bool fold(enum ir_op op, unsigned n, uint64_t a, uint64_t b,
                 uint64_t *r)
{
    switch (op) {
    case IR_ADD: *r = a + b; break;
    case IR_SUB: *r = a - b; break;
    case IR_AND: *r = a & b; break;
    case IR_OR: *r = a | b; break;
    case IR_XOR: *r = a ^ b; break;
    default: return false;
    }
    *r &= bits_mask(8 * n);
    return true;
}

static VAL binary(CX *cx, enum ir_op op, unsigned n, VAL a, VAL b)
{
    uint64_t ca, cb, r;

    if (is_const(cx, a, &ca) && is_const(cx, b, &cb) &&
        fold(op, n, ca, cb, &r))
        return lift_constant(cx, r);
    return emit_op(cx, op, n, a, b, IR_NONE);
}

#define BINARY(name, op)                                         \
    PRIM VAL lift_##name(CX *cx, unsigned n, VAL a, VAL b)     \
    {                                                            \
        return binary(cx, op, n, a, b);                          \
    }
BINARY(add, IR_ADD)
BINARY(sub, IR_SUB)
BINARY(and, IR_AND)
BINARY(or, IR_OR)
BINARY(xor, IR_XOR)
BINARY(adc, IR_ADC)
BINARY(sbb, IR_SBB)
BINARY(shl, IR_SHL)
BINARY(shr, IR_SHR)
BINARY(sar, IR_SAR)
BINARY(rol, IR_ROL)
BINARY(ror, IR_ROR)
BINARY(mul, IR_MUL)
BINARY(mulhu, IR_MULHU)
BINARY(mulhs, IR_MULHS)
BINARY(eq, IR_EQ)
BINARY(ltu, IR_LTU)
#undef BINARY

#define UNARY(name, op)                                  \
    PRIM VAL lift_##name(CX *cx, unsigned n, VAL a)    \
    {                                                    \
        return emit_op(cx, op, n, a, IR_NONE, IR_NONE);  \
    }
UNARY(not, IR_NOT)
UNARY(bswap, IR_BSWAP)
UNARY(ctz, IR_CTZ)
UNARY(clz, IR_CLZ)
UNARY(popcount, IR_POPCOUNT)
#undef UNARY

PRIM VAL lift_shld(CX *cx, unsigned n, VAL a, VAL b, VAL c)
{
    return emit_op(cx, IR_SHLD, n, a, b, c);
}

PRIM VAL lift_shrd(CX *cx, unsigned n, VAL a, VAL b, VAL c)
{
    return emit_op(cx, IR_SHRD, n, a, b, c);
}

PRIM VAL lift_zext(CX *cx, unsigned from, VAL v)
{
    uint64_t c;

    if (is_const(cx, v, &c))
        return lift_constant(cx, c & bits_mask(8 * from));
    return emit_op(cx, IR_ZEXT, from, v, IR_NONE, IR_NONE);
}

PRIM VAL lift_sext(CX *cx, unsigned from, unsigned to, VAL v)
{
    uint64_t c;

    if (is_const(cx, v, &c))
        return lift_constant(cx, bits_sext(c, 8 * from) & bits_mask(8 * to));
    return emit(cx, (struct ir_ins){.op = IR_SEXT,
                                    .size = (uint8_t)to,
                                    .reg = (uint8_t)from,
                                    .arg = {v, IR_NONE, IR_NONE}});
}

PRIM VAL lift_select(CX *cx, VAL c, VAL a, VAL b)
{
    unsigned na = cx->b->ins[a].size, nb = cx->b->ins[b].size;

    return emit_op(cx, IR_SELECT, na > nb ? na : nb, c, a, b);
}

/* --- flags --- */

PRIM void lift_flags(CX *cx, enum flag_kind kind, unsigned n, VAL r, VAL a,
                       VAL b)
{
    emit(cx, (struct ir_ins){.op = IR_FLAGS,
                             .size = (uint8_t)n,
                             .reg = (uint8_t)kind,
                             .arg = {r, a, b}});
}

PRIM VAL lift_flag(CX *cx, uint32_t flag)
{
    return emit(cx, (struct ir_ins){.op = IR_FLAG,
                                    .size = 1,
                                    .arg = {IR_NONE, IR_NONE, IR_NONE},
                                    .imm = flag});
}

PRIM VAL lift_cond(CX *cx, unsigned cc)
{
    return emit(cx, (struct ir_ins){.op = IR_COND,
                                    .size = 1,
                                    .reg = (uint8_t)cc,
                                    .arg = {IR_NONE, IR_NONE, IR_NONE}});
}

PRIM void lift_set_flag(CX *cx, uint32_t flag, VAL v)
{
    emit(cx, (struct ir_ins){.op = IR_SET_FLAG,
                             .size = 1,
                             .arg = {v, IR_NONE, IR_NONE},
                             .imm = flag});
}

PRIM VAL lift_get_aflags(CX *cx)
{
    return emit_op(cx, IR_GET_AFLAGS, 1, IR_NONE, IR_NONE, IR_NONE);
}

PRIM void lift_set_aflags(CX *cx, VAL v)
{
    emit_op(cx, IR_SET_AFLAGS, 1, v, IR_NONE, IR_NONE);
}

/* --- memory --- */

static bool seg_is_flat(const CX *cx, unsigned seg)
{
    uint32_t mode = cx->b->mode;

    if (mode & MODE_CODE64)
        return seg != FS && seg != GS;
    switch (seg) {
    case SS: return mode & MODE_FLAT_SS;
    case DS:
    case ES: return mode & MODE_FLAT_DATA;
    default: return false;
    }
}

static VAL lea(CX *cx, unsigned n, struct mem m)
{
    if (m.base == IR_NONE && m.index == IR_NONE)
        return lift_constant(cx, (uint64_t)m.disp & bits_mask(8 * n));
    if (m.index == IR_NONE && m.disp == 0 && n == 4 &&
        !(cx->b->mode & MODE_CODE64) && cx->b->ins[m.base].size == 4)
        return m.base;
    return emit(cx, (struct ir_ins){.op = IR_LEA,
                                    .size = (uint8_t)n,
                                    .scale = m.scale,
                                    .arg = {m.base, m.index, IR_NONE},
                                    .imm = m.disp});
}

/* The memory operand's offset, not yet cut to the address size, and without an
 * index that is a vector. */
static struct mem operand_mem(CX *cx, const struct insn *in)
{
    struct mem m = {IR_NONE, IR_NONE, in->scale, IR_NO_HINT, in->disp};
    unsigned n = in->addrsize;

    if (in->base == REG_RIP)
        m.disp = (int64_t)(cx->b->ip[in - cx->b->insn] + in->len +
                           (uint64_t)in->disp);
    else if (in->base != REG_NONE)
        m.base = lift_reg(cx, in->base, n), m.slot = in->base;
    if (in->index != REG_NONE && !in->vsib)
        m.index = lift_reg(cx, in->index, n);
    return m;
}

PRIM VAL lift_address(CX *cx, const struct insn *in)
{
    return lea(cx, in->addrsize, operand_mem(cx, in));
}

/* A memory operand of nothing but value v. */
static struct mem mem_at(VAL v, uint8_t slot)
{
    return (struct mem){v, IR_NONE, 0, slot, 0};
}

/* Offset -> linear: segment base and, where there are limits, their check.
 * n is the address size that the offset was computed with. */
static struct mem linear(CX *cx, unsigned seg, struct mem m, unsigned n,
                         unsigned size, enum access access)
{
    if (!(cx->b->mode & MODE_CODE64) || n != 8)
        m = mem_at(lea(cx, n, m), m.slot);
    if (seg_is_flat(cx, seg))
        return m;
    if (cx->b->mode & MODE_CODE64) {
        VAL base = emit(cx, (struct ir_ins){
                                .op = IR_SEGBASE,
                                .size = 8,
                                .reg = (uint8_t)seg,
                                .arg = {IR_NONE, IR_NONE, IR_NONE}});

        if (m.base == IR_NONE && m.index == IR_NONE)
            return (struct mem){base, IR_NONE, 0, IR_NO_HINT, m.disp};
        if (m.index != IR_NONE && m.base != IR_NONE) {
            m = mem_at(lea(cx, 8, m), m.slot);
        } else if (m.base == IR_NONE) {
            m.base = base;
            return m;
        }
        return (struct mem){m.base, base, 0, m.slot, m.disp};
    }
    VAL off = lea(cx, n, m);

    return mem_at(emit(cx, (struct ir_ins){.op = IR_SEGCHECK,
                                           .size = 8,
                                           .reg = (uint8_t)seg,
                                           .scale = access == ACCESS_WRITE,
                                           .arg = {off, IR_NONE, IR_NONE},
                                           .imm = size}),
                  IR_NO_HINT);
}

static VAL emit_mem(CX *cx, enum ir_op op, unsigned n, struct mem m, VAL v)
{
    return emit(cx, (struct ir_ins){.op = (uint8_t)op,
                                    .size = (uint8_t)n,
                                    .scale = m.scale,
                                    .slot = m.slot,
                                    .arg = {m.base, m.index, v},
                                    .imm = m.disp});
}

PRIM VAL lift_load(CX *cx, const struct insn *in, unsigned seg, VAL off,
                     unsigned n)
{
    return emit_mem(cx, IR_LOAD, n,
                    linear(cx, seg, mem_at(off, IR_NO_HINT), in->addrsize, n,
                           ACCESS_READ),
                    IR_NONE);
}

PRIM void lift_store(CX *cx, const struct insn *in, unsigned seg, VAL off,
                       unsigned n, VAL v)
{
    emit_mem(cx, IR_STORE, n,
             linear(cx, seg, mem_at(off, IR_NO_HINT), in->addrsize, n,
                    ACCESS_WRITE),
             v);
}

PRIM VAL lift_load_rw(CX *cx, const struct insn *in, unsigned seg, VAL off,
                      unsigned n)
{
    cx->rmw = linear(cx, seg, mem_at(off, IR_NO_HINT), in->addrsize, n,
                     ACCESS_WRITE);
    return emit_mem(cx, IR_LOAD_RMW, n, cx->rmw, IR_NONE);
}

PRIM void lift_store_rw(CX *cx, const struct insn *in, unsigned seg, VAL off,
                        unsigned n, VAL v)
{
    (void)in, (void)seg, (void)off;
    emit_mem(cx, IR_STORE_RMW, n, cx->rmw, v);
}

PRIM unsigned lift_sp_size(const CX *cx)
{
    if (cx->b->mode & MODE_CODE64)
        return 8;
    return cx->b->mode & MODE_STACK32 ? 4 : 2;
}

PRIM void lift_push(CX *cx, const struct insn *in, unsigned n, VAL v)
{
    unsigned w = lift_sp_size(cx);
    struct mem m = {lift_reg(cx, RSP, w), IR_NONE, 0, RSP, -(int64_t)n};
    VAL sp = lea(cx, w, m);

    (void)in;
    if (w != 8)
        m = mem_at(sp, RSP);
    emit_mem(cx, IR_STORE, n, linear(cx, SS, m, w, n, ACCESS_WRITE), v);
    lift_set_reg(cx, RSP, w, sp);
}

PRIM VAL lift_pop(CX *cx, const struct insn *in, unsigned n)
{
    unsigned w = lift_sp_size(cx);
    struct mem m = mem_at(lift_reg(cx, RSP, w), RSP);
    VAL v = emit_mem(cx, IR_LOAD, n, linear(cx, SS, m, w, n, ACCESS_READ),
                     IR_NONE);

    (void)in;
    m.disp = n;
    lift_set_reg(cx, RSP, w, lea(cx, w, m));
    return v;
}

/* --- operands --- */

static VAL read_mem(CX *cx, const struct insn *in, const struct operand *o)
{
    bool rmw = o->access == ACC_RW;
    struct mem m = linear(cx, in->seg, operand_mem(cx, in), in->addrsize,
                          o->size, rmw ? ACCESS_WRITE : ACCESS_READ);

    cx->rmw = m;
    return emit_mem(cx, rmw ? IR_LOAD_RMW : IR_LOAD, o->size, m, IR_NONE);
}

PRIM VAL lift_read(CX *cx, const struct insn *in, unsigned k)
{
    const struct operand *o = &in->op[k];
    uint64_t mask = bits_mask(8u * o->size);

    switch ((enum operand_kind)o->kind) {
    case OPND_GPR: return lift_reg(cx, o->reg, o->size);
    case OPND_GPRH: return get_high(cx, o->reg);
    case OPND_MEM: return read_mem(cx, in, o);
    case OPND_IMM2: return lift_constant(cx, in->imm2 & mask);
    default: return lift_constant(cx, in->imm & mask);
    }
}

static void write_mem(CX *cx, const struct insn *in, const struct operand *o,
                      VAL v)
{
    if (o->access == ACC_RW) {
        emit_mem(cx, IR_STORE_RMW, o->size, cx->rmw, v);
        return;
    }
    emit_mem(cx, IR_STORE, o->size,
             linear(cx, in->seg, operand_mem(cx, in), in->addrsize, o->size,
                    ACCESS_WRITE),
             v);
}

PRIM void lift_write(CX *cx, const struct insn *in, unsigned k, VAL v)
{
    const struct operand *o = &in->op[k];

    switch ((enum operand_kind)o->kind) {
    case OPND_GPR: put_later(cx, IR_PUT, o->reg, o->size, v); break;
    case OPND_GPRH: put_later(cx, IR_PUTH, o->reg, 1, v); break;
    case OPND_MEM: write_mem(cx, in, o, v); break;
    default: break;
    }
}

/* --- control --- */

static uint64_t ip_of(const CX *cx, const struct insn *in)
{
    return cx->b->ip[in - cx->b->insn];
}

PRIM VAL lift_next_ip(CX *cx, const struct insn *in)
{
    unsigned n = in->opsize;

    return lift_constant(cx, (ip_of(cx, in) + in->len) & bits_mask(8 * n));
}

PRIM VAL lift_rel_target(CX *cx, const struct insn *in)
{
    uint64_t target = ip_of(cx, in) + in->len + in->imm;

    return lift_constant(cx, target & bits_mask(8u * in->opsize));
}

/* May a branch go to this constant without asking at run time? */
static bool target_is_legal(const CX *cx, uint64_t target)
{
    if (cx->b->mode & MODE_CODE64)
        return bits_sext(target, 48) == target;
    return (cx->b->mode & MODE_FLAT_CS) || target <= cx->b->cs_limit;
}

static VAL checked_target(CX *cx, const struct insn *in, VAL v)
{
    uint64_t c;

    if (is_const(cx, v, &c)) {
        c &= bits_mask(8u * in->opsize);
        if (target_is_legal(cx, c))
            return lift_constant(cx, c);
    }
    if (in->opsize != 8)
        v = lift_zext(cx, in->opsize, v);
    if ((cx->b->mode & (MODE_CODE64 | MODE_FLAT_CS)) == MODE_FLAT_CS)
        return v;
    emit_op(cx, IR_CHECK_IP, 8, v, IR_NONE, IR_NONE);
    return v;
}

PRIM void lift_jump(CX *cx, const struct insn *in, VAL v)
{
    cx->jump = checked_target(cx, in, v);
}

PRIM void lift_jump_if(CX *cx, const struct insn *in, VAL c, VAL v)
{
    (void)in;
    cx->condition = c;
    cx->target = (uint64_t)cx->b->ins[v].imm;
}

/* --- C --- */

/* op NULL: the whole instruction by the interpreter's body. */
static void call_c(CX *cx, const struct insn *in, cpu_op *op)
{
    uint32_t attrs = insn_info[in->id].attrs;
    bool restarts = (attrs & A_REP) && (in->prefixes &
                                        (PREFIX_REP | PREFIX_REPNE));

    if (attrs & (A_FPU | A_SSE | A_MMX | A_AVX))
        op = NULL;
    flush_pending(cx);
    emit(cx, (struct ir_ins){.op = IR_HELPER,
                             .size = 8,
                             .scale = restarts,
                             .arg = {IR_NONE, IR_NONE, IR_NONE},
                             .imm = (int64_t)(uintptr_t)op});
    cx->helper_ends = attrs & A_ENDS;
}

static const struct operand *memory_operand(const struct insn *in)
{
    for (unsigned k = 0; k < INSN_OPERANDS; k++)
        if (in->op[k].kind == OPND_MEM)
            return &in->op[k];
    return NULL;
}

/* An instruction that the backend re-encodes on its own registers. */
static void native(CX *cx, const struct insn *in, enum ir_op op)
{
    const struct operand *o = memory_operand(in);
    struct mem m = {IR_NONE, IR_NONE, 0, IR_NO_HINT, 0};

    cx->stays = true;
    if (o)
        m = linear(cx, in->seg, operand_mem(cx, in), in->addrsize, o->size,
                   o->access & ACC_W ? ACCESS_WRITE : ACCESS_READ);
    emit(cx, (struct ir_ins){.op = (uint8_t)op,
                             .size = o ? o->size : 0,
                             .reg = o ? o->access : 0,
                             .scale = m.scale,
                             .slot = m.slot,
                             .arg = {m.base, m.index, IR_NONE},
                             .imm = m.disp});
}

static bool is_native(const CX *cx, const struct insn *in)
{
    return cx->opt->native(in, cx->b->mode, cx->opt->host);
}

/* On general registers; vector and x87 instructions have their primitives. */
static bool is_general_native(const CX *cx, const struct insn *in)
{
    const uint32_t vector = A_FPU | A_MMX | A_SSE | A_AVX;

    return !(insn_info[in->id].attrs & vector) && in->id != I_FWAIT &&
           is_native(cx, in);
}

PRIM void lift_helper(CX *cx, const struct insn *in, cpu_op *op)
{
    call_c(cx, in, op);
}

/* The host cannot stand in for MXCSR.MM, nor find underflow that is exact: it
 * is flagged only where it is not masked. */
PRIM void lift_vector(CX *cx, const struct insn *in, cpu_op *op)
{
    uint32_t attrs = insn_info[in->id].attrs;
    uint32_t traps = (attrs & (A_AVX | A_SSE) ? MODE_SSE_ODD : 0u) |
                     (attrs & A_AVX ? MODE_NO_AVX : 0u) |
                     (attrs & A_SSE ? MODE_NO_SSE : 0u) |
                     (attrs & A_MMX ? MODE_NO_FPU : 0u);

    /* Segments with limits have them for each element that is gathered. */
    if (cx->b->mode & traps || !is_native(cx, in) ||
        (in->vsib && !seg_is_flat(cx, in->seg)))
        call_c(cx, in, op);
    else
        native(cx, in, IR_VECTOR);
}

PRIM void lift_x87(CX *cx, const struct insn *in, cpu_op *op)
{
    /* The data pointer that x87 keeps is an offset: flat segments only. */
    if (cx->b->mode & MODE_NO_FPU || !is_native(cx, in) ||
        (memory_operand(in) && !seg_is_flat(cx, in->seg)))
        call_c(cx, in, op);
    else
        native(cx, in, IR_X87);
}

#include "cpu/sem/dialect.h"

static void emit_exit(CX *cx, uint64_t ip)
{
    emit(cx, (struct ir_ins){.op = IR_EXIT,
                             .arg = {IR_NONE, IR_NONE, IR_NONE},
                             .imm = (int64_t)ip});
}

void lift_end(struct ir_block *b)
{
    CX cx = {.b = b};

    emit_exit(&cx, b->ip[b->insn_count]);
}

/* A relative branch that leaves the segment or the canonical range: the
 * interpreter's body raises what is due. */
static bool branch_is_illegal(CX *cx, const struct insn *in)
{
    uint64_t target = ip_of(cx, in) + in->len + in->imm;

    return in->op[0].kind == OPND_REL &&
           !target_is_legal(cx, target & bits_mask(8u * in->opsize));
}

bool lift_insn(struct ir_block *b, const struct insn *in, uint64_t ip,
               const struct lift_options *opt)
{
    CX cx = {.b = b, .opt = opt, .jump = IR_NONE, .condition = IR_NONE};
    struct insn *kept = &b->insn[b->insn_count];
    uint64_t next = ip + in->len, target;

    if (!(b->mode & MODE_CODE64))
        next &= UINT32_MAX;
    *kept = *in;
    b->ip[b->insn_count++] = ip;
    b->ip[b->insn_count] = next;
    if (branch_is_illegal(&cx, kept) ||
        (opt->by_helper >> (b->insn_count - 1) & 1))
        call_c(&cx, kept, NULL);
    else if (is_general_native(&cx, kept))
        native(&cx, kept, IR_VECTOR);
    else
        lift_table[in->id](&cx, kept);
    flush_pending(&cx);
    if (cx.condition != IR_NONE)
        emit(&cx, (struct ir_ins){.op = IR_EXIT_IF,
                                  .size = 1,
                                  .arg = {cx.condition, IR_NONE, IR_NONE},
                                  .imm = (int64_t)cx.target});
    if (cx.jump != IR_NONE) {
        if (is_const(&cx, cx.jump, &target))
            emit_exit(&cx, target);
        else
            emit_op(&cx, IR_EXIT_TO, 8, cx.jump, IR_NONE, IR_NONE);
        return true;
    }
    if (cx.helper_ends) {
        emit_op(&cx, IR_EXIT_CPU, 0, IR_NONE, IR_NONE, IR_NONE);
        return true;
    }
    if (insn_info[in->id].attrs & A_ENDS && !cx.stays) {
        emit_exit(&cx, next);
        return true;
    }
    return false;
}
