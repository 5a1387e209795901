#include "machine/engines.h"

#include <string.h>

#include "cpu/interp.h"

const struct engine_kind engine_kinds[] = {
    {"interp", "the portable interpreter", interp_new},
    {.name = NULL},
};

const struct engine_kind *engine_kind_find(const char *name)
{
    for (const struct engine_kind *k = engine_kinds; k->name; k++)
        if (!strcmp(k->name, name))
            return k;
    return NULL;
}
