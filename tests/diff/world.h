#ifndef TESTS_DIFF_WORLD_H
#define TESTS_DIFF_WORLD_H

/*
 * Copal's side: a processor at CPL 3 in long mode, with the same linear
 * addresses, descriptor tables and control registers as a Linux process has,
 * and one of the engines.
 */

#include <stdbool.h>

#include "base/clock.h"
#include "cpu/cpu.h"
#include "tests/diff/case.h"
#include "tests/diff/layout.h"

struct world {
    const char *name; /* of the engine */
    struct physmem mem;
    struct space io;
    struct clock clock;
    struct stats stats;
    struct cpu cpu;
    struct engine *engine;
    /* The code that is loaded; code_size 0: none. */
    uint64_t code_id;
    uint32_t code_at;
    uint16_t code_size;
    uint8_t base[DATA_PAGES][PAGE];
};

/* Gives the world its engine; NULL: there is none on this host. */
typedef struct engine *engine_maker(struct cpu *cpu);

/* features: those that programs may see.  NULL if there is no such engine. */
struct world *world_new(const char *name, engine_maker *make,
                        struct feature_set features);
void world_free(struct world *w);

/* Those of the model that has most. */
struct feature_set world_features(void);

/* As native_load, native_run, native_page and native_unload.  The code stays
 * until another is loaded; world_reload brings back the data. */
void world_load(struct world *w, const struct test_case *c);
void world_run(struct world *w, const struct test_case *c, struct outcome *out);
uint8_t *world_page(struct world *w, unsigned page);
void world_reload(struct world *w, const struct test_case *c);
void world_unload(struct world *w);

#endif
