/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/clock.h"

const char *const unit_state_names[UNIT_STATES + 1] = {"down",    "starting", "up", "stopping",
                                                       "backoff", "failed",   NULL};

static void move(struct unit *u, enum unit_state to)
{
    enum unit_state was = u->state;

    u->state = to;
    u->ops->changed(u, was);
}

static void note(struct unit *u, const char *why)
{
    (void)snprintf(u->last_exit, sizeof(u->last_exit), "%s", why); /* cut if it is too long */
}

static void arm(struct unit *u, uint64_t ms)
{
    loop_timer_set(u->loop, &u->timer, ms);
}

/* The process is gone, or could not be made: fail, or wait and try again. */
static void fall(struct unit *u)
{
    uint64_t wait;

    loop_timer_del(&u->timer);
    if (u->once) {
        move(u, UNIT_FAILED);
        return;
    }
    wait = backoff_next(&u->backoff, unit_uptime_ms(u));
    u->next_ms = clock_now_ms() + wait;
    arm(u, wait);
    move(u, UNIT_BACKOFF);
}

static void spawn(struct unit *u)
{
    struct err err = {0};

    loop_timer_del(&u->timer);
    u->again = false;
    u->killed = false;
    u->status[0] = '\0';
    u->started_ms = clock_now_ms();
    if (u->ops->spawn(u, &err) < 0) {
        u->pid = 0;
        note(u, err.text);
        fall(u);
        return;
    }
    arm(u, (uint64_t)u->times.ready_s * 1000);
    move(u, UNIT_STARTING);
}

static void respawn(struct unit *u)
{
    u->restarts++;
    spawn(u);
}

static void announce(struct unit *u)
{
    loop_timer_del(&u->timer);
    if (u->times.watchdog_s)
        arm(u, (uint64_t)u->times.watchdog_s * 1000);
    move(u, UNIT_UP);
}

static void term(struct unit *u)
{
    u->again = false;
    arm(u, (uint64_t)u->times.stop_s * 1000);
    move(u, UNIT_STOPPING);
    u->ops->signal(u, SIGTERM);
}

static void term_again(struct unit *u)
{
    term(u);
    u->again = true;
}

static void kill_with(struct unit *u, const char *why)
{
    note(u, why);
    u->killed = true;
    u->ops->signal(u, SIGKILL);
}

/* One that is not ready yet has nothing to drain, and may not listen to SIGTERM: as process 1 of
 * its namespace it would not even notice. */
static void drop(struct unit *u)
{
    u->again = false;
    arm(u, (uint64_t)u->times.stop_s * 1000);
    move(u, UNIT_STOPPING);
    kill_with(u, "stopped before it was ready");
}

static void drop_again(struct unit *u)
{
    drop(u);
    u->again = true;
}

static void again(struct unit *u)
{
    u->again = true;
}

static void not_again(struct unit *u)
{
    u->again = false;
}

static void kill_unready(struct unit *u)
{
    char why[64];

    (void)snprintf(why, sizeof(why), "not ready within %u s", u->times.ready_s);
    kill_with(u, why);
}

static void kill_silent(struct unit *u)
{
    char why[64];

    (void)snprintf(why, sizeof(why), "watchdog: silent for %u s", u->times.watchdog_s);
    kill_with(u, why);
}

static void kill_slow(struct unit *u)
{
    char why[64];

    (void)snprintf(why, sizeof(why), "killed: not ended %u s after SIGTERM", u->times.stop_s);
    kill_with(u, why);
}

static void settle(struct unit *u)
{
    loop_timer_del(&u->timer);
    if (u->again)
        respawn(u);
    else
        move(u, UNIT_DOWN);
}

static void lie_down(struct unit *u)
{
    loop_timer_del(&u->timer);
    move(u, UNIT_DOWN);
}

static void (*const table[UNIT_STATES][UNIT_EVENTS])(struct unit *u) = {
    [UNIT_DOWN] = {[UNIT_WANT_UP] = spawn},
    [UNIT_STARTING] = {[UNIT_WANT_DOWN] = drop,
                       [UNIT_RESTART] = drop_again,
                       [UNIT_READY] = announce,
                       [UNIT_EXITED] = fall,
                       [UNIT_TIMER] = kill_unready},
    [UNIT_UP] = {[UNIT_WANT_DOWN] = term,
                 [UNIT_RESTART] = term_again,
                 [UNIT_EXITED] = fall,
                 [UNIT_TIMER] = kill_silent},
    [UNIT_STOPPING] = {[UNIT_WANT_UP] = again,
                       [UNIT_WANT_DOWN] = not_again,
                       [UNIT_RESTART] = again,
                       [UNIT_EXITED] = settle,
                       [UNIT_TIMER] = kill_slow},
    [UNIT_BACKOFF] = {[UNIT_WANT_UP] = respawn,
                      [UNIT_WANT_DOWN] = lie_down,
                      [UNIT_RESTART] = respawn,
                      [UNIT_TIMER] = respawn},
    [UNIT_FAILED] =
        {[UNIT_WANT_UP] = respawn, [UNIT_WANT_DOWN] = lie_down, [UNIT_RESTART] = respawn},
};

void unit_event(struct unit *u, enum unit_event e)
{
    void (*action)(struct unit *) = table[u->state][e];

    if (action)
        action(u);
}

static void on_timer(struct loop_timer *t)
{
    unit_event(container_of(t, struct unit, timer), UNIT_TIMER);
}

void unit_init(struct unit *u, const char *name, const struct unit_ops *ops, struct loop *loop,
               struct unit_times times)
{
    *u = (struct unit){
        .name = name, .ops = ops, .loop = loop, .times = times, .timer = {.fn = on_timer}};
}

void unit_done(struct unit *u)
{
    loop_timer_del(&u->timer);
}

void unit_exited(struct unit *u, const char *why)
{
    if (!u->killed) /* else the reason for the kill says more than "killed by SIGKILL" */
        note(u, why);
    u->pid = 0;
    unit_event(u, UNIT_EXITED);
}

void unit_alive(struct unit *u)
{
    if (u->state == UNIT_UP && u->times.watchdog_s && !u->killed)
        arm(u, (uint64_t)u->times.watchdog_s * 1000);
}

void unit_extend(struct unit *u, uint64_t usec)
{
    uint64_t most = (uint64_t)u->times.ready_s * 1000;
    uint64_t ms = usec / 1000 < most ? usec / 1000 : most;

    if (u->state == UNIT_STARTING && !u->killed && clock_now_ms() + ms > u->timer.at_ms)
        arm(u, ms);
}

bool unit_is_settled(const struct unit *u)
{
    return u->state == UNIT_DOWN || u->state == UNIT_FAILED;
}

uint64_t unit_uptime_ms(const struct unit *u)
{
    return clock_now_ms() - u->started_ms;
}
