/* Set-up, running programs, counting and printing. */

#include "kernel.h"

#include <stdarg.h>

#include "tests.h"

struct regs in, out;
uint64_t gdt[GDT_ENTRIES], ldt[LDT_ENTRIES];
uint64_t idt[256 * (LONG ? 2 : 1)];
struct tss tss;
uint32_t boot_info, df_state;
enum code_size code_size;

static struct tss df_tss;
static uint8_t interrupt_stack[4096], df_stack[4096];
static word start_cr0, start_cr3, start_cr4;
static unsigned checks, failed, group_checks, group_failed;
static const char *group_name, *group_manual;

enum { SHOWN_PER_GROUP = 60, SERIAL = 0x3f8, EXIT_PORT = 0xf4 };
enum { EXIT_PASS = 0x10, EXIT_FAIL = 0x11 }; /* the host sees 2n + 1 */

void enter(void);
void reload_segments(void);
void df_entry(void);
void kernel_main(void);
extern const word stub_table[256];

void *memset(void *to, int v, size_t n)
{
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(v) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
}

/* --- printing --- */

static void put(char c)
{
    while (!(inb(SERIAL + 5) & 0x20)) {
    }
    outb(SERIAL, (uint8_t)c);
}

static void put_string(const char *s)
{
    while (*s)
        put(*s++);
}

static void put_number(word v, unsigned base)
{
    char digits[32];
    unsigned n = 0;

    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    while (n)
        put(digits[--n]);
}

static void put_signed(int v)
{
    if (v < 0)
        put('-');
    put_number(v < 0 ? -(word)v : (word)v, 10);
}

static const char *put_item(const char *at, va_list *args)
{
    bool is_long = *at == 'l';

    if (is_long)
        at++;
    switch (*at) {
    case 's': put_string(va_arg(*args, const char *)); break;
    case 'c': put((char)va_arg(*args, int)); break;
    case 'd': put_signed(va_arg(*args, int)); break;
    case 'u': put_number(va_arg(*args, unsigned), 10); break;
    default:
        put_number(is_long ? va_arg(*args, word) : va_arg(*args, unsigned),
                   16);
    }
    return at;
}

static void vprint(const char *format, va_list *args)
{
    for (const char *at = format; *at; at++) {
        if (*at == '%')
            at = put_item(at + 1, args);
        else
            put(*at);
    }
}

void print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprint(format, &args);
    va_end(args);
}

/* --- checks --- */

static void end_group(void)
{
    if (group_name)
        print("%s: %u checks, %u failed (%s)\n", group_name, group_checks,
              group_failed, group_manual);
}

void group(const char *name, const char *manual)
{
    end_group();
    group_name = name;
    group_manual = manual;
    group_checks = group_failed = 0;
}

/* Counts a check, and prints which it was if it failed.  True: what was
 * expected of it is to be printed too. */
static bool count(bool ok, const char *format, va_list *args)
{
    checks++;
    group_checks++;
    if (ok)
        return false;
    failed++;
    group_failed++;
    if (group_failed > SHOWN_PER_GROUP)
        return false;
    print("FAIL %s: ", group_name);
    vprint(format, args);
    return true;
}

static void print_event(uint32_t e)
{
    static const char *const names[] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9",
        "#TS", "#NP", "#SS", "#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM",
    };
    unsigned vector = e >> 16;

    if (e == OK)
        print("done");
    else if (vector < sizeof(names) / sizeof(names[0]))
        print("%s(%x)", names[vector], e & 0xffff);
    else
        print("vector %x(%x)", vector, e & 0xffff);
}

bool check(word got, word want, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (count(got == want, format, &args))
        print(": expected %lx, got %lx\n", want, got);
    va_end(args);
    return got == want;
}

bool check_event(uint32_t got, uint32_t want, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (count(got == want, format, &args)) {
        print(": expected ");
        print_event(want);
        print(", got ");
        print_event(got);
        print(" at %lx:%lx\n", out.cs, out.ip);
    }
    va_end(args);
    return got == want;
}

/* --- descriptors --- */

uint64_t segment(uint32_t base, uint32_t limit, unsigned type, unsigned dpl,
                 bool present, unsigned flags)
{
    uint32_t low = (limit & 0xffff) | base << 16;
    uint32_t high = (base >> 16 & 0xff) | type << 8 | dpl << 13 |
                    (uint32_t)present << 15 | (limit & 0xf0000) | flags << 20 |
                    (base & 0xff000000);

    return low | (uint64_t)high << 32;
}

