/*
 * Control and status words, and the images of FSTENV and FSAVE (SDM vol. 1,
 * 8.1.10, 8.1.11 and 8.3.7).
 *
 *   offset  32 bit, 16 bit
 *     0      0   control word
 *     4      2   status word
 *     8      4   tag word, two bits a register
 *    12      6   FIP
 *    16      8   FCS, FOP
 *    20     10   FDP
 *    24     12   FDS
 *    28     14   registers, ST(0) first, 10 bytes each (FSAVE only)
 *
 * In real and virtual-8086 mode pointers are linear addresses, in 16-bit
 * images of 20 bits: the upper bits lie where FCS and FDS would, and FOP with
 * those of FIP.  Fields of 32-bit images that are words have ones above.
 */

#include <string.h>

#include "base/bytes.h"
#include "cpu/fault.h"
#include "cpu/fpu_run.h"
#include "cpu/guest.h"
#include "cpu/ops.h"

enum {
    ENV_WORDS = 7,
    STATE_MAX = 108,
    REGISTER_SIZE = 10,
    OPCODE_BITS = 0x7ff,
};

/* --- words --- */

static void initialise(struct cpu *cpu)
{
    struct fpu *fpu = &cpu->fpu;
    uint16_t old_cw = fpu->cw;

    fpu->cw = FPU_CW_INIT;
    fpu->sw &= FPU_SW_ES; /* until fpu_control_changed sees the change */
    fpu->tags = 0;
    fpu->opcode = fpu->cs = fpu->ds = 0;
    fpu->ip = fpu->dp = 0;
    fpu_control_changed(cpu, old_cw);
}

void op_fninit(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    initialise(cpu);
}

void op_fnclex(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    cpu->fpu.sw &= (uint16_t) ~(FPU_SW_EXC | FPU_SW_SF);
    fpu_control_changed(cpu, cpu->fpu.cw);
}

static uint16_t valid_cw(uint16_t cw)
{
    return (cw & FPU_CW_BITS) | FPU_CW_ONE;
}

void op_fldcw(struct cpu *cpu, const struct insn *in)
{
    uint16_t old_cw = cpu->fpu.cw;

    cpu->fpu.cw = valid_cw((uint16_t)guest_read(cpu, in, 0));
    fpu_control_changed(cpu, old_cw);
}

void op_fnstcw(struct cpu *cpu, const struct insn *in)
{
    guest_write(cpu, in, 0, cpu->fpu.cw);
}

void op_fnstsw(struct cpu *cpu, const struct insn *in)
{
    guest_write(cpu, in, 0, cpu->fpu.sw);
}

/* FNOP records where it is (SDM vol. 2); FENI, FDISI, FSETPM of the 8087 and
 * 80287 do nothing at all. */
void op_fnop(struct cpu *cpu, const struct insn *in)
{
    if (in->map == 0xd9)
        fpu_note_pointers(cpu, in);
}

/* CR0.EM does not matter, TS only with MP (SDM vol. 3, table 2-2). */
void op_fwait(struct cpu *cpu, const struct insn *in)
{
    (void)in;
    if ((cpu->cr0 & CR0_MP) && (cpu->cr0 & CR0_TS))
        cpu_raise(cpu, EXC_NM);
    fpu_check_pending(cpu);
}

/* --- tags --- */

/* Figure 8-7: 0 valid, 1 zero, 2 special, 3 empty. */
static unsigned tag_of(const struct fpu *fpu, unsigned physical)
{
    struct f80 a = f80_of(fpu->r[physical]);

    if (!(fpu->tags >> physical & 1))
        return 3;
    if (a.class == F80_NORMAL)
        return 0;
    return a.class == F80_ZERO ? 1 : 2;
}

static uint16_t tag_word(const struct fpu *fpu)
{
    unsigned tags = 0;

    for (unsigned i = 0; i < 8; i++)
        tags |= tag_of(fpu, i) << 2 * i;
    return (uint16_t)tags;
}

static uint8_t tags_of_word(uint16_t word)
{
    unsigned tags = 0;

    for (unsigned i = 0; i < 8; i++)
        if ((word >> 2 * i & 3) != 3)
            tags |= 1u << i;
    return (uint8_t)tags;
}

/* --- the environment --- */

/* A pointer as two fields of an image, low and high. */
struct far_fields {
    uint32_t low, high;
};

static struct far_fields far_to_fields(const struct cpu *cpu, unsigned size,
                                       uint64_t off, uint16_t sel)
{
    uint32_t linear = ((uint32_t)sel << 4) + (uint32_t)off;
    uint32_t ones = size == 4 ? 0xffff0000 : 0;

    if (!cpu_protected(cpu))
        return (struct far_fields){linear & 0xffff,
                                   linear >> 16 << 12 &
                                       (size == 4 ? 0x0ffff000 : 0xf000)};
    return (struct far_fields){(uint32_t)off, sel | ones};
}

static uint64_t far_offset(const struct cpu *cpu, unsigned size,
                           struct far_fields f)
{
    if (cpu_protected(cpu))
        return f.low;
    return (f.low & 0xffff) | (f.high >> 12 & (size == 4 ? 0xffffu : 0xfu))
                                  << 16;
}

static void put_field(uint8_t *image, unsigned size, unsigned i, uint32_t v)
{
    store_sized(image + size * i, v, size);
}

static uint32_t get_field(const uint8_t *image, unsigned size, unsigned i)
{
    return (uint32_t)load_sized(image + size * i, size);
}

