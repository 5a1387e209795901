#include "machine/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "cpu/cpuid.h"
#include "machine/config_parser.h"
#include "machine/engines.h"
#include "machine/memmap.h"
#include "machine/nearest.h"

struct option {
    const char *name;     /* without the dash; NULL ends the table */
    const char *argument; /* NULL: takes none */
    const char *help;
    bool (*parse)(struct parser *p, const char *arg);
};

/* --- errors --- */

bool config_fail(struct parser *p, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(p->error, CONFIG_ERROR, fmt, args);
    va_end(args);
    return false;
}

/* As much of a word as fits in a sentence. */
static int shown(size_t length)
{
    return length < 60 ? (int)length : 60;
}

/* "Unknown WHAT 'word'", and what to do about it. */
static bool unknown(struct parser *p, const char *what, const struct nearest *n,
                    const char *list)
{
    int length = shown(n->length);

    if (n->best)
        return config_fail(p, "Unknown %s '%.*s'; did you mean '%s'?", what,
                           length, n->word, n->best);
    return config_fail(p, "Unknown %s '%.*s'; see copal %s.", what, length,
                       n->word, list);
}

/* --- pieces of arguments --- */

/* One "key=value" or "value" of a list with commas; key is empty then. */
struct item {
    const char *key, *value;
    size_t key_length, value_length;
};

/* False at the end of the list. */
static bool next_item(const char **list, struct item *it)
{
    size_t length = strcspn(*list, ",");
    const char *equals = memchr(*list, '=', length);

    if (!**list)
        return false;
    it->key = *list;
    it->key_length = equals ? (size_t)(equals - *list) : 0;
    it->value = equals ? equals + 1 : *list;
    it->value_length = length - (size_t)(it->value - *list);
    *list += length + ((*list)[length] == ',');
    return true;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && !memcmp(text, word, length);
}

static bool has_key(const struct item *it, const char *key)
{
    return is_word(it->key, it->key_length, key);
}

/* The value as a string that lasts; NULL if there is no room. */
static const char *keep(struct parser *p, const struct item *it)
{
    struct config *cfg = p->cfg;
    char *to = cfg->text + cfg->text_used;

    if (it->value_length >= sizeof(cfg->text) - cfg->text_used) {
        config_fail(p, "The command line is too long.");
        return NULL;
    }
    memcpy(to, it->value, it->value_length);
    to[it->value_length] = '\0';
    cfg->text_used += it->value_length + 1;
    return to;
}

/* A number of C up to max, the whole value. */
static bool number(struct parser *p, const struct item *it, uint16_t max,
                   uint16_t *v)
{
    const char *text = keep(p, it);
    char *end;
    unsigned long found;

    if (!text)
        return false;
    errno = 0;
    found = strtoul(text, &end, 0);
    if (*end || end == text || *text == '-' || errno || found > max)
        return config_fail(p, "'%.40s' is not a number from 0 to 0x%x.", text,
                           max);
    *v = (uint16_t)found;
    return true;
}

/* --- what to boot --- */

static bool parse_kernel(struct parser *p, const char *arg)
{
    p->cfg->kernel = arg;
    return true;
}

static bool parse_initrd(struct parser *p, const char *arg)
{
    p->cfg->initrd = arg;
    return true;
}

static bool parse_append(struct parser *p, const char *arg)
{
    p->cfg->append = arg;
    return true;
}

static bool parse_bios(struct parser *p, const char *arg)
{
    p->cfg->bios = arg;
    return true;
}

/* --- the machine --- */

static unsigned size_shift(const char *suffix)
{
    static const struct {
        const char *suffix;
        unsigned shift;
    } sizes[] = {{"", 20}, {"M", 20}, {"m", 20}, {"G", 30}, {"g", 30}};

    for (size_t i = 0; i < array_len(sizes); i++)
        if (!strcmp(suffix, sizes[i].suffix))
            return sizes[i].shift;
    return 0;
}

