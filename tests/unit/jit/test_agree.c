/*
 * Interpreter and JIT agree: random valid instructions run by both from the
 * same state, in 16, 32 and 64-bit code, end in the same registers, flags and
 * memory.  COPAL_SEED=n repeats a run, COPAL_ROUNDS=n makes it longer,
 * COPAL_PROGRAM=n runs the program of that number first.
 */

#include <stdio.h>

#include "cpu/decode.h"
#include "cpu/disasm.h"
#include "tests/unit/jit/engines.h"
#include "tests/unit/random.h"
#include "tests/unit/suite.h"

enum { PROGRAM = 24, ROUNDS = 4000, DATA = 0x20000, DATA_SIZE = 0x2000 };

static uint64_t random_value(uint64_t *seed)
{
    uint64_t v = next_random(seed);

    switch (v >> 61) {
    case 0: return v & 0xff;
    case 1: return 0;
    case 2: return (uint64_t)1 << (v & 63);
    case 3: return ~(uint64_t)0 << (v & 63);
    case 4:
    case 5: return DATA + (v & (DATA_SIZE - 1));
    default: return v;
    }
}

/* What may run: all but what stops, reads time, or leaves the program far. */
static bool is_wanted(const struct insn *in)
{
    const struct insn_info *info = &insn_info[in->id];

    if (info->attrs & (A_CPL0 | A_PROT) ||
        !strcmp(info->body, "in") || !strcmp(info->body, "out") ||
        !strcmp(info->body, "ins") || !strcmp(info->body, "outs") ||
        !strcmp(info->body, "hlt"))
        return false;
    return !(info->attrs & A_ENDS) || in->op[0].kind == OPND_REL;
}

static unsigned random_insn(uint64_t *seed, uint32_t mode,
                            struct feature_set features, uint8_t *at)
{
    struct insn in;

    for (;;) {
        for (unsigned k = 0; k < 16; k += 8)
            store64(at + k, next_random(seed));
        if (!(next_random(seed) & 3))
            at[0] = 0x0f;
        if ((mode & MODE_CODE64) && !(next_random(seed) & 3))
            at[0] = 0x40 | (at[0] & 15);
        if (decode(at, 15, mode, features, &in) == DECODE_OK && is_wanted(&in))
            return in.len;
    }
}

static void fill(struct box *b, uint64_t seed)
{
    uint8_t *at = box_at(b, BOX_CODE);
    uint64_t fp = seed;

    for (unsigned i = 0; i < DATA_SIZE; i += 8)
        store64(box_at(b, DATA + i), random_value(&seed));
    for (unsigned r = 0; r < GPR_COUNT; r++)
        if (r != RSP)
            b->cpu.gpr[r] = random_value(&seed);
    for (unsigned x = 0; x < 16; x++)
        for (unsigned k = 0; k < 2; k++)
            b->cpu.xmm[x].u64[k] = random_value(&fp);
    cpu_set_eflags(&b->cpu, (uint32_t)(next_random(&seed) & FLAGS_ARITH));
    b->cpu.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    b->cpu.fpu.cw = 0x37f; /* as FNINIT: masked, so that the JIT translates */
    ck_assert(cpu_state_loaded(&b->cpu));
    for (unsigned i = 0; i < PROGRAM; i++)
        at += random_insn(&seed, b->cpu.mode, b->cpu.features, at);
    memset(at, 0x90, 64);
}

static void print_state(const char *who, const struct box *b)
{
    printf("%s rip=%llx eflags=%x stats interp=%llu jit=%llu\n", who,
           (unsigned long long)b->cpu.rip, cpu_eflags(&b->cpu),
           (unsigned long long)b->stats.insn_interp,
           (unsigned long long)b->stats.insn_jit);
    for (unsigned r = 0; r < GPR_COUNT; r++)
        printf(" r%u=%llx%s", r, (unsigned long long)b->cpu.gpr[r],
               r % 4 == 3 ? "\n" : "");
}

static void print_program(struct box *b, uint64_t seed,
                          struct box *(*make)(void))
{
    struct box *fresh = make();
    uint8_t *at;
    struct insn in;
    char text[128];

    (void)b;
    fill(fresh, seed);
    at = box_at(fresh, BOX_CODE);
    for (unsigned i = 0; i < PROGRAM; i++) {
        if (decode(at, 15, fresh->cpu.mode, fresh->cpu.features, &in) !=
            DECODE_OK)
            break;
        disasm(&in, text, sizeof(text));
        printf("  %lx: %s\n", (long)(at - box_at(fresh, BOX_CODE)) + BOX_CODE,
               text);
        at += in.len;
    }
    box_free(fresh);
}

/* Both run `length` instructions of the program of this seed. */
static const char *compare(struct box *(*make)(void), uint64_t seed,
                           uint64_t length, bool print)
{
    /* With stats, its code counts, which must change nothing. */
    const struct jit_options options = {.count = true, .stats = seed & 1};
    struct box *a = make(), *b = engines_jit_with(make(), &options);
    const char *what;

    fill(a, seed);
    fill(b, seed);
    a->engine->run(a->engine, &a->cpu, length);
    b->engine->run(b->engine, &b->cpu, length);
    what = engines_difference(a, b);
    if (print && what) {
        print_program(a, seed, make);
        engines_print_memory(a, b);
        print_state("interp", a);
        print_state("jit   ", b);
    }
    box_free(a);
    box_free(b);
    return what;
}

static void compare_or_fail(struct box *(*make)(void), unsigned mode,
                            uint64_t seed)
{
    const char *what = compare(make, seed, PROGRAM + 8, false);
    uint64_t length = 1;

    if (!what)
        return;
    while (length < PROGRAM + 8 && !compare(make, seed, length, false))
        length++;
    what = compare(make, seed, length, true);
    ck_abort_msg("maker %u seed %#llx: %s differs after %llu instructions",
                 mode, (unsigned long long)seed, what ? what : "something",
                 (unsigned long long)length);
}

START_TEST(test_engines_agree_on_random_programs)
{
    static struct box *(*const makers[])(void) = {box_new, box_new_32,
                                                  box_new_long};
    uint64_t seed = random_setting("COPAL_SEED", 20261121);
    uint64_t rounds = random_setting("COPAL_ROUNDS", ROUNDS);

    uint64_t one = random_setting("COPAL_PROGRAM", 0);

    for (unsigned i = 0; one && i < 3; i++)
        compare_or_fail(makers[i], i, one);
    printf("engines agree: COPAL_SEED=%llu COPAL_ROUNDS=%llu\n",
           (unsigned long long)seed, (unsigned long long)rounds);
    for (uint64_t i = 0; i < rounds; i++)
        compare_or_fail(makers[(i + 2) % 3], (unsigned)((i + 2) % 3),
                        next_random(&seed));
    printf("engines agree: %llu programs\n", (unsigned long long)rounds);
}
END_TEST

SUITE("engines agree", test_engines_agree_on_random_programs)
