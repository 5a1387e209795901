/*
 * The decoder on cases worked out by hand from the manual (SDM vol. 2).  The
 * expected text is that of cpu/disasm.h, which spells out every size, segment
 * and register; bytes that are no instruction give "#UD".
 */
#include "cpu/decode.h"

#include <string.h>

#include "base/compiler.h"
#include "cpu/cpu.h"
#include "cpu/disasm.h"
#include "cpu/insn_match.h"
#include "tests/unit/suite.h"

enum {
    REAL16 = MODE_CODE16,
    PROT16 = MODE_CODE16 | MODE_PE,
    PROT32 = MODE_CODE32 | MODE_PE,
    LONG64 = MODE_CODE64 | MODE_PE,
};

static const struct feature_set all_features = {{UINT64_MAX, UINT64_MAX}};

struct example {
    uint32_t mode;
    const char *hex, *text;
};

static size_t bytes_of(const char *hex, uint8_t *out)
{
    size_t n = 0;

    for (const char *s = hex; *s; s += s[2] ? 3 : 2)
        out[n++] = (uint8_t)strtoul(s, NULL, 16);
    return n;
}

static const char *text_of(enum decode_result r, const struct insn *in,
                           char *room)
{
    switch (r) {
    case DECODE_OK: disasm(in, room, DISASM_ROOM); return room;
    case DECODE_UD: return "#UD";
    case DECODE_TOO_LONG: return "too long";
    case DECODE_MORE: return "more";
    }
    return "?";
}

static void check_examples(const struct example *e, size_t count)
{
    for (; count--; e++) {
        uint8_t bytes[32];
        char room[DISASM_ROOM];
        struct insn in;
        size_t size = bytes_of(e->hex, bytes);
        enum decode_result r = decode(bytes, size, e->mode, all_features, &in);

        ck_assert_msg(strcmp(text_of(r, &in, room), e->text) == 0,
                      "%s: %s, not %s", e->hex, text_of(r, &in, room), e->text);
        if (r == DECODE_OK)
            ck_assert_msg(in.len == size, "%s: length %u", e->hex, in.len);
    }
}

#define CHECK(...)                                              \
    do {                                                        \
        static const struct example examples[] = {__VA_ARGS__}; \
        check_examples(examples, array_len(examples));          \
    } while (0)

START_TEST(operand_size_follows_mode_66_and_rex_w)
{
    CHECK({REAL16, "01 d8", "add ax, bx"}, {REAL16, "66 01 d8", "add eax, ebx"},
          {PROT32, "01 d8", "add eax, ebx"}, {PROT32, "66 01 d8", "add ax, bx"},
          {LONG64, "01 d8", "add eax, ebx"}, {LONG64, "66 01 d8", "add ax, bx"},
          {LONG64, "48 01 d8", "add rax, rbx"},
          {LONG64, "66 48 01 d8", "add rax, rbx"}, /* 2.2.1.2: W wins */
          {PROT32, "66 66 01 d8", "add ax, bx"}, {PROT32, "48", "dec eax"});
}
END_TEST

START_TEST(rex_counts_only_directly_before_the_opcode)
{
    CHECK({LONG64, "48 66 01 d8", "add ax, bx"},
          {LONG64, "41 48 01 d8", "add rax, rbx"},
          {LONG64, "4d 01 d8", "add r8, r11"},
          {LONG64, "40 88 f0", "mov al, sil"},
          {LONG64, "40 66 88 f0", "mov al, dh"});
}
END_TEST

START_TEST(byte_registers_4_to_7_are_high_bytes_without_rex)
{
    CHECK({PROT32, "88 e0", "mov al, ah"}, {PROT32, "b7 12", "mov bh, 0x12"},
          {LONG64, "88 fc", "mov ah, bh"}, {LONG64, "40 88 fc", "mov spl, dil"},
          {LONG64, "41 b7 12", "mov r15b, 0x12"});
}
END_TEST

