#include "base/log.h"

#include <stdarg.h>
#include <string.h>

const struct log_item log_items[] = {
    {"in_asm", LOG_IN_ASM, "guest code as it is translated"},
    {"op", LOG_OP, "the translator's intermediate form"},
    {"out_asm", LOG_OUT_ASM, "host code as it is generated"},
    {"int", LOG_INT, "exceptions and interrupts as they are delivered"},
    {"cpu", LOG_CPU, "registers before each block (slow: no block is linked)"},
    {"exec", LOG_EXEC, "each block as it is entered (slow, likewise)"},
    {"guest_errors", LOG_GUEST_ERRORS, "odd things that the guest does"},
    {"unimp", LOG_UNIMP, "documented features that Copal lacks"},
    {"stats", LOG_STATS, "counters when the machine ends"},
    {NULL, 0, NULL},
};

uint32_t log_level;

/* NULL stands for stderr, which is no constant expression. */
static FILE *log_stream;

void log_set_file(FILE *f)
{
    log_stream = f;
}

FILE *log_file(void)
{
    return log_stream ? log_stream : stderr;
}

static const struct log_item *find_item(const char *name, size_t length)
{
    for (const struct log_item *i = log_items; i->name; i++)
        if (strlen(i->name) == length && !memcmp(i->name, name, length))
            return i;
    return NULL;
}

bool log_parse(const char *list, uint32_t *mask, const char **bad)
{
    uint32_t found = 0;

    for (const char *name = list;;) {
        size_t length = strcspn(name, ",");
        const struct log_item *item = find_item(name, length);

        if (!item) {
            *bad = name;
            return false;
        }
        found |= item->mask;
        if (!name[length])
            break;
        name += length + 1;
    }
    *mask = found;
    return true;
}

/* One message is one line, whole, also when several threads write. */
static void print_line(FILE *f, const char *prefix, const char *suffix,
                       const char *fmt, va_list args)
{
    flockfile(f);
    fputs(prefix, f);
    vfprintf(f, fmt, args);
    fputs(suffix, f);
    funlockfile(f);
}

void log_host(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    print_line(stderr, "copal: ", "\n", fmt, args);
    va_end(args);
}

void log_trace(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfprintf(log_file(), fmt, args);
    va_end(args);
}

void log_limited(uint32_t channel, unsigned *count, const char *fmt, ...)
{
    va_list args;
    const char *prefix = channel == LOG_UNIMP ? "unimp: " : "guest: ";
    const char *suffix = "\n";

    if (*count >= LOG_GUEST_PER_SITE)
        return;
    if (++*count == LOG_GUEST_PER_SITE)
        suffix = " (not said again)\n";
    va_start(args, fmt);
    print_line(log_file(), prefix, suffix, fmt, args);
    va_end(args);
}
