/*
 * A buffer for generated code that is much too small: blocks are evicted while
 * others are linked to them, while the jump cache names them, and while the
 * program rewrites itself; what it computes is what the interpreter computes.
 *
 * The program calls its functions in an order that looks random.  Each function
 * mixes EBX and jumps to another, a few deep; between calls one function gets
 * a new constant.
 */

#include "tests/unit/jit/engines.h"
#include "tests/unit/suite.h"

enum {
    FUNCTIONS = 4096,
    FUNCTION_SIZE = 64,
    FIRST = 0x180000,
    DEPTH = 12,
    CALLS = 4000,
};

static paddr function_at(unsigned i)
{
    return FIRST + (paddr)(i % FUNCTIONS) * FUNCTION_SIZE;
}

static void write_function(struct box *b, unsigned i)
{
    struct pen p = {b, function_at(i)};

    PEN(&p, 0x81, 0xc3);             /* ADD EBX, i */
    pen_32(&p, i);
    PEN(&p, 0xc1, 0xc3, 0x03);       /* ROL EBX, 3 */
    PEN(&p, 0x31, 0xf3, 0xff, 0xca); /* XOR EBX, ESI; DEC EDX */
    PEN(&p, 0x0f, 0x85);             /* JNZ another */
    pen_32(&p, (uint32_t)(function_at(5 * i + 1) - (p.at + 4)));
    PEN(&p, 0xc3);
}

/* EAX = FUNCTION_SIZE times some bits of ESI. */
static void pick(struct pen *p, uint8_t shift)
{
    PEN(p, 0x89, 0xf0, 0xc1, 0xe8, shift, 0x25);
    pen_32(p, FUNCTIONS - 1);
    PEN(p, 0xc1, 0xe0, 6);
}

static void write_program(struct box *b)
{
    struct pen p = {b, BOX_CODE};
    paddr start;

    for (unsigned i = 0; i < FUNCTIONS; i++)
        write_function(b, i);
    PEN(&p, 0xbd); /* MOV EBP, CALLS */
    pen_32(&p, CALLS);
    start = p.at;
    PEN(&p, 0x69, 0xf6); /* IMUL ESI, ESI, ...; ADD ESI, ... */
    pen_32(&p, 1103515245);
    PEN(&p, 0x81, 0xc6);
    pen_32(&p, 12345);
    pick(&p, 12);
    PEN(&p, 0x05);
    pen_32(&p, FIRST);
    PEN(&p, 0xba);
    pen_32(&p, DEPTH);
    PEN(&p, 0xff, 0xd0); /* CALL RAX */
    pick(&p, 8);
    PEN(&p, 0x88, 0x98); /* MOV [RAX + FIRST + 2], BL */
    pen_32(&p, FIRST + 2);
    PEN(&p, 0xff, 0xcd, 0x0f, 0x85); /* DEC EBP; JNZ start */
    pen_32(&p, (uint32_t)(start - (p.at + 4)));
    PEN(&p, 0xf4);
}

static void run(struct box *b)
{
    enum stop_reason reason = STOP_BUDGET;

    write_program(b);
    for (unsigned r = 0; r < GPR_COUNT; r++)
        if (r != RSP)
            b->cpu.gpr[r] = r;
    for (unsigned n = 0; n < 100 && reason == STOP_BUDGET; n++)
        reason = b->engine->run(b->engine, &b->cpu, BOX_BUDGET);
    ck_assert_int_eq(reason, STOP_HALT);
}

static void agrees(struct box *(*make)(void), uint32_t code_size,
                   uint64_t evicted)
{
    struct box *a = make(), *b = engines_jit(make(), code_size);

    run(a);
    run(b);
    ck_assert_mem_eq(a->cpu.gpr, b->cpu.gpr, sizeof(a->cpu.gpr));
    ck_assert_uint_eq(cpu_eflags(&a->cpu), cpu_eflags(&b->cpu));
    ck_assert_mem_eq(box_at(a, FIRST), box_at(b, FIRST),
                     FUNCTIONS * FUNCTION_SIZE);
    printf("evict: %u KiB: %llu translated, %llu evicted, %llu linked, "
           "%llu invalidated, %llu instructions\n", code_size >> 10,
           (unsigned long long)b->stats.blocks_translated,
           (unsigned long long)b->stats.block_evict,
           (unsigned long long)b->stats.chain_link,
           (unsigned long long)b->stats.code_invalidate,
           (unsigned long long)b->stats.insn_jit);
    ck_assert_uint_ge(b->stats.block_evict, evicted);
    ck_assert_uint_gt(b->stats.insn_jit, b->stats.insn_interp);
    box_free(a);
    box_free(b);
}

START_TEST(test_a_small_buffer_changes_nothing)
{
    agrees(box_new_long, 256 << 10, 1000);
    agrees(box_new_32, 256 << 10, 1000);
}
END_TEST

START_TEST(test_the_smallest_buffer_changes_nothing)
{
    agrees(box_new_long, 128 << 10, 1000);
    agrees(box_new_32, 128 << 10, 1000);
}
END_TEST

START_TEST(test_a_large_buffer_evicts_nothing)
{
    agrees(box_new_long, 0, 0);
}
END_TEST

START_TEST(test_a_buffer_that_is_none_is_refused)
{
    struct box *b = box_new();

    ck_assert_ptr_null(
        jit_new(&b->cpu, &(struct jit_options){.code_size = 4096}));
    box_free(b);
}
END_TEST

SUITE("eviction", test_a_small_buffer_changes_nothing,
      test_the_smallest_buffer_changes_nothing,
      test_a_large_buffer_evicts_nothing,
      test_a_buffer_that_is_none_is_refused)
