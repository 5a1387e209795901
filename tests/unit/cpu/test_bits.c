/*
 * POPCNT, LZCNT, BMI1, BMI2, ADX and CRC32 against recordings of a processor;
 * MOVBE, RDRAND, FSGSBASE, RDPID and MOVDIR64B by the manual (SDM vol. 2).
 */
#include "cpu/decode.h"
#include "tests/unit/cpu/box.h"
#include "tests/unit/suite.h"

enum { AT = 0x20000 };

static size_t load_code(struct box *b, const char *hex)
{
    uint8_t *out = box_at(b, BOX_CODE);
    size_t n = 0;

    for (const char *s = hex; *s; s += s[2] ? 3 : 2)
        out[n++] = (uint8_t)strtoul(s, NULL, 16);
    out[n] = 0xf4;
    b->engine->flush(b->engine);
    b->cpu.rip = BOX_CODE;
    b->cpu.halted = false;
    return n;
}

static int run(struct box *b, const char *hex)
{
    load_code(b, hex);
    return box_fault(b);
}

/* Flags whose value is promised. */
static uint32_t defined_flags(const struct box *b)
{
    struct insn in;

    ck_assert_int_eq(decode(box_at((struct box *)b, BOX_CODE), INSN_MAX_LEN,
                            b->cpu.mode, b->cpu.features, &in),
                     DECODE_OK);
    return FLAGS_ARITH & ~flag_effects[insn_info[in.id].flags].undefined;
}

START_TEST(results_and_flags_are_a_processors)
{
    static const struct {
        uint64_t rax, rcx, rdx;
        uint32_t flags;
    } starts[] = {
        {0xfedcba9876543210, 0x00f0000080000100, 0x0000000000001108, 0},
        {0xffffffffffffffff, 0, 0xffffffffffffff20, FLAGS_ARITH},
        {0x8000000000000001, 0xffffffffffffffff, 0xff00ff00f0f0f0f0,
         FLAG_OF | FLAG_CF},
    };
    static const struct {
        const char *hex;
        unsigned start;
        uint64_t rax, rcx;
        uint32_t flags;
    } cases[] = {
#define CASE(...) {__VA_ARGS__},
#include "tests/unit/cpu/bits_vectors.def"
#undef CASE
    };
    struct box *b = box_new_long();
    struct cpu *cpu = &b->cpu;

    for (size_t i = 0; i < array_len(cases); i++) {
        uint32_t mask;

        load_code(b, cases[i].hex);
        mask = defined_flags(b);
        cpu->gpr[RAX] = starts[cases[i].start].rax;
        cpu->gpr[RCX] = starts[cases[i].start].rcx;
        cpu->gpr[RDX] = starts[cases[i].start].rdx;
        cpu_set_eflags(cpu, starts[cases[i].start].flags);
        box_run(b);
        ck_assert_msg(
            cpu->gpr[RAX] == cases[i].rax && cpu->gpr[RCX] == cases[i].rcx &&
                !((cpu_eflags(cpu) ^ cases[i].flags) & mask),
            "%s from %u: rax %llx, rcx %llx, flags %x", cases[i].hex,
            cases[i].start, (unsigned long long)cpu->gpr[RAX],
            (unsigned long long)cpu->gpr[RCX], cpu_eflags(cpu) & FLAGS_ARITH);
    }
    box_free(b);
}
END_TEST

START_TEST(without_its_feature_f3_means_nothing)
{
    struct box *b = box_new_long();

    feature_set_put(&b->cpu.features, FEAT_BMI1, false);
    feature_set_put(&b->cpu.features, FEAT_ABM, false);
    feature_set_put(&b->cpu.features, FEAT_POPCNT, false);
    b->cpu.gpr[RCX] = 0x80;
    ck_assert_int_eq(run(b, "f3 0f bd c1"), -1); /* BSR, not LZCNT */
    ck_assert_uint_eq(b->cpu.gpr[RAX], 7);
    b->cpu.gpr[RAX] = 5;
    b->cpu.gpr[RCX] = 0;
    ck_assert_int_eq(run(b, "f3 0f bc c1"), -1); /* BSF keeps RAX for 0 */
    ck_assert_uint_eq(b->cpu.gpr[RAX], 5);
    ck_assert_int_eq(run(b, "f3 0f b8 c1"), EXC_UD);
    ck_assert_int_eq(run(b, "c4 e2 78 f2 c1"), EXC_UD);
    box_free(b);
}
END_TEST

START_TEST(movbe_reverses_bytes_of_memory)
{
    struct box *b = box_new_long();

    b->cpu.gpr[RSI] = AT;
    b->cpu.gpr[RAX] = UINT64_MAX;
    store64(box_at(b, AT), 0x0123456789abcdef);
    ck_assert_int_eq(run(b, "66 0f 38 f0 06"), -1);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0xffffffffffffefcd);
    ck_assert_int_eq(run(b, "0f 38 f0 06"), -1);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0xefcdab89);
    ck_assert_int_eq(run(b, "48 0f 38 f0 06"), -1);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0xefcdab8967452301);
    ck_assert_int_eq(run(b, "48 0f 38 f1 46 08"), -1);
    ck_assert_uint_eq(load64(box_at(b, AT + 8)), 0x0123456789abcdef);
    box_free(b);
}
END_TEST

