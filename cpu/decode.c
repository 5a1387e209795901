#include "cpu/decode.h"

#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "cpu/cpu.h"
#include "cpu/insn_match.h"

enum {
    REX_W = 8,
    REX_R = 4,
    REX_X = 2,
    REX_B = 1,
    REX_HERE = 0x40, /* as in the byte itself */
    /* Prefixes stop at 15 bytes; after them come at most three bytes of
     * opcode, ModRM, SIB, 4 of displacement and 8 of immediates. */
    WINDOW = 40,
};

/* What is known so far.  Bytes past the end read as 0: a decision may rest on
 * them only after finish() has compared `at` with `end`. */
struct decoder {
    uint8_t bytes[WINDOW];
    unsigned at, end;
    uint8_t rex;
    uint8_t pfx; /* PFX_* */
    uint8_t imms;
    uint8_t vvvv; /* of VEX, not inverted */
    bool code64;
    uint32_t mode;
    struct feature_set features;
    struct insn *in;
};

static uint8_t next8(struct decoder *d)
{
    return d->bytes[d->at++];
}

static uint64_t next(struct decoder *d, unsigned size)
{
    uint64_t v = load64(d->bytes + d->at);

    d->at += size;
    return v & bits_mask(8 * size);
}

static uint64_t next_signed(struct decoder *d, unsigned size)
{
    return bits_sext(next(d, size), 8 * size);
}

/* --- prefixes (SDM vol. 2, 2.1.1 and 2.2.1) --- */

/* CS, DS, ES and SS overrides are ignored in 64-bit mode; an FS or GS that came
 * before them stays. */
static void override(struct decoder *d, enum seg seg)
{
    if (!d->code64 || seg >= FS)
        d->in->seg = (uint8_t)seg;
}

static void repeat(struct decoder *d, enum insn_prefix which)
{
    unsigned others = d->in->prefixes & ~(unsigned)(PREFIX_REP | PREFIX_REPNE);

    d->in->prefixes = (uint8_t)(others | which);
}

/* False: b is no legacy prefix. */
static bool take_prefix(struct decoder *d, uint8_t b)
{
    switch (b) {
    case 0x26: override(d, ES); break;
    case 0x2e: override(d, CS); break;
    case 0x36: override(d, SS); break;
    case 0x3e: override(d, DS); break;
    case 0x64: override(d, FS); break;
    case 0x65: override(d, GS); break;
    case 0x66: d->in->prefixes |= PREFIX_OPSIZE; break;
    case 0x67: d->in->prefixes |= PREFIX_ADDRSIZE; break;
    case 0xf0: d->in->prefixes |= PREFIX_LOCK; break;
    case 0xf2: repeat(d, PREFIX_REPNE); break;
    case 0xf3: repeat(d, PREFIX_REP); break;
    default: return false;
    }
    return true;
}

/* REX counts only directly before the opcode. */
static void take_prefixes(struct decoder *d)
{
    d->in->seg = SEG_NONE;
    for (; d->at < d->end; d->at++) {
        uint8_t b = d->bytes[d->at];

        if (d->code64 && (b & 0xf0) == 0x40)
            d->rex = b;
        else if (take_prefix(d, b))
            d->rex = 0;
        else
            break;
    }
    if (d->rex)
        d->in->prefixes |= PREFIX_REX;
    if (d->rex & REX_W)
        d->in->prefixes |= PREFIX_REX_W;
}

static uint8_t mandatory_prefix(unsigned prefixes)
{
    if (prefixes & PREFIX_REPNE)
        return PFX_F2;
    if (prefixes & PREFIX_REP)
        return PFX_F3;
    return prefixes & PREFIX_OPSIZE ? PFX_66 : PFX_NP;
}

/* --- sizes (SDM vol. 1, 3.6 and vol. 2, 2.2.1.7) --- */

