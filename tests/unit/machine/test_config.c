/* The command line: what was asked for, or one sentence. */
#include "machine/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "cpu/cpuid.h"
#include "machine/engines.h"
#include "machine/nearest.h"
#include "tests/unit/suite.h"

enum { WORDS = 16 };

struct command {
    struct config cfg;
    char error[CONFIG_ERROR];
    char *answer; /* what was printed */
    size_t answer_size;
    char text[512];
};

/* Words are separated by blanks. */
static enum config_result parse(struct command *c, const char *line)
{
    char *argv[WORDS] = {"copal"};
    int argc = 1;
    FILE *out = open_memstream(&c->answer, &c->answer_size);
    enum config_result result;

    ck_assert_uint_lt(strlen(line), sizeof(c->text));
    strcpy(c->text, line);
    for (char *w = strtok(c->text, " "); w && argc < WORDS;
         w = strtok(NULL, " "))
        argv[argc++] = w;
    result = config_parse(&c->cfg, argc, argv, out, c->error);
    fclose(out);
    return result;
}

static void command_done(struct command *c)
{
    free(c->answer);
    c->answer = NULL;
}

/* The line, with a kernel to boot, is accepted. */
static void accept(struct command *c, const char *options)
{
    char line[512];

    snprintf(line, sizeof(line), "-kernel k %s", options);
    if (parse(c, line) != CONFIG_RUN)
        ck_abort_msg("%s: %s", line, c->error);
    command_done(c);
}

static void refuse(const char *line, const char *part)
{
    struct command c;

    ck_assert_int_eq(parse(&c, line), CONFIG_WRONG);
    if (!strstr(c.error, part))
        ck_abort_msg("%s: no '%s' in: %s", line, part, c.error);
    command_done(&c);
}

START_TEST(defaults_make_a_machine)
{
    struct command c;

    accept(&c, "");
    ck_assert_str_eq(c.cfg.kernel, "k");
    ck_assert_uint_eq(c.cfg.ram_size, (uint64_t)512 << 20);
    ck_assert_ptr_nonnull(c.cfg.model);
    ck_assert_ptr_eq(c.cfg.engine, &engine_kinds[0]);
    ck_assert_int_eq(c.cfg.time, CLOCK_HOST);
    ck_assert_int_eq(c.cfg.serial.kind, CHARDEV_STDIO);
    ck_assert(!c.cfg.no_reboot);
}
END_TEST

START_TEST(memory_has_units_and_limits)
{
    static const struct {
        const char *option;
        uint64_t mib;
    } good[] = {
        {"-m 2", 2},         {"-m 16M", 16},  {"-m 16m", 16},
        {"-m 1G", 1024},     {"-m 3g", 3072}, {"-m 64G", 65536},
        {"-m 65536", 65536},
    };
    struct command c;

    for (size_t i = 0; i < array_len(good); i++) {
        accept(&c, good[i].option);
        ck_assert_uint_eq(c.cfg.ram_size, good[i].mib << 20);
    }
    refuse("-m 1", "out of range");
    refuse("-m 65G", "out of range");
    refuse("-m 65537M", "out of range");
    refuse("-m 18446744073709551615G", "out of range");
    refuse("-m 12K", "not a memory size");
    refuse("-m 12MM", "not a memory size");
    refuse("-m M", "not a memory size");
    refuse("-m -5", "not a memory size");
}
END_TEST

START_TEST(one_or_two_dashes)
{
    struct command c;

    accept(&c, "--m 16M --no-reboot");
    ck_assert_uint_eq(c.cfg.ram_size, 16 << 20);
    ck_assert(c.cfg.no_reboot);
}
END_TEST

START_TEST(the_last_of_two_counts)
{
    struct command c;

    accept(&c, "-m 16M -kernel other -m 32M");
    ck_assert_uint_eq(c.cfg.ram_size, 32 << 20);
    ck_assert_str_eq(c.cfg.kernel, "other");
}
END_TEST

