/*
 * Every row of isa/vex.def that uses vector registers, against the processor
 * that the test runs on.
 *
 * For each row, random encodings of it (registers, length, W, memory,
 * immediate) are decoded, run by our body, and run by the host on the same
 * state: all YMM registers, MXCSR with its flags, the general registers, the
 * arithmetic flags of comparisons, and memory must come out the same.  Some
 * rounds run with exceptions unmasked: then it must trap in both.
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
#include "cpu/interp.h"
#include "cpu/simd_fp.h"
#include "tests/unit/cpu/avx_host.h"
#include "tests/unit/cpu/host_rows.h"
#include "tests/unit/cpu/simd_board.h"

enum {
    ROUNDS = 2000,
    MEMORY_AT = 0x1000, /* in guest memory */
    MEMORY = 256,
    MIDDLE = 128, /* gathers reach 64 bytes around it */
};

/* Rows that differ between makers of processors. */
static const struct skipped_row skipped[] = {
    {I_VLDMXCSR_Md, "not every value is allowed: test_simd_state"},
    {I_VRCPPS_VxWx, "approximation: test_softfloat"},
    {I_VRCPSS_VdHdWd, "approximation: test_softfloat"},
    {I_VRSQRTPS_VxWx, "approximation: test_softfloat"},
    {I_VRSQRTSS_VdHdWd, "approximation: test_softfloat"},
};

