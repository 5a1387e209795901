#include "base/ring.h"

#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void ring_reset(struct ring *r)
{
    r->head = r->tail = 0;
}

bool ring_push(struct ring *r, uint8_t byte)
{
    return ring_push_block(r, &byte, 1) == 1;
}

bool ring_peek(const struct ring *r, uint8_t *byte)
{
    if (ring_count(r) == 0)
        return false;
    *byte = r->data[r->head % RING_SIZE];
    return true;
}

bool ring_pop(struct ring *r, uint8_t *byte)
{
    return ring_pop_block(r, byte, 1) == 1;
}

size_t ring_push_block(struct ring *r, const void *src, size_t size)
{
    size_t n = smaller(size, ring_room(r));
    size_t at = r->tail % RING_SIZE;
    size_t first = smaller(n, RING_SIZE - at);

    memcpy(r->data + at, src, first);
    memcpy(r->data, (const uint8_t *)src + first, n - first);
    r->tail += (uint32_t)n;
    return n;
}

size_t ring_pop_block(struct ring *r, void *dst, size_t size)
{
    size_t n = smaller(size, ring_count(r));
    size_t at = r->head % RING_SIZE;
    size_t first = smaller(n, RING_SIZE - at);

    memcpy(dst, r->data + at, first);
    memcpy((uint8_t *)dst + first, r->data, n - first);
    r->head += (uint32_t)n;
    return n;
}
