#include "base/stats.h"

#include <inttypes.h>

static void print_one(uint64_t value, const char *name, const char *what,
                      FILE *f)
{
    if (value)
        fprintf(f, "%15" PRIu64 "  %-20s %s\n", value, name, what);
}

void stats_print(const struct stats *s, FILE *f)
{
#define COUNT(name, what) print_one(s->name, #name, what, f);
#include "base/stats.def"
#undef COUNT
}
