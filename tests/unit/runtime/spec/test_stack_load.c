/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/dialmsg.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/spec/stack.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

#define HEAD     "{\"hostname\": \"mail.example.org\", \"domains\": "
#define DOMAIN   HEAD "{\"example.org\": {}}"
#define ACCOUNTS "{\"alice@example.org\": {\"password\": \"!\", \"aliases\": [\"al@example.org\"]}}"

struct world {
    struct tmpdir *dir;
    struct arena *a;
    struct buf report;
    struct stack_config *c;
};

static int set_up(void **state)
{
    static struct world w;

    w = (struct world){.dir = tmpdir_new(), .a = arena_new(64u << 20)};
    buf_init(&w.report, STACK_REPORT_MAX);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    buf_done(&w->report);
    arena_free(w->a);
    tmpdir_free(w->dir);
    return 0;
}

static int load(struct world *w, const char *text, const char *accounts)
{
    struct err err = {0};

    buf_reset(&w->report);
    assert_ok(file_put(w->dir->fd, "mailstack.json", str_of(text), 0600, &err), &err);
    if (accounts)
        assert_ok(file_put(w->dir->fd, "accounts.json", str_of(accounts), 0600, &err), &err);
    return stack_load(w->a, tmpdir_path(w->dir, "mailstack.json"), &w->c, &w->report);
}

static size_t lines(const struct buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        n += b->p[i] == '\n';
    return n;
}

static void the_least_has_sound_defaults(void **state)
{
    struct world *w = *state;
    const struct stack_config *c;

    if (load(w, DOMAIN "}", ACCOUNTS) < 0)
        fail_msg("%s", buf_c(&w->report));
    c = w->c;
    assert_string_equal(c->storage, "/var/lib/mailstack");
    assert_string_equal(c->accounts_file, tmpdir_path(w->dir, "accounts.json"));
    assert_int_equal(c->accounts.n, 1);
    assert_string_equal(c->listen[STACK_SMTP].v[0].text, "0.0.0.0:25");
    assert_true(c->listen[STACK_SMTP].v[1].optional);
    assert_int_equal(c->tls.mode, STACK_TLS_SELF_SIGNED);
    assert_int_equal(c->tls.plaintext_login.n, 0);
    assert_true(c->filter.spf && c->filter.dkim && c->filter.dmarc);
    assert_true(c->smtp.message_size >= 10u << 20 && c->smtp.recipients >= 100);
    assert_int_equal(c->smtp.port, 25);
    assert_true(c->dns.dnssec);
    assert_int_equal(c->dial_allow.n, 0);
    assert_true(c->ids_base >= 1000);
}

static void the_example_is_valid(void **state)
{
    struct world *w = *state;

    if (stack_load(w->a, "specs/mailstack.json", &w->c, &w->report) < 0) {
        if (str_find_str(buf_str(&w->report), STR("no such file")) >= 0)
            SKIP("not started at the top of the tree");
        fail_msg("%s", buf_c(&w->report));
    }
    assert_int_equal(w->c->accounts.n, 2);
}

