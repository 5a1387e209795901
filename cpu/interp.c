/*
 * The interpreter: the dialect of cpu/sem/dialect.h in numbers, and the engine
 * that runs decoded blocks with it.
 *
 * Memory operands take a short way when their segment is flat and the page is
 * in the TLB: a hit means that the address is canonical, the page may be
 * accessed as asked and nobody watches it.  Everything else is cpu/guest.c.
 */

#include "cpu/interp.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "cpu/debugreg.h"
#include "cpu/fault.h"
#include "cpu/fpu.h"
#include "cpu/guest.h"
#include "cpu/icache.h"
#include "cpu/ops.h"
#include "cpu/segment.h"
#include "cpu/trace.h"

typedef struct cpu CX;
typedef uint64_t VAL;
#define P(x) exec_##x

/* A primitive: part of the body that uses it, or the size and kind of an
 * operation would not be constants there. */
#define PRIM static inline __attribute__((always_inline, unused))

/* --- operands --- */

PRIM uint64_t exec_mask(unsigned n)
{
    return ~(uint64_t)0 >> (64 - 8 * n);
}

/* The linear address of seg:off if the segment needs no check; FS and GS only
 * have a base in 64-bit mode. */
PRIM bool exec_flat(const CX *cx, unsigned seg, uint64_t off, laddr *la)
{
    static const uint16_t flat[8] = {
        [ES] = MODE_CODE64 | MODE_FLAT_DATA,
        [CS] = MODE_CODE64,
        [SS] = MODE_CODE64 | MODE_FLAT_SS,
        [DS] = MODE_CODE64 | MODE_FLAT_DATA,
    };

    *la = off;
    if (likely(cx->mode & flat[seg & 7]))
        return likely(!(cx->eflags & FLAG_AC));
    if (!(cx->mode & MODE_CODE64))
        return false;
    *la += cx->seg[seg].base;
    return likely(!(cx->eflags & FLAG_AC));
}

/* Host memory of la if its entry covers n bytes there, else NULL. */
PRIM uint8_t *exec_host(const struct tlb_entry *table, laddr la, unsigned n)
{
    const struct tlb_entry *e = &table[tlb_index(la)];

    if (unlikely(la - e->tag > PAGE_SIZE - n))
        return NULL;
    return (uint8_t *)(uintptr_t)(la + e->addend);
}

static VAL exec_load_at(CX *cx, unsigned seg, uint64_t off, unsigned n)
{
    const uint8_t *p;
    laddr la;

    if (likely(exec_flat(cx, seg, off, &la))) {
        p = exec_host(cx->mmu.bank->read, la, n);
        if (likely(p != NULL))
            return load_sized(p, n);
    }
    return guest_load(cx, seg, off, n);
}

static void exec_store_at(CX *cx, unsigned seg, uint64_t off, unsigned n, VAL v)
{
    uint8_t *p;
    laddr la;

    if (likely(exec_flat(cx, seg, off, &la))) {
        p = exec_host(cx->mmu.bank->write, la, n);
        if (likely(p != NULL)) {
            store_sized(p, v, n);
            return;
        }
    }
    guest_store(cx, seg, off, n, v);
}

/* Memory that is going to be written: a hit in the write table is a probe. */
static VAL exec_load_probed(CX *cx, unsigned seg, uint64_t off, unsigned n)
{
    const uint8_t *p;
    laddr la;

    if (likely(exec_flat(cx, seg, off, &la))) {
        p = exec_host(cx->mmu.bank->write, la, n);
        if (likely(p != NULL))
            return load_sized(p, n);
    }
    guest_probe_store(cx, seg, off, n);
    return guest_load(cx, seg, off, n);
}

PRIM VAL exec_address(CX *cx, const struct insn *in)
{
    return guest_address(cx, in);
}

static VAL exec_read_other(CX *cx, const struct insn *in,
                           const struct operand *o)
{
    if (o->kind == OPND_GPRH)
        return cx->gpr[o->reg] >> 8 & 0xff;
    if (o->kind != OPND_MEM)
        return guest_read(cx, in, (unsigned)(o - in->op));
    if (o->access == ACC_RW)
        return exec_load_probed(cx, in->seg, guest_address(cx, in), o->size);
    return exec_load_at(cx, in->seg, guest_address(cx, in), o->size);
}

PRIM VAL exec_read(CX *cx, const struct insn *in, unsigned i)
{
    const struct operand *o = &in->op[i];

    if (likely(o->kind == OPND_GPR))
        return cx->gpr[o->reg] & exec_mask(o->size);
    if (likely(o->kind == OPND_IMM))
        return in->imm & exec_mask(o->size);
    return exec_read_other(cx, in, o);
}

