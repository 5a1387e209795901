#include "mem/paging.h"

#include "base/bits.h"
#include "mem/control_bits.h"

/*
 * One loop walks every format; a format is a table of its levels (SDM vol. 3,
 * figures 4-4, 4-7 and 4-11).  The formats agree on the low bits of an entry:
 *
 *     63  62        12 11     8  7   6   5        2   1   0
 *     XD  address            G  PS   D   A       U/S R/W  P
 */
enum {
    ENTRY_P = 1 << 0,
    ENTRY_W = 1 << 1,
    ENTRY_U = 1 << 2,
    ENTRY_A = 1 << 5,
    ENTRY_D = 1 << 6,
    ENTRY_PS = 1 << 7,
    ENTRY_G = 1 << 8,
};
#define ENTRY_XD ((uint64_t)1 << 63)

/* Bits lo .. hi-1. */
#define SPAN(lo, hi) (((uint64_t)1 << (hi)) - ((uint64_t)1 << (lo)))
#define ADDRESS SPAN(PAGE_BITS, PADDR_BITS)
#define ABOVE_PAE SPAN(PADDR_BITS, 63)  /* 62:52 are reserved too */
#define ABOVE_LONG SPAN(PADDR_BITS, 52) /* 62:52 are the system's */

enum { MAX_LEVELS = 4 };

/* Entries of one level of tables.  The last level has pages only. */
struct level {
    uint8_t shift; /* of the index in the linear address */
    uint8_t index_bits;
    uint16_t page_bit; /* says that the entry is a page */
    uint64_t table_reserved;
    uint64_t page_reserved;
};

struct format {
    uint8_t levels;
    uint8_t entry_size;
    struct level level[MAX_LEVELS];
};

_Static_assert(PAGING_TABLES <= 32, "known has a bit for each table");

enum format_name { FORMAT_32, FORMAT_32_PSE, FORMAT_PAE, FORMAT_LONG };

/* clang-format off */
static const struct format formats[] = {
    /* shift, bits, page bit, reserved: in a table's entry, in a page's */
    [FORMAT_32] = {2, 4, {
        {22, 10, 0,        0,                     0},
        {12, 10, 0,        0,                     0}}},
    [FORMAT_32_PSE] = {2, 4, {
        {22, 10, ENTRY_PS, 0,                     SPAN(21, 22)},
        {12, 10, 0,        0,                     0}}},
    [FORMAT_PAE] = {2, 8, { /* below the PDPTE, which is a register */
        {21, 9,  ENTRY_PS, ABOVE_PAE,             ABOVE_PAE | SPAN(13, 21)},
        {12, 9,  0,        0,                     ABOVE_PAE}}},
    [FORMAT_LONG] = {4, 8, {
        {39, 9,  0,        ABOVE_LONG | ENTRY_PS, 0},
        {30, 9,  ENTRY_PS, ABOVE_LONG,            ABOVE_LONG | SPAN(13, 30)},
        {21, 9,  ENTRY_PS, ABOVE_LONG,            ABOVE_LONG | SPAN(13, 21)},
        {12, 9,  0,        0,                     ABOVE_LONG}}},
};
/* clang-format on */

/* What the asker may do with a page. */
struct rights {
    bool read, write, fetch;
};

/* An entry that a walk has met. */
struct step {
    paddr at;
    uint64_t entry;
};

/* A walk on its way, and what its entries agree on.  The steps lie apart:
 * compilers that clear locals do it slowly beyond 80 bytes (a quarter of a
 * walk). */
struct walk {
    const struct paging_regs *regs;
    struct paging_near *near;
    const struct format *format;
    struct step *step; /* by level */
    uint8_t first;     /* level where it began: 0, or behind a known table */
    uint8_t last;      /* of the page */
    uint8_t all;       /* U and W are rights only if every entry grants them */
    bool xd;           /* takes the right away in any entry */
    struct rights rights;
};

