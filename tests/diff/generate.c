#include "tests/diff/generate.h"

#include <string.h>

#include "base/bytes.h"
#include "cpu/cpu.h"
#include "cpu/insn_match.h"
#include "tests/diff/build.h"
#include "tests/diff/layout.h"
#include "tests/diff/memory.h"
#include "tests/diff/special.h"
#include "tests/diff/values.h"

/* Tries for one instruction, and for a companion. */
enum { TRIES = 60 };

/* Per cent of single instructions that are spoilt. */
enum { MUTANTS = 8 };

/* --- lists of rows --- */

static bool row_fits(const struct generator *g, unsigned row,
                     enum code_kind kind)
{
    uint32_t attrs = insn_info[row].attrs;

    if (kind == CODE_64 ? attrs & A_NO64 : attrs & A_ONLY64)
        return false;
    if (!feature_set_has(&g->features, insn_info[row].feature))
        return false;
    return g->special[row]->use != USE_NEVER;
}

static bool is_native(const struct generator *g, unsigned row)
{
    return feature_set_has(&g->host, insn_info[row].feature) &&
           g->special[row]->use < USE_ENGINES;
}

/* Rows that 64-bit code lacks come twice: there is less of the other code. */
static void add_row(struct generator *g, enum code_kind kind, unsigned row)
{
    unsigned times = insn_info[row].attrs & A_NO64 ? 2 : 1;

    while (times--)
        g->rows[kind][g->row_count[kind]++] = (uint16_t)row;
}

static void list_rows(struct generator *g, enum code_kind kind)
{
    for (unsigned row = 0; row < INSN_COUNT; row++) {
        if (!row_fits(g, row, kind))
            continue;
        if (g->only < 0 || row == (unsigned)g->only)
            add_row(g, kind, row);
        if (g->special[row]->use == USE_ANYWHERE && is_native(g, row))
            g->company[kind][g->company_count[kind]++] = (uint16_t)row;
    }
}

void generator_init(struct generator *g)
{
    for (unsigned row = 0; row < INSN_COUNT; row++)
        g->special[row] = special_of(row);
    for (unsigned kind = 0; kind < CODE_KINDS; kind++) {
        g->row_count[kind] = g->company_count[kind] = 0;
        if (g->kinds[kind])
            list_rows(g, (enum code_kind)kind);
    }
}

/* --- flags without a defined value --- */

static uint32_t condition_reads(unsigned cc)
{
    static const uint32_t reads[8] = {
        FLAG_OF, FLAG_CF, FLAG_ZF, FLAG_CF | FLAG_ZF,
        FLAG_SF, FLAG_PF, FLAG_SF | FLAG_OF, FLAG_ZF | FLAG_SF | FLAG_OF,
    };

    return reads[cc >> 1 & 7];
}

uint32_t generate_reads(const struct insn *in)
{
    unsigned row = insn_info[in->id].flags;

    switch (row) {
    case FLAGROW_COND:
        return in->map < 0xd8 ? condition_reads(in->cc)
                              : flag_effects[row].tested;
    /* These may leave flags alone, and for that are said to test them. */
    case FLAGROW_RC: return FLAG_CF;
    case FLAGROW_SHIFT:
    case FLAGROW_DSHIFT:
    case FLAGROW_ROTATE:
    case FLAGROW_DIV:
    case FLAGROW_BT:
    case FLAGROW_BSF:
    case FLAGROW_POPF:
    case FLAGROW_CMPS: return 0;
    default: return flag_effects[row].tested & FLAGS_ARITH;
    }
}

/* After the instruction: those that it surely writes are sure, unless it
 * leaves them undefined. */
static uint32_t unsure_after(uint32_t unsure, const struct insn *in)
{
    const struct flag_effect *e = &flag_effects[insn_info[in->id].flags];
    uint32_t kept = e->tested & ~generate_reads(in);

    return (unsure & ~(e->written & ~kept)) | e->undefined;
}

/* --- the state before --- */

