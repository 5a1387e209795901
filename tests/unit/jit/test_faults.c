/*
 * Faults are precise: whichever instruction of a block faults, the frame that
 * is delivered and every register, flag and XMM register are those of that
 * instruction's start; and when the cause is repaired and the handler returns,
 * the program ends as it does without the fault.  In both engines, in 64, 32
 * and 16-bit code.
 *
 * The programs run at CPL 3 on paging.  Each memory access of a program has
 * pages of its own, so a page that is taken away stops it in one known place.
 * Every handler is HLT, which gives the test the CPU, then IRET.
 */

#include "tests/unit/jit/user.h"
#include "tests/unit/suite.h"

enum { MAX_STEPS = 256 };

/* --- programs that touch memory --- */

struct touch {
    uint32_t la;
    uint8_t size;
    bool write;
};

struct step {
    uint64_t ip;
    unsigned touches;
    struct touch touch[2];
};

struct prog {
    struct pen pen;
    enum code code;
    bool crossing;  /* accesses cross the ends of pages */
    uint32_t page;  /* next unused page of data */
    unsigned fill;  /* counts the instructions between */
    unsigned count;
    struct step step[MAX_STEPS];
};

enum { R = 1, W = 2, RW = 3, ALIGNED = 4, ONLY_64 = 8 };

/* An instruction with operand [rbx + disp32]. */
struct memop {
    uint8_t n, bytes[4];
    uint8_t reg;  /* of ModRM */
    uint8_t imm;  /* bytes of immediate */
    uint8_t size; /* 0: the operand size of the code */
    uint8_t kind;
};

