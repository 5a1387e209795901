#ifndef BASE_HOSTMEM_H
#define BASE_HOSTMEM_H

/*
 * Pages of the host: guest RAM and generated code.
 *
 * hostmem_map     zeroed read/write pages between two guard pages; the host
 *                 commits a page when it is first touched
 * hostmem_map_wx  one object mapped twice: rw is written, rx is executed, and
 *                 no page is ever both (RELIABILITY: W^X).  After writing,
 *                 call hostmem_sync_code before running
 *
 * Both return false, with errno set, if the host refuses; nothing is left
 * mapped then.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hostmem {
    uint8_t *rw;       /* data, or the writable view of code */
    const uint8_t *rx; /* the executable view; NULL for data */
    size_t size;       /* bytes, a multiple of the host's page size */
};

bool hostmem_map(struct hostmem *m, size_t size);
bool hostmem_map_wx(struct hostmem *m, size_t size);
void hostmem_unmap(struct hostmem *m);

/* Asks for huge pages behind [p, p+size): a hint, never an error. */
void hostmem_advise_huge(void *p, size_t size);

/* Makes code written at rw + [at, at+size) visible to instruction fetch. */
void hostmem_sync_code(const struct hostmem *m, size_t at, size_t size);

#endif
