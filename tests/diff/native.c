#include "tests/diff/native.h"

#include <cpuid.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/diff/layout.h"
#include "tests/diff/native_switch.h"

extern void (*native_jump)(void);
extern void (*native_jump_to[2])(void);

enum { HUNG_TICKS = 4, TICK_US = 50000, RETRIES = 8 };

static struct {
    uint8_t *code; /* writable view of CODE and EXIT_PAGE */
    uint64_t code_id;
    uint32_t code_offset, code_size; /* of the program in it */
    struct xarea x_in, x_out;
    struct outcome *out;
    uint8_t base[DATA_PAGES][PAGE];
    bool has_ldt;
    unsigned ticks;
    uint8_t *altstack;
} native;

/* --- the address space --- */

static bool map_at(uint32_t at, unsigned size, int prot, int fd, unsigned from)
{
    void *p = mmap((void *)(uintptr_t)at, size, prot,
                   (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) |
                       MAP_FIXED_NOREPLACE | MAP_POPULATE,
                   fd, (off_t)from);

    return p == (void *)(uintptr_t)at;
}

static uint8_t *host_page(unsigned page)
{
    return (uint8_t *)(uintptr_t)page_address(page);
}

const uint8_t *native_page(unsigned page)
{
    return host_page(page);
}

static bool map_code(void)
{
    unsigned size = EXIT_PAGE + PAGE - CODE;
    int fd = memfd_create("copal-diff", MFD_CLOEXEC);
    bool ok = fd >= 0 && !ftruncate(fd, (off_t)size) &&
              map_at(CODE, CODE_SIZE, PROT_READ | PROT_EXEC, fd, 0) &&
              map_at(EXIT_PAGE, PAGE, PROT_READ | PROT_EXEC, fd,
                     EXIT_PAGE - CODE);

    if (ok)
        native.code = mmap(NULL, size, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_POPULATE, fd, 0);
    if (fd >= 0)
        close(fd);
    return ok && native.code != MAP_FAILED;
}

static bool make_exit(void)
{
    memset(native.code, CODE_FILL, EXIT_PAGE - CODE);
    layout_exit_page(native.code + (EXIT_PAGE - CODE));
    if (!map_at(EXIT_OUT, PAGE, PROT_READ | PROT_WRITE, -1, 0))
        return false;
    store64((void *)(uintptr_t)EXIT_OUT, (uint64_t)(uintptr_t)native_leave);
    return !mprotect((void *)(uintptr_t)EXIT_OUT, PAGE, PROT_READ);
}

static bool map_all(void)
{
    if (!map_code() || !make_exit())
        return false;
    case_base_image(native.base);
    for (unsigned p = 0; p < DATA_PAGES; p++) {
        if (!map_at(page_address(p), PAGE, PROT_READ | PROT_WRITE, -1, 0))
            return false;
        memcpy(host_page(p), native.base[p], PAGE);
    }
    return !mprotect(host_page(PAGE_R0), PAGE, PROT_READ);
}

static bool make_ldt(void)
{
    for (unsigned i = 0; i < LDT_COUNT; i++) {
        struct ldt_entry e = ldt_entry(i);
        /* struct user_desc of asm/ldt.h */
        uint32_t d[4] = {
            i, e.base, e.limit,
            (uint32_t)(e.wide | e.contents << 1 | e.read_only << 3 |
                       e.pages << 4 | e.absent << 5),
        };

        if (syscall(SYS_modify_ldt, 0x11, d, sizeof(d)))
            return false;
    }
    return true;
}

/* --- what programs must not do --- */