/* In one piece: another CPU may be writing it. */
static uint64_t read_entry(const struct walk *w, paddr at)
{
    struct phys_run *run = &w->near->run;

    if (!phys_run_find(run, at))
        return physmem_read(run->pm, at, w->format->entry_size);

    const void *host = run->pm->ram.mem.rw + phys_run_at(run, at);

    if (w->format->entry_size == 8)
        return __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED);
    return __atomic_load_n((const uint32_t *)host, __ATOMIC_RELAXED);
}

static enum format_name format_of(const struct paging_regs *regs)
{
    if (regs->efer & EFER_LMA)
        return FORMAT_LONG;
    if (regs->cr4 & CR4_PAE)
        return FORMAT_PAE;
    return regs->cr4 & CR4_PSE ? FORMAT_32_PSE : FORMAT_32;
}

/* Finds the first table.  False if a PAE PDPTE is not present. */
static bool find_root(const struct paging_regs *regs, laddr la, paddr *root)
{
    uint64_t pdpte = regs->pdpte[bits_get(la, 30, 2)];

    if (regs->efer & EFER_LMA) {
        *root = regs->cr3 & ADDRESS;
        return true;
    }
    if (!(regs->cr4 & CR4_PAE)) {
        *root = regs->cr3 & SPAN(PAGE_BITS, 32);
        return true;
    }
    *root = pdpte & ADDRESS;
    return pdpte & ENTRY_P;
}

/* Bits of an entry that raise #PF with RSVD.  XD is one of them without NXE
 * (in 32-bit entries it does not exist, and reads as zero). */
static uint64_t reserved_bits(const struct walk *w, const struct level *level,
                              bool is_page)
{
    uint64_t bits = is_page ? level->page_reserved : level->table_reserved;

    return w->regs->efer & EFER_NXE ? bits : bits | ENTRY_XD;
}

static laddr region_of(const struct format *f, laddr la)
{
    return la >> f->level[f->levels - 2].shift;
}

/* Where the last table for a region may be known. */
static unsigned near_index(laddr region)
{
    return (unsigned)region % PAGING_TABLES;
}

static const struct paging_table *known_table(const struct walk *w,
                                              laddr region)
{
    const struct paging_table *t = &w->near->table[near_index(region)];
    bool known = w->near->known >> near_index(region) & 1;

    return known && t->region == region ? t : NULL;
}

/* Where the walk begins: at the last table, if it is known, or at the root.
 * False if a PAE PDPTE is not present. */
static bool begin(struct walk *w, laddr la, paddr *table)
{
    const struct paging_table *known = known_table(w, region_of(w->format, la));

    if (known) {
        w->first = (uint8_t)(w->format->levels - 1);
        w->all = known->all;
        w->xd = known->xd;
        *table = known->at;
        return true;
    }
    w->first = 0;
    w->all = ENTRY_U | ENTRY_W;
    w->xd = false;
    return find_root(w->regs, la, table);
}

/* Follows the tables to the page.  False, with the error bits that say why, if
 * there is none. */
static bool descend(struct walk *w, laddr la, uint32_t *error)
{
    paddr table;

    *error = 0;
    if (!begin(w, la, &table))
        return false;
    for (uint8_t i = w->first;; i++) {
        const struct level *level = &w->format->level[i];
        paddr at = table + bits_get(la, level->shift, level->index_bits) *
                               w->format->entry_size;
        uint64_t entry = read_entry(w, at);
        bool is_page = i + 1u == w->format->levels || (entry & level->page_bit);

        if (!(entry & ENTRY_P))
            return false;
        if (entry & reserved_bits(w, level, is_page)) {
            *error = PF_P | PF_RSVD;
            return false;
        }
        w->step[i] = (struct step){at, entry};
        w->all &= (uint8_t)entry;
        w->xd |= entry >> 63;
        if (is_page) {
            w->last = i;
            return true;
        }
        table = entry & ADDRESS;
    }
}

/* After a walk that set A on the way: the next one in this region may begin at
 * the last table. */
