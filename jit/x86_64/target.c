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

static emit_fn *const emitters[IR_OP_COUNT] = {
    [IR_CONST] = emit_const,   [IR_GET] = emit_get,
    [IR_GETH] = emit_geth,     [IR_PUT] = emit_put,
    [IR_PUTH] = emit_puth,     [IR_ADD] = emit_binary,
    [IR_SUB] = emit_binary,    [IR_AND] = emit_binary,
    [IR_OR] = emit_binary,     [IR_XOR] = emit_binary,
    [IR_ADC] = emit_carry,     [IR_SBB] = emit_carry,
    [IR_NOT] = emit_not,       [IR_SHL] = emit_shift,
    [IR_SHR] = emit_shift,     [IR_SAR] = emit_shift,
    [IR_ROL] = emit_shift,     [IR_ROR] = emit_shift,
    [IR_SHLD] = emit_shift_double, [IR_SHRD] = emit_shift_double,
    [IR_MUL] = emit_mul,       [IR_MULHU] = emit_mul_high,
    [IR_MULHS] = emit_mul_high, [IR_ZEXT] = emit_zext,
    [IR_SEXT] = emit_sext,     [IR_BSWAP] = emit_bswap,
    [IR_CTZ] = emit_scan,      [IR_CLZ] = emit_scan,
    [IR_POPCOUNT] = emit_popcount, [IR_EQ] = emit_compare,
    [IR_LTU] = emit_compare,   [IR_SELECT] = emit_select,
    [IR_LEA] = emit_lea,       [IR_FLAGS] = emit_flags,
    [IR_FLAG] = emit_flag,     [IR_COND] = emit_cond,
    [IR_SET_FLAG] = emit_set_flag, [IR_GET_AFLAGS] = emit_get_aflags,
    [IR_SET_AFLAGS] = emit_set_aflags, [IR_SEGBASE] = emit_segbase,
    [IR_SEGCHECK] = emit_segcheck, [IR_LOAD] = emit_load,
    [IR_LOAD_RMW] = emit_load_rmw, [IR_STORE] = emit_store,
    [IR_STORE_RMW] = emit_store_rmw, [IR_VECTOR] = emit_vector,
    [IR_X87] = emit_x87,       [IR_HELPER] = emit_helper,
    [IR_CHECK_IP] = emit_check_ip, [IR_EXIT] = emit_exit,
    [IR_EXIT_IF] = emit_exit_if, [IR_EXIT_TO] = emit_exit_to,
    [IR_EXIT_CPU] = emit_exit_cpu,
};

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

static bool x86_native(const struct insn *in)
{
    return insn_info[in->id].attrs & A_FPU ? x87_native(in)
                                           : vector_native(in);
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
