/* When x87, MMX and SSE instructions fault: CR0.EM, MP, TS, NE; CR4.OSFXSR,
 * OSXMMEXCPT; errors of the x87 by #MF and by IRQ 13. */

#include "kernel.h"
#include "tests.h"

#define UD0 EVENT(UD, 0)
#define NM0 EVENT(NM, 0)

enum { IRQ13 = 0x2d, SLAVE_MASK = 0xa1, MASTER_MASK = 0x21 };
enum kind { X87, WAIT_OP, MMX, SSE };

static const struct {
    const char *name;
    uint8_t n, bytes[4];
    enum kind kind;
} ops[] = {
    {"fnop", 2, {0xd9, 0xd0}, X87},
    {"fninit", 2, {0xdb, 0xe3}, X87},
    {"fld1", 2, {0xd9, 0xe8}, X87},
    {"fnstsw ax", 2, {0xdf, 0xe0}, X87},
    {"fnclex", 2, {0xdb, 0xe2}, X87},
    {"wait", 1, {0x9b}, WAIT_OP},
    {"emms", 2, {0x0f, 0x77}, MMX},
    {"movd mm0, eax", 3, {0x0f, 0x6e, 0xc0}, MMX},
    {"paddb mm0, mm1", 3, {0x0f, 0xfc, 0xc1}, MMX},
    {"xorps xmm0, xmm0", 3, {0x0f, 0x57, 0xc0}, SSE},
    {"paddb xmm0, xmm0", 4, {0x66, 0x0f, 0xfc, 0xc0}, SSE},
};

/* SDM vol. 3, table 2-2, 12.1, 13.1. */
static uint32_t expect(enum kind kind, word cr0, bool osfxsr)
{
    bool em = cr0 & CR0_EM, mp = cr0 & CR0_MP, ts = cr0 & CR0_TS;

    switch (kind) {
    case X87: return em || ts ? NM0 : OK;
    case WAIT_OP: return mp && ts ? NM0 : OK;
    case MMX: return em ? UD0 : ts ? NM0 : OK;
    default: return em || !osfxsr ? UD0 : ts ? NM0 : OK;
    }
}

static void available(void)
{
    word cr0 = get_cr0(), cr4 = get_cr4();

    for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        for (unsigned n = 0; n < 16 * 2; n++) {
            word v = (cr0 & ~(word)(CR0_EM | CR0_MP | CR0_TS)) |
                     (n & 1 ? CR0_EM : 0) | (n & 2 ? CR0_MP : 0) |
                     (n & 4 ? CR0_TS : 0);
            bool osfxsr = n & 8;

            code_at(CODE_AT);
            code_bytes(ops[i].bytes, ops[i].n);
            CODE_DONE();
            ready(n & 16 ? 3 : 0);
            set_cr4(osfxsr ? cr4 | CR4_OSFXSR : cr4 & ~(word)CR4_OSFXSR);
            set_cr0(v | CR0_NE);
            CHECK_RUN(expect(ops[i].kind, v, osfxsr),
                      "%s EM %u MP %u TS %u OSFXSR %u", ops[i].name, n & 1,
                      n >> 1 & 1, n >> 2 & 1, osfxsr);
            set_cr0(cr0);
            set_cr4(cr4);
        }
    }
}

/* --- errors of the x87 (SDM vol. 1, 8.7; vol. 3, 6.15, interrupt 16) --- */

/* fninit; unmask ZE; fld1; fldz; fdivp: the error waits for the next waiting
 * instruction, at ERROR_END. */
static word make_error(void)
{
    *at16(DATA_AT) = 0x037b;
    code_at(CODE_AT);
    CODE(0xdb, 0xe3, 0xd9, 0x2b, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9);
    return code_here();
}

static void waits(bool ne)
{
    static const struct {
        const char *name;
        uint8_t n, bytes[3];
        bool waits;
    } next[] = {
        {"wait", 1, {0x9b}, true},
        {"fld1", 2, {0xd9, 0xe8}, true},
        {"fnop", 2, {0xd9, 0xd0}, true},
        {"emms", 2, {0x0f, 0x77}, true},
        {"fstcw", 3, {0x9b, 0xd9, 0x3b}, true},
        {"fnstsw ax", 2, {0xdf, 0xe0}, false},
        {"fnstcw", 2, {0xd9, 0x3b}, false},
        {"fnclex", 2, {0xdb, 0xe2}, false},
        {"fninit", 2, {0xdb, 0xe3}, false},
        {"nop", 1, {0x90}, false},
    };
    word cr0 = get_cr0();

    for (unsigned i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        word at = make_error();
        uint32_t raised = ne ? EVENT(MF, 0) : EVENT(IRQ13, 0);

        code_bytes(next[i].bytes, next[i].n);
        CODE_DONE();
        ready(0);
        in.gpr[BX] = DATA_AT;
        in.flags |= F_IF;
        outb(0xf0, 0);
        set_cr0((cr0 & ~(word)(CR0_NE | CR0_TS | CR0_EM)) |
                (ne ? CR0_NE : 0));
        outb(MASTER_MASK, 0xfb);
        outb(SLAVE_MASK, 0xdf);
        CHECK_RUN(next[i].waits ? raised : OK, "%s with an error, NE %u",
                  next[i].name, ne);
        if (next[i].waits)
            check(out.ip, at, "%s with an error, NE %u: IP", next[i].name,
                  ne);
        outb(MASTER_MASK, 0xff);
        outb(SLAVE_MASK, 0xff);
        __asm__ volatile("fnclex");
        outb(0xf0, 0);
        outb(0xa0, 0x20);
        outb(0x20, 0x20);
        set_cr0(cr0);
    }
}

