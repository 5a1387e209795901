#ifndef CPU_TASK_H
#define CPU_TASK_H

/*
 * The task-state segment: stacks of inner levels, and task switches (SDM
 * vol. 3, chapter 7).
 *
 * A switch has two halves.  Until the old task is saved, a fault leaves that
 * task as it was.  From then on the processor is in the new task: a bad
 * selector there faults with the new task's registers, so insn_rsp, rip and
 * next_rip already belong to it.
 */

#include <stdint.h>

#include "cpu/cpu.h"
#include "cpu/segment.h"

enum task_reason { TASK_JMP, TASK_CALL, TASK_EVENT, TASK_IRET };

/* The 16- or 32-bit TSS's stack for code of privilege `level`; not touched
 * yet.  Faults are #TS, #SS for a segment that is not present. */
void tss_inner_stack(struct cpu *cpu, unsigned level, struct descriptor *ss,
                     uint64_t *esp);
/* Long mode: RSP0..2 by level, IST1..7. */
uint64_t tss_rsp(struct cpu *cpu, unsigned level);
uint64_t tss_ist(struct cpu *cpu, unsigned ist);

/* The TSS that a task gate names, checked as a JMP, CALL or event does. */
void task_from_gate(struct cpu *cpu, uint16_t sel, struct descriptor *tss);
/* The TSS that a JMP or CALL names, or a task gate's: must be available. */
void task_need_available(struct cpu *cpu, const struct descriptor *tss);

/* Switches.  The old task will continue at rip with eflags. */
void task_switch(struct cpu *cpu, struct descriptor *tss,
                 enum task_reason reason, uint64_t rip, uint32_t eflags);
/* IRET with NT set: back to the task that the back link names. */
void task_return(struct cpu *cpu);

#endif
