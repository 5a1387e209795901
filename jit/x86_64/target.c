/* The x86-64 backend: which operation is emitted by what. */

#include <string.h>

#include "cpu/flags.h"
#include "jit/x86_64/emit.h"

/* Flags that the host's own instruction makes just as cpu/flags.h says. */
static bool x86_fuses(enum ir_op op, unsigned kind, unsigned size)
{
    (void)size;
    switch (kind) {
    case FLAGKIND_add: return op == IR_ADD;
    case FLAGKIND_adc: return op == IR_ADC;
    case FLAGKIND_sub: return op == IR_SUB;
    case FLAGKIND_sbb: return op == IR_SBB;
    case FLAGKIND_logic:
        return op == IR_AND || op == IR_OR || op == IR_XOR;
    case FLAGKIND_inc: return op == IR_ADD;
    case FLAGKIND_dec: return op == IR_SUB;
    case FLAGKIND_shl: return op == IR_SHL;
    case FLAGKIND_shr: return op == IR_SHR;
    case FLAGKIND_sar: return op == IR_SAR;
    case FLAGKIND_rol: return op == IR_ROL;
    case FLAGKIND_ror: return op == IR_ROR;
    default: return false;
    }
}

/* Who emits what: a row for each of jit/ir.def, in any order. */
#define EMITTERS(X) \
    X(CONST,     emit_const)                      \
    X(GET,       emit_get)                        \
    X(GETH,      emit_geth)                       \
    X(PUT,       emit_put)                        \
    X(PUTH,      emit_puth)                       \
    X(ADD,       emit_binary)                     \
    X(SUB,       emit_binary)                     \
    X(AND,       emit_binary)                     \
    X(OR,        emit_binary)                     \
    X(XOR,       emit_binary)                     \
    X(ADC,       emit_carry)                      \
    X(SBB,       emit_carry)                      \
    X(NOT,       emit_not)                        \
    X(SHL,       emit_shift)                      \
    X(SHR,       emit_shift)                      \
    X(SAR,       emit_shift)                      \
    X(ROL,       emit_shift)                      \
    X(ROR,       emit_shift)                      \
    X(SHLD,      emit_shift_double)               \
    X(SHRD,      emit_shift_double)               \
    X(MUL,       emit_mul)                        \
    X(MULHU,     emit_mul_high)                   \
    X(MULHS,     emit_mul_high)                   \
    X(ZEXT,      emit_zext)                       \
    X(SEXT,      emit_sext)                       \
    X(BSWAP,     emit_bswap)                      \
    X(CTZ,       emit_scan)                       \
    X(CLZ,       emit_scan)                       \
    X(POPCOUNT,  emit_popcount)                   \
    X(EQ,        emit_compare)                    \
    X(LTU,       emit_compare)                    \
    X(SELECT,    emit_select)                     \
    X(LEA,       emit_lea)                        \
    X(FLAGS,     emit_flags)                      \
    X(FLAG,      emit_flag)                       \
    X(COND,      emit_cond)                       \
    X(SET_FLAG,  emit_set_flag)                   \
    X(GET_AFLAGS, emit_get_aflags)                \
    X(SET_AFLAGS, emit_set_aflags)                \
    X(SEGBASE,   emit_segbase)                    \
    X(SEGCHECK,  emit_segcheck)                   \
    X(LOAD,      emit_load)                       \
    X(LOAD_RMW,  emit_load_rmw)                   \
    X(STORE,     emit_store)                      \
    X(STORE_RMW, emit_store_rmw)                  \
    X(VECTOR,    emit_vector)                     \
    X(X87,       emit_x87)                        \
    X(HELPER,    emit_helper)                     \
    X(CHECK_IP,  emit_check_ip)                   \
    X(EXIT,      emit_exit)                       \
    X(EXIT_IF,   emit_exit_if)                    \
    X(EXIT_TO,   emit_exit_to)                    \
    X(EXIT_CPU,  emit_exit_cpu)

