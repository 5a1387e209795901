#include "tests/diff/compare.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/cpu.h"
#include "cpu/insn.h"
#include "cpu/segment.h"
#include "tests/diff/layout.h"

#if defined(__x86_64__)
enum { HOST_HAS_X87 = 1 };
#else
enum { HOST_HAS_X87 = 0 };
#endif

/* Where a comparison writes what it finds. */
struct report {
    const struct test_case *c;
    struct rule_counts *rules;
    char *text;
    size_t used;
    const char *first;
    unsigned row; /* of the instruction that ended it, or INSN_COUNT */
};

const char *rule_name(enum rule r)
{
    static const char *const names[RULES] = {
#define RULE(name, why) #name,
#include "tests/diff/rules.def"
#undef RULE
    };

    return names[r];
}

const char *rule_reason(enum rule r)
{
    static const char *const reasons[RULES] = {
#define RULE(name, why) why,
#include "tests/diff/rules.def"
#undef RULE
    };

    return reasons[r];
}

static void use_rule(struct report *r, enum rule rule)
{
    r->rules->used[rule]++;
}

__attribute__((format(printf, 3, 4))) static void
differs(struct report *r, const char *what, const char *format, ...)
{
    va_list ap;
    int n;

    if (!r->first)
        r->first = what;
    if (!r->text || r->used >= COMPARE_TEXT - 1)
        return;
    va_start(ap, format);
    n = vsnprintf(r->text + r->used, COMPARE_TEXT - r->used, format, ap);
    va_end(ap);
    r->used += n > 0 ? (size_t)n : 0;
}

static void number(struct report *r, const char *what, uint64_t a, uint64_t b)
{
    if (a != b)
        differs(r, what, "  %-8s host %#018llx copal %#018llx\n", what,
                (unsigned long long)a, (unsigned long long)b);
}

static unsigned item_of(const struct test_case *c, const struct outcome *o)
{
    uint64_t at = o->state.rip + case_cs_base(c->kind) - c->code_at;

    if (o->vector == END_NORMAL || at >= c->code_size)
        return c->count;
    return case_item_at(c, at);
}

/* Where the host stopped, else where Copal did. */
static unsigned row_of_stop(const struct test_case *c, const struct outcome *a,
                            const struct outcome *b)
{
    unsigned i = item_of(c, a);

    if (i == c->count)
        i = item_of(c, b);
    if (i == c->count && c->count == 1)
        i = 0;
    return i < c->count ? c->item[i].row : INSN_COUNT;
}

static bool is_about(const struct report *r, const char *body)
{
    return r->row < INSN_COUNT && !strcmp(insn_info[r->row].body, body);
}

/* --- how it ended --- */

static bool in_kernel_half(uint64_t la)
{
    return la >= 0x7ffffffff000;
}

/* Bodies that touch memory in several places. */
static bool has_several_accesses(const struct report *r)
{
    static const char *const bodies[] = {
        "cmps", "movs", "ret_far", "iret", "call_far", "call", "fldenv",
        "fnstenv", "frstor", "fnsave", "fxsave", "fxrstor", "xsave", "xsavec",
        "xsaveopt", "xrstor", "xsaves", "xrstors", "enter", "pusha", "popa",
        "cmpxchg8b",
    };

    if (r->row < INSN_COUNT && insn_info[r->row].attrs & A_XMM_ALIGN)
        return true; /* where it is, and how aligned */
    for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        if (is_about(r, bodies[i]))
            return true;
    return false;
}

static bool is_memory_fault(int vector)
{
    return vector == EXC_PF || vector == EXC_GP || vector == EXC_SS ||
           vector == EXC_AC;
}

/* With a limit of 4 GiB it is up to the processor whether an access beyond
 * raises an exception. */
static bool is_near_4g(const struct test_case *c, uint64_t cr2)
{
    const uint32_t bases[2] = {0, ldt_entry(LDT_DATA32 >> 3).base};

    for (unsigned i = 0; i < 2 && c->kind != CODE_64; i++)
        if ((uint32_t)(cr2 - bases[i] + 64) < 128)
            return true;
    return false;
}

/* #GP for the offset although the sum with the segment's base, o->cr2, is
 * canonical: SDM vol. 1, 3.3.7.1 speaks of the linear address only. */
