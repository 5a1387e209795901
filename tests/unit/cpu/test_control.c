/* Control registers, MSRs, CPUID, flags by privilege, ports and debug
 * registers: SDM vol. 3, 2.5, 9.8, 17; vol. 1, 19.5; vol. 2. */

#include "base/state.h"
#include "cpu/debugreg.h"
#include "cpu/msr.h"
#include "tests/unit/cpu/system_board.h"

static int plain(struct board *b, cpu_op *op, unsigned opsize)
{
    struct insn in = board_insn(opsize);

    return board_run(b, op, &in);
}

static int write_cr(struct board *b, unsigned n, uint64_t v)
{
    struct insn in = board_insn(4);
    uint8_t size = cpu_code64(&b->cpu) ? 8 : 4;

    in.op[0] = (struct operand){OPND_CR, (uint8_t)n, size, ACC_W};
    in.op[1] = board_gpr(size);
    b->cpu.gpr[RAX] = v;
    return board_run(b, op_mov_to_cr, &in);
}

/* --- control registers --- */

START_TEST(cr0_refuses_impossible_combinations)
{
    struct board *b = board_new();

    ck_assert_int_eq(write_cr(b, 0, CR0_PG), EXC_GP);
    ck_assert_int_eq(write_cr(b, 0, CR0_PE | CR0_NW), EXC_GP);
    ck_assert_int_eq(write_cr(b, 0, CR0_PE | CR0_NW | CR0_CD), DONE);
    ck_assert_uint_eq(b->cpu.cr0, CR0_PE | CR0_NW | CR0_CD | CR0_ET);
    ck_assert_int_eq(write_cr(b, 1, 0), EXC_UD);
    ck_assert_int_eq(write_cr(b, 8, 0), EXC_UD); /* 64-bit code only */
    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(write_cr(b, 0, CR0_PE), EXC_GP);
    board_free(b);
}
END_TEST

START_TEST(long_mode_is_entered_and_left_by_paging)
{
    struct board *b = board_new();
    struct cpu *cpu = &b->cpu;

    ck_assert(control_set_efer(cpu, EFER_LME));
    ck_assert_int_eq(write_cr(b, 0, CR0_PE | CR0_PG), EXC_GP); /* no PAE */
    board_long(b);
    ck_assert_uint_eq(cpu->efer & EFER_LMA, EFER_LMA);
    ck_assert_int_eq(write_cr(b, 0, CR0_PE), EXC_GP); /* in 64-bit code */
    ck_assert_int_eq(write_cr(b, 4, 0), EXC_GP);      /* PAE must stay */
    ck_assert(!control_set_efer(cpu, 0));             /* LME with paging on */
    board_level(b, CODE0, DATA0);
    ck_assert_int_eq(write_cr(b, 0, CR0_PE), DONE);
    ck_assert_uint_eq(cpu->efer & (EFER_LMA | EFER_LME), EFER_LME);
    board_free(b);
}
END_TEST

START_TEST(upper_halves_and_reserved_bits_are_gp)
{
    struct board *b = board_new();

    board_long(b);
    ck_assert_int_eq(write_cr(b, 0, (uint64_t)1 << 32 | b->cpu.cr0), EXC_GP);
    ck_assert_int_eq(write_cr(b, 3, (uint64_t)1 << 50 | PML4), EXC_GP);
    ck_assert_int_eq(write_cr(b, 4, CR4_PAE | 1 << 13), EXC_GP);
    ck_assert_int_eq(write_cr(b, 8, 16), EXC_GP);
    ck_assert_int_eq(write_cr(b, 8, 15), DONE);
    board_free(b);
}
END_TEST

START_TEST(pcide_wants_long_mode_and_pcid_0)
{
    struct board *b = board_new();

    ck_assert_int_eq(write_cr(b, 4, CR4_PCIDE), EXC_GP);
    board_long(b);
    ck_assert_int_eq(write_cr(b, 3, PML4 | 8), DONE);
    ck_assert_int_eq(write_cr(b, 4, CR4_PAE | CR4_PCIDE), EXC_GP);
    ck_assert_int_eq(write_cr(b, 3, PML4), DONE);
    ck_assert_int_eq(write_cr(b, 4, CR4_PAE | CR4_PCIDE), DONE);
    ck_assert_int_eq(write_cr(b, 3, PML4 | (uint64_t)1 << 63), DONE);
    ck_assert_uint_eq(b->cpu.cr3, PML4);
    board_free(b);
}
END_TEST

