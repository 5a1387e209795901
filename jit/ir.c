#include "jit/ir.h"

#include <inttypes.h>
#include <string.h>

#include "cpu/flags.h"

const struct ir_op_info ir_op_info[IR_OP_COUNT] = {
#define IR(name, args, kind) {#name, args, IRK_##kind},
#include "jit/ir.def"
#undef IR
};

static const struct {
    const char *name;
    uint32_t written, tested;
} flag_kinds[FLAGKIND_COUNT] = {
#define X(kind, written, tested) {#kind, written, tested},
    FLAG_KINDS(X)
#undef X
};

/* State of the walk from the end of the block to its start. */
struct walk {
    struct ir_block *b;
    ir_fuses *fuses;
    uint32_t need, observed; /* flags wanted by what follows */
    uint32_t hard;           /* those of observed that must be there */
    unsigned flags_last;     /* the last operation that wants them */
    ir_ref put[GPR_COUNT];   /* value that a following PUT moves there */
    uint8_t put_size[GPR_COUNT];
    uint32_t exit_observed;
};

static bool is_const(const struct ir_block *b, ir_ref v, bool nonzero)
{
    return v != IR_NONE && b->ins[v].op == IR_CONST &&
           (b->ins[v].imm != 0) == nonzero;
}

static void use(struct ir_block *b, ir_ref v, unsigned at)
{
    if (v == IR_NONE)
        return;
    if (b->ins[v].uses++ == 0)
        b->ins[v].last = (uint16_t)at;
}

/* Is FLAGS operation f at `at` the by-product of the operation before it? */
static bool is_fused(const struct walk *w, const struct ir_ins *f, unsigned at)
{
    const struct ir_ins *r = &w->b->ins[f->arg[0]];

    if (at == 0 || f->arg[0] != at - 1 || r->size != f->size)
        return false;
    if (f->reg != FLAGKIND_logic && f->reg != FLAGKIND_inc &&
        f->reg != FLAGKIND_dec && r->arg[0] != f->arg[1])
        return false;
    return w->fuses((enum ir_op)r->op, f->reg, f->size);
}

static void want_flags(struct walk *w, uint32_t need, uint32_t observed,
                       unsigned at)
{
    if ((need | observed) && !(w->need | w->observed))
        w->flags_last = at;
    w->need |= need;
    w->observed |= observed;
}

/* Flags that only faults look at need not be made where a recipe can. */
static bool take_recipe(struct walk *w, struct ir_ins *f, unsigned at)
{
    struct ir_block *b = w->b;
    ir_ref saved;

    if (b->recipe_count == RECIPE_MAX ||
        !recipe_find(b, at, w->flags_last, &b->recipe[b->recipe_count]))
        return false;
    f->recipe = (uint8_t)b->recipe_count++;
    saved = recipe_saves(b, at);
    /* The operation itself is not wanted: it is the FLAGS that saves. */
    if (saved != IR_NONE && b->ins[f->arg[0]].uses == 0)
        use(b, saved, at);
    return true;
}

/* What f writes is f's; what it leaves alone is still wanted. */
static void forget_flags(struct walk *w, struct ir_ins *f, uint32_t written)
{
    w->need &= ~written;
    w->observed &= ~written;
    w->hard &= ~written;
    f->pass = (uint16_t)(w->need | w->observed);
    f->last = (uint16_t)w->flags_last;
}

static void analyse_flags(struct walk *w, struct ir_ins *f, unsigned at)
{
    uint32_t written = flag_kinds[f->reg].written;
    uint32_t tested = flag_kinds[f->reg].tested;

    /* A shift by 0 changes no flags. */
    if (tested == written && is_const(w->b, f->arg[2], false)) {
        f->dead = true;
        return;
    }
    f->need = (uint16_t)(w->need & written);
    f->observed = (uint16_t)(w->observed & written);
    if (!(f->need | f->observed)) {
        f->dead = true;
        return;
    }
    if (!f->need && !(w->hard & written) && take_recipe(w, f, at)) {
        forget_flags(w, f, written);
        w->hard |= f->pass;
        return;
    }
    /* Shifts by a constant that is not 0 always write their flags. */
    if (tested == written && is_const(w->b, f->arg[2], true))
        tested = 0;
    forget_flags(w, f, written);
    w->hard |= f->pass;
    want_flags(w, tested, 0, at);
    f->fused = is_fused(w, f, at);
    use(w->b, f->arg[0], at);
    if (f->fused)
        return;
    use(w->b, f->arg[1], at);
    use(w->b, f->arg[2], at);
}

/* Flags that operation i looks at. */
static uint32_t flags_read(const struct ir_ins *i)
{
    switch ((enum ir_op)i->op) {
    case IR_COND: return flags_cond_tests(i->reg);
    case IR_FLAG: return (uint32_t)i->imm & FLAGS_ARITH;
    case IR_ADC:
    case IR_SBB: return FLAG_CF;
    case IR_GET_AFLAGS: return FLAGS_ARITH & ~FLAG_OF;
    default: return 0;
    }
}

/* Flags that must be in place when i is done. */
static uint32_t flags_observed(const struct walk *w, const struct ir_ins *i)
{
    switch ((enum ir_op)i->op) {
    case IR_HELPER:
    case IR_EXIT_CPU:
    case IR_SET_FLAG:
    case IR_SET_AFLAGS: return FLAGS_ARITH;
    case IR_EXIT:
    case IR_EXIT_IF:
    case IR_EXIT_TO: return w->exit_observed;
    /* It may leave when it is done, with an exception pending. */
    case IR_X87: return w->b->mode & MODE_FPU_EXC ? FLAGS_ARITH : 0;
    default: return 0;
    }
}