#define EMITTER(op, emit) [IR_##op] = emit,
static emit_fn *const emitters[IR_OP_COUNT] = {EMITTERS(EMITTER)};
#undef EMITTER

/* Two rows for one operation are the compiler's to find (an initializer that
 * is overwritten), so as many rows as operations are one for each. */
#define ONE(op, emit) +1
_Static_assert(0 EMITTERS(ONE) == IR_OP_COUNT,
               "every operation of jit/ir.def has an emitter");
#undef ONE

/* e is as the last block left it: only what is read before it is written must
 * be set. */
static void emit_init(struct emit *e, const struct ir_block *b,
                      struct jit_out *out)
{
    memset(e->clean, 0, b->count);
    memset(e->alias_count, 0, sizeof(e->alias_count));
    e->cond_count = e->stub_count = 0;
    e->pinned = 0;
    e->host_flags = 0;
    e->xmm_known = e->x87_known = e->failed = false;
    e->as = (struct as){out->rw, out->rw + out->at, out->rw + out->end, false};
    e->b = b;
    e->out = out;
    e->temps = 1u << HR9 | 1u << HR10 | 1u << HR11;
    for (unsigned r = 0; r < 16; r++)
        e->owner[r] = VALUE_FREE;
    for (unsigned s = 0; s < FRAME_SPILLS; s++)
        e->spill_owner[s] = VALUE_FREE;
    e->env_flags = FLAGS_ARITH;
    e->flags_def = IR_NONE;
}

static bool x86_emit(const struct ir_block *b, struct jit_out *out)
{
    struct emit *e = out->work;
    bool ok;

    emit_init(e, b, out);
    out->exit_count = out->call_count = 0;
    emit_entry(e);
    for (e->at = 0; e->at < b->count && !e->failed; e->at++) {
        if (b->ins[e->at].dead)
            continue;
        flags_save_operand(e);
        emitters[b->ins[e->at].op](e, &b->ins[e->at]);
        op_end(e);
    }
    if (!e->failed)
        emit_stubs(e);
    ok = !e->failed && !e->as.full;
    out->size = as_at(&e->as) - out->at;
    out->failed_insn = e->failed && e->at ? b->ins[e->at - 1].insn : -1;
    return ok;
}

static void patch32(uint8_t *at, size_t from, size_t to)
{
    __atomic_store_n((uint32_t *)(void *)at, (uint32_t)(to - (from + 4)),
                     __ATOMIC_RELEASE);
}

static void x86_link(uint8_t *rw, const struct jit_exit_site *x, size_t target,
                     uint64_t link)
{
    if (x->guard)
        memcpy(rw + x->guard, &link, sizeof(link));
    patch32(rw + x->jump, x->jump, target);
}

static void x86_unlink(uint8_t *rw, const struct jit_exit_site *x)
{
    patch32(rw + x->jump, x->jump, x->stub);
}

static enum jit_exit x86_enter(const uint8_t *rx, const struct jit_thunks *t,
                               struct cpu *cpu, size_t block)
{
    typedef unsigned enter_fn(struct cpu *, const uint8_t *);
    enter_fn *enter;
    const uint8_t *at = rx + t->enter;

    memcpy(&enter, &at, sizeof(enter));
    return (enum jit_exit)enter(cpu, rx + block);
}

static bool x86_native(const struct insn *in, uint32_t mode,
                       const struct feature_set *host)
{
    if (in->map >= 0xd8 || in->id == I_FWAIT)
        return x87_native(in, mode, host);
    return ir_divides(in) ? divide_native(in) : vector_native(in, mode, host);
}

static const struct jit_backend x86_64 = {
    .name = "x86_64",
    .work_size = sizeof(struct emit),
    .fuses = x86_fuses,
    .native = x86_native,
    .emit_thunks = emit_thunks,
    .emit = x86_emit,
    .link = x86_link,
    .unlink = x86_unlink,
    .enter = x86_enter,
};

const struct jit_backend *jit_backend_host(void)
{
    return &x86_64;
}
