#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * One log for the whole process.
 *
 * log_host   something the person at the host should know; always shown
 * log_guest  the guest did something odd.  Shown only with -d guest_errors,
 *            and at most LOG_GUEST_PER_SITE times per call site, so a hostile
 *            guest cannot fill a disk
 * log_unimp  a documented feature that Copal lacks (-d unimp), likewise limited
 * log_trace  a listing asked for by -d (in_asm, int, ...); unlimited
 *
 * All take printf formats without a trailing newline, except log_trace, which
 * writes exactly what it is given.  Messages are one sentence.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"

/* Names for -d; see log_items in log.c.  One bit each. */
enum log_channel {
    LOG_IN_ASM = 1 << 0,
    LOG_OP = 1 << 1,
    LOG_OUT_ASM = 1 << 2,
    LOG_INT = 1 << 3,
    LOG_CPU = 1 << 4,
    LOG_EXEC = 1 << 5,
    LOG_GUEST_ERRORS = 1 << 6,
    LOG_UNIMP = 1 << 7,
    LOG_STATS = 1 << 8,
};

struct log_item {
    const char *name; /* as in -d name */
    uint32_t mask;
    const char *help;
};

/* Ends with a NULL name; for --help and for parsing. */
extern const struct log_item log_items[];

enum { LOG_GUEST_PER_SITE = 8 };

/* Channels switched on.  With the log's stream, the only writable global of
 * the project: set by main before a machine exists, only read afterwards. */
extern uint32_t log_level;

static inline bool log_on(uint32_t channels)
{
    return unlikely(log_level & channels);
}

/* Parses "in_asm,int" into a mask.  False with *bad = the offending name
 * (a pointer into list) if one is unknown. */
bool log_parse(const char *list, uint32_t *mask, const char **bad);

/* Where log_guest, log_unimp and log_trace write; stderr until set.  The
 * caller keeps ownership of f. */
void log_set_file(FILE *f);
FILE *log_file(void);

void log_host(const char *fmt, ...) printf_check(1, 2);
void log_trace(const char *fmt, ...) printf_check(1, 2);

/* Implementation of the limited channels: `count` is the call site's own. */
void log_limited(uint32_t channel, unsigned *count, const char *fmt, ...)
    printf_check(3, 4);

#define log_guest(...)                                               \
    do {                                                             \
        static _Thread_local unsigned log_count_;                    \
        if (log_on(LOG_GUEST_ERRORS))                                \
            log_limited(LOG_GUEST_ERRORS, &log_count_, __VA_ARGS__); \
    } while (0)

#define log_unimp(...)                                        \
    do {                                                      \
        static _Thread_local unsigned log_count_;             \
        if (log_on(LOG_UNIMP))                                \
            log_limited(LOG_UNIMP, &log_count_, __VA_ARGS__); \
    } while (0)

#endif
