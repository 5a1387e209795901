#include "machine/bios.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static bool is_bios_size(const struct stat *st)
{
    uint64_t size = (uint64_t)st->st_size;

    return S_ISREG(st->st_mode) && size && size <= BOARD_BIOS_MAX &&
           size % BOARD_BIOS_UNIT == 0;
}

static bool read_all(int fd, uint8_t *to, size_t size)
{
    while (size) {
        ssize_t got = read(fd, to, size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        size -= (size_t)got;
    }
    return true;
}

static bool read_open(struct pc *pc, int fd, const char *path,
                      char error[PC_ERROR])
{
    struct stat st;

    if (fstat(fd, &st) || !is_bios_size(&st)) {
        snprintf(error, PC_ERROR,
                 "'%s' cannot be a firmware image: that is a "
                 "file of a multiple of 64 KiB, at most 8 MiB.",
                 path);
        return false;
    }
    pc->bios_size = (uint64_t)st.st_size;
    pc->bios = xalloc((size_t)st.st_size);
    if (read_all(fd, pc->bios, (size_t)st.st_size))
        return true;
    snprintf(error, PC_ERROR, "Cannot read the firmware image '%s'.", path);
    free(pc->bios);
    pc->bios = NULL;
    return false;
}

bool bios_read(struct pc *pc, const char *path, char error[PC_ERROR])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    if (fd < 0) {
        snprintf(error, PC_ERROR, "Cannot open the firmware image '%s': %s.",
                 path, strerror(errno));
        return false;
    }
    ok = read_open(pc, fd, path, error);
    close(fd);
    return ok;
}

void bios_place(struct pc *pc)
{
    uint64_t low = pc->bios_size < BOARD_ROM_AREA_BIOS ? pc->bios_size
                                                       : BOARD_ROM_AREA_BIOS;
    uint8_t *ram = pc->mem.ram.mem.rw;

    memcpy(ram + pc->cfg->ram_size, pc->bios, pc->bios_size);
    memcpy(ram + BOARD_HIGH_START - low, pc->bios + (pc->bios_size - low), low);
}
