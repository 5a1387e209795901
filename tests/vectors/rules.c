#include "tests/vectors/rules.h"

#include <stddef.h>
#include <string.h>

#include "cpu/regs.h"

static bool body_is(const struct subject *s, const char *body)
{
    return s->known && strcmp(insn_info[s->in.id].body, body) == 0;
}

static uint8_t opcode(const struct subject *s)
{
    const struct moo_case *c = s->c;

    for (unsigned i = 0; i < c->code_size; i++) {
        uint8_t b = c->code[i];

        if (!memchr("\x26\x2e\x36\x3e\xf0\xf1\xf2\xf3", b, 8))
            return b;
    }
    return 0;
}

static uint16_t after(const struct subject *s, enum moo_reg r)
{
    const struct moo_case *c = s->c;

    return c->after.present >> r & 1 ? c->after.reg[r] : c->before.reg[r];
}

/* --- prefixes and encodings --- */

static bool has_lock(const struct subject *s)
{
    const struct moo_case *c = s->c;

    for (unsigned i = 0; i < c->code_size; i++) {
        if (c->code[i] == 0xf0)
            return true;
        if (!memchr("\x26\x2e\x36\x3e\xf2\xf3", c->code[i], 6))
            break;
    }
    return false;
}

static bool is_bad_lock(const struct subject *s)
{
    return has_lock(s) && !s->known;
}

static bool is_long(const struct subject *s)
{
    return s->known && s->in.len > 10;
}

static bool is_alias(const struct subject *s)
{
    uint8_t op = opcode(s);

    return (op >= 0x60 && op <= 0x6f) || op == 0xc0 || op == 0xc1 ||
           op == 0xc8 || op == 0xc9 || op == 0xd6 || op == 0xf1 || op == 0x0f;
}

/* The ModRM byte's middle field; 8 if the code ends before. */
static unsigned modrm_reg(const struct subject *s)
{
    const struct moo_case *c = s->c;

    for (unsigned i = 0; i + 1 < c->code_size; i++)
        if (c->code[i] == opcode(s))
            return c->code[i + 1] >> 3 & 7;
    return 8;
}

/* 8C and 8E decoded two bits of the register and knew MOV CS. */
static bool is_group_alias(const struct subject *s)
{
    unsigned reg = modrm_reg(s);

    switch (opcode(s)) {
    case 0x8c: return reg >= 4 && reg < 8;
    case 0x8e: return (reg >= 4 && reg < 8) || reg == CS;
    case 0x8f:
    case 0xc6:
    case 0xc7: return reg != 0;
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: return reg == 6;
    case 0xfe: return reg >= 2;
    case 0xff: return reg == 7;
    default: return false;
    }
}

/* Without a coprocessor its instructions read memory and do nothing more: no
 * stores, no FNSTSW AX, no FCOMI. */
static bool is_coprocessor(const struct subject *s)
{
    uint8_t op = opcode(s);

    if (op < 0xd8 || op > 0xdf)
        return false;
    return !s->known ||
           (s->in.op[0].kind == OPND_MEM && (s->in.op[0].access & ACC_W)) ||
           s->in.op[0].kind == OPND_GPR ||
           flag_effects[insn_info[s->in.id].flags].written;
}

/* --- 8086 --- */

static bool is_long_shift(const struct subject *s)
{
    uint8_t op = opcode(s);

    return (op == 0xd2 || op == 0xd3) && (s->c->before.reg[MOO_CX] & 0xff) > 31;
}

static bool is_push_sp(const struct subject *s)
{
    return body_is(s, "push") && s->in.op[0].kind == OPND_GPR &&
           s->in.op[0].reg == RSP;
}

/* With AF set, DAA and DAS compared AL with 9F instead of 99; the borrow of
 * DAS's first step was forgotten. */
static bool is_decimal(const struct subject *s)
{
    unsigned al = s->c->before.reg[MOO_AX] & 0xff;
    bool af = s->c->before.reg[MOO_FLAGS] & FLAG_AF;

    return (body_is(s, "daa") && af && al > 0x99 && al <= 0x9f) ||
           (body_is(s, "das") && af && ((al > 0x99 && al <= 0x9f) || al < 6));
}

/* AAA and AAS changed AL and AH one by one, without a carry between them. */
static bool is_ascii(const struct subject *s)
{
    unsigned al = s->c->before.reg[MOO_AX] & 0xff;

    return (body_is(s, "aaa") && al > 0xf9) || (body_is(s, "aas") && al < 6);
}

static bool is_divide(const struct subject *s)
{
    return body_is(s, "div") || body_is(s, "idiv");
}

static bool is_taken(const struct subject *s)
{
    return (uint16_t)(s->c->before.reg[MOO_SP] - after(s, MOO_SP)) == 6;
}

static bool is_divide_error(const struct subject *s)
{
    return is_divide(s) && is_taken(s);
}

/* A quotient of 80 or 8000 was an error, and REP changed its sign. */
static bool is_signed_divide(const struct subject *s)
{
    return body_is(s, "idiv") && (s->in.prefixes & (PREFIX_REP | PREFIX_REPNE));
}

static uint16_t reg16(const struct subject *s, unsigned r)
{
    static const uint8_t moo_of[] = {MOO_AX, MOO_CX, MOO_DX, MOO_BX,
                                     MOO_SP, MOO_BP, MOO_SI, MOO_DI};

    return s->c->before.reg[moo_of[r & 7]];
}

