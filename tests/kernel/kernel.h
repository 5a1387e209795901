#ifndef KERNEL_H
#define KERNEL_H

/*
 * A kernel that tests the processor it runs on: what privileged code can see
 * and no user-mode test can.  Built twice, for 32-bit protected mode and for
 * long mode; `word` is a register of the build.
 *
 * A test fills `in` with the state of a program, at any privilege level and in
 * any mode, and calls run.  The program runs until the first interrupt or
 * exception that reaches the kernel's own handlers; `out` is its state then.
 * INT 0xff (DONE) is how a program says that it got where it should.
 *
 * Expectations are computed from rules written down here from the manuals'
 * text ("SDM": Intel 64 and IA-32 Architectures Software Developer's Manual;
 * "APM": AMD64 Architecture Programmer's Manual), never from a processor.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned long word;

enum { LONG = sizeof(word) == 8 };

enum { AX, CX, DX, BX, SP, BP, SI, DI, GPRS = LONG ? 16 : 8 };

/* The assembly files know this layout. */
struct regs {
    word gpr[GPRS];
    word ip, flags, cs, ss, ds, es, fs, gs;
    word vector, error, cr2; /* out only */
};

extern struct regs in, out;

/* --- results --- */

enum {
    DE = 0, DB = 1, NMI = 2, BP_ = 3, OF = 4, BR = 5, UD = 6, NM = 7, DF = 8,
    TS = 10, NP = 11, SS_ = 12, GP = 13, PF = 14, MF = 16, AC = 17, XM = 19,
    DONE = 0xff,
};

/* What ended a program: its vector, and the error code if it has one. */
#define EVENT(vector, error) ((uint32_t)(vector) << 16 | ((error) & 0xffff))
#define OK EVENT(DONE, 0)

uint32_t run(void);