PRIM void exec_set_reg(CX *cx, unsigned r, unsigned n, VAL v)
{
    uint64_t m = exec_mask(n);

    cx->gpr[r] = n >= 4 ? v : (cx->gpr[r] & ~m) | (v & m);
}

static void exec_write_other(CX *cx, const struct insn *in,
                             const struct operand *o, VAL v)
{
    uint64_t *r = &cx->gpr[o->reg & 3];

    if (o->kind == OPND_MEM)
        exec_store_at(cx, in->seg, guest_address(cx, in), o->size, v);
    else
        *r = (*r & ~(uint64_t)0xff00) | (v & 0xff) << 8;
}

PRIM void exec_write(CX *cx, const struct insn *in, unsigned i, VAL v)
{
    const struct operand *o = &in->op[i];

    if (likely(o->kind == OPND_GPR))
        exec_set_reg(cx, o->reg, o->size, v);
    else
        exec_write_other(cx, in, o, v);
}

/* --- registers --- */

PRIM VAL exec_reg(CX *cx, unsigned r, unsigned n)
{
    return cx->gpr[r] & exec_mask(n);
}

PRIM VAL exec_reg_ah(CX *cx)
{
    return cx->gpr[RAX] >> 8 & 0xff;
}

PRIM void exec_set_reg_ah(CX *cx, VAL v)
{
    cx->gpr[RAX] = (cx->gpr[RAX] & ~(uint64_t)0xff00) | (v & 0xff) << 8;
}

/* --- values --- */

PRIM VAL exec_constant(CX *cx, uint64_t c)
{
    (void)cx;
    return c;
}

#define BINARY(name, expr)                                 \
    PRIM VAL exec_##name(CX *cx, unsigned n, VAL a, VAL b) \
    {                                                      \
        (void)cx;                                          \
        return exec_mask(n) & (expr);                      \
    }
BINARY(add, (a + b))
BINARY(sub, (a - b))
BINARY(and, (a & b))
BINARY(or, (a | b))
BINARY(xor, (a ^ b))
BINARY(adc, a + b + (cx->aflags >> AFLAGS_SHIFT & 1))
BINARY(sbb, a - b - (cx->aflags >> AFLAGS_SHIFT & 1))
BINARY(mul, (a * b))
/* b is 0..63. */
BINARY(shl, (a << b))
BINARY(shr, (a >> b))
BINARY(sar, (uint64_t)((int64_t)bits_sext(a, 8 * n) >> b))
#undef BINARY

PRIM VAL exec_not(CX *cx, unsigned n, VAL a)
{
    (void)cx;
    return ~a & exec_mask(n);
}

PRIM VAL exec_rol(CX *cx, unsigned n, VAL a, VAL c)
{
    unsigned bits = 8 * n, by = (unsigned)c & (bits - 1);

    (void)cx;
    return (a << by | a >> (-by & (bits - 1))) & exec_mask(n);
}

PRIM VAL exec_ror(CX *cx, unsigned n, VAL a, VAL c)
{
    return exec_rol(cx, n, a, -c);
}

/* What a word shifted by more than its width gives is undefined: AMD's
 * processors take in b again and again. */
PRIM VAL exec_shld(CX *cx, unsigned n, VAL a, VAL b, VAL c)
{
    unsigned bits = 8 * n, by = (unsigned)c;

    if (by == 0)
        return a;
    if (by > bits)
        return exec_rol(cx, n, b, by - bits);
    return ((bits == by ? 0 : a << by) | b >> (bits - by)) & exec_mask(n);
}

PRIM VAL exec_shrd(CX *cx, unsigned n, VAL a, VAL b, VAL c)
{
    unsigned bits = 8 * n, by = (unsigned)c;

    if (by == 0)
        return a;
    if (by > bits)
        return exec_ror(cx, n, b, by - bits);
    return ((bits == by ? 0 : a >> by) | b << (bits - by)) & exec_mask(n);
}

PRIM VAL exec_mulhu(CX *cx, unsigned n, VAL a, VAL b)
{
    (void)cx;
    return (uint64_t)((uint128)a * b >> (8 * n)) & exec_mask(n);
}

PRIM VAL exec_mulhs(CX *cx, unsigned n, VAL a, VAL b)
{
    int64_t x = (int64_t)bits_sext(a, 8 * n);
    int64_t y = (int64_t)bits_sext(b, 8 * n);

    (void)cx;
    return (uint64_t)((int128)x * y >> (8 * n)) & exec_mask(n);
}

