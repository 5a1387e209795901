/* 440FX: shadow RAM switching, and the SMRAM lock. */
#include "devices/i440fx.h"

#include "tests/unit/devices/chipset.h"

struct setup {
    struct board board;
    struct i440fx fx;
};

static void setup_init(struct setup *s)
{
    board_init(&s->board);
    for (unsigned i = 0; i < I440FX_PAM_BLOCKS; i++) {
        const struct i440fx_pam_block *b = &i440fx_pam[i];

        ck_assert(physmem_add_block(&s->board.pm, "pam", b->base, b->size,
                                    b->base, BLOCK_RAM));
    }
    ck_assert(i440fx_init(&s->fx, &s->board.bus, &s->board.pm));
}

static bool is_writable(struct setup *s, uint32_t pa)
{
    return physmem_page(&s->board.pm, pa).writable;
}

/* How many of the 16 KiB pieces of c0000-fffff are writable. */
static unsigned writable_pieces(struct setup *s)
{
    unsigned count = 0;

    for (uint32_t pa = 0xc0000; pa < 0x100000; pa += 0x4000)
        count += is_writable(s, pa);
    return count;
}

static void set(struct setup *s, unsigned reg, uint32_t value, unsigned size)
{
    config_write(&s->board, 0, 0, reg, value, size);
}

static uint32_t get(struct setup *s, unsigned reg, unsigned size)
{
    return config_read(&s->board, 0, 0, reg, size);
}

START_TEST(reset_registers)
{
    struct setup s;

    setup_init(&s);
    ck_assert_uint_eq(get(&s, PCI_VENDOR, 4), 0x12378086);
    ck_assert_uint_eq(get(&s, PCI_COMMAND, 4), 0x02800006);
    ck_assert_uint_eq(get(&s, PCI_REVISION, 4), 0x06000002);
    ck_assert_uint_eq(get(&s, 0x58, 4), 0x00000010);
    ck_assert_uint_eq(get(&s, 0x5c, 4), 0);
    ck_assert_uint_eq(get(&s, I440FX_SMRAM, 1), 0x02);
    ck_assert_uint_eq(writable_pieces(&s), 0);
    board_destroy(&s.board);
}
END_TEST

START_TEST(blocks_cover_the_area_without_gap)
{
    uint32_t at = 0xc0000;

    for (unsigned i = 0; i < I440FX_PAM_BLOCKS; i++) {
        ck_assert_uint_eq(i440fx_pam[i].base, at);
        at += i440fx_pam[i].size;
    }
    ck_assert_uint_eq(at, 0x100000);
}
END_TEST

START_TEST(each_field_governs_its_block)
{
    struct setup s;

    setup_init(&s);
    for (unsigned i = 0; i < I440FX_PAM_BLOCKS; i++) {
        const struct i440fx_pam_block *b = &i440fx_pam[i];

        set(&s, b->reg, 3u << b->shift, 1);
        ck_assert(is_writable(&s, b->base));
        ck_assert(is_writable(&s, b->base + b->size - 1));
        ck_assert_uint_eq(writable_pieces(&s), b->size / 0x4000);
        set(&s, b->reg, 0, 1);
    }
    board_destroy(&s.board);
}
END_TEST

START_TEST(a_dword_switches_all_it_covers)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0x5c, 0x33333333, 4);
    ck_assert_uint_eq(writable_pieces(&s), 8);
    set(&s, 0x58, 0x33333310, 4);
    ck_assert_uint_eq(writable_pieces(&s), 16);
    board_destroy(&s.board);
}
END_TEST

/* What a BIOS does to shadow itself: write through, then lock. */
START_TEST(shadowed_bytes_stay_when_locked)
{
    struct setup s;

    setup_init(&s);
    physmem_write(&s.board.pm, 0xf0000, 0x55, 1);
    ck_assert_uint_eq(physmem_read(&s.board.pm, 0xf0000, 1), 0);
    set(&s, I440FX_PAM0, 0x30, 1);
    physmem_write(&s.board.pm, 0xf0000, 0x55, 1);
    set(&s, I440FX_PAM0, 0x10, 1);
    physmem_write(&s.board.pm, 0xf0000, 0xaa, 1);
    ck_assert_uint_eq(physmem_read(&s.board.pm, 0xf0000, 1), 0x55);
    board_destroy(&s.board);
}
END_TEST

START_TEST(unchanged_pam_drops_no_translations)
{
    struct setup s;

    setup_init(&s);
    set(&s, I440FX_PAM0, 0x30, 1);

    uint64_t before = s.board.pm.generation;

    set(&s, I440FX_PAM0, 0x30, 1);
    set(&s, I440FX_SMRAM, 0x0a, 1);
    ck_assert_uint_eq(s.board.pm.generation, before);
    board_destroy(&s.board);
}
END_TEST

START_TEST(smram_lock_holds_until_reset)
{
    struct setup s;

    setup_init(&s);
    set(&s, I440FX_SMRAM, 0x4a, 1);
    ck_assert_uint_eq(get(&s, I440FX_SMRAM, 1), 0x4a);
    set(&s, I440FX_SMRAM, 0x5a, 1);
    ck_assert_uint_eq(get(&s, I440FX_SMRAM, 1), 0x1a);
    set(&s, I440FX_SMRAM, 0x40, 1);
    ck_assert_uint_eq(get(&s, I440FX_SMRAM, 1), 0x1a);
    device_reset(&s.fx);
    set(&s, I440FX_SMRAM, 0x40, 1);
    ck_assert_uint_eq(get(&s, I440FX_SMRAM, 1), 0x42);
    board_destroy(&s.board);
}
END_TEST

START_TEST(reset_makes_rom_of_it_all)
{
    struct setup s;

    setup_init(&s);
    set(&s, 0x5c, 0x33333333, 4);
    device_reset(&s.fx);
    ck_assert_uint_eq(writable_pieces(&s), 0);
    board_destroy(&s.board);
}
END_TEST

START_TEST(state_carries_shadowing_and_lock)
{
    struct setup from, to;

    setup_init(&from);
    setup_init(&to);
    set(&from, 0x5a, 0x31, 1);
    set(&from, I440FX_SMRAM, 0x18, 1);
    set(&to, 0x5c, 0x33333333, 4);
    carry_state(&from.fx, &to.fx);
    ck_assert(is_writable(&to, 0xc4000));
    ck_assert_uint_eq(writable_pieces(&to), 1);
    set(&to, I440FX_SMRAM, 0x40, 1);
    ck_assert_uint_eq(get(&to, I440FX_SMRAM, 1), 0x1a);
    load_garbage(&to.fx, 0xff);
    board_destroy(&from.board);
    board_destroy(&to.board);
}
END_TEST

SUITE("i440fx", reset_registers, blocks_cover_the_area_without_gap,
      each_field_governs_its_block, a_dword_switches_all_it_covers,
      shadowed_bytes_stay_when_locked, unchanged_pam_drops_no_translations,
      smram_lock_holds_until_reset, reset_makes_rom_of_it_all,
      state_carries_shadowing_and_lock)
