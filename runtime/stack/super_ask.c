/* SPDX-License-Identifier: Apache-2.0 */
/* what is asked over the control socket */
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/stack/report.h"
#include "runtime/stack/super.h"

static void ask_status(struct super *s, struct control_ask *a, struct str arg)
{
    own_buf struct buf out = BUF_INIT(CONTROL_TEXT_MAX);

    (void)arg;
    buf_append_c(&out, "ok\n");
    report_json(s, &out);
    control_answer(a, buf_str(&out));
}

static void ask_prometheus(struct super *s, struct control_ask *a, struct str arg)
{
    own_buf struct buf out = BUF_INIT(CONTROL_TEXT_MAX);

    (void)arg;
    buf_append_c(&out, "ok\n");
    report_prometheus(s, &out);
    control_answer(a, buf_str(&out));
}

static void ask_stop(struct super *s, struct control_ask *a, struct str arg)
{
    (void)arg;
    a->wait = SUPER_WAIT_DOWN;
    super_stop(s);
}

static void ask_reload(struct super *s, struct control_ask *a, struct str arg)
{
    own_buf struct buf out = BUF_INIT(CONTROL_TEXT_MAX);

    (void)arg;
    super_reload(s, &out);
    control_answer(a, buf_str(&out));
}

static void ask_restart(struct super *s, struct control_ask *a, struct str arg)
{
    bool found = false;

    if (s->phase != SUPER_RUNNING) {
        control_answer(a, STR("error the stack is not running\n"));
        return;
    }
    for (size_t i = 0; i < SVC_N; i++) {
        if (!super_wanted(s, i) || (arg.n && !str_eq_c(arg, s->v[i].svc->name)))
            continue;
        found = true;
        unit_event(&s->v[i].unit, UNIT_RESTART);
    }
    if (!found) {
        control_answer(a, STR("error there is no such service in this stack\n"));
        return;
    }
    a->wait = SUPER_WAIT_UP;
    super_step_soon(s);
}

static const struct {
    const char *verb;
    void (*fn)(struct super *s, struct control_ask *a, struct str arg);
} verbs[] = {{"status", ask_status},
             {"prometheus", ask_prometheus},
             {"stop", ask_stop},
             {"reload", ask_reload},
             {"restart", ask_restart}};

void super_ask(struct control *c, struct control_ask *a, struct str verb, struct str arg)
{
    for (size_t i = 0; i < ARRAY_N(verbs); i++)
        if (str_eq_c(verb, verbs[i].verb)) {
            verbs[i].fn(c->ctx, a, arg);
            return;
        }
    control_answer(a, STR("error unknown request\n"));
}
