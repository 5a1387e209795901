/* REP MOVS and REP STOS in bulk do what the manual's loop does. */
#include "tests/unit/cpu/box.h"
#include "tests/unit/suite.h"

/* What the manual's loop makes of what lies at `at`, copied `ahead` bytes up. */
static void copy_loop(uint8_t *at, unsigned ahead, unsigned count, unsigned n)
{
    for (unsigned i = 0; i < count * n; i += n) {
        uint8_t element[8];

        memcpy(element, at + i, n);
        memcpy(at + ahead + i, element, n);
    }
}

enum { STRING_FROM = 0x30003 };

/* Runs REP and the string instruction with elements of 1 << log bytes. */
static void run_string(struct box *b, uint8_t opcode, unsigned log,
                       unsigned count, unsigned ahead)
{
    const uint8_t prefix[4] = {0x90, 0x66, 0x90, 0x48};
    uint8_t code[4] = {0xf3, prefix[log], opcode | (log > 0), 0xf4};

    if (log == 1)
        code[0] = 0x66, code[1] = 0xf3;
    if (prefix[log] == 0x90) /* none */
        code[0] = 0x90, code[1] = 0xf3;
    memcpy(box_at(b, BOX_CODE), code, sizeof(code));
    b->engine->flush(b->engine);
    b->cpu.halted = false;
    b->cpu.rip = BOX_CODE;
    b->cpu.gpr[RCX] = count;
    b->cpu.gpr[RSI] = STRING_FROM;
    b->cpu.gpr[RDI] = STRING_FROM + ahead;
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 0);
    ck_assert_uint_eq(b->cpu.gpr[RDI], STRING_FROM + ahead + (count << log));
}

START_TEST(test_overlapping_copies_of_all_distances)
{
    enum { SIZE = 1024 };
    struct box *b = box_new_long();
    uint8_t expected[SIZE];

    for (unsigned k = 0; k < 4 * 40 * 12; k++) {
        unsigned log = k % 4, ahead = k / 4 % 40, count = k / 160 * 7;

        for (unsigned i = 0; i < SIZE; i++)
            expected[i] = (uint8_t)(i * 167 + k);
        memcpy(box_at(b, STRING_FROM), expected, SIZE);
        copy_loop(expected, ahead, count, 1u << log);
        run_string(b, 0xa4, log, count, ahead);
        ck_assert_mem_eq(box_at(b, STRING_FROM), expected, SIZE);
    }
    box_free(b);
}
END_TEST

START_TEST(test_fills_of_all_sizes)
{
    enum { ROOM = 2048 };
    struct box *b = box_new_long();

    for (unsigned k = 0; k < 4 * 200; k++) {
        unsigned log = k % 4, count = k / 4, size = count << log;

        memset(box_at(b, STRING_FROM), 0, ROOM);
        b->cpu.gpr[RAX] = 0x0807060504030201;
        run_string(b, 0xaa, log, count, 0);
        for (unsigned i = 0; i < size; i++)
            ck_assert_uint_eq(*box_at(b, STRING_FROM + i), 1 + i % (1u << log));
        ck_assert_uint_eq(*box_at(b, STRING_FROM + size), 0);
    }
    box_free(b);
}
END_TEST

/* One page of the destination may not be written, the one behind it is done
 * after the fault was mended; the source is contiguous on the host. */
START_TEST(test_a_long_fill_stops_at_the_page_that_faults)
{
    enum { TO = 0x200000, COUNT = 0x20000, HOLE = 0x213000 };
    struct box *b = box_new_long();

    BOX_LOAD(b, 0xf3, 0xaa, 0xf4); /* rep stosb; hlt */
    b->cpu.gpr[RAX] = 0x5a;
    b->cpu.gpr[RCX] = COUNT;
    b->cpu.gpr[RDI] = TO;
    box_forbid(b, HOLE, 2);
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.cr2, HOLE);
    ck_assert_uint_eq(b->cpu.gpr[RDI], HOLE);
    ck_assert_uint_eq(b->cpu.gpr[RCX], COUNT - (HOLE - TO));
    ck_assert_uint_eq(*box_at(b, HOLE - 1), 0x5a);
    ck_assert_uint_eq(*box_at(b, HOLE), 0);
    box_map(b);
    mmu_flush_all(&b->cpu.mmu);
    ck_assert_int_eq(box_fault(b), -1);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(*box_at(b, TO + i), 0x5a);
    ck_assert_uint_eq(*box_at(b, TO + COUNT), 0);
    box_free(b);
}
END_TEST

SUITE("string", test_overlapping_copies_of_all_distances,
      test_fills_of_all_sizes, test_a_long_fill_stops_at_the_page_that_faults)
