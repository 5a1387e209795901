#ifndef TESTS_UNIT_JIT_ENGINES_H
#define TESTS_UNIT_JIT_ENGINES_H

/*
 * A box (tests/unit/cpu/box.h) under either engine, in what two boxes differ,
 * and a pen that writes guest code into one.
 */

#include <stdio.h>

#include "jit/jit.h"
#include "tests/unit/cpu/box.h"

enum engine_kind { BY_INTERP, BY_JIT, ENGINE_KINDS };

/* Gives the box the JIT. */
static inline struct box *engines_jit_with(struct box *b,
                                           const struct jit_options *options)
{
    struct engine *jit = jit_new(&b->cpu, options);

    ck_assert_ptr_nonnull(jit);
    b->engine->destroy(b->engine);
    b->engine = jit;
    return b;
}

/* code_size as in struct jit_options. */
static inline struct box *engines_jit(struct box *b, uint32_t code_size)
{
    const struct jit_options options = {.count = true, .code_size = code_size};

    return engines_jit_with(b, &options);
}

static inline struct box *engines_box(struct box *b, enum engine_kind kind)
{
    return kind == BY_JIT ? engines_jit(b, 0) : b;
}

static inline const char *engines_name(enum engine_kind kind)
{
    return kind == BY_JIT ? "jit" : "interp";
}

/* SSE may be used, its exceptions are #XM. */
static inline void engines_enable_sse(struct cpu *cpu)
{
    cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    ck_assert(cpu_state_loaded(cpu));
}

/* The name of the first thing that differs, or NULL. */
static inline const char *engines_difference(struct box *a, struct box *b)
{
    if (a->cpu.rip != b->cpu.rip)
        return "rip";
    if (memcmp(a->cpu.gpr, b->cpu.gpr, sizeof(a->cpu.gpr)))
        return "gpr";
    if (cpu_eflags(&a->cpu) != cpu_eflags(&b->cpu))
        return "eflags";
    if (memcmp(a->cpu.xmm, b->cpu.xmm, sizeof(a->cpu.xmm)))
        return "xmm";
    if (a->cpu.mxcsr != b->cpu.mxcsr)
        return "mxcsr";
    if (memcmp(&a->cpu.fpu, &b->cpu.fpu, sizeof(a->cpu.fpu)))
        return "x87";
    if (memcmp(box_at(a, 0), box_at(b, 0), BOX_RAM))
        return "memory";
    return NULL;
}

/* The first bytes that differ. */
static inline void engines_print_memory(struct box *interp, struct box *jit)
{
    for (unsigned at = 0, shown = 0; at < BOX_RAM && shown < 16; at++) {
        const uint8_t *a = box_at(interp, at), *b = box_at(jit, at);

        if (*a == *b)
            continue;
        printf("memory %x: interp %02x jit %02x\n", at, *a, *b);
        shown++;
    }
}

struct pen {
    struct box *box;
    paddr at;
};

static inline void pen_bytes(struct pen *p, const uint8_t *bytes, size_t n)
{
    memcpy(box_at(p->box, p->at), bytes, n);
    p->at += n;
}

#define PEN(p, ...)                                    \
    pen_bytes((p), (const uint8_t[]){__VA_ARGS__},     \
              sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void pen_32(struct pen *p, uint32_t v)
{
    store32(box_at(p->box, p->at), v);
    p->at += 4;
}

static inline void pen_64(struct pen *p, uint64_t v)
{
    store64(box_at(p->box, p->at), v);
    p->at += 8;
}

/* NOPs up to address `to`. */
static inline void pen_pad(struct pen *p, paddr to)
{
    ck_assert_uint_le(p->at, to);
    memset(box_at(p->box, p->at), 0x90, to - p->at);
    p->at = to;
}

#endif
