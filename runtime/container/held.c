/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/container/held.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/kernel/cgroup.h"
#include "runtime/kernel/cgroup_v2.h"

#define GROUPS_MAX  65536
#define END_WAIT_MS 1000

static bool may_freeze(const struct cgroup_hier *h)
{
    return cgroup_hier_has(h, STR("freezer"));
}

/* Of "4:cpu,freezer:/a/b". */
static struct str v1_line(struct str text)
{
    struct str line, number, names, path, one;

    while (str_next(&text, '\n', &line)) {
        if (!str_cut(line, ':', &number, &names) || !str_cut(names, ':', &names, &path))
            continue;
        while (str_next(&names, ',', &one))
            if (str_eq_c(one, "freezer"))
                return path;
    }
    return STR_NONE;
}

struct str held_path(struct str text, const struct cgroup_hier *h)
{
    struct str path = h->v2 ? cgroup_v2_line(text) : v1_line(text);

    return path_has_dotdot(path) ? STR_NONE : path;
}

bool held_group(const struct cgroup_hier *h)
{
    char path[PATH_MAX];
    struct cgroup_hier up = {.controllers = h->controllers, .mount = h->mount, .v2 = h->v2};
    char *end = NULL;

    if (snprintf(path, sizeof path, "%s", h->path) >= (int)sizeof path)
        return false;
    up.path = path;
    do {
        if (cgroup_hier_is_frozen(&up))
            return true;
        end = strrchr(path, '/');
        if (end != NULL)
            *end = '\0';
    } while (end != NULL);
    return false;
}

bool held_process(const struct cgroup *g, pid_t pid)
{
    own_buf struct buf text = BUF_INIT(GROUPS_MAX);
    char file[32], path[PATH_MAX];
    struct err ignored; /* then it is not known to be held up */

    (void)snprintf(file, sizeof file, "/proc/%d/cgroup", pid);
    if (file_read(AT_FDCWD, file, &text, &ignored) < 0)
        return false;
    for (size_t i = 0; i < g->n; i++) {
        struct cgroup_hier h = g->v[i];
        struct str at = held_path(buf_str(&text), &h);

        if (!may_freeze(&h) || at.n == 0 || at.n >= sizeof path)
            continue;
        (void)snprintf(path, sizeof path, "%.*s", STR_ARG(at));
        h.path = path;
        if (held_group(&h))
            return true;
    }
    return false;
}

int held_await(const struct cgroup *g, pid_t pid, struct pollfd *sock, bool *held, struct err *err)
{
    int n = 0, looks = 0;

    *held = false;
    while (!*held && (n = poll(sock, 1, HELD_LOOK_MS)) <= 0) {
        if (n < 0 && errno != EINTR)
            return err_set(err, errno, "wait for the container's process");
        if (n == 0)
            looks = held_process(g, pid) ? looks + 1 : 0;
        *held = looks == HELD_LOOKS_MAX;
    }
    return 0;
}

/* To the top of the hierarchy, which cannot be frozen. */
static void take_out(const struct cgroup *g, pid_t pid)
{
    struct cgroup top = {.n = 1};

    for (size_t i = 0; i < g->n; i++)
        if (!g->v[i].v2 && may_freeze(&g->v[i])) {
            top.v[0] = g->v[i];
            top.v[0].path = "";
            cgroup_reclaim(&top, pid);
        }
}

int held_end(const struct cgroup *g, pid_t pid, int pid_fd)
{
    struct pollfd end = {.fd = pid_fd, .events = POLLIN};

    /* First, so that it does nothing more when it is let go. */
    (void)pidfd_send_signal(pid_fd, SIGKILL, NULL, 0);
    take_out(g, pid);
    return poll(&end, 1, END_WAIT_MS) == 1 ? 0 : -1;
}
