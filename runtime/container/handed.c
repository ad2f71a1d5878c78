/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/handed.h"

#include <sys/resource.h>

#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/container/init.h"
#include "runtime/container/steps.h"
#include "runtime/container/sync.h"

/* Of binds the child has what it needs since it was cloned. */
static struct sync_places mounts_of(const struct init *in)
{
    struct sync_places p = {.n = 0};

    for (size_t i = 0; i < in->config->mounts_n; i++)
        if (!oci_mount_is_bind(&in->config->mounts[i]))
            sync_add_place(&p, &in->source_fds[i]);
    return p;
}

static struct sync_places groups_of(struct init *in)
{
    struct sync_places p = {.n = 0};

    sync_add_place(&p, &in->groups_fs_fd);
    sync_add_place(&p, &in->mask_fs_fd);
    for (size_t i = 0; i < in->doors.n; i++)
        sync_add_place(&p, &in->doors.fds[i]);
    return p;
}

static int hand(int sync_fd, const struct sync_places *p, struct err *err)
{
    int r = sync_send_places(sync_fd, p, err);

    for (size_t i = 0; i < p->n; i++)
        fd_close(p->v[i]);
    return r;
}

int handed_send_mounts(struct init *in, int sync_fd, struct err *err)
{
    struct sync_places p = mounts_of(in);

    return hand(sync_fd, &p, err);
}

int step_take_mounts(struct init *in, size_t index, struct err *err)
{
    struct sync_places p = mounts_of(in);

    (void)index;
    return sync_wait_places(in->sync_fd, &p, err);
}

#define FILES_MIN 128 /* with fewer the child opens them, when it needs them */

static void make_groups(struct init *in)
{
    struct rlimit files;
    struct err ignored;

    if (in->cgroup->unified || getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur < FILES_MIN)
        return;
    in->groups_fs_fd = groups_prepare(in, &ignored);
    if (in->config->linux_.masked_paths.n > 0)
        in->mask_fs_fd = mask_prepare(in, &ignored);
    if (cgroup_doors_open(in->cgroup, &in->doors, init_enters(in), &ignored) < 0)
        return; /* to those that are shut the child goes by their names */
}

int handed_send_groups(struct init *in, int sync_fd, struct err *err)
{
    struct sync_places p = groups_of(in);

    make_groups(in);
    return hand(sync_fd, &p, err);
}

int handed_take_groups(struct init *in, struct err *err)
{
    struct sync_places p = groups_of(in);

    return sync_wait_places(in->sync_fd, &p, err);
}