/* Begins a group of checks; `manual` says where the rules stand. */
void group(const char *name, const char *manual);
/* One check; the rest describes the case, printf-like (%s %d %u %x %lx %c). */
bool check(word got, word want, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool check_event(uint32_t got, uint32_t want, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* run, and then check_event. */
#define CHECK_RUN(want, ...) check_event(run(), (want), __VA_ARGS__)

/* GCC calls these by itself. */
void *memset(void *to, int v, size_t n);
void *memcpy(void *to, const void *from, size_t n);

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- the machine --- */

enum {
    SEL_CODE = 0x08, /* level n: SEL_CODE + 16 n + n */
    SEL_DATA = 0x10,
    SEL_TSS = 0x48,
    SEL_DF = 0x58,
    SEL_LDT = 0x60,
    SEL_CODE32 = 0x70, /* long mode: compatibility; level n as above */
    SEL_CODE16 = 0xb0, /* of 16 bits, at CODE_AT */
    SEL_TEST = 0x100,  /* slots for tests, 32 of 8 bytes */
    GDT_ENTRIES = 64,
    LDT_ENTRIES = 16,
};

extern uint64_t gdt[GDT_ENTRIES], ldt[LDT_ENTRIES];
extern uint64_t idt[256 * (LONG ? 2 : 1)];

/* Fields of the TSS of this build; bytes 104 on: room for bit maps. */
struct tss {
    uint32_t at[26];
    uint8_t map[32 + 8192 + 8];
} __attribute__((packed));
extern struct tss tss;

void set_tss_stack(unsigned level, word sp, unsigned ss);

static inline unsigned code_sel(unsigned cpl)
{
    return SEL_CODE + 17 * cpl;
}

static inline unsigned data_sel(unsigned cpl)
{
    return SEL_DATA + 17 * cpl;
}

static inline unsigned code32_sel(unsigned cpl)
{
    return LONG ? SEL_CODE32 + 17 * cpl : code_sel(cpl);
}

/* Puts everything back as it was at the start of the test. */
void machine_restore(void);
/* `in`: flat segments of level cpl, its stack, IF clear, ip at CODE, in code
 * of the size that `code_size` says. */
void ready(unsigned cpl);
enum code_size { OWN, CODE16, COMPATIBILITY };
extern enum code_size code_size;
void load_gdt(void);

/* User pages, mapped one to one: all levels can use them. */
enum {
    ARENA = 0x400000,
    CODE_AT = ARENA,         /* where ready() points ip */
    TARGET_AT = ARENA + 0x2000, /* holds INT 0xff: where gates lead */
    DATA_AT = ARENA + 0x4000,
    STACK_AT = ARENA + 0x10000, /* level n's ends at STACK_AT + 0x2000 n */
    INNER_AT = ARENA + 0x20000, /* those of the TSS, likewise */
    LOW_AT = 0x10000,        /* below 1 MiB: virtual-8086 programs */
    CODE16_AT = LOW_AT,
    STACK16_AT = LOW_AT + 0x8000,
};

static inline word stack_top(unsigned level)
{
    return STACK_AT + 0x2000 * (level + 1);
}

static inline word inner_top(unsigned level)
{
    return INNER_AT + 0x2000 * (level + 1);
}

static inline uint32_t *at32(word address)
{
    return (uint32_t *)address;
}

static inline uint16_t *at16(word address)
{
    return (uint16_t *)address;
}

static inline uint8_t *at8(word address)
{
    return (uint8_t *)address;
}

static inline uint64_t *at64(word address)
{
    return (uint64_t *)address;
}

/* --- descriptors (SDM vol. 3, 3.4.5, 3.5, 6.11) --- */

/* Types with the S bit, as they lie in the descriptor. */
enum {
    T_TSS16 = 1, T_LDT = 2, T_TSS16_BUSY = 3, T_CALL16 = 4, T_TASK = 5,
    T_INT16 = 6, T_TRAP16 = 7, T_TSS32 = 9, T_TSS32_BUSY = 11, T_CALL32 = 12,
    T_INT32 = 14, T_TRAP32 = 15,
    T_S = 0x10, T_DATA_RW = 0x12, T_DATA_RW_A = 0x13, T_DATA_DOWN = 0x16,
    T_CODE = 0x18, T_CODE_R = 0x1a, T_CODE_RA = 0x1b, T_CONF_R = 0x1e,
};
enum { D_L = 2, D_B = 4, D_G = 8 }; /* flags */
/* Flags of ordinary segments in this build. */
enum { FLAT_CODE = D_G | (LONG ? D_L : D_B), FLAT_DATA = D_G | D_B };

static inline bool is_code(unsigned type)
{
    return (type & 0x18) == 0x18;
}

static inline bool is_conforming(unsigned type)
{
    return (type & 0x1c) == 0x1c;
}

static inline bool is_writable(unsigned type)
{
    return (type & 0x1a) == 0x12;
}

static inline bool is_readable(unsigned type)
{
    return (type & 0x10) && (type & 0xa) != 8;
}

uint64_t segment(uint32_t base, uint32_t limit, unsigned type, unsigned dpl,
                 bool present, unsigned flags);
/* Flat, with the flags of the build for its type. */
uint64_t flat(unsigned type, unsigned dpl, bool present);
uint64_t gate(unsigned sel, word offset, unsigned type, unsigned dpl,
              bool present, unsigned count);
/* In the IDT: both halves in long mode. */
void idt_set(unsigned vector, unsigned sel, word offset, unsigned type,
             unsigned dpl, bool present, unsigned ist);
void idt_restore(unsigned vector);

static inline void gdt_set(unsigned sel, uint64_t raw)
{
    gdt[sel / 8] = raw;
}

static inline unsigned raw_type(uint64_t raw)
{
    return raw >> 40 & 0x1f;
}

/* --- programs --- */

void code_at(word address);
word code_here(void);
void code_bytes(const uint8_t *bytes, unsigned n);
void code32(uint32_t v);
void code_word(word v);
#define CODE(...)                                  \
    code_bytes((const uint8_t[]){__VA_ARGS__},     \
               sizeof((const uint8_t[]){__VA_ARGS__}))
#define CODE_DONE() CODE(0xcd, 0xff)
/* The program at CODE_AT, ended by INT 0xff. */
#define PROGRAM(...)                \
    do {                            \
        code_at(CODE_AT);           \
        CODE(__VA_ARGS__);          \
        CODE_DONE();                \
    } while (0)

/* --- registers of the processor --- */

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint64_t rdmsr(uint32_t n)
{
    uint32_t a, d;

    __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(n));
    return a | (uint64_t)d << 32;
}

static inline void wrmsr(uint32_t n, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(n), "a"((uint32_t)v),
                     "d"((uint32_t)(v >> 32)) : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "a"(leaf), "c"(sub));
}

