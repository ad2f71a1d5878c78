/* SPDX-License-Identifier: Apache-2.0 */
/* dnsd is played in the same process: it answers from a table, one question at a time. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/fd.h"
#include "runtime/base/own.h"

#include "mailstack/lib/proto/dns_msg.h"
#include "mailstack/queued/conf.h"
#include "mailstack/queued/mx.h"

#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

struct zone {
    const char *name;
    enum dns_type type;
    int rcode;
    int preference; /* MX */
    const char *value;
};

struct fixture {
    struct tmpdir *dir;
    struct loop *loop;
    struct dns_client *dns;
    int listen_fd;
    int fd;
    struct buf in;
    const struct zone *zone;
    size_t zone_n;
    struct mx mx;
    int answers;
    enum mx_result result;
};

static char hostname[] = "mail.home.test";
static const struct conf conf = {.hostname = hostname};

static void on_result(struct mx *m, enum mx_result result)
{
    struct fixture *f = container_of(m, struct fixture, mx);

    f->answers++;
    f->result = result;
}

static int setup(void **state)
{
    static struct fixture f;
    struct err err = {0};
    const char *path;

    f = (struct fixture){.dir = tmpdir_new(), .loop = loop_new(&err), .fd = -1};
    path = tmpdir_path(f.dir, "dnsd.sock");
    f.listen_fd = fd_unix_listen(path, SOCK_STREAM, 0600, 5, &err);
    assert_ok(f.listen_fd, &err);
    f.dns = dns_client_new(f.loop, path);
    buf_init(&f.in, 65536);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    mx_done(&f->mx);
    dns_client_free(f->dns);
    loop_free(f->loop);
    own_close_fd(&f->listen_fd);
    own_close_fd(&f->fd);
    buf_done(&f->in);
    tmpdir_free(f->dir);
    return 0;
}

static void put_name(struct buf *b, const char *name)
{
    struct str rest = str_of(name);
    struct str label;

    while (str_next(&rest, '.', &label)) {
        buf_append_u8(b, (uint8_t)label.n);
        buf_append(b, label);
    }
    buf_append_u8(b, 0);
}

static void put_record(struct buf *b, const struct zone *z)
{
    own_buf struct buf data = BUF_INIT(600);
    unsigned char addr[16];

    if (z->type == DNS_MX) {
        buf_append_be16(&data, (uint16_t)z->preference);
        put_name(&data, z->value);
    } else {
        assert_int_equal(inet_pton(z->type == DNS_A ? AF_INET : AF_INET6, z->value, addr), 1);
        buf_append_n(&data, addr, z->type == DNS_A ? 4 : 16);
    }
    put_name(b, z->name);
    buf_append_be16(b, (uint16_t)z->type);
    buf_append_be16(b, 1);
    buf_append_be32(b, 60);
    buf_append_be16(b, (uint16_t)data.n);
    buf_append(b, buf_str(&data));
}

/* The records of the table; a name that is not in it does not exist. */
static void answer(struct fixture *f, const struct dns_msg *m)
{
    own_buf struct buf records = BUF_INIT(8192);
    own_buf struct buf out = BUF_INIT(8192);
    struct err err = {0};
    uint16_t rcode = DNS_MSG_NXDOMAIN;
    uint16_t n = 0;

    for (size_t i = 0; i < f->zone_n; i++) {
        if (!str_eq_c(str_of(m->name), f->zone[i].name))
            continue;
        if (f->zone[i].type == m->type || rcode == DNS_MSG_NXDOMAIN)
            rcode = f->zone[i].type == m->type ? (uint16_t)f->zone[i].rcode : DNS_MSG_NOERROR;
        if (f->zone[i].type != m->type || !f->zone[i].value)
            continue;
        put_record(&records, &f->zone[i]);
        n++;
    }
    buf_append_be16(&out, m->id);
    buf_append_be16(&out, (uint16_t)(0x8180 | rcode));
    buf_append_be16(&out, 1);
    buf_append_be16(&out, n);
    buf_append_be32(&out, 0);
    put_name(&out, m->name);
    buf_append_be16(&out, m->type);
    buf_append_be16(&out, 1);
    buf_append(&out, buf_str(&records));
    char head[2] = {(char)(out.n >> 8), (char)out.n};

    assert_ok(fd_write_all(f->fd, (struct str){head, 2}, &err), &err);
    assert_ok(fd_write_all(f->fd, buf_str(&out), &err), &err);
}