static bool is_odd_offset(const struct test_case *c, const struct outcome *o)
{
    const struct state *s = &o->state;

    return c->kind == CODE_64 && laddr_is_canonical(o->cr2) &&
           (!laddr_is_canonical(o->cr2 - s->fs_base) ||
            !laddr_is_canonical(o->cr2 - s->gs_base));
}

static bool stopped_at(const struct test_case *c, const struct outcome *o,
                       unsigned row)
{
    unsigned i = item_of(c, o);

    return is_memory_fault(o->vector) && i < c->count && c->item[i].row == row;
}

static bool is_sha(const struct test_case *c, const struct outcome *b)
{
    unsigned i = item_of(c, b);

    return b->vector == EXC_GP && i < c->count &&
           insn_info[c->item[i].row].feature == FEAT_SHA;
}

/* The whole outcome is another one, and that is right. */
static bool is_excused(struct report *r, const struct outcome *a,
                       const struct outcome *b)
{
    if (has_several_accesses(r) && is_memory_fault(a->vector) &&
        is_memory_fault(b->vector) &&
        (a->vector != b->vector ||
         (a->vector == EXC_PF && a->cr2 != b->cr2))) {
        use_rule(r, RULE_FAULT_ORDER);
        return true;
    }
    if (r->row == I_MOVSXD_GvEz && is_memory_fault(a->vector) &&
        b->vector != a->vector) {
        use_rule(r, RULE_MOVSXD_16);
        return true;
    }
    if (a->vector == EXC_PF && a->state.rip == b->state.rip &&
        (b->vector == EXC_GP || b->vector == EXC_SS) &&
        is_near_4g(r->c, a->cr2)) {
        use_rule(r, RULE_LIMIT_4G);
        return true;
    }
    if (a->vector == EXC_GP && b->vector == EXC_PF &&
        a->state.rip == b->state.rip && is_odd_offset(r->c, b)) {
        use_rule(r, RULE_OFFSET_CANONICAL);
        return true;
    }
    if (is_about(r, "popa") && is_memory_fault(a->vector) &&
        a->vector == b->vector) {
        use_rule(r, RULE_PARTIAL);
        return true;
    }
    if ((is_about(r, "fxsave") || is_about(r, "fxrstor")) &&
        a->vector == EXC_PF && b->vector != EXC_PF) {
        use_rule(r, RULE_STATE_REACH);
        return true;
    }
    if (stopped_at(r->c, b, I_ARPL_EwGw)) {
        use_rule(r, RULE_ARPL_WRITE);
        return true;
    }
    if (is_about(r, "sysret") && r->c->kind != CODE_64 &&
        b->vector == EXC_UD) {
        use_rule(r, RULE_SYSRET_32);
        return true;
    }
    if ((r->row == I_VPINSRD_VdqHdqEdIb || r->row == I_VPEXTRD_EdVdqIb) &&
        r->c->kind != CODE_64 && a->vector == EXC_UD) {
        use_rule(r, RULE_VEX_W_32);
        return true;
    }
    if (is_about(r, "maskmov") && is_memory_fault(a->vector)) {
        use_rule(r, RULE_MASK_MOVE);
        return true;
    }
    if (is_sha(r->c, b) && a->state.rip != b->state.rip) {
        use_rule(r, RULE_SHA_ALIGNMENT);
        return true;
    }
    if ((is_about(r, "mov_to_dr") || is_about(r, "mov_from_dr")) &&
        a->vector == EXC_GP && b->vector == EXC_UD) {
        use_rule(r, RULE_DR4_DR5);
        return true;
    }
    return false;
}

static void compare_end(struct report *r, const struct outcome *a,
                        const struct outcome *b)
{
    uint32_t error = b->error;

    if (a->vector != b->vector) {
        differs(r, "vector",
                "  vector   host %d copal %d (error %#x, %#x; cr2 %#llx, "
                "%#llx)\n",
                a->vector, b->vector, a->error, b->error,
                (unsigned long long)a->cr2, (unsigned long long)b->cr2);
        return;
    }
    if (a->state.rip != b->state.rip && is_about(r, "int1"))
        use_rule(r, RULE_INT1_RIP);
    else
        number(r, "rip", a->state.rip, b->state.rip);
    if (a->vector == END_NORMAL)
        return;
    if (a->vector == EXC_PF && in_kernel_half(a->cr2) && a->error != error) {
        use_rule(r, RULE_KERNEL_HALF);
        error |= 1;
    }
    number(r, "error", a->error, error);
    if (a->vector == EXC_PF)
        number(r, "cr2", a->cr2, b->cr2);
}

