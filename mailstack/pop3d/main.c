/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pop3d - serves authenticated POP3 sessions, one process each (pop3d(8))
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/child.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/sig.h"

#include "mailstack/lib/daemon/daemon.h"
#include "mailstack/lib/daemon/handoff_in.h"
#include "mailstack/lib/proto/handoff.h"
#include "mailstack/lib/store/store.h"
#include "mailstack/pop3d/conf.h"
#include "mailstack/pop3d/session.h"

struct pop3d {
    struct conf conf;
    struct store store;
    struct loop *loop;
    struct handoff_in *in;
    struct list children;
    size_t children_n;
    bool draining;
    struct counter *sessions;
    struct counter *current;
};

struct running {
    struct child child;
    struct list node;
    struct loop_call freeing;
    struct pop3d *p;
};

static struct pop3d *get(struct daemon *d)
{
    if (d->ctx == NULL) {
        struct pop3d *p = mem_type(struct pop3d);

        list_init(&p->children);
        d->ctx = p;
    }
    return d->ctx;
}

static int load(struct daemon *d, const struct jv *conf, struct err *err)
{
    struct pop3d *p = get(d);
    struct conf made;

    if (conf_load(&made, conf, err) < 0)
        return -1;
    conf_done(&p->conf);
    p->conf = made;
    p->store.quota = made.quota;
    return 0;
}

static void free_running(struct loop_call *call)
{
    free(container_of(call, struct running, freeing));
}

static void on_child_end(struct child *c)
{
    struct running *r = container_of(c, struct running, child);
    char text[CHILD_TEXT_MAX];

    child_describe(c->status, text);
    if (c->status != 0)
        log_warn("pop3.session_failed", LOG_S("how", text));
    list_del(&r->node);
    r->p->children_n--;
    counter_add(r->p->current, -1);
    if (r->p->draining && r->p->children_n == 0)
        loop_stop(r->p->loop);
    r->freeing.fn = free_running;
    loop_defer(r->p->loop, &r->freeing);
}

static void refuse(int fd, const char *text)
{
    struct err ignored;

    if (fd_write_all(fd, str_of(text), &ignored) < 0) /* the peer may be gone */
        log_debug("pop3.refuse_failed");
    own_close_fd(&fd);
}

/* In the child: nothing of the parent's is used but what session_run reads. */
static no_return void run_child(struct pop3d *p, const struct handoff *h, int fd)
{
    handoff_in_close_listening(p->in);
    sig_reset();
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail with these arguments */
    session_run(&p->conf, &p->store, h, fd);
    _exit(0);
}

static void on_handoff(void *ctx, const struct handoff *h, struct str raw, int fd)
{
    struct pop3d *p = ctx;
    struct err err = {0};
    struct running *r;
    pid_t pid;

    (void)raw;
    if (p->children_n >= p->conf.sessions) {
        log_warn("pop3.too_many", LOG_STR("user", h->user));
        refuse(fd, "-ERR [SYS/TEMP] too many sessions\r\n");
        return;
    }
    pid = fork();
    if (pid == 0)
        run_child(p, h, fd);
    if (pid < 0) {
        log_error("pop3.fork_failed", LOG_I("errno", errno));
        refuse(fd, "-ERR [SYS/TEMP] cannot serve now\r\n");
        return;
    }
    own_close_fd(&fd);
    r = mem_type(struct running);
    r->p = p;
    r->child.fn = on_child_end;
    list_add_tail(&p->children, &r->node);
    p->children_n++;
    counter_add(p->sessions, 1);
    counter_add(p->current, 1);
    log_info("pop3.begin", LOG_STR("user", h->user), LOG_STR("remote", h->remote));
    if (child_watch(p->loop, &r->child, pid, &err) < 0)
        log_error("pop3.watch_failed", LOG_S("error", err.text));
}

static int start(struct daemon *d, struct err *err)
{
    struct pop3d *p = get(d);

    (void)umask(0007);
    p->loop = d->loop;
    if (store_open(&p->store, p->conf.mail, str_of(p->conf.hostname), p->conf.quota, err) < 0)
        return -1;
    p->sessions = counter_get(d->counters, "pop3_sessions_total");
    p->current = counter_get(d->counters, "pop3_sessions_open");
    p->in = handoff_in_new(d->loop, d->given, "session", on_handoff, p, err);
    return p->in == NULL ? -1 : 0;
}

/* Sessions in hand go on to their end, or to that of the grace time. */
static void drain(struct daemon *d)
{
    struct pop3d *p = get(d);

    p->draining = true;
    handoff_in_free(p->in);
    p->in = NULL;
    if (p->children_n == 0)
        loop_stop(p->loop);
}

int main(int argc, char **argv)
{
    static const char *const descriptors[] = {"session", NULL};
    static const struct daemon_ops ops = {
        .name = "pop3d",
        .what = "serves authenticated POP3 sessions",
        .descriptors = descriptors,
        .load = load,
        .start = start,
        .drain = drain,
    };

    return daemon_main(argc, argv, &ops);
}
