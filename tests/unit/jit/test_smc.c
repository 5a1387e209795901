/*
 * Self-modifying code: whoever changes bytes that were executed before -- the
 * running block itself, a helper, an SSE store, another mapping, a device --
 * the next execution is of the new bytes, in both engines (SDM vol. 3, 8.1.3
 * and 11.6).  Data beside code costs no translation.
 *
 * Every program is 64-bit code at BOX_CODE and halts with its result in RBX.
 */

#include "mem/dma.h"
#include "tests/unit/jit/engines.h"
#include "tests/unit/suite.h"

enum {
    PATCH = BOX_CODE + 0x40,    /* an instruction that is patched */
    OTHER = BOX_CODE + 0x1000,  /* a function in another page */
    ALIAS = 0x300000,           /* linear page that leads to OTHER's */
    ALIAS2 = 0x301000,          /* a second one */
    SPARE = 0x200000,           /* a physical page to map elsewhere */
    STRADDLE = BOX_CODE + 0x2ffd, /* an instruction across a page end */
    BEHIND = BOX_CODE + 0x3000, /* the page it ends in */
    DEVICE = 0x3f0000,          /* a register that starts DMA */
    LOOPS = 1000,
};

typedef void program(struct pen *p);

/* --- pieces of code --- */

static void mov_byte(struct pen *p, uint32_t to, uint8_t v)
{
    PEN(p, 0xc6, 0x04, 0x25); /* MOV byte [to], v */
    pen_32(p, to);
    PEN(p, v);
}

static void mov_ebx(struct pen *p, uint32_t v)
{
    PEN(p, 0xbb);
    pen_32(p, v);
}

static void mov_ecx(struct pen *p, uint32_t v)
{
    PEN(p, 0xb9);
    pen_32(p, v);
}

static void jump(struct pen *p, uint8_t opcode, paddr to)
{
    PEN(p, opcode);
    pen_32(p, (uint32_t)(to - (p->at + 4)));
}

static void call(struct pen *p, paddr to)
{
    jump(p, 0xe8, to);
}

static void add_ebx_eax(struct pen *p)
{
    PEN(p, 0x01, 0xc3);
}

static void hlt(struct pen *p)
{
    PEN(p, 0xf4);
}

/* MOV EAX, v; RET at `to`. */
static void function(struct box *b, paddr to, uint8_t v)
{
    struct pen p = {b, to};

    PEN(&p, 0xb8, v, 0, 0, 0, 0xc3);
}

/* DEC ECX; JNZ start. */
static void loop_to(struct pen *p, paddr start)
{
    PEN(p, 0xff, 0xc9, 0x0f, 0x85);
    pen_32(p, (uint32_t)(start - (p->at + 4)));
}

static void map_page(struct pen *p, uint32_t la, uint32_t pa)
{
    PEN(p, 0x48, 0xc7, 0x04, 0x25); /* MOV qword [entry], pa | 3 */
    pen_32(p, (uint32_t)(BOX_PT + la / PAGE_SIZE * 8));
    pen_32(p, (uint32_t)box_entry(pa));
}

static void invlpg(struct pen *p, uint32_t la)
{
    PEN(p, 0x0f, 0x01, 0x3c, 0x25);
    pen_32(p, la);
}

