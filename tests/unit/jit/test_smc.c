/*
 * Self-modifying code: whoever changes bytes that were executed before -- the
 * running block itself, a helper, an SSE store, another mapping, a device --
 * the next execution is of the new bytes, in both engines (SDM vol. 3, 8.1.3
 * and 11.6).  Data beside code costs no translation.
 */

#include "mem/dma.h"
#include "tests/unit/jit/code.h"
#include "tests/unit/suite.h"

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
      test_data_beside_code_translates_nothing_again,
      test_dma_into_code_is_seen,
      test_a_store_that_starts_dma_over_code_happens_once,
      test_a_store_that_drops_all_code_is_survived,
      test_real_mode_code_sees_its_own_stores)
