/*
 * Nothing that a guest does may end or stop the interpreter: random bytes as
 * code, tables and data, in every mode.  COPAL_SEED=n repeats a run,
 * COPAL_ROUNDS=n makes it longer.
 */

#include "cpu/interp.h"

#include <stdio.h>

#include "tests/unit/cpu/box.h"
#include "tests/unit/suite.h"

enum { RUN = 2000, ROUNDS = 300 };

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1d;
}

/* Small, or an address in RAM, or anything. */
static uint64_t random_value(uint64_t *seed)
{
    uint64_t v = next_random(seed);

    switch (v >> 60 & 3) {
    case 0: return v & 0xff;
    case 1: return v % BOX_RAM;
    case 2: return BOX_CODE + (v & 0xfff);
    default: return v;
    }
}

static void scramble(struct box *b, uint64_t *seed, paddr at, unsigned size)
{
    for (unsigned i = 0; i < size; i += 8) {
        uint64_t v = next_random(seed);

        physmem_write(&b->mem, at + i, v, 8);
    }
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static uint64_t run_random(struct box *(*make)(void), uint64_t seed)
{
    struct box *b = make();
    uint64_t count;

    scramble(b, &seed, 0, 0x800);
    scramble(b, &seed, BOX_CODE, 0x2000);
    scramble(b, &seed, BOX_STACK - 0x100, 0x200);
    for (unsigned r = 0; r < GPR_COUNT; r++)
        if (r != RSP)
            b->cpu.gpr[r] = random_value(&seed);
    for (unsigned i = 0; i < 4; i++) {
        enum stop_reason why = b->engine->run(b->engine, &b->cpu, RUN);

        if (why == STOP_SHUTDOWN || why == STOP_HALT)
            break;
    }
    count = b->stats.insn_interp;
    box_free(b);
    return count;
}

START_TEST(test_random_code_neither_crashes_nor_hangs)
{
    static struct box *(*const makers[])(void) = {box_new, box_new_32,
                                                  box_new_long};
    uint64_t seed = setting("COPAL_SEED", 20261121);
    uint64_t rounds = setting("COPAL_ROUNDS", ROUNDS), count = 0;

    printf("random code: COPAL_SEED=%llu COPAL_ROUNDS=%llu\n",
           (unsigned long long)seed, (unsigned long long)rounds);
    for (uint64_t i = 0; i < rounds; i++)
        count += run_random(makers[i % 3], next_random(&seed));
    printf("random code: %llu instructions\n", (unsigned long long)count);
    ck_assert_uint_gt(count, rounds);
}
END_TEST

SUITE("random code", test_random_code_neither_crashes_nor_hangs)
