/*
 * REP MOVS, STOS, LODS, SCAS, CMPS (SDM vol. 1, 7.3.9 and vol. 2, REP).
 *
 * Where both ends lie in plain memory and the direction is up, whole runs are
 * done at once on host memory; everything else goes element by element through
 * the checked accesses, so faults come where hardware has them.  Registers are
 * brought up to date after each run or element: a fault or an interrupt leaves
 * the instruction to be started again for the rest.
 *
 * One call does at most STRING_BYTES, one element if single-stepping: how many
 * must not depend on how they are done, or the engines' counts of instructions
 * would part.  Then it leaves next_rip at the instruction itself.
 */

#include "cpu/ops.h"

#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "cpu/guest.h"

enum { STRING_BYTES = 16 << 10 };

struct string {
    struct cpu *cpu;
    const struct insn *in;
    unsigned n;     /* bytes of an element */
    uint64_t amask; /* of the address size */
    uint64_t left;  /* elements that this call may do */
    bool done;      /* REPE, REPNE: the condition ended it */
};

static struct string string_begin(struct cpu *cpu, const struct insn *in)
{
    struct string s = {.cpu = cpu, .in = in, .n = in->op[0].size};
    uint64_t count, max;

    s.amask = bits_mask(8u * in->addrsize);
    count = cpu->gpr[RCX] & s.amask;
    max = atomic_load_explicit(&cpu->stop, memory_order_relaxed) & CPU_STOP_TRAP
              ? 1
              : STRING_BYTES / s.n;
    s.left = count < max ? count : max;
    s.done = count == 0;
    return s;
}

static uint64_t string_offset(const struct string *s, unsigned reg)
{
    return s->cpu->gpr[reg] & s->amask;
}

/* Adds to a register as its address size says. */
static void add_reg(const struct string *s, unsigned reg, uint64_t v)
{
    uint64_t *r = &s->cpu->gpr[reg], sum = (*r + v) & s->amask;

    *r = s->in->addrsize == 2 ? (*r & ~s->amask) | sum : sum;
}

enum { USES_SI = 1, USES_DI = 2 };

/* k elements are complete. */
static void string_advance(struct string *s, uint64_t k, unsigned uses)
{
    uint64_t by = s->cpu->eflags & FLAG_DF ? -(k * s->n) : k * s->n;

    if (uses & USES_SI)
        add_reg(s, RSI, by);
    if (uses & USES_DI)
        add_reg(s, RDI, by);
    add_reg(s, RCX, -k);
    s->left -= k;
}

/* Not finished: executed again, after interrupts had their chance. */
static void string_end(const struct string *s)
{
    if (!s->done && string_offset(s, RCX) != 0)
        s->cpu->next_rip = s->cpu->rip;
}

/*
 * Elements from seg:off upwards that lie in plain host memory without a break,
 * at most s->left; *host is the first one.  None if segment checks, wrapping
 * addresses, alignment checks or watchpoints could matter.
 */
static uint64_t string_run(const struct string *s, unsigned seg, uint64_t off,
                           enum access access, uint8_t **host)
{
    struct cpu *cpu = s->cpu;
    uint64_t bytes = s->left * s->n, got;
    laddr la;

