/*
 * VGATHER and VPGATHER (SDM vol. 2): a load by the TLB for each element that
 * the mask has chosen.
 *
 * Nothing is written before all of them are loaded.  If one faults, the
 * interpreter does the instruction again from its start, and leaves behind
 * what there has to be.
 */

#include "jit/x86_64/emit.h"

#include "cpu/simd.h"

struct gather {
    unsigned dst, mask, index; /* vector registers */
    unsigned size, index_size; /* bytes of an element and of its index */
    unsigned count;
};

static struct gather gather_of(const struct insn *in)
{
    struct gather g = {
        .dst = in->op[0].reg & 15u,
        .mask = in->op[2].reg & 15u,
        .index = in->index & 15u,
        .size = in->prefixes & PREFIX_REX_W ? 8 : 4,
        .index_size = in->code & 1 ? 8 : 4,
    };
    unsigned larger = g.size > g.index_size ? g.size : g.index_size;

    g.count = in->vex_len / larger;
    return g;
}

/* The same register twice is #UD. */
bool gather_is_valid(const struct insn *in)
{
    struct gather g = gather_of(in);

    return g.dst != g.mask && g.dst != g.index && g.mask != g.index;
}

static struct rm at_byte(struct rm start, unsigned byte)
{
    start.disp += (int32_t)byte;
    return start;
}

static struct rm loaded(const struct gather *g, unsigned k)
{
    return at_byte(FRAME(gather.loaded), k * g->size);
}

/* r: a register of this element's own.  ea: the address without its index. */
static void load_element(struct emit *e, const struct gather *g, unsigned k,
                         struct rm ea, unsigned address_size, unsigned r)
{
    struct stub use = {.use_kind = USE_LOADZX,
                       .reg = (uint8_t)r,
                       .reg_size = (uint8_t)g->size};
    struct rm index = at_byte(FRAME(gather.index), k * g->index_size);
    unsigned sign = (k + 1) * g->size - 1;
    size_t skip;

    as_alu_imm(&e->as, ALU_CMP, 1, at_byte(FRAME(gather.mask), sign), 0);
    skip = as_jcc(&e->as, CC_GE);
    if (g->index_size == 8)
        as_mov(&e->as, 8, r, index);
    else
        as_movsx(&e->as, 4, 8, r, index);
    ea.index = (uint8_t)r;
    as_lea(&e->as, address_size, r, ea);
    memory_use_at(e, rm_mem(r, 0), g->size, 0, use);
    as_mov_to(&e->as, g->size, loaded(g, k), r);
    as_patch(&e->as, skip, as_at(&e->as));
}

/* Elements from k on to a vector register's lower half; the rest is cleared.
 * One by one, as they were written: what is wider would wait for them all. */
static void collect_half(struct emit *e, const struct gather *g, unsigned reg,
                         unsigned k)
{
    struct vex v = {.map = 1, .pp = PFX_66, .w = g->size == 8, .opcode = 0x6e};
    unsigned end = k + XMM_SIZE / g->size;

    as_vex_op(&e->as, v, reg, loaded(g, k)); /* VMOVD, VMOVQ */
    v.map = 3, v.opcode = 0x22, v.vvvv = (uint8_t)reg;
    for (unsigned at = k + 1; at < end && at < g->count; at++) {
        as_vex_op(&e->as, v, reg, loaded(g, at)); /* VPINSRD, VPINSRQ */
        as_byte(&e->as, at - k);
    }
}

/* The mask ends as 0: until then it has room for the upper half. */
static void finish(struct emit *e, const struct gather *g)
{
    const struct vex insert = {.map = 3, .pp = PFX_66, .wide = true,
                               .opcode = 0x38, .vvvv = (uint8_t)g->dst};
    const struct vex clear = {
        .map = 1, .pp = PFX_66, .opcode = 0xef, .vvvv = (uint8_t)g->mask};

    collect_half(e, g, g->dst, 0);
    if (g->count * g->size > XMM_SIZE) {
        collect_half(e, g, g->mask, XMM_SIZE / g->size);
        as_vex_op(&e->as, insert, g->dst, rm_reg(g->mask)); /* VINSERTI128 */
        as_byte(&e->as, 1);
    }
    as_vex_op(&e->as, clear, g->mask, rm_reg(g->mask)); /* VPXOR */
}

/* Registers are chosen before the first branch: choosing one may move what was
 * in it. */
void emit_gather(struct emit *e, const struct ir_ins *i, const struct insn *in)
{
    bool is_64 = e->b->mode & MODE_CODE64 && in->addrsize == 8;
    const struct vex store = {
        .map = 1, .pp = PFX_F3, .wide = true, .opcode = 0x7f}; /* VMOVDQU */
    struct gather g = gather_of(in);
    struct rm ea;
    unsigned r, entry;

    flags_sync(e);
    flags_clobber(e);
    ea = linear_ea(e, i);
    ea.scale = in->scale;
    r = temp_new(e);
    entry = temp_new(e);
    temp_free(e, entry); /* for memory_use_at */
    as_vex_op(&e->as, store, g.dst, FRAME(gather.loaded));
    as_vex_op(&e->as, store, g.mask, FRAME(gather.mask));
    as_vex_op(&e->as, store, g.index, FRAME(gather.index));
    for (unsigned k = 0; k < g.count; k++)
        load_element(e, &g, k, ea, is_64 ? 8 : 4, r);
    finish(e, &g);
}
