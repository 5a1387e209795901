#ifndef TESTS_UNIT_MEM_BOARD_H
#define TESTS_UNIT_MEM_BOARD_H

/*
 * A small PC's memory for tests: 640 KiB of RAM, a window over A0000, ROM at
 * F0000, RAM from 1 to 4 MiB, and an alias of the ROM below 4 GiB.
 */

#include "base/bytes.h"
#include "mem/physmem.h"
#include "tests/unit/suite.h"

enum {
    KIB = 1 << 10,
    MIB = 1 << 20,
    BOARD_ROM_AT = 0xf0000,
    BOARD_WINDOW_AT = 0xa0000,
    BOARD_SIZE = 4 * MIB,
};

#define BOARD_ALIAS_AT 0xffff0000u

struct board {
    struct physmem pm;
    unsigned changes;     /* calls of on_change */
    unsigned code_writes; /* calls of on_code_write, and the last of them */
    uint64_t code_at;
    unsigned code_size;
    unsigned window_accesses;
};

static inline uint64_t board_window_read(void *dev, uint64_t offset,
                                         unsigned size)
{
    struct board *b = dev;

    (void)size;
    b->window_accesses++;
    return offset;
}

static inline void board_window_write(void *dev, uint64_t offset,
                                      uint64_t value, unsigned size)
{
    struct board *b = dev;

    (void)offset, (void)value, (void)size;
    b->window_accesses++;
}

static inline void board_on_change(void *owner)
{
    struct board *b = owner;

    b->changes++;
}

static inline void board_on_code_write(void *owner, uint64_t ram_at,
                                       unsigned size)
{
    struct board *b = owner;

    b->code_writes++;
    b->code_at = ram_at;
    b->code_size = size;
    b->pm.ram.code_bits[ram_at / PAGE_SIZE] &= ~ram_granules(ram_at, size);
}

static inline void board_init(struct board *b)
{
    static const struct region_ops ops = {board_window_read, board_window_write,
                                          0, 0};
    const struct region window = {"vga", BOARD_WINDOW_AT, 128 * KIB, &ops, b};

    *b = (struct board){.changes = 0};
    ck_assert(physmem_init(&b->pm, BOARD_SIZE));
    ck_assert(physmem_add_block(&b->pm, "high", MIB, 3 * MIB, MIB, BLOCK_RAM));
    ck_assert(physmem_add_block(&b->pm, "low", 0, 640 * KIB, 0, BLOCK_RAM));
    ck_assert(physmem_add_block(&b->pm, "rom", BOARD_ROM_AT, 64 * KIB,
                                BOARD_ROM_AT, BLOCK_ROM));
    ck_assert(physmem_add_block(&b->pm, "alias", BOARD_ALIAS_AT, 64 * KIB,
                                BOARD_ROM_AT, BLOCK_ROM));
    ck_assert(physmem_map_window(&b->pm, &window));
    b->pm.on_change = board_on_change;
    b->pm.on_code_write = board_on_code_write;
    b->pm.owner = b;
}

static inline void board_destroy(struct board *b)
{
    physmem_destroy(&b->pm);
}

#endif
