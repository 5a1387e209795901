#include "devices/host/chardev_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/log.h"

static void report(struct chardev_file *f, int error)
{
    if (!f->has_failed)
        log_host("Output to '%s' is being lost: %s.", f->chr.name,
                 strerror(error));
    f->has_failed = true;
}

static void chardev_file_write(struct chardev *c, const uint8_t *data,
                               size_t size)
{
    struct chardev_file *f = container_of(c, struct chardev_file, chr);

    while (size) {
        ssize_t done = write(f->fd, data, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            report(f, done ? errno : ENOSPC);
            return;
        }
        data += done;
        size -= (size_t)done;
    }
}

bool chardev_file_open(struct chardev_file *f, const char *path)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK;

    *f = (struct chardev_file){
        .chr = {.name = path, .write = chardev_file_write}};
    f->fd = open(path, flags, 0666);
    return f->fd >= 0;
}

void chardev_file_close(struct chardev_file *f)
{
    close(f->fd);
}
