/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/arena.h"
#include "runtime/base/file.h"
#include "runtime/base/own.h"
#include "runtime/stack/place.h"

#include "tests/lib/stackconf.h"
#include "tests/lib/test.h"
#include "tests/lib/tmpdir.h"

static struct layout in(struct arena *a, const struct tmpdir *t)
{
    return (struct layout){.file = "x",
                           .id = "x-1",
                           .top = arena_printf(a, "%s/top", t->path),
                           .run = arena_printf(a, "%s/top/x-1", t->path),
                           .containers = arena_printf(a, "%s/top/x-1/containers", t->path),
                           .cgroup = ""};
}

static void one_supervisor_has_the_place(void **state)
{
    struct arena *a = arena_new(1u << 20);
    struct layout l = in(a, *state);
    struct err err = {0};
    struct stat st;

    assert_false(place_is_locked(&l)); /* and nothing was made by looking */
    assert_int_equal(access(l.top, F_OK), -1);
    own_fd int fd = place_lock(&l, &err);

    assert_ok(fd, &err);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_true(place_is_locked(&l));
    assert_int_equal(place_lock(&l, &err), -1);
    assert_int_equal(err.code, EAGAIN);
    own_close_fd(&fd);
    fd = -1;
    assert_false(place_is_locked(&l));
    arena_free(a);
}

/* Others ask all the time whether it is up; a start in between succeeds. */
static void looking_does_not_stand_in_the_way(void **state)
{
    struct arena *a = arena_new(1u << 20);
    struct layout l = in(a, *state);
    struct err err = {0};
    pid_t pid;

    assert_int_equal(mkdir(l.top, 0700), 0);
    assert_int_equal(mkdir(l.run, 0700), 0);
    pid = fork();
    if (pid == 0) {
        (void)alarm(20);
        for (;;)
            (void)place_is_locked(&l);
    }
    for (int i = 0; i < 200; i++) {
        own_fd int fd = place_lock(&l, &err);

        assert_ok(fd, &err);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    arena_free(a);
}

static void volumes_belong_to_their_services(void **state)
{
    const struct tmpdir *t = *state;
    struct stackconf s;
    struct err err = {0};
    struct stat st;

    if (geteuid() != 0)
        SKIP("needs root to give directories away");
    stackconf_load(&s, t->path, STACKCONF_LISTEN, ", \"ids\": {\"base\": 700000}");
    assert_ok(place_storage(s.c, &s.t, &err), &err);
    assert_ok(place_storage(s.c, &s.t, &err), &err); /* twice is once */
    assert_int_equal(fstatat(t->fd, "storage/spool", &st, 0), 0);
    assert_int_equal(st.st_uid, svc_uid(svc_get(&s.t, "queued"), s.c));
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(fstatat(t->fd, "storage/mail", &st, 0), 0);
    assert_int_equal(st.st_gid, svc_mail_gid(s.c));
    assert_int_equal(st.st_mode & 07777, 02770);
    s.c->ids_base = 800000; /* all the mail would belong to nobody */
    assert_int_equal(place_storage(s.c, &s.t, &err), -1);
    assert_err(&err, "ids.base");
    stackconf_done(&s);
}

static void a_volume_that_is_a_link_is_not_followed(void **state)
{
    const struct tmpdir *t = *state;
    struct stackconf s;
    struct err err = {0};
    struct stat st;

    if (geteuid() != 0)
        SKIP("needs root to give directories away");
    stackconf_load(&s, t->path, STACKCONF_LISTEN, "");
    assert_int_equal(mkdirat(t->fd, "storage", 0700), 0);
    assert_int_equal(mkdirat(t->fd, "mine", 0700), 0);
    assert_int_equal(symlinkat("../mine", t->fd, "storage/spool"), 0);
    assert_int_equal(place_storage(s.c, &s.t, &err), -1);
    assert_int_equal(fstatat(t->fd, "mine", &st, 0), 0);
    assert_int_equal(st.st_uid, 0);
    stackconf_done(&s);
}

static void files_are_for_their_service_to_read(void **state)
{
    const struct tmpdir *t = *state;
    struct stackconf s;
    struct gen g = {0};
    struct layout l;
    const struct svc *v;
    struct render_file files[] = {{"filterd.json", STR_INIT("{}")},
                                  {"dkim/example.org/s1.pem", STR_INIT("key")}};
    struct err err = {0};
    struct stat st;

    if (geteuid() != 0)
        SKIP("needs root to give files away");
    stackconf_load(&s, t->path, STACKCONF_LISTEN, "");
    l = in(s.a, t);
    v = svc_get(&s.t, "filterd");
    g.a = s.a;
    g.config = s.c;
    g.v[v->index].files = (struct rendered){files, 2};
    g.v[v->index].bundle = STR("{}");
    assert_ok(place_service(&g, &l, v, &err), &err);
    assert_ok(place_service(&g, &l, v, &err), &err);
    assert_int_equal(fstatat(t->fd, "top/x-1/filterd/conf/dkim/example.org/s1.pem", &st, 0), 0);
    assert_true(st.st_uid == 0 && st.st_gid == svc_uid(v, s.c));
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(fstatat(t->fd, "top/x-1/filterd/conf/dkim", &st, 0), 0);
    assert_true(st.st_gid == svc_uid(v, s.c) && (st.st_mode & 0777) == 0750);
    assert_int_equal(fstatat(t->fd, "top/x-1/filterd/bundle/config.json", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    g.v[v->index].files.n = 1; /* the domain is gone, and so is its key */
    assert_ok(place_conf(&g, &l, v, &err), &err);
    assert_int_equal(fstatat(t->fd, "top/x-1/filterd/conf/dkim", &st, 0), -1);
    assert_int_equal(fstatat(t->fd, "top/x-1/filterd/conf/filterd.json", &st, 0), 0);
    stackconf_done(&s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, tmpdir_setup, tmpdir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_supervisor_has_the_place),        CASE(looking_does_not_stand_in_the_way),
        CASE(volumes_belong_to_their_services),    CASE(a_volume_that_is_a_link_is_not_followed),
        CASE(files_are_for_their_service_to_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