START_TEST(sixteen_bit_addresses)
{
    CHECK({REAL16, "8b 00", "mov ax, word ds:[bx+si*1]"},
          {REAL16, "8b 02", "mov ax, word ss:[bp+si*1]"},
          {REAL16, "8b 06 34 12", "mov ax, word ds:[0x1234]"},
          {REAL16, "8b 46 fe", "mov ax, word ss:[bp-0x2]"},
          {REAL16, "8b 87 00 10", "mov ax, word ds:[bx+0x1000]"},
          {REAL16, "3e 8b 46 00", "mov ax, word ds:[bp]"},
          {PROT32, "67 8b 05", "mov eax, dword ds:[di]"},
          {REAL16, "67 8b 05 04 03 02 01", "mov ax, word ds:[0x1020304]"});
}
END_TEST

START_TEST(thirty_two_bit_addresses)
{
    CHECK({PROT32, "8b 04 24", "mov eax, dword ss:[esp]"},
          {PROT32, "8b 45 00", "mov eax, dword ss:[ebp]"},
          {PROT32, "8b 05 78 56 34 12", "mov eax, dword ds:[0x12345678]"},
          {PROT32, "8b 04 8d 10 00 00 00", "mov eax, dword ds:[ecx*4+0x10]"},
          {PROT32, "8b 44 ed 80", "mov eax, dword ss:[ebp+ebp*8-0x80]"},
          {PROT32, "8b 04 e0", "mov eax, dword ds:[eax]"}, /* index 4: none */
          {PROT32, "8b 84 28 ff ff ff ff", "mov eax, dword ds:[eax+ebp*1-0x1]"},
          {PROT32, "64 a1 14 00 00 00", "mov eax, dword fs:[0x14]"});
}
END_TEST

START_TEST(sixty_four_bit_addresses)
{
    CHECK({LONG64, "8b 05 10 00 00 00", "mov eax, dword ds:[rip+0x10]"},
          {LONG64, "67 8b 05 10 00 00 00", "mov eax, dword ds:[eip+0x10]"},
          {LONG64, "8b 04 25 10 00 00 80",
           "mov eax, dword ds:[0xffffffff80000010]"},
          {LONG64, "41 8b 45 00", "mov eax, dword ds:[r13]"},
          {LONG64, "41 8b 04 24", "mov eax, dword ds:[r12]"},
          {LONG64, "42 8b 04 20", "mov eax, dword ds:[rax+r12*1]"},
          {LONG64, "43 8b 44 25 00", "mov eax, dword ds:[r13+r12*1]"},
          {LONG64, "67 8b 44 24 08", "mov eax, dword ss:[esp+0x8]"},
          {LONG64, "48 a1 88 77 66 55 44 33 22 11",
           "mov rax, qword ds:[0x1122334455667788]"},
          {LONG64, "67 a0 00 00 00 80", "mov al, byte ds:[0x80000000]"});
}
END_TEST

START_TEST(only_fs_and_gs_override_in_64_bit_mode)
{
    CHECK({LONG64, "2e 8b 00", "mov eax, dword ds:[rax]"},
          {LONG64, "3e 8b 04 24", "mov eax, dword ss:[rsp]"},
          {LONG64, "65 8b 04 24", "mov eax, dword gs:[rsp]"},
          {LONG64, "64 2e 8b 00", "mov eax, dword fs:[rax]"},
          {PROT32, "64 2e 8b 00", "mov eax, dword cs:[eax]"});
}
END_TEST

START_TEST(immediates_extend_as_the_manual_says)
{
    CHECK(
        {PROT32, "83 c0 ff", "add eax, 0xffffffff"},
        {LONG64, "48 83 c0 ff", "add rax, 0xffffffffffffffff"},
        {LONG64, "48 81 c0 00 00 00 80", "add rax, 0xffffffff80000000"},
        {LONG64, "48 b8 08 07 06 05 04 03 02 01", "mov rax, 0x102030405060708"},
        {LONG64, "48 c7 c0 ff ff ff ff", "mov rax, 0xffffffffffffffff"},
        {REAL16, "6a 80", "push 0xff80"},
        {LONG64, "6a 80", "push 0xffffffffffffff80"},
        {PROT32, "cd 80", "int 0x80"}, {PROT32, "c1 e0 ff", "shl eax, 0xff"},
        {PROT32, "d1 e0", "shl eax, 0x1"},
        {PROT32, "c8 34 12 05", "enter 0x1234, 0x5"},
        {PROT32, "9a 78 56 34 12 08 00", "callf 0x8:0x12345678"},
        {REAL16, "ea f0 ff 00 f0", "jmpf 0xf000:0xfff0"});
}
END_TEST

