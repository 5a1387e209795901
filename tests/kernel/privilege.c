/* Every instruction that looks at CPL, at each level. */

#include "kernel.h"
#include "tests.h"

#define GP0 EVENT(GP, 0)
#define UD0 EVENT(UD, 0)

/* What stands in memory at [ebx] and in registers for all of them. */
static void set_operands(void)
{
    struct {
        uint16_t limit;
        word base;
    } __attribute__((packed)) r = {sizeof(gdt) - 1, (word)gdt};

    memset(at8(DATA_AT), 0, 64);
    memcpy(at8(DATA_AT), &r, sizeof(r));
    in.gpr[BX] = DATA_AT;
}

struct instruction {
    const char *name;
    uint8_t n, bytes[6];
    uint32_t inner, outer; /* at level 0; at the others */
    word ax, cx;           /* values of registers; ax 0x...: see below */
};

/* Values of AX that depend on the machine. */
enum { NOW_CR0 = 1, NOW_CR3, NOW_CR4, NOW_IDTR };

static word value(word v)
{
    switch (v) {
    case NOW_CR0: return get_cr0();
    case NOW_CR3: return get_cr3();
    case NOW_CR4: return get_cr4();
    default: return v;
    }
}

static const struct instruction table[] = {
    {"clts", 2, {0x0f, 0x06}, OK, GP0, 0, 0},
    {"hlt", 1, {0xf4}, 0, GP0, 0, 0},
    {"invd", 2, {0x0f, 0x08}, OK, GP0, 0, 0},
    {"wbinvd", 2, {0x0f, 0x09}, OK, GP0, 0, 0},
    {"invlpg", 3, {0x0f, 0x01, 0x3b}, OK, GP0, 0, 0},
    {"invlpg reg", 3, {0x0f, 0x01, 0xfb}, UD0, UD0, 0, 0},
    {"lgdt", 3, {0x0f, 0x01, 0x13}, OK, GP0, 0, 0},
    {"lgdt reg", 3, {0x0f, 0x01, 0xd3}, UD0, UD0, 0, 0},
    {"lidt reg", 3, {0x0f, 0x01, 0xdb}, UD0, UD0, 0, 0},
    {"lidt", 3, {0x0f, 0x01, 0x1b}, 0, GP0, 0, 0},
    {"lmsw", 3, {0x0f, 0x01, 0xf0}, OK, GP0, NOW_CR0, 0},
    {"smsw", 3, {0x0f, 0x01, 0xe0}, OK, OK, 0, 0},
    {"sgdt", 3, {0x0f, 0x01, 0x03}, OK, OK, 0, 0},
    {"sgdt reg", 3, {0x0f, 0x01, 0xc3}, UD0, UD0, 0, 0},
    {"sidt", 3, {0x0f, 0x01, 0x0b}, OK, OK, 0, 0},
    {"sldt", 3, {0x0f, 0x00, 0xc0}, OK, OK, 0, 0},
    {"str", 3, {0x0f, 0x00, 0xc8}, OK, OK, 0, 0},
    {"mov eax, cr0", 3, {0x0f, 0x20, 0xc0}, OK, GP0, 0, 0},
    {"mov eax, cr1", 3, {0x0f, 0x20, 0xc8}, UD0, UD0, 0, 0},
    {"mov eax, cr2", 3, {0x0f, 0x20, 0xd0}, OK, GP0, 0, 0},
    {"mov eax, cr3", 3, {0x0f, 0x20, 0xd8}, OK, GP0, 0, 0},
    {"mov eax, cr4", 3, {0x0f, 0x20, 0xe0}, OK, GP0, 0, 0},
    {"mov eax, cr5", 3, {0x0f, 0x20, 0xe8}, UD0, UD0, 0, 0},
    {"mov eax, cr6", 3, {0x0f, 0x20, 0xf0}, UD0, UD0, 0, 0},
    {"mov eax, cr7", 3, {0x0f, 0x20, 0xf8}, UD0, UD0, 0, 0},
    {"mov cr0, eax", 3, {0x0f, 0x22, 0xc0}, OK, GP0, NOW_CR0, 0},
    {"mov cr1, eax", 3, {0x0f, 0x22, 0xc8}, UD0, UD0, 0, 0},
    {"mov cr2, eax", 3, {0x0f, 0x22, 0xd0}, OK, GP0, 0x1234, 0},
    {"mov cr3, eax", 3, {0x0f, 0x22, 0xd8}, OK, GP0, NOW_CR3, 0},
    {"mov cr4, eax", 3, {0x0f, 0x22, 0xe0}, OK, GP0, NOW_CR4, 0},
    {"mov cr5, eax", 3, {0x0f, 0x22, 0xe8}, UD0, UD0, 0, 0},
    {"mov cr7, eax", 3, {0x0f, 0x22, 0xf8}, UD0, UD0, 0, 0},
    {"mov eax, dr0", 3, {0x0f, 0x21, 0xc0}, OK, GP0, 0, 0},
    {"mov eax, dr3", 3, {0x0f, 0x21, 0xd8}, OK, GP0, 0, 0},
    {"mov eax, dr6", 3, {0x0f, 0x21, 0xf0}, OK, GP0, 0, 0},
    {"mov eax, dr7", 3, {0x0f, 0x21, 0xf8}, OK, GP0, 0, 0},
    {"mov dr0, eax", 3, {0x0f, 0x23, 0xc0}, OK, GP0, 0, 0},
    {"mov dr6, eax", 3, {0x0f, 0x23, 0xf0}, OK, GP0, 0xffff0ff0, 0},
    {"mov dr7, eax", 3, {0x0f, 0x23, 0xf8}, OK, GP0, 0x400, 0},
    {"rdmsr", 2, {0x0f, 0x32}, OK, GP0, 0, 0x10},
    {"wrmsr", 2, {0x0f, 0x30}, OK, GP0, 0, MSR_SYSENTER_CS},
    {"rdmsr of none", 2, {0x0f, 0x32}, GP0, GP0, 0, 0x12345678},
    {"wrmsr of none", 2, {0x0f, 0x30}, GP0, GP0, 0, 0x12345678},
    {"rsm", 2, {0x0f, 0xaa}, UD0, UD0, 0, 0},
    {"vmcall", 3, {0x0f, 0x01, 0xc1}, UD0, UD0, 0, 0},
    {"vmlaunch", 3, {0x0f, 0x01, 0xc2}, UD0, UD0, 0, 0},
    {"vmxoff", 3, {0x0f, 0x01, 0xc4}, UD0, UD0, 0, 0},
    {"ud2", 2, {0x0f, 0x0b}, UD0, UD0, 0, 0},
    {"ud1", 3, {0x0f, 0xb9, 0xc0}, UD0, UD0, 0, 0},
    {"ud0", 3, {0x0f, 0xff, 0xc0}, UD0, UD0, 0, 0},
#ifdef __x86_64__
    {"swapgs", 3, {0x0f, 0x01, 0xf8}, OK, GP0, 0, 0},
    {"mov rax, cr8", 4, {0x44, 0x0f, 0x20, 0xc0}, OK, GP0, 0, 0},
    {"mov cr8, rax", 4, {0x44, 0x0f, 0x22, 0xc0}, OK, GP0, 0, 0},
    {"mov rax, cr9", 4, {0x44, 0x0f, 0x20, 0xc8}, UD0, UD0, 0, 0},
    {"mov rax, dr8", 4, {0x44, 0x0f, 0x21, 0xc0}, UD0, UD0, 0, 0},
    {"sysret", 3, {0x48, 0x0f, 0x07}, UD0, UD0, 0, 0}, /* SCE is clear */
#else
    {"swapgs", 3, {0x0f, 0x01, 0xf8}, UD0, UD0, 0, 0},
    {"mov eax, cr0 as ax", 4, {0x66, 0x0f, 0x20, 0xc0}, OK, GP0, 0, 0},
#endif
};

