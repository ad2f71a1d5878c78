/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"

#include "mailstack/lib/store/folder.h"
#include "mailstack/lib/store/home.h"
#include "mailstack/lmtpd/job.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

static int add(struct job *j, const char *addr, uint64_t quota, struct err *err)
{
    struct lmtp_cmd c = {.verb = LMTP_RCPT, .quota = quota};

    (void)snprintf(c.addr, sizeof(c.addr), "%s", addr);
    return job_add_rcpt(j, &c, 0, err);
}

static void begin(struct job *j, struct mailroot *r, const char *sender, const char *rcpt)
{
    struct err err = {0};

    job_init(j, &r->st);
    (void)snprintf(j->sender, sizeof(j->sender), "%s", sender);
    if (rcpt)
        assert_ok(add(j, rcpt, LMTP_NO_QUOTA, &err), &err);
}

/* The one message of a folder of alice's; its text. */
static void the_one(struct mailroot *r, const char *dir, struct buf *out)
{
    struct err err = {0};
    char name[256];
    char path[400];

    assert_int_equal(mailroot_count(r, dir, "", name), 1);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_ok(file_read(r->home_fd, path, out, &err), &err);
}

static void a_message_is_the_same_however_it_was_cut(void **state)
{
    static const char text[] = "Subject: x\r\nTo: y\r\n\r\nbody\r\n\r\nend\r\n";
    struct mailroot *r = *state;

    for (size_t cut = 0; cut < sizeof(text); cut++) {
        own_buf struct buf got = BUF_INIT(4096);
        struct err err = {0};
        struct job j;
        char name[256];
        char path[300];

        begin(&j, r, "s@x", "alice@example.org");
        job_write(&j, (struct str){text, cut});
        job_write(&j, (struct str){text + cut, sizeof(text) - 1 - cut});
        job_finish(&j);
        assert_null(job_result(&j, 0));
        job_done(&j);
        the_one(r, "new", &got);
        assert_string_equal(buf_c(&got), "Return-Path: <s@x>\nDelivered-To: alice@example.org\n"
                                         "Subject: x\nTo: y\n\nbody\n\nend\n");
        assert_int_equal(mailroot_count(r, "new", "", name), 1);
        (void)snprintf(path, sizeof(path), "new/%s", name);
        assert_int_equal(unlinkat(r->home_fd, path, 0), 0);
        (void)err;
    }
    assert_int_equal(mailroot_count(*state, "tmp", "", NULL), 0);
}

static void the_verdict_files_to_junk(void **state)
{
    static const struct {
        const char *text;
        bool junk;
    } cases[] = {
        {"X-Spam-Flag: YES\r\n\r\n", true},
        {"Subject: x\r\nx-spam-flag:yes\r\n\r\n", true},
        {"X-Spam-Flag: NO\r\n\r\n", false},
        {"X-Spam-Flagged: YES\r\n\r\n", false},
        {"Subject: X-Spam-Flag: YES\r\n\r\n", false},
        {"Subject: x\r\n\r\nX-Spam-Flag: YES\r\n", false}, /* in the body */
        {"\r\nX-Spam-Flag: YES\r\n\r\n", false},           /* no header at all */
    };
    struct mailroot *r = *state;
    unsigned junk = 0;
    unsigned inbox = 0;

    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct job j;

        begin(&j, r, "s@x", "alice@example.org");
        job_write(&j, str_of(cases[i].text));
        job_finish(&j);
        assert_null(job_result(&j, 0));
        job_done(&j);
        junk += cases[i].junk;
        inbox += !cases[i].junk;
        assert_int_equal(mailroot_count(r, "new", "", NULL), inbox);
        assert_int_equal(mailroot_count(r, ".Junk/new", "", NULL), junk);
    }
}

static void the_detail_names_a_folder_if_there_is_one(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};
    struct job j;

    assert_ok(folder_create(r->home_fd, STR("Lists"), &err), &err);
    begin(&j, r, "s@x", "alice+Lists@example.org");
    assert_ok(add(&j, "alice+Nothing@example.org", LMTP_NO_QUOTA, &err), &err);
    assert_ok(add(&j, "alice+../bob@example.org", LMTP_NO_QUOTA, &err), &err);
    job_write(&j, STR("Subject: x\r\n\r\n"));
    job_finish(&j);
    for (size_t i = 0; i < 3; i++)
        assert_null(job_result(&j, i));
    job_done(&j);
    assert_int_equal(mailroot_count(r, ".Lists/new", "", NULL), 1);
    assert_int_equal(mailroot_count(r, "new", "", NULL), 2);
}

static void one_recipient_named_twice_gets_one_copy(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};
    struct job j;

    begin(&j, r, "", "alice@example.org");
    assert_ok(add(&j, "ALICE@example.org", LMTP_NO_QUOTA, &err), &err);
    assert_ok(add(&j, "bob@example.org", LMTP_NO_QUOTA, &err), &err);
    job_write(&j, STR("Subject: x\r\n\r\n"));
    job_finish(&j);
    for (size_t i = 0; i < 3; i++)
        assert_null(job_result(&j, i));
    job_done(&j);
    assert_int_equal(mailroot_count(r, "new", "", NULL), 1);
    own_fd int bob = home_open(&r->st, STR("bob@example.org"), &err); /* made now */

    assert_ok(bob, &err);
}

