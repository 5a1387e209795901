#ifndef CPU_DECODE_H
#define CPU_DECODE_H

/*
 * Bytes -> struct insn.  Reads nothing but the bytes it is given, changes
 * nothing, and is total: any bytes give one of the results below.
 */

#include <stddef.h>
#include <stdint.h>

#include "cpu/insn.h"

enum decode_result {
    DECODE_OK,
    DECODE_UD,       /* not an instruction here: #UD */
    DECODE_TOO_LONG, /* more than 15 bytes: #GP(0) */
    DECODE_MORE,     /* bytes end before the instruction does */
};

/* mode: enum cpu_mode bits (code size, MODE_PE); features: those of the model.
 * Fills *in completely when DECODE_OK; in->len also when DECODE_UD (bytes
 * looked at). */
enum decode_result decode(const uint8_t *bytes, size_t size, uint32_t mode,
                          struct feature_set features, struct insn *in);

#endif
