#include "tests/diff/listing.h"

#include <capstone/capstone.h>
#include <stdio.h>

#include "base/bytes.h"
#include "tests/diff/layout.h"

static void bytes_of(const uint8_t *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        printf("%02x", bytes[i]);
    printf("%*s", 32 - 2 * (int)n, "");
}

void listing_program(const struct test_case *c)
{
    static const cs_mode modes[CODE_KINDS] = {CS_MODE_64, CS_MODE_32,
                                              CS_MODE_32, CS_MODE_16};
    uint64_t ip = c->in.rip;
    csh cs;

    if (cs_open(CS_ARCH_X86, modes[c->kind], &cs) != CS_ERR_OK)
        return;
    for (unsigned i = 0; i < c->count; i++) {
        const struct item *it = &c->item[i];
        cs_insn *in = NULL;

        printf("  %#llx: ", (unsigned long long)(ip + it->offset));
        bytes_of(it->bytes, it->len);
        if (cs_disasm(cs, it->bytes, it->len, ip + it->offset, 1, &in))
            printf("%s %s", in->mnemonic, in->op_str);
        printf("\n");
        if (in)
            cs_free(in, 1);
    }
    cs_close(&cs);
}

static void gprs(const struct test_case *c)
{
    static const char *const names[GPR_COUNT] = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    unsigned shown = 0;

    for (unsigned r = 0; r < GPR_COUNT; r++) {
        if (c->in.gpr[r])
            printf("%s%s=%llx", shown++ % 4 ? " " : "\n    ", names[r],
                   (unsigned long long)c->in.gpr[r]);
    }
    printf("\n");
}

static void x87(const uint8_t *x)
{
    printf("    fcw=%04x fsw=%04x ftw=%02x mxcsr=%04x\n", load16(x + X_FCW),
           load16(x + X_FSW), x[X_FTW], load32(x + X_MXCSR));
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t *st = x + X_ST + 16 * i;

        if (load64(st) || load16(st + 8))
            printf("    st%u=%04x:%016llx\n", i, load16(st + 8),
                   (unsigned long long)load64(st));
    }
}

static void vectors(const struct xarea *x)
{
    for (unsigned i = 0; i < 16; i++) {
        const uint8_t *low = x->legacy + X_XMM + 16 * i;
        const uint8_t *high = x->ymm_high[i];

        if (!load64(low) && !load64(low + 8) && !load64(high) &&
            !load64(high + 8))
            continue;
        printf("    ymm%u=%016llx:%016llx:%016llx:%016llx\n", i,
               (unsigned long long)load64(high + 8),
               (unsigned long long)load64(high),
               (unsigned long long)load64(low + 8),
               (unsigned long long)load64(low));
    }
}

void listing_state(const struct test_case *c)
{
    printf("  before (%s code): eflags=%x es=%x ss=%x ds=%x fs=%x gs=%x "
           "fs_base=%llx gs_base=%llx",
           case_kind_name(c->kind), c->in.eflags, c->in.sel[ES], c->in.sel[SS],
           c->in.sel[DS], c->in.sel[FS], c->in.sel[GS],
           (unsigned long long)c->in.fs_base,
           (unsigned long long)c->in.gs_base);
    gprs(c);
    x87(c->in.x.legacy);
    vectors(&c->in.x);
    for (unsigned i = 0; i < c->patch_count; i++) {
        printf("    [%x]=", c->patch[i].at);
        for (unsigned k = 0; k < PATCH_SIZE; k++)
            printf("%02x", c->patch[i].bytes[k]);
        printf("\n");
    }
}
