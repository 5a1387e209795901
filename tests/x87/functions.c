/*
 * How good the portable transcendental functions are.
 *
 *     x87_functions [--cases N] [--seed N]
 *
 * Each is compared with the exact value, which MPFR computes with 320 bits,
 * angles reduced by the x87's 66-bit pi: how many results are the correctly
 * rounded ones, in all rounding modes, and how far the others are off; and
 * with what the host's x87 gives, if it has one: how many are equal, which says
 * more about the host, and how far apart they are at most.  At least 99.9 % must be correctly rounded and none further than one
 * unit in the last place from the exact value.
 */

#include <getopt.h>
#include <math.h>
#include <mpfr.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cpu/fpu_host.h"
#include "cpu/fpu_run.h"
#include "tests/unit/cpu/fpu_operands.h"

enum { PRECISION = 320, DEFAULT_CASES = 20000, BIAS = 16383 };

/* Exact r = f(y, x), or f(x). */
typedef void exact_fn(mpfr_t r, mpfr_t y, mpfr_t x);

/* --- exact values --- */

/* pi as the processor has it: 66 bits. */
static void set_pi66(mpfr_t r)
{
    mpfr_set_str(r, "c90fdaa22168c234c", 16, MPFR_RNDN);
    mpfr_mul_2si(r, r, -66, MPFR_RNDN);
}

/* x = quadrant * pi/2 + rest. */
static unsigned reduce(mpfr_t rest, mpfr_t x)
{
    mpfr_t half_pi, quotient;
    unsigned quadrant;

    mpfr_inits2(PRECISION, half_pi, quotient, NULL);
    set_pi66(half_pi);
    mpfr_div_2ui(half_pi, half_pi, 1, MPFR_RNDN);
    mpfr_div(quotient, x, half_pi, MPFR_RNDN);
    mpfr_rint(quotient, quotient, MPFR_RNDN);
    mpfr_mul(half_pi, half_pi, quotient, MPFR_RNDN);
    mpfr_sub(rest, x, half_pi, MPFR_RNDN);
    quadrant = (unsigned)mpfr_get_si(quotient, MPFR_RNDN) & 3;
    mpfr_clears(half_pi, quotient, NULL);
    return quadrant;
}

static void sine_ahead(mpfr_t r, mpfr_t x, unsigned ahead)
{
    mpfr_t rest;
    unsigned quadrant;

    mpfr_init2(rest, PRECISION);
    quadrant = (reduce(rest, x) + ahead) & 3;
    if (quadrant & 1)
        mpfr_cos(r, rest, MPFR_RNDN);
    else
        mpfr_sin(r, rest, MPFR_RNDN);
    if (quadrant & 2)
        mpfr_neg(r, r, MPFR_RNDN);
    mpfr_clear(rest);
}

static void exact_sin(mpfr_t r, mpfr_t y, mpfr_t x)
{
    (void)y;
    sine_ahead(r, x, 0);
}

static void exact_cos(mpfr_t r, mpfr_t y, mpfr_t x)
{
    (void)y;
    sine_ahead(r, x, 1);
}

static void exact_tan(mpfr_t r, mpfr_t y, mpfr_t x)
{
    mpfr_t cosine;

    (void)y;
    mpfr_init2(cosine, PRECISION);
    sine_ahead(r, x, 0);
    sine_ahead(cosine, x, 1);
    mpfr_div(r, r, cosine, MPFR_RNDN);
    mpfr_clear(cosine);
}

static void exact_atan2(mpfr_t r, mpfr_t y, mpfr_t x)
{
    mpfr_atan2(r, y, x, MPFR_RNDN);
}

static void exact_exp2m1(mpfr_t r, mpfr_t y, mpfr_t x)
{
    (void)y;
    mpfr_const_log2(r, MPFR_RNDN);
    mpfr_mul(r, r, x, MPFR_RNDN);
    mpfr_expm1(r, r, MPFR_RNDN);
}

static void exact_ylog2x(mpfr_t r, mpfr_t y, mpfr_t x)
{
    mpfr_log2(r, x, MPFR_RNDN);
    mpfr_mul(r, r, y, MPFR_RNDN);
}

