/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#include "mailstack/lib/net/dns_client.h"
#include "mailstack/lib/proto/dns_msg.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

struct asker {
    struct dns_question q;
    int answers;
    enum dns_status status;
};

struct fixture {
    struct tmpdir *dir;
    struct loop *loop;
    struct dns_client *client;
    int listen_fd;
    int fd; /* dnsd's end */
};

static void on_answer(struct dns_question *q, const struct dns_answer *a)
{
    struct asker *k = container_of(q, struct asker, q);

    k->answers++;
    k->status = a->status;
}

static int setup(void **state)
{
    static struct fixture f;
    struct err err = {0};
    const char *path;

    f.dir = tmpdir_new();
    f.loop = loop_new(&err);
    path = tmpdir_path(f.dir, "dnsd.sock");
    f.listen_fd = fd_unix_listen(path, SOCK_STREAM, 0600, 5, &err);
    assert_ok(f.listen_fd, &err);
    f.client = dns_client_new(f.loop, path);
    f.fd = -1;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    dns_client_free(f->client);
    loop_free(f->loop);
    (void)close(f->listen_fd);
    own_close_fd(&f->fd);
    tmpdir_free(f->dir);
    return 0;
}

static void turn(struct fixture *f, int n)
{
    struct err err = {0};

    for (int i = 0; i < n; i++)
        assert_ok(loop_turn(f->loop, 50, &err), &err);
}

/* Reads one question as dnsd would, and answers it with this code unless that is negative. */
static void serve(struct fixture *f, int rcode)
{
    own_buf struct buf b = BUF_INIT(600);
    struct err err = {0};
    char q[600];

    if (f->fd < 0)
        f->fd = accept(f->listen_fd, NULL, NULL);
    assert_int_equal(fd_read_full(f->fd, q, 2, &err), 2);
    size_t n = (size_t)(unsigned char)q[1];

    assert_int_equal(fd_read_full(f->fd, q + 2, n, &err), n);
    if (rcode < 0)
        return;
    buf_append_n(&b, q, 4);
    buf_append_u8(&b, 0x81);
    buf_append_u8(&b, (uint8_t)(0x80 | rcode));
    buf_append_n(&b, q + 6, n - 4);
    assert_ok(fd_write_all(f->fd, buf_str(&b), &err), &err);
}

static void answers_find_their_askers_in_any_number(void **state)
{
    struct asker a = {.q.fn = on_answer};
    struct asker b = {.q.fn = on_answer};
    struct fixture *f = *state;

    dns_client_ask(f->client, &a.q, STR("a.test"), DNS_MX, 5000);
    dns_client_ask(f->client, &b.q, STR("b.test"), DNS_A, 5000);
    assert_int_equal(a.answers, 0);
    turn(f, 1);
    serve(f, DNS_MSG_NXDOMAIN);
    serve(f, DNS_MSG_NOERROR);
    turn(f, 2);
    assert_int_equal(a.answers + b.answers, 2);
    assert_int_equal(a.status, DNS_NXDOMAIN);
    assert_int_equal(b.status, DNS_NODATA);
    assert_null(a.q.client);
}

static void what_breaks_is_temporary_and_the_next_question_connects_again(void **state)
{
    struct asker a = {.q.fn = on_answer};
    struct asker b = {.q.fn = on_answer};
    struct fixture *f = *state;

    dns_client_ask(f->client, &a.q, STR("a.test"), DNS_A, 5000);
    turn(f, 1);
    serve(f, -1);
    own_close_fd(&f->fd);
    f->fd = -1;
    turn(f, 3);
    assert_int_equal(a.answers, 1);
    assert_int_equal(a.status, DNS_TEMP);
    dns_client_ask(f->client, &b.q, STR("b.test"), DNS_A, 5000);
    turn(f, 1);
    serve(f, DNS_MSG_NXDOMAIN);
    turn(f, 2);
    assert_int_equal(b.status, DNS_NXDOMAIN);
}

static void a_cancelled_question_is_never_answered(void **state)
{
    struct asker a = {.q.fn = on_answer};
    struct asker b = {.q.fn = on_answer};
    struct fixture *f = *state;

    dns_client_ask(f->client, &a.q, STR("a.test"), DNS_A, 5000);
    dns_client_ask(f->client, &b.q, STR("no..name"), DNS_A, 5000); /* refused at the turn's end */
    dns_client_cancel(&b.q);
    turn(f, 1);
    dns_client_cancel(&a.q);
    dns_client_cancel(&a.q);
    serve(f, DNS_MSG_NOERROR);
    turn(f, 2);
    assert_int_equal(a.answers + b.answers, 0);
}

static void a_wait_ends(void **state)
{
    struct asker a = {.q.fn = on_answer};
    struct fixture *f = *state;

    dns_client_ask(f->client, &a.q, STR("a.test"), DNS_A, 1);
    while (a.answers == 0)
        turn(f, 1);
    assert_int_equal(a.status, DNS_TEMP);
}

static void an_address_is_reversed_for_ptr(void **state)
{
    unsigned char v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x1f};
    char out[DNS_REVERSE_MAX];

    (void)state;
    dns_reverse_name((const unsigned char *)"\xc0\0\2\1", 4, out);
    assert_string_equal(out, "1.2.0.192.in-addr.arpa");
    dns_reverse_name(v6, 16, out);
    assert_string_equal(out,
                        "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_find_their_askers_in_any_number, setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_breaks_is_temporary_and_the_next_question_connects_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_question_is_never_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wait_ends, setup, teardown),
        cmocka_unit_test(an_address_is_reversed_for_ptr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
