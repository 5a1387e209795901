#include "tests/x87/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "cpu/decode.h"
#include "cpu/fpu_run.h"
#include "tests/x87/world.h"

enum {
    RAM = 1 << 20,
    IMAGE_AT = 0x2000,
    CODE_AT = 0x10000, /* on both sides: nothing of the host lies so low */
    MEMORY_AT = 0x20000,
    CODE_SELECTOR = 0x33, /* Linux */
    HOST_RUNS = 3,
    HLT = 0xf4,
    DONE = -1,
};

static cpu_op *const bodies[INSN_COUNT] = {
#define INSN(id, map, code, ext, pfx, name, o0, o1, o2, o3, flags, attrs, \
             feature, body)                                               \
    [I_##id] = op_##body,
#include "cpu/isa/3dnow.def"
#include "cpu/isa/vector.def"
#include "cpu/isa/x87.def"
#undef INSN
};

cpu_op *rig_body(unsigned id)
{
    uint32_t attrs = insn_info[id].attrs;
    bool x87 = insn_info[id].map >= 0xd8 && insn_info[id].map <= 0xdf;

    if (!x87 && id != I_FWAIT && id != I_EMMS &&
        (attrs & (A_MMX | A_SSE | A_MEM | A_VEX)) != A_MMX)
        return NULL;
    return bodies[id];
}

bool rig_is_3dnow(unsigned id)
{
    unsigned feature = insn_info[id].feature;

    return feature == FEAT_NOW3D || feature == FEAT_NOW3DEXT;
}

bool rig_is_function(unsigned id)
{
    static const uint16_t ids[] = {I_F2XM1, I_FYL2X,   I_FYL2XP1, I_FPTAN,
                                   I_FSIN,  I_FSINCOS, I_FCOS,    I_FPATAN};

    for (size_t i = 0; i < array_len(ids); i++)
        if (ids[i] == id)
            return true;
    return false;
}

void rig_require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "x87_compare: failed: %s\n", what);
    exit(EXIT_FAILURE);
}

bool rig_decode(const struct rig *r, const uint8_t bytes[16], struct insn *in)
{
    return decode(bytes, 16, r->cpu.mode, r->cpu.features, in) == DECODE_OK;
}

/* --- the two sides --- */

static uint8_t *ram(const struct rig *r, unsigned at)
{
    return r->pm.ram.mem.rw + at;
}

static uint8_t *guest_memory(const struct rig *r)
{
    return ram(r, MEMORY_AT);
}

/* DONE, or the vector of the exception that it raised. */
static int run_one(struct rig *r, const struct insn *in)
{
    struct cpu *cpu = &r->cpu;

    cpu->unwind = &r->unwind;
    cpu->insn_rsp = cpu->gpr[RSP];
    cpu->next_rip = cpu->rip + in->len;
    if (setjmp(r->unwind))
        return r->cpu.exc.vector;
    if (insn_info[in->id].attrs & (A_FPU | A_MMX | A_SSE))
        cpu_check_fpu(cpu, in);
    if (r->portable && rig_is_function(in->id))
        fpu_portable_function(cpu, in);
    else
        bodies[in->id](cpu, in);
    return DONE;
}

/* FXSAVE64 and FXRSTOR64 [RSI]. */
static void run_image(struct rig *r, unsigned modrm)
{
    const uint8_t bytes[16] = {0x48, 0x0f, 0xae, (uint8_t)modrm};
    struct insn in;

    rig_require(rig_decode(r, bytes, &in), "FXSAVE");
    r->cpu.gpr[RSI] = IMAGE_AT;
    rig_require(run_one(r, &in) == DONE, "an image");
}

