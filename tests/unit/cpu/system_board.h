#ifndef TESTS_UNIT_CPU_SYSTEM_BOARD_H
#define TESTS_UNIT_CPU_SYSTEM_BOARD_H

/*
 * A processor and 1 MiB of RAM for tests of protection: tables are written by
 * hand, and operations are called with a hand-made struct insn, so neither
 * decoder nor engine takes part.
 *
 * board_new gives flat 32-bit protected mode at CPL 0 with a GDT, an IDT, a
 * 32-bit TSS and no paging.  board_long switches to 64-bit mode with one flat
 * gigabyte mapped.
 */

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/control.h"
#include "cpu/cpu.h"
#include "cpu/cpuid.h"
#include "cpu/deliver.h"
#include "cpu/fault.h"
#include "cpu/ops.h"
#include "cpu/segment.h"
#include "tests/unit/suite.h"

enum {
    BOARD_RAM = 1 << 20,
    GDT = 0x1000,
    LDT = 0x1800,
    IDT = 0x2000,
    TSS = 0x3000,      /* the task that runs */
    TSS_OTHER = 0x4000,
    PML4 = 0x8000,     /* and PDPT behind it */
    CODE = 0x10000,    /* offset where the program runs */
    HANDLER = 0x20000, /* what gates point to */
    STACK = 0x30000,   /* ESP of the program */
    STACK0 = 0x38000,  /* ESP0 of the TSS */
    DATA = 0x40000,    /* where memory operands lie */
    DONE = -1,         /* board_run: no fault */
};

/* Selectors of the GDT. */
enum {
    CODE0 = 0x08, DATA0 = 0x10, CODE3 = 0x1b, DATA3 = 0x23, TSS_SEL = 0x28,
    CONFORMING = 0x30, CALL_GATE = 0x38, LDT_SEL = 0x40, TASK_GATE = 0x48,
    OTHER_SEL = 0x50, CODE64_SEL = 0x60, CODE16 = 0x68, ABSENT = 0x70,
    READ_ONLY = 0x78, EXEC_ONLY = 0x80, DATA16 = 0x88, CODE1 = 0x91,
    DATA1 = 0x99, GDT_LIMIT = 0x1ff,
};

/* Attributes as in a descriptor's bytes 5 and 6. */
enum {
    A_DATA = ATTR_P | ATTR_S | ATTR_RW,
    A_CODE = ATTR_P | ATTR_S | ATTR_CODE | ATTR_RW,
    A_FLAT = ATTR_G | ATTR_DB,
    A_DPL1 = 1 << ATTR_DPL_SHIFT,
    A_DPL3 = ATTR_DPL,
};

struct board {
    struct cpu cpu;
    struct physmem mem;
    struct space io;
    struct clock clock;
    struct stats stats;
    jmp_buf unwind;
};

static inline uint8_t *board_at(struct board *b, uint64_t pa)
{
    return b->mem.ram.mem.rw + pa;
}

