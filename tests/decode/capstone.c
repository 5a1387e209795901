/*
 * Our decoder against Capstone's: the same bytes must be an instruction for
 * both or for neither, of the same length, with the same registers, memory
 * operand and immediates.  First every one- and two-byte opcode with every
 * ModRM byte under the usual prefixes, then every opcode with every VEX prefix,
 * then random bytes.
 *
 * Usage: decode_capstone [random strings per mode] [seed]
 */
#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "cpu/cpu.h"
#include "cpu/decode.h"
#include "cpu/disasm.h"
#include "tests/decode/known.h"

enum { ADDRESS = 0x1000, BYTES = 32, MAPS = 0xe0 };

struct mode {
    const char *name;
    cs_mode cs;
    uint32_t bits;
    csh handle;
    cs_insn *insn;
};

struct tally {
    unsigned long tried, same, neither, known, bad;
    unsigned long by_reason[KNOWN_ROOM];
    uint8_t shown[MAPS][256]; /* by map and opcode: set of enum difference */
};

struct pair {
    const uint8_t *bytes;
    const struct mode *mode;
    struct insn in;
    bool ours;
    const cs_insn *cs; /* NULL: refused */
};

/* --- one operand of ours among those of Capstone --- */

static bool same_name(csh handle, unsigned reg, const char *name)
{
    const char *theirs = cs_reg_name(handle, reg);

    return theirs && name && strcmp(theirs, name) == 0;
}

/* Registers of an address, by the names disasm uses.  size: of a vector
 * register as index, else 0. */
static bool same_address_register(const struct pair *p, x86_reg theirs,
                                  uint8_t ours, uint8_t size)
{
    struct operand op = {size ? OPND_XMM : OPND_GPR, ours,
                         size ? size : p->in.addrsize, 0};

    if (ours == REG_NONE)
        return theirs == X86_REG_INVALID || theirs == X86_REG_EIZ ||
               theirs == X86_REG_RIZ;
    if (ours == REG_RIP)
        return theirs == X86_REG_RIP || theirs == X86_REG_EIP;
    return same_name(p->mode->handle, theirs, disasm_register(&op));
}

/* Capstone names an override, also one of those that 64-bit mode ignores. */
static bool same_segment(const struct pair *p, x86_reg theirs)
{
    struct operand op = {OPND_SEG, p->in.seg, 2, 0};
    bool stack = p->in.base == RSP || p->in.base == RBP;

    if (theirs == X86_REG_INVALID)
        return p->in.seg == (stack ? SS : DS);
    if (p->mode->bits & MODE_CODE64 && theirs != X86_REG_FS &&
        theirs != X86_REG_GS)
        return true;
    return same_name(p->mode->handle, theirs, disasm_register(&op));
}

static bool same_memory(const struct pair *p, const cs_x86_op *cs)
{
    const struct insn *in = &p->in;
    uint64_t difference = (uint64_t)cs->mem.disp ^ (uint64_t)in->disp;

    return same_segment(p, cs->mem.segment) &&
           same_address_register(p, cs->mem.base, in->base, 0) &&
           same_address_register(p, cs->mem.index, in->index, in->vsib) &&
           (in->index == REG_NONE || cs->mem.scale == 1 << in->scale) &&
           !(difference & bits_mask(8u * in->addrsize));
}

static bool same_imm(const cs_x86_op *cs, uint64_t ours, unsigned size)
{
    return cs->type == X86_OP_IMM &&
           !(((uint64_t)cs->imm ^ ours) & bits_mask(8 * size));
}

static bool matches(const struct pair *p, const struct operand *op,
                    const cs_x86_op *cs)
{
    const struct insn *in = &p->in;

    switch (op->kind) {
    case OPND_MEM: return cs->type == X86_OP_MEM && same_memory(p, cs);
    case OPND_IMM: return same_imm(cs, in->imm, op->size);
    case OPND_IMM2: return same_imm(cs, in->imm2, op->size);
    case OPND_REL: return same_imm(cs, ADDRESS + in->len + in->imm, op->size);
    default:
        return cs->type == X86_OP_REG &&
               same_name(p->mode->handle, cs->reg, disasm_register(op));
    }
}

/* Those that bytes of the instruction spell out; Capstone leaves out some of
 * the others.  String memory is not in struct insn. */
static bool is_explicit(unsigned spec)
{
    unsigned how = operand_info[spec].how;

    return how && how != HOW_FIXED && how != HOW_FIXSEG && how != HOW_ONE &&
           how != HOW_ST_0 && how != HOW_SRC && how != HOW_DST;
}

static bool same_operands(const struct pair *p)
{
    const cs_x86 *x = &p->cs->detail->x86;
    unsigned used = 0, i, k;

    for (i = 0; i < INSN_OPERANDS && p->in.op[i].kind; i++) {
        if (!is_explicit(insn_info[p->in.id].operand[i]))
            continue;
        for (k = 0; k < x->op_count; k++) {
            if (!(used & 1u << k) && matches(p, &p->in.op[i], &x->operands[k]))
                break;
        }
        if (k == x->op_count)
            return false;
        used |= 1u << k;
    }
    return true;
}