static const struct memop memops[] = {
    {1, {0x8b}, 0, 0, 0, R},          {1, {0x8a}, 4, 0, 1, R},
    {2, {0x0f, 0xb6}, 1, 0, 1, R},    {2, {0x0f, 0xbf}, 2, 0, 2, R},
    {1, {0x89}, 0, 0, 0, W},          {1, {0x88}, 5, 0, 1, W},
    {1, {0xc6}, 0, 1, 1, W},          {1, {0x01}, 1, 0, 0, RW},
    {1, {0x11}, 2, 0, 0, RW},         {1, {0x29}, 6, 0, 0, RW},
    {1, {0x19}, 6, 0, 0, RW},         {1, {0x31}, 7, 0, 0, RW},
    {1, {0x03}, 1, 0, 0, R},          {1, {0x13}, 2, 0, 0, R},
    {1, {0x3b}, 2, 0, 0, R},          {1, {0x39}, 2, 0, 0, R},
    {1, {0x85}, 6, 0, 0, R},          {1, {0x84}, 0, 0, 1, R},
    {1, {0x83}, 0, 1, 0, RW},         {1, {0x83}, 2, 1, 0, RW},
    {1, {0x83}, 7, 1, 0, R},          {1, {0xff}, 0, 0, 0, RW},
    {1, {0xff}, 1, 0, 0, RW},         {1, {0xf7}, 2, 0, 0, RW},
    {1, {0xf7}, 3, 0, 0, RW},         {1, {0xf7}, 4, 0, 0, R},
    {1, {0xf7}, 5, 0, 0, R},          {1, {0xd1}, 4, 0, 0, RW},
    {1, {0xd3}, 5, 0, 0, RW},         {1, {0xd3}, 0, 0, 0, RW},
    {1, {0xc1}, 7, 1, 0, RW},         {1, {0xd1}, 2, 0, 0, RW},
    {2, {0x0f, 0xba}, 5, 1, 0, RW},   {2, {0x0f, 0xba}, 4, 1, 0, R},
    {2, {0x0f, 0xaf}, 0, 0, 0, R},    {1, {0x87}, 1, 0, 0, RW},
    {2, {0x0f, 0xc1}, 2, 0, 0, RW},   {2, {0x0f, 0xb1}, 6, 0, 0, RW},
    {2, {0xf0, 0x01}, 0, 0, 0, RW},   {2, {0x0f, 0xa4}, 0, 1, 0, RW},
    {2, {0x0f, 0xad}, 0, 0, 0, RW},   {2, {0x0f, 0x44}, 6, 0, 0, R},
    {2, {0x0f, 0x4c}, 7, 0, 0, R},    {2, {0x0f, 0xbc}, 7, 0, 0, R},
    {2, {0x0f, 0x92}, 0, 0, 1, W},    {2, {0x0f, 0xc7}, 1, 0, 8, RW},
    {2, {0x48, 0x8b}, 0, 0, 8, R | ONLY_64},
    {2, {0x48, 0x63}, 1, 0, 4, R | ONLY_64},
    {2, {0x4c, 0x89}, 2, 0, 8, W | ONLY_64},
    {2, {0x4c, 0x11}, 1, 0, 8, RW | ONLY_64},
    {2, {0x0f, 0x10}, 2, 0, 16, R},   {2, {0x0f, 0x11}, 3, 0, 16, W},
    {2, {0x0f, 0x28}, 4, 0, 16, R | ALIGNED},
    {2, {0x0f, 0x29}, 2, 0, 16, W | ALIGNED},
    {3, {0x66, 0x0f, 0xfe}, 2, 0, 16, R | ALIGNED},
    {3, {0x66, 0x0f, 0xef}, 5, 0, 16, R | ALIGNED},
    {3, {0xf3, 0x0f, 0x6f}, 6, 0, 16, R},
    {3, {0xf3, 0x0f, 0x7f}, 6, 0, 16, W},
    {3, {0x66, 0x0f, 0xd6}, 4, 0, 8, W},
    {3, {0xf3, 0x0f, 0x10}, 1, 0, 4, R},
    {3, {0xf2, 0x0f, 0x58}, 1, 0, 8, R},
    {3, {0xf2, 0x0f, 0x11}, 1, 0, 8, W},
    {3, {0x66, 0x0f, 0x2e}, 1, 0, 8, R},
    {3, {0xf2, 0x0f, 0x2a}, 3, 0, 4, R},
    {3, {0xf2, 0x0f, 0x2d}, 0, 0, 8, R},
    {3, {0x66, 0x0f, 0x70}, 7, 1, 16, R | ALIGNED},
    {1, {0xdd}, 0, 0, 8, R},          {1, {0xdc}, 0, 0, 8, R},
    {1, {0xdd}, 3, 0, 8, W},
    {1, {0xd9}, 7, 0, 2, W},          {1, {0xdd}, 7, 0, 2, W},
    {1, {0xdb}, 5, 0, 10, R},         {1, {0xdb}, 7, 0, 10, W},
    {1, {0xdb}, 1, 0, 4, W},          {1, {0xde}, 1, 0, 2, R},
    {2, {0x0f, 0x6f}, 3, 0, 8, R},    {2, {0x0f, 0x7f}, 3, 0, 8, W},
    {2, {0x0f, 0xfe}, 2, 0, 8, R},
    {3, {0x66, 0x0f, 0x2d}, 1, 0, 16, R | ALIGNED},
    {3, {0xc5, 0xfc, 0x10}, 2, 0, 32, R},
    {3, {0xc5, 0xfc, 0x11}, 3, 0, 32, W},
    {3, {0xc5, 0xfd, 0x6f}, 4, 0, 32, R | ALIGNED},
    {3, {0xc5, 0xfd, 0x7f}, 2, 0, 32, W | ALIGNED},
    {3, {0xc5, 0xfc, 0x58}, 0, 0, 32, R},
    {3, {0xc5, 0xfa, 0x58}, 1, 0, 4, R},
    {3, {0xc5, 0xf9, 0xd6}, 4, 0, 8, W},
};

/* Two instructions that read and make flags. */
static void filler(struct prog *p)
{
    static const uint8_t code[][4] = {
        {2, 0x01, 0xc8}, {3, 0xc1, 0xca, 3}, {2, 0x11, 0xc6}, {2, 0x29, 0xd1},
        {3, 0x0f, 0x95, 0xc0}, {2, 0xf7, 0xd7}, {2, 0xd1, 0xd5},
        {3, 0x0f, 0xaf, 0xc1}, {2, 0x19, 0xc7}, {2, 0x39, 0xf8},
        {2, 0xff, 0xc6}, {3, 0x83, 0xe9, 0x55}, {2, 0xf9, 0x90},
    };

    for (unsigned k = 0; k < 2; k++) {
        const uint8_t *c = code[p->fill++ % (sizeof(code) / sizeof(code[0]))];

        pen_bytes(&p->pen, c + 1, c[0]);
    }
}

