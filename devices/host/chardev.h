#ifndef DEVICES_HOST_CHARDEV_H
#define DEVICES_HOST_CHARDEV_H

/*
 * The host's end of a stream of bytes: a terminal, a file, nothing.
 *
 * A device writes with chardev_write, which never blocks and never fails
 * visibly: the implementation buffers or drops.  Input arrives by the
 * implementation calling `receive`, on the machine's thread; the device
 * returns how many bytes it took, and calls `ready` when it can take more.
 */

#include <stddef.h>
#include <stdint.h>

struct chardev {
    const char *name;
    /* Set by the implementation. */
    void (*write)(struct chardev *c, const uint8_t *data, size_t size);
    void (*ready)(struct chardev *c);  /* room again; may be NULL */
    /* Set by the device that owns the other end. */
    size_t (*receive)(void *dev, const uint8_t *data, size_t size);
    void *dev;
};

static inline void chardev_write(struct chardev *c, const uint8_t *data,
                                 size_t size)
{
    if (c && c->write)
        c->write(c, data, size);
}

#endif
