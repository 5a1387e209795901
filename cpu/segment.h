#ifndef CPU_SEGMENT_H
#define CPU_SEGMENT_H

/*
 * Segment descriptors: fetching, checking, loading (SDM vol. 3, 3.4, 3.5,
 * 5.2-5.7).
 *
 * The work is in two steps, so that a transfer can check everything before it
 * changes anything: descriptor_fetch reads and checks, segment_set commits.
 * Whatever can fault happens in the first step or in descriptor_touch, which
 * sets the accessed bit.
 *
 * Error codes carry the EXT bit while an exception or an external interrupt
 * is being delivered: always build them with selector_error.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/fault.h"

/* Types of system descriptors; the 32-bit names are the 64-bit ones too. */
enum system_type {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK_GATE = 5,
    SYS_INTR16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS32 = 9,
    SYS_TSS32_BUSY = 11,
    SYS_CALL32 = 12,
    SYS_INTR32 = 14,
    SYS_TRAP32 = 15,
};

enum { SYS_TSS_BUSY = 2, SEL_TI = 4, SEL_RPL = 3 };

/* A descriptor as it lies in its table. */
struct descriptor {
    uint16_t sel;
    uint32_t attr;  /* ATTR_* */
    uint32_t limit; /* scaled */
    uint64_t base;  /* system descriptors of long mode: all 64 bits */
    laddr at;       /* of the descriptor itself */
    uint64_t raw;   /* its first 8 bytes: gates */
    uint64_t raw2;  /* next 8 bytes, where descriptor_wide read them */
};

/* A call, interrupt, trap or task gate, cut from its descriptor. */
struct gate {
    uint16_t sel;
    uint8_t type;  /* enum system_type */
    uint8_t dpl;
    bool present;
    uint8_t count; /* call gate: parameters; 64-bit interrupt gate: IST */
    uint64_t offset;
};

static inline unsigned descriptor_dpl(const struct descriptor *d)
{
    return (d->attr & ATTR_DPL) >> ATTR_DPL_SHIFT;
}

static inline bool descriptor_is_code(const struct descriptor *d)
{
    return (d->attr & (ATTR_S | ATTR_CODE)) == (ATTR_S | ATTR_CODE);
}

static inline bool descriptor_is_conforming(const struct descriptor *d)
{
    return d->attr & ATTR_DC;
}

static inline bool descriptor_is_writable_data(const struct descriptor *d)
{
    return (d->attr & (ATTR_S | ATTR_CODE | ATTR_RW)) == (ATTR_S | ATTR_RW);
}

/* TSS descriptor, available or busy, of 16 or 32/64 bits? */
bool descriptor_is_tss(const struct cpu *cpu, const struct descriptor *d);

static inline bool selector_is_null(uint16_t sel)
{
    return (sel & ~SEL_RPL) == 0;
}

static inline uint32_t selector_error(const struct cpu *cpu, uint16_t sel)
{
    return (uint32_t)(sel & ~SEL_RPL) | cpu->delivering_ext;
}

/* vector with the error code for sel, or for no selector with sel 0. */
noreturn void segment_fault(struct cpu *cpu, enum vector vector, uint16_t sel);

/* Reads the descriptor of sel.  False if sel is null or outside its table;
 * an LDT that is not there is a table without entries.  May raise #PF. */
bool descriptor_fetch(struct cpu *cpu, uint16_t sel, struct descriptor *d);

/* The same, raising vector(sel) where that returns false; a null selector
 * gives error code 0. */
void descriptor_need(struct cpu *cpu, uint16_t sel, enum vector vector,
                     struct descriptor *d);

/* Long mode: reads the second 8 bytes of a system descriptor and widens base.
 * Raises vector(sel) if they lie outside the table or have a type. */
void descriptor_wide(struct cpu *cpu, struct descriptor *d,
                     enum vector vector);

/* d as a gate; wide: 64-bit offset from raw2. */
struct gate descriptor_gate(const struct descriptor *d, bool wide);

/* Sets the accessed bit of a code or data descriptor, in memory and in *d. */
void descriptor_touch(struct cpu *cpu, struct descriptor *d);

/* Sets or clears the busy bit of a TSS descriptor in the GDT. */
void descriptor_set_busy(struct cpu *cpu, struct descriptor *d, bool busy);

/* The hidden part from d; no checks. */
void segment_set(struct segment *s, uint16_t sel, const struct descriptor *d);
/* Null: unusable, DPL kept for SS in 64-bit mode. */
void segment_set_null(struct segment *s, uint16_t sel);
/* Real mode: selector and base; virtual-8086 mode: everything fixed. */
void segment_set_real(struct cpu *cpu, unsigned seg, uint16_t sel);

/* SS for code at cpl: raises fault(sel) for a bad one (#GP, or #TS in
 * transfers inward), #SS(sel) for one not present. */
void segment_need_stack(struct cpu *cpu, uint16_t sel, unsigned cpl,
                        enum vector fault, struct descriptor *d);

/* MOV, POP and LxS to a data segment register or SS, in any mode: checks,
 * then loads.  Calls cpu_update_mode. */
void segment_load(struct cpu *cpu, unsigned seg, uint16_t sel);

/* After a return to a less privileged level: DS, ES, FS, GS that it may not
 * use become null. */
void segment_drop_privileged(struct cpu *cpu);

/* Is offset a legal instruction pointer in the code segment d: within the
 * limit, or canonical for 64-bit code? */
bool segment_holds_ip(const struct cpu *cpu, const struct descriptor *d,
                      uint64_t offset);

/* Does a canonical address stay as it is with 48 bits sign-extended? */
static inline bool laddr_is_canonical(laddr la)
{
    return bits_sext(la, 48) == la;
}

/* No interrupt before the instruction at next_rip is done. */
void cpu_hold_interrupts(struct cpu *cpu, bool debug_too);

#endif
