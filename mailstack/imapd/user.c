/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/imapd/user.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#include "mailstack/imapd/conf.h"
#include "mailstack/imapd/confine.h"
#include "mailstack/imapd/session.h"
#include "mailstack/lib/proto/handoff.h"
#include "mailstack/lib/store/home.h"
#include "mailstack/lib/store/index.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/quota.h"
#include "mailstack/lib/store/store.h"

/* --- to the parent
 * --------------------------------------------------------------------------------- */

/* A message that does not get through costs a hint: IDLE polls as well. */
static void tell_parent(struct user *u, char verb, uint64_t number, int fd)
{
    own_buf struct buf text = BUF_INIT(64);
    struct err err = {0};

    buf_printf(&text, "%c %llu", verb, (unsigned long long)number);
    if (fd_send(u->sock, buf_str(&text), &fd, fd >= 0 ? 1 : 0, &err) < 0)
        log_warn("imap.parent_gone", LOG_S("error", err.text));
}

static void on_linger(struct loop_timer *t)
{
    struct user *u = container_of(t, struct user, linger);

    if (u->sessions_n == 0)
        tell_parent(u, 'E', u->received, -1);
}

void user_session_gone(struct user *u)
{
    if (u->sessions_n > 0)
        return;
    if (u->draining)
        loop_stop(u->loop);
    loop_timer_set(u->loop, &u->linger, USER_LINGER_MS);
}

/* --- boxes
 * ----------------------------------------------------------------------------------------- */

static void log_lost_index(const struct user *u, const struct mailbox *mb)
{
    if (mb->index_error.text[0] != '\0')
        log_error("imap.index_failed", LOG_S("user", u->name),
                  LOG_S("error", mb->index_error.text));
}

static struct box *find_box(struct user *u, struct str name)
{
    list_for_each (it, next, &u->boxes) {
        struct box *b = list_of(it, struct box, node);

        if (!b->orphan && str_eq_c(name, b->mailbox->name))
            return b;
    }
    return NULL;
}

/* Opened at the first need, for the memory of those who are only idle. */
static struct index *get_index(struct user *u)
{
    struct err err = {0};

    if (u->index == NULL) {
        u->index = index_new(u->home_fd, &err);
        if (u->index == NULL)
            log_error("imap.index_failed", LOG_S("user", u->name), LOG_S("error", err.text));
    }
    return u->index;
}

struct box *user_open_box(struct user *u, struct str name, struct err *err)
{
    struct box *b = find_box(u, name);
    struct mailbox *mb;

    if (b != NULL) {
        if (mailbox_sync(b->mailbox, err) == 0) {
            b->refs++;
            return b;
        }
        if (err->code != ENOENT)
            return NULL;
        b->orphan = true; /* another program removed it; there may be a new one of that name */
        err_reset(err);
    }
    mb = mailbox_new(u->store, u->home_fd, get_index(u), name, err);
    if (mb == NULL)
        return NULL;
    log_lost_index(u, mb);
    b = mem_type(struct box);
    b->mailbox = mb;
    b->refs = 1;
    b->number = ++u->box_number;
    list_add_tail(&u->boxes, &b->node);
    return b;
}

void user_close_box(struct user *u, struct box *b)
{
    if (b == NULL || --b->refs > 0)
        return;
    if (b->watched)
        tell_parent(u, 'U', b->number, -1);
    list_del(&b->node);
    mailbox_free(b->mailbox);
    free(b);
}

void user_watch_box(struct user *u, struct box *b)
{
    if (u->poll.loop == NULL)
        loop_timer_set(u->loop, &u->poll, USER_POLL_MS);
    if (b->watched)
        return;
    b->watched = true;
    tell_parent(u, 'W', b->number, b->mailbox->folder_fd);
}

void user_forget_box(struct user *u, struct str name)
{
    list_for_each (it, next, &u->boxes) {
        struct box *b = list_of(it, struct box, node);
        struct str at = str_of(b->mailbox->name);

        if (str_eq(at, name) ||
            (str_starts(at, name) && at.n > name.n && at.p[name.n] == FOLDER_SEPARATOR))
            b->orphan = true;
    }
}

void user_tell_idle(struct user *u, const struct box *b)
{
    list_for_each (it, next, &u->sessions) {
        struct session *s = list_of(it, struct session, node);

        if (s->idle && s->has_view && s->view.box == b)
            session_tell(s);
    }
}

static void look_at(struct user *u, struct box *b)
{
    struct err err = {0};

    if (mailbox_sync(b->mailbox, &err) < 0) {
        if (err.code != ENOENT)
            log_error("imap.sync_failed", LOG_S("user", u->name), LOG_S("error", err.text));
        return;
    }
    user_tell_idle(u, b);
}

