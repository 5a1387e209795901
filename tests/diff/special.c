#include "tests/diff/special.h"

#include <string.h>

#include "base/bytes.h"
#include "tests/diff/layout.h"
#include "tests/diff/memory.h"
#include "tests/diff/values.h"

static uint64_t *gpr(struct plan *p, unsigned reg)
{
    return &p->c->in.gpr[reg];
}

/* A register used as an address of in->addrsize bytes: what is above does not
 * count. */
static void set_address(struct plan *p, const struct insn *in, unsigned reg,
                        uint64_t la, unsigned seg)
{
    uint64_t v = la - build_segment_base(p->c, seg);
    unsigned bits = 8u * in->addrsize;

    if (bits < 64)
        v &= ((uint64_t)1 << bits) - 1;
    if (bits < 64 && rng_chance(p->rng, 50))
        v |= rng_next(p->rng) << bits;
    if (p->c->kind != CODE_64)
        v = (uint32_t)v;
    *gpr(p, reg) = v;
}

static void small_count(struct plan *p, unsigned reg, unsigned below)
{
    if (rng_chance(p->rng, 85))
        *gpr(p, reg) = rng_below(p->rng, below);
}

/* Where the code goes on after the instruction, as an offset. */
static uint64_t next_ip(const struct plan *p, const struct insn *in)
{
    return p->c->code_at + in->len - case_cs_base(p->c->kind);
}

static uint64_t stack_at(const struct plan *p)
{
    return memory_stack_base(p->c) + p->c->in.gpr[RSP];
}

/* --- strings --- */

static void strings(struct plan *p, const struct insn *in)
{
    unsigned size = 1;

    for (unsigned i = 0; i < 2; i++)
        if (in->op[i].kind == OPND_MEM)
            size = in->op[i].size;
    set_address(p, in, RSI, build_aim(p, size * 8, false), in->seg);
    set_address(p, in, RDI, build_aim(p, size * 8, false), ES);
    if (rng_chance(p->rng, 98))
        *gpr(p, RCX) = rng_below(p->rng, 40);
}

static void xlat(struct plan *p, const struct insn *in)
{
    set_address(p, in, RBX, build_aim(p, 1, false) - rng_below(p->rng, 200),
                in->seg);
}

static void mask_move(struct plan *p, const struct insn *in)
{
    set_address(p, in, RDI, build_aim(p, in->op[0].size, false), in->seg);
}

/* --- integers --- */

/* The offset of a bit in memory reaches far. */
static void bit_test(struct plan *p, const struct insn *in)
{
    if (in->op[0].kind != OPND_MEM || in->op[1].kind != OPND_GPR)
        return;
    if (rng_chance(p->rng, 90))
        *gpr(p, in->op[1].reg) = (uint64_t)((int64_t)rng_below(p->rng, 800) -
                                            400);
}

static void divide(struct plan *p, const struct insn *in)
{
    (void)in;
    if (rng_chance(p->rng, 50))
        *gpr(p, RDX) = rng_below(p->rng, 3) ? 0 : ~(uint64_t)0;
    if (rng_chance(p->rng, 30))
        *gpr(p, RAX) &= 0xffff;
}

static void loops(struct plan *p, const struct insn *in)
{
    (void)in;
    small_count(p, RCX, 3);
}

static void compare_exchange(struct plan *p, const struct insn *in)
{
    uint8_t v[16];

    if (rng_chance(p->rng, 50))
        return;
    if (in->op[0].kind == OPND_GPR) {
        *gpr(p, RAX) = *gpr(p, in->op[0].reg);
        return;
    }
    if (in->op[0].kind != OPND_MEM ||
        !memory_get(p->c, memory_operand(p->c, in), v, in->op[0].size))
        return;
    if (in->op[0].size == 16 || in->id == I_CMPXCHG8B_Mq) {
        unsigned half = in->op[0].size / 2;

        *gpr(p, RAX) = load_sized(v, half);
        *gpr(p, RDX) = load_sized(v + half, half);
    } else {
        *gpr(p, RAX) = load_sized(v, in->op[0].size);
    }
}

static void bounds(struct plan *p, const struct insn *in)
{
    unsigned n = in->op[0].size;
    uint8_t v[8];

    store_sized(v, 0x10, n);
    store_sized(v + n, 0x1000, n);
    if (rng_chance(p->rng, 70))
        memory_put(p, memory_operand(p->c, in), v, 2 * n);
    small_count(p, in->op[0].reg, 0x1004);
}

/* --- control flow --- */

