/*
 * PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM: a search in or with up to 16
 * bytes or 8 words (SDM vol. 2, 4.1).
 *
 * The immediate:  6: index of the highest match, or a mask of whole elements
 *                 5:4 polarity   3:2 how to compare   1 signed   0 words
 * The first operand is the set, the ranges or the pattern; a match has the
 * number of an element of the second.
 */

#include <string.h>

#include "base/bits.h"
#include "cpu/ops.h"
#include "cpu/simd.h"

enum { EQUAL_ANY, RANGES, EQUAL_EACH, EQUAL_ORDERED };
enum { NEGATE = 1 << 4, ONLY_VALID = 1 << 5, HIGHEST = 1 << 6, WHOLE = 1 << 6 };

struct text {
    int32_t element[16];
    unsigned length; /* elements that are valid */
};

struct search {
    struct text a, b;
    unsigned count; /* elements of an operand */
    unsigned imm;
};

static void take_elements(const struct search *s, const union vec *v,
                          struct text *t)
{
    bool is_signed = s->imm & 2;

    for (unsigned i = 0; i < s->count; i++) {
        if (s->imm & 1)
            t->element[i] = is_signed ? (int16_t)v->u16[i] : v->u16[i];
        else
            t->element[i] = is_signed ? (int8_t)v->u8[i] : v->u8[i];
    }
}

/* Up to the first element that is zero. */
static unsigned implicit_length(const struct search *s, const struct text *t)
{
    unsigned n = 0;

    while (n < s->count && t->element[n])
        n++;
    return n;
}

/* The magnitude of EAX or EDX; RAX or RDX with REX.W. */
static unsigned explicit_length(const struct cpu *cpu, const struct insn *in,
                                const struct search *s, enum gpr reg)
{
    uint64_t v = bits_sext(cpu->gpr[reg], in->opsize == 8 ? 64 : 32);

    if ((int64_t)v < 0)
        v = -v;
    return v < s->count ? (unsigned)v : s->count;
}

static bool in_set(const struct search *s, int32_t element)
{
    for (unsigned i = 0; i < s->a.length; i++)
        if (s->a.element[i] == element)
            return true;
    return false;
}

static bool in_ranges(const struct search *s, int32_t element)
{
    for (unsigned i = 0; i + 1 < s->a.length; i += 2)
        if (s->a.element[i] <= element && element <= s->a.element[i + 1])
            return true;
    return false;
}

/* Beyond both ends is equal. */
static bool equal_at(const struct search *s, unsigned i)
{
    if (i >= s->a.length || i >= s->b.length)
        return i >= s->a.length && i >= s->b.length;
    return s->a.element[i] == s->b.element[i];
}

/* As much of the pattern as fits before the end of the register. */
static bool pattern_at(const struct search *s, unsigned at)
{
    for (unsigned i = 0; i < s->a.length && at + i < s->count; i++)
        if (at + i >= s->b.length || s->a.element[i] != s->b.element[at + i])
            return false;
    return true;
}

static bool matches(const struct search *s, unsigned i)
{
    switch (s->imm >> 2 & 3) {
    case EQUAL_ANY: return i < s->b.length && in_set(s, s->b.element[i]);
    case RANGES: return i < s->b.length && in_ranges(s, s->b.element[i]);
    case EQUAL_EACH: return equal_at(s, i);
    default: return pattern_at(s, i);
    }
}

/* One bit an element of the second operand. */
static unsigned search(const struct search *s)
{
    unsigned found = 0;

    for (unsigned i = 0; i < s->count; i++) {
        bool negate = s->imm & NEGATE &&
                      (!(s->imm & ONLY_VALID) || i < s->b.length);

        found |= (unsigned)(matches(s, i) != negate) << i;
    }
    return found;
}

/* AF and PF become zero. */
static void set_flags(struct cpu *cpu, const struct search *s, unsigned found)
{
    cpu->aflags = aflags_from_eflags(
        (found ? FLAG_CF : 0) | (s->b.length < s->count ? FLAG_ZF : 0) |
        (s->a.length < s->count ? FLAG_SF : 0) | (found & 1 ? FLAG_OF : 0));
}

static void give_index(struct cpu *cpu, const struct search *s, unsigned found)
{
    if (!found)
        cpu->gpr[RCX] = s->count;
    else
        cpu->gpr[RCX] = s->imm & HIGHEST ? bits_high(found) : bits_low(found);
}

static void give_mask(struct cpu *cpu, const struct insn *in,
                      const struct search *s, unsigned found)
{
    union vec mask = {.u64 = {0}};
    unsigned size = XMM_SIZE / s->count;

    if (s->imm & WHOLE) {
        for (unsigned i = 0; i < XMM_SIZE; i++)
            mask.u8[i] = found >> (i / size) & 1 ? 0xff : 0;
    } else {
        mask.u32[0] = found;
    }
    memcpy(&cpu->xmm[0], &mask, in->vex_len ? sizeof(mask) : XMM_SIZE);
}

static struct search take_operands(struct cpu *cpu, const struct insn *in)
{
    struct search s = {.imm = (unsigned)in->imm & 0x7f};
    union vec a, b;

    s.count = s.imm & 1 ? 8 : 16;
    simd_read(cpu, in, 1, &b);
    simd_read(cpu, in, 0, &a);
    take_elements(&s, &a, &s.a);
    take_elements(&s, &b, &s.b);
    return s;
}

static struct search explicit(struct cpu *cpu, const struct insn *in)
{
    struct search s = take_operands(cpu, in);

    s.a.length = explicit_length(cpu, in, &s, RAX);
    s.b.length = explicit_length(cpu, in, &s, RDX);
    return s;
}

static struct search implicit(struct cpu *cpu, const struct insn *in)
{
    struct search s = take_operands(cpu, in);

    s.a.length = implicit_length(&s, &s.a);
    s.b.length = implicit_length(&s, &s.b);
    return s;
}

#define TO_INDEX(name, operands)                           \
    void op_##name(struct cpu *cpu, const struct insn *in) \
    {                                                      \
        struct search s = operands(cpu, in);               \
        unsigned found = search(&s);                       \
                                                           \
        give_index(cpu, &s, found);                        \
        set_flags(cpu, &s, found);                         \
    }

#define TO_MASK(name, operands)                            \
    void op_##name(struct cpu *cpu, const struct insn *in) \
    {                                                      \
        struct search s = operands(cpu, in);               \
        unsigned found = search(&s);                       \
                                                           \
        give_mask(cpu, in, &s, found);                     \
        set_flags(cpu, &s, found);                         \
    }

TO_INDEX(pcmpestri, explicit)
TO_INDEX(pcmpistri, implicit)
TO_MASK(pcmpestrm, explicit)
TO_MASK(pcmpistrm, implicit)