static void serve(struct fixture *f)
{
    struct str message;
    struct err err = {0};
    size_t used;
    char bytes[4096];
    ssize_t n;

    if (f->fd < 0)
        f->fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    n = recv(f->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n > 0)
        buf_append_n(&f->in, bytes, (size_t)n);
    while (dns_msg_unframe(buf_str(&f->in), &message, &used, &err) == PARSE_DONE) {
        struct dns_msg m;

        assert_ok(dns_msg_parse(message, &m, &err), &err);
        answer(f, &m);
        buf_consume(&f->in, used);
    }
}

static void look_up(struct fixture *f, const struct zone *zone, size_t n, enum route_kind kind,
                    const char *host)
{
    struct route r = {.kind = kind, .port = 2525};
    struct err err = {0};

    (void)snprintf(r.host, sizeof(r.host), "%s", host);
    f->zone = zone;
    f->zone_n = n;
    f->mx = (struct mx){.fn = on_result, .dns = f->dns, .conf = &conf};
    mx_start(&f->mx, &r);
    for (int i = 0; i < 10 && !f->answers; i++) {
        assert_ok(loop_turn(f->loop, 0, &err), &err);
        serve(f);
        assert_ok(loop_turn(f->loop, 50, &err), &err);
    }
    assert_int_equal(f->answers, 1);
}

static void check_target(const struct fixture *f, size_t i, const char *host, const char *addr)
{
    const struct mx_target *t = &f->mx.targets[i];
    const struct sockaddr_in *in4 = (const void *)&t->addr;
    const struct sockaddr_in6 *in6 = (const void *)&t->addr;
    bool is4 = t->addr.ss_family == AF_INET;
    char text[INET6_ADDRSTRLEN];

    assert_string_equal(t->host, host);
    assert_non_null(inet_ntop(t->addr.ss_family,
                              is4 ? (const void *)&in4->sin_addr : (const void *)&in6->sin6_addr,
                              text, sizeof(text)));
    assert_string_equal(text, addr);
    assert_int_equal(ntohs(is4 ? in4->sin_port : in6->sin6_port), 2525);
}

static void hosts_come_by_preference_and_ipv6_first(void **state)
{
    static const struct zone zone[] = {
        {"far.test", DNS_MX, 0, 20, "b.test"},     {"far.test", DNS_MX, 0, 10, "a.test"},
        {"a.test", DNS_A, 0, 0, "192.0.2.1"},      {"a.test", DNS_A, 0, 0, "192.0.2.2"},
        {"a.test", DNS_AAAA, 0, 0, "2001:db8::1"}, {"b.test", DNS_A, 0, 0, "192.0.2.3"},
    };
    struct fixture *f = *state;

    look_up(f, zone, ARRAY_N(zone), ROUTE_MX, "far.test");
    assert_int_equal(f->result, MX_OK);
    assert_int_equal(f->mx.targets_n, 4);
    check_target(f, 0, "a.test", "2001:db8::1");
    check_target(f, 1, "a.test", "192.0.2.1");
    check_target(f, 2, "a.test", "192.0.2.2");
    check_target(f, 3, "b.test", "192.0.2.3");
}

static void without_mx_the_domain_itself_is_asked(void **state)
{
    static const struct zone zone[] = {{"far.test", DNS_A, 0, 0, "192.0.2.1"}};
    struct fixture *f = *state;

    look_up(f, zone, ARRAY_N(zone), ROUTE_MX, "far.test");
    assert_int_equal(f->result, MX_OK);
    check_target(f, 0, "far.test", "192.0.2.1");
}

static void ourselves_and_what_is_not_better_are_left_out(void **state)
{
    static const struct zone zone[] = {
        {"far.test", DNS_MX, 0, 20, "MAIL.home.test"}, {"far.test", DNS_MX, 0, 20, "c.test"},
        {"far.test", DNS_MX, 0, 30, "d.test"},         {"far.test", DNS_MX, 0, 10, "a.test"},
        {"a.test", DNS_A, 0, 0, "192.0.2.1"},          {"c.test", DNS_A, 0, 0, "192.0.2.3"},
        {"d.test", DNS_A, 0, 0, "192.0.2.4"},
    };
    struct fixture *f = *state;

    look_up(f, zone, ARRAY_N(zone), ROUTE_MX, "far.test");
    assert_int_equal(f->mx.targets_n, 1);
    check_target(f, 0, "a.test", "192.0.2.1");
}