static uint64_t ip_now(const struct prog *p)
{
    return p->pen.at - cs_base(p->code);
}

static struct step *begin(struct prog *p)
{
    struct step *s = &p->step[p->count++];

    ck_assert_uint_lt(p->count, MAX_STEPS);
    *s = (struct step){.ip = ip_now(p)};
    return s;
}

static unsigned opsize(const struct prog *p)
{
    return p->code == CODE_16 ? 2 : 4;
}

static unsigned stack_size(const struct prog *p)
{
    return 2u << p->code;
}

/* Fresh memory for an access, of its own pages. */
static uint32_t fresh(struct prog *p, unsigned size, bool may_cross)
{
    uint32_t at = p->page;

    p->page += 2 * PAGE_SIZE;
    ck_assert_uint_le(p->page, DATA + DATA_SIZE);
    if (p->crossing && may_cross && size > 1)
        return at + (uint32_t)PAGE_SIZE - size / 2;
    return at + 0x7c0;
}

static void touches(struct step *s, uint32_t la, unsigned size, bool write)
{
    s->touch[s->touches++] = (struct touch){la, (uint8_t)size, write};
}

static void rm_rbx(struct prog *p, unsigned reg, uint32_t la)
{
    PEN(&p->pen, (uint8_t)(0x83 | reg << 3));
    pen_32(&p->pen, la - DATA);
}

static void address32(struct prog *p)
{
    if (p->code == CODE_16)
        PEN(&p->pen, 0x67);
}

static void memory(struct prog *p, const struct memop *m)
{
    unsigned size = m->size ? m->size : opsize(p);
    struct step *s;
    uint32_t la;

    if ((m->kind & ONLY_64) && p->code != CODE_64)
        return;
    filler(p);
    la = fresh(p, size, !(m->kind & ALIGNED));
    s = begin(p);
    touches(s, la, size, m->kind & W);
    address32(p);
    pen_bytes(&p->pen, m->bytes, m->n);
    rm_rbx(p, m->reg, la);
    if (m->imm)
        PEN(&p->pen, 3);
}

/* LEA reg, [rbx + ...]: all 32 bits in 16-bit code too. */
static void lea(struct prog *p, unsigned reg, uint32_t la)
{
    if (p->code == CODE_16)
        PEN(&p->pen, 0x67, 0x66);
    if (p->code == CODE_64)
        PEN(&p->pen, 0x48);
    PEN(&p->pen, 0x8d);
    rm_rbx(p, reg, la);
}

#define INSN_BYTES(p, ...) PEN(&(p)->pen, __VA_ARGS__)

/* Makes the stack fresh such that a push of `size` bytes is the access. */
static struct step *on_stack(struct prog *p, unsigned size, bool push)
{
    uint32_t la = fresh(p, size, true);
    struct step *s;

    filler(p);
    lea(p, RSP, push ? la + size : la);
    s = begin(p);
    touches(s, la, size, push);
    return s;
}