START_TEST(random_numbers_set_carry_alone)
{
    struct box *b = box_new_long(), *again = box_new_long();

    cpu_set_eflags(&b->cpu, FLAGS_ARITH & ~FLAG_CF);
    b->cpu.gpr[RAX] = UINT64_MAX;
    ck_assert_int_eq(run(b, "48 0f c7 f0 48 0f c7 fb"), -1);
    ck_assert_uint_eq(cpu_eflags(&b->cpu) & FLAGS_ARITH, FLAG_CF);
    ck_assert_uint_ne(b->cpu.gpr[RAX], b->cpu.gpr[RBX]);
    /* A deterministic machine repeats itself. */
    ck_assert_int_eq(run(again, "48 0f c7 f0"), -1);
    ck_assert_uint_eq(again->cpu.gpr[RAX], b->cpu.gpr[RAX]);
    ck_assert_int_eq(run(again, "0f c7 f0"), -1);
    ck_assert_uint_eq(again->cpu.gpr[RAX] >> 32, 0);
    box_free(again);
    box_free(b);
}
END_TEST

START_TEST(segment_bases_need_cr4_and_canonical_addresses)
{
    struct box *b = box_new_long();

    b->cpu.gpr[RAX] = 0x123456789abc;
    ck_assert_int_eq(run(b, "f3 48 0f ae d0"), EXC_UD);
    b->cpu.cr4 |= CR4_FSGSBASE;
    ck_assert_int_eq(run(b, "f3 48 0f ae d0 f3 48 0f ae d8"), -1);
    ck_assert_uint_eq(b->cpu.seg[FS].base, 0x123456789abc);
    ck_assert_uint_eq(b->cpu.seg[GS].base, 0x123456789abc);
    ck_assert_int_eq(run(b, "f3 0f ae d8"), -1); /* 32 bits */
    ck_assert_uint_eq(b->cpu.seg[GS].base, 0x56789abc);
    ck_assert_int_eq(run(b, "f3 48 0f ae c1 f3 0f ae ca"), -1);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 0x123456789abc);
    ck_assert_uint_eq(b->cpu.gpr[RDX], 0x56789abc);
    b->cpu.gpr[RAX] = (uint64_t)1 << 47;
    ck_assert_int_eq(run(b, "f3 48 0f ae d0"), EXC_GP);
    ck_assert_uint_eq(b->cpu.seg[FS].base, 0x123456789abc);
    b->cpu.msr.tsc_aux = 77;
    ck_assert_int_eq(run(b, "f3 0f c7 f9"), -1); /* RDPID */
    ck_assert_uint_eq(b->cpu.gpr[RCX], 77);
    box_free(b);
}
END_TEST

START_TEST(movdir64b_moves_an_aligned_line)
{
    struct box *b = box_new_long();

    b->cpu.gpr[RSI] = AT + 3;
    b->cpu.gpr[RAX] = AT + 0x1000;
    for (unsigned i = 0; i < 64; i++)
        *box_at(b, AT + 3 + i) = (uint8_t)(i + 1);
    ck_assert_int_eq(run(b, "66 0f 38 f8 06"), -1);
    ck_assert_mem_eq(box_at(b, AT + 0x1000), box_at(b, AT + 3), 64);
    b->cpu.gpr[RAX] += 32;
    ck_assert_int_eq(run(b, "66 0f 38 f8 06"), EXC_GP);
    b->cpu.gpr[RAX] = AT + 0x2000;
    box_forbid(b, AT + 0x2000, 2);
    ck_assert_int_eq(run(b, "66 0f 38 f8 06"), EXC_PF);
    b->cpu.gpr[RCX] = 0x1122334455667788;
    ck_assert_int_eq(run(b, "48 0f 38 f9 4e 05"), -1); /* MOVDIRI */
    ck_assert_uint_eq(load64(box_at(b, AT + 8)), 0x1122334455667788);
    box_free(b);
}
END_TEST

START_TEST(flushing_a_line_is_checked_like_a_load)
{
    struct box *b = box_new_long();
    static const char *const flushes[] = {"0f ae 3e", "66 0f ae 3e",
                                          "66 0f ae 36"};

    b->cpu.gpr[RSI] = AT;
    for (size_t i = 0; i < array_len(flushes); i++)
        ck_assert_int_eq(run(b, flushes[i]), -1);
    box_forbid(b, AT, 1);
    for (size_t i = 0; i < array_len(flushes); i++)
        ck_assert_int_eq(run(b, flushes[i]), EXC_PF);
    ck_assert_int_eq(run(b, "0f 18 0e"), -1); /* PREFETCHT0 never faults */
    ck_assert_int_eq(run(b, "0f 0d 0e"), -1); /* PREFETCHW */
    box_free(b);
}
END_TEST

SUITE("bits", results_and_flags_are_a_processors,
      without_its_feature_f3_means_nothing, movbe_reverses_bytes_of_memory,
      random_numbers_set_carry_alone,
      segment_bases_need_cr4_and_canonical_addresses,
      movdir64b_moves_an_aligned_line, flushing_a_line_is_checked_like_a_load)
