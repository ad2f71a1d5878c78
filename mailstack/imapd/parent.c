/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/parent.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/child.h"
#include "runtime/base/counter.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/list.h"
#include "runtime/base/log.h"
#include "runtime/base/loop.h"
#include "runtime/base/map.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"
#include "runtime/base/sig.h"

#include "mailstack/imapd/conf.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/proto/handoff.h"
#include "mailstack/lib/store/notify.h"

#define MESSAGE_MAX 64
#define WATCHES_MAX 64 /* folders one process may have watched */

struct parent {
    struct loop *loop;
    const struct conf *conf;
    const struct store *store;
    struct map *by_user; /* to struct proc */
    struct list procs;
    size_t procs_n;
    bool draining;
    struct notify *notify; /* NULL: IDLE polls */
    struct loop_io notify_io;
    struct counter *sessions;
    struct counter *users;
};

struct proc {
    struct list node;
    struct parent *parent;
    struct child child;
    struct loop_io io;
    struct loop_call freeing;
    int sock;      /* -1 once it was told to go */
    uint64_t sent; /* hand-offs */
    struct list watches;
    size_t watches_n;
    char *user;
};

struct watch {
    struct list node;
    struct notify_watch w;
    struct proc *proc;
    uint64_t number; /* the process's own */
};

/* --- watches
 * --------------------------------------------------------------------------------------- */

static void say(struct proc *p, char verb, uint64_t number)
{
    own_buf struct buf text = BUF_INIT(MESSAGE_MAX);
    struct err err = {0};

    buf_printf(&text, "%c %llu", verb, (unsigned long long)number);
    if (fd_send(p->sock, buf_str(&text), NULL, 0, &err) < 0 && err.code != EAGAIN)
        log_debug("imap.user_gone", LOG_S("user", p->user)); /* on_child_end follows */
}

static void on_event(void *ctx, struct notify_watch *w)
{
    struct watch *watch = container_of(w, struct watch, w);

    (void)ctx;
    if (watch->proc->sock >= 0)
        say(watch->proc, 'N', watch->number);
}

static void on_notify(struct loop_io *io, unsigned events)
{
    struct parent *p = container_of(io, struct parent, notify_io);

    (void)events;
    notify_read(p->notify, on_event, p);
}

static void end_watch(struct watch *w)
{
    notify_del(w->proc->parent->notify, &w->w);
    list_del(&w->node);
    w->proc->watches_n--;
    free(w);
}

static void add_watch(struct proc *p, uint64_t number, int folder_fd)
{
    struct err err = {0};
    struct watch *w;

    if (p->parent->notify == NULL || p->watches_n >= WATCHES_MAX)
        return; /* it polls */
    w = mem_type(struct watch);
    w->proc = p;
    w->number = number;
    if (notify_add(p->parent->notify, &w->w, folder_fd, &err) < 0) {
        log_warn("imap.watch_failed", LOG_S("error", err.text));
        free(w);
        return;
    }
    list_add_tail(&p->watches, &w->node);
    p->watches_n++;
    say(p, 'N', number); /* of what came between its last look and the watch, nobody tells */
}

static void del_watch(struct proc *p, uint64_t number)
{
    list_for_each (it, next, &p->watches)
        if (list_of(it, struct watch, node)->number == number)
            end_watch(list_of(it, struct watch, node));
}

/* --- processes
 * ------------------------------------------------------------------------------------- */

/* It is told nothing more and found by nobody; it ends by itself. */
static void let_go(struct proc *p)
{
    if (p->sock < 0)
        return;
    loop_io_del(&p->io);
    own_close_fd(&p->sock);
    p->sock = -1;
    (void)map_del(p->parent->by_user, str_of(p->user));
    list_for_each (it, next, &p->watches)
        end_watch(list_of(it, struct watch, node));
}

static void free_proc(struct loop_call *call)
{
    struct proc *p = container_of(call, struct proc, freeing);

    free(p->user);
    free(p);
}

static void on_child_end(struct child *c)
{
    struct proc *p = container_of(c, struct proc, child);
    struct parent *parent = p->parent;
    char how[CHILD_TEXT_MAX];

    child_describe(c->status, how);
    if (c->status != 0)
        log_warn("imap.user_ended", LOG_S("user", p->user), LOG_S("how", how));
    let_go(p);
    list_del(&p->node);
    parent->procs_n--;
    counter_add(parent->users, -1);
    if (parent->draining && parent->procs_n == 0)
        loop_stop(parent->loop);
    p->freeing.fn = free_proc;
    loop_defer(parent->loop, &p->freeing);
}

static void on_message(struct loop_io *io, unsigned events)
{
    struct proc *p = container_of(io, struct proc, io);
    char text[MESSAGE_MAX];
    struct err err = {0};
    size_t fds_n = 1;
    own_fd int fd = -1;
    uint64_t number;
    ssize_t n = fd_recv(p->sock, text, sizeof(text), &fd, &fds_n, &err);

    (void)events;
    if (n < 0 && (err.code == EAGAIN || err.code == EINTR))
        return;
    if (n < 3 ||
        num_parse_u64((struct str){text + 2, (size_t)n - 2}, 0, UINT64_MAX, &number, &err) < 0) {
        let_go(p); /* it ended, or is not in its senses */
        return;
    }
    if (text[0] == 'W' && fds_n == 1)
        add_watch(p, number, fd);
    else if (text[0] == 'U')
        del_watch(p, number);
    else if (text[0] == 'E' && number == p->sent)
        let_go(p); /* the end of the socket is its permission */
}

