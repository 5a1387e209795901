/* What the MMU has to forget, and what it may keep, when the guest changes spaces,
 * entries or control registers. */
#include "mem/mmu.h"

#include "tests/unit/mem/rig.h"

/* --- address spaces --- */

/* Another root with its own page at AT. */
static paddr other_space(struct rig *r, paddr place)
{
    paddr root = guest_new_table(&r->g), old = r->g.root;

    r->g.root = root;
    guest_map(&r->g, AT, place, PAGE_SIZE, PWU);
    r->g.root = old;
    return root;
}

START_TEST(a_new_cr3_is_a_new_space)
{
    struct rig *r = rig_with_page(PWU);
    paddr other = other_space(r, OTHER);

    rig_write(r, AT, 1);
    mmu_set_cr3(&r->m, other, false);
    rig_write(r, AT, 2);
    mmu_set_cr3(&r->m, r->g.root, false);
    ck_assert_uint_eq(rig_read(r, AT), 1);
    ck_assert_uint_eq(peek(&r->g, OTHER, 8), 2);
    rig_free(r);
}
END_TEST

START_TEST(global_pages_survive_a_new_cr3_if_pge_is_on)
{
    struct rig *r = rig_with_page(PWU);
    uint64_t walks;

    guest_map(&r->g, KERNEL, OTHER, PAGE_SIZE, PWU | G);
    for (unsigned on = 0; on < 2; on++) {
        rig_cr4(r, PGE, on);
        rig_read(r, AT);
        rig_read(r, KERNEL);
        walks = r->stats.tlb_walk;
        mmu_set_cr3(&r->m, r->g.root, false);
        rig_read(r, KERNEL);
        ck_assert_uint_eq(r->stats.tlb_walk, walks + !on);
        rig_read(r, AT);
        ck_assert_uint_eq(r->stats.tlb_walk, walks + !on + 1);
    }
    rig_free(r);
}
END_TEST

START_TEST(pcids_keep_their_translations_apart)
{
    struct rig *r = rig_with_page(PWU);
    paddr other = other_space(r, OTHER);
    uint64_t walks;

    rig_cr4(r, PCIDE, true);
    poke(&r->g, PLACE, 1, 8);
    poke(&r->g, OTHER, 2, 8);
    rig_read(r, AT);
    mmu_set_cr3(&r->m, other | 5, false);
    rig_read(r, AT);
    walks = r->stats.tlb_walk;
    for (unsigned i = 0; i < 4; i++) {
        mmu_set_cr3(&r->m, r->g.root, true);
        ck_assert_uint_eq(rig_read(r, AT), 1);
        mmu_set_cr3(&r->m, other | 5, true);
        ck_assert_uint_eq(rig_read(r, AT), 2);
    }
    ck_assert_uint_eq(r->stats.tlb_walk, walks);
    ck_assert_uint_eq(r->stats.tlb_switch, 8);
    mmu_set_cr3(&r->m, other | 5, false);
    rig_read(r, AT);
    ck_assert_uint_eq(r->stats.tlb_walk, walks + 1);
    rig_free(r);
}
END_TEST

START_TEST(more_pcids_than_contexts_still_do_not_mix)
{
    struct rig *r = rig_new(MODE_LONG);
    paddr space[2 * MMU_CONTEXTS];

    rig_cr4(r, PCIDE, true);
    for (unsigned i = 0; i < 2 * MMU_CONTEXTS; i++) {
        space[i] = other_space(r, 0x100000 + i * PAGE_SIZE);
        poke(&r->g, 0x100000 + i * PAGE_SIZE, i, 8);
    }
    for (unsigned k = 0; k < 200; k++) {
        unsigned i = k * k % (2 * MMU_CONTEXTS);

        mmu_set_cr3(&r->m, space[i] | (i + 1), true);
        ck_assert_uint_eq(rig_read(r, AT), i);
    }
    rig_free(r);
}
END_TEST

START_TEST(a_reused_context_keeps_global_pages_only)
{
    struct rig *r = rig_with_page(PWU);
    uint64_t walks;

    rig_cr4(r, PCIDE, true);
    guest_map(&r->g, KERNEL, OTHER, PAGE_SIZE, PWU | G);
    for (unsigned pcid = 1; pcid <= MMU_CONTEXTS; pcid++) {
        mmu_set_cr3(&r->m, r->g.root | pcid, false);
        rig_read(r, KERNEL);
        rig_read(r, AT);
    }
    mmu_set_cr3(&r->m, r->g.root | 100, true);
    walks = r->stats.tlb_walk;
    rig_read(r, KERNEL);
    ck_assert_uint_eq(r->stats.tlb_walk, walks);
    rig_read(r, AT);
    ck_assert_uint_eq(r->stats.tlb_walk, walks + 1);
    rig_free(r);
}
END_TEST

