#include "jit/perfmap.h"

#include <inttypes.h>

#include "base/compiler.h"

static void add(FILE *f, const uint8_t *code, uint32_t size)
{
    fprintf(f, "%" PRIxPTR " %" PRIx32 " ", (uintptr_t)code, size);
}

/* Thunks lie one behind the other, in any order. */
static uint32_t end_of(const uint32_t *at, unsigned count, uint32_t start,
                       uint32_t end)
{
    for (unsigned k = 0; k < count; k++)
        if (at[k] > start && at[k] < end)
            end = at[k];
    return end;
}

void perfmap_thunks(FILE *f, const uint8_t *rx, const struct jit_thunks *t)
{
    const uint32_t at[] = {t->enter,  t->exit,   t->stop,
                           t->bail,   t->helper, t->access,
                           t->flags,  t->load_xmm, t->load_x87};
    static const char *const name[] = {"enter",  "exit",     "stop",
                                       "bail",   "helper",   "access",
                                       "flags",  "load_xmm", "load_x87"};

    _Static_assert(array_len(at) == array_len(name), "a name for each");
    for (unsigned k = 0; f && k < array_len(at); k++) {
        add(f, rx + at[k], end_of(at, array_len(at), at[k], t->size) - at[k]);
        fprintf(f, "copal thunk %s\n", name[k]);
    }
}

void perfmap_block(FILE *f, const uint8_t *rx, const struct block *b)
{
    if (!f)
        return;
    add(f, rx + b->code_at, b->code_size);
    fprintf(f, "guest %#" PRIx64 " mode %#" PRIx32 "\n", b->key.ip,
            b->key.mode);
}
