/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#include "mailstack/imapd/append.h"
#include "mailstack/imapd/cmd.h"
#include "mailstack/imapd/conf.h"
#include "mailstack/imapd/imap_date.h"
#include "mailstack/imapd/session.h"
#include "mailstack/imapd/user.h"
#include "mailstack/lib/store/deliver.h"
#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/keyword.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/quota.h"
#include "mailstack/lib/store/store.h"

struct append {
    struct user *user;
    struct deliver d;
    size_t left; /* octets of the literal still to come */
    bool begun;
    bool reserved;
    bool failed; /* reads to the end, then says why */
    bool has_nul;
    struct err err;
    uint32_t flags;
    bool has_date;
    struct timespec date;
};

void append_free(struct append *a)
{
    if (a == NULL)
        return;
    if (a->reserved && !a->d.published)
        (void)quota_add(a->user->home_fd, a->user->store->quota, -(int64_t)a->d.size, -1, &a->err);
    if (a->begun)
        deliver_done(&a->d);
    free(a);
}

/* Between the folder's name and the literal: flags, a date, both or none. -1: BAD. */
static int parse_middle(struct session *s, struct append *a, const struct imap_arg **flags)
{
    const struct imap_cmd *c = &s->cmd;
    size_t i = 1;
    struct str text;

    if (i < c->args_n - 1 && c->args[i].kind == IMAP_LIST)
        *flags = &c->args[i++];
    if (i < c->args_n - 1 && c->args[i].kind == IMAP_QUOTED) {
        if (!imap_arg_string(&c->args[i++], &text) || !imap_date_time(text, &a->date.tv_sec))
            return -1;
        a->has_date = true;
    }
    return i == c->args_n - 1 ? 0 : -1;
}

/* Keywords get their letters in the folder they are going to. */
static int take_flags(struct append *a, const struct imap_arg *flags, struct err *err)
{
    struct mailbox shell = {.folder_fd = a->d.folder_fd}; /* cmd_flags needs the keywords alone */
    int rc;

    if (flags == NULL)
        return 0;
    if (keyword_load(&shell.keywords, a->d.folder_fd, err) < 0)
        return -1;
    if (uid_lock(&a->d.uid, err) < 0)
        return -1;
    rc = cmd_flags(&shell, flags->list, flags->list_n, true, &a->flags, err);
    uid_unlock(&a->d.uid);
    keyword_done(&shell.keywords);
    return rc;
}

static int check_size(struct session *s, size_t n, struct err *err)
{
    struct user *u = s->user;
    struct quota q;

    if (n > u->conf->message_size)
        return err_set(err, EMSGSIZE, "message of %zu octets", n);
    if (quota_get(u->home_fd, u->quota, u->store->quota, &q, err) < 0)
        return -1;
    if (q.limit != 0 && (q.used >= q.limit || n > q.limit - q.used))
        return err_set(err, EDQUOT, "quota exceeded");
    return 0;
}

static int begin(struct session *s, struct append *a, struct str folder, size_t n, struct err *err)
{
    int fd = folder_open(s->user->home_fd, folder, err);

    if (fd < 0)
        return -1;
    if (deliver_begin(&a->d, s->user->store, s->user->home_fd, fd, err) < 0)
        return -1;
    a->begun = true;
    return check_size(s, n, err);
}

static void say_why_not(struct session *s, const struct err *err)
{
    if (err->code == EPROTO)
        session_bad(s, "wrong arguments");
    else if (err->code == ENOENT)
        session_no(s, "[TRYCREATE] no such mailbox");
    else
        session_fail(s, err);
}

void append_start(struct session *s, size_t n, bool waits)
{
    struct append *a = mem_type(struct append);
    const struct imap_arg *flags = NULL;
    struct str folder;

    a->user = s->user;
    a->left = n;
    s->append = a;
    if (parse_middle(s, a, &flags) < 0 || !imap_arg_astring(&s->cmd.args[0], &folder)) {
        a->failed = true;
        a->err.code = EPROTO;
    } else {
        a->failed = begin(s, a, folder, n, &a->err) < 0 || take_flags(a, flags, &a->err) < 0;
    }
    if (a->failed && waits) {
        struct err why = a->err;

        say_why_not(s, &why);
        return;
    }
    session_leave_input(s);
    if (waits)
        link_put(&s->link, STR("+ go ahead\r\n"));
}

static void take_bytes(struct append *a, struct str bytes)
{
    if (a->failed)
        return;
    if (memchr(bytes.p, '\0', bytes.n) != NULL)
        a->has_nul = true;
    a->failed = deliver_write(&a->d, bytes, &a->err) < 0;
}

static int publish(struct append *a, uint32_t *uid, uint32_t *validity, struct err *err)
{
    struct deliver_as as = {
        .in_cur = true, .flags = a->flags, .date = a->has_date ? &a->date : NULL};

    if (deliver_flush(&a->d, err) < 0)
        return -1;
    if (quota_reserve(a->user->home_fd, a->user->quota, a->user->store->quota, a->d.size, err) < 0)
        return -1;
    a->reserved = true;
    if (deliver_publish(&a->d, &as, uid, validity, err) < 0)
        return -1;
    return deliver_settle(&a->d, err);
}

static void finish(struct session *s)
{
    struct append *a = s->append;
    struct err err = a->err;
    uint32_t uid, validity;

    if (!a->failed && a->has_nul)
        session_no(s, "a message cannot hold NUL");
    else if (a->failed || publish(a, &uid, &validity, &err) < 0)
        say_why_not(s, &err);
    else
        session_ok(s, "[APPENDUID %u %u] appended", validity, uid);
}

bool append_feed(struct session *s)
{
    struct append *a = s->append;
    struct str in = buf_str(&s->link.in);

    if (a->left > 0) {
        struct str now = str_head(in, a->left);

        if (now.n == 0)
            return false;
        take_bytes(a, now);
        a->left -= now.n;
        link_consume(&s->link, now.n);
        return true;
    }
    if (in.n < 2)
        return false;
    if (!str_starts(in, STR("\r\n"))) {
        session_bad(s, "one message at a time");
        session_bye(s, "cannot follow");
        return false;
    }
    s->cmd_n = 2;
    finish(s);
    return true;
}

/* Without a literal: whatever it is, it is no APPEND. */
void cmd_append(struct session *s, const struct imap_cmd *c)
{
    (void)c;
    session_bad(s, "APPEND needs a mailbox and a literal");
}