/* Expand-down data begins above its limit. */
uint64_t flat(unsigned type, unsigned dpl, bool present)
{
    uint32_t limit = (type & 0x1c) == 0x14 ? 0 : 0xfffff;

    return segment(0, limit, type, dpl, present,
                   is_code(type) ? FLAT_CODE : FLAT_DATA);
}

uint64_t gate(unsigned sel, word offset, unsigned type, unsigned dpl,
              bool present, unsigned count)
{
    uint32_t low = (uint32_t)(offset & 0xffff) | sel << 16;
    uint32_t high = count | type << 8 | dpl << 13 | (uint32_t)present << 15 |
                    (uint32_t)(offset & 0xffff0000);

    return low | (uint64_t)high << 32;
}

void idt_set(unsigned vector, unsigned sel, word offset, unsigned type,
             unsigned dpl, bool present, unsigned ist)
{
    idt[vector * (LONG ? 2 : 1)] = gate(sel, offset, type, dpl, present, ist);
    if (LONG)
        idt[vector * 2 + 1] = (uint64_t)offset >> 32;
}

void idt_restore(unsigned vector)
{
    bool user = vector == BP_ || vector == OF || vector == DONE;

    if (!LONG && vector == DF)
        idt_set(vector, SEL_DF, 0, T_TASK, 0, true, 0);
    else
        idt_set(vector, SEL_CODE, stub_table[vector], T_INT32, user ? 3 : 0,
                true, LONG ? vector == DF ? 1 : 2 : 0);
}

static void load_idt(void)
{
    struct {
        uint16_t limit;
        word base;
    } __attribute__((packed)) r = {sizeof(idt) - 1, (word)idt};

    __asm__ volatile("lidt %0" : : "m"(r));
}

void load_gdt(void)
{
    struct {
        uint16_t limit;
        word base;
    } __attribute__((packed)) r = {sizeof(gdt) - 1, (word)gdt};

    __asm__ volatile("lgdt %0" : : "m"(r));
    reload_segments();
}

static void set_system(unsigned sel, void *base, uint32_t limit, unsigned type)
{
    gdt_set(sel, segment((uint32_t)(word)base, limit, type, 0, true, 0));
    if (LONG)
        gdt_set(sel + 8, (uint64_t)(word)base >> 32);
}

void set_tss_stack(unsigned level, word sp, unsigned ss)
{
    if (LONG) {
        tss.at[1 + 2 * level] = (uint32_t)sp;
        tss.at[2 + 2 * level] = (uint32_t)((uint64_t)sp >> 32);
    } else {
        tss.at[1 + 2 * level] = (uint32_t)sp;
        tss.at[2 + 2 * level] = ss;
    }
}

static void set_ist(unsigned n, word sp)
{
    tss.at[7 + 2 * n] = (uint32_t)sp;
    tss.at[8 + 2 * n] = (uint32_t)((uint64_t)sp >> 32);
}

/* --- the machine as tests find it --- */

static void restore_tss(void)
{
    memset(&tss, 0, 104);
    set_tss_stack(0, (word)interrupt_stack + sizeof(interrupt_stack), SEL_DATA);
    set_tss_stack(1, inner_top(1), data_sel(1));
    set_tss_stack(2, inner_top(2), data_sel(2));
    tss.at[25] = 104u << 16;
    if (LONG) {
        set_ist(1, (word)df_stack + sizeof(df_stack));
        set_ist(2, (word)interrupt_stack + sizeof(interrupt_stack));
    }
}

static void restore_df_task(void)
{
    if (LONG)
        return;
    df_tss.at[7] = (uint32_t)start_cr3;
    df_tss.at[8] = (uint32_t)(word)df_entry;
    df_tss.at[9] = 2;
    df_tss.at[14] = (uint32_t)(word)df_stack + sizeof(df_stack);
    df_tss.at[18] = df_tss.at[20] = df_tss.at[21] = SEL_DATA;
    df_tss.at[22] = df_tss.at[23] = SEL_DATA;
    df_tss.at[19] = SEL_CODE;
    df_tss.at[25] = 104u << 16;
    set_system(SEL_DF, &df_tss, 103, T_TSS32);
}

static void restore_task(void)
{
    restore_tss();
    set_system(SEL_TSS, &tss, 103, T_TSS32);
    load_tr(SEL_TSS);
}

static void restore_gdt(void)
{
    memset(gdt, 0, sizeof(gdt));
    for (unsigned i = 0; i < 4; i++) {
        gdt_set(code_sel(i), flat(T_CODE_RA, i, true));
        gdt_set(data_sel(i), flat(T_DATA_RW_A, i, true));
        if (LONG)
            gdt_set(code32_sel(i), segment(0, 0xfffff, T_CODE_RA, i, true,
                                           D_G | D_B));
        gdt_set(SEL_CODE16 + 16 * i, segment(CODE_AT, 0xffff, T_CODE_RA, i,
                                             true, 0));
    }
    load_gdt();
}