static void exact_ylog2xp1(mpfr_t r, mpfr_t y, mpfr_t x)
{
    mpfr_t ln2;

    mpfr_init2(ln2, PRECISION);
    mpfr_const_log2(ln2, MPFR_RNDN);
    mpfr_log1p(r, x, MPFR_RNDN);
    mpfr_div(r, r, ln2, MPFR_RNDN);
    mpfr_mul(r, r, y, MPFR_RNDN);
    mpfr_clear(ln2);
}

/* --- the functions --- */

/* Exponents of operands, as powers of two; x stays below 2^(max + 1). */
struct range {
    int min, max;
    bool negative;
};

static const struct function {
    const char *name;
    uint8_t modrm;
    uint8_t result; /* ST(i) */
    exact_fn *exact;
    struct range x, y; /* ST(0), ST(1) */
} functions[] = {
    {"F2XM1", 0xf0, 0, exact_exp2m1, {-70, -1, true}, {0, 0, false}},
    {"FYL2X", 0xf1, 0, exact_ylog2x, {-80, 80, false}, {-80, 80, true}},
    {"FPTAN", 0xf2, 1, exact_tan, {-40, 62, true}, {0, 0, false}},
    {"FPATAN", 0xf3, 0, exact_atan2, {-80, 80, true}, {-80, 80, true}},
    {"FYL2XP1", 0xf9, 0, exact_ylog2xp1, {-80, -3, true}, {-80, 80, true}},
    {"FSINCOS sine", 0xfb, 1, exact_sin, {-40, 62, true}, {0, 0, false}},
    {"FSINCOS cosine", 0xfb, 0, exact_cos, {-40, 62, true}, {0, 0, false}},
    {"FSIN", 0xfe, 0, exact_sin, {-40, 62, true}, {0, 0, false}},
    {"FCOS", 0xff, 0, exact_cos, {-40, 62, true}, {0, 0, false}},
};

/* Half of the operands are within a few binades of 1, or of the end of the
 * range. */
static struct fpreg random_number(struct random *random, struct range range)
{
    int min = range.min, max = range.max, exp;
    unsigned sign = range.negative ? pick(random, 2) << 15 : 0;

    if (pick(random, 2)) {
        max = max > 2 ? 2 : max;
        min = max - 6 > min ? max - 6 : min;
    }
    exp = min + (int)pick(random, (unsigned)(max - min + 1));
    return (struct fpreg){next_random(random) | 1ull << 63,
                          (uint16_t)(sign | (unsigned)(exp + BIAS))};
}

/* --- a case --- */

static const mpfr_rnd_t rounding[] = {MPFR_RNDN, MPFR_RNDD, MPFR_RNDU,
                                      MPFR_RNDZ};

static void set_number(mpfr_t r, struct fpreg v)
{
    mpfr_set_ui(r, v.frac, MPFR_RNDN);
    mpfr_mul_2si(r, r, (v.exp & 0x7fff) - BIAS - 63, MPFR_RNDN);
    if (v.exp >> 15)
        mpfr_neg(r, r, MPFR_RNDN);
}

/* |a - b| in units in the last place of the exact value. */
static double ulps(mpfr_t a, mpfr_t b, mpfr_t exact)
{
    mpfr_t d;
    double r;

    mpfr_init2(d, PRECISION);
    mpfr_sub(d, a, b, MPFR_RNDN);
    mpfr_mul_2si(d, d, 64 - mpfr_get_exp(exact), MPFR_RNDN);
    r = fabs(mpfr_get_d(d, MPFR_RNDN));
    mpfr_clear(d);
    return r;
}

struct figures {
    unsigned long cases, rounded, hosts, host_rounded;
    double farthest, host_farthest; /* from the exact value */
    double apart;                   /* the host's from ours */
};

struct values {
    mpfr_t x, y, exact, rounded, got, ours;
};

static bool note(struct values *v, struct fpreg got, double *farthest)
{
    double d;

    set_number(v->got, got);
    d = ulps(v->got, v->exact, v->exact);
    if (d > *farthest)
        *farthest = d;
    return mpfr_equal_p(v->got, v->rounded);
}

