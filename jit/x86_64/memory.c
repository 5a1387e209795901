/*
 * Guest loads and stores.
 *
 * The stack goes through an L0 slot, everything else through the TLB (mem/
 * tlb.h).  What misses goes to a stub after the block, which lets C do the
 * access through frame.value and comes back behind it.
 */

#include "jit/x86_64/emit.h"

#include "base/bits.h"
#include "mem/tlb.h"

struct rm linear_ea(struct emit *e, const struct ir_ins *i)
{
    struct rm m = {.mem = true, .reg = HNONE, .index = HNONE,
                   .scale = i->scale, .disp = (int32_t)i->imm};

    if (i->arg[0] != IR_NONE)
        m.reg = (uint8_t)value_reg(e, i->arg[0], 8);
    if (i->arg[1] != IR_NONE)
        m.index = (uint8_t)value_reg(e, i->arg[1], 8);
    if (i->imm != (int32_t)i->imm) {
        unsigned t = temp_new(e);

        as_mov_imm(&e->as, t, (uint64_t)i->imm);
        m.disp = 0;
        if (m.reg != HNONE)
            as_alu(&e->as, ALU_ADD, 8, t, rm_reg(m.reg));
        m.reg = (uint8_t)t;
    }
    return m;
}

static void lea_of(struct emit *e, unsigned dst, struct rm ea)
{
    if (ea.index == HNONE && ea.reg == HNONE)
        as_mov_imm(&e->as, dst, (uint64_t)(int64_t)ea.disp);
    else if (ea.index == HNONE && ea.disp == 0)
        as_mov(&e->as, 8, dst, rm_reg(ea.reg));
    else
        as_lea(&e->as, 8, dst, ea);
}

/* Only flat segments and those of 64-bit mode come with base and index apart:
 * elsewhere the lifter has added the segment's base already. */
void memory_offset(struct emit *e, const struct ir_ins *i, unsigned r)
{
    lea_of(e, r, linear_ea(e, i));
}

/* RORX puts the page number where the index of a 16-byte entry is. */
static void tlb_entry_offset(struct emit *e, unsigned dst, unsigned la)
{
    enum { SHIFT = PAGE_BITS - 4, MASK = (TLB_ENTRIES - 1) << 4 };

    if (__builtin_cpu_supports("bmi2")) {
        as_vex(&e->as, 3, 3, true, 0xf0, dst, 0, rm_reg(la));
        as_byte(&e->as, SHIFT);
    } else {
        as_mov(&e->as, 8, dst, rm_reg(la));
        as_shift_imm(&e->as, 5, 8, rm_reg(dst), SHIFT);
    }
    as_alu_imm(&e->as, ALU_AND, 4, rm_reg(dst), MASK);
}

/* Host address of the access by the L0 slot: t ends as the addend. */
static struct rm by_l0(struct emit *e, struct rm ea, unsigned slot, bool write,
                       unsigned t, struct stub *s)
{
    size_t at = (write ? offsetof(struct tlb_bank, l0_write)
                       : offsetof(struct tlb_bank, l0_read)) +
                slot * sizeof(struct tlb_l0);
    struct rm start = rm_mem(HBANK, (int32_t)at);
    struct rm limit = rm_mem(HBANK, (int32_t)(at + 8));
    struct rm addend = rm_mem(HBANK, (int32_t)(at + 16));

    as_alu(&e->as, ALU_SUB, 8, t, start);
    as_alu(&e->as, ALU_CMP, 8, t, limit);
    s->jump[0] = as_jcc(&e->as, CC_AE);
    as_mov(&e->as, 8, t, addend);
    return rm_index(ea.reg, t, 0, ea.disp);
}

static struct rm by_tlb(struct emit *e, struct rm ea, unsigned n, bool write,
                        unsigned t, struct stub *s)
{
    int32_t table = (int32_t)(write ? offsetof(struct tlb_bank, write)
                                    : offsetof(struct tlb_bank, read));
    unsigned entry = temp_new(e);

    tlb_entry_offset(e, entry, t);
    as_alu(&e->as, ALU_SUB, 8, t, rm_index(HBANK, entry, 0, table));
    as_alu_imm(&e->as, ALU_CMP, 8, rm_reg(t), (int32_t)(PAGE_SIZE - n));
    s->jump[0] = as_jcc(&e->as, CC_A);
    as_mov(&e->as, 8, entry, rm_index(HBANK, entry, 0, table + 8));
    temp_free(e, entry); /* for what is loaded */
    if (ea.index == HNONE && ea.reg != HNONE)
        return rm_index(ea.reg, entry, 0, ea.disp);
    lea_of(e, t, ea);
    return rm_index(t, entry, 0, 0);
}

