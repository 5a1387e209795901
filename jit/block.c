#include "jit/block.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static unsigned hash_of(const struct block_key *k)
{
    uint64_t h = k->ram_at * 0x9e3779b97f4a7c15u ^ k->ip * 0xff51afd7ed558ccdu;

    h ^= (uint64_t)k->mode << 40 ^ k->cs_base;
    return (unsigned)(h >> 32 ^ h) & (BLOCK_HASH - 1);
}

static bool same_key(const struct block_key *a, const struct block_key *b)
{
    return a->ram_at == b->ram_at && a->ip == b->ip && a->mode == b->mode &&
           a->cs_base == b->cs_base && a->cs_limit == b->cs_limit;
}

/* Divides the buffer; false if it is too small to be one. */
static bool make_segments(struct block_table *t, uint32_t code_size)
{
    uint32_t size = code_size / CODE_SEGMENTS & ~(uint32_t)(PAGE_SIZE - 1);

    t->segment_size = size < CODE_SEGMENT_MIN ? CODE_SEGMENT_MIN : size;
    t->segments = code_size / t->segment_size;
    if (t->segments > CODE_SEGMENTS)
        t->segments = CODE_SEGMENTS;
    for (unsigned s = 0; s < t->segments; s++) {
        t->segment[s].start = s * t->segment_size;
        t->segment[s].end = (s + 1) * t->segment_size;
    }
    return t->segments >= 2;
}

bool blocks_init(struct block_table *t, const struct jit_backend *backend,
                 struct mmu *mmu, struct stats *stats, uint32_t code_size)
{
    struct jit_out out = {.end = CODE_SEGMENT_MIN};

    memset(t, 0, sizeof(*t));
    t->backend = backend;
    t->mmu = mmu;
    t->stats = stats;
    if (!make_segments(t, code_size ? code_size : CODE_SIZE) ||
        !hostmem_map_wx(&t->mem, (size_t)t->segments * t->segment_size))
        return false;
    out.rw = t->mem.rw;
    out.rx = t->mem.rx;
    if (!backend->emit_thunks(&out, &t->thunks)) {
        hostmem_unmap(&t->mem);
        return false;
    }
    hostmem_sync_code(&t->mem, 0, t->thunks.size);
    t->page = xcalloc(mmu->pm->ram.size >> PAGE_BITS, sizeof(*t->page));
    t->segment[0].start = (t->thunks.size + 63) & ~63u;
    t->at = t->segment[0].start;
    return true;
}

struct block *blocks_find(const struct block_table *t,
                          const struct block_key *key)
{
    struct block *b = t->hash[hash_of(key)];

    while (b && !same_key(&b->key, key))
        b = b->hash_next;
    return b;
}

/* --- links --- */

static void exit_unlink(struct block_table *t, struct block_exit *x)
{
    if (!x->to)
        return;
    t->backend->unlink(t->mem.rw, &x->site);
    *x->prev = x->next;
    if (x->next)
        x->next->prev = x->prev;
    x->to = NULL;
}

void blocks_link(struct block_table *t, struct block_exit *x, struct block *b,
                 laddr la)
{
    exit_unlink(t, x);
    t->backend->link(t->mem.rw, &x->site, b->code_at,
                     tlb_link(la, b->key.ram_at));
    x->to = b;
    x->next = b->incoming;
    x->prev = &b->incoming;
    if (x->next)
        x->next->prev = &x->next;
    b->incoming = x;
    t->stats->chain_link++;
}

/* --- leaving the table --- */

static void unhash(struct block_table *t, struct block *b)
{
    struct block **p = &t->hash[hash_of(&b->key)];

    while (*p != b)
        p = &(*p)->hash_next;
    *p = b->hash_next;
}

/* Does its second part lie on another page than its first? */
static bool has_two_pages(const struct block *b)
{
    return b->ram_at2 != UINT64_MAX &&
           b->ram_at2 >> PAGE_BITS != b->key.ram_at >> PAGE_BITS;
}