static void jump(struct plan *p, const struct insn *in)
{
    uint64_t to = next_ip(p, in);
    uint8_t v[8];

    if (in->op[0].kind == OPND_GPR) {
        *gpr(p, in->op[0].reg) = to;
    } else if (in->op[0].kind == OPND_MEM) {
        store64(v, to);
        memory_put(p, memory_operand(p->c, in), v, in->op[0].size);
    }
}

static uint16_t code_selector(struct plan *p)
{
    static const uint16_t bad[] = {0, 3, USER_DS, LDT_DATA32, LDT_ABSENT, 0x10,
                                   0xfff, 0x187};

    if (rng_chance(p->rng, 80))
        return p->c->in.sel[CS];
    return bad[rng_below(p->rng, sizeof(bad) / sizeof(bad[0]))];
}

static uint16_t data_selector(struct plan *p)
{
    static const uint16_t all[] = {
        0, 1, 2, 3, USER_DS, USER_CS32, USER_CS64, LDT_CODE16, LDT_CODE32,
        LDT_DATA16, LDT_DATA32, LDT_SMALL, LDT_DOWN, LDT_READ, LDT_ABSENT,
        USER_DS, USER_DS, LDT_DATA32, LDT_SMALL, 0x28, 0x29, 0x10, 0x11,
        LDT_DATA16 & ~3, 0x47, 0xffff, 0x86, 0x187, 0xfff8,
    };

    return all[rng_below(p->rng, sizeof(all) / sizeof(all[0]))];
}

/* Selector and offset behind each other. */
static void far_pointer(struct plan *p, const struct insn *in, bool code)
{
    unsigned n = in->opsize;
    uint8_t v[10];

    store64(v, code ? next_ip(p, in) : rng_next(p->rng));
    store16(v + n, code ? code_selector(p) : data_selector(p));
    memory_put(p, memory_operand(p->c, in), v, n + 2);
}

static void far_jump(struct plan *p, const struct insn *in)
{
    if (in->op[0].kind == OPND_MEM)
        far_pointer(p, in, true);
}

static void far_load(struct plan *p, const struct insn *in)
{
    far_pointer(p, in, false);
}

static void near_return(struct plan *p, const struct insn *in)
{
    uint8_t v[8];

    store64(v, next_ip(p, in));
    memory_put(p, stack_at(p), v, in->opsize);
}

static void put_stack(struct plan *p, unsigned slot, unsigned size, uint64_t v)
{
    uint8_t bytes[8];

    store64(bytes, v);
    memory_put(p, stack_at(p) + slot * size, bytes, size);
}

static void far_return(struct plan *p, const struct insn *in)
{
    put_stack(p, 0, in->opsize, next_ip(p, in));
    put_stack(p, 1, in->opsize, code_selector(p));
}

/* Without TF, mostly, which would trap after the program. */
static uint64_t flags_image(struct plan *p)
{
    uint64_t v = rng_next(p->rng) & 0x3f7fd7;

    return rng_chance(p->rng, 95) ? v & ~(uint64_t)(FLAG_TF | FLAG_VM) : v;
}

static void interrupt_return(struct plan *p, const struct insn *in)
{
    far_return(p, in);
    put_stack(p, 2, in->opsize, flags_image(p) & ~(uint64_t)FLAG_NT);
    put_stack(p, 3, in->opsize, STACK + 0x400);
    put_stack(p, 4, in->opsize, USER_DS);
}

static void pop_flags(struct plan *p, const struct insn *in)
{
    put_stack(p, 0, in->opsize, flags_image(p));
}

/* --- segments --- */

static void selector_operand(struct plan *p, const struct insn *in)
{
    const struct operand *op = in->op[1].kind ? &in->op[1] : &in->op[0];
    uint16_t sel = data_selector(p);
    uint8_t v[2];

    store16(v, sel);
    if (op->kind == OPND_GPR)
        *gpr(p, op->reg) = (*gpr(p, op->reg) & ~(uint64_t)0xffff) | sel;
    else if (op->kind == OPND_MEM)
        memory_put(p, memory_operand(p->c, in), v, 2);
}

static void pop_segment(struct plan *p, const struct insn *in)
{
    put_stack(p, 0, in->opsize, data_selector(p));
}

/* ARPL: both selectors matter. */
static void frame(struct plan *p, const struct insn *in)
{
    (void)in;
    *gpr(p, RBP) = *gpr(p, RSP) + 8 * rng_below(p->rng, 20);
}

static void base_write(struct plan *p, const struct insn *in)
{
    if (rng_chance(p->rng, 80))
        *gpr(p, in->op[0].reg) = (uint64_t)((int64_t)rng_next(p->rng) >> 18);
}

