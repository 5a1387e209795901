#include "jit/jit.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "cpu/decode.h"
#include "cpu/fault.h"
#include "cpu/flags.h"
#include "cpu/interp.h"
#include "cpu/trace.h"
#include "jit/backend.h"
#include "jit/block.h"
#include "jit/dump.h"
#include "jit/frame.h"
#include "jit/ir.h"
#include "jit/lift.h"
#include "jit/perfmap.h"

enum {
    BLOCK_INSNS = 32,
    /* No block's code is larger; what is does not get translated. */
    BLOCK_ROOM = 32 << 10,
    HEAT_BITS = 16,
    COUNT_ALL = 1 << 30, /* a budget that nobody asked for */
};

struct jit {
    struct engine engine;
    struct cpu *cpu;
    struct jit_options options;
    struct block_table blocks;
    struct ir_block *ir;
    struct jit_out *out;
    int64_t left;         /* budget when not in generated code */
    bool in_code;         /* generated code is running */
    bool stepping;        /* the interpreter runs one instruction */
    uint8_t heat[1 << HEAT_BITS]; /* times that blocks were wanted */
};

/* --- called by generated code --- */

static bool access_is_plain(const struct cpu *cpu, laddr la, unsigned n)
{
    if (cpu->mode & MODE_CODE64)
        return bits_sext(la, 48) == la && bits_sext(la + n - 1, 48) == la + n - 1;
    return la + n - 1 <= UINT32_MAX;
}

static bool access_pointer(struct cpu *cpu, struct jit_frame *f, unsigned n)
{
    uint64_t run;
    uint8_t *p;

    if (!mmu_probe(&cpu->mmu, f->la, n, ACCESS_WRITE))
        return false;
    p = mmu_run(&cpu->mmu, f->la, n, ACCESS_WRITE, &run);
    if (!p || run < n) {
        cpu->stats->bail_rmw++;
        return false;
    }
    f->value.u64[0] = (uint64_t)(uintptr_t)p;
    return true;
}

/* Would a store of n bytes, which may be done, change translated code?  A page
 * with code has no plain write entry. */
static bool hits_code(struct cpu *cpu, laddr la, unsigned n)
{
    const struct jit *j = cpu->engine_data;
    uint64_t run;

    if (mmu_run(&cpu->mmu, la, n, ACCESS_WRITE, &run) && run == n)
        return false;
    while (n) {
        unsigned room = PAGE_SIZE - (unsigned)(la & (PAGE_SIZE - 1));
        unsigned part = n < room ? n : room;
        const uint8_t *p = mmu_run(&cpu->mmu, la, 1, ACCESS_READ, &run);

        if (p && blocks_hit(&j->blocks,
                            (uint64_t)(p - cpu->mmu.pm->ram.mem.rw), part))
            return true;
        la += part;
        n -= part;
    }
    return false;
}

static bool access_store(struct cpu *cpu, struct jit_frame *f, unsigned n)
{
    /* A store to translated code is left to the interpreter, so that the next
     * instruction is looked up afresh.  It must not be done here first: it may
     * change the instruction that the interpreter is about to decode. */
    if (cpu->mmu.watch_count || !mmu_probe(&cpu->mmu, f->la, n, ACCESS_WRITE))
        return false;
    if (hits_code(cpu, f->la, n)) {
        cpu->stats->bail_code++;
        return false;
    }
    return n > 8 ? mmu_write_bytes(&cpu->mmu, f->la, &f->value, n)
                 : mmu_write(&cpu->mmu, f->la, n, f->value.u64[0]);
}

static bool access_done(struct cpu *cpu, struct jit_frame *f)
{
    unsigned n = f->op & FRAME_SIZE;
    unsigned slot = f->op >> FRAME_SLOT_SHIFT & 0xff;
    bool write = f->op & (FRAME_WRITE | FRAME_RMW);

    if (!access_is_plain(cpu, f->la, n) ||
        ((f->op & FRAME_ALIGN) && (f->la & (n - 1))))
        return false;
    if (slot != FRAME_NO_SLOT)
        mmu_fill_l0(&cpu->mmu, slot, f->la, write ? ACCESS_WRITE : ACCESS_READ);
    if (f->op & FRAME_RMW)
        return access_pointer(cpu, f, n);
    if (!write) {
        if (n > 8)
            return mmu_read_bytes(&cpu->mmu, f->la, &f->value, n);
        return mmu_read(&cpu->mmu, f->la, n, &f->value.u64[0]);
    }
    return access_store(cpu, f, n);
}

