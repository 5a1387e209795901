#ifndef BASE_STATE_H
#define BASE_STATE_H

/*
 * Field tables: the state of a device (or CPU) as data.
 *
 * A table lists every field that changes while the guest runs.  Saving,
 * loading, comparing and dumping are walks over the table, so a device cannot
 * forget one of them.  A table ends with a NULL name.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum field_kind {
    FIELD_UINT,  /* integers of `size` bytes, `count` of them */
    FIELD_BOOL,  /* bools, `count` of them: whatever is loaded becomes 0 or 1 */
    FIELD_BYTES, /* an opaque buffer */
    FIELD_TIMER, /* struct timer: its `when` */
};

struct field {
    const char *name;
    uint32_t offset, size, count;
    uint8_t kind;
};

#define FIELD_(type, member, kind_, size_, count_)                \
    {                                                             \
        .name = #member, .offset = (uint32_t)offsetof(type, member), \
        .size = (uint32_t)(size_), .count = (uint32_t)(count_),   \
        .kind = (kind_)                                           \
    }
#define FIELD_SIZE_(type, member) sizeof(((type *)0)->member)

#define FIELD_KIND_(value) \
    _Generic((value), bool: FIELD_BOOL, default: FIELD_UINT)

/* One integer, bool or enum. */
#define FIELD(type, member)                                  \
    FIELD_(type, member, FIELD_KIND_(((type *)0)->member),   \
           FIELD_SIZE_(type, member), 1)
/* An array of integers or bools. */
#define FIELD_ARRAY(type, member)                                       \
    FIELD_(type, member, FIELD_KIND_(((type *)0)->member[0]),           \
           sizeof(((type *)0)->member[0]),                              \
           FIELD_SIZE_(type, member) / sizeof(((type *)0)->member[0]))
/* A buffer of bytes, or a nested struct of plain integers. */
#define FIELD_BUFFER(type, member) \
    FIELD_(type, member, FIELD_BYTES, FIELD_SIZE_(type, member), 1)
#define FIELD_TIME(type, member) \
    FIELD_(type, member, FIELD_TIMER, FIELD_SIZE_(type, member), 1)
#define FIELD_END \
    {             \
        .name = NULL \
    }

/* Bytes that state_save writes for this table. */
size_t state_size(const struct field *table);
/* Packs obj's fields, little endian, in table order, into out. */
void state_save(const struct field *table, const void *obj, uint8_t *out);
/* Unpacks; a timer gets its `when` but is not armed (the owner's job).
 * False, changing nothing, if size is not state_size(table). */
bool state_load(const struct field *table, void *obj, const uint8_t *in,
                size_t size);
/* Name of the first field that differs, or NULL. */
const char *state_compare(const struct field *table, const void *a,
                          const void *b);
/* One "name = value" line a field. */
void state_dump(const struct field *table, const void *obj, FILE *f);

#endif
