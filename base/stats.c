#include "base/stats.h"

#include <inttypes.h>

static void print_one(uint64_t value, const char *name, const char *what,
                      FILE *f)
{
    if (value)
        fprintf(f, "%15" PRIu64 "  %-20s %s\n", value, name, what);
}

static void print_rate(uint64_t part, uint64_t whole, const char *name,
                       const char *what, FILE *f)
{
    if (whole)
        fprintf(f, "%14.5f%%  %-20s %s\n",
                100 * (double)part / (double)whole, name, what);
}

/* Without counts by translated code, that which C counts is no part of
 * anything. */
static void print_hits(uint64_t missed, uint64_t all, const char *name,
                       const char *what, FILE *f)
{
    print_rate(all > missed ? all - missed : 0, all, name, what, f);
}

static void print_rates(const struct stats *s, FILE *f)
{
    if (s->insn_jit)
        print_rate(s->insn_jit, s->insn_jit + s->insn_interp, "translated",
                   "of instructions ran as translated code", f);
    if (s->guest_bytes)
        fprintf(f, "%15.2f  %-20s %s\n",
                (double)s->host_bytes / (double)s->guest_bytes, "expansion",
                "host bytes per guest byte");
    print_hits(s->tlb_miss, s->tlb_access, "tlb_hit_rate",
               "of accesses by the TLB hit", f);
    print_hits(s->l0_miss, s->l0_access, "l0_hit_rate",
               "of accesses by an L0 slot hit", f);
    print_hits(s->chain_miss, s->chain_exit, "chain_hit_rate",
               "of direct exits jumped to the next block", f);
    print_rate(s->jc_hit, s->jc_lookup, "jc_hit_rate",
               "of indirect jumps found their block", f);
}

void stats_print(const struct stats *s, FILE *f)
{
#define COUNT(name, what) print_one(s->name, #name, what, f);
#include "base/stats.def"
#undef COUNT
    print_rates(s, f);
}