static void run_case(const struct function *f, struct cpu *cpu,
                     struct random *random, struct values *v,
                     struct figures *figures)
{
    const struct insn in = {.map = 0xd9, .modrm = f->modrm};
    unsigned rc = pick(random, 4);
    struct fpreg x = random_number(random, f->x);
    struct fpreg y = random_number(random, f->y), ours;
    struct fpu host;

    memset(&cpu->fpu, 0, sizeof(cpu->fpu));
    cpu->fpu.cw = (uint16_t)(FPU_CW_INIT | rc << FPU_CW_RC_SHIFT);
    fpu_push(&cpu->fpu, y);
    fpu_push(&cpu->fpu, x);
    host = cpu->fpu;
    set_number(v->x, x);
    set_number(v->y, y);
    f->exact(v->exact, v->y, v->x);
    mpfr_set(v->rounded, v->exact, rounding[rc]);
    fpu_portable_function(cpu, &in);
    ours = fpu_get(&cpu->fpu, f->result);
    figures->cases++;
    figures->rounded += note(v, ours, &figures->farthest);
    mpfr_set(v->ours, v->got, MPFR_RNDN);
    if (!fpu_host_run(&host, f->modrm))
        return;
    y = fpu_get(&host, f->result);
    figures->hosts += y.frac == ours.frac && y.exp == ours.exp;
    figures->host_rounded += note(v, y, &figures->host_farthest);
    figures->apart = fmax(figures->apart, ulps(v->got, v->ours, v->exact));
}

static double percent(unsigned long part, unsigned long whole)
{
    return 100.0 * (double)part / (double)whole;
}

static bool run(const struct function *f, unsigned long cases,
                struct random *random, struct cpu *cpu)
{
    struct figures figures = {0};
    struct values v;
    bool good;

    mpfr_inits2(PRECISION, v.x, v.y, v.exact, v.got, v.ours, NULL);
    mpfr_init2(v.rounded, 64);
    for (unsigned long i = 0; i < cases; i++)
        run_case(f, cpu, random, &v, &figures);
    mpfr_clears(v.x, v.y, v.exact, v.rounded, v.got, v.ours, NULL);
    good = percent(figures.rounded, cases) >= 99.9 && figures.farthest <= 1.0;
    printf("%-15s %9.4f %% %9.4f", f->name, percent(figures.rounded, cases),
           figures.farthest);
    if (figures.host_rounded)
        printf(" %9.4f %% %9.4f %11.4f %% %9.4f",
               percent(figures.hosts, cases), figures.apart,
               percent(figures.host_rounded, cases), figures.host_farthest);
    printf("%s\n", good ? "" : "  FAILED");
    return good;
}

static bool parse(int argc, char **argv, unsigned long *cases, uint64_t *seed)
{
    static const struct option options[] = {
        {"cases", required_argument, NULL, 'c'},
        {"seed", required_argument, NULL, 'e'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 'c': *cases = strtoul(optarg, NULL, 0); break;
        case 'e': *seed = strtoull(optarg, NULL, 0); break;
        default: return false;
        }
    return optind == argc && *cases;
}

int main(int argc, char **argv)
{
    unsigned long cases = DEFAULT_CASES;
    uint64_t seed = (uint64_t)time(NULL);
    struct random random;
    static struct cpu cpu;
    unsigned failures = 0;

    if (!parse(argc, argv, &cases, &seed)) {
        fprintf(stderr, "usage: x87_functions [--cases N] [--seed N]\n");
        return 2;
    }
    random.state = seed | 1;
    printf("                     portable                  host\n"
           "                correct   max. ulp   = portable  apart       "
           "correct  max. ulp\n");
    for (size_t i = 0; i < array_len(functions); i++)
        failures += !run(&functions[i], cases, &random, &cpu);
    printf("x87 functions: %lu cases each, %u of %zu functions failed; seed "
           "%llu\n",
           cases, failures, array_len(functions), (unsigned long long)seed);
    return failures != 0;
}
