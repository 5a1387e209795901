#ifndef TESTS_LOCKSTEP_PAIR_H
#define TESTS_LOCKSTEP_PAIR_H

/*
 * Two machines that are alike but for their engine, run side by side in
 * deterministic time.
 *
 * A slice is run by the JIT first; the interpreter then runs as many
 * instructions.  Only between slices does time pass, does a timer fire and does
 * INTR rise: a device that asks for an interrupt in the middle of a slice is
 * heard at its end.  (Left alone, each engine would look at INTR at the end of
 * its own blocks, which is both right and not the same.)
 *
 * So the course of a pair depends on nothing but the sequence of slices, and
 * another pair can be brought to the same point.
 */

#include <stdbool.h>
#include <stdint.h>

#include "machine/config.h"
#include "machine/pc.h"

struct pair_options {
    const char *kernel, *initrd, *append, *memory;
    uint64_t slice; /* instructions in a slice */
    bool fine;      /* slices of 1 to PAIR_BLOCK instructions instead */
    uint64_t seed;  /* of their lengths */
};

enum { PAIR_BLOCK = 32, CONSOLE_LINE = 72 };

/* What a guest says on its serial port. */
struct console {
    struct chardev chr;
    uint64_t bytes, hash;
    char line[CONSOLE_LINE + 1], last[CONSOLE_LINE + 1];
    unsigned length;
};

struct side {
    const char *name;
    struct config cfg;
    struct console console;
    struct pc pc;
    bool intr; /* INTR as the local APIC has it */
};

struct pair {
    const struct pair_options *opt;
    struct side jit, interp;
    uint64_t insns, slices;
    uint64_t random;
    bool ended; /* the guest is done */
    char why[PC_ERROR];
};

/* NULL with a sentence in error. */
struct pair *pair_new(const struct pair_options *opt, char error[PC_ERROR]);
void pair_free(struct pair *p);

/* The length that the next slice has. */
uint64_t pair_next_length(struct pair *p);

/* Runs both CPUs for at most n instructions.  False if the interpreter could
 * not run as many as the JIT. */
bool pair_run(struct pair *p, uint64_t n);

/* What lies between two slices: timers, interrupts, HLT. */
void pair_finish(struct pair *p);

/* Brings a new pair to the end of slice number `slices`, comparing nothing. */
void pair_replay(struct pair *p, uint64_t slices);

/* The name of the first part of the processors' state that differs; NULL: none
 * does. */
const char *pair_compare_cpu(struct pair *p);
/* Likewise, with all RAM and the state of every device. */
const char *pair_compare_all(struct pair *p);

#endif