static void reload_cr3(struct pen *p)
{
    PEN(p, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
}

/* --- running --- */

static struct box *prepare(program *write, enum engine_kind kind)
{
    struct box *b = engines_box(box_new_long(), kind);
    struct pen p = {b, BOX_CODE};

    engines_enable_sse(&b->cpu);
    b->cpu.gpr[RBX] = 0;
    write(&p);
    return b;
}

static void expect(program *write, uint64_t rbx)
{
    for (unsigned k = 0; k < ENGINE_KINDS; k++) {
        struct box *b = prepare(write, (enum engine_kind)k);

        box_run(b);
        ck_assert_msg(b->cpu.gpr[RBX] == rbx, "%s: rbx %#llx, not %#llx",
                      engines_name((enum engine_kind)k),
                      (unsigned long long)b->cpu.gpr[RBX],
                      (unsigned long long)rbx);
        box_free(b);
    }
}

/* --- stores into the running block --- */

static void store_ahead(struct pen *p)
{
    mov_byte(p, PATCH + 1, 2);
    PEN(p, 0x01, 0xc9, 0x11, 0xd2);
    pen_pad(p, PATCH);
    mov_ebx(p, 1);
    hlt(p);
}

START_TEST(test_a_store_ahead_in_the_same_block_is_seen)
{
    expect(store_ahead, 2);
}
END_TEST

static void store_next(struct pen *p)
{
    mov_byte(p, (uint32_t)p->at + 8 + 1, 2);
    mov_ebx(p, 1);
    hlt(p);
}

START_TEST(test_a_store_into_the_next_instruction_is_seen)
{
    expect(store_next, 2);
}
END_TEST

/* ADD byte [its own immediate], 1: doubles it each time round. */
static void store_self(struct pen *p)
{
    paddr start;

    mov_ecx(p, 3);
    start = p->at;
    PEN(p, 0x80, 0x05, 0xff, 0xff, 0xff, 0xff, 0x01);
    loop_to(p, start);
    PEN(p, 0x0f, 0xb6, 0x1c, 0x25); /* MOVZX EBX, byte [immediate] */
    pen_32(p, (uint32_t)start + 6);
    hlt(p);
}

START_TEST(test_a_store_into_itself_counts_the_next_time)
{
    expect(store_self, 8);
}
END_TEST

/* MOV byte [its own opcode], HLT's: the instruction is done as it was when it
 * began. */
static void store_own_opcode(struct pen *p)
{
    paddr at;

    mov_ebx(p, 1);
    at = p->at;
    mov_byte(p, (uint32_t)at, 0xf4);
    PEN(p, 0x0f, 0xb6, 0x1c, 0x25); /* MOVZX EBX, byte [it] */
    pen_32(p, (uint32_t)at);
    hlt(p);
}

START_TEST(test_a_store_over_its_own_opcode_is_completed)
{
    expect(store_own_opcode, 0xf4);
}
END_TEST

/* The store changes the opcode of what follows: INC EBX becomes DEC EBX. */
static void store_opcode(struct pen *p)
{
    mov_ebx(p, 5);
    mov_byte(p, (uint32_t)p->at + 8 + 1, 0xcb);
    PEN(p, 0xff, 0xc3, 0xff, 0xcb);
    hlt(p);
}

START_TEST(test_a_changed_opcode_is_decoded_again)
{
    expect(store_opcode, 3);
}
END_TEST

/* A store that begins before the block and ends in it. */
static void store_across_start(struct pen *p)
{
    paddr start;

    mov_ecx(p, 2);
    jump(p, 0xe9, PATCH);
    pen_pad(p, PATCH);
    start = p->at;
    PEN(p, 0x83, 0xc3, 0x01);             /* ADD EBX, 1 */
    PEN(p, 0x48, 0xc7, 0x04, 0x25);       /* MOV qword [PATCH - 5] */
    pen_32(p, PATCH - 5);
    pen_32(p, (uint32_t)-1);
    PEN(p, 0x48, 0xb8);                   /* MOV RAX, imm64 */
    pen_64(p, 0x10c3839090909090);        /* ... ADD EBX, 16 */
    PEN(p, 0x48, 0x89, 0x04, 0x25);
    pen_32(p, PATCH - 5);
    loop_to(p, start);
    hlt(p);
}

START_TEST(test_a_store_that_reaches_into_a_block_drops_it)
{
    expect(store_across_start, 17);
}
END_TEST

static void rewrite(struct pen *p)
{
    paddr start;

    mov_ecx(p, LOOPS);
    start = p->at;
    PEN(p, 0x89, 0x0c, 0x25); /* MOV [PATCH + 1], ECX */
    pen_32(p, PATCH + 1);
    pen_pad(p, PATCH);
    PEN(p, 0xb8, 0, 0, 0, 0); /* MOV EAX, imm32 */
    add_ebx_eax(p);
    loop_to(p, start);
    hlt(p);
}

START_TEST(test_code_rewritten_a_thousand_times_is_right_each_time)
{
    expect(rewrite, LOOPS * (LOOPS + 1) / 2);
}
END_TEST

/* --- stores by all kinds of instructions --- */

static void patch_by_stos(struct pen *p)
{
    PEN(p, 0xbf); /* MOV EDI, PATCH; five times 90 */
    pen_32(p, PATCH);
    mov_ecx(p, 5);
    mov_ebx(p, 7);
    PEN(p, 0xb0, 0x90, 0xfc, 0xf3, 0xaa);
    pen_pad(p, PATCH);
    mov_ebx(p, 1);
    hlt(p);
}

static void patch_by_movs(struct pen *p)
{
    struct pen source = {p->box, SPARE};

    mov_ebx(&source, 7);
    PEN(p, 0xbf);
    pen_32(p, PATCH);
    PEN(p, 0xbe);
    pen_32(p, SPARE);
    mov_ecx(p, 5);
    PEN(p, 0xfc, 0xf3, 0xa4);
    pen_pad(p, PATCH);
    mov_ebx(p, 1);
    hlt(p);
}

/* MOVUPS [PATCH], XMM0, in two shapes: 16 bytes, and 8 by MOVQ. */
static void patch_by_sse(struct pen *p, bool wide)
{
    static const uint8_t code[16] = {0xbb, 7, 0, 0, 0, 0x90, 0x90, 0x90,
                                     0xf4, 0xf4, 0xf4, 0xf4};

    memcpy(&p->box->cpu.xmm[0], code, sizeof(code));
    PEN(p, 0x0f, 0x57, 0xc9); /* XORPS XMM1, XMM1 */
    if (wide)
        PEN(p, 0x0f, 0x11, 0x04, 0x25);
    else
        PEN(p, 0x66, 0x0f, 0xd6, 0x04, 0x25);
    pen_32(p, PATCH);
    pen_pad(p, PATCH);
    mov_ebx(p, 1);
    PEN(p, 0x90, 0x90, 0x90);
    hlt(p);
}

static void patch_by_movups(struct pen *p)
{
    patch_by_sse(p, true);
}

static void patch_by_movq(struct pen *p)
{
    patch_by_sse(p, false);
}

static void patch_by_xchg(struct pen *p)
{
    PEN(p, 0xb2, 7);                /* MOV DL, 7 */
    PEN(p, 0x86, 0x14, 0x25);       /* XCHG [PATCH + 1], DL */
    pen_32(p, PATCH + 1);
    pen_pad(p, PATCH);
    mov_ebx(p, 1);
    hlt(p);
}

static void patch_by_locked_add(struct pen *p)
{
    PEN(p, 0xf0, 0x80, 0x04, 0x25); /* LOCK ADD byte [PATCH + 1], 6 */
    pen_32(p, PATCH + 1);
    PEN(p, 6);
    pen_pad(p, PATCH);
    mov_ebx(p, 1);
    hlt(p);
}

static void patch_by_push(struct pen *p)
{
    PEN(p, 0x48, 0xb8); /* MOV RAX, code */
    pen_64(p, 0x90909000000007bb);
    PEN(p, 0xbc);       /* MOV ESP, PATCH + 8 */
    pen_32(p, PATCH + 8);
    PEN(p, 0x50);
    pen_pad(p, PATCH);
    mov_ebx(p, 1);
    PEN(p, 0x90, 0x90, 0x90);
    hlt(p);
}

/* FSTP qword [PATCH]: a helper. */
static void patch_by_fstp(struct pen *p)
{
    struct pen source = {p->box, SPARE};

    pen_64(&source, 0x44909000000007bb); /* a finite double */
    PEN(p, 0xdb, 0xe3, 0xdd, 0x04, 0x25); /* FNINIT; FLD qword [SPARE] */
    pen_32(p, SPARE);
    PEN(p, 0xdd, 0x1c, 0x25);
    pen_32(p, PATCH);
    pen_pad(p, PATCH);
    mov_ebx(p, 1);
    PEN(p, 0x90, 0x90, 0x90);
    hlt(p);
}

START_TEST(test_every_kind_of_store_is_seen)
{
    expect(patch_by_stos, 7);
    expect(patch_by_movs, 7);
    expect(patch_by_movups, 7);
    expect(patch_by_movq, 7);
    expect(patch_by_xchg, 7);
    expect(patch_by_locked_add, 7);
    expect(patch_by_push, 7);
    expect(patch_by_fstp, 7);
}
END_TEST

/* --- other pages and other mappings --- */

static void store_other_page(struct pen *p)
{
    function(p->box, OTHER, 1);
    call(p, OTHER);
    add_ebx_eax(p);
    mov_byte(p, OTHER + 1, 4);
    call(p, OTHER);
    add_ebx_eax(p);
    hlt(p);
}

START_TEST(test_a_store_into_another_page_is_seen)
{
    expect(store_other_page, 5);
}
END_TEST

/* Calls through a register, which the jump cache remembers. */
static void store_indirect(struct pen *p)
{
    paddr start;

    function(p->box, OTHER, 1);
    mov_ecx(p, 10);
    start = p->at;
    PEN(p, 0xb8);
    pen_32(p, OTHER);
    PEN(p, 0xff, 0xd0); /* CALL RAX */
    add_ebx_eax(p);
    PEN(p, 0x88, 0x0c, 0x25); /* MOV [OTHER + 1], CL */
    pen_32(p, OTHER + 1);
    loop_to(p, start);
    hlt(p);
}

START_TEST(test_an_indirect_call_finds_the_new_code)
{
    expect(store_indirect, 1 + 54);
}
END_TEST

static void alias(struct box *b, laddr la)
{
    store64(box_at(b, BOX_PT) + la / PAGE_SIZE * 8, box_entry(OTHER));
    mmu_invlpg(&b->cpu.mmu, la);
}

/* Stores through two aliases and runs through three addresses. */
static void store_alias(struct pen *p)
{
    paddr start;

    function(p->box, OTHER, 1);
    alias(p->box, ALIAS);
    alias(p->box, ALIAS2);
    mov_ecx(p, 10);
    start = p->at;
    call(p, OTHER);
    add_ebx_eax(p);
    call(p, ALIAS);
    add_ebx_eax(p);
    mov_byte(p, ALIAS + 1, 16);
    call(p, OTHER);
    add_ebx_eax(p);
    call(p, ALIAS);
    add_ebx_eax(p);
    mov_byte(p, ALIAS2 + 1, 1);
    loop_to(p, start);
    hlt(p);
}

START_TEST(test_a_store_through_a_second_mapping_is_seen)
{
    expect(store_alias, 10 * (1 + 1 + 16 + 16));
}
END_TEST

/* The data page becomes a code page while its write entry is in use. */
static void data_becomes_code(struct pen *p)
{
    paddr start;

    mov_ecx(p, 20);
    start = p->at;
    PEN(p, 0xc7, 0x04, 0x25); /* MOV dword [OTHER], MOV EAX, ... */
    pen_32(p, OTHER);
    pen_32(p, 0x000000b8);
    PEN(p, 0x88, 0x0c, 0x25); /* MOV [OTHER + 1], CL */
    pen_32(p, OTHER + 1);
    PEN(p, 0xc7, 0x04, 0x25); /* ... RET */
    pen_32(p, OTHER + 4);
    pen_32(p, 0x0000c300);
    call(p, OTHER);
    add_ebx_eax(p);
    loop_to(p, start);
    hlt(p);
}

START_TEST(test_a_page_written_and_run_in_turn_is_right)
{
    expect(data_becomes_code, 210);
}
END_TEST

/* --- data beside code --- */

static void data_beside(struct pen *p, paddr data)
{
    paddr start;

    mov_ecx(p, LOOPS);
    start = p->at;
    PEN(p, 0x89, 0x0c, 0x25); /* MOV [data], ECX */
    pen_32(p, (uint32_t)data);
    PEN(p, 0x03, 0x1c, 0x25); /* ADD EBX, [data] */
    pen_32(p, (uint32_t)data);
    PEN(p, 0x83, 0x04, 0x25); /* ADD dword [data + 4], 1 */
    pen_32(p, (uint32_t)data + 4);
    PEN(p, 1);
    loop_to(p, start);
    hlt(p);
}

static void data_in_granule(struct pen *p)
{
    data_beside(p, BOX_CODE + CODE_GRANULE - 8);
}

static void data_in_page(struct pen *p)
{
    data_beside(p, BOX_CODE + 0x800);
}

START_TEST(test_data_beside_code_translates_nothing_again)
{
    static program *const programs[] = {data_in_granule, data_in_page};

    for (unsigned k = 0; k < 2; k++) {
        struct box *b = prepare(programs[k], BY_JIT);

        expect(programs[k], LOOPS * (LOOPS + 1) / 2);
        box_run(b);
        ck_assert_uint_eq(b->stats.code_invalidate, 0);
        ck_assert_uint_le(b->stats.blocks_translated, 4);
        printf("data beside code, %s: %llu of %u loads and stores by the "
               "interpreter\n", k ? "same page" : "same granule",
               (unsigned long long)b->stats.bails, 3 * LOOPS);
        box_free(b);
    }
}
END_TEST

/* --- pages mapped elsewhere --- */

/* A function across a page end; its second page is mapped to SPARE, and
 * back, by INVLPG or by CR3. */
static void straddle(struct pen *p, bool by_cr3)
{
    struct pen spare = {p->box, SPARE};
    paddr start;

    function(p->box, STRADDLE, 3); /* b8 03 00 | 00 00 c3 */
    PEN(&spare, 0x01, 0x00, 0xc3);
    mov_ecx(p, 5);
    start = p->at;
    call(p, STRADDLE);
    add_ebx_eax(p);
    map_page(p, BEHIND, SPARE);
    if (by_cr3)
        reload_cr3(p);
    else
        invlpg(p, BEHIND);
    call(p, STRADDLE);
    add_ebx_eax(p);
    map_page(p, BEHIND, BEHIND);
    if (by_cr3)
        reload_cr3(p);
    else
        invlpg(p, BEHIND);
    loop_to(p, start);
    hlt(p);
}

static void straddle_invlpg(struct pen *p)
{
    straddle(p, false);
}

static void straddle_cr3(struct pen *p)
{
    straddle(p, true);
}

START_TEST(test_an_instruction_across_a_page_end_follows_the_second_page)
{
    /* imm32 bytes: 03 00 from the first page, then 00 00 or 01 00. */
    expect(straddle_invlpg, 5 * (3 + 0x010003));
    expect(straddle_cr3, 5 * (3 + 0x010003));
}
END_TEST

/* Stores into the second page's part, through its own address. */
static void straddle_store(struct pen *p)
{
    function(p->box, STRADDLE, 3);
    call(p, STRADDLE);
    add_ebx_eax(p);
    mov_byte(p, BEHIND, 1);
    call(p, STRADDLE);
    add_ebx_eax(p);
    mov_byte(p, STRADDLE + 1, 4);
    call(p, STRADDLE);
    add_ebx_eax(p);
    hlt(p);
}

START_TEST(test_both_pages_of_an_instruction_are_watched)
{
    expect(straddle_store, 3 + 0x010003 + 0x010004);
}
END_TEST

/* A loop over two pages, linked both ways, of which the second is mapped
 * elsewhere and back. */
static void linked(struct pen *p, bool by_cr3)
{
    struct pen there = {p->box, OTHER}, spare = {p->box, SPARE};
    paddr start, outer, back = PATCH;

    PEN(&there, 0x83, 0xc3, 0x01); /* ADD EBX, 1 */
    jump(&there, 0xe9, back);
    PEN(&spare, 0x83, 0xc3, 0x10); /* ADD EBX, 16 */
    jump(&spare, 0xe9, back - OTHER + SPARE);
    PEN(p, 0xbe, 4, 0, 0, 0);      /* MOV ESI, 4 */
    outer = p->at;
    mov_ecx(p, 50);
    start = p->at;
    jump(p, 0xe9, OTHER);
    pen_pad(p, back);
    loop_to(p, start);
    PEN(p, 0x48, 0x81, 0x34, 0x25); /* XOR the entry: the other page */
    pen_32(p, (uint32_t)(BOX_PT + OTHER / PAGE_SIZE * 8));
    pen_32(p, OTHER ^ SPARE);
    if (by_cr3)
        reload_cr3(p);
    else
        invlpg(p, OTHER);
    PEN(p, 0xff, 0xce, 0x0f, 0x85); /* DEC ESI; JNZ outer */
    pen_32(p, (uint32_t)(outer - (p->at + 4)));
    hlt(p);
}

static void linked_invlpg(struct pen *p)
{
    linked(p, false);
}

static void linked_cr3(struct pen *p)
{
    linked(p, true);
}

START_TEST(test_links_across_pages_follow_the_page_table)
{
    expect(linked_invlpg, 50 * (1 + 16 + 1 + 16));
    expect(linked_cr3, 50 * (1 + 16 + 1 + 16));
}
END_TEST

/* --- devices --- */

/* Runs a function, then DMA changes it, then runs it again. */
static void two_calls(struct pen *p)
{
    function(p->box, OTHER, 1);
    for (unsigned k = 0; k < 2; k++) {
        call(p, OTHER);
        add_ebx_eax(p);
        hlt(p);
    }
}

START_TEST(test_dma_into_code_is_seen)
{
    for (unsigned k = 0; k < ENGINE_KINDS; k++) {
        struct box *b = prepare(two_calls, (enum engine_kind)k);

        box_run(b);
        ck_assert(dma_write(&b->mem, OTHER + 1, &(uint8_t){4}, 1));
        b->cpu.halted = false;
        box_run(b);
        ck_assert_uint_eq(b->cpu.gpr[RBX], 5);
        box_free(b);
    }
}
END_TEST

struct dma_device {
    struct box *box;
    unsigned starts;
    bool flush; /* changes the memory map instead */
};

/* Each write of the register is a transfer over PATCH. */
static void device_write(void *dev, uint64_t offset, uint64_t v, unsigned size)
{
    struct dma_device *d = dev;
    uint8_t byte = (uint8_t)v;

    (void)offset;
    (void)size;
    d->starts++;
    if (d->flush) {
        mmu_flush_all(&d->box->cpu.mmu);
        d->box->engine->flush(d->box->engine);
    } else {
        dma_write(&d->box->mem, PATCH + 1, &byte, 1);
    }
}

static const struct region_ops device_ops = {.write = device_write};

/* The store to the device, work for a helper behind it, and a jump that
 * brings the patched code. */
static void store_to_device(struct pen *p)
{
    paddr start;

    mov_ecx(p, 20);
    start = p->at;
    PEN(p, 0x89, 0x0c, 0x25); /* MOV [DEVICE], ECX */
    pen_32(p, DEVICE);
    PEN(p, 0xd9, 0xe8, 0xdd, 0xd8); /* FLD1; FSTP ST0: helpers */
    PEN(p, 0x50, 0x58);             /* PUSH RAX; POP RAX */
    jump(p, 0xe9, PATCH);
    pen_pad(p, PATCH);
    PEN(p, 0xb8, 0, 0, 0, 0);
    add_ebx_eax(p);
    loop_to(p, start);
    hlt(p);
}

static void run_with_device(enum engine_kind kind, bool flush, uint64_t rbx)
{
    struct box *b = prepare(store_to_device, kind);
    struct dma_device d = {.box = b, .flush = flush};
    struct region r = {"dma", DEVICE, PAGE_SIZE, &device_ops, &d};

    ck_assert(physmem_map_window(&b->mem, &r));
    mmu_flush_all(&b->cpu.mmu);
    box_run(b);
    ck_assert_uint_eq(d.starts, 20);
    ck_assert_uint_eq(b->cpu.gpr[RBX], rbx);
    box_free(b);
}

START_TEST(test_a_store_that_starts_dma_over_code_happens_once)
{
    for (unsigned k = 0; k < ENGINE_KINDS; k++)
        run_with_device((enum engine_kind)k, false, 210);
}
END_TEST

START_TEST(test_a_store_that_drops_all_code_is_survived)
{
    for (unsigned k = 0; k < ENGINE_KINDS; k++)
        run_with_device((enum engine_kind)k, true, 0);
}
END_TEST

/* --- 16-bit code --- */

START_TEST(test_real_mode_code_sees_its_own_stores)
{
    for (unsigned k = 0; k < ENGINE_KINDS; k++) {
        struct box *b = engines_box(box_new(), (enum engine_kind)k);

        b->cpu.seg[DS] = b->cpu.seg[CS];
        b->cpu.seg[DS].attr = b->cpu.seg[SS].attr;
        BOX_LOAD(b, 0xc6, 0x06, 0x06, 0x00, 0x07, /* MOV byte [6], 7 */
                 0xb3, 0x01,                      /* MOV BL, 1 */
                 0x2e, 0xfe, 0x06, 0x0e, 0x00,    /* INC byte CS:[14] */
                 0x90, 0xb7, 0x01,                /* MOV BH, 1 */
                 0xf4);
        b->cpu.gpr[RBX] = 0;
        box_run(b);
        ck_assert_uint_eq(b->cpu.gpr[RBX], 0x207);
        box_free(b);
    }
}
END_TEST

SUITE("self-modifying code",
      test_a_store_ahead_in_the_same_block_is_seen,
      test_a_store_into_the_next_instruction_is_seen,
      test_a_store_into_itself_counts_the_next_time,
      test_a_store_over_its_own_opcode_is_completed,
      test_a_changed_opcode_is_decoded_again,
      test_a_store_that_reaches_into_a_block_drops_it,
      test_code_rewritten_a_thousand_times_is_right_each_time,
      test_every_kind_of_store_is_seen,
      test_a_store_into_another_page_is_seen,
      test_an_indirect_call_finds_the_new_code,
      test_a_store_through_a_second_mapping_is_seen,
      test_a_page_written_and_run_in_turn_is_right,
      test_data_beside_code_translates_nothing_again,
      test_an_instruction_across_a_page_end_follows_the_second_page,
      test_both_pages_of_an_instruction_are_watched,
      test_links_across_pages_follow_the_page_table,
      test_dma_into_code_is_seen,
      test_a_store_that_starts_dma_over_code_happens_once,
      test_a_store_that_drops_all_code_is_survived,
      test_real_mode_code_sees_its_own_stores)
