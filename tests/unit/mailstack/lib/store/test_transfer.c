/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"

#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"
#include "mailstack/lib/store/quota.h"
#include "mailstack/lib/store/transfer.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

#define MAIL   "Subject: x\r\n\r\nbody\r\n"
#define STORED (sizeof(MAIL) - 1 - 3) /* with LF */

static struct mailbox *open_box(struct mailroot *r, const char *name)
{
    struct err err = {0};
    struct mailbox *mb = mailbox_new(&r->st, r->home_fd, NULL, str_of(name), &err);

    assert_string_equal(err.text, "");
    assert_non_null(mb);
    return mb;
}

static void make_folder(struct mailroot *r, const char *name)
{
    struct err err = {0};

    assert_ok(folder_create(r->home_fd, str_of(name), &err), &err);
}

static struct quota used(struct mailroot *r)
{
    struct quota q = {0};
    struct err err = {0};

    assert_ok(quota_get(r->home_fd, QUOTA_NOT_TOLD, r->st.quota, &q, &err), &err);
    return q;
}

static void a_copy_is_another_message_with_the_same_flags(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *from;
    struct mailbox *to;
    struct transfer t;
    struct err err = {0};
    uint32_t uid = 0;

    make_folder(r, "Work");
    (void)mailroot_deliver(r, "INBOX", MAIL);
    mailroot_put(r, "cur/1.b.other:2,FSa", MAIL);
    from = open_box(r, "INBOX");
    assert_int_equal(from->n, 2);
    assert_ok(transfer_begin(&t, from, STR("Work"), TRANSFER_COPY, &err), &err);
    for (size_t i = 0; i < 2; i++)
        assert_ok(transfer_one(&t, from, i, &uid, &err), &err);
    assert_ok(transfer_end(&t, &err), &err);
    to = open_box(r, "Work");
    assert_int_equal(to->n, 2);
    assert_int_equal(to->v[1].uid, uid);
    assert_int_equal(to->next, uid + 1);
    assert_int_not_equal(to->validity, from->validity);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(to->v[i].flags & MAILDIR_SYSTEM, from->v[i].flags & MAILDIR_SYSTEM);
    assert_int_equal(mailroot_count(r, "cur", "", NULL), 2);
    mailbox_free(from);
    mailbox_free(to);
}

/* The letter 'a' may stand for another word over there. */
static void keywords_keep_their_words(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *from;
    struct mailbox *to;
    struct transfer t;
    struct err err = {0};
    uint32_t uid;
    const char *word;

    make_folder(r, "Work");
    mailroot_put(r, "dovecot-keywords", "0 $Junk\n");
    mailroot_put(r, ".Work/dovecot-keywords", "0 Important\n");
    mailroot_put(r, "cur/1.b.other:2,Sa", MAIL);
    from = open_box(r, "INBOX");
    assert_ok(transfer_begin(&t, from, STR("Work"), TRANSFER_COPY, &err), &err);
    assert_ok(transfer_one(&t, from, 0, &uid, &err), &err);
    assert_ok(transfer_end(&t, &err), &err);
    to = open_box(r, "Work");
    assert_int_equal(to->n, 1);
    assert_int_equal(to->v[0].flags >> MAILDIR_KEYWORD_SHIFT & 1u, 0);
    for (int i = 0; i < MAILDIR_KEYWORDS; i++) {
        if (!(to->v[0].flags >> (MAILDIR_KEYWORD_SHIFT + i) & 1u))
            continue;
        word = to->keywords.name[i];
        assert_string_equal(word, "$Junk");
    }
    mailbox_free(from);
    mailbox_free(to);
}

static void a_move_leaves_one(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *from;
    struct mailbox *to;
    struct transfer t;
    struct err err = {0};
    uint32_t uid;

    make_folder(r, "Work");
    (void)mailroot_deliver(r, "INBOX", MAIL);
    from = open_box(r, "INBOX");
    struct quota before = used(r);

    assert_ok(transfer_begin(&t, from, STR("Work"), TRANSFER_MOVE, &err), &err);
    assert_ok(transfer_one(&t, from, 0, &uid, &err), &err);
    /* What was moved stays moved, also where the rest was given up. */
    transfer_abort(&t);
    to = open_box(r, "Work");
    assert_int_equal(to->n, 1);
    assert_int_equal(to->v[0].uid, uid);
    assert_ok(mailbox_sync(from, &err), &err);
    assert_int_equal(from->n, 0);
    assert_int_equal(used(r).used, before.used);
    assert_int_equal(used(r).count, before.count);
    mailbox_free(from);
    mailbox_free(to);
}

