/* Reading the current TSS: stacks of inner levels. */

#include "cpu/guest.h"
#include "cpu/task.h"

static noreturn void tss_fault(struct cpu *cpu)
{
    segment_fault(cpu, EXC_TS, cpu->tr.sel);
}

static void read_stack_pointer(struct cpu *cpu, unsigned level, uint16_t *sel,
                               uint64_t *esp)
{
    bool is32 = cpu->tr.attr & 8;
    unsigned size = is32 ? 4 : 2;
    unsigned at = level * 2 * size + size;

    if (at + size + 1 > cpu->tr.limit)
        tss_fault(cpu);
    *esp = guest_sys_load(cpu, cpu->tr.base + at, size);
    *sel = (uint16_t)guest_sys_load(cpu, cpu->tr.base + at + size, 2);
}

void tss_inner_stack(struct cpu *cpu, unsigned level, struct descriptor *ss,
                     uint64_t *esp)
{
    uint16_t sel;

    read_stack_pointer(cpu, level, &sel, esp);
    segment_need_stack(cpu, sel, level, EXC_TS, ss);
}

static uint64_t read_rsp(struct cpu *cpu, unsigned at)
{
    if (at + 7 > cpu->tr.limit)
        tss_fault(cpu);
    return guest_sys_load(cpu, cpu->tr.base + at, 8);
}

uint64_t tss_rsp(struct cpu *cpu, unsigned level)
{
    return read_rsp(cpu, level * 8 + 4);
}

uint64_t tss_ist(struct cpu *cpu, unsigned ist)
{
    return read_rsp(cpu, ist * 8 + 28);
}