/* --- state in memory --- */

static void control_word(struct plan *p, const struct insn *in)
{
    uint8_t v[2];

    store16(v, (uint16_t)(rng_next(p->rng) | 0x3f));
    memory_put(p, memory_operand(p->c, in), v, 2);
}

static void mxcsr_word(struct plan *p, const struct insn *in)
{
    uint8_t v[4];

    store32(v, (uint32_t)rng_next(p->rng) & 0xffff);
    if (rng_chance(p->rng, 90))
        memory_put(p, memory_operand(p->c, in), v, 4);
}

static void environment(struct plan *p, const struct insn *in)
{
    uint8_t v[28];
    unsigned n = in->opsize == 2 ? 14 : 28;

    for (unsigned i = 0; i < n; i++)
        v[i] = (uint8_t)rng_next(p->rng);
    if (rng_chance(p->rng, 80))
        v[0] |= 0x3f;
    memory_put(p, memory_operand(p->c, in), v, n);
}

/* A page that is the program's own, 64 bytes aligned. */
static void whole_state(struct plan *p, const struct insn *in, bool extended)
{
    uint64_t at = memory_operand(p->c, in);
    uint8_t v[64];

    if (in->base < GPR_COUNT && in->index == REG_NONE && in->addrsize == 8 &&
        rng_chance(p->rng, 90)) {
        *gpr(p, in->base) -= at & 63;
        at &= ~(uint64_t)63;
    }
    memset(v, 0, sizeof(v));
    store16(v, (uint16_t)(rng_next(p->rng) | 0x3f));
    store16(v + 2, (uint16_t)rng_next(p->rng));
    v[4] = (uint8_t)rng_next(p->rng);
    store32(v + 24, (uint32_t)rng_next(p->rng) & 0xffff);
    memory_put(p, at, v, 32);
    if (!extended)
        return;
    memset(v, 0, sizeof(v));
    v[0] = (uint8_t)(rng_next(p->rng) & (rng_chance(p->rng, 90) ? 7 : 15));
    if (rng_chance(p->rng, 3))
        v[8] = 1;
    memory_put(p, at + 512, v, 64);
    *gpr(p, RAX) = rng_next(p->rng) & 7;
    *gpr(p, RDX) = 0;
}

static void fx_state(struct plan *p, const struct insn *in)
{
    whole_state(p, in, false);
}

static void x_state(struct plan *p, const struct insn *in)
{
    whole_state(p, in, true);
}

/* Gathers: indexes small. */
static void gather(struct plan *p, const struct insn *in)
{
    uint8_t *low = p->c->in.x.legacy + X_XMM + 16 * in->index;
    uint8_t *high = p->c->in.x.ymm_high[in->index];
    unsigned wide = in->code & 1 ? 8 : 4; /* VPGATHERQx */

    for (unsigned at = 0; at < 16; at += wide) {
        store_sized(low + at, rng_below(p->rng, 128), wide);
        store_sized(high + at, rng_below(p->rng, 128), wide);
        if (rng_chance(p->rng, 5))
            store_sized(low + at, (uint64_t)(int64_t)-5, wide);
    }
}

static void port(struct plan *p, const struct insn *in)
{
    (void)in;
    *gpr(p, RDX) &= 0xffff;
}

/* --- the table --- */

struct entry {
    const char *body;
    struct special special;
};

