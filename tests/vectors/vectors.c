/*
 * vectors [--jit] FOLDER...: runs recorded single instructions of an 8086 and
 * an 80286 in real mode through the interpreter or the JIT, and compares
 * registers and all of memory.  The folders may have folders in them.
 *
 * An 8086 case is one instruction; an 80286 case is one and the HLT that
 * follows it or stands at the handler of the exception it raised.  Prints what
 * was left out, by rule.  Fails if a case fails or if none ran.
 */

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/decode.h"
#include "cpu/fault.h"
#include "cpu/interp.h"
#include "jit/jit.h"
#include "tests/vectors/moo.h"
#include "tests/vectors/rules.h"

enum {
    MEMORY = 0x110000, /* what real mode reaches */
    STEPS_MAX = 1000,
    SHOWN_MAX = 3, /* failures of one file told in full */
    RULES_MAX = 64,
};

struct bench {
    struct physmem mem;
    struct space io;
    struct clock clock;
    struct stats stats;
    struct cpu cpu;
    struct engine *engine;
    bool jit;
    uint8_t *expected; /* all of memory */
    unsigned passed, failed, skipped[RULES_MAX];
    unsigned stack_faults; /* passed with 12 where 13 was recorded */
    unsigned flag_bits;    /* run without bits 12-15 of FLAGS */
    unsigned stepped;      /* not given to the JIT */
};

static void code_written(void *owner, uint64_t at, unsigned size)
{
    struct bench *b = owner;

    b->engine->invalidate(b->engine, at, size);
}

static struct engine *make_engine(struct bench *b)
{
    const struct jit_options options = {.count = true, .code_size = 1 << 20};

    return b->jit ? jit_new(&b->cpu, &options) : interp_new(&b->cpu);
}

static bool bench_init(struct bench *b)
{
    const struct cpu_model *model = cpu_models;

    while (model[1].name)
        model++;
    if (!physmem_init(&b->mem, MEMORY) ||
        !physmem_add_block(&b->mem, "ram", 0, MEMORY, 0, BLOCK_RAM))
        return false;
    space_init(&b->io, "ports", 0x10000);
    clock_init(&b->clock, CLOCK_DETERMINISTIC);
    cpu_init(&b->cpu, model, &b->mem, &b->io, &b->clock, &b->stats);
    b->engine = make_engine(b);
    b->mem.owner = b;
    b->mem.on_code_write = code_written;
    b->expected = xalloc(MEMORY);
    return b->engine;
}

static void bench_destroy(struct bench *b)
{
    b->engine->destroy(b->engine);
    cpu_destroy(&b->cpu);
    clock_destroy(&b->clock);
    physmem_destroy(&b->mem);
    free(b->expected);
}

/* --- one case --- */

static const uint8_t gpr_of[] = {
    [MOO_AX] = RAX, [MOO_BX] = RBX, [MOO_CX] = RCX, [MOO_DX] = RDX,
    [MOO_SP] = RSP, [MOO_BP] = RBP, [MOO_SI] = RSI, [MOO_DI] = RDI,
};

static const uint8_t seg_of[] = {
    [MOO_CS] = CS,
    [MOO_SS] = SS,
    [MOO_DS] = DS,
    [MOO_ES] = ES,
};

static bool is_seg(enum moo_reg r)
{
    return r >= MOO_CS && r <= MOO_ES;
}

static uint16_t get_reg(const struct cpu *cpu, enum moo_reg r)
{
    if (r == MOO_IP)
        return (uint16_t)cpu->rip;
    if (r == MOO_FLAGS)
        return (uint16_t)cpu_eflags(cpu);
    if (is_seg(r))
        return cpu->seg[seg_of[r]].sel;
    return (uint16_t)cpu->gpr[gpr_of[r]];
}

