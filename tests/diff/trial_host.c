#include <string.h>

#include "tests/diff/generate.h"
#include "tests/diff/native.h"
#include "tests/diff/trial.h"

/* The first time to translate, then with what is there. */
static unsigned jit_runs(const struct test_case *c)
{
    return c->number % VARIATIONS && c->code_id ? 1 : 2;
}

/* A program with a row that this host lacks: the interpreter is what the JIT is
 * compared with. */
static bool run_engines(struct trial *t, const struct test_case *c,
                        struct mismatch *m)
{
    static uint8_t copy[RW_PAGES][PAGE];
    const uint8_t *pages[RW_PAGES];

    world_load(t->interp, c);
    world_run(t->interp, c, &m->host);
    for (unsigned p = 0; p < RW_PAGES; p++) {
        memcpy(copy[p], world_page(t->interp, p), PAGE);
        pages[p] = copy[p];
    }
    world_unload(t->interp);
    m->what = NULL;
    return !t->jit || trial_engine(t, t->jit, c, pages, jit_runs(c), m);
}

bool trial_run(struct trial *t, const struct test_case *c, struct mismatch *m)
{
    const uint8_t *pages[RW_PAGES];
    bool ok = true;

    if (!c->native)
        return !t->interp || run_engines(t, c, m);
    for (unsigned p = 0; p < RW_PAGES; p++)
        pages[p] = native_page(p);
    native_load(c);
    native_run(c, &m->host);
    for (unsigned p = 0; t->record && p < RW_PAGES; p++)
        memcpy(t->pages[p], pages[p], PAGE);
    if (m->host.vector == END_LOST) {
        t->lost++;
        native_unload();
        return true;
    }
    if (t->interp)
        ok = trial_engine(t, t->interp, c, pages, 1, m);
    if (ok && t->jit)
        ok = trial_engine(t, t->jit, c, pages, jit_runs(c), m);
    native_unload();
    return ok;
}
