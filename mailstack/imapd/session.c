/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between commands `arena` is NULL and link.in begins with the next command. While a command is in
 * hand its bytes stay at the start of link.in (the parsed tree looks into them) and nothing more is
 * worked off; end_command drops them.
 */
#include "mailstack/imapd/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/imapd/append.h"
#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/conf.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/proto/handoff.h"
#include "mailstack/lib/store/mailbox.h"

#define TEXT_MAX 900

struct buf *session_out(struct session *s)
{
    link_wrote(&s->link);
    return link_out(&s->link);
}

static void restart_deadline(struct session *s)
{
    link_deadline(&s->link, (uint64_t)s->user->conf->idle_s * 1000);
}

/* --- the end of a command
 * -------------------------------------------------------------------------- */

static void end_step(struct session *s)
{
    if (s->step_end != NULL)
        s->step_end(s->step_ctx);
    s->step = NULL;
    s->step_ctx = NULL;
    s->step_end = NULL;
}

static void end_command(struct session *s)
{
    end_step(s);
    append_free(s->append);
    s->append = NULL;
    arena_free(s->arena);
    s->arena = NULL;
    s->cmd = (struct imap_cmd){0};
    s->verb = NULL;
    s->scan = (struct imap_scan){0};
    s->literal_n = 0;
    link_consume(&s->link, s->cmd_n);
    s->cmd_n = 0;
    link_pause(&s->link, false);
    restart_deadline(s);
}

void session_tell(struct session *s)
{
    bool exact = s->verb != NULL && (s->verb->flags & CMD_NO_EXPUNGE) != 0 && !s->cmd.uid;

    if (s->has_view)
        view_tell(&s->view, exact ? VIEW_NO_EXPUNGE : VIEW_WITH_EXPUNGE, s->cmd.uid,
                  session_out(s));
}

static void sync_view(struct session *s)
{
    struct err err = {0};

    if (!s->has_view || s->verb == NULL || (s->verb->flags & CMD_NO_SYNC) != 0)
        return;
    if (mailbox_sync(s->view.box->mailbox, &err) < 0 && err.code != ENOENT)
        log_error("imap.sync_failed", LOG_S("error", err.text));
    session_tell(s);
}

