#include "tests/diff/trial.h"

#include <stdio.h>
#include <string.h>


static bool same_memory(struct world *w, const uint8_t *const pages[RW_PAGES],
                        struct mismatch *m)
{
    for (unsigned p = 0; p < RW_PAGES; p++) {
        const uint8_t *a = pages[p], *b = world_page(w, p);
        size_t used = strlen(m->text);

        if (!memcmp(a, b, PAGE))
            continue;
        for (unsigned at = 0; at < PAGE && used < COMPARE_TEXT - 64; at++) {
            if (a[at] == b[at])
                continue;
            used += (size_t)snprintf(m->text + used, 64,
                                     "  byte %#x host %02x copal %02x\n",
                                     page_address(p) + at, a[at], b[at]);
        }
        return false;
    }
    return true;
}

static bool run_once(struct trial *t, struct world *w,
                     const struct test_case *c,
                     const uint8_t *const pages[RW_PAGES], struct mismatch *m)
{
    struct rule_counts none = t->rules;
    bool excused;

    world_run(w, c, &m->copal);
    m->text[0] = '\0';
    m->what = compare(c, &m->host, &m->copal, &t->rules, NULL, &excused);
    if (m->what)
        compare(c, &m->host, &m->copal, &none, m->text, &excused);
    if (!excused && !same_memory(w, pages, m) && !m->what &&
        !compare_memory_excused(c, &m->host, &m->copal, &t->rules))
        m->what = "memory";
    m->engine = w->name;
    return !m->what;
}

bool trial_engine(struct trial *t, struct world *w, const struct test_case *c,
                  const uint8_t *const pages[RW_PAGES], unsigned times,
                  struct mismatch *m)
{
    bool ok = true;

    world_load(w, c);
    for (unsigned i = 0; i < times && ok; i++) {
        if (i)
            world_reload(w, c);
        ok = run_once(t, w, c, pages, m);
    }
    world_unload(w);
    return ok;
}