/* Which of its two page lists a block is linked into for `page`. */
static unsigned page_slot(const struct block *b, uint64_t page)
{
    return b->key.ram_at >> PAGE_BITS == page ? 0 : 1;
}

static void unpage(struct block *b, uint64_t page)
{
    unsigned slot = page_slot(b, page);
    struct block *next = b->page_next[slot];

    *b->page_prev[slot] = next;
    if (next)
        next->page_prev[page_slot(next, page)] = b->page_prev[slot];
}

void blocks_remove(struct block_table *t, struct block *b)
{
    if (b->gone)
        return;
    b->gone = true;
    unhash(t, b);
    unpage(b, b->key.ram_at >> PAGE_BITS);
    if (has_two_pages(b))
        unpage(b, b->ram_at2 >> PAGE_BITS);
    while (b->incoming)
        exit_unlink(t, b->incoming);
    for (unsigned k = 0; k < b->exit_count; k++)
        exit_unlink(t, &b->exit[k]);
}

static void block_free(struct block *b)
{
    free(b->insn);
    free(b->recipe);
    free(b->exit);
    free(b->call);
    free(b);
}

static void segment_evict(struct block_table *t, struct code_segment *s)
{
    if (s->count == 0)
        return;
    mmu_flush_jumps(t->mmu);
    for (unsigned k = 0; k < s->count; k++) {
        if (!s->block[k]->gone)
            t->stats->block_evict++;
        blocks_remove(t, s->block[k]);
        block_free(s->block[k]);
    }
    s->count = 0;
    t->freed++;
}

void blocks_destroy(struct block_table *t)
{
    for (unsigned s = 0; s < t->segments; s++) {
        segment_evict(t, &t->segment[s]);
        free(t->segment[s].block);
    }
    free(t->page);
    hostmem_unmap(&t->mem);
}

void blocks_flush(struct block_table *t)
{
    mmu_flush_jumps(t->mmu);
    for (unsigned s = 0; s < t->segments; s++)
        for (unsigned k = 0; k < t->segment[s].count; k++)
            blocks_remove(t, t->segment[s].block[k]);
    memset(t->mmu->pm->ram.code_bits, 0,
           (t->mmu->pm->ram.size >> PAGE_BITS) * sizeof(uint64_t));
}

/* --- adding --- */

void blocks_room(struct block_table *t, size_t need, struct jit_out *out)
{
    if (t->at + need > t->segment[t->current].end) {
        t->current = (t->current + 1) % t->segments;
        segment_evict(t, &t->segment[t->current]);
        t->at = t->segment[t->current].start;
    }
    out->rw = t->mem.rw;
    out->rx = t->mem.rx;
    out->thunks = &t->thunks;
    out->at = t->at;
    out->end = t->segment[t->current].end;
}

static void segment_push(struct code_segment *s, struct block *b)
{
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 256;
        s->block = xrealloc(s->block, s->room * sizeof(*s->block));
    }
    s->block[s->count++] = b;
}

/* A page that many processes map at addresses of their own has thousands. */
static void page_push(struct block_table *t, struct block *b, uint64_t page)
{
    unsigned slot = page_slot(b, page);
    struct block *next = t->page[page];

    b->page_next[slot] = next;
    b->page_prev[slot] = &t->page[page];
    if (next)
        next->page_prev[page_slot(next, page)] = &b->page_next[slot];
    t->page[page] = b;
}

static void mark_code(struct block_table *t, uint64_t ram_at, unsigned size)
{
    if (physmem_mark_code(t->mmu->pm, ram_at, size))
        mmu_protect_code(t->mmu, ram_at & ~(uint64_t)(PAGE_SIZE - 1));
}