START_TEST(pae_pdptes_with_reserved_bits_refuse_the_new_cr3)
{
    struct rig *r = rig_new(MODE_PAE);

    guest_map(&r->g, AT, PLACE, PAGE_SIZE, PWU);
    ck_assert(mmu_set_cr3(&r->m, r->g.root, false));
    rig_write(r, AT, 7);
    poke(&r->g, OTHER, 2 | P, 8);
    ck_assert(!mmu_set_cr3(&r->m, OTHER, false));
    ck_assert_uint_eq(r->m.regs.cr3, r->g.root);
    ck_assert_uint_eq(rig_read(r, AT), 7);
    rig_free(r);
}
END_TEST

/* CR3 is usually loaded before CR0.PG is set. */
START_TEST(pae_pdptes_are_loaded_when_paging_begins)
{
    struct rig *r = rig_new(MODE_PAE);
    paddr path[4];

    guest_map(&r->g, AT, PLACE, PAGE_SIZE, PWU);
    poke(&r->g, PLACE, 0x55, 8);
    mmu_reset(&r->m);
    ck_assert(mmu_set_cr3(&r->m, r->g.root, false));
    mmu_set_control(&r->m, PG, PAE, 0);
    ck_assert_uint_eq(rig_read(r, AT), 0x55);
    guest_path(&r->g, AT, path);
    poke(&r->g, path[0], 0, 8);
    mmu_set_control(&r->m, PG | WP, PAE, 0); /* WP loads nothing */
    ck_assert_uint_eq(rig_read(r, AT), 0x55);
    rig_free(r);
}
END_TEST

/* --- invalidation --- */

/* Maps AT elsewhere behind the MMU's back. */
static void move(struct rig *r, laddr la, paddr to)
{
    rig_set_leaf(r, la, (rig_leaf(r, la) & 0xfff) | to);
}

START_TEST(invlpg_makes_a_changed_entry_count)
{
    struct rig *r = rig_with_page(PWU);
    uint64_t at;

    poke(&r->g, OTHER, 0x99, 8);
    rig_write(r, AT, 1);
    ck_assert(mmu_fetch_page(&r->m, AT, &at) && at == PLACE);
    mmu_fill_l0(&r->m, 3, AT, ACCESS_READ);
    move(r, AT, OTHER);
    mmu_invlpg(&r->m, AT + 0x800);
    ck_assert_uint_eq(rig_read(r, AT), 0x99);
    ck_assert(mmu_fetch_page(&r->m, AT, &at) && at == OTHER);
    ck_assert_uint_eq(r->m.bank->l0_read[3].limit, 0);
    rig_free(r);
}
END_TEST

START_TEST(invlpg_reaches_every_privilege)
{
    struct rig *r = rig_with_page(PWU);

    rig_cr4(r, SMAP, true);
    poke(&r->g, OTHER, 0x99, 8);
    for (unsigned who = MMU_USER; who <= MMU_SUPERVISOR_AC; who += 2) {
        mmu_set_who(&r->m, (enum mmu_bank)who);
        rig_read(r, AT);
    }
    move(r, AT, OTHER);
    mmu_set_who(&r->m, MMU_SUPERVISOR);
    mmu_invlpg(&r->m, AT);
    for (unsigned who = MMU_USER; who <= MMU_SUPERVISOR_AC; who += 2) {
        mmu_set_who(&r->m, (enum mmu_bank)who);
        ck_assert_uint_eq(rig_read(r, AT), 0x99);
    }
    rig_free(r);
}
END_TEST

START_TEST(invlpg_anywhere_in_a_large_page_drops_all_of_it)
{
    for (unsigned mode = 0; mode < MODES; mode++) {
        struct rig *r = rig_new((enum page_mode)mode);
        uint64_t size = large_size((enum page_mode)mode);
        laddr la = 0x40000000;

        guest_map(&r->g, la, 0, size, PWU);
        if (mode == MODE_PAE)
            ck_assert(mmu_set_cr3(&r->m, r->g.root, false));
        poke(&r->g, 0x5000, 5, 8);
        poke(&r->g, 0x9000, 9, 8);
        ck_assert_uint_eq(rig_read(r, la + 0x5000), 5);
        ck_assert_uint_eq(rig_read(r, la + 0x9000), 9);
        ck_assert_uint_eq(r->stats.tlb_large_hit, 1);
        rig_set_leaf(r, la, size | PWU | PS);
        mmu_invlpg(&r->m, la + size - 1);
        ck_assert_uint_ne(rig_read(r, la + 0x5000), 5);
        ck_assert_uint_ne(rig_read(r, la + 0x9000), 9);
        rig_free(r);
    }
}
END_TEST

