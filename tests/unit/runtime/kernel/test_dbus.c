/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"
#include "runtime/kernel/dbus.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static void put_body(struct buf *body)
{
    size_t at = 0;

    dbus_put_str(body, STR("unit.scope"));
    at = dbus_array_begin(body, 8);
    dbus_put_struct(body);
    dbus_put_str(body, STR("Delegate"));
    dbus_put_signature(body, "b");
    dbus_put_bool(body, true);
    dbus_put_struct(body);
    dbus_put_str(body, STR("MemoryMax"));
    dbus_put_signature(body, "t");
    dbus_put_u64(body, 1ULL << 40);
    dbus_array_end(body, at, 8);
    dbus_put_u32(body, 7);
}

static void format_example(struct buf *out)
{
    own_buf struct buf body = BUF_INIT(1024);
    struct dbus_msg m = {.type = DBUS_CALL,
                         .serial = 5,
                         .path = STR("/org/example"),
                         .interface = STR("org.example.I"),
                         .member = STR("Do"),
                         .destination = STR("org.example"),
                         .signature = STR("sa(sv)u")};

    put_body(&body);
    m.body = buf_str(&body);
    dbus_format(&m, out);
}

static void what_is_formatted_is_parsed(void **state)
{
    own_buf struct buf out = BUF_INIT(4096);
    struct dbus_msg m;
    struct dbus_reader r;
    struct err err = {0};
    struct str text = STR_NONE;
    size_t used = 0;

    (void)state;
    format_example(&out);
    assert_int_equal(dbus_parse(buf_str(&out), &m, &used, &err), DBUS_PARSE_DONE);
    assert_int_equal(used, out.n);
    assert_int_equal(m.serial, 5);
    assert_str(m.path, "/org/example");
    assert_str(m.member, "Do");
    assert_str(m.signature, "sa(sv)u");
    r = (struct dbus_reader){.body = m.body};
    assert_true(dbus_get_str(&r, &text));
    assert_str(text, "unit.scope");
}

static void any_cut_asks_for_more(void **state)
{
    own_buf struct buf out = BUF_INIT(4096);
    struct dbus_msg m;
    struct err err = {0};
    size_t used = 0;

    (void)state;
    format_example(&out);
    for (size_t n = 0; n < out.n; n++) {
        assert_int_equal(dbus_parse(str_head(buf_str(&out), n), &m, &used, &err), DBUS_PARSE_MORE);
        assert_int_equal(used, 0);
    }
}

static void malformed_messages_are_errors(void **state)
{
    own_buf struct buf out = BUF_INIT(4096);
    struct dbus_msg m;
    struct err err = {0};
    size_t used = 0;

    (void)state;
    format_example(&out);
    out.p[0] = 'B';
    assert_int_equal(dbus_parse(buf_str(&out), &m, &used, &err), DBUS_PARSE_ERROR);
    out.p[0] = 'l';
    out.p[7] = 0x7f; /* a body of 2 GB */
    assert_int_equal(dbus_parse(buf_str(&out), &m, &used, &err), DBUS_PARSE_ERROR);
}

static void strings_that_lie_about_their_length_are_refused(void **state)
{
    static const char *const bodies[] = {"\x05\0\0\0abc", "\xff\xff\xff\xff", "\x03\0\0\0abcd"};
    struct str text;

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bodies); i++) {
        struct dbus_reader r = {.body = {bodies[i], i == 1 ? 4 : 8}};

        assert_false(dbus_get_str(&r, &text));
    }
}

/* The other side of a connection: a handshake, and an error to the second call. */
static void serve(int listen_fd)
{
    int fd = accept(listen_fd, NULL, NULL);
    char text[4096];
    struct err err;
    struct dbus_msg hello = {.type = DBUS_REPLY, .serial = 1, .reply_serial = 1};
    struct dbus_msg no = {.type = DBUS_ERROR,
                          .serial = 2,
                          .reply_serial = 2,
                          .error = STR("org.example.No"),
                          .signature = STR("s")};
    struct buf out = BUF_INIT(4096), body = BUF_INIT(64);

    dbus_put_str(&body, STR("not today"));
    no.body = buf_str(&body);
    if (recv(fd, text, sizeof text, 0) <= 0 || fd_send(fd, STR("OK 77\r\n"), NULL, 0, &err) < 0)
        _exit(1);
    dbus_format(&hello, &out);
    dbus_format(&no, &out);
    if (fd_send(fd, buf_str(&out), NULL, 0, &err) < 0)
        _exit(1);
    while (recv(fd, text, sizeof text, 0) > 0)
        continue;
    _exit(0);
}

static void an_error_reply_is_an_error_with_its_name(void **state)
{
    struct tmpdir *t = tmpdir_new();
    const char *path = tmpdir_path(t, "bus");
    char address[256];
    struct err err = {0};
    own_fd int listen_fd = fd_unix_listen(path, SOCK_STREAM, 0600, 1, &err);
    struct dbus_msg call = {.path = STR("/a"), .member = STR("B")}, reply;
    struct dbus *d = NULL;
    pid_t pid = 0;

    (void)state;
    assert_ok(listen_fd, &err);
    pid = fork();
    if (pid == 0)
        serve(listen_fd);
    (void)snprintf(address, sizeof address, "tcp:host=x;unix:path=/no/such;unix:path=%s,guid=1",
                   path);
    d = dbus_open(address, &err);
    assert_ok(d == NULL ? -1 : 0, &err);
    assert_int_equal(dbus_call(d, &call, &reply, &err), -1);
    assert_err(&err, "org.example.No: not today");
    dbus_close(d);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_null(dbus_open("tcp:host=x", &err));
    assert_null(dbus_open("unix:path=/no/such", &err));
    tmpdir_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_formatted_is_parsed),
        cmocka_unit_test(any_cut_asks_for_more),
        cmocka_unit_test(malformed_messages_are_errors),
        cmocka_unit_test(strings_that_lie_about_their_length_are_refused),
        cmocka_unit_test(an_error_reply_is_an_error_with_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
