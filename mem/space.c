#include "mem/space.h"

#include <assert.h>
#include <string.h>

#include "base/bits.h"

static uint64_t all_ones(unsigned size)
{
    return bits_mask(size * 8);
}

static uint64_t last_byte(const struct region *r)
{
    return r->base + (r->size - 1);
}

static uint64_t wrap(const struct space *s, uint64_t addr)
{
    return s->size ? addr & (s->size - 1) : addr;
}

void space_init(struct space *s, const char *name, uint64_t size)
{
    assert(size == 0 || bits_is_pow2(size));
    *s = (struct space){.name = name, .size = size};
}

/* How many windows begin at or below addr: the place of the next one. */
static unsigned count_up_to(const struct space *s, uint64_t addr)
{
    unsigned lo = 0, hi = s->count;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (s->map[mid].base <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct region *space_find(const struct space *s, uint64_t addr)
{
    addr = wrap(s, addr);

    unsigned at = count_up_to(s, addr);

    if (at == 0 || last_byte(&s->map[at - 1]) < addr)
        return NULL;
    return &s->map[at - 1];
}

bool space_gap(const struct space *s, uint64_t addr, uint64_t *first,
               uint64_t *last)
{
    addr = wrap(s, addr);

    unsigned next = count_up_to(s, addr);

    if (next > 0 && last_byte(&s->map[next - 1]) >= addr)
        return false;
    *first = next > 0 ? last_byte(&s->map[next - 1]) + 1 : 0;
    *last = next < s->count ? s->map[next].base - 1 : s->size - 1;
    return true;
}

bool space_map(struct space *s, const struct region *r)
{
    if (r->size == 0 || s->count == SPACE_MAX_REGIONS)
        return false;
    if (last_byte(r) < r->base || wrap(s, last_byte(r)) != last_byte(r))
        return false;

    uint64_t first, last;

    if (!space_gap(s, r->base, &first, &last) || last < last_byte(r))
        return false;

    unsigned at = count_up_to(s, r->base);

    memmove(&s->map[at + 1], &s->map[at], (s->count - at) * sizeof(s->map[0]));
    s->map[at] = *r;
    s->count++;
    return true;
}

bool space_unmap(struct space *s, uint64_t base, const void *dev)
{
    unsigned at = count_up_to(s, base);

    if (at == 0 || s->map[at - 1].base != base || s->map[at - 1].dev != dev)
        return false;
    memmove(&s->map[at - 1], &s->map[at], (s->count - at) * sizeof(s->map[0]));
    s->count--;
    return true;
}

static unsigned min_size(const struct region *r)
{
    return r->ops->min_size ? r->ops->min_size : 1;
}

static unsigned max_size(const struct region *r)
{
    return r->ops->max_size ? r->ops->max_size : 8;
}

/* True if the aligned min_size unit at offset covers size bytes from there
 * and lies inside the window: then one wide access stands for the narrow. */
static bool in_one_unit(const struct region *r, uint64_t offset, unsigned size)
{
    unsigned unit = min_size(r);
    uint64_t start = bits_align_down(offset, unit);

    return offset - start + size <= unit && r->size >= unit &&
           start <= r->size - unit;
}

static uint64_t call_read(const struct region *r, uint64_t offset,
                          unsigned size)
{
    if (!r->ops->read)
        return all_ones(size);
    return r->ops->read(r->dev, offset, size) & all_ones(size);
}

static void call_write(const struct region *r, uint64_t offset, uint64_t value,
                       unsigned size)
{
    if (r->ops->write)
        r->ops->write(r->dev, offset, value & all_ones(size), size);
}

/* Narrower than min_size.  A window whose end cuts a unit in two has nothing
 * to answer with there. */
static uint64_t read_narrow(const struct region *r, uint64_t offset,
                            unsigned size)
{
    unsigned unit = min_size(r);
    uint64_t start = bits_align_down(offset, unit);
    uint64_t value = 0;

    if (in_one_unit(r, offset, size)) {
        value = call_read(r, start, unit) >> ((offset - start) * 8);
        return value & all_ones(size);
    }
    if (size == 1)
        return all_ones(1);
    for (unsigned i = 0; i < size; i++)
        value |= read_narrow(r, offset + i, 1) << (i * 8);
    return value;
}

/* The whole access lies inside the window. */
static uint64_t region_read(const struct region *r, uint64_t offset,
                            unsigned size)
{
    unsigned piece = max_size(r);
    uint64_t value = 0;

    if (size < min_size(r))
        return read_narrow(r, offset, size);
    if (size <= piece)
        return call_read(r, offset, size);
    for (unsigned i = 0; i < size; i += piece)
        value |= call_read(r, offset + i, piece) << (i * 8);
    return value;
}

static void region_write(const struct region *r, uint64_t offset,
                         uint64_t value, unsigned size)
{
    unsigned piece = max_size(r);

    if (size <= piece) {
        call_write(r, offset, value, size);
        return;
    }
    for (unsigned i = 0; i < size; i += piece)
        call_write(r, offset + i, value >> (i * 8), piece);
}

static bool is_inside(const struct region *r, uint64_t addr, unsigned size)
{
    return addr - r->base < r->size && r->size - (addr - r->base) >= size;
}

/*
 * A handler may map and unmap windows, its own too (a BAR write): the region
 * is copied before its handler runs.
 */
uint64_t space_read(const struct space *s, uint64_t addr, unsigned size)
{
    const struct region *found = space_find(s, addr);
    uint64_t value = 0;

    addr = wrap(s, addr);
    if (found && is_inside(found, addr, size)) {
        struct region r = *found;

        return region_read(&r, addr - r.base, size);
    }
    if (size == 1)
        return all_ones(1);
    for (unsigned i = 0; i < size; i++)
        value |= space_read(s, addr + i, 1) << (i * 8);
    return value;
}

void space_write(const struct space *s, uint64_t addr, uint64_t value,
                 unsigned size)
{
    const struct region *found = space_find(s, addr);

    addr = wrap(s, addr);
    if (found && is_inside(found, addr, size)) {
        struct region r = *found;

        region_write(&r, addr - r.base, value, size);
        return;
    }
    if (size == 1)
        return;
    for (unsigned i = 0; i < size; i++)
        space_write(s, addr + i, value >> (i * 8), 1);
}
