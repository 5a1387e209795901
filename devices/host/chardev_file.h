#ifndef DEVICES_HOST_CHARDEV_FILE_H
#define DEVICES_HOST_CHARDEV_FILE_H

/*
 * A stream of bytes into a file of the host: output only.
 *
 * The file is emptied when it is opened.  A byte is in the file as soon as it
 * was written.  What a full disk or a full pipe does not take is lost, and
 * said once.
 */

#include <stdbool.h>

#include "devices/host/chardev.h"

struct chardev_file {
    struct chardev chr;
    int fd;
    bool has_failed;
};

/* False, with errno set, if the file cannot be opened; a FIFO must have a
 * reader. */
bool chardev_file_open(struct chardev_file *f, const char *path);
void chardev_file_close(struct chardev_file *f);

#endif
