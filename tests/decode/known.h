#ifndef TESTS_DECODE_KNOWN_H
#define TESTS_DECODE_KNOWN_H

/* Where Capstone and the manuals differ, or where it knows instructions that
 * this processor does not have. */

#include <capstone/capstone.h>
#include <stdint.h>

#include "cpu/insn.h"

enum difference {
    WE_REFUSE = 1 << 0,
    WE_ACCEPT = 1 << 1,
    LENGTH = 1 << 2,
    OPERANDS = 1 << 3,
};

/* The number of the entry that explains the difference, or KNOWN_NONE.  in:
 * ours, cs: Capstone's (NULL if it refuses), mode: as for decode(). */
enum { KNOWN_NONE = -1, KNOWN_ROOM = 100 };
int known_difference(const struct insn *in, const cs_insn *cs, uint32_t mode,
                     enum difference what);

/* What it says; NULL: no such entry. */
const char *known_reason(int entry);

#endif
