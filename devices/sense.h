#ifndef DEVICES_SENSE_H
#define DEVICES_SENSE_H

/*
 * A wire that is sampled, not driven: the reader asks for its level when it
 * wants to know.  For outputs that change far more often than anyone looks,
 * such as the tone of the timer's counter 2.
 */

#include <stdbool.h>
#include <stddef.h>

struct sense {
    bool (*get)(void *owner, unsigned pin);
    void *owner;
    unsigned pin;
};

#define SENSE_NONE ((struct sense){NULL, NULL, 0})

/* An unconnected input floats high. */
static inline bool sense_get(const struct sense *s)
{
    return s->get ? s->get(s->owner, s->pin) : true;
}

#endif
