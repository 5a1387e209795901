#include "cpu/debugreg.h"

#include "base/bits.h"
#include "cpu/control.h"
#include "cpu/fault.h"
#include "cpu/ops.h"
#include "cpu/segment.h"

/* R/W field of DR7. */
enum { BREAK_CODE = 0, BREAK_WRITE = 1, BREAK_IO = 2, BREAK_DATA = 3 };

static bool is_enabled(const struct cpu *cpu, unsigned i)
{
    return bits_get(cpu->dr[7], 2 * i, 2);
}

static unsigned kind_of(const struct cpu *cpu, unsigned i)
{
    return (unsigned)bits_get(cpu->dr[7], 16 + 4 * i, 2);
}

static unsigned length_of(const struct cpu *cpu, unsigned i)
{
    static const uint8_t length[4] = {1, 2, 8, 4};

    return length[bits_get(cpu->dr[7], 18 + 4 * i, 2)];
}

/* Breakpoints cover an aligned block of their length. */
static bool overlaps(const struct cpu *cpu, unsigned i, uint64_t at,
                     unsigned size)
{
    unsigned length = length_of(cpu, i);
    uint64_t first = bits_align_down(cpu->dr[i], length);

    return at <= first + length - 1 && first <= at + size - 1;
}

/* --- breakpoints --- */

static laddr code_address(const struct cpu *cpu)
{
    if (cpu_code64(cpu))
        return cpu->rip;
    return (uint32_t)(cpu->seg[CS].base + cpu->rip);
}

static uint64_t code_hits(const struct cpu *cpu)
{
    uint64_t hits = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (is_enabled(cpu, i) && kind_of(cpu, i) == BREAK_CODE &&
            cpu->dr[i] == code_address(cpu))
            hits |= (uint64_t)1 << i;
    }
    return hits;
}

void debug_on_watch(void *owner, laddr la, unsigned size, enum access access)
{
    struct cpu *cpu = owner;

    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = kind_of(cpu, i);
        bool caught = kind == BREAK_DATA ||
                      (kind == BREAK_WRITE && access == ACCESS_WRITE);

        if (is_enabled(cpu, i) && caught && access != ACCESS_FETCH &&
            overlaps(cpu, i, la, size))
            cpu->pending_db |= (uint64_t)1 << i;
    }
    if (cpu->pending_db)
        cpu_update_stop(cpu);
}

void debug_on_port(struct cpu *cpu, uint16_t port, unsigned size)
{
    if (likely(!debug_armed(cpu)) || !(cpu->cr4 & CR4_DE))
        return;
    for (unsigned i = 0; i < 4; i++) {
        if (is_enabled(cpu, i) && kind_of(cpu, i) == BREAK_IO &&
            overlaps(cpu, i, port, size))
            cpu->pending_db |= (uint64_t)1 << i;
    }
}

void debug_update(struct cpu *cpu)
{
    laddr page[4];
    unsigned n = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (is_enabled(cpu, i) && (kind_of(cpu, i) & BREAK_WRITE))
            page[n++] = bits_align_down(cpu->dr[i], PAGE_SIZE);
    }
    mmu_set_watch(&cpu->mmu, page, n);
    cpu_update_stop(cpu);
}

/* --- around an instruction --- */

/* After MOV SS or POP SS nothing interrupts, debug traps included. */
static bool is_held(const struct cpu *cpu)
{
    return cpu->shadow && cpu->shadow_db && cpu->shadow_rip == cpu->rip;
}

static noreturn void trap(struct cpu *cpu, uint64_t dr6)
{
    cpu->pending_db = 0;
    cpu->next_rip = cpu->rip;
    cpu_update_stop(cpu);
    cpu_raise_debug(cpu, dr6, true);
}

void debug_step_begin(struct cpu *cpu)
{
    bool held = is_held(cpu), resume = cpu->eflags & FLAG_RF;
    uint64_t hits;

    if (cpu->pending_db && !held)
        trap(cpu, cpu->pending_db);
    if (unlikely(debug_virtual_interrupt(cpu)))
        cpu_raise_error(cpu, EXC_GP, 0);
    if (resume) {
        cpu->eflags &= ~(uint32_t)FLAG_RF;
        cpu_update_stop(cpu);
    }
    cpu->step_trap = cpu->eflags & FLAG_TF;
    if (resume || held || likely(!debug_armed(cpu)))
        return;
    hits = code_hits(cpu);
    if (hits)
        cpu_raise_debug(cpu, hits, false);
}

/* A string instruction stopped between two elements goes on later: its
 * breakpoint has been reported already, and the flags that a trap pushes say
 * so (SDM vol. 3, 17.3.1.1). */
static void resume_string(struct cpu *cpu, const struct insn *in,
                          uint64_t start)
{
    if (!debug_armed(cpu) && !cpu->step_trap)
        return; /* nobody could tell, and engines step when they like */
    if ((insn_info[in->id].attrs & A_REP) && cpu->rip == start &&
        (in->prefixes & (PREFIX_REP | PREFIX_REPNE))) {
        cpu->eflags |= FLAG_RF;
        cpu_update_stop(cpu);
    }
}

void debug_step_end(struct cpu *cpu, const struct insn *in, uint64_t start)
{
    uint64_t dr6;

    if (cpu->shadow && cpu->shadow_rip == start)
        cpu->shadow = false;
    resume_string(cpu, in, start);
    dr6 = cpu->pending_db | (cpu->step_trap ? DR6_BS : 0);
    cpu->step_trap = false;
    if (dr6 && !is_held(cpu))
        trap(cpu, dr6);
}

/* --- MOV DRn --- */

/* DR4 and DR5 are other names of DR6 and DR7, until CR4.DE takes them away.
 * Reading or writing any with DR7.GD set is a fault. */
static unsigned need_register(struct cpu *cpu, unsigned n)
{
    if (n > 7 || ((n == 4 || n == 5) && (cpu->cr4 & CR4_DE)))
        cpu_raise(cpu, EXC_UD);
    control_need_cpl0(cpu);
    if (cpu->dr[7] & DR7_GD)
        cpu_raise_debug(cpu, DR6_BD, false);
    return n == 4 || n == 5 ? n + 2 : n;
}

void op_mov_from_dr(struct cpu *cpu, const struct insn *in)
{
    unsigned n = need_register(cpu, in->op[1].reg);

    cpu->gpr[in->op[0].reg] = in->op[0].size == 8 ? cpu->dr[n]
                                                  : (uint32_t)cpu->dr[n];
}

void op_mov_to_dr(struct cpu *cpu, const struct insn *in)
{
    unsigned n = need_register(cpu, in->op[0].reg);
    uint64_t v = cpu->gpr[in->op[1].reg];

    if (in->op[1].size != 8)
        v = (uint32_t)v;
    if (n >= 6 && v >> 32)
        cpu_raise_error(cpu, EXC_GP, 0);
    if (n == 6)
        v = (v & (DR6_B | DR6_BD | DR6_BS | DR6_BT)) | DR6_FIXED;
    if (n == 7)
        v = (v & 0xffff23ff) | DR7_FIXED;
    cpu->dr[n] = v;
    debug_update(cpu);
}
