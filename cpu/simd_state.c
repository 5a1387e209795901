/*
 * MXCSR, EMMS, and the 512-byte image of FXSAVE (SDM vol. 1, 10.2.3, 10.5; vol.
 * 2, FXSAVE).  The last 96 bytes of the image are software's: never written.
 */

#include <string.h>

#include "base/bytes.h"
#include "cpu/fault.h"
#include "cpu/fpu.h"
#include "cpu/fxsave.h"
#include "cpu/guest.h"
#include "cpu/ops.h"
#include "cpu/simd.h"
#include "cpu/simd_fp.h"

enum {
    FPU_OPCODE_BITS = 0x7ff,
    FPU_CW_BITS = 0x1f3f, /* those that can be written */
    FPU_CW_ONE = 0x40,    /* reads as 1 */
};

/* XMM registers that the mode has, and so how much of the image is state. */
static unsigned xmm_count(const struct cpu *cpu)
{
    if (!cpu_has(cpu, FEAT_SSE))
        return 0;
    return vector_count(cpu);
}

static unsigned state_bytes(const struct cpu *cpu)
{
    return FX_XMM + XMM_SIZE * xmm_count(cpu);
}

/* Offset of the image, checked; without reading or writing it. */
static uint64_t image_address(struct cpu *cpu, const struct insn *in,
                              enum access access)
{
    uint64_t off = guest_address(cpu, in);

    if (guest_linear(cpu, in->seg, off, FX_SIZE, access) & (XMM_SIZE - 1))
        cpu_raise_error(cpu, EXC_GP, 0);
    return off;
}

static struct fpreg *stack_register(struct fpu *fpu, unsigned i)
{
    unsigned top = fpu->sw >> FPU_SW_TOP_SHIFT & 7;

    return &fpu->r[(top + i) & 7];
}

static void save_pointers(const struct fpu *fpu, const struct insn *in,
                          uint8_t *image)
{
    if (in->opsize == 8) {
        store64(image + FX_IP, fpu->ip);
        store64(image + FX_DP, fpu->dp);
        return;
    }
    store32(image + FX_IP, (uint32_t)fpu->ip);
    store16(image + FX_CS, fpu->cs);
    store32(image + FX_DP, (uint32_t)fpu->dp);
    store16(image + FX_DS, fpu->ds);
}

static void restore_pointers(struct fpu *fpu, const struct insn *in,
                             const uint8_t *image)
{
    if (in->opsize == 8) {
        fpu->ip = load64(image + FX_IP);
        fpu->dp = load64(image + FX_DP);
        fpu->cs = fpu->ds = 0;
        return;
    }
    fpu->ip = load32(image + FX_IP);
    fpu->cs = load16(image + FX_CS);
    fpu->dp = load32(image + FX_DP);
    fpu->ds = load16(image + FX_DS);
}

static void save_stack(struct fpu *fpu, uint8_t *image)
{
    store16(image + FX_CW, fpu->cw);
    store16(image + FX_SW, fpu->sw);
    image[FX_TAGS] = fpu->tags;
    store16(image + FX_OPCODE, fpu->opcode);
    for (unsigned i = 0; i < 8; i++) {
        const struct fpreg *r = stack_register(fpu, i);

        store64(image + FX_ST + XMM_SIZE * i, r->frac);
        store16(image + FX_ST + XMM_SIZE * i + 8, r->exp);
    }
}

static void restore_stack(struct fpu *fpu, const uint8_t *image)
{
    fpu->cw = (load16(image + FX_CW) & FPU_CW_BITS) | FPU_CW_ONE;
    fpu->sw = load16(image + FX_SW);
    fpu_update_summary(fpu);
    fpu->tags = image[FX_TAGS];
    fpu->opcode = load16(image + FX_OPCODE) & FPU_OPCODE_BITS;
    for (unsigned i = 0; i < 8; i++) {
        struct fpreg *r = stack_register(fpu, i);

        r->frac = load64(image + FX_ST + XMM_SIZE * i);
        r->exp = load16(image + FX_ST + XMM_SIZE * i + 8);
    }
}

void fxsave_x87(struct cpu *cpu, const struct insn *in, uint8_t *image)
{
    save_stack(&cpu->fpu, image);
    save_pointers(&cpu->fpu, in, image);
}

void fxrstor_x87(struct cpu *cpu, const struct insn *in, const uint8_t *image)
{
    restore_stack(&cpu->fpu, image);
    restore_pointers(&cpu->fpu, in, image);
}

void op_fxsave(struct cpu *cpu, const struct insn *in)
{
    uint64_t off = image_address(cpu, in, ACCESS_WRITE);
    uint8_t image[FX_STATE_SIZE] = {0};

    fxsave_x87(cpu, in, image);
    if (cpu_has(cpu, FEAT_SSE)) {
        store32(image + FX_MXCSR, cpu->mxcsr);
        store32(image + FX_MXCSR_MASK, simd_mxcsr_mask(cpu));
    }
    for (unsigned i = 0; i < xmm_count(cpu); i++)
        memcpy(image + FX_XMM + XMM_SIZE * i, &cpu->xmm[i], XMM_SIZE);
    guest_store_bytes(cpu, in->seg, off, image, state_bytes(cpu));
}

void op_fxrstor(struct cpu *cpu, const struct insn *in)
{
    uint64_t off = image_address(cpu, in, ACCESS_READ);
    uint8_t image[FX_STATE_SIZE];

    guest_load_bytes(cpu, in->seg, off, image, state_bytes(cpu));
    if (cpu_has(cpu, FEAT_SSE)) {
        uint32_t mxcsr = load32(image + FX_MXCSR);

        if (mxcsr & ~simd_mxcsr_mask(cpu))
            cpu_raise_error(cpu, EXC_GP, 0);
        cpu->mxcsr = mxcsr;
    }
    fxrstor_x87(cpu, in, image);
    for (unsigned i = 0; i < xmm_count(cpu); i++)
        memcpy(&cpu->xmm[i], image + FX_XMM + XMM_SIZE * i, XMM_SIZE);
    cpu_update_mode(cpu); /* MODE_FPU_EXC, MODE_SSE_EXC */
}

void op_ldmxcsr(struct cpu *cpu, const struct insn *in)
{
    uint32_t v = (uint32_t)guest_read(cpu, in, 0);

    if (v & ~simd_mxcsr_mask(cpu))
        cpu_raise_error(cpu, EXC_GP, 0);
    simd_set_mxcsr(cpu, v);
}

void op_stmxcsr(struct cpu *cpu, const struct insn *in)
{
    guest_write(cpu, in, 0, cpu->mxcsr);
}

/* All registers become empty (SDM vol. 3, table 12-1). */
void op_emms(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    fpu_enter_mmx(&cpu->fpu);
    cpu->fpu.tags = 0;
}
