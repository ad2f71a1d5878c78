/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/err.h"

#include "mailstack/lib/store/index.h"
#include "mailstack/lib/store/mailbox.h"
#include "mailstack/lib/store/maildir.h"
#include "mailstack/lib/store/transfer.h"

#include "tests/lib/mailroot.h"
#include "tests/lib/test.h"

#define MAIL "Subject: x\r\n\r\nbody\r\n"

static struct index *open_index(struct mailroot *r)
{
    struct err err = {0};
    struct index *ix = index_new(r->home_fd, &err);

    assert_string_equal(err.text, "");
    assert_non_null(ix);
    return ix;
}

static struct mailbox *open_box(struct mailroot *r, struct index *ix, const char *name)
{
    struct err err = {0};
    struct mailbox *mb = mailbox_new(&r->st, r->home_fd, ix, str_of(name), &err);

    assert_string_equal(err.text, "");
    assert_non_null(mb);
    assert_string_equal(mb->index_error.text, "");
    return mb;
}

static void catch_up(struct mailbox *mb)
{
    struct err err = {0};

    assert_int_equal(mailbox_sync(mb, &err), 0);
    assert_string_equal(mb->index_error.text, "");
}

static void a_delivered_message_is_seen_and_moved_to_cur(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *mb = open_box(r, NULL, "INBOX");
    uint32_t uid = mailroot_deliver(r, "INBOX", MAIL);
    uint64_t vsize = 0;
    struct err err = {0};

    assert_int_equal(mb->n, 0);
    catch_up(mb);
    assert_int_equal(mb->n, 1);
    assert_int_equal(mb->v[0].uid, uid);
    assert_int_equal(mb->next, uid + 1);
    assert_false(mb->v[0].in_new);
    assert_int_equal(mailroot_count(r, "new", "", NULL), 0);
    assert_int_equal(mailroot_count(r, "cur", ":2,", NULL), 1);
    assert_int_equal(mailbox_vsize(mb, 0, &vsize, &err), 0);
    assert_int_equal(vsize, strlen(MAIL));
    assert_int_equal(mb->v[0].size, strlen(MAIL) - 3);
    mailbox_free(mb);
}

static void many_deliveries_in_one_tick_are_all_seen(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *mb = open_box(r, NULL, "INBOX");

    for (size_t i = 0; i < 100; i++) {
        (void)mailroot_deliver(r, "INBOX", MAIL);
        catch_up(mb);
        assert_int_equal(mb->n, i + 1);
    }
    mailbox_free(mb);
}

static void files_of_other_programs_get_uids_that_stay(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *mb;
    uint32_t a, b;

    mailroot_put(r, "new/1000.b.other", "a\nb\n");
    mailroot_put(r, "cur/0999.a.other:2,RSq", "a\r\nb\n");
    mb = open_box(r, NULL, "INBOX");
    assert_int_equal(mb->n, 2);
    a = mb->v[0].uid;
    b = mb->v[1].uid;
    assert_true(a != 0 && b == a + 1);
    assert_int_equal(mb->v[0].flags & MAILDIR_SYSTEM, MAILDIR_ANSWERED | MAILDIR_SEEN);
    assert_string_equal(mb->keywords.name['q' - 'a'], "keyword-q");
    for (size_t i = 0; i < 2; i++) {
        uint64_t vsize = 0;
        struct err err = {0};

        assert_int_equal(mailbox_vsize(mb, i, &vsize, &err), 0);
        assert_int_equal(vsize, 6);
    }
    mailbox_free(mb);
    mb = open_box(r, NULL, "INBOX");
    assert_int_equal(mb->n, 2);
    assert_int_equal(mb->v[0].uid, a);
    assert_int_equal(mb->v[1].uid, b);
    mailbox_free(mb);
}

static void a_file_moved_in_from_another_folder_gets_a_new_uid(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *mb;
    char name[256], from[300], to[300];

    (void)mailroot_deliver(r, "INBOX", MAIL);
    (void)mailroot_deliver(r, "Sent", MAIL);
    assert_int_equal(mailroot_count(r, ".Sent/new", "U=1,", name), 1);
    (void)snprintf(from, sizeof(from), ".Sent/new/%s", name);
    (void)snprintf(to, sizeof(to), "new/%s", name);
    assert_int_equal(renameat(r->home_fd, from, r->home_fd, to), 0);
    mb = open_box(r, NULL, "INBOX");
    assert_int_equal(mb->n, 2);
    assert_int_equal(mb->v[0].uid, 1);
    assert_int_equal(mb->v[1].uid, 2);
    mailbox_free(mb);
}