/* --- one string of bytes --- */

static void show(const struct pair *p, enum difference what,
                 uint8_t (*shown)[256])
{
    static const char *const names[] = {"we refuse", "we accept", "length",
                                        "operands"};
    char text[DISASM_ROOM] = "refused";

    /* One example per opcode and kind. */
    if (shown[p->in.map][p->in.code] & what)
        return;
    shown[p->in.map][p->in.code] |= (uint8_t)what;
    printf("%s, %s:", p->mode->name, names[bits_low(what)]);
    for (unsigned i = 0; i < 12; i++)
        printf(" %02x", p->bytes[i]);
    if (p->ours)
        disasm(&p->in, text, sizeof(text));
    printf("\n  ours %2u  %s\n", p->in.len, text);
    if (p->cs)
        printf("  cs   %2u  %s %s\n", p->cs->size, p->cs->mnemonic,
               p->cs->op_str);
}

static unsigned differences(const struct pair *p)
{
    if (p->ours != (p->cs != NULL))
        return p->ours ? WE_ACCEPT : WE_REFUSE;
    if (!p->ours)
        return 0;
    if (p->in.len != p->cs->size)
        return LENGTH;
    return same_operands(p) ? 0 : OPERANDS;
}

static void try_bytes(const struct mode *m, const uint8_t *bytes,
                      struct tally *t)
{
    struct pair p = {.bytes = bytes, .mode = m};
    const uint8_t *code = bytes;
    size_t size = INSN_MAX_LEN;
    uint64_t address = ADDRESS;
    unsigned what;
    int reason;

    p.ours = decode(bytes, BYTES, m->bits, FEATURE_SET_ALL, &p.in) == DECODE_OK;
    if (cs_disasm_iter(m->handle, &code, &size, &address, m->insn))
        p.cs = m->insn;
    what = differences(&p);
    t->tried++;
    if (!what && p.ours)
        t->same++;
    else if (!what)
        t->neither++;
    if (!what)
        return;
    reason = known_difference(&p.in, p.cs, m->bits, what);
    if (reason == KNOWN_NONE) {
        t->bad++;
        show(&p, what, t->shown);
    } else {
        t->known++;
        t->by_reason[reason]++;
    }
}

/* --- all opcodes --- */

static const uint8_t tail[] = {0x65, 0x11, 0x92, 0x33, 0xc4, 0x55,
                               0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb};

static void try_opcodes(const struct mode *m, const char *prefixes,
                        const char *escape, struct tally *t)
{
    size_t np = strlen(prefixes), ne = strlen(escape);
    uint8_t bytes[BYTES] = {0};

    memcpy(bytes, prefixes, np);
    memcpy(bytes + np, escape, ne);
    memcpy(bytes + np + ne + 2, tail, sizeof(tail));
    for (unsigned i = 0; i < 0x10000; i++) {
        bytes[np + ne] = (uint8_t)(i >> 8);
        bytes[np + ne + 1] = (uint8_t)i;
        try_bytes(m, bytes, t);
    }
}

static void try_all_opcodes(const struct mode *m, struct tally *t)
{
    static const char *const prefixes[] = {
        "",     "\x66", "\x67",     "\xf2",     "\xf3",
        "\x2e", "\x64", "\x66\x67", "\x66\xf2", "\xf3\x66"};
    static const char *const rex[] = {
        "\x40",     "\x41",     "\x42",     "\x44",     "\x48",    "\x4f",
        "\x66\x48", "\xf2\x48", "\xf3\x41", "\xf3\x48", "\x67\x45"};
    static const char *const escapes[] = {"", "\x0f"};

    for (size_t e = 0; e < array_len(escapes); e++) {
        for (size_t i = 0; i < array_len(prefixes); i++)
            try_opcodes(m, prefixes[i], escapes[e], t);
        for (size_t i = 0; m->bits & MODE_CODE64 && i < array_len(rex); i++)
            try_opcodes(m, rex[i], escapes[e], t);
    }
}

/* Some of each kind: a register, memory with and without SIB, displacements. */
static const uint8_t modrms[] = {0xc1, 0xc9, 0xd1, 0xd9, 0xe1, 0xe9, 0xf1,
                                 0xf9, 0x07, 0x0c, 0x97, 0x5c};

static void try_legacy_map(const struct mode *m, const uint8_t *escape,
                           size_t n, struct tally *t)
{
    uint8_t bytes[BYTES] = {0};

    memcpy(bytes, escape, n);
    memcpy(bytes + n + 2, tail, sizeof(tail));
    for (unsigned i = 0; i < 0x100 * array_len(modrms); i++) {
        bytes[n] = (uint8_t)i;
        bytes[n + 1] = modrms[i >> 8];
        try_bytes(m, bytes, t);
    }
}

