/*
 * x87 instructions, run by the host's x87.
 *
 * While frame.x87_live is set the guest's register stack, control and status
 * words are in the host's x87 with the same TOP, so an instruction on ST(i) is
 * itself.  Only code with all exceptions masked comes here (MODE_FPU_EXC), so
 * nothing traps.  The instruction and data pointers are the guest's: stored to
 * struct fpu by each instruction, as cpu/fpu.c does.  Transcendentals stay with
 * C: their last bit differs from maker to maker.
 */

#include "jit/x86_64/emit.h"

#include <string.h>

#include "base/bytes.h"

enum { IMAGE_SIZE = 108, IMAGE_ENV = 28, TOP_SHIFT = 11 };

/* The memory image of FNSAVE and FRSTOR (SDM vol. 1, figure 8-9): seven words
 * of environment, then ST(0) to ST(7). */
struct x87_image {
    uint8_t byte[IMAGE_SIZE];
};

void jit_x87_load(struct cpu *cpu)
{
    const struct fpu *fpu = &cpu->fpu;
    struct x87_image image = {{0}};
    unsigned top = fpu->sw >> TOP_SHIFT & 7, tags = 0;

    for (unsigned r = 0; r < 8; r++)
        tags |= (fpu->tags >> r & 1 ? 0u : 3u) << (2 * r);
    store32(image.byte, fpu->cw);
    store32(image.byte + 4, fpu->sw);
    store32(image.byte + 8, tags);
    for (unsigned i = 0; i < 8; i++) {
        const struct fpreg *r = &fpu->r[(top + i) & 7];

        store64(image.byte + IMAGE_ENV + 10 * i, r->frac);
        store16(image.byte + IMAGE_ENV + 10 * i + 8, r->exp);
    }
    __asm__ volatile("frstor %0" : : "m"(image));
    jit_frame(cpu)->x87_live = true;
}

/* Leaves the host's x87 as after FNINIT. */
void jit_x87_save(struct cpu *cpu)
{
    struct fpu *fpu = &cpu->fpu;
    struct x87_image image;
    unsigned top;

    __asm__ volatile("fnsave %0" : "=m"(image));
    fpu->sw = load16(image.byte + 4);
    top = fpu->sw >> TOP_SHIFT & 7;
    fpu->tags = 0;
    for (unsigned r = 0; r < 8; r++)
        if ((load16(image.byte + 8) >> (2 * r) & 3) != 3)
            fpu->tags |= (uint8_t)(1u << r);
    for (unsigned i = 0; i < 8; i++) {
        struct fpreg *r = &fpu->r[(top + i) & 7];

        r->frac = load64(image.byte + IMAGE_ENV + 10 * i);
        r->exp = load16(image.byte + IMAGE_ENV + 10 * i + 8);
    }
    jit_frame(cpu)->x87_live = false;
}

bool x87_native(const struct insn *in)
{
    static const char *const bodies[] = {
        "fadd", "fsub", "fsubr", "fmul", "fdiv", "fdivr", "faddp", "fsubp",
        "fsubrp", "fmulp", "fdivp", "fdivrp", "fiadd", "fisub", "fisubr",
        "fimul", "fidiv", "fidivr", "fcom", "fcomp", "fcompp", "fucom",
        "fucomp", "fucompp", "ficom", "ficomp", "fld", "fild", "fst", "fstp",
        "fist", "fistp", "fxch", "fchs", "fabs", "ftst", "fld1", "fldz",
        "fsqrt", "frndint",
    };
    const char *body = insn_info[in->id].body;

    for (unsigned k = 0; k < array_len(bodies); k++)
        if (!strcmp(body, bodies[k]))
            return true;
    return false;
}

static void need_x87(struct emit *e)
{
    struct stub *s;

    if (e->x87_known)
        return;
    flags_sync(e);
    flags_clobber(e);
    as_alu_imm(&e->as, ALU_CMP, 4, FRAME(x87_live), 0);
    s = stub_new(e, STUB_X87);
    s->jump[0] = as_jcc(&e->as, CC_E);
    s->back = as_at(&e->as);
    e->x87_known = true;
}

static size_t fpu_field(size_t offset)
{
    return offsetof(struct cpu, fpu) + offset;
}

/* FIP, FCS and FOP; changes no flags. */
static void record(struct emit *e, const struct insn *in, uint64_t ip)
{
    unsigned opcode = (in->map & 7u) << 8 | in->modrm;
    struct rm fip = env(fpu_field(offsetof(struct fpu, ip)));

    if ((int64_t)ip == (int32_t)ip) {
        as_mov_imm_to(&e->as, 8, fip, (int32_t)ip);
    } else {
        as_mov_imm(&e->as, HSCRATCH, ip);
        as_mov_to(&e->as, 8, fip, HSCRATCH);
    }
    as_mov_imm_to(&e->as, 2, env(fpu_field(offsetof(struct fpu, opcode))),
                  (int16_t)opcode);
    as_movzx(&e->as, 2, HSCRATCH,
             env(offsetof(struct cpu, seg) + CS * sizeof(struct segment) +
                 offsetof(struct segment, sel)));
    as_mov_to(&e->as, 2, env(fpu_field(offsetof(struct fpu, cs))), HSCRATCH);
}

/* FDP and FDS: the offset, which in a flat segment is the linear address that
 * the access left in frame.la or can be computed again. */
static void record_data(struct emit *e, const struct insn *in)
{
    as_mov_to(&e->as, 8, env(fpu_field(offsetof(struct fpu, dp))), HSCRATCH);
    as_movzx(&e->as, 2, HSCRATCH,
             env(offsetof(struct cpu, seg) + in->seg * sizeof(struct segment) +
                 offsetof(struct segment, sel)));
    as_mov_to(&e->as, 2, env(fpu_field(offsetof(struct fpu, ds))), HSCRATCH);
}

void x87_encode(struct emit *e, const struct insn *in, const struct rm *m)
{
    if (m) {
        as_op(&e->as, in->map, 4, in->modrm >> 3 & 7, *m);
    } else {
        as_byte(&e->as, in->map);
        as_byte(&e->as, in->modrm);
    }
}

/* A store pops only once it is known to succeed: the host address first. */
static void x87_store(struct emit *e, const struct ir_ins *i,
                      const struct insn *in)
{
    struct stub use = {.use_kind = USE_POINTER, .reg = HNONE};
    unsigned at = memory_use(e, i, i->size, FRAME_RMW, use);
    struct rm m = rm_mem(at, 0);

    x87_encode(e, in, &m);
}

void emit_x87(struct emit *e, const struct ir_ins *i)
{
    const struct insn *in = &e->out->insn[i->insn];

    need_x87(e);
    if (i->size == 0) {
        x87_encode(e, in, NULL);
    } else if (i->reg & ACC_W) {
        x87_store(e, i, in);
    } else {
        struct stub use = {.use_kind = USE_X87, .in = in};

        memory_use(e, i, i->size, 0, use);
    }
    record(e, in, e->b->ip[i->insn]);
    if (i->size) {
        memory_offset(e, i, HSCRATCH);
        record_data(e, in);
    }
}
