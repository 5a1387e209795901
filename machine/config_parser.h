#ifndef MACHINE_CONFIG_PARSER_H
#define MACHINE_CONFIG_PARSER_H

/* Between config.c and config_cpu.c, which read the options, and config_resolve.c,
 * which makes sense of them together. */

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

/* The argument of -cpu (config_cpu.c). */
bool config_cpu(struct parser *p, const char *arg);

/* After the last option. */
bool config_resolve(struct parser *p);

#endif