static void choose_pointers(struct plan *p)
{
    static const uint8_t wide[] = {RBX, RBP, RSI, RDI, R8,  R9,
                                   R10, R11, R12, R13, R14, R15};
    static const uint8_t narrow[] = {RBX, RBP, RSI, RDI};
    bool is64 = p->c->kind == CODE_64;

    for (unsigned i = 0; i < POINTERS; i++) {
        p->pointer[i] = narrow[i];
        if (is64)
            p->pointer[i] = wide[3 * i + rng_below(p->rng, 3)];
    }
    p->index = is64 ? (rng_chance(p->rng, 50) ? RCX : RAX) : RDX;
}

/* All but those that are kept. */
static void any_gprs(struct plan *p)
{
    struct test_case *c = p->c;

    for (unsigned r = 0; r < GPR_COUNT; r++) {
        uint64_t v = value_int(p->rng);

        if (c->kept_gprs >> r & 1)
            continue;
        c->in.gpr[r] = c->kind == CODE_64 ? v : r < 8 ? (uint32_t)v : 0;
    }
}

static void choose_gprs(struct plan *p)
{
    struct state *s = &p->c->in;
    bool is64 = p->c->kind == CODE_64;

    any_gprs(p);
    for (unsigned i = 0; i < POINTERS; i++) {
        s->gpr[p->pointer[i]] = p->spot[rng_below(p->rng, p->spots)] +
                                rng_below(p->rng, 40) - 8 -
                                build_segment_base(p->c, DS);
        if (!is64)
            s->gpr[p->pointer[i]] = (uint32_t)s->gpr[p->pointer[i]];
    }
    s->gpr[p->index] = rng_below(p->rng, 16);
    s->gpr[RSP] = STACK + 0x800 + 8 * rng_below(p->rng, 64) -
                  memory_stack_base(p->c);
    if (rng_chance(p->rng, 10))
        s->gpr[RSP] += rng_below(p->rng, 16);
    if (p->daring && rng_chance(p->rng, 5))
        s->gpr[RSP] = STACK + PAGE * rng_below(p->rng, 2) +
                      2 * rng_below(p->rng, 16) - 16 -
                      memory_stack_base(p->c);
    if (!is64)
        s->gpr[RSP] = (uint32_t)s->gpr[RSP];
}

/* One that is null, has a small limit, may not be written, is code ... */
static void odd_segment(struct plan *p)
{
    static const uint16_t which[] = {ES, DS, FS, GS};
    static const uint16_t odd[] = {0, LDT_SMALL, LDT_DOWN, LDT_READ, USER_DS,
                                   USER_CS32, LDT_CODE16, LDT_DATA16};

    if (rng_chance(p->rng, 8))
        p->c->in.sel[which[rng_below(p->rng, 4)]] = odd[rng_below(p->rng, 8)];
}

static void choose_segments(struct plan *p)
{
    static const uint16_t sets[CODE_KINDS][SEG_COUNT] = {
        [CODE_64] = {0, USER_CS64, USER_DS, 0, 0, 0},
        [CODE_32] = {USER_DS, USER_CS32, USER_DS, USER_DS, LDT_SMALL,
                     LDT_DATA32},
        [CODE_32_LDT] = {LDT_DATA32, LDT_CODE32, LDT_DATA32, LDT_DATA32,
                         LDT_DOWN, LDT_SMALL},
        [CODE_16] = {LDT_DATA16, LDT_CODE16, LDT_DATA16, LDT_DATA16, LDT_SMALL,
                     LDT_READ},
    };
    struct state *s = &p->c->in;

    memcpy(s->sel, sets[p->c->kind], sizeof(s->sel));
    if (p->c->kind == CODE_32_LDT && rng_chance(p->rng, 30))
        s->sel[SS] = LDT_DATA16;
    if (p->c->kind != CODE_64) {
        odd_segment(p);
        return;
    }
    s->fs_base = rng_chance(p->rng, 80) ? rng_below(p->rng, 0x1000)
                                        : rng_next(p->rng) >> 18;
    s->gs_base = DATA - rng_below(p->rng, 0x800);
}

