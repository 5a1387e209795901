/* What follows from all options together. */
#include <string.h>
#include <time.h>

#include "devices/calendar.h"
#include "machine/config_parser.h"
#include "machine/kind.h"

static bool resolve_file(struct parser *p)
{
    struct config *cfg = p->cfg;
    enum file_kind kind;

    if (!cfg->file)
        return true;
    if (cfg->kernel)
        return config_fail(
            p,
            "Both '%.100s' and -kernel '%.100s' are to be booted; "
            "name one.",
            cfg->file, cfg->kernel);
    if (!kind_of_file(cfg->file, &kind, p->error, CONFIG_ERROR))
        return false;
    if (kind != KIND_BZIMAGE && kind != KIND_ELF)
        return config_fail(
            p, "'%.200s' is %s; give a Linux bzImage or an ELF kernel.",
            cfg->file, kind_name(kind));
    cfg->kernel = cfg->file;
    return true;
}

static bool check_boot(struct parser *p)
{
    const struct config *cfg = p->cfg;

    if (cfg->kernel && cfg->bios)
        return config_fail(
            p, "A kernel is started without firmware; leave out -bios "
               "or the kernel.");
    if (!cfg->kernel && (cfg->initrd || cfg->append))
        return config_fail(p, "%s is for a kernel; add -kernel FILE.",
                           cfg->initrd ? "-initrd" : "-append");
    if (!cfg->kernel && !cfg->bios)
        return config_fail(
            p, "There is nothing to boot; name a kernel file, or see "
               "copal --help.");
    return true;
}

static bool resolve_chardev(struct parser *p, struct debugcon_spec *d)
{
    const struct config *cfg = p->cfg;

    for (unsigned i = 0; i < cfg->chardev_count; i++) {
        if (strcmp(cfg->chardevs[i].id, d->chardev) != 0)
            continue;
        d->host = cfg->chardevs[i];
        return true;
    }
    return config_fail(p, "There is no -chardev with id=%.60s.", d->chardev);
}

static bool resolve_chardevs(struct parser *p)
{
    struct config *cfg = p->cfg;

    for (unsigned i = 0; i < cfg->debugcon_count; i++)
        if (cfg->debugcon[i].chardev && !resolve_chardev(p, &cfg->debugcon[i]))
            return false;
    if (cfg->serial.kind == CHARDEV_UNSET)
        cfg->serial.kind = CHARDEV_STDIO;
    return true;
}

static bool is_in(int v, int low, int high)
{
    return v >= low && v <= high;
}

static bool is_date(const struct calendar *c)
{
    return is_in(c->year, 1970, 2199) && is_in(c->month, 1, 12) &&
           is_in(c->day, 1, 31) && is_in(c->hour, 0, 23) &&
           is_in(c->minute, 0, 59) && is_in(c->second, 0, 59);
}

/* Whole date, or date and time; %n tells whether something follows. */
static bool parse_date(const char *text, int64_t *seconds)
{
    struct calendar c = {.month = 1};
    int day_end = -1, end = -1;
    int found = sscanf(text, "%4d-%2d-%2d%nT%2d:%2d:%2d%n", &c.year, &c.month,
                       &c.day, &day_end, &c.hour, &c.minute, &c.second, &end);
    int last = found == 3 ? day_end : end;

    if (last < 0 || text[last] || !is_date(&c))
        return false;
    *seconds = calendar_seconds(&c);
    return true;
}

static int64_t local_seconds(void)
{
    time_t now = time(NULL);
    struct tm local;

    localtime_r(&now, &local);
    return (int64_t)timegm(&local);
}

/* Deterministic time does not begin with the host's. */
static bool resolve_rtc(struct parser *p)
{
    struct config *cfg = p->cfg;
    const char *base = cfg->rtc;

    if (!base)
        base = cfg->time == CLOCK_DETERMINISTIC ? "2000-01-01" : "utc";
    if (!strcmp(base, "utc"))
        cfg->rtc_seconds = (int64_t)time(NULL);
    else if (!strcmp(base, "localtime"))
        cfg->rtc_seconds = local_seconds();
    else if (!parse_date(base, &cfg->rtc_seconds))
        return config_fail(
            p,
            "'%.60s' is not a date from 1970 to 2199; write -rtc "
            "base=2006-01-31T23:59:59.",
            base);
    return true;
}

bool config_resolve(struct parser *p)
{
    return resolve_file(p) && check_boot(p) && resolve_chardevs(p) &&
           resolve_rtc(p);
}
