#include "mem/phys_run.h"

bool phys_run_load(struct phys_run *r, paddr pa)
{
    struct phys_page p = physmem_page(r->pm, pa);

    if (!p.host)
        return false;
    r->generation = r->pm->generation;
    r->start = p.run_start;
    r->size = p.run_size;
    r->ram_at = p.ram_at - (pa - pa % PAGE_SIZE - p.run_start);
    r->writable = p.writable;
    return true;
}
