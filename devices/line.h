#ifndef DEVICES_LINE_H
#define DEVICES_LINE_H

/*
 * One end of a wire.  IRQ, A20, reset and power lines are all this.
 *
 * The driver holds a struct line and calls line_set with the level; who
 * listens, and on which of its pins, is decided by machine/pc.c.  An
 * unconnected line (set == NULL) does nothing.
 */

#include <stdbool.h>
#include <stddef.h>

struct line {
    void (*set)(void *owner, unsigned pin, bool level);
    void *owner;
    unsigned pin;
};

#define LINE_NONE ((struct line){NULL, NULL, 0})

static inline void line_set(const struct line *l, bool level)
{
    if (l->set)
        l->set(l->owner, l->pin, level);
}

#endif
