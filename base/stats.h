#ifndef BASE_STATS_H
#define BASE_STATS_H

/* Counters, declared once in stats.def.  What translated code counts itself
 * (see struct jit_options) is 0 unless that was asked for. */

#include <stdint.h>
#include <stdio.h>

struct stats {
#define COUNT(name, what) uint64_t name;
#include "base/stats.def"
#undef COUNT
};

/* One line a counter that is not zero: value, name, meaning.  Then the rates
 * that follow from them. */
void stats_print(const struct stats *s, FILE *f);

#endif