START_TEST(invlpg_drops_a_global_page_from_all_contexts)
{
    struct rig *r = rig_new(MODE_LONG);

    rig_cr4(r, PCIDE, true);
    guest_map(&r->g, KERNEL, PLACE, PAGE_SIZE, PWU | G);
    poke(&r->g, OTHER, 0x99, 8);
    for (unsigned pcid = 0; pcid < 3; pcid++) {
        mmu_set_cr3(&r->m, r->g.root | pcid, false);
        rig_read(r, KERNEL);
    }
    move(r, KERNEL, OTHER);
    mmu_invlpg(&r->m, KERNEL);
    for (unsigned pcid = 0; pcid < 3; pcid++) {
        mmu_set_cr3(&r->m, r->g.root | pcid, true);
        ck_assert_uint_eq(rig_read(r, KERNEL), 0x99);
    }
    rig_free(r);
}
END_TEST

/* What a local and a global page give in PCID 1 and PCID 2 after INVPCID of
 * each type for PCID 1: 0 as before, 1 anew. */
START_TEST(invpcid_drops_what_its_type_names)
{
    static const struct {
        uint8_t local_1, local_2, must_flush_global;
    } expected[] = {{1, 0, 0}, {1, 0, 0}, {1, 1, 1}, {1, 1, 0}};

    for (unsigned type = 0; type < 4; type++) {
        struct rig *r = rig_with_page(PWU);

        rig_cr4(r, PCIDE, true);
        guest_map(&r->g, KERNEL, 0x7000, PAGE_SIZE, PWU | G);
        poke(&r->g, OTHER, 1, 8);
        for (unsigned pcid = 1; pcid <= 2; pcid++) {
            mmu_set_cr3(&r->m, r->g.root | pcid, false);
            rig_read(r, AT);
            rig_read(r, KERNEL);
        }
        move(r, AT, OTHER);
        move(r, KERNEL, OTHER);
        mmu_invpcid(&r->m, type, 1, AT);
        ck_assert_uint_eq(rig_read(r, AT), expected[type].local_2);
        ck_assert_uint_eq(rig_read(r, KERNEL),
                          expected[type].must_flush_global);
        mmu_set_cr3(&r->m, r->g.root | 1, true);
        ck_assert_uint_eq(rig_read(r, AT), expected[type].local_1);
        mmu_invpcid(&r->m, type, 77, AT); /* a PCID that has no context */
        rig_free(r);
    }
}
END_TEST

START_TEST(control_bits_that_change_rights_count_at_once)
{
    struct rig *r = rig_with_page(P | U | XD);
    const struct paging_regs *regs = &r->m.regs;
    uint64_t v;

    mmu_set_control(&r->m, PG, regs->cr4, regs->efer);
    rig_write(r, AT, 1);
    mmu_set_control(&r->m, PG | WP, regs->cr4, regs->efer);
    ck_assert(!mmu_write(&r->m, AT, 8, 1));
    ck_assert(mmu_read(&r->m, AT, 8, &v));
    rig_cr4(r, SMAP, true);
    ck_assert(!mmu_read(&r->m, AT, 8, &v));
    rig_cr4(r, SMAP, false);
    mmu_set_control(&r->m, PG, regs->cr4, regs->efer & ~NXE);
    ck_assert(!mmu_read(&r->m, AT, 8, &v));
    ck_assert_uint_eq(r->m.fault_error, PF_P | PF_RSVD);
    rig_free(r);
}
END_TEST

START_TEST(smep_counts_at_once)
{
    struct rig *r = rig_with_page(PWU);
    uint64_t at;

    ck_assert(mmu_fetch_page(&r->m, AT, &at));
    rig_cr4(r, SMEP, true);
    ck_assert(!mmu_fetch_page(&r->m, AT, &at));
    ck_assert_uint_eq(r->m.fault_error, PF_P | PF_I);
    rig_free(r);
}
END_TEST

