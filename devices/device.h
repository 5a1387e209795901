#ifndef DEVICES_DEVICE_H
#define DEVICES_DEVICE_H

/*
 * What every device is.
 *
 * A device may touch exactly three things outside its own struct: the address
 * spaces it answers on, the wires it drives, and the host services it was
 * handed at birth.  It never names the CPU, the machine, another device or a
 * front end; it never exits the process, prints, reads the wall clock, or
 * allocates by a guest's number.  machine/pc.c does all the plugging.
 *
 * The first member of each device's struct is its `struct device`.  x_init
 * sets it, maps the windows and connects the wires; x's class does the rest.
 */

#include "base/state.h"

struct device_class {
    const char *name;
    void (*reset)(void *dev);       /* power-on and hardware reset */
    void (*destroy)(void *dev);     /* NULL if it owns nothing */
    void (*after_load)(void *dev);  /* re-arm timers, re-drive lines; or NULL */
    const struct field *state;      /* everything that changes; see state.h */
};

struct device {
    const struct device_class *cls;
    const char *id; /* unique on the board: "pit", "com1" */
};

static inline void device_reset(void *dev)
{
    struct device *d = dev;

    d->cls->reset(dev);
}

#endif
