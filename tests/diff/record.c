#include "tests/diff/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/diff/random.h"

enum { HEADER = 64, VERSION = 1, RUN_MAX = 255, GAP = 3 };

static const char magic[8] = "CPLDIFF";

/* Of the rows and of the generator's output: a case made with each kind. */
static uint64_t checksum(const struct generator *g)
{
    uint64_t sum = VERSION + INSN_COUNT;
    struct test_case *c = calloc(1, sizeof(*c));

    for (unsigned row = 0; row < INSN_COUNT; row++)
        for (const char *p = insn_info[row].id; *p; p++)
            sum = rng_mix_in(sum, (uint8_t)*p);
    for (uint64_t k = 0; c && k < 300; k++) {
        if (!generate(g, k, c))
            continue;
        for (unsigned i = 0; i < c->code_size; i++)
            sum = rng_mix_in(sum, c->code[i]);
    }
    free(c);
    return sum;
}

static void put_header(uint8_t h[HEADER], const struct generator *g)
{
    uint8_t kinds = 0;

    for (unsigned k = 0; k < CODE_KINDS; k++)
        kinds = (uint8_t)(kinds | (g->kinds[k] ? 1 << k : 0));
    memset(h, 0, HEADER);
    memcpy(h, magic, 8);
    store64(h + 8, g->seed);
    store64(h + 16, g->features.word[0]);
    store64(h + 24, g->features.word[1]);
    store64(h + 32, g->host.word[0]);
    store64(h + 40, g->host.word[1]);
    store64(h + 48, checksum(g));
    h[56] = kinds;
}

FILE *record_create(const char *path, const struct generator *g,
                    uint64_t first)
{
    FILE *f = fopen(path, "wb");
    uint8_t h[HEADER];

    (void)first;
    put_header(h, g);
    if (f && fwrite(h, HEADER, 1, f) == 1)
        return f;
    perror(path);
    if (f)
        fclose(f);
    return NULL;
}

FILE *record_open(const char *path, struct generator *g)
{
    FILE *f = fopen(path, "rb");
    uint8_t h[HEADER];

    if (!f || fread(h, HEADER, 1, f) != 1 || memcmp(h, magic, 8)) {
        fprintf(stderr, "%s: not a recording\n", path);
        if (f)
            fclose(f);
        return NULL;
    }
    memset(g, 0, sizeof(*g));
    g->seed = load64(h + 8);
    g->features = (struct feature_set){{load64(h + 16), load64(h + 24)}};
    g->host = (struct feature_set){{load64(h + 32), load64(h + 40)}};
    g->only = -1;
    for (unsigned k = 0; k < CODE_KINDS; k++)
        g->kinds[k] = h[56] >> k & 1;
    generator_init(g);
    if (checksum(g) == load64(h + 48))
        return f;
    fprintf(stderr, "%s: made by another version of the tables\n", path);
    fclose(f);
    return NULL;
}

/* --- what differs between two blocks of bytes --- */

static void put16(FILE *f, unsigned v)
{
    fputc((int)(v & 0xff), f);
    fputc((int)(v >> 8), f);
}

static void put_delta(FILE *f, const uint8_t *from, const uint8_t *to,
                      unsigned n)
{
    for (unsigned at = 0; at < n;) {
        unsigned end = at, same = 0;

        if (from[at] == to[at]) {
            at++;
            continue;
        }
        for (unsigned k = at; k < n && k - at < RUN_MAX && same <= GAP; k++) {
            same = from[k] == to[k] ? same + 1 : 0;
            if (!same)
                end = k + 1;
        }
        put16(f, at);
        fputc((int)(end - at), f);
        fwrite(to + at, 1, end - at, f);
        at = end;
    }
    put16(f, 0xffff);
}

static unsigned get16(FILE *f)
{
    int low = fgetc(f), high = fgetc(f);

    return low < 0 || high < 0 ? 0x10000 : (unsigned)(low | high << 8);
}

/* False: the file is not right. */
static bool get_delta(FILE *f, uint8_t *to, unsigned n)
{
    for (;;) {
        unsigned at = get16(f), size;

        if (at == 0xffff)
            return true;
        size = (unsigned)fgetc(f);
        if (at >= n || size > n - at || fread(to + at, 1, size, f) != size)
            return false;
    }
}

/* --- cases --- */

/* The pages as they are when the case starts. */
static void start_pages(const struct test_case *c, uint8_t out[RW_PAGES][PAGE])
{
    uint8_t base[DATA_PAGES][PAGE];

    case_base_image(base);
    memcpy(out, base, RW_PAGES * sizeof(base[0]));
    for (unsigned i = 0; i < c->patch_count; i++)
        memcpy(out[page_of(c->patch[i].at)] + (c->patch[i].at & (PAGE - 1)),
               c->patch[i].bytes, PATCH_SIZE);
}

void record_case(FILE *f, const struct test_case *c, const struct outcome *host,
                 uint8_t pages[RW_PAGES][PAGE])
{
    uint8_t head[24], start[RW_PAGES][PAGE];

    store64(head, c->number);
    store32(head + 8, (uint32_t)host->vector);
    store32(head + 12, host->error);
    store64(head + 16, host->cr2);
    fwrite(head, sizeof(head), 1, f);
    put_delta(f, (const uint8_t *)&c->in, (const uint8_t *)&host->state,
              sizeof(c->in));
    start_pages(c, start);
    put_delta(f, start[0], pages[0], sizeof(start));
}

bool record_next(FILE *f, const struct generator *g, struct test_case *c,
                 struct outcome *host, uint8_t pages[RW_PAGES][PAGE], bool *bad)
{
    uint8_t head[24];

    *bad = false;
    if (fread(head, sizeof(head), 1, f) != 1)
        return false;
    *bad = true;
    if (!generate(g, load64(head), c))
        return false;
    host->vector = (int32_t)load32(head + 8);
    host->error = load32(head + 12);
    host->cr2 = load64(head + 16);
    host->state = c->in;
    if (!get_delta(f, (uint8_t *)&host->state, sizeof(c->in)))
        return false;
    start_pages(c, pages);
    *bad = !get_delta(f, pages[0], RW_PAGES * PAGE);
    return !*bad;
}
