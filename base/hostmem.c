/*
 * Every mapping is carved out of a reservation with no access rights, so that
 * a page without rights stays in front of and behind each view.  Views of
 * HUGE_SIZE and more are aligned to it, so that the host can back them with
 * huge pages.
 */
#include "base/hostmem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"

enum { HUGE_SIZE = 2 << 20 };

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static uint8_t *reserve_around(size_t size)
{
    size_t guard = page_size();
    size_t align = size >= HUGE_SIZE ? HUGE_SIZE : guard;
    size_t total = size + guard * 2 + align;
    uint8_t *start = mmap(NULL, total, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (start == MAP_FAILED)
        return NULL;

    uint64_t first = bits_align_up((uintptr_t)start + guard, align);
    size_t before = (size_t)(first - (uintptr_t)start) - guard;
    size_t after = total - before - guard * 2 - size;

    if (before)
        munmap(start, before);
    if (after)
        munmap(start + total - after, after);
    return start + before + guard;
}

static void release_around(const uint8_t *view, size_t size)
{
    size_t guard = page_size();

    if (view)
        munmap((uint8_t *)(uintptr_t)view - guard, size + guard * 2);
}

/* The size in whole pages, or 0 with errno set if none can be right. */
static size_t round_size(size_t size)
{
    if (!size || size > SIZE_MAX / 2) {
        errno = EINVAL;
        return 0;
    }
    return (size_t)bits_align_up(size, page_size());
}

bool hostmem_map(struct hostmem *m, size_t size)
{
    *m = (struct hostmem){.size = round_size(size)};
    if (!m->size)
        return false;
    m->rw = reserve_around(m->size);
    if (m->rw && !mprotect(m->rw, m->size, PROT_READ | PROT_WRITE))
        return true;

    int error = errno;

    hostmem_unmap(m);
    errno = error;
    return false;
}

/* A file in memory of a size that nothing can change any more: a view of it
 * can never meet SIGBUS.  -1 with errno set if the host refuses. */
static int make_file(size_t size)
{
    int fd = memfd_create("copal-code", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (!ftruncate(fd, (off_t)size) &&
        !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
        return fd;

    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

/* Of a file, or with fd -1 of memory that other processes made from this one
 * would share. */
static uint8_t *map_view(int fd, size_t size, int rights)
{
    int kind = fd < 0 ? MAP_ANONYMOUS : 0;
    uint8_t *view = reserve_around(size);

    if (!view)
        return NULL;
    if (mmap(view, size, rights, MAP_SHARED | MAP_FIXED | kind, fd, 0) !=
        MAP_FAILED)
        return view;

    int error = errno;

    release_around(view, size);
    errno = error;
    return NULL;
}

/* The second view of memory that has no file, by mremap(2): "if old_size is
 * zero".  Only of such memory does perf(1) look for names in a map file. */
static bool map_twice_without_file(struct hostmem *m)
{
    void *rx;

    m->rw = map_view(-1, m->size, PROT_READ | PROT_WRITE);
    rx = m->rw ? reserve_around(m->size) : NULL;
    m->rx = rx;
    if (rx &&
        mremap(m->rw, 0, m->size, MREMAP_MAYMOVE | MREMAP_FIXED, rx) == rx &&
        !mprotect(rx, m->size, PROT_READ | PROT_EXEC))
        return true;
    hostmem_unmap(m);
    return false;
}

/* Where mremap cannot do it: under qemu-user. */
static bool map_twice_by_file(struct hostmem *m)
{
    int fd = make_file(m->size);

    if (fd < 0)
        return false;
    m->rw = map_view(fd, m->size, PROT_READ | PROT_WRITE);
    if (m->rw)
        m->rx = map_view(fd, m->size, PROT_READ | PROT_EXEC);

    int error = errno;

    close(fd);
    if (m->rx)
        return true;
    hostmem_unmap(m);
    errno = error;
    return false;
}

bool hostmem_map_wx(struct hostmem *m, size_t size)
{
    *m = (struct hostmem){.size = round_size(size)};
    if (!m->size)
        return false;
    if (map_twice_without_file(m))
        return true;
    m->size = round_size(size);
    return map_twice_by_file(m);
}

void hostmem_unmap(struct hostmem *m)
{
    release_around(m->rw, m->size);
    release_around(m->rx, m->size);
    *m = (struct hostmem){0};
}

void hostmem_advise_huge(void *p, size_t size)
{
    uintptr_t start = (uintptr_t)bits_align_up((uintptr_t)p, page_size());
    size_t skipped = start - (uintptr_t)p;
    int error = errno;

    if (size > skipped)
        (void)madvise((uint8_t *)p + skipped, size - skipped, MADV_HUGEPAGE);
    errno = error;
}

/*
 * On AArch64 the store, the cleaning of the data cache and the invalidation
 * of the instruction cache are ordered by address.  The store used one view
 * and the fetch will use the other, so both are named (Arm ARM, "Ordering of
 * cache maintenance instructions").  On x86-64 this is no instruction at all.
 */
void hostmem_sync_code(const struct hostmem *m, size_t at, size_t size)
{
    char *rw = (char *)m->rw + at;
    char *rx = (char *)(uintptr_t)m->rx + at;

    __builtin___clear_cache(rw, rw + size);
    __builtin___clear_cache(rx, rx + size);
}