static void restore_data(void)
{
    memset(ldt, 0, sizeof(ldt));
    set_system(SEL_LDT, ldt, sizeof(ldt) - 1, T_LDT);
    load_ldt(0);
    code_at(TARGET_AT);
    CODE_DONE();
}

static void clear_debug(void)
{
    set_dr7(0x400);
    set_dr0(0);
    set_dr1(0);
    set_dr2(0);
    set_dr3(0);
    set_dr6(0xffff0ff0);
}

void machine_restore(void)
{
    clear_debug();
    set_cr0(start_cr0);
    set_cr3(start_cr3);
    set_cr4(start_cr4);
    restore_gdt();
    restore_df_task();
    restore_task();
    for (unsigned i = 0; i < 256; i++)
        idt_restore(i);
    load_idt();
    restore_data();
    memset(&in, 0, sizeof(in));
}

void ready(unsigned cpl)
{
    memset(&in, 0, sizeof(in));
    in.ip = CODE_AT;
    in.cs = code_size == COMPATIBILITY ? code32_sel(cpl) : code_sel(cpl);
    in.flags = 2;
    in.gpr[SP] = stack_top(cpl);
    in.ss = in.ds = in.es = in.fs = in.gs = data_sel(cpl);
    if (code_size == CODE16) {
        in.cs = SEL_CODE16 + 17 * cpl;
        in.ip = 0;
    }
}

/* --- programs --- */

/* The #DF task has left its caller's state in the kernel's TSS. */
static void leave_df_task(void)
{
    df_state = 0;
    out.ip = tss.at[8];
    out.flags = tss.at[9];
    for (unsigned i = 0; i < 8; i++)
        out.gpr[i] = tss.at[10 + i];
    out.cs = tss.at[19] & 0xffff;
    out.ss = tss.at[20] & 0xffff;
    restore_df_task();
    restore_task();
}

uint32_t run(void)
{
    memset(&out, 0, sizeof(out));
    enter();
    if (!LONG && df_state)
        leave_df_task();
    return EVENT(out.vector, out.error);
}

static word code_cursor;

void code_at(word address)
{
    code_cursor = address;
}

word code_here(void)
{
    return code_cursor;
}

void code_bytes(const uint8_t *bytes, unsigned n)
{
    memcpy(at8(code_cursor), bytes, n);
    code_cursor += n;
}

void code32(uint32_t v)
{
    code_bytes((const uint8_t *)&v, 4);
}

void code_word(word v)
{
    code_bytes((const uint8_t *)&v, sizeof(v));
}

/* --- main --- */

static void mask_pic(void)
{
    static const uint8_t master[] = {0x11, 0x20, 4, 1}, slave[] = {0x11, 0x28,
                                                                   2, 1};

    for (unsigned i = 0; i < 4; i++) {
        outb(i == 0 ? 0x20 : 0x21, master[i]);
        outb(i == 0 ? 0xa0 : 0xa1, slave[i]);
    }
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

static bool starts_with(const char *s, const char *start)
{
    while (*start && *s == *start) {
        s++;
        start++;
    }
    return !*start;
}

/* The command line, if it has one, says which tests are wanted: those that
 * begin with `only=`.  (A loader may put the file's name before it.)  "" if
 * all are. */
static const char *wanted(void)
{
    const uint32_t *info = (const uint32_t *)(word)boot_info;
    const char *line, *last;

    if (!(info[0] & 4))
        return "";
    last = line = (const char *)(word)info[4];
    for (; *line; line++) {
        if (*line == ' ' && line[1])
            last = line + 1;
    }
    return starts_with(last, "only=") ? last + 5 : "";
}

void kernel_main(void)
{
    mask_pic();
    start_cr0 = get_cr0();
    start_cr3 = get_cr3();
    start_cr4 = get_cr4();
    print("kernel%u\n", LONG ? 64 : 32);
    if (starts_with(wanted(), "triple-fault")) {
        machine_restore();
        triple_fault();
    }
    for (const struct test *t = tests; t->name; t++) {
        if (!t->run || !starts_with(t->name, wanted()))
            continue;
        machine_restore();
        t->run();
        end_group();
        group_name = NULL;
    }
    print("checks %u failed %u\n", checks, failed);
    outb(EXIT_PORT, failed || !checks ? EXIT_FAIL : EXIT_PASS);
}
