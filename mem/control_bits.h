#ifndef MEM_CONTROL_BITS_H
#define MEM_CONTROL_BITS_H

/* The control bits that paging depends on (SDM vol. 3, 2.5 and 4.1).  For the
 * sources of this layer: the CPU's own names are in its register header. */

#include <stdint.h>

enum {
    CR0_WP = 1 << 16,
    CR0_NW = 1 << 29,
    CR0_CD = 1 << 30,

    CR4_PSE = 1 << 4,
    CR4_PAE = 1 << 5,
    CR4_PGE = 1 << 7,
    CR4_PCIDE = 1 << 17,
    CR4_SMEP = 1 << 20,
    CR4_SMAP = 1 << 21,

    EFER_LMA = 1 << 10,
    EFER_NXE = 1 << 11,
};

#define CR0_PG ((uint64_t)1 << 31)
#define CR3_KEEP ((uint64_t)1 << 63) /* of MOV CR3's source: do not flush */
enum { CR3_PCID = 0xfff };

#endif
