/*
 * The interpreter as an engine: programs of a few instructions in a made-up
 * machine.  What single instructions compute is checked elsewhere, against
 * recordings and the host.
 */

#include "cpu/interp.h"

#include "cpu/icache.h"
#include "tests/unit/cpu/box.h"
#include "tests/unit/suite.h"

START_TEST(test_real_mode_loop_counts_every_instruction)
{
    struct box *b = box_new();

    /* mov cx,10; xor ax,ax; l: add ax,cx; loop l; hlt */
    BOX_LOAD(b, 0xb9, 0x0a, 0x00, 0x31, 0xc0, 0x01, 0xc8, 0xe2, 0xfc, 0xf4);
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 55);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 0);
    ck_assert_uint_eq(b->cpu.rip, 10);
    ck_assert_uint_eq(b->stats.insn_interp, 23);
    box_free(b);
}
END_TEST

START_TEST(test_long_mode_loop_stores_its_sum)
{
    struct box *b = box_new_long();

    /* mov ecx,1000; xor eax,eax; l: add rax,rcx; mov [rel x],rax; dec ecx;
     * jnz l; hlt; align 16; x: */
    BOX_LOAD(b, 0xb9, 0xe8, 0x03, 0x00, 0x00, 0x31, 0xc0, 0x48, 0x01, 0xc8,
             0x48, 0x89, 0x05, 0x0f, 0x00, 0x00, 0x00, 0xff, 0xc9, 0x75, 0xf2,
             0xf4);
    box_run(b);
    ck_assert_uint_eq(load64(box_at(b, BOX_CODE + 0x20)), 500500);
    ck_assert_uint_eq(b->stats.insn_interp, 2 + 4 * 1000 + 1);
    box_free(b);
}
END_TEST

START_TEST(test_budget_ends_an_endless_loop)
{
    struct box *b = box_new_long();

    /* l: inc rax; jmp l */
    BOX_LOAD(b, 0x48, 0xff, 0xc0, 0xe9, 0xf8, 0xff, 0xff, 0xff);
    ck_assert_int_eq(b->engine->run(b->engine, &b->cpu, 1000), STOP_BUDGET);
    ck_assert_uint_ge(b->stats.insn_interp, 1000);
    ck_assert_uint_lt(b->stats.insn_interp, 1000 + ICACHE_BLOCK_MAX);
    ck_assert_uint_eq(b->cpu.gpr[RAX] * 2, b->stats.insn_interp);
    box_free(b);
}
END_TEST

START_TEST(test_kick_returns_to_the_machine)
{
    struct box *b = box_new_long();

    /* l: inc rax; jmp l */
    BOX_LOAD(b, 0x48, 0xff, 0xc0, 0xe9, 0xf8, 0xff, 0xff, 0xff);
    cpu_kick(&b->cpu);
    ck_assert_int_eq(b->engine->run(b->engine, &b->cpu, BOX_BUDGET),
                     STOP_REQUEST);
    ck_assert_uint_lt(b->stats.insn_interp, BOX_BUDGET);
    box_free(b);
}
END_TEST

START_TEST(test_store_to_the_next_instruction_is_seen)
{
    struct box *b = box_new_long();

    /* mov byte [rel t+1],7; t: mov al,1; hlt */
    BOX_LOAD(b, 0xc6, 0x05, 0x01, 0x00, 0x00, 0x00, 0x07, 0xb0, 0x01, 0xf4);
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RAX] & 0xff, 7);
    box_free(b);
}
END_TEST

START_TEST(test_string_store_to_code_is_seen)
{
    struct box *b = box_new_long();

    /* lea rdi,[rel t+1]; mov al,7; stosb; t: mov bl,1; hlt */
    BOX_LOAD(b, 0x48, 0x8d, 0x3d, 0x04, 0x00, 0x00, 0x00, 0xb0, 0x07, 0xaa,
             0xb3, 0x01, 0xf4);
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RBX] & 0xff, 7);
    box_free(b);
}
END_TEST

