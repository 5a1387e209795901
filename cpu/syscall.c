/*
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT (SDM vol. 2; AMD64 vol. 3 for what a
 * processor of that vendor does outside 64-bit mode), and the instructions
 * that raise interrupts.
 *
 * The segments are not read from a table: they are flat by definition.
 */

#include "base/bits.h"
#include "cpu/control.h"
#include "cpu/cpuid.h"
#include "cpu/debugreg.h"
#include "cpu/deliver.h"
#include "cpu/fault.h"
#include "cpu/ops.h"
#include "cpu/segment.h"

enum code_size { CODE32, CODE64 };

enum {
    FLAT_CODE = ATTR_P | ATTR_S | ATTR_CODE | ATTR_RW | ATTR_ACCESSED | ATTR_G,
    FLAT_DATA = ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED | ATTR_G | ATTR_DB,
    SYSRET_FLAGS = 0x3c7fd7, /* all that exist but RF and VM */
};

static void set_flat(struct cpu *cpu, unsigned seg, uint32_t sel,
                     uint32_t attr)
{
    struct segment *s = &cpu->seg[seg];

    s->sel = (uint16_t)(sel | cpu->cpl);
    s->attr = attr | (uint32_t)cpu->cpl << ATTR_DPL_SHIFT;
    s->limit = 0xffffffff;
    s->base = 0;
}

/* CS and SS for code at cpl; selectors without RPL. */
static void enter_flat(struct cpu *cpu, unsigned cpl, uint32_t cs, uint32_t ss,
                       enum code_size size)
{
    cpu->cpl = (uint8_t)cpl;
    set_flat(cpu, CS, cs,
             (uint32_t)FLAT_CODE | (size == CODE64 ? ATTR_L : ATTR_DB));
    set_flat(cpu, SS, ss, FLAT_DATA);
}

static void go(struct cpu *cpu, uint64_t rip)
{
    cpu->next_rip = rip;
    cpu_update_mode(cpu);
    cpu_update_stop(cpu);
}

static uint32_t selector(uint64_t v)
{
    return (uint32_t)v & 0xfffc;
}

/* --- SYSCALL, SYSRET --- */

static void syscall_legacy(struct cpu *cpu)
{
    cpu->gpr[RCX] = (uint32_t)cpu->next_rip;
    cpu->eflags &= ~(uint32_t)(FLAG_VM | FLAG_IF | FLAG_RF);
    enter_flat(cpu, 0, selector(cpu->msr.star >> 32),
               selector(cpu->msr.star >> 32) + 8, CODE32);
    go(cpu, (uint32_t)cpu->msr.star);
}

/* No single-step trap follows if FMASK takes TF away. */
static void syscall_long(struct cpu *cpu)
{
    uint64_t target = cpu_code64(cpu) ? cpu->msr.lstar : cpu->msr.cstar;
    uint32_t flags = cpu_eflags(cpu) & ~(uint32_t)FLAG_RF;

    cpu->gpr[RCX] = cpu->next_rip;
    cpu->gpr[R11] = flags;
    cpu_set_eflags(cpu, flags & ~(uint32_t)cpu->msr.fmask);
    cpu->step_trap = cpu->step_trap && (cpu->eflags & FLAG_TF);
    enter_flat(cpu, 0, selector(cpu->msr.star >> 32),
               selector(cpu->msr.star >> 32) + 8, CODE64);
    go(cpu, target);
}

void op_syscall(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    if (!(cpu->efer & EFER_SCE) || !(cpu->cr0 & CR0_PE))
        cpu_raise(cpu, EXC_UD);
    if (!cpu_code64(cpu) && !cpu_model_is_amd(cpu->model))
        cpu_raise(cpu, EXC_UD);
    if (cpu_long(cpu))
        syscall_long(cpu);
    else
        syscall_legacy(cpu);
}

/* A trap that R11's TF asks for comes before the first instruction there, as
 * if the SYSCALL had just been done. */
static void sysret_flags(struct cpu *cpu)
{
    cpu_set_eflags(cpu, (uint32_t)cpu->gpr[R11] & SYSRET_FLAGS);
    cpu->step_trap = false;
    if (cpu->eflags & FLAG_TF)
        cpu->pending_db |= DR6_BS;
}