START_TEST(reserved_pdpte_stops_pae_paging)
{
    struct board *b = board_new();

    ck_assert_int_eq(write_cr(b, 4, CR4_PAE), DONE);
    store64(board_at(b, 0x80000), 0x81003); /* bit 1 is reserved there */
    ck_assert_int_eq(write_cr(b, 3, 0x80000), DONE); /* paging is off */
    ck_assert_int_eq(write_cr(b, 0, CR0_PE | CR0_PG), EXC_GP);
    ck_assert_uint_eq(b->cpu.cr0 & CR0_PG, 0);
    board_free(b);
}
END_TEST

START_TEST(lmsw_sets_pe_but_does_not_clear_it)
{
    struct board *b = board_new();
    struct insn in = board_insn(2);

    in.op[0] = board_gpr(2);
    b->cpu.gpr[RAX] = CR0_TS;
    ck_assert_int_eq(board_run(b, op_lmsw, &in), DONE);
    ck_assert_uint_eq(b->cpu.cr0, CR0_PE | CR0_TS | CR0_ET);
    ck_assert_int_eq(plain(b, op_clts, 4), DONE);
    ck_assert_uint_eq(b->cpu.cr0, CR0_PE | CR0_ET);
    board_free(b);
}
END_TEST

START_TEST(lgdt_takes_24_bits_of_base_with_a_16_bit_operand)
{
    struct board *b = board_new();
    struct insn in = board_insn_mem(2, 6);

    store16(board_at(b, DATA), 0x77);
    store32(board_at(b, DATA + 2), 0x12345678);
    ck_assert_int_eq(board_run(b, op_lgdt, &in), DONE);
    ck_assert_uint_eq(b->cpu.gdtr.base, 0x345678);
    ck_assert_uint_eq(b->cpu.gdtr.limit, 0x77);
    in.opsize = 4;
    ck_assert_int_eq(board_run(b, op_lidt, &in), DONE);
    ck_assert_uint_eq(b->cpu.idtr.base, 0x12345678);
    in.disp = DATA + 0x100;
    ck_assert_int_eq(board_run(b, op_sidt, &in), DONE);
    ck_assert_uint_eq(load32(board_at(b, DATA + 0x102)), 0x12345678);
    board_free(b);
}
END_TEST

START_TEST(umip_hides_tables_from_outer_levels)
{
    struct board *b = board_new();
    struct insn in = board_insn_mem(4, 6);

    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(board_run(b, op_sgdt, &in), DONE);
    b->cpu.cr4 |= CR4_UMIP;
    ck_assert_int_eq(board_run(b, op_sgdt, &in), EXC_GP);
    in.op[0] = board_gpr(4);
    ck_assert_int_eq(board_run(b, op_smsw, &in), EXC_GP);
    ck_assert_int_eq(board_run(b, op_str, &in), EXC_GP);
    board_free(b);
}
END_TEST

START_TEST(invpcid_checks_its_descriptor)
{
    static const struct {
        uint64_t type, pcid, la;
        int fault;
    } cases[] = {
        {0, 0, 0x1000, DONE},          {4, 0, 0, EXC_GP},
        {2, 0x1000, 0, EXC_GP},        {0, 0, (uint64_t)1 << 60, EXC_GP},
        {1, 5, 0, EXC_GP}, /* no PCIDE */ {3, 5, 0, DONE},
    };

    for (unsigned i = 0; i < array_len(cases); i++) {
        struct board *b = board_new();
        struct insn in = board_insn_mem(4, 16);

        board_long(b);
        in.op[1] = in.op[0];
        in.op[0] = board_gpr(8);
        b->cpu.gpr[RAX] = cases[i].type;
        store64(board_at(b, DATA), cases[i].pcid);
        store64(board_at(b, DATA + 8), cases[i].la);
        ck_assert_int_eq(board_run(b, op_invpcid, &in), cases[i].fault);
        board_free(b);
    }
}
END_TEST

/* --- flags --- */

