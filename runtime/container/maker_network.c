/* SPDX-License-Identifier: Apache-2.0 */
/* The network that a helper connects: whether there may be one, and its start. */
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/container/maker.h"

/* A namespace that others made may be anybody's, and the host's needs no helper. */
static int check_own_network(const struct maker *m, struct err *err)
{
    switch (m->config->linux_.ns[OCI_NS_NETWORK].mode) {
    case OCI_NS_NEW:
        return 0;
    case OCI_NS_JOIN:
        return err_set(err, 0,
                       "$.linux.namespaces: the network namespace is named by its path, and only a "
                       "new one can be connected");
    case OCI_NS_HOST:
        break;
    }
    return err_set(err, 0,
                   "$.linux.namespaces: the container has no network namespace of its own that "
                   "could be connected");
}

int maker_decide_network(struct maker *m, struct err *err)
{
    static const struct usernet_kind *const kinds[] = {[CONTAINER_NETWORK_PASTA] = &usernet_pasta,
                                                       [CONTAINER_NETWORK_SLIRP4NETNS] =
                                                           &usernet_slirp4netns,
                                                       [CONTAINER_NETWORK_AUTO] = NULL};
    const struct container_create *c = m->create;

    if (c->network == CONTAINER_NETWORK_CONFIG)
        return 0;
    m->net_kind = kinds[c->network];
    if (check_own_network(m, err) < 0)
        return -1;
    m->net_program = usernet_find(m->arena, &m->net_kind, err);
    return m->net_program == NULL ? -1
                                  : usernet_check_ports(m->net_kind, c->ports, c->ports_n, err);
}

int maker_network(struct maker *m, struct err *err)
{
    const struct usernet_ask ask = {
        .kind = m->net_kind,
        .program = m->net_program,
        .ports = m->create->ports,
        .ports_n = m->create->ports_n,
        .target = {.pid = m->child.pid, .root = geteuid() == 0},
        .pid_fd = m->child.pid_fd,
        .dir = state_path(m->arena, m->env, m->create->id),
        .dir_fd = m->state.dir_fd,
    };

    return usernet_start(m->arena, &ask, &m->state.net, err);
}
