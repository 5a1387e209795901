/* Paging: who may read, write and execute, with which error code; accessed and
 * dirty bits; reserved bits; for 32-bit, PAE and 4-level tables. */

#include "kernel.h"
#include "tests.h"

enum { MAX_LEVELS = 4, FRAME = 0x800000, OFFSET = 0x40 };
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define XD ((uint64_t)1 << 63)

/* Bits of the error code (SDM vol. 3, 4.7). */
enum { E_P = 1, E_W = 2, E_U = 4, E_RSVD = 8, E_I = 16 };

enum access { READ, WRITE, EXECUTE, MODIFY, ACCESSES };

static const char *const access_names[] = {"read", "write", "execute",
                                           "modify"};

struct format {
    const char *name;
    uint8_t levels, entry_size;
    bool pae, pse;
    uint8_t shift[MAX_LEVELS], bits; /* of the index */
};

static const struct format formats[] = {
#ifdef __x86_64__
    {"4-level", 4, 8, true, false, {39, 30, 21, 12}, 9},
#else
    {"32-bit", 2, 4, false, true, {22, 12}, 10},
    {"32-bit without PSE", 2, 4, false, false, {22, 12}, 10},
    {"PAE", 2, 8, true, false, {21, 12}, 9},
#endif
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

static uint8_t root[4096] __attribute__((aligned(4096)));
static uint8_t low[3][4096] __attribute__((aligned(4096)));
static uint8_t path[MAX_LEVELS][4096] __attribute__((aligned(4096)));
static uint8_t inner_code[4096] __attribute__((aligned(4096)));
static uint8_t inner_data[4096] __attribute__((aligned(4096)));

/* The case at hand. */
static const struct format *format;
static unsigned leaf; /* level of the page */
static word test_la;
static uint32_t use_cr0, use_cr4; /* bits on top */
static bool nx;

static void set_entry(void *table, unsigned i, uint64_t v)
{
    if (format->entry_size == 4)
        ((volatile uint32_t *)table)[i] = (uint32_t)v;
    else
        ((volatile uint64_t *)table)[i] = v;
}

static uint64_t entry_of(const void *table, unsigned i)
{
    if (format->entry_size == 4)
        return ((const volatile uint32_t *)table)[i];
    return ((const volatile uint64_t *)table)[i];
}

/* Index at a level of the address under test. */
static unsigned index_at(unsigned level)
{
    return (uint64_t)test_la >> format->shift[level] &
           ((1u << format->bits) - 1);
}

static void *table_at(unsigned level)
{
    if (level > 0)
        return path[level];
    return format->pae && !LONG ? path[0] : root;
}

static void set_at(unsigned level, uint64_t v)
{
    set_entry(table_at(level), index_at(level), v);
}

static uint64_t get_at(unsigned level)
{
    return entry_of(table_at(level), index_at(level));
}

/* --- tables: the kernel as it is, and a path to the page under test --- */

static void zero(void *page)
{
    memset(page, 0, 4096);
}

static void map_kernel(void)
{
    zero(root);
    if (LONG) {
        set_entry(root, 0, *(const uint64_t *)get_cr3());
    } else if (format->pae) {
        set_entry(root, 0, (word)low[0] | P);
        set_entry(root, 1, (word)path[0] | P);
        zero(low[0]);
        for (unsigned i = 0; i < 8; i++)
            set_entry(low[0], i, i << 21 | PS | W | P | (i < 2 ? 0 : U));
    } else {
        for (unsigned t = 0; t < 3; t++) {
            set_entry(root, t, (word)low[t] | P | W | U);
            for (unsigned i = 0; i < 1024; i++)
                set_entry(low[t], i, t << 22 | i << 12 | P | W | (t ? U : 0));
        }
    }
}

static uint64_t page_size(void)
{
    return (uint64_t)1 << format->shift[leaf];
}

/* The entry that maps the page, without its rights. */
static uint64_t leaf_entry(void)
{
    bool large = leaf + 1u < format->levels;

    return (FRAME & ~(page_size() - 1)) | P | (large ? PS : 0);
}

static void map_path(void)
{
    for (unsigned i = 0; i < MAX_LEVELS; i++)
        zero(path[i]);
    test_la = 0x40000000;
    if (LONG)
        test_la = (word)((uint64_t)5 << 39 | (uint64_t)6 << 30 | 7 << 21 |
                         8 << 12);
    test_la &= ~(word)(page_size() - 1);
    test_la += (FRAME & (page_size() - 1)) + OFFSET;
    for (unsigned i = 0; i < leaf; i++)
        set_at(i, (word)path[i + 1] | P | W | U);
    set_at(leaf, leaf_entry() | W | U);
}

static bool use_format(unsigned f, unsigned level)
{
    format = &formats[f];
    leaf = level;
    if (level + 1u < format->levels && !format->pse && !format->pae)
        return false;
    map_kernel();
    map_path();
    return true;
}

static bool has_leaf(unsigned f, unsigned level)
{
    uint32_t r[4];

    if (level >= formats[f].levels || (LONG && level == 0))
        return false;
    cpuid(0x80000001, 0, r);
    if (LONG && level == 1 && !(r[3] >> 26 & 1))
        return false; /* no 1 GiB pages */
    return use_format(f, level);
}

/* --- running with these tables --- */

static uint32_t run_paged(void)
{
    word cr0 = get_cr0(), cr3 = get_cr3(), cr4 = get_cr4();
    word pae = format->pae ? CR4_PAE : 0, pse = format->pse ? CR4_PSE : 0;
    uint64_t efer = LONG || format->pae ? rdmsr(MSR_EFER) : 0;
    uint32_t got;

    if (efer || nx)
        wrmsr(MSR_EFER, nx ? efer | EFER_NXE : efer & ~(uint64_t)EFER_NXE);
    set_cr4((cr4 & ~(word)(CR4_PAE | CR4_PSE)) | pae | pse);
    set_cr3((word)root);
    set_cr0((cr0 & ~(word)CR0_WP) | CR0_PG | use_cr0);
    set_cr4(get_cr4() | use_cr4);
    got = run();
    set_cr4(get_cr4() & ~(word)use_cr4);
    if (!LONG)
        set_cr0(cr0);
    set_cr3(cr3);
    set_cr0(cr0);
    set_cr4(cr4);
    if (efer || nx)
        wrmsr(MSR_EFER, efer & ~(uint64_t)EFER_NXE);
    return got;
}

/* Inner levels run on pages of the kernel, so that SMEP and SMAP let them. */
static void make_programs(void)
{
    for (unsigned access = READ; access < ACCESSES; access++) {
        for (unsigned user = 0; user < 2; user++) {
            code_at((user ? CODE_AT : (word)inner_code) + 16 * access);
            if (access == READ)
                CODE(0x8a, 0x03); /* mov al, [ebx] */
            else if (access == WRITE)
                CODE(0x88, 0x03); /* mov [ebx], al */
            else if (access == EXECUTE)
                CODE(0xff, 0xe3); /* jmp ebx */
            else
                CODE(0x00, 0x03); /* add [ebx], al */
            CODE_DONE();
        }
    }
    code_at(FRAME + OFFSET);
    CODE_DONE();
}

static void ready_paged(unsigned cpl, enum access access)
{
    ready(cpl);
    in.gpr[BX] = test_la;
    in.gpr[AX] = 0;
    if (cpl == 3) {
        in.ip = CODE_AT + 16 * access;
    } else {
        in.ip = (word)inner_code + 16 * access;
        in.gpr[SP] = (word)inner_data + 4096;
    }
    if (access == WRITE)
        in.gpr[AX] = 0xcd;
}

static uint32_t error_bits(unsigned cpl, enum access access)
{
    bool reports_fetch = nx || (use_cr4 & CR4_SMEP);
    uint32_t e = cpl == 3 ? E_U : 0;

    if (access == WRITE || access == MODIFY)
        e |= E_W;
    if (access == EXECUTE && reports_fetch)
        e |= E_I;
    return e;
}

/* --- rights: SDM vol. 3, 4.6.1 --- */

struct page_rights {
    bool user, writable, no_execute;
};

static bool may(const struct page_rights *r, unsigned cpl, enum access access,
                bool ac)
{
    bool writes = access == WRITE || access == MODIFY;

    if (cpl == 3) {
        if (!r->user || (writes && !r->writable))
            return false;
        return access != EXECUTE || !r->no_execute;
    }
    if (access == EXECUTE)
        return !r->no_execute && !(r->user && (use_cr4 & CR4_SMEP));
    if (r->user && (use_cr4 & CR4_SMAP) && !ac)
        return false;
    return !writes || r->writable || !(use_cr0 & CR0_WP);
}

static void check_used(bool ok, enum access access)
{
    bool writes = access == WRITE || access == MODIFY;

    for (unsigned i = 0; ok && i <= leaf; i++)
        check(get_at(i) & A, A, "%s: accessed bit of level %u after %s",
              format->name, i, access_names[access]);
    check(get_at(leaf) & D, ok && writes ? D : 0,
          "%s: dirty bit of level %u after %s", format->name, leaf,
          access_names[access]);
}

/* u, w, x: the level whose entry takes the right away; more than leaf: none. */
static void check_rights(unsigned u, unsigned w, unsigned x, unsigned cpl,
                         enum access access, bool ac)
{
    struct page_rights r = {u > leaf, w > leaf, x <= leaf && nx};
    bool ok = may(&r, cpl, access, ac);
    uint32_t want = ok ? OK : EVENT(PF, E_P | error_bits(cpl, access));

    for (unsigned i = 0; i <= leaf; i++) {
        uint64_t v = i == leaf ? leaf_entry() : (word)path[i + 1] | P;

        v |= (i != u ? U : 0) | (i != w ? W : 0) | (i == x ? XD : 0);
        set_at(i, v);
    }
    ready_paged(cpl, access);
    in.flags |= ac ? F_AC : 0;
    check_event(run_paged(), want,
                "%s leaf %u %s cpl %u, no U at %u, no W at %u, XD at %u, "
                "WP %u SMEP %u SMAP %u AC %u",
                format->name, leaf, access_names[access], cpl, u, w, x,
                !!(use_cr0 & CR0_WP), !!(use_cr4 & CR4_SMEP),
                !!(use_cr4 & CR4_SMAP), ac);
    if (!ok)
        check(out.cr2, test_la, "%s: CR2", format->name);
    check_used(ok, access);
}

static bool has_smap(void)
{
    uint32_t r[4];

    cpuid(7, 0, r);
    return (r[1] >> 7 & 1) && (r[1] >> 20 & 1);
}

static void rights_of_path(unsigned modes)
{
    unsigned none = leaf + 1, xds = nx ? none : 0;

    use_cr0 = modes & 1 ? CR0_WP : 0;
    use_cr4 = (modes & 2 ? CR4_SMEP : 0) | (modes & 4 ? CR4_SMAP : 0);
    for (unsigned u = 0; u <= none; u++)
        for (unsigned w = 0; w <= none; w++)
            for (unsigned x = nx ? 0 : none; x <= (nx ? xds : none); x++)
                for (enum access a = READ; a < ACCESSES; a++) {
                    check_rights(u, w, x, 3, a, modes & 8);
                    check_rights(u, w, x, 0, a, modes & 8);
                }
}

void test_paging_rights(void)
{
    unsigned modes = has_smap() ? 16 : 2;

    group("paging: rights", "SDM vol. 3, 4.6.1, 4.7, 4.8");
    make_programs();
    for (unsigned f = 0; f < FORMATS; f++) {
        for (unsigned level = 0; level < MAX_LEVELS; level++) {
            if (!has_leaf(f, level))
                continue;
            for (unsigned m = 0; m < modes; m++) {
                nx = format->pae;
                rights_of_path(m);
            }
            nx = false;
            rights_of_path(3 & (modes - 1));
        }
    }
    use_cr0 = use_cr4 = 0;
}

/* --- not present, and reserved bits --- */

static void check_absent(unsigned level, unsigned cpl, enum access access)
{
    map_path();
    /* Nothing else counts in an entry that is not present. */
    set_at(level, ~(uint64_t)P);
    ready_paged(cpl, access);
    check_event(run_paged(), EVENT(PF, error_bits(cpl, access)),
                "%s: not present at level %u, %s, cpl %u", format->name,
                level, access_names[access], cpl);
    check(out.cr2, test_la, "%s: not present: CR2", format->name);
    check(get_at(level), (word)get_at(level), "%s: entry unchanged",
          format->name);
}

static unsigned address_bits(void)
{
    uint32_t r[4];

    cpuid(0x80000000, 0, r);
    if (r[0] < 0x80000008)
        return 36;
    cpuid(0x80000008, 0, r);
    return r[0] & 0xff;
}

/* Figures 4-4, 4-7, 4-11 of SDM vol. 3. */
static bool is_reserved(unsigned level, unsigned bit)
{
    bool large = level == leaf && leaf + 1u < format->levels;

    if (format->entry_size == 4)
        return large && bit == 21;
    if (bit == 63)
        return !nx;
    if (bit >= address_bits())
        return bit < 52 || !LONG;
    if (large)
        return bit > 12 && bit < format->shift[level];
    return LONG && level == 0 && bit == 7;
}

static void check_reserved(unsigned level, unsigned bit, enum access access,
                           unsigned cpl)
{
    bool reserved = is_reserved(level, bit);
    uint64_t entry;

    map_path();
    entry = get_at(level) | (uint64_t)1 << bit;
    if (!reserved || entry == get_at(level))
        return;
    set_at(level, entry);
    ready_paged(cpl, access);
    check_event(run_paged(),
                EVENT(PF, E_P | E_RSVD | error_bits(cpl, access)),
                "%s leaf %u: reserved bit %u at level %u, %s, cpl %u, NXE %u",
                format->name, leaf, bit, level, access_names[access], cpl,
                nx);
    check(out.cr2, test_la, "%s: reserved bit: CR2", format->name);
}

/* Bits that software may use change nothing. */
static void check_ignored(unsigned level, unsigned bit)
{
    map_path();
    set_at(level, get_at(level) | (uint64_t)1 << bit);
    ready_paged(3, READ);
    check_event(run_paged(), OK, "%s leaf %u: ignored bit %u at level %u",
                format->name, leaf, bit, level);
}

static void absent_and_reserved(void)
{
    for (unsigned level = 0; level <= leaf; level++) {
        for (enum access a = READ; a < ACCESSES; a++) {
            check_absent(level, 0, a);
            check_absent(level, 3, a);
            for (unsigned bit = 7; bit < format->entry_size * 8u; bit++) {
                check_reserved(level, bit, a, 0);
                check_reserved(level, bit, a, 3);
            }
        }
        for (unsigned bit = 9; bit < 12; bit++)
            check_ignored(level, bit);
        for (unsigned bit = 52; LONG && bit < 59; bit++)
            check_ignored(level, bit);
        check_ignored(level, 3);
        check_ignored(level, 4);
        check_ignored(level, 8);
    }
}

void test_paging_entries(void)
{
    group("paging: entries", "SDM vol. 3, 4.3-4.5, 4.7");
    make_programs();
    use_cr0 = CR0_WP;
    for (unsigned f = 0; f < FORMATS; f++) {
        for (unsigned level = 0; level < MAX_LEVELS; level++) {
            if (!has_leaf(f, level))
                continue;
            nx = format->pae;
            absent_and_reserved();
            nx = false;
            absent_and_reserved();
        }
    }
    use_cr0 = 0;
}

/* --- PAE: the four registers loaded by MOV CR3 --- */

void test_paging_pdptes(void)
{
    group("paging: PDPTEs", "SDM vol. 3, 4.4.1");
    for (unsigned n = 0; n < 4 * 64; n++) {
        unsigned i = n & 3, bit = n >> 2;
        bool reserved = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) ||
                        bit >= address_bits();

        if (bit == 0 || i == 0 || i == 1)
            continue; /* these two map the kernel and the test */
        for (unsigned present = 0; present < 2; present++) {
            use_format(2, 1);
            code_at((word)inner_code + 0x100);
            CODE(0x0f, 0x22, 0xd8); /* mov cr3, eax */
            CODE_DONE();
            make_programs();
            ready_paged(0, READ);
            in.ip = (word)inner_code + 0x100;
            in.gpr[AX] = (word)low[1];
            memcpy(low[1], root, 64);
            set_entry(low[1], i, (word)path[2] | present |
                                     (uint64_t)1 << bit);
            check_event(run_paged(),
                        present && reserved ? EVENT(GP, 0) : OK,
                        "MOV CR3, PDPTE %u p %u with bit %u", i, present, bit);
        }
    }
    machine_restore();
}

