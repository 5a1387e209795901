#ifndef TESTS_UNIT_JIT_CODE_H
#define TESTS_UNIT_JIT_CODE_H

/* Small programs of 64-bit code at BOX_CODE that halt with their result in RBX,
 * for tests of code that changes: pieces of them, and running them in every
 * engine. */

#include "tests/unit/jit/engines.h"

enum {
    PATCH = BOX_CODE + 0x40,    /* an instruction that is patched */
    OTHER = BOX_CODE + 0x1000,  /* a function in another page */
    ALIAS = 0x300000,           /* linear page that leads to OTHER's */
    ALIAS2 = 0x301000,          /* a second one */
    SPARE = 0x200000,           /* a physical page to map elsewhere */
    STRADDLE = BOX_CODE + 0x2ffd, /* an instruction across a page end */
    BEHIND = BOX_CODE + 0x3000, /* the page it ends in */
    DEVICE = 0x3f0000,          /* a register that starts DMA */
    LOOPS = 1000,
};

typedef void program(struct pen *p);

/* --- pieces of code --- */

static inline void mov_byte(struct pen *p, uint32_t to, uint8_t v)
{
    PEN(p, 0xc6, 0x04, 0x25); /* MOV byte [to], v */
    pen_32(p, to);
    PEN(p, v);
}

static inline void mov_ebx(struct pen *p, uint32_t v)
{
    PEN(p, 0xbb);
    pen_32(p, v);
}

static inline void mov_ecx(struct pen *p, uint32_t v)
{
    PEN(p, 0xb9);
    pen_32(p, v);
}

static inline void jump(struct pen *p, uint8_t opcode, paddr to)
{
    PEN(p, opcode);
    pen_32(p, (uint32_t)(to - (p->at + 4)));
}

static inline void call(struct pen *p, paddr to)
{
    jump(p, 0xe8, to);
}

static inline void add_ebx_eax(struct pen *p)
{
    PEN(p, 0x01, 0xc3);
}

static inline void hlt(struct pen *p)
{
    PEN(p, 0xf4);
}

/* MOV EAX, v; RET at `to`. */
static inline void function(struct box *b, paddr to, uint8_t v)
{
    struct pen p = {b, to};

    PEN(&p, 0xb8, v, 0, 0, 0, 0xc3);
}

/* DEC ECX; JNZ start. */
static inline void loop_to(struct pen *p, paddr start)
{
    PEN(p, 0xff, 0xc9, 0x0f, 0x85);
    pen_32(p, (uint32_t)(start - (p->at + 4)));
}

static inline void map_page(struct pen *p, uint32_t la, uint32_t pa)
{
    PEN(p, 0x48, 0xc7, 0x04, 0x25); /* MOV qword [entry], pa | 3 */
    pen_32(p, (uint32_t)(BOX_PT + la / PAGE_SIZE * 8));
    pen_32(p, (uint32_t)box_entry(pa));
}

static inline void invlpg(struct pen *p, uint32_t la)
{
    PEN(p, 0x0f, 0x01, 0x3c, 0x25);
    pen_32(p, la);
}

static inline void reload_cr3(struct pen *p)
{
    PEN(p, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
}

/* --- running --- */

static inline struct box *prepare(program *write, enum engine_kind kind)
{
    struct box *b = engines_box(box_new_long(), kind);
    struct pen p = {b, BOX_CODE};

    engines_enable_sse(&b->cpu);
    b->cpu.gpr[RBX] = 0;
    write(&p);
    return b;
}

static inline void expect(program *write, uint64_t rbx)
{
    for (unsigned k = 0; k < ENGINE_KINDS; k++) {
        struct box *b = prepare(write, (enum engine_kind)k);

        box_run(b);
        ck_assert_msg(b->cpu.gpr[RBX] == rbx, "%s: rbx %#llx, not %#llx",
                      engines_name((enum engine_kind)k),
                      (unsigned long long)b->cpu.gpr[RBX],
                      (unsigned long long)rbx);
        box_free(b);
    }
}

#endif