static void a_full_mailbox_is_that_recipients_only(void **state)
{
    struct mailroot *r = *state;
    static char block[4096];
    struct err err = {0};
    struct job j;

    memset(block, 'x', sizeof(block));
    begin(&j, r, "s@x", NULL);
    assert_ok(add(&j, "alice@example.org", 1000, &err), &err); /* room for it by RCPT's lights */
    assert_ok(add(&j, "bob@example.org", 100000, &err), &err);
    job_write(&j, STR("Subject: x\r\n\r\n"));
    job_write(&j, (struct str){block, sizeof(block)});
    job_finish(&j);
    assert_non_null(job_result(&j, 0));
    assert_int_equal(job_result(&j, 0)->code, EDQUOT);
    assert_null(job_result(&j, 1));
    job_done(&j);
    assert_int_equal(mailroot_count(r, "new", "", NULL), 0);
    assert_int_equal(mailroot_count(r, "tmp", "", NULL), 0);
    /* And the room is still there for a small one. */
    begin(&j, r, "s@x", NULL);
    assert_ok(add(&j, "alice@example.org", 1000, &err), &err);
    job_write(&j, STR("Subject: y\r\n\r\n"));
    job_finish(&j);
    assert_null(job_result(&j, 0));
    job_done(&j);
}

static void what_is_full_already_is_refused_at_rcpt(void **state)
{
    struct mailroot *r = *state;
    struct lmtp_cmd c = {.verb = LMTP_RCPT, .quota = 1000};
    struct err err = {0};
    struct job j;

    begin(&j, r, "s@x", NULL);
    (void)snprintf(c.addr, sizeof(c.addr), "alice@example.org");
    assert_int_equal(job_add_rcpt(&j, &c, 1001, &err), -1);
    assert_int_equal(err.code, EDQUOT);
    assert_ok(job_add_rcpt(&j, &c, 1000, &err), &err);
    c.quota = 0; /* told: none */
    assert_ok(job_add_rcpt(&j, &c, UINT64_MAX, &err), &err);
    job_done(&j);
}

static void what_was_begun_is_taken_back(void **state)
{
    struct mailroot *r = *state;
    struct job j;

    begin(&j, r, "s@x", "alice@example.org");
    job_write(&j, STR("Subject: x\r\n\r\nbody"));
    assert_int_equal(mailroot_count(r, "tmp", "", NULL), 1);
    job_reset(&j);
    assert_int_equal(mailroot_count(r, "tmp", "", NULL), 0);
    assert_int_equal(mailroot_count(r, "new", "", NULL), 0);
    assert_int_equal(j.rcpts_n, 0);
    assert_int_equal(j.sender[0], '\0');
    job_done(&j);
}

static void no_address_leaves_the_volume(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};
    struct job j;
    char path[128];

    begin(&j, r, "s@x", "../../../x@..");
    job_write(&j, STR("Subject: x\r\n\r\n"));
    job_finish(&j);
    assert_null(job_result(&j, 0));
    job_done(&j);
    (void)snprintf(path, sizeof(path), "%s/%%2E./%%2E.%%2F..%%2F..%%2Fx/new", r->path);
    assert_int_equal(access(path, F_OK), 0);
    begin(&j, r, "s@x", NULL);
    assert_int_equal(add(&j, "@example.org", LMTP_NO_QUOTA, &err), -1);
    assert_int_equal(err.code, EINVAL);
    job_done(&j);
}

static void the_number_of_recipients_has_a_limit(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};
    struct job j;

    begin(&j, r, "s@x", NULL);
    for (int i = 0; i < JOB_RCPTS_MAX; i++)
        assert_ok(add(&j, "alice@example.org", LMTP_NO_QUOTA, &err), &err);
    assert_int_equal(add(&j, "alice@example.org", LMTP_NO_QUOTA, &err), -1);
    assert_int_equal(err.code, EMSGSIZE);
    job_done(&j);
}

/* A header without an end is looked at so far, and the message is stored whole all the same. */
static void a_header_without_an_end_is_stored(void **state)
{
    struct mailroot *r = *state;
    own_buf struct buf got = BUF_INIT(2 * JOB_HEADER_MAX);
    struct job j;
    char line[1000];
    size_t n = 0;

    memset(line, 'h', sizeof(line));
    line[0] = 'X';
    line[1] = ':';
    line[998] = '\r';
    line[999] = '\n';
    begin(&j, r, "s@x", "alice@example.org");
    for (; n <= JOB_HEADER_MAX + sizeof(line); n += sizeof(line))
        job_write(&j, (struct str){line, sizeof(line)});
    job_write(&j, STR("X-Spam-Flag: YES\r\n\r\n"));
    job_finish(&j);
    assert_null(job_result(&j, 0));
    assert_int_equal(j.size, n + 20);
    job_done(&j);
    the_one(r, "new", &got);
    assert_true(got.n > JOB_HEADER_MAX);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, mailroot_setup, mailroot_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_message_is_the_same_however_it_was_cut),
        CASE(the_verdict_files_to_junk),
        CASE(the_detail_names_a_folder_if_there_is_one),
        CASE(one_recipient_named_twice_gets_one_copy),
        CASE(a_full_mailbox_is_that_recipients_only),
        CASE(what_is_full_already_is_refused_at_rcpt),
        CASE(what_was_begun_is_taken_back),
        CASE(no_address_leaves_the_volume),
        CASE(the_number_of_recipients_has_a_limit),
        CASE(a_header_without_an_end_is_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
