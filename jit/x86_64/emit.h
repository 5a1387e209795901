#ifndef JIT_X86_64_EMIT_H
#define JIT_X86_64_EMIT_H

/*
 * The x86-64 backend's state while it emits one block, and its parts:
 * alloc.c (where values are), flags.c, alu.c, memory.c, exits.c, vector.c,
 * gather.c, divide.c, x87.c, thunks.c, host.c, target.c.
 *
 * Registers.  RBP: struct cpu.  R15: the MMU's bank.  RSP: the host's stack,
 * aligned to 16.  RAX: scratch, for LAHF and for addresses.  Guest RCX RDX RBX
 * RSI RDI R8 are in the host's registers of the same number, guest RAX in R14,
 * RSP in R12, RBP in R13; guest R9-R15 stay in struct cpu.  R9, R10 and R11
 * hold values within a block.
 */

#include "jit/backend.h"
#include "jit/frame.h"
#include "jit/ir.h"
#include "jit/x86_64/asm.h"

enum { HENV = HRBP, HBANK = HR15, HSCRATCH = HRAX };

enum loc_kind {
    LOC_NONE,
    LOC_CONST,
    LOC_GUEST, /* still in guest register `reg` */
    LOC_TEMP,  /* host register `reg` */
    LOC_SPILL, /* frame.spill[reg] */
    LOC_COND,  /* host condition `reg` of the host's flags right now */
};

struct loc {
    uint8_t kind, reg;
};

enum {
    VALUE_RMW = IR_MAX, /* pseudo-value: host address of a LOAD_RMW */
    SPILLS = FRAME_SPILLS - 3, /* the rest: temporaries around C */
    VALUE_FREE = 0xffff,
    VALUE_USED = 0xfffe, /* scratch of the current operation */
    ALIASES = 8,
    STUBS = 3 * IR_INSNS + 64,
    CONDS = 4,
};

enum stub_kind { STUB_ACCESS, STUB_BAIL, STUB_EXIT, STUB_STOP, STUB_XMM,
                 STUB_X87, STUB_UNDO };

/* Where STUB_STOP finds rip: in imm, R11, or cpu->next_rip. */
enum stub_exit { EXIT_IMM = -1, EXIT_R11 = -2, EXIT_NEXT_RIP = -3 };

/* Code out of line, written after the block. */
struct stub {
    uint8_t kind, insn;
    uint8_t recipe;   /* of the flags here, or RECIPE_NONE */
    uint8_t size;     /* of the access */
    size_t jump[2];   /* displacements that lead here; 0: none */
    size_t back;      /* where it returns to */
    struct rm ea;     /* linear address */
    uint64_t imm;     /* STUB_EXIT, STUB_STOP: ip; index if no base */
    uint32_t op;      /* frame.op */
    int32_t exit;     /* index in out->exit, or enum stub_exit */
    /* The instruction that uses the memory, with frame.value instead. */
    uint8_t use_kind; /* enum use_kind */
    uint8_t reg;
    uint8_t reg_size;
    const struct insn *in;
};

/* What is done with a memory operand once its host address is known. */
enum use_kind {
    USE_LOAD,      /* mov reg, [m]: reg_size bytes kept, rest merged */
    USE_LOADZX,    /* movzx reg, [m] */
    USE_STORE,     /* mov [m], reg */
    USE_STORE_IMM, /* mov [m], imm */
    USE_POINTER,   /* lea reg, [m] */
    USE_VECTOR,    /* the guest instruction re-encoded */
    USE_X87,       /* the same */
};

struct emit {
    struct as as;
    const struct ir_block *b;
    struct jit_out *out;
    unsigned at;       /* index of the operation */
    uint32_t temps;    /* host registers that may hold values */
    uint32_t pinned;    /* operands of this operation: must not be spilled */
    uint16_t owner[16]; /* of host registers: value, VALUE_FREE.. */
    uint16_t spill_owner[FRAME_SPILLS];
    struct loc loc[IR_MAX + 1];
    bool clean[IR_MAX + 1]; /* the whole register is the value */
    uint16_t alias[GPR_COUNT][ALIASES];
    uint8_t alias_count[GPR_COUNT];
    uint16_t conds[CONDS]; /* values at LOC_COND */
    unsigned cond_count;
    /* Guest flags: which are in the host's, which in cpu->aflags. */
    uint32_t host_flags, env_flags;
    ir_ref flags_def;  /* FLAGS that made host_flags, or IR_NONE */
    uint8_t xmm_known; /* frame.xmm_live is at least this here */
    bool x87_known;    /* frame.x87_live is set here */
    uint8_t x87_seg;   /* frame.x87_seg, if it was set since; or SEG_NONE */
    bool failed; /* out of registers, slots or tables at `at` */
    unsigned stub_count;
    struct stub stub[STUBS];
};

/* --- alloc.c --- */
struct rm env(size_t offset); /* [RBP + offset] */
#define ENV(member) env(offsetof(struct cpu, member))
#define FRAME(member) \
    env(offsetof(struct cpu, scratch) + offsetof(struct jit_frame, member))
struct rm guest_home(unsigned reg);
unsigned host_of(unsigned guest); /* HNONE: at home in struct cpu */
unsigned temp_new(struct emit *e);         /* scratch for this operation */
void temp_free(struct emit *e, unsigned r); /* before the operation's end */
void op_end(struct emit *e); /* frees scratch and dead values */
unsigned value_reg(struct emit *e, ir_ref v, unsigned n);
struct rm value_rm(struct emit *e, ir_ref v, unsigned n);
bool value_imm(const struct emit *e, ir_ref v, unsigned n, int32_t *imm);
bool value_is_guest(const struct emit *e, ir_ref v, unsigned guest);
/* The register to make the current operation's value in: guest register by
 * hint, a dying temporary holding `from`, or a new one. */