/* --- accesses across pages --- */

/* The part in the second page faults with that page's address and leaves the
 * first one alone. */
static void check_crossing(enum access access, unsigned size, unsigned inside)
{
    word la = (test_la & ~(word)0xfff) + 0x1000 - inside;
    uint32_t before;

    map_path();
    code_at(CODE_AT + 0x200);
    if (size == 2)
        CODE(0x66);
    CODE(access == READ ? 0x8b : access == WRITE ? 0x89 : 0x01, 0x03);
    CODE_DONE();
    ready_paged(3, access);
    in.ip = CODE_AT + 0x200;
    in.gpr[BX] = la;
    in.gpr[AX] = 0x55aa55aa;
    *at32(FRAME + 0xffc) = before = 0x12345678;
    check_event(run_paged(), EVENT(PF, error_bits(3, access)),
                "%s: %s of %u bytes across pages", format->name,
                access_names[access], size);
    check(out.cr2, (la & ~(word)0xfff) + 0x1000, "%s: crossing: CR2",
          format->name);
    check(*at32(FRAME + 0xffc), before, "%s: crossing: first page",
          format->name);
}

static void crossings(void)
{
    static const enum access accesses[] = {READ, WRITE, MODIFY};

    for (unsigned i = 0; i < 3; i++) {
        check_crossing(accesses[i], 2, 1);
        for (unsigned inside = 1; inside < 4; inside++)
            check_crossing(accesses[i], 4, inside);
    }
}