START_TEST(names_are_looked_up)
{
    struct command c;

    accept(&c, "-cpu pentium -accel interp -machine pc -smp 1");
    ck_assert_str_eq(c.cfg.model->name, "pentium");
    ck_assert_str_eq(c.cfg.engine->name, "interp");
    accept(&c, "-machine type=pc,accel=interp");
    ck_assert_str_eq(c.cfg.engine->name, "interp");
    refuse("-cpu pentum", "'pentium'");
    refuse("-machine pd", "'pc'");
    refuse("-machine pc,foo=1", "'foo'");
    refuse("-accel intrep", "'interp'");
    refuse("-smp 4", "-smp 1");
}
END_TEST

START_TEST(a_mistyped_option_is_recognised)
{
    refuse("-kernal k", "'-kernel'");
    refuse("-apend k", "'-append'");
    refuse("--no-rebot", "'-no-reboot'");
    refuse("-nographics", "'-nographic'");
    refuse("-quux", "--help");
    refuse("-m", "needs an argument");
}
END_TEST

START_TEST(edit_distance_counts_changes)
{
    ck_assert_uint_eq(edit_distance("kernel", 6, "kernel"), 0);
    ck_assert_uint_eq(edit_distance("kernal", 6, "kernel"), 1);
    ck_assert_uint_eq(edit_distance("", 0, "abc"), 3);
    ck_assert_uint_eq(edit_distance("abc", 3, ""), 3);
    ck_assert_uint_eq(edit_distance("kitten", 6, "sitting"), 3);
}
END_TEST

START_TEST(questions_are_answered)
{
    static const char *const questions[][2] = {
        {"--help", "-kernel FILE"}, {"-h", "-initrd FILE"},
        {"-version", "copal "},     {"-cpu help", "pentium"},
        {"-accel help", "interp"},  {"-machine help", "pc"},
        {"-d help", "in_asm"},      {"-device help", "isa-debug-exit"},
    };
    struct command c;

    for (size_t i = 0; i < array_len(questions); i++) {
        ck_assert_int_eq(parse(&c, questions[i][0]), CONFIG_DONE);
        ck_assert_ptr_nonnull(strstr(c.answer, questions[i][1]));
        command_done(&c);
    }
}
END_TEST

START_TEST(help_fits_a_terminal)
{
    struct command c;

    parse(&c, "--help");
    for (char *line = strtok(c.answer, "\n"); line; line = strtok(NULL, "\n"))
        ck_assert_uint_le(strlen(line), 79);
    command_done(&c);
}
END_TEST

START_TEST(serial_ends)
{
    struct command c;

    accept(&c, "-serial null");
    ck_assert_int_eq(c.cfg.serial.kind, CHARDEV_NULL);
    accept(&c, "-serial file:a,b=c");
    ck_assert_int_eq(c.cfg.serial.kind, CHARDEV_FILE);
    ck_assert_str_eq(c.cfg.serial.path, "a,b=c");
    accept(&c, "-nographic");
    ck_assert(c.cfg.nographic);
    ck_assert_int_eq(c.cfg.serial.kind, CHARDEV_STDIO);
    refuse("-serial file:", "file:NAME");
    refuse("-serial pty", "-serial pty");
}
END_TEST

START_TEST(debug_devices)
{
    struct command c;

    accept(&c, "-device isa-debugcon,iobase=0x402,chardev=d "
               "-chardev file,id=d,path=out.txt -debugcon stdio "
               "-device isa-debug-exit,iobase=0xf4,iosize=0x04");
    ck_assert_uint_eq(c.cfg.debugcon_count, 2);
    ck_assert_uint_eq(c.cfg.debugcon[0].iobase, 0x402);
    ck_assert_int_eq(c.cfg.debugcon[0].host.kind, CHARDEV_FILE);
    ck_assert_str_eq(c.cfg.debugcon[0].host.path, "out.txt");
    ck_assert_uint_eq(c.cfg.debugcon[1].iobase, 0xe9);
    ck_assert_int_eq(c.cfg.debugcon[1].host.kind, CHARDEV_STDIO);
    ck_assert_uint_eq(c.cfg.debugexit.iobase, 0xf4);
    ck_assert_uint_eq(c.cfg.debugexit.iosize, 4);
}
END_TEST