static void check_failure(void **state, const struct zone *zone, size_t n, enum mx_result result,
                          const char *status)
{
    struct fixture *f = *state;

    look_up(f, zone, n, ROUTE_MX, "far.test");
    assert_int_equal(f->result, result);
    assert_string_equal(f->mx.status, status);
    assert_non_null(strstr(f->mx.why, "far.test"));
}

static void a_null_mx_is_a_refusal(void **state)
{
    static const struct zone zone[] = {{"far.test", DNS_MX, 0, 0, ""},
                                       {"far.test", DNS_A, 0, 0, "192.0.2.1"}};

    check_failure(state, zone, ARRAY_N(zone), MX_PERM, "5.1.10");
}

static void a_domain_that_does_not_exist_is_a_refusal(void **state)
{
    check_failure(state, NULL, 0, MX_PERM, "5.1.2");
}

static void a_domain_that_leads_to_us_is_a_refusal(void **state)
{
    static const struct zone zone[] = {{"far.test", DNS_MX, 0, 10, "mail.home.test"},
                                       {"far.test", DNS_MX, 0, 10, "a.test"}};

    check_failure(state, zone, ARRAY_N(zone), MX_PERM, "5.4.6");
}

static void servers_without_an_address_are_a_refusal(void **state)
{
    static const struct zone zone[] = {{"far.test", DNS_MX, 0, 10, "a.test"}};

    check_failure(state, zone, ARRAY_N(zone), MX_PERM, "5.4.4");
}

static void trouble_with_mx_or_address_is_for_now(void **state)
{
    static const struct zone zone[] = {{"far.test", DNS_MX, 0, 10, "a.test"},
                                       {"a.test", DNS_A, DNS_MSG_SERVFAIL, 0, NULL}};

    check_failure(state, zone, ARRAY_N(zone), MX_TEMP, "4.4.3");
}

static void mx_trouble_is_for_now(void **state)
{
    static const struct zone zone[] = {{"far.test", DNS_MX, DNS_MSG_SERVFAIL, 0, NULL}};

    check_failure(state, zone, ARRAY_N(zone), MX_TEMP, "4.4.3");
}

static void a_configured_host_is_asked_for_its_address_only(void **state)
{
    static const struct zone zone[] = {{"hub.test", DNS_MX, 0, 10, "other.test"},
                                       {"hub.test", DNS_A, 0, 0, "192.0.2.1"}};
    struct fixture *f = *state;

    look_up(f, zone, ARRAY_N(zone), ROUTE_HOST, "hub.test");
    check_target(f, 0, "hub.test", "192.0.2.1");
}

static void a_configured_host_without_address_bounces_nothing(void **state)
{
    struct fixture *f = *state;

    look_up(f, NULL, 0, ROUTE_RELAY, "hub.test");
    assert_int_equal(f->result, MX_TEMP);
}

static void an_address_needs_no_look_up(void **state)
{
    struct fixture *f = *state;

    f->mx = (struct mx){.fn = on_result, .conf = &conf};
    mx_start(&f->mx, &(struct route){.kind = ROUTE_HOST, .port = 2525, .host = "2001:db8::7"});
    assert_int_equal(f->result, MX_OK);
    check_target(f, 0, "", "2001:db8::7");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(hosts_come_by_preference_and_ipv6_first),
        T(without_mx_the_domain_itself_is_asked),
        T(ourselves_and_what_is_not_better_are_left_out),
        T(a_null_mx_is_a_refusal),
        T(a_domain_that_does_not_exist_is_a_refusal),
        T(a_domain_that_leads_to_us_is_a_refusal),
        T(servers_without_an_address_are_a_refusal),
        T(trouble_with_mx_or_address_is_for_now),
        T(mx_trouble_is_for_now),
        T(a_configured_host_is_asked_for_its_address_only),
        T(a_configured_host_without_address_bounces_nothing),
        T(an_address_needs_no_look_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
