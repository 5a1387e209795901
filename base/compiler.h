#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

/* What the C language leaves to the compiler, under one name each. */

#include <stddef.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define noreturn _Noreturn
#define printf_check(fmt, first) __attribute__((format(printf, fmt, first)))

/* Products and dividends of 64-bit numbers. */
__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

#define array_len(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
    ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