static bool parse_memory(struct parser *p, const char *arg)
{
    const uint64_t min = BOARD_RAM_MIN, max = BOARD_RAM_MAX;
    unsigned long long count;
    unsigned shift;
    char *end;

    errno = 0;
    count = strtoull(arg, &end, 10);
    shift = size_shift(end);
    if (end == arg || *arg == '-' || !shift)
        return config_fail(
            p, "'-m %.40s' is not a memory size; write 512M or 2G.", arg);
    if (errno || count > max >> shift || count << shift < min)
        return config_fail(p,
                           "'-m %.40s' is out of range; from %lluM to %lluG is "
                           "possible.",
                           arg, (unsigned long long)(min >> 20),
                           (unsigned long long)(max >> 30));
    p->cfg->ram_size = (uint64_t)count << shift;
    return true;
}

static bool answer(struct parser *p)
{
    p->is_done = true;
    return true;
}

static bool parse_accel(struct parser *p, const char *arg)
{
    struct nearest n = nearest_to(arg, strlen(arg));

    if (!strcmp(arg, "help")) {
        for (const struct engine_kind *k = engine_kinds; k->name; k++)
            fprintf(p->out, "%-12s %s\n", k->name, k->what);
        return answer(p);
    }
    p->cfg->engine = engine_kind_find(arg);
    if (p->cfg->engine)
        return true;
    for (const struct engine_kind *k = engine_kinds; k->name; k++)
        nearest_offer(&n, k->name);
    return unknown(p, "accelerator", &n, "-accel help");
}

static bool machine_item(struct parser *p, const struct item *it)
{
    const char *value = keep(p, it);
    struct nearest n;

    if (!value)
        return false;
    if (has_key(it, "accel"))
        return parse_accel(p, value);
    if (it->key_length && !has_key(it, "type"))
        return config_fail(
            p,
            "Unknown property '%.*s' of -machine; there are type "
            "and accel.",
            shown(it->key_length), it->key);
    if (!strcmp(value, "pc"))
        return true;
    n = nearest_to(value, strlen(value));
    nearest_offer(&n, "pc");
    return unknown(p, "machine", &n, "-machine help");
}

static bool parse_machine(struct parser *p, const char *arg)
{
    struct item it;

    if (!strcmp(arg, "help")) {
        fprintf(p->out, "%-12s %s\n", "pc", "440FX, PIIX3, ISA and PCI");
        return answer(p);
    }
    while (next_item(&arg, &it))
        if (!machine_item(p, &it))
            return false;
    return true;
}

static bool parse_smp(struct parser *p, const char *arg)
{
    if (!strcmp(arg, "1") || !strcmp(arg, "cpus=1"))
        return true;
    return config_fail(p,
                       "'-smp %.40s' is not possible; the machine has one "
                       "processor: -smp 1.",
                       arg);
}

static bool parse_icount(struct parser *p, const char *arg)
{
    (void)arg;
    p->cfg->time = CLOCK_DETERMINISTIC;
    return true;
}

static bool parse_no_reboot(struct parser *p, const char *arg)
{
    (void)arg;
    p->cfg->no_reboot = true;
    return true;
}

static bool parse_rtc(struct parser *p, const char *arg)
{
    struct item it;

    while (next_item(&arg, &it)) {
        if (!has_key(&it, "base"))
            return config_fail(
                p, "-rtc has one property: base=utc, base=localtime "
                   "or base=2006-01-31T23:59:59.");
        p->cfg->rtc = keep(p, &it);
        if (!p->cfg->rtc)
            return false;
    }
    return true;
}

/* --- wires to the host --- */

static bool parse_nographic(struct parser *p, const char *arg)
{
    (void)arg;
    p->cfg->nographic = true;
    return true;
}