static void stack(struct prog *p)
{
    unsigned n = stack_size(p);
    struct step *s;
    uint32_t la;

    on_stack(p, n, true);
    INSN_BYTES(p, 0x50);
    on_stack(p, n, true);
    INSN_BYTES(p, 0x6a, 0x85);
    on_stack(p, n, true);
    INSN_BYTES(p, 0x9c);
    on_stack(p, n, true);
    INSN_BYTES(p, 0xe8, 0, 0);
    if (p->code != CODE_16)
        INSN_BYTES(p, 0, 0);
    on_stack(p, n, false);
    INSN_BYTES(p, 0x58);
    s = on_stack(p, n, false); /* RET to what follows */
    INSN_BYTES(p, 0xc3);
    memset(box_at(p->pen.box, s->touch[0].la), 0, n);
    memcpy(box_at(p->pen.box, s->touch[0].la), &(uint64_t){ip_now(p)}, n);
    s = on_stack(p, n, true); /* PUSH [m] */
    la = fresh(p, n, true);
    touches(s, la, n, false);
    address32(p);
    INSN_BYTES(p, 0xff);
    rm_rbx(p, 6, la);
    s = on_stack(p, n, false); /* POP [m] */
    la = fresh(p, n, true);
    touches(s, la, n, true);
    address32(p);
    INSN_BYTES(p, 0x8f);
    rm_rbx(p, 0, la);
    on_stack(p, n, false);
    s = &p->step[p->count - 1]; /* POPF: the flags are whatever is there */
    memset(box_at(p->pen.box, s->touch[0].la), 0, n);
    *box_at(p->pen.box, s->touch[0].la) = FLAG_CF | FLAG_ZF | FLAG_AF;
    INSN_BYTES(p, 0x9d);
}

static void string(struct prog *p, uint8_t opcode, bool source, bool dest,
                   bool dest_write)
{
    unsigned n = opsize(p);
    uint32_t from = 0, to = 0;
    struct step *s;

    filler(p);
    if (source)
        lea(p, RSI, from = fresh(p, n, true));
    if (dest)
        lea(p, RDI, to = fresh(p, n, true));
    s = begin(p);
    if (source)
        touches(s, from, n, false);
    if (dest)
        touches(s, to, n, dest_write);
    address32(p);
    INSN_BYTES(p, opcode);
}

static void write_program(struct prog *p)
{
    INSN_BYTES(p, 0xdb, 0xe3, 0xfc); /* FNINIT; CLD */
    for (unsigned k = 0; k < sizeof(memops) / sizeof(memops[0]); k++)
        memory(p, &memops[k]);
    stack(p);
    string(p, 0xa5, true, true, true);
    string(p, 0xab, false, true, true);
    string(p, 0xad, true, false, false);
    string(p, 0xaf, false, true, false);
    string(p, 0xa7, true, true, false);
    filler(p);
    INSN_BYTES(p, 0xcd, DONE);
}

static struct box *with_program(struct prog *p, enum code code, bool crossing,
                                enum engine_kind kind)
{
    struct box *b = machine(code, kind);

    memset(p, 0, sizeof(*p));
    p->pen = (struct pen){b, BOX_CODE};
    p->code = code;
    p->crossing = crossing;
    p->page = DATA;
    write_program(p);
    return b;
}

/* What the run without a fault gives: the state at each step, and the end. */
struct golden {
    struct snapshot at[MAX_STEPS], end;
    uint8_t data[DATA_SIZE];
};

static void make_golden(struct golden *g, enum code code, bool crossing,
                        struct prog *p)
{
    struct box *b = with_program(p, code, crossing, BY_INTERP);
    uint64_t error;

    for (unsigned k = 0; k < p->count; k++) {
        for (unsigned n = 0; n < 20 && b->cpu.rip != p->step[k].ip; n++)
            b->engine->run(b->engine, &b->cpu, 1);
        ck_assert_uint_eq(b->cpu.rip, p->step[k].ip);
        g->at[k] = snap(&b->cpu);
    }
    run_to_handler(b, DONE);
    g->end = in_handler(b, code, DONE, &error);
    memcpy(g->data, box_at(b, DATA), DATA_SIZE);
    box_free(b);
}

struct cause {
    unsigned step, touch;
    bool second;  /* the second page of the access */
    bool protect; /* write-protected, not absent */
};

static uint32_t cause_page(const struct touch *t, bool second)
{
    uint32_t end = t->la + t->size - 1;

    return (second ? end : t->la) & ~(uint32_t)(PAGE_SIZE - 1);
}

