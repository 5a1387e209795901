#ifndef TESTS_VECTORS_MOO_H
#define TESTS_VECTORS_MOO_H

/*
 * Reader for recordings in the MOO format, version 1: chunks of a four-letter
 * type, a length and contents; 16-bit register files only.  Files may be
 * compressed with gzip.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of the format. */
enum moo_reg {
    MOO_AX, MOO_BX, MOO_CX, MOO_DX, MOO_CS, MOO_SS, MOO_DS, MOO_ES, MOO_SP,
    MOO_BP, MOO_SI, MOO_DI, MOO_IP, MOO_FLAGS, MOO_REGS,
};

struct moo_byte {
    uint32_t at;
    uint8_t value;
};

enum { MOO_RAM_MAX = 8192, MOO_NAME_MAX = 64, MOO_CODE_MAX = 16 };

struct moo_state {
    uint16_t reg[MOO_REGS];
    uint16_t present; /* bit r: reg[r] was recorded */
    unsigned ram_count;
    struct moo_byte ram[MOO_RAM_MAX];
};

struct moo_case {
    uint32_t index;
    char name[MOO_NAME_MAX];
    uint8_t code[MOO_CODE_MAX]; /* the instruction's bytes */
    unsigned code_size;
    struct moo_state before, after;
    bool has_exception;
    uint8_t vector;
};

struct moo_file {
    uint8_t *data;
    size_t size, at;
    char cpu[5]; /* "8086", "C286" */
};

/* False if the file cannot be read or is not MOO 1. */
bool moo_open(struct moo_file *f, const char *path);
void moo_close(struct moo_file *f);

/* The next case.  False at the end; *bad is set if that is not the end but a
 * case that does not fit the format. */
bool moo_next(struct moo_file *f, struct moo_case *c, bool *bad);

#endif
