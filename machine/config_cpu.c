/*
 * -cpu NAME,+FEATURE,-FEATURE,FEATURE=on|off: a model of the table, with
 * features more or less.  In the order of the list; the last word counts.
 */
#include <string.h>

#include "base/log.h"
#include "cpu/cpuid.h"
#include "machine/config_parser.h"
#include "machine/nearest.h"

enum { SHOWN = 60, LINE = 76 };

static int shown(size_t length)
{
    return length < SHOWN ? (int)length : SHOWN;
}

/* --- -cpu help --- */

static void list_features(FILE *out)
{
    size_t column = 0;

    fprintf(out, "\nFeatures, for -cpu NAME,+FEATURE,-FEATURE:\n");
    for (unsigned f = 0; f < FEAT_COUNT; f++) {
        const char *name = cpu_feature_name(f);

        if (!*name || !feature_set_has(cpu_all_features(), f))
            continue;
        if (column && column + strlen(name) >= LINE) {
            fprintf(out, "\n");
            column = 0;
        }
        column += (size_t)fprintf(out, "%s%s", column ? " " : "", name);
    }
    fprintf(out, "\n");
}

static void list_models(FILE *out)
{
    for (const struct cpu_model *m = cpu_models; m->name; m++)
        fprintf(out, "%-12s %s\n", m->name, m->what);
    list_features(out);
}

/* --- NAME --- */

static bool take_model(struct parser *p, const char *name, size_t length)
{
    struct nearest n = nearest_to(name, length);

    for (const struct cpu_model *m = cpu_models; m->name; m++) {
        if (strlen(m->name) == length && !memcmp(m->name, name, length)) {
            p->cfg->model = m;
            return true;
        }
        nearest_offer(&n, m->name);
    }
    if (n.best)
        return config_fail(p, "Unknown CPU '%.*s'; did you mean '%s'?",
                           shown(length), name, n.best);
    return config_fail(p, "Unknown CPU '%.*s'; see copal -cpu help.",
                       shown(length), name);
}

/* --- features --- */

static bool unknown_feature(struct parser *p, const char *name, size_t length)
{
    struct nearest n = nearest_to(name, length);

    for (unsigned f = 0; f < FEAT_COUNT; f++)
        if (*cpu_feature_name(f))
            nearest_offer(&n, cpu_feature_name(f));
    if (n.best)
        return config_fail(p,
                           "Unknown processor feature '%.*s'; did you mean "
                           "'%s'?",
                           shown(length), name, n.best);
    return config_fail(p,
                       "Unknown processor feature '%.*s'; see copal -cpu "
                       "help.",
                       shown(length), name);
}

static bool set_feature(struct parser *p, const char *name, size_t length,
                        bool on)
{
    int f = cpu_feature_find(name, length);

    if (f < 0)
        return unknown_feature(p, name, length);
    if (on && !feature_set_has(cpu_all_features(), (unsigned)f))
        return config_fail(p, "Copal does not have the processor feature '%s'.",
                           cpu_feature_name((unsigned)f));
    feature_set_put(&p->cfg->custom_model.features, (unsigned)f, on);
    return true;
}

/* "+name", "-name", "name", "name=on", "name=off". */
static bool take_feature(struct parser *p, const char *item, size_t length)
{
    const char *equals = memchr(item, '=', length);
    size_t name = equals ? (size_t)(equals - item) : length;
    size_t value = length - name;
    bool on = true;

    if (!equals && (*item == '+' || *item == '-'))
        return set_feature(p, item + 1, length - 1, *item == '+');
    if (equals && value == 4 && !memcmp(equals, "=off", 4))
        on = false;
    else if (equals && !(value == 3 && !memcmp(equals, "=on", 3)))
        return config_fail(p, "'%.*s' of -cpu is on or off, not '%.*s'.",
                           shown(name), item, shown(value - 1), equals + 1);
    return set_feature(p, item, name, on);
}

static void drop_the_impossible(struct cpu_model *m)
{
    unsigned dropped, missing;

    while (cpu_model_drop(m, &dropped, &missing))
        log_host("-cpu: %s needs %s, which is off; it is off too.",
                 cpu_feature_name(dropped), cpu_feature_name(missing));
}

bool config_cpu(struct parser *p, const char *arg)
{
    struct config *cfg = p->cfg;
    size_t length = strcspn(arg, ",");

    if (!strcmp(arg, "help")) {
        list_models(p->out);
        p->is_done = true;
        return true;
    }
    if (!take_model(p, arg, length))
        return false;
    if (!arg[length])
        return true;
    cfg->custom_model = *cfg->model;
    for (arg += length; *arg; arg += length) {
        length = strcspn(++arg, ",");
        if (length && !take_feature(p, arg, length))
            return false;
    }
    cpu_model_fit(&cfg->custom_model);
    drop_the_impossible(&cfg->custom_model);
    cpu_model_fit(&cfg->custom_model);
    cfg->model = &cfg->custom_model;
    return true;
}
