#ifndef MACHINE_RUN_H
#define MACHINE_RUN_H

/*
 * The loop of a machine: CPU, clock, messages, wishes.
 *
 * Paced by the host, the CPU runs without a bound; an alarm stops it when the
 * next timer is due, and HLT sleeps until then.  In deterministic time it runs
 * in slices of at most RUN_SLICE instructions, each of which is RUN_NS_PER_INSN
 * long, and HLT moves the clock to the next timer.
 */

#include <stdbool.h>
#include <stdint.h>

#include "machine/pc.h"

enum { RUN_SLICE = 256, RUN_NS_PER_INSN = 10 };

enum run_exit {
    RUN_OFF = 0,     /* powered off, or reset with -no-reboot */
    RUN_SET_UP = 1,  /* could not be started */
    RUN_CRASHED = 2, /* triple fault with -no-reboot */
    RUN_INTERNAL = 3,
};

/* Power on.  False with a sentence if there is nothing to run. */
bool run_start(struct pc *pc, char error[PC_ERROR]);

/* One turn, the CPU for at most `budget` instructions (and the rest of a
 * block).  False when the machine is done: *exit_code is what the process
 * should end with, and error has a sentence or is empty. */
bool run_turn(struct pc *pc, uint64_t budget, int *exit_code,
              char error[PC_ERROR]);

/* The two halves of a turn, for who needs to look between them; deterministic
 * time only.  run_slice runs the CPU for `budget` instructions exactly, or
 * fewer: until the next timer is due as of now, or for another reason to stop;
 * the clock then has moved by what was run, but no timer has fired.  run_finish
 * is the rest of the turn, and returns as run_turn does. */
enum stop_reason run_slice(struct pc *pc, uint64_t budget);
bool run_finish(struct pc *pc, enum stop_reason reason, int *exit_code,
                char error[PC_ERROR]);

/* Instructions since the machine was made.  Deterministic time only. */
uint64_t run_insns(const struct pc *pc);

/* Power on, and turns until the machine is done.  Returns the exit code. */
int run_machine(struct pc *pc, char error[PC_ERROR]);

#endif
