#ifndef JIT_FRAME_H
#define JIT_FRAME_H

/*
 * What generated code and C tell each other, in cpu->scratch.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "cpu/cpu.h"

enum { FRAME_SPILLS = 16 };

/* frame.op: a memory access that left the fast path. */
enum {
    FRAME_SIZE = 0xff,
    FRAME_SLOT_SHIFT = 8, /* L0 slot, or FRAME_NO_SLOT */
    FRAME_NO_SLOT = 0xff,
    FRAME_WRITE = 1 << 16,
    FRAME_RMW = 1 << 17,   /* wants the host address in value.u64[0] */
    FRAME_ALIGN = 1 << 18, /* must be aligned to its size */
};

struct jit_frame {
    union vec value;   /* loaded, or to be stored; 16 bytes used */
    uint64_t la;       /* address of the access */
    uint64_t flag[3];  /* r, a, b of jit_flags */
    uint32_t op;
    uint32_t flag_op;  /* kind | size << 8 */
    uint64_t ret;      /* where C was called from, in code */
    uint64_t exit_from; /* the exit that was taken; 0: not linkable */
    uint64_t host_sp;
    int64_t budget;    /* instructions left, when blocks count */
    uint32_t host_mxcsr;
    uint32_t code_changed; /* translated code was dropped: look up afresh */
    uint32_t xmm_live; /* guest XMM and MXCSR are in the host's registers */
    uint32_t x87_live; /* the guest's x87 state is in the host's x87 */
    uint64_t spill[FRAME_SPILLS];
};

_Static_assert(sizeof(struct jit_frame) <= CPU_SCRATCH, "frame too large");

static inline struct jit_frame *jit_frame(struct cpu *cpu)
{
    return (struct jit_frame *)(void *)cpu->scratch;
}

#endif