static void choose_mxcsr(struct plan *p, uint8_t *x)
{
    uint32_t v = 0x1f80 | (rng_below(p->rng, 4) << 13);

    if (rng_chance(p->rng, 25))
        v |= 1u << 15;
    if (rng_chance(p->rng, 25))
        v |= 1u << 6;
    if (rng_chance(p->rng, 30))
        v |= rng_below(p->rng, 64);
    if (rng_chance(p->rng, 12))
        v &= ~(rng_below(p->rng, 64) << 7);
    store32(x + X_MXCSR, v);
}

/* Where the pending exception came from. */
static void choose_pending(struct plan *p, uint8_t *x, unsigned *sw)
{
    *sw |= 0x8080;
    store16(x + X_FOP, (uint16_t)rng_below(p->rng, 0x800));
    store64(x + X_FIP, (uint32_t)rng_next(p->rng));
    store64(x + X_FDP, (uint32_t)rng_next(p->rng));
}

static void choose_x87(struct plan *p, uint8_t *x)
{
    static const uint8_t precision[4] = {3, 3, 2, 0};
    unsigned cw = 0x7f, sw = rng_below(p->rng, 8) << 11;

    cw |= (unsigned)precision[rng_below(p->rng, 4)] << 8;
    cw |= rng_below(p->rng, 4) << 10;
    if (rng_chance(p->rng, 12))
        cw &= ~rng_below(p->rng, 64);
    sw |= rng_below(p->rng, 16) << 8 & 0x4700;
    if (rng_chance(p->rng, 30))
        sw |= rng_below(p->rng, 128);
    if (!rng_chance(p->rng, 10))
        sw &= ~(~cw & 0x3f); /* nothing pending, mostly */
    if (sw & ~cw & 0x3f)
        choose_pending(p, x, &sw);
    store16(x + X_FCW, (uint16_t)cw);
    store16(x + X_FSW, (uint16_t)sw);
    x[X_FTW] = 0xff;
    if (rng_chance(p->rng, 40))
        x[X_FTW] = (uint8_t)rng_next(p->rng);
    for (unsigned i = 0; i < 8; i++)
        value_f80(p->rng, x + X_ST + 16 * i);
}

static void choose_vectors(struct plan *p, struct xarea *x)
{
    enum value_kind kind = (enum value_kind)rng_below(p->rng, VALUE_F80);

    for (unsigned i = 0; i < 16; i++) {
        if (rng_chance(p->rng, 40))
            kind = (enum value_kind)rng_below(p->rng, VALUE_F80);
        value_fill(p->rng, kind, x->legacy + X_XMM + 16 * i, 16);
        value_fill(p->rng, kind, x->ymm_high[i], 16);
        if (p->c->kind != CODE_64 && i >= 8) {
            memset(x->legacy + X_XMM + 16 * i, 0, 16);
            memset(x->ymm_high[i], 0, 16);
        }
    }
}

static void choose_fpu(struct plan *p)
{
    struct xarea *x = &p->c->in.x;

    /* Pointers without a pending exception would be lost on AMD. */
    memset(x->legacy + X_FOP, 0, X_MXCSR - X_FOP);
    choose_x87(p, x->legacy);
    choose_mxcsr(p, x->legacy);
}

static void choose_flags(struct plan *p)
{
    uint32_t v = FLAG_1 | FLAG_IF;

    v |= (uint32_t)rng_next(p->rng) & FLAGS_ARITH;
    if (rng_chance(p->rng, 25))
        v |= FLAG_DF;
    if (rng_chance(p->rng, 1))
        v |= FLAG_AC;
    if (rng_chance(p->rng, 2))
        v |= FLAG_ID;
    p->c->in.eflags = v;
}

static void choose_state(struct plan *p)
{
    struct xarea *x = &p->c->in.x;

    memset(&p->c->in, 0, sizeof(p->c->in));
    choose_segments(p);
    for (p->spots = 0; p->spots < 5; p->spots++) {
        uint32_t at = DATA + 64 * rng_below(p->rng, 2 * PAGE / 64);

        if (p->spots == 0)
            at = DATA + PAGE - 64;
        if (p->spots == 1)
            at = DATA + PAGE;
        memory_spot(p, at);
        p->spot[p->spots] = at;
    }
    choose_pointers(p);
    choose_gprs(p);
    x->xstate_bv = 7;
    choose_fpu(p);
    choose_vectors(p, x);
    choose_flags(p);
}