static uint8_t operand_size(const struct decoder *d, uint32_t attrs)
{
    bool toggled = d->in->prefixes & PREFIX_OPSIZE;

    if (attrs & A_VEX)
        return d->code64 && d->rex & REX_W ? 8 : 4;
    if (!d->code64)
        return !(d->mode & MODE_CODE32) == toggled ? 4 : 2;
    if (d->rex & REX_W || attrs & A_FORCE64)
        return 8;
    if (toggled)
        return 2;
    return attrs & A_DEF64 ? 8 : 4;
}

static uint8_t address_size(const struct decoder *d)
{
    bool toggled = d->in->prefixes & PREFIX_ADDRSIZE;

    if (d->code64)
        return toggled ? 4 : 8;
    return !(d->mode & MODE_CODE32) == toggled ? 4 : 2;
}

static uint8_t size_of(const struct decoder *d, unsigned rule)
{
    static const uint8_t sizes[SIZE_END - SIZE_RULES][3] = {
        [SIZE_V - SIZE_RULES] = {2, 4, 8},
        [SIZE_Z - SIZE_RULES] = {2, 4, 4},
        [SIZE_Y - SIZE_RULES] = {4, 4, 8},
        [SIZE_P - SIZE_RULES] = {4, 6, 10},
        [SIZE_A - SIZE_RULES] = {4, 8, 16},
        [SIZE_E - SIZE_RULES] = {14, 28, 28},
        [SIZE_F - SIZE_RULES] = {94, 108, 108},
    };

    if (rule < SIZE_RULES)
        return (uint8_t)rule;
    if (rule == SIZE_N)
        return d->code64 ? 8 : 4;
    if (rule == SIZE_I)
        return d->in->addrsize;
    if (rule == SIZE_S)
        return d->code64 ? 10 : 6;
    if (rule >= SIZE_X)
        return (uint8_t)((d->in->vex_len == 32 ? 32 : 16) >> (rule - SIZE_X));
    return sizes[rule - SIZE_RULES][d->in->opsize >> 2];
}

/* --- ModRM and SIB (SDM vol. 2, 2.1.5) --- */

