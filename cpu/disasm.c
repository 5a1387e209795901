#include "cpu/disasm.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "cpu/regs.h"

struct text {
    char *at;
    size_t room;
};

printf_check(2, 3) static void put(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->at, t->room, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= t->room)
        n = t->room ? (int)t->room - 1 : 0;
    t->at += n;
    t->room -= (size_t)n;
}

static void put_lower(struct text *t, const char *s)
{
    for (; *s; s++)
        put(t, "%c", tolower((unsigned char)*s));
}

/* --- registers --- */

static const char *const gpr8[] = {
    "al",  "cl",  "dl",   "bl",   "spl",  "bpl",  "sil",  "dil",
    "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b"};
static const char *const gpr8_high[] = {"ah", "ch", "dh", "bh"};
static const char *const gpr16[] = {
    "ax",  "cx",   "dx",   "bx",   "sp",   "bp",   "si",   "di", "r8w",
    "r9w", "r10w", "r11w", "r12w", "r13w", "r14w", "r15w", "ip"};
static const char *const gpr32[] = {
    "eax", "ecx",  "edx",  "ebx",  "esp",  "ebp",  "esi",  "edi", "r8d",
    "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d", "eip"};
static const char *const gpr64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                    "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                    "r12", "r13", "r14", "r15", "rip"};
static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};
static const char *const crs[] = {"cr0", "cr1", "cr2", "cr3", "cr4",
                                  "cr5", "cr6", "cr7", "cr8"};
static const char *const drs[] = {"dr0", "dr1", "dr2", "dr3",
                                  "dr4", "dr5", "dr6", "dr7"};
static const char *const mms[] = {"mm0", "mm1", "mm2", "mm3",
                                  "mm4", "mm5", "mm6", "mm7"};
static const char *const sts[] = {"st(0)", "st(1)", "st(2)", "st(3)",
                                  "st(4)", "st(5)", "st(6)", "st(7)"};
static const char *const xmms[] = {
    "xmm0", "xmm1", "xmm2",  "xmm3",  "xmm4",  "xmm5",  "xmm6",  "xmm7",
    "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"};
static const char *const ymms[] = {
    "ymm0", "ymm1", "ymm2",  "ymm3",  "ymm4",  "ymm5",  "ymm6",  "ymm7",
    "ymm8", "ymm9", "ymm10", "ymm11", "ymm12", "ymm13", "ymm14", "ymm15"};

_Static_assert(REG_RIP == 16, "the names above have it after r15");

#define NAMES(list)           \
    {                         \
        list, array_len(list) \
    }
struct names {
    const char *const *list;
    size_t count;
};

/* General registers by log2 of the size. */
static const struct names gprs[] = {NAMES(gpr8), NAMES(gpr16), NAMES(gpr32),
                                    NAMES(gpr64)};
static const struct names by_kind[] = {
    [OPND_GPRH] = NAMES(gpr8_high), [OPND_SEG] = NAMES(segs),
    [OPND_CR] = NAMES(crs),         [OPND_DR] = NAMES(drs),
    [OPND_MM] = NAMES(mms),         [OPND_XMM] = NAMES(xmms),
    [OPND_ST] = NAMES(sts),
};
#undef NAMES

static const char *name_in(const struct names *n, unsigned reg)
{
    return reg < n->count ? n->list[reg] : NULL;
}

static const char *gpr_name(unsigned reg, unsigned size)
{
    unsigned log2 = size ? bits_high(size) : 0;

    return log2 < array_len(gprs) ? name_in(&gprs[log2], reg) : NULL;
}

const char *disasm_register(const struct operand *op)
{
    if (op->kind == OPND_GPR)
        return gpr_name(op->reg, op->size);
    if (op->kind == OPND_XMM && op->size == 32)
        return op->reg < array_len(ymms) ? ymms[op->reg] : NULL;
    if (op->kind >= array_len(by_kind))
        return NULL;
    return name_in(&by_kind[op->kind], op->reg);
}

/* --- operands --- */

static void put_size(struct text *t, unsigned size)
{
    static const char *const names[] = {
        [1] = "byte",   [2] = "word",   [4] = "dword", [8] = "qword",
        [10] = "tbyte", [16] = "oword", [32] = "yword"};

    if (size < array_len(names) && names[size])
        put(t, "%s ", names[size]);
    else if (size)
        put(t, "%u bytes ", size);
}

static void put_disp(struct text *t, int64_t disp, bool alone)
{
    uint64_t magnitude = disp < 0 ? -(uint64_t)disp : (uint64_t)disp;

    if (alone)
        put(t, "0x%" PRIx64, (uint64_t)disp);
    else if (disp)
        put(t, "%c0x%" PRIx64, disp < 0 ? '-' : '+', magnitude);
}

static const char *index_name(const struct insn *in)
{
    struct operand op = {.kind = in->vsib ? OPND_XMM : OPND_GPR,
                         .reg = in->index,
                         .size = in->vsib ? in->vsib : in->addrsize};

    return disasm_register(&op);
}

static void put_memory(struct text *t, const struct insn *in,
                       const struct operand *op, enum operand_how how)
{
    bool base = in->base != REG_NONE, index = in->index != REG_NONE;
    const char *seg = in->seg < array_len(segs) ? segs[in->seg] : "?";

    put_size(t, op->size);
    if (how == HOW_SRC || how == HOW_DST) {
        put(t, "%s:[%s]", how == HOW_SRC ? seg : "es",
            gpr_name(how == HOW_SRC ? RSI : RDI, in->addrsize));
        return;
    }
    put(t, "%s:[", seg);
    if (base)
        put(t, "%s", gpr_name(in->base, in->addrsize));
    if (index)
        put(t, "%s%s*%u", base ? "+" : "", index_name(in), 1u << in->scale);
    put_disp(t, in->disp, !base && !index);
    put(t, "]");
}

static void put_operand(struct text *t, const struct insn *in, unsigned i)
{
    const struct operand *op = &in->op[i];
    const struct operand_info *info =
        &operand_info[insn_info[in->id].operand[i]];
    const char *name = disasm_register(op);

    if (name)
        put(t, "%s", name);
    else if (op->kind == OPND_MEM)
        put_memory(t, in, op, info->how);
    else if (op->kind == OPND_REL)
        put(t, "rel 0x%" PRIx64, in->imm);
    else if (info->how == HOW_FAR)
        put(t, "0x%" PRIx64 ":0x%" PRIx64, in->imm2, in->imm);
    else
        put(t, "0x%" PRIx64,
            (op->kind == OPND_IMM ? in->imm : in->imm2) &
                bits_mask(8 * op->size));
}

void disasm(const struct insn *in, char *out, size_t room)
{
    struct text t = {out, room};
    unsigned i;

    if (in->prefixes & PREFIX_LOCK)
        put(&t, "lock ");
    if (insn_info[in->id].attrs & A_REP && in->prefixes & PREFIX_REP)
        put(&t, "rep ");
    if (insn_info[in->id].attrs & A_REP && in->prefixes & PREFIX_REPNE)
        put(&t, "repne ");
    put_lower(&t, insn_info[in->id].mnemonic);
    for (i = 0; i < INSN_OPERANDS && in->op[i].kind != OPND_NONE; i++) {
        put(&t, i ? ", " : " ");
        put_operand(&t, in, i);
    }
}
