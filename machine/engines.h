#ifndef MACHINE_ENGINES_H
#define MACHINE_ENGINES_H

/* The engines that this build has, by the name that -accel gives them. */

#include <stdio.h>

#include "cpu/cpu.h"
#include "cpu/engine.h"

struct engine_options {
    bool count;     /* count instructions exactly and stop by budget */
    bool stats;     /* count also what costs time: for -d stats */
    FILE *perf_map; /* gets the names of generated code; or NULL */
};

struct engine_kind {
    const char *name; /* NULL ends the table */
    const char *what; /* one line for -accel help */
    /* NULL if the host cannot have it. */
    struct engine *(*make)(struct cpu *cpu, const struct engine_options *o);
};

/* The first one is the default. */
extern const struct engine_kind engine_kinds[];

/* NULL if there is none of that name. */
const struct engine_kind *engine_kind_find(const char *name);

#endif