static no_return void run_child(struct parent *p, struct str user, int sock)
{
    sig_reset();
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail with these arguments */
    _exit(user_run(p->conf, p->store, user, sock));
}

static struct proc *spawn(struct parent *p, struct str user, struct err *err)
{
    struct proc *proc;
    int pair[2];
    pid_t pid;

    if (fd_socketpair(SOCK_SEQPACKET, pair, err) < 0)
        return NULL;
    pid = fork();
    if (pid == 0)
        run_child(p, user, pair[1]);
    own_close_fd(&pair[1]);
    if (pid < 0) {
        (void)err_set(err, errno, "fork");
        own_close_fd(&pair[0]);
        return NULL;
    }
    proc = mem_type(struct proc);
    proc->parent = p;
    proc->sock = pair[0];
    proc->child.fn = on_child_end;
    proc->io.fn = on_message;
    list_init(&proc->watches);
    list_add_tail(&p->procs, &proc->node);
    p->procs_n++;
    counter_add(p->users, 1);
    proc->user = str_dup_c(user, err);
    (void)map_put(p->by_user, user, proc);
    if (child_watch(p->loop, &proc->child, pid, err) < 0 ||
        fd_set_nonblock(pair[0], true, err) < 0 ||
        loop_io_add(p->loop, &proc->io, pair[0], LOOP_READ, err) < 0) {
        let_go(proc);
        return NULL;
    }
    return proc;
}

static void refuse(const struct handoff *h, int fd, const char *text)
{
    own_buf struct buf line = BUF_INIT(1024);
    struct err ignored;

    buf_append(&line, h->tag);
    buf_printf(&line, " NO %s\r\n", text);
    if (fd_write_all(fd, buf_str(&line), &ignored) < 0)
        log_debug("imap.refuse_failed"); /* the peer is gone */
}

static struct proc *process_of(struct parent *p, const struct handoff *h, int fd)
{
    struct proc *proc = map_get(p->by_user, h->user);
    struct err err = {0};

    if (proc != NULL)
        return proc;
    if (p->procs_n >= p->conf->users) {
        log_warn("imap.too_many_users", LOG_STR("user", h->user));
        refuse(h, fd, "[UNAVAILABLE] too many users");
        return NULL;
    }
    proc = spawn(p, h->user, &err);
    if (proc == NULL) {
        log_error("imap.spawn_failed", LOG_STR("user", h->user), LOG_S("error", err.text));
        refuse(h, fd, "[UNAVAILABLE] cannot serve now");
    }
    return proc;
}

/* A process that was killed a moment ago may still be found: the next one is a new one. */
static struct proc *send_to_process(struct parent *p, const struct handoff *h, struct str raw,
                                    int fd)
{
    struct err err = {0};

    for (int attempt = 0; attempt < 2; attempt++) {
        struct proc *proc = process_of(p, h, fd);

        if (proc == NULL)
            return NULL;
        if (fd_send(proc->sock, raw, &fd, 1, &err) == 0)
            return proc;
        if (err.code != EPIPE && err.code != ECONNRESET)
            break;
        let_go(proc);
    }
    log_error("imap.handoff_failed", LOG_STR("user", h->user), LOG_S("error", err.text));
    refuse(h, fd, "[UNAVAILABLE] cannot serve now");
    return NULL;
}

void parent_take(struct parent *p, const struct handoff *h, struct str raw, int fd)
{
    own_fd int taken = fd;
    struct proc *proc = send_to_process(p, h, raw, taken);

    if (proc == NULL)
        return;
    proc->sent++;
    counter_add(p->sessions, 1);
}

static void watch_folders(struct parent *p)
{
    struct err err = {0};

    p->notify = notify_new(&err);
    p->notify_io.fn = on_notify;
    if (p->notify == NULL ||
        loop_io_add(p->loop, &p->notify_io, notify_fd(p->notify), LOOP_READ, &err) < 0)
        log_warn("imap.no_inotify", LOG_S("error", err.text)); /* IDLE polls */
}

struct parent *parent_new(struct loop *l, const struct conf *conf, const struct store *store,
                          struct counter_page *counters)
{
    struct parent *p = mem_type(struct parent);

    p->loop = l;
    p->conf = conf;
    p->store = store;
    p->by_user = map_new();
    list_init(&p->procs);
    p->sessions = counter_get(counters, "imap_sessions_total");
    p->users = counter_get(counters, "imap_users_open");
    watch_folders(p);
    return p;
}

void parent_drain(struct parent *p)
{
    p->draining = true;
    if (p->procs_n == 0)
        loop_stop(p->loop);
    list_for_each (it, next, &p->procs)
        let_go(list_of(it, struct proc, node)); /* its sessions are told BYE */
}
