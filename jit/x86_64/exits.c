/*
 * The ends of a block: direct exits that are patched, indirect ones through
 * the jump cache, helpers, and the code out of line.
 */

#include "jit/x86_64/emit.h"

#include "base/bits.h"
#include "cpu/fpu.h"
#include "mem/tlb.h"

struct stub *stub_new(struct emit *e, enum stub_kind kind)
{
    struct stub *s = &e->stub[e->stub_count];

    if (e->stub_count == STUBS - 1)
        e->failed = true;
    else
        e->stub_count++;
    *s = (struct stub){.kind = (uint8_t)kind,
                       .insn = e->b->ins[e->at].insn,
                       .recipe = (uint8_t)flags_recipe(e),
                       .exit = -1};
    return s;
}

size_t call_thunk(struct emit *e, uint32_t thunk)
{
    as_patch(&e->as, as_call(&e->as), thunk);
    return as_at(&e->as);
}

/* Remembers which instruction a call belongs to. */
static void call_site(struct emit *e, size_t at, unsigned insn,
                      unsigned recipe)
{
    struct jit_out *o = e->out;

    if (o->call_count == JIT_MAX_CALLS) {
        e->failed = true;
        return;
    }
    o->call[o->call_count++] =
        (struct jit_call_site){(uint32_t)at, (uint16_t)insn, (uint16_t)recipe};
}

void count_event(struct emit *e, enum frame_count which)
{
    if (e->out->stats)
        as_alu_imm(&e->as, ALU_ADD, 8, FRAME(counted[which]), 1);
}

void bail_if(struct emit *e, unsigned cc)
{
    struct stub *s = stub_new(e, STUB_BAIL);

    s->jump[0] = as_jcc(&e->as, cc);
}

static void store_imm64(struct emit *e, struct rm where, uint64_t v,
                        unsigned scratch)
{
    if ((int64_t)v == (int32_t)v) {
        as_mov_imm_to(&e->as, 8, where, (int32_t)v);
        return;
    }
    as_mov_imm(&e->as, scratch, v);
    as_mov_to(&e->as, 8, where, scratch);
}

/* --- entry --- */

/* Leaves for C with rip set when the jump is taken. */
static void stop_stub(struct emit *e, size_t jump, uint64_t ip)
{
    struct stub *s = stub_new(e, STUB_STOP);

    s->jump[0] = jump;
    s->imm = ip;
}

static void poll(struct emit *e, uint64_t ip)
{
    as_alu_imm(&e->as, ALU_CMP, 4, ENV(stop), 0);
    stop_stub(e, as_jcc(&e->as, CC_NE), ip);
}

void emit_entry(struct emit *e)
{
    const struct jit_out *o = e->out;

    if (o->count) {
        as_alu_imm(&e->as, ALU_SUB, 8, FRAME(budget),
                   (int32_t)e->b->insn_count);
        stop_stub(e, as_jcc(&e->as, CC_S), e->b->ip[0]);
        e->stub[e->stub_count - 1].op = e->b->insn_count;
    }
    if (o->straddle_link) {
        size_t at = offsetof(struct tlb_bank, fetch) +
                    tlb_fetch_index(o->straddle_la) * sizeof(struct tlb_fetch);

        as_mov_imm(&e->as, HR11, o->straddle_link);
        as_op(&e->as, 0x39, 8, HR11, rm_mem(HBANK, (int32_t)at));
        stop_stub(e, as_jcc(&e->as, CC_NE), e->b->ip[0]);
        e->stub[e->stub_count - 1].op = o->count ? e->b->insn_count : 0;
    }
}

/* --- direct exits --- */

static laddr code_la(const struct emit *e, uint64_t ip)
{
    return e->b->mode & MODE_CODE64 ? ip : (uint32_t)(ip + e->b->cs_base);
}

static bool same_page(const struct emit *e, uint64_t ip)
{
    laddr here = code_la(e, e->b->ip[0]), there = code_la(e, ip);

    return here >> PAGE_BITS == there >> PAGE_BITS;
}

enum { ALWAYS = 16 }; /* beside host conditions */