static void forget_puts(struct walk *w, ir_ref except)
{
    for (unsigned r = 0; r < GPR_COUNT; r++)
        if (w->put[r] != except)
            w->put[r] = IR_NONE;
}

/* May v be made in the register right away?  A narrow load may: it extends. */
static bool put_hints(const struct ir_ins *v, unsigned size)
{
    return v->size == size || (v->op == IR_LOAD && size >= 4 && v->size < size);
}

/* Follows a PUT back to where its value is made: the hint. */
static void analyse_hint(struct walk *w, struct ir_ins *i, unsigned at)
{
    switch ((enum ir_op)i->op) {
    case IR_GET:
    case IR_GETH:
    case IR_PUTH: w->put[i->reg] = IR_NONE; return;
    case IR_PUT:
        w->put[i->reg] = put_hints(&w->b->ins[i->arg[0]], i->size)
                             ? i->arg[0]
                             : IR_NONE;
        w->put_size[i->reg] = i->size;
        return;
    case IR_EXIT_IF: forget_puts(w, IR_NONE); return;
    default: break;
    }
    for (unsigned r = 0; r < GPR_COUNT; r++)
        if (w->put[r] == at)
            i->hint = (uint8_t)r, i->hint_size = w->put_size[r];
    if (ir_may_fault(i))
        forget_puts(w, (ir_ref)at);
}

/* Of an instruction that the host runs as it is. */
static void analyse_native(struct walk *w, struct ir_ins *i, unsigned at)
{
    const struct insn *in = &w->b->insn[i->insn];
    const struct flag_effect *f = &flag_effects[insn_info[in->id].flags];
    bool wanted = w->need | w->observed;

    if (f->written) {
        forget_flags(w, i, f->written);
        w->hard |= i->pass;
        if (!wanted)
            i->last = (uint16_t)at;
    }
    want_flags(w, f->tested & FLAGS_ARITH, 0, at);
}

static void analyse_one(struct walk *w, struct ir_ins *i, unsigned at)
{
    enum ir_kind kind = (enum ir_kind)ir_op_info[i->op].kind;

    if (i->op == IR_FLAGS) {
        analyse_flags(w, i, at);
        return;
    }
    if ((kind == IRK_PURE || kind == IRK_READ) && i->uses == 0) {
        i->dead = true;
        return;
    }
    if (i->op == IR_VECTOR || i->op == IR_X87)
        analyse_native(w, i, at);
    w->hard |= flags_observed(w, i);
    want_flags(w, flags_read(i), flags_observed(w, i), at);
    if (kind == IRK_FAULT)
        want_flags(w, 0, FLAGS_ARITH, at);
    for (unsigned k = 0; k < 3; k++)
        use(w->b, i->arg[k], at);
}

/* A hint holds only if nobody reads the register's old value afterwards. */
static void check_hints(struct ir_block *b)
{
    unsigned alias_last[GPR_COUNT] = {0};

    for (unsigned at = 0; at < b->count; at++) {
        struct ir_ins *i = &b->ins[at];

        if (i->dead)
            continue;
        if ((i->op == IR_GET || i->op == IR_GETH) &&
            i->last > alias_last[i->reg])
            alias_last[i->reg] = i->last;
        if (i->hint != IR_NO_HINT && alias_last[i->hint] > at)
            i->hint = IR_NO_HINT;
    }
}

void ir_analyse(struct ir_block *b, ir_fuses *fuses, uint32_t exit_observed)
{
    struct walk w = {.b = b, .fuses = fuses, .exit_observed = exit_observed};

    for (unsigned r = 0; r < GPR_COUNT; r++)
        w.put[r] = IR_NONE;
    b->recipe_count = 0;
    for (unsigned at = b->count; at-- > 0;) {
        struct ir_ins *i = &b->ins[at];

        i->hint = IR_NO_HINT;
        i->recipe = RECIPE_NONE;
        analyse_one(&w, i, at);
        if (!i->dead)
            analyse_hint(&w, i, at);
    }
    check_hints(b);
}

static void print_ins(const struct ir_block *b, unsigned at, FILE *f)
{
    const struct ir_ins *i = &b->ins[at];

    fprintf(f, "  %3u %-10s.%u", at, ir_op_info[i->op].name, i->size);
    if (i->op == IR_FLAGS)
        fprintf(f, " %s", flag_kinds[i->reg].name);
    else
        fprintf(f, " r%u", i->reg);
    for (unsigned k = 0; k < 3; k++)
        if (i->arg[k] != IR_NONE)
            fprintf(f, " %%%u", i->arg[k]);
    if (i->scale)
        fprintf(f, " <<%u", i->scale);
    if (i->imm)
        fprintf(f, " %#" PRIx64, (uint64_t)i->imm);
    if (i->op == IR_FLAGS)
        fprintf(f, " need=%x observed=%x%s", i->need, i->observed,
                i->recipe != RECIPE_NONE ? " recipe"
                : i->fused               ? " fused"
                                         : "");
    if (i->uses && i->hint != IR_NO_HINT)
        fprintf(f, " -> r%u", i->hint);
    fprintf(f, "%s\n", i->dead ? " (dead)" : "");
}

void ir_print(const struct ir_block *b, FILE *f)
{
    unsigned insn = IR_INSNS;

    for (unsigned at = 0; at < b->count; at++) {
        if (b->ins[at].insn != insn) {
            insn = b->ins[at].insn;
            fprintf(f, "%#" PRIx64 ":\n", b->ip[insn]);
        }
        print_ins(b, at, f);
    }
}