    if (s->left < 4 || (cpu->eflags & (FLAG_DF | FLAG_AC)))
        return 0;
    if (bytes - 1 > s->amask - off)
        bytes = s->amask - off + 1;
    if (!guest_linear_try(cpu, seg, off, (unsigned)bytes, access, &la))
        return 0;
    if (!cpu_code64(cpu) && (la + bytes) >> 32 != 0)
        return 0;
    *host = mmu_run(&cpu->mmu, la, bytes, access, &got);
    return *host ? got / s->n : 0;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- MOVS --- */

/* Repeats what lies in [src, dst) up to dst + len.  Each copy doubles what
 * there is to copy from. */
static void repeat_up(uint8_t *dst, const uint8_t *src, uint64_t len)
{
    uint64_t part;

    for (uint64_t done = 0; done < len; done += part) {
        part = less((uint64_t)(dst + done - src), len - done);
        memcpy(dst + done, src, part);
    }
}

/* Upwards, one element after another: if the destination begins inside the
 * source, what was stored is read again (a common way to fill memory).  If it
 * begins inside the first element, each load takes a part of the last store. */
static void copy_up(uint8_t *dst, const uint8_t *src, uint64_t len, unsigned n)
{
    uint64_t ahead = (uint64_t)((uintptr_t)dst - (uintptr_t)src);

    if (ahead >= len) {
        memmove(dst, src, len);
    } else if (ahead >= n) {
        repeat_up(dst, src, len);
    } else {
        for (uint64_t i = 0; i < len; i += n)
            store_sized(dst + i, load_sized(src + i, n), n);
    }
}

static uint64_t movs_run(const struct string *s)
{
    uint8_t *src, *dst;
    uint64_t k =
        string_run(s, s->in->seg, string_offset(s, RSI), ACCESS_READ, &src);

    if (k == 0)
        return 0;
    k = less(k, string_run(s, ES, string_offset(s, RDI), ACCESS_WRITE, &dst));
    if (k > 0)
        copy_up(dst, src, k * s->n, s->n);
    return k;
}

static void movs_one(const struct string *s)
{
    uint64_t v = guest_load(s->cpu, s->in->seg, string_offset(s, RSI), s->n);

    guest_store(s->cpu, ES, string_offset(s, RDI), s->n, v);
}

void op_movs(struct cpu *cpu, const struct insn *in)
{
    struct string s = string_begin(cpu, in);

    while (s.left > 0) {
        uint64_t k = movs_run(&s);

        if (k == 0) {
            movs_one(&s);
            k = 1;
        }
        string_advance(&s, k, USES_SI | USES_DI);
    }
    string_end(&s);
}

/* --- STOS --- */

enum { FILL_FIRST = 64 };

static void fill_up(uint8_t *dst, uint64_t v, uint64_t len, unsigned n)
{
    uint64_t first = less(len, FILL_FIRST), i = 0;

    if (n == 1)
        v *= 0x0101010101010101;
    else if (n == 2)
        v *= 0x0001000100010001;
    else if (n == 4)
        v |= v << 32;
    if (v == (v & 0xff) * 0x0101010101010101) {
        memset(dst, (int)(v & 0xff), len);
        return;
    }
    for (; i + 8 <= first; i += 8)
        store64(dst + i, v);
    for (; i < first; i += n)
        store_sized(dst + i, v & bits_mask(8 * n), n);
    repeat_up(dst + first, dst, len - first);
}

void op_stos(struct cpu *cpu, const struct insn *in)
{
    struct string s = string_begin(cpu, in);
    uint64_t v = cpu->gpr[RAX] & bits_mask(8 * s.n);

    while (s.left > 0) {
        uint8_t *dst;
        uint64_t off = string_offset(&s, RDI);
        uint64_t k = string_run(&s, ES, off, ACCESS_WRITE, &dst);

        if (k > 0) {
            fill_up(dst, v, k * s.n, s.n);
        } else {
            guest_store(cpu, ES, off, s.n, v);
            k = 1;
        }
        string_advance(&s, k, USES_DI);
    }
    string_end(&s);
}

/* --- LODS --- */

void op_lods(struct cpu *cpu, const struct insn *in)
{
    struct string s = string_begin(cpu, in);

    while (s.left > 0) {
        uint64_t v = guest_load(cpu, in->seg, string_offset(&s, RSI), s.n);

        guest_write(cpu, in, 0, v);
        string_advance(&s, 1, USES_SI);
    }
    string_end(&s);
}

/* --- SCAS and CMPS --- */

/* Flags of a - b, and whether the repetition ends here. */
static void string_compare(struct string *s, uint64_t a, uint64_t b)
{
    uint64_t r = (a - b) & bits_mask(8 * s->n);

    s->cpu->aflags = flags_sub(s->n, r, a, b, s->cpu->aflags);
    s->done = (r == 0) == !(s->in->prefixes & PREFIX_REP);
}

/* Runs of elements that do not end the repetition: all but the last are only
 * looked at, the last one is compared as by the instruction. */
static uint64_t scas_run(struct string *s, uint64_t a)
{
    bool while_equal = s->in->prefixes & PREFIX_REP;
    uint8_t *p;
    uint64_t k = string_run(s, ES, string_offset(s, RDI), ACCESS_READ, &p);
    uint64_t i = 0;

    if (k == 0)
        return 0;
    while (i + 1 < k && (load_sized(p + i * s->n, s->n) == a) == while_equal)
        i++;
    string_compare(s, a, load_sized(p + i * s->n, s->n));
    return i + 1;
}

void op_scas(struct cpu *cpu, const struct insn *in)
{
    struct string s = string_begin(cpu, in);
    uint64_t a = cpu->gpr[RAX] & bits_mask(8 * s.n);

    while (s.left > 0) {
        uint64_t k = scas_run(&s, a);

        if (k == 0) {
            string_compare(&s, a,
                           guest_load(cpu, ES, string_offset(&s, RDI), s.n));
            k = 1;
        }
        string_advance(&s, k, USES_DI);
        if (s.done)
            break;
    }
    string_end(&s);
}

static uint64_t cmps_run(struct string *s)
{
    bool while_equal = s->in->prefixes & PREFIX_REP;
    unsigned n = s->n;
    uint8_t *p, *q;
    uint64_t k =
        string_run(s, s->in->seg, string_offset(s, RSI), ACCESS_READ, &p);
    uint64_t i = 0;

    if (k == 0)
        return 0;
    k = less(k, string_run(s, ES, string_offset(s, RDI), ACCESS_READ, &q));
    if (k == 0)
        return 0;
    while (i + 1 < k && (load_sized(p + i * n, n) ==
                         load_sized(q + i * n, n)) == while_equal)
        i++;
    string_compare(s, load_sized(p + i * n, n), load_sized(q + i * n, n));
    return i + 1;
}

static void cmps_one(struct string *s)
{
    uint64_t a = guest_load(s->cpu, s->in->seg, string_offset(s, RSI), s->n);

    string_compare(s, a, guest_load(s->cpu, ES, string_offset(s, RDI), s->n));
}

void op_cmps(struct cpu *cpu, const struct insn *in)
{
    struct string s = string_begin(cpu, in);

    while (s.left > 0) {
        uint64_t k = cmps_run(&s);

        if (k == 0) {
            cmps_one(&s);
            k = 1;
        }
        string_advance(&s, k, USES_SI | USES_DI);
        if (s.done)
            break;
    }
    string_end(&s);
}