static void run_ours(struct rig *r)
{
    struct cpu *cpu = &r->cpu;

    memcpy(ram(r, IMAGE_AT), r->host.before, FX_SIZE);
    run_image(r, 0x0e);
    for (unsigned i = 0; i < HOST_GPRS; i++)
        cpu->gpr[host_gpr_number[i]] = r->host.gpr[i];
    cpu->gpr[RSI] = cpu->gpr[RDI] = MEMORY_AT + r->offset;
    r->fpu = cpu->fpu;
    cpu->aflags = aflags_from_eflags(r->flags);
    memcpy(guest_memory(r), r->before, RIG_MEMORY);
    r->ours_trapped = -1;
    for (unsigned i = 0; i < r->count; i++) {
        int end;

        cpu->rip = CODE_AT + r->start[i];
        end = run_one(r, &r->in[i]);
        if (end == DONE)
            continue;
        rig_require(end == EXC_MF, "#MF only");
        r->ours_trapped = (int)i;
        break;
    }
    r->after = cpu->fpu;
    memset(ram(r, IMAGE_AT), 0, FX_SIZE);
    run_image(r, 0x06);
    memcpy(r->ours, ram(r, IMAGE_AT), FX_SIZE);
}

static void run_host(struct rig *r)
{
    const uint8_t *code = r->code;
    uintptr_t trapped;

    memcpy(r->memory, r->before, RIG_MEMORY);
    r->host.pointer = (uintptr_t)r->memory + r->offset;
    trapped = host_run(&r->host, code, code + r->start[r->count]);
    r->host_trapped = -1;
    for (unsigned i = 0; i < r->count; i++)
        if (trapped == (uintptr_t)code + r->start[i])
            r->host_trapped = (int)i;
}

/* --- comparison --- */

/* Not more than a unit in the last place between two registers. */
static bool is_near(const uint8_t *a, const uint8_t *b)
{
    uint64_t x = load64(a), y = load64(b);
    unsigned p = load16(a + 8), q = load16(b + 8);

    if (p == q)
        return x - y + 1 <= 2;
    /* The largest significand of a binade, and the first of the next. */
    return (p == q + 1 && x << 1 == 0 && y == UINT64_MAX) ||
           (q == p + 1 && y << 1 == 0 && x == UINT64_MAX);
}

static bool same_registers(struct rig *r)
{
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t *ours = r->ours + FX_ST + FX_STRIDE * i;
        const uint8_t *host = r->host.after + FX_ST + FX_STRIDE * i;

        if (!memcmp(ours, host, FX_STRIDE))
            continue;
        if (!r->portable || !is_near(ours, host))
            return false;
        r->unequal++;
    }
    return true;
}

static const char *compare_image(struct rig *r)
{
    const uint8_t *ours = r->ours, *host = r->host.after;
    unsigned status = r->portable ? 0xffff & ~(unsigned)FPU_SW_C1 : 0xffff;

    if (r->ours_trapped != r->host_trapped)
        return "#MF";
    if ((load16(ours + 2) ^ load16(host + 2)) & status)
        return "the status word";
    if (load16(ours) != load16(host))
        return "the control word";
    if (ours[4] != host[4])
        return "tags";
    return same_registers(r) ? NULL : "a register";
}

static const char *compare(struct rig *r)
{
    const char *what = compare_image(r);

    if (what)
        return what;
    for (unsigned i = 0; i < HOST_GPRS; i++)
        if (r->cpu.gpr[host_gpr_number[i]] != r->host.gpr[i])
            return "a general register";
    if (aflags_to_eflags(r->cpu.aflags) != (r->host.flags & FLAGS_ARITH))
        return "EFLAGS";
    return memcmp(guest_memory(r), r->memory, RIG_MEMORY) ? "memory" : NULL;
}

/* --- engines --- */

static bool same_fpu(const struct fpu *a, const struct fpu *b)
{
    for (unsigned i = 0; i < 8; i++)
        if (a->r[i].frac != b->r[i].frac || a->r[i].exp != b->r[i].exp)
            return false;
    return a->cw == b->cw && a->sw == b->sw && a->tags == b->tags &&
           a->opcode == b->opcode && a->ip == b->ip && a->cs == b->cs &&
           a->dp == b->dp && a->ds == b->ds;
}