/* --- the program --- */

/* Whether operands of 16 bytes and more are checked by EFLAGS.AC is up to the
 * processor (SDM vol. 2, MOVUPS): not tried. */
static bool is_wide_memory(const struct insn *in)
{
    for (unsigned i = 0; i < INSN_OPERANDS; i++)
        if (in->op[i].kind == OPND_MEM &&
            (in->op[i].size >= 16 || in->op[i].size == 0))
            return true;
    return !strcmp(insn_info[in->id].body, "maskmov");
}

/* An instruction that may follow when `unsure` flags are undefined. */
static bool add_item(struct plan *p, unsigned row, uint32_t *unsure,
                     struct insn *in)
{
    struct test_case *c = p->c;
    struct item *it = &c->item[c->count];

    it->offset = 0;
    if (c->count)
        it->offset = (uint16_t)(it[-1].offset + it[-1].len);
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (!build_insn(p, row, it, in))
            continue;
        if (generate_reads(in) & *unsure)
            return false;
        if (row == I_INT_Ib && in->imm == 0x80)
            continue; /* a system call */
        if (is_wide_memory(in))
            c->in.eflags &= ~(uint32_t)FLAG_AC;
        it->unsure = *unsure;
        *unsure = unsure_after(*unsure, in);
        if (it->rel)
            it->target = (uint8_t)(c->count + 1 + rng_below(p->rng, 6));
        c->count++;
        return true;
    }
    return false;
}

/* A flag is unsure after a jump's target if it was so before the jump. */
static uint32_t unsure_at(const struct test_case *c, unsigned i)
{
    uint32_t unsure = 0;

    for (unsigned k = 0; k < i; k++)
        if (c->item[k].target == i)
            unsure |= c->item[k].unsure;
    return unsure;
}

static void add_companion(struct plan *p, const struct generator *g,
                          uint32_t *unsure)
{
    enum code_kind kind = p->c->kind;
    struct insn in;

    *unsure |= unsure_at(p->c, p->c->count);
    for (unsigned tries = 0; tries < 8; tries++) {
        unsigned row = g->company[kind][rng_below(p->rng,
                                                  g->company_count[kind])];

        if (add_item(p, row, unsure, &in))
            return;
    }
}

static bool make_program(struct plan *p, const struct generator *g,
                         unsigned length)
{
    const struct special *s = g->special[p->c->row];
    unsigned place = length > 1 ? rng_below(p->rng, length) : 0;
    uint32_t unsure = 0;
    struct insn in;

    for (unsigned i = 0; i < length; i++) {
        if (i != place) {
            add_companion(p, g, &unsure);
            continue;
        }
        unsure |= unsure_at(p->c, p->c->count);
        if (!add_item(p, p->c->row, &unsure, &in) && length == 1)
            return false;
        if (length > 1)
            continue;
        if (s->prepare)
            s->prepare(p, &in);
        if (p->c->native && rng_chance(p->rng, MUTANTS))
            p->c->mutant = build_mutant(p, &p->c->item[0], &in);
    }
    for (unsigned i = 0; i < p->c->count; i++) {
        struct item *it = &p->c->item[i];

        if (it->target != ITEM_NO_TARGET && it->target > p->c->count)
            it->target = p->c->count;
    }
    unsure |= unsure_at(p->c, p->c->count);
    p->c->unsure_end = unsure;
    return p->c->count > 0;
}

bool generate_check(const struct generator *g, struct test_case *c)
{
    uint32_t unsure = 0;

    for (unsigned i = 0; i < c->count; i++) {
        struct item *it = &c->item[i];
        struct insn in;

        if (c->mutant)
            return c->count == 1;
        if (decode(it->bytes, it->len, build_mode(c->kind), g->features,
                   &in) != DECODE_OK)
            return false;
        unsure |= unsure_at(c, i);
        if (generate_reads(&in) & unsure)
            return false;
        it->unsure = unsure;
        unsure = unsure_after(unsure, &in);
    }
    c->unsure_end = unsure | unsure_at(c, c->count);
    return true;
}

