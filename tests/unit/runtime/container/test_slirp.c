/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/container/slirp.h"
#include "runtime/spec/publish.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static const struct publish port = {PUBLISH_IPV4, "127.0.0.1", 8080, 80, true};

static void a_request_names_both_sides(void **state)
{
    own_buf struct buf text = BUF_INIT(512);
    const struct publish every = {PUBLISH_EVERY, "", 1, 2, false};

    (void)state;
    slirp_request(&port, &text);
    assert_non_null(strstr(buf_c(&text), "\"add_hostfwd\""));
    assert_non_null(strstr(buf_c(&text), "\"udp\""));
    assert_non_null(strstr(buf_c(&text), "\"127.0.0.1\""));
    assert_non_null(strstr(buf_c(&text), "8080"));
    buf_reset(&text);
    slirp_request(&every, &text);
    assert_non_null(strstr(buf_c(&text), "\"0.0.0.0\""));
    assert_non_null(strstr(buf_c(&text), "\"tcp\""));
}

static void answers_are_judged(void **state)
{
    static const struct {
        const char *reply;
        const char *why; /* NULL: it went well */
    } rows[] = {
        {"{\"return\": {\"id\": 1}}", NULL},
        {"{\"error\": {\"desc\": \"in use\"}}", "it says: in use"},
        {"{\"error\": \"in use\"}", "expected an object"},
        {"{\"error\": {}}", "desc"},
        {"{}", "says nothing"},
        {"[]", "expected an object"},
        {"", "its answer"},
        {"{\"return\"", "its answer"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct err err = {0};

        assert_int_equal(slirp_judge(str_of(rows[i].reply), &err), rows[i].why == NULL ? 0 : -1);
        if (rows[i].why != NULL)
            assert_err(&err, rows[i].why);
    }
}

/* Reads a request to its end and answers. */
static pid_t serve(const char *path, const char *reply, size_t times)
{
    struct err err = {0};
    own_fd int listener = fd_unix_listen(path, SOCK_STREAM, 0600, 1, &err);
    pid_t pid = 0;
    char request[512];

    assert_ok(listener, &err);
    pid = fork();
    if (pid != 0)
        return pid;
    int conn = accept(listener, NULL, NULL);
    ssize_t n = fd_read_full(conn, request, sizeof request, &err);

    for (size_t i = 0; n > 0 && i < times; i++)
        if (fd_write_all(conn, str_of(reply), &err) < 0)
            break;
    _exit(0);
}

static void check(struct tmpdir *t, const char *reply, size_t times, const char *why)
{
    const char *path = tmpdir_path(t, "sock");
    struct err err = {0};
    pid_t pid = serve(path, reply, times);
    int r = slirp_publish(path, &port, &err);

    assert_int_equal(waitpid(pid, NULL, 0), pid);
    if (why == NULL) {
        assert_ok(r, &err);
        return;
    }
    assert_int_equal(r, -1);
    assert_err(&err, why);
}

static void it_asks_and_hears(void **state)
{
    check(*state, "{\"return\": {\"id\": 1}}", 1, NULL);
    check(*state, "{\"error\": {\"desc\": \"in use\"}}", 1,
          "publish '127.0.0.1:8080:80/udp': it says: in use");
    check(*state, "", 1, "publish '127.0.0.1:8080:80/udp': ");
    check(*state, "  {  }  ", 100000, "its answer");
}

static void nobody_to_ask_is_an_error(void **state)
{
    struct err err = {0};

    assert_int_equal(slirp_publish(tmpdir_path(*state, "none"), &port, &err), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_names_both_sides),
        TEST(answers_are_judged),
        TEST(it_asks_and_hears),
        TEST(nobody_to_ask_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
