#ifndef MACHINE_CONFIG_PARSER_H
#define MACHINE_CONFIG_PARSER_H

/* Between config.c, which reads the options, and config_resolve.c, which makes
 * sense of them together. */

#include <stdbool.h>
#include <stdio.h>

#include "base/compiler.h"
#include "machine/config.h"

/* A command line that is being read. */
struct parser {
    struct config *cfg;
    FILE *out;
    char *error;  /* CONFIG_ERROR bytes */
    bool is_done; /* an option such as --help has answered */
};

/* Leaves the sentence in error; false. */
bool config_fail(struct parser *p, const char *fmt, ...) printf_check(2, 3);

/* After the last option. */
bool config_resolve(struct parser *p);

#endif