static bool has_slot(const struct jit_frame *f)
{
    return (f->op >> FRAME_SLOT_SHIFT & 0xff) != FRAME_NO_SLOT;
}

bool jit_access(struct cpu *cpu)
{
    struct jit_frame *f = jit_frame(cpu);

    if (has_slot(f))
        cpu->stats->l0_miss++;
    else
        cpu->stats->tlb_miss++;
    if (access_done(cpu, f))
        return true;
    cpu->stats->bail_access++;
    return false;
}

void jit_flags(struct cpu *cpu)
{
    const struct jit_frame *f = jit_frame(cpu);

    cpu->aflags = flags_compute((enum flag_kind)(f->flag_op & 0xff),
                                f->flag_op >> 8, f->flag[0], f->flag[1],
                                f->flag[2], cpu->aflags);
}

void jit_body(struct cpu *cpu, const struct insn *in)
{
    interp_body(cpu, in);
}

/* --- translation --- */

static laddr code_la(const struct cpu *cpu, uint64_t ip)
{
    return cpu->mode & MODE_CODE64 ? ip : (uint32_t)(ip + cpu->seg[CS].base);
}

/* Where the bytes of a block come from: its page and, for an instruction that
 * crosses its end, the next. */
struct source {
    const uint8_t *host;
    unsigned room;           /* bytes to the end of the page */
    uint8_t joint[2 * INSN_MAX_LEN];
    uint64_t ram_at2;        /* UINT64_MAX until needed */
};

/* Decodes the first instruction of a block across the page end. */
static enum decode_result decode_across(struct cpu *cpu, struct source *s,
                                        laddr la, struct insn *in)
{
    const struct ram *ram = &cpu->mmu.pm->ram;
    uint64_t at;

    if (!mmu_fetch_page(&cpu->mmu, la + s->room, &at) || at == UINT64_MAX)
        return DECODE_MORE;
    memcpy(s->joint, s->host, s->room);
    memcpy(s->joint + s->room, ram->mem.rw + at, INSN_MAX_LEN);
    s->ram_at2 = at;
    return decode(s->joint, s->room + INSN_MAX_LEN, cpu->mode, cpu->features,
                  in);
}

/* Fills the IR with the instructions from ip on; 0 if there is none that can
 * be translated.  Returns bytes of guest code. */
static unsigned lift_block(struct jit *j, struct cpu *cpu, struct source *s,
                           uint64_t by_helper)
{
    const struct lift_options opt = {j->blocks.backend->native,
                                     &j->blocks.thunks.host, by_helper};
    struct ir_block *b = j->ir;
    uint64_t ip = cpu->rip;
    unsigned bytes = 0;
    bool ended = false;

    b->count = b->insn_count = 0;
    b->mode = cpu->mode;
    b->cs_base = (uint32_t)cpu->seg[CS].base;
    b->cs_limit = cpu->seg[CS].limit;
    while (!ended && bytes < s->room && b->insn_count < BLOCK_INSNS &&
           b->count + IR_PER_INSN < IR_MAX) {
        struct insn in;
        enum decode_result r = decode(s->host + bytes, s->room - bytes,
                                      cpu->mode, cpu->features, &in);

        if (r == DECODE_MORE && bytes == 0)
            r = decode_across(cpu, s, code_la(cpu, ip), &in);
        if (r != DECODE_OK)
            break;
        ended = lift_insn(b, &in, ip, &opt);
        ip = b->ip[b->insn_count];
        bytes += in.len;
    }
    if (bytes && !ended)
        lift_end(b);
    return bytes;
}

static bool has_helpers(const struct ir_block *b)
{
    for (unsigned k = 0; k < b->count; k++)
        if (b->ins[k].op == IR_HELPER)
            return true;
    return false;
}

