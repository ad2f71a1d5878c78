/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cli/criu_opts.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/own.h"
#include "runtime/base/str.h"

const char *const criu_cgroup_modes[] = {"soft", NULL};

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
                                         .file_locks = o->file_locks.on};
    if (out->image_path == NULL && here != NULL)
        out->image_path = arena_printf(c->arena, "%s/checkpoint", here);
    return out->image_path != NULL ? 0 : err_set(err, ENOENT, "the current directory");
}
