#ifndef JIT_DUMP_H
#define JIT_DUMP_H

/* Listings of what was translated: -d in_asm, op, out_asm. */

#include "jit/backend.h"
#include "jit/ir.h"

void jit_dump(const struct ir_block *b, const struct jit_out *out);

#endif