static void set_state(struct bench *b, const struct moo_state *s)
{
    struct cpu *cpu = &b->cpu;

    cpu_reset(cpu);
    for (unsigned r = 0; r < MOO_IP; r++) {
        if (is_seg(r)) {
            cpu->seg[seg_of[r]].sel = s->reg[r];
            cpu->seg[seg_of[r]].base = (uint64_t)s->reg[r] << 4;
        } else {
            cpu->gpr[gpr_of[r]] = s->reg[r];
        }
    }
    cpu->rip = s->reg[MOO_IP];
    cpu_set_eflags(cpu, s->reg[MOO_FLAGS] & 0x0fff);
    cpu_update_mode(cpu);
    cpu_update_stop(cpu);
}

static void set_byte(struct bench *b, struct moo_byte m)
{
    physmem_write(&b->mem, m.at, m.value, 1);
    if (m.at < MEMORY)
        b->expected[m.at] = m.value;
}

/* Fetched as code, or any other way: everything of the case, forgotten. */
static void forget(struct bench *b, const struct moo_state *s)
{
    for (unsigned i = 0; i < s->ram_count; i++)
        set_byte(b, (struct moo_byte){s->ram[i].at, 0});
}

/* The vectors of #SS and #GP get the same handler, as the case has it. */
static void share_handler(struct bench *b)
{
    for (unsigned i = 0; i < 4; i++)
        set_byte(
            b, (struct moo_byte){4 * EXC_SS + i, b->expected[4 * EXC_GP + i]});
}

static void forget_handler(struct bench *b)
{
    for (unsigned i = 0; i < 4; i++)
        set_byte(b, (struct moo_byte){4 * EXC_SS + i, 0});
}

/* One instruction, with all its repetitions and the exception it may raise. */
static bool run_one(struct bench *b, const struct subject *s)
{
    bool repeats = s->known && (insn_info[s->in.id].attrs & A_REP);
    struct cpu *cpu = &b->cpu;
    uint64_t start = cpu->rip;
    volatile unsigned steps = 0;
    jmp_buf unwind;

    cpu->unwind = &unwind;
    if (setjmp(unwind)) {
        cpu_deliver_exception(cpu);
        return !cpu->shutdown;
    }
    do
        interp_step(cpu);
    while (repeats && cpu->rip == start && ++steps < STEPS_MAX);
    return steps < STEPS_MAX;
}

static bool run_to_halt(struct bench *b)
{
    return b->engine->run(b->engine, &b->cpu, STEPS_MAX) == STOP_HALT;
}

/* Where the case ends, if it has nothing there: HLT may be put in its place. */
static bool find_end(const struct bench *b, const struct moo_case *c,
                     uint32_t *end)
{
    uint16_t ip = c->before.reg[MOO_IP], cs = c->before.reg[MOO_CS];

    if (c->after.present >> MOO_IP & 1)
        ip = c->after.reg[MOO_IP];
    if (c->after.present >> MOO_CS & 1)
        cs = c->after.reg[MOO_CS];
    *end = (((uint32_t)cs << 4) + ip) & (uint32_t)b->mem.a20_mask;
    for (unsigned i = 0; i < c->code_size; i++)
        if (*end == ((((uint32_t)c->before.reg[MOO_CS] << 4) +
                      (uint16_t)(c->before.reg[MOO_IP] + i)) &
                     (uint32_t)b->mem.a20_mask))
            return false;
    for (unsigned i = 0; i < c->after.ram_count; i++)
        if (c->after.ram[i].at == *end &&
            c->after.ram[i].value != b->mem.ram.mem.rw[*end])
            return false;
    return *end < MEMORY;
}

/* The JIT translates blocks, not single instructions: HLT ends the block. */
static bool run_one_by_jit(struct bench *b, const struct subject *s)
{
    uint32_t end;
    uint8_t was;
    bool ok;

    if (!find_end(b, s->c, &end)) {
        b->stepped++;
        return run_one(b, s);
    }
    was = b->mem.ram.mem.rw[end];
    physmem_write(&b->mem, end, 0xf4, 1);
    ok = run_to_halt(b);
    physmem_write(&b->mem, end, was, 1);
    b->cpu.rip = (uint16_t)(b->cpu.rip - 1);
    return ok;
}

