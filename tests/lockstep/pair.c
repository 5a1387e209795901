#include "tests/lockstep/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "base/state.h"
#include "machine/run.h"

/* --- the serial port --- */

static void console_byte(struct console *c, uint8_t byte)
{
    c->bytes++;
    c->hash = (c->hash ^ byte) * 0x100000001b3;
    if (byte == '\n') {
        memcpy(c->last, c->line, sizeof(c->last));
        c->length = 0;
    } else if (byte >= ' ' && byte < 127 && c->length < CONSOLE_LINE) {
        c->line[c->length++] = (char)byte;
        c->line[c->length] = '\0';
    }
}

static void console_write(struct chardev *chr, const uint8_t *data, size_t size)
{
    struct console *c = container_of(chr, struct console, chr);

    for (size_t i = 0; i < size; i++)
        console_byte(c, data[i]);
}

/* --- one machine --- */

static void hold_intr(void *owner, unsigned pin, bool level)
{
    struct side *s = owner;

    s->intr = level;
    if (!level)
        cpu_set_intr(&s->pc.cpu, pin, false);
}

static bool side_config(struct side *s, const struct pair_options *opt,
                        char error[PC_ERROR])
{
    char *argv[] = {
        "lockstep",           "-accel",  (char *)s->name,
        "-icount",            "-no-reboot", "-nographic",
        "-serial",            "null",    "-rtc",
        "base=2026-01-01T00:00:00",      "-m",
        (char *)opt->memory,  "-kernel", (char *)opt->kernel,
        "-append",            (char *)opt->append,
        "-initrd",            (char *)opt->initrd,
        NULL,
    };
    int argc = (int)array_len(argv) - (opt->initrd ? 1 : 3);

    return config_parse(&s->cfg, argc, argv, stdout, error) == CONFIG_RUN;
}

static bool side_init(struct side *s, const char *engine,
                      const struct pair_options *opt, char error[PC_ERROR])
{
    struct pc_host host = {.com1 = &s->console.chr};

    s->name = engine;
    s->console.chr = (struct chardev){.name = "com1", .write = console_write};
    if (!side_config(s, opt, error) ||
        !pc_init(&s->pc, &s->cfg, &host, error))
        return false;
    s->pc.lapic.w.intr = (struct line){hold_intr, s, 0};
    if (run_start(&s->pc, error))
        return true;
    pc_destroy(&s->pc);
    return false;
}

/* What an engine may leave behind: the shadow of an instruction that has been
 * passed means nothing. */
static void forget_shadow(struct cpu *cpu)
{
    if (cpu->shadow && cpu->shadow_rip == cpu->rip)
        return;
    cpu->shadow = cpu->shadow_db = false;
    cpu->shadow_rip = 0;
}

/* --- both --- */

struct pair *pair_new(const struct pair_options *opt, char error[PC_ERROR])
{
    struct pair *p = xnew(struct pair);

    p->opt = opt;
    p->random = opt->seed | 1;
    if (!side_init(&p->jit, "jit", opt, error)) {
        free(p);
        return NULL;
    }
    if (side_init(&p->interp, "interp", opt, error))
        return p;
    pc_destroy(&p->jit.pc);
    free(p);
    return NULL;
}

void pair_free(struct pair *p)
{
    pc_destroy(&p->jit.pc);
    pc_destroy(&p->interp.pc);
    free(p);
}

uint64_t pair_next_length(struct pair *p)
{
    if (!p->opt->fine)
        return p->opt->slice;
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return 1 + p->random % PAIR_BLOCK;
}

/* A request to stop may leave some for a second try. */
static bool run_exactly(struct side *s, uint64_t n)
{
    uint64_t end = run_insns(&s->pc) + n;

    for (unsigned tries = 0; tries < 4 && run_insns(&s->pc) < end; tries++)
        run_slice(&s->pc, end - run_insns(&s->pc));
    return run_insns(&s->pc) == end;
}

bool pair_run(struct pair *p, uint64_t n)
{
    uint64_t before = run_insns(&p->jit.pc);
    bool same;

    run_slice(&p->jit.pc, n);
    n = run_insns(&p->jit.pc) - before;
    same = run_exactly(&p->interp, n);
    p->insns += n;
    p->slices++;
    forget_shadow(&p->jit.pc.cpu);
    forget_shadow(&p->interp.pc.cpu);
    return same;
}

/* The reason to stop is read from the CPU: an engine whose budget ends with
 * HLT does not tell of it. */
static bool side_finish(struct side *s, char error[PC_ERROR])
{
    struct pc *pc = &s->pc;
    int exit_code = 0;
    enum stop_reason reason = pc->cpu.shutdown           ? STOP_SHUTDOWN
                              : pc->cpu.halted && !s->intr ? STOP_HALT
                                                         : STOP_BUDGET;
    bool goes_on = run_finish(pc, reason, &exit_code, error);

    if (!goes_on && !error[0])
        snprintf(error, PC_ERROR, "The guest ended with exit code %d.",
                 exit_code);
    cpu_set_intr(&pc->cpu, 0, s->intr);
    return goes_on;
}

void pair_finish(struct pair *p)
{
    bool first = side_finish(&p->jit, p->why);
    bool second = side_finish(&p->interp, p->why);

    p->ended = !first || !second;
}

void pair_replay(struct pair *p, uint64_t slices)
{
    while (p->slices < slices && !p->ended) {
        pair_run(p, pair_next_length(p));
        pair_finish(p);
    }
}

/* --- comparing --- */

const char *pair_compare_cpu(struct pair *p)
{
    return state_compare(cpu_state, &p->jit.pc.cpu, &p->interp.pc.cpu);
}

static const char *compare_devices(struct pair *p)
{
    for (unsigned i = 0; i < p->jit.pc.part_count; i++) {
        struct device *a = p->jit.pc.parts[i], *b = p->interp.pc.parts[i];

        if (a->cls->state && state_compare(a->cls->state, a, b))
            return a->cls->name;
    }
    return NULL;
}

const char *pair_compare_all(struct pair *p)
{
    const struct ram *a = &p->jit.pc.mem.ram, *b = &p->interp.pc.mem.ram;
    const char *what = pair_compare_cpu(p);

    if (what)
        return what;
    if (memcmp(a->mem.rw, b->mem.rw, a->size))
        return "memory";
    if (p->jit.console.hash != p->interp.console.hash ||
        p->jit.console.bytes != p->interp.console.bytes)
        return "serial output";
    return compare_devices(p);
}
