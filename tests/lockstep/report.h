#ifndef TESTS_LOCKSTEP_REPORT_H
#define TESTS_LOCKSTEP_REPORT_H

/* What a person needs to see of a difference. */

#include "tests/lockstep/pair.h"

/* The instruction at rip, as assembly. */
void report_insn(struct pc *pc);

/* Both processors, with what differs marked; then memory that differs. */
void report_states(struct pair *p);

#endif
