/* Integer arithmetic, flags, and every way to change the flow of control. */
#include "bench.h"

#define STANDALONE __attribute__((noipa))
#define TABLE 16u /* functions to choose from: a power of two */

static uint64_t run_xorshift(unsigned char *arena, unsigned count)
{
    uint64_t x = 88172645463325252u;

    (void)arena;
    for (unsigned i = 0; i < count; i++)
        x = xorshift(x) + i;
    return x;
}

/* Four 64-bit words added with carry, then the carry, the sign and an unsigned
 * comparison used as values: no result is dead, so no flag is either. */
static uint64_t run_flags(unsigned char *arena, unsigned count)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, x = 88172645463325252u, sum = 0;

    (void)arena;
    for (unsigned i = 0; i < count; i++) {
        uint64_t bit = 0;

        x = xorshift(x);
        __asm__("add %[x], %[a]\n\t"
                "adc %[a], %[b]\n\t"
                "adc %[b], %[c]\n\t"
                "adc %[c], %[d]\n\t"
                "setc %b[bit]\n\t"
                "adc %[bit], %[sum]\n\t"
                "sets %b[bit]\n\t"
                "sbb %[bit], %[sum]\n\t"
                "cmp %[b], %[d]\n\t"
                "cmova %[x], %[a]\n\t"
                "cmovle %[c], %[b]"
                : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d),
                  [bit] "+q"(bit), [sum] "+r"(sum)
                : [x] "r"(x)
                : "cc");
    }
    return mix(mix(mix(mix(sum, a), b), c), d);
}

/* Division by numbers that the compiler does not know: 32 and 64 bits, with
 * and without a sign. */
static uint64_t run_divisions(unsigned char *arena, unsigned count)
{
    uint64_t x = 88172645463325252u, sum = 0;

    (void)arena;
    for (unsigned i = 1; i < count; i++) {
        x = xorshift(x);
        sum += x / i + x % i;
        sum ^= (uint64_t)((int64_t)x / (int)i);
        sum += (uint32_t)x % i;
        sum ^= (uint32_t)((int32_t)x / (int32_t)i);
    }
    return sum;
}

/* Conditional branches that no predictor can learn. */
static uint64_t run_branches(unsigned char *arena, unsigned count)
{
    uint64_t steps = 0;

    (void)arena;
    for (unsigned i = 1; i < count; i++)
        for (uint64_t n = i; n != 1; steps++) {
            if (n & 1)
                n = 3 * n + 1;
            else
                n >>= 1;
        }
    return steps;
}

STANDALONE
    __attribute__((optimize("no-optimize-sibling-calls"))) static uint64_t
    fibonacci(unsigned n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint64_t run_calls(unsigned char *arena, unsigned count)
{
    (void)arena;
    return fibonacci(count);
}

/* Functions that differ, so that the compiler keeps all of them. */
#define FUNCTION(n)                                     \
    STANDALONE static uint64_t function_##n(uint64_t x) \
    {                                                   \
        return (x ^ n) + (x >> (n + 1));                \
    }
FUNCTION(0)
FUNCTION(1) FUNCTION(2) FUNCTION(3) FUNCTION(4) FUNCTION(5) FUNCTION(6)
    FUNCTION(7) FUNCTION(8) FUNCTION(9) FUNCTION(10) FUNCTION(11) FUNCTION(12)
        FUNCTION(13) FUNCTION(14) FUNCTION(15)

            static uint64_t (*const functions[TABLE])(uint64_t) = {
                function_0,  function_1,  function_2,  function_3,
                function_4,  function_5,  function_6,  function_7,
                function_8,  function_9,  function_10, function_11,
                function_12, function_13, function_14, function_15,
};

static uint64_t run_indirect_calls(unsigned char *arena, unsigned count)
{
    uint64_t x = 1;

    (void)arena;
    for (unsigned i = 0; i < count; i++)
        x = functions[(i * 7 + (i >> 4)) % TABLE](x) + i;
    return x;
}

/* The program below, by an interpreter that jumps from operation to
 * operation through a table. */
enum operation { ADD, XOR, SHIFT, SWAP, DECREMENT, REPEAT, HALT };

static const unsigned char program[] = {
    ADD,  XOR, SHIFT, ADD,   SWAP, ADD,       SHIFT,  XOR,
    SWAP, XOR, ADD,   SHIFT, SWAP, DECREMENT, REPEAT, HALT};

static uint64_t run_threaded(unsigned char *arena, unsigned count)
{
    static const void *const targets[] = {
        &&add, &&exclusive, &&shift, &&swap, &&decrement, &&repeat, &&halt};
    const unsigned char *pc = program;
    uint64_t a = 1, b = 0x12345, left = count, old;

    (void)arena;
#define NEXT goto *targets[*pc++]
    NEXT;
add:
    a += b;
    NEXT;
exclusive:
    a ^= b;
    NEXT;
shift:
    a = a << 3 | a >> 61;
    NEXT;
swap:
    old = a;
    a = b;
    b = old;
    NEXT;
decrement:
    left--;
    NEXT;
repeat:
    if (left)
        pc = program;
    NEXT;
halt:
#undef NEXT
    return mix(a, b);
}

const struct row integer_rows[] = {
    {"xorshift", NULL, run_xorshift, 50000000},
    {"flags", NULL, run_flags, 15000000},
    {"divisions", NULL, run_divisions, 5000000},
    {"branches", NULL, run_branches, 250000},
    {"calls", NULL, run_calls, 34},
    {"indirect-calls", NULL, run_indirect_calls, 30000000},
    {"threaded", NULL, run_threaded, 4000000},
    {NULL, NULL, NULL, 0},
};
