/*
 * Cases: encodings of a row, and states that lead to its corners.
 */

#include "tests/x87/rig.h"

#include <string.h>

#include "base/bytes.h"
#include "cpu/fpu_run.h"

enum {
    PUSH_IMM32 = 0x68,
    POPF = 0x9d,
    RET = 0xc3,
    PROLOGUE = 6, /* PUSH imm32 and POPF come before the block */
    TRIES = 10000,
    IMAGE_BYTES = 108,
};

/* --- an instruction --- */

static bool covers_eight(const struct insn_info *info)
{
    return info->operand[0] == SPEC_STi || info->operand[1] == SPEC_STi;
}

static void put_x87(struct random *random, unsigned id, uint8_t *p)
{
    const struct insn_info *info = &insn_info[id];
    unsigned modrm = info->code;

    if (info->map == 1) { /* FWAIT */
        *p = info->code;
        return;
    }
    if (modrm < 0xc0)
        modrm = modrm << 3 | (6 + pick(random, 2)); /* [RSI], [RDI] */
    else if (covers_eight(info))
        modrm += pick(random, 8);
    if (pick(random, 4) == 0)
        *p++ = 0x66;
    *p++ = info->map;
    *p = (uint8_t)modrm;
}

static void put_mmx(struct random *random, unsigned id, uint8_t *p)
{
    const struct insn_info *info = &insn_info[id];
    unsigned modrm = pick(random, 4) ? 0xc0 | pick(random, 64)
                                     : pick(random, 8) << 3 | 6;

    *p++ = 0x0f;
    if (info->map != 2)
        *p++ = info->map;
    if (info->map != 0x0f)
        *p++ = info->code;
    *p++ = (uint8_t)modrm;
    if (info->map == 0x0f) { /* 3DNow!: the suffix */
        *p = info->code;
        return;
    }
    *p = (uint8_t)pick(random, 256); /* if it has an immediate */
}

/* The others hold the harness together. */
static bool has_free_registers(const struct insn *in)
{
    for (unsigned i = 0; i < INSN_OPERANDS; i++)
        if (in->op[i].kind == OPND_GPR && in->op[i].reg > RDX)
            return false;
    return true;
}

/* Encodings are tried until one is of the row. */
static void add_insn(struct rig *r, unsigned id)
{
    struct insn *in = &r->in[r->count];
    unsigned at = r->start[r->count];
    bool mmx = insn_info[id].attrs & A_MMX;

    for (unsigned i = 0; i < TRIES; i++) {
        uint8_t bytes[16] = {0};

        (mmx ? put_mmx : put_x87)(&r->random, id, bytes);
        if (!rig_decode(r, bytes, in) || in->id != id ||
            !has_free_registers(in))
            continue;
        memcpy(r->code + at, bytes, in->len);
        r->count++;
        r->start[r->count] = at + in->len;
        return;
    }
    rig_require(false, insn_info[id].id);
}

static void begin_code(struct rig *r)
{
    r->count = 0;
    r->start[0] = PROLOGUE;
}

static void end_code(struct rig *r)
{
    r->flags = (uint32_t)next_random(&r->random) & FLAGS_ARITH;
    r->code[0] = PUSH_IMM32;
    store32(r->code + 1, r->flags | FLAG_1);
    r->code[PROLOGUE - 1] = POPF;
    r->code[r->start[r->count]] = RET;
}

/* --- x87 state --- */

/* Most often a stack with room, on which nothing faults. */
static uint8_t random_tags(struct random *random, unsigned top)
{
    switch (pick(random, 5)) {
    case 0: return (uint8_t)pick(random, 256);
    case 1: return 0xff;
    case 2: return (uint8_t) ~(3u << ((top + 6) & 7));
    default: return (uint8_t) ~(1u << ((top + 7) & 7));
    }
}

/* Sometimes an unmasked exception is pending: an instruction that waits is
 * then #MF.  Sometimes bits have values that a processor never stores. */
static void make_words(struct random *random, uint8_t *fx)
{
    unsigned masks = pick(random, 3) ? 0x3f : pick(random, 0x40);
    unsigned top = pick(random, 8), precision = pick(random, 8), sw, cw;
    unsigned allowed = pick(random, 16) ? masks : 0x3f;

    sw = top << 11 | pick(random, 8) << 8 | pick(random, 2) << 14;
    if (pick(random, 4) == 0)
        sw |= (pick(random, 0x40) & allowed) | pick(random, 2) << 6;
    precision = precision > 3 ? 3 : precision;
    cw = masks | 0x40 | precision << 8 | pick(random, 4) << 10;
    if (sw & ~masks & 0x3f)
        sw |= FPU_SW_ES | FPU_SW_BUSY;
    if (pick(random, 64) == 0)
        cw = pick(random, 0x10000);
    if (pick(random, 64) == 0)
        sw ^= pick(random, 4) << 7 ^ pick(random, 2) << 15;
    store16(fx, (uint16_t)cw);
    store16(fx + 2, (uint16_t)sw);
    fx[4] = random_tags(random, top);
}