START_TEST(stack_and_near_branches_are_64_bit_in_64_bit_mode)
{
    CHECK({LONG64, "50", "push rax"}, {LONG64, "66 50", "push ax"},
          {LONG64, "41 57", "push r15"},
          {LONG64, "8f 00", "pop qword ds:[rax]"},
          {LONG64, "ff 30", "push qword ds:[rax]"},
          {LONG64, "ff d0", "call rax"}, {LONG64, "66 ff e0", "jmp rax"},
          {LONG64, "ff 18", "callf 6 bytes ds:[rax]"},
          {LONG64, "48 ff 28", "jmpf tbyte ds:[rax]"},
          {LONG64, "e8 fe ff ff ff", "call rel 0xfffffffffffffffe"},
          {LONG64, "66 e8 01 00 00 00", "call rel 0x1"},
          {PROT32, "66 e8 01 00", "call rel 0x1"},
          {REAL16, "0f 84 fe ff", "jz rel 0xfffffffffffffffe"});
}
END_TEST

START_TEST(opcodes_that_a_mode_lacks)
{
    CHECK({LONG64, "06", "#UD"}, {LONG64, "27", "#UD"}, {LONG64, "60", "#UD"},
          {LONG64, "82 c0 01", "#UD"}, {LONG64, "9a 00 00 00 00 00 00", "#UD"},
          {LONG64, "c4 00 00 00 00", "#UD"}, {LONG64, "ce", "#UD"},
          {LONG64, "d4 0a", "#UD"}, {LONG64, "d6", "#UD"},
          {PROT32, "82 c0 01", "add al, 0x1"}, {PROT32, "63 c8", "arpl ax, cx"},
          {REAL16, "63 c8", "#UD"}, {LONG64, "48 63 c8", "movsxd rcx, eax"},
          {LONG64, "63 c8", "movsxd ecx, eax"},
          {REAL16, "0f 00 d8", "#UD"}, /* LTR: protected mode only */
          {PROT16, "0f 00 d8", "ltr ax"}, {REAL16, "0f 02 c1", "#UD"},
          {PROT32, "0f 01 f8", "#UD"}, {LONG64, "0f 01 f8", "swapgs"});
}
END_TEST

/* C4, C5 and 62 with a "register" operand introduce VEX and EVEX, which this
 * processor does not have. */
START_TEST(evex_and_xop_are_undefined)
{
    CHECK({LONG64, "62 f1 7c 48 28 c1", "#UD"},
          {PROT32, "62 f1 7c 48 28 c1", "#UD"},
          {PROT32, "62 08", "bound ecx, qword ds:[eax]"},
          {PROT32, "c4 08", "les ecx, 6 bytes ds:[eax]"},
          {PROT32, "8f e8 78 c0 00 00", "#UD"}, {PROT32, "0f 0f c1 01", "#UD"});
}
END_TEST

START_TEST(lock_needs_a_listed_instruction_that_writes_memory)
{
    CHECK({PROT32, "f0 01 00", "lock add dword ds:[eax], eax"},
          {PROT32, "f0 03 00", "#UD"}, {PROT32, "f0 01 c0", "#UD"},
          {PROT32, "f0 39 00", "#UD"}, {PROT32, "f0 90", "#UD"},
          {PROT32, "f0 87 00", "lock xchg dword ds:[eax], eax"},
          {PROT32, "f0 0f ba 28 01", "lock bts dword ds:[eax], 0x1"},
          {PROT32, "f0 0f ba 20 01", "#UD"}, {PROT32, "f0 89 00", "#UD"},
          {PROT32, "f0 0f c7 08", "lock cmpxchg8b qword ds:[eax]"},
          {LONG64, "f0 48 0f c7 08", "lock cmpxchg16b oword ds:[rax]"},
          {PROT32, "0f c7 c8", "#UD"});
}
END_TEST

START_TEST(nop_is_xchg_with_itself_only_without_rex_b)
{
    CHECK({PROT32, "90", "nop"}, {PROT32, "f3 90", "pause"},
          {PROT32, "66 90", "nop"}, {LONG64, "41 90", "xchg r8d, eax"},
          {LONG64, "49 90", "xchg r8, rax"}, {LONG64, "48 90", "nop"},
          {PROT32, "91", "xchg ecx, eax"}, {PROT32, "f3 91", "xchg ecx, eax"},
          {PROT32, "0f 1f 44 00 00", "nop dword ds:[eax+eax*1]"},
          {LONG64, "f3 0f 1e fa", "nop edx"});
}
END_TEST

