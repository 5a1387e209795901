#ifndef BASE_STATS_H
#define BASE_STATS_H

/* Counters, declared once in stats.def. */

#include <stdint.h>
#include <stdio.h>

struct stats {
#define COUNT(name, what) uint64_t name;
#include "base/stats.def"
#undef COUNT
};

/* One line a counter that is not zero: value, name, meaning. */
void stats_print(const struct stats *s, FILE *f);

#endif
