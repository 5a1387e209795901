#include "cpu/insn.h"

#include "cpu/insn_match.h"
#include "cpu/regs.h"

_Static_assert(SPEC_COUNT <= 256 && FLAG_ROWS <= 256, "");

const struct operand_info operand_info[SPEC_COUNT] = {
#define OPERAND(name, how, size, fixed) \
    [SPEC_##name] = {#name, HOW_##how, SIZE_##size, fixed},
#include "cpu/isa/operands.def"
#undef OPERAND
};

const struct flag_effect flag_effects[FLAG_ROWS] = {
#define FLAGS_ROW(name, tested, written, undefined) \
    [FLAGROW_##name] = {#name, tested, written, undefined},
#include "cpu/isa/flags.def"
#undef FLAGS_ROW
};

/* The columns of a row as numbers. */
enum { _ = 0, X = EXT_X };

enum {
    MAP_1 = 1,
    MAP_2 = 2,
    MAP_38 = 0x38,
    MAP_3A = 0x3a,
    MAP_3D = 0x0f,
    MAP_V2 = MAP_2,
    MAP_V38 = MAP_38,
    MAP_V3A = MAP_3A,
    MAP_D8 = 0xd8,
    MAP_D9,
    MAP_DA,
    MAP_DB,
    MAP_DC,
    MAP_DD,
    MAP_DE,
    MAP_DF
};

enum { /* HOW_OF_Eb and so on */
#define OPERAND(name, how, size, fixed) HOW_OF_##name = HOW_##how,
#include "cpu/isa/operands.def"
#undef OPERAND
};

#define OPERAND_NUMBER(spec, access) \
    (SPEC_##spec | (access) << 8 | HOW_OF_##spec << 16)
#define n(spec) OPERAND_NUMBER(spec, ACC_NONE)
#define r(spec) OPERAND_NUMBER(spec, ACC_R)
#define w(spec) OPERAND_NUMBER(spec, ACC_W)
#define rw(spec) OPERAND_NUMBER(spec, ACC_RW)
#define SPEC(o) ((o)&0xff)
#define ACCESS(o) ((o) >> 8 & 0xff)
#define HOW(o) ((o) >> 16)

const struct insn_info insn_info[INSN_COUNT] = {
#define INSN(id_, map_, code_, ext_, pfx_, name_, o0, o1, o2, o3, flags_, \
             attrs_, feature_, body_)                                     \
    [I_##id_] = {                                                         \
        .id = #id_,                                                       \
        .mnemonic = #name_,                                               \
        .body = #body_,                                                   \
        .map = MAP_##map_,                                                \
        .code = code_,                                                    \
        .ext = ext_,                                                      \
        .pfx = PFX_##pfx_,                                                \
        .operand = {SPEC(o0), SPEC(o1), SPEC(o2), SPEC(o3)},              \
        .access = {ACCESS(o0), ACCESS(o1), ACCESS(o2), ACCESS(o3)},       \
        .feature = feature_,                                              \
        .flags = FLAGROW_##flags_,                                        \
        .attrs = attrs_,                                                  \
    },
#include "cpu/isa/all.def"
#undef INSN
};

/* What one operand asks of ModRM. */
#define WANTS_MEM(o) (HOW(o) == HOW_MEM || IS_VSIB(o))
#define IS_VSIB(o) (HOW(o) == HOW_VSIB)
#define WANTS_REG(o) \
    (HOW(o) == HOW_RM_REG || HOW(o) == HOW_MM_RMREG || HOW(o) == HOW_XMM_RMREG)
#define HAS_MODRM(o) (HOW(o) >= HOW_RM && HOW(o) <= HOW_LAST_MODRM)
#define IN_VVVV(o) (HOW(o) == HOW_XMM_V || HOW(o) == HOW_GPR_V)
#define COVERS_EIGHT(o) (HOW(o) == HOW_ZREG || HOW(o) == HOW_ST_I)

#define ANY(is, o0, o1, o2, o3) (is(o0) || is(o1) || is(o2) || is(o3))
#define IF(condition, number) ((condition) ? (number) : 0)

/* A bit of the selector that must be 1 for attribute `one`, 0 for `zero`. */
#define BIT_MASK(attrs, one, zero, bit) IF((attrs) & ((one) | (zero)), bit)
#define BIT_VALUE(attrs, one, bit) IF((attrs) & (one), bit)

#define HAS_EXT(ext) ((unsigned)(ext) != EXT_X)
#define MODRM_MASK(ext) IF(HAS_EXT(ext), (ext) < 8 ? 0x38 : 0xff)
#define MODRM_VALUE(ext) IF(HAS_EXT(ext), (ext) < 8 ? (ext) << 3 : (ext))
#define PFX_MASK(pfx) IF((pfx) != PFX__, 3 << SEL_PFX_SHIFT)
#define PFX_VALUE(pfx) IF((pfx) != PFX__, (pfx) << SEL_PFX_SHIFT)

const struct insn_match insn_match[INSN_COUNT] = {
#define INSN(id, map, code, ext, pfx, name, o0, o1, o2, o3, flags, attrs,      \
             feat, body)                                                       \
    [I_##id] = {                                                               \
        .mask = MODRM_MASK(ext) | PFX_MASK(PFX_##pfx) |                        \
                IF(ANY(WANTS_MEM, o0, o1, o2, o3) ||                           \
                       ANY(WANTS_REG, o0, o1, o2, o3),                         \
                   SEL_MEM) |                                                  \
                BIT_MASK(attrs, A_MEM, A_REG, SEL_MEM) |                       \
                BIT_MASK(attrs, A_ONLY64, A_NO64, SEL_CODE64) |                \
                BIT_MASK(attrs, 0, A_NOB, SEL_REX_B) |                         \
                BIT_MASK(attrs, A_W, A_W0, SEL_REX_W) |                        \
                BIT_MASK(attrs, A_L1, A_L0, SEL_L) |                           \
                IF((attrs) & A_VEX && !ANY(IN_VVVV, o0, o1, o2, o3),           \
                   SEL_NO_V) |                                                 \
                BIT_MASK(attrs, A_PROT, 0, SEL_PE) |                           \
                IF(!ANY(COVERS_EIGHT, o0, o1, o2, o3), SEL_EIGHT),             \
        .value = MODRM_VALUE(ext) | PFX_VALUE(PFX_##pfx) |                     \
                 IF(ANY(WANTS_MEM, o0, o1, o2, o3), SEL_MEM) |                 \
                 BIT_VALUE(attrs, A_MEM, SEL_MEM) |                            \
                 BIT_VALUE(attrs, A_ONLY64, SEL_CODE64) |                      \
                 BIT_VALUE(attrs, A_W, SEL_REX_W) |                            \
                 BIT_VALUE(attrs, A_L1, SEL_L) |                               \
                 IF((attrs) & A_VEX && !ANY(IN_VVVV, o0, o1, o2, o3),          \
                    SEL_NO_V) |                                                \
                 BIT_VALUE(attrs, A_PROT, SEL_PE),                             \
        .key = MAPX_##map << 8 | (code),                                       \
        .feature = feat,                                                       \
        .shape =                                                               \
            IF(HAS_EXT(ext) || (attrs) & (A_MEM | A_REG) ||                    \
                   MAPX_##map >= MAPX_D8 || ANY(HAS_MODRM, o0, o1, o2, o3),    \
               SHAPE_MODRM) |                                                  \
            IF(HOW(o0) == HOW_RM_ANY || HOW(o1) == HOW_RM_ANY,                 \
               SHAPE_ANY_MOD) |                                                \
            IF(ANY(IS_VSIB, o0, o1, o2, o3), SHAPE_VSIB),                      \
    },
#include "cpu/isa/all.def"
#undef INSN
};

/* Rows of one opcode initialise the same element: the last one stays, which is
 * what we want to know. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
const uint16_t insn_last[INSN_LISTS][MAPX_COUNT][256] = {
#define INSN(id, map, code, ...) [0][MAPX_##map][code] = I_##id + 1,
#include "cpu/isa/onebyte.def"
#include "cpu/isa/twobyte.def"
#include "cpu/isa/vex.def"
#include "cpu/isa/3dnow.def"
#undef INSN
#define INSN(id, map, code, ...) [1][MAPX_##map][code] = I_##id + 1,
#include "cpu/isa/vector.def"
#include "cpu/isa/x87.def"
#undef INSN
};
#pragma GCC diagnostic pop