static void remember(const struct walk *w, laddr la)
{
    laddr region = region_of(w->format, la);
    struct paging_table t = {.region = region, .all = ENTRY_U | ENTRY_W};

    if (w->last + 1u != w->format->levels || w->first == w->last)
        return;
    for (unsigned i = w->first; i < w->last; i++) {
        t.all &= (uint8_t)w->step[i].entry;
        t.xd |= w->step[i].entry >> 63;
        t.at = w->step[i].entry & ADDRESS;
    }
    w->near->table[near_index(region)] = t;
    w->near->known |= (uint32_t)1 << near_index(region);
}

/* A fault must not come from a table that is known but out of date: the guest
 * need not announce that it has permitted more (SDM vol. 3, 4.10.4.1).  True if
 * the walk began at one, and should be repeated. */
static bool forget_table(struct walk *w, laddr la)
{
    if (w->first == 0)
        return false;
    w->near->known &= ~((uint32_t)1 << near_index(region_of(w->format, la)));
    return true;
}

/* Where the page begins.  A 4 MiB page of the 32-bit format keeps bits 39:32
 * of its address in bits 20:13 (PSE-36, SDM table 4-4). */
static paddr page_address(const struct walk *w, uint64_t page_size)
{
    uint64_t entry = w->step[w->last].entry;

    if (w->format->entry_size == 4 && page_size > PAGE_SIZE)
        return (entry & SPAN(22, 32)) | bits_get(entry, 13, 8) << 32;
    return bits_align_down(entry & ADDRESS, page_size);
}

/* SDM vol. 3, 4.6.1. */
static struct rights find_rights(const struct walk *w, struct paging_who who)
{
    const struct paging_regs *regs = w->regs;
    bool user_page = w->all & ENTRY_U;
    bool writable = w->all & ENTRY_W;
    bool executable = !w->xd;

    if (who.user)
        return (struct rights){user_page, user_page && writable,
                               user_page && executable};

    bool smap = user_page && (regs->cr4 & CR4_SMAP) && !who.ac;
    bool smep = user_page && (regs->cr4 & CR4_SMEP);

    return (struct rights){!smap, !smap && (writable || !(regs->cr0 & CR0_WP)),
                           !smep && executable};
}

static bool granted(struct rights r, enum access access)
{
    switch (access) {
    case ACCESS_READ: return r.read;
    case ACCESS_WRITE: return r.write;
    default: return r.fetch;
    }
}

/* The bits of the error code that tell what was tried (SDM vol. 3, 4.7).  I/D
 * is reported only where fetches can be forbidden at all. */
static uint32_t access_bits(const struct paging_regs *regs, enum access access,
                            struct paging_who who)
{
    bool reports_fetch = (regs->cr4 & CR4_SMEP) ||
                         ((regs->efer & EFER_NXE) && (regs->cr4 & CR4_PAE));
    uint32_t bits = who.user ? PF_U : 0;

    if (access == ACCESS_WRITE)
        bits |= PF_W;
    if (access == ACCESS_FETCH && reports_fetch)
        bits |= PF_I;
    return bits;
}

/* As the processor does it: in one locked step that fails if another CPU has
 * changed the entry since it was read. */