/* Helpers are handed their instruction for as long as the block lives. */
static void keep_insns(const struct ir_block *b, struct block *proto)
{
    free(proto->insn);
    proto->insn = NULL;
    if (!has_helpers(b))
        return;
    proto->insn = xcalloc(b->insn_count, sizeof(struct insn));
    memcpy(proto->insn, b->insn, b->insn_count * sizeof(struct insn));
}

static struct ir_recipe *keep_recipes(const struct ir_block *b)
{
    struct ir_recipe *r;

    if (!b->recipe_count)
        return NULL;
    r = xcalloc(b->recipe_count, sizeof(*r));
    memcpy(r, b->recipe, b->recipe_count * sizeof(*r));
    return r;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Emits j->ir; an instruction that asks too much of the backend goes to C. */
static unsigned emit_block(struct jit *j, struct cpu *cpu, struct source *s,
                           struct block *proto)
{
    struct jit_out *out = j->out;
    uint64_t by_helper = 0;
    unsigned bytes;

    for (;;) {
        bytes = lift_block(j, cpu, s, by_helper);
        if (!bytes) {
            cpu->stats->fallback_insn++;
            return 0;
        }
        ir_analyse(j->ir, j->blocks.backend->fuses, FLAGS_ARITH);
        blocks_room(&j->blocks, BLOCK_ROOM, out);
        out->count = j->options.count;
        out->stats = j->options.stats;
        out->straddle_link = 0;
        if (s->ram_at2 != UINT64_MAX) {
            out->straddle_la = code_la(cpu, cpu->rip) + s->room;
            out->straddle_link = tlb_link(out->straddle_la, s->ram_at2);
        }
        keep_insns(j->ir, proto);
        out->insn = proto->insn ? proto->insn : j->ir->insn;
        if (j->blocks.backend->emit(j->ir, out))
            break;
        if (out->failed_insn < 0 || (by_helper >> out->failed_insn & 1)) {
            cpu->stats->fallback_full++;
            return 0;
        }
        cpu->stats->helper_complex++;
        by_helper |= (uint64_t)1 << out->failed_insn;
    }
    return bytes;
}

static struct block *translate(struct jit *j, struct cpu *cpu,
                               const struct block_key *key)
{
    struct source s = {
        .host = cpu->mmu.pm->ram.mem.rw + key->ram_at,
        .room = PAGE_SIZE - (unsigned)(key->ram_at & (PAGE_SIZE - 1)),
        .ram_at2 = UINT64_MAX,
    };
    struct block proto = {.key = *key, .ram_at2 = UINT64_MAX};
    uint64_t start = now_ns();
    unsigned bytes = emit_block(j, cpu, &s, &proto);
    struct block *b;

    if (!bytes) {
        free(proto.insn);
        return NULL;
    }
    proto.bytes = (uint16_t)bytes;
    proto.bytes1 = (uint16_t)(bytes < s.room ? bytes : s.room);
    if (bytes > s.room) {
        proto.ram_at2 = s.ram_at2;
        proto.link2 = j->out->straddle_link;
    }
    proto.insn_count = (uint16_t)j->ir->insn_count;
    proto.recipe = keep_recipes(j->ir);
    b = blocks_add(&j->blocks, &proto, j->out, j->ir->ip);
    perfmap_block(j->options.perf_map, j->blocks.mem.rx, b);
    cpu->stats->blocks_translated++;
    cpu->stats->insns_translated += b->insn_count;
    cpu->stats->guest_bytes += bytes;
    cpu->stats->host_bytes += b->code_size;
    cpu->stats->translate_ns += now_ns() - start;
    jit_dump(j->ir, j->out);
    return b;
}

/* An instruction across a page end is valid for one pair of pages. */
static bool second_page_is(struct cpu *cpu, const struct block *b, laddr la)
{
    uint64_t at;
    laddr la2 = la + b->bytes1;

    if (b->ram_at2 == UINT64_MAX)
        return true;
    return mmu_fetch_page(&cpu->mmu, la2, &at) && at == b->ram_at2 &&
           tlb_link(la2, at) == b->link2;
}

/* Counts the times that a block was wanted.  Blocks may share a count. */
static bool is_cold(struct jit *j, const struct block_key *key)
{
    uint64_t h = (key->ram_at ^ key->mode) * 0x9e3779b97f4a7c15u;
    uint8_t *heat = &j->heat[h >> (64 - HEAT_BITS)];

    /* What is traced block by block is translated at once. */
    if (tracing_on() || *heat >= j->options.warm_up)
        return false;
    (*heat)++;
    return true;
}

/* The block at rip, or NULL: this instruction is the interpreter's, and if
 * *cold is set, those that follow. */
static struct block *find(struct jit *j, struct cpu *cpu, laddr *la,
                          bool *cold)
{
    struct block_key key = {.ip = cpu->rip, .mode = cpu->mode};
    bool code64 = cpu->mode & MODE_CODE64;
    struct block *b;

    /* Alignment checks are the interpreter's. */
    if ((cpu->mode & MODE_ALIGN) ||
        (code64 && bits_sext(cpu->rip, 48) != cpu->rip)) {
        cpu->stats->fallback_mode++;
        return NULL;
    }
    *la = code_la(cpu, cpu->rip);
    if (!mmu_fetch_page(&cpu->mmu, *la, &key.ram_at) ||
        key.ram_at == UINT64_MAX) {
        cpu->stats->fallback_fetch++;
        return NULL;
    }
    if (!code64 && !(cpu->mode & MODE_FLAT_CS)) {
        key.cs_base = (uint32_t)cpu->seg[CS].base;
        key.cs_limit = cpu->seg[CS].limit;
    }
    cpu->stats->block_lookup++;
    b = blocks_find(&j->blocks, &key);
    if (b && !second_page_is(cpu, b, *la)) {
        blocks_remove(&j->blocks, b);
        b = NULL;
    }
    if (!b && is_cold(j, &key)) {
        cpu->stats->fallback_cold++;
        *cold = true;
        return NULL;
    }
    if (!b)
        b = translate(j, cpu, &key);
    if (b && key.cs_limit && key.ip + b->bytes - 1 > key.cs_limit) {
        cpu->stats->fallback_limit++;
        return NULL;
    }
    return b;
}

/* --- running --- */

/* An instruction that faulted counts as in generated code. */
static void count_step(struct jit *j, struct cpu *cpu)
{
    j->left--;
    cpu->stats->insn_interp++;
}

static void step(struct jit *j, struct cpu *cpu)
{
    j->stepping = true;
    interp_step(cpu);
    j->stepping = false;
    count_step(j, cpu);
}

static const struct block_call *call_at(const struct block *b, uint32_t at)
{
    for (unsigned k = 0; b && k < b->call_count; k++)
        if (b->call[k].at == at)
            return &b->call[k];
    return NULL;
}

static uint32_t code_offset(const struct jit *j, uint64_t host)
{
    return (uint32_t)(host - (uint64_t)(uintptr_t)j->blocks.mem.rx);
}

/* The exit that generated code left by, if it can be linked. */
static struct block_exit *exit_taken(struct jit *j, struct cpu *cpu)
{
    uint32_t from = code_offset(j, jit_frame(cpu)->exit_from);
    struct block *b = blocks_at(&j->blocks, from);