START_TEST(test_code_changed_from_outside_is_decoded_again)
{
    struct box *b = box_new_long();

    for (uint8_t i = 1; i < 4; i++) {
        /* mov al,i; hlt */
        const uint8_t code[] = {0xb0, i, 0xf4};

        physmem_store(&b->mem, BOX_CODE, code, sizeof(code));
        b->cpu.rip = BOX_CODE;
        b->cpu.halted = false;
        box_run(b);
        ck_assert_uint_eq(b->cpu.gpr[RAX] & 0xff, i);
    }
    ck_assert_uint_eq(b->stats.code_invalidate, 2);
    box_free(b);
}
END_TEST

START_TEST(test_dropped_code_gives_its_page_back)
{
    struct box *b = box_new_long();
    uint64_t *bits = &b->mem.ram.code_bits[BOX_CODE / PAGE_SIZE];

    BOX_LOAD(b, 0x90, 0xf4);
    box_run(b);
    ck_assert_uint_eq(*bits, 1);
    physmem_write(&b->mem, BOX_CODE + 40, 0, 1); /* same granule, no code */
    ck_assert_uint_eq(*bits, 1);
    ck_assert_uint_eq(b->stats.code_invalidate, 0);
    physmem_write(&b->mem, BOX_CODE + 1, 0, 1);
    ck_assert_uint_eq(*bits, 0);
    ck_assert_uint_eq(b->stats.code_invalidate, 1);
    box_free(b);
}
END_TEST

START_TEST(test_instruction_across_two_pages)
{
    struct box *b = box_new_long();
    /* mov rax,0x1122334455667788; hlt */
    static const uint8_t code[] = {0x48, 0xb8, 0x88, 0x77, 0x66, 0x55,
                                   0x44, 0x33, 0x22, 0x11, 0xf4};

    for (unsigned before = 1; before < 10; before++) {
        laddr la = BOX_CODE + PAGE_SIZE - before;

        memcpy(box_at(b, la), code, sizeof(code));
        b->cpu.rip = la;
        b->cpu.gpr[RAX] = 0;
        b->cpu.halted = false;
        b->engine->flush(b->engine);
        box_run(b);
        ck_assert_uint_eq(b->cpu.gpr[RAX], 0x1122334455667788);
    }
    box_free(b);
}
END_TEST

START_TEST(test_fetch_fault_in_the_second_page_names_it)
{
    struct box *b = box_new_long();
    laddr la = BOX_CODE + PAGE_SIZE - 2;

    memcpy(box_at(b, la), "\x48\xb8", 2);
    box_forbid(b, BOX_CODE + PAGE_SIZE, 1);
    b->cpu.rip = la;
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.cr2, BOX_CODE + PAGE_SIZE);
    ck_assert_uint_eq(b->cpu.rip, la);
    box_free(b);
}
END_TEST

/* Code in a register window: mov al,imm; hlt, where the immediate counts the
 * reads of it. */
struct rom {
    unsigned reads;
};

static uint64_t rom_read(void *dev, uint64_t offset, unsigned size)
{
    struct rom *rom = dev;

    (void)size;
    if (offset == 1)
        rom->reads++;
    return offset == 0 ? 0xb0 : offset == 1 ? rom->reads : 0xf4;
}

START_TEST(test_code_in_a_window_is_read_each_time)
{
    static const struct region_ops ops = {.read = rom_read, .max_size = 1};
    struct box *b = box_new_32();
    struct rom rom = {0};
    struct region r = {.name = "rom", .base = 0xfed00000, .size = PAGE_SIZE,
                       .ops = &ops, .dev = &rom};

    ck_assert(physmem_map_window(&b->mem, &r));
    mmu_flush_all(&b->cpu.mmu);
    for (unsigned i = 1; i < 4; i++) {
        b->cpu.rip = 0xfed00000;
        b->cpu.halted = false;
        box_run(b);
        ck_assert_uint_eq(b->cpu.gpr[RAX] & 0xff, i);
    }
    box_free(b);
}
END_TEST

START_TEST(test_ip_beyond_the_limit_is_gp)
{
    struct box *b = box_new();

    /* nop at the last byte of the segment */
    *box_at(b, BOX_CODE + 0xffff) = 0x90;
    b->cpu.rip = 0xffff;
    ck_assert_int_eq(box_fault(b), EXC_GP);
    ck_assert_uint_eq(b->cpu.rip, 0x10000);
    box_free(b);
}
END_TEST

