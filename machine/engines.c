#include "machine/engines.h"

#include <string.h>

#include "cpu/interp.h"
#include "jit/jit.h"

enum { WARM_UP = 2 };

static struct engine *make_jit(struct cpu *cpu, const struct engine_options *o)
{
    return jit_new(cpu, &(struct jit_options){.warm_up = WARM_UP,
                                              .count = o->count,
                                              .stats = o->stats,
                                              .perf_map = o->perf_map});
}

/* It always counts, and generates nothing. */
static struct engine *make_interp(struct cpu *cpu,
                                  const struct engine_options *o)
{
    (void)o;
    return interp_new(cpu);
}

const struct engine_kind engine_kinds[] = {
    {"jit", "translates to code of this host", make_jit},
    {"interp", "the portable interpreter", make_interp},
    {.name = NULL},
};

const struct engine_kind *engine_kind_find(const char *name)
{
    for (const struct engine_kind *k = engine_kinds; k->name; k++)
        if (!strcmp(k->name, name))
            return k;
    return NULL;
}