unsigned value_dst(struct emit *e, ir_ref from, ir_ref avoid);
void value_is_in(struct emit *e, unsigned host); /* defines the value */
void value_set_temp(struct emit *e, unsigned v, unsigned host);
void guest_overwrite(struct emit *e, unsigned guest); /* moves aliases away */
void alias_add(struct emit *e, unsigned guest, ir_ref v);

/* --- flags.c --- */
void flags_clobber(struct emit *e); /* before the host's flags change */
void flags_sync(struct emit *e);    /* before something that observes */
void flags_to_env(struct emit *e);
void flags_restore(struct emit *e); /* all of them into the host's */
void flags_need_cf(struct emit *e);
/* Before an operation: what a recipe for its flags wants saved. */
void flags_save_operand(struct emit *e);
/* How a fault here makes the flags, or RECIPE_NONE: they are in place. */
unsigned flags_recipe(const struct emit *e);
/* The FLAGS right after this operation, if it is its by-product. */
const struct ir_ins *flags_next(const struct emit *e);
void flags_made(struct emit *e, const struct ir_ins *f, bool keeps_rest);
void cond_add(struct emit *e, unsigned cc);
unsigned cond_of(struct emit *e, ir_ref v); /* value as host condition */
void emit_flags(struct emit *e, const struct ir_ins *i);
void emit_cond(struct emit *e, const struct ir_ins *i);
void emit_flag(struct emit *e, const struct ir_ins *i);
void emit_set_flag(struct emit *e, const struct ir_ins *i);
void emit_get_aflags(struct emit *e, const struct ir_ins *i);
void emit_set_aflags(struct emit *e, const struct ir_ins *i);

/* --- alu.c --- */
typedef void emit_fn(struct emit *e, const struct ir_ins *i);
emit_fn emit_binary, emit_carry, emit_not, emit_shift, emit_shift_double,
    emit_mul, emit_mul_high, emit_zext, emit_sext, emit_bswap, emit_scan,
    emit_popcount, emit_compare, emit_select, emit_lea, emit_const, emit_get,
    emit_geth, emit_put, emit_puth;

/* --- memory.c --- */
emit_fn emit_load, emit_store, emit_load_rmw, emit_store_rmw, emit_segbase,
    emit_segcheck;
/* The linear address of a memory operation as an operand of LEA.  An absolute
 * address that does not fit 32 bits gets a register. */
struct rm linear_ea(struct emit *e, const struct ir_ins *i);
/* Does `use` (a stub with its use_kind, reg, ... filled in) on the n bytes at
 * i's address.  op: FRAME_* bits.  use.reg HNONE: any register; returns the
 * one used. */
unsigned memory_use(struct emit *e, const struct ir_ins *i, unsigned n,
                    uint32_t op, struct stub use);
/* The same at ea.  The host's flags must be free.  Takes one temporary. */
unsigned memory_use_at(struct emit *e, struct rm ea, unsigned n, uint32_t op,
                       struct stub use);
/* r = the offset that i accesses, before the segment's base. */
void memory_offset(struct emit *e, const struct ir_ins *i, unsigned r);
void emit_use(struct emit *e, const struct stub *s, struct rm m);

/* --- vector.c --- */
bool vector_native(const struct insn *in, uint32_t mode,
                   const struct feature_set *host);
emit_fn emit_vector;
/* scratch: a register that a string comparison may need beside *m. */
void vector_encode(struct emit *e, const struct insn *in, const struct rm *m,
                   unsigned scratch);
/* Takes back an instruction that raised an unmasked exception. */
void vector_undo(struct emit *e, const struct insn *in);
/* After the re-encoded instruction: its flags are in the host's, if any. */
void flags_by_host(struct emit *e, const struct insn *in);

/* --- gather.c --- */
bool gather_is_valid(const struct insn *in);
void emit_gather(struct emit *e, const struct ir_ins *i,
                 const struct insn *in);

/* --- divide.c --- */
bool divide_native(const struct insn *in);
void emit_divide(struct emit *e, const struct ir_ins *i,
                 const struct insn *in);

/* --- host.c --- */
void host_features(struct feature_set *set);

/* --- x87.c --- */
bool x87_native(const struct insn *in, uint32_t mode,
                const struct feature_set *host);
emit_fn emit_x87;
void need_x87(struct emit *e);
void x87_encode(struct emit *e, const struct insn *in, const struct rm *m);
void jit_x87_load(struct cpu *cpu);
void jit_x87_save(struct cpu *cpu);

/* --- exits.c --- */
emit_fn emit_helper, emit_check_ip, emit_exit, emit_exit_if, emit_exit_to,
    emit_exit_cpu;
void emit_entry(struct emit *e);
void emit_stubs(struct emit *e);
struct stub *stub_new(struct emit *e, enum stub_kind kind);
size_t call_thunk(struct emit *e, uint32_t thunk);
void bail_if(struct emit *e, unsigned cc);
/* For -d stats: the host's flags must be free. */
void count_event(struct emit *e, enum frame_count which);

/* --- thunks.c --- */
bool emit_thunks(struct jit_out *out, struct jit_thunks *t);

#endif
