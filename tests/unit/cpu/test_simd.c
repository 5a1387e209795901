/*
 * Every row of isa/vector.def against the processor that the test runs on.
 *
 * For each row, random encodings of it (registers, REX, memory, immediate) are
 * decoded, run by our body, and run by the host on the same state: all XMM and
 * x87 registers, TOP and tags, MXCSR with its flags, the general registers,
 * the arithmetic flags of comparisons, and memory must come out the same.
 * Some rounds run with exceptions unmasked: then it must trap in both.
 */

/* With GNU extensions, <signal.h> has names such as REG_RIP that are also
 * those of cpu/insn.h. */
#undef _GNU_SOURCE
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700

#include <stdio.h>

#include "tests/unit/suite.h"

#ifdef __x86_64__

#include <stdlib.h>

#include "base/bytes.h"
#include "base/hostmem.h"
#include "cpu/simd_fp.h"
#include "tests/unit/cpu/simd_board.h"
#include "tests/unit/cpu/simd_host.h"

enum {
    ROUNDS = 3000,
    MEMORY_AT = 0x1000, /* in guest memory */
    FX_XMM = 160,
    FX_ST = 32,
};

/* Rows that are tested elsewhere, or differ between makers of processors. */
static const struct {
    uint16_t id;
    const char *why;
} skipped[] = {
    {I_FXSAVE_M, "state image: test_simd_state"},
    {I_FXRSTOR_M, "state image: test_simd_state"},
    {I_LDMXCSR_Md, "not every value is allowed: test_simd_state"},
    {I_STMXCSR_Md, "test_simd_state"},
    {I_RCPPS_VxWx, "approximation: test_softfloat"},
    {I_RCPSS_VdWd, "approximation: test_softfloat"},
    {I_RSQRTPS_VxWx, "approximation: test_softfloat"},
    {I_RSQRTSS_VdWd, "approximation: test_softfloat"},
};

static const uint32_t singles[] = {
    0x00000000, 0x00000001, 0x007fffff, 0x00800000, 0x3f7fffff, 0x3f800000,
    0x3fc00000, 0x40200000, 0x4effffff, 0x4f000000, 0x5f000000, 0x7f7fffff,
    0x7f800000, 0x7f800001, 0x7fc00000, 0x7fabcdef, 0x7fdeadbe, 0x20000000,
};

static const uint64_t doubles[] = {
    0x0000000000000000, 0x0000000000000001, 0x000fffffffffffff,
    0x0010000000000000, 0x3690000000000000, 0x380fffffffffffff,
    0x3feffffffffffff0, 0x3ff0000000000000, 0x3ff8000000000000,
    0x41dfffffffe00000, 0x41e0000000000000, 0x43e0000000000000,
    0x47efffffffffffff, 0x7fefffffffffffff, 0x7ff0000000000000,
    0x7ff0000000000001, 0x7ff8000000000000, 0x7ffabcdef0123456,
    0x2000000000000000,
};

struct rig {
    struct simd_board *board;
    struct cpu *cpu; /* the board's */
    struct hostmem code;
    struct host_state host;
    uint8_t memory[HOST_MEMORY] __attribute__((aligned(64)));
    struct insn in;
    unsigned offset; /* of the memory operand in memory */
    uint64_t random;
    unsigned long traps, in_memory; /* cases that trapped, that used memory */
};

static uint8_t *guest_memory(const struct rig *r)
{
    return simd_ram(r->board, MEMORY_AT);
}

static uint64_t next_random(struct rig *r)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random * 0x2545f4914f6cdd1d;
}

static unsigned pick(struct rig *r, unsigned n)
{
    return (unsigned)(next_random(r) >> 32) % n;
}

static uint64_t sign_bit(struct rig *r, unsigned bit)
{
    return (uint64_t)pick(r, 2) << bit;
}

/* 16 bytes: noise, corners of a type, or bytes near the limits. */
static void fill_vector(struct rig *r, uint8_t *p)
{
    unsigned kind = pick(r, 4);

    for (unsigned i = 0; i < 16; i += 8) {
        uint64_t v = next_random(r);

        if (kind == 0) {
            v = doubles[pick(r, array_len(doubles))] | sign_bit(r, 63);
        } else if (kind == 1) {
            v = singles[pick(r, array_len(singles))] | sign_bit(r, 31);
            v = v << 32 | singles[pick(r, array_len(singles))] |
                sign_bit(r, 31);
        } else if (kind == 2) {
            v &= 0x8181818181818181;
            v += 0x7f7f7f7f7f7f7f7f * pick(r, 2);
        }
        store64(p + i, v);
    }
}

static uint32_t random_mxcsr(struct rig *r)
{
    uint32_t masks = pick(r, 4) ? SF_ALL : pick(r, SF_ALL + 1);

    return masks << MXCSR_MASK_SHIFT | (uint32_t)pick(r, 4) << MXCSR_RC_SHIFT |
           (pick(r, 2) ? MXCSR_DAZ : 0u) | (pick(r, 2) ? MXCSR_FTZ : 0u) |
           (pick(r, 2) ? pick(r, SF_ALL + 1) : 0u);
}