/* Table 2-1. */
static void take_memory16(struct decoder *d, unsigned mod, unsigned rm)
{
    static const uint8_t bases[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
    static const uint8_t indexes[8] = {RSI,      RDI,      RSI,      RDI,
                                       REG_NONE, REG_NONE, REG_NONE, REG_NONE};
    struct insn *in = d->in;

    if (mod == 0 && rm == 6) {
        in->disp = (int64_t)next_signed(d, 2);
        return;
    }
    in->base = bases[rm];
    in->index = indexes[rm];
    if (mod)
        in->disp = (int64_t)next_signed(d, mod);
}

/* Table 2-3.  The base, as a number of 3 bits.  Every vector register can be
 * an index (2.3.12). */
static unsigned take_sib(struct decoder *d, bool vsib)
{
    unsigned sib = next8(d);
    unsigned index = (sib >> 3 & 7) | (d->rex & REX_X ? 8 : 0);

    if (index != RSP || vsib) {
        d->in->index = (uint8_t)index;
        d->in->scale = (uint8_t)(sib >> 6);
    }
    return sib & 7;
}

/* Table 2-2 and 2.2.1.6. */
static void take_memory32(struct decoder *d, unsigned mod, unsigned rm,
                          bool vsib)
{
    struct insn *in = d->in;
    bool sib = rm == 4;

    if (sib)
        rm = take_sib(d, vsib);
    if (mod == 0 && rm == 5) {
        in->base = d->code64 && !sib ? REG_RIP : REG_NONE;
        in->disp = (int64_t)next_signed(d, 4);
        return;
    }
    in->base = (uint8_t)(rm | (d->rex & REX_B ? 8 : 0));
    if (mod)
        in->disp = (int64_t)next_signed(d, mod == 1 ? 1 : 4);
}

static void take_memory(struct decoder *d, bool vsib)
{
    struct insn *in = d->in;
    unsigned mod = in->modrm >> 6, rm = in->modrm & 7;

    if (in->addrsize == 2)
        take_memory16(d, mod, rm);
    else
        take_memory32(d, mod, rm, vsib);
    if (in->seg == SEG_NONE && (in->base == RSP || in->base == RBP))
        in->seg = SS;
}

/* --- opcode -> row --- */

/* VEX, not LES or LDS (SDM vol. 2, 2.3.5.2): where those would have a register
 * operand, and always in 64-bit mode. */
static bool is_vex(const struct decoder *d)
{
    if ((d->bytes[d->at] & 0xfe) != 0xc4)
        return false;
    return d->code64 || (d->mode & MODE_PE && d->bytes[d->at + 1] >= 0xc0);
}

/* The prefix and the opcode (2.3.5, 2.3.6).  R, X, B and vvvv are inverted;
 * outside 64-bit mode R and X are 1, B and the top of vvvv count for nothing.
 * MAPX_COUNT: #UD. */
static enum map_index take_vex(struct decoder *d)
{
    struct insn *in = d->in;
    bool three = next8(d) == 0xc4;
    unsigned first = next8(d), second = first, map = 1;
    unsigned rex = ~first >> 5 & (three ? 7 : REX_R);

    if (in->prefixes &
        (PREFIX_LOCK | PREFIX_REP | PREFIX_REPNE | PREFIX_OPSIZE | PREFIX_REX))
        return MAPX_COUNT;
    if (three) {
        map = first & 0x1f;
        second = next8(d);
    }
    d->rex = (uint8_t)(d->code64 ? rex : 0);
    if (three && second & 0x80) {
        d->rex |= REX_W;
        in->prefixes |= PREFIX_REX_W;
    }
    d->rex |= REX_HERE;
    d->vvvv = ~second >> 3 & 15;
    d->pfx = second & 3;
    in->vex_len = second & 4 ? 32 : 16;
    in->code = next8(d);
    in->cc = in->code & 15;
    in->opcode_at = (uint8_t)(d->at - 1);
    in->map = map == 1 ? 2 : map == 2 ? 0x38 : 0x3a;
    return map >= 1 && map <= 3 ? MAPX_V2 + map - 1 : MAPX_COUNT;
}

static enum map_index take_opcode(struct decoder *d)
{
    struct insn *in = d->in;
    enum map_index map = MAPX_1;

    if (is_vex(d))
        return take_vex(d);
    in->map = 1;
    in->code = next8(d);
    if ((in->code & 0xf8) == 0xd8) {
        in->map = in->code;
        map = MAPX_D8 + (in->code & 7);
    } else if (in->code == 0x0f) {
        in->map = 2;
        map = MAPX_2;
        in->code = next8(d);
        if (in->code == 0x38 || in->code == 0x3a) {
            map = in->code == 0x38 ? MAPX_38 : MAPX_3A;
            in->map = in->code;
            in->code = next8(d);
        } else if (in->code == 0x0f) {
            in->map = 0x0f;
            map = MAPX_3D;
        }
    }
    in->cc = in->code & 15;
    in->opcode_at = (uint8_t)(d->at - 1);
    return map;
}

static unsigned selector(const struct decoder *d)
{
    unsigned s = d->in->modrm | (unsigned)d->pfx << SEL_PFX_SHIFT;

    if (d->in->modrm < 0xc0)
        s |= SEL_MEM;
    if (d->code64)
        s |= SEL_CODE64;
    if (d->mode & MODE_PE)
        s |= SEL_PE;
    if (d->rex & REX_B)
        s |= SEL_REX_B;
    if (d->rex & REX_W)
        s |= SEL_REX_W;
    if (d->in->vex_len == 32)
        s |= SEL_L;
    if (!d->vvvv)
        s |= SEL_NO_V;
    return s;
}

/* The row among `last` and those before it; NULL if none. */
static const struct insn_match *choose(unsigned last, unsigned sel,
                                       const struct feature_set *features)
{
    const struct insn_match *m = &insn_match[last - 1];
    unsigned key = m->key;

    for (; m >= insn_match && m->key == key; m--) {
        if ((sel & m->mask) == m->value &&
            feature_set_has(features, m->feature))
            return m;
    }
    return NULL;
}

/* 3DNow! has its opcode behind the operands (APM vol. 3, 1.4.1). */
static void take_suffix(struct decoder *d)
{
    struct insn *in = d->in;

    in->modrm = next8(d);
    in->addrsize = address_size(d);
    if (in->modrm < 0xc0)
        take_memory(d, false);
    in->code = next8(d);
}

/* By what insn_last finds the opcode. */
static unsigned row_code(struct decoder *d, enum map_index map)
{
    unsigned modrm = d->bytes[d->at];

    if (map == MAPX_3D)
        take_suffix(d);
    if (map < MAPX_D8)
        return d->in->code;
    return modrm < 0xc0 ? modrm >> 3 & 7 : modrm;
}

/* Reads ModRM on the way, if the opcode has one. */
static const struct insn_match *find_row(struct decoder *d)
{
    enum map_index map = take_opcode(d);
    const struct insn_match *m = NULL;
    unsigned code, sel, i;
    uint16_t last[INSN_LISTS];

    if (map == MAPX_COUNT)
        return NULL;
    code = row_code(d, map);
    sel = 0;
    last[0] = insn_last[0][map][code];
    last[1] = insn_last[1][map][code];
    if (!(last[0] | last[1])) {
        sel = SEL_EIGHT;
        last[0] = insn_last[0][map][code & ~7u];
        last[1] = insn_last[1][map][code & ~7u];
    }
    if (!(last[0] | last[1]))
        return NULL;
    i = (last[0] ? last[0] : last[1]) - 1u;
    if (insn_match[i].shape & SHAPE_MODRM && map != MAPX_3D)
        d->in->modrm = next8(d);
    sel |= selector(d);
    for (i = 0; i < INSN_LISTS && !m; i++) {
        if (last[i])
            m = choose(last[i], sel, &d->features);
    }
    return m;
}

/* --- operands --- */

static unsigned modrm_reg(const struct decoder *d)
{
    return (d->in->modrm >> 3 & 7u) | (d->rex & REX_R ? 8 : 0);
}

static unsigned modrm_rm(const struct decoder *d)
{
    return (d->in->modrm & 7u) | (d->rex & REX_B ? 8 : 0);
}

static void set_gpr(const struct decoder *d, struct operand *op, unsigned reg)
{
    bool high = op->size == 1 && !d->rex && reg >= 4;

    op->kind = high ? OPND_GPRH : OPND_GPR;
    op->reg = (uint8_t)(high ? reg - 4 : reg);
}

static void set_reg(struct operand *op, enum operand_kind kind, unsigned reg)
{
    op->kind = (uint8_t)kind;
    op->reg = (uint8_t)reg;
}

/* A general, MMX or XMM register of ModRM.rm, or memory. */
static void set_rm(const struct decoder *d, struct operand *op,
                   enum operand_kind kind)
{
    if (d->in->modrm < 0xc0)
        op->kind = OPND_MEM;
    else if (kind == OPND_GPR)
        set_gpr(d, op, modrm_rm(d));
    else
        set_reg(op, kind, kind == OPND_MM ? d->in->modrm & 7u : modrm_rm(d));
}

static void set_imm(struct decoder *d, struct operand *op, uint64_t v)
{
    if (d->imms++) {
        op->kind = OPND_IMM2;
        d->in->imm2 = v;
    } else {
        op->kind = OPND_IMM;
        d->in->imm = v;
    }
}

static void set_far(struct decoder *d, struct operand *op)
{
    op->kind = OPND_IMM;
    d->in->imm = next(d, op->size);
    d->in->imm2 = next(d, 2);
}

static void set_rel(struct decoder *d, struct operand *op, unsigned size)
{
    op->kind = OPND_REL;
    d->in->imm = next_signed(d, size);
}

/* An offset without ModRM; no sign in it. */
static void set_moffs(struct decoder *d, struct operand *op)
{
    op->kind = OPND_MEM;
    d->in->disp = (int64_t)next(d, d->in->addrsize);
}

/* Registers that do not exist are #UD: MOV CS,x; CR1, CR5..CR7, CR9.. (SDM
 * vol. 2, MOV); DR8.. (REX.R). */
static bool set_special(const struct decoder *d, struct operand *op,
                        enum operand_kind kind)
{
    unsigned reg = modrm_reg(d);

    if (kind == OPND_SEG)
        reg &= 7;
    set_reg(op, kind, reg);
    switch (kind) {
    case OPND_SEG: return reg <= GS && !(reg == CS && op->access & ACC_W);
    case OPND_CR:
        return 1u << reg & (1u << 0 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 8);
    default: return reg < 8;
    }
}

/* False: no SIB byte, no vector register in it: #UD. */
static bool set_vsib(const struct decoder *d, struct operand *op,
                     const struct operand_info *info)
{
    op->kind = OPND_MEM;
    d->in->vsib = size_of(d, info->fixed);
    return d->in->addrsize != 2 && (d->in->modrm & 7) == 4;
}

/* A register number in VEX.vvvv or an immediate: 3 bits outside 64-bit mode. */
static unsigned vex_reg(const struct decoder *d, unsigned number)
{
    return d->code64 ? number : number & 7;
}

static unsigned word_or_double(const struct operand *op)
{
    return op->size == 2 ? 2 : 4;
}

/* False: no such register, #UD. */
static bool take_operand(struct decoder *d, unsigned spec, struct operand *op)
{
    const struct operand_info *info = &operand_info[spec];
    struct insn *in = d->in;

    op->size = size_of(d, info->size);
    switch ((enum operand_how)info->how) {
    case HOW_NONE: break;
    case HOW_RM_MW:
        if (in->modrm < 0xc0)
            op->size = 2;
        set_rm(d, op, OPND_GPR);
        break;
    case HOW_RM_MB:
        if (in->modrm < 0xc0)
            op->size = 1;
        set_rm(d, op, OPND_GPR);
        break;
    case HOW_RM:
    case HOW_MEM:
    case HOW_RM_REG: set_rm(d, op, OPND_GPR); break;
    case HOW_RM_ANY: set_gpr(d, op, modrm_rm(d)); break;
    case HOW_REG: set_gpr(d, op, modrm_reg(d)); break;
    case HOW_MM_RM:
    case HOW_MM_RMREG: set_rm(d, op, OPND_MM); break;
    case HOW_MM_REG: set_reg(op, OPND_MM, modrm_reg(d) & 7); break;
    case HOW_XMM_RM:
    case HOW_XMM_RMREG: set_rm(d, op, OPND_XMM); break;
    case HOW_XMM_REG: set_reg(op, OPND_XMM, modrm_reg(d)); break;
    case HOW_XMM_V: set_reg(op, OPND_XMM, vex_reg(d, d->vvvv)); break;
    case HOW_XMM_IMM: set_reg(op, OPND_XMM, vex_reg(d, next8(d) >> 4)); break;
    case HOW_GPR_V: set_gpr(d, op, vex_reg(d, d->vvvv)); break;
    case HOW_VSIB: return set_vsib(d, op, info);
    case HOW_SEG: return set_special(d, op, OPND_SEG);
    case HOW_CR: return set_special(d, op, OPND_CR);
    case HOW_DR: return set_special(d, op, OPND_DR);
    case HOW_ST_0: set_reg(op, OPND_ST, 0); break;
    case HOW_ST_I: set_reg(op, OPND_ST, in->modrm & 7); break;
    case HOW_ZREG:
        set_gpr(d, op, (in->code & 7u) | (d->rex & REX_B ? 8 : 0));
        break;
    case HOW_FIXED: set_reg(op, OPND_GPR, info->fixed); break;
    case HOW_FIXSEG: set_reg(op, OPND_SEG, info->fixed); break;
    case HOW_IMM_U8: set_imm(d, op, next(d, 1)); break;
    case HOW_IMM_S8: set_imm(d, op, next_signed(d, 1)); break;
    case HOW_IMM_16: set_imm(d, op, next(d, 2)); break;
    case HOW_IMM_Z: set_imm(d, op, next_signed(d, word_or_double(op))); break;
    case HOW_IMM_V: set_imm(d, op, next_signed(d, op->size)); break;
    case HOW_ONE: set_imm(d, op, info->fixed); break;
    case HOW_REL_8: set_rel(d, op, 1); break;
    case HOW_REL_Z: set_rel(d, op, word_or_double(op)); break;
    case HOW_FAR: set_far(d, op); break;
    case HOW_MOFFS: set_moffs(d, op); break;
    case HOW_SRC:
    case HOW_DST: op->kind = OPND_MEM; break;
    }
    return true;
}

static bool take_operands(struct decoder *d, const struct insn_info *info)
{
    bool exist = true;

    for (unsigned i = 0; i < INSN_OPERANDS && info->operand[i]; i++) {
        d->in->op[i].access = info->access[i];
        exist &= take_operand(d, info->operand[i], &d->in->op[i]);
    }
    return exist;
}

/* LOCK is for a list of instructions that write memory (SDM vol. 2, LOCK). */
static bool lock_is_legal(const struct insn *in, uint32_t attrs)
{
    if (!(in->prefixes & PREFIX_LOCK))
        return true;
    return attrs & A_LOCK && in->op[0].kind == OPND_MEM;
}

/* --- the whole --- */

/* The result, unless it was reached on bytes that are not there. */
static enum decode_result finish(struct decoder *d, enum decode_result result)
{
    struct insn *in = d->in;

    if (unlikely(d->at > d->end))
        return d->end == INSN_MAX_LEN ? DECODE_TOO_LONG : DECODE_MORE;
    in->len = (uint8_t)d->at;
    memcpy(in->bytes, d->bytes, INSN_MAX_LEN);
    memset(in->bytes + d->at, 0, sizeof(in->bytes) - d->at);
    return result;
}

static void start(struct decoder *d, const uint8_t *bytes, size_t size)
{
    memset(d->bytes, 0, sizeof(d->bytes));
    if (likely(size >= INSN_MAX_LEN)) {
        memcpy(d->bytes, bytes, INSN_MAX_LEN);
        d->end = INSN_MAX_LEN;
    } else {
        memcpy(d->bytes, bytes, size);
        d->end = (unsigned)size;
    }
}

static enum decode_result decode_row(struct decoder *d,
                                     const struct insn_match *m)
{
    const struct insn_info *info = &insn_info[m - insn_match];
    struct insn *in = d->in;
    bool exist;

    in->id = (uint16_t)(m - insn_match);
    in->opsize = operand_size(d, info->attrs);
    in->addrsize = address_size(d);
    if ((m->shape & (SHAPE_MODRM | SHAPE_ANY_MOD)) == SHAPE_MODRM &&
        in->modrm < 0xc0 && in->map != 0x0f)
        take_memory(d, m->shape & SHAPE_VSIB);
    if (in->seg == SEG_NONE)
        in->seg = DS;
    exist = take_operands(d, info);
    if (!exist || !lock_is_legal(in, info->attrs))
        return finish(d, DECODE_UD);
    return finish(d, DECODE_OK);
}

enum decode_result decode(const uint8_t *bytes, size_t size, uint32_t mode,
                          struct feature_set features, struct insn *in)
{
    struct decoder d;
    const struct insn_match *m;

    *in = (struct insn){.base = REG_NONE, .index = REG_NONE};
    start(&d, bytes, size);
    d.at = 0;
    d.rex = 0;
    d.imms = d.vvvv = 0;
    d.mode = mode;
    d.code64 = mode & MODE_CODE64;
    d.features = features;
    feature_set_put(&d.features, FEAT_BASE, true);
    d.in = in;
    take_prefixes(&d);
    d.pfx = mandatory_prefix(in->prefixes);
    m = find_row(&d);
    if (!m)
        return finish(&d, DECODE_UD);
    return decode_row(&d, m);
}
