#include "machine/nearest.h"

#include <string.h>

enum { LONGEST = 31 };

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    if (b < a)
        a = b;
    return c < a ? c : a;
}

/* One row of the table at a time (Wagner and Fischer, 1974). */
unsigned edit_distance(const char *a, size_t a_length, const char *b)
{
    size_t b_length = strnlen(b, LONGEST);
    unsigned row[LONGEST + 1];

    if (a_length > LONGEST)
        a_length = LONGEST;
    for (unsigned j = 0; j <= b_length; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = smallest(row[j] + 1, row[j - 1] + 1, replaced);
        }
    }
    return row[b_length];
}

/* Near enough: a third of the word may be wrong, and one letter of any. */
struct nearest nearest_to(const char *word, size_t length)
{
    unsigned limit = (unsigned)(length < LONGEST ? length : LONGEST) / 3;

    return (struct nearest){word, length, (limit ? limit : 1) + 1, NULL};
}

void nearest_offer(struct nearest *n, const char *name)
{
    unsigned distance = edit_distance(n->word, n->length, name);

    if (distance >= n->distance)
        return;
    n->distance = distance;
    n->best = name;
}
