/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/rootfs.h"

#include <fcntl.h>

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"

#include "images/lib/image.h"

static void close_store(struct image_store **s)
{
    image_store_close(*s);
}

int rootfs_get(struct arena *a, const char *images, const char *cache, const char *name,
               struct rootfs *out, struct err *err)
{
    /* What a service's container mounts, so that a read-only root needs nothing made in it. */
    static const char *const places[] = {
        "proc",     "dev", "run", "tmp", "etc/mailstack", "var/mail", "var/spool/mailstack",
        "var/state"};
    __attribute__((cleanup(close_store))) struct image_store *s =
        image_store_open(images, IMAGE_READ, err);
    struct image_rootfs r;

    if (!s)
        return err_wrap(err, "images of the services");
    if (image_rootfs(s, a, cache, name, &r, err) < 0)
        return err_wrap(err, "image '%s'", name);
    for (size_t i = 0; i < ARRAY_N(places); i++)
        if (file_mkdir_p(AT_FDCWD, arena_printf(a, "%s/%s", r.path, places[i]), 0755, err) < 0)
            return -1;
    *out = (struct rootfs){.path = r.path,
                           .digest = r.info.digest,
                           .program = r.info.config.entrypoint.n ? r.info.config.entrypoint.v[0]
                                                                 : arena_printf(a, "/%s", name)};
    return 0;
}
