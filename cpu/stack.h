#ifndef CPU_STACK_H
#define CPU_STACK_H

/*
 * A frame about to be pushed: collected first, then checked as a whole,
 * written, and only then is the stack pointer moved.
 *
 * So delivery of an interrupt or a call through a gate that faults half-way
 * has changed nothing, as on hardware.  Every item has the same size.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/fault.h"
#include "cpu/segment.h"

enum { STACK_FRAME_MAX = 40 }; /* call gate: 31 parameters and 4 */

struct stack {
    struct segment ss;
    bool wide;       /* 64-bit code runs on it: no limit, no base */
    uint64_t top;    /* stack pointer before the frame, all of it */
    uint64_t mask;   /* the bits of it that count */
    unsigned cpl;    /* who uses it */
    uint32_t error;  /* of #SS if the frame does not fit */
    unsigned size;   /* of an item: 2, 4 or 8 */
    unsigned count;
    uint64_t item[STACK_FRAME_MAX];
};

/* The current stack; a frame that does not fit is #SS(0). */
void stack_begin(struct stack *st, const struct cpu *cpu, unsigned size);
/* Another one, for code at cpl; ss is null for 64-bit mode.  #SS names its
 * selector. */
void stack_begin_new(struct stack *st, const struct cpu *cpu,
                     const struct descriptor *ss, uint64_t sp, unsigned cpl,
                     unsigned size);
void stack_push(struct stack *st, uint64_t value);

/* Raises #SS if the segment has no room for the frame. */
void stack_check(struct cpu *cpu, const struct stack *st);
/* Writes the frame, which stack_check has passed, or raises #PF having written
 * nothing.  Registers stay as they are. */
void stack_write(struct cpu *cpu, const struct stack *st);
/* RSP below the frame.  SS and the mode may have changed already. */
void stack_commit(struct cpu *cpu, const struct stack *st);

/* Item i of `size` bytes from the top of the current stack; raises #SS(0) or
 * #PF. */
uint64_t stack_peek(struct cpu *cpu, unsigned i, unsigned size);
/* RSP past n bytes of the current stack. */
void stack_drop(struct cpu *cpu, uint64_t n);

#endif
