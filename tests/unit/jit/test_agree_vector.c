/*
 * Interpreter and JIT agree on vector and x87 instructions, BMI and CRC32:
 * random programs of the rows of the tables, on numbers of all classes, with
 * exceptions masked and not.  COPAL_SEED, COPAL_ROUNDS and COPAL_PROGRAM as
 * in test_agree.c; COPAL_ROW=name keeps to rows of that mnemonic.
 */

#include <stdio.h>

#include "cpu/decode.h"
#include "cpu/disasm.h"
#include "tests/unit/jit/engines.h"
#include "tests/unit/random.h"
#include "tests/unit/suite.h"

enum {
    PROGRAM = 12,
    BUDGET = 100,
    ROUNDS = 4000,
    DATA = 0x20000,
    DATA_SIZE = 0x1000
};

/* --- numbers --- */

static uint32_t random_single(uint64_t *seed)
{
    uint64_t v = next_random(seed);
    uint32_t sign = (uint32_t)(v >> 63) << 31, frac = v & 0x7fffff;

    switch (v >> 32 & 7) {
    case 0: return sign | frac; /* denormal */
    case 1: return sign | 0x7f800000 | frac;
    case 2: return sign | (v & 256 ? 0x7f800000 : 0);
    case 3:
        return sign | (0x3f800000 + (uint32_t)(v >> 40 & 31) * 0x800000) |
               (frac & 0x7f0000);
    case 4: return (uint32_t)v & 0xff;
    default:
        return sign | (0x38000000 + (uint32_t)(v >> 40 & 31) * 0x800000) | frac;
    }
}

static uint64_t random_double(uint64_t *seed)
{
    uint64_t v = next_random(seed), kind = next_random(seed);
    uint64_t sign = v >> 63 << 63, frac = v & 0xfffffffffffff;

    switch (kind & 7) {
    case 0: return sign | frac;
    case 1: return sign | (uint64_t)0x7ff << 52 | frac;
    case 2: return sign | (kind & 8 ? (uint64_t)0x7ff << 52 : 0);
    case 3:
        return sign | (0x3ff + (kind >> 8 & 63)) << 52 |
               (frac & ~(uint64_t)0xffffffff);
    default: return sign | (0x3e0 + (kind >> 8 & 63)) << 52 | frac;
    }
}

static uint64_t random_lane(uint64_t *seed)
{
    uint64_t low;

    switch (next_random(seed) >> 62) {
    case 0: return next_random(seed);
    case 1: return random_double(seed);
    default:
        low = random_single(seed);
        return low | (uint64_t)random_single(seed) << 32;
    }
}

static struct fpreg random_extended(uint64_t *seed)
{
    uint64_t v = next_random(seed), top = (uint64_t)1 << 63;
    uint64_t frac = next_random(seed) | top;
    unsigned exp = 0, near = 0x3fff + (unsigned)(v >> 8 & 63);

    switch (v & 15) {
    case 0: frac &= ~top; break; /* denormal */
    case 1: frac = 0; break;
    case 2: exp = 0x7fff; break;
    case 3: exp = 0x7fff, frac = top; break;
    case 4: exp = near, frac &= ~top; break; /* unnormal */
    case 5: exp = v >> 16 & 0x7fff; break;
    case 6: exp = near, frac = top; break;
    default: exp = near - 16; break;
    }
    return (struct fpreg){frac, (uint16_t)(exp | v >> 63 << 15)};
}

/* --- programs --- */

static bool is_wanted(const struct insn_info *info)
{
    const char *only = getenv("COPAL_ROW");

    if (!(info->attrs & (A_FPU | A_MMX | A_SSE | A_AVX)) &&
        strcmp(info->body, "fwait") && info->feature != FEAT_SSE42 &&
        info->feature != FEAT_BMI1 && info->feature != FEAT_BMI2)
        return false;
    return !only || !strcmp(only, info->mnemonic);
}

static unsigned random_row(uint64_t *seed)
{
    for (;;) {
        unsigned id = (unsigned)(next_random(seed) % INSN_COUNT);

        if (is_wanted(&insn_info[id]))
            return id;
    }
}

static unsigned put_opcode(uint8_t *at, const struct insn_info *info)
{
    unsigned n = 0;

    if (info->map == 1) {
        at[n++] = info->code;
    } else if (info->map >= 0xd8) {
        at[n++] = info->map;
    } else {
        at[n++] = 0x0f;
        if (info->map == 0x38 || info->map == 0x3a)
            at[n++] = info->map;
        at[n++] = info->map == 0x0f ? 0x0f : info->code;
    }
    return n;
}

