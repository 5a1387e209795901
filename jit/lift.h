#ifndef JIT_LIFT_H
#define JIT_LIFT_H

/* Guest instructions -> IR: the dialect with nodes for values. */

#include "jit/ir.h"

struct lift_options {
    /* Does the backend re-encode this vector or x87 instruction? */
    bool (*native)(const struct insn *in, uint32_t mode,
                   const struct feature_set *host);
    const struct feature_set *host;
    uint64_t by_helper; /* bit k: instruction k of the block goes to C */
};

/* Appends in, at offset ip in CS, as the block's next instruction.  Returns
 * true if the block must end after it (an END operation was emitted then). */
bool lift_insn(struct ir_block *b, const struct insn *in, uint64_t ip,
               const struct lift_options *opt);

/* Ends a block that ran out of room: jumps to the offset after it. */
void lift_end(struct ir_block *b);

#endif
