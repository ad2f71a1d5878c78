/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "runtime/base/mem.h"

#include "mailstack/smtpd/conf.h"
#include "mailstack/smtpd/smtpd.h"
#include "mailstack/smtpd/txn.h"

#include "tests/lib/test.h"

/* deliver.c and the loop have no part in this. */
void smtpd_check_end(struct smtpd *d)
{
    (void)d;
}

static char scratch[] = "/tmp";
static struct conf conf = {.scratch = scratch};
static struct smtpd worker = {.conf = &conf};

static struct txn *begin(void)
{
    struct smtp_mail m;
    struct err err = {0};

    assert_ok(smtp_mail_parse(STR("FROM:<s@y> SIZE=3 ENVID=e"), &m, &err), &err);
    return txn_new(&worker, NULL, &m);
}

static struct smtp_rcpt rcpt(const char *args)
{
    struct smtp_rcpt r;
    struct err err = {0};

    assert_ok(smtp_rcpt_parse(str_of(args), false, &r, &err), &err);
    return r;
}

static void a_target_that_two_lead_to_comes_once(void **state)
{
    static const struct auth_target two[] = {{STR_INIT("a@x"), true, 9},
                                             {STR_INIT("b@y"), false, 0}};
    static const struct auth_target one[] = {{STR_INIT("a@x"), true, 9}};
    struct smtp_rcpt first = rcpt("TO:<l@x> NOTIFY=DELAY");
    struct smtp_rcpt second = rcpt("TO:<a@x>");
    struct txn *t = begin();
    struct err err = {0};

    (void)state;
    assert_int_equal(worker.txns_n, 1);
    assert_int_equal(strlen(t->id), TXN_ID_N);
    assert_ok(txn_add(t, &first, two, ARRAY_N(two), &err), &err);
    assert_ok(txn_add(t, &second, one, ARRAY_N(one), &err), &err);
    assert_int_equal(t->rcpts_n, 2);
    assert_int_equal(t->targets_n, 2);
    assert_int_equal(t->local_n, 1);
    assert_int_equal(t->remote_n, 1);
    assert_int_equal(t->targets[0].quota, 9);
    assert_int_equal(t->targets[1].quota, LMTP_NO_QUOTA);
    assert_int_equal(t->rcpts[t->targets[0].rcpt].notify, SMTP_NOTIFY_DELAY);
    txn_free(t);
    assert_int_equal(worker.txns_n, 0);
}

static void who_wants_to_hear_of_a_delivery_is_queued(void **state)
{
    static const struct auth_target two[] = {{STR_INIT("a@x"), true, 9},
                                             {STR_INIT("b@x"), true, 9}};
    struct smtp_rcpt r = rcpt("TO:<a@x> NOTIFY=SUCCESS");
    int queue; /* only whether there is one matters */
    struct txn *t = begin();
    struct err err = {0};

    (void)state;
    worker.queue = (struct lmtp *)(void *)&queue;
    assert_ok(txn_add(t, &r, two, 1, &err), &err);
    assert_int_equal(t->remote_n, 1);
    assert_int_equal(t->rcpts[0].notify, SMTP_NOTIFY_SUCCESS);
    assert_ok(txn_add(t, &r, two, 2, &err), &err); /* not of those behind a list */
    assert_int_equal(t->local_n, 1);
    assert_int_equal(t->rcpts[1].notify, SMTP_NOTIFY_NEVER);
    txn_free(t);
    worker.queue = NULL;
}

static void too_many_targets_change_nothing(void **state)
{
    struct auth_target *many = mem_array(TXN_TARGETS_MAX + 1, sizeof(*many));
    char *names = mem_array(TXN_TARGETS_MAX + 1, 16);
    struct smtp_rcpt r = rcpt("TO:<l@x>");
    struct txn *t = begin();
    struct err err = {0};

    (void)state;
    for (size_t i = 0; i <= TXN_TARGETS_MAX; i++) {
        (void)snprintf(names + 16 * i, 16, "u%zu@x", i);
        many[i] = (struct auth_target){str_of(names + 16 * i), true, 0};
    }
    assert_int_equal(txn_add(t, &r, many, TXN_TARGETS_MAX + 1, &err), -1);
    assert_int_equal(err.code, EMSGSIZE);
    assert_int_equal(t->rcpts_n + t->targets_n + t->local_n, 0);
    assert_ok(txn_add(t, &r, many, TXN_TARGETS_MAX, &err),
              &err); /* none of them is known already */
    assert_int_equal(t->local_n, TXN_TARGETS_MAX);
    txn_free(t);
    free(names);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_that_two_lead_to_comes_once),
        cmocka_unit_test(who_wants_to_hear_of_a_delivery_is_queued),
        cmocka_unit_test(too_many_targets_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
