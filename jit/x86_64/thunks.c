/*
 * Code that all blocks share: the way in and out, and the doors to C.
 *
 * At a door the mapped guest registers go home to struct cpu and come back
 * after the call, so that C sees exact state and may change any of it.
 */

#include "jit/x86_64/emit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "cpu/simd_fp.h"
#include "mem/tlb.h"

static const uint8_t callee_saved[] = {HRBX, HRBP, HR12, HR13, HR14, HR15};

/* Values that may be in use around a memory access. */
static const uint8_t temporaries[] = {HR9, HR10, HR11};

static void save_guest(struct emit *e)
{
    for (unsigned g = 0; g < GPR_COUNT; g++)
        if (host_of(g) != HNONE)
            as_mov_to(&e->as, 8, guest_home(g), host_of(g));
}

static void load_guest(struct emit *e)
{
    for (unsigned g = 0; g < GPR_COUNT; g++)
        if (host_of(g) != HNONE)
            as_mov(&e->as, 8, host_of(g), guest_home(g));
}

static struct rm xmm_home(unsigned n)
{
    return env(offsetof(struct cpu, xmm) + n * sizeof(union vec));
}

enum { VEX_LOAD = 0x10, VEX_STORE = 0x11 }; /* VMOVUPS */

static void move_ymm(struct emit *e, unsigned opcode)
{
    struct vex v = {.map = 1, .wide = true, .opcode = (uint8_t)opcode};

    for (unsigned n = 0; n < 16; n++)
        as_vex_op(&e->as, v, n, xmm_home(n));
}

static void vzeroupper(struct emit *e)
{
    as_byte(&e->as, 0xc5);
    as_byte(&e->as, 0xf8);
    as_byte(&e->as, 0x77);
}

/* LDMXCSR and STMXCSR are digits 2 and 3 of 0F AE. */
static void mxcsr(struct emit *e, unsigned digit, struct rm m)
{
    as_op_prefix(&e->as, 0, 0x0fae, false, digit, m);
}

/* The guest's with all exceptions masked, and without the flags of those that
 * it has unmasked: they show what happens (vector.c). */
static void load_mxcsr(struct emit *e)
{
    as_mov(&e->as, 4, HRAX, ENV(mxcsr));
    as_op(&e->as, 0xf7, 4, 2, rm_reg(HRAX)); /* NOT */
    as_shift_imm(&e->as, 5, 4, rm_reg(HRAX), MXCSR_MASK_SHIFT);
    as_alu_imm(&e->as, ALU_AND, 4, rm_reg(HRAX), MXCSR_FLAGS);
    as_mov_to(&e->as, 4, FRAME(unmasked), HRAX);
    as_op(&e->as, 0xf7, 4, 2, rm_reg(HRAX));
    as_alu(&e->as, ALU_AND, 4, HRAX, ENV(mxcsr));
    as_alu_imm(&e->as, ALU_OR, 4, rm_reg(HRAX),
               MXCSR_FLAGS << MXCSR_MASK_SHIFT);
    as_mov_to(&e->as, 4, FRAME(mxcsr_now), HRAX);
    mxcsr(e, 2, FRAME(mxcsr_now));
}

/* The rest of the guest's is in struct cpu as it was loaded. */
static void save_mxcsr(struct emit *e)
{
    mxcsr(e, 3, FRAME(mxcsr_now));
    as_mov(&e->as, 4, HRAX, FRAME(mxcsr_now));
    as_alu_imm(&e->as, ALU_AND, 4, rm_reg(HRAX), MXCSR_FLAGS);
    as_op(&e->as, 0x09, 4, HRAX, ENV(mxcsr)); /* OR */
    mxcsr(e, 2, FRAME(host_mxcsr));
}

/* Registers go home if they are out, MXCSR with them.  The upper halves do not
 * stay with C: on some processors its SSE would wait for them. */
static void save_xmm(struct emit *e)
{
    size_t skip, sse, done;

    as_alu_imm(&e->as, ALU_CMP, 4, FRAME(xmm_live), XMM_LIVE_SSE);
    skip = as_jcc(&e->as, CC_B);
    sse = as_jcc(&e->as, CC_E);
    move_ymm(e, VEX_STORE);
    vzeroupper(e);
    done = as_jmp(&e->as);
    as_patch(&e->as, sse, as_at(&e->as));
    for (unsigned n = 0; n < 16; n++)
        as_op_prefix(&e->as, 0, 0x0f29, false, n, xmm_home(n));
    as_patch(&e->as, done, as_at(&e->as));
    save_mxcsr(e);
    as_patch(&e->as, skip, as_at(&e->as));
}

static void load_xmm(struct emit *e)
{
    for (unsigned n = 0; n < 16; n++)
        as_op_prefix(&e->as, 0, 0x0f28, false, n, xmm_home(n));
    load_mxcsr(e);
}

