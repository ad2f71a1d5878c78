/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/kernel/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/kernel/dir.h"

#define SCHEMATA_MAX 65536

bool rdt_is_on(const char *root)
{
    own_fd int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && dir_is_on(fd, RDTGROUP_SUPER_MAGIC);
}

static int group_path(const struct rdt *r, const char *file, char out[PATH_MAX], struct err *err)
{
    const char *group = strcmp(r->group, "/") == 0 ? "." : r->group;

    if (snprintf(out, PATH_MAX, "%s/%s/%s", r->root, group, file) >= PATH_MAX)
        return err_set(err, ENAMETOOLONG, "resctrl group '%.64s...'", r->group);
    return 0;
}

static int monitor_path(const struct rdt *r, const char *file, char out[PATH_MAX], struct err *err)
{
    char name[NAME_MAX + 64];

    if (snprintf(name, sizeof name, "mon_groups/%s/%s", r->monitor, file) >= (int)sizeof name)
        return err_set(err, ENAMETOOLONG, "resctrl group '%.64s...'", r->monitor);
    return group_path(r, name, out, err);
}

/* "L3:0=f;1=f" of the request is a line "    L3:0=f;1=f" of the file. */
static bool has_line(struct str text, struct str wanted)
{
    struct str line = STR_NONE;

    while (str_next(&text, '\n', &line))
        if (str_eq(str_trim(line), str_trim(wanted)))
            return true;
    return false;
}

static int check_existing(const struct rdt *r, const char *path, struct err *err)
{
    own_buf struct buf text = BUF_INIT(SCHEMATA_MAX);

    if (r->schema_n > 0 && file_read(AT_FDCWD, path, &text, err) < 0)
        return -1;
    for (size_t i = 0; i < r->schema_n; i++) {
        struct str rest = str_of(r->schema[i]), line = STR_NONE;

        while (str_next(&rest, '\n', &line))
            if (!has_line(buf_str(&text), line))
                return err_set(err, EEXIST, "resctrl group '%s' exists and has not '%.*s'",
                               r->group, STR_ARG(line));
    }
    return 0;
}

int rdt_change(const struct rdt *r, struct err *err)
{
    char path[PATH_MAX];

    if (group_path(r, "schemata", path, err) < 0)
        return -1;
    for (size_t i = 0; i < r->schema_n; i++) {
        own_buf struct buf line = BUF_INIT(SCHEMATA_MAX);

        buf_printf(&line, "%s\n", r->schema[i]);
        if (buf_check(&line, "a resctrl schema", err) < 0 ||
            file_poke(AT_FDCWD, path, buf_str(&line), err) < 0)
            return err_wrap(err, "resctrl schema '%.128s'", r->schema[i]);
    }
    return 0;
}

static int make_monitor(const struct rdt *r, struct err *err)
{
    char path[PATH_MAX];

    if (r->monitor == NULL)
        return 0;
    if (monitor_path(r, "", path, err) < 0)
        return -1;
    return mkdir(path, 0755) < 0 ? err_set(err, errno, "make '%s'", path) : 0;
}

static int fill(const struct rdt *r, bool made, struct err *err)
{
    char path[PATH_MAX];

    if (made && r->shared && r->schema_n == 0)
        return err_set(err, ENOENT, "resctrl group '%s'", r->group);
    if (group_path(r, "schemata", path, err) < 0)
        return -1;
    if (made ? rdt_change(r, err) < 0 : check_existing(r, path, err) < 0)
        return -1;
    return make_monitor(r, err);
}

int rdt_make(const struct rdt *r, struct err *err)
{
    char path[PATH_MAX];
    bool made = false;

    if (group_path(r, "", path, err) < 0)
        return -1;
    made = mkdir(path, 0755) == 0;
    if (!made && (errno != EEXIST || !r->shared))
        return err_set(err, errno, "make '%s'", path);
    if (fill(r, made, err) == 0)
        return 0;
    if (made)
        (void)rmdir(path); /* the first failure is the one to tell */
    return -1;
}

static int write_pid(const char *path, pid_t pid, struct err *err)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%d\n", pid);

    return file_poke(AT_FDCWD, path, (struct str){text, (size_t)n}, err);
}

int rdt_enter(const struct rdt *r, pid_t pid, struct err *err)
{
    char path[PATH_MAX];

    if (group_path(r, "tasks", path, err) < 0 || write_pid(path, pid, err) < 0)
        return -1;
    if (r->monitor == NULL)
        return 0;
    return monitor_path(r, "tasks", path, err) < 0 ? -1 : write_pid(path, pid, err);
}

int rdt_remove(const struct rdt *r, struct err *err)
{
    char path[PATH_MAX];

    if (r->monitor != NULL) {
        if (monitor_path(r, "", path, err) < 0)
            return -1;
        if (rmdir(path) < 0 && errno != ENOENT)
            return err_set(err, errno, "remove '%s'", path);
    }
    if (r->shared)
        return 0;
    if (group_path(r, "", path, err) < 0)
        return -1;
    return rmdir(path) < 0 && errno != ENOENT ? err_set(err, errno, "remove '%s'", path) : 0;
}
