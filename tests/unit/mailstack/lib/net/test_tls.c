/* SPDX-License-Identifier: Apache-2.0 */
/* A conn on the loop as server, a stream in a child as client: both users of the TLS table. */
#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"
#include "runtime/base/loop.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/conn.h"
#include "mailstack/lib/net/stream.h"
#include "mailstack/lib/net/tls.h"

#include "tests/lib/test.h"
#include "tests/lib/testcert.h"
#include "tests/lib/tmpdir.h"

#define WAIT_MS 5000
#define NAME    "mail.example.org"

struct world {
    struct tmpdir *dir;
    char cert[128];
    char key[128];
    char other_cert[128];
    char other_key[128];
};

struct server {
    struct loop *loop;
    struct conn *conn;
    struct tls_ctx *ctx;
    struct buf heard;
    bool ready;
    bool over;
    int code;
};

static int set_up(void **state)
{
    static struct world w;

    w.dir = tmpdir_new();
    (void)snprintf(w.cert, sizeof(w.cert), "%s/cert.pem", w.dir->path);
    (void)snprintf(w.key, sizeof(w.key), "%s/key.pem", w.dir->path);
    (void)snprintf(w.other_cert, sizeof(w.other_cert), "%s/cert2.pem", w.dir->path);
    (void)snprintf(w.other_key, sizeof(w.other_key), "%s/key2.pem", w.dir->path);
    testcert_write(NAME, w.cert, w.key);
    testcert_write("other.example", w.other_cert, w.other_key);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    tmpdir_free(((struct world *)*state)->dir);
    return 0;
}

/* --- the server: what comes in clear is "GO", TLS follows; in TLS it echoes ------------------- */

static void on_input(struct conn *c)
{
    struct server *s = conn_ctx(c);
    struct str in = conn_in(c);

    buf_append(&s->heard, in);
    if (!conn_has_tls(c)) {
        if (!str_starts(in, STR("GO")))
            return;
        conn_consume(c, 2);
        conn_start_tls(c, s->ctx, NULL);
        conn_write_c(c, "ok\r\n");
        return;
    }
    conn_write(c, in);
    conn_consume(c, in.n);
}

static void on_tls_ready(struct conn *c)
{
    ((struct server *)conn_ctx(c))->ready = true;
}

static void on_closed(struct conn *c, const struct err *why)
{
    struct server *s = conn_ctx(c);

    s->over = true;
    s->code = why->code;
    conn_free(c);
    s->conn = NULL;
}

static const struct conn_ops ops = {
    .input = on_input, .tls_ready = on_tls_ready, .closed = on_closed};

static void serve(struct server *s, int fd)
{
    struct err err = {0};

    for (int i = 0; i < 500 && !s->over; i++)
        assert_ok(loop_turn(s->loop, 20, &err), &err);
    (void)fd;
}

static void begin(struct server *s, const struct world *w, int fd)
{
    struct err err = {0};

    *s = (struct server){.loop = loop_new(&err)};
    buf_init(&s->heard, 4u << 20);
    s->ctx = tls_server_new(w->cert, w->key, &err);
    assert_non_null(s->ctx);
    s->conn = conn_new(s->loop, fd, &ops, s, (struct conn_limits){65536, 1u << 20}, &err);
    assert_non_null(s->conn);
}

static void end(struct server *s)
{
    struct err err = {0};

    conn_free(s->conn);
    assert_ok(loop_turn(s->loop, 0, &err), &err);
    loop_free(s->loop);
    tls_free(s->ctx);
    buf_done(&s->heard);
}

/* Runs `client` in a child against a server here: its exit status. */
static int against(struct server *s, const struct world *w,
                   int (*client)(int fd, const struct world *w))
{
    struct err err = {0};
    int fds[2];
    int status;
    pid_t pid;

    assert_ok(fd_socketpair(SOCK_STREAM, fds, &err), &err);
    pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        _exit(client(fds[1], w));
    }
    (void)close(fds[1]);
    begin(s, w, fds[0]);
    serve(s, fds[0]);
    assert_true(s->over);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* --- clients: 0 if all went as it should, else the number of the step ------------------------- */

