/* What may be written to control registers and MSRs. */

#include "kernel.h"
#include "tests.h"

#define GP0 EVENT(GP, 0)

/* MOV CRn, eax as a program, so that a fault is seen. */
static uint32_t write_cr(unsigned n, word v)
{
    if (n == 8)
        PROGRAM(0x44, 0x0f, 0x22, 0xc0);
    else
        PROGRAM(0x0f, 0x22, 0xc0 | n << 3);
    ready(0);
    in.gpr[AX] = v;
    return run();
}

static uint32_t write_msr(uint32_t n, uint64_t v)
{
    PROGRAM(0x0f, 0x30);
    ready(0);
    in.gpr[CX] = n;
    in.gpr[AX] = (uint32_t)v;
    in.gpr[DX] = (uint32_t)(v >> 32);
    return run();
}

static bool feature(unsigned leaf, unsigned reg, unsigned bit)
{
    uint32_t r[4];

    cpuid(leaf & 0x80000000, 0, r);
    if (leaf > r[0])
        return false;
    cpuid(leaf, 0, r);
    return r[reg] >> bit & 1;
}

/* --- CR0 (SDM vol. 3, 2.5; vol. 2, MOV CR: #GP(0)) --- */

static bool cr0_is_legal(word v, word now)
{
    bool pg = v & CR0_PG, pe = v & CR0_PE;

    if (pg && !pe)
        return false;
    if ((v & CR0_NW) && !(v & CR0_CD))
        return false;
    if (LONG && !pg && (now & CR0_PG))
        return false;
    return (uint64_t)v >> 32 == 0;
}

static void cr0_combinations(void)
{
    word now = get_cr0();

    for (unsigned n = 0; n < 32; n++) {
        word v = now & ~(word)(CR0_NW | CR0_CD | CR0_PG | CR0_PE);

        v |= (n & 1 ? CR0_PE : 0) | (n & 2 ? CR0_NW : 0) |
             (n & 4 ? CR0_CD : 0) | (n & 8 ? CR0_PG : 0) |
             (n & 16 ? CR0_WP : 0);
        /* Without PE the program would go on in real mode; paging has no
         * tables in the 32-bit build. */
        if (cr0_is_legal(v, now) && (!(v & CR0_PE) || (!LONG && v & CR0_PG)))
            continue;
        check_event(write_cr(0, v), cr0_is_legal(v, now) ? OK : GP0,
                    "mov cr0, %lx", v);
        set_cr0(now);
    }
    for (unsigned bit = 0; bit < 32; bit++) {
        word one = (word)1 << bit;

        if (bit == 0 || bit == 29 || bit == 31)
            continue;
        check_event(write_cr(0, now | one), OK, "mov cr0, bit %u", bit);
        /* Reserved bits are ignored; ET is always set. */
        check(get_cr0() & one,
              bit < 6 || bit == 16 || bit == 18 || bit == 30 ? one : 0,
              "CR0 bit %u", bit);
        set_cr0(now);
    }
    for (unsigned bit = 32; LONG && bit < 64; bit++)
        check_event(write_cr(0, now | (word)((uint64_t)1 << bit)), GP0,
                    "mov cr0, bit %u", bit);
}

/* --- CR4: bits that the processor has, others #GP (2.5) --- */

static bool cr4_bit_exists(unsigned bit)
{
    static const struct {
        uint8_t bit, reg, shift;
        uint32_t leaf;
    } rows[] = {
        {0, 3, 1, 1}, {1, 3, 1, 1}, {2, 3, 4, 1}, {3, 3, 2, 1}, {4, 3, 3, 1},
        {5, 3, 6, 1}, {6, 3, 7, 1}, {7, 3, 13, 1}, {9, 3, 24, 1},
        {10, 3, 25, 1}, {11, 2, 2, 7}, {16, 1, 0, 7}, {17, 2, 17, 1},
        {18, 2, 26, 1}, {20, 1, 7, 7}, {21, 1, 20, 7}, {22, 2, 3, 7},
        {13, 2, 5, 1}, {14, 2, 6, 1}, {12, 2, 16, 7}, {23, 2, 7, 7},
        {24, 2, 1, 7}, {19, 2, 23, 7},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].bit == bit)
            return feature(rows[i].leaf, rows[i].reg, rows[i].shift);
    }
    return bit == 8; /* PCE has no flag of its own */
}

