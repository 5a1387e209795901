#ifndef CPU_OPS_H
#define CPU_OPS_H

/* The operations of the ops*.def files. */

#include "cpu/cpu.h"
#include "cpu/insn.h"

typedef void cpu_op(struct cpu *cpu, const struct insn *in);

#define OP(name) cpu_op op_##name;
#include "cpu/ops.def"
#include "cpu/ops_simd.def"
#include "cpu/ops_x87.def"
#undef OP

#endif