static int go(struct stream *s, struct str plain)
{
    struct err err = {0};
    struct str line;

    return stream_write(s, plain, &err) < 0 || stream_line(s, 100, &line, &err) < 0 ||
           !str_eq_c(line, "ok");
}

static int echo(int fd, enum tls_verify verify, const char *ca, const char *name)
{
    struct stream *s = stream_new(fd, WAIT_MS);
    struct err err = {0};
    struct tls_ctx *ctx = tls_client_new(verify, ca, &err);
    char back[5];

    if (!ctx || go(s, STR("GO")))
        return 1;
    if (stream_start_tls_client(s, ctx, name, &err) < 0)
        return 2;
    if (stream_write(s, STR("hello"), &err) < 0 || stream_exact(s, back, 5, &err) < 0 ||
        memcmp(back, "hello", 5) != 0)
        return 3;
    if (strncmp(stream_tls_version(s), "TLSv1.", 6) != 0)
        return 4;
    stream_free(s);
    return 0;
}

static int trusts_the_name(int fd, const struct world *w)
{
    return echo(fd, TLS_VERIFY_NAME, w->cert, NAME);
}

static int wants_another_name(int fd, const struct world *w)
{
    return echo(fd, TLS_VERIFY_NAME, w->cert, "mail.example.com");
}

static int trusts_another(int fd, const struct world *w)
{
    return echo(fd, TLS_VERIFY_NAME, w->other_cert, NAME);
}

static int trusts_anyone(int fd, const struct world *w)
{
    (void)w;
    return echo(fd, TLS_VERIFY_NONE, NULL, "whatever.example");
}

static void a_session_carries_bytes_both_ways(void **state)
{
    const struct world *w = *state;
    struct server s;

    assert_int_equal(against(&s, w, trusts_the_name), 0);
    assert_true(s.ready);
    assert_str(buf_str(&s.heard), "GOhello");
    end(&s);
    assert_int_equal(against(&s, w, trusts_anyone), 0);
    end(&s);
}

static void a_certificate_that_does_not_fit_is_refused(void **state)
{
    const struct world *w = *state;
    struct server s;

    assert_int_equal(against(&s, w, wants_another_name), 2);
    assert_str(buf_str(&s.heard), "GO");
    end(&s);
    assert_int_equal(against(&s, w, trusts_another), 2);
    assert_str(buf_str(&s.heard), "GO");
    end(&s);
}

/* RFC 3207 section 6: commands that a man in the middle put behind STARTTLS in clear. */
static int injects(int fd, const struct world *w)
{
    struct stream *s = stream_new(fd, WAIT_MS);
    struct err err = {0};
    struct tls_ctx *ctx = tls_client_new(TLS_VERIFY_NAME, w->cert, &err);
    char back[2];

    if (!ctx || go(s, STR("GORCPT evil\r\n")) || stream_start_tls_client(s, ctx, NAME, &err) < 0)
        return 1;
    if (stream_write(s, STR("ab"), &err) < 0 || stream_exact(s, back, 2, &err) < 0)
        return 2;
    return memcmp(back, "ab", 2) != 0 ? 3 : 0;
}

static void what_came_in_clear_does_not_count(void **state)
{
    struct server s;

    assert_int_equal(against(&s, *state, injects), 0);
    assert_true(str_ends(buf_str(&s.heard), STR("ab")));
    assert_true(str_find_str(str_skip(buf_str(&s.heard), 13), STR("evil")) < 0);
    end(&s);
}

static int speaks_clear(int fd, const struct world *w)
{
    struct stream *s = stream_new(fd, WAIT_MS);
    struct err err = {0};

    (void)w;
    if (go(s, STR("GO")) || stream_write(s, STR("EHLO me\r\n"), &err) < 0 ||
        stream_flush(s, &err) < 0)
        return 1;
    stream_free(s);
    return 0;
}

static void a_client_without_tls_is_an_error_and_not_heard(void **state)
{
    struct server s;

    assert_int_equal(against(&s, *state, speaks_clear), 0);
    assert_int_not_equal(s.code, 0);
    assert_false(s.ready);
    assert_str(buf_str(&s.heard), "GO");
    end(&s);
}

