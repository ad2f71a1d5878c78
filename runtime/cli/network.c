/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/network.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/container/container.h"
#include "runtime/spec/oci.h"
#include "runtime/spec/publish.h"

enum {
    NET_HOST,
    NET_NONE,
    NET_PASTA,
    NET_SLIRP4NETNS,
    NET_AUTO
};

const char *const network_names[] = {
    [NET_HOST] = "host",   [NET_NONE] = "none",
    [NET_PASTA] = "pasta", [NET_SLIRP4NETNS] = "slirp4netns",
    [NET_AUTO] = "auto",   NULL,
};

/* Of those without a helper none. */
static const enum container_network helpers[] = {
    [NET_HOST] = CONTAINER_NETWORK_CONFIG, [NET_NONE] = CONTAINER_NETWORK_CONFIG,
    [NET_PASTA] = CONTAINER_NETWORK_PASTA, [NET_SLIRP4NETNS] = CONTAINER_NETWORK_SLIRP4NETNS,
    [NET_AUTO] = CONTAINER_NETWORK_AUTO,
};

static size_t choice(const struct network_opts *o)
{
    size_t i = 0;

    while (strcmp(network_names[i], o->network) != 0)
        i++; /* the option parser let nothing else through */
    return i;
}

static int host(struct oci_config *config, enum network_change *change, struct err *err)
{
    struct oci_namespace *ns = &config->linux_.ns[OCI_NS_NETWORK];

    if (ns->mode == OCI_NS_JOIN)
        return err_set(err, 0,
                       "--network host: $.linux.namespaces names a network namespace by its path");
    if (ns->mode == OCI_NS_NEW)
        *change = NETWORK_CHANGED;
    ns->mode = OCI_NS_HOST;
    return 0;
}

static int none(const struct oci_config *config, struct err *err)
{
    if (config->linux_.ns[OCI_NS_NETWORK].mode == OCI_NS_NEW)
        return 0;
    return err_set(err, 0,
                   "--network none: $.linux.namespaces gives the container no network namespace of "
                   "its own");
}

static int take_ports(struct arena *a, const struct opt_list *list, struct container_create *out,
                      struct err *err)
{
    struct publish *ports = NULL;

    if (list->n > PUBLISH_MAX)
        return err_set(err, 0, "option '--publish': more than %d", PUBLISH_MAX);
    ports = arena_array(a, list->n, sizeof *ports);
    if (ports == NULL)
        return err_set(err, ENOMEM, "option '--publish'");
    for (size_t i = 0; i < list->n; i++)
        if (publish_parse(str_of(list->v[i]), &ports[i], err) < 0)
            return err_wrap(err, "option '--publish': '%.64s'", list->v[i]);
    out->ports = ports;
    out->ports_n = list->n;
    return 0;
}

int network_apply(struct arena *a, const struct network_opts *o, struct oci_config *config,
                  struct container_create *out, enum network_change *change, struct err *err)
{
    size_t how = o->network != NULL ? choice(o) : NET_HOST;

    *change = NETWORK_SAME;
    if (o->publish.n > 0 && helpers[how] == CONTAINER_NETWORK_CONFIG)
        return err_set(err, 0,
                       "option '--publish' needs '--network' pasta, slirp4netns or auto: nobody "
                       "else leads ports to the container");
    if (o->network == NULL)
        return 0;
    if ((how == NET_HOST && host(config, change, err) < 0) ||
        (how == NET_NONE && none(config, err) < 0))
        return -1;
    out->network = helpers[how];
    return take_ports(a, &o->publish, out, err);
}