/* The address, if it is known now and lies in one page. */
static bool is_constant(const struct emit *e, const struct ir_ins *i,
                        unsigned n, uint64_t *la)
{
    const struct ir_ins *base;

    if (i->arg[1] != IR_NONE)
        return false;
    *la = (uint64_t)i->imm;
    if (i->arg[0] != IR_NONE) {
        base = &e->b->ins[i->arg[0]];
        if (base->op != IR_CONST)
            return false;
        *la += (uint64_t)base->imm;
    }
    return (*la & (PAGE_SIZE - 1)) + n <= PAGE_SIZE;
}

/* As by_tlb for an address that is known: so is its entry. */
static struct rm by_constant(struct emit *e, struct rm ea, uint64_t la,
                             bool write, struct stub *s)
{
    size_t table = write ? offsetof(struct tlb_bank, write)
                         : offsetof(struct tlb_bank, read);
    int32_t at = (int32_t)(table + tlb_index(la) * sizeof(struct tlb_entry));
    uint64_t page = la & ~(uint64_t)(PAGE_SIZE - 1);

    if ((int64_t)page == (int32_t)page) {
        as_alu_imm(&e->as, ALU_CMP, 8, rm_mem(HBANK, at), (int32_t)page);
    } else {
        as_mov_imm(&e->as, HSCRATCH, page);
        as_alu(&e->as, ALU_CMP, 8, HSCRATCH, rm_mem(HBANK, at));
    }
    s->jump[0] = as_jcc(&e->as, CC_NE);
    as_mov(&e->as, 8, HSCRATCH, rm_mem(HBANK, at + 8));
    if (ea.reg == HNONE)
        return rm_mem(HSCRATCH, ea.disp);
    return rm_index(ea.reg, HSCRATCH, 0, ea.disp);
}

/* At ea; by the L0 slot unless that is FRAME_NO_SLOT; la: if it is known. */
static unsigned use_at(struct emit *e, struct rm ea, unsigned slot,
                       const uint64_t *la, unsigned n, uint32_t op,
                       struct stub use)
{
    bool write = op & (FRAME_WRITE | FRAME_RMW), l0 = slot != FRAME_NO_SLOT;
    struct stub *s = stub_new(e, STUB_ACCESS);
    unsigned t = HSCRATCH;
    struct rm m;

    use.kind = STUB_ACCESS;
    use.insn = s->insn;
    use.recipe = s->recipe;
    use.ea = ea;
    use.size = (uint8_t)n;
    use.op = op | n | slot << FRAME_SLOT_SHIFT;
    *s = use;
    count_event(e, l0 ? FRAME_L0 : FRAME_TLB);
    if (!la)
        lea_of(e, t, ea);
    if ((op & FRAME_ALIGN) && !la) {
        as_test_imm(&e->as, 4, rm_reg(t), n - 1);
        s->jump[1] = as_jcc(&e->as, CC_NE);
    }
    if (l0)
        m = by_l0(e, ea, slot, write, t, s);
    else if (la)
        m = by_constant(e, ea, *la, write, s);
    else
        m = by_tlb(e, ea, n, write, t, s);
    if (s->reg == HNONE)
        s->reg = (uint8_t)temp_new(e);
    emit_use(e, s, m);
    s->back = as_at(&e->as);
    return s->reg;
}

unsigned memory_use_at(struct emit *e, struct rm ea, unsigned n, uint32_t op,
                       struct stub use)
{
    return use_at(e, ea, FRAME_NO_SLOT, NULL, n, op, use);
}

unsigned memory_use(struct emit *e, const struct ir_ins *i, unsigned n,
                    uint32_t op, struct stub use)
{
    bool constant, l0;
    struct rm ea;
    uint64_t la;

    flags_sync(e);
    flags_clobber(e);
    ea = linear_ea(e, i);
    l0 = i->slot == RSP && ea.index == HNONE && ea.reg != HNONE && n <= 16;
    constant = !l0 && is_constant(e, i, n, &la) &&
               !((op & FRAME_ALIGN) && (la & (n - 1)));
    return use_at(e, ea, l0 ? RSP : FRAME_NO_SLOT, constant ? &la : NULL, n,
                  op, use);
}