/* 0F 38 and 0F 3A; a prefix that means nothing stands for none. */
static void try_legacy_maps(const struct mode *m, struct tally *t)
{
    static const uint8_t prefixes[] = {0x3e, 0x66, 0xf2, 0xf3};

    for (size_t i = 0; i < array_len(prefixes); i++) {
        uint8_t p = prefixes[i];

        try_legacy_map(m, (const uint8_t[]){p, 0x0f, 0x38}, 3, t);
        try_legacy_map(m, (const uint8_t[]){p, 0x0f, 0x3a}, 3, t);
        if (!(m->bits & MODE_CODE64))
            continue;
        try_legacy_map(m, (const uint8_t[]){p, 0x4d, 0x0f, 0x38}, 4, t);
        try_legacy_map(m, (const uint8_t[]){p, 0x4d, 0x0f, 0x3a}, 4, t);
    }
}

/* The suffix is where an immediate would be. */
static void try_3dnow(const struct mode *m, struct tally *t)
{
    for (unsigned i = 0; i < 0x100; i++) {
        try_bytes(m, (const uint8_t[BYTES]){0x0f, 0x0f, 0xd1, (uint8_t)i}, t);
        try_bytes(m, (const uint8_t[BYTES]){0x0f, 0x0f, 0x57, 8, (uint8_t)i},
                  t);
    }
}

/* Every map, opcode, VEX.W, L and pp, without and with a register in vvvv. */
static void try_vex(const struct mode *m, struct tally *t)
{
    uint8_t bytes[BYTES] = {0xc4};

    memcpy(bytes + 5, tail, sizeof(tail));
    for (unsigned i = 0; i < 3 * 256 * 256; i++) {
        unsigned vvvv = i >> 3 & 15;

        bytes[1] = (uint8_t)(0xe1 + (i >> 16));
        bytes[2] = (uint8_t)i;
        bytes[3] = (uint8_t)(i >> 8);
        for (size_t k = 0; (vvvv | 5) == 15 && k < sizeof(modrms); k++) {
            bytes[4] = modrms[k];
            try_bytes(m, bytes, t);
        }
    }
}

/* --- random bytes --- */

static uint64_t next_random(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

/* Half of the strings begin with prefixes, half of those left with 0F, and half
 * of the others with VEX. */
static void try_random(const struct mode *m, unsigned long count, uint64_t seed,
                       struct tally *t)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36,
                                       0x3e, 0x26, 0x64, 0x65, 0xf0, 0x48,
                                       0x41, 0x45, 0x4a, 0x4d};
    uint8_t bytes[BYTES];

    while (count--) {
        uint64_t choice = next_random(&seed);
        unsigned at = 0;

        for (unsigned i = 0; i < BYTES; i += 8) {
            uint64_t v = next_random(&seed);

            memcpy(bytes + i, &v, 8);
        }
        for (; choice & 1 && at < 4; choice >>= 5)
            bytes[at++] = prefixes[choice >> 1 & 15];
        if (choice & 2) {
            bytes[at] = 0x0f;
        } else if (choice & 4) {
            bytes[at] = 0xc4 | (choice >> 3 & 1);
            bytes[at + 1] &= 0xe3; /* C4: a map from 0 to 3 */
        }
        try_bytes(m, bytes, t);
    }
}

/* --- */

static bool open_mode(struct mode *m)
{
    if (cs_open(CS_ARCH_X86, m->cs, &m->handle) != CS_ERR_OK)
        return false;
    cs_option(m->handle, CS_OPT_DETAIL, CS_OPT_ON);
    m->insn = cs_malloc(m->handle);
    return m->insn != NULL;
}

static void close_mode(struct mode *m)
{
    cs_free(m->insn, 1);
    cs_close(&m->handle);
}

static void report(const struct tally *t)
{
    printf("%lu tried: %lu same, %lu refused by both, %lu known differences, "
           "%lu bad\nknown differences:\n",
           t->tried, t->same, t->neither, t->known, t->bad);
    for (int i = 0; known_reason(i); i++)
        printf("%8lu  %s\n", t->by_reason[i], known_reason(i));
}

int main(int argc, char **argv)
{
    struct mode modes[] = {
        {.name = "16-bit", .cs = CS_MODE_16, .bits = MODE_CODE16 | MODE_PE},
        {.name = "32-bit", .cs = CS_MODE_32, .bits = MODE_CODE32 | MODE_PE},
        {.name = "64-bit", .cs = CS_MODE_64, .bits = MODE_CODE64 | MODE_PE},
    };
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    struct tally *t = calloc(1, sizeof(*t));
    bool good;

    for (size_t i = 0; t && i < array_len(modes); i++) {
        if (!open_mode(&modes[i])) {
            fprintf(stderr, "a Capstone without x86\n");
            return EXIT_FAILURE;
        }
        try_all_opcodes(&modes[i], t);
        try_legacy_maps(&modes[i], t);
        try_vex(&modes[i], t);
        try_3dnow(&modes[i], t);
        try_random(&modes[i], count, seed, t);
        close_mode(&modes[i]);
    }
    report(t);
    good = t->tried && !t->bad;
    free(t);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
