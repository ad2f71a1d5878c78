/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/stack/specs.h"

#include "tests/lib/stackconf.h"
#include "tests/lib/test.h"

static const struct svc *get(const struct stackconf *s, const char *name)
{
    const struct svc *v = svc_get(&s->t, name);

    assert_non_null(v);
    return v;
}

static void every_row_is_sound(void **state)
{
    struct stackconf s;

    (void)state;
    stackconf_load(&s, "/nowhere", STACKCONF_LISTEN, "");
    for (size_t i = 0; i < SVC_N; i++) {
        const struct svc *v = &s.t.v[i];

        assert_int_equal(v->index, i);
        assert_string_equal(v->name, specs_get(i)->name);
        assert_true(v->ready_s > 0 && v->stop_s > 0 && v->watchdog_s > 0);
        assert_true(v->limits.pids > 0 && v->limits.memory > 0 && v->limits.nofile > 0);
        for (size_t k = 0; k < v->talks.n; k++) { /* each socket it talks to is somebody's */
            size_t owners = 0;

            for (size_t n = 0; n < SVC_N; n++)
                for (size_t j = 0; j < s.t.v[n].sockets_n; j++)
                    owners += strcmp(s.t.v[n].sockets[j].file, v->talks.v[k]) == 0;
            assert_int_equal(owners, 1);
        }
    }
    assert_null(svc_get(&s.t, "nobodyd"));
    stackconf_done(&s);
}

/* The design's table, as far as it names who has what. */
static void authority_is_where_the_design_has_it(void **state)
{
    struct stackconf s;

    (void)state;
    stackconf_load(&s, "/nowhere", STACKCONF_LISTEN, "");
    for (size_t i = 0; i < SVC_N; i++) {
        const struct svc *v = &s.t.v[i];
        bool tls = strcmp(v->name, "frontd") == 0 || strcmp(v->name, "smtpd") == 0;
        bool mail = strcmp(v->name, "imapd") == 0 || strcmp(v->name, "pop3d") == 0 ||
                    strcmp(v->name, "lmtpd") == 0;

        assert_int_equal((v->secrets & SVC_TLS) != 0, tls);
        assert_int_equal((v->secrets & SVC_DKIM) != 0, strcmp(v->name, "filterd") == 0);
        assert_int_equal((v->secrets & SVC_ACCOUNTS) != 0, strcmp(v->name, "authd") == 0);
        assert_int_equal(v->mail_group, mail);
        assert_int_equal(v->dns_network, strcmp(v->name, "dnsd") == 0);
        assert_int_equal(v->dials, strcmp(v->name, "queued") == 0);
        for (int p = 0; p < STACK_PORTS; p++)
            assert_true(!v->ports[p] || tls);
    }
    stackconf_done(&s);
}

static void ids_are_apart(void **state)
{
    struct stackconf s;

    (void)state;
    stackconf_load(&s, "/nowhere", STACKCONF_LISTEN, ", \"ids\": {\"base\": 5000}");
    assert_int_equal(svc_setup_id(s.c), 5000);
    for (size_t i = 0; i < SVC_N; i++) {
        assert_int_equal(svc_uid(&s.t.v[i], s.c), 5001 + i);
        assert_int_not_equal(svc_uid(&s.t.v[i], s.c), svc_mail_gid(s.c));
    }
    stackconf_done(&s);
}

static void only_what_is_needed_is_wanted(void **state)
{
    static const struct {
        const char *listen;
        const char *without; /* services that are not started */
    } cases[] = {
        {"\"listen\": {\"smtp\": [\"127.0.0.1:1\"]}", "imapd pop3d frontd"},
        {"\"listen\": {\"imaps\": [\"127.0.0.1:1\"]}", "pop3d smtpd"},
        {"\"listen\": {\"pop3\": [\"127.0.0.1:1\"]}", "imapd smtpd"},
        {"\"listen\": {\"submission\": [\"127.0.0.1:1\"], \"imap\": [\"127.0.0.1:2\"],"
         " \"pop3s\": [\"127.0.0.1:3\"]}",
         ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct stackconf s;

        stackconf_load(&s, "/nowhere", cases[i].listen, "");
        for (size_t k = 0; k < SVC_N; k++) {
            bool without = strstr(cases[i].without, s.t.v[k].name) != NULL;

            assert_int_equal(svc_wanted(&s.t.v[k], s.c), !without);
        }
        stackconf_done(&s);
    }
}

static void limits_of_the_file_are_laid_over_the_rows(void **state)
{
    struct stackconf s;
    struct stack_limits l;

    (void)state;
    stackconf_load(
        &s, "/nowhere", STACKCONF_LISTEN,
        ", \"services\": {\"imapd\": {\"memory\": \"99M\", \"cpus\": 0.5, \"workers\": 3}}");
    l = svc_limits(get(&s, "imapd"), s.c);
    assert_int_equal(l.memory, 99u << 20);
    assert_int_equal(l.cpu_milli, 500);
    assert_int_equal(l.workers, 3);
    assert_int_equal(l.pids, get(&s, "imapd")->limits.pids); /* not named: the row's */
    l = svc_limits(get(&s, "pop3d"), s.c);
    assert_int_equal(l.memory, get(&s, "pop3d")->limits.memory);
    stackconf_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_sound),
        cmocka_unit_test(authority_is_where_the_design_has_it),
        cmocka_unit_test(ids_are_apart),
        cmocka_unit_test(only_what_is_needed_is_wanted),
        cmocka_unit_test(limits_of_the_file_are_laid_over_the_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
