/* A whole machine: a program in firmware talks to the world through ports. */
#include "machine/pc.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/compiler.h"
#include "cpu/cpuid.h"
#include "machine/engines.h"
#include "machine/run.h"
#include "tests/unit/suite.h"

enum { IMAGE = 0x10000, TEXT_SIZE = 64, TURNS = 100000 };

/* A machine whose firmware is a few bytes at the reset vector's segment. */
struct box {
    struct config cfg;
    struct pc *pc;
    struct chardev chr;
    char text[TEXT_SIZE];
    size_t length;
    char path[32];
    char error[PC_ERROR];
};

static void box_write(struct chardev *c, const uint8_t *data, size_t size)
{
    struct box *b = container_of(c, struct box, chr);

    for (size_t i = 0; i < size && b->length < TEXT_SIZE - 1; i++)
        b->text[b->length++] = (char)data[i];
}

/* The code is at f000:0000, where a far jump in the reset vector leads. */
static void write_image(struct box *b, const uint8_t *code, size_t size)
{
    static const uint8_t vector[] = {0xea, 0x00, 0x00, 0x00, 0xf0};
    uint8_t *image = xalloc(IMAGE);
    int fd;

    memcpy(image, code, size);
    memcpy(image + 0xfff0, vector, sizeof(vector));
    strcpy(b->path, "/tmp/copal-test-XXXXXX");
    fd = mkstemp(b->path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, image, IMAGE), IMAGE);
    close(fd);
    free(image);
}

static void box_init(struct box *b, enum clock_mode time, const uint8_t *code,
                     size_t size)
{
    struct pc_host host = {.com1 = &b->chr};

    *b = (struct box){.chr = {.name = "test", .write = box_write}};
    write_image(b, code, size);
    b->cfg = (struct config){
        .bios = b->path,
        .ram_size = 4 << 20,
        .model = cpu_model_find("max"),
        .engine = engine_kind_find("interp"),
        .time = time,
        .no_reboot = true,
        .debugcon_count = 1,
        .debugcon = {{.iobase = 0xe9}},
        .debugexit = {.iobase = 0xf4, .iosize = 4},
    };
    host.debugcon[0] = &b->chr;
    b->pc = xnew(struct pc);
    if (!pc_init(b->pc, &b->cfg, &host, b->error))
        ck_abort_msg("%s", b->error);
}

static void box_destroy(struct box *b)
{
    unlink(b->path);
    pc_destroy(b->pc);
    free(b->pc);
}

#define BOX(b, time, ...)                             \
    do {                                              \
        static const uint8_t code_[] = {__VA_ARGS__}; \
        box_init((b), (time), code_, sizeof(code_));  \
    } while (0)

/* --- the tests --- */

#define OUT(port, v) 0xb0, (v), 0xe6, (port) /* mov al, v; out port, al */
#define SAY(c) OUT(0xe9, (c))
#define EXIT(v) OUT(0xf4, (v))

START_TEST(a_program_prints_and_exits)
{
    struct box b;

    BOX(&b, CLOCK_HOST, SAY('h'), SAY('i'), EXIT(7));
    ck_assert_int_eq(run_machine(b.pc, b.error), 15);
    ck_assert_str_eq(b.text, "hi");
    ck_assert_str_eq(b.error, "");
    box_destroy(&b);
}
END_TEST

START_TEST(two_machines_run_side_by_side)
{
    struct box a, b;
    int a_exit = -1, b_exit = -1;
    bool a_runs = true, b_runs = true;

    BOX(&a, CLOCK_DETERMINISTIC, SAY('a'), SAY('1'), SAY('2'), EXIT(1));
    BOX(&b, CLOCK_DETERMINISTIC, SAY('b'), SAY('3'), EXIT(2));
    ck_assert(run_start(a.pc, a.error) && run_start(b.pc, b.error));
    for (unsigned i = 0; i < TURNS && (a_runs || b_runs); i++) {
        a_runs = a_runs && run_turn(a.pc, 1, &a_exit, a.error);
        b_runs = b_runs && run_turn(b.pc, 1, &b_exit, b.error);
    }
    ck_assert_str_eq(a.text, "a12");
    ck_assert_str_eq(b.text, "b3");
    ck_assert_int_eq(a_exit, 3);
    ck_assert_int_eq(b_exit, 5);
    box_destroy(&a);
    box_destroy(&b);
}
END_TEST