START_TEST(cli_and_sti_obey_iopl)
{
    struct board *b = board_new();

    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(plain(b, op_sti, 4), EXC_GP);
    cpu_set_eflags(&b->cpu, FLAG_IOPL);
    ck_assert_int_eq(plain(b, op_sti, 4), DONE);
    ck_assert(b->cpu.eflags & FLAG_IF);
    ck_assert_int_eq(plain(b, op_cli, 4), DONE);
    ck_assert(!(b->cpu.eflags & FLAG_IF));
    board_free(b);
}
END_TEST

START_TEST(pvi_gives_level_3_a_virtual_if)
{
    struct board *b = board_new();

    ck_assert_int_eq(write_cr(b, 4, CR4_PVI), DONE);
    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(plain(b, op_sti, 4), DONE);
    ck_assert_uint_eq(b->cpu.eflags & (FLAG_IF | FLAG_VIF), FLAG_VIF);
    b->cpu.eflags |= FLAG_VIP;
    ck_assert_int_eq(plain(b, op_sti, 4), EXC_GP);
    ck_assert_int_eq(plain(b, op_cli, 4), DONE);
    ck_assert_uint_eq(b->cpu.eflags & FLAG_VIF, 0);
    board_free(b);
}
END_TEST

START_TEST(popf_changes_flags_as_far_as_the_level_may)
{
    struct board *b = board_new();
    uint32_t all = 0x3f7fd7;

    POKE_STACK(b, 4, all);
    ck_assert_int_eq(plain(b, op_popf, 4), DONE);
    ck_assert_uint_eq(cpu_eflags(&b->cpu),
                      all & 0x247fd7);
    cpu_set_eflags(&b->cpu, 0);
    board_level(b, CODE3, DATA3);
    POKE_STACK(b, 4, all);
    ck_assert_int_eq(plain(b, op_popf, 4), DONE);
    ck_assert_uint_eq(b->cpu.eflags & (FLAG_IF | FLAG_IOPL), 0);
    ck_assert(b->cpu.eflags & FLAG_ID);
    board_free(b);
}
END_TEST

START_TEST(pushf_hides_vm_and_rf)
{
    struct board *b = board_new();

    board_v86(b, 3);
    b->cpu.eflags |= FLAG_RF;
    ck_assert_int_eq(plain(b, op_pushf, 4), DONE);
    ck_assert_uint_eq(board_item(b, STACK + 0xffc, 0, 4),
                      FLAG_1 | FLAG_IF | FLAG_IOPL);
    board_v86(b, 0);
    ck_assert_int_eq(plain(b, op_pushf, 2), EXC_GP);
    board_free(b);
}
END_TEST

START_TEST(clac_and_stac_are_for_level_0)
{
    struct board *b = board_new();

    ck_assert_int_eq(plain(b, op_stac, 4), DONE);
    ck_assert(b->cpu.eflags & FLAG_AC);
    ck_assert_int_eq(plain(b, op_clac, 4), DONE);
    ck_assert(!(b->cpu.eflags & FLAG_AC));
    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(plain(b, op_stac, 4), EXC_UD);
    board_free(b);
}
END_TEST

/* --- MSRs --- */

START_TEST(msrs_keep_what_may_be_written)
{
    static const struct {
        uint32_t index;
        uint64_t value;
        bool ok;
    } cases[] = {
        {0xc0000082, 0xffffffff81000000, true}, /* LSTAR */
        {0xc0000082, (uint64_t)1 << 60, false},
        {0xc0000100, 0x123456789, true}, /* FS base */
        {0xc0000102, (uint64_t)1 << 47, false},
        {0x277, 0x0007010600070106, true}, /* PAT */
        {0x277, 2, false},
        {0x200, 0xfee00006, true}, /* MTRR */
        {0x200, 3, false},
        {0x250, 0x0606060606060606, true},
        {0x2ff, 0xc06, true},
        {0xc0000103, (uint64_t)1 << 32, false}, /* TSC_AUX */
        {0xc0000080, 1 << 9, false},            /* EFER */
        {0x12345, 0, false},
    };
    struct board *b = board_new();

    for (unsigned i = 0; i < array_len(cases); i++) {
        uint64_t v = 0;

        ck_assert_msg(msr_write(&b->cpu, cases[i].index, cases[i].value) ==
                          cases[i].ok, "MSR %x", cases[i].index);
        if (!cases[i].ok)
            continue;
        ck_assert(msr_read(&b->cpu, cases[i].index, &v));
        ck_assert_uint_eq(v, cases[i].value);
    }
    board_free(b);
}
END_TEST

