#include "machine/kind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_MAGIC = 8 };

struct magic {
    enum file_kind kind;
    long at;
    const char *bytes;
};

/* The first one that matches; a bzImage has the signature of a disk too. */
static const struct magic magics[] = {
    {KIND_ELF, 0, "\177ELF"},    {KIND_BZIMAGE, 0x202, "HdrS"},
    {KIND_ISO, 0x8001, "CD001"}, {KIND_DISK, 0x1fe, "\x55\xaa"},
    {KIND_UNKNOWN, 0, NULL},
};

static bool has_magic(int fd, const struct magic *m)
{
    size_t length = strlen(m->bytes);
    char found[LONGEST_MAGIC];

    return length <= sizeof(found) &&
           pread(fd, found, length, m->at) == (ssize_t)length &&
           !memcmp(found, m->bytes, length);
}

static enum file_kind kind_of_open(int fd)
{
    for (const struct magic *m = magics; m->bytes; m++)
        if (has_magic(fd, m))
            return m->kind;
    return KIND_UNKNOWN;
}

/* Without O_NONBLOCK, opening a FIFO would wait for a writer. */
bool kind_of_file(const char *path, enum file_kind *kind, char *error,
                  size_t error_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0) {
        snprintf(error, error_size, "Cannot open '%s': %s.", path,
                 strerror(errno));
        return false;
    }
    if (!fstat(fd, &st) && S_ISDIR(st.st_mode)) {
        snprintf(error, error_size, "'%s' is a directory; name a file to boot.",
                 path);
        close(fd);
        return false;
    }
    *kind = kind_of_open(fd);
    close(fd);
    return true;
}

const char *kind_name(enum file_kind kind)
{
    switch (kind) {
    case KIND_BZIMAGE: return "a Linux kernel";
    case KIND_ELF: return "an ELF kernel";
    case KIND_ISO: return "an ISO image";
    case KIND_DISK: return "a disk image";
    case KIND_UNKNOWN: break;
    }
    return "neither a Linux kernel nor an ELF file";
}