static void check_fault(struct box *b, const struct prog *p,
                        const struct cause *c, const struct golden *g,
                        enum engine_kind kind)
{
    const struct touch *t = &p->step[c->step].touch[c->touch];
    uint64_t error, want = 4u | (t->write ? 2u : 0u) | (c->protect ? 1u : 0u);
    struct snapshot seen = in_handler(b, p->code, EXC_PF, &error);
    struct snapshot expected = g->at[c->step];
    uint64_t cr2 = c->second ? cause_page(t, true) : t->la;
    const char *what;

    expected.eflags |= FLAG_RF;
    what = unlike(&seen, &expected);
    if (!what && error != want)
        what = "error code";
    if (!what && b->cpu.cr2 != cr2)
        what = "CR2";
    ck_assert_msg(!what, "%s, code %d, step %u touch %u at %#llx: %s",
                  engines_name(kind), p->code, c->step, c->touch,
                  (unsigned long long)p->step[c->step].ip, what ? what : "");
}

static void check_end(struct box *b, const struct prog *p,
                      const struct cause *c, const struct golden *g,
                      enum engine_kind kind)
{
    uint64_t error;
    struct snapshot seen = in_handler(b, p->code, DONE, &error);
    const char *what = unlike(&seen, &g->end);

    if (!what && memcmp(g->data, box_at(b, DATA), DATA_SIZE))
        what = "memory";
    ck_assert_msg(!what, "%s, code %d, after the fault of step %u touch %u "
                  "at %#llx: %s", engines_name(kind), p->code, c->step,
                  c->touch, (unsigned long long)p->step[c->step].ip,
                  what ? what : "");
}

/* One access is made to fault, then allowed. */
static void run_with_cause(const struct prog *like, const struct cause *c,
                           const struct golden *g, enum engine_kind kind)
{
    struct prog p;
    struct box *b = with_program(&p, like->code, like->crossing, kind);
    const struct touch *t = &p.step[c->step].touch[c->touch];
    uint32_t page = cause_page(t, c->second);
    uint8_t before[32];

    memcpy(before, box_at(b, t->la), t->size);
    set_rights(b, page, 0, c->protect ? 2 : 1);
    run_to_handler(b, EXC_PF);
    check_fault(b, &p, c, g, kind);
    ck_assert_mem_eq(before, box_at(b, t->la), t->size);
    set_rights(b, page, 3, 0);
    run_to_handler(b, DONE);
    check_end(b, &p, c, g, kind);
    if (kind == BY_JIT)
        ck_assert_uint_gt(b->stats.insn_jit, 10 * b->stats.insn_interp);
    box_free(b);
}

static unsigned each_cause(const struct prog *p, unsigned step, unsigned touch,
                           const struct golden *g, enum engine_kind kind)
{
    const struct touch *t = &p->step[step].touch[touch];
    bool crosses = cause_page(t, true) != cause_page(t, false);
    unsigned runs = 0;

    for (unsigned second = 0; second <= crosses; second++)
        for (unsigned protect = 0; protect <= t->write; protect++) {
            struct cause c = {step, touch, second, protect};

            run_with_cause(p, &c, g, kind);
            runs++;
        }
    return runs;
}

static void all_faults(enum code code, bool crossing)
{
    struct golden *g = calloc(1, sizeof(*g));
    struct prog p;
    unsigned runs = 0;

    make_golden(g, code, crossing, &p);
    for (unsigned s = 0; s < p.count; s++)
        for (unsigned t = 0; t < p.step[s].touches; t++)
            for (unsigned k = 0; k < ENGINE_KINDS; k++)
                runs += each_cause(&p, s, t, g, (enum engine_kind)k);
    printf("faults: %u-bit code%s: %u instructions, %u faults\n", 16u << code,
           crossing ? ", page-crossing" : "", p.count, runs);
    free(g);
}

START_TEST(test_each_access_may_fault_in_64_bit_code)
{
    all_faults(CODE_64, false);
}
END_TEST

START_TEST(test_each_access_may_fault_in_32_bit_code)
{
    all_faults(CODE_32, false);
}
END_TEST

START_TEST(test_each_access_may_fault_in_16_bit_code)
{
    all_faults(CODE_16, false);
}
END_TEST

START_TEST(test_each_half_of_an_access_across_pages_may_fault)
{
    for (unsigned code = 0; code < CODES; code++)
        all_faults((enum code)code, true);
}
END_TEST

