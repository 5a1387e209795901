/*
 * XSAVE and its family, XCR0 (SDM vol. 1, chapter 13; vol. 2).
 *
 * An area is the image of FXSAVE, a header of 64 bytes, and the upper halves
 * of YMM registers; these have the same place in both forms, as they are the
 * only component after the header.  Stores probe the whole area before they
 * change a byte of it.
 *
 * A component is in its initial configuration if its registers have the
 * initial values; how they came by them does not matter.
 */

#include "cpu/xsave.h"

#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "cpu/control.h"
#include "cpu/fault.h"
#include "cpu/fpu.h"
#include "cpu/fxsave.h"
#include "cpu/guest.h"
#include "cpu/ops.h"
#include "cpu/simd.h"
#include "cpu/simd_fp.h"

enum {
    X_ALIGN = 64,
    X_BV = 512,      /* XSTATE_BV */
    X_COMP_BV = 520, /* XCOMP_BV */
    X_RESERVED = 528,
    X_HEADER_END = 576,
    X_HIGH = 16, /* bytes of the upper half of a YMM register */
    X_AVX = X_HEADER_END,
    X_AVX_SIZE = 16 * X_HIGH,
    X_SIZE = X_AVX + X_AVX_SIZE,
    CW_INIT = 0x37f,
    MXCSR_INIT = 0x1f80,
};

#define COMPACTED ((uint64_t)1 << 63)

/* --- layout --- */

uint64_t xsave_supported(const struct cpu *cpu)
{
    uint64_t set = XCR0_X87;

    if (cpu_has(cpu, FEAT_SSE))
        set |= XCR0_SSE;
    if (cpu_has(cpu, FEAT_AVX))
        set |= XCR0_AVX;
    return set;
}

/* Alike in both forms: see above. */
unsigned xsave_size(uint64_t set, bool compacted)
{
    (void)compacted;
    return set & XCR0_AVX ? X_SIZE : X_HEADER_END;
}

unsigned xsave_component_size(unsigned i)
{
    return i == 2 ? X_AVX_SIZE : 0;
}

unsigned xsave_component_offset(unsigned i)
{
    return i == 2 ? X_AVX : 0;
}

/* --- which components are in use --- */

static bool x87_is_initial(const struct fpu *fpu)
{
    if (fpu->cw != CW_INIT || fpu->sw || fpu->tags || fpu->opcode || fpu->cs ||
        fpu->ds || fpu->ip || fpu->dp)
        return false;
    for (unsigned i = 0; i < 8; i++)
        if (fpu->r[i].frac || fpu->r[i].exp)
            return false;
    return true;
}

/* All of the registers, also those that the mode hides: quarters 0 and 1 of a
 * YMM are SSE's, 2 and 3 AVX's. */
static bool halves_are_zero(const struct cpu *cpu, unsigned quarter)
{
    for (unsigned i = 0; i < 16; i++)
        if (cpu->xmm[i].u64[quarter] | cpu->xmm[i].u64[quarter + 1])
            return false;
    return true;
}

static uint64_t in_use(const struct cpu *cpu)
{
    uint64_t set = 0;

    if (!x87_is_initial(&cpu->fpu))
        set |= XCR0_X87;
    if (!halves_are_zero(cpu, 0))
        set |= XCR0_SSE;
    if (!halves_are_zero(cpu, 2))
        set |= XCR0_AVX;
    return set;
}

/* --- XCR0 --- */

static void need_osxsave(struct cpu *cpu)
{
    if (!(cpu->cr4 & CR4_OSXSAVE))
        cpu_raise(cpu, EXC_UD);
}

void op_xgetbv(struct cpu *cpu, const struct insn *in)
{
    uint32_t index = (uint32_t)cpu->gpr[RCX];
    uint64_t v = cpu->xcr0;

    (void)in;
    need_osxsave(cpu);
    if (index == 1 && cpu_has(cpu, FEAT_XGETBV1))
        v &= in_use(cpu) | (cpu->mxcsr != MXCSR_INIT ? XCR0_SSE : 0);
    else if (index != 0)
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu->gpr[RAX] = (uint32_t)v;
    cpu->gpr[RDX] = v >> 32;
}

bool xsave_xcr0_is_legal(const struct cpu *cpu, uint64_t v)
{
    if (!(v & XCR0_X87) || (v & ~xsave_supported(cpu)))
        return false;
    return !(v & XCR0_AVX) || (v & XCR0_SSE);
}

void op_xsetbv(struct cpu *cpu, const struct insn *in)
{
    uint64_t v = (uint32_t)cpu->gpr[RAX] | cpu->gpr[RDX] << 32;

    (void)in;
    need_osxsave(cpu);
    control_need_cpl0(cpu);
    if ((uint32_t)cpu->gpr[RCX] != 0 || !xsave_xcr0_is_legal(cpu, v))
        cpu_raise_error(cpu, EXC_GP, 0);
    cpu->xcr0 = v;
    cpu_update_mode(cpu);
}

