#include "cpu/softfloat_parts.h"

/* Numbers that have bits below the point have an exponent below frac_bits. */
uint64_t sf_round_to_int(struct sf_env *env, const struct sf_format *f,
                         uint64_t a, enum softnum_round round)
{
    struct sf_value x = sf_unpack(env, f, a);
    struct softnum_rounded r;

    if (x.class == CLASS_SNAN)
        env->flags |= SF_INVALID;
    if (sf_is_nan(&x))
        return a | sf_quiet_bit(f);
    if (sf_is_zero(&x))
        return sf_with_sign(f, x.n.sign, 0);
    if (x.class == CLASS_INF || x.n.exp >= f->frac_bits)
        return a;
    r = softnum_round(x.n.sign, x.n.sig, (unsigned)(127 - x.n.exp), round);
    if (r.inexact)
        env->flags |= SF_INEXACT;
    if (r.sig == 0)
        return sf_with_sign(f, x.n.sign, 0);
    return sf_pack(env, f, softnum_make(x.n.sign, r.sig, 0));
}
