/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/tmpdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/mem.h"
#include "runtime/base/own.h"

#define TEMPLATE "/tmp/mr-t.XXXXXX"

struct tmpdir *tmpdir_new(void)
{
    struct tmpdir *t = mem_type(struct tmpdir);

    (void)snprintf(t->path, sizeof(t->path), TEMPLATE); /* fits */
    if (mkdtemp(t->path) == NULL)
        abort();
    t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->fd < 0)
        abort();
    return t;
}

void tmpdir_free(struct tmpdir *t)
{
    struct err err;

    if (t == NULL)
        return;
    own_close_fd(&t->fd);
    if (file_remove_tree(AT_FDCWD, t->path, &err) < 0)
        (void)fprintf(stderr, "%s\n", err.text);
    free(t);
}

int tmpdir_setup(void **state)
{
    *state = tmpdir_new();
    return 0;
}

int tmpdir_teardown(void **state)
{
    tmpdir_free(*state);
    return 0;
}

const char *tmpdir_path(const struct tmpdir *t, const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % ARRAY_N(paths)];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", t->path, name);
    return path;
}
