/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/stack/gen.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static void put(const struct tmpdir *t, const char *listen, const char *more)
{
    own_buf struct buf b = BUF_INIT(65536);
    struct err err = {0};

    buf_printf(&b,
               "{\"hostname\": \"mail.example.org\", \"domains\": {\"example.org\": {}},"
               " \"storage\": \"s\", \"listen\": {%s}%s}",
               listen, more);
    assert_ok(file_put(t->fd, "mailstack.json", buf_str(&b), 0600, &err), &err);
    assert_ok(file_put(t->fd, "accounts.json", STR("{}"), 0600, &err), &err);
}

static struct gen *load(const struct tmpdir *t)
{
    own_buf struct buf report = BUF_INIT(STACK_REPORT_MAX);
    struct gen *g = gen_load(tmpdir_path(t, "mailstack.json"), &report);

    if (!g)
        fail_msg("%s", buf_c(&report));
    return g;
}

/* Configurations without their secrets and with a bundle of one line: what is compared. */
static void render(struct gen *g, const char *bundle)
{
    for (size_t i = 0; i < SVC_N; i++) {
        struct rendered *r = &g->v[i].files;
        struct err err = {0};

        r->v = arena_array(g->a, 1, sizeof(*r->v));
        r->v[0].path = "x.json";
        r->n = 1;
        assert_ok(render_json(g->a, g->config, &g->table, &g->table.v[i], &r->v[0].content, &err),
                  &err);
        g->v[i].bundle = str_of(bundle);
    }
}

static void a_wrong_file_is_reported_line_by_line(void **state)
{
    const struct tmpdir *t = *state;
    own_buf struct buf report = BUF_INIT(STACK_REPORT_MAX);

    put(t, "\"smtp\": [\"nonsense\"]", ", \"colour\": \"red\"");
    assert_null(gen_load(tmpdir_path(t, "mailstack.json"), &report));
    assert_true(str_find_str(buf_str(&report), STR("$.listen.smtp[0]")) >= 0);
    assert_true(str_find_str(buf_str(&report), STR("colour")) >= 0);
    buf_reset(&report);
    assert_null(gen_load(tmpdir_path(t, "nothing.json"), &report));
    assert_true(report.n > 0);
    gen_free(NULL);
}

static void what_is_not_listened_for_is_not_wanted(void **state)
{
    const struct tmpdir *t = *state;
    struct gen *g;

    put(t, "\"smtp\": [\"127.0.0.1:25\"]", "");
    g = load(t);
    assert_true(g->v[svc_get(&g->table, "smtpd")->index].wanted);
    assert_false(g->v[svc_get(&g->table, "frontd")->index].wanted);
    gen_free(g);
}

static void only_what_differs_is_touched(void **state)
{
    static const struct {
        const char *listen;
        const char *more;
        const char *bundle;
        const char *restart; /* services */
        const char *reload;
    } cases[] = {
        {"\"smtp\": [\"127.0.0.1:25\"], \"imaps\": [\"127.0.0.1:993\"]", "", "b", "", ""},
        {"\"smtp\": [\"127.0.0.1:26\"], \"imaps\": [\"127.0.0.1:993\"]", "", "b", "smtpd", ""},
        {"\"smtp\": [\"127.0.0.1:25\"], \"imaps\": [\"127.0.0.1:993\", \"127.0.0.1:994\"]", "", "b",
         "frontd", ""},
        {"\"smtp\": [\"127.0.0.1:25\"], \"imaps\": [\"127.0.0.1:993\"]",
         ", \"smtp\": {\"recipients\": 7}", "b", "", "smtpd"},
        {"\"smtp\": [\"127.0.0.1:25\"], \"imaps\": [\"127.0.0.1:993\"]",
         ", \"dns\": {\"servers\": [\"192.0.2.53\"]}", "b", "", "dnsd"},
        {"\"smtp\": [\"127.0.0.1:25\"], \"imaps\": [\"127.0.0.1:993\"]", "", "c",
         "authd dnsd lmtpd imapd pop3d filterd queued smtpd frontd", ""},
    };
    const struct tmpdir *t = *state;
    struct gen *was;

    put(t, cases[0].listen, "");
    was = load(t);
    render(was, "b");
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct gen *now;

        put(t, cases[i].listen, cases[i].more);
        now = load(t);
        render(now, cases[i].bundle);
        for (size_t k = 0; k < SVC_N; k++) {
            const char *name = now->table.v[k].name;
            enum gen_difference want = strstr(cases[i].restart, name)  ? GEN_RESTART
                                       : strstr(cases[i].reload, name) ? GEN_RELOAD
                                                                       : GEN_SAME;

            if (gen_compare(was, now, &now->table.v[k]) != want)
                fail_msg("case %zu, %s", i, name);
        }
        gen_free(now);
    }
    gen_free(was);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_wrong_file_is_reported_line_by_line),
        CASE(what_is_not_listened_for_is_not_wanted),
        CASE(only_what_differs_is_touched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