START_TEST(every_msr_index_gives_an_answer_or_gp)
{
    struct board *b = board_new();
    unsigned found = 0;
    uint64_t v;

    for (uint32_t i = 0; i < 0x1000; i++) {
        found += msr_read(&b->cpu, i, &v);
        found += msr_read(&b->cpu, 0xc0000000 + i, &v);
    }
    ck_assert_uint_ge(found, 60);
    ck_assert(!msr_read(&b->cpu, 0xc0010015, &v)); /* AMD's HWCR on Intel */
    b->cpu.model = cpu_model_find("x86-64");
    ck_assert(msr_read(&b->cpu, 0xc0010015, &v));
    board_free(b);
}
END_TEST

START_TEST(tsc_follows_the_clock_and_the_guests_writes)
{
    struct board *b = board_new();
    uint64_t v;

    b->cpu.tsc_hz = 2000000000;
    clock_advance(&b->clock, 500);
    ck_assert_uint_eq(cpu_tsc(&b->cpu), 1000);
    ck_assert(msr_write(&b->cpu, 0x10, 5000));
    ck_assert_uint_eq(cpu_tsc(&b->cpu), 5000);
    ck_assert(msr_read(&b->cpu, 0x3b, &v)); /* TSC_ADJUST followed */
    ck_assert_uint_eq(v, 4000);
    ck_assert(msr_write(&b->cpu, 0x3b, 0));
    ck_assert_uint_eq(cpu_tsc(&b->cpu), 1000);
    b->cpu.cr4 |= CR4_TSD;
    ck_assert_int_eq(plain(b, op_rdtsc, 4), DONE);
    board_level(b, CODE3, DATA3);
    ck_assert_int_eq(plain(b, op_rdtsc, 4), EXC_GP);
    board_free(b);
}
END_TEST

/* --- CPUID --- */

static void cpuid(struct board *b, uint32_t leaf, uint32_t subleaf)
{
    b->cpu.gpr[RAX] = leaf;
    b->cpu.gpr[RCX] = subleaf;
    ck_assert_int_eq(plain(b, op_cpuid, 4), DONE);
}

START_TEST(cpuid_reports_vendor_features_and_apic_state)
{
    struct board *b = board_new();
    char vendor[13] = {0};

    cpuid(b, 0, 0);
    store32(vendor, (uint32_t)b->cpu.gpr[RBX]);
    store32(vendor + 4, (uint32_t)b->cpu.gpr[RDX]);
    store32(vendor + 8, (uint32_t)b->cpu.gpr[RCX]);
    ck_assert_str_eq(vendor, "GenuineIntel");
    cpuid(b, 1, 0);
    ck_assert(b->cpu.gpr[RDX] & 1 << 9);
    ck_assert(b->cpu.gpr[RDX] & 1 << 26);
    ck_assert(msr_write(&b->cpu, 0x1b, 0xfee00100)); /* APIC off */
    cpuid(b, 1, 0);
    ck_assert(!(b->cpu.gpr[RDX] & 1 << 9));
    cpuid(b, 7, 0);
    ck_assert(b->cpu.gpr[RBX] & 1 << 20); /* SMAP */
    cpuid(b, 7, 1);
    ck_assert_uint_eq(b->cpu.gpr[RBX], 0);
    cpuid(b, 0x80000008, 0);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 48 << 8 | PADDR_BITS);
    board_free(b);
}
END_TEST

START_TEST(models_can_be_found_and_are_consistent)
{
    ck_assert_ptr_null(cpu_model_find("no such processor"));
    for (const struct cpu_model *m = cpu_models; m->name; m++) {
        bool lm = feature_set_has(&m->features, FEAT_LM);

        ck_assert_ptr_eq(cpu_model_find(m->name), m);
        ck_assert_uint_eq(strlen(m->vendor), 12);
        ck_assert(!m->brand || strlen(m->brand) < 48);
        ck_assert_uint_eq(m->linear_bits, lm ? 48 : 32);
        ck_assert_uint_le(m->phys_bits, PADDR_BITS);
    }
}
END_TEST

