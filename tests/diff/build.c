#include "tests/diff/build.h"

#include <string.h>

#include "base/bytes.h"
#include "cpu/cpu.h"
#include "cpu/insn_match.h"
#include "tests/diff/layout.h"

/* The encoding under construction. */
struct draft {
    const struct plan *p;
    const struct insn_info *info;
    const struct insn_match *match;
    uint8_t bytes[40];
    unsigned n;
    bool mem, vex;
    uint8_t rex;      /* W R X B */
    uint8_t addrsize; /* bytes */
    uint8_t seg;      /* override, or SEG_NONE */
    uint8_t reg, rm;  /* of ModRM, 4 bits each */
    uint8_t tail[8];  /* SIB and displacement */
    unsigned tail_n;
    uint8_t mod;
    bool rip_relative;
    uint32_t rip_target;
};

static struct rng *rng(const struct draft *d)
{
    return d->p->rng;
}

static bool is64(const struct draft *d)
{
    return d->p->c->kind == CODE_64;
}

static void put(struct draft *d, unsigned byte)
{
    d->bytes[d->n++] = (uint8_t)byte;
}

uint32_t build_mode(enum code_kind kind)
{
    static const uint32_t code[CODE_KINDS] = {
        MODE_CODE64, MODE_CODE32, MODE_CODE32, MODE_CODE16,
    };

    return code[kind] | MODE_PE;
}

/* --- registers --- */

static bool is_reserved(const struct plan *p, unsigned reg)
{
    for (unsigned i = 0; i < POINTERS; i++)
        if (p->pointer[i] == reg)
            return true;
    return reg == RSP || reg == p->index;
}

static unsigned any_register(const struct draft *d)
{
    return rng_below(rng(d), is64(d) ? 16 : 8);
}

/* For a general register that may be written: seldom a reserved one. */
static unsigned free_register(const struct draft *d)
{
    unsigned reg = any_register(d);

    while (is_reserved(d->p, reg) && !rng_chance(rng(d), 3))
        reg = any_register(d);
    return reg;
}

/* --- where operands lie --- */

uint64_t build_segment_base(const struct test_case *c, unsigned seg)
{
    uint16_t sel = c->in.sel[seg];

    if (c->kind == CODE_64)
        return seg == FS ? c->in.fs_base : seg == GS ? c->in.gs_base : 0;
    return sel & 4 ? ldt_entry(sel >> 3).base : 0;
}

/* Across a page's end, where nothing is, where writing is forbidden. */
static uint64_t odd_aim(const struct plan *p, unsigned n)
{
    unsigned back = 1 + rng_below(p->rng, n ? n : 1);

    switch (rng_below(p->rng, 8)) {
    case 0: return DATA - back;
    case 1: return DATA_RO - back;
    case 2: return DATA_END - back;
    case 3: return DATA_RO + 64 * rng_below(p->rng, 60);
    case 4: return DATA_END + rng_below(p->rng, 64);
    case 5: return CODE + rng_below(p->rng, CODE_SIZE - 64);
    case 6: return STACK - back;
    default: return DATA + PAGE - back;
    }
}

uint64_t build_aim(const struct plan *p, unsigned n, bool aligned)
{
    uint64_t at;

    if (rng_chance(p->rng, p->daring ? 14 : 1))
        return odd_aim(p, n);
    if (rng_chance(p->rng, 4))
        return DATA + PAGE - (1 + rng_below(p->rng, n ? n : 1));
    at = p->spot[rng_below(p->rng, p->spots)];
    if (rng_chance(p->rng, aligned ? 4 : 35))
        at += rng_below(p->rng, 31);
    else if (rng_chance(p->rng, 50))
        at += 32;
    return at;
}

static unsigned operand_bytes(const struct draft *d)
{
    for (unsigned i = 0; i < INSN_OPERANDS; i++) {
        const struct operand_info *o = &operand_info[d->info->operand[i]];

        if (o->how >= HOW_RM && o->how <= HOW_LAST_MODRM && o->how != HOW_REG &&
            o->how != HOW_XMM_REG && o->how != HOW_MM_REG)
            return o->size < SIZE_RULES ? o->size : 8;
    }
    return 8;
}