/* Does a memory operand reach beyond offset FFFF? */
static bool operand_wraps(const struct subject *s)
{
    unsigned off = (unsigned)s->in.disp, size = 0;

    for (unsigned i = 0; i < INSN_OPERANDS; i++)
        if (s->in.op[i].kind == OPND_MEM)
            size = s->in.op[i].size;
    if (s->in.base != REG_NONE)
        off += reg16(s, s->in.base);
    if (s->in.index != REG_NONE)
        off += reg16(s, s->in.index);
    return size && (off & 0xffff) + size > 0x10000;
}

/* Words of a string instruction at an odd offset, going over FFFF? */
static bool string_wraps(const struct subject *s, uint16_t start)
{
    bool repeats = s->in.prefixes & (PREFIX_REP | PREFIX_REPNE);
    unsigned count = repeats ? s->c->before.reg[MOO_CX] : 1;
    bool down = s->c->before.reg[MOO_FLAGS] & FLAG_DF;
    unsigned steps = down ? (start + 1u) / 2 : (0x10000u - start) / 2;

    if (start == 0xffff)
        return count > 0;
    return (start & 1) && s->in.op[0].size == 2 && count > steps;
}

static bool stack_wraps(const struct subject *s)
{
    uint16_t sp = s->c->before.reg[MOO_SP];

    return (sp & 1) && (sp <= 5 || sp >= 0xfff9);
}

static bool wraps(const struct subject *s)
{
    unsigned end = s->c->before.reg[MOO_IP] + s->c->code_size;

    if (!s->known)
        return false;
    if (insn_info[s->in.id].attrs & A_REP)
        return string_wraps(s, s->c->before.reg[MOO_SI]) ||
               string_wraps(s, s->c->before.reg[MOO_DI]);
    return end > 0xffff || operand_wraps(s) || stack_wraps(s);
}

/* --- 80286 --- */

static bool is_fs_gs(const struct subject *s)
{
    unsigned reg = modrm_reg(s);

    return (opcode(s) == 0x8c || opcode(s) == 0x8e) && (reg == 4 || reg == 5);
}

/* Some quotients that do not fit came out as 80 or 8000. */
static bool is_missed_overflow(const struct subject *s)
{
    uint16_t ax = after(s, MOO_AX);

    return body_is(s, "idiv") && !s->c->has_exception &&
           (s->in.op[0].size == 1 ? (ax & 0xff) == 0x80 : ax == 0x8000);
}

/* The registers of a string instruction were not restored after a fault. */
static bool is_string_fault(const struct subject *s)
{
    return s->c->has_exception && s->c->vector == EXC_GP && s->known &&
           (insn_info[s->in.id].attrs & A_REP);
}

const struct rule rules[] = {
    {"lock", "LOCK was allowed before any instruction", CPU_8086 | CPU_80286,
     is_bad_lock},
    {"length", "more than 10 bytes were too long", CPU_80286, is_long},
    {"coprocessor", "x87 stores and FCOMI did nothing without an x87",
     CPU_8086 | CPU_80286, is_coprocessor},
    {"fs-gs", "FS and GS did not exist", CPU_80286, is_fs_gs},
    {"string-fault", "string registers were not restored after a fault",
     CPU_80286, is_string_fault},
    {"divide-80", "IDIV missed some overflows, giving 80 or 8000", CPU_80286,
     is_missed_overflow},
    {"alias", "60-6F, C0, C1, C8, C9, D6, F1 and 0F had other meanings",
     CPU_8086, is_alias},
    {"group-alias", "encodings without a meaning now had one", CPU_8086,
     is_group_alias},
    {"shift-count", "counts above 31 were not masked", CPU_8086, is_long_shift},
    {"push-sp", "PUSH SP stored the new value", CPU_8086, is_push_sp},
    {"decimal", "DAA and DAS had other limits if AF was set", CPU_8086,
     is_decimal},
    {"ascii", "AAA and AAS had no carry from AL to AH", CPU_8086, is_ascii},
    {"divide-error", "the address after a division was pushed", CPU_8086,
     is_divide_error},
    {"divide-sign", "REP changed the sign of IDIV's quotient", CPU_8086,
     is_signed_divide},
    {"wrap", "words at FFFF, and code, went on at 0", CPU_8086, wraps},
    {NULL, NULL, 0, NULL},
};

const struct rule *rules_skip(const struct subject *s)
{
    for (const struct rule *r = rules; r->name; r++)
        if ((r->cpus & s->cpu) && r->applies(s))
            return r;
    return NULL;
}

bool rules_same_handler(const struct subject *s)
{
    return s->cpu == CPU_80286 && s->c->has_exception && s->c->vector == EXC_GP;
}

uint16_t rules_flags(const struct subject *s)
{
    uint32_t undefined = 0;

    if (s->known)
        undefined = flag_effects[insn_info[s->in.id].flags].undefined;
    return (uint16_t)(0x0fff & ~undefined);
}

static uint32_t stack_at(const struct subject *s, unsigned offset)
{
    uint16_t sp = (uint16_t)(after(s, MOO_SP) + offset);

    return ((uint32_t)after(s, MOO_SS) << 4) + sp;
}

bool rules_pushed_flags(const struct subject *s, uint32_t *at)
{
    if (body_is(s, "pushf")) {
        *at = stack_at(s, 0);
        return true;
    }
    *at = stack_at(s, 4);
    return s->c->has_exception || (is_taken(s) && !body_is(s, "enter"));
}