static void an_aborted_copy_leaves_nothing(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *from;
    struct transfer t;
    struct err err = {0};
    uint32_t uid;

    make_folder(r, "Work");
    for (int i = 0; i < 3; i++)
        (void)mailroot_deliver(r, "INBOX", MAIL);
    from = open_box(r, "INBOX");
    struct quota before = used(r);

    assert_ok(transfer_begin(&t, from, STR("Work"), TRANSFER_COPY, &err), &err);
    for (size_t i = 0; i < 2; i++)
        assert_ok(transfer_one(&t, from, i, &uid, &err), &err);
    assert_int_equal(mailroot_count(r, ".Work/cur", "", NULL), 2);
    assert_int_equal(used(r).used, before.used + 2 * STORED);
    transfer_abort(&t);
    transfer_abort(&t); /* harmless */
    assert_int_equal(mailroot_count(r, ".Work/cur", "", NULL), 0);
    assert_int_equal(used(r).used, before.used);
    assert_int_equal(used(r).count, before.count);
    mailbox_free(from);
}

static void a_message_that_is_gone_is_enoent_and_costs_nothing(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *from;
    struct transfer t;
    struct err err = {0};
    char name[256];
    char path[300];
    uint32_t uid;

    make_folder(r, "Work");
    (void)mailroot_deliver(r, "INBOX", MAIL);
    from = open_box(r, "INBOX");
    struct quota before = used(r);

    assert_int_equal(mailroot_count(r, "cur", "", name), 1);
    (void)snprintf(path, sizeof(path), "cur/%s", name);
    assert_int_equal(unlinkat(r->home_fd, path, 0), 0);
    for (int how = TRANSFER_COPY; how <= TRANSFER_MOVE; how++) {
        assert_ok(transfer_begin(&t, from, STR("Work"), (enum transfer_how)how, &err), &err);
        assert_int_equal(transfer_one(&t, from, 0, &uid, &err), -1);
        assert_int_equal(err.code, ENOENT);
        assert_ok(transfer_end(&t, &err), &err);
    }
    assert_int_equal(used(r).used, before.used);
    assert_int_equal(mailroot_count(r, ".Work/cur", "", NULL), 0);
    mailbox_free(from);
}

static void a_folder_that_is_not_there_is_enoent(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *from = open_box(r, "INBOX");
    struct transfer t;
    struct err err = {0};

    assert_int_equal(transfer_begin(&t, from, STR("Nowhere"), TRANSFER_COPY, &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(transfer_begin(&t, from, STR("../bob"), TRANSFER_COPY, &err), -1);
    mailbox_free(from);
}

static void a_copy_over_the_quota_is_refused_and_a_move_is_not(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *from;
    struct transfer t;
    struct err err = {0};
    uint32_t uid;

    make_folder(r, "Work");
    (void)mailroot_deliver(r, "INBOX", MAIL);
    assert_ok(quota_reserve(r->home_fd, 2 * STORED, 0, STORED, &err), &err); /* the limit is told */
    assert_int_equal(quota_add(r->home_fd, 0, -(int64_t)STORED, -1, &err), 0);
    from = open_box(r, "INBOX");
    assert_ok(transfer_begin(&t, from, STR("Work"), TRANSFER_COPY, &err), &err);
    assert_ok(transfer_one(&t, from, 0, &uid, &err), &err);
    assert_int_equal(transfer_one(&t, from, 0, &uid, &err), -1);
    assert_int_equal(err.code, EDQUOT);
    transfer_abort(&t);
    assert_ok(transfer_begin(&t, from, STR("Work"), TRANSFER_MOVE, &err), &err);
    assert_ok(transfer_one(&t, from, 0, &uid, &err), &err);
    assert_ok(transfer_end(&t, &err), &err);
    mailbox_free(from);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, mailroot_setup, mailroot_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_copy_is_another_message_with_the_same_flags),
        CASE(keywords_keep_their_words),
        CASE(a_move_leaves_one),
        CASE(an_aborted_copy_leaves_nothing),
        CASE(a_message_that_is_gone_is_enoent_and_costs_nothing),
        CASE(a_folder_that_is_not_there_is_enoent),
        CASE(a_copy_over_the_quota_is_refused_and_a_move_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
