#ifndef CPU_FPU_HOST_H
#define CPU_FPU_HOST_H

/*
 * The host's own x87, for what differs from maker to maker: the last bit of the
 * transcendental instructions, which follows no rule that a manual states, and
 * C1 after FCOMI.  On an x86-64 host the guest gets what the host does, from
 * the interpreter as from generated code; elsewhere what fpu_functions.c
 * computes.
 *
 * One of cpu/x86_64 and cpu/none is built.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"

/* Runs D9 `modrm` on the registers, control and status word of *fpu; pointers
 * and opcode are the caller's.  False if the host has no x87, or `modrm` is
 * none of F0..F3, F9, FB, FE, FF: nothing has changed.
 *
 * The host's x87 is as after FNINIT when this returns. */
bool fpu_host_run(struct fpu *fpu, uint8_t modrm);

/* Does FCOMI leave C1 as it was?  Without an x87: yes, as AMD's do. */
bool fpu_host_comi_keeps_c1(void);

#endif