START_TEST(serial_output_reaches_the_host)
{
    struct box b;

    /* mov dx, 3f8; mov al, 'S'; out dx, al */
    BOX(&b, CLOCK_HOST, 0xba, 0xf8, 0x03, 0xb0, 'S', 0xee, EXIT(0));
    ck_assert_int_eq(run_machine(b.pc, b.error), 1);
    ck_assert_str_eq(b.text, "S");
    box_destroy(&b);
}
END_TEST

START_TEST(triple_fault_is_a_crash_without_reboot)
{
    struct box b;

    /* lidt with a limit of 0 (from cs:0x20, all zero); int3 */
    BOX(&b, CLOCK_HOST, 0x2e, 0x0f, 0x01, 0x1e, 0x20, 0x00, 0xcc);
    ck_assert_int_eq(run_machine(b.pc, b.error), RUN_CRASHED);
    ck_assert_ptr_nonnull(strstr(b.error, "triple fault"));
    box_destroy(&b);
}
END_TEST

START_TEST(a_reset_starts_the_firmware_again)
{
    struct box b;

    /* cmos index 40: 0 at first; set it and reset by port cf9; the second
     * time, exit with it.  RAM of the clock chip survives. */
    BOX(&b, CLOCK_HOST, SAY('r'), 0xb0, 0x40, 0xe6, 0x70, /* index 40 */
        0xe4, 0x71, 0x84, 0xc0,       /* in al, 71; test al, al */
        0x75, 0x0c,                   /* jnz exit */
        0xb0, 0x09, 0xe6, 0x71,       /* 9 to it */
        0xba, 0xf9, 0x0c, 0xb0, 0x06, /* mov dx, cf9; mov al, 6 */
        0xee, 0xeb, 0xfe,             /* out dx, al; jmp $ */
        0xe6, 0xf4);                  /* out f4, al */
    b.cfg.no_reboot = false;
    ck_assert_int_eq(run_machine(b.pc, b.error), 19);
    ck_assert_str_eq(b.text, "rr");
    box_destroy(&b);
}
END_TEST

START_TEST(a_reset_ends_the_run_without_reboot)
{
    struct box b;

    /* keyboard controller command fe pulses the reset line */
    BOX(&b, CLOCK_HOST, 0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe);
    ck_assert_int_eq(run_machine(b.pc, b.error), RUN_OFF);
    box_destroy(&b);
}
END_TEST

/* Stack at 0:7000; vector 8 -> f000:0080. */
#define SET_VECTOR                                                          \
    0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0xc7, 0x06, 0x20, \
        0x00, 0x80, 0x00, 0xc7, 0x06, 0x22, 0x00, 0x00, 0xf0
/* Counter 0 in mode 2 with count 0x1000. */
#define SET_COUNTER OUT(0x43, 0x34), OUT(0x40, 0x00), OUT(0x40, 0x10)
/* IRQ 0 is vector 8, and the only one that is open. */
#define SET_PIC \
    OUT(0x20, 0x11), OUT(0x21, 8), OUT(0x21, 4), OUT(0x21, 1), OUT(0x21, 0xfe)
/* MSR 1b without its enable bit: the PIC's INTR is the processor's. */
#define BYPASS_APIC                                                         \
    0x66, 0xb9, 0x1b, 0x00, 0x00, 0x00, 0x66, 0xb8, 0x00, 0x01, 0xe0, 0xfe, \
        0x66, 0x31, 0xd2, 0x0f, 0x30
/* The PIC after the counter, whose mode alone makes an edge; sti; wait. */
#define TIMER_PROGRAM(...) \
    SET_VECTOR, SET_COUNTER, SET_PIC, BYPASS_APIC, 0xfb, __VA_ARGS__

/* The interrupt handler at 0x80: says 't' and exits. */
static void set_handler(struct box *b)
{
    static const uint8_t handler[] = {SAY('t'), EXIT(3)};

    memcpy(b->pc->bios + 0x80, handler, sizeof(handler));
}