START_TEST(test_more_code_than_the_cache_holds)
{
    enum { NOPS = 3 << 20, START = 0x110000 - BOX_CODE };
    struct box *b = box_new_32();
    uint64_t count = 0;

    memset(box_at(b, 0x100000), 0x90, NOPS - 1);
    *box_at(b, 0x100000 + NOPS - 1) = 0xf4;
    for (unsigned i = 0; i < 2; i++) {
        b->cpu.rip = 0x100000;
        b->cpu.halted = false;
        ck_assert_int_eq(b->engine->run(b->engine, &b->cpu, 2 * NOPS),
                         STOP_HALT);
        count += NOPS;
        ck_assert_uint_eq(b->stats.insn_interp, count);
    }
    ck_assert_uint_gt(b->stats.block_evict, 0);
    box_free(b);
}
END_TEST

/* --- interrupts and traps, in real mode; the handler at 2000:0 halts --- */

static int vector_20(void *owner)
{
    (void)owner;
    return 0x20;
}

static struct box *box_with_handler(unsigned vector)
{
    struct box *b = box_new();

    store32(box_at(b, 4 * vector), 0x20000000);
    *box_at(b, 0x20000) = 0xf4;
    b->cpu.bus.intr_ack = vector_20;
    return b;
}

/* Where the interrupt returns to. */
static unsigned return_address(struct box *b)
{
    ck_assert_uint_eq(b->cpu.seg[CS].sel, 0x2000);
    return load16(box_at(b, b->cpu.gpr[RSP]));
}

START_TEST(test_interrupt_waits_for_the_instruction_after_sti)
{
    struct box *b = box_with_handler(0x20);

    BOX_LOAD(b, 0xfb, 0x90, 0x90, 0xf4); /* sti; nop; nop; hlt */
    cpu_set_intr(&b->cpu, 0, true);
    box_run(b);
    ck_assert_uint_eq(return_address(b), 2);
    ck_assert_uint_eq(cpu_eflags(&b->cpu) & FLAG_IF, 0);
    ck_assert_uint_eq(b->stats.insn_interp, 3);
    box_free(b);
}
END_TEST

START_TEST(test_interrupt_ends_a_halt)
{
    struct box *b = box_with_handler(0x20);

    BOX_LOAD(b, 0xfb, 0xf4); /* sti; hlt */
    box_run(b);
    ck_assert_uint_eq(b->cpu.rip, 2);
    cpu_set_intr(&b->cpu, 0, true);
    box_run(b);
    ck_assert_uint_eq(return_address(b), 2);
    box_free(b);
}
END_TEST

START_TEST(test_interrupt_splits_a_long_copy)
{
    struct box *b = box_with_handler(0x20);

    BOX_LOAD(b, 0xf3, 0xa4, 0xf4); /* rep movsb; hlt */
    b->cpu.gpr[RCX] = 0xf000;
    ck_assert_int_eq(b->engine->run(b->engine, &b->cpu, 1), STOP_BUDGET);
    ck_assert_uint_eq(b->cpu.rip, 0);
    ck_assert_uint_lt(b->cpu.gpr[RCX], 0xf000);
    ck_assert_uint_gt(b->cpu.gpr[RCX], 0);
    b->cpu.eflags |= FLAG_IF;
    cpu_set_intr(&b->cpu, 0, true);
    box_run(b);
    ck_assert_uint_eq(return_address(b), 0);
    box_free(b);
}
END_TEST

START_TEST(test_trap_flag_traps_after_the_next_instruction)
{
    struct box *b = box_with_handler(EXC_DB);

    /* push 0x100; popf; nop; nop; hlt */
    BOX_LOAD(b, 0x68, 0x00, 0x01, 0x9d, 0x90, 0x90, 0xf4);
    box_run(b);
    ck_assert_uint_eq(return_address(b), 5);
    ck_assert(b->cpu.dr[6] & (1 << 14));
    box_free(b);
}
END_TEST