/* Copies the bits of FLAGS that are not settled from what was pushed. */
static void excuse_pushed(struct bench *b, const struct subject *s,
                          uint16_t mask)
{
    uint32_t at;

    if (!rules_pushed_flags(s, &at))
        return;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t a = (at + i) & (s->cpu == CPU_8086 ? 0xfffff : 0x1fffff);
        uint8_t m = (uint8_t)(mask >> (8 * i));

        if (a < MEMORY)
            b->expected[a] =
                (uint8_t)((b->expected[a] & m) | (b->mem.ram.mem.rw[a] & ~m));
    }
}

static bool check_regs(const struct bench *b, const struct subject *s,
                       uint16_t flags, FILE *tell)
{
    const struct moo_state *after = &s->c->after;
    bool ok = true;

    for (unsigned r = 0; r < MOO_REGS; r++) {
        bool changed = after->present >> r & 1;
        uint16_t mask = r == MOO_FLAGS ? flags : 0xffff;
        uint16_t want = changed ? after->reg[r] : s->c->before.reg[r];
        uint16_t got = get_reg(&b->cpu, r);

        if (((want ^ got) & mask) == 0)
            continue;
        ok = false;
        if (tell)
            fprintf(tell, "    register %u: %04x, not %04x (mask %04x)\n", r,
                    got, want, mask);
    }
    return ok;
}

static bool check_memory(const struct bench *b, FILE *tell)
{
    const uint8_t *ram = b->mem.ram.mem.rw;

    if (memcmp(ram, b->expected, MEMORY) == 0)
        return true;
    for (unsigned i = 0, told = 0; tell && i < MEMORY && told < 8; i++)
        if (ram[i] != b->expected[i] && ++told)
            fprintf(tell, "    byte %05x: %02x, not %02x\n", i, ram[i],
                    b->expected[i]);
    return false;
}

/* After a failure anything may lie anywhere. */
static void wipe(struct bench *b)
{
    memset(b->mem.ram.mem.rw, 0, MEMORY);
    memset(b->expected, 0, MEMORY);
    b->engine->flush(b->engine);
}

static bool run_case(struct bench *b, const struct subject *s, FILE *tell)
{
    const struct moo_case *c = s->c;
    uint16_t flags = rules_flags(s);
    bool ran, ok;

    set_state(b, &c->before);
    for (unsigned i = 0; i < c->before.ram_count; i++)
        set_byte(b, c->before.ram[i]);
    if (rules_same_handler(s))
        share_handler(b);
    if (s->cpu == CPU_80286)
        ran = run_to_halt(b);
    else
        ran = b->jit ? run_one_by_jit(b, s) : run_one(b, s);
    for (unsigned i = 0; i < c->after.ram_count; i++)
        if (c->after.ram[i].at < MEMORY)
            b->expected[c->after.ram[i].at] = c->after.ram[i].value;
    excuse_pushed(b, s, flags);
    if (tell)
        fprintf(tell, "  case %u: %s%s\n", c->index, c->name,
                ran ? "" : " does not end");
    ok = check_regs(b, s, flags, tell) && ran;
    ok = check_memory(b, tell) && ok;
    forget(b, &c->before);
    forget(b, &c->after);
    forget_handler(b);
    if (!ok)
        wipe(b);
    return ok;
}

/* --- files --- */

static struct subject subject_of(const struct bench *b,
                                 const struct moo_case *c,
                                 enum recorded_cpu cpu)
{
    struct subject s = {.c = c, .cpu = cpu};

    s.known = decode(c->code, c->code_size, MODE_CODE16, b->cpu.features,
                     &s.in) == DECODE_OK;
    return s;
}