/* A jump to ip on a condition that the engine links later; into another page only while that
 * page is mapped as it was. */
static void linkable_jump(struct emit *e, uint64_t ip, unsigned cc)
{
    struct jit_out *o = e->out;
    struct jit_exit_site *x = &o->exit[o->exit_count];
    struct stub *s = stub_new(e, STUB_EXIT);

    s->exit = (int32_t)o->exit_count;
    s->imm = ip;
    *x = (struct jit_exit_site){.ip = ip};
    if (o->exit_count + 1 < JIT_MAX_EXITS)
        o->exit_count++;
    else
        e->failed = true;
    if (!same_page(e, ip)) {
        size_t fetch = offsetof(struct tlb_bank, fetch) +
                       tlb_fetch_index(code_la(e, ip)) *
                           sizeof(struct tlb_fetch);

        as_byte(&e->as, 0x49); /* MOV R11, imm64, never shortened */
        as_byte(&e->as, 0xbb);
        x->guard = (uint32_t)as_at(&e->as);
        as_u64(&e->as, TLB_NO_LINK - 1);
        as_op(&e->as, 0x39, 8, HR11, rm_mem(HBANK, (int32_t)fetch));
        s->jump[1] = as_jcc(&e->as, CC_NE);
    }
    x->jump = (uint32_t)(cc == ALWAYS ? as_jmp(&e->as) : as_jcc(&e->as, cc));
    s->jump[0] = x->jump;
}

static bool is_back_edge(const struct emit *e, uint64_t ip)
{
    return ip <= e->b->ip[e->b->ins[e->at].insn];
}

static void direct_exit(struct emit *e, uint64_t ip)
{
    if (is_back_edge(e, ip))
        poll(e, ip);
    count_event(e, FRAME_CHAIN);
    linkable_jump(e, ip, ALWAYS);
}

void emit_exit(struct emit *e, const struct ir_ins *i)
{
    flags_sync(e);
    flags_clobber(e);
    direct_exit(e, (uint64_t)i->imm);
}

void emit_exit_if(struct emit *e, const struct ir_ins *i)
{
    unsigned cc;
    size_t skip;

    flags_sync(e);
    cc = cond_of(e, i->arg[0]);
    if (same_page(e, (uint64_t)i->imm) && !is_back_edge(e, (uint64_t)i->imm) &&
        !e->out->stats) {
        linkable_jump(e, (uint64_t)i->imm, cc);
        return;
    }
    skip = as_jcc(&e->as, cc ^ 1);
    direct_exit(e, (uint64_t)i->imm);
    as_patch(&e->as, skip, as_at(&e->as));
}

/* --- indirect exits --- */

/* To the offset in R11, through the bank's jump cache. */
static void indirect(struct emit *e)
{
    int32_t jump = (int32_t)offsetof(struct tlb_bank, jump);
    struct stub *s;
    bool flat = e->b->mode & (MODE_CODE64 | MODE_FLAT_CS);

    if (!flat) {
        as_mov_to(&e->as, 8, ENV(rip), HR11);
        as_patch(&e->as, as_jmp(&e->as), e->out->thunks->stop);
        return;
    }
    as_alu_imm(&e->as, ALU_CMP, 4, ENV(stop), 0);
    s = stub_new(e, STUB_STOP);
    s->exit = EXIT_R11;
    s->jump[0] = as_jcc(&e->as, CC_NE);
    count_event(e, FRAME_JC_LOOKUP);
    as_mov(&e->as, 4, HR10, rm_reg(HR11));
    as_alu_imm(&e->as, ALU_AND, 4, rm_reg(HR10), TLB_JUMP_ENTRIES - 1);
    as_shift_imm(&e->as, 4, 4, rm_reg(HR10), 4);
    as_op(&e->as, 0x39, 8, HR11, rm_index(HBANK, HR10, 0, jump));
    s->jump[1] = as_jcc(&e->as, CC_NE);
    count_event(e, FRAME_JC_HIT);
    as_op(&e->as, 0xff, 4, 4, rm_index(HBANK, HR10, 0, jump + 8));
}

