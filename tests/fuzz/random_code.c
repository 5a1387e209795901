/*
 * Random bytes executed as guest code by both engines: real mode, 32-bit
 * protected mode and 64-bit mode.
 *
 *     random_code --bytes N --seed S
 *
 * Nothing may crash or hang: every start is bounded by a budget of
 * instructions.  The engines must also end each start in the same state.
 * Vectors and gates lead back into the random code, so that an exception is
 * delivered and the program goes on.
 */

#include <stdio.h>

#include "tests/unit/jit/engines.h"
#include "tests/unit/suite.h"

enum {
    CHUNK = 1024,       /* bytes of code of one program */
    STEP = 32,          /* a start every so many bytes */
    BUDGET = 40,        /* instructions of one start */
    CODE_CACHE = 256 << 10, /* small: blocks are evicted too */
    TABLES = 0x3000,    /* GDT, and IDT behind it */
    IDT_AT = TABLES + PAGE_SIZE,
    CODE_SEL = 8, DATA_SEL = 16,
    DEFAULT_BYTES = 100000,
};

enum mode { REAL, PROTECTED, LONG, MODES };

struct run {
    uint64_t seed, bytes, instructions, disagreements;
    enum mode mode;
    uint64_t random; /* state of the generator */
    struct box *box[ENGINE_KINDS];
};

static uint64_t next_random(struct run *r)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random * 0x2545f4914f6cdd1d;
}

/* --- the world of one program, the same for both engines --- */

static void gate(struct box *b, enum mode mode, unsigned vector, uint32_t to)
{
    bool wide = mode == LONG;
    uint8_t *at = box_at(b, IDT_AT + vector * (wide ? 16u : 8u));

    store16(at, (uint16_t)to);
    store16(at + 2, CODE_SEL);
    store16(at + 4, 0x8e00);
    store16(at + 6, (uint16_t)(to >> 16));
    if (wide)
        store64(at + 8, 0);
}

static void tables(struct run *r, struct box *b)
{
    struct cpu *cpu = &b->cpu;
    uint64_t code = r->mode == LONG ? 0x00af9b000000ffff : 0x00cf9b000000ffff;

    store64(box_at(b, TABLES + CODE_SEL), code);
    store64(box_at(b, TABLES + DATA_SEL), 0x00cf93000000ffff);
    cpu->gdtr = (struct table_reg){TABLES, 0x3f};
    cpu->idtr = (struct table_reg){IDT_AT, PAGE_SIZE - 1};
    for (unsigned v = 0; v < 256; v++)
        gate(b, r->mode, v, BOX_CODE + (uint32_t)next_random(r) % CHUNK);
}

static void vectors(struct run *r, struct box *b)
{
    for (unsigned v = 0; v < 256; v++) {
        store16(box_at(b, 4 * v), (uint16_t)(next_random(r) % CHUNK));
        store16(box_at(b, 4 * v + 2), BOX_CODE >> 4);
    }
}

static uint64_t value(struct run *r)
{
    uint64_t v = next_random(r);

    switch (v >> 61) {
    case 0: return v & 0xff;
    case 1: return ~(uint64_t)0 << (v & 63);
    case 2: return v;
    case 3: return BOX_CODE + v % CHUNK;
    default: return v % BOX_RAM;
    }
}

static struct box *world(struct run *r, enum engine_kind kind)
{
    static struct box *(*const makers[MODES])(void) = {
        [REAL] = box_new, [PROTECTED] = box_new_32, [LONG] = box_new_long};
    struct box *b = makers[r->mode]();

    if (kind == BY_JIT)
        engines_jit(b, CODE_CACHE);
    if (r->mode == REAL)
        vectors(r, b);
    else
        tables(r, b);
    for (unsigned k = 0; k < CHUNK; k += 8)
        store64(box_at(b, BOX_CODE + k), next_random(r));
    if (next_random(r) & 1)
        engines_enable_sse(&b->cpu);
    return b;
}

/* --- one start --- */

static void segments(struct run *r, struct cpu *cpu)
{
    if (r->mode != REAL)
        return;
    for (unsigned s = ES; s <= GS; s++) {
        cpu->seg[s].sel = s == CS ? BOX_CODE >> 4 : 0;
        cpu->seg[s].base = (uint64_t)cpu->seg[s].sel << 4;
    }
    cpu_update_mode(cpu);
}

