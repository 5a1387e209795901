#ifndef TESTS_X87_WORLD_H
#define TESTS_X87_WORLD_H

/*
 * A machine in 64-bit mode whose engine runs the code of a case: what the
 * bodies do one by one must come out of a whole engine too.  Addresses are
 * those of the rig.
 */

#include "cpu/cpu.h"

/* Makes an engine of the CPU, or NULL. */
typedef struct engine *world_engine(struct cpu *cpu);

struct world {
    struct physmem mem;
    struct space io;
    struct clock clock;
    struct stats stats;
    struct cpu cpu;
    struct engine *engine;
};

/* NULL if there is no such engine. */
struct world *world_new(world_engine *make);
void world_free(struct world *w);

uint8_t *world_ram(struct world *w, uint64_t at);

/* Code that may have been translated before. */
void world_put_code(struct world *w, uint64_t at, const uint8_t *code,
                    unsigned size);

/* From `at` to a HLT.  Returns the address of the instruction that was #MF, 0
 * if none was, or WORLD_LOST. */
enum { WORLD_LOST = 1 };
uint64_t world_run(struct world *w, uint64_t at);

#endif
