#ifndef CPU_DISASM_H
#define CPU_DISASM_H

/*
 * struct insn -> text, to see what our own tables made of some bytes.
 *
 * Intel order, lower case, numbers in hexadecimal, every size, segment and
 * branch displacement spelled out:
 *     "lock add dword ss:[rbp+rcx*4-0x10], eax"    "jz rel 0x12"
 * Listings for users are Capstone's.
 */

#include <stddef.h>

#include "cpu/insn.h"

enum { DISASM_ROOM = 128 }; /* enough for any instruction */

/* Writes a string of less than room characters. */
void disasm(const struct insn *in, char *out, size_t room);

/* Name of a register operand ("r8d", "ah", "xmm1", "st(2)", "cr4"), or NULL. */
const char *disasm_register(const struct operand *op);

#endif