/* A whole megabyte, so that records, buffers and limits are crossed many times. */
static int sends_much(int fd, const struct world *w)
{
    struct stream *s = stream_new(fd, WAIT_MS);
    struct err err = {0};
    struct tls_ctx *ctx = tls_client_new(TLS_VERIFY_NONE, NULL, &err);
    char block[10000];
    char back[10000];

    (void)w;
    if (!ctx || go(s, STR("GO")) || stream_start_tls_client(s, ctx, "x.example", &err) < 0)
        return 1;
    for (int i = 0; i < 100; i++) {
        memset(block, 'a' + i % 26, sizeof(block));
        if (stream_write(s, (struct str){block, sizeof(block)}, &err) < 0 ||
            stream_exact(s, back, sizeof(back), &err) < 0 || memcmp(block, back, sizeof(back)) != 0)
            return 2;
    }
    stream_free(s);
    return 0;
}

static void much_goes_through(void **state)
{
    struct server s;

    assert_int_equal(against(&s, *state, sends_much), 0);
    assert_int_equal(s.heard.n, 2 + 100 * 10000);
    end(&s);
}

static int greets_too_early(int fd)
{
    return send(fd, "ok\r\n250 more\r\n", 14, MSG_NOSIGNAL) != 14;
}

static void a_client_refuses_clear_bytes_behind_the_answer(void **state)
{
    struct err err = {0};
    struct tls_ctx *ctx = tls_client_new(TLS_VERIFY_NONE, NULL, &err);
    struct str line;
    int fds[2];
    struct stream *s;

    (void)state;
    assert_ok(fd_socketpair(SOCK_STREAM, fds, &err), &err);
    s = stream_new(fds[0], WAIT_MS);
    assert_int_equal(greets_too_early(fds[1]), 0);
    assert_ok(stream_line(s, 100, &line, &err), &err);
    assert_int_equal(stream_start_tls_client(s, ctx, NAME, &err), -1);
    assert_int_equal(err.code, EBADMSG);
    stream_free(s);
    (void)close(fds[1]);
    tls_free(ctx);
}

static void wrong_files_are_named(void **state)
{
    const struct world *w = *state;
    struct err err = {0};
    char empty[128];

    assert_null(tls_server_new("/nowhere/cert.pem", w->key, &err));
    assert_err(&err, "/nowhere/cert.pem");
    assert_null(tls_server_new(w->cert, "/nowhere/key.pem", &err));
    assert_err(&err, "/nowhere/key.pem");
    assert_null(tls_server_new(w->cert, w->other_key, &err)); /* not this certificate's */
    assert_err(&err, "key2.pem");
    (void)snprintf(empty, sizeof(empty), "%s/empty.pem", w->dir->path);
    assert_ok(file_put(w->dir->fd, "empty.pem", STR(""), 0600, &err), &err);
    assert_null(tls_server_new(empty, w->key, &err));
    assert_null(tls_client_new(TLS_VERIFY_NAME, empty, &err));
}

static void old_protocols_are_off(void **state)
{
    const struct world *w = *state;
    struct err err = {0};
    struct tls_ctx *t = tls_server_new(w->cert, w->key, &err);
    struct tls_ctx *again = tls_ref(t);

    assert_int_equal(SSL_CTX_get_min_proto_version(tls_ssl_ctx(t)), TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_get_security_level(tls_ssl_ctx(t)), 2);
    assert_true(SSL_CTX_get_options(tls_ssl_ctx(t)) & SSL_OP_NO_RENEGOTIATION);
    tls_free(t);
    assert_non_null(tls_ssl_ctx(again)); /* one reference is left */
    tls_free(again);
    tls_free(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_session_carries_bytes_both_ways),
        CASE(a_certificate_that_does_not_fit_is_refused),
        CASE(what_came_in_clear_does_not_count),
        CASE(a_client_without_tls_is_an_error_and_not_heard),
        CASE(much_goes_through),
        CASE(a_client_refuses_clear_bytes_behind_the_answer),
        CASE(wrong_files_are_named),
        CASE(old_protocols_are_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