/* --- what all have in common --- */

static uint64_t requested(const struct cpu *cpu, uint64_t enabled)
{
    return enabled & ((uint32_t)cpu->gpr[RAX] | cpu->gpr[RDX] << 32);
}

static void need_xsave(struct cpu *cpu)
{
    need_osxsave(cpu);
    if (cpu->cr0 & CR0_TS)
        cpu_raise(cpu, EXC_NM);
}

/* Offset of the area, checked for size bytes. */
static uint64_t area_address(struct cpu *cpu, const struct insn *in,
                             unsigned size, enum access access)
{
    uint64_t off = guest_address(cpu, in);
    laddr la = guest_linear(cpu, in->seg, off, size, access);

    if (la & (X_ALIGN - 1))
        cpu_raise_error(cpu, EXC_GP, 0);
    if (!mmu_probe(&cpu->mmu, la, size, access))
        cpu_raise_page_fault(cpu);
    return off;
}

/* --- saving --- */

struct area {
    struct cpu *cpu;
    const struct insn *in;
    uint64_t off;
};

static void put(const struct area *a, unsigned at, const void *bytes,
                unsigned size)
{
    uint64_t cut = bits_mask(8u * a->in->addrsize);

    guest_store_bytes(a->cpu, a->in->seg, (a->off + at) & cut, bytes, size);
}

static void put_x87(const struct area *a)
{
    uint8_t image[FX_SIZE] = {0};

    fxsave_x87(a->cpu, a->in, image);
    put(a, 0, image, FX_MXCSR);
    put(a, FX_ST, image + FX_ST, FX_XMM - FX_ST);
}

static void put_mxcsr(const struct area *a)
{
    uint8_t image[8];

    store32(image, a->cpu->mxcsr);
    store32(image + 4, simd_mxcsr_mask(a->cpu));
    put(a, FX_MXCSR, image, sizeof(image));
}

/* Halves of the registers of this mode: at their byte `from`. */
static void put_vectors(const struct area *a, unsigned at, unsigned from)
{
    unsigned count = vector_count(a->cpu);
    uint8_t image[16 * XMM_SIZE];

    for (unsigned i = 0; i < count; i++)
        memcpy(image + XMM_SIZE * i, a->cpu->xmm[i].u8 + from, XMM_SIZE);
    put(a, at, image, XMM_SIZE * count);
}

static void put_components(const struct area *a, uint64_t set)
{
    if (set & XCR0_X87)
        put_x87(a);
    if (set & XCR0_SSE)
        put_vectors(a, FX_XMM, 0);
    if (set & XCR0_AVX)
        put_vectors(a, X_AVX, XMM_SIZE);
}

/* XSAVE, XSAVEOPT.  Of XSTATE_BV only the requested bits change; MXCSR belongs
 * to SSE and AVX, and is saved whether they are in use or not. */
static void save_standard(struct cpu *cpu, const struct insn *in, bool optimise)
{
    uint64_t set, used, old;
    struct area a = {cpu, in, 0};
    uint8_t bv[8];

    need_xsave(cpu);
    set = requested(cpu, cpu->xcr0);
    used = set & in_use(cpu);
    a.off = area_address(cpu, in, xsave_size(set, false), ACCESS_WRITE);
    guest_load_bytes(cpu, in->seg, a.off + X_BV, bv, sizeof(bv));
    old = load64(bv);
    put_components(&a, optimise ? used : set);
    if (set & (XCR0_SSE | XCR0_AVX))
        put_mxcsr(&a);
    store64(bv, (old & ~set) | used);
    put(&a, X_BV, bv, sizeof(bv));
}

void op_xsave(struct cpu *cpu, const struct insn *in)
{
    save_standard(cpu, in, false);
}

void op_xsaveopt(struct cpu *cpu, const struct insn *in)
{
    save_standard(cpu, in, true);
}

/* XSAVEC, XSAVES.  MXCSR is part of SSE's state here, and counts as use. */
static void save_compacted(struct cpu *cpu, const struct insn *in,
                           uint64_t enabled)
{
    uint64_t set = requested(cpu, enabled), used = set & in_use(cpu);
    struct area a = {cpu, in, 0};
    uint8_t header[16];

    if (cpu->mxcsr != MXCSR_INIT)
        used |= set & XCR0_SSE;
    a.off = area_address(cpu, in, xsave_size(set, true), ACCESS_WRITE);
    put_components(&a, used);
    if (used & XCR0_SSE)
        put_mxcsr(&a);
    store64(header, used);
    store64(header + 8, set | COMPACTED);
    put(&a, X_BV, header, sizeof(header));
}