static inline uint64_t board_descriptor(uint32_t base, uint32_t limit,
                                        uint32_t attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
           (uint64_t)(attr & 0xf0ff) << 40 |
           (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(base >> 24) << 56;
}

static inline void board_gdt(struct board *b, unsigned sel, uint32_t base,
                             uint32_t limit, uint32_t attr)
{
    store64(board_at(b, GDT + (sel & ~7u)),
            board_descriptor(base, limit, attr));
}

/* Attributes of entry sel of the GDT as they are in memory. */
static inline uint32_t board_attr(struct board *b, unsigned sel)
{
    return *board_at(b, GDT + (sel & ~7u) + 5);
}

/* A gate of a type with DPL: attr holds P, DPL and type. */
static inline uint64_t board_gate(uint16_t sel, uint32_t offset, unsigned count,
                                  uint32_t attr)
{
    return (offset & 0xffff) | (uint64_t)sel << 16 | (uint64_t)count << 32 |
           (uint64_t)(attr & 0xff) << 40 | (uint64_t)(offset >> 16) << 48;
}

static inline void board_idt(struct board *b, unsigned vector, uint16_t sel,
                             uint32_t attr)
{
    unsigned size = cpu_long(&b->cpu) ? 16 : 8;

    store64(board_at(b, IDT + vector * size),
            board_gate(sel, HANDLER + vector * 16, 0, attr | ATTR_P));
}

static inline void board_tables(struct board *b)
{
    board_gdt(b, CODE0, 0, 0xfffff, A_CODE | A_FLAT);
    board_gdt(b, DATA0, 0, 0xfffff, A_DATA | A_FLAT);
    board_gdt(b, CODE3, 0, 0xfffff, A_CODE | A_FLAT | A_DPL3);
    board_gdt(b, DATA3, 0, 0xfffff, A_DATA | A_FLAT | A_DPL3);
    board_gdt(b, TSS_SEL, TSS, 0x67, ATTR_P | SYS_TSS32_BUSY);
    board_gdt(b, CONFORMING, 0, 0xfffff, A_CODE | A_FLAT | ATTR_DC);
    board_gdt(b, LDT_SEL, LDT, 0xff, ATTR_P | SYS_LDT);
    board_gdt(b, OTHER_SEL, TSS_OTHER, 0x67, ATTR_P | SYS_TSS32);
    board_gdt(b, CODE64_SEL, 0, 0xfffff, A_CODE | ATTR_G | ATTR_L);
    board_gdt(b, CODE16, 0, 0xffff, A_CODE);
    board_gdt(b, ABSENT, 0, 0xfffff, (A_DATA & ~ATTR_P) | A_FLAT);
    board_gdt(b, READ_ONLY, 0, 0xfffff, (A_DATA & ~ATTR_RW) | A_FLAT);
    board_gdt(b, EXEC_ONLY, 0, 0xfffff, (A_CODE & ~ATTR_RW) | A_FLAT);
    board_gdt(b, DATA16, 0, 0xffff, A_DATA);
    board_gdt(b, CODE1, 0, 0xfffff, A_CODE | A_FLAT | A_DPL1);
    board_gdt(b, DATA1, 0, 0xfffff, A_DATA | A_FLAT | A_DPL1);
    for (unsigned v = 0; v < 64; v++)
        board_idt(b, v, CODE0, SYS_INTR32);
    store32(board_at(b, TSS + 4), STACK0);
    store16(board_at(b, TSS + 8), DATA0);
}

/* As a load would, at privilege cpl, but without rules. */
static inline void board_set(struct board *b, unsigned seg, uint16_t sel)
{
    struct descriptor d;

    descriptor_fetch(&b->cpu, sel, &d);
    segment_set(&b->cpu.seg[seg], sel, &d);
}

static inline void board_level(struct board *b, uint16_t cs, uint16_t ss)
{
    board_set(b, CS, cs);
    board_set(b, SS, ss);
    b->cpu.cpl = cs & 3;
    cpu_update_mode(&b->cpu);
}

static inline struct board *board_new(void)
{
    const size_t align = __alignof__(struct board);
    size_t size = (sizeof(struct board) + align - 1) / align * align;
    struct board *b = aligned_alloc(align, size);
    struct cpu *cpu;

    ck_assert_ptr_nonnull(b);
    memset(b, 0, size);
    cpu = &b->cpu;
    ck_assert(physmem_init(&b->mem, BOARD_RAM));
    ck_assert(physmem_add_block(&b->mem, "ram", 0, BOARD_RAM, 0, BLOCK_RAM));
    space_init(&b->io, "ports", 0x10000);
    clock_init(&b->clock, CLOCK_DETERMINISTIC);
    cpu_init(cpu, cpu_model_find("max"), &b->mem, &b->io, &b->clock,
             &b->stats);
    cpu->unwind = &b->unwind;
    board_tables(b);
    cpu->gdtr = (struct table_reg){GDT, GDT_LIMIT};
    cpu->idtr = (struct table_reg){IDT, 0x7ff};
    ck_assert(control_set_cr0(cpu, CR0_PE | CR0_ET));
    for (unsigned i = 0; i < SEG_COUNT; i++)
        board_set(b, i, i == CS ? CODE0 : DATA0);
    cpu->tr = (struct segment){TSS_SEL, ATTR_P | SYS_TSS32_BUSY, 0x67, TSS};
    cpu->ldtr = (struct segment){LDT_SEL, ATTR_P | SYS_LDT, 0xff, LDT};
    cpu->gpr[RSP] = STACK;
    cpu->rip = CODE;
    cpu_update_mode(cpu);
    return b;
}

static inline void board_free(struct board *b)
{
    cpu_destroy(&b->cpu);
    clock_destroy(&b->clock);
    physmem_destroy(&b->mem);
    free(b);
}

/* A 2 MiB page maps the RAM; 64-bit gates and TSS. */
static inline void board_long(struct board *b)
{
    struct cpu *cpu = &b->cpu;

    store64(board_at(b, PML4), PML4 + 0x1007);
    store64(board_at(b, PML4 + 0x1000), PML4 + 0x2007);
    store64(board_at(b, PML4 + 0x2000), 0x87);
    ck_assert(control_set_cr4(cpu, CR4_PAE));
    ck_assert(control_set_cr3(cpu, PML4));
    ck_assert(control_set_efer(cpu, EFER_LME | EFER_SCE | EFER_NXE));
    ck_assert(control_set_cr0(cpu, CR0_PG | CR0_PE | CR0_ET));
    board_set(b, CS, CODE64_SEL);
    cpu_update_mode(cpu);
    memset(board_at(b, IDT), 0, 0x1000);
    for (unsigned v = 0; v < 64; v++)
        board_idt(b, v, CODE64_SEL, SYS_INTR32);
    store64(board_at(b, TSS + 4), STACK0);
    store64(board_at(b, TSS + 36), STACK0 + 0x1008); /* IST1, not aligned */
}

/* Virtual-8086 mode at 1000:0, stack 3000:1000. */
static inline void board_v86(struct board *b, unsigned iopl)
{
    struct cpu *cpu = &b->cpu;

    cpu_set_eflags(cpu, FLAG_VM | FLAG_IF | iopl << 12);
    cpu->cpl = 3;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        segment_set_real(cpu, i, 0x4000);
    segment_set_real(cpu, CS, CODE >> 4);
    segment_set_real(cpu, SS, STACK >> 4);
    cpu->rip = 0;
    cpu->gpr[RSP] = 0x1000;
    cpu_update_mode(cpu);
}

/* --- running --- */

/* DONE, or the vector raised; its error code is in cpu.exc. */
static inline int board_run(struct board *b, cpu_op *op, const struct insn *in)
{
    struct cpu *cpu = &b->cpu;

    cpu->insn_rsp = cpu->gpr[RSP];
    cpu->next_rip = cpu->rip + in->len;
    if (setjmp(b->unwind))
        return cpu->exc.vector;
    op(cpu, in);
    cpu->rip = cpu->next_rip;
    return DONE;
}

/* Delivers cpu.exc; DONE or what delivery raised. */
static inline int board_deliver(struct board *b)
{
    if (setjmp(b->unwind))
        return b->cpu.exc.vector;
    cpu_deliver_exception(&b->cpu);
    return DONE;
}

static inline int board_raise(struct board *b, unsigned vector, int error)
{
    b->cpu.exc = (struct pending_exception){
        .vector = (uint8_t)vector, .has_error = error >= 0,
        .error = error >= 0 ? (uint32_t)error : 0,
    };
    return board_deliver(b);
}

/* --- instructions --- */

/* Operand 0 or 1: a general register, here EAX. */
static inline struct operand board_gpr(unsigned size)
{
    return (struct operand){OPND_GPR, RAX, (uint8_t)size, ACC_RW};
}

static inline struct insn board_insn(unsigned opsize)
{
    return (struct insn){
        .len = 2, .opsize = (uint8_t)opsize, .addrsize = 4, .seg = DS,
        .base = REG_NONE, .index = REG_NONE,
    };
}

/* With one memory operand at DS:DATA. */
static inline struct insn board_insn_mem(unsigned opsize, unsigned size)
{
    struct insn in = board_insn(opsize);

    in.op[0] = (struct operand){OPND_MEM, 0, (uint8_t)size, ACC_R};
    in.disp = DATA;
    return in;
}

static inline struct insn board_insn_far(unsigned opsize, uint16_t sel,
                                         uint32_t offset)
{
    struct insn in = board_insn(opsize);

    in.op[0] = (struct operand){OPND_IMM, 0, (uint8_t)opsize, ACC_R};
    in.imm = offset;
    in.imm2 = sel;
    in.len = 7;
    return in;
}

/* MOV Sreg, AX. */
static inline int board_load(struct board *b, unsigned seg, uint16_t sel)
{
    struct insn in = board_insn(2);

    in.op[0] = (struct operand){OPND_SEG, (uint8_t)seg, 2, ACC_W};
    in.op[1] = board_gpr(2);
    b->cpu.gpr[RAX] = sel;
    return board_run(b, op_mov_to_seg, &in);
}

static inline void board_poke_stack(struct board *b, unsigned size, unsigned n,
                                    const uint64_t *item)
{
    uint64_t at = b->cpu.seg[SS].base + b->cpu.gpr[RSP];

    if (cpu_code64(&b->cpu))
        at = b->cpu.gpr[RSP];
    for (unsigned i = 0; i < n; i++)
        store_sized(board_at(b, at + i * size), item[i], size);
}

/* POKE_STACK(b, 4, eip, cs, eflags): the top of the stack comes first. */
#define POKE_STACK(b, size, ...)                            \
    board_poke_stack(b, size,                               \
                     array_len(((uint64_t[]){__VA_ARGS__})), \
                     (uint64_t[]){__VA_ARGS__})

/* Item i of the stack at linear address `at`. */
static inline uint64_t board_item(struct board *b, uint64_t at, unsigned i,
                                  unsigned size)
{
    return load_sized(board_at(b, at + i * size), size);
}

static inline uint32_t board_error(const struct board *b)
{
    return b->cpu.exc.error;
}

#endif