/* --- ports --- */

static int in_al(struct board *b, uint16_t port, unsigned size)
{
    struct insn in = board_insn(4);

    in.op[0] = board_gpr(size);
    in.op[1] = (struct operand){OPND_GPR, RDX, 2, ACC_R};
    b->cpu.gpr[RDX] = port;
    return board_run(b, op_in, &in);
}

START_TEST(port_map_decides_above_iopl)
{
    struct board *b = board_new();

    board_level(b, CODE3, DATA3);
    store16(board_at(b, TSS + 102), 0x68);
    ck_assert_int_eq(in_al(b, 0x10, 1), EXC_GP); /* past the limit: no map */
    b->cpu.tr.limit = 0x68 + 4;
    ck_assert_int_eq(in_al(b, 0x10, 4), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RAX], 0xffffffff); /* nobody answers */
    *board_at(b, TSS + 0x68 + 2) = 8; /* port 13h */
    ck_assert_int_eq(in_al(b, 0x10, 4), EXC_GP);
    ck_assert_int_eq(in_al(b, 0x10, 2), DONE);
    ck_assert_int_eq(in_al(b, 0x12, 2), EXC_GP);
    ck_assert_int_eq(in_al(b, 0x20, 1), EXC_GP); /* two bytes must fit */
    cpu_set_eflags(&b->cpu, FLAG_IOPL);
    ck_assert_int_eq(in_al(b, 0x20, 1), DONE);
    board_v86(b, 3);
    ck_assert_int_eq(in_al(b, 0x20, 1), EXC_GP); /* IOPL does not help */
    board_free(b);
}
END_TEST

static uint64_t count_up(void *dev, uint64_t offset, unsigned size)
{
    uint64_t *n = dev;

    (void)offset, (void)size;
    return ++*n;
}

static const struct region_ops counter_ops = {.read = count_up, .max_size = 1};

START_TEST(rep_ins_stops_at_a_fault_with_nothing_lost)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);
    uint64_t n = 0;
    struct region r = {"counter", 0x60, 1, &counter_ops, &n};

    ck_assert(space_map(&b->io, &r));
    in.op[0] = (struct operand){OPND_MEM, 0, 1, ACC_W};
    in.prefixes = PREFIX_REP;
    b->cpu.gpr[RDX] = 0x60;
    b->cpu.gpr[RCX] = 10;
    b->cpu.gpr[RDI] = DATA;
    b->cpu.seg[ES].limit = DATA + 3;
    ck_assert_int_eq(board_run(b, op_ins, &in), EXC_GP);
    ck_assert_uint_eq(n, 4);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 6);
    ck_assert_uint_eq(b->cpu.gpr[RDI], DATA + 4);
    ck_assert_uint_eq(load32(board_at(b, DATA)), 0x04030201);
    board_free(b);
}
END_TEST

START_TEST(long_rep_outs_comes_back_to_the_engine)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);

    in.op[0] = (struct operand){OPND_GPR, RDX, 2, ACC_R};
    in.op[1] = (struct operand){OPND_MEM, 0, 1, ACC_R};
    in.prefixes = PREFIX_REP;
    b->cpu.gpr[RCX] = 0xffffffff;
    b->cpu.gpr[RSI] = DATA;
    ck_assert_int_eq(board_run(b, op_outs, &in), DONE);
    ck_assert_uint_eq(b->cpu.rip, CODE); /* to be started again */
    cpu_kick(&b->cpu);
    b->cpu.gpr[RCX] = 100;
    ck_assert_int_eq(board_run(b, op_outs, &in), DONE);
    ck_assert_uint_eq(b->cpu.gpr[RCX], 99);
    board_free(b);
}
END_TEST

/* --- debug registers --- */

static int write_dr(struct board *b, unsigned n, uint64_t v)
{
    struct insn in = board_insn(4);
    uint8_t size = cpu_code64(&b->cpu) ? 8 : 4;

    in.op[0] = (struct operand){OPND_DR, (uint8_t)n, size, ACC_W};
    in.op[1] = board_gpr(size);
    b->cpu.gpr[RAX] = v;
    return board_run(b, op_mov_to_dr, &in);
}