PRIM VAL exec_zext(CX *cx, unsigned from, VAL v)
{
    (void)cx;
    return v & exec_mask(from);
}

PRIM VAL exec_sext(CX *cx, unsigned from, unsigned to, VAL v)
{
    (void)cx;
    return bits_sext(v, 8 * from) & exec_mask(to);
}

PRIM VAL exec_bswap(CX *cx, unsigned n, VAL v)
{
    (void)cx;
    return __builtin_bswap64(v) >> (64 - 8 * n);
}

PRIM VAL exec_ctz(CX *cx, unsigned n, VAL v)
{
    (void)cx;
    return v ? bits_low(v) : 8 * n;
}

PRIM VAL exec_clz(CX *cx, unsigned n, VAL v)
{
    (void)cx;
    return v ? 8 * n - 1 - bits_high(v) : 8 * n;
}

PRIM VAL exec_popcount(CX *cx, unsigned n, VAL v)
{
    (void)cx, (void)n;
    return (VAL)__builtin_popcountll(v);
}

PRIM VAL exec_eq(CX *cx, unsigned n, VAL a, VAL b)
{
    (void)cx, (void)n;
    return a == b;
}

PRIM VAL exec_ltu(CX *cx, unsigned n, VAL a, VAL b)
{
    (void)cx, (void)n;
    return a < b;
}

PRIM VAL exec_select(CX *cx, VAL c, VAL a, VAL b)
{
    (void)cx;
    return c ? a : b;
}

/* --- flags --- */

PRIM void exec_flags(CX *cx, enum flag_kind kind, unsigned n, VAL r, VAL a,
                     VAL b)
{
    cx->aflags = flags_compute(kind, n, r, a, b, cx->aflags);
}

/* flag is a constant. */
PRIM VAL exec_flag(CX *cx, uint32_t flag)
{
    if (flag & FLAGS_ARITH)
        return (aflags_to_eflags(cx->aflags) & flag) != 0;
    return (cx->eflags & flag) != 0;
}

PRIM void exec_set_flag(CX *cx, uint32_t flag, VAL v)
{
    unsigned bit = flag == FLAG_OF ? AFLAGS_OF : flag << AFLAGS_SHIFT;

    if (flag & FLAGS_ARITH)
        cx->aflags = (uint16_t)(v ? cx->aflags | bit : cx->aflags & ~bit);
    else
        cx->eflags = v ? cx->eflags | flag : cx->eflags & ~flag;
}

PRIM VAL exec_cond(CX *cx, unsigned cc)
{
    return flags_cond(cc, cx->aflags);
}

PRIM VAL exec_get_aflags(CX *cx)
{
    return cx->aflags >> AFLAGS_SHIFT;
}

PRIM void exec_set_aflags(CX *cx, VAL v)
{
    cx->aflags = (uint16_t)(aflags_from_eflags((uint32_t)v & 0xff) |
                            (cx->aflags & AFLAGS_OF));
}

/* --- memory and stack --- */

PRIM VAL exec_load(CX *cx, const struct insn *in, unsigned seg, VAL off,
                   unsigned n)
{
    (void)in;
    return exec_load_at(cx, seg, off, n);
}

PRIM void exec_store(CX *cx, const struct insn *in, unsigned seg, VAL off,
                     unsigned n, VAL v)
{
    (void)in;
    exec_store_at(cx, seg, off, n, v);
}

PRIM VAL exec_load_rw(CX *cx, const struct insn *in, unsigned seg, VAL off,
                      unsigned n)
{
    (void)in;
    return exec_load_probed(cx, seg, off, n);
}

PRIM void exec_store_rw(CX *cx, const struct insn *in, unsigned seg, VAL off,
                        unsigned n, VAL v)
{
    (void)in;
    exec_store_at(cx, seg, off, n, v);
}

/* Bits of RSP on a flat stack; 0 on another, which guest_push knows. */
PRIM uint64_t exec_flat_stack(const CX *cx)
{
    enum { FLAT32 = MODE_STACK32 | MODE_FLAT_SS };

    if (unlikely(cx->eflags & FLAG_AC))
        return 0;
    if (cx->mode & MODE_CODE64)
        return ~(uint64_t)0;
    return (cx->mode & FLAT32) == FLAT32 ? 0xffffffff : 0;
}

static void exec_push(CX *cx, const struct insn *in, unsigned n, VAL v)
{
    uint64_t mask = exec_flat_stack(cx), sp = (cx->gpr[RSP] - n) & mask;
    uint8_t *p = exec_host(cx->mmu.bank->write, sp, n);

    (void)in;
    if (unlikely(!mask || !p)) {
        guest_push(cx, n, v);
        return;
    }
    store_sized(p, v, n);
    cx->gpr[RSP] = sp;
}

