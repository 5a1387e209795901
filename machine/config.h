#ifndef MACHINE_CONFIG_H
#define MACHINE_CONFIG_H

/*
 * What the person asked for: the command line as data.
 *
 * One table in config.c has a row for each option; the parser and --help are
 * made from it.  Strings point into argv or `text`: a config is not copied.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"
#include "cpu/cpuid.h"

enum {
    CONFIG_CHARDEVS = 8,
    CONFIG_DEBUGCONS = 4,
    CONFIG_TEXT = 8192,
    CONFIG_ERROR = 512,
};

struct engine_kind;

enum chardev_kind {
    CHARDEV_UNSET, /* not mentioned */
    CHARDEV_NULL,
    CHARDEV_STDIO,
    CHARDEV_FILE,
};

/* The host's end of a stream of bytes. */
struct chardev_spec {
    const char *id; /* of -chardev; NULL if written in place */
    enum chardev_kind kind;
    const char *path; /* CHARDEV_FILE */
};

struct debugcon_spec {
    uint16_t iobase;
    const char *chardev; /* id, until config_parse has replaced it by host */
    struct chardev_spec host;
};

struct debugexit_spec {
    uint16_t iobase, iosize; /* iosize 0: not there */
};

struct config {
    /* What to boot. */
    const char *file; /* `copal FILE` */
    const char *kernel, *initrd, *append, *bios;

    /* The machine. */
    uint64_t ram_size;
    const struct cpu_model *model; /* of the table, or custom_model */
    struct cpu_model custom_model; /* -cpu NAME,+FEATURE */
    const struct engine_kind *engine;
    enum clock_mode time;
    int64_t rtc_seconds;
    const char *rtc; /* as given */
    bool no_reboot;

    /* Its wires to the host. */
    bool nographic;
    struct chardev_spec serial;
    struct chardev_spec chardevs[CONFIG_CHARDEVS];
    unsigned chardev_count;
    struct debugcon_spec debugcon[CONFIG_DEBUGCONS];
    unsigned debugcon_count;
    struct debugexit_spec debugexit;

    /* What to log, and where. */
    uint32_t log_mask;
    const char *log_path;
    bool wants_perf_map;
    FILE *perf_map; /* open; main's, like the log */

    char text[CONFIG_TEXT]; /* strings cut from arguments */
    size_t text_used;
};

enum config_result {
    CONFIG_RUN,
    CONFIG_DONE,  /* --help and the like: has been answered on `out` */
    CONFIG_WRONG, /* one sentence in error */
};

enum config_result config_parse(struct config *cfg, int argc,
                                char *const argv[], FILE *out,
                                char error[CONFIG_ERROR]);

#endif
