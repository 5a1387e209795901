/*
 * Every row of isa/x87.def against the processor that the test runs on.
 *
 * For each row, random encodings of it are decoded, run by our body, and run
 * by the host on the same state: random and corner operands, all rounding and
 * precision modes, full and empty registers, exceptions masked and unmasked.
 * Afterwards all registers in 80 bits, status word with C0..C3 and TOP, control
 * word, tags, memory, AX, and EFLAGS of comparisons must be the same.
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
#include "tests/unit/cpu/fpu_board.h"
#include "tests/unit/cpu/fpu_operands.h"
#include "tests/unit/cpu/simd_host.h"

enum {
    ROUNDS = 10000,
    MEMORY = 128,
    MEMORY_AT = 0x1000, /* in guest memory */
    FX_ST = 32,
    TOLERANCE = 1, /* units in the last place: the host's error */
    CODE_AT = 6,   /* PUSH imm32 and POPF come before the instruction */
};

/* Rows that are compared in part, or elsewhere. */
static const struct {
    uint16_t id;
    const char *why;
} skipped[] = {
    {I_FWAIT, "no operands, no result: test_fpu_state"},
};

struct rig {
    struct simd_board *board;
    struct cpu *cpu; /* the board's */
    struct hostmem code;
    struct host_state host;
    uint8_t before[MEMORY];
    uint8_t memory[MEMORY] __attribute__((aligned(64)));
    struct insn in;
    unsigned offset; /* of the memory operand in memory */
    uint32_t flags;  /* EFLAGS before */
    struct random random;
    unsigned long faults; /* cases that had an unmasked exception */
    /* Results of the row that are not the host's, and by how much at most. */
    unsigned long unequal;
    uint64_t farthest;
};

static uint8_t *guest_memory(const struct rig *r)
{
    return simd_ram(r->board, MEMORY_AT);
}

/* --- an instruction --- */

static bool covers_eight(const struct insn_info *info)
{
    return info->operand[0] == SPEC_STi || info->operand[1] == SPEC_STi;
}

static void make_insn(struct rig *r, unsigned id)
{
    const struct insn_info *info = &insn_info[id];
    uint8_t bytes[16] = {0}, *p = bytes;
    unsigned modrm = info->code;

    if (modrm < 0xc0)
        modrm = modrm << 3 | (6 + pick(&r->random, 2)); /* [RSI], [RDI] */
    else if (covers_eight(info))
        modrm += pick(&r->random, 8);
    if (pick(&r->random, 4) == 0)
        *p++ = 0x66;
    *p++ = info->map;
    *p++ = (uint8_t)modrm;
    ck_assert_int_eq(
        decode(bytes, sizeof(bytes), MODE_CODE64 | MODE_PE, UINT64_MAX, &r->in),
        DECODE_OK);
    ck_assert_uint_eq(r->in.id, id);
    r->code.rw[0] = 0x68;
    r->code.rw[CODE_AT - 1] = 0x9d;
    memcpy(r->code.rw + CODE_AT, bytes, r->in.len);
    r->code.rw[CODE_AT + r->in.len] = 0xc3; /* RET */
}

/* --- state --- */

/* Most often a stack with room, on which nothing faults. */
static uint8_t random_tags(struct random *random, unsigned top)
{
    switch (pick(random, 4)) {
    case 0: return (uint8_t)pick(random, 256);
    case 1: return 0xff;
    default: return (uint8_t) ~(1u << ((top + 7) & 7));
    }
}

/* FENI, FDISI and FSETPM wait on some processors. */
static bool may_be_pending(const struct insn *in)
{
    return insn_info[in->id].attrs & A_WAIT && in->id != I_FNENI &&
           in->id != I_FNDISI && in->id != I_FNSETPM;
}

/* Unless the instruction does not wait, no exception that is pending is
 * unmasked: it would trap. */
static void make_words(struct rig *r, uint8_t *fx)
{
    struct random *random = &r->random;
    unsigned masks = pick(random, 4) ? 0x3f : pick(random, 0x40);
    unsigned top = pick(random, 8), precision = pick(random, 8);
    unsigned allowed = may_be_pending(&r->in) ? 0x3f : masks, sw;

    sw = top << 11 | (pick(random, 8) << 8) | pick(random, 2) << 14;
    if (pick(random, 4) == 0)
        sw |= (pick(random, 0x40) & allowed) | pick(random, 2) << 6;
    precision = precision > 3 ? 3 : precision;
    store16(fx + 0,
            (uint16_t)(masks | 0x40 | precision << 8 | pick(random, 4) << 10));
    if (sw & ~masks & 0x3f)
        sw |= FPU_SW_ES | FPU_SW_BUSY;
    store16(fx + 2, (uint16_t)sw);
    fx[4] = random_tags(random, top);
}

