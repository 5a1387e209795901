#ifndef TESTS_UNIT_JIT_ENGINES_H
#define TESTS_UNIT_JIT_ENGINES_H

/*
 * A box (tests/unit/cpu/box.h) under either engine, and a pen that writes
 * guest code into it.
 */

#include "jit/jit.h"
#include "tests/unit/cpu/box.h"

enum engine_kind { BY_INTERP, BY_JIT, ENGINE_KINDS };

/* Gives the box the JIT; code_size as in struct jit_options. */
static inline struct box *engines_jit(struct box *b, uint32_t code_size)
{
    const struct jit_options options = {.count = true, .code_size = code_size};
    struct engine *jit = jit_new(&b->cpu, &options);

    ck_assert_ptr_nonnull(jit);
    b->engine->destroy(b->engine);
    b->engine = jit;
    return b;
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
