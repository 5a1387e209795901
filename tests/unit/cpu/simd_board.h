#ifndef TESTS_UNIT_CPU_SIMD_BOARD_H
#define TESTS_UNIT_CPU_SIMD_BOARD_H

/*
 * A processor in 64-bit mode with 1 MiB of RAM and no page tables: addresses
 * are offsets in RAM.  simd_exec runs one MMX or SSE instruction on it, as an
 * engine would.
 */

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/decode.h"
#include "cpu/fpu.h"
#include "cpu/ops.h"
#include "tests/unit/suite.h"

enum { SIMD_RAM = 1 << 20, SIMD_DONE = -1, SIMD_NO_INSN = -2 };

struct simd_board {
    struct cpu cpu;
    struct physmem pm;
    struct stats stats;
    jmp_buf unwind;
};

/* By row; NULL for those of other files than vector.def. */
static cpu_op *const simd_bodies[INSN_COUNT] = {
#define INSN(id, map, code, ext, pfx, name, o0, o1, o2, o3, flags, attrs, \
             feature, body)                                               \
    [I_##id] = op_##body,
#include "cpu/isa/vector.def"
#undef INSN
};

static inline struct simd_board *simd_board_new(void)
{
    const size_t align = __alignof__(struct simd_board);
    size_t size = (sizeof(struct simd_board) + align - 1) / align * align;
    struct simd_board *b = aligned_alloc(align, size);

    ck_assert_ptr_nonnull(b);
    memset(b, 0, size);
    ck_assert(physmem_init(&b->pm, SIMD_RAM));
    ck_assert(physmem_add_block(&b->pm, "ram", 0, SIMD_RAM, 0, BLOCK_RAM));
    mmu_init(&b->cpu.mmu, &b->pm, &b->stats);
    b->cpu.stats = &b->stats;
    b->cpu.features = FEATURE_SET_ALL;
    b->cpu.mode = MODE_CODE64 | MODE_PE;
    b->cpu.cr0 = CR0_PE | CR0_NE;
    b->cpu.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    b->cpu.efer = EFER_LME | EFER_LMA;
    b->cpu.seg[CS].attr = ATTR_P | ATTR_S | ATTR_CODE | ATTR_RW | ATTR_L;
    b->cpu.eflags = FLAG_1;
    b->cpu.mxcsr = 0x1f80;
    b->cpu.fpu.cw = 0x37f;
    b->cpu.delivering = -1;
    return b;
}

static inline void simd_board_free(struct simd_board *b)
{
    mmu_destroy(&b->cpu.mmu);
    physmem_destroy(&b->pm);
    free(b);
}

static inline uint8_t *simd_ram(const struct simd_board *b, unsigned at)
{
    return b->pm.ram.mem.rw + at;
}

/* SIMD_DONE, or the vector of the exception that it raised. */
static inline int simd_run(struct simd_board *b, const struct insn *in)
{
    b->cpu.unwind = &b->unwind;
    b->cpu.insn_rsp = b->cpu.gpr[RSP];
    b->cpu.next_rip = b->cpu.rip + in->len;
    if (setjmp(b->unwind))
        return b->cpu.exc.vector;
    cpu_check_fpu(&b->cpu, in);
    simd_bodies[in->id](&b->cpu, in);
    return SIMD_DONE;
}

static inline int simd_exec(struct simd_board *b, const uint8_t *bytes,
                            size_t size)
{
    struct insn in;

    if (decode(bytes, size, b->cpu.mode, b->cpu.features, &in) != DECODE_OK)
        return SIMD_NO_INSN;
    return simd_bodies[in.id] ? simd_run(b, &in) : SIMD_NO_INSN;
}

/* EXEC(b, 0x0f, 0x77) */
#define EXEC(b, ...)                             \
    simd_exec(b, (const uint8_t[]){__VA_ARGS__}, \
              sizeof((const uint8_t[]){__VA_ARGS__}))

#endif