static bool forbid_system_calls(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12), /* high half of RIP */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 8),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ARENA, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, ARENA + ARENA_SIZE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};

    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static void catch_signals(void)
{
    uint64_t fs;

    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL,    SIGFPE,
                                  SIGTRAP, SIGSYS, SIGVTALRM};
    struct itimerval tick = {{0, TICK_US}, {0, TICK_US}};
    struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER |
                                       SA_RESTART};
    stack_t stack = {.ss_size = 1 << 16};

    __asm__ volatile("rdfsbase %0" : "=r"(fs));
    native_context.host_fs = fs;
    native.altstack = malloc(stack.ss_size);
    stack.ss_sp = native.altstack;
    sigaltstack(&stack, NULL);
    sa.sa_sigaction = (void (*)(int, siginfo_t *, void *))(uintptr_t)
        native_signal_entry;
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &sa, NULL);
    setitimer(ITIMER_VIRTUAL, &tick, NULL);
}

bool native_init(void)
{
    const unsigned long fsgsbase = 2; /* HWCAP2_FSGSBASE */
    struct feature_set f = native_features();

    if (!(getauxval(AT_HWCAP2) & fsgsbase) || !feature_set_has(&f, FEAT_AVX)) {
        printf("native: this host has no RDFSBASE or no AVX\n");
        return false;
    }
    if (!map_all()) {
        printf("native: no memory at %#x: %s\n", ARENA, strerror(errno));
        return false;
    }
    native.has_ldt = make_ldt();
    catch_signals();
    if (!forbid_system_calls()) {
        printf("native: no seccomp: %s\n", strerror(errno));
        return false;
    }
    return true;
}

bool native_can(enum code_kind kind, const char **why)
{
    *why = "modify_ldt is refused by this kernel";
    return kind == CODE_64 || kind == CODE_32 || native.has_ldt;
}

struct feature_set native_features(void)
{
    struct feature_set set = {{0, 0}};

    static const struct {
        uint32_t leaf;
        uint8_t sub, reg, bit;
    } where[FEAT_COUNT] = {
#define FEATURE(name, leaf, sub, reg, bit, option) {leaf, sub, reg, bit},
#include "cpu/isa/features.def"
#undef FEATURE
    };
    for (unsigned i = 0; i < FEAT_COUNT; i++) {
        uint32_t r[4] = {0, 0, 0, 0};

        if (where[i].leaf)
            __get_cpuid_count(where[i].leaf, where[i].sub, &r[0], &r[1], &r[2],
                              &r[3]);
        feature_set_put(&set, i, !where[i].leaf ||
                                     r[where[i].reg] >> where[i].bit & 1);
    }
    return set;
}

/* --- signals --- */

static void take_registers(struct outcome *out, const ucontext_t *uc)
{
    static const int order[16] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    const greg_t *g = uc->uc_mcontext.gregs;
    struct state *s = &out->state;

    for (unsigned r = 0; r < GPR_COUNT; r++)
        s->gpr[r] = (uint64_t)g[order[r]];
    s->rip = (uint64_t)g[REG_RIP];
    s->eflags = (uint32_t)g[REG_EFL];
    s->sel[CS] = (uint16_t)g[REG_CSGSFS];
    s->sel[SS] = (uint16_t)(g[REG_CSGSFS] >> 48);
    out->vector = (int)g[REG_TRAPNO];
    out->error = (uint32_t)g[REG_ERR];
    out->cr2 = (uint64_t)g[REG_CR2];
}

/* Components in their initial state need not be in the frame. */
static void take_xstate(struct xarea *x, const void *frame)
{
    memcpy(x, frame, sizeof(*x));
    if (!(x->xstate_bv & 4))
        memset(x->ymm_high, 0, sizeof(x->ymm_high));
    if (!(x->xstate_bv & 2))
        memset(x->legacy + X_XMM, 0, 256);
    if (!(x->xstate_bv & 1)) {
        memset(x->legacy, 0, X_MXCSR);
        memset(x->legacy + X_ST, 0, 128);
        store16(x->legacy + X_FCW, 0x37f);
    }
}

static void take_segments(struct state *s)
{
    const struct native_context *c = &native_context;

    for (unsigned i = ES; i <= GS; i++) {
        if (i != CS && i != SS)
            s->sel[i] = c->out_sel[i];
    }
    s->fs_base = c->out_fs_base;
    s->gs_base = c->out_gs_base;
}

