/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/own.h"
#include "runtime/container/usernet_args.h"
#include "runtime/spec/publish.h"

#include "tests/lib/test.h"

static const struct publish ports[] = {
    {PUBLISH_EVERY, "", 8080, 80, false},
    {PUBLISH_IPV4, "127.0.0.1", 8443, 443, false},
    {PUBLISH_IPV4, "0.0.0.0", 5353, 53, true},
};

static void check(const struct usernet_kind *kind, bool root, size_t n, const char *expected)
{
    struct arena *a = arena_new(1 << 16);
    const struct usernet_target target = {.pid = 4711, .root = root};
    char *const *argv = usernet_args(a, kind, &target, ports, n);
    own_buf struct buf line = BUF_INIT(4096);

    assert_non_null(argv);
    for (size_t i = 0; argv[i] != NULL; i++)
        buf_printf(&line, "%s%s", i == 0 ? "" : " ", argv[i]);
    assert_string_equal(buf_c(&line), expected);
    arena_free(a);
}

static void pasta_of_an_ordinary_user_joins_by_pid(void **state)
{
    (void)state;
    check(&usernet_pasta, false, 0,
          "pasta --config-net --foreground --quiet --no-map-gw -T none -U none --pid "
          "/proc/self/fd/1 -t none -u none 4711");
}

static void pasta_of_root_finds_the_namespace_as_its_input(void **state)
{
    (void)state;
    check(&usernet_pasta, true, 3,
          "pasta --config-net --foreground --quiet --no-map-gw -T none -U none --pid "
          "/proc/self/fd/1 -t 8080:80 -t 127.0.0.1/8443:443 -u 0.0.0.0/5353:53 --runas 0 "
          "--no-netns-quit --netns-only --netns /proc/self/fd/0");
}

static void slirp4netns_is_asked_for_ports_later(void **state)
{
    (void)state;
    check(&usernet_slirp4netns, false, 1,
          "slirp4netns --configure --mtu=65520 --disable-host-loopback --enable-sandbox "
          "--enable-seccomp --ready-fd=3 --exit-fd=4 --api-socket=slirp.sock 4711 tap0");
    check(&usernet_slirp4netns, true, 0,
          "slirp4netns --configure --mtu=65520 --disable-host-loopback --enable-sandbox "
          "--enable-seccomp --ready-fd=3 --exit-fd=4 --netns-type=path /proc/self/fd/0 tap0");
}

static void what_a_helper_cannot_publish_is_refused(void **state)
{
    const struct publish six = {PUBLISH_IPV6, "::1", 8080, 80, false};
    struct err err = {0};

    (void)state;
    assert_ok(usernet_check_ports(&usernet_slirp4netns, ports, 3, &err), &err);
    assert_ok(usernet_check_ports(&usernet_pasta, &six, 1, &err), &err);
    assert_int_equal(usernet_check_ports(&usernet_slirp4netns, &six, 1, &err), -1);
    assert_err(&err, "publish '[::1]:8080:80': slirp4netns publishes on IPv4 addresses only");
    assert_int_equal(usernet_check_ports(&usernet_pasta, ports, PUBLISH_MAX + 1, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pasta_of_an_ordinary_user_joins_by_pid),
        cmocka_unit_test(pasta_of_root_finds_the_namespace_as_its_input),
        cmocka_unit_test(slirp4netns_is_asked_for_ports_later),
        cmocka_unit_test(what_a_helper_cannot_publish_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