static const struct entry entries[] = {
    {"movs", {USE_ALONE, strings}},
    {"cmps", {USE_ALONE, strings}},
    {"stos", {USE_ALONE, strings}},
    {"lods", {USE_ALONE, strings}},
    {"scas", {USE_ALONE, strings}},
    {"ins", {USE_ALONE, port}},
    {"outs", {USE_ALONE, port}},
    {"in", {USE_ALONE, port}},
    {"out", {USE_ALONE, port}},
    {"xlat", {USE_ALONE, xlat}},
    {"maskmov", {USE_ALONE, mask_move}},
    {"bt", {USE_ANYWHERE, bit_test}},
    {"bts", {USE_ANYWHERE, bit_test}},
    {"btr", {USE_ANYWHERE, bit_test}},
    {"btc", {USE_ANYWHERE, bit_test}},
    {"div", {USE_ALONE, divide}},
    {"idiv", {USE_ALONE, divide}},
    {"aam", {USE_ALONE, NULL}},
    {"loop", {USE_ANYWHERE, loops}},
    {"loope", {USE_ANYWHERE, loops}},
    {"loopne", {USE_ANYWHERE, loops}},
    {"jcxz", {USE_ANYWHERE, loops}},
    {"cmpxchg", {USE_ANYWHERE, compare_exchange}},
    {"cmpxchg8b", {USE_ANYWHERE, compare_exchange}},
    {"bound", {USE_ALONE, bounds}},
    {"jmp", {USE_ANYWHERE, jump}},
    {"call", {USE_ANYWHERE, jump}},
    {"jmp_far", {USE_ALONE, far_jump}},
    {"call_far", {USE_ALONE, far_jump}},
    {"load_far", {USE_ALONE, far_load}},
    {"ret", {USE_ALONE, near_return}},
    {"ret_far", {USE_ALONE, far_return}},
    {"iret", {USE_ALONE, interrupt_return}},
    {"popf", {USE_ALONE, pop_flags}},
    {"mov_to_seg", {USE_ALONE, selector_operand}},
    {"pop_seg", {USE_ALONE, pop_segment}},
    {"lar", {USE_ALONE, selector_operand}},
    {"lsl", {USE_ALONE, selector_operand}},
    {"verr", {USE_ALONE, selector_operand}},
    {"verw", {USE_ALONE, selector_operand}},
    {"enter", {USE_ALONE, frame}},
    {"leave", {USE_ALONE, frame}},
    {"write_base", {USE_ALONE, base_write}},
    {"fldcw", {USE_ALONE, control_word}},
    {"ldmxcsr", {USE_ALONE, mxcsr_word}},
    {"fldenv", {USE_ALONE, environment}},
    {"frstor", {USE_ALONE, environment}},
    {"fxsave", {USE_ALONE, fx_state}},
    {"fxrstor", {USE_ALONE, fx_state}},
    {"xsave", {USE_ALONE, x_state}},
    {"xsaveopt", {USE_ALONE, x_state}},
    {"xsavec", {USE_ALONE, x_state}},
    {"xsaves", {USE_ALONE, x_state}},
    {"xrstor", {USE_ALONE, x_state}},
    {"xrstors", {USE_ALONE, x_state}},
    /* Not bit for bit on other hosts. */
    {"fsin", {USE_ALONE, NULL}},
    {"fcos", {USE_ALONE, NULL}},
    {"fsincos", {USE_ALONE, NULL}},
    {"fptan", {USE_ALONE, NULL}},
    {"fpatan", {USE_ALONE, NULL}},
    {"f2xm1", {USE_ALONE, NULL}},
    {"fyl2x", {USE_ALONE, NULL}},
    {"fyl2xp1", {USE_ALONE, NULL}},
    /* Makers differ: tests/diff/rules.def. */
    {"rcpf32", {USE_ALONE, NULL}},
    {"rsqrtf32", {USE_ALONE, NULL}},
    {"ud", {USE_ALONE, NULL}},
    {"int", {USE_ALONE, NULL}},
    {"int3", {USE_ALONE, NULL}},
    {"int1", {USE_ALONE, NULL}},
    {"into", {USE_ALONE, NULL}},
#define NOT_NATIVE(body, use, why, test) {#body, {USE_##use, NULL}},
#define PRIVILEGED(body, test)
#define NOT_ON_HOST(feature, test)
#define SHADOWED(row, why, test)
#include "tests/diff/not_native.def"
#undef SHADOWED
#undef NOT_ON_HOST
#undef PRIVILEGED
#undef NOT_NATIVE
};

static const struct special plain = {USE_ANYWHERE, NULL};
static const struct special alone = {USE_ALONE, NULL};
static const struct special jumps = {USE_ALONE, jump};
static const struct special gathers = {USE_ALONE, gather};

static bool has_vsib(const struct insn_info *info)
{
    for (unsigned i = 0; i < INSN_OPERANDS; i++)
        if (operand_info[info->operand[i]].how == HOW_VSIB)
            return true;
    return false;
}

static bool is_relative(const struct insn_info *info)
{
    unsigned how = operand_info[info->operand[0]].how;

    return how == HOW_REL_8 || how == HOW_REL_Z;
}

const struct special *special_of(unsigned row)
{
    const struct insn_info *info = &insn_info[row];
    bool ends = info->attrs & A_ENDS && !is_relative(info);

    for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        const struct special *s = &entries[i].special;

        if (strcmp(entries[i].body, info->body))
            continue;
        return s->use == USE_ANYWHERE && ends ? &jumps : s;
    }
    if (has_vsib(info))
        return &gathers;
    if (ends || info->attrs & A_CPL0)
        return &alone;
    return &plain;
}
