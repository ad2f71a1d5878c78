/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"

#define NAME_MAX_N 32 /* of the file, in the directory's name: paths of sockets stay short */

static const char *hash_of(struct arena *a, const char *path)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    own_buf struct buf hex = BUF_INIT(64);

    (void)EVP_Digest(path, strlen(path), md, &n, EVP_sha256(),
                     NULL); /* a zero hash is a hash too */
    buf_append_hex(&hex, (struct str){(const char *)md, 4});
    return arena_copy(a, buf_str(&hex));
}

static const char *short_name(struct arena *a, const char *path)
{
    struct str base = path_base(str_of(path));
    char *out;

    if (str_ends(base, STR(".json")))
        base.n -= 5;
    out = arena_copy(a, str_head(base, NAME_MAX_N));
    for (char *p = out; *p; p++)
        if (!ascii_is_alnum(*p) && *p != '_')
            *p = '-';
    return out;
}

/* An ordinary user's is beneath the directory that the session made for such things. */
static const char *top_dir(struct arena *a, struct err *err)
{
    const char *xdg = geteuid() ? secure_getenv("XDG_RUNTIME_DIR") : NULL;

    if (geteuid() == 0)
        return "/run/mailbox-run";
    if (!xdg || *xdg != '/') {
        (void)err_set(err, 0,
                      "XDG_RUNTIME_DIR is not set: an ordinary user's stack needs a directory "
                      "for what is running");
        return NULL;
    }
    return arena_printf(a, "%s/mailbox-run", xdg);
}

/* Whether the group this process is in was delegated to its user (cgroup v2). */
static bool is_delegated(struct arena *a)
{
    own_buf struct buf text = BUF_INIT(8192);
    struct err ignored = {0};
    struct str rest;
    struct str line;

    if (file_read(AT_FDCWD, "/proc/self/cgroup", &text, &ignored) < 0)
        return false;
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line))
        if (str_starts(line, STR("0::")))
            return access(arena_printf(a, "/sys/fs/cgroup%.*s/cgroup.subtree_control",
                                       STR_ARG(str_skip(line, 3))),
                          W_OK) == 0;
    return false;
}

static const char *cgroup_parent(struct arena *a)
{
    if (geteuid() != 0)
        return is_delegated(a) ? "" : NULL;
    return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "/" : "";
}

int layout_find(struct arena *a, const char *file, struct layout *out, struct err *err)
{
    own_free char *real = realpath(file, NULL);

    if (!real)
        return err_set(err, errno, "'%s'", file);
    out->file = arena_copy(a, str_of(real));
    out->id = arena_printf(a, "%s-%s", short_name(a, real), hash_of(a, real));
    out->top = top_dir(a, err);
    if (!out->top)
        return -1;
    out->run = arena_printf(a, "%s/.%s", out->top, out->id); /* no container has such an id */
    out->containers = arena_printf(a, "%s/containers", out->run);
    out->cgroup = cgroup_parent(a);
    return 0;
}

const char *layout_of(struct arena *a, const struct layout *l, const char *service,
                      const char *name)
{
    if (!name)
        return arena_printf(a, "%s/%s", l->run, service);
    return arena_printf(a, "%s/%s/%s", l->run, service, name);
}