static void run_subject(struct bench *b, const struct subject *s,
                        const char *path, unsigned *shown)
{
    const struct rule *rule = rules_skip(s);

    if (rule) {
        b->skipped[rule - rules]++;
        return;
    }
    b->flag_bits += s->c->before.reg[MOO_FLAGS] >> 12 != 0;
    if (run_case(b, s, NULL)) {
        b->passed++;
        b->stack_faults += rules_same_handler(s) && b->cpu.exc.vector == EXC_SS;
        return;
    }
    b->failed++;
    if ((*shown)++ < SHOWN_MAX) {
        printf("%s:\n", path);
        run_case(b, s, stdout);
    }
}

static bool find_cpu(const char *name, enum recorded_cpu *cpu)
{
    *cpu = strcmp(name, "C286") == 0 ? CPU_80286 : CPU_8086;
    return *cpu == CPU_80286 || !strcmp(name, "8086") || !strcmp(name, "8088");
}

static bool run_file(struct bench *b, const char *path)
{
    struct moo_file f;
    struct moo_case *c;
    enum recorded_cpu cpu;
    unsigned shown = 0, failed = b->failed;
    bool bad;

    if (!moo_open(&f, path)) {
        printf("%s: not a MOO file\n", path);
        return false;
    }
    if (!find_cpu(f.cpu, &cpu)) {
        printf("%s: recorded on \"%s\", which is not a processor known here\n",
               path, f.cpu);
        moo_close(&f);
        return false;
    }
    physmem_set_a20(&b->mem, cpu == CPU_80286);
    mmu_flush_all(&b->cpu.mmu);
    c = xnew(struct moo_case);
    while (moo_next(&f, c, &bad)) {
        struct subject s = subject_of(b, c, cpu);

        run_subject(b, &s, path, &shown);
    }
    if (bad)
        printf("%s: damaged\n", path);
    if (b->failed != failed)
        printf("%s: %u cases failed\n", path, b->failed - failed);
    free(c);
    moo_close(&f);
    return !bad;
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* Files and folders in the order of their names; false if one failed. */
static bool run_folder(struct bench *b, const char *folder)
{
    struct dirent **names;
    int count = scandir(folder, &names, is_visible, alphasort);
    bool ok = count >= 0;

    if (!ok)
        perror(folder);
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        char path[PATH_MAX];
        bool fits = (unsigned)snprintf(path, sizeof(path), "%s/%s", folder,
                                       name) < sizeof(path);

        if (fits && is_folder(path))
            ok = run_folder(b, path) && ok;
        else if (fits && strstr(name, ".MOO"))
            ok = run_file(b, path) && ok;
        ok = ok && fits;
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    return ok;
}

static void report(const struct bench *b)
{
    unsigned skipped = 0;

    for (unsigned i = 0; rules[i].name; i++) {
        if (b->skipped[i])
            printf("skipped %6u  %s: %s\n", b->skipped[i], rules[i].name,
                   rules[i].why);
        skipped += b->skipped[i];
    }
    printf("adapted %6u  flag-bits: bits 12-15 of FLAGS were fixed\n",
           b->flag_bits);
    if (b->stack_faults)
        printf("adapted %6u  stack-fault: the stack's overruns raised 13\n",
               b->stack_faults);
    if (b->stepped)
        printf("adapted %6u  stepped: no room for HLT after the instruction, "
               "run by the interpreter\n", b->stepped);
    printf("%s: ", b->engine->name);
    printf("passed %u, failed %u, skipped %u\n", b->passed, b->failed, skipped);
}

int main(int argc, char **argv)
{
    struct bench *b = xnew(struct bench);
    bool ok = argc > 1;

    if (!ok)
        printf("usage: vectors [--jit] FOLDER...\n");
    b->jit = ok && !strcmp(argv[1], "--jit");
    if (!bench_init(b))
        return EXIT_FAILURE;
    for (int i = b->jit ? 2 : 1; i < argc; i++)
        ok = run_folder(b, argv[i]) && ok;
    report(b);
    if (b->passed + b->failed == 0)
        printf("no MOO files were found\n");
    ok = ok && b->passed > 0 && b->failed == 0;
    bench_destroy(b);
    free(b);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