/* --- memory forms of ModRM (SDM vol. 2, 2.1.5) --- */

static void put_tail(struct draft *d, uint64_t v, unsigned n)
{
    store64(d->tail + d->tail_n, v);
    d->tail_n += n;
}

/* mod and displacement for `delta` from the base register. */
static void put_displacement(struct draft *d, int64_t delta, unsigned wide,
                             bool needed)
{
    if (delta == 0 && !needed && rng_chance(rng(d), 90)) {
        d->mod = 0;
    } else if (delta >= -128 && delta <= 127 && rng_chance(rng(d), 85)) {
        d->mod = 1;
        put_tail(d, (uint64_t)delta, 1);
    } else {
        d->mod = 2;
        put_tail(d, (uint64_t)delta, wide);
    }
}

static uint64_t reg_value(const struct draft *d, unsigned reg)
{
    uint64_t v = d->p->c->in.gpr[reg];

    return d->addrsize == 8 ? v : d->addrsize == 4 ? (uint32_t)v : (uint16_t)v;
}

static void memory16(struct draft *d, uint64_t to)
{
    static const uint8_t bases[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
    static const uint8_t indexes[4] = {RSI, RDI, RSI, RDI};
    unsigned rm = rng_below(rng(d), 8);

    d->rm = (uint8_t)rm;
    if (rm == 6 && rng_chance(rng(d), 50)) {
        d->mod = 0;
        put_tail(d, to, 2);
        return;
    }
    to -= reg_value(d, bases[rm]);
    if (rm < 4)
        to -= reg_value(d, indexes[rm]);
    put_displacement(d, (int16_t)to, 2, rm == 6);
}

static void rip_or_absolute(struct draft *d, uint64_t to)
{
    d->mod = 0;
    if (is64(d) && rng_chance(rng(d), 50)) {
        d->rm = 4;
        put_tail(d, 0x25, 1);
        put_tail(d, to, 4);
        return;
    }
    d->rm = 5;
    d->rip_relative = is64(d);
    d->rip_target = (uint32_t)to;
    put_tail(d, to, 4);
}

/* The index is general, or a vector register whose elements are small. */
static void put_sib(struct draft *d, unsigned base, uint64_t to)
{
    unsigned scale = rng_below(rng(d), 4);
    unsigned index = RSP;
    bool vsib = d->match->shape & SHAPE_VSIB;

    if (vsib) {
        index = any_register(d);
    } else if (base == RSP ? rng_chance(rng(d), 20) : rng_chance(rng(d), 80)) {
        index = d->p->index;
        to -= d->p->c->in.gpr[index] << scale;
    }
    d->rm = 4;
    d->rex |= (uint8_t)((base >> 3) | (index >> 3) << 1);
    put_tail(d, scale << 6 | (index & 7) << 3 | (base & 7), 1);
    to -= reg_value(d, base);
    put_displacement(d, d->addrsize == 8 ? (int64_t)to : (int32_t)to, 4,
                     (base & 7) == RBP);
}

static void memory32(struct draft *d, uint64_t to)
{
    unsigned base = d->p->pointer[rng_below(rng(d), POINTERS)];
    bool vsib = d->match->shape & SHAPE_VSIB;

    if (!vsib && rng_chance(rng(d), 8)) {
        rip_or_absolute(d, to);
        return;
    }
    if (vsib || (base & 7) == RSP || rng_chance(rng(d), 25)) {
        put_sib(d, base, to);
        return;
    }
    d->rm = (uint8_t)(base & 7);
    d->rex |= (uint8_t)(base >> 3);
    to -= reg_value(d, base);
    put_displacement(d, d->addrsize == 8 ? (int64_t)to : (int32_t)to, 4,
                     (base & 7) == RBP);
}

/* [RSP + x] */
static void memory_stack(struct draft *d)
{
    d->rm = 4;
    put_tail(d, 0x24, 1);
    put_displacement(d, (int64_t)rng_below(rng(d), 64) - 16, 4, false);
}

static unsigned segment_used(const struct draft *d)
{
    return d->seg != SEG_NONE ? d->seg : DS;
}

static void choose_memory(struct draft *d)
{
    uint64_t to = build_aim(d->p, operand_bytes(d),
                            d->info->attrs & A_XMM_ALIGN) -
                  build_segment_base(d->p->c, segment_used(d));

    if (d->addrsize == 2)
        memory16(d, to);
    else if (d->seg == SEG_NONE && !(d->match->shape & SHAPE_VSIB) &&
             rng_chance(rng(d), 8))
        memory_stack(d);
    else
        memory32(d, to);
}

/* --- prefixes --- */

static void put_segment(struct draft *d)
{
    static const uint8_t codes[SEG_COUNT] = {0x26, 0x2e, 0x36,
                                             0x3e, 0x64, 0x65};
    unsigned seg = rng_below(rng(d), SEG_COUNT);

    d->seg = SEG_NONE;
    if (!rng_chance(rng(d), 7))
        return;
    put(d, codes[seg]);
    if (!is64(d) || seg >= FS)
        d->seg = (uint8_t)seg;
}

static void put_address_size(struct draft *d)
{
    bool other = rng_chance(rng(d), d->p->c->kind == CODE_32 ? 2 : 7);

    if (other)
        put(d, 0x67);
    if (is64(d))
        d->addrsize = other ? 4 : 8;
    else
        d->addrsize = (d->p->c->kind == CODE_16) == other ? 4 : 2;
}

static bool has_relative(const struct draft *d)
{
    unsigned how = operand_info[d->info->operand[0]].how;

    return how == HOW_REL_8 || how == HOW_REL_Z;
}

/* AMD takes 66 on near branches in 64-bit code for a 16-bit operand size, Intel
 * ignores it: not built. */
static void put_operand_size(struct draft *d)
{
    unsigned percent = has_relative(d) ? (is64(d) ? 0 : 2) : 20;

    if (d->info->pfx == PFX_66 ||
        (d->info->pfx != PFX_NP && !(is64(d) && d->info->attrs & A_FORCE64) &&
         rng_chance(rng(d), d->info->pfx == PFX__ ? percent : 4)))
        put(d, 0x66);
}

/* With REP or REPNE, AMD processors take LOOPNE for LOOPE and the reverse: not
 * built. */
static bool is_counted_jump(const struct draft *d)
{
    return !strcmp(d->info->body, "loope") || !strcmp(d->info->body, "loopne");
}

static void put_repeat(struct draft *d)
{
    if (d->info->pfx == PFX_F3)
        put(d, 0xf3);
    else if (d->info->pfx == PFX_F2)
        put(d, 0xf2);
    else if (d->info->pfx == PFX__ && !is_counted_jump(d) &&
             rng_chance(rng(d), d->info->attrs & A_REP ? 60 : 1))
        put(d, rng_chance(rng(d), 50) ? 0xf3 : 0xf2);
}

static void put_prefixes(struct draft *d)
{
    put_segment(d);
    put_address_size(d);
    if (d->vex)
        return;
    put_operand_size(d);
    if (d->mem && d->info->attrs & A_LOCK && rng_chance(rng(d), 15))
        put(d, 0xf0);
    put_repeat(d);
}

/* --- ModRM.reg, and registers elsewhere --- */

static bool uses(const struct draft *d, unsigned how)
{
    for (unsigned i = 0; i < INSN_OPERANDS; i++)
        if (operand_info[d->info->operand[i]].how == how)
            return true;
    return false;
}

static void choose_modrm(struct draft *d)
{
    unsigned mask = d->match->mask & 0xff, value = d->match->value & 0xff;

    d->reg = (uint8_t)(uses(d, HOW_REG) ? free_register(d) : any_register(d));
    if (!uses(d, HOW_REG) && !uses(d, HOW_XMM_REG) && rng_chance(rng(d), 95))
        d->reg &= 7;
    if (mask & 0x38)
        d->reg = (uint8_t)((d->reg & 8) | (value >> 3 & 7));
    if (d->mem) {
        choose_memory(d);
    } else {
        d->mod = 3;
        d->rm = (uint8_t)free_register(d);
        d->rex |= (uint8_t)(d->rm >> 3);
    }
    d->rex |= (uint8_t)(d->reg >> 3 << 2);
    if ((mask & 0xc7) == 0xc7) {
        d->mod = 3;
        d->rm = value & 7;
    }
}

/* Far pointers have no 64-bit offset on AMD processors: REX.W not built. */
static bool has_far_pointer(const struct draft *d)
{
    for (unsigned i = 0; i < INSN_OPERANDS; i++)
        if (d->info->operand[i] == SPEC_Mp)
            return true;
    return false;
}

static void choose_rex(struct draft *d)
{
    if (d->match->mask & SEL_REX_W)
        d->rex |= d->match->value & SEL_REX_W ? 8 : 0;
    else if (rng_chance(rng(d), 30) && !has_far_pointer(d))
        d->rex |= 8;
}

/* --- opcode --- */

static unsigned map_of(const struct draft *d)
{
    return d->match->key >> 8;
}

static void put_vex(struct draft *d)
{
    static const uint8_t pp[4] = {[PFX_NP] = 0, [PFX_66] = 1, [PFX_F3] = 2,
                                  [PFX_F2] = 3};
    unsigned map = map_of(d) - MAPX_V2 + 1;
    unsigned v = any_register(d), l = rng_below(rng(d), 2), low;

    if (uses(d, HOW_GPR_V))
        v = free_register(d);
    if (d->match->mask & SEL_NO_V)
        v = 0;
    if (d->match->mask & SEL_L)
        l = d->match->value & SEL_L ? 1 : 0;
    low = (~v & 15) << 3 | l << 2 | (d->info->pfx < 4 ? pp[d->info->pfx] : 0);
    if (map == 1 && !(d->rex & 11) && rng_chance(rng(d), 60)) {
        put(d, 0xc5);
        put(d, (d->rex & 4 ? 0 : 0x80) | low);
        return;
    }
    put(d, 0xc4);
    put(d, (~(unsigned)d->rex & 7) << 5 | map);
    put(d, (d->rex & 8 ? 0x80u : 0) | low);
}

static void put_opcode(struct draft *d)
{
    unsigned map = map_of(d), code = d->match->key & 0xff;

    if (d->vex)
        put_vex(d);
    else if (is64(d) && (d->rex || rng_chance(rng(d), 10)))
        put(d, 0x40u | d->rex);
    if (map >= MAPX_D8) {
        put(d, 0xd8 + (map - MAPX_D8));
        return;
    }
    if (!d->vex && map != MAPX_1)
        put(d, 0x0f);
    if (!d->vex && map == MAPX_38)
        put(d, 0x38);
    if (!d->vex && map == MAPX_3A)
        put(d, 0x3a);
    if (map == MAPX_3D) {
        put(d, 0x0f);
        return;
    }
    put(d, uses(d, HOW_ZREG) ? code | (d->rm & 7u) : code);
}

/* x87: the row's code is what ModRM says. */
static void x87_modrm(struct draft *d)
{
    unsigned code = d->match->key & 0xff;

    if (code < 8) {
        d->mem = true;
        d->reg = (uint8_t)code;
        choose_memory(d);
        return;
    }
    d->mod = 3;
    d->reg = code >> 3 & 7;
    d->rm = code & 7;
    if (uses(d, HOW_ST_I))
        d->rm = (uint8_t)rng_below(rng(d), 8);
}

/* --- immediates --- */

static void put_immediates(struct draft *d)
{
    uint64_t v = rng_next(rng(d));

    switch (rng_below(rng(d), 8)) {
    case 0: v = 0; break;
    case 1: v = ~(uint64_t)0; break;
    case 2: v = 0x8080808080808080; break;
    case 3: v = 0x7f; break;
    case 4: v &= 0x3f3f3f3f3f3f3f3f; break;
    case 5: v = (uint64_t)1 << (v & 63); break;
    default: break;
    }
    store64(d->bytes + d->n, v);
}

static void put_moffs(struct draft *d)
{
    uint64_t to = build_aim(d->p, 8, false) -
                  build_segment_base(d->p->c, segment_used(d));

    store64(d->bytes + d->n, to);
}

/* --- the whole --- */

static bool wants_memory(struct draft *d)
{
    if (d->match->mask & SEL_MEM)
        return d->match->value & SEL_MEM;
    if (!(d->match->shape & SHAPE_MODRM) || d->match->shape & SHAPE_ANY_MOD)
        return false;
    if ((d->match->mask & 0xc0) == 0xc0)
        return false;
    return rng_chance(rng(d), 45);
}

static void write_draft(struct draft *d)
{
    bool modrm = d->match->shape & SHAPE_MODRM;

    d->vex = d->info->attrs & A_VEX;
    d->mem = wants_memory(d);
    put_prefixes(d);
    if (map_of(d) >= MAPX_D8)
        x87_modrm(d);
    else if (modrm)
        choose_modrm(d);
    else if (uses(d, HOW_ZREG)) {
        d->rm = (uint8_t)free_register(d);
        d->rex |= (uint8_t)(d->rm >> 3);
    }
    if (map_of(d) < MAPX_D8 || rng_chance(rng(d), 10))
        choose_rex(d);
    put_opcode(d);
    if (modrm) {
        put(d, (unsigned)d->mod << 6 | (d->reg & 7u) << 3 | (d->rm & 7u));
        memcpy(d->bytes + d->n, d->tail, d->tail_n);
        d->n += d->tail_n;
    }
    if (uses(d, HOW_MOFFS))
        put_moffs(d);
    else
        put_immediates(d);
    if (map_of(d) == MAPX_3D)
        d->bytes[d->n] = (uint8_t)d->match->key;
}

static void fix_rip_relative(const struct draft *d, struct insn *in,
                             struct item *it)
{
    const struct test_case *c = d->p->c;
    uint32_t delta;

    if (!d->rip_relative)
        return;
    delta = d->rip_target - (c->code_at + it->offset + in->len);
    store32(it->bytes + d->n - 4, delta);
    in->disp = (int32_t)delta;
}

/* Near branches: displacement at the end, target chosen later. */
static unsigned relative_bytes(const struct insn *in)
{
    if (in->op[0].kind != OPND_REL)
        return 0;
    if (operand_info[insn_info[in->id].operand[0]].how == HOW_REL_8)
        return 1;
    return in->op[0].size == 2 ? 2 : 4;
}

bool build_insn(const struct plan *p, unsigned row, struct item *it,
                struct insn *in)
{
    struct draft d = {.p = p, .info = &insn_info[row],
                      .match = &insn_match[row], .seg = SEG_NONE};

    write_draft(&d);
    if (decode(d.bytes, INSN_MAX_LEN, p->mode, p->features, in) != DECODE_OK ||
        in->id != row)
        return false;
    memcpy(it->bytes, d.bytes, in->len);
    it->len = in->len;
    it->row = (uint16_t)row;
    it->rel = (uint8_t)relative_bytes(in);
    it->target = ITEM_NO_TARGET;
    fix_rip_relative(&d, in, it);
    return true;
}

/* EVEX, the group of VMX, SVM and what else virtual machines use, and VERW,
 * whose operand AMD reads before it objects to LOCK. */
static bool is_unknown_ground(const struct insn *in, const uint8_t *bytes)
{
    unsigned at = in->opcode_at;

    return in->code == 0x62 || bytes[0] == 0x62 ||
           (at && bytes[at - 1] == 0x62) || (in->map == 2 && in->code <= 0x01);
}

bool build_mutant(const struct plan *p, struct item *it, const struct insn *in)
{
    unsigned at = rng_below(p->rng, in->opcode_at + 2u);
    uint8_t bytes[INSN_MAX_LEN + 1];
    struct insn out;

    memset(bytes, 0x90, sizeof(bytes));
    memcpy(bytes + 1, it->bytes, it->len);
    if (insn_info[in->id].attrs & A_CPL0 || it->len == INSN_MAX_LEN)
        return false;
    if (rng_chance(p->rng, 30))
        bytes[0] = 0xf0;
    else if (at < it->len)
        bytes[1 + at] ^= (uint8_t)(1 << rng_below(p->rng, 8));
    if (decode(bytes, INSN_MAX_LEN, p->mode, p->features, &out) != DECODE_UD ||
        is_unknown_ground(&out, bytes))
        return false;
    it->len++;
    memcpy(it->bytes, bytes, it->len);
    return true;
}
