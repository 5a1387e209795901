#ifndef JIT_IR_H
#define JIT_IR_H

/*
 * The intermediate representation of one guest block.
 *
 * A block is a straight list of operations (ir.def), each of which may define
 * one value, named by its index.  Guest registers are read with GET and
 * written with PUT; flags with FLAGS, COND and FLAG.  What an instruction
 * changes is written after everything in it that may fault, so at each FAULT
 * operation guest registers are those of the instruction's start and the
 * instruction can simply be executed again by the interpreter.
 *
 * Analysis (ir_analyse) adds what a one-pass code generator needs: the number
 * of uses of each value, where a result should be made (hint), and which flags
 * of a FLAGS are wanted, and by whom.  Flags that only faults look at are not
 * computed at all where a recipe can be given (jit/recipe.h).
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cpu/insn.h"
#include "jit/recipe.h"

enum ir_op {
#define IR(name, args, kind) IR_##name,
#include "jit/ir.def"
#undef IR
    IR_OP_COUNT
};

enum ir_kind { IRK_PURE, IRK_READ, IRK_EFFECT, IRK_FAULT, IRK_END };

typedef uint16_t ir_ref;

enum {
    IR_NONE = 0xffff, /* no value */
    IR_MAX = 1024,    /* operations in a block */
    IR_INSNS = 64,    /* guest instructions in a block */
    IR_PER_INSN = 40, /* no instruction lifts to more */
    IR_NO_HINT = 0xff,
};

struct ir_ins {
    uint8_t op;    /* enum ir_op */
    uint8_t size;
    uint8_t reg;   /* guest register, flag kind, condition, segment */
    uint8_t scale;
    uint8_t insn;  /* guest instruction it belongs to */
    uint8_t slot;  /* LOAD, STORE: L0 slot, or IR_NO_HINT */
    ir_ref arg[3];
    int64_t imm;
    /* From ir_analyse: */
    uint16_t uses;      /* of the value; 0 for a dropped operation */
    uint16_t last;      /* index of the last use; FLAGS: of the last look */
    uint8_t hint;       /* guest register the value is PUT into next */
    uint8_t hint_size;  /* size of that PUT */
    bool fused;         /* FLAGS: computed together with its result */
    bool dead;          /* nobody wants it: emit nothing */
    uint8_t recipe;     /* FLAGS: only faults look: index, or RECIPE_NONE */
    uint16_t need;      /* FLAGS: EFLAGS bits that code of the block tests */
    uint16_t observed;  /* FLAGS: bits seen by faults, helpers and exits */
    uint16_t pass;      /* FLAGS: bits it leaves alone that are wanted later */
};

struct ir_block {
    unsigned count, insn_count;
    struct ir_ins ins[IR_MAX];
    struct insn insn[IR_INSNS];
    uint64_t ip[IR_INSNS + 1]; /* offsets in CS; [insn_count] is the end */
    uint32_t mode;             /* enum cpu_mode */
    uint32_t cs_base, cs_limit;
    unsigned recipe_count; /* from ir_analyse */
    struct ir_recipe recipe[RECIPE_MAX];
};

extern const struct ir_op_info {
    const char *name;
    uint8_t args, kind;
} ir_op_info[IR_OP_COUNT];

/* True if operation op makes the flags of kind as its natural by-product on
 * the host that will run the code. */
typedef bool ir_fuses(enum ir_op op, unsigned flag_kind, unsigned size);

/* Fills in the analysis.  `exit_observed`: EFLAGS bits that may be looked at
 * after the block. */
void ir_analyse(struct ir_block *b, ir_fuses *fuses, uint32_t exit_observed);

void ir_print(const struct ir_block *b, FILE *f);

/* They write RAX and RDX, which they do not name. */
static inline bool ir_divides(const struct insn *in)
{
    return in->id == I_DIV_Eb || in->id == I_DIV_Ev || in->id == I_IDIV_Eb ||
           in->id == I_IDIV_Ev;
}

static inline bool ir_may_fault(const struct ir_ins *i)
{
    return ir_op_info[i->op].kind == IRK_FAULT;
}

#endif