START_TEST(paging_can_be_switched_off_and_on)
{
    struct rig *r = rig_new(MODE_32);

    guest_map(&r->g, 0x200000, 0x300000, PAGE_SIZE, PWU);
    poke(&r->g, 0x200000, 2, 8);
    poke(&r->g, 0x300000, 3, 8);
    ck_assert_uint_eq(rig_read(r, 0x200000), 3);
    mmu_set_control(&r->m, 0, r->m.regs.cr4, 0);
    ck_assert_uint_eq(rig_read(r, 0x200000), 2);
    mmu_set_control(&r->m, PG, r->m.regs.cr4, 0);
    ck_assert_uint_eq(rig_read(r, 0x200000), 3);
    mmu_reset(&r->m);
    ck_assert_uint_eq(rig_read(r, 0x200000), 2);
    rig_free(r);
}
END_TEST

/* SDM vol. 3, 4.10.4.1: who has only permitted more need not say so. */
START_TEST(a_fault_does_not_recur_after_more_was_permitted)
{
    struct rig *r = rig_with_page(PWU);
    paddr path[4];

    guest_path(&r->g, AT, path);
    poke(&r->g, path[2], peek(&r->g, path[2], 8) & ~(uint64_t)W, 8);
    rig_read(r, AT);
    ck_assert(!mmu_write(&r->m, AT, 8, 1));
    poke(&r->g, path[2], peek(&r->g, path[2], 8) | W, 8);
    rig_write(r, AT, 1);
    rig_free(r);
}
END_TEST

START_TEST(more_that_was_permitted_counts_without_a_fault)
{
    struct rig *r = rig_with_page(PWU);
    paddr path[4];

    guest_map(&r->g, AT + PAGE_SIZE, OTHER, PAGE_SIZE, PWU);
    guest_path(&r->g, AT, path);
    poke(&r->g, path[2], peek(&r->g, path[2], 8) & ~(uint64_t)W, 8);
    rig_read(r, AT);
    poke(&r->g, path[2], peek(&r->g, path[2], 8) | W, 8);
    rig_write(r, AT + PAGE_SIZE, 1);
    rig_free(r);
}
END_TEST

START_TEST(a_fault_drops_what_was_known_of_the_page)
{
    struct rig *r = rig_with_page(P | U);

    poke(&r->g, OTHER, 0x99, 8);
    rig_read(r, AT);
    ck_assert(!mmu_write(&r->m, AT, 8, 1));
    rig_set_leaf(r, AT, OTHER | PWU); /* copy on write */
    ck_assert_uint_eq(rig_read(r, AT), 0x99);
    rig_free(r);
}
END_TEST

START_TEST(a_table_that_was_taken_away_is_forgotten)
{
    struct rig *r = rig_with_page(PWU);
    paddr path[4], old, new_table;
    uint64_t v;

    rig_read(r, AT);
    guest_path(&r->g, AT, path);
    old = peek(&r->g, path[2], 8);
    new_table = guest_new_table(&r->g);
    poke(&r->g, path[2], new_table | PWU, 8);
    mmu_invlpg(&r->m, 0x7000); /* any address will do */
    ck_assert(!mmu_read(&r->m, AT + PAGE_SIZE, 8, &v));
    poke(&r->g, new_table + 8, OTHER | PWU, 8);
    ck_assert_uint_eq(rig_read(r, AT + PAGE_SIZE), 0);
    ck_assert_uint_eq(peek(&r->g, (old & ~0xfffull) + 8, 8), 0);
    rig_free(r);
}
END_TEST

SUITE("mmu, forgetting", a_new_cr3_is_a_new_space,
      global_pages_survive_a_new_cr3_if_pge_is_on,
      pcids_keep_their_translations_apart,
      more_pcids_than_contexts_still_do_not_mix,
      a_reused_context_keeps_global_pages_only,
      pae_pdptes_with_reserved_bits_refuse_the_new_cr3,
      pae_pdptes_are_loaded_when_paging_begins,
      invlpg_makes_a_changed_entry_count, invlpg_reaches_every_privilege,
      invlpg_anywhere_in_a_large_page_drops_all_of_it,
      invlpg_drops_a_global_page_from_all_contexts,
      invpcid_drops_what_its_type_names,
      control_bits_that_change_rights_count_at_once, smep_counts_at_once,
      paging_can_be_switched_off_and_on,
      a_fault_does_not_recur_after_more_was_permitted,
      more_that_was_permitted_counts_without_a_fault,
      a_fault_drops_what_was_known_of_the_page,
      a_table_that_was_taken_away_is_forgotten)
