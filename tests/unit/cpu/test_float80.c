/*
 * Extended arithmetic without the instructions around it: results recorded from
 * a processor, exact values of the functions, and the rules that hold for all
 * operands.  Every instruction against the host's x87: tests/x87.
 */

#include <stdio.h>

#include "base/bits.h"
#include "cpu/float80_functions.h"
#include "cpu/fpu_run.h"
#include "tests/unit/cpu/fpu_operands.h"
#include "tests/unit/suite.h"

enum { ROUNDS = 50000, COMPARED = SF_ALL | FPU_SW_CC };

/* --- arithmetic: recorded results --- */

struct result {
    struct fpreg value;
    unsigned sw;
};

typedef struct result operation(struct f80_env *env, const struct f80 *a,
                                const struct f80 *b);

static struct result in_memory(uint64_t v)
{
    return (struct result){{v, 0}, 0};
}

#define BINARY(name)                                                         \
    static struct result op_##name(struct f80_env *env, const struct f80 *a, \
                                   const struct f80 *b)                      \
    {                                                                        \
        return (struct result){f80_##name(env, a, b), 0};                    \
    }
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(scale)

#define UNARY(name, value_)                                                  \
    static struct result op_##name(struct f80_env *env, const struct f80 *a, \
                                   const struct f80 *b)                      \
    {                                                                        \
        (void)b;                                                             \
        return value_;                                                       \
    }
UNARY(sqrt, ((struct result){f80_sqrt(env, a), 0}))
UNARY(round_int, ((struct result){f80_round_int(env, a), 0}))
UNARY(to_single, in_memory(f80_to_single(env, a)))
UNARY(to_double, in_memory(f80_to_double(env, a)))
UNARY(to_int16, in_memory((uint16_t)f80_to_int(env, a, 2)))
UNARY(to_int32, in_memory((uint32_t)f80_to_int(env, a, 4)))
UNARY(to_int64, in_memory((uint64_t)f80_to_int(env, a, 8)))

static struct result remainder_of(struct f80_env *env, const struct f80 *a,
                                  const struct f80 *b, enum softnum_round round)
{
    struct f80_remainder r = f80_rem(env, a, b, round);
    unsigned sw = r.partial ? FPU_SW_C2 : 0;

    env->up = false;
    if (r.partial || r.none)
        return (struct result){r.value, sw};
    sw |= r.quotient & 4 ? FPU_SW_C0 : 0;
    sw |= r.quotient & 2 ? FPU_SW_C3 : 0;
    sw |= r.quotient & 1 ? FPU_SW_C1 : 0;
    return (struct result){r.value, sw};
}

static struct result op_rem(struct f80_env *env, const struct f80 *a,
                            const struct f80 *b)
{
    return remainder_of(env, a, b, ROUND_ZERO);
}

static struct result op_rem1(struct f80_env *env, const struct f80 *a,
                             const struct f80 *b)
{
    return remainder_of(env, a, b, ROUND_NEAREST);
}

static const struct recorded {
    const char *name;
    operation *op;
    uint16_t cw;
    struct fpreg a, b, result;
    uint16_t sw;
} recorded[] = {
#define ARITHMETIC(op, cw, ae, af, be, bf, re, rf, sw) \
    {#op, op_##op, cw, {af, ae}, {bf, be}, {rf, re}, sw},
#define FUNCTION(...)
#include "tests/unit/cpu/float80_vectors.def"
#undef ARITHMETIC
#undef FUNCTION
};

START_TEST(arithmetic_is_the_processors)
{
    unsigned failures = 0;

    for (size_t i = 0; i < array_len(recorded); i++) {
        const struct recorded *c = &recorded[i];
        struct fpu fpu = {.cw = c->cw};
        struct f80_env env = fpu_env(&fpu);
        struct f80 a = f80_of(c->a), b = f80_of(c->b);
        struct result r = c->op(&env, &a, &b);
        unsigned sw = r.sw | env.flags | (env.up ? FPU_SW_C1 : 0);

        if (r.value.frac == c->result.frac && r.value.exp == c->result.exp &&
            (sw & COMPARED) == (c->sw & COMPARED))
            continue;
        printf("%s %04x: %04x %016llx, %04x %016llx: %04x %016llx %04x, not "
               "%04x %016llx %04x\n",
               c->name, c->cw, c->a.exp, (unsigned long long)c->a.frac,
               c->b.exp, (unsigned long long)c->b.frac, r.value.exp,
               (unsigned long long)r.value.frac, sw, c->result.exp,
               (unsigned long long)c->result.frac, c->sw);
        failures++;
    }
    printf("float80: %zu recorded results\n", array_len(recorded));
    ck_assert_uint_eq(failures, 0);
}
END_TEST

/* --- functions: exact values --- */

#define ONE_OPERAND(name)                                                   \
    static struct fpreg fn_##name(struct f80_env *env, const struct f80 *x, \
                                  const struct f80 *y)                      \
    {                                                                       \
        (void)y;                                                            \
        return f80_##name(env, x);                                          \
    }
ONE_OPERAND(sin)
ONE_OPERAND(cos)
ONE_OPERAND(tan)
ONE_OPERAND(exp2m1)

#define TWO_OPERANDS(name)                                                  \
    static struct fpreg fn_##name(struct f80_env *env, const struct f80 *x, \
                                  const struct f80 *y)                      \
    {                                                                       \
        return f80_##name(env, y, x);                                       \
    }
TWO_OPERANDS(atan2)
TWO_OPERANDS(ylog2x)
TWO_OPERANDS(ylog2xp1)

