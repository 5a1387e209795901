#include "tests/decode/known.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "cpu/cpu.h"

enum { ANY_REPEAT = PREFIX_REP | PREFIX_REPNE };
enum { IN16 = 1, IN32 = 2, IN64 = 4, ANY = IN16 | IN32 | IN64 };

typedef bool condition(const struct insn *in, const cs_insn *cs, uint32_t mode);

struct known {
    uint8_t map;         /* as in struct insn; 0: any */
    uint8_t first, last; /* opcodes */
    uint8_t modes;       /* set of IN16, IN32, IN64 */
    uint8_t what;        /* set of enum difference */
    uint8_t prefixes;    /* one of these must be there; 0: none needed */
    condition *also;     /* NULL: always */
    const char *why;
};

/* --- conditions --- */

/* Groups of instructions that later processors added. */
static bool is_later(const struct insn *in, const cs_insn *cs, uint32_t mode)
{
    static const uint8_t groups[] = {
        X86_GRP_VM,  X86_GRP_AVX512, X86_GRP_FMA4, X86_GRP_HLE,
        X86_GRP_RTM, X86_GRP_XOP,    X86_GRP_TBM,  X86_GRP_SGX,
    };

    (void)in, (void)mode;
    for (unsigned i = 0; i < cs->detail->groups_count; i++) {
        for (size_t k = 0; k < array_len(groups); k++) {
            if (cs->detail->groups[i] == groups[k])
                return true;
        }
    }
    return false;
}

static bool has_vex(const struct insn *in, const cs_insn *cs, uint32_t mode)
{
    (void)cs, (void)mode;
    return in->vex_len != 0;
}

/* We look no further than the prefix then. */
static bool is_before_vex(const struct insn *in, const cs_insn *cs,
                          uint32_t mode)
{
    (void)cs, (void)mode;
    return in->map == 0;
}

static bool has_fixed_w(const struct insn *in, const cs_insn *cs,
                        uint32_t mode)
{
    (void)cs, (void)mode;
    for (unsigned id = 0; id < INSN_COUNT; id++) {
        const struct insn_info *info = &insn_info[id];

        if (in->vex_len && info->attrs & A_VEX && info->attrs & (A_W | A_W0) &&
            info->map == in->map && info->code == in->code)
            return true;
    }
    return false;
}

/* An instruction without an operand in vvvv, which is 0111b. */
static bool is_vvvv_0111(const struct insn *in, const cs_insn *cs,
                         uint32_t mode)
{
    (void)cs, (void)mode;
    return in->vex_len && (in->bytes[in->opcode_at - 1] & 0x78) == 0x38;
}

static bool is_vsib_without_sib(const struct insn *in, const cs_insn *cs,
                                uint32_t mode)
{
    (void)cs, (void)mode;
    return in->vex_len && (in->modrm & 7) != 4;
}

static bool has_mandatory_row(const struct insn *in, const cs_insn *cs,
                              uint32_t mode)
{
    (void)cs, (void)mode;
    for (unsigned id = 0; id < INSN_COUNT; id++) {
        const struct insn_info *info = &insn_info[id];

        if (!(info->attrs & A_VEX) && info->map == in->map &&
            info->code == in->code && info->pfx != PFX__)
            return true;
    }
    return false;
}

/* Capstone sees a mandatory prefix only if it is the one prefix, directly
 * before the opcode, and not in 16-bit code; else it takes the row without
 * prefix, or 66 although F2 or F3 is there.  For the processor the order does
 * not matter (2.1.1), nor does the mode, and F2, F3 win over 66 (2.1.2); this
 * was also tried on a processor.  tests/unit/cpu/test_decode.c has cases. */
static bool is_mandatory_among_others(const struct insn *in, const cs_insn *cs,
                                      uint32_t mode)
{
    unsigned escapes = in->map == 2 ? 1 : in->map == 0x38 ? 2 : 0;
    unsigned rex = in->prefixes & PREFIX_REX ? 1 : 0;
    unsigned prefixes = in->opcode_at - escapes - rex;
    bool is16 = !(mode & (MODE_CODE32 | MODE_CODE64));

    return prefixes > (is16 ? 0 : 1) && has_mandatory_row(in, cs, mode);
}

/* Its tables know only some combinations of 66, 67, F2, F3 and REX.W; for the
 * others it drops one: 66 F2 PUSH Iz as without 66, 67 REX.W PXOR as with 66.
 */
static bool has_combination(const struct insn *in, const cs_insn *cs,
                            uint32_t mode)
{
    static const uint8_t each[] = {PREFIX_OPSIZE, PREFIX_ADDRSIZE, ANY_REPEAT,
                                   PREFIX_REX_W};
    unsigned count = 0;

    (void)cs, (void)mode;
    for (size_t i = 0; i < array_len(each); i++)
        count += (in->prefixes & each[i]) != 0;
    return count >= 2;
}

/* --- the table; sections are those of the SDM's volume 2 --- */

