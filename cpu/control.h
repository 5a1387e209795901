#ifndef CPU_CONTROL_H
#define CPU_CONTROL_H

/*
 * Control registers and the mode changes they cause (SDM vol. 3, 2.5, 4.1.2,
 * 9.8.5, 9.9).
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"

/* As by MOV CRn, without the privilege check.  False, changing nothing: the
 * guest gets #GP(0). */
bool control_set_cr0(struct cpu *cpu, uint64_t v);
bool control_set_cr3(struct cpu *cpu, uint64_t v);
bool control_set_cr4(struct cpu *cpu, uint64_t v);
bool control_set_efer(struct cpu *cpu, uint64_t v);

/* #GP(0) unless CPL is 0; real mode passes. */
void control_need_cpl0(struct cpu *cpu);
/* CR4.UMIP: SGDT, SIDT, SLDT, SMSW, STR outside CPL 0 are #GP(0). */
void control_need_umip(struct cpu *cpu);

#endif