/* size: of a field, 2 or 4. */
static void put_environment(const struct cpu *cpu, unsigned size,
                            uint8_t *image)
{
    const struct fpu *fpu = &cpu->fpu;
    struct far_fields ip = far_to_fields(cpu, size, fpu->ip, fpu->cs);
    struct far_fields dp = far_to_fields(cpu, size, fpu->dp, fpu->ds);
    uint32_t ones = size == 4 ? 0xffff0000 : 0;

    if (!cpu_protected(cpu))
        ip.high |= fpu->opcode;
    else if (size == 4)
        ip.high = (uint32_t)fpu->opcode << 16 | fpu->cs;
    put_field(image, size, 0, fpu->cw | ones);
    put_field(image, size, 1, fpu->sw | ones);
    put_field(image, size, 2, tag_word(fpu) | ones);
    put_field(image, size, 3, ip.low);
    put_field(image, size, 4, ip.high);
    put_field(image, size, 5, dp.low);
    put_field(image, size, 6, dp.high);
}

static void get_pointers(struct cpu *cpu, unsigned size, const uint8_t *image)
{
    struct far_fields ip = {get_field(image, size, 3),
                            get_field(image, size, 4)};
    struct far_fields dp = {get_field(image, size, 5),
                            get_field(image, size, 6)};
    struct fpu *fpu = &cpu->fpu;
    bool selectors = cpu_protected(cpu);

    fpu->ip = far_offset(cpu, size, ip);
    fpu->dp = far_offset(cpu, size, dp);
    fpu->cs = selectors ? (uint16_t)ip.high : 0;
    fpu->ds = selectors ? (uint16_t)dp.high : 0;
    fpu->opcode = 0; /* the 16-bit protected image has none */
    if (!selectors)
        fpu->opcode = ip.high & OPCODE_BITS;
    else if (size == 4)
        fpu->opcode = ip.high >> 16 & OPCODE_BITS;
}

static void get_environment(struct cpu *cpu, unsigned size,
                            const uint8_t *image)
{
    struct fpu *fpu = &cpu->fpu;
    unsigned pending = fpu->sw & FPU_SW_ES;
    uint16_t old_cw = fpu->cw;
    unsigned sw = get_field(image, size, 1) & ~(unsigned)FPU_SW_ES;

    fpu->cw = valid_cw((uint16_t)get_field(image, size, 0));
    fpu->sw = (uint16_t)(sw | pending);
    fpu->tags = tags_of_word((uint16_t)get_field(image, size, 2));
    get_pointers(cpu, size, image);
    fpu_control_changed(cpu, old_cw);
}

/* Bytes of a field. */
static unsigned field_size(const struct insn *in)
{
    return in->opsize == 2 ? 2 : 4;
}

/* Images are to be aligned as their fields (SDM vol. 3, table 6-7). */
static uint64_t image_address(struct cpu *cpu, const struct insn *in,
                              unsigned bytes, enum access access)
{
    uint64_t off = guest_address(cpu, in);

    if (unlikely(cpu->mode & MODE_ALIGN)) {
        guest_linear(cpu, in->seg, off, bytes, access);
        guest_linear(cpu, in->seg, off, field_size(in), access);
    }
    return off;
}

static void load_image(struct cpu *cpu, const struct insn *in, uint8_t *image,
                       unsigned bytes)
{
    uint64_t off = image_address(cpu, in, bytes, ACCESS_READ);

    guest_load_bytes(cpu, in->seg, off, image, bytes);
}

static void store_image(struct cpu *cpu, const struct insn *in,
                        const uint8_t *image, unsigned bytes)
{
    uint64_t off = image_address(cpu, in, bytes, ACCESS_WRITE);

    guest_store_bytes(cpu, in->seg, off, image, bytes);
}

/* All exceptions are masked afterwards. */
void op_fnstenv(struct cpu *cpu, const struct insn *in)
{
    unsigned size = field_size(in);
    uint16_t old_cw = cpu->fpu.cw;
    uint8_t image[4 * ENV_WORDS];

    put_environment(cpu, size, image);
    store_image(cpu, in, image, size * ENV_WORDS);
    cpu->fpu.cw |= FPU_SW_EXC;
    fpu_control_changed(cpu, old_cw);
}

void op_fldenv(struct cpu *cpu, const struct insn *in)
{
    unsigned size = field_size(in);
    uint8_t image[4 * ENV_WORDS];

    load_image(cpu, in, image, size * ENV_WORDS);
    get_environment(cpu, size, image);
}

/* --- the whole state --- */

static unsigned image_size(unsigned size)
{
    return size * ENV_WORDS + 8 * REGISTER_SIZE;
}

void op_fnsave(struct cpu *cpu, const struct insn *in)
{
    unsigned size = field_size(in);
    uint8_t image[STATE_MAX], *at = image + size * ENV_WORDS;

    put_environment(cpu, size, image);
    for (unsigned i = 0; i < 8; i++, at += REGISTER_SIZE) {
        struct fpreg r = fpu_get(&cpu->fpu, i);

        store64(at, r.frac);
        store16(at + 8, r.exp);
    }
    store_image(cpu, in, image, image_size(size));
    initialise(cpu);
}

void op_frstor(struct cpu *cpu, const struct insn *in)
{
    unsigned size = field_size(in);
    uint8_t image[STATE_MAX];
    const uint8_t *at = image + size * ENV_WORDS;

    load_image(cpu, in, image, image_size(size));
    get_environment(cpu, size, image);
    for (unsigned i = 0; i < 8; i++, at += REGISTER_SIZE)
        cpu->fpu.r[fpu_physical(&cpu->fpu, i)] =
            (struct fpreg){load64(at), load16(at + 8)};
}