START_TEST(test_trap_flag_stops_a_copy_after_each_element)
{
    struct box *b = box_with_handler(EXC_DB);

    /* push 0x100; popf; rep movsb; hlt */
    BOX_LOAD(b, 0x68, 0x00, 0x01, 0x9d, 0xf3, 0xa4, 0xf4);
    b->cpu.gpr[RCX] = 10;
    box_run(b);
    ck_assert_uint_eq(return_address(b), 4);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 9);
    box_free(b);
}
END_TEST

/* --- faults leave the state of the instruction's start --- */

START_TEST(test_push_to_a_missing_page_keeps_rsp)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0x50); /* push rax */
    box_forbid(b, BOX_STACK - 8, 1);
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.gpr[RSP], BOX_STACK);
    ck_assert_uint_eq(b->cpu.cr2, BOX_STACK - 8);
    ck_assert_uint_eq(b->cpu.exc.error, PF_W);
    box_free(b);
}
END_TEST

START_TEST(test_pop_to_a_missing_page_keeps_rsp)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0x8f, 0x00); /* pop qword [rax] */
    b->cpu.gpr[RAX] = 0x30000;
    box_forbid(b, 0x30000, 1);
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.gpr[RSP], BOX_STACK);
    ck_assert_uint_eq(b->cpu.cr2, 0x30000);
    box_free(b);
}
END_TEST

START_TEST(test_read_modify_write_of_a_read_only_page_changes_nothing)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0x48, 0x0f, 0xc1, 0x00); /* xadd [rax],rax */
    b->cpu.gpr[RAX] = 0x30000;
    box_forbid(b, 0x30000, 2);
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.exc.error, PF_P | PF_W);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0x30000);
    ck_assert_uint_eq(cpu_eflags(&b->cpu) & FLAGS_ARITH, 0);
    box_free(b);
}
END_TEST

START_TEST(test_call_to_a_bad_address_pushes_nothing)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0xff, 0xd0); /* call rax */
    b->cpu.gpr[RAX] = (uint64_t)1 << 50;
    store64(box_at(b, BOX_STACK - 8), 0x55);
    ck_assert_int_eq(box_fault(b), EXC_GP);
    ck_assert_uint_eq(b->cpu.gpr[RSP], BOX_STACK);
    ck_assert_uint_eq(load64(box_at(b, BOX_STACK - 8)), 0x55);
    box_free(b);
}
END_TEST

START_TEST(test_store_across_a_missing_page_writes_nothing)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0x48, 0x89, 0x08); /* mov [rax],rcx */
    b->cpu.gpr[RAX] = 0x30ffc;
    b->cpu.gpr[RCX] = UINT64_MAX;
    box_forbid(b, 0x31000, 1);
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.cr2, 0x31000);
    ck_assert_uint_eq(load32(box_at(b, 0x30ffc)), 0);
    box_free(b);
}
END_TEST

START_TEST(test_address_that_is_not_canonical)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0x48, 0x8b, 0x00); /* mov rax,[rax] */
    b->cpu.gpr[RAX] = (uint64_t)1 << 47;
    ck_assert_int_eq(box_fault(b), EXC_GP);
    BOX_LOAD(b, 0x48, 0x8b, 0x45, 0x00); /* mov rax,[rbp]: stack segment */
    b->cpu.rip = BOX_CODE;
    b->cpu.gpr[RBP] = (uint64_t)1 << 47;
    ck_assert_int_eq(box_fault(b), EXC_SS);
    box_free(b);
}
END_TEST

START_TEST(test_lengths_beyond_fifteen_are_gp)
{
    struct box *b = box_new_long();

    memset(box_at(b, BOX_CODE), 0x66, 15);
    *box_at(b, BOX_CODE + 15) = 0x90;
    ck_assert_int_eq(box_fault(b), EXC_GP);
    box_free(b);
}
END_TEST

/* --- repeated string instructions --- */

START_TEST(test_overlapping_copy_goes_element_by_element)
{
    struct box *b = box_new_long();

    /* mov ecx,20; mov esi,0x5000; mov edi,0x5003; rep movsb; hlt */
    BOX_LOAD(b, 0xb9, 0x14, 0x00, 0x00, 0x00, 0xbe, 0x00, 0x50, 0x00, 0x00,
             0xbf, 0x03, 0x50, 0x00, 0x00, 0xf3, 0xa4, 0xf4);
    memcpy(box_at(b, 0x5000), "abc.....................", 24);
    box_run(b);
    ck_assert_mem_eq(box_at(b, 0x5000), "abcabcabcabcabcabcabcab.", 24);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 0);
    ck_assert_uint_eq(b->cpu.gpr[RSI], 0x5014);
    ck_assert_uint_eq(b->cpu.gpr[RDI], 0x5017);
    box_free(b);
}
END_TEST