/* --- faults by other causes --- */

enum { IN_16 = 1, IN_32 = 2, IN_64 = 4, LEGACY = 3, ANYWHERE = 7,
       SMALL_STACK = 8 };

static const struct bad {
    uint8_t n, bytes[10];
    uint8_t at;     /* of the instruction that faults, in bytes */
    uint8_t vector; /* error code 0 if it has one */
    uint8_t where;
} bads[] = {
    {2, {0x0f, 0x0b}, 0, EXC_UD, ANYWHERE},
    {2, {0xf0, 0x90}, 0, EXC_UD, ANYWHERE},
    {4, {0x31, 0xff, 0xf7, 0xf7}, 2, EXC_DE, ANYWHERE},
    {4, {0x31, 0xff, 0xf7, 0xff}, 2, EXC_DE, ANYWHERE},
    {7, {0xba, 0xff, 0xff, 0xff, 0xff, 0xf7, 0xf1}, 5, EXC_DE,
     IN_32 | IN_64},
    {1, {0xf4}, 0, EXC_GP, ANYWHERE},
    {1, {0xfa}, 0, EXC_GP, ANYWHERE},
    {3, {0x0f, 0x20, 0xc0}, 0, EXC_GP, ANYWHERE},
    {3, {0x0f, 0x22, 0xd8}, 0, EXC_GP, ANYWHERE},
    {2, {0x0f, 0x32}, 0, EXC_GP, ANYWHERE},
    {2, {0x0f, 0x06}, 0, EXC_GP, ANYWHERE},
    {1, {0xec}, 0, EXC_GP, ANYWHERE},
    {1, {0x6c}, 0, EXC_GP, ANYWHERE},
    {3, {0x0f, 0x01, 0xf8}, 0, EXC_GP, IN_64},
    /* MOVAPS and PADDD at an odd address. */
    {7, {0x0f, 0x28, 0x83, 1, 0, 0, 0}, 0, EXC_GP, IN_32 | IN_64},
    {7, {0x0f, 0x29, 0x83, 8, 0, 0, 0}, 0, EXC_GP, IN_32 | IN_64},
    {8, {0x66, 0x0f, 0xfe, 0x83, 4, 0, 0, 0}, 0, EXC_GP, IN_32 | IN_64},
    {8, {0x67, 0x0f, 0x28, 0x83, 1, 0, 0, 0}, 0, EXC_GP, IN_16},
    /* R8 is not canonical. */
    {3, {0x41, 0x8b, 0x00}, 0, EXC_GP, IN_64},
    {3, {0x41, 0x89, 0x00}, 0, EXC_GP, IN_64},
    {3, {0x41, 0x11, 0x00}, 0, EXC_GP, IN_64},
    {4, {0x41, 0x0f, 0x10, 0x00}, 0, EXC_GP, IN_64},
    {4, {0x41, 0x0f, 0x11, 0x00}, 0, EXC_GP, IN_64},
    {3, {0x41, 0xff, 0x20}, 0, EXC_GP, IN_64},
    {3, {0x41, 0xff, 0xe0}, 0, EXC_GP, IN_64},
    {3, {0x41, 0xff, 0xd0}, 0, EXC_GP, IN_64},
    {3, {0x41, 0xff, 0x30}, 0, EXC_GP, IN_64},
    {4, {0x4c, 0x89, 0xc6, 0xa5}, 3, EXC_GP, IN_64},
    {4, {0x4c, 0x89, 0xc7, 0xab}, 3, EXC_GP, IN_64},
    {6, {0x4c, 0x89, 0xc5, 0x8b, 0x45, 0x00}, 3, EXC_SS, IN_64},
    {6, {0x4c, 0x89, 0xc5, 0x89, 0x45, 0x00}, 3, EXC_SS, IN_64},
    {6, {0x4c, 0x89, 0xc5, 0x01, 0x45, 0x00}, 3, EXC_SS, IN_64},
    {4, {0x4c, 0x89, 0xc5, 0xc9}, 3, EXC_SS, IN_64},
    {4, {0x4c, 0x89, 0xc4, 0x50}, 3, EXC_SS, IN_64},
    {4, {0x4c, 0x89, 0xc4, 0x58}, 3, EXC_SS, IN_64},
    {4, {0x4c, 0x89, 0xc4, 0xc3}, 3, EXC_SS, IN_64},
    {8, {0x4c, 0x89, 0xc4, 0xe8, 0, 0, 0, 0}, 3, EXC_SS, IN_64},
    {4, {0x4c, 0x89, 0xc4, 0x9c}, 3, EXC_SS, IN_64},
    /* The limit of FS ends below DATA. */
    {3, {0x64, 0x8b, 0x03}, 0, EXC_GP, IN_32},
    {3, {0x64, 0x89, 0x03}, 0, EXC_GP, IN_32},
    {3, {0x64, 0x11, 0x03}, 0, EXC_GP, IN_32},
    {4, {0x64, 0x0f, 0x11, 0x03}, 0, EXC_GP, IN_32},
    {4, {0x64, 0x8b, 0x43, 0xfd}, 0, EXC_GP, IN_32},
    {4, {0x67, 0x64, 0x8b, 0x03}, 0, EXC_GP, IN_16},
    {4, {0x67, 0x64, 0x11, 0x03}, 0, EXC_GP, IN_16},
    {5, {0x67, 0x64, 0x8b, 0x43, 0xff}, 0, EXC_GP, IN_16},
    /* ... and that of SS; RBX goes to RSP or RBP. */
    {3, {0x89, 0xdc, 0x50}, 2, EXC_SS, IN_32 | SMALL_STACK},
    {3, {0x89, 0xdc, 0x58}, 2, EXC_SS, IN_32 | SMALL_STACK},
    {3, {0x89, 0xdc, 0xc3}, 2, EXC_SS, IN_32 | SMALL_STACK},
    {7, {0x89, 0xdc, 0xe8, 0, 0, 0, 0}, 2, EXC_SS, IN_32 | SMALL_STACK},
    {5, {0x89, 0xdd, 0x8b, 0x45, 0x00}, 2, EXC_SS, IN_32 | SMALL_STACK},
    {5, {0x89, 0xdd, 0x11, 0x45, 0x00}, 2, EXC_SS, IN_32 | SMALL_STACK},
    {4, {0x66, 0x89, 0xdc, 0x50}, 3, EXC_SS, IN_16 | SMALL_STACK},
};