#define CONTROL_REGISTER(name)                                            \
    static inline word get_##name(void)                                   \
    {                                                                     \
        word v;                                                           \
                                                                          \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(v));                \
        return v;                                                         \
    }                                                                     \
                                                                          \
    static inline void set_##name(word v)                                 \
    {                                                                     \
        __asm__ volatile("mov %0, %%" #name : : "r"(v) : "memory");       \
    }
CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)
CONTROL_REGISTER(dr0)
CONTROL_REGISTER(dr1)
CONTROL_REGISTER(dr2)
CONTROL_REGISTER(dr3)
CONTROL_REGISTER(dr6)
CONTROL_REGISTER(dr7)

static inline void invlpg(word la)
{
    __asm__ volatile("invlpg (%0)" : : "r"(la) : "memory");
}

static inline void load_tr(unsigned sel)
{
    __asm__ volatile("ltr %w0" : : "r"(sel));
}

static inline void load_ldt(unsigned sel)
{
    __asm__ volatile("lldt %w0" : : "r"(sel));
}

static inline unsigned get_tr(void)
{
    word v;

    __asm__ volatile("str %0" : "=r"(v));
    return v & 0xffff;
}

enum {
    F_CF = 1, F_PF = 4, F_ZF = 0x40, F_TF = 0x100, F_IF = 0x200, F_DF = 0x400,
    F_OF = 0x800, F_IOPL = 0x3000, F_NT = 0x4000, F_RF = 0x10000,
    F_VM = 0x20000, F_AC = 0x40000, F_VIF = 0x80000, F_VIP = 0x100000,
    F_ID = 0x200000,
};
enum {
    CR0_PE = 1, CR0_MP = 2, CR0_EM = 4, CR0_TS = 8, CR0_NE = 0x20,
    CR0_WP = 0x10000, CR0_AM = 0x40000, CR0_NW = 1 << 29, CR0_CD = 1 << 30,
};
#define CR0_PG 0x80000000u
enum {
    CR4_VME = 1, CR4_PVI = 2, CR4_TSD = 4, CR4_DE = 8, CR4_PSE = 0x10,
    CR4_PAE = 0x20, CR4_MCE = 0x40, CR4_PGE = 0x80, CR4_PCE = 0x100,
    CR4_OSFXSR = 0x200, CR4_OSXMMEXCPT = 0x400, CR4_UMIP = 0x800,
    CR4_FSGSBASE = 0x10000, CR4_PCIDE = 0x20000, CR4_OSXSAVE = 0x40000,
    CR4_SMEP = 0x100000, CR4_SMAP = 0x200000,
};
enum { MSR_EFER = 0xc0000080, MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082,
       MSR_CSTAR = 0xc0000083, MSR_FMASK = 0xc0000084,
       MSR_FS_BASE = 0xc0000100, MSR_GS_BASE = 0xc0000101,
       MSR_KERNEL_GS = 0xc0000102, MSR_SYSENTER_CS = 0x174,
       MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176 };
enum { EFER_SCE = 1, EFER_LME = 0x100, EFER_LMA = 0x400, EFER_NXE = 0x800 };

/* --- the tests --- */

struct test {
    const char *name;
    void (*run)(void); /* NULL: not in this build */
};
extern const struct test tests[];

#endif