START_TEST(dr4_and_dr5_are_aliases_until_de)
{
    struct board *b = board_new();

    ck_assert_int_eq(write_dr(b, 5, 0), DONE);
    ck_assert_uint_eq(b->cpu.dr[7], 0x400);
    ck_assert_int_eq(write_dr(b, 4, 0), DONE);
    ck_assert_uint_eq(b->cpu.dr[6], 0xffff0ff0);
    ck_assert_int_eq(write_cr(b, 4, CR4_DE), DONE);
    ck_assert_int_eq(write_dr(b, 5, 0), EXC_UD);
    ck_assert_int_eq(write_dr(b, 7, 1 << 13), DONE); /* GD */
    ck_assert_int_eq(write_dr(b, 0, 0), EXC_DB);
    ck_assert_uint_eq(b->cpu.exc.dr6, 1 << 13);
    board_free(b);
}
END_TEST

static int step_begin(struct board *b)
{
    b->cpu.insn_rsp = b->cpu.gpr[RSP];
    if (setjmp(b->unwind))
        return b->cpu.exc.vector;
    debug_step_begin(&b->cpu);
    return DONE;
}

static int step_end(struct board *b, uint64_t start)
{
    struct insn in = board_insn(4);

    if (setjmp(b->unwind))
        return b->cpu.exc.vector;
    debug_step_end(&b->cpu, &in, start);
    return DONE;
}

START_TEST(code_breakpoint_is_a_fault_and_rf_skips_it_once)
{
    struct board *b = board_new();

    write_dr(b, 0, CODE + 4);
    write_dr(b, 7, 1);
    b->cpu.rip = CODE + 4;
    ck_assert_uint_eq(b->cpu.stop, CPU_STOP_TRAP);
    ck_assert_int_eq(step_begin(b), EXC_DB);
    ck_assert(!b->cpu.exc.is_trap);
    ck_assert_uint_eq(b->cpu.exc.dr6, 1);
    b->cpu.eflags |= FLAG_RF;
    ck_assert_int_eq(step_begin(b), DONE);
    ck_assert_int_eq(step_begin(b), EXC_DB);
    board_free(b);
}
END_TEST

START_TEST(data_breakpoint_is_a_trap_after_the_instruction)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);

    write_dr(b, 1, STACK - 4);
    write_dr(b, 7, 1 << 2 | 0xdu << 20); /* L1: 4 bytes, write */
    b->cpu.rip = CODE;
    ck_assert_int_eq(step_begin(b), DONE);
    ck_assert_int_eq(board_run(b, op_pushf, &in), DONE);
    ck_assert_int_eq(step_end(b, CODE), EXC_DB);
    ck_assert(b->cpu.exc.is_trap);
    ck_assert_uint_eq(b->cpu.exc.dr6, 2);
    ck_assert_uint_eq(b->cpu.rip, CODE + 2);
    board_free(b);
}
END_TEST

START_TEST(single_step_traps_after_the_instruction_that_began_with_tf)
{
    struct board *b = board_new();
    struct insn in = board_insn(4);

    POKE_STACK(b, 4, FLAG_TF);
    ck_assert_int_eq(step_begin(b), DONE);
    ck_assert_int_eq(board_run(b, op_popf, &in), DONE);
    ck_assert_int_eq(step_end(b, CODE), DONE); /* TF was clear before it */
    ck_assert_int_eq(step_begin(b), DONE);
    b->cpu.rip += 1;
    ck_assert_int_eq(step_end(b, CODE + 2), EXC_DB);
    ck_assert_uint_eq(b->cpu.exc.dr6, DR6_BS);
    board_free(b);
}
END_TEST

START_TEST(mov_ss_holds_the_single_step_trap)
{
    struct board *b = board_new();

    b->cpu.eflags |= FLAG_TF;
    ck_assert_int_eq(step_begin(b), DONE);
    ck_assert_int_eq(board_load(b, SS, DATA0), DONE);
    ck_assert_int_eq(step_end(b, CODE), DONE);
    ck_assert_int_eq(step_begin(b), DONE);
    b->cpu.rip += 1;
    ck_assert_int_eq(step_end(b, CODE + 2), EXC_DB);
    board_free(b);
}
END_TEST

