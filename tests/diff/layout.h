#ifndef TESTS_DIFF_LAYOUT_H
#define TESTS_DIFF_LAYOUT_H

/*
 * The linear addresses that a test program sees, the same on the host CPU and
 * in Copal: 64 KiB, so that 16-bit code reaches all of it.
 *
 *   0x1000  code, read and execute      0x9000  data, read and write
 *   0x4000  the way out                 0xa000  data, read only
 *   0x8000  data, read and write        0xe000  stack
 *
 * What is not named is not mapped.
 */

#include <stdint.h>

enum {
    ARENA = 0x10000000,
    ARENA_SIZE = 0x10000,
    CODE = ARENA + 0x1000,
    CODE_SIZE = 0x2000,
    /* 64-bit code: JMP [EXIT_SLOT], which leads to EXIT_STOP: JMP [EXIT_OUT].
     * EXIT_OUT is mapped for the host only; in Copal the program ends with the
     * page fault there. */
    EXIT_PAGE = ARENA + 0x4000,
    EXIT_STOP = EXIT_PAGE + 0x10,
    EXIT_SLOT = EXIT_PAGE + 0x800,
    EXIT_OUT = 0x7e5a3000, /* far from what programs point at */
    DATA = ARENA + 0x8000,
    DATA_RO = ARENA + 0xa000,
    DATA_END = ARENA + 0xb000,
    STACK = ARENA + 0xe000,
    PAGE = 0x1000,
    CODE_FILL = 0xf4, /* HLT: what is in the code pages beside the program */
};

/* What programs may write, and what they may only read. */
enum { PAGE_D0, PAGE_D1, PAGE_S0, RW_PAGES, PAGE_R0 = RW_PAGES, DATA_PAGES };

static inline uint32_t page_address(unsigned page)
{
    static const uint32_t at[DATA_PAGES] = {DATA, DATA + PAGE, STACK, DATA_RO};

    return at[page];
}

/* What is in the page with the way out, EXIT_SIZE bytes from EXIT_PAGE. */
enum { EXIT_SIZE = 0x1000 };
void layout_exit_page(uint8_t *page);

/* The page of `at`, or DATA_PAGES. */
static inline unsigned page_of(uint64_t at)
{
    unsigned page = 0;

    while (page < DATA_PAGES && (at & ~(uint64_t)(PAGE - 1)) !=
                                    page_address(page))
        page++;
    return page;
}

/* Selectors: Linux's own for user code, then the entries of the LDT. */
enum {
    USER_CS32 = 0x23, USER_DS = 0x2b, USER_CS64 = 0x33,
    LDT_CODE16 = 0x07, LDT_CODE32 = 0x0f, LDT_DATA16 = 0x17, LDT_DATA32 = 0x1f,
    LDT_SMALL = 0x27, LDT_DOWN = 0x2f, LDT_READ = 0x37, LDT_ABSENT = 0x3f,
    LDT_COUNT = 8,
};

/* One entry of the LDT, as modify_ldt takes it. */
struct ldt_entry {
    uint32_t base, limit;
    uint8_t contents; /* 0 data, 1 data that expands down, 2 code */
    uint8_t wide, pages, read_only, absent;
};

static inline struct ldt_entry ldt_entry(unsigned i)
{
    static const struct ldt_entry entries[LDT_COUNT] = {
        {ARENA, 0xffff, 2, 0, 0, 0, 0},
        {ARENA + 0x35, 0xfffff, 2, 1, 0, 0, 0},
        {ARENA, 0xffff, 0, 0, 0, 0, 0},
        {ARENA + 0x20, 0xfffff, 0, 1, 1, 0, 0},
        {DATA - 0x80, 0x11ff, 0, 1, 0, 0, 0},
        {ARENA, 0x8fff, 1, 1, 0, 0, 0},
        {ARENA, 0xffff, 0, 1, 0, 1, 0},
        {ARENA, 0xffff, 0, 1, 0, 0, 1},
    };

    return entries[i];
}

#endif
