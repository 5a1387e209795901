/*
 * Every row of isa/vector.def, and of the files it includes, against what a
 * processor did: on any host.
 *
 * simd_recorded.def has a digest of what is there after the first CASES cases
 * of each row that test_simd compares with the processor it runs on.  It was
 * made on an AMD Zen 4; COPAL_RECORD=1 prints what takes its place, which is
 * worth something where test_simd passes.
 */

#include <stdio.h>
#include <string.h>

#include "tests/unit/cpu/simd_rig.h"
#include "tests/unit/suite.h"

enum { CASES = 100 };

static const struct recorded {
    uint16_t id;
    uint64_t digest;
} recorded[] = {
#define RECORDED(id, digest) {I_##id, digest},
#include "tests/unit/cpu/simd_recorded.def"
#undef RECORDED
};

/* MMX registers by number, flags where the row writes them. */
static uint64_t digest_state(const struct rig *r, uint64_t d)
{
    const struct cpu *cpu = r->cpu;

    for (unsigned i = 0; i < 16; i++)
        d = digest(d, &cpu->xmm[i], XMM_SIZE);
    for (unsigned i = 0; i < 8; i++) {
        d = digest(d, &cpu->fpu.r[i].frac, sizeof(cpu->fpu.r[i].frac));
        d = digest(d, &cpu->fpu.r[i].exp, sizeof(cpu->fpu.r[i].exp));
    }
    d = digest(d, &cpu->fpu.sw, sizeof(cpu->fpu.sw));
    d = digest(d, &cpu->fpu.tags, sizeof(cpu->fpu.tags));
    for (unsigned i = 0; i < HOST_GPRS; i++)
        d = digest(d, &cpu->gpr[host_gpr_number[i]], sizeof(cpu->gpr[0]));
    if (insn_info[r->in.id].flags != FLAGROW_NONE) {
        uint32_t flags = aflags_to_eflags(cpu->aflags);

        d = digest(d, &flags, sizeof(flags));
    }
    return digest(d, guest_memory(r), HOST_MEMORY);
}

/* Of what traps, only that it does, and MXCSR. */
static uint64_t digest_row(struct rig *r, unsigned id)
{
    uint64_t d = 0;

    rig_begin_row(r, RIG_SEED, id);
    for (unsigned i = 0; i < CASES && rig_next_case(r, id); i++) {
        int end = simd_run(r->board, &r->in);

        d = digest(d, &end, sizeof(end));
        d = digest(d, &r->cpu->mxcsr, sizeof(r->cpu->mxcsr));
        if (end == SIMD_DONE)
            d = digest_state(r, d);
    }
    return d;
}

/* State has no result that is all in registers; approximations differ. */
static bool is_recorded(unsigned id)
{
    const struct insn_info *info = &insn_info[id];

    return simd_bodies[id] && !(info->map == 2 && info->code == 0xae) &&
           !strstr(info->body, "rcp") && !strstr(info->body, "rsqrt");
}

static const struct recorded *find(unsigned id)
{
    for (size_t i = 0; i < array_len(recorded); i++)
        if (recorded[i].id == id)
            return &recorded[i];
    return NULL;
}

/* Says so if it is not what was recorded. */
static bool is_as_recorded(unsigned id, uint64_t d)
{
    const struct recorded *known = find(id);

    if (known && known->digest == d)
        return true;
    printf("%s: %s\n", insn_info[id].id, known ? "differs" : "not recorded");
    return false;
}

START_TEST(every_row_does_what_was_recorded)
{
    struct rig *r = aligned_alloc(64, (sizeof(*r) + 63) & ~(size_t)63);
    unsigned rows = 0, failures = 0;

    ck_assert_ptr_nonnull(r);
    memset(r, 0, sizeof(*r));
    rig_init(r);
    for (unsigned id = 0; id < INSN_COUNT; id++) {
        uint64_t d;

        if (!is_recorded(id))
            continue;
        d = digest_row(r, id);
        if (getenv("COPAL_RECORD"))
            printf("RECORDED(%s, 0x%016llx)\n", insn_info[id].id,
                   (unsigned long long)d);
        else
            failures += !is_as_recorded(id, d);
        rows++;
    }
    rig_done(r);
    free(r);
    ck_assert_uint_eq(failures, 0);
    ck_assert_uint_gt(rows, 0);
}
END_TEST

SUITE("simd_recorded", every_row_does_what_was_recorded)
