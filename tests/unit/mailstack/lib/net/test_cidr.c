/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "runtime/base/err.h"

#include "mailstack/lib/net/cidr.h"

#include "tests/lib/test.h"

/* As a peer would come: through cidr_addr. */
static struct in6_addr peer(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(25)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(25)};
    struct sockaddr_storage ss = {0};
    struct in6_addr out;

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&ss, &v4, sizeof(v4));
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(&ss, &v6, sizeof(v6));
    }
    assert_true(cidr_addr(&ss, &out));
    return out;
}

static void networks_hold_their_addresses_and_no_others(void **state)
{
    static const struct {
        const char *net;
        const char *in;
        const char *out;
    } cases[] = {
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.0/24", "::ffff:192.0.2.1", "::192.0.2.1"},
        {"192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
        {"192.0.2.1", "192.0.2.1", "192.0.2.0"},
        {"192.0.2.1/32", "192.0.2.1", "192.0.2.3"},
        {"0.0.0.0/0", "255.255.255.255", "2001:db8::1"}, /* all of IPv4 is not all */
        {"::/0", "2001:db8::1", NULL},
        {"::/0", "192.0.2.1", NULL},
        {"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"},
        {"::1", "::1", "::2"},
        {"fe80::/10", "febf::1", "fec0::1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(cases); i++) {
        struct err err = {0};
        struct cidr c;
        struct in6_addr a = peer(cases[i].in);

        assert_ok(cidr_parse(str_of(cases[i].net), &c, &err), &err);
        assert_true(cidr_has(&c, &a));
        if (cases[i].out) {
            a = peer(cases[i].out);
            assert_false(cidr_has(&c, &a));
        }
    }
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "/24",
        "192.0.2.0/",
        "192.0.2.0/33",
        "192.0.2.0/-1",
        "192.0.2/24",
        "192.0.2.0/ 8",
        "192.0.2.1/24",
        "::1/127",
        "2001:db8::/129",
        "::/0/0",
        "example.org",
        "192.0.2.256",
        "1",
        " 192.0.2.1",
        "fe80::1%lo",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        struct cidr c = {.bits = 77};
        struct err err = {0};

        assert_int_equal(cidr_parse(str_of(bad[i]), &c, &err), -1);
        assert_int_equal(c.bits, 77);
        assert_true(err.text[0] != '\0');
    }
}

static void a_view_is_not_read_beyond_its_end(void **state)
{
    struct cidr c;
    struct err err = {0};

    (void)state;
    assert_ok(cidr_parse(str_head(STR("192.0.2.12"), 9), &c, &err), &err);
    assert_int_equal(c.net.s6_addr[15], 1);
    assert_int_equal(cidr_parse(STR("192.0.2.1\0.5"), &c, &err), -1);
}

static void a_unix_socket_has_no_address(void **state)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNIX};
    struct in6_addr a;

    (void)state;
    assert_false(cidr_addr(&ss, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_hold_their_addresses_and_no_others),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(a_view_is_not_read_beyond_its_end),
        cmocka_unit_test(a_unix_socket_has_no_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
