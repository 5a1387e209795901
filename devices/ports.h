#ifndef DEVICES_PORTS_H
#define DEVICES_PORTS_H

/* How a device whose place on the board is fixed takes its ports: somebody
 * else being there is a mistake in the schematic, not an error to report. */

#include <assert.h>

#include "mem/space.h"

static inline void ports_map(struct space *io, struct region r)
{
    bool is_free = space_map(io, &r);

    assert(is_free);
    (void)is_free;
}

#endif
