/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a path, a newline, and a /proc/self/cgroup. No group is outside of its mount, none is the
 * root, and what is written down is found again. Then the whole as what a state has written down.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/kernel/cgroup.h"

#define ARENA_MAX (64U << 20)
#define TEXT_MAX  (8U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_recall(struct arena *a, const struct cgroup *g)
{
    own_buf struct buf first = BUF_INIT(TEXT_MAX), second = BUF_INIT(TEXT_MAX);
    struct cgroup again;
    struct err err;

    cgroup_describe(g, &first);
    if (cgroup_recall(a, buf_str(&first), &again, &err) < 0)
        return; /* a controller with a colon in its name is none */
    cgroup_describe(&again, &second);
    assert(again.n == g->n && str_eq(buf_str(&first), buf_str(&second)));
}

static void check_parse(struct arena *a, struct str path, struct cgroup_host *host)
{
    struct cgroup g;
    struct err err;

    if (cgroup_parse(a, host, arena_copy(a, path), &g, &err) < 0)
        return;
    assert(g.n <= CGROUP_HIERS_MAX && g.unified == host->unified);
    for (size_t i = 0; i < g.n; i++) {
        struct str p = str_of(g.v[i].path);

        assert(path_is_absolute(p) && path_is_clean(p) && p.n > 1);
        assert(str_find_str(p, STR("/../")) < 0 && !str_ends(p, STR("/..")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, path = STR_NONE, self = STR_NONE;
    struct arena *a = arena_new(ARENA_MAX);
    struct cgroup g;
    struct err err;

    if (str_find(in, '\0') >= 0) /* neither the kernel nor JSON has one */
        in = STR_NONE;
    if (str_cut(in, '\n', &path, &self))
        for (int i = 0; i < 8; i++) {
            struct cgroup_host host = {.self = self,
                                       .unified = (i & 1) != 0,
                                       .v2_mount = (i & 2) != 0 ? "/sys/fs/cgroup" : NULL,
                                       .systemd = (i & 4) != 0};

            check_parse(a, path, &host);
        }
    if (cgroup_recall(a, in, &g, &err) == 0)
        check_recall(a, &g);
    arena_free(a);
    return 0;
}
