#ifndef TESTS_UNIT_CPU_SIMD_RIG_H
#define TESTS_UNIT_CPU_SIMD_RIG_H

/*
 * Random cases of a row of isa/vector.def: an encoding of it (registers, REX,
 * memory, immediate), and a state to run it on.
 */

#include <stdlib.h>

#include "base/bytes.h"
#include "cpu/simd_fp.h"
#include "tests/unit/cpu/simd_board.h"
#include "tests/unit/cpu/simd_image.h"

enum {
    MEMORY_AT = 0x1000, /* in guest memory */
    FX_XMM = 160,
    FX_ST = 32,
};

static const uint32_t singles[] = {
    0x00000000, 0x00000001, 0x007fffff, 0x00800000, 0x3f7fffff, 0x3f800000,
    0x3fc00000, 0x40200000, 0x4effffff, 0x4f000000, 0x5f000000, 0x7f7fffff,
    0x7f800000, 0x7f800001, 0x7fc00000, 0x7fabcdef, 0x7fdeadbe, 0x20000000,
};

static const uint64_t doubles[] = {
    0x0000000000000000, 0x0000000000000001, 0x000fffffffffffff,
    0x0010000000000000, 0x3690000000000000, 0x380fffffffffffff,
    0x3feffffffffffff0, 0x3ff0000000000000, 0x3ff8000000000000,
    0x41dfffffffe00000, 0x41e0000000000000, 0x43e0000000000000,
    0x47efffffffffffff, 0x7fefffffffffffff, 0x7ff0000000000000,
    0x7ff0000000000001, 0x7ff8000000000000, 0x7ffabcdef0123456,
    0x2000000000000000,
};

struct rig {
    struct simd_board *board;
    struct cpu *cpu; /* the board's */
    struct host_state host;
    uint8_t memory[HOST_MEMORY] __attribute__((aligned(64)));
    struct insn in;
    unsigned offset; /* of the memory operand in memory */
    uint64_t random;
};

static inline uint8_t *guest_memory(const struct rig *r)
{
    return simd_ram(r->board, MEMORY_AT);
}

static inline uint64_t next_random(struct rig *r)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random * 0x2545f4914f6cdd1d;
}

static inline unsigned pick(struct rig *r, unsigned n)
{
    return (unsigned)(next_random(r) >> 32) % n;
}

/* Random numbers are drawn one in an expression: compilers choose the order of
 * two, and every host must get the same cases. */

static inline uint64_t random_double(struct rig *r)
{
    uint64_t v = doubles[pick(r, array_len(doubles))];

    return v | (uint64_t)pick(r, 2) << 63;
}

static inline uint32_t random_single(struct rig *r)
{
    uint32_t v = singles[pick(r, array_len(singles))];

    return v | (uint32_t)pick(r, 2) << 31;
}

/* 16 bytes: noise, corners of a type, bytes near the limits, or a text of few
 * letters. */
static inline void fill_vector(struct rig *r, uint8_t *p)
{
    unsigned kind = pick(r, 5);

    for (unsigned i = 0; i < 16; i += 8) {
        uint64_t v = next_random(r);

        if (kind == 0) {
            v = random_double(r);
        } else if (kind == 1) {
            v = (uint64_t)random_single(r) << 32;
            v |= random_single(r);
        } else if (kind == 2) {
            v &= 0x8181818181818181;
            v += 0x7f7f7f7f7f7f7f7f * pick(r, 2);
        } else if (kind == 3) {
            v &= 0x0303030303030303;
            v |= 0x0101010101010101 * (pick(r, 2) << 2);
        }
        store64(p + i, v);
    }
}

static inline uint32_t random_mxcsr(struct rig *r)
{
    uint32_t masks = pick(r, 4) ? SF_ALL : pick(r, SF_ALL + 1);
    uint32_t v = masks << MXCSR_MASK_SHIFT;

    v |= (uint32_t)pick(r, 4) << MXCSR_RC_SHIFT;
    v |= pick(r, 2) ? MXCSR_DAZ : 0u;
    v |= pick(r, 2) ? MXCSR_FTZ : 0u;
    v |= pick(r, 2) ? pick(r, SF_ALL + 1) : 0u;
    return v;
}

/* --- an instruction --- */

