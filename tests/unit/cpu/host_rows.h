#ifndef TESTS_UNIT_CPU_HOST_ROWS_H
#define TESTS_UNIT_CPU_HOST_ROWS_H

/*
 * Rows of the tables against the processor of the host: which are left out,
 * what is compared for each, and how much was.
 */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "tests/unit/cpu/simd_host.h"

struct skipped_row {
    uint16_t id;
    const char *why;
};

struct tally {
    unsigned long rows, cases;
    unsigned long traps, in_memory; /* cases that trapped, that used memory */
    unsigned failures;
};

/* COPAL_TEST_SEED, or always the same. */
static inline uint64_t test_seed(void)
{
    const char *text = getenv("COPAL_TEST_SEED");

    return text ? strtoull(text, NULL, 0) : 0x9e3779b97f4a7c15;
}

static inline const char *why_listed(const struct skipped_row *rows,
                                     size_t count, unsigned id)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].id == id)
            return rows[i].why;
    return NULL;
}

/* Says why the row is skipped, if it is: `why` is not NULL. */
static inline bool row_skipped(unsigned id, const char *why)
{
    if (why)
        printf("skipped %s: %s\n", insn_info[id].id, why);
    return why;
}

/* A row was run, this number of cases of it. */
static inline void tally_row(struct tally *t, unsigned id, unsigned cases)
{
    if (cases == 0) {
        printf("%s: no encoding found\n", insn_info[id].id);
        t->failures++;
    }
    t->cases += cases;
    t->rows++;
}

static inline void tally_check(const struct tally *t, const char *name,
                               uint64_t seed)
{
    printf("%s: %lu rows, %lu cases, of which %lu with memory and %lu that "
           "trapped; seed %llx\n",
           name, t->rows, t->cases, t->in_memory, t->traps,
           (unsigned long long)seed);
    ck_assert_uint_eq(t->failures, 0);
    ck_assert_uint_gt(t->rows, 0);
}

/* --- comparison: name of the first thing that differs, or NULL --- */

/* gpr, flags: the host's after the instruction. */
static inline const char *compare_general(const struct cpu *cpu,
                                          const struct insn *in,
                                          const uint64_t *gpr, uint64_t flags)
{
    for (unsigned i = 0; i < HOST_GPRS; i++)
        if (cpu->gpr[host_gpr_number[i]] != gpr[i])
            return "a general register";
    if (insn_info[in->id].flags != FLAGROW_NONE &&
        aflags_to_eflags(cpu->aflags) != (flags & FLAGS_ARITH))
        return "EFLAGS";
    return NULL;
}

static inline const char *compare_exception(const struct cpu *cpu)
{
    if (cpu->exc.vector != EXC_XM)
        return "the exception";
    return cpu->mxcsr != host_trapped ? "MXCSR in the trap" : NULL;
}

/* mxcsr: before the instruction; host: after it. */
static inline void print_difference(const struct cpu *cpu,
                                    const struct insn *in, const char *what,
                                    uint32_t mxcsr, uint32_t host)
{
    printf("%s:", insn_info[in->id].id);
    for (unsigned i = 0; i < in->len; i++)
        printf(" %02x", in->bytes[i]);
    printf(": %s differs; MXCSR %04x -> %04x, host %04x trap %04x\n", what,
           mxcsr, cpu->mxcsr, host, host_trapped);
}

#endif