void emit_exit_to(struct emit *e, const struct ir_ins *i)
{
    unsigned r;

    flags_sync(e);
    flags_clobber(e);
    r = value_reg(e, i->arg[0], 8);
    if (r != HR11)
        as_mov(&e->as, 8, HR11, rm_reg(r));
    indirect(e);
}

/* After a helper that may have changed anything: mode, halted, rip. */
void emit_exit_cpu(struct emit *e, const struct ir_ins *i)
{
    struct stub *s;

    (void)i;
    as_mov(&e->as, 8, HR11, ENV(next_rip));
    as_alu_imm(&e->as, ALU_CMP, 4, ENV(mode), (int32_t)e->b->mode);
    s = stub_new(e, STUB_STOP);
    s->exit = EXIT_R11;
    s->jump[0] = as_jcc(&e->as, CC_NE);
    as_alu_imm(&e->as, ALU_CMP, 1, ENV(halted), 0);
    s->jump[1] = as_jcc(&e->as, CC_NE);
    indirect(e);
}

void emit_check_ip(struct emit *e, const struct ir_ins *i)
{
    unsigned r, t;

    flags_sync(e);
    flags_clobber(e);
    r = value_reg(e, i->arg[0], 8);
    if (!(e->b->mode & MODE_CODE64)) {
        as_op(&e->as, 0x3b, 4, r,
              env(offsetof(struct cpu, seg) + CS * sizeof(struct segment) +
                  offsetof(struct segment, limit)));
        bail_if(e, CC_A);
        return;
    }
    t = temp_new(e);
    as_mov(&e->as, 8, t, rm_reg(r));
    as_shift_imm(&e->as, 4, 8, rm_reg(t), 16);
    as_shift_imm(&e->as, 7, 8, rm_reg(t), 16);
    as_alu(&e->as, ALU_CMP, 8, t, rm_reg(r));
    bail_if(e, CC_NE);
}

/* --- helpers --- */

/* The block goes on, unless the helper stored into code, or was a repeated
 * string instruction that is not done yet. */
static void after_helper(struct emit *e, const struct ir_ins *i, uint64_t next)
{
    struct stub *s;

    as_alu_imm(&e->as, ALU_CMP, 4, FRAME(code_changed), 0);
    s = stub_new(e, STUB_STOP);
    s->exit = EXIT_NEXT_RIP;
    s->jump[0] = as_jcc(&e->as, CC_NE);
    s->op = e->out->count ? e->b->insn_count - i->insn - 1u : 0;
    if (!i->scale)
        return;
    as_mov_imm(&e->as, HR10, next);
    as_op(&e->as, 0x39, 8, HR10, ENV(next_rip));
    s->jump[1] = as_jcc(&e->as, CC_NE);
}

void emit_helper(struct emit *e, const struct ir_ins *i)
{
    uint64_t ip = e->b->ip[i->insn], next = e->b->ip[i->insn + 1];
    uint64_t fn = (uint64_t)i->imm;
    uint32_t attrs = insn_info[e->b->insn[i->insn].id].attrs;

    flags_sync(e);
    flags_clobber(e);
    count_event(e, FRAME_HELPER);
    if (!fn) {
        count_event(e, FRAME_BODY);
        if (attrs & (A_SSE | A_AVX) &&
            e->b->mode & (MODE_SSE_EXC | MODE_SSE_ODD))
            count_event(e, FRAME_UNMASKED);
        fn = (uint64_t)(uintptr_t)jit_body;
    }
    store_imm64(e, ENV(rip), ip, HR10);
    store_imm64(e, ENV(next_rip), next, HR10);
    as_mov_imm(&e->as, HR10, (uint64_t)(uintptr_t)&e->out->insn[i->insn]);
    as_mov_imm(&e->as, HR11, fn);
    call_site(e, call_thunk(e, e->out->thunks->helper), i->insn, RECIPE_NONE);
    e->host_flags = 0;
    e->env_flags = FLAGS_ARITH;
    e->flags_def = IR_NONE;
    e->xmm_known = XMM_HOME;
    e->x87_known = false;
    if (!(attrs & A_ENDS))
        after_helper(e, i, next);
}

