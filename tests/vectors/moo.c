#include "tests/vectors/moo.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"

enum { FILE_MAX = 256 << 20, READ_STEP = 1 << 20, HEADER = 8 };

/* A chunk's contents, or part of them. */
struct span {
    const uint8_t *p;
    size_t size;
};

static bool read_all(struct moo_file *f, gzFile in)
{
    for (size_t room = 0; f->size < FILE_MAX;) {
        if (room - f->size < READ_STEP) {
            uint8_t *more = realloc(f->data, room += 4 * READ_STEP);

            if (!more)
                return false;
            f->data = more;
        }

        int got = gzread(in, f->data + f->size, READ_STEP);

        if (got <= 0)
            return got == 0;
        f->size += (size_t)got;
    }
    return false;
}

/* Cuts the next chunk from s. */
static bool next_chunk(struct span *s, const char **type, struct span *body)
{
    uint32_t size;

    if (s->size < HEADER)
        return false;
    size = load32(s->p + 4);
    if (size > s->size - HEADER)
        return false;
    *type = (const char *)s->p;
    *body = (struct span){s->p + HEADER, size};
    s->p += HEADER + size;
    s->size -= HEADER + size;
    return true;
}

static bool is_type(const char *type, const char *wanted)
{
    return memcmp(type, wanted, 4) == 0;
}

bool moo_open(struct moo_file *f, const char *path)
{
    gzFile in = gzopen(path, "rb");
    struct span all, body;
    const char *type;
    bool ok;

    *f = (struct moo_file){0};
    if (!in)
        return false;
    ok = read_all(f, in);
    gzclose(in);
    all = (struct span){f->data, f->size};
    if (!ok || !next_chunk(&all, &type, &body) || !is_type(type, "MOO ") ||
        body.size < 12 || body.p[0] != 1) {
        moo_close(f);
        return false;
    }
    memcpy(f->cpu, body.p + 8, 4);
    f->at = f->size - all.size;
    return true;
}

void moo_close(struct moo_file *f)
{
    free(f->data);
    *f = (struct moo_file){0};
}

static bool take_regs(struct span s, struct moo_state *state)
{
    size_t at = 2;

    if (s.size < 2)
        return false;
    state->present = load16(s.p);
    for (unsigned r = 0; r < MOO_REGS; r++) {
        if (!(state->present >> r & 1))
            continue;
        if (s.size < at + 2)
            return false;
        state->reg[r] = load16(s.p + at);
        at += 2;
    }
    return true;
}

static bool take_ram(struct span s, struct moo_state *state)
{
    if (s.size < 4)
        return false;
    state->ram_count = load32(s.p);
    if (state->ram_count > MOO_RAM_MAX ||
        s.size < 4 + (size_t)state->ram_count * 5)
        return false;
    for (unsigned i = 0; i < state->ram_count; i++) {
        const uint8_t *entry = s.p + 4 + (size_t)i * 5;

        state->ram[i] = (struct moo_byte){load32(entry), entry[4]};
    }
    return true;
}

static bool take_state(struct span s, struct moo_state *state)
{
    struct span body;
    const char *type;
    bool ok = true;

    state->present = 0;
    state->ram_count = 0;
    while (ok && next_chunk(&s, &type, &body)) {
        if (is_type(type, "REGS"))
            ok = take_regs(body, state);
        else if (is_type(type, "RAM "))
            ok = take_ram(body, state);
    }
    return ok;
}

/* A length again, then bytes. */
static struct span counted(struct span s, size_t max)
{
    size_t size = s.size < 4 ? 0 : load32(s.p);

    if (s.size < 4 || size > s.size - 4)
        return (struct span){NULL, 0};
    return (struct span){s.p + 4, size < max ? size : max};
}

static void take_name(struct span s, struct moo_case *c)
{
    struct span text = counted(s, MOO_NAME_MAX - 1);

    if (text.size)
        memcpy(c->name, text.p, text.size);
    c->name[text.size] = '\0';
}

static void take_code(struct span s, struct moo_case *c)
{
    struct span code = counted(s, MOO_CODE_MAX);

    if (code.size)
        memcpy(c->code, code.p, code.size);
    c->code_size = (unsigned)code.size;
}

static bool take_part(const char *type, struct span body, struct moo_case *c)
{
    if (is_type(type, "INIT"))
        return take_state(body, &c->before);
    if (is_type(type, "FINA"))
        return take_state(body, &c->after);
    if (is_type(type, "NAME"))
        take_name(body, c);
    if (is_type(type, "BYTS"))
        take_code(body, c);
    if (is_type(type, "EXCP") && body.size >= 1) {
        c->has_exception = true;
        c->vector = body.p[0];
    }
    return true;
}

static bool take_case(struct span s, struct moo_case *c)
{
    struct span body;
    const char *type;
    bool ok = s.size >= 4;

    c->has_exception = false;
    c->index = ok ? load32(s.p) : 0;
    s = ok ? (struct span){s.p + 4, s.size - 4} : s;
    while (ok && next_chunk(&s, &type, &body))
        ok = take_part(type, body, c);
    return ok && c->before.present == (1 << MOO_REGS) - 1;
}

bool moo_next(struct moo_file *f, struct moo_case *c, bool *bad)
{
    struct span rest = {f->data + f->at, f->size - f->at}, body;
    const char *type;

    *bad = false;
    while (next_chunk(&rest, &type, &body)) {
        f->at = f->size - rest.size;
        if (!is_type(type, "TEST"))
            continue;
        *bad = !take_case(body, c);
        return !*bad;
    }
    *bad = rest.size != 0;
    return false;
}
