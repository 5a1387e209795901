#include "tests/diff/shrink.h"

#include <string.h>

#include "base/bytes.h"
#include "tests/diff/layout.h"

struct shrinker {
    struct trial *t;
    const struct generator *g;
    struct test_case *best;
    struct mismatch *m;
    struct trial quiet; /* counts nothing */
};

/* Takes `c` if it still fails. */
static bool keep(struct shrinker *s, struct test_case *c)
{
    static struct mismatch m;

    c->code_id = 0;
    if (!generate_check(s->g, c) || !case_lay_out(c))
        return false;
    s->quiet.interp = s->t->interp;
    s->quiet.jit = s->t->jit;
    if (trial_run(&s->quiet, c, &m))
        return false;
    *s->best = *c;
    *s->m = m;
    return true;
}

static void drop_item(struct test_case *c, unsigned i)
{
    for (unsigned k = 0; k < c->count; k++)
        if (c->item[k].target != ITEM_NO_TARGET && c->item[k].target > i)
            c->item[k].target--;
    memmove(&c->item[i], &c->item[i + 1],
            (c->count - i - 1u) * sizeof(c->item[0]));
    c->count--;
}

static bool drop_items(struct shrinker *s)
{
    bool any = false;

    for (unsigned i = s->best->count; i-- > 0 && s->best->count > 1;) {
        struct test_case c = *s->best;

        drop_item(&c, i);
        any |= keep(s, &c);
    }
    return any;
}

static void clear(struct shrinker *s, size_t at, const void *bytes, size_t n)
{
    struct test_case c = *s->best;

    if (!memcmp((uint8_t *)&c + at, bytes, n))
        return;
    memcpy((uint8_t *)&c + at, bytes, n);
    keep(s, &c);
}

static void clear_state(struct shrinker *s)
{
    static const uint8_t zero[PATCH_SIZE];
    static const uint8_t mxcsr[4] = {0x80, 0x1f}, fcw[2] = {0x7f, 0x03};
    static const uint8_t flags[4] = {2, 2};
    const size_t x = offsetof(struct test_case, in.x);

    for (unsigned i = 0; i < 16; i++) {
        clear(s, x + offsetof(struct xarea, ymm_high[i]), zero, 16);
        clear(s, x + X_XMM + 16 * i, zero, 16);
        if (i < 8)
            clear(s, x + X_ST + 16 * i, zero, 16);
        clear(s, offsetof(struct test_case, in.gpr[i]), zero, 8);
    }
    clear(s, x + X_FSW, zero, 2);
    clear(s, x + X_FCW, fcw, 2);
    clear(s, x + X_FTW, zero, 1);
    clear(s, x + X_MXCSR, mxcsr, 4);
    clear(s, offsetof(struct test_case, in.eflags), flags, 4);
    for (unsigned i = 0; i < s->best->patch_count; i++)
        clear(s, offsetof(struct test_case, patch[i].bytes), zero, PATCH_SIZE);
}

static void drop_patches(struct shrinker *s)
{
    for (unsigned i = s->best->patch_count; i-- > 0;) {
        struct test_case c = *s->best;

        c.patch_count--;
        c.patch[i] = c.patch[c.patch_count];
        keep(s, &c);
    }
}

bool shrink(struct trial *t, const struct generator *g, struct test_case *c,
            struct mismatch *m)
{
    struct shrinker s = {.t = t, .g = g, .best = c, .m = m};
    struct test_case first = *c;

    if (!keep(&s, &first))
        return false;
    while (drop_items(&s))
        continue;
    clear_state(&s);
    drop_patches(&s);
    while (drop_items(&s))
        continue;
    return true;
}
