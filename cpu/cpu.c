#include "cpu/cpu.h"

#include <string.h>

#include "base/log.h"
#include "base/state.h"
#include "cpu/cpuid.h"
#include "cpu/debugreg.h"
#include "cpu/deliver.h"
#include "cpu/insn.h"
#include "cpu/msr.h"
#include "cpu/segment.h"
#include "cpu/simd_fp.h"

enum {
    /* EFLAGS bits that exist. */
    FLAGS_VALID = FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL |
                  FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC | FLAG_VIF | FLAG_VIP |
                  FLAG_ID,
    TSC_HZ = 1000000000, /* until the machine says otherwise */
    STOP_COMPUTED = CPU_STOP_INTR | CPU_STOP_NMI | CPU_STOP_TRAP,
};

/* --- flags --- */

uint32_t cpu_eflags(const struct cpu *cpu)
{
    return cpu->eflags | aflags_to_eflags(cpu->aflags);
}

void cpu_set_eflags(struct cpu *cpu, uint32_t v)
{
    cpu->aflags = aflags_from_eflags(v);
    cpu->eflags = (v & FLAGS_VALID & ~(uint32_t)FLAGS_ARITH) | FLAG_1;
}

/* --- what follows from the state --- */

static bool is_flat(const struct segment *s)
{
    return s->base == 0 && s->limit == 0xffffffff;
}

static bool is_flat_data(const struct segment *s)
{
    return is_flat(s) && (s->attr & ATTR_P) &&
           (s->attr & (ATTR_CODE | ATTR_DC | ATTR_RW)) == ATTR_RW;
}

static uint32_t segment_mode(const struct cpu *cpu)
{
    const struct segment *s = cpu->seg;
    uint32_t mode = 0;

    if (cpu_long(cpu) && (s[CS].attr & ATTR_L))
        return MODE_CODE64 | MODE_FLAT_CS | MODE_FLAT_DATA | MODE_FLAT_SS;
    if (s[CS].attr & ATTR_DB)
        mode |= MODE_CODE32;
    if (s[SS].attr & ATTR_DB)
        mode |= MODE_STACK32;
    if (is_flat(&s[CS]))
        mode |= MODE_FLAT_CS;
    if (is_flat_data(&s[SS]))
        mode |= MODE_FLAT_SS;
    if (is_flat_data(&s[DS]) && is_flat_data(&s[ES]))
        mode |= MODE_FLAT_DATA;
    return mode;
}

static uint32_t fpu_mode(const struct cpu *cpu)
{
    const unsigned avx = XCR0_SSE | XCR0_AVX;
    uint32_t mode = 0;

    if (cpu->cr0 & (CR0_TS | CR0_EM))
        mode |= MODE_NO_FPU;
    if ((cpu->cr0 & (CR0_TS | CR0_EM)) || !(cpu->cr4 & CR4_OSFXSR))
        mode |= MODE_NO_SSE;
    if ((cpu->cr0 & CR0_TS) || !(cpu->cr4 & CR4_OSXSAVE) ||
        (cpu->xcr0 & avx) != avx)
        mode |= MODE_NO_AVX;
    if ((cpu->fpu.cw & 0x3f) != 0x3f)
        mode |= MODE_FPU_EXC;
    if ((cpu->mxcsr >> 7 & 0x3f) != 0x3f)
        mode |= MODE_SSE_EXC;
    if (!(cpu->mxcsr & MXCSR_UM) || cpu->mxcsr & MXCSR_MM)
        mode |= MODE_SSE_ODD;
    return mode;
}

static bool checks_alignment(const struct cpu *cpu)
{
    return cpu->cpl == 3 && (cpu->cr0 & CR0_AM) && (cpu->eflags & FLAG_AC);
}

static bool is_plain(const struct segment *s, bool write)
{
    uint32_t present = ATTR_P | ATTR_S;

    if ((s->attr & present) != present)
        return false;
    if (s->attr & ATTR_CODE)
        return !write && (s->attr & ATTR_RW);
    return !(s->attr & ATTR_DC) && (!write || (s->attr & ATTR_RW));
}

static void update_room(struct cpu *cpu)
{
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        const struct segment *s = &cpu->seg[i];
        uint64_t room = (uint64_t)s->limit + 1;

        cpu->room_read[i] = is_plain(s, false) ? room : 0;
        cpu->room_write[i] = is_plain(s, true) ? room : 0;
    }
}

/* What upper halves hold after a switch out of 64-bit code is undefined (SDM
 * vol. 1, 3.4.1.1); here they are 0, and generated code relies on it. */
static void cut_registers(struct cpu *cpu)
{
    for (unsigned r = RAX; r <= RDI; r++)
        cpu->gpr[r] = (uint32_t)cpu->gpr[r];
}

