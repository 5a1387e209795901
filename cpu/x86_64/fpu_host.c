#include "cpu/fpu_host.h"

#include "base/bytes.h"
#include "cpu/fpu_run.h"

/*
 * The memory image of FRSTOR and FNSAVE (SDM vol. 1, figure 8-9): seven words
 * of environment, then ST(0) to ST(7).
 */
enum { IMAGE_SIZE = 108, IMAGE_ENV = 28, REGISTER_SIZE = 10 };

struct image {
    uint8_t byte[IMAGE_SIZE];
};

/* Flags that an instruction only adds to. */
enum { STICKY = FPU_SW_EXC | FPU_SW_SF };

static void put_image(const struct fpu *fpu, struct image *image)
{
    unsigned tags = 0;
    uint8_t *at = image->byte + IMAGE_ENV;

    *image = (struct image){{0}};
    for (unsigned r = 0; r < 8; r++)
        tags |= (fpu->tags >> r & 1 ? 0u : 3u) << 2 * r;
    store16(image->byte, fpu->cw);
    /* Nothing may be pending: the instruction would trap. */
    store16(image->byte + 4, fpu->sw & (FPU_SW_TOP | FPU_SW_CC));
    store16(image->byte + 8, (uint16_t)tags);
    for (unsigned i = 0; i < 8; i++, at += REGISTER_SIZE) {
        struct fpreg r = fpu_get(fpu, i);

        store64(at, r.frac);
        store16(at + 8, r.exp);
    }
}

static void get_image(struct fpu *fpu, const struct image *image)
{
    unsigned sticky = fpu->sw & STICKY, tags = load16(image->byte + 8);
    const uint8_t *at = image->byte + IMAGE_ENV;

    fpu->sw = (uint16_t)(load16(image->byte + 4) | sticky);
    fpu->tags = 0;
    for (unsigned r = 0; r < 8; r++)
        if ((tags >> 2 * r & 3) != 3)
            fpu->tags |= (uint8_t)(1u << r);
    for (unsigned i = 0; i < 8; i++, at += REGISTER_SIZE)
        fpu->r[fpu_physical(fpu, i)] =
            (struct fpreg){load64(at), load16(at + 8)};
    fpu_update_summary(fpu);
}

/* An exception that the guest has unmasked stays pending in the host until the
 * FNSAVE, which does not wait and clears it: nothing traps. */
#define RUN(name)                                                             \
    static void run_##name(struct image *image)                               \
    {                                                                         \
        __asm__ volatile("frstor %0\n\t" #name "\n\tfnsave %0"                \
                         : "+m"(*image)                                       \
                         :                                                    \
                         : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", \
                           "st(6)", "st(7)");                                 \
    }

RUN(f2xm1)
RUN(fyl2x)
RUN(fptan)
RUN(fpatan)
RUN(fyl2xp1)
RUN(fsincos)
RUN(fsin)
RUN(fcos)

/* By the low four bits of ModRM. */
static void (*const runs[16])(struct image *image) = {
    run_f2xm1,         run_fyl2x,          run_fptan,       run_fpatan,
    [9] = run_fyl2xp1, [11] = run_fsincos, [14] = run_fsin, [15] = run_fcos,
};

bool fpu_host_run(struct fpu *fpu, uint8_t modrm)
{
    struct image image;

    if (modrm < 0xf0 || !runs[modrm & 15])
        return false;
    put_image(fpu, &image);
    runs[modrm & 15](&image);
    get_image(fpu, &image);
    return true;
}

/* FXAM of -0 sets C1. */
bool fpu_host_comi_keeps_c1(void)
{
    uint16_t sw;

    __asm__("fldz\n\tfchs\n\tfxam\n\tfcomi %%st(0), %%st\n\t"
            "fnstsw %0\n\tfstp %%st(0)"
            : "=a"(sw)
            :
            : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)",
              "st(7)", "cc");
    return sw & FPU_SW_C1;
}
