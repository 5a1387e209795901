#ifndef CPU_SOFTFLOAT_PARTS_H
#define CPU_SOFTFLOAT_PARTS_H

/* What the operations of softfloat are made of; for softfloat*.c alone. */

#include "base/bits.h"
#include "cpu/softfloat.h"

enum sf_class { CLASS_FINITE, CLASS_INF, CLASS_QNAN, CLASS_SNAN };

/* An operand taken apart. */
struct sf_value {
    enum sf_class class;
    bool denormal;
    struct softnum n; /* the number, if finite; its sign always */
};

struct sf_value sf_unpack(const struct sf_env *env, const struct sf_format *f,
                          uint64_t a);

/* Rounds a number that is not zero. */
uint64_t sf_pack(struct sf_env *env, const struct sf_format *f,
                 struct softnum n);

static inline uint64_t sf_quiet_bit(const struct sf_format *f)
{
    return (uint64_t)1 << (f->frac_bits - 1);
}

static inline uint64_t sf_with_sign(const struct sf_format *f, bool sign,
                                    uint64_t bits)
{
    return bits | (uint64_t)sign << (f->exp_bits + f->frac_bits);
}

static inline uint64_t sf_infinity(const struct sf_format *f, bool sign)
{
    return sf_with_sign(f, sign, bits_mask(f->exp_bits) << f->frac_bits);
}

static inline uint64_t sf_default_nan(const struct sf_format *f)
{
    return sf_infinity(f, true) | sf_quiet_bit(f);
}

static inline uint64_t sf_invalid(struct sf_env *env,
                                  const struct sf_format *f)
{
    env->flags |= SF_INVALID;
    return sf_default_nan(f);
}

static inline bool sf_is_nan(const struct sf_value *v)
{
    return v->class >= CLASS_QNAN;
}

static inline bool sf_is_zero(const struct sf_value *v)
{
    return v->class == CLASS_FINITE && v->n.sig == 0;
}

#endif