static const uint32_t singles[] = {
    0x00000000, 0x00000001, 0x007fffff, 0x00800000, 0x3f7fffff, 0x3f800000,
    0x3fc00000, 0x40200000, 0x4effffff, 0x4f000000, 0x5f000000, 0x7f7fffff,
    0x7f800000, 0x7f800001, 0x7fc00000, 0x7fabcdef, 0x7fdeadbe, 0x20000000,
    0x33000000, 0x33000001, 0x337fffff, 0x387fc000, 0x387fe000, 0x38800000,
    0x477fe000, 0x477fefff, 0x477ff000, 0x38000001, 0x3f801000, 0x3f803000,
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
    struct feature_set features;
    bool evex_vnni;
    struct hostmem code;
    struct avx_state host;
    uint8_t memory[MEMORY] __attribute__((aligned(64)));
    struct insn in;
    unsigned offset; /* of the memory operand in memory */
    uint64_t random;
    struct tally tally;
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

static uint64_t random_single(struct rig *r)
{
    return singles[pick(r, array_len(singles))] | sign_bit(r, 31);
}

/* 16 bytes: noise, corners of a type, bytes near the limits, few bits set, or
 * single numbers of middling size. */
static void fill_vector(struct rig *r, uint8_t *p)
{
    unsigned kind = pick(r, 6);

    for (unsigned i = 0; i < 16; i += 8) {
        uint64_t v = next_random(r);

        if (kind == 0) {
            v = doubles[pick(r, array_len(doubles))] | sign_bit(r, 63);
        } else if (kind == 1) {
            v = random_single(r) << 32 | random_single(r);
        } else if (kind == 2) {
            v &= 0x8181818181818181;
            v += 0x7f7f7f7f7f7f7f7f * pick(r, 2);
        } else if (kind == 3) {
            v &= next_random(r) & next_random(r) & next_random(r);
        } else if (kind == 4) {
            v = (v & 0x87ffffff87ffffff) | 0x3800000038000000;
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
    static const uint8_t maps[] = {[2] = 1, [0x38] = 2, [0x3a] = 3};
    unsigned reg = info->ext == EXT_X ? pick(r, 8) : info->ext;
    /* Registers, or [RSI], [RDI], or a SIB byte. */
    unsigned rm = pick(r, 3) ? 4 + pick(r, 4) : 4;
    unsigned modrm = pick(r, 3) ? 0xc0 | pick(r, 8) : rm;
    unsigned vvvv = pick(r, 4) ? pick(r, 16) : 15;

    *p++ = 0xc4;
    *p++ = (uint8_t)(pick(r, 8) << 5 | maps[info->map]);
    *p++ = (uint8_t)(pick(r, 2) << 7 | vvvv << 3 | pick(r, 2) << 2 | info->pfx);
    *p++ = info->code;
    *p++ = (uint8_t)(modrm | reg << 3);
    if (modrm == 4)
        *p++ = (uint8_t)(pick(r, 32) << 3 | (6 + pick(r, 2)));
    *p++ = (uint8_t)(pick(r, 2) ? pick(r, 256) : pick(r, 32));
}

static bool may_use_gpr(unsigned reg)
{
    for (unsigned i = 0; i < HOST_GPRS; i++)
        if (host_gpr_number[i] == reg)
            return true;
    return false;
}

static bool three_registers(const struct insn *in)
{
    unsigned dst = in->op[0].reg, mask = in->op[2].reg;

    return dst != mask && dst != in->index && mask != in->index;
}

/* Can the host run it in our harness? */
static bool fits_host(const struct insn *in)
{
    for (unsigned i = 0; i < INSN_OPERANDS; i++) {
        const struct operand *o = &in->op[i];

        if (o->kind == OPND_GPR && !may_use_gpr(o->reg))
            return false;
        if (o->kind != OPND_MEM)
            continue;
        if (in->base != RSI && in->base != RDI)
            return false;
        if (in->vsib ? !three_registers(in) : in->index != REG_NONE)
            return false;
    }
    return true;
}

/* The same with an EVEX prefix, for instructions that the host only has so.
 * X would be a fifth bit of a register in ModRM.rm. */
static void turn_into_evex(uint8_t *p)
{
    uint8_t p0 = p[1] | 0x40, p1 = p[2];

    memmove(p + 4, p + 3, 8);
    p[0] = 0x62;
    p[1] = (uint8_t)((p0 & 0xe0) | 0x10 | (p0 & 3));
    p[2] = (uint8_t)((p1 & 0xfb) | 4);
    p[3] = (uint8_t)((p1 & 4) << 3 | 8);
}

/* False if this try gave another row, or one the harness cannot run. */
static bool make_insn(struct rig *r, unsigned id)
{
    uint8_t bytes[24] = {0};

    encode(r, &insn_info[id], bytes);
    if (decode(bytes, INSN_MAX_LEN, MODE_CODE64 | MODE_PE, FEATURE_SET_ALL,
               &r->in) != DECODE_OK)
        return false;
    if (r->in.id != id || !fits_host(&r->in))
        return false;
    bytes[r->in.len] = 0xc3; /* RET */
    if (insn_info[id].feature == FEAT_AVXVNNI)
        turn_into_evex(bytes);
    memcpy(r->code.rw, bytes, sizeof(bytes));
    hostmem_sync_code(&r->code, 0, sizeof(bytes));
    return true;
}

/* --- state --- */

/* The index of a gather: -8 to 7, times 8 is 64. */
static void make_indexes(struct rig *r)
{
    uint8_t *p = r->host.before[r->in.index & 15];
    bool quads = r->in.code & 1; /* VGATHERQx */

    for (unsigned i = 0; i < 32; i += 4)
        store32(p + i, pick(r, 16) - 8);
    for (unsigned i = 0; quads && i < 32; i += 8)
        store32(p + i + 4, (uint32_t)((int32_t)load32(p + i) >> 31));
}

static void make_state(struct rig *r)
{
    bool aligned = insn_info[r->in.id].attrs & A_XMM_ALIGN;

    memset(&r->host, 0, sizeof(r->host));
    r->host.mxcsr = random_mxcsr(r);
    for (unsigned i = 0; i < 16; i++) {
        fill_vector(r, r->host.before[i]);
        fill_vector(r, r->host.before[i] + 16);
    }
    if (r->in.vsib)
        make_indexes(r);
    for (unsigned i = 0; i < HOST_GPRS; i++)
        r->host.gpr[i] = next_random(r) >> pick(r, 64);
    for (unsigned i = 0; i < MEMORY; i += 16)
        fill_vector(r, r->memory + i);
    r->offset = aligned ? 32 * pick(r, 4) : pick(r, MIDDLE);
    if (r->in.vsib)
        r->offset = MIDDLE;
}

/* The same state, ours.  RSI and RDI point to memory. */
static void load_guest(struct rig *r)
{
    struct cpu *cpu = r->cpu;

    for (unsigned i = 0; i < HOST_GPRS; i++)
        cpu->gpr[host_gpr_number[i]] = r->host.gpr[i];
    cpu->gpr[RSI] = cpu->gpr[RDI] = MEMORY_AT + r->offset;
    cpu->mxcsr = r->host.mxcsr;
    for (unsigned i = 0; i < 16; i++)
        memcpy(&cpu->xmm[i], r->host.before[i], 32);
    memcpy(guest_memory(r), r->memory, MEMORY);
    cpu->rip = 0;
}

static void run_host(struct rig *r)
{
    r->host.pointer = (uintptr_t)r->memory + r->offset;
    avx_run(&r->host, r->code.rx);
}

/* SIMD_DONE, or the vector of the exception that it raised. */
static int run_guest(struct rig *r)
{
    r->cpu->unwind = &r->board->unwind;
    if (setjmp(r->board->unwind))
        return r->cpu->exc.vector;
    interp_exec(r->cpu, &r->in);
    return SIMD_DONE;
}

/* --- comparison: name of the first thing that differs, or NULL --- */

/* host: 16 registers of 32 bytes. */
static const char *compare_registers(const struct rig *r, const uint8_t *host)
{
    for (unsigned i = 0; i < 16; i++)
        if (memcmp(&r->cpu->xmm[i], host + 32 * i, 32) != 0)
            return "a YMM register";
    return NULL;
}

static const char *compare_rest(struct rig *r)
{
    const char *what;

    if (r->cpu->mxcsr != r->host.mxcsr_after)
        return "MXCSR";
    what = compare_general(r->cpu, &r->in, r->host.gpr, r->host.flags);
    if (what)
        return what;
    if (memcmp(guest_memory(r), r->memory, MEMORY) != 0)
        return "memory";
    return compare_registers(r, r->host.after[0]);
}

/* After a trap only MXCSR has changed: nothing was written. */
static const char *compare_trap(const struct rig *r)
{
    const char *what = compare_exception(r->cpu);

    return what ? what : compare_registers(r, r->host.before[0]);
}

static bool in_memory(const struct insn *in)
{
    for (unsigned i = 0; i < INSN_OPERANDS; i++)
        if (in->op[i].kind == OPND_MEM)
            return true;
    return false;
}

static const char *run_both(struct rig *r)
{
    bool done;

    load_guest(r);
    done = run_guest(r) == SIMD_DONE;
    run_host(r);
    r->tally.in_memory += in_memory(&r->in);
    r->tally.traps += host_trapped != 0;
    if (done != !host_trapped)
        return "trap";
    return done ? compare_rest(r) : compare_trap(r);
}

static void print_vector(const char *label, const void *bytes)
{
    const uint8_t *p = bytes;

    printf(" %s %016lx %016lx %016lx %016lx\n", label, load64(p + 24),
           load64(p + 16), load64(p + 8), load64(p));
}

static void print_case(const struct rig *r, const char *what)
{
    print_difference(r->cpu, &r->in, what, r->host.mxcsr, r->host.mxcsr_after);
    for (unsigned i = 0; i < INSN_OPERANDS; i++) {
        unsigned reg = r->in.op[i].reg & 15;

        if (r->in.op[i].kind != OPND_XMM)
            continue;
        printf("  operand %u: YMM%u\n", i, reg);
        print_vector("before", r->host.before[reg]);
        print_vector("ours  ", &r->cpu->xmm[reg]);
        print_vector("host  ", r->host.after[reg]);
    }
}

/* Runs the row ROUNDS times, or until it fails; 0: it never ran. */
static unsigned run_row(struct rig *r, unsigned id)
{
    unsigned count = 0;

    for (unsigned tries = 0; tries < 100 * ROUNDS && count < ROUNDS; tries++) {
        const char *what;

        if (!make_insn(r, id))
            continue;
        make_state(r);
        count++;
        what = run_both(r);
        if (what) {
            print_case(r, what);
            r->tally.failures++;
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
    r->random = seed | 1;
    r->board = simd_board_new();
    r->cpu = &r->board->cpu;
    r->features = host_features();
    r->evex_vnni = __builtin_cpu_supports("avx512vnni") &&
                   __builtin_cpu_supports("avx512vl");
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

static const char *why_skipped(const struct rig *r, unsigned id)
{
    const char *why = why_listed(skipped, array_len(skipped), id);
    unsigned feature = insn_info[id].feature;

    if (why || feature_set_has(&r->features, feature))
        return why;
    if (feature == FEAT_AVXVNNI && r->evex_vnni)
        return NULL;
    return "the host does not have it";
}

START_TEST(every_row_does_what_the_host_does)
{
    uint64_t seed = test_seed();
    struct rig *r = rig_new(seed);
    struct tally tally;

    for (unsigned id = 0; id < INSN_COUNT; id++)
        if (insn_info[id].attrs & A_AVX && !row_skipped(id, why_skipped(r, id)))
            tally_row(&r->tally, id, run_row(r, id));
    tally = r->tally;
    rig_free(r);
    tally_check(&tally, "avx", seed);
}
END_TEST

#else

START_TEST(every_row_does_what_the_host_does)
{
    printf("skipped %s: the host is not an x86\n", __func__);
}
END_TEST

#endif

SUITE("avx", every_row_does_what_the_host_does)
