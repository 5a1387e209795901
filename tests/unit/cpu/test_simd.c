/*
 * Every row of isa/vector.def, and of the files it includes, against the
 * processor that the test runs on.
 *
 * For each row, random cases of it (simd_rig.h) are decoded, run by our body,
 * and run by the host on the same state: all XMM and x87 registers, TOP and
 * tags, MXCSR with its flags, the general registers, the arithmetic flags of
 * comparisons, and memory must come out the same.  Some rounds run with
 * exceptions unmasked: then it must trap in both.
 */

/* With GNU extensions, <signal.h> has names such as REG_RIP that are also
 * those of cpu/insn.h. */
#undef _GNU_SOURCE
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700

#include <stdio.h>

#include "tests/unit/suite.h"

#ifdef __x86_64__

#include "base/hostmem.h"
#include "tests/unit/cpu/avx_host.h"
#include "tests/unit/cpu/host_rows.h"
#include "tests/unit/cpu/simd_rig.h"

enum { ROUNDS = 3000 };

struct native {
    struct rig rig;
    struct hostmem code;
    struct tally tally;
};

/* Rows that are tested elsewhere. */
static const struct skipped_row skipped[] = {
    {I_FXSAVE_M, "state image: test_simd_state"},
    {I_FXRSTOR_M, "state image: test_simd_state"},
    {I_LDMXCSR_Md, "not every value is allowed: test_simd_state"},
    {I_STMXCSR_Md, "test_simd_state"},
};

static void run_host(struct native *n)
{
    struct rig *r = &n->rig;

    memcpy(n->code.rw, r->in.bytes, r->in.len);
    n->code.rw[r->in.len] = 0xc3; /* RET */
    hostmem_sync_code(&n->code, 0, r->in.len + 1u);
    r->host.pointer = (uintptr_t)r->memory + r->offset;
    host_run(&r->host, n->code.rx);
}

/* --- comparison: name of the first thing that differs, or NULL --- */

static const char *compare_vectors(const struct rig *r)
{
    const uint8_t *fx = r->host.after;
    const struct cpu *cpu = r->cpu;

    for (unsigned i = 0; i < 16; i++)
        if (memcmp(&cpu->xmm[i], fx + FX_XMM + 16 * i, 16) != 0)
            return "an XMM register";
    if (cpu->fpu.sw != load16(fx + 2) || cpu->fpu.tags != fx[4])
        return "x87 TOP or tags";
    for (unsigned i = 0; i < 8; i++) {
        const struct fpreg *f = &cpu->fpu.r[(top_of(fx) + i) & 7];

        if (f->frac != load64(fx + FX_ST + 16 * i) ||
            f->exp != load16(fx + FX_ST + 16 * i + 8))
            return "an MMX register";
    }
    return NULL;
}

static const char *compare_rest(struct rig *r)
{
    const char *what;

    if (r->cpu->mxcsr != load32(r->host.after + 24))
        return "MXCSR";
    what = compare_general(r->cpu, &r->in, r->host.gpr, r->host.flags);
    if (what)
        return what;
    if (memcmp(guest_memory(r), r->memory, HOST_MEMORY) != 0)
        return "memory";
    return NULL;
}

/* After a trap only MXCSR has changed: nothing was written. */
static const char *compare_trap(const struct rig *r)
{
    const uint8_t *fx = r->host.before;
    const char *what = compare_exception(r->cpu);

    if (what)
        return what;
    for (unsigned i = 0; i < 16; i++)
        if (memcmp(&r->cpu->xmm[i], fx + FX_XMM + 16 * i, 16) != 0)
            return "an XMM register: it trapped";
    return NULL;
}

static bool in_memory(const struct insn *in)
{
    return in->op[0].kind == OPND_MEM || in->op[1].kind == OPND_MEM;
}

static const char *run_both(struct native *n)
{
    struct rig *r = &n->rig;
    const char *what;
    bool done;

    done = simd_run(r->board, &r->in) == SIMD_DONE;
    run_host(n);
    n->tally.in_memory += in_memory(&r->in);
    n->tally.traps += host_trapped != 0;
    if (done != !host_trapped)
        return "trap";
    if (!done)
        return compare_trap(r);
    what = compare_vectors(r);
    return what ? what : compare_rest(r);
}

static void print_case(const struct rig *r, const char *what)
{
    print_difference(r->cpu, &r->in, what, load32(r->host.before + 24),
                     load32(r->host.after + 24));
    for (unsigned i = 0; i < 2; i++) {
        unsigned reg = r->in.op[i].reg & 15;
        const uint8_t *before = r->host.before + FX_XMM + 16 * reg;
        const uint8_t *after = r->host.after + FX_XMM + 16 * reg;

        if (r->in.op[i].kind == OPND_XMM)
            printf("  XMM%u %016lx %016lx -> %016lx %016lx, host %016lx "
                   "%016lx\n",
                   reg, load64(before + 8), load64(before),
                   r->cpu->xmm[reg].u64[1], r->cpu->xmm[reg].u64[0],
                   load64(after + 8), load64(after));
    }
}

/* Runs the row ROUNDS times, or until it fails; 0: it never ran. */
static unsigned run_row(struct native *n, unsigned id)
{
    unsigned count = 0;

    while (count < ROUNDS && rig_next_case(&n->rig, id)) {
        const char *what = run_both(n);

        count++;
        if (what) {
            print_case(&n->rig, what);
            n->tally.failures++;
            break;
        }
    }
    return count;
}

static struct native *native_new(void)
{
    struct native *n = aligned_alloc(64, (sizeof(*n) + 63) & ~(size_t)63);

    ck_assert_ptr_nonnull(n);
    memset(n, 0, sizeof(*n));
    rig_init(&n->rig);
    ck_assert(hostmem_map_wx(&n->code, PAGE_SIZE));
    host_catch_exceptions();
    return n;
}

static void native_free(struct native *n)
{
    hostmem_unmap(&n->code);
    rig_done(&n->rig);
    free(n);
}

static bool host_has(unsigned feature)
{
    struct feature_set host = host_features();

    feature_set_put(&host, FEAT_MMXEXT, true); /* SSE includes it */
    return feature_set_has(&host, feature);
}

static const char *why_skipped(unsigned id)
{
    const char *why = why_listed(skipped, array_len(skipped), id);

    return why || host_has(insn_info[id].feature) ? why : "the host lacks it";
}

START_TEST(every_row_does_what_the_host_does)
{
    uint64_t seed = test_seed();
    struct native *n = native_new();
    struct tally tally;

    for (unsigned id = 0; id < INSN_COUNT; id++) {
        if (!simd_bodies[id] || row_skipped(id, why_skipped(id)))
            continue;
        rig_begin_row(&n->rig, seed, id);
        tally_row(&n->tally, id, run_row(n, id));
    }
    tally = n->tally;
    native_free(n);
    tally_check(&tally, "simd", seed);
}
END_TEST

#else

START_TEST(every_row_does_what_the_host_does)
{
    printf("skipped %s: the host is not an x86\n", __func__);
}
END_TEST

#endif

SUITE("simd", every_row_does_what_the_host_does)