START_TEST(a_busy_guest_gets_its_timer_interrupt)
{
    struct box b;

    BOX(&b, CLOCK_HOST, TIMER_PROGRAM(0xeb, 0xfe)); /* jmp $ */
    set_handler(&b);
    ck_assert_int_eq(run_machine(b.pc, b.error), 7);
    ck_assert_str_eq(b.text, "t");
    box_destroy(&b);
}
END_TEST

START_TEST(a_halted_guest_gets_its_timer_interrupt)
{
    struct box b;

    BOX(&b, CLOCK_HOST, TIMER_PROGRAM(0xf4, 0xeb, 0xfd)); /* hlt; jmp */
    set_handler(&b);
    ck_assert_int_eq(run_machine(b.pc, b.error), 7);
    ck_assert_str_eq(b.text, "t");
    box_destroy(&b);
}
END_TEST

START_TEST(counted_time_is_the_same_each_run)
{
    uint64_t insns[2], now[2];

    for (unsigned i = 0; i < 2; i++) {
        struct box b;

        BOX(&b, CLOCK_DETERMINISTIC, TIMER_PROGRAM(0xeb, 0xfe));
        set_handler(&b);
        ck_assert_int_eq(run_machine(b.pc, b.error), 7);
        insns[i] = b.pc->stats.insn_interp;
        now[i] = clock_now(&b.pc->clock);
        box_destroy(&b);
    }
    ck_assert_uint_eq(insns[0], insns[1]);
    ck_assert_uint_eq(now[0], now[1]);
    /* The counter's period is 3.43 ms. */
    ck_assert_uint_ge(now[0], 3400000);
    ck_assert_uint_le(now[0], 3500000);
}
END_TEST

START_TEST(power_off_can_be_asked_for_by_another_thread)
{
    struct box b;

    BOX(&b, CLOCK_HOST, 0xfa, 0xf4, 0xeb, 0xfd); /* cli; hlt */
    ck_assert(pc_post_power_off(b.pc));
    ck_assert_int_eq(run_machine(b.pc, b.error), RUN_OFF);
    box_destroy(&b);
}
END_TEST

START_TEST(a_port_in_use_is_a_sentence)
{
    struct pc_host host = {.com1 = NULL};
    struct box b;

    BOX(&b, CLOCK_HOST, EXIT(0));
    pc_destroy(b.pc);
    b.cfg.debugexit.iobase = PORT_COM1;
    ck_assert(!pc_init(b.pc, &b.cfg, &host, b.error));
    ck_assert_ptr_nonnull(strstr(b.error, "0x3f8"));
    free(b.pc);
    unlink(b.path);
}
END_TEST

START_TEST(memory_beyond_the_pci_hole_is_above_4g)
{
    struct pc_host host = {.com1 = NULL};
    struct box b;
    paddr top = BOARD_4G + (1 << 20) - 8;

    BOX(&b, CLOCK_HOST, EXIT(0));
    pc_destroy(b.pc);
    b.cfg.ram_size = BOARD_HOLE_START + (1 << 20);
    ck_assert(pc_init(b.pc, &b.cfg, &host, b.error));
    physmem_write(&b.pc->mem, top, 0x1122334455667788, 8);
    ck_assert_uint_eq(physmem_read(&b.pc->mem, top, 8), 0x1122334455667788);
    ck_assert_uint_eq(physmem_read(&b.pc->mem, top + 8, 4), 0xffffffff);
    ck_assert_uint_eq(physmem_read(&b.pc->mem, BOARD_HOLE_START, 4),
                      0xffffffff);
    box_destroy(&b);
}
END_TEST

SUITE("pc", a_program_prints_and_exits, two_machines_run_side_by_side,
      serial_output_reaches_the_host, triple_fault_is_a_crash_without_reboot,
      a_reset_starts_the_firmware_again, a_reset_ends_the_run_without_reboot,
      a_busy_guest_gets_its_timer_interrupt,
      a_halted_guest_gets_its_timer_interrupt,
      counted_time_is_the_same_each_run,
      power_off_can_be_asked_for_by_another_thread, a_port_in_use_is_a_sentence,
      memory_beyond_the_pci_hole_is_above_4g)
