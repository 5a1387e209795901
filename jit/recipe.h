#ifndef JIT_RECIPE_H
#define JIT_RECIPE_H

/*
 * Flags that only a fault would look at, made from registers when it happens.
 *
 * After ADD EAX, EBX and before the next instruction that sets flags, a memory
 * access may fault, and then the flags must be exact.  As long as EBX and the
 * sum in EAX are still there, nothing has to be kept: the recipe says where two
 * of (result, a, b) are at every such access, and C makes the flags of them.
 * One operand that does not stay anywhere is saved in frame.saved before the
 * operation: one store, where keeping the flags costs three instructions.
 */

#include <stdint.h>

#include "cpu/cpu.h"

struct ir_block;

enum {
    RECIPE_MAX = 32,     /* in a block */
    RECIPE_NONE = 0xff,
    RECIPE_IMM = 0xfe,   /* the operand is imm */
    RECIPE_DERIVE = 0xfd, /* the operand follows from the others */
    RECIPE_SAVED = 0xfc, /* the operand is in frame.saved */
};

struct ir_recipe {
    uint8_t kind; /* enum flag_kind */
    uint8_t size; /* in bytes */
    uint8_t result, a, b; /* guest register, or as above; of MUL and IMUL: a
                             and b are the factors */
    int64_t imm;
};

/* Writes a recipe for the FLAGS at `at` whose flags are looked at by faults
 * only, the last of them at `last`; false if its operands do not live that
 * long, or it is of a kind that needs more. */
bool recipe_find(const struct ir_block *b, unsigned at, unsigned last,
                 struct ir_recipe *r);

/* The value that must be saved before the operation whose flags the FLAGS f
 * are, or IR_NONE. */
uint16_t recipe_saves(const struct ir_block *b, unsigned f);

/* cpu->aflags by the recipe; guest registers must be home. */
void recipe_apply(struct cpu *cpu, const struct ir_recipe *r, uint64_t saved);

#endif