/* The access itself, on a host address or on frame.value. */
void emit_use(struct emit *e, const struct stub *s, struct rm m)
{
    struct as *a = &e->as;

    switch ((enum use_kind)s->use_kind) {
    case USE_LOAD: as_mov(a, s->reg_size, s->reg, m); break;
    case USE_LOADZX:
        if (s->reg_size == 8)
            as_mov(a, 8, s->reg, m);
        else
            as_movzx(a, s->reg_size, s->reg, m);
        break;
    case USE_STORE: as_mov_to(a, s->reg_size, m, s->reg); break;
    case USE_STORE_IMM:
        as_mov_imm_to(a, s->reg_size, m, (int32_t)s->imm);
        break;
    case USE_POINTER: as_lea(a, 8, s->reg, m); break;
    case USE_VECTOR: vector_encode(e, s->in, &m, s->reg); break;
    case USE_X87: x87_encode(e, s->in, &m); break;
    }
}

/* A load merges into a guest register only if the PUT has its size. */
static void load_into(const struct ir_ins *i, struct stub *use)
{
    unsigned host = i->hint == IR_NO_HINT ? HNONE : host_of(i->hint);
    bool merges = host != HNONE && i->size < 4 && i->hint_size == i->size;

    use->reg = (uint8_t)host;
    use->reg_size = i->size;
    use->use_kind = merges ? USE_LOAD : USE_LOADZX;
}

void emit_load(struct emit *e, const struct ir_ins *i)
{
    struct stub use = {0};

    load_into(i, &use);
    value_is_in(e, memory_use(e, i, i->size, 0, use));
    e->clean[e->at] = use.use_kind == USE_LOADZX;
}

void emit_store(struct emit *e, const struct ir_ins *i)
{
    struct stub use = {.use_kind = USE_STORE, .reg_size = i->size};
    int32_t imm;

    if (value_imm(e, i->arg[2], i->size, &imm)) {
        use.use_kind = USE_STORE_IMM;
        use.imm = (uint64_t)(int64_t)imm;
    } else {
        use.reg = (uint8_t)value_reg(e, i->arg[2], i->size);
    }
    memory_use(e, i, i->size, FRAME_WRITE, use);
}

void emit_load_rmw(struct emit *e, const struct ir_ins *i)
{
    struct stub use = {.use_kind = USE_POINTER, .reg = HNONE};
    unsigned at = memory_use(e, i, i->size, FRAME_RMW, use), r = temp_new(e);

    if (i->size == 8)
        as_mov(&e->as, 8, r, rm_mem(at, 0));
    else
        as_movzx(&e->as, i->size, r, rm_mem(at, 0));
    value_set_temp(e, e->at, r);
    e->clean[e->at] = true;
    value_set_temp(e, VALUE_RMW, at);
}

void emit_store_rmw(struct emit *e, const struct ir_ins *i)
{
    unsigned at = value_reg(e, VALUE_RMW, 8);
    int32_t imm;

    if (value_imm(e, i->arg[2], i->size, &imm))
        as_mov_imm_to(&e->as, i->size, rm_mem(at, 0), imm);
    else
        as_mov_to(&e->as, i->size, rm_mem(at, 0),
                  value_reg(e, i->arg[2], i->size));
    e->owner[at] = VALUE_FREE;
    e->loc[VALUE_RMW].kind = LOC_NONE;
}

static size_t seg_offset(unsigned seg)
{
    return offsetof(struct cpu, seg) + seg * sizeof(struct segment);
}

void emit_segbase(struct emit *e, const struct ir_ins *i)
{
    unsigned r = temp_new(e);

    as_mov(&e->as, 8, r,
           env(seg_offset(i->reg) + offsetof(struct segment, base)));
    value_set_temp(e, e->at, r);
}

/* What is not plainly inside the segment, the interpreter looks at. */
void emit_segcheck(struct emit *e, const struct ir_ins *i)
{
    size_t room = (i->scale ? offsetof(struct cpu, room_write)
                            : offsetof(struct cpu, room_read)) +
                  8 * i->reg;
    unsigned off, t;

    flags_sync(e);
    flags_clobber(e);
    off = value_reg(e, i->arg[0], 8);
    t = temp_new(e);
    as_lea(&e->as, 8, t, rm_mem(off, (int32_t)i->imm));
    as_alu(&e->as, ALU_CMP, 8, t, env(room));
    bail_if(e, CC_A);
    as_mov(&e->as, 4, t,
           env(seg_offset(i->reg) + offsetof(struct segment, base)));
    as_alu(&e->as, ALU_ADD, 4, t, rm_reg(off));
    value_set_temp(e, e->at, t);
}
