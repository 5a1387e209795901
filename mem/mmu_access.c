#include <assert.h>
#include <string.h>

#include "base/bits.h"
#include "base/bytes.h"
#include "mem/mmu_private.h"

/*
 * Guest accesses that miss.
 *
 * Everything goes through the entry of the page: a miss fills it, and what it
 * then says (plain, care, I/O) is done.  So the second slow access to a
 * register window or to data beside code does not walk again.
 *
 * Requirements:
 * 1. An access that faults has done nothing: both pages of one that crosses
 *    are translated before the first byte moves, and neither A nor D of the
 *    first page is set because of an access that faults on the second.
 * 2. A watch is told of an access when it is sure not to fault, before it
 *    happens.
 */

/* A page fault invalidates what is known of the address, so that the guest need
 * not (SDM vol. 3, 4.10.4.1). */
static bool fault(struct mmu *m, laddr la, uint32_t error)
{
    mmu_drop(m, m->context, la);
    m->fault_la = la;
    m->fault_error = error;
    return false;
}

/* --- one access, in one or two pieces --- */

struct piece {
    laddr la;
    unsigned size;
    uint64_t kind;
    uint64_t addend;
};

static bool translate(struct mmu *m, enum mmu_bank who, struct piece *p,
                      enum access access)
{
    struct tlb_entry *e = mmu_entry(&m->context->bank[who], p->la, access);
    uint32_t error;

    if (!mmu_is_hit(e, p->la) && !mmu_fill(m, who, p->la, access, &error))
        return fault(m, p->la, error);
    assert(mmu_is_hit(e, p->la));
    if (access == ACCESS_WRITE && mmu_kind(e, p->la) == TLB_CARE)
        mmu_relieve(m, e, p->la);
    p->kind = mmu_kind(e, p->la);
    p->addend = e->addend;
    return true;
}

/* Would translate succeed?  Changes nothing. */
static bool permits(struct mmu *m, enum mmu_bank who, laddr la,
                    enum access access)
{
    struct tlb_bank *b = &m->context->bank[who];

    if (mmu_is_hit(mmu_entry(b, la, access), la) ||
        mmu_known_large(b, la, access))
        return true;

    struct paging_result r = mmu_try_walk(m, who, la, access);

    return r.ok || fault(m, la, r.error);
}

/* A load or store of 1 .. PAGE_SIZE bytes: cuts it at the page and translates.
 * Returns the number of pieces, 0 on a fault. */
static unsigned pieces_of(struct mmu *m, enum mmu_bank who, laddr la,
                          unsigned size, enum access access, struct piece p[2])
{
    unsigned room = PAGE_SIZE - (unsigned)(la % PAGE_SIZE);

    assert(access != ACCESS_FETCH && size <= PAGE_SIZE);
    if (size <= room) {
        p[0] = (struct piece){.la = la, .size = size};
        return translate(m, who, &p[0], access) ? 1 : 0;
    }
    p[0] = (struct piece){.la = la, .size = room};
    p[1] = (struct piece){.la = mmu_next_page(m, la), .size = size - room};
    if (!permits(m, who, la, access) || !translate(m, who, &p[1], access) ||
        !translate(m, who, &p[0], access))
        return 0;
    return 2;
}

static void tell_watch(struct mmu *m, const struct piece *p, enum access access)
{
    if (m->on_watch && mmu_watches(m, mmu_page_of(p->la), PAGE_SIZE))
        m->on_watch(m->watch_owner, p->la, p->size, access);
}

static uint8_t *host_of(const struct piece *p)
{
    return (uint8_t *)(uintptr_t)(p->la + p->addend);
}

/* The part of a long access to registers that goes at once: aligned as the
 * bus does it, at most 8 bytes. */
static unsigned bus_size(paddr pa, unsigned left)
{
    unsigned aligned = 1u << bits_low(pa | 8);

    return aligned <= left ? aligned : 1u << bits_high(left);
}

static uint64_t read_io(struct mmu *m, paddr pa, unsigned size)
{
    m->stats->mmio_read++;
    return physmem_read(m->pm, pa, size);
}

static void write_io(struct mmu *m, paddr pa, uint64_t v, unsigned size)
{
    m->stats->mmio_write++;
    physmem_write(m->pm, pa, v, size);
}

static void store(struct mmu *m, const struct piece *p, const void *src)
{
    uint64_t ram_at = p->la + p->addend - (uintptr_t)m->pm->ram.mem.rw;

    if (mmu_code_in(m, ram_at))
        m->stats->code_write++;
    physmem_store(m->pm, ram_at, src, p->size);
}

static void read_piece(struct mmu *m, const struct piece *p, uint8_t *dst)
{
    if (p->kind != TLB_IO) {
        memcpy(dst, host_of(p), p->size);
        return;
    }
    for (unsigned done = 0; done < p->size;) {
        paddr pa = p->la + p->addend + done;
        unsigned n = bus_size(pa, p->size - done);

        store_sized(dst + done, read_io(m, pa, n), n);
        done += n;
    }
}

