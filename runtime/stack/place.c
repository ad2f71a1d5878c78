/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/stack/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/base/path.h"
#include "runtime/container/container.h"
#include "runtime/stack/dnsnet.h"

#define LOCK_TRIES 8 /* a supervisor that ends removes the directory under its lock */
#define CLEAN_MAX  (16U << 20)

static bool is_still_there(int fd, const char *path)
{
    struct stat a;
    struct stat b;

    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

int place_lock(const struct layout *l, struct err *err)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (file_mkdir_p(AT_FDCWD, l->run, 0700, err) < 0)
            return -1;
        own_fd int fd = open(l->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            return err_set(err, errno, "open '%s'", l->run);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            if (errno != EWOULDBLOCK || i == LOCK_TRIES - 1)
                return err_set(err, errno, "lock '%s'", l->run);
            (void)nanosleep(&pause, NULL); /* somebody may just be looking: place_is_locked */
            continue;
        }
        if (is_still_there(fd, l->run))
            return take_fd(&fd);
    }
    return err_set(err, EAGAIN, "lock '%s'", l->run);
}

bool place_is_locked(const struct layout *l)
{
    own_fd int fd = open(l->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* --- storage ------------------------------------------------------------------------------------
 */

struct owner {
    uid_t uid;
    gid_t gid;
    mode_t mode;
};

static int ensure_volume(const char *path, struct owner o, struct err *err)
{
    struct stat st;
    bool made = mkdir(path, 0700) == 0;

    if (!made && errno != EEXIST)
        return err_set(err, errno, "make '%s'", path);
    own_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(err, errno, "open '%s'", path);
    if (!made && (st.st_uid != o.uid || st.st_gid != o.gid))
        return err_set(err, 0,
                       "'%s' belongs to %u:%u and not to %u:%u: it was made with another "
                       "\"ids.base\"",
                       path, st.st_uid, st.st_gid, o.uid, o.gid);
    if (fchown(fd, o.uid, o.gid) < 0 || fchmod(fd, o.mode) < 0)
        return err_set(err, errno, "give '%s' to %u:%u", path, o.uid, o.gid);
    return 0;
}

int place_storage(const struct stack_config *c, const struct svc_table *t, struct err *err)
{
    if (file_mkdir_p(AT_FDCWD, c->storage, 0755, err) < 0)
        return err_wrap(err, "storage");
    for (size_t i = 0; i < SVC_N; i++)
        for (size_t k = 0; k < t->v[i].volumes_n; k++) {
            own_buf struct buf path = BUF_INIT(8192);
            struct owner own = {svc_host_uid(&t->v[i], c), svc_host_gid(&t->v[i], c), 0700};
            struct owner shared = {0, svc_mail_gid(c), 02770};

            buf_printf(&path, "%s/%s", c->storage, t->v[i].volumes[k].from);
            if (ensure_volume(buf_c(&path), t->v[i].mail_group && !svc_is_rootless() ? shared : own,
                              err) < 0)
                return -1;
        }
    return 0;
}

/* --- the run directory --------------------------------------------------------------------------
 */

static int mkdir_for(int dir_fd, const char *path, gid_t gid, struct err *err)
{
    if (file_mkdir_p(dir_fd, path, 0750, err) < 0)
        return -1;
    /* Each directory on the way, for the service has to pass through all of them. */
    for (struct str p = str_of(path); p.n && !str_eq(p, STR(".")); p = path_dir(p)) {
        own_free char *part = str_dup_c(p, err);

        if (!part || fchownat(dir_fd, part, geteuid(), gid, AT_SYMLINK_NOFOLLOW) < 0)
            return err_set(err, errno, "give '%s' to group %u", path, gid);
    }
    return 0;
}

static int put_file(int dir_fd, const struct render_file *f, gid_t gid, struct err *err)
{
    struct str dir = path_dir(str_of(f->path));

    if (!str_eq(dir, STR("."))) {
        own_free char *path = str_dup_c(dir, err);

        if (!path || mkdir_for(dir_fd, path, gid, err) < 0)
            return -1;
    }
    if (file_put(dir_fd, f->path, f->content, 0640, err) < 0)
        return -1;
    if (fchownat(dir_fd, f->path, geteuid(), gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set(err, errno, "give '%s' to group %u", f->path, gid);
    return 0;
}

static bool is_of(const struct rendered *files, const char *path)
{
    for (size_t i = 0; i < files->n; i++)
        if (strcmp(files->v[i].path, path) == 0)
            return true;
    return false;
}

static int prune(int dir_fd, struct str prefix, const struct rendered *files, struct err *err);

static int prune_one(int dir_fd, struct str prefix, const char *name, const struct rendered *files,
                     struct err *err)
{
    own_buf struct buf path = BUF_INIT(PATH_MAX);
    own_fd int sub_fd = -1;

    buf_printf(&path, "%.*s%s", STR_ARG(prefix), name);
    if (is_of(files, buf_c(&path)))
        return 0;
    sub_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub_fd < 0) {
        if (unlinkat(dir_fd, name, 0) < 0)
            return err_set(err, errno, "remove '%s'", buf_c(&path));
        return 0;
    }
    buf_append_char(&path, '/');
    if (prune(sub_fd, buf_str(&path), files, err) < 0)
        return -1;
    (void)unlinkat(dir_fd, name, AT_REMOVEDIR); /* stays where something in it stays */
    return 0;
}

/* What the configuration does not name any more, a key of a domain that is gone, say. */
static int prune(int dir_fd, struct str prefix, const struct rendered *files, struct err *err)
{
    DIR *dir = fdopendir(fcntl(dir_fd, F_DUPFD_CLOEXEC, 0));
    const struct dirent *e;
    int rc = 0;

    if (!dir)
        return err_set(err, errno, "list the configuration");
    rewinddir(dir);
    while (rc == 0 && (e = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe): one thread */
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = prune_one(dir_fd, prefix, e->d_name, files, err);
    (void)closedir(dir);
    return rc;
}

int place_conf(const struct gen *g, const struct layout *l, const struct svc *s, struct err *err)
{
    const char *path = layout_of(g->a, l, s->name, "conf");
    gid_t gid = svc_host_gid(s, g->config);
    const struct rendered *files = &g->v[s->index].files;

    if (mkdir(path, 0750) < 0 && errno != EEXIST)
        return err_set(err, errno, "make '%s'", path);
    own_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0 || fchown(dir, geteuid(), gid) < 0)
        return err_set(err, errno, "open '%s'", path);
    for (size_t i = 0; i < files->n; i++)
        if (put_file(dir, &files->v[i], gid, err) < 0)
            return err_wrap(err, "configuration of '%s'", s->name);
    return prune(dir, STR_NONE, files, err);
}

int place_service(const struct gen *g, const struct layout *l, const struct svc *s, struct err *err)
{
    const char *bundle = layout_of(g->a, l, s->name, "bundle");
    const char *sock = layout_of(g->a, l, "sock", NULL);

    if (file_mkdir_p(AT_FDCWD, bundle, 0700, err) < 0 ||
        file_mkdir_p(AT_FDCWD, sock, 0700, err) < 0 || place_conf(g, l, s, err) < 0)
        return -1;
    return file_put(AT_FDCWD, arena_printf(g->a, "%s/config.json", bundle), g->v[s->index].bundle,
                    0600, err);
}

static int delete_containers(struct arena *a, const struct layout *l, struct err *err)
{
    struct container_env env = {.root = l->containers};
    const char **ids = NULL;
    size_t n = 0;
    int rc = 0;

    if (container_list(&env, a, &ids, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (container_delete(&env, ids[i], CONTAINER_FORCE, err) < 0)
            rc = -1; /* the others all the same */
    return rc;
}

int place_clean(const struct layout *l, struct err *err)
{
    struct arena *a = arena_new(CLEAN_MAX);
    struct err first = {0};
    struct dnsnet d;
    int rc = delete_containers(a, l, &first);

    dnsnet_init(&d, l);
    if (dnsnet_down(&d, err) < 0 && rc == 0) {
        first = *err;
        rc = -1;
    }
    if (file_remove_tree(AT_FDCWD, l->run, err) < 0 && rc == 0) {
        first = *err;
        rc = -1;
    }
    (void)rmdir(l->top); /* other stacks may live there */
    arena_free(a);
    if (rc < 0)
        *err = first;
    return rc;
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *e;
    bool some = false;

    if (!dir)
        return true;
    while ((e = readdir(dir)) != NULL) /* NOLINT(concurrency-mt-unsafe): one thread */
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            some = true;
    (void)closedir(dir);
    return !some;
}

int place_take(const struct layout *l, struct err *err)
{
    own_fd int fd = place_lock(l, err);

    if (fd < 0 || is_empty(l->run))
        return take_fd(&fd);
    if (place_clean(l, err) < 0)
        return err_wrap(err, "clean up after a supervisor that was killed");
    return place_lock(l, err);
}
