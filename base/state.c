#include "base/state.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"

/* Bytes of a buffer that a dump shows. */
enum { DUMP_BYTES = 32 };

/* The bytes of a field that hold its state.  Integers need no conversion:
 * both the stream and the host are little endian (base/bytes.h). */
static size_t payload_at(const struct field *f)
{
    if (f->kind == FIELD_TIMER)
        return f->offset + offsetof(struct timer, when);
    return f->offset;
}

static size_t payload_size(const struct field *f)
{
    if (f->kind == FIELD_TIMER)
        return sizeof(vtime);
    return (size_t)f->size * f->count;
}

size_t state_size(const struct field *table)
{
    size_t size = 0;

    for (const struct field *f = table; f->name; f++)
        size += payload_size(f);
    return size;
}

void state_save(const struct field *table, const void *obj, uint8_t *out)
{
    for (const struct field *f = table; f->name; f++) {
        memcpy(out, (const uint8_t *)obj + payload_at(f), payload_size(f));
        out += payload_size(f);
    }
}

/* Any other byte in a bool would be undefined behaviour in its reader. */
static void load_bools(uint8_t *to, const uint8_t *in, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = in[i] != 0;
}

bool state_load(const struct field *table, void *obj, const uint8_t *in,
                size_t size)
{
    if (size != state_size(table))
        return false;
    for (const struct field *f = table; f->name; f++) {
        uint8_t *to = (uint8_t *)obj + payload_at(f);

        if (f->kind == FIELD_BOOL)
            load_bools(to, in, payload_size(f));
        else
            memcpy(to, in, payload_size(f));
        in += payload_size(f);
    }
    return true;
}

const char *state_compare(const struct field *table, const void *a,
                          const void *b)
{
    for (const struct field *f = table; f->name; f++) {
        size_t at = payload_at(f);

        if (memcmp((const uint8_t *)a + at, (const uint8_t *)b + at,
                   payload_size(f)))
            return f->name;
    }
    return NULL;
}

static void dump_numbers(const uint8_t *p, unsigned size, unsigned count,
                         FILE *f)
{
    for (unsigned i = 0; i < count; i++)
        fprintf(f, " 0x%" PRIx64, load_sized(p + (size_t)i * size, size));
}

static void dump_bytes(const uint8_t *p, size_t size, FILE *f)
{
    size_t shown = size < DUMP_BYTES ? size : DUMP_BYTES;

    for (size_t i = 0; i < shown; i++)
        fprintf(f, " %02x", p[i]);
    if (shown < size)
        fprintf(f, " ... (%zu bytes)", size);
}

static void dump_timer(const uint8_t *p, FILE *f)
{
    vtime when = load64(p);

    if (when == VTIME_NEVER)
        fputs(" never", f);
    else
        fprintf(f, " %" PRIu64 " ns", when);
}

void state_dump(const struct field *table, const void *obj, FILE *f)
{
    for (const struct field *row = table; row->name; row++) {
        const uint8_t *p = (const uint8_t *)obj + payload_at(row);

        fprintf(f, "%s =", row->name);
        if (row->kind == FIELD_TIMER)
            dump_timer(p, f);
        else if (row->kind == FIELD_BYTES)
            dump_bytes(p, payload_size(row), f);
        else
            dump_numbers(p, row->size, row->count, f);
        fputc('\n', f);
    }
}
