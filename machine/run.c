/*
 * Who stops a running CPU: the alarm when a timer is due, the mailbox when a
 * message arrives, pc_wish from inside a device.  All of them call cpu_kick,
 * so a turn needs no polling.
 */
#include "machine/run.h"

#include <stdio.h>
#include <string.h>

/* --- host-paced time --- */

static uint64_t host_due(const struct clock *c)
{
    vtime next = clock_next(c);

    if (next >= VTIME_NEVER - c->host_base)
        return ALARM_NEVER;
    return c->host_base + next;
}

/* The clock's on_next: also from inside the CPU's run. */
static void follow_clock(void *owner)
{
    struct pc *pc = owner;

    if (pc->is_timed)
        alarm_set(&pc->alarm, host_due(&pc->clock));
}

static enum stop_reason run_host_paced(struct pc *pc, uint64_t budget)
{
    enum stop_reason reason;

    pc->is_timed = true;
    follow_clock(pc);
    reason = pc->engine->run(pc->engine, &pc->cpu, budget);
    pc->is_timed = false;
    return reason;
}

/* --- deterministic time --- */

uint64_t run_insns(const struct pc *pc)
{
    return pc->stats.insn_interp + pc->stats.insn_jit;
}

/* Instructions until the next timer is due, at least 1. */
static uint64_t insns_left(const struct pc *pc)
{
    vtime next = clock_next(&pc->clock), now = clock_now(&pc->clock);

    if (next <= now)
        return 1;
    return (next - now - 1) / RUN_NS_PER_INSN + 1;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

enum stop_reason run_slice(struct pc *pc, uint64_t budget)
{
    uint64_t before = run_insns(pc);
    uint64_t slice = smaller(insns_left(pc), budget);
    enum stop_reason reason = pc->engine->run(pc->engine, &pc->cpu, slice);

    clock_advance(&pc->clock, (run_insns(pc) - before) * RUN_NS_PER_INSN);
    return reason;
}

/* --- HLT --- */

static void sleep_halted(struct pc *pc)
{
    vtime next = clock_next(&pc->clock);

    if (pc->clock.mode == CLOCK_HOST) {
        alarm_set(&pc->alarm, ALARM_NEVER);
        mailbox_wait(&pc->mailbox, host_due(&pc->clock));
    } else if (next == VTIME_NEVER) {
        mailbox_wait(&pc->mailbox, UINT64_MAX);
    } else {
        vtime now = clock_now(&pc->clock);

        clock_advance(&pc->clock, next > now ? next - now : 0);
    }
}

/* --- wishes --- */

static bool done(int *exit_code, int code)
{
    *exit_code = code;
    return false;
}

static bool crash(struct pc *pc, int *exit_code, char error[PC_ERROR])
{
    const struct cpu *cpu = &pc->cpu;

    snprintf(error, PC_ERROR,
             "The guest crashed: triple fault at "
             "%04x:%016llx; -d int shows what came before.",
             cpu->seg[CS].sel, (unsigned long long)cpu->rip);
    return done(exit_code, RUN_CRASHED);
}

static bool grant(struct pc *pc, int *exit_code, char error[PC_ERROR])
{
    unsigned wishes = pc->wishes;

    pc->wishes = 0;
    if (wishes & PC_EXIT)
        return done(exit_code, pc->exit_code);
    if (wishes & PC_POWER_OFF)
        return done(exit_code, RUN_OFF);
    if (!(wishes & PC_RESET))
        return true;
    if (pc->cfg->no_reboot)
        return done(exit_code, RUN_OFF);
    return pc_reset(pc, error) || done(exit_code, RUN_SET_UP);
}

/* --- the loop --- */

bool run_finish(struct pc *pc, enum stop_reason reason, int *exit_code,
                char error[PC_ERROR])
{
    unsigned events = clock_run(&pc->clock) + mailbox_drain(&pc->mailbox);

    pc->stats.stops++;
    if (reason == STOP_SHUTDOWN && !pc->wishes) {
        if (pc->cfg->no_reboot)
            return crash(pc, exit_code, error);
        pc->wishes |= PC_RESET;
    }
    if (pc->wishes)
        return grant(pc, exit_code, error);
    if (reason == STOP_HALT && !events)
        sleep_halted(pc);
    return true;
}

bool run_turn(struct pc *pc, uint64_t budget, int *exit_code,
              char error[PC_ERROR])
{
    enum stop_reason reason =
        pc->clock.mode == CLOCK_HOST
            ? run_host_paced(pc, budget)
            : run_slice(pc, smaller(budget, RUN_SLICE));

    return run_finish(pc, reason, exit_code, error);
}

bool run_start(struct pc *pc, char error[PC_ERROR])
{
    error[0] = '\0';
    pc->clock.on_next = follow_clock;
    pc->clock.owner = pc;
    return pc_reset(pc, error);
}

int run_machine(struct pc *pc, char error[PC_ERROR])
{
    int exit_code = RUN_SET_UP;

    if (!run_start(pc, error))
        return exit_code;
    while (run_turn(pc, UINT64_MAX, &exit_code, error))
        continue;
    return exit_code;
}