START_TEST(one_row_covers_eight_opcodes)
{
    CHECK({PROT32, "0f c8", "bswap eax"}, {PROT32, "0f cf", "bswap edi"},
          {LONG64, "49 0f cf", "bswap r15"}, {PROT32, "5d", "pop ebp"},
          {PROT32, "0f 0a", "#UD"}, {PROT32, "0f 0c", "#UD"});
}
END_TEST

/* 2.1.1: the order means nothing; 2.1.2: F2 and F3 win over 66, the last of F2
 * and F3 over the other. */
START_TEST(mandatory_prefixes_stand_anywhere)
{
    CHECK({PROT32, "0f fc 00", "paddb mm0, qword ds:[eax]"},
          {PROT32, "66 26 0f fc 00", "paddb xmm0, oword es:[eax]"},
          {PROT32, "26 66 0f fc 00", "paddb xmm0, oword es:[eax]"},
          {PROT32, "67 66 0f fc 07", "paddb xmm0, oword ds:[bx]"},
          {REAL16, "66 0f fc 07", "paddb xmm0, oword ds:[bx]"},
          {PROT32, "66 f3 0f 2c c1", "cvttss2si eax, xmm1"},
          {PROT32, "f3 66 0f 2c c1", "cvttss2si eax, xmm1"},
          {PROT32, "f3 f2 0f 2c c1", "cvttsd2si eax, xmm1"},
          {PROT32, "f2 f3 0f 2c c1", "cvttss2si eax, xmm1"},
          {LONG64, "f2 48 0f 2c c1", "cvttsd2si rax, xmm1"},
          {LONG64, "66 45 0f fc c1", "paddb xmm8, xmm9"},
          {LONG64, "67 48 0f fc 00", "paddb mm0, qword ds:[eax]"},
          {PROT32, "f3 0f fc 00", "#UD"}, {PROT32, "66 0f c3 00", "#UD"});
}
END_TEST

START_TEST(strings_show_their_own_memory)
{
    CHECK({PROT32, "f3 a5", "rep movs dword es:[edi], dword ds:[esi]"},
          {LONG64, "f3 48 ab", "rep stos qword es:[rdi], rax"},
          {REAL16, "f2 ae", "repne scas al, byte es:[di]"},
          {REAL16, "26 ac", "lods al, byte es:[si]"},
          {LONG64, "64 48 a7", "cmps qword fs:[rsi], qword es:[rdi]"},
          {LONG64, "67 aa", "stos byte es:[edi], al"},
          {LONG64, "48 6d", "ins dword es:[rdi], dx"},
          {PROT32, "f2 f3 a4", "rep movs byte es:[edi], byte ds:[esi]"});
}
END_TEST

START_TEST(special_registers_that_exist)
{
    CHECK({PROT32, "0f 20 c0", "mov eax, cr0"},
          {PROT32, "66 0f 22 e0", "mov cr4, eax"},
          {PROT32, "0f 20 20", "mov eax, cr4"}, /* mod is ignored */
          {LONG64, "44 0f 22 c0", "mov cr8, rax"}, {PROT32, "0f 20 c8", "#UD"},
          {LONG64, "44 0f 20 c8", "#UD"}, {PROT32, "0f 23 f8", "mov dr7, eax"},
          {LONG64, "44 0f 23 f8", "#UD"}, {PROT32, "8e d8", "mov ds, ax"},
          {PROT32, "8e c8", "#UD"}, {PROT32, "8e f0", "#UD"},
          {PROT32, "8c c8", "mov eax, cs"},
          {PROT32, "8c 08", "mov word ds:[eax], cs"},
          {LONG64, "48 8c d8", "mov rax, ds"},
          {LONG64, "44 8e d8", "mov ds, ax"}); /* REX.R is ignored */
}
END_TEST

