#ifndef TESTS_UNIT_CPU_FPU_BOARD_H
#define TESTS_UNIT_CPU_FPU_BOARD_H

/*
 * x87 instructions on the board of simd_board.h, run as an engine would.
 */

#include "cpu/fpu_run.h"
#include "tests/unit/cpu/simd_board.h"

/* By row; NULL for those of other files than x87.def. */
static cpu_op *const fpu_bodies[INSN_COUNT] = {
#define INSN(id, map, code, ext, pfx, name, o0, o1, o2, o3, flags, attrs, \
             feature, body)                                               \
    [I_##id] = op_##body,
#include "cpu/isa/x87.def"
#undef INSN
};

/* SIMD_DONE, or the vector of the exception that it raised. */
static inline int fpu_run(struct simd_board *b, const struct insn *in)
{
    b->cpu.unwind = &b->unwind;
    b->cpu.insn_rsp = b->cpu.gpr[RSP];
    b->cpu.next_rip = b->cpu.rip + in->len;
    if (setjmp(b->unwind))
        return b->cpu.exc.vector;
    if (insn_info[in->id].attrs & A_FPU)
        cpu_check_fpu(&b->cpu, in);
    fpu_bodies[in->id](&b->cpu, in);
    return SIMD_DONE;
}

static inline int fpu_exec(struct simd_board *b, const uint8_t *bytes,
                           size_t size)
{
    struct insn in;

    if (decode(bytes, size, b->cpu.mode, b->cpu.features, &in) != DECODE_OK)
        return SIMD_NO_INSN;
    return fpu_bodies[in.id] ? fpu_run(b, &in) : SIMD_NO_INSN;
}

/* RUN(b, 0xd9, 0xe8) */
#define RUN(b, ...)                             \
    fpu_exec(b, (const uint8_t[]){__VA_ARGS__}, \
             sizeof((const uint8_t[]){__VA_ARGS__}))

#endif