/* RET becomes HLT. */
static void put_block(struct rig *r, struct world *w)
{
    unsigned end = r->start[r->count];
    uint8_t code[PAGE_SIZE];

    memcpy(code, r->code, end);
    code[end] = HLT;
    world_put_code(w, CODE_AT, code, end + 1);
    memcpy(world_ram(w, MEMORY_AT), r->before, RIG_MEMORY);
}

/* The bodies have run before: r->cpu is as they left it. */
static bool agrees(struct rig *r, struct world *w, const uint64_t *gpr)
{
    uint64_t trapped = 0, at;
    struct cpu *cpu = &w->cpu;

    put_block(r, w);
    for (unsigned i = 0; i < HOST_GPRS; i++)
        cpu->gpr[host_gpr_number[i]] = gpr[i];
    cpu->gpr[RSI] = cpu->gpr[RDI] = MEMORY_AT + r->offset;
    cpu->aflags = aflags_from_eflags(r->flags);
    cpu->fpu = r->fpu;
    at = world_run(w, CODE_AT + r->start[0]);
    if (r->ours_trapped >= 0)
        trapped = CODE_AT + r->start[r->ours_trapped];
    for (unsigned i = 0; i < HOST_GPRS; i++)
        if (cpu->gpr[host_gpr_number[i]] != r->cpu.gpr[host_gpr_number[i]])
            return false;
    return at == trapped && same_fpu(&cpu->fpu, &r->after) &&
           aflags_to_eflags(cpu->aflags) == aflags_to_eflags(r->cpu.aflags) &&
           !memcmp(world_ram(w, MEMORY_AT), guest_memory(r), RIG_MEMORY);
}

static const char *compare_engines(struct rig *r, const uint64_t *gpr)
{
    for (unsigned i = 0; i < RIG_ENGINES; i++)
        if (r->engine[i].world && !agrees(r, r->engine[i].world, gpr))
            return r->engine[i].name;
    return NULL;
}

/* No processor that is still made has 3DNow!. */
static bool is_native(const struct rig *r)
{
    for (unsigned i = 0; i < r->count; i++)
        if (rig_is_3dnow(r->in[i].id))
            return false;
    return true;
}

/* If the kernel takes the processor away between two instructions, it saves and
 * restores the x87 in a form without FCS and FDS, and AMD's processors then
 * forget the pointers.  So a difference counts only if it shows again. */
const char *rig_run(struct rig *r)
{
    uint64_t gpr[HOST_GPRS];
    const char *what = NULL;

    memcpy(gpr, r->host.gpr, sizeof(gpr));
    run_ours(r);
    r->faults += r->ours[2] >> 7 & 1;
    r->traps += r->ours_trapped >= 0;
    for (unsigned i = 0; i < HOST_RUNS && is_native(r); i++) {
        memcpy(r->host.gpr, gpr, sizeof(gpr));
        run_host(r);
        what = compare(r);
        if (!what)
            break;
    }
    if (!what && !r->portable)
        what = compare_engines(r, gpr);
    return what;
}

/* --- report --- */

static void print_bytes(const char *name, const uint8_t *p, unsigned n)
{
    printf("  %s", name);
    while (n--)
        printf(" %02x", *p++);
    printf("\n");
}

static void print_words(const char *name, const uint8_t *fx)
{
    printf("  %s CW %04x SW %04x TAGS %02x\n", name, load16(fx), load16(fx + 2),
           fx[4]);
}

static void print_register(const char *name, const uint8_t *fx)
{
    printf(" %s %04x %016llx", name, load16(fx + 8),
           (unsigned long long)load64(fx));
}

static bool uses_memory(const struct rig *r)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->in[i].modrm < 0xc0 && r->in[i].id != I_EMMS)
            return true;
    return false;
}