START_TEST(system_groups)
{
    CHECK({PROT32, "0f 01 10", "lgdt 6 bytes ds:[eax]"},
          {LONG64, "0f 01 10", "lgdt tbyte ds:[rax]"},
          {PROT32, "0f 01 d0", "xgetbv"},
          {PROT32, "0f 01 38", "invlpg ds:[eax]"},
          {PROT32, "0f 01 e0", "smsw eax"},
          {LONG64, "48 0f 01 20", "smsw word ds:[rax]"},
          {LONG64, "0f 01 ca", "clac"}, {LONG64, "66 0f 01 ca", "#UD"},
          {LONG64, "0f ae f0", "mfence"}, {LONG64, "0f ae ef", "lfence"},
          {LONG64, "0f ae 38", "clflush ds:[rax]"},
          {LONG64, "66 0f 38 82 00", "invpcid rax, oword ds:[rax]"},
          {LONG64, "66 0f 38 82 c0", "#UD"}, {LONG64, "0f 38 82 00", "#UD"},
          {PROT32, "0f 0b", "ud2"},
          {PROT32, "0f b9 04 24", "ud1 eax, dword ss:[esp]"});
}
END_TEST

START_TEST(vex_prefixes)
{
    CHECK({LONG64, "c5 f0 58 d3", "vaddps xmm2, xmm1, xmm3"},
          {LONG64, "c5 f4 58 d3", "vaddps ymm2, ymm1, ymm3"},
          {LONG64, "c4 41 34 58 d3", "vaddps ymm10, ymm9, ymm11"},
          {LONG64, "c4 a1 70 58 54 88 10",
           "vaddps xmm2, xmm1, oword ds:[rax+r9*4+0x10]"},
          {LONG64, "c5 f5 fc 10", "vpaddb ymm2, ymm1, yword ds:[rax]"},
          {LONG64, "c4 e2 78 f2 d1", "andn edx, eax, ecx"},
          {LONG64, "c4 42 b0 f2 d1", "andn r10, r9, r9"},
          {PROT32, "c4 e2 f8 f2 d1", "andn edx, eax, ecx"}, /* W is ignored */
          {PROT32, "c5 f0 58 d3", "vaddps xmm2, xmm1, xmm3"},
          {PROT32, "c4 c1 30 58 d3", "vaddps xmm2, xmm1, xmm3"}, /* as are B
                                                        and the top of vvvv */
          {PROT16, "c5 f0 58 17", "vaddps xmm2, xmm1, oword ds:[bx]"},
          {PROT32, "64 67 c5 f0 58 17", "vaddps xmm2, xmm1, oword fs:[bx]"});
}
END_TEST

START_TEST(vex_is_undefined_with_other_prefixes_modes_maps_and_lengths)
{
    CHECK({LONG64, "66 c5 f0 58 d3", "#UD"}, {LONG64, "f2 c5 f0 58 d3", "#UD"},
          {LONG64, "f3 c5 f0 58 d3", "#UD"}, {LONG64, "f0 c5 f0 58 d3", "#UD"},
          {LONG64, "40 c5 f0 58 d3", "#UD"},
          {LONG64, "40 67 c5 f0 58 d3", "vaddps xmm2, xmm1, xmm3"},
          {LONG64, "c4 e0 70 58 d3", "#UD"}, {LONG64, "c4 e4 70 58 d3", "#UD"},
          {LONG64, "c4 e2 7c f2 d1", "#UD"}, /* ANDN with L = 1 */
          {REAL16, "c5 f0 58 d3", "#UD"}, {REAL16, "c4 e2 78 f2 d1", "#UD"},
          {REAL16, "c5 07", "lds ax, dword ds:[bx]"},
          {PROT32, "c5 38", "lds edi, 6 bytes ds:[eax]"});
}
END_TEST