/* Bytes of the row with random operands; the length is the decoder's to say. */
static inline void encode(struct rig *r, const struct insn_info *info,
                          uint8_t *p)
{
    static const uint8_t prefix[] = {
        [PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2};
    unsigned reg = info->ext == EXT_X ? pick(r, 8) : info->ext;
    /* Registers, or [RSI] or [RDI]. */
    unsigned modrm = pick(r, 3) ? 0xc0 | pick(r, 8) : 6 + pick(r, 2);

    if (info->pfx != PFX_NP)
        *p++ = prefix[info->pfx];
    if (pick(r, 2))
        *p++ = (uint8_t)(0x40 | pick(r, 16));
    *p++ = 0x0f;
    if (info->map != 2)
        *p++ = info->map;
    *p++ = info->code;
    *p++ = (uint8_t)(modrm | reg << 3);
    *p++ = (uint8_t)(pick(r, 2) ? pick(r, 256) : pick(r, 32));
    *p++ = (uint8_t)pick(r, 256); /* EXTRQ, INSERTQ */
}

static inline bool may_use_gpr(unsigned reg)
{
    for (unsigned i = 0; i < HOST_GPRS; i++)
        if (host_gpr_number[i] == reg)
            return true;
    return false;
}

/* Can a host run it in our harness? */
static inline bool fits_host(const struct insn *in)
{
    for (unsigned i = 0; i < INSN_OPERANDS; i++) {
        const struct operand *o = &in->op[i];

        if (o->kind == OPND_GPR && !may_use_gpr(o->reg))
            return false;
        if (o->kind == OPND_MEM && in->base != RSI && in->base != RDI)
            return false;
    }
    return true;
}

/* False if this try gave another row, or one the harness cannot run. */
static inline bool make_insn(struct rig *r, unsigned id)
{
    uint8_t bytes[16] = {0};

    encode(r, &insn_info[id], bytes);
    if (decode(bytes, sizeof(bytes), MODE_CODE64 | MODE_PE, FEATURE_SET_ALL,
               &r->in) != DECODE_OK)
        return false;
    return r->in.id == id && fits_host(&r->in);
}

/* --- state --- */

/* Of any magnitude, or as small as a length of PCMPESTRI. */
static inline uint64_t random_number(struct rig *r)
{
    uint64_t v = next_random(r);

    v >>= pick(r, 64);
    return pick(r, 3) ? v : (uint64_t)((int64_t)pick(r, 40) - 20);
}

static inline void make_state(struct rig *r)
{
    uint8_t *fx = r->host.before;
    bool aligned = insn_info[r->in.id].attrs & A_XMM_ALIGN;
    unsigned top = pick(r, 8), codes = pick(r, 8);

    memset(&r->host, 0, sizeof(r->host));
    store16(fx + 0, 0x37f);
    store16(fx + 2, (uint16_t)(top << 11 | codes << 8));
    fx[4] = (uint8_t)pick(r, 256);
    store32(fx + 24, random_mxcsr(r));
    for (unsigned i = 0; i < 8; i++) {
        fill_vector(r, fx + FX_ST + 16 * i);
        memset(fx + FX_ST + 16 * i + 10, 0, 6);
    }
    for (unsigned i = 0; i < 16; i++)
        fill_vector(r, fx + FX_XMM + 16 * i);
    for (unsigned i = 0; i < HOST_GPRS; i++)
        r->host.gpr[i] = random_number(r);
    for (unsigned i = 0; i < HOST_MEMORY; i += 16)
        fill_vector(r, r->memory + i);
    r->offset = aligned ? 16 * pick(r, 3) : pick(r, HOST_MEMORY - 16);
}

static inline unsigned top_of(const uint8_t *fx)
{
    return load16(fx + 2) >> 11 & 7;
}

/* The same state, ours.  RSI and RDI point to memory. */
static inline void load_guest(struct rig *r)
{
    const uint8_t *fx = r->host.before;
    struct cpu *cpu = r->cpu;

    for (unsigned i = 0; i < HOST_GPRS; i++)
        cpu->gpr[host_gpr_number[i]] = r->host.gpr[i];
    cpu->gpr[RSI] = cpu->gpr[RDI] = MEMORY_AT + r->offset;
    cpu->mxcsr = load32(fx + 24);
    cpu->fpu.cw = load16(fx);
    cpu->fpu.sw = load16(fx + 2);
    cpu->fpu.tags = fx[4];
    for (unsigned i = 0; i < 8; i++) {
        struct fpreg *f = &cpu->fpu.r[(top_of(fx) + i) & 7];

        f->frac = load64(fx + FX_ST + 16 * i);
        f->exp = load16(fx + FX_ST + 16 * i + 8);
    }
    for (unsigned i = 0; i < 16; i++)
        memcpy(&cpu->xmm[i], fx + FX_XMM + 16 * i, 16);
    memcpy(guest_memory(r), r->memory, HOST_MEMORY);
    cpu->rip = 0;
    cpu->next_rip = r->in.len;
}

static inline void rig_init(struct rig *r)
{
    r->board = simd_board_new();
    r->cpu = &r->board->cpu;
}

static inline void rig_done(struct rig *r)
{
    simd_board_free(r->board);
}

/* FNV-1a, continued. */
static inline uint64_t digest(uint64_t d, const void *data, size_t size)
{
    const uint8_t *p = data;

    for (size_t i = 0; i < size; i++)
        d = (d ^ p[i]) * 0x100000001b3;
    return d;
}

#define RIG_SEED 0x9e3779b97f4a7c15

/* The cases of a row do not depend on those of others. */
static inline void rig_begin_row(struct rig *r, uint64_t seed, unsigned id)
{
    const char *name = insn_info[id].id;

    r->random = digest(seed, name, strlen(name)) | 1;
}

/* Instruction and state are ready, also those of the guest; false: no try gave
 * the row. */
static inline bool rig_next_case(struct rig *r, unsigned id)
{
    for (unsigned tries = 0; tries < 1000; tries++) {
        if (make_insn(r, id)) {
            make_state(r);
            load_guest(r);
            return true;
        }
    }
    return false;
}

#endif
