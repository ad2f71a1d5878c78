/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/criu_opts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/own.h"

const char *const criu_cgroup_modes[] = {"soft", "full", "strict", "ignore", NULL};
const char *const criu_network_locks[] = {"iptables", "nftables", "skip", NULL};

int criu_opts_take(struct cmd *c, const struct criu_opts *o, struct container_checkpoint *out,
                   struct err *err)
{
    own_free char *here = get_current_dir_name();

    *out = (struct container_checkpoint){.criu = c->criu,
                                         .image_path = o->image_path,
                                         .work_path = o->work_path,
                                         .tcp_established = o->tcp_established.on,
                                         .ext_unix_sk = o->ext_unix_sk.on,
                                         .shell_job = o->shell_job.on,
                                         .file_locks = o->file_locks.on,
                                         .lazy_pages = o->lazy_pages.on,
                                         .auto_dedup = o->auto_dedup.on,
                                         .manage_cgroups = o->manage_cgroups,
                                         .network_lock = o->network_lock,
                                         .empty_net = o->empty_ns.n > 0};
    for (size_t i = 0; i < o->empty_ns.n; i++)
        if (strcmp(o->empty_ns.v[i], "network") != 0)
            return err_set(err, 0, "option '--empty-ns': expected 'network', found '%.64s'",
                           o->empty_ns.v[i]);
    if (out->image_path == NULL && here != NULL)
        out->image_path = arena_printf(c->arena, "%s/checkpoint", here);
    return out->image_path != NULL ? 0 : err_set(err, ENOENT, "the current directory");
}
