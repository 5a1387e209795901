#ifndef JIT_BACKEND_H
#define JIT_BACKEND_H

/*
 * A host.  Everything that the rest of the JIT knows about the machine it
 * generates code for is in this struct.
 *
 * Code is written through one mapping (rw) and runs in another (rx) at the
 * same offsets.  At block boundaries guest state has a canonical place that is
 * the backend's own: mapped registers in host registers, the rest in struct
 * cpu, arithmetic flags in cpu->aflags.  When C runs, all of it is in struct
 * cpu, but for XMM registers while frame.xmm_live is set.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jit/ir.h"

struct cpu;

/* Why jit_backend.enter came back. */
enum jit_exit {
    JIT_EXIT,  /* cpu->rip is next; frame.exit_from may be linked */
    JIT_BAIL,  /* the instruction called from frame.ret must be interpreted */
    JIT_STOP,  /* cpu->rip is next; cpu->stop or the budget asks */
};

/* Offsets in the code buffer of code that blocks share. */
struct jit_thunks {
    uint32_t enter, exit, stop, bail, helper, access, flags, load_xmm,
        load_ymm, load_x87;
    uint32_t size;
    struct feature_set host; /* what the host's CPU has, by the guest's names */
};

/* A place where a block leaves for a known address. */
struct jit_exit_site {
    uint64_t ip;       /* offset in CS */
    uint32_t jump;     /* offset of what link changes */
    uint32_t guard;    /* offset of the page guard's link, 0: same page */
    uint32_t stub;     /* where an unlinked exit goes */
    uint32_t from;     /* frame.exit_from that it reports */
};

/* A call to C, by the address it returns to. */
struct jit_call_site {
    uint32_t at;
    uint16_t insn;   /* index in the block */
    uint16_t recipe; /* the flags if it bails: index, or RECIPE_NONE */
};

enum { JIT_MAX_EXITS = 2 + IR_INSNS, JIT_MAX_CALLS = 2 * IR_INSNS + 64 };

/* One block being emitted. */
struct jit_out {
    uint8_t *rw;          /* start of the code buffer, writable */
    const uint8_t *rx;    /* the same, executable */
    size_t at, end;       /* room for this block */
    const struct jit_thunks *thunks;
    const struct insn *insn; /* of the block; if it has helpers, copies that
                                live as long as the block */
    void *work;           /* work_size bytes for the backend, zero at first */
    bool count;           /* subtract from frame.budget */
    bool stats;           /* add to frame.counted */
    uint64_t straddle_link; /* tlb_link of the block's second page, or 0 */
    uint64_t straddle_la;
    /* Results. */
    size_t size;
    int failed_insn; /* when emit fails: the instruction that is too complex
                        for it, or -1: no room */
    unsigned exit_count, call_count;
    struct jit_exit_site exit[JIT_MAX_EXITS];
    struct jit_call_site call[JIT_MAX_CALLS];
};

struct jit_backend {
    const char *name;
    size_t work_size;
    ir_fuses *fuses;
    bool (*native)(const struct insn *in, uint32_t mode,
                   const struct feature_set *host);
    /* Writes the shared code at the start of the buffer; false: no room. */
    bool (*emit_thunks)(struct jit_out *out, struct jit_thunks *t);
    /* False: no room, nothing of it is used. */
    bool (*emit)(const struct ir_block *b, struct jit_out *out);
    /* Makes an exit go to target (an offset), through the guard if it has
     * one; link is tlb_link of the target's page. */
    void (*link)(uint8_t *rw, const struct jit_exit_site *e, size_t target,
                 uint64_t link);
    void (*unlink)(uint8_t *rw, const struct jit_exit_site *e);
    enum jit_exit (*enter)(const uint8_t *rx, const struct jit_thunks *t,
                           struct cpu *cpu, size_t block);
};

/* The backend for this host, or NULL. */
const struct jit_backend *jit_backend_host(void);

/* --- C that generated code calls --- */

/* Does frame.op.  False: the instruction must be interpreted. */
bool jit_access(struct cpu *cpu);
/* aflags from frame.flag and frame.flag_op. */
void jit_flags(struct cpu *cpu);
/* A whole instruction by the interpreter's body. */
void jit_body(struct cpu *cpu, const struct insn *in);

#endif