/* SDM vol. 3, 5.9, and each instruction in vol. 2. */
void test_privileged(void)
{
    group("privileged instructions", "SDM vol. 3, 5.9; vol. 2");
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct instruction *t = &table[i];

        for (unsigned cpl = 0; cpl < 4; cpl++) {
            if (cpl == 0 && t->inner == 0)
                continue; /* it would stop, or lose the handlers */
            code_at(CODE_AT);
            code_bytes(t->bytes, t->n);
            CODE_DONE();
            ready(cpl);
            set_operands();
            in.gpr[AX] = value(t->ax);
            in.gpr[CX] = t->cx;
            CHECK_RUN(cpl ? t->outer : t->inner, "%s cpl %u", t->name, cpl);
        }
    }
    machine_restore();
}

/* --- with a bit of CR4 --- */

struct control {
    const char *name;
    uint8_t n, bytes[6];
    uint32_t bit;
    uint8_t cpuid_leaf, reg, shift; /* 0: always there; leaf 7 or 1 */
    /* At level 0 and elsewhere, with the bit clear and set. */
    uint32_t inner[2], outer[2];
    word cx;
};

static const struct control controls[] = {
    {"rdtsc", 2, {0x0f, 0x31}, CR4_TSD, 1, 3, 4, {OK, OK}, {OK, GP0}, 0},
    {"rdtscp", 3, {0x0f, 0x01, 0xf9}, CR4_TSD, 1, 3, 4, {OK, OK}, {OK, GP0},
     0},
    {"rdpmc", 2, {0x0f, 0x33}, CR4_PCE, 0, 0, 0, {OK, OK}, {GP0, OK}, 0},
    {"sgdt", 3, {0x0f, 0x01, 0x03}, CR4_UMIP, 7, 2, 2, {OK, OK}, {OK, GP0},
     0},
    {"sidt", 3, {0x0f, 0x01, 0x0b}, CR4_UMIP, 7, 2, 2, {OK, OK}, {OK, GP0},
     0},
    {"sldt", 3, {0x0f, 0x00, 0xc0}, CR4_UMIP, 7, 2, 2, {OK, OK}, {OK, GP0},
     0},
    {"str", 3, {0x0f, 0x00, 0xc8}, CR4_UMIP, 7, 2, 2, {OK, OK}, {OK, GP0}, 0},
    {"smsw", 3, {0x0f, 0x01, 0xe0}, CR4_UMIP, 7, 2, 2, {OK, OK}, {OK, GP0},
     0},
    {"sldt [ebx]", 3, {0x0f, 0x00, 0x03}, CR4_UMIP, 7, 2, 2, {OK, OK},
     {OK, GP0}, 0},
    {"stac", 3, {0x0f, 0x01, 0xcb}, CR4_SMAP, 7, 1, 20, {OK, OK}, {UD0, UD0},
     0},
    {"clac", 3, {0x0f, 0x01, 0xca}, CR4_SMAP, 7, 1, 20, {OK, OK}, {UD0, UD0},
     0},
    {"xgetbv", 3, {0x0f, 0x01, 0xd0}, CR4_OSXSAVE, 1, 2, 26, {UD0, OK},
     {UD0, OK}, 0},
    {"xgetbv of none", 3, {0x0f, 0x01, 0xd0}, CR4_OSXSAVE, 1, 2, 26,
     {UD0, GP0}, {UD0, GP0}, 7},
    /* Outside level 0 with DE set, both faults apply and the manuals give no
     * order. */
    {"mov eax, dr4", 3, {0x0f, 0x21, 0xe0}, CR4_DE, 1, 3, 2, {OK, UD0},
     {GP0, 0}, 0},
    {"mov eax, dr5", 3, {0x0f, 0x21, 0xe8}, CR4_DE, 1, 3, 2, {OK, UD0},
     {GP0, 0}, 0},
#ifdef __x86_64__
    {"rdfsbase", 4, {0xf3, 0x0f, 0xae, 0xc0}, CR4_FSGSBASE, 7, 1, 0,
     {UD0, OK}, {UD0, OK}, 0},
    {"rdgsbase", 4, {0xf3, 0x0f, 0xae, 0xc8}, CR4_FSGSBASE, 7, 1, 0,
     {UD0, OK}, {UD0, OK}, 0},
    {"wrfsbase", 4, {0xf3, 0x0f, 0xae, 0xd0}, CR4_FSGSBASE, 7, 1, 0,
     {UD0, OK}, {UD0, OK}, 0},
    {"wrgsbase", 4, {0xf3, 0x0f, 0xae, 0xd8}, CR4_FSGSBASE, 7, 1, 0,
     {UD0, OK}, {UD0, OK}, 0},
#endif
};