START_TEST(fifteen_bytes_are_the_limit)
{
    CHECK(
        {PROT32, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", "nop"},
        {PROT32, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", "too long"},
        {PROT32, "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 81 00 01 02 03 04", "too long"},
        {PROT32, "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 0f 05", "too long"},
        {PROT32, "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 0f 0a 00", "#UD"});
}
END_TEST

START_TEST(every_shorter_input_asks_for_more)
{
    static const char *const hex[] = {"8b 84 8d 78 56 34 12",
                                      "66 c8 01 02 03",
                                      "0f ba 64 24 10 05",
                                      "9a 01 02 03 04 05 06",
                                      "f3 f3 f3 a4",
                                      "0f 01 f9",
                                      "81 84 8d 78 56 34 12 04 03 02 01"};

    for (size_t i = 0; i < array_len(hex); i++) {
        uint8_t bytes[32];
        size_t size = bytes_of(hex[i], bytes);
        struct insn in;

        for (size_t n = 0; n < size; n++)
            ck_assert_int_eq(decode(bytes, n, PROT32, all_features, &in),
                             DECODE_MORE);
        ck_assert_int_eq(decode(bytes, size, PROT32, all_features, &in),
                         DECODE_OK);
        ck_assert_uint_eq(in.len, size);
    }
}
END_TEST

START_TEST(a_missing_feature_makes_its_rows_undefined)
{
    static const uint8_t cmov[] = {0x0f, 0x44, 0xc1};
    struct feature_set without = all_features;
    struct insn in;

    feature_set_put(&without, FEAT_CMOV, false);
    ck_assert_int_eq(decode(cmov, 3, PROT32, all_features, &in), DECODE_OK);
    ck_assert_int_eq(decode(cmov, 3, PROT32, without, &in), DECODE_UD);
}
END_TEST

START_TEST(fields_that_text_does_not_show)
{
    const struct feature_set none = {{0}};
    static const uint8_t jz[] = {0x66, 0x0f, 0x84, 0x10, 0x00, 0xcc};
    struct insn in;

    ck_assert_int_eq(decode(jz, sizeof(jz), PROT32, none, &in), DECODE_OK);
    ck_assert_uint_eq(in.id, I_JZ_Jz);
    ck_assert_uint_eq(in.cc, 4);
    ck_assert_uint_eq(in.map, 2);
    ck_assert_uint_eq(in.code, 0x84);
    ck_assert_uint_eq(in.opcode_at, 2);
    ck_assert_uint_eq(in.opsize, 2);
    ck_assert_uint_eq(in.addrsize, 4);
    ck_assert_uint_eq(in.prefixes, PREFIX_OPSIZE);
    ck_assert_uint_eq(in.op[0].access, ACC_R);
    ck_assert_mem_eq(in.bytes, jz, 5);
    ck_assert_uint_eq(in.bytes[5], 0); /* not part of the instruction */
}
END_TEST

/* What find_row relies on: from the last row of an opcode backwards, all its
 * rows come one after the other. */
START_TEST(rows_of_an_opcode_stand_together)
{
    for (unsigned id = 0; id < INSN_COUNT; id++) {
        unsigned key = insn_match[id].key, list, last = 0;

        for (list = 0; list < INSN_LISTS && last <= id; list++)
            last = insn_last[list][key >> 8][key & 0xff];
        ck_assert_msg(last > id, "%s", insn_info[id].id);
        for (unsigned i = id; i < last; i++)
            ck_assert_msg(insn_match[i].key == key, "%s", insn_info[id].id);
    }
}
END_TEST

START_TEST(undefined_flags_are_among_the_written)
{
    for (unsigned i = 0; i < FLAG_ROWS; i++) {
        const struct flag_effect *f = &flag_effects[i];

        ck_assert_msg(!(f->undefined & ~f->written), "%s", f->name);
    }
}
END_TEST

SUITE("decode", operand_size_follows_mode_66_and_rex_w,
      rex_counts_only_directly_before_the_opcode,
      byte_registers_4_to_7_are_high_bytes_without_rex, sixteen_bit_addresses,
      thirty_two_bit_addresses, sixty_four_bit_addresses,
      only_fs_and_gs_override_in_64_bit_mode,
      immediates_extend_as_the_manual_says,
      stack_and_near_branches_are_64_bit_in_64_bit_mode,
      opcodes_that_a_mode_lacks, evex_and_xop_are_undefined,
      lock_needs_a_listed_instruction_that_writes_memory,
      nop_is_xchg_with_itself_only_without_rex_b, one_row_covers_eight_opcodes,
      mandatory_prefixes_stand_anywhere, strings_show_their_own_memory,
      special_registers_that_exist, system_groups, vex_prefixes,
      vex_is_undefined_with_other_prefixes_modes_maps_and_lengths,
      fifteen_bytes_are_the_limit,
      every_shorter_input_asks_for_more,
      a_missing_feature_makes_its_rows_undefined,
      fields_that_text_does_not_show, rows_of_an_opcode_stand_together,
      undefined_flags_are_among_the_written)
