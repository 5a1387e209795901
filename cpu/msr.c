#include "cpu/msr.h"

#include "base/bits.h"
#include "base/log.h"
#include "cpu/control.h"
#include "cpu/cpuid.h"
#include "cpu/insn.h"
#include "cpu/segment.h"

#define ALL UINT64_MAX
/* Every "not affected" bit of IA32_ARCH_CAPABILITIES: Copal does not
 * speculate, so a guest need not defend itself. */
#define ARCH_SAFE ((uint64_t)0x400000000d10e179)
/* Fast strings, Enhanced SpeedStep, MONITOR, limit of CPUID leaves. */
#define MISC_WRITABLE ((uint64_t)0x00450001 | MISC_UNAVAILABLE)
/* Branch trace store and precise sampling: not there. */
#define MISC_UNAVAILABLE ((uint64_t)0x1800)

#define APIC_BASE_RESET ((uint64_t)0xfee00900)
#define PAT_RESET ((uint64_t)0x0007040600070406)

#define PADDR_MASK (((uint64_t)1 << PADDR_BITS) - 1)

/* --- registers that are more than a number --- */

/* A linear address: must be canonical. */
#define CANONICAL(name, place)                                             \
    static uint64_t msr_read_##name(struct cpu *cpu, unsigned i)           \
    {                                                                      \
        (void)i;                                                           \
        return cpu->place;                                                 \
    }                                                                      \
    static bool msr_write_##name(struct cpu *cpu, unsigned i, uint64_t v)  \
    {                                                                      \
        (void)i;                                                           \
        if (!laddr_is_canonical(v))                                        \
            return false;                                                  \
        cpu->place = v;                                                    \
        return true;                                                       \
    }

CANONICAL(sysenter_esp, msr.sysenter_esp)
CANONICAL(sysenter_eip, msr.sysenter_eip)
CANONICAL(lstar, msr.lstar)
CANONICAL(cstar, msr.cstar)
CANONICAL(fs_base, seg[FS].base)
CANONICAL(gs_base, seg[GS].base)
CANONICAL(kernel_gs_base, msr.kernel_gs_base)

static uint64_t msr_read_tsc(struct cpu *cpu, unsigned i)
{
    (void)i;
    return cpu_tsc(cpu);
}

/* TSC_ADJUST moves by as much (SDM vol. 3, 17.17.3). */
static bool msr_write_tsc(struct cpu *cpu, unsigned i, uint64_t v)
{
    (void)i;
    cpu->msr.tsc_adjust += v - cpu_tsc(cpu);
    cpu_set_tsc(cpu, v);
    return true;
}

static uint64_t msr_read_tsc_adjust(struct cpu *cpu, unsigned i)
{
    (void)i;
    return cpu->msr.tsc_adjust;
}

static bool msr_write_tsc_adjust(struct cpu *cpu, unsigned i, uint64_t v)
{
    (void)i;
    cpu_set_tsc(cpu, cpu_tsc(cpu) + v - cpu->msr.tsc_adjust);
    cpu->msr.tsc_adjust = v;
    return true;
}

static uint64_t msr_read_tsc_deadline(struct cpu *cpu, unsigned i)
{
    uint64_t v;

    (void)i;
    if (!cpu->bus.tsc_deadline_get)
        return 0;
    v = cpu->bus.tsc_deadline_get(cpu->bus.owner);
    return v ? v + cpu->tsc_offset : 0;
}

/* The timer counts without the offset (cpu_set_tsc); 0 disarms it. */
static bool msr_write_tsc_deadline(struct cpu *cpu, unsigned i, uint64_t v)
{
    (void)i;
    if (cpu->bus.tsc_deadline_set)
        cpu->bus.tsc_deadline_set(cpu->bus.owner,
                                  v ? v - cpu->tsc_offset : 0);
    return true;
}

static uint64_t msr_read_apic_base(struct cpu *cpu, unsigned i)
{
    (void)i;
    return cpu->msr.apic_base;
}

static bool msr_write_apic_base(struct cpu *cpu, unsigned i, uint64_t v)
{
    (void)i;
    if (cpu->bus.apic_base_set && !cpu->bus.apic_base_set(cpu->bus.owner, v))
        return false;
    cpu->msr.apic_base = v;
    return true;
}

static uint64_t msr_read_efer(struct cpu *cpu, unsigned i)
{
    (void)i;
    return cpu->efer;
}

static bool msr_write_efer(struct cpu *cpu, unsigned i, uint64_t v)
{
    (void)i;
    return control_set_efer(cpu, v);
}

/* --- memory types: kept, without effect --- */

static bool is_mtrr_type(uint64_t type)
{
    return type < 2 || (type >= 4 && type <= 6);
}

/* Each byte is a type; PAT has one more, UC-. */
static bool are_types(uint64_t v, bool pat)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t type = bits_get(v, 8 * i, 8);

        if (!is_mtrr_type(type) && !(pat && type == 7))
            return false;
    }
    return true;
}

static uint64_t msr_read_mtrr_var(struct cpu *cpu, unsigned i)
{
    return cpu->msr.mtrr_var[i];
}

/* Even: base and type.  Odd: mask and the valid bit. */
static bool msr_write_mtrr_var(struct cpu *cpu, unsigned i, uint64_t v)
{
    uint64_t low = i & 1 ? 0x7ff : 0xf00;

    if ((v & ~PADDR_MASK) || (v & low) ||
        (!(i & 1) && !is_mtrr_type(v & 0xff)))
        return false;
    cpu->msr.mtrr_var[i] = v;
    return true;
}