static void copy_sites(struct block *b, const struct jit_out *out,
                       const uint64_t *ip)
{
    b->exit_count = (uint16_t)out->exit_count;
    b->call_count = (uint16_t)out->call_count;
    b->exit = xcalloc(out->exit_count + 1u, sizeof(*b->exit));
    b->call = xcalloc(out->call_count + 1u, sizeof(*b->call));
    for (unsigned k = 0; k < out->exit_count; k++) {
        b->exit[k].site = out->exit[k];
        b->exit[k].from = b;
    }
    for (unsigned k = 0; k < out->call_count; k++) {
        unsigned insn = out->call[k].insn;

        b->call[k] = (struct block_call){out->call[k].at, (uint16_t)insn,
                                         (uint16_t)(ip[insn] - ip[0]),
                                         out->call[k].recipe};
    }
}

struct block *blocks_add(struct block_table *t, const struct block *proto,
                         const struct jit_out *out, const uint64_t *ip)
{
    struct block *b = xnew(struct block);
    unsigned h = hash_of(&proto->key);

    *b = *proto;
    b->code_at = (uint32_t)out->at;
    b->code_size = (uint32_t)out->size;
    copy_sites(b, out, ip);
    b->hash_next = t->hash[h];
    t->hash[h] = b;
    page_push(t, b, b->key.ram_at >> PAGE_BITS);
    mark_code(t, b->key.ram_at, b->bytes1);
    if (has_two_pages(b))
        page_push(t, b, b->ram_at2 >> PAGE_BITS);
    if (b->ram_at2 != UINT64_MAX)
        mark_code(t, b->ram_at2, b->bytes - b->bytes1);
    segment_push(&t->segment[t->current], b);
    t->at = (uint32_t)((out->at + out->size + 15) & ~(size_t)15);
    hostmem_sync_code(&t->mem, out->at, out->size);
    return b;
}

struct block *blocks_at(const struct block_table *t, uint32_t code_at)
{
    const struct code_segment *s = &t->segment[(code_at - 1) / t->segment_size];
    unsigned lo = 0, hi = s->count;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (s->block[mid]->code_at < code_at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? s->block[lo - 1] : NULL;
}

/* --- self-modifying code --- */

struct part {
    uint64_t at;
    unsigned size;
};

/* Part 0 or 1 of b's guest code; the second may be empty. */
static struct part part_of(const struct block *b, unsigned k)
{
    if (k == 0)
        return (struct part){b->key.ram_at, b->bytes1};
    if (b->ram_at2 == UINT64_MAX)
        return (struct part){0, 0};
    return (struct part){b->ram_at2, (unsigned)b->bytes - b->bytes1};
}

static bool overlaps(const struct block *b, uint64_t ram_at, unsigned size)
{
    for (unsigned k = 0; k < 2; k++) {
        struct part p = part_of(b, k);

        if (p.at < ram_at + size && ram_at < p.at + p.size)
            return true;
    }
    return false;
}

/* The code bits of b on `page`. */
static uint64_t bits_on(const struct block *b, uint64_t page)
{
    uint64_t bits = 0;

    for (unsigned k = 0; k < 2; k++) {
        struct part p = part_of(b, k);

        if (p.size && p.at >> PAGE_BITS == page)
            bits |= ram_granules(p.at, p.size);
    }
    return bits;
}

bool blocks_hit(const struct block_table *t, uint64_t ram_at, unsigned size)
{
    uint64_t page = ram_at >> PAGE_BITS;

    if (!(t->mmu->pm->ram.code_bits[page] & ram_granules(ram_at, size)))
        return false;
    for (const struct block *b = t->page[page]; b;
         b = b->page_next[page_slot(b, page)])
        if (overlaps(b, ram_at, size))
            return true;
    return false;
}

bool blocks_invalidate(struct block_table *t, uint64_t ram_at, unsigned size)
{
    uint64_t page = ram_at >> PAGE_BITS, bits = 0;
    struct block *b = t->page[page], *next;
    bool dropped = false;

    for (; b; b = next) {
        next = b->page_next[page_slot(b, page)];
        if (overlaps(b, ram_at, size)) {
            blocks_remove(t, b);
            t->stats->code_invalidate++;
            dropped = true;
        } else {
            bits |= bits_on(b, page);
        }
    }
    t->mmu->pm->ram.code_bits[page] = bits;
    if (dropped)
        mmu_flush_jumps(t->mmu);
    return dropped;
}
