#ifndef BASE_BYTES_H
#define BASE_BYTES_H

/*
 * Little-endian loads and stores at any alignment: the only door between
 * bytes of the guest and numbers of the host.
 */

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Copal runs on little-endian hosts"
#endif

static inline uint16_t load16(const void *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t load32(const void *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t load64(const void *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline void store16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void store32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

static inline void store64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

/* size bytes (1, 2, 4 or 8), zero-extended. */
static inline uint64_t load_sized(const void *p, unsigned size)
{
    switch (size) {
    case 1: return *(const uint8_t *)p;
    case 2: return load16(p);
    case 4: return load32(p);
    default: return load64(p);
    }
}

static inline void store_sized(void *p, uint64_t v, unsigned size)
{
    switch (size) {
    case 1: *(uint8_t *)p = (uint8_t)v; break;
    case 2: store16(p, (uint16_t)v); break;
    case 4: store32(p, (uint32_t)v); break;
    default: store64(p, v); break;
    }
}

#endif