/* The handler's write to port F0 has IGNNE# asserted until the error is gone:
 * waiting instructions go on (SDM vol. 1, appendix D). */
static void ignored(void)
{
    word cr0 = get_cr0(), handler;

    make_error();
    CODE(0xd9, 0xe8); /* fld1: waits */
    CODE(0x90);
    CODE_DONE();
    handler = code_here();
    CODE(0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20); /* end of interrupt */
    CODE(0x30, 0xc0, 0xe6, 0xf0);             /* out f0, al */
    CODE(0x9b, 0x9b);                         /* wait: not any more */
    CODE(0xb9, 1, 0, 0, 0);
    if (LONG)
        CODE(0x48);
    CODE(0xcf);
    idt_set(IRQ13, SEL_CODE, handler, T_INT32, 0, true, 0);
    ready(0);
    in.gpr[BX] = DATA_AT;
    in.flags |= F_IF;
    set_cr0(cr0 & ~(word)(CR0_NE | CR0_TS | CR0_EM));
    outb(MASTER_MASK, 0xfb);
    outb(SLAVE_MASK, 0xdf);
    CHECK_RUN(OK, "an error that the handler has ignored");
    check(out.gpr[CX], 1, "IRQ 13: its handler was there");
    outb(MASTER_MASK, 0xff);
    outb(SLAVE_MASK, 0xff);
    __asm__ volatile("fnclex");
    set_cr0(cr0);
    idt_restore(IRQ13);
}

/* --- #XM (SDM vol. 3, 6.15, interrupt 19; vol. 1, 11.5) --- */

static void simd_errors(void)
{
    word cr4 = get_cr4();

    for (unsigned n = 0; n < 6 * 2 * 2; n++) {
        unsigned bit = n >> 2;
        bool xmm = n & 1, masked = n & 2;
        /* 1/0, 0/0 and others: which exceptions the division has. */
        static const uint32_t a[] = {0, 1, 0x3f800000, 0x7f7fffff, 0x00800000,
                                     0x3f800000};
        static const uint32_t b[] = {0, 0x3f800000, 0, 0x00800000, 0x7f7fffff,
                                     0x40400000};
        uint32_t want = masked ? OK : xmm ? EVENT(XM, 0) : UD0;

        PROGRAM(0x0f, 0xae, 0x13,       /* ldmxcsr [ebx] */
                0xf3, 0x0f, 0x10, 0x43, 4, /* movss xmm0, [ebx+4] */
                0xf3, 0x0f, 0x5e, 0x43, 8); /* divss xmm0, [ebx+8] */
        *at32(DATA_AT) = masked ? 0x1f80 : 0x1f80 & ~(0x80u << bit);
        *at32(DATA_AT + 4) = a[bit];
        *at32(DATA_AT + 8) = b[bit];
        ready(3);
        in.gpr[BX] = DATA_AT;
        set_cr4((cr4 & ~(word)CR4_OSXMMEXCPT) | CR4_OSFXSR |
                (xmm ? CR4_OSXMMEXCPT : 0));
        CHECK_RUN(want, "divss, exception %u, masked %u, OSXMMEXCPT %u", bit,
                  masked, xmm);
        if (want != OK)
            check(out.ip, CODE_AT + 8, "divss: IP");
        set_cr4(cr4);
    }
}

void test_fpu(void)
{
    group("#NM and #UD of x87, MMX, SSE", "SDM vol. 3, table 2-2, 12.1, 13.1");
    available();
    group("#MF", "SDM vol. 1, 8.7; vol. 3, 6.15, interrupt 16");
    waits(true);
    group("FERR# by IRQ 13", "SDM vol. 1, 8.7, appendix D");
    waits(false);
    ignored();
    group("#XM", "SDM vol. 3, 6.15, interrupt 19");
    simd_errors();
    machine_restore();
}