static void write_piece(struct mmu *m, const struct piece *p,
                        const uint8_t *src)
{
    if (p->kind == TLB_PLAIN) {
        memcpy(host_of(p), src, p->size);
        return;
    }
    if (p->kind == TLB_CARE) {
        store(m, p, src);
        return;
    }
    for (unsigned done = 0; done < p->size;) {
        paddr pa = p->la + p->addend + done;
        unsigned n = bus_size(pa, p->size - done);

        write_io(m, pa, load_sized(src + done, n), n);
        done += n;
    }
}

static bool read_bytes(struct mmu *m, enum mmu_bank who, laddr la, void *dst,
                       unsigned size)
{
    struct piece p[2];
    unsigned count = pieces_of(m, who, la, size, ACCESS_READ, p);
    uint8_t *to = dst;

    for (unsigned i = 0; i < count; i++)
        tell_watch(m, &p[i], ACCESS_READ);
    for (unsigned i = 0; i < count; i++) {
        read_piece(m, &p[i], to);
        to += p[i].size;
    }
    return count;
}

static bool write_bytes(struct mmu *m, enum mmu_bank who, laddr la,
                        const void *src, unsigned size)
{
    struct piece p[2];
    unsigned count = pieces_of(m, who, la, size, ACCESS_WRITE, p);
    const uint8_t *from = src;

    for (unsigned i = 0; i < count; i++)
        tell_watch(m, &p[i], ACCESS_WRITE);
    for (unsigned i = 0; i < count; i++) {
        write_piece(m, &p[i], from);
        from += p[i].size;
    }
    return count;
}

static bool crosses(laddr la, unsigned size)
{
    return la % PAGE_SIZE + size > PAGE_SIZE;
}

/* Inside a page, a number moves in one piece, as it would on the bus. */
bool mmu_read_slow(struct mmu *m, laddr la, unsigned size, uint64_t *v)
{
    struct piece p = {.la = la, .size = size};
    uint8_t bytes[8];

    if (crosses(la, size)) {
        if (!read_bytes(m, m->who, la, bytes, size))
            return false;
        *v = load_sized(bytes, size);
        return true;
    }
    if (!translate(m, m->who, &p, ACCESS_READ))
        return false;
    tell_watch(m, &p, ACCESS_READ);
    *v = p.kind == TLB_IO ? read_io(m, la + p.addend, size)
                          : load_sized(host_of(&p), size);
    return true;
}

bool mmu_write_slow(struct mmu *m, laddr la, unsigned size, uint64_t v)
{
    struct piece p = {.la = la, .size = size};

    if (crosses(la, size)) {
        uint8_t bytes[8];

        store_sized(bytes, v, size);
        return write_bytes(m, m->who, la, bytes, size);
    }
    if (!translate(m, m->who, &p, ACCESS_WRITE))
        return false;
    tell_watch(m, &p, ACCESS_WRITE);
    if (p.kind == TLB_IO)
        write_io(m, la + p.addend, v, size);
    else if (p.kind == TLB_CARE)
        store(m, &p, &v);
    else
        store_sized(host_of(&p), v, size);
    return true;
}

bool mmu_read_bytes(struct mmu *m, laddr la, void *dst, unsigned size)
{
    return read_bytes(m, m->who, la, dst, size);
}

bool mmu_write_bytes(struct mmu *m, laddr la, const void *src, unsigned size)
{
    return write_bytes(m, m->who, la, src, size);
}

bool mmu_probe(struct mmu *m, laddr la, unsigned size, enum access access)
{
    struct piece p[2];

    return pieces_of(m, m->who, la, size, access, p);
}

bool mmu_sys_read(struct mmu *m, laddr la, void *dst, unsigned size)
{
    return read_bytes(m, MMU_SUPERVISOR, la, dst, size);
}

bool mmu_sys_write(struct mmu *m, laddr la, const void *src, unsigned size)
{
    return write_bytes(m, MMU_SUPERVISOR, la, src, size);
}

bool mmu_sys_probe(struct mmu *m, laddr la, unsigned size, enum access access)
{
    struct piece p[2];

    return pieces_of(m, MMU_SUPERVISOR, la, size, access, p);
}

/* --- fetches --- */

bool mmu_fetch_page_slow(struct mmu *m, laddr la, uint64_t *ram_at)
{
    struct tlb_page space;
    uint32_t error;
    const struct tlb_page *from =
        mmu_find_page(m, m->who, la, ACCESS_FETCH, &space, &error);

    if (!from)
        return fault(m, la, error);

    paddr pa = from->pa + (mmu_page_of(la) - from->start);

    *ram_at = UINT64_MAX;
    if (!phys_run_find(&m->pages, pa))
        return true;

    uint64_t at = phys_run_at(&m->pages, pa);

    tlb_set_fetch(m->bank, la, at, from);
    *ram_at = at | la % PAGE_SIZE;
    return true;
}