/* An instruction whose last bytes are on a page that is not there. */
static void fetch_crossings(void)
{
    for (unsigned inside = 1; inside < 5; inside++) {
        word la = (test_la & ~(word)0xfff) + 0x1000 - inside;

        map_path();
        code_at(FRAME + 0x1000 - inside);
        CODE(0xb8, 0x90, 0x90, 0x90, 0x90); /* mov eax, ... */
        ready_paged(3, READ);
        in.ip = la;
        check_event(run_paged(), EVENT(PF, error_bits(3, EXECUTE)),
                    "%s: fetch with %u bytes on the first page",
                    format->name, inside);
        check(out.cr2, (la & ~(word)0xfff) + 0x1000, "%s: fetch: CR2",
              format->name);
        check(out.ip, la, "%s: fetch: IP", format->name);
    }
    make_programs();
}

/* --- what is remembered --- */

/* INVLPG and loads of CR3 make changes seen; global pages outlive CR3. */
static word page_word(void)
{
    return *(volatile uint32_t *)test_la;
}

static void remembered(void)
{
    word cr0 = get_cr0(), cr3 = get_cr3(), cr4 = get_cr4();
    uint64_t other = leaf_entry() + 0x1000;
    word seen[5];

    map_path();
    *at32(FRAME + OFFSET) = 1;
    *at32(FRAME + 0x1000 + OFFSET) = 2;
    set_cr4(cr4 | (format->pae ? CR4_PAE : 0) | CR4_PGE);
    set_cr3((word)root);
    set_cr0(cr0 | CR0_PG);
    seen[0] = page_word();
    set_at(leaf, other | W | U);
    invlpg(test_la);
    seen[1] = page_word();
    set_at(leaf, leaf_entry() | W | U | G);
    set_cr3((word)root);
    seen[2] = page_word();
    set_at(leaf, other | W | U | G);
    set_cr4(get_cr4() & ~(word)CR4_PGE);
    seen[3] = page_word();
    set_at(leaf, leaf_entry() | W | U);
    invlpg(test_la);
    seen[4] = page_word();
    if (!LONG)
        set_cr0(cr0);
    set_cr3(cr3);
    set_cr4(cr4);
    check(seen[0], 1, "%s: page", format->name);
    check(seen[1], 2, "%s: after INVLPG", format->name);
    check(seen[2], 1, "%s: after MOV CR3", format->name);
    check(seen[3], 2, "%s: global, after clearing PGE", format->name);
    check(seen[4], 1, "%s: after INVLPG again", format->name);
    make_programs();
}