static VAL exec_pop(CX *cx, const struct insn *in, unsigned n)
{
    uint64_t mask = exec_flat_stack(cx), sp = cx->gpr[RSP] & mask;
    const uint8_t *p = exec_host(cx->mmu.bank->read, sp, n);

    (void)in;
    if (unlikely(!mask || !p))
        return guest_pop(cx, n);
    cx->gpr[RSP] = (sp + n) & mask;
    return load_sized(p, n);
}

PRIM unsigned exec_sp_size(const CX *cx)
{
    if (cpu_code64(cx))
        return 8;
    return cx->mode & MODE_STACK32 ? 4 : 2;
}

/* --- control --- */

PRIM VAL exec_next_ip(CX *cx, const struct insn *in)
{
    uint64_t ip = cx->rip + in->len;

    return cpu_code64(cx) ? ip : (uint32_t)ip;
}

/* The cut to the operand size is the jump's. */
PRIM VAL exec_rel_target(CX *cx, const struct insn *in)
{
    return cx->rip + in->len + in->imm;
}

PRIM void exec_jump(CX *cx, const struct insn *in, VAL v)
{
    if (in->opsize == 8 && likely(laddr_is_canonical(v)))
        cx->next_rip = v;
    else if (likely((cx->mode & MODE_FLAT_CS) && in->opsize == 4))
        cx->next_rip = (uint32_t)v;
    else
        guest_jump(cx, in, v);
}

PRIM void exec_jump_if(CX *cx, const struct insn *in, VAL c, VAL v)
{
    if (c)
        exec_jump(cx, in, v);
}

PRIM void exec_helper(CX *cx, const struct insn *in, cpu_op *op)
{
    op(cx, in);
}

static void exec_check_fpu(CX *cx, const struct insn *in)
{
    if (insn_info[in->id].attrs & (A_FPU | A_MMX | A_SSE | A_AVX))
        cpu_check_fpu(cx, in);
}

PRIM void exec_vector(CX *cx, const struct insn *in, cpu_op *op)
{
    if (unlikely((cx->mode & (MODE_NO_FPU | MODE_NO_SSE |
                               MODE_NO_AVX)) ||
                 (cx->fpu.sw & FPU_SW_ES)))
        exec_check_fpu(cx, in);
    op(cx, in);
}

PRIM void exec_x87(CX *cx, const struct insn *in, cpu_op *op)
{
    exec_vector(cx, in, op);
}

#include "cpu/sem/dialect.h"

/* --- one instruction --- */

void interp_body(struct cpu *cpu, const struct insn *in)
{
    exec_table[in->id](cpu, in);
}

void interp_exec(struct cpu *cpu, const struct insn *in)
{
    cpu->insn_rsp = cpu->gpr[RSP];
    cpu->next_rip = exec_next_ip(cpu, in);
    exec_table[in->id](cpu, in);
    cpu->rip = cpu->next_rip;
}

void interp_step(struct cpu *cpu)
{
    uint64_t start = cpu->rip;
    struct insn in;

    cpu->insn_rsp = cpu->gpr[RSP];
    debug_step_begin(cpu);
    interp_fetch(cpu, &in);
    interp_exec(cpu, &in);
    debug_step_end(cpu, &in, start);
}

/* --- the engine --- */

struct interp {
    struct engine engine;
    struct cpu *cpu;
    struct icache cache;
    int64_t left; /* of the budget */
    /* The instruction that is running, and its block; NULL between blocks.  A
     * long jump leaves them as they are: so many instructions were begun. */
    const struct insn *at;
    const struct icache_block *block;
};

static void interp_count(struct interp *it, uint64_t n)
{
    it->left -= (int64_t)n;
    it->cpu->stats->insn_interp += n;
}

/* After a long jump.  What faulted counts too: a guest that does nothing but
 * fault must not run for ever. */
static void interp_count_fault(struct interp *it)
{
    uint64_t n = it->block ? (uint64_t)(it->at - it->block->insn) + 1 : 1;

    it->block = NULL;
    interp_count(it, n);
}

/* The end of a block moves to its start when it is dropped. */
static void interp_block(struct interp *it, struct cpu *cpu,
                         const struct icache_block *b)
{
    uint64_t mask = cpu_code64(cpu) ? ~(uint64_t)0 : 0xffffffff;
    uint64_t rip = cpu->rip;
    const struct insn *in = b->insn;

    it->block = b;
    do {
        it->at = in;
        cpu->rip = rip;
        cpu->insn_rsp = cpu->gpr[RSP];
        rip = (rip + in->len) & mask;
        cpu->next_rip = rip;
        exec_table[in->id](cpu, in);
        in++;
    } while (in < b->end);
    cpu->rip = cpu->next_rip;
    it->block = NULL;
    interp_count(it, (uint64_t)(in - b->insn));
}

