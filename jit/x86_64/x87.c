/*
 * x87 instructions, run by the host's x87.
 *
 * While frame.x87_live is set the guest's register stack, control and status
 * words are in the host's x87 with the same TOP, so an instruction on ST(i) is
 * itself, and so is one on MMX registers (vector.c).  Images of the environment
 * stay with C.
 *
 * Exceptions.  The host never traps: x87 reports an unmasked exception only
 * when the next instruction starts, and none starts.  In code with one unmasked
 * (MODE_FPU_EXC) the status word is looked at after every instruction, and if
 * an exception is pending the block is left for the interpreter; state with one
 * pending is not loaded.  FLDCW leaves when it would change the mode.
 *
 * Instruction and data pointers are the guest's, not the host's: an instruction
 * leaves what they follow from in the frame, and jit_x87_save makes them.
 */

#include "jit/x86_64/emit.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "cpu/flags.h"
#include "cpu/fpu_run.h"

enum { IMAGE_SIZE = 108, IMAGE_ENV = 28 };

/* Parts of frame.x87_ip: an address as far as it is canonical, FOP, and
 * whether there was an instruction at all. */
enum { IP_BITS = 48, IP_OPCODE = 48, IP_VALID = 63, OPCODE_MASK = 0x7ff };

/* The memory image of FNSAVE and FRSTOR (SDM vol. 1, figure 8-9): seven words
 * of environment, then ST(0) to ST(7). */
struct x87_image {
    uint8_t byte[IMAGE_SIZE];
};

/* --- C --- */

void jit_x87_load(struct cpu *cpu)
{
    const struct fpu *fpu = &cpu->fpu;
    struct jit_frame *frame = jit_frame(cpu);
    struct x87_image image = {{0}};
    uint8_t *at = image.byte + IMAGE_ENV;
    unsigned tags = 0;

    for (unsigned r = 0; r < 8; r++)
        tags |= (fpu->tags >> r & 1 ? 0u : 3u) << (2 * r);
    store32(image.byte, fpu->cw);
    store32(image.byte + 4, fpu->sw);
    store32(image.byte + 8, tags);
    for (unsigned i = 0; i < 8; i++, at += 10) {
        struct fpreg r = fpu_get(fpu, i);

        store64(at, r.frac);
        store16(at + 8, r.exp);
    }
    __asm__ volatile("frstor %0" : : "m"(image));
    frame->x87_live = true;
    frame->x87_ip = 0;
    frame->x87_seg = SEG_NONE;
}

static void save_pointers(struct cpu *cpu)
{
    const struct jit_frame *frame = jit_frame(cpu);
    struct fpu *fpu = &cpu->fpu;

    if (frame->x87_ip >> IP_VALID) {
        fpu->ip = bits_sext(frame->x87_ip & bits_mask(IP_BITS), IP_BITS);
        fpu->opcode = (uint16_t)(frame->x87_ip >> IP_OPCODE & OPCODE_MASK);
        fpu->cs = cpu->seg[CS].sel;
    }
    if (frame->x87_seg != SEG_NONE)
        fpu->ds = cpu->seg[frame->x87_seg].sel;
}

/* Leaves the host's x87 as after FNINIT. */
void jit_x87_save(struct cpu *cpu)
{
    struct fpu *fpu = &cpu->fpu;
    struct x87_image image;
    const uint8_t *at = image.byte + IMAGE_ENV;
    unsigned tags;

    __asm__ volatile("fnsave %0" : "=m"(image));
    fpu->cw = (load16(image.byte) & FPU_CW_BITS) | FPU_CW_ONE;
    fpu->sw = load16(image.byte + 4);
    tags = load16(image.byte + 8);
    fpu->tags = 0;
    for (unsigned r = 0; r < 8; r++)
        if ((tags >> (2 * r) & 3) != 3)
            fpu->tags |= (uint8_t)(1u << r);
    for (unsigned i = 0; i < 8; i++, at += 10)
        fpu->r[fpu_physical(fpu, i)] =
            (struct fpreg){load64(at), load16(at + 8)};
    save_pointers(cpu);
    jit_frame(cpu)->x87_live = false;
}

/* --- code --- */

/* Does nothing, if nothing is pending. */
static bool is_nothing(const struct insn *in)
{
    switch (in->id) {
    case I_FWAIT:
    case I_FNENI:
    case I_FNDISI:
    case I_FNSETPM: return true;
    default: return false;
    }
}

/* Those that leave the pointers alone. */
static bool is_control(const struct insn *in)
{
    switch (in->id) {
    case I_FLDCW_M16:
    case I_FNSTCW_M16:
    case I_FNSTSW_M16:
    case I_FNSTSW_AX:
    case I_FNCLEX:
    case I_FNINIT: return true;
    default: return is_nothing(in);
    }
}

bool x87_native(const struct insn *in, uint32_t mode,
                const struct feature_set *host)
{
    if (!feature_set_has(host, insn_info[in->id].feature))
        return false;
    switch (in->id) {
    case I_FNSTENV_Menv:
    case I_FLDENV_Menv:
    case I_FNSAVE_Mfpu:
    case I_FRSTOR_Mfpu: return false;
    case I_FNINIT: return !(mode & MODE_FPU_EXC); /* it ends that mode */
    default: return true;
    }
}

static bool traps(const struct emit *e)
{
    return e->b->mode & MODE_FPU_EXC;
}

void need_x87(struct emit *e)
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
    e->x87_seg = SEG_NONE;
}

static struct rm fpu_field(size_t offset)
{
    return env(offsetof(struct cpu, fpu) + offset);
}

/* Does the next instruction set the same pointers, with no way to leave the
 * block before? */