/* ST(1) such that ST(0) is a small multiple of it, or nearly; or an integer of
 * the size of exponents, with or without a fraction. */
static void relate(struct random *random, uint8_t *st0, uint8_t *st1)
{
    unsigned exp = load16(st0 + 8);

    switch (pick(random, 4)) {
    case 0: store16(st1 + 8, (uint16_t)(exp - pick(random, 140) + 4)); break;
    case 1:
        store64(st1, load64(st0) << pick(random, 8) | 1ull << 63);
        store16(st1 + 8, (uint16_t)(exp - pick(random, 70) + 2));
        break;
    case 2:
        store16(st1 + 8, (uint16_t)(pick(random, 2) << 15 |
                                    (0x3ffd + pick(random, 20))));
        store64(st1, next_random(random) << pick(random, 64) | 1ull << 63);
        break;
    default: /* an integer and a half, to be rounded */
        store16(st0 + 8, (uint16_t)(pick(random, 2) << 15 |
                                    (0x3ffd + pick(random, 68))));
        store64(st0, next_random(random) << pick(random, 64) | 1ull << 63);
    }
}

static void random_bcd(struct random *random, uint8_t *p)
{
    for (unsigned i = 0; i < 9; i++)
        p[i] = (uint8_t)(pick(random, 10) << 4 | pick(random, 10));
    p[9] = (uint8_t)pick(random, 256);
    if (pick(random, 2))
        memset(p + 9 - pick(random, 9), 0, 9);
}

static void random_int(struct random *random, uint8_t *p)
{
    uint64_t v = next_random(random) >> pick(random, 64);

    store64(p, pick(random, 2) ? v : -v);
}

/* What the one memory operand of a single instruction should hold. */
static void make_operand(struct rig *r, uint8_t *p)
{
    const struct insn *in = &r->in[0];
    const struct operand *o = &in->op[in->op[0].kind == OPND_MEM ? 0 : 1];
    const char *body = insn_info[in->id].body;

    if (o->kind != OPND_MEM || o->access == ACC_W)
        return;
    if (!strcmp(body, "fbld") && pick(&r->random, 2))
        random_bcd(&r->random, p);
    else if (o->size == 10)
        random_extended(&r->random, p);
    else if (!strncmp(body, "fi", 2) && pick(&r->random, 4))
        random_int(&r->random, p);
    else if (o->size == 8)
        store64(p, random_double(&r->random));
    else if (o->size == 4)
        store32(p, random_single(&r->random));
}

/* A memory image of FLDENV and FRSTOR, 32 or 16 bit, with registers that are
 * numbers. */
static void make_image(struct rig *r, uint8_t *p)
{
    const struct insn *in = &r->in[0];
    unsigned size = in->opsize == 2 ? 2 : 4;

    if (in->op[0].size != IMAGE_BYTES && in->op[0].size < 14)
        return;
    if (pick(&r->random, 2))
        store16(p, (uint16_t)(load16(p) | 0x3f)); /* masked */
    if (pick(&r->random, 4))
        store16(p + size, (uint16_t)(load16(p + size) & ~0x80bfu));
    for (unsigned i = 0; i < 8 && pick(&r->random, 8); i++)
        if (7 * size + 10 * i + 10 <= IMAGE_BYTES)
            random_extended(&r->random, p + 7 * size + 10 * i);
}

static void make_state(struct rig *r)
{
    uint8_t *fx = r->host.before;

    memset(&r->host, 0, sizeof(r->host));
    make_words(&r->random, fx);
    store32(fx + 24, 0x1f80);
    random_stack(&r->random, fx + FX_ST);
    if (pick(&r->random, 3) == 0)
        relate(&r->random, fx + FX_ST, fx + FX_ST + FX_STRIDE);
    for (unsigned i = 0; i < HOST_GPRS; i++)
        r->host.gpr[i] = next_random(&r->random);
    for (unsigned i = 0; i < RIG_MEMORY; i++)
        r->before[i] = (uint8_t)pick(&r->random, 256);
    r->offset = pick(&r->random, RIG_MEMORY - IMAGE_BYTES);
}

void rig_make(struct rig *r, unsigned id)
{
    begin_code(r);
    add_insn(r, id);
    end_code(r);
    make_state(r);
    make_operand(r, r->before + r->offset);
    make_image(r, r->before + r->offset);
}

void rig_make_block(struct rig *r)
{
    unsigned count = 2 + pick(&r->random, RIG_BLOCK - 1);
    bool with_3dnow = r->engine[0].world && pick(&r->random, 4) == 0;

    begin_code(r);
    while (r->count < count) {
        unsigned id = pick(&r->random, INSN_COUNT);

        if (!rig_body(id) || (rig_is_3dnow(id) && !with_3dnow))
            continue;
        /* More x87 than MMX: the one enters a state, the other uses it. */
        if (insn_info[id].attrs & A_MMX && id != I_EMMS && pick(&r->random, 4))
            continue;
        add_insn(r, id);
    }
    end_code(r);
    make_state(r);
    random_extended(&r->random, r->before + r->offset);
}
