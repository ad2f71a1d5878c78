/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/lmtpd/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/mem.h"
#include "runtime/base/own.h"
#include "runtime/base/rand.h"

#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/home.h"
#include "mailstack/lib/store/quota.h"
#include "mailstack/lib/store/store.h"

#define SWEEP_ONE_IN 64 /* deliveries that also look for what a crash left behind */

void job_init(struct job *j, const struct store *st)
{
    *j = (struct job){.st = st};
    buf_init(&j->header, JOB_HEADER_MAX);
}

static void end_rcpt(const struct job *j, struct job_rcpt *r)
{
    if (r->reserved && !r->d.published) /* best effort: a recount puts it right */
        (void)quota_add(r->home_fd, j->st->quota, -(int64_t)r->d.size, -1, &r->err);
    if (r->begun)
        deliver_done(&r->d);
    own_close_fd(&r->home_fd);
}

void job_reset(struct job *j)
{
    for (size_t i = 0; i < j->rcpts_n; i++)
        end_rcpt(j, &j->rcpts[i]);
    free(j->rcpts);
    j->rcpts = NULL;
    j->rcpts_n = 0;
    j->sender[0] = '\0';
    j->started = false;
    j->size = 0;
    buf_done(&j->header);
}

void job_done(struct job *j)
{
    job_reset(j);
}

/* "alice+Lists@d": the mailbox is alice@d, the folder Lists. */
static void split_detail(struct str addr, struct buf *mailbox, struct str *folder)
{
    struct str local = addr, domain = STR_NONE, user, detail;

    *folder = STR_NONE;
    (void)str_rcut(addr, '@', &local, &domain); /* there is one: the parser saw to it */
    user = local;
    if (str_cut(local, '+', &user, &detail) && user.n > 0)
        *folder = detail;
    else
        user = local;
    buf_append(mailbox, user);
    buf_append_char(mailbox, '@');
    buf_append(mailbox, domain);
}

static int check_quota(const struct job *j, struct str mailbox, const struct lmtp_cmd *rcpt,
                       uint64_t size, struct err *err)
{
    uint64_t told = rcpt->quota == LMTP_NO_QUOTA ? QUOTA_NOT_TOLD : rcpt->quota;
    own_fd int home = home_open(j->st, mailbox, err);
    struct quota q = {.limit = told == QUOTA_NOT_TOLD ? j->st->quota : told};

    if (home < 0 && err->code != ENOENT)
        return -1;
    /* A home that is not there is made at the first delivery. */
    if (home >= 0 && quota_get(home, told, j->st->quota, &q, err) < 0)
        return -1;
    if (q.limit != 0 && (q.used >= q.limit || size > q.limit - q.used))
        return err_set(err, EDQUOT, "mailbox is full");
    return 0;
}

static size_t find_same(const struct job *j, struct str addr)
{
    for (size_t i = 0; i < j->rcpts_n; i++)
        if (str_ieq_c(addr, j->rcpts[i].addr))
            return i;
    return j->rcpts_n;
}

int job_add_rcpt(struct job *j, const struct lmtp_cmd *rcpt, uint64_t size, struct err *err)
{
    own_buf struct buf mailbox = BUF_INIT(LMTP_ADDR_MAX);
    struct str folder;
    struct job_rcpt *r;

    if (j->rcpts_n >= JOB_RCPTS_MAX)
        return err_set(err, EMSGSIZE, "more than %d recipients", JOB_RCPTS_MAX);
    split_detail(str_of(rcpt->addr), &mailbox, &folder);
    if (check_quota(j, buf_str(&mailbox), rcpt, size, err) < 0)
        return -1;
    j->rcpts = mem_grow(j->rcpts, j->rcpts_n + 1, sizeof(j->rcpts[0]));
    r = &j->rcpts[j->rcpts_n];
    *r = (struct job_rcpt){.home_fd = -1, .same_as = find_same(j, str_of(rcpt->addr))};
    r->quota = rcpt->quota == LMTP_NO_QUOTA ? QUOTA_NOT_TOLD : rcpt->quota;
    memcpy(r->addr, rcpt->addr, sizeof(r->addr));
    j->rcpts_n++;
    return 0;
}

/* --- where it goes
 * --------------------------------------------------------------------------------- */

static bool is_spam(struct str header)
{
    struct str line;

    while (str_next(&header, '\n', &line)) {
        struct str name, value;

        if (str_trim(line).n == 0) /* what follows is the body's */
            return false;
        if (str_cut(line, ':', &name, &value) && str_ieq_c(name, "X-Spam-Flag"))
            return str_istarts(str_trim(value), STR("YES"));
    }
    return false;
}

static int open_junk(int home_fd, struct err *err)
{
    int fd = folder_open(home_fd, STR("Junk"), err);

    if (fd >= 0 || err->code != ENOENT)
        return fd;
    if (folder_create(home_fd, STR("Junk"), err) < 0 && err->code != EEXIST)
        return -1;
    return folder_open(home_fd, STR("Junk"), err);
}