enum { POSITIONS = 7 };

static struct box *with_bad(const struct bad *bad, enum code code,
                            unsigned position, enum engine_kind kind,
                            uint64_t *ip)
{
    struct box *b = machine(code, kind);
    struct prog p = {.pen = {b, BOX_CODE}, .code = code};

    if (bad->where & SMALL_STACK) {
        b->cpu.seg[SS].limit = DATA - 5;
        cpu_update_mode(&b->cpu);
    }
    if (position & 1)
        INSN_BYTES(&p, 0x66, 0x0f, 0xfe, 0xc1); /* PADDD: XMM live */
    for (unsigned k = 0; k < position; k++)
        filler(&p);
    pen_bytes(&p.pen, bad->bytes, bad->n);
    *ip = ip_now(&p) - bad->n + bad->at;
    for (unsigned k = 0; k < 3; k++)
        filler(&p);
    INSN_BYTES(&p, 0xcd, DONE);
    return b;
}

/* The state at ip, one instruction at a time. */
static struct snapshot state_at(const struct bad *bad, enum code code,
                                unsigned position)
{
    uint64_t ip;
    struct box *b = with_bad(bad, code, position, BY_INTERP, &ip);
    struct snapshot s;

    for (unsigned n = 0; n < 64 && b->cpu.rip != ip; n++)
        b->engine->run(b->engine, &b->cpu, 1);
    s = snap(&b->cpu);
    ck_assert_uint_eq(s.rip, ip);
    box_free(b);
    return s;
}