START_TEST(test_long_copy_is_whole)
{
    enum { COUNT = 100000 };
    struct box *b = box_new_long();

    BOX_LOAD(b, 0xf3, 0x48, 0xa5, 0xf4); /* rep movsq; hlt */
    for (unsigned i = 0; i < COUNT; i++)
        store64(box_at(b, 0x200003 + 8 * i), i * 0x9e3779b97f4a7c15);
    b->cpu.gpr[RCX] = COUNT;
    b->cpu.gpr[RSI] = 0x200003;
    b->cpu.gpr[RDI] = 0x300001;
    box_run(b);
    ck_assert_mem_eq(box_at(b, 0x300001), box_at(b, 0x200003), 8 * COUNT);
    ck_assert_uint_eq(b->cpu.gpr[RDI], 0x300001 + 8 * COUNT);
    box_free(b);
}
END_TEST

START_TEST(test_copy_stops_at_a_fault_and_goes_on)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0xf3, 0x48, 0xa5, 0xf4); /* rep movsq; hlt */
    memset(box_at(b, 0x30000), 0x77, 0x3000);
    b->cpu.gpr[RCX] = 0x400;
    b->cpu.gpr[RSI] = 0x30000;
    b->cpu.gpr[RDI] = 0x40000;
    box_forbid(b, 0x41000, 1);
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.cr2, 0x41000);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 0x200);
    ck_assert_uint_eq(b->cpu.gpr[RSI], 0x31000);
    ck_assert_uint_eq(b->cpu.gpr[RDI], 0x41000);
    ck_assert_uint_eq(b->cpu.rip, BOX_CODE);
    box_map(b);
    mmu_flush_all(&b->cpu.mmu);
    ck_assert_int_eq(box_fault(b), -1);
    ck_assert_mem_eq(box_at(b, 0x40000), box_at(b, 0x30000), 0x2000);
    ck_assert_uint_eq(load64(box_at(b, 0x42000)), 0);
    box_free(b);
}
END_TEST

START_TEST(test_fill_downwards)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0xfd, 0xf3, 0xab, 0xfc, 0xf4); /* std; rep stosd; cld; hlt */
    b->cpu.gpr[RAX] = 0x01020304;
    b->cpu.gpr[RCX] = 3;
    b->cpu.gpr[RDI] = 0x30008;
    box_run(b);
    ck_assert_uint_eq(load32(box_at(b, 0x30000)), 0x01020304);
    ck_assert_uint_eq(load32(box_at(b, 0x30008)), 0x01020304);
    ck_assert_uint_eq(load32(box_at(b, 0x3000c)), 0);
    ck_assert_uint_eq(b->cpu.gpr[RDI], 0x2fffc);
    box_free(b);
}
END_TEST

START_TEST(test_scan_finds_the_end_of_a_string)
{
    struct box *b = box_new_long();

    /* xor eax,eax; mov rcx,-1; repne scasb; not rcx; hlt */
    BOX_LOAD(b, 0x31, 0xc0, 0x48, 0xb9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
             0xff, 0xff, 0xf2, 0xae, 0x48, 0xf7, 0xd1, 0xf4);
    memset(box_at(b, 0x30000), 'x', 10000);
    b->cpu.gpr[RDI] = 0x30000;
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 10001);
    ck_assert_uint_eq(b->cpu.gpr[RDI], 0x30000 + 10001);
    ck_assert(cpu_eflags(&b->cpu) & FLAG_ZF);
    box_free(b);
}
END_TEST