static int open_folder(int home_fd, struct str detail, bool spam, struct err *err)
{
    int fd = -1;

    if (spam)
        return open_junk(home_fd, err);
    if (detail.n > 0)
        fd = folder_open(home_fd, detail, err);
    return fd >= 0 ? fd : folder_open(home_fd, STR("INBOX"), err); /* no such folder: INBOX */
}

static int begin_rcpt(const struct job *j, struct job_rcpt *r, bool spam, struct err *err)
{
    own_buf struct buf mailbox = BUF_INIT(LMTP_ADDR_MAX);
    struct str detail;
    int folder_fd;

    split_detail(str_of(r->addr), &mailbox, &detail);
    r->home_fd = home_make(j->st, buf_str(&mailbox), err);
    if (r->home_fd < 0)
        return -1;
    folder_fd = open_folder(r->home_fd, detail, spam, err);
    if (folder_fd < 0)
        return -1;
    if (rand_below(SWEEP_ONE_IN) == 0)
        folder_sweep(folder_fd);
    if (deliver_begin(&r->d, j->st, r->home_fd, folder_fd, err) < 0)
        return -1;
    r->begun = true;
    return 0;
}

static int write_head(const struct job *j, struct job_rcpt *r, struct err *err)
{
    own_buf struct buf head = BUF_INIT((size_t)4 * LMTP_ADDR_MAX);

    buf_printf(&head, "Return-Path: <%s>\r\nDelivered-To: %s\r\n", j->sender, r->addr);
    if (deliver_write(&r->d, buf_str(&head), err) < 0)
        return -1;
    return deliver_write(&r->d, buf_str(&j->header), err);
}

static void start(struct job *j)
{
    bool spam = is_spam(buf_str(&j->header));

    j->started = true;
    for (size_t i = 0; i < j->rcpts_n; i++) {
        struct job_rcpt *r = &j->rcpts[i];

        if (r->same_as == i)
            r->failed = begin_rcpt(j, r, spam, &r->err) < 0 || write_head(j, r, &r->err) < 0;
    }
    buf_done(&j->header);
}

/* --- the content
 * ------------------------------------------------------------------------------------ */

/* Where the header ends in what is held back, or -1. `from`: what was looked at before. */
static bool header_is_complete(const struct job *j, size_t from)
{
    struct str all = buf_str(&j->header);

    if (str_starts(all, STR("\r\n")))
        return true;
    return str_find_str(str_skip(all, from < 3 ? 0 : from - 3), STR("\r\n\r\n")) >= 0;
}

static void write_all(struct job *j, struct str bytes)
{
    for (size_t i = 0; i < j->rcpts_n; i++) {
        struct job_rcpt *r = &j->rcpts[i];

        if (r->same_as == i && !r->failed)
            r->failed = deliver_write(&r->d, bytes, &r->err) < 0;
    }
}

void job_write(struct job *j, struct str bytes)
{
    size_t from = j->header.n;

    j->size += bytes.n;
    if (!j->started) {
        struct str now = str_head(bytes, buf_room(&j->header));

        buf_append(&j->header, now);
        bytes = str_skip(bytes, now.n);
        if (buf_room(&j->header) == 0 || header_is_complete(j, from))
            start(j);
    }
    if (bytes.n > 0)
        write_all(j, bytes);
}

static int flush_rcpt(const struct job *j, struct job_rcpt *r)
{
    if (deliver_flush(&r->d, &r->err) < 0)
        return -1;
    if (quota_reserve(r->home_fd, r->quota, j->st->quota, r->d.size, &r->err) < 0)
        return -1;
    r->reserved = true;
    return 0;
}

static int publish_rcpt(const struct job *j, struct job_rcpt *r)
{
    static const struct deliver_as as_new = {0};
    uint32_t validity;

    (void)j;
    return deliver_publish(&r->d, &as_new, &r->uid, &validity, &r->err);
}

static int settle_rcpt(const struct job *j, struct job_rcpt *r)
{
    (void)j;
    return deliver_settle(&r->d, &r->err);
}

void job_finish(struct job *j)
{
    static int (*const steps[])(const struct job *, struct job_rcpt *) = {flush_rcpt, publish_rcpt,
                                                                          settle_rcpt};

    if (!j->started)
        start(j);
    for (size_t s = 0; s < ARRAY_N(steps); s++)
        for (size_t i = 0; i < j->rcpts_n; i++)
            if (j->rcpts[i].same_as == i && !j->rcpts[i].failed)
                j->rcpts[i].failed = steps[s](j, &j->rcpts[i]) < 0;
}

const struct err *job_result(const struct job *j, size_t i)
{
    const struct job_rcpt *r = &j->rcpts[j->rcpts[i].same_as];

    return r->failed ? &r->err : NULL;
}
