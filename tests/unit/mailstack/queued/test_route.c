/* SPDX-License-Identifier: Apache-2.0 */
#include "mailstack/queued/conf.h"
#include "mailstack/queued/route.h"

#include "tests/lib/test.h"

static char near_domain[] = "near.test";
static char near_host[] = "10.0.0.9";
static char star_domain[] = "*";
static char star_host[] = "hub.test";
static char relay_host[] = "relay.test";
static char own_domain[] = "home.test";
static char *own_domains[] = {own_domain};

static void check(const struct conf *c, const char *domain, const char *key, int port)
{
    struct route r;
    struct err err = {0};

    assert_ok(route_find(c, str_of(domain), &r, &err), &err);
    assert_string_equal(r.key, key);
    assert_int_equal(r.port, port);
}

static void the_order_is_own_route_relay_mx(void **state)
{
    struct conf_host routes[] = {{near_domain, near_host, 26}, {star_domain, star_host, 27}};
    struct conf c = {.domains = own_domains,
                     .domains_n = 1,
                     .routes = routes,
                     .routes_n = 2,
                     .port = 25,
                     .relay = {.host = relay_host, .port = 587}};

    (void)state;
    check(&c, "HOME.test", "lmtp:", 0);
    check(&c, "Near.test", "host:10.0.0.9:26", 26);
    check(&c, "else.test", "host:hub.test:27", 27);
    c.routes_n = 1;
    check(&c, "else.test", "relay:relay.test", 587);
    check(&c, "[192.0.2.1]", "relay:relay.test", 587);
    c.relay.host = NULL;
    check(&c, "Else.test", "mx:else.test", 25);
    check(&c, "[192.0.2.1]", "host:192.0.2.1:25", 25);
    check(&c, "[IPv6:2001:db8::1]", "host:2001:db8::1:25", 25);
}

static void international_domains_are_asked_for_as_dns_has_them(void **state)
{
    struct conf c = {.port = 25};

    (void)state;
    check(&c,
          "b\xc3\xbc"
          "cher.test",
          "mx:xn--bcher-kva.test", 25);
    check(&c,
          "B\xc3\x9c"
          "CHER.test",
          "mx:xn--bcher-kva.test", 25);
}

static void what_is_no_domain_is_refused(void **state)
{
    struct conf c = {.port = 25};
    struct route r;
    struct err err = {0};
    char text[300];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(route_find(&c, STR_NONE, &r, &err), -1);
    assert_int_equal(route_find(&c, (struct str){text, 256}, &r, &err), -1);
    assert_int_equal(route_find(&c, STR("\xff\xfe.test"), &r, &err), -1);
    assert_int_equal(route_find(&c, STR("a\0b"), &r, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_own_route_relay_mx),
        cmocka_unit_test(international_domains_are_asked_for_as_dns_has_them),
        cmocka_unit_test(what_is_no_domain_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
