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

/* frame.xmm_live */
enum { XMM_HOME, XMM_LIVE_SSE, XMM_LIVE_AVX };

/* What generated code counts if jit_options.stats asks it to; C moves it to
 * struct stats. */
enum frame_count {
    FRAME_TLB,       /* accesses by the TLB */
    FRAME_L0,        /* by an L0 slot */
    FRAME_CHAIN,     /* direct exits taken */
    FRAME_JC_LOOKUP, /* indirect jumps */
    FRAME_JC_HIT,
    FRAME_HELPER,    /* calls of C for an instruction */
    FRAME_BODY,      /* of these, of the interpreter's body */
    FRAME_UNMASKED,  /* of those, with MODE_SSE_EXC or _ODD */
    FRAME_COUNTS
};

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
    union vec value;   /* loaded, or to be stored; 32 bytes used */
    uint64_t la;       /* address of the access */
    uint64_t flag[3];  /* r, a, b of jit_flags */
    uint64_t saved;    /* operand of the last flags (jit/recipe.h) */
    uint32_t op;
    uint32_t flag_op;  /* kind | size << 8 */
    uint64_t ret;      /* where C was called from, in code */
    uint64_t exit_from; /* the exit that was taken; 0: not linkable */
    uint64_t host_sp;
    int64_t budget;    /* instructions left, when blocks count */
    uint32_t host_mxcsr;
    uint32_t code_changed; /* translated code was dropped: look up afresh */
    /* Guest MXCSR and XMM registers are in the host's; or all of YMM. */
    uint32_t xmm_live;
    uint32_t x87_live; /* the guest's x87 state is in the host's x87 */
    uint32_t x87_seg;  /* segment that FDS is to be of, or SEG_NONE */
    uint32_t unmasked; /* SSE exceptions that the guest has unmasked */
    /* The host's MXCSR before the last instruction that was looked at, and
     * after it; and what that instruction wrote to, as it was. */
    uint32_t mxcsr_now, mxcsr_new;
    uint64_t undo[4];
    struct { /* 32 bytes of each are a vector register's */
        uint64_t index[4], mask[4], loaded[4];
    } gather;
    uint64_t x87_ip;   /* what FIP, FCS and FOP follow from (x86_64/x87.c) */
    uint64_t spill[FRAME_SPILLS];
    uint64_t counted[FRAME_COUNTS];
};

_Static_assert(sizeof(struct jit_frame) <= CPU_SCRATCH, "frame too large");

static inline struct jit_frame *jit_frame(struct cpu *cpu)
{
    return (struct jit_frame *)(void *)cpu->scratch;
}

#endif
