#ifndef TESTS_DIFF_NATIVE_SWITCH_H
#define TESTS_DIFF_NATIVE_SWITCH_H

/* The assembly that swaps the host's state and the program's, and what it
 * shares with native.c.  native_switch.c knows the offsets. */

#include <stddef.h>
#include <stdint.h>

#include "tests/diff/case.h"

struct native_context {
    uint64_t gpr[16];
    uint64_t rflags;
    uint64_t entry;              /* address of 64-bit code */
    uint32_t far_ip, far_cs;     /* of other code */
    uint64_t fs_base, gs_base;
    uint64_t host_fs, host_rsp;
    struct xarea *x_in, *x_out;
    uint16_t sel[8];             /* ES CS SS DS FS GS */
    uint64_t is_far;
    uint64_t running;            /* 1: a signal is the program's */
    uint64_t out_gpr[16];
    uint64_t out_rflags, out_fs_base, out_gs_base;
    uint16_t out_sel[8];
};

extern struct native_context native_context;

/* Returns at the program's end or after native_on_signal said so: 0 or 1. */
int native_enter(void);
/* Where programs jump at their end; not a function to be called. */
void native_leave(void);
/* Handler for sigaction: clears what would disturb C, calls
 * native_on_signal. */
void native_signal_entry(void);

/* running: as it was when the signal came.  Returns 0: go on; 1: leave the
 * program. */
int native_on_signal(int sig, void *info, void *ucontext, uint64_t running);

#endif
