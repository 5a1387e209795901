#include "mem/dma.h"

#include <string.h>

/* What of [pa, pa+size) lies in the page of pa. */
static unsigned part_in_page(paddr pa, size_t size)
{
    unsigned room = PAGE_SIZE - (unsigned)(pa % PAGE_SIZE);

    return size < room ? (unsigned)size : room;
}

bool dma_read(struct physmem *pm, paddr pa, void *dst, size_t size)
{
    uint8_t *to = dst;
    bool ok = true;

    while (size) {
        struct phys_page p = physmem_page(pm, pa);
        unsigned part = part_in_page(pa, size);

        if (p.host)
            memcpy(to, p.host + pa % PAGE_SIZE, part);
        else
            memset(to, 0xff, part);
        ok = ok && p.host;
        pa += part;
        to += part;
        size -= part;
    }
    return ok;
}

bool dma_write(struct physmem *pm, paddr pa, const void *src, size_t size)
{
    const uint8_t *from = src;
    bool ok = true;

    while (size) {
        struct phys_page p = physmem_page(pm, pa);
        unsigned part = part_in_page(pa, size);

        if (p.writable)
            physmem_store(pm, p.ram_at + pa % PAGE_SIZE, from, part);
        ok = ok && p.writable;
        pa += part;
        from += part;
        size -= part;
    }
    return ok;
}
