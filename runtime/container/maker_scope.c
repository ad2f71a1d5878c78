/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The group of a container that systemd makes: a scope needs a process from its beginning, and the
 * container's is to be cloned into the group that the scope is. So a placeholder goes first.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/container/limits.h"
#include "runtime/container/maker.h"
#include "runtime/container/scope_of.h"
#include "runtime/kernel/cgroup_devices.h"

#define GROUPS_MAX  65536
#define MOVED_TRIES 100
#define MOVED_MS    100

static bool reads_as(const char *before)
{
    own_buf struct buf now = BUF_INIT(GROUPS_MAX);
    struct err ignored;

    return file_read(AT_FDCWD, "/proc/self/cgroup", &now, &ignored) == 0 &&
           str_eq_c(buf_str(&now), before);
}

/* The process that keeps the place, until its maker ends it. If the maker dies it stays until
 * systemd has moved it, and ends then: systemd notices the end of a process that was in the scope;
 * a scope whose process had gone before would be there for ever. */
static no_return void keep_place(pid_t maker, const char *before)
{
    static const struct timespec pause = {.tv_nsec = MOVED_MS * 1000000L};
    sigset_t death;

    (void)sigemptyset(&death);
    (void)sigaddset(&death, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &death, NULL) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGTERM, 0UL, 0UL, 0UL) < 0)
        _exit(1);
    (void)close_range(0, UINT_MAX, 0); /* nobody shall wait for the end of what was the maker's */
    while (getppid() == maker)
        (void)sigwaitinfo(&death, NULL);
    for (int i = 0; i < MOVED_TRIES && reads_as(before); i++)
        (void)nanosleep(&pause, NULL);
    (void)nanosleep(&pause, NULL);
    _exit(0);
}

/* systemd makes a group around a process, and the container's is to be cloned into it. */
static int start_placeholder(struct maker *m, struct err *err)
{
    own_buf struct buf groups = BUF_INIT(GROUPS_MAX);
    pid_t maker = getpid();

    if (file_read(AT_FDCWD, "/proc/self/cgroup", &groups, err) < 0)
        return -1;
    m->placeholder = fork();
    if (m->placeholder == 0)
        keep_place(maker, buf_c(&groups));
    if (m->placeholder > 0)
        return 0;
    m->placeholder = 0;
    return err_set(err, errno, "fork");
}

void maker_end_placeholder(struct maker *m)
{
    if (m->placeholder == 0)
        return;
    (void)kill(m->placeholder, SIGKILL);
    while (waitpid(m->placeholder, NULL, 0) < 0 && errno == EINTR)
        continue;
    m->placeholder = 0;
}

/* Annotations come last, so that they have the last word. */
static int scope_properties(const struct maker *m, struct scope_properties *out, struct err *err)
{
    const struct oci_resources *r = &m->config->linux_.resources;
    struct cgroup_devices devices;

    out->n = 0;
    if (scope_of(m->arena, r, cgroup_is_unified(), out, err) < 0)
        return -1;
    if (geteuid() == 0 && !m->inside &&
        (limits_devices(r, &devices, err) < 0 ||
         scope_of_devices(m->arena, &devices, out, err) < 0))
        return -1;
    return scope_of_annotations(m->arena, &m->config->annotations, out, err);
}

int maker_make_scope(struct maker *m, struct err *err)
{
    struct scope_properties p;
    const char *path = NULL;
    const char *text = arena_printf(m->arena, "container %s", m->create->id);

    if (scope_properties(m, &p, err) < 0)
        return -1;
    if (text == NULL || start_placeholder(m, err) < 0 ||
        scope_start(&m->scope, text, m->placeholder, &p, err) < 0)
        return err_wrap(err, "start '%s'", m->scope.unit);
    m->state.scope = m->scope.unit;
    if (scope_path(m->arena, m->placeholder, &path, err) < 0 ||
        cgroup_locate_systemd(m->arena, path, &m->cgroup, err) < 0)
        return err_wrap(err, "the group of '%s'", m->scope.unit);
    m->init.cgroup = &m->cgroup;
    return cgroup_adopt(&m->cgroup, err);
}