static void tagged(struct session *s, const char *status, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

/* `code` is put in front in brackets, unless it is empty. */
static void respond(struct session *s, const char *status, struct str code, const char *text)
{
    const struct box *box;
    struct buf *out;

    sync_view(s);
    out = session_out(s);
    buf_append(out, s->cmd.tag.n > 0 ? s->cmd.tag : STR("*"));
    buf_printf(out, " %s ", status);
    if (code.n > 0) {
        buf_append_char(out, '[');
        buf_append(out, code);
        buf_append_c(out, "] ");
    }
    buf_append_c(out, text);
    buf_append_c(out, "\r\n");
    box = s->has_view ? s->view.box : NULL;
    end_command(s);
    if (box != NULL)
        user_tell_idle(s->user, box);
}

static void tagged(struct session *s, const char *status, const char *fmt, va_list ap)
{
    char text[TEXT_MAX];

    (void)vsnprintf(text, sizeof(text), fmt, ap); /* our own words: cut at the most */
    respond(s, status, STR_NONE, text);
}

void session_ok_code(struct session *s, struct str code, const char *text)
{
    s->bad_n = 0;
    respond(s, "OK", code, text);
}

void session_ok(struct session *s, const char *fmt, ...)
{
    va_list ap;

    s->bad_n = 0;
    va_start(ap, fmt);
    tagged(s, "OK", fmt, ap);
    va_end(ap);
}

void session_no(struct session *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tagged(s, "NO", fmt, ap);
    va_end(ap);
}

void session_bad(struct session *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tagged(s, "BAD", fmt, ap);
    va_end(ap);
    if (++s->bad_n >= SESSION_BAD_MAX)
        session_bye(s, "too many bad commands");
}

void session_fail(struct session *s, const struct err *err)
{
    static const struct {
        int code;
        const char *text;
    } known[] = {
        {ENOENT, "[NONEXISTENT] no such mailbox"},
        {EEXIST, "[ALREADYEXISTS] the mailbox exists already"},
        {EINVAL, "[CANNOT] not a name for a mailbox"},
        {EPERM, "[CANNOT] not with INBOX"},
        {EDQUOT, "[OVERQUOTA] quota exceeded"},
        {ENOSPC, "[LIMIT] no space is left"},
        {EMSGSIZE, "[LIMIT] too large"},
    };

    for (size_t i = 0; i < ARRAY_N(known); i++) {
        if (err->code == known[i].code) {
            session_no(s, "%s", known[i].text);
            return;
        }
    }
    log_error("imap.failed", LOG_S("user", s->user->name), LOG_STR("command", s->cmd.name),
              LOG_S("error", err->text));
    session_no(s, "[SERVERBUG] internal error, see the server's log");
}

void session_step(struct session *s, bool (*step)(struct session *s), void *ctx,
                  void (*end)(void *ctx))
{
    s->step = step;
    s->step_ctx = ctx;
    s->step_end = end;
    link_pause(&s->link, true);
    if (!step(s))
        return; /* goes on when the output has been written */
}

void session_leave_input(struct session *s)
{
    s->cmd.tag = arena_str(s->arena, s->cmd.tag);
    s->cmd.name = str_of(s->verb != NULL ? s->verb->name : "APPEND");
    s->cmd.args_n = 0;
    link_consume(&s->link, s->cmd_n);
    s->cmd_n = 0;
}

/* --- commands
 * -------------------------------------------------------------------------------------- */

static void dispatch(struct session *s)
{
    const struct cmd *verb = cmd_find(&s->cmd);

    if (verb == NULL || (s->cmd.uid && (verb->flags & CMD_HAS_UID) == 0)) {
        session_bad(s, "unknown command");
        return;
    }
    if (((unsigned)s->state & verb->states) == 0) {
        session_bad(s, "no mailbox is selected");
        return;
    }
    if (s->cmd.args_n < verb->args_min || s->cmd.args_n > verb->args_max) {
        session_bad(s, "wrong number of arguments");
        return;
    }
    s->verb = verb;
    if ((verb->flags & CMD_WRITES) != 0 && s->view.read_only) {
        session_no(s, "[READ-ONLY] the mailbox was opened by EXAMINE");
        return;
    }
    verb->run(s, &s->cmd);
}

static void begin_command(struct session *s, size_t n)
{
    struct err err = {0};

    s->arena = arena_new(SESSION_ARENA_MAX);
    s->cmd_n = n;
    if (imap_parse(str_head(buf_str(&s->link.in), n), s->arena, &s->cmd, &err) < 0) {
        log_debug("imap.syntax", LOG_S("error", err.text));
        session_bad(s, "%s", "syntax error");
        return;
    }
    dispatch(s);
}

static void refuse_literal(struct session *s)
{
    bool waits = s->scan.literal_sync;
    struct err err = {0};

    s->arena = arena_new(SESSION_ARENA_MAX);
    s->cmd_n = s->scan.at;
    if (imap_parse(str_head(buf_str(&s->link.in), s->scan.at), s->arena, &s->cmd, &err) < 0)
        log_debug("imap.syntax", LOG_S("error", err.text));
    session_bad(s, "[LIMIT] literal too large");
    if (!waits) /* it comes all the same, and there is no knowing what follows */
        session_bye(s, "literal too large");
}

/* APPEND's message is the literal behind at least the folder's name; anything else is an argument.
 */
static bool is_append_message(const struct imap_cmd *c)
{
    const struct imap_arg *last = c->args_n < 2 ? NULL : &c->args[c->args_n - 1];

    return str_ieq_c(c->name, "APPEND") && last != NULL && last->kind == IMAP_LITERAL &&
           last->s.p == NULL;
}

/* true: it was APPEND's, and is taken care of. */
static bool try_append(struct session *s)
{
    struct arena *a = arena_new(SESSION_ARENA_MAX);
    struct imap_cmd c = {0};
    struct err err = {0};

    if (imap_parse(str_head(buf_str(&s->link.in), s->scan.at), a, &c, &err) < 0 ||
        !is_append_message(&c)) {
        arena_free(a);
        return false;
    }
    s->arena = a;
    s->cmd = c;
    s->verb = cmd_find(&s->cmd);
    s->cmd_n = s->scan.at;
    append_start(s, s->scan.literal_n, s->scan.literal_sync);
    return true;
}

static void on_literal(struct session *s)
{
    if (try_append(s))
        return;
    if (s->scan.literal_n > SESSION_LITERAL_MAX - s->literal_n) {
        refuse_literal(s);
        return;
    }
    s->literal_n += (unsigned)s->scan.literal_n;
    if (s->scan.literal_sync)
        link_put(&s->link, STR("+ go ahead\r\n"));
}

static void lose_track(struct session *s, const struct err *err)
{
    log_debug("imap.syntax", LOG_S("error", err->text));
    link_put(&s->link, STR("* BAD line too long, or not a line\r\n"));
    session_bye(s, "cannot follow");
}

/* false: nothing can be done before more bytes come. */
static bool scan_one(struct session *s)
{
    struct err err = {0};
    size_t at = s->scan.at;

    if (s->link.in.n == 0)
        return false;
    switch (imap_scan(&s->scan, buf_str(&s->link.in), &err)) {
    case IMAP_SCAN_ERROR:
        if (s->scan.at == at)
            lose_track(s, &err);
        else
            begin_command(s, s->scan.at); /* parsing says what is wrong */
        return !s->closing;
    case IMAP_SCAN_MORE:
        if (s->link.in.n >= LINK_IN_MAX)
            lose_track(s, &err);
        return false;
    case IMAP_SCAN_LITERAL:
        on_literal(s);
        return true;
    case IMAP_SCAN_DONE:
        begin_command(s, s->scan.at);
        return true;
    }
    return false;
}

/* IDLE ends with a line DONE. */
static bool idle_line(struct session *s)
{
    struct str in = buf_str(&s->link.in), line, rest;

    if (!str_cut(in, '\n', &line, &rest)) {
        if (in.n > 64)
            session_bye(s, "expected DONE");
        return false;
    }
    s->cmd_n = line.n + 1;
    s->idle = false;
    if (str_ieq_c(str_trim(line), "DONE"))
        session_ok(s, "idle is over");
    else
        session_bad(s, "expected DONE");
    return true;
}

void session_go_on(struct session *s)
{
    bool more = true;

    while (more && !s->closing) {
        if (s->append != NULL)
            more = append_feed(s);
        else if (s->idle)
            more = idle_line(s);
        else if (s->arena != NULL)
            more = false;
        else
            more = scan_one(s);
    }
}

static void on_input(struct link *l)
{
    struct session *s = container_of(l, struct session, link);

    restart_deadline(s);
    session_go_on(s);
}

static void on_drained(struct link *l)
{
    struct session *s = container_of(l, struct session, link);

    if (s->closing)
        return;
    restart_deadline(s);
    if (s->step != NULL && s->step(s))
        session_go_on(s);
}

/* --- begin and end
 * --------------------------------------------------------------------------------- */

void session_unselect(struct session *s)
{
    struct box *box = s->view.box;

    if (!s->has_view)
        return;
    view_done(&s->view);
    user_close_box(s->user, box);
    s->has_view = false;
    s->state = SESSION_AUTH;
}

static void free_session(struct loop_call *call)
{
    free(container_of(call, struct session, freeing));
}

static void on_closed(struct link *l)
{
    struct session *s = container_of(l, struct session, link);
    struct user *u = s->user;

    s->closing = true;
    end_step(s);
    append_free(s->append);
    s->append = NULL;
    arena_free(s->arena);
    s->arena = NULL;
    session_unselect(s);
    link_done(&s->link);
    list_del(&s->node);
    u->sessions_n--;
    s->freeing.fn = free_session;
    loop_defer(u->loop, &s->freeing);
    user_session_gone(u);
}

void session_bye(struct session *s, const char *why)
{
    if (s->closing)
        return;
    s->closing = true;
    link_printf(&s->link, "* BYE %s\r\n", why);
    link_finish(&s->link);
}

static const struct link_ops ops = {
    .input = on_input,
    .drained = on_drained,
    .closed = on_closed,
};

static void refuse(struct session *s, struct str tag)
{
    buf_append(session_out(s), tag);
    link_put(&s->link, STR(" NO [LIMIT] too many sessions\r\n"));
    s->closing = true;
    link_finish(&s->link);
}

void session_start(struct user *u, const struct handoff *h, int fd)
{
    struct session *s = mem_type(struct session);
    struct err err = {0};

    s->user = u;
    s->state = SESSION_AUTH;
    if (link_init(&s->link, u->loop, fd, &ops, &err) < 0) {
        log_error("imap.link_failed", LOG_S("error", err.text));
        free(s);
        return;
    }
    list_add_tail(&u->sessions, &s->node);
    u->sessions_n++;
    restart_deadline(s);
    if (u->sessions_n > u->conf->sessions_per_user) {
        refuse(s, h->tag);
        return;
    }
    log_info("imap.begin", LOG_S("user", u->name), LOG_STR("remote", h->remote));
    buf_append(session_out(s), h->tag);
    link_put(&s->link, STR(" OK [CAPABILITY " SESSION_CAPABILITIES "] logged in\r\n"));
    buf_append(&s->link.in, h->input);
    session_go_on(s);
}
