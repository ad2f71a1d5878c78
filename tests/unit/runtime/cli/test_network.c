/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/arena.h"
#include "runtime/cli/network.h"
#include "runtime/container/container.h"
#include "runtime/spec/oci.h"
#include "runtime/spec/publish.h"

#include "tests/lib/test.h"

static const char *ports[] = {"8080:80", "[::1]:5353:53/udp", NULL};

static const struct row {
    const char *network;
    size_t ports_n;
    enum oci_ns_mode mode;
    enum container_network then;
    enum oci_ns_mode mode_then;
    const char *why; /* NULL: accepted */
} rows[] = {
    {NULL, 0, OCI_NS_NEW, CONTAINER_NETWORK_CONFIG, OCI_NS_NEW, NULL},
    {NULL, 0, OCI_NS_HOST, CONTAINER_NETWORK_CONFIG, OCI_NS_HOST, NULL},
    {NULL, 1, OCI_NS_NEW, 0, 0, "'--publish' needs '--network'"},
    {"none", 0, OCI_NS_NEW, CONTAINER_NETWORK_CONFIG, OCI_NS_NEW, NULL},
    {"none", 0, OCI_NS_HOST, 0, 0, "no network namespace of its own"},
    {"none", 0, OCI_NS_JOIN, 0, 0, "no network namespace of its own"},
    {"none", 1, OCI_NS_NEW, 0, 0, "'--publish' needs '--network'"},
    {"host", 0, OCI_NS_NEW, CONTAINER_NETWORK_CONFIG, OCI_NS_HOST, NULL},
    {"host", 0, OCI_NS_HOST, CONTAINER_NETWORK_CONFIG, OCI_NS_HOST, NULL},
    {"host", 0, OCI_NS_JOIN, 0, 0, "by its path"},
    {"pasta", 2, OCI_NS_NEW, CONTAINER_NETWORK_PASTA, OCI_NS_NEW, NULL},
    {"slirp4netns", 0, OCI_NS_NEW, CONTAINER_NETWORK_SLIRP4NETNS, OCI_NS_NEW, NULL},
    {"auto", 2, OCI_NS_NEW, CONTAINER_NETWORK_AUTO, OCI_NS_NEW, NULL},
};

static void check(const struct row *row)
{
    struct arena *a = arena_new(1 << 20);
    struct oci_config *config = oci_default(a, OCI_DEFAULT, 0, 0);
    struct network_opts o = {.network = row->network, .publish = {ports, row->ports_n}};
    struct container_create create = {.id = "x"};
    enum network_change change;
    struct err err = {0};
    int r;

    config->linux_.ns[OCI_NS_NETWORK].mode = row->mode;
    r = network_apply(a, &o, config, &create, &change, &err);
    if (row->why != NULL) {
        assert_int_equal(r, -1);
        assert_err(&err, row->why);
    } else {
        assert_ok(r, &err);
        assert_int_equal(create.network, row->then);
        assert_int_equal(create.ports_n, row->ports_n);
        assert_int_equal(config->linux_.ns[OCI_NS_NETWORK].mode, row->mode_then);
        assert_int_equal(change, row->mode == row->mode_then ? NETWORK_SAME : NETWORK_CHANGED);
    }
    arena_free(a);
}

static void the_option_and_the_namespace_must_fit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        check(&rows[i]);
}

static void a_port_that_is_none_is_named(void **state)
{
    struct arena *a = arena_new(1 << 20);
    const char *bad[] = {"8080:80", "80", NULL};
    struct network_opts o = {.network = "pasta", .publish = {bad, 2}};
    struct container_create create = {.id = "x"};
    enum network_change change;
    struct err err = {0};

    (void)state;
    assert_int_equal(
        network_apply(a, &o, oci_default(a, OCI_DEFAULT, 0, 0), &create, &change, &err), -1);
    assert_err(&err, "option '--publish': '80': expected");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_option_and_the_namespace_must_fit),
        cmocka_unit_test(a_port_that_is_none_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
