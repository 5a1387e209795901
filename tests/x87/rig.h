#ifndef TESTS_X87_RIG_H
#define TESTS_X87_RIG_H

/*
 * A few instructions that use the x87's registers, run by our bodies and by
 * the host's processor on the same state.
 *
 * The state goes in by FXRSTOR and comes out by FXSAVE on both sides, ours
 * too.  Compared are the images (all registers in 80 bits, control and status
 * word with C0..C3 and TOP, tags), memory, RAX to R10, the arithmetic flags,
 * and which instruction took #MF, if one did.
 *
 * Code and memory are at the same addresses on both sides, so that the pointers
 * which FNSTENV and FNSAVE store are compared too.  Only those of FXSAVE are
 * not: AMD's processors store them if an exception is pending, and zeros
 * otherwise (APM vol. 5, FXSAVE).
 */

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/ops.h"
#include "tests/unit/cpu/fpu_operands.h"
#include "tests/x87/host.h"

enum {
    RIG_BLOCK = 6,  /* instructions at most */
    RIG_CODE = 160, /* bytes of code, our own included */
    RIG_MEMORY = 128,
    RIG_ENGINES = 2,
    FX_SIZE = 512,
    FX_ST = 32,
    FX_STRIDE = 16, /* a register in the image */
};

struct world;

struct rig {
    struct cpu cpu; /* in 64-bit mode, addresses are offsets in RAM */
    struct physmem pm;
    struct stats stats;
    jmp_buf unwind;
    uint8_t *code, *memory; /* the host's */
    struct random random;

    /* The case. */
    struct insn in[RIG_BLOCK];
    unsigned count;
    unsigned start[RIG_BLOCK + 1]; /* offsets in the code */
    struct host_state host;
    uint8_t before[RIG_MEMORY];
    unsigned offset; /* of the memory operand */
    uint32_t flags;  /* EFLAGS before */

    /* What became of it. */
    uint8_t ours[FX_SIZE];          /* FXSAVE image after */
    int ours_trapped, host_trapped; /* index of an instruction, or -1 */
    struct fpu fpu, after;          /* ours, before and after */

    /* The transcendental instructions without help of the host's x87: then C1
     * is not compared, and registers may be one unit in the last place off. */
    bool portable;
    unsigned long unequal; /* registers that are */

    /* Engines that must end in the state in which the bodies end, by name. */
    struct {
        const char *name;
        struct world *world;
    } engine[RIG_ENGINES];

    unsigned long faults; /* cases that ended with an exception pending */
    unsigned long traps;  /* cases that took #MF */
};

/* Ends the program if the host refuses. */
struct rig *rig_new(uint64_t seed);
void rig_free(struct rig *r);

/* A body of x87.def, 3dnow.def, or an MMX row of vector.def; NULL of other
 * rows. */
cpu_op *rig_body(unsigned id);

/* False if the bytes are no instruction. */
bool rig_decode(const struct rig *r, const uint8_t bytes[16], struct insn *in);

bool rig_is_function(unsigned id); /* transcendental? */
bool rig_is_3dnow(unsigned id);

/* Ends the program with a message unless `holds`. */
void rig_require(bool holds, const char *what);

/* --- state.c: the case --- */

/* One instruction of the row, in a random state. */
void rig_make(struct rig *r, unsigned id);
/* Some instructions of x87 and MMX rows; 3DNow! too if there are engines, as
 * the host does not take part in those cases. */
void rig_make_block(struct rig *r);

/* --- rig.c --- */

/* Runs the case on both sides, and by the engines: the name of the first thing
 * that differs, or NULL. */
const char *rig_run(struct rig *r);
void rig_print(const struct rig *r, const char *what);

#endif