START_TEST(test_compare_stops_behind_the_first_difference)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0xf3, 0xa6, 0xf4); /* repe cmpsb; hlt */
    memset(box_at(b, 0x30000), 5, 100);
    memset(box_at(b, 0x40000), 5, 100);
    *box_at(b, 0x40000 + 42) = 6;
    b->cpu.gpr[RCX] = 100;
    b->cpu.gpr[RSI] = 0x30000;
    b->cpu.gpr[RDI] = 0x40000;
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 100 - 43);
    ck_assert_uint_eq(b->cpu.gpr[RSI], 0x30000 + 43);
    ck_assert_uint_eq(cpu_eflags(&b->cpu) & (FLAG_CF | FLAG_ZF), FLAG_CF);
    box_free(b);
}
END_TEST

START_TEST(test_repetition_of_zero_touches_nothing)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0xf3, 0xa6, 0xf4); /* repe cmpsb; hlt */
    cpu_set_eflags(&b->cpu, FLAGS_ARITH);
    b->cpu.gpr[RSI] = b->cpu.gpr[RDI] = (uint64_t)1 << 63;
    box_run(b);
    ck_assert_uint_eq(cpu_eflags(&b->cpu) & FLAGS_ARITH, FLAGS_ARITH);
    ck_assert_uint_eq(b->cpu.gpr[RSI], (uint64_t)1 << 63);
    box_free(b);
}
END_TEST

START_TEST(test_sixteen_bit_copy_wraps_in_its_segment)
{
    struct box *b = box_new();

    BOX_LOAD(b, 0xf3, 0xa4, 0xf4); /* rep movsb; hlt */
    memcpy(box_at(b, 0xfffe), "ab", 2);
    memcpy(box_at(b, 0x0000), "cd", 2);
    b->cpu.gpr[RCX] = 4;
    b->cpu.gpr[RSI] = 0xfffe;
    b->cpu.gpr[RDI] = 0x3000;
    box_run(b);
    ck_assert_mem_eq(box_at(b, 0x3000), "abcd", 4);
    ck_assert_uint_eq(b->cpu.gpr[RSI], 2);
    box_free(b);
}
END_TEST

/* --- instructions with an order of their own --- */

START_TEST(test_push_of_the_stack_pointer_stores_the_old_one)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0x54, 0x58, 0xf4); /* push rsp; pop rax; hlt */
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RAX], BOX_STACK);
    box_free(b);
}
END_TEST

START_TEST(test_pop_to_memory_uses_the_new_stack_pointer)
{
    struct box *b = box_new_32();

    BOX_LOAD(b, 0x8f, 0x04, 0x24, 0xf4); /* pop dword [esp]; hlt */
    store32(box_at(b, BOX_STACK), 0x1234);
    box_run(b);
    ck_assert_uint_eq(load32(box_at(b, BOX_STACK + 4)), 0x1234);
    ck_assert_uint_eq(b->cpu.gpr[RSP], BOX_STACK + 4);
    box_free(b);
}
END_TEST

START_TEST(test_frame_of_enter_and_leave)
{
    struct box *b = box_new_long();

    /* enter 16,0; mov rax,rbp; leave; hlt */
    BOX_LOAD(b, 0xc8, 0x10, 0x00, 0x00, 0x48, 0x89, 0xe8, 0xc9, 0xf4);
    b->cpu.gpr[RBP] = 0x1234;
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RAX], BOX_STACK - 8);
    ck_assert_uint_eq(b->cpu.gpr[RBP], 0x1234);
    ck_assert_uint_eq(b->cpu.gpr[RSP], BOX_STACK);
    box_free(b);
}
END_TEST

START_TEST(test_nested_frame_copies_the_display)
{
    struct box *b = box_new_long();
    uint8_t *stack = box_at(b, BOX_STACK);

    BOX_LOAD(b, 0xc8, 0x20, 0x00, 0x03, 0xf4); /* enter 32,3; hlt */
    b->cpu.gpr[RBP] = 0x30000;
    store64(box_at(b, 0x30000 - 8), 0x111);
    store64(box_at(b, 0x30000 - 16), 0x222);
    box_run(b);
    ck_assert_uint_eq(load64(stack - 8), 0x30000);
    ck_assert_uint_eq(load64(stack - 16), 0x111);
    ck_assert_uint_eq(load64(stack - 24), 0x222);
    ck_assert_uint_eq(load64(stack - 32), BOX_STACK - 8);
    ck_assert_uint_eq(b->cpu.gpr[RBP], BOX_STACK - 8);
    ck_assert_uint_eq(b->cpu.gpr[RSP], BOX_STACK - 64);
    box_free(b);
}
END_TEST

