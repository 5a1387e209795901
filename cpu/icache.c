#include "cpu/icache.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cpu/decode.h"

void icache_init(struct icache *c, struct physmem *pm, struct stats *stats)
{
    *c = (struct icache){.pm = pm, .stats = stats};
    c->ring = xalloc(ICACHE_BYTES);
    c->hash = xcalloc((size_t)1 << ICACHE_HASH_BITS, sizeof(*c->hash));
    c->page_hash =
        xcalloc((size_t)1 << ICACHE_PAGE_BITS, sizeof(*c->page_hash));
}

void icache_destroy(struct icache *c)
{
    free(c->ring);
    free(c->hash);
    free(c->page_hash);
}

static struct icache_block **page_list(const struct icache *c, uint64_t ram_at)
{
    uint64_t h = (ram_at >> PAGE_BITS) * 0x9e3779b97f4a7c15;

    return &c->page_hash[h >> (64 - ICACHE_PAGE_BITS)];
}

static bool is_dropped(const struct icache_block *b)
{
    return b->end == b->insn;
}

/* --- removing --- */

static void unlink_hash(struct icache *c, struct icache_block *b)
{
    struct icache_block **at = &c->hash[icache_hash(b->ram_at, b->mode)];

    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
}

static void unlink_page(struct icache *c, struct icache_block *b)
{
    struct icache_block **at = page_list(c, b->ram_at);

    while (*at != b)
        at = &(*at)->page_next;
    *at = b->page_next;
}

static void evict_oldest(struct icache *c)
{
    struct icache_block *b = c->oldest;

    if (!is_dropped(b)) {
        unlink_hash(c, b);
        unlink_page(c, b);
        b->end = b->insn;
        c->stats->block_evict++;
    }
    c->oldest = b->newer;
    if (!c->oldest)
        c->newest = NULL;
}

static bool overlaps(const struct icache_block *b, uint64_t at, unsigned size)
{
    return b->ram_at < at + size && at < b->ram_at + b->bytes;
}

/* The page's blocks but for those dropped; gives the granules of the rest. */
static uint64_t drop_overlapping(struct icache *c, uint64_t ram_at,
                                 unsigned size)
{
    struct icache_block **at = page_list(c, ram_at), *b;
    uint64_t kept = 0;

    while ((b = *at) != NULL) {
        if (overlaps(b, ram_at, size)) {
            *at = b->page_next;
            unlink_hash(c, b);
            b->end = b->insn;
            c->stats->code_invalidate++;
            continue;
        }
        if (b->ram_at >> PAGE_BITS == ram_at >> PAGE_BITS)
            kept |= ram_granules(b->ram_at, b->bytes);
        at = &b->page_next;
    }
    return kept;
}

void icache_invalidate(struct icache *c, uint64_t ram_at, unsigned size)
{
    c->stats->code_write++;
    c->pm->ram.code_bits[ram_at >> PAGE_BITS] &=
        drop_overlapping(c, ram_at, size);
}

void icache_flush(struct icache *c)
{
    for (struct icache_block *b = c->oldest; b; b = b->newer) {
        if (!is_dropped(b))
            c->pm->ram.code_bits[b->ram_at >> PAGE_BITS] = 0;
        b->end = b->insn;
    }
    c->oldest = c->newest = NULL;
    c->head = 0;
    memset(c->hash, 0, sizeof(*c->hash) << ICACHE_HASH_BITS);
    memset(c->page_hash, 0, sizeof(*c->page_hash) << ICACHE_PAGE_BITS);
}

/* --- adding --- */

static uint64_t ring_at(const struct icache *c, const struct icache_block *b)
{
    return (uint64_t)((const uint8_t *)b - c->ring);
}

/* Makes [head, head+size) free.  The oldest blocks are those that follow head,
 * and after the end of the ring those at its start. */
static struct icache_block *make_room(struct icache *c, size_t size)
{
    if (c->head + size > ICACHE_BYTES) {
        while (c->oldest && ring_at(c, c->oldest) >= c->head)
            evict_oldest(c);
        c->head = 0;
    }
    while (c->oldest && ring_at(c, c->oldest) >= c->head &&
           ring_at(c, c->oldest) < c->head + size)
        evict_oldest(c);
    return (struct icache_block *)(void *)(c->ring + c->head);
}

static struct icache_block *add_block(struct icache *c, uint64_t ram_at,
                                      uint32_t mode, unsigned count,
                                      unsigned bytes)
{
    size_t size = sizeof(struct icache_block) + count * sizeof(struct insn);
    struct icache_block *b = make_room(c, size);
    struct icache_block **hash = &c->hash[icache_hash(ram_at, mode)];
    struct icache_block **page = page_list(c, ram_at);

    *b = (struct icache_block){.next = *hash,
                               .page_next = *page,
                               .ram_at = ram_at,
                               .mode = mode,
                               .bytes = bytes,
                               .end = b->insn + count};
    memcpy(b->insn, c->scratch, count * sizeof(struct insn));
    *hash = *page = b;
    if (c->newest)
        c->newest->newer = b;
    else
        c->oldest = b;
    c->newest = b;
    c->head += size;
    return b;
}

/* Is the instruction after this one possibly not executed next? */
static bool ends_block(const struct insn *in)
{
    uint32_t attrs = insn_info[in->id].attrs;
    bool repeats = (attrs & A_REP) &&
                   (in->prefixes & (PREFIX_REP | PREFIX_REPNE));

    return (attrs & A_ENDS) || repeats;
}

/* Decodes from a copy: the guest may be changing the bytes. */
static unsigned decode_run(struct icache *c, const struct cpu *cpu,
                           uint64_t ram_at, uint32_t mode, unsigned *bytes)
{
    unsigned room = PAGE_SIZE - (unsigned)(ram_at % PAGE_SIZE), count = 0;
    const uint8_t *code = c->pm->ram.mem.rw + ram_at;

    *bytes = 0;
    while (count < ICACHE_BLOCK_MAX && *bytes < room) {
        uint8_t copy[INSN_MAX_LEN];
        unsigned size = room - *bytes;
        struct insn *in = &c->scratch[count];

        if (size > INSN_MAX_LEN)
            size = INSN_MAX_LEN;
        memcpy(copy, code + *bytes, size);
        if (decode(copy, size, mode, cpu->features, in) != DECODE_OK)
            break;
        *bytes += in->len;
        count++;
        if (ends_block(in))
            break;
    }
    return count;
}

struct icache_block *icache_build(struct icache *c, struct cpu *cpu,
                                  uint64_t ram_at, uint32_t mode)
{
    unsigned bytes, count;

    count = decode_run(c, cpu, ram_at, mode, &bytes);
    if (count == 0)
        return NULL;
    if (physmem_mark_code(c->pm, ram_at, bytes))
        mmu_protect_code(&cpu->mmu, ram_at);
    return add_block(c, ram_at, mode, count, bytes);
}