void cpu_update_mode(struct cpu *cpu)
{
    enum mmu_bank who = mmu_bank_for(&cpu->mmu, cpu->cpl,
                                     cpu->eflags & FLAG_AC);

    cpu->mode = segment_mode(cpu) | fpu_mode(cpu) |
                (cpu_protected(cpu) ? MODE_PE : 0) |
                (checks_alignment(cpu) ? MODE_ALIGN : 0);
    update_room(cpu);
    if (!(cpu->mode & MODE_CODE64))
        cut_registers(cpu);
    if (who != cpu->mmu.who)
        mmu_set_who(&cpu->mmu, who);
}

static uint32_t computed_stop(const struct cpu *cpu)
{
    uint32_t stop = 0;

    if (cpu->intr_line && (cpu->eflags & FLAG_IF))
        stop |= CPU_STOP_INTR;
    if (cpu->nmi_pending && !cpu->nmi_masked)
        stop |= CPU_STOP_NMI;
    if ((cpu->eflags & (FLAG_TF | FLAG_RF)) || cpu->pending_db ||
        debug_armed(cpu) || debug_virtual_interrupt(cpu))
        stop |= CPU_STOP_TRAP;
    return stop;
}

/* Other threads set bits of `stop` that are not computed here. */
void cpu_update_stop(struct cpu *cpu)
{
    uint32_t want = computed_stop(cpu);
    uint32_t have = atomic_load_explicit(&cpu->stop, memory_order_relaxed);

    if ((have & STOP_COMPUTED) == want)
        return;
    atomic_fetch_and(&cpu->stop, ~(uint32_t)STOP_COMPUTED | want);
    atomic_fetch_or(&cpu->stop, want);
}

/* --- the board's lines --- */

void cpu_set_intr(void *owner, unsigned pin, bool level)
{
    struct cpu *cpu = owner;

    (void)pin;
    cpu->intr_line = level;
    cpu_update_stop(cpu);
}

void cpu_set_nmi(void *owner, unsigned pin, bool level)
{
    struct cpu *cpu = owner;

    (void)pin;
    if (!level)
        return;
    cpu->nmi_pending = true;
    cpu_update_stop(cpu);
}

void cpu_kick(struct cpu *cpu)
{
    atomic_fetch_or(&cpu->stop, CPU_STOP_MACHINE);
}

/* --- between instructions --- */

static void take(struct cpu *cpu, unsigned vector)
{
    struct event e = {
        .vector = (uint8_t)vector, .kind = EVENT_EXTERNAL, .rip = cpu->rip,
    };

    if (log_on(LOG_INT))
        log_trace("interrupt %02x at %04x:%016llx\n", vector,
                  cpu->seg[CS].sel, (unsigned long long)cpu->rip);
    cpu->insn_rsp = cpu->gpr[RSP];
    cpu->next_rip = cpu->rip;
    cpu->halted = false;
    cpu->delivering_ext = true;
    cpu->stats->interrupts++;
    deliver(cpu, &e);
    cpu->delivering_ext = false;
}

static bool take_nmi(struct cpu *cpu)
{
    if (!cpu->nmi_pending || cpu->nmi_masked)
        return false;
    cpu->nmi_pending = false;
    cpu->nmi_masked = true;
    take(cpu, EXC_NMI);
    return true;
}

static bool take_intr(struct cpu *cpu)
{
    int vector;

    if (!cpu->intr_line || !(cpu->eflags & FLAG_IF) || !cpu->bus.intr_ack)
        return false;
    vector = cpu->bus.intr_ack(cpu->bus.owner);
    take(cpu, (unsigned)vector & 0xff);
    return true;
}

/* After STI and MOV SS the next instruction comes first: the engine sees the
 * stop bits still set and runs it by interp_step. */
static bool is_held(struct cpu *cpu)
{
    if (cpu->shadow && cpu->shadow_rip != cpu->rip)
        cpu->shadow = false;
    return cpu->shadow;
}

/* Debug traps have precedence over interrupts (SDM vol. 3, table 6-2). */
static bool take_interrupt(struct cpu *cpu)
{
    if (is_held(cpu) || (cpu->pending_db && !cpu->halted))
        return false;
    return take_nmi(cpu) || take_intr(cpu);
}

bool cpu_service(struct cpu *cpu, enum stop_reason *reason)
{
    uint32_t stop;

    if (cpu->shutdown) {
        *reason = STOP_SHUTDOWN;
        return true;
    }
    if (take_interrupt(cpu))
        return false;
    stop = atomic_load_explicit(&cpu->stop, memory_order_relaxed);
    if (stop & CPU_STOP_MACHINE) {
        atomic_fetch_and(&cpu->stop, ~(uint32_t)CPU_STOP_MACHINE);
        *reason = STOP_REQUEST;
        return true;
    }
    if (!cpu->halted)
        return false;
    *reason = STOP_HALT;
    return true;
}