static bool replace_entry(uint8_t *host, unsigned size, uint64_t old,
                          uint64_t value)
{
    uint32_t old32 = (uint32_t)old;

    if (size == 8)
        return __atomic_compare_exchange_n((uint64_t *)(void *)host, &old,
                                           value, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    return __atomic_compare_exchange_n((uint32_t *)(void *)host, &old32,
                                       (uint32_t)value, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* Entries that lie among code go through physmem_store, which reports them;
 * those in ROM or in a window, as if the CPU stored there. */
static bool write_entry(const struct walk *w, unsigned i, uint64_t value)
{
    struct phys_run *run = &w->near->run;
    struct physmem *pm = run->pm;
    unsigned size = w->format->entry_size;

    if (!phys_run_find(run, w->step[i].at) || !run->writable) {
        physmem_write(pm, w->step[i].at, value, size);
        return true;
    }

    uint64_t ram_at = phys_run_at(run, w->step[i].at);

    if (pm->ram.code_bits[ram_at / PAGE_SIZE]) {
        physmem_store(pm, ram_at, &value, size);
        return true;
    }
    return replace_entry(pm->ram.mem.rw + ram_at, size, w->step[i].entry,
                         value);
}

/* Sets A in every entry and D in the page's.  False if an entry has changed
 * under the walk, which must then begin again. */
static bool mark_used(struct walk *w, enum access access)
{
    for (unsigned i = w->first; i <= w->last; i++) {
        uint64_t marked = w->step[i].entry | ENTRY_A;

        if (access == ACCESS_WRITE && i == w->last)
            marked |= ENTRY_D;
        if (marked == w->step[i].entry)
            continue;
        if (!write_entry(w, i, marked))
            return false;
        w->step[i].entry = marked;
    }
    return true;
}

static struct paging_result found(const struct walk *w, laddr la)
{
    unsigned shift = w->format->level[w->last].shift;
    uint64_t size = (uint64_t)1 << shift;
    uint64_t page = w->step[w->last].entry;

    return (struct paging_result){
        .ok = true,
        .pa = page_address(w, size) | (la & (size - 1)),
        .page_size = size,
        .may_write = w->rights.write,
        .may_fetch = w->rights.fetch,
        .dirty = page & ENTRY_D,
        .global = (page & ENTRY_G) && (w->regs->cr4 & CR4_PGE),
    };
}

static struct paging_result no_paging(laddr la)
{
    return (struct paging_result){.ok = true,
                                  .pa = la,
                                  .page_size = PAGE_SIZE,
                                  .may_write = true,
                                  .may_fetch = true,
                                  .dirty = true};
}

/* How often a walk begins again when other CPUs keep changing its entries.
 * After that the translation stands as it was read, without A or D. */
enum { MAX_TRIES = 64 };

/* One walk that looks only; true if it found a page that grants the access. */
static bool look(struct walk *w, laddr la, enum access access,
                 struct paging_who who, uint32_t *error)
{
    if (!descend(w, la, error))
        return false;
    w->rights = find_rights(w, who);
    *error = granted(w->rights, access) ? 0 : PF_P;
    return !*error;
}

struct paging_result paging_walk_near(struct paging_near *near,
                                      const struct paging_regs *regs, laddr la,
                                      enum access access, struct paging_who who,
                                      bool commit)
{
    struct step step[MAX_LEVELS];
    struct walk w;
    unsigned tries = 0;

    if (!(regs->cr0 & CR0_PG))
        return no_paging(la);
    w.regs = regs;
    w.near = near;
    w.step = step;
    w.format = &formats[format_of(regs)];
    for (;;) {
        uint32_t error;

        if (!look(&w, la, access, who, &error)) {
            if (forget_table(&w, la))
                continue;
            error |= access_bits(regs, access, who);
            return (struct paging_result){.error = error};
        }
        if (!commit || ++tries > MAX_TRIES)
            return found(&w, la);
        if (mark_used(&w, access)) {
            remember(&w, la);
            return found(&w, la);
        }
    }
}

struct paging_result paging_walk(struct physmem *pm,
                                 const struct paging_regs *regs, laddr la,
                                 enum access access, struct paging_who who,
                                 bool commit)
{
    struct paging_near near = paging_near_make(pm);

    return paging_walk_near(&near, regs, la, access, who, commit);
}

struct paging_near paging_near_make(struct physmem *pm)
{
    return (struct paging_near){.run = phys_run_make(pm)};
}

/* CR3 points to 32 bytes (SDM vol. 3, table 4-7).  Present PDPTEs have P, PWT,
 * PCD, three bits for the system and an address. */
bool paging_load_pdptes(struct physmem *pm, struct paging_regs *regs,
                        uint64_t cr3)
{
    static const uint64_t reserved = SPAN(1, 3) | SPAN(5, 9) | ABOVE_PAE |
                                     ENTRY_XD;
    uint64_t pdpte[4];

    for (unsigned i = 0; i < 4; i++) {
        pdpte[i] = physmem_read(pm, (cr3 & SPAN(5, 32)) + i * 8, 8);
        if ((pdpte[i] & ENTRY_P) && (pdpte[i] & reserved))
            return false;
    }
    for (unsigned i = 0; i < 4; i++)
        regs->pdpte[i] = pdpte[i];
    return true;
}