static void a_copied_file_with_the_same_uid_gets_a_new_one(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *mb;
    char name[256], from[300];

    (void)mailroot_deliver(r, "INBOX", MAIL);
    mb = open_box(r, NULL, "INBOX");
    assert_int_equal(mailroot_count(r, "cur", "U=1,", name), 1);
    (void)snprintf(from, sizeof(from), "cur/%s", name);
    (void)snprintf(name, sizeof(name), "cur/2222.copy,U=1,V=%u:2,S", mb->validity);
    assert_int_equal(linkat(r->home_fd, from, r->home_fd, name, 0), 0);
    catch_up(mb);
    assert_int_equal(mb->n, 2);
    assert_int_equal(mb->v[0].uid, 1);
    assert_int_equal(mb->v[1].uid, 2);
    mailbox_free(mb);
}

static void a_flag_set_by_renaming_outside_is_noticed(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *mb;
    char name[256], from[300], to[300];
    uint64_t modseq;

    (void)mailroot_deliver(r, "INBOX", MAIL);
    mb = open_box(r, NULL, "INBOX");
    modseq = mb->v[0].modseq;
    assert_int_equal(mailroot_count(r, "cur", "", name), 1);
    (void)snprintf(from, sizeof(from), "cur/%s", name);
    (void)snprintf(to, sizeof(to), "cur/%sFS", name);
    assert_int_equal(renameat(r->home_fd, from, r->home_fd, to), 0);
    catch_up(mb);
    assert_int_equal(mb->n, 1);
    assert_int_equal(mb->v[0].flags, MAILDIR_FLAGGED | MAILDIR_SEEN);
    assert_true(mb->v[0].modseq > modseq);
    mailbox_free(mb);
}

static void flags_survive_and_the_maildir_shows_them(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *mb;
    struct err err = {0};
    uint32_t bit;

    (void)mailroot_deliver(r, "INBOX", MAIL);
    mb = open_box(r, NULL, "INBOX");
    assert_int_equal(mailbox_begin(mb, &err), 0);
    assert_int_equal(keyword_add(&mb->keywords, mb->folder_fd, STR("$Forwarded"), &bit, &err), 0);
    assert_int_equal(mailbox_set_flags(mb, 0, MAILDIR_SEEN | MAILDIR_DELETED | bit, &err), 0);
    mailbox_end(mb);
    assert_int_equal(mailroot_count(r, "cur", ":2,STa", NULL), 1);
    mailbox_free(mb);
    mb = open_box(r, NULL, "INBOX");
    assert_int_equal(mb->v[0].flags, MAILDIR_SEEN | MAILDIR_DELETED | bit);
    assert_int_equal(keyword_bit(&mb->keywords, STR("$FORWARDED")), bit);
    mailbox_free(mb);
}

static void modseq_and_uids_survive_with_the_index_and_uids_without(void **state)
{
    struct mailroot *r = *state;
    struct index *ix = open_index(r);
    struct mailbox *mb;
    uint32_t uid, validity;
    uint64_t modseq;

    (void)mailroot_deliver(r, "INBOX", MAIL);
    uid = mailroot_deliver(r, "INBOX", MAIL);
    mb = open_box(r, ix, "INBOX");
    modseq = mb->v[1].modseq;
    validity = mb->validity;
    mailbox_free(mb);
    mb = open_box(r, ix, "INBOX");
    assert_int_equal(mb->v[1].uid, uid);
    assert_true(mb->v[1].modseq == modseq);
    mailbox_free(mb);
    index_free(ix);
    assert_int_equal(unlinkat(r->home_fd, INDEX_FILE, 0), 0);
    ix = open_index(r);
    mb = open_box(r, ix, "INBOX");
    assert_int_equal(mb->validity, validity);
    assert_int_equal(mb->n, 2);
    assert_int_equal(mb->v[1].uid, uid);
    assert_true(mb->v[1].modseq > modseq);
    mailbox_free(mb);
    index_free(ix);
}

static void a_broken_index_is_begun_anew(void **state)
{
    struct mailroot *r = *state;
    struct mailbox *mb;
    struct index *ix;

    mailroot_put(r, INDEX_FILE, "this is not a database, and it is long enough to be looked at");
    (void)mailroot_deliver(r, "INBOX", MAIL);
    ix = open_index(r);
    mb = open_box(r, ix, "INBOX");
    assert_int_equal(mb->n, 1);
    mailbox_free(mb);
    index_free(ix);
}

static void removed_messages_are_gone_for_all(void **state)
{
    struct mailroot *r = *state;
    struct index *ix = open_index(r);
    struct mailbox *a, *b;
    struct err err = {0};

    for (int i = 0; i < 3; i++)
        (void)mailroot_deliver(r, "INBOX", MAIL);
    a = open_box(r, ix, "INBOX");
    b = open_box(r, NULL, "INBOX");
    assert_int_equal(mailbox_begin(a, &err), 0);
    assert_int_equal(mailbox_remove(a, 1, &err), 0);
    mailbox_end(a);
    assert_int_equal(a->n, 2);
    assert_int_equal(a->v[1].uid, 3);
    catch_up(b);
    assert_int_equal(b->n, 2);
    assert_int_equal(mailbox_find(b, 2), -1);
    assert_int_equal(mailbox_open_msg(b, 2, &err), -1);
    assert_int_equal(err.code, ENOENT);
    assert_int_equal(mailroot_deliver(r, "INBOX", MAIL), 4);
    mailbox_free(a);
    mailbox_free(b);
    index_free(ix);
}