static void cr4_bits(void)
{
    word now = get_cr4();

    for (unsigned bit = 0; bit < (LONG ? 64 : 32); bit++) {
        word v = now | (word)((uint64_t)1 << bit);
        bool ok = cr4_bit_exists(bit);

        if (v == now)
            continue;
        /* Features of virtual machines, SMAP and SMEP (the program is on
         * pages of everyone), 5 levels: not here. */
        if (ok && (bit == 13 || bit == 14 || bit == 20 || bit == 21 ||
                   bit == 12 || bit == 23))
            continue;
        /* PCIDE needs long mode (2.5; 4.10.1). */
        if (bit == 17 && !LONG)
            ok = false;
        check_event(write_cr(4, v), ok ? OK : GP0, "mov cr4, bit %u", bit);
        check(get_cr4(), ok ? v : now, "CR4 after bit %u", bit);
        set_cr4(now);
    }
    if (!LONG)
        return;
    check_event(write_cr(4, now & ~(word)CR4_PAE), GP0,
                "PAE cleared in long mode");
}

/* CR4.PCIDE: only with CR3[11:0] clear; paging stays on with it. */
static void pcid(void)
{
    word now = get_cr4(), cr3 = get_cr3();

    if (!LONG || !feature(1, 2, 17))
        return;
    set_cr3(cr3 | 8);
    check_event(write_cr(4, now | CR4_PCIDE), GP0, "PCIDE with CR3 bit 3");
    set_cr3(cr3);
    check_event(write_cr(4, now | CR4_PCIDE), OK, "PCIDE");
    set_cr4(now | CR4_PCIDE);
    check_event(write_cr(0, get_cr0() & ~(word)CR0_PG), GP0,
                "PG cleared with PCIDE");
    check_event(write_cr(3, (word)(cr3 | (uint64_t)1 << 63)), OK,
                "CR3 bit 63 with PCIDE");
    check(get_cr3(), cr3, "CR3 bit 63 reads as 0");
    check_event(write_cr(3, (word)(cr3 | (uint64_t)1 << 62)), GP0,
                "CR3 bit 62 with PCIDE");
    set_cr3(cr3);
    set_cr4(now);
    check_event(write_cr(3, (word)(cr3 | (uint64_t)1 << 63)), GP0,
                "CR3 bit 63 without PCIDE");
}

static void cr3_bits(void)
{
    word cr3 = get_cr3();
    uint32_t r[4];

    cpuid(0x80000008, 0, r);
    for (unsigned bit = r[0] & 0xff; LONG && bit < 63; bit++)
        check_event(write_cr(3, (word)(cr3 | (uint64_t)1 << bit)), GP0,
                    "CR3 bit %u", bit);
    for (unsigned bit = 0; bit < 12; bit++) {
        check_event(write_cr(3, cr3 | (word)1 << bit), OK, "CR3 bit %u", bit);
        set_cr3(cr3);
    }
}

static void cr8(void)
{
    for (word v = 0; LONG && v < 20; v++) {
        check_event(write_cr(8, v), v < 16 ? OK : GP0, "mov cr8, %lx", v);
        write_cr(8, 0);
    }
}

void test_control_registers(void)
{
    group("CR0", "SDM vol. 3, 2.5");
    cr0_combinations();
    group("CR3, CR4, CR8", "SDM vol. 3, 2.5, 4.10.1");
    cr3_bits();
    cr4_bits();
    pcid();
    cr8();
}

/* LMSW sets PE, MP, EM, TS, and never clears PE; CLTS (vol. 2). */
void test_machine_status(void)
{
    word now = get_cr0();

    group("LMSW, SMSW, CLTS", "SDM vol. 2");
    for (unsigned v = 0; v < 16; v++) {
        PROGRAM(0x0f, 0x01, 0xf0);
        ready(0);
        in.gpr[AX] = 0xfff0 | v;
        CHECK_RUN(OK, "lmsw %x", v);
        check(get_cr0() & 0xf, v | 1, "lmsw %x: CR0", v);
        check(get_cr0() & ~(word)0xf, now & ~(word)0xf, "lmsw %x: the rest",
              v);
        PROGRAM(0x0f, 0x06);
        ready(0);
        CHECK_RUN(OK, "clts");
        check(get_cr0() & 0xf, (v | 1) & 7, "clts after %x", v);
        PROGRAM(0x0f, 0x01, 0xe0); /* smsw eax */
        ready(0);
        CHECK_RUN(OK, "smsw");
        check(out.gpr[AX] & 0xffff, get_cr0() & 0xffff, "smsw");
        set_cr0(now);
    }
}

