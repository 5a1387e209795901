#include "mem/ram.h"

#include <stdlib.h>

#include "base/alloc.h"

bool ram_init(struct ram *r, uint64_t size)
{
    *r = (struct ram){.size = size};
    if (size % PAGE_SIZE || size > SIZE_MAX)
        return false;
    if (!hostmem_map(&r->mem, (size_t)size))
        return false;
    hostmem_advise_huge(r->mem.rw, r->mem.size);
    r->code_bits = xcalloc((size_t)(size / PAGE_SIZE), sizeof(uint64_t));
    return true;
}

void ram_destroy(struct ram *r)
{
    hostmem_unmap(&r->mem);
    free(r->code_bits);
    *r = (struct ram){0};
}
