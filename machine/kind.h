#ifndef MACHINE_KIND_H
#define MACHINE_KIND_H

/* What a file that somebody wants to boot is, by its magic numbers. */

#include <stdbool.h>
#include <stddef.h>

enum file_kind {
    KIND_UNKNOWN,
    KIND_BZIMAGE, /* Linux/x86 boot protocol, "HdrS" at 202 */
    KIND_ELF,
    KIND_ISO,  /* ISO 9660: "CD001" at 8001 */
    KIND_DISK, /* 55 aa at 1fe: floppy or hard disk */
};

/* False with one sentence in error if the file cannot be read. */
bool kind_of_file(const char *path, enum file_kind *kind, char *error,
                  size_t error_size);

/* "an ISO image", for a sentence. */
const char *kind_name(enum file_kind kind);

#endif