/* --- registers --- */

/* A far jump went to 32-bit code: upper halves are lost. */
static bool left_64(struct report *r, const struct outcome *b)
{
    if (!is_about(r, "jmp_far") && !is_about(r, "call_far") &&
        !is_about(r, "ret_far") && !is_about(r, "iret"))
        return false;
    if (b->state.sel[CS] == USER_CS64 && b->vector == END_NORMAL)
        return false;
    use_rule(r, RULE_UPPER_HALVES);
    return true;
}

static void compare_gprs(struct report *r, const struct outcome *a,
                         const struct outcome *b)
{
    static const char *const names[GPR_COUNT] = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    bool wide = r->c->kind == CODE_64 && !left_64(r, b);

    for (unsigned i = 0; i < (wide ? GPR_COUNT : 8); i++) {
        uint64_t x = a->state.gpr[i], y = b->state.gpr[i];

        number(r, names[i], wide ? x : (uint32_t)x, wide ? y : (uint32_t)y);
    }
}

/* Flags without a promise at the place where the program stopped. */
static uint32_t unsure_flags(const struct test_case *c,
                             const struct outcome *a)
{
    unsigned i = item_of(c, a);
    uint32_t unsure = c->unsure_end;

    if (i < c->count)
        return c->item[i].unsure;
    if (a->vector == END_NORMAL)
        return unsure;
    for (i = 0; i < c->count; i++) /* it jumped away, from where is not known */
        unsure |= c->item[i].unsure;
    return unsure;
}

static void compare_flags(struct report *r, const struct outcome *a,
                          const struct outcome *b)
{
    uint32_t mask = FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_IOPL | FLAG_NT |
                    FLAG_AC | FLAG_ID | FLAG_IF;
    uint32_t unsure = unsure_flags(r->c, a);

    if ((a->state.eflags ^ b->state.eflags) & mask & unsure)
        use_rule(r, RULE_UNDEFINED_FLAGS);
    number(r, "eflags", a->state.eflags & mask & ~unsure,
           b->state.eflags & mask & ~unsure);
}

static void compare_segments(struct report *r, const struct outcome *a,
                             const struct outcome *b)
{
    static const char *const names[SEG_COUNT] = {"es", "cs", "ss",
                                                 "ds", "fs", "gs"};

    for (unsigned i = ES; i <= GS; i++) {
        uint16_t x = a->state.sel[i], y = b->state.sel[i];

        if (i == CS && a->vector == END_NORMAL)
            continue;
        if (x != y && x < 4 && y < 4)
            use_rule(r, RULE_NULL_SELECTOR);
        else
            number(r, names[i], x, y);
    }
    if (r->c->kind != CODE_64)
        return;
    number(r, "fs_base", a->state.fs_base, b->state.fs_base);
    number(r, "gs_base", a->state.gs_base, b->state.gs_base);
}

enum { FPU_ES = 0x80, FPU_C1 = 0x200 /* the result was rounded up */ };

/* What the portable core promises of these (cpu/float80_functions.h). */
static bool may_be_inexact(const struct report *r)
{
    static const char *const bodies[] = {"fsin",   "fcos",  "fsincos", "fptan",
                                         "fpatan", "f2xm1", "fyl2x",
                                         "fyl2xp1"};

    for (unsigned i = 0; !HOST_HAS_X87 && i < sizeof(bodies) / sizeof(*bodies);
         i++)
        if (is_about(r, bodies[i]))
            return true;
    return false;
}

static bool within_one_ulp(const uint8_t *a, const uint8_t *b)
{
    uint64_t x = load64(a), y = load64(b);

    return load16(a + 8) == load16(b + 8) && (x > y ? x - y : y - x) <= 1;
}

/* AMD processors keep them only while an exception is pending. */
static void compare_pointers(struct report *r, const uint8_t *a,
                             const uint8_t *b)
{
    number(r, "fop", load16(a + X_FOP), load16(b + X_FOP));
    number(r, "fip", load64(a + X_FIP), load64(b + X_FIP));
    number(r, "fdp", load64(a + X_FDP), load64(b + X_FDP));
}