static void sysret_to(struct cpu *cpu, uint64_t rip, enum code_size size)
{
    uint64_t base = cpu->msr.star >> 48;

    enter_flat(cpu, 3, selector(base + (size == CODE64 ? 16 : 0)),
               selector(base + 8), size);
    go(cpu, rip);
}

void op_sysret(struct cpu *cpu, const struct insn *in)
{
    uint64_t rcx = cpu->gpr[RCX];
    bool wide = in->opsize == 8;

    if (!(cpu->efer & EFER_SCE) || !(cpu->cr0 & CR0_PE))
        cpu_raise(cpu, EXC_UD);
    if (!cpu_code64(cpu) && !cpu_model_is_amd(cpu->model))
        cpu_raise(cpu, EXC_UD);
    control_need_cpl0(cpu);
    if (wide && !laddr_is_canonical(rcx))
        cpu_raise_error(cpu, EXC_GP, 0);
    if (cpu_long(cpu))
        sysret_flags(cpu);
    else
        cpu->eflags |= FLAG_IF;
    sysret_to(cpu, wide ? rcx : (uint32_t)rcx, wide ? CODE64 : CODE32);
}

/* --- SYSENTER, SYSEXIT --- */

/* AMD's processors do not have them in long mode. */
static void need_sysenter(struct cpu *cpu)
{
    if (cpu_long(cpu) && cpu_model_is_amd(cpu->model))
        cpu_raise(cpu, EXC_UD);
    if (!(cpu->cr0 & CR0_PE) || selector(cpu->msr.sysenter_cs) == 0)
        cpu_raise_error(cpu, EXC_GP, 0);
}

void op_sysenter(struct cpu *cpu, const struct insn *in)
{
    uint64_t mask = cpu_long(cpu) ? ~(uint64_t)0 : 0xffffffff;
    uint32_t cs = selector(cpu->msr.sysenter_cs);

    (void)in;
    need_sysenter(cpu);
    cpu->eflags &= ~(uint32_t)(FLAG_VM | FLAG_IF | FLAG_RF);
    cpu->gpr[RSP] = cpu->msr.sysenter_esp & mask;
    enter_flat(cpu, 0, cs, cs + 8, cpu_long(cpu) ? CODE64 : CODE32);
    go(cpu, cpu->msr.sysenter_eip & mask);
}

void op_sysexit(struct cpu *cpu, const struct insn *in)
{
    uint32_t cs = selector(cpu->msr.sysenter_cs);
    uint64_t sp = cpu->gpr[RCX], ip = cpu->gpr[RDX];
    bool wide = in->opsize == 8;

    need_sysenter(cpu);
    control_need_cpl0(cpu);
    if (wide && !(laddr_is_canonical(sp) && laddr_is_canonical(ip)))
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu->gpr[RSP] = wide ? sp : (uint32_t)sp;
    if (wide)
        enter_flat(cpu, 3, cs + 32, cs + 40, CODE64);
    else
        enter_flat(cpu, 3, cs + 16, cs + 24, CODE32);
    go(cpu, wide ? ip : (uint32_t)ip);
}

/* --- INT n, INT3, INTO, INT1, UD --- */

/* Faults on the way are the program's own: no EXT. */
static void interrupt(struct cpu *cpu, unsigned vector, enum event_kind kind)
{
    struct event e = {
        .vector = (uint8_t)vector, .kind = (uint8_t)kind,
        .rip = cpu->next_rip,
    };

    if (kind == EVENT_INT_N && (cpu->eflags & FLAG_VM) &&
        deliver_v86_int(cpu, &e))
        return;
    deliver(cpu, &e);
}

void op_int(struct cpu *cpu, const struct insn *in)
{
    interrupt(cpu, (unsigned)in->imm & 0xff, EVENT_INT_N);
}

void op_int3(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    interrupt(cpu, EXC_BP, EVENT_INT3_INTO);
}

void op_into(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    if (cpu->aflags & AFLAGS_OF)
        interrupt(cpu, EXC_OF, EVENT_INT3_INTO);
}

/* No DPL check, and EXT set: it stands for hardware (SDM vol. 2, INT n). */
void op_int1(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    cpu->delivering_ext = true;
    interrupt(cpu, EXC_DB, EVENT_EXCEPTION);
    cpu->delivering_ext = false;
}

void op_ud(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    cpu_raise(cpu, EXC_UD);
}

/* Outside system management mode, which Copal does not enter. */
void op_rsm(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    cpu_raise(cpu, EXC_UD);
}