void op_xsavec(struct cpu *cpu, const struct insn *in)
{
    need_xsave(cpu);
    save_compacted(cpu, in, cpu->xcr0);
}

void op_xsaves(struct cpu *cpu, const struct insn *in)
{
    need_osxsave(cpu);
    control_need_cpl0(cpu);
    need_xsave(cpu);
    save_compacted(cpu, in, cpu->xcr0 | cpu->msr.xss);
}

/* --- restoring --- */

static bool is_zero(const uint8_t *bytes, unsigned n)
{
    while (n--)
        if (*bytes++)
            return false;
    return true;
}

/* SDM vol. 1, 13.8 and 13.12: what is #GP in a header. */
static bool header_is_good(const uint8_t *area, uint64_t enabled)
{
    uint64_t bv = load64(area + X_BV), comp = load64(area + X_COMP_BV);

    if (!(comp & COMPACTED))
        return !(bv & ~enabled) && !comp && is_zero(area + X_RESERVED, 8);
    return !(comp & ~COMPACTED & ~enabled) && !(bv & ~comp) &&
           !(bv & COMPACTED) &&
           is_zero(area + X_RESERVED, X_HEADER_END - X_RESERVED);
}

static void init_x87(struct cpu *cpu)
{
    memset(&cpu->fpu, 0, sizeof(cpu->fpu));
    cpu->fpu.cw = CW_INIT;
}

/* image NULL: zeros. */
static void set_vectors(struct cpu *cpu, const uint8_t *image, unsigned to)
{
    for (unsigned i = 0; i < vector_count(cpu); i++) {
        if (image)
            memcpy(cpu->xmm[i].u8 + to, image + XMM_SIZE * i, XMM_SIZE);
        else
            memset(cpu->xmm[i].u8 + to, 0, XMM_SIZE);
    }
}

static void restore_components(struct cpu *cpu, const struct insn *in,
                               const uint8_t *area, uint64_t set, uint64_t bv)
{
    if (set & bv & XCR0_X87)
        fxrstor_x87(cpu, in, area);
    else if (set & XCR0_X87)
        init_x87(cpu);
    if (set & XCR0_SSE)
        set_vectors(cpu, bv & XCR0_SSE ? area + FX_XMM : NULL, 0);
    if (set & XCR0_AVX)
        set_vectors(cpu, bv & XCR0_AVX ? area + X_AVX : NULL, XMM_SIZE);
}

/* The standard form has MXCSR for SSE and AVX, whatever XSTATE_BV says; the
 * compacted one has it as a part of SSE's state.  False: keep the old one. */
static bool new_mxcsr(const uint8_t *area, uint64_t set, uint32_t *v)
{
    bool compacted = load64(area + X_COMP_BV) & COMPACTED;

    *v = load32(area + FX_MXCSR);
    if (!compacted)
        return set & (XCR0_SSE | XCR0_AVX);
    if (!(load64(area + X_BV) & XCR0_SSE))
        *v = MXCSR_INIT;
    return set & XCR0_SSE;
}

static void restore(struct cpu *cpu, const struct insn *in, uint64_t enabled,
                    bool must_be_compacted)
{
    uint64_t set = requested(cpu, enabled), bv, comp;
    uint8_t area[X_SIZE] = {0};
    unsigned size = xsave_size(set, false);
    uint64_t off = area_address(cpu, in, X_HEADER_END, ACCESS_READ);
    bool may_be_compacted = cpu_has(cpu, FEAT_XSAVEC);
    uint32_t mxcsr;

    guest_load_bytes(cpu, in->seg, off, area, X_HEADER_END);
    bv = load64(area + X_BV);
    comp = load64(area + X_COMP_BV);
    if (!header_is_good(area, enabled) ||
        !(comp & COMPACTED ? may_be_compacted : !must_be_compacted))
        cpu_raise_error(cpu, EXC_GP, 0);
    if (bv & set & XCR0_AVX)
        guest_load_bytes(cpu, in->seg, off, area, size);
    if (new_mxcsr(area, set, &mxcsr)) {
        if (mxcsr & ~simd_mxcsr_mask(cpu))
            cpu_raise_error(cpu, EXC_GP, 0);
        cpu->mxcsr = mxcsr;
    }
    restore_components(cpu, in, area, set, bv);
    cpu_update_mode(cpu); /* MODE_FPU_EXC, MODE_SSE_EXC */
}

void op_xrstor(struct cpu *cpu, const struct insn *in)
{
    need_xsave(cpu);
    restore(cpu, in, cpu->xcr0, false);
}

void op_xrstors(struct cpu *cpu, const struct insn *in)
{
    need_osxsave(cpu);
    control_need_cpl0(cpu);
    need_xsave(cpu);
    restore(cpu, in, cpu->xcr0 | cpu->msr.xss, true);
}