/* The block at rip; NULL if the instruction there must be fetched by itself:
 * its page is not RAM, or it reaches beyond its page or the segment. */
static struct icache_block *interp_find(struct interp *it, struct cpu *cpu)
{
    uint32_t mode = cpu->mode & ICACHE_MODE;
    struct icache_block *b;
    uint64_t ram_at;
    laddr la = cpu->rip;

    if (!(cpu->mode & MODE_CODE64))
        la = (uint32_t)(la + cpu->seg[CS].base);
    else if (unlikely(!laddr_is_canonical(la)))
        return NULL;
    if (unlikely(!mmu_fetch_page(&cpu->mmu, la, &ram_at)))
        cpu_raise_page_fault(cpu);
    if (unlikely(ram_at == UINT64_MAX))
        return NULL;
    b = icache_find(&it->cache, ram_at, mode);
    if (unlikely(!b))
        b = icache_build(&it->cache, cpu, ram_at, mode);
    if (b && !(cpu->mode & (MODE_CODE64 | MODE_FLAT_CS)) &&
        cpu->rip + b->bytes - 1 > cpu->seg[CS].limit)
        return NULL;
    return b;
}

static void interp_next(struct interp *it, struct cpu *cpu)
{
    struct icache_block *b;

    cpu->insn_rsp = cpu->gpr[RSP];
    b = interp_find(it, cpu);
    trace_block(cpu);
    /* The budget is exact: a block that does not fit is stepped. */
    if (likely(b && b->end - b->insn <= it->left)) {
        interp_block(it, cpu, b);
        return;
    }
    interp_step(cpu);
    interp_count(it, 1);
}

static bool interp_is_asked(const struct cpu *cpu)
{
    return unlikely(atomic_load_explicit(&cpu->stop, memory_order_relaxed)) ||
           unlikely(cpu->halted);
}

/* Runs under the unwind point of interp_run.  What keeps `stop` up without
 * being served now -- an interrupt shadow, breakpoints -- needs one instruction
 * at a time. */
static enum stop_reason interp_loop(struct interp *it, struct cpu *cpu)
{
    enum stop_reason reason;

    while (it->left > 0) {
        if (!interp_is_asked(cpu)) {
            interp_next(it, cpu);
            continue;
        }
        cpu->insn_rsp = cpu->gpr[RSP];
        if (cpu_service(cpu, &reason))
            return reason;
        if (interp_is_asked(cpu)) {
            trace_block(cpu);
            interp_step(cpu);
            interp_count(it, 1);
        }
    }
    return STOP_BUDGET;
}

static enum stop_reason interp_run(struct engine *e, struct cpu *cpu,
                                   uint64_t budget)
{
    struct interp *it = container_of(e, struct interp, engine);
    enum stop_reason reason;
    jmp_buf unwind;

    it->left = budget > INT64_MAX ? INT64_MAX : (int64_t)budget;
    it->block = NULL;
    cpu->recover = NULL;
    cpu->unwind = &unwind;
    if (setjmp(unwind)) {
        interp_count_fault(it);
        cpu_deliver_exception(cpu);
    }
    reason = cpu->shutdown ? STOP_SHUTDOWN : interp_loop(it, cpu);
    cpu->unwind = NULL;
    return reason;
}

static void interp_invalidate(struct engine *e, uint64_t ram_at, unsigned size)
{
    struct interp *it = container_of(e, struct interp, engine);

    icache_invalidate(&it->cache, ram_at, size);
}

static void interp_flush(struct engine *e)
{
    struct interp *it = container_of(e, struct interp, engine);

    icache_flush(&it->cache);
}

static void interp_destroy(struct engine *e)
{
    struct interp *it = container_of(e, struct interp, engine);

    icache_destroy(&it->cache);
    free(it);
}

struct engine *interp_new(struct cpu *cpu)
{
    struct interp *it = xnew(struct interp);

    it->engine = (struct engine){
        .name = "interpreter",
        .run = interp_run,
        .invalidate = interp_invalidate,
        .flush = interp_flush,
        .destroy = interp_destroy,
    };
    it->cpu = cpu;
    icache_init(&it->cache, cpu->mmu.pm, cpu->stats);
    return &it->engine;
}