/* --- out of line --- */

static void stub_access(struct emit *e, struct stub *s)
{
    bool write = s->op & FRAME_WRITE;
    unsigned t = HSCRATCH;

    if (s->ea.index == HNONE && s->ea.reg != HNONE && s->ea.disp == 0)
        as_mov_to(&e->as, 8, FRAME(la), s->ea.reg);
    else {
        as_lea(&e->as, 8, t, s->ea);
        as_mov_to(&e->as, 8, FRAME(la), t);
    }
    as_mov_imm_to(&e->as, 4, FRAME(op), (int32_t)s->op);
    if (write)
        emit_use(e, s, FRAME(value));
    call_site(e, call_thunk(e, e->out->thunks->access), s->insn, s->recipe);
    if (s->use_kind == USE_POINTER)
        as_mov(&e->as, 8, s->reg, FRAME(value));
    else if (!write)
        emit_use(e, s, FRAME(value));
    as_patch(&e->as, as_jmp(&e->as), s->back);
}

static void stub_exit(struct emit *e, struct stub *s)
{
    struct jit_exit_site *x = &e->out->exit[s->exit];

    x->stub = (uint32_t)as_at(&e->as);
    as_mov_imm(&e->as, HR11, s->imm);
    as_mov_to(&e->as, 8, ENV(rip), HR11);
    x->from = (uint32_t)call_thunk(e, e->out->thunks->exit);
}

static void stub_stop(struct emit *e, const struct stub *s)
{
    if (s->exit == EXIT_NEXT_RIP)
        as_mov(&e->as, 8, HR11, ENV(next_rip));
    else if (s->exit != EXIT_R11)
        as_mov_imm(&e->as, HR11, s->imm);
    as_mov_to(&e->as, 8, ENV(rip), HR11);
    if (s->op)
        as_alu_imm(&e->as, ALU_ADD, 8, FRAME(budget), (int32_t)s->op);
    as_patch(&e->as, as_jmp(&e->as), e->out->thunks->stop);
}

static void stub_xmm(struct emit *e, const struct stub *s)
{
    call_thunk(e, s->op == XMM_LIVE_AVX ? e->out->thunks->load_ymm
                                        : e->out->thunks->load_xmm);
    as_patch(&e->as, as_jmp(&e->as), s->back);
}

/* A pending exception is the interpreter's: the host would report it. */
static void stub_x87(struct emit *e, const struct stub *s)
{
    size_t sw = offsetof(struct cpu, fpu) + offsetof(struct fpu, sw), skip;

    if (e->b->mode & MODE_FPU_EXC) {
        as_test_imm(&e->as, 1, env(sw), FPU_SW_ES);
        skip = as_jcc(&e->as, CC_E);
        call_site(e, call_thunk(e, e->out->thunks->bail), s->insn, s->recipe);
        as_patch(&e->as, skip, as_at(&e->as));
    }
    call_thunk(e, e->out->thunks->load_x87);
    as_patch(&e->as, as_jmp(&e->as), s->back);
}

static void stub_emit(struct emit *e, struct stub *s)
{
    size_t here = as_at(&e->as);

    for (unsigned k = 0; k < 2; k++)
        if (s->jump[k])
            as_patch(&e->as, s->jump[k], here);
    switch ((enum stub_kind)s->kind) {
    case STUB_ACCESS: stub_access(e, s); break;
    case STUB_BAIL:
        call_site(e, call_thunk(e, e->out->thunks->bail), s->insn, s->recipe);
        break;
    case STUB_EXIT: stub_exit(e, s); break;
    case STUB_STOP: stub_stop(e, s); break;
    case STUB_XMM: stub_xmm(e, s); break;
    case STUB_X87: stub_x87(e, s); break;
    case STUB_UNDO:
        vector_undo(e, s->in);
        call_site(e, call_thunk(e, e->out->thunks->bail), s->insn, s->recipe);
        break;
    }
}

void emit_stubs(struct emit *e)
{
    for (unsigned k = 0; k < e->stub_count; k++)
        stub_emit(e, &e->stub[k]);
}
