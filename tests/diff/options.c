#include "tests/diff/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/insn.h"

static void usage(void)
{
    printf(
        "usage: diff [option...]\n"
        "Runs random programs, made from the instruction tables, on the host\n"
        "CPU and in both engines, and compares all that a program can see.\n"
        "\n"
        "  --seconds N    stop after N seconds (default 10; 0: never)\n"
        "  --cases N      stop after N programs\n"
        "  --seed N       the programs to run (default: from the clock)\n"
        "  --case N       only program number N\n"
        "  --jobs N       processes, with seeds from --seed upwards\n"
        "  --row NAME     only programs about this row of cpu/isa\n"
        "  --kind K       64, 32, 32-ldt or 16; may be given several times\n"
        "  --engine E     interp or jit alone\n"
        "  --single       one instruction a program\n"
        "  --limit N      stop after N mismatches (default 20)\n"
        "  --coverage     say which rows were executed by whom; fails if one\n"
        "                 was executed by nobody\n"
        "  --rows FILE    write a line for each row to FILE\n"
        "  --record FILE  keep the host's answers for replay (one job)\n");
}

static bool parse_kind(struct options *o, const char *value)
{
    static const char *const names[CODE_KINDS] = {"64", "32", "32-ldt", "16"};

    for (unsigned k = 0; k < CODE_KINDS; k++) {
        if (!strcmp(value, names[k])) {
            o->kinds[k] = true;
            return true;
        }
    }
    return false;
}

static bool parse_row(struct options *o, const char *value)
{
    for (int row = 0; row < INSN_COUNT; row++) {
        if (!strcmp(value, insn_info[row].id)) {
            o->row = row;
            return true;
        }
    }
    return false;
}

static bool parse_engine(struct options *o, const char *value)
{
    o->interp = !strcmp(value, "interp");
    o->jit = !strcmp(value, "jit");
    return o->interp || o->jit;
}

static bool parse_number(uint64_t *n, const char *value)
{
    char *end;

    *n = strtoull(value, &end, 0);
    return *value && !*end;
}

/* Options with a value. */
static bool parse_value(struct options *o, const char *name, const char *value)
{
    uint64_t n = 0;
    bool number = parse_number(&n, value);

    if (!strcmp(name, "--row"))
        return parse_row(o, value);
    if (!strcmp(name, "--kind"))
        return parse_kind(o, value);
    if (!strcmp(name, "--engine"))
        return parse_engine(o, value);
    if (!strcmp(name, "--record")) {
        o->record = value;
        return true;
    }
    if (!strcmp(name, "--rows")) {
        o->rows = value;
        return true;
    }
    if (!strcmp(name, "--seconds"))
        o->seconds = (double)n;
    else if (!strcmp(name, "--cases")) {
        o->cases = n;
        o->seconds = 0;
    } else if (!strcmp(name, "--seed"))
        o->seed = n;
    else if (!strcmp(name, "--jobs"))
        o->jobs = n > 0 && n <= 64 ? (unsigned)n : 1;
    else if (!strcmp(name, "--limit"))
        o->limit = n;
    else if (!strcmp(name, "--case")) {
        o->first = n;
        o->cases = 1;
    } else
        return false;
    return number;
}

/* Options without one. */
static bool parse_flag(struct options *o, const char *name)
{
    if (!strcmp(name, "--single"))
        o->singles = true;
    else if (!strcmp(name, "--coverage"))
        o->coverage = true;
    else if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        o->help = true;
    else
        return false;
    return true;
}

bool options_parse(struct options *o, int argc, char **argv)
{
    bool any = false;

    *o = (struct options){.seconds = 10, .seed = (uint64_t)time(NULL) << 8,
                          .cases = UINT64_MAX, .limit = 20, .jobs = 1,
                          .row = -1, .interp = true, .jit = true};
    for (int i = 1; i < argc; i++) {
        if (parse_flag(o, argv[i]))
            continue;
        if (i + 1 < argc && parse_value(o, argv[i], argv[i + 1])) {
            i++;
            continue;
        }
        fprintf(stderr, "diff: what is '%s'?  --help lists the options\n",
                argv[i]);
        return false;
    }
    if (o->help) {
        usage();
        return false;
    }
    for (unsigned k = 0; k < CODE_KINDS; k++)
        any |= o->kinds[k];
    for (unsigned k = 0; k < CODE_KINDS; k++)
        o->kinds[k] |= !any;
    if (o->record)
        o->jobs = 1;
    return true;
}