static void recent_is_claimed_once(void **state)
{
    struct mailroot *r = *state;
    struct index *ix = open_index(r);
    struct mailbox *mb;

    (void)mailroot_deliver(r, "INBOX", MAIL);
    mb = open_box(r, ix, "INBOX");
    assert_true(mailbox_claim_recent(mb) <= 1);
    assert_int_equal(mailbox_claim_recent(mb), 2);
    mailbox_free(mb);
    (void)mailroot_deliver(r, "INBOX", MAIL);
    mb = open_box(r, ix, "INBOX");
    assert_int_equal(mailbox_claim_recent(mb), 2);
    mailbox_free(mb);
    index_free(ix);
}

static uint32_t transfer(struct mailbox *from, size_t i, const char *to, enum transfer_how how)
{
    struct err err = {0};
    struct transfer t;
    uint32_t uid = 0;

    assert_int_equal(transfer_begin(&t, from, str_of(to), how, &err), 0);
    assert_int_equal(transfer_one(&t, from, i, &uid, &err), 0);
    assert_int_equal(transfer_end(&t, &err), 0);
    return uid;
}

static void copies_and_moves_keep_flags_keywords_and_date(void **state)
{
    struct mailroot *r = *state;
    struct timespec then = {.tv_sec = 1000000}, date;
    struct mailbox *mb, *sent;
    struct err err = {0};
    uint32_t bit;

    (void)mailroot_deliver(r, "INBOX", MAIL);
    mb = open_box(r, NULL, "INBOX");
    assert_int_equal(mailbox_begin(mb, &err), 0);
    assert_int_equal(keyword_add(&mb->keywords, mb->folder_fd, STR("one"), &bit, &err), 0);
    assert_int_equal(keyword_add(&mb->keywords, mb->folder_fd, STR("two"), &bit, &err), 0);
    assert_int_equal(mailbox_set_flags(mb, 0, MAILDIR_SEEN | bit, &err), 0);
    mailbox_end(mb);
    assert_int_equal(utimensat(mb->cur_fd, mb->v[0].name, (struct timespec[]){then, then}, 0), 0);
    assert_int_equal(transfer(mb, 0, "Sent", TRANSFER_COPY), 1);
    assert_int_equal(transfer(mb, 0, "Sent", TRANSFER_MOVE), 2);
    catch_up(mb);
    assert_int_equal(mb->n, 0);
    sent = open_box(r, NULL, "Sent");
    assert_int_equal(sent->n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(sent->v[i].flags, MAILDIR_SEEN | keyword_bit(&sent->keywords, STR("two")));
        assert_int_equal(mailbox_date(sent, i, &date, &err), 0);
        assert_int_equal(date.tv_sec, then.tv_sec);
    }
    mailbox_free(mb);
    mailbox_free(sent);
}

static void an_aborted_copy_leaves_nothing(void **state)
{
    struct mailroot *r = *state;
    struct err err = {0};
    struct mailbox *mb;
    struct transfer t;
    uint32_t uid;

    (void)mailroot_deliver(r, "INBOX", MAIL);
    mb = open_box(r, NULL, "INBOX");
    assert_int_equal(transfer_begin(&t, mb, STR("Sent"), TRANSFER_COPY, &err), 0);
    assert_int_equal(transfer_one(&t, mb, 0, &uid, &err), 0);
    transfer_abort(&t);
    assert_int_equal(mailroot_count(r, ".Sent/cur", "", NULL), 0);
    assert_int_equal(transfer_begin(&t, mb, STR("Nowhere"), TRANSFER_COPY, &err), -1);
    assert_int_equal(err.code, ENOENT);
    mailbox_free(mb);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, mailroot_setup, mailroot_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOT(a_delivered_message_is_seen_and_moved_to_cur),
        WITH_ROOT(many_deliveries_in_one_tick_are_all_seen),
        WITH_ROOT(files_of_other_programs_get_uids_that_stay),
        WITH_ROOT(a_file_moved_in_from_another_folder_gets_a_new_uid),
        WITH_ROOT(a_copied_file_with_the_same_uid_gets_a_new_one),
        WITH_ROOT(a_flag_set_by_renaming_outside_is_noticed),
        WITH_ROOT(flags_survive_and_the_maildir_shows_them),
        WITH_ROOT(modseq_and_uids_survive_with_the_index_and_uids_without),
        WITH_ROOT(a_broken_index_is_begun_anew),
        WITH_ROOT(removed_messages_are_gone_for_all),
        WITH_ROOT(recent_is_claimed_once),
        WITH_ROOT(copies_and_moves_keep_flags_keywords_and_date),
        WITH_ROOT(an_aborted_copy_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