    cpu->stats->chain_miss++;
    for (unsigned k = 0; b && !b->gone && k < b->exit_count; k++)
        if (b->exit[k].site.from == from)
            return &b->exit[k];
    return NULL;
}

/* Counts of generated code become the machine's. */
static void take_counts(struct cpu *cpu)
{
    uint64_t *n = jit_frame(cpu)->counted;
    struct stats *s = cpu->stats;

    s->tlb_access += n[FRAME_TLB];
    s->l0_access += n[FRAME_L0];
    s->chain_exit += n[FRAME_CHAIN];
    s->jc_lookup += n[FRAME_JC_LOOKUP];
    s->jc_hit += n[FRAME_JC_HIT];
    s->helper_call += n[FRAME_HELPER];
    s->helper_body += n[FRAME_BODY];
    s->helper_unmasked += n[FRAME_UNMASKED];
    memset(n, 0, FRAME_COUNTS * sizeof(*n));
}

/* Takes the budget back from generated code.  undone: instructions of the last
 * block that were paid for but not executed. */
static void settle(struct jit *j, struct cpu *cpu, unsigned undone)
{
    struct jit_frame *f = jit_frame(cpu);
    int64_t done = j->left - f->budget - (int64_t)undone;

    j->in_code = false;
    if (j->options.stats)
        take_counts(cpu);
    if (!j->options.count)
        return;
    j->left -= done;
    cpu->stats->insn_jit += (uint64_t)done;
}

/* Instructions after the one that called C at frame.ret. */
static unsigned undone_after(struct jit *j, struct cpu *cpu, bool included)
{
    uint32_t at = code_offset(j, jit_frame(cpu)->ret);
    struct block *b = blocks_at(&j->blocks, at);
    const struct block_call *c = call_at(b, at);

    return c ? b->insn_count - c->insn - (included ? 0u : 1u) : 0;
}

static void bail(struct jit *j, struct cpu *cpu)
{
    uint32_t at = code_offset(j, jit_frame(cpu)->ret);
    struct block *b = blocks_at(&j->blocks, at);
    const struct block_call *c = call_at(b, at);

    settle(j, cpu, undone_after(j, cpu, true));
    cpu->rip = b->key.ip + c->ip_delta;
    if (c->recipe != RECIPE_NONE)
        recipe_apply(cpu, &b->recipe[c->recipe], jit_frame(cpu)->saved);
    cpu->stats->bails++;
    step(j, cpu);
}

/* Code for rip in the bank's jump cache: only code of the current mode. */
static void jump_cache_set(struct jit *j, struct cpu *cpu, struct block *b,
                           laddr la)
{
    if (!(cpu->mode & (MODE_CODE64 | MODE_FLAT_CS)) || la != cpu->rip)
        return;
    tlb_jump_set(cpu->mmu.bank, la, j->blocks.mem.rx + b->code_at);
}

/* A bank's jump cache holds code of one mode. */
static void jump_cache_mode(struct cpu *cpu)
{
    if (cpu->mmu.bank->jump_mode == cpu->mode)
        return;
    tlb_flush_jumps(cpu->mmu.bank);
    cpu->mmu.bank->jump_mode = cpu->mode;
}

/* Next time, the exit that was taken, if any, or an indirect jump gets to b
 * without us. */
static void remember_way(struct jit *j, struct cpu *cpu,
                         struct block_exit *from, struct block *b, laddr la)
{
    if (tracing_on())
        return;
    if (from && !from->from->gone && from->site.ip == cpu->rip)
        blocks_link(&j->blocks, from, b, la);
    else
        jump_cache_set(j, cpu, b, la);
}

static bool is_asked(const struct cpu *cpu)
{
    return atomic_load_explicit(&cpu->stop, memory_order_relaxed) ||
           cpu->halted;
}

/* On to the next jump, by the interpreter. */
static void run_cold(struct jit *j, struct cpu *cpu)
{
    uint64_t before;

    do {
        if (j->left <= 0 || is_asked(cpu))
            return;
        before = cpu->rip;
        cpu->insn_rsp = cpu->gpr[RSP];
        step(j, cpu);
    } while (cpu->rip - before - 1 < INSN_MAX_LEN);
}

static void run_code(struct jit *j, struct cpu *cpu, struct block_exit **from)
{
    struct jit_frame *f = jit_frame(cpu);
    laddr la;
    struct block *b;
    uint64_t freed = j->blocks.freed;
    bool cold = false;

    cpu->insn_rsp = cpu->gpr[RSP];
    jump_cache_mode(cpu);
    b = find(j, cpu, &la, &cold);
    /* With a budget, a block that does not fit is stepped. */
    if (b && j->options.count && b->insn_count > j->left) {
        cpu->stats->fallback_budget++;
        b = NULL;
    }
    trace_block(cpu);
    if (!b) {
        *from = NULL;
        step(j, cpu);
        if (cold)
            run_cold(j, cpu);
        return;
    }
    if (freed != j->blocks.freed)
        *from = NULL;
    remember_way(j, cpu, *from, b, la);
    *from = NULL;
    f->exit_from = 0;
    f->code_changed = false;
    f->budget = j->left;
    j->in_code = true;
    switch (j->blocks.backend->enter(j->blocks.mem.rx, &j->blocks.thunks, cpu,
                                     b->code_at)) {
    case JIT_EXIT:
        settle(j, cpu, 0);
        *from = exit_taken(j, cpu);
        break;
    case JIT_STOP: settle(j, cpu, 0); break;
    case JIT_BAIL: bail(j, cpu); break;
    }
}

/* Under the unwind point of jit_run. */
static enum stop_reason loop(struct jit *j, struct cpu *cpu)
{
    struct block_exit *from = NULL;
    enum stop_reason reason;

