#ifndef MACHINE_NEAREST_H
#define MACHINE_NEAREST_H

/*
 * What somebody meant who made a typing mistake: of the names offered, the one
 * with the smallest edit distance, if it is near enough.
 */

#include <stddef.h>

struct nearest {
    const char *word;
    size_t length;
    unsigned distance; /* of best */
    const char *best;  /* NULL: nothing is near */
};

struct nearest nearest_to(const char *word, size_t length);
void nearest_offer(struct nearest *n, const char *name);

/* Insertions, deletions and replacements that turn one word into the other;
 * letters after the 31st do not count. */
unsigned edit_distance(const char *a, size_t a_length, const char *b);

#endif