static void load_xmm_if_live(struct emit *e)
{
    size_t skip, sse, done;

    as_alu_imm(&e->as, ALU_CMP, 4, FRAME(xmm_live), XMM_LIVE_SSE);
    skip = as_jcc(&e->as, CC_B);
    sse = as_jcc(&e->as, CC_E);
    move_ymm(e, VEX_LOAD);
    load_mxcsr(e);
    done = as_jmp(&e->as);
    as_patch(&e->as, sse, as_at(&e->as));
    load_xmm(e);
    as_patch(&e->as, done, as_at(&e->as));
    as_patch(&e->as, skip, as_at(&e->as));
}

static void call_c(struct emit *e, uint64_t fn)
{
    as_mov(&e->as, 8, HRDI, rm_reg(HENV));
    as_mov_imm(&e->as, HRAX, fn);
    as_op(&e->as, 0xff, 4, 2, rm_reg(HRAX));
}

/* By C, on an aligned stack; changes what a call may change. */
static void save_x87(struct emit *e)
{
    size_t skip;

    as_alu_imm(&e->as, ALU_CMP, 4, FRAME(x87_live), 0);
    skip = as_jcc(&e->as, CC_E);
    call_c(e, (uint64_t)(uintptr_t)jit_x87_save);
    as_patch(&e->as, skip, as_at(&e->as));
}

/* RDI: cpu, RSI: code.  Keeps what the host's calling convention keeps. */
static void thunk_enter(struct emit *e)
{
    for (unsigned k = 0; k < sizeof(callee_saved); k++)
        as_op(&e->as, 0xff, 4, 6, rm_reg(callee_saved[k])); /* PUSH */
    as_alu_imm(&e->as, ALU_SUB, 8, rm_reg(HRSP), 8);
    as_mov(&e->as, 8, HENV, rm_reg(HRDI));
    as_mov_to(&e->as, 8, FRAME(host_sp), HRSP);
    as_op_prefix(&e->as, 0, 0x0fae, false, 3, FRAME(host_mxcsr));
    as_mov(&e->as, 8, HR11, rm_reg(HRSI));
    as_mov(&e->as, 8, HBANK, ENV(mmu.bank));
    load_guest(e);
    as_op(&e->as, 0xff, 4, 4, rm_reg(HR11)); /* JMP R11 */
}

/* Back to the caller of enter with a reason.  Guest state is home but for
 * XMM. */
static void leave(struct emit *e, unsigned reason)
{
    save_xmm(e);
    as_mov_imm_to(&e->as, 4, FRAME(xmm_live), XMM_HOME);
    as_mov(&e->as, 8, HRSP, FRAME(host_sp));
    save_x87(e);
    as_mov_imm(&e->as, HRAX, reason);
    as_alu_imm(&e->as, ALU_ADD, 8, rm_reg(HRSP), 8);
    for (unsigned k = sizeof(callee_saved); k-- > 0;) {
        if (callee_saved[k] >= 8)
            as_byte(&e->as, 0x41);
        as_byte(&e->as, 0x58u | (callee_saved[k] & 7u)); /* POP */
    }
    as_byte(&e->as, 0xc3);
}

/* Called, so that the return address names the exit. */
static void thunk_exit(struct emit *e)
{
    as_op(&e->as, 0x8f, 4, 0, FRAME(exit_from)); /* POP */
    save_guest(e);
    leave(e, JIT_EXIT);
}

static void thunk_stop(struct emit *e)
{
    save_guest(e);
    leave(e, JIT_STOP);
}

static void thunk_bail(struct emit *e)
{
    as_op(&e->as, 0x8f, 4, 0, FRAME(ret));
    save_guest(e);
    leave(e, JIT_BAIL);
}

/* R10: instruction, R11: function. */
static void thunk_helper(struct emit *e)
{
    save_guest(e);
    as_mov_to(&e->as, 8, ENV(insn_rsp), host_of(RSP));
    as_mov(&e->as, 8, HRAX, rm_mem(HRSP, 0));
    as_mov_to(&e->as, 8, FRAME(ret), HRAX);
    save_xmm(e);
    as_mov_imm_to(&e->as, 4, FRAME(xmm_live), XMM_HOME);
    as_alu_imm(&e->as, ALU_SUB, 8, rm_reg(HRSP), 8);
    /* RBX and R14 are home already and survive a call. */
    as_mov(&e->as, 8, HRBX, rm_reg(HR10));
    as_mov(&e->as, 8, HR14, rm_reg(HR11));
    save_x87(e);
    as_mov(&e->as, 8, HRDI, rm_reg(HENV));
    as_mov(&e->as, 8, HRSI, rm_reg(HRBX));
    as_op(&e->as, 0xff, 4, 2, rm_reg(HR14)); /* CALL R14 */
    as_alu_imm(&e->as, ALU_ADD, 8, rm_reg(HRSP), 8);
    as_mov(&e->as, 8, HBANK, ENV(mmu.bank));
    load_guest(e);
    as_byte(&e->as, 0xc3);
}

