#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { EXIT_NO_MEMORY = 3 };

static void *checked(void *p, size_t count, size_t size)
{
    if (p)
        return p;
    log_host("the host has no memory left for %zu x %zu bytes.", count, size);
    exit(EXIT_NO_MEMORY);
}

void *xalloc(size_t size)
{
    return xcalloc(1, size);
}

/* The C library may answer a request for nothing with NULL, which would look
 * like a failure: ask for one byte instead. */
void *xcalloc(size_t count, size_t size)
{
    if (!count || !size)
        count = size = 1;
    return checked(calloc(count, size), count, size);
}

void *xrealloc(void *p, size_t size)
{
    if (!size)
        size = 1;
    return checked(realloc(p, size), 1, size);
}

char *xstrdup(const char *s)
{
    return checked(strdup(s), 1, strlen(s) + 1);
}