/* The eleven fixed-range registers lie in three groups. */
#define FIXED_RANGE(name, first)                                           \
    static uint64_t msr_read_##name(struct cpu *cpu, unsigned i)           \
    {                                                                      \
        return cpu->msr.mtrr_fix[first + i];                               \
    }                                                                      \
    static bool msr_write_##name(struct cpu *cpu, unsigned i, uint64_t v)  \
    {                                                                      \
        if (!are_types(v, false))                                          \
            return false;                                                  \
        cpu->msr.mtrr_fix[first + i] = v;                                  \
        return true;                                                       \
    }

FIXED_RANGE(mtrr_fix64k, 0)
FIXED_RANGE(mtrr_fix16k, 1)
FIXED_RANGE(mtrr_fix4k, 3)

static uint64_t msr_read_mtrr_def_type(struct cpu *cpu, unsigned i)
{
    (void)i;
    return cpu->msr.mtrr_def_type;
}

static bool msr_write_mtrr_def_type(struct cpu *cpu, unsigned i, uint64_t v)
{
    (void)i;
    if ((v & ~(uint64_t)0xcff) || !is_mtrr_type(v & 0xff))
        return false;
    cpu->msr.mtrr_def_type = v;
    return true;
}

static uint64_t msr_read_pat(struct cpu *cpu, unsigned i)
{
    (void)i;
    return cpu->msr.pat;
}

static bool msr_write_pat(struct cpu *cpu, unsigned i, uint64_t v)
{
    (void)i;
    if (!are_types(v, true))
        return false;
    cpu->msr.pat = v;
    return true;
}

/* --- machine check: CTL, STATUS, ADDR, MISC of four banks --- */

static uint64_t msr_read_mci(struct cpu *cpu, unsigned i)
{
    return cpu->msr.mci[i];
}

/* All but CTL can only be cleared, or set to all ones (SDM vol. 3, 15.3.2). */
static bool msr_write_mci(struct cpu *cpu, unsigned i, uint64_t v)
{
    if ((i & 3) != 0 && v != 0)
        return false;
    cpu->msr.mci[i] = v;
    return true;
}

/* --- the table --- */

enum msr_vendor { ANY, INTEL, AMD };

struct msr_row {
    uint32_t index, count;
    const char *name;
    uint8_t feature, vendor;
    uint64_t (*read)(struct cpu *cpu, unsigned i);
    bool (*write)(struct cpu *cpu, unsigned i, uint64_t v);
    uint16_t member;   /* PLAIN: offset in struct cpu_msrs */
    uint64_t writable; /* PLAIN: bits; FIXED: the value */
};

/* Marks a FIXED row. */
enum { NO_MEMBER = 0xffff };

static const struct msr_row rows[] = {
#define PLAIN(i, n, name, feat, vend, field, bits)  \
    {i, n, #name, FEAT_##feat, vend, NULL, NULL,    \
     offsetof(struct cpu_msrs, field), bits},
#define FIXED(i, n, name, feat, vend, value) \
    {i, n, #name, FEAT_##feat, vend, NULL, NULL, NO_MEMBER, value},
#define SPECIAL(i, n, name, feat, vend, handler)             \
    {i, n, #name, FEAT_##feat, vend, msr_read_##handler,     \
     msr_write_##handler, NO_MEMBER, 0},
#include "cpu/msr.def"
#undef PLAIN
#undef FIXED
#undef SPECIAL
};

static bool has_row(const struct cpu *cpu, const struct msr_row *row)
{
    enum msr_vendor vendor = cpu_model_is_amd(cpu->model) ? AMD : INTEL;

    return cpu_has(cpu, row->feature) &&
           (row->vendor == ANY || row->vendor == vendor);
}

/* NULL if this processor has no such register. */
static const struct msr_row *find_row(const struct cpu *cpu, uint32_t index)
{
    unsigned low = 0, high = array_len(rows);

    while (low < high) {
        unsigned mid = (low + high) / 2;
        const struct msr_row *row = &rows[mid];

        if (index < row->index)
            high = mid;
        else if (index - row->index >= row->count)
            low = mid + 1;
        else
            return has_row(cpu, row) ? row : NULL;
    }
    return NULL;
}

static uint64_t *plain_place(struct cpu *cpu, const struct msr_row *row)
{
    char *base = (char *)&cpu->msr;

    return (uint64_t *)(void *)(base + row->member);
}

bool msr_read(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    const struct msr_row *row = find_row(cpu, index);

    if (!row) {
        log_unimp("read of MSR %x", index);
        return false;
    }
    if (row->read)
        *value = row->read(cpu, index - row->index);
    else if (row->member == NO_MEMBER)
        *value = row->writable;
    else
        *value = *plain_place(cpu, row);
    return true;
}

bool msr_write(struct cpu *cpu, uint32_t index, uint64_t value)
{
    const struct msr_row *row = find_row(cpu, index);

    if (!row) {
        log_unimp("write of %llx to MSR %x", (unsigned long long)value, index);
        return false;
    }
    if (row->write)
        return row->write(cpu, index - row->index, value);
    if (row->member == NO_MEMBER)
        return true;
    if (value & ~row->writable)
        return false;
    *plain_place(cpu, row) = value;
    return true;
}

void msr_reset(struct cpu *cpu)
{
    cpu->msr = (struct cpu_msrs){
        .apic_base = APIC_BASE_RESET,
        .pat = PAT_RESET,
        .misc_enable = MISC_UNAVAILABLE | 1,
    };
}