START_TEST(debug_trap_is_delivered_with_dr6_and_without_gd)
{
    struct board *b = board_new();

    b->cpu.dr[7] |= DR7_GD;
    b->cpu.eflags |= FLAG_TF;
    ck_assert_int_eq(step_begin(b), DONE);
    b->cpu.rip = CODE + 1;
    ck_assert_int_eq(step_end(b, CODE), EXC_DB);
    ck_assert_int_eq(board_deliver(b), DONE);
    ck_assert_uint_eq(b->cpu.dr[6], 0xffff0ff0 | DR6_BS);
    ck_assert_uint_eq(b->cpu.dr[7] & DR7_GD, 0);
    ck_assert_uint_eq(board_item(b, STACK - 12, 0, 4), CODE + 1);
    ck_assert_uint_eq(board_item(b, STACK - 12, 2, 4) & FLAG_RF, 0);
    board_free(b);
}
END_TEST

START_TEST(port_breakpoints_need_de)
{
    struct board *b = board_new();

    write_dr(b, 0, 0x60);
    write_dr(b, 7, 1 | 2 << 16);
    in_al(b, 0x60, 1);
    ck_assert_uint_eq(b->cpu.pending_db, 0);
    ck_assert_int_eq(write_cr(b, 4, CR4_DE), DONE);
    in_al(b, 0x5e, 4); /* 5Eh..61h */
    ck_assert_uint_eq(b->cpu.pending_db, 1);
    board_free(b);
}
END_TEST

/* --- state --- */

START_TEST(saved_state_makes_an_equal_processor)
{
    struct board *b = board_new(), *c = board_new();
    uint8_t *image = malloc(state_size(cpu_state));

    board_long(b);
    b->cpu.gpr[R13] = 0x1234;
    b->cpu.fpu.r[3].frac = 77;
    write_dr(b, 7, 1);
    state_save(cpu_state, &b->cpu, image);
    ck_assert(state_load(cpu_state, &c->cpu, image, state_size(cpu_state)));
    ck_assert(cpu_state_loaded(&c->cpu));
    ck_assert_ptr_null(state_compare(cpu_state, &b->cpu, &c->cpu));
    ck_assert_uint_eq(c->cpu.mode, b->cpu.mode);
    ck_assert_uint_eq(c->cpu.stop, b->cpu.stop);
    c->cpu.efer = 0; /* 64-bit paging without long mode */
    c->cpu.cr0 &= ~(uint64_t)CR0_PE;
    ck_assert(!cpu_state_loaded(&c->cpu));
    free(image);
    board_free(b);
    board_free(c);
}
END_TEST

SUITE("control", cr0_refuses_impossible_combinations,
      long_mode_is_entered_and_left_by_paging,
      upper_halves_and_reserved_bits_are_gp, pcide_wants_long_mode_and_pcid_0,
      reserved_pdpte_stops_pae_paging, lmsw_sets_pe_but_does_not_clear_it,
      lgdt_takes_24_bits_of_base_with_a_16_bit_operand,
      umip_hides_tables_from_outer_levels, invpcid_checks_its_descriptor,
      cli_and_sti_obey_iopl, pvi_gives_level_3_a_virtual_if,
      popf_changes_flags_as_far_as_the_level_may, pushf_hides_vm_and_rf,
      clac_and_stac_are_for_level_0, msrs_keep_what_may_be_written,
      every_msr_index_gives_an_answer_or_gp,
      tsc_follows_the_clock_and_the_guests_writes,
      cpuid_reports_vendor_features_and_apic_state,
      models_can_be_found_and_are_consistent, port_map_decides_above_iopl,
      rep_ins_stops_at_a_fault_with_nothing_lost,
      long_rep_outs_comes_back_to_the_engine, dr4_and_dr5_are_aliases_until_de,
      code_breakpoint_is_a_fault_and_rf_skips_it_once,
      data_breakpoint_is_a_trap_after_the_instruction,
      single_step_traps_after_the_instruction_that_began_with_tf,
      mov_ss_holds_the_single_step_trap,
      debug_trap_is_delivered_with_dr6_and_without_gd,
      port_breakpoints_need_de, saved_state_makes_an_equal_processor)