START_TEST(test_enter_faults_where_its_last_byte_would)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0xc8, 0x00, 0x20, 0x00); /* enter 0x2000,0 */
    b->cpu.gpr[RBP] = 0x1234;
    box_forbid(b, BOX_STACK - 0x3000, 2);
    ck_assert_int_eq(box_fault(b), EXC_PF);
    ck_assert_uint_eq(b->cpu.gpr[RSP], BOX_STACK);
    ck_assert_uint_eq(b->cpu.gpr[RBP], 0x1234);
    box_free(b);
}
END_TEST

START_TEST(test_bit_string_reaches_below_its_operand)
{
    struct box *b = box_new_long();

    /* mov rcx,-65; bt [rdi],rcx; sbb eax,eax; hlt */
    BOX_LOAD(b, 0x48, 0xb9, 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
             0x48, 0x0f, 0xa3, 0x0f, 0x19, 0xc0, 0xf4);
    b->cpu.gpr[RDI] = 0x30000;
    *box_at(b, 0x30000 - 9) = 0x80;
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0xffffffff);
    box_free(b);
}
END_TEST

START_TEST(test_division_of_128_bits)
{
    struct box *b = box_new_long();

    BOX_LOAD(b, 0x48, 0xf7, 0xf1, 0xf4); /* div rcx; hlt */
    b->cpu.gpr[RDX] = 5;
    b->cpu.gpr[RAX] = 7;
    b->cpu.gpr[RCX] = 6;
    box_run(b);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0xd555555555555556);
    ck_assert_uint_eq(b->cpu.gpr[RDX], 3);
    b->cpu.rip = BOX_CODE;
    b->cpu.halted = false;
    b->cpu.gpr[RDX] = 6;
    ck_assert_int_eq(box_fault(b), EXC_DE);
    ck_assert_uint_eq(b->cpu.gpr[RDX], 6);
    box_free(b);
}
END_TEST

SUITE("interpreter", test_real_mode_loop_counts_every_instruction,
      test_long_mode_loop_stores_its_sum, test_budget_ends_an_endless_loop,
      test_kick_returns_to_the_machine,
      test_store_to_the_next_instruction_is_seen,
      test_string_store_to_code_is_seen,
      test_code_changed_from_outside_is_decoded_again,
      test_dropped_code_gives_its_page_back,
      test_instruction_across_two_pages,
      test_fetch_fault_in_the_second_page_names_it,
      test_code_in_a_window_is_read_each_time,
      test_ip_beyond_the_limit_is_gp, test_more_code_than_the_cache_holds,
      test_interrupt_waits_for_the_instruction_after_sti,
      test_interrupt_ends_a_halt, test_interrupt_splits_a_long_copy,
      test_trap_flag_traps_after_the_next_instruction,
      test_trap_flag_stops_a_copy_after_each_element,
      test_push_to_a_missing_page_keeps_rsp,
      test_pop_to_a_missing_page_keeps_rsp,
      test_read_modify_write_of_a_read_only_page_changes_nothing,
      test_call_to_a_bad_address_pushes_nothing,
      test_store_across_a_missing_page_writes_nothing,
      test_address_that_is_not_canonical,
      test_lengths_beyond_fifteen_are_gp,
      test_overlapping_copy_goes_element_by_element, test_long_copy_is_whole,
      test_copy_stops_at_a_fault_and_goes_on, test_fill_downwards,
      test_scan_finds_the_end_of_a_string,
      test_compare_stops_behind_the_first_difference,
      test_repetition_of_zero_touches_nothing,
      test_sixteen_bit_copy_wraps_in_its_segment,
      test_push_of_the_stack_pointer_stores_the_old_one,
      test_pop_to_memory_uses_the_new_stack_pointer,
      test_frame_of_enter_and_leave, test_nested_frame_copies_the_display,
      test_enter_faults_where_its_last_byte_would,
      test_bit_string_reaches_below_its_operand, test_division_of_128_bits)
