#ifndef CPU_CPU_H
#define CPU_CPU_H

/*
 * One x86 processor: all architectural state, and how the board is wired to
 * it.  Generated code knows this layout through offsetof.
 *
 * Flags are split: the six arithmetic ones live in `aflags` (form: flags.h),
 * everything else of EFLAGS in `eflags` (whose arithmetic bits are 0).
 * cpu_eflags and cpu_set_eflags join and split.
 *
 * rip is the address of the instruction being executed, an offset in CS; an
 * instruction body may change next_rip, which starts as the address of the
 * following one and becomes rip when the instruction is complete.
 *
 * Faults.  cpu_raise never returns: it undoes a change of RSP made by the
 * instruction (insn_rsp) and long-jumps to the engine, which calls
 * cpu_deliver_exception.  So bodies change registers other than RSP only after
 * their last access that can fault.  Hold nothing across a guest access.
 */

#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/state.h"
#include "base/stats.h"
#include "base/types.h"
#include "cpu/engine.h"
#include "cpu/features.h"
#include "cpu/flags.h"
#include "cpu/regs.h"
#include "mem/mmu.h"
#include "mem/space.h"

struct insn;

/* Hidden part of a segment register (SDM vol. 3, 3.4.3). */
struct segment {
    uint16_t sel;
    uint32_t attr;  /* ATTR_*; ATTR_P clear: not usable (null selector) */
    uint32_t limit; /* in bytes, already scaled by G */
    uint64_t base;
};

struct table_reg { /* GDTR, IDTR */
    uint64_t base;
    uint16_t limit;
};

/* 64 bytes, room for ZMM; SSE uses the low 16, AVX 32. */
union vec {
    uint8_t u8[64];
    uint16_t u16[32];
    uint32_t u32[16];
    uint64_t u64[8];
    float f32[16];
    double f64[8];
};

/* The x87 register file as FXSAVE sees it (SDM vol. 1, 8.1). */
struct fpreg { /* 80 bits: significand, then sign and exponent */
    uint64_t frac;
    uint16_t exp;
};

struct fpu {
    struct fpreg r[8]; /* physical registers: ST(i) is r[(top + i) & 7] */
    uint16_t cw;
    uint16_t sw;  /* TOP included */
    uint8_t tags; /* one bit a physical register: 1 = not empty */
    uint16_t opcode, ds, cs;
    uint64_t ip, dp;
};

/*
 * Outside 64-bit code the upper halves of RAX to RDI are 0: cpu_update_mode
 * sees to it, and whoever else writes registers must.
 *
 * The bits of CPU state that decide what bytes of code mean: part of the key
 * of every translated or decoded block.  cpu_update_mode computes them.
 */
enum cpu_mode {
    MODE_CODE16 = 0,
    MODE_CODE32 = 1 << 0, /* default operand and address size 32 */
    MODE_CODE64 = 1 << 1,
    MODE_STACK32 = 1 << 2, /* SS.B; implied 64 with MODE_CODE64 */
    MODE_PE = 1 << 3,      /* protected mode and not virtual-8086 */
    MODE_FLAT_CS = 1 << 4, /* base 0, limit 4G-1 */
    MODE_FLAT_DATA = 1 << 5, /* DS and ES: base 0, limit 4G-1, writable */
    MODE_FLAT_SS = 1 << 6,
    MODE_NO_FPU = 1 << 7,  /* CR0.TS or EM set: x87, MMX trap */
    MODE_NO_SSE = 1 << 8,  /* SSE traps: TS, EM, or OSFXSR clear */
    MODE_FPU_EXC = 1 << 9, /* x87 exceptions unmasked */
    MODE_ALIGN = 1 << 10,  /* alignment is checked: CPL 3, CR0.AM, EFLAGS.AC */
    MODE_NO_AVX = 1 << 11, /* AVX traps: TS, or not enabled by CR4, XCR0 */
    MODE_SSE_EXC = 1 << 12, /* SSE exceptions unmasked */
    MODE_SSE_ODD = 1 << 13, /* underflow unmasked, or MXCSR.MM */
    MODE_BITS = 14,
};

/* Reasons in cpu.stop.  Translated code tests the whole word. */
enum cpu_stop {
    CPU_STOP_INTR = 1 << 0,    /* INTR is up and may be taken now */
    CPU_STOP_NMI = 1 << 1,
    CPU_STOP_MACHINE = 1 << 2, /* cpu_kick: return to the machine */
    CPU_STOP_TRAP = 1 << 3,    /* TF, breakpoints: step by interpreter */
    CPU_STOP_INIT = 1 << 4,
};

struct cpu_msrs { /* plain registers; those with a home elsewhere are not here */
    uint64_t star, lstar, cstar, fmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t apic_base, pat, mtrr_def_type, misc_enable, tsc_adjust;
    uint64_t mtrr_var[16], mtrr_fix[11];
    uint64_t mcg_status, mci[4 * 4];
    uint64_t xss;
};

/* How the board is wired to the processor.  Any pointer may be NULL. */
struct cpu_bus {
    void *owner;
    /* The vector of the interrupt being acknowledged, 0..255. */
    int (*intr_ack)(void *owner);
    /* Local APIC: task priority (CR8, 0..15), base MSR, deadline MSR. */
    unsigned (*tpr_get)(void *owner);
    void (*tpr_set)(void *owner, unsigned tpr);
    bool (*apic_base_set)(void *owner, uint64_t value);
    void (*tsc_deadline_set)(void *owner, uint64_t tsc);
    uint64_t (*tsc_deadline_get)(void *owner);
    void (*ferr)(void *owner, bool level); /* x87 error, IRQ 13 */
};