static void check_bad(unsigned index, enum code code, unsigned position,
                      enum engine_kind kind)
{
    const struct bad *bad = &bads[index];
    struct snapshot expected = state_at(bad, code, position), seen;
    uint64_t ip, error;
    struct box *b = with_bad(bad, code, position, kind, &ip);
    const char *what;

    box_run(b);
    ck_assert_msg(b->cpu.rip == HANDLERS + 16u * bad->vector + 1,
                  "%s, code %d, case %u position %u: vector %d, not %u",
                  engines_name(kind), code, index, position,
                  (int)(b->cpu.rip - HANDLERS) / 16, bad->vector);
    seen = in_handler(b, code, bad->vector, &error);
    expected.eflags |= FLAG_RF;
    what = unlike(&seen, &expected);
    ck_assert_msg(!what && !error, "%s, code %d, case %u position %u: %s",
                  engines_name(kind), code, index, position,
                  what ? what : "error code");
    box_free(b);
}

START_TEST(test_other_faults_are_precise_at_every_position)
{
    unsigned runs = 0;

    for (unsigned k = 0; k < sizeof(bads) / sizeof(bads[0]); k++)
        for (unsigned c = 0; c < CODES; c++)
            for (unsigned i = 0; i < POSITIONS * ENGINE_KINDS; i++)
                if (bads[k].where >> c & 1) {
                    check_bad(k, (enum code)c, i / 2,
                              (enum engine_kind)(i % 2));
                    runs++;
                }
    printf("faults: %u of other causes\n", runs);
}
END_TEST

/* --- REP that faults in the middle --- */

/* REP MOVSD over a page end: what was moved stays moved, and RCX, RSI, RDI
 * say so. */
static void rep_movs(enum engine_kind kind, bool source_faults)
{
    enum { COUNT = 16, DONE_BEFORE = 5, FROM = DATA, TO = DATA + 0x10000 };
    struct box *b = machine(CODE_64, kind);
    struct pen p = {b, BOX_CODE};
    uint64_t start = PAGE_SIZE - 4 * DONE_BEFORE, error;
    uint64_t from = FROM + (source_faults ? start : 0);
    uint64_t to = TO + (source_faults ? 0 : start);
    uint64_t page = (source_faults ? FROM : TO) + PAGE_SIZE;
    struct snapshot s;

    b->cpu.gpr[RCX] = COUNT;
    b->cpu.gpr[RSI] = from;
    b->cpu.gpr[RDI] = to;
    PEN(&p, 0x01, 0xd0, 0xf3, 0xa5, 0x11, 0xd0, 0xcd, DONE);
    set_rights(b, page, 0, 1);
    run_to_handler(b, EXC_PF);
    s = in_handler(b, CODE_64, EXC_PF, &error);
    ck_assert_uint_eq(s.rip, BOX_CODE + 2);
    ck_assert_uint_eq(s.gpr[RCX], COUNT - DONE_BEFORE);
    ck_assert_uint_eq(s.gpr[RSI], from + 4 * DONE_BEFORE);
    ck_assert_uint_eq(s.gpr[RDI], to + 4 * DONE_BEFORE);
    ck_assert_uint_eq(b->cpu.cr2, page);
    ck_assert_uint_eq(error, source_faults ? 4 : 6);
    set_rights(b, page, 1, 0);
    run_to_handler(b, DONE);
    s = in_handler(b, CODE_64, DONE, &error);
    ck_assert_uint_eq(s.gpr[RCX], 0);
    ck_assert_mem_eq(box_at(b, from), box_at(b, to), 4 * COUNT);
    box_free(b);
}

START_TEST(test_rep_movs_stops_where_the_page_ends)
{
    for (unsigned k = 0; k < ENGINE_KINDS; k++) {
        rep_movs((enum engine_kind)k, true);
        rep_movs((enum engine_kind)k, false);
    }
}
END_TEST

SUITE("precise faults",
      test_each_access_may_fault_in_64_bit_code,
      test_each_access_may_fault_in_32_bit_code,
      test_each_access_may_fault_in_16_bit_code,
      test_each_half_of_an_access_across_pages_may_fault,
      test_other_faults_are_precise_at_every_position,
      test_rep_movs_stops_where_the_page_ends)