/* Signals that are not about the program. */
static int own_signal(int sig, const ucontext_t *uc)
{
    if (sig == SIGVTALRM)
        return 0;
    fprintf(stderr, "native: signal %d in the test itself at %#llx\n", sig,
            (unsigned long long)uc->uc_mcontext.gregs[REG_RIP]);
    signal(sig, SIG_DFL);
    return 0;
}

int native_on_signal(int sig, void *info, void *ucontext, uint64_t running)
{
    const ucontext_t *uc = ucontext;
    struct outcome *out = native.out;

    (void)info;
    if (!running)
        return own_signal(sig, uc);
    if (sig == SIGVTALRM && ++native.ticks < HUNG_TICKS)
        return 0;
    take_registers(out, uc);
    take_segments(&out->state);
    take_xstate(&out->state.x, uc->uc_mcontext.fpregs);
    if (sig == SIGVTALRM || sig == SIGSYS)
        out->vector = END_LOST;
    return 1;
}

/* --- running --- */

static void change_code(const struct test_case *c)
{
    memset(native.code + native.code_offset, CODE_FILL, native.code_size);
    native.code_id = c->code_id;
    native.code_offset = c->code_at - CODE;
    native.code_size = c->code_size;
    memcpy(native.code + native.code_offset, c->code, c->code_size);
}

void native_load(const struct test_case *c)
{
    if (!c->code_id || native.code_id != c->code_id)
        change_code(c);
    for (unsigned i = 0; i < c->patch_count; i++)
        memcpy((void *)(uintptr_t)c->patch[i].at, c->patch[i].bytes,
               PATCH_SIZE);
}

/* Most programs write little: only what differs is put back. */
void native_unload(void)
{
    for (unsigned p = 0; p < RW_PAGES; p++) {
        uint8_t *page = host_page(p);

        for (unsigned at = 0; at < PAGE; at += 256) {
            if (memcmp(page + at, native.base[p] + at, 256))
                memcpy(page + at, native.base[p] + at, 256);
        }
    }
}

static void enter_state(const struct test_case *c)
{
    struct native_context *n = &native_context;

    memcpy(n->gpr, c->in.gpr, sizeof(n->gpr));
    memcpy(n->sel, c->in.sel, sizeof(c->in.sel));
    memcpy(&native.x_in, &c->in.x, sizeof(native.x_in));
    n->rflags = c->in.eflags;
    n->entry = c->in.rip;
    n->far_ip = (uint32_t)c->in.rip;
    n->far_cs = c->in.sel[CS];
    n->fs_base = c->in.fs_base;
    n->gs_base = c->in.gs_base;
    n->x_in = &native.x_in;
    n->x_out = &native.x_out;
    n->is_far = c->kind != CODE_64;
    native_jump = native_jump_to[n->is_far];
}

static void leave_state(struct outcome *out)
{
    const struct native_context *n = &native_context;
    struct state *s = &out->state;

    memcpy(s->gpr, n->out_gpr, sizeof(s->gpr));
    memcpy(s->sel, n->out_sel, sizeof(s->sel));
    s->sel[CS] = USER_CS64;
    s->eflags = (uint32_t)n->out_rflags;
    s->rip = EXIT_STOP;
    s->fs_base = n->out_fs_base;
    s->gs_base = n->out_gs_base;
    take_xstate(&s->x, &native.x_out);
    out->vector = END_NORMAL;
    out->error = 0;
    out->cr2 = 0;
}

static void run_once(const struct test_case *c, struct outcome *out)
{
    native.out = out;
    native.ticks = 0;
    enter_state(c);
    if (!native_enter())
        leave_state(out);
}

/* A tick of the timer goes through the host's kernel and back, which need not
 * keep all that a program sees: what was interrupted is run again. */
void native_run(const struct test_case *c, struct outcome *out)
{
    run_once(c, out);
    for (unsigned k = 0; k < RETRIES && native.ticks; k++) {
        if (out->vector == END_LOST)
            return;
        native_unload();
        native_load(c);
        run_once(c, out);
    }
}