/* Why the CPU is unwinding. */
struct pending_exception {
    uint8_t vector;
    bool has_error;
    bool is_trap; /* state is after the instruction, not at its start */
    bool freezes; /* no exception: it waits for an interrupt */
    uint32_t error;
    uint64_t dr6; /* for #DB: bits to set */
};

enum { CPU_SCRATCH = 512 };

struct cpu_model; /* cpu/cpuid.h */

struct cpu {
    /* Near the start: what generated code touches. */
    uint64_t gpr[GPR_COUNT];
    uint64_t rip, next_rip;
    /* The running engine's own: generated code keeps spilled values here. */
    uint8_t scratch[CPU_SCRATCH] __attribute__((aligned(16)));
    _Atomic uint32_t stop; /* enum cpu_stop */
    uint32_t mode;         /* enum cpu_mode */
    uint16_t aflags;
    uint32_t eflags;       /* without the arithmetic flags; FLAG_1 set */
    uint64_t insn_rsp;     /* RSP at the start of the instruction */
    struct segment seg[SEG_COUNT];
    /* Bytes from offset 0 that may be read and written through a segment that
     * needs no closer look (present, expand-up, right kind), else 0. */
    uint64_t room_read[SEG_COUNT], room_write[SEG_COUNT];
    struct mmu mmu;

    union vec xmm[16] __attribute__((aligned(64)));
    uint32_t mxcsr;
    struct fpu fpu;

    uint8_t cpl;
    bool halted;
    bool nmi_masked;
    bool nmi_pending;
    bool intr_line;       /* level of INTR */
    bool ignne;           /* IGNNE#: x87 errors do not stop it */
    uint64_t shadow_rip;  /* no interrupt before this instruction is done */
    bool shadow;          /* ... if set (STI, MOV SS, POP SS) */
    bool shadow_db;       /* MOV SS, POP SS: debug traps are held too */

    struct segment ldtr, tr;
    struct table_reg gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, efer; /* CR8 is the local APIC's */
    uint64_t xcr0;
    uint64_t dr[8];                    /* DR4, DR5 not used */
    struct cpu_msrs msr;

    const struct cpu_model *model;
    struct feature_set features; /* those of the model */
    struct space *io;   /* ports */
    struct clock *clock;
    uint64_t tsc_hz, tsc_offset;
    uint64_t random; /* what RDRAND gives next on a deterministic machine */
    struct cpu_bus bus;
    struct stats *stats;

    /* Exceptions on their way. */
    struct pending_exception exc;
    int delivering;       /* vector being delivered, -1: none */
    bool delivering_ext;  /* it came from outside: EXT bit */
    bool shutdown;        /* triple fault */
    uint64_t pending_db;  /* DR6 bits of a debug trap that is due */
    bool step_trap;       /* TF was set when the instruction began */
    jmp_buf *unwind;      /* the engine's */
    /* Called by cpu_raise before unwinding: brings rip, flags and registers
     * up to date if generated code was running.  NULL: they are. */
    void (*recover)(struct cpu *cpu);
    void *engine_data;    /* the running engine's own */
};

/* A processor in the state after power-on (SDM vol. 3, 9.1.1).  mem, io, clk
 * and stats outlive it. */
void cpu_init(struct cpu *cpu, const struct cpu_model *model,
              struct physmem *mem, struct space *io, struct clock *clk,
              struct stats *stats);
void cpu_destroy(struct cpu *cpu);
void cpu_reset(struct cpu *cpu); /* as by the RESET pin */

uint32_t cpu_eflags(const struct cpu *cpu);
/* Takes all of v as it is (no privilege rules), sets FLAG_1. */
void cpu_set_eflags(struct cpu *cpu, uint32_t v);

/* After a change of segments, CR0, CR4, EFER, EFLAGS.VM, CPL or AC: recomputes
 * mode, the MMU's bank, and what depends on them. */
void cpu_update_mode(struct cpu *cpu);
/* After a change of IF, TF, shadow, INTR, NMI, DR7: recomputes `stop`. */
void cpu_update_stop(struct cpu *cpu);

/* Lines from the board; machine's thread. */
void cpu_set_intr(void *cpu, unsigned pin, bool level);
void cpu_set_nmi(void *cpu, unsigned pin, bool level);
/* INIT and hardware reset are asked of machine, not of the CPU. */

/* Any thread: makes run return STOP_REQUEST soon. */
void cpu_kick(struct cpu *cpu);

/* Engines call this when cpu->stop is not zero, or halted, between
 * instructions: takes NMI and INTR if they may be taken now (under the engine's
 * unwind point: delivery may fault).  Returns true with *reason set if the
 * engine must return to the machine: kick, HLT with nothing to take, shutdown. */
bool cpu_service(struct cpu *cpu, enum stop_reason *reason);

/* Time stamp counter now; and the guest's write to it. */
uint64_t cpu_tsc(const struct cpu *cpu);
void cpu_set_tsc(struct cpu *cpu, uint64_t tsc);

/* Everything that a snapshot must keep.  cpu_state_loaded follows a load:
 * gives the MMU the new control registers and recomputes what is derived.
 * False if the state is one that no processor can be in. */
extern const struct field cpu_state[];
bool cpu_state_loaded(struct cpu *cpu);

static inline bool cpu_has(const struct cpu *cpu, unsigned feature)
{
    return feature_set_has(&cpu->features, feature);
}

static inline bool cpu_protected(const struct cpu *cpu)
{
    return (cpu->cr0 & CR0_PE) && !(cpu->eflags & FLAG_VM);
}

static inline bool cpu_long(const struct cpu *cpu) /* long or compatibility */
{
    return cpu->efer & EFER_LMA;
}

static inline bool cpu_code64(const struct cpu *cpu)
{
    return cpu->mode & MODE_CODE64;
}

#endif
