/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/jv.h"
#include "runtime/base/own.h"
#include "runtime/stack/keys.h"
#include "runtime/stack/render.h"

#include "tests/lib/stackconf.h"
#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static struct str json_of(struct stackconf *s, const char *service)
{
    struct str text = STR_NONE;
    struct err err = {0};

    assert_ok(render_json(s->a, s->c, &s->t, svc_get(&s->t, service), &text, &err), &err);
    return text;
}

static void every_service_gets_json_with_its_host_name(void **state)
{
    struct stackconf s;

    (void)state;
    stackconf_load(&s, "/nowhere", STACKCONF_LISTEN, "");
    for (size_t i = 0; i < SVC_N; i++) {
        struct err err = {0};
        own_json json_t *doc = jv_load_str(json_of(&s, s.t.v[i].name), s.t.v[i].name, &err);
        struct jv root = jv_root(doc);
        struct str host;

        assert_non_null(doc);
        assert_ok(jv_str(&root, "hostname", &host, &err), &err);
        assert_str(host, "mail.example.org");
    }
    stackconf_done(&s);
}

static void the_authorities_of_the_relay_are_queueds(void **state)
{
    const struct tmpdir *t = *state;
    struct rendered r;
    struct stackconf s;
    struct err err = {0};

    assert_ok(file_put(t->fd, "ca.pem", STR("authorities"), 0600, &err), &err);
    stackconf_load(&s, "/nowhere", STACKCONF_LISTEN, "");
    s.c->smtp.relay = (struct stack_relay){
        .set = true, .host = "relay.example", .port = 587, .ca = tmpdir_path(t, "ca.pem")};
    assert_true(str_find_str(json_of(&s, "queued"), STR("/etc/mailstack/relay-ca.pem")) >= 0);
    assert_ok(render_all(s.a, s.c, &s.t, svc_get(&s.t, "queued"), &r, &err), &err);
    assert_int_equal(r.n, 2);
    assert_str(r.v[1].content, "authorities");
    s.c->smtp.relay.ca = tmpdir_path(t, "gone.pem");
    assert_int_equal(render_all(s.a, s.c, &s.t, svc_get(&s.t, "queued"), &r, &err), -1);
    assert_err(&err, "smtp.relay.ca");
    stackconf_done(&s);
}

/* What a service may not know does not stand in its file. */
static void nobody_learns_what_is_not_his(void **state)
{
    static const struct {
        const char *word;
        const char *who; /* the only ones */
    } cases[] = {
        {"relay-secret", "queued"}, {"10.9.8.7", "queued"},          {"hidden-alias", "authd"},
        {"secret-list", "authd"},   {"tls/key.pem", "smtpd frontd"}, {"accounts.json", "authd"},
        {"192.0.2.53", "dnsd"},
    };
    const struct tmpdir *t = *state;
    struct stackconf s;
    static struct stack_alias alias;
    static const char *to[] = {"alice", NULL};

    stackconf_load(&s, t->path, STACKCONF_LISTEN,
                   ", \"smtp\": {\"routes\": {\"p.example\": \"smtp://10.9.8.7:25\"}},"
                   " \"dns\": {\"servers\": [\"192.0.2.53\"]},"
                   " \"lists\": {\"secret-list@example.org\": {\"members\": [\"x@y.example\"]}}");
    alias = (struct stack_alias){"hidden-alias", {to, 1}};
    s.c->domains[0].aliases = &alias;
    s.c->domains[0].aliases_n = 1;
    s.c->smtp.relay = (struct stack_relay){
        .set = true, .host = "relay.example", .port = 587, .user = "u", .password = "relay-secret"};
    for (size_t i = 0; i < SVC_N; i++)
        for (size_t k = 0; k < ARRAY_N(cases); k++) {
            bool has = str_find_str(json_of(&s, s.t.v[i].name), str_of(cases[k].word)) >= 0;

            if (has != (strstr(cases[k].who, s.t.v[i].name) != NULL))
                fail_msg("%s %s '%s'", s.t.v[i].name, has ? "knows" : "is not told", cases[k].word);
        }
    stackconf_done(&s);
}

