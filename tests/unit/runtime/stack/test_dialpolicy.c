/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/dialmsg.h"
#include "runtime/stack/dialpolicy.h"

#include "tests/lib/stackconf.h"
#include "tests/lib/test.h"

static struct sockaddr_storage addr(const char *host, uint16_t port)
{
    struct sockaddr_storage a;
    struct err err = {0};

    assert_ok(dialmsg_parse_addr(str_of(host), port, &a, &err), &err);
    return a;
}

static const char *asks(const struct dialpolicy *p, const char *host, uint16_t port)
{
    struct sockaddr_storage own[2] = {addr("198.41.0.9", 0), addr("2001:4860:4860::9", 0)};
    struct sockaddr_storage to = addr(host, port);

    return dialpolicy_refuses(p, &to, own, ARRAY_N(own));
}

static void make(struct stackconf *s, const char *more, const char *service, struct dialpolicy *p)
{
    stackconf_load(s, "/nowhere", STACKCONF_LISTEN, more);
    dialpolicy_make(s->a, s->c, svc_get(&s->t, service), p);
}

static void public_addresses_are_reached_on_the_ports_of_the_row(void **state)
{
    static const char *const hosts[] = {"8.8.8.8", "198.41.0.4", "::ffff:8.8.8.8",
                                        "2001:4860:4860::8888", "2a00:1450:4001::1"};
    struct stackconf s;
    struct dialpolicy p;

    (void)state;
    make(&s, "", "queued", &p);
    for (size_t i = 0; i < ARRAY_N(hosts); i++) {
        assert_null(asks(&p, hosts[i], 25));
        assert_null(asks(&p, hosts[i], 465));
        assert_null(asks(&p, hosts[i], 587));
        assert_non_null(asks(&p, hosts[i], 80));
        assert_non_null(asks(&p, hosts[i], 22));
        assert_non_null(asks(&p, hosts[i], 0));
    }
    stackconf_done(&s);
}

/* Whatever spelling is used for them. */
static void what_is_not_public_is_refused(void **state)
{
    static const char *const hosts[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "198.41.0.9",
        "::ffff:198.41.0.9",
        "2001:4860:4860::9", /* this host's own */
    };
    struct stackconf s;
    struct dialpolicy p;

    (void)state;
    make(&s, "", "queued", &p);
    for (size_t i = 0; i < ARRAY_N(hosts); i++)
        if (!asks(&p, hosts[i], 25))
            fail_msg("%s may be dialled", hosts[i]);
    stackconf_done(&s);
}

static void the_neighbours_of_forbidden_networks_are_public(void **state)
{
    static const char *const hosts[] = {
        "1.0.0.0",         "9.255.255.255",  "11.0.0.0",       "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.0",      "172.15.255.255", "172.32.0.0",     "192.167.255.255",
        "192.169.0.0",     "198.17.255.255", "198.20.0.0",     "223.255.255.255"};
    struct stackconf s;
    struct dialpolicy p;

    (void)state;
    make(&s, "", "queued", &p);
    for (size_t i = 0; i < ARRAY_N(hosts); i++)
        assert_null(asks(&p, hosts[i], 25));
    stackconf_done(&s);
}

static void a_route_opens_its_address_with_its_port_only(void **state)
{
    struct stackconf s;
    struct dialpolicy p;

    (void)state;
    make(&s,
         ", \"smtp\": {\"routes\": {\"partner.example\": \"smtp://10.0.0.9:2525\","
         " \"named.example\": \"smtp://mx.partner.example:2626\"}}",
         "queued", &p);
    assert_null(asks(&p, "10.0.0.9", 2525));
    assert_null(asks(&p, "::ffff:10.0.0.9", 2525));
    assert_non_null(asks(&p, "10.0.0.9", 25));
    assert_non_null(asks(&p, "10.0.0.8", 2525));
    assert_non_null(asks(&p, "127.0.0.1", 2525));
    /* A route by name: its port, but only to where a name may lead. */
    assert_null(asks(&p, "8.8.8.8", 2626));
    assert_non_null(asks(&p, "10.0.0.9", 2626));
    stackconf_done(&s);
}

static void allow_opens_a_network_for_the_ports_of_the_row(void **state)
{
    struct stackconf s;
    struct dialpolicy p;

    (void)state;
    make(&s, ", \"dial\": {\"allow\": [\"10.1.0.0/16\", \"fd00::/8\"]}", "queued", &p);
    assert_null(asks(&p, "10.1.2.3", 25));
    assert_null(asks(&p, "::ffff:10.1.2.3", 25));
    assert_null(asks(&p, "fd12::1", 587));
    assert_non_null(asks(&p, "10.2.0.1", 25));
    assert_non_null(asks(&p, "10.1.2.3", 80));
    stackconf_done(&s);
}

static void a_row_without_ports_dials_nobody(void **state)
{
    struct stackconf s;
    struct dialpolicy p;

    (void)state;
    stackconf_load(&s, "/nowhere", STACKCONF_LISTEN, "");
    p = (struct dialpolicy){.ports_n = 0};
    assert_non_null(asks(&p, "8.8.8.8", 25));
    for (size_t i = 0; i < SVC_N; i++)
        assert_true(!s.t.v[i].dials || s.t.v[i].dial_n > 0);
    stackconf_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_addresses_are_reached_on_the_ports_of_the_row),
        cmocka_unit_test(what_is_not_public_is_refused),
        cmocka_unit_test(the_neighbours_of_forbidden_networks_are_public),
        cmocka_unit_test(a_route_opens_its_address_with_its_port_only),
        cmocka_unit_test(allow_opens_a_network_for_the_ports_of_the_row),
        cmocka_unit_test(a_row_without_ports_dials_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