/* What an earlier start left of modes and tables stays: more is reached. */
static void start(struct run *r, struct box *b, unsigned at)
{
    struct cpu *cpu = &b->cpu;

    for (unsigned g = 0; g < GPR_COUNT; g++)
        cpu->gpr[g] = value(r);
    cpu->gpr[RSP] = r->mode == REAL ? 0x8000 : BOX_STACK;
    for (unsigned x = 0; x < 16; x++)
        for (unsigned k = 0; k < 2; k++)
            cpu->xmm[x].u64[k] = value(r);
    if (!(cpu->cr0 & CR0_PE))
        segments(r, cpu);
    cpu_update_mode(cpu); /* cuts registers outside 64-bit code */
    cpu->rip = at + (r->mode == REAL ? 0u : (unsigned)BOX_CODE);
    cpu->next_rip = cpu->rip;
    cpu->halted = cpu->shutdown = false;
    cpu->delivering = -1;
}

static const char *difference(struct box *a, struct box *b)
{
    const struct cpu *x = &a->cpu, *y = &b->cpu;

    if (x->rip != y->rip)
        return "rip";
    if (memcmp(x->gpr, y->gpr, sizeof(x->gpr)))
        return "general registers";
    if (cpu_eflags(x) != cpu_eflags(y))
        return "flags";
    for (unsigned k = 0; k < 16; k++)
        if (memcmp(&x->xmm[k], &y->xmm[k], 16))
            return "xmm";
    if (x->cr0 != y->cr0 || x->cr2 != y->cr2 || x->cr3 != y->cr3 ||
        x->cr4 != y->cr4)
        return "control registers";
    if (x->mxcsr != y->mxcsr)
        return "mxcsr";
    return NULL;
}

static void run_start(struct run *r, unsigned at)
{
    uint64_t random = r->random;

    for (unsigned k = 0; k < ENGINE_KINDS; k++) {
        struct box *b = r->box[k];

        r->random = random;
        start(r, b, at);
        b->engine->run(b->engine, &b->cpu, BUDGET);
    }
}

static uint64_t instructions(const struct box *b)
{
    return b->stats.insn_interp + b->stats.insn_jit;
}

static void print_difference(struct run *r, uint64_t program, unsigned at,
                             const char *what)
{
    if (r->disagreements++ > 20)
        return;
    printf("random_code: program %#llx mode %u start %u: %s differ, rip %#llx "
           "and %#llx\n", (unsigned long long)program, r->mode, at, what,
           (unsigned long long)r->box[0]->cpu.rip,
           (unsigned long long)r->box[1]->cpu.rip);
}

/* Random code of CHUNK bytes, entered every STEP bytes. */
static void run_program(struct run *r)
{
    uint64_t program = next_random(r);
    const char *what = NULL;

    r->mode = (enum mode)((program >> 32) % MODES);
    for (unsigned k = 0; k < ENGINE_KINDS; k++) {
        r->random = program | 1;
        r->box[k] = world(r, (enum engine_kind)k);
    }
    for (unsigned at = 0; at < CHUNK && !what; at += STEP) {
        run_start(r, at);
        what = difference(r->box[0], r->box[1]);
        if (what)
            print_difference(r, program, at, what);
    }
    for (unsigned k = 0; k < ENGINE_KINDS; k++) {
        r->instructions += instructions(r->box[k]);
        box_free(r->box[k]);
    }
    r->bytes += CHUNK;
    r->random = program * 0x9e3779b97f4a7c15 | 1;
}

static void option(int argc, char **argv, const char *name, uint64_t *v)
{
    for (int k = 1; k + 1 < argc; k++)
        if (!strcmp(argv[k], name))
            *v = strtoull(argv[k + 1], NULL, 0);
}

/* The command line, for the test that Check calls without arguments. */
static struct {
    uint64_t bytes, seed;
} options = {DEFAULT_BYTES, 20261121};

START_TEST(test_random_code_does_the_same_in_both_engines)
{
    struct run r = {.seed = options.seed};

    r.random = r.seed * 0x9e3779b97f4a7c15 | 1;
    printf("random_code: seed %llu\n", (unsigned long long)r.seed);
    fflush(stdout);
    while (r.bytes < options.bytes)
        run_program(&r);
    printf("random_code: seed %llu: %llu bytes, %llu instructions, "
           "%llu disagreements\n", (unsigned long long)r.seed,
           (unsigned long long)r.bytes, (unsigned long long)r.instructions,
           (unsigned long long)r.disagreements);
    ck_assert_uint_eq(r.disagreements, 0);
}
END_TEST

int main(int argc, char **argv)
{
    const TTest *const tests[] = {
        test_random_code_does_the_same_in_both_engines};

    option(argc, argv, "--bytes", &options.bytes);
    option(argc, argv, "--seed", &options.seed);
    return suite_main("random code", tests, 1);
}
