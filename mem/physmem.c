#include "mem/physmem.h"

#include <assert.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"

static const paddr A20_BIT = (paddr)1 << 20;
static const paddr LAST_PADDR = ((paddr)1 << PADDR_BITS) - 1;

bool physmem_init(struct physmem *pm, uint64_t ram_size)
{
    memset(pm, 0, sizeof(*pm));
    pm->a20_mask = ~(paddr)0;
    space_init(&pm->windows, "windows", 0);
    return ram_init(&pm->ram, ram_size);
}

void physmem_destroy(struct physmem *pm)
{
    ram_destroy(&pm->ram);
    memset(pm, 0, sizeof(*pm));
}

static void report_change(struct physmem *pm)
{
    pm->generation++;
    if (pm->on_change)
        pm->on_change(pm->owner);
}

/* The first block that ends above pa: it contains pa or lies behind it. */
static unsigned block_index(const struct physmem *pm, paddr pa)
{
    unsigned lo = 0, hi = pm->block_count;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (pm->blocks[mid].base + pm->blocks[mid].size <= pa)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static const struct phys_block *find_block(const struct physmem *pm, paddr pa)
{
    unsigned at = block_index(pm, pa);

    if (at == pm->block_count || pa < pm->blocks[at].base)
        return NULL;
    return &pm->blocks[at];
}

static bool is_whole_pages(uint64_t base, uint64_t size, uint64_t limit)
{
    return size && (base | size) % PAGE_SIZE == 0 && base <= limit &&
           size <= limit - base;
}

bool physmem_add_block(struct physmem *pm, const char *name, paddr base,
                       uint64_t size, uint64_t ram_at, enum block_kind kind)
{
    if (!is_whole_pages(base, size, LAST_PADDR + 1) ||
        !is_whole_pages(ram_at, size, pm->ram.size) ||
        pm->block_count == PHYSMEM_MAX_BLOCKS)
        return false;

    unsigned at = block_index(pm, base);
    struct phys_block *place = &pm->blocks[at];

    if (at < pm->block_count && place->base < base + size)
        return false;
    memmove(place + 1, place, (pm->block_count - at) * sizeof(*place));
    *place = (struct phys_block){.name = name,
                                 .base = base,
                                 .size = size,
                                 .ram_at = ram_at,
                                 .kind = kind};
    pm->block_count++;
    report_change(pm);
    return true;
}

bool physmem_set_kind(struct physmem *pm, paddr base, enum block_kind kind)
{
    unsigned at = block_index(pm, base);

    if (at == pm->block_count || pm->blocks[at].base != base)
        return false;
    if (pm->blocks[at].kind == kind)
        return true;
    pm->blocks[at].kind = kind;
    report_change(pm);
    return true;
}

bool physmem_map_window(struct physmem *pm, const struct region *r)
{
    if (r->base > LAST_PADDR || r->size > LAST_PADDR + 1 - r->base)
        return false;
    if (!space_map(&pm->windows, r))
        return false;
    report_change(pm);
    return true;
}

bool physmem_unmap_window(struct physmem *pm, paddr base, const void *dev)
{
    if (!space_unmap(&pm->windows, base, dev))
        return false;
    report_change(pm);
    return true;
}

void physmem_set_a20(struct physmem *pm, bool enabled)
{
    paddr mask = enabled ? ~(paddr)0 : ~A20_BIT;

    if (mask == pm->a20_mask)
        return;
    pm->a20_mask = mask;
    report_change(pm);
}

static paddr larger(paddr a, paddr b)
{
    return a > b ? a : b;
}

static paddr smaller(paddr a, paddr b)
{
    return a < b ? a : b;
}

/* The whole pages around page that lie in block b and have no window on top.
 * False if page itself has one.  While A20 is masked, a run ends at every
 * MiB, because there the addresses of the guest and those of the map part. */
static bool find_run(const struct physmem *pm, const struct phys_block *b,
                     paddr page, paddr *first, paddr *end)
{
    uint64_t gap_first, gap_last;

    if (!space_gap(&pm->windows, page, &gap_first, &gap_last))
        return false;
    if (gap_first > page || gap_last < page + (PAGE_SIZE - 1))
        return false;
    gap_last -= (gap_last + 1) % PAGE_SIZE;
    *first = larger(b->base, bits_align_up(gap_first, PAGE_SIZE));
    *end = smaller(b->base + (b->size - 1), gap_last) + 1;
    if (!(pm->a20_mask & A20_BIT)) {
        *first = larger(*first, bits_align_down(page, A20_BIT));
        *end = smaller(*end, bits_align_down(page, A20_BIT) + A20_BIT);
    }
    return true;
}

struct phys_page physmem_page(struct physmem *pm, paddr pa)
{
    paddr page = bits_align_down(pa & pm->a20_mask, PAGE_SIZE);
    paddr moved_by = bits_align_down(pa, PAGE_SIZE) - page;
    struct phys_page p = {.run_start = page + moved_by, .run_size = PAGE_SIZE};
    const struct phys_block *b = find_block(pm, page);
    paddr first, end;

    if (!b || !find_run(pm, b, page, &first, &end))
        return p;
    p.ram_at = b->ram_at + (page - b->base);
    p.host = pm->ram.mem.rw + p.ram_at;
    p.writable = b->kind == BLOCK_RAM;
    p.has_code = pm->ram.code_bits[p.ram_at / PAGE_SIZE] != 0;
    p.run_start = first + moved_by;
    p.run_size = end - first;
    return p;
}

static bool crosses_page(paddr pa, unsigned size)
{
    return pa % PAGE_SIZE + size > PAGE_SIZE;
}

uint64_t physmem_read(struct physmem *pm, paddr pa, unsigned size)
{
    uint64_t value = 0;

    if (!crosses_page(pa, size)) {
        struct phys_page p = physmem_page(pm, pa);

        if (p.host)
            return load_sized(p.host + pa % PAGE_SIZE, size);
        return space_read(&pm->windows, pa & pm->a20_mask, size);
    }
    for (unsigned i = 0; i < size; i++)
        value |= physmem_read(pm, pa + i, 1) << (i * 8);
    return value;
}

void physmem_write(struct physmem *pm, paddr pa, uint64_t v, unsigned size)
{
    if (crosses_page(pa, size)) {
        for (unsigned i = 0; i < size; i++)
            physmem_write(pm, pa + i, v >> (i * 8), 1);
        return;
    }

    struct phys_page p = physmem_page(pm, pa);

    if (!p.host)
        space_write(&pm->windows, pa & pm->a20_mask, v, size);
    else if (p.writable)
        physmem_store(pm, p.ram_at + pa % PAGE_SIZE, &v, size);
}

/* Powers of two are copied as one number, so that another processor of the
 * guest never sees half of one. */
void physmem_store(struct physmem *pm, uint64_t ram_at, const void *src,
                   unsigned size)
{
    uint8_t *to = pm->ram.mem.rw + ram_at;
    uint64_t code = pm->ram.code_bits[ram_at / PAGE_SIZE];

    assert(!crosses_page(ram_at, size));
    if (!size)
        return;
    if ((code & ram_granules(ram_at, size)) && pm->on_code_write)
        pm->on_code_write(pm->owner, ram_at, size);
    if (size <= 8 && bits_is_pow2(size))
        store_sized(to, load_sized(src, size), size);
    else
        memcpy(to, src, size);
}

bool physmem_mark_code(struct physmem *pm, uint64_t ram_at, unsigned size)
{
    uint64_t *code = &pm->ram.code_bits[ram_at / PAGE_SIZE];
    bool had_none = *code == 0;

    assert(size && !crosses_page(ram_at, size));
    *code |= ram_granules(ram_at, size);
    return had_none;
}
