/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>

#include "runtime/cli/cmd.h"
#include "runtime/spec/oci.h"

static int run(struct cmd *c, struct err *err)
{
    const char *what = c->args[0], *id = c->args[1];
    struct oci_mount *mounts = NULL;
    size_t n = 0;
    bool add = strcmp(what, "add") == 0;

    if (!add && strcmp(what, "remove") != 0)
        return err_set(err, 0, "mounts: expected 'add' or 'remove', found '%.64s'", what);
    if (oci_load_mounts_file(c->arena, AT_FDCWD, c->args[2], &mounts, &n, err) < 0 ||
        container_mounts(&c->env, id, add ? CONTAINER_MOUNTS_ADD : CONTAINER_MOUNTS_REMOVE, mounts,
                         n, err) < 0)
        return err_wrap(err, "mounts %s '%s'", what, id);
    return 0;
}

const struct verb cmd_mounts = {
    .name = "mounts",
    .usage = "add|remove CONTAINER-ID FILE",
    .help = "mount or unmount in a running container",
    .more = "FILE is an array of mounts as in config.json; to remove, only their destinations "
            "count.",
    .args_min = 3,
    .args_max = 3,
    .makes_process = true,
    .run = run,
};