static bool is_idled_on(const struct user *u, const struct box *b)
{
    list_for_each (it, next, &u->sessions) {
        const struct session *s = list_of(it, struct session, node);

        if (s->idle && s->has_view && s->view.box == b)
            return true;
    }
    return false;
}

static void on_poll(struct loop_timer *t)
{
    struct user *u = container_of(t, struct user, poll);
    bool any = false;

    list_for_each (it, next, &u->boxes) {
        struct box *b = list_of(it, struct box, node);

        if (is_idled_on(u, b)) {
            any = true;
            look_at(u, b);
        }
    }
    if (any)
        loop_timer_set(u->loop, &u->poll, USER_POLL_MS);
}

/* --- from the parent
 * ------------------------------------------------------------------------------- */

static void on_news(struct user *u, struct str number)
{
    struct err ignored;
    uint32_t n;

    if (num_parse_u32(number, 0, UINT32_MAX, &n, &ignored) < 0)
        return;
    list_for_each (it, next, &u->boxes) {
        struct box *b = list_of(it, struct box, node);

        if (b->number == n && is_idled_on(u, b))
            look_at(u, b);
    }
}

static void on_handoff(struct user *u, struct str raw, int fd)
{
    struct err err = {0};
    struct handoff h;

    u->received++;
    if (handoff_parse(raw, &h, &err) < 0) { /* the parent parsed it before */
        log_error("handoff.refused", LOG_S("error", err.text));
        own_close_fd(&fd);
        return;
    }
    u->quota = h.quota != 0 ? h.quota : QUOTA_NOT_TOLD;
    loop_timer_del(&u->linger);
    session_start(u, &h, fd);
}

static void drain(struct user *u)
{
    u->draining = true;
    if (u->sessions_n == 0)
        loop_stop(u->loop);
    list_for_each (it, next, &u->sessions)
        session_bye(list_of(it, struct session, node), "server is shutting down");
}

static void on_parent(struct loop_io *io, unsigned events)
{
    struct user *u = container_of(io, struct user, io);
    char message[HANDOFF_MAX];
    struct err err = {0};
    size_t fds_n = 1;
    int fd = -1;
    ssize_t n = fd_recv(u->sock, message, sizeof(message), &fd, &fds_n, &err);

    (void)events;
    if (n < 0 && (err.code == EAGAIN || err.code == EINTR))
        return;
    if (n <= 0) { /* the parent is gone, or wants us to be */
        loop_io_del(io);
        drain(u);
        return;
    }
    if (fds_n == 1)
        on_handoff(u, (struct str){message, (size_t)n}, fd);
    else if (message[0] == 'N')
        on_news(u, str_skip((struct str){message, (size_t)n}, 2));
    else if (message[0] == 'G')
        loop_stop(u->loop);
}

/* --- the process
 * ----------------------------------------------------------------------------------- */

static int enter_home(struct user *u, struct err *err)
{
    enum confine_result how;

    u->home_fd = home_make(u->store, str_of(u->name), err);
    if (u->home_fd < 0 || confine_to(u->home_fd, &how, err) < 0)
        return -1;
    if (how == CONFINE_UNABLE)
        log_debug("imap.not_confined", LOG_S("user", u->name));
    return 0;
}

static int set_up(struct user *u, struct err *err)
{
    int keep[] = {u->sock, u->store->root_fd};

    if (confine_keep_only(keep, ARRAY_N(keep), err) < 0)
        return -1;
    if (enter_home(u, err) < 0)
        return -1;
    (void)close(u->store->root_fd); /* Linux closes even on an error */
    u->loop = loop_new(err);
    if (u->loop == NULL)
        return -1;
    u->io.fn = on_parent;
    u->linger.fn = on_linger;
    u->poll.fn = on_poll;
    return loop_io_add(u->loop, &u->io, u->sock, LOOP_READ, err);
}

int user_run(const struct conf *conf, const struct store *store, struct str name, int sock)
{
    struct user u = {.conf = conf, .store = store, .sock = sock, .home_fd = -1};
    struct err err = {0};

    list_init(&u.sessions);
    list_init(&u.boxes);
    u.name = str_dup_c(name, &err);
    if (u.name == NULL || set_up(&u, &err) < 0 || loop_run(u.loop, &err) < 0) {
        log_error("imap.user_failed", LOG_STR("user", name), LOG_S("error", err.text));
        return 1;
    }
    index_free(u.index);
    free(u.name);
    return 0;
}
