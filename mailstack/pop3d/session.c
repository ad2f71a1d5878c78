/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/pop3d/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/num.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/stream.h"
#include "mailstack/lib/proto/handoff.h"
#include "mailstack/lib/store/home.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/store.h"
#include "mailstack/pop3d/cmd.h"
#include "mailstack/pop3d/conf.h"

#define LOCK_FILE  "mailstack-pop3.lock"
#define REPLY_MAX  512
#define ERRORS_MAX 20 /* bad commands before the connection is closed */

static void put(struct session *s, struct str text)
{
    struct err err = {0};

    if (stream_write(s->stream, text, &err) < 0)
        s->over = s->failed = true;
}

static void put_line(struct session *s, const char *prefix, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

static void put_line(struct session *s, const char *prefix, const char *fmt, va_list ap)
{
    char text[REPLY_MAX];

    (void)vsnprintf(text, sizeof(text), fmt, ap); /* our own words: cut at the most */
    put(s, str_of(prefix));
    put(s, str_of(text));
    put(s, STR("\r\n"));
}

void session_ok(struct session *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put_line(s, "+OK ", fmt, ap);
    va_end(ap);
}

void session_err(struct session *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put_line(s, "-ERR ", fmt, ap);
    va_end(ap);
}

void session_line(struct session *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put_line(s, "", fmt, ap);
    va_end(ap);
}

struct session_msg *session_msg(struct session *s, const struct pop3_cmd *c, size_t i)
{
    struct err ignored;
    uint64_t number;

    if (num_parse_u64(c->args[i], 1, s->n == 0 ? 1 : s->n, &number, &ignored) < 0 || s->n == 0) {
        session_err(s, "no such message, there are %zu", s->n);
        return NULL;
    }
    if (s->v[number - 1].deleted) {
        session_err(s, "message is marked as deleted");
        return NULL;
    }
    return &s->v[number - 1];
}

/* --- commands
 * ------------------------------------------------------------------------------------- */

static bool run(struct session *s, const struct pop3_cmd *c)
{
    const struct cmd *cmd = cmd_find(c);

    if (cmd == NULL) {
        session_err(s, "unknown command");
        return false;
    }
    if (c->args_n < cmd->args_min || c->args_n > cmd->args_max) {
        session_err(s, "wrong number of arguments");
        return false;
    }
    cmd->run(s, c);
    return true;
}

/* One command from what is buffered. false: more bytes are needed. */
static bool one_command(struct session *s, struct str *in, unsigned *errors_n)
{
    struct err err = {0};
    struct pop3_cmd c;
    size_t used = 0;
    enum parse_result rc = pop3_cmd_parse(*in, &c, &used, &err);
    bool good;

    if (rc == PARSE_MORE)
        return false;
    good = rc == PARSE_DONE && run(s, &c);
    if (rc == PARSE_ERROR)
        session_err(s, "bad command");
    if (rc == PARSE_ERROR && used == 0)
        s->over = s->failed = true; /* no telling where the next one begins */
    if (!good && ++*errors_n >= ERRORS_MAX)
        s->over = s->failed = true;
    *in = str_skip(*in, used);
    return true;
}

static void work_off(struct session *s, struct buf *in, unsigned *errors_n)
{
    struct str rest = buf_str(in);

    while (!s->over && rest.n > 0 && one_command(s, &rest, errors_n))
        continue;
    buf_consume(in, in->n - rest.n);
}

static void loop(struct session *s, struct str first)
{
    own_buf struct buf in = BUF_INIT(HANDOFF_MAX + STREAM_IN_MAX);
    unsigned errors_n = 0;
    struct err err = {0};

    buf_append(&in, first);
    for (;;) {
        struct str more;

        work_off(s, &in, &errors_n);
        if (s->over || stream_some(s->stream, &more, &err) < 0 || more.n == 0)
            break;
        buf_append(&in, more);
        stream_consume(s->stream, more.n);
        if (in.failed)
            break;
    }
    if (stream_flush(s->stream, &err) < 0)
        s->failed = true;
}

/* --- open and close
 * -------------------------------------------------------------------------------- */

/* RFC 1939: one session at a time holds the maildrop. */
static int lock(struct session *s, struct err *err)
{
    s->lock_fd =
        openat(s->home_fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, STORE_FILE_MODE);
    if (s->lock_fd < 0)
        return err_set(err, errno, "open '%s'", LOCK_FILE);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, errno, "lock '%s'", LOCK_FILE);
    return 0;
}

static int take_messages(struct session *s, struct err *err)
{
    s->v = mem_array(s->mailbox->n + 1, sizeof(s->v[0]));
    for (size_t i = 0; i < s->mailbox->n; i++) {
        struct err gone = {0};
        uint64_t vsize;

        if (mailbox_vsize(s->mailbox, i, &vsize, &gone) < 0) {
            if (gone.code == ENOENT)
                continue; /* removed since: not in this session */
            *err = gone;
            return -1;
        }
        s->v[s->n++] = (struct session_msg){.uid = s->mailbox->v[i].uid, .vsize = vsize};
    }
    return 0;
}

static int open_maildrop(struct session *s, struct str user, struct err *err)
{
    s->home_fd = home_make(s->store, user, err);
    if (s->home_fd < 0 || lock(s, err) < 0)
        return -1;
    s->mailbox = mailbox_new(s->store, s->home_fd, NULL, STR("INBOX"), err);
    return s->mailbox == NULL ? -1 : take_messages(s, err);
}

static void greet(struct session *s, int rc, const struct err *why, struct str user)
{
    if (rc == 0) {
        session_ok(s, "%zu messages", s->n);
        return;
    }
    s->over = true;
    if (why->code == EWOULDBLOCK) {
        session_err(s, "[IN-USE] the maildrop is in use by another session");
        return;
    }
    log_error("pop3.open_failed", LOG_STR("user", user), LOG_S("error", why->text));
    session_err(s, "[SYS/TEMP] the maildrop cannot be opened");
}

static void close_all(struct session *s)
{
    mailbox_free(s->mailbox);
    free(s->v);
    own_close_fd(&s->lock_fd);
    own_close_fd(&s->home_fd);
    stream_free(s->stream);
}

void session_run(const struct conf *conf, const struct store *store, const struct handoff *h,
                 int fd)
{
    struct session s = {.conf = conf, .store = store, .home_fd = -1, .lock_fd = -1};
    struct err err = {0};

    s.stream = stream_new(fd, conf->idle_s * 1000);
    greet(&s, open_maildrop(&s, h->user, &err), &err, h->user);
    loop(&s, h->input);
    log_info("pop3.end", LOG_STR("user", h->user), LOG_U("messages", s.n),
             LOG_S("how", s.failed || !s.over ? "cut" : "quit"));
    close_all(&s);
}