/* --- an instruction --- */

/* Bytes of the row with random operands; the length is the decoder's to say. */
static void encode(struct rig *r, const struct insn_info *info, uint8_t *p)
{
    static const uint8_t prefix[] = {
        [PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2};
    unsigned reg = info->ext == EXT_X ? pick(r, 8) : info->ext;
    /* Registers, or [RSI] or [RDI]. */
    unsigned modrm = pick(r, 3) ? 0xc0 | pick(r, 8) : 6 + pick(r, 2);

    if (info->pfx != PFX_NP)
        *p++ = prefix[info->pfx];
    if (pick(r, 2))
        *p++ = (uint8_t)(0x40 | pick(r, 16));
    *p++ = 0x0f;
    *p++ = info->code;
    *p++ = (uint8_t)(modrm | reg << 3);
    *p++ = (uint8_t)(pick(r, 2) ? pick(r, 256) : pick(r, 32));
}

static bool may_use_gpr(unsigned reg)
{
    for (unsigned i = 0; i < HOST_GPRS; i++)
        if (host_gpr_number[i] == reg)
            return true;
    return false;
}

/* Can the host run it in our harness? */
static bool fits_host(const struct insn *in)
{
    for (unsigned i = 0; i < INSN_OPERANDS; i++) {
        const struct operand *o = &in->op[i];

        if (o->kind == OPND_GPR && !may_use_gpr(o->reg))
            return false;
        if (o->kind == OPND_MEM && in->base != RSI && in->base != RDI)
            return false;
    }
    return true;
}

/* False if this try gave another row, or one the harness cannot run. */
static bool make_insn(struct rig *r, unsigned id)
{
    uint8_t bytes[16] = {0};

    encode(r, &insn_info[id], bytes);
    if (decode(bytes, sizeof(bytes), MODE_CODE64 | MODE_PE, UINT64_MAX,
               &r->in) != DECODE_OK)
        return false;
    if (r->in.id != id || !fits_host(&r->in))
        return false;
    memcpy(r->code.rw, bytes, r->in.len);
    r->code.rw[r->in.len] = 0xc3; /* RET */
    hostmem_sync_code(&r->code, 0, sizeof(bytes));
    return true;
}

/* --- state --- */

static void make_state(struct rig *r)
{
    uint8_t *fx = r->host.before;
    bool aligned = insn_info[r->in.id].attrs & A_XMM_ALIGN;

    memset(&r->host, 0, sizeof(r->host));
    store16(fx + 0, 0x37f);
    store16(fx + 2, (uint16_t)(pick(r, 8) << 11 | pick(r, 8) << 8));
    fx[4] = (uint8_t)pick(r, 256);
    store32(fx + 24, random_mxcsr(r));
    for (unsigned i = 0; i < 8; i++) {
        fill_vector(r, fx + FX_ST + 16 * i);
        memset(fx + FX_ST + 16 * i + 10, 0, 6);
    }
    for (unsigned i = 0; i < 16; i++)
        fill_vector(r, fx + FX_XMM + 16 * i);
    for (unsigned i = 0; i < HOST_GPRS; i++)
        r->host.gpr[i] = next_random(r) >> pick(r, 64);
    for (unsigned i = 0; i < HOST_MEMORY; i += 16)
        fill_vector(r, r->memory + i);
    r->offset = aligned ? 16 * pick(r, 3) : pick(r, HOST_MEMORY - 16);
}

static unsigned top_of(const uint8_t *fx)
{
    return load16(fx + 2) >> 11 & 7;
}

/* The same state, ours.  RSI and RDI point to memory. */
static void load_guest(struct rig *r)
{
    const uint8_t *fx = r->host.before;
    struct cpu *cpu = r->cpu;

    for (unsigned i = 0; i < HOST_GPRS; i++)
        cpu->gpr[host_gpr_number[i]] = r->host.gpr[i];
    cpu->gpr[RSI] = cpu->gpr[RDI] = MEMORY_AT + r->offset;
    cpu->mxcsr = load32(fx + 24);
    cpu->fpu.cw = load16(fx);
    cpu->fpu.sw = load16(fx + 2);
    cpu->fpu.tags = fx[4];
    for (unsigned i = 0; i < 8; i++) {
        struct fpreg *f = &cpu->fpu.r[(top_of(fx) + i) & 7];

        f->frac = load64(fx + FX_ST + 16 * i);
        f->exp = load16(fx + FX_ST + 16 * i + 8);
    }
    for (unsigned i = 0; i < 16; i++)
        memcpy(&cpu->xmm[i], fx + FX_XMM + 16 * i, 16);
    memcpy(guest_memory(r), r->memory, HOST_MEMORY);
    cpu->rip = 0;
    cpu->next_rip = r->in.len;
}

static void run_host(struct rig *r)
{
    r->host.pointer = (uintptr_t)r->memory + r->offset;
    host_run(&r->host, r->code.rx);
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
    const struct cpu *cpu = r->cpu;
    bool flags = insn_info[r->in.id].flags != FLAGROW_NONE;

    if (cpu->mxcsr != load32(r->host.after + 24))
        return "MXCSR";
    for (unsigned i = 0; i < HOST_GPRS; i++)
        if (cpu->gpr[host_gpr_number[i]] != r->host.gpr[i])
            return "a general register";
    if (flags && aflags_to_eflags(cpu->aflags) != (r->host.flags & FLAGS_ARITH))
        return "EFLAGS";
    if (memcmp(guest_memory(r), r->memory, HOST_MEMORY) != 0)
        return "memory";
    return NULL;
}

/* After a trap only MXCSR has changed: nothing was written. */
static const char *compare_trap(const struct rig *r)
{
    const uint8_t *fx = r->host.before;

    if (r->cpu->exc.vector != EXC_XM)
        return "the exception";
    if (r->cpu->mxcsr != host_trapped)
        return "MXCSR in the trap";
    for (unsigned i = 0; i < 16; i++)
        if (memcmp(&r->cpu->xmm[i], fx + FX_XMM + 16 * i, 16) != 0)
            return "an XMM register: it trapped";
    return NULL;
}

static bool in_memory(const struct insn *in)
{
    return in->op[0].kind == OPND_MEM || in->op[1].kind == OPND_MEM;
}

static const char *run_both(struct rig *r)
{
    const char *what;
    bool done;

    load_guest(r);
    done = simd_run(r->board, &r->in) == SIMD_DONE;
    run_host(r);
    r->in_memory += in_memory(&r->in);
    r->traps += host_trapped != 0;
    if (done != !host_trapped)
        return "trap";
    if (!done)
        return compare_trap(r);
    what = compare_vectors(r);
    return what ? what : compare_rest(r);
}

static void print_case(const struct rig *r, const char *what)
{
    printf("%s:", insn_info[r->in.id].id);
    for (unsigned i = 0; i < r->in.len; i++)
        printf(" %02x", r->in.bytes[i]);
    printf(": %s differs; MXCSR %04x -> %04x, host %04x trap %04x\n", what,
           load32(r->host.before + 24), r->cpu->mxcsr,
           load32(r->host.after + 24), host_trapped);
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

/* Runs the row ROUNDS times, or until it fails; false: it never ran. */
static unsigned run_row(struct rig *r, unsigned id, unsigned *failures)
{
    unsigned count = 0;

    for (unsigned tries = 0; tries < 40 * ROUNDS && count < ROUNDS; tries++) {
        const char *what;

        if (!make_insn(r, id))
            continue;
        make_state(r);
        count++;
        what = run_both(r);
        if (what) {
            print_case(r, what);
            (*failures)++;
            break;
        }
    }
    return count;
}

static struct rig *rig_new(uint64_t seed)
{
    struct rig *r = aligned_alloc(64, (sizeof(*r) + 63) & ~(size_t)63);

    ck_assert_ptr_nonnull(r);
    memset(r, 0, sizeof(*r));
    r->random = seed;
    r->board = simd_board_new();
    r->cpu = &r->board->cpu;
    ck_assert(hostmem_map_wx(&r->code, PAGE_SIZE));
    host_catch_exceptions();
    return r;
}

static void rig_free(struct rig *r)
{
    hostmem_unmap(&r->code);
    simd_board_free(r->board);
    free(r);
}

static const char *why_skipped(unsigned id)
{
    for (size_t i = 0; i < array_len(skipped); i++)
        if (skipped[i].id == id)
            return skipped[i].why;
    return NULL;
}

/* COPAL_TEST_SEED, or always the same. */
static uint64_t test_seed(void)
{
    const char *text = getenv("COPAL_TEST_SEED");

    return text ? strtoull(text, NULL, 0) | 1 : 0x9e3779b97f4a7c15;
}

START_TEST(every_row_does_what_the_host_does)
{
    uint64_t seed = test_seed();
    struct rig *r = rig_new(seed);
    unsigned long cases = 0, rows = 0;
    unsigned failures = 0;

    for (unsigned id = 0; id < INSN_COUNT; id++) {
        unsigned count;

        if (!simd_bodies[id])
            continue;
        if (why_skipped(id)) {
            printf("skipped %s: %s\n", insn_info[id].id, why_skipped(id));
            continue;
        }
        count = run_row(r, id, &failures);
        if (count == 0) {
            printf("%s: no encoding found\n", insn_info[id].id);
            failures++;
        }
        cases += count;
        rows++;
    }
    printf("simd: %lu rows, %lu cases, of which %lu with memory and %lu that "
           "trapped; seed %llx\n",
           rows, cases, r->in_memory, r->traps, (unsigned long long)seed);
    rig_free(r);
    ck_assert_uint_eq(failures, 0);
    ck_assert_uint_gt(rows, 0);
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
