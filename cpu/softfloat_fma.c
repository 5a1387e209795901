/*
 * a * b + c rounded once, as the instructions of FMA have it (SDM vol. 1,
 * 14.5.3).
 *
 * Of several NaNs the result is the first of a, b, c.  A NaN as c hides that
 * infinity times zero is invalid.
 */

#include "cpu/softfloat_parts.h"

static bool is_invalid(const struct sf_value *x, const struct sf_value *y,
                       const struct sf_value *z)
{
    bool infinite = x->class == CLASS_INF || y->class == CLASS_INF;

    if (!infinite)
        return false;
    if (sf_is_zero(x) || sf_is_zero(y))
        return true;
    return z->class == CLASS_INF && (x->n.sign != y->n.sign) != z->n.sign;
}

/* Products have at most 106 bits, and their sum with another number comes out
 * of softnum_add as it should: see there. */
static uint64_t multiply_add(struct sf_env *env, const struct sf_format *f,
                             struct softnum x, struct softnum y,
                             struct softnum z)
{
    struct softnum product = {.sign = x.sign != y.sign}, sum;

    if (x.sig && y.sig)
        product = softnum_mul(x, y);
    sum = softnum_add(product, z);
    if (sum.sig)
        return sf_pack(env, f, sum);
    if (product.sign != z.sign)
        return sf_with_sign(f, env->round == ROUND_DOWN, 0);
    return sf_with_sign(f, z.sign, 0);
}

static uint64_t propagate_nan(struct sf_env *env, const struct sf_format *f,
                              const uint64_t *bits, const struct sf_value *v)
{
    unsigned first = 0;

    for (unsigned i = 0; i < 3; i++)
        if (v[i].class == CLASS_SNAN)
            env->flags |= SF_INVALID;
    while (!sf_is_nan(&v[first]))
        first++;
    return bits[first] | sf_quiet_bit(f);
}

uint64_t sf_fma(struct sf_env *env, const struct sf_format *f, uint64_t a,
                uint64_t b, uint64_t c, unsigned negate)
{
    const uint64_t bits[3] = {a, b, c};
    struct sf_value v[3];
    bool product_sign;

    for (unsigned i = 0; i < 3; i++)
        v[i] = sf_unpack(env, f, bits[i]);
    if (sf_is_nan(&v[0]) || sf_is_nan(&v[1]) || sf_is_nan(&v[2]))
        return propagate_nan(env, f, bits, v);
    v[0].n.sign ^= (negate & SF_NEGATE_PRODUCT) != 0;
    v[2].n.sign ^= (negate & SF_NEGATE_ADDEND) != 0;
    if (is_invalid(&v[0], &v[1], &v[2]))
        return sf_invalid(env, f);
    if (v[0].denormal || v[1].denormal || v[2].denormal)
        env->flags |= SF_DENORMAL;
    product_sign = v[0].n.sign != v[1].n.sign;
    if (v[0].class == CLASS_INF || v[1].class == CLASS_INF)
        return sf_infinity(f, product_sign);
    if (v[2].class == CLASS_INF)
        return sf_infinity(f, v[2].n.sign);
    return multiply_add(env, f, v[0].n, v[1].n, v[2].n);
}