void test_paging_crossings(void)
{
    group("paging: across pages", "SDM vol. 3, 4.7, 4.10.4");
    make_programs();
    use_cr0 = CR0_WP;
    for (unsigned f = 0; f < FORMATS; f++) {
        use_format(f, formats[f].levels - 1u);
        nx = format->pae;
        crossings();
        fetch_crossings();
        remembered();
    }
    use_cr0 = 0;
    nx = false;
}

/* --- accesses of the system itself --- */

/* Descriptor tables are read as by level 0, whatever CPL is: level 3 may use
 * an LDT on the kernel's page; with SMAP none on a user's page may be used,
 * even if AC is set. */
void test_paging_implicit(void)
{
    unsigned f = FORMATS - 1;

    group("paging: implicit accesses", "SDM vol. 3, 4.6, 4.6.1");
    make_programs();
    for (unsigned n = 0; n < 16; n++) {
        bool user = n & 1, smap = (n & 2) && has_smap(), ac = n & 4;
        unsigned cpl = n & 8 ? 3 : 0;
        uint32_t want = user && smap ? EVENT(PF, E_P) : OK;

        if (n & 2 && !has_smap())
            continue;
        use_format(f, formats[f].levels - 1u);
        set_at(leaf, leaf_entry() | W | (user ? U : 0));
        *at64(FRAME + OFFSET + 8) = flat(T_DATA_RW_A, 3, true);
        gdt_set(SEL_LDT, segment((uint32_t)test_la, 0xff, T_LDT, 0, true, 0));
        gdt_set(SEL_LDT + 8, (uint64_t)test_la >> 32);
        load_ldt(SEL_LDT);
        code_at((cpl == 3 ? CODE_AT : (word)inner_code) + 0x100);
        CODE(0x8e, 0xe0); /* mov fs, ax */
        CODE_DONE();
        ready_paged(cpl, READ);
        in.ip = (cpl == 3 ? CODE_AT : (word)inner_code) + 0x100;
        in.gpr[AX] = 8 | 4 | 3;
        in.flags |= ac ? F_AC : 0;
        use_cr4 = smap ? CR4_SMAP : 0;
        check_event(run_paged(), want,
                    "descriptor on a page, U %u, SMAP %u, AC %u, cpl %u",
                    user, smap, ac, cpl);
        if (want != OK)
            check(out.cr2, test_la + 8, "implicit access: CR2");
    }
    use_cr4 = 0;
    machine_restore();
}