static const struct exact {
    const char *name;
    f80_binary *function;
    struct fpreg x, y, result;
} exact[] = {
#define ARITHMETIC(...)
#define FUNCTION(op, xe, xf, ye, yf, re, rf) \
    {#op, fn_##op, {xf, xe}, {yf, ye}, {rf, re}},
#include "tests/unit/cpu/float80_vectors.def"
#undef ARITHMETIC
#undef FUNCTION
};

START_TEST(functions_are_rounded_correctly)
{
    unsigned failures = 0;

    for (size_t i = 0; i < array_len(exact); i++) {
        const struct exact *c = &exact[i];
        struct f80_env env = {.digits = F80_DIGITS};
        struct f80 x = f80_of(c->x), y = f80_of(c->y);
        struct fpreg r = c->function(&env, &x, &y);

        if (r.frac == c->result.frac && r.exp == c->result.exp &&
            env.flags == SF_INEXACT)
            continue;
        printf("%s %04x %016llx, %04x %016llx: %04x %016llx, not %04x %016llx; "
               "flags %02x\n",
               c->name, c->x.exp, (unsigned long long)c->x.frac, c->y.exp,
               (unsigned long long)c->y.frac, r.exp, (unsigned long long)r.frac,
               c->result.exp, (unsigned long long)c->result.frac, env.flags);
        failures++;
    }
    printf("float80: %zu values of functions\n", array_len(exact));
    ck_assert_uint_eq(failures, 0);
}
END_TEST

/* --- rules --- */

static struct f80 random_operand(struct random *random)
{
    uint8_t bytes[10];

    random_extended(random, bytes);
    return f80_of((struct fpreg){load64(bytes), load16(bytes + 8)});
}

static struct f80_env masked(struct random *random)
{
    static const uint8_t digits[] = {24, 53, 64};

    return (struct f80_env){.round = pick(random, 4),
                            .digits = digits[pick(random, 3)]};
}

static void check_same(struct fpreg a, struct fpreg b)
{
    ck_assert_uint_eq(a.frac, b.frac);
    ck_assert_uint_eq(a.exp, b.exp);
}

START_TEST(sums_and_products_commute)
{
    static f80_binary *const operations[] = {f80_add, f80_mul};
    struct random random = {test_seed()};

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct f80 a = random_operand(&random), b = random_operand(&random);
        struct f80_env env = masked(&random), other = env;
        f80_binary *op = operations[i & 1];

        check_same(op(&env, &a, &b), op(&other, &b, &a));
        ck_assert_uint_eq(env.flags, other.flags);
        ck_assert_uint_eq(env.up, other.up);
    }
}
END_TEST

/* Down, up: neighbours around the exact result, the same if it is exact. */
START_TEST(directed_roundings_enclose_the_result)
{
    struct random random = {test_seed()};

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct f80 a = random_operand(&random), b = random_operand(&random);
        struct f80_env down = masked(&random), up = down, order = down;
        struct f80 low, high;

        down.round = ROUND_DOWN;
        up.round = ROUND_UP;
        low = f80_of(f80_div(&down, &a, &b));
        high = f80_of(f80_div(&up, &a, &b));
        if (f80_is_nan(&low))
            continue;
        ck_assert_uint_eq(down.flags & SF_INEXACT, up.flags & SF_INEXACT);
        ck_assert_int_eq(f80_compare(&order, &low, &high, true),
                         down.flags & SF_INEXACT ? SF_LESS : SF_EQUAL);
    }
}
END_TEST

START_TEST(integers_come_back)
{
    struct random random = {test_seed()};

    for (unsigned i = 0; i < ROUNDS; i++) {
        int64_t v = (int64_t)next_random(&random) >> pick(&random, 64);
        struct f80_env env = masked(&random);
        struct f80 a = f80_from_int(v);

        ck_assert_int_eq(f80_to_int(&env, &a, 8), v);
        ck_assert_uint_eq(env.flags, 0);
    }
}
END_TEST

START_TEST(singles_and_doubles_come_back)
{
    struct random random = {test_seed()};

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct f80_env env = masked(&random);
        uint32_t s = random_single(&random);
        uint64_t d = random_double(&random);
        struct f80 a = f80_from_single(s), b = f80_from_double(d);

        if (a.class != F80_SNAN)
            ck_assert_uint_eq(f80_to_single(&env, &a), s);
        if (b.class != F80_SNAN)
            ck_assert_uint_eq(f80_to_double(&env, &b), d);
        ck_assert_uint_eq(env.flags & ~(unsigned)SF_UNDERFLOW, 0);
    }
}
END_TEST

START_TEST(decimals_come_back)
{
    struct random random = {test_seed()};

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct f80_env env = masked(&random);
        uint8_t bcd[F80_BCD_SIZE], back[F80_BCD_SIZE];
        struct f80 a;

        for (unsigned k = 0; k < F80_BCD_SIZE - 1; k++)
            bcd[k] = (uint8_t)(pick(&random, 10) | pick(&random, 10) << 4);
        bcd[F80_BCD_SIZE - 1] = (uint8_t)(pick(&random, 2) << 7);
        a = f80_from_bcd(bcd);
        f80_to_bcd(&env, &a, back);
        ck_assert_mem_eq(bcd, back, F80_BCD_SIZE);
        ck_assert_uint_eq(env.flags, 0);
    }
}
END_TEST

SUITE("float80", arithmetic_is_the_processors, functions_are_rounded_correctly,
      sums_and_products_commute, directed_roundings_enclose_the_result,
      integers_come_back, singles_and_doubles_come_back, decimals_come_back)