static void only_sockets_that_exist_are_named(void **state)
{
    struct stackconf s;

    (void)state;
    stackconf_load(&s, "/nowhere", "\"listen\": {\"imaps\": [\"127.0.0.1:1\"]}", "");
    assert_true(str_find_str(json_of(&s, "frontd"), STR("/run/mailstack/imapd.sock")) > 0);
    assert_true(str_find_str(json_of(&s, "frontd"), STR("pop3d.sock")) < 0);
    stackconf_done(&s);
}

/* Keys and values come from the file; none of them may break out of its place. */
static void no_name_breaks_the_json(void **state)
{
    struct stackconf s;
    static struct stack_alias alias;
    static const char *to[] = {"a\"b\\c\n@x", NULL};
    struct err err = {0};

    (void)state;
    stackconf_load(&s, "/nowhere", STACKCONF_LISTEN, "");
    alias = (struct stack_alias){"x\": {}, \"y", {to, 1}};
    s.c->domains[0].aliases = &alias;
    s.c->domains[0].aliases_n = 1;
    own_json json_t *doc = jv_load_str(json_of(&s, "authd"), "authd", &err);
    struct jv root = jv_root(doc);
    struct jv domains;
    struct jv domain;
    struct jv aliases;

    assert_ok(jv_object(&root, "domains", &domains, &err), &err);
    assert_ok(jv_object(&domains, "example.org", &domain, &err), &err);
    assert_ok(jv_object(&domain, "aliases", &aliases, &err), &err);
    assert_int_equal(jv_n(&aliases), 1);
    assert_true(jv_has(&aliases, alias.name));
    stackconf_done(&s);
}

static bool has_file(const struct rendered *r, const char *path)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->v[i].path, path) == 0)
            return r->v[i].content.n > 0;
    return false;
}

static void secrets_go_where_the_row_says(void **state)
{
    const struct tmpdir *t = *state;
    struct stackconf s;
    struct stack_dkim dkim = {"s1", STACK_ED25519};
    struct err err = {0};

    stackconf_load(&s, t->path, STACKCONF_LISTEN, "");
    s.c->domains[0].dkim = &dkim;
    s.c->domains[0].dkim_n = 1;
    assert_ok(file_mkdir_p(AT_FDCWD, s.c->storage, 0755, &err), &err);
    assert_ok(file_put(t->fd, "accounts.json", STR("{}"), 0600, &err), &err);
    assert_ok(keys_make(s.c, &err), &err);
    for (size_t i = 0; i < SVC_N; i++) {
        const struct svc *v = &s.t.v[i];
        struct rendered r;
        own_buf struct buf name = BUF_INIT(64);

        buf_printf(&name, "%s.json", v->name);
        assert_ok(render_all(s.a, s.c, &s.t, v, &r, &err), &err);
        assert_true(has_file(&r, buf_c(&name)));
        assert_int_equal(has_file(&r, "tls/key.pem"), (v->secrets & SVC_TLS) != 0);
        assert_int_equal(has_file(&r, "tls/cert.pem"), (v->secrets & SVC_TLS) != 0);
        assert_int_equal(has_file(&r, "dkim/example.org/s1.pem"), (v->secrets & SVC_DKIM) != 0);
        assert_int_equal(has_file(&r, "accounts.json"), (v->secrets & SVC_ACCOUNTS) != 0);
    }
    stackconf_done(&s);
}

static void a_secret_that_is_missing_is_an_error(void **state)
{
    const struct tmpdir *t = *state;
    struct stackconf s;
    struct rendered r;
    struct err err = {0};

    stackconf_load(&s, t->path, STACKCONF_LISTEN, "");
    assert_int_equal(render_all(s.a, s.c, &s.t, svc_get(&s.t, "smtpd"), &r, &err), -1);
    assert_err(&err, "cert.pem");
    assert_int_equal(render_all(s.a, s.c, &s.t, svc_get(&s.t, "authd"), &r, &err), -1);
    assert_err(&err, "accounts.json");
    assert_ok(render_all(s.a, s.c, &s.t, svc_get(&s.t, "imapd"), &r, &err), &err);
    stackconf_done(&s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_service_gets_json_with_its_host_name),
        CASE(nobody_learns_what_is_not_his),
        CASE(the_authorities_of_the_relay_are_queueds),
        cmocka_unit_test(only_sockets_that_exist_are_named),
        cmocka_unit_test(no_name_breaks_the_json),
        CASE(secrets_go_where_the_row_says),
        CASE(a_secret_that_is_missing_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