/* --- EFER (SDM vol. 3, 2.2.1; vol. 4) --- */

static void efer_bits(void)
{
    uint64_t now = rdmsr(MSR_EFER);

    for (unsigned bit = 0; bit < 64; bit++) {
        bool ok = (bit == 0 && feature(0x80000001, 3, 11)) ||
                  (bit == 8 && feature(0x80000001, 3, 29)) || bit == 10 ||
                  (bit == 11 && feature(0x80000001, 3, 20));
        uint64_t v = now ^ (uint64_t)1 << bit;

        if (bit == 8 && LONG)
            ok = false; /* LME while paging is on */
        if (bit == 12 || bit == 13 || bit == 14 || bit == 15 || bit == 17 ||
            bit == 18 || bit == 20 || bit == 21)
            continue; /* AMD's own */
        check_event(write_msr(MSR_EFER, v), ok ? OK : GP0, "EFER bit %u",
                    bit);
        check((word)rdmsr(MSR_EFER), (word)(ok && bit != 10 ? v : now),
              "EFER after bit %u", bit);
        wrmsr(MSR_EFER, now);
    }
}

/* Addresses in MSRs must be canonical (SDM vol. 2, WRMSR). */
static void canonical(void)
{
    static const uint32_t msrs[] = {
        MSR_LSTAR, MSR_CSTAR, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS,
        MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
    };
    static const uint64_t values[] = {
        0, 0x7fffffffffff, 0x800000000000, 0xffff7fffffffffff,
        0xffff800000000000, ~(uint64_t)0, 0x8000000000000000,
    };

    if (!feature(0x80000001, 3, 29))
        return;
    for (unsigned i = 0; i < 7; i++) {
        uint64_t old = rdmsr(msrs[i]);

        /* The kernel of 32 bits reloads FS and GS, and so their bases. */
        if (!LONG && (msrs[i] == MSR_FS_BASE || msrs[i] == MSR_GS_BASE))
            continue;
        for (unsigned v = 0; v < 7; v++) {
            bool ok = v < 2 || v == 4 || v == 5;

            check_event(write_msr(msrs[i], values[v]), ok ? OK : GP0,
                        "MSR %x, address %u", msrs[i], v);
            if (ok) {
                check((word)rdmsr(msrs[i]), (word)values[v], "MSR %x holds",
                      msrs[i]);
                check((word)(rdmsr(msrs[i]) >> 32), (word)(values[v] >> 32),
                      "MSR %x holds", msrs[i]);
            }
        }
        wrmsr(msrs[i], old);
    }
}

/* Memory types: 0, 1, 4, 5, 6, and 7 in PAT only (11.11.2.1, 11.12.2). */
static void memory_types(void)
{
    uint64_t pat = rdmsr(0x277), def = rdmsr(0x2ff), var = rdmsr(0x200);

    for (unsigned type = 0; type < 10; type++) {
        bool ok = type == 0 || type == 1 || (type >= 4 && type <= 6);

        for (unsigned i = 0; i < 8; i++) {
            uint64_t v = (pat & ~((uint64_t)0xff << 8 * i)) |
                         (uint64_t)type << 8 * i;

            check_event(write_msr(0x277, v), ok || type == 7 ? OK : GP0,
                        "PAT entry %u, type %u", i, type);
        }
        wrmsr(0x277, pat);
        check_event(write_msr(0x2ff, 0xc00 | type), ok ? OK : GP0,
                    "MTRR default type %u", type);
        wrmsr(0x2ff, def);
        check_event(write_msr(0x200, type), ok ? OK : GP0,
                    "variable MTRR type %u", type);
        wrmsr(0x200, var);
    }
}

void test_msrs(void)
{
    group("EFER", "SDM vol. 3, 2.2.1");
    efer_bits();
    group("canonical MSRs", "SDM vol. 2, WRMSR");
    canonical();
    group("memory types", "SDM vol. 3, 11.11, 11.12");
    memory_types();
}