/* --- time --- */

static uint64_t raw_tsc(const struct cpu *cpu)
{
    return (uint64_t)((uint128)clock_now(cpu->clock) * cpu->tsc_hz / NS_PER_S);
}

uint64_t cpu_tsc(const struct cpu *cpu)
{
    return raw_tsc(cpu) + cpu->tsc_offset;
}

/* The deadline timer of the local APIC counts without the offset, so an armed
 * one moves. */
void cpu_set_tsc(struct cpu *cpu, uint64_t tsc)
{
    uint64_t offset = tsc - raw_tsc(cpu), deadline = 0;
    const struct cpu_bus *bus = &cpu->bus;

    if (bus->tsc_deadline_get && bus->tsc_deadline_set)
        deadline = bus->tsc_deadline_get(bus->owner);
    if (deadline)
        bus->tsc_deadline_set(bus->owner,
                              deadline + cpu->tsc_offset - offset);
    cpu->tsc_offset = offset;
}

/* --- life --- */

void cpu_init(struct cpu *cpu, const struct cpu_model *model,
              struct physmem *mem, struct space *io, struct clock *clk,
              struct stats *stats)
{
    memset(cpu, 0, sizeof(*cpu));
    cpu->model = model;
    cpu->features = model->features;
    cpu->io = io;
    cpu->clock = clk;
    cpu->stats = stats;
    cpu->tsc_hz = TSC_HZ;
    mmu_init(&cpu->mmu, mem, stats);
    cpu->mmu.on_watch = debug_on_watch;
    cpu->mmu.watch_owner = cpu;
    cpu_reset(cpu);
}

void cpu_destroy(struct cpu *cpu)
{
    mmu_destroy(&cpu->mmu);
}

static void reset_segments(struct cpu *cpu)
{
    static const struct segment data = {
        0, ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED, 0xffff, 0,
    };
    uint32_t p = ATTR_P;

    for (unsigned i = 0; i < SEG_COUNT; i++)
        cpu->seg[i] = data;
    cpu->seg[CS].sel = 0xf000;
    cpu->seg[CS].base = 0xffff0000;
    cpu->seg[CS].attr |= ATTR_CODE;
    cpu->ldtr = (struct segment){0, p | SYS_LDT, 0xffff, 0};
    cpu->tr = (struct segment){0, p | SYS_TSS32_BUSY, 0xffff, 0};
    cpu->gdtr = cpu->idtr = (struct table_reg){0, 0xffff};
}

/* SDM vol. 3, table 9-1: x87 as FINIT leaves it but for precision; every
 * register +0.0 and valid. */
static void reset_fpu(struct cpu *cpu)
{
    memset(&cpu->fpu, 0, sizeof(cpu->fpu));
    memset(cpu->xmm, 0, sizeof(cpu->xmm));
    cpu->fpu.cw = 0x0040;
    cpu->fpu.tags = 0xff;
    cpu->mxcsr = 0x1f80;
}

static void reset_control(struct cpu *cpu)
{
    cpu->cr0 = CR0_ET | CR0_NW | CR0_CD;
    cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->efer = 0;
    cpu->xcr0 = XCR0_X87;
    cpu->msr.xss = 0;
    memset(cpu->dr, 0, sizeof(cpu->dr));
    cpu->dr[6] = DR6_FIXED;
    cpu->dr[7] = DR7_FIXED;
    cpu->cpl = 0;
    cpu_set_eflags(cpu, 0);
    mmu_reset(&cpu->mmu);
    mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr4, cpu->efer);
}

static void reset_events(struct cpu *cpu)
{
    cpu->halted = cpu->shutdown = cpu->ignne = false;
    cpu->nmi_masked = cpu->nmi_pending = false;
    cpu->shadow = cpu->shadow_db = false;
    cpu->shadow_rip = 0;
    cpu->step_trap = false;
    cpu->pending_db = 0;
    cpu->delivering = -1;
    cpu->delivering_ext = false;
    memset(&cpu->exc, 0, sizeof(cpu->exc));
}

void cpu_reset(struct cpu *cpu)
{
    const struct cpu_model *m = cpu->model;

    memset(cpu->gpr, 0, sizeof(cpu->gpr));
    cpu->gpr[RDX] = (uint64_t)(m->family & 0xf) << 8 |
                    (uint64_t)(m->model & 0xf) << 4 | (m->stepping & 0xf);
    cpu->rip = cpu->next_rip = 0xfff0;
    cpu->insn_rsp = 0;
    reset_segments(cpu);
    reset_fpu(cpu);
    reset_control(cpu);
    reset_events(cpu);
    msr_reset(cpu);
    cpu_set_tsc(cpu, 0);
    debug_update(cpu);
    cpu_update_mode(cpu);
    cpu_update_stop(cpu);
}