static struct rm temp_home(unsigned k)
{
    return env(offsetof(struct cpu, scratch) +
               offsetof(struct jit_frame, spill) +
               8 * (FRAME_SPILLS - sizeof(temporaries) + k));
}

/* Around C that must leave no trace in the registers. */
static void door(struct emit *e, uint64_t fn)
{
    save_guest(e);
    for (unsigned k = 0; k < sizeof(temporaries); k++)
        as_mov_to(&e->as, 8, temp_home(k), temporaries[k]);
    as_mov(&e->as, 8, HRAX, rm_mem(HRSP, 0));
    as_mov_to(&e->as, 8, FRAME(ret), HRAX);
    save_xmm(e);
    as_alu_imm(&e->as, ALU_SUB, 8, rm_reg(HRSP), 8);
    call_c(e, fn);
    as_alu_imm(&e->as, ALU_ADD, 8, rm_reg(HRSP), 8);
}

static void door_back(struct emit *e)
{
    load_xmm_if_live(e);
    for (unsigned k = 0; k < sizeof(temporaries); k++)
        as_mov(&e->as, 8, temporaries[k], temp_home(k));
    load_guest(e);
    as_byte(&e->as, 0xc3);
}

/* The access in the frame, or JIT_BAIL. */
static void thunk_access(struct emit *e)
{
    size_t ok;

    door(e, (uint64_t)(uintptr_t)jit_access);
    as_test(&e->as, 1, rm_reg(HRAX), HRAX);
    ok = as_jcc(&e->as, CC_NE);
    load_xmm_if_live(e); /* leave() stores them */
    leave(e, JIT_BAIL);
    as_patch(&e->as, ok, as_at(&e->as));
    door_back(e);
}

static void thunk_flags(struct emit *e)
{
    door(e, (uint64_t)(uintptr_t)jit_flags);
    door_back(e);
}

static void thunk_load_xmm(struct emit *e)
{
    load_xmm(e);
    as_mov_imm_to(&e->as, 4, FRAME(xmm_live), XMM_LIVE_SSE);
    as_byte(&e->as, 0xc3);
}

static struct rm upper_home(unsigned n)
{
    return env(offsetof(struct cpu, xmm) + n * sizeof(union vec) + 16);
}

/* All of the registers, or what is missing. */
static void thunk_load_ymm(struct emit *e)
{
    struct vex insert = {.map = 3, .pp = 1, .wide = true, .opcode = 0x18};
    size_t all, done;

    as_alu_imm(&e->as, ALU_CMP, 4, FRAME(xmm_live), XMM_HOME);
    all = as_jcc(&e->as, CC_E);
    for (unsigned n = 0; n < 16; n++) { /* VINSERTF128 */
        insert.vvvv = (uint8_t)n;
        as_vex_op(&e->as, insert, n, upper_home(n));
        as_byte(&e->as, 1);
    }
    done = as_jmp(&e->as);
    as_patch(&e->as, all, as_at(&e->as));
    move_ymm(e, VEX_LOAD);
    load_mxcsr(e);
    as_patch(&e->as, done, as_at(&e->as));
    as_mov_imm_to(&e->as, 4, FRAME(xmm_live), XMM_LIVE_AVX);
    as_byte(&e->as, 0xc3);
}

static void thunk_load_x87(struct emit *e)
{
    door(e, (uint64_t)(uintptr_t)jit_x87_load);
    door_back(e);
}

bool emit_thunks(struct jit_out *out, struct jit_thunks *t)
{
    struct emit *e = xnew(struct emit);
    const struct {
        void (*emit)(struct emit *);
        uint32_t *at;
    } all[] = {
        {thunk_enter, &t->enter},   {thunk_exit, &t->exit},
        {thunk_stop, &t->stop},     {thunk_bail, &t->bail},
        {thunk_helper, &t->helper}, {thunk_access, &t->access},
        {thunk_flags, &t->flags},   {thunk_load_xmm, &t->load_xmm},
        {thunk_load_ymm, &t->load_ymm},
        {thunk_load_x87, &t->load_x87},
    };
    bool ok;

    host_features(&t->host);
    e->as = (struct as){out->rw, out->rw + out->at, out->rw + out->end, false};
    for (unsigned k = 0; k < array_len(all); k++) {
        *all[k].at = (uint32_t)as_at(&e->as);
        all[k].emit(e);
    }
    t->size = (uint32_t)as_at(&e->as);
    ok = !e->as.full;
    free(e);
    return ok;
}