static void print_engine(const struct rig *r, const char *name)
{
    for (unsigned i = 0; i < RIG_ENGINES; i++) {
        const struct fpu *f;

        if (!r->engine[i].world || strcmp(r->engine[i].name, name) != 0)
            continue;
        f = &r->engine[i].world->cpu.fpu;
        printf("  %s CW %04x SW %04x TAGS %02x FIP %llx FDP %llx FOP %03x, "
               "bodies FIP %llx FDP %llx FOP %03x; RIP %llx\n",
               name, f->cw, f->sw, f->tags, (unsigned long long)f->ip,
               (unsigned long long)f->dp, f->opcode,
               (unsigned long long)r->after.ip, (unsigned long long)r->after.dp,
               r->after.opcode,
               (unsigned long long)r->engine[i].world->cpu.rip);
        for (unsigned k = 0; k < 8; k++) {
            struct fpreg v = fpu_get(f, k);

            printf("  ST(%u) %04x %016llx\n", k, v.exp,
                   (unsigned long long)v.frac);
        }
    }
}

void rig_print(const struct rig *r, const char *what)
{
    unsigned bytes = RIG_MEMORY - r->offset;

    for (unsigned i = 0; i < r->count; i++)
        printf("%s%s", i ? "; " : "", insn_info[r->in[i].id].id);
    printf(": %s differs; #MF at %d, host %d\n", what, r->ours_trapped,
           r->host_trapped);
    print_bytes("code  ", r->code + r->start[0],
                r->start[r->count] - r->start[0]);
    print_words("before", r->host.before);
    print_words("ours  ", r->ours);
    print_words("host  ", r->host.after);
    for (unsigned i = 0; i < 8; i++) {
        unsigned at = FX_ST + FX_STRIDE * i;

        printf("  ST(%u)", i);
        print_register("", r->host.before + at);
        print_register("->", r->ours + at);
        print_register("host", r->host.after + at);
        printf("%s\n",
               memcmp(r->ours + at, r->host.after + at, FX_STRIDE) ? " *" : "");
    }
    print_engine(r, what);
    if (!uses_memory(r))
        return;
    print_bytes("before", r->before + r->offset, bytes);
    print_bytes("ours  ", guest_memory(r) + r->offset, bytes);
    print_bytes("host  ", r->memory + r->offset, bytes);
}

static void make_cpu(struct rig *r)
{
    struct cpu *cpu = &r->cpu;

    rig_require(physmem_init(&r->pm, RAM) &&
                    physmem_add_block(&r->pm, "ram", 0, RAM, 0, BLOCK_RAM),
                "guest memory");
    mmu_init(&cpu->mmu, &r->pm, &r->stats);
    memset(&cpu->features, 0xff, sizeof(cpu->features));
    cpu->stats = &r->stats;
    cpu->mode = MODE_CODE64 | MODE_PE;
    cpu->cr0 = CR0_PE | CR0_NE;
    cpu->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu->efer = EFER_LME | EFER_LMA;
    cpu->seg[CS].sel = CODE_SELECTOR;
    cpu->seg[CS].attr = ATTR_P | ATTR_S | ATTR_CODE | ATTR_RW | ATTR_L;
    cpu->eflags = FLAG_1;
    cpu->delivering = -1;
}

static uint8_t *map(uintptr_t at, int more)
{
    void *p = mmap((void *)at, PAGE_SIZE, PROT_READ | PROT_WRITE | more,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    rig_require(p == (void *)at, "a page at a low address");
    return p;
}

struct rig *rig_new(uint64_t seed)
{
    struct rig *r = aligned_alloc(64, (sizeof(*r) + 63) & ~(size_t)63);

    rig_require(r, "memory");
    memset(r, 0, sizeof(*r));
    r->random.state = seed | 1;
    make_cpu(r);
    r->code = map(CODE_AT, PROT_EXEC);
    r->memory = map(MEMORY_AT, 0);
    host_catch_exceptions();
    return r;
}

void rig_free(struct rig *r)
{
    for (unsigned i = 0; i < RIG_ENGINES; i++)
        world_free(r->engine[i].world);
    munmap(r->code, PAGE_SIZE);
    munmap(r->memory, PAGE_SIZE);
    mmu_destroy(&r->cpu.mmu);
    physmem_destroy(&r->pm);
    free(r);
}
