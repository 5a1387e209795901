#ifndef MEM_DMA_H
#define MEM_DMA_H

/*
 * What a device may do to guest memory: copy from and to RAM.
 *
 * There is no way from here to a register window: a transfer that meets
 * anything but RAM (or, for reads, ROM) is a master abort.  Reads then give
 * ones and writes are dropped for that part, and the call returns false.  So a
 * device can never be re-entered through its own transfer.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/types.h"
#include "mem/physmem.h"

bool dma_read(struct physmem *pm, paddr pa, void *dst, size_t size);
bool dma_write(struct physmem *pm, paddr pa, const void *src, size_t size);

#endif