static void make_memory(struct rig *r)
{
    struct random *random = &r->random;
    unsigned size = r->in.op[0].kind == OPND_MEM ? r->in.op[0].size
                                                 : r->in.op[1].size;

    for (unsigned i = 0; i < MEMORY; i++)
        r->before[i] = (uint8_t)pick(random, 256);
    r->offset = pick(random, MEMORY - 108);
    if (size == 10)
        random_extended(random, r->before + r->offset);
    else if (size == 8)
        store64(r->before + r->offset, random_double(random));
    else if (size == 4)
        store32(r->before + r->offset, random_single(random));
}

static void make_state(struct rig *r)
{
    uint8_t *fx = r->host.before;

    memset(&r->host, 0, sizeof(r->host));
    make_words(r, fx);
    store32(fx + 24, 0x1f80);
    random_stack(&r->random, fx + FX_ST);
    for (unsigned i = 0; i < HOST_GPRS; i++)
        r->host.gpr[i] = next_random(&r->random);
    r->flags = (uint32_t)next_random(&r->random) & FLAGS_ARITH;
    store32(r->code.rw + 1, r->flags | FLAG_1);
    hostmem_sync_code(&r->code, 0, 32);
    make_memory(r);
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
    cpu->aflags = aflags_from_eflags(r->flags);
    cpu->fpu.cw = load16(fx);
    cpu->fpu.sw = load16(fx + 2);
    cpu->fpu.tags = fx[4];
    for (unsigned i = 0; i < 8; i++)
        cpu->fpu.r[(top_of(fx) + i) & 7] = (struct fpreg){
            load64(fx + FX_ST + 16 * i), load16(fx + FX_ST + 16 * i + 8)};
    memcpy(guest_memory(r), r->before, MEMORY);
    cpu->rip = 0;
}

static void run_host(struct rig *r)
{
    memcpy(r->memory, r->before, MEMORY);
    r->host.pointer = (uintptr_t)r->memory + r->offset;
    host_run(&r->host, r->code.rx);
}

/* --- comparison: name of the first thing that differs, or NULL --- */