static const struct known entries[] = {
    {0, 0x00, 0xff, ANY, WE_REFUSE, 0, is_later, "later processors"},
    /* Instructions of later processors that Capstone puts in no group. */
    {2, 0x01, 0x01, ANY, WE_REFUSE, 0, NULL,
     "VMX, SVM, SGX, MONITOR, RTM"},
    {2, 0x37, 0x37, ANY, WE_REFUSE, 0, NULL, "GETSEC: SMX"},
    {2, 0xa6, 0xa7, ANY, WE_REFUSE, 0, NULL, "VIA PadLock"},
    {2, 0xc7, 0xc7, ANY, WE_REFUSE, 0, NULL,
     "VMX; RDRAND and RDSEED after F2 or F3"},
    {0x0f, 0x0e, 0x0e, ANY, WE_REFUSE, 0, NULL,
     "no 3DNow! instruction; FEMMS is 0F 0E"},
    {1, 0x62, 0x62, ANY, WE_REFUSE, 0, NULL, "EVEX"},
    {2, 0x41, 0x4b, ANY, WE_REFUSE, 0, has_vex, "opmasks of AVX-512"},
    {2, 0x90, 0x99, ANY, WE_REFUSE, 0, has_vex, "KMOV, KTEST of AVX-512"},
    {0x3a, 0x30, 0x33, ANY, WE_REFUSE, 0, has_vex, "KSHIFT of AVX-512"},
    {1, 0xc6, 0xc7, ANY, WE_REFUSE, 0, NULL, "XABORT, XBEGIN: RTM"},

    /* Capstone is too generous. */
    {0, 0x00, 0xff, ANY, WE_REFUSE, PREFIX_LOCK, NULL,
     "LOCK is for a list of instructions with memory as destination (LOCK)"},
    {1, 0x8e, 0x8e, ANY, WE_REFUSE, 0, NULL, "MOV to CS (MOV)"},
    {2, 0x20, 0x23, ANY, WE_REFUSE, 0, NULL,
     "no CR1, CR5..CR7, CR9..CR15, DR8..DR15 (MOV to control, debug reg.)"},
    {0, 0x00, 0xff, ANY, WE_REFUSE,
     PREFIX_OPSIZE | ANY_REPEAT | PREFIX_REX | PREFIX_LOCK, is_before_vex,
     "VEX after 66, F2, F3, REX or LOCK (2.3.2 to 2.3.4)"},
    {0x38, 0x90, 0x93, ANY, WE_REFUSE, 0, is_vsib_without_sib,
     "gathers have a SIB byte (2.3.12)"},
    {0, 0x00, 0xff, ANY, WE_REFUSE, 0, has_fixed_w,
     "VEX.W has one value only (VPERMQ, VTESTPS, ...)"},
    {0, 0x00, 0xff, IN16 | IN32, WE_REFUSE, 0, is_vvvv_0111,
     "VEX.vvvv is 1111b also in modes of 8 registers (as on processors)"},

    /* Capstone is too strict. */
    {2, 0x01, 0x01, ANY, WE_ACCEPT, 0, NULL, "SERIALIZE"},
    {0x38, 0xf8, 0xf9, ANY, WE_ACCEPT, 0, NULL, "MOVDIRI, MOVDIR64B"},
    {0x38, 0x50, 0x53, ANY, WE_ACCEPT, 0, has_vex, "AVX-VNNI"},
    {0x38, 0x5a, 0x5a, ANY, WE_ACCEPT, 0, has_vex, "VBROADCASTI128"},
    {0x38, 0xdc, 0xdf, ANY, WE_ACCEPT, 0, has_vex, "VAES"},
    {0x3a, 0x44, 0x44, ANY, WE_ACCEPT, 0, has_vex, "VPCLMULQDQ"},
    {0x38, 0xcf, 0xcf, ANY, WE_ACCEPT, 0, NULL, "GFNI"},
    {0x3a, 0xce, 0xcf, ANY, WE_ACCEPT, 0, NULL, "GFNI"},
    {1, 0x8c, 0x8c, ANY, WE_ACCEPT, PREFIX_REX, NULL,
     "REX.R is ignored for Sw (2.2.1.2)"},
    {1, 0x8e, 0x8e, ANY, WE_ACCEPT, PREFIX_REX, NULL,
     "REX.R is ignored for Sw (2.2.1.2), MOV to"},
    {2, 0x0d, 0x0d, ANY, WE_ACCEPT, 0, NULL, "/2../7 are PREFETCHW too (AMD)"},
    {2, 0x18, 0x1f, ANY, WE_ACCEPT, 0, NULL, "reserved NOPs (table A-3)"},
    {2, 0xae, 0xae, ANY, WE_ACCEPT, 0, NULL,
     "fences take any ModRM.rm (table A-6)"},
    {2, 0xff, 0xff, ANY, WE_ACCEPT, 0, NULL, "UD0 with prefixes (UD)"},
    {0x38, 0x82, 0x82, ANY, WE_ACCEPT, 0, NULL,
     "INVPCID in 16-bit code (INVPCID)"},
    {1, 0xa0, 0xa3, ANY, WE_ACCEPT, ANY_REPEAT, NULL,
     "F2, F3 mean nothing here"},

    /* Lengths. */
    {2, 0xb9, 0xb9, ANY, LENGTH, 0, NULL, "UD1 has ModRM (UD)"},
    {2, 0xff, 0xff, ANY, LENGTH, 0, NULL, "UD0 has ModRM (UD)"},
    {1, 0xe8, 0xe9, IN64, LENGTH, PREFIX_OPSIZE, NULL,
     "66 is ignored for near branches in 64-bit mode (CALL, JMP; table A-1, "
     "f64)"},
    {2, 0x80, 0x8f, IN64, LENGTH, PREFIX_OPSIZE, NULL,
     "66 is ignored for near branches in 64-bit mode (Jcc)"},

    /* Operands. */
    {1, 0x8e, 0x8e, ANY, OPERANDS, 0, NULL, "16 bits of the register (MOV)"},
    {2, 0x02, 0x03, ANY, OPERANDS, 0, NULL,
     "16 bits of the register (LAR, LSL)"},
    {2, 0xc2, 0xc2, ANY, OPERANDS, 0, NULL, "CMPPS 4 is shown as CMPNEQPS"},
    {1, 0xd4, 0xd5, ANY, OPERANDS, 0, NULL,
     "AAM, AAD 10 are shown without the 10"},
    {1, 0xe8, 0xe9, IN16, OPERANDS, PREFIX_OPSIZE, NULL,
     "a 32-bit operand size makes a 32-bit target (JMP)"},
    {2, 0x80, 0x8f, IN16, OPERANDS, PREFIX_OPSIZE, NULL,
     "a 32-bit operand size makes a 32-bit target (Jcc)"},
    {1, 0xe8, 0xe9, IN32, OPERANDS, PREFIX_ADDRSIZE, NULL,
     "67 is not 66 (JMP)"},
    {2, 0x80, 0x8f, IN32, OPERANDS, PREFIX_ADDRSIZE, NULL,
     "67 is not 66 (Jcc)"},
    {2, 0x1e, 0x1e, ANY, OPERANDS, PREFIX_REP, NULL,
     "ENDBR is a NOP without CET"},
    {0x3a, 0x16, 0x22, IN16 | IN32, OPERANDS, PREFIX_REX_W, has_vex,
     "VEX.W is for 64-bit mode alone here (VPEXTRD, VPINSRD)"},
    {0x3a, 0x4a, 0x4c, IN16 | IN32, OPERANDS, 0, has_vex,
     "8 registers (VBLENDVPS, 2.3.10)"},
    {1, 0x63, 0x63, IN64, OPERANDS, 0, NULL, "MOVSXD r32, r/m32 without REX.W"},

    {2, 0xc7, 0xc7, ANY, OPERANDS, PREFIX_REP, NULL,
     "RDPID is shown as RDSEED"},

    /* Prefixes. */
    {0x38, 0x00, 0xff, ANY, WE_REFUSE, PREFIX_OPSIZE | ANY_REPEAT,
     has_mandatory_row, "NP: #UD with F2, F3 (3.1.1.1)"},
    {2, 0x00, 0xff, ANY, WE_REFUSE, PREFIX_OPSIZE | ANY_REPEAT,
     has_mandatory_row, "NP: #UD with 66, F2, F3 (3.1.1.1)"},
    {0, 0x00, 0xff, ANY, WE_ACCEPT | WE_REFUSE | OPERANDS | LENGTH,
     PREFIX_OPSIZE | ANY_REPEAT, is_mandatory_among_others,
     "several prefixes, one of them mandatory"},
    {0, 0x00, 0xff, ANY, WE_REFUSE | OPERANDS | LENGTH, 0, has_combination,
     "two of 66, 67, F2/F3, REX.W"},
};

_Static_assert(array_len(entries) <= KNOWN_ROOM, "");

static bool applies(const struct known *k, const struct insn *in,
                    const cs_insn *cs, uint32_t mode, enum difference what)
{
    unsigned here = mode & MODE_CODE64   ? IN64
                    : mode & MODE_CODE32 ? IN32
                                         : IN16;

    return k->what & what && k->modes & here &&
           (!k->map || k->map == in->map) && in->code >= k->first &&
           in->code <= k->last &&
           (!k->prefixes || k->prefixes & in->prefixes) &&
           (!k->also || k->also(in, cs, mode));
}

int known_difference(const struct insn *in, const cs_insn *cs, uint32_t mode,
                     enum difference what)
{
    for (size_t i = 0; i < array_len(entries); i++) {
        if (applies(&entries[i], in, cs, mode, what))
            return (int)i;
    }
    return KNOWN_NONE;
}

const char *known_reason(int entry)
{
    return (size_t)entry < array_len(entries) ? entries[entry].why : NULL;
}
