#ifndef BASE_RING_H
#define BASE_RING_H

/*
 * A byte FIFO whose capacity is part of its type.
 *
 * Indices count up for ever and are masked at each access, so no value of
 * them, a loaded one included, can reach outside the storage.  The members
 * are plain integers and bytes: a state table lists `data` as a buffer, `head`
 * and `tail` as fields.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RING_SIZE = 4096 };

struct ring {
    uint32_t head; /* taken from here */
    uint32_t tail; /* put here */
    uint8_t data[RING_SIZE];
};

_Static_assert((RING_SIZE & (RING_SIZE - 1)) == 0, "indices are masked");

static inline size_t ring_count(const struct ring *r)
{
    uint32_t count = r->tail - r->head;

    return count < RING_SIZE ? count : RING_SIZE;
}

static inline size_t ring_room(const struct ring *r)
{
    return RING_SIZE - ring_count(r);
}

void ring_reset(struct ring *r); /* empty */

bool ring_push(struct ring *r, uint8_t byte);        /* false if full */
bool ring_pop(struct ring *r, uint8_t *byte);        /* false if empty */
bool ring_peek(const struct ring *r, uint8_t *byte); /* pop, but leaves it */

/* As many of `size` bytes as fit, or as there are; returns how many. */
size_t ring_push_block(struct ring *r, const void *src, size_t size);
size_t ring_pop_block(struct ring *r, void *dst, size_t size);

#endif
