#ifndef CPU_GUEST_H
#define CPU_GUEST_H

/*
 * Guest memory as instructions see it: segment, offset, size.
 *
 * Every function checks the segment (limit, type, canonical address: #GP or
 * #SS) and the page (#PF), raises by long jump, and otherwise completes the
 * access.  Offsets are already cut to the address size.  size is 1, 2, 4, 8.
 * A 16-byte access has its own pair.  Alignment checking (#AC) applies to
 * CPL 3 with CR0.AM and EFLAGS.AC.
 */

#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "mem/paging.h"

/* seg:off checked for `access` of size bytes -> linear address. */
laddr guest_linear(struct cpu *cpu, unsigned seg, uint64_t off, unsigned size,
                   enum access access);
/* As guest_linear, but false where that raises. */
bool guest_linear_try(struct cpu *cpu, unsigned seg, uint64_t off,
                      unsigned size, enum access access, laddr *la);

uint64_t guest_load(struct cpu *cpu, unsigned seg, uint64_t off, unsigned size);
void guest_store(struct cpu *cpu, unsigned seg, uint64_t off, unsigned size,
                 uint64_t v);
/* Checks a later store of the same bytes, and does nothing else. */
void guest_probe_store(struct cpu *cpu, unsigned seg, uint64_t off,
                       unsigned size);
/* Any size up to 4096; stores are all or nothing. */
void guest_load_bytes(struct cpu *cpu, unsigned seg, uint64_t off, void *dst,
                      unsigned size);
void guest_store_bytes(struct cpu *cpu, unsigned seg, uint64_t off,
                       const void *src, unsigned size);

/* Linear, at CPL 0, whatever CPL is: descriptor tables, TSS. */
uint64_t guest_sys_load(struct cpu *cpu, laddr la, unsigned size);
void guest_sys_store(struct cpu *cpu, laddr la, unsigned size, uint64_t v);

/* The stack, by SS.B (or 64 bit): moves RSP after the access succeeded. */
void guest_push(struct cpu *cpu, unsigned size, uint64_t v);
uint64_t guest_pop(struct cpu *cpu, unsigned size);
/* RSP, or SP or ESP of it, as the stack's width says; and the reverse, which
 * keeps the upper bits for a 16-bit stack. */
uint64_t guest_sp(const struct cpu *cpu);
void guest_set_sp(struct cpu *cpu, uint64_t sp);

/* Effective address (offset) of the memory operand. */
uint64_t guest_address(const struct cpu *cpu, const struct insn *in);

/* Operand i of in, zero-extended; and its store.  Register, memory or
 * immediate; a 32-bit write to a GPR clears its upper half.  guest_read of an
 * rw memory operand probes for write first. */
uint64_t guest_read(struct cpu *cpu, const struct insn *in, unsigned i);
void guest_write(struct cpu *cpu, const struct insn *in, unsigned i,
                 uint64_t v);

/* Near branch: cuts target to the operand size, checks CS limit or canonical
 * form (#GP(0)), sets next_rip. */
void guest_jump(struct cpu *cpu, const struct insn *in, uint64_t target);

#endif