    while (j->left > 0) {
        if (!is_asked(cpu)) {
            run_code(j, cpu, &from);
            continue;
        }
        from = NULL;
        cpu->stats->stops++;
        cpu->insn_rsp = cpu->gpr[RSP];
        if (cpu_service(cpu, &reason))
            return reason;
        if (is_asked(cpu)) {
            cpu->stats->fallback_step++;
            trace_block(cpu);
            step(j, cpu);
        }
    }
    return STOP_BUDGET;
}

/* After a long jump: from a helper in generated code, or from C. */
static void unwound(struct jit *j, struct cpu *cpu)
{
    if (j->in_code)
        settle(j, cpu, undone_after(j, cpu, false));
    else
        count_step(j, cpu);
    j->stepping = false;
    cpu_deliver_exception(cpu);
}

static enum stop_reason jit_run(struct engine *e, struct cpu *cpu,
                                uint64_t budget)
{
    struct jit *j = container_of(e, struct jit, engine);
    enum stop_reason reason;
    jmp_buf unwind;

    j->left = budget > COUNT_ALL ? COUNT_ALL : (int64_t)budget;
    if (!j->options.count)
        j->left = COUNT_ALL;
    j->in_code = false;
    cpu->engine_data = j;
    cpu->recover = NULL;
    cpu->unwind = &unwind;
    if (setjmp(unwind))
        unwound(j, cpu);
    reason = cpu->shutdown ? STOP_SHUTDOWN : loop(j, cpu);
    cpu->unwind = NULL;
    return reason;
}

static void jit_invalidate(struct engine *e, uint64_t ram_at, unsigned size)
{
    struct jit *j = container_of(e, struct jit, engine);

    if (blocks_invalidate(&j->blocks, ram_at, size))
        jit_frame(j->cpu)->code_changed = true;
}

static void jit_flush(struct engine *e)
{
    struct jit *j = container_of(e, struct jit, engine);

    blocks_flush(&j->blocks);
    j->cpu->stats->code_flush++;
    jit_frame(j->cpu)->code_changed = true;
}

static void jit_destroy(struct engine *e)
{
    struct jit *j = container_of(e, struct jit, engine);

    blocks_destroy(&j->blocks);
    free(j->ir);
    free(j->out->work);
    free(j->out);
    free(j);
}

struct engine *jit_new(struct cpu *cpu, const struct jit_options *options)
{
    const struct jit_backend *backend = jit_backend_host();
    struct jit *j = xnew(struct jit);

    j->engine = (struct engine){
        .name = "jit",
        .run = jit_run,
        .invalidate = jit_invalidate,
        .flush = jit_flush,
        .destroy = jit_destroy,
    };
    j->cpu = cpu;
    j->options = *options;
    if (!backend || !blocks_init(&j->blocks, backend, &cpu->mmu, cpu->stats,
                                 options->code_size)) {
        free(j);
        return NULL;
    }
    perfmap_thunks(options->perf_map, j->blocks.mem.rx, &j->blocks.thunks);
    j->ir = xnew(struct ir_block);
    j->out = xnew(struct jit_out);
    j->out->work = xalloc(backend->work_size);
    cpu->engine_data = j;
    return &j->engine;
}
