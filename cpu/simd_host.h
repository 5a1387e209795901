#ifndef CPU_SIMD_HOST_H
#define CPU_SIMD_HOST_H

/*
 * The host's own RCPPS and RSQRTPS: manuals bound their error, and each maker
 * has its tables.  On an x86-64 host the guest gets what the host computes,
 * from the interpreter as from generated code; elsewhere what sf_rcp12 and
 * sf_rsqrt12 do.
 *
 * One of cpu/x86_64 and cpu/none is built.
 */

#include <stdbool.h>
#include <stdint.h>

/* *v becomes the approximation.  False, changing nothing: the host has none. */
bool simd_host_rcp(uint32_t *v);
bool simd_host_rsqrt(uint32_t *v);

#endif