static bool is_recorded_again(const struct emit *e)
{
    if (traps(e))
        return false;
    for (unsigned k = e->at + 1; k < e->b->count; k++) {
        const struct ir_ins *i = &e->b->ins[k];
        unsigned kind = ir_op_info[i->op].kind;

        if (i->dead)
            continue;
        if (i->op == IR_X87 && i->size == 0) {
            if (!is_control(&e->b->insn[i->insn]))
                return true;
        } else if (kind == IRK_FAULT || kind == IRK_END ||
                   i->op == IR_EXIT_IF) {
            return false;
        }
    }
    return false;
}

/* FIP and FOP; changes no flags. */
static void record(struct emit *e, const struct insn *in, uint64_t ip)
{
    uint64_t opcode = (in->map & 7u) << 8 | in->modrm;

    as_mov_imm(&e->as, HSCRATCH,
               (ip & bits_mask(IP_BITS)) | opcode << IP_OPCODE |
                   (uint64_t)1 << IP_VALID);
    as_mov_to(&e->as, 8, FRAME(x87_ip), HSCRATCH);
}

/* FDP: the offset, which in a flat segment is the linear address; and FDS. */
static void record_data(struct emit *e, const struct ir_ins *i,
                        const struct insn *in)
{
    memory_offset(e, i, HSCRATCH);
    as_mov_to(&e->as, 8, fpu_field(offsetof(struct fpu, dp)), HSCRATCH);
    if (e->x87_seg != in->seg)
        as_mov_imm_to(&e->as, 4, FRAME(x87_seg), in->seg);
    e->x87_seg = in->seg;
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
static void store(struct emit *e, const struct ir_ins *i, const struct insn *in)
{
    struct stub use = {.use_kind = USE_POINTER, .reg = HNONE};
    unsigned at = memory_use(e, i, i->size, FRAME_RMW, use);
    struct rm m = rm_mem(at, 0);

    x87_encode(e, in, &m);
}

/* Of the word that was looked at, not of what is in memory by now. */
static void load_control(struct emit *e, const struct ir_ins *i,
                         const struct insn *in)
{
    struct stub use = {.use_kind = USE_LOADZX, .reg = HNONE, .reg_size = 2};
    unsigned r = memory_use(e, i, i->size, 0, use);
    struct rm m = FRAME(value);

    as_mov_to(&e->as, 4, m, r);
    as_alu_imm(&e->as, ALU_AND, 4, rm_reg(r), FPU_SW_EXC);
    as_alu_imm(&e->as, ALU_CMP, 4, rm_reg(r), FPU_SW_EXC);
    bail_if(e, traps(e) ? CC_E : CC_NE);
    x87_encode(e, in, &m);
}

/* FCMOVcc by the guest's flags, in the host's. */
static void need_condition(struct emit *e, const struct insn *in)
{
    const struct insn_info *info = &insn_info[in->id];
    uint32_t tested = flag_effects[info->flags].tested;

    if (tested & ~e->host_flags)
        flags_restore(e);
}

static void on_registers(struct emit *e, const struct insn *in)
{
    need_condition(e, in);
    x87_encode(e, in, NULL);
    if (in->id == I_FNSTSW_AX) {
        guest_overwrite(e, RAX);
        as_mov(&e->as, 2, host_of(RAX), rm_reg(HRAX));
    } else if (in->id == I_FNINIT) {
        as_mov_imm_to(&e->as, 8, fpu_field(offsetof(struct fpu, ip)), 0);
        as_mov_imm_to(&e->as, 8, fpu_field(offsetof(struct fpu, dp)), 0);
        as_mov_imm_to(&e->as, 2, fpu_field(offsetof(struct fpu, opcode)), 0);
        as_mov_imm_to(&e->as, 2, fpu_field(offsetof(struct fpu, cs)), 0);
        as_mov_imm_to(&e->as, 2, fpu_field(offsetof(struct fpu, ds)), 0);
        as_mov_imm_to(&e->as, 8, FRAME(x87_ip), 0);
        as_mov_imm_to(&e->as, 4, FRAME(x87_seg), SEG_NONE);
        e->x87_seg = SEG_NONE;
    }
    flags_by_host(e, in);
}

/* Leaves after this instruction if an exception is pending. */
static void check_pending(struct emit *e, const struct ir_ins *i)
{
    struct stub *s;

    flags_sync(e);
    flags_clobber(e);
    as_byte(&e->as, 0xdf); /* FNSTSW AX */
    as_byte(&e->as, 0xe0);
    as_test(&e->as, 1, rm_reg(HRAX), HRAX); /* FPU_SW_ES is its sign */
    s = stub_new(e, STUB_STOP);
    s->jump[0] = as_jcc(&e->as, CC_S);
    s->imm = e->b->ip[i->insn + 1];
    s->op = e->out->count ? e->b->insn_count - i->insn - 1u : 0;
}

static void operate(struct emit *e, const struct ir_ins *i,
                    const struct insn *in)
{
    if (i->size == 0) {
        on_registers(e, in);
    } else if (in->id == I_FLDCW_M16) {
        load_control(e, i, in);
    } else if (i->reg & ACC_W) {
        store(e, i, in);
    } else {
        struct stub use = {.use_kind = USE_X87, .in = in};

        memory_use(e, i, i->size, 0, use);
    }
}

void emit_x87(struct emit *e, const struct ir_ins *i)
{
    const struct insn *in = &e->out->insn[i->insn];

    if (is_nothing(in)) {
        if (traps(e))
            need_x87(e);
        return;
    }
    need_x87(e);
    operate(e, i, in);
    if (!is_control(in)) {
        if (!is_recorded_again(e))
            record(e, in, e->b->ip[i->insn]);
        if (i->size)
            record_data(e, i, in);
    }
    if (traps(e))
        check_pending(e, i);
}
