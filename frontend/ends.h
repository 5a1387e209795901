#ifndef FRONTEND_ENDS_H
#define FRONTEND_ENDS_H

/* The host's ends of the machine's wires, opened as the configuration says. */

#include <stdbool.h>
#include <stddef.h>

#include "devices/host/chardev.h"
#include "devices/host/chardev_file.h"
#include "frontend/term.h"
#include "machine/config.h"
#include "machine/pc.h"

enum { ENDS_FILES = CONFIG_DEBUGCONS + 1 };

struct ends {
    struct term term;
    struct chardev null;
    struct chardev_file files[ENDS_FILES];
    unsigned file_count;
};

/* Fills host.  False with one sentence in error, and nothing to close. */
bool ends_open(struct ends *e, const struct config *cfg, struct pc_host *host,
               char error[CONFIG_ERROR]);
void ends_close(struct ends *e);

#endif
