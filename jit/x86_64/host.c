/* What the host's CPU has, by the names of the guest's features. */

#include "jit/x86_64/emit.h"

#include <cpuid.h>

enum { LEAF1_OSXSAVE = 1 << 27, XCR0_YMM = XCR0_SSE | XCR0_AVX };

struct leaf {
    uint32_t number, sub;
    uint32_t reg[4];
};

static void leaf_read(struct leaf *l, uint32_t number, uint32_t sub)
{
    uint32_t max = (uint32_t)__get_cpuid_max(number & 0x80000000, NULL);

    *l = (struct leaf){.number = number, .sub = sub};
    if (number <= max)
        __cpuid_count(number, sub, l->reg[0], l->reg[1], l->reg[2], l->reg[3]);
}

/* Does the host's system keep YMM registers? */
static bool has_ymm(void)
{
    struct leaf l;
    uint32_t low, high;

    leaf_read(&l, 1, 0);
    if (!(l.reg[2] & LEAF1_OSXSAVE))
        return false;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & XCR0_YMM) == XCR0_YMM;
}

void host_features(struct feature_set *set)
{
    static const struct {
        uint32_t leaf;
        uint8_t sub, reg, bit;
    } rows[FEAT_COUNT] = {
#define FEATURE(name, leaf, sub, reg, bit, option) {leaf, sub, reg, bit},
#include "cpu/isa/features.def"
#undef FEATURE
    };
    struct leaf l = {0};

    *set = (struct feature_set){{0}};
    for (unsigned f = 0; f < FEAT_COUNT; f++) {
        if (rows[f].leaf && (rows[f].leaf != l.number || rows[f].sub != l.sub))
            leaf_read(&l, rows[f].leaf, rows[f].sub);
        feature_set_put(set, f,
                        !rows[f].leaf || l.reg[rows[f].reg] >> rows[f].bit & 1);
    }
    if (!has_ymm())
        feature_set_put(set, FEAT_AVX, false);
}
