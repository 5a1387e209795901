#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

/*
 * Allocation that cannot fail: sizes are ours, never the guest's, so running
 * out of memory means that the host is out of memory, and the process ends
 * with one sentence and exit code 3.  Memory is zeroed.
 */

#include <stddef.h>

void *xalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size); /* new bytes are not zeroed */
char *xstrdup(const char *s);

#define xnew(type) ((type *)xalloc(sizeof(type)))

#endif
