#ifndef CPU_FEATURES_H
#define CPU_FEATURES_H

/* CPUID features: names (FEAT_SSE2), and sets of them.  What they mean and
 * where CPUID reports them is in cpu/isa/features.def. */

#include <stdbool.h>
#include <stdint.h>

enum feature {
#define FEATURE(name, ...) FEAT_##name,
#include "cpu/isa/features.def"
#undef FEATURE
    FEAT_COUNT
};

struct feature_set {
    uint64_t word[2];
};
_Static_assert(FEAT_COUNT <= 128, "");

/* Whatever the table has, and all that it may get. */
#define FEATURE_SET_ALL ((struct feature_set){{UINT64_MAX, UINT64_MAX}})

static inline bool feature_set_has(const struct feature_set *s, unsigned f)
{
    return s->word[f / 64] >> f % 64 & 1;
}

static inline void feature_set_put(struct feature_set *s, unsigned f, bool on)
{
    uint64_t bit = (uint64_t)1 << f % 64;

    s->word[f / 64] = on ? s->word[f / 64] | bit : s->word[f / 64] & ~bit;
}

#endif
