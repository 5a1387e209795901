#include "tests/diff/memory.h"

#include "tests/diff/layout.h"
#include "tests/diff/values.h"

static uint64_t cut(uint64_t v, unsigned bytes)
{
    return bytes == 8 ? v : v & (((uint64_t)1 << 8 * bytes) - 1);
}

uint64_t memory_operand(const struct test_case *c, const struct insn *in)
{
    uint64_t ea = (uint64_t)in->disp;

    if (in->base == REG_RIP)
        ea += c->code_at + in->len; /* the first instruction */
    else if (in->base != REG_NONE)
        ea += c->in.gpr[in->base];
    if (in->index != REG_NONE && !in->vsib)
        ea += c->in.gpr[in->index] << in->scale;
    ea = cut(ea, in->addrsize) + build_segment_base(c, in->seg);
    return c->kind == CODE_64 ? ea : (uint32_t)ea;
}

uint64_t memory_stack_base(const struct test_case *c)
{
    return build_segment_base(c, SS);
}

static const struct patch *patch_at(const struct test_case *c, uint64_t at)
{
    for (unsigned i = 0; i < c->patch_count; i++)
        if (at - c->patch[i].at < PATCH_SIZE)
            return &c->patch[i];
    return NULL;
}

bool memory_spot(struct plan *p, uint32_t at)
{
    struct test_case *c = p->c;
    struct patch *patch;

    at &= ~(uint32_t)(PATCH_SIZE - 1);
    if (page_of(at) >= RW_PAGES || c->patch_count == PATCHES)
        return false;
    if (patch_at(c, at))
        return true;
    patch = &c->patch[c->patch_count++];
    patch->at = at;
    value_fill(p->rng, (enum value_kind)rng_below(p->rng, VALUE_KINDS),
               patch->bytes, PATCH_SIZE);
    return true;
}

void memory_put(struct plan *p, uint64_t at, const uint8_t *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t la = at + i;
        struct patch *patch;

        if (la >> 32 || !memory_spot(p, (uint32_t)la))
            continue;
        patch = (struct patch *)patch_at(p->c, la);
        patch->bytes[la - patch->at] = bytes[i];
    }
}

bool memory_get(const struct test_case *c, uint64_t at, uint8_t *bytes,
                unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct patch *patch = patch_at(c, at + i);

        if (!patch)
            return false;
        bytes[i] = patch->bytes[at + i - patch->at];
    }
    return true;
}