static bool has(unsigned leaf, unsigned reg, unsigned shift)
{
    uint32_t r[4];

    if (leaf == 0)
        return true;
    cpuid(0, 0, r);
    if (leaf > r[0])
        return false;
    cpuid(leaf, 0, r);
    return r[reg] >> shift & 1;
}

void test_cr4_privileges(void)
{
    group("instructions with a bit in CR4", "SDM vol. 2; vol. 3, 2.5");
    for (unsigned i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
        const struct control *t = &controls[i];

        if (!has(t->cpuid_leaf, t->reg, t->shift))
            continue;
        for (unsigned n = 0; n < 8; n++) {
            unsigned cpl = n & 3, on = n >> 2;
            word cr4 = get_cr4();

            if (cpl && t->outer[on] == 0)
                continue;
            code_at(CODE_AT);
            code_bytes(t->bytes, t->n);
            CODE_DONE();
            ready(cpl);
            set_operands();
            in.gpr[CX] = t->cx;
            in.gpr[AX] = 0;
            /* SMAP itself would keep level 0 from its stack. */
            if (t->bit != CR4_SMAP)
                set_cr4(on ? cr4 | t->bit : cr4 & ~(word)t->bit);
            CHECK_RUN(cpl ? t->outer[on] : t->inner[on],
                      "%s cpl %u, CR4 bit %u", t->name, cpl, on);
            set_cr4(cr4);
        }
    }
    machine_restore();
}