static bool is_prefix(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

/* The host's end as -serial and -debugcon name it. */
static bool parse_end(struct parser *p, const char *option, const char *arg,
                      struct chardev_spec *spec)
{
    *spec = (struct chardev_spec){.kind = CHARDEV_NULL};
    if (!strcmp(arg, "null") || !strcmp(arg, "none"))
        return true;
    if (!strcmp(arg, "stdio") || !strcmp(arg, "mon:stdio")) {
        spec->kind = CHARDEV_STDIO;
        return true;
    }
    if (!is_prefix(arg, "file:") || !arg[strlen("file:")])
        return config_fail(
            p,
            "'%s %.60s' is not possible; there are stdio, null and "
            "file:NAME.",
            option, arg);
    spec->kind = CHARDEV_FILE;
    spec->path = arg + strlen("file:");
    return true;
}

static bool parse_serial(struct parser *p, const char *arg)
{
    return parse_end(p, "-serial", arg, &p->cfg->serial);
}

static struct debugcon_spec *add_debugcon(struct parser *p)
{
    struct config *cfg = p->cfg;
    struct debugcon_spec *d = &cfg->debugcon[cfg->debugcon_count];

    if (cfg->debugcon_count == CONFIG_DEBUGCONS) {
        config_fail(p, "There are at most %d debug consoles.",
                    CONFIG_DEBUGCONS);
        return NULL;
    }
    cfg->debugcon_count++;
    *d = (struct debugcon_spec){.iobase = 0xe9};
    return d;
}

static bool parse_debugcon(struct parser *p, const char *arg)
{
    struct debugcon_spec *d = add_debugcon(p);

    return d && parse_end(p, "-debugcon", arg, &d->host);
}

static bool chardev_kind(struct parser *p, const struct item *it,
                         struct chardev_spec *spec)
{
    if (is_word(it->value, it->value_length, "stdio"))
        spec->kind = CHARDEV_STDIO;
    else if (is_word(it->value, it->value_length, "null"))
        spec->kind = CHARDEV_NULL;
    else if (is_word(it->value, it->value_length, "file"))
        spec->kind = CHARDEV_FILE;
    else
        return config_fail(p,
                           "Unknown kind of -chardev '%.*s'; there are stdio, "
                           "null and file.",
                           shown(it->value_length), it->value);
    return true;
}

static bool chardev_item(struct parser *p, const struct item *it,
                         struct chardev_spec *spec)
{
    if (!it->key_length)
        return chardev_kind(p, it, spec);
    if (has_key(it, "id")) {
        spec->id = keep(p, it);
        return spec->id != NULL;
    }
    if (has_key(it, "path")) {
        spec->path = keep(p, it);
        return spec->path != NULL;
    }
    return config_fail(p,
                       "Unknown property '%.*s' of -chardev; there are id and "
                       "path.",
                       shown(it->key_length), it->key);
}

static bool parse_chardev(struct parser *p, const char *arg)
{
    struct config *cfg = p->cfg;
    struct chardev_spec spec = {.kind = CHARDEV_UNSET};
    struct item it;

    while (next_item(&arg, &it))
        if (!chardev_item(p, &it, &spec))
            return false;
    if (spec.kind == CHARDEV_UNSET || !spec.id)
        return config_fail(p, "-chardev needs a kind and an id, such as "
                              "stdio,id=debug.");
    if (spec.kind == CHARDEV_FILE && (!spec.path || !*spec.path))
        return config_fail(p, "-chardev file,id=%.40s needs path=NAME.",
                           spec.id);
    if (cfg->chardev_count == CONFIG_CHARDEVS)
        return config_fail(p, "There are at most %d -chardev.",
                           CONFIG_CHARDEVS);
    cfg->chardevs[cfg->chardev_count++] = spec;
    return true;
}

static bool parse_debugexit(struct parser *p, const char *arg)
{
    struct debugexit_spec *e = &p->cfg->debugexit;
    struct item it;

    if (e->iosize)
        return config_fail(p, "There is at most one isa-debug-exit.");
    *e = (struct debugexit_spec){0x501, 2};
    while (next_item(&arg, &it)) {
        bool ok;

        if (has_key(&it, "iobase"))
            ok = number(p, &it, 0xffff, &e->iobase);
        else if (has_key(&it, "iosize"))
            ok = number(p, &it, 0x100, &e->iosize);
        else
            ok = config_fail(p, "isa-debug-exit has the properties iobase and "
                                "iosize.");
        if (!ok)
            return false;
    }
    return e->iosize ||
           config_fail(p, "isa-debug-exit needs an iosize of 1 or more.");
}

static bool parse_isa_debugcon(struct parser *p, const char *arg)
{
    struct debugcon_spec *d = add_debugcon(p);
    struct item it;

    while (d && next_item(&arg, &it)) {
        bool ok = true;

        if (has_key(&it, "iobase"))
            ok = number(p, &it, 0xffff, &d->iobase);
        else if (has_key(&it, "chardev"))
            ok = (d->chardev = keep(p, &it)) != NULL;
        else
            ok = config_fail(p, "isa-debugcon has the properties iobase and "
                                "chardev.");
        if (!ok)
            return false;
    }
    return d && (d->chardev ||
                 config_fail(p, "isa-debugcon needs chardev=ID, the id "
                                "of a -chardev."));
}

static const struct device_kind {
    const char *name, *help;
    bool (*parse)(struct parser *p, const char *properties);
} device_kinds[] = {
    {"isa-debug-exit", "ends the run: iobase=0x501,iosize=2", parse_debugexit},
    {"isa-debugcon", "a port that prints: iobase=0xe9,chardev=ID",
     parse_isa_debugcon},
};

static bool parse_device(struct parser *p, const char *arg)
{
    size_t length = strcspn(arg, ",");
    struct nearest n = nearest_to(arg, length);

    for (size_t i = 0; i < array_len(device_kinds); i++) {
        const struct device_kind *k = &device_kinds[i];

        if (is_word(arg, length, k->name))
            return k->parse(p, arg + length + (arg[length] == ','));
        nearest_offer(&n, k->name);
    }
    if (strcmp(arg, "help") != 0)
        return unknown(p, "device", &n, "-device help");
    for (size_t i = 0; i < array_len(device_kinds); i++)
        fprintf(p->out, "%-16s %s\n", device_kinds[i].name,
                device_kinds[i].help);
    return answer(p);
}

/* --- logging, and questions --- */

static bool parse_log(struct parser *p, const char *arg)
{
    const char *bad;
    struct nearest n;
    uint32_t mask;

    if (!strcmp(arg, "help")) {
        for (const struct log_item *i = log_items; i->name; i++)
            fprintf(p->out, "%-14s %s\n", i->name, i->help);
        return answer(p);
    }
    if (log_parse(arg, &mask, &bad)) {
        p->cfg->log_mask |= mask;
        return true;
    }
    n = nearest_to(bad, strcspn(bad, ","));
    for (const struct log_item *i = log_items; i->name; i++)
        nearest_offer(&n, i->name);
    return unknown(p, "item of -d", &n, "-d help");
}

static bool parse_log_file(struct parser *p, const char *arg)
{
    p->cfg->log_path = arg;
    return true;
}

static bool parse_perfmap(struct parser *p, const char *arg)
{
    (void)arg;
    p->cfg->wants_perf_map = true;
    return true;
}

static bool parse_version(struct parser *p, const char *arg)
{
    (void)arg;
    fprintf(p->out, "copal %s\n", COPAL_VERSION);
    return answer(p);
}

static bool parse_help(struct parser *p, const char *arg);

static const struct option options[] = {
    {"kernel", "FILE", "a Linux bzImage or an ELF kernel to boot",
     parse_kernel},
    {"initrd", "FILE", "initial RAM disk for the kernel", parse_initrd},
    {"append", "TEXT", "command line for the kernel", parse_append},
    {"bios", "FILE", "firmware image, a multiple of 64 KiB", parse_bios},
    {"m", "SIZE", "memory, such as 512M or 2G (default 512M)", parse_memory},
    {"cpu", "NAME", "processor model; -cpu help lists them", config_cpu},
    {"machine", "NAME", "the board: pc[,accel=NAME]", parse_machine},
    {"smp", "N", "number of processors: 1", parse_smp},
    {"accel", "NAME", "how to run code; -accel help lists them", parse_accel},
    {"icount", NULL, "time counts instructions: the same run each time",
     parse_icount},
    {"no-reboot", NULL, "end where the guest would restart", parse_no_reboot},
    {"rtc", "base=T", "clock: utc, localtime or 2006-01-31T23:59:59",
     parse_rtc},
    {"nographic", NULL, "the serial port on this terminal; Ctrl-A h for help",
     parse_nographic},
    {"serial", "END", "serial port: stdio, null or file:NAME", parse_serial},
    {"chardev", "END", "a host's end with a name: KIND,id=ID[,path=NAME]",
     parse_chardev},
    {"debugcon", "END", "debug console at port 0xe9: stdio, null, file:NAME",
     parse_debugcon},
    {"device", "NAME", "adds a device; -device help lists them", parse_device},
    {"d", "LIST", "what to log; -d help lists it", parse_log},
    {"D", "FILE", "where to log (default: standard error)", parse_log_file},
    {"perfmap", NULL, "names generated code for perf, in /tmp/perf-PID.map",
     parse_perfmap},
    {"version", NULL, "prints the version", parse_version},
    {"help", NULL, "prints this", parse_help},
    {NULL, NULL, NULL, NULL},
};

static bool parse_help(struct parser *p, const char *arg)
{
    (void)arg;
    fprintf(p->out,
            "usage: copal [options] [FILE]\n"
            "Runs a PC.  FILE is a Linux bzImage or an ELF kernel.\n\n");
    for (const struct option *o = options; o->name; o++) {
        int width = fprintf(p->out, "  -%s %s", o->name,
                            o->argument ? o->argument : "");

        fprintf(p->out, "%*s%s\n", width < 20 ? 20 - width : 1, "", o->help);
    }
    return answer(p);
}

/* --- the command line --- */

static bool find_option(struct parser *p, const char *word,
                        const struct option **found)
{
    const char *name = word + (is_prefix(word, "--") ? 2 : 1);
    struct nearest n = nearest_to(name, strlen(name));

    for (const struct option *o = options; o->name; o++) {
        nearest_offer(&n, o->name);
        if (!strcmp(name, o->name) ||
            (!strcmp(name, "h") && o->parse == parse_help)) {
            *found = o;
            return true;
        }
    }
    if (n.best)
        return config_fail(p, "Unknown option '%.60s'; did you mean '-%s'?",
                           word, n.best);
    return config_fail(p, "Unknown option '%.60s'; see copal --help.", word);
}

static bool take_file(struct parser *p, const char *arg)
{
    if (p->cfg->file)
        return config_fail(
            p, "Two files to boot, '%.100s' and '%.100s'; name one.",
            p->cfg->file, arg);
    p->cfg->file = arg;
    return true;
}

static bool take_words(struct parser *p, int argc, char *const argv[])
{
    const struct option *o = NULL;

    for (int i = 1; i < argc && !p->is_done; i++) {
        if (argv[i][0] != '-') {
            if (!take_file(p, argv[i]))
                return false;
            continue;
        }
        if (!find_option(p, argv[i], &o))
            return false;
        if (o->argument && ++i == argc)
            return config_fail(p, "Option -%s needs an argument: %s.", o->name,
                               o->argument);
        if (!o->parse(p, o->argument ? argv[i] : NULL))
            return false;
    }
    return true;
}

/* --- all of it --- */

static void set_defaults(struct config *cfg)
{
    *cfg = (struct config){
        .ram_size = (uint64_t)512 << 20,
        .model = cpu_model_find("max"),
        .engine = &engine_kinds[0],
        .time = CLOCK_HOST,
    };
}

enum config_result config_parse(struct config *cfg, int argc,
                                char *const argv[], FILE *out,
                                char error[CONFIG_ERROR])
{
    struct parser p = {.cfg = cfg, .out = out, .error = error};

    set_defaults(cfg);
    error[0] = '\0';
    if (!take_words(&p, argc, argv))
        return CONFIG_WRONG;
    if (p.is_done)
        return CONFIG_DONE;
    return config_resolve(&p) ? CONFIG_RUN : CONFIG_WRONG;
}
