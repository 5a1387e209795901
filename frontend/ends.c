#include "frontend/ends.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Two wires into one file share it. */
static struct chardev *find_file(struct ends *e, const char *path)
{
    for (unsigned i = 0; i < e->file_count; i++)
        if (!strcmp(e->files[i].chr.name, path))
            return &e->files[i].chr;
    return NULL;
}

static struct chardev *open_file(struct ends *e, const char *path,
                                 char error[CONFIG_ERROR])
{
    struct chardev *found = find_file(e, path);
    struct chardev_file *f = &e->files[e->file_count];

    if (found)
        return found;
    if (chardev_file_open(f, path)) {
        e->file_count++;
        return &f->chr;
    }
    snprintf(error, CONFIG_ERROR, "Cannot write to '%.300s': %s.", path,
             strerror(errno));
    return NULL;
}

/* NULL with a sentence in error. */
static struct chardev *open_end(struct ends *e, const struct chardev_spec *spec,
                                char error[CONFIG_ERROR])
{
    switch (spec->kind) {
    case CHARDEV_STDIO: return &e->term.chr;
    case CHARDEV_FILE: return open_file(e, spec->path, error);
    case CHARDEV_NULL:
    case CHARDEV_UNSET: break;
    }
    return &e->null;
}

static bool open_all(struct ends *e, const struct config *cfg,
                     struct pc_host *host, char error[CONFIG_ERROR])
{
    host->com1 = open_end(e, &cfg->serial, error);
    if (!host->com1)
        return false;
    for (unsigned i = 0; i < cfg->debugcon_count; i++) {
        host->debugcon[i] = open_end(e, &cfg->debugcon[i].host, error);
        if (!host->debugcon[i])
            return false;
    }
    return true;
}

bool ends_open(struct ends *e, const struct config *cfg, struct pc_host *host,
               char error[CONFIG_ERROR])
{
    memset(e, 0, sizeof(*e));
    memset(host, 0, sizeof(*host));
    e->null.name = "null";
    if (!term_init(&e->term)) {
        snprintf(error, CONFIG_ERROR,
                 "The host refuses what a terminal "
                 "needs: %s.",
                 strerror(errno));
        return false;
    }
    if (open_all(e, cfg, host, error))
        return true;
    ends_close(e);
    return false;
}

void ends_close(struct ends *e)
{
    for (unsigned i = 0; i < e->file_count; i++)
        chardev_file_close(&e->files[i]);
    term_destroy(&e->term);
}