static void compare_x87(struct report *r, const uint8_t *a, const uint8_t *b)
{
    number(r, "fcw", load16(a + X_FCW), load16(b + X_FCW));
    unsigned sw = load16(a + X_FSW), ours = load16(b + X_FSW);
    bool close = may_be_inexact(r) &&
                 (((sw ^ ours) & FPU_C1) || memcmp(a + X_ST, b + X_ST, 128));

    if (close) {
        use_rule(r, RULE_TRANSCENDENTAL);
        sw &= ~(unsigned)FPU_C1;
        ours &= ~(unsigned)FPU_C1;
    }
    number(r, "fsw", sw, ours);
    number(r, "ftw", a[X_FTW], b[X_FTW]);
    if (sw & ours & FPU_ES)
        compare_pointers(r, a, b);
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t *x = a + X_ST + 16 * i, *y = b + X_ST + 16 * i;

        if (memcmp(x, y, 10) && !(close && within_one_ulp(x, y)))
            differs(r, "st",
                    "  st(%u)    host %04x:%016llx copal %04x:%016llx\n", i,
                    load16(x + 8), (unsigned long long)load64(x),
                    load16(y + 8), (unsigned long long)load64(y));
    }
}

enum { FAR = 3 << 12, SMALLEST_NORMAL = 0x00800000 };

/* Of a result on the edge of the denormals one maker makes 0. */
static uint32_t flushed(uint32_t v)
{
    uint32_t sign = v & 0x80000000;

    return (v ^ sign) < SMALLEST_NORMAL + FAR ? sign : v;
}

/* Relative error of 1.5 * 2^-12 each, so twice that between two of them. */
static bool is_near(uint32_t a, uint32_t b)
{
    uint32_t x = flushed(a), y = flushed(b);
    uint32_t far = x > y ? x - y : y - x;

    if (!(x << 1) || !(y << 1))
        return x == y;
    return far < FAR && !((x ^ y) >> 31);
}

static bool is_approximation(struct report *r, const uint8_t *a,
                             const uint8_t *b)
{
    if (!is_about(r, "rcpf32") && !is_about(r, "rsqrtf32"))
        return false;
    for (unsigned i = 0; i < 16; i += 4)
        if (!is_near(load32(a + i), load32(b + i)))
            return false;
    use_rule(r, RULE_APPROXIMATION);
    return true;
}

static void vector_half(struct report *r, unsigned i, const char *half,
                        const uint8_t *a, const uint8_t *b)
{
    if (memcmp(a, b, 16) && !is_approximation(r, a, b))
        differs(r, "xmm",
                "  xmm%-2u %s host %016llx:%016llx copal %016llx:%016llx\n", i,
                half, (unsigned long long)load64(a + 8),
                (unsigned long long)load64(a),
                (unsigned long long)load64(b + 8),
                (unsigned long long)load64(b));
}

static void compare_vectors(struct report *r, const struct xarea *a,
                            const struct xarea *b)
{
    number(r, "mxcsr", load32(a->legacy + X_MXCSR),
           load32(b->legacy + X_MXCSR));
    for (unsigned i = 0; i < 16; i++) {
        vector_half(r, i, "low ", a->legacy + X_XMM + 16 * i,
                    b->legacy + X_XMM + 16 * i);
        vector_half(r, i, "high", a->ymm_high[i], b->ymm_high[i]);
    }
}

const char *compare(const struct test_case *c, const struct outcome *a,
                    const struct outcome *b, struct rule_counts *rules,
                    char text[COMPARE_TEXT], bool *excused)
{
    struct report r = {.c = c, .rules = rules, .text = text,
                       .row = row_of_stop(c, a, b)};

    if (text)
        text[0] = '\0';
    *excused = is_excused(&r, a, b);
    if (*excused)
        return NULL;
    compare_end(&r, a, b);
    compare_gprs(&r, a, b);
    compare_flags(&r, a, b);
    compare_segments(&r, a, b);
    if (a->vector == EXC_XM && r.row < INSN_COUNT &&
        insn_info[r.row].attrs & A_MMX)
        use_rule(&r, RULE_MMX_AT_XM);
    else
        compare_x87(&r, a->state.x.legacy, b->state.x.legacy);
    compare_vectors(&r, &a->state.x, &b->state.x);
    return r.first;
}

bool compare_memory_excused(const struct test_case *c,
                            const struct outcome *a, const struct outcome *b,
                            struct rule_counts *rules)
{
    struct report r = {.c = c, .rules = rules, .row = row_of_stop(c, a, b)};

    if (!has_several_accesses(&r) || !is_memory_fault(a->vector))
        return false;
    use_rule(&r, RULE_PARTIAL);
    return true;
}
