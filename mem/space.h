#ifndef MEM_SPACE_H
#define MEM_SPACE_H

/*
 * An address space of windows: what answers at which address.
 *
 * The same type serves I/O ports (64 KiB) and the register windows that lie on
 * top of RAM (mem/physmem.h).  A device never learns where its window sits:
 * it is handed an offset, so BARs, relocatable ports and tests need no
 * special case.
 *
 * Windows never overlap: mapping over another is an error, never a priority.
 *
 * Access sizes.  A handler names the sizes it accepts (min_size..max_size, in
 * bytes, powers of two).  The space splits wider accesses into max_size pieces
 * at ascending addresses, and widens narrower reads to min_size (aligned) and
 * takes the bytes asked for; a narrower write is passed with its own size.  An
 * access that runs past the end of a window is completed byte by byte with
 * whatever is there.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/types.h"

struct region_ops {
    /* size is 1, 2, 4 or 8 within min_size..max_size (a write may be
     * narrower); offset + size lies inside the window.  A read returns
     * the value in the low bytes.  NULL: reads give ones, writes go. */
    uint64_t (*read)(void *dev, uint64_t offset, unsigned size);
    void (*write)(void *dev, uint64_t offset, uint64_t value, unsigned size);
    uint8_t min_size, max_size; /* 0 means 1 and 8 */
};

struct region {
    const char *name;
    uint64_t base, size;
    const struct region_ops *ops;
    void *dev;
};

enum { SPACE_MAX_REGIONS = 128 };

/* Regions sorted by base. */
struct space {
    const char *name;
    uint64_t size; /* addresses are taken modulo this power of two; 0: 2^64 */
    unsigned count;
    struct region map[SPACE_MAX_REGIONS];
};

void space_init(struct space *s, const char *name, uint64_t size);

/* Adds a window.  False, changing nothing, if it is empty, leaves the space,
 * touches another window, or the space is full. */
bool space_map(struct space *s, const struct region *r);

/* Removes the window that begins at base and belongs to dev; false if there
 * is none. */
bool space_unmap(struct space *s, uint64_t base, const void *dev);

/* The window that contains addr, or NULL.  O(log n). */
const struct region *space_find(const struct space *s, uint64_t addr);

/* The range around addr that no window touches, first and last byte.  False
 * if a window contains addr.  O(log n). */
bool space_gap(const struct space *s, uint64_t addr, uint64_t *first,
               uint64_t *last);

/* Reads and writes size bytes, 1, 2, 4 or 8.  Where no window answers, reads
 * return all ones and writes are dropped. */
uint64_t space_read(const struct space *s, uint64_t addr, unsigned size);
void space_write(const struct space *s, uint64_t addr, uint64_t value,
                 unsigned size);

#endif