static unsigned put_vex(uint8_t *at, const struct insn_info *info,
                        uint64_t random)
{
    unsigned map = info->map == 2 ? 1 : info->map == 0x38 ? 2 : 3;
    unsigned last = (unsigned)random & 0xfc;

    if (random >> 60 & 1)
        last |= 0x78;
    at[0] = 0xc4;
    at[1] = (uint8_t)((random >> 8 & 0xe0) | map);
    if (random >> 61 & 1)
        at[1] |= 0xe0;
    at[2] = (uint8_t)(last | info->pfx);
    at[3] = info->code;
    return 4;
}

/* A register, or memory at [base + disp8] or [base]. */
static void put_operands(uint8_t *at, const struct insn_info *info,
                         uint64_t *seed)
{
    uint64_t v = next_random(seed);
    unsigned modrm = (unsigned)v & 0xff;

    for (unsigned k = 0; k < 12; k++)
        at[k] = (uint8_t)next_random(seed);
    if (v >> 60 & 1)
        modrm |= 0xc0;
    else if (modrm < 0xc0)
        modrm &= 0x7f;
    if (info->map >= 0xd8)
        modrm = info->code < 8 ? (modrm & 0x47) | (unsigned)info->code << 3
                               : (unsigned)info->code | (modrm & 7);
    else if (info->ext < 8)
        modrm = (modrm & 0xc7) | (unsigned)info->ext << 3;
    at[0] = (uint8_t)modrm;
    at[1] &= v >> 61 & 1 ? 0xe0 : 0xff;
}

static unsigned random_insn(uint64_t *seed, const struct box *b, uint8_t *at)
{
    static const uint8_t prefix[] = {0, 0x66, 0xf3, 0xf2};
    struct insn in;

    for (;;) {
        unsigned id = random_row(seed), n = 0;

        for (unsigned tries = 0; tries < 64; tries++) {
            const struct insn_info *info = &insn_info[id];
            uint64_t v = next_random(seed);

            n = 0;
            if (info->attrs & A_VEX) {
                n = put_vex(at, info, v);
            } else {
                if (info->pfx != PFX__ && info->pfx)
                    at[n++] = prefix[info->pfx];
                if (b->cpu.mode & MODE_CODE64 && v & 1)
                    at[n++] = 0x40 | (v >> 8 & 15);
                n += put_opcode(at + n, info);
            }
            put_operands(at + n, info, seed);
            if (decode(at, 15, b->cpu.mode, b->cpu.features, &in) ==
                    DECODE_OK &&
                in.id == id && !(info->attrs & A_CPL0))
                return in.len;
        }
    }
}

static void fill_fpu(struct fpu *fpu, uint64_t *seed)
{
    uint64_t v = next_random(seed);

    for (unsigned k = 0; k < 8; k++)
        fpu->r[k] = random_extended(seed);
    fpu->tags = (uint8_t)(v & 1 ? 0x7f : v >> 8);
    fpu->cw = (uint16_t)(0x7f | (v >> 16 & 0xf00));
    fpu->sw = (uint16_t)(v >> 32 & 0x7f7f);
    if (v >> 60 & 1) { /* some exceptions unmasked */
        fpu->cw &= (uint16_t)(0xff40 | (v >> 50 & 0x3f));
        fpu->sw &= (uint16_t)(fpu->cw | 0xffc0);
    }
}

/* The first `length` instructions of the program, then HLT. */
static void fill(struct box *b, uint64_t seed, uint64_t length)
{
    uint8_t *at = box_at(b, BOX_CODE);

    for (unsigned i = 0; i < DATA_SIZE; i += 8)
        store64(box_at(b, DATA + i), random_lane(&seed));
    for (unsigned r = 0; r < GPR_COUNT; r++)
        if (r != RSP)
            b->cpu.gpr[r] = next_random(&seed) & 7
                                ? DATA + 32 * (next_random(&seed) & 127)
                                : random_lane(&seed) >>
                                      (b->cpu.mode & MODE_CODE64 ? 0 : 32);
    for (unsigned x = 0; x < 16; x++)
        for (unsigned k = 0; k < 4; k++)
            b->cpu.xmm[x].u64[k] = random_lane(&seed);
    fill_fpu(&b->cpu.fpu, &seed);
    b->cpu.mxcsr = 0x1f80 | (next_random(&seed) & 0xe07f);
    if (!(next_random(&seed) & 7))
        b->cpu.mxcsr &= (uint32_t)next_random(&seed) | 0xe07f;
    cpu_set_eflags(&b->cpu, (uint32_t)(next_random(&seed) & FLAGS_ARITH));
    b->cpu.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    b->cpu.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    b->cpu.features = FEATURE_SET_ALL;
    ck_assert(cpu_state_loaded(&b->cpu));
    for (unsigned i = 0; i < length; i++)
        at += random_insn(&seed, b, at);
    *at = 0xf4;
}