START_TEST(debug_devices_must_be_whole)
{
    refuse("-device isa-debugcon", "needs chardev");
    refuse("-kernel k -device isa-debugcon,chardev=no", "id=no");
    refuse("-device isa-debug-exit,iosize=0", "iosize of 1");
    refuse("-device isa-debug-exit,iobase=1x", "not a number");
    refuse("-device isa-debug-exit,iobase=65536", "not a number");
    refuse("-device isa-debug-exit,iobase=-1", "not a number");
    refuse("-device isa-debug-exit -device isa-debug-exit", "at most one");
    refuse("-device isa-debugexit", "'isa-debug-exit'");
    refuse("-chardev stdio", "an id");
    refuse("-chardev file,id=x", "path=NAME");
    refuse("-debugcon null -debugcon null -debugcon null -debugcon null "
           "-debugcon null",
           "at most 4");
}
END_TEST

START_TEST(log_items_add_up)
{
    struct command c;

    accept(&c, "-d int,cpu -d stats -D log.txt");
    ck_assert_uint_eq(c.cfg.log_mask, LOG_INT | LOG_CPU | LOG_STATS);
    ck_assert_str_eq(c.cfg.log_path, "log.txt");
    refuse("-d int,stat", "'stats'");
}
END_TEST

START_TEST(the_clock_starts_where_it_is_told)
{
    struct command c;

    accept(&c, "-rtc base=1970-01-02");
    ck_assert_int_eq(c.cfg.rtc_seconds, 86400);
    accept(&c, "-rtc base=2001-09-09T01:46:40");
    ck_assert_int_eq(c.cfg.rtc_seconds, 1000000000);
    accept(&c, "-icount");
    ck_assert_int_eq(c.cfg.time, CLOCK_DETERMINISTIC);
    ck_assert_int_eq(c.cfg.rtc_seconds, 946684800);
    accept(&c, "-rtc base=localtime");
    refuse("-kernel k -rtc base=2001-13-01", "not a date");
    refuse("-kernel k -rtc base=2001-1", "not a date");
    refuse("-kernel k -rtc base=2001-01-01T25:00:00", "not a date");
    refuse("-kernel k -rtc base=2001-01-01Tx", "not a date");
    refuse("-rtc clock=host", "base=utc");
}
END_TEST

START_TEST(there_must_be_one_thing_to_boot)
{
    refuse("", "nothing to boot");
    refuse("-initrd i", "-kernel");
    refuse("-append a", "-kernel");
    refuse("-kernel k -bios b", "leave out");
    refuse("-kernel k file", "name one");
    refuse("a b", "Two files");
    refuse("/dev/null/none", "Cannot open");
    refuse("/", "directory");
}
END_TEST

START_TEST(long_words_do_no_harm)
{
    char line[300] = "-";

    memset(line + 1, 'x', 250);
    refuse(line, "Unknown option");
    memcpy(line, "-cpu ", 5);
    refuse(line, "Unknown CPU");
    memcpy(line, "-m ", 3);
    refuse(line, "not a memory size");
}
END_TEST

SUITE("config", defaults_make_a_machine, memory_has_units_and_limits,
      one_or_two_dashes, the_last_of_two_counts, names_are_looked_up,
      a_mistyped_option_is_recognised, edit_distance_counts_changes,
      questions_are_answered, help_fits_a_terminal, serial_ends, debug_devices,
      debug_devices_must_be_whole, log_items_add_up,
      the_clock_starts_where_it_is_told, there_must_be_one_thing_to_boot,
      long_words_do_no_harm)