/* In the middle of a page, or across its end. */
static uint32_t choose_place(struct rng *r, unsigned length)
{
    if (rng_chance(r, 10))
        return CODE + PAGE - 1 - rng_below(r, length * 4);
    return CODE + 64 * rng_below(r, (CODE_SIZE - 2 * CODE_ROOM) / 64) +
           rng_below(r, 16);
}

static bool choose_kind(const struct generator *g, uint64_t number,
                        struct test_case *c)
{
    static const uint8_t kinds[15] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                      1, 1, 1, 2, 3};
    static const uint8_t share[CODE_KINDS] = {10, 3, 1, 1};
    static const uint8_t first[CODE_KINDS] = {0, 10, 13, 14};
    unsigned slot = (unsigned)(number % 15);
    unsigned kind = kinds[slot];
    uint64_t turn = number / 15 * share[kind] + (slot - first[kind]);

    if (!g->row_count[kind])
        return false;
    turn += rng_mix(g->seed) >> 32;
    c->kind = (enum code_kind)kind;
    c->row = g->rows[kind][turn % g->row_count[kind]];
    return true;
}

/* A register that was arranged for an instruction keeps its value, and so does
 * memory. */
static void keep_state(const struct plan *p, const struct generator *g)
{
    struct test_case *c = p->c;
    bool all = c->count == 1 && g->special[c->row]->prepare;

    c->kept_gprs = (uint16_t)(1u << RSP | 1u << p->index);
    for (unsigned i = 0; i < POINTERS; i++)
        c->kept_gprs = (uint16_t)(c->kept_gprs | 1u << p->pointer[i]);
    if (all)
        c->kept_gprs = 0xffff;
    c->kept_memory = c->kept_vectors = all;
}

void generate_state(const struct generator *g, uint64_t number,
                    struct test_case *c)
{
    struct rng r = {rng_mix(g->seed ^ 1) ^ rng_mix(number * 2 + 1)};
    struct plan p = {.rng = &r, .c = c, .features = g->features};
    uint32_t ac = c->in.eflags & FLAG_AC;

    c->number = number;
    if (number % VARIATIONS == 0)
        return;
    any_gprs(&p);
    choose_fpu(&p);
    choose_flags(&p);
    c->in.eflags = (c->in.eflags & ~(uint32_t)FLAG_AC) | ac;
    if (!c->kept_vectors)
        choose_vectors(&p, &c->in.x);
    for (unsigned i = 0; i < c->patch_count && !c->kept_memory; i++)
        value_fill(&r, (enum value_kind)rng_below(&r, VALUE_KINDS),
                   c->patch[i].bytes, PATCH_SIZE);
}

bool generate(const struct generator *g, uint64_t number, struct test_case *c)
{
    if (!generate_program(g, number / VARIATIONS, c))
        return false;
    generate_state(g, number, c);
    return true;
}

bool generate_program(const struct generator *g, uint64_t program,
                      struct test_case *c)
{
    struct rng r = {rng_mix(g->seed) ^ rng_mix(program * 2 + 1)};
    struct plan p = {.rng = &r, .c = c, .features = g->features};
    unsigned length = 1;

    c->seed = g->seed;
    c->number = program * VARIATIONS;
    c->code_id = program + 1;
    c->count = c->patch_count = 0;
    c->unsure_end = 0;
    c->kept_gprs = 0;
    if (!choose_kind(g, program, c))
        return false;
    c->native = is_native(g, c->row);
    c->mutant = false;
    if (!g->singles && g->special[c->row]->use == USE_ANYWHERE &&
        rng_chance(&r, 40))
        length = 2 + rng_below(&r, 2 + rng_below(&r, PROGRAM_MAX - 2));
    p.mode = build_mode(c->kind);
    p.daring = length == 1;
    c->code_at = choose_place(&r, length);
    choose_state(&p);
    if (!make_program(&p, g, length) || !case_lay_out(c))
        return false;
    keep_state(&p, g);
    return true;
}