/* --- comparison --- */

static void print_fpu(const char *who, const struct cpu *cpu)
{
    const struct fpu *f = &cpu->fpu;

    printf("%s rip=%llx eflags=%x mxcsr=%x cw=%x sw=%x tags=%x fop=%x "
           "fip=%x:%llx fdp=%x:%llx\n",
           who, (unsigned long long)cpu->rip, cpu_eflags(cpu), cpu->mxcsr,
           f->cw, f->sw, f->tags, f->opcode, f->cs, (unsigned long long)f->ip,
           f->ds, (unsigned long long)f->dp);
}

static void print_state(struct box *a, struct box *b)
{
    const struct cpu *x = &a->cpu, *y = &b->cpu;

    print_fpu("interp", x);
    print_fpu("jit   ", y);
    for (unsigned k = 0; k < 8; k++)
        if (memcmp(&x->fpu.r[k], &y->fpu.r[k], 10))
            printf("R%u interp %04x %016llx jit %04x %016llx\n", k,
                   x->fpu.r[k].exp, (unsigned long long)x->fpu.r[k].frac,
                   y->fpu.r[k].exp, (unsigned long long)y->fpu.r[k].frac);
    for (unsigned k = 0; k < 64; k++)
        if (x->xmm[k / 4].u64[k % 4] != y->xmm[k / 4].u64[k % 4])
            printf("xmm%u.%u interp %016llx jit %016llx\n", k / 4, k % 4,
                   (unsigned long long)x->xmm[k / 4].u64[k % 4],
                   (unsigned long long)y->xmm[k / 4].u64[k % 4]);
    for (unsigned k = 0; k < GPR_COUNT; k++)
        if (x->gpr[k] != y->gpr[k])
            printf("gpr%u interp %016llx jit %016llx\n", k,
                   (unsigned long long)x->gpr[k],
                   (unsigned long long)y->gpr[k]);
    engines_print_memory(a, b);
}

static void print_program(const struct box *made, uint64_t length)
{
    struct box *b = (struct box *)(uintptr_t)made;
    uint8_t *at = box_at(b, BOX_CODE);
    struct insn in;
    char text[128];

    for (unsigned i = 0; i < length; i++, at += in.len) {
        if (decode(at, 15, b->cpu.mode, b->cpu.features, &in) != DECODE_OK)
            return;
        disasm(&in, text, sizeof(text));
        printf("  %s\n", text);
    }
}

/* Both run `length` instructions of the program of this seed.  Those that
 * translated code did are added to *done. */
static const char *compare(struct box *(*make)(void), uint64_t seed,
                           uint64_t length, bool print, uint64_t *done)
{
    struct box *a = make(), *b = engines_jit(make(), 0);
    const char *what;

    fill(a, seed, length);
    fill(b, seed, length);
    if (print)
        print_program(a, length);
    a->engine->run(a->engine, &a->cpu, BUDGET);
    b->engine->run(b->engine, &b->cpu, BUDGET);
    what = engines_difference(a, b);
    *done += b->stats.insn_jit;
    if (print && what)
        print_state(a, b);
    box_free(a);
    box_free(b);
    return what;
}

static void compare_or_fail(struct box *(*make)(void), unsigned mode,
                            uint64_t seed, uint64_t *done)
{
    const char *what = compare(make, seed, PROGRAM, false, done);
    uint64_t length = 1;

    if (!what)
        return;
    while (length < PROGRAM && !compare(make, seed, length, false, done))
        length++;
    what = compare(make, seed, length, true, done);
    ck_abort_msg("maker %u program %#llx: %s differs after %llu instructions",
                 mode, (unsigned long long)seed, what ? what : "something",
                 (unsigned long long)length);
}

START_TEST(test_engines_agree_on_vector_programs)
{
    static struct box *(*const makers[])(void) = {box_new_32, box_new_long};
    uint64_t seed = random_setting("COPAL_SEED", 20261122);
    uint64_t rounds = random_setting("COPAL_ROUNDS", ROUNDS);
    uint64_t one = random_setting("COPAL_PROGRAM", 0), done = 0;

    for (unsigned i = 0; one && i < 2; i++)
        compare_or_fail(makers[i], i, one, &done);
    printf("vectors agree: COPAL_SEED=%llu COPAL_ROUNDS=%llu\n",
           (unsigned long long)seed, (unsigned long long)rounds);
    for (uint64_t i = 0; i < rounds; i++)
        compare_or_fail(makers[i & 1], i & 1, next_random(&seed), &done);
    printf("vectors agree: %llu instructions by translated code\n",
           (unsigned long long)done);
}
END_TEST

SUITE("engines agree on vectors", test_engines_agree_on_vector_programs)
