#ifndef CPU_FLOAT80_FUNCTIONS_H
#define CPU_FLOAT80_FUNCTIONS_H

/*
 * Transcendental functions of extended numbers.  The error before rounding is
 * below 2^-50 of the last place, so results are nearly always the correctly
 * rounded ones; rounding control applies, precision control does not.
 */

#include "cpu/float80.h"

/* |a| is 2^63 or more, but finite: FSIN and the like do nothing then. */
bool f80_is_out_of_range(const struct f80 *a);

f80_unary f80_sin, f80_cos, f80_tan; /* a is in range, or not finite */
f80_binary f80_atan2;                /* FPATAN: of the point (b, a) */
f80_unary f80_exp2m1;                /* F2XM1; if |a| > 1, a itself */
f80_binary f80_ylog2x;               /* FYL2X: a log2(b) */
f80_binary f80_ylog2xp1;             /* FYL2XP1: a log2(b + 1) */

/* Rounds what is known not to be exact. */
struct fpreg f80_inexact(struct f80_env *env, struct softnum n);

#endif
