#include "tests/diff/case.h"

#include <string.h>

#include "base/bytes.h"
#include "tests/diff/layout.h"
#include "tests/diff/random.h"

uint64_t case_cs_base(enum code_kind kind)
{
    switch (kind) {
    case CODE_32_LDT: return ldt_entry(LDT_CODE32 >> 3).base;
    case CODE_16: return ldt_entry(LDT_CODE16 >> 3).base;
    default: return 0;
    }
}

const char *case_kind_name(enum code_kind kind)
{
    static const char *const names[CODE_KINDS] = {
        "64-bit", "32-bit", "32-bit based", "16-bit",
    };

    return names[kind];
}

static void put_jump(uint8_t *at, uint32_t la, uint32_t slot)
{
    at[0] = 0xff;
    at[1] = 0x25;
    store32(at + 2, slot - (la + 6));
}

void layout_exit_page(uint8_t *page)
{
    memset(page, CODE_FILL, EXIT_SIZE);
    put_jump(page, EXIT_PAGE, EXIT_SLOT);
    put_jump(page + (EXIT_STOP - EXIT_PAGE), EXIT_STOP, EXIT_OUT);
    store64(page + (EXIT_SLOT - EXIT_PAGE), EXIT_STOP);
}

/* JMP [EXIT_SLOT], or a far jump to the 64-bit code that does it. */
static unsigned put_exit(const struct test_case *c, uint8_t *at, uint32_t la)
{
    unsigned n = 0;

    if (c->kind == CODE_64) {
        put_jump(at, la, EXIT_SLOT);
        return 6;
    }
    if (c->kind == CODE_16)
        at[n++] = 0x66;
    at[n++] = 0xea;
    store32(at + n, EXIT_PAGE);
    store16(at + n + 4, USER_CS64);
    return n + 6;
}

static bool put_branch(struct test_case *c, struct item *it, unsigned end)
{
    unsigned to = it->target < c->count ? c->item[it->target].offset : end;
    int32_t delta = (int32_t)to - (int32_t)(it->offset + it->len);
    uint8_t *at = it->bytes + it->len - it->rel;

    if (it->rel == 1 && (delta < -128 || delta > 127))
        return false;
    if (it->rel == 1)
        at[0] = (uint8_t)delta;
    else if (it->rel == 2)
        store16(at, (uint16_t)delta);
    else
        store32(at, (uint32_t)delta);
    memcpy(c->code + it->offset, it->bytes, it->len);
    return true;
}

bool case_lay_out(struct test_case *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->count; i++) {
        c->item[i].offset = (uint16_t)n;
        memcpy(c->code + n, c->item[i].bytes, c->item[i].len);
        n += c->item[i].len;
    }
    for (unsigned i = 0; i < c->count; i++) {
        if (c->item[i].target != ITEM_NO_TARGET &&
            !put_branch(c, &c->item[i], n))
            return false;
    }
    c->code_size = (uint16_t)(n + put_exit(c, c->code + n, c->code_at + n));
    c->in.rip = c->code_at - case_cs_base(c->kind);
    return c->code_at + c->code_size <= CODE + CODE_SIZE;
}

unsigned case_item_at(const struct test_case *c, uint64_t at)
{
    unsigned i = 0;

    while (i < c->count && c->item[i].offset + c->item[i].len <= at)
        i++;
    return i;
}

void case_base_image(uint8_t image[][0x1000])
{
    struct rng r = {20261121};

    for (unsigned p = 0; p < DATA_PAGES; p++)
        for (unsigned k = 0; k < PAGE; k += 8)
            store64(image[p] + k, rng_next(&r));
}