/* Each alone is one line, with the document and the path. */
static void each_fault_is_one_line_with_its_path(void **state)
{
    static const struct {
        const char *text;
        const char *path;
        const char *word;
    } cases[] = {
        {"[]", "$", "object"},
        {"{\"domains\": {\"example.org\": {}}}", "$", "hostname"},
        {HEAD "{}, \"hostname\": 7}", "", ""}, /* a duplicate key: the parser's complaint */
        {DOMAIN ", \"listn\": {}}", "$.listn", "lists"},
        {DOMAIN ", \"listen\": {\"smtp\": [\"25\"], \"imap\": [\":143\"]}}", "$.listen.smtp[0]",
         ""},
        {DOMAIN ", \"listen\": {\"smtp\": [\"127.0.0.1:70000\"], \"imap\": [\":143\"]}}",
         "$.listen.smtp[0]", "65535"},
        {DOMAIN ", \"listen\": {\"smtp\": [\"host.example:25\"], \"imap\": [\":143\"]}}",
         "$.listen.smtp[0]", ""},
        {DOMAIN ", \"listen\": {\"gopher\": [\":70\"], \"imap\": [\":143\"]}}", "$.listen.gopher",
         ""},
        {DOMAIN ", \"listen\": {}}", "$.listen", "anywhere"},
        {DOMAIN ", \"listen\": {\"imap\": [\":143\"], \"pop3\": [\"127.0.0.1:143\"]}}",
         "$.listen.pop3", "clashes"},
        {DOMAIN ", \"listen\": {\"imap\": [\"[::1]:143\", \"[::1]:143\"]}}", "$.listen.imap",
         "clashes"},
        {DOMAIN ", \"smtp\": {\"message_size\": \"1X\"}}", "$.smtp.message_size", "1X"},
        {DOMAIN ", \"smtp\": {\"recipients\": 0}}", "$.smtp.recipients", ""},
        {DOMAIN ", \"smtp\": {\"routes\": {\"p.example\": \"http://x\"}}}", "$.smtp.routes", ""},
        {DOMAIN ", \"tls\": {\"mode\": \"files\"}}", "$.tls", ""},
        {DOMAIN ", \"tls\": {\"plaintext_login\": [\"10.0.0.1/8\"]}}", "$.tls.plaintext_login[0]",
         ""},
        {DOMAIN ", \"dial\": {\"allow\": [\"10.0.0.0/33\"]}}", "$.dial.allow[0]", ""},
        {DOMAIN ", \"dns\": {\"servers\": [\"127.0.0.1\"]}}", "$.dns", "host"},
        {DOMAIN ", \"dns\": {\"servers\": [\"::1\"]}}", "$.dns", "host"},
        {DOMAIN ", \"services\": {\"imapd\": {\"memory\": 10}}}", "$.services.imapd", "1M"},
        {DOMAIN ", \"services\": {\"imapd\": {\"cpus\": 0}}}", "$.services.imapd.cpus", ""},
        {DOMAIN ", \"ids\": {\"base\": 0}}", "$.ids.base", ""},
        {DOMAIN ", \"log\": {\"keep\": 0}}", "$.log.keep", ""},
        {DOMAIN ", \"filter\": {\"spf\": \"yes\"}}", "$.filter.spf", "string"},
        {HEAD "{\"example.org\": {}, \"example..com\": {}}}", "$.domains", ""},
        {HEAD "{\"example.org\": {}, \"EXAMPLE.org\": {}}}", "$", "twice"},
        {HEAD "{\"example.org\": {\"aliases\": {\"sales\": [\"nobody\"]}}}}",
         "$.domains[\"example.org\"].aliases.sales[0]", "nobody"},
        {HEAD "{\"example.org\": {\"aliases\": {\"alice\": [\"al\"]}}}}", "alice", "already"},
        {HEAD "{\"example.org\": {\"catch_all\": \"nobody\"}}}", "$.domains", "nobody"},
        {HEAD "{\"example.org\": {\"dkim\": [{\"selector\": \"a\"}, {\"selector\": \"a\"}]}}}",
         "$.domains", "twice"},
        {DOMAIN ", \"lists\": {\"team@else.example\": {\"members\": [\"x@y.example\"]}}}",
         "$.lists", "else.example"},
        {DOMAIN ", \"lists\": {\"alice@example.org\": {\"members\": [\"x@y.example\"]}}}",
         "$.lists", "already"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct stack_config *before = w->c;

        if (load(w, cases[i].text, ACCOUNTS) == 0)
            fail_msg("accepted: %s", cases[i].text);
        if (lines(&w->report) != 1 ||
            str_find_str(buf_str(&w->report), str_of(cases[i].path)) < 0 ||
            str_find_str(buf_str(&w->report), str_of(cases[i].word)) < 0 ||
            str_find_str(buf_str(&w->report), STR("mailstack.json")) < 0)
            fail_msg("%s\nis reported as\n%s", cases[i].text, buf_c(&w->report));
        assert_ptr_equal(w->c, before);
    }
}

static void an_accounts_file_that_is_missing_is_one_line(void **state)
{
    struct world *w = *state;

    assert_int_equal(load(w,
                          "{\"hostname\": \"mail.example.org\", \"domains\": {\"example.org\": "
                          "{\"aliases\": {\"a\": [\"alice\", \"bob\"]}}}, "
                          "\"accounts\": {\"file\": \"nope.json\"}}",
                          NULL),
                     -1);
    assert_int_equal(lines(&w->report), 1);
    if (str_find_str(buf_str(&w->report), STR("$.accounts.file: open '")) < 0)
        fail_msg("%s", buf_c(&w->report));
}

static void accounts_are_checked_in_their_own_file(void **state)
{
    static const struct {
        const char *accounts;
        const char *word;
    } cases[] = {
        {"[]", "object"},
        {"{\"alice\": {\"password\": \"!\"}}", "alice"},
        {"{\"alice@else.example\": {\"password\": \"!\"}}", "else.example"},
        {"{\"alice@example.org\": {}}", "password"},
        {"{\"a@example.org\": {\"password\": \"!\"}, \"A@example.org\": {\"password\": \"!\"}}",
         "twice"},
        {"{\"a+b@example.org\": {\"password\": \"!\"}}", "'+'"},
        {"{\"a@example.org\": {\"password\": \"!\", \"aliases\": [\"x@else.example\"]}}",
         "else.example"},
        {"{\"a@example.org\": {\"password\": \"!\", \"quota\": \"much\"}}", "much"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        assert_int_equal(load(w, DOMAIN "}", cases[i].accounts), -1);
        if (str_find_str(buf_str(&w->report), STR("accounts.json")) < 0 ||
            str_find_str(buf_str(&w->report), str_of(cases[i].word)) < 0)
            fail_msg("%s\nis reported as\n%s", cases[i].accounts, buf_c(&w->report));
    }
}

static void all_faults_are_told_at_once_but_not_without_end(void **state)
{
    struct world *w = *state;
    own_buf struct buf text = BUF_INIT(1u << 20);

    buf_append_c(&text,
                 DOMAIN ", \"smtp\": {\"recipients\": 0}, \"log\": {\"keep\": 0}, \"x\": 1}");
    assert_int_equal(load(w, buf_c(&text), ACCOUNTS), -1);
    assert_int_equal(lines(&w->report), 3);
    buf_reset(&text);
    buf_append_c(&text, HEAD "{\"example.org\": {\"aliases\": {");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "%s\"a%d\": [\"nobody\"]", i ? "," : "", i);
    buf_append_c(&text, "}}}}");
    assert_int_equal(load(w, buf_c(&text), ACCOUNTS), -1);
    assert_int_equal(lines(&w->report), STACK_COMPLAINTS + 1);
    assert_true(str_find_str(buf_str(&w->report), STR("and 900 more")) >= 0);
}

static void a_document_that_is_too_large_is_not_parsed(void **state)
{
    struct world *w = *state;
    size_t n = STACK_TEXT_MAX + 1;
    char *text = malloc(n);

    memset(text, ' ', n);
    assert_int_equal(stack_load_str(w->a, (struct str){text, n}, "x", &w->c, &w->report), -1);
    assert_int_equal(lines(&w->report), 1);
    free(text);
}

static void relative_paths_are_the_files(void **state)
{
    struct world *w = *state;
    own_buf struct buf want = BUF_INIT(512);

    if (load(w, DOMAIN ", \"storage\": \"a/../data\", \"accounts\": {\"file\": \"accounts.json\"}}",
             ACCOUNTS) < 0)
        fail_msg("%s", buf_c(&w->report));
    buf_printf(&want, "%s/data", w->dir->path);
    assert_string_equal(w->c->storage, buf_c(&want));
}

static void networks_hold_their_addresses(void **state)
{
    static const struct {
        const char *net;
        const char *in;
        const char *out;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
        {"10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"},
        {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
        {"0.0.0.0/0", "203.0.113.1", "2001:db8::1"},
        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"},
        {"::1", "::1", "::2"},
        {"fd00::/9", "fd7f::1", "fd80::1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct stack_net n;
        struct sockaddr_storage a;
        struct err err = {0};

        assert_ok(stack_net_parse(str_of(cases[i].net), &n, &err), &err);
        assert_ok(dialmsg_parse_addr(str_of(cases[i].in), 1, &a, &err), &err);
        if (!stack_net_has(&n, &a))
            fail_msg("%s is not in %s", cases[i].in, cases[i].net);
        assert_ok(dialmsg_parse_addr(str_of(cases[i].out), 1, &a, &err), &err);
        if (stack_net_has(&n, &a))
            fail_msg("%s is in %s", cases[i].out, cases[i].net);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Who sends a password wants to know to whom. */
static void a_relay_with_a_password_is_checked(void **state)
{
    static const struct {
        const char *relay;
        bool checked;
    } cases[] = {
        {"{\"host\": \"r.test\", \"user\": \"u\", \"password_file\": \"pw\"}", true},
        {"{\"host\": \"r.test\", \"user\": \"u\", \"password_file\": \"pw\", \"ca\": null}", false},
        {"{\"host\": \"r.test\"}", false},
        {"{\"host\": \"r.test\", \"ca\": \"own.pem\"}", true},
    };
    struct world *w = *state;
    struct err err = {0};

    assert_ok(file_put(w->dir->fd, "pw", STR("secret\n"), 0600, &err), &err);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text = arena_printf(w->a,
                                        DOMAIN ", \"listen\": {\"smtp\": [\"127.0.0.1:2525\"]}, "
                                               "\"smtp\": {\"relay\": %s}}",
                                        cases[i].relay);

        if (load(w, text, ACCOUNTS) < 0) /* a machine that trusts nobody */
            assert_true(i == 0 &&
                        str_find_str(buf_str(&w->report), STR("certificate authorities")) >= 0);
        else
            assert_true((w->c->smtp.relay.ca != NULL) == cases[i].checked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_least_has_sound_defaults),
        CASE(the_example_is_valid),
        CASE(each_fault_is_one_line_with_its_path),
        CASE(an_accounts_file_that_is_missing_is_one_line),
        CASE(accounts_are_checked_in_their_own_file),
        CASE(all_faults_are_told_at_once_but_not_without_end),
        CASE(a_document_that_is_too_large_is_not_parsed),
        CASE(relative_paths_are_the_files),
        cmocka_unit_test(networks_hold_their_addresses),
        CASE(a_relay_with_a_password_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
