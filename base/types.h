#ifndef BASE_TYPES_H
#define BASE_TYPES_H

/*
 * The three numbers that people mix up.
 *
 * paddr  guest-physical address (after paging), up to 46 bits
 * laddr  guest-linear address (after segmentation, before paging)
 * vtime  virtual time in nanoseconds since the machine was made
 *
 * A host address is always a pointer, never one of these.
 */

#include <stdint.h>

typedef uint64_t paddr;
typedef uint64_t laddr;
typedef uint64_t vtime;

enum { PAGE_BITS = 12, PAGE_SIZE = 1 << PAGE_BITS };

/* Physical addresses have 46 bits: CPUID reports it, page walks check it. */
enum { PADDR_BITS = 46 };

#endif
