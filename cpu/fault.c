#include "cpu/fault.h"

#include <string.h>

#include "base/log.h"
#include "cpu/debugreg.h"
#include "cpu/deliver.h"

/* Classes of SDM vol. 3, table 6-4; #DF is one of its own. */
enum fault_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum fault_class class_of(int vector)
{
    switch (vector) {
    case EXC_DE:
    case EXC_TS:
    case EXC_NP:
    case EXC_SS:
    case EXC_GP: return CONTRIBUTORY;
    case EXC_PF: return PAGE_FAULT;
    case EXC_DF: return DOUBLE_FAULT;
    default: return BENIGN;
    }
}

static noreturn void unwind(struct cpu *cpu, const struct pending_exception *e)
{
    if (cpu->recover)
        cpu->recover(cpu);
    cpu->exc = *e;
    if (e->is_trap) {
        cpu->rip = cpu->next_rip;
        cpu->insn_rsp = cpu->gpr[RSP];
    }
    cpu->gpr[RSP] = cpu->insn_rsp;
    longjmp(*cpu->unwind, 1);
}

noreturn void cpu_raise(struct cpu *cpu, enum vector vector)
{
    struct pending_exception e = {.vector = (uint8_t)vector};

    unwind(cpu, &e);
}

noreturn void cpu_raise_error(struct cpu *cpu, enum vector vector,
                              uint32_t error)
{
    struct pending_exception e = {
        .vector = (uint8_t)vector, .has_error = true, .error = error,
    };

    unwind(cpu, &e);
}

noreturn void cpu_raise_page_fault(struct cpu *cpu)
{
    cpu->cr2 = cpu->mmu.fault_la;
    cpu_raise_error(cpu, EXC_PF, cpu->mmu.fault_error);
}

noreturn void cpu_raise_debug(struct cpu *cpu, uint64_t dr6, bool trap)
{
    struct pending_exception e = {
        .vector = EXC_DB, .is_trap = trap, .dr6 = dr6,
    };

    unwind(cpu, &e);
}

noreturn void cpu_freeze(struct cpu *cpu)
{
    struct pending_exception e = {.freezes = true};

    unwind(cpu, &e);
}

/* The second fault while `first` was being delivered (SDM vol. 3, table
 * 6-5): false if the processor shuts down. */
static bool combine(struct cpu *cpu, int first)
{
    enum fault_class a = class_of(first), b = class_of(cpu->exc.vector);

    if (b == BENIGN || a == BENIGN)
        return true;
    if (a == DOUBLE_FAULT)
        return false;
    if (a == CONTRIBUTORY && b == PAGE_FAULT)
        return true;
    memset(&cpu->exc, 0, sizeof(cpu->exc));
    cpu->exc.vector = EXC_DF;
    cpu->exc.has_error = true;
    return true;
}

/* The engine sees `halted` and asks cpu_service. */
static void shut_down(struct cpu *cpu)
{
    log_guest("triple fault at %04x:%llx", cpu->seg[CS].sel,
              (unsigned long long)cpu->rip);
    cpu->delivering = -1;
    cpu->delivering_ext = false;
    cpu->shutdown = true;
    cpu->halted = true;
}

/* SDM vol. 3, 17.2.3: B0-B3 tell of this exception, the others gather. */
static void enter_debug(struct cpu *cpu, uint64_t dr6)
{
    if (dr6 & DR6_B)
        cpu->dr[6] &= ~(uint64_t)DR6_B;
    cpu->dr[6] |= dr6;
    cpu->dr[7] &= ~(uint64_t)DR7_GD;
}

static void trace(const struct cpu *cpu)
{
    log_trace("exception %02x error %04x cpl %u at %04x:%016llx sp %04x:%016llx"
              " cr2 %016llx\n",
              cpu->exc.vector, cpu->exc.error, cpu->cpl, cpu->seg[CS].sel,
              (unsigned long long)cpu->rip, cpu->seg[SS].sel,
              (unsigned long long)cpu->gpr[RSP],
              (unsigned long long)cpu->cr2);
}

void cpu_deliver_exception(struct cpu *cpu)
{
    struct event e = {.kind = EVENT_EXCEPTION};

    if (cpu->exc.freezes) {
        cpu->halted = true;
        cpu->shadow = false;
        return;
    }
    if (log_on(LOG_INT))
        trace(cpu);
    if (cpu->delivering >= 0 && !combine(cpu, cpu->delivering)) {
        shut_down(cpu);
        return;
    }
    e.vector = cpu->exc.vector;
    e.has_error = cpu->exc.has_error;
    e.error = cpu->exc.error;
    e.rip = cpu->rip;
    e.set_rf = !cpu->exc.is_trap && e.vector != EXC_DB;
    cpu->delivering = e.vector;
    cpu->delivering_ext = true;
    cpu->insn_rsp = cpu->gpr[RSP];
    if (!cpu->exc.is_trap)
        cpu->pending_db = 0;
    if (e.vector == EXC_DB)
        enter_debug(cpu, cpu->exc.dr6);
    cpu->stats->exceptions++;
    deliver(cpu, &e);
    cpu->delivering = -1;
    cpu->delivering_ext = false;
}
