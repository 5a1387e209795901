/*
 * Code on other pages and through other mappings: what is executed is what the
 * page tables say now, and a store is seen by whichever address it comes (SDM
 * vol. 3, 4.10 and 8.1.3), in both engines.
 */

#include "tests/unit/jit/code.h"
#include "tests/unit/suite.h"

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

/* Both parts of the function lie on one RAM page, which is mapped twice in a
 * row; its end comes first. */
static void straddle_itself(struct pen *p)
{
    struct pen first = {p->box, OTHER + PAGE_SIZE - 3};
    struct pen second = {p->box, OTHER};

    alias(p->box, ALIAS);
    alias(p->box, ALIAS2);
    PEN(&first, 0xb8, 3, 0);
    PEN(&second, 0, 0, 0xc3);
    call(p, ALIAS2 - 3);
    add_ebx_eax(p);
    mov_byte(p, OTHER, 1);
    call(p, ALIAS2 - 3);
    add_ebx_eax(p);
    mov_byte(p, OTHER + PAGE_SIZE - 2, 4);
    call(p, ALIAS2 - 3);
    add_ebx_eax(p);
    hlt(p);
}

START_TEST(test_both_ends_of_a_page_that_follows_itself_are_watched)
{
    expect(straddle_itself, 3 + 0x010003 + 0x010004);
}
END_TEST

SUITE("code on other pages",
      test_a_store_into_another_page_is_seen,
      test_an_indirect_call_finds_the_new_code,
      test_a_store_through_a_second_mapping_is_seen,
      test_a_page_written_and_run_in_turn_is_right,
      test_an_instruction_across_a_page_end_follows_the_second_page,
      test_both_pages_of_an_instruction_are_watched,
      test_links_across_pages_follow_the_page_table,
      test_both_ends_of_a_page_that_follows_itself_are_watched)