/* Transcendental functions: no processor rounds them all correctly. */
static bool is_approximate(unsigned id)
{
    static const uint16_t ids[] = {I_F2XM1, I_FYL2X,   I_FYL2XP1, I_FPTAN,
                                   I_FSIN,  I_FSINCOS, I_FCOS,    I_FPATAN};

    for (size_t i = 0; i < array_len(ids); i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* C1 follows from how an approximation was rounded.  FCOMI leaves it alone on
 * AMD's processors, where Intel's clear it. */
static unsigned compared_status(const struct insn *in)
{
    bool free = is_approximate(in->id) ||
                insn_info[in->id].flags == FLAGROW_COMI;

    return free ? 0xffffu & ~(unsigned)FPU_SW_C1 : 0xffffu;
}

/* Units in the last place between two numbers of a sign. */
static uint64_t distance(struct fpreg a, struct fpreg b)
{
    int128 x = (int128)(a.exp & 0x7fff) << 63 | (a.frac & ~0ull >> 1);
    int128 y = (int128)(b.exp & 0x7fff) << 63 | (b.frac & ~0ull >> 1);
    uint128 d = (uint128)(x > y ? x - y : y - x);

    return (a.exp ^ b.exp) >> 15 || d >> 63 ? ~0ull : (uint64_t)d;
}

static bool same_register(struct rig *r, struct fpreg ours, struct fpreg host)
{
    bool same = ours.frac == host.frac && ours.exp == host.exp;
    uint64_t d;

    if (same || !is_approximate(r->in.id))
        return same;
    d = distance(ours, host);
    r->unequal++;
    if (d > r->farthest)
        r->farthest = d;
    return d <= TOLERANCE;
}

static const char *compare_fpu(struct rig *r)
{
    const uint8_t *fx = r->host.after;
    const struct fpu *fpu = &r->cpu->fpu;

    if ((fpu->sw ^ load16(fx + 2)) & compared_status(&r->in))
        return "the status word";
    if (fpu->cw != load16(fx))
        return "the control word";
    if (fpu->tags != fx[4])
        return "tags";
    for (unsigned i = 0; i < 8; i++) {
        struct fpreg host = {load64(fx + FX_ST + 16 * i),
                             load16(fx + FX_ST + 16 * i + 8)};

        if (!same_register(r, fpu_get(fpu, i), host))
            return "a register";
    }
    return NULL;
}

/* Pointers of an environment are the machine's own: they become the same. */
static void forget_pointers(struct rig *r)
{
    unsigned size = r->in.opsize == 2 ? 2 : 4;
    uint8_t *ours = guest_memory(r) + r->offset;

    if (operand_info[insn_info[r->in.id].operand[0]].size < SIZE_RULES)
        return;
    memcpy(ours + 3 * size, r->memory + r->offset + 3 * size, 4 * size);
}

static const char *compare_rest(struct rig *r)
{
    bool flags = insn_info[r->in.id].flags == FLAGROW_COMI;

    for (unsigned i = 0; i < HOST_GPRS; i++)
        if (r->cpu->gpr[host_gpr_number[i]] != r->host.gpr[i])
            return "a general register";
    if (flags &&
        aflags_to_eflags(r->cpu->aflags) != (r->host.flags & FLAGS_ARITH))
        return "EFLAGS";
    forget_pointers(r);
    if (memcmp(guest_memory(r), r->memory, MEMORY) != 0)
        return "memory";
    return NULL;
}

static const char *run_both(struct rig *r)
{
    const char *what;

    load_guest(r);
    if (fpu_run(r->board, &r->in) != SIMD_DONE)
        return "an exception";
    run_host(r);
    r->faults += r->cpu->fpu.sw >> 7 & 1;
    what = compare_fpu(r);
    return what ? what : compare_rest(r);
}

static void print_bytes(const char *name, const uint8_t *p, unsigned n)
{
    printf("  %s", name);
    while (n--)
        printf(" %02x", *p++);
    printf("\n");
}

static void print_case(const struct rig *r, const char *what)
{
    const uint8_t *before = r->host.before, *after = r->host.after;
    unsigned size = r->in.op[0].kind == OPND_MEM ? r->in.op[0].size
                                                 : r->in.op[1].size;

    printf("%s:", insn_info[r->in.id].id);
    for (unsigned i = 0; i < r->in.len; i++)
        printf(" %02x", r->in.bytes[i]);
    printf(": %s differs\n  CW %04x SW %04x TAGS %02x -> CW %04x SW %04x TAGS "
           "%02x, host CW %04x SW %04x TAGS %02x\n",
           what, load16(before), load16(before + 2), before[4], r->cpu->fpu.cw,
           r->cpu->fpu.sw, r->cpu->fpu.tags, load16(after), load16(after + 2),
           after[4]);
    for (unsigned i = 0; i < 8; i++) {
        struct fpreg f = fpu_get(&r->cpu->fpu, i);

        if (i > 1 && i < 7 && i != (r->in.modrm & 7))
            continue;
        printf("  ST(%u) %04x %016lx -> %04x %016lx, host %04x %016lx\n", i,
               load16(before + FX_ST + 16 * i + 8),
               load64(before + FX_ST + 16 * i), f.exp, f.frac,
               load16(after + FX_ST + 16 * i + 8),
               load64(after + FX_ST + 16 * i));
    }
    if (r->in.modrm < 0xc0) {
        print_bytes("before", r->before + r->offset, size);
        print_bytes("ours  ", guest_memory(r) + r->offset, size);
        print_bytes("host  ", r->memory + r->offset, size);
    }
}

static struct rig *rig_new(uint64_t seed)
{
    struct rig *r = aligned_alloc(64, (sizeof(*r) + 63) & ~(size_t)63);

    ck_assert_ptr_nonnull(r);
    memset(r, 0, sizeof(*r));
    r->random.state = seed;
    r->board = simd_board_new();
    r->cpu = &r->board->cpu;
    ck_assert(hostmem_map_wx(&r->code, PAGE_SIZE));
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

/* False: the row failed. */
static bool run_row(struct rig *r, unsigned id)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        const char *what;

        make_insn(r, id);
        make_state(r);
        what = run_both(r);
        if (what) {
            print_case(r, what);
            return false;
        }
    }
    return true;
}

START_TEST(every_row_does_what_the_host_does)
{
    uint64_t seed = test_seed();
    struct rig *r = rig_new(seed);
    unsigned long rows = 0;
    unsigned failures = 0;

    for (unsigned id = 0; id < INSN_COUNT; id++) {
        if (!fpu_bodies[id])
            continue;
        if (why_skipped(id)) {
            printf("skipped %s: %s\n", insn_info[id].id, why_skipped(id));
            continue;
        }
        r->unequal = r->farthest = 0;
        failures += !run_row(r, id);
        if (is_approximate(id))
            printf("%s: %.3f %% equal to the host, the others at most %llu "
                   "ulp away\n",
                   insn_info[id].id,
                   100.0 - 100.0 * (double)r->unequal / ROUNDS,
                   (unsigned long long)r->farthest);
        rows++;
    }
    printf("x87: %lu rows, %lu cases, of which %lu with an unmasked "
           "exception; %u rows failed; seed %llx\n",
           rows, rows * ROUNDS, r->faults, failures, (unsigned long long)seed);
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

SUITE("fpu", every_row_does_what_the_host_does)
